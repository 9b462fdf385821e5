/* SPDX-License-Identifier: Apache-2.0 */
/* fold_element - simpler forms of element-wise ops.
 *
 * Each rule's algebra stands above it. Rules never make more work, keep the type, and keep values:
 * exactly but for the sign of a zero, and where the rule says more. */
#include "ir/op_rules.h"

#include <math.h>

static bool is_op(const pim_node *n, pim_op op)
{
	return n && n->op == op;
}

/* -(-x) = x */
pim_node *pim_fold_neg(pim_node *n)
{
	return is_op(n->in[0], PIM_OP_neg) ? n->in[0]->in[0] : n;
}

/* cast of x to x's own type = x */
pim_node *pim_fold_cast(pim_node *n)
{
	return pim_rule_same_type(n, n->in[0]) ? n->in[0] : n;
}

/* relu(relu(x)) = relu(x); relu(clip(x, lo, hi)) = clip(x, lo, hi) for lo >= 0 */
pim_node *pim_fold_relu(pim_node *n)
{
	pim_node *x = n->in[0];
	if (is_op(x, PIM_OP_relu) || (is_op(x, PIM_OP_clip) && pim_node_float(x, "min") >= 0))
		return x;
	return n;
}

static pim_node *join_clips(pim_node *n, pim_node *inner)
{
	double lo = fmax(pim_node_float(n, "min"), pim_node_float(inner, "min"));
	double hi = fmin(pim_node_float(n, "max"), pim_node_float(inner, "max"));
	if (lo > hi)
		return n;
	pim_node *made = pim_rule_node(n, PIM_OP_clip, 1, inner->in);
	pim_node_set_float(made, "min", lo);
	pim_node_set_float(made, "max", hi);
	return pim_rule_done(made);
}

/* clip(x, -inf, inf) = x; clip(x, 0, inf) = relu(x); clip(clip(x, a, b), c, d) = clip(x, max(a, c),
 * min(b, d)) when the ranges meet */
pim_node *pim_fold_clip(pim_node *n)
{
	double lo = pim_node_float(n, "min"), hi = pim_node_float(n, "max");
	if (isinf(lo) && lo < 0 && isinf(hi))
		return n->in[0];
	if (is_op(n->in[0], PIM_OP_clip))
		return join_clips(n, n->in[0]);
	if (lo == 0 && isinf(hi))
		return pim_rule_unary(n, PIM_OP_relu, n->in[0]);
	return n;
}

/* The operand of n that stays when the other is the neutral element v; NULL when there is none. */
static pim_node *find_other(const pim_node *n, double v)
{
	for (int i = 0; i < 2; i++)
		if (pim_rule_same_type(n, n->in[1 - i]) && pim_rule_is_all(n->in[i], v))
			return n->in[1 - i];
	return NULL;
}

/* x + 0 = 0 + x = x */
pim_node *pim_fold_add(pim_node *n)
{
	pim_node *x = find_other(n, 0);
	return x ? x : n;
}

static bool is_right(const pim_node *n, double v)
{
	return pim_rule_same_type(n, n->in[0]) && pim_rule_is_all(n->in[1], v);
}

/* x - 0 = x */
pim_node *pim_fold_sub(pim_node *n)
{
	return is_right(n, 0) ? n->in[0] : n;
}

static pim_node *make_zeros(pim_node *n)
{
	pim_arena *a = n->graph->module->arena;
	pim_data *d = PIM_NEW(a, pim_data, 1);
	*d = (pim_data){.kind = PIM_DATA_splat, .bytes = PIM_NEW(a, uint64_t, 1)};
	pim_node *made = pim_constant_make(n->graph, n->type, d, n);
	made->loc = n->loc;
	return made;
}

/* x * 1 = 1 * x = x; x * 0 = 0 * x = 0 for integers only (a float x may be infinite or NaN) */
pim_node *pim_fold_mul(pim_node *n)
{
	pim_node *x = find_other(n, 1);
	if (x)
		return x;
	bool zero = pim_rule_is_all(n->in[0], 0) || pim_rule_is_all(n->in[1], 0);
	return zero && !pim_dtype_is_float(n->type->dtype) ? make_zeros(n) : n;
}

