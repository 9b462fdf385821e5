/* SPDX-License-Identifier: Apache-2.0 */
/* recipe_norm.c - softmax and the normalisations.
 *
 * In f32; the result is gathered again where it holds what is between. */
#include <math.h>

#include "targets/bank/recipe.h"

/* The element of the round, in f32; padding of a ragged last round is `fill`. */
static int gather_wide(pim_micro *m, int raw, int operand, double fill)
{
	pim_micro_gather(m, raw, operand, fill);
	return pim_micro_convert(m, raw, pim_format_f32);
}

/* x = exp(element - most), added to sum. */
static void add_exponential(pim_micro *m, int raw, int x, int most, int sum)
{
	int wide = gather_wide(m, raw, 0, -(double)INFINITY);
	pim_micro_call(m, PIM_ROUTINE_sub, x, wide, most, 0);
	pim_micro_exp(m, x);
	pim_micro_by(m, PIM_ROUTINE_add, sum, x);
}

static int find_most(pim_micro *m, int raw)
{
	int most = pim_micro_value(m, pim_format_f32, -(double)INFINITY);
	pim_micro_start(m);
	pim_micro_by(m, PIM_ROUTINE_max, most, gather_wide(m, raw, 0, -(double)INFINITY));
	pim_micro_end(m);
	pim_micro_join(m, PIM_ROUTINE_max, most);
	return most;
}

void pim_recipe_softmax(pim_micro *m)
{
	int raw = pim_micro_operand(m, 0), most = find_most(m, raw);
	int sum = pim_micro_value(m, pim_format_f32, 0), x = pim_micro_register(m, pim_format_f32);
	pim_micro_start(m);
	add_exponential(m, raw, x, most, sum);
	pim_micro_scatter(m, x);
	pim_micro_end(m);
	pim_micro_join(m, PIM_ROUTINE_add, sum);
	pim_micro_start(m);
	x = gather_wide(m, raw, (int)m->op->n_in, 0);
	pim_micro_scatter(m, pim_micro_make(m, PIM_ROUTINE_div, pim_format_f32, x, sum));
	pim_micro_end(m);
}

void pim_recipe_log_softmax(pim_micro *m)
{
	int raw = pim_micro_operand(m, 0), most = find_most(m, raw);
	int sum = pim_micro_value(m, pim_format_f32, 0), x = pim_micro_register(m, pim_format_f32);
	pim_micro_start(m);
	add_exponential(m, raw, x, most, sum);
	pim_micro_end(m);
	pim_micro_join(m, PIM_ROUTINE_add, sum);
	pim_micro_log(m, sum);
	pim_micro_start(m);
	pim_micro_call(m, PIM_ROUTINE_sub, x, gather_wide(m, raw, 0, 0), most, 0);
	pim_micro_by(m, PIM_ROUTINE_sub, x, sum);
	pim_micro_scatter(m, x);
	pim_micro_end(m);
}

/* The difference to the mean; none where there is no element. */
static int gather_difference(pim_micro *m, int raw, int mean)
{
	return pim_micro_make(m, PIM_ROUTINE_sub, pim_format_f32, gather_wide(m, raw, 0, 0), mean);
}

/* Lanes of a ragged last round have no element: they add no square. */
static void mask_square(pim_micro *m, int square)
{
	int here = pim_micro_register(m, pim_format_f32);
	pim_micro_add(m, PIM_STEP_known, here, here, PIM_KNOWN_here);
	pim_micro_by(m, PIM_ROUTINE_mul, square, here);
}

