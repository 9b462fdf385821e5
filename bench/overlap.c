/* SPDX-License-Identifier: Apache-2.0 */
/* overlap - CPU time of the overlap analysis of one pair of convolutions, in three forms.
 *
 * Reference: the exhaustive analysis (what OverlaPIM, DATE 2023, does): each data space of the
 * consumer against each of the producer, boxes listed beforehand. Where that takes too long a
 * sample of the consumer's spaces is run and its time scaled; the row says so. Tile by tile: ready
 * step of every space from tables in closed form. Separable: the finish of the pair alone. The
 * three must agree: ready steps of the exhaustive spaces, and the finish. Each is run in four
 * orders of loops.
 *
 * Then pairs that are hard for the separable form: random odd counts of tiles, ragged, up to three
 * loops over each axis with loops of others between them, strides, and steps of both that take as
 * long for the same rows; the worst of each size is printed, and how many take 10 us or more. */
#include "passes/overlap.h"
#include "ir/random.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { K, C, P, Q, R, S, AXES };
static const bool result[AXES] = {[K] = true, [P] = true, [Q] = true};

/* Both layers have 64 channels, images of rows x rows and 3 x 3 kernels, and are cut alike:
 * 8 places, and tiles by rows, columns and input channels. */
typedef struct shape {
	int rows, p, q, c;
} shape;
static const shape shapes[] = {
	{64, 16, 8, 1}, {56, 28, 56, 1}, {112, 112, 112, 1}, {128, 128, 128, 8}, {288, 288, 288, 16}};

/* How the consumer walks: as the producer, columns first, in strips of tiles, in tiles of another
 * size. */
typedef enum walk { WALK_same, WALK_columns, WALK_strips, WALK_uneven, WALK_COUNT } walk;

static double cpu_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int divide_up(int a, int b)
{
	return (a + b - 1) / b;
}

static pim_spaces *make_spaces(shape s, walk w, pim_arena *a)
{
	int p = s.p, q = s.q, strips = 4;
	int64_t size[AXES] = {64, 64, s.rows, s.rows, 3, 3};
	if (w == WALK_uneven) {
		p = divide_up(s.rows, divide_up(s.rows, s.p) + 1);
		q = divide_up(s.rows, divide_up(s.rows, s.q) + 1);
	}
	int64_t tile[AXES] = {8, divide_up(64, s.c), divide_up(s.rows, p), divide_up(s.rows, q), 3, 3};
	pim_loop loop[6];
	int n = 0;
	loop[n++] = (pim_loop){K, 8, true};
	if (w == WALK_strips) {
		loop[n++] = (pim_loop){Q, divide_up(q, strips), false};
		loop[n++] = (pim_loop){P, p, false};
		loop[n++] = (pim_loop){Q, strips, false};
	} else {
		loop[n++] = (pim_loop){w == WALK_columns ? Q : P, w == WALK_columns ? q : p, false};
		loop[n++] = (pim_loop){w == WALK_columns ? P : Q, w == WALK_columns ? p : q, false};
	}
	loop[n++] = (pim_loop){C, s.c, false};
	return pim_spaces_new(AXES, size, tile, result, n, loop, a);
}

static pim_pair make_pair(const pim_spaces *producer, const pim_spaces *consumer)
{
	static const int outer[] = {C, P, Q}, inner[] = {-1, R, S}, made[] = {K, P, Q};
	pim_pair e = {.producer = producer, .consumer = consumer, .n = 3};
	for (int d = 0; d < 3; d++) {
		e.dim[d].size = producer->size[made[d]];
		e.dim[d].made = (pim_index){.n = 1, .term = {{made[d], 1}}};
		e.dim[d].read = (pim_index){.n = d ? 2 : 1, .term = {{outer[d], 1}, {inner[d], 1}}};
		e.dim[d].read.offset = d ? -1 : 0;
	}
	return e;
}

/* ---- exhaustive ---- */

typedef struct space {
	int32_t lo[3], hi[3], step;
} space;

static space *list_spaces(const pim_pair *e, bool made, int64_t *count)
{
	const pim_spaces *s = made ? e->producer : e->consumer;
	space *list = malloc(sizeof *list * (size_t)(s->steps * s->places));
	static const int axis[] = {K, P, Q};
	*count = 0;
	for (int64_t place = 0; list && place < s->places; place++)
		for (int64_t step = 0; step < s->steps; step++) {
			pim_box b;
			space *l = &list[*count];
			l->step = (int32_t)step + 1;
			bool any = pim_spaces_box(s, place, step, &b);
			for (int d = 0; d < 3 && any; d++) {
				int64_t lo = b.lo[axis[d]], hi = b.hi[axis[d]];
				if (!made)
					any = pim_pair_need(e, d, &b, &lo, &hi);
				l->lo[d] = (int32_t)lo;
				l->hi[d] = (int32_t)hi;
			}
			*count += any;
		}
	return list;
}

