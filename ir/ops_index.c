/* SPDX-License-Identifier: Apache-2.0 */
/* ops_index - gather: slices of a table along one dim, chosen by integer indices (negative: from
 * the end). */
#include "ir/op_rules.h"

#include <string.h>

const pim_type *pim_infer_gather(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0), *i = t ? pim_rule_operand(n, 1) : NULL;
	int axis = i ? pim_rule_dim(n, "axis", t->rank) : -1;
	int64_t dims[2 * PIM_MAX_RANK];
	if (axis < 0)
		return NULL;
	if (pim_dtype_is_float(i->dtype) || i->dtype == PIM_DTYPE_bool) {
		pim_node_error(
			n, "indices of gather are %s, expected an integer type", pim_rule_text(n, i));
		return NULL;
	}
	memcpy(dims, t->dims, sizeof *dims * (size_t)axis);
	memcpy(dims + axis, i->dims, sizeof *dims * (size_t)i->rank);
	memcpy(dims + axis + i->rank, t->dims + axis + 1, sizeof *dims * (size_t)(t->rank - axis - 1));
	return pim_rule_result(n, t->dtype, t->rank - 1 + i->rank, dims);
}

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

bool pim_eval_gather(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = in[0].type, *ti = in[1].type;
	int64_t axis = pim_node_int(n, "axis"), outer = 1, inner = (int64_t)pim_dtype_bytes(t->dtype);
	(void)e;
	for (int d = 0; d < t->rank; d++) {
		outer *= d < axis ? t->dims[d] : 1;
		inner *= d > axis ? t->dims[d] : 1;
	}
	for (int64_t k = 0; k < ti->elements; k++) {
		int64_t size = t->dims[axis], at;
		pim_stage_load(ti->dtype, in[1].data, k, 1, &at);
		if ((at < 0 && pim_stage_of(ti->dtype) == PIM_STAGE_u64) || at < -size || at >= size)
			return pim_node_error(n, "index %lld of gather (element %lld) is outside -%lld to %lld",
				(long long)at, (long long)k, (long long)size, (long long)size - 1);
		at += at < 0 ? size : 0;
		for (int64_t o = 0; o < outer && inner; o++)
			memcpy((char *)out->data + (o * ti->elements + k) * inner,
				(const char *)in[0].data + (o * size + at) * inner, (size_t)inner);
	}
	return true;
}
