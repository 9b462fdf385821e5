/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_exhaustive - the oracle of overlap.c: compares a box with every data space.
 *
 * What OverlaPIM (DATE 2023) does for each consumer space: test every producer space for
 * intersection and take the latest step. Cost: places times steps. */
#include "passes/overlap.h"

static bool meets(const pim_spaces *s, const pim_box *a, const pim_box *b)
{
	for (int i = 0; i < s->n_axes; i++)
		if (s->result[i] && (a->lo[i] >= b->hi[i] || b->lo[i] >= a->hi[i] || a->lo[i] >= a->hi[i]))
			return false;
	return true;
}

int64_t pim_spaces_ready_exhaustive(const pim_spaces *s, const pim_box *axes)
{
	for (int64_t step = s->steps - 1; step >= 0; step--)
		for (int64_t place = 0; place < s->places; place++) {
			pim_box box;
			if (pim_spaces_box(s, place, step, &box) && meets(s, &box, axes))
				return step + 1;
		}
	return 0;
}
