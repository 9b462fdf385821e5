/* SPDX-License-Identifier: Apache-2.0 */
/* decompose_conv - a transposed convolution as a convolution.
 *
 * result[o] sums x[i] w[k] over i * stride + k * dilation = o + pad: a convolution, with a step of
 * one, of x with stride - 1 zeros behind each element, by w turned round in its spatial dims and
 * with channels of input and result exchanged in each group. What the padding then is may be
 * negative: the zero-filled x is cut. */
#include "ir/op_rules.h"

enum { MOST_SPATIAL = 3 };

typedef struct spatial {
	int n;
	int64_t stride[MOST_SPATIAL], dilation[MOST_SPATIAL], low[MOST_SPATIAL], high[MOST_SPATIAL];
} spatial;

static int64_t entry(const pim_node *n, const char *name, int i, int64_t none)
{
	const int64_t *v = NULL;
	int count = pim_node_ints(n, name, &v);
	return i < count ? v[i] : none;
}

/* The pads of the convolution by which the result has its size. */
static spatial read_spatial(const pim_node *n)
{
	const pim_type *x = n->in[0]->type, *w = n->in[1]->type;
	spatial s = {.n = x->rank - 2};
	for (int i = 0; i < s.n && i < MOST_SPATIAL; i++) {
		s.stride[i] = entry(n, "strides", i, 1);
		s.dilation[i] = entry(n, "dilations", i, 1);
		int64_t reach = (w->dims[2 + i] - 1) * s.dilation[i];
		s.low[i] = reach - entry(n, "pads", i, 0);
		s.high[i] = n->type->dims[2 + i] - x->dims[2 + i] * s.stride[i] - s.low[i] + reach;
	}
	return s;
}

static pim_node *reshape(pim_node *n, pim_node *x, int rank, const int64_t *dims)
{
	return pim_rule_ints_op(n, PIM_OP_reshape, x, "shape", rank, dims);
}

/* stride - 1 zeros behind each element of the spatial dims. */
static pim_node *spread(pim_node *n, const spatial *s)
{
	const pim_type *t = n->in[0]->type;
	int64_t apart[PIM_MAX_RANK] = {t->dims[0], t->dims[1]}, pads[2 * PIM_MAX_RANK] = {0};
	int64_t whole[PIM_MAX_RANK] = {t->dims[0], t->dims[1]};
	int rank = 2 + 2 * s->n;
	bool all_one = true;
	for (int i = 0; i < s->n; i++) {
		apart[2 + 2 * i] = t->dims[2 + i];
		apart[3 + 2 * i] = 1;
		pads[rank + 3 + 2 * i] = s->stride[i] - 1;
		whole[2 + i] = t->dims[2 + i] * s->stride[i];
		all_one = all_one && s->stride[i] == 1;
	}
	if (all_one)
		return n->in[0];
	pim_node *x = reshape(n, n->in[0], rank, apart);
	x = pim_rule_ints_op(n, PIM_OP_pad, x, "pads", 2 * rank, pads);
	return reshape(n, x, 2 + s->n, whole);
}

/* Cuts where a pad is negative; the others are left to the convolution. */
static pim_node *cut(pim_node *n, pim_node *x, spatial *s)
{
	int64_t pads[2 * PIM_MAX_RANK] = {0};
	bool any = false;
	int rank = 2 + s->n;
	for (int i = 0; i < s->n; i++) {
		int64_t *side[] = {&s->low[i], &s->high[i]};
		for (int k = 0; k < 2; k++)
			if (*side[k] < 0) {
				pads[k * rank + 2 + i] = *side[k];
				*side[k] = 0;
				any = true;
			}
	}
	return any ? pim_rule_ints_op(n, PIM_OP_pad, x, "pads", 2 * rank, pads) : x;
}

/* [C, K/groups, ...] to [K, C/groups, ...], turned round. */
static pim_node *turn_weights(pim_node *n, const spatial *s)
{
	const pim_type *t = n->in[1]->type;
	int64_t groups = pim_node_int(n, "groups"), c = t->dims[0] / groups, k = t->dims[1];
	int64_t apart[PIM_MAX_RANK] = {groups, c, k}, whole[PIM_MAX_RANK] = {groups * k, c};
	int64_t perm[PIM_MAX_RANK] = {0, 2, 1}, starts[PIM_MAX_RANK] = {0}, steps[PIM_MAX_RANK];
	steps[0] = steps[1] = 1;
	for (int i = 0; i < s->n; i++) {
		apart[3 + i] = whole[2 + i] = t->dims[2 + i];
		perm[3 + i] = 3 + i;
		starts[2 + i] = t->dims[2 + i] - 1;
		steps[2 + i] = -1;
	}
	pim_node *w = reshape(n, n->in[1], 3 + s->n, apart);
	w = reshape(
		n, pim_rule_ints_op(n, PIM_OP_transpose, w, "perm", 3 + s->n, perm), 2 + s->n, whole);
	if (!w)
		return NULL;
	pim_node *turned = pim_rule_node(n, PIM_OP_slice, 1, &w);
	pim_node_set_ints(turned, "starts", 2 + s->n, starts);
	pim_node_set_ints(turned, "sizes", 2 + s->n, whole);
	pim_node_set_ints(turned, "steps", 2 + s->n, steps);
	return pim_rule_done(turned);
}

pim_node *pim_decompose_conv_transpose(pim_node *n)
{
	int64_t pads[2 * MOST_SPATIAL];
	if (n->in[0]->type->rank > 2 + MOST_SPATIAL || n->type->elements == 0)
		return n;
	spatial s = read_spatial(n);
	pim_node *x = spread(n, &s), *w = turn_weights(n, &s);
	x = x ? cut(n, x, &s) : NULL;
	if (!x || !w)
		return NULL;
	for (int i = 0; i < s.n; i++) {
		pads[i] = s.low[i];
		pads[s.n + i] = s.high[i];
	}
	pim_node *in[] = {x, w, n->n_in > 2 ? n->in[2] : NULL};
	pim_node *conv = pim_rule_node(n, PIM_OP_conv, n->n_in > 2 && n->in[2] ? 3 : 2, in);
	pim_node_set_ints(conv, "pads", 2 * s.n, pads);
	pim_node_set_ints(conv, "dilations", s.n, s.dilation);
	pim_node_set_int(conv, "groups", pim_node_int(n, "groups"));
	return pim_rule_done(conv);
}
