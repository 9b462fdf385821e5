/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op_rules.h - what the files of op rules (ops_*.c) share: checks of operands, axes that every
 * op family needs, elements brought to a type one can compute in, windows, and matrix products. */
#ifndef PIM_IR_OP_RULES_H
#define PIM_IR_OP_RULES_H

#include "ir/op_table.h"

/* ---- infer.c: checks and types; each reports at the node and returns NULL or false ---- */

/* The tensor type of an input that must be there. */
const pim_type *pim_rule_operand(const pim_node *n, int i);
/* As pim_rule_operand, and its element type is a float. */
const pim_type *pim_rule_float_operand(const pim_node *n, int i);
/* Input i has the element type of input 0. */
bool pim_rule_same_dtype(const pim_node *n, int i);
/* A result type; refuses too many dims and elements beyond int64. */
const pim_type *pim_rule_result(const pim_node *n, pim_dtype t, int rank, const int64_t *dims);
/* Dims of inputs first..first+count-1 broadcast as numpy does, less their last `skip` dims;
 * the rank, -1 after a diagnostic. */
int pim_rule_broadcast(
	const pim_node *n, int first, int count, int skip, int64_t dims[PIM_MAX_RANK]);
/* An integer attribute that names one of `rank` dims; -1 after a diagnostic. */
int pim_rule_dim(const pim_node *n, const char *attribute, int rank);
/* A list attribute with exactly `count` entries; NULL after a diagnostic. */
const int64_t *pim_rule_ints(const pim_node *n, const char *attribute, int count);
/* The type as text, for messages. */
const char *pim_rule_text(const pim_node *n, const pim_type *t);
bool pim_rule_is_absent(const pim_node *n, int i);

/* ---- ops_index.c: places that integers say ---- */

/* As pim_rule_operand, and its elements are integers. */
const pim_type *pim_rule_index_operand(const pim_node *n, int i);
/* All elements of an integer tensor as indices; element k is one of sizes[k % n_sizes], negative
 * ones count from the end. NULL after a diagnostic. */
const int64_t *pim_rule_indices(
	const pim_node *n, const pim_tensor *t, int n_sizes, const int64_t *sizes, pim_arena *scratch);

/* ---- window.c: windows of conv and pools, seen as three spatial dims (missing ones are 1) ---- */

/* out position o, tap k reads input position stride*o + dilation*k - lo. */
typedef struct pim_window {
	int n; /* spatial dims of the op; they are the last n of the three below */
	int64_t in[3], out[3], kernel[3], stride[3], dilation[3], lo[3], hi[3];
	int64_t in_volume, out_volume, kernel_volume;
} pim_window;

/* Reads strides, pads, dilations and computes the result's spatial dims (`out`); false after a
 * diagnostic. in and kernel: sizes per spatial dim. */
bool pim_window_read(
	const pim_node *n, int spatial, const int64_t *in, const int64_t *kernel, pim_window *w);
/* As pim_window_read for conv_transpose: `in` is the input's, `out` the result's, and the window
 * describes the convolution that leads back (its input is our result). */
bool pim_window_read_transposed(
	const pim_node *n, int spatial, const int64_t *in, const int64_t *kernel, pim_window *w);
/* One tap over one line of results (line = o0 * out[1] + o1): the results [*first, *last) of the
 * line whose input is inside; the input offset of result *first. False when none is. */
bool pim_window_tap(
	const pim_window *w, int64_t line, int64_t tap, int64_t *first, int64_t *last, int64_t *offset);

/* ---- stage.c: elements in a type one can compute in ---- */

/* f32 for f16, bf16, f32; i64 and u64 for the integers; bool for bool. */
typedef enum pim_stage {
	PIM_STAGE_f32,
	PIM_STAGE_f64,
	PIM_STAGE_i64,
	PIM_STAGE_u64,
	PIM_STAGE_bool,
	PIM_STAGE_COUNT
} pim_stage;
enum { PIM_STAGE_BLOCK = 512 };

pim_stage pim_stage_of(pim_dtype t);
size_t pim_stage_bytes(pim_stage s);
/* Whether elements in memory are already in their stage's type. */
bool pim_stage_is_native(pim_dtype t);
void pim_stage_load(pim_dtype t, const void *data, int64_t from, int64_t n, void *to);
/* Rounds to nearest even; integers wrap. */
void pim_stage_store(pim_dtype t, void *data, int64_t to, int64_t n, const void *from);
/* All elements staged: the data itself when native, else a copy in `scratch`. */
const void *pim_stage_whole(const pim_tensor *t, pim_arena *scratch);
/* Room for a result to be computed in: its data when native. */
void *pim_stage_room(pim_tensor *t, pim_arena *scratch);
/* Stores what was computed in pim_stage_room's answer. */
void pim_stage_finish(pim_tensor *t, const void *room);
/* All elements of a tensor of any type as doubles: the data itself when it is f64. NULL for an
 * absent input. */
const double *pim_stage_doubles(const pim_tensor *t, pim_arena *scratch);
/* Rounds n->type->elements doubles to a float result. */
void pim_stage_finish_doubles(pim_tensor *t, const double *from);

/* ---- rows.c: walking broadcast operands row by row ---- */

