/* SPDX-License-Identifier: Apache-2.0 */
/* passes/assignment.h - the general placement engine: items on units, least traffic times distance.
 *
 * Every item goes to one unit; the weights of the items on a unit never exceed its capacity. The
 * cost of an assignment is the sum over all traffic of bytes times the distance of the two units,
 * plus bytes times links of every net's tree, plus the prices. Units stand on a mesh or torus of
 * up to three dimensions, or have a matrix of distances; all figures are whole numbers, so costs
 * are exact. With one item on a unit and dense traffic this is the quadratic assignment problem.
 *
 * Any-time: it keeps an assignment and a proved lower bound, and stops when they meet or time is
 * up. Deterministic: the steps of the search depend on problem and seed alone; the time limit only
 * ends them early, and with a limit on steps the clock has no say in the assignment.
 *
 *   assignment_problem.c   the problem, its distances, cost and check of an assignment
 *   assignment_tree.c      multicast and reduction trees, loads of links
 *   assignment_linear.c    the linear assignment problem, with a certificate
 *   assignment_auction.c   the same on a large grid, to a tolerance
 *   assignment_bound.c     lower bounds without search: Gilmore-Lawler, and one item at a time
 *   assignment_ascent.c    a stronger bound for small problems: dual ascent
 *   assignment_greedy.c    a first assignment
 *   assignment_dense.c     one item on a unit: the matrices, exchanges in O(1)
 *   assignment_tabu.c      robust tabu search on them
 *   assignment_evolve.c    many tabu runs that learn from each other
 *   assignment_sparse.c    many items: moves and exchanges along the traffic, annealed
 *   assignment_levels.c    large problems: clusters first
 *   assignment_balance.c   the busiest link as second criterion
 *   assignment.c           the order of all these */
#ifndef PIM_PASSES_ASSIGNMENT_H
#define PIM_PASSES_ASSIGNMENT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pim_assignment pim_assignment;

typedef enum pim_assignment_shape {
	PIM_ASSIGNMENT_mesh,
	PIM_ASSIGNMENT_torus
} pim_assignment_shape;

/* multicast: one root sends the same to all leaves; reduction: the leaves' bytes are added up on
 * their way to the root. Each link of the dimension-ordered tree carries the bytes once. */
typedef enum pim_assignment_net {
	PIM_ASSIGNMENT_multicast,
	PIM_ASSIGNMENT_reduction
} pim_assignment_net;

/* What the busiest link (on a mesh or torus) counts: nothing; only among assignments of the
 * least cost found; or as `link_weight` times its bytes, added to the cost. */
typedef enum pim_assignment_links {
	PIM_ASSIGNMENT_links_free,
	PIM_ASSIGNMENT_links_second,
	PIM_ASSIGNMENT_links_weighed
} pim_assignment_links;

typedef enum pim_assignment_status {
	PIM_ASSIGNMENT_optimal,	   /* cost == bound; links weighed: even with the busiest link */
	PIM_ASSIGNMENT_feasible,   /* bound <= optimum <= cost */
	PIM_ASSIGNMENT_infeasible, /* too little capacity, or no assignment found that keeps it */
	PIM_ASSIGNMENT_too_large   /* costs may pass 2^52 */
} pim_assignment_status;

/* unit has one entry per item and belongs to the problem; NULL when there is no assignment. */
typedef struct pim_assignment_answer {
	pim_assignment_status status;
	int64_t cost, bound;
	int64_t busiest; /* bytes over the busiest link; 0 where there are no links or they are free */
	int64_t steps;	 /* moves that the search looked at one by one */
	double seconds;
	const int *unit;
} pim_assignment_answer;

/* Called when a better assignment or a better bound is known; false stops the search. */
typedef bool pim_assignment_progress(void *user, const pim_assignment_answer *now);

typedef struct pim_assignment_options {
	double seconds; /* of wall time */
	uint64_t seed;
	int64_t steps; /* most moves, 0 for no limit; as many again for the busiest link */
	pim_assignment_links links;
	int64_t link_weight;
	pim_assignment_progress *on_progress; /* may be NULL */
	void *user;
} pim_assignment_options;

/* Units on a grid; unit = (z * size[1] + y) * size[0] + x, each with capacity 1. */
pim_assignment *pim_assignment_new(pim_assignment_shape s, const int size[3]);
/* Units with distance[from * units + to] >= 0 (copied); nets cannot be added. */
pim_assignment *pim_assignment_new_matrix(int units, const int64_t *distance);
void pim_assignment_free(pim_assignment *p);
/* 0: nothing can stand there. */
void pim_assignment_set_capacity(pim_assignment *p, int unit, int64_t capacity);
/* Index of the new item, from 0. */
int pim_assignment_add_item(pim_assignment *p, int64_t weight);
void pim_assignment_fix(pim_assignment *p, int item, int unit);
/* Adds a price of having the item on the unit. */
void pim_assignment_add_price(pim_assignment *p, int item, int unit, int64_t price);
void pim_assignment_add_traffic(pim_assignment *p, int from, int to, int64_t bytes);
void pim_assignment_add_net(
	pim_assignment *p, pim_assignment_net kind, int root, int n, const int *leaf, int64_t bytes);
/* An assignment to begin with; false if it is not feasible. */
bool pim_assignment_begin_with(pim_assignment *p, const int *unit);

pim_assignment_answer pim_assignment_solve(pim_assignment *p, const pim_assignment_options *o);

/* True if units exist, capacities and fixed items are kept; the cost in *cost. */
bool pim_assignment_check(const pim_assignment *p, const int *unit, int64_t *cost);
/* Bytes over the busiest link of the dimension-ordered routes; 0 with a matrix. */
int64_t pim_assignment_busiest(const pim_assignment *p, const int *unit);

/* ---- linear assignment (assignment_linear.c) ---- */

/* Least sum of cost[i * n + column[i]] over all permutations. row and col get prices with
 * row[i] + col[j] <= cost[i * n + j] everywhere and equality at (i, column[i]): their sum is the
 * least cost, which proves it. Costs within +-2^52 / n. */
int64_t pim_linear_assignment(int n, const int64_t *cost, int *column, int64_t *row, int64_t *col);

/* ---- the same where costs are hops on a grid (assignment_auction.c) ---- */

/* Rows that each take a unit of their own. Row i has size[0] + size[1] + size[2] figures, whole
 * numbers: its cost on a unit is the sum of those of the unit's x, y and z. */
typedef struct pim_grid_costs {
	int rows, size[3];
	const double *cost;
	const bool *taken; /* [unit]: not to be had; at least as many are left as there are rows */
} pim_grid_costs;

typedef struct pim_auction_answer {
	double cost, bound; /* no assignment costs less than the bound */
	int64_t steps;		/* figures that were looked at */
} pim_auction_answer;

/* unit[row] such that the bound is at most tolerance * cost below the cost; 0: the least cost.
 * Entries behind the rows get the units that are left over. */
pim_auction_answer pim_auction(const pim_grid_costs *g, double tolerance, int *unit);

#endif
