/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_tree - multicast and reduction trees on a grid, and the loads of links.
 *
 * A multicast goes along x, then y, then z; the routes to all leaves together are a tree, as a
 * packet that forks does: in each dimension it reaches up and down as far as any leaf below it
 * needs. A reduction is the union of the leaves' own routes to the root, so its first stretch is
 * z seen from the root. Either is found by sorting the leaves by coordinates: one walk per
 * dimension, groups of equal earlier coordinates are one stretch.
 * Cost: n log n for n leaves. Links are numbered unit * 6 + direction (+x -x +y -y +z -z) by the
 * unit they leave, as on the machine. */
#include <stdlib.h>

#include "passes/assignment_core.h"

typedef struct leaf_place {
	int at[3]; /* in the order in which the tree, seen from the root, spends them */
} leaf_place;

struct assignment_tree {
	const pim_assignment *p;
	leaf_place *leaf;
};

assignment_tree *assignment_tree_new(const pim_assignment *p, pim_arena *a)
{
	assignment_tree *t = PIM_NEW(a, assignment_tree, 1);
	int most = 0;
	for (int i = 0; i < p->n_nets; i++)
		most = p->net[i].n > most ? p->net[i].n : most;
	*t = (assignment_tree){p, PIM_NEW(a, leaf_place, most)};
	return t;
}

/* Steps a message takes along dimension d, negative for downwards; of two equal ways, up. */
static int steps_along(const pim_assignment *p, int d, int from, int to)
{
	int size = p->size[d], steps = to - from;
	if (p->shape == PIM_ASSIGNMENT_mesh)
		return steps;
	int up = steps < 0 ? steps + size : steps;
	return up <= size - up ? up : up - size;
}

static int compare_leaves(const void *a, const void *b)
{
	const leaf_place *x = a, *y = b;
	for (int d = 0; d < 3; d++)
		if (x->at[d] != y->at[d])
			return x->at[d] < y->at[d] ? -1 : 1;
	return 0;
}

/* Adds to the load of `steps` links from place `at` along d. A stretch of a reduction is walked
 * from the root, and its links point the other way. */
static void load_stretch(const pim_assignment *p, const int at[3], int d, int steps, bool towards,
	int64_t bytes, int64_t *load)
{
	int here[3] = {at[0], at[1], at[2]}, size = p->size[d], way = steps < 0 ? size - 1 : 1;
	for (int s = abs(steps); s > 0; s--) {
		int unit = (here[2] * p->size[1] + here[1]) * p->size[0] + here[0];
		here[d] = (here[d] + way) % size;
		int next = (here[2] * p->size[1] + here[1]) * p->size[0] + here[0];
		int link = towards ? next * 6 + 2 * d + (steps > 0) : unit * 6 + 2 * d + (steps < 0);
		load[link] += bytes;
	}
}

typedef struct walk {
	const pim_assignment *p;
	int dim[3]; /* of the machine, in the tree's order from the root */
	bool towards;
	int root[3];
	int64_t links, bytes, *load; /* load may be NULL */
} walk;

/* The stretches of dimension number `level` for leaves that agree in all earlier ones. */
static void walk_group(walk *w, const leaf_place *leaf, int n, int level, int at[3])
{
	int d = w->dim[level], up = 0, down = 0;
	for (int i = 0; i < n; i++) {
		int steps = w->towards ? -steps_along(w->p, d, leaf[i].at[level], w->root[d])
							   : steps_along(w->p, d, w->root[d], leaf[i].at[level]);
		up = steps > up ? steps : up;
		down = steps < down ? steps : down;
	}
	w->links += up - down;
	at[d] = w->root[d];
	if (w->load) {
		load_stretch(w->p, at, d, up, w->towards, w->bytes, w->load);
		load_stretch(w->p, at, d, down, w->towards, w->bytes, w->load);
	}
	for (int i = 0, begin = 0; level < 2 && i < n; i++)
		if (i + 1 == n || leaf[i + 1].at[level] != leaf[begin].at[level]) {
			at[d] = leaf[begin].at[level];
			walk_group(w, leaf + begin, i + 1 - begin, level + 1, at);
			begin = i + 1;
		}
	at[d] = w->root[d];
}

static int64_t walk_tree(
	assignment_tree *t, const assignment_net *net, const int *unit, int64_t bytes, int64_t *load)
{
	const pim_assignment *p = t->p;
	bool towards = net->kind == PIM_ASSIGNMENT_reduction;
	walk w = {.p = p, .towards = towards, .bytes = bytes, .load = load};
	int at[3], root = unit[net->item[0]];
	for (int d = 0; d < 3; d++) {
		w.dim[d] = towards ? 2 - d : d;
		at[d] = w.root[d] = p->at[d][root];
	}
	for (int i = 1; i < net->n; i++)
		for (int d = 0; d < 3; d++)
			t->leaf[i - 1].at[d] = p->at[w.dim[d]][unit[net->item[i]]];
	qsort(t->leaf, (size_t)net->n - 1, sizeof *t->leaf, compare_leaves);
	walk_group(&w, t->leaf, net->n - 1, 0, at);
	return w.links;
}

int64_t assignment_tree_links(assignment_tree *t, const assignment_net *net, const int *unit)
{
	return walk_tree(t, net, unit, 0, NULL);
}

void assignment_load_tree(
	assignment_tree *t, const assignment_net *net, const int *unit, int64_t sign, int64_t *load)
{
	walk_tree(t, net, unit, sign * net->bytes, load);
}

void assignment_load_route(const pim_assignment *p, int from, int to, int64_t bytes, int64_t *load)
{
	int at[3] = {p->at[0][from], p->at[1][from], p->at[2][from]};
	for (int d = 0; d < 3; d++) {
		load_stretch(p, at, d, steps_along(p, d, at[d], p->at[d][to]), false, bytes, load);
		at[d] = p->at[d][to];
	}
}

int64_t pim_assignment_busiest(const pim_assignment *p, const int *unit)
{
	if (p->distance)
		return 0;
	pim_arena *scratch = pim_arena_new();
	int64_t *load = PIM_NEW(scratch, int64_t, p->units * 6), busiest = 0;
	assignment_tree *t = assignment_tree_new(p, scratch);
	for (int i = 0; i < p->n_traffic; i++) {
		const assignment_traffic *m = &p->traffic[i];
		assignment_load_route(p, unit[m->from], unit[m->to], m->bytes, load);
	}
	for (int i = 0; i < p->n_nets; i++)
		assignment_load_tree(t, &p->net[i], unit, 1, load);
	for (int l = 0; l < p->units * 6; l++)
		busiest = load[l] > busiest ? load[l] : busiest;
	pim_arena_free(scratch);
	return busiest;
}
