/* SPDX-License-Identifier: Apache-2.0 */
/* passes/scheduling_propagate.h - a resource as propagators of start times:
 * its profile (scheduling_propagate.c) and its energy (scheduling_energy.c). */
#ifndef PIM_PASSES_SCHEDULING_PROPAGATE_H
#define PIM_PASSES_SCHEDULING_PROPAGATE_H

#include <stddef.h>

#include "passes/clause.h"
#include "passes/scheduling_state.h"

/* A task on the resource: variables, figures per mode, and what the run in progress sees. */
typedef struct pim_scheduling_part {
	int start, mode;
	int32_t *duration, *demand;
	int32_t d, q, low, high;
} pim_scheduling_part;

typedef struct pim_scheduling_resource {
	int n;
	int32_t capacity;
	bool one_at_a_time; /* no two demands fit */
	pim_scheduling_part *part;
	int *by_begin, *by_end; /* orders of sure parts, kept from run to run */
	int n_segments;
	int32_t *time, *height; /* segment x lasts from time[x] to time[x + 1] */
	int32_t top;
	int32_t *numbers;
	struct pim_scheduling_energy *energy;
} pim_scheduling_resource;

/* Ties resource r to start variables and mode variables (-1: one mode), one of each per task. */
pim_scheduling_resource *pim_scheduling_resource_new(
	pim_clause_solver *s, const pim_scheduling *p, int r, const int *start, const int *mode);
void pim_scheduling_resource_free(pim_scheduling_resource *c);

/* What both propagators share. */
void pim_scheduling_read_parts(pim_scheduling_resource *c, const pim_clause_solver *s);
void pim_scheduling_because_of_mode(pim_clause_solver *s, const pim_scheduling_part *k);

typedef struct pim_scheduling_energy pim_scheduling_energy;
pim_scheduling_energy *pim_scheduling_energy_new(pim_scheduling_resource *c, int n_tasks);
void pim_scheduling_energy_free(pim_scheduling_energy *e);
bool pim_scheduling_energy_run(void *self, pim_clause_solver *s);

#endif
