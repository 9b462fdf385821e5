/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_search - the exact search: the problem as variables, delays and resources.
 *
 * Variables: a start per task, the place of its mode among modes sorted by duration where there is
 * a choice, a switch per pair of tasks that can never run together (1: the first is before the
 * second), the makespan. The search from the top wants a makespan below the best known one; the
 * one from the bottom assumes that it is the bound, or where the gap is wide a little more, and the
 * bound rises when that is refuted. Both learn into the same clauses, and lean to the best known
 * schedule. Source: Schutt, Feydy, Stuckey, Wallace 2011 (the model); Vilim, Laborie, Shaw 2015
 * (learning and lower bounds in turn). */
#include "ir/array.h"
#include "passes/scheduling_propagate.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_SWITCHES = 40000 };

typedef struct switch_pair {
	int var, before, after;
} switch_pair;

struct pim_scheduling_search {
	pim_scheduling_run *run;
	pim_clause_solver *solver;
	int *start, *mode, makespan; /* variables; mode -1: one mode only */
	pim_scheduling_resource **resource;
	switch_pair *pair;
	int n_pairs;
	int64_t room_pairs;
	bool disjunctive; /* every resource holds one task at a time */
	int32_t *prefer;
	int *choice, n_choices;
	int64_t *found_start;
	int *found_mode;
};

static const pim_clause_literal ALWAYS = {-1, 0};

/* ---- the model ---- */

static void add_tasks(pim_scheduling_search *s)
{
	const pim_scheduling *p = s->run->p;
	int32_t most = (int32_t)p->value - 1;
	for (int i = 0; i < p->n_tasks; i++) {
		const pim_scheduling_task *t = &p->task[i];
		s->start[i] = pim_clause_var(s->solver, (int32_t)t->head, most - (int32_t)t->tail);
		s->choice[s->n_choices++] = s->start[i];
	}
	for (int i = 0; i < p->n_tasks; i++) {
		s->mode[i] = -1;
		if (p->task[i].n_modes == 1)
			continue;
		s->mode[i] = pim_clause_var(s->solver, 0, p->task[i].n_modes - 1);
		s->choice[s->n_choices++] = s->mode[i];
	}
	s->makespan = pim_clause_var(s->solver, (int32_t)p->bound, most);
}

/* to >= start of i + its duration + lag. */
static void add_end_edges(pim_scheduling_search *s, int i, int to, int64_t lag)
{
	const pim_scheduling_task *t = &s->run->p->task[i];
	for (int m = 0; m < t->n_modes; m++) {
		pim_clause_literal longer = {2 * s->mode[i], m};
		pim_clause_edge(
			s->solver, s->start[i], to, (int32_t)(t->mode[m].duration + lag), m ? longer : ALWAYS);
	}
}

static void add_edges(pim_scheduling_search *s)
{
	const pim_scheduling *p = s->run->p;
	for (int a = 0; a < p->n_arcs; a++) {
		const pim_scheduling_arc *c = &p->arc[a];
		if (c->from_end)
			add_end_edges(s, c->from, s->start[c->to], c->lag);
		else
			pim_clause_edge(s->solver, s->start[c->from], s->start[c->to], (int32_t)c->lag, ALWAYS);
	}
	for (int i = 0; i < p->n_tasks; i++)
		add_end_edges(s, i, s->makespan, 0);
}

/* Longest least delay from task i to all others; -1 where there is no path. */
static void measure_from(const pim_scheduling *p, int i, int64_t *far)
{
	for (int k = 0; k < p->n_tasks; k++)
		far[k] = -1;
	far[i] = 0;
	for (int k = 0; k < p->n_tasks; k++) {
		const pim_scheduling_task *t = &p->task[p->order[k]];
		for (int a = 0; a < t->n_out && far[p->order[k]] >= 0; a++) {
			const pim_scheduling_arc *c = &p->arc[t->out[a]];
			int64_t at = far[p->order[k]] + pim_scheduling_delay(c, t->mode[0].duration);
			far[c->to] = at > far[c->to] ? at : far[c->to];
		}
	}
}

static int64_t least_demand(const pim_scheduling_task *t, int r)
{
	int64_t least = t->mode[0].demand[r];
	for (int m = 1; m < t->n_modes; m++)
		least = t->mode[m].demand[r] < least ? t->mode[m].demand[r] : least;
	return least;
}

