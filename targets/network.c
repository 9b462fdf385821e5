/* SPDX-License-Identifier: Apache-2.0 */
/* network.c - routes on a mesh or torus of one to three dimensions.
 *
 * Routing is dimension-ordered: all of x, then y, then z, which cannot deadlock on a mesh and
 * needs no tables. On a torus each dimension takes the shorter way round; of two equal ways the
 * one that counts upwards. */
#include <stdlib.h>

#include "targets/target.h"

enum { LINKS_PER_UNIT = 6 };

typedef struct place {
	int at[3];
} place;

static place find_place(const pim_target *t, int unit)
{
	const int *size = t->network.size;
	return (place){{unit % size[0], unit / size[0] % size[1], unit / size[0] / size[1]}};
}

static int find_unit(const pim_target *t, const place *p)
{
	const int *size = t->network.size;
	return (p->at[2] * size[1] + p->at[1]) * size[0] + p->at[0];
}

/* Steps to take along dimension d, negative for downwards. */
static int steps_along(const pim_target *t, int d, int from, int to)
{
	int size = t->network.size[d], steps = to - from;
	if (t->network.topology == PIM_TOPOLOGY_mesh)
		return steps;
	int up = steps < 0 ? steps + size : steps;
	return up <= size - up ? up : up - size;
}

int pim_network_hops(const pim_target *t, int from, int to)
{
	place a = find_place(t, from), b = find_place(t, to);
	int hops = 0;
	for (int d = 0; d < 3; d++)
		hops += abs(steps_along(t, d, a.at[d], b.at[d]));
	return hops;
}

int pim_network_route(const pim_target *t, int from, int to, int *link)
{
	place a = find_place(t, from), b = find_place(t, to);
	int hops = 0;
	for (int d = 0; d < 3; d++) {
		int steps = steps_along(t, d, a.at[d], b.at[d]), size = t->network.size[d];
		int way = steps < 0 ? size - 1 : 1;
		for (int s = abs(steps); s > 0; s--) {
			link[hops++] = find_unit(t, &a) * LINKS_PER_UNIT + 2 * d + (steps < 0);
			a.at[d] = (a.at[d] + way) % size;
		}
	}
	return hops;
}

/* Adds a route of the tree to those that are there. entry: by link, its index + 1; NULL: the first
 * route. */
static int add_route(pim_tree *tree, const int *route, int hops, int *entry)
{
	int at = -1;
	for (int h = 0; h < hops; h++) {
		int known = entry ? entry[route[h]] : 0;
		if (!known) {
			tree->link[tree->n] = route[h];
			tree->before[tree->n++] = at;
			known = tree->n;
		}
		if (entry)
			entry[route[h]] = known;
		at = known - 1;
	}
	return at;
}

pim_tree pim_network_tree(const pim_target *t, int from, int n, const int *to, pim_arena *a)
{
	pim_arena *scratch = pim_arena_new();
	int *entry = n > 1 ? PIM_NEW(scratch, int, pim_network_links(t)) : NULL;
	int *route = PIM_NEW(scratch, int, pim_network_diameter(t) + 1), most = 0;
	for (int i = 0; i < n; i++)
		most += pim_network_hops(t, from, to[i]);
	most = most < t->units ? most : t->units - 1;
	pim_tree tree = {
		.last = PIM_NEW(a, int, n), .link = PIM_NEW(a, int, most), .before = PIM_NEW(a, int, most)};
	for (int i = 0; i < n; i++)
		tree.last[i] = add_route(&tree, route, pim_network_route(t, from, to[i], route), entry);
	pim_arena_free(scratch);
	return tree;
}

int pim_network_links(const pim_target *t)
{
	return t->units * LINKS_PER_UNIT;
}

int pim_network_diameter(const pim_target *t)
{
	int sum = 0;
	for (int d = 0; d < 3; d++) {
		int size = t->network.size[d];
		sum += t->network.topology == PIM_TOPOLOGY_torus ? size / 2 : size - 1;
	}
	return sum;
}
