/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_adversary - how slow the finish of a pair can be made.
 *
 * An adversary draws pairs of one axis with up to eight loops of it on either side and loops of
 * others between them, keeps those that take most work, and changes them as long as that makes them
 * worse. Work is counted (pairs of regions and relaxations looked at), so a run is the same on any
 * machine; time is that of the worst pairs, the least of many runs. Pairs that are small enough are
 * compared with the finish tile by tile.
 *
 * Then pairs whose producer has several channels in a group: some go by stairs, the others by
 * records; both are timed. */
#include "ir/random.h"
#include "passes/overlap.h"
#include "passes/overlap_stairs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { K, P, R, AXES };
static const bool result[AXES] = {[K] = true, [P] = true};

static double cpu_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t draw_state = 1;

static int64_t draw(int64_t n)
{
	return (int64_t)(pim_random(&draw_state) % (uint64_t)n);
}

#include "tests/unit/random_groups.h"

enum { MOST_LOOPS = 8, POOL = 16, RANDOM_PAIRS = 60000, CHANGES = 60000 };

/* Loops over the rows of one side, with loops of K between them. */
typedef struct odd_side {
	int64_t pieces, parts, count[MOST_LOOPS], between[MOST_LOOPS];
	int n;
} odd_side;

/* How long steps take: as drawn, or as much for the whole of both, or a little more for one. */
typedef enum odd_steps { STEPS_drawn, STEPS_level, STEPS_near, STEPS_COUNT } odd_steps;

typedef struct odd_pair {
	odd_side side[2]; /* producer, consumer */
	int64_t rows, stride, kernel, pad, made, used;
	odd_steps steps;
	int64_t work;
	double seconds;
} odd_pair;

typedef struct adversary {
	int64_t most_pieces, most_parts, differences;
} adversary;

static odd_side draw_side(const adversary *v)
{
	odd_side s = {draw(2) ? 1 + draw(1 + draw(v->most_pieces)) : 1, 1 + draw(v->most_parts),
		.n = 1 + (int)draw(MOST_LOOPS)};
	for (int i = 0; i < MOST_LOOPS; i++) {
		s.count[i] = 2 + draw(1 + draw(1 + draw(3) * draw(400)));
		s.between[i] = 1 + draw(5);
	}
	return s;
}

static odd_pair draw_pair(const adversary *v)
{
	odd_pair p = {.rows = 2 + draw(1 + draw(1000000))};
	p.side[0] = draw_side(v);
	p.side[1] = draw_side(v);
	p.stride = 1 + draw(3);
	p.kernel = 1 + 2 * draw(4);
	p.pad = draw(p.kernel / 2 + 1);
	p.steps = (odd_steps)draw(STEPS_COUNT);
	p.made = 1 + draw(100);
	p.used = 1 + draw(100);
	return p;
}

static int64_t nudge(int64_t x, int64_t least, int64_t most)
{
	switch (draw(4)) {
	case 0:
		x++;
		break;
	case 1:
		x--;
		break;
	case 2:
		x = x * (50 + draw(100)) / 100;
		break;
	default:
		x = least + draw(most - least + 1);
	}
	return x < least ? least : x > most ? most : x;
}

static void change_side(const adversary *v, odd_side *s)
{
	int i = (int)draw(MOST_LOOPS);
	switch (draw(6)) {
	case 0:
		s->pieces = nudge(s->pieces, 1, v->most_pieces);
		break;
	case 1:
		s->parts = nudge(s->parts, 1, v->most_parts);
		break;
	case 2:
		s->n = (int)nudge(s->n, 1, MOST_LOOPS);
		break;
	case 3:
		s->between[i] = nudge(s->between[i], 1, 6);
		break;
	default:
		s->count[i] = nudge(s->count[i], 2, 2000);
	}
}

static odd_pair change_pair(const adversary *v, odd_pair p)
{
	for (int64_t times = 1 + draw(3); times > 0; times--)
		switch (draw(8)) {
		case 0:
			p.rows = nudge(p.rows, 2, 1000000);
			break;
		case 1:
			p.stride = nudge(p.stride, 1, 4);
			break;
		case 2:
			p.steps = (odd_steps)draw(STEPS_COUNT);
			p.kernel = 1 + 2 * draw(4);
			p.pad = draw(p.kernel / 2 + 1);
			break;
		case 3:
			p.made = nudge(p.made, 1, 100);
			p.used = nudge(p.used, 1, 100);
			break;
		default:
			change_side(v, &p.side[draw(2)]);
		}
	return p;
}

