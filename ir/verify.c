/* SPDX-License-Identifier: Apache-2.0 */
/* verify - SHAPED: every rule of a program that has no decisions yet.
 *
 * The list of nodes is consistent and its nodes belong to the graph; ids are unique and below
 * n_ids; inputs stand before their users, so there is no cycle; the number of inputs and the
 * attributes are what the op's row allows; types are what the op's rule gives; a constant has
 * elements; names and numbers are taken once; inputs and results are nodes of the graph. All
 * violations are reported. One walk, linear. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/text_form.h"

typedef struct check {
	pim_graph *graph;
	pim_node **seen;  /* nodes walked over, by id */
	uint8_t *numbers; /* bits: numbers taken */
	bool ok;
	pim_memo memo;
} check;

static void fail_graph(check *v, const char *what, uint32_t figure)
{
	v->ok = pim_error(v->graph->module->context, v->graph->loc, "graph @%s: %s (%u)",
		v->graph->name, what, figure);
}

static const char *kind_text(uint32_t kind)
{
	static const char *const texts[] = {"an integer", "a number", "a string", "a list of integers",
		"a list of numbers", "a list of strings", "elements"};
	return kind < sizeof texts / sizeof *texts ? texts[kind] : "of no kind";
}

static void check_attr(check *v, const pim_node *n, const pim_op_info *op, int i)
{
	const pim_attr *a = &n->attrs[i];
	const pim_op_attr *row = pim_op_attr_find(op, a->name);
	for (int k = 0; k < i; k++)
		if (!strcmp(n->attrs[k].name, a->name))
			v->ok = pim_node_error(n, "has the attribute %s twice", a->name);
	if (n->op == PIM_OP_constant && a->kind == PIM_ATTR_data)
		return;
	if (!row)
		v->ok = pim_node_error(n, "has the attribute %s, which %s has not", a->name, op->name);
	else if (a->kind != (uint32_t)row->kind &&
			 !(row->kind == PIM_ATTR_float && a->kind == PIM_ATTR_int))
		v->ok = pim_node_error(n, "attribute %s is %s, expected %s", a->name, kind_text(a->kind),
			kind_text(row->kind));
}

static bool check_attrs(check *v, const pim_node *n, const pim_op_info *op)
{
	bool before = v->ok;
	v->ok = true;
	for (int i = 0; i < n->n_attrs; i++)
		check_attr(v, n, op, i);
	for (int i = 0; i < op->n_attrs; i++)
		if (!op->attrs[i].init && !pim_attr_find(n, op->attrs[i].name))
			v->ok = pim_node_error(n, "lacks the attribute %s", op->attrs[i].name);
	bool good = v->ok;
	v->ok &= before;
	return good;
}

static bool check_input(check *v, const pim_node *n, const pim_op_info *op, uint32_t i)
{
	const pim_node *in = n->in[i];
	if (!in)
		return (int)i >= op->min_inputs ||
			   (v->ok = pim_node_error(n, "input %u is absent, and not optional", i));
	if (in->graph != v->graph)
		return v->ok = pim_node_error(
				   n, "input %u belongs to graph @%s", i, in->graph ? in->graph->name : "?");
	if (in->id < v->graph->n_ids && v->seen[in->id] == in)
		return in->type || (v->ok = pim_node_error(n, "input %u has no type", i));
	pim_arena *scratch = pim_arena_new();
	v->ok =
		pim_node_error(n, "input %u, %s, does not stand before it", i, pim_node_label(in, scratch));
	pim_arena_free(scratch);
	return false;
}

static bool check_inputs(check *v, const pim_node *n, const pim_op_info *op)
{
	int count = (int)n->n_in;
	bool good = true;
	if (count < op->min_inputs || (op->max_inputs >= 0 && count > op->max_inputs))
		good = v->ok = pim_node_error(
			n, "has %d inputs, expected %d to %d", count, op->min_inputs, op->max_inputs);
	for (uint32_t i = 0; i < n->n_in; i++)
		good &= check_input(v, n, op, i);
	return good;
}

static void check_constant(check *v, const pim_node *n)
{
	const pim_data *d = pim_constant_data(n);
	if (!d)
		v->ok = pim_node_error(n, "has no elements: expected value, key, file, hex or absent");
	else if (d->kind != PIM_DATA_absent && !d->bytes && n->type->elements)
		v->ok = pim_node_error(n, "has no memory for its elements");
	if (n->type->n_parts)
		v->ok = pim_node_error(n, "has a tuple type, expected a tensor");
}

