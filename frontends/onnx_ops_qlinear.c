/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_qlinear - quantized operators of com.microsoft that compute on real values.
 *
 * Inputs are dequantized, the operator is that of ai.onnx, the result is quantized again. Forms:
 * the contrib operators of onnxruntime, version 1. */
#include <string.h>

#include "frontends/onnx.h"

static pim_node *input(const onnx_call *k, int i)
{
	return i < k->n_in ? k->in[i] : NULL;
}

/* Inputs i, i + 1, i + 2: a value, its scale, its zero point. */
static pim_node *real_input(onnx_call *k, int i)
{
	pim_node *zero = input(k, i + 2) ? onnx_reshape(k, k->in[i + 2], 0, NULL) : NULL;
	if (!input(k, i) || !input(k, i + 1)) {
		onnx_fail(k, "input %d or its scale is missing", i);
		return NULL;
	}
	return onnx_make(k, PIM_OP_dequantize_linear, zero ? 3 : 2,
		(pim_node *[]){k->in[i], onnx_reshape(k, k->in[i + 1], 0, NULL), zero}, 0, NULL);
}

/* y by the scale of input i and the zero point behind it, in the type of that. */
static pim_node *quantize(onnx_call *k, pim_node *y, int i, pim_dtype usual)
{
	pim_node *zero = input(k, i + 1), *scale = onnx_reshape(k, input(k, i), 0, NULL);
	pim_attr to = onnx_attr_string("to", pim_dtype_name(zero ? zero->type->dtype : usual));
	if (!input(k, i)) {
		onnx_fail(k, "the scale of the result (input %d) is missing", i);
		return NULL;
	}
	zero = zero ? onnx_reshape(k, zero, 0, NULL) : NULL;
	return onnx_make(
		k, PIM_OP_quantize_linear, zero ? 3 : 2, (pim_node *[]){y, scale, zero}, 1, &to);
}

static bool give_quantized(onnx_call *k, pim_node *y, int i)
{
	return onnx_give(k, quantize(k, y, i, k->in[0]->type->dtype));
}

bool onnx_convert_qlinear_binary(onnx_call *k)
{
	return give_quantized(k, onnx_make2(k, k->row->op, real_input(k, 0), real_input(k, 3)), 6);
}

bool onnx_convert_qlinear_unary(onnx_call *k)
{
	pim_attr alpha = onnx_attr_float("alpha", onnx_float(k, "alpha", 0.01));
	int n = k->row->op == PIM_OP_leaky_relu ? 1 : 0;
	return give_quantized(k, onnx_unary(k, k->row->op, real_input(k, 0), n, &alpha), 3);
}

/* Channels from the end to dim 1, or back. */
static pim_node *move_channels(onnx_call *k, pim_node *x, bool back)
{
	int64_t perm[PIM_MAX_RANK] = {0};
	int rank = x ? x->type->rank : 0;
	if (!x || rank < 3)
		return x;
	for (int d = 1; d < rank; d++)
		perm[d] = back ? (d == rank - 1 ? 1 : d + 1) : d == 1 ? rank - 1 : d - 1;
	return onnx_transpose(k, x, perm);
}

/* The mean over the spatial dims. */
bool onnx_convert_qlinear_global_pool(onnx_call *k)
{
	int64_t axes[PIM_MAX_RANK], first = onnx_int(k, "channels_last", 0) ? 1 : 2;
	int rank = k->in[0]->type->rank;
	if (rank < 3)
		return onnx_fail(k, "the input has %d dims, expected at least 3", rank);
	for (int d = 0; d < rank - 2; d++)
		axes[d] = first + d;
	return give_quantized(
		k, onnx_reduce(k, PIM_OP_reduce_mean, real_input(k, 0), rank - 2, axes, 1), 3);
}

