/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.c - slices of ops that compute: their tiles, from memory through the buffer and back.
 *
 * An op alone and a group of ops that share a walk are lowered alike: in each tile of the last op,
 * every op before it whose box is another one than before runs, its own summed axes tile by tile,
 * and leaves its result in the buffer. An operand has one slot there or two; a tile whose operand
 * box is the one already there does not load it again. A result stays in its slot while tiles add
 * to it and is stored when the next tile makes another box; in a group, which has more to do until
 * a result is there, one tile later, so that loads do not wait for it. */
#include <assert.h>
#include <string.h>

#include "targets/tile/tile.h"

enum {
	MOST_OPERANDS = PIM_MAX_RANK + 1, /* inputs and the result of one kernel */
	BIAS = 2						  /* the input of a matrix op that is added once */
};

typedef struct operand {
	const pim_type *type; /* of the whole value; NULL: absent */
	pim_held held;		  /* where its box for the slice lies */
	uint8_t space;
	bool from_memory;			/* the kernel reads or writes it in place */
	const struct operand *made; /* the result of another op of the group that this is */
	bool stored;				/* a result that main memory has too */
	int64_t slot[2];			/* buffer addresses */
	int at;						/* slot in use */
	pim_box box[2];				/* what is there; n < 0: nothing */
	bool waits[2];				/* a result that is not stored yet */
	pim_staged *staged;			/* where it arrives part by part; NULL: it is there */
} operand;

/* One op with its slice. */
typedef struct work {
	pim_lowering *l;
	const pim_node *n;
	const pim_axes *x;
	int unit;
	bool alone;		/* in no group */
	bool first_sum; /* this slice holds the first of the partial sums */
	pim_box slice;	/* axis ranges of the slice */
	pim_box range;	/* of these, what it is at; n < 0: nothing yet */
	int n_operands; /* the result is the last */
	operand operand[MOST_OPERANDS];
	bool placed;  /* it is known where its operands lie */
	bool partial; /* the result in the slot is a sum that goes on */
	struct pim_tile_walk
		*walk; /* whose finished results are stored before its next kernel; or NULL */
} work;

static bool same_box(const pim_box *a, const pim_box *b)
{
	if (a->n != b->n)
		return false;
	size_t bytes = sizeof a->lo[0] * (size_t)a->n;
	return !memcmp(a->lo, b->lo, bytes) && !memcmp(a->hi, b->hi, bytes);
}

static int64_t box_bytes(const operand *o, const pim_box *box)
{
	return pim_box_elements(box) * (int64_t)pim_dtype_bytes(o->type->dtype);
}

/* parts: operands arrive part by part, by pim_tile_walk_fetch. */
typedef enum fetching { FETCH_all, FETCH_parts } fetching;

static void fetch_operands(work *w, fetching how)
{
	for (int i = 0; i < w->n_operands - 1; i++) {
		operand *o = &w->operand[i];
		if (!w->n->in[i])
			continue;
		pim_box need;
		pim_axes_demand(w->x, w->n, i, &w->slice, &need, NULL, NULL);
		if (o->made || pim_box_empty(&need) || (o->from_memory && pim_is_given(w->n->in[i])))
			continue;
		if (how == FETCH_all)
			pim_fetch(w->l, w->n->in[i], w->unit, &need, false, &o->held, &o->space);
		else
			o->staged = pim_fetch_place(w->l, w->n->in[i], w->unit, &need, &o->held, &o->space);
	}
}

static pim_touch buffer_touch(const operand *o, const pim_box *box)
{
	const operand *p = o->made ? o->made : o;
	return (pim_touch){PIM_SPACE_buffer, p->slot[p->at], 0, box_bytes(o, box)};
}

/* Do the bytes of a box lie together where the operand is held? Then also where they start. */
static bool lies_together(const operand *o, const pim_box *box, int64_t *from)
{
	int64_t to;
	pim_pattern p = pim_box_pattern(o->type, box, &o->held.box, box, from, &to);
	return p.rank == 0 || (p.rank == 1 && p.from[0] == p.to[0]);
}

