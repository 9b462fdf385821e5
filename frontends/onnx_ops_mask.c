/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_mask - operators that compare positions: one-hot, triangles, maxima, losses, crops.
 *
 * What depends on positions only is a constant; what compares indices with positions is `equal`
 * with 0, 1, 2, ... along a dim. Rules: ONNX operator specification. */
#include <string.h>

#include "frontends/onnx.h"

/* 0, 1, ... along dim `axis` of a value of `rank` dims; the other dims are 1. */
static pim_node *positions(onnx_call *k, pim_dtype t, int rank, int axis, int64_t size)
{
	int64_t dims[PIM_MAX_RANK];
	for (int d = 0; d < rank; d++)
		dims[d] = d == axis ? size : 1;
	return onnx_reshape(k, onnx_iota(k, t, size), rank, dims);
}

/* Indices with a dim of size 1 put in at `axis`. */
static pim_node *with_dim(onnx_call *k, pim_node *x, int axis)
{
	int64_t dims[PIM_MAX_RANK];
	for (int d = 0; d <= x->type->rank; d++)
		dims[d] = d == axis ? 1 : x->type->dims[d - (d > axis)];
	return onnx_reshape(k, x, x->type->rank + 1, dims);
}

/* Indices below 0 count from the end; ones out of range have no hot element. */
bool onnx_convert_one_hot(onnx_call *k)
{
	pim_node *indices = onnx_cast(k, k->in[0], PIM_DTYPE_i64), *hot, *off, *on;
	int rank = k->in[0]->type->rank;
	int64_t axis = onnx_int(k, "axis", -1), one = 1;
	double depth;
	if (!onnx_axis(k, &axis, rank + 1) || !onnx_input_number(k, 1, &depth))
		return false;
	if (rank >= PIM_MAX_RANK || depth < 1 || depth > INT32_MAX || k->in[2]->type->elements != 2)
		return onnx_fail(k,
			"the depth is %g, values %s and the indices have %d dims: expected a "
			"positive depth, two values and at most %d dims",
			depth, pim_type_text(k->in[2]->type, k->import->scratch), rank, PIM_MAX_RANK - 1);
	hot = onnx_make2(k, PIM_OP_less, indices, onnx_scalar(k, indices, 0));
	indices = onnx_where(
		k, hot, onnx_make2(k, PIM_OP_add, indices, onnx_scalar(k, indices, depth)), indices);
	if (!indices)
		return false;
	indices = with_dim(k, indices, (int)axis);
	hot = onnx_make2(
		k, PIM_OP_equal, indices, positions(k, PIM_DTYPE_i64, rank + 1, (int)axis, (int64_t)depth));
	off = onnx_slice(k, k->in[2], (int64_t[]){0}, &one, NULL);
	on = onnx_slice(k, k->in[2], (int64_t[]){1}, &one, NULL);
	return onnx_give(
		k, onnx_where(k, hot, onnx_reshape(k, on, 0, NULL), onnx_reshape(k, off, 0, NULL)));
}

/* A bool matrix: element (r, c) holds when c - r + shift >= 0 (upper) or <= 0. */
static pim_node *triangle(onnx_call *k, int64_t rows, int64_t columns, double shift, bool upper)
{
	pim_node *c = positions(k, PIM_DTYPE_i64, 2, 1, columns);
	pim_node *r = positions(k, PIM_DTYPE_i64, 2, 0, rows);
	r = onnx_make2(k, PIM_OP_add, r, onnx_scalar(k, r, shift));
	return onnx_make2(k, upper ? PIM_OP_greater_equal : PIM_OP_less_equal, c, r);
}

bool onnx_convert_trilu(onnx_call *k)
{
	const pim_type *t = k->in[0]->type;
	double shift = 0;
	pim_node *mask;
	if (t->rank < 2)
		return onnx_fail(k, "the input has %d dims, expected at least 2", t->rank);
	if (k->n_in > 1 && k->in[1] && !onnx_input_number(k, 1, &shift))
		return false;
	mask = triangle(
		k, t->dims[t->rank - 2], t->dims[t->rank - 1], shift, onnx_int(k, "upper", 1) != 0);
	if (t->dtype == PIM_DTYPE_bool)
		return onnx_give(k, onnx_make2(k, PIM_OP_and, k->in[0], mask));
	return onnx_give(k, onnx_where(k, mask, k->in[0], onnx_scalar(k, k->in[0], 0)));
}

