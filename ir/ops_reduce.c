/* SPDX-License-Identifier: Apache-2.0 */
/* ops_reduce - sum, mean, largest, smallest and product over dims.
 *
 * Floats are accumulated in float64 and rounded once, integers modulo 2^64. */
#include "ir/op_rules.h"

#include <math.h>

/* Marks the reduced dims; false after a diagnostic. */
static bool read_reduced(const pim_node *n, const pim_type *t, bool reduced[PIM_MAX_RANK])
{
	const int64_t *axes = NULL;
	int count = pim_node_ints(n, "axes", &axes);
	for (int d = 0; d < PIM_MAX_RANK; d++)
		reduced[d] = false;
	for (int i = 0; i < count; i++) {
		if (axes[i] < 0 || axes[i] >= t->rank || (i && axes[i] <= axes[i - 1]))
			return pim_node_error(n,
				"entry %d of axes of %s is %lld, expected ascending dims from 0 to %d", i,
				pim_node_op(n), (long long)axes[i], t->rank - 1);
		reduced[axes[i]] = true;
	}
	return true;
}

static const pim_type *infer_reduce(const pim_node *n)
{
	bool reduced[PIM_MAX_RANK];
	int64_t dims[PIM_MAX_RANK], merged = 1;
	int rank = 0;
	const pim_type *t = pim_rule_operand(n, 0);
	if (!t || !read_reduced(n, t, reduced))
		return NULL;
	if (t->dtype == PIM_DTYPE_bool) {
		pim_node_error(n, "input of %s is bool, expected a float or integer type", pim_node_op(n));
		return NULL;
	}
	bool keep = pim_node_int(n, "keepdims") != 0;
	for (int d = 0; d < t->rank; d++) {
		merged *= reduced[d] ? t->dims[d] : 1;
		if (!reduced[d] || keep)
			dims[rank++] = reduced[d] ? 1 : t->dims[d];
	}
	if (merged == 0 && n->op != PIM_OP_reduce_sum && n->op != PIM_OP_reduce_prod) {
		pim_node_error(
			n, "%s of %s has no elements to take from", pim_node_op(n), pim_rule_text(n, t));
		return NULL;
	}
	return pim_rule_result(n, t->dtype, rank, dims);
}

/* An axis for each input dim: reduced ones summed by reduce_sum, coupled by the others. */
static void axes_of_reduce(const pim_node *n, pim_axes *x)
{
	static const char *const names[PIM_MAX_RANK] = {"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"};
	bool reduced[PIM_MAX_RANK], keep = pim_node_int(n, "keepdims") != 0;
	const pim_type *t = n->in[0]->type;
	if (!read_reduced(n, t, reduced))
		PIM_BUG("%s was not inferred", pim_node_op(n));
	pim_axis_kind kind = n->op == PIM_OP_reduce_sum ? PIM_AXIS_summed : PIM_AXIS_coupled;
	for (int d = 0, to = 0; d < t->rank; d++) {
		int axis = pim_axes_axis(x, t->dims[d], reduced[d] ? kind : PIM_AXIS_free, names[d]);
		pim_axes_term(x, 0, d, axis, 1);
		if (!reduced[d])
			pim_axes_term(x, 1, to, axis, 1);
		to += !reduced[d] || keep;
	}
}
