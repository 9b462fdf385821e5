/* SPDX-License-Identifier: Apache-2.0 */
/* layout - how a value is divided among slices. */
#include "ir/ir.h"

pim_layout pim_layout_whole(const pim_type *t)
{
	pim_layout l = {.rank = t->n_parts > 0 ? 0 : t->rank, .sums = 1, .copies = 1};
	for (int d = 0; d < PIM_MAX_RANK; d++)
		l.parts[d] = 1;
	return l;
}

/* INT64_MAX when there are more than fit. */
int64_t pim_layout_slices(const pim_layout *l)
{
	int64_t n;
	if (!pim_mul(l->copies, l->sums, &n))
		return INT64_MAX;
	for (int d = 0; d < l->rank; d++)
		if (!pim_mul(n, l->parts[d], &n))
			return INT64_MAX;
	return n;
}

/* Piece i of k of a dimension starts here; exact also where i * size would not fit. */
static int64_t piece_start(int64_t size, int64_t i, int64_t k)
{
	int64_t product;
	if (pim_mul(i, size, &product))
		return product / k;
	return i * (size / k) + i * (size % k) / k;
}

pim_box pim_layout_box(const pim_layout *l, const pim_type *t, int64_t s, int64_t *sum)
{
	pim_box box;
	box.n = l->rank;
	for (int d = l->rank; d-- > 0;) {
		int64_t parts = l->parts[d];
		box.lo[d] = 0;
		box.hi[d] = t->dims[d];
		if (parts == 1)
			continue;
		int64_t i = s % parts;
		s /= parts;
		box.lo[d] = piece_start(t->dims[d], i, parts);
		box.hi[d] = piece_start(t->dims[d], i + 1, parts);
	}
	if (sum)
		*sum = s % l->sums;
	return box;
}

bool pim_layout_equal(const pim_layout *a, const pim_layout *b)
{
	if (a->rank != b->rank || a->sums != b->sums || a->copies != b->copies)
		return false;
	for (int d = 0; d < a->rank; d++)
		if (a->parts[d] != b->parts[d])
			return false;
	return true;
}
