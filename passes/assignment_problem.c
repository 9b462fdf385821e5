/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_problem - the problem of the placement engine: building, distances, cost, check.
 *
 * Distances on a grid are a sum of one table per dimension, so that no matrix is needed for large
 * machines. Before a search the traffic list becomes rows: all traffic of an item with one other
 * is one entry, and where distances are symmetric both directions are one figure. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "passes/assignment_core.h"

static const int64_t MOST_COST = (int64_t)1 << 52;

static pim_assignment *make_problem(int units)
{
	pim_arena *a = pim_arena_new();
	pim_assignment *p = PIM_NEW(a, pim_assignment, 1);
	p->arena = a;
	p->units = units;
	p->symmetric = true;
	p->capacity = PIM_NEW(a, int64_t, units);
	for (int u = 0; u < units; u++)
		p->capacity[u] = 1;
	return p;
}

static void make_ways(pim_assignment *p, int d)
{
	int size = p->size[d], *way = PIM_NEW(p->arena, int, 2 * size - 1) + size - 1;
	for (int step = 1 - size; step < size; step++) {
		int hops = abs(step);
		way[step] = p->shape == PIM_ASSIGNMENT_torus && size - hops < hops ? size - hops : hops;
	}
	p->way[d] = way;
	p->furthest += p->shape == PIM_ASSIGNMENT_torus ? size / 2 : size - 1;
}

pim_assignment *pim_assignment_new(pim_assignment_shape s, const int size[3])
{
	assert(size[0] > 0 && size[1] > 0 && size[2] > 0);
	pim_assignment *p = make_problem(size[0] * size[1] * size[2]);
	p->shape = s;
	for (int d = 0, stride = 1; d < 3; stride *= size[d++]) {
		p->size[d] = size[d];
		p->at[d] = PIM_NEW(p->arena, int, p->units);
		for (int u = 0; u < p->units; u++)
			p->at[d][u] = u / stride % size[d];
		make_ways(p, d);
	}
	return p;
}

pim_assignment *pim_assignment_new_matrix(int units, const int64_t *distance)
{
	pim_assignment *p = make_problem(units);
	size_t n = (size_t)units;
	p->distance = PIM_NEW(p->arena, int64_t, n * n);
	memcpy(p->distance, distance, sizeof *distance * n * n);
	for (size_t u = 0; u < n; u++)
		for (size_t v = 0; v < n; v++) {
			p->symmetric = p->symmetric && distance[u * n + v] == distance[v * n + u];
			p->furthest = distance[u * n + v] > p->furthest ? distance[u * n + v] : p->furthest;
		}
	return p;
}

pim_assignment *assignment_same_units(const pim_assignment *p)
{
	pim_assignment *q = make_problem(p->units);
	q->shape = p->shape;
	q->symmetric = p->symmetric;
	q->furthest = p->furthest;
	q->distance = p->distance;
	for (int d = 0; d < 3; d++) {
		q->size[d] = p->size[d];
		q->at[d] = p->at[d];
		q->way[d] = p->way[d];
	}
	memcpy(q->capacity, p->capacity, sizeof *p->capacity * (size_t)p->units);
	return q;
}

void pim_assignment_free(pim_assignment *p)
{
	if (p)
		pim_arena_free(p->arena);
}

void pim_assignment_set_capacity(pim_assignment *p, int unit, int64_t capacity)
{
	assert(unit >= 0 && unit < p->units && capacity >= 0);
	p->capacity[unit] = capacity;
}

int pim_assignment_add_item(pim_assignment *p, int64_t weight)
{
	int room = p->items_room;
	assert(weight >= 0);
	p->weight = pim_arena_grow(p->arena, p->weight, p->n, &room, sizeof *p->weight);
	p->fixed = pim_arena_grow(p->arena, p->fixed, p->n, &p->items_room, sizeof *p->fixed);
	p->weight[p->n] = weight;
	p->fixed[p->n] = -1;
	p->prepared = false;
	return p->n++;
}

void pim_assignment_fix(pim_assignment *p, int item, int unit)
{
	assert(item >= 0 && item < p->n && unit >= 0 && unit < p->units);
	p->fixed[item] = unit;
}

