/* SPDX-License-Identifier: Apache-2.0 */
/* ops_pool - the largest element, or the mean, of each window. */
#include "ir/op_rules.h"

#include <math.h>

static const pim_type *infer_pool(const pim_node *n)
{
	const pim_type *x = pim_rule_operand(n, 0);
	pim_window w;
	if (!x)
		return NULL;
	if (x->rank < 3 || x->rank > 5 || x->dtype == PIM_DTYPE_bool) {
		pim_node_error(n, "input of %s is %s, expected numbers with 3 to 5 dims", pim_node_op(n),
			pim_rule_text(n, x));
		return NULL;
	}
	const int64_t *kernel = pim_rule_ints(n, "kernel", x->rank - 2);
	if (!kernel || !pim_window_read(n, x->rank - 2, x->dims + 2, kernel, &w))
		return NULL;
	int64_t dims[5] = {x->dims[0], x->dims[1]};
	for (int d = 0; d < w.n; d++)
		dims[2 + d] = w.out[3 - w.n + d];
	return pim_rule_result(n, x->dtype, x->rank, dims);
}

static pim_window read_pool(const pim_node *n)
{
	const pim_type *x = n->in[0]->type;
	pim_window w;
	const int64_t *kernel = pim_rule_ints(n, "kernel", x->rank - 2);
	if (!kernel || !pim_window_read(n, x->rank - 2, x->dims + 2, kernel, &w))
		PIM_BUG("%s was not inferred", pim_node_op(n));
	return w;
}

/* Padding that counts, low and high per dim of the window; false when there is more than padding.
 */
static bool read_counted(const pim_node *n, const pim_window *w, int64_t lo[3], int64_t hi[3])
{
	const int64_t *v = NULL;
	int got = pim_node_ints(n, "counted_pads", &v);
	if (got != 0 && got != 2 * w->n)
		return pim_node_error(
			n, "counted_pads of average_pool has %d entries, expected %d or none", got, 2 * w->n);
	for (int d = 0; d < 3; d++) {
		int s = d - (3 - w->n);
		lo[d] = s < 0 || !got ? 0 : v[s];
		hi[d] = s < 0 || !got ? 0 : v[w->n + s];
		if (lo[d] < 0 || hi[d] < 0 || lo[d] > w->lo[d] || hi[d] > w->hi[d])
			return pim_node_error(n,
				"counted_pads of average_pool are %lld and %lld in spatial dim %d, expected at "
				"most "
				"the pads %lld and %lld",
				(long long)lo[d], (long long)hi[d], s, (long long)w->lo[d], (long long)w->hi[d]);
	}
	return true;
}

const pim_type *pim_infer_max_pool(const pim_node *n)
{
	return infer_pool(n);
}

const pim_type *pim_infer_average_pool(const pim_node *n)
{
	int64_t lo[3], hi[3];
	const pim_type *t = pim_rule_float_operand(n, 0) ? infer_pool(n) : NULL;
	if (!t)
		return NULL;
	pim_window w = read_pool(n);
	return read_counted(n, &w, lo, hi) ? t : NULL;
}

/* Axes: batch, channel, od oh ow, kd kh kw. Input row = stride*oh + dilation*kh - pad. */
static void axes_of_pool(const pim_node *n, pim_axes *x)
{
	static const char *const names[2][3] = {{"od", "oh", "ow"}, {"kd", "kh", "kw"}};
	pim_window w = read_pool(n);
	pim_axes_axis(x, n->type->dims[0], PIM_AXIS_free, "batch");
	pim_axes_axis(x, n->type->dims[1], PIM_AXIS_free, "channel");
	for (int d = 3 - w.n; d < 3; d++) {
		bool alone = w.kernel[d] == 1 && w.stride[d] == 1 && w.lo[d] == 0 && w.hi[d] == 0;
		pim_axes_axis(x, w.out[d], alone ? PIM_AXIS_free : PIM_AXIS_windowed, names[0][d]);
	}
	for (int d = 3 - w.n; d < 3; d++)
		pim_axes_axis(x, w.kernel[d], PIM_AXIS_coupled, names[1][d]);
	for (int i = 0; i < 2 + w.n; i++) {
		pim_axes_term(x, 1, i, i, 1);
		pim_axes_term(x, 0, i, i, i < 2 ? 1 : w.stride[1 - w.n + i]);
		if (i < 2)
			continue;
		pim_axes_term(x, 0, i, w.n + i, w.dilation[1 - w.n + i]);
		x->map[0][i].offset = -w.lo[1 - w.n + i];
	}
}

void pim_axes_max_pool(const pim_node *n, pim_axes *x)
{
	axes_of_pool(n, x);
}

void pim_axes_average_pool(const pim_node *n, pim_axes *x)
{
	axes_of_pool(n, x);
}
