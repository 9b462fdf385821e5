/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap_records.h - what regions of a consumer wait for, whatever order indices are ready
 * in.
 *
 * overlap_meetings.c wants a producer whose regions are ready no sooner for larger indices; this
 * does not. */
#ifndef PIM_PASSES_OVERLAP_RECORDS_H
#define PIM_PASSES_OVERLAP_RECORDS_H

#include "passes/overlap_meetings.h"

/* The axes of a producer that make an index, and the cycles of a step. */
typedef struct pim_maker {
	const pim_spaces *spaces;
	pim_axis_of axis;
	int64_t cycles;
} pim_maker;

/* As pim_meetings_most, of the indices of all regions of the producer. Tiles leave out no indices
 * between two. */
int64_t pim_records_most(const pim_maker *producer, const pim_side *consumer, const pim_reading *r,
	int64_t least, int64_t *steps);

#endif
