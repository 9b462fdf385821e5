/* SPDX-License-Identifier: Apache-2.0 */
/* The placement engine against brute force: all permutations of up to 8 items, all assignments of
 * a few items with weights, trees built link by link from routes, costs anew after every answer. */
#include "passes/assignment_core.h"
#include "tests/unit/check.h"

#include <float.h>
#include <math.h>
#include <string.h>

static int draw(uint64_t *random, int n)
{
	return assignment_draw(random, n);
}

/* Calls visit for each permutation of at[0..n). */
typedef struct search {
	const pim_assignment *p;
	int64_t best;
	int unit[16];
	int found;
} search;

static void try_all(search *s, int item)
{
	int64_t cost;
	if (item == s->p->n) {
		if (pim_assignment_check(s->p, s->unit, &cost) && (!s->found || cost < s->best)) {
			s->best = cost;
			s->found = 1;
		}
		return;
	}
	for (int u = 0; u < s->p->units; u++) {
		int used = 0;
		for (int i = 0; i < item; i++)
			used += s->unit[i] == u;
		if (used >= s->p->capacity[u])
			continue;
		s->unit[item] = u;
		try_all(s, item + 1);
	}
}

/* ---- linear assignment ---- */

static int64_t least_linear(int n, const int64_t *cost, int i, unsigned taken)
{
	int64_t best = INT64_MAX;
	if (i == n)
		return 0;
	for (int j = 0; j < n; j++) {
		if (taken >> j & 1)
			continue;
		int64_t sum = cost[i * n + j] + least_linear(n, cost, i + 1, taken | 1u << j);
		best = sum < best ? sum : best;
	}
	return best;
}

static void check_certificate(int n, const int64_t *cost, const int *column, const int64_t *row,
	const int64_t *col, int64_t sum)
{
	int64_t prices = 0, chosen = 0;
	unsigned char *taken = calloc((size_t)n, 1);
	for (int i = 0; i < n; i++) {
		CHECK(column[i] >= 0 && column[i] < n && !taken[column[i]]);
		taken[column[i]] = 1;
		chosen += cost[i * n + column[i]];
		prices += row[i] + col[i];
		for (int j = 0; j < n; j++)
			CHECK(row[i] + col[j] <= cost[i * n + j]);
	}
	CHECK(chosen == sum && prices == sum);
	free(taken);
}

static void test_linear(void)
{
	uint64_t random = 7;
	int64_t *cost = malloc(sizeof *cost * 200 * 200), row[200], col[200];
	int column[200];
	for (int round = 0; round < 300; round++) {
		int n = 1 + draw(&random, 7), span = round % 3 ? 100 : 4;
		for (int k = 0; k < n * n; k++)
			cost[k] = draw(&random, span) - (round % 2 ? span / 2 : 0);
		int64_t sum = pim_linear_assignment(n, cost, column, row, col);
		CHECK(sum == least_linear(n, cost, 0, 0));
		check_certificate(n, cost, column, row, col, sum);
	}
	for (int round = 0; round < 4; round++) {
		int n = 50 * (round + 1);
		for (int k = 0; k < n * n; k++)
			cost[k] = round % 2 ? (int64_t)(k / n) * (k % n) : draw(&random, 1000);
		check_certificate(
			n, cost, column, row, col, pim_linear_assignment(n, cost, column, row, col));
	}
	free(cost);
}

/* The matrix of grid costs: rows, then units left over at no cost, by units that can be had. */
static int spread_costs(const pim_grid_costs *g, int64_t *cost)
{
	int free = 0, unit[512], all = g->size[0] + g->size[1] + g->size[2];
	for (int u = 0; u < g->size[0] * g->size[1] * g->size[2]; u++)
		if (!g->taken[u])
			unit[free++] = u;
	for (int i = 0; i < free; i++)
		for (int k = 0; k < free; k++) {
			const double *f = g->cost + i * all;
			int x = unit[k] % g->size[0], y = unit[k] / g->size[0] % g->size[1],
				z = unit[k] / g->size[0] / g->size[1];
			cost[i * free + k] =
				i < g->rows ? (int64_t)(f[x] + f[g->size[0] + y] + f[g->size[0] + g->size[1] + z])
							: 0;
		}
	return free;
}