void pim_recipe_layer_norm(pim_micro *m)
{
	int raw = pim_micro_operand(m, 0), mean = pim_micro_value(m, pim_format_f32, 0),
		square = pim_micro_value(m, pim_format_f32, 0);
	pim_micro_start(m);
	pim_micro_by(m, PIM_ROUTINE_add, mean, gather_wide(m, raw, 0, 0));
	pim_micro_end(m);
	pim_micro_join(m, PIM_ROUTINE_add, mean);
	pim_micro_by_value(m, PIM_ROUTINE_div, mean, (double)m->points);
	pim_micro_start(m);
	int x = gather_difference(m, raw, mean);
	pim_micro_by(m, PIM_ROUTINE_mul, x, x);
	if (m->points % m->groups)
		mask_square(m, x);
	pim_micro_by(m, PIM_ROUTINE_add, square, x);
	pim_micro_end(m);
	pim_micro_join(m, PIM_ROUTINE_add, square);
	pim_micro_by_value(m, PIM_ROUTINE_div, square, (double)m->points);
	pim_micro_by_value(m, PIM_ROUTINE_add, square, pim_node_float(m->op, "epsilon"));
	pim_micro_call(m, PIM_ROUTINE_sqrt, square, square, 0, 0);
	pim_micro_start(m);
	int y = gather_difference(m, raw, mean), other = pim_micro_operand(m, 1);
	pim_micro_by(m, PIM_ROUTINE_div, y, square);
	pim_micro_by(m, PIM_ROUTINE_mul, y, gather_wide(m, other, 1, 0));
	if (pim_micro_has(m, 2))
		pim_micro_by(m, PIM_ROUTINE_add, y, gather_wide(m, other, 2, 0));
	pim_micro_scatter(m, y);
	pim_micro_end(m);
}

void pim_recipe_batch_norm(pim_micro *m)
{
	int x = pim_micro_convert(m, pim_micro_take(m, 0), pim_format_f32),
		mean = pim_micro_convert(m, pim_micro_take(m, 3), pim_format_f32);
	pim_micro_by(m, PIM_ROUTINE_sub, x, mean);
	int spread = pim_micro_convert(m, pim_micro_take(m, 4), pim_format_f32);
	pim_micro_by_value(m, PIM_ROUTINE_add, spread, pim_node_float(m->op, "epsilon"));
	pim_micro_call(m, PIM_ROUTINE_sqrt, spread, spread, 0, 0);
	pim_micro_by(m, PIM_ROUTINE_div, x, spread);
	pim_micro_by(m, PIM_ROUTINE_mul, x, pim_micro_convert(m, pim_micro_take(m, 1), pim_format_f32));
	pim_micro_by(m, PIM_ROUTINE_add, x, pim_micro_convert(m, pim_micro_take(m, 2), pim_format_f32));
	pim_micro_scatter(m, x);
}

/* reg to the power of a number: roots where they do, else by its logarithm. */
static void raise_to(pim_micro *m, int reg, double exponent)
{
	if (exponent == 0.5 || exponent == 0.75)
		pim_micro_call(m, PIM_ROUTINE_sqrt, reg, reg, 0, 0);
	if (exponent == 0.75) {
		int root = pim_micro_make(m, PIM_ROUTINE_sqrt, pim_format_f32, reg, 0);
		pim_micro_by(m, PIM_ROUTINE_mul, reg, root);
	} else if (exponent != 0.5 && exponent != 1) {
		pim_micro_pow(m, reg, pim_micro_value(m, pim_format_f32, exponent));
	}
}

/* Neighbouring channels one by one, of which each takes two registers of 32 rows: more than these
 * do not fit a thousand compute rows. */
enum { MOST_NEIGHBOURS = 16 };

void pim_recipe_lrn(pim_micro *m)
{
	int64_t size = pim_node_int(m->op, "size");
	int raw = pim_micro_operand(m, 0), sum = pim_micro_value(m, pim_format_f32, 0);
	if (size > MOST_NEIGHBOURS) {
		m->refused = true;
		return;
	}
	for (int64_t k = 0; k < size; k++) {
		pim_micro_gather_beside(m, raw, 0, 0, 1, k - (size - 1) / 2);
		int x = pim_micro_convert(m, raw, pim_format_f32);
		pim_micro_by(
			m, PIM_ROUTINE_add, sum, pim_micro_make(m, PIM_ROUTINE_mul, pim_format_f32, x, x));
	}
	pim_micro_by_value(m, PIM_ROUTINE_mul, sum, pim_node_float(m->op, "alpha") / (double)size);
	pim_micro_by_value(m, PIM_ROUTINE_add, sum, pim_node_float(m->op, "bias"));
	raise_to(m, sum, pim_node_float(m->op, "beta"));
	int x = gather_wide(m, raw, 0, 0);
	pim_micro_scatter(m, pim_micro_make(m, PIM_ROUTINE_div, pim_format_f32, x, sum));
}
