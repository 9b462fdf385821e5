/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_quant - quantized operators as exact compositions.
 *
 * Integer products are integer products of i32 values from which the zero points were taken; a
 * quantization divides by the scale, rounds to even, adds the zero point and saturates. Scales are
 * one number, one for each element of a dim, or one for each block of a dim. Forms: ONNX operator
 * specification (QuantizeLinear 10 to 25, QLinearConv 10, QLinearMatMul 10 and 21) and
 * com.microsoft 1. */
#include <math.h>
#include <string.h>

#include "frontends/onnx.h"

static pim_node *input(const onnx_call *k, int i)
{
	return i < k->n_in ? k->in[i] : NULL;
}

static pim_node *mul(onnx_call *k, pim_node *a, pim_node *b)
{
	return onnx_make2(k, PIM_OP_mul, a, b);
}

/* A scale or zero point so that it broadcasts to x: a number as it is, a list along the axis, or a
 * value for each block repeated. */
static pim_node *spread(onnx_call *k, pim_node *s, const pim_type *x, int64_t axis, int64_t block)
{
	int64_t dims[PIM_MAX_RANK], repeated[PIM_MAX_RANK];
	int rank = x->rank;
	if (!s || s->type->elements == 1)
		return s ? onnx_reshape(k, s, 0, NULL) : NULL;
	if (block == 0) {
		if (s->type->rank != 1 || axis >= rank || s->type->dims[0] != x->dims[axis]) {
			onnx_fail(k, "a scale or zero point is %s for %s along axis %lld",
				pim_type_text(s->type, k->import->scratch), pim_type_text(x, k->import->scratch),
				(long long)axis);
			return NULL;
		}
		for (int d = 0; d < rank; d++)
			dims[d] = d == axis ? s->type->dims[0] : 1;
		return onnx_reshape(k, s, rank, dims);
	}
	if (s->type->rank != rank || rank == PIM_MAX_RANK ||
		(x->dims[axis] + block - 1) / block != s->type->dims[axis]) {
		onnx_fail(k, "a scale is %s for %s in blocks of %lld",
			pim_type_text(s->type, k->import->scratch), pim_type_text(x, k->import->scratch),
			(long long)block);
		return NULL;
	}
	for (int d = 0; d <= rank; d++)
		dims[d] = d == axis + 1 ? 1 : s->type->dims[d - (d > axis)];
	memcpy(repeated, dims, sizeof dims);
	repeated[axis + 1] = block;
	s = onnx_expand(k, onnx_reshape(k, s, rank + 1, dims), rank + 1, repeated);
	for (int d = 0; d < rank; d++)
		dims[d] = d == axis ? s ? repeated[d] * block : 0 : x->dims[d];
	s = onnx_reshape(k, s, rank, dims);
	return onnx_part(k, s, (int)axis, 0, x->dims[axis]);
}

static void integer_range(pim_dtype t, double *low, double *high)
{
	int bits = t == PIM_DTYPE_i4 || t == PIM_DTYPE_u4 ? 4 : 8 * (int)pim_dtype_bytes(t);
	*low = pim_dtype_is_signed(t) ? -ldexp(1, bits - 1) : 0;
	*high = *low + ldexp(1, bits) - 1;
}

/* Rounds, adds the zero point (NULL: 0) and saturates. */
static pim_node *saturate(onnx_call *k, pim_node *x, pim_node *zero, pim_dtype to)
{
	pim_attr bounds[2];
	double low, high;
	if (!x)
		return NULL;
	if (!pim_dtype_is_float(to)) {
		x = onnx_make1(k, PIM_OP_round, x);
		integer_range(to, &low, &high);
		if (zero)
			x = onnx_make2(k, PIM_OP_add, x, onnx_cast(k, zero, x->type->dtype));
		bounds[0] = onnx_attr_float("min", low);
		bounds[1] = onnx_attr_float("max", high);
		if (to != PIM_DTYPE_i32 && to != PIM_DTYPE_u32)
			x = onnx_unary(k, PIM_OP_clip, x, 2, bounds);
	}
	return onnx_cast(k, x, to);
}

static bool quantizable(const onnx_call *k, pim_dtype t)
{
	return (!pim_dtype_is_float(t) && pim_dtype_bytes(t) <= 4 && t != PIM_DTYPE_bool) ||
		   onnx_fail(k, "quantized elements of type %s are not supported", pim_dtype_name(t));
}

