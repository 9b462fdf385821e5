/* SPDX-License-Identifier: Apache-2.0 */
/* reorder_tiles - slices take their turns in the order in which their inputs are ready.
 *
 * Needs: MAPPED.  Gives: orders of slices (part of MAPPED).
 * Idea:  a slice that starts at t ends at max(t, r) + its length, where r is the earliest start
 * from which none of its tiles waits (overlap_slices.c). So slices of equal length are jobs with
 *        release dates on equal machines, and taking them by release date, the i-th on unit i mod
 *        units, ends soonest: no other order of them can be better, only other slices. Slices that
 *        are ready at once keep ascending order, so that orders stay regular and code short; where
 *        half of them or more find a turn of their own unit among theirs, these stay on it.
 *        What it costs is counted: a slice keeps all of its steps, so no partial sums move; a unit
 *        holds the constants of all its slices, which must fit its memory; inputs that lay on the
 *        unit before become messages (pim_node_estimate). An op keeps its new order where it ends
 *        sooner with all that, and the graph its new orders where it does.
 * Cost:  the overlap analysis, twice; slices times their logarithm.
 * Source: the idea of Fast-OverlaPIM (arXiv 2407.00604), which re-allocates tiles; the argument for
 *        its optimum, ties and costs are ours. */
#include <string.h>

#include "passes/overlap.h"
#include "passes/pass.h"

typedef struct work {
	pim_graph *graph;
	const pim_target *target;
	pim_overlap *overlap;
	pim_arena *arena;
	double *held; /* by unit of the machine: bytes of constants of the ops so far */
	double refused, moved, changed;
} work;

static bool is_given(const pim_node *n)
{
	return n && n->op == PIM_OP_constant && !(n->plan && n->plan->layout);
}

/* Bytes of constants that each unit holds for n: equal boxes once. Which of the machine's units is
 * not known yet: n's first is taken to be the first. */
static void count_constants(work *w, const pim_node *n, int units, double *bytes)
{
	pim_arena *scratch = pim_arena_new();
	const pim_axes *x = pim_axes_new(n, scratch);
	int64_t slices = pim_layout_slices(n->plan->layout);
	memset(bytes, 0, sizeof *bytes * (size_t)w->target->units);
	for (int i = 0; i < (int)n->n_in; i++) {
		if (!is_given(n->in[i]))
			continue;
		pim_map *seen = pim_map_new(scratch);
		for (int64_t s = 0; s < slices; s++) {
			struct {
				int64_t unit;
				pim_box box;
			} key;
			pim_box axes;
			memset(&key, 0, sizeof key);
			key.unit = pim_slice_slot(n, s, units);
			pim_slice_axes(n, x, s, &axes);
			pim_box need;
			pim_axes_demand(x, n, i, &axes, &need, NULL, NULL);
			key.box.n = need.n;
			memcpy(key.box.lo, need.lo, sizeof need.lo[0] * (size_t)need.n);
			memcpy(key.box.hi, need.hi, sizeof need.hi[0] * (size_t)need.n);
			if (!pim_map_put(seen, &key, sizeof key, seen))
				bytes[key.unit] += (double)pim_box_elements(&need) *
								   (double)pim_dtype_bytes(n->in[i]->type->dtype);
		}
	}
	pim_arena_free(scratch);
}

static bool fits(const work *w, const double *bytes)
{
	for (int u = 0; u < w->target->units; u++)
		if (w->held[u] + bytes[u] > (double)w->target->memory.bytes)
			return false;
	return true;
}

static void hold(work *w, const double *bytes)
{
	for (int u = 0; u < w->target->units; u++)
		w->held[u] += bytes[u];
}

/* Slices that are not on the unit that their old order gave them. */
static int64_t count_moved(const pim_node *n, const pim_order *old, int64_t slices, int units)
{
	int64_t moved = 0;
	for (int64_t s = 0; s < slices; s++)
		moved += pim_slice_slot(n, s, units) != (old ? old->position[s] : s) % units;
	return moved;
}

