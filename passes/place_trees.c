/* SPDX-License-Identifier: Apache-2.0 */
/* place_trees - links of multicast and reduction trees, and the cost of a placement.
 *
 * A message goes along x, then y, then z; the routes to all leaves together form a tree. In each
 * dimension the tree reaches up and down as far as any leaf that shares its earlier coordinates, so
 * a leaf adds to at most one stretch per dimension what it lies beyond. Partial sums come the other
 * way, along x first too: seen from the root the order of dimensions is z, y, x, and the last
 * stretches are those along x.
 * Cost: a few steps for each leaf; nothing is sorted or cleared. On buses, which are few, routes
 * are marked link by link. */
#include <stdlib.h>

#include "passes/place.h"

typedef struct stretch {
	int64_t tree; /* that it was last used for */
	int up, down;
} stretch;

struct pim_tree_counter {
	const pim_target *target;
	int (*at)[3];					/* [unit] */
	int *along[2][3];				/* [tree adds][dimension][at root * size + at leaf]: steps */
	int64_t tree;					/* number of the present one */
	stretch first, *second, *third; /* [first coordinate], [second * size of first + first] */
	int64_t *used;					/* [link]: the last tree that took it */
	int *route, *link;
};

/* From the root outwards; partial sums take the same links the other way. */
static void note_steps(pim_tree_counter *c, int d, pim_arena *a)
{
	int size = c->target->network.size[d];
	int *out = c->along[0][d] = PIM_NEW(a, int, size *size);
	int *in = c->along[1][d] = PIM_NEW(a, int, size *size);
	for (int root = 0; root < size; root++)
		for (int leaf = 0; leaf < size; leaf++) {
			out[root * size + leaf] = pim_network_steps(c->target, d, root, leaf);
			in[root * size + leaf] = -pim_network_steps(c->target, d, leaf, root);
		}
}

pim_tree_counter *pim_tree_counter_new(const pim_target *t, pim_arena *a)
{
	pim_tree_counter *c = PIM_NEW(a, pim_tree_counter, 1);
	const int *size = t->network.size;
	int widest = size[0] > size[2] ? size[0] : size[2];
	*c = (pim_tree_counter){.target = t,
		.at = pim_arena_alloc(a, sizeof *c->at * (size_t)t->units),
		.second = PIM_NEW(a, stretch, widest),
		.third = PIM_NEW(a, stretch, widest * size[1]),
		.used = PIM_NEW(a, int64_t, pim_network_links(t) + 1),
		.route = PIM_NEW(a, int, pim_network_diameter(t) + 1),
		.link = PIM_NEW(a, int, pim_network_links(t) + 1)};
	for (int u = 0; u < t->units; u++) {
		c->at[u][0] = u % size[0];
		c->at[u][1] = u / size[0] % size[1];
		c->at[u][2] = u / size[0] / size[1];
	}
	for (int d = 0; d < 3; d++)
		note_steps(c, d, a);
	return c;
}

/* Links by which the stretch grows to reach so far; without branches, which would be guessed wrong
 * as often as not. */
static inline int reach(stretch *s, int64_t tree, int steps)
{
	bool known = s->tree == tree;
	int up = known ? s->up : 0, down = known ? s->down : 0;
	int more_up = steps > up ? steps : up, more_down = steps < down ? steps : down;
	*s = (stretch){tree, more_up, more_down};
	return more_up - up + down - more_down;
}

/* Steps from a root, by dimension: out of it, or in. */
static int64_t count_stretches(pim_tree_counter *c, const pim_traffic_tree *tree,
	const int *const along[3], const int *leaf_on)
{
	const int *size = c->target->network.size;
	int a = tree->adds ? 2 : 0, b = 2 - a;
	int64_t links = 0, now = ++c->tree;
	for (int i = 0; i < tree->n; i++) {
		const int *to = c->at[leaf_on[tree->leaf[i]]];
		if (size[a] > 1)
			links += reach(&c->first, now, along[a][to[a]]);
		links += reach(&c->second[to[a]], now, along[1][to[1]]);
		if (size[b] > 1)
			links += reach(&c->third[to[1] * size[a] + to[a]], now, along[b][to[b]]);
	}
	return links;
}

static int64_t count_on_grid(
	pim_tree_counter *c, const pim_traffic_tree *tree, int root, const int *leaf_on)
{
	const int *size = c->target->network.size, *from = c->at[root], *along[3];
	for (int d = 0; d < 3; d++)
		along[d] = c->along[tree->adds][d] + from[d] * size[d];
	if (tree->n > 1)
		return count_stretches(c, tree, along, leaf_on);
	const int *to = c->at[leaf_on[tree->leaf[0]]];
	return abs(along[0][to[0]]) + abs(along[1][to[1]]) + abs(along[2][to[2]]);
}

/* Every link of the routes once. */
static int list_routes(
	pim_tree_counter *c, const pim_traffic_tree *tree, int root, const int *leaf_on, int *link)
{
	int n = 0;
	int64_t now = ++c->tree;
	for (int i = 0; i < tree->n; i++) {
		int leaf = leaf_on[tree->leaf[i]];
		int hops = pim_network_route(
			c->target, tree->adds ? leaf : root, tree->adds ? root : leaf, c->route);
		for (int h = 0; h < hops; h++) {
			if (c->used[c->route[h]] != now)
				link[n++] = c->route[h];
			c->used[c->route[h]] = now;
		}
	}
	return n;
}

int64_t pim_tree_links(
	pim_tree_counter *c, const pim_traffic_tree *tree, const int *root_on, const int *leaf_on)
{
	if (c->target->network.topology == PIM_TOPOLOGY_bus)
		return list_routes(c, tree, root_on[tree->root], leaf_on, c->link);
	return count_on_grid(c, tree, root_on[tree->root], leaf_on);
}

int pim_tree_list(pim_tree_counter *c, const pim_traffic_tree *tree, const int *root_on,
	const int *leaf_on, int *link)
{
	return list_routes(c, tree, root_on[tree->root], leaf_on, link);
}

double pim_flow_cost(pim_tree_counter *c, const pim_placement *p, const pim_flow *f)
{
	const int *from = p->tenant[f->from].unit, *to = p->tenant[f->to].unit;
	double cost = 0;
	for (int i = 0; i < f->n_trees; i++) {
		const pim_traffic_tree *tree = &f->tree[i];
		cost += tree->bytes * (double)(tree->adds ? pim_tree_links(c, tree, to, from)
												  : pim_tree_links(c, tree, from, to));
	}
	return cost;
}

double pim_placement_cost(const pim_placement *p)
{
	pim_arena *scratch = pim_arena_new();
	pim_tree_counter *c = pim_tree_counter_new(p->target, scratch);
	double cost = 0;
	for (int i = 0; i < p->n_flows; i++)
		cost += pim_flow_cost(c, p, &p->flow[i]);
	pim_arena_free(scratch);
	return cost;
}

double pim_flow_load(pim_tree_counter *c, const pim_placement *p, const pim_flow *f, double *load)
{
	const int *from = p->tenant[f->from].unit, *to = p->tenant[f->to].unit;
	double sum = 0;
	for (int i = 0; i < f->n_trees; i++) {
		const pim_traffic_tree *tree = &f->tree[i];
		int n = pim_tree_list(c, tree, tree->adds ? to : from, tree->adds ? from : to, c->link);
		for (int k = 0; k < n; k++)
			load[c->link[k]] += tree->bytes;
		sum += tree->bytes * n;
	}
	return sum;
}
