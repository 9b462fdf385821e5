/* SPDX-License-Identifier: Apache-2.0 */
/* frontends/onnx.h - the parts of the ONNX frontend, for each other.
 *
 * A file becomes a skeleton without payloads (onnx_payload.c), the skeleton a message (protobuf-c),
 * its tensors types and elements (onnx_tensor.c), its nodes calls of the converters that the table
 * onnx_ops.def names (onnx_graph.c, onnx_ops*.c). */
#ifndef PIM_FRONTENDS_ONNX_H
#define PIM_FRONTENDS_ONNX_H

#include "frontends/frontend.h"
#include "onnx-ml.pb-c.h"

/* ---- onnx_payload.c ---- */

/* Where elements stand in the file: what the skeleton holds as 16 bytes of raw_data. field is the
 * number of the TensorProto field they came from: 4 float_data, 9 raw_data, 10 double_data. */
typedef struct onnx_payload {
	uint64_t offset, bytes;
	int field;
} onnx_payload;

typedef enum onnx_message {
	ONNX_MESSAGE_none,
	ONNX_MESSAGE_model,
	ONNX_MESSAGE_graph,
	ONNX_MESSAGE_node,
	ONNX_MESSAGE_attribute,
	ONNX_MESSAGE_tensor,
	ONNX_MESSAGE_sparse,
	ONNX_MESSAGE_value_info,
	ONNX_MESSAGE_type,
	ONNX_MESSAGE_nested_type,
	ONNX_MESSAGE_function,
	ONNX_MESSAGE_dropped,
} onnx_message;

/* A mapped file of messages. */
typedef struct onnx_file {
	pim_context *context;
	const char *path;
	const char *name; /* as the text form names it: without its folder */
	const uint8_t *bytes;
	size_t size;
} onnx_file;

/* The message at the root of the file, each payload replaced by its reference. False after a
 * diagnostic with the byte offset. The text is from malloc. */
bool onnx_payload_skeleton(const onnx_file *f, onnx_message root, pim_text *out);
/* False when the tensor's raw_data is no reference. */
bool onnx_payload_get(const Onnx__TensorProto *t, onnx_payload *p);

/* ---- onnx_tensor.c ---- */

/* An allocator for protobuf-c that takes from an arena. */
ProtobufCAllocator onnx_arena_allocator(pim_arena *a);
/* PIM_DTYPE_COUNT for element types that programs do not have. */
pim_dtype onnx_dtype(int32_t data_type);
const char *onnx_dtype_text(int32_t data_type);
/* Type and elements of a tensor. Small ones and varints are decoded into the arena, the rest stays
 * where it is. An external file that does not exist gives absent elements. False after a diagnostic
 * at `at`. */
bool onnx_tensor_decode(const onnx_file *f, const Onnx__TensorProto *t, pim_loc at, pim_arena *a,
	const pim_type **type, pim_data *data);

/* ---- onnx_graph.c ---- */

typedef struct onnx_import onnx_import;

/* An initializer; its node is made when it is first read. */
typedef struct onnx_constant {
	const pim_type *type;
	pim_data *data;
} onnx_constant;

/* Names of one graph or of one function body. */
typedef struct onnx_scope {
	pim_map *values;			   /* name to pim_node */
	pim_map *constants;			   /* name to onnx_constant */
	const Onnx__NodeProto *caller; /* of a function: gives ref_attr_name its value */
	const struct onnx_scope *outer;
	struct onnx_scope *around; /* of a body: whose values it sees */
	pim_loc at;				   /* of the call */
	size_t n_opsets;
	Onnx__OperatorSetIdProto **opsets;
} onnx_scope;

struct onnx_import {
	pim_context *context;
	pim_module *module;
	pim_graph *graph;
	pim_arena *scratch;
	const onnx_file *file;
	const Onnx__ModelProto *model;
	const pim_read_options *options;
	pim_map *declared; /* name to Onnx__TypeProto: what the model says of its values */
	pim_map *sizes;	   /* name of a symbolic dim to pim_dim_binding */
	pim_node *failed;  /* stands for values whose node was refused: their readers stay silent */
	pim_node
		*unmade; /* stands for optional results that are not computed: reading one is an error */
	pim_named_tensor *data; /* of --data, by input of the graph; NULL without */
	pim_map *definitions;	/* domain:operator to rows and functions */
	pim_map *known;			/* node to pim_tensor: values computed at import */
	int index;				/* of the node, for those without a name */
	int depth;				/* of function calls */
	bool elsewhere;			/* rows of other opsets and domains do: to find what else is wrong */
	int n_absent;
	const char *absent; /* first constant without elements */
};

