/* SPDX-License-Identifier: Apache-2.0 */
/* passes/knapsack.h - the multiple-choice knapsack: one item of every class, least cost, limited
 * weight. */
#ifndef PIM_PASSES_KNAPSACK_H
#define PIM_PASSES_KNAPSACK_H

#include "ir/ir.h"

typedef struct pim_item {
	int64_t weight; /* at least 0 */
	double cost;	/* finite */
} pim_item;

typedef struct pim_item_class {
	int n; /* at least 1 */
	const pim_item *item;
} pim_item_class;

typedef struct pim_knapsack_answer {
	bool feasible;		 /* the lightest items together are not too heavy */
	double value, bound; /* bound <= least cost <= value; equal when proved */
	int64_t weight;
	int *chosen;   /* by class */
	int64_t looks; /* partial choices looked at */
} pim_knapsack_answer;

/* One item of each of n classes, of total weight at most `capacity`, at least cost. At most `room`
 * partial choices are kept after a class; only when more would be needed, the answer may not be
 * proved. The answer is from `a`. */
pim_knapsack_answer pim_knapsack_solve(
	int n, const pim_item_class *class, int64_t capacity, int64_t room, pim_arena *a);

#endif
