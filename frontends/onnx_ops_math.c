/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_math - element-wise operators, matrix products and reductions.
 *
 * Operators that programs do not have become compositions; each function's body is its formula.
 * Formulas and defaults: ONNX operator specification, opset 6 to 26. */
#include <math.h>
#include <string.h>

#include "frontends/onnx.h"

bool onnx_convert_plain(onnx_call *k)
{
	return onnx_give(k, onnx_make(k, k->row->op, k->n_in, k->in, 0, NULL));
}

static bool give_with(onnx_call *k, int n, const pim_attr *attrs)
{
	return onnx_give(k, onnx_make(k, k->row->op, 1, k->in, n, attrs));
}

bool onnx_convert_leaky_relu(onnx_call *k)
{
	pim_attr alpha = onnx_attr_float("alpha", onnx_float(k, "alpha", 0.01));
	return give_with(k, 1, &alpha);
}

bool onnx_convert_elu(onnx_call *k)
{
	pim_attr alpha = onnx_attr_float("alpha", onnx_float(k, "alpha", 1));
	return give_with(k, 1, &alpha);
}

bool onnx_convert_hard_sigmoid(onnx_call *k)
{
	pim_attr attrs[2] = {onnx_attr_float("alpha", onnx_float(k, "alpha", 0.2)),
		onnx_attr_float("beta", onnx_float(k, "beta", 0.5))};
	return give_with(k, 2, attrs);
}

bool onnx_convert_gelu(onnx_call *k)
{
	const char *how = onnx_string(k, "approximate", "none");
	pim_attr attr = onnx_attr_string("approximate", how);
	if (strcmp(how, "none") && strcmp(how, "tanh"))
		return onnx_fail(k, "approximate is '%s', expected none or tanh", how);
	return give_with(k, 1, &attr);
}

static pim_node *elu(onnx_call *k, pim_node *x, double alpha)
{
	pim_attr attr = onnx_attr_float("alpha", alpha);
	return onnx_make(k, PIM_OP_elu, 1, &x, 1, &attr);
}

/* gamma * elu(x, alpha) */
bool onnx_convert_selu(onnx_call *k)
{
	double alpha = onnx_float(k, "alpha", 1.67326319217681884765625);
	double gamma = onnx_float(k, "gamma", 1.05070102214813232421875);
	pim_node *x = k->in[0];
	return onnx_give(k, onnx_make2(k, PIM_OP_mul, elu(k, x, alpha), onnx_scalar(k, x, gamma)));
}

/* alpha * elu(x / alpha, 1) */
bool onnx_convert_celu(onnx_call *k)
{
	pim_node *x = k->in[0], *alpha = onnx_scalar(k, x, onnx_float(k, "alpha", 1));
	pim_node *y;
	if (x->type->dtype != PIM_DTYPE_f32)
		return onnx_fail(k, "the input is %s, expected f32", pim_dtype_name(x->type->dtype));
	y = elu(k, onnx_make2(k, PIM_OP_div, x, alpha), 1);
	return onnx_give(k, onnx_make2(k, PIM_OP_mul, y, alpha));
}

/* x * tanh(softplus(x)) */
bool onnx_convert_mish(onnx_call *k)
{
	pim_node *x = k->in[0];
	pim_node *t = onnx_make1(k, PIM_OP_tanh, onnx_make1(k, PIM_OP_softplus, x));
	return onnx_give(k, onnx_make2(k, PIM_OP_mul, x, t));
}

/* x * sigmoid(alpha * x) */
bool onnx_convert_swish(onnx_call *k)
{
	pim_node *x = k->in[0], *ax = x;
	double alpha = onnx_float(k, "alpha", 1);
	if (alpha == 1)
		return onnx_give(k, onnx_make1(k, PIM_OP_silu, x));
	ax = onnx_make2(k, PIM_OP_mul, x, onnx_scalar(k, x, alpha));
	return onnx_give(k, onnx_make2(k, PIM_OP_mul, x, onnx_make1(k, PIM_OP_sigmoid, ax)));
}

/* x / (1 + |x|) */
bool onnx_convert_softsign(onnx_call *k)
{
	pim_node *x = k->in[0];
	pim_node *d = onnx_make2(k, PIM_OP_add, onnx_make1(k, PIM_OP_abs, x), onnx_scalar(k, x, 1));
	return onnx_give(k, onnx_make2(k, PIM_OP_div, x, d));
}

/* x where x > alpha, else 0 */
bool onnx_convert_thresholded_relu(onnx_call *k)
{
	pim_node *x = k->in[0], *alpha = onnx_scalar(k, x, onnx_float(k, "alpha", 1));
	pim_node *in[3] = {onnx_make2(k, PIM_OP_greater, x, alpha), x, onnx_scalar(k, x, 0)};
	return onnx_give(k, onnx_make(k, PIM_OP_where, 3, in, 0, NULL));
}

