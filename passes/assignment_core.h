/* SPDX-License-Identifier: Apache-2.0 */
/* passes/assignment_core.h - what the files assignment*.c share. */
#ifndef PIM_PASSES_ASSIGNMENT_CORE_H
#define PIM_PASSES_ASSIGNMENT_CORE_H

#include "ir/ir.h"
#include "ir/random.h"
#include "passes/assignment.h"

/* Traffic of an item with another. Where distances are symmetric, both ways are in `to`. */
typedef struct assignment_edge {
	int other;
	int64_t to, from;
} assignment_edge;

typedef struct assignment_net {
	pim_assignment_net kind;
	int n, *item; /* item[0] is the root */
	int64_t bytes;
} assignment_net;

typedef struct assignment_traffic {
	int from, to;
	int64_t bytes;
} assignment_traffic;

typedef struct assignment_price {
	int item, unit;
	int64_t price;
} assignment_price;

struct pim_assignment {
	pim_arena *arena;
	pim_assignment_shape shape;
	int units, size[3];
	int *at[3];		   /* [unit]: coordinates, on a grid */
	int *way[3];	   /* [size - 1 + difference]: hops along a dimension, on a grid */
	int64_t *distance; /* [from * units + to], NULL on a grid */
	bool symmetric;
	int64_t furthest;
	int64_t *capacity; /* [unit] */

	int n, items_room;
	int64_t *weight; /* [item] */
	int *fixed;		 /* [item]: unit or -1 */
	int n_traffic, traffic_room;
	assignment_traffic *traffic;
	int n_prices, prices_room;
	assignment_price *price_list;
	int n_nets, nets_room;
	assignment_net *net;
	int *begin; /* [item], or NULL */

	/* Made by assignment_prepare from the lists above. */
	bool prepared;
	assignment_edge *edge; /* those of item i: first[i] .. first[i + 1] - 1, sorted by other */
	int *first;
	int64_t **price;		 /* [item][unit]; NULL for an item without prices */
	int *net_first, *net_of; /* nets that an item is in, each once */
};

/* The run of a solve: clock, best, and when to stop. */
typedef struct assignment_run {
	pim_assignment *p;
	const pim_assignment_options *options;
	double begin, until;	   /* seconds of the clock */
	int64_t steps, most_steps; /* 0: no limit */
	bool stop;
	int *best; /* [item], in the problem's arena */
	bool has_best;
	int64_t cost, bound;
	int64_t grain; /* divides every cost */
} assignment_run;

/* True when time, steps or the caller says stop, or cost meets bound. */
bool assignment_done(assignment_run *r);
/* The same, but for cost and bound. */
bool assignment_time_is_up(assignment_run *r);
/* Keeps unit[] if it is better than the best; cost is exact. */
void assignment_offer(assignment_run *r, const int *unit, int64_t cost);
void assignment_raise_bound(assignment_run *r, int64_t bound);

/* 0 .. n - 1 */
static inline int assignment_draw(uint64_t *state, int n)
{
	return (int)(((pim_random(state) >> 32) * (uint64_t)n) >> 32);
}
/* 0 <= x < 1 */
static inline double assignment_fraction(uint64_t *state)
{
	return (double)(pim_random(state) >> 11) * 0x1p-53;
}

/* ---- assignment_problem.c ---- */
void assignment_prepare(pim_assignment *p);
/* False when a cost may pass 2^52. */
bool assignment_fits(const pim_assignment *p);
int64_t assignment_cost(const pim_assignment *p, const int *unit);
/* A problem like p (units, distances, capacities shared) without items. */
pim_assignment *assignment_same_units(const pim_assignment *p);

static inline int64_t assignment_distance(const pim_assignment *p, int u, int v)
{
	if (p->distance)
		return p->distance[(size_t)u * (size_t)p->units + (size_t)v];
	return p->way[0][p->at[0][v] - p->at[0][u]] + p->way[1][p->at[1][v] - p->at[1][u]] +
		   p->way[2][p->at[2][v] - p->at[2][u]];
}
/* Cost of edge e of an item on u whose other end is on v. */
static inline int64_t assignment_edge_cost(
	const pim_assignment *p, const assignment_edge *e, int u, int v)
{
	int64_t cost = e->to * assignment_distance(p, u, v);
	return p->symmetric ? cost : cost + e->from * assignment_distance(p, v, u);
}

