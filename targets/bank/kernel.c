/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.c - the shape of a kernel in lanes, and the steps of its micro-program.
 *
 * Axes that index the result are spread over lanes, the others (summed ones, windows) over rounds;
 * where softmax or a normalisation couples an axis of the result, that axis is spread over rounds
 * too. When results alone leave columns idle, rounds are shared out among groups of lanes. */
#include <assert.h>
#include <string.h>

#include "targets/bank/bank.h"

static bool couples_result(const pim_node *op)
{
	switch ((pim_op)op->op) {
#define COUPLED(op) case PIM_OP_##op:
#include "targets/bank/recipes.def"
		return true;
	default:
		return false;
	}
}

static bool goes_in_order(const pim_node *op)
{
	switch ((pim_op)op->op) {
#define IN_ORDER(op) case PIM_OP_##op:
#include "targets/bank/recipes.def"
		return true;
	default:
		return false;
	}
}

/* Turns and additions after which each of n groups has the sum of all: a factor p of n takes
 * p - 1. */
static int64_t joins_of(int64_t groups)
{
	int64_t joins = 0;
	for (int64_t p = 2; groups > 1; p++)
		for (; groups % p == 0; groups /= p)
			joins += p - 1;
	return joins;
}

/* At most `most` groups: an odd number up to 15 times a power of two, so that eight of nine could
 * be used. The fewest rounds and joins together; a round takes no less than a join. */
static int64_t choose_groups(int64_t points, int64_t most)
{
	int64_t best = 1, least = points;
	for (int64_t odd = 1; odd <= 15 && odd <= most; odd += 2) {
		int64_t groups = odd;
		while (2 * groups <= most)
			groups *= 2;
		int64_t takes = pim_divide_up(points, groups) + joins_of(groups);
		if (odd == 1 || takes < least) {
			best = groups;
			least = takes;
		}
	}
	return best;
}

static void spread(pim_micro *m, int64_t columns)
{
	m->results = m->points = m->groups = 1;
	for (int a = 0; a < m->axes->n_axes; a++) {
		bool coupled = m->axes->axis[a].kind == PIM_AXIS_coupled && couples_result(m->op);
		m->inner[a] = coupled || !pim_axes_indexes_result(m->axes, a);
		int64_t *n = m->inner[a] ? &m->points : &m->results;
		*n = pim_times(*n, m->extent[a]);
	}
	if (!m->alone && m->results > 0 && m->results <= columns) {
		int64_t most = columns / m->results;
		m->groups = choose_groups(m->points, most < m->points ? most : m->points);
	}
	m->lanes = m->results > columns ? columns : m->results * m->groups;
	m->waves = (m->results - 1) / columns + 1;
	m->rounds = (m->points - 1) / m->groups + 1;
}

int pim_micro_register(pim_micro *m, pim_format f)
{
	assert(m->n_registers < PIM_MOST_REGISTERS);
	int reg = m->n_registers++;
	m->format[reg] = f;
	m->first_row[reg] = m->rows;
	m->rows += f.bits;
	return reg;
}

static pim_step *new_step(pim_micro *m, pim_step_code code)
{
	assert(m->n < PIM_MOST_STEPS);
	pim_step *s = &m->step[m->n++];
	*s = (pim_step){.code = (uint8_t)code};
	return s;
}

void pim_micro_add(pim_micro *m, pim_step_code code, int to, int a, int64_t value)
{
	pim_step *s = new_step(m, code);
	s->to = (int16_t)to;
	s->a = (int16_t)a;
	s->value = (uint64_t)value;
	s->key.from = m->format[a];
	s->key.to = m->format[to];
}

/* Products of integers are written while their operands are read. */
static bool writes_early(const pim_micro *m, pim_routine routine, int to)
{
	return routine == PIM_ROUTINE_mul && !m->format[to].exponent;
}

