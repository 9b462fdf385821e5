/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts: on random small layouts the boxes of the slices cover every element once for each
 * partial sum and copy, in the stated order, with pieces whose sizes differ by one at most. */
#include <string.h>

#include "ir/ir.h"
#include "tests/unit/check.h"

static unsigned state = 1;
static int below(int n)
{
	state = state * 1664525 + 1013904223;
	return (int)((state >> 8) % (unsigned)n);
}

static void count_box(const pim_box *b, const pim_type *t, int *count)
{
	for (int64_t e = 0; e < t->elements; e++) {
		int64_t rest = e;
		bool inside = true;
		for (int d = t->rank; d-- > 0; rest /= t->dims[d])
			inside = inside && rest % t->dims[d] >= b->lo[d] && rest % t->dims[d] < b->hi[d];
		count[e] += inside;
	}
}

static void test_layout(pim_context *c)
{
	int64_t dims[3];
	pim_layout l = {.rank = below(4), .sums = 1 + below(3), .copies = 1 + below(3)};
	for (int d = 0; d < l.rank; d++) {
		dims[d] = 1 + below(6);
		l.parts[d] = 1 + below((int)dims[d]);
	}
	const pim_type *t = pim_type_tensor(c, PIM_DTYPE_i8, l.rank, dims);
	int count[216] = {0};
	int64_t slices = pim_layout_slices(&l), sum, boxes = slices / l.sums / l.copies;
	for (int64_t s = 0; s < slices; s++) {
		pim_box b = pim_layout_box(&l, t, s, &sum);
		pim_box first = pim_layout_box(&l, t, s % boxes, NULL);
		CHECK(sum == s / boxes % l.sums);
		CHECK(b.n == l.rank);
		for (int d = 0; d < l.rank; d++) {
			int64_t size = b.hi[d] - b.lo[d], small = dims[d] / l.parts[d];
			CHECK(b.lo[d] == first.lo[d] && b.hi[d] == first.hi[d]);
			CHECK(size >= small && size <= small + 1);
		}
		count_box(&b, t, count);
	}
	for (int64_t e = 0; e < t->elements; e++)
		CHECK(count[e] == l.sums * l.copies);
	pim_layout other = l;
	CHECK(pim_layout_equal(&l, &other));
	other.copies++;
	CHECK(!pim_layout_equal(&l, &other));
}

static void test_large(pim_context *c)
{
	int64_t dims[1] = {(INT64_C(1) << 56) - 1};
	pim_layout l = {.rank = 1, .parts = {INT32_MAX}, .sums = 1, .copies = 1};
	const pim_type *t = pim_type_tensor(c, PIM_DTYPE_i8, 1, dims);
	pim_box b = pim_layout_box(&l, t, INT32_MAX - 1, NULL),
			before = pim_layout_box(&l, t, INT32_MAX - 2, NULL);
	CHECK(b.hi[0] == dims[0] && b.lo[0] == before.hi[0]);
	l.sums = l.copies = INT32_MAX;
	l.parts[0] = INT32_MAX;
	CHECK(pim_layout_slices(&l) == INT64_MAX);
}

int main(void)
{
	pim_context *c = pim_context_new();
	for (int i = 0; i < 20000; i++)
		test_layout(c);
	test_large(c);
	pim_context_free(c);
	return check_failures != 0;
}
