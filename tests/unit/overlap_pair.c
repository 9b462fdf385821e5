/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_pair - the finish of a producer and its consumer: separable, tile by tile and exhaustive,
 * against a simulation that knows when each element is final, on random pairs of nests. */
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/random_spaces.h"

enum { MOST_ELEMENTS = 4096, MOST_STEPS = 4096 };

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

typedef struct window {
	int64_t stride, pad;
} window;

static pim_pair pair_of(const pim_spaces *producer, const pim_spaces *consumer, window w)
{
	static const int outer[] = {C, P, Q}, inner[] = {-1, R, S}, made[] = {K, P, Q};
	pim_pair e = {.producer = producer, .consumer = consumer, .n = 3};
	for (int d = 0; d < 3; d++) {
		e.dim[d].size = producer->size[made[d]];
		e.dim[d].made = (pim_index){.n = 1, .term = {{made[d], 1}}};
		e.dim[d].read = (pim_index){.n = 1, .term = {{outer[d], d ? w.stride : 1}}};
		if (d) {
			e.dim[d].read.n = 2;
			e.dim[d].read.term[1].axis = inner[d];
			e.dim[d].read.term[1].coef = 1;
			e.dim[d].read.offset = -w.pad;
		}
	}
	return e;
}

/* The step after which each element (k, p, q) of the producer's result is final. */
static void finish_elements(const pim_spaces *s, int64_t *final)
{
	memset(final, 0, sizeof *final * MOST_ELEMENTS);
	for (int64_t step = 0; step < s->steps; step++)
		for (int64_t place = 0; place < s->places; place++) {
			pim_box b;
			if (!pim_spaces_box(s, place, step, &b))
				continue;
			for (int64_t k = b.lo[K]; k < b.hi[K]; k++)
				for (int64_t p = b.lo[P]; p < b.hi[P]; p++)
					for (int64_t q = b.lo[Q]; q < b.hi[Q]; q++)
						final[(k * s->size[P] + p) * s->size[Q] + q] = step + 1;
		}
}

/* The latest of all elements in the box that a box of the consumer's axes reads. */
static int64_t latest_element(
	const pim_spaces *producer, const pim_box *b, window w, const int64_t *final)
{
	int64_t latest = 0, rows = producer->size[P], columns = producer->size[Q];
	int64_t top = w.stride * b->lo[P] + b->lo[R] - w.pad;
	int64_t bottom = w.stride * (b->hi[P] - 1) + b->hi[R] - 1 - w.pad;
	int64_t left = w.stride * b->lo[Q] + b->lo[S] - w.pad;
	int64_t right = w.stride * (b->hi[Q] - 1) + b->hi[S] - 1 - w.pad;
	for (int64_t k = b->lo[C]; k < b->hi[C]; k++)
		for (int64_t y = top; y <= bottom; y++)
			for (int64_t x = left; x <= right; x++)
				if (y >= 0 && y < rows && x >= 0 && x < columns)
					latest = later(latest, final[(k * rows + y) * columns + x]);
	return latest;
}

typedef struct answer {
	int64_t free, lockstep;
} answer;

/* Runs the consumer step by step. */
static answer simulate(
	const pim_spaces *producer, const pim_spaces *consumer, window w, int64_t made, int64_t used)
{
	static int64_t final[MOST_ELEMENTS], common[MOST_STEPS];
	answer a = {0};
	finish_elements(producer, final);
	memset(common, 0, sizeof *common * (size_t)consumer->steps);
	for (int64_t place = 0; place < consumer->places; place++) {
		int64_t now = 0;
		for (int64_t step = 0; step < consumer->steps; step++) {
			pim_box b;
			int64_t ready = 0;
			if (pim_spaces_box(consumer, place, step, &b))
				ready = made * latest_element(producer, &b, w, final);
			common[step] = later(common[step], ready);
			now = later(now, ready) + used;
		}
		a.free = later(a.free, now);
	}
	for (int64_t step = 0; step < consumer->steps; step++)
		a.lockstep = later(a.lockstep, common[step]) + used;
	return a;
}

static void check_pair(const pim_spaces *producer, const pim_spaces *consumer, window w,
	int64_t made, int64_t used, pim_arena *a)
{
	pim_pair e = pair_of(producer, consumer, w);
	pim_handoff h = pim_handoff_new(&e, a);
	answer real = simulate(producer, consumer, w, made, used);
	CHECK(pim_pair_separates(&e));
	CHECK(pim_pair_finish(&e, made, used) == real.free);
	CHECK(pim_handoff_finish(&h, consumer, made, used) == real.free);
	CHECK(real.lockstep == real.free);
}

/* Sizes of a random pair; `flat`: one long axis instead of three short ones. */
static window random_sizes(int64_t *size, int64_t *other, bool flat)
{
	int64_t kernel = 1 + 2 * draw(3), stride = 1 + draw(3);
	window w = {stride, draw(kernel / 2 + 1)};
	for (int i = 0; i < AXES; i++)
		size[i] = other[i] = flat ? 1 : 1 + draw(4);
	other[P] = 1 + draw(flat ? 40 : 6);
	other[R] = other[S] = kernel;
	size[R] = size[S] = 1;
	size[K] = other[C];
	size[P] = (other[P] - 1) * stride + kernel - 2 * w.pad;
	size[Q] = (other[Q] - 1) * stride + kernel - 2 * w.pad;
	return w;
}

