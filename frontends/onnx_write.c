/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_write - a program as an ONNX model, for viewers and other runtimes.
 *
 * Values keep their names. Constants become initializers (one value for many elements a
 * ConstantOfShape node), decisions metadata of the model: pim.facts, and pim.plan.NAME for each
 * value that has some. The opset is the oldest from 17 on that has all operators. What ONNX has no
 * operator for is refused. Elements are in the file itself, so it may not be larger than 2 GiB. */
#include "frontends/onnx_write.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"

enum { OLDEST_WRITTEN = 17 };

/* Larger constants of one value are written as ConstantOfShape. */
#define SPLAT_ELEMENTS 64
#define FILE_LIMIT (INT64_C(1) << 31)

static char *copy_text(onnx_writer *w, const char *s)
{
	return pim_arena_copy(w->arena, s, strlen(s));
}

int32_t onnx_write_dtype(pim_dtype t)
{
	static const int32_t types[PIM_DTYPE_COUNT] = {[PIM_DTYPE_f32] = 1,
		[PIM_DTYPE_u8] = 2,
		[PIM_DTYPE_i8] = 3,
		[PIM_DTYPE_u16] = 4,
		[PIM_DTYPE_i16] = 5,
		[PIM_DTYPE_i32] = 6,
		[PIM_DTYPE_i64] = 7,
		[PIM_DTYPE_bool] = 9,
		[PIM_DTYPE_f16] = 10,
		[PIM_DTYPE_f64] = 11,
		[PIM_DTYPE_u32] = 12,
		[PIM_DTYPE_u64] = 13,
		[PIM_DTYPE_bf16] = 16,
		[PIM_DTYPE_u4] = 21,
		[PIM_DTYPE_i4] = 22};
	return types[t];
}

const char *onnx_write_name(onnx_writer *w, const char *like)
{
	const char *name = copy_text(w, like);
	while (pim_map_get(w->taken, name, strlen(name)))
		name = pim_arena_printf(w->arena, "%s_%d", like, ++w->n_made);
	pim_map_put(w->taken, name, strlen(name), w);
	return name;
}

void onnx_write_output(onnx_writer *w, Onnx__NodeProto *n, const char *out)
{
	char **more = PIM_NEW(w->arena, char *, n->n_output + 1);
	if (n->n_output)
		memcpy(more, n->output, sizeof *more * n->n_output);
	more[n->n_output++] = copy_text(w, out);
	n->output = more;
}

Onnx__NodeProto *onnx_write_node(
	onnx_writer *w, const char *op_type, int n, const char *const *in, const char *out)
{
	Onnx__NodeProto *node = PIM_NEW(w->arena, Onnx__NodeProto, 1);
	onnx__node_proto__init(node);
	node->op_type = copy_text(w, op_type);
	while (n && !in[n - 1])
		n--;
	node->input = PIM_NEW(w->arena, char *, n + 1);
	for (int i = 0; i < n; i++)
		node->input[node->n_input++] = copy_text(w, in[i] ? in[i] : "");
	onnx_write_output(w, node, out);
	w->nodes = pim_arena_grow(w->arena, w->nodes, w->n_nodes, &w->room_nodes, sizeof(void *));
	w->nodes[w->n_nodes++] = node;
	return node;
}

const char *onnx_write_value(onnx_writer *w, const char *op_type, int n, const char *const *in)
{
	const char *name = onnx_write_name(w, "made");
	onnx_write_node(w, op_type, n, in, name);
	return name;
}

static Onnx__AttributeProto *add_attribute(
	onnx_writer *w, Onnx__NodeProto *n, const char *name, Onnx__AttributeProto__AttributeType type)
{
	Onnx__AttributeProto *a = PIM_NEW(w->arena, Onnx__AttributeProto, 1);
	Onnx__AttributeProto **more = PIM_NEW(w->arena, Onnx__AttributeProto *, n->n_attribute + 1);
	onnx__attribute_proto__init(a);
	a->name = copy_text(w, name);
	a->has_type = 1;
	a->type = type;
	if (n->n_attribute)
		memcpy(more, n->attribute, sizeof *more * n->n_attribute);
	more[n->n_attribute++] = a;
	n->attribute = more;
	return a;
}

void onnx_write_int(onnx_writer *w, Onnx__NodeProto *n, const char *name, int64_t v)
{
	Onnx__AttributeProto *a = add_attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
	a->has_i = 1;
	a->i = v;
}

