/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_groups - pairs whose producer has several channels in a group: the finish by stairs where
 * loops make them, by records where tiles leave out nothing, by digits, tile by tile and
 * exhaustive, against a simulation that knows when each channel is final. */
#include <string.h>

#include "passes/overlap_stairs.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"
#include "tests/unit/random_groups.h"

enum { MOST_CHANNELS = 4096 };
static const group_lengths lengths = {3, 4, 3, 6, 64, 3};

static void finish_channels(const pim_spaces *s, int64_t *final)
{
	memset(final, 0, sizeof *final * MOST_CHANNELS);
	for (int64_t step = 0; step < s->steps; step++)
		for (int64_t place = 0; place < s->places; place++) {
			pim_box b;
			if (!pim_spaces_box(s, place, step, &b))
				continue;
			for (int64_t g = b.lo[GROUP]; g < b.hi[GROUP]; g++)
				for (int64_t k = b.lo[CHANNEL]; k < b.hi[CHANNEL]; k++)
					final[g * s->size[CHANNEL] + k] = step + 1;
		}
}

/* Runs the consumer step by step. */
static int64_t simulate(const pim_pair *e, int64_t made, int64_t used)
{
	static int64_t final[MOST_CHANNELS];
	int64_t finish = 0;
	finish_channels(e->producer, final);
	for (int64_t place = 0; place < e->consumer->places; place++) {
		int64_t now = 0;
		for (int64_t step = 0; step < e->consumer->steps; step++) {
			pim_box b;
			int64_t lo, hi, ready = 0;
			bool any =
				pim_spaces_box(e->consumer, place, step, &b) && pim_pair_need(e, 0, &b, &lo, &hi);
			for (int64_t c = any ? lo : 0; any && c < hi; c++)
				ready = pim_max(ready, final[c]);
			now = pim_max(now, made * ready) + used;
		}
		finish = pim_max(finish, now);
	}
	return finish;
}

typedef struct tally {
	int pairs, stairs, records, exhaustive;
} tally;

static void check_pair(const pim_pair *e, int64_t made, int64_t used, tally *y, pim_arena *a)
{
	int64_t real = simulate(e, made, used), best, steps = 0;
	pim_handoff h = pim_handoff_new(e, a);
	CHECK(pim_pair_finish(e, made, used) == real);
	CHECK(pim_handoff_finish(&h, e->consumer, made, used) == real);
	if (pim_pair_search_stairs(e, 0, made, used, &best, &steps)) {
		CHECK(best == pim_pair_search_digits(e, 0, made, used));
		y->stairs++;
	}
	if (pim_pair_search_records(e, 0, made, used, &best, &steps)) {
		CHECK(best == pim_pair_search_digits(e, 0, made, used));
		y->records++;
	}
	if (e->producer->steps * e->producer->places < 200 &&
		e->consumer->steps * e->consumer->places < 200) {
		CHECK(pim_pair_finish_exhaustive(e, made, used, PIM_PACE_free) == real);
		CHECK(pim_pair_finish_exhaustive(e, made, used, PIM_PACE_lockstep) == real);
		y->exhaustive++;
	}
	y->pairs++;
}

static void compare_groups(void)
{
	tally y = {0};
	while (y.pairs < 20000) {
		pim_arena *a = pim_arena_new();
		int64_t groups = 1 + draw(draw(4) ? 12 : 64), channels = 2 + draw(draw(4) ? 10 : 60);
		int64_t all = groups * channels, stride = 1 + draw(3);
		const pim_spaces *producer = random_groups(groups, channels, draw(2), &lengths, a);
		const pim_spaces *consumer =
			random_groups(pim_divide_up(all, stride), 1, true, &lengths, a);
		pim_pair e = {.producer = producer, .consumer = consumer, .n = 1};
		e.dim[0] = (pim_pair_dim){.size = all,
			.made = {.n = 2, .term = {{GROUP, channels}, {CHANNEL, 1}}},
			.read = {.n = 2, .term = {{GROUP, stride}, {CHANNEL, 1}}}};
		bool small =
			producer->steps * producer->places < 4000 && consumer->steps * consumer->places < 4000;
		if (small)
			check_pair(&e, 1 + draw(30), 1 + draw(30), &y, a);
		pim_arena_free(a);
	}
	printf("%d pairs, %d by stairs, %d by records, %d exhaustive\n", y.pairs, y.stairs, y.records,
		y.exhaustive);
	CHECK(y.stairs > 8000 && y.records > 5000 && y.exhaustive > 300);
}

int main(void)
{
	compare_groups();
	return check_failures != 0;
}
