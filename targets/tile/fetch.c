/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c - brings the box that a slice reads to its unit.
 *
 * A home on the unit that holds the whole box is read in place, and so is a constant without a
 * layout, which the unit is given beforehand. A constant with a layout has homes like a value: its
 * owners are given them beforehand. Everything else comes in pieces from the owners, the nearest of
 * equal copies (of a constant those of the unit's own group) first, into a staging area that lasts
 * until the node is lowered on all units, so that all slices of the node on a unit read it there;
 * transfer.c writes the messages. */
#include "targets/tile/tile.h"

static bool holds(const pim_box *outer, const pim_box *inner, bool exact)
{
	return exact ? pim_box_equal(outer, inner) : pim_box_holds(outer, inner);
}

static int64_t held_bytes(const pim_type *t, const pim_box *box)
{
	return pim_box_elements(box) * (int64_t)pim_dtype_bytes(t->dtype);
}

bool pim_is_given(const pim_node *value)
{
	return value->op == PIM_OP_constant && !(value->plan && value->plan->layout);
}

void pim_give_constant(pim_lowering *l, const pim_node *constant, int unit, const pim_box *need,
	bool exact, pim_held *held)
{
	pim_unit *u = &l->unit[unit];
	pim_given *last = pim_map_get(u->given_of, &constant, sizeof constant);
	for (const pim_given *g = last; g; g = g->same)
		if (holds(&g->held.box, need, exact)) {
			*held = g->held;
			return;
		}
	pim_given *g = PIM_NEW(l->arena, pim_given, 1);
	*g = (pim_given){constant, {u->constant_bytes, *need}, u->given, last};
	u->given = g;
	pim_map_put(u->given_of, &constant, sizeof constant, g);
	u->constant_bytes += pim_target_constant_bytes(held_bytes(constant->type, need));
	*held = g->held;
}

uint8_t pim_home_space(const pim_node *value)
{
	return value->op == PIM_OP_constant ? PIM_SPACE_constant : PIM_SPACE_memory;
}

static bool find_home(const pim_lowering *l, const pim_node *value, int unit, const pim_box *need,
	bool exact, pim_held *held)
{
	pim_pieces p = pim_pieces_of(value, need, 0);
	int64_t slice;
	pim_box part;
	if (!pim_pieces_next(&p, &slice, &part))
		return false;
	slice = pim_nearest_copy(l->target, value, slice, unit);
	*held = l->home[value->id][slice];
	return pim_slice_unit(value, slice) == unit && holds(&held->box, need, exact);
}

/* A staging area of the task that has the box: whole from the start, or to be filled in parts. */
static pim_staged *find_staged(const pim_lowering *l, int unit, const pim_node *value,
	const pim_box *need, bool exact, bool parts)
{
	for (pim_staged *s = l->unit[unit].staged; s; s = s->next)
		if (s->value == value && s->task == l->task && (s->there != NULL) == parts &&
			holds(&s->held.box, need, exact))
			return s;
	return NULL;
}

/* Asks for a piece that a slice holds, in one part or several. */
static void ask_for(pim_lowering *l, const pim_node *value, int64_t slice, const pim_box *piece,
	int unit, const pim_held *to)
{
	const pim_held *home = &l->home[value->id][slice];
	pim_parts p = pim_parts_of(l, value, slice, piece);
	pim_box part;
	if (pim_slice_unit(value, slice) == unit)
		p.dim = -1;
	for (int64_t ready; pim_parts_next(&p, &part, &ready);) {
		int64_t first, target;
		pim_pattern pattern =
			pim_box_pattern(value->type, &part, &home->box, &to->box, &first, &target);
		pim_touch source = {.space = pim_home_space(value), .address = home->address + first};
		pim_touch staged = {.space = PIM_SPACE_memory, .address = to->address + target};
		pim_stream_touch(l, value, home, &part, &source);
		pim_stream_touch(l, value, to, &part, &staged);
		pim_transfer_add(l, &pattern, pim_slice_unit(value, slice), source, unit, staged, ready);
	}
}

static pim_staged *take_staging(
	pim_lowering *l, const pim_node *value, int unit, const pim_box *need)
{
	pim_unit *u = &l->unit[unit];
	pim_staged *s = PIM_NEW(l->arena, pim_staged, 1);
	s->value = value;
	s->task = l->task;
	s->held = (pim_held){pim_room_take(&u->room, held_bytes(value->type, need)), *need};
	pim_stream_join(l, value, unit, &s->held);
	s->next = u->staged;
	u->staged = s;
	return s;
}

static void ask_for_box(pim_lowering *l, const pim_staged *s, int unit, const pim_box *need)
{
	pim_sources p = pim_sources_of(l->target, s->value, need, unit);
	pim_box part;
	for (int64_t slice; pim_sources_next(&p, &slice, &part);)
		ask_for(l, s->value, slice, &part, unit, &s->held);
}

void pim_fetch(pim_lowering *l, const pim_node *value, int unit, const pim_box *need, bool exact,
	pim_held *held, uint8_t *space)
{
	*space = pim_home_space(value);
	if (pim_is_given(value)) {
		pim_give_constant(l, value, unit, need, exact, held);
		return;
	}
	if (find_home(l, value, unit, need, exact, held))
		return;
	*space = PIM_SPACE_memory;
	const pim_staged *s = find_staged(l, unit, value, need, exact, false);
	if (!s) {
		s = take_staging(l, value, unit, need);
		ask_for_box(l, s, unit, need);
	}
	*held = s->held;
}

pim_staged *pim_fetch_place(pim_lowering *l, const pim_node *value, int unit, const pim_box *need,
	pim_held *held, uint8_t *space)
{
	*space = pim_home_space(value);
	if (pim_is_given(value)) {
		pim_give_constant(l, value, unit, need, false, held);
		return NULL;
	}
	if (find_home(l, value, unit, need, false, held))
		return NULL;
	*space = PIM_SPACE_memory;
	pim_staged *s = find_staged(l, unit, value, need, false, true);
	if (!s) {
		s = take_staging(l, value, unit, need);
		s->there = PIM_NEW(l->arena, pim_region, 1);
	}
	*held = s->held;
	return s;
}

/* A tile of the producer is complete at once: the part as whole tiles, within the staging area. */
static pim_box grow_part(
	const pim_lowering *l, const pim_staged *s, int64_t slice, const pim_box *part)
{
	const int64_t *tile = l->stream[s->value->id].tiles;
	const pim_box *home = &l->home[s->value->id][slice].box;
	pim_box box = *part;
	for (int d = 0; d < box.n; d++) {
		if (!tile[d])
			continue;
		int64_t lo = home->lo[d] + (box.lo[d] - home->lo[d]) / tile[d] * tile[d];
		int64_t hi = home->lo[d] + ((box.hi[d] - 1 - home->lo[d]) / tile[d] + 1) * tile[d];
		hi = hi < home->hi[d] ? hi : home->hi[d];
		box.lo[d] = lo > s->held.box.lo[d] ? lo : s->held.box.lo[d];
		box.hi[d] = hi < s->held.box.hi[d] ? hi : s->held.box.hi[d];
	}
	return box;
}

void pim_fetch_part(pim_lowering *l, pim_staged *s, int unit, const pim_box *need)
{
	pim_region lacks = {.n = 0};
	pim_region_lacks(s->there, need, &lacks);
	for (int i = 0; i < lacks.n; i++) {
		pim_sources p = pim_sources_of(l->target, s->value, &lacks.box[i], unit);
		pim_box part;
		for (int64_t slice; pim_sources_next(&p, &slice, &part);) {
			pim_region rest = {.n = 0};
			part = grow_part(l, s, slice, &part);
			pim_region_lacks(s->there, &part, &rest);
			for (int k = 0; k < rest.n; k++)
				ask_for(l, s->value, slice, &rest.box[k], unit, &s->held);
			pim_region_add(s->there, &part);
			pim_region_free(&rest);
		}
	}
	pim_region_free(&lacks);
}

void pim_fetch_end(pim_lowering *l)
{
	for (int i = 0; i < l->target->units; i++) {
		pim_unit *u = &l->unit[i];
		pim_staged **at = &u->staged;
		for (pim_staged *s = *at; s; s = *at) {
			if (s->task != l->task) {
				at = &s->next;
				continue;
			}
			pim_stream_join(l, s->value, i, &s->held);
			pim_room_give(&u->room, s->held.address, held_bytes(s->value->type, &s->held.box));
			if (s->there)
				pim_region_free(s->there);
			*at = s->next;
		}
	}
}
