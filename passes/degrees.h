/* SPDX-License-Identifier: Apache-2.0 */
/* passes/degrees.h - how many units a branch gets: the problem between the pass `assign-degrees`
 * and its solvers.
 *
 * A block is one branch set, or several equal ones: so many equal branches, the cycles of one on p
 * units, and the ways to hold the block's constants. Branches run in temporal layers, each as long
 * as its slowest branch, one after the other. */
#ifndef PIM_PASSES_DEGREES_H
#define PIM_PASSES_DEGREES_H

#include "passes/knapsack.h"
#include "targets/target.h"

enum { PIM_MAX_DEGREES = 16 };

typedef struct pim_block {
	int64_t branches;
	int equals; /* sets that this block stands for: their cycles and bytes count so often */
	int n_degrees;
	int degree[PIM_MAX_DEGREES];	 /* ascending, at most the units */
	double cycles[PIM_MAX_DEGREES];	 /* t(b,p), never more with more units */
	int n_shares;					 /* ways to hold the constants, at least 1 */
	pim_item share[PIM_MAX_DEGREES]; /* bytes on a unit (W/s), cycles of fetching (e) */
} pim_block;

typedef struct pim_degrees {
	int n, units;
	pim_block *block;
	int64_t memory; /* bytes of a unit that are left for constants */
} pim_degrees;

/* Temporal layers of one block: so many branches with each degree in each. */
typedef struct pim_layers {
	int n;
	int64_t (*x)[PIM_MAX_DEGREES];
} pim_layers;

/* ---- branch_latency.c ---- */

/* The problem of a graph that is split; block_of: by set, its block. Nothing is changed. */
pim_degrees *pim_degrees_of(pim_graph *g, const pim_target *t, int *block_of, pim_arena *a);

/* ---- degrees_cover.c ---- */

/* The least cycles in which all branches of a block are done, and layers that take them: exact.
 * Layers are from `a`; NULL: not asked. */
double pim_block_cover(const pim_block *b, int units, pim_layers *layers, pim_arena *a);
/* The least cycles when all layers have the same degree: which one that is, the
 * highest of equals: a branch need not use all units it gets.
 */
double pim_block_single(const pim_block *b, int units, int *which);
/* The cycles of layers; -1 when they leave a branch out or need too many units. */
double pim_layers_cycles(const pim_block *b, int units, const pim_layers *layers);

/* ---- degrees_ilp.c ---- */

/* The layers of one block by integer programming, from the layers given, which are replaced by
 * better ones. Gives the bound it proved, 0 for none; adds nodes of the search to *nodes. */
double pim_block_ilp(const pim_block *b, int units, double seconds, pim_layers *layers,
	int64_t *nodes, pim_arena *a);

typedef struct pim_degrees_answer {
	double value, bound;
	const char *status; /* optimal, feasible, limit, infeasible: the constants do not fit */
	int64_t nodes;
	pim_layers *layers; /* by block */
	int *share;			/* by block */
} pim_degrees_answer;

/* The whole model in one integer program where it has at most `most` variables; else block by
 * block, and the constants by the knapsack: no row joins the two, so the sum of the bounds is a
 * bound. An answer that does not stand a check of its own is not taken. */
pim_degrees_answer pim_degrees_solve(const pim_degrees *d, double seconds, int most, pim_arena *a);

#endif
