/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c - what follows from the rows and the timing of a bank.
 *
 * Storage rows are the main memory, staging rows the buffer. A row is activated, read by bursts and
 * closed; rates are those of whole rows, refresh included, latency is that of the first burst. */
#include "targets/bank/bank.h"
#include "targets/machine_file.h"

/* Special rows, the largest routine's scratch and registers of 32 bits for one kernel. */
enum { FEWEST_COMPUTE_ROWS = 512, MOST_COLUMNS = 1 << 16 };

static bool check_rows(machine_file *f, pim_loc at, const pim_target *t)
{
	pim_context *c = f->context;
	if (t->bank.columns % 64)
		return pim_error(c, at, "bank.columns is %d; expected a multiple of 64", t->bank.columns);
	if (t->bank.compute_rows < FEWEST_COMPUTE_ROWS)
		return pim_error(c, at, "bank.compute_rows is %d; expected at least %d",
			t->bank.compute_rows, (int)FEWEST_COMPUTE_ROWS);
	if (t->bank.compute_rows + t->bank.staging_rows >= t->bank.rows)
		return pim_error(c, at,
			"bank.rows is %d; expected more than the %d that compute and the %d that stage "
			"operands",
			t->bank.rows, t->bank.compute_rows, t->bank.staging_rows);
	return true;
}

static bool check_all_bank(machine_file *f, pim_loc at, const pim_target *t)
{
	if (t->network.size[0] % t->bank.all_bank_groups)
		return pim_error(f->context, at,
			"bank.all_bank_groups is %d; expected a divisor of the %d banks of a channel",
			t->bank.all_bank_groups, t->network.size[0]);
	if (t->bank.mode_switch < t->bank.tfaw)
		return pim_error(f->context, at,
			"bank.mode_switch is %lld cycles; expected tFAW, %lld, or more: all-bank activations "
			"follow those of single banks",
			(long long)t->bank.mode_switch, (long long)t->bank.tfaw);
	return true;
}

/* The machine in lock step, where that makes row operations faster. */
static void add_lockstep(machine_file *f, pim_target *t)
{
	pim_bank_grid *grid = PIM_NEW(f->context->arena, pim_bank_grid, 1);
	pim_bank_grid_make_groups(t, grid);
	if (t->bank.all_bank == 1 || grid->slots <= t->bank.grid->slots)
		return;
	pim_target *all = PIM_NEW(f->context->arena, pim_target, 1);
	*all = *t;
	all->bank.grid = grid;
	t->bank.lockstep = all;
}

bool pim_bank_complete(machine_file *f, pim_loc at, pim_target *t)
{
	if (!check_rows(f, at, t) || !check_all_bank(f, at, t))
		return false;
	t->bank.all_bank = t->network.size[0] / t->bank.all_bank_groups;
	int64_t row = t->bank.columns / 8;
	pim_bank_grid *grid = PIM_NEW(f->context->arena, pim_bank_grid, 1);
	pim_bank_grid_make(t, t->network.size[0], t->bank.tfaw, grid);
	if (grid->slots < 1)
		return pim_error(f->context, at,
			"bank.tREFI is %lld cycles; expected at least %lld: a refresh, and a row operation of "
			"each bank of a channel",
			(long long)t->bank.trefi,
			(long long)(t->bank.trfc + grid->slot + pim_bank_offset(grid, grid->banks - 1)));
	t->bank.grid = grid;
	t->bank.costs = pim_bank_costs_new(f->context->arena);
	t->buffer.bytes = row * t->bank.staging_rows;
	t->memory.bytes = row * (t->bank.rows - t->bank.compute_rows - t->bank.staging_rows);
	t->memory.latency = t->bank.trcd + t->bank.trp;
	t->memory.bytes_per_cycle = (double)row / (double)pim_bank_memory_cycles(t, row);
	t->memory.read_pj = t->memory.write_pj =
		t->bank.column_pj + t->bank.activation_pj / (double)row;
	t->buffer.latency = t->memory.latency;
	t->buffer.bytes_per_cycle = t->memory.bytes_per_cycle;
	t->buffer.read_pj = t->buffer.write_pj = t->memory.read_pj;
	add_lockstep(f, t);
	return true;
}
