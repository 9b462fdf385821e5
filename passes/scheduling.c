/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling - one schedule problem from its first bound to its last schedule.
 *
 * Idea:   bounds, then rounds in which the genetic search, the exact search from the top (is there
 *         anything shorter?) and from the bottom (does the bound hold?) take turns. Each turn is
 *         counted in schedules and contradictions, so that the clock decides only when it ends. The
 *         exact search takes a growing share of small problems, of large ones a small one. */
#include "passes/scheduling_state.h"

#include <math.h>
#include <string.h>

#include "ir/ir.h"

uint32_t pim_scheduling_random(pim_scheduling_run *r, uint32_t below)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return (uint32_t)(((r->random >> 32) * below) >> 32);
}

bool pim_scheduling_time_is_up(pim_scheduling_run *r)
{
	return r->stopped = r->stopped || pim_seconds_now() > r->until;
}

static pim_scheduling_answer answer_now(const pim_scheduling_run *r)
{
	const pim_scheduling *p = r->p;
	return (pim_scheduling_answer){
		.status = p->value == p->bound ? PIM_SCHEDULING_optimal : PIM_SCHEDULING_feasible,
		.value = p->value,
		.bound = p->bound,
		.seconds = pim_seconds_now() - r->from,
		.steps = r->steps,
		.start = p->start,
		.mode = p->given_mode,
	};
}

static void tell_caller(pim_scheduling_run *r)
{
	pim_scheduling_answer now = answer_now(r);
	if (r->p->known && r->o->on_progress && !r->o->on_progress(r->o->user, &now))
		r->stopped = true;
}

void pim_scheduling_offer(
	pim_scheduling_run *r, const int64_t *start, const int *mode, int64_t value)
{
	pim_scheduling *p = r->p;
	if (p->known && value >= p->value)
		return;
	p->known = true;
	p->value = value;
	memcpy(p->start, start, (size_t)p->n_tasks * sizeof *start);
	memcpy(p->mode, mode, (size_t)p->n_tasks * sizeof *mode);
	for (int i = 0; i < p->n_tasks; i++)
		p->given_mode[i] = p->task[i].mode[mode[i]].given;
	tell_caller(r);
}

void pim_scheduling_raise_bound(pim_scheduling_run *r, int64_t bound)
{
	if (bound <= r->p->bound)
		return;
	r->p->bound = bound;
	tell_caller(r);
}

bool pim_scheduling_is_done(const pim_scheduling_run *r)
{
	const pim_scheduling *p = r->p;
	return r->stopped ||
		   (p->known && (double)(p->value - p->bound) <= r->o->gap * (double)p->value);
}

typedef struct team {
	pim_scheduling_local *local;
	pim_scheduling_swap *swap;	  /* NULL: resources are not machines */
	pim_scheduling_search *exact; /* NULL: too large */
} team;

static void work_in_rounds(pim_scheduling_run *r, const team *t)
{
	enum { LARGE = 50 };
	bool large = !t->swap && r->p->n_tasks > LARGE;
	int64_t schedules = large ? 3000 : 200, conflicts = large ? 300 : 500;
	for (int64_t i = 0; !pim_scheduling_is_done(r) && (!r->o->steps || i < r->o->steps); i++) {
		if (t->swap)
			pim_scheduling_swap_work(t->swap, 50 * schedules);
		else
			pim_scheduling_local_work(t->local, schedules);
		if (t->exact && !pim_scheduling_is_done(r))
			pim_scheduling_search_down(t->exact, conflicts);
		if (t->exact && !pim_scheduling_is_done(r))
			pim_scheduling_search_up(t->exact, conflicts);
		if (pim_scheduling_time_is_up(r))
			return;
		conflicts += conflicts / (large ? 8 : 4);
		schedules += schedules / 8;
	}
}

static void search(pim_scheduling_run *r, pim_scheduling_local *local)
{
	team t = {local, pim_scheduling_swap_new(r), pim_scheduling_search_new(r)};
	work_in_rounds(r, &t);
	if (t.swap)
		pim_scheduling_swap_free(t.swap);
	if (t.exact) {
		r->steps += pim_scheduling_search_conflicts(t.exact);
		pim_scheduling_search_free(t.exact);
	}
}

/* The first schedules; fewer where there are very many tasks. */
static void begin_search(pim_scheduling_run *r, pim_scheduling_local *local)
{
	enum { FIRST = 60, LEAST = 5, TASKS = 20000 };
	int n = r->p->n_tasks, schedules = r->o->rules_only && n * FIRST > TASKS ? TASKS / n : FIRST;
	pim_scheduling_local_work(local, 1);
	pim_scheduling_local_work(local, schedules < LEAST ? LEAST : schedules);
}

pim_scheduling_answer pim_scheduling_solve(pim_scheduling *p, const pim_scheduling_options *o)
{
	pim_scheduling_run r = {.p = p, .o = o, .from = pim_seconds_now()};
	r.until = o->rules_only ? INFINITY : r.from + o->seconds;
	r.random = (o->seed + 1) * 0x9E3779B97F4A7C15u | 1;
	if (!pim_scheduling_prepare(p))
		return (pim_scheduling_answer){.status = PIM_SCHEDULING_infeasible};
	pim_scheduling_local *local = pim_scheduling_local_new(&r);
	pim_scheduling_raise_bound(&r, pim_scheduling_bound(p));
	begin_search(&r, local);
	if (!o->rules_only && !pim_scheduling_is_done(&r))
		search(&r, local);
	pim_scheduling_local_free(local);
	return answer_now(&r);
}
