/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap_regions.h - where spatial loops cut an axis, its temporal loops as a stair.
 *
 * Spatial loops cut an axis into balanced pieces and these into equal parts: its regions, each of
 * which is gone through by the temporal loops. Two axes that make an index together, as groups and
 * the channels of a group do, are one axis whose outer loops are those of the first. */
#ifndef PIM_PASSES_OVERLAP_REGIONS_H
#define PIM_PASSES_OVERLAP_REGIONS_H

#include "passes/overlap_stairs.h"

/* Regions are `extent` long, but for the last one of a piece: those of the longest pieces and of
 * the others. */
enum { PIM_SIDE_LENGTHS = 3 };

typedef struct pim_side {
	int64_t size, pieces, more;		  /* of the outer axis; size % pieces, */
	int64_t scale;					  /* each index of which is so many of both */
	int64_t least;					  /* of a piece, */
	int64_t extent, reach;			  /* of a region; what its loops go over */
	int64_t length[PIM_SIDE_LENGTHS]; /* of regions, falling; 0: none are so long */
	int64_t regions;				  /* at most */
	pim_stairs stairs;
} pim_side;

/* Which axes an index is made of: outer * size of inner + inner; inner -1: outer alone. */
typedef struct pim_axis_of {
	int outer, inner;
} pim_axis_of;

/* `unit` indices are 1 of the stair, which rises by `cycles` a step. False when the loops do not
 * make regions of a stair: one inside another in the index stands outside it in the nest, so that
 * later indices may be ready sooner; or when there are 2^50 indices or more, times pieces. */
bool pim_side_of(
	const pim_spaces *s, pim_axis_of axis, int64_t unit, int64_t cycles, pim_side *side);

/* Regions are looked at a block at a time: all numbers are integers, as doubles, which compilers do
 * several of at once. */
enum { PIM_REGION_BLOCK = 64 };

/* The regions that begin at lo[i], are length[i] long and belong to a piece that ends at end[i]. */
typedef struct pim_regions {
	double lo[PIM_REGION_BLOCK], length[PIM_REGION_BLOCK], end[PIM_REGION_BLOCK];
} pim_regions;

/* Those behind the ones before; starts as {0}. */
typedef struct pim_region_walk {
	int64_t lo, end, piece, rest;
} pim_region_walk;
int pim_side_walk(const pim_side *s, pim_region_walk *w, pim_regions *r); /* 0: none are left */
/* Those with index[i], 0 <= index < all; others are as if pieces went on. */
void pim_side_locate(const pim_side *s, int n, const double *index, pim_regions *r);
/* n / d rounded down, `per` being 1.0 / d, below 2^50: n + 1/2 is 1 / 2d away from multiples of d
 * at least, more than roundings take it, and at 1.5 * 2^52 a double has no fraction. */
static inline double pim_quotient(double n, double per)
{
	return (n + 0.5) * per - 0.5 + 0x1.8p52 - 0x1.8p52;
}

/* Which of the lengths that is. */
static inline int pim_side_kind(const pim_side *s, double length)
{
	return (length < (double)s->length[0]) + (length < (double)s->length[1]);
}

/* Where the next longest region begins behind an index of a piece that ends at `end`, when its
 * region is none; all: there is none. */
int64_t pim_side_next_longest(const pim_side *s, int64_t index, int64_t end);

#endif
