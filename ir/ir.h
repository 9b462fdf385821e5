/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ir.h - what a program is: the bodies behind pim.h, for this project's own folders.
 *
 * Passes read fields directly; users of the library call functions. Lifetimes: everything
 * that belongs to a module is in the module's arena, interned types and strings in the
 * context's, and what one call needs in a scratch arena that the caller gives. */
#ifndef PIM_IR_IR_H
#define PIM_IR_IR_H

#include <stdarg.h>
#include <stdio.h>

#include "pim/pim.h"

/* ---- arena.c: memory with one lifetime; aborts in one line when there is no more ---- */

/* As pim_arena_alloc, but not zeroed. */
void *pim_arena_raw(pim_arena *a, size_t bytes);
char *pim_arena_copy(pim_arena *a, const char *s, size_t n); /* NUL-terminated */
size_t pim_arena_bytes(const pim_arena *a);
/* Room for one more behind the n elements of `size` bytes that `list` has; *room doubles where that is needed.
 * The old list stays. On the heap: array.h. */
void *pim_arena_grow(pim_arena *a, void *list, int n, int *room, size_t size);
/* As pim_arena_printf, of arguments that are there. */
char *pim_arena_vprintf(pim_arena *a, const char *format, va_list ap) PIM_PRINTF(2, 0);
/* Has `free_data(data)` called when the arena is freed (unmap, dlclose, ...). */
void pim_arena_defer(pim_arena *a, void (*free_data)(void *), void *data);
#define PIM_NEW(arena, type, n) ((type *)pim_arena_alloc((arena), sizeof(type) * (size_t)(n)))

/* Our own mistake: says the place and aborts. */
_Noreturn void pim_bug_at(const char *file, int line, const char *format, ...) PIM_PRINTF(3, 4);
#define PIM_BUG(...) pim_bug_at(__FILE__, __LINE__, __VA_ARGS__)

/* a divided by b > 0, rounded up or down; the larger and the smaller of two. */
static inline int64_t pim_divide_up(int64_t a, int64_t b) { return a / b + (a % b > 0); }
static inline int64_t pim_divide_down(int64_t a, int64_t b) { return a / b - (a % b < 0); }
static inline int64_t pim_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t pim_min(int64_t a, int64_t b) { return a < b ? a : b; }

