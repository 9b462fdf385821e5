/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_build - making nodes for one ONNX node.
 *
 * Every node gets the place of the ONNX node. A small node whose inputs are all known becomes a
 * constant at once: that is what turns exporters' Shape/Gather/Concat arithmetic into numbers that
 * a Reshape can read. */
#include <math.h>
#include <string.h>

#include "frontends/onnx.h"

/* Results of more elements than this are not folded at import. */
#define FOLD_ELEMENTS 4096
/* Values that settle shapes are computed at import up to this size and through so many nodes. */
#define KNOWN_ELEMENTS (INT64_C(1) << 20)
enum { KNOWN_DEPTH = 4096 };

pim_attr onnx_attr_int(const char *name, int64_t v)
{
	return (pim_attr){.name = name, .kind = PIM_ATTR_int, .i = v};
}

pim_attr onnx_attr_float(const char *name, double v)
{
	return (pim_attr){.name = name, .kind = PIM_ATTR_float, .f = v};
}

pim_attr onnx_attr_string(const char *name, const char *v)
{
	return (pim_attr){.name = name, .kind = PIM_ATTR_string, .s = v};
}

pim_attr onnx_attr_ints(const char *name, int n, const int64_t *v)
{
	return (pim_attr){.name = name, .kind = PIM_ATTR_ints, .n = (uint32_t)n, .is = v};
}

pim_attr onnx_attr_floats(const char *name, int n, const double *v)
{
	return (pim_attr){.name = name, .kind = PIM_ATTR_floats, .n = (uint32_t)n, .fs = v};
}

static void set_floats(pim_node *n, const pim_attr *a)
{
	double *v = PIM_NEW(n->graph->module->arena, double, a->n + 1);
	pim_attr copy = *a;
	memcpy(v, a->fs, sizeof *v * a->n);
	copy.name = pim_intern(pim_context_of(n), a->name, strlen(a->name));
	copy.fs = v;
	pim_attr_set(n, &copy);
}

static void set_attribute(pim_node *n, const pim_attr *a)
{
	switch ((pim_attr_kind)a->kind) {
	case PIM_ATTR_int:
		pim_node_set_int(n, a->name, a->i);
		break;
	case PIM_ATTR_float:
		pim_node_set_float(n, a->name, a->f);
		break;
	case PIM_ATTR_string:
		pim_node_set_string(n, a->name, a->s);
		break;
	case PIM_ATTR_ints:
		pim_node_set_ints(n, a->name, (int)a->n, a->is);
		break;
	case PIM_ATTR_floats:
		set_floats(n, a);
		break;
	default:
		PIM_BUG("attribute %s has a kind that converters do not make", a->name);
	}
}

bool onnx_is_known(const pim_node *n)
{
	return n->op == PIM_OP_constant && pim_constant_data(n)->kind != PIM_DATA_absent;
}

/* A constant in place of a node whose inputs are known. */
static pim_node *fold(pim_node *n)
{
	pim_node *by;
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i] && !onnx_is_known(n->in[i]))
			return n;
	if (n->n_in == 0)
		return n;
	by = pim_node_to_constant(n, FOLD_ELEMENTS);
	if (by && by != n) {
		by->loc = n->loc;
		pim_node_remove(n);
	}
	return by;
}

pim_node *onnx_make(
	onnx_call *k, pim_op op, int n, pim_node *const *in, int n_attrs, const pim_attr *attrs)
{
	pim_node *node;
	int fewest = pim_op_at(op)->min_inputs;
	for (int i = 0; i < n; i++)
		if (!in[i] && i < fewest)
			return NULL;
	node = pim_node_make(k->import->graph, op, n, in, NULL);
	node->loc = k->at;
	for (int i = 0; i < n_attrs; i++)
		set_attribute(node, &attrs[i]);
	return pim_node_infer(node) ? fold(node) : NULL;
}

pim_node *onnx_make1(onnx_call *k, pim_op op, pim_node *a)
{
	return onnx_make(k, op, 1, &a, 0, NULL);
}

pim_node *onnx_make2(onnx_call *k, pim_op op, pim_node *a, pim_node *b)
{
	return onnx_make(k, op, 2, (pim_node *[]){a, b}, 0, NULL);
}

static bool has_dims(const pim_node *a, int rank, const int64_t *dims)
{
	return a->type->rank == rank &&
		   (rank == 0 || !memcmp(a->type->dims, dims, sizeof *dims * (size_t)rank));
}

