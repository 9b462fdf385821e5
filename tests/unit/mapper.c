/* SPDX-License-Identifier: Apache-2.0 */
/* mapper - the search for mappings of networks against exhaustive twins, on random small ones.
 *
 * Ready steps against all places and steps of both ops; runs against places that run on their own;
 * plans of the beam with unlimited width against all combinations of choices; bounds below what is
 * found; the papers' strategies never better; any number of threads alike. */
#include "passes/mapper.h"

#include <math.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/draw.h"
#include "tests/unit/small_networks.h"

/* ---- ready steps and runs ---- */

/* The ready step of one data space, by every place and step of the producer; -1: needs nothing. */
static int64_t ready_exactly(const pim_mapper *m, const pim_mapper_group *g,
	const pim_mapper_edge *e, const pim_mapper_choice *c, const pim_mapper_choice *p, int64_t place,
	int64_t step)
{
	pim_box axes, box, made;
	if (!pim_spaces_box(c->spaces, place, step, &axes) || !pim_mapper_trace(g, e, &axes, &box))
		return 0;
	pim_axes_cover(m->group[e->from].axes, &box, &made);
	return pim_spaces_ready_exhaustive(p->spaces, &made);
}

/* The piece of the value in which what a space reads ends; -1: it reads nothing. */
static int64_t last_piece(const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_choice *p, int64_t place, int64_t step)
{
	const pim_node *value = e->reader->in[e->input];
	pim_layout l = pim_mapper_layout_of(m, m->group[e->from].leader, &p->layout, value);
	pim_box axes, box;
	if (!pim_spaces_box(c->spaces, place, step, &axes) || !pim_mapper_trace(g, e, &axes, &box))
		return -1;
	for (int64_t s = 0; s < pim_layout_slices(&l) / l.copies; s++) {
		pim_box piece = pim_layout_box(&l, value->type, s, NULL);
		bool in = true;
		for (int d = 0; d < box.n; d++)
			in = in && piece.lo[d] < box.hi[d] && box.hi[d] <= piece.hi[d];
		if (in)
			return s;
	}
	return -1;
}

/* Are these the lanes of a place: steps that end in one piece, and as many as there are? */
static bool are_lanes_of(const pim_mapper_lanes *l, int64_t steps, const int64_t *piece)
{
	for (int64_t i = 0; i < steps; i++) {
		int64_t alike = 0;
		for (int64_t j = 0; j < steps; j++) {
			alike += piece[j] == piece[i];
			if (l->n && (piece[j] == piece[i]) != (l->of_step[j] == l->of_step[i]))
				return false;
			if (!l->n && piece[i] >= 0 && piece[j] >= 0 && piece[j] != piece[i])
				return false;
		}
		if (l->n && piece[i] >= 0 && l->steps[l->of_step[i]] != alike)
			return false;
	}
	return true;
}

/* Some place has these lanes. Returns how many they are. */
static int check_lanes(const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_choice *p, const pim_mapper_lanes *l)
{
	bool found = false;
	if (e->whole || e->n_way || c->steps == 1) {
		CHECK(l->n == 0);
		return 0;
	}
	int64_t *piece = PIM_NEW(m->arena, int64_t, c->steps);
	for (int64_t place = 0; place < c->spaces->places && !found; place++) {
		for (int64_t j = 0; j < c->steps; j++)
			piece[j] = last_piece(m, g, e, c, p, place, j);
		found = are_lanes_of(l, c->steps, piece);
	}
	CHECK(found);
	return l->n;
}

/* In how many parts a producer's messages come that runs beside its reader. */
static int64_t parts_of(const pim_mapper *m, const pim_mapper_need *need, double free)
{
	const pim_mapper_run *p = need->of;
	double time = need->move + (p->end > free ? p->end - p->begin : 0), parts = 1;
	double each = (double)(m->target->memory.latency + m->target->command_cycles);
	while ((parts + 1) * (parts + 1) * fmax(each, 1) <= time && parts < (double)p->choice->parts)
		parts++;
	return (int64_t)parts;
}

/* When the message with what a step reads has come: `nth` of the lane's steps, from 0. */
static double come(const pim_mapper_need *need, int64_t parts, int64_t nth, int64_t all, double at)
{
	parts = parts < all ? parts : all;
	return at + (nth * parts / all > (nth - 1) * parts / all || nth == 0
						? need->move / (double)parts
						: 0);
}

