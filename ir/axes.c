/* SPDX-License-Identifier: Apache-2.0 */
/* axes - iteration spaces of ops, and the boxes of inputs that a box of the result needs. */
#include "ir/op_rules.h"

#include <string.h>

static const char *const dim_names[PIM_MAX_RANK] = {"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"};

pim_axes *pim_axes_new(const pim_node *n, pim_arena *a)
{
	pim_axes *x = PIM_NEW(a, pim_axes, 1);
	x->arena = a;
	x->n_inputs = (int)n->n_in;
	x->map = pim_arena_alloc(a, sizeof *x->map * (n->n_in + 1));
	x->whole = PIM_NEW(a, bool, n->n_in + 1);
	pim_op_at((pim_op)n->op)->axes(n, x);
	return x;
}

int pim_axes_axis(pim_axes *x, int64_t size, pim_axis_kind kind, const char *name)
{
	if (x->n_axes == PIM_MAX_AXES)
		PIM_BUG("an op has more than %d axes", PIM_MAX_AXES);
	x->axis[x->n_axes] = (pim_axis){.size = size, .kind = kind, .name = name};
	return x->n_axes++;
}

void pim_axes_term(pim_axes *x, int input, int dim, int axis, int64_t coef)
{
	pim_index *i = &x->map[input][dim];
	if (i->n == PIM_MAX_TERMS)
		PIM_BUG("an index has more than %d terms", PIM_MAX_TERMS);
	i->term[i->n].axis = axis;
	i->term[i->n++].coef = coef;
}

void pim_axes_of_result(const pim_node *n, pim_axes *x)
{
	for (int d = 0; d < n->type->rank; d++)
		pim_axes_term(
			x, x->n_inputs, d, pim_axes_axis(x, n->type->dims[d], PIM_AXIS_free, dim_names[d]), 1);
}

void pim_axes_broadcast(const pim_node *n, pim_axes *x, int input)
{
	if (pim_rule_is_absent(n, input))
		return;
	const pim_type *t = n->in[input]->type;
	int shift = n->type->rank - t->rank;
	for (int d = 0; d < t->rank; d++)
		if (t->dims[d] == n->type->dims[d + shift])
			pim_axes_term(x, input, d, d + shift, 1);
}

void pim_axes_elementwise(const pim_node *n, pim_axes *x)
{
	pim_axes_of_result(n, x);
	for (int i = 0; i < (int)n->n_in; i++)
		pim_axes_broadcast(n, x, i);
}

/* ---- boxes ---- */

bool pim_box_empty(const pim_box *b)
{
	for (int d = 0; d < b->n; d++)
		if (b->lo[d] >= b->hi[d])
			return true;
	return false;
}

int64_t pim_box_elements(const pim_box *b)
{
	int64_t product = 1;
	if (pim_box_empty(b))
		return 0;
	for (int d = 0; d < b->n; d++)
		product *= b->hi[d] - b->lo[d];
	return product;
}

bool pim_box_equal(const pim_box *a, const pim_box *b)
{
	size_t bytes = sizeof a->lo[0] * (size_t)(a->n > 0 ? a->n : 0);
	return a->n == b->n && !memcmp(a->lo, b->lo, bytes) && !memcmp(a->hi, b->hi, bytes);
}

bool pim_box_holds(const pim_box *outer, const pim_box *inner)
{
	for (int d = 0; d < outer->n; d++)
		if (outer->lo[d] > inner->lo[d] || outer->hi[d] < inner->hi[d])
			return false;
	return true;
}

bool pim_box_meet(const pim_box *a, const pim_box *b, pim_box *out)
{
	pim_box m = {.n = a->n};
	for (int d = 0; d < a->n; d++) {
		m.lo[d] = a->lo[d] > b->lo[d] ? a->lo[d] : b->lo[d];
		m.hi[d] = a->hi[d] < b->hi[d] ? a->hi[d] : b->hi[d];
	}
	*out = m;
	return !pim_box_empty(out);
}