void onnx_write_float(onnx_writer *w, Onnx__NodeProto *n, const char *name, double v)
{
	Onnx__AttributeProto *a =
		add_attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
	a->has_f = 1;
	a->f = (float)v;
}

void onnx_write_string(onnx_writer *w, Onnx__NodeProto *n, const char *name, const char *v)
{
	Onnx__AttributeProto *a =
		add_attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
	a->has_s = 1;
	a->s.len = strlen(v);
	a->s.data = (uint8_t *)copy_text(w, v);
}

void onnx_write_ints(
	onnx_writer *w, Onnx__NodeProto *n, const char *name, int count, const int64_t *v)
{
	Onnx__AttributeProto *a =
		add_attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
	a->n_ints = (size_t)count;
	a->ints = PIM_NEW(w->arena, int64_t, count + 1);
	if (count)
		memcpy(a->ints, v, sizeof *v * (size_t)count);
}

void onnx_write_floats(
	onnx_writer *w, Onnx__NodeProto *n, const char *name, int count, const double *v)
{
	Onnx__AttributeProto *a =
		add_attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
	a->n_floats = (size_t)count;
	a->floats = PIM_NEW(w->arena, float, count + 1);
	for (int i = 0; i < count; i++)
		a->floats[i] = (float)v[i];
}

void onnx_write_strings(
	onnx_writer *w, Onnx__NodeProto *n, const char *name, int count, const char *const *v)
{
	Onnx__AttributeProto *a =
		add_attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
	a->n_strings = (size_t)count;
	a->strings = PIM_NEW(w->arena, ProtobufCBinaryData, count + 1);
	for (int i = 0; i < count; i++) {
		size_t bytes = strlen(v[i]);
		char *text = pim_arena_copy(w->arena, v[i], bytes);
		a->strings[i] = (ProtobufCBinaryData){.len = bytes, .data = (uint8_t *)text};
	}
}

/* ONNX packs two elements of 4 bits in a byte. */
static uint8_t *pack_nibbles(onnx_writer *w, const uint8_t *v, int64_t n)
{
	uint8_t *p = PIM_NEW(w->arena, uint8_t, n / 2 + 1);
	for (int64_t i = 0; i < n; i++)
		p[i / 2] |= (uint8_t)((v[i] & 15) << (i % 2 * 4));
	return p;
}

static Onnx__TensorProto *make_tensor(
	onnx_writer *w, pim_dtype t, int rank, const int64_t *dims, const void *data)
{
	Onnx__TensorProto *p = PIM_NEW(w->arena, Onnx__TensorProto, 1);
	const pim_type *type = pim_type_tensor(w->context, t, rank, dims);
	bool packed = t == PIM_DTYPE_i4 || t == PIM_DTYPE_u4;
	onnx__tensor_proto__init(p);
	p->has_data_type = 1;
	p->data_type = onnx_write_dtype(t);
	p->n_dims = (size_t)rank;
	p->dims = PIM_NEW(w->arena, int64_t, rank + 1);
	if (rank)
		memcpy(p->dims, dims, sizeof *dims * (size_t)rank);
	p->has_raw_data = 1;
	p->raw_data.len = packed ? (size_t)(type->elements + 1) / 2 : (size_t)pim_type_bytes(type);
	p->raw_data.data = packed ? pack_nibbles(w, data, type->elements) : (uint8_t *)(uintptr_t)data;
	return p;
}

/* data lives as long as the writer. */
const char *onnx_write_tensor(
	onnx_writer *w, const char *name, pim_dtype t, int rank, const int64_t *dims, const void *data)
{
	Onnx__TensorProto *p = make_tensor(w, t, rank, dims, data);
	p->name = copy_text(w, name);
	w->tensors =
		pim_arena_grow(w->arena, w->tensors, w->n_tensors, &w->room_tensors, sizeof(void *));
	w->tensors[w->n_tensors++] = p;
	return p->name;
}

const char *onnx_write_list(onnx_writer *w, int n, const int64_t *v)
{
	int64_t *copy = PIM_NEW(w->arena, int64_t, n + 1), dims[1] = {n};
	if (n)
		memcpy(copy, v, sizeof *v * (size_t)n);
	return onnx_write_tensor(w, onnx_write_name(w, "list"), PIM_DTYPE_i64, 1, dims, copy);
}

