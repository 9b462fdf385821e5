/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduling engine against enumeration: random small problems, all starts and modes. */
#include "passes/clause_state.h"
#include "passes/scheduling_propagate.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

#include <string.h>

enum { MOST = 6 };

static const pim_scheduling_options PLAIN = {.seconds = 20, .seed = 1};

/* ---- whole problems ---- */

typedef struct drawn {
	pim_scheduling *p;
	int n, modes[MOST];
	int64_t duration[MOST][2];
} drawn;

static drawn draw_problem(int n, int resources, int most_modes, bool machines)
{
	drawn d = {pim_scheduling_new(), n, {0}, {{0}}};
	for (int r = 0; r < resources; r++)
		pim_scheduling_add_resource(d.p, machines ? 1 : draw_in(1, 4));
	for (int i = 0; i < n; i++) {
		pim_scheduling_add_task(d.p, draw_in(0, 4) ? 0 : draw_in(0, 3));
		d.modes[i] = draw_in(1, most_modes);
		for (int m = 0; m < d.modes[i]; m++) {
			int64_t demand[3] = {0};
			for (int r = 0; r < resources && !machines; r++)
				demand[r] = draw_in(0, m ? 2 : 1 + (d.p->capacity[r] > 1));
			if (machines)
				demand[draw_in(0, resources - 1)] = 1;
			d.duration[i][m] = draw_in(0, 8) ? draw_in(1, 3) : 0;
			pim_scheduling_add_mode(d.p, i, d.duration[i][m], resources, demand);
		}
	}
	for (int i = 0; i < n; i++)
		for (int k = i + 1; k < n; k++) {
			int kind = draw_in(0, 9);
			if (kind < 2)
				pim_scheduling_add_precedence(d.p, i, k, kind ? 0 : draw_in(-1, 1));
			else if (kind == 2)
				pim_scheduling_add_delay(d.p, i, k, draw_in(-1, 2));
		}
	return d;
}

typedef struct enumeration {
	const drawn *d;
	int64_t start[MOST], best, horizon;
	int mode[MOST];
} enumeration;

static void enumerate(enumeration *e, int i)
{
	if (i >= e->d->n || i >= MOST) {
		int64_t makespan;
		if (pim_scheduling_check(e->d->p, e->start, e->mode, &makespan) && makespan < e->best)
			e->best = makespan;
		return;
	}
	for (e->mode[i] = 0; e->mode[i] < e->d->modes[i]; e->mode[i]++)
		for (e->start[i] = 0;
			 e->start[i] + e->d->duration[i][e->mode[i]] < e->best && e->start[i] <= e->horizon;
			 e->start[i]++)
			enumerate(e, i + 1);
}

/* Least makespan below `above`, or `above`. */
static int64_t enumerate_below(const drawn *d, int64_t above)
{
	enumeration e = {.d = d, .best = above, .horizon = above};
	enumerate(&e, 0);
	return e.best;
}

static bool tell_nothing_wrong(void *user, const pim_scheduling_answer *now)
{
	pim_scheduling_answer *last = user;
	CHECK(now->bound <= now->value && now->value <= last->value && now->bound >= last->bound);
	*last = *now;
	return true;
}

/* What is proved optimal is a schedule, and no shorter one exists; bounds are below it. */
static void compare_with_enumeration(drawn d)
{
	int64_t makespan;
	pim_scheduling_answer last = {.value = INT64_MAX};
	pim_scheduling_options o = PLAIN;
	o.on_progress = tell_nothing_wrong;
	o.user = &last;
	pim_scheduling_answer a = pim_scheduling_solve(d.p, &o);
	if (a.status == PIM_SCHEDULING_infeasible) {
		CHECK(enumerate_below(&d, 12) == 12);
		return;
	}
	CHECK(a.status == PIM_SCHEDULING_optimal && a.value == a.bound);
	CHECK(pim_scheduling_check(d.p, a.start, a.mode, &makespan) && makespan == a.value);
	CHECK(pim_scheduling_bound(d.p) <= a.value);
	CHECK(enumerate_below(&d, a.value) == a.value);
	CHECK(enumerate_below(&d, a.value + 1) == a.value);
}

static void check_problems(void)
{
	for (int round = 0; round < 400; round++) {
		drawn d = draw_problem(draw_in(1, 5), draw_in(0, 3), 1 + round % 2, false);
		compare_with_enumeration(d);
		pim_scheduling_free(d.p);
	}
	for (int round = 0; round < 150; round++) {
		drawn d = draw_problem(draw_in(2, 6), draw_in(1, 3), 1, true);
		compare_with_enumeration(d);
		pim_scheduling_free(d.p);
	}
}

