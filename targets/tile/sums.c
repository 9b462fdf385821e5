/* SPDX-License-Identifier: Apache-2.0 */
/* sums.c - a relayout from partial sums: one slice of the result gathers its box of every partial
 * sum, the first into its home, the others beside it, and adds them up in their order. */
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
			pim_slice_ready(l, value, from_slice));
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
