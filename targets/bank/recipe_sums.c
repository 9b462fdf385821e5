/* SPDX-License-Identifier: Apache-2.0 */
/* recipe_sums.c - products, reductions and windows.
 *
 * A product gathers its two operands for each round, multiplies and adds; reductions and windows
 * likewise with one operand; what groups have is joined by turns. */
#include "targets/bank/recipe.h"

void pim_recipe_product(pim_micro *m)
{
	int a = pim_micro_operand(m, 0), b = pim_micro_operand(m, 1);
	pim_format f = m->format[a];
	int sum = pim_micro_value(m, f, 0), product = pim_micro_register(m, f);
	pim_micro_start(m);
	pim_micro_gather(m, a, 0, 0);
	pim_micro_gather(m, b, 1, 0);
	pim_micro_call(m, PIM_ROUTINE_mul, product, a, b, 0);
	pim_micro_by(m, PIM_ROUTINE_add, sum, product);
	pim_micro_end(m);
	pim_micro_join(m, PIM_ROUTINE_add, sum);
	if (pim_micro_has(m, 2))
		pim_micro_by(m, PIM_ROUTINE_add, sum, pim_micro_take(m, 2));
	pim_micro_scatter(m, sum);
}

static bool holds(pim_format f, double value)
{
	return value >= pim_format_least(f) && value <= pim_format_most(f);
}

/* An element less its zero point, with one bit more; with all that an i32 has when the zero point
 * is none of the element's values. */
static void gather_centred(pim_micro *m, int to, int raw, int operand, double zero)
{
	pim_format f = m->format[to].bits == 32 ? m->format[to] : m->format[raw];
	pim_micro_gather(m, raw, operand, zero);
	raw = pim_micro_convert(m, raw, f);
	int by_zero = pim_micro_value(m, f, zero);
	pim_micro_call(m, PIM_ROUTINE_sub, to, raw, by_zero, 0);
}

void pim_recipe_integer_product(pim_micro *m)
{
	bool conv = m->op->op == PIM_OP_conv_integer;
	double zero_a = (double)pim_node_int(m->op, conv ? "x_zero" : "a_zero");
	double zero_b = (double)pim_node_int(m->op, conv ? "w_zero" : "b_zero");
	int raw_a = pim_micro_operand(m, 0), raw_b = pim_micro_operand(m, 1);
	bool small = m->format[raw_a].bits == 8 && m->format[raw_b].bits == 8;
	bool far = !holds(m->format[raw_a], zero_a) || !holds(m->format[raw_b], zero_b);
	m->refused = m->refused || (far && conv); /* padding is the zero point */
	pim_format centred = {far ? 32 : small ? 9 : 17, 0, true};
	pim_format wide = {small && !far ? 18 : 32, 0, true};
	int a = pim_micro_register(m, centred), b = pim_micro_register(m, centred);
	int product = pim_micro_register(m, wide),
		sum = pim_micro_value(m, pim_micro_format(m, m->op->type), 0);
	pim_micro_start(m);
	gather_centred(m, a, raw_a, 0, zero_a);
	gather_centred(m, b, raw_b, 1, zero_b);
	pim_micro_call(m, PIM_ROUTINE_mul, product, a, b, 0);
	pim_micro_by(m, PIM_ROUTINE_add, sum, pim_micro_convert(m, product, m->format[sum]));
	pim_micro_end(m);
	pim_micro_join(m, PIM_ROUTINE_add, sum);
	pim_micro_scatter(m, sum);
}

/* Of input x, in format f. */
static int reduce_in(pim_micro *m, int x, pim_format f, pim_routine routine, double neutral)
{
	int sum = pim_micro_value(m, f, neutral);
	pim_micro_start(m);
	pim_micro_gather(m, x, 0, neutral);
	pim_micro_by(m, routine, sum, pim_micro_convert(m, x, f));
	pim_micro_end(m);
	pim_micro_join(m, routine, sum);
	return sum;
}

static int reduce(pim_micro *m, pim_routine routine, double neutral)
{
	int x = pim_micro_operand(m, 0);
	return reduce_in(m, x, m->format[x], routine, neutral);
}

/* The sum of all points; of integers in 16, 32 or 64 bits where it or their number needs them. */
static int add_all(pim_micro *m)
{
	int x = pim_micro_operand(m, 0);
	pim_format f = m->format[x];
	while (!f.exponent && f.bits < 64 && m->points >> (f.bits - m->format[x].bits))
		f.bits *= 2;
	return reduce_in(m, x, f, PIM_ROUTINE_add, 0);
}