/* The result's dims with equal strides merged; a row is the innermost one. */
#define PIM_MAX_OPERANDS 3
typedef struct pim_rows {
	int n_operands, rank;
	int64_t dim[PIM_MAX_RANK], at[PIM_MAX_RANK], stride[PIM_MAX_OPERANDS][PIM_MAX_RANK];
	int64_t length,
		step[PIM_MAX_OPERANDS]; /* of a row: elements, and each operand's 0 or 1 (or any) */
	int64_t result, offset[PIM_MAX_OPERANDS]; /* of the row now: element offsets */
	bool started, empty;
} pim_rows;

/* strides[i][d] of operand i along result dim d, 0 where it repeats. */
void pim_rows_begin(
	pim_rows *r, int rank, const int64_t *dims, int n, const int64_t (*strides)[PIM_MAX_RANK]);
void pim_rows_begin_broadcast(pim_rows *r, const pim_type *result, int n, const pim_tensor *in);
bool pim_rows_next(pim_rows *r);
/* Copies elements of `bytes` each to a row-major result from a source with the given strides. */
void pim_rows_copy(size_t bytes, int rank, const int64_t *dims, void *to, const void *from,
	const int64_t *strides);

/* ---- blas.c: c = a b + beta c, row-major; a is m x k (k x m when ta), b is k x n (n x k when tb)
 * ---- */

typedef struct pim_gemm {
	bool ta, tb;
	int64_t m, n, k, lda, ldb, ldc;
} pim_gemm;
void pim_gemm_f32(
	const pim_eval *e, const pim_gemm *g, const void *a, const void *b, float beta, float *c);
/* Whether a and b of pim_gemm_f32 may be floats at any address; else at multiples of 4. */
bool pim_gemm_takes_any_address(const pim_eval *e);
void pim_gemm_f64(
	const pim_eval *e, const pim_gemm *g, const double *a, const double *b, double beta, double *c);
/* Wrapping integers, signed or unsigned; beta 0. */
void pim_gemm_u64(const pim_gemm *g, const uint64_t *a, const uint64_t *b, uint64_t *c);

/* ---- vector_math.c: functions of n float32; y may be x ---- */

void pim_exp_floats(const float *x, float shift, int64_t n, float *y); /* of x - shift */
void pim_erf_floats(const float *x, int64_t n, float *y);
void pim_tanh_floats(const float *x, int64_t n, float *y);
void pim_sigmoid_floats(const float *x, int64_t n, float *y);

/* ---- conv_plane.c: float32 convolutions of one input channel ---- */

/* y += the convolution of x with each of `channels` kernels, floats at any address. room: as many
 * floats as pim_conv_plane_room says. */
int64_t pim_conv_plane_room(const pim_window *w);
void pim_conv_plane(
	const pim_window *w, int64_t channels, const float *x, const char *k, float *y, float *room);

/* ---- ops_matmul.c, ops_conv.c: what matmul_integer and conv_integer share with them ---- */

/* The result of element type `result` of a product; the operands' types may differ. */
const pim_type *pim_matmul_type(const pim_node *n, pim_dtype result);
const pim_type *pim_conv_type(const pim_node *n, pim_dtype result);
/* The product of operands of n's types, staged as s. */
void pim_matmul_run(
	const pim_node *n, pim_stage s, const void *a, const void *b, void *c, const pim_eval *e);
/* The convolution of integers, without bias, modulo 2^64. */
void pim_conv_run_integer(
	const pim_node *n, const int64_t *x, const int64_t *w, int64_t *y, pim_eval *e);

/* ---- element.c ---- */

/* Rounded once, to nearest even. */
uint16_t pim_half_from_double(double v);
uint16_t pim_bf16_from_double(double v);
/* Towards zero, saturated to lo..hi; NaN gives 0. */
int64_t pim_int_from_double(double v, int64_t lo, int64_t hi);
uint64_t pim_uint_from_double(double v, uint64_t hi);

/* ---- axes.c: axes of families ---- */

/* An axis for every result dim, of this kind; `name` NULL: d0, d1, ... Axis d belongs to dim d. */
void pim_axes_of_result(const pim_node *n, pim_axes *x);
/* Input i's dims aligned with the result's last dims, as broadcasting does. */
void pim_axes_broadcast(const pim_node *n, pim_axes *x, int input);
void pim_axes_elementwise(const pim_node *n, pim_axes *x);

/* ---- rule_nodes.c: for fold and decompose rules; all make nodes before `like`, at its place ----
 */

/* op of inputs, not yet inferred: give attributes, then pim_rule_done. */
pim_node *pim_rule_node(pim_node *like, pim_op op, int n, pim_node *const *in);
/* Infers; NULL after a diagnostic. */
pim_node *pim_rule_done(pim_node *made);
pim_node *pim_rule_unary(pim_node *like, pim_op op, pim_node *x);
/* NULL when an operand is, so that calls nest. */
pim_node *pim_rule_binary(pim_node *like, pim_op op, pim_node *a, pim_node *b);
pim_node *pim_rule_ints_op(
	pim_node *like, pim_op op, pim_node *x, const char *attribute, int n, const int64_t *v);
/* A rank-0 constant of that element type. */
pim_node *pim_rule_scalar(pim_node *like, pim_dtype t, double v);
pim_node *pim_rule_reduce(pim_node *like, pim_op op, pim_node *x, int n, const int64_t *dims);
/* Whether all elements of a constant are v. */
bool pim_rule_is_all(const pim_node *n, double v);
/* The bytes of a constant with data, one element when `*splat`; NULL for others. */
const void *pim_rule_bytes(const pim_node *n, bool *splat);
bool pim_rule_same_type(const pim_node *n, const pim_node *by);

#endif