static void compare_auction(uint64_t *random, const int size[3])
{
	int units = size[0] * size[1] * size[2], all = size[0] + size[1] + size[2], column[512];
	double *cost = malloc(sizeof *cost * (size_t)units * (size_t)all);
	int64_t *matrix = malloc(sizeof *matrix * (size_t)units * (size_t)units), row[512], col[512];
	bool taken[512];
	int unit[512], free_units = 0, alike = 1 + draw(random, 4);
	for (int u = 0; u < units; u++)
		free_units += !(taken[u] = draw(random, 10) == 0 && free_units + units - u > 1);
	pim_grid_costs g = {1 + draw(random, free_units), {size[0], size[1], size[2]}, cost, taken};
	for (int i = 0; i < g.rows; i++)
		for (int k = 0, at = draw(random, size[0]); k < all; k++)
			cost[i * all + k] =
				i % alike ? cost[(i - 1) * all + k] : abs(k - at) * 40 + draw(random, 30) - 10;
	int64_t least = pim_linear_assignment(spread_costs(&g, matrix), matrix, column, row, col);
	for (int exact = 0; exact < 2; exact++) {
		double sum = 0, tolerance = exact ? 0 : 0.01;
		bool used[512] = {false};
		pim_auction_answer a = pim_auction(&g, tolerance, unit);
		for (int i = 0; i < free_units; i++) {
			CHECK(!taken[unit[i]] && !used[unit[i]]);
			used[unit[i]] = true;
			int line = unit[i] / size[0];
			sum += i < g.rows ? cost[i * all + unit[i] % size[0]] +
									cost[i * all + size[0] + line % size[1]] +
									cost[i * all + size[0] + size[1] + line / size[1]]
							  : 0;
		}
		CHECK(a.cost == sum && a.bound <= (double)least && (double)least <= sum);
		CHECK(exact ? sum == (double)least : sum - a.bound <= fmax(tolerance * sum, 1));
	}
	free(matrix);
	free(cost);
}

static void test_auction(void)
{
	static const int size[][3] = {
		{1, 1, 1}, {3, 2, 1}, {2, 3, 4}, {8, 8, 1}, {5, 5, 5}, {16, 16, 1}};
	uint64_t random = 3;
	for (int round = 0; round < 120; round++)
		compare_auction(&random, size[round % (round < 100 ? 4 : 6)]);
}

/* Costs so large that 1 is the last digit of a double, and rows that want the same: the auction
 * ends, with a bound that holds and an answer as good as the digits allow. */
static void end_where_digits_do(void)
{
	enum { SIDE = 6, UNITS = SIDE * SIDE };
	uint64_t random = 17;
	bool taken[UNITS] = {false};
	for (int round = 0; round < 20; round++) {
		double cost[UNITS][SIDE + SIDE + 1], top = ldexp(1, 44 + round % 8);
		int64_t matrix[UNITS * UNITS], row[UNITS], col[UNITS];
		int column[UNITS], unit[UNITS];
		for (int i = 0; i < UNITS; i++)
			for (int k = 0; k <= SIDE + SIDE; k++)
				cost[i][k] = top + (i % 3 ? cost[i - 1][k] - top : draw(&random, 1000));
		pim_grid_costs g = {UNITS, {SIDE, SIDE, 1}, cost[0], taken};
		pim_auction_answer a = pim_auction(&g, 0, unit);
		spread_costs(&g, matrix);
		int64_t least = pim_linear_assignment(UNITS, matrix, column, row, col), sum = 0;
		for (int i = 0; i < UNITS; i++)
			sum += matrix[i * UNITS + unit[i]];
		CHECK((int64_t)a.bound <= least && least <= sum);
		CHECK((double)(sum - least) <= UNITS * 64 * top * DBL_EPSILON + 1);
	}
}

/* ---- one item on a unit ---- */

