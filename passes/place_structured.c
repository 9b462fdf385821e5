/* SPDX-License-Identifier: Apache-2.0 */
/* place_structured - logical units in an order that walks the network.
 *
 * A tenant takes the units of the earlier tenant it reads most from when it needs as many and they
 * are free, so that what runs in a chain stays where it is; else free units in walking order, from
 * where that tenant begins. Three orders are tried for the whole graph: rows (two-dimensional
 * grids of slices keep their shape), a snake (neighbours in a line stay neighbours) and a Hilbert
 * curve (runs of neighbours stay in compact patches). Cost: messages and units, three times. */
#include "passes/place.h"

#include <stdlib.h>
#include <string.h>

typedef enum walk { WALK_rows, WALK_snake, WALK_hilbert, WALK_COUNT } walk;

typedef struct step {
	int64_t key;
	int unit;
} step;

static int compare_steps(const void *a, const void *b)
{
	const step *x = a, *y = b;
	return (x->key > y->key) - (x->key < y->key);
}

/* How far along the Hilbert curve of a square of side 2^k the place is (the usual rotate-and-flip
 * walk). */
static int64_t hilbert_key(int side, int x, int y)
{
	int64_t key = 0;
	for (int half = side / 2; half > 0; half /= 2) {
		int right = (x & half) != 0, upper = (y & half) != 0;
		key += (int64_t)half * half * ((3 * right) ^ upper);
		if (!upper) {
			int old = x;
			x = right ? side - 1 - y : y;
			y = right ? side - 1 - old : old;
		}
	}
	return key;
}

static int64_t snake_key(const int *size, int x, int y, int z)
{
	int row = z % 2 ? size[1] - 1 - y : y;
	int column = (z * size[1] + row) % 2 ? size[0] - 1 - x : x;
	return ((int64_t)z * size[1] + row) * size[0] + column;
}

static int *walk_network(const pim_target *t, walk w, pim_arena *a)
{
	const int *size = t->network.size;
	step *s = PIM_NEW(a, step, t->units);
	int *order = PIM_NEW(a, int, t->units), side = 1;
	while (side < size[0] || side < size[1])
		side *= 2;
	int64_t plane = (int64_t)side * side;
	for (int u = 0; u < t->units; u++) {
		int x = u % size[0], y = u / size[0] % size[1], z = u / size[0] / size[1];
		int64_t along = hilbert_key(side, x, y);
		int64_t key[WALK_COUNT] = {
			u, snake_key(size, x, y, z), z * plane + (z % 2 ? plane - 1 - along : along)};
		s[u] = (step){key[w], u};
	}
	qsort(s, (size_t)t->units, sizeof *s, compare_steps);
	for (int i = 0; i < t->units; i++)
		order[i] = s[i].unit;
	return order;
}

/* The placed tenant that this one exchanges most with, NULL for none. */
static const pim_tenant *closest(const pim_placement *p, int i)
{
	const pim_tenant *best = NULL;
	double most = 0;
	for (int k = 0; k < p->tenant[i].n_flows; k++) {
		const pim_flow *f = &p->flow[p->tenant[i].flow[k]];
		const pim_tenant *other = &p->tenant[f->from == i ? f->to : f->from];
		if (other->unit[0] >= 0 && f->bytes > most) {
			most = f->bytes;
			best = other;
		}
	}
	return best;
}

static bool can_share(const pim_tenant *t, const pim_tenant *other, const bool *taken)
{
	if (!other || other->n_units != t->n_units)
		return false;
	for (int k = 0; k < t->n_units; k++)
		if (taken[other->unit[k]])
			return false;
	return true;
}

static void settle_tenant(
	pim_placement *p, int i, const int *order, const int *position, bool *taken)
{
	pim_tenant *t = &p->tenant[i];
	const pim_tenant *other = closest(p, i);
	pim_placement_taken(p, i, taken);
	if (can_share(t, other, taken)) {
		memcpy(t->unit, other->unit, sizeof *t->unit * (size_t)t->n_units);
		return;
	}
	int at = other && t->n_units < p->units ? position[other->unit[0]] : 0;
	for (int k = 0, seen = 0; k < t->n_units && seen < p->units; seen++, at = (at + 1) % p->units)
		if (!taken[order[at]])
			t->unit[k++] = order[at];
}

static void forget_units(pim_placement *p)
{
	for (int i = 0; i < p->n; i++)
		for (int k = 0; k < p->tenant[i].n_units; k++)
			p->tenant[i].unit[k] = -1;
}

static double try_walk(pim_placement *p, walk w)
{
	pim_arena *scratch = pim_arena_new();
	int *order = walk_network(p->target, w, scratch), *position = PIM_NEW(scratch, int, p->units);
	bool *taken = PIM_NEW(scratch, bool, p->units);
	for (int i = 0; i < p->units; i++)
		position[order[i]] = i;
	forget_units(p);
	for (int i = 0; i < p->n; i++)
		settle_tenant(p, i, order, position, taken);
	pim_arena_free(scratch);
	return pim_placement_cost(p);
}

void pim_place_structured(pim_placement *p)
{

	walk best = WALK_rows;
	double least = try_walk(p, WALK_rows), cost = least;
	for (int w = WALK_rows + 1; w < WALK_COUNT; w++)
		if ((cost = try_walk(p, (walk)w)) < least) {
			least = cost;
			best = (walk)w;
		}
	if (cost != least || best != WALK_COUNT - 1)
		try_walk(p, best);
}
