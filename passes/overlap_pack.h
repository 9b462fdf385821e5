/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap_pack.h - items that share a room, of two chains of sizes.
 *
 * What overlap_stairs.c asks for: steps of a producer that fit between tiles of a consumer. */
#ifndef PIM_PASSES_OVERLAP_PACK_H
#define PIM_PASSES_OVERLAP_PACK_H

#include "passes/overlap_lines.h"

enum { PIM_PACK_ITEMS = 2 * PIM_MAX_DIGITS };
/* Most copies INT64_MAX: no end. Rates and reaches are not read. */
typedef struct pim_pack {
	int n;
	pim_item item[PIM_PACK_ITEMS];
} pim_pack;

/* value and the largest gain of copies that fit in room >= 0 together, but not less than `least`.
 * Gains that fit stay below 2^52. *steps goes up by the relaxations that it takes. */
int64_t pim_pack_most(
	const pim_pack *p, int64_t room, int64_t value, int64_t least, int64_t *steps);

#endif
