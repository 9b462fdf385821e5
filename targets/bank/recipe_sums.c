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

/* An element less its zero point, with one bit more. */
static void gather_centred(pim_micro *m, int to, int raw, int operand, double zero)
{
	pim_micro_gather(m, raw, operand, zero);
	int by_zero = pim_micro_value(m, m->format[raw], zero);
	pim_micro_call(m, PIM_ROUTINE_sub, to, raw, by_zero, 0);
}

void pim_recipe_integer_product(pim_micro *m)
{
	bool conv = m->op->op == PIM_OP_conv_integer;
	double zero_a = (double)pim_node_int(m->op, conv ? "x_zero" : "a_zero");
	double zero_b = (double)pim_node_int(m->op, conv ? "w_zero" : "b_zero");
	int raw_a = pim_micro_operand(m, 0), raw_b = pim_micro_operand(m, 1);
	bool small = m->format[raw_a].bits == 8 && m->format[raw_b].bits == 8;
	pim_format centred = {small ? 9 : 17, 0, true}, wide = {small ? 18 : 32, 0, true};
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

static int reduce(pim_micro *m, pim_routine routine, double neutral)
{
	int x = pim_micro_operand(m, 0), sum = pim_micro_value(m, m->format[x], neutral);
	pim_micro_start(m);
	pim_micro_gather(m, x, 0, neutral);
	pim_micro_by(m, routine, sum, x);
	pim_micro_end(m);
	pim_micro_join(m, routine, sum);
	return sum;
}

void pim_recipe_sum(pim_micro *m)
{
	pim_micro_scatter(m, reduce(m, PIM_ROUTINE_add, 0));
}

void pim_recipe_mean(pim_micro *m)
{
	int sum = reduce(m, PIM_ROUTINE_add, 0);
	pim_micro_by_value(m, PIM_ROUTINE_div, sum, (double)m->points);
	pim_micro_scatter(m, sum);
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
	int sum = reduce(m, PIM_ROUTINE_add, 0), count = pim_micro_register(m, m->format[sum]);
	pim_micro_add(m, PIM_STEP_known, count, count, PIM_KNOWN_count);
	pim_micro_by(m, PIM_ROUTINE_div, sum, count);
	pim_micro_scatter(m, sum);
}
