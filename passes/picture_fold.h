/* SPDX-License-Identifier: Apache-2.0 */
/* passes/picture_fold.h - which nodes of a graph a picture shows: repeated structure once. */
#ifndef PIM_PASSES_PICTURE_FOLD_H
#define PIM_PASSES_PICTURE_FOLD_H

#include "ir/ir.h"

/* A run of equal rounds, of which the first is shown. */
typedef struct pim_round {
	int first, period, count; /* in steps of the fold's order */
} pim_round;

typedef struct pim_fold {
	int n; /* nodes but constants, in order */
	pim_node **node;
	int *position; /* by node id: index into node, -1 for a constant */
	int *
		shown; /* by index: the node that stands for it; -1: left out (an ellipsis stands for it) */
	int *round; /* by index of a shown node: its round, -1 for none */
	int n_rounds;
	pim_round *rounds;
	int n_shown, n_left_out;
} pim_fold;

/* Of nodes that are in `only` (by id; NULL: all), at most `most` are shown; when folding is not
 * enough the middle is left out. */
pim_fold *pim_fold_new(pim_graph *g, const bool *only, int most, pim_arena *a);

#endif
