/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_finish - when a producer and its consumer have finished, without looking at their tiles.
 *
 * A space at step j of its place that is ready after r steps of the producer ends, and its place
 * then runs on to its last step, no sooner than r * L1 + (T2 - j) * L2, so
 *     finish = max( T2 * L2, max over spaces of r * L1 + (T2 - j) * L2 )
 * for places that run by themselves. In lock-step the common step j begins at the largest r of all
 * places, which is a maximum of the same maxima: the finish is the same. r is 1 + R0 and a sum over
 * dimensions of the value between, j a sum over digits, so the maximum separates: each dimension
 * gives its own largest L1 * g - L2 * j over the digits of the axes that it is read by; digits of
 * other axes stand at 0.
 *
 * One dimension by stairs (`pim_pair_search_stairs`): spatial loops cut an axis into regions, whose
 * temporal loops are a stair of elements (g within a region of the producer) and one of tiles (j
 * within one of the consumer). A region of the producer is ready no sooner for larger indices, so a
 * tile waits in it for the last index that it reads there: what is left is overlap_stairs.c, for
 * each two regions that meet. Pairs of regions that lie to each other as some before are left out,
 * and those whose last index read less their first tile is no better; nothing is better than all
 * that the producer can be waited for. Ragged tails and reads beyond the end of a region are the
 * last index of it, at the first tile that reaches it.
 *
 * Which dimensions: nests of the program have spatial loops outside temporal ones (the verifier
 * refuses others), so each axis is regions of a stair. What makes the dimension is one axis index
 * by index, beside axes of one index; what reads it are axes with coefficients that are not
 * negative, all but one of which have MOST_SHIFTS positions together at most; cycles of both stay
 * below 2^52. That leaves grouped convolutions with several channels in a group as producers,
 * windows with very many cuts, and moves; they go by digits (overlap_digits.c). Cost: places along
 * the axis (of the side with fewer), and overlap_pack.c for regions that differ. Source: ours. */
#include "passes/overlap_stairs.h"

#include <assert.h>

enum { MOST_SHIFTS = 64, MOST_KNOWN = 16 };
#define MOST_SUM 0x1p52

/* Where the spatial loops of an axis cut it, and its temporal loops as a stair. */
typedef struct side {
	const pim_spaces *spaces;
	int axis;
	int64_t parts, extent; /* regions of a piece; all but the last are of `extent` */
	int64_t longest;	   /* elements of the longest region */
	int64_t reach;		   /* and those that its loops go over */
	pim_stairs stairs;
} side;

/* Digits of the other axes that read the dimension: what they add to the index, and their cost. */
typedef struct shift {
	int64_t lo, hi, cost;
} shift;

/* A region of the consumer as one of the producer sees it: the last index that its first tile reads
 * when it is full, the first one, elements of both. */
typedef struct meeting {
	int64_t hi, lo, elements, made;
} meeting;

typedef struct finder {
	side producer, consumer;
	int64_t size, offset; /* of the dimension; of the producer's axis in it */
	int64_t coef, tile;
	int64_t gap; /* indices that no tile reads between two */
	int n_shifts, n_known;
	shift shift[MOST_SHIFTS];
	meeting known[MOST_KNOWN];
	int64_t tight_made; /* is_tight of it; -1: unknown */
	bool tight;
	int64_t last_hi, last_t; /* the last tile of a region that was looked at; last_t < 0: none */
	int64_t top;			 /* all that the producer can be waited for */
	int64_t best, steps;
} finder;

/* False when a spatial loop stands inside a temporal one. `unit` of the axis is 1 of the stair,
 * which rises by `cycles` a step. */
static bool find_side(const pim_spaces *s, int axis, int64_t unit, int64_t cycles, side *r)
{
	bool temporal = false;
	*r = (side){.spaces = s, .axis = axis, .parts = 1, .extent = s->size[axis]};
	r->reach = s->tile[axis];
	for (int i = 0; i < s->n; i++) {
		const pim_digit *g = &s->digit[i];
		if (g->axis != axis || g->count == 1 || g->piece)
			continue;
		if (g->spatial && temporal)
			return false;
		if (g->spatial) {
			r->parts *= g->count;
			r->extent = g->inner;
			continue;
		}
		r->reach = temporal ? r->reach : g->count * g->inner;
		temporal = true;
		pim_stairs_add(&r->stairs, g->inner / unit, cycles * g->weight);
	}
	int64_t piece = pim_divide_up(s->size[axis], s->pieces[axis]);
	r->longest = r->parts > 1 ? pim_min(r->extent, piece) : piece;
	return true;
}

