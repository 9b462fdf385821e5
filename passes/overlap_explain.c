/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_explain - why a tile does not begin sooner, in words.
 *
 * A tile waits for its unit or for what it reads, whichever comes later. The chain goes on from
 * what it waited for: the tile that made it, or the one that ran on its unit before; tiles that ran
 * on one unit without a pause are told together. It ends at a tile that waited for nothing. */
#include "passes/overlap_state.h"

enum { MOST_LINKS = 1000 };

static const char *const last_names[] = {"columns", "rows", "channels", "batches"};

/* What part of a value a box is: the dimensions that it does not have in full. */
static void add_part(pim_text *out, const pim_node *v, const pim_box *box)
{
	const char *separator = "";
	int rank = v->type->rank;
	for (int d = 0; d < rank; d++) {
		if (box->lo[d] == 0 && box->hi[d] == v->type->dims[d])
			continue;
		int from_last = rank - 1 - d;
		if (from_last < 4 && rank <= 4)
			pim_text_printf(out, "%s%s", separator, last_names[from_last]);
		else
			pim_text_printf(out, "%sdimension %d", separator, d);
		pim_text_printf(out, " %lld", (long long)box->lo[d]);
		if (box->hi[d] - 1 > box->lo[d])
			pim_text_printf(out, "..%lld", (long long)box->hi[d] - 1);
		separator = ", ";
	}
	pim_text_str(out, *separator ? " of " : "all of ");
	pim_label_print(out, v);
}

static int unit_of(const pim_node *n, int slot)
{
	return n->plan && n->plan->unit && slot < n->plan->n_units ? n->plan->unit[slot] : slot;
}

/* Waits for what it reads, for its unit, for neither. */
typedef enum cause { CAUSE_none, CAUSE_input, CAUSE_unit } cause;

static cause cause_of(const pim_overlap_tile *t)
{
	if (t->begin > t->free && t->when.of)
		return CAUSE_input;
	return t->free > 0 ? CAUSE_unit : CAUSE_none;
}

static void add_maker(pim_text *out, const pim_overlap *s, const pim_overlap_when *w)
{
	pim_overlap_tile by;
	int64_t each = s->run[w->of->id].tiles;
	add_part(out, w->of, &w->box);
	if (w->slice < 0 || !pim_overlap_tile_at(s, w->of, w->slice * each + w->step - 1, &by)) {
		pim_text_printf(out, ", made by all of its units by step %lld", (long long)w->step);
		return;
	}
	pim_text_printf(out, ", made by unit %d at step %lld of slice %lld (tile %lld)",
		unit_of(w->of, by.unit), (long long)w->step, (long long)w->slice,
		(long long)(w->slice * each + w->step - 1));
}

static void add_cause(
	pim_text *out, const pim_overlap *s, const pim_node *n, int64_t tile, const pim_overlap_tile *t)
{
	switch (cause_of(t)) {
	case CAUSE_none:
		pim_text_str(out, "waits for nothing");
		return;
	case CAUSE_unit:
		pim_text_printf(out, "waits until cycle %.0f for its unit, busy with tile %lld", t->free,
			(long long)pim_overlap_tile_before(s, n, tile));
		if (t->when.of)
			pim_text_printf(out, "; what it reads is complete at %.0f", t->when.time);
		return;
	case CAUSE_input:
		pim_text_printf(out, "waits until cycle %.0f for ", t->when.time);
		add_maker(out, s, &t->when);
		if (t->begin > t->when.time)
			pim_text_printf(out, ", and until %.0f for its messages", t->begin);
	}
}

static void tell_tile(
	const pim_overlap *s, const pim_node *n, int64_t tile, const pim_overlap_tile *t)
{
	pim_text text = {0};
	add_cause(&text, s, n, tile, t);
	pim_node_note(n, PIM_REMARK,
		"tile %lld (step %lld of slice %lld, on unit %d) runs from %.0f to %.0f; it %s",
		(long long)tile, (long long)t->step + 1, (long long)t->slice, unit_of(n, t->unit), t->begin,
		t->end, text.s);
	pim_text_free(&text);
}

/* The first tile of those that ran on the unit without a pause until this one. */
static int64_t first_of_run(
	const pim_overlap *s, const pim_node *n, int64_t tile, pim_overlap_tile *t)
{
	while (cause_of(t) == CAUSE_unit) {
		tile = pim_overlap_tile_before(s, n, tile);
		pim_overlap_tile_at(s, n, tile, t);
	}
	return tile;
}

static void follow(const pim_overlap *s, const pim_node *n, int64_t tile, pim_overlap_tile *t)
{
	for (int links = 0; links < MOST_LINKS; links++) {
		if (cause_of(t) == CAUSE_unit) {
			tile = first_of_run(s, n, tile, t);
		} else if (cause_of(t) == CAUSE_input && t->when.slice >= 0) {
			n = t->when.of;
			tile = t->when.slice * s->run[n->id].tiles + t->when.step - 1;
			if (!pim_overlap_tile_at(s, n, tile, t))
				return;
		} else {
			return;
		}
		tell_tile(s, n, tile, t);
	}
}

bool pim_overlap_explain(const pim_overlap *s, const pim_node *n, int64_t tile, pim_explanation how)
{
	pim_overlap_tile t;
	int64_t tiles = pim_overlap_tiles(s, n);
	if (pim_overlap_is_leaf(n) || pim_overlap_only_moves(n))
		return pim_node_error(n, "has no tiles: it computes nothing");
	if (!tiles)
		return pim_node_error(n, "has too many tiles to follow each of them");
	if (!pim_overlap_tile_at(s, n, tile, &t))
		return pim_node_error(
			n, "has tiles 0 to %lld, no tile %lld", (long long)tiles - 1, (long long)tile);
	if (!t.any)
		return pim_node_error(n, "tile %lld is empty: slice %lld is smaller than others",
			(long long)tile, (long long)t.slice);
	tell_tile(s, n, tile, &t);
	if (how == PIM_EXPLAIN_chain)
		follow(s, n, tile, &t);
	return true;
}
