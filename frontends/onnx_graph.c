/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_graph - an ONNX graph as a graph of the program.
 *
 * Nodes are converted in their order (or behind what they read, where that comes later), each by
 * the row of its operator; calls of the model's own functions are replaced by the function's nodes.
 * What a value turns out to be is compared with what the model declares of it. A node that is
 * refused marks its results, so that the nodes behind it are not blamed too and all independent
 * mistakes are told. At the end what nobody reads is dropped. */
#include <string.h>

#include "frontends/onnx.h"

/* Calls of functions may not be deeper, and may not make more nodes, than this. */
enum { CALL_DEPTH = 64, NODE_LIMIT = 4000000 };

static const char *text(const char *s)
{
	return s ? s : "";
}

static bool add_constant(onnx_import *x, onnx_scope *s, const Onnx__TensorProto *t)
{
	const char *name = text(t->name);
	pim_loc at = pim_loc_name(x->context, name);
	onnx_constant *k = PIM_NEW(x->scratch, onnx_constant, 1);
	k->data = PIM_NEW(x->module->arena, pim_data, 1);
	if (pim_map_put(s->constants, name, strlen(name), k))
		return pim_error(x->context, at, "initializer '%s' is given twice", name);
	return onnx_tensor_decode(x->file, t, at, x->module->arena, &k->type, k->data);
}

static bool add_constants(onnx_import *x, onnx_scope *s, const Onnx__GraphProto *g)
{
	bool ok = true;
	for (size_t i = 0; i < g->n_initializer; i++)
		ok = add_constant(x, s, g->initializer[i]) && ok;
	for (size_t i = 0; i < g->n_sparse_initializer; i++) {
		const Onnx__TensorProto *v = g->sparse_initializer[i]->values;
		ok = pim_error(x->context, pim_loc_name(x->context, v ? text(v->name) : "?"),
			"sparse initializer '%s' is not supported", v ? text(v->name) : "?");
	}
	return ok;
}

static void declare(onnx_import *x, size_t n, Onnx__ValueInfoProto **infos)
{
	for (size_t i = 0; i < n; i++)
		if (infos[i]->name && infos[i]->type)
			pim_map_put(x->declared, infos[i]->name, strlen(infos[i]->name), infos[i]->type);
}

/* f32[1,?,3] as a model states it. */
static const char *declared_text(const onnx_import *x, const Onnx__TypeProto__Tensor *t)
{
	pim_text s = {0};
	pim_dtype dtype = onnx_dtype(t->elem_type);
	pim_text_printf(&s, "%s[",
		dtype == PIM_DTYPE_COUNT ? onnx_dtype_text(t->elem_type) : pim_dtype_name(dtype));
	for (size_t d = 0; t->shape && d < t->shape->n_dim; d++) {
		const Onnx__TensorShapeProto__Dimension *dim = t->shape->dim[d];
		pim_text_str(&s, d ? "," : "");
		if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
			pim_text_int(&s, dim->dim_value);
		else
			pim_text_str(&s, "?");
	}
	pim_text_str(&s, "]");
	return pim_text_keep(&s, x->scratch);
}

static bool dims_agree(const Onnx__TypeProto__Tensor *t, const pim_type *is)
{
	if (!t->shape)
		return true;
	if (t->shape->n_dim != (size_t)is->rank)
		return false;
	for (int d = 0; d < is->rank; d++) {
		const Onnx__TensorShapeProto__Dimension *dim = t->shape->dim[d];
		if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
			dim->dim_value > 0 && dim->dim_value != is->dims[d])
			return false;
	}
	return true;
}

/* Element types must agree. Shapes that were written down are often those of another export, and
 * what an operator makes is settled by its inputs: there a warning is enough. */
