/* SPDX-License-Identifier: Apache-2.0 */
/* ops_select - where along one dim the largest or smallest elements are: arg_max, arg_min, top_k.
 *
 * The result is places (i64); gather_elements takes the elements themselves. */
#include "ir/op_rules.h"

#include <stdlib.h>

static const pim_type *infer_arg(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	int axis = t ? pim_rule_dim(n, "axis", t->rank) : -1, rank = 0;
	bool keep = pim_node_int(n, "keepdims") != 0;
	int64_t dims[PIM_MAX_RANK];
	if (axis < 0)
		return NULL;
	if (t->dims[axis] == 0) {
		pim_node_error(n, "%s of %s has no elements to take from along dim %d", pim_node_op(n),
			pim_rule_text(n, t), axis);
		return NULL;
	}
	for (int d = 0; d < t->rank; d++)
		if (d != axis || keep)
			dims[rank++] = d == axis ? 1 : t->dims[d];
	return pim_rule_result(n, PIM_DTYPE_i64, rank, dims);
}

const pim_type *pim_infer_arg_max(const pim_node *n)
{
	return infer_arg(n);
}

const pim_type *pim_infer_arg_min(const pim_node *n)
{
	return infer_arg(n);
}

const pim_type *pim_infer_top_k(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	int axis = t ? pim_rule_dim(n, "axis", t->rank) : -1;
	int64_t k = pim_node_int(n, "k"), dims[PIM_MAX_RANK];
	if (axis < 0)
		return NULL;
	if (k < 0 || k > t->dims[axis]) {
		pim_node_error(n, "k of top_k is %lld, expected 0 to %lld, the size of dim %d",
			(long long)k, (long long)t->dims[axis], axis);
		return NULL;
	}
	for (int d = 0; d < t->rank; d++)
		dims[d] = d == axis ? k : t->dims[d];
	return pim_rule_result(n, PIM_DTYPE_i64, t->rank, dims);
}

/* ---- axes ---- */

/* An axis per input dim; the one searched is coupled, and not on the result. */
static void axes_of_arg(const pim_node *n, pim_axes *x)
{
	static const char *const names[PIM_MAX_RANK] = {"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"};
	const pim_type *t = n->in[0]->type;
	int64_t searched = pim_node_int(n, "axis");
	bool keep = pim_node_int(n, "keepdims") != 0;
	for (int d = 0, to = 0; d < t->rank; d++) {
		pim_axis_kind kind = d == searched ? PIM_AXIS_coupled : PIM_AXIS_free;
		pim_axes_term(x, 0, d, pim_axes_axis(x, t->dims[d], kind, names[d]), 1);
		if (d != searched)
			pim_axes_term(x, 1, to, d, 1);
		to += d != searched || keep;
	}
}

void pim_axes_arg_max(const pim_node *n, pim_axes *x)
{
	axes_of_arg(n, x);
}

void pim_axes_arg_min(const pim_node *n, pim_axes *x)
{
	axes_of_arg(n, x);
}

void pim_axes_top_k(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type;
	int axis = (int)pim_node_int(n, "axis");
	pim_axes_of_result(n, x);
	x->axis[axis].kind = PIM_AXIS_coupled;
	int entry = pim_axes_axis(x, t->dims[axis], PIM_AXIS_coupled, "entry");
	for (int d = 0; d < t->rank; d++)
		pim_axes_term(x, 0, d, d == axis ? entry : d, 1);
}

/* ---- evaluation ---- */

#define SELECT_TYPES(X)                                                                            \
	X(f32, float)                                                                                  \
	X(f64, double)                                                                                 \
	X(i64, int64_t)                                                                                \
	X(u64, uint64_t)                                                                               \
	X(bool, uint8_t)

/* find: n elements `step` apart; `last` takes the last of equals. NaN beats everything, and no
 * other takes its place but a later NaN.
 * sort: the order that puts the largest first, NaN before it; of equals the one with the lower
 * place. */
