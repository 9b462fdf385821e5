/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_graph.c - how a whole graph runs when every tile starts as soon as its inputs are ready.
 *
 * Ops in the order of the graph; each keeps the real completion time of its tiles, so that stalls
 * travel through the whole graph: an op is run tile by tile (overlap_slices.c) or, with very many
 * tiles, by places that are alike (overlap_places.c).
 *
 * Model: as in the papers, each op has its own units: those it is scheduled on, else as many as it
 * has slices up to the machine's. A tile takes its share of the cycles of its slice, and its inputs
 * their share of the message time (pim_node_estimate). A relayout or move on the way takes its
 * cycles for every box. Source: OverlaPIM (DATE 2023) and Fast-OverlaPIM (arXiv 2407.00604) for the
 * question; the exact closed form, its tables and the propagation of stalls are ours. */
#include "passes/overlap_state.h"

enum { MOST_CHECKED = 1 << 27 };

double pim_overlap_finish(const pim_overlap *s, const pim_node *n)
{
	const pim_op_run *r = &s->run[n->id];
	return r->done ? r->done[r->tiles] : 0;
}

/* A move as an op of one step: when all of its inputs are complete. */
static void run_move(pim_overlap *s, const pim_node *n)
{
	pim_op_run *r = &s->run[n->id];
	r->tiles = 1;
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i])
			r->seen.begin = pim_later(r->seen.begin, pim_overlap_finish(s, n->in[i]));
	r->done[1] = r->seen.begin + r->seen.cost;
}

static int count_units(const pim_overlap *s, const pim_node *n)
{
	bool scheduled = s->graph->facts & PIM_FACT_scheduled && n->plan && n->plan->n_units > 0;
	return scheduled ? n->plan->n_units : s->target->units;
}

static void prepare(pim_overlap *s, const pim_node *n)
{
	pim_op_run *r = &s->run[n->id];
	pim_arena *scratch = pim_arena_new();
	int units = count_units(s, n);
	pim_estimate e = pim_node_estimate(s->target, n, units, s->target->units, scratch);
	pim_arena_free(scratch);
	r->axes = pim_axes_new(n, s->arena);
	r->spaces = pim_spaces_of(n, r->axes, s->arena);
	r->slices = e.slices;
	r->seen.units = (int)(e.slices < units ? e.slices : units);
	r->tiles = r->seen.steps = r->spaces->steps;
	r->seen.places = r->spaces->places;
	r->seen.cost = (double)e.cycles;
	r->waves = (double)e.waves;
	r->seen.tile = (double)e.compute / (double)e.waves / (double)r->tiles;
	r->seen.message = (double)e.incoming / (double)e.waves / (double)r->tiles;
	r->done = PIM_NEW(s->arena, double, r->tiles + 1);
}

static void count_edges(pim_overlap *s, const pim_node *n)
{
	for (int i = 0; i < (int)n->n_in; i++) {
		const pim_node *from = n->in[i];
		while (from && from->op == PIM_OP_relayout)
			from = from->in[0];
		if (!from || pim_overlap_is_leaf(from))
			continue;
		s->total.pairs++;
		s->total.traced += pim_overlap_only_moves(from);
	}
}

