/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap_state.h - what the files of the graph's overlap analysis share.
 *
 * overlap_graph.c goes through the ops; overlap_slices.c runs one tile by tile; overlap_places.c
 * runs what has too many tiles by places that are alike. */
#ifndef PIM_PASSES_OVERLAP_STATE_H
#define PIM_PASSES_OVERLAP_STATE_H

#include "ir/fusion.h"
#include "passes/overlap.h"
#include "passes/pass.h"

/* One op as it runs. Ops that share a walk run in the tiles of the last one, on its units: `spaces`
 * of the others are its loops, as their own axes; loops that they do not follow go by axes behind
 * those that they have. */
typedef struct pim_op_run {
	const pim_axes *axes;
	const pim_spaces *spaces;
	int64_t slices, tiles;	/* tiles: of one slice, empty ones included */
	double waves;			/* slices that share a unit */
	pim_box *slice;			/* what each slice computes, in axes; NULL: not followed tile by tile */
	double *ends;			/* of tile t: slice t / tiles, step t % tiles */
	double *done;			/* [0..tiles]: when so many steps are complete in all slices */
	const pim_fusion *walk; /* those that it shares a walk with; NULL: it runs alone */
	int member;
	int64_t *by_walk, *in_walk; /* by slice of the walk: own slice, and the other way round; NULL:
								   the same */
	pim_overlap_run seen;
} pim_op_run;

struct pim_overlap {
	pim_graph *graph;
	const pim_target *target;
	pim_arena *arena;
	pim_op_run *run; /* by node id */
	pim_overlap_total total;
};

bool pim_overlap_is_leaf(const pim_node *n);
/* Without kernels of its own: followed, not waited for. */
bool pim_overlap_only_moves(const pim_node *n);
double pim_overlap_finish(const pim_overlap *s, const pim_node *n);
/* When a box of v's value is complete; *visits counts what was looked at. */
pim_overlap_when pim_overlap_box(
	const pim_overlap *s, const pim_node *v, const pim_box *box, int64_t *visits);
/* The node whose nest is walked when n runs, and the slice of it that runs with this one. */
const pim_node *pim_overlap_walker(const pim_overlap *s, const pim_node *n);
int64_t pim_overlap_walk_slice(const pim_overlap *s, const pim_node *n, int64_t slice);
/* Puts the members of n's group on one walk, whose figures r has; false, with nothing changed but
 * runs, when they are not cut alike (overlap_walk.c). */
bool pim_overlap_join(pim_overlap *s, const pim_node *first);
/* False, with nothing changed, when n has too many tiles for it (overlap_slices.c). */
bool pim_overlap_run_slices(pim_overlap *s, const pim_node *n);
void pim_overlap_run_places(pim_overlap *s, const pim_node *n); /* overlap_places.c */

#endif
