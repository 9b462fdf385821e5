/* SPDX-License-Identifier: Apache-2.0 */
/* op_key.c - bytes that are equal for two nodes exactly when they are the same op on the same
 * types.
 *
 * A Transformer has a dozen unlike ops and hundreds of nodes; what is worked out for one
 * serves for all with its key. Names, types and strings are interned, so pointers tell them apart.
 */
#include "passes/pass.h"

static void put(pim_text *key, const void *p, size_t bytes)
{
	pim_text_add(key, p, bytes);
}

static void put_attr(pim_text *key, const pim_attr *a)
{
	put(key, &a->name, sizeof a->name);
	put(key, &a->kind, sizeof a->kind);
	put(key, &a->n, sizeof a->n);
	if (a->kind == PIM_ATTR_ints)
		put(key, a->is, a->n * sizeof *a->is);
	else if (a->kind == PIM_ATTR_floats)
		put(key, a->fs, a->n * sizeof *a->fs);
	else if (a->kind == PIM_ATTR_strings)
		put(key, a->ss, a->n * sizeof *a->ss);
	else
		put(key, &a->i, sizeof a->i);
}

void pim_op_key(pim_text *key, const pim_node *n)
{
	put(key, &n->op, sizeof n->op);
	put(key, &n->type, sizeof n->type);
	put(key, &n->n_in, sizeof n->n_in);
	put(key, &n->n_attrs, sizeof n->n_attrs);
	for (uint32_t i = 0; i < n->n_in; i++) {
		const pim_type *t = n->in[i] ? n->in[i]->type : NULL;
		bool fixed = n->in[i] && n->in[i]->op == PIM_OP_constant;
		put(key, &t, sizeof t);
		put(key, &fixed, sizeof fixed);
	}
	for (int i = 0; i < n->n_attrs; i++)
		put_attr(key, &n->attrs[i]);
}
