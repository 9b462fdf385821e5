/* SPDX-License-Identifier: Apache-2.0 */
/* pim.h - the public interface of pimopt: programs, passes, machines.
 *
 * This header needs libc only. Objects live in arenas: a node lives as long as
 * its module, what a pass allocates from its job lives until the pass returns,
 * and nothing is freed one by one. Strings given to a function are copied;
 * strings and arrays a function returns are borrowed from the object asked.
 * A function that can fail on a user's mistake reports a diagnostic and returns
 * false or NULL. Nothing here prints, and nothing exits. */
#ifndef PIM_PIM_H
#define PIM_PIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PIM_API __attribute__((visibility("default")))
#define PIM_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define PIM_API
#define PIM_PRINTF(f, a)
#endif

/* Version of the binary interface; a plugin states the one it was built for. */
#define PIM_ABI 1
#define PIM_MAX_RANK 8

typedef struct pim_context pim_context; /* a session: diagnostics, types, tables */
typedef struct pim_module pim_module;   /* what a file holds: one or more graphs */
typedef struct pim_graph pim_graph;     /* one network: nodes, inputs before users */
typedef struct pim_node pim_node;       /* an op and the one value it makes */
typedef struct pim_arena pim_arena;     /* memory that is freed all at once */
typedef struct pim_job pim_job;         /* what one run of one pass is given */

/* Element types: name, bytes an element takes in memory (i4 and u4 are stored one
 * to a byte), class (F float, I signed, U unsigned). The one list of them. */
#define PIM_DTYPES(X)                                                          \
	X(f64, 8, F)                                                           \
	X(f32, 4, F)                                                           \
	X(f16, 2, F)                                                           \
	X(bf16, 2, F)                                                          \
	X(i64, 8, I)                                                           \
	X(i32, 4, I)                                                           \
	X(i16, 2, I)                                                           \
	X(i8, 1, I)                                                            \
	X(i4, 1, I)                                                            \
	X(u64, 8, U)                                                           \
	X(u32, 4, U)                                                           \
	X(u16, 2, U)                                                           \
	X(u8, 1, U)                                                            \
	X(bool, 1, U)                                                          \
	X(u4, 1, U)

typedef enum pim_dtype {
#define PIM_DTYPE_ENUM(name, bytes, class) PIM_DTYPE_##name,
	PIM_DTYPES(PIM_DTYPE_ENUM)
#undef PIM_DTYPE_ENUM
	PIM_DTYPE_COUNT
} pim_dtype;

PIM_API const char *pim_dtype_name(pim_dtype t);
/* Bytes one element takes in memory. */
PIM_API size_t pim_dtype_bytes(pim_dtype t);
/* PIM_DTYPE_COUNT when no element type has that name. */
PIM_API pim_dtype pim_dtype_find(const char *name);

/* A type is interned: two equal types of one context are one pointer.
 * n_parts > 0 means a tuple of parts; else a tensor of dtype and dims. */
typedef struct pim_type pim_type;
struct pim_type {
	pim_dtype dtype;
	int rank;
	int n_parts;
	int64_t elements;
	const int64_t *dims;
	const pim_type *const *parts;
};

PIM_API const pim_type *pim_type_tensor(pim_context *c, pim_dtype t, int rank, const int64_t *dims);
PIM_API const pim_type *pim_type_tuple(pim_context *c, int n, const pim_type *const *parts);

/* ---- session and diagnostics (ir/context.c, ir/diag.c) ---- */

typedef enum pim_severity { PIM_ERROR, PIM_WARNING, PIM_NOTE, PIM_REMARK } pim_severity;

/* A message. file is NULL when the place is not in a file; line and column
 * count from 1, 0 when unknown. source is the line of text, or NULL. */
typedef struct pim_diag {
	pim_severity severity;
	const char *file;
	int line, column;
	const char *source;
	const char *message;
} pim_diag;

typedef void pim_diag_handler(void *user, const pim_diag *d);

PIM_API pim_context *pim_context_new(void);
/* Frees every module of the session too. */
PIM_API void pim_context_free(pim_context *c);
/* Until this is called messages are counted and dropped. */
PIM_API void pim_context_on_diag(pim_context *c, pim_diag_handler *f, void *user);
PIM_API int pim_context_errors(const pim_context *c);
PIM_API const char *pim_version(void);

/* Report about a node; always returns false, so that a pass can return it. */
PIM_API bool pim_node_error(const pim_node *n, const char *format, ...) PIM_PRINTF(2, 3);
PIM_API void pim_node_note(const pim_node *n, pim_severity s, const char *format, ...) PIM_PRINTF(3, 4);

