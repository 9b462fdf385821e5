/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_ascent - a strong lower bound for small problems, by dual ascent.
 *
 * For each item i on unit u there is a leader cost L(i,u), and for each other item j on another
 * unit v a cost C(i,u,j,v) that is paid when both hold; C(i,u,j,v) and C(j,v,i,u) are paid
 * together, so cost may be moved between the two freely. One round: each leader spreads its cost
 * over its own matrix, takes from the mirrored places what the others have left, and the least
 * assignment of that matrix goes back to the leader (its prices come off the matrix). Then the
 * least assignment of all leaders comes off them and is added to the bound. Nothing is lost, and
 * no cost becomes negative, so the sum is a bound after every round. All figures are whole
 * numbers, scaled up, so nothing is rounded the wrong way.
 * Cost:   n^2 linear assignments of n - 1 a round, 8 n^4 bytes of memory.
 * Source: Hahn and Grant (Operations Research 46, 1998). */
#include <string.h>

#include "passes/assignment_core.h"

enum { MOST_ROUNDS = 4000, IDLE_ROUNDS = 200 };

typedef struct ascent {
	size_t n, m; /* m = n - 1: sides of the matrix of one leader */
	int64_t scale, bound, rounds;
	int64_t *leader; /* [item * n + unit] */
	int64_t *pair;	 /* [(item * n + unit) * m * m + j * m + v], own item and unit left out */
	int64_t *row, *col;
	int *column;
	size_t *order; /* of leaders, in this round */
	uint64_t random;
	void *scratch;
} ascent;

/* Place of x among all but `without`. */
static size_t skip(size_t x, size_t without)
{
	return x > without ? x - 1 : x;
}

static int64_t *matrix_of(const ascent *s, size_t i, size_t u)
{
	return s->pair + (i * s->n + u) * s->m * s->m;
}

static void fill(ascent *s, const assignment_dense *d)
{
	size_t n = s->n, m = s->m;
	for (size_t k = 0; k < n * n && d->price; k++)
		s->leader[k] = d->price[k] * s->scale;
	for (size_t i = 0; i < n; i++)
		for (size_t u = 0; u < n; u++) {
			int64_t *pair = matrix_of(s, i, u);
			for (size_t j = 0; j < n; j++)
				for (size_t v = 0; v < n; v++) {
					if (j == i || v == u)
						continue;
					int64_t cost = 0;
					for (int t = 0; t < d->terms; t++)
						cost += d->flow[t][i * n + j] * d->far[t][u * n + v];
					pair[skip(j, i) * m + skip(v, u)] = cost * s->scale / 2;
				}
		}
}

/* Takes all that the mirrored places have. */
static void take_mirrors(ascent *s, size_t i, size_t u)
{
	size_t n = s->n, m = s->m;
	int64_t *pair = matrix_of(s, i, u);
	for (size_t j = 0; j < n; j++) {
		if (j == i)
			continue;
		int64_t *row = pair + skip(j, i) * m;
		for (size_t v = 0; v < n; v++) {
			if (v == u)
				continue;
			int64_t *mirrored = matrix_of(s, j, v) + skip(i, j) * m + skip(u, v);
			row[skip(v, u)] += *mirrored;
			*mirrored = 0;
		}
	}
}

/* The leader's cost goes evenly to the rows of its matrix: each assignment takes one of each. */
static void spread_leader(ascent *s, size_t i, size_t u)
{
	int64_t *leader = &s->leader[i * s->n + u], *pair = matrix_of(s, i, u);
	int64_t part = *leader > 0 ? *leader / (int64_t)s->m : 0;
	for (size_t k = 0; part && k < s->m * s->m; k++)
		pair[k] += part;
	*leader -= part * (int64_t)s->m;
}

static void reduce(int64_t *cost, size_t n, const int64_t *row, const int64_t *col)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			cost[i * n + j] -= row[i] + col[j];
}

static int64_t take_assignment(ascent *s, int64_t *cost, size_t n)
{
	int64_t value = assignment_linear((int)n, cost, s->column, s->row, s->col, s->scratch);
	reduce(cost, n, s->row, s->col);
	return value;
}

static void serve_leader(ascent *s, size_t i, size_t u)
{
	int64_t *pair = matrix_of(s, i, u);
	if (s->rounds)
		take_mirrors(s, i, u);
	s->leader[i * s->n + u] += take_assignment(s, pair, s->m);
}

static void run_round(ascent *s)
{
	size_t all = s->n * s->n;
	for (size_t k = 0; k < all; k++)
		spread_leader(s, k / s->n, k % s->n);
	for (size_t k = all; k-- > 0;) {
		size_t j = (size_t)assignment_draw(&s->random, (int)k + 1), leader = s->order[j];
		s->order[j] = s->order[k];
		s->order[k] = leader;
		serve_leader(s, leader / s->n, leader % s->n);
	}
	s->bound += take_assignment(s, s->leader, s->n);
	s->rounds++;
}

void assignment_ascend(assignment_run *r, const assignment_dense *d, double until)
{
	size_t n = (size_t)d->n, m = n - 1;
	ascent s = {.n = n, .m = m, .scale = 2};
	if (n < 3 || d->most >= INT64_MAX / 64 / (int64_t)(n * n))
		return;
	pim_arena *a = pim_arena_new();
	while (s.scale < 1 << 12 && d->most * s.scale < (int64_t)1 << 40)
		s.scale *= 2;
	s.leader = PIM_NEW(a, int64_t, n * n);
	s.pair = PIM_NEW(a, int64_t, n * n * m * m);
	s.row = PIM_NEW(a, int64_t, n);
	s.col = PIM_NEW(a, int64_t, n);
	s.column = PIM_NEW(a, int, n);
	s.scratch = pim_arena_alloc(a, 24 * n);
	s.order = PIM_NEW(a, size_t, n * n);
	for (size_t k = 0; k < n * n; k++)
		s.order[k] = k;
	fill(&s, d);
	for (int k = 0, idle = 0; k < MOST_ROUNDS && idle < IDLE_ROUNDS; k++) {
		int64_t before = s.bound;
		run_round(&s);
		idle = s.bound - before > s.bound / 1000000 ? 0 : idle + 1;
		assignment_raise_bound(r, d->constant + s.bound / s.scale + (s.bound % s.scale > 0));
		if (pim_seconds_now() > until || assignment_done(r))
			break;
	}
	pim_arena_free(a);
}
