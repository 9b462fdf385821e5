/* SPDX-License-Identifier: Apache-2.0 */
/* layout_search.h - the tables that the search for layouts (layout_front.c) reads. */
#ifndef PIM_PASSES_LAYOUT_SEARCH_H
#define PIM_PASSES_LAYOUT_SEARCH_H

#include "passes/pass.h"

/* Costs from each seen state of a producer (row) to each own state of a reader, or for a relayout
 * from each own state to each seen one; worked out when first asked for. One per unlike pair. */
typedef struct edge_table edge_table;

/* Which bytes of a constant have a price: those on the fullest unit, or on a unit on average. With
 * the latter the least cost less price * memory bounds that of every plan that fits. */
typedef enum pim_weighs { PIM_WEIGHS_fullest, PIM_WEIGHS_mean } pim_weighs;

struct pim_layout_search {
	pim_graph *graph;
	const pim_target *target;
	pim_arena *arena;
	int n_ids;
	pim_states **states; /* by id */
	edge_table ***edge;	 /* by id, then input; NULL where nothing is fetched */
	edge_table **move;	 /* by id: relayout of own result */
	int *last;			 /* by id: position of the last user */
	int *readers;		 /* by id: inputs of nodes that it is */
	pim_weighs weighs;
	int64_t reserve;	/* bytes of every unit's memory that plans must leave */
	bool spreads;		/* constants are where most room is, not on the first units */
	bool prices_values; /* bytes of values have the price of constants' bytes too */
};

const pim_edge *pim_layout_edge(const pim_layout_search *s, edge_table *e, int from, int to);
pim_layout_plan *pim_layout_plan_new(const pim_layout_search *s);

/* Costs of a plan, in parts of a cycle that doubles add exactly, when a byte has a price: of a
 * state, of a relayout of n from one state to another, and of what a reader fetches. */
double pim_layout_state_cost(const pim_layout_search *s, double price, const pim_state *state);
double pim_layout_move_cost(
	const pim_layout_search *s, double price, const pim_node *n, int from, int to);
double pim_layout_fetch_cost(const pim_layout_search *s, edge_table *e, int from, int to);

/* ---- layout_dual.c ---- */
/* Makes the plan better if it can, and proves a bound: value, bound, optimal and states are set. */
void pim_layout_dual_improve(pim_layout_search *s, double price, pim_layout_plan *p);
/* ---- layout_share.c ---- */
/* Finds how the constants of n in an own state may be shared; readers: by id, how many inputs of
 * nodes a constant is. weight_bytes becomes exact: equal boxes on a unit count once. */
void pim_state_find_shares(
	const pim_target *t, const pim_node *n, const int *readers, pim_state *s, pim_arena *a);
/* Cycles to fetch so many bytes in so many messages from the units of a compact group. */
double pim_share_cycles(const pim_target *t, int64_t messages, int64_t bytes);
double pim_share_weight(const pim_layout_search *s, const pim_share *share);
/* The way that costs least when a byte costs `price`; of equal ones the lowest degree. */
const pim_share *pim_share_choose(
	const pim_layout_search *s, const pim_sharing *sharing, double price);
/* All constants, for the states the plan has chosen. */
void pim_layout_plan_share(const pim_layout_search *s, pim_layout_plan *p, double price);

/* Fills in cycles and bytes of a plan whose states are chosen. */
void pim_layout_plan_add_up(const pim_layout_search *s, pim_layout_plan *p);

#endif
