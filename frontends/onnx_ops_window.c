/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_window - convolutions and pooling.
 *
 * auto_pad, output_shape and ceil_mode are settled here: programs know explicit pads only. A window
 * that ceil_mode adds becomes extra padding at the high end; average_pool is told which padding
 * counts. Rules: ONNX operator specification (Conv 22, ConvTranspose 22, MaxPool 22, AveragePool
 * 22). */
#include <string.h>

#include "frontends/onnx.h"

enum { MAX_SPATIAL = PIM_MAX_RANK - 2 };

/* Larger strides, pads, ... than this are mistakes, and sums of them do not overflow. */
#define LARGEST INT64_C(0x7fffffff)

typedef struct window {
	int n; /* spatial dims */
	int64_t kernel[MAX_SPATIAL], strides[MAX_SPATIAL], dilations[MAX_SPATIAL],
		pads[2 * MAX_SPATIAL];
} window;

/* A list of `n` numbers in least..LARGEST; every one is `init` when the attribute is absent. */
static bool read_list(
	const onnx_call *k, const char *name, int n, int64_t init, int64_t least, int64_t *v)
{
	const int64_t *given;
	int count = onnx_ints(k, name, &given);
	if (count >= 0 && count != n)
		return onnx_fail(k, "%s has %d numbers, expected %d", name, count, n);
	for (int i = 0; i < n; i++) {
		v[i] = count < 0 ? init : given[i];
		if (v[i] < least || v[i] > LARGEST)
			return onnx_fail(k, "%s[%d] is %lld, expected at least %lld", name, i, (long long)v[i],
				(long long)least);
	}
	return true;
}

static int64_t reach(const window *w, int i)
{
	return (w->kernel[i] - 1) * w->dilations[i] + 1;
}

static bool is_lower(const char *auto_pad)
{
	return !strcmp(auto_pad, "SAME_LOWER");
}

/* Splits padding over both ends; an odd one goes to the high end unless `lower`. */
static void share_padding(window *w, int i, int64_t total, const char *auto_pad)
{
	int64_t more = total - total / 2;
	w->pads[i] = is_lower(auto_pad) ? more : total / 2;
	w->pads[w->n + i] = total - w->pads[i];
}