static int64_t regions_of(const side *s)
{
	return s->parts * s->spaces->pieces[s->axis];
}

/* lo >= hi: nothing is left for it. */
typedef struct region {
	int64_t number, lo, hi;
} region;

static region region_at(const side *s, int64_t number)
{
	const pim_spaces *p = s->spaces;
	if (s->parts == 1)
		return (region){number, pim_spaces_piece_start(p, s->axis, number),
			pim_spaces_piece_start(p, s->axis, number + 1)};
	int64_t piece = number / s->parts, part = number % s->parts;
	int64_t lo = pim_spaces_piece_start(p, s->axis, piece) + part * s->extent;
	int64_t hi = pim_spaces_piece_start(p, s->axis, piece + 1);
	return (region){number, lo, part + 1 < s->parts ? pim_min(lo + s->extent, hi) : hi};
}

/* The region behind (1) or before (-1) r, one of the ends of which is known. */
static region region_beside(const side *s, region r, int way)
{
	if (s->parts > 1)
		return region_at(s, r.number + way);
	int64_t far = pim_spaces_piece_start(s->spaces, s->axis, r.number + (way > 0 ? 2 : -1));
	return way > 0 ? (region){r.number + 1, r.hi, far} : (region){r.number - 1, far, r.lo};
}

static region region_with(const side *s, int64_t index)
{
	int64_t piece = pim_spaces_piece_with(s->spaces, s->axis, index);
	if (s->parts == 1)
		return region_at(s, piece);
	int64_t part = (index - pim_spaces_piece_start(s->spaces, s->axis, piece)) / s->extent;
	return region_at(s, piece * s->parts + pim_min(part, s->parts - 1));
}

/* ---- a region of each ---- */

/* Tile t alone, which reads up to index `hi` of the region. */
static void note_tile(finder *f, int64_t hi, int64_t t, int64_t cost)
{
	int64_t value = pim_stairs_at(&f->producer.stairs, hi) - pim_stairs_at(&f->consumer.stairs, t);
	f->best = pim_max(f->best, value - cost);
}

/* Steps of the consumer rise by no less than the innermost for each tile. */
static bool may_gain(const finder *f, int64_t t, int64_t cost)
{
	const pim_stairs *down = &f->consumer.stairs;
	int64_t least = down->n ? down->rise[down->n - 1] * t : 0;
	return f->top - least - cost > f->best;
}

static void search_meeting(finder *f, meeting m, int64_t cost)
{
	int64_t apart = f->coef * f->tile, all = pim_divide_up(m.elements, f->tile), full = all;
	int64_t ragged = m.hi - apart + f->coef * (m.elements - (all - 1) * f->tile);
	int64_t from = m.hi < 0 ? pim_divide_up(-m.hi, apart) : 0;
	int64_t to = m.lo < m.made ? pim_min(all, (m.made - 1 - m.lo) / apart + 1) : 0;
	if (to == all && m.elements % f->tile) {
		int64_t hi = pim_min(ragged + (all - 1) * apart, m.made - 1);
		if (hi >= 0)
			note_tile(f, hi, all - 1, cost);
		full = all - 1;
	}
	to = pim_min(to, full);
	if (from >= to)
		return;
	int64_t last = pim_min(m.hi + apart * (to - 1), m.made - 1);
	if (pim_stairs_at(&f->producer.stairs, last) - pim_stairs_at(&f->consumer.stairs, from) -
			cost <=
		f->best)
		return;
	int64_t end = m.hi >= m.made - 1 ? 0 : pim_divide_up(m.made - 1 - m.hi, apart);
	if (end < to) {
		note_tile(f, m.made - 1, pim_max(end, from), cost);
		to = end;
	}
	f->best = pim_stairs_most(&f->producer.stairs, &f->consumer.stairs, m.hi, apart, to,
				  f->best + cost, &f->steps) -
			  cost;
}

