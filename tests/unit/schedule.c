/* SPDX-License-Identifier: Apache-2.0 */
/* schedule - rules, search and integer programming against all orders and modes of small regions.
 */
#include "passes/schedule.h"

#include <string.h>
#include <time.h>

#include "passes/ilp.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { MOST = 6, HORIZON = 256 };

static pim_region random_region(int n, int units, int density, pim_arena *a)
{
	pim_region r = {.n = n, .units = units, .task = PIM_NEW(a, pim_task, n)};
	for (int i = 0; i < n; i++) {
		pim_task *t = &r.task[i];
		t->mode = PIM_NEW(a, pim_mode, 2);
		t->mode[t->n_modes++] = (pim_mode){.units = 1 + draw(units), .cycles = 1 + draw(9)};
		if (t->mode[0].units > 1 && draw(4))
			t->mode[t->n_modes++] = (pim_mode){
				.units = 1 + draw(t->mode[0].units - 1), .cycles = t->mode[0].cycles + 1 + draw(8)};
		t->before = PIM_NEW(a, int, n);
		for (int k = 0; k < i; k++)
			if (draw(10) < density)
				t->before[t->n_before++] = k;
	}
	return r;
}

static pim_region copy_region(const pim_region *r, pim_arena *a)
{
	pim_region copy = *r;
	copy.task = PIM_NEW(a, pim_task, r->n);
	memcpy(copy.task, r->task, sizeof *r->task * (size_t)r->n);
	return copy;
}

/* Precedence and units, looked at cycle by cycle. */
static bool is_valid(const pim_region *r)
{
	for (int i = 0; i < r->n; i++)
		for (int k = 0; k < r->task[i].n_before; k++) {
			const pim_task *b = &r->task[r->task[i].before[k]];
			if (b->start + b->mode[b->chosen].cycles > r->task[i].start)
				return false;
		}
	for (int64_t now = 0; now < pim_region_cycles(r); now++) {
		int used = 0;
		for (int i = 0; i < r->n; i++) {
			const pim_task *t = &r->task[i];
			const pim_mode *m = &t->mode[t->chosen];
			used += t->start <= now && now < t->start + m->cycles ? m->units : 0;
		}
		if (used > r->units)
			return false;
	}
	return true;
}

typedef struct search {
	const pim_region *r;
	int used[HORIZON], end[MOST];
	bool placed[MOST];
	int best;
} search;

/* Every order that precedence allows, every mode, each task as early as it then can be. */
static void look_at_all(search *s, int n_placed, int length)
{
	if (length >= s->best)
		return;
	if (n_placed == s->r->n) {
		s->best = length;
		return;
	}
	for (int i = 0; i < s->r->n; i++) {
		const pim_task *t = &s->r->task[i];
		int from = 0;
		bool ready = !s->placed[i];
		for (int k = 0; ready && k < t->n_before; k++) {
			ready = s->placed[t->before[k]];
			from = s->end[t->before[k]] > from ? s->end[t->before[k]] : from;
		}
		for (int m = 0; ready && m < t->n_modes; m++) {
			int start = from, cycles = (int)t->mode[m].cycles, units = t->mode[m].units;
			for (int c = start; c < start + cycles; c++)
				if (s->used[c] + units > s->r->units)
					start = c + 1;
			for (int c = start; c < start + cycles; c++)
				s->used[c] += units;
			s->placed[i] = true;
			s->end[i] = start + cycles;
			look_at_all(s, n_placed + 1, s->end[i] > length ? s->end[i] : length);
			s->placed[i] = false;
			for (int c = start; c < start + cycles; c++)
				s->used[c] -= units;
		}
	}
}

static bool have_solver(void)
{
	pim_ilp *p = pim_ilp_new();
	bool have = pim_ilp_solve(p, 1) != PIM_ILP_none;
	pim_ilp_free(p);
	return have;
}

