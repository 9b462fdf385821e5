/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of loop-nest mappings on random small problems: the closed form against the walk over the
 * rounds that count, and both against a walk over every single round where tiles are equal or
 * apart.
 */
#include <string.h>

#include "targets/timeloop_flow.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { LEVELS = 3, DIMS = 4, TENSORS = 3 };

typedef struct sample {
	timeloop_problem problem;
	timeloop_arch arch;
	timeloop_mapping mapping;
	timeloop_row row;
} sample;

static void draw_tensor(timeloop_tensor *t, bool windows)
{
	*t = (timeloop_tensor){.name = "T", .ranks = 1 + draw(3)};
	for (int r = 0; r < t->ranks; r++) {
		int terms = windows ? 1 + draw(2) : 1;
		for (int i = 0; i < terms; i++)
			t->coefficient[r][draw(DIMS)] = 1 + draw(3) * draw(2);
	}
}

static void shuffle(int *v, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int j = draw(i + 1), k = v[i];
		v[i] = v[j];
		v[j] = k;
	}
}

/* imperfect: some last rounds are shorter, by chance down to `imperfect`; 0: none is. */
static void draw_nest(timeloop_nest *nest, bool spatial, int imperfect, int *left)
{
	int order[DIMS];
	for (int d = 0; d < DIMS; d++)
		order[d] = d;
	shuffle(order, DIMS);
	*nest = (timeloop_nest){0};
	for (int i = 0; i < DIMS; i++) {
		int64_t count = draw(3) ? 1 : 2 + draw(3);
		if (count > *left)
			continue;
		if (count > 1) {
			*left /= (int)count;
			nest->along_x += spatial && draw(2) && nest->along_x == nest->n;
			int64_t last = count;
			if (imperfect && count > imperfect && !draw(3))
				last -= draw((int)count - imperfect + 1);
			nest->loop[nest->n++] = (timeloop_loop){order[i], count, last};
		}
	}
}

static sample draw_sample(bool windows, int imperfect)
{
	sample s = {.problem = {.dims = DIMS, .tensors = TENSORS}, .arch = {.levels = LEVELS}};
	int rounds = 256, units = 32;
	for (int t = 0; t < TENSORS; t++)
		draw_tensor(&s.problem.tensor[t], windows);
	s.problem.tensor[TENSORS - 1].output = true;
	for (int level = 0; level < LEVELS; level++) {
		draw_nest(&s.mapping.space[level], true, imperfect, &units);
		draw_nest(&s.mapping.time[level], false, imperfect, &rounds);
		for (int t = 0; t < TENSORS; t++)
			s.mapping.keep[level][t] = level == LEVELS - 1 || draw(4);
	}
	pim_timeloop_row(&s.problem, &s.mapping, LEVELS, &s.row);
	return s;
}

static timeloop_place draw_place(void)
{
	timeloop_place at = {.mesh = {1 + draw(6), 1 + draw(6)}};
	at.limits = (timeloop_limits){!draw(4), !draw(4), !draw(4)};
	return at;
}

/* ---- every round of every loop, one by one; no move is a special one ---- */

typedef struct twin {
	const sample *s;
	const timeloop_tensor *tensor;
	int level, n, loop[TIMELOOP_LOOPS];
	int64_t index[TIMELOOP_LOOPS];
	int64_t place[TIMELOOP_RANKS], last[TIMELOOP_RANKS];
	bool any;
	double delivered;
} twin;

static void find_place(const twin *w, int64_t *place)
{
	for (int r = 0; r < w->tensor->ranks; r++) {
		place[r] = 0;
		for (int i = 0; i < w->s->row.n; i++)
			place[r] += w->tensor->coefficient[r][w->s->row.loop[i].dim] * w->s->row.stride[i] *
						w->index[i];
	}
}

static int64_t find_tile(const twin *w)
{
	int64_t extent[DIMS];
	for (int d = 0; d < DIMS; d++)
		extent[d] = 1;
	for (int i = 0; i < w->s->row.space[w->level]; i++)
		extent[w->s->row.loop[i].dim] *= w->s->row.loop[i].count;
	return pim_timeloop_words(w->tensor, DIMS, extent);
}

