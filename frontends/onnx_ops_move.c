/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_move - operators that only move elements.
 *
 * Shapes, axes and bounds moved from attributes to inputs over the opsets; converters read
 * whichever the node has. All of them must be known at import. Rules: ONNX operator specification.
 */
#include <string.h>

#include "frontends/onnx.h"

bool onnx_convert_identity(onnx_call *k)
{
	return onnx_give(k, k->in[0]);
}

/* In inference the mask (bool from opset 10 on) is true everywhere. */
bool onnx_convert_dropout(onnx_call *k)
{
	pim_node *x = k->in[0], *training = k->n_in > 2 ? k->in[2] : NULL;
	double trains = 0;
	if (training && !onnx_input_number(k, 2, &trains))
		return false;
	if (trains != 0)
		return onnx_fail(k, "training_mode is true, only inference is supported");
	if (k->n_out > 1 && k->opset >= 10) {
		static const uint8_t yes = 1;
		const pim_type *t = x->type;
		t = pim_type_tensor(k->import->context, PIM_DTYPE_bool, t->rank, t->dims);
		k->out[1] = onnx_constant_node(k, t, &(pim_data){.kind = PIM_DATA_splat, .bytes = &yes});
	}
	return onnx_give(k, x);
}

/* Settles 0 (as in the input) and -1 (what is left). */
static bool settle_shape(onnx_call *k, int n, int64_t *dims)
{
	const pim_type *t = k->in[0]->type;
	int64_t known = 1, allow_zero = onnx_int(k, "allowzero", 0);
	int open = -1;
	for (int d = 0; d < n; d++) {
		if (dims[d] == 0 && !allow_zero && d >= t->rank)
			return onnx_fail(k, "shape[%d] is 0 (as in the input), but the input is %s", d,
				pim_type_text(t, k->import->scratch));
		if (dims[d] == 0 && !allow_zero)
			dims[d] = t->dims[d];
		if (dims[d] == -1 && open >= 0)
			return onnx_fail(k, "shape has -1 in dims %d and %d, at most one may be open", open, d);
		if (dims[d] == -1)
			open = d;
		else if (dims[d] < 0 || !pim_mul(known, dims[d], &known))
			return onnx_fail(k, "shape[%d] is %lld", d, (long long)dims[d]);
	}
	if (open < 0)
		return true;
	if (known == 0 || t->elements % known)
		return onnx_fail(k, "%s does not divide into a shape with %lld elements and one open dim",
			pim_type_text(t, k->import->scratch), (long long)known);
	dims[open] = t->elements / known;
	return true;
}

/* The list that is attribute `name` or input i; -1 after a diagnostic. */
static int list_of(onnx_call *k, const char *name, int i, int64_t *v)
{
	const int64_t *given;
	int n = onnx_ints(k, name, &given);
	if (n < 0 && i < k->n_in && k->in[i])
		return onnx_input_ints(k, i, PIM_MAX_RANK, v);
	if (n < 0) {
		onnx_fail(k, "%s is missing", name);
		return -1;
	}
	if (n > PIM_MAX_RANK) {
		onnx_fail(k, "%s has %d numbers, the most is %d", name, n, PIM_MAX_RANK);
		return -1;
	}
	for (int d = 0; d < n; d++)
		v[d] = given[d];
	return n;
}

bool onnx_convert_reshape(onnx_call *k)
{
	int64_t dims[PIM_MAX_RANK];
	int n = list_of(k, "shape", 1, dims);
	if (n < 0 || !settle_shape(k, n, dims))
		return false;
	return onnx_give(k, onnx_reshape(k, k->in[0], n, dims));
}

bool onnx_convert_flatten(onnx_call *k)
{
	const pim_type *t = k->in[0]->type;
	int64_t axis = onnx_int(k, "axis", 1), dims[2] = {1, 1};
	if (axis != t->rank && !onnx_axis(k, &axis, t->rank))
		return false;
	for (int d = 0; d < t->rank; d++)
		dims[d >= axis] *= t->dims[d];
	return onnx_give(k, onnx_reshape(k, k->in[0], 2, dims));
}

