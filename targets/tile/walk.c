/* SPDX-License-Identifier: Apache-2.0 */
/* walk.c - slices of ops that compute, from memory through the buffer and back.
 *
 * An op alone and a group of ops that share a walk are lowered alike: in each tile of the last op,
 * every op before it whose box is another one than before runs, its own summed axes tile by tile,
 * and leaves its result in the buffer. */
#include <string.h>

#include "targets/tile/work.h"

struct pim_tile_walk {
	const pim_fusion *f;
	pim_work *work; /* by member */
	int64_t (*slot)[2];
	int64_t slice; /* of the last member */
	pim_box tile;  /* of the walk */
	int member;	   /* that runs next */
	pim_box part;  /* of it */
	int64_t tiles; /* of the walk that are done */
	bool ended;
	int half; /* of the buffer; WHOLE: both */
	pim_arena *arena;
};

enum { WHOLE = -1 };

/* Slots one behind the other; an operand of an op alone has two when there are several tiles. */
static int64_t lay_out_alone(pim_work *w)
{
	bool from_memory[PIM_MOST_OPERANDS] = {0};
	int64_t bytes = 0;
	pim_box tile = pim_work_first_tile(w);
	bool several = !pim_box_equal(&tile, &w->slice);
	const int64_t *extent = w->n->plan->nest->tile;
	pim_nest_buffer_bytes(w->n, w->x, extent, &w->l->graph->limits, from_memory);
	for (int i = 0; i < w->n_operands; i++) {
		pim_operand *o = &w->operand[i];
		o->from_memory = from_memory[i];
		int64_t slot = pim_nest_slot_bytes(w->n, w->x, i, extent);
		if (o->from_memory || (i < w->n_operands - 1 && !w->n->in[i]))
			continue;
		o->slot[0] = o->slot[1] = bytes;
		if (several)
			o->slot[1] = bytes += slot;
		bytes += slot;
	}
	return bytes;
}

static int64_t lay_out_group(pim_tile_walk *k)
{
	int64_t bytes = pim_fusion_buffer_bytes(k->f, k->slot);
	for (int m = 0; m < k->f->n; m++)
		for (int i = 0; i < k->work[m].n_operands; i++)
			memcpy(
				k->work[m].operand[i].slot, k->slot[k->f->member[m].operand + i], sizeof *k->slot);
	return bytes;
}

/* Slices alternate between the halves of the buffer where they fit. */
static void lay_out_buffer(pim_tile_walk *k)
{
	const pim_lowering *l = k->work->l;
	pim_unit *u = &l->unit[k->work->unit];
	int64_t half = l->target->buffer.bytes / 2;
	k->half = WHOLE;
	if ((k->f->n > 1 ? lay_out_group(k) : lay_out_alone(k->work)) > half)
		return;
	k->half = u->half = !u->half;
	for (int m = 0; m < k->f->n && u->half; m++)
		for (int i = 0; i < k->work[m].n_operands; i++)
			for (int s = 0; s < 2; s++)
				k->work[m].operand[i].slot[s] += half / PIM_SLOT_ALIGN * PIM_SLOT_ALIGN;
}

static void start_operands(pim_tile_walk *k, const pim_member *p, pim_work *w)
{
	for (int i = 0; i < w->n_operands; i++) {
		pim_operand *o = &w->operand[i];
		o->at = 1;
		o->box[0].n = o->box[1].n = -1;
		int from = i < w->n_operands - 1 ? p->from[i] : -1;
		if (from >= 0)
			o->made = &k->work[from].operand[k->work[from].n_operands - 1];
	}
}

/* Slice `slice` of member m, at nothing yet. */
static void start_work(pim_tile_walk *k, int m, pim_lowering *l, int64_t slice, pim_arena *a)
{
	const pim_member *p = &k->f->member[m];
	const pim_layout *layout = p->node->plan->layout;
	int64_t per_copy = pim_layout_slices(layout) / layout->copies;
	pim_work *w = &k->work[m];
	w->l = l;
	w->n = p->node;
	w->x = p->axes;
	w->unit = pim_slice_unit(p->node, slice);
	w->alone = k->f->n == 1;
	w->first_sum = slice % per_copy < per_copy / layout->sums;
	w->n_operands = (int)p->node->n_in + 1;
	w->operand = PIM_NEW(a, pim_operand, w->n_operands);
	pim_slice_axes(p->node, p->axes, slice, &w->slice);
	w->range = w->slice;
	start_operands(k, p, w);
	for (uint32_t i = 0; i < w->n->n_in; i++)
		w->operand[i].type = w->n->in[i] ? w->n->in[i]->type : NULL;
	pim_operand *result = &w->operand[w->n_operands - 1];
	result->type = p->node->type;
	result->stored = p->stored;
	result->space = PIM_SPACE_memory;
}