static bool never_together(const pim_scheduling *p, int i, int k)
{
	if (!p->task[i].mode[0].duration || !p->task[k].mode[0].duration)
		return false;
	for (int r = 0; r < p->n_resources; r++)
		if (least_demand(&p->task[i], r) + least_demand(&p->task[k], r) > p->capacity[r])
			return true;
	return false;
}

static void add_switch(pim_scheduling_search *s, int i, int k)
{
	const pim_scheduling *p = s->run->p;
	int var = pim_clause_var(s->solver, 0, 1);
	s->pair = pim_array_grow(s->pair, s->n_pairs, &s->room_pairs, sizeof *s->pair);
	s->pair[s->n_pairs++] = (switch_pair){var, i, k};
	pim_clause_edge(s->solver, s->start[i], s->start[k], (int32_t)p->task[i].mode[0].duration,
		(pim_clause_literal){2 * var, 1});
	pim_clause_edge(s->solver, s->start[k], s->start[i], (int32_t)p->task[k].mode[0].duration,
		(pim_clause_literal){2 * var + 1, 0});
}

static bool is_path(const pim_scheduling *p, int from, int64_t far)
{
	return far >= 0 && far >= p->task[from].mode[p->task[from].n_modes - 1].duration;
}

static void add_switches(pim_scheduling_search *s)
{
	const pim_scheduling *p = s->run->p;
	int n = p->n_tasks;
	int64_t *far = pim_array_new((int64_t)n * n, sizeof *far);
	for (int i = 0; i < n; i++)
		measure_from(p, i, far + (size_t)i * (size_t)n);
	for (int i = 0; i < n; i++)
		for (int k = i + 1; k < n && s->n_pairs < MOST_SWITCHES; k++)
			if (never_together(p, i, k) && !is_path(p, i, far[i * n + k]) &&
				!is_path(p, k, far[k * n + i]))
				add_switch(s, i, k);
	free(far);
}

static bool is_disjunctive(const pim_scheduling *p)
{
	for (int r = 0; r < p->n_resources; r++)
		for (int i = 0; i < p->n_tasks; i++) {
			int64_t need = least_demand(&p->task[i], r);
			if (need && 2 * need <= p->capacity[r])
				return false;
		}
	return true;
}

/* Sums of two durations, or of all demands of a resource, stay far from overflow. */
static bool is_small(const pim_scheduling *p)
{
	int64_t most = PIM_CLAUSE_MOST / 8;
	if (p->n_tasks > 2000 || p->value > most)
		return false;
	for (int r = 0; r < p->n_resources; r++)
		if (p->capacity[r] > most / (p->n_tasks + 1))
			return false;
	for (int a = 0; a < p->n_arcs; a++)
		if (p->arc[a].lag > most || p->arc[a].lag < -most)
			return false;
	for (int i = 0; i < p->n_tasks; i++)
		if (p->task[i].mode[p->task[i].n_modes - 1].duration > most)
			return false;
	return true;
}

pim_scheduling_search *pim_scheduling_search_new(pim_scheduling_run *run)
{
	const pim_scheduling *p = run->p;
	if (!is_small(p))
		return NULL;
	pim_scheduling_search *s = pim_array_new(1, sizeof *s);
	int64_t n = p->n_tasks;
	s->run = run;
	s->solver = pim_clause_new();
	s->start = pim_array_new(n, sizeof *s->start);
	s->mode = pim_array_new(n, sizeof *s->mode);
	s->choice = pim_array_new(2 * n, sizeof *s->choice);
	s->found_start = pim_array_new(n, sizeof *s->found_start);
	s->found_mode = pim_array_new(n, sizeof *s->found_mode);
	add_tasks(s);
	add_edges(s);
	add_switches(s);
	s->disjunctive = is_disjunctive(p);
	s->resource = pim_array_new(p->n_resources, sizeof *s->resource);
	for (int r = 0; r < p->n_resources; r++)
		s->resource[r] = pim_scheduling_resource_new(s->solver, p, r, s->start, s->mode);
	s->prefer = pim_array_new(2 * n + 1 + s->n_pairs, sizeof *s->prefer);
	return s;
}

