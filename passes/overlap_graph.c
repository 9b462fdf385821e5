/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_graph.c - how a whole graph runs when every tile starts as soon as its inputs are ready.
 *
 * Every op keeps the real completion time of each of its steps, done[step], over all places; a tile
 * of its consumer starts when its place is free and done[ready step] of all its inputs has passed,
 * so stalls travel through the whole graph. What only moves elements is looked through: relayouts
 * keep the element, others are followed box by box where a consumer has at most MOST_TRACED spaces,
 * else waited for in full.
 *
 * Model: as in the papers, each op has its own units, as many as it has slices up to the machine's;
 * slices that share a unit take turns, so a step takes as many times longer. A step takes its share
 * of the op's cycles, and its inputs their share of the message time (pim_node_estimate). Cost:
 * tiles of all slices that differ, times inputs. Source: OverlaPIM (DATE 2023) and Fast-OverlaPIM
 * (arXiv 2407.00604) for the question; the exact closed form, its tables and the propagation of
 * stalls are ours.
 */
#include "passes/overlap.h"
#include "passes/pass.h"

enum { MOST_TRACED = 1 << 14, MOST_CHECKED = 1 << 27 };

/* One op as it runs. */
typedef struct run {
	const pim_axes *axes;
	const pim_spaces *spaces;
	double step, lag; /* cycles of a step; cycles that the messages of a step take */
	double waves;	  /* slices that share a unit */
	double *done;	  /* [0..steps]: when so many steps are complete at all places */
	pim_overlap_run seen;
} run;

struct pim_overlap {
	pim_graph *graph;
	const pim_target *target;
	pim_arena *arena;
	run *run; /* by node id */
	pim_overlap_total total;
	bool quiet; /* counts nothing */
};

typedef enum need_kind { NEED_time, NEED_table, NEED_trace } need_kind;

/* What a space of the node waits for at one input. */
typedef struct need {
	need_kind kind;
	int input;
	double time;		  /* of all spaces alike; added to the others: movement on the way */
	const pim_node *from; /* NEED_table: the op that computes the value */
	pim_handoff handoff;
} need;

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

/* Without kernels of its own: followed, not waited for. */
static bool only_moves(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_move || !n->plan || !n->plan->nest;
}

static double finish_of(const pim_overlap *s, const pim_node *n)
{
	const run *r = &s->run[n->id];
	return r->done ? r->done[r->spaces->steps] : 0;
}

static double later(double a, double b)
{
	return a > b ? a : b;
}

/* When a box of n's value is complete. */
static double trace_box(const pim_overlap *s, const pim_node *n, const pim_box *box)
{
	const run *r = &s->run[n->id];
	if (is_leaf(n) || pim_box_empty(box))
		return 0;
	pim_box axes, part;
	pim_axes_cover(r->axes, box, &axes);
	if (!only_moves(n))
		return r->done[pim_spaces_ready(r->spaces, &axes)];
	double time = 0;
	for (int i = 0; i < (int)n->n_in; i++) {
		if (!n->in[i])
			continue;
		pim_axes_demand(r->axes, n, i, &axes, &part, NULL, NULL);
		time = later(time, trace_box(s, n->in[i], &part));
	}
	return time + r->seen.cost;
}

static need find_need(pim_overlap *s, const pim_node *n, int input, pim_arena *scratch)
{
	const run *r = &s->run[n->id];
	const pim_node *from = n->in[input];
	need w = {.input = input};
	while (from->op == PIM_OP_relayout) {
		w.time += s->run[from->id].seen.cost;
		from = from->in[0];
	}
	if (is_leaf(from))
		return w;
	s->total.pairs += !s->quiet;
	if (!only_moves(from) && from->type->n_parts == 0) {
		const run *p = &s->run[from->id];
		w.kind = NEED_table;
		w.from = from;
		pim_pair pair = pim_pair_of(input, r->axes, r->spaces, from, p->axes, p->spaces);
		w.handoff = pim_handoff_new(&pair, scratch);
		return w;
	}
	bool traced = r->spaces->places * r->spaces->steps <= MOST_TRACED && from->type->n_parts == 0;
	s->total.traced += traced && !s->quiet;
	s->total.barriers += !traced && !s->quiet;
	w.kind = traced ? NEED_trace : NEED_time;
	w.time = traced ? 0 : finish_of(s, n->in[input]);
	return w;
}