/* Does reading on in the region, where tiles leave out `gap` indices between them, never gain more
 * than the next tile costs? */
static bool is_tight(finder *f, int64_t made)
{
	const pim_stairs *up = &f->producer.stairs, *down = &f->consumer.stairs;
	if (f->gap <= 0 || !down->n)
		return true;
	if (made != f->tight_made) {
		f->tight_made = made;
		f->tight =
			made > f->gap && pim_stairs_at(up, made - 1) - pim_stairs_at(up, made - 1 - f->gap) <=
								 down->rise[down->n - 1];
	}
	return f->tight;
}

/* Is b worth no more than a? A tile that reads further, more tiles and a longer region are never
 * worse. Where tiles leave out indices between them, one that reads further may be beyond the
 * region: the last one of b is looked at by itself then, and the others read no more than the last
 * one of a. */
static bool is_better(const meeting *a, const meeting *b)
{
	return a->hi >= b->hi && a->elements >= b->elements && a->made >= b->made;
}

static void search_known(finder *f, int64_t cost)
{
	for (int i = 0; i < f->n_known; i++)
		search_meeting(f, f->known[i], cost);
	f->n_known = 0;
}

static void note_first_tile(finder *f, const meeting *m, int64_t cost)
{
	int64_t hi = m->hi - f->coef * pim_max(f->tile - m->elements, 0);
	if (m->lo < m->made && hi >= 0)
		note_tile(f, pim_min(hi, m->made - 1), 0, cost);
}

static void note_meeting(finder *f, meeting m, int64_t cost)
{
	int kept = 0;
	for (int i = 0; i < f->n_known; i++)
		if (is_better(&f->known[i], &m))
			return;
	for (int i = 0; i < f->n_known; i++)
		if (!is_better(&m, &f->known[i]))
			f->known[kept++] = f->known[i];
	f->n_known = kept;
	if (kept == MOST_KNOWN)
		search_known(f, cost);
	f->known[f->n_known++] = m;
	note_first_tile(f, &m, cost);
}

/* The last tile that reads anything of the region. */
static void note_last_tile(finder *f, meeting m, int64_t cost)
{
	int64_t apart = f->coef * f->tile, all = pim_divide_up(m.elements, f->tile);
	if (m.lo >= m.made)
		return;
	int64_t t = pim_min(all - 1, (m.made - 1 - m.lo) / apart);
	int64_t missing = t == all - 1 ? all * f->tile - m.elements : 0;
	int64_t hi = pim_min(m.hi + apart * t - f->coef * missing, m.made - 1);
	if (hi < 0 || (f->last_t >= 0 && hi <= f->last_hi && t >= f->last_t))
		return;
	f->last_hi = hi;
	f->last_t = t;
	if (may_gain(f, t, cost))
		note_tile(f, hi, t, cost);
}

/* Regions of both; what does not meet is worth nothing. */
static void note_regions(finder *f, const shift *s, region used, region made, bool tight)
{
	f->steps++;
	int64_t base = made.lo + f->offset;
	if (used.lo >= used.hi)
		return;
	meeting m = {f->coef * (used.lo + f->tile - 1) + s->hi - base, f->coef * used.lo + s->lo - base,
		pim_min(used.hi - used.lo, f->consumer.reach), made.hi - made.lo};
	if (!tight)
		note_last_tile(f, m, s->cost);
	note_meeting(f, m, s->cost);
}

/* The next region behind (1) or before (-1) r that may be longer than it; number out of range:
 * none.
 */
static region next_longer(const side *s, region r, int way)
{
	int64_t pieces = s->spaces->pieces[s->axis], rest = s->spaces->size[s->axis] % pieces;
	if (s->parts > 1)
		return region_at(s, r.number + way);
	int64_t longs = (r.number + 1) * rest / pieces + (way > 0);
	return longs ? region_at(s, pim_divide_up(longs * pieces, rest) - 1) : (region){.number = -1};
}

