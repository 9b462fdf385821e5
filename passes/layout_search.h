/* SPDX-License-Identifier: Apache-2.0 */
/* layout_search.h - the tables that the search for layouts (layout_front.c) reads. */
#ifndef PIM_PASSES_LAYOUT_SEARCH_H
#define PIM_PASSES_LAYOUT_SEARCH_H

#include "passes/pass.h"

/* Costs from each seen state of a producer (row) to each own state of a reader, or for a relayout
 * from each own state to each seen one; worked out when first asked for. One per unlike pair. */
typedef struct edge_table edge_table;

struct pim_layout_search {
	pim_graph *graph;
	const pim_target *target;
	pim_arena *arena;
	int n_ids;
	const pim_states **states; /* by id */
	edge_table ***edge;		   /* by id, then input; NULL where nothing is fetched */
	edge_table **move;		   /* by id: relayout of own result */
	int *last;				   /* by id: position of the last user */
	bool prices_values;		   /* bytes of values have the price of constants' bytes too */
};

const pim_edge *pim_layout_edge(const pim_layout_search *s, edge_table *e, int from, int to);
pim_layout_plan *pim_layout_plan_new(const pim_layout_search *s);
/* Fills in cycles and bytes of a plan whose states are chosen. */
void pim_layout_plan_add_up(const pim_layout_search *s, pim_layout_plan *p);

#endif
