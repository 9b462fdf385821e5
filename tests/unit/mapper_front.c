/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_front - fronts of latency and energy against all combinations of choices.
 *
 * What stays of random points against every pair of them; on random small networks the beam without
 * a limit against the front of all plans, a narrow one by the area it reaches of that, and any
 * number of threads alike. */
#include "passes/mapper.h"

#include <math.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/draw.h"
#include "tests/unit/small_networks.h"

/* ---- points ---- */

static bool is_beaten(int n, const pim_point *p, int i)
{
	for (int k = 0; k < n; k++) {
		bool equal = p[k].cycles == p[i].cycles && p[k].pj == p[i].pj;
		if (p[k].cycles <= p[i].cycles && p[k].pj <= p[i].pj && (!equal || k < i))
			return true;
	}
	return false;
}

/* The area by unit squares. */
static int64_t count_squares(int n, const pim_point *p, int side)
{
	int64_t squares = 0;
	for (int x = 0; x < side; x++)
		for (int y = 0; y < side; y++) {
			bool in = false;
			for (int k = 0; k < n; k++)
				in = in || (p[k].cycles <= x && p[k].pj <= y);
			squares += in;
		}
	return squares;
}

static void check_points(void)
{
	enum { SIDE = 12 };
	pim_point p[20], few[20];
	int n = draw_in(1, 20), chosen[20], front = 0;
	pim_arena *a = pim_arena_new();
	for (int i = 0; i < n; i++)
		p[i] = (pim_point){draw_in(0, SIDE - 1), draw_in(0, SIDE - 1), NULL};
	int all = pim_front_choose(n, p, n, chosen, a);
	for (int i = 0; i < n; i++)
		front += !is_beaten(n, p, i);
	CHECK(all == front);
	for (int k = 0; k < all; k++) {
		CHECK(!is_beaten(n, p, chosen[k]));
		CHECK(k == 0 || p[chosen[k - 1]].cycles < p[chosen[k]].cycles);
	}
	CHECK(pim_front_area(n, p, SIDE, SIDE, a) == (double)count_squares(n, p, SIDE));
	pim_point first = p[chosen[0]], last = p[chosen[all - 1]];
	int most = draw_in(1, 20), kept = pim_front_choose(n, p, most, chosen, a);
	CHECK(kept == (most < all ? most : all));
	for (int k = 0; k < kept; k++) {
		CHECK(!is_beaten(n, p, chosen[k]));
		few[k] = p[chosen[k]];
	}
	if (most > 1)
		CHECK(few[0].cycles == first.cycles && few[kept - 1].pj == last.pj);
	pim_arena_free(a);
}

/* ---- plans ---- */

typedef struct twin {
	const pim_mapper *m;
	pim_mapper_mode mode;
	pim_mapper_plan *plan;
	pim_mapper_front front;
	long plans;
} twin;

static void try_all(twin *w, int i)
{
	if (i == w->m->n) {
		pim_mapper_evaluate(w->m, w->mode, w->plan);
		pim_mapper_front_add(w->m, &w->front, w->plan, "");
		w->plans++;
		return;
	}
	for (int c = 0; c < w->m->group[i].n_choices; c++) {
		w->plan->choice[i] = &w->m->group[i].choice[c];
		try_all(w, i + 1);
	}
}

/* Of the area between the exact front and its worst in each respect, doubled. */
static double reached(const twin *w, pim_mapper_front *f)
{
	pim_arena *a = pim_arena_new();
	pim_point *exact = pim_mapper_front_sort(w->m, (pim_mapper_front *)&w->front);
	double cycles = 2 * exact[w->front.n - 1].cycles, pj = 2 * exact[0].pj;
	double have = pim_front_area(f->n, pim_mapper_front_sort(w->m, f), cycles, pj, a);
	double all = pim_front_area(w->front.n, exact, cycles, pj, a);
	pim_arena_free(a);
	return have / all;
}