static pim_spaces *make_side(const odd_side *s, int64_t rows, int64_t kernel, pim_arena *a)
{
	int64_t size[AXES] = {1, rows, kernel}, tile[AXES] = {1, 1, kernel};
	int64_t rest = rows;
	pim_loop loop[2 + 2 * MOST_LOOPS];
	int n = 0;
	for (int i = 0; i < 2; i++) {
		int64_t count = i ? s->parts : s->pieces;
		if (count < 2 || rest < count || n < i)
			continue;
		loop[n++] = (pim_loop){P, (int32_t)count, true};
		rest = (rest + count - 1) / count;
	}
	for (int i = 0; i < s->n && rest > 1; i++) {
		int64_t count = s->count[i] < rest ? s->count[i] : rest;
		if (s->between[i] > 1) {
			loop[n++] = (pim_loop){K, (int32_t)s->between[i], false};
			size[K] *= s->between[i];
		}
		loop[n++] = (pim_loop){P, (int32_t)count, false};
		rest = (rest + count - 1) / count;
	}
	tile[P] = rest;
	return pim_spaces_new(AXES, size, tile, result, n, loop, a);
}

/* The least of some runs. */
static double time_finish(const pim_pair *e, int64_t made, int64_t used, int times)
{
	double least = INFINITY;
	for (int i = 0; i < times; i++) {
		int64_t steps = 0;
		double begin = cpu_seconds();
		pim_pair_finish_steps(e, made, used, &steps);
		least = fmin(least, cpu_seconds() - begin);
	}
	return least;
}

static int64_t differs_from_tiles(const pim_pair *e, int64_t made, int64_t used, int64_t finish)
{
	pim_arena *a = pim_arena_new();
	pim_handoff h = pim_handoff_new(e, a);
	bool differs = finish != pim_handoff_finish(&h, e->consumer, made, used);
	pim_arena_free(a);
	return differs;
}

/* Sets the pair's work and seconds; compares small ones with the finish tile by tile. */
static void run_pair(adversary *v, odd_pair *p, int times)
{
	pim_arena *a = pim_arena_new();
	int64_t rows = (p->rows - 1) * p->stride + p->kernel - 2 * p->pad;
	const pim_spaces *producer = make_side(&p->side[0], rows, 1, a);
	const pim_spaces *consumer = make_side(&p->side[1], p->rows, p->kernel, a);
	pim_pair e = {.producer = producer, .consumer = consumer, .n = 1};
	e.dim[0] = (pim_pair_dim){.size = rows,
		.made = {.n = 1, .term = {{P, 1}}},
		.read = {.n = 2, .offset = -p->pad, .term = {{P, p->stride}, {R, 1}}}};
	int64_t fewer = consumer->steps < producer->steps ? consumer->steps : producer->steps;
	int64_t part = fewer / 1000 + 1, made = p->made, used = p->used;
	if (p->steps != STEPS_drawn) {
		made = consumer->steps / part + 1;
		used = producer->steps / part + 1;
	}
	if (p->steps == STEPS_near)
		made = made * (90 + p->made % 20) / 100 + 1;
	p->work = 0;
	int64_t finish = pim_pair_finish_steps(&e, made, used, &p->work);
	p->seconds = time_finish(&e, made, used, times);
	bool small = consumer->steps * consumer->places < 20000 && producer->places < 20000;
	if (small && (p->work > 50 || draw(20) == 0))
		v->differences += differs_from_tiles(&e, made, used, finish);
	pim_arena_free(a);
}

/* Keeps the worst; the best of those kept makes room. */
static void keep_worst(odd_pair *pool, const odd_pair *p)
{
	int least = 0;
	for (int i = 1; i < POOL; i++)
		least = pool[i].work < pool[least].work ? i : least;
	if (p->work > pool[least].work)
		pool[least] = *p;
}

static void print_side(const odd_side *s)
{
	if (s->pieces > 1)
		printf(" @%" PRId64, s->pieces);
	if (s->pieces > 1 && s->parts > 1)
		printf(" @%" PRId64, s->parts);
	for (int i = 0; i < s->n; i++)
		printf(" (%" PRId64 ") %" PRId64, s->between[i], s->count[i]);
}

static void print_pair(const odd_pair *p)
{
	static const char *const names[STEPS_COUNT] = {"drawn", "level", "nearly level"};
	printf("%" PRId64 " rows, stride %" PRId64 ", kernel %" PRId64 ", steps %s;", p->rows,
		p->stride, p->kernel, names[p->steps]);
	print_side(&p->side[0]);
	printf(" |");
	print_side(&p->side[1]);
	printf(" |\n");
}

static void change_worst(adversary *v, odd_pair *pool)
{
	for (int i = 0; i < CHANGES; i++) {
		odd_pair *from = &pool[draw(POOL)], p = change_pair(v, *from);
		run_pair(v, &p, 1);
		if (p.work >= from->work)
			*from = p;
	}
}

