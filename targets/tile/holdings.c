/* SPDX-License-Identifier: Apache-2.0 */
/* holdings.c - what units will hold of a scheduled plan, before it is known which units.
 *
 * What lower.c takes room for, in its order: boxes of constants for good, the slice's own box until
 * its last reader has ended, boxes of inputs while their reader runs. Where nodes go one after the
 * other a moment is one node's turn, as the lowering has it; where they run at the same time, the
 * start of a node in the schedule, which tiles follow about. Gaps between rooms are not counted,
 * and of partial sums that are added up along a tree two at a time. Cost: slices times inputs. */
#include <stdlib.h>

#include "ir/array.h"
#include "targets/tile/tile.h"

/* Moments: from, and before until. */
typedef struct life {
	int64_t from, until;
} life;

typedef struct walk {
	const pim_target *target;
	const pim_graph *graph;
	pim_arena *arena;
	bool *stored;
	int n;
	pim_node **node; /* that run, in order */
	life *life;		 /* by node id, of the home; of those of a group that are not stored too */
	int64_t *end;	 /* by node id: when what it read is given back */
	int64_t moments;
	pim_holding_visit *visit;
	void *user;
} walk;

static bool moves_alone(const pim_node *n)
{
	pim_arena *scratch = pim_arena_new();
	bool moves = pim_fusion_first(n) == n && !pim_fusion_next(n) && !pim_adds_sums(n) &&
				 pim_only_moves(n, pim_axes_new(n, scratch));
	pim_arena_free(scratch);
	return moves;
}

/* ---- when ---- */

static void find_turns(walk *w)
{
	w->moments = pim_max(1, w->n);
	for (int i = 0; i < w->n; i++)
		for (pim_node *n = w->node[i]; n; n = pim_fusion_next(n)) {
			w->life[n->id].from = i;
			w->end[n->id] = i + 1;
		}
}

