/* SPDX-License-Identifier: Apache-2.0 */
/* decompose - composed ops as primitive ones, for targets that have no kernel of their own for
 * them.
 *
 * The formula stands above each rule. Ranges are kept safe (the maximum is taken off before exp,
 * means of half floats are summed in f32); the last bits may differ from those of the whole op. */
#include "ir/op_rules.h"

#include <math.h>

static pim_node *add(pim_node *like, pim_node *a, pim_node *b)
{
	return pim_rule_binary(like, PIM_OP_add, a, b);
}

static pim_node *sub(pim_node *like, pim_node *a, pim_node *b)
{
	return pim_rule_binary(like, PIM_OP_sub, a, b);
}

static pim_node *mul(pim_node *like, pim_node *a, pim_node *b)
{
	return pim_rule_binary(like, PIM_OP_mul, a, b);
}

static pim_node *scalar(pim_node *like, double v)
{
	return pim_rule_scalar(like, like->type->dtype, v);
}

/* 1 / (1 + exp(-x)) */
pim_node *pim_decompose_sigmoid(pim_node *n)
{
	pim_node *e = pim_rule_unary(n, PIM_OP_exp, pim_rule_unary(n, PIM_OP_neg, n->in[0]));
	return pim_rule_unary(n, PIM_OP_reciprocal, add(n, e, scalar(n, 1)));
}

/* x * sigmoid(x) */
pim_node *pim_decompose_silu(pim_node *n)
{
	return mul(n, n->in[0], pim_rule_unary(n, PIM_OP_sigmoid, n->in[0]));
}

/* x * clip(x / 6 + 1/2, 0, 1) */
pim_node *pim_decompose_hard_swish(pim_node *n)
{
	pim_node *x = n->in[0], *line = add(n, mul(n, x, scalar(n, 1.0 / 6)), scalar(n, 0.5));
	if (!line)
		return NULL;
	pim_node *gate = pim_rule_node(n, PIM_OP_clip, 1, &line);
	pim_node_set_float(gate, "min", 0);
	pim_node_set_float(gate, "max", 1);
	return mul(n, x, pim_rule_done(gate));
}

/* sqrt(2/pi) * (x + 0.044715 x^3) */
static pim_node *tanh_argument(pim_node *n, pim_node *x)
{
	pim_node *cube = mul(n, mul(n, x, x), x);
	pim_node *sum = add(n, x, mul(n, cube, scalar(n, 0.044715)));
	return mul(n, sum, scalar(n, M_2_SQRTPI * M_SQRT1_2));
}

/* x/2 * (1 + erf(x / sqrt(2))), or x/2 * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
pim_node *pim_decompose_gelu(pim_node *n)
{
	pim_node *x = n->in[0], *bell;
	if (pim_node_string(n, "approximate")[0] == 't')
		bell = pim_rule_unary(n, PIM_OP_tanh, tanh_argument(n, x));
	else
		bell = pim_rule_unary(n, PIM_OP_erf, mul(n, x, scalar(n, M_SQRT1_2)));
	return mul(n, mul(n, x, scalar(n, 0.5)), add(n, bell, scalar(n, 1)));
}

/* x - max(x) along the dim */
static pim_node *take_off_largest(pim_node *n, int64_t axis)
{
	return sub(n, n->in[0], pim_rule_reduce(n, PIM_OP_reduce_max, n->in[0], 1, &axis));
}

/* e / sum(e) with e = exp(x - max(x)) */
pim_node *pim_decompose_softmax(pim_node *n)
{
	int64_t axis = pim_node_int(n, "axis");
	pim_node *e = pim_rule_unary(n, PIM_OP_exp, take_off_largest(n, axis));
	return pim_rule_binary(n, PIM_OP_div, e, pim_rule_reduce(n, PIM_OP_reduce_sum, e, 1, &axis));
}

/* d - log(sum(exp(d))) with d = x - max(x) */
pim_node *pim_decompose_log_softmax(pim_node *n)
{
	int64_t axis = pim_node_int(n, "axis");
	pim_node *d = take_off_largest(n, axis);
	pim_node *sum =
		pim_rule_reduce(n, PIM_OP_reduce_sum, pim_rule_unary(n, PIM_OP_exp, d), 1, &axis);
	return sub(n, d, pim_rule_unary(n, PIM_OP_log, sum));
}

