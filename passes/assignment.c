/* SPDX-License-Identifier: Apache-2.0 */
/* assignment - the order in which the placement engine works.
 *
 * Bounds without search come first. One item on a unit, and not too many units: tabu runs that
 * learn from each other, after a dual ascent where the problem is small; a sparse problem of more
 * than a few dozen units starts from an annealed assignment. All else: clusters, annealed. The
 * last part of the time goes to the busiest link, where it counts. */
#include <stdlib.h>
#include <string.h>

#include "passes/assignment_core.h"

enum { DENSE_MOST = 320, ASCENT_MOST = 42 };

bool assignment_time_is_up(assignment_run *r)
{
	return r->stop || (r->most_steps && r->steps >= r->most_steps) || pim_seconds_now() >= r->until;
}

bool assignment_done(assignment_run *r)
{
	return (r->has_best && r->cost <= r->bound) || assignment_time_is_up(r);
}

static pim_assignment_answer answer_of(const assignment_run *r)
{
	pim_assignment_answer a = {.status = PIM_ASSIGNMENT_infeasible, .bound = r->bound};
	int64_t weight =
		r->options->links == PIM_ASSIGNMENT_links_weighed ? r->options->link_weight : 0;
	a.steps = r->steps;
	a.seconds = pim_seconds_now() - r->begin;
	if (!r->has_best)
		return a;
	a.cost = r->cost;
	a.unit = r->best;
	if (r->options->links != PIM_ASSIGNMENT_links_free)
		a.busiest = pim_assignment_busiest(r->p, r->best);
	bool least = r->cost + weight * a.busiest <= r->bound;
	a.status = least ? PIM_ASSIGNMENT_optimal : PIM_ASSIGNMENT_feasible;
	return a;
}

static void tell(assignment_run *r)
{
	pim_assignment_answer a = answer_of(r);
	if (r->options->on_progress && r->has_best && !r->options->on_progress(r->options->user, &a))
		r->stop = true;
}

void assignment_offer(assignment_run *r, const int *unit, int64_t cost)
{
	if (r->has_best && cost >= r->cost)
		return;
	memcpy(r->best, unit, sizeof *unit * (size_t)r->p->n);
	r->has_best = true;
	r->cost = cost;
	tell(r);
}

void assignment_raise_bound(assignment_run *r, int64_t bound)
{
	int64_t over = bound % r->grain;
	bound += over > 0 ? r->grain - over : -over;
	if (bound <= r->bound)
		return;
	r->bound = bound;
	tell(r);
}

static int64_t common_divisor(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* A divisor of all costs. */
static int64_t find_grain(const pim_assignment *p)
{
	int64_t bytes = 0, far = p->distance ? 0 : 1;
	for (int x = 0; x < p->first[p->n]; x++)
		bytes = common_divisor(common_divisor(p->edge[x].to, p->edge[x].from), bytes);
	for (int k = 0; k < p->units * p->units && p->distance; k++)
		far = common_divisor(p->distance[k], far);
	bytes *= far;
	for (int k = 0; k < p->n_nets; k++)
		bytes = common_divisor(p->net[k].bytes, bytes);
	for (int i = 0; i < p->n; i++)
		for (int u = 0; p->price[i] && u < p->units; u++)
			bytes = common_divisor(llabs(p->price[i][u]), bytes);
	return bytes ? bytes : 1;
}

static bool has_room(const pim_assignment *p)
{
	int64_t weight = 0, room = 0, largest = 0;
	for (int u = 0; u < p->units; u++) {
		room += p->capacity[u];
		largest = p->capacity[u] > largest ? p->capacity[u] : largest;
	}
	for (int i = 0; i < p->n; i++) {
		weight += p->weight[i];
		if (p->weight[i] > largest)
			return false;
	}
	return weight <= room;
}

static void search_dense(assignment_run *r, const assignment_dense *d, pim_arena *a)
{
	const pim_assignment *p = r->p;
	double seconds = r->options->seconds;
	assignment_raise_bound(r, assignment_bound_gilmore_lawler(d, a));
	if (!r->has_best) {
		int *unit = PIM_NEW(a, int, p->n);
		if (assignment_greedy(p, unit, a))
			assignment_offer(r, unit, assignment_cost(p, unit));
	}
	if (d->n <= ASCENT_MOST && !assignment_done(r))
		assignment_ascend(r, d, r->begin + seconds * (d->n <= 20 ? 0.4 : 0.15));
	if (!assignment_done(r))
		assignment_evolve(r, d, r->options->seed);
}

static void search(assignment_run *r)
{
	pim_arena *a = pim_arena_new();
	assignment_dense *d = assignment_dense_of(r->p, DENSE_MOST, a);
	assignment_raise_bound(r, assignment_bound_by_item(r->p, a));
	if (d)
		search_dense(r, d, a);
	else
		assignment_levels(r, r->options->seed);
	pim_arena_free(a);
}

pim_assignment_answer pim_assignment_solve(pim_assignment *p, const pim_assignment_options *o)
{
	assignment_run r = {.p = p, .options = o, .begin = pim_seconds_now(), .bound = INT64_MIN};
	bool links = o->links != PIM_ASSIGNMENT_links_free && !p->distance;
	if (!assignment_fits(p))
		return (pim_assignment_answer){.status = PIM_ASSIGNMENT_too_large};
	if (!has_room(p))
		return (pim_assignment_answer){.status = PIM_ASSIGNMENT_infeasible};
	assignment_prepare(p);
	r.grain = find_grain(p);
	r.most_steps = o->steps;
	r.best = PIM_NEW(p->arena, int, p->n);
	r.until = r.begin + o->seconds * (links ? 0.8 : 1);
	if (p->begin)
		assignment_offer(&r, p->begin, assignment_cost(p, p->begin));
	search(&r);
	r.until = r.begin + o->seconds;
	r.most_steps = 2 * o->steps;
	if (links && r.has_best)
		assignment_balance(&r);
	return answer_of(&r);
}
