/* SPDX-License-Identifier: Apache-2.0 */
/* ops_norm - softmax and the normalisations.
 *
 * Sums, means and variances are accumulated in float64; the variance takes a second walk over the
 * elements. */
#include "ir/op_rules.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

static const pim_type *infer_along(const pim_node *n)
{
	const pim_type *t = pim_rule_float_operand(n, 0);
	return t && pim_rule_dim(n, "axis", t->rank) >= 0 ? t : NULL;
}

const pim_type *pim_infer_softmax(const pim_node *n)
{
	return infer_along(n);
}

const pim_type *pim_infer_log_softmax(const pim_node *n)
{
	return infer_along(n);
}

const pim_type *pim_infer_layer_norm(const pim_node *n)
{
	const pim_type *t = infer_along(n);
	if (!t)
		return NULL;
	int axis = (int)pim_node_int(n, "axis");
	for (int i = 1; i < 3; i++) {
		if (i == 2 && pim_rule_is_absent(n, 2))
			break;
		const pim_type *p = pim_rule_operand(n, i);
		if (!p || !pim_rule_same_dtype(n, i))
			return NULL;
		if (p->rank != t->rank - axis ||
			memcmp(p->dims, t->dims + axis, sizeof(int64_t) * (size_t)p->rank)) {
			pim_node_error(n, "input %d of layer_norm is %s, expected the dims of %s from %d on", i,
				pim_rule_text(n, p), pim_rule_text(n, t), axis);
			return NULL;
		}
	}
	return t;
}

const pim_type *pim_infer_batch_norm(const pim_node *n)
{
	const pim_type *t = pim_rule_float_operand(n, 0);
	if (t && t->rank < 2) {
		pim_node_error(
			n, "input of batch_norm is %s, expected at least two dims", pim_rule_text(n, t));
		return NULL;
	}
	for (int i = 1; t && i < 5; i++) {
		const pim_type *p = pim_rule_operand(n, i);
		if (!p || !pim_rule_same_dtype(n, i))
			return NULL;
		if (p->rank != 1 || p->dims[0] != t->dims[1]) {
			pim_node_error(n,
				"input %d of batch_norm is %s, expected %lld elements, one per channel", i,
				pim_rule_text(n, p), (long long)t->dims[1]);
			return NULL;
		}
	}
	return t;
}

const pim_type *pim_infer_lrn(const pim_node *n)
{
	const pim_type *t = pim_rule_float_operand(n, 0);
	int64_t size = pim_node_int(n, "size");
	if (t && (t->rank < 2 || size < 1)) {
		pim_node_error(n,
			"lrn of %s over %lld channels, expected two dims and one channel at least",
			pim_rule_text(n, t), (long long)size);
		return NULL;
	}
	return t;
}

/* ---- axes ---- */

static void couple(pim_axes *x, int first, int last)
{
	for (int d = first; d <= last; d++)
		x->axis[d].kind = PIM_AXIS_coupled;
}

void pim_axes_softmax(const pim_node *n, pim_axes *x)
{
	int axis = (int)pim_node_int(n, "axis");
	pim_axes_elementwise(n, x);
	couple(x, axis, axis);
}

void pim_axes_log_softmax(const pim_node *n, pim_axes *x)
{
	pim_axes_softmax(n, x);
}

void pim_axes_layer_norm(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
	couple(x, (int)pim_node_int(n, "axis"), n->type->rank - 1);
}

void pim_axes_batch_norm(const pim_node *n, pim_axes *x)
{
	pim_axes_of_result(n, x);
	pim_axes_broadcast(n, x, 0);
	for (int i = 1; i < 5; i++)
		pim_axes_term(x, i, 0, 1, 1);
}

void pim_axes_lrn(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
	couple(x, 1, 1);
}

/* ---- evaluation ---- */

/* Sums are taken in so many parts side by side. */
enum { PARTS = 8 };

/* A vector of n elements, `step` apart, of a tensor; its stage's loops are made twice. */
#define NORM_TYPES(X)                                                                              \
	X(f32, float)                                                                                  \
	X(f64, double)

