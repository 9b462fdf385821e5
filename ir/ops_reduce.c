/* SPDX-License-Identifier: Apache-2.0 */
/* ops_reduce - sum, mean, largest, smallest and product over dims.
 *
 * Floats are accumulated in float64 and rounded once, integers modulo 2^64. */
#include "ir/op_rules.h"

#include <math.h>

/* Marks the reduced dims; false after a diagnostic. */
static bool read_reduced(const pim_node *n, const pim_type *t, bool reduced[PIM_MAX_RANK])
{
	const int64_t *axes = NULL;
	int count = pim_node_ints(n, "axes", &axes);
	for (int d = 0; d < PIM_MAX_RANK; d++)
		reduced[d] = false;
	for (int i = 0; i < count; i++) {
		if (axes[i] < 0 || axes[i] >= t->rank || (i && axes[i] <= axes[i - 1]))
			return pim_node_error(n,
				"entry %d of axes of %s is %lld, expected ascending dims from 0 to %d", i,
				pim_node_op(n), (long long)axes[i], t->rank - 1);
		reduced[axes[i]] = true;
	}
	return true;
}

static const pim_type *infer_reduce(const pim_node *n)
{
	bool reduced[PIM_MAX_RANK];
	int64_t dims[PIM_MAX_RANK], merged = 1;
	int rank = 0;
	const pim_type *t = pim_rule_operand(n, 0);
	if (!t || !read_reduced(n, t, reduced))
		return NULL;
	if (t->dtype == PIM_DTYPE_bool && n->op != PIM_OP_reduce_max && n->op != PIM_OP_reduce_min) {
		pim_node_error(n, "input of %s is bool, expected a float or integer type", pim_node_op(n));
		return NULL;
	}
	bool keep = pim_node_int(n, "keepdims") != 0;
	for (int d = 0; d < t->rank; d++) {
		merged *= reduced[d] ? t->dims[d] : 1;
		if (!reduced[d] || keep)
			dims[rank++] = reduced[d] ? 1 : t->dims[d];
	}
	if (merged == 0 && n->op == PIM_OP_reduce_mean && !pim_dtype_is_float(t->dtype)) {
		pim_node_error(
			n, "%s of %s has no elements to take from", pim_node_op(n), pim_rule_text(n, t));
		return NULL;
	}
	return pim_rule_result(n, t->dtype, rank, dims);
}

/* An axis for each input dim: reduced ones summed by reduce_sum, coupled by the others. */
static void axes_of_reduce(const pim_node *n, pim_axes *x)
{
	static const char *const names[PIM_MAX_RANK] = {"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"};
	bool reduced[PIM_MAX_RANK], keep = pim_node_int(n, "keepdims") != 0;
	const pim_type *t = n->in[0]->type;
	if (!read_reduced(n, t, reduced))
		PIM_BUG("%s was not inferred", pim_node_op(n));
	pim_axis_kind kind = n->op == PIM_OP_reduce_sum ? PIM_AXIS_summed : PIM_AXIS_coupled;
	for (int d = 0, to = 0; d < t->rank; d++) {
		int axis = pim_axes_axis(x, t->dims[d], reduced[d] ? kind : PIM_AXIS_free, names[d]);
		pim_axes_term(x, 0, d, axis, 1);
		if (!reduced[d])
			pim_axes_term(x, 1, to, axis, 1);
		to += !reduced[d] || keep;
	}
}

/* name, start for floats, signed and unsigned integers, step for floats and for integers; s is what
 * was gathered so far, of type S; v the next element */
#define REDUCTIONS(X)                                                                              \
	X(sum, 0, 0, 0, s + v, (S)((uint64_t)s + (uint64_t)v))                                         \
	X(prod, 1, 1, 1, s *v, (S)((uint64_t)s * (uint64_t)v))                                         \
	X(max, -INFINITY, INT64_MIN, 0, v > s || v != v ? v : s, v > s ? v : s)                        \
	X(min, INFINITY, INT64_MAX, UINT64_MAX, v < s || v != v ? v : s, v < s ? v : s)

/* One row of elements into the gathered values, which step by 0 or 1. */
typedef void reduce_row(const void *x, int64_t n, void *gathered, int64_t step);