/* Rules alone: a schedule whatever the time, no better than the search, and not the same always. */
static void check_rules(void)
{
	int longer = 0;
	for (int round = 0; round < 100; round++) {
		drawn d = draw_problem(6, 2, 2, false);
		int64_t makespan;
		pim_scheduling_options rules = {.rules_only = true};
		pim_scheduling_answer a = pim_scheduling_solve(d.p, &rules);
		if (a.status != PIM_SCHEDULING_infeasible) {
			CHECK(pim_scheduling_check(d.p, a.start, a.mode, &makespan) && makespan == a.value);
			CHECK(a.steps > 0);
			pim_scheduling_answer best = pim_scheduling_solve(d.p, &PLAIN);
			CHECK(best.value <= a.value && best.bound >= a.bound);
			longer += a.status != PIM_SCHEDULING_optimal;
		}
		pim_scheduling_free(d.p);
	}
	CHECK(longer > 0);
}

/* ---- a resource alone ---- */

typedef struct windows {
	int n, capacity, low[MOST], high[MOST], duration[MOST], demand[MOST], start[MOST];
	bool used[MOST][16];
	bool any;
} windows;

static bool fits(const windows *w)
{
	for (int i = 0; i < w->n; i++) {
		int load = 0;
		for (int k = 0; k < w->n; k++)
			if (w->start[k] <= w->start[i] && w->start[i] < w->start[k] + w->duration[k])
				load += w->demand[k];
		if (load > w->capacity)
			return false;
	}
	return true;
}

static void enumerate_windows(windows *w, int i)
{
	if (i >= w->n || i >= MOST) {
		if (!fits(w))
			return;
		w->any = true;
		for (int k = 0; k < w->n; k++)
			w->used[k][w->start[k]] = true;
		return;
	}
	for (w->start[i] = w->low[i]; w->start[i] <= w->high[i]; w->start[i]++)
		enumerate_windows(w, i + 1);
}

static windows draw_windows(void)
{
	windows w = {.n = draw_in(2, 4), .capacity = draw_in(1, 3)};
	for (int i = 0; i < w.n; i++) {
		w.low[i] = draw_in(0, 5);
		w.high[i] = w.low[i] + draw_in(0, 4);
		w.duration[i] = draw_in(1, 5);
		w.demand[i] = draw_in(1, w.capacity);
	}
	return w;
}

/* Propagation keeps every start that some schedule of the windows uses, and refutes only what
 * has no schedule; at fixed starts it tells right from wrong. */
static void compare_windows(windows *w, int *narrowed)
{
	pim_clause_solver *s = pim_clause_new();
	pim_scheduling *p = pim_scheduling_new();
	int start[MOST], mode[MOST];
	bool fixed = true;
	pim_scheduling_add_resource(p, w->capacity);
	for (int i = 0; i < w->n; i++) {
		int64_t demand = w->demand[i];
		pim_scheduling_add_mode(p, pim_scheduling_add_task(p, 0), w->duration[i], 1, &demand);
		start[i] = pim_clause_var(s, w->low[i], w->high[i]);
		mode[i] = -1;
		fixed = fixed && w->low[i] == w->high[i];
	}
	pim_scheduling_resource *r = pim_scheduling_resource_new(s, p, 0, start, mode);
	bool stands = pim_clause_propagate_all(s);
	enumerate_windows(w, 0);
	CHECK(stands || !w->any);
	CHECK(!fixed || stands == w->any);
	for (int i = 0; i < w->n && stands; i++)
		for (int at = w->low[i]; at <= w->high[i]; at++) {
			bool kept = at >= pim_clause_low(s, start[i]) && at <= pim_clause_high(s, start[i]);
			CHECK(kept || !w->used[i][at]);
			*narrowed += !kept;
		}
	pim_scheduling_resource_free(r);
	pim_scheduling_free(p);
	pim_clause_free(s);
}

static void check_propagation(void)
{
	int narrowed = 0;
	for (int round = 0; round < 4000; round++) {
		windows w = draw_windows();
		if (round % 4 == 0)
			memcpy(w.high, w.low, sizeof w.high);
		compare_windows(&w, &narrowed);
	}
	CHECK(narrowed > 1000);
}

