/* SPDX-License-Identifier: Apache-2.0 */
/* passes/place.h - the placement problem, between the pass `place` and its methods.
 *
 * A tenant is a node that needs units for a time, with those that share its walk; its slot i is the
 * i-th of them. A flow is all that one tenant reads of another, as trees: one slot sends the same
 * to several, or several send partial sums that are added up on the way to one. The cost of a
 * placement is the sum of bytes times links of these trees. Bytes are kept as double: sums stay
 * exact below 2^53. */
#ifndef PIM_PASSES_PLACE_H
#define PIM_PASSES_PLACE_H

#include "passes/pass.h"

typedef struct pim_message {
	int from, to; /* slots */
	double bytes;
} pim_message;

typedef struct pim_flow {
	int from, to;			/* tenants */
	const pim_node *reader; /* that reads its input so; NULL: made up */
	int input;
	int n_trees;
	pim_traffic_tree *tree;
	int n;
	/* The trees with each leaf by itself, which tells where slots are drawn: the further leaves of
	 * a tree pull less, since others share their way. Whole numbers. */
	pim_message *message;
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
	/* Units that can hold what they have keep to that (place_memory.h); NULL: nobody looks. */
	struct pim_place_memory *memory;
} pim_placement;

/* ---- place_problem.c ---- */
pim_placement *pim_placement_of(pim_graph *g, const pim_target *t, pim_arena *a);
/* For n tenants with node, times and n_units set and flows given: everything else. */
pim_placement *pim_placement_new(
	const pim_target *t, int n, pim_tenant *tenant, int n_flows, pim_flow *flow, pim_arena *a);
/* Tenants keep their units to themselves, whatever their times: makes all of them rivals. */
void pim_placement_part(pim_placement *p, pim_arena *a);
/* A flow of trees, which are the caller's to keep. */
pim_flow pim_flow_new(int from, int to, int from_slots, int to_slots, int n_trees,
	pim_traffic_tree *tree, pim_arena *a);
/* Is a flow all that n reads of its input on the machine too? Not of copies and constants, which
 * come from the nearest unit, nor of partial sums, whose shape depends on the units. */
bool pim_flow_tells(const pim_node *n, int input);
/* The units of all tenants, in memory of their own; into such memory; and back. */
int **pim_placement_units(const pim_placement *p, pim_arena *a);
void pim_placement_get_units(const pim_placement *p, int **unit);
void pim_placement_set_units(pim_placement *p, int *const *unit);
/* taken[unit]: used by a rival of tenant i that has its units already (unit[0] >= 0). */
void pim_placement_taken(const pim_placement *p, int i, bool *taken);
/* Groups: tenants on the same units that flows between equal slots tie together. root[tenant]: the
 * first of its group; those of root r are sorted[first[r] .. first[r + 1]). */
void pim_placement_groups(const pim_placement *p, int *root, int *first, int *sorted);

/* ---- place_trees.c: routes as they are on the machine, dimension by dimension ---- */
typedef struct pim_tree_counter pim_tree_counter;
pim_tree_counter *pim_tree_counter_new(const pim_target *t, pim_arena *a);
/* Links that one message and its copies take from a unit to n others; adds: that partial sums take
 * from these to it, one message for each link. In steps of n, on buses times the route. */
int64_t pim_tree_links(
	pim_tree_counter *c, const pim_traffic_tree *tree, const int *root_on, const int *leaf_on);
/* The same, link by link; room for all that the network has. */
int pim_tree_list(pim_tree_counter *c, const pim_traffic_tree *tree, const int *root_on,
	const int *leaf_on, int *link);
/* Bytes times links of a flow. */
double pim_flow_cost(pim_tree_counter *c, const pim_placement *p, const pim_flow *f);
double pim_placement_cost(const pim_placement *p);
/* Adds what the flow takes over each link to load[link]; gives its bytes times links. */
double pim_flow_load(pim_tree_counter *c, const pim_placement *p, const pim_flow *f, double *load);

/* ---- place_cost.c ---- */
/* No placement costs less. */
double pim_placement_bound(const pim_placement *p, pim_arena *scratch);

/* ---- place_group.c ---- */

typedef struct pim_place_group pim_place_group;
/* placed: by tenant; those that are not are left out of account. Both stay the caller's. */
pim_place_group *pim_place_group_new(pim_placement *p, const bool *placed, pim_arena *a);
/* Moves n tenants that have the same units to better ones; for one tenant, and for all whose
 * messages are to others, the best ones there are. False if they are no better. */
bool pim_place_group_move(pim_place_group *g, int n, const int *member, uint64_t *random);
/* Bytes times links of all flows; those are known that have not changed since they were counted. */
double pim_place_group_cost(pim_place_group *g);
/* A tenant has other units than pim_place_group_move gave it. */
void pim_place_group_forget(pim_place_group *g, int tenant);
/* Elementary steps so far, and answers and exchanges that were looked at. */
int64_t pim_place_group_work(const pim_place_group *g);
int64_t pim_place_group_tried(const pim_place_group *g);

/* ---- the methods; each keeps the placement before it where it finds no better one ---- */
void pim_place_structured(pim_placement *p);
void pim_place_greedy(pim_placement *p, pim_arena *scratch);
/* Adds the answers and exchanges it looked at to *tried. */
void pim_place_search(
	pim_placement *p, int rounds, uint64_t seed, int64_t *tried, pim_arena *scratch);

/* Exchanges slots of one tenant as long as that helps, looking at no more leaves of trees than
 * `steps`. The number that it did look at. */
int64_t pim_place_swap(pim_placement *p, int64_t steps, pim_arena *scratch);

/* Leaves and links that were looked at; bytes over the busiest link. */
typedef struct pim_relief {
	int64_t steps;
	double before, after;
} pim_relief;
/* Exchanges that leave the bytes times links as they are (or lower them) and take bytes off the
 * busiest links, looking at no more leaves and links than `steps`. */
pim_relief pim_place_load(pim_placement *p, int64_t steps, pim_arena *scratch);
/* No placement, with so many bytes times links in all, has less on its busiest link; on the machine
 * too (pim_flow_tells). */
double pim_placement_load_bound(const pim_placement *p, double byte_hops, pim_arena *scratch);

/* ---- place_shared.c ---- */
/* The pieces of constants that have layouts, each copy on neighbours among the units that read it.
 * bytes: what each unit holds beside, and then with them; fewer pieces than readers go where that
 * is least. NULL: to the first readers. */
void pim_place_shared(pim_graph *g, const pim_target *t, int64_t *bytes, pim_arena *a);

#endif
