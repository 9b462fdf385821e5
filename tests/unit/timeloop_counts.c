/* SPDX-License-Identifier: Apache-2.0 */
/* Reads, fills and updates of whole mappings with bypass, against a count that plays every round.
 *
 * Problems whose indices have one dimension each: tiles are equal or apart. For each memory that
 * keeps a tensor the twin plays all rounds of one instance, notes each new tile it gets and all
 * tiles it ever had; what leaves the memory above is that, times the units between the two that
 * hold different tiles. What the compute units take is asked of the closed form, which has twins of
 * its own. */
#include <string.h>

#include "targets/timeloop_flow.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { DIMS = 4, MOST_LEVELS = 4, MOST_TILES = 4096 };

typedef struct sample {
	timeloop_problem problem;
	timeloop_arch arch;
	timeloop_mapping mapping;
	timeloop_row row;
} sample;

/* One dimension for each rank, no dimension twice. */
static void draw_tensor(timeloop_tensor *t, bool output)
{
	int first = draw(DIMS), step = draw(2) ? 1 : 3;
	*t = (timeloop_tensor){.name = "T", .ranks = draw_in(1, 3), .output = output};
	for (int r = 0; r < t->ranks; r++)
		t->coefficient[r][(first + r * step) % DIMS] = 1;
}

static void draw_nest(timeloop_nest *nest, int *left)
{
	int first = draw(DIMS);
	*nest = (timeloop_nest){0};
	for (int i = 0; i < DIMS; i++) {
		int64_t count = draw(2) ? 1 : draw_in(2, 4);
		if (count == 1 || count > *left)
			continue;
		*left /= (int)count;
		nest->loop[nest->n++] = (timeloop_loop){(first + i) % DIMS, count, count};
	}
	nest->along_x = draw(nest->n + 1);
}

/* Each mesh is as wide as the mapping needs it. */
static void set_meshes(sample *s)
{
	timeloop_level *above = NULL;
	for (int level = s->arch.levels - 1; level >= -1; level--) {
		timeloop_level *l = level < 0 ? &s->arch.compute : &s->arch.level[level];
		l->mesh_x = above ? above->mesh_x : 1;
		l->mesh_y = above ? above->mesh_y : 1;
		const timeloop_nest *nest = above ? &s->mapping.space[level + 1] : NULL;
		for (int i = 0; nest && i < nest->n; i++)
			*(i < nest->along_x ? &l->mesh_x : &l->mesh_y) *= nest->loop[i].count;
		l->instances = l->mesh_x * l->mesh_y;
		l->clusters = l->instances;
		l->block = 1;
		l->capacity = -1;
		above = l;
	}
}

static sample draw_sample(void)
{
	sample s = {.problem = {.dims = DIMS, .tensors = draw_in(1, 3), .macs = 1}};
	int rounds = 512, units = 24, levels = draw_in(1, MOST_LEVELS);
	s.arch.levels = levels;
	for (int t = 0; t < s.problem.tensors; t++)
		draw_tensor(&s.problem.tensor[t], draw(2));
	for (int level = 0; level < levels; level++) {
		draw_nest(&s.mapping.space[level], &units);
		draw_nest(&s.mapping.time[level], &rounds);
		for (int t = 0; t < s.problem.tensors; t++)
			s.mapping.keep[level][t] = draw(3);
	}
	for (int t = 0; t < s.problem.tensors; t++)
		s.mapping.keep[draw(levels)][t] = true;
	set_meshes(&s);
	pim_timeloop_row(&s.problem, &s.mapping, levels, &s.row);
	return s;
}

/* ---- one instance of a memory, round by round ---- */

typedef struct player {
	const sample *s;
	const timeloop_tensor *tensor;
	int64_t index[TIMELOOP_LOOPS];
	int64_t last, tiles[MOST_TILES]; /* a tile's place as one number */
	int known;						 /* tiles ever had */
	int64_t news;					 /* tiles that came */
} player;

static int64_t find_place(const player *p)
{
	int64_t place = 0;
	for (int r = 0; r < p->tensor->ranks; r++) {
		int64_t sum = 0;
		for (int i = 0; i < p->s->row.n; i++)
			sum += p->tensor->coefficient[r][p->s->row.loop[i].dim] * p->s->row.stride[i] *
				   p->index[i];
		place = place * 4096 + sum;
	}
	return place;
}