/* The zero point (input i) has the type of the quantized elements and the scale's shape. */
static bool check_zero(const onnx_call *k, int i, pim_dtype t, const pim_type *scale)
{
	const pim_type *zero = i < k->n_in && k->in[i] ? k->in[i]->type : NULL;
	if (!zero)
		return true;
	if (zero->dtype != t)
		return onnx_fail(k, "input %d ('%s') is %s, expected element type %s", i, k->node->input[i],
			pim_type_text(zero, k->import->scratch), pim_dtype_name(t));
	if (scale &&
		(zero->elements != scale->elements || (zero->rank > 1 && zero->rank != scale->rank)))
		return onnx_fail(k, "the zero point is %s, but the scale %s",
			pim_type_text(zero, k->import->scratch), pim_type_text(scale, k->import->scratch));
	return true;
}

static pim_node *quantized(onnx_call *k, pim_node *x, pim_node *scale, pim_node *zero, pim_dtype to)
{
	pim_attr attr = onnx_attr_string("to", pim_dtype_name(to));
	return onnx_make(
		k, PIM_OP_quantize_linear, zero ? 3 : 2, (pim_node *[]){x, scale, zero}, 1, &attr);
}

bool onnx_convert_quantize(onnx_call *k)
{
	pim_node *x = k->in[0], *scale, *zero = input(k, 2);
	int64_t axis = onnx_int(k, "axis", 1), block = onnx_int(k, "block_size", 0);
	int64_t stated = onnx_int(k, "output_dtype", 0);
	pim_dtype to = zero ? zero->type->dtype : stated ? onnx_dtype((int32_t)stated) : PIM_DTYPE_u8;
	pim_dtype t = x->type->dtype;
	if (k->in[1]->type->elements != 1 && !onnx_axis(k, &axis, x->type->rank))
		return false;
	if (to == PIM_DTYPE_COUNT)
		return onnx_fail(k, "output_dtype %s is not supported", onnx_dtype_text((int32_t)stated));
	if (!quantizable(k, to) || !check_zero(k, 2, to, k->in[1]->type))
		return false;
	if (zero && stated && onnx_dtype((int32_t)stated) != to)
		return onnx_fail(k, "output_dtype is %s, but the zero point is %s",
			onnx_dtype_text((int32_t)stated), pim_type_text(zero->type, k->import->scratch));
	scale = spread(k, k->in[1], x->type, axis, block);
	zero = spread(k, zero, x->type, axis, block);
	if (!pim_dtype_is_float(t))
		x = onnx_cast(k, x, scale ? scale->type->dtype : PIM_DTYPE_f32);
	else
		scale = onnx_cast(k, scale, t);
	return onnx_give(k, quantized(k, x, scale, zero, to));
}

/* (x - zero) * scale, in the scale's type */
static pim_node *dequantize(onnx_call *k, pim_node *x, pim_node *scale, pim_node *zero)
{
	return onnx_make(
		k, PIM_OP_dequantize_linear, zero ? 3 : 2, (pim_node *[]){x, scale, zero}, 0, NULL);
}

bool onnx_convert_dequantize(onnx_call *k)
{
	pim_node *x = k->in[0], *scale, *zero = input(k, 2);
	int64_t axis = onnx_int(k, "axis", 1), block = onnx_int(k, "block_size", 0);
	int64_t stated = onnx_int(k, "output_dtype", 0);
	if (k->in[1]->type->elements != 1 && !onnx_axis(k, &axis, x->type->rank))
		return false;
	if (!quantizable(k, x->type->dtype) || !check_zero(k, 2, x->type->dtype, k->in[1]->type))
		return false;
	scale = spread(k, k->in[1], x->type, axis, block);
	if (!scale)
		return false;
	x = dequantize(k, x, scale, zero ? spread(k, zero, x->type, axis, block) : NULL);
	if (stated)
		x = onnx_cast(k, x, onnx_dtype((int32_t)stated));
	return onnx_give(k, x);
}

