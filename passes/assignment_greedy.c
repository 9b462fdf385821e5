/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_greedy - a first assignment, and repair of one that overfills units.
 *
 * Greedy: fixed items first; then always the item with most bytes to placed ones (largest traffic
 * when there is none), on the unit where its traffic to them costs least, of equal ones the one
 * nearest to the middle of the machine. Cost: traffic * units.
 * Where an item finds no room, all begins again with the heaviest first, then with those in front
 * that found none, with and without regard to cost.
 * Repair: from each overfull unit, lightest traffic first, items go to the unit with room where
 * they cost least. */
#include <stdlib.h>
#include <string.h>

#include "ir/heap.h"
#include "passes/assignment_core.h"

enum { ATTEMPTS = 60 };

typedef struct greedy {
	const pim_assignment *p;
	int *unit;
	int64_t *room;	 /* [unit] */
	int64_t *pull;	 /* [item]: bytes to placed items, -1 when placed */
	int64_t *total;	 /* [item]: all its bytes */
	int64_t *remote; /* [unit]: distances to all others added up */
	int64_t *rank;	 /* [item]: higher ones go first */
	bool tight;		 /* the unit with least room is best, whatever it costs */
	int *heap, *where, n_heap;
} greedy;

/* ---- a heap of the items not yet placed, most pull first ---- */

static bool is_before(const greedy *g, int a, int b)
{
	if (g->rank[a] != g->rank[b])
		return g->rank[a] > g->rank[b];
	if (g->pull[a] != g->pull[b])
		return g->pull[a] > g->pull[b];
	if (g->total[a] != g->total[b])
		return g->total[a] > g->total[b];
	return a < b;
}

static void put(greedy *g, int *heap, int64_t k, int item)
{
	heap[k] = item;
	g->where[item] = (int)k;
}

PIM_HEAP(item, greedy *, int, is_before, put)

/* ---- placing ---- */

static int64_t cost_at(const pim_assignment *p, const int *unit, int item, int u)
{
	int64_t cost = p->price[item] ? p->price[item][u] : 0;
	for (int x = p->first[item]; x < p->first[item + 1]; x++)
		if (unit[p->edge[x].other] >= 0)
			cost += assignment_edge_cost(p, &p->edge[x], u, unit[p->edge[x].other]);
	return cost;
}

static void occupy(greedy *g, int item, int u)
{
	const pim_assignment *p = g->p;
	g->unit[item] = u;
	g->room[u] -= p->weight[item];
	for (int x = p->first[item]; x < p->first[item + 1]; x++) {
		int other = p->edge[x].other;
		if (g->unit[other] >= 0)
			continue;
		g->pull[other] += p->edge[x].to + p->edge[x].from;
		if (g->where[other] >= 0)
			item_lift(g, g->heap, g->where[other], other);
	}
}

static int best_unit(const greedy *g, int item)
{
	int best = -1;
	int64_t least = 0;
	for (int u = 0; u < g->p->units; u++) {
		if (g->room[u] < g->p->weight[item] || !g->p->capacity[u])
			continue;
		int64_t cost = g->tight ? g->room[u] : cost_at(g->p, g->unit, item, u);
		if (best < 0 || cost < least || (cost == least && g->remote[u] < g->remote[best])) {
			best = u;
			least = cost;
		}
	}
	return best;
}

static void sum_distances(greedy *g)
{
	const pim_assignment *p = g->p;
	for (int u = 0; u < p->units; u++)
		for (int v = 0; v < p->units; v++)
			g->remote[u] += assignment_distance(p, u, v);
}

/* One pass; the first item without room, or -1. */
static int place_all(greedy *g)
{
	const pim_assignment *p = g->p;
	memcpy(g->room, p->capacity, sizeof *g->room * (size_t)p->units);
	memset(g->unit, -1, sizeof *g->unit * (size_t)p->n);
	memset(g->where, -1, sizeof *g->where * (size_t)p->n);
	memset(g->pull, 0, sizeof *g->pull * (size_t)p->n);
	for (int i = 0; i < p->n; i++)
		if (p->fixed[i] >= 0)
			occupy(g, i, p->fixed[i]);
	g->n_heap = 0;
	for (int i = 0; i < p->n; i++)
		if (g->unit[i] < 0)
			item_lift(g, g->heap, g->n_heap++, i);
	while (g->n_heap) {
		int item = item_pop(g, g->heap, g->n_heap--), u = best_unit(g, item);
		g->where[item] = -1;
		if (u < 0)
			return item;
		occupy(g, item, u);
	}
	return -1;
}

bool assignment_greedy(const pim_assignment *p, int *unit, pim_arena *scratch)
{
	size_t n = (size_t)p->n, units = (size_t)p->units;
	greedy g = {.p = p, .unit = unit, .room = PIM_NEW(scratch, int64_t, units)};
	int64_t highest = 0;
	g.pull = PIM_NEW(scratch, int64_t, n);
	g.total = PIM_NEW(scratch, int64_t, n);
	g.rank = PIM_NEW(scratch, int64_t, n);
	g.remote = PIM_NEW(scratch, int64_t, units);
	g.heap = PIM_NEW(scratch, int, n);
	g.where = PIM_NEW(scratch, int, n);
	sum_distances(&g);
	for (int i = 0; i < p->n; i++)
		for (int x = p->first[i]; x < p->first[i + 1]; x++)
			g.total[i] += p->edge[x].to + p->edge[x].from;
	for (int attempt = 0, left; attempt < ATTEMPTS; attempt++) {
		left = place_all(&g);
		if (left < 0)
			return true;
		for (int i = 0; i < p->n && !attempt; i++) {
			g.rank[i] = p->weight[i];
			highest = p->weight[i] > highest ? p->weight[i] : highest;
		}
		g.tight = attempt % 2;
		if (attempt >= 2)
			g.rank[left] = ++highest;
	}
	return false;
}

/* ---- repair ---- */

/* The item of overfull unit u whose best move costs least per weight; to *to. -1 when none fits. */
static int cheapest_to_leave(
	const pim_assignment *p, const int *unit, const int64_t *room, const int *here, int n, int *to)
{
	int best = -1;
	double least = 0;
	for (int k = 0; k < n; k++) {
		int i = here[k];
		if (p->fixed[i] >= 0 || !p->weight[i])
			continue;
		int64_t stay = cost_at(p, unit, i, unit[i]);
		for (int v = 0; v < p->units; v++) {
			if (v == unit[i] || room[v] < p->weight[i])
				continue;
			double more = (double)(cost_at(p, unit, i, v) - stay) / (double)p->weight[i];
			if (best < 0 || more < least) {
				best = i;
				least = more;
				*to = v;
			}
		}
	}
	return best;
}

bool assignment_repair(const pim_assignment *p, int *unit, pim_arena *scratch)
{
	int64_t *room = PIM_NEW(scratch, int64_t, p->units);
	int *here = PIM_NEW(scratch, int, p->n);
	bool good = true;
	memcpy(room, p->capacity, sizeof *room * (size_t)p->units);
	for (int i = 0; i < p->n; i++)
		room[unit[i]] -= p->weight[i];
	for (int u = 0; u < p->units; u++)
		while (room[u] < 0) {
			int n = 0, to = 0;
			for (int i = 0; i < p->n; i++)
				if (unit[i] == u)
					here[n++] = i;
			int i = cheapest_to_leave(p, unit, room, here, n, &to);
			good = good && i >= 0;
			if (i < 0)
				break;
			room[u] += p->weight[i];
			room[to] -= p->weight[i];
			unit[i] = to;
		}
	return good;
}