/* ---- memory ---- */

PIM_API pim_arena *pim_arena_new(void);
PIM_API void pim_arena_free(pim_arena *a);
/* Zeroed memory, aligned for any type; never NULL. */
PIM_API void *pim_arena_alloc(pim_arena *a, size_t bytes);
PIM_API char *pim_arena_printf(pim_arena *a, const char *format, ...) PIM_PRINTF(2, 3);

/* ---- modules and graphs (ir/graph.c, ir/parse.c, ir/print.c) ---- */

/* Reads a file by the frontend that knows it (text form, ONNX, ...). NULL after errors. */
PIM_API pim_module *pim_module_read(pim_context *c, const char *path);
/* Parses the text form; name is used in messages. NULL after errors. */
PIM_API pim_module *pim_module_parse(pim_context *c, const char *name, const char *text, size_t bytes);
/* The text form, NUL-terminated, from malloc: the caller frees it. */
PIM_API char *pim_module_print(const pim_module *m);
PIM_API pim_module *pim_module_new(pim_context *c);
PIM_API int pim_module_graph_count(const pim_module *m);
PIM_API pim_graph *pim_module_graph(const pim_module *m, int i);

PIM_API pim_graph *pim_graph_new(pim_module *m, const char *name);
PIM_API const char *pim_graph_name(const pim_graph *g);
PIM_API pim_context *pim_graph_context(const pim_graph *g);
/* Nodes in order; every input of a node stands before it. */
PIM_API pim_node *pim_graph_first(const pim_graph *g);
PIM_API pim_node *pim_node_next(const pim_node *n);
PIM_API pim_node *pim_node_prev(const pim_node *n);
PIM_API int pim_graph_result_count(const pim_graph *g);
PIM_API pim_node *pim_graph_result(const pim_graph *g, int i);
PIM_API void pim_graph_add_result(pim_graph *g, pim_node *n);
/* One more than the largest node id: the size of an array indexed by id. */
PIM_API int pim_graph_id_limit(const pim_graph *g);
/* True if every rule of the program and of its decisions holds; else reports all violations. */
PIM_API bool pim_graph_verify(pim_graph *g);

/* ---- nodes (ir/graph.c) ---- */

PIM_API int pim_node_id(const pim_node *n);
PIM_API const char *pim_node_op(const pim_node *n);
PIM_API bool pim_node_is(const pim_node *n, const char *op);
PIM_API const pim_type *pim_node_type(const pim_node *n);
PIM_API int pim_node_input_count(const pim_node *n);
/* NULL for an optional input that is absent. */
PIM_API pim_node *pim_node_input(const pim_node *n, int i);

/* Makes `op inputs` before node `before` (NULL: at the end). Give the attributes
 * next, then call pim_node_infer. NULL after an error (unknown op, wrong number of inputs). */
PIM_API pim_node *pim_node_new(pim_graph *g, const char *op, int n, pim_node *const *in, pim_node *before);
/* Computes the type from inputs and attributes; false after an error. */
PIM_API bool pim_node_infer(pim_node *n);
PIM_API pim_node *pim_input_new(pim_graph *g, const char *name, const pim_type *t);
/* Copies elements; data holds t->elements elements in row-major order. */
PIM_API pim_node *pim_constant_new(pim_graph *g, const pim_type *t, const void *data, pim_node *before);

PIM_API void pim_node_set_int(pim_node *n, const char *name, int64_t v);
PIM_API void pim_node_set_float(pim_node *n, const char *name, double v);
PIM_API void pim_node_set_string(pim_node *n, const char *name, const char *v);
PIM_API void pim_node_set_ints(pim_node *n, const char *name, int count, const int64_t *v);
/* The attribute, or the default the op's table row states. */
PIM_API int64_t pim_node_int(const pim_node *n, const char *name);
PIM_API double pim_node_float(const pim_node *n, const char *name);
PIM_API const char *pim_node_string(const pim_node *n, const char *name);
PIM_API int pim_node_ints(const pim_node *n, const char *name, const int64_t **v);

/* Every user of `old` (and the graph's results) uses `by` instead; `old` stays, unused.
 * `by` inherits the places of `old`, and its name if it has none of its own.
 * Costs one walk over the graph; to replace many use pim_replacer. */
