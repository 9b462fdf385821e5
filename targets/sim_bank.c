/* SPDX-License-Identifier: Apache-2.0 */
/* sim_bank.c - kernels that a bank runs as row operations.
 *
 * Every row operation is run bit by bit on the bytes of the bank's memories; only ops that merely
 * move elements over the column path are left to the evaluator. Time and energy are those of the
 * micro-program's steps. A bank does one thing at a time: a load, a store or a message for a bank
 * that runs a kernel waits for its end, and the other way round. */
#include <string.h>

#include "targets/bank/bank.h"
#include "targets/sim.h"

bool pim_sim_has_banks(const pim_sim *s)
{
	return s->t->command_set && !strcmp(s->t->command_set, "bank");
}

static void read_kernel(pim_sim *s, const pim_node *op, pim_sim_kernel *k)
{
	k->axes = pim_axes_new(op, s->arena);
	k->extent = PIM_NEW(s->arena, int64_t, PIM_MAX_AXES);
	for (int a = 0; a < k->axes->n_axes; a++)
		k->extent[a] = k->axes->axis[a].size;
	k->by_columns = pim_bank_only_moves(op);
	k->work[0] = pim_bank_kernel_work(s->t, op, k->axes, k->extent, PIM_BANK_writes);
	k->work[1] = pim_bank_kernel_work(s->t, op, k->axes, k->extent, PIM_BANK_adds);
	const pim_target *all = s->t->bank.lockstep;
	for (int i = 0; i < 2 && all; i++)
		k->work[2 + i] =
			pim_bank_kernel_work(all, op, k->axes, k->extent, i ? PIM_BANK_adds : PIM_BANK_writes);
}

bool pim_sim_bank_kernels(pim_sim *s)
{
	s->bank = pim_bank_new(s->t, s->arena);
	pim_sim_bank_host(s);
	for (int i = 0; i < s->p->n_kernels; i++) {
		const pim_node *op = s->p->kernel[i].op;
		read_kernel(s, op, s->kernel + i);
		const char *why = pim_bank_refusal(s->t, op, s->kernel[i].axes, s->kernel[i].extent);
		if (why)
			return pim_file_error(
				s->context, s->o->path, "kernel %d cannot run on %s: %s", i, s->t->name, why);
	}
	return true;
}

static const pim_bank_work *work_of(const pim_sim *s, const pim_command *c)
{
	return &s->kernel[c->index].work[2 * (c->code == PIM_COMMAND_all_rows) + c->accumulate];
}

int64_t pim_sim_bank_slots(const pim_sim *s, const pim_command *c)
{
	if (!pim_command_is_rows(c->code))
		return pim_bank_memory_slots(s->t, s->pattern[c->index].bytes);
	return pim_bank_slots(work_of(s, c));
}

int64_t pim_sim_bank_commands(const pim_sim *s, const pim_command *c)
{
	return pim_command_is_rows(c->code) ? work_of(s, c)->commands : 0;
}

void pim_sim_bank_account(pim_sim *s, const pim_command *c, int64_t runs)
{
	const pim_bank_work *w = work_of(s, c);
	bool all = c->code == PIM_COMMAND_all_rows;
	const pim_target *t = all ? s->t->bank.lockstep : s->t;
	double times = (double)runs, rows = (double)w->activations * s->t->bank.activation_pj +
										(double)w->raised * s->t->bank.extra_row_pj;
	s->report->pj[PIM_SIM_ENERGY_rows] += times * rows;
	s->report->pj[PIM_SIM_ENERGY_columns] += times * (double)w->column_bytes * s->t->bank.column_pj;
	pim_sim_bank_report *b = &s->report->bank;
	double slots = (double)w->operations * (double)t->bank.grid->slot;
	double columns = (double)w->column_slots * (double)t->bank.grid->slot;
	b->row_operations += times * (double)w->operations;
	b->activations += times * (double)w->activations;
	b->slot_cycles += times * slots;
	b->column_cycles += times * columns;
	b->refresh_cycles += times * ((double)pim_bank_cycles(t, w) - slots - columns);
	b->bus_commands += all ? 0 : times * (double)w->commands; /* all-bank ones: as they meet */
}

void pim_sim_bank_run(pim_sim *s, const pim_sim_kernel *k, const pim_node *op, const pim_tensor *in,
	const pim_tensor *out, int adds)
{
	pim_micro m = {.adds = adds != 0};
	pim_bank_operand *operand = PIM_NEW(s->scratch, pim_bank_operand, op->n_in + 1);
	for (uint32_t i = 0; i < op->n_in; i++)
		operand[i] = (pim_bank_operand){in[i].type, in[i].data};
	operand[op->n_in] = (pim_bank_operand){out->type, out->data};
	pim_micro_write(&m, s->t, op, k->axes, k->extent);
	pim_bank_run(s->bank, &m, operand);
}
