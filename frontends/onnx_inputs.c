/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_inputs - the inputs of an ONNX graph, with every size known.
 *
 * A size may be a name ("batch") or missing. It is then what --dim says, by that name or by
 * "INPUT[dim]", else what the tensors of --data have; nothing is guessed. */
#include <string.h>

#include "frontends/onnx.h"

typedef struct input_reader {
	onnx_import *x;
	int n;
	const Onnx__ValueInfoProto **infos;
	bool *dim_used; /* by option */
	bool ok;
} input_reader;

static void collect_inputs(input_reader *r, const onnx_scope *s)
{
	const Onnx__GraphProto *g = r->x->model->graph;
	r->infos = PIM_NEW(r->x->scratch, const Onnx__ValueInfoProto *, g->n_input + 1);
	for (size_t i = 0; i < g->n_input; i++) {
		const char *name = g->input[i]->name ? g->input[i]->name : "";
		if (!pim_map_get(s->constants, name, strlen(name)))
			r->infos[r->n++] = g->input[i];
	}
}

static const char *input_name(const Onnx__ValueInfoProto *v)
{
	return v->name ? v->name : "";
}

static bool load_data(input_reader *r)
{
	const pim_read_options *o = r->x->options;
	const char **names = PIM_NEW(r->x->scratch, const char *, r->n + 1);
	if (!o->data_dir || r->n == 0)
		return true;
	for (int i = 0; i < r->n; i++)
		names[i] = input_name(r->infos[i]);
	r->x->data = PIM_NEW(r->x->scratch, pim_named_tensor, r->n);
	return pim_tensors_read_dir(
		r->x->context, o->data_dir, "input", r->n, names, r->x->scratch, r->x->data);
}

/* The size that --dim gives the name, or -1. */
static int64_t option_size(input_reader *r, const char *name)
{
	const pim_read_options *o = r->x->options;
	int64_t size = -1;
	for (int i = 0; i < o->n_dims; i++)
		if (!strcmp(o->dims[i].name, name)) {
			r->dim_used[i] = true;
			size = o->dims[i].size;
		}
	return size;
}

/* Remembers what a symbolic size is. Where tensors disagree they are right, but the model is
 * strange. */
static void note_size(input_reader *r, const char *input, const char *symbol, int64_t size)
{
	pim_dim_binding *known = pim_map_get(r->x->sizes, symbol, strlen(symbol));
	if (known && known->size != size)
		pim_report(r->x->context, PIM_WARNING, pim_loc_name(r->x->context, input),
			"the data of input '%s' has %lld where '%s' stands, but '%s' is %lld elsewhere", input,
			(long long)size, symbol, symbol, (long long)known->size);
	if (known)
		return;
	known = PIM_NEW(r->x->scratch, pim_dim_binding, 1);
	*known = (pim_dim_binding){symbol, size};
	pim_map_put(r->x->sizes, symbol, strlen(symbol), known);
}

/* The size of dim d of input i; -1 after a diagnostic. */
static int64_t settle_dim(
	input_reader *r, int i, int d, const Onnx__TensorShapeProto__Dimension *dim)
{
	const char *input = input_name(r->infos[i]);
	bool is_named = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
					dim->dim_param && *dim->dim_param;
	const char *symbol =
		is_named ? dim->dim_param : pim_arena_printf(r->x->scratch, "%s[%d]", input, d);
	pim_loc at = pim_loc_name(r->x->context, input);
	int64_t size = -1;
	if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
		dim->dim_value > 0)
		return dim->dim_value;
	size = option_size(r, symbol);
	if (size < 0 && is_named)
		size = option_size(r, pim_arena_printf(r->x->scratch, "%s[%d]", input, d));
	if (size < 0 && r->x->data && r->x->data[i].tensor.type)
		size = r->x->data[i].tensor.type->dims[d];
	if (size >= 0) {
		note_size(r, input, symbol, size);
		return size;
	}
	pim_error(r->x->context, at, "dim %d%s%s%s of input '%s' has no size: give one, --dim %s=1", d,
		is_named ? " ('" : "", is_named ? symbol : "", is_named ? "')" : "", input, symbol);
	return -1;
}