/* Scale and zero point from the smallest and largest element; results y, scale, zero. */
bool onnx_convert_dynamic_quantize(onnx_call *k)
{
	pim_node *x = k->in[0], *none = onnx_scalar(k, x, 0), *low, *high, *scale, *zero, *flat;
	int64_t axes[PIM_MAX_RANK];
	pim_attr bounds[2] = {onnx_attr_float("min", 0), onnx_attr_float("max", 255)};
	for (int d = 0; d < x->type->rank; d++)
		axes[d] = d;
	low = onnx_reduce(k, PIM_OP_reduce_min, x, x->type->rank, axes, 0);
	high = onnx_reduce(k, PIM_OP_reduce_max, x, x->type->rank, axes, 0);
	low = onnx_make2(k, PIM_OP_min, low, none);
	high = onnx_make2(k, PIM_OP_max, high, none);
	scale = onnx_make2(k, PIM_OP_div, onnx_make2(k, PIM_OP_sub, high, low), onnx_scalar(k, x, 255));
	flat = onnx_make2(k, PIM_OP_equal, scale, none);
	zero = onnx_make1(k, PIM_OP_neg, onnx_make2(k, PIM_OP_div, low, scale));
	zero = onnx_where(k, flat, none, zero);
	zero = onnx_unary(k, PIM_OP_round, onnx_unary(k, PIM_OP_clip, zero, 2, bounds), 0, NULL);
	zero = onnx_cast(k, zero, PIM_DTYPE_u8);
	x = onnx_where(k, flat, none, onnx_make2(k, PIM_OP_div, x, scale));
	if (k->n_out > 1)
		k->out[1] = scale;
	if (k->n_out > 2)
		k->out[2] = zero;
	return onnx_give(k, saturate(k, x, zero, PIM_DTYPE_u8));
}

/* x as i32 less its zero point: one number, or one for each row (left) or column of a matrix, or
 * for each of dim 0 of weights. */
static pim_node *centred(onnx_call *k, pim_node *x, pim_node *zero, int dim)
{
	int64_t dims[PIM_MAX_RANK];
	const pim_type *t = x ? x->type : NULL;
	x = onnx_cast(k, x, PIM_DTYPE_i32);
	if (!zero || !x)
		return x;
	if (zero->type->elements == 1)
		zero = onnx_reshape(k, zero, 0, NULL);
	else if (zero->type->rank == 1 && zero->type->elements == t->dims[dim]) {
		for (int d = 0; d < t->rank; d++)
			dims[d] = d == dim ? t->dims[d] : 1;
		zero = onnx_reshape(k, zero, t->rank, dims);
	}
	return onnx_make2(k, PIM_OP_sub, x, onnx_cast(k, zero, PIM_DTYPE_i32));
}

/* A zero point that is one number and known; absent ones are 0. */
static bool known_zero(const onnx_call *k, const pim_node *zero, int64_t *v)
{
	pim_tensor t;
	*v = 0;
	if (!zero)
		return true;
	if (zero->op != PIM_OP_constant || zero->type->elements != 1 || !onnx_known(k, zero, &t))
		return false;
	*v = (int64_t)pim_element_get(t.type->dtype, t.data, 0);
	return true;
}

static bool is_byte(const pim_node *n)
{
	return pim_dtype_bytes(n->type->dtype) == 1 && n->type->dtype != PIM_DTYPE_bool;
}

/* Operands of one dim are a row or a column, as in MatMul. */
static pim_node *integer_product(onnx_call *k, pim_node *a, pim_node *za, pim_node *b, pim_node *zb)
{
	int ra = a->type->rank, rb = b->type->rank;
	onnx_call inner = *k;
	pim_node *out[1] = {NULL}, *in[2];
	int64_t zeros[2];
	if (ra < 1 || rb < 1) {
		onnx_fail(k, "the operands have %d and %d dims, expected at least one", ra, rb);
		return NULL;
	}
	if (ra > 1 && rb > 1 && is_byte(a) && is_byte(b) && known_zero(k, za, &zeros[0]) &&
		known_zero(k, zb, &zeros[1])) {
		pim_attr attrs[2] = {onnx_attr_int("a_zero", zeros[0]), onnx_attr_int("b_zero", zeros[1])};
		return onnx_make(k, PIM_OP_matmul_integer, 2, (pim_node *[]){a, b}, 2, attrs);
	}
	in[0] = centred(k, a, za, ra > 1 ? ra - 2 : 0);
	in[1] = centred(k, b, zb, rb - 1);
	inner.in = in;
	inner.out = out;
	return in[0] && in[1] && onnx_convert_matmul(&inner) ? out[0] : NULL;
}