#define REDUCE_ROW(name, stage, element, type, formula)                                            \
	static void name##_##stage(const void *from, int64_t n, void *gathered, int64_t step)          \
	{                                                                                              \
		typedef type S;                                                                            \
		const element *x = from;                                                                   \
		S *g = gathered, s = *g;                                                                   \
		if (step) {                                                                                \
			for (int64_t i = 0; i < n; i++) {                                                      \
				S v = (S)x[i];                                                                     \
				s = g[i];                                                                          \
				g[i] = formula;                                                                    \
			}                                                                                      \
			return;                                                                                \
		}                                                                                          \
		for (int64_t i = 0; i < n; i++) {                                                          \
			S v = (S)x[i];                                                                         \
			s = formula;                                                                           \
		}                                                                                          \
		*g = s;                                                                                    \
	}
#define REDUCE_ROWS(name, real0, signed0, unsigned0, real, integer)                                \
	REDUCE_ROW(name, f32, float, double, real)                                                     \
	REDUCE_ROW(name, f64, double, double, real)                                                    \
	REDUCE_ROW(name, i64, int64_t, int64_t, integer)                                               \
	REDUCE_ROW(name, u64, uint64_t, uint64_t, integer)                                             \
	REDUCE_ROW(name, bool, uint8_t, uint64_t, integer)
REDUCTIONS(REDUCE_ROWS)
#undef REDUCE_ROWS
#undef REDUCE_ROW

typedef struct reduction {
	reduce_row *row[PIM_STAGE_COUNT];
	double real0;
	int64_t signed0;
	uint64_t unsigned0;
} reduction;

static const reduction reductions[PIM_OP_COUNT] = {
#define REDUCTION(name, real_start, signed_start, unsigned_start, real, integer)                   \
	[PIM_OP_reduce_##name] = {{[PIM_STAGE_f32] = name##_f32,                                       \
								  [PIM_STAGE_f64] = name##_f64,                                    \
								  [PIM_STAGE_i64] = name##_i64,                                    \
								  [PIM_STAGE_u64] = name##_u64,                                    \
								  [PIM_STAGE_bool] = name##_bool},                                 \
		real_start, signed_start, unsigned_start},
	REDUCTIONS(REDUCTION)
#undef REDUCTION
};

/* What is gathered: 8 bytes per result element, of the stage. */
static void start_gathering(const reduction *r, pim_stage s, int64_t n, void *gathered)
{
	for (int64_t i = 0; i < n; i++)
		if (s == PIM_STAGE_i64)
			((int64_t *)gathered)[i] = r->signed0;
		else if (s == PIM_STAGE_u64 || s == PIM_STAGE_bool)
			((uint64_t *)gathered)[i] = r->unsigned0;
		else
			((double *)gathered)[i] = r->real0;
}

/* Strides of the result along the input's dims: 0 where they are reduced. */
static void find_strides(const pim_node *n, const pim_type *t, int64_t strides[PIM_MAX_RANK])
{
	bool reduced[PIM_MAX_RANK];
	int64_t step = 1;
	if (!read_reduced(n, t, reduced))
		PIM_BUG("%s was not inferred", pim_node_op(n));
	for (int d = t->rank - 1; d >= 0; d--) {
		strides[d] = reduced[d] ? 0 : step;
		step *= reduced[d] ? 1 : t->dims[d];
	}
}

static void gather_row(const pim_rows *r, reduce_row *run, const pim_tensor *x, char *gathered)
{
	pim_dtype t = x->type->dtype;
	uint64_t block[PIM_STAGE_BLOCK];
	char *to = gathered + 8 * r->offset[0];
	if (pim_stage_is_native(t)) {
		run((const char *)x->data + (size_t)r->result * pim_dtype_bytes(t), r->length, to,
			r->step[0]);
		return;
	}
	for (int64_t i = 0; i < r->length; i += PIM_STAGE_BLOCK) {
		int64_t k = r->length - i < PIM_STAGE_BLOCK ? r->length - i : PIM_STAGE_BLOCK;
		pim_stage_load(t, x->data, r->result + i, k, block);
		run(block, k, to + 8 * i * r->step[0], r->step[0]);
	}
}

