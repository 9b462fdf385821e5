/* SPDX-License-Identifier: Apache-2.0 */
/* slice.c - what one slice of a laid-out node computes, and which slices hold its inputs.
 *
 * Piece i of a dimension of `size` cut in k is [i*size/k, (i+1)*size/k), so the piece that holds
 * index x is ((x+1)*k - 1) / size: no search, whatever the sizes. */
#include <assert.h>

#include "ir/ir.h"

static int largest_summed_axis(const pim_axes *x)
{
	int best = -1;
	for (int a = 0; a < x->n_axes; a++)
		if (x->axis[a].kind == PIM_AXIS_summed &&
			(best < 0 || x->axis[a].size > x->axis[best].size))
			best = a;
	return best;
}

void pim_slice_axes(const pim_node *n, const pim_axes *x, int64_t s, pim_box *axes)
{
	const pim_layout *l = n->plan->layout;
	int64_t sum;
	pim_box box = pim_layout_box(l, n->type, s, &sum);
	pim_axes_cover(x, &box, axes);
	if (l->sums <= 1)
		return;
	int a = largest_summed_axis(x);
	assert(a >= 0);
	axes->lo[a] = sum * x->axis[a].size / l->sums;
	axes->hi[a] = (sum + 1) * x->axis[a].size / l->sums;
}

static int64_t piece_with(int64_t index, int64_t size, int64_t pieces)
{
	return ((index + 1) * pieces - 1) / size;
}

pim_pieces pim_pieces_of(const pim_node *value, const pim_box *need, int64_t copy)
{
	const pim_layout *l = value->plan->layout;
	pim_pieces p = {.value = value, .need = *need, .copy = copy, .done = pim_box_empty(need)};
	for (int d = 0; d < need->n && !p.done; d++) {
		p.first[d] = piece_with(need->lo[d], value->type->dims[d], l->parts[d]);
		p.last[d] = piece_with(need->hi[d] - 1, value->type->dims[d], l->parts[d]);
		p.at[d] = p.first[d];
	}
	return p;
}

static void advance(pim_pieces *p)
{
	for (int d = p->need.n - 1; d >= 0; d--) {
		if (++p->at[d] <= p->last[d])
			return;
		p->at[d] = p->first[d];
	}
	p->done = ++p->sum >= p->value->plan->layout->sums;
}

bool pim_pieces_next(pim_pieces *p, int64_t *slice, pim_box *part)
{
	if (p->done)
		return false;
	const pim_layout *l = p->value->plan->layout;
	*slice = p->copy * l->sums + p->sum;
	for (int d = 0; d < p->need.n; d++)
		*slice = *slice * l->parts[d] + p->at[d];
	pim_box held = pim_layout_box(l, p->value->type, *slice, NULL);
	pim_box_meet(&held, &p->need, part);
	advance(p);
	return true;
}