static int64_t run_adversary(int64_t most_pieces, int64_t most_parts)
{
	adversary v = {most_pieces, most_parts, 0};
	odd_pair pool[POOL] = {0};
	double sum = 0, slowest = 0;
	int64_t work = 0;
	int worst = 0;
	for (int i = 0; i < RANDOM_PAIRS; i++) {
		odd_pair p = draw_pair(&v);
		run_pair(&v, &p, 3);
		sum += p.seconds;
		work += p.work;
		keep_worst(pool, &p);
	}
	int64_t drawn = 0;
	for (int i = 0; i < POOL; i++)
		drawn = pool[i].work > drawn ? pool[i].work : drawn;
	change_worst(&v, pool);
	for (int i = 0; i < POOL; i++) {
		run_pair(&v, &pool[i], 100);
		slowest = fmax(slowest, pool[i].seconds);
		worst = pool[i].work > pool[worst].work ? i : worst;
	}
	printf("| %" PRId64 " x %" PRId64 " | %.2f us | %.1f | %" PRId64 " | %" PRId64 " | %.2f us | ",
		most_pieces, most_parts, sum / RANDOM_PAIRS * 1e6, (double)work / RANDOM_PAIRS, drawn,
		pool[worst].work, slowest * 1e6);
	print_pair(&pool[worst]);
	fflush(stdout);
	return v.differences;
}

static int64_t run_adversaries(void)
{
	static const int64_t most[][2] = {{1, 1}, {2, 1}, {32, 1}, {30, 30}, {256, 1}, {1000, 1}};
	int64_t differences = 0;
	printf("| places along the axis, at most | mean | mean work | worst work of %d | after %d "
		   "changes | the slowest then | its loops, others between them in brackets |\n"
		   "| --: | --: | --: | --: | --: | --: | --- |\n",
		RANDOM_PAIRS, CHANGES);
	for (size_t i = 0; i < sizeof most / sizeof *most; i++)
		differences += run_adversary(most[i][0], most[i][1]);
	return differences;
}

/* ---- groups ---- */

enum { GROUP_PAIRS = 60000 };
static const group_lengths lengths = {2, 32, 8, 16, 4096, 4};

typedef struct tally {
	int pairs, slow;
	double sum, worst;
} tally;

static int64_t time_group_pair(tally *stairs, tally *records)
{
	pim_arena *a = pim_arena_new();
	int64_t groups = 1 + draw(1 + draw(128)), channels = 2 + draw(31), all = groups * channels;
	const pim_spaces *producer = random_groups(groups, channels, draw(2), &lengths, a);
	const pim_spaces *consumer = random_groups(all, 1, true, &lengths, a);
	pim_pair e = {.producer = producer, .consumer = consumer, .n = 1};
	e.dim[0] = (pim_pair_dim){.size = all,
		.made = {.n = 2, .term = {{GROUP, channels}, {CHANNEL, 1}}},
		.read = {.n = 1, .term = {{GROUP, 1}}}};
	bool level = draw(2);
	int64_t made = level ? consumer->steps : 1 + draw(100);
	int64_t used = level ? producer->steps : 1 + draw(100), best, steps = 0;
	tally *y = pim_pair_search_stairs(&e, 0, made, used, &best, &steps) ? stairs : records;
	double seconds = time_finish(&e, made, used, 3);
	y->pairs++;
	y->sum += seconds;
	y->worst = fmax(y->worst, seconds);
	y->slow += seconds >= 10e-6;
	int64_t finish = pim_pair_finish(&e, made, used), differences = 0;
	if (consumer->steps * consumer->places < 20000)
		differences = differs_from_tiles(&e, made, used, finish);
	pim_arena_free(a);
	return differences;
}

static int64_t time_groups(void)
{
	tally y[2] = {0};
	int64_t differences = 0;
	static const char *const names[] = {"stairs", "records"};
	for (int i = 0; i < GROUP_PAIRS; i++)
		differences += time_group_pair(&y[0], &y[1]);
	printf("\n| groups, by | pairs | mean | worst | 10 us or more |\n"
		   "| --- | --: | --: | --: | --: |\n");
	for (int i = 0; i < 2; i++)
		printf("| %s | %d | %.2f us | %.2f us | %d |\n", names[i], y[i].pairs,
			y[i].sum / y[i].pairs * 1e6, y[i].worst * 1e6, y[i].slow);
	return differences;
}

int main(void)
{
	int64_t differences = run_adversaries();
	differences += time_groups();
	printf("differences: %" PRId64 "\n", differences);
	return differences != 0;
}