/* Gives n the order of its ready times where that ends sooner. */
static void reorder_node(work *w, pim_node *n)
{
	const pim_overlap_run *r = pim_overlap_at(w->overlap, n);
	pim_arena *scratch = pim_arena_new();
	int64_t slices = pim_layout_slices(n->plan->layout);
	double before = r->end, *ready = PIM_NEW(scratch, double, slices);
	double *bytes = PIM_NEW(scratch, double, w->target->units);
	for (int64_t s = 0; s < slices; s++)
		ready[s] = pim_overlap_slice_ready(w->overlap, n, s);
	pim_order *old = n->plan->order;
	n->plan->order = pim_order_by_ready(slices, ready, r->units, n->graph->module->arena, scratch);
	count_constants(w, n, r->units, bytes);
	bool room = fits(w, bytes);
	if (room)
		pim_overlap_rerun(w->overlap, n);
	if (!room || pim_overlap_at(w->overlap, n)->end >= before) {
		w->refused += !room;
		n->plan->order = old;
		pim_overlap_rerun(w->overlap, n);
		count_constants(w, n, r->units, bytes);
	} else if (n->plan->order || old) {
		w->changed++;
		w->moved += (double)count_moved(n, old, slices, r->units);
	}
	hold(w, bytes);
	pim_arena_free(scratch);
}

static void keep_node(work *w, const pim_node *n)
{
	pim_arena *scratch = pim_arena_new();
	double *bytes = PIM_NEW(scratch, double, w->target->units);
	count_constants(w, n, pim_overlap_at(w->overlap, n)->units, bytes);
	hold(w, bytes);
	pim_arena_free(scratch);
}

/* Ops that share a walk keep their orders, which go together. */
static bool takes_turns(const work *w, const pim_node *n)
{
	if (pim_fusion_first(n) != n || pim_fusion_next(n))
		return false;
	return pim_overlap_tiles(w->overlap, n) > 0 &&
		   pim_layout_slices(n->plan->layout) > pim_overlap_at(w->overlap, n)->units;
}

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

static double finish(const work *w)
{
	double end = 0;
	PIM_EACH_NODE(n, w->graph)
	{
		double one = is_leaf(n) ? 0 : pim_overlap_at(w->overlap, n)->end;
		end = one > end ? one : end;
	}
	return end;
}

/* Orders as they were: when all together do not end sooner than none. */
static void restore(work *w, pim_order **old)
{
	w->changed = w->moved = 0;
	PIM_EACH_NODE(n, w->graph)
	if (!is_leaf(n)) {
		if (n->plan)
			n->plan->order = old[n->id];
		pim_overlap_rerun(w->overlap, n);
	}
}

bool pim_pass_reorder_tiles(pim_graph *g, pim_job *j)
{
	work w = {.graph = g, .target = j->target, .arena = j->arena};
	w.overlap = pim_overlap_new(g, j->target, j->arena);
	w.held = PIM_NEW(j->arena, double, j->target->units);
	pim_order **old = PIM_NEW(j->arena, pim_order *, g->n_ids);
	double before = pim_overlap_totals(w.overlap)->overlapped;
	PIM_EACH_NODE(n, g)
	{
		if (is_leaf(n))
			continue;
		old[n->id] = n->plan ? n->plan->order : NULL;
		pim_overlap_rerun(w.overlap, n);
		if (takes_turns(&w, n))
			reorder_node(&w, n);
		else if (n->plan && n->plan->layout)
			keep_node(&w, n);
	}
	double after = finish(&w);
	if (after > before)
		restore(&w, old);
	pim_job_count(j, "before", before);
	pim_job_count(j, "after", after > before ? before : after);
	pim_job_count(j, "ops", w.changed);
	pim_job_count(j, "moved", w.moved);
	pim_job_count(j, "refused", w.refused);
	return true;
}