/* Fills module with the model's graph; false after diagnostics. */
bool onnx_graph_import(onnx_import *x);
/* What the model states of a value, against what it is: false after a diagnostic that names both.
 */
bool onnx_check_declared(const onnx_import *x, const char *name, const pim_node *n, pim_loc at);

/* ---- onnx_inputs.c ---- */

/* Makes the graph's inputs: those without an initializer. */
bool onnx_inputs_import(onnx_import *x, onnx_scope *s);

/* The local function that defines the operator; NULL when there is none. */
const Onnx__FunctionProto *onnx_function_find(const onnx_import *x, const Onnx__NodeProto *n);
/* The opset version of a domain; 0 when it is not imported. */
int64_t onnx_opset(const onnx_scope *s, const char *domain);

/* ---- onnx_table.c: rows, the report of what is not supported, attributes ---- */

/* One ONNX node on its way: inputs (NULL: absent), results to be filled in. */
typedef struct onnx_call {
	onnx_import *import;
	onnx_scope *scope;
	const Onnx__NodeProto *node;
	const struct onnx_row *row;
	pim_loc at;
	int64_t opset;
	int n_in, n_out;
	pim_node **in, **out;
} onnx_call;

typedef bool onnx_converter(onnx_call *k);
/* A row of onnx_ops.def; several rows of one operator cover different opsets. */
typedef struct onnx_row {
	const char *op_type, *domain;
	int first, last;		/* opset versions */
	int fewest, most, outs; /* inputs (most -1: any number) and results */
	onnx_converter *convert;
	pim_op op;
} onnx_row;

/* The newest opset whose changes the rows were checked against. */
#define ONNX_NEWEST_OPSET 27

/* Fills x->definitions. */
void onnx_table_open(onnx_import *x);
const onnx_row *onnx_row_find(
	const onnx_import *x, const char *op_type, const char *domain, int64_t opset);
/* Reports every operator of the model that no row covers, each once; true when there is none. */
bool onnx_check_supported(onnx_import *x, const onnx_scope *s);
/* The place of a node: its name, or OpType#index. */
pim_loc onnx_node_loc(pim_context *c, const Onnx__NodeProto *n, int index);

/* Warns of attributes that no operator has: misspelt ones would be ignored in silence. */
void onnx_check_attributes(const onnx_call *k);
const Onnx__AttributeProto *onnx_attribute(const onnx_call *k, const char *name);
int64_t onnx_int(const onnx_call *k, const char *name, int64_t init);
double onnx_float(const onnx_call *k, const char *name, double init);
const char *onnx_string(const onnx_call *k, const char *name, const char *init);
/* How many; -1 when it is absent. */
int onnx_ints(const onnx_call *k, const char *name, const int64_t **v);
/* Is result i of the node read by anyone? */
bool onnx_is_wanted(const onnx_call *k, int i);
bool onnx_fail(const onnx_call *k, const char *format, ...) PIM_PRINTF(2, 3);

/* ---- onnx_build.c: nodes from converters; NULL inputs give NULL, so that calls nest ---- */

pim_node *onnx_make(
	onnx_call *k, pim_op op, int n, pim_node *const *in, int n_attrs, const pim_attr *attrs);
pim_node *onnx_make1(onnx_call *k, pim_op op, pim_node *a);
pim_node *onnx_make2(onnx_call *k, pim_op op, pim_node *a, pim_node *b);
pim_node *onnx_reshape(onnx_call *k, pim_node *a, int rank, const int64_t *dims);
pim_node *onnx_transpose(onnx_call *k, pim_node *a, const int64_t *perm);
pim_node *onnx_expand(onnx_call *k, pim_node *a, int rank, const int64_t *dims);
pim_node *onnx_slice(
	onnx_call *k, pim_node *a, const int64_t *starts, const int64_t *sizes, const int64_t *steps);