/* Operands of 8 bits, zero points of their types (inputs za and zb). */
static bool check_bytes(const onnx_call *k, int a, int za, int b, int zb)
{
	for (int i = a;; i = b) {
		pim_dtype t = k->in[i]->type->dtype;
		if (t != PIM_DTYPE_u8 && t != PIM_DTYPE_i8)
			return onnx_fail(k, "input %d ('%s') is %s, expected u8 or i8", i, k->node->input[i],
				pim_type_text(k->in[i]->type, k->import->scratch));
		if (!check_zero(k, i == a ? za : zb, t, NULL))
			return false;
		if (i == b)
			return true;
	}
}

bool onnx_convert_matmul_integer(onnx_call *k)
{
	if (!check_bytes(k, 0, 2, 1, 3))
		return false;
	return onnx_give(k, integer_product(k, k->in[0], input(k, 2), k->in[1], input(k, 3)));
}

/* a scale_a zero_a b scale_b zero_b scale_y zero_y */
bool onnx_convert_qlinear_matmul(onnx_call *k)
{
	pim_node *y = integer_product(k, k->in[0], k->in[2], k->in[3], k->in[5]), *scale;
	pim_node *sa = k->in[1], *sb = k->in[4];
	int ra = k->in[0]->type->rank;
	if (!y || !quantizable(k, k->in[7]->type->dtype))
		return false;
	if (sa->type->elements == 1)
		sa = onnx_reshape(k, sa, 0, NULL);
	else if (sa->type->rank == 1 && ra > 1)
		sa = onnx_reshape(k, sa, 2, (int64_t[]){sa->type->elements, 1});
	if (sb->type->elements == 1)
		sb = onnx_reshape(k, sb, 0, NULL);
	scale = onnx_make2(k, PIM_OP_div, mul(k, sa, sb), onnx_reshape(k, k->in[6], 0, NULL));
	y = mul(k, onnx_cast(k, y, k->in[6]->type->dtype), scale);
	return onnx_give(k, saturate(k, y, onnx_reshape(k, k->in[7], 0, NULL), k->in[7]->type->dtype));
}

/* x by w with their zero points in i32, with the attributes of the node. */
static pim_node *integer_conv(onnx_call *k, pim_node *x, pim_node *zx, pim_node *w, pim_node *zw)
{
	onnx_call inner = *k;
	pim_node *in[2] = {x, w}, *out[1] = {NULL};
	int64_t zeros[2];
	bool known = known_zero(k, zx, &zeros[0]) && known_zero(k, zw, &zeros[1]);
	inner.in = in;
	inner.n_in = 2;
	inner.out = out;
	if (known && is_byte(x) && is_byte(w))
		return onnx_conv_integer(&inner, zeros[0], zeros[1]);
	in[0] = centred(k, x, zx, 1);
	in[1] = centred(k, w, zw, 0);
	return in[0] && in[1] && onnx_convert_conv(&inner) ? out[0] : NULL;
}

bool onnx_convert_conv_integer(onnx_call *k)
{
	return check_bytes(k, 0, 2, 1, 3) &&
		   onnx_give(k, integer_conv(k, k->in[0], input(k, 2), k->in[1], input(k, 3)));
}

/* x scale_x zero_x w scale_w zero_w scale_y zero_y bias */
bool onnx_convert_qlinear_conv(onnx_call *k)
{
	pim_node *y = integer_conv(k, k->in[0], k->in[2], k->in[3], k->in[5]), *scale = k->in[4];
	int64_t dims[PIM_MAX_RANK];
	if (!y || !quantizable(k, k->in[7]->type->dtype))
		return false;
	if (input(k, 8)) {
		for (int d = 0; d < y->type->rank - 1; d++)
			dims[d] = d == 0 ? k->in[8]->type->elements : 1;
		y = onnx_make2(k, PIM_OP_add, y, onnx_reshape(k, k->in[8], y->type->rank - 1, dims));
		if (!y)
			return false;
	}
	for (int d = 0; d < y->type->rank - 1; d++)
		dims[d] = d == 0 ? scale->type->elements : 1;
	scale = scale->type->elements == 1 ? onnx_reshape(k, scale, 0, NULL)
									   : onnx_reshape(k, scale, y->type->rank - 1, dims);
	scale = mul(k, scale, onnx_reshape(k, k->in[1], 0, NULL));
	scale = onnx_make2(k, PIM_OP_div, scale, onnx_reshape(k, k->in[6], 0, NULL));
	y = mul(k, onnx_cast(k, y, PIM_DTYPE_f32), scale);
	return onnx_give(k, saturate(k, y, onnx_reshape(k, k->in[7], 0, NULL), k->in[7]->type->dtype));
}