static void walk_all(twin *w, int depth)
{
	if (depth >= 0) {
		for (int64_t i = 0; i < w->s->row.loop[w->loop[depth]].count; i++) {
			w->index[w->loop[depth]] = i;
			walk_all(w, depth - 1);
		}
		return;
	}
	find_place(w, w->place);
	bool stays = w->any && w->level && !memcmp(w->place, w->last, sizeof w->place);
	w->delivered += stays ? 0 : (double)find_tile(w);
	memcpy(w->last, w->place, sizeof w->place);
	w->any = true;
}

/* Places of the units below: all different ones, counted pair by pair. */
static double count_places(twin *w)
{
	int64_t place[256][TIMELOOP_RANKS];
	int n = 0, different = 0;
	const timeloop_row *row = &w->s->row;
	int64_t units = pim_timeloop_fanout(row, w->level);
	memset(w->index, 0, sizeof w->index);
	for (int64_t k = 0; k < units; k++, n++) {
		int64_t rest = k;
		for (int i = row->space[w->level]; i < row->time[w->level]; i++) {
			w->index[i] = rest % row->loop[i].count;
			rest /= row->loop[i].count;
		}
		memset(place[n], 0, sizeof place[n]);
		find_place(w, place[n]);
		bool found = false;
		for (int j = 0; j < n; j++)
			found |= !memcmp(place[j], place[n], sizeof place[n]);
		different += !found;
	}
	return different;
}

static twin walk_every_round(const sample *s, int level, int tensor)
{
	twin w = {.s = s, .tensor = &s->problem.tensor[tensor], .level = level};
	for (int l = level; l < LEVELS; l++)
		for (int k = s->row.time[l]; k < s->row.space[l + 1]; k++)
			w.loop[w.n++] = k;
	walk_all(&w, w.n - 1);
	return w;
}

static bool same_flow(const timeloop_flow *a, const timeloop_flow *b)
{
	return a->words == b->words && a->delivered == b->delivered && a->links == b->links &&
		   a->fanout == b->fanout;
}

static void test_closed_form(void)
{
	int linked = 0, halos = 0, limited = 0, again = 0;
	for (int i = 0; i < 10000; i++) {
		sample s = draw_sample(true, 0);
		timeloop_place at = draw_place();
		for (int level = 0; level < LEVELS; level++)
			for (int t = 0; t < TENSORS; t++) {
				timeloop_flow a, b;
				at.level = level;
				pim_timeloop_closed(&s.problem, &s.row, &at, &s.problem.tensor[t], &a);
				pim_timeloop_walk(&s.problem, &s.row, &at, &s.problem.tensor[t], &b);
				CHECK(same_flow(&a, &b));
				linked += a.links > 0;
				limited += at.limits.no_multicast && a.words == a.delivered;
				again += at.limits.no_reuse && a.words > 0;
				twin w = walk_every_round(&s, level, t);
				halos += a.delivered + a.links < w.delivered * (double)a.fanout;
			}
	}
	CHECK(linked > 1000 && halos > 1000 && limited > 1000 && again > 1000);
}

static void test_every_round(void)
{
	for (int i = 0; i < 10000; i++) {
		sample s = draw_sample(false, 0);
		for (int level = 0; level < LEVELS; level++)
			for (int t = 0; t < TENSORS; t++) {
				twin w = walk_every_round(&s, level, t);
				double places = count_places(&w),
					   units = (double)pim_timeloop_fanout(&s.row, level);
				timeloop_flow f;
				const timeloop_place at = {level, {1, 1}, {0}};
				pim_timeloop_closed(&s.problem, &s.row, &at, w.tensor, &f);
				CHECK(f.delivered + f.links == w.delivered * units);
				CHECK(level == 0 || f.words == w.delivered * places);
			}
	}
}

/* ---- imperfect factors ---- */

/* Whether every loop of this dimension from here outwards is in its last round. */
static bool is_last(const twin *w, int from, int dim)
{
	for (int i = from; i < w->s->row.n; i++)
		if (w->s->row.loop[i].dim == dim && w->index[i] + 1 < w->s->row.loop[i].last)
			return false;
	return true;
}

