/* SPDX-License-Identifier: Apache-2.0 */
/* passes/scheduling_propagate.h - a resource as a propagator of start times. */
#ifndef PIM_PASSES_SCHEDULING_PROPAGATE_H
#define PIM_PASSES_SCHEDULING_PROPAGATE_H

#include "passes/clause.h"
#include "passes/scheduling_state.h"

typedef struct pim_scheduling_resource pim_scheduling_resource;

/* Ties resource r to start variables and mode variables (-1: one mode), one of each per task. */
pim_scheduling_resource *pim_scheduling_resource_new(
	pim_clause_solver *s, const pim_scheduling *p, int r, const int *start, const int *mode);
void pim_scheduling_resource_free(pim_scheduling_resource *c);

#endif
