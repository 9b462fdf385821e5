/* SPDX-License-Identifier: Apache-2.0 */
/* cost.c - cycles and energy of what a bank does.
 *
 * A row operation of a routine is ACT, ACT, PRE: tRAS + second activation + tRP. A channel issues
 * row operations in slots (ours): in lock step, one for each of its banks, whether all take part or
 * not. A slot is long enough for every bank's commands on the command bus and for its activations
 * under tFAW and tRRD, so banks that compute different things do not disturb each other. Gathering
 * n bits writes n rows of the lanes, column access by column access, and reads the elements
 * likewise; scattering the other way round; turning reads and writes n rows. Every row so accessed
 * is open for tRAS at least. What refresh takes away is added to all. */
#include <math.h>
#include <stdlib.h>

#include "targets/bank/bank.h"

static int64_t multiply(int64_t a, int64_t b)
{
	int64_t r;
	return pim_mul(a, b, &r) ? r : INT64_MAX / 4;
}

static int64_t divide_up(int64_t a, int64_t b)
{
	return a / b + (a % b != 0);
}

/* ---- routines ---- */

/* The formats that recipes use: those of element types, one bit, and of integer products. */
static const pim_format formats[] = {{1, 0, false}, {8, 0, true}, {16, 0, true}, {32, 0, true},
	{8, 0, false}, {16, 0, false}, {32, 0, false}, {9, 0, true}, {17, 0, true}, {18, 0, true},
	{16, 5, true}, {16, 8, true}, {32, 8, true}};
enum { FORMATS = sizeof formats / sizeof formats[0] };

struct pim_bank_costs {
	pim_routine_cost of[PIM_ROUTINE_COUNT][FORMATS][FORMATS]; /* operations 0: not made */
	int scratch;
};

static int find_format(pim_format f)
{
	for (int i = 0; i < FORMATS; i++)
		if (formats[i].bits == f.bits && formats[i].exponent == f.exponent &&
			formats[i].sign == f.sign)
			return i;
	PIM_BUG("no routines for %d bits with %d of exponent", f.bits, f.exponent);
}

static bool is_wanted(int routine, int from, int to)
{
	pim_format f = formats[from], g = formats[to];
	if (routine == PIM_ROUTINE_less || routine == PIM_ROUTINE_equal)
		return to == 0;
	if (routine == PIM_ROUTINE_exponent)
		return f.exponent == 8 && g.bits == 8 && !g.sign;
	if (routine == PIM_ROUTINE_convert || routine == PIM_ROUTINE_low_bits)
		return from != to;
	bool widens = !f.exponent && !g.exponent && f.bits < g.bits;
	return from == to || (widens && (routine == PIM_ROUTINE_sub || routine == PIM_ROUTINE_mul));
}

static pim_routine_cost measure(const pim_routine_key *key)
{
	pim_bank_rows r;
	if (!pim_routine_write(key, &r))
		return (pim_routine_cost){0};
	pim_routine_cost c = {r.n, r.extra, r.highest};
	free(r.op);
	return c;
}

static void add_cost(pim_bank_costs *c, int routine, int from, int to)
{
	pim_routine_key key = {(uint8_t)routine, formats[from], formats[to]};
	pim_routine_cost cost = measure(&key);
	c->of[routine][from][to] = cost;
	c->scratch = cost.scratch > c->scratch ? cost.scratch : c->scratch;
}

int pim_bank_most_scratch(const pim_bank_costs *c)
{
	return c->scratch;
}

const pim_bank_costs *pim_bank_costs_new(pim_arena *a)
{
	pim_bank_costs *c = PIM_NEW(a, pim_bank_costs, 1);
	for (int r = 0; r < PIM_ROUTINE_COUNT; r++)
		for (int from = 0; from < FORMATS; from++)
			for (int to = 0; to < FORMATS; to++)
				if (is_wanted(r, from, to))
					add_cost(c, r, from, to);
	return c;
}

pim_routine_cost pim_bank_cost_of(const pim_bank_costs *c, const pim_routine_key *k)
{
	return c->of[k->routine][find_format(k->from)][find_format(k->to)];
}

/* ---- steps ---- */

/* Column accesses to n rows of some lanes. */
static int64_t row_cycles(const pim_target *t, int64_t n, int64_t bytes)
{
	int64_t open = t->bank.trcd + multiply(divide_up(bytes, t->bank.burst_bytes), t->bank.tccd);
	return multiply(n, (open > t->bank.tras ? open : t->bank.tras) + t->bank.trp);
}

/* Elements that lie together, as many rows as they take. */
static int64_t element_cycles(const pim_target *t, int64_t bytes)
{
	int64_t row = t->bank.columns / 8, full = bytes / row, rest = bytes % row;
	return row_cycles(t, full, row) + (rest ? row_cycles(t, 1, rest) : 0);
}

