/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_norm - softmax and the normalisations.
 *
 * Softmax before opset 13 works on a matrix: the dims before `axis` by the dims from it on.
 * Training forms (several results of BatchNormalization) are refused; instance and group
 * normalisation are compositions of means. Formulas and defaults: ONNX operator specification. */
#include "frontends/onnx.h"

static pim_node *softmax_along(onnx_call *k, pim_node *x, int64_t axis)
{
	pim_attr attr = onnx_attr_int("axis", axis);
	return onnx_make(k, k->row->op, 1, &x, 1, &attr);
}

/* The product of dims lo..hi-1. */
static int64_t product(const pim_type *t, int64_t lo, int64_t hi)
{
	int64_t n = 1;
	for (int64_t d = lo; d < hi; d++)
		n *= t->dims[d];
	return n;
}

bool onnx_convert_softmax(onnx_call *k)
{
	pim_node *x = k->in[0], *y;
	const pim_type *t = x->type;
	int64_t axis = onnx_int(k, "axis", k->opset < 13 ? 1 : -1);
	if (!onnx_axis(k, &axis, t->rank))
		return false;
	if (k->opset >= 13 || axis == t->rank - 1)
		return onnx_give(k, softmax_along(k, x, axis));
	y = onnx_reshape(k, x, 2, (int64_t[]){product(t, 0, axis), product(t, axis, t->rank)});
	return onnx_give(k, onnx_reshape(k, y ? softmax_along(k, y, 1) : NULL, t->rank, t->dims));
}

static bool is_wanted(const onnx_call *k, int result)
{
	return result < k->n_out && k->node->output[result] && *k->node->output[result];
}

static int axes_from(int64_t first, int rank, int64_t *axes)
{
	for (int64_t d = first; d < rank; d++)
		axes[d - first] = d;
	return rank - (int)first;
}

/* x - mean over axes; *inverse is 1 / sqrt(variance + epsilon), dims kept; NULL after a diagnostic.
 */
static pim_node *centre(onnx_call *k, pim_node *x, int n, const int64_t *axes, double epsilon,
	pim_node **mean, pim_node **inverse)
{
	pim_node *d, *v;
	*mean = onnx_reduce(k, PIM_OP_reduce_mean, x, n, axes, 1);
	d = onnx_make2(k, PIM_OP_sub, x, *mean);
	v = onnx_reduce(k, PIM_OP_reduce_mean, onnx_make2(k, PIM_OP_mul, d, d), n, axes, 1);
	v = onnx_make2(k, PIM_OP_add, v, onnx_scalar(k, x, epsilon));
	*inverse = onnx_make1(k, PIM_OP_reciprocal, onnx_make1(k, PIM_OP_sqrt, v));
	return d;
}

bool onnx_convert_layer_norm(onnx_call *k)
{
	int64_t axis = onnx_int(k, "axis", -1), axes[PIM_MAX_RANK];
	double epsilon = onnx_float(k, "epsilon", 1e-5);
	pim_attr attrs[2];
	pim_node *mean, *inverse;
	if (!onnx_axis(k, &axis, k->in[0]->type->rank))
		return false;
	attrs[0] = onnx_attr_int("axis", axis);
	attrs[1] = onnx_attr_float("epsilon", epsilon);
	k->out[0] = onnx_make(k, PIM_OP_layer_norm, k->n_in, k->in, 2, attrs);
	if (!k->out[0] || (!is_wanted(k, 1) && !is_wanted(k, 2)))
		return k->out[0] != NULL;
	centre(
		k, k->in[0], axes_from(axis, k->in[0]->type->rank, axes), axes, epsilon, &mean, &inverse);
	k->out[1] = mean;
	if (k->n_out > 2)
		k->out[2] = inverse;
	return mean && inverse;
}

bool onnx_convert_batch_norm(onnx_call *k)
{
	pim_attr epsilon = onnx_attr_float("epsilon", onnx_float(k, "epsilon", 1e-5));
	if (onnx_int(k, "training_mode", 0))
		return onnx_fail(k, "training_mode is 1, only inference is supported");
	if (k->opset < 9 && !onnx_int(k, "spatial", 1))
		return onnx_fail(k, "spatial is 0, only one scale for each channel is supported");
	for (int i = 1; i < k->n_out; i++)
		if (is_wanted(k, i))
			return onnx_fail(k, "result '%s' is only made in training", k->node->output[i]);
	return onnx_give(k, onnx_make(k, PIM_OP_batch_norm, 5, k->in, 1, &epsilon));
}

