/* SPDX-License-Identifier: Apache-2.0 */
/* traffic.c - the bytes that slices of a consumer read from slices of a producer.
 *
 * Both layouts are grids of boxes, so the slices that hold a needed box are a sub-grid: the cost is
 * the number of pairs that really exchange something, never slices times slices. */
#include "targets/target.h"

void pim_traffic_each(
	const pim_node *n, int input, pim_arena *scratch, pim_traffic_visit *f, void *user)
{
	const pim_node *from = n->in[input];
	if (!from || !from->plan || !from->plan->layout || !n->plan || !n->plan->layout)
		return;
	const pim_axes *x = pim_axes_new(n, scratch);
	int64_t slices = pim_layout_slices(n->plan->layout);
	int64_t bytes = (int64_t)pim_dtype_bytes(from->type->dtype);
	for (int64_t to = 0; to < slices; to++) {
		pim_box axes, need, part;
		pim_slice_axes(n, x, to, &axes);
		pim_axes_demand(x, n, input, &axes, &need, NULL, NULL);
		pim_pieces p = pim_pieces_of(from, &need, to % from->plan->layout->copies);
		for (int64_t slice; pim_pieces_next(&p, &slice, &part);)
			f(user, slice, to, pim_box_elements(&part) * bytes);
	}
}
