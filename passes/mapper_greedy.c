/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_greedy.c - strategies that fix one group after the other, as OverlaPIM and Fast-OverlaPIM
 * describe theirs (recalled from the papers, not verified).
 *
 * Forward: the first group has the choice that ends first, each next one the choice that ends first
 * after those that are fixed. Backward: the last group has its fastest choice, each one before it
 * the choice with which it and what reads it end first when it starts at once. Middle-out: from the
 * group that takes longest, backward to the first and forward to the last. Cost: groups times
 * choices. */
#include "passes/mapper.h"

#include <math.h>

typedef struct greedy {
	const pim_mapper *m;
	pim_mapper_search *s;
	pim_mapper_plan *plan;
	pim_arena *arena;
	pim_mapper_run *run;
} greedy;

/* Runs group i, as choice c, behind what is fixed; only edges from `only` count when it is >= 0.
 * The run's memory is from a. */
static double run_with(greedy *w, int i, const pim_mapper_choice *c, int only, double free,
	pim_arena *a, pim_mapper_run *r, double *pj)
{
	const pim_mapper_group *g = &w->m->group[i];
	pim_mapper_need *need = PIM_NEW(a, pim_mapper_need, g->n_edges + 1);
	int n = 0;
	double bytes = 0;
	pim_mapper_forget(w->m, PIM_MOST_KNOWN);
	for (int k = 0; k < g->n_edges; k++) {
		const pim_mapper_edge *e = &g->edge[k];
		if (w->plan->choice[e->from] && (only < 0 || e->from == only))
			need[n++] = pim_mapper_need_of(w->m, g, e, c, &w->run[e->from], w->s->mode, &bytes);
	}
	*pj = c->pj + pim_mapper_move_pj(w->m->target, bytes);
	r->done = PIM_NEW(a, double, pim_mapper_run_room(c, w->s->mode));
	pim_mapper_run_choice(w->m, c, w->s->mode, n, need, free, a, r);
	w->s->evaluated++;
	return r->end;
}

static double value_of(const greedy *w, double latency, double pj)
{
	double energy = pj + latency * pim_mapper_static_pj(w->m->target);
	return pim_mapper_value(w->s->objective, latency, energy);
}

static void free_arena(void *arena)
{
	pim_arena_free(arena);
}

/* Fixes groups first .. n-1, the others being fixed. */
static void go_forward(greedy *w, int first)
{
	pim_mapper_units units = pim_mapper_units_new(w->m->units, w->arena);
	double all = 0, pj = 0;
	for (int i = 0; i < w->m->n; i++) {
		const pim_mapper_group *g = &w->m->group[i];
		double best = INFINITY;
		pim_arena *kept = NULL;
		const pim_mapper_choice *fixed = i < first ? w->plan->choice[i] : NULL;
		w->plan->choice[i] = NULL;
		for (int c = 0; c < (fixed ? 1 : g->n_choices); c++) {
			const pim_mapper_choice *choice = fixed ? fixed : &g->choice[c];
			double free = w->s->mode == PIM_MAPPER_original
							  ? all
							  : pim_mapper_units_from(&units, choice->units);
			pim_mapper_run r;
			pim_arena *own = pim_arena_new(), *worse = own;
			double value = value_of(w, run_with(w, i, choice, -1, free, own, &r, &pj), pj);
			if (value < best) {
				best = value;
				w->run[i] = r;
				w->plan->choice[i] = choice;
				worse = kept;
				kept = own;
			}
			if (worse)
				pim_arena_free(worse);
		}
		pim_arena_defer(w->arena, free_arena, kept);
		units = pim_mapper_units_take(&units, w->plan->choice[i]->units, w->run[i].end, w->arena);
		all = fmax(all, w->run[i].end);
	}
}

/* The end of group i, as choice c from time 0, and of the fixed groups that read it. */
static double end_of_readers(greedy *w, int i, const pim_mapper_choice *c)
{
	double pj, sum, end;
	const pim_mapper_choice *before = w->plan->choice[i];
	pim_arena *a = pim_arena_new();
	end = run_with(w, i, c, i, 0, a, &w->run[i], &sum);
	w->plan->choice[i] = c;
	for (int u = i + 1; u < w->m->n; u++) {
		bool reads = false;
		for (int k = 0; k < w->m->group[u].n_edges; k++)
			reads = reads || w->m->group[u].edge[k].from == i;
		if (!reads || !w->plan->choice[u])
			continue;
		pim_mapper_run r;
		double free = w->s->mode == PIM_MAPPER_original ? w->run[i].end : 0;
		end = fmax(end, run_with(w, u, w->plan->choice[u], i, free, a, &r, &pj));
		sum += pj;
	}
	w->plan->choice[i] = before;
	pim_arena_free(a);
	return value_of(w, end, sum);
}

/* Fixes group i by those behind it that are fixed. */
static void fix_before(greedy *w, int i)
{
	const pim_mapper_group *g = &w->m->group[i];
	double best = INFINITY;
	const pim_mapper_choice *chosen = NULL;
	for (int c = 0; c < g->n_choices; c++) {
		double value = end_of_readers(w, i, &g->choice[c]);
		if (value < best) {
			best = value;
			chosen = &g->choice[c];
		}
	}
	w->plan->choice[i] = chosen;
}

static int find_longest(const pim_mapper *m)
{
	int longest = 0;
	for (int i = 1; i < m->n; i++)
		if (m->group[i].least_cycles > m->group[longest].least_cycles)
			longest = i;
	return longest;
}

void pim_mapper_greedy(
	const pim_mapper *m, pim_mapper_search *s, pim_mapper_strategy way, pim_mapper_plan *best)
{
	pim_arena *a = pim_arena_new();
	greedy w = {.m = m, .s = s, .plan = pim_mapper_plan_new(m, a), .arena = a};
	w.run = PIM_NEW(a, pim_mapper_run, m->n + 1);
	int first = way == PIM_STRATEGY_backward	 ? m->n
				: way == PIM_STRATEGY_middle_out ? find_longest(m) + 1
												 : 0;
	for (int i = first - 1; i >= 0; i--)
		fix_before(&w, i);
	if (first < m->n)
		go_forward(&w, first);
	pim_mapper_evaluate(m, s->mode, w.plan);
	double value = pim_mapper_value(s->objective, w.plan->latency, w.plan->pj);
	if (value < pim_mapper_value(s->objective, best->latency, best->pj)) {
		for (int i = 0; i < m->n; i++)
			best->choice[i] = w.plan->choice[i];
		pim_mapper_evaluate(m, s->mode, best);
	}
	pim_arena_free(a);
}
