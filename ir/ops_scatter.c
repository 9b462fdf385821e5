/* SPDX-License-Identifier: Apache-2.0 */
/* ops_scatter - a tensor with updates written to places that integers say (negative: from the end):
 * scatter_elements along one dim, scatter_nd at places in several dims.
 *
 * Updates are taken in row-major order; where two meet, `reduction` joins them. f16 and bf16 are
 * joined in float and rounded once. */
#include "ir/op_rules.h"

#include <string.h>

#define REDUCTIONS(X) X(none) X(add) X(mul) X(min) X(max)

typedef enum join_kind {
#define JOIN(name) JOIN_##name,
	REDUCTIONS(JOIN)
#undef JOIN
		JOIN_COUNT
} join_kind;

static join_kind read_reduction(const pim_node *n)
{
	static const char *const names[] = {
#define JOIN(name) #name,
		REDUCTIONS(JOIN)
#undef JOIN
	};
	const char *name = pim_node_string(n, "reduction");
	for (int k = 0; name && k < JOIN_COUNT; k++)
		if (!strcmp(name, names[k]))
			return (join_kind)k;
	pim_node_error(n, "reduction of %s is \"%s\", expected none, add, mul, min or max",
		pim_node_op(n), name ? name : "");
	return JOIN_COUNT;
}

/* The type of x when its updates are of the same element type and can be joined. */
static const pim_type *check_operands(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	if (!t || !pim_rule_index_operand(n, 1) || !pim_rule_same_dtype(n, 2))
		return NULL;
	join_kind how = read_reduction(n);
	if (how != JOIN_none && how != JOIN_COUNT && t->dtype == PIM_DTYPE_bool) {
		pim_node_error(n, "input 0 of %s is bool, which has no reduction but none", pim_node_op(n));
		return NULL;
	}
	return how == JOIN_COUNT ? NULL : t;
}

const pim_type *pim_infer_scatter_elements(const pim_node *n)
{
	const pim_type *t = check_operands(n);
	int axis = t ? pim_rule_dim(n, "axis", t->rank) : -1;
	if (axis < 0)
		return NULL;
	const pim_type *i = n->in[1]->type, *u = n->in[2]->type;
	bool fits = i->rank == t->rank && u->rank == t->rank;
	for (int d = 0; fits && d < t->rank; d++)
		fits = i->dims[d] == u->dims[d] && (d == axis || i->dims[d] <= t->dims[d]);
	if (!fits) {
		pim_node_error(n,
			"indices and updates of scatter_elements are %s and %s, expected the same dims, no "
			"more than those of %s but for dim %d",
			pim_rule_text(n, i), pim_rule_text(n, u), pim_rule_text(n, t), axis);
		return NULL;
	}
	return t;
}

const pim_type *pim_infer_scatter_nd(const pim_node *n)
{
	const pim_type *t = check_operands(n);
	if (!t)
		return NULL;
	const pim_type *i = n->in[1]->type, *u = n->in[2]->type;
	int last = i->rank - 1, entries = 0;
	bool fits = last >= 0 && i->dims[last] <= t->rank;
	if (fits) {
		entries = (int)i->dims[last];
		fits = u->rank == last + t->rank - entries;
	}
	for (int d = 0; fits && d < u->rank; d++)
		fits = u->dims[d] == (d < last ? i->dims[d] : t->dims[d - last + entries]);
	if (!fits) {
		pim_node_error(n,
			"scatter_nd into %s at %s of %s, expected a slice for every vector of the last dim",
			pim_rule_text(n, t), pim_rule_text(n, i), pim_rule_text(n, u));
		return NULL;
	}
	return t;
}

/* ---- axes ---- */

/* Axes: one per result dim; coupled, with one for the updates, where places may differ. */
void pim_axes_scatter_elements(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->type, *u = n->in[2]->type;
	int64_t axis = pim_node_int(n, "axis");
	pim_axes_of_result(n, x);
	for (int d = 0; d < t->rank; d++) {
		bool same = d != axis && u->dims[d] == t->dims[d];
		int from = d;
		pim_axes_term(x, 0, d, d, 1);
		if (!same) {
			x->axis[d].kind = PIM_AXIS_coupled;
			from = pim_axes_axis(x, u->dims[d], PIM_AXIS_coupled, "entry");
		}
		pim_axes_term(x, 1, d, from, 1);
		pim_axes_term(x, 2, d, from, 1);
	}
}

void pim_axes_scatter_nd(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->type, *i = n->in[1]->type;
	int last = i->rank - 1, entries = (int)i->dims[last];
	pim_axes_of_result(n, x);
	x->whole[1] = true;
	for (int d = 0; d < t->rank; d++) {
		pim_axes_term(x, 0, d, d, 1);
		if (d < entries)
			x->axis[d].kind = PIM_AXIS_coupled;
		else
			pim_axes_term(x, 2, d - entries + last, d, 1);
	}
	for (int d = 0; d < last; d++)
		pim_axes_term(x, 2, d, pim_axes_axis(x, i->dims[d], PIM_AXIS_coupled, "entry"), 1);
}

