/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap_regions.h - where spatial loops cut an axis, its temporal loops as a stair.
 *
 * Spatial loops cut an axis into balanced pieces and these into equal parts: its regions, each of
 * which is gone through by the temporal loops. Two axes that make an index together, as groups and
 * the channels of a group do, are one axis whose outer loops are those of the first. */
#ifndef PIM_PASSES_OVERLAP_REGIONS_H
#define PIM_PASSES_OVERLAP_REGIONS_H

#include "passes/overlap_stairs.h"

typedef struct pim_side {
	int64_t size, pieces;  /* of the outer axis, */
	int64_t length, more;  /* size / pieces, and what is left of that, */
	int64_t scale;		   /* each index of which is so many of both */
	int64_t parts, extent; /* regions of a piece; all but the last are of `extent` */
	int64_t longest;	   /* indices of the longest region */
	int64_t reach;		   /* and those that its loops go over */
	pim_stairs stairs;
} pim_side;

/* Which axes an index is made of: outer * size of inner + inner; inner -1: outer alone. */
typedef struct pim_axis_of {
	int outer, inner;
} pim_axis_of;

/* `unit` indices are 1 of the stair, which rises by `cycles` a step. False when the loops do not
 * make regions of a stair: one inside another in the index stands outside it in the nest, so that
 * later indices may be ready sooner. */
bool pim_side_of(
	const pim_spaces *s, pim_axis_of axis, int64_t unit, int64_t cycles, pim_side *side);
int64_t pim_side_regions(const pim_side *s);

/* Indices lo..hi-1 (lo >= hi: nothing is left for it), in order of `number`; the piece it is of. */
typedef struct pim_side_region {
	int64_t number, lo, hi;
	int64_t part, first, end, rest; /* rest: piece * size mod pieces */
} pim_side_region;

pim_side_region pim_side_region_at(const pim_side *s, int64_t number);
pim_side_region pim_side_region_with(const pim_side *s, int64_t index);
/* To the region behind (1) or before (-1) it, without a division. */
void pim_side_region_step(const pim_side *s, pim_side_region *r, int way);
/* To the region with an index behind its start; faster when that is near. */
void pim_side_region_seek(const pim_side *s, pim_side_region *r, int64_t index);
/* To the next region behind (1) or before (-1) it that may be longer; number out of range: none. */
void pim_side_region_longer(const pim_side *s, pim_side_region *r, int way);

#endif
