/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_fused - what optimisers of exported models fuse, taken apart again (com.microsoft 1).
 *
 * A fused operator is its parts one after the other: programs keep primitives, and passes fuse what
 * suits a machine. Forms: the contrib operators of onnxruntime. */
#include <string.h>

#include "frontends/onnx.h"

static pim_node *input(const onnx_call *k, int i)
{
	return i < k->n_in ? k->in[i] : NULL;
}

static pim_node *add(onnx_call *k, pim_node *a, pim_node *b)
{
	return onnx_make2(k, PIM_OP_add, a, b);
}

static pim_node *times(onnx_call *k, pim_node *a, double by)
{
	return by == 1 ? a : onnx_make2(k, PIM_OP_mul, a, onnx_scalar(k, a, by));
}

static pim_node *gelu(onnx_call *k, pim_node *x, const char *how)
{
	pim_attr attr = onnx_attr_string("approximate", how);
	return onnx_unary(k, PIM_OP_gelu, x, 1, &attr);
}

static pim_node *with_bias(onnx_call *k, int i)
{
	return input(k, i) ? add(k, k->in[0], k->in[i]) : k->in[0];
}

bool onnx_convert_bias_gelu(onnx_call *k)
{
	return onnx_give(k, gelu(k, with_bias(k, 1), "none"));
}

bool onnx_convert_fast_gelu(onnx_call *k)
{
	return onnx_give(k, gelu(k, with_bias(k, 1), "tanh"));
}

/* x * sigmoid(alpha * x) */
bool onnx_convert_quick_gelu(onnx_call *k)
{
	pim_node *x = k->in[0];
	pim_node *s =
		onnx_unary(k, PIM_OP_sigmoid, times(k, x, onnx_float(k, "alpha", 1.702)), 0, NULL);
	return onnx_give(k, onnx_make2(k, PIM_OP_mul, x, s));
}

/* The left half times the gelu of the right half. */
bool onnx_convert_bias_split_gelu(onnx_call *k)
{
	pim_node *x = with_bias(k, 1);
	int last = x ? x->type->rank - 1 : 0;
	int64_t half = x && last >= 0 ? x->type->dims[last] / 2 : 0;
	if (!x || last < 0 || half * 2 != x->type->dims[last])
		return x && onnx_fail(k, "%s does not divide into halves",
						pim_type_text(x->type, k->import->scratch));
	return onnx_give(k, onnx_make2(k, PIM_OP_mul, onnx_part(k, x, last, 0, half),
							gelu(k, onnx_part(k, x, last, half, half), "none")));
}

/* x + bias (+ residual) */
bool onnx_convert_bias_add(onnx_call *k)
{
	pim_node *y = with_bias(k, 1);
	return onnx_give(k, input(k, 2) ? add(k, y, k->in[2]) : y);
}

/* The activation that attribute "activation" names, with its parameters. NULL after a diagnostic.
 */
static pim_node *activate(onnx_call *k, pim_node *x, const char *attribute, const char *parameters)
{
	const char *name = onnx_string(k, attribute, "");
	const Onnx__AttributeProto *p = onnx_attribute(k, parameters);
	double a =
		p && p->n_floats > 0 ? (double)p->floats[0] : onnx_float(k, "activation_alpha", 0.01);
	double b = p && p->n_floats > 1 ? (double)p->floats[1] : onnx_float(k, "activation_beta", 0.5);
	static const struct {
		const char *name;
		pim_op op;
	} plain[] = {{"Relu", PIM_OP_relu}, {"Tanh", PIM_OP_tanh}, {"Sigmoid", PIM_OP_sigmoid},
		{"HardSwish", PIM_OP_hard_swish}};
	pim_attr two[2] = {onnx_attr_float("alpha", a), onnx_attr_float("beta", b)};
	pim_attr bounds[2] = {onnx_attr_float("min", a), onnx_attr_float("max", b)};
	if (!*name)
		return x;
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (!strcmp(name, plain[i].name))
			return onnx_unary(k, plain[i].op, x, 0, NULL);
	if (!strcmp(name, "LeakyRelu"))
		return onnx_unary(k, PIM_OP_leaky_relu, x, 1, two);
	if (!strcmp(name, "HardSigmoid"))
		return onnx_unary(k, PIM_OP_hard_sigmoid, x, 2, two);
	if (!strcmp(name, "Clip"))
		return onnx_unary(k, PIM_OP_clip, x, 2, bounds);
	onnx_fail(k, "activation '%s' is not supported", name);
	return NULL;
}

