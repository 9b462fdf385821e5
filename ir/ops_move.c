/* SPDX-License-Identifier: Apache-2.0 */
/* ops_move - ops that put elements in other places: reshape, transpose, slice, concat, expand; and
 * pad. */
#include "ir/op_rules.h"

#include <string.h>

/* ---- types ---- */

const pim_type *pim_infer_reshape(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	const int64_t *shape = NULL;
	int rank = pim_node_ints(n, "shape", &shape);
	const pim_type *y = t ? pim_rule_result(n, t->dtype, rank, shape) : NULL;
	if (y && y->elements != t->elements) {
		pim_node_error(n, "reshape of %s to %s: %lld elements become %lld", pim_rule_text(n, t),
			pim_rule_text(n, y), (long long)t->elements, (long long)y->elements);
		return NULL;
	}
	return y;
}

const pim_type *pim_infer_transpose(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	const int64_t *perm = t ? pim_rule_ints(n, "perm", t->rank) : NULL;
	int64_t dims[PIM_MAX_RANK];
	unsigned seen = 0;
	for (int d = 0; perm && d < t->rank; d++) {
		if (perm[d] < 0 || perm[d] >= t->rank || seen >> perm[d] & 1) {
			pim_node_error(n, "entry %d of perm is %lld, expected each of 0 to %d once", d,
				(long long)perm[d], t->rank - 1);
			return NULL;
		}
		seen |= 1u << perm[d];
		dims[d] = t->dims[perm[d]];
	}
	return perm ? pim_rule_result(n, t->dtype, t->rank, dims) : NULL;
}

/* Step of a slice along dim d. */
static int64_t step_of(const pim_node *n, int d)
{
	const int64_t *steps = NULL;
	return pim_node_ints(n, "steps", &steps) ? steps[d] : 1;
}

const pim_type *pim_infer_slice(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	const int64_t *starts = t ? pim_rule_ints(n, "starts", t->rank) : NULL, *steps = NULL;
	const int64_t *sizes = starts ? pim_rule_ints(n, "sizes", t->rank) : NULL;
	if (!sizes || (pim_node_ints(n, "steps", &steps) && !pim_rule_ints(n, "steps", t->rank)))
		return NULL;
	for (int d = 0; d < t->rank; d++) {
		int64_t step = step_of(n, d), last = starts[d];
		bool fits = sizes[d] >= 0 && step != 0;
		if (fits && sizes[d] > 0)
			fits = pim_mul(sizes[d] - 1, step, &last) && pim_add(last, starts[d], &last) &&
				   starts[d] >= 0 && starts[d] < t->dims[d] && last >= 0 && last < t->dims[d];
		if (!fits) {
			pim_node_error(n,
				"slice takes %lld elements from %lld by %lld in dim %d, which has %lld",
				(long long)sizes[d], (long long)starts[d], (long long)step, d,
				(long long)t->dims[d]);
			return NULL;
		}
	}
	return pim_rule_result(n, t->dtype, t->rank, sizes);
}

const pim_type *pim_infer_concat(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	int axis = t ? pim_rule_dim(n, "axis", t->rank) : -1;
	int64_t dims[PIM_MAX_RANK], sum = 0;
	if (axis < 0)
		return NULL;
	for (int i = 0; i < (int)n->n_in; i++) {
		const pim_type *u = pim_rule_operand(n, i);
		if (!u || !pim_rule_same_dtype(n, i))
			return NULL;
		bool fits = u->rank == t->rank;
		for (int d = 0; fits && d < t->rank; d++)
			fits = d == axis || u->dims[d] == t->dims[d];
		if (!fits || !pim_add(sum, u->dims[axis], &sum)) {
			pim_node_error(n, "input %d of concat is %s, expected the dims of %s but for dim %d", i,
				pim_rule_text(n, u), pim_rule_text(n, t), axis);
			return NULL;
		}
	}
	for (int d = 0; d < t->rank; d++)
		dims[d] = d == axis ? sum : t->dims[d];
	return pim_rule_result(n, t->dtype, t->rank, dims);
}

