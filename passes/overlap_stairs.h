/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap_stairs.h - what the finish of a pair is made of.
 *
 * overlap_finish.c takes a pair apart into dimensions; overlap_stairs.c answers one whose loops are
 * stairs, overlap_digits.c any. A stair goes up by `rise` with each `width` indices: loops of one
 * axis, outer to inner, the sum of digit * rise. */
#ifndef PIM_PASSES_OVERLAP_STAIRS_H
#define PIM_PASSES_OVERLAP_STAIRS_H

#include "passes/overlap.h"

/* Widths fall, outer to inner; a step of a stair is not below all of its inner ones together, as
 * many of each as begin in one of the next outer one. The outermost digit has no end. n = 0: always
 * 0. */
typedef struct pim_stairs {
	int n;
	int64_t width[PIM_MAX_DIGITS], rise[PIM_MAX_DIGITS];
} pim_stairs;

/* Adds a stair inside those there are; one that goes on as the one outside it does is the same. */
void pim_stairs_add(pim_stairs *s, int64_t width, int64_t rise);
int64_t pim_stairs_at(const pim_stairs *s, int64_t index); /* index >= 0 */
/* The first index at which it is not below `value`; INT64_MAX: none. */
int64_t pim_stairs_reach(const pim_stairs *s, int64_t value);
/* The largest up(x + apart * t) - down(t) with 0 <= t < end and x + apart * t >= 0, but not less
 * than `least`; apart > 0. Both stairs over the range stay below 2^52. *steps goes up by what it
 * takes. */
int64_t pim_stairs_most(const pim_stairs *up, const pim_stairs *down, int64_t x, int64_t apart,
	int64_t end, int64_t least, int64_t *steps);

/* The value of a dimension that no space reads anything of. */
#define PIM_PAIR_NOTHING (INT64_MIN / (2 * PIM_MAX_RANK))
/* The largest made * g - used * j of one dimension (overlap_finish.c), whatever its loops. */
int64_t pim_pair_search_digits(const pim_pair *e, int dim, int64_t made, int64_t used);
/* The same by stairs; false when the loops are none, or the sums too large. */
bool pim_pair_search_stairs(
	const pim_pair *e, int dim, int64_t made, int64_t used, int64_t *best, int64_t *steps);
/* The same by records; false when tiles leave out indices between two, or as above. */
bool pim_pair_search_records(
	const pim_pair *e, int dim, int64_t made, int64_t used, int64_t *best, int64_t *steps);

#endif
