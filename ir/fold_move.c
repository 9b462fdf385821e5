/* SPDX-License-Identifier: Apache-2.0 */
/* fold_move - simpler forms of ops that move elements, and of reductions that only do that.
 *
 * All rules keep every value exactly. */
#include "ir/op_rules.h"

/* reshape(x) of x's own type = x; reshape(reshape(x)) = reshape(x) */
pim_node *pim_fold_reshape(pim_node *n)
{
	pim_node *x = n->in[0];
	if (pim_rule_same_type(n, x))
		return x;
	if (x->op != PIM_OP_reshape)
		return n;
	if (pim_rule_same_type(n, x->in[0]))
		return x->in[0];
	return pim_rule_ints_op(n, PIM_OP_reshape, x->in[0], "shape", n->type->rank, n->type->dims);
}

/* transpose by 0 1 2 ... = x; transpose(transpose(x, p), q) = transpose(x, p of q) */
pim_node *pim_fold_transpose(pim_node *n)
{
	const int64_t *perm = NULL, *inner = NULL;
	int64_t both[PIM_MAX_RANK];
	pim_node *x = n->in[0];
	int rank = pim_node_ints(n, "perm", &perm);
	bool same = true;
	for (int d = 0; d < rank; d++)
		same = same && perm[d] == d;
	if (same)
		return x;
	if (x->op != PIM_OP_transpose)
		return n;
	pim_node_ints(x, "perm", &inner);
	for (int d = 0; d < rank; d++)
		both[d] = inner[perm[d]];
	return pim_rule_ints_op(n, PIM_OP_transpose, x->in[0], "perm", rank, both);
}

typedef struct slice_box {
	int rank;
	int64_t start[PIM_MAX_RANK], size[PIM_MAX_RANK], step[PIM_MAX_RANK];
} slice_box;

static slice_box read_slice(const pim_node *n)
{
	slice_box s = {.rank = n->type->rank};
	const int64_t *starts = NULL, *steps = NULL;
	pim_node_ints(n, "starts", &starts);
	bool stepped = pim_node_ints(n, "steps", &steps) > 0;
	for (int d = 0; d < s.rank; d++) {
		s.start[d] = starts[d];
		s.size[d] = n->type->dims[d];
		s.step[d] = stepped ? steps[d] : 1;
	}
	return s;
}

static pim_node *make_slice(pim_node *like, pim_node *x, const slice_box *s)
{
	pim_node *made = pim_rule_node(like, PIM_OP_slice, 1, &x);
	pim_node_set_ints(made, "starts", s->rank, s->start);
	pim_node_set_ints(made, "sizes", s->rank, s->size);
	pim_node_set_ints(made, "steps", s->rank, s->step);
	return pim_rule_done(made);
}

static bool is_identity(const pim_node *n, const slice_box *s)
{
	for (int d = 0; d < s->rank; d++)
		if (s->start[d] != 0 || (s->step[d] != 1 && s->size[d] > 1))
			return false;
	return pim_rule_same_type(n, n->in[0]);
}

/* Moves the slice of a concat into the input that it lies in; n when there is none. */
static pim_node *slice_input(pim_node *n, slice_box *s)
{
	pim_node *c = n->in[0];
	int64_t axis = pim_node_int(c, "axis"), begin = 0;
	int64_t first = s->start[axis], last = first + (s->size[axis] - 1) * s->step[axis];
	for (uint32_t i = 0; i < c->n_in; i++) {
		int64_t end = begin + c->in[i]->type->dims[axis];
		if (first >= begin && first < end && last >= begin && last < end) {
			s->start[axis] -= begin;
			return make_slice(n, c->in[i], s);
		}
		begin = end;
	}
	return n;
}

/* slice of everything = x; slice(slice(x)) = slice(x); slice(concat(..., x, ...)) = slice(x) when
 * it lies in x */
pim_node *pim_fold_slice(pim_node *n)
{
	slice_box s = read_slice(n);
	pim_node *x = n->in[0];
	if (is_identity(n, &s))
		return x;
	if (n->type->elements == 0)
		return n;
	if (x->op == PIM_OP_concat)
		return slice_input(n, &s);
	if (x->op != PIM_OP_slice)
		return n;
	slice_box inner = read_slice(x);
	for (int d = 0; d < s.rank; d++) {
		s.start[d] = inner.start[d] + s.start[d] * inner.step[d];
		if (!pim_mul(s.step[d], inner.step[d], &s.step[d]))
			return n;
	}
	return make_slice(n, x->in[0], &s);
}

/* concat(x) = x */
pim_node *pim_fold_concat(pim_node *n)
{
	return n->n_in == 1 ? n->in[0] : n;
}

/* expand to x's own dims = x */
pim_node *pim_fold_expand(pim_node *n)
{
	return pim_rule_same_type(n, n->in[0]) ? n->in[0] : n;
}

/* pad by nothing = x */
pim_node *pim_fold_pad(pim_node *n)
{
	const int64_t *pads = NULL;
	int count = pim_node_ints(n, "pads", &pads);
	for (int i = 0; i < count; i++)
		if (pads[i] != 0)
			return n;
	return n->in[0];
}

/* A reduction over dims of size 1 takes each element alone: reshape(x). */
static pim_node *fold_reduce(pim_node *n)
{
	const int64_t *axes = NULL;
	int count = pim_node_ints(n, "axes", &axes);
	for (int i = 0; i < count; i++)
		if (n->in[0]->type->dims[axes[i]] != 1)
			return n;
	if (pim_rule_same_type(n, n->in[0]))
		return n->in[0];
	return pim_rule_ints_op(n, PIM_OP_reshape, n->in[0], "shape", n->type->rank, n->type->dims);
}

pim_node *pim_fold_reduce_sum(pim_node *n)
{
	return fold_reduce(n);
}

pim_node *pim_fold_reduce_mean(pim_node *n)
{
	return fold_reduce(n);
}

pim_node *pim_fold_reduce_max(pim_node *n)
{
	return fold_reduce(n);
}
