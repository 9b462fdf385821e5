/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_dense - one item on a unit, as two matrices and a matrix of prices.
 *
 * Fixed items leave: their traffic becomes prices of the others. Units that are left over get empty
 * items, so that an assignment is a permutation. Where flow or distances are symmetric the other
 * one is made symmetric too (both ways added), and one product per pair does; else a second term
 * holds both matrices transposed. */
#include <stdlib.h>
#include <string.h>

#include "passes/assignment_core.h"

static bool one_item_on_a_unit(const pim_assignment *p)
{
	for (int i = 0; i < p->n; i++)
		if (p->weight[i] != 1)
			return false;
	for (int u = 0; u < p->units; u++)
		if (p->capacity[u] > 1)
			return false;
	return !p->n_nets;
}

/* Places of items and units of the problem among those that are free, -1 for others. */
typedef struct numbers {
	int *item, *unit;
} numbers;

static numbers number_free(assignment_dense *d, const pim_assignment *p, pim_arena *a)
{
	numbers k = {PIM_NEW(a, int, p->n), PIM_NEW(a, int, p->units)};
	bool *taken = PIM_NEW(a, bool, p->units);
	d->unit = PIM_NEW(a, int, p->units);
	for (int i = 0; i < p->n; i++)
		if (p->fixed[i] >= 0)
			taken[p->fixed[i]] = true;
	for (int u = 0; u < p->units; u++) {
		k.unit[u] = taken[u] || !p->capacity[u] ? -1 : d->n;
		if (k.unit[u] >= 0)
			d->unit[d->n++] = u;
	}
	d->item = PIM_NEW(a, int, d->n);
	for (int i = 0; i < p->n; i++) {
		k.item[i] = p->fixed[i] < 0 && d->real < d->n ? d->real : -1;
		if (k.item[i] >= 0)
			d->item[d->real++] = i;
	}
	for (int i = d->real; i < d->n; i++)
		d->item[i] = -1;
	return k;
}

static void price_fixed(
	assignment_dense *d, const pim_assignment *p, const assignment_edge *e, int i, pim_arena *a)
{
	size_t n = (size_t)d->n;
	if (!d->price)
		d->price = PIM_NEW(a, int64_t, n * n);
	for (size_t u = 0; u < n; u++)
		d->price[(size_t)i * n + u] += assignment_edge_cost(p, e, d->unit[u], p->fixed[e->other]);
}

static void fill_flow(assignment_dense *d, const pim_assignment *p, const numbers *k, pim_arena *a)
{
	size_t n = (size_t)d->n;
	d->flow[0] = PIM_NEW(a, int64_t, n * n);
	for (int i = 0; i < d->real; i++)
		for (int x = p->first[d->item[i]]; x < p->first[d->item[i] + 1]; x++) {
			const assignment_edge *e = &p->edge[x];
			if (p->fixed[e->other] >= 0)
				price_fixed(d, p, e, i, a);
			else
				d->flow[0][(size_t)i * n + (size_t)k->item[e->other]] = e->to;
		}
	for (int i = 0; i < d->real; i++) {
		const int64_t *price = p->price[d->item[i]];
		if (price && !d->price)
			d->price = PIM_NEW(a, int64_t, n * n);
		for (size_t u = 0; price && u < n; u++)
			d->price[(size_t)i * n + u] += price[d->unit[u]];
	}
}

static bool is_symmetric(const int64_t *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (m[i * n + j] != m[j * n + i])
				return false;
	return true;
}

static int64_t *transpose(const int64_t *m, size_t n, pim_arena *a)
{
	int64_t *t = PIM_NEW(a, int64_t, n * n);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			t[j * n + i] = m[i * n + j];
	return t;
}

/* Distances, and the second term where both matrices are asymmetric. */
static void fill_far(assignment_dense *d, const pim_assignment *p, pim_arena *a)
{
	size_t n = (size_t)d->n;
	int64_t *far = d->far[0] = PIM_NEW(a, int64_t, n * n);
	for (size_t u = 0; u < n; u++)
		for (size_t v = 0; v < n; v++)
			far[u * n + v] = u == v ? 0 : assignment_distance(p, d->unit[u], d->unit[v]);
	d->terms = 1;
	if (p->symmetric)
		return;
	int64_t *back = transpose(far, n, a);
	if (is_symmetric(d->flow[0], n)) {
		for (size_t k = 0; k < n * n; k++)
			far[k] += back[k];
		return;
	}
	d->terms = 2;
	d->far[1] = back;
	d->flow[1] = transpose(d->flow[0], n, a);
}

/* No row sum of flow times distance is larger: bounds every price and every change of cost. */
static int64_t find_most(const assignment_dense *d)
{
	size_t n = (size_t)d->n;
	int64_t row = 0, far = 0, price = 0;
	for (int t = 0; t < d->terms; t++)
		for (size_t i = 0; i < n; i++) {
			int64_t sum = 0;
			for (size_t j = 0; j < n; j++) {
				sum += d->flow[t][i * n + j];
				far = d->far[t][i * n + j] > far ? d->far[t][i * n + j] : far;
			}
			row = sum > row ? sum : row;
		}
	for (size_t k = 0; d->price && k < n * n; k++)
		price = llabs(d->price[k]) > price ? llabs(d->price[k]) : price;
	return 2 * d->terms * row * far + 2 * price;
}

static int64_t fixed_cost(const pim_assignment *p)
{
	int64_t cost = 0;
	for (int i = 0; i < p->n; i++) {
		if (p->fixed[i] < 0)
			continue;
		cost += p->price[i] ? p->price[i][p->fixed[i]] : 0;
		for (int x = p->first[i]; x < p->first[i + 1]; x++) {
			const assignment_edge *e = &p->edge[x];
			if (e->other < i && p->fixed[e->other] >= 0)
				cost += assignment_edge_cost(p, e, p->fixed[i], p->fixed[e->other]);
		}
	}
	return cost;
}

assignment_dense *assignment_dense_of(const pim_assignment *p, int most, pim_arena *a)
{
	if (!one_item_on_a_unit(p))
		return NULL;
	assignment_dense *d = PIM_NEW(a, assignment_dense, 1);
	numbers k = number_free(d, p, a);
	if (d->n > most || !d->real)
		return NULL;
	fill_flow(d, p, &k, a);
	fill_far(d, p, a);
	d->constant = fixed_cost(p);
	d->most = find_most(d);
	return d;
}

int64_t assignment_dense_cost(const assignment_dense *d, const int *at)
{
	size_t n = (size_t)d->n;
	int64_t cost = d->constant;
	for (size_t i = 0; i < n; i++) {
		size_t u = (size_t)at[i];
		cost += d->price ? d->price[i * n + u] : 0;
		for (int t = 0; t < d->terms; t++)
			for (size_t j = 0; j < i; j++)
				cost += d->flow[t][i * n + j] * d->far[t][u * n + (size_t)at[j]];
	}
	return cost;
}

void assignment_dense_read(const assignment_dense *d, const int *unit, int *at)
{
	int next = d->real;
	for (int u = 0, i; u < d->n; u++) {
		for (i = 0; i < d->real && unit[d->item[i]] != d->unit[u]; i++)
			continue;
		at[i < d->real ? i : next++] = u;
	}
}

void assignment_dense_write(
	const assignment_dense *d, const pim_assignment *p, const int *at, int *unit)
{
	for (int i = 0; i < p->n; i++)
		unit[i] = p->fixed[i];
	for (int i = 0; i < d->real; i++)
		unit[d->item[i]] = d->unit[at[i]];
}
