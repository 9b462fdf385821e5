/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_cuts.c - cuts of a group's result over at most so many units.
 *
 * The counts of each dimension: what is left of the units, halves of that, and divisors. The
 * fastest few are worth a look, by the kernel on the largest slice; where energy counts, too, as
 * many more that none is better than in both: fewer pieces read less twice. Energy is that of all
 * slices, kernels and what they read and write once. Cost: the cuts listed. */
#include <stdlib.h>
#include <string.h>

#include "passes/mapper.h"

enum { MOST_CUTS = 12, MOST_LISTED = 2048 };

typedef struct list {
	const pim_mapper *m;
	const pim_mapper_group *g;
	pim_arena *arena;
	int n, room;
	pim_mapper_cut *cut;
} list;

double pim_mapper_byte_pj(const pim_target *t)
{
	return (t->memory.read_pj + t->memory.write_pj + t->buffer.read_pj + t->buffer.write_pj) / 2;
}

static void add_cut(list *w, const pim_layout *l)
{
	const pim_node *n = w->g->leader;
	const pim_target *t = w->m->target;
	int64_t extent[PIM_MAX_AXES];
	double bytes = 0;
	if (w->n >= MOST_LISTED)
		return;
	w->cut = pim_arena_grow(w->arena, w->cut, w->n, &w->room, sizeof *w->cut);
	pim_mapper_cut *c = &w->cut[w->n++];
	*c = (pim_mapper_cut){.layout = *l, .cycles = 1};
	if (!n->type->n_parts && !n->type->elements)
		return;
	pim_nest_extents(pim_mapper_shadow(n, l, NULL, w->arena), w->g->axes, extent);
	for (int i = 0; i <= (int)n->n_in; i++)
		if (i == (int)n->n_in || n->in[i])
			bytes += (double)pim_nest_operand_bytes(n, w->g->axes, i, extent);
	c->cycles = (double)pim_target_kernel_cycles(t, n, w->g->axes, extent);
	c->pj = (double)pim_layout_slices(l) *
			(pim_target_kernel_pj(t, n, w->g->axes, extent) + bytes * pim_mapper_byte_pj(t));
}

/* The next smaller number of pieces to look at: a half, or the next divisor of the dimension. */
static int64_t next_pieces(int64_t size, int64_t want)
{
	int64_t less = want - 1;
	while (less > want / 2 && size % less != 0)
		less--;
	return less;
}

static void list_cuts(list *w, pim_layout *l, int d, int64_t left)
{
	if (d == l->rank) {
		add_cut(w, l);
		return;
	}
	int64_t last = 0, size = w->g->leader->type->dims[d];
	for (int64_t want = left < size ? left : size; want >= 1; want = next_pieces(size, want)) {
		int64_t parts = pim_states_cut(w->g->leader, w->g->axes, d, want);
		if (parts == last || pim_states_cut(w->g->leader, w->g->axes, d, parts) != parts)
			continue;
		last = parts;
		l->parts[d] = (int32_t)parts;
		list_cuts(w, l, d + 1, left / parts);
	}
	l->parts[d] = 1;
}

static int by_cycles(const void *a, const void *b)
{
	const pim_mapper_cut *x = a, *y = b;
	if (x->first != y->first)
		return x->first ? -1 : 1;
	if (x->cycles != y->cycles)
		return x->cycles < y->cycles ? -1 : 1;
	int64_t k = pim_layout_slices(&x->layout) - pim_layout_slices(&y->layout);
	if (k != 0)
		return k < 0 ? -1 : 1;
	return memcmp(x->layout.parts, y->layout.parts, sizeof x->layout.parts);
}

static void mark_frugal(list *w)
{
	int chosen[MOST_CUTS];
	pim_point *p = PIM_NEW(w->arena, pim_point, w->n + 1);
	for (int k = 0; k < w->n; k++)
		p[k] = (pim_point){w->cut[k].cycles, w->cut[k].pj, NULL};
	int n = pim_front_choose(w->n, p, MOST_CUTS, chosen, w->arena);
	for (int k = 0; k < n; k++)
		w->cut[chosen[k]].first = true;
}

pim_mapper_cut *pim_mapper_cuts_of(
	const pim_mapper *m, const pim_mapper_group *g, int units, int frugal, int *n, pim_arena *a)
{
	list w = {.m = m, .g = g, .arena = a};
	pim_layout l = pim_layout_whole(g->leader->type);
	list_cuts(&w, &l, 0, units);
	qsort(w.cut, (size_t)w.n, sizeof *w.cut, by_cycles);
	for (int k = 0; k < w.n && k < MOST_CUTS; k++)
		w.cut[k].first = true;
	if (frugal)
		mark_frugal(&w);
	qsort(w.cut, (size_t)w.n, sizeof *w.cut, by_cycles);
	*n = w.n;
	return w.cut;
}
