/* SPDX-License-Identifier: Apache-2.0 */
/* recipe_numbers.c - rounding, casts and quantised numbers. */
#include <math.h>

#include "targets/bank/recipe.h"

/* The integer next to x, halves to even: |x| + 2^fraction has no other bits; larger ones are
 * integers. */
static int round_lanes(pim_micro *m, int x)
{
	pim_format f = m->format[x];
	double limit = f.exponent ? ldexp(1, pim_format_fraction(f)) : 0;
	int size = pim_micro_make(m, PIM_ROUTINE_abs, f, x, 0), far = pim_micro_value(m, f, limit);
	int near = pim_micro_make_bit(m, PIM_ROUTINE_less, size, far),
		y = pim_micro_make(m, PIM_ROUTINE_add, f, size, far);
	pim_micro_by(m, PIM_ROUTINE_sub, y, far);
	pim_micro_set(m, far, 0);
	int below = pim_micro_make_bit(m, PIM_ROUTINE_less, x, far);
	pim_micro_call(m, PIM_ROUTINE_neg, far, y, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_choose, y, below, far, y);
	pim_micro_call(m, PIM_ROUTINE_choose, y, near, y, x);
	m->refused = m->refused || !f.exponent;
	return y;
}

void pim_recipe_round(pim_micro *m)
{
	pim_micro_scatter(m, round_lanes(m, pim_micro_take(m, 0)));
}

/* y, or y + step where y lies on the wrong side of x. */
static int step_if(pim_micro *m, int x, int y, double step)
{
	int wrong = pim_micro_make_bit(m, PIM_ROUTINE_less, step < 0 ? x : y, step < 0 ? y : x);
	int other =
		pim_micro_make(m, PIM_ROUTINE_add, m->format[x], y, pim_micro_value(m, m->format[x], step));
	pim_micro_call(m, PIM_ROUTINE_choose, y, wrong, other, y);
	return y;
}

void pim_recipe_floor(pim_micro *m)
{
	int x = pim_micro_take(m, 0);
	pim_micro_scatter(m, step_if(m, x, round_lanes(m, x), -1));
}

void pim_recipe_ceil(pim_micro *m)
{
	int x = pim_micro_take(m, 0);
	pim_micro_scatter(m, step_if(m, x, round_lanes(m, x), 1));
}

void pim_recipe_sign(pim_micro *m)
{
	int x = pim_micro_take(m, 0), zero = pim_micro_value(m, m->format[x], 0);
	int below = pim_micro_make_bit(m, PIM_ROUTINE_less, x, zero);
	int above = pim_micro_make_bit(m, PIM_ROUTINE_less, zero, x);
	int one = pim_micro_value(m, m->format[x], 1);
	pim_micro_call(m, PIM_ROUTINE_choose, x, above, one, x);
	pim_micro_call(m, PIM_ROUTINE_neg, one, one, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_choose, x, below, one, x);
	pim_micro_scatter(m, x);
}

static void scatter_unlike_zero(pim_micro *m, int x)
{
	int zero = pim_micro_value(m, m->format[x], 0),
		same = pim_micro_make_bit(m, PIM_ROUTINE_equal, x, zero);
	pim_micro_call(m, PIM_ROUTINE_not, same, same, 0, 0);
	pim_micro_scatter(m, same);
}

void pim_recipe_cast(pim_micro *m)
{
	int x = pim_micro_take(m, 0);
	if (m->op->type->dtype == PIM_DTYPE_bool)
		scatter_unlike_zero(m, x);
	else
		pim_micro_scatter(m, x);
}

void pim_recipe_dequantize(pim_micro *m)
{
	int x = pim_micro_take(m, 0), scale = pim_micro_take(m, 1);
	pim_format f = m->format[scale];
	x = pim_micro_convert(m, x, f);
	if (pim_micro_has(m, 2))
		pim_micro_by(m, PIM_ROUTINE_sub, x, pim_micro_convert(m, pim_micro_take(m, 2), f));
	pim_micro_by(m, PIM_ROUTINE_mul, x, scale);
	pim_micro_scatter(m, x);
}

/* Rounding by adding 1.5 * 2^fraction: the sum's low bits are the integer. */
void pim_recipe_quantize(pim_micro *m)
{
	int x = pim_micro_take(m, 0), scale = pim_micro_take(m, 1);
	pim_format f = m->format[x], to = pim_micro_format(m, m->op->type);
	double magic = ldexp(1.5, pim_format_fraction(f)), far = ldexp(1, to.bits + 1) - 1;
	if (!f.exponent || to.bits + 2 > pim_format_fraction(f)) {
		m->refused = true;
		return;
	}
	pim_micro_by(m, PIM_ROUTINE_div, x, scale);
	pim_micro_by_value(m, PIM_ROUTINE_max, x, -far);
	pim_micro_by_value(m, PIM_ROUTINE_min, x, far);
	pim_micro_by_value(m, PIM_ROUTINE_add, x, magic);
	pim_micro_by_value(m, PIM_ROUTINE_sub, x, magic);
	if (pim_micro_has(m, 2))
		pim_micro_by(m, PIM_ROUTINE_add, x, pim_micro_convert(m, pim_micro_take(m, 2), f));
	pim_micro_by_value(m, PIM_ROUTINE_max, x, pim_format_least(to));
	pim_micro_by_value(m, PIM_ROUTINE_min, x, pim_format_most(to));
	pim_micro_by_value(m, PIM_ROUTINE_add, x, magic);
	pim_micro_scatter(m, pim_micro_make(m, PIM_ROUTINE_low_bits, to, x, 0));
}