/* Rounds what was gathered, divided by `count`. */
static void store_gathered(pim_tensor *out, pim_stage s, void *gathered, int64_t count)
{
	int64_t n = out->type->elements;
	for (int64_t i = 0; i < n; i++)
		if (s == PIM_STAGE_i64)
			((int64_t *)gathered)[i] /= count;
		else if (s == PIM_STAGE_u64)
			((uint64_t *)gathered)[i] /= (uint64_t)count;
		else if (s == PIM_STAGE_bool)
			((uint8_t *)out->data)[i] = ((uint64_t *)gathered)[i] != 0;
		else
			pim_element_set(
				out->type->dtype, out->data, i, ((double *)gathered)[i] / (double)count);
	if (s == PIM_STAGE_i64 || s == PIM_STAGE_u64)
		pim_stage_store(out->type->dtype, out->data, 0, n, gathered);
}

/* The largest of no elements is the type's lowest value, the smallest its highest: where an integer
 * type is narrower than what is gathered, its own. */
static void hold_in_type(pim_dtype t, int64_t n, void *gathered)
{
	int64_t *v = gathered;
	int bits = t == PIM_DTYPE_i4 || t == PIM_DTYPE_u4 ? 4 : (int)pim_dtype_bytes(t) * 8;
	int64_t high = bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - 1)) - 1;
	for (int64_t i = 0; i < n; i++)
		v[i] = v[i] < -high - 1 ? -high - 1 : v[i] > high ? high : v[i];
}

static bool run_reduce(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = in[0].type;
	pim_stage s = pim_stage_of(t->dtype);
	bool mean = n->op == PIM_OP_reduce_mean;
	const reduction *r = &reductions[mean ? PIM_OP_reduce_sum : n->op];
	int64_t strides[1][PIM_MAX_RANK];
	void *gathered = pim_arena_raw(e->scratch, 8 * (size_t)n->type->elements + 8);
	pim_rows rows;
	start_gathering(r, s, n->type->elements, gathered);
	find_strides(n, t, strides[0]);
	for (pim_rows_begin(&rows, t->rank, t->dims, 1, (const int64_t(*)[PIM_MAX_RANK])strides);
		 pim_rows_next(&rows);)
		gather_row(&rows, r->row[s], &in[0], gathered);
	if (s == PIM_STAGE_i64 && t->elements == 0)
		hold_in_type(t->dtype, n->type->elements, gathered);
	int64_t count = mean && n->type->elements ? t->elements / n->type->elements : 1;
	store_gathered(out, s, gathered, count);
	return true;
}

const pim_type *pim_infer_reduce_sum(const pim_node *n)
{
	return infer_reduce(n);
}

void pim_axes_reduce_sum(const pim_node *n, pim_axes *x)
{
	axes_of_reduce(n, x);
}

bool pim_eval_reduce_sum(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_reduce(n, in, out, e);
}

const pim_type *pim_infer_reduce_mean(const pim_node *n)
{
	return infer_reduce(n);
}

void pim_axes_reduce_mean(const pim_node *n, pim_axes *x)
{
	axes_of_reduce(n, x);
}

bool pim_eval_reduce_mean(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_reduce(n, in, out, e);
}

const pim_type *pim_infer_reduce_max(const pim_node *n)
{
	return infer_reduce(n);
}

void pim_axes_reduce_max(const pim_node *n, pim_axes *x)
{
	axes_of_reduce(n, x);
}

bool pim_eval_reduce_max(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_reduce(n, in, out, e);
}

const pim_type *pim_infer_reduce_min(const pim_node *n)
{
	return infer_reduce(n);
}

void pim_axes_reduce_min(const pim_node *n, pim_axes *x)
{
	axes_of_reduce(n, x);
}

bool pim_eval_reduce_min(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_reduce(n, in, out, e);
}

const pim_type *pim_infer_reduce_prod(const pim_node *n)
{
	return infer_reduce(n);
}

void pim_axes_reduce_prod(const pim_node *n, pim_axes *x)
{
	axes_of_reduce(n, x);
}

bool pim_eval_reduce_prod(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_reduce(n, in, out, e);
}