/* max(x, 0) + slope * min(x, 0) */
bool onnx_convert_prelu(onnx_call *k)
{
	pim_node *x = k->in[0], *zero = onnx_scalar(k, x, 0), *y;
	pim_node *low = onnx_make2(k, PIM_OP_mul, k->in[1], onnx_make2(k, PIM_OP_min, x, zero));
	y = onnx_make2(k, PIM_OP_add, onnx_make2(k, PIM_OP_max, x, zero), low);
	if (y && (y->type->rank != x->type->rank || y->type->elements != x->type->elements))
		return onnx_fail(k, "slope %s does not broadcast to %s",
			pim_type_text(k->in[1]->type, k->import->scratch),
			pim_type_text(x->type, k->import->scratch));
	return onnx_give(k, y);
}

/* Bounds that cross give the upper one everywhere. */
static bool clip_between(onnx_call *k, double low, double high)
{
	pim_attr attrs[2];
	int n = 0;
	pim_node *x = k->in[0];
	if (low > high) {
		x = onnx_make2(k, PIM_OP_max, x, onnx_scalar(k, x, low));
		return onnx_give(k, onnx_make2(k, PIM_OP_min, x, onnx_scalar(k, x, high)));
	}
	if (low != -INFINITY)
		attrs[n++] = onnx_attr_float("min", low);
	if (high != INFINITY)
		attrs[n++] = onnx_attr_float("max", high);
	return give_with(k, n, attrs);
}

bool onnx_convert_clip_attributes(onnx_call *k)
{
	return clip_between(k, onnx_float(k, "min", -INFINITY), onnx_float(k, "max", INFINITY));
}

bool onnx_convert_clip_inputs(onnx_call *k)
{
	pim_node *low = k->n_in > 1 ? k->in[1] : NULL, *high = k->n_in > 2 ? k->in[2] : NULL,
			 *y = k->in[0];
	double bounds[2] = {-INFINITY, INFINITY};
	if ((!low || onnx_is_known(low)) && (!high || onnx_is_known(high))) {
		if ((low && !onnx_input_number(k, 1, &bounds[0])) ||
			(high && !onnx_input_number(k, 2, &bounds[1])))
			return false;
		return clip_between(k, bounds[0], bounds[1]);
	}
	if (low)
		y = onnx_make2(k, PIM_OP_max, y, low);
	if (high)
		y = onnx_make2(k, PIM_OP_min, y, high);
	return onnx_give(k, y);
}

/* A float too large for a short integer keeps its low bits, as that of a longer integer does: ONNX
 * leaves it open, onnxruntime does so. */
static pim_node *cast_wrapping(onnx_call *k, pim_node *x, pim_dtype to)
{
	bool is_short =
		to == PIM_DTYPE_u8 || to == PIM_DTYPE_i8 || to == PIM_DTYPE_u16 || to == PIM_DTYPE_i16;
	if (is_short && pim_dtype_is_float(x->type->dtype))
		x = onnx_cast(k, x, PIM_DTYPE_i32);
	return onnx_cast(k, x, to);
}

bool onnx_convert_cast(onnx_call *k)
{
	int64_t to = onnx_int(k, "to", 0);
	pim_dtype dtype = to < 0 || to > INT32_MAX ? PIM_DTYPE_COUNT : onnx_dtype((int32_t)to);
	if (dtype == PIM_DTYPE_COUNT)
		return onnx_fail(k, "element type %s (%lld) is not supported", onnx_dtype_text((int32_t)to),
			(long long)to);
	return onnx_give(k, cast_wrapping(k, k->in[0], dtype));
}

bool onnx_convert_cast_like(onnx_call *k)
{
	return onnx_give(k, cast_wrapping(k, k->in[0], k->in[1]->type->dtype));
}

/* Before opset 7 the second operand lies along the dims from `axis` on. */
static pim_node *old_broadcast(onnx_call *k)
{
	int64_t dims[PIM_MAX_RANK], axis;
	const pim_type *a = k->in[0]->type, *b = k->in[1]->type;
	if (k->opset >= 7 || !onnx_int(k, "broadcast", 0) || b->rank == 0)
		return k->in[1];
	axis = onnx_int(k, "axis", a->rank - b->rank);
	if (axis < 0)
		axis += a->rank;
	if (axis < 0 || axis + b->rank > a->rank) {
		onnx_fail(
			k, "axis %lld leaves no room for %d dims in %d", (long long)axis, b->rank, a->rank);
		return NULL;
	}
	for (int d = 0; d < a->rank - axis; d++)
		dims[d] = d < b->rank ? b->dims[d] : 1;
	return onnx_reshape(k, k->in[1], (int)(a->rank - axis), dims);
}