static int32_t latest_space(const space *need, const space *made, int64_t n)
{
	int32_t latest = 0;
	for (int64_t i = 0; i < n; i++) {
		const space *m = &made[i];
		bool meets = (need->lo[0] < m->hi[0]) & (m->lo[0] < need->hi[0]) &
					 (need->lo[1] < m->hi[1]) & (m->lo[1] < need->hi[1]) &
					 (need->lo[2] < m->hi[2]) & (m->lo[2] < need->hi[2]);
		latest = meets && m->step > latest ? m->step : latest;
	}
	return latest;
}

/* Seconds for all spaces of the consumer; *sampled tells how many were looked at. */
static double time_exhaustive(const pim_pair *e, int64_t *sampled, int64_t *differences)
{
	int64_t made_count, need_count, most = 1500000000;
	space *made = list_spaces(e, true, &made_count), *need = list_spaces(e, false, &need_count);
	if (!made || !need)
		exit(1);
	*sampled = made_count * need_count <= most ? need_count : most / made_count;
	double begin = cpu_seconds(), seconds;
	int32_t *ready = malloc(sizeof *ready * (size_t)*sampled);
	for (int64_t i = 0; ready && i < *sampled; i++)
		ready[i] = latest_space(&need[i * (need_count / *sampled)], made, made_count);
	seconds = (cpu_seconds() - begin) * (double)need_count / (double)*sampled;
	for (int64_t i = 0; ready && i < *sampled; i++) {
		const space *n = &need[i * (need_count / *sampled)];
		int64_t closed = 1 + e->producer->last;
		for (int d = 0; d < 3; d++)
			closed += pim_pair_part(e, d, n->lo[d], n->hi[d]);
		*differences += closed != ready[i];
	}
	free(made);
	free(need);
	free(ready);
	return seconds;
}

/* ---- closed forms ---- */

enum { MADE = 3, USED = 4 };

static double time_tiles(const pim_pair *e, int64_t *finish)
{
	int runs = 0;
	double begin = cpu_seconds(), seconds;
	do {
		pim_arena *a = pim_arena_new();
		pim_handoff h = pim_handoff_new(e, a);
		*finish = pim_handoff_finish(&h, e->consumer, MADE, USED);
		pim_arena_free(a);
		runs++;
		seconds = cpu_seconds() - begin;
	} while (seconds < 0.1);
	return seconds / runs;
}

static double time_separable(const pim_pair *e, int64_t *finish)
{
	int runs = 0;
	double begin = cpu_seconds(), seconds;
	do {
		for (int i = 0; i < 100; i++)
			*finish = pim_pair_finish(e, MADE + i % 2, USED);
		runs += 100;
		seconds = cpu_seconds() - begin;
	} while (seconds < 0.05);
	*finish = pim_pair_finish(e, MADE, USED);
	return seconds / runs;
}

/* ---- odd counts ---- */

static uint64_t draw_state = 1;

static int64_t draw(int64_t n)
{
	return (int64_t)(pim_random(&draw_state) % (uint64_t)n);
}

/* Loops over an axis, with loops of K between them. */
static void add_odd_loops(
	int axis, int64_t places, pim_loop *loop, int *n, int64_t *size, int64_t *tile)
{
	int64_t rest = size[axis];
	if (places > 1 && rest > places) {
		loop[(*n)++] = (pim_loop){axis, (int32_t)places, true};
		rest = (rest + places - 1) / places;
	}
	for (int64_t times = 1 + draw(3); times > 0 && rest > 1; times--) {
		int64_t most = times > 1 ? (int64_t)sqrt((double)rest) : rest;
		int64_t count = times > 1 ? 2 * draw(most) + 3 : rest / (1 + draw(3)) | 1;
		count = count < rest ? count : rest;
		if (draw(3)) {
			int64_t between = 2 + draw(4);
			loop[(*n)++] = (pim_loop){K, (int32_t)between, false};
			size[K] *= between;
		}
		loop[(*n)++] = (pim_loop){axis, (int32_t)count, false};
		rest = (rest + count - 1) / count;
	}
	tile[axis] = rest;
}

static pim_spaces *make_odd(int64_t rows, int64_t columns, int kernel, int64_t places, pim_arena *a)
{
	int64_t size[AXES] = {1, 1, rows, columns, kernel, kernel};
	int64_t tile[AXES] = {1, 1, 1, 1, kernel, kernel};
	pim_loop loop[32];
	int n = 0;
	add_odd_loops(P, places, loop, &n, size, tile);
	add_odd_loops(Q, 1, loop, &n, size, tile);
	return pim_spaces_new(AXES, size, tile, result, n, loop, a);
}

