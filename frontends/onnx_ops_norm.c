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
	if (!k->out[0] || (!onnx_is_wanted(k, 1) && !onnx_is_wanted(k, 2)))
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
		if (onnx_is_wanted(k, i))
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

/* x / sqrt(mean of squares + epsilon) * scale, in f32 when x is shorter. *inverse may be NULL. */
static pim_node *rms_norm(
	onnx_call *k, pim_node *x, pim_node *scale, int64_t axis, double epsilon, pim_node **inverse)
{
	int64_t axes[PIM_MAX_RANK];
	pim_dtype t = x->type->dtype;
	bool is_short = pim_dtype_bytes(t) < 4;
	pim_node *y = is_short ? onnx_cast(k, x, PIM_DTYPE_f32) : x, *m;
	int n = axes_from(axis, x->type->rank, axes);
	m = onnx_reduce(k, PIM_OP_reduce_mean, onnx_make2(k, PIM_OP_mul, y, y), n, axes, 1);
	m = onnx_make2(k, PIM_OP_add, m, onnx_scalar(k, y, epsilon));
	m = onnx_make1(k, PIM_OP_reciprocal, onnx_make1(k, PIM_OP_sqrt, m));
	if (inverse)
		*inverse = m;
	y = onnx_cast(k, onnx_make2(k, PIM_OP_mul, y, m), t);
	return onnx_make2(k, PIM_OP_mul, y, onnx_cast(k, scale, t));
}

bool onnx_convert_rms_norm(onnx_call *k)
{
	int64_t axis = onnx_int(k, "axis", -1);
	pim_node *inverse;
	if (!onnx_axis(k, &axis, k->in[0]->type->rank))
		return false;
	k->out[0] = rms_norm(k, k->in[0], k->in[1], axis, onnx_float(k, "epsilon", 1e-5), &inverse);
	if (k->n_out > 1)
		k->out[1] = inverse;
	return k->out[0] != NULL;
}

/* layer_norm of x, or RMS norm in the simplified form, over the last dim; weights are inputs i and
 * i + 1 of the node. */
static pim_node *last_dim_norm(onnx_call *k, pim_node *x, int i, bool simplified)
{
	double epsilon = onnx_float(k, "epsilon", 1e-12);
	pim_attr attrs[2];
	if (!x)
		return NULL;
	if (simplified)
		return rms_norm(k, x, k->in[i], x->type->rank - 1, epsilon, NULL);
	attrs[0] = onnx_attr_int("axis", x->type->rank - 1);
	attrs[1] = onnx_attr_float("epsilon", epsilon);
	return onnx_make(k, PIM_OP_layer_norm, i + 1 < k->n_in && k->in[i + 1] ? 3 : 2,
		(pim_node *[]){x, k->in[i], i + 1 < k->n_in ? k->in[i + 1] : NULL}, 2, attrs);
}

/* Normalises x + skip (+ bias, the input behind the weights); result 3 is that sum. */
static bool skip_norm(onnx_call *k, bool simplified)
{
	int bias = simplified ? 3 : 4;
	pim_node *x = onnx_make2(k, PIM_OP_add, k->in[0], k->in[1]);
	if (bias < k->n_in && k->in[bias])
		x = onnx_make2(k, PIM_OP_add, x, k->in[bias]);
	if (k->n_out > 3)
		k->out[3] = x;
	return onnx_give(k, last_dim_norm(k, x, 2, simplified));
}

bool onnx_convert_skip_layer_norm(onnx_call *k)
{
	return skip_norm(k, false);
}

bool onnx_convert_skip_rms_norm(onnx_call *k)
{
	return skip_norm(k, true);
}

static pim_node *take_rows(onnx_call *k, int table, pim_node *rows)
{
	pim_attr axis = onnx_attr_int("axis", 0);
	return onnx_make(k, PIM_OP_gather, 2, (pim_node *[]){k->in[table], rows}, 1, &axis);
}

/* Word, position and segment rows added up and normalised. Result 1: tokens that the mask keeps. */
bool onnx_convert_embed_layer_norm(onnx_call *k)
{
	const pim_type *ids = k->in[0]->type;
	pim_node *x, *at = k->n_in > 8 ? k->in[8] : NULL;
	int64_t axis = 1;
	if (k->n_in < 6 || !k->in[2] || !k->in[3] || !k->in[5])
		return onnx_fail(k, "words, positions or gamma are missing");
	x = take_rows(k, 2, k->in[0]);
	if (ids->rank != 2)
		return onnx_fail(
			k, "the ids are %s, expected [batch, tokens]", pim_type_text(ids, k->import->scratch));
	at = at ? at : onnx_iota(k, PIM_DTYPE_i64, ids->dims[1]);
	x = onnx_make2(k, PIM_OP_add, x, take_rows(k, 3, at));
	if (k->in[1] && k->in[4])
		x = onnx_make2(k, PIM_OP_add, x, take_rows(k, 4, k->in[1]));
	if (k->n_out > 1)
		k->out[1] = k->n_in > 7 && k->in[7]
						? onnx_reduce(k, PIM_OP_reduce_sum, k->in[7], 1, &axis, 0)
						: onnx_splat(k, PIM_DTYPE_i32, 1, ids->dims, 0);
	if (k->n_out > 2)
		k->out[2] = x;
	return onnx_give(k, last_dim_norm(k, x, 5, false));
}

/* (x - mean) / (deviation + 1e-9) over axes */
bool onnx_convert_mean_variance_norm(onnx_call *k)
{
	int64_t axes[PIM_MAX_RANK] = {0, 2, 3};
	pim_node *x = k->in[0], *mean, *d, *v;
	int n = onnx_axes(k, "axes", 1, x->type->rank, axes);
	if (n == -1)
		return false;
	n = n < 0 ? 3 : n;
	for (int i = 0; i < n; i++)
		if (!onnx_axis(k, &axes[i], x->type->rank))
			return false;
	mean = onnx_reduce(k, PIM_OP_reduce_mean, x, n, axes, 1);
	d = onnx_make2(k, PIM_OP_sub, x, mean);
	v = onnx_reduce(k, PIM_OP_reduce_mean, onnx_make2(k, PIM_OP_mul, d, d), n, axes, 1);
	v = onnx_make2(k, PIM_OP_add, onnx_make1(k, PIM_OP_sqrt, v), onnx_scalar(k, x, 1e-9));
	return onnx_give(k, onnx_make2(k, PIM_OP_div, d, v));
}

/* x over its norm along an axis; 0 where that is 0 */
bool onnx_convert_lp_norm(onnx_call *k)
{
	int64_t axis = onnx_int(k, "axis", -1), p = onnx_int(k, "p", 2);
	pim_node *x = k->in[0], *zero = onnx_scalar(k, x, 0), *v;
	if (!onnx_axis(k, &axis, x->type->rank))
		return false;
	if (p != 1 && p != 2)
		return onnx_fail(k, "p is %lld, expected 1 or 2", (long long)p);
	v = p == 1 ? onnx_make1(k, PIM_OP_abs, x) : onnx_make2(k, PIM_OP_mul, x, x);
	v = onnx_reduce(k, PIM_OP_reduce_sum, v, 1, &axis, 1);
	if (p == 2)
		v = onnx_make1(k, PIM_OP_sqrt, v);
	return onnx_give(k,
		onnx_where(k, onnx_make2(k, PIM_OP_equal, v, zero), zero, onnx_make2(k, PIM_OP_div, x, v)));
}