/* ---- reasons ---- */

enum { TASKS = 3, STARTS = 9 };

static bool literal_holds(const int *x, pim_clause_literal l)
{
	return (l.bound & 1 ? -x[l.bound / 2] : x[l.bound / 2]) >= l.at;
}

/* Three tasks on a resource, the first with two modes; a switch orders the last two. */
typedef struct scene {
	pim_scheduling *p;
	pim_clause_solver *s;
	pim_scheduling_resource *r;
	int start[TASKS], mode[TASKS], order;
	int64_t duration[TASKS][2], demand[TASKS][2], capacity;
} scene;

static scene set_scene(void)
{
	scene c = {.p = pim_scheduling_new(), .s = pim_clause_new(), .capacity = draw_in(1, 3)};
	pim_scheduling_add_resource(c.p, c.capacity);
	for (int i = 0; i < TASKS; i++) {
		pim_scheduling_add_task(c.p, 0);
		c.duration[i][0] = draw_in(1, 5);
		c.duration[i][1] = c.duration[i][0] + draw_in(0, 2);
		for (int m = 0; m < 2; m++)
			c.demand[i][m] = draw_in(1, (int)c.capacity);
		for (int m = 0; m < 1 + !i; m++)
			pim_scheduling_add_mode(c.p, i, c.duration[i][m], 1, &c.demand[i][m]);
		c.start[i] = pim_clause_var(c.s, 0, STARTS - 1);
		c.mode[i] = i ? -1 : pim_clause_var(c.s, 0, 1);
	}
	c.order = pim_clause_var(c.s, 0, 1);
	pim_clause_edge(c.s, c.start[1], c.start[2], (int32_t)c.duration[1][0],
		(pim_clause_literal){2 * c.order, 1});
	pim_clause_edge(c.s, c.start[2], c.start[1], (int32_t)c.duration[2][0],
		(pim_clause_literal){2 * c.order + 1, 0});
	c.r = pim_scheduling_resource_new(c.s, c.p, 0, c.start, c.mode);
	return c;
}

static bool is_schedule(const scene *c, const int *x)
{
	int first = x[c->order] ? 1 : 2, second = 3 - first;
	if (x[c->start[second]] < x[c->start[first]] + c->duration[first][0])
		return false;
	for (int i = 0; i < TASKS; i++) {
		int64_t load = 0, at = x[c->start[i]];
		for (int k = 0; k < TASKS; k++) {
			int m = k ? 0 : x[c->mode[0]];
			if (x[c->start[k]] <= at && at < x[c->start[k]] + c->duration[k][m])
				load += c->demand[k][m];
		}
		if (load > c->capacity)
			return false;
	}
	return true;
}

/* Every schedule of which the reasons hold has the conclusion; bound < 0: there is none. */
static bool follows(const scene *c, const pim_clause_literal *why, int n, pim_clause_literal then)
{
	int x[TASKS + 2];
	for (int code = 0; code < STARTS * STARTS * STARTS * 4; code++) {
		int starts = code / 4;
		x[c->mode[0]] = code % 2;
		x[c->order] = code / 2 % 2;
		for (int i = 0; i < TASKS; i++, starts /= STARTS)
			x[c->start[i]] = starts % STARTS;
		bool given = is_schedule(c, x);
		for (int k = 0; k < n && given; k++)
			given = literal_holds(x, why[k]);
		if (given && (then.bound < 0 || !literal_holds(x, then)))
			return false;
	}
	return true;
}

static void check_step(const scene *c, int i)
{
	const pim_clause_step *t = &c->s->step[i];
	if (t->reason.cause != PIM_CAUSE_written)
		return;
	const pim_clause_literal *why = c->s->written + t->reason.a;
	CHECK(follows(c, why, t->reason.b, (pim_clause_literal){t->bound, t->at}));
	for (int k = 0; k < t->reason.b; k++)
		for (int later = i; later < c->s->n_steps; later++)
			CHECK(c->s->step[later].bound != why[k].bound || c->s->step[later].before >= why[k].at);
}

