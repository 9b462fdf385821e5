/* SPDX-License-Identifier: Apache-2.0 */
/* clause_analyze - from a contradiction to a clause that would have prevented it.
 *
 * Idea:   literals of the contradiction are traced to the steps that made them hold. From the last
 *         step back, each step of the deepest level is replaced by its reason, until one is left:
 *         the first unique implication point. A step is asked only for the value that is needed
 *         of it, so a delay gives the weakest reason. Then literals that others imply go.
 * Source: Marques-Silva, Sakallah 1999 (implication points); Sorensson, Biere 2009 (minimising). */
#include "passes/clause_state.h"

#include <stdlib.h>

/* The step that made the literal hold, -1 if it holds without any. */
static int find_step(const pim_clause_solver *s, pim_clause_literal l)
{
	int i = s->bound[l.bound].last;
	while (i >= 0 && s->step[i].before >= l.at)
		i = s->step[i].previous;
	return i;
}

/* The reason of step i for `need`: calls visit with each literal until one returns false. */
typedef bool visit_literal(pim_clause_solver *s, pim_clause_literal l, void *more);

static bool visit_reason(
	pim_clause_solver *s, int i, int32_t need, visit_literal *visit, void *more)
{
	const pim_clause_step *t = &s->step[i];
	pim_clause_reason why = t->reason;
	if (why.cause == PIM_CAUSE_edge) {
		const pim_clause_edge_row *e = &s->edge[why.a];
		return visit(s, (pim_clause_literal){e->from, need - e->delay}, more) &&
			   (e->condition.bound < 0 || visit(s, e->condition, more));
	}
	if (why.cause == PIM_CAUSE_written) {
		for (int k = 0; k < why.b; k++)
			if (!visit(s, s->written[why.a + k], more))
				return false;
		return true;
	}
	const pim_clause_literal *l = s->store + s->clause_from[why.a];
	for (int k = 0; k < s->clause[why.a].n; k++)
		if ((l[k].bound != t->bound || l[k].at != t->at) && !visit(s, pim_clause_not(l[k]), more))
			return false;
	return true;
}

typedef struct trace {
	int level; /* the deepest level of the contradiction */
	int open;  /* steps of that level that are needed */
} trace;

static bool need_literal(pim_clause_solver *s, pim_clause_literal l, void *more)
{
	trace *t = more;
	int i = find_step(s, l);
	if (i < 0 || s->step[i].level == 0)
		return true;
	if (s->need[i] == PIM_CLAUSE_NO_NEED) {
		pim_clause_list_add(&s->touched, i);
		t->open += s->step[i].level == t->level;
		pim_clause_bump_literal(s, l, false);
	}
	if (l.at > s->need[i])
		s->need[i] = l.at;
	return true;
}

static int deepest_level(const pim_clause_solver *s, const pim_clause_literal *l, int n)
{
	int deepest = 0;
	for (int k = 0; k < n; k++) {
		int i = find_step(s, l[k]);
		if (i >= 0 && s->step[i].level > deepest)
			deepest = s->step[i].level;
	}
	return deepest;
}

static void bump_clause(pim_clause_solver *s, const pim_clause_step *t)
{
	if (t->reason.cause != PIM_CAUSE_clause || !s->clause[t->reason.a].learned)
		return;
	s->clause[t->reason.a].activity += s->clause_bump;
	if (s->clause[t->reason.a].activity < 1e20f)
		return;
	for (int c = 0; c < s->n_clauses; c++)
		s->clause[c].activity *= 1e-20f;
	s->clause_bump *= 1e-20f;
}

static bool is_implied(pim_clause_solver *s, int i, int depth);

/* more: the depth left. True if the literal is needed anyway, or follows from needed ones. */
static bool visit_implied(pim_clause_solver *s, pim_clause_literal l, void *more)
{
	int i = find_step(s, l), depth = *(int *)more;
	if (i < 0 || s->step[i].level == 0)
		return true;
	if (s->need[i] != PIM_CLAUSE_NO_NEED)
		return s->need[i] >= l.at;
	s->need[i] = l.at;
	bool implied = depth > 0 && is_implied(s, i, depth - 1);
	s->need[i] = PIM_CLAUSE_NO_NEED;
	return implied;
}