pim_node *onnx_reshape(onnx_call *k, pim_node *a, int rank, const int64_t *dims)
{
	pim_attr shape = onnx_attr_ints("shape", rank, dims);
	if (!a || has_dims(a, rank, dims))
		return a;
	return onnx_make(k, PIM_OP_reshape, 1, &a, 1, &shape);
}

pim_node *onnx_transpose(onnx_call *k, pim_node *a, const int64_t *perm)
{
	pim_attr p;
	if (!a)
		return NULL;
	p = onnx_attr_ints("perm", a->type->rank, perm);
	return onnx_make(k, PIM_OP_transpose, 1, &a, 1, &p);
}

pim_node *onnx_expand(onnx_call *k, pim_node *a, int rank, const int64_t *dims)
{
	pim_attr shape = onnx_attr_ints("shape", rank, dims);
	if (!a || has_dims(a, rank, dims))
		return a;
	return onnx_make(k, PIM_OP_expand, 1, &a, 1, &shape);
}

static bool all_ones(int n, const int64_t *v)
{
	for (int i = 0; i < n; i++)
		if (v[i] != 1)
			return false;
	return true;
}

pim_node *onnx_slice(
	onnx_call *k, pim_node *a, const int64_t *starts, const int64_t *sizes, const int64_t *steps)
{
	pim_attr attrs[3];
	int rank;
	if (!a)
		return NULL;
	rank = a->type->rank;
	if (steps && all_ones(rank, steps))
		steps = NULL;
	attrs[0] = onnx_attr_ints("starts", rank, starts);
	attrs[1] = onnx_attr_ints("sizes", rank, sizes);
	if (steps)
		attrs[2] = onnx_attr_ints("steps", rank, steps);
	return onnx_make(k, PIM_OP_slice, 1, &a, steps ? 3 : 2, attrs);
}

pim_node *onnx_reduce(
	onnx_call *k, pim_op op, pim_node *a, int n, const int64_t *axes, int64_t keepdims)
{
	pim_attr attrs[2] = {onnx_attr_ints("axes", n, axes), onnx_attr_int("keepdims", keepdims)};
	return a && n == 0 ? a : onnx_make(k, op, 1, &a, keepdims == 1 ? 1 : 2, attrs);
}

pim_node *onnx_cast(onnx_call *k, pim_node *a, pim_dtype to)
{
	pim_attr attr = onnx_attr_string("to", pim_dtype_name(to));
	return !a || a->type->dtype == to ? a : onnx_make(k, PIM_OP_cast, 1, &a, 1, &attr);
}

pim_node *onnx_constant_node(onnx_call *k, const pim_type *t, const pim_data *d)
{
	pim_data *kept = PIM_NEW(k->import->module->arena, pim_data, 1);
	pim_node *n;
	*kept = *d;
	if (t->elements == 1 && kept->kind == PIM_DATA_dense)
		*kept = (pim_data){.kind = PIM_DATA_splat, .bytes = d->bytes};
	n = pim_constant_make(k->import->graph, t, kept, NULL);
	n->loc = k->at;
	return n;
}

pim_node *onnx_scalar(onnx_call *k, const pim_node *like, double v)
{
	pim_arena *a = k->import->module->arena;
	pim_data d = {.kind = PIM_DATA_splat};
	void *bytes;
	if (!like)
		return NULL;
	bytes = pim_arena_alloc(a, 8);
	pim_element_set(like->type->dtype, bytes, 0, v);
	d.bytes = bytes;
	return onnx_constant_node(
		k, pim_type_tensor(k->import->context, like->type->dtype, 0, NULL), &d);
}

pim_node *onnx_numbers(onnx_call *k, pim_dtype t, int rank, const int64_t *dims, const double *v)
{
	const pim_type *type = pim_type_tensor(k->import->context, t, rank, dims);
	size_t bytes = (size_t)type->elements * pim_dtype_bytes(t);
	void *data = pim_arena_raw(k->import->module->arena, bytes + 1);
	for (int64_t i = 0; i < type->elements; i++)
		pim_element_set(t, data, i, v[i]);
	return onnx_constant_node(k, type, &(pim_data){.kind = PIM_DATA_dense, .bytes = data});
}

pim_node *onnx_iota(onnx_call *k, pim_dtype t, int64_t n)
{
	double *v = PIM_NEW(k->import->scratch, double, n + 1);
	for (int64_t i = 0; i < n; i++)
		v[i] = (double)i;
	return onnx_numbers(k, t, 1, &n, v);
}

