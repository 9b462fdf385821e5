/* SPDX-License-Identifier: Apache-2.0 */
/* assign_degrees.c - decides how many units each branch of a set gets.
 *
 * Needs: split. Gives: split, with other degrees.
 * Idea: branches of a set run in temporal layers on the N units of the machine. With the cycles
 * t(b,p) of one branch of set b on p units (branch_latency.c), W(b) bytes of constants that a unit
 * needs for it and e(b,s) cycles to fetch them when s units hold a copy together, the schedule is
 *
 *     x[b,p,l] in 0..floor(N/p)   branches of b with degree p in temporal layer l
 *     y[b,p,l] in {0,1}           there are some
 *     T[b,l]   >= 0               cycles of the layer
 *     z[b,s]   in {0,1}           s units hold a copy of b's constants together
 *     minimise sum_b,l T[b,l] + sum_b,s e(b,s) z[b,s]
 *     (1) sum_p,l x[b,p,l] = n(b)                            every b: all branches are done
 *     (2) sum_p p x[b,p,l] <= N                              every b, l
 *     (3) x[b,p,l] <= floor(N/p) y[b,p,l]                    every b, p, l
 *     (4) T[b,l] >= t(b,p) y[b,p,l]                          every b, p, l
 *     (5) T[b,l] >= T[b,l+1]                                 every b, l: equal layers in one order
 *     (6) sum_s z[b,s] = 1                                   every b
 *     (7) sum_b,s W(b)/s z[b,s] <= memory - values           the constants fit
 *
 * Equal sets are one b, counted so often. Blocks and layers follow each other, so precedence holds
 * by construction. No row joins x with z: without (6) and (7) each b is a covering problem, which
 * degrees_cover.c solves exactly (solver=dp); degrees_ilp.c writes the rows (solver=ilp), whole or
 * block by block with the knapsack for (6) and (7). Layouts give all branches of a set one degree,
 * so of all degrees the one is written with which equal layers take least; "mixed" says what layers
 * of unlike degrees would take, and is the bound of it. solver=one: every branch on one unit.
 * interleave-layout takes the degree as the most units that a branch may use.
 * Cost: branch_latency.c; then branches times degrees for each unlike set; ilp: until the limit at
 * most. Source: the schedule of Allspark, recalled and derived anew; cover, blocks and the single
 * degree are ours. */
#include "passes/degrees.h"
#include "passes/pass.h"

#include <string.h>

enum { MOST_COLUMNS = 600 }; /* of a model that is solved as a whole */

typedef enum solver { SOLVER_dp, SOLVER_ilp, SOLVER_one, SOLVER_COUNT } solver;
static const char *const solver_name[SOLVER_COUNT] = {"dp", "ilp", "one"};

static solver find_solver(const char *name)
{
	for (int s = 0; s < SOLVER_COUNT; s++)
		if (!strcmp(name, solver_name[s]))
			return (solver)s;
	return SOLVER_COUNT;
}

/* Cycles of all sets: with the degree chosen for each, with mixed ones, with every branch on one
 * unit. */
typedef struct totals {
	double chosen, mixed, one;
} totals;

static totals choose_degrees(const pim_degrees *d, solver how, int *which, pim_arena *a)
{
	totals t = {0, 0, 0};
	for (int k = 0; k < d->n; k++) {
		const pim_block *b = &d->block[k];
		pim_block single = *b;
		single.n_degrees = 1;
		int first;
		double one = pim_block_single(&single, d->units, &first);
		double best = pim_block_single(b, d->units, &which[k]);
		which[k] = how == SOLVER_one ? 0 : which[k];
		t.chosen += b->equals * (how == SOLVER_one ? one : best);
		t.mixed += b->equals * pim_block_cover(b, d->units, NULL, a);
		t.one += b->equals * one;
	}
	return t;
}

static void write_degrees(
	pim_graph *g, pim_job *j, const pim_degrees *d, const int *block_of, const int *which)
{
	int above = 0;
	for (int s = 0; s < g->n_sets; s++) {
		g->sets[s].degree = d->block[block_of[s]].degree[which[block_of[s]]];
		above += g->sets[s].degree > 1;
	}
	pim_job_count(j, "above_one", above);
}

static bool solve_whole(pim_graph *g, pim_job *j, const pim_degrees *d, pim_outcome *o)
{
	pim_degrees_answer r =
		pim_degrees_solve(d, pim_job_float(j, "limit"), MOST_COLUMNS, pim_job_arena(j));
	int64_t least = 0;
	if (!strcmp(r.status, "infeasible")) {
		for (int k = 0; k < d->n; k++)
			least += d->block[k].equals * d->block[k].share[d->block[k].n_shares - 1].weight;
		return pim_error(g->module->context, g->loc,
			"the constants do not fit %s: held by as many units together as there are they take "
			"%lld "
			"bytes of each, it has %lld for them",
			j->target->name, (long long)least, (long long)(d->memory > 0 ? d->memory : 0));
	}
	*o = (pim_outcome){.value = r.value, .bound = r.bound, .status = r.status, .nodes = r.nodes};
	return true;
}

bool pim_pass_assign_degrees(pim_graph *g, pim_job *j)
{
	double begin = pim_seconds_now();
	pim_arena *a = pim_job_arena(j);
	solver how = find_solver(pim_job_string(j, "solver"));
	if (how == SOLVER_COUNT)
		return pim_error(g->module->context, g->loc,
			"assign-degrees has no solver '%s', expected dp, ilp or one",
			pim_job_string(j, "solver"));
	int *block_of = PIM_NEW(a, int, g->n_sets + 1);
	pim_degrees *d = pim_degrees_of(g, j->target, block_of, a);
	int *which = PIM_NEW(a, int, d->n + 1);
	totals t = choose_degrees(d, how, which, a);
	pim_outcome o = {.value = t.chosen, .bound = t.mixed, .status = "feasible"};
	if (t.chosen <= t.mixed * (1 + 1e-12))
		o.status = "optimal";
	if (how == SOLVER_ilp && !solve_whole(g, j, d, &o))
		return false;
	write_degrees(g, j, d, block_of, which);
	pim_job_count(j, "blocks", d->n);
	pim_job_count(j, "single", t.chosen);
	pim_job_count(j, "mixed", t.mixed);
	pim_job_count(j, "one", t.one);
	o.seconds = pim_seconds_now() - begin;
	pim_job_report(j, &o);
	return true;
}
