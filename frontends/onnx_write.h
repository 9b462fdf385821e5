/* SPDX-License-Identifier: Apache-2.0 */
/* frontends/onnx_write.h - the parts of the ONNX writer, for each other.
 *
 * onnx_write.c makes the message: values, constants, decisions. onnx_write_ops.c has one function
 * for each form that an op takes as ONNX operators. */
#ifndef PIM_FRONTENDS_ONNX_WRITE_H
#define PIM_FRONTENDS_ONNX_WRITE_H

#include "frontends/frontend.h"
#include "onnx-ml.pb-c.h"

typedef struct onnx_writer {
	pim_context *context;
	pim_arena *arena;
	const pim_graph *graph;
	const char **name; /* of values, by node id */
	pim_map *taken;
	int opset; /* what the graph needs */
	int n_nodes, room_nodes, n_tensors, room_tensors, n_made;
	Onnx__NodeProto **nodes;
	Onnx__TensorProto **tensors;
} onnx_writer;

/* The operator's node; its result is called `out`. */
Onnx__NodeProto *onnx_write_node(
	onnx_writer *w, const char *op_type, int n, const char *const *in, const char *out);
/* The same with a new name, which it gives. */
const char *onnx_write_value(onnx_writer *w, const char *op_type, int n, const char *const *in);
void onnx_write_output(onnx_writer *w, Onnx__NodeProto *n, const char *out);
const char *onnx_write_name(onnx_writer *w, const char *like); /* not taken */
void onnx_write_int(onnx_writer *w, Onnx__NodeProto *n, const char *name, int64_t v);
void onnx_write_float(onnx_writer *w, Onnx__NodeProto *n, const char *name, double v);
void onnx_write_string(onnx_writer *w, Onnx__NodeProto *n, const char *name, const char *v);
void onnx_write_floats(
	onnx_writer *w, Onnx__NodeProto *n, const char *name, int count, const double *v);
void onnx_write_strings(
	onnx_writer *w, Onnx__NodeProto *n, const char *name, int count, const char *const *v);
void onnx_write_ints(
	onnx_writer *w, Onnx__NodeProto *n, const char *name, int count, const int64_t *v);
/* Constants; they give their names. */
const char *onnx_write_tensor(
	onnx_writer *w, const char *name, pim_dtype t, int rank, const int64_t *dims, const void *data);
const char *onnx_write_list(onnx_writer *w, int n, const int64_t *v);
const char *onnx_write_number(onnx_writer *w, pim_dtype t, double v);
int32_t onnx_write_dtype(pim_dtype t);

/* The name of the value that n makes; a node of that result. */
const char *onnx_write_out(const onnx_writer *w, const pim_node *n);
Onnx__NodeProto *onnx_write_as(
	onnx_writer *w, const pim_node *n, const char *op_type, const char *const *in);

/* onnx_write_layers.c: as onnx_write_op, for one op. */
bool onnx_write_resize(onnx_writer *w, const pim_node *n, const char *const *in);
bool onnx_write_grid_sample(onnx_writer *w, const pim_node *n, const char *const *in);
bool onnx_write_roi(onnx_writer *w, const pim_node *n, const char *const *in);
bool onnx_write_recurrent(onnx_writer *w, const pim_node *n, const char *const *in);
/* Whether sizes with a policy for the aspect ratio say what a resize's scales are. */
bool onnx_resize_needs_policy(const pim_node *n);

/* onnx_ops_recurrent.c: whether an activation, by its op name of n characters, has a parameter
 * alpha (i = 0) or beta (1). */
bool onnx_activation_takes(const char *name, size_t n, int i);

/* onnx_write_ops.c: the operators for one op; false after a diagnostic. */
bool onnx_write_op(onnx_writer *w, const pim_node *n);
/* The oldest opset that has them. */
int onnx_write_needs(const pim_node *n);

#endif