static double need_time(const pim_overlap *s, const pim_node *n, const need *w,
	const int64_t *digit, int64_t place, int64_t step)
{
	const run *r = &s->run[n->id];
	pim_box axes, box;
	switch (w->kind) {
	case NEED_table:
		return s->run[w->from->id].done[pim_handoff_ready(&w->handoff, r->spaces, digit)] + w->time;
	case NEED_trace:
		if (!pim_spaces_box(r->spaces, place, step, &axes))
			return 0;
		pim_axes_demand(r->axes, n, w->input, &axes, &box, NULL, NULL);
		return trace_box(s, n->in[w->input], &box);
	case NEED_time:
		break;
	}
	return w->time;
}

/* The digits of a kind (spatial or temporal), the last one fastest. */
static void set_digits(const pim_spaces *s, bool spatial, int64_t number, int64_t *digit)
{
	for (int i = s->n - 1; i >= 0; i--)
		if (s->digit[i].spatial == spatial) {
			digit[i] = number % s->digit[i].count;
			number /= s->digit[i].count;
		}
}

static void next_step(const pim_spaces *s, int64_t *digit)
{
	for (int i = s->n - 1; i >= 0; i--) {
		if (s->digit[i].spatial)
			continue;
		if (++digit[i] < s->digit[i].count)
			return;
		digit[i] = 0;
	}
}

/* Does it matter at which value of this spatial digit a place stands? */
static bool matters(const need *w, int n_needs, int digit)
{
	for (int k = 0; k < n_needs; k++) {
		if (w[k].kind == NEED_trace)
			return true;
		for (int d = 0; w[k].kind == NEED_table && d < w[k].handoff.n_tables; d++)
			if (w[k].handoff.coef[d][digit])
				return true;
	}
	return false;
}

static bool is_new_place(const pim_spaces *s, const need *w, int n_needs, const int64_t *digit)
{
	for (int i = 0; i < s->n; i++)
		if (s->digit[i].spatial && digit[i] > 0 && !matters(w, n_needs, i))
			return false;
	return true;
}

/* Runs one place through its steps: inputs arrive one step after the other, as fast as messages
 * allow; a step ends when its work is done, and no earlier than its last wave's inputs allow. */
static void run_place(const pim_overlap *s, const pim_node *n, const need *w, int n_needs,
	int64_t place, int64_t *digit)
{
	run *r = &s->run[n->id];
	double now = 0, arrived = 0, others = r->lag - r->lag / r->waves;
	set_digits(r->spaces, false, 0, digit);
	for (int64_t step = 0; step < r->spaces->steps; step++) {
		double ready = step ? arrived + others : 0;
		for (int k = 0; k < n_needs; k++) {
			double time = need_time(s, n, &w[k], digit, place, step);
			if (time > ready)
				r->seen.last = n->in[w[k].input];
			ready = later(ready, time);
		}
		arrived = ready + r->lag / r->waves;
		if (step == 0)
			r->seen.begin = place == 0 || arrived < r->seen.begin ? arrived : r->seen.begin;
		else
			r->seen.waits = later(r->seen.waits, arrived - now);
		now = later(later(now, arrived) + r->step, arrived + others + r->step / r->waves);
		r->done[step + 1] = later(r->done[step + 1], now);
		next_step(r->spaces, digit);
	}
}

static void run_op(pim_overlap *s, const pim_node *n)
{
	pim_arena *scratch = pim_arena_new();
	run *r = &s->run[n->id];
	need *w = PIM_NEW(scratch, need, n->n_in);
	int n_needs = 0;
	int64_t *digit = PIM_NEW(scratch, int64_t, r->spaces->n + 1);
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i] && !is_leaf(n->in[i]))
			w[n_needs++] = find_need(s, n, i, scratch);
	for (int64_t place = 0; place < r->spaces->places; place++) {
		set_digits(r->spaces, true, place, digit);
		if (is_new_place(r->spaces, w, n_needs, digit))
			run_place(s, n, w, n_needs, place, digit);
	}
	pim_arena_free(scratch);
}

