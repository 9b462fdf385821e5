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
 * refuses others), so each axis is regions of a stair (overlap_regions.c). What makes the dimension
 * is one axis index by index, or groups and the channels of a group with the loops of groups
 * outside; what reads it are axes with coefficients that are not negative, all but one of which
 * have MOST_SHIFTS positions together at most; cycles of both stay below 2^52. That leaves groups
 * whose loops stand inside those of their channels, or whose channels are cut in places: the axis
 * is ready later for some smaller indices. They, windows with very many cuts, and moves go by
 * digits (overlap_digits.c). Cost: a few comparisons for each place along the axis (of the side
 * with fewer), more for those that are better than all before them, and overlap_pack.c for regions
 * that differ. Source: ours. */
#include "passes/overlap_regions.h"

#include <assert.h>

enum { MOST_SHIFTS = 64, MOST_KNOWN = 16, MANY_REGIONS = 64, SAMPLES = 16 };
#define MOST_SUM 0x1p52

/* Digits of the other axes that read the dimension: what they add to the index, and their cost. */
typedef struct shift {
	int64_t lo, hi, cost;
} shift;

/* A region of the consumer as one of the producer sees it: the last index that its first tile reads
 * when it is full, the first one, elements of both. */
typedef struct meeting {
	int64_t hi, lo, elements, made;
	bool searched;
} meeting;

/* Does reading on over a gap at the end of a region of `made` never gain more than the next tile
 * costs? */
typedef struct tightness {
	int64_t made; /* 0: not known */
	bool tight;
} tightness;

typedef struct finder {
	pim_side producer, consumer;
	pim_side_region near;	/* of the side with more, before what the next one of the other meets */
	pim_side_region longer; /* of the producer, the next one that is longer than this one */
	int64_t longer_than;	/* INT64_MAX: not known */
	int64_t size, offset;	/* of the dimension; of the producer's axis in it */
	int64_t coef, tile;
	int64_t gap; /* indices that no tile reads between two */
	int n_shifts, n_known;
	shift shift[MOST_SHIFTS];
	meeting known[MOST_KNOWN];
	int64_t ahead;			 /* hi of the last one known that is as long as any on both sides */
	int64_t last_hi, last_t; /* the last tile of a region that was looked at */
	tightness tight[2];		 /* by the last bit of `made`: pieces differ by one */
	int64_t top;			 /* all that the producer can be waited for */
	int64_t full;			 /* the first index at which it is */
	int64_t best, steps;
	int64_t far, far_of; /* a tile `far` indices behind the first is worth no more than far_of */
} finder;

/* ---- a region of each ---- */

/* Tile t alone, which reads up to index `hi` of the region. */
static void note_tile(finder *f, int64_t hi, int64_t t, int64_t cost)
{
	int64_t value = pim_stairs_at(&f->producer.stairs, hi) - pim_stairs_at(&f->consumer.stairs, t);
	f->best = pim_max(f->best, value - cost);
}