static void compare_random_pairs(void)
{
	int64_t pairs = 0, flats = 0;
	while (pairs < 100000) {
		int64_t size[AXES], other[AXES];
		bool flat = draw(2);
		window w = random_sizes(size, other, flat);
		if (size[P] < 1 || size[Q] < 1)
			continue;
		pim_arena *a = pim_arena_new();
		pim_spaces *producer = random_spaces(size, flat ? 4 : 2, a),
				   *consumer = random_spaces(other, flat ? 3 : 2, a);
		bool small =
			producer->steps * producer->places < 1000 && consumer->steps * consumer->places < 1000;
		if (small && covers(producer) && covers(consumer)) {
			check_pair(producer, consumer, w, 1 + draw(20), 1 + draw(20), a);
			pairs++;
			flats += flat;
		}
		pim_arena_free(a);
	}
	CHECK(flats > 20000 && flats < 80000);
	printf("%lld pairs, %lld of them of one long axis\n", (long long)pairs, (long long)flats);
}

/* The library's own exhaustive form against the same simulation. */
static void compare_exhaustive(void)
{
	for (int pairs = 0; pairs < 500;) {
		int64_t size[AXES], other[AXES];
		window w = random_sizes(size, other, false);
		if (size[P] < 1 || size[Q] < 1)
			continue;
		pim_arena *a = pim_arena_new();
		pim_spaces *producer = random_spaces(size, 1, a), *consumer = random_spaces(other, 1, a);
		if (covers(producer) && covers(consumer)) {
			pim_pair e = pair_of(producer, consumer, w);
			answer real = simulate(producer, consumer, w, 3, 2);
			CHECK(pim_pair_finish_exhaustive(&e, 3, 2, PIM_PACE_free) == real.free);
			CHECK(pim_pair_finish_exhaustive(&e, 3, 2, PIM_PACE_lockstep) == real.lockstep);
			pairs++;
		}
		pim_arena_free(a);
	}
}

/* Two places by four steps against two by sixteen, worked by hand. */
static void follow_the_example(void)
{
	pim_arena *a = pim_arena_new();
	int64_t size[AXES] = {4, 2, 4, 4, 1, 1}, tile[AXES] = {2, 1, 1, 2, 1, 1};
	pim_loop loop[] = {{K, 2, true}, {P, 2, false}, {C, 2, false}, {Q, 2, false}, {P, 2, true}};
	pim_spaces *producer = pim_spaces_new(AXES, size, tile, result, 5, loop, a);
	int64_t other_size[AXES] = {2, 4, 4, 4, 3, 3}, other_tile[AXES] = {2, 2, 1, 1, 3, 3};
	pim_loop other_loop[] = {{P, 2, true}, {Q, 4, false}, {C, 2, false}, {P, 2, false}};
	pim_spaces *consumer = pim_spaces_new(AXES, other_size, other_tile, result, 4, other_loop, a);
	window w = {1, 1};
	pim_pair e = pair_of(producer, consumer, w);
	CHECK(pim_pair_finish(&e, 1, 1) == 23 && pim_pair_finish(&e, 1, 2) == 39);
	CHECK(producer->steps + consumer->steps == 24);
	CHECK(pim_pair_finish_exhaustive(&e, 1, 1, PIM_PACE_free) == 23);
	CHECK(pim_pair_finish_exhaustive(&e, 1, 2, PIM_PACE_lockstep) == 39);
	check_pair(producer, consumer, w, 1, 1, a);
	check_pair(producer, consumer, w, 1, 2, a);
	pim_arena_free(a);
}

/* An axis of the consumer that two dimensions read: what they want together is not a sum. */
static void see_what_does_not_separate(void)
{
	pim_arena *a = pim_arena_new();
	int64_t size[AXES] = {4, 1, 4, 1, 1, 1}, tile[AXES] = {1, 1, 1, 1, 1, 1};
	pim_loop loop[] = {{P, 4, false}, {K, 4, false}};
	pim_spaces *s = pim_spaces_new(AXES, size, tile, result, 2, loop, a);
	pim_pair e = pair_of(s, s, (window){1, 0});
	CHECK(pim_pair_separates(&e));
	e.dim[0].read.term[0].axis = P;
	CHECK(!pim_pair_separates(&e));
	pim_handoff h = pim_handoff_new(&e, a);
	CHECK(pim_handoff_finish(&h, s, 5, 1) == pim_pair_finish_exhaustive(&e, 5, 1, PIM_PACE_free));
	pim_arena_free(a);
}

int main(void)
{
	follow_the_example();
	see_what_does_not_separate();
	compare_exhaustive();
	compare_random_pairs();
	return check_failures != 0;
}
