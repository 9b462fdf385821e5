/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.c - one op's slice, tile by tile: operands through the buffer, the kernel, the result.
 *
 * An operand has one slot in the buffer or two; a tile whose operand box is the one already there
 * does not load it again. A result stays in its slot while tiles add to it and is stored when the
 * next tile makes another box; in a group, which has more to do until a result is there, one tile
 * later, so that loads do not wait for it. */
#include "targets/tile/work.h"

#include <assert.h>
#include <string.h>

enum { BIAS = 2 }; /* the input of a matrix op that is added once */

static int64_t box_bytes(const pim_operand *o, const pim_box *box)
{
	return pim_box_elements(box) * (int64_t)pim_dtype_bytes(o->type->dtype);
}

void pim_work_fetch(pim_work *w, pim_fetching how)
{
	for (int i = 0; i < w->n_operands - 1; i++) {
		pim_operand *o = &w->operand[i];
		if (!w->n->in[i])
			continue;
		pim_box need;
		pim_axes_demand(w->x, w->n, i, &w->slice, &need, NULL, NULL);
		if (o->made || pim_box_empty(&need) || (o->from_memory && pim_is_given(w->n->in[i])))
			continue;
		if (how == PIM_FETCH_all)
			pim_fetch(w->l, w->n->in[i], w->unit, &need, false, &o->held, &o->space);
		else
			o->staged = pim_fetch_place(w->l, w->n->in[i], w->unit, &need, &o->held, &o->space);
	}
}

static pim_touch buffer_touch(const pim_operand *o, const pim_box *box)
{
	const pim_operand *p = o->made ? o->made : o;
	return (pim_touch){PIM_SPACE_buffer, p->slot[p->at], 0, box_bytes(o, box)};
}

/* Do the bytes of a box lie together where the operand is held? Then also where they start. */
static bool lies_together(const pim_operand *o, const pim_box *box, int64_t *from)
{
	int64_t to;
	pim_pattern p = pim_box_pattern(o->type, box, &o->held.box, box, from, &to);
	return p.rank == 0 || (p.rank == 1 && p.from[0] == p.to[0]);
}

/* A box of an input that stays in main memory: in place where its bytes lie together, else packed
 * for this tile. A constant without a layout is given to the unit tile by tile. */
static pim_touch touch_in_memory(
	pim_work *w, const pim_operand *o, const pim_node *value, const pim_box *box)
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
static void transfer(pim_work *w, pim_operand *o, bool load)
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

static void next_slot(pim_operand *o)
{
	o->at = o->slot[0] == o->slot[1] ? 0 : !o->at;
}

static void want(pim_work *w, pim_operand *o, const pim_box *box)
{
	assert(!o->made || pim_box_equal(&o->made->box[o->made->at], box));
	if (o->made || o->from_memory || pim_box_equal(&o->box[o->at], box))
		return;
	next_slot(o);
	if (pim_box_equal(&o->box[o->at], box))
		return;
	o->box[o->at] = *box;
	transfer(w, o, true);
}

static void store_result(pim_work *w, pim_operand *o)
{
	if (o->waits[o->at] && o->stored)
		transfer(w, o, false);
	o->waits[o->at] = false;
}

/* Makes room for a result box: stores the one before, or the one in its slot; gets back the sums
 * that it adds to, unless they are still there. */
static void want_result(pim_work *w, const pim_box *box, bool adds)
{
	pim_operand *o = &w->operand[w->n_operands - 1];
	if (pim_box_equal(&o->box[o->at], box))
		return;
	if (w->alone)
		store_result(w, o);
	next_slot(o);
	bool there = adds && pim_box_equal(&o->box[o->at], box);
	if (!there) {
		store_result(w, o);
		o->box[o->at] = *box;
	}
	o->waits[o->at] = true;
	if (adds && !there)
		transfer(w, o, true);
}

