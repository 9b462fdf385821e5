/* SPDX-License-Identifier: Apache-2.0 */
/* ops_index - elements of a table at places that integers say (negative: from the end): gather
 * (slices along one dim), gather_elements (single elements along one dim), gather_nd (slices at
 * places in several dims). */
#include "ir/op_rules.h"

#include <string.h>

const int64_t *pim_rule_indices(
	const pim_node *n, const pim_tensor *t, int n_sizes, const int64_t *sizes, pim_arena *scratch)
{
	int64_t *to = pim_arena_raw(scratch, sizeof *to * (size_t)t->type->elements + 1);
	bool no_sign = pim_stage_of(t->type->dtype) == PIM_STAGE_u64;
	memcpy(to, pim_stage_whole(t, scratch), sizeof *to * (size_t)t->type->elements);
	for (int64_t k = 0; k < t->type->elements; k++) {
		int64_t size = sizes[n_sizes > 1 ? k % n_sizes : 0], v = to[k];
		if ((v < 0 && no_sign) || v < -size || v >= size) {
			pim_node_error(n, "index %lld of %s (element %lld) is outside -%lld to %lld",
				(long long)v, pim_node_op(n), (long long)k, (long long)size, (long long)size - 1);
			return NULL;
		}
		to[k] += v < 0 ? size : 0;
	}
	return to;
}

const pim_type *pim_rule_index_operand(const pim_node *n, int i)
{
	const pim_type *t = pim_rule_operand(n, i);
	if (t && (pim_dtype_is_float(t->dtype) || t->dtype == PIM_DTYPE_bool)) {
		pim_node_error(n, "indices of %s are %s, expected an integer type", pim_node_op(n),
			pim_rule_text(n, t));
		return NULL;
	}
	return t;
}

const pim_type *pim_infer_gather(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0), *i = t ? pim_rule_index_operand(n, 1) : NULL;
	int axis = i ? pim_rule_dim(n, "axis", t->rank) : -1;
	int64_t dims[2 * PIM_MAX_RANK];
	if (axis < 0)
		return NULL;
	memcpy(dims, t->dims, sizeof *dims * (size_t)axis);
	memcpy(dims + axis, i->dims, sizeof *dims * (size_t)i->rank);
	memcpy(dims + axis + i->rank, t->dims + axis + 1, sizeof *dims * (size_t)(t->rank - axis - 1));
	return pim_rule_result(n, t->dtype, t->rank - 1 + i->rank, dims);
}

const pim_type *pim_infer_gather_elements(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0), *i = t ? pim_rule_index_operand(n, 1) : NULL;
	int axis = i ? pim_rule_dim(n, "axis", t->rank) : -1;
	if (axis < 0)
		return NULL;
	bool fits = i->rank == t->rank;
	for (int d = 0; fits && d < t->rank; d++)
		fits = d == axis || i->dims[d] <= t->dims[d];
	if (!fits) {
		pim_node_error(n,
			"indices of gather_elements are %s, expected no more than the dims of %s but for dim "
			"%d",
			pim_rule_text(n, i), pim_rule_text(n, t), axis);
		return NULL;
	}
	return pim_rule_result(n, t->dtype, t->rank, i->dims);
}

const pim_type *pim_infer_gather_nd(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0), *i = t ? pim_rule_index_operand(n, 1) : NULL;
	int64_t batch = pim_node_int(n, "batch_dims"), dims[2 * PIM_MAX_RANK];
	if (!i)
		return NULL;
	bool fits = i->rank > 0 && batch >= 0 && batch < i->rank && batch <= t->rank &&
				i->dims[i->rank - 1] <= t->rank - batch;
	for (int d = 0; fits && d < batch; d++)
		fits = i->dims[d] == t->dims[d];
	if (!fits) {
		pim_node_error(n,
			"gather_nd of %s by %s with %lld batch dims: expected equal batch dims, and at most "
			"as many entries in the last dim as there are other dims",
			pim_rule_text(n, t), pim_rule_text(n, i), (long long)batch);
		return NULL;
	}
	int first = (int)(batch + i->dims[i->rank - 1]), rank = i->rank - 1;
	memcpy(dims, i->dims, sizeof *dims * (size_t)rank);
	memcpy(dims + rank, t->dims + first, sizeof *dims * (size_t)(t->rank - first));
	return pim_rule_result(n, t->dtype, rank + t->rank - first, dims);
}

/* ---- axes ---- */