/* Decides at random until all is fixed or contradicts itself, and looks at every reason. */
static void check_reasons(void)
{
	int contradictions = 0;
	for (int round = 0; round < 400; round++) {
		scene c = set_scene();
		bool stands = pim_clause_propagate_all(c.s);
		for (int tries = 0; tries < 12 && stands; tries++) {
			int var = draw_in(0, TASKS + 1), at = draw_in(1, STARTS - 1);
			pim_clause_literal l = {2 * var, at};
			if (draw_in(0, 1))
				l = pim_clause_not(l);
			if (pim_clause_holds(c.s, l) || pim_clause_fails(c.s, l))
				continue;
			pim_clause_decide(c.s, l);
			stands = pim_clause_propagate_all(c.s);
		}
		for (int i = 0; i < c.s->n_steps; i++)
			check_step(&c, i);
		if (!stands) {
			const pim_clause_literal none = {-1, 0};
			CHECK(follows(&c, c.s->contradiction, c.s->n_contradiction, none));
			for (int k = 0; k < c.s->n_contradiction; k++)
				CHECK(pim_clause_holds(c.s, c.s->contradiction[k]));
		}
		contradictions += !stands;
		pim_scheduling_resource_free(c.r);
		pim_scheduling_free(c.p);
		pim_clause_free(c.s);
	}
	CHECK(contradictions > 10);
}

/* ---- clauses and edges alone ---- */

enum { VARS = 4, VALUES = 4, MOST_ROWS = 14 };

typedef struct row { /* n literals of which one holds; or an edge if n == 0 */
	int n, from, to, delay;
	pim_clause_literal literal[3];
} row;

static bool rows_hold(const row *r, int n, const int *x)
{
	for (int i = 0; i < n; i++) {
		bool any = false;
		for (int k = 0; k < r[i].n; k++)
			any = any || literal_holds(x, r[i].literal[k]);
		if (!r[i].n)
			any = !literal_holds(x, r[i].literal[0]) || x[r[i].to] >= x[r[i].from] + r[i].delay;
		if (!any)
			return false;
	}
	return true;
}

static bool enumerate_rows(const row *r, int n)
{
	for (int code = 0; code < VALUES * VALUES * VALUES * VALUES; code++) {
		int x[VARS] = {code % 4, code / 4 % 4, code / 16 % 4, code / 64};
		if (rows_hold(r, n, x))
			return true;
	}
	return false;
}

static pim_clause_literal draw_literal(void)
{
	int bound = draw_in(0, 2 * VARS - 1), at = draw_in(1, VALUES - 1);
	return (pim_clause_literal){bound, bound & 1 ? 1 - at : at};
}

static row draw_row(void)
{
	row r = {.n = draw_in(0, 3), .from = draw_in(0, VARS - 1), .delay = draw_in(-2, 2)};
	r.to = (r.from + draw_in(1, VARS - 1)) % VARS;
	for (int k = 0; k < 3; k++)
		r.literal[k] = draw_literal();
	return r;
}

static void add_row(pim_clause_solver *s, const row *r)
{
	if (r->n)
		pim_clause_add(s, r->n, r->literal);
	else
		pim_clause_edge(s, r->from, r->to, r->delay, r->literal[0]);
}

static bool solve_rows(const row *r, int n, int *x)
{
	pim_clause_solver *s = pim_clause_new();
	for (int v = 0; v < VARS; v++)
		pim_clause_var(s, 0, VALUES - 1);
	for (int i = 0; i < n; i++)
		add_row(s, &r[i]);
	pim_clause_plan plan = {.conflicts = 100000, .until = 1e18, .assumption = {-1, 0}};
	pim_clause_result result = pim_clause_search(s, &plan);
	CHECK(result == PIM_CLAUSE_solution || result == PIM_CLAUSE_refuted);
	for (int v = 0; v < VARS; v++)
		x[v] = pim_clause_low(s, v);
	pim_clause_free(s);
	return result == PIM_CLAUSE_solution;
}

static void check_clauses(void)
{
	int refuted = 0;
	for (int round = 0; round < 3000; round++) {
		row r[MOST_ROWS];
		int n = draw_in(4, MOST_ROWS), x[VARS];
		for (int i = 0; i < n; i++)
			r[i] = draw_row();
		bool solved = solve_rows(r, n, x);
		CHECK(solved == enumerate_rows(r, n));
		CHECK(!solved || rows_hold(r, n, x));
		refuted += !solved;
	}
	CHECK(refuted > 100 && refuted < 2900);
}

/* ---- schedules from an order ---- */

enum { PLACED = 12, RESOURCES = 4, HORIZON = 200 };

/* Serial generation time by time: what is in use at each, and who has a place. */
typedef struct placing {
	const pim_scheduling *p;
	int64_t used[RESOURCES][HORIZON], start[PLACED];
	bool placed[PLACED];
} placing;

