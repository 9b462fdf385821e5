/* SPDX-License-Identifier: Apache-2.0 */
/* network.c - routes on a mesh, a torus or buses of one to three dimensions.
 *
 * Routing is dimension-ordered: all of x, then y, then z, which cannot deadlock on a mesh and
 * needs no tables. On a torus each dimension takes the shorter way round; of two equal ways the
 * one that counts upwards.
 *
 * Buses make a tree: the units of one x line share a bus (the banks of a channel), the x buses of
 * one y line share the next (the channels of a stack), and those of all z the last. A message takes
 * the buses up to the first that both ends are on, and down again; only one message is on a bus at
 * a time. */
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

int pim_network_steps(const pim_target *t, int d, int from, int to)
{
	int size = t->network.size[d], steps = to - from;
	if (t->network.topology == PIM_TOPOLOGY_mesh)
		return steps;
	int up = steps < 0 ? steps + size : steps;
	return up <= size - up ? up : up - size;
}

/* The first bus that both units are on: 0 along x, 1 along y, 2 along z; -1 for one unit. */
static int common_level(const pim_target *t, int from, int to)
{
	place a = find_place(t, from), b = find_place(t, to);
	int level = 2;
	while (level >= 0 && a.at[level] == b.at[level])
		level--;
	return level;
}

/* A bus is named by the first unit on it. */
static int find_bus(const pim_target *t, int unit, int level)
{
	place p = find_place(t, unit);
	for (int d = 0; d <= level; d++)
		p.at[d] = 0;
	return find_unit(t, &p) * LINKS_PER_UNIT + 2 * level;
}

static int bus_route(const pim_target *t, int from, int to, int *link)
{
	int top = common_level(t, from, to), hops = 0;
	for (int level = 0; level <= top; level++)
		link[hops++] = find_bus(t, from, level);
	for (int level = top - 1; level >= 0; level--)
		link[hops++] = find_bus(t, to, level);
	return hops;
}

int pim_network_hops(const pim_target *t, int from, int to)
{
	if (t->network.topology == PIM_TOPOLOGY_bus) {
		int top = common_level(t, from, to);
		return top < 0 ? 0 : 2 * top + 1;
	}
	place a = find_place(t, from), b = find_place(t, to);
	int hops = 0;
	for (int d = 0; d < 3; d++)
		hops += abs(pim_network_steps(t, d, a.at[d], b.at[d]));
	return hops;
}

int pim_network_next(const pim_target *t, int unit, int to)
{
	place a = find_place(t, unit), b = find_place(t, to);
	for (int d = 0; d < 3; d++) {
		int steps = pim_network_steps(t, d, a.at[d], b.at[d]), size = t->network.size[d];
		if (steps == 0)
			continue;
		a.at[d] = (a.at[d] + (steps < 0 ? size - 1 : 1)) % size;
		break;
	}
	return find_unit(t, &a);
}

int pim_network_route(const pim_target *t, int from, int to, int *link)
{
	if (t->network.topology == PIM_TOPOLOGY_bus)
		return bus_route(t, from, to, link);
	place a = find_place(t, from), b = find_place(t, to);
	int hops = 0, stride = 1;
	for (int d = 0; d < 3; d++) {
		int steps = pim_network_steps(t, d, a.at[d], b.at[d]), size = t->network.size[d];
		int way = steps < 0 ? -1 : 1, at = a.at[d];
		for (int s = abs(steps); s > 0; s--) {
			link[hops++] = from * LINKS_PER_UNIT + 2 * d + (steps < 0);
			int next = at + way < 0 ? size - 1 : at + way == size ? 0 : at + way;
			from += (next - at) * stride;
			at = next;
		}
		stride *= size;
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

void pim_network_tree_fill(
	const pim_target *t, int from, int n, const int *to, pim_tree *tree, int *entry, int *route)
{
	tree->n = 0;
	for (int i = 0; i < n; i++) {
		int hops = pim_network_route(t, from, to[i], route);
		tree->last[i] = add_route(tree, route, hops, n > 1 ? entry : NULL);
	}
	for (int i = 0; i < tree->n && n > 1; i++)
		entry[tree->link[i]] = 0;
}

pim_tree pim_network_tree(const pim_target *t, int from, int n, const int *to, pim_arena *a)
{
	pim_arena *scratch = pim_arena_new();
	int *entry = n > 1 ? PIM_NEW(scratch, int, pim_network_links(t)) : NULL;
	int *route = PIM_NEW(scratch, int, pim_network_diameter(t) + 1), most = 0;
	for (int i = 0; i < n; i++)
		most += pim_network_hops(t, from, to[i]);
	int all = pim_network_tree_links(t);
	most = most < all ? most : all;
	pim_tree tree = {
		.last = PIM_NEW(a, int, n), .link = PIM_NEW(a, int, most), .before = PIM_NEW(a, int, most)};
	pim_network_tree_fill(t, from, n, to, &tree, entry, route);
	pim_arena_free(scratch);
	return tree;
}

int pim_network_tree_links(const pim_target *t)
{
	return t->network.topology == PIM_TOPOLOGY_bus ? 3 * t->units : t->units - 1;
}

int pim_network_links(const pim_target *t)
{
	return t->units * LINKS_PER_UNIT;
}

int pim_network_diameter(const pim_target *t)
{
	if (t->network.topology == PIM_TOPOLOGY_bus)
		return pim_network_hops(t, 0, t->units - 1);
	int sum = 0;
	for (int d = 0; d < 3; d++) {
		int size = t->network.size[d];
		sum += t->network.topology == PIM_TOPOLOGY_torus ? size / 2 : size - 1;
	}
	return sum;
}

/* Buses: one along x for each y and z, one along y for each z, one along z; those that a message
 * can take. */
static double count_buses(const pim_target *t)
{
	const int *size = t->network.size;
	double n = t->units > 1 ? (double)size[1] * size[2] : 0;
	n += size[1] * size[2] > 1 ? size[2] : 0;
	return n + (size[2] > 1);
}

double pim_network_link_count(const pim_target *t)
{
	double links = 0;
	if (t->network.topology == PIM_TOPOLOGY_bus)
		return count_buses(t);
	for (int d = 0; d < 3; d++) {
		int size = t->network.size[d];
		bool ring = t->network.topology == PIM_TOPOLOGY_torus && size > 2;
		links += 2.0 * t->units / size * (ring ? size : size - 1);
	}
	return links;
}

/* On buses, of all pairs of two units: by how many share the bus of each level. */
static double mean_bus_hops(const pim_target *t)
{
	double hops = 0, below = 1, others = t->units - 1;
	for (int d = 0; d < 3; d++) {
		double reach = below * t->network.size[d];
		hops += (2 * d + 1) * (reach - below) / (others > 0 ? others : 1);
		below = reach;
	}
	return hops;
}

double pim_network_mean_hops(const pim_target *t)
{
	double hops = 0;
	if (t->network.topology == PIM_TOPOLOGY_bus)
		return mean_bus_hops(t);
	for (int d = 0; d < 3; d++) {
		int size = t->network.size[d];
		hops += t->network.topology == PIM_TOPOLOGY_torus ? size / 4.0 : (size - 1) / 3.0;
	}
	return hops;
}