/* Axes: one per result dim, and the table's dim, which any index may need all of. */
void pim_axes_gather(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type, *i = n->in[1]->type;
	int axis = (int)pim_node_int(n, "axis");
	pim_axes_of_result(n, x);
	int entry = pim_axes_axis(x, t->dims[axis], PIM_AXIS_coupled, "entry");
	for (int d = 0; d < t->rank; d++)
		pim_axes_term(x, 0, d, d == axis ? entry : d < axis ? d : d - 1 + i->rank, 1);
	for (int d = 0; d < i->rank; d++)
		pim_axes_term(x, 1, d, axis + d, 1);
}

void pim_axes_gather_elements(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type;
	int axis = (int)pim_node_int(n, "axis");
	pim_axes_of_result(n, x);
	int entry = pim_axes_axis(x, t->dims[axis], PIM_AXIS_coupled, "entry");
	for (int d = 0; d < t->rank; d++) {
		pim_axes_term(x, 0, d, d == axis ? entry : d, 1);
		pim_axes_term(x, 1, d, d, 1);
	}
}

/* Axes: one per result dim, the vectors' entries, and the table's dims that they name. */
void pim_axes_gather_nd(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type, *i = n->in[1]->type;
	int batch = (int)pim_node_int(n, "batch_dims"), last = i->rank - 1;
	int first = batch + (int)i->dims[last];
	pim_axes_of_result(n, x);
	pim_axes_term(x, 1, last, pim_axes_axis(x, i->dims[last], PIM_AXIS_coupled, "place"), 1);
	for (int d = 0; d < last; d++)
		pim_axes_term(x, 1, d, d, 1);
	for (int d = 0; d < t->rank; d++) {
		bool named = d >= batch && d < first;
		int axis = named	   ? pim_axes_axis(x, t->dims[d], PIM_AXIS_coupled, "entry")
				   : d < batch ? d
							   : d - first + last;
		pim_axes_term(x, 0, d, axis, 1);
	}
}

/* ---- evaluation ---- */

bool pim_eval_gather(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = in[0].type, *ti = in[1].type;
	int64_t axis = pim_node_int(n, "axis"), outer = 1, inner = (int64_t)pim_dtype_bytes(t->dtype);
	int64_t size = t->dims[axis];
	const int64_t *at = pim_rule_indices(n, &in[1], 1, &size, e->scratch);
	for (int d = 0; d < t->rank; d++) {
		outer *= d < axis ? t->dims[d] : 1;
		inner *= d > axis ? t->dims[d] : 1;
	}
	for (int64_t o = 0; at && o < outer && inner; o++)
		for (int64_t k = 0; k < ti->elements; k++)
			memcpy((char *)out->data + (o * ti->elements + k) * inner,
				(const char *)in[0].data + (o * size + at[k]) * inner, (size_t)inner);
	return at != NULL;
}

bool pim_eval_gather_elements(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	int64_t axis = pim_node_int(n, "axis"), own[PIM_MAX_RANK], strides[1][PIM_MAX_RANK];
	const int64_t *at = pim_rule_indices(n, &in[1], 1, &in[0].type->dims[axis], e->scratch);
	size_t bytes = pim_dtype_bytes(n->type->dtype);
	pim_rows r;
	pim_type_strides(in[0].type, own);
	for (int d = 0; d < n->type->rank; d++)
		strides[0][d] = d == axis ? 0 : own[d];
	if (!at)
		return false;
	for (pim_rows_begin(
			 &r, n->type->rank, n->type->dims, 1, (const int64_t(*)[PIM_MAX_RANK])strides);
		 pim_rows_next(&r);)
		for (int64_t i = 0; i < r.length; i++) {
			int64_t from = r.offset[0] + i * r.step[0] + at[r.result + i] * own[axis];
			memcpy((char *)out->data + (size_t)(r.result + i) * bytes,
				(const char *)in[0].data + (size_t)from * bytes, bytes);
		}
	return true;
}

bool pim_eval_gather_nd(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = in[0].type, *ti = in[1].type;
	int64_t batch = pim_node_int(n, "batch_dims"), entries = ti->dims[ti->rank - 1], batches = 1;
	const int64_t *at = pim_rule_indices(n, &in[1], (int)entries, t->dims + batch, e->scratch);
	int64_t inner = (int64_t)pim_dtype_bytes(t->dtype), slices = 1;
	for (int d = 0; d < t->rank; d++) {
		batches *= d < batch ? t->dims[d] : 1;
		inner *= d >= batch + entries ? t->dims[d] : 1;
	}
	for (int d = 0; d < ti->rank - 1; d++)
		slices *= ti->dims[d];
	for (int64_t k = 0; at && k < slices && inner; k++) {
		int64_t place = k / (slices / batches);
		for (int64_t d = 0; d < entries; d++)
			place = place * t->dims[batch + d] + at[k * entries + d];
		memcpy(
			(char *)out->data + k * inner, (const char *)in[0].data + place * inner, (size_t)inner);
	}
	return at != NULL;
}