/* done of the group when every place runs on its own, each waiting for its own spaces only. */
static void run_places(const pim_mapper *m, int i, const pim_mapper_choice *c,
	const pim_mapper_choice *const *chosen, const pim_mapper_need *need, double free, double *own)
{
	const pim_mapper_group *g = &m->group[i];
	double lag = 0;
	for (int k = 0; k < g->n_edges; k++)
		lag += need[k].move / (double)c->steps;
	for (int64_t j = 0; j <= c->steps; j++)
		own[j] = 0;
	for (int64_t place = 0; place < c->spaces->places; place++) {
		double now = free, arrived = free, lane[16][64] = {{0}};
		int64_t served[16][64] = {{0}};
		for (int64_t j = 0; j < c->steps; j++) {
			double latest = free;
			for (int k = 0; k < g->n_edges; k++) {
				int64_t ready =
					ready_exactly(m, g, &g->edge[k], c, chosen[g->edge[k].from], place, j);
				const pim_mapper_lanes *l = need[k].lanes;
				int at = l->n ? l->of_step[j] : 0;
				arrived = fmax(arrived, need[k].of->done[ready]);
				if (at < 0)
					continue;
				CHECK(at < 64);
				lane[k][at] = come(&need[k], parts_of(m, &need[k], free), served[k][at]++,
					l->n ? l->steps[at] : c->steps,
					fmax(free, fmax(lane[k][at], need[k].of->done[ready])));
				latest = fmax(latest, lane[k][at]);
			}
			arrived += lag;
			now = fmax(now, fmax(arrived, latest)) + c->step;
			own[j + 1] = fmax(own[j + 1], now);
		}
	}
}

static int64_t check_runs(int64_t *lanes)
{
	net n =
		make_net(6, draw_in(0, 1) ? PIM_FOLLOWERS_share : PIM_FOLLOWERS_own, PIM_MAPPER_overlap);
	pim_mapper *m = n.m;
	pim_arena *a = m->arena;
	const pim_mapper_choice **chosen = PIM_NEW(a, const pim_mapper_choice *, m->n);
	pim_mapper_run *run = PIM_NEW(a, pim_mapper_run, m->n);
	int64_t compared = 0;
	for (int i = 0; i < m->n; i++) {
		const pim_mapper_group *g = &m->group[i];
		const pim_mapper_choice *c = chosen[i] = &g->choice[draw_in(0, g->n_choices - 1)];
		pim_mapper_need need[16];
		double free = draw_in(0, 100);
		for (int k = 0; k < g->n_edges; k++) {
			int from = g->edge[k].from;
			int32_t *ready = PIM_NEW(a, int32_t, c->steps);
			pim_mapper_ready(m, g, &g->edge[k], c, &m->group[from], chosen[from], ready);
			for (int64_t j = 0; j < c->steps; j++) {
				int64_t exact = 0;
				for (int64_t place = 0; place < c->spaces->places; place++) {
					int64_t one = ready_exactly(m, g, &g->edge[k], c, chosen[from], place, j);
					exact = one > exact ? one : exact;
				}
				CHECK(ready[j] == exact);
				compared++;
			}
			pim_mapper_move move =
				pim_mapper_move_of(m, &g->edge[k], c, &m->group[from], chosen[from]);
			need[k] = (pim_mapper_need){.ready = ready, .of = &run[from], .move = move.cycles};
			pim_mapper_lanes *l = PIM_NEW(a, pim_mapper_lanes, 1);
			l->of_step = PIM_NEW(a, int32_t, c->steps);
			l->steps = PIM_NEW(a, int32_t, c->steps);
			pim_mapper_find_lanes(m, g, &g->edge[k], c, &m->group[from], chosen[from], l);
			need[k].lanes = l;
			*lanes += check_lanes(m, g, &g->edge[k], c, chosen[from], l);
		}
		run[i].done = PIM_NEW(a, double, c->steps + 1);
		pim_mapper_run_choice(m, c, PIM_MAPPER_overlap, g->n_edges, need, free, a, &run[i]);
		double *own = PIM_NEW(a, double, c->steps + 1);
		run_places(m, i, c, chosen, need, fmax(free, c->fetch), own);
		for (int64_t j = 1; j <= c->steps; j++)
			CHECK(fabs(own[j] - run[i].done[j]) <= 1e-9 * own[j]);
	}
	pim_context_free(n.c);
	return compared;
}

/* ---- plans ---- */

typedef struct twin {
	const pim_mapper *m;
	pim_mapper_search s;
	pim_mapper_plan *plan;
	double best;
	long plans;
} twin;