/* NOTSET, VALID, SAME_UPPER or SAME_LOWER; NULL after a diagnostic. */
static const char *read_auto_pad(const onnx_call *k)
{
	static const char *const kinds[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
	const char *given = onnx_string(k, "auto_pad", "NOTSET");
	for (int i = 0; i < 4; i++)
		if (!strcmp(given, kinds[i]) || (i == 0 && !*given))
			return kinds[i];
	onnx_fail(k, "auto_pad is '%s', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER", given);
	return NULL;
}

static bool is_same(const char *auto_pad)
{
	return !strncmp(auto_pad, "SAME", 4);
}

/* Reads everything but the kernel; `x` is what the window moves over. */
static bool read_window(const onnx_call *k, const pim_type *x, window *w)
{
	const char *auto_pad = read_auto_pad(k);
	if (!auto_pad || !read_list(k, "strides", w->n, 1, 1, w->strides) ||
		!read_list(k, "dilations", w->n, 1, 1, w->dilations) ||
		!read_list(k, "pads", 2 * w->n, 0, 0, w->pads))
		return false;
	for (int i = 0; i < w->n; i++) {
		int64_t size = x->dims[2 + i], out = (size + w->strides[i] - 1) / w->strides[i];
		int64_t total = (out - 1) * w->strides[i] + reach(w, i) - size;
		if (is_same(auto_pad))
			share_padding(w, i, total > 0 ? total : 0, auto_pad);
		else if (!strcmp(auto_pad, "VALID"))
			w->pads[i] = w->pads[w->n + i] = 0;
	}
	return true;
}

static bool check_spatial(const onnx_call *k, int rank, window *w)
{
	w->n = rank - 2;
	if (rank >= 3)
		return true;
	return onnx_fail(k, "input %s has %d dims, expected at least 3", k->node->input[0], rank);
}

/* The kernel of a convolution: the weights' spatial dims, which kernel_shape may repeat. */
static bool weight_kernel(const onnx_call *k, window *w)
{
	const pim_type *x = k->in[0]->type, *t = k->in[1]->type;
	if (!check_spatial(k, x->rank, w))
		return false;
	if (t->rank != x->rank)
		return onnx_fail(k, "weights are %s, expected %d dims as the input has",
			pim_type_text(t, k->import->scratch), x->rank);
	for (int i = 0; i < w->n; i++)
		w->kernel[i] = t->dims[2 + i];
	int64_t stated[MAX_SPATIAL];
	if (!read_list(k, "kernel_shape", w->n, 1, 1, stated))
		return false;
	for (int i = 0; i < w->n && onnx_attribute(k, "kernel_shape"); i++)
		if (stated[i] != w->kernel[i])
			return onnx_fail(k, "kernel_shape[%d] is %lld, but the weights are %s", i,
				(long long)stated[i], pim_type_text(t, k->import->scratch));
	return true;
}

/* Adds a list unless every number is `usual`, which is what an absent one means. */
static int add_list(
	pim_attr *attrs, int at, const char *name, int n, const int64_t *v, int64_t usual)
{
	bool is_usual = true;
	for (int i = 0; i < n; i++)
		is_usual = is_usual && v[i] == usual;
	if (!is_usual)
		attrs[at++] = onnx_attr_ints(name, n, v);
	return at;
}

static int add_groups(const onnx_call *k, pim_attr *attrs, int at)
{
	int64_t groups = onnx_int(k, "group", 1);
	if (groups != 1)
		attrs[at++] = onnx_attr_int("groups", groups);
	return at;
}

static int window_attrs(const window *w, pim_attr *attrs)
{
	int n = add_list(attrs, 0, "strides", w->n, w->strides, 1);
	n = add_list(attrs, n, "pads", 2 * w->n, w->pads, 0);
	return add_list(attrs, n, "dilations", w->n, w->dilations, 1);
}

/* x - x_zero by w - w_zero in i32. */
pim_node *onnx_conv_integer(onnx_call *k, int64_t x_zero, int64_t w_zero)
{
	window w;
	pim_attr attrs[6];
	int n;
	if (!weight_kernel(k, &w) || !read_window(k, k->in[0]->type, &w))
		return NULL;
	n = window_attrs(&w, attrs);
	n = add_groups(k, attrs, n);
	if (x_zero)
		attrs[n++] = onnx_attr_int("x_zero", x_zero);
	if (w_zero)
		attrs[n++] = onnx_attr_int("w_zero", w_zero);
	return onnx_make(k, PIM_OP_conv_integer, 2, k->in, n, attrs);
}

bool onnx_convert_conv(onnx_call *k)
{
	window w;
	pim_attr attrs[4];
	int n;
	if (!weight_kernel(k, &w) || !read_window(k, k->in[0]->type, &w))
		return false;
	n = window_attrs(&w, attrs);
	n = add_groups(k, attrs, n);
	return onnx_give(k, onnx_make(k, PIM_OP_conv, k->n_in, k->in, n, attrs));
}

/* Pads from the wanted result size; a result larger than the full one is padded. */
static void fit_output(
	window *w, int i, int64_t size, int64_t wanted, int64_t *output_padding, const char *auto_pad)
{
	int64_t total = w->strides[i] * (size - 1) + *output_padding + reach(w, i) - wanted;
	if (total < 0) {
		*output_padding -= total;
		total = 0;
	}
	share_padding(w, i, total, strcmp(auto_pad, "SAME_UPPER") ? "SAME_LOWER" : auto_pad);
}

bool onnx_convert_conv_transpose(onnx_call *k)
{
	window w;
	pim_attr attrs[5];
	int64_t extra[MAX_SPATIAL], wanted[MAX_SPATIAL];
	const char *auto_pad = read_auto_pad(k);
	const pim_type *x = k->in[0]->type;
	int n, count;
	const int64_t *given;
	if (!auto_pad || !weight_kernel(k, &w) || !read_window(k, x, &w) ||
		!read_list(k, "output_padding", w.n, 0, 0, extra))
		return false;
	count = onnx_ints(k, "output_shape", &given);
	if (count == w.n + 2)
		given += 2;
	else if (count >= 0 && count != w.n)
		return onnx_fail(k, "output_shape has %d numbers, expected %d", count, w.n);
	for (int i = 0; i < w.n; i++) {
		wanted[i] = count >= 0 ? given[i] : x->dims[2 + i] * w.strides[i];
		if (wanted[i] < 1 || wanted[i] > LARGEST)
			return onnx_fail(
				k, "output_shape[%d] is %lld, expected at least 1", i, (long long)wanted[i]);
		if (count >= 0 || is_same(auto_pad))
			fit_output(&w, i, x->dims[2 + i], wanted[i], &extra[i], auto_pad);
	}
	n = window_attrs(&w, attrs);
	n = add_list(attrs, n, "output_padding", w.n, extra, 0);
	n = add_groups(k, attrs, n);
	return onnx_give(k, onnx_make(k, PIM_OP_conv_transpose, k->n_in, k->in, n, attrs));
}

/* Grows the high pads so that a last, incomplete window counts; one that would start in the
 * padding behind the input does not. */
static void apply_ceil_mode(window *w, const pim_type *x)
{
	for (int i = 0; i < w->n; i++) {
		int64_t size = x->dims[2 + i], low = w->pads[i], *high = &w->pads[w->n + i];
		int64_t room = size + low + *high - reach(w, i), out, needed;
		if (room < 0)
			continue;
		out = (room + w->strides[i] - 1) / w->strides[i] + 1;
		if ((out - 1) * w->strides[i] >= size + low)
			out--;
		needed = (out - 1) * w->strides[i] + reach(w, i) - size - low;
		if (needed > *high)
			*high = needed;
	}
}

static bool read_pool(onnx_call *k, window *w, int64_t *counted)
{
	const pim_type *x = k->in[0]->type;
	if (!check_spatial(k, x->rank, w) || !read_list(k, "kernel_shape", w->n, 0, 1, w->kernel) ||
		!read_window(k, x, w))
		return false;
	memcpy(counted, w->pads, sizeof w->pads);
	if (onnx_int(k, "ceil_mode", 0))
		apply_ceil_mode(w, x);
	return true;
}

static bool give_pool(onnx_call *k, const window *w, const int64_t *counted)
{
	pim_attr attrs[5];
	int n = window_attrs(w, attrs);
	attrs[n++] = onnx_attr_ints("kernel", w->n, w->kernel);
	if (counted)
		n = add_list(attrs, n, "counted_pads", 2 * w->n, counted, 0);
	return onnx_give(k, onnx_make(k, k->row->op, 1, k->in, n, attrs));
}

/* Places within a plane in column-major order (storage_order 1): the first dim is the fastest. */
static pim_node *column_major(onnx_call *k, pim_node *at, const pim_type *x)
{
	int64_t below = 1, above = 1;
	pim_node *y = NULL;
	for (int d = x->rank - 1; d >= 2; d--) {
		pim_node *i = onnx_make2(k, PIM_OP_div, at, onnx_scalar(k, at, (double)below));
		i = onnx_make2(k, PIM_OP_mod, i, onnx_scalar(k, i, (double)x->dims[d]));
		above = 1;
		for (int e = 2; e < d; e++)
			above *= x->dims[e];
		i = onnx_make2(k, PIM_OP_mul, i, onnx_scalar(k, i, (double)above));
		y = y ? onnx_make2(k, PIM_OP_add, y, i) : i;
		below *= x->dims[d];
	}
	return y;
}

/* Places in the whole tensor of the largest elements. */
static pim_node *pool_places(onnx_call *k, const window *w)
{
	const pim_type *x = k->in[0]->type;
	pim_attr attrs[5];
	int64_t plane = 1, planes = x->dims[0] * x->dims[1], dims[PIM_MAX_RANK];
	int n = window_attrs(w, attrs);
	double *first = PIM_NEW(k->import->scratch, double, planes + 1);
	pim_node *at;
	attrs[n++] = onnx_attr_ints("kernel", w->n, w->kernel);
	at = onnx_make(k, PIM_OP_max_pool_indices, 1, k->in, n, attrs);
	if (onnx_int(k, "storage_order", 0))
		at = at ? column_major(k, at, x) : NULL;
	for (int d = 2; d < x->rank; d++)
		plane *= x->dims[d];
	for (int64_t i = 0; i < planes; i++)
		first[i] = (double)(i * plane);
	for (int d = 0; d < x->rank; d++)
		dims[d] = d < 2 ? x->dims[d] : 1;
	return onnx_make2(k, PIM_OP_add, at, onnx_numbers(k, PIM_DTYPE_i64, x->rank, dims, first));
}

bool onnx_convert_max_pool(onnx_call *k)
{
	window w;
	int64_t counted[2 * MAX_SPATIAL];
	if (!read_pool(k, &w, counted) || !give_pool(k, &w, NULL))
		return false;
	if (onnx_is_wanted(k, 1))
		k->out[1] = pool_places(k, &w);
	return !onnx_is_wanted(k, 1) || k->out[1];
}

/* Values written back to the places that MaxPool gave, everything else 0. */
bool onnx_convert_max_unpool(onnx_call *k)
{
	const pim_type *x = k->in[0]->type;
	window w;
	int64_t dims[PIM_MAX_RANK], pads[2 * PIM_MAX_RANK] = {0}, elements = 1;
	pim_attr axis = onnx_attr_int("axis", 0);
	pim_node *y;
	if (!check_spatial(k, x->rank, &w) || !read_list(k, "kernel_shape", w.n, 0, 1, w.kernel) ||
		!read_window(k, x, &w))
		return false;
	for (int d = 0; d < x->rank; d++)
		dims[d] = d < 2 ? x->dims[d]
						: (x->dims[d] - 1) * w.strides[d - 2] + w.kernel[d - 2] - w.pads[d - 2] -
							  w.pads[w.n + d - 2];
	for (int d = 0; d < x->rank; d++)
		if (dims[d] < 0 || !pim_mul(elements, dims[d], &elements))
			return onnx_fail(k, "dim %d of the result is %lld", d, (long long)dims[d]);
	y = onnx_splat(k, x->dtype, 1, &elements, 0);
	y = onnx_make(k, PIM_OP_scatter_elements, 3,
		(pim_node *[]){y, onnx_reshape(k, k->in[1], 1, &x->elements),
			onnx_reshape(k, k->in[0], 1, &x->elements)},
		1, &axis);
	y = onnx_reshape(k, y, x->rank, dims);
	if (!y || k->n_in < 3 || !k->in[2])
		return onnx_give(k, y);
	if (onnx_input_ints(k, 2, x->rank, dims) != x->rank)
		return onnx_fail(k, "output_shape does not have %d sizes", x->rank);
	for (int d = 0; d < x->rank; d++)
		pads[x->rank + d] = dims[d] - y->type->dims[d];
	axis = onnx_attr_ints("pads", 2 * x->rank, pads);
	return onnx_give(k, onnx_unary(k, PIM_OP_pad, y, 1, &axis));
}

/* x w offset bias mask */
bool onnx_convert_deform_conv(onnx_call *k)
{
	window w;
	pim_attr attrs[5];
	int n;
	if (!weight_kernel(k, &w) || !read_window(k, k->in[0]->type, &w))
		return false;
	n = window_attrs(&w, attrs);
	n = add_groups(k, attrs, n);
	if (onnx_int(k, "offset_group", 1) != 1)
		attrs[n++] = onnx_attr_int("offset_groups", onnx_int(k, "offset_group", 1));
	return onnx_give(k, onnx_make(k, PIM_OP_deform_conv, k->n_in, k->in, n, attrs));
}

bool onnx_convert_average_pool(onnx_call *k)
{
	window w;
	int64_t counted[2 * MAX_SPATIAL];
	if (!read_pool(k, &w, counted))
		return false;
	return give_pool(k, &w, onnx_int(k, "count_include_pad", 0) ? counted : NULL);
}

/* The mean or maximum over all spatial dims. */
bool onnx_convert_global_pool(onnx_call *k)
{
	int64_t axes[PIM_MAX_RANK];
	window w;
	if (!check_spatial(k, k->in[0]->type->rank, &w))
		return false;
	for (int i = 0; i < w.n; i++)
		axes[i] = 2 + i;
	return onnx_give(k, onnx_reduce(k, k->row->op, k->in[0], w.n, axes, 1));
}

/* (sum of |x|^p over the window)^(1/p): the mean with all padding counted, times the window. */
bool onnx_convert_lp_pool(onnx_call *k)
{
	window w;
	int64_t counted[2 * MAX_SPATIAL], elements = 1;
	double p = onnx_attribute(k, "p") && onnx_attribute(k, "p")->f != 0
				   ? onnx_float(k, "p", 2)
				   : (double)onnx_int(k, "p", 2);
	pim_node *x = onnx_make1(k, PIM_OP_abs, k->in[0]), *y;
	onnx_call inner = *k;
	if (!x || !read_pool(k, &w, counted))
		return false;
	if (p <= 0)
		return onnx_fail(k, "p is %g, expected more than 0", p);
	for (int i = 0; i < w.n; i++)
		elements *= w.kernel[i];
	y = onnx_make2(k, PIM_OP_pow, x, onnx_scalar(k, x, p));
	inner.in = &y;
	if (!y || !give_pool(&inner, &w, w.pads))
		return false;
	y = onnx_make2(k, PIM_OP_mul, inner.out[0], onnx_scalar(k, x, (double)elements));
	return onnx_give(k, onnx_make2(k, PIM_OP_pow, y, onnx_scalar(k, x, 1 / p)));
}

bool onnx_convert_global_lp_pool(onnx_call *k)
{
	int64_t axes[PIM_MAX_RANK];
	double p = (double)onnx_int(k, "p", 2);
	pim_node *x = onnx_make1(k, PIM_OP_abs, k->in[0]);
	window w;
	if (!x || !check_spatial(k, x->type->rank, &w))
		return false;
	for (int i = 0; i < w.n; i++)
		axes[i] = 2 + i;
	x = onnx_make2(k, PIM_OP_pow, x, onnx_scalar(k, x, p));
	x = onnx_reduce(k, PIM_OP_reduce_sum, x, w.n, axes, 1);
	return onnx_give(k, onnx_make2(k, PIM_OP_pow, x, onnx_scalar(k, x, 1 / p)));
}

/* What Col2Im puts together: blocks at every window of a padded image. */
typedef struct blocks {
	window w;
	int64_t image[MAX_SPATIAL], padded[MAX_SPATIAL], windows[MAX_SPATIAL];
	int64_t elements, n_windows, area; /* of a block, of blocks, of the padded image */
} blocks;

static bool read_blocks(onnx_call *k, blocks *b)
{
	window *w = &b->w;
	w->n = onnx_input_ints(k, 1, MAX_SPATIAL, b->image);
	if (w->n < 1 || onnx_input_ints(k, 2, MAX_SPATIAL, w->kernel) != w->n)
		return onnx_fail(k, "the image and the block do not have as many sizes");
	if (!read_list(k, "strides", w->n, 1, 1, w->strides) ||
		!read_list(k, "dilations", w->n, 1, 1, w->dilations) ||
		!read_list(k, "pads", 2 * w->n, 0, 0, w->pads))
		return false;
	b->elements = b->n_windows = b->area = 1;
	for (int i = 0; i < w->n; i++) {
		b->padded[i] = b->image[i] + w->pads[i] + w->pads[w->n + i];
		if (b->image[i] < 1 || w->kernel[i] < 1 || b->padded[i] < reach(w, i) ||
			!pim_mul(b->area, b->padded[i], &b->area) || b->area > LARGEST)
			return onnx_fail(k, "dim %d of the image is %lld and of the block %lld", i,
				(long long)b->image[i], (long long)w->kernel[i]);
		b->windows[i] = (b->padded[i] - reach(w, i)) / w->strides[i] + 1;
		b->elements *= w->kernel[i];
		b->n_windows *= b->windows[i];
	}
	return true;
}

/* Where element e of block v stands in the padded image. */
static int64_t block_place(const blocks *b, int64_t e, int64_t v)
{
	int64_t at = 0, stride = 1;
	for (int i = b->w.n - 1; i >= 0; i--) {
		int64_t place =
			v % b->windows[i] * b->w.strides[i] + e % b->w.kernel[i] * b->w.dilations[i];
		at += place * stride;
		stride *= b->padded[i];
		e /= b->w.kernel[i];
		v /= b->windows[i];
	}
	return at;
}

/* Elements of overlapping blocks add up. [n, c * block, windows] to [n, c, image]. */
bool onnx_convert_col2im(onnx_call *k)
{
	blocks b;
	const pim_type *x = k->in[0]->type;
	int64_t planes, dims[PIM_MAX_RANK], starts[PIM_MAX_RANK] = {0}, all;
	double *at;
	pim_node *y, *index;
	pim_attr attrs[2] = {onnx_attr_int("axis", 1), onnx_attr_string("reduction", "add")};
	if (!read_blocks(k, &b))
		return false;
	if (x->rank != 3 || x->dims[1] % b.elements || x->dims[2] != b.n_windows)
		return onnx_fail(k, "the input is %s for blocks of %lld elements and %lld windows",
			pim_type_text(x, k->import->scratch), (long long)b.elements, (long long)b.n_windows);
	planes = x->dims[0] * (x->dims[1] / b.elements);
	all = b.elements * b.n_windows;
	at = PIM_NEW(k->import->scratch, double, all + 1);
	for (int64_t i = 0; i < all; i++)
		at[i] = (double)block_place(&b, i / b.n_windows, i % b.n_windows);
	index = onnx_numbers(k, PIM_DTYPE_i64, 2, (int64_t[]){1, all}, at);
	index = onnx_expand(k, index, 2, (int64_t[]){planes, all});
	y = onnx_splat(k, x->dtype, 2, (int64_t[]){planes, b.area}, 0);
	y = onnx_make(k, PIM_OP_scatter_elements, 3,
		(pim_node *[]){y, index, onnx_reshape(k, k->in[0], 2, (int64_t[]){planes, all})}, 2, attrs);
	dims[0] = x->dims[0];
	dims[1] = x->dims[1] / b.elements;
	memcpy(dims + 2, b.padded, sizeof *dims * (size_t)b.w.n);
	y = onnx_reshape(k, y, 2 + b.w.n, dims);
	memcpy(dims + 2, b.image, sizeof *dims * (size_t)b.w.n);
	memcpy(starts + 2, b.w.pads, sizeof *dims * (size_t)b.w.n);
	return onnx_give(k, onnx_slice(k, y, starts, dims, NULL));
}