void pim_assignment_add_price(pim_assignment *p, int item, int unit, int64_t price)
{
	assert(item >= 0 && item < p->n && unit >= 0 && unit < p->units);
	p->price_list = pim_arena_grow(
		p->arena, p->price_list, p->n_prices, &p->prices_room, sizeof *p->price_list);
	p->price_list[p->n_prices++] = (assignment_price){item, unit, price};
	p->prepared = false;
}

void pim_assignment_add_traffic(pim_assignment *p, int from, int to, int64_t bytes)
{
	assert(from >= 0 && from < p->n && to >= 0 && to < p->n && bytes >= 0);
	p->traffic =
		pim_arena_grow(p->arena, p->traffic, p->n_traffic, &p->traffic_room, sizeof *p->traffic);
	p->traffic[p->n_traffic++] = (assignment_traffic){from, to, bytes};
	p->prepared = false;
}

void pim_assignment_add_net(
	pim_assignment *p, pim_assignment_net kind, int root, int n, const int *leaf, int64_t bytes)
{
	assert(!p->distance && root >= 0 && root < p->n && bytes >= 0);
	p->net = pim_arena_grow(p->arena, p->net, p->n_nets, &p->nets_room, sizeof *p->net);
	assignment_net *net = &p->net[p->n_nets++];
	*net = (assignment_net){kind, n + 1, PIM_NEW(p->arena, int, n + 1), bytes};
	net->item[0] = root;
	for (int i = 0; i < n; i++) {
		assert(leaf[i] >= 0 && leaf[i] < p->n);
		net->item[i + 1] = leaf[i];
	}
	p->prepared = false;
}

bool pim_assignment_begin_with(pim_assignment *p, const int *unit)
{
	int64_t cost;
	if (!pim_assignment_check(p, unit, &cost))
		return false;
	p->begin = PIM_NEW(p->arena, int, p->n);
	memcpy(p->begin, unit, sizeof *unit * (size_t)p->n);
	return true;
}

/* ---- rows of traffic ---- */

static int compare_edges(const void *a, const void *b)
{
	const assignment_edge *x = a, *y = b;
	return (x->other > y->other) - (x->other < y->other);
}

/* Sorts a row and adds up what goes to the same item; its new length. */
static int merge_row(assignment_edge *e, int n)
{
	int kept = 0;
	qsort(e, (size_t)n, sizeof *e, compare_edges);
	for (int i = 0; i < n; i++) {
		if (kept && e[kept - 1].other == e[i].other) {
			e[kept - 1].to += e[i].to;
			e[kept - 1].from += e[i].from;
		} else {
			e[kept++] = e[i];
		}
	}
	return kept;
}

static void make_rows(pim_assignment *p)
{
	int *fill = PIM_NEW(p->arena, int, p->n + 1), *first = PIM_NEW(p->arena, int, p->n + 1);
	for (int i = 0; i < p->n_traffic; i++) {
		const assignment_traffic *t = &p->traffic[i];
		if (t->from != t->to && t->bytes) {
			fill[t->from + 1]++;
			fill[t->to + 1]++;
		}
	}
	for (int i = 0; i < p->n; i++)
		first[i + 1] = fill[i + 1] += fill[i];
	p->edge = PIM_NEW(p->arena, assignment_edge, first[p->n]);
	for (int i = 0; i < p->n_traffic; i++) {
		const assignment_traffic *t = &p->traffic[i];
		if (t->from == t->to || !t->bytes)
			continue;
		int64_t back = p->symmetric ? t->bytes : 0;
		p->edge[fill[t->from]++] = (assignment_edge){t->to, t->bytes, 0};
		p->edge[fill[t->to]++] = (assignment_edge){t->from, back, t->bytes - back};
	}
	int kept = 0;
	for (int i = 0; i < p->n; i++) {
		int n = merge_row(p->edge + first[i], first[i + 1] - first[i]), begin = first[i];
		memmove(p->edge + kept, p->edge + begin, sizeof *p->edge * (size_t)n);
		first[i] = kept;
		kept += n;
	}
	first[p->n] = kept;
	p->first = first;
}

static void add_price(pim_assignment *p, int item, int unit, int64_t price)
{
	if (!p->price[item])
		p->price[item] = PIM_NEW(p->arena, int64_t, p->units);
	p->price[item][unit] += price;
}