pim_box pim_box_of(const pim_type *t)
{
	pim_box b;
	b.n = t->rank;
	for (int d = 0; d < t->rank; d++) {
		b.lo[d] = 0;
		b.hi[d] = t->dims[d];
	}
	return b;
}

/* ---- cover and demand ---- */

/* Ranges of the digits of lo..hi-1, outer digit first. Once a digit has several values, the digits
 * inside it take all of theirs. */
static void cover_digits(const pim_index *i, int64_t lo, int64_t hi, pim_box *axes)
{
	int64_t first = lo - i->offset, last = hi - 1 - i->offset;
	for (int t = 0; t < i->n && first <= last; t++) {
		int a = i->term[t].axis;
		int64_t coef = i->term[t].coef;
		axes->lo[a] = first / coef;
		axes->hi[a] = last / coef + 1;
		if (first / coef != last / coef)
			return;
		first %= coef;
		last %= coef;
	}
}

bool pim_axes_indexes_result(const pim_axes *x, int axis)
{
	for (int d = 0; d < PIM_MAX_RANK; d++)
		for (int t = 0; t < x->map[x->n_inputs][d].n; t++)
			if (x->map[x->n_inputs][d].term[t].axis == axis)
				return true;
	return false;
}

void pim_axes_cover(const pim_axes *x, const pim_box *result, pim_box *axes)
{
	bool empty = pim_box_empty(result);
	axes->n = x->n_axes;
	for (int a = 0; a < x->n_axes; a++) {
		axes->lo[a] = 0;
		axes->hi[a] = empty ? 0 : x->axis[a].size;
	}
	if (empty)
		return;
	for (int d = 0; d < result->n; d++)
		cover_digits(&x->map[x->n_inputs][d], result->lo[d], result->hi[d], axes);
	for (int a = 0; a < x->n_axes; a++)
		if (x->axis[a].kind == PIM_AXIS_summed || x->axis[a].kind == PIM_AXIS_coupled) {
			axes->lo[a] = 0;
			axes->hi[a] = x->axis[a].size;
		}
}

/* Smallest and largest value of an index over a box of axes, as lo..hi-1. */
static void span_index(const pim_index *i, const pim_box *axes, int64_t *lo, int64_t *hi)
{
	*lo = i->offset;
	*hi = i->offset + 1;
	for (int t = 0; t < i->n; t++) {
		int a = i->term[t].axis;
		int64_t coef = i->term[t].coef, first = coef * axes->lo[a], last = coef * (axes->hi[a] - 1);
		*lo += first < last ? first : last;
		*hi += first < last ? last : first;
	}
}

void pim_axes_result(const pim_axes *x, int rank, const pim_box *axes, pim_box *result)
{
	result->n = rank;
	for (int d = 0; d < result->n; d++)
		span_index(&x->map[x->n_inputs][d], axes, &result->lo[d], &result->hi[d]);
}

void pim_axes_demand(const pim_axes *x, const pim_node *n, int input, const pim_box *axes,
	pim_box *need, int64_t *lo_pad, int64_t *hi_pad)
{
	const pim_type *t = pim_rule_is_absent(n, input) ? NULL : n->in[input]->type;
	bool none = pim_box_empty(axes) || !t, tensor = t && t->n_parts == 0;
	need->n = tensor ? t->rank : 1;
	for (int d = 0; d < need->n; d++) {
		int64_t lo = 0, size = tensor ? t->dims[d] : 0, hi = size;
		if (!none && !x->whole[input])
			span_index(&x->map[input][d], axes, &lo, &hi);
		if (none)
			hi = 0;
		need->lo[d] = pim_min(pim_max(lo, 0), size);
		need->hi[d] = pim_max(pim_min(hi, size), need->lo[d]);
		if (lo_pad)
			lo_pad[d] = pim_max(0, pim_min(hi, 0) - lo);
		if (hi_pad)
			hi_pad[d] = pim_max(0, hi - pim_max(lo, size));
	}
}