static void scatter_as_result(pim_micro *m, int reg)
{
	pim_micro_scatter(m, pim_micro_convert(m, reg, pim_micro_format(m, m->op->type)));
}

void pim_recipe_sum(pim_micro *m)
{
	pim_micro_scatter(m, reduce(m, PIM_ROUTINE_add, 0));
}

void pim_recipe_mean(pim_micro *m)
{
	int sum = add_all(m);
	pim_micro_by_value(m, PIM_ROUTINE_div, sum, (double)m->points);
	scatter_as_result(m, sum);
}

void pim_recipe_product_of_all(pim_micro *m)
{
	pim_micro_scatter(m, reduce(m, PIM_ROUTINE_mul, 1));
}

void pim_recipe_largest(pim_micro *m)
{
	pim_micro_scatter(
		m, reduce(m, PIM_ROUTINE_max, pim_format_least(pim_micro_format(m, m->op->type))));
}

void pim_recipe_smallest(pim_micro *m)
{
	pim_micro_scatter(
		m, reduce(m, PIM_ROUTINE_min, pim_format_most(pim_micro_format(m, m->op->type))));
}

void pim_recipe_average(pim_micro *m)
{
	int sum = add_all(m), count = pim_micro_register(m, m->format[sum]);
	pim_micro_add(m, PIM_STEP_known, count, count, PIM_KNOWN_count);
	pim_micro_by(m, PIM_ROUTINE_div, sum, count);
	scatter_as_result(m, sum);
}

/* ---- in order ---- */

static void scan(pim_micro *m, pim_routine routine, double neutral)
{
	int x = pim_micro_operand(m, 0), sum = pim_micro_value(m, m->format[x], neutral);
	bool exclusive = pim_node_int(m->op, "exclusive") != 0;
	m->backwards = pim_node_int(m->op, "reverse") != 0;
	pim_micro_start(m);
	pim_micro_gather(m, x, 0, neutral);
	if (exclusive)
		pim_micro_scatter(m, sum);
	pim_micro_by(m, routine, sum, x);
	if (!exclusive)
		pim_micro_scatter(m, sum);
	pim_micro_end(m);
}

void pim_recipe_cumsum(pim_micro *m)
{
	scan(m, PIM_ROUTINE_add, 0);
}

void pim_recipe_cumprod(pim_micro *m)
{
	scan(m, PIM_ROUTINE_mul, 1);
}

/* a before b, in one bit: a < b (after: a > b), or only a is NaN. */
static int is_before(pim_micro *m, int a, int b, bool after)
{
	int first = pim_micro_make_bit(m, PIM_ROUTINE_less, after ? b : a, after ? a : b);
	if (!m->format[a].exponent)
		return first;
	int number = pim_micro_make_bit(m, PIM_ROUTINE_equal, a, a);
	int other = pim_micro_make_bit(m, PIM_ROUTINE_equal, b, b);
	pim_micro_call(m, PIM_ROUTINE_not, number, number, 0, 0);
	pim_micro_by(m, PIM_ROUTINE_and, number, other);
	pim_micro_by(m, PIM_ROUTINE_or, first, number);
	return first;
}

/* Where the most extreme element is: after each round the one so far and its number. Of NaN it is
 * only said that they are most, or least, of all. */
static void find_extreme(pim_micro *m, bool largest)
{
	static const pim_format index = {64, 0, true};
	pim_format f = pim_micro_format(m, m->op->in[0]->type);
	double start = largest ? pim_format_least(f) : pim_format_most(f);
	int x = pim_micro_operand(m, 0), best = pim_micro_value(m, f, start);
	int at = pim_micro_register(m, index), where = pim_micro_value(m, index, 0);
	pim_micro_start(m);
	pim_micro_gather(m, x, 0, start);
	pim_micro_add(m, PIM_STEP_known, at, at, PIM_KNOWN_point);
	bool last = pim_node_int(m->op, "select_last") != 0;
	int takes = last ? is_before(m, best, x, largest) : is_before(m, x, best, largest);
	if (last)
		pim_micro_call(m, PIM_ROUTINE_not, takes, takes, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_choose, best, takes, x, best);
	pim_micro_call(m, PIM_ROUTINE_choose, where, takes, at, where);
	pim_micro_end(m);
	pim_micro_scatter(m, where);
}

void pim_recipe_arg_max(pim_micro *m)
{
	find_extreme(m, true);
}

void pim_recipe_arg_min(pim_micro *m)
{
	find_extreme(m, false);
}
