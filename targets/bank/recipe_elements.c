/* SPDX-License-Identifier: Apache-2.0 */
/* recipe_elements.c - element-wise ops.
 *
 * Floats are worked on in their own format, but for functions, which go through f32 (function.c).
 */
#include <math.h>
#include <string.h>

#include "targets/bank/recipe.h"

void pim_recipe_copy(pim_micro *m)
{
	pim_micro_scatter(m, pim_micro_take(m, 0));
}

void pim_recipe_not(pim_micro *m)
{
	int x = pim_micro_take(m, 0);
	pim_micro_by_value(m, PIM_ROUTINE_xor, x, 1);
	pim_micro_scatter(m, x);
}

void pim_recipe_relu(pim_micro *m)
{
	int x = pim_micro_take(m, 0);
	pim_micro_by_value(m, PIM_ROUTINE_max, x, 0);
	pim_micro_scatter(m, x);
}

void pim_recipe_clip(pim_micro *m)
{
	int x = pim_micro_take(m, 0);
	double least = pim_node_float(m->op, "min"), most = pim_node_float(m->op, "max");
	if (isfinite(least))
		pim_micro_by_value(m, PIM_ROUTINE_max, x, fmax(least, pim_format_least(m->format[x])));
	if (isfinite(most))
		pim_micro_by_value(m, PIM_ROUTINE_min, x, fmin(most, pim_format_most(m->format[x])));
	pim_micro_scatter(m, x);
}

void pim_recipe_leaky_relu(pim_micro *m)
{
	int x = pim_micro_take(m, 0), zero = pim_micro_value(m, m->format[x], 0);
	int below = pim_micro_make_bit(m, PIM_ROUTINE_less, x, zero);
	int slope = pim_micro_value(m, m->format[x], pim_node_float(m->op, "alpha"));
	pim_micro_by(m, PIM_ROUTINE_mul, slope, x);
	pim_micro_call(m, PIM_ROUTINE_choose, x, below, slope, x);
	pim_micro_scatter(m, x);
}

/* x * factor + offset, held in 0..1 */
static int hard_sigmoid(pim_micro *m, int x, double factor, double offset)
{
	int y = pim_micro_make(
		m, PIM_ROUTINE_mul, m->format[x], x, pim_micro_value(m, m->format[x], factor));
	pim_micro_by_value(m, PIM_ROUTINE_add, y, offset);
	pim_micro_by_value(m, PIM_ROUTINE_max, y, 0);
	pim_micro_by_value(m, PIM_ROUTINE_min, y, 1);
	return y;
}

void pim_recipe_hard_sigmoid(pim_micro *m)
{
	int x = pim_micro_take(m, 0);
	pim_micro_scatter(
		m, hard_sigmoid(m, x, pim_node_float(m->op, "alpha"), pim_node_float(m->op, "beta")));
}

void pim_recipe_hard_swish(pim_micro *m)
{
	int x = pim_micro_take(m, 0), y = hard_sigmoid(m, x, 1.0 / 6, 0.5);
	pim_micro_by(m, PIM_ROUTINE_mul, x, y);
	pim_micro_scatter(m, x);
}

void pim_recipe_reciprocal(pim_micro *m)
{
	int x = pim_micro_take(m, 0), one = pim_micro_value(m, m->format[x], 1);
	pim_micro_by(m, PIM_ROUTINE_div, one, x);
	pim_micro_scatter(m, one);
}

/* max(x, 0) + log(1 + exp(-|x|)) */
void pim_recipe_softplus(pim_micro *m)
{
	int x = pim_micro_take_f32(m, 0), y = pim_micro_make(m, PIM_ROUTINE_abs, pim_format_f32, x, 0);
	pim_micro_call(m, PIM_ROUTINE_neg, y, y, 0, 0);
	pim_micro_exp(m, y);
	pim_micro_by_value(m, PIM_ROUTINE_add, y, 1);
	pim_micro_log(m, y);
	pim_micro_by_value(m, PIM_ROUTINE_max, x, 0);
	pim_micro_by(m, PIM_ROUTINE_add, x, y);
	pim_micro_scatter(m, x);
}

void pim_recipe_elu(pim_micro *m)
{
	int x = pim_micro_take_f32(m, 0), y = pim_micro_make(m, PIM_ROUTINE_copy, pim_format_f32, x, 0);
	int below = pim_micro_make_bit(m, PIM_ROUTINE_less, x, pim_micro_value(m, pim_format_f32, 0));
	pim_micro_exp(m, y);
	pim_micro_by_value(m, PIM_ROUTINE_sub, y, 1);
	pim_micro_by_value(m, PIM_ROUTINE_mul, y, pim_node_float(m->op, "alpha"));
	pim_micro_call(m, PIM_ROUTINE_choose, x, below, y, x);
	pim_micro_scatter(m, x);
}

void pim_recipe_silu(pim_micro *m)
{
	int x = pim_micro_take_f32(m, 0), y = pim_micro_make(m, PIM_ROUTINE_copy, pim_format_f32, x, 0);
	pim_micro_sigmoid(m, y);
	pim_micro_by(m, PIM_ROUTINE_mul, x, y);
	pim_micro_scatter(m, x);
}

/* What tanh is taken of: sqrt(2/pi) (x + 0.044715 x^3). */
static void gelu_argument(pim_micro *m, int y, int x)
{
	pim_micro_by(m, PIM_ROUTINE_mul, y, y);
	pim_micro_by_value(m, PIM_ROUTINE_mul, y, 0.044715);
	pim_micro_by_value(m, PIM_ROUTINE_add, y, 1);
	pim_micro_by(m, PIM_ROUTINE_mul, y, x);
	pim_micro_by_value(m, PIM_ROUTINE_mul, y, 0.79788456080286536);
}

void pim_recipe_gelu(pim_micro *m)
{
	bool by_tanh = !strcmp(pim_node_string(m->op, "approximate"), "tanh");
	int x = pim_micro_take_f32(m, 0), y = pim_micro_make(m, PIM_ROUTINE_copy, pim_format_f32, x, 0);
	if (by_tanh) {
		gelu_argument(m, y, x);
		pim_micro_tanh(m, y);
	} else {
		pim_micro_by_value(m, PIM_ROUTINE_mul, y, 0.70710678118654752);
		pim_micro_erf(m, y);
	}
	pim_micro_by_value(m, PIM_ROUTINE_add, y, 1);
	pim_micro_by_value(m, PIM_ROUTINE_mul, x, 0.5);
	pim_micro_by(m, PIM_ROUTINE_mul, x, y);
	pim_micro_scatter(m, x);
}

void pim_recipe_where(pim_micro *m)
{
	int s = pim_micro_take(m, 0), a = pim_micro_take(m, 1), b = pim_micro_take(m, 2);
	pim_micro_call(m, PIM_ROUTINE_choose, a, s, a, b);
	pim_micro_scatter(m, a);
}

void pim_recipe_pow(pim_micro *m)
{
	int a = pim_micro_take_f32(m, 0), b = pim_micro_take_f32(m, 1);
	pim_micro_pow(m, a, b);
	pim_micro_scatter(m, a);
}