void pim_work_store(pim_work *w)
{
	pim_operand *o = &w->operand[w->n_operands - 1];
	for (int k = 0; k < 2 && !o->from_memory; k++) {
		next_slot(o);
		if (k == 0 ? o->slot[0] != o->slot[1] || !w->partial : !w->partial)
			store_result(w, o);
	}
}

static const pim_type *tile_type(const pim_work *w, pim_operand *o, const pim_box *box)
{
	int64_t dims[PIM_MAX_RANK];
	bool same = o->tile;
	for (int d = 0; d < box->n; d++) {
		dims[d] = box->hi[d] - box->lo[d];
		same = same && o->tile->dims[d] == dims[d];
	}
	if (!same)
		o->tile = pim_type_tensor(pim_context_of(w->n), o->type->dtype, box->n, dims);
	return o->tile;
}

static bool adds_to(const pim_work *w, const pim_box *tile)
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

static bool is_coupled(const pim_work *w, int dim)
{
	const pim_index *index = &w->x->map[w->x->n_inputs][dim];
	return index->n > 0 && w->x->axis[index->term[0].axis].kind == PIM_AXIS_coupled;
}

/* The padding that the tile's windows still have: what clipping its input box cut off. A dimension
 * that is never cut keeps its own. */
static const int64_t *tile_pads(
	const pim_work *w, const int64_t *lo, const int64_t *hi, int64_t pads[2 * PIM_MAX_RANK])
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

static int64_t tile_groups(const pim_work *w, const pim_box *tile)
{
	for (int a = 0; a < w->x->n_axes; a++)
		if (!strcmp(w->x->axis[a].name, "group"))
			return tile->hi[a] - tile->lo[a];
	return 0;
}

/* A tile whose windows lie in padding altogether: constant padding is all there is of it. */
static bool fill_tile(pim_work *w, pim_touch to, const pim_box *box)
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
	const pim_type *type[PIM_MOST_OPERANDS];
	int64_t lo[PIM_MAX_RANK], hi[PIM_MAX_RANK]; /* clipped off the first input */
	int n_touch;
	pim_touch touch[PIM_MOST_OPERANDS]; /* the result first */
	bool loaded[PIM_MOST_OPERANDS];		/* constants whose box is in its slot */
	bool empty;							/* an input has no element in the tile */
} call;

/* Is there a box of input i to read for this tile? A bias is added once. */
static bool reads_input(const pim_work *w, int i, bool bias_done)
{
	return w->operand[i].type &&
		   !(i == BIAS && bias_done && (pim_op_at(w->n->op)->flags & PIM_OPF_matrix));
}

/* Constants are loaded first: everything else may have to wait for a message. */
static void want_constants(pim_work *w, const pim_box *tile, bool bias_done, call *c)
{
	for (int i = 0; i < w->n_operands - 1; i++) {
		pim_operand *o = &w->operand[i];
		pim_box box;
		if (o->space != PIM_SPACE_constant || !reads_input(w, i, bias_done))
			continue;
		pim_axes_demand(w->x, w->n, i, tile, &box, NULL, NULL);
		if (pim_box_empty(&box))
			continue;
		want(w, o, &box);
		c->loaded[i] = i > 0 && !o->made && !o->from_memory;
	}
}

static void want_inputs(pim_work *w, const pim_box *tile, bool bias_done, call *c)
{
	int64_t ignored[PIM_MAX_RANK];
	want_constants(w, tile, bias_done, c);
	for (int i = 0; i < w->n_operands - 1; i++) {
		pim_operand *o = &w->operand[i];
		pim_box need;
		const pim_box *box = c->loaded[i] ? &o->box[o->at] : &need;
		if (!reads_input(w, i, bias_done))
			continue;
		if (!c->loaded[i])
			pim_axes_demand(w->x, w->n, i, tile, &need, i ? ignored : c->lo, i ? ignored : c->hi);
		c->empty = c->empty || pim_box_empty(box);
		if (c->empty)
			continue;
		if (!c->loaded[i])
			want(w, o, box);
		c->type[i] = tile_type(w, o, box);
		c->touch[c->n_touch++] =
			o->from_memory ? touch_in_memory(w, o, w->n->in[i], box) : buffer_touch(o, box);
	}
}

