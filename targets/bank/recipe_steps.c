/* SPDX-License-Identifier: Apache-2.0 */
/* recipe_steps.c - what recipes are written in: steps with registers of their own. */
#include <assert.h>
#include <math.h>

#include "targets/bank/recipe.h"

const pim_format pim_format_f32 = {32, 8, true}, pim_format_bit = {1, 0, false};

pim_format pim_micro_format(pim_micro *m, const pim_type *t)
{
	pim_format f = {8, 0, false};
	if (!pim_format_of(t->dtype, &f))
		m->refused = true;
	return f;
}

bool pim_micro_has(const pim_micro *m, uint32_t i)
{
	return i < m->op->n_in && m->op->in[i];
}

int pim_micro_operand(pim_micro *m, int i)
{
	return pim_micro_register(m, pim_micro_format(m, m->op->in[i]->type));
}

int pim_micro_take(pim_micro *m, int i)
{
	int reg = pim_micro_operand(m, i);
	pim_micro_gather(m, reg, i, 0);
	return reg;
}

int pim_micro_take_f32(pim_micro *m, int i)
{
	int x = pim_micro_take(m, i);
	m->refused = m->refused || !m->format[x].exponent;
	return pim_micro_convert(m, x, pim_format_f32);
}

int pim_micro_value(pim_micro *m, pim_format f, double value)
{
	int reg = pim_micro_register(m, f);
	pim_micro_set(m, reg, value);
	return reg;
}

void pim_micro_start(pim_micro *m)
{
	pim_micro_add(m, PIM_STEP_repeat, 0, 0, 0);
}

void pim_micro_end(pim_micro *m)
{
	pim_micro_add(m, PIM_STEP_end, 0, 0, 0);
}

int pim_micro_convert(pim_micro *m, int reg, pim_format f)
{
	if (pim_format_equal(m->format[reg], f))
		return reg;
	int to = pim_micro_register(m, f);
	pim_micro_call(m, PIM_ROUTINE_convert, to, reg, 0, 0);
	return to;
}

int pim_micro_make(pim_micro *m, pim_routine routine, pim_format f, int a, int b)
{
	int to = pim_micro_register(m, f);
	pim_micro_call(m, routine, to, a, b, 0);
	return to;
}

int pim_micro_make_bit(pim_micro *m, pim_routine routine, int a, int b)
{
	return pim_micro_make(m, routine, pim_format_bit, a, b);
}

void pim_micro_by(pim_micro *m, pim_routine routine, int reg, int other)
{
	pim_micro_call(m, routine, reg, reg, other, 0);
}

/* The register for values of a format, which no step reads but the next. */
static int find_constant(pim_micro *m, pim_format f)
{
	for (int i = 0; i < m->n_constants; i++)
		if (pim_format_equal(m->format[m->constant[i]], f))
			return m->constant[i];
	assert(m->n_constants < PIM_MOST_CONSTANTS);
	return m->constant[m->n_constants++] = (int16_t)pim_micro_register(m, f);
}

void pim_micro_by_value(pim_micro *m, pim_routine routine, int reg, double value)
{
	int at = find_constant(m, m->format[reg]);
	pim_micro_set(m, at, value);
	pim_micro_by(m, routine, reg, at);
}

void pim_micro_scatter(pim_micro *m, int reg)
{
	reg = pim_micro_convert(m, reg, pim_micro_format(m, m->op->type));
	if (m->adds) {
		int there = pim_micro_register(m, m->format[reg]);
		pim_micro_gather(m, there, (int)m->op->n_in, 0);
		pim_micro_call(m, PIM_ROUTINE_add, reg, there, reg, 0);
	}
	pim_micro_add(m, PIM_STEP_scatter, reg, reg, 0);
}

double pim_format_least(pim_format f)
{
	if (f.exponent)
		return -(double)INFINITY;
	return f.sign ? -ldexp(1, f.bits - 1) : 0;
}

double pim_format_most(pim_format f)
{
	if (f.exponent)
		return (double)INFINITY;
	return ldexp(1, f.sign ? f.bits - 1 : f.bits) - 1;
}
