/* SPDX-License-Identifier: Apache-2.0 */
/* targets/bank/recipe.h - how the micro-program of an op is written.
 *
 * A recipe adds steps to a micro-program; registers are numbers. recipes.def says which op has
 * which. Recipes stand in recipe_sums.c, recipe_norm.c, recipe_elements.c, recipe_numbers.c and,
 * where one routine or function is all, in recipe.c. */
#ifndef PIM_TARGETS_BANK_RECIPE_H
#define PIM_TARGETS_BANK_RECIPE_H

#include "targets/bank/bank.h"

extern const pim_format pim_format_f32, pim_format_bit;

/* ---- recipe_steps.c: steps with registers of their own ---- */

/* The format of an element type; a type that has no lanes refuses the op. */
pim_format pim_micro_format(pim_micro *m, const pim_type *t);
bool pim_micro_has(const pim_micro *m, uint32_t i); /* is there an i-th operand? */
int pim_micro_operand(pim_micro *m, int i);			/* a register for elements of operand i */
int pim_micro_take(pim_micro *m, int i);			/* with them in it */
int pim_micro_take_f32(pim_micro *m, int i);		/* in f32; integers refuse the op */
int pim_micro_value(pim_micro *m, pim_format f, double value);
void pim_micro_start(pim_micro *m); /* of rounds */
void pim_micro_end(pim_micro *m);
/* The register in another format; itself when it has it. */
int pim_micro_convert(pim_micro *m, int reg, pim_format f);
int pim_micro_make(
	pim_micro *m, pim_routine routine, pim_format f, int a, int b); /* new register */
int pim_micro_make_bit(pim_micro *m, pim_routine routine, int a, int b);
/* reg = reg op other; a value stands in a register that all values of its format share. */
void pim_micro_by(pim_micro *m, pim_routine routine, int reg, int other);
void pim_micro_by_value(pim_micro *m, pim_routine routine, int reg, double value);
/* The register into the result, or added to what is there. */
void pim_micro_scatter(pim_micro *m, int reg);
double pim_format_least(pim_format f);
double pim_format_most(pim_format f);

/* ---- recipes ---- */

#define RECIPE(op, how) void pim_recipe_##how(pim_micro *m);
#include "targets/bank/recipes.def"

#endif
