/* SPDX-License-Identifier: Apache-2.0 */
/* cost.c - cycles and energy of what a bank does.
 *
 * A row operation of a routine takes a slot of its bank (timing.c). Gathering n bits reads the
 * elements and writes n rows of the lanes, column access by column access; scattering the other way
 * round; turning reads and writes n rows; what is known of lanes is written. Loads, stores and
 * copies within the bank are row copies of packed rows. */
#include <stdlib.h>

#include "targets/bank/bank.h"

/* ---- routines ---- */

/* The formats that recipes use: those of element types, one bit, and of integer products. */
static const pim_format formats[] = {{1, 0, false}, {64, 0, true}, {64, 0, false}, {8, 0, true},
	{16, 0, true}, {32, 0, true}, {8, 0, false}, {16, 0, false}, {32, 0, false}, {9, 0, true},
	{17, 0, true}, {18, 0, true}, {16, 5, true}, {16, 8, true}, {32, 8, true}};
enum { FORMATS = sizeof formats / sizeof formats[0] };

struct pim_bank_costs {
	pim_routine_cost of[PIM_ROUTINE_COUNT][FORMATS][FORMATS]; /* operations 0: not made */
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
	pim_routine_cost c = {r.n, r.activations, r.extra, r.highest};
	free(r.op);
	return c;
}

static void add_cost(pim_bank_costs *c, int routine, int from, int to)
{
	pim_routine_key key = {(uint8_t)routine, formats[from], formats[to]};
	c->of[routine][from][to] = measure(&key);
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

static int64_t element_activations(const pim_target *t, pim_access access, int64_t bytes)
{
	int64_t row = t->bank.columns / 8, rest = bytes % row;
	return pim_access_activations(t, access, bytes / row, row) +
		   (rest ? pim_access_activations(t, access, 1, rest) : 0);
}

int64_t pim_column_slots(const pim_target *t, const pim_column_step *c)
{
	return pim_access_slots(t, PIM_ACCESS_read, c->rows_read, c->row_bytes) +
		   pim_access_slots(t, PIM_ACCESS_write, c->rows_written, c->row_bytes) +
		   pim_element_slots(t, PIM_ACCESS_read, c->read) +
		   pim_element_slots(t, PIM_ACCESS_write, c->written);
}

static void add_times(int64_t *sum, int64_t n, int64_t each)
{
	*sum = pim_plus(*sum, pim_times(n, each));
}

/* A step of the column path: rows of lanes and packed elements, each read or written. */
static void add_columns(const pim_target *t, pim_bank_work *w, const pim_column_step *c, int64_t n)
{
	int64_t rows = c->rows_read + c->rows_written;
	add_times(&w->column_slots, n, pim_column_slots(t, c));
	add_times(&w->column_bytes, n, rows * c->row_bytes + c->read + c->written);
	int64_t activations = pim_times(
		n, pim_access_activations(t, PIM_ACCESS_read, c->rows_read, c->row_bytes) +
			   pim_access_activations(t, PIM_ACCESS_write, c->rows_written, c->row_bytes) +
			   element_activations(t, PIM_ACCESS_read, c->read) +
			   element_activations(t, PIM_ACCESS_write, c->written));
	add_times(&w->activations, 1, activations);
	add_times(&w->commands, 2, activations);
}

pim_column_step pim_step_columns(const pim_micro *m, const pim_step *s)
{
	int64_t bits = s->code == PIM_STEP_scatter ? s->key.from.bits : s->key.to.bits;
	int64_t elements = pim_divide_up(pim_times(m->lanes, bits), 8);
	pim_column_step c = {.row_bytes = pim_divide_up(m->lanes, 8)};
	if (s->code == PIM_STEP_scatter || s->code == PIM_STEP_turn)
		c.rows_read = bits;
	if (s->code != PIM_STEP_scatter)
		c.rows_written = bits;
	if (s->code == PIM_STEP_gather)
		c.read = elements;
	if (s->code == PIM_STEP_scatter)
		c.written = elements;
	return c;
}

static void add_routine(const pim_target *t, pim_bank_work *w, const pim_routine_key *k, int64_t n)
{
	pim_routine_cost c = pim_bank_cost_of(t->bank.costs, k);
	add_times(&w->operations, n, c.operations);
	add_times(&w->activations, n, c.activations);
	add_times(&w->raised, n, c.raised);
	add_times(&w->commands, n, c.activations + c.operations);
}

static void add_step(
	const pim_target *t, const pim_micro *m, const pim_step *s, int64_t n, pim_bank_work *w)
{
	int bits = s->key.to.bits;
	pim_column_step c;
	switch ((pim_step_code)s->code) {
	case PIM_STEP_gather:
	case PIM_STEP_scatter:
	case PIM_STEP_known:
	case PIM_STEP_turn:
		c = pim_step_columns(m, s);
		add_columns(t, w, &c, n);
		break;
	case PIM_STEP_set:
		add_times(&w->operations, n, bits);
		add_times(&w->activations, n, 2 * bits);
		add_times(&w->commands, n, 3 * bits);
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
			times = pim_times(m->waves, m->rounds);
		else if (m->step[i].code == PIM_STEP_end)
			times = m->waves;
		else
			add_step(t, m, &m->step[i], times, &w);
	}
	return w;
}

/* ---- cycles and energy ---- */

int64_t pim_bank_slots(const pim_bank_work *w)
{
	return pim_plus(w->operations, w->column_slots);
}

int64_t pim_bank_cycles(const pim_target *t, const pim_bank_work *w)
{
	return pim_slots_cycles(t->bank.grid, pim_bank_slots(w));
}

double pim_bank_pj(const pim_target *t, const pim_bank_work *w)
{
	return (double)w->activations * t->bank.activation_pj +
		   (double)w->raised * t->bank.extra_row_pj + (double)w->column_bytes * t->bank.column_pj;
}

/* Read, written or copied, whichever takes longer. */
int64_t pim_bank_memory_slots(const pim_target *t, int64_t bytes)
{
	int64_t in = pim_element_slots(t, PIM_ACCESS_read, bytes);
	int64_t out = pim_element_slots(t, PIM_ACCESS_write, bytes);
	int64_t rows = pim_divide_up(bytes, t->bank.columns / 8);
	return in > out ? (in > rows ? in : rows) : out > rows ? out : rows;
}

int64_t pim_bank_memory_cycles(const pim_target *t, int64_t bytes)
{
	return pim_slots_cycles(t->bank.grid, pim_bank_memory_slots(t, bytes));
}

/* Lanes add what two gathers bring; a last scatter. */
int64_t pim_bank_add_cycles(const pim_target *t, pim_dtype type, int64_t elements)
{
	pim_format f;
	pim_bank_work w = {0};
	if (!pim_format_of(type, &f) || !elements)
		return 0;
	int64_t waves = (elements - 1) / t->bank.columns + 1;
	int64_t lanes = elements < t->bank.columns ? elements : t->bank.columns, row = (lanes + 7) / 8;
	add_columns(t, &w, &(pim_column_step){row, 0, f.bits, row * f.bits, 0}, 2 * waves);
	add_columns(t, &w, &(pim_column_step){row, f.bits, 0, 0, row * f.bits}, waves);
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
	int64_t bytes = pim_times(m.lanes, (int64_t)pim_dtype_bytes(op->type->dtype));
	add_columns(
		t, &w, &(pim_column_step){.read = bytes, .written = bytes}, pim_times(m.waves, m.rounds));
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