static void check_type(check *v, const pim_node *n)
{
	const pim_type *t = pim_memo_infer(&v->memo, n);
	if (t == n->type)
		return;
	v->ok = false;
	if (!t)
		return;
	pim_arena *scratch = pim_arena_new();
	pim_node_error(n, "has the type %s, but its rule gives %s", pim_type_text(n->type, scratch),
		pim_type_text(t, scratch));
	pim_arena_free(scratch);
}

static void check_name(check *v, const pim_node *n)
{
	if (n->name) {
		const pim_node *owner = pim_map_get(v->graph->names, n->name, strlen(n->name));
		if (owner != n)
			v->ok = pim_node_error(n,
				owner ? "another node has the same name" : "its name is not in the graph's table");
		return;
	}
	if (n->number >= v->graph->n_numbers) {
		v->ok = pim_node_error(
			n, "number %u is not below %u, the graph's limit", n->number, v->graph->n_numbers);
		return;
	}
	if (v->numbers[n->number / 8] & 1u << n->number % 8)
		v->ok = pim_node_error(n, "another node has the same number");
	v->numbers[n->number / 8] |= (uint8_t)(1u << n->number % 8);
}

/* False when the list cannot be walked on. */
static bool check_place(check *v, pim_node *n, const pim_node *before)
{
	if (n->graph != v->graph) {
		v->ok = pim_node_error(n, "stands in graph @%s, but belongs to another", v->graph->name);
		return false;
	}
	if (n->id >= v->graph->n_ids) {
		v->ok =
			pim_node_error(n, "id %u is not below %u, the graph's limit", n->id, v->graph->n_ids);
		return false;
	}
	if (v->seen[n->id] == n) {
		v->ok = pim_node_error(n, "stands twice in the list of nodes");
		return false;
	}
	if (v->seen[n->id])
		v->ok = pim_node_error(n, "another node has the same id, %u", n->id);
	if (n->prev != before)
		v->ok = pim_node_error(n, "its link to the node before it is wrong");
	return true;
}

static void check_node(check *v, const pim_node *n)
{
	if (n->op >= PIM_OP_COUNT) {
		fail_graph(v, "a node has an op that is not in the table", n->op);
		return;
	}
	const pim_op_info *op = pim_op_at((pim_op)n->op);
	bool good = check_inputs(v, n, op);
	if (n->n_attrs || op->n_attrs)
		good &= check_attrs(v, n, op);
	check_name(v, n);
	if (!n->type)
		v->ok = pim_node_error(n, "has no type");
	else if (n->op == PIM_OP_constant)
		check_constant(v, n);
	else if (good && n->op != PIM_OP_input)
		check_type(v, n);
}

static bool is_here(const check *v, const pim_node *n)
{
	return n && n->graph == v->graph && n->id < v->graph->n_ids && v->seen[n->id] == n;
}

static void check_edges(check *v, uint32_t n_inputs)
{
	const pim_graph *g = v->graph;
	for (int i = 0; i < g->n_inputs; i++)
		if (!is_here(v, g->inputs[i]) || g->inputs[i]->op != PIM_OP_input)
			fail_graph(v, "an entry of the signature is no input of the graph", (uint32_t)i);
	if (n_inputs != (uint32_t)g->n_inputs)
		fail_graph(v, "the signature does not list every input once; nodes of op input", n_inputs);
	for (int i = 0; i < g->n_results; i++)
		if (!is_here(v, g->results[i]))
			fail_graph(v, "a result is no node of the graph", (uint32_t)i);
}

bool pim_verify_shaped(pim_graph *g)
{
	check v = {.graph = g, .ok = true};
	v.seen = pim_array_new((int64_t)g->n_ids + 1, sizeof *v.seen);
	v.numbers = pim_array_new((int64_t)g->n_numbers / 8 + 1, 1);
	uint32_t n_inputs = 0;
	pim_node *last = NULL;
	for (pim_node *n = g->first; n && check_place(&v, n, last); n = n->next) {
		check_node(&v, n);
		v.seen[n->id] = n;
		n_inputs += n->op == PIM_OP_input;
		last = n;
	}
	if (v.ok && last != g->last)
		fail_graph(&v, "the last node is not the end of the list; nodes", g->n_ids);
	check_edges(&v, n_inputs);
	free(v.seen);
	free(v.numbers);
	return v.ok;
}
