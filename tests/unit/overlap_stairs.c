/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_stairs - the largest difference of two stairs against every index, and finishes of long
 * pairs of one axis by stairs and by records against the search by digits and tile by tile. */
#include "passes/overlap_stairs.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

/* Up to four digits, inner to outer; the loops of other axes make outer steps a multiple of all
 * inner ones, or none. */
static pim_stairs random_stairs(int64_t unit)
{
	pim_stairs s = {.n = 0};
	int n = (int)draw(5);
	int64_t width[4] = {unit}, rise[4] = {1 + draw(9)};
	for (int i = 1; i < n; i++) {
		int64_t count = 2 + draw(draw(4) ? 5 : 60);
		width[i] = width[i - 1] * count;
		rise[i] = rise[i - 1] * count * (1 + draw(4));
	}
	for (int i = n - 1; i >= 0; i--)
		pim_stairs_add(&s, width[i], rise[i]);
	return s;
}

static int64_t look_everywhere(
	const pim_stairs *up, const pim_stairs *down, int64_t x, int64_t apart, int64_t end)
{
	int64_t best = INT64_MIN;
	for (int64_t t = 0; t < end; t++) {
		if (x + apart * t < 0)
			continue;
		int64_t value = pim_stairs_at(up, x + apart * t) - pim_stairs_at(down, t);
		best = value > best ? value : best;
	}
	return best;
}

/* Makes both as steep, where that leaves small numbers: then many indices are about as good. */
static void level(pim_stairs *up, pim_stairs *down, int64_t apart)
{
	int64_t rise = down->rise[0] * up->width[0], fall = up->rise[0] * apart * down->width[0];
	if (rise > 1000000000 || fall > 1000000000)
		return;
	for (int k = 0; k < up->n; k++)
		up->rise[k] *= rise;
	for (int k = 0; k < down->n; k++)
		down->rise[k] *= fall;
}

static void compare_stairs(void)
{
	for (int i = 0; i < 100000; i++) {
		int64_t wide = i % 10 ? 100 : 5000, most = i % 10 ? 200 : 20000;
		pim_stairs up = random_stairs(1 + draw(1 + draw(wide))), down = random_stairs(1);
		int64_t apart = 1 + draw(1 + draw(wide)), end = 1 + draw(1 + draw(most));
		int64_t x = draw(wide) - apart * draw(1 + draw(20));
		if (i % 3 == 0 && up.n && down.n)
			level(&up, &down, apart);
		if (x + apart * (end - 1) < 0)
			continue;
		int64_t best = look_everywhere(&up, &down, x, apart, end);
		int64_t steps = 0;
		CHECK(pim_stairs_most(&up, &down, x, apart, end, INT64_MIN / 2, &steps) == best);
		CHECK(pim_stairs_most(&up, &down, x, apart, end, best + 1, &steps) == best + 1);
	}
}

/* Two axes: a long one, cut in pieces and run over by odd numbers of tiles, and one whose loops
 * stand between. */
static pim_spaces *random_nest(int64_t size, int64_t kernel, pim_arena *a)
{
	int64_t sizes[3] = {size, 1, kernel}, tile[3] = {0, 1, kernel}, rest = size;
	bool result[3] = {true, false, false};
	pim_loop loop[16];
	int n = 0;
	for (int i = (int)draw(5) - 1; i > 0 && rest > 2 && n < 2; i -= 2) {
		int64_t count = 2 + draw(i > 2 ? draw(4) ? 30 : 300 : 2);
		count = count < rest ? count : rest;
		loop[n++] = (pim_loop){0, (int32_t)count, true};
		rest = (rest + count - 1) / count;
	}
	for (int i = (int)draw(4); i > 0 && rest > 1; i--) {
		int64_t count = 2 + draw(1 + draw(rest)), other = 1 + draw(4);
		count = count < rest ? count : rest;
		sizes[1] *= other;
		loop[n++] = (pim_loop){1, (int32_t)other, false};
		loop[n++] = (pim_loop){0, (int32_t)count, false};
		rest = (rest + count - 1) / count;
	}
	tile[0] = rest;
	return pim_spaces_new(3, sizes, tile, result, n, loop, a);
}

static void compare_long_pairs(void)
{
	int stairs = 0, records = 0;
	for (int i = 0; i < 20000; i++) {
		pim_arena *a = pim_arena_new();
		int64_t kernel = 1 + 2 * draw(3), stride = 1 + draw(draw(8) ? 4 : 40),
				pad = draw(kernel / 2 + 1);
		int64_t size = 1 + draw(i % 10 ? 300 : i % 100 ? 3000 : 30000);
		int64_t made = (size - 1) * stride + kernel - 2 * pad + draw(stride);
		if (made > 0) {
			pim_spaces *producer = random_nest(made, 1, a),
					   *consumer = random_nest(size, kernel, a);
			pim_pair e = {.producer = producer, .consumer = consumer, .n = 1};
			e.dim[0] = (pim_pair_dim){.size = made,
				.made = {.n = 1, .term = {{0, 1}}},
				.read = {.n = 2, .offset = -pad, .term = {{0, stride}, {2, 1}}}};
			if (draw(4) == 0) /* groups of one channel */
				e.dim[0].made = (pim_index){.n = 2, .term = {{2, made}, {0, 1}}};
			int64_t used = 1 + draw(50), making = 1 + draw(50), best, steps = 0;
			if (draw(3) == 0) {
				making = consumer->steps;
				used = producer->steps;
			}
			if (pim_pair_search_stairs(&e, 0, making, used, &best, &steps)) {
				CHECK(best == pim_pair_search_digits(&e, 0, making, used));
				stairs++;
			}
			if (pim_pair_search_records(&e, 0, making, used, &best, &steps)) {
				CHECK(best == pim_pair_search_digits(&e, 0, making, used));
				records++;
			}
			pim_handoff h = pim_handoff_new(&e, a);
			CHECK(pim_pair_finish(&e, making, used) ==
				  pim_handoff_finish(&h, consumer, making, used));
		}
		pim_arena_free(a);
	}
	printf("%d pairs by stairs, %d by records\n", stairs, records);
	CHECK(stairs > 15000 && records > 5000);
}

int main(void)
{
	compare_stairs();
	compare_long_pairs();
	return check_failures != 0;
}