bool onnx_convert_squeeze(onnx_call *k)
{
	const pim_type *t = k->in[0]->type;
	int64_t axes[PIM_MAX_RANK], dims[PIM_MAX_RANK];
	int n = onnx_axes(k, "axes", 1, t->rank, axes), rank = 0;
	if (n == -1)
		return false;
	for (int d = 0, a = 0; d < t->rank; d++) {
		bool drop = n == -2 ? t->dims[d] == 1 : a < n && axes[a] == d;
		if (drop && t->dims[d] != 1)
			return onnx_fail(k, "dim %d of %s is not 1", d, pim_type_text(t, k->import->scratch));
		a += drop;
		if (!drop)
			dims[rank++] = t->dims[d];
	}
	return onnx_give(k, onnx_reshape(k, k->in[0], rank, dims));
}

bool onnx_convert_unsqueeze(onnx_call *k)
{
	const pim_type *t = k->in[0]->type;
	int64_t axes[PIM_MAX_RANK], dims[PIM_MAX_RANK];
	const int64_t *given;
	int n = onnx_ints(k, "axes", &given), rank;
	if (n < 0 && k->n_in > 1 && k->in[1])
		n = (int)(k->in[1]->type->elements < PIM_MAX_RANK ? k->in[1]->type->elements
														  : PIM_MAX_RANK);
	if (n < 0)
		return onnx_fail(k, "axes is missing");
	rank = t->rank + n;
	if (rank > PIM_MAX_RANK)
		return onnx_fail(k, "the result would have %d dims, the most is %d", rank, PIM_MAX_RANK);
	if (onnx_axes(k, "axes", 1, rank, axes) != n)
		return false;
	for (int d = 0, a = 0; d < rank; d++) {
		bool added = a < n && axes[a] == d;
		dims[d] = added ? 1 : t->dims[d - a];
		a += added;
	}
	return onnx_give(k, onnx_reshape(k, k->in[0], rank, dims));
}