const pim_type *pim_infer_expand(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	const int64_t *shape = NULL;
	int rank = pim_node_ints(n, "shape", &shape);
	const pim_type *y = t ? pim_rule_result(n, t->dtype, rank, shape) : NULL;
	bool fits = y && t->rank <= rank;
	for (int d = 0; fits && d < t->rank; d++)
		fits = t->dims[d] == 1 || t->dims[d] == shape[d + rank - t->rank];
	if (y && !fits) {
		pim_node_error(n, "expand of %s to %s: a dim is neither 1 nor the result's",
			pim_rule_text(n, t), pim_rule_text(n, y));
		return NULL;
	}
	return y;
}

const pim_type *pim_infer_pad(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	const int64_t *pads = t ? pim_rule_ints(n, "pads", 2 * t->rank) : NULL;
	const char *mode = pim_node_string(n, "mode");
	int64_t dims[PIM_MAX_RANK];
	if (!pads)
		return NULL;
	if (!mode || (strcmp(mode, "constant") && strcmp(mode, "edge") && strcmp(mode, "reflect"))) {
		pim_node_error(
			n, "mode of pad is \"%s\", expected constant, edge or reflect", mode ? mode : "");
		return NULL;
	}
	for (int d = 0; d < t->rank; d++) {
		int64_t lo = pads[d], hi = pads[t->rank + d],
				most = *mode == 'r' ? t->dims[d] - 1 : INT64_MAX;
		bool fits = pim_add(t->dims[d], lo, &dims[d]) && pim_add(dims[d], hi, &dims[d]) &&
					dims[d] >= 0 && lo <= most && hi <= most &&
					(lo >= -t->dims[d] && hi >= -t->dims[d]) &&
					(*mode != 'e' || t->dims[d] > 0 || dims[d] == 0);
		if (!fits) {
			pim_node_error(n, "pads %lld and %lld (%s) do not fit dim %d, which has %lld elements",
				(long long)lo, (long long)hi, mode, d, (long long)t->dims[d]);
			return NULL;
		}
	}
	return pim_rule_result(n, t->dtype, t->rank, dims);
}

/* ---- axes ---- */

/* The end of the group of dims from `first` whose product is that of the other side's group. */
static void grow_group(const pim_type *a, const pim_type *b, int *a_end, int *b_end)
{
	int64_t pa = 1, pb = 1;
	do {
		if (pa <= pb && *a_end < a->rank)
			pa *= a->dims[(*a_end)++];
		else
			pb *= b->dims[(*b_end)++];
	} while (pa != pb);
}

/* Sizes at which a dim of [first, end) begins, counted from the inner end, into a sorted list. */
static int add_cuts(const pim_type *t, int first, int end, int64_t *cuts, int n)
{
	int64_t cut = 1;
	for (int d = end - 1; d >= first; d--) {
		cut *= t->dims[d];
		int at = n;
		while (at > 0 && cuts[at - 1] > cut)
			at--;
		if (at > 0 && cuts[at - 1] == cut)
			continue;
		memmove(cuts + at + 1, cuts + at, sizeof *cuts * (size_t)(n - at));
		cuts[at] = cut;
		n++;
	}
	return n;
}

/* Gives each dim the factors between its cuts, outer first; factor f lies between cuts f and f + 1.
 */
static void map_factors(pim_axes *x, int row, const pim_type *t, int first, int end,
	const int64_t *cuts, int n, int axis)
{
	int64_t inner = 1;
	for (int d = end - 1; d >= first; d--) {
		int64_t outer = inner * t->dims[d];
		for (int f = n - 2; f >= 0; f--)
			if (cuts[f] >= inner && cuts[f + 1] <= outer)
				pim_axes_term(x, row, d, axis + (n - 2 - f), cuts[f] / inner);
		inner = outer;
	}
}

static bool does_refine(const int64_t *cuts, int n)
{
	for (int f = 0; f + 1 < n; f++)
		if (cuts[f + 1] % cuts[f])
			return false;
	return true;
}

/* Dims are cut in the factors that both sides agree on: [56] and [8, 7] are factors 8 and 7. When
 * the cuts do not divide ([6, 4] and [8, 3]) the input is needed in full. */
