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
 * within one of the consumer): overlap_meetings.c, for each position of the other axes that read
 * the dimension, which cost and shift what is read.
 *
 * Which dimensions: nests of the program have spatial loops outside temporal ones (the verifier
 * refuses others), so each axis is regions of a stair (overlap_regions.c). What makes the dimension
 * is one axis index by index, or groups and the channels of a group with the loops of groups
 * outside; what reads it are axes with coefficients that are not negative, all but one of which
 * have MOST_SHIFTS positions together at most; cycles of both stay below 2^52. Where groups have
 * loops inside those of their channels, or channels that are cut in places, the axis is ready later
 * for some smaller indices: such dimensions go by records (overlap_records.c), if tiles leave out
 * nothing between them. That leaves windows with very many cuts, and moves with steps, which go by
 * digits (overlap_digits.c). Source: ours. */
#include "passes/overlap_records.h"

#include <assert.h>

enum { MOST_SHIFTS = 64 };
#define MOST_SUM 0x1p52

/* Digits of the other axes that read the dimension: what they add to the index, and their cost. */
typedef struct shift {
	int64_t lo, hi, cost;
} shift;

typedef struct finder {
	pim_side consumer;
	pim_reading reading; /* without the shift */
	int n_shifts;
	shift shift[MOST_SHIFTS];
} finder;

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
	f->shift[0] = (shift){0, 0, 0};
	int64_t offset = d->read.offset - d->made.offset, tile = s->tile[d->read.term[main].axis];
	f->reading = (pim_reading){d->read.term[main].coef, tile, offset, offset};
	for (int t = 0; t < d->read.n; t++)
		if (t != main && !add_shifts(f, s, d->read.term[t].axis, d->read.term[t].coef, used))
			return false;
	pim_axis_of axis = {d->read.term[main].axis, -1};
	return pim_side_of(s, axis, tile, used, &f->consumer);
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

static pim_reading shifted(const finder *f, int i)
{
	pim_reading r = f->reading;
	r.lo += f->shift[i].lo;
	r.hi += f->shift[i].hi;
	return r;
}

/* What the loops of both sides add up to is exact as a double. */
static bool is_exact(const pim_pair *e, int64_t made, int64_t used)
{
	return (double)made * (double)e->producer->steps + (double)used * (double)e->consumer->steps <=
		   MOST_SUM;
}

bool pim_pair_search_stairs(
	const pim_pair *e, int dim, int64_t made, int64_t used, int64_t *best, int64_t *steps)
{
	const pim_pair_dim *d = &e->dim[dim];
	pim_axis_of axis = find_made_axes(e, d);
	pim_side producer;
	finder f;
	if (d->read_whole || axis.outer < 0 || !is_exact(e, made, used) ||
		!pim_side_of(e->producer, axis, 1, made, &producer) || !find_axes(&f, e, d, used))
		return false;
	int64_t most = pim_stairs_at(&producer.stairs, producer.extent - 1);
	*best = PIM_PAIR_NOTHING;
	for (int i = 0; i < f.n_shifts; i++) {
		int64_t cost = f.shift[i].cost;
		pim_reading r = shifted(&f, i);
		if (*best < most - cost)
			*best = pim_meetings_most(&producer, &f.consumer, &r, *best + cost, steps) - cost;
	}
	return true;
}

bool pim_pair_search_records(
	const pim_pair *e, int dim, int64_t made, int64_t used, int64_t *best, int64_t *steps)
{
	const pim_pair_dim *d = &e->dim[dim];
	pim_maker producer = {e->producer, find_made_axes(e, d), made};
	finder f;
	if (d->read_whole || producer.axis.outer < 0 || !is_exact(e, made, used) ||
		!find_axes(&f, e, d, used))
		return false;
	for (int i = 0; i < f.n_shifts; i++)
		if (f.shift[i].hi - f.shift[i].lo + 1 < f.reading.coef)
			return false;
	*best = PIM_PAIR_NOTHING;
	for (int i = 0; i < f.n_shifts; i++) {
		int64_t cost = f.shift[i].cost;
		pim_reading r = shifted(&f, i);
		*best = pim_records_most(&producer, &f.consumer, &r, *best + cost, steps) - cost;
	}
	return true;
}

int64_t pim_pair_finish_steps(const pim_pair *e, int64_t made, int64_t used, int64_t *steps)
{
	assert(pim_pair_separates(e));
	int64_t latest = made * (1 + e->producer->last), alone = e->consumer->steps * used;
	for (int d = 0; d < e->n; d++) {
		int64_t best;
		if (!pim_pair_search_stairs(e, d, made, used, &best, steps) &&
			!pim_pair_search_records(e, d, made, used, &best, steps))
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
