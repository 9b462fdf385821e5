/* SPDX-License-Identifier: Apache-2.0 */
/* passes/clause.h - constraint search that learns clauses over bounds of integer variables.
 *
 * Variable x has two bounds, numbered 2x (x itself) and 2x+1 (-x); both only rise along a branch.
 * A literal says that a bound is at least a value, so x >= 3 is {2x, 3}, x <= 5 is {2x+1, -5}, and
 * the opposite of {b, v} is {b^1, 1-v}. No Boolean is made per value: a literal is looked up in the
 * current bounds. A propagator raises bounds and gives literals that forced it; a contradiction
 * is traced back to its first unique implication point and kept as a clause.
 *
 *   clause.c          variables, trail, clauses and edges, propagation
 *   clause_analyze.c  from a contradiction to a clause
 *   clause_search.c   decisions by activity, restarts, forgetting
 *
 * Source: Ohrimenko, Stuckey, Codish 2009 (lazy clause generation); Een, Sorensson 2003 (clauses,
 * activities); literals over bounds without Booleans: ours. */
#ifndef PIM_PASSES_CLAUSE_H
#define PIM_PASSES_CLAUSE_H

#include <stdbool.h>
#include <stdint.h>

/* Values stay within +-PIM_CLAUSE_MOST, so that sums of two never overflow. */
#define PIM_CLAUSE_MOST (1 << 28)

typedef struct pim_clause_solver pim_clause_solver;

typedef struct pim_clause_literal {
	int32_t bound, at;
} pim_clause_literal;

static inline pim_clause_literal pim_clause_not(pim_clause_literal l)
{
	return (pim_clause_literal){l.bound ^ 1, 1 - l.at};
}

typedef enum pim_clause_result {
	PIM_CLAUSE_solution, /* every variable has one value */
	PIM_CLAUSE_refuted,	 /* no solution at all */
	PIM_CLAUSE_assumed,	 /* no solution under the assumption */
	PIM_CLAUSE_limit	 /* conflicts or time ran out */
} pim_clause_result;

/* Raises bounds by pim_clause_raise; false after a contradiction. */
typedef bool pim_clause_propagate(void *self, pim_clause_solver *s);

pim_clause_solver *pim_clause_new(void);
void pim_clause_free(pim_clause_solver *s);
/* A variable in lo..hi; its index from 0. */
int pim_clause_var(pim_clause_solver *s, int32_t lo, int32_t hi);
/* to >= from + delay, both bounds, while the condition holds (condition.bound < 0: always). */
void pim_clause_edge(
	pim_clause_solver *s, int from, int to, int32_t delay, pim_clause_literal condition);
/* A propagator, woken by the bounds of pim_clause_wake; slow ones run when others are done. */
int pim_clause_propagator(pim_clause_solver *s, pim_clause_propagate *f, void *self, bool slow);
void pim_clause_wake(pim_clause_solver *s, int propagator, int bound);
/* Says that at least one literal holds; only before search or between searches. */
bool pim_clause_add(pim_clause_solver *s, int n, const pim_clause_literal *l);

int32_t pim_clause_low(const pim_clause_solver *s, int var);
int32_t pim_clause_high(const pim_clause_solver *s, int var);

/* The reason being written: literals that hold now. */
void pim_clause_because(pim_clause_solver *s, int bound, int32_t at);
/* Raises a bound because of what was written, and forgets it; false: contradiction. */
bool pim_clause_raise(pim_clause_solver *s, int bound, int32_t at);
/* What was written contradicts itself; returns false. */
bool pim_clause_contradict(pim_clause_solver *s);

/* How a search goes on. prefer: the value of each variable it leans to (a known solution). */
typedef struct pim_clause_plan {
	int64_t conflicts;			   /* most contradictions in this call */
	double until;				   /* by pim_seconds_now */
	pim_clause_literal assumption; /* bound < 0: none */
	bool switches_only;			   /* choose by activity among variables of two values only */
	const int32_t *prefer;		   /* may be NULL */
	int n_choices;	   /* variables to be fixed at their least value when nothing is active: */
	const int *choice; /* the one with the least lower bound first, then in this order */
} pim_clause_plan;

pim_clause_result pim_clause_search(pim_clause_solver *s, const pim_clause_plan *plan);
int64_t pim_clause_conflicts(const pim_clause_solver *s);

#endif
