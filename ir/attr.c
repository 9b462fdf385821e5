/* SPDX-License-Identifier: Apache-2.0 */
/* attr - attributes of nodes: named constants, with the defaults that the op's row states. */
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

const pim_attr *pim_attr_find(const pim_node *n, const char *name)
{
	for (int i = 0; i < n->n_attrs; i++)
		if (n->attrs[i].name == name || !strcmp(n->attrs[i].name, name))
			return &n->attrs[i];
	return NULL;
}

void pim_attr_set(pim_node *n, const pim_attr *a)
{
	int at = 0;
	while (at < n->n_attrs && strcmp(n->attrs[at].name, a->name))
		at++;
	int count = at == n->n_attrs ? at + 1 : n->n_attrs;
	if (count > UINT16_MAX)
		PIM_BUG("a node with more than %d attributes", UINT16_MAX);
	pim_attr *copy = PIM_NEW(n->graph->module->arena, pim_attr, count);
	if (n->n_attrs)
		memcpy(copy, n->attrs, sizeof *copy * n->n_attrs);
	copy[at] = *a;
	n->attrs = copy;
	n->n_attrs = (uint16_t)count;
}

static pim_attr make_attr(pim_node *n, const char *name, pim_attr_kind kind)
{
	return (pim_attr){.name = pim_intern(pim_context_of(n), name, strlen(name)), .kind = kind};
}

void pim_node_set_int(pim_node *n, const char *name, int64_t v)
{
	pim_attr a = make_attr(n, name, PIM_ATTR_int);
	a.i = v;
	pim_attr_set(n, &a);
}

void pim_node_set_float(pim_node *n, const char *name, double v)
{
	pim_attr a = make_attr(n, name, PIM_ATTR_float);
	a.f = v;
	pim_attr_set(n, &a);
}

void pim_node_set_string(pim_node *n, const char *name, const char *v)
{
	pim_attr a = make_attr(n, name, PIM_ATTR_string);
	a.s = pim_intern(pim_context_of(n), v, strlen(v));
	pim_attr_set(n, &a);
}

void pim_node_set_ints(pim_node *n, const char *name, int count, const int64_t *v)
{
	pim_attr a = make_attr(n, name, PIM_ATTR_ints);
	int64_t *copy = PIM_NEW(n->graph->module->arena, int64_t, count + 1);
	if (count)
		memcpy(copy, v, sizeof *copy * (size_t)count);
	a.n = (uint32_t)count;
	a.is = copy;
	pim_attr_set(n, &a);
}

const pim_op_attr *pim_op_attr_find(const pim_op_info *op, const char *name)
{
	for (int i = 0; i < op->n_attrs; i++)
		if (!strcmp(op->attrs[i].name, name))
			return &op->attrs[i];
	return NULL;
}

static const char *default_text(const pim_node *n, const char *name, pim_attr_kind kind)
{
	const pim_op_attr *row = pim_op_attr_find(pim_op_at((pim_op)n->op), name);
	return row && row->kind == kind ? row->init : NULL;
}

int64_t pim_node_int(const pim_node *n, const char *name)
{
	const pim_attr *a = pim_attr_find(n, name);
	if (a)
		return a->kind == PIM_ATTR_int ? a->i : 0;
	const char *text = default_text(n, name, PIM_ATTR_int);
	return text ? strtoll(text, NULL, 10) : 0;
}

double pim_node_float(const pim_node *n, const char *name)
{
	const pim_attr *a = pim_attr_find(n, name);
	if (a)
		return a->kind == PIM_ATTR_float ? a->f : a->kind == PIM_ATTR_int ? (double)a->i : 0;
	const char *text = default_text(n, name, PIM_ATTR_float);
	double v = 0;
	if (text)
		pim_read_float(text, text + strlen(text), &v);
	return v;
}

const char *pim_node_string(const pim_node *n, const char *name)
{
	const pim_attr *a = pim_attr_find(n, name);
	if (a)
		return a->kind == PIM_ATTR_string ? a->s : NULL;
	return default_text(n, name, PIM_ATTR_string);
}

int pim_node_ints(const pim_node *n, const char *name, const int64_t **v)
{
	const pim_attr *a = pim_attr_find(n, name);
	bool found = a && a->kind == PIM_ATTR_ints;
	*v = found ? a->is : NULL;
	return found ? (int)a->n : 0;
}