PIM_API void pim_node_replace(pim_node *old, pim_node *by);
/* Takes an unused node out of its graph. */
PIM_API void pim_node_remove(pim_node *n);

/* Many replacements, one walk: note each, then apply once. */
typedef struct pim_replacer pim_replacer;
PIM_API pim_replacer *pim_replacer_new(pim_graph *g, pim_arena *scratch);
PIM_API void pim_replacer_note(pim_replacer *r, pim_node *old, pim_node *by);
/* What stands for n now: n itself, or what it was replaced by. */
PIM_API pim_node *pim_replacer_find(pim_replacer *r, pim_node *n);
PIM_API void pim_replacer_apply(pim_replacer *r);

/* Users of every node, computed when asked: valid until the graph changes. */
typedef struct pim_users pim_users;
PIM_API pim_users *pim_users_new(pim_graph *g, pim_arena *scratch);
PIM_API int pim_users_count(const pim_users *u, const pim_node *n);
PIM_API pim_node *pim_users_at(const pim_users *u, const pim_node *n, int i);

/* ---- passes (passes/pass.c) ---- */

PIM_API pim_graph *pim_job_graph(const pim_job *j);
/* Memory that is freed when the pass returns. */
PIM_API pim_arena *pim_job_arena(const pim_job *j);
/* The option as the user gave it, or its default from the row. */
PIM_API int64_t pim_job_int(const pim_job *j, const char *option);
PIM_API double pim_job_float(const pim_job *j, const char *option);
PIM_API const char *pim_job_string(const pim_job *j, const char *option);
/* Adds to a statistic that the row declares. */
PIM_API void pim_job_count(pim_job *j, const char *statistic, double amount);

typedef bool pim_pass_function(pim_graph *g, pim_job *j);

/* An option or a statistic of a pass: kind is "int", "float", "string", "time" (seconds)
 * or "count"; init is the default as text, NULL for a statistic. */
typedef struct pim_pass_field {
	const char *name, *kind, *init, *help;
} pim_pass_field;

/* A row of the pass table. Facts are bit sets of PIM_FACT_*. fields ends with a NULL name. */
typedef struct pim_pass {
	const char *name;
	unsigned needs, gives, breaks;
	const char *help;
	pim_pass_function *run;
	const pim_pass_field *fields;
} pim_pass;

/* Facts a program can have; each has one verifier. name, what it means. */
#define PIM_FACTS(X)                                                           \
	X(shaped, "every node has the type its op's rule gives")               \
	X(split, "ops are grouped in branch sets")                             \
	X(laid_out, "every value has a layout that its op can make in pieces") \
	X(mapped, "every op has a loop nest that fits its unit")               \
	X(scheduled, "every op has a start, a duration and a number of units") \
	X(placed, "every slice of every op has a unit")                        \
	X(lowered, "command code exists")

enum {
#define PIM_FACT_ENUM(name, what) PIM_FACT_BIT_##name,
	PIM_FACTS(PIM_FACT_ENUM)
#undef PIM_FACT_ENUM
	PIM_FACT_COUNT
};
enum {
#define PIM_FACT_MASK(name, what) PIM_FACT_##name = 1u << PIM_FACT_BIT_##name,
	PIM_FACTS(PIM_FACT_MASK)
#undef PIM_FACT_MASK
};

/* Runs a pipeline, as in --pass-pipeline: "canonicalize,split-branches{grain=heads}".
 * target is a built-in name, a .yaml file, or NULL. */
PIM_API bool pim_run(pim_module *m, const char *pipeline, const char *target);

/* A plugin is a shared object that defines pim_plugin_get. passes ends with a NULL name. */
typedef struct pim_plugin {
	int abi; /* PIM_ABI */
	const char *name;
	const pim_pass *passes;
} pim_plugin;
PIM_API const pim_plugin *pim_plugin_get(void);
/* Registers the rows of a plugin with the session; false after a diagnostic. */
PIM_API bool pim_context_add_plugin(pim_context *c, const pim_plugin *p);

/* ---- evaluation (ir/eval.c) ---- */

/* A tensor in memory, row-major, in the type's own element representation. */
typedef struct pim_tensor {
	const pim_type *type;
	void *data;
} pim_tensor;

/* Evaluates the graph on the host. in: one tensor per input; out: one per result,
 * data allocated from `arena`. False after an error (constant without data, wrong type). */
PIM_API bool pim_graph_eval(pim_graph *g, const pim_tensor *in, pim_tensor *out, pim_arena *arena);

#ifdef __cplusplus
}
#endif
#endif