/* The operator that `convert` reads, on the real value of input 0. NULL after a diagnostic. */
static pim_node *on_real(onnx_call *k, pim_node *x, int64_t opset, onnx_converter *convert)
{
	onnx_call inner = *k;
	pim_node *out[1] = {NULL};
	inner.in = &x;
	inner.n_in = 1;
	inner.out = out;
	inner.n_out = 1;
	inner.opset = opset;
	return x && convert(&inner) ? out[0] : NULL;
}

bool onnx_convert_qlinear_average_pool(onnx_call *k)
{
	bool last = onnx_int(k, "channels_last", 0) != 0;
	pim_node *x = real_input(k, 0);
	x = on_real(k, last ? move_channels(k, x, false) : x, 19, onnx_convert_average_pool);
	return give_quantized(k, last ? move_channels(k, x, true) : x, 3);
}

bool onnx_convert_qlinear_softmax(onnx_call *k)
{
	int64_t opset = onnx_int(k, "opset", 13);
	return give_quantized(k, on_real(k, real_input(k, 0), opset, onnx_convert_softmax), 3);
}

bool onnx_convert_qlinear_reduce_mean(onnx_call *k)
{
	return give_quantized(k, on_real(k, real_input(k, 0), 13, onnx_convert_reduce), 3);
}

/* scaleY zeroY, then a value, its scale and its zero point for each part. */
bool onnx_convert_qlinear_concat(onnx_call *k)
{
	int n = (k->n_in - 2) / 3;
	pim_node **parts = PIM_NEW(k->import->scratch, pim_node *, n + 1), *y;
	int64_t axis = onnx_int(k, "axis", 0);
	if (n < 1 || n * 3 + 2 != k->n_in)
		return onnx_fail(
			k, "%d inputs are not a scale, a zero point and values of 3 inputs each", k->n_in);
	for (int i = 0; i < n; i++) {
		parts[i] = real_input(k, 2 + 3 * i);
		if (!parts[i])
			return false;
	}
	if (!onnx_axis(k, &axis, parts[0]->type->rank))
		return false;
	y = n > 1 ? onnx_concat(k, n, parts, (int)axis) : parts[0];
	return onnx_give(k, quantize(k, y, 0, k->in[2]->type->dtype));
}

/* condition, then two values of 3 inputs each, then the scale and zero point of the result */
bool onnx_convert_qlinear_where(onnx_call *k)
{
	pim_node *y = onnx_where(k, k->in[0], real_input(k, 1), real_input(k, 4));
	return onnx_give(k, quantize(k, y, 7, k->in[1]->type->dtype));
}

/* QLinearConv with channels at the end, if channels_last is 1. */
bool onnx_convert_qlinear_conv_last(onnx_call *k)
{
	bool last = onnx_int(k, "channels_last", 0) != 0;
	onnx_call inner = *k;
	pim_node *in[9] = {NULL}, *out[1] = {NULL};
	for (int i = 0; i < k->n_in && i < 9; i++)
		in[i] = i == 0 && last ? move_channels(k, k->in[i], false) : k->in[i];
	inner.in = in;
	inner.out = out;
	return in[0] && onnx_convert_qlinear_conv(&inner) &&
		   onnx_give(k, last ? move_channels(k, out[0], true) : out[0]);
}

/* A (float), B, scaleB, zeroB, bias: A is quantized by its own range. */
bool onnx_convert_dynamic_quantize_matmul(onnx_call *k)
{
	onnx_call inner = *k;
	pim_node *a[3] = {NULL}, *in[7];
	inner.n_in = 1;
	inner.out = a;
	inner.n_out = 3;
	if (!onnx_convert_dynamic_quantize(&inner))
		return false;
	memcpy(in, (pim_node *[]){a[0], k->in[1], a[1], k->in[2], a[2], input(k, 3), input(k, 4)},
		sizeof in);
	inner = *k;
	inner.in = in;
	inner.n_in = 7;
	return onnx_convert_matmul_integer_to_float(&inner);
}