static pim_assignment *make_matrix_problem(uint64_t *random, int n, int items, int symmetric)
{
	int64_t far[64];
	for (int u = 0; u < n; u++)
		for (int v = 0; v < n; v++) {
			far[u * n + v] = u == v && symmetric ? 0 : draw(random, 20);
			if (symmetric & 1 && v < u)
				far[u * n + v] = far[v * n + u];
		}
	pim_assignment *p = pim_assignment_new_matrix(n, far);
	for (int i = 0; i < items; i++)
		pim_assignment_add_item(p, 1);
	for (int i = 0; i < items; i++)
		for (int j = 0; j < items; j++) {
			int bytes = draw(random, 3) ? draw(random, 30) : 0;
			if (i == j && !draw(random, 2))
				continue;
			if (!(symmetric & 2) || i <= j)
				pim_assignment_add_traffic(p, i, j, bytes);
			if (symmetric & 2 && i < j)
				pim_assignment_add_traffic(p, j, i, bytes);
		}
	return p;
}

static pim_assignment *make_grid_problem(uint64_t *random, int items)
{
	static const int size[4][3] = {{2, 2, 2}, {4, 2, 1}, {3, 2, 1}, {7, 1, 1}};
	const int *s = size[draw(random, 4)];
	pim_assignment *p =
		pim_assignment_new(draw(random, 2) ? PIM_ASSIGNMENT_mesh : PIM_ASSIGNMENT_torus, s);
	for (int i = 0; i < items && i < s[0] * s[1] * s[2]; i++)
		pim_assignment_add_item(p, 1);
	for (int k = 0; k < 2 * p->n && p->n > 1; k++)
		pim_assignment_add_traffic(p, draw(random, p->n), draw(random, p->n), 1 + draw(random, 50));
	for (int k = draw(random, 4); k > 0; k--)
		pim_assignment_add_price(
			p, draw(random, p->n), draw(random, p->units), draw(random, 60) - 20);
	if (draw(random, 3) == 0)
		pim_assignment_fix(p, draw(random, p->n), draw(random, p->units));
	return p;
}

typedef struct watcher {
	int64_t cost, bound;
	int calls;
} watcher;

/* Costs only fall, bounds only rise. */
static bool watch(void *user, const pim_assignment_answer *now)
{
	watcher *w = user;
	CHECK(!w->calls || (now->cost <= w->cost && now->bound >= w->bound));
	*w = (watcher){now->cost, now->bound, w->calls + 1};
	return true;
}

static pim_assignment_answer solve(pim_assignment *p, int64_t steps, watcher *w)
{
	pim_assignment_options o = {
		.seconds = 10, .seed = 3, .steps = steps, .on_progress = watch, .user = w};
	return pim_assignment_solve(p, &o);
}

/* 1 if the answer is the optimum found by trying all. */
static int check_answer(pim_assignment *p, int64_t steps)
{
	watcher w = {0};
	pim_assignment_answer a = solve(p, steps, &w);
	search s = {.p = p};
	int64_t cost = 0;
	try_all(&s, 0);
	CHECK(!a.unit || (pim_assignment_check(p, a.unit, &cost) && cost == a.cost));
	if (!s.found || !a.unit) {
		CHECK(!s.found && !a.unit && a.status == PIM_ASSIGNMENT_infeasible);
		return 1;
	}
	CHECK(w.calls > 0 && w.cost == a.cost);
	CHECK(a.bound <= s.best && s.best <= a.cost);
	CHECK(a.status != PIM_ASSIGNMENT_optimal || a.cost == s.best);
	return a.cost == s.best;
}

static void test_permutations(void)
{
	uint64_t random = 11;
	int same = 0, all = 0;
	for (int round = 0; round < 60; round++) {
		int n = 2 + draw(&random, 6), items = draw(&random, 3) ? n : 1 + draw(&random, n);
		pim_assignment *p = round % 2 ? make_matrix_problem(&random, n, items, draw(&random, 4))
									  : make_grid_problem(&random, items);
		same += check_answer(p, 3000);
		all++;
		pim_assignment_free(p);
	}
	CHECK(same == all);
}