/* A box of an input that stays in main memory: in place where its bytes lie together, else packed
 * for this tile. A constant without a layout is given to the unit tile by tile. */
static pim_touch touch_in_memory(
	work *w, const operand *o, const pim_node *value, const pim_box *box)
{
	int64_t from;
	if (!pim_is_given(value) && lies_together(o, box, &from)) {
		pim_touch t = {o->space, o->held.address + from, 0, box_bytes(o, box)};
		pim_stream_touch(w->l, value, &o->held, box, &t);
		return t;
	}
	pim_held held;
	uint8_t space;
	pim_fetch(w->l, value, w->unit, box, true, &held, &space);
	pim_transfers_emit(w->l);
	return (pim_touch){space, held.address, 0, box_bytes(o, box)};
}

/* Copies the operand's current box between its slot and where it is held. */
static void transfer(work *w, operand *o, bool load)
{
	int64_t from, to;
	const pim_box *outer = &o->held.box, *inner = &o->box[o->at];
	pim_pattern p =
		pim_box_pattern(o->type, inner, load ? outer : inner, load ? inner : outer, &from, &to);
	pim_touch memory = {.space = o->space, .address = o->held.address + (load ? from : to)};
	pim_touch buffer = buffer_touch(o, inner);
	int i = (int)(o - w->operand);
	pim_stream_touch(w->l, i < w->n_operands - 1 ? w->n->in[i] : w->n, &o->held, inner, &memory);
	if (load)
		pim_emit_transfer(w->l, &p, w->unit, memory, w->unit, buffer);
	else
		pim_emit_transfer(w->l, &p, w->unit, buffer, w->unit, memory);
}

static void next_slot(operand *o)
{
	o->at = o->slot[0] == o->slot[1] ? 0 : !o->at;
}

static void want(work *w, operand *o, const pim_box *box)
{
	assert(!o->made || same_box(&o->made->box[o->made->at], box));
	if (o->made || o->from_memory || same_box(&o->box[o->at], box))
		return;
	next_slot(o);
	o->box[o->at] = *box;
	transfer(w, o, true);
}

static void store_result(work *w, operand *o)
{
	if (o->waits[o->at] && o->stored)
		transfer(w, o, false);
	o->waits[o->at] = false;
}

/* Makes room for a result box: stores the one before, or the one in its slot; gets back the sums
 * that it adds to, unless they are still there. */
static void want_result(work *w, const pim_box *box, bool adds)
{
	operand *o = &w->operand[w->n_operands - 1];
	if (same_box(&o->box[o->at], box))
		return;
	if (w->alone)
		store_result(w, o);
	next_slot(o);
	bool there = adds && same_box(&o->box[o->at], box);
	if (!there) {
		store_result(w, o);
		o->box[o->at] = *box;
	}
	o->waits[o->at] = true;
	if (adds && !there)
		transfer(w, o, true);
}

/* The finished results that are still in the buffer, the older one first. */
static void store_results(work *w)
{
	operand *o = &w->operand[w->n_operands - 1];
	for (int k = 0; k < 2 && !o->from_memory; k++) {
		next_slot(o);
		if (k == 0 ? o->slot[0] != o->slot[1] || !w->partial : !w->partial)
			store_result(w, o);
	}
}

static void store_finished(pim_tile_walk *k);

static const pim_type *tile_type(const work *w, const operand *o, const pim_box *box)
{
	int64_t dims[PIM_MAX_RANK];
	for (int d = 0; d < box->n; d++)
		dims[d] = box->hi[d] - box->lo[d];
	return pim_type_tensor(pim_context_of(w->n), o->type->dtype, box->n, dims);
}

static bool adds_to(const work *w, const pim_box *tile)
{
	for (int a = 0; a < w->x->n_axes; a++)
		if (w->x->axis[a].kind == PIM_AXIS_summed && tile->lo[a] > w->range.lo[a])
			return true;
	return false;
}