pim_node *onnx_splat(onnx_call *k, pim_dtype t, int rank, const int64_t *dims, double v)
{
	uint8_t *bytes = pim_arena_alloc(k->import->module->arena, 8);
	pim_element_set(t, bytes, 0, v);
	return onnx_constant_node(k, pim_type_tensor(k->import->context, t, rank, dims),
		&(pim_data){.kind = PIM_DATA_splat, .bytes = bytes});
}

pim_node *onnx_where(onnx_call *k, pim_node *c, pim_node *a, pim_node *b)
{
	return onnx_make(k, PIM_OP_where, 3, (pim_node *[]){c, a, b}, 0, NULL);
}

pim_node *onnx_matmul(onnx_call *k, pim_node *a, pim_node *b, bool transpose_b)
{
	pim_attr t = onnx_attr_int("transpose_b", 1);
	return onnx_make(k, PIM_OP_matmul, 2, (pim_node *[]){a, b}, transpose_b, &t);
}

pim_node *onnx_concat(onnx_call *k, int n, pim_node *const *parts, int axis)
{
	pim_attr a = onnx_attr_int("axis", axis);
	return n == 1 ? parts[0] : onnx_make(k, PIM_OP_concat, n, parts, 1, &a);
}

pim_node *onnx_part(onnx_call *k, pim_node *a, int dim, int64_t start, int64_t size)
{
	int64_t starts[PIM_MAX_RANK] = {0}, sizes[PIM_MAX_RANK];
	if (!a || (start == 0 && size == a->type->dims[dim]))
		return a;
	memcpy(sizes, a->type->dims, sizeof *sizes * (size_t)a->type->rank);
	starts[dim] = start;
	sizes[dim] = size;
	return onnx_slice(k, a, starts, sizes, NULL);
}

pim_node *onnx_unary(onnx_call *k, pim_op op, pim_node *a, int n, const pim_attr *attrs)
{
	return a ? onnx_make(k, op, 1, &a, n, attrs) : NULL;
}

pim_node *onnx_softmax(onnx_call *k, pim_node *a, int64_t axis)
{
	pim_attr attr = onnx_attr_int("axis", axis);
	return onnx_unary(k, PIM_OP_softmax, a, 1, &attr);
}

pim_node *onnx_ints_node(onnx_call *k, int n, const int64_t *v)
{
	int64_t dims[1] = {n};
	const pim_type *t = pim_type_tensor(k->import->context, PIM_DTYPE_i64, 1, dims);
	int64_t *copy = PIM_NEW(k->import->module->arena, int64_t, n + 1);
	if (n)
		memcpy(copy, v, sizeof *v * (size_t)n);
	return onnx_constant_node(k, t, &(pim_data){.kind = PIM_DATA_dense, .bytes = copy});
}

bool onnx_give(onnx_call *k, pim_node *n)
{
	k->out[0] = n;
	return n != NULL;
}

bool onnx_axis(const onnx_call *k, int64_t *axis, int limit)
{
	int64_t given = *axis;
	if (given < -limit || given >= limit)
		return onnx_fail(k, "axis %lld is not in %d to %d", (long long)given, -limit, limit - 1);
	if (given < 0)
		*axis += limit;
	return true;
}

/* The value that --data has for an input of the graph, with a remark: the program is then good for
 * such inputs only. */
static bool find_given(const onnx_call *k, const pim_node *n, pim_tensor *t)
{
	const onnx_import *x = k->import;
	for (int i = 0; x->data && i < x->graph->n_inputs; i++)
		if (x->graph->inputs[i] == n && x->data[i].tensor.type == n->type) {
			*t = x->data[i].tensor;
			pim_report(x->context, PIM_REMARK, k->at,
				"input '%s' is settled at import: its value is taken from the data folder",
				n->name);
			return true;
		}
	return false;
}

static bool evaluate(const onnx_call *k, const pim_node *n, int depth, pim_tensor *t);

static bool evaluate_inputs(const onnx_call *k, const pim_node *n, int depth, pim_tensor *in)
{
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i] && !evaluate(k, n->in[i], depth + 1, &in[i]))
			return false;
	return true;
}