const char *onnx_write_number(onnx_writer *w, pim_dtype t, double v)
{
	void *data = pim_arena_alloc(w->arena, 8);
	pim_element_set(t, data, 0, v);
	return onnx_write_tensor(w, onnx_write_name(w, "number"), t, 0, NULL, data);
}

static bool write_constant(onnx_writer *w, const pim_node *n)
{
	const pim_data *d = pim_constant_data(n);
	const pim_type *t = n->type;
	if (d->kind == PIM_DATA_absent)
		return pim_node_error(n, "this constant has no elements that could be written");
	if (d->kind == PIM_DATA_dense) {
		onnx_write_tensor(w, w->name[n->id], t->dtype, t->rank, t->dims, d->bytes);
	} else if (t->elements <= SPLAT_ELEMENTS) {
		size_t each = pim_dtype_bytes(t->dtype);
		uint8_t *all = PIM_NEW(w->arena, uint8_t, (size_t)t->elements * each + 1);
		for (int64_t i = 0; i < t->elements; i++)
			memcpy(all + (size_t)i * each, d->bytes, each);
		onnx_write_tensor(w, w->name[n->id], t->dtype, t->rank, t->dims, all);
	} else {
		const char *shape = onnx_write_list(w, t->rank, t->dims);
		Onnx__NodeProto *node = onnx_write_node(w, "ConstantOfShape", 1, &shape, w->name[n->id]);
		Onnx__AttributeProto *a =
			add_attribute(w, node, "value", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
		a->t = make_tensor(w, t->dtype, 1, (int64_t[]){1}, d->bytes);
	}
	return true;
}

static Onnx__ValueInfoProto *describe(onnx_writer *w, const char *name, const pim_type *t)
{
	Onnx__ValueInfoProto *v = PIM_NEW(w->arena, Onnx__ValueInfoProto, 1);
	Onnx__TypeProto *type = PIM_NEW(w->arena, Onnx__TypeProto, 1);
	Onnx__TypeProto__Tensor *tensor = PIM_NEW(w->arena, Onnx__TypeProto__Tensor, 1);
	Onnx__TensorShapeProto *shape = PIM_NEW(w->arena, Onnx__TensorShapeProto, 1);
	onnx__value_info_proto__init(v);
	onnx__type_proto__init(type);
	onnx__type_proto__tensor__init(tensor);
	onnx__tensor_shape_proto__init(shape);
	shape->dim = PIM_NEW(w->arena, Onnx__TensorShapeProto__Dimension *, t->rank + 1);
	for (int d = 0; d < t->rank; d++) {
		Onnx__TensorShapeProto__Dimension *dim =
			PIM_NEW(w->arena, Onnx__TensorShapeProto__Dimension, 1);
		onnx__tensor_shape_proto__dimension__init(dim);
		dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
		dim->dim_value = t->dims[d];
		shape->dim[shape->n_dim++] = dim;
	}
	tensor->has_elem_type = 1;
	tensor->elem_type = onnx_write_dtype(t->dtype);
	tensor->shape = shape;
	type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	type->tensor_type = tensor;
	v->name = copy_text(w, name);
	v->type = type;
	return v;
}

static void add_note(onnx_writer *w, Onnx__ModelProto *m, const char *key, const char *value)
{
	Onnx__StringStringEntryProto *e = PIM_NEW(w->arena, Onnx__StringStringEntryProto, 1);
	onnx__string_string_entry_proto__init(e);
	e->key = copy_text(w, key);
	e->value = copy_text(w, value);
	m->metadata_props[m->n_metadata_props++] = e;
}

/* What was decided: of the graph, then of each value. */
static void note_decisions(onnx_writer *w, Onnx__ModelProto *m)
{
	pim_text t = {0};
	m->metadata_props = PIM_NEW(w->arena, Onnx__StringStringEntryProto *, w->graph->n_ids + 1);
	pim_sets_print(w->graph, &t);
	if (t.n)
		add_note(w, m, "pim.facts", t.s);
	for (const pim_node *n = w->graph->first; n; n = n->next) {
		t.n = 0;
		pim_plan_print(n, &t);
		if (t.n)
			add_note(w, m, pim_arena_printf(w->arena, "pim.plan.%s", w->name[n->id]), t.s);
	}
	pim_text_free(&t);
}

static void name_values(onnx_writer *w)
{
	w->name = PIM_NEW(w->arena, const char *, w->graph->n_ids + 1);
	w->opset = OLDEST_WRITTEN;
	for (const pim_node *n = w->graph->first; n; n = n->next) {
		const char *label = n->name ? n->name : pim_arena_printf(w->arena, "v%u", n->number);
		w->name[n->id] = onnx_write_name(w, label);
		if (onnx_write_needs(n) > w->opset)
			w->opset = onnx_write_needs(n);
	}
}

static bool write_nodes(onnx_writer *w)
{
	bool ok = true;
	for (const pim_node *n = w->graph->first; n; n = n->next)
		if (n->op == PIM_OP_constant)
			ok = write_constant(w, n) && ok;
		else if (n->op != PIM_OP_input)
			ok = onnx_write_op(w, n) && ok;
	return ok;
}

/* Results have the names of the program's, which their nodes may not have. */
static void write_results(onnx_writer *w, Onnx__GraphProto *g)
{
	const pim_graph *p = w->graph;
	pim_map *given = pim_map_new(w->arena);
	g->output = PIM_NEW(w->arena, Onnx__ValueInfoProto *, p->n_results + 1);
	for (int i = 0; i < p->n_results; i++) {
		const pim_node *n = p->results[i];
		const char *name = w->name[n->id];
		const char *wanted = p->result_names && p->result_names[i] ? p->result_names[i] : name;
		bool direct = !strcmp(name, wanted) && n->op != PIM_OP_input && n->op != PIM_OP_constant &&
					  !pim_map_get(given, name, strlen(name));
		if (!direct) {
			const char *out = onnx_write_name(w, wanted);
			onnx_write_node(w, "Identity", 1, &name, out);
			name = out;
		}
		pim_map_put(given, name, strlen(name), w);
		g->output[g->n_output++] = describe(w, name, n->type);
	}
}

static Onnx__ModelProto *make_model(onnx_writer *w)
{
	Onnx__ModelProto *m = PIM_NEW(w->arena, Onnx__ModelProto, 1);
	Onnx__GraphProto *g = PIM_NEW(w->arena, Onnx__GraphProto, 1);
	Onnx__OperatorSetIdProto *o = PIM_NEW(w->arena, Onnx__OperatorSetIdProto, 1);
	onnx__model_proto__init(m);
	onnx__graph_proto__init(g);
	onnx__operator_set_id_proto__init(o);
	name_values(w);
	if (!write_nodes(w))
		return NULL;
	g->name = copy_text(w, w->graph->name);
	g->input = PIM_NEW(w->arena, Onnx__ValueInfoProto *, w->graph->n_inputs + 1);
	for (int i = 0; i < w->graph->n_inputs; i++)
		g->input[g->n_input++] =
			describe(w, w->name[w->graph->inputs[i]->id], w->graph->inputs[i]->type);
	write_results(w, g);
	g->n_node = (size_t)w->n_nodes;
	g->node = w->nodes;
	g->n_initializer = (size_t)w->n_tensors;
	g->initializer = w->tensors;
	o->domain = copy_text(w, "");
	o->has_version = 1;
	o->version = w->opset;
	m->has_ir_version = 1;
	m->ir_version = w->opset > 20 ? 10 : 8;
	m->producer_name = copy_text(w, "pimopt");
	m->graph = g;
	m->n_opset_import = 1;
	m->opset_import = PIM_NEW(w->arena, Onnx__OperatorSetIdProto *, 1);
	m->opset_import[0] = o;
	note_decisions(w, m);
	return m;
}

/* protobuf-c packs into one piece of memory. */
static bool pack(onnx_writer *w, const Onnx__ModelProto *m, FILE *out)
{
	size_t n = onnx__model_proto__get_packed_size(m);
	uint8_t *bytes;
	bool ok;
	if (n >= (size_t)FILE_LIMIT)
		return pim_error(w->context, w->graph->loc,
			"the model takes %zu bytes, and an ONNX file holds at most %lld", n,
			(long long)FILE_LIMIT);
	bytes = pim_array_raw((int64_t)n, 1);
	onnx__model_proto__pack(m, bytes);
	ok = fwrite(bytes, 1, n, out) == n;
	free(bytes);
	return ok;
}

bool pim_onnx_write(const pim_graph *g, FILE *out)
{
	onnx_writer w = {.context = g->module->context, .graph = g, .arena = pim_arena_new()};
	const Onnx__ModelProto *m;
	bool ok;
	w.taken = pim_map_new(w.arena);
	m = make_model(&w);
	ok = m && pack(&w, m, out);
	pim_arena_free(w.arena);
	return ok;
}