static bool has_pads(const pim_node *n)
{
	const pim_op_info *info = pim_op_at(n->op);
	for (int a = 0; a < info->n_attrs; a++)
		if (!strcmp(info->attrs[a].name, "pads"))
			return true;
	return false;
}

static bool is_coupled(const work *w, int dim)
{
	const pim_index *index = &w->x->map[w->x->n_inputs][dim];
	return index->n > 0 && w->x->axis[index->term[0].axis].kind == PIM_AXIS_coupled;
}

/* The padding that the tile's windows still have: what clipping its input box cut off. A dimension
 * that is never cut keeps its own. */
static const int64_t *tile_pads(
	const work *w, const int64_t *lo, const int64_t *hi, int64_t pads[2 * PIM_MAX_RANK])
{
	const int64_t *own;
	int from = w->n->op == PIM_OP_pad ? 0 : 2, n = w->n->type->rank - from;
	if (!has_pads(w->n))
		return NULL;
	bool given = pim_node_ints(w->n, "pads", &own) == 2 * n;
	for (int d = 0; d < n; d++) {
		bool keep = given && is_coupled(w, from + d);
		pads[d] = keep ? own[d] : lo[from + d];
		pads[n + d] = keep ? own[n + d] : hi[from + d];
	}
	return pads;
}

static int64_t tile_groups(const work *w, const pim_box *tile)
{
	for (int a = 0; a < w->x->n_axes; a++)
		if (!strcmp(w->x->axis[a].name, "group"))
			return tile->hi[a] - tile->lo[a];
	return 0;
}

/* A tile whose windows lie in padding altogether: constant padding is all there is of it. */
static bool fill_tile(work *w, pim_touch to, const pim_box *box)
{
	const pim_node *n = w->n;
	if (n->op != PIM_OP_pad)
		return pim_node_error(n,
			"a tile of %s reads no element of its input: its windows lie in padding "
			"altogether",
			pim_node_op(n));
	pim_pattern p = {.dtype = n->type->dtype, .rank = 1, .extent = {pim_box_elements(box)}};
	p.to[0] = (int64_t)pim_dtype_bytes(p.dtype);
	p.fill = pim_node_float(n, "value");
	pim_emit(
		w->l, w->unit, PIM_COMMAND_fill, pim_program_pattern(w->l->program, &p), 0, false, 1, &to);
	return true;
}

/* What a kernel is made for, and what it reads. */
typedef struct call {
	const pim_type *type[MOST_OPERANDS];
	int64_t lo[PIM_MAX_RANK], hi[PIM_MAX_RANK]; /* clipped off the first input */
	int n_touch;
	pim_touch touch[MOST_OPERANDS]; /* the result first */
	bool empty;						/* an input has no element in the tile */
} call;

static void want_inputs(work *w, const pim_box *tile, bool bias_done, call *c)
{
	int64_t ignored[PIM_MAX_RANK];
	for (int i = 0; i < w->n_operands - 1; i++) {
		operand *o = &w->operand[i];
		pim_box box;
		if (!o->type || (i == BIAS && bias_done && (pim_op_at(w->n->op)->flags & PIM_OPF_matrix)))
			continue;
		pim_axes_demand(w->x, w->n, i, tile, &box, i ? ignored : c->lo, i ? ignored : c->hi);
		c->empty = c->empty || pim_box_empty(&box);
		if (c->empty)
			continue;
		want(w, o, &box);
		c->type[i] = tile_type(w, o, &box);
		c->touch[c->n_touch++] =
			o->from_memory ? touch_in_memory(w, o, w->n->in[i], &box) : buffer_touch(o, &box);
	}
}

/* Copies a box of the result between its home and a packed place of its own. */
static void copy_result(work *w, const pim_box *box, int64_t packed, bool home)
{
	const operand *o = &w->operand[w->n_operands - 1];
	const pim_box *outer = &o->held.box;
	int64_t from, to;
	pim_pattern p =
		pim_box_pattern(o->type, box, home ? box : outer, home ? outer : box, &from, &to);
	pim_touch inner = {.space = PIM_SPACE_memory, .address = packed};
	pim_touch held = {.space = PIM_SPACE_memory, .address = o->held.address + (home ? to : from)};
	pim_emit_transfer(w->l, &p, w->unit, home ? inner : held, w->unit, home ? held : inner);
}

