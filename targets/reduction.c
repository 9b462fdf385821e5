/* SPDX-License-Identifier: Apache-2.0 */
/* reduction.c - how partial sums are added up: straight to the reader, or along a tree.
 *
 * Every slice of the result needs each part of its box from all partial sums. Three shapes:
 * straight, every sum to the reader, which adds them all; along routes, each sum to the next unit
 * on its way to the reader that has one too, which adds its own and sends on; in halves, sorted by
 * how far they are from the reader, sum i to sum i without its lowest bit: log2 steps. One shape
 * serves all slices of a node, the one whose cycles are estimated least: what the busiest unit
 * sends, takes in or adds and what the busiest link carries, whichever is most, and then the
 * longest way from a sum to a reader, step by step. Straight moves least through each unit, trees
 * load the links less and spread the adding where readers are few.
 * Cost: shapes * slices * sums^2 * hops. Source: ours. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/target.h"

/* Where slices are: on their units, or, before they are placed, as they are numbered. */
static int unit_of(const pim_node *n, int64_t slice, int units)
{
	return n->plan->unit ? pim_slice_unit(n, slice) : (int)pim_slice_slot(n, slice, units);
}

/* ---- the shapes ---- */

/* first, by unit: the first sum on it, -1 for none. */
static int parent_on_route(const pim_target *t, const pim_reduction *r, int i, const int *first)
{
	int unit = r->addend[i].unit, parent = first[unit] < i ? first[unit] : -1;
	while (parent < 0 && unit != r->unit) {
		unit = pim_network_next(t, unit, r->unit);
		if (unit != r->unit)
			parent = first[unit];
	}
	return parent;
}

static void find_parents_on_routes(const pim_target *t, pim_reduction *r, int *first)
{
	memset(first, -1, sizeof *first * (size_t)t->units);
	for (int i = r->n - 1; i >= 0; i--)
		first[r->addend[i].unit] = i;
	for (int i = 0; i < r->n; i++)
		r->addend[i].parent = parent_on_route(t, r, i, first);
}

/* Sums are sorted by distance: the nearest has number 0. */
static int parent_in_halves(int i)
{
	return i ? i & (i - 1) : -1;
}

typedef struct far {
	int hops;
	pim_addend addend;
} far;

static int compare_far(const void *a, const void *b)
{
	const far *x = a, *y = b;
	if (x->hops != y->hops)
		return x->hops - y->hops;
	return (x->addend.slice > y->addend.slice) - (x->addend.slice < y->addend.slice);
}

static void sort_by_distance(const pim_target *t, pim_reduction *r, pim_arena *scratch)
{
	far *f = PIM_NEW(scratch, far, r->n);
	for (int i = 0; i < r->n; i++)
		f[i] = (far){pim_network_hops(t, r->addend[i].unit, r->unit), r->addend[i]};
	qsort(f, (size_t)r->n, sizeof *f, compare_far);
	for (int i = 0; i < r->n; i++)
		r->addend[i] = f[i].addend;
}

static void find_parents(const pim_target *t, pim_reduction *r, pim_sums shape, pim_arena *scratch)
{
	if (shape == PIM_SUMS_straight)
		return;
	sort_by_distance(t, r, scratch);
	if (shape == PIM_SUMS_routes)
		find_parents_on_routes(t, r, PIM_NEW(scratch, int, t->units));
	else
		for (int i = 0; i < r->n; i++)
			r->addend[i].parent = parent_in_halves(i);
}

/* Rounds: a sum goes when all that come to it have. Parents of sums are nearer to the reader, or
 * before them, so as many passes as there are rounds settle it. */
static void find_rounds(pim_reduction *r)
{
	bool changed = true;
	while (changed) {
		changed = false;
		for (int i = 0; i < r->n; i++) {
			int up = r->addend[i].parent, next = r->addend[i].round + 1;
			if (up >= 0 && r->addend[up].round < next) {
				r->addend[up].round = next;
				changed = true;
			}
			r->rounds = next > r->rounds ? next : r->rounds;
		}
	}
}

int pim_reductions_of(const pim_target *t, const pim_node *n, int64_t slice, pim_sums shape,
	pim_crew_sizes crews, pim_reduction **out, pim_arena *a)
{
	const pim_node *value = n->in[0];
	int sums = (int)value->plan->layout->sums, parts = 0;
	pim_box need, part;
	int64_t from;
	need = pim_layout_box(n->plan->layout, n->type, slice, NULL);
	pim_pieces p = pim_pieces_of(value, &need, slice % value->plan->layout->copies);
	while (pim_pieces_next(&p, &from, &part))
		parts++;
	parts /= sums;
	pim_reduction *r = *out = PIM_NEW(a, pim_reduction, parts);
	p = pim_pieces_of(value, &need, slice % value->plan->layout->copies);
	for (int i = 0; pim_pieces_next(&p, &from, &part); i++) {
		pim_reduction *one = &r[i % parts];
		if (i < parts)
			*one = (pim_reduction){
				part, unit_of(n, slice, crews.to), 0, 0, PIM_NEW(a, pim_addend, sums)};
		one->addend[one->n++] = (pim_addend){from, unit_of(value, from, crews.from), -1, 0};
	}
	pim_arena *scratch = pim_arena_new();
	for (int k = 0; k < parts; k++) {
		find_parents(t, &r[k], shape, scratch);
		find_rounds(&r[k]);
	}
	pim_arena_free(scratch);
	return parts;
}

