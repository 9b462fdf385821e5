/* SPDX-License-Identifier: Apache-2.0 */
/* passes/schedule.h - the scheduling problem, between the pass `schedule` and its solvers.
 *
 * A task is a chain of nodes; a mode is a number of units with the cycles the chain then takes. A
 * region is a run of tasks, in order, that starts after everything before it and ends before
 * everything behind it. Solvers work on one region, from time 0, and set `chosen` and `start`. */
#ifndef PIM_PASSES_SCHEDULE_H
#define PIM_PASSES_SCHEDULE_H

#include "passes/pass.h"

typedef struct pim_mode {
	int units, from_units; /* of the chain; at most, of the tasks whose values it reads */
	int64_t cycles;
} pim_mode;

typedef struct pim_task {
	int n_nodes, n_modes, n_before;
	pim_node **node;
	pim_mode *mode; /* fewer units and more cycles from one to the next */
	int *before;	/* tasks of the region that must be complete; all have smaller numbers */
	int chosen;		/* mode */
	int64_t start;
} pim_task;

typedef struct pim_region {
	int n, units; /* tasks; units of the machine, none of which two tasks use at a time */
	pim_task *task;
} pim_region;

/* ---- schedule_tasks.c: from a graph to regions ---- */

typedef struct pim_regions {
	int n;
	pim_region *region;
} pim_regions;
pim_regions pim_regions_of(pim_graph *g, const pim_target *t, pim_arena *a);
/* The cycles of a chain in a mode; when written, its nodes get units and times, from `start` on. */
typedef enum pim_chain_use { PIM_CHAIN_ask, PIM_CHAIN_write } pim_chain_use;
int64_t pim_chain_cycles(const pim_task *t, const pim_target *target, const pim_mode *m,
	pim_chain_use use, int64_t start);

/* ---- schedule_region.c: by the scheduling engine ---- */

/* Gives the region the best schedule of some priority rules; its cycles, and a bound of them. */
int64_t pim_region_list(pim_region *r, int64_t *bound);
/* How long a region is worked on: for so many seconds, so many rounds of search (0: no limit), or
 * until nothing can be shorter by more than this part of its cycles. */
typedef struct pim_region_effort {
	double seconds, gap;
	int64_t rounds;
} pim_region_effort;

/* Improves the schedule a region has; never makes it worse. Gives a proved bound of its cycles;
 * adds what it looked at to *steps. *settled: the gap is closed, or all rounds are done. */
int64_t pim_region_search(pim_region *r, pim_region_effort e, int64_t *steps, bool *settled);
/* Modes as chosen, tasks in the order of `start` moved to the earliest time; the cycles. */
int64_t pim_region_settle(pim_region *r, pim_arena *scratch);
/* The cycles of the region as it stands. */
int64_t pim_region_cycles(const pim_region *r);
/* No schedule is shorter. head[i]: cycles that must pass before i; tail[i]: after it; both with
 * each task's fastest mode. */
int64_t pim_region_bound(const pim_region *r, int64_t *head, int64_t *tail);

/* ---- schedule_ilp.c ---- */

/* As pim_region_search, by integer programming; a region too large for a model goes there. */
int64_t pim_region_ilp(
	pim_region *r, pim_region_effort e, int64_t *nodes, bool *settled, pim_arena *scratch);

#endif
