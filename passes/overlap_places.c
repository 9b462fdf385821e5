/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_places - one op of a graph with too many tiles to follow each: by places that are alike.
 *
 * All places of the nest run at once; slices that share a unit make a step as many times longer. Of
 * a producer the completion of a step at all places counts, done[step], so that the ready times of
 * all tiles come from the small tables of overlap_handoff.c, and places with the same entries run
 * alike and are run once. Never sooner than tile by tile. Cost: tiles of places that differ, times
 * inputs. */
#include "passes/overlap_state.h"

enum { MOST_TRACED = 1 << 14 };

typedef enum need_kind { NEED_time, NEED_table, NEED_trace } need_kind;

/* What a space of the node waits for at one input. */
typedef struct need {
	need_kind kind;
	int input;
	double time;		  /* of all spaces alike; added to the others: movement on the way */
	const pim_node *from; /* NEED_table: the op that computes the value */
	pim_handoff handoff;
} need;

static need find_need(pim_overlap *s, const pim_node *n, int input, pim_arena *scratch)
{
	const pim_op_run *r = &s->run[n->id];
	const pim_node *from = n->in[input];
	need w = {.input = input};
	while (from->op == PIM_OP_relayout) {
		w.time += s->run[from->id].seen.cost;
		from = from->in[0];
	}
	if (pim_overlap_is_leaf(from))
		return w;
	if (!pim_overlap_only_moves(from) && from->type->n_parts == 0) {
		const pim_op_run *p = &s->run[from->id];
		w.kind = NEED_table;
		w.from = from;
		pim_pair pair = pim_pair_of(input, r->axes, r->spaces, from, p->axes, p->spaces);
		w.handoff = pim_handoff_new(&pair, scratch);
		return w;
	}
	bool traced = r->spaces->places * r->spaces->steps <= MOST_TRACED && from->type->n_parts == 0;
	s->total.traced -= !traced;
	s->total.barriers += !traced;
	w.kind = traced ? NEED_trace : NEED_time;
	w.time = traced ? 0 : pim_overlap_finish(s, n->in[input]);
	return w;
}

static double need_time(const pim_overlap *s, const pim_node *n, const need *w,
	const int64_t *digit, int64_t place, int64_t step)
{
	const pim_op_run *r = &s->run[n->id];
	pim_box axes, box;
	int64_t visits = 0;
	switch (w->kind) {
	case NEED_table:
		return s->run[w->from->id].done[pim_handoff_ready(&w->handoff, r->spaces, digit)] + w->time;
	case NEED_trace:
		if (!pim_spaces_box(r->spaces, place, step, &axes))
			return 0;
		pim_axes_demand(r->axes, n, w->input, &axes, &box, NULL, NULL);
		return pim_overlap_box(s, n->in[w->input], &box, &visits).time;
	case NEED_time:
		break;
	}
	return w->time;
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
	pim_op_run *r = &s->run[n->id];
	double now = 0, arrived = 0, others = r->seen.message * (r->waves - 1),
		   length = r->seen.tile * r->waves;
	for (int64_t step = 0; step < r->spaces->steps; step++) {
		double ready = step ? arrived + others : 0;
		for (int k = 0; k < n_needs; k++) {
			double time = need_time(s, n, &w[k], digit, place, step);
			if (time > ready)
				r->seen.last = n->in[w[k].input];
			ready = pim_later(ready, time);
		}
		arrived = ready + r->seen.message;
		if (step == 0)
			r->seen.begin = place == 0 || arrived < r->seen.begin ? arrived : r->seen.begin;
		else
			r->seen.waits = pim_later(r->seen.waits, arrived - now);
		now = pim_later(pim_later(now, arrived) + length, arrived + others + r->seen.tile);
		r->done[step + 1] = pim_later(r->done[step + 1], now);
		next_step(r->spaces, digit);
	}
}

void pim_overlap_run_places(pim_overlap *s, const pim_node *n)
{
	pim_arena *scratch = pim_arena_new();
	pim_op_run *r = &s->run[n->id];
	need *w = PIM_NEW(scratch, need, n->n_in);
	int n_needs = 0;
	int64_t *digit = PIM_NEW(scratch, int64_t, r->spaces->n + 1);
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i] && !pim_overlap_is_leaf(n->in[i]))
			w[n_needs++] = find_need(s, n, i, scratch);
	for (int64_t place = 0; place < r->spaces->places; place++) {
		pim_spaces_digits(r->spaces, place, 0, digit);
		if (is_new_place(r->spaces, w, n_needs, digit))
			run_place(s, n, w, n_needs, place, digit);
	}
	pim_arena_free(scratch);
}