/* Every row of the tables of a run against costs computed anew. */
static void test_deltas(void)
{
	uint64_t random = 5;
	for (int round = 0; round < 20; round++) {
		pim_assignment *p = make_matrix_problem(&random, 8, round % 3 ? 8 : 5, round % 4);
		pim_arena *a = pim_arena_new();
		assignment_prepare(p);
		assignment_dense *d = assignment_dense_of(p, 8, a);
		assignment_tabu *t = assignment_tabu_new(d, a);
		int at[8] = {3, 1, 4, 0, 5, 7, 2, 6}, changed[8], unit[8];
		assignment_tabu_start(t, at);
		for (int k = 0; k < 40; k++) {
			int u = draw(&random, d->real), v = draw(&random, 8), swap = at[u];
			if (u == v || (u > v && v < d->real))
				continue;
			memcpy(changed, at, sizeof at);
			changed[u] = at[v];
			changed[v] = swap;
			int64_t more = assignment_dense_cost(d, changed) - assignment_dense_cost(d, at);
			CHECK(assignment_tabu_change(t, u, v) == more);
			assignment_tabu_exchange(t, u, v);
			memcpy(at, changed, sizeof at);
			assignment_dense_write(d, p, at, unit);
			CHECK(assignment_dense_cost(d, at) == assignment_cost(p, unit));
		}
		pim_arena_free(a);
		pim_assignment_free(p);
	}
}

/* ---- several items on a unit, nets ---- */

static pim_assignment *make_weighted_problem(uint64_t *random, int nets)
{
	static const int size[3][3] = {{2, 2, 1}, {3, 1, 1}, {2, 1, 2}};
	pim_assignment *p = pim_assignment_new(PIM_ASSIGNMENT_mesh, size[draw(random, 3)]);
	for (int u = 0; u < p->units; u++)
		pim_assignment_set_capacity(p, u, 1 + draw(random, 4));
	for (int i = 0; i < 5; i++)
		pim_assignment_add_item(p, 1 + (draw(random, 4) == 0));
	for (int k = 0; k < 6; k++)
		pim_assignment_add_traffic(p, draw(random, 5), draw(random, 5), 1 + draw(random, 50));
	for (int k = 0; k < nets; k++) {
		int leaf[3] = {draw(random, 5), draw(random, 5), draw(random, 5)};
		pim_assignment_add_net(p,
			draw(random, 2) ? PIM_ASSIGNMENT_multicast : PIM_ASSIGNMENT_reduction, draw(random, 5),
			1 + draw(random, 3), leaf, 1 + draw(random, 40));
	}
	return p;
}

static void test_capacities(void)
{
	uint64_t random = 23;
	int same = 0, all = 0;
	for (int round = 0; round < 60; round++, all++) {
		pim_assignment *p = make_weighted_problem(&random, round % 3);
		same += check_answer(p, 20000);
		pim_assignment_free(p);
	}
	CHECK(same >= all - 1);
}

/* The links of a tree, by walking each leaf's route alone. */
static int64_t links_by_routes(const pim_assignment *p, const assignment_net *net, const int *unit)
{
	int64_t *load = calloc((size_t)p->units * 6, sizeof *load), links = 0;
	for (int i = 1; i < net->n; i++) {
		int root = unit[net->item[0]], leaf = unit[net->item[i]];
		if (net->kind == PIM_ASSIGNMENT_multicast)
			assignment_load_route(p, root, leaf, 1, load);
		else
			assignment_load_route(p, leaf, root, 1, load);
	}
	for (int l = 0; l < p->units * 6; l++)
		links += load[l] > 0;
	free(load);
	return links;
}

static void test_trees(void)
{
	static const int size[3][3] = {{5, 4, 1}, {4, 4, 4}, {3, 2, 6}};
	uint64_t random = 31;
	for (int round = 0; round < 300; round++) {
		pim_assignment *p = pim_assignment_new(
			round % 2 ? PIM_ASSIGNMENT_mesh : PIM_ASSIGNMENT_torus, size[round % 3]);
		int leaf[6], unit[7], n = 1 + draw(&random, 6);
		for (int i = 0; i < 7; i++) {
			pim_assignment_add_item(p, 0);
			unit[i] = draw(&random, p->units);
		}
		for (int i = 0; i < n; i++)
			leaf[i] = 1 + draw(&random, 6);
		pim_assignment_add_net(
			p, round / 2 % 2 ? PIM_ASSIGNMENT_multicast : PIM_ASSIGNMENT_reduction, 0, n, leaf, 3);
		pim_arena *a = pim_arena_new();
		assignment_tree *t = assignment_tree_new(p, a);
		int64_t links = links_by_routes(p, &p->net[0], unit);
		CHECK(assignment_tree_links(t, &p->net[0], unit) == links);
		CHECK(assignment_cost(p, unit) == 3 * links);
		CHECK(pim_assignment_busiest(p, unit) == (links ? 3 : 0));
		if (n == 1) {
			int end = unit[leaf[0]], hops = (int)assignment_distance(p, unit[0], end);
			CHECK(links == hops);
		}
		pim_arena_free(a);
		pim_assignment_free(p);
	}
}