void pim_axes_reshape(const pim_node *n, pim_axes *x)
{
	static const char *const names[PIM_MAX_AXES] = {"f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7",
		"f8", "f9", "f10", "f11", "f12", "f13", "f14", "f15", "f16"};
	const pim_type *t = n->in[0]->type, *y = n->type;
	if (t->elements == 0) {
		pim_axes_of_result(n, x);
		x->whole[0] = true;
		return;
	}
	for (int a = 0, b = 0; a < t->rank || b < y->rank;) {
		int a_end = a, b_end = b, n_cuts = 1;
		int64_t cuts[2 * PIM_MAX_RANK + 1] = {1};
		grow_group(t, y, &a_end, &b_end);
		n_cuts = add_cuts(y, b, b_end, cuts, n_cuts);
		int n_both = add_cuts(t, a, a_end, cuts, n_cuts);
		pim_axis_kind kind = does_refine(cuts, n_both) ? PIM_AXIS_free : PIM_AXIS_coupled;
		if (kind == PIM_AXIS_coupled) {
			x->whole[0] = true;
			cuts[0] = 1;
			n_both = add_cuts(y, b, b_end, cuts, 1);
		}
		int axis = x->n_axes;
		for (int f = n_both - 2; f >= 0; f--)
			pim_axes_axis(x, cuts[f + 1] / cuts[f], kind, names[x->n_axes]);
		map_factors(x, 1, y, b, b_end, cuts, n_both, axis);
		if (kind == PIM_AXIS_free)
			map_factors(x, 0, t, a, a_end, cuts, n_both, axis);
		a = a_end;
		b = b_end;
	}
}

void pim_axes_transpose(const pim_node *n, pim_axes *x)
{
	const int64_t *perm = NULL;
	pim_node_ints(n, "perm", &perm);
	pim_axes_of_result(n, x);
	for (int d = 0; d < n->type->rank; d++)
		pim_axes_term(x, 0, (int)perm[d], d, 1);
}

void pim_axes_slice(const pim_node *n, pim_axes *x)
{
	const int64_t *starts = NULL;
	pim_node_ints(n, "starts", &starts);
	pim_axes_of_result(n, x);
	for (int d = 0; d < n->type->rank; d++) {
		pim_axes_term(x, 0, d, d, step_of(n, d));
		x->map[0][d].offset = starts[d];
	}
}

void pim_axes_concat(const pim_node *n, pim_axes *x)
{
	int64_t axis = pim_node_int(n, "axis"), start = 0;
	pim_axes_of_result(n, x);
	for (int i = 0; i < (int)n->n_in; i++) {
		for (int d = 0; d < n->type->rank; d++)
			pim_axes_term(x, i, d, d, 1);
		x->map[i][axis].offset = -start;
		start += n->in[i]->type->dims[axis];
	}
}

void pim_axes_expand(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
}

/* Constant padding is what clipping leaves (windowed); edge and reflect need the whole dim. */
void pim_axes_pad(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type;
	const int64_t *pads = NULL;
	pim_node_ints(n, "pads", &pads);
	bool constant = *pim_node_string(n, "mode") == 'c';
	pim_axes_of_result(n, x);
	for (int d = 0; d < t->rank; d++) {
		bool padded = pads[d] != 0 || pads[t->rank + d] != 0;
		if (!padded || constant) {
			x->axis[d].kind = padded ? PIM_AXIS_windowed : PIM_AXIS_free;
			pim_axes_term(x, 0, d, d, 1);
			x->map[0][d].offset = -pads[d];
			continue;
		}
		x->axis[d].kind = PIM_AXIS_coupled;
		pim_axes_term(x, 0, d, pim_axes_axis(x, t->dims[d], PIM_AXIS_coupled, "source"), 1);
	}
}

/* ---- evaluation ---- */

bool pim_eval_reshape(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	(void)e;
	if (n->type->elements)
		memcpy(out->data, in[0].data, pim_dtype_bytes(n->type->dtype) * (size_t)n->type->elements);
	return true;
}

bool pim_eval_transpose(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = n->type;
	const int64_t *perm = NULL;
	int64_t own[PIM_MAX_RANK], strides[PIM_MAX_RANK];
	(void)e;
	pim_node_ints(n, "perm", &perm);
	pim_type_strides(in[0].type, own);
	for (int d = 0; d < t->rank; d++)
		strides[d] = own[perm[d]];
	pim_rows_copy(pim_dtype_bytes(t->dtype), t->rank, t->dims, out->data, in[0].data, strides);
	return true;
}