/* Is a region of the producer, or any behind it, worth more than the best? */
static bool may_follow(const finder *f, const shift *s, region used, region made)
{
	int64_t behind = made.lo + f->offset - f->coef * (used.lo + f->tile - 1) - s->hi;
	int64_t t = behind > 0 ? pim_divide_up(behind, f->coef * f->tile) : 0;
	return may_gain(f, t, s->cost) &&
		   f->top - pim_stairs_at(&f->consumer.stairs, t) - s->cost > f->best;
}

/* The regions of the producer that one of the consumer reads, the first one first: later ones are
 * waited for less. */
static void follow_producer(finder *f, const shift *s, region used)
{
	int64_t to = pim_min(used.hi, used.lo + f->consumer.reach);
	int64_t lo = pim_max(f->coef * used.lo + s->lo, 0);
	int64_t hi = pim_min(f->coef * (to - 1) + s->hi, f->size - 1);
	if (used.lo >= used.hi || lo > hi)
		return;
	region r = region_with(&f->producer, lo - f->offset);
	while (r.number >= 0 && r.lo + f->offset <= hi) {
		bool any = r.lo < r.hi, tight = any && is_tight(f, r.hi - r.lo);
		if (any)
			note_regions(f, s, used, r, tight);
		if (tight ? r.hi - r.lo == f->producer.longest : any && !may_follow(f, s, used, r))
			return;
		r = tight ? next_longer(&f->producer, r, 1) : region_beside(&f->producer, r, 1);
	}
}

/* The regions of the consumer that read one of the producer, the last one first: earlier ones wait
 * for less. */
static void follow_consumer(finder *f, const shift *s, region made)
{
	int64_t base = made.lo + f->offset, to = made.hi + f->offset - 1 - s->lo;
	int64_t size = f->consumer.spaces->size[f->consumer.axis];
	if (made.lo >= made.hi || to < 0)
		return;
	bool tight = is_tight(f, made.hi - made.lo);
	to = to < size * f->coef ? to / f->coef : size - 1;
	region r = region_with(&f->consumer, pim_min(to, size - 1));
	while (r.number >= 0 && f->coef * (r.hi - 1) + s->hi >= base) {
		note_regions(f, s, r, made, tight);
		if (r.hi - r.lo == f->consumer.longest)
			return;
		r = r.lo < r.hi ? next_longer(&f->consumer, r, -1) : region_beside(&f->consumer, r, -1);
	}
}

static void search_shift(finder *f, const shift *s)
{
	int64_t made = regions_of(&f->producer), used = regions_of(&f->consumer);
	const side *few = made < used ? &f->producer : &f->consumer;
	region r = region_at(few, 0);
	for (int64_t left = pim_min(made, used); left > 0; left--) {
		if (f->best >= f->top - s->cost)
			return;
		if (made < used)
			follow_consumer(f, s, r);
		else
			follow_producer(f, s, r);
		if (left > 1)
			r = region_beside(few, r, 1);
	}
	search_known(f, s->cost);
}

/* ---- a dimension ---- */

static bool has_loops(const pim_spaces *s, int axis)
{
	for (int i = 0; i < s->n; i++)
		if (s->digit[i].axis == axis && s->digit[i].count > 1)
			return true;
	return false;
}

/* The positions of an axis beside the one that is searched, with those listed before. */
static bool add_shifts(finder *f, const pim_spaces *s, int axis, int64_t coef, int64_t used)
{
	int digit[PIM_MAX_DIGITS], n = 0, before = f->n_shifts;
	int64_t value[PIM_MAX_DIGITS], positions = 1;
	shift was[MOST_SHIFTS];
	pim_box box;
	for (int i = 0; i < s->n; i++)
		if (s->digit[i].axis == axis) {
			digit[n++] = i;
			positions *= s->digit[i].count;
			if (positions * before > MOST_SHIFTS)
				return false;
		}
	for (int i = 0; i < before; i++)
		was[i] = f->shift[i];
	f->n_shifts = 0;
	for (int64_t p = 0; p < positions; p++) {
		int64_t rest = p, cost = 0;
		for (int k = n - 1; k >= 0; k--) {
			value[k] = rest % s->digit[digit[k]].count;
			rest /= s->digit[digit[k]].count;
			cost += used * s->digit[digit[k]].weight * value[k];
		}
		if (!pim_spaces_part(s, n, digit, value, &box))
			continue;
		int64_t lo = coef * box.lo[axis], hi = coef * (box.hi[axis] - 1);
		for (int i = 0; i < before; i++)
			f->shift[f->n_shifts++] = (shift){was[i].lo + lo, was[i].hi + hi, was[i].cost + cost};
	}
	return true;
}