/* ---- the rest of the promises ---- */

static pim_assignment *make_large(int items, int side, int capacity)
{
	uint64_t random = 41;
	pim_assignment *p = pim_assignment_new(PIM_ASSIGNMENT_mesh, (int[]){side, side, 1});
	for (int u = 0; u < p->units; u++)
		pim_assignment_set_capacity(p, u, capacity);
	for (int i = 0; i < items; i++)
		pim_assignment_add_item(p, 1);
	for (int i = 0; i < items; i++)
		for (int k = 1; k <= 3; k++)
			pim_assignment_add_traffic(p, i, (i + k * k) % items, 1 + draw(&random, 9));
	return p;
}

static void test_repeats(void)
{
	for (int capacity = 1; capacity <= 8; capacity += 7) {
		int first[512];
		int64_t cost = 0;
		for (int round = 0; round < 2; round++) {
			pim_assignment *p = make_large(64 * capacity, 8, capacity);
			watcher w = {0};
			pim_assignment_answer a = solve(p, 5000, &w);
			CHECK(a.unit && pim_assignment_check(p, a.unit, &cost) && cost == a.cost);
			CHECK(a.bound <= a.cost && a.steps >= 5000);
			if (round)
				CHECK(!memcmp(first, a.unit, sizeof *first * (size_t)p->n));
			memcpy(first, a.unit, sizeof *first * (size_t)p->n);
			pim_assignment_free(p);
		}
	}
}

static void test_refusals(void)
{
	watcher w = {0};
	pim_assignment *p = make_large(65, 8, 1);
	CHECK(solve(p, 10, &w).status == PIM_ASSIGNMENT_infeasible);
	pim_assignment_free(p);
	p = make_large(4, 2, 1);
	pim_assignment_add_traffic(p, 0, 1, INT64_MAX / 2);
	CHECK(solve(p, 10, &w).status == PIM_ASSIGNMENT_too_large);
	pim_assignment_free(p);
	p = make_large(4, 2, 1);
	CHECK(!pim_assignment_begin_with(p, (int[]){0, 1, 2, 2}));
	CHECK(pim_assignment_begin_with(p, (int[]){3, 1, 2, 0}));
	pim_assignment_fix(p, 0, 3);
	pim_assignment_answer a = solve(p, 100, &w);
	CHECK(a.unit && a.unit[0] == 3);
	pim_assignment_free(p);
}

/* Among assignments of one cost, the busiest link; and never a dearer one. */
static void test_links(void)
{
	int lighter = 0;
	for (int capacity = 1; capacity <= 4; capacity += 3) {
		pim_assignment *p = make_large(30 * capacity, 6, capacity);
		pim_assignment_options o = {.seconds = 10, .seed = 2, .steps = 20000};
		pim_assignment_answer without = pim_assignment_solve(p, &o);
		int64_t before = pim_assignment_busiest(p, without.unit);
		o.links = PIM_ASSIGNMENT_links_second;
		pim_assignment_answer with = pim_assignment_solve(p, &o);
		CHECK(with.cost <= without.cost);
		CHECK(with.busiest == pim_assignment_busiest(p, with.unit));
		CHECK(with.cost < without.cost || with.busiest <= before);
		o.links = PIM_ASSIGNMENT_links_weighed;
		o.link_weight = 10;
		pim_assignment_answer both = pim_assignment_solve(p, &o);
		CHECK(both.cost + 10 * both.busiest <= without.cost + 10 * before);
		lighter += both.busiest < before;
		pim_assignment_free(p);
	}
	CHECK(lighter > 0);
}

int main(void)
{
	test_linear();
	test_auction();
	end_where_digits_do();
	test_permutations();
	test_deltas();
	test_capacities();
	test_trees();
	test_repeats();
	test_refusals();
	test_links();
	return check_failures != 0;
}