/* May a tile that begins `indices` behind the first one be worth more than the best? */
static bool may_gain(finder *f, int64_t indices, int64_t cost)
{
	if (f->far_of != f->best + cost) {
		int64_t tiles = pim_stairs_reach(&f->consumer.stairs, f->top - f->best - cost);
		f->far_of = f->best + cost;
		if (f->best == PIM_PAIR_NOTHING || !pim_mul(tiles, f->coef * f->tile, &f->far))
			f->far = INT64_MAX;
	}
	return indices < f->far;
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

static bool is_tight(finder *f, int64_t made)
{
	const pim_stairs *up = &f->producer.stairs, *down = &f->consumer.stairs;
	tightness *t = &f->tight[made & 1];
	if (f->gap <= 0 || !down->n)
		return true;
	if (made != t->made) {
		t->made = made;
		t->tight =
			made > f->gap && pim_stairs_at(up, made - 1) - pim_stairs_at(up, made - 1 - f->gap) <=
								 down->rise[down->n - 1];
	}
	return t->tight;
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
		if (!f->known[i].searched)
			search_meeting(f, f->known[i], cost);
	f->n_known = 0;
}

static bool is_known(const finder *f, const meeting *m)
{
	for (int i = 0; i < f->n_known; i++)
		if (is_better(&f->known[i], m))
			return true;
	return false;
}

/* The first one is searched at once, for a best to compare with, and so is one whose first tile
 * waits for all of the region. */
static void note_meeting(finder *f, meeting m, int64_t cost)
{
	int kept = 0;
	if (is_known(f, &m))
		return;
	for (int i = 0; i < f->n_known; i++)
		if (!is_better(&m, &f->known[i]))
			f->known[kept++] = f->known[i];
	m.searched = f->n_known == 0 || m.hi >= pim_min(f->full, m.made - 1);
	f->n_known = kept;
	if (kept == MOST_KNOWN)
		search_known(f, cost);
	if (m.searched)
		search_meeting(f, m, cost);
	if (m.elements == pim_min(f->consumer.longest, f->consumer.reach) &&
		m.made == f->producer.longest)
		f->ahead = m.hi;
	f->known[f->n_known++] = m;
}

static meeting meet(
	const finder *f, const shift *s, const pim_side_region *used, const pim_side_region *made)
{
	int64_t base = made->lo + f->offset, first = f->coef * used->lo - base;
	return (meeting){first + f->coef * (f->tile - 1) + s->hi, first + s->lo,
		pim_min(used->hi - used->lo, f->consumer.reach), made->hi - made->lo, false};
}

/* May the last tile that reads anything of the region be worth more than the best? */
static bool may_end(finder *f, const meeting *m, int64_t cost)
{
	int64_t begin = pim_min(m->made - 1 - m->lo, f->coef * (m->elements - 1));
	return m->lo < m->made && may_gain(f, begin, cost);
}

static void note_last_tile(finder *f, const meeting *m, int64_t cost)
{
	int64_t apart = f->coef * f->tile, last = (m->elements - 1) / f->tile;
	int64_t t = pim_min(last, (m->made - 1 - m->lo) / apart);
	int64_t missing = t == last ? (last + 1) * f->tile - m->elements : 0;
	int64_t hi = pim_min(m->hi + apart * t - f->coef * missing, m->made - 1);
	if (hi < 0 || (hi <= f->last_hi && t >= f->last_t))
		return;
	f->last_hi = hi;
	f->last_t = t;
	note_tile(f, hi, t, cost);
}

/* Regions of both; what does not meet is worth nothing. */
static void note_regions(
	finder *f, const shift *s, const pim_side_region *used, const pim_side_region *made, bool tight)
{
	f->steps++;
	if (used->lo >= used->hi)
		return;
	meeting m = meet(f, s, used, made);
	if (!tight && may_end(f, &m, s->cost))
		note_last_tile(f, &m, s->cost);
	note_meeting(f, m, s->cost);
}

/* Is nothing that these regions meet, or any of the producer behind and of the consumer before
 * them, worth more than what is known? */
static bool is_behind(
	finder *f, const shift *s, const pim_side_region *used, const pim_side_region *made)
{
	meeting m = meet(f, s, used, made);
	return m.hi <= f->ahead && (f->gap <= 0 || !may_end(f, &m, s->cost));
}

/* May a region of the producer that begins at an index, or any behind it, be worth more than the
 * best? */
static bool may_follow(finder *f, const shift *s, const pim_side_region *used, int64_t index)
{
	int64_t apart = f->coef * f->tile;
	int64_t behind = index + f->offset - f->coef * (used->lo + f->tile - 1) - s->hi;
	return may_gain(f, behind > 0 ? behind + apart - 1 : 0, s->cost);
}

/* Is any region of the producer from an index on, however long, no better than one that is known?
 */
static bool is_known_behind(
	const finder *f, const shift *s, const pim_side_region *used, int64_t index)
{
	pim_side_region made = {.lo = index, .hi = index + f->producer.longest};
	meeting m = meet(f, s, used, &made);
	return is_known(f, &m);
}

/* The next region of the producer behind r that may be longer; mostly the same as for those before.
 */
static pim_side_region find_longer(finder *f, const pim_side_region *r)
{
	bool same = r->number < f->longer.number || f->longer.number < 0;
	if (r->number < f->longer_than || !same) {
		f->longer = *r;
		f->longer_than = r->number;
		pim_side_region_longer(&f->producer, &f->longer, 1);
	}
	return f->longer;
}

/* The regions of the producer that one of the consumer reads, the first one first: later ones are
 * waited for less. */
static void follow_producer(finder *f, const shift *s, const pim_side_region *used)
{
	int64_t to = pim_min(used->hi, used->lo + f->consumer.reach);
	int64_t lo = pim_max(f->coef * used->lo + s->lo, 0);
	int64_t hi = pim_min(f->coef * (to - 1) + s->hi, f->size - 1);
	if (used->lo >= used->hi || lo > hi)
		return;
	pim_side_region_seek(&f->producer, &f->near, lo - f->offset);
	if (is_behind(f, s, used, &f->near))
		return;
	pim_side_region r = f->near;
	while (r.number >= 0 && r.lo + f->offset <= hi) {
		bool any = r.lo < r.hi, tight = any && is_tight(f, r.hi - r.lo);
		if (any)
			note_regions(f, s, used, &r, tight);
		if (tight && r.hi - r.lo == f->producer.longest)
			return;
		if (any && (r.hi + f->offset > hi || !may_follow(f, s, used, r.hi)))
			return;
		if (tight && is_known_behind(f, s, used, r.hi))
			return;
		if (tight)
			r = find_longer(f, &r);
		else
			pim_side_region_step(&f->producer, &r, 1);
	}
}

/* The regions of the consumer that read one of the producer, the last one first: earlier ones wait
 * for less. */
static void follow_consumer(finder *f, const shift *s, const pim_side_region *made)
{
	int64_t base = made->lo + f->offset, to = made->hi + f->offset - 1 - s->lo;
	int64_t size = f->consumer.size;
	if (made->lo >= made->hi || to < 0)
		return;
	bool tight = is_tight(f, made->hi - made->lo);
	to = to < size * f->coef ? to / f->coef : size - 1;
	pim_side_region_seek(&f->consumer, &f->near, pim_min(to, size - 1));
	if (is_behind(f, s, &f->near, made))
		return;
	pim_side_region r = f->near;
	while (r.number >= 0 && f->coef * (r.hi - 1) + s->hi >= base) {
		note_regions(f, s, &r, made, tight);
		if (r.hi - r.lo == f->consumer.longest)
			return;
		if (r.lo < r.hi)
			pim_side_region_longer(&f->consumer, &r, -1);
		else
			pim_side_region_step(&f->consumer, &r, -1);
	}
}

/* Regions of the side with fewer, `every` so many, and what they meet of the other. */
static void follow_regions(finder *f, const shift *s, int64_t every)
{
	int64_t made = pim_side_regions(&f->producer), used = pim_side_regions(&f->consumer);
	const pim_side *few = made < used ? &f->producer : &f->consumer;
	pim_side_region r = pim_side_region_at(few, 0);
	f->near = pim_side_region_at(made < used ? &f->consumer : &f->producer, 0);
	for (int64_t n = 0; n < pim_min(made, used) && f->best < f->top - s->cost; n += every) {
		if (every > 1)
			r = pim_side_region_at(few, n);
		else if (n > 0)
			pim_side_region_step(few, &r, 1);
		if (made < used)
			follow_consumer(f, s, &r);
		else
			follow_producer(f, s, &r);
	}
}

/* Where regions are many, a few of them first: each may be a little better than the one before, and
 * those that are not go by quickly. */
static void search_shift(finder *f, const shift *s)
{
	int64_t few = pim_min(pim_side_regions(&f->producer), pim_side_regions(&f->consumer));
	if (few >= MANY_REGIONS)
		follow_regions(f, s, few / SAMPLES);
	follow_regions(f, s, 1);
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
	pim_axis_of axis = {d->read.term[main].axis, -1};
	return pim_side_of(s, axis, f->tile, used, &f->consumer);
}

/* The axes that make the dimension index by index, beside others of one index; outer -1: none do.
 */
static pim_axis_of find_made_axes(const pim_pair *e, const pim_pair_dim *d)
{
	const pim_spaces *s = e->producer;
	pim_axis_of none = {-1, -1}, axis = none;
	int64_t coef = 0;
	for (int t = 0; t < d->made.n && !d->made_whole; t++) {
		int a = d->made.term[t].axis;
		if (s->size[a] == 1)
			continue;
		if (axis.inner >= 0 || (axis.outer >= 0 && coef != s->size[a]))
			return none;
		*(axis.outer < 0 ? &axis.outer : &axis.inner) = a;
		coef = d->made.term[t].coef;
	}
	return coef == 1 ? axis : none;
}

bool pim_pair_search_stairs(
	const pim_pair *e, int dim, int64_t made, int64_t used, int64_t *best, int64_t *steps)
{
	const pim_pair_dim *d = &e->dim[dim];
	finder f;
	if ((double)made * (double)e->producer->steps + (double)used * (double)e->consumer->steps >
		MOST_SUM)
		return false;
	pim_axis_of axis = find_made_axes(e, d);
	if (d->read_whole || axis.outer < 0 || !find_axes(&f, e, d, used) ||
		!pim_side_of(e->producer, axis, 1, made, &f.producer))
		return false;
	f.size = d->size;
	f.offset = d->made.offset;
	f.best = PIM_PAIR_NOTHING;
	f.far_of = f.longer_than = INT64_MAX;
	f.longer.number = 0;
	f.steps = 0;
	f.top = pim_stairs_at(&f.producer.stairs, f.producer.longest - 1);
	f.full = pim_stairs_reach(&f.producer.stairs, f.top);
	for (int i = 0; i < f.n_shifts; i++) {
		f.n_known = 0;
		f.last_hi = -1;
		f.ahead = INT64_MIN;
		f.tight[0].made = f.tight[1].made = 0;
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
