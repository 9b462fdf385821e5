/* SPDX-License-Identifier: Apache-2.0 */
/* sim_host.c - what the host brings to banks before a run, and takes away after it.
 *
 * The host writes and reads rows over the data bus of each channel, all channels side by side: a
 * burst every tCCD, or as long as it is on the bus if that is longer. Each bank opens its rows in
 * its own slots, so a channel is done when its bus is and when its slowest bank is. A phase is as
 * long as its slowest channel. Every box of a home counts, copies too. */
#include "targets/bank/bank.h"
#include "targets/sim.h"

static const pim_program_tensor *find_tensor(const pim_program *p, const pim_home *h)
{
	const pim_program_tensor *of[] = {p->constant, p->input, p->result};
	return of[h->kind] + h->tensor;
}

static int64_t burst_cycles(const pim_target *t)
{
	double link = (double)t->bank.burst_bytes / t->network.link_bytes_per_cycle;
	int64_t whole = (int64_t)link + (link > (double)(int64_t)link);
	return whole > t->bank.tccd ? whole : t->bank.tccd;
}

/* What the homes of a kind take of each bank, in bytes, and of each channel's bus, in bursts. */
static double list_bytes(const pim_sim *s, pim_home_kind kind, int64_t *bank, int64_t *bursts)
{
	double all = 0;
	for (int64_t i = 0; i < s->p->n_homes; i++) {
		const pim_home *h = s->p->home + i;
		if (h->kind != kind)
			continue;
		pim_dtype type = find_tensor(s->p, h)->type->dtype;
		int64_t bytes = pim_box_elements(&h->box) * (int64_t)pim_dtype_bytes(type);
		bank[h->unit] += bytes;
		bursts[h->unit / (uint32_t)s->t->network.size[0]] +=
			(bytes + s->t->bank.burst_bytes - 1) / s->t->bank.burst_bytes;
		all += (double)bytes;
	}
	return all;
}

static pim_sim_host run_phase(const pim_sim *s, pim_home_kind kind)
{
	int banks = s->t->network.size[0], channels = s->t->units / banks;
	int64_t *bank = PIM_NEW(s->arena, int64_t, s->t->units);
	int64_t *bursts = PIM_NEW(s->arena, int64_t, channels);
	pim_sim_host h = {.bytes = list_bytes(s, kind, bank, bursts)};
	for (int i = 0; i < channels; i++) {
		int64_t cycles = bursts[i] * burst_cycles(s->t);
		h.cycles = cycles > h.cycles ? cycles : h.cycles;
	}
	for (int i = 0; i < s->t->units; i++) {
		int64_t cycles = bank[i] ? pim_bank_memory_cycles(s->t, bank[i]) : 0;
		h.cycles = cycles > h.cycles ? cycles : h.cycles;
	}
	return h;
}

void pim_sim_bank_host(pim_sim *s)
{
	for (int kind = 0; kind < PIM_SIM_PHASES; kind++)
		s->report->bank.host[kind] = run_phase(s, (pim_home_kind)kind);
}

int64_t pim_sim_host_cycles(const pim_sim *s)
{
	const pim_sim_host *h = s->report->bank.host;
	return h[PIM_HOME_input].cycles + h[PIM_HOME_result].cycles;
}

/* A row is written or read, and a byte goes over the channel's bus. */
void pim_sim_host_energy(pim_sim *s)
{
	const pim_target *t = s->t;
	const pim_sim_host *h = s->report->bank.host;
	s->report->pj[PIM_SIM_ENERGY_memory] +=
		h[PIM_HOME_input].bytes * t->memory.write_pj + h[PIM_HOME_result].bytes * t->memory.read_pj;
	s->report->pj[PIM_SIM_ENERGY_network] +=
		(h[PIM_HOME_input].bytes + h[PIM_HOME_result].bytes) * t->network.hop_pj;
}
