/* SPDX-License-Identifier: Apache-2.0 */
/* ops_norm - softmax and the normalisations.
 *
 * Sums, means and variances are accumulated in float64; the variance takes a second walk over the
 * elements. */
#include "ir/op_rules.h"

#include <math.h>
#include <string.h>

static const pim_type *infer_along(const pim_node *n)
{
	const pim_type *t = pim_rule_float_operand(n, 0);
	return t && pim_rule_dim(n, "axis", t->rank) >= 0 ? t : NULL;
}

const pim_type *pim_infer_softmax(const pim_node *n)
{
	return infer_along(n);
}

const pim_type *pim_infer_log_softmax(const pim_node *n)
{
	return infer_along(n);
}

const pim_type *pim_infer_layer_norm(const pim_node *n)
{
	const pim_type *t = infer_along(n);
	if (!t)
		return NULL;
	int axis = (int)pim_node_int(n, "axis");
	for (int i = 1; i < 3; i++) {
		if (i == 2 && pim_rule_is_absent(n, 2))
			break;
		const pim_type *p = pim_rule_operand(n, i);
		if (!p || !pim_rule_same_dtype(n, i))
			return NULL;
		if (p->rank != t->rank - axis ||
			memcmp(p->dims, t->dims + axis, sizeof(int64_t) * (size_t)p->rank)) {
			pim_node_error(n, "input %d of layer_norm is %s, expected the dims of %s from %d on", i,
				pim_rule_text(n, p), pim_rule_text(n, t), axis);
			return NULL;
		}
	}
	return t;
}

const pim_type *pim_infer_batch_norm(const pim_node *n)
{
	const pim_type *t = pim_rule_float_operand(n, 0);
	if (t && t->rank < 2) {
		pim_node_error(
			n, "input of batch_norm is %s, expected at least two dims", pim_rule_text(n, t));
		return NULL;
	}
	for (int i = 1; t && i < 5; i++) {
		const pim_type *p = pim_rule_operand(n, i);
		if (!p || !pim_rule_same_dtype(n, i))
			return NULL;
		if (p->rank != 1 || p->dims[0] != t->dims[1]) {
			pim_node_error(n,
				"input %d of batch_norm is %s, expected %lld elements, one per channel", i,
				pim_rule_text(n, p), (long long)t->dims[1]);
			return NULL;
		}
	}
	return t;
}

const pim_type *pim_infer_lrn(const pim_node *n)
{
	const pim_type *t = pim_rule_float_operand(n, 0);
	int64_t size = pim_node_int(n, "size");
	if (t && (t->rank < 2 || size < 1)) {
		pim_node_error(n,
			"lrn of %s over %lld channels, expected two dims and one channel at least",
			pim_rule_text(n, t), (long long)size);
		return NULL;
	}
	return t;
}

/* ---- axes ---- */

static void couple(pim_axes *x, int first, int last)
{
	for (int d = first; d <= last; d++)
		x->axis[d].kind = PIM_AXIS_coupled;
}

void pim_axes_softmax(const pim_node *n, pim_axes *x)
{
	int axis = (int)pim_node_int(n, "axis");
	pim_axes_elementwise(n, x);
	couple(x, axis, axis);
}

void pim_axes_log_softmax(const pim_node *n, pim_axes *x)
{
	pim_axes_softmax(n, x);
}

void pim_axes_layer_norm(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
	couple(x, (int)pim_node_int(n, "axis"), n->type->rank - 1);
}

void pim_axes_batch_norm(const pim_node *n, pim_axes *x)
{
	pim_axes_of_result(n, x);
	pim_axes_broadcast(n, x, 0);
	for (int i = 1; i < 5; i++)
		pim_axes_term(x, i, 0, 1, 1);
}

void pim_axes_lrn(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
	couple(x, 1, 1);
}
