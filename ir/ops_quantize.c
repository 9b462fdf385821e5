/* SPDX-License-Identifier: Apache-2.0 */
/* ops_quantize - between floats and integers with a scale and a zero point, element by element.
 *
 * x / scale and (x - zero point) * scale are computed in float32 (in float64 when the float operand
 * is), rounded once; the integer steps are exact. */
#include "ir/op_rules.h"

#include <math.h>

/* Scale is a float, and scale and zero point broadcast to x. */
static bool check_operands(const pim_node *n, pim_dtype integer)
{
	const pim_type *x = pim_rule_operand(n, 0);
	int count = pim_rule_is_absent(n, 2) ? 2 : 3;
	int64_t dims[PIM_MAX_RANK];
	if (!x || !pim_rule_float_operand(n, 1))
		return false;
	int rank = pim_rule_broadcast(n, 0, count, 0, dims);
	bool same = rank == x->rank;
	for (int d = 0; same && d < rank; d++)
		same = dims[d] == x->dims[d];
	if (rank >= 0 && !same)
		return pim_node_error(n, "scale or zero point of %s has more elements than x, %s",
			pim_node_op(n), pim_rule_text(n, x));
	if (same && count == 3 && n->in[2]->type->dtype != integer)
		return pim_node_error(n, "zero point of %s is %s, expected %s", pim_node_op(n),
			pim_rule_text(n, n->in[2]->type), pim_dtype_name(integer));
	return same;
}

static bool is_small_integer(pim_dtype t)
{
	return !pim_dtype_is_float(t) && t != PIM_DTYPE_bool && pim_dtype_bytes(t) <= 4;
}

const pim_type *pim_infer_quantize_linear(const pim_node *n)
{
	const pim_type *x = pim_rule_operand(n, 0);
	const char *name = pim_node_string(n, "to");
	pim_dtype to = name ? pim_dtype_find(name) : PIM_DTYPE_COUNT;
	if (!x)
		return NULL;
	if (to == PIM_DTYPE_COUNT || !is_small_integer(to) ||
		(!pim_dtype_is_float(x->dtype) && x->dtype != PIM_DTYPE_i32)) {
		pim_node_error(n,
			"quantize_linear of %s to \"%s\", expected floats (or i32) and an integer "
			"type of at most 32 bits",
			pim_rule_text(n, x), name ? name : "");
		return NULL;
	}
	return check_operands(n, to) ? pim_rule_result(n, to, x->rank, x->dims) : NULL;
}

const pim_type *pim_infer_dequantize_linear(const pim_node *n)
{
	const pim_type *x = pim_rule_operand(n, 0);
	if (x && !is_small_integer(x->dtype)) {
		pim_node_error(n,
			"input 0 of dequantize_linear is %s, expected integers of at most 32 bits",
			pim_rule_text(n, x));
		return NULL;
	}
	if (!x || !check_operands(n, x->dtype))
		return NULL;
	return pim_rule_result(n, n->in[1]->type->dtype, x->rank, x->dims);
}

void pim_axes_quantize_linear(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
}

void pim_axes_dequantize_linear(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
}

/* ---- evaluation ---- */

/* Smallest and largest value of an integer type. */
static void read_range(pim_dtype t, int64_t *lo, int64_t *hi)
{
	int bits = t == PIM_DTYPE_i4 || t == PIM_DTYPE_u4 ? 4 : (int)pim_dtype_bytes(t) * 8;
	*lo = pim_dtype_is_signed(t) ? -((int64_t)1 << (bits - 1)) : 0;
	*hi = *lo + ((int64_t)1 << bits) - 1;
}

/* Integers of at most 32 bits, as signed ones. */
static const int64_t *read_integers(const pim_tensor *t, pim_arena *scratch)
{
	return pim_stage_whole(t, scratch);
}

/* The zero point of every element when there is none. */
static const int64_t no_zero_point[1] = {0};

/* Walks x, scale and zero point; an absent zero point is one that repeats. */
static void begin_walk(pim_rows *r, const pim_node *n, const pim_tensor *in)
{
	pim_tensor all[3] = {in[0], in[1], in[1]};
	if (!pim_rule_is_absent(n, 2))
		all[2] = in[2];
	pim_rows_begin_broadcast(r, n->type, 3, all);
}

