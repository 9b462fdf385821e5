/* SPDX-License-Identifier: Apache-2.0 */
/* overlap - ready steps in closed form against the exhaustive analysis, on random pairs of nests.
 */
#include "tests/unit/check.h"
#include "tests/unit/random_spaces.h"

/* Window: the producer's rows that the consumer's rows lo..hi read, clipped to `size`. */
static void read_rows(const pim_box *box, int out, int kernel, int64_t stride, int64_t pad,
	int64_t size, int64_t *lo, int64_t *hi)
{
	*lo = stride * box->lo[out] + box->lo[kernel] - pad;
	*hi = stride * (box->hi[out] - 1) + box->hi[kernel] - 1 - pad + 1;
	*lo = *lo < 0 ? 0 : *lo;
	*hi = *hi > size ? size : *hi;
}

static pim_box demand(const pim_spaces *producer, const pim_box *box, int64_t stride, int64_t pad)
{
	pim_box need = {.n = AXES};
	need.lo[K] = box->lo[C];
	need.hi[K] = box->hi[C];
	read_rows(box, P, R, stride, pad, producer->size[P], &need.lo[P], &need.hi[P]);
	read_rows(box, Q, S, stride, pad, producer->size[Q], &need.lo[Q], &need.hi[Q]);
	return need;
}

static void compare_random_pairs(void)
{
	int64_t spaces = 0, pairs = 0, corner_differs = 0;
	while (pairs < 12000) {
		pim_arena *a = pim_arena_new();
		int64_t kernel = 1 + 2 * draw(2), stride = 1 + draw(2), pad = draw(kernel / 2 + 1);
		int64_t consumer_size[AXES] = {
			1 + draw(4), 1 + draw(6), 1 + draw(6), 1 + draw(6), kernel, kernel};
		int64_t size[AXES] = {consumer_size[C], 1 + draw(4), 0, 0, 1 + 2 * draw(2), 1};
		size[P] = (consumer_size[P] - 1) * stride + kernel - 2 * pad;
		size[Q] = (consumer_size[Q] - 1) * stride + kernel - 2 * pad;
		if (size[P] < 1 || size[Q] < 1) {
			pim_arena_free(a);
			continue;
		}
		pim_spaces *producer = random_spaces(size, 2, a),
				   *consumer = random_spaces(consumer_size, 2, a);
		if (covers(producer) && covers(consumer)) {
			pairs++;
			for (int trial = 0; trial < 12; trial++) {
				pim_box box;
				if (!pim_spaces_box(consumer, draw(consumer->places), draw(consumer->steps), &box))
					continue;
				pim_box need = demand(producer, &box, stride, pad), corner = need;
				int64_t exact = pim_spaces_ready_exhaustive(producer, &need);
				CHECK(pim_spaces_ready(producer, &need) == exact);
				for (int axis = 0; axis < AXES; axis++)
					if (result[axis] && need.lo[axis] < need.hi[axis])
						corner.lo[axis] = corner.hi[axis] - 1;
				corner_differs += pim_spaces_ready(producer, &corner) != exact;
				spaces++;
			}
		}
		pim_arena_free(a);
	}
	CHECK(spaces > 50000 && corner_differs > 500);
	printf("%lld spaces of %lld pairs; the corner alone is wrong for %lld\n", (long long)spaces,
		(long long)pairs, (long long)corner_differs);
}

/* When the last of two places is done that each run 16 steps of `length` in order, as soon as they
 * are ready. */
static int64_t finish_of(const int64_t ready[2][16], int64_t length)
{
	int64_t finish = 0;
	for (int place = 0; place < 2; place++) {
		int64_t now = 0;
		for (int step = 0; step < 16; step++)
			now = (now > ready[place][step] ? now : ready[place][step]) + length;
		finish = now > finish ? now : finish;
	}
	return finish;
}

/* Worked by hand: two places by four steps against two by sixteen. */
static void follow_the_example(void)
{
	pim_arena *a = pim_arena_new();
	int64_t producer_size[AXES] = {4, 2, 4, 4, 1, 1}, producer_tile[AXES] = {2, 1, 1, 2, 1, 1};
	pim_loop producer_loop[] = {
		{K, 2, true}, {P, 2, false}, {C, 2, false}, {Q, 2, false}, {P, 2, true}};
	pim_spaces *producer =
		pim_spaces_new(AXES, producer_size, producer_tile, result, 5, producer_loop, a);
	CHECK(producer->steps == 8 && producer->places == 4 && producer->last == 2);
	int64_t inner[] = {2, 2, 1, 2, 1}, weight[] = {0, 4, 2, 1, 0};
	for (int i = 1; i < 5; i++)
		CHECK(producer->digit[i].inner == inner[i] && producer->digit[i].weight == weight[i]);
	int64_t size[AXES] = {2, 4, 4, 4, 3, 3}, tile[AXES] = {2, 2, 1, 1, 3, 3};
	pim_loop loop[] = {{P, 2, true}, {Q, 4, false}, {C, 2, false}, {P, 2, false}};
	pim_spaces *consumer = pim_spaces_new(AXES, size, tile, result, 4, loop, a);
	CHECK(consumer->steps == 16 && consumer->places == 2);
	static const int64_t ready[2][16] = {{3, 7, 3, 7, 4, 8, 4, 8, 4, 8, 4, 8, 4, 8, 4, 8},
		{7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8}};
	for (int64_t place = 0; place < 2; place++)
		for (int64_t step = 0; step < 16; step++) {
			pim_box box;
			CHECK(pim_spaces_box(consumer, place, step, &box));
			pim_box need = demand(producer, &box, 1, 1);
			CHECK(pim_spaces_ready(producer, &need) == ready[place][step]);
			CHECK(pim_spaces_ready_exhaustive(producer, &need) == ready[place][step]);
		}
	CHECK(finish_of(ready, 1) == 23 && finish_of(ready, 2) == 39);
	pim_arena_free(a);
}

/* P = 4, spatial 2 outside temporal 2: index 1 is final after step 2, its neighbour 2 after step 1.
 */
static void refuse_the_corner(void)
{
	pim_arena *a = pim_arena_new();
	int64_t size[AXES] = {1, 1, 4, 1, 1, 1}, tile[AXES] = {1, 1, 1, 1, 1, 1};
	pim_loop loop[] = {{P, 2, true}, {P, 2, false}};
	pim_spaces *s = pim_spaces_new(AXES, size, tile, result, 2, loop, a);
	pim_box box = {.n = AXES, .lo = {[P] = 1}, .hi = {1, 1, 3, 1, 1, 1}}, corner = box;
	corner.lo[P] = 2;
	CHECK(pim_spaces_ready(s, &box) == 2 && pim_spaces_ready_exhaustive(s, &box) == 2);
	CHECK(pim_spaces_ready(s, &corner) == 1);
	box.hi[P] = 1;
	CHECK(pim_spaces_ready(s, &box) == 0);
	pim_arena_free(a);
}

int main(void)
{
	follow_the_example();
	refuse_the_corner();
	compare_random_pairs();
	return check_failures != 0;
}