static bool is_implied(pim_clause_solver *s, int i, int depth)
{
	if (s->step[i].reason.cause == PIM_CAUSE_decision)
		return false;
	return visit_reason(s, i, s->need[i], visit_implied, &depth);
}

static void learn_literal(pim_clause_solver *s, pim_clause_literal l)
{
	s->learned =
		pim_array_grow(s->learned, s->n_learned_literals, &s->room_learned, sizeof *s->learned);
	s->learned[s->n_learned_literals++] = l;
}

/* A later step of the same bound is needed, which implies this one. */
static bool is_weaker(const pim_clause_solver *s, int i)
{
	for (int k = s->bound[s->step[i].bound].last; k > i; k = s->step[k].previous)
		if (s->need[k] != PIM_CLAUSE_NO_NEED)
			return true;
	return false;
}

/* The literals of earlier levels, without the implied ones; the deepest of them second. */
static void learn_rest(pim_clause_solver *s, int level)
{
	for (int k = 0; k < s->touched.n; k++)
		if (s->need[s->touched.at[k]] != PIM_CLAUSE_NO_NEED && is_weaker(s, s->touched.at[k]))
			s->need[s->touched.at[k]] = PIM_CLAUSE_NO_NEED;
	for (int k = 0; k < s->touched.n; k++) {
		int i = s->touched.at[k];
		const pim_clause_step *t = &s->step[i];
		if (s->need[i] == PIM_CLAUSE_NO_NEED || t->level == level || is_implied(s, i, 6))
			continue;
		learn_literal(s, pim_clause_not((pim_clause_literal){t->bound, s->need[i]}));
	}
	s->learned_level = 0;
	for (int k = 1; k < s->n_learned_literals; k++) {
		int at = s->step[find_step(s, pim_clause_not(s->learned[k]))].level;
		if (at <= s->learned_level)
			continue;
		s->learned_level = at;
		pim_clause_literal first = s->learned[1];
		s->learned[1] = s->learned[k];
		s->learned[k] = first;
	}
}

/* Levels the learned clause touches. */
static void count_levels(pim_clause_solver *s)
{
	enum { SEEN = 64 };
	int seen[SEEN], n = 0;
	for (int k = 1; k < s->n_learned_literals && n < SEEN; k++) {
		int level = s->step[find_step(s, pim_clause_not(s->learned[k]))].level, i = 0;
		while (i < n && seen[i] != level)
			i++;
		if (i == n)
			seen[n++] = level;
	}
	s->learned_lbd = n + 1;
}

/* Resolves the deepest level to one step, which is returned. */
static int resolve_level(pim_clause_solver *s, trace *t)
{
	for (int i = s->n_steps - 1;; i--) {
		if (s->need[i] == PIM_CLAUSE_NO_NEED)
			continue;
		if (t->open == 1)
			return i;
		bump_clause(s, &s->step[i]);
		visit_reason(s, i, s->need[i], need_literal, t);
		s->need[i] = PIM_CLAUSE_NO_NEED;
		t->open--;
	}
}

bool pim_clause_analyze(pim_clause_solver *s)
{
	trace t = {.level = deepest_level(s, s->contradiction, s->n_contradiction)};
	if (t.level == 0)
		return false;
	pim_clause_backtrack(s, t.level);
	int old = s->room_need;
	while (s->room_need < s->n_steps)
		s->need = pim_array_grow(s->need, s->room_need, &s->room_need, sizeof *s->need);
	for (int i = old; i < s->room_need; i++)
		s->need[i] = PIM_CLAUSE_NO_NEED;
	s->touched.n = 0;
	for (int k = 0; k < s->n_contradiction; k++)
		need_literal(s, s->contradiction[k], &t);
	int point = resolve_level(s, &t);
	s->n_learned_literals = 0;
	learn_literal(s, pim_clause_not((pim_clause_literal){s->step[point].bound, s->need[point]}));
	learn_rest(s, t.level);
	count_levels(s);
	for (int k = 0; k < s->touched.n; k++)
		s->need[s->touched.at[k]] = PIM_CLAUSE_NO_NEED;
	for (int k = 0; k < s->n_learned_literals; k++)
		pim_clause_bump_literal(s, s->learned[k], true);
	return true;
}
