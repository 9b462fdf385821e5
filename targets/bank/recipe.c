/* SPDX-License-Identifier: Apache-2.0 */
/* recipe.c - the table of recipes, and those that are one routine or function.
 *
 * An op without a recipe is refused by the lowering. */
#include "targets/bank/recipe.h"

static void write_one(pim_micro *m, pim_routine routine)
{
	int x = pim_micro_take(m, 0);
	pim_micro_scatter(m, pim_micro_make(m, routine, m->format[x], x, 0));
}

static void write_two(pim_micro *m, pim_routine routine)
{
	int a = pim_micro_take(m, 0), b = pim_micro_take(m, 1);
	pim_micro_scatter(m, pim_micro_make(m, routine, m->format[a], a, b));
}

static void write_function(pim_micro *m, void (*function)(pim_micro *, int))
{
	int x = pim_micro_take_f32(m, 0);
	function(m, x);
	pim_micro_scatter(m, x);
}

typedef enum comparison { LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL } comparison;

static void write_comparison(pim_micro *m, comparison c)
{
	int a = pim_micro_take(m, 0), b = pim_micro_take(m, 1);
	bool swap = c == GREATER || c == GREATER_EQUAL;
	int holds = c == EQUAL ? pim_micro_make_bit(m, PIM_ROUTINE_equal, a, b)
						   : pim_micro_make_bit(m, PIM_ROUTINE_less, swap ? b : a, swap ? a : b);
	if (c == LESS_EQUAL || c == GREATER_EQUAL)
		pim_micro_by(m, PIM_ROUTINE_or, holds, pim_micro_make_bit(m, PIM_ROUTINE_equal, a, b));
	pim_micro_scatter(m, holds);
}

#define DEFINE(name, write, with)                                                                  \
	void pim_recipe_##name(pim_micro *m)                                                           \
	{                                                                                              \
		write(m, with);                                                                            \
	}
#define ONE(name, routine) DEFINE(name, write_one, PIM_ROUTINE_##routine)
#define TWO(name, routine) DEFINE(name, write_two, PIM_ROUTINE_##routine)
#define COMPARE(name, which) DEFINE(name, write_comparison, which)
#define FUNCTION(name, function) DEFINE(name, write_function, pim_micro_##function)
#include "targets/bank/recipes.def"

void pim_micro_recipe(pim_micro *m)
{
	switch ((int)m->op->op) {
#define RECIPE(name, how)                                                                          \
	case PIM_OP_##name:                                                                            \
		pim_recipe_##how(m);                                                                       \
		break;
#include "targets/bank/recipes.def"
	default:
		m->refused = true;
	}
}