#define QUANTIZE_TYPES(X) X(f32, float) X(f64, double)

#define QUANTIZE_ROW(name, T)                                                                      \
	static void quantize_##name(const pim_rows *r, const T *x, const T *scale,                     \
		const int64_t *zero, int64_t zero_step, int64_t lo, int64_t hi, int64_t *y)                \
	{                                                                                              \
		for (int64_t i = 0; i < r->length; i++) {                                                  \
			double v = (double)(T)(x[i * r->step[0]] / scale[i * r->step[1]]);                     \
			y[i] = pim_int_from_double(rint(v) + (double)zero[i * zero_step], lo, hi);             \
		}                                                                                          \
	}                                                                                              \
	static void dequantize_##name(const pim_rows *r, const int64_t *x, const T *scale,             \
		const int64_t *zero, int64_t zero_step, T *y)                                              \
	{                                                                                              \
		for (int64_t i = 0; i < r->length; i++)                                                    \
			y[i] = (T)(x[i * r->step[0]] - zero[i * zero_step]) * scale[i * r->step[1]];           \
	}
QUANTIZE_TYPES(QUANTIZE_ROW)
#undef QUANTIZE_ROW

/* Elements as floats, in double when `wide`. */
static const void *read_floats(const pim_tensor *t, bool wide, pim_arena *scratch)
{
	if (!wide && pim_stage_of(t->type->dtype) == PIM_STAGE_f32)
		return pim_stage_whole(t, scratch);
	const double *v = pim_stage_doubles(t, scratch);
	if (wide)
		return v;
	float *to = pim_arena_raw(scratch, sizeof *to * (size_t)t->type->elements + 1);
	for (int64_t i = 0; i < t->type->elements; i++)
		to[i] = (float)v[i];
	return to;
}

bool pim_eval_quantize_linear(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	bool wide = in[0].type->dtype == PIM_DTYPE_f64, has_zero = !pim_rule_is_absent(n, 2);
	const void *x = read_floats(&in[0], wide, e->scratch);
	const void *scale = read_floats(&in[1], wide, e->scratch);
	const int64_t *zero = has_zero ? read_integers(&in[2], e->scratch) : no_zero_point;
	int64_t lo, hi, *y = pim_arena_raw(e->scratch, sizeof *y * (size_t)n->type->elements + 1);
	pim_rows r;
	read_range(n->type->dtype, &lo, &hi);
	for (begin_walk(&r, n, in); pim_rows_next(&r);) {
		const int64_t *z = zero + (has_zero ? r.offset[2] : 0);
		int64_t step = has_zero ? r.step[2] : 0;
		if (wide)
			quantize_f64(&r, (const double *)x + r.offset[0], (const double *)scale + r.offset[1],
				z, step, lo, hi, y + r.result);
		else
			quantize_f32(&r, (const float *)x + r.offset[0], (const float *)scale + r.offset[1], z,
				step, lo, hi, y + r.result);
	}
	pim_stage_store(n->type->dtype, out->data, 0, n->type->elements, y);
	return true;
}

bool pim_eval_dequantize_linear(
	const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	bool wide = n->type->dtype == PIM_DTYPE_f64, has_zero = !pim_rule_is_absent(n, 2);
	const int64_t *x = read_integers(&in[0], e->scratch);
	const void *scale = read_floats(&in[1], wide, e->scratch);
	const int64_t *zero = has_zero ? read_integers(&in[2], e->scratch) : no_zero_point;
	void *y = pim_stage_room(out, e->scratch);
	pim_rows r;
	for (begin_walk(&r, n, in); pim_rows_next(&r);) {
		const int64_t *z = zero + (has_zero ? r.offset[2] : 0);
		int64_t step = has_zero ? r.step[2] : 0;
		if (wide)
			dequantize_f64(&r, x + r.offset[0], (const double *)scale + r.offset[1], z, step,
				(double *)y + r.result);
		else
			dequantize_f32(&r, x + r.offset[0], (const float *)scale + r.offset[1], z, step,
				(float *)y + r.result);
	}
	pim_stage_finish(out, y);
	return true;
}
