/* SPDX-License-Identifier: Apache-2.0 */
/* constant - nodes that hold elements. */
#include <string.h>

#include "ir/ir.h"

const pim_data *pim_constant_data(const pim_node *n)
{
	for (int i = 0; i < n->n_attrs; i++)
		if (n->attrs[i].kind == PIM_ATTR_data)
			return n->attrs[i].data;
	return NULL;
}

void pim_constant_set(pim_node *n, const pim_data *d)
{
	pim_attr a = {.name = "value", .kind = PIM_ATTR_data, .data = d};
	pim_attr_set(n, &a);
}

pim_node *pim_constant_make(pim_graph *g, const pim_type *t, const pim_data *d, pim_node *before)
{
	pim_node *n = pim_node_make(g, PIM_OP_constant, 0, NULL, before);
	n->type = t;
	pim_constant_set(n, d);
	return n;
}

pim_node *pim_constant_new(pim_graph *g, const pim_type *t, const void *data, pim_node *before)
{
	pim_arena *a = g->module->arena;
	size_t n = (size_t)pim_type_bytes(t);
	void *copy = pim_arena_alloc(a, n ? n : 1);
	if (n)
		memcpy(copy, data, n);
	pim_data *d = PIM_NEW(a, pim_data, 1);
	d->kind = t->elements == 1 ? PIM_DATA_splat : PIM_DATA_dense;
	d->bytes = copy;
	return pim_constant_make(g, t, d, before);
}

/* Element i as an integer; false for floats and what does not fit. */
static bool read_int(pim_dtype t, const void *data, int64_t i, int64_t *v)
{
	const char *p = (const char *)data + i * (int64_t)pim_dtype_bytes(t);
	uint64_t bits = 0;
	int width = (int)pim_dtype_bytes(t) * 8;
	if (pim_dtype_is_float(t))
		return false;
	memcpy(&bits, p, pim_dtype_bytes(t));
	if (pim_dtype_is_signed(t) && width < 64 && bits >> (width - 1))
		bits |= UINT64_MAX << width;
	*v = (int64_t)bits;
	return pim_dtype_is_signed(t) || *v >= 0;
}

bool pim_constant_ints(const pim_node *n, int room, int64_t *v, int *count)
{
	const pim_data *d = n && n->op == PIM_OP_constant ? pim_constant_data(n) : NULL;
	if (!d || d->kind == PIM_DATA_absent || n->type->n_parts || n->type->elements > room)
		return false;
	for (int64_t i = 0; i < n->type->elements; i++)
		if (!read_int(n->type->dtype, d->bytes, d->kind == PIM_DATA_splat ? 0 : i, &v[i]))
			return false;
	*count = (int)n->type->elements;
	return true;
}

const char *pim_constant_name(const pim_node *n, char *digits, size_t room)
{
	if (n->name)
		return n->name;
	snprintf(digits, room, "%u", n->number);
	return digits;
}

void pim_constants_warn_absent(const pim_graph *g)
{
	int count = 0;
	const pim_node *first = NULL;
	pim_context *c = g->module->context;
	PIM_EACH_NODE(n, g)
	{
		const pim_data *d = n->op == PIM_OP_constant ? pim_constant_data(n) : NULL;
		if (!d || d->kind != PIM_DATA_absent)
			continue;
		if (!count++)
			first = n;
	}
	if (!count || c->told_absent)
		return;
	c->told_absent = true;
	pim_node_note(first, PIM_WARNING,
		"%d constant%s without elements: evaluation takes seeded random values for %s", count,
		count > 1 ? "s are" : " is", count > 1 ? "them" : "it");
}