/* Copies a box of the result between its home and a packed place of its own. */
static void copy_result(pim_work *w, const pim_box *box, int64_t packed, bool home)
{
	const pim_operand *o = &w->operand[w->n_operands - 1];
	const pim_box *outer = &o->held.box;
	int64_t from, to;
	pim_pattern p =
		pim_box_pattern(o->type, box, home ? box : outer, home ? outer : box, &from, &to);
	pim_touch inner = {.space = PIM_SPACE_memory, .address = packed};
	pim_touch held = {.space = PIM_SPACE_memory, .address = o->held.address + (home ? to : from)};
	pim_emit_transfer(w->l, &p, w->unit, home ? inner : held, w->unit, home ? held : inner);
}

/* The number of the kernel; most tiles have that of the one before. */
static uint32_t find_kernel(pim_work *w, const pim_box *tile, const pim_type *result, const call *c)
{
	int last = w->n_operands - 1;
	size_t bytes = sizeof *c->type * (size_t)last;
	int64_t pads[2 * PIM_MAX_RANK], groups = tile_groups(w, tile);
	const int64_t *padding = tile_pads(w, c->lo, c->hi, pads);
	bool same = w->kernel && !padding && groups == w->groups && result == w->types[0] &&
				!memcmp(w->types + 1, c->type, bytes);
	if (same)
		return w->kernel - 1;
	uint32_t kernel =
		pim_program_kernel(w->l->program, w->n, last, c->type, result, padding, groups);
	w->kernel = padding ? 0 : kernel + 1;
	w->groups = groups;
	w->types[0] = result;
	memcpy(w->types + 1, c->type, bytes);
	return kernel;
}

static bool make_tile(pim_work *w, const pim_box *tile, const pim_box *box, bool adds, call *c)
{
	if (c->empty)
		return fill_tile(w, c->touch[0], box);
	const pim_type *result = tile_type(w, &w->operand[w->n_operands - 1], box);
	uint32_t kernel = find_kernel(w, tile, result, c);
	pim_emit(w->l, w->unit, pim_kernel_command(w->l->target, w->n), kernel, 0, adds, c->n_touch,
		c->touch);
	return true;
}

/* A tile of a result that does not fit the buffer: in place where its bytes lie together, else
 * beside. */
static bool make_in_memory(pim_work *w, const pim_box *tile, const pim_box *box, bool adds, call *c)
{
	const pim_operand *o = &w->operand[w->n_operands - 1];
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

bool pim_work_run(pim_work *w, const pim_box *tile)
{
	call c = {.n_touch = 1};
	bool adds = adds_to(w, tile);
	want_inputs(w, tile, adds || !w->first_sum, &c);
	if (w->walk)
		pim_tile_walk_store(w->walk);
	pim_operand *result = &w->operand[w->n_operands - 1];
	pim_box box;
	pim_axes_result(w->x, w->n->type->rank, tile, &box);
	if (result->from_memory)
		return make_in_memory(w, tile, &box, adds, &c);
	want_result(w, &box, adds);
	c.touch[0] = buffer_touch(result, &box);
	return make_tile(w, tile, &box, adds, &c);
}

pim_box pim_work_first_tile(const pim_work *w)
{
	pim_box tile = w->range;
	for (int a = 0; a < w->x->n_axes; a++)
		if (tile.lo[a] + w->n->plan->nest->tile[a] < tile.hi[a])
			tile.hi[a] = tile.lo[a] + w->n->plan->nest->tile[a];
	return tile;
}

bool pim_work_next_tile(const pim_work *w, pim_box *tile)
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