static void add_columns(const pim_target *t, pim_bank_work *w, int64_t lanes, int bits, int64_t n)
{
	int64_t bytes = divide_up(lanes, 8), row = t->bank.columns / 8;
	int64_t elements = divide_up(multiply(lanes, bits), 8);
	w->column_cycles += multiply(n, row_cycles(t, bits, bytes) + element_cycles(t, elements));
	w->column_bytes += multiply(n, bytes * bits + elements);
	w->activations += multiply(n, bits + divide_up(elements, row));
}

static void add_routine(const pim_target *t, pim_bank_work *w, const pim_routine_key *k, int64_t n)
{
	pim_routine_cost c = pim_bank_cost_of(t->bank.costs, k);
	w->operations += multiply(n, c.operations);
	w->activations += multiply(n, 2 * c.operations);
	w->raised += multiply(n, c.raised);
}

static void add_step(
	const pim_target *t, const pim_micro *m, const pim_step *s, int64_t n, pim_bank_work *w)
{
	int bits = s->code == PIM_STEP_scatter ? s->key.from.bits : s->key.to.bits;
	switch ((pim_step_code)s->code) {
	case PIM_STEP_gather:
	case PIM_STEP_scatter:
	case PIM_STEP_known:
	case PIM_STEP_turn:
		add_columns(t, w, m->lanes, bits, n);
		break;
	case PIM_STEP_set:
		w->operations += multiply(n, bits);
		w->activations += multiply(n, 2 * bits);
		break;
	case PIM_STEP_call:
		add_routine(t, w, &s->key, n);
		break;
	default:
		break;
	}
}

pim_bank_work pim_micro_work(const pim_target *t, const pim_micro *m)
{
	pim_bank_work w = {0};
	int64_t times = m->waves;
	for (int i = 0; i < m->n; i++) {
		if (m->step[i].code == PIM_STEP_repeat)
			times = multiply(m->waves, m->rounds);
		else if (m->step[i].code == PIM_STEP_end)
			times = m->waves;
		else
			add_step(t, m, &m->step[i], times, &w);
	}
	return w;
}

/* ---- cycles and energy ---- */

/* Refresh included. */
static int64_t stretch(const pim_target *t, double cycles)
{
	double whole = ceil(cycles * (double)t->bank.trefi / (double)(t->bank.trefi - t->bank.trfc));
	return whole < 2e18 ? (int64_t)whole : (int64_t)2e18;
}

/* The slot of a channel in which each of its banks may do one row operation: the operation itself,
 * two activations of each bank under tFAW and tRRD, and three commands of each bank on the command
 * bus of the channel. */
double pim_bank_slot_cycles(const pim_target *t)
{
	double own = (double)(t->bank.tras + t->bank.second_activation + t->bank.trp);
	double each = fmax((double)t->bank.tfaw / 4, (double)t->bank.trrd);
	double banks = t->network.size[0];
	return fmax(own, fmax(2 * each * banks, 3 * banks));
}

int64_t pim_bank_cycles(const pim_target *t, const pim_bank_work *w)
{
	return stretch(t, (double)w->operations * pim_bank_slot_cycles(t) + (double)w->column_cycles);
}

double pim_bank_pj(const pim_target *t, const pim_bank_work *w)
{
	return (double)w->activations * t->bank.activation_pj +
		   (double)w->raised * t->bank.extra_row_pj + (double)w->column_bytes * t->bank.column_pj;
}

int64_t pim_bank_memory_cycles(const pim_target *t, int64_t bytes)
{
	return stretch(t, (double)element_cycles(t, bytes));
}

/* Lanes add what two gathers bring; a last scatter. */
int64_t pim_bank_add_cycles(const pim_target *t, pim_dtype type, int64_t elements)
{
	pim_format f;
	pim_bank_work w = {0};
	if (!pim_format_of(type, &f) || !elements)
		return 0;
	int64_t waves = (elements - 1) / t->bank.columns + 1;
	add_columns(t, &w, elements < t->bank.columns ? elements : t->bank.columns, f.bits, 3 * waves);
	add_routine(t, &w, &(pim_routine_key){PIM_ROUTINE_add, f, f}, waves);
	return pim_bank_cycles(t, &w);
}

/* Elements that only move, or a kernel that lowering refuses: column accesses. */
pim_bank_work pim_bank_kernel_work(const pim_target *t, const pim_node *op, const pim_axes *x,
	const int64_t *extent, pim_bank_use use)
{
	pim_micro m = {.adds = use == PIM_BANK_adds};
	pim_micro_write(&m, t, op, x, extent);
	if (!m.by_columns && !m.refused)
		return pim_micro_work(t, &m);
	pim_bank_work w = {0};
	add_columns(
		t, &w, m.lanes, 8 * (int)pim_dtype_bytes(op->type->dtype), multiply(m.waves, m.rounds));
	return w;
}

int64_t pim_bank_kernel_cycles(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	pim_bank_work w = pim_bank_kernel_work(t, op, x, extent, PIM_BANK_writes);
	return pim_bank_cycles(t, &w);
}

double pim_bank_kernel_pj(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	pim_bank_work w = pim_bank_kernel_work(t, op, x, extent, PIM_BANK_writes);
	return pim_bank_pj(t, &w);
}