bool onnx_check_declared(const onnx_import *x, const char *name, const pim_node *n, pim_loc at)
{
	const Onnx__TypeProto *t = pim_map_get(x->declared, name, strlen(name));
	const Onnx__TypeProto__Tensor *says;
	bool type_agrees;
	if (!t || t->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
		return true;
	says = t->tensor_type;
	type_agrees =
		!n->type->n_parts && (!says->elem_type || onnx_dtype(says->elem_type) == n->type->dtype);
	if (type_agrees && dims_agree(says, n->type))
		return true;
	pim_report(x->context, type_agrees ? PIM_WARNING : PIM_ERROR, at,
		"the model says that '%s' is %s, but it is %s", name, declared_text(x, says),
		pim_type_text(n->type, x->scratch));
	return type_agrees;
}

/* The node of an initializer, made at its first use. */
static pim_node *constant_value(onnx_import *x, onnx_scope *s, const char *name)
{
	const onnx_constant *k = s->constants ? pim_map_get(s->constants, name, strlen(name)) : NULL;
	pim_node *n;
	if (!k)
		return NULL;
	if (k->data->kind == PIM_DATA_absent && x->n_absent++ == 0)
		x->absent = name;
	if (k->type->elements == 1 && k->data->kind == PIM_DATA_dense)
		*k->data = (pim_data){.kind = PIM_DATA_splat, .bytes = k->data->bytes};
	n = pim_constant_make(x->graph, k->type, k->data, NULL);
	n->loc = pim_loc_name(x->context, name);
	pim_node_rename(n, name);
	pim_map_put(s->values, name, strlen(name), n);
	return n;
}

/* Bodies of control flow see the values around them. */
static pim_node *value(onnx_import *x, onnx_scope *s, const char *name)
{
	pim_node *n = NULL;
	for (; s && !n; s = s->around) {
		n = pim_map_get(s->values, name, strlen(name));
		n = n ? n : constant_value(x, s, name);
	}
	return n;
}

static bool is_top(const onnx_scope *s)
{
	return !s->caller && !s->around;
}

/* Looks the inputs up; false when one is unknown (after a diagnostic) or was refused before. */
static bool read_inputs(onnx_call *k, onnx_scope *s)
{
	onnx_import *x = k->import;
	bool ok = true;
	k->n_in = (int)k->node->n_input;
	while (k->n_in && !*text(k->node->input[k->n_in - 1]))
		k->n_in--;
	k->in = PIM_NEW(x->scratch, pim_node *, k->n_in + 1);
	for (int i = 0; i < k->n_in; i++) {
		const char *name = text(k->node->input[i]);
		if (!*name)
			continue;
		k->in[i] = value(x, s, name);
		if (!k->in[i])
			ok = pim_error(x->context, k->at, "%s reads '%s', which nothing makes before it",
				text(k->node->op_type), name);
		else if (k->in[i] == x->unmade)
			ok = pim_error(x->context, k->at,
				"%s reads '%s', an optional result that is not supported", text(k->node->op_type),
				name);
		else if (k->in[i] == x->failed)
			ok = false;
	}
	return ok;
}

static bool check_counts(const onnx_call *k)
{
	const onnx_row *r = k->row;
	if (k->n_in < r->fewest || (r->most >= 0 && k->n_in > r->most))
		return r->most == r->fewest || r->most < 0
				   ? onnx_fail(k, "%d inputs are given, expected %d", k->n_in, r->fewest)
				   : onnx_fail(
						 k, "%d inputs are given, expected %d to %d", k->n_in, r->fewest, r->most);
	for (int i = 0; i < r->fewest; i++)
		if (!k->in[i])
			return onnx_fail(k, "input %d is missing", i);
	if (k->n_out < 1 || (r->outs >= 0 && k->n_out > r->outs))
		return onnx_fail(k, "%d results are wanted, it has 1 to %d", k->n_out, r->outs);
	return true;
}

static bool define(onnx_call *k, onnx_scope *s, int i, bool ok)
{
	onnx_import *x = k->import;
	const char *name = text(k->node->output[i]);
	pim_node *n = ok ? k->out[i] : x->failed;
	bool known = pim_map_get(s->values, name, strlen(name)) ||
				 (s->constants && pim_map_get(s->constants, name, strlen(name)));
	if (!*name)
		return true;
	if (known)
		return pim_error(x->context, k->at, "'%s' is made a second time", name);
	if (!n)
		n = x->unmade;
	if (n != x->failed && n != x->unmade && is_top(s) && !onnx_check_declared(x, name, n, k->at))
		n = x->failed;
	pim_map_put(s->values, name, strlen(name), n);
	if (n != x->failed && n != x->unmade && is_top(s) && !n->name)
		pim_node_rename(n, name);
	return n != x->failed;
}

static bool convert_nodes(onnx_import *x, onnx_scope *s, size_t n, Onnx__NodeProto **nodes);

/* Replaces a call by the nodes of the function. */
static bool inline_function(onnx_call *k, const Onnx__FunctionProto *f)
{
	onnx_import *x = k->import;
	onnx_scope body = {.caller = k->node, .outer = k->scope, .at = k->at};
	bool ok;
	if (x->depth >= CALL_DEPTH)
		return pim_error(x->context, k->at, "calls of function %s are nested more than %d deep",
			text(f->name), CALL_DEPTH);
	if ((size_t)k->n_in > f->n_input || (size_t)k->n_out > f->n_output)
		return pim_error(x->context, k->at,
			"function %s has %zu inputs and %zu results, the call %d and %d", text(f->name),
			f->n_input, f->n_output, k->n_in, k->n_out);
	body.values = pim_map_new(x->scratch);
	body.n_opsets = f->n_opset_import;
	body.opsets = f->opset_import;
	for (int i = 0; i < k->n_in; i++)
		if (k->in[i])
			pim_map_put(body.values, text(f->input[i]), strlen(text(f->input[i])), k->in[i]);
	x->depth++;
	ok = convert_nodes(x, &body, f->n_node, f->node);
	x->depth--;
	for (int i = 0; i < k->n_out && ok; i++)
		k->out[i] = pim_map_get(body.values, text(f->output[i]), strlen(text(f->output[i])));
	return ok;
}

bool onnx_body_open(onnx_call *k, const Onnx__GraphProto *g, onnx_scope *s)
{
	onnx_import *x = k->import;
	*s = *k->scope;
	s->around = k->scope;
	s->at = k->at;
	s->values = pim_map_new(x->scratch);
	s->constants = pim_map_new(x->scratch);
	return add_constants(x, s, g);
}

static bool check_rank(onnx_call *k, const Onnx__ValueInfoProto *v, const pim_node *n)
{
	const Onnx__TypeProto *t = v->type;
	if (!t || t->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !t->tensor_type->shape ||
		t->tensor_type->shape->n_dim == (size_t)n->type->rank)
		return true;
	return onnx_fail(k, "the body says that '%s' is %s, but it is %s", text(v->name),
		declared_text(k->import, t->tensor_type), pim_type_text(n->type, k->import->scratch));
}

bool onnx_body_run(
	onnx_call *k, onnx_scope *s, const Onnx__GraphProto *g, pim_node *const *in, pim_node **out)
{
	onnx_import *x = k->import;
	onnx_scope body = *s;
	bool ok = true;
	if (x->depth >= CALL_DEPTH)
		return onnx_fail(k, "bodies are nested more than %d deep", CALL_DEPTH);
	body.around = s;
	body.values = pim_map_new(x->scratch);
	body.constants = NULL;
	for (size_t i = 0; i < g->n_input; i++) {
		ok = check_rank(k, g->input[i], in[i]) && ok;
		pim_map_put(body.values, text(g->input[i]->name), strlen(text(g->input[i]->name)), in[i]);
	}
	if (!ok)
		return false;
	x->depth++;
	ok = convert_nodes(x, &body, g->n_node, g->node);
	x->depth--;
	for (size_t i = 0; i < g->n_output && ok; i++) {
		out[i] = value(x, &body, text(g->output[i]->name));
		if (!out[i] || out[i] == x->unmade)
			ok = onnx_fail(
				k, "result '%s' of the body is made by no node", text(g->output[i]->name));
		else
			ok = out[i] != x->failed && check_rank(k, g->output[i], out[i]);
	}
	return ok;
}

static bool convert_call(onnx_call *k)
{
	if (k->row) {
		onnx_check_attributes(k);
		return check_counts(k) && k->row->convert(k);
	}
	return inline_function(k, onnx_function_find(k->import, k->node));
}

static bool convert_node(onnx_import *x, onnx_scope *s, const Onnx__NodeProto *node)
{
	onnx_call k = {.import = x, .scope = s, .node = node, .opset = onnx_opset(s, node->domain)};
	int errors = x->context->errors;
	bool ok;
	k.at = !is_top(s) ? s->at : onnx_node_loc(x->context, node, x->index);
	if (++x->index > NODE_LIMIT)
		return pim_error(x->context, k.at, "the model has more than %d nodes", (int)NODE_LIMIT);
	k.row = onnx_row_find(x, node->op_type, node->domain, k.opset);
	k.n_out = (int)node->n_output;
	k.out = PIM_NEW(x->scratch, pim_node *, k.n_out + 1);
	ok = read_inputs(&k, s) && convert_call(&k) && x->context->errors == errors;
	for (int i = 0; i < k.n_out; i++)
		ok = define(&k, s, i, ok) && ok;
	return ok;
}

/* Order of nodes: 0 not seen, 1 waits for its inputs, 2 placed. */
typedef struct node_order {
	pim_map *makers; /* name of a value to one more than the index of its node */
	size_t n, n_placed;
	Onnx__NodeProto **nodes;
	uint8_t *state;
	size_t *placed, *stack;
} node_order;

/* The first maker of an input of node i that is not placed; 0 when there is none. */
static size_t find_waiting(const node_order *o, size_t i)
{
	const Onnx__NodeProto *node = o->nodes[i];
	for (size_t k = 0; k < node->n_input; k++) {
		const char *name = text(node->input[k]);
		size_t maker = *name ? (size_t)(uintptr_t)pim_map_get(o->makers, name, strlen(name)) : 0;
		if (maker && o->state[maker - 1] != 2 && maker - 1 != i)
			return maker;
	}
	return 0;
}

/* Places node i behind everything it reads. In a cycle the node that closes it is placed as it is:
 * it is then refused for what it reads. */
static void place(node_order *o, size_t i)
{
	size_t depth = 0;
	if (o->state[i])
		return;
	o->stack[depth++] = i;
	while (depth) {
		size_t top = o->stack[depth - 1], maker = find_waiting(o, top);
		o->state[top] = 1;
		if (maker && !o->state[maker - 1]) {
			o->stack[depth++] = maker - 1;
			continue;
		}
		o->state[top] = 2;
		o->placed[o->n_placed++] = top;
		depth--;
	}
}

/* ONNX wants nodes in order, but tools that edit models do not always keep it. */
static const size_t *order_nodes(onnx_import *x, size_t n, Onnx__NodeProto **nodes)
{
	node_order o = {.makers = pim_map_new(x->scratch), .n = n, .nodes = nodes};
	o.state = PIM_NEW(x->scratch, uint8_t, n + 1);
	o.placed = PIM_NEW(x->scratch, size_t, n + 1);
	o.stack = PIM_NEW(x->scratch, size_t, n + 1);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < nodes[i]->n_output; k++) {
			const char *name = text(nodes[i]->output[k]);
			pim_map_put(o.makers, name, strlen(name), (void *)(uintptr_t)(i + 1));
		}
	for (size_t i = 0; i < n; i++)
		place(&o, i);
	return o.placed;
}