static bool has_room(const placing *g, int64_t at, const pim_scheduling_mode *m)
{
	for (int r = 0; r < RESOURCES; r++)
		for (int64_t t = at; t < at + m->duration; t++)
			if (g->used[r][t] + m->demand[r] > g->p->capacity[r])
				return false;
	return true;
}

static void place(placing *g, int i)
{
	const pim_scheduling_task *t = &g->p->task[i];
	const pim_scheduling_mode *m = &t->mode[0];
	int64_t at = t->release;
	for (int a = 0; a < t->n_in; a++) {
		const pim_scheduling_arc *c = &g->p->arc[t->in[a]];
		if (!g->placed[c->from])
			place(g, c->from);
		int64_t end = g->start[c->from] + g->p->task[c->from].mode[0].duration + c->lag;
		at = end > at ? end : at;
	}
	while (!has_room(g, at, m))
		at++;
	for (int r = 0; r < RESOURCES; r++)
		for (int64_t k = at; k < at + m->duration; k++)
			g->used[r][k] += m->demand[r];
	g->start[i] = at;
	g->placed[i] = true;
}

/* unit: of demands and capacities; large ones take more than a word. */
static pim_scheduling *draw_project(int64_t unit)
{
	pim_scheduling *p = pim_scheduling_new();
	for (int r = 0; r < RESOURCES; r++)
		pim_scheduling_add_resource(p, unit * draw_in(2, 6));
	for (int i = 0; i < PLACED; i++) {
		int64_t demand[RESOURCES];
		for (int r = 0; r < RESOURCES; r++)
			demand[r] = unit * (draw_in(0, 2) ? 0 : draw_in(1, 2));
		pim_scheduling_add_mode(
			p, pim_scheduling_add_task(p, draw_in(0, 3)), draw_in(0, 5), RESOURCES, demand);
		if (i > 1 && draw_in(0, 1))
			pim_scheduling_add_precedence(p, draw_in(0, i - 1), i, draw_in(0, 2));
	}
	return p;
}

static void compare_with_placing(int64_t unit)
{
	pim_scheduling *p = draw_project(unit);
	placing g = {.p = p};
	int64_t key[PLACED], start[PLACED], end = 0;
	int mode[PLACED] = {0};
	CHECK(pim_scheduling_prepare(p));
	pim_scheduling_list *l = pim_scheduling_list_new(p);
	for (int i = 0; i < PLACED; i++)
		key[i] = draw_in(0, 5);
	for (int k = 0; k <= 5; k++)
		for (int i = 0; i < PLACED; i++)
			if (key[p->order[i]] == k && !g.placed[p->order[i]])
				place(&g, p->order[i]);
	int64_t value = pim_scheduling_list_forward(l, key, mode, start);
	for (int i = 0; i < PLACED; i++) {
		int64_t at = g.start[i] + p->task[i].mode[0].duration;
		end = at > end ? at : end;
	}
	CHECK(!memcmp(start, g.start, sizeof start) && value == end);
	CHECK(pim_scheduling_list_justify(l, mode, start) <= value);
	CHECK(pim_scheduling_check(p, start, mode, &end));
	pim_scheduling_list_free(l);
	pim_scheduling_free(p);
}

static void check_generation(void)
{
	for (int round = 0; round < 500; round++)
		compare_with_placing(round % 2 ? 1 : 1 << 20);
}

static void check_sorting(void)
{
	enum { MANY = 300 };
	int64_t key[MANY] = {0};
	int order[MANY], scratch[MANY];
	for (int n = 0; n <= MANY; n += 1 + n / 8) {
		for (int i = 0; i < n; i++) {
			key[i] = draw_in(0, 20);
			order[i] = i;
		}
		pim_scheduling_sort(order, n, key, scratch);
		for (int i = 1; i < n; i++) {
			int a = order[i - 1], b = order[i];
			CHECK(key[a] < key[b] || (key[a] == key[b] && a < b));
		}
	}
}

/* ---- the rest of the interface ---- */

static pim_scheduling *draw_large(uint64_t seed)
{
	draw_state = seed;
	pim_scheduling *p = pim_scheduling_new();
	for (int r = 0; r < 2; r++)
		pim_scheduling_add_resource(p, 10);
	for (int i = 0; i < 40; i++) {
		int64_t demand[2] = {draw_in(0, 6), draw_in(0, 6)};
		pim_scheduling_add_mode(p, pim_scheduling_add_task(p, 0), draw_in(1, 9), 2, demand);
		for (int k = 0; k < 2 && i > 4; k++)
			pim_scheduling_add_precedence(p, draw_in(0, i - 1), i, 0);
	}
	return p;
}