static void compare_with_all_orders(void)
{
	int improved = 0, list_optimal = 0, regions = 200;
	bool solver = have_solver();
	for (int trial = 0; trial < regions; trial++) {
		pim_arena *a = pim_arena_new();
		pim_region r = random_region(2 + trial % (MOST - 1), 2 + draw(5), draw(5), a);
		search s = {.r = &r, .best = HORIZON};
		look_at_all(&s, 0, 0);
		int64_t bound, list = pim_region_list(&r, &bound), nodes = 0;
		pim_region copy = copy_region(&r, a), listed = copy_region(&r, a);
		CHECK(is_valid(&r) && list == pim_region_cycles(&r));
		CHECK(bound <= s.best && s.best <= list);
		list_optimal += list == s.best;
		bool proved = false;
		int64_t better =
			pim_region_ilp(&r, (pim_region_effort){.seconds = 600}, &nodes, &proved, a);
		CHECK(is_valid(&r) && pim_region_cycles(&r) <= list && better <= s.best);
		CHECK(!solver || (proved && pim_region_cycles(&r) == s.best && better >= s.best - 1));
		improved += pim_region_cycles(&r) < list;
		CHECK(pim_region_search(&copy, (pim_region_effort){.seconds = 600}, &nodes, &proved) ==
			  s.best);
		CHECK(proved && is_valid(&copy) && pim_region_cycles(&copy) == s.best);
		pim_region rough = copy_region(&listed, a);
		bound = pim_region_search(
			&rough, (pim_region_effort){.seconds = 600, .gap = 0.2}, &nodes, &proved);
		CHECK(proved && is_valid(&rough) && bound <= s.best);
		CHECK(
			(double)(pim_region_cycles(&rough) - bound) <= 0.2 * (double)pim_region_cycles(&rough));
		pim_arena_free(a);
	}
	CHECK(!solver || improved == regions - list_optimal);
	CHECK(list_optimal > regions / 2 && list_optimal < regions);
	printf("%d regions: list optimal in %d, improved in %d\n", regions, list_optimal, improved);
}

/* A solver that is stopped at once leaves the list schedule; a large region is searched. */
static void keep_the_list_schedule(void)
{
	pim_arena *a = pim_arena_new();
	for (int trial = 0; trial < 20; trial++) {
		pim_region r = random_region(trial < 10 ? 14 : 40, 5, 1, a);
		int64_t least, list = pim_region_list(&r, &least), nodes = 0;
		bool proved = false;
		CHECK(is_valid(&r) && list == pim_region_cycles(&r) && least <= list);
		int64_t bound = pim_region_ilp(
			&r, (pim_region_effort){.seconds = trial < 5 ? 0 : 0.05}, &nodes, &proved, a);
		CHECK(is_valid(&r) && pim_region_cycles(&r) <= list && bound <= pim_region_cycles(&r));
		bound = pim_region_search(
			&r, (pim_region_effort){.seconds = trial < 5 ? 0 : 0.05}, &nodes, &proved);
		CHECK(is_valid(&r) && pim_region_cycles(&r) <= list && bound <= pim_region_cycles(&r));
		CHECK(bound >= least && proved == (bound == pim_region_cycles(&r)));
	}
	pim_arena_free(a);
}

/* Rounds end a search whose gap stays open, twice in the same way. */
static void end_by_rounds(void)
{
	pim_arena *a = pim_arena_new();
	int open = 0;
	for (int trial = 0; trial < 5; trial++) {
		pim_region r = random_region(40, 5, 1, a);
		int64_t least, nodes = 0;
		bool done = false;
		pim_region_list(&r, &least);
		pim_region again = copy_region(&r, a);
		pim_region_effort two = {.seconds = 1000, .rounds = 2};
		int64_t bound = pim_region_search(&r, two, &nodes, &done);
		CHECK(done && is_valid(&r));
		CHECK(pim_region_search(&again, two, &nodes, &done) == bound && done);
		for (int i = 0; i < r.n; i++)
			CHECK(
				r.task[i].start == again.task[i].start && r.task[i].chosen == again.task[i].chosen);
		open += bound < pim_region_cycles(&r);
	}
	CHECK(open);
	pim_arena_free(a);
}

static void settle_keeps_order(void)
{
	pim_arena *a = pim_arena_new();
	for (int trial = 0; trial < 200; trial++) {
		pim_region r = random_region(2 + draw(20), 4, 2, a);
		int64_t bound, list = pim_region_list(&r, &bound);
		for (int i = 0; i < r.n; i++)
			r.task[i].start *= 3;
		CHECK(pim_region_settle(&r, a) <= list && is_valid(&r) && bound <= list);
	}
	pim_arena_free(a);
}

int main(void)
{
	draw_state = 3;
	compare_with_all_orders();
	keep_the_list_schedule();
	end_by_rounds();
	settle_keeps_order();
	return check_failures != 0;
}
