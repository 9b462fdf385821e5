/* SPDX-License-Identifier: Apache-2.0 */
/* ops_pool - the largest element, where it is, or the mean, of each window. */
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

const pim_type *pim_infer_max_pool_indices(const pim_node *n)
{
	const pim_type *t = infer_pool(n);
	return t ? pim_rule_result(n, PIM_DTYPE_i64, t->rank, t->dims) : NULL;
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

/* Which element of the plane it is depends on where the window is: spatial dims stay whole. */
void pim_axes_max_pool_indices(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type;
	pim_axes_of_result(n, x);
	for (int d = 0; d < t->rank; d++) {
		bool plane = d >= 2;
		if (plane)
			x->axis[d].kind = PIM_AXIS_coupled;
		pim_axes_term(
			x, 0, d, plane ? pim_axes_axis(x, t->dims[d], PIM_AXIS_coupled, "entry") : d, 1);
	}
}

/* ---- evaluation ---- */

/* stage, element, what is below every element */
#define POOL_TYPES(X)                                                                              \
	X(f32, float, -INFINITY)                                                                       \
	X(f64, double, -INFINITY)                                                                      \
	X(i64, int64_t, INT64_MIN)                                                                     \
	X(u64, uint64_t, 0)

#define MAX_POOL(name, element, lowest)                                                            \
	static void max_pool_##name(const pim_window *w, int64_t planes, const void *from, void *to)   \
	{                                                                                              \
		const element *x = from;                                                                   \
		element *y = to;                                                                           \
		int64_t first, last, offset, step = w->stride[2];                                          \
		for (int64_t p = 0; p < planes; p++, x += w->in_volume)                                    \
			for (int64_t line = 0; line < w->out[0] * w->out[1]; line++, y += w->out[2]) {         \
				for (int64_t j = 0; j < w->out[2]; j++)                                            \
					y[j] = lowest;                                                                 \
				for (int64_t tap = 0; tap < w->kernel_volume; tap++) {                             \
					if (!pim_window_tap(w, line, tap, &first, &last, &offset))                     \
						continue;                                                                  \
					const element *at = x + offset;                                                \
					for (int64_t j = first; j < last; j++, at += step)                             \
						y[j] = *at > y[j] || *at != *at ? *at : y[j];                              \
				}                                                                                  \
			}                                                                                      \
	}                                                                                              \
	static void max_pool_indices_##name(                                                           \
		const pim_window *w, int64_t planes, const void *from, int64_t *y)                         \
	{                                                                                              \
		const element *x = from;                                                                   \
		int64_t first, last, at, step = w->stride[2];                                              \
		for (int64_t p = 0; p < planes; p++, x += w->in_volume)                                    \
			for (int64_t line = 0; line < w->out[0] * w->out[1]; line++, y += w->out[2]) {         \
				for (int64_t j = 0; j < w->out[2]; j++)                                            \
					y[j] = -1;                                                                     \
				for (int64_t tap = 0; tap < w->kernel_volume; tap++)                               \
					if (pim_window_tap(w, line, tap, &first, &last, &at))                          \
						for (int64_t j = first; j < last; j++, at += step)                         \
							y[j] = y[j] < 0 || x[at] > x[y[j]] ? at : y[j];                        \
			}                                                                                      \
	}
POOL_TYPES(MAX_POOL)
#undef MAX_POOL

bool pim_eval_max_pool(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	static void (*const runs[PIM_STAGE_COUNT])(
		const pim_window *w, int64_t planes, const void *from, void *to) = {
#define MAX_POOL_ROW(name, element, lowest) [PIM_STAGE_##name] = max_pool_##name,
		POOL_TYPES(MAX_POOL_ROW)
#undef MAX_POOL_ROW
	};
	pim_window w = read_pool(n);
	void *y = pim_stage_room(out, e->scratch);
	runs[pim_stage_of(n->type->dtype)](
		&w, n->type->dims[0] * n->type->dims[1], pim_stage_whole(&in[0], e->scratch), y);
	pim_stage_finish(out, y);
	return true;
}