static void note_tile(player *p)
{
	int64_t place = find_place(p);
	if (place == p->last)
		return;
	p->last = place;
	p->news++;
	for (int i = 0; i < p->known; i++)
		if (p->tiles[i] == place)
			return;
	CHECK(p->known < MOST_TILES);
	p->tiles[p->known++] = place;
}

/* Outer loops first; loops over units stay at their first one. */
static void play_from(player *p, int loop, int inside)
{
	if (loop < inside) {
		note_tile(p);
		return;
	}
	const timeloop_row *row = &p->s->row;
	bool units = false;
	for (int level = 0; level < row->levels; level++)
		units |= loop >= row->space[level] && loop < row->time[level];
	for (int64_t i = 0; i < (units ? 1 : row->loop[loop].count); i++) {
		p->index[loop] = i;
		play_from(p, loop - 1, inside);
	}
}

/* ---- the counts ---- */

typedef struct held {
	int64_t words, news, ever; /* of a tile; of all tiles that came; of all different ones */
} held;

static held play_level(const sample *s, const timeloop_tensor *t, int level)
{
	static player p;
	p = (player){.s = s, .tensor = t, .last = -1};
	int64_t extent[DIMS] = {1, 1, 1, 1}, words = 1;
	for (int i = 0; i < s->row.space[level + 1]; i++)
		extent[s->row.loop[i].dim] *= s->row.loop[i].count;
	for (int r = 0; r < t->ranks; r++)
		for (int d = 0; d < DIMS; d++)
			words *= t->coefficient[r][d] ? extent[d] : 1;
	play_from(&p, s->row.n - 1, s->row.space[level + 1]);
	return (held){words, words * p.news, words * p.known};
}

/* Units below a level that hold different tiles. */
static int64_t count_different(const sample *s, const timeloop_tensor *t, int level)
{
	int64_t different = 1;
	for (int i = s->row.space[level]; i < s->row.time[level]; i++)
		for (int r = 0; r < t->ranks; r++)
			if (t->coefficient[r][s->row.loop[i].dim]) {
				different *= s->row.loop[i].count;
				break;
			}
	return different;
}

static void check_tensor(const sample *s, int tensor, const timeloop_result *result)
{
	const timeloop_tensor *t = &s->problem.tensor[tensor];
	timeloop_place at = {0, pim_timeloop_mesh(&s->arch, 0), {0}};
	timeloop_flow compute;
	pim_timeloop_closed(&s->problem, &s->row, &at, t, &compute);
	int64_t leaves = (int64_t)compute.words; /* of all kept levels so far, to the level here */
	int outermost = s->arch.levels - 1;
	while (!s->mapping.keep[outermost][tensor])
		outermost--;
	for (int level = 0; level < s->arch.levels; level++) {
		const timeloop_count *c = &result->count[level][tensor];
		leaves *= level ? count_different(s, t, level) : 1;
		if (!s->mapping.keep[level][tensor]) {
			CHECK(c->reads == 0 && c->fills == 0 && c->updates == 0);
			continue;
		}
		held h = play_level(s, t, level);
		int64_t old = t->output ? h.ever : 0;
		CHECK(c->tile == h.words);
		CHECK(c->reads == leaves - old && c->updates == (t->output ? leaves : 0));
		CHECK(c->fills == (level == outermost ? 0 : h.news - old));
		leaves = h.news;
	}
}

static void test_counts(void)
{
	int passed = 0, kept = 0, outputs = 0;
	static timeloop_result r;
	for (int i = 0; i < 20000; i++) {
		sample s = draw_sample();
		int64_t rounds = 1, units = 1;
		for (int level = 0; level < s.arch.levels; level++) {
			for (int k = s.row.time[level]; k < s.row.space[level + 1]; k++)
				rounds *= s.row.loop[k].count;
			units *= pim_timeloop_fanout(&s.row, level);
			for (int t = 0; t < s.problem.tensors; t++) {
				passed += !s.mapping.keep[level][t];
				kept += s.mapping.keep[level][t];
			}
		}
		r = (timeloop_result){0};
		pim_timeloop_count(&s.problem, &s.arch, &s.mapping, &r);
		CHECK(r.cycles == rounds && r.compute_instances == units);
		for (int t = 0; t < s.problem.tensors; t++) {
			check_tensor(&s, t, &r);
			outputs += s.problem.tensor[t].output;
		}
	}
	CHECK(passed > 10000 && kept > 10000 && outputs > 5000);
}

int main(void)
{
	draw_state = 362436069u;
	test_counts();
	return check_failures != 0;
}
