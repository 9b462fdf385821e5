/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_regions - where spatial loops cut an axis, its temporal loops as a stair.
 *
 * Piece n of P begins at floor(n S / P), so from one piece to the next the start goes on by
 * floor(S / P) and the remainder by S mod P, and one index more whenever that passes P. Two axes in
 * one index: of outer * K + inner, a loop of the outer one goes up with each K of its indices. The
 * last turn of a loop of the inner one may be cut off at K; the step of the outer loop behind it is
 * still not below all inner ones together, as it stands outside them. Source: ours. */
#include "passes/overlap_regions.h"

enum { NEAR = 3 };

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
			r->parts *= g->count;
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

bool pim_side_of(
	const pim_spaces *s, pim_axis_of axis, int64_t unit, int64_t cycles, pim_side *side)
{
	int64_t scale = axis.inner < 0 ? 1 : s->size[axis.inner];
	*side = (pim_side){s->size[axis.outer], s->pieces[axis.outer], .scale = scale, .parts = 1};
	side->length = side->size / side->pieces;
	side->more = side->size % side->pieces;
	side->extent = scale * side->size;
	side->reach = scale * s->tile[axis.outer];
	if (axis.inner >= 0 && is_crossed(s, axis))
		return false;
	if (!add_loops(side, s, axis.outer, scale, unit, cycles))
		return false;
	if (axis.inner >= 0)
		add_loops(side, s, axis.inner, 1, unit, cycles);
	int64_t piece = scale * pim_divide_up(side->size, side->pieces);
	side->longest = side->parts > 1 ? pim_min(side->extent, piece) : piece;
	return true;
}

int64_t pim_side_regions(const pim_side *s)
{
	return s->parts * s->pieces;
}

static void set_part(const pim_side *s, pim_side_region *r, int64_t part)
{
	r->part = part;
	r->lo = r->first + part * s->extent;
	r->hi = part + 1 < s->parts ? pim_min(r->lo + s->extent, r->end) : r->end;
}

/* Indices of a piece, given (its number * size) mod pieces. */
static int64_t length_of(const pim_side *s, int64_t rest)
{
	return s->scale * (s->length + (rest + s->more >= s->pieces));
}

static pim_side_region piece_at(const pim_side *s, int64_t piece)
{
	pim_side_region r = {.number = piece * s->parts};
	int64_t start = piece * s->size / s->pieces;
	r.rest = piece * s->size - start * s->pieces;
	r.first = start * s->scale;
	r.end = r.first + length_of(s, r.rest);
	return r;
}

pim_side_region pim_side_region_at(const pim_side *s, int64_t number)
{
	int64_t piece = number / s->parts;
	pim_side_region r = piece_at(s, piece);
	set_part(s, &r, number - r.number);
	r.number = number;
	return r;
}

pim_side_region pim_side_region_with(const pim_side *s, int64_t index)
{
	int64_t outer = index / s->scale;
	pim_side_region r = piece_at(s, ((outer + 1) * s->pieces - 1) / s->size);
	int64_t part = pim_min((index - r.first) / s->extent, s->parts - 1);
	set_part(s, &r, part);
	r.number += part;
	return r;
}

static void go_on(const pim_side *s, pim_side_region *r)
{
	bool carry = r->rest + s->more >= s->pieces;
	r->rest += s->more - (carry ? s->pieces : 0);
	r->first = r->end;
	r->end += length_of(s, r->rest);
}

static void go_back(const pim_side *s, pim_side_region *r)
{
	r->rest -= s->more;
	r->rest += r->rest < 0 ? s->pieces : 0;
	r->end = r->first;
	r->first -= length_of(s, r->rest);
}

void pim_side_region_step(const pim_side *s, pim_side_region *r, int way)
{
	int64_t part = r->part + way;
	r->number += way;
	if (part == s->parts) {
		go_on(s, r);
		part = 0;
	} else if (part < 0) {
		go_back(s, r);
		part = s->parts - 1;
	}
	set_part(s, r, part);
}

void pim_side_region_seek(const pim_side *s, pim_side_region *r, int64_t index)
{
	for (int k = 0; k < NEAR && index >= r->hi; k++)
		pim_side_region_step(s, r, 1);
	if (index >= r->hi)
		*r = pim_side_region_with(s, index);
}

void pim_side_region_longer(const pim_side *s, pim_side_region *r, int way)
{
	if (s->parts > 1) {
		pim_side_region_step(s, r, way);
		return;
	}
	int64_t longs = (r->number + 1) * s->more / s->pieces + (way > 0);
	if (longs)
		*r = pim_side_region_at(s, pim_divide_up(longs * s->pieces, s->more) - 1);
	else
		r->number = -1;
}