/* ---- com.microsoft ---- */

static bool give_quantized(onnx_call *k, pim_node *y, int scale)
{
	pim_node *zero = input(k, scale + 1);
	pim_dtype to = zero ? zero->type->dtype : k->in[0]->type->dtype;
	return onnx_give(k, quantized(k, y, onnx_reshape(k, k->in[scale], 0, NULL),
							zero ? onnx_reshape(k, zero, 0, NULL) : NULL, to));
}

/* A scaleA zeroA B scaleB zeroB C scaleY zeroY; without scaleY the result is f32. */
bool onnx_convert_qgemm(onnx_call *k)
{
	int ta = onnx_int(k, "transA", 0) != 0, tb = onnx_int(k, "transB", 0) != 0;
	pim_node *a = k->in[0], *b = k->in[3], *y, *scale, *zb = input(k, 5);
	if (a->type->rank != 2 || b->type->rank != 2)
		return onnx_fail(
			k, "the operands have %d and %d dims, expected 2", a->type->rank, b->type->rank);
	if (ta)
		a = onnx_transpose(k, a, (int64_t[]){1, 0});
	if (tb)
		b = onnx_transpose(k, b, (int64_t[]){1, 0});
	a = centred(k, a, input(k, 2), 0);
	b = centred(k, b, zb, 1);
	y = onnx_matmul(k, a, b, false);
	if (input(k, 6))
		y = onnx_make2(k, PIM_OP_add, y, k->in[6]);
	scale = k->in[4]->type->elements == 1 ? onnx_reshape(k, k->in[4], 0, NULL) : k->in[4];
	scale = mul(k, onnx_reshape(k, k->in[1], 0, NULL), scale);
	scale = mul(k, scale, onnx_scalar(k, scale, onnx_float(k, "alpha", 1)));
	y = mul(k, onnx_cast(k, y, PIM_DTYPE_f32), scale);
	return input(k, 7) ? give_quantized(k, y, 7) : onnx_give(k, y);
}

/* A number or one for each column, of the element type of scale A. */
static bool check_columns(const onnx_call *k, int i)
{
	const pim_type *t = k->in[i]->type, *b = k->in[1]->type;
	int64_t columns = b->rank ? b->dims[b->rank - 1] : 1;
	if (t->dtype == k->in[2]->type->dtype && pim_dtype_is_float(t->dtype) &&
		(t->elements == columns || (i < 6 && t->elements == 1)))
		return true;
	return onnx_fail(k, "input %d ('%s') is %s, expected %s of %lld floats as input 2 has (%s)", i,
		k->node->input[i], pim_type_text(t, k->import->scratch), i < 6 ? "one or a row" : "a row",
		(long long)columns, pim_type_text(k->in[2]->type, k->import->scratch));
}

/* A float A, quantized B: (A * B) with the integer product and both scales. */
bool onnx_convert_matmul_integer_to_float(onnx_call *k)
{
	for (int i = 2; i < k->n_in; i += i == 3 ? 3 : 1)
		if (k->in[i] && !check_columns(k, i))
			return false;
	pim_node *y = integer_product(k, k->in[0], input(k, 4), k->in[1], input(k, 5)), *scale;
	pim_node *sa = k->in[2], *sb = k->in[3];
	sa = sa->type->elements == 1 ? onnx_reshape(k, sa, 0, NULL) : sa;
	sb = sb->type->elements == 1 ? onnx_reshape(k, sb, 0, NULL) : sb;
	scale = mul(k, sa, sb);
	y = mul(k, onnx_cast(k, y, sa->type->dtype), scale);
	if (input(k, 6))
		y = onnx_make2(k, PIM_OP_add, y, k->in[6]);
	return onnx_give(k, y);
}
