/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.c - copies between packed boxes as extents and byte strides. */
#include "targets/tile/tile.h"

/* Byte strides of a packed box, and where the corner of `part` lies in it. */
static int64_t box_strides(const pim_box *box, const pim_box *part, int64_t bytes, int64_t *stride)
{
	int64_t offset = 0;
	for (int d = box->n - 1; d >= 0; d--) {
		stride[d] = bytes;
		offset += (part->lo[d] - box->lo[d]) * bytes;
		bytes *= box->hi[d] - box->lo[d];
	}
	return offset;
}

pim_pattern pim_box_pattern(const pim_type *t, const pim_box *part, const pim_box *from,
	const pim_box *to, int64_t *from_offset, int64_t *to_offset)
{
	pim_pattern p = {.dtype = t->dtype, .rank = part->n};
	int64_t bytes = (int64_t)pim_dtype_bytes(t->dtype);
	*from_offset = box_strides(from, part, bytes, p.from);
	*to_offset = box_strides(to, part, bytes, p.to);
	for (int d = 0; d < part->n; d++)
		p.extent[d] = part->hi[d] - part->lo[d];
	pim_pattern_simplify(&p);
	return p;
}

void pim_pattern_simplify(pim_pattern *p)
{
	int n = 0;
	for (int d = 0; d < p->rank; d++) {
		if (p->extent[d] == 1)
			continue;
		bool joins = n > 0 && p->from[n - 1] == p->extent[d] * p->from[d] &&
					 p->to[n - 1] == p->extent[d] * p->to[d];
		int at = joins ? n - 1 : n++;
		p->extent[at] = joins ? p->extent[at] * p->extent[d] : p->extent[d];
		p->from[at] = p->from[d];
		p->to[at] = p->to[d];
	}
	for (int d = n; d < p->rank; d++)
		p->extent[d] = p->from[d] = p->to[d] = 0;
	p->rank = n;
}