typedef struct odd {
	double worst, sum;
	int pairs, slow;
	int64_t spaces;
} odd;

static void time_odd_pair(int64_t spaces, int64_t places, odd *o, int64_t *differences)
{
	pim_arena *a = pim_arena_new();
	int64_t columns = draw(2) ? 1 : 1 + draw((int64_t)sqrt((double)spaces));
	int64_t rows = (spaces / columns) | 1, stride = 1 + draw(3);
	int kernel = 1 + 2 * (int)draw(3);
	pim_spaces *producer = make_odd(rows * stride, columns * stride, 1, places, a);
	pim_spaces *consumer = make_odd(rows, columns, kernel, places, a);
	pim_pair e = make_pair(producer, consumer);
	e.dim[0].read = (pim_index){.n = 1, .term = {{C, 1}}};
	for (int d = 1; d < 3; d++) {
		e.dim[d].read.term[0].coef = stride;
		e.dim[d].read.offset = -(kernel / 2);
	}
	bool level = draw(2);
	int64_t least_of_both = consumer->steps < producer->steps ? consumer->steps : producer->steps;
	int64_t part = least_of_both / 1000 + 1; /* steps of 1,000 cycles or so */
	int64_t made = level ? consumer->steps / part + 1 : 1 + draw(100);
	int64_t used = level ? producer->steps / part + 1 : 1 + draw(100);
	double least = INFINITY;
	int64_t finish = 0;
	for (int i = 0; i < 3; i++) {
		double begin = cpu_seconds();
		finish = pim_pair_finish(&e, made, used);
		least = fmin(least, cpu_seconds() - begin);
	}
	o->spaces += producer->steps * producer->places + consumer->steps * consumer->places;
	o->worst = fmax(o->worst, least);
	o->sum += least;
	o->slow += least >= 10e-6;
	if (o->pairs++ % 100 == 0) {
		pim_handoff h = pim_handoff_new(&e, a);
		*differences += finish != pim_handoff_finish(&h, consumer, made, used);
	}
	pim_arena_free(a);
}

static void time_odd_pairs(int64_t *differences)
{
	enum { PAIRS = 2000 };
	printf("\n| places along the rows | data spaces, mean | mean | worst | of %d, 10 us or more |\n"
		   "| --: | --: | --: | --: | --: |\n",
		PAIRS);
	for (int64_t places = 1; places <= 256; places = places > 1 ? places * 16 : 16)
		for (int64_t spaces = 100; spaces <= 1000000; spaces *= 10) {
			odd o = {0};
			for (int i = 0; i < PAIRS; i++)
				time_odd_pair(spaces, places ? places - draw(places / 8 + 1) : 1, &o, differences);
			printf("| %" PRId64 " | %.3g | %.2f us | %.2f us | %d |\n", places,
				(double)o.spaces / (2 * PAIRS), o.sum / PAIRS * 1e6, o.worst * 1e6, o.slow);
			fflush(stdout);
		}
}

int main(void)
{
	static const char *const names[] = {"same", "columns", "strips", "uneven"};
	int64_t differences = 0;
	printf("| consumer walks | producer spaces | consumer spaces | exhaustive | tile by tile | "
		   "ratio | separable | ratio |\n| --- | --: | --: | --: | --: | --: | --: | --: |\n");
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		for (walk w = 0; w < WALK_COUNT; w++) {
			pim_arena *a = pim_arena_new();
			pim_spaces *producer = make_spaces(shapes[i], WALK_same, a);
			pim_spaces *consumer = make_spaces(shapes[i], w, a);
			pim_pair e = make_pair(producer, consumer);
			int64_t sampled, tiles, separable, spaces = consumer->steps * consumer->places;
			double slow = time_exhaustive(&e, &sampled, &differences);
			double middle = time_tiles(&e, &tiles), fast = time_separable(&e, &separable);
			differences += tiles != separable;
			printf("| %s | %" PRId64 " | %" PRId64
				   " | %.4g ms%s | %.4g ms | %.0f x | %.2f us | %.3g x |\n",
				names[w], producer->steps * producer->places, spaces, slow * 1e3,
				sampled < spaces * 9 / 10 ? " (sampled)" : "", middle * 1e3, slow / middle,
				fast * 1e6, slow / fast);
			fflush(stdout);
			pim_arena_free(a);
		}
	time_odd_pairs(&differences);
	printf("differences: %" PRId64 "\n", differences);
	return differences != 0;
}