static bool convert_nodes(onnx_import *x, onnx_scope *s, size_t n, Onnx__NodeProto **nodes)
{
	const size_t *order = order_nodes(x, n, nodes);
	bool ok = true;
	for (size_t i = 0; i < n && x->index <= NODE_LIMIT; i++)
		ok = convert_node(x, s, nodes[order[i]]) && ok;
	return ok;
}

static bool add_results(onnx_import *x, onnx_scope *s)
{
	const Onnx__GraphProto *g = x->model->graph;
	bool ok = true;
	for (size_t i = 0; i < g->n_output; i++) {
		const char *name = text(g->output[i]->name);
		pim_loc at = pim_loc_name(x->context, name);
		pim_node *n = value(x, s, name);
		if (!n || n == x->unmade)
			ok = pim_error(x->context, at,
				n ? "result '%s' is an optional one that is not supported"
				  : "result '%s' is made by no node",
				name);
		else if (n == x->failed || !onnx_check_declared(x, name, n, at))
			ok = false;
		else
			pim_graph_add_named_result(x->graph, n, name);
	}
	if (g->n_output == 0)
		return pim_file_error(x->context, x->file->path, "the graph has no results");
	return ok;
}

/* Nodes that no result needs; inputs stay. */
static void drop_unused(onnx_import *x)
{
	pim_graph *g = x->graph;
	bool *used = PIM_NEW(x->scratch, bool, g->n_ids + 1);
	for (int i = 0; i < g->n_results; i++)
		used[g->results[i]->id] = true;
	for (pim_node *n = g->last, *prev; n; n = prev) {
		prev = n->prev;
		if (!used[n->id] && n->op != PIM_OP_input) {
			pim_node_remove(n);
			continue;
		}
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i])
				used[n->in[i]->id] = true;
	}
}

