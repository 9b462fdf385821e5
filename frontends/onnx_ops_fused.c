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

/* Are the weights [k, ..., c] rather than [k, c, ...]? Where both fit, NhwcConv has c behind. */
static bool has_channels_last(const onnx_call *k, int64_t channels)
{
	const pim_type *w = k->in[1]->type;
	const int64_t *kernel;
	int64_t each = channels / onnx_int(k, "group", 1);
	int n = onnx_ints(k, "kernel_shape", &kernel);
	bool first = w->dims[1] == each, last = w->dims[w->rank - 1] == each;
	for (int i = 0; i < n && n == w->rank - 2; i++) {
		first = first && w->dims[2 + i] == kernel[i];
		last = last && w->dims[1 + i] == kernel[i];
	}
	return last && (!first || !strcmp(k->node->op_type, "NhwcConv"));
}

/* Convolution of [batch, spatial..., channels], perhaps with a value to add and an activation. */
bool onnx_convert_nhwc_conv(onnx_call *k)
{
	onnx_call inner = *k;
	pim_node *x = k->in[0], *y, *out[1] = {NULL}, *in[3] = {NULL, k->in[1], input(k, 2)};
	int64_t to[PIM_MAX_RANK] = {0}, back[PIM_MAX_RANK] = {0};
	int rank = x->type->rank;
	if (rank < 3 || k->in[1]->type->rank != rank || onnx_int(k, "group", 1) < 1)
		return onnx_fail(k, "the input is %s and the weights %s, expected 3 dims or more in both",
			pim_type_text(x->type, k->import->scratch),
			pim_type_text(k->in[1]->type, k->import->scratch));
	to[1] = rank - 1;
	back[rank - 1] = 1;
	for (int d = 2; d < rank; d++) {
		to[d] = d - 1;
		back[d - 1] = d;
	}
	in[0] = onnx_transpose(k, x, to);
	if (has_channels_last(k, x->type->dims[rank - 1]))
		in[1] = onnx_transpose(k, k->in[1], to);
	inner.in = in;
	inner.n_in = k->n_in > 3 ? 3 : k->n_in;
	inner.out = out;
	if (!in[0] || !in[1] || !onnx_convert_conv(&inner))
		return false;
	y = onnx_transpose(k, out[0], back);
	y = input(k, 3) ? add(k, y, k->in[3]) : y;
	return onnx_give(k, y ? activate(k, y, "activation", "activation_params") : NULL);
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

/* Dim 0 to the place before the last dim. */
static pim_node *move_batch(onnx_call *k, pim_node *x)
{
	int64_t perm[PIM_MAX_RANK];
	int rank = x->type->rank;
	if (rank < 3)
		return x;
	for (int d = 0; d < rank - 2; d++)
		perm[d] = d + 1;
	perm[rank - 2] = 0;
	perm[rank - 1] = rank - 1;
	return onnx_transpose(k, x, perm);
}

/* alpha * A B, both perhaps transposed. */
bool onnx_convert_fused_matmul(onnx_call *k)
{
	onnx_call inner = *k;
	pim_node *in[2] = {k->in[0], k->in[1]}, *out[1] = {NULL};
	if (onnx_int(k, "transBatchA", 0))
		in[0] = move_batch(k, in[0]);
	if (onnx_int(k, "transBatchB", 0))
		in[1] = move_batch(k, in[1]);
	if (in[0] && onnx_int(k, "transA", 0))
		in[0] = swap_last_two(k, in[0]);
	if (in[1] && onnx_int(k, "transB", 0))
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

/* x[batch, height, width, channels] normalised in groups of channels, then scaled and moved by
 * inputs 1 and 2. */
static pim_node *group_norm(onnx_call *k, pim_node *x, int64_t groups)
{
	const int64_t *s = x->type->dims, axes[2] = {1, 3};
	pim_node *d = onnx_reshape(k, x, 4, (int64_t[]){s[0], s[1] * s[2], groups, s[3] / groups});
	pim_node *v, *mean = onnx_reduce(k, PIM_OP_reduce_mean, d, 2, axes, 1);
	d = onnx_make2(k, PIM_OP_sub, d, mean);
	v = onnx_reduce(k, PIM_OP_reduce_mean, onnx_make2(k, PIM_OP_mul, d, d), 2, axes, 1);
	v = add(k, v, onnx_scalar(k, x, onnx_float(k, "epsilon", 1e-5)));
	v = onnx_unary(k, PIM_OP_reciprocal, onnx_unary(k, PIM_OP_sqrt, v, 0, NULL), 0, NULL);
	d = onnx_reshape(k, onnx_make2(k, PIM_OP_mul, d, v), 4, s);
	d = onnx_make2(k, PIM_OP_mul, d, onnx_cast(k, k->in[1], x->type->dtype));
	d = add(k, d, onnx_cast(k, k->in[2], x->type->dtype));
	return onnx_int(k, "activation", 0) && d ? onnx_unary(k, PIM_OP_silu, d, 0, NULL) : d;
}

/* Inputs 3 and 4, of SkipGroupNorm: a value and a bias to add first; the sum is result 1. */
bool onnx_convert_nhwc_group_norm(onnx_call *k)
{
	pim_node *x = k->in[0], *skip = input(k, 3);
	bool last = onnx_int(k, "channels_last", 1) != 0;
	int64_t groups = onnx_int(k, "groups", 0), back[4] = {0, 3, 1, 2};
	if (!onnx_attribute(k, "groups") || !onnx_attribute(k, "activation"))
		return onnx_fail(k, "attribute '%s' is not given",
			onnx_attribute(k, "groups") ? "activation" : "groups");
	if (x->type->rank == 4 && !last)
		x = onnx_transpose(k, x, (int64_t[]){0, 2, 3, 1});
	if (!x || x->type->rank != 4 || groups < 1 || x->type->dims[3] % groups || (skip && !last))
		return onnx_fail(k, "%s does not divide into %lld groups",
			pim_type_text(k->in[0]->type, k->import->scratch), (long long)groups);
	if (skip && skip->type->rank == 2)
		skip =
			onnx_reshape(k, skip, 4, (int64_t[]){skip->type->dims[0], 1, 1, skip->type->dims[1]});
	x = skip ? add(k, x, skip) : x;
	x = input(k, 4) ? add(k, x, k->in[4]) : x;
	if (!x)
		return false;
	if (k->n_out > 1)
		k->out[1] = x;
	x = group_norm(k, x, groups);
	return onnx_give(k, x && !last ? onnx_transpose(k, x, back) : x);
}

/* One dim of 1 more, where input 1 says. */
bool onnx_convert_expand_dims(onnx_call *k)
{
	const pim_type *x = k->in[0]->type;
	int64_t dims[PIM_MAX_RANK], axis;
	if (onnx_input_ints(k, 1, 1, &axis) != 1 || !onnx_axis(k, &axis, x->rank + 1))
		return false;
	if (x->rank == PIM_MAX_RANK)
		return onnx_fail(k, "the input has %d dims, no more are possible", x->rank);
	for (int d = 0; d <= x->rank; d++)
		dims[d] = d == axis ? 1 : x->dims[d - (d > axis)];
	return onnx_give(k, onnx_reshape(k, k->in[0], x->rank + 1, dims));
}

/* Pad as in opset 11: amounts and value are inputs. */
bool onnx_convert_ms_pad(onnx_call *k)
{
	onnx_call inner = *k;
	inner.opset = 11;
	return onnx_convert_pad(&inner);
}

/* Distances of all rows of a from all rows of b. */
bool onnx_convert_cdist(onnx_call *k)
{
	const pim_type *a = k->in[0]->type, *b = k->in[1]->type;
	const char *metric = onnx_string(k, "metric", "sqeuclidean");
	bool root = !strcmp(metric, "euclidean");
	int64_t axis = 2;
	pim_node *d;
	if (a->rank != 2 || b->rank != 2 || (!root && strcmp(metric, "sqeuclidean")))
		return onnx_fail(k, "metric '%s' of %s and %s is not supported", metric,
			pim_type_text(a, k->import->scratch), pim_type_text(b, k->import->scratch));
	d = onnx_make2(k, PIM_OP_sub,
		onnx_reshape(k, k->in[0], 3, (int64_t[]){a->dims[0], 1, a->dims[1]}),
		onnx_reshape(k, k->in[1], 3, (int64_t[]){1, b->dims[0], b->dims[1]}));
	d = onnx_reduce(k, PIM_OP_reduce_sum, onnx_make2(k, PIM_OP_mul, d, d), 1, &axis, 0);
	return onnx_give(k, root && d ? onnx_unary(k, PIM_OP_sqrt, d, 0, NULL) : d);
}
