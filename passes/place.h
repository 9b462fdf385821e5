/* SPDX-License-Identifier: Apache-2.0 */
/* passes/place.h - the placement problem, between the pass `place` and its methods.
 *
 * A tenant is a node that needs units for a time, with those that share its walk; its slot i is the
 * i-th of them. A flow is all
 * that one tenant reads of another, as messages between slots. The cost of a placement is the sum
 * of bytes times hops. Bytes are kept as double: sums stay exact below 2^53. */
#ifndef PIM_PASSES_PLACE_H
#define PIM_PASSES_PLACE_H

#include "passes/pass.h"

typedef struct pim_message {
	int from, to; /* slots */
	double bytes;
} pim_message;

typedef struct pim_flow {
	int from, to; /* tenants */
	int n;
	pim_message *message; /* one for each pair of slots that exchange anything */
	bool even;		   /* every slot sends the same to every slot: only the sets of units matter */
	double bytes, own; /* of all messages; of those between equal slots */
} pim_flow;

typedef struct pim_tenant {
	pim_node *node;
	int64_t start, end;
	int n_units, *unit;
	int n_flows, *flow;	  /* flows from and to it */
	int n_rivals, *rival; /* tenants that run at the same time: their units are taken */
} pim_tenant;

typedef struct pim_placement {
	const pim_target *target;
	int units;
	int *hops; /* [from * units + to] */
	int n, n_flows;
	pim_tenant *tenant; /* in order of start */
	pim_flow *flow;
	bool apart; /* tenants share no units at all */
} pim_placement;

/* ---- place_problem.c ---- */
pim_placement *pim_placement_of(pim_graph *g, const pim_target *t, pim_arena *a);
/* For n tenants with node, times and n_units set and flows given: everything else. */
pim_placement *pim_placement_new(
	const pim_target *t, int n, pim_tenant *tenant, int n_flows, pim_flow *flow, pim_arena *a);
/* Tenants keep their units to themselves, whatever their times: makes all of them rivals. */
void pim_placement_part(pim_placement *p, pim_arena *a);
/* Keeps what matters of a flow's matrix [from slot * to slots + to slot]. */
pim_flow pim_flow_new(
	int from, int to, int from_slots, int to_slots, const double *bytes, pim_arena *a);
/* taken[unit]: used by a rival of tenant i that has its units already (unit[0] >= 0). */
void pim_placement_taken(const pim_placement *p, int i, bool *taken);

/* ---- place_cost.c ---- */
double pim_placement_cost(const pim_placement *p);
/* No placement costs less. */
double pim_placement_bound(const pim_placement *p, pim_arena *scratch);
/* Bytes over the busiest link. */
double pim_placement_busiest(const pim_placement *p, pim_arena *scratch);

/* ---- place_group.c ---- */

typedef struct pim_place_group pim_place_group;
/* placed: by tenant; those that are not are left out of account. Both stay the caller's. */
pim_place_group *pim_place_group_new(pim_placement *p, const bool *placed, pim_arena *a);
/* Moves n tenants that have the same units to better ones; for one tenant, and for all whose
 * messages are to others, the best ones there are. False if they are no better. */
bool pim_place_group_move(pim_place_group *g, int n, const int *member, uint64_t *random);
/* Elementary steps so far, and answers and exchanges that were looked at. */
int64_t pim_place_group_work(const pim_place_group *g);
int64_t pim_place_group_tried(const pim_place_group *g);

/* ---- the methods; each keeps the placement before it where it finds no better one ---- */
void pim_place_structured(pim_placement *p);
void pim_place_greedy(pim_placement *p, pim_arena *scratch);
/* Adds the answers and exchanges it looked at to *tried. */
void pim_place_search(
	pim_placement *p, int rounds, uint64_t seed, int64_t *tried, pim_arena *scratch);

/* ---- place_shared.c ---- */
/* The pieces of constants that have layouts, each copy on neighbours among the units that read it.
 */
void pim_place_shared(pim_graph *g, const pim_target *t, pim_arena *a);

#endif