static bool make_tile(work *w, const pim_box *tile, const pim_box *box, bool adds, call *c)
{
	if (c->empty)
		return fill_tile(w, c->touch[0], box);
	int last = w->n_operands - 1;
	int64_t pads[2 * PIM_MAX_RANK];
	uint32_t kernel =
		pim_program_kernel(w->l->program, w->n, last, c->type, tile_type(w, &w->operand[last], box),
			tile_pads(w, c->lo, c->hi, pads), tile_groups(w, tile));
	pim_emit(w->l, w->unit, pim_kernel_command(w->l->target, w->n), kernel, 0, adds, c->n_touch,
		c->touch);
	return true;
}

/* A tile of a result that does not fit the buffer: in place where its bytes lie together, else
 * beside. */
static bool make_in_memory(work *w, const pim_box *tile, const pim_box *box, bool adds, call *c)
{
	const operand *o = &w->operand[w->n_operands - 1];
	int64_t from, bytes = box_bytes(o, box);
	if (lies_together(o, box, &from)) {
		c->touch[0] = (pim_touch){o->space, o->held.address + from, 0, bytes};
		return make_tile(w, tile, box, adds, c);
	}
	pim_room *room = &w->l->unit[w->unit].room;
	int64_t packed = pim_room_take(room, bytes);
	if (adds)
		copy_result(w, box, packed, false);
	c->touch[0] = (pim_touch){PIM_SPACE_memory, packed, 0, bytes};
	bool good = make_tile(w, tile, box, adds, c);
	copy_result(w, box, packed, true);
	pim_room_give(room, packed, bytes);
	return good;
}

static bool run_tile(work *w, const pim_box *tile)
{
	call c = {.n_touch = 1};
	bool adds = adds_to(w, tile);
	want_inputs(w, tile, adds || !w->first_sum, &c);
	if (w->walk)
		store_finished(w->walk);
	operand *result = &w->operand[w->n_operands - 1];
	pim_box box;
	pim_axes_result(w->x, w->n->type->rank, tile, &box);
	if (result->from_memory)
		return make_in_memory(w, tile, &box, adds, &c);
	want_result(w, &box, adds);
	c.touch[0] = buffer_touch(result, &box);
	return make_tile(w, tile, &box, adds, &c);
}

static pim_box first_tile(const work *w)
{
	pim_box tile = w->range;
	for (int a = 0; a < w->x->n_axes; a++)
		if (tile.lo[a] + w->n->plan->nest->tile[a] < tile.hi[a])
			tile.hi[a] = tile.lo[a] + w->n->plan->nest->tile[a];
	return tile;
}

/* Moves to the next tile, the innermost temporal loop first; false after the last. */
static bool next_tile(const work *w, pim_box *tile)
{
	const pim_nest *nest = w->n->plan->nest;
	for (int i = nest->n - 1; i >= 0; i--) {
		int a = nest->loop[i].axis;
		if (nest->loop[i].spatial)
			continue;
		bool wraps = tile->hi[a] >= w->range.hi[a];
		tile->lo[a] = wraps ? w->range.lo[a] : tile->hi[a];
		tile->hi[a] = tile->lo[a] + nest->tile[a];
		if (tile->hi[a] > w->range.hi[a])
			tile->hi[a] = w->range.hi[a];
		if (!wraps)
			return true;
	}
	return false;
}

/* ---- the ops of a group ---- */

struct pim_tile_walk {
	const pim_fusion *f;
	work *work; /* by member */
	int64_t (*slot)[2];
	int64_t slice; /* of the last member */
	pim_box tile;  /* of the walk */
	int member;	   /* that runs next */
	pim_box part;  /* of it */
	int64_t tiles; /* of the walk that are done */
	bool ended;
};