/* A window in padding altogether has index -1. */
bool pim_eval_max_pool_indices(
	const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	static void (*const runs[PIM_STAGE_COUNT])(
		const pim_window *w, int64_t planes, const void *from, int64_t *y) = {
#define MAX_POOL_ROW(name, element, lowest) [PIM_STAGE_##name] = max_pool_indices_##name,
		POOL_TYPES(MAX_POOL_ROW)
#undef MAX_POOL_ROW
	};
	pim_window w = read_pool(n);
	runs[pim_stage_of(in[0].type->dtype)](
		&w, n->type->dims[0] * n->type->dims[1], pim_stage_whole(&in[0], e->scratch), out->data);
	return true;
}

/* Elements of the window of result o that lie in the input or in counted padding, along one dim. */
static int64_t count_along(const pim_window *w, int d, int64_t o, int64_t lo, int64_t hi)
{
	int64_t count = 0;
	for (int64_t k = 0; k < w->kernel[d]; k++) {
		int64_t i = o * w->stride[d] + k * w->dilation[d] - w->lo[d];
		count += i >= -lo && i < w->in[d] + hi;
	}
	return count;
}

/* What the sum of each result of a line is divided by; a window without elements has the mean 0. */
static void count_line(const pim_window *w, int64_t line, const int64_t lo[3], const int64_t hi[3],
	const int64_t *columns, double *to)
{
	int64_t rows = count_along(w, 0, line / w->out[1], lo[0], hi[0]) *
				   count_along(w, 1, line % w->out[1], lo[1], hi[1]);
	for (int64_t j = 0; j < w->out[2]; j++)
		to[j] = rows > 0 && columns[j] > 0 ? (double)(rows * columns[j]) : 1;
}

#define SUM_TYPES(X) X(f32, float) X(f64, double)

#define SUM_LINE(name, element)                                                                    \
	static void sum_line_##name(const pim_window *w, int64_t line, const element *x, double *sum)  \
	{                                                                                              \
		int64_t first, last, offset;                                                               \
		for (int64_t j = 0; j < w->out[2]; j++)                                                    \
			sum[j] = 0;                                                                            \
		for (int64_t tap = 0; tap < w->kernel_volume; tap++)                                       \
			if (pim_window_tap(w, line, tap, &first, &last, &offset))                              \
				for (int64_t j = first; j < last; j++)                                             \
					sum[j] += (double)x[offset + (j - first) * w->stride[2]];                      \
	}
SUM_TYPES(SUM_LINE)
#undef SUM_LINE

static void divide_line(
	pim_stage s, int64_t n, const double *sum, const double *count, void *y, int64_t at)
{
	for (int64_t j = 0; j < n; j++)
		if (s == PIM_STAGE_f32)
			((float *)y)[at + j] = (float)(sum[j] / count[j]);
		else
			((double *)y)[at + j] = sum[j] / count[j];
}

bool pim_eval_average_pool(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	pim_window w = read_pool(n);
	int64_t lo[3], hi[3], lines = w.out[0] * w.out[1], planes = n->type->dims[0] * n->type->dims[1];
	pim_stage s = pim_stage_of(n->type->dtype);
	const char *x = pim_stage_whole(&in[0], e->scratch);
	void *y = pim_stage_room(out, e->scratch);
	double *sum = PIM_NEW(e->scratch, double, w.out[2]),
		   *count = PIM_NEW(e->scratch, double, w.out[2]);
	int64_t *columns = PIM_NEW(e->scratch, int64_t, w.out[2]);
	if (!read_counted(n, &w, lo, hi))
		return false;
	for (int64_t j = 0; j < w.out[2]; j++)
		columns[j] = count_along(&w, 2, j, lo[2], hi[2]);
	for (int64_t line = 0; line < lines; line++) {
		count_line(&w, line, lo, hi, columns, count);
		for (int64_t p = 0; p < planes; p++) {
			const char *plane = x + (size_t)(p * w.in_volume) * pim_stage_bytes(s);
			if (s == PIM_STAGE_f32)
				sum_line_f32(&w, line, (const void *)plane, sum);
			else
				sum_line_f64(&w, line, (const void *)plane, sum);
			divide_line(s, w.out[2], sum, count, y, (p * lines + line) * w.out[2]);
		}
	}
	pim_stage_finish(out, y);
	return true;
}
