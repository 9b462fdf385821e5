/* SPDX-License-Identifier: Apache-2.0 */
/* timing.c - when the commands of banks are issued, so that the rules of DRAM hold.
 *
 * Turns (ours). The banks of a channel take turns to activate, in their order and for ever: so far
 * apart that any four activations keep tFAW and any two tRRD, whatever each bank does. What a bank
 * does takes whole turns of its own. It is precharged a fixed time before its next turn, so that
 * commands of different banks never meet on the command bus of the channel and tRP is kept.
 *
 * Slots. A row operation is ACT, ACT, PRE: the second ACT comes a turn or more behind the first
 * (second_activation at least), the PRE tRAS behind it; without waiting for turns that would be
 * second_activation + tRAS + tRP. The turns it takes are a slot. Column accesses open a row for
 * tRCD, an access every tCCD, and tRTP (reads) or the write latency, tCCD and tWR (writes) behind
 * the last, tRAS at least. As many such rows as fit are accessed in one slot; what is
 * too long for one is accessed in several, the row opened again.
 *
 * Refresh. So many whole slots as fit between refreshes are run one behind the other, then all
 * banks are closed and refreshed together: a period is tRFC, these slots, and the time by which the
 * last bank's turn is behind the first one's. It is at most tREFI. So slot k of a bank begins at (k
 * / n) period + tRFC + offset of the bank + (k mod n) slot,      n slots in a period, and n slots
 * that begin at any time are known in closed form.
 *
 * All-bank commands. Groups of banks that take each command together take turns as banks do, with a
 * time of their own for any four activations; what is said of banks here holds of groups then. A
 * channel is in one mode or the other, mode_switch between them, and refreshed at the same times.
 *
 * tests/unit/bank_timing.c checks all pairs of commands that follow, and that a scheduler which
 * issues each command as early as it may needs as long for a slot on a built-in machine. */
#include "targets/bank/bank.h"

/* From an activation until one burst is over and the row may be precharged, but for tRAS. */
static int64_t burst_cycles(const pim_target *t, pim_access access)
{
	return t->bank.trcd + (access == PIM_ACCESS_read
								  ? t->bank.trtp
								  : t->bank.write_latency + t->bank.tccd + t->bank.twr);
}

/* Cycles from an activation on until the row may be precharged, reads or writes n bursts. */
static int64_t open_cycles(const pim_target *t, pim_access access, int64_t bursts)
{
	return pim_max(t->bank.tras, burst_cycles(t, access) + (bursts - 1) * t->bank.tccd);
}

/* Turns from an activation to the next one when the row is open for so long. */
static int64_t turns_for(const pim_bank_grid *g, int64_t open)
{
	return pim_divide_up(open + g->closed, g->turn);
}

/* ACT and PRE: cycles of the channel's command bus between one turn and the next. */
enum { BUS = 2 };

/* Quarters of a cycle between two activations of a channel; a turn is a number of whole cycles. */
static int64_t find_quarters(const pim_target *t, int64_t banks, int64_t tfaw)
{
	int64_t quarters = pim_max(tfaw, 4 * pim_max(t->bank.trrd, BUS));
	while (banks * quarters % 4)
		quarters++;
	return quarters;
}

void pim_bank_grid_make(const pim_target *t, int64_t banks, int64_t tfaw, pim_bank_grid *g)
{
	int64_t apart = find_quarters(t, banks, tfaw);
	*g = (pim_bank_grid){.banks = banks, .quarters = apart, .turn = banks * apart / 4};
	g->before = pim_divide_up(4 * (t->bank.trp + 1), apart);
	g->closed = pim_divide_up(g->before * apart, 4) - 1;
	g->second = pim_max(1, pim_divide_up(t->bank.second_activation, g->turn));
	int64_t access =
		pim_max(open_cycles(t, PIM_ACCESS_read, 1), open_cycles(t, PIM_ACCESS_write, 1));
	g->turns = pim_max(g->second + turns_for(g, t->bank.tras), turns_for(g, access));
	g->slot = g->turns * g->turn;
	int64_t last = pim_bank_offset(g, g->banks - 1);
	g->slots = (t->bank.trefi - t->bank.trfc - last) / g->slot;
	g->period = t->bank.trfc + last + g->slots * g->slot;
	g->first = t->bank.trfc;
}

