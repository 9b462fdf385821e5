/* SPDX-License-Identifier: Apache-2.0 */
/* place_greedy - binds each tenant, in order of start, to the units that cost least.
 *
 * Least to the partners that are bound already, as a linear assignment of all its slots at once.
 * Tenants without bound partners stay where they were if that is free. Cost: tenants * units^3 at
 * worst. Source: Allspark's second stage (arXiv 2403.15069) binds slot by slot as its abstract
 * describes it. */
#include "passes/place.h"

static void bind_all(pim_placement *p)
{
	pim_arena *scratch = pim_arena_new();
	bool *bound = PIM_NEW(scratch, bool, p->n);
	pim_place_group *g = pim_place_group_new(p, bound, scratch);
	uint64_t random = 0;
	for (int i = 0; i < p->n; i++) {
		pim_place_group_move(g, 1, &i, &random);
		bound[i] = true;
	}
	pim_arena_free(scratch);
}

void pim_place_greedy(pim_placement *p, pim_arena *scratch)
{
	double before = pim_placement_cost(p);
	int **old = pim_placement_units(p, scratch);
	bind_all(p);
	if (pim_placement_cost(p) >= before)
		pim_placement_set_units(p, old);
}