/* Where the operands of a member lie. */
static void place_work(pim_tile_walk *k, int m, pim_fetching how)
{
	pim_work *w = &k->work[m];
	int64_t slice = pim_fusion_slice(k->f, m, k->slice);
	pim_operand *result = &w->operand[w->n_operands - 1];
	if (result->stored)
		result->held = w->l->home[w->n->id][slice];
	pim_work_fetch(w, how);
	w->placed = true;
}

/* ---- a walk, kernel by kernel ---- */

static pim_box result_box(const pim_work *w, const pim_box *tile)
{
	pim_box box;
	pim_axes_result(w->x, w->n->type->rank, tile, &box);
	return box;
}

void pim_tile_walk_store(pim_tile_walk *k)
{
	for (int m = 0; m < k->f->n; m++)
		pim_work_store(&k->work[m]);
}

/* The next member from `member` on whose box is another one than before. */
static void enter_member(pim_tile_walk *k)
{
	for (; k->member < k->f->n - 1; k->member++) {
		pim_work *w = &k->work[k->member];
		pim_box range;
		pim_fusion_tile(k->f, k->member, &w->slice, &k->tile, &range);
		if (pim_box_equal(&w->range, &range))
			continue;
		w->range = range;
		k->part = pim_work_first_tile(w);
		return;
	}
	k->part = k->tile;
}

static void next_kernel(pim_tile_walk *k)
{
	pim_work *w = &k->work[k->member];
	bool last = k->member == k->f->n - 1;
	pim_box before = result_box(w, &k->part);
	bool more = pim_work_next_tile(w, last ? &k->tile : &k->part);
	pim_box now = result_box(w, last ? &k->tile : &k->part);
	w->partial = more && pim_box_equal(&before, &now);
	k->tiles += last;
	k->ended = last && !more;
	if (!last && more)
		return;
	k->member = last ? 0 : k->member + 1;
	enter_member(k);
}

bool pim_tile_walk_step(pim_tile_walk *k)
{
	if (!pim_work_run(&k->work[k->member], &k->part))
		return false;
	next_kernel(k);
	return true;
}

/* Do kernels of the group all run on one engine? Then nothing is gained by storing a result late.
 */
static bool has_one_engine(const pim_fusion *f)
{
	for (int m = 0; m < f->n; m++)
		if (f->member[m].crosses)
			return false;
	return f->n > 1;
}

/* The slices of all members that go with slice `slice` of the last one. */
static pim_tile_walk *start_walk(
	pim_lowering *l, const pim_fusion *f, int64_t slice, pim_fetching how, pim_arena *a)
{
	pim_tile_walk *k = PIM_NEW(a, pim_tile_walk, 1);
	*k = (pim_tile_walk){.f = f,
		.work = PIM_NEW(a, pim_work, f->n),
		.slot = pim_arena_alloc(a, sizeof *k->slot * (size_t)f->n_operands)};
	for (int m = 0; m < f->n; m++)
		start_work(k, m, l, pim_fusion_slice(f, m, slice), a);
	lay_out_buffer(k);
	k->slice = slice;
	for (int m = 0; m < f->n; m++) {
		if (how == PIM_FETCH_all)
			place_work(k, m, how);
		k->work[m].walk = how == PIM_FETCH_parts && has_one_engine(f) ? k : NULL;
		if (m < f->n - 1)
			k->work[m].range.n = -1;
	}
	k->tile = pim_work_first_tile(&k->work[f->n - 1]);
	enter_member(k);
	return k;
}

pim_tile_walk *pim_tile_walk_new(pim_lowering *l, const pim_fusion *f, int64_t slice, pim_arena *a)
{
	return start_walk(l, f, slice, PIM_FETCH_parts, a);
}