void pim_scheduling_search_free(pim_scheduling_search *s)
{
	for (int r = 0; r < s->run->p->n_resources; r++)
		pim_scheduling_resource_free(s->resource[r]);
	pim_clause_free(s->solver);
	void *const parts[] = {s->start, s->mode, s->resource, s->pair, s->prefer, s->choice,
		s->found_start, s->found_mode, s};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		free(parts[i]);
}

/* ---- searching ---- */

static void prefer_best(pim_scheduling_search *s)
{
	const pim_scheduling *p = s->run->p;
	for (int i = 0; i < p->n_tasks; i++) {
		s->prefer[s->start[i]] = (int32_t)p->start[i];
		if (s->mode[i] >= 0)
			s->prefer[s->mode[i]] = p->mode[i];
	}
	s->prefer[s->makespan] = (int32_t)p->value;
	for (int k = 0; k < s->n_pairs; k++)
		s->prefer[s->pair[k].var] = p->start[s->pair[k].before] < p->start[s->pair[k].after];
}

static void take_solution(pim_scheduling_search *s)
{
	const pim_scheduling *p = s->run->p;
	int64_t value = 0;
	for (int i = 0; i < p->n_tasks; i++) {
		s->found_start[i] = pim_clause_low(s->solver, s->start[i]);
		s->found_mode[i] = s->mode[i] < 0 ? 0 : pim_clause_low(s->solver, s->mode[i]);
		int64_t end = s->found_start[i] + pim_scheduling_duration(p, s->found_mode, i);
		value = end > value ? end : value;
	}
	pim_scheduling_offer(s->run, s->found_start, s->found_mode, value);
}

static pim_clause_plan plan_search(pim_scheduling_search *s, int64_t conflicts)
{
	const pim_scheduling *p = s->run->p;
	pim_clause_literal shorter = {2 * s->makespan + 1, 1 - (int32_t)p->value};
	pim_clause_literal bounded = {2 * s->makespan, (int32_t)p->bound};
	pim_clause_add(s->solver, 1, &shorter);
	pim_clause_add(s->solver, 1, &bounded);
	prefer_best(s);
	return (pim_clause_plan){
		.conflicts = conflicts,
		.until = s->run->until,
		.assumption = ALWAYS,
		.switches_only = s->disjunctive,
		.prefer = s->prefer,
		.n_choices = s->n_choices,
		.choice = s->choice,
	};
}

void pim_scheduling_search_down(pim_scheduling_search *s, int64_t conflicts)
{
	for (int64_t stop = pim_clause_conflicts(s->solver) + conflicts;;) {
		int64_t left = stop - pim_clause_conflicts(s->solver);
		pim_clause_plan plan = plan_search(s, left);
		pim_clause_result r = left > 0 ? pim_clause_search(s->solver, &plan) : PIM_CLAUSE_limit;
		if (r == PIM_CLAUSE_refuted)
			pim_scheduling_raise_bound(s->run, s->run->p->value);
		if (r == PIM_CLAUSE_solution)
			take_solution(s);
		if (r != PIM_CLAUSE_solution || pim_scheduling_is_done(s->run))
			return;
	}
}

/* One more; where the gap is wide, a small part of it. */
static int64_t next_bound(const pim_scheduling *p)
{
	enum { PARTS = 64 };
	return p->bound + 1 + (p->value - p->bound - 1) / PARTS;
}

void pim_scheduling_search_up(pim_scheduling_search *s, int64_t conflicts)
{
	for (int64_t stop = pim_clause_conflicts(s->solver) + conflicts;;) {
		int64_t left = stop - pim_clause_conflicts(s->solver);
		pim_clause_plan plan = plan_search(s, left);
		int64_t next = next_bound(s->run->p);
		plan.assumption = (pim_clause_literal){2 * s->makespan + 1, 1 - (int32_t)next};
		pim_clause_result r = left > 0 ? pim_clause_search(s->solver, &plan) : PIM_CLAUSE_limit;
		if (r == PIM_CLAUSE_refuted)
			pim_scheduling_raise_bound(s->run, s->run->p->value);
		if (r == PIM_CLAUSE_assumed)
			pim_scheduling_raise_bound(s->run, next);
		if (r == PIM_CLAUSE_solution)
			take_solution(s);
		if (r != PIM_CLAUSE_assumed || pim_scheduling_is_done(s->run))
			return;
	}
}

int64_t pim_scheduling_search_conflicts(const pim_scheduling_search *s)
{
	return pim_clause_conflicts(s->solver);
}