/* ---- evaluation ---- */

/* stage, element, sum and product of integers modulo 2^64 */
#define JOIN_TYPES(X)                                                                              \
	X(f32, float, y[i] + u[i], y[i] * u[i])                                                        \
	X(f64, double, y[i] + u[i], y[i] * u[i])                                                       \
	X(i64, int64_t, (int64_t)((uint64_t)y[i] + (uint64_t)u[i]),                                    \
		(int64_t)((uint64_t)y[i] * (uint64_t)u[i]))                                                \
	X(u64, uint64_t, y[i] + u[i], y[i] * u[i])                                                     \
	X(bool, uint8_t, u[i], u[i])

/* n neighbouring elements; NaN wins over all. */
#define JOIN_RUN(name, type, sum, product)                                                         \
	static void join_##name(join_kind how, void *to, const void *from, int64_t n)                  \
	{                                                                                              \
		type *y = to;                                                                              \
		const type *u = from;                                                                      \
		for (int64_t i = 0; i < n; i++)                                                            \
			switch (how) {                                                                         \
			case JOIN_add:                                                                         \
				y[i] = sum;                                                                        \
				break;                                                                             \
			case JOIN_mul:                                                                         \
				y[i] = product;                                                                    \
				break;                                                                             \
			case JOIN_min:                                                                         \
				y[i] = u[i] < y[i] || u[i] != u[i] ? u[i] : y[i];                                  \
				break;                                                                             \
			case JOIN_max:                                                                         \
				y[i] = u[i] > y[i] || u[i] != u[i] ? u[i] : y[i];                                  \
				break;                                                                             \
			default:                                                                               \
				y[i] = u[i];                                                                       \
			}                                                                                      \
	}
JOIN_TYPES(JOIN_RUN)
#undef JOIN_RUN

static void (*const joins[PIM_STAGE_COUNT])(join_kind, void *, const void *, int64_t) = {
#define JOIN_ROW(name, ...) [PIM_STAGE_##name] = join_##name,
	JOIN_TYPES(JOIN_ROW)
#undef JOIN_ROW
};

/* A result being written: staged elements. */
typedef struct scattering {
	join_kind how;
	pim_stage stage;
	size_t bytes;
	char *y;
	const char *u;
} scattering;

static scattering start_scattering(
	const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_arena *scratch)
{
	pim_stage s = pim_stage_of(n->type->dtype);
	scattering w = {.how = read_reduction(n), .stage = s, .bytes = pim_stage_bytes(s)};
	const void *x = pim_stage_whole(&in[0], scratch);
	w.u = pim_stage_whole(&in[2], scratch);
	w.y = pim_stage_room(out, scratch);
	if (n->type->elements)
		memcpy(w.y, x, w.bytes * (size_t)n->type->elements);
	return w;
}

static void join(const scattering *w, int64_t to, int64_t from, int64_t n)
{
	joins[w->stage](w->how, w->y + (size_t)to * w->bytes, w->u + (size_t)from * w->bytes, n);
}

bool pim_eval_scatter_elements(
	const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *ti = in[1].type;
	int64_t axis = pim_node_int(n, "axis"), own[PIM_MAX_RANK], strides[1][PIM_MAX_RANK];
	const int64_t *at = pim_rule_indices(n, &in[1], 1, &n->type->dims[axis], e->scratch);
	pim_rows r;
	if (!at)
		return false;
	scattering w = start_scattering(n, in, out, e->scratch);
	pim_type_strides(n->type, own);
	for (int d = 0; d < ti->rank; d++)
		strides[0][d] = d == axis ? 0 : own[d];
	for (pim_rows_begin(&r, ti->rank, ti->dims, 1, (const int64_t(*)[PIM_MAX_RANK])strides);
		 pim_rows_next(&r);)
		for (int64_t i = 0; i < r.length; i++)
			join(&w, r.offset[0] + i * r.step[0] + at[r.result + i] * own[axis], r.result + i, 1);
	pim_stage_finish(out, w.y);
	return true;
}

bool pim_eval_scatter_nd(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = n->type, *ti = in[1].type;
	int64_t entries = ti->dims[ti->rank - 1], slices = 1, size = 1;
	const int64_t *at = pim_rule_indices(n, &in[1], (int)entries, t->dims, e->scratch);
	if (!at)
		return false;
	scattering w = start_scattering(n, in, out, e->scratch);
	for (int d = 0; d < ti->rank - 1; d++)
		slices *= ti->dims[d];
	for (int d = (int)entries; d < t->rank; d++)
		size *= t->dims[d];
	for (int64_t k = 0; k < slices; k++) {
		int64_t place = 0;
		for (int64_t d = 0; d < entries; d++)
			place = place * t->dims[d] + at[k * entries + d];
		join(&w, place * size, k * size, size);
	}
	pim_stage_finish(out, w.y);
	return true;
}
