/* SPDX-License-Identifier: Apache-2.0 */
/* passes/scheduling.h - the general scheduling engine: tasks, delays, resources, modes; least
 * makespan.
 *
 * A task runs once, in one of its modes, without a break. A mode is a duration and a demand of
 * every resource, held from start to end. A resource is renewable: the demands of the tasks that
 * run at one time never exceed its capacity. The engine knows nothing of graphs and machines.
 *
 * Any-time: it keeps a schedule and a proved lower bound, and stops when they meet or time is up.
 * Deterministic: the steps depend on problem and seed alone; the limit only ends them early.
 *
 *   scheduling_problem.c    the problem, its paths, the check of a schedule
 *   scheduling_bounds.c     lower bounds without search
 *   scheduling_list.c       schedule generation from an order, and its justification
 *   scheduling_local.c      genetic search over orders and modes
 *   scheduling_swap.c       tabu search over machine orders, where every resource is a machine
 *   scheduling_propagate.c  what resources and delays say about start times, with reasons
 *   scheduling_energy.c     what work between two points of time says, with reasons
 *   scheduling_search.c     the exact search on clause.h, top down and bottom up
 *   scheduling.c            the order of all these */
#ifndef PIM_PASSES_SCHEDULING_H
#define PIM_PASSES_SCHEDULING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pim_scheduling pim_scheduling;

typedef enum pim_scheduling_status {
	PIM_SCHEDULING_optimal,	  /* value == bound */
	PIM_SCHEDULING_feasible,  /* a schedule; bound <= optimum <= value */
	PIM_SCHEDULING_infeasible /* delays form a cycle, or a task has no mode that fits */
} pim_scheduling_status;

/* start and mode have one entry per task and belong to the problem. */
typedef struct pim_scheduling_answer {
	pim_scheduling_status status;
	int64_t value, bound;
	double seconds;
	int64_t steps; /* schedules made and contradictions met; counted when the search ends */
	const int64_t *start;
	const int *mode;
} pim_scheduling_answer;

/* Called when a better schedule or a better bound is known; false stops the search. */
typedef bool pim_scheduling_progress(void *user, const pim_scheduling_answer *now);

typedef struct pim_scheduling_options {
	double seconds; /* of wall time */
	double gap;		/* enough when nothing can be shorter by more than this part of the schedule */
	uint64_t seed;
	int64_t steps; /* most rounds of search, 0 for no limit: a limit that does not depend on time */
	bool rules_only; /* a few dozen schedules from priority rules, whatever the time */
	pim_scheduling_progress *on_progress; /* may be NULL */
	void *user;
} pim_scheduling_options;

pim_scheduling *pim_scheduling_new(void);
void pim_scheduling_free(pim_scheduling *p);
/* Index of the new resource, from 0. Resources come before modes. */
int pim_scheduling_add_resource(pim_scheduling *p, int64_t capacity);
/* Index of the new task, from 0; it starts at `release` or later. */
int pim_scheduling_add_task(pim_scheduling *p, int64_t release);
/* Index of the new mode of the task, from 0. demand has one entry per resource. */
int pim_scheduling_add_mode(
	pim_scheduling *p, int task, int64_t duration, int n_demands, const int64_t *demand);
/* start[after] >= end[before] + lag; lag may be negative. */
void pim_scheduling_add_precedence(pim_scheduling *p, int before, int after, int64_t lag);
/* start[after] >= start[before] + delay; delay may be negative. */
void pim_scheduling_add_delay(pim_scheduling *p, int before, int after, int64_t delay);
/* A schedule to begin with: starts and modes of all tasks; false if it is not feasible. */
bool pim_scheduling_begin_with(pim_scheduling *p, const int64_t *start, const int *mode);

pim_scheduling_answer pim_scheduling_solve(pim_scheduling *p, const pim_scheduling_options *o);

/* True if the schedule keeps every delay, release and capacity; its makespan in *makespan. */
bool pim_scheduling_check(
	const pim_scheduling *p, const int64_t *start, const int *mode, int64_t *makespan);

#endif