/* A move as an op of one step: when all of its inputs are complete. */
static void run_move(pim_overlap *s, const pim_node *n)
{
	run *r = &s->run[n->id];
	for (int i = 0; i < (int)n->n_in; i++)
		r->seen.begin = n->in[i] ? later(r->seen.begin, finish_of(s, n->in[i])) : r->seen.begin;
	r->done[1] = r->seen.begin + r->seen.cost;
}

static void prepare(pim_overlap *s, const pim_node *n)
{
	run *r = &s->run[n->id];
	pim_arena *scratch = pim_arena_new();
	int units = s->target->units;
	pim_estimate e = pim_node_estimate(s->target, n, units, units, scratch);
	pim_arena_free(scratch);
	r->axes = pim_axes_new(n, s->arena);
	r->spaces = pim_spaces_of(n, r->axes, s->arena);
	double steps = (double)r->spaces->steps;
	r->seen.steps = r->spaces->steps;
	r->seen.places = r->spaces->places;
	r->seen.cost = (double)e.cycles;
	r->step = (double)e.compute / steps;
	r->waves = (double)e.waves;
	r->lag = (double)e.incoming / steps;
	r->done = PIM_NEW(s->arena, double, r->spaces->steps + 1);
}

/* Every space of n against every space of the op its input comes from. */
static bool check_edge(const pim_overlap *s, const pim_node *n, const need *w)
{
	const run *r = &s->run[n->id], *p = &s->run[w->from->id];
	double work = (double)r->spaces->places * (double)r->spaces->steps * (double)p->spaces->places *
				  (double)p->spaces->steps;
	if (work > MOST_CHECKED) {
		pim_node_note(n, PIM_REMARK,
			"input %d has %.0f pairs of tiles, too many to compare (at most %d)", w->input, work,
			MOST_CHECKED);
		return true;
	}
	pim_arena *scratch = pim_arena_new();
	bool good = true;
	int64_t *digit = PIM_NEW(scratch, int64_t, r->spaces->n + 1);
	for (int64_t place = 0; place < r->spaces->places && good; place++)
		for (int64_t step = 0; step < r->spaces->steps && good; step++) {
			pim_box axes, box, made = {0};
			set_digits(r->spaces, true, place, digit);
			set_digits(r->spaces, false, step, digit);
			if (!pim_spaces_box(r->spaces, place, step, &axes))
				continue;
			pim_axes_demand(r->axes, n, w->input, &axes, &box, NULL, NULL);
			int64_t exact = 0, closed = pim_handoff_ready(&w->handoff, r->spaces, digit);
			if (!pim_box_empty(&box)) {
				pim_axes_cover(p->axes, &box, &made);
				exact = pim_spaces_ready_exhaustive(p->spaces, &made);
			}
			if (exact != closed)
				good = pim_node_error(n,
					"tile %lld of place %lld is ready after %lld steps of input %d, the closed "
					"form says %lld",
					(long long)step, (long long)place, (long long)exact, w->input,
					(long long)closed);
		}
	pim_arena_free(scratch);
	return good;
}

bool pim_overlap_check(const pim_overlap *s, const pim_node *n)
{
	pim_overlap quiet = *s;
	bool good = true;
	quiet.quiet = true;
	pim_arena *scratch = pim_arena_new();
	for (int i = 0; i < (int)n->n_in && good && !only_moves(n); i++) {
		if (!n->in[i] || is_leaf(n->in[i]))
			continue;
		need w = find_need(&quiet, n, i, scratch);
		if (w.kind == NEED_table)
			good = check_edge(s, n, &w);
	}
	pim_arena_free(scratch);
	return good;
}

pim_overlap *pim_overlap_new(pim_graph *g, const pim_target *t, pim_arena *a)
{
	pim_overlap *s = PIM_NEW(a, pim_overlap, 1);
	*s = (pim_overlap){.graph = g, .target = t, .arena = a, .run = PIM_NEW(a, run, g->n_ids)};
	PIM_EACH_NODE(n, g)
	{
		if (is_leaf(n))
			continue;
		prepare(s, n);
		if (only_moves(n))
			run_move(s, n);
		else
			run_op(s, n);
		pim_overlap_run *seen = &s->run[n->id].seen;
		seen->end = finish_of(s, n);
		s->total.sequential += seen->cost;
		s->total.overlapped = later(s->total.overlapped, seen->end);
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