pim_node *onnx_reduce(
	onnx_call *k, pim_op op, pim_node *a, int n, const int64_t *axes, int64_t keepdims);
pim_node *onnx_cast(onnx_call *k, pim_node *a, pim_dtype to);
/* A scalar constant of the element type of `like`. */
pim_node *onnx_scalar(onnx_call *k, const pim_node *like, double v);
pim_node *onnx_constant_node(onnx_call *k, const pim_type *t, const pim_data *d);
/* A constant of numbers, rounded to the element type. */
pim_node *onnx_numbers(onnx_call *k, pim_dtype t, int rank, const int64_t *dims, const double *v);
/* One number for all elements. */
pim_node *onnx_splat(onnx_call *k, pim_dtype t, int rank, const int64_t *dims, double v);
/* 0, 1, ... n-1 */
pim_node *onnx_iota(onnx_call *k, pim_dtype t, int64_t n);
pim_node *onnx_where(onnx_call *k, pim_node *c, pim_node *a, pim_node *b);
pim_node *onnx_matmul(onnx_call *k, pim_node *a, pim_node *b, bool transpose_b);
pim_node *onnx_concat(onnx_call *k, int n, pim_node *const *parts, int axis);
/* start : start + size of one dim. */
pim_node *onnx_part(onnx_call *k, pim_node *a, int dim, int64_t start, int64_t size);
pim_node *onnx_unary(onnx_call *k, pim_op op, pim_node *a, int n, const pim_attr *attrs);
pim_node *onnx_softmax(onnx_call *k, pim_node *a, int64_t axis);
/* i64 constant of one dimension. */
pim_node *onnx_ints_node(onnx_call *k, int n, const int64_t *v);

pim_attr onnx_attr_int(const char *name, int64_t v);
pim_attr onnx_attr_float(const char *name, double v);
pim_attr onnx_attr_string(const char *name, const char *v);
pim_attr onnx_attr_floats(const char *name, int n, const double *v);
pim_attr onnx_attr_ints(const char *name, int n, const int64_t *v);

/* Result 0; false when the node is NULL. */
bool onnx_give(onnx_call *k, pim_node *n);
/* An axis counted from the end made positive; false after a diagnostic unless 0 <= axis < limit. */
bool onnx_axis(const onnx_call *k, int64_t *axis, int limit);
/* Is it a constant with elements? */
bool onnx_is_known(const pim_node *n);
/* The value of a node that depends only on constants and on inputs that --data gives; false when it
 * depends on more. The remark names the inputs that are settled so. */
bool onnx_known(const onnx_call *k, const pim_node *n, pim_tensor *t);
/* The value of input i, which must be known at import; false after a diagnostic. */
bool onnx_input_tensor(const onnx_call *k, int i, pim_tensor *t);
/* The integers of input i, which must be known at import: at most `room`. -1 after a diagnostic. */
int onnx_input_ints(const onnx_call *k, int i, int room, int64_t *v);
/* The one number of input i; false after a diagnostic. */
bool onnx_input_number(const onnx_call *k, int i, double *v);
/* Attribute `name`, or input i in the versions that have it there; ascending and not negative,
 * checked against `rank`. The number of axes; -1 after a diagnostic, -2 when there are none. */
int onnx_axes(const onnx_call *k, const char *name, int i, int rank, int64_t *axes);

/* Bodies of control flow (onnx_graph.c). open: a scope with the body's own constants, for all runs
 * of it. run: the body's nodes once more, on one node for each of its inputs; out has room for its
 * results. */
bool onnx_body_open(onnx_call *k, const Onnx__GraphProto *g, onnx_scope *s);
bool onnx_body_run(
	onnx_call *k, onnx_scope *s, const Onnx__GraphProto *g, pim_node *const *in, pim_node **out);

/* The integer convolution of inputs 0 and 1 (onnx_ops_window.c). */
pim_node *onnx_conv_integer(onnx_call *k, int64_t x_zero, int64_t w_zero);

/* ---- onnx_ops*.c: the converters that the rows name ---- */

#define ONNX_IN(domain, op_type, first, last, fewest, most, outs, converter, op)                   \
	bool onnx_convert_##converter(onnx_call *k);
#include "frontends/onnx_ops.def"

#endif