bool onnx_convert_binary(onnx_call *k)
{
	return onnx_give(k, onnx_make2(k, k->row->op, k->in[0], old_broadcast(k)));
}

/* The result has the type of the base; a float exponent of an integer base is computed in floats.
 */
bool onnx_convert_pow(onnx_call *k)
{
	pim_node *a = k->in[0], *b = old_broadcast(k);
	pim_dtype base = a->type->dtype;
	if (!b)
		return false;
	if (pim_dtype_is_float(b->type->dtype) && !pim_dtype_is_float(base)) {
		pim_node *y = onnx_make2(k, PIM_OP_pow, onnx_cast(k, a, b->type->dtype), b);
		return onnx_give(k, onnx_cast(k, y, base));
	}
	return onnx_give(k, onnx_make2(k, PIM_OP_pow, a, onnx_cast(k, b, base)));
}

/* With fmod the result has the sign of a: a - b * trunc(a / b) for integers. */
bool onnx_convert_mod(onnx_call *k)
{
	pim_node *a = k->in[0], *b = k->in[1], *q;
	bool fmod_wanted = onnx_int(k, "fmod", 0) != 0, is_float = pim_dtype_is_float(a->type->dtype);
	if (is_float && !fmod_wanted)
		return onnx_fail(
			k, "operands are %s, which needs fmod = 1", pim_dtype_name(a->type->dtype));
	if (is_float || !fmod_wanted)
		return onnx_give(k, onnx_make2(k, PIM_OP_mod, a, b));
	q = onnx_make2(k, PIM_OP_mul, b, onnx_make2(k, PIM_OP_div, a, b));
	return onnx_give(k, onnx_make2(k, PIM_OP_sub, a, q));
}

static pim_node *chain(onnx_call *k)
{
	pim_node *y = k->in[0];
	for (int i = 1; i < k->n_in; i++) {
		if (!k->in[i]) {
			onnx_fail(k, "input %d is missing", i);
			return NULL;
		}
		y = onnx_make2(k, k->row->op, y, k->in[i]);
	}
	return y;
}

bool onnx_convert_variadic(onnx_call *k)
{
	return onnx_give(k, chain(k));
}

bool onnx_convert_mean(onnx_call *k)
{
	pim_node *y = chain(k);
	return onnx_give(k, onnx_make2(k, PIM_OP_div, y, onnx_scalar(k, y, k->n_in)));
}

/* Operands of one dim become a row (left) or a column (right); the result loses that dim again. */
bool onnx_convert_matmul(onnx_call *k)
{
	pim_node *a = k->in[0], *b = k->in[1], *y;
	int64_t dims[PIM_MAX_RANK];
	int ra = a->type->rank, rb = b->type->rank, rank = 0;
	if (ra == 0 || rb == 0)
		return onnx_fail(k, "operands are %s and %s, expected at least one dim",
			pim_type_text(a->type, k->import->scratch), pim_type_text(b->type, k->import->scratch));
	if (ra == 1)
		a = onnx_reshape(k, a, 2, (int64_t[]){1, a->type->dims[0]});
	if (rb == 1)
		b = onnx_reshape(k, b, 2, (int64_t[]){b->type->dims[0], 1});
	y = onnx_make2(k, PIM_OP_matmul, a, b);
	if (!y || (ra > 1 && rb > 1))
		return onnx_give(k, y);
	for (int d = 0; d < y->type->rank; d++)
		if (!(ra == 1 && d == y->type->rank - 2) && !(rb == 1 && d == y->type->rank - 1))
			dims[rank++] = y->type->dims[d];
	return onnx_give(k, onnx_reshape(k, y, rank, dims));
}

static pim_node *scale(onnx_call *k, pim_node *x, double by)
{
	return by == 1 ? x : onnx_make2(k, PIM_OP_mul, x, onnx_scalar(k, x, by));
}

