/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap_pack.h - items that share a room, of two chains of sizes.
 *
 * What overlap_stairs.c asks for: steps of a producer that fit between tiles of a consumer. */
#ifndef PIM_PASSES_OVERLAP_PACK_H
#define PIM_PASSES_OVERLAP_PACK_H

#include "passes/overlap.h"

/* `most` copies at most (INT64_MAX: no end), each of `size` >= 1 and worth `gain` >= 0. */
typedef struct pim_pack_item {
	int64_t size, gain, most;
} pim_pack_item;

enum { PIM_PACK_ITEMS = 2 * PIM_MAX_DIGITS };
/* Sizes of `up` divide each other, and those of `down`: both from the largest on, each gaining no
 * more by size than the one before. */
typedef struct pim_pack {
	int n_up, n_down;
	pim_pack_item up[PIM_MAX_DIGITS], down[PIM_MAX_DIGITS];
} pim_pack;

/* value and the largest gain of copies that fit in room >= 0 together, but not less than `least`.
 * Gains that fit stay below 2^52. */
int64_t pim_pack_most(const pim_pack *p, int64_t room, int64_t value, int64_t least);

#endif