/* Every space of n against every space of the op its input comes from. */
static bool check_edge(const pim_overlap *s, const pim_node *n, int input, const pim_node *from)
{
	const pim_op_run *r = &s->run[n->id], *p = &s->run[from->id];
	double work = (double)r->spaces->places * (double)r->spaces->steps * (double)p->spaces->places *
				  (double)p->spaces->steps;
	if (work > MOST_CHECKED) {
		pim_node_note(n, PIM_REMARK,
			"input %d has %.0f pairs of tiles, too many to compare (at most %d)", input, work,
			MOST_CHECKED);
		return true;
	}
	pim_arena *scratch = pim_arena_new();
	bool good = true;
	pim_pair pair = pim_pair_of(input, r->axes, r->spaces, from, p->axes, p->spaces);
	pim_handoff handoff = pim_handoff_new(&pair, scratch);
	int64_t *digit = PIM_NEW(scratch, int64_t, r->spaces->n + 1);
	for (int64_t place = 0; place < r->spaces->places && good; place++)
		for (int64_t step = 0; step < r->spaces->steps && good; step++) {
			pim_box axes, box, made = {0};
			pim_spaces_digits(r->spaces, place, step, digit);
			if (!pim_spaces_box(r->spaces, place, step, &axes))
				continue;
			pim_axes_demand(r->axes, n, input, &axes, &box, NULL, NULL);
			int64_t exact = 0, closed = pim_handoff_ready(&handoff, r->spaces, digit);
			if (!pim_box_empty(&box)) {
				pim_axes_cover(p->axes, &box, &made);
				exact = pim_spaces_ready_exhaustive(p->spaces, &made);
			}
			if (exact != closed)
				good = pim_node_error(n,
					"tile %lld of place %lld is ready after %lld steps of input %d, the closed "
					"form says %lld",
					(long long)step, (long long)place, (long long)exact, input, (long long)closed);
		}
	pim_arena_free(scratch);
	return good;
}

bool pim_overlap_check(const pim_overlap *s, const pim_node *n)
{
	bool good = true;
	for (int i = 0; i < (int)n->n_in && good && !pim_overlap_only_moves(n); i++) {
		const pim_node *from = n->in[i];
		while (from && from->op == PIM_OP_relayout)
			from = from->in[0];
		if (from && !pim_overlap_only_moves(from) && !from->type->n_parts &&
			!pim_overlap_is_leaf(from))
			good = check_edge(s, n, i, from);
	}
	return good;
}

static void run_op(pim_overlap *s, const pim_node *n)
{
	count_edges(s, n);
	if (!pim_overlap_run_slices(s, n))
		pim_overlap_run_places(s, n);
}

/* All members of a group at once; false when they have to run one by one. */
static bool run_walk(pim_overlap *s, const pim_node *first)
{
	for (const pim_node *n = first; n; n = pim_fusion_next(n)) {
		s->run[n->id] = (pim_op_run){0};
		prepare(s, n);
	}
	if (!pim_overlap_join(s, first))
		return false;
	const pim_fusion *f = s->run[first->id].walk;
	if (!pim_overlap_run_slices(s, f->member[f->n - 1].node))
		return false;
	for (const pim_node *n = first; n; n = pim_fusion_next(n)) {
		count_edges(s, n);
		s->run[n->id].seen.end = pim_overlap_finish(s, n);
	}
	return true;
}

static void rerun_alone(pim_overlap *s, const pim_node *n)
{
	pim_op_run *r = &s->run[n->id];
	*r = (pim_op_run){0};
	prepare(s, n);
	if (pim_overlap_only_moves(n))
		run_move(s, n);
	else
		run_op(s, n);
	r->seen.end = pim_overlap_finish(s, n);
}

void pim_overlap_rerun(pim_overlap *s, const pim_node *n)
{
	const pim_node *first = pim_fusion_first(n);
	if (first == n && !pim_fusion_next(n)) {
		rerun_alone(s, n);
		return;
	}
	if (!run_walk(s, first))
		for (; first; first = pim_fusion_next(first))
			rerun_alone(s, first);
}

pim_overlap *pim_overlap_new(pim_graph *g, const pim_target *t, pim_arena *a)
{
	pim_overlap *s = PIM_NEW(a, pim_overlap, 1);
	*s =
		(pim_overlap){.graph = g, .target = t, .arena = a, .run = PIM_NEW(a, pim_op_run, g->n_ids)};
	PIM_EACH_NODE(n, g)
	{
		if (pim_overlap_is_leaf(n))
			continue;
		if (pim_fusion_first(n) == n)
			pim_overlap_rerun(s, n);
		const pim_overlap_run *seen = &s->run[n->id].seen;
		s->total.sequential += seen->cost;
		s->total.overlapped = pim_later(s->total.overlapped, seen->end);
	}
	return s;
}

const pim_overlap_run *pim_overlap_at(const pim_overlap *s, const pim_node *n)
{
	return &s->run[n->id].seen;
}

const pim_overlap_total *pim_overlap_totals(const pim_overlap *s)
{
	return &s->total;
}
