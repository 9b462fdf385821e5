/* SPDX-License-Identifier: Apache-2.0 */
/* passes/scheduling_state.h - what the files scheduling*.c share of a problem. */
#ifndef PIM_PASSES_SCHEDULING_STATE_H
#define PIM_PASSES_SCHEDULING_STATE_H

#include "passes/scheduling.h"

typedef struct pim_scheduling_mode {
	int64_t duration;
	int64_t *demand;
	int given; /* the index it was given; modes that never fit are left out, shorter ones first */
} pim_scheduling_mode;

/* start[to] >= start[from] + lag, and from's duration as well if from_end. */
typedef struct pim_scheduling_arc {
	int from, to;
	int64_t lag;
	bool from_end;
} pim_scheduling_arc;

/* head: least start; tail: least time from its start to the end of all. in, out: arcs. */
typedef struct pim_scheduling_task {
	int64_t release, head, tail;
	int n_given, n_modes;
	int64_t room_modes;
	pim_scheduling_mode *mode;
	int n_in, n_out;
	int *in, *out;
} pim_scheduling_task;

struct pim_scheduling {
	int n_resources;
	int64_t room_resources;
	int64_t *capacity;
	int n_tasks;
	int64_t room_tasks;
	pim_scheduling_task *task;
	int n_arcs;
	int64_t room_arcs;
	pim_scheduling_arc *arc;
	int *order; /* of tasks, arcs forwards; set by pim_scheduling_prepare */
	int *links; /* the arrays in and out of all tasks */
	bool prepared, possible;
	/* the best schedule; mode counts the sorted modes, given_mode the given ones */
	bool known;
	int64_t value, bound;
	int64_t *start;
	int *mode, *given_mode;
};

/* A clock and a source of random numbers. */
typedef struct pim_scheduling_run {
	pim_scheduling *p;
	const pim_scheduling_options *o;
	double from, until;
	uint64_t random;
	int64_t steps;
	bool stopped;
} pim_scheduling_run;

uint32_t pim_scheduling_random(pim_scheduling_run *r, uint32_t below);
bool pim_scheduling_time_is_up(pim_scheduling_run *r);
/* A schedule (sorted modes) and a bound; kept if better; tells the caller. */
void pim_scheduling_offer(
	pim_scheduling_run *r, const int64_t *start, const int *mode, int64_t value);
void pim_scheduling_raise_bound(pim_scheduling_run *r, int64_t bound);
bool pim_scheduling_is_done(const pim_scheduling_run *r);

/* Sorts modes and tasks, finds heads and tails; false if there is no schedule. */
bool pim_scheduling_prepare(pim_scheduling *p);

static inline int64_t pim_scheduling_delay(const pim_scheduling_arc *a, int64_t duration_of_from)
{
	return a->lag + (a->from_end ? duration_of_from : 0);
}

static inline int64_t pim_scheduling_duration(const pim_scheduling *p, const int *mode, int i)
{
	return p->task[i].mode[mode[i]].duration;
}

/* scheduling_bounds.c */
int64_t pim_scheduling_bound(const pim_scheduling *p);

/* scheduling_list.c: the generator of schedules and its memory. */
typedef struct pim_scheduling_list pim_scheduling_list;
pim_scheduling_list *pim_scheduling_list_new(const pim_scheduling *p);
void pim_scheduling_list_free(pim_scheduling_list *l);
/* Starts every task as early as it fits, in the order of keys; the makespan. */
int64_t pim_scheduling_list_forward(
	pim_scheduling_list *l, const int64_t *key, const int *mode, int64_t *start);
/* The same with a choice of modes, written to mode: the one in which the task ends first, of those
 * that take at most 1/share of every resource (or the last one, if none does). */
int64_t pim_scheduling_list_choose(
	pim_scheduling_list *l, const int64_t *key, int share, int *mode, int64_t *start);
/* Right-justifies, then left-justifies the schedule; the makespan. */
int64_t pim_scheduling_list_justify(pim_scheduling_list *l, const int *mode, int64_t *start);

/* Sorts tasks by key, ties as they stand; scratch holds n. */
void pim_scheduling_sort(int *order, int n, const int64_t *key, int *scratch);

/* scheduling_local.c: a population of schedules. */
typedef struct pim_scheduling_local pim_scheduling_local;
pim_scheduling_local *pim_scheduling_local_new(pim_scheduling_run *r);
void pim_scheduling_local_free(pim_scheduling_local *l);
void pim_scheduling_local_work(pim_scheduling_local *l, int64_t schedules);

/* scheduling_swap.c: walks over machine orders. NULL if resources are not machines. */
typedef struct pim_scheduling_swap pim_scheduling_swap;
pim_scheduling_swap *pim_scheduling_swap_new(pim_scheduling_run *r);
void pim_scheduling_swap_free(pim_scheduling_swap *s);
void pim_scheduling_swap_work(pim_scheduling_swap *s, int64_t steps);

/* scheduling_search.c: the exact search. */
typedef struct pim_scheduling_search pim_scheduling_search;
/* NULL if the problem is too large for it. */
pim_scheduling_search *pim_scheduling_search_new(pim_scheduling_run *r);
void pim_scheduling_search_free(pim_scheduling_search *s);
/* Looks for a better schedule (from the top) or for a better bound (from the bottom). */
void pim_scheduling_search_down(pim_scheduling_search *s, int64_t conflicts);
void pim_scheduling_search_up(pim_scheduling_search *s, int64_t conflicts);
/* Contradictions so far. */
int64_t pim_scheduling_search_conflicts(const pim_scheduling_search *s);

#endif