/* x in another element type; x itself when it has it. */
static pim_node *cast_to(pim_node *like, pim_node *x, pim_dtype t)
{
	if (!x || x->type->dtype == t)
		return x;
	pim_node *made = pim_rule_node(like, PIM_OP_cast, 1, &x);
	pim_node_set_string(made, "to", pim_dtype_name(t));
	return pim_rule_done(made);
}

/* The type sums of elements of t are kept in. */
static pim_dtype wide_type(pim_dtype t)
{
	return t == PIM_DTYPE_f16 || t == PIM_DTYPE_bf16 ? PIM_DTYPE_f32 : t;
}

/* sum(x) / count; half floats in f32. Integers stay whole: their sum may not fit their type. */
pim_node *pim_decompose_reduce_mean(pim_node *n)
{
	const int64_t *axes = NULL;
	pim_dtype own = n->type->dtype, wide = wide_type(own);
	int count = pim_node_ints(n, "axes", &axes);
	if (!pim_dtype_is_float(own) || n->type->elements == 0)
		return n;
	pim_node *x = cast_to(n, n->in[0], wide);
	if (!x)
		return NULL;
	pim_node *sum = pim_rule_node(n, PIM_OP_reduce_sum, 1, &x);
	pim_node_set_ints(sum, "axes", count, axes);
	pim_node_set_int(sum, "keepdims", pim_node_int(n, "keepdims"));
	double each = (double)(n->in[0]->type->elements / n->type->elements);
	return cast_to(
		n, pim_rule_binary(n, PIM_OP_div, pim_rule_done(sum), pim_rule_scalar(n, wide, each)), own);
}

/* (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias; half floats in f32 */
pim_node *pim_decompose_layer_norm(pim_node *n)
{
	pim_dtype own = n->type->dtype, wide = wide_type(own);
	int64_t axes[PIM_MAX_RANK];
	int count = 0;
	for (int d = (int)pim_node_int(n, "axis"); d < n->type->rank; d++)
		axes[count++] = d;
	pim_node *x = cast_to(n, n->in[0], wide);
	pim_node *centred = sub(n, x, pim_rule_reduce(n, PIM_OP_reduce_mean, x, count, axes));
	pim_node *variance =
		pim_rule_reduce(n, PIM_OP_reduce_mean, mul(n, centred, centred), count, axes);
	pim_node *epsilon = pim_rule_scalar(n, wide, pim_node_float(n, "epsilon"));
	pim_node *deviation = pim_rule_unary(n, PIM_OP_sqrt, add(n, variance, epsilon));
	pim_node *y =
		mul(n, pim_rule_binary(n, PIM_OP_div, centred, deviation), cast_to(n, n->in[1], wide));
	if (!pim_rule_is_absent(n, 2))
		y = add(n, y, cast_to(n, n->in[2], wide));
	return cast_to(n, y, own);
}

/* A parameter of each channel with dims that broadcast with x: [C, 1, 1, ...]. */
static pim_node *spread_channels(pim_node *n, int input, pim_dtype wide)
{
	int64_t dims[PIM_MAX_RANK] = {n->type->dims[1], 1, 1, 1, 1, 1, 1, 1};
	pim_node *x = n->in[input];
	if (n->type->rank > 2)
		x = pim_rule_ints_op(n, PIM_OP_reshape, x, "shape", n->type->rank - 1, dims);
	return cast_to(n, x, wide);
}

/* (x - mean) * (scale / sqrt(variance + epsilon)) + bias per channel; half floats in f32 */
pim_node *pim_decompose_batch_norm(pim_node *n)
{
	pim_dtype own = n->type->dtype, wide = wide_type(own);
	pim_node *epsilon = pim_rule_scalar(n, wide, pim_node_float(n, "epsilon"));
	pim_node *deviation =
		pim_rule_unary(n, PIM_OP_sqrt, add(n, spread_channels(n, 4, wide), epsilon));
	pim_node *factor = pim_rule_binary(n, PIM_OP_div, spread_channels(n, 1, wide), deviation);
	pim_node *centred = sub(n, cast_to(n, n->in[0], wide), spread_channels(n, 3, wide));
	pim_node *y = add(n, mul(n, centred, factor), spread_channels(n, 2, wide));
	return cast_to(n, y, own);
}