bool pim_tile_walk_ended(const pim_tile_walk *k)
{
	return k->ended;
}

int64_t pim_tile_walk_tiles(const pim_tile_walk *k)
{
	return k->tiles;
}

int pim_tile_walk_member(const pim_tile_walk *k)
{
	return k->member;
}

const pim_box *pim_tile_walk_part(const pim_tile_walk *k)
{
	return &k->part;
}

/* The box of operand i that the next kernel reads from outside; false for none. */
static bool read_box(const pim_tile_walk *k, int i, pim_box *box)
{
	const pim_work *w = &k->work[k->member];
	const pim_operand *o = &w->operand[i];
	const pim_node *value = w->n->in[i];
	if (!value || !o->type || o->made || pim_is_given(value))
		return false;
	pim_axes_demand(w->x, w->n, i, &k->part, box, NULL, NULL);
	return !pim_box_empty(box);
}

int pim_tile_walk_reads(const pim_tile_walk *k, pim_read *read)
{
	const pim_work *w = &k->work[k->member];
	int n = 0;
	for (int i = 0; i < w->n_operands - 1; i++)
		if (read_box(k, i, &read[n].box))
			read[n++].value = w->n->in[i];
	return n;
}

void pim_tile_walk_fetch(pim_tile_walk *k)
{
	pim_work *w = &k->work[k->member];
	pim_box box;
	if (!w->placed)
		place_work(k, k->member, PIM_FETCH_parts);
	for (int i = 0; i < w->n_operands - 1; i++)
		if (w->operand[i].staged && read_box(k, i, &box))
			pim_fetch_part(w->l, w->operand[i].staged, w->unit, &box);
}

bool pim_kernels_check(const pim_lowering *l, const pim_fusion *f)
{
	for (int m = 0; m < f->n; m++) {
		const pim_node *n = f->member[m].node;
		if (n->n_in >= PIM_MOST_OPERANDS)
			return pim_node_error(n, "%s has %d inputs, but a kernel reads at most %d",
				pim_node_op(n), (int)n->n_in, PIM_MOST_OPERANDS - 1);
		const char *why = pim_target_refusal(l->target, n, f->member[m].axes, n->plan->nest->tile);
		if (why)
			return pim_node_error(n, "%s cannot run on %s: %s; the pass decompose may help",
				pim_node_op(n), l->target->name, why);
	}
	return true;
}

bool pim_fetch_kernels(pim_lowering *l, const pim_fusion *f, int64_t slice)
{
	if (!pim_kernels_check(l, f))
		return false;
	pim_arena *scratch = pim_arena_new();
	int half = l->unit[pim_slice_unit(f->member[f->n - 1].node, slice)].half;
	start_walk(l, f, slice, PIM_FETCH_all, scratch);
	l->unit[pim_slice_unit(f->member[f->n - 1].node, slice)].half = half;
	pim_arena_free(scratch);
	return true;
}

static void store_last(pim_unit *u)
{
	if (!u->unstored)
		return;
	pim_tile_walk_store(u->unstored);
	pim_arena_free(u->unstored->arena);
	u->unstored = NULL;
}

void pim_kernels_store(pim_lowering *l)
{
	for (int i = 0; i < l->target->units; i++)
		store_last(&l->unit[i]);
}

/* The first kernel of a walk. Its loads do not wait for the last kernel of the walk before, whose
 * result is stored behind them, where the two have a half of the buffer each. */
static bool run_first(pim_tile_walk *k, pim_unit *u)
{
	pim_tile_walk *before = u->unstored;
	pim_work *w = &k->work[k->member];
	if (before && (k->half == WHOLE || before->half == WHOLE || k->half == before->half))
		store_last(u);
	w->walk = u->unstored;
	bool good = pim_tile_walk_step(k);
	w->walk = NULL;
	store_last(u);
	return good;
}

bool pim_lower_kernels(pim_lowering *l, const pim_fusion *f, int64_t slice)
{
	pim_arena *a = pim_arena_new();
	pim_tile_walk *k = start_walk(l, f, slice, PIM_FETCH_all, a);
	pim_unit *u = &l->unit[k->work->unit];
	k->arena = a;
	bool good = run_first(k, u);
	while (good && !k->ended)
		good = pim_tile_walk_step(k);
	u->unstored = k;
	return good;
}