bool onnx_convert_eye_like(onnx_call *k)
{
	const pim_type *t = k->in[0]->type;
	int64_t to = onnx_int(k, "dtype", 0), shift = onnx_int(k, "k", 0);
	pim_dtype dtype = onnx_attribute(k, "dtype") ? onnx_dtype((int32_t)to) : t->dtype;
	pim_node *c, *r;
	if (t->rank != 2 || dtype == PIM_DTYPE_COUNT)
		return onnx_fail(k,
			"the input is %s and dtype %s, expected two dims and a type of programs",
			pim_type_text(t, k->import->scratch), onnx_dtype_text((int32_t)to));
	c = positions(k, PIM_DTYPE_i64, 2, 1, t->dims[1]);
	r = positions(k, PIM_DTYPE_i64, 2, 0, t->dims[0]);
	r = onnx_make2(k, PIM_OP_add, r, onnx_scalar(k, r, (double)shift));
	return onnx_give(k, onnx_cast(k, onnx_make2(k, PIM_OP_equal, c, r), dtype));
}

/* The first of the largest: the smallest position where x is its maximum. */
static pim_node *first_maximum(onnx_call *k, pim_node *x, int64_t axis)
{
	int64_t size = x->type->dims[axis];
	pim_node *top = onnx_reduce(k, PIM_OP_reduce_max, x, 1, &axis, 1);
	pim_node *at = positions(k, PIM_DTYPE_i64, x->type->rank, (int)axis, size);
	pim_node *is_top = onnx_make2(k, PIM_OP_equal, x, top);
	pim_node *first = onnx_where(k, is_top, at, onnx_scalar(k, at, (double)size));
	first = onnx_reduce(k, PIM_OP_reduce_min, first, 1, &axis, 1);
	return onnx_make2(k, PIM_OP_equal, at, first);
}

/* Before opset 13 the dims from axis on are one. */
bool onnx_convert_hardmax(onnx_call *k)
{
	pim_node *x = k->in[0];
	const pim_type *t = x->type;
	int64_t axis = onnx_int(k, "axis", k->opset < 13 ? 1 : -1), dims[2] = {1, 1};
	if (!onnx_axis(k, &axis, t->rank))
		return false;
	if (k->opset < 13) {
		for (int d = 0; d < t->rank; d++)
			dims[d >= axis] *= t->dims[d];
		x = onnx_reshape(k, x, 2, dims);
		axis = 1;
	}
	if (!x)
		return false;
	x = onnx_cast(k, first_maximum(k, x, axis), t->dtype);
	return onnx_give(k, onnx_reshape(k, x, t->rank, t->dims));
}

typedef enum reduction { REDUCE_none, REDUCE_sum, REDUCE_mean } reduction;

static bool read_reduction(const onnx_call *k, reduction *r)
{
	const char *how = onnx_string(k, "reduction", "mean");
	*r = !strcmp(how, "none") ? REDUCE_none : !strcmp(how, "sum") ? REDUCE_sum : REDUCE_mean;
	return *r != REDUCE_mean || !strcmp(how, "mean") ||
		   onnx_fail(k, "reduction is '%s', expected none, sum or mean", how);
}

static pim_node *sum_all(onnx_call *k, pim_node *x)
{
	int64_t axes[PIM_MAX_RANK];
	for (int d = 0; x && d < x->type->rank; d++)
		axes[d] = d;
	return x ? onnx_reduce(k, PIM_OP_reduce_sum, x, x->type->rank, axes, 0) : NULL;
}

/* The weight of each target's class (1 without weights), 0 where the target is to be ignored. */
static pim_node *target_weights(
	onnx_call *k, pim_node *hot, pim_node *target, pim_node *w, pim_dtype t)
{
	int64_t channel = 1, dims[PIM_MAX_RANK];
	pim_node *y;
	if (w) {
		for (int d = 0; d < hot->type->rank; d++)
			dims[d] = d == 1 ? hot->type->dims[1] : 1;
		w = onnx_reshape(k, w, hot->type->rank, dims);
		y = onnx_where(k, hot, w, onnx_scalar(k, w, 0));
		y = onnx_reduce(k, PIM_OP_reduce_sum, y, 1, &channel, 0);
	} else {
		y = onnx_splat(k, t, target->type->rank, target->type->dims, 1);
	}
	if (onnx_attribute(k, "ignore_index") && y) {
		pim_node *id = onnx_scalar(k, target, (double)onnx_int(k, "ignore_index", 0));
		y = onnx_where(k, onnx_make2(k, PIM_OP_equal, target, id), onnx_scalar(k, y, 0), y);
	}
	return y;
}