/* The value of a node that depends on constants and given inputs only, computed once. */
static bool evaluate(const onnx_call *k, const pim_node *n, int depth, pim_tensor *t)
{
	onnx_import *x = k->import;
	pim_tensor *known = pim_map_get(x->known, &n, sizeof(pim_node *)), *in;
	pim_eval e = {.context = x->context, .threads = 1};
	bool ok;
	if (known)
		return *t = *known, true;
	if (n->op == PIM_OP_input)
		return find_given(k, n, t);
	if (n->type->n_parts || depth > KNOWN_DEPTH || n->type->elements > KNOWN_ELEMENTS ||
		(n->op == PIM_OP_constant && !onnx_is_known(n)))
		return false;
	in = PIM_NEW(x->scratch, pim_tensor, n->n_in + 1);
	if (!evaluate_inputs(k, n, depth, in))
		return false;
	t->type = n->type;
	t->data = pim_arena_raw(x->scratch, (size_t)pim_type_bytes(n->type) + 16);
	e.scratch = pim_arena_new();
	ok = pim_node_eval(n, in, t, &e);
	pim_arena_free(e.scratch);
	known = PIM_NEW(x->scratch, pim_tensor, 1);
	*known = *t;
	pim_map_put(x->known, &n, sizeof(pim_node *), known);
	return ok;
}

bool onnx_known(const onnx_call *k, const pim_node *n, pim_tensor *t)
{
	return n && evaluate(k, n, 0, t);
}

bool onnx_input_tensor(const onnx_call *k, int i, pim_tensor *t)
{
	const pim_node *in = k->in[i];
	if (onnx_known(k, in, t))
		return true;
	return onnx_fail(k,
		"input %d ('%s') must be known when the model is read, but it depends on %s", i,
		k->node->input[i],
		in->op == PIM_OP_constant ? "a tensor without data" : "the graph's inputs");
}

int onnx_input_ints(const onnx_call *k, int i, int room, int64_t *v)
{
	int n;
	const pim_node *in = k->in[i];
	pim_tensor t;
	if (in->type->n_parts || pim_dtype_is_float(in->type->dtype) || in->type->rank > 1) {
		onnx_fail(k, "input %d ('%s') is %s, expected a list of integers", i, k->node->input[i],
			pim_type_text(in->type, k->import->scratch));
		return -1;
	}
	if (in->type->elements > room) {
		onnx_fail(k, "input %d ('%s') has %lld elements, the most that make sense here is %d", i,
			k->node->input[i], (long long)in->type->elements, room);
		return -1;
	}
	if (pim_constant_ints(in, room, v, &n))
		return n;
	if (!onnx_input_tensor(k, i, &t))
		return -1;
	for (n = 0; n < t.type->elements; n++)
		v[n] = (int64_t)pim_element_get(t.type->dtype, t.data, n);
	return n;
}

bool onnx_input_number(const onnx_call *k, int i, double *v)
{
	const pim_node *in = k->in[i];
	pim_tensor t;
	if (in->type->n_parts || in->type->elements != 1)
		return onnx_fail(k, "input %d ('%s') is %s, expected one number", i, k->node->input[i],
			pim_type_text(in->type, k->import->scratch));
	if (onnx_is_known(in))
		*v = pim_element_get(in->type->dtype, pim_constant_data(in)->bytes, 0);
	else if (onnx_input_tensor(k, i, &t))
		*v = pim_element_get(in->type->dtype, t.data, 0);
	else
		return false;
	return true;
}

static bool sort_axes(const onnx_call *k, int n, int64_t *axes, int rank)
{
	for (int i = 0; i < n; i++) {
		if (!onnx_axis(k, &axes[i], rank))
			return false;
		for (int j = i; j > 0 && axes[j - 1] >= axes[j]; j--) {
			int64_t swap = axes[j];
			if (axes[j - 1] == axes[j])
				return onnx_fail(k, "axis %lld is given twice", (long long)axes[j]);
			axes[j] = axes[j - 1];
			axes[j - 1] = swap;
		}
	}
	return true;
}

int onnx_axes(const onnx_call *k, const char *name, int i, int rank, int64_t *axes)
{
	const int64_t *given;
	int n = onnx_ints(k, name, &given);
	if (n < 0 && i < k->n_in && k->in[i]) {
		n = onnx_input_ints(k, i, PIM_MAX_RANK, axes);
		if (n < 0)
			return -1;
	} else if (n < 0) {
		return -2;
	} else if (n > PIM_MAX_RANK) {
		onnx_fail(k, "%d axes are given, the most is %d", n, PIM_MAX_RANK);
		return -1;
	} else if (n) {
		memcpy(axes, given, sizeof *axes * (size_t)n);
	}
	return sort_axes(k, n, axes, rank) ? n : -1;
}
