/* SPDX-License-Identifier: Apache-2.0 */
/* ilp_model - stores a mixed-integer program and checks solutions of it.
 *
 * Rows are kept as they were written, so that a solver's answer is checked against the model
 * itself and not against the solver's copy of it. */
#include "passes/ilp_model.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"

pim_ilp *pim_ilp_new(void)
{
	pim_ilp *p = pim_array_new(1, sizeof *p);
	p->bound = -INFINITY;
	p->objective = INFINITY;
	return p;
}

void pim_ilp_free(pim_ilp *p)
{
	if (!p)
		return;
	free(p->column);
	free(p->row);
	free(p->var);
	free(p->coef);
	free(p->best);
	free(p);
}

int pim_ilp_var(pim_ilp *p, double lo, double hi, double cost, bool integer)
{
	assert(!p->best && lo <= hi);
	p->column = pim_array_grow(p->column, p->n_columns, &p->room_columns, sizeof *p->column);
	p->column[p->n_columns] =
		(pim_ilp_column){.lo = lo, .hi = hi, .cost = cost, .integer = integer};
	return p->n_columns++;
}

typedef struct term {
	int var;
	double coef;
} term;

static int compare_terms(const void *a, const void *b)
{
	const term *x = a, *y = b;
	return (x->var > y->var) - (x->var < y->var);
}

/* Terms in the order of their variables, those of one variable added up: solvers want rows like
 * that. */
void pim_ilp_row(
	pim_ilp *p, int n, const int *var, const double *coef, pim_ilp_sense sense, double right)
{
	int first = p->n_terms;
	term *sorted = pim_array_raw(n, sizeof *sorted);
	for (int i = 0; i < n; i++) {
		assert(var[i] >= 0 && var[i] < p->n_columns);
		sorted[i] = (term){var[i], coef[i]};
	}
	qsort(sorted, (size_t)n, sizeof *sorted, compare_terms);
	int64_t room = p->room_terms;
	p->var = pim_array_reserve(p->var, first + n, &room, sizeof *p->var);
	p->coef = pim_array_reserve(p->coef, first + n, &p->room_terms, sizeof *p->coef);
	for (int i = 0; i < n; i++) {
		bool more = p->n_terms > first && p->var[p->n_terms - 1] == sorted[i].var;
		int k = more ? p->n_terms - 1 : p->n_terms++;
		p->var[k] = sorted[i].var;
		p->coef[k] = (more ? p->coef[k] : 0) + sorted[i].coef;
	}
	free(sorted);
	p->row = pim_array_grow(p->row, p->n_rows, &p->room_rows, sizeof *p->row);
	p->row[p->n_rows++] = (pim_ilp_constraint){
		.first = first, .n = p->n_terms - first, .sense = sense, .right = right};
}

static bool row_holds(const pim_ilp *p, const pim_ilp_constraint *r, const double *v)
{
	double sum = 0, scale = fmax(1, fabs(r->right));
	for (int i = r->first; i < r->first + r->n; i++) {
		double part = p->coef[i] * v[p->var[i]];
		sum += part;
		scale = fmax(scale, fabs(part));
	}
	double slack = 1e-6 * scale;
	return (r->sense == PIM_ILP_ge || sum <= r->right + slack) &&
		   (r->sense == PIM_ILP_le || sum >= r->right - slack);
}

bool pim_ilp_offer(pim_ilp *p, const double *values)
{
	double *v = pim_array_raw(p->n_columns, sizeof *v), cost = 0;
	bool holds = true;
	for (int i = 0; holds && i < p->n_columns; i++) {
		const pim_ilp_column *c = &p->column[i];
		v[i] = c->integer ? floor(values[i] + 0.5) : values[i];
		double slack = 1e-6 * fmax(1, fabs(v[i]));
		holds = fabs(v[i] - values[i]) <= 1e-4 && v[i] >= c->lo - slack && v[i] <= c->hi + slack;
		v[i] = fmin(fmax(v[i], c->lo), c->hi);
		cost += c->cost * v[i];
	}
	for (int i = 0; holds && i < p->n_rows; i++)
		holds = row_holds(p, &p->row[i], v);
	if (holds && cost < p->objective) {
		free(p->best);
		p->best = v;
		p->objective = cost;
		return true;
	}
	free(v);
	return holds;
}

void pim_ilp_start(pim_ilp *p, const double *values)
{
	pim_ilp_offer(p, values);
}

bool pim_ilp_whole_costs(const pim_ilp *p)
{
	for (int i = 0; i < p->n_columns; i++) {
		const pim_ilp_column *c = &p->column[i];
		if (c->cost != 0 && (!c->integer || c->cost != floor(c->cost) || fabs(c->cost) > 1e9))
			return false;
	}
	return true;
}

double pim_ilp_box_bound(const pim_ilp *p)
{
	double sum = 0;
	for (int i = 0; i < p->n_columns; i++) {
		const pim_ilp_column *c = &p->column[i];
		if (c->cost != 0)
			sum += c->cost * (c->cost > 0 ? c->lo : c->hi);
	}
	return sum;
}

double pim_ilp_value(const pim_ilp *p, int var)
{
	assert(p->best && var >= 0 && var < p->n_columns);
	return p->best[var];
}

double pim_ilp_objective(const pim_ilp *p)
{
	return p->objective;
}

double pim_ilp_bound(const pim_ilp *p)
{
	return p->bound;
}

int64_t pim_ilp_nodes(const pim_ilp *p)
{
	return p->nodes;
}
