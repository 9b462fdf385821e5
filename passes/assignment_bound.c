/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_bound - lower bounds without search.
 *
 * Gilmore-Lawler, one item on a unit: with item i on unit u, its traffic costs at least the product
 * of its flows, largest first, with the distances from u, shortest first. Half of that (each pair
 * is seen from both ends) plus the price, as a linear assignment, is a bound on all.
 * One item at a time, any capacities, O(traffic log traffic): the partners of an item fill what is
 * left of its own unit, then the units one hop away, then two, those with most bytes per weight
 * first and the last one in part. The best unit of the machine counts for every item. A net needs
 * as many links as units that its members fill, less one. Source: the first, Gilmore (1962) and
 * Lawler (1963); the second is ours. */
#include <stdlib.h>
#include <string.h>

#include "passes/assignment_core.h"

static int compare_up(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The n - 1 entries of each row without the diagonal, ascending. */
static int64_t *sort_rows(const int64_t *m, size_t n, pim_arena *a)
{
	int64_t *sorted = PIM_NEW(a, int64_t, n * n);
	for (size_t i = 0; i < n; i++) {
		int64_t *row = sorted + i * n;
		memcpy(row, m + i * n, sizeof *row * i);
		memcpy(row + i, m + i * n + i + 1, sizeof *row * (n - i - 1));
		qsort(row, n - 1, sizeof *row, compare_up);
	}
	return sorted;
}

int64_t assignment_bound_gilmore_lawler(const assignment_dense *d, pim_arena *scratch)
{
	size_t n = (size_t)d->n;
	int64_t *cost = PIM_NEW(scratch, int64_t, n * n), *row = PIM_NEW(scratch, int64_t, 2 * n);
	int *column = PIM_NEW(scratch, int, n);
	for (int t = 0; t < d->terms; t++) {
		int64_t *flow = sort_rows(d->flow[t], n, scratch), *far = sort_rows(d->far[t], n, scratch);
		for (size_t i = 0; i < n; i++)
			for (size_t u = 0; u < n; u++)
				for (size_t k = 0; k + 1 < n; k++)
					cost[i * n + u] += flow[i * n + k] * far[u * n + n - 2 - k];
	}
	for (size_t k = 0; d->price && k < n * n; k++)
		cost[k] += 2 * d->price[k];
	int64_t twice = pim_linear_assignment((int)n, cost, column, row, row + n);
	return d->constant + twice / 2 + (twice > 0 && twice % 2);
}

/* ---- one item at a time ---- */

/* The k-th nearest unit is at distance[k] or further, seen from any unit; no k + 1 units hold more
 * than within[k]. */
typedef struct rings {
	int n;
	int64_t *distance, *within;
} rings;

static int64_t shorter_way(const pim_assignment *p, int u, int v)
{
	int64_t there = assignment_distance(p, u, v);
	int64_t back = p->symmetric ? there : assignment_distance(p, v, u);
	return u == v ? 0 : there < back ? there : back;
}

static void take_nearer(const pim_assignment *p, int u, int64_t *distance, int64_t *row)
{
	size_t n = (size_t)p->units;
	for (int v = 0; v < p->units; v++)
		row[v] = shorter_way(p, u, v);
	qsort(row, n, sizeof *row, compare_up);
	for (size_t k = 0; k < n; k++)
		distance[k] = row[k] < distance[k] ? row[k] : distance[k];
}

/* On a grid no unit has more neighbours within any distance than the one in the middle. */
static rings find_rings(const pim_assignment *p, pim_arena *a)
{
	size_t n = (size_t)p->units;
	int64_t *distance = PIM_NEW(a, int64_t, n), *within = PIM_NEW(a, int64_t, n);
	for (size_t k = 0; k < n; k++)
		distance[k] = INT64_MAX;
	if (p->distance)
		for (int u = 0; u < p->units; u++)
			take_nearer(p, u, distance, within);
	else
		take_nearer(p,
			((p->size[2] / 2) * p->size[1] + p->size[1] / 2) * p->size[0] + p->size[0] / 2,
			distance, within);
	int64_t *capacity = PIM_NEW(a, int64_t, n);
	memcpy(capacity, p->capacity, sizeof *capacity * n);
	qsort(capacity, n, sizeof *capacity, compare_up);
	for (size_t k = 0; k < n; k++)
		within[k] = capacity[n - 1 - k] + (k ? within[k - 1] : 0);
	return (rings){p->units, distance, within};
}

typedef struct partner {
	int64_t bytes, weight;
} partner;

static int compare_partners(const void *a, const void *b)
{
	const partner *x = a, *y = b;
	double left = (double)x->bytes * (double)y->weight,
		   right = (double)y->bytes * (double)x->weight;
	return (left < right) - (left > right);
}

/* Least cost of the traffic with partners, heaviest first, from a unit with `own` weight on it. */
static double fill_rings(const rings *g, int64_t own, const partner *with, int n)
{
	double cost = 0, used = (double)own;
	for (int i = 0, k = 0; i < n; i++) {
		double weight = (double)with[i].weight, left = weight;
		while (left > 0 && k < g->n) {
			double room = (double)g->within[k] - used;
			double part = left < room ? left : room;
			if (part > 0) {
				cost += (double)with[i].bytes * (double)g->distance[k] * (part / weight);
				left -= part;
				used += part;
			}
			if (left > 0)
				k++;
		}
	}
	return cost;
}

static int64_t bound_net(const pim_assignment *p, const assignment_net *net, int64_t largest)
{
	int64_t weight = 0;
	for (int i = 0; i < net->n; i++) {
		bool again = false;
		for (int j = 0; j < i && !again; j++)
			again = net->item[j] == net->item[i];
		weight += again ? 0 : p->weight[net->item[i]];
	}
	return weight > largest ? net->bytes * ((weight + largest - 1) / largest - 1) : 0;
}

static int64_t bound_prices(const pim_assignment *p)
{
	int64_t sum = 0;
	for (int i = 0; i < p->n; i++) {
		const int64_t *price = p->price[i];
		int64_t least = price ? INT64_MAX : 0;
		for (int u = 0; price && u < p->units; u++)
			if ((p->fixed[i] < 0 || p->fixed[i] == u) && price[u] < least)
				least = price[u];
		sum += least;
	}
	return sum;
}

int64_t assignment_bound_by_item(const pim_assignment *p, pim_arena *scratch)
{
	rings g = find_rings(p, scratch);
	int64_t largest = 1, bound = bound_prices(p);
	double twice = 0;
	partner *partner_of = PIM_NEW(scratch, partner, p->n);
	for (int u = 0; u < p->units; u++)
		largest = p->capacity[u] > largest ? p->capacity[u] : largest;
	for (int i = 0; i < p->n; i++) {
		int n = 0;
		for (int x = p->first[i]; x < p->first[i + 1]; x++) {
			const assignment_edge *e = &p->edge[x];
			if (p->weight[e->other])
				partner_of[n++] = (partner){e->to + e->from, p->weight[e->other]};
		}
		qsort(partner_of, (size_t)n, sizeof *partner_of, compare_partners);
		twice += fill_rings(&g, p->weight[i], partner_of, n);
	}
	for (int k = 0; k < p->n_nets; k++)
		bound += bound_net(p, &p->net[k], largest);
	double half = twice / 2 * (1 - 1e-12);
	int64_t whole = (int64_t)half;
	return bound + whole + ((double)whole < half - 1e-6);
}
