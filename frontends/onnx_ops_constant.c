/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_constant - operators whose result is known at import.
 *
 * Shapes are static, so Shape and Size are numbers; ConstantOfShape is one value for all elements
 * and takes no memory, however large it is. */
#include <math.h>
#include <string.h>

#include "frontends/onnx.h"

/* A Range of more elements than this is refused. */
#define RANGE_ELEMENTS (INT64_C(1) << 24)

static bool give_tensor(onnx_call *k, const Onnx__TensorProto *t)
{
	const pim_type *type;
	pim_data data;
	if (!onnx_tensor_decode(k->import->file, t, k->at, k->import->module->arena, &type, &data))
		return false;
	if (data.kind == PIM_DATA_absent) {
		k->import->absent = k->import->n_absent++ ? k->import->absent : k->node->output[0];
	}
	return onnx_give(k, onnx_constant_node(k, type, &data));
}

/* Numbers of an attribute as a list, or as a scalar when rank is 0. */
static bool give_floats(onnx_call *k, int rank, size_t n, const float *v)
{
	int64_t dims[1] = {(int64_t)n};
	const pim_type *t = pim_type_tensor(k->import->context, PIM_DTYPE_f32, rank, dims);
	float *copy = PIM_NEW(k->import->module->arena, float, n + 1);
	if (n)
		memcpy(copy, v, sizeof *v * n);
	return onnx_give(
		k, onnx_constant_node(k, t, &(pim_data){.kind = PIM_DATA_dense, .bytes = copy}));
}

static bool give_int(onnx_call *k, int64_t v)
{
	const pim_type *t = pim_type_tensor(k->import->context, PIM_DTYPE_i64, 0, NULL);
	int64_t *copy = PIM_NEW(k->import->module->arena, int64_t, 1);
	*copy = v;
	return onnx_give(
		k, onnx_constant_node(k, t, &(pim_data){.kind = PIM_DATA_dense, .bytes = copy}));
}

bool onnx_convert_constant(onnx_call *k)
{
	const Onnx__AttributeProto *a;
	const char *form;
	if (k->node->n_attribute != 1)
		return onnx_fail(
			k, "%zu attributes are given, expected exactly one value", k->node->n_attribute);
	form = k->node->attribute[0]->name ? k->node->attribute[0]->name : "";
	a = onnx_attribute(k, form);
	if (!a)
		return onnx_fail(k, "the call does not give the value");
	if (!strcmp(form, "value") && a->t)
		return give_tensor(k, a->t);
	if (!strcmp(form, "value_int"))
		return give_int(k, a->i);
	if (!strcmp(form, "value_float"))
		return give_floats(k, 0, 1, &a->f);
	if (!strcmp(form, "value_ints"))
		return onnx_give(k, onnx_ints_node(k, (int)a->n_ints, a->ints));
	if (!strcmp(form, "value_floats"))
		return give_floats(k, 1, a->n_floats, a->floats);
	return onnx_fail(k, "a constant given as '%s' is not supported", form);
}

bool onnx_convert_constant_of_shape(onnx_call *k)
{
	static const float zero = 0;
	int64_t dims[PIM_MAX_RANK], elements = 1;
	int n = onnx_input_ints(k, 0, PIM_MAX_RANK, dims);
	const Onnx__AttributeProto *a = onnx_attribute(k, "value");
	const pim_type *one = pim_type_tensor(k->import->context, PIM_DTYPE_f32, 0, NULL);
	pim_data value = {.kind = PIM_DATA_splat, .bytes = &zero};
	if (n < 0)
		return false;
	for (int d = 0; d < n; d++)
		if (dims[d] < 0 || !pim_mul(elements, dims[d], &elements) || elements > PIM_MOST_BYTES / 16)
			return onnx_fail(k, "shape[%d] is %lld", d, (long long)dims[d]);
	if (a && a->t &&
		!onnx_tensor_decode(k->import->file, a->t, k->at, k->import->module->arena, &one, &value))
		return false;
	if (value.kind == PIM_DATA_absent || one->elements != 1)
		return onnx_fail(
			k, "value is %s, expected one element", pim_type_text(one, k->import->scratch));
	value.kind = PIM_DATA_splat;
	value.file = NULL;
	return onnx_give(
		k, onnx_constant_node(k, pim_type_tensor(k->import->context, one->dtype, n, dims), &value));
}

static int64_t bound(int64_t v, int rank)
{
	v = v < 0 ? v + rank : v;
	return v < 0 ? 0 : v > rank ? rank : v;
}

bool onnx_convert_shape(onnx_call *k)
{
	const pim_type *t = k->in[0]->type;
	int64_t start = bound(onnx_int(k, "start", 0), t->rank);
	int64_t end = bound(onnx_int(k, "end", t->rank), t->rank);
	return onnx_give(k, onnx_ints_node(k, end > start ? (int)(end - start) : 0, t->dims + start));
}

bool onnx_convert_size(onnx_call *k)
{
	return give_int(k, k->in[0]->type->elements);
}

bool onnx_convert_range(onnx_call *k)
{
	double v[3], count;
	pim_dtype t = k->in[0]->type->dtype;
	const pim_type *type;
	void *data;
	int64_t n;
	for (int i = 0; i < 3; i++)
		if (!onnx_input_number(k, i, &v[i]))
			return false;
	if (k->in[1]->type->dtype != t || k->in[2]->type->dtype != t)
		return onnx_fail(k, "start, limit and delta have different element types");
	count = v[2] == 0 ? NAN : ceil((v[1] - v[0]) / v[2]);
	if (!(count <= (double)RANGE_ELEMENTS))
		return onnx_fail(k, "from %g to %g by %g is not a range of at most %lld elements", v[0],
			v[1], v[2], (long long)RANGE_ELEMENTS);
	n = count < 0 ? 0 : (int64_t)count;
	type = pim_type_tensor(k->import->context, t, 1, &n);
	data = pim_arena_raw(k->import->module->arena, (size_t)n * pim_dtype_bytes(t) + 1);
	for (int64_t i = 0; i < n; i++)
		pim_element_set(t, data, i, v[0] + (double)i * v[2]);
	return onnx_give(
		k, onnx_constant_node(k, type, &(pim_data){.kind = PIM_DATA_dense, .bytes = data}));
}
