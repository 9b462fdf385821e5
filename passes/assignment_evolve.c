/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_evolve - many tabu runs that learn from each other.
 *
 * A few assignments are kept, each the end of a tabu run. A child keeps what its two parents agree
 * on and takes the rest from either at random; a tabu run improves it, and it replaces the worst
 * one if it is better and new. When the members are all alike, or nothing has improved for long,
 * every member but the best is shaken (its items moved round in cycles) and the runs get longer.
 * Source: the memetic scheme of Benlic and Hao (Expert Systems with Applications 42, 2015), with
 *         Taillard's tabu search in place of theirs. */
#include <string.h>

#include "passes/assignment_core.h"

enum { MEMBERS = 10, PATIENCE = 40 };

typedef struct member {
	int *at;
	int64_t cost;
} member;

typedef struct evolution {
	assignment_run *r;
	const assignment_dense *d;
	assignment_tabu *tabu;
	member m[MEMBERS], child;
	int *unit; /* of the problem, for offers */
	int *left;
	bool *taken;
	int64_t moves;
	uint64_t random;
} evolution;

static void shuffle(int *list, int n, uint64_t *random)
{
	for (int i = n - 1; i > 0; i--) {
		int j = assignment_draw(random, i + 1), k = list[i];
		list[i] = list[j];
		list[j] = k;
	}
}

static void improve(evolution *v, member *m)
{
	m->cost = assignment_tabu_run(v->tabu, v->r, m->at, v->moves, &v->random);
	if (!v->r->has_best || m->cost < v->r->cost) {
		assignment_dense_write(v->d, v->r->p, m->at, v->unit);
		assignment_offer(v->r, v->unit, m->cost);
	}
}

/* What both parents agree on; else the place in one of them, if it is free; else any free one. */
static void cross(evolution *v, const member *a, const member *b)
{
	int n = v->d->n, *at = v->child.at, left = 0, next = 0;
	memset(v->taken, 0, sizeof *v->taken * (size_t)n);
	for (int i = 0; i < n; i++) {
		at[i] = a->at[i] == b->at[i] ? a->at[i] : -1;
		if (at[i] >= 0)
			v->taken[at[i]] = true;
		else
			v->left[left++] = i;
	}
	shuffle(v->left, left, &v->random);
	for (int k = 0; k < left; k++) {
		int i = v->left[k];
		bool of_a = pim_random(&v->random) >> 63;
		int one = of_a ? a->at[i] : b->at[i], other = of_a ? b->at[i] : a->at[i];
		at[i] = !v->taken[one] ? one : !v->taken[other] ? other : -1;
		if (at[i] >= 0)
			v->taken[at[i]] = true;
	}
	for (int k = 0; k < left; k++) {
		if (at[v->left[k]] >= 0)
			continue;
		while (v->taken[next])
			next++;
		at[v->left[k]] = next;
		v->taken[next] = true;
	}
}

/* Moves `count` items round in one cycle. */
static void shake(evolution *v, member *m, int count)
{
	int n = v->d->n;
	for (int i = 0; i < n; i++)
		v->left[i] = i;
	shuffle(v->left, n, &v->random);
	int first = m->at[v->left[0]];
	for (int k = 0; k + 1 < count; k++)
		m->at[v->left[k]] = m->at[v->left[k + 1]];
	m->at[v->left[count - 1]] = first;
}

static int find_worst(const evolution *v)
{
	int worst = 0;
	for (int k = 1; k < MEMBERS; k++)
		worst = v->m[k].cost > v->m[worst].cost ? k : worst;
	return worst;
}

static int find_best(const evolution *v)
{
	int best = 0;
	for (int k = 1; k < MEMBERS; k++)
		best = v->m[k].cost < v->m[best].cost ? k : best;
	return best;
}

static bool is_new(const evolution *v, const member *c)
{
	for (int k = 0; k < MEMBERS; k++)
		if (v->m[k].cost == c->cost &&
			!memcmp(v->m[k].at, c->at, sizeof *c->at * (size_t)v->d->real))
			return false;
	return true;
}

static void begin_members(evolution *v)
{
	int n = v->d->n;
	for (int k = 0; k < MEMBERS && !assignment_done(v->r); k++) {
		for (int i = 0; i < n; i++)
			v->m[k].at[i] = i;
		shuffle(v->m[k].at, n, &v->random);
		if (!k && v->r->has_best)
			assignment_dense_read(v->d, v->r->best, v->m[k].at);
		improve(v, &v->m[k]);
	}
}

/* One child; true when it became a member. */
static bool breed(evolution *v)
{
	int a = assignment_draw(&v->random, MEMBERS), b = assignment_draw(&v->random, MEMBERS - 1);
	b += b >= a;
	cross(v, &v->m[a], &v->m[b]);
	if (!memcmp(v->child.at, v->m[a].at, sizeof *v->child.at * (size_t)v->d->real))
		shake(v, &v->child, 2 + assignment_draw(&v->random, v->d->n / 2));
	improve(v, &v->child);
	int worst = find_worst(v);
	if (v->child.cost > v->m[worst].cost || !is_new(v, &v->child))
		return false;
	member old = v->m[worst];
	v->m[worst] = v->child;
	v->child = old;
	return true;
}

static void begin_again(evolution *v)
{
	int best = find_best(v), n = v->d->n;
	v->moves += v->moves / 2;
	for (int k = 0; k < MEMBERS && !assignment_done(v->r); k++) {
		if (k == best)
			continue;
		shake(v, &v->m[k], n / 2 + 1);
		improve(v, &v->m[k]);
	}
}

void assignment_evolve(assignment_run *r, const assignment_dense *d, uint64_t seed)
{
	pim_arena *a = pim_arena_new();
	evolution v = {.r = r, .d = d, .tabu = assignment_tabu_new(d, a), .random = seed};
	for (int k = 0; k < MEMBERS; k++)
		v.m[k].at = PIM_NEW(a, int, d->n);
	v.child.at = PIM_NEW(a, int, d->n);
	v.unit = PIM_NEW(a, int, r->p->n);
	v.left = PIM_NEW(a, int, d->n);
	v.taken = PIM_NEW(a, bool, d->n);
	v.moves = 100 + 10 * d->n;
	begin_members(&v);
	for (int idle = 0; !assignment_done(r); idle++) {
		int64_t before = r->cost;
		breed(&v);
		idle = r->cost < before ? 0 : idle;
		if (idle < PATIENCE)
			continue;
		begin_again(&v);
		idle = 0;
	}
	pim_arena_free(a);
}