/* The axis with most positions is searched, all positions of the others are listed. */
static bool find_axes(finder *f, const pim_pair *e, const pim_pair_dim *d, int64_t used)
{
	const pim_spaces *s = e->consumer;
	int main = -1;
	int64_t most = 0;
	for (int t = 0; t < d->read.n; t++) {
		int a = d->read.term[t].axis;
		int64_t positions = s->size[a] / s->tile[a];
		if (d->read.term[t].coef < 0)
			return false;
		if (positions > most && has_loops(s, a)) {
			main = t;
			most = positions;
		}
	}
	if (main < 0)
		return false;
	f->n_shifts = 1;
	f->shift[0] = (shift){d->read.offset, d->read.offset, 0};
	f->coef = d->read.term[main].coef;
	f->tile = s->tile[d->read.term[main].axis];
	for (int t = 0; t < d->read.n; t++)
		if (t != main && !add_shifts(f, s, d->read.term[t].axis, d->read.term[t].coef, used))
			return false;
	return find_side(s, d->read.term[main].axis, f->tile, used, &f->consumer);
}

/* The axis that makes the dimension, when that is one, index by index; -1. Others have one index.
 */
static int find_made_axis(const pim_pair *e, const pim_pair_dim *d)
{
	int axis = -1;
	for (int t = 0; t < d->made.n; t++) {
		int a = d->made.term[t].axis;
		if (e->producer->size[a] == 1)
			continue;
		if (axis >= 0 || d->made.term[t].coef != 1)
			return -1;
		axis = a;
	}
	return axis;
}

bool pim_pair_search_stairs(
	const pim_pair *e, int dim, int64_t made, int64_t used, int64_t *best, int64_t *steps)
{
	const pim_pair_dim *d = &e->dim[dim];
	finder f;
	if ((double)made * (double)e->producer->steps + (double)used * (double)e->consumer->steps >
		MOST_SUM)
		return false;
	int axis = d->read_whole || d->made_whole ? -1 : find_made_axis(e, d);
	if (axis < 0 || !find_axes(&f, e, d, used) ||
		!find_side(e->producer, axis, 1, made, &f.producer))
		return false;
	f.size = d->size;
	f.offset = d->made.offset;
	f.best = PIM_PAIR_NOTHING;
	f.steps = 0;
	f.top = pim_stairs_at(&f.producer.stairs, f.producer.longest - 1);
	for (int i = 0; i < f.n_shifts; i++) {
		f.n_known = 0;
		f.last_t = f.tight_made = -1;
		f.gap = f.coef - (f.shift[i].hi - f.shift[i].lo + 1);
		search_shift(&f, &f.shift[i]);
	}
	*best = f.best;
	*steps += f.steps;
	return true;
}

int64_t pim_pair_finish_steps(const pim_pair *e, int64_t made, int64_t used, int64_t *steps)
{
	assert(pim_pair_separates(e));
	int64_t latest = made * (1 + e->producer->last), alone = e->consumer->steps * used;
	for (int d = 0; d < e->n; d++) {
		int64_t best;
		if (!pim_pair_search_stairs(e, d, made, used, &best, steps))
			best = pim_pair_search_digits(e, d, made, used);
		if (best == PIM_PAIR_NOTHING)
			return alone;
		latest += best;
	}
	return alone + (latest > 0 ? latest : 0);
}

int64_t pim_pair_finish(const pim_pair *e, int64_t made, int64_t used)
{
	int64_t steps = 0;
	return pim_pair_finish_steps(e, made, used, &steps);
}