static void try_all(twin *w, int i)
{
	if (i == w->m->n) {
		pim_mapper_evaluate(w->m, w->s.mode, w->plan);
		w->best = fmin(w->best, pim_mapper_value(w->s.objective, w->plan->latency, w->plan->pj));
		w->plans++;
		return;
	}
	for (int c = 0; c < w->m->group[i].n_choices; c++) {
		w->plan->choice[i] = &w->m->group[i].choice[c];
		try_all(w, i + 1);
	}
}

static double search(const pim_mapper *m, pim_mapper_search *s, pim_mapper_plan *p)
{
	pim_mapper_beam(m, s, p);
	return pim_mapper_value(s->objective, p->latency, p->pj);
}

static bool same_plan(const pim_mapper *m, const pim_mapper_plan *p, const pim_mapper_plan *q)
{
	return !memcmp(p->choice, q->choice, sizeof *p->choice * (size_t)m->n) &&
		   p->latency == q->latency && p->pj == q->pj;
}

static long check_plans(void)
{
	pim_mapper_mode mode = (pim_mapper_mode)draw_in(0, PIM_MAPPER_transform);
	net n = make_net(mode == PIM_MAPPER_transform ? 3 : 5, PIM_FOLLOWERS_share, mode);
	pim_mapper *m = n.m;
	twin w = {.m = m, .plan = pim_mapper_plan_new(m, m->arena), .best = INFINITY};
	w.s = (pim_mapper_search){.mode = mode,
		.objective = (pim_mapper_objective)draw_in(0, PIM_OBJECTIVE_COUNT - 1),
		.threads = 1,
		.deadline = INFINITY};
	try_all(&w, 0);
	pim_mapper_plan *wide = pim_mapper_plan_new(m, m->arena);
	double best = search(m, &w.s, wide);
	CHECK(w.s.complete && fabs(best - w.best) <= 1e-9 * w.best);
	CHECK(pim_mapper_bound(m, &w.s) <= w.best * (1 + 1e-9));
	pim_mapper_plan *again = pim_mapper_plan_new(m, m->arena);
	w.s.threads = 3;
	CHECK(search(m, &w.s, again) == best && same_plan(m, wide, again));
	w.s.width = draw_in(1, 4);
	pim_mapper_plan *one = pim_mapper_plan_new(m, m->arena),
					*three = pim_mapper_plan_new(m, m->arena);
	double narrow = search(m, &w.s, three);
	w.s.threads = 1;
	CHECK(search(m, &w.s, one) == narrow && same_plan(m, one, three));
	CHECK(narrow >= w.best * (1 - 1e-9));
	for (int k = 0; k < PIM_STRATEGY_beam; k++) {
		pim_mapper_plan *greedy = pim_mapper_plan_new(m, m->arena);
		pim_mapper_greedy(m, &w.s, (pim_mapper_strategy)k, greedy);
		double value = pim_mapper_value(w.s.objective, greedy->latency, greedy->pj);
		CHECK(value >= w.best * (1 - 1e-9) && isfinite(value));
		CHECK(search(m, &w.s, greedy) <= value);
	}
	pim_context_free(n.c);
	return w.plans;
}

/* ---- shares ---- */

static double longest(const pim_mapper *m, const int *shares)
{
	double most = 0;
	for (int i = 0; i < m->n; i++)
		most = fmax(most, m->group[i].work / shares[i]);
	return most;
}

static double best_shares(const pim_mapper *m, int *shares, int i, int left)
{
	double best = INFINITY;
	if (i == m->n)
		return longest(m, shares);
	for (shares[i] = 1; shares[i] <= left - (m->n - i - 1); shares[i]++)
		best = fmin(best, best_shares(m, shares, i + 1, left - shares[i]));
	return best;
}

static void check_shares(void)
{
	net n = make_net(2, PIM_FOLLOWERS_own, PIM_MAPPER_overlap);
	int shares[16] = {0}, twin_shares[16] = {0}, sum = 0, first[17];
	if (n.m->n <= n.m->units) {
		pim_mapper_fill_shares(n.m, 0, n.m->n, shares);
		for (int i = 0; i < n.m->n; i++)
			sum += shares[i];
		CHECK(sum == n.m->units);
		CHECK(longest(n.m, shares) == best_shares(n.m, twin_shares, 0, n.m->units));
	}
	for (int k = 1; k <= n.m->n; k++) {
		pim_mapper_segment(n.m, k, first);
		CHECK(first[0] == 0 && first[k] == n.m->n);
		for (int i = 0; i < k; i++)
			CHECK(first[i] < first[i + 1]);
	}
	pim_context_free(n.c);
}