void pim_micro_call(pim_micro *m, pim_routine routine, int to, int a, int b, int c)
{
	if (writes_early(m, routine, to) && (to == a || to == b)) {
		int product = pim_micro_register(m, m->format[to]);
		pim_micro_call(m, routine, product, a, b, c);
		pim_micro_call(m, PIM_ROUTINE_copy, to, product, 0, 0);
		return;
	}
	pim_step *s = new_step(m, PIM_STEP_call);
	bool choice = routine == PIM_ROUTINE_choose;
	s->to = (int16_t)to;
	s->a = (int16_t)a;
	s->b = (int16_t)b;
	s->c = (int16_t)c;
	s->key = (pim_routine_key){(uint8_t)routine, m->format[choice ? b : a], m->format[to]};
	m->refused = m->refused || !pim_routine_exists(&s->key);
}

void pim_micro_set(pim_micro *m, int to, double value)
{
	pim_step *s = new_step(m, PIM_STEP_set);
	s->to = (int16_t)to;
	s->key.to = m->format[to];
	s->value = pim_format_encode(m->format[to], value);
}

void pim_micro_gather(pim_micro *m, int to, int operand, double fill)
{
	pim_step *s = new_step(m, PIM_STEP_gather);
	s->to = (int16_t)to;
	s->operand = (int8_t)operand;
	s->key.to = m->format[to];
	s->value = pim_format_encode(m->format[to], fill);
}

void pim_micro_gather_beside(
	pim_micro *m, int to, int operand, double fill, int dim, int64_t offset)
{
	pim_micro_gather(m, to, operand, fill);
	m->step[m->n - 1].dim = (int8_t)dim;
	m->step[m->n - 1].offset = (int32_t)offset;
}

void pim_micro_join(pim_micro *m, pim_routine routine, int reg)
{
	if (m->groups == 1)
		return;
	int turned = pim_micro_register(m, m->format[reg]);
	for (int64_t way = 1, p = 2; way < m->groups; p++)
		for (; m->groups / way % p == 0 && way < m->groups; way *= p)
			for (int64_t i = 1; i < p; i++) {
				pim_micro_add(m, PIM_STEP_turn, turned, i == 1 ? reg : turned, way * m->results);
				pim_micro_call(m, routine, reg, reg, turned, 0);
			}
}

bool pim_bank_only_moves(const pim_node *op)
{
	return op->op == PIM_OP_gather || op->op == PIM_OP_gather_elements ||
		   op->op == PIM_OP_gather_nd || op->op == PIM_OP_pad ||
		   (op->op != PIM_OP_relayout && (pim_op_at(op->op)->flags & PIM_OPF_move));
}

/* Rows that the routines of a micro-program need beside registers. */
static int find_scratch(const pim_micro *m, const pim_bank_costs *c)
{
	int most = PIM_ROW_first;
	for (int i = 0; i < m->n; i++) {
		bool calls = m->step[i].code == PIM_STEP_call && pim_routine_exists(&m->step[i].key);
		int rows = calls ? pim_bank_cost_of(c, &m->step[i].key).scratch : 0;
		most = rows > most ? rows : most;
	}
	return most;
}

void pim_micro_write(
	pim_micro *m, const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	m->op = op;
	m->axes = x;
	m->extent = extent;
	m->n = m->n_registers = m->n_constants = m->rows = 0;
	m->refused = false;
	m->couples = couples_result(op);
	m->alone = goes_in_order(op);
	m->backwards = false;
	m->by_columns = pim_bank_only_moves(op);
	spread(m, t->bank.columns);
	if (!m->by_columns)
		pim_micro_recipe(m);
	m->scratch = find_scratch(m, t->bank.costs);
	m->refused = m->refused || m->scratch + m->rows > t->bank.compute_rows;
}

const char *pim_bank_refusal(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	pim_micro m = {.adds = false};
	pim_format f;
	pim_micro_write(&m, t, op, x, extent);
	if (m.by_columns || !m.refused)
		return NULL;
	for (uint32_t i = 0; i < op->n_in; i++)
		if (op->in[i] && !pim_format_of(op->in[i]->type->dtype, &f))
			return "it has no lanes for f64 and for elements of fewer than 8 bits";
	if (m.scratch + m.rows > t->bank.compute_rows)
		return "its registers need more compute rows than the banks have";
	return "there are no row operations for this op on these element types";
}