static bool same_front(const twin *w, pim_mapper_front *f, pim_mapper_front *g)
{
	const pim_point *p = pim_mapper_front_sort(w->m, f), *q = pim_mapper_front_sort(w->m, g);
	bool same = f->n == g->n;
	for (int k = 0; same && k < f->n; k++)
		same = p[k].cycles == q[k].cycles && p[k].pj == q[k].pj &&
			   !memcmp(f->found[k].choice, g->found[k].choice, sizeof(void *) * (size_t)w->m->n);
	return same;
}

enum { WIDTHS = 2 };
static const int width_of[WIDTHS] = {8, 24};

typedef struct totals {
	long networks, plans, points;
	double least[WIDTHS], sum[WIDTHS]; /* of the parts of the area that a width reaches */
} totals;

/* Choices from one unit to all, by cycles and by energy. */
static void offer_more(pim_mapper *m, pim_mapper_mode mode)
{
	int units[] = {1, (m->units + 1) / 2, m->units};
	for (int i = 0; i < m->n; i++) {
		pim_mapper_offer o = {.n_units = 3,
			.units = units,
			.budget = mode == PIM_MAPPER_transform ? 2 : 5,
			.seed = 1,
			.mode = mode,
			.frugal = mode == PIM_MAPPER_transform ? 1 : 4};
		CHECK(pim_mapper_choose(m, i, &o) > 0);
	}
	pim_mapper_find_tails(m);
}

static void check_front(totals *t)
{
	pim_mapper_mode mode = (pim_mapper_mode)draw_in(0, PIM_MAPPER_transform);
	net n = make_net(1, PIM_FOLLOWERS_share, mode);
	((pim_target *)n.m->target)->static_w = 1e-4;
	offer_more(n.m, mode);
	twin w = {.m = n.m, .mode = mode, .plan = pim_mapper_plan_new(n.m, n.m->arena)};
	try_all(&w, 0);
	pim_mapper_search s = {.mode = mode, .threads = 1, .deadline = INFINITY};
	pim_mapper_front wide = {0}, again = {0};
	pim_mapper_beam_front(w.m, &s, &wide);
	CHECK(s.complete && fabs(reached(&w, &wide) - 1) < 1e-9);
	s.threads = 3;
	pim_mapper_beam_front(w.m, &s, &again);
	CHECK(same_front(&w, &wide, &again));
	for (int k = 0; k < WIDTHS; k++) {
		pim_mapper_front one = {0}, three = {0};
		s.width = width_of[k];
		s.threads = 3;
		pim_mapper_beam_front(w.m, &s, &three);
		s.threads = 1;
		pim_mapper_beam_front(w.m, &s, &one);
		CHECK(same_front(&w, &one, &three));
		double part = reached(&w, &one);
		CHECK(part <= 1 + 1e-9);
		t->least[k] = fmin(t->least[k], part);
		t->sum[k] += part;
	}
	t->networks++;
	t->plans += w.plans;
	t->points += w.front.n;
	pim_context_free(n.c);
}

int main(void)
{
	draw_state = 5;
	for (int k = 0; k < 2000; k++)
		check_points();
	totals t = {.least = {1, 1}};
	for (int k = 0; k < 80; k++)
		check_front(&t);
	printf("%ld networks, %ld plans, %ld points of exact fronts\n", t.networks, t.plans, t.points);
	for (int k = 0; k < WIDTHS; k++)
		printf("a beam of %d reaches %.2f %% of their area, at least %.2f %%\n", width_of[k],
			100 * t.sum[k] / (double)t.networks, 100 * t.least[k]);
	CHECK(t.points > 4 * t.networks);
	CHECK(t.sum[0] > 0.985 * (double)t.networks && t.least[0] > 0.8);
	CHECK(t.sum[1] > 0.998 * (double)t.networks && t.least[1] > 0.97);
	return check_failures != 0;
}