/* The least and the most that choices of group i hold of constants. */
static int64_t find_constants(const net *n, int i, int64_t *most)
{
	int64_t least = INT64_MAX;
	*most = 0;
	for (int k = 0; k < n->m->group[i].n_choices; k++) {
		int64_t bytes = pim_mapper_mean_constants(n->m, &n->m->group[i].choice[k]);
		least = bytes < least ? bytes : least;
		*most = bytes > *most ? bytes : *most;
	}
	return least;
}

/* A group that is to hold no more constants than some choice does is offered none with more; how
 * many groups had one before. */
static int check_limit(void)
{
	net n = make_net(4, PIM_FOLLOWERS_own, PIM_MAPPER_overlap);
	int limited = 0;
	for (int i = 0; i < n.m->n; i++) {
		int64_t before, now, least = find_constants(&n, i, &before);
		int units = n.m->group[i].choice[0].share;
		pim_mapper_offer o = {
			.n_units = 1, .units = &units, .budget = 4, .most = INT64_MAX, .most_constants = least};
		pim_mapper_choose(n.m, i, &o);
		CHECK(n.m->group[i].n_choices > 0);
		find_constants(&n, i, &now);
		CHECK(now <= least);
		limited += before > least;
	}
	pim_context_free(n.c);
	return limited;
}

/* ---- ends ---- */

/* The second product reads the first rows only: it may be complete long before the first one, and
 * still ends with it, as times of a schedule must. Returns how often it was complete before. */
static int check_ends(void)
{
	static const char text[] =
		"module {\n  graph @main(%x: f32[24,8]) {\n    %w = constant {absent = 1} : f32[8,8]\n"
		"    %a = matmul %x, %w : f32[24,8]\n"
		"    %h = slice %a {starts = [0, 0], sizes = [2, 8]} : f32[2,8]\n"
		"    %b = matmul %h, %w : f32[2,8]\n    return %b\n  }\n}\n";
	pim_context *c = pim_context_new();
	pim_module *module = pim_module_parse(c, "rows", text, sizeof text - 1);
	CHECK(module != NULL);
	if (!module)
		return 0;
	pim_arena *a = module->arena;
	pim_mapper *m = pim_mapper_new(module->graphs[0], random_machine(a), PIM_FOLLOWERS_share, a);
	int before = 0;
	for (int i = 0; i < m->n; i++) {
		pim_mapper_offer o = {.n_units = 1,
			.units = &m->units,
			.budget = 12,
			.most = INT64_MAX,
			.most_constants = INT64_MAX};
		CHECK(pim_mapper_choose(m, i, &o) > 0);
	}
	pim_mapper_find_tails(m);
	for (int k = 0; k < m->group[0].n_choices; k++) {
		pim_mapper_plan *p = pim_mapper_plan_new(m, a);
		p->choice[0] = &m->group[0].choice[k];
		p->choice[1] = &m->group[1].choice[0];
		pim_mapper_run run[2] = {{.done = PIM_NEW(a, double, p->choice[0]->steps + 1)},
			{.done = PIM_NEW(a, double, p->choice[1]->steps + 1)}};
		double bytes = 0;
		pim_mapper_run_choice(
			m, p->choice[0], PIM_MAPPER_overlap, 0, NULL, p->choice[0]->fetch, a, &run[0]);
		pim_mapper_need need = pim_mapper_need_of(m, &m->group[1], &m->group[1].edge[0],
			p->choice[1], &run[0], PIM_MAPPER_overlap, &bytes);
		pim_mapper_run_choice(m, p->choice[1], PIM_MAPPER_overlap, 1, &need, 0, a, &run[1]);
		CHECK(run[1].end >= run[0].end);
		before += run[1].done[p->choice[1]->steps] < run[0].end;
	}
	pim_context_free(c);
	return before;
}

int main(void)
{
	draw_state = 11;
	int64_t compared = 0, lanes = 0;
	long plans = 0;
	for (int k = 0; k < 700; k++)
		compared += check_runs(&lanes);
	for (int k = 0; k < 60; k++)
		plans += check_plans();
	for (int k = 0; k < 40; k++)
		check_shares();
	int before = 0;
	for (int k = 0; k < 40; k++)
		before += check_ends();
	CHECK(before > 20);
	int limited = 0;
	for (int k = 0; k < 40; k++)
		limited += check_limit();
	CHECK(compared > 8000 && lanes > 100 && plans > 3000 && limited > 0);
	printf(
		"%lld ready steps, %lld lanes, %ld plans\n", (long long)compared, (long long)lanes, plans);
	return check_failures != 0;
}