/* Slots one behind the other; an operand of an op alone has two when there are several tiles. */
static int64_t lay_out_alone(work *w)
{
	bool from_memory[MOST_OPERANDS] = {0};
	int64_t bytes = 0;
	pim_box tile = first_tile(w);
	bool several = !same_box(&tile, &w->slice);
	const int64_t *extent = w->n->plan->nest->tile;
	pim_nest_buffer_bytes(w->n, w->x, extent, &w->l->graph->limits, from_memory);
	for (int i = 0; i < w->n_operands; i++) {
		operand *o = &w->operand[i];
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
	if ((k->f->n > 1 ? lay_out_group(k) : lay_out_alone(k->work)) > half)
		return;
	u->half = !u->half;
	for (int m = 0; m < k->f->n && u->half; m++)
		for (int i = 0; i < k->work[m].n_operands; i++)
			for (int s = 0; s < 2; s++)
				k->work[m].operand[i].slot[s] += half / PIM_SLOT_ALIGN * PIM_SLOT_ALIGN;
}

static void start_operands(pim_tile_walk *k, const pim_member *p, work *w)
{
	for (int i = 0; i < w->n_operands; i++) {
		operand *o = &w->operand[i];
		o->at = 1;
		o->box[0].n = o->box[1].n = -1;
		int from = i < w->n_operands - 1 ? p->from[i] : -1;
		if (from >= 0)
			o->made = &k->work[from].operand[k->work[from].n_operands - 1];
	}
}

/* Slice `slice` of member m, at nothing yet. */
static void start_work(pim_tile_walk *k, int m, pim_lowering *l, int64_t slice)
{
	const pim_member *p = &k->f->member[m];
	const pim_layout *layout = p->node->plan->layout;
	int64_t per_copy = pim_layout_slices(layout) / layout->copies;
	work *w = &k->work[m];
	memset(w, 0, sizeof *w);
	w->l = l;
	w->n = p->node;
	w->x = p->axes;
	w->unit = pim_slice_unit(p->node, slice);
	w->alone = k->f->n == 1;
	w->first_sum = slice % per_copy < per_copy / layout->sums;
	w->n_operands = (int)p->node->n_in + 1;
	pim_slice_axes(p->node, p->axes, slice, &w->slice);
	w->range = w->slice;
	start_operands(k, p, w);
	for (uint32_t i = 0; i < w->n->n_in; i++)
		w->operand[i].type = w->n->in[i] ? w->n->in[i]->type : NULL;
	operand *result = &w->operand[w->n_operands - 1];
	result->type = p->node->type;
	result->stored = p->stored;
	result->space = PIM_SPACE_memory;
}

/* Where the operands of a member lie. */
static void place_work(pim_tile_walk *k, int m, fetching how)
{
	work *w = &k->work[m];
	int64_t slice = pim_fusion_slice(k->f, m, k->slice);
	operand *result = &w->operand[w->n_operands - 1];
	if (result->stored)
		result->held = w->l->home[w->n->id][slice];
	fetch_operands(w, how);
	w->placed = true;
}

/* ---- a walk, kernel by kernel ---- */

static pim_box result_box(const work *w, const pim_box *tile)
{
	pim_box box;
	pim_axes_result(w->x, w->n->type->rank, tile, &box);
	return box;
}

static void store_finished(pim_tile_walk *k)
{
	for (int m = 0; m < k->f->n; m++)
		store_results(&k->work[m]);
}

/* The next member from `member` on whose box is another one than before. */
static void enter_member(pim_tile_walk *k)
{
	for (; k->member < k->f->n - 1; k->member++) {
		work *w = &k->work[k->member];
		pim_box range;
		pim_fusion_tile(k->f, k->member, &w->slice, &k->tile, &range);
		if (same_box(&w->range, &range))
			continue;
		w->range = range;
		k->part = first_tile(w);
		return;
	}
	k->part = k->tile;
}

static void next_kernel(pim_tile_walk *k)
{
	work *w = &k->work[k->member];
	bool last = k->member == k->f->n - 1;
	pim_box before = result_box(w, &k->part);
	bool more = next_tile(w, last ? &k->tile : &k->part);
	pim_box now = result_box(w, last ? &k->tile : &k->part);
	w->partial = more && same_box(&before, &now);
	k->tiles += last;
	k->ended = last && !more;
	if (!last && more)
		return;
	k->member = last ? 0 : k->member + 1;
	enter_member(k);
}

bool pim_tile_walk_step(pim_tile_walk *k)
{
	if (!run_tile(&k->work[k->member], &k->part))
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
	pim_lowering *l, const pim_fusion *f, int64_t slice, fetching how, pim_arena *a)
{
	pim_tile_walk *k = PIM_NEW(a, pim_tile_walk, 1);
	*k = (pim_tile_walk){.f = f,
		.work = PIM_NEW(a, work, f->n),
		.slot = pim_arena_alloc(a, sizeof *k->slot * (size_t)f->n_operands)};
	for (int m = 0; m < f->n; m++)
		start_work(k, m, l, pim_fusion_slice(f, m, slice));
	lay_out_buffer(k);
	k->slice = slice;
	for (int m = 0; m < f->n; m++) {
		if (how == FETCH_all)
			place_work(k, m, how);
		k->work[m].walk = how == FETCH_parts && has_one_engine(f) ? k : NULL;
		if (m < f->n - 1)
			k->work[m].range.n = -1;
	}
	k->tile = first_tile(&k->work[f->n - 1]);
	enter_member(k);
	return k;
}

pim_tile_walk *pim_tile_walk_new(pim_lowering *l, const pim_fusion *f, int64_t slice, pim_arena *a)
{
	return start_walk(l, f, slice, FETCH_parts, a);
}

void pim_tile_walk_store(pim_tile_walk *k)
{
	store_finished(k);
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

/* The box of operand i that the next kernel reads from outside; false for none. */
static bool read_box(const pim_tile_walk *k, int i, pim_box *box)
{
	const work *w = &k->work[k->member];
	const operand *o = &w->operand[i];
	const pim_node *value = w->n->in[i];
	if (!value || !o->type || o->made || pim_is_given(value))
		return false;
	pim_axes_demand(w->x, w->n, i, &k->part, box, NULL, NULL);
	return !pim_box_empty(box);
}

int pim_tile_walk_reads(const pim_tile_walk *k, pim_read *read)
{
	const work *w = &k->work[k->member];
	int n = 0;
	for (int i = 0; i < w->n_operands - 1; i++)
		if (read_box(k, i, &read[n].box))
			read[n++].value = w->n->in[i];
	return n;
}

void pim_tile_walk_fetch(pim_tile_walk *k)
{
	work *w = &k->work[k->member];
	pim_box box;
	if (!w->placed)
		place_work(k, k->member, FETCH_parts);
	for (int i = 0; i < w->n_operands - 1; i++)
		if (w->operand[i].staged && read_box(k, i, &box))
			pim_fetch_part(w->l, w->operand[i].staged, w->unit, &box);
}

bool pim_kernels_check(const pim_lowering *l, const pim_fusion *f)
{
	for (int m = 0; m < f->n; m++) {
		const pim_node *n = f->member[m].node;
		if (n->n_in >= MOST_OPERANDS)
			return pim_node_error(n, "%s has %d inputs, but a kernel reads at most %d",
				pim_node_op(n), (int)n->n_in, MOST_OPERANDS - 1);
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
	start_walk(l, f, slice, FETCH_all, scratch);
	l->unit[pim_slice_unit(f->member[f->n - 1].node, slice)].half = half;
	pim_arena_free(scratch);
	return true;
}

bool pim_lower_kernels(pim_lowering *l, const pim_fusion *f, int64_t slice)
{
	pim_arena *scratch = pim_arena_new();
	pim_tile_walk *k = start_walk(l, f, slice, FETCH_all, scratch);
	bool good = true;
	while (good && !k->ended)
		good = pim_tile_walk_step(k);
	if (good)
		store_finished(k);
	pim_arena_free(scratch);
	return good;
}