bool onnx_convert_transpose(onnx_call *k)
{
	int64_t perm[PIM_MAX_RANK];
	const int64_t *given;
	int rank = k->in[0]->type->rank, n = onnx_ints(k, "perm", &given);
	if (n >= 0 && n != rank)
		return onnx_fail(k, "perm has %d numbers, but the input is %s", n,
			pim_type_text(k->in[0]->type, k->import->scratch));
	for (int d = 0; d < rank; d++)
		perm[d] = n < 0 ? rank - 1 - d : given[d];
	return onnx_give(k, onnx_transpose(k, k->in[0], perm));
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

/* Start and count of `start : end : step` in a dim, numpy's rules. */
static void settle_range(int64_t size, int64_t *start, int64_t end, int64_t step, int64_t *count)
{
	int64_t high = step < 0 ? size - 1 : size;
	*start = clamp(*start < 0 ? *start + size : *start, 0, high);
	if (end < 0)
		end = end < -size ? -1 : end + size;
	end = clamp(end, step < 0 ? -1 : 0, high);
	*count = step > 0 ? (end - *start + step - 1) / step : (*start - end - step - 1) / -step;
	if (*count <= 0 || size == 0)
		*count = *start = 0;
}

/* starts, ends, axes, steps as lists of n; false after a diagnostic. */
static bool slice_lists(onnx_call *k, int *n, int64_t list[4][PIM_MAX_RANK])
{
	static const char *const names[] = {"starts", "ends", "axes", "steps"};
	*n = list_of(k, names[0], 1, list[0]);
	for (int i = 1; i < 4 && *n >= 0; i++) {
		bool given = onnx_attribute(k, names[i]) || (i + 1 < k->n_in && k->in[i + 1]);
		int count = given || i == 1 ? list_of(k, names[i], i + 1, list[i]) : *n;
		if (count >= 0 && count != *n)
			return onnx_fail(k, "%s has %d numbers, but starts has %d", names[i], count, *n);
		if (count < 0)
			return false;
		for (int d = 0; d < *n && !given && i > 1; d++)
			list[i][d] = i == 2 ? d : 1;
	}
	return *n >= 0;
}

bool onnx_convert_slice(onnx_call *k)
{
	const pim_type *t = k->in[0]->type;
	int64_t list[4][PIM_MAX_RANK], starts[PIM_MAX_RANK], sizes[PIM_MAX_RANK], steps[PIM_MAX_RANK];
	int n;
	if (!slice_lists(k, &n, list))
		return false;
	for (int d = 0; d < t->rank; d++) {
		starts[d] = 0;
		sizes[d] = t->dims[d];
		steps[d] = 1;
	}
	for (int i = 0; i < n; i++) {
		int64_t d = list[2][i], step = list[3][i];
		if (!onnx_axis(k, &d, t->rank))
			return false;
		if (step == 0)
			return onnx_fail(k, "steps[%d] is 0", i);
		starts[d] = list[0][i];
		steps[d] = clamp(step, -INT32_MAX, INT32_MAX);
		settle_range(t->dims[d], &starts[d], list[1][i], steps[d], &sizes[d]);
	}
	return onnx_give(k, onnx_slice(k, k->in[0], starts, sizes, steps));
}

/* Sizes of the parts along a dim of `size`: as given, else equal, the last one smaller. */
static bool split_sizes(onnx_call *k, int64_t size, int64_t *parts)
{
	const int64_t *given;
	int n = onnx_ints(k, "split", &given);
	int64_t left = size, each;
	if (n < 0 && k->n_in > 1 && k->in[1]) {
		n = onnx_input_ints(k, 1, k->n_out, parts);
		if (n < 0)
			return false;
	} else if (n > 0 && n == k->n_out) {
		memcpy(parts, given, sizeof *parts * (size_t)n);
	}
	if (n >= 0 && n != k->n_out)
		return onnx_fail(k, "split has %d sizes for %d results", n, k->n_out);
	each = (size + k->n_out - 1) / k->n_out;
	if (n < 0 && k->opset < 18 && size % k->n_out)
		return onnx_fail(k, "%lld does not divide into %d equal parts", (long long)size, k->n_out);
	for (int i = 0; i < k->n_out; i++) {
		if (n < 0)
			parts[i] = clamp(each, 0, left);
		if (parts[i] < 0 || parts[i] > left)
			return onnx_fail(k, "split[%d] is %lld, but %lld of %lld are left", i,
				(long long)parts[i], (long long)left, (long long)size);
		left -= parts[i];
	}
	return left == 0 ||
		   onnx_fail(k, "split leaves %lld of %lld over", (long long)left, (long long)size);
}

bool onnx_convert_split(onnx_call *k)
{
	const pim_type *t = k->in[0]->type;
	int64_t axis = onnx_int(k, "axis", 0), starts[PIM_MAX_RANK] = {0}, sizes[PIM_MAX_RANK];
	int64_t *parts = PIM_NEW(k->import->scratch, int64_t, k->n_out + 1);
	if (!onnx_axis(k, &axis, t->rank) || !split_sizes(k, t->dims[axis], parts))
		return false;
	memcpy(sizes, t->dims, sizeof *sizes * (size_t)t->rank);
	for (int i = 0; i < k->n_out; i++) {
		sizes[axis] = parts[i];
		k->out[i] = onnx_slice(k, k->in[0], starts, sizes, NULL);
		if (!k->out[i])
			return false;
		starts[axis] += parts[i];
	}
	return true;
}

bool onnx_convert_concat(onnx_call *k)
{
	int64_t axis = onnx_int(k, "axis", 1);
	pim_attr attr;
	for (int i = 0; i < k->n_in; i++)
		if (!k->in[i])
			return onnx_fail(k, "input %d is missing", i);
	if (!onnx_axis(k, &axis, k->in[0]->type->rank))
		return false;
	attr = onnx_attr_int("axis", axis);
	return onnx_give(k, onnx_make(k, PIM_OP_concat, k->n_in, k->in, 1, &attr));
}

bool onnx_convert_expand(onnx_call *k)
{
	const pim_type *t = k->in[0]->type;
	int64_t wanted[PIM_MAX_RANK], dims[PIM_MAX_RANK];
	int n = onnx_input_ints(k, 1, PIM_MAX_RANK, wanted), rank = n > t->rank ? n : t->rank;
	if (n < 0)
		return false;
	for (int d = 0; d < rank; d++) {
		int a = d - (rank - t->rank), b = d - (rank - n);
		int64_t have = a < 0 ? 1 : t->dims[a], want = b < 0 ? 1 : wanted[b];
		dims[d] = have == 1 ? want : have;
		if (dims[d] < 0 || (want != 1 && want != dims[d]))
			return onnx_fail(k, "shape[%d] is %lld, but the input is %s", b, (long long)want,
				pim_type_text(t, k->import->scratch));
	}
	return onnx_give(k, onnx_expand(k, k->in[0], rank, dims));
}

/* One dim at a time: [.., d, ..] to [.., 1, d, ..] to [.., r, d, ..] to [.., r*d, ..]. */
static pim_node *tile_dim(onnx_call *k, pim_node *x, int d, int64_t repeats)
{
	int64_t dims[3] = {1, x->type->dims[d], 1}, size;
	int64_t result[PIM_MAX_RANK];
	pim_node *y;
	memcpy(result, x->type->dims, sizeof *result * (size_t)x->type->rank);
	for (int i = 0; i < d; i++)
		dims[0] *= result[i];
	for (int i = d + 1; i < x->type->rank; i++)
		dims[2] *= result[i];
	if (repeats < 0 || !pim_mul(result[d], repeats, &result[d]) ||
		!pim_mul(result[d], dims[2], &size)) {
		onnx_fail(k, "repeats[%d] is %lld", d, (long long)repeats);
		return NULL;
	}
	y = onnx_reshape(k, x, 4, (int64_t[]){dims[0], 1, dims[1], dims[2]});
	y = onnx_expand(k, y, 4, (int64_t[]){dims[0], repeats, dims[1], dims[2]});
	return onnx_reshape(k, y, x->type->rank, result);
}

bool onnx_convert_tile(onnx_call *k)
{
	pim_node *x = k->in[0];
	int64_t repeats[PIM_MAX_RANK];
	int n = onnx_input_ints(k, 1, PIM_MAX_RANK, repeats);
	if (n < 0)
		return false;
	if (n != x->type->rank)
		return onnx_fail(k, "repeats has %d numbers, but the input has %d dims", n, x->type->rank);
	for (int d = 0; d < n && x; d++)
		if (repeats[d] != 1)
			x = tile_dim(k, x, d, repeats[d]);
	return onnx_give(k, x);
}

/* All pads, low ends then high ends, from those of some axes. */
static bool spread_pads(onnx_call *k, int64_t *pads)
{
	int64_t given[2 * PIM_MAX_RANK], axes[PIM_MAX_RANK];
	const int64_t *list;
	int rank = k->in[0]->type->rank, count = onnx_ints(k, "pads", &list), n = rank;
	if (count < 0 && k->n_in > 1 && k->in[1])
		count = onnx_input_ints(k, 1, 2 * PIM_MAX_RANK, given);
	else if (count < 0 || count > 2 * PIM_MAX_RANK)
		return onnx_fail(k, "pads is missing or has more than %d numbers", 2 * PIM_MAX_RANK);
	else if (count)
		memcpy(given, list, sizeof *given * (size_t)count);
	for (int d = 0; d < rank; d++)
		axes[d] = d;
	if (k->n_in > 3 && k->in[3])
		n = onnx_input_ints(k, 3, PIM_MAX_RANK, axes);
	if (count < 0 || n < 0)
		return false;
	if (count != 2 * n)
		return onnx_fail(k, "pads has %d numbers, expected %d", count, 2 * n);
	memset(pads, 0, sizeof *pads * 2 * (size_t)rank);
	for (int i = 0; i < n; i++) {
		if (!onnx_axis(k, &axes[i], rank))
			return false;
		pads[axes[i]] = given[i];
		pads[rank + axes[i]] = given[n + i];
	}
	return true;
}

/* The element of a dim of `size` that stands at i: wrapped, or mirrored at the ends. */
static int64_t fold_index(int64_t i, int64_t size, bool wraps)
{
	int64_t period = wraps ? size : 2 * (size - 1);
	if (period == 0)
		return 0;
	i = (i % period + period) % period;
	return i < size ? i : period - i;
}

/* Padding that goes around the dim, or further than its mirror image: by a gather for each dim.
 * What negative pads cut off is not seen on the other side either. */
static bool pad_by_index(onnx_call *k, const int64_t *pads, bool wraps)
{
	pim_node *x = k->in[0];
	int rank = x->type->rank;
	for (int d = 0; d < rank && x; d++) {
		int64_t low = pads[d], high = pads[rank + d], cut = low < 0 ? -low : 0;
		int64_t n = x->type->dims[d] + low + high;
		int64_t size = x->type->dims[d] - cut + (high < 0 ? high : 0);
		pim_attr axis = onnx_attr_int("axis", d);
		double *at;
		if (low == 0 && high == 0)
			continue;
		if (size <= 0 || n < 0 || n > INT32_MAX)
			return onnx_fail(k, "dim %d of %s cannot be padded to %lld", d,
				pim_type_text(x->type, k->import->scratch), (long long)n);
		at = PIM_NEW(k->import->scratch, double, n + 1);
		for (int64_t i = 0; i < n; i++)
			at[i] = (double)(cut + fold_index(i - (low > 0 ? low : 0), size, wraps));
		x = onnx_make(k, PIM_OP_gather, 2,
			(pim_node *[]){x, onnx_numbers(k, PIM_DTYPE_i64, 1, &n, at)}, 1, &axis);
	}
	return onnx_give(k, x);
}

/* Does the mirror image of one side do, and is nothing cut off? */
static bool is_within_reflection(const pim_type *t, const int64_t *pads)
{
	for (int d = 0; d < 2 * t->rank; d++)
		if (pads[d] < 0 || (pads[d] > 0 && pads[d] >= t->dims[d % t->rank]))
			return false;
	return true;
}

bool onnx_convert_pad(onnx_call *k)
{
	int64_t pads[2 * PIM_MAX_RANK];
	double value = onnx_float(k, "value", 0);
	const char *mode = onnx_string(k, "mode", "constant");
	pim_attr attrs[3];
	int n = 0;
	if (strcmp(mode, "constant") && strcmp(mode, "edge") && strcmp(mode, "reflect") &&
		strcmp(mode, "wrap"))
		return onnx_fail(k, "mode is '%s', expected constant, edge, reflect or wrap", mode);
	if (!spread_pads(k, pads) || (k->n_in > 2 && k->in[2] && !onnx_input_number(k, 2, &value)))
		return false;
	if (!strcmp(mode, "wrap") ||
		(!strcmp(mode, "reflect") && !is_within_reflection(k->in[0]->type, pads)))
		return pad_by_index(k, pads, !strcmp(mode, "wrap"));
	attrs[n++] = onnx_attr_ints("pads", 2 * k->in[0]->type->rank, pads);
	if (strcmp(mode, "constant"))
		attrs[n++] = onnx_attr_string("mode", mode);
	else if (value != 0)
		attrs[n++] = onnx_attr_float("value", value);
	return onnx_give(k, onnx_make(k, PIM_OP_pad, 1, k->in, n, attrs));
}

/* Indices counted from the end made positive. */
static pim_node *positive_indices(onnx_call *k, pim_node *i, int64_t size)
{
	pim_node *in[3] = {onnx_make2(k, PIM_OP_less, i, onnx_scalar(k, i, 0)),
		onnx_make2(k, PIM_OP_add, i, onnx_scalar(k, i, (double)size)), i};
	return onnx_make(k, PIM_OP_where, 3, in, 0, NULL);
}

bool onnx_convert_gather(onnx_call *k)
{
	int64_t axis = onnx_int(k, "axis", 0);
	pim_node *x = k->in[0], *i = k->in[1];
	pim_attr attr;
	if (!onnx_axis(k, &axis, x->type->rank))
		return false;
	if (i->op == PIM_OP_constant)
		i = positive_indices(k, i, x->type->dims[axis]);
	attr = onnx_attr_int("axis", axis);
	return onnx_give(k, onnx_make(k, PIM_OP_gather, 2, (pim_node *[]){x, i}, 1, &attr));
}

/* Space (h, w) and blocks change places: reshape, transpose, reshape. */
static bool move_blocks(onnx_call *k, const int64_t *from, const int64_t *perm, const int64_t *to)
{
	pim_node *y = onnx_reshape(k, k->in[0], 6, from);
	return onnx_give(k, onnx_reshape(k, onnx_transpose(k, y, perm), 4, to));
}

/* Checks the input's rank and the block size; 0 after a diagnostic. */
static int64_t block_size(onnx_call *k)
{
	int64_t b = onnx_int(k, "blocksize", 0);
	if (k->in[0]->type->rank == 4 && b > 0 && b <= INT32_MAX)
		return b;
	onnx_fail(k, "blocksize is %lld and the input %s, expected at least 1 and four dims",
		(long long)b, pim_type_text(k->in[0]->type, k->import->scratch));
	return 0;
}

bool onnx_convert_depth_to_space(onnx_call *k)
{
	const int64_t *d = k->in[0]->type->dims, b = block_size(k);
	const char *mode = onnx_string(k, "mode", "DCR");
	if (!b)
		return false;
	if (strcmp(mode, "DCR") && strcmp(mode, "CRD"))
		return onnx_fail(k, "mode is '%s', expected DCR or CRD", mode);
	if (d[1] % (b * b))
		return onnx_fail(k, "%lld channels do not divide by blocksize %lld squared",
			(long long)d[1], (long long)b);
	int64_t c = d[1] / (b * b), to[4] = {d[0], c, d[2] * b, d[3] * b};
	if (!strcmp(mode, "DCR"))
		return move_blocks(
			k, (int64_t[]){d[0], b, b, c, d[2], d[3]}, (int64_t[]){0, 3, 4, 1, 5, 2}, to);
	return move_blocks(
		k, (int64_t[]){d[0], c, b, b, d[2], d[3]}, (int64_t[]){0, 1, 4, 2, 5, 3}, to);
}

bool onnx_convert_space_to_depth(onnx_call *k)
{
	const int64_t *d = k->in[0]->type->dims, b = block_size(k);
	if (!b)
		return false;
	if (d[2] % b || d[3] % b)
		return onnx_fail(k, "%lld x %lld does not divide by blocksize %lld", (long long)d[2],
			(long long)d[3], (long long)b);
	return move_blocks(k, (int64_t[]){d[0], d[1], d[2] / b, b, d[3] / b, b},
		(int64_t[]){0, 3, 5, 1, 2, 4}, (int64_t[]){d[0], d[1] * b * b, d[2] / b, d[3] / b});
}
