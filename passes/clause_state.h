/* SPDX-License-Identifier: Apache-2.0 */
/* passes/clause_state.h - what the files clause*.c share of a solver. */
#ifndef PIM_PASSES_CLAUSE_STATE_H
#define PIM_PASSES_CLAUSE_STATE_H

#include <stddef.h>

#include "ir/array.h"
#include "passes/clause.h"

/* Why a bound was raised. DECISION: no reason. CLAUSE: a is the clause. EDGE: a is the edge.
 * WRITTEN: b literals from a on in `written`. */
enum pim_clause_cause { PIM_CAUSE_decision, PIM_CAUSE_clause, PIM_CAUSE_edge, PIM_CAUSE_written };

typedef struct pim_clause_reason {
	int32_t cause, a, b;
} pim_clause_reason;

/* A step: `bound` rose from `before` to `at`; `previous` is the step that raised it before, or -1.
 */
typedef struct pim_clause_step {
	int32_t bound, at, before, previous, level;
	pim_clause_reason reason;
} pim_clause_step;

typedef struct pim_clause_watch {
	int32_t clause, at; /* the watched literal is false once the bound is at `at` */
	pim_clause_literal blocker;
} pim_clause_watch;

typedef struct pim_clause_edge_row {
	int32_t from, to, delay;
	pim_clause_literal condition;
} pim_clause_edge_row;

typedef struct pim_clause_list { /* of int32_t */
	int32_t n, *at;
	int64_t room;
} pim_clause_list;

typedef struct pim_clause_bucket {
	int32_t n;
	int64_t room;
	pim_clause_watch *watch;
} pim_clause_bucket;

/* Per bound: its value, its last step, who is told when it rises. Watches are kept in buckets of
 * 1 << shift values from `base` on, so that a step looks only at those it may falsify. */
typedef struct pim_clause_bound {
	int32_t value, last;
	int32_t base, shift, n_buckets;
	pim_clause_bucket *bucket;
	pim_clause_list edges, conditions, propagators;
} pim_clause_bound;

typedef struct pim_clause_worker {
	pim_clause_propagate *run;
	void *self;
	bool queued, slow;
} pim_clause_worker;

typedef struct pim_clause_ring {
	int32_t *of;
	int first, count;
} pim_clause_ring;

/* A clause is a head and its literals in `store`; the index of the head names it. */
typedef struct pim_clause_head {
	int32_t n, lbd;
	float activity;
	bool learned;
} pim_clause_head;

/* A literal x >= at that search may decide, with its activity; `place` in the heap or -1. */
typedef struct pim_clause_atom {
	int32_t var, at, place, chained;
	double activity;
} pim_clause_atom;

struct pim_clause_solver {
	int n_bounds;
	int64_t room_bounds;
	pim_clause_bound *bound;
	pim_clause_edge_row *edge;
	int n_edges;
	int64_t room_edges;
	pim_clause_worker *worker;
	int n_workers;
	int64_t room_workers;
	pim_clause_ring queue[2]; /* of workers: the quick and the slow ones */

	pim_clause_step *step;
	int n_steps, done; /* steps before `done` have been told */
	int64_t room_steps;
	int32_t *level_start, *level_written, *level_popped;
	int level;
	int64_t room_levels;

	pim_clause_literal *written; /* reasons; the open one begins at open_from */
	int n_written, open_from;
	int64_t room_written;

	pim_clause_literal *contradiction;
	int n_contradiction;
	int64_t room_contradiction;

	pim_clause_head *clause;
	int32_t *clause_from; /* its first literal in store */
	int n_clauses, n_learned;
	int64_t room_clauses;
	pim_clause_literal *store;
	int n_store;
	int64_t room_store;

	int32_t *need; /* per step: value needed by the analysis, or PIM_CLAUSE_NO_NEED */
	int64_t room_need;
	pim_clause_literal *learned;
	int n_learned_literals, learned_level, learned_lbd;
	int64_t room_learned;
	pim_clause_list touched; /* steps with a need */

	pim_clause_atom *atom;
	int n_atoms;
	int64_t room_atoms;
	int32_t *heap, n_heap, *bucket, n_buckets;
	pim_clause_list popped;
	double bump;
	float clause_bump;
	bool refuted, switches_only;
	bool *is_switch; /* per variable: two values when made */
	int32_t *phase;	 /* per variable: the value it had last */
	int64_t conflicts;
	int64_t restarts, most_learned;
};

enum { PIM_CLAUSE_NO_NEED = INT32_MIN };

static inline bool pim_clause_holds(const pim_clause_solver *s, pim_clause_literal l)
{
	return s->bound[l.bound].value >= l.at;
}

static inline bool pim_clause_fails(const pim_clause_solver *s, pim_clause_literal l)
{
	return s->bound[l.bound ^ 1].value >= 1 - l.at;
}

void pim_clause_list_add(pim_clause_list *l, int32_t v);

bool pim_clause_propagate_all(pim_clause_solver *s);
bool pim_clause_set(pim_clause_solver *s, int bound, int32_t at, pim_clause_reason why);
void pim_clause_decide(pim_clause_solver *s, pim_clause_literal l);
void pim_clause_backtrack(pim_clause_solver *s, int level);
int pim_clause_store(
	pim_clause_solver *s, int n, const pim_clause_literal *l, bool learned, int lbd);
void pim_clause_rewatch(pim_clause_solver *s); /* all clauses anew; at level 0 */

/* Turns the contradiction into s->learned (the literal to assert first); false: refuted. */
bool pim_clause_analyze(pim_clause_solver *s);

/* Activities (clause_search.c). */
void pim_clause_bump_literal(pim_clause_solver *s, pim_clause_literal l, bool make);
void pim_clause_restore_atoms(pim_clause_solver *s, int level);

#endif
