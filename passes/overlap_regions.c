/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_regions - where spatial loops cut an axis, its temporal loops as a stair.
 *
 * Piece n of P begins at floor(n S / P), so pieces are as long as two numbers that differ by one,
 * and only their last parts differ from other parts. Two axes in one index: of outer * K + inner, a
 * loop of the outer one goes up with each K of its indices. The last turn of a loop of the inner
 * one may be cut off at K; the step of the outer loop behind it is still not below all inner ones
 * together, as it stands outside them. Source: ours. */
#include "passes/overlap_regions.h"

#define MOST_INDICES 0x1p50

/* Loops of an axis, `scale` indices each; false: see pim_side_of. */
static bool add_loops(
	pim_side *r, const pim_spaces *s, int axis, int64_t scale, int64_t unit, int64_t cycles)
{
	bool temporal = r->stairs.n > 0;
	for (int i = 0; i < s->n; i++) {
		const pim_digit *g = &s->digit[i];
		if (g->axis != axis || g->count == 1 || g->piece)
			continue;
		if (g->spatial && temporal)
			return false;
		if (g->spatial) {
			r->extent = scale * g->inner;
			continue;
		}
		r->reach = temporal ? r->reach : scale * g->count * g->inner;
		temporal = true;
		pim_stairs_add(&r->stairs, scale * g->inner / unit, cycles * g->weight);
	}
	return true;
}

/* Do loops of the inner axis cut it, or go on over several indices of the outer one at once, or
 * stand outside temporal loops of that? */
static bool is_crossed(const pim_spaces *s, pim_axis_of axis)
{
	bool inside = false, several = s->tile[axis.outer] > 1;
	for (int i = 0; i < s->n; i++) {
		const pim_digit *g = &s->digit[i];
		if (g->count == 1)
			continue;
		if (g->axis == axis.inner && (g->spatial || several))
			return true;
		inside = inside || g->axis == axis.inner;
		if (g->axis == axis.outer && !g->spatial && inside)
			return true;
	}
	return false;
}

/* Parts of a piece, and the lengths that they may have. */
static void list_lengths(pim_side *s)
{
	int64_t most = s->scale * pim_divide_up(s->size, s->pieces);
	s->least = s->scale * (s->size / s->pieces);
	s->more = s->size % s->pieces;
	s->extent = pim_min(s->extent, most);
	s->regions = s->pieces * pim_divide_up(most, s->extent);
	s->length[0] = s->extent;
	int64_t last = most % s->extent, other = s->least % s->extent;
	s->length[1] = pim_max(last, other);
	s->length[2] = pim_min(last, other);
}

bool pim_side_of(
	const pim_spaces *s, pim_axis_of axis, int64_t unit, int64_t cycles, pim_side *side)
{
	int64_t scale = axis.inner < 0 ? 1 : s->size[axis.inner];
	*side =
		(pim_side){.size = s->size[axis.outer], .pieces = s->pieces[axis.outer], .scale = scale};
	side->extent = scale * side->size;
	side->reach = scale * s->tile[axis.outer];
	if (((double)side->size + 1) * (double)side->pieces >= MOST_INDICES ||
		(double)side->size * (double)scale >= MOST_INDICES)
		return false;
	if (axis.inner >= 0 && is_crossed(s, axis))
		return false;
	if (!add_loops(side, s, axis.outer, scale, unit, cycles))
		return false;
	if (axis.inner >= 0)
		add_loops(side, s, axis.inner, 1, unit, cycles);
	list_lengths(side);
	return true;
}

static int64_t next_piece(const pim_side *s, pim_region_walk *w)
{
	bool longer = w->rest + s->more >= s->pieces;
	w->rest += s->more - (longer ? s->pieces : 0);
	w->piece++;
	return s->least + (longer ? s->scale : 0);
}

/* Pieces without parts. */
static int walk_pieces(const pim_side *s, pim_region_walk *w, pim_regions *r)
{
	int n = 0;
	while (n < PIM_REGION_BLOCK && w->piece < s->pieces) {
		int64_t length = next_piece(s, w);
		r->lo[n] = (double)w->lo;
		r->length[n] = (double)length;
		w->lo += length;
		n += length > 0;
	}
	return n;
}

int pim_side_walk(const pim_side *s, pim_region_walk *w, pim_regions *r)
{
	int n = 0;
	if (s->regions == s->pieces)
		return walk_pieces(s, w, r);
	while (n < PIM_REGION_BLOCK) {
		while (w->lo == w->end && w->piece < s->pieces)
			w->end += next_piece(s, w);
		if (w->lo == w->end)
			break;
		int64_t length = pim_min(s->extent, w->end - w->lo);
		r->lo[n] = (double)w->lo;
		r->length[n++] = (double)length;
		w->lo += length;
	}
	return n;
}

/* Pieces, by indices of the outer axis; r->lo is where they begin. */
static void locate_pieces(const pim_side *s, int n, const double *outer, pim_regions *r)
{
	double size = (double)s->size, pieces = (double)s->pieces, scale = (double)s->scale;
	double least = (double)s->least, full = pieces - (double)s->more;
	double per_size = 1 / size, per_piece = 1 / pieces;
	for (int i = 0; i < n; i++) {
		double piece = pim_quotient((outer[i] + 1) * pieces - 1, per_size) * size;
		double start = pim_quotient(piece, per_piece);
		double longer = piece - start * pieces >= full ? scale : 0;
		r->lo[i] = start * scale;
		r->length[i] = least + longer;
		r->end[i] = r->lo[i] + r->length[i];
	}
}

void pim_side_locate(const pim_side *s, int n, const double *index, pim_regions *r)
{
	double extent = (double)s->extent, per_extent = 1 / extent, per_scale = 1 / (double)s->scale;
	double outer[PIM_REGION_BLOCK];
	for (int i = 0; i < n && s->scale > 1; i++)
		outer[i] = pim_quotient(index[i], per_scale);
	locate_pieces(s, n, s->scale > 1 ? outer : index, r);
	for (int i = 0; i < n && s->regions > s->pieces; i++) {
		double lo = r->lo[i] + pim_quotient(index[i] - r->lo[i], per_extent) * extent;
		double rest = r->end[i] - lo;
		r->lo[i] = lo;
		r->length[i] = extent < rest ? extent : rest;
	}
}

/* Behind the last part of a piece, the first one of the next piece. Where a piece is one region,
 * piece n is a long one if n + 1 pieces have more of what is left of size / pieces than n. */
int64_t pim_side_next_longest(const pim_side *s, int64_t index, int64_t end)
{
	if (s->regions > s->pieces)
		return end;
	int64_t piece = ((index / s->scale + 1) * s->pieces - 1) / s->size;
	int64_t longs = piece * s->more / s->pieces + 1;
	return s->scale * ((pim_divide_up(longs * s->pieces, s->more) - 1) * s->size / s->pieces);
}