/* ---- assignment_tree.c ---- */
typedef struct assignment_tree assignment_tree;
assignment_tree *assignment_tree_new(const pim_assignment *p, pim_arena *a);
/* Links of the net's tree, when its members are on unit[]. */
int64_t assignment_tree_links(assignment_tree *t, const assignment_net *net, const int *unit);
/* Adds `bytes` (may be negative) to load[unit * 6 + direction] for every link used. */
void assignment_load_tree(
	assignment_tree *t, const assignment_net *net, const int *unit, int64_t sign, int64_t *load);
void assignment_load_route(const pim_assignment *p, int from, int to, int64_t bytes, int64_t *load);

/* ---- assignment_linear.c ---- */

/* As pim_linear_assignment, in memory that the caller has: 24 bytes for each of n. */
int64_t assignment_linear(
	int n, const int64_t *cost, int *column, int64_t *row, int64_t *col, void *scratch);

/* ---- assignment_bound.c, assignment_ascent.c ---- */
int64_t assignment_bound_by_item(const pim_assignment *p, pim_arena *scratch);
/* One item per unit, as matrices. */
typedef struct assignment_dense assignment_dense;
int64_t assignment_bound_gilmore_lawler(const assignment_dense *d, pim_arena *scratch);
/* Raises the run's bound; stops after `seconds` of the clock or when nothing helps. */
void assignment_ascend(assignment_run *r, const assignment_dense *d, double until);

/* ---- assignment_dense.c ---- */

/* The problem as matrices: n items (the last ones empty, when there are more units) on n units,
 * cost = constant + sum price + sum over t < terms, pairs i < j of flow[t][i,j] * far[t][pi,pj].
 * One term where flow or distances are symmetric; else two, the second being both transposed. */
struct assignment_dense {
	int n, real; /* items real..n-1 are empty; items and units of the problem that are fixed are
					gone */
	int terms;
	int64_t *flow[2], *far[2]; /* [n * n], diagonals 0 */
	int64_t *price;			   /* [item * n + unit], or NULL */
	int64_t constant;
	int64_t most; /* no cost or delta is larger */
	int *item;	  /* [i]: item of the problem, -1 for an empty one */
	int *unit;	  /* [u]: unit of the problem */
};

/* NULL when more than one item fits on a unit, there are nets, or more than `most` units. */
assignment_dense *assignment_dense_of(const pim_assignment *p, int most, pim_arena *a);
int64_t assignment_dense_cost(const assignment_dense *d, const int *at);
/* From an assignment of the problem, and back. */
void assignment_dense_read(const assignment_dense *d, const int *unit, int *at);
void assignment_dense_write(
	const assignment_dense *d, const pim_assignment *p, const int *at, int *unit);

/* ---- assignment_tabu.c ---- */
typedef struct assignment_tabu assignment_tabu;
assignment_tabu *assignment_tabu_new(const assignment_dense *d, pim_arena *a);
void assignment_tabu_start(assignment_tabu *t, const int *at);
/* Exchanges items u < v, u < real. */
void assignment_tabu_exchange(assignment_tabu *t, int u, int v);
/* What that would change, from the table. */
int64_t assignment_tabu_change(const assignment_tabu *t, int u, int v);
/* Starts at at[]; makes `moves` moves (fewer when the run is done); leaves the best in at[] and
 * returns its cost. */
int64_t assignment_tabu_run(
	assignment_tabu *t, assignment_run *r, int *at, int64_t moves, uint64_t *random);

/* ---- the rest ---- */
void assignment_evolve(assignment_run *r, const assignment_dense *d, uint64_t seed);
/* False when no room was found for an item; unit[] then holds -1 for it. */
bool assignment_greedy(const pim_assignment *p, int *unit, pim_arena *scratch);
/* Moves items from overfull units to the nearest with room; false if some stay overfull. */
bool assignment_repair(const pim_assignment *p, int *unit, pim_arena *scratch);
/* Temperatures in cost units. fine: per weight that a unit is overfull. */
typedef struct assignment_heat {
	double hot, cold, fine;
	int64_t tries;
} assignment_heat;
/* Anneals unit[] in place; what it leaves there is the least overfull, then the cheapest that it
 * met, whose cost is returned. slack: weight that each unit may be overfull by. */
int64_t assignment_anneal(assignment_run *r, const pim_assignment *p, int *unit,
	const assignment_heat *h, int64_t slack, uint64_t *random);
/* What it changes, without nets, when i moves to unit v and j (or none: -1) from there to i's. */
int64_t assignment_change(const pim_assignment *p, const int *unit, int i, int j, int v);
/* A measure for temperatures: the mean size of what a move of one item to a neighbour changes. */
double assignment_roughness(const pim_assignment *p, const int *unit, uint64_t *random);
void assignment_levels(assignment_run *r, uint64_t seed);
void assignment_balance(assignment_run *r);

#endif
