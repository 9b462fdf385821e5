/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - values whose slices are stored tile by tile: what a consumer reads of one is cut along
 * those tiles, so that each part can leave as soon as it is stored.
 *
 * A slice is stored in the order of its nest's outermost temporal loop, when that runs along a
 * dimension of the result (sums inside of it are then complete). How often to cut: with k parts,
 * what is left to do when the producer ends is 1/k of the message, and of its work where the
 * schedule lets the consumer run beside it, and k messages each cost an access of memory and an
 * issue; the sum is least at the square root of their ratio.
 *
 * Parts of rows lie in each other's gaps: by the bytes from the first to the last, each would touch
 * all others. So accesses to such a value's homes and staging areas are told apart by their ranges
 * along that dimension alone: that of an access is scaled to the bytes of its area. All accesses to
 * an area must go that way, and what was done to its bytes before and after counts as done to all
 * of it (pim_tracker_join). */
#include <math.h>

#include "targets/tile/tile.h"

static int find_dim(const pim_node *n, const pim_axes *x, int axis)
{
	for (int d = 0; d < n->type->rank; d++) {
		const pim_index *index = &x->map[x->n_inputs][d];
		if (index->n == 1 && index->term[0].axis == axis)
			return index->term[0].coef == 1 && index->offset == 0 ? d : -1;
	}
	return -1;
}

/* Is every slice one element wide in all dimensions before d? Then its parts lie one behind the
 * other. */
static bool is_outermost(const pim_node *n, int d)
{
	for (int i = 0; i < d; i++)
		if (n->type->dims[i] > n->plan->layout->parts[i])
			return false;
	return true;
}

static void find_tiles(const pim_node *n, const pim_axes *x, pim_stream_of *s)
{
	for (int d = 0; d < n->type->rank && n->plan->nest; d++) {
		const pim_index *index = &x->map[x->n_inputs][d];
		if (index->n == 1 && index->term[0].coef == 1 && index->offset == 0)
			s->tiles[d] = n->plan->nest->tile[index->term[0].axis];
	}
}

pim_stream_of pim_stream_find(const pim_lowering *l, const pim_node *n, const pim_axes *x)
{
	const pim_nest *nest = n->plan->nest;
	bool from_memory[PIM_MAX_RANK + 1] = {0};
	pim_stream_of s = {.dim = -1};
	int first = 0;
	find_tiles(n, x, &s);
	if (!nest || n->n_in > PIM_MAX_RANK)
		return s;
	while (first < nest->n && (nest->loop[first].spatial || nest->loop[first].count < 2))
		first++;
	if (first == nest->n)
		return s;
	pim_nest_buffer_bytes(n, x, nest->tile, &l->graph->limits, from_memory);
	int dim = find_dim(n, x, nest->loop[first].axis);
	if (dim < 0 || from_memory[n->n_in])
		return s;
	s.dim = dim;
	s.tile = nest->tile[nest->loop[first].axis];
	s.gaps = !is_outermost(n, dim);
	return s;
}

void pim_stream_touch(const pim_lowering *l, const pim_node *value, const pim_held *held,
	const pim_box *box, pim_touch *t)
{
	const pim_stream_of *s = &l->stream[value->id];
	if (!s->gaps || t->space == PIM_SPACE_buffer)
		return;
	int64_t extent = held->box.hi[s->dim] - held->box.lo[s->dim];
	int64_t row =
		pim_box_elements(&held->box) / extent * (int64_t)pim_dtype_bytes(value->type->dtype);
	t->lo = held->address + (box->lo[s->dim] - held->box.lo[s->dim]) * row - t->address;
	t->hi = held->address + (box->hi[s->dim] - held->box.lo[s->dim]) * row - t->address;
}

void pim_stream_join(pim_lowering *l, const pim_node *value, int unit, const pim_held *held)
{
	int64_t bytes = pim_box_elements(&held->box) * (int64_t)pim_dtype_bytes(value->type->dtype);
	if (l->stream[value->id].gaps)
		pim_tracker_join(&l->unit[unit].memory, held->address, held->address + bytes);
}

/* Tiles of the producer in one part of a piece. */
static int64_t tiles_of_part(const pim_lowering *l, const pim_node *value, const pim_box *piece)
{
	const pim_stream_of *s = &l->stream[value->id];
	const pim_plan *p = value->plan;
	int64_t tiles = (piece->hi[s->dim] - piece->lo[s->dim] + s->tile - 1) / s->tile;
	int64_t bytes = pim_box_elements(piece) * (int64_t)pim_dtype_bytes(value->type->dtype);
	double cost = (double)(l->target->memory.latency + l->target->command_cycles);
	double time = (double)bytes / l->target->network.link_bytes_per_cycle;
	if (l->start < p->start + p->cycles)
		time += (double)p->cycles;
	double most = sqrt(time / (cost > 1 ? cost : 1));
	int64_t parts = most < 1 ? 1 : most < (double)tiles ? (int64_t)most : tiles;
	return (tiles + parts - 1) / parts;
}

pim_parts pim_parts_of(
	const pim_lowering *l, const pim_node *value, int64_t slice, const pim_box *piece)
{
	const pim_stream_of *s = &l->stream[value->id];
	const pim_box *home = &l->home[value->id][slice].box;
	pim_parts p = {.value = value, .slice = slice, .rest = *piece, .dim = s->dim};
	if (s->dim < 0)
		return p;
	p.origin = home->lo[s->dim];
	p.extent = home->hi[s->dim] - p.origin;
	p.step = tiles_of_part(l, value, piece) * s->tile;
	return p;
}

bool pim_parts_next(pim_parts *p, pim_box *part, int64_t *ready)
{
	const pim_plan *plan = p->value->plan;
	if (p->done)
		return false;
	*part = p->rest;
	*ready = pim_slice_ready(p->value, p->slice);
	p->done = true;
	if (p->dim < 0)
		return true;
	int64_t end = p->origin + ((p->rest.lo[p->dim] - p->origin) / p->step + 1) * p->step;
	if (end < p->rest.hi[p->dim]) {
		part->hi[p->dim] = p->rest.lo[p->dim] = end;
		p->done = false;
	}
	int64_t waves = (pim_layout_slices(plan->layout) + plan->n_units - 1) / plan->n_units;
	int64_t left = p->origin + p->extent - part->hi[p->dim];
	int64_t wave = plan->cycles / waves, share;
	*ready -= pim_mul(wave, left, &share) ? share / p->extent : wave / p->extent * left;
	return true;
}