void pim_bank_grid_make_groups(const pim_target *t, pim_bank_grid *g)
{
	const pim_bank_grid *single = t->bank.grid;
	pim_bank_grid_make(t, single->banks / t->bank.all_bank, t->bank.all_bank_tfaw, g);
	g->period = single->period;
	g->slots = (g->period - g->first - pim_bank_offset(g, g->banks - 1)) / g->slot;
}

int64_t pim_slot_end_of_groups(const pim_bank_grid *g, int64_t k)
{
	return pim_slot_start(g, g->banks - 1, k) + g->slot;
}

int64_t pim_bank_offset(const pim_bank_grid *g, int64_t bank)
{
	return bank * g->quarters / 4;
}

int64_t pim_bank_close(const pim_bank_grid *g, int64_t bank, int64_t turns)
{
	int64_t at = bank - g->before, back = at < 0 ? pim_divide_up(-at, g->banks) : 0;
	return (turns - back) * g->turn + pim_bank_offset(g, at + back * g->banks) + 1 -
		   pim_bank_offset(g, bank);
}

int64_t pim_access_turns(const pim_target *t, pim_access access, int64_t bytes)
{
	int64_t bursts = pim_divide_up(bytes, t->bank.burst_bytes);
	return turns_for(t->bank.grid, open_cycles(t, access, pim_max(bursts, 1)));
}

int64_t pim_access_most(const pim_target *t, pim_access access)
{
	const pim_bank_grid *g = t->bank.grid;
	int64_t left = g->turns * g->turn - g->closed - burst_cycles(t, access);
	return (1 + pim_max(left, 0) / t->bank.tccd) * t->bank.burst_bytes;
}

int64_t pim_access_each(const pim_target *t, pim_access access, int64_t bytes)
{
	int64_t each = t->bank.grid->turns / pim_access_turns(t, access, bytes);
	return each < PIM_SLOT_ROWS ? each : PIM_SLOT_ROWS;
}

int64_t pim_access_slots(const pim_target *t, pim_access access, int64_t rows, int64_t bytes)
{
	int64_t most = pim_access_most(t, access), n;
	if (bytes <= most)
		return pim_divide_up(rows, pim_access_each(t, access, bytes));
	return pim_mul(rows, pim_divide_up(bytes, most), &n) ? n : INT64_MAX / 4;
}

int64_t pim_access_activations(const pim_target *t, pim_access access, int64_t rows, int64_t bytes)
{
	int64_t most = pim_access_most(t, access), n;
	return pim_mul(rows, pim_divide_up(bytes, most), &n) ? n : INT64_MAX / 4;
}

/* Elements that lie together: whole rows, and the rest of one. */
int64_t pim_element_slots(const pim_target *t, pim_access access, int64_t bytes)
{
	int64_t row = t->bank.columns / 8, rest = bytes % row;
	return pim_access_slots(t, access, bytes / row, row) +
		   (rest ? pim_access_slots(t, access, 1, rest) : 0);
}

int64_t pim_slot_start(const pim_bank_grid *g, int64_t bank, int64_t k)
{
	return k / g->slots * g->period + g->first + pim_bank_offset(g, bank) + k % g->slots * g->slot;
}

int64_t pim_slot_behind(const pim_bank_grid *g, int64_t bank, int64_t time)
{
	int64_t origin = g->first + pim_bank_offset(g, bank);
	if (time <= origin)
		return 0;
	int64_t whole = (time - origin) / g->period;
	int64_t k = pim_divide_up(time - origin - whole * g->period, g->slot);
	return whole * g->slots + (k < g->slots ? k : g->slots);
}

int64_t pim_slots_cycles(const pim_bank_grid *g, int64_t slots)
{
	double cycles = (double)slots * (double)g->period / (double)g->slots;
	if (cycles > 2e18)
		return (int64_t)2e18;
	return slots / g->slots * g->period + pim_divide_up(slots % g->slots * g->period, g->slots);
}
