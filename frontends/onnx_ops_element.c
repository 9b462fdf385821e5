/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_element - element-wise operators that are compositions.
 *
 * Each function's body is the operator's formula in ops that programs have. Formulas and defaults:
 * ONNX operator specification, opset 6 to 27. */
#include <math.h>
#include <string.h>

#include "frontends/onnx.h"

static pim_node *add(onnx_call *k, pim_node *a, pim_node *b)
{
	return onnx_make2(k, PIM_OP_add, a, b);
}

static pim_node *sub(onnx_call *k, pim_node *a, pim_node *b)
{
	return onnx_make2(k, PIM_OP_sub, a, b);
}

static pim_node *mul(onnx_call *k, pim_node *a, pim_node *b)
{
	return onnx_make2(k, PIM_OP_mul, a, b);
}

static pim_node *times(onnx_call *k, pim_node *a, double by)
{
	return mul(k, a, onnx_scalar(k, a, by));
}

/* x + bias where x < -lambd, x - bias where x > lambd, else 0; integers are computed as floats */
bool onnx_convert_shrink(onnx_call *k)
{
	pim_dtype t = k->in[0]->type->dtype;
	pim_node *x = pim_dtype_is_float(t) ? k->in[0] : onnx_cast(k, k->in[0], PIM_DTYPE_f64);
	double lambd = onnx_float(k, "lambd", 0.5), bias = onnx_float(k, "bias", 0);
	pim_node *low = onnx_make2(k, PIM_OP_less, x, onnx_scalar(k, x, -lambd));
	pim_node *high = onnx_make2(k, PIM_OP_greater, x, onnx_scalar(k, x, lambd));
	pim_node *y = onnx_where(k, high, sub(k, x, onnx_scalar(k, x, bias)), onnx_scalar(k, x, 0));
	return onnx_give(k, onnx_cast(k, onnx_where(k, low, add(k, x, onnx_scalar(k, x, bias)), y), t));
}

/* Only NaN differs from itself. */
bool onnx_convert_is_nan(onnx_call *k)
{
	pim_node *same = onnx_make2(k, PIM_OP_equal, k->in[0], k->in[0]);
	return onnx_give(k, onnx_make1(k, PIM_OP_not, same));
}

bool onnx_convert_is_inf(onnx_call *k)
{
	bool low = onnx_int(k, "detect_negative", 1) != 0,
		 high = onnx_int(k, "detect_positive", 1) != 0;
	pim_node *x = k->in[0];
	if (!low && !high)
		return onnx_give(k, onnx_splat(k, PIM_DTYPE_bool, x->type->rank, x->type->dims, 0));
	if (low && high)
		x = onnx_make1(k, PIM_OP_abs, x);
	return onnx_give(
		k, onnx_make2(k, PIM_OP_equal, x, onnx_scalar(k, x, high ? INFINITY : -INFINITY)));
}

/* scale * x + bias, one bias for each channel */
bool onnx_convert_image_scaler(onnx_call *k)
{
	pim_node *x = k->in[0];
	const Onnx__AttributeProto *bias = onnx_attribute(k, "bias");
	int64_t dims[3] = {bias ? (int64_t)bias->n_floats : 0, 1, 1};
	double *v = PIM_NEW(k->import->scratch, double, dims[0] + 1);
	pim_node *y = times(k, x, onnx_float(k, "scale", 1));
	if (!bias)
		return onnx_give(k, y);
	for (int64_t i = 0; i < dims[0]; i++)
		v[i] = (double)bias->floats[i];
	return onnx_give(k, add(k, y, onnx_numbers(k, x->type->dtype, 3, dims, v)));
}
