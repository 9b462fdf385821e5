/* SPDX-License-Identifier: Apache-2.0 */
/* ilp - the solver façade against brute force, a time limit, a start value, single-variable rows.
 */
#include "passes/ilp.h"
#include "ir/ir.h"

#include <math.h>

#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { MOST_VARS = 9, MOST_ROWS = 6 };
/* Seconds by which a loaded machine may be late. */
static const double SLACK = 5;

typedef struct program {
	int n, rows;
	int cost[MOST_VARS], coef[MOST_ROWS][MOST_VARS], right[MOST_ROWS];
	pim_ilp_sense sense[MOST_ROWS];
} program;

static program random_program(void)
{
	program p = {.n = 1 + draw(MOST_VARS), .rows = draw(MOST_ROWS + 1)};
	for (int i = 0; i < p.n; i++)
		p.cost[i] = draw(21) - 10;
	for (int r = 0; r < p.rows; r++) {
		for (int i = 0; i < p.n; i++)
			p.coef[r][i] = draw(3) ? draw(15) - 7 : 0;
		p.right[r] = draw(15) - 5;
		p.sense[r] = draw(8) ? (pim_ilp_sense)draw(2) : PIM_ILP_eq;
	}
	return p;
}

static bool holds(const program *p, unsigned x)
{
	for (int r = 0; r < p->rows; r++) {
		int sum = 0;
		for (int i = 0; i < p->n; i++)
			sum += (x >> i & 1) ? p->coef[r][i] : 0;
		if ((p->sense[r] != PIM_ILP_ge && sum > p->right[r]) ||
			(p->sense[r] != PIM_ILP_le && sum < p->right[r]))
			return false;
	}
	return true;
}

static int cost_of(const program *p, unsigned x)
{
	int cost = 0;
	for (int i = 0; i < p->n; i++)
		cost += (x >> i & 1) ? p->cost[i] : 0;
	return cost;
}

/* The minimum by looking at all 2^n assignments; INT_MAX-like 1 << 30 when there is none. */
static int brute_force(const program *p, unsigned *any)
{
	int best = 1 << 30;
	for (unsigned x = 0; x < 1u << p->n; x++)
		if (holds(p, x)) {
			*any = x;
			best = cost_of(p, x) < best ? cost_of(p, x) : best;
		}
	return best;
}

/* Rows in mixed order with each variable twice: three times its coefficient, less two times. */
static pim_ilp *model_of(const program *p)
{
	pim_ilp *m = pim_ilp_new();
	int var[MOST_VARS];
	for (int i = 0; i < p->n; i++)
		var[i] = pim_ilp_var(m, 0, 1, p->cost[i], true);
	for (int r = 0; r < p->rows; r++) {
		int mixed[2 * MOST_VARS];
		double coef[2 * MOST_VARS];
		for (int i = 0; i < 2 * p->n; i++) {
			int k = i < p->n ? p->n - 1 - i : (i + r) % p->n;
			mixed[i] = var[k];
			coef[i] = (i < p->n ? 3 : -2) * p->coef[r][k];
		}
		pim_ilp_row(m, 2 * p->n, mixed, coef, p->sense[r], p->right[r]);
	}
	return m;
}

static void compare_with_brute_force(void)
{
	int solved = 0, impossible = 0;
	for (int trial = 0; trial < 1500; trial++) {
		program p = random_program();
		unsigned any = 0, answer = 0;
		int best = brute_force(&p, &any);
		pim_ilp *m = model_of(&p);
		if (trial % 2 && best < 1 << 30) {
			double start[MOST_VARS];
			for (int i = 0; i < p.n; i++)
				start[i] = any >> i & 1;
			pim_ilp_start(m, start);
			CHECK(pim_ilp_objective(m) == cost_of(&p, any));
		}
		pim_ilp_status s = pim_ilp_solve(m, 60);
		CHECK(s == (best < 1 << 30 ? PIM_ILP_optimal : PIM_ILP_infeasible));
		if (s == PIM_ILP_optimal) {
			for (int i = 0; i < p.n; i++)
				answer |= (unsigned)pim_ilp_value(m, i) << i;
			CHECK(fabs(pim_ilp_objective(m) - best) < 1e-6);
			CHECK(holds(&p, answer) && cost_of(&p, answer) == best);
			CHECK(pim_ilp_bound(m) <= best + 1e-6 && pim_ilp_bound(m) > best - 1);
			solved++;
		} else {
			impossible++;
		}
		pim_ilp_free(m);
	}
	CHECK(solved > 300 && impossible > 100);
}