/* x / 1 = x */
pim_node *pim_fold_div(pim_node *n)
{
	return is_right(n, 1) ? n->in[0] : n;
}

/* x^1 = x; x^2 = x * x; floats: x^(1/2) = sqrt(x), x^(-1) = 1 / x, to rounding of pow; at -infinity
 * sqrt gives NaN where pow gives infinity */
pim_node *pim_fold_pow(pim_node *n)
{
	pim_node *x = n->in[0];
	if (is_right(n, 1))
		return x;
	if (is_right(n, 2))
		return pim_rule_binary(n, PIM_OP_mul, x, x);
	if (pim_dtype_is_float(n->type->dtype) && is_right(n, 0.5))
		return pim_rule_unary(n, PIM_OP_sqrt, x);
	if (pim_dtype_is_float(n->type->dtype) && is_right(n, -1))
		return pim_rule_unary(n, PIM_OP_reciprocal, x);
	return n;
}

/* where(true, b, c) = b; where(false, b, c) = c; repeated to the result's dims when they are fewer
 */
pim_node *pim_fold_where(pim_node *n)
{
	pim_node *x = pim_rule_is_all(n->in[0], 1)	 ? n->in[1]
				  : pim_rule_is_all(n->in[0], 0) ? n->in[2]
												 : NULL;
	if (!x)
		return n;
	if (pim_rule_same_type(n, x))
		return x;
	return pim_rule_ints_op(n, PIM_OP_expand, x, "shape", n->type->rank, n->type->dims);
}

static bool differ_by_ones(const pim_type *a, const pim_type *b)
{
	int i = 0, k = 0;
	for (;;) {
		while (i < a->rank && a->dims[i] == 1)
			i++;
		while (k < b->rank && b->dims[k] == 1)
			k++;
		if (i == a->rank || k == b->rank)
			return i == a->rank && k == b->rank;
		if (a->dims[i++] != b->dims[k++])
			return false;
	}
}

/* An operand that has the same elements next to x as next to the reshape of x. */
static bool fits_both(const pim_node *operand, const pim_type *outer, const pim_type *inner)
{
	const pim_type *t = operand->type;
	if (t->rank == 0)
		return true;
	return t->rank == 1 && outer->rank > 0 && inner->rank > 0 &&
		   outer->dims[outer->rank - 1] == inner->dims[inner->rank - 1];
}

/* f(reshape(x), ...) = reshape(f(x, ...)) where the reshapes only add or drop dims of size 1, so
 * that f stands beside what made x, and the reshape meets one that takes it back. */
pim_node *pim_fold_elementwise(pim_node *n)
{
	pim_node *in[PIM_MAX_OPERANDS];
	const pim_type *inner = NULL;
	if (n->n_in > PIM_MAX_OPERANDS)
		return n;
	for (uint32_t i = 0; i < n->n_in; i++) {
		in[i] = n->in[i];
		if (!is_op(in[i], PIM_OP_reshape) || !pim_type_same_dims(in[i]->type, n->type))
			continue;
		in[i] = in[i]->in[0];
		if (inner && !pim_type_same_dims(inner, in[i]->type))
			return n;
		inner = in[i]->type;
	}
	if (!inner || !differ_by_ones(inner, n->type))
		return n;
	for (uint32_t i = 0; i < n->n_in; i++)
		if (in[i] == n->in[i] && !(in[i] && fits_both(in[i], n->type, inner)))
			return n;
	pim_node *made = pim_node_make_like(n, n->op, (int)n->n_in, in, n->n_attrs, n->attrs);
	if (!made)
		return NULL;
	if (n->name) /* which the reshape is to have: here it gets a number behind it */
		pim_node_rename(made, n->name);
	return pim_rule_ints_op(n, PIM_OP_reshape, made, "shape", n->type->rank, n->type->dims);
}