#define NORM_LOOPS(name, T)                                                                        \
	static double sum_##name(const T *x, int64_t n)                                                \
	{                                                                                              \
		double part[PARTS] = {0}, sum = 0;                                                         \
		int64_t i = 0;                                                                             \
		for (; i + PARTS <= n; i += PARTS)                                                         \
			for (int j = 0; j < PARTS; j++)                                                        \
				part[j] += (double)x[i + j];                                                       \
		for (; i < n; i++)                                                                         \
			sum += (double)x[i];                                                                   \
		for (int j = 0; j < PARTS; j++)                                                            \
			sum += part[j];                                                                        \
		return sum;                                                                                \
	}                                                                                              \
	static double sum_squares_##name(const T *x, int64_t n, double mean)                           \
	{                                                                                              \
		double part[PARTS] = {0}, sum = 0;                                                         \
		int64_t i = 0;                                                                             \
		for (; i + PARTS <= n; i += PARTS)                                                         \
			for (int j = 0; j < PARTS; j++)                                                        \
				part[j] += ((double)x[i + j] - mean) * ((double)x[i + j] - mean);                  \
		for (; i < n; i++)                                                                         \
			sum += ((double)x[i] - mean) * ((double)x[i] - mean);                                  \
		for (int j = 0; j < PARTS; j++)                                                            \
			sum += part[j];                                                                        \
		return sum;                                                                                \
	}                                                                                              \
	static void softmax_##name(const T *x, T *y, int64_t n, int64_t step, bool logarithm)          \
	{                                                                                              \
		T most = -(T)INFINITY;                                                                     \
		double sum = 0;                                                                            \
		for (int64_t i = 0; i < n; i++)                                                            \
			most = x[i * step] > most ? x[i * step] : most;                                        \
		for (int64_t i = 0; i < n; i++) {                                                          \
			T v = exp(x[i * step] - most);                                                         \
			sum += (double)v;                                                                      \
			y[i * step] = logarithm ? x[i * step] - most : v;                                      \
		}                                                                                          \
		T scale = (T)(1 / sum), shift = (T)log(sum);                                               \
		for (int64_t i = 0; i < n; i++)                                                            \
			y[i * step] = logarithm ? y[i * step] - shift : y[i * step] * scale;                   \
	}                                                                                              \
	static void normalise_##name(                                                                  \
		const T *x, const T *scale, const T *bias, T *y, int64_t n, double epsilon)                \
	{                                                                                              \
		double mean = sum_##name(x, n) / (double)n;                                                \
		double inverse = 1 / sqrt(sum_squares_##name(x, n, mean) / (double)n + epsilon);           \
		for (int64_t i = 0; i < n; i++) {                                                          \
			T v = (T)(((double)x[i] - mean) * inverse);                                            \
			y[i] = v * scale[i] + (bias ? bias[i] : 0);                                            \
		}                                                                                          \
	}                                                                                              \
	static void scale_planes_##name(                                                               \
		const pim_type *t, const void *const in[5], void *to, double epsilon)                      \
	{                                                                                              \
		const T *x = in[0], *scale = in[1], *bias = in[2], *mean = in[3], *variance = in[4];       \
		T *y = to;                                                                                 \
		int64_t channels = t->dims[1], volume = 1;                                                 \
		for (int d = 2; d < t->rank; d++)                                                          \
			volume *= t->dims[d];                                                                  \
		for (int64_t p = 0; p < t->dims[0] * channels; p++) {                                      \
			int64_t c = p % channels;                                                              \
			T factor = (T)((double)scale[c] / sqrt((double)variance[c] + epsilon));                \
			for (int64_t i = 0; i < volume; i++)                                                   \
				y[p * volume + i] = (x[p * volume + i] - mean[c]) * factor + bias[c];              \
		}                                                                                          \
	}                                                                                              \
	static void divide_by_neighbours_##name(const pim_node *n, const T *x, T *y)                   \
	{                                                                                              \
		const pim_type *t = n->type;                                                               \
		int64_t size = pim_node_int(n, "size"), channels = t->dims[1], volume = 1;                 \
		double alpha = pim_node_float(n, "alpha"), beta = pim_node_float(n, "beta"),               \
			   offset = pim_node_float(n, "bias");                                                 \
		for (int d = 2; d < t->rank; d++)                                                          \
			volume *= t->dims[d];                                                                  \
		for (int64_t p = 0; p < t->elements; p++) {                                                \
			int64_t c = p / volume % channels, first = c - (size - 1) / 2, last = c + size / 2;    \
			double squares = 0;                                                                    \
			for (int64_t k = first < 0 ? 0 : first; k <= last && k < channels; k++)                \
				squares += (double)x[p + (k - c) * volume] * (double)x[p + (k - c) * volume];      \
			y[p] = (T)((double)x[p] / pow(offset + alpha / (double)size * squares, beta));         \
		}                                                                                          \
	}