/* -w[target] * log probability of the target, reduced as asked. */
static pim_node *likelihood(onnx_call *k, pim_node *p, pim_node *target, pim_node *w)
{
	int64_t channel = 1;
	reduction how;
	pim_node *hot, *each, *weights, *zero;
	if (!p || !read_reduction(k, &how))
		return NULL;
	if (p->type->rank < 2 || target->type->rank != p->type->rank - 1) {
		onnx_fail(k, "the input is %s and the target %s, expected one dim more",
			pim_type_text(p->type, k->import->scratch),
			pim_type_text(target->type, k->import->scratch));
		return NULL;
	}
	hot = onnx_make2(k, PIM_OP_equal, with_dim(k, target, 1),
		positions(k, target->type->dtype, p->type->rank, 1, p->type->dims[1]));
	zero = onnx_scalar(k, p, 0);
	each = onnx_reduce(k, PIM_OP_reduce_sum, onnx_where(k, hot, p, zero), 1, &channel, 0);
	weights = hot ? target_weights(k, hot, target, w, p->type->dtype) : NULL;
	each = onnx_make2(k, PIM_OP_mul, onnx_make1(k, PIM_OP_neg, each), weights);
	if (how == REDUCE_none)
		return each;
	each = sum_all(k, each);
	return how == REDUCE_sum ? each : onnx_make2(k, PIM_OP_div, each, sum_all(k, weights));
}

bool onnx_convert_likelihood_loss(onnx_call *k)
{
	return onnx_give(k, likelihood(k, k->in[0], k->in[1], k->n_in > 2 ? k->in[2] : NULL));
}

bool onnx_convert_cross_entropy_loss(onnx_call *k)
{
	pim_attr axis = onnx_attr_int("axis", 1);
	pim_node *p = onnx_make(k, PIM_OP_log_softmax, 1, k->in, 1, &axis);
	if (k->n_out > 1)
		k->out[1] = p;
	return onnx_give(k, likelihood(k, p, k->in[1], k->n_in > 2 ? k->in[2] : NULL));
}

/* Crops or pads both ends of some dims to a wanted size; an odd element is lost or added at the
 * high end (crop starts at the rounded-down half). */
bool onnx_convert_center_crop_pad(onnx_call *k)
{
	pim_node *x = k->in[0];
	int64_t wanted[PIM_MAX_RANK], axes[PIM_MAX_RANK], pads[2 * PIM_MAX_RANK] = {0};
	const int64_t *given;
	pim_attr attr;
	int rank = x->type->rank, n = onnx_ints(k, "axes", &given);
	int count = onnx_input_ints(k, 1, PIM_MAX_RANK, wanted);
	if (count < 0)
		return false;
	if (n < 0)
		n = rank;
	if (n != count)
		return onnx_fail(k, "shape has %d numbers for %d axes", count, n);
	for (int i = 0; i < n; i++) {
		int64_t d, size;
		axes[i] = onnx_attribute(k, "axes") ? given[i] : i;
		if (!onnx_axis(k, &axes[i], rank))
			return false;
		d = axes[i];
		size = x->type->dims[d];
		if (wanted[i] < 0)
			return onnx_fail(k, "shape[%d] is %lld", i, (long long)wanted[i]);
		if (wanted[i] < size)
			x = onnx_part(k, x, (int)d, (size - wanted[i]) / 2, wanted[i]);
		if (!x)
			return false;
		if (wanted[i] > size) {
			pads[d] = (wanted[i] - size) / 2;
			pads[rank + d] = wanted[i] - size - pads[d];
		}
	}
	attr = onnx_attr_ints("pads", 2 * rank, pads);
	for (int d = 0; d < 2 * rank; d++)
		if (pads[d])
			return onnx_give(k, onnx_unary(k, PIM_OP_pad, x, 1, &attr));
	return onnx_give(k, x);
}