/* x, w, bias, and a value to add before the activation. */
bool onnx_convert_fused_conv(onnx_call *k)
{
	onnx_call inner = *k;
	pim_node *out[1] = {NULL}, *y;
	inner.n_in = k->n_in > 3 ? 3 : k->n_in;
	inner.out = out;
	if (!onnx_convert_conv(&inner))
		return false;
	y = input(k, 3) ? add(k, out[0], k->in[3]) : out[0];
	return onnx_give(k, activate(k, y, "activation", "activation_params"));
}

/* Convolution of [batch, spatial..., channels]; the weights are [k, c, ...] or [k, ..., c]. */
bool onnx_convert_nhwc_conv(onnx_call *k)
{
	onnx_call inner = *k;
	pim_node *x = k->in[0], *out[1] = {NULL}, *in[3] = {NULL, k->in[1], input(k, 2)};
	int64_t to[PIM_MAX_RANK] = {0}, back[PIM_MAX_RANK] = {0};
	int rank = x->type->rank;
	if (rank < 3)
		return onnx_fail(k, "the input has %d dims, expected at least 3", rank);
	to[1] = rank - 1;
	back[rank - 1] = 1;
	for (int d = 2; d < rank; d++) {
		to[d] = d - 1;
		back[d - 1] = d;
	}
	in[0] = onnx_transpose(k, x, to);
	in[1] = onnx_transpose(k, k->in[1], to);
	inner.in = in;
	inner.out = out;
	return in[0] && in[1] && onnx_convert_conv(&inner) &&
		   onnx_give(k, onnx_transpose(k, out[0], back));
}

static pim_node *swap_last_two(onnx_call *k, pim_node *x)
{
	int64_t perm[PIM_MAX_RANK];
	int rank = x->type->rank;
	if (rank < 2)
		return x;
	for (int d = 0; d < rank; d++)
		perm[d] = d;
	perm[rank - 1] = rank - 2;
	perm[rank - 2] = rank - 1;
	return onnx_transpose(k, x, perm);
}

/* alpha * A B, both perhaps transposed. */
bool onnx_convert_fused_matmul(onnx_call *k)
{
	onnx_call inner = *k;
	pim_node *in[2] = {k->in[0], k->in[1]}, *out[1] = {NULL};
	if (onnx_int(k, "transBatchA", 0) || onnx_int(k, "transBatchB", 0))
		return onnx_fail(k, "transposed batches are not supported");
	if (onnx_int(k, "transA", 0))
		in[0] = swap_last_two(k, in[0]);
	if (onnx_int(k, "transB", 0))
		in[1] = swap_last_two(k, in[1]);
	inner.in = in;
	inner.out = out;
	if (!in[0] || !in[1] || !onnx_convert_matmul(&inner))
		return false;
	return onnx_give(k, activate(k, times(k, out[0], onnx_float(k, "alpha", 1)), "activation",
							"activation_params"));
}

bool onnx_convert_fused_gemm(onnx_call *k)
{
	return onnx_convert_gemm(k) &&
		   onnx_give(k, activate(k, k->out[0], "activation", "activation_params"));
}

/* GroupNorm of [batch, height, width, channels], perhaps with silu behind it. */
bool onnx_convert_nhwc_group_norm(onnx_call *k)
{
	pim_node *x = k->in[0], *d, *mean, *v;
	const int64_t *s = x->type->dims;
	int64_t groups = onnx_int(k, "groups", 0), axes[2] = {1, 3};
	if (x->type->rank != 4 || groups < 1 || s[3] % groups || !onnx_int(k, "channels_last", 1))
		return onnx_fail(k, "%s does not divide into %lld groups",
			pim_type_text(x->type, k->import->scratch), (long long)groups);
	d = onnx_reshape(k, x, 4, (int64_t[]){s[0], s[1] * s[2], groups, s[3] / groups});
	mean = onnx_reduce(k, PIM_OP_reduce_mean, d, 2, axes, 1);
	d = onnx_make2(k, PIM_OP_sub, d, mean);
	v = onnx_reduce(k, PIM_OP_reduce_mean, onnx_make2(k, PIM_OP_mul, d, d), 2, axes, 1);
	v = add(k, v, onnx_scalar(k, x, onnx_float(k, "epsilon", 1e-5)));
	v = onnx_unary(k, PIM_OP_reciprocal, onnx_unary(k, PIM_OP_sqrt, v, 0, NULL), 0, NULL);
	d = onnx_reshape(k, onnx_make2(k, PIM_OP_mul, d, v), 4, s);
	d = onnx_make2(k, PIM_OP_mul, d, onnx_cast(k, k->in[1], x->type->dtype));
	d = add(k, d, onnx_cast(k, k->in[2], x->type->dtype));
	return onnx_give(k, onnx_int(k, "activation", 0) ? onnx_unary(k, PIM_OP_silu, d, 0, NULL) : d);
}
