/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_exhaustive - the oracle of overlap.c and overlap_finish.c: looks at every data space.
 *
 * What OverlaPIM (DATE 2023) does for each consumer space: test every producer space for
 * intersection and take the latest step. Then places run step by step. Cost: places times steps,
 * of both for a pair. */
#include "passes/overlap.h"

static bool meets(const pim_spaces *s, const pim_box *a, const pim_box *b)
{
	for (int i = 0; i < s->n_axes; i++)
		if (s->result[i] && (a->lo[i] >= b->hi[i] || b->lo[i] >= a->hi[i] || a->lo[i] >= a->hi[i]))
			return false;
	return true;
}

int64_t pim_spaces_ready_exhaustive(const pim_spaces *s, const pim_box *axes)
{
	for (int64_t step = s->steps - 1; step >= 0; step--)
		for (int64_t place = 0; place < s->places; place++) {
			pim_box box;
			if (pim_spaces_box(s, place, step, &box) && meets(s, &box, axes))
				return step + 1;
		}
	return 0;
}

/* Steps until what a box of the consumer reads is final; dimensions before d stand in `made`. */
static int64_t latest_of(const pim_pair *e, const pim_box *axes, int d, pim_box *made)
{
	int64_t lo, hi, latest = 0;
	if (d == e->n)
		return pim_spaces_ready_exhaustive(e->producer, made);
	if (!pim_pair_need(e, d, axes, &lo, &hi))
		return 0;
	while (lo < hi) {
		lo = pim_pair_made(e, d, lo, hi, made);
		latest = pim_max(latest, latest_of(e, axes, d + 1, made));
	}
	return latest;
}

/* Steps of the producer that a space of the consumer waits for. */
static int64_t ready_of(const pim_pair *e, int64_t place, int64_t step)
{
	pim_box axes, made = {.n = e->producer->n_axes};
	if (!pim_spaces_box(e->consumer, place, step, &axes))
		return 0;
	for (int a = 0; a < made.n; a++)
		made.hi[a] = e->producer->size[a];
	return latest_of(e, &axes, 0, &made);
}

int64_t pim_pair_finish_exhaustive(const pim_pair *e, int64_t made, int64_t used, pim_pace pace)
{
	int64_t finish = 0, places = e->consumer->places, now = 0;
	if (pace == PIM_PACE_lockstep) {
		for (int64_t step = 0; step < e->consumer->steps; step++) {
			for (int64_t place = 0; place < places; place++)
				now = pim_max(now, made * ready_of(e, place, step));
			now += used;
		}
		return now;
	}
	for (int64_t place = 0; place < places; place++, now = 0) {
		for (int64_t step = 0; step < e->consumer->steps; step++)
			now = pim_max(now, made * ready_of(e, place, step)) + used;
		finish = pim_max(finish, now);
	}
	return finish;
}
