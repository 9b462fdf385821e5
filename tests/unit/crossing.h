/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/crossing.h - bytes that slices fetch from other units, box by box from their owners:
 * the slow twin of the closed forms of layouts. */
#ifndef PIM_TESTS_UNIT_CROSSING_H
#define PIM_TESTS_UNIT_CROSSING_H

#include "targets/target.h"

/* Bytes that the slices of n read of its input on other units than their own, slice s being on unit
 * s mod `units`. Every slice that holds copies offers the same; the nearest-numbered one serves. */
static inline int64_t count_crossing(const pim_node *n, int input, int units, pim_arena *scratch)
{
	const pim_node *from = n->in[input];
	if (!from || !from->plan || !from->plan->layout || !n->plan || !n->plan->layout)
		return 0;
	const pim_axes *x = pim_axes_new(n, scratch);
	int64_t slices = pim_layout_slices(n->plan->layout), elements = 0;
	for (int64_t to = 0; to < slices; to++) {
		pim_box axes, need, part;
		pim_slice_axes(n, x, to, &axes);
		pim_axes_demand(x, n, input, &axes, &need, NULL, NULL);
		pim_pieces p = pim_pieces_of(from, &need, to % from->plan->layout->copies);
		for (int64_t slice; pim_pieces_next(&p, &slice, &part);)
			elements += slice % units == to % units ? 0 : pim_box_elements(&part);
	}
	return elements * (int64_t)pim_dtype_bytes(from->type->dtype);
}

#endif
