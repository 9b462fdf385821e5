/* SPDX-License-Identifier: Apache-2.0 */
/* place_holdings - reads what slots put on their units off a scheduled graph.
 *
 * pim_holdings says what every slice holds; slices of one slot are on one unit whatever it is, so
 * what they both have is joined here: boxes of a constant that lie in each other, and what one op
 * fetches twice. Most plans need no look at slices, since all slots together would fit on one unit.
 * Cost: holdings times those of the same value and slot. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/fusion.h"
#include "passes/place_memory.h"

/* A box that a slot has of a value; the next one of both. */
typedef struct had {
	pim_box box;
	const struct had *next;
} had;

typedef struct reading {
	const int *number; /* [node id]: tenant */
	pim_place_holdings load;
	int64_t room_constants, room_items;
	int room_numbers;
	pim_map *had;	  /* by tenant, slot, value and reader (of a constant: none) */
	pim_map *numbers; /* of constants and boxes */
	pim_arena *arena, *scratch;
} reading;

/* ---- is there anything to look at? ---- */

/* What a slot holds of a node at most: constants and what they are shared in, what it reads and
 * makes, what it adds up. */
static double most_bytes(const pim_node *n, pim_arena *a)
{
	enum { ALIGN = 64 };
	const pim_axes *x = pim_axes_new(n, a);
	const pim_layout *from = n->n_in && n->in[0] && n->in[0]->plan ? n->in[0]->plan->layout : NULL;
	int64_t extent[PIM_MAX_AXES], slices = pim_layout_slices(n->plan->layout);
	double bytes = 0;
	pim_nest_extents(n, x, extent);
	for (int i = 0; i <= (int)n->n_in; i++) {
		double box = (double)pim_nest_operand_bytes(n, x, i, extent) + ALIGN;
		bool is_shared = i < (int)n->n_in && n->in[i] && n->in[i]->op == PIM_OP_constant;
		bytes += is_shared ? 2 * box : box;
	}
	if (n->op == PIM_OP_relayout && from)
		bytes *= 1 + from->sums;
	return bytes * (double)((slices + n->plan->n_units - 1) / n->plan->n_units);
}

static bool has_slots(const pim_node *n)
{
	return n->op != PIM_OP_constant && n->plan && n->plan->layout && n->plan->n_units > 0 &&
		   !n->type->n_parts;
}

static bool may_overflow(const pim_graph *g, int64_t capacity)
{
	double bytes = 0;
	pim_arena *a = pim_arena_new();
	for (const pim_node *n = g->first; n && bytes <= (double)capacity; n = n->next)
		if (has_slots(n))
			bytes += most_bytes(n, a);
	pim_arena_free(a);
	return bytes > (double)capacity;
}

/* ---- what there is ---- */

/* Has the slot a box that serves for this one? From now on it has. */
static bool has_it(reading *r, const pim_holding *h, int tenant, int slot)
{
	struct {
		int64_t tenant, slot, value, reader;
	} key = {tenant, slot, h->value->id,
		h->kind == PIM_HOLDING_fetched ? (int64_t)pim_fusion_first(h->node)->id : -1};
	const had *last = pim_map_get(r->had, &key, sizeof key);
	for (const had *one = last; one; one = one->next)
		if (pim_box_holds(&one->box, h->box))
			return true;
	had *now = PIM_NEW(r->scratch, had, 1);
	*now = (had){*h->box, last};
	pim_map_put(r->had, &key, sizeof key, now);
	return false;
}

/* The same for equal boxes of a constant. */
static int number_constant(reading *r, const pim_holding *h)
{
	struct {
		int64_t value, lo[PIM_MAX_RANK], hi[PIM_MAX_RANK];
	} key = {.value = h->value->id};
	for (int d = 0; d < h->box->n; d++) {
		key.lo[d] = h->box->lo[d];
		key.hi[d] = h->box->hi[d];
	}
	int *number = pim_map_get(r->numbers, &key, sizeof key);
	if (number)
		return *number;
	number = PIM_NEW(r->scratch, int, 1);
	*number = r->load.numbers;
	pim_map_put(r->numbers, &key, sizeof key, number);
	r->load.bytes = pim_arena_grow(
		r->scratch, r->load.bytes, r->load.numbers, &r->room_numbers, sizeof *r->load.bytes);
	r->load.bytes[r->load.numbers++] = h->bytes;
	return *number;
}