static void warn_absent(const onnx_import *x)
{
	if (!x->n_absent)
		return;
	x->context->told_absent = true;
	pim_report(x->context, PIM_WARNING, pim_loc_name(x->context, x->absent),
		"%d constant%s without elements (the first is '%s'): evaluation takes seeded random values "
		"for %s",
		x->n_absent, x->n_absent > 1 ? "s are" : " is", x->absent, x->n_absent > 1 ? "them" : "it");
}

bool onnx_graph_import(onnx_import *x)
{
	const Onnx__GraphProto *g = x->model->graph;
	onnx_scope s = {.n_opsets = x->model->n_opset_import, .opsets = x->model->opset_import};
	bool ok;
	s.values = pim_map_new(x->scratch);
	s.constants = pim_map_new(x->scratch);
	x->declared = pim_map_new(x->scratch);
	x->known = pim_map_new(x->scratch);
	x->failed = PIM_NEW(x->scratch, pim_node, 1);
	x->unmade = PIM_NEW(x->scratch, pim_node, 1);
	x->graph = pim_graph_new(x->module, "main");
	declare(x, g->n_value_info, g->value_info);
	declare(x, g->n_output, g->output);
	if (!add_constants(x, &s, g) || !onnx_inputs_import(x, &s))
		return false;
	ok = convert_nodes(x, &s, g->n_node, g->node);
	ok = add_results(x, &s) && ok;
	if (!ok)
		return false;
	drop_unused(x);
	x->graph->facts |= PIM_FACT_shaped;
	warn_absent(x);
	return true;
}