/* alpha * a * b + beta * c */
bool onnx_convert_gemm(onnx_call *k)
{
	pim_node *y, *c = k->n_in > 2 ? k->in[2] : NULL;
	const pim_type *shape;
	pim_attr attrs[2];
	int n = 0;
	if (onnx_int(k, "transA", 0))
		attrs[n++] = onnx_attr_int("transpose_a", 1);
	if (onnx_int(k, "transB", 0))
		attrs[n++] = onnx_attr_int("transpose_b", 1);
	for (int i = 0; i < 2; i++)
		if (k->in[i]->type->rank != 2)
			return onnx_fail(k, "input %d ('%s') is %s, expected two dims", i, k->node->input[i],
				pim_type_text(k->in[i]->type, k->import->scratch));
	y = scale(k, onnx_make(k, PIM_OP_matmul, 2, k->in, n, attrs), onnx_float(k, "alpha", 1));
	if (!y || !c)
		return onnx_give(k, y);
	shape = y->type;
	y = onnx_make2(k, PIM_OP_add, y, scale(k, c, onnx_float(k, "beta", 1)));
	if (y && y->type != shape)
		return onnx_fail(k, "C of type %s does not broadcast to %s",
			pim_type_text(c->type, k->import->scratch), pim_type_text(shape, k->import->scratch));
	return onnx_give(k, y);
}

/* Dims to reduce: as given, else all; none when that is asked for. -1 after a diagnostic. */
static int reduced_axes(onnx_call *k, int64_t *axes)
{
	int rank = k->in[0]->type->rank;
	int n = onnx_axes(k, "axes", 1, rank, axes);
	if (n == -1 || n > 0)
		return n;
	if (onnx_int(k, "noop_with_empty_axes", 0))
		return 0;
	for (int d = 0; d < rank; d++)
		axes[d] = d;
	return rank;
}

static pim_node *reduce(onnx_call *k, pim_op op, pim_node *x)
{
	int64_t axes[PIM_MAX_RANK];
	int n = reduced_axes(k, axes);
	return n < 0 ? NULL : onnx_reduce(k, op, x, n, axes, onnx_int(k, "keepdims", 1) != 0);
}

bool onnx_convert_reduce(onnx_call *k)
{
	return onnx_give(k, reduce(k, k->row->op, k->in[0]));
}

bool onnx_convert_reduce_l1(onnx_call *k)
{
	return onnx_give(k, reduce(k, PIM_OP_reduce_sum, onnx_make1(k, PIM_OP_abs, k->in[0])));
}

static pim_node *reduce_squares(onnx_call *k)
{
	return reduce(k, PIM_OP_reduce_sum, onnx_make2(k, PIM_OP_mul, k->in[0], k->in[0]));
}

bool onnx_convert_reduce_sum_square(onnx_call *k)
{
	return onnx_give(k, reduce_squares(k));
}

bool onnx_convert_reduce_l2(onnx_call *k)
{
	pim_node *y = reduce_squares(k);
	pim_dtype t = k->in[0]->type->dtype;
	if (pim_dtype_is_float(t))
		return onnx_give(k, onnx_make1(k, PIM_OP_sqrt, y));
	return onnx_give(
		k, onnx_cast(k, onnx_make1(k, PIM_OP_sqrt, onnx_cast(k, y, PIM_DTYPE_f64)), t));
}

/* Integers are computed as f64, and cut towards zero. */
bool onnx_convert_reduce_log_sum(onnx_call *k)
{
	pim_dtype t = k->in[0]->type->dtype;
	pim_node *x = pim_dtype_is_float(t) ? k->in[0] : onnx_cast(k, k->in[0], PIM_DTYPE_f64);
	x = onnx_make1(k, PIM_OP_log, reduce(k, PIM_OP_reduce_sum, x));
	return onnx_give(k, onnx_cast(k, x, t));
}

/* m + log(sum(exp(x - m))), m the maximum, or 0 where that is infinite */
bool onnx_convert_reduce_log_sum_exp(onnx_call *k)
{
	int64_t axes[PIM_MAX_RANK];
	int n = reduced_axes(k, axes);
	pim_dtype t = k->in[0]->type->dtype;
	pim_node *x = pim_dtype_is_float(t) ? k->in[0] : onnx_cast(k, k->in[0], PIM_DTYPE_f64);
	pim_node *top, *e, *m, *far;
	if (n < 0)
		return false;
	top = onnx_reduce(k, PIM_OP_reduce_max, x, n, axes, 1);
	far = onnx_make2(k, PIM_OP_equal, onnx_make1(k, PIM_OP_abs, top), onnx_scalar(k, x, INFINITY));
	top = onnx_where(k, far, onnx_scalar(k, x, 0), top);
	e = onnx_make1(k, PIM_OP_exp, onnx_make2(k, PIM_OP_sub, x, top));
	e = onnx_make1(k, PIM_OP_log, reduce(k, PIM_OP_reduce_sum, e));
	m = e && top ? onnx_reshape(k, top, e->type->rank, e->type->dims) : NULL;
	return onnx_give(k, onnx_cast(k, onnx_make2(k, PIM_OP_add, m, e), t));
}