/* The dtype of an input; PIM_DTYPE_COUNT after a diagnostic. */
static pim_dtype input_dtype(input_reader *r, const Onnx__ValueInfoProto *v, pim_loc at)
{
	const Onnx__TypeProto__Tensor *t;
	pim_dtype dtype;
	if (!v->type || v->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) {
		pim_error(r->x->context, at, "input '%s' is not a tensor", input_name(v));
		return PIM_DTYPE_COUNT;
	}
	t = v->type->tensor_type;
	dtype = onnx_dtype(t->elem_type);
	if (dtype == PIM_DTYPE_COUNT)
		pim_error(r->x->context, at,
			"input '%s' has element type %s (%d), which programs do not have", input_name(v),
			onnx_dtype_text(t->elem_type), (int)t->elem_type);
	return dtype;
}

static bool check_data_rank(input_reader *r, int i, size_t rank, pim_loc at)
{
	const pim_type *t = r->x->data ? r->x->data[i].tensor.type : NULL;
	if (!t || (size_t)t->rank == rank)
		return true;
	return pim_error(r->x->context, at, "input '%s' has %zu dims, but its data is %s",
		input_name(r->infos[i]), rank, pim_type_text(t, r->x->scratch));
}

/* The type of input i; NULL after diagnostics, one for each dim that is open. */
static const pim_type *input_type(input_reader *r, int i)
{
	const Onnx__ValueInfoProto *v = r->infos[i];
	pim_loc at = pim_loc_name(r->x->context, input_name(v));
	pim_dtype dtype = input_dtype(r, v, at);
	const Onnx__TensorShapeProto *shape;
	int64_t dims[PIM_MAX_RANK], elements = 1;
	bool ok = true;
	if (dtype == PIM_DTYPE_COUNT)
		return NULL;
	shape = v->type->tensor_type->shape;
	if (!shape && r->x->data && r->x->data[i].tensor.type)
		return pim_type_tensor(
			r->x->context, dtype, r->x->data[i].tensor.type->rank, r->x->data[i].tensor.type->dims);
	if (!shape || shape->n_dim > PIM_MAX_RANK) {
		pim_error(r->x->context, at,
			shape ? "input '%s' has more than %d dims"
				  : "input '%s' has no shape (0 to %d dims are possible): give its tensor with "
					"--data",
			input_name(v), PIM_MAX_RANK);
		return NULL;
	}
	if (!check_data_rank(r, i, shape->n_dim, at))
		return NULL;
	for (size_t d = 0; d < shape->n_dim; d++) {
		dims[d] = settle_dim(r, i, (int)d, shape->dim[d]);
		ok = ok && dims[d] >= 0;
		if (ok && (!pim_mul(elements, dims[d], &elements) || elements > PIM_MOST_BYTES / 16))
			ok = pim_error(
				r->x->context, at, "input '%s' has more elements than fit a memory", input_name(v));
	}
	return ok ? pim_type_tensor(r->x->context, dtype, (int)shape->n_dim, dims) : NULL;
}

static bool make_input(input_reader *r, int i, onnx_scope *s)
{
	const char *name = input_name(r->infos[i]);
	const pim_type *t = input_type(r, i);
	pim_loc at = pim_loc_name(r->x->context, name);
	if (pim_map_get(s->values, name, strlen(name)))
		return pim_error(r->x->context, at, "input '%s' is declared twice", name);
	if (t)
		pim_map_put(s->values, name, strlen(name), pim_input_make(r->x->graph, name, t, at));
	return t != NULL;
}

/* An option that names no size of the model is a mistake. */
static bool check_options(input_reader *r)
{
	const pim_read_options *o = r->x->options;
	bool ok = true;
	for (int i = 0; i < o->n_dims; i++)
		if (!r->dim_used[i])
			ok = pim_file_error(r->x->context, r->x->file->path,
				"--dim %s=%lld: no open size of an input has this name", o->dims[i].name,
				(long long)o->dims[i].size);
	return ok;
}

bool onnx_inputs_import(onnx_import *x, onnx_scope *s)
{
	input_reader r = {.x = x, .ok = true};
	r.dim_used = PIM_NEW(x->scratch, bool, x->options->n_dims + 1);
	x->sizes = pim_map_new(x->scratch);
	collect_inputs(&r, s);
	if (!load_data(&r))
		return false;
	for (int i = 0; i < r.n; i++)
		r.ok = make_input(&r, i, s) && r.ok;
	return check_options(&r) && r.ok;
}