/* A vector over dim 1 of a value of `rank` dims, as [n, 1, ..., 1]. */
static pim_node *over_channels(onnx_call *k, pim_node *v, int rank)
{
	int64_t dims[PIM_MAX_RANK];
	for (int d = 0; d < rank - 1; d++)
		dims[d] = d ? 1 : v->type->elements;
	return onnx_reshape(k, v, rank - 1, dims);
}

static bool check_vector(const onnx_call *k, int i, int64_t n)
{
	const pim_type *t = k->in[i]->type;
	if (t->rank == 1 && t->dims[0] == n)
		return true;
	return onnx_fail(k, "input %d ('%s') is %s, expected [%lld]", i, k->node->input[i],
		pim_type_text(t, k->import->scratch), (long long)n);
}

bool onnx_convert_instance_norm(onnx_call *k)
{
	pim_node *x = k->in[0], *d, *mean, *inverse;
	int64_t axes[PIM_MAX_RANK];
	int rank = x->type->rank;
	if (rank < 3)
		return onnx_fail(k, "the input has %d dims, expected at least 3", rank);
	if (!check_vector(k, 1, x->type->dims[1]) || !check_vector(k, 2, x->type->dims[1]))
		return false;
	d = centre(
		k, x, axes_from(2, rank, axes), axes, onnx_float(k, "epsilon", 1e-5), &mean, &inverse);
	d = onnx_make2(k, PIM_OP_mul, d, inverse);
	d = onnx_make2(k, PIM_OP_mul, d, over_channels(k, k->in[1], rank));
	return onnx_give(k, onnx_make2(k, PIM_OP_add, d, over_channels(k, k->in[2], rank)));
}

/* Before opset 21 scale and bias are per group. */
static pim_node *per_channel(onnx_call *k, int i, int64_t groups, int64_t channels)
{
	pim_node *v = k->in[i];
	if (k->opset >= 21)
		return check_vector(k, i, channels) ? v : NULL;
	if (!check_vector(k, i, groups))
		return NULL;
	v = onnx_reshape(k, v, 2, (int64_t[]){groups, 1});
	v = onnx_expand(k, v, 2, (int64_t[]){groups, channels / groups});
	return onnx_reshape(k, v, 1, &channels);
}

bool onnx_convert_group_norm(onnx_call *k)
{
	pim_node *x = k->in[0], *d, *mean, *inverse, *scale, *bias;
	const pim_type *t = x->type;
	int64_t groups = onnx_int(k, "num_groups", 0), axis = 2;
	if (t->rank < 2 || groups <= 0 || t->dims[1] % groups)
		return onnx_fail(k, "num_groups %lld does not divide the channels of %s", (long long)groups,
			pim_type_text(t, k->import->scratch));
	scale = per_channel(k, 1, groups, t->dims[1]);
	bias = scale ? per_channel(k, 2, groups, t->dims[1]) : NULL;
	if (!bias)
		return false;
	d = onnx_reshape(k, x, 3, (int64_t[]){t->dims[0], groups, product(t, 1, t->rank) / groups});
	if (!d)
		return false;
	d = centre(k, d, 1, &axis, onnx_float(k, "epsilon", 1e-5), &mean, &inverse);
	d = onnx_reshape(k, onnx_make2(k, PIM_OP_mul, d, inverse), t->rank, t->dims);
	d = onnx_make2(k, PIM_OP_mul, d, over_channels(k, scale, t->rank));
	return onnx_give(k, onnx_make2(k, PIM_OP_add, d, over_channels(k, bias, t->rank)));
}

bool onnx_convert_lrn(onnx_call *k)
{
	pim_attr attrs[4] = {onnx_attr_int("size", onnx_int(k, "size", 0)),
		onnx_attr_float("alpha", onnx_float(k, "alpha", 1e-4)),
		onnx_attr_float("beta", onnx_float(k, "beta", 0.75)),
		onnx_attr_float("bias", onnx_float(k, "bias", 1))};
	return onnx_give(k, onnx_make(k, PIM_OP_lrn, 1, k->in, 4, attrs));
}
