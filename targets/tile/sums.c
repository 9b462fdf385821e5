/* SPDX-License-Identifier: Apache-2.0 */
/* sums.c - a relayout from partial sums.
 *
 * Straight: one slice of the result gathers its box of every partial sum, the first into its home,
 * the others beside it, and adds them up in their order. Along a tree: a partial sum that others
 * come to is copied, they are added to the copy, and it is sent on; round by round, so that every
 * message stands behind those it is made of. */
#include "targets/tile/tile.h"

static int64_t box_bytes(const pim_node *n, const pim_held *h)
{
	return pim_box_elements(&h->box) * (int64_t)pim_dtype_bytes(n->type->dtype);
}

/* Asks for the pieces of the next partial sum of p. */
static void fetch_sum(
	pim_lowering *l, const pim_node *n, int unit, pim_pieces *p, const pim_held *to)
{
	const pim_node *value = n->in[0];
	pim_box part;
	int64_t from_slice;
	for (int64_t now = p->sum;
		 !p->done && p->sum == now && pim_pieces_next(p, &from_slice, &part);) {
		const pim_held *held = &l->home[value->id][from_slice];
		int64_t from_offset, to_offset;
		pim_pattern pattern =
			pim_box_pattern(n->type, &part, &held->box, &to->box, &from_offset, &to_offset);
		pim_touch from = {.space = PIM_SPACE_memory, .address = held->address + from_offset};
		pim_stream_touch(l, value, held, &part, &from);
		pim_transfer_add(l, &pattern, pim_slice_unit(value, from_slice), from, unit,
			(pim_touch){.space = PIM_SPACE_memory, .address = to->address + to_offset},
			pim_slice_ready(value, from_slice));
	}
}

void pim_fetch_sums(pim_lowering *l, const pim_node *n, int64_t slice)
{
	const pim_node *value = n->in[0];
	int unit = pim_slice_unit(n, slice), sums = value->plan->layout->sums;
	const pim_held *home = &l->home[n->id][slice];
	pim_pieces p = pim_pieces_of(value, &home->box, slice % value->plan->layout->copies);
	pim_held *addend = l->addend[slice] = PIM_NEW(l->arena, pim_held, sums);
	for (int k = 0; k < sums; k++) {
		addend[k] = *home;
		if (k > 0)
			addend[k].address = pim_room_take(&l->unit[unit].room, box_bytes(n, home));
		fetch_sum(l, n, unit, &p, &addend[k]);
	}
}

/* ---- adding ---- */

/* Adds the packed box at `from` to the one at `to` on the unit, both in main memory. */
static void add_sum(
	pim_lowering *l, const pim_node *n, int unit, const pim_held *to, const pim_held *from)
{
	int64_t dims[PIM_MAX_RANK], bytes = box_bytes(n, to);
	for (int d = 0; d < n->type->rank; d++)
		dims[d] = to->box.hi[d] - to->box.lo[d];
	const pim_type *t = pim_type_tensor(pim_context_of(n), n->type->dtype, n->type->rank, dims);
	uint32_t kernel = pim_program_kernel(l->program, n, 1, &t, t, NULL, 0);
	pim_touch touch[2] = {
		{PIM_SPACE_memory, to->address, 0, bytes}, {PIM_SPACE_memory, from->address, 0, bytes}};
	pim_emit(l, unit, pim_kernel_command(l->target, n), kernel, 0, true, 2, touch);
}

void pim_lower_sums(pim_lowering *l, const pim_node *n, int64_t slice)
{
	int unit = pim_slice_unit(n, slice), sums = n->in[0]->plan->layout->sums;
	const pim_held *addend = l->addend[slice];
	for (int k = 1; k < sums; k++) {
		add_sum(l, n, unit, &addend[0], &addend[k]);
		pim_room_give(&l->unit[unit].room, addend[k].address, box_bytes(n, &addend[k]));
	}
}

/* ---- along trees ---- */

/* One part of one slice on its way: where its sums are added up, and what has come to them. */
typedef struct journey {
	const pim_node *n;
	int64_t slice;
	const pim_reduction *r;
	pim_held *sum;	   /* by addend, and last the reader's: the own copy; address -1: none needed */
	pim_held *arrived; /* by addend: where it lies at the one it was sent to; address -1: it is the
						* first at the reader and lies in its sum */
	bool begun;		   /* something lies in the reader's sum */
} journey;

static pim_held take_part(pim_lowering *l, const journey *w, int unit)
{
	pim_held h = {.box = w->r->part};
	h.address = pim_room_take(&l->unit[unit].room, box_bytes(w->n, &h));
	return h;
}

static void give_part(pim_lowering *l, const journey *w, int unit, const pim_held *h)
{
	pim_room_give(&l->unit[unit].room, h->address, box_bytes(w->n, h));
}

/* `home`: from where the value was computed; else from a copy of the part. */
static void move_part(pim_lowering *l, const journey *w, int from_unit, const pim_held *from,
	int64_t ready, int to_unit, const pim_held *to, const pim_node *home)
{
	int64_t from_offset, to_offset;
	pim_pattern pattern =
		pim_box_pattern(w->n->type, &w->r->part, &from->box, &to->box, &from_offset, &to_offset);
	pim_touch source = {.space = PIM_SPACE_memory, .address = from->address + from_offset},
			  target = {.space = PIM_SPACE_memory, .address = to->address + to_offset};
	if (home)
		pim_stream_touch(l, home, from, &w->r->part, &source);
	pim_transfer_add(l, &pattern, from_unit, source, to_unit, target, ready);
}