/* a * b and a + b on sizes from files: false when the result does not fit. */
static inline bool pim_mul(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool pim_add(int64_t a, int64_t b, int64_t *out) { return !__builtin_add_overflow(a, b, out); }
/* Of what is not negative: the largest value where the result does not fit; absurd shapes cost absurdly much. */
static inline int64_t pim_times(int64_t a, int64_t b) { return pim_mul(a, b, &a) ? a : INT64_MAX; }
static inline int64_t pim_plus(int64_t a, int64_t b) { return pim_add(a, b, &a) ? a : INT64_MAX; }

/* Seconds since some moment before the process began, by a clock that nobody sets. */
double pim_seconds_now(void);

/* ---- text.c: growing text ---- */

typedef struct pim_text {
	char *s; /* NUL-terminated once anything was added; from malloc */
	size_t n, room;
	FILE *sink; /* when set, text goes there whenever it has grown past 1 MiB */
} pim_text;

void pim_text_add(pim_text *t, const char *s, size_t n);
void pim_text_str(pim_text *t, const char *s);
void pim_text_printf(pim_text *t, const char *format, ...) PIM_PRINTF(2, 3);
void pim_text_vprintf(pim_text *t, const char *format, va_list ap) PIM_PRINTF(2, 0);
void pim_text_int(pim_text *t, int64_t v);
/* Shortest decimal that reads back as the same double; always has a '.', an 'e', inf or nan. */
void pim_text_float(pim_text *t, double v);
/* As pim_text_float, for a value that is read back as float. */
void pim_text_single(pim_text *t, float v);
/* With quotes; escapes quote, backslash and control bytes. */
void pim_text_quoted(pim_text *t, const char *s);
bool pim_text_flush(pim_text *t); /* to the sink; false when writing failed */
void pim_text_free(pim_text *t);
/* The text in the arena; t is empty then. */
char *pim_text_keep(pim_text *t, pim_arena *a);
/* Reads a decimal number as strtod does, fast and independent of the locale;
 * returns the first byte after it, s itself when there is none. */
const char *pim_read_float(const char *s, const char *end, double *v);

/* ---- map.c: the only user of uthash: bytes to pointer ---- */

typedef struct pim_map pim_map;
pim_map *pim_map_new(pim_arena *a); /* keys are copied into a; freed with it */
void *pim_map_get(const pim_map *m, const void *key, size_t n);
/* The old value, NULL if there was none. */
void *pim_map_put(pim_map *m, const void *key, size_t n, void *value);
size_t pim_map_count(const pim_map *m);
/* The map's own NUL-terminated copy of the key, added (value NULL) when it was not there. */
const char *pim_map_key(pim_map *m, const void *key, size_t n, void ***value);

/* ---- context.c ---- */

/* Where something came from: a source and a byte offset in it. source 0: unknown. */
typedef struct pim_loc {
	uint32_t source, offset;
} pim_loc;

typedef enum pim_source_kind { PIM_SOURCE_text, PIM_SOURCE_name, PIM_SOURCE_merged } pim_source_kind;
typedef struct pim_source {
	pim_source_kind kind;
	const char *name; /* text: path; name: the author's name of the op */
	const char *text; /* text: the bytes, which live as long as the context */
	size_t bytes;
	int n_parts; /* merged: the places joined, none of them merged itself */
	pim_loc *parts;
} pim_source;

struct pim_context {
	pim_arena *arena;
	pim_diag_handler *on_diag;
	void *on_diag_user;
	/* Told of a temporary file when it is made, and when it is gone or renamed; may be NULL. */
	void (*on_unfinished)(void *user, const char *path, bool unfinished);
	void *on_unfinished_user;
	bool told_absent;        /* that constants have no elements */
	int errors, error_limit; /* after error_limit (20) errors the rest are counted, not reported */
	pim_map *strings, *types, *names; /* interned strings, types; name sources */
	int n_sources, room_sources;
	pim_source *sources;
	int n_modules, room_modules;
	pim_module **modules;
	int n_plugins, room_plugins;
	const pim_plugin **plugins;
	pim_map *files; /* mapped files (pim_file) by path */
	struct pim_file *mapped; /* the same, the latest first */
	int n_passes; /* rows of passes.def with the names users write; made when first asked for */
	const pim_pass *passes;
};

const char *pim_intern(pim_context *c, const char *s, size_t n);
/* Registers text that the context keeps but does not copy. */
uint32_t pim_source_text(pim_context *c, const char *name, const char *text, size_t bytes);
pim_loc pim_loc_name(pim_context *c, const char *name);
pim_loc pim_loc_merge(pim_context *c, pim_loc a, pim_loc b); /* keeps every place once */

/* ---- diag.c ---- */

bool pim_error(pim_context *c, pim_loc at, const char *format, ...) PIM_PRINTF(3, 4); /* always false */
void pim_report(pim_context *c, pim_severity s, pim_loc at, const char *format, ...) PIM_PRINTF(4, 5);
void pim_vreport(pim_context *c, pim_severity s, pim_loc at, const char *format, va_list ap);
/* A message about a whole file, or the command line (file NULL). */
bool pim_file_error(pim_context *c, const char *file, const char *format, ...) PIM_PRINTF(3, 4);
/* The place as a person reads it: file:line:col, "name", or "?". */
char *pim_loc_text(const pim_context *c, pim_loc at, pim_arena *a);
/* `file:line:col: error: ...` with source line and caret; lines over 100 bytes are cut to a window. */
void pim_diag_print(const pim_diag *d, FILE *out, bool colour);
/* One JSON object on one line. */
void pim_diag_json(const pim_diag *d, FILE *out);
/* The name nearest to `wanted` by edit distance, NULL when none is near. */
const char *pim_nearest(const char *wanted, int n, const char *const *names);

/* ---- types.c ---- */

/* Of one value: the bytes of all that an op reads, with a factor for copies, can be added up. */
#define PIM_MOST_BYTES (INT64_C(1) << 56)
const char *pim_type_text(const pim_type *t, pim_arena *a); /* f32[1,3,224,224] */
void pim_type_print(pim_text *out, const pim_type *t);
bool pim_dtype_is_float(pim_dtype t);
bool pim_dtype_is_signed(pim_dtype t);
int64_t pim_type_bytes(const pim_type *t);
/* Tensors with the same dims; their element types may differ. */
bool pim_type_same_dims(const pim_type *a, const pim_type *b);
/* Row-major strides in elements. */
void pim_type_strides(const pim_type *t, int64_t strides[PIM_MAX_RANK]);

/* ---- attributes ---- */

typedef enum pim_attr_kind { PIM_ATTR_int, PIM_ATTR_float, PIM_ATTR_string, PIM_ATTR_ints, PIM_ATTR_floats, PIM_ATTR_strings, PIM_ATTR_data } pim_attr_kind;
typedef struct pim_data pim_data;
typedef struct pim_attr {
	const char *name; /* interned */
	uint32_t kind, n;
	union {
		int64_t i;
		double f;
		const char *s; /* interned */
		const int64_t *is;
		const double *fs;
		const char *const *ss;
		const pim_data *data; /* the elements of a constant: its attribute `value` */
	};
} pim_attr;

const pim_attr *pim_attr_find(const pim_node *n, const char *name); /* set on the node, not defaults */
void pim_attr_set(pim_node *n, const pim_attr *a);                  /* replaces one of the same name */

/* ---- data.c: constant elements ---- */

/* Elements of a constant: in memory (own or mapped), one value for all (splat), or absent
 * (shape-only models). A piece of a file keeps its origin so that it is never written again. */
typedef enum pim_data_kind { PIM_DATA_dense, PIM_DATA_splat, PIM_DATA_absent } pim_data_kind;
struct pim_data {
	pim_data_kind kind;
	const void *bytes;  /* dense: all elements; splat: one element */
	const char *file;   /* origin, as written in the text form; NULL for none */
	uint64_t offset;    /* in that file */
	const char *key;    /* name in a safetensors file; NULL for none */
};

/* Maps a file read-only for as long as the context lives; one mapping per path. NULL after a diagnostic.
 * An empty or missing file, or a directory, is an error at `at`. */
const void *pim_file_map(pim_context *c, pim_loc at, const char *path, size_t *bytes);
/* A mapped file. tensors: what a safetensors file holds, by name, once it was asked for. */
typedef struct pim_file {
	const char *path;
	const void *bytes;
	size_t n;
	pim_map *tensors;
	struct pim_file *next; /* of the context */
} pim_file;
pim_file *pim_file_open(pim_context *c, pim_loc at, const char *path);
/* The bytes where elements of t may be read: as they are, or copied when they are not aligned. */
const void *pim_bytes_align(pim_arena *a, const void *bytes, const pim_type *t);
/* Gives the memory of the whole pages in lo..hi back when they are of a mapped file; they stay readable. */
void pim_file_drop(pim_context *c, const void *lo, const void *hi);
/* Writes all tensors `keys/types/data` to `path` as safetensors (through a temporary name). */
bool pim_safetensors_write(pim_context *c, const char *path, int n, const char *const *keys, const pim_type *const *types, const void *const *data);
/* Finds a tensor; checks that its type and size agree. NULL after a diagnostic. */
const void *pim_safetensors_find(pim_context *c, pim_loc at, const char *path, const char *key, const pim_type *t, uint64_t *offset);
/* Joins `name` to the folder of `base`; refuses (diagnostic, NULL) absolute names and ones that leave it. Text from
 * standard input ("<stdin>") stands in no folder: whoever made the pipe may name any file. */
const char *pim_path_beside(pim_context *c, pim_loc at, const char *base, const char *name);
/* Writes through a temporary name; commit renames, abandon removes. */
typedef struct pim_output pim_output;
pim_output *pim_output_open(pim_context *c, const char *path); /* NULL after a diagnostic; "-" is stdout */
FILE *pim_output_file(pim_output *o);
bool pim_output_commit(pim_output *o);
void pim_output_abandon(pim_output *o);

/* ---- the op table (ops.def, ops.c) ---- */

typedef enum pim_op {
#define OP(name, min, max, flags, help) PIM_OP_##name,
#include "ir/ops.def"
	PIM_OP_COUNT
} pim_op;

/* How a target runs an op, and what rewrites may assume. */
enum {
	PIM_OPF_matrix = 1 << 0,      /* multiply-accumulate work: the matrix unit */
	PIM_OPF_vector = 1 << 1,      /* element work: the vector unit */
	PIM_OPF_move = 1 << 2,        /* only moves elements: axes say exactly which */
	PIM_OPF_elementwise = 1 << 3, /* result element depends on one element of each (broadcast) input */
	PIM_OPF_commutes = 1 << 4,
	PIM_OPF_leaf = 1 << 5,        /* no inputs: input, constant */
	PIM_OPF_lookup = 1 << 6,      /* indices or places say what is read or written: work goes by the elements of the result */
	PIM_OPF_in_place = 1 << 7,    /* may write its result over an operand of the result's dims and element size */
	PIM_OPF_any_address = 1 << 8, /* reads operands at addresses that are not aligned for their type */
};

typedef struct pim_axes pim_axes;
typedef struct pim_eval pim_eval;

typedef struct pim_op_attr {
	const char *name;
	pim_attr_kind kind;
	const char *init; /* default as text; "" = empty list; NULL = required */
	const char *help;
} pim_op_attr;

typedef struct pim_op_info {
	const char *name, *help;
	int min_inputs, max_inputs; /* max -1: any number */
	unsigned flags;
	int steps; /* vector-lane operations per element */
	int n_attrs;
	const pim_op_attr *attrs;
	/* The type from inputs and attributes; reports what is wrong and returns NULL. */
	const pim_type *(*infer)(const pim_node *n);
	/* out->data is allocated and has n->type; in[i].data NULL for an absent optional input. */
	bool (*eval)(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e);
	void (*axes)(const pim_node *n, pim_axes *a);
	/* A simpler or equal node, n itself when there is none; optional (FOLD row). Element-wise ops also follow
	 * pim_fold_elementwise. */
	pim_node *(*fold)(pim_node *n);
	/* The op as primitive ops before n; n itself when it is one; optional (DECOMPOSE row). */
	pim_node *(*decompose)(pim_node *n);
} pim_op_info;

const pim_op_info *pim_op_at(pim_op op);
/* fold_element.c: a form of an element-wise op that stands before reshapes which only add or drop dims of size 1;
 * n itself when its operands are not such reshapes. */
pim_node *pim_fold_elementwise(pim_node *n);
/* The attribute's row; NULL when the op has none of that name. */
const pim_op_attr *pim_op_attr_find(const pim_op_info *op, const char *name);
/* PIM_OP_COUNT when there is none. */
pim_op pim_op_find(const char *name, size_t n);

/* ---- axes.c: how the dimensions of an op's inputs and result correspond ---- */

typedef enum pim_axis_kind {
	PIM_AXIS_free,    /* slices are independent */
	PIM_AXIS_summed,  /* result is the sum over slices: partial sums add */
	PIM_AXIS_coupled, /* one slice needs all of it (softmax, sort, kernel offsets) */
	PIM_AXIS_windowed /* free, but neighbouring slices read overlapping inputs (halo) */
} pim_axis_kind;

typedef struct pim_axis {
	int64_t size;
	pim_axis_kind kind;
	const char *name; /* a short field word: m, n, k, oh, channel */
} pim_axis;

/* One dimension's index as offset + sum of coef * axis; absent dims (broadcast) have n = 0. */
#define PIM_MAX_TERMS 8
typedef struct pim_index {
	int n;
	struct {
		int axis;
		int64_t coef;
	} term[PIM_MAX_TERMS];
	int64_t offset;
} pim_index;

/* The iteration space of one op. map[i][d] is the index of dimension d of input i, map[n_inputs][d]
 * of the result. A dimension whose index may leave 0..size-1 (padding, concat, slice) is clipped there:
 * elements outside are not read. Result dimensions have positive coefficients only, outer term first;
 * together their terms enumerate each element once. `whole[i]`: input i is needed in full, always
 * (indices of a gather table, for instance); its map is then unused. An input that a summed axis is not
 * on (the bias of a conv) belongs to one of the partial results only. */
#define PIM_MAX_AXES 24
struct pim_axes {
	int n_axes;
	pim_axis axis[PIM_MAX_AXES];
	int n_inputs;
	pim_index (*map)[PIM_MAX_RANK]; /* n_inputs + 1 rows */
	bool *whole;
	pim_arena *arena;
};

pim_axes *pim_axes_new(const pim_node *n, pim_arena *a);
/* For the pim_axes_<op> functions: add an axis, give its number; set or extend an index. */
int pim_axes_axis(pim_axes *x, int64_t size, pim_axis_kind kind, const char *name);
void pim_axes_term(pim_axes *x, int input, int dim, int axis, int64_t coef);

/* A box of indices, lo <= i < hi in each of n dimensions. Empty when any lo >= hi. */
typedef struct pim_box {
	int n;
	int64_t lo[PIM_MAX_AXES], hi[PIM_MAX_AXES];
} pim_box;

bool pim_box_empty(const pim_box *b);
int64_t pim_box_elements(const pim_box *b);
bool pim_box_equal(const pim_box *a, const pim_box *b);
bool pim_box_holds(const pim_box *outer, const pim_box *inner); /* all of it */
bool pim_box_meet(const pim_box *a, const pim_box *b, pim_box *out); /* false when they do not meet */
pim_box pim_box_of(const pim_type *t);                               /* the whole tensor */
/* Does the axis stand in an index of the result? */
bool pim_axes_indexes_result(const pim_axes *x, int axis);
/* Axis ranges that make a result box (the smallest axis box that covers it); summed, coupled and
 * kernel axes get their full range. */
void pim_axes_cover(const pim_axes *x, const pim_box *result, pim_box *axes);
/* The box of the result, of that rank, that an axis box makes. */
void pim_axes_result(const pim_axes *x, int rank, const pim_box *axes, pim_box *result);
/* The box of input i that an axis box reads; `lo_pad/hi_pad` (may be NULL) get how far each
 * dimension was clipped. An input that is not read gives an empty box. */
void pim_axes_demand(const pim_axes *x, const pim_node *n, int input, const pim_box *axes, pim_box *need, int64_t *lo_pad, int64_t *hi_pad);

/* Axis classes of a whole graph: dims (or factors of dims) of all values that are one thing. */
typedef struct pim_factor {
	int64_t size;
	int class;
} pim_factor; /* outer factor first; the product is the dimension */
typedef struct pim_classes pim_classes;
pim_classes *pim_classes_new(pim_graph *g, pim_arena *a);
int pim_classes_count(const pim_classes *c);
/* Factors of dimension d of n's value, outer first. */
int pim_classes_dim(const pim_classes *c, const pim_node *n, int d, const pim_factor **f);
/* Factors of an axis of the op n (its number in pim_axes), outer first; size-1 factors are left out. */
int pim_classes_axis(const pim_classes *c, const pim_node *n, int axis, const pim_factor **f);
/* What slices of class k may do at node n: the weakest kind of its axes in n's op. Coupled when the class is
 * on no axis of the op, on two (tokens by tokens), or an inner factor of a windowed axis. */
pim_axis_kind pim_classes_kind(const pim_classes *c, const pim_node *n, int class);

/* ---- decisions (plan.c prints and parses them; verify.c checks them) ---- */

/* LAID_OUT: how a value is divided among slices. Dimension d is cut into parts[d] balanced pieces
 * (piece i of k holds [i*size/k, (i+1)*size/k)); `sums` slices hold partial sums of everything;
 * `copies` slices hold the same. Slice number = row-major over (copies, sums, parts[0], ...). */
typedef struct pim_layout {
	int rank;
	int32_t parts[PIM_MAX_RANK], sums, copies;
} pim_layout;

/* One slice of everything; the layout of a tuple has no dimensions. */
pim_layout pim_layout_whole(const pim_type *t);
int64_t pim_layout_slices(const pim_layout *l);
/* The box of slice s; also which partial sum it is (may be NULL). */
pim_box pim_layout_box(const pim_layout *l, const pim_type *t, int64_t s, int64_t *sum);
bool pim_layout_equal(const pim_layout *a, const pim_layout *b);

/* ---- slice.c: what one slice computes and where its inputs are ---- */

/* The axis ranges that slice s of n computes: the cover of its box of the result; with partial sums,
 * its share of the summed axis (the largest one). n has a layout. */
void pim_slice_axes(const pim_node *n, const pim_axes *x, int64_t s, pim_box *axes);

/* Walks the slices of a value that hold some part of a box: each with the part they hold. Of equal
 * copies only copy number `copy` is walked; of partial sums all. */
typedef struct pim_pieces {
	const pim_node *value;
	pim_box need;
	int64_t first[PIM_MAX_RANK], last[PIM_MAX_RANK], at[PIM_MAX_RANK];
	int64_t copy, sum;
	bool done;
} pim_pieces;
pim_pieces pim_pieces_of(const pim_node *value, const pim_box *need, int64_t copy);
bool pim_pieces_next(pim_pieces *p, int64_t *slice, pim_box *part);

/* MAPPED: one loop of an op's nest. Spatial loops run over slices and stand first; temporal loops
 * walk the tiles of one slice, outer to inner. count = ceil(extent / tile) of the axis. */
typedef struct pim_loop {
	int axis;
	int32_t count;
	bool spatial;
} pim_loop;
typedef struct pim_nest {
	int n;
	pim_loop *loop;
	int n_axes;
	int64_t *tile;   /* per axis of the op: extent of one tile */
	int64_t cycles;  /* estimate for one slice of this op, alone on its unit */
} pim_nest;

/* MAPPED: the turns that a node's slices take (order.c). Position i is the turn i / n_units of its (i mod
 * n_units)-th unit. */
typedef struct pim_order {
	int64_t n;
	int32_t *slice, *position; /* of position i; of slice s */
} pim_order;

/* A node's decisions; what is not decided is zero or NULL. */
typedef struct pim_plan {
	int set;            /* SPLIT: index into the graph's sets, -1 for none */
	pim_layout *layout; /* LAID_OUT */
	pim_nest *nest;     /* MAPPED */
	pim_order *order;   /* MAPPED; NULL: slice s at position s */
	pim_node *fused;    /* MAPPED: first node of the group whose tiles this one shares; NULL: itself */
	int64_t start, cycles;
	int n_units;        /* SCHEDULED: the slice at position i runs on its (i mod n_units)-th unit */
	int *unit;          /* PLACED: n_units units of the target */
} pim_plan;

/* Slice slice[i] at position i; numbers that are no permutation are kept for the verifier to refuse. */
pim_order *pim_order_new(int64_t n, const int32_t *slice, pim_arena *a);
bool pim_order_is_permutation(const pim_order *o);
/* Where slice s of a laid-out node stands in its order, and which slice stands there. */
int64_t pim_slice_position(const pim_node *n, int64_t slice);
int64_t pim_slice_at(const pim_node *n, int64_t position);
/* Which of so many units a slice runs on; which unit of the machine, when n is placed. */
int64_t pim_slice_slot(const pim_node *n, int64_t slice, int64_t units);
int pim_slice_unit(const pim_node *n, int64_t slice);

/* SPLIT: ops fused and replicated: branch b of the set is slice b along `class` axes of every member. */
enum { PIM_MAX_BRANCH_AXES = 8 };
typedef struct pim_branch_set {
	const char *name;
	int n_axes;
	struct pim_branch_axis {
		const char *name; /* window, head, row, channel ... what the axis is, for people */
		int64_t count;
	} axis[PIM_MAX_BRANCH_AXES];
	int32_t degree; /* units that one branch may use */
} pim_branch_set;

pim_plan *pim_node_plan(pim_node *n); /* made when there is none yet */
/* The op whose units n works on, tile by tile behind it: n moves elements or is element-wise, has as many
 * units as one of its inputs, begins while that runs and ends with it. NULL: n has units of its own. */
const pim_node *pim_node_ridden(const pim_node *n);
void pim_graph_forget(pim_graph *g, unsigned facts); /* drops the decisions behind these facts */

/* ---- graph.c ---- */

/* The number of a node that has a name from the start. */
#define PIM_NO_NUMBER UINT32_MAX

struct pim_node {
	pim_node *next, *prev;
	const pim_type *type;
	const pim_attr *attrs;
	const char *name; /* the author's; NULL: printed as %number */
	pim_plan *plan;
	pim_graph *graph;
	pim_loc loc;
	uint16_t op;
	uint16_t n_attrs;
	uint32_t n_in;
	uint32_t id;     /* dense in the graph: index of side tables */
	uint32_t number; /* %number in the text form, kept through passes */
	pim_node *in[];
};

/* What verifiers need to know of the machine; all 0 before a target is chosen. */
typedef struct pim_limits {
	int units;            /* units on the network */
	int64_t buffer_bytes; /* of one unit's working memory */
	int64_t memory_bytes; /* of one unit's main memory */
} pim_limits;

/* ---- nest.c: what a tile of an op needs ---- */

/* The extent of each axis in the largest slice of n under its layout (the whole op without one). */
void pim_nest_extents(const pim_node *n, const pim_axes *x, int64_t *extent);
/* Bytes of operand i (n_in: the result) in a tile, borders not counted; 0 for an absent input. */
int64_t pim_nest_operand_bytes(const pim_node *n, const pim_axes *x, int i, const int64_t *tile);
/* The same as a slot of the buffer: slots begin at multiples of PIM_SLOT_ALIGN bytes. */
enum { PIM_SLOT_ALIGN = 64 };
int64_t pim_nest_slot_bytes(const pim_node *n, const pim_axes *x, int i, const int64_t *tile);
/* Bytes of the buffer that one tile's operands take, twice when the slice has more than one tile. When
 * they do not fit l->buffer_bytes, the largest operand (the first of equals) stays in main memory, then
 * the next, until the rest fits: from_memory[i] (may be NULL; n_in + 1 entries) tells which did. */
int64_t pim_nest_buffer_bytes(const pim_node *n, const pim_axes *x, const int64_t *tile, const pim_limits *l, bool *from_memory);

typedef struct pim_program pim_program; /* command code: targets/program.h */

struct pim_graph {
	pim_module *module;
	const char *name;
	pim_loc loc;
	pim_node *first, *last;
	int n_inputs, room_inputs;
	pim_node **inputs; /* nodes of op `input`, in signature order */
	int n_results, room_results;
	pim_node **results;
	const char **result_names; /* the author's, may hold NULL */
	uint32_t n_ids, n_numbers;
	pim_map *names; /* taken names; made when first needed */
	unsigned facts;
	const char *target; /* machine the decisions are for; NULL before any */
	int n_sets;
	pim_branch_set *sets;
	pim_limits limits;
	pim_program *code; /* LOWERED: the command program (targets/program.h) */
};

struct pim_module {
	pim_context *context;
	pim_arena *arena;
	const char *path;    /* file it came from, NULL */
	const char *weights; /* safetensors file beside it, NULL */
	int n_graphs, room_graphs;
	pim_graph **graphs;
};

static inline pim_context *pim_context_of(const pim_node *n) { return n->graph->module->context; }
/* By number, for our own code: no look-up, no checks but asserts. */
pim_node *pim_node_make(pim_graph *g, pim_op op, int n, pim_node *const *in, pim_node *before);
/* Makes, sets attributes, infers; NULL after a diagnostic at `like`, whose place it takes. */
pim_node *pim_node_make_like(pim_node *like, pim_op op, int n, pim_node *const *in, int n_attrs, const pim_attr *attrs);
/* Wants the name; appends _2, _3 ... when it is taken. */
void pim_node_rename(pim_node *n, const char *name);
/* As pim_node_make, but not linked, its inputs not set, with a number of the caller's choice. */
pim_node *pim_node_make_numbered(pim_graph *g, pim_op op, int n, uint32_t number);
/* names.c: gives the name up; takes it, unless another node has it: that one is returned. */
void pim_node_unname(pim_node *n);
pim_node *pim_node_take_name(pim_node *n, const char *name, size_t bytes);
void pim_label_print(pim_text *t, const pim_node *n);  /* %name or %number */
void pim_text_name(pim_text *t, const char *name);     /* as it is, or in quotes where it must be */
/* Forgets the module made last, after an error. */
void pim_module_discard(pim_module *m);
/* The name as printed, with %. */
const char *pim_node_label(const pim_node *n, pim_arena *a);
void pim_node_link(pim_node *n, pim_node *before);
void pim_node_unlink(pim_node *n);
const pim_data *pim_constant_data(const pim_node *n);
/* The author's name, or the number written to `digits` (of `room` bytes): as in command programs. */
const char *pim_constant_name(const pim_node *n, char *digits, size_t room);
/* Says once in a session how many constants have no elements, and that evaluation makes some up. */
void pim_constants_warn_absent(const pim_graph *g);
void pim_constant_set(pim_node *n, const pim_data *d);
pim_node *pim_constant_make(pim_graph *g, const pim_type *t, const pim_data *d, pim_node *before);
/* A constant's elements as integers; false when n is no constant of at most `room` elements with data. */
bool pim_constant_ints(const pim_node *n, int room, int64_t *v, int *count);
pim_node *pim_input_make(pim_graph *g, const char *name, const pim_type *t, pim_loc at);
void pim_graph_add_input(pim_graph *g, pim_node *n); /* n: a linked node of op input */
void pim_graph_add_named_result(pim_graph *g, pim_node *n, const char *name);

#define PIM_EACH_NODE(n, g) for (pim_node *n = (g)->first, *n##_next; n && (n##_next = n->next, 1); n = n##_next)

/* ---- print.c, parse.c ---- */

typedef struct pim_print_options {
	int64_t inline_elements; /* constants up to this many elements are written in the text */
	bool elide;              /* larger ones as {...}: for people, does not read back */
	const char *weights;     /* larger ones go to this safetensors file (written beside); NULL: as hex in the text */
	const char *folder;      /* "dir/": stands before the names of files that the text refers to; NULL: nothing */
	bool gather;             /* constants that stand in other files go there too: the text moves to another folder */
} pim_print_options;
extern const pim_print_options pim_print_defaults; /* 16 elements, not elided, hex */

/* Prints to `out`; false after a diagnostic (the weights file could not be written). */
bool pim_module_write(const pim_module *m, const pim_print_options *o, pim_text *out);
void pim_graph_print(const pim_graph *g, const pim_print_options *o, pim_text *out);
/* source: from pim_source_text. lo..hi: the part of it to read (--split-input-file). */
pim_module *pim_module_parse_source(pim_context *c, uint32_t source, size_t lo, size_t hi);

/* A cursor over text, shared by every text form of the project (modules, command programs). */
typedef struct pim_cursor {
	pim_context *context;
	uint32_t source;
	const char *s, *p, *end;
	bool failed;
} pim_cursor;
void pim_cursor_space(pim_cursor *c);                  /* white space and // comments */
bool pim_cursor_take(pim_cursor *c, const char *word); /* a punctuation or word, if it is next */
/* As take, but stays where it is. */
bool pim_cursor_next_is(pim_cursor *c, const char *word);
bool pim_cursor_want(pim_cursor *c, const char *word); /* as take; else reports "expected ..." */
bool pim_cursor_name(pim_cursor *c, const char **s, size_t *n); /* [A-Za-z_][A-Za-z0-9_.-/]* */
bool pim_cursor_int(pim_cursor *c, int64_t *v);
bool pim_cursor_float(pim_cursor *c, double *v);
const char *pim_cursor_string(pim_cursor *c);          /* quoted; interned; NULL after a diagnostic */
const pim_type *pim_cursor_type(pim_cursor *c);
pim_loc pim_cursor_loc(const pim_cursor *c);
bool pim_cursor_error(pim_cursor *c, const char *format, ...) PIM_PRINTF(2, 3);
/* Reports "expected <what>, found <what stands there>". */
bool pim_cursor_expected(pim_cursor *c, const char *what);
/* One graph: `graph @name(...) { ... }`, as in a module; the cursor stands at `graph`. */
pim_graph *pim_cursor_graph(pim_cursor *c, pim_module *m);

void pim_plan_print(const pim_node *n, pim_text *out);      /* ` [set=b0, ...]` or nothing */
bool pim_plan_parse(pim_cursor *c, pim_node *n);            /* after the `[` */
void pim_sets_print(const pim_graph *g, pim_text *out);     /* the graph's facts, target and branch sets */
bool pim_sets_parse(pim_cursor *c, pim_graph *g);           /* one such line, if it is next */

/* ---- verify.c: one function per fact ---- */

/* Each reports every violation and returns false if there was one. pim_verify_lowered is in
 * targets/program.c, where command code is known; the rest in ir/verify.c. */
#define PIM_VERIFY_DECLARE(name, what) bool pim_verify_##name(pim_graph *g);
PIM_FACTS(PIM_VERIFY_DECLARE)
#undef PIM_VERIFY_DECLARE
const char *pim_fact_name(int bit);
bool pim_verify_fusions(pim_graph *g); /* ir/verify_fusion.c: of pim_verify_mapped, what is about groups */

/* ---- storage.c: where the values of an evaluation lie ---- */

typedef struct pim_storage {
	int64_t bytes;       /* of the block */
	int64_t *at;         /* by node id: place of an owner's value in the block; parts of a tuple lie behind each other */
	const void **fixed;  /* by node id: the elements of a constant that is read where it is, else NULL */
	uint32_t *owner;     /* by node id: the node whose value this is: its own, but for reshapes */
} pim_storage;
pim_storage *pim_storage_plan(const pim_graph *g, pim_arena *a);
/* Bytes that a value takes in the block. */
int64_t pim_storage_room(const pim_type *t);
/* The elements of a dense constant where they are, NULL when they must be made, or moved to where their type can be read. */
const void *pim_constant_elements(const pim_node *n);

/* ---- eval.c ---- */

struct pim_eval {
	pim_context *context;
	pim_arena *scratch; /* freed after each node */
	int threads;
	bool plain;         /* plain loops instead of OpenBLAS: the oracle */
	bool imagine;       /* constants without elements get seeded ones; else they are an error */
};

/* Evaluates one node: out->data must hold n->type. */
bool pim_node_eval(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e);
/* If every input is a constant with data and the result has at most `limit` elements:
 * a new constant before n with its value; else n. NULL after a diagnostic. */
pim_node *pim_node_to_constant(pim_node *n, int64_t limit);

typedef struct pim_eval_options {
	bool plain, imagine; /* as in pim_eval */
	int threads;
	/* Called with each value as it is made (may be NULL); the tensor is valid during the call. */
	void (*on_value)(void *user, const pim_node *n, const pim_tensor *t);
	void *user;
} pim_eval_options;
bool pim_graph_eval_with(pim_graph *g, const pim_tensor *in, pim_tensor *out, pim_arena *arena, const pim_eval_options *o);
/* Elements of any type as double, and back (rounded to nearest even, integers saturated). */
double pim_element_get(pim_dtype t, const void *data, int64_t i);
void pim_element_set(pim_dtype t, void *data, int64_t i, double v);
float pim_half_to_float(uint16_t h);
uint16_t pim_half_from_float(float f);
float pim_bf16_to_float(uint16_t h);
uint16_t pim_bf16_from_float(float f);
/* Fills with a seeded uniform distribution: floats in -1..1, integers small, bool 0/1. */
void pim_tensor_random(pim_tensor *t, uint64_t seed);
/* Elements for a constant that has none, seeded by its name: the same in every program. Floats of one dimension
 * are positive (they may be variances), others are scaled so that values stay in range through many layers. */
void pim_tensor_imagine(pim_tensor *t, const char *name);

/* How far two tensors of one type are apart. */
typedef struct pim_difference {
	double absolute, relative; /* largest */
	double ulp;                /* largest, in units of the last place of the type */
	int64_t index;             /* where |a-b| - (atol + rtol*|b|) is largest */
	double a, b;               /* the elements there */
	int64_t beyond;            /* how many elements are beyond the tolerance */
} pim_difference;
/* NaN equals NaN, inf equals inf of the same sign. Integers: rtol and atol are 0. */
pim_difference pim_tensor_compare(const pim_tensor *a, const pim_tensor *b, double rtol, double atol);

#endif
