/* SPDX-License-Identifier: Apache-2.0 */
/* ops_leaf - the edges of a program: input, constant; and relayout and get, which only pass a value
 * on. */
#include "ir/op_rules.h"

#include <string.h>

static const pim_type *have_type(const pim_node *n)
{
	if (!n->type)
		pim_node_error(n, "%s needs a type", pim_node_op(n));
	return n->type;
}

const pim_type *pim_infer_input(const pim_node *n)
{
	return have_type(n);
}

const pim_type *pim_infer_constant(const pim_node *n)
{
	return have_type(n);
}

const pim_type *pim_infer_relayout(const pim_node *n)
{
	return pim_rule_operand(n, 0);
}

const pim_type *pim_infer_get(const pim_node *n)
{
	const pim_type *t = pim_rule_is_absent(n, 0) ? NULL : n->in[0]->type;
	if (!t || t->n_parts == 0) {
		pim_node_error(
			n, "get needs a tuple%s%s", t ? ", its input is " : "", t ? pim_rule_text(n, t) : "");
		return NULL;
	}
	int i = pim_rule_dim(n, "index", t->n_parts);
	return i < 0 ? NULL : t->parts[i];
}

void pim_axes_input(const pim_node *n, pim_axes *x)
{
	pim_axes_of_result(n, x);
}

void pim_axes_constant(const pim_node *n, pim_axes *x)
{
	pim_axes_of_result(n, x);
}

void pim_axes_relayout(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
}

void pim_axes_get(const pim_node *n, pim_axes *x)
{
	pim_axes_of_result(n, x);
	x->whole[0] = true;
}

bool pim_eval_input(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	(void)in, (void)out, (void)e;
	return pim_node_error(n, "an input has no value of its own");
}

static void spread_element(void *to, const void *element, size_t bytes, int64_t n)
{
	char *at = to;
	if (bytes == 1) {
		memset(to, *(const unsigned char *)element, (size_t)n);
		return;
	}
	for (int64_t i = 0; i < n; i++)
		memcpy(at + (size_t)i * bytes, element, bytes);
}

bool pim_eval_constant(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	(void)in;
	const pim_data *d = pim_constant_data(n);
	char digits[16];
	if (d && d->kind == PIM_DATA_absent && e->imagine) {
		pim_tensor_imagine(out, pim_constant_name(n, digits, sizeof digits));
		return true;
	}
	if (!d || d->kind == PIM_DATA_absent)
		return pim_node_error(n,
			"constant %s has no data: the program can be compiled, not evaluated",
			pim_node_label(n, pim_context_of(n)->arena));
	size_t bytes = pim_dtype_bytes(n->type->dtype);
	if (d->kind == PIM_DATA_splat)
		spread_element(out->data, d->bytes, bytes, n->type->elements);
	else if (n->type->elements)
		memcpy(out->data, d->bytes, bytes * (size_t)n->type->elements);
	return true;
}

static bool copy_tensor(const pim_tensor *from, pim_tensor *to)
{
	if (to->type->elements)
		memcpy(to->data, from->data, pim_dtype_bytes(to->type->dtype) * (size_t)to->type->elements);
	return true;
}

bool pim_eval_relayout(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	(void)n, (void)e;
	return copy_tensor(&in[0], out);
}

/* A tuple's data is an array of tensors. */
bool pim_eval_get(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	(void)e;
	const pim_tensor *parts = in[0].data;
	return copy_tensor(&parts[pim_node_int(n, "index")], out);
}