static void move_from_home(
	pim_lowering *l, const journey *w, int i, int to_unit, const pim_held *to)
{
	const pim_node *value = w->n->in[0];
	const pim_addend *s = &w->r->addend[i];
	move_part(l, w, s->unit, &l->home[value->id][s->slice], pim_slice_ready(value, s->slice),
		to_unit, to, value);
}

/* Those that others come to make a copy of their own. */
static void copy_own(pim_lowering *l, journey *w)
{
	for (int i = 0; i < w->r->n; i++) {
		w->sum[i].address = -1;
		if (w->r->addend[i].round == 0)
			continue;
		w->sum[i] = take_part(l, w, w->r->addend[i].unit);
		move_from_home(l, w, i, w->r->addend[i].unit, &w->sum[i]);
	}
}

/* Sends sum i to its parent, with all that has come to it. */
static void send_on(pim_lowering *l, journey *w, int i)
{
	const pim_addend *s = &w->r->addend[i];
	int to_unit = s->parent < 0 ? w->r->unit : w->r->addend[s->parent].unit;
	bool first = s->parent < 0 && !w->begun;
	pim_held *to = first ? &w->sum[w->r->n] : &w->arrived[i];
	w->begun = w->begun || first;
	w->arrived[i].address = -1;
	if (!first)
		*to = take_part(l, w, to_unit);
	if (w->sum[i].address < 0)
		move_from_home(l, w, i, to_unit, to);
	else
		move_part(l, w, s->unit, &w->sum[i], l->since, to_unit, to, NULL);
}

/* Adds what was sent in this round, and gives back the room it took. */
static void add_arrived(pim_lowering *l, journey *w, int i)
{
	const pim_addend *s = &w->r->addend[i];
	int up = s->parent < 0 ? w->r->n : s->parent,
		unit = s->parent < 0 ? w->r->unit : w->r->addend[s->parent].unit;
	if (w->arrived[i].address >= 0) {
		add_sum(l, w->n, unit, &w->sum[up], &w->arrived[i]);
		give_part(l, w, unit, &w->arrived[i]);
	}
	if (w->sum[i].address >= 0)
		give_part(l, w, s->unit, &w->sum[i]);
}

static journey *begin_journeys(
	pim_lowering *l, const pim_node *n, pim_sums shape, int *count, pim_arena *a)
{
	int64_t slices = pim_layout_slices(n->plan->layout);
	pim_reduction **r = PIM_NEW(a, pim_reduction *, slices);
	int *parts = PIM_NEW(a, int, slices), all = 0;
	for (int64_t s = 0; s < slices; s++)
		all += parts[s] =
			pim_reductions_of(l->target, n, s, shape, (pim_crew_sizes){1, 1}, &r[s], a);
	journey *w = PIM_NEW(a, journey, all);
	*count = 0;
	for (int64_t s = 0; s < slices; s++)
		for (int k = 0; k < parts[s]; k++) {
			const pim_held *home = &l->home[n->id][s];
			journey *one = &w[(*count)++];
			*one = (journey){n, s, &r[s][k], PIM_NEW(a, pim_held, r[s][k].n + 1),
				PIM_NEW(a, pim_held, r[s][k].n), false};
			one->sum[one->r->n] =
				pim_box_equal(&one->r->part, &home->box) ? *home : take_part(l, one, one->r->unit);
		}
	return w;
}

/* What was added up beside its home goes there. */
static void bring_home(pim_lowering *l, const journey *w)
{
	const pim_held *home = &l->home[w->n->id][w->slice], *sum = &w->sum[w->r->n];
	if (sum->address != home->address || !pim_box_equal(&sum->box, &home->box))
		move_part(l, w, w->r->unit, sum, l->since, w->r->unit, home, NULL);
}

void pim_lower_sum_trees(pim_lowering *l, const pim_node *n, pim_sums shape)
{
	pim_arena *scratch = pim_arena_new();
	int count, rounds = 0;
	journey *w = begin_journeys(l, n, shape, &count, scratch);
	l->turn = 0;
	for (int j = 0; j < count; j++) {
		copy_own(l, &w[j]);
		rounds = w[j].r->rounds > rounds ? w[j].r->rounds : rounds;
	}
	for (int round = 0; round < rounds; round++) {
		for (int j = 0; j < count; j++)
			for (int i = 0; i < w[j].r->n; i++)
				if (w[j].r->addend[i].round == round)
					send_on(l, &w[j], i);
		pim_transfers_emit(l);
		for (int j = 0; j < count; j++)
			for (int i = 0; i < w[j].r->n; i++)
				if (w[j].r->addend[i].round == round)
					add_arrived(l, &w[j], i);
	}
	for (int j = 0; j < count; j++)
		bring_home(l, &w[j]);
	pim_transfers_emit(l);
	for (int j = 0; j < count; j++)
		if (w[j].sum[w[j].r->n].address != l->home[n->id][w[j].slice].address)
			give_part(l, &w[j], w[j].r->unit, &w[j].sum[w[j].r->n]);
	pim_arena_free(scratch);
}