bool pim_eval_slice(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = n->type;
	size_t bytes = pim_dtype_bytes(t->dtype);
	const int64_t *starts = NULL;
	int64_t own[PIM_MAX_RANK], strides[PIM_MAX_RANK], at = 0;
	(void)e;
	if (t->elements == 0)
		return true;
	pim_node_ints(n, "starts", &starts);
	pim_type_strides(in[0].type, own);
	for (int d = 0; d < t->rank; d++) {
		strides[d] = own[d] * step_of(n, d);
		at += own[d] * starts[d];
	}
	pim_rows_copy(
		bytes, t->rank, t->dims, out->data, (const char *)in[0].data + (size_t)at * bytes, strides);
	return true;
}

bool pim_eval_concat(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = n->type;
	int64_t axis = pim_node_int(n, "axis"), outer = 1, inner = (int64_t)pim_dtype_bytes(t->dtype);
	char *to = out->data;
	(void)e;
	for (int d = 0; d < t->rank; d++) {
		outer *= d < axis ? t->dims[d] : 1;
		inner *= d > axis ? t->dims[d] : 1;
	}
	for (int64_t o = 0; o < outer; o++)
		for (int i = 0; i < (int)n->n_in; i++) {
			int64_t bytes = in[i].type->dims[axis] * inner;
			if (bytes)
				memcpy(to, (const char *)in[i].data + o * bytes, (size_t)bytes);
			to += bytes;
		}
	return true;
}

bool pim_eval_expand(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = n->type, *from = in[0].type;
	int64_t own[PIM_MAX_RANK], strides[PIM_MAX_RANK];
	int shift = t->rank - from->rank;
	(void)e;
	pim_type_strides(from, own);
	for (int d = 0; d < t->rank; d++)
		strides[d] = d < shift || from->dims[d - shift] == 1 ? 0 : own[d - shift];
	pim_rows_copy(pim_dtype_bytes(t->dtype), t->rank, t->dims, out->data, in[0].data, strides);
	return true;
}

/* Where each result index along a dim comes from, -1 for the added value. */
static int64_t *find_sources(char mode, int64_t lo, int64_t size, int64_t n, pim_arena *a)
{
	int64_t *from = PIM_NEW(a, int64_t, n);
	for (int64_t i = 0; i < n; i++) {
		int64_t at = i - lo;
		if (at >= 0 && at < size)
			from[i] = at;
		else if (mode == 'c')
			from[i] = -1;
		else if (mode == 'e')
			from[i] = at < 0 ? 0 : size - 1;
		else
			from[i] = at < 0 ? -at : 2 * (size - 1) - at;
	}
	return from;
}

/* Dims from d on of the result at `to`; x is the input there, NULL in padding. */
static char *pad_from(const pim_type *t, const pim_type *from, int d, int64_t *const *sources,
	const char *x, const char *fill, char *to)
{
	size_t bytes = pim_dtype_bytes(t->dtype);
	if (d == t->rank) {
		memcpy(to, x ? x : fill, bytes);
		return to + bytes;
	}
	int64_t stride = (int64_t)bytes;
	for (int k = d + 1; k < t->rank; k++)
		stride *= from->dims[k];
	for (int64_t i = 0; i < t->dims[d]; i++) {
		int64_t at = sources[d][i];
		to = pad_from(t, from, d + 1, sources, x && at >= 0 ? x + at * stride : NULL, fill, to);
	}
	return to;
}

bool pim_eval_pad(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = n->type, *from = in[0].type;
	const int64_t *pads = NULL;
	int64_t *sources[PIM_MAX_RANK];
	uint64_t fill = 0;
	pim_node_ints(n, "pads", &pads);
	pim_element_set(t->dtype, &fill, 0, pim_node_float(n, "value"));
	for (int d = 0; d < t->rank; d++)
		sources[d] = find_sources(
			*pim_node_string(n, "mode"), pads[d], from->dims[d], t->dims[d], e->scratch);
	pad_from(t, from, 0, sources, in[0].data, (const char *)&fill, out->data);
	return true;
}