/* Equal seeds and steps: equal schedules, however long it takes. */
static void check_repetition(void)
{
	pim_scheduling_options o = {.seconds = 1000, .seed = 7, .steps = 2};
	for (uint64_t seed = 1; seed < 4; seed++) {
		pim_scheduling *a = draw_large(seed), *b = draw_large(seed);
		pim_scheduling_answer x = pim_scheduling_solve(a, &o), y = pim_scheduling_solve(b, &o);
		CHECK(x.value == y.value && x.bound == y.bound);
		CHECK(!memcmp(x.start, y.start, 40 * sizeof *x.start));
		pim_scheduling_free(a);
		pim_scheduling_free(b);
	}
}

static void check_no_time(void)
{
	int64_t makespan;
	pim_scheduling_options o = {.seconds = 0};
	pim_scheduling *p = draw_large(9);
	pim_scheduling_answer a = pim_scheduling_solve(p, &o);
	CHECK(a.status != PIM_SCHEDULING_infeasible && a.bound <= a.value);
	CHECK(pim_scheduling_check(p, a.start, a.mode, &makespan) && makespan == a.value);
	pim_scheduling_free(p);
}

static void check_impossible(void)
{
	int64_t much = 3;
	pim_scheduling *p = pim_scheduling_new();
	pim_scheduling_add_resource(p, 2);
	pim_scheduling_add_mode(p, pim_scheduling_add_task(p, 0), 1, 1, &much);
	CHECK(pim_scheduling_solve(p, &PLAIN).status == PIM_SCHEDULING_infeasible);
	pim_scheduling_free(p);
	p = pim_scheduling_new();
	for (int i = 0; i < 2; i++)
		pim_scheduling_add_mode(p, pim_scheduling_add_task(p, 0), 1, 0, NULL);
	pim_scheduling_add_precedence(p, 0, 1, 0);
	pim_scheduling_add_delay(p, 1, 0, 0);
	CHECK(pim_scheduling_solve(p, &PLAIN).status == PIM_SCHEDULING_infeasible);
	pim_scheduling_free(p);
	p = pim_scheduling_new();
	CHECK(pim_scheduling_solve(p, &PLAIN).status == PIM_SCHEDULING_optimal);
	pim_scheduling_free(p);
}

static void check_begin_with(void)
{
	pim_scheduling *p = pim_scheduling_new();
	int64_t one = 1, early[2] = {0, 1}, late[2] = {0, 9};
	int mode[2] = {0, 0};
	pim_scheduling_add_resource(p, 1);
	for (int i = 0; i < 2; i++)
		pim_scheduling_add_mode(p, pim_scheduling_add_task(p, 0), 2, 1, &one);
	CHECK(!pim_scheduling_begin_with(p, early, mode));
	CHECK(pim_scheduling_begin_with(p, late, mode));
	CHECK(pim_scheduling_solve(p, &PLAIN).value == 4);
	pim_scheduling_free(p);
}

/* Durations whose sums do not fit the exact search: the local one still answers. */
static void check_long_times(void)
{
	pim_scheduling *p = pim_scheduling_new();
	int64_t one = 1, hour = (int64_t)1 << 40, makespan;
	pim_scheduling_add_resource(p, 2);
	for (int i = 0; i < 5; i++)
		pim_scheduling_add_mode(p, pim_scheduling_add_task(p, 0), hour + i, 1, &one);
	pim_scheduling_options o = {.seconds = 0.2, .steps = 1};
	pim_scheduling_answer a = pim_scheduling_solve(p, &o);
	CHECK(pim_scheduling_check(p, a.start, a.mode, &makespan) && makespan == a.value);
	CHECK(a.value >= 3 * hour && a.value <= 3 * hour + 9 && a.bound > 2 * hour);
	pim_scheduling_free(p);
}

int main(void)
{
	draw_state = 88172645463325252u;
	check_clauses();
	check_propagation();
	check_reasons();
	check_generation();
	check_sorting();
	check_impossible();
	check_begin_with();
	check_no_time();
	check_long_times();
	check_repetition();
	check_problems();
	check_rules();
	return check_failures != 0;
}
