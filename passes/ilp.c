/* SPDX-License-Identifier: Apache-2.0 */
/* ilp - solves a model with lp_solve 5.5: the only file that includes lp_lib.h.
 *
 * Two solves: the relaxation without integrality gives the bound, then branch and bound runs
 * under a cut-off that asks for something better than the start value. lp_solve's own time limit
 * counts whole seconds; ours is a monotonic clock asked through its abort hook. Depth-first
 * search proves nothing on the way, so a search that was stopped reports the relaxation's bound.
 * Source: lp_solve 5.5 reference guide (status codes, abort hook, depth limit). */
#include <lpsolve/lp_lib.h>

#include <math.h>
#include <stdlib.h>

#include "ir/array.h"
#include "ir/ir.h"
#include "passes/ilp_model.h"

typedef struct deadline {
	double end;
	bool passed;
} deadline;

static int __WINAPI is_late(lprec *lp, void *user)
{
	(void)lp;
	deadline *d = user;
	d->passed = d->passed || pim_seconds_now() > d->end;
	return d->passed;
}

static double solver_infinity(double v)
{
	return isinf(v) ? copysign(1e30, v) : v;
}

static bool write_rows(const pim_ilp *p, lprec *lp)
{
	int *column = pim_array_raw(p->n_terms, sizeof *column);
	bool ok = true;
	for (int i = 0; i < p->n_terms; i++)
		column[i] = p->var[i] + 1;
	static const int kind[] = {LE, GE, EQ};
	set_add_rowmode(lp, TRUE);
	for (int i = 0; ok && i < p->n_rows; i++) {
		const pim_ilp_constraint *r = &p->row[i];
		ok = add_constraintex(
			lp, r->n, p->coef + r->first, column + r->first, kind[r->sense], r->right);
	}
	set_add_rowmode(lp, FALSE);
	free(column);
	return ok;
}

static bool write_columns(const pim_ilp *p, lprec *lp, bool integers)
{
	bool ok = true;
	for (int i = 0; ok && i < p->n_columns; i++) {
		const pim_ilp_column *c = &p->column[i];
		ok = set_obj(lp, i + 1, c->cost) &&
			 set_bounds(lp, i + 1, solver_infinity(c->lo), solver_infinity(c->hi)) &&
			 set_int(lp, i + 1, integers && c->integer);
	}
	return ok;
}

/* The model in lp_solve's form; NULL when it refuses. */
static lprec *build(const pim_ilp *p, deadline *d, bool integers)
{
	lprec *lp = make_lp(0, p->n_columns);
	if (!lp)
		return NULL;
	set_verbose(lp, NEUTRAL);
	if (!write_rows(p, lp) || !write_columns(p, lp, integers)) {
		delete_lp(lp);
		return NULL;
	}
	set_minim(lp);
	put_abortfunc(lp, is_late, d);
	set_bb_depthlimit(lp, 0);
	set_bb_floorfirst(lp, BRANCH_CEILING);
	return lp;
}

/* The largest cost that is still better than the best known one. */
static double cut_off(const pim_ilp *p)
{
	return pim_ilp_whole_costs(p) ? p->objective - 1 + 1e-6
								  : p->objective - 1e-6 * fmax(1, fabs(p->objective));
}

static bool add_cut_off(const pim_ilp *p, lprec *lp)
{
	int n = 0;
	int *column = pim_array_raw(p->n_columns, sizeof *column);
	double *cost = pim_array_raw(p->n_columns, sizeof *cost);
	for (int i = 0; i < p->n_columns; i++)
		if (p->column[i].cost != 0) {
			column[n] = i + 1;
			cost[n++] = p->column[i].cost;
		}
	bool ok = add_constraintex(lp, n, cost, column, LE, cut_off(p));
	free(column);
	free(cost);
	return ok;
}

/* A proved bound from a relaxation's value: less the solver's tolerance, up to a whole number. */
static double safe_bound(const pim_ilp *p, double value)
{
	double bound = value - 1e-6 * fmax(1, fabs(value));
	return pim_ilp_whole_costs(p) ? ceil(bound) : bound;
}

static pim_ilp_status relax(pim_ilp *p, deadline *d)
{
	lprec *lp = build(p, d, false);
	if (!lp)
		return PIM_ILP_broken;
	int status = solve(lp);
	double value = status == OPTIMAL ? get_objective(lp) : 0;
	delete_lp(lp);
	if (fabs(value) >= 1e29)
		return PIM_ILP_unbounded;
	if (status == OPTIMAL)
		p->bound = fmax(p->bound, safe_bound(p, value));
	switch (status) {
	case OPTIMAL:
		return PIM_ILP_optimal;
	case INFEASIBLE:
		return PIM_ILP_infeasible;
	case UNBOUNDED:
		return PIM_ILP_unbounded;
	default:
		return d->passed ? PIM_ILP_limit : PIM_ILP_broken;
	}
}

/* Takes the solver's best solution if it holds; false when there is one that does not. */
static bool take_solution(pim_ilp *p, lprec *lp)
{
	double *values = pim_array_raw(p->n_columns, sizeof *values);
	bool ok = get_variables(lp, values) && pim_ilp_offer(p, values);
	free(values);
	return ok;
}

static pim_ilp_status branch(pim_ilp *p, deadline *d)
{
	bool started = p->best != NULL;
	lprec *lp = build(p, d, true);
	if (!lp || (started && !add_cut_off(p, lp))) {
		if (lp)
			delete_lp(lp);
		return PIM_ILP_broken;
	}
	int status = solve(lp);
	bool found = status == OPTIMAL || status == SUBOPTIMAL ||
				 (status == USERABORT && get_solutioncount(lp) > 0);
	bool taken = found && take_solution(p, lp);
	p->nodes = get_total_nodes(lp);
	delete_lp(lp);
	if (found && !taken && !d->passed)
		return p->best ? PIM_ILP_feasible : PIM_ILP_broken;
	if ((status == OPTIMAL && taken && !d->passed) ||
		(status == INFEASIBLE && started && !d->passed)) {
		p->bound = fmax(p->bound, safe_bound(p, p->objective));
		return PIM_ILP_optimal;
	}
	if (p->best)
		return PIM_ILP_feasible;
	return d->passed			  ? PIM_ILP_limit
		   : status == INFEASIBLE ? PIM_ILP_infeasible
		   : status == UNBOUNDED  ? PIM_ILP_unbounded
								  : PIM_ILP_broken;
}

pim_ilp_status pim_ilp_solve(pim_ilp *p, double seconds)
{
	deadline d = {.end = pim_seconds_now() + seconds};
	p->bound = fmax(p->bound, pim_ilp_box_bound(p));
	pim_ilp_status status = relax(p, &d);
	if (status != PIM_ILP_optimal)
		return p->best && status != PIM_ILP_unbounded ? PIM_ILP_feasible : status;
	status = branch(p, &d);
	if (p->best)
		p->bound = fmin(p->bound, p->objective);
	return status;
}