NORM_TYPES(NORM_LOOPS)
#undef NORM_LOOPS

/* The largest element; a NaN among them may be passed over, the sum still shows it. */
static float find_largest(const float *x, int64_t n)
{
	float part[PARTS], most = -INFINITY;
	int64_t i = 0;
	for (int j = 0; j < PARTS; j++)
		part[j] = -INFINITY;
	for (; i + PARTS <= n; i += PARTS)
		for (int j = 0; j < PARTS; j++)
			part[j] = x[i + j] > part[j] ? x[i + j] : part[j];
	for (; i < n; i++)
		most = x[i] > most ? x[i] : most;
	for (int j = 0; j < PARTS; j++)
		most = part[j] > most ? part[j] : most;
	return most;
}

/* A row of neighbours. */
static void softmax_row(const float *x, float *y, int64_t n)
{
	pim_exp_floats(x, find_largest(x, n), n, y);
	float scale = (float)(1 / sum_f32(y, n));
	for (int64_t i = 0; i < n; i++)
		y[i] *= scale;
}

static bool run_softmax(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = n->type;
	int64_t axis = pim_node_int(n, "axis"), size = t->dims[axis], step = 1;
	const void *x = pim_stage_whole(&in[0], e->scratch);
	void *y = pim_stage_room(out, e->scratch);
	bool logarithm = n->op == PIM_OP_log_softmax;
	for (int d = (int)axis + 1; d < t->rank; d++)
		step *= t->dims[d];
	for (int64_t v = 0; t->elements && v < t->elements / size; v++) {
		int64_t at = v / step * size * step + v % step;
		if (pim_stage_of(t->dtype) == PIM_STAGE_f32 && step == 1 && !logarithm)
			softmax_row((const float *)x + at, (float *)y + at, size);
		else if (pim_stage_of(t->dtype) == PIM_STAGE_f32)
			softmax_f32((const float *)x + at, (float *)y + at, size, step, logarithm);
		else
			softmax_f64((const double *)x + at, (double *)y + at, size, step, logarithm);
	}
	pim_stage_finish(out, y);
	return true;
}

bool pim_eval_softmax(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_softmax(n, in, out, e);
}

bool pim_eval_log_softmax(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_softmax(n, in, out, e);
}

bool pim_eval_layer_norm(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = n->type;
	const void *x = pim_stage_whole(&in[0], e->scratch),
			   *scale = pim_stage_whole(&in[1], e->scratch);
	const void *bias = pim_rule_is_absent(n, 2) ? NULL : pim_stage_whole(&in[2], e->scratch);
	void *y = pim_stage_room(out, e->scratch);
	double epsilon = pim_node_float(n, "epsilon");
	int64_t size = in[1].type->elements;
	for (int64_t at = 0; at < t->elements; at += size)
		if (pim_stage_of(t->dtype) == PIM_STAGE_f32)
			normalise_f32((const float *)x + at, scale, bias, (float *)y + at, size, epsilon);
		else
			normalise_f64((const double *)x + at, scale, bias, (double *)y + at, size, epsilon);
	pim_stage_finish(out, y);
	return true;
}

bool pim_eval_batch_norm(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const void *staged[5];
	void *y = pim_stage_room(out, e->scratch);
	for (int i = 0; i < 5; i++)
		staged[i] = pim_stage_whole(&in[i], e->scratch);
	if (pim_stage_of(n->type->dtype) == PIM_STAGE_f32)
		scale_planes_f32(n->type, staged, y, pim_node_float(n, "epsilon"));
	else
		scale_planes_f64(n->type, staged, y, pim_node_float(n, "epsilon"));
	pim_stage_finish(out, y);
	return true;
}

bool pim_eval_lrn(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const void *x = pim_stage_whole(&in[0], e->scratch);
	void *y = pim_stage_room(out, e->scratch);
	if (pim_stage_of(n->type->dtype) == PIM_STAGE_f32)
		divide_by_neighbours_f32(n, x, y);
	else
		divide_by_neighbours_f64(n, x, y);
	pim_stage_finish(out, y);
	return true;
}
