/* SPDX-License-Identifier: Apache-2.0 */
/* frontends/frontend.h - files in: networks and tensors.
 *
 * A frontend turns a file into a module and never changes one it has made. */
#ifndef PIM_FRONTENDS_FRONTEND_H
#define PIM_FRONTENDS_FRONTEND_H

#include "ir/ir.h"

typedef struct pim_dim_binding {
	const char *name;
	int64_t size;
} pim_dim_binding;

typedef struct pim_read_options {
	int n_dims;
	const pim_dim_binding *dims; /* --dim batch=1: sizes of symbolic dimensions */
	const char *data_dir; /* --data: sizes that are still open are those of input_*.pb; or NULL */
} pim_read_options;

/* A row of frontends.def. */
typedef struct pim_frontend {
	const char *name, *endings, *help; /* endings: "onnx pb", space separated */
	/* Is it mine? By the first bytes; the ending decides between several. */
	bool (*knows)(const char *path, const void *bytes, size_t n);
	/* bytes: the whole file, which lives as long as the context. */
	pim_module *(*read)(
		pim_context *c, const char *path, const void *bytes, size_t n, const pim_read_options *o);
} pim_frontend;
#define FRONTEND(name, endings, help)                                                              \
	bool pim_knows_##name(const char *path, const void *bytes, size_t n);                          \
	pim_module *pim_read_##name(                                                                   \
		pim_context *c, const char *path, const void *bytes, size_t n, const pim_read_options *o);
#include "frontends/frontends.def"
int pim_frontend_count(void);
const pim_frontend *pim_frontend_at(int i);

/* Finds the frontend and reads; "-" is standard input (text form or ONNX). NULL after diagnostics.
 */
pim_module *pim_frontend_read(pim_context *c, const char *path, const pim_read_options *o);

/* Writes a graph as an ONNX model; false after a diagnostic (onnx_write.c). */
bool pim_onnx_write(const pim_graph *g, FILE *out);

/* ---- tensors in files (tensor_pb.c, npy.c) ---- */

/* A named tensor; name may be "". data lives in the arena or is mapped. */
typedef struct pim_named_tensor {
	const char *name;
	pim_tensor tensor;
} pim_named_tensor;
bool pim_tensor_read_pb(pim_context *c, const char *path, pim_arena *a, pim_named_tensor *out);
bool pim_tensor_read_npy(pim_context *c, const char *path, pim_arena *a, pim_named_tensor *out);
bool pim_tensor_write_npy(pim_context *c, const char *path, const pim_tensor *t);
/* An archive of tensors by name, as numpy.savez makes it. */
bool pim_tensors_write_npz(
	pim_context *c, const char *path, int n, const char *const *names, const pim_tensor *t);
/* input_*.pb / output_*.pb, input_*.npy / output_*.npy, or inputs.npz / outputs.npz in a folder, by
 * number or by name; `what` is "input" or "output". The array is as long as `n`; a missing one has
 * a NULL type. */
bool pim_tensors_read_dir(pim_context *c, const char *dir, const char *what, int n,
	const char *const *names, pim_arena *a, pim_named_tensor *out);

#endif