static void make_prices(pim_assignment *p)
{
	p->price = PIM_NEW(p->arena, int64_t *, p->n);
	for (int i = 0; i < p->n_prices; i++)
		add_price(p, p->price_list[i].item, p->price_list[i].unit, p->price_list[i].price);
	for (int i = 0; i < p->n_traffic && p->distance; i++) {
		const assignment_traffic *t = &p->traffic[i];
		for (int u = 0; u < p->units && t->from == t->to; u++)
			if (assignment_distance(p, u, u))
				add_price(p, t->from, u, t->bytes * assignment_distance(p, u, u));
	}
}

/* An item that is in a net more than once counts once. */
static void make_net_lists(pim_assignment *p)
{
	int *fill = PIM_NEW(p->arena, int, p->n + 1), *last = PIM_NEW(p->arena, int, p->n);
	for (int pass = 0; pass < 2; pass++) {
		memset(last, -1, sizeof *last * (size_t)p->n);
		for (int k = 0; k < p->n_nets; k++)
			for (int i = 0; i < p->net[k].n; i++) {
				int item = p->net[k].item[i];
				if (last[item] == k)
					continue;
				last[item] = k;
				if (pass)
					p->net_of[fill[item]++] = k;
				else
					fill[item + 1]++;
			}
		if (pass)
			break;
		p->net_first = PIM_NEW(p->arena, int, p->n + 1);
		for (int i = 0; i < p->n; i++)
			p->net_first[i + 1] = fill[i + 1] += fill[i];
		p->net_of = PIM_NEW(p->arena, int, fill[p->n]);
	}
}

void assignment_prepare(pim_assignment *p)
{
	if (p->prepared)
		return;
	make_rows(p);
	make_prices(p);
	make_net_lists(p);
	p->prepared = true;
}

static bool add_product(int64_t *sum, int64_t a, int64_t b)
{
	int64_t product;
	return pim_mul(a, b, &product) && pim_add(*sum, product, sum) && *sum <= MOST_COST;
}

bool assignment_fits(const pim_assignment *p)
{
	int64_t sum = 0;
	bool fits = true;
	for (int i = 0; i < p->n_traffic && fits; i++)
		fits = add_product(&sum, p->traffic[i].bytes, p->furthest);
	for (int i = 0; i < p->n_nets && fits; i++)
		fits = add_product(&sum, p->net[i].bytes, p->units);
	for (int i = 0; i < p->n_prices && fits; i++)
		fits = p->price_list[i].price > -MOST_COST &&
			   add_product(&sum, llabs(p->price_list[i].price), 1);
	return fits;
}

/* ---- cost ---- */

int64_t assignment_cost(const pim_assignment *p, const int *unit)
{
	int64_t cost = 0;
	for (int i = 0; i < p->n_traffic; i++) {
		const assignment_traffic *t = &p->traffic[i];
		cost += t->bytes * assignment_distance(p, unit[t->from], unit[t->to]);
	}
	for (int i = 0; i < p->n_prices; i++)
		if (unit[p->price_list[i].item] == p->price_list[i].unit)
			cost += p->price_list[i].price;
	if (!p->n_nets)
		return cost;
	pim_arena *scratch = pim_arena_new();
	assignment_tree *t = assignment_tree_new(p, scratch);
	for (int i = 0; i < p->n_nets; i++)
		cost += p->net[i].bytes * assignment_tree_links(t, &p->net[i], unit);
	pim_arena_free(scratch);
	return cost;
}

bool pim_assignment_check(const pim_assignment *p, const int *unit, int64_t *cost)
{
	pim_arena *scratch = pim_arena_new();
	int64_t *used = PIM_NEW(scratch, int64_t, p->units);
	bool good = true;
	for (int i = 0; i < p->n && good; i++) {
		good = unit[i] >= 0 && unit[i] < p->units && (p->fixed[i] < 0 || p->fixed[i] == unit[i]) &&
			   p->weight[i] <= p->capacity[unit[i]] - used[unit[i]];
		if (good)
			used[unit[i]] += p->weight[i];
	}
	if (good)
		*cost = assignment_cost(p, unit);
	pim_arena_free(scratch);
	return good;
}
