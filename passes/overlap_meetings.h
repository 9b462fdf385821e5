/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap_meetings.h - what regions of a consumer wait for in those of its producer.
 *
 * overlap_finish.c takes a pair apart into dimensions and windows; here is one of each. */
#ifndef PIM_PASSES_OVERLAP_MEETINGS_H
#define PIM_PASSES_OVERLAP_MEETINGS_H

#include "passes/overlap_regions.h"

/* Tiles of so many of the consumer's indices; those from i on read the producer's indices
 * coef * i + lo .. coef * (i + tile - 1) + hi. */
typedef struct pim_reading {
	int64_t coef, tile, lo, hi;
} pim_reading;

/* The largest up - down of all tiles, but not less than `least`: up is the producer's stair at an
 * index that the tile reads, down the consumer's at the tile, both counted within their regions.
 * *steps goes up by the pairs of regions and the relaxations that it looks at. */
int64_t pim_meetings_most(const pim_side *producer, const pim_side *consumer, const pim_reading *r,
	int64_t least, int64_t *steps);

#endif