static void add_constant(reading *r, const pim_holding *h, int tenant, int slot)
{
	pim_place_holdings *l = &r->load;
	if (has_it(r, h, tenant, slot))
		return;
	l->constant =
		pim_array_grow(l->constant, l->n_constants, &r->room_constants, sizeof *l->constant);
	l->constant[l->n_constants++] = (pim_place_constant){tenant, slot, number_constant(r, h)};
}

/* The slots that have copies of a slice. */
static const int *list_homes(reading *r, const pim_node *value, int64_t slice, int *n)
{
	const pim_layout *l = value->plan->layout;
	int64_t each = pim_layout_slices(l) / l->copies;
	int *home = PIM_NEW(r->arena, int, l->copies);
	for (*n = 0; *n < l->copies; ++*n)
		home[*n] = (int)pim_slice_slot(value, slice + *n * each, value->plan->n_units);
	return home;
}

/* A piece of a shared constant that most readers have: nobody must. */
static const int *list_nobody(reading *r, int *n)
{
	int *home = PIM_NEW(r->arena, int, *n = 1);
	*home = -1;
	return home;
}

static void add_item(reading *r, const pim_holding *h, int tenant, int slot)
{
	pim_place_holdings *l = &r->load;
	if ((h->kind == PIM_HOLDING_fetched || h->kind == PIM_HOLDING_piece) &&
		has_it(r, h, tenant, slot))
		return;
	pim_place_item item = {
		.tenant = tenant, .slot = slot, .from = (int)h->from, .until = (int)h->until};
	item.bytes = h->bytes;
	if (h->source >= 0) {
		item.maker = r->number[h->value->id];
		item.home = list_homes(r, h->value, h->source, &item.n_homes);
	} else if (h->kind == PIM_HOLDING_piece) {
		item.home = list_nobody(r, &item.n_homes);
	}
	l->item = pim_array_grow(l->item, l->n_items, &r->room_items, sizeof *l->item);
	l->item[l->n_items++] = item;
}

static void add_holding(void *user, const pim_holding *h)
{
	reading *r = user;
	int tenant = r->number[h->node->id];
	int slot = (int)pim_slice_slot(h->node, h->slice, h->node->plan->n_units);
	if (h->kind == PIM_HOLDING_given)
		add_constant(r, h, tenant, slot);
	else
		add_item(r, h, tenant, slot);
}

/* Is the same piece there, as one of a copy before? */
static bool is_there(const pim_node *n, int64_t slice, int64_t each)
{
	for (int64_t k = slice - each; k >= 0; k -= each)
		if (pim_slice_unit(n, k) == pim_slice_unit(n, slice))
			return true;
	return false;
}

void pim_place_count_pieces(const pim_graph *g, int64_t *bytes)
{
	for (const pim_node *n = g->first; n; n = n->next) {
		const pim_plan *p = n->op == PIM_OP_constant ? n->plan : NULL;
		if (!p || !p->layout || !p->unit)
			continue;
		int64_t slices = pim_layout_slices(p->layout);
		for (int64_t k = 0; k < slices; k++) {
			pim_box box = pim_layout_box(p->layout, n->type, k, NULL);
			int64_t own = pim_box_elements(&box) * (int64_t)pim_dtype_bytes(n->type->dtype);
			if (!is_there(n, k, slices / p->layout->copies))
				bytes[pim_slice_unit(n, k)] += pim_target_constant_bytes(own);
		}
	}
}

static int *number_tenants(const pim_graph *g, const pim_placement *p, pim_arena *a)
{
	int *number = PIM_NEW(a, int, g->n_ids);
	for (int i = 0; i < p->n; i++)
		number[p->tenant[i].node->id] = i;
	for (const pim_node *n = g->first; n; n = n->next) {
		const pim_node *on = n->op == PIM_OP_constant ? NULL : pim_node_ridden(n);
		if (on)
			number[n->id] = number[on->id];
	}
	return number;
}

pim_place_memory *pim_place_memory_of(
	const pim_graph *g, const pim_placement *p, int64_t capacity, pim_arena *a)
{
	if (!may_overflow(g, capacity))
		return NULL;
	reading r = {.arena = a, .scratch = pim_arena_new()};
	r.number = number_tenants(g, p, r.scratch);
	r.had = pim_map_new(r.scratch);
	r.numbers = pim_map_new(r.scratch);
	pim_moments moments = pim_holdings(p->target, g, add_holding, &r);
	r.load.moments = (int)moments.n;
	r.load.in_turn = moments.in_turn;
	pim_place_memory *m = pim_place_memory_new(p, &r.load, capacity, a);
	free(r.load.constant);
	free(r.load.item);
	pim_arena_free(r.scratch);
	return m;
}
