/* SPDX-License-Identifier: Apache-2.0 */
/* rule_nodes - makes the nodes that fold and decompose rules write: before the node that they stand
 * for, at its place; NULL goes through all of them, so that calls nest. */
#include "ir/op_rules.h"

#include <string.h>

pim_node *pim_rule_node(pim_node *like, pim_op op, int n, pim_node *const *in)
{
	pim_node *made = pim_node_make(like->graph, op, n, in, like);
	made->loc = like->loc;
	return made;
}

pim_node *pim_rule_done(pim_node *made)
{
	return made && pim_node_infer(made) ? made : NULL;
}

pim_node *pim_rule_unary(pim_node *like, pim_op op, pim_node *x)
{
	return x ? pim_rule_done(pim_rule_node(like, op, 1, &x)) : NULL;
}

pim_node *pim_rule_binary(pim_node *like, pim_op op, pim_node *a, pim_node *b)
{
	pim_node *in[] = {a, b};
	return a && b ? pim_rule_done(pim_rule_node(like, op, 2, in)) : NULL;
}

pim_node *pim_rule_ints_op(
	pim_node *like, pim_op op, pim_node *x, const char *attribute, int n, const int64_t *v)
{
	if (!x)
		return NULL;
	pim_node *made = pim_rule_node(like, op, 1, &x);
	pim_node_set_ints(made, attribute, n, v);
	return pim_rule_done(made);
}

pim_node *pim_rule_scalar(pim_node *like, pim_dtype t, double v)
{
	uint64_t element = 0;
	pim_element_set(t, &element, 0, v);
	pim_node *made = pim_constant_new(
		like->graph, pim_type_tensor(pim_context_of(like), t, 0, NULL), &element, like);
	made->loc = like->loc;
	return made;
}

pim_node *pim_rule_reduce(pim_node *like, pim_op op, pim_node *x, int n, const int64_t *dims)
{
	return pim_rule_ints_op(like, op, x, "axes", n, dims);
}

const void *pim_rule_bytes(const pim_node *n, bool *splat)
{
	const pim_data *d = n && n->op == PIM_OP_constant ? pim_constant_data(n) : NULL;
	if (!d || d->kind == PIM_DATA_absent)
		return NULL;
	*splat = d->kind == PIM_DATA_splat;
	return d->bytes;
}

bool pim_rule_is_all(const pim_node *n, double v)
{
	bool splat;
	const char *bytes = pim_rule_bytes(n, &splat);
	if (!bytes || n->type->elements == 0)
		return false;
	size_t size = pim_dtype_bytes(n->type->dtype);
	for (int64_t i = 0; i < (splat ? 1 : n->type->elements); i++) {
		uint64_t element;
		memcpy(&element, bytes + (size_t)i * size, size);
		if (pim_element_get(n->type->dtype, &element, 0) != v)
			return false;
	}
	return true;
}

bool pim_rule_same_type(const pim_node *n, const pim_node *by)
{
	return by && by->type == n->type;
}