/* x >= 3 as a row must not be lost when x is an integer in -10..10. */
static void keep_rows_of_one_variable(void)
{
	pim_ilp *m = pim_ilp_new();
	int x = pim_ilp_var(m, -10, 10, 1, true), y = pim_ilp_var(m, -INFINITY, INFINITY, 1, false);
	double one = 1;
	pim_ilp_row(m, 1, &x, &one, PIM_ILP_ge, 2.5);
	pim_ilp_row(m, 1, &y, &one, PIM_ILP_ge, -7.25);
	CHECK(pim_ilp_solve(m, 10) == PIM_ILP_optimal);
	CHECK(pim_ilp_value(m, x) == 3 && fabs(pim_ilp_value(m, y) + 7.25) < 1e-9);
	pim_ilp_free(m);
}

static void name_unbounded_models(void)
{
	pim_ilp *m = pim_ilp_new();
	pim_ilp_var(m, 0, INFINITY, -1, false);
	CHECK(pim_ilp_solve(m, 10) == PIM_ILP_unbounded);
	pim_ilp_free(m);
}

/* A market-split model (Cornuejols and Dawande, 1998): hopeless for branch and bound, so time runs
 * out. */
static void stop_in_time(double limit)
{
	enum { N = 50, M = 6 };
	pim_ilp *m = pim_ilp_new();
	int var[N + 2];
	double coef[N + 2];
	for (int i = 0; i < N; i++)
		var[i] = pim_ilp_var(m, 0, 1, 0, true);
	for (int r = 0; r < M; r++) {
		double half = 0;
		for (int i = 0; i < N; i++) {
			coef[i] = draw(100);
			half += coef[i] / 2;
		}
		for (int k = 0; k < 2; k++) {
			var[N + k] = pim_ilp_var(m, 0, INFINITY, 1, false);
			coef[N + k] = k ? -1 : 1;
		}
		pim_ilp_row(m, N + 2, var, coef, PIM_ILP_eq, floor(half));
	}
	double begin = pim_seconds_now();
	pim_ilp_status s = pim_ilp_solve(m, limit);
	double took = pim_seconds_now() - begin;
	CHECK(s == PIM_ILP_feasible || s == PIM_ILP_limit);
	CHECK(took < limit + SLACK && took > 0.5 * limit);
	CHECK(pim_ilp_bound(m) <= pim_ilp_objective(m) && pim_ilp_nodes(m) > 0);
	pim_ilp_free(m);
}

/* A start value that breaks a row is not believed; one that holds survives a limit of nothing. */
static void judge_start_values(void)
{
	program p = {
		.n = 2, .rows = 1, .cost = {-3, -2}, .coef = {{1, 1}}, .right = {1}, .sense = {PIM_ILP_le}};
	pim_ilp *m = model_of(&p);
	pim_ilp_start(m, (double[]){1, 1});
	CHECK(isinf(pim_ilp_objective(m)));
	pim_ilp_start(m, (double[]){0, 1});
	CHECK(pim_ilp_objective(m) == -2);
	CHECK(pim_ilp_solve(m, 0) == PIM_ILP_feasible && pim_ilp_objective(m) == -2 &&
		  pim_ilp_bound(m) <= -3);
	CHECK(pim_ilp_solve(m, 10) == PIM_ILP_optimal && pim_ilp_objective(m) == -3);
	pim_ilp_free(m);
}

int main(void)
{
	draw_state = 1;
	pim_ilp *m = pim_ilp_new();
	if (pim_ilp_solve(m, 1) == PIM_ILP_none) {
		pim_ilp_free(m);
		puts("skipped: built without a solver");
		return 0;
	}
	pim_ilp_free(m);
	compare_with_brute_force();
	keep_rows_of_one_variable();
	name_unbounded_models();
	judge_start_values();
	stop_in_time(0.3);
	stop_in_time(1.2);
	return check_failures != 0;
}