static int compare_times(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* How many of n ascending times are before this one. */
static int64_t count_before(const int64_t *time, int64_t n, int64_t when)
{
	int64_t low = 0, high = n;
	while (low < high) {
		int64_t middle = (low + high) / 2;
		*(time[middle] < when ? &low : &high) = time[middle] < when ? middle + 1 : middle;
	}
	return low;
}

static void find_starts(walk *w)
{
	int64_t *start = PIM_NEW(w->arena, int64_t, w->n + 1), n = 0;
	for (int i = 0; i < w->n; i++)
		start[i] = w->node[i]->plan->start;
	qsort(start, (size_t)w->n, sizeof *start, compare_times);
	for (int i = 0; i < w->n; i++)
		if (n == 0 || start[n - 1] != start[i])
			start[n++] = start[i];
	w->moments = pim_max(1, n);
	for (int i = 0; i < w->n; i++) {
		const pim_plan *p = w->node[i]->plan;
		int64_t from = count_before(start, n, p->start),
				end = count_before(start, n, p->start + p->cycles);
		for (pim_node *m = w->node[i]; m; m = pim_fusion_next(m)) {
			w->life[m->id].from = from;
			w->end[m->id] = end > from ? end : from + 1;
		}
	}
}

/* What only moves elements is copied piece by piece where nodes run at the same time: what it reads
 * is there as long as its own value. */
static void find_lives(walk *w, bool overlaps)
{
	bool *kept = PIM_NEW(w->arena, bool, w->graph->n_ids);
	bool *read = PIM_NEW(w->arena, bool, w->graph->n_ids);
	for (int i = 0; i < w->graph->n_results; i++)
		kept[w->graph->results[i]->id] = true;
	for (pim_node *n = w->graph->last; n; n = n->prev) {
		life *own = &w->life[n->id];
		if (kept[n->id] || !read[n->id] || n->op == PIM_OP_input)
			own->until = w->moments;
		own->until = own->until > own->from ? own->until : own->from + 1;
		if (pim_op_at(n->op)->flags & PIM_OPF_leaf)
			continue;
		int64_t end = w->end[n->id];
		if (overlaps && moves_alone(n) && own->until > end)
			end = own->until;
		for (uint32_t i = 0; i < n->n_in; i++) {
			if (!n->in[i])
				continue;
			life *in = &w->life[n->in[i]->id];
			read[n->in[i]->id] = true;
			in->until = in->until > end ? in->until : end;
		}
	}
}

/* ---- what ---- */

static int64_t value_bytes(const pim_node *value, const pim_box *box)
{
	return pim_box_elements(box) * (int64_t)pim_dtype_bytes(value->type->dtype);
}

static void add_homes(walk *w, const pim_node *n)
{
	const life *l = &w->life[n->id];
	for (int64_t s = 0; s < pim_layout_slices(n->plan->layout); s++) {
		pim_box box = pim_layout_box(n->plan->layout, n->type, s, NULL);
		pim_holding h = {PIM_HOLDING_home, n, n, s, &box, pim_room_bytes(value_bytes(n, &box)),
			l->from, l->until, -1};
		w->visit(w->user, &h);
	}
}

/* The slice, of the first copy, that has all of the box; -1 for none. */
static int64_t find_source(const pim_node *value, const pim_box *need)
{
	pim_pieces p = pim_pieces_of(value, need, 0);
	pim_box part;
	int64_t slice;
	if (!pim_pieces_next(&p, &slice, &part))
		return -1;
	pim_box home = pim_layout_box(value->plan->layout, value->type, slice, NULL);
	return pim_box_holds(&home, need) ? slice : -1;
}

/* Any of a shared constant's pieces; each unit that reads it has about one. */
static void add_piece(walk *w, const pim_node *n, const pim_node *constant, int64_t slice)
{
	pim_box box = pim_layout_box(constant->plan->layout, constant->type, 0, NULL);
	pim_holding h = {PIM_HOLDING_piece, n, constant, slice, &box,
		pim_target_constant_bytes(value_bytes(constant, &box)), 0, w->moments, -1};
	w->visit(w->user, &h);
}

static void add_read(
	walk *w, const pim_node *n, const pim_node *value, int64_t slice, const pim_box *need)
{
	int64_t bytes = value_bytes(value, need);
	pim_holding h = {PIM_HOLDING_given, n, value, slice, need, pim_target_constant_bytes(bytes), 0,
		w->moments, -1};
	if (!pim_is_given(value)) {
		h.kind = PIM_HOLDING_fetched;
		h.bytes = pim_room_bytes(bytes);
		h.from = w->life[n->id].from;
		h.until = w->end[n->id];
		h.source = value->op == PIM_OP_constant ? -1 : find_source(value, need);
	}
	w->visit(w->user, &h);
	if (value->op == PIM_OP_constant && !pim_is_given(value))
		add_piece(w, n, value, slice);
}

static void add_reads(walk *w, const pim_member *m, int64_t slice)
{
	const pim_node *n = m->node;
	pim_box axes, need;
	pim_slice_axes(n, m->axes, slice, &axes);
	for (int i = 0; i < (int)n->n_in; i++) {
		if (!n->in[i] || m->from[i] >= 0)
			continue;
		pim_axes_demand(m->axes, n, i, &axes, &need, NULL, NULL);
		if (!pim_box_empty(&need))
			add_read(w, n, n->in[i], slice, &need);
	}
}

/* Beside its home, a slice has partial sums. */
static void add_sums(walk *w, const pim_node *n)
{
	pim_crew_sizes crews = {n->in[0]->plan->n_units, n->plan->n_units};
	bool straight = pim_sums_best(w->target, n, crews) == PIM_SUMS_straight;
	int beside = straight ? n->in[0]->plan->layout->sums - 1 : 2;
	for (int64_t s = 0; s < pim_layout_slices(n->plan->layout); s++) {
		pim_box box = pim_layout_box(n->plan->layout, n->type, s, NULL);
		pim_holding h = {PIM_HOLDING_sums, n, n, s, &box,
			beside * pim_room_bytes(value_bytes(n, &box)), w->life[n->id].from, w->end[n->id], -1};
		w->visit(w->user, &h);
	}
}

static void add_group(walk *w, pim_node *first)
{
	pim_arena *scratch = pim_arena_new();
	const pim_fusion *f = pim_fusion_of(first, w->stored, scratch);
	const pim_node *last = f->member[f->n - 1].node;
	for (int m = 0; m < f->n; m++)
		if (f->member[m].stored)
			add_homes(w, f->member[m].node);
	if (pim_adds_sums(last))
		add_sums(w, last);
	else if (!pim_only_moves(last, f->member[f->n - 1].axes))
		for (int64_t i = 0; i < pim_layout_slices(last->plan->layout); i++)
			for (int m = 0; m < f->n; m++)
				add_reads(w, &f->member[m], pim_fusion_slice(f, m, pim_slice_at(last, i)));
	pim_arena_free(scratch);
}

pim_moments pim_holdings(const pim_target *t, const pim_graph *g, pim_holding_visit *f, void *user)
{
	walk w = {.target = t, .graph = g, .arena = pim_arena_new(), .visit = f, .user = user};
	bool overlaps = pim_graph_overlaps(g);
	w.stored = pim_graph_stored(g, w.arena);
	w.node = pim_nodes_in_order(g, w.arena, &w.n);
	w.life = PIM_NEW(w.arena, life, g->n_ids);
	w.end = PIM_NEW(w.arena, int64_t, g->n_ids);
	(overlaps ? find_starts : find_turns)(&w);
	find_lives(&w, overlaps);
	for (int i = 0; i < g->n_inputs; i++)
		add_homes(&w, g->inputs[i]);
	for (int i = 0; i < w.n; i++)
		add_group(&w, w.node[i]);
	pim_arena_free(w.arena);
	return (pim_moments){w.moments, !overlaps};
}