static int64_t find_cut_tile(const twin *w)
{
	int64_t extent[DIMS];
	int base = w->s->row.space[w->level];
	for (int d = 0; d < DIMS; d++) {
		bool last = is_last(w, base, d);
		extent[d] = 1;
		for (int i = 0; i < base; i++) {
			const timeloop_loop *l = &w->s->row.loop[i];
			if (l->dim == d)
				extent[d] += w->s->row.stride[i] * ((last ? l->last : l->count) - 1);
		}
	}
	return pim_timeloop_words(w->tensor, DIMS, extent);
}

static void walk_cut(twin *w, int depth)
{
	if (depth >= 0) {
		const timeloop_loop *l = &w->s->row.loop[w->loop[depth]];
		int64_t n = is_last(w, w->loop[depth] + 1, l->dim) ? l->last : l->count;
		for (int64_t i = 0; i < n; i++) {
			w->index[w->loop[depth]] = i;
			walk_cut(w, depth - 1);
		}
		return;
	}
	find_place(w, w->place);
	bool stays = w->any && w->level && !memcmp(w->place, w->last, sizeof w->place);
	w->delivered += stays ? 0 : (double)find_cut_tile(w);
	memcpy(w->last, w->place, sizeof w->place);
	w->any = true;
}

/* Last rounds of two at least: a loop that shrinks to a single round changes what counts as the
 * innermost loop, and Timeloop then brings a tile that has not moved once more. */
static void test_imperfect(void)
{
	int cut = 0;
	for (int i = 0; i < 3000; i++) {
		sample s = draw_sample(false, 2);
		for (int level = 0; level < LEVELS; level++)
			s.mapping.space[level].n = 0;
		pim_timeloop_row(&s.problem, &s.mapping, LEVELS, &s.row);
		for (int level = 0; s.row.imperfect && level < LEVELS; level++) {
			twin w = {.s = &s, .tensor = &s.problem.tensor[0], .level = level};
			for (int l = level; l < LEVELS; l++)
				for (int k = s.row.time[l]; k < s.row.space[l + 1]; k++)
					w.loop[w.n++] = k;
			walk_cut(&w, w.n - 1);
			timeloop_flow f;
			const timeloop_place at = {level, {1, 1}, {0}};
			pim_timeloop_walk(&s.problem, &s.row, &at, w.tensor, &f);
			CHECK(f.words == w.delivered);
			cut++;
		}
	}
	CHECK(cut > 1000);
}

/* 16 lanes share one memory. Sum over the lanes: a word that stays is handed on between them; no
 * lane in common: each MAC takes it anew. */
static void test_lanes(void)
{
	sample s = {.problem = {.dims = 2, .tensors = 1}, .arch = {.levels = 1}};
	timeloop_tensor *z = &s.problem.tensor[0];
	*z = (timeloop_tensor){.name = "Z", .output = true, .ranks = 1, .coefficient = {{1, 0}}};
	s.mapping.space[0] = (timeloop_nest){.n = 1, .along_x = 1, .loop = {{1, 16, 16}}};
	s.mapping.time[0] = (timeloop_nest){.n = 2, .loop = {{1, 16, 16}, {0, 8, 8}}};
	timeloop_flow f;
	timeloop_place lanes = {0, {16, 1}, {0}};
	pim_timeloop_row(&s.problem, &s.mapping, 1, &s.row);
	pim_timeloop_closed(&s.problem, &s.row, &lanes, z, &f);
	CHECK(f.words == 8 && f.delivered == 8 * 16);
	s.mapping.space[0].loop[0].dim = 0;
	s.mapping.time[0].loop[1].dim = 0;
	pim_timeloop_row(&s.problem, &s.mapping, 1, &s.row);
	pim_timeloop_closed(&s.problem, &s.row, &lanes, z, &f);
	CHECK(f.words == 8 * 16 * 16);
}

int main(void)
{
	draw_state = 88172645463325252u;
	test_closed_form();
	test_every_round();
	test_imperfect();
	test_lanes();
	return check_failures != 0;
}
