/* SPDX-License-Identifier: Apache-2.0 */
/* infer - checks of operands and attributes that the type rules of many ops share.
 *
 * Every message names the figures that do not fit; the place is the node's. */
#include "ir/op_rules.h"

#include <string.h>

const char *pim_rule_text(const pim_node *n, const pim_type *t)
{
	return pim_type_text(t, pim_context_of(n)->arena);
}

bool pim_rule_is_absent(const pim_node *n, int i)
{
	return (uint32_t)i >= n->n_in || !n->in[i];
}

const pim_type *pim_rule_operand(const pim_node *n, int i)
{
	const char *op = pim_node_op(n);
	if (pim_rule_is_absent(n, i) || !n->in[i]->type) {
		pim_node_error(n, "%s needs its input %d, which is absent", op, i);
		return NULL;
	}
	const pim_type *t = n->in[i]->type;
	if (t->n_parts > 0) {
		pim_node_error(n, "input %d of %s is a tuple of %d parts, expected a tensor (use get)", i,
			op, t->n_parts);
		return NULL;
	}
	return t;
}

const pim_type *pim_rule_float_operand(const pim_node *n, int i)
{
	const pim_type *t = pim_rule_operand(n, i);
	if (t && !pim_dtype_is_float(t->dtype)) {
		pim_node_error(n, "input %d of %s is %s, expected a float type", i, pim_node_op(n),
			pim_rule_text(n, t));
		return NULL;
	}
	return t;
}

bool pim_rule_same_dtype(const pim_node *n, int i)
{
	const pim_type *a = pim_rule_operand(n, 0), *b = pim_rule_operand(n, i);
	if (!a || !b)
		return false;
	if (a->dtype != b->dtype)
		return pim_node_error(n, "inputs 0 and %d of %s are %s and %s, expected one element type",
			i, pim_node_op(n), pim_rule_text(n, a), pim_rule_text(n, b));
	return true;
}

const pim_type *pim_rule_result(const pim_node *n, pim_dtype t, int rank, const int64_t *dims)
{
	int64_t bytes = (int64_t)pim_dtype_bytes(t);
	if (rank > PIM_MAX_RANK) {
		pim_node_error(n, "result of %s has %d dims, at most %d are supported", pim_node_op(n),
			rank, PIM_MAX_RANK);
		return NULL;
	}
	for (int d = 0; d < rank; d++) {
		if (dims[d] < 0) {
			pim_node_error(n, "dim %d of the result of %s would be %lld", d, pim_node_op(n),
				(long long)dims[d]);
			return NULL;
		}
		if (!pim_mul(bytes, dims[d] ? dims[d] : 1, &bytes)) {
			pim_node_error(n, "result of %s has more than 2^63 bytes", pim_node_op(n));
			return NULL;
		}
	}
	return pim_type_tensor(pim_context_of(n), t, rank, dims);
}

int pim_rule_broadcast(
	const pim_node *n, int first, int count, int skip, int64_t dims[PIM_MAX_RANK])
{
	int rank = 0;
	for (int i = first; i < first + count; i++) {
		const pim_type *t = pim_rule_operand(n, i);
		if (!t)
			return -1;
		rank = t->rank - skip > rank ? t->rank - skip : rank;
	}
	for (int d = 0; d < rank; d++)
		dims[d] = 1;
	for (int i = first; i < first + count; i++) {
		const pim_type *t = n->in[i]->type;
		for (int d = 0; d < t->rank - skip; d++) {
			int64_t *to = &dims[d + rank - (t->rank - skip)];
			if (*to != 1 && t->dims[d] != 1 && *to != t->dims[d]) {
				pim_node_error(n,
					"dim %d of input %d of %s (%s) is %lld, which does not broadcast "
					"with %lld",
					d, i, pim_node_op(n), pim_rule_text(n, t), (long long)t->dims[d],
					(long long)*to);
				return -1;
			}
			*to = *to == 1 ? t->dims[d] : *to;
		}
	}
	return rank;
}

int pim_rule_dim(const pim_node *n, const char *attribute, int rank)
{
	int64_t d = pim_node_int(n, attribute);
	if (d >= 0 && d < rank)
		return (int)d;
	pim_node_error(
		n, "%s of %s is %lld, expected 0 to %d", attribute, pim_node_op(n), (long long)d, rank - 1);
	return -1;
}

const int64_t *pim_rule_ints(const pim_node *n, const char *attribute, int count)
{
	static const int64_t none[1];
	const int64_t *v = NULL;
	int got = pim_node_ints(n, attribute, &v);
	if (got == count)
		return count ? v : none;
	pim_node_error(
		n, "%s of %s has %d entries, expected %d", attribute, pim_node_op(n), got, count);
	return NULL;
}