#define SELECT_RUNS(name, T)                                                                       \
	static int64_t find_##name(const void *from, int64_t n, int64_t step, bool largest, bool last) \
	{                                                                                              \
		const T *x = from;                                                                         \
		int64_t best = 0;                                                                          \
		for (int64_t i = 1; i < n; i++) {                                                          \
			T v = x[i * step], b = x[best * step];                                                 \
			bool beats = largest ? v > b : v < b, equal = v == b;                                  \
			if (v != v || b != b) {                                                                \
				beats = b == b;                                                                    \
				equal = v != v && b != b;                                                          \
			}                                                                                      \
			best = beats || (last && equal) ? i : best;                                            \
		}                                                                                          \
		return best;                                                                               \
	}                                                                                              \
	typedef struct entry_##name {                                                                  \
		T v;                                                                                       \
		int64_t at;                                                                                \
	} entry_##name;                                                                                \
	static int order_##name(const void *pa, const void *pb)                                        \
	{                                                                                              \
		const entry_##name *a = pa, *b = pb;                                                       \
		bool a_nan = a->v != a->v, b_nan = b->v != b->v;                                           \
		if (a_nan != b_nan)                                                                        \
			return a_nan ? -1 : 1;                                                                 \
		if (a->v > b->v || a->v < b->v)                                                            \
			return a->v > b->v ? -1 : 1;                                                           \
		return a->at < b->at ? -1 : a->at > b->at;                                                 \
	}                                                                                              \
	static int reverse_##name(const void *pa, const void *pb)                                      \
	{                                                                                              \
		const entry_##name *a = pa, *b = pb;                                                       \
		bool equal = a->v == b->v || (a->v != a->v && b->v != b->v);                               \
		return equal ? order_##name(pa, pb) : order_##name(pb, pa);                                \
	}                                                                                              \
	static void sort_##name(const void *from, int64_t n, int64_t step, bool largest, int64_t k,    \
		int64_t *to, void *room)                                                                   \
	{                                                                                              \
		const T *x = from;                                                                         \
		entry_##name *entries = room;                                                              \
		for (int64_t i = 0; i < n; i++)                                                            \
			entries[i] = (entry_##name){x[i * step], i};                                           \
		qsort(entries, (size_t)n, sizeof *entries, largest ? order_##name : reverse_##name);       \
		for (int64_t i = 0; i < k; i++)                                                            \
			to[i * step] = entries[i].at;                                                          \
	}
SELECT_TYPES(SELECT_RUNS)
#undef SELECT_RUNS

enum { MOST_ENTRY_BYTES = 16 };

typedef struct selection {
	int64_t (*find)(const void *from, int64_t n, int64_t step, bool largest, bool last);
	void (*sort)(const void *from, int64_t n, int64_t step, bool largest, int64_t k, int64_t *to,
		void *room);
} selection;

static const selection selections[PIM_STAGE_COUNT] = {
#define SELECTION(name, T) [PIM_STAGE_##name] = {find_##name, sort_##name},
	SELECT_TYPES(SELECTION)
#undef SELECTION
};

/* The elements of one dim among all: n of them `step` apart, outer times as many blocks. */
typedef struct along {
	int64_t outer, n, step;
} along;

static along read_along(const pim_node *n)
{
	const pim_type *t = n->in[0]->type;
	int64_t axis = pim_node_int(n, "axis");
	along a = {1, t->dims[axis], 1};
	for (int d = 0; d < t->rank; d++) {
		a.outer *= d < axis ? t->dims[d] : 1;
		a.step *= d > axis ? t->dims[d] : 1;
	}
	return a;
}

static bool run_arg(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	pim_stage s = pim_stage_of(in[0].type->dtype);
	const char *x = pim_stage_whole(&in[0], e->scratch);
	bool largest = n->op == PIM_OP_arg_max, last = pim_node_int(n, "select_last") != 0;
	int64_t *y = out->data;
	along a = read_along(n);
	for (int64_t o = 0; o < a.outer; o++)
		for (int64_t i = 0; i < a.step; i++)
			*y++ = selections[s].find(x + (size_t)(o * a.n * a.step + i) * pim_stage_bytes(s), a.n,
				a.step, largest, last);
	return true;
}

bool pim_eval_arg_max(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_arg(n, in, out, e);
}

bool pim_eval_arg_min(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_arg(n, in, out, e);
}

bool pim_eval_top_k(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	pim_stage s = pim_stage_of(in[0].type->dtype);
	const char *x = pim_stage_whole(&in[0], e->scratch);
	bool largest = pim_node_int(n, "largest") != 0;
	int64_t k = pim_node_int(n, "k"), *y = out->data;
	along a = read_along(n);
	void *room = pim_arena_raw(e->scratch, MOST_ENTRY_BYTES * (size_t)a.n + 1);
	for (int64_t o = 0; o < a.outer && k > 0; o++)
		for (int64_t i = 0; i < a.step; i++)
			selections[s].sort(x + (size_t)(o * a.n * a.step + i) * pim_stage_bytes(s), a.n, a.step,
				largest, k, y + o * k * a.step + i, room);
	return true;
}