/* ---- what they take ---- */

typedef struct loads {
	double *out, *in, *adds, *link; /* of one round */
	int *route;
	double longest; /* way of a sum */
} loads;

/* A part, and when each of its sums has all that comes to it. */
typedef struct progress {
	pim_reduction r;
	double *ready, last;
} progress;

static double most_of(const double *v, int n, double most)
{
	for (int i = 0; i < n; i++)
		most = v[i] > most ? v[i] : most;
	return most;
}

static void clear_loads(const pim_target *t, loads *l)
{
	memset(l->out, 0, sizeof *l->out * (size_t)t->units);
	memset(l->in, 0, sizeof *l->in * (size_t)t->units);
	memset(l->adds, 0, sizeof *l->adds * (size_t)t->units);
	memset(l->link, 0, sizeof *l->link * (size_t)pim_network_links(t));
}

static void add_round(const pim_target *t, progress *p, int round, pim_dtype type, loads *l)
{
	const pim_reduction *r = &p->r;
	int64_t elements = pim_box_elements(&r->part),
			bytes = elements * (int64_t)pim_dtype_bytes(type);
	double port = (double)pim_plus(pim_target_memory_cycles(t, bytes), t->command_cycles),
		   wire = (double)bytes / t->network.link_bytes_per_cycle,
		   add = (double)pim_plus(pim_target_add_cycles(t, type, elements), t->command_cycles);
	for (int i = 0; i < r->n; i++) {
		const pim_addend *s = &r->addend[i];
		if (s->round != round)
			continue;
		int to = s->parent < 0 ? r->unit : r->addend[s->parent].unit;
		double *up = s->parent < 0 ? &p->last : &p->ready[s->parent];
		int hops = pim_network_route(t, s->unit, to, l->route);
		double way = (hops ? port + wire : 0) + port + hops * (double)t->network.hop_cycles;
		*up = (*up > p->ready[i] + way ? *up : p->ready[i] + way) + add;
		l->out[s->unit] += port > wire ? port : wire;
		l->in[to] += port;
		l->adds[to] += add;
		for (int h = 0; h < hops; h++)
			l->link[l->route[h]] += wire;
	}
	l->longest = p->last > l->longest ? p->last : l->longest;
}

/* The parts of all slices, on the heap. */
static progress *begin_all(const pim_target *t, const pim_node *n, pim_sums shape,
	pim_crew_sizes crews, int64_t *count, int *rounds, pim_arena *a)
{
	int64_t slices = pim_layout_slices(n->plan->layout), room = 0;
	progress *all = NULL;
	for (int64_t s = 0; s < slices; s++) {
		pim_reduction *r;
		int parts = pim_reductions_of(t, n, s, shape, crews, &r, a);
		for (int k = 0; k < parts; k++) {
			all = pim_array_grow(all, *count, &room, sizeof *all);
			all[(*count)++] = (progress){r[k], PIM_NEW(a, double, r[k].n), 0};
			*rounds = r[k].rounds > *rounds ? r[k].rounds : *rounds;
		}
	}
	return all;
}

double pim_sums_cycles(const pim_target *t, const pim_node *n, pim_sums shape, pim_crew_sizes crews)
{
	pim_arena *a = pim_arena_new();
	int rounds = 0, links = pim_network_links(t);
	int64_t count = 0;
	loads l = {PIM_NEW(a, double, t->units), PIM_NEW(a, double, t->units),
		PIM_NEW(a, double, t->units), PIM_NEW(a, double, links),
		PIM_NEW(a, int, pim_network_diameter(t) + 1), 0};
	progress *p = begin_all(t, n, shape, crews, &count, &rounds, a);
	double cycles = 0;
	for (int round = 0; round < rounds; round++) {
		clear_loads(t, &l);
		for (int64_t i = 0; i < count; i++)
			add_round(t, &p[i], round, n->type->dtype, &l);
		cycles += most_of(l.link, links,
			most_of(l.adds, t->units, most_of(l.in, t->units, most_of(l.out, t->units, 0))));
	}
	cycles += l.longest;
	free(p);
	pim_arena_free(a);
	return cycles;
}

/* Every sum is sent once in any shape; where nearly as many units read as send, none of them takes
 * in much more than it sends, and nothing is gained by steps. */
static bool has_many_readers(const pim_target *t, const pim_node *n)
{
	int64_t from = pim_layout_slices(n->in[0]->plan->layout),
			to = pim_layout_slices(n->plan->layout);
	int64_t senders = from < t->units ? from : t->units, readers = to < t->units ? to : t->units;
	return 2 * readers >= senders;
}

pim_sums pim_sums_best(const pim_target *t, const pim_node *n, pim_crew_sizes crews)
{
	pim_sums best = PIM_SUMS_straight;
	if (has_many_readers(t, n))
		return best;
	double least = pim_sums_cycles(t, n, best, crews);
	for (int shape = PIM_SUMS_routes; shape < PIM_SUMS_COUNT; shape++) {
		if (shape == PIM_SUMS_routes && t->network.topology == PIM_TOPOLOGY_bus)
			continue;
		double now = pim_sums_cycles(t, n, (pim_sums)shape, crews);
		if (now < least) {
			best = (pim_sums)shape;
			least = now;
		}
	}
	return best;
}
