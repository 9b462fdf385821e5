/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_sample - Resize, Upsample, GridSample and regions of interest.
 *
 * Upsample takes elements at floor(place / scale), Resize 10 at ceil where a dim shrinks; later
 * ones say how. The result's sizes are known: floor(size * scale), or given, or given with the
 * aspect ratio kept. Rules: ONNX operator specification. */
#include <math.h>
#include <string.h>

#include "frontends/onnx.h"

/* What the op resize is told; one entry for each resized dim. */
typedef struct resizing {
	int n;
	int64_t axes[PIM_MAX_RANK], sizes[PIM_MAX_RANK];
	double scales[PIM_MAX_RANK], roi[2 * PIM_MAX_RANK];
	bool has_scales, has_roi;
} resizing;

static bool set_size(onnx_call *k, resizing *r, int i, double size)
{
	if (!(size >= 0 && size <= INT32_MAX))
		return onnx_fail(k, "dim %lld would have %g elements", (long long)r->axes[i], size);
	r->sizes[i] = (int64_t)size;
	return true;
}

/* Sizes from scales: one for each axis. */
static bool take_scales(onnx_call *k, resizing *r, int n, const double *scales)
{
	const pim_type *t = k->in[0]->type;
	if (n != r->n)
		return onnx_fail(k, "%d scales are given for %d dims", n, r->n);
	r->has_scales = true;
	for (int i = 0; i < n; i++) {
		r->scales[i] = scales[i];
		float size = floorf((float)t->dims[r->axes[i]] * (float)scales[i]);
		if (!(scales[i] > 0) || !set_size(k, r, i, (double)size))
			return onnx_fail(k, "scale %d is %g", i, scales[i]);
	}
	return true;
}

/* Numbers of input i; -1 after a diagnostic. */
static int read_numbers(onnx_call *k, int i, int room, double *v)
{
	pim_tensor t;
	if (!onnx_input_tensor(k, i, &t))
		return -1;
	if (t.type->elements > room) {
		onnx_fail(k, "input %d has %lld elements, expected at most %d", i,
			(long long)t.type->elements, room);
		return -1;
	}
	for (int64_t e = 0; e < t.type->elements; e++)
		v[e] = pim_element_get(t.type->dtype, t.data, e);
	return (int)t.type->elements;
}

/* Sizes as wanted, or the largest (smallest) of that aspect ratio within (around) them. */
static bool take_sizes(onnx_call *k, resizing *r)
{
	const char *policy = onnx_string(k, "keep_aspect_ratio_policy", "stretch");
	int64_t sizes[PIM_MAX_RANK];
	int n = onnx_input_ints(k, 3, PIM_MAX_RANK, sizes);
	double scale = 0;
	bool larger = !strcmp(policy, "not_smaller");
	if (n < 0)
		return false;
	if (n != r->n)
		return onnx_fail(k, "%d sizes are given for %d dims", n, r->n);
	for (int i = 0; i < n; i++) {
		double s = (double)sizes[i] / (double)k->in[0]->type->dims[r->axes[i]];
		scale = i == 0 ? s : larger ? fmax(scale, s) : fmin(scale, s);
		if (!set_size(k, r, i, (double)sizes[i]))
			return false;
	}
	if (!strcmp(policy, "stretch"))
		return true;
	if (!larger && strcmp(policy, "not_larger"))
		return onnx_fail(k, "keep_aspect_ratio_policy is '%s'", policy);
	r->has_scales = true;
	for (int i = 0; i < n; i++) {
		r->scales[i] = scale;
		if (!set_size(k, r, i, floor(scale * (double)k->in[0]->type->dims[r->axes[i]] + 0.5)))
			return false;
	}
	return true;
}

static int add_string(pim_attr *a, int n, const char *name, const char *value)
{
	a[n] = onnx_attr_string(name, value);
	return n + 1;
}

/* Integers are interpolated as f32 and cut towards zero. */
static bool give_resized(
	onnx_call *k, const resizing *r, const char *mode, const char *coordinates, const char *nearest)
{
	static const char *const modes[][2] = {{"nearest", "nearest"}, {"linear", "linear"},
		{"bilinear", "linear"}, {"trilinear", "linear"}, {"cubic", "cubic"}};
	pim_attr a[12];
	pim_node *x = k->in[0];
	pim_dtype t = x->type->dtype;
	int n = 0, found = -1;
	bool between;
	for (int i = 0; i < 5; i++)
		if (!strcmp(mode, modes[i][0]))
			found = i;
	if (found < 0)
		return onnx_fail(k, "mode is '%s', expected nearest, linear or cubic", mode);
	if (r->n == 0)
		return onnx_give(k, k->in[0]);
	a[n++] = onnx_attr_ints("axes", r->n, r->axes);
	a[n++] = onnx_attr_ints("sizes", r->n, r->sizes);
	if (r->has_scales)
		a[n++] = onnx_attr_floats("scales", r->n, r->scales);
	if (r->has_roi)
		a[n++] = onnx_attr_floats("roi", 2 * r->n, r->roi);
	n = add_string(a, n, "mode", modes[found][1]);
	n = add_string(a, n, "coordinates", coordinates);
	n = add_string(a, n, "nearest", nearest);
	a[n++] = onnx_attr_float("cubic_coeff_a", onnx_float(k, "cubic_coeff_a", -0.75));
	a[n++] = onnx_attr_int("exclude_outside", onnx_int(k, "exclude_outside", 0) != 0);
	a[n++] = onnx_attr_float("extrapolation_value", onnx_float(k, "extrapolation_value", 0));
	a[n++] = onnx_attr_int("antialias", onnx_int(k, "antialias", 0) != 0);
	between = found > 0 && !pim_dtype_is_float(t);
	x = onnx_make(
		k, PIM_OP_resize, 1, (pim_node *[]){between ? onnx_cast(k, x, PIM_DTYPE_f32) : x}, n, a);
	return onnx_give(k, between ? onnx_cast(k, x, t) : x);
}

/* Leaves out dims that stay as they are. */
static void drop_unchanged(const pim_type *t, resizing *r)
{
	int n = 0;
	for (int i = 0; i < r->n; i++) {
		bool whole = !r->has_roi || (r->roi[i] == 0 && r->roi[r->n + i] == 1);
		if (r->sizes[i] == t->dims[r->axes[i]] && whole && (!r->has_scales || r->scales[i] == 1))
			continue;
		r->axes[n] = r->axes[i];
		r->sizes[n] = r->sizes[i];
		r->scales[n] = r->scales[i];
		r->roi[n] = r->roi[i];
		r->roi[PIM_MAX_RANK + n] = r->roi[r->n + i];
		n++;
	}
	for (int i = 0; i < n; i++)
		r->roi[n + i] = r->roi[PIM_MAX_RANK + i];
	r->n = n;
}

static bool all_axes(onnx_call *k, resizing *r)
{
	r->n = k->in[0]->type->rank;
	for (int d = 0; d < r->n; d++)
		r->axes[d] = d;
	return true;
}

/* Upsample 7 (scales as an attribute), 9 and Resize 10 (as an input). */
bool onnx_convert_upsample(onnx_call *k)
{
	resizing r = {.n = 0};
	const Onnx__AttributeProto *a = onnx_attribute(k, "scales");
	double scales[PIM_MAX_RANK];
	int n = 0;
	if (k->n_in > 1 && k->in[1])
		n = read_numbers(k, 1, PIM_MAX_RANK, scales);
	else if (a && a->n_floats <= PIM_MAX_RANK)
		for (n = 0; n < (int)a->n_floats; n++)
			scales[n] = (double)a->floats[n];
	if (n < 0 || !all_axes(k, &r) || !take_scales(k, &r, n, scales))
		return false;
	drop_unchanged(k->in[0]->type, &r);
	return give_resized(k, &r, onnx_string(k, "mode", "nearest"), "asymmetric", "floor");
}

static bool read_resized_axes(onnx_call *k, resizing *r)
{
	const int64_t *given;
	int n = onnx_ints(k, "axes", &given), rank = k->in[0]->type->rank;
	if (n < 0)
		return all_axes(k, r);
	if (n > rank)
		return onnx_fail(k, "%d axes are given for %d dims", n, rank);
	r->n = n;
	for (int i = 0; i < n; i++) {
		r->axes[i] = given[i];
		if (!onnx_axis(k, &r->axes[i], rank))
			return false;
	}
	return true;
}

/* The op wants its axes ascending. */
static void sort_resized(resizing *r)
{
	for (int i = 1; i < r->n; i++)
		for (int j = i; j > 0 && r->axes[j - 1] > r->axes[j]; j--) {
			int64_t axis = r->axes[j], size = r->sizes[j];
			double scale = r->scales[j], lo = r->roi[j], hi = r->roi[r->n + j];
			r->axes[j] = r->axes[j - 1];
			r->sizes[j] = r->sizes[j - 1];
			r->scales[j] = r->scales[j - 1];
			r->roi[j] = r->roi[j - 1];
			r->roi[r->n + j] = r->roi[r->n + j - 1];
			r->axes[j - 1] = axis;
			r->sizes[j - 1] = size;
			r->scales[j - 1] = scale;
			r->roi[j - 1] = lo;
			r->roi[r->n + j - 1] = hi;
		}
}

/* Only the dims that shrink (or the others). */
static resizing some_axes(const resizing *r, bool shrinking)
{
	resizing some = *r;
	some.n = 0;
	for (int i = 0; i < r->n; i++)
		if ((r->scales[i] < 1) == shrinking) {
			some.axes[some.n] = r->axes[i];
			some.sizes[some.n] = r->sizes[i];
			some.scales[some.n++] = r->scales[i];
		}
	return some;
}

/* In opset 10 the nearest element is the one below where a dim grows, above where it shrinks. */
static bool resize_10(onnx_call *k)
{
	resizing r = {.n = 0}, some;
	onnx_call inner = *k;
	pim_node *out[1] = {NULL};
	double scales[PIM_MAX_RANK];
	int n;
	if (strcmp(onnx_string(k, "mode", "nearest"), "nearest"))
		return onnx_convert_upsample(k);
	n = read_numbers(k, 1, PIM_MAX_RANK, scales);
	if (n < 0 || !all_axes(k, &r) || !take_scales(k, &r, n, scales))
		return false;
	drop_unchanged(k->in[0]->type, &r);
	inner.out = out;
	some = some_axes(&r, true);
	if (!give_resized(&inner, &some, "nearest", "asymmetric", "ceil"))
		return false;
	inner = *k;
	inner.in = out;
	some = some_axes(&r, false);
	return give_resized(&inner, &some, "nearest", "asymmetric", "floor");
}

bool onnx_convert_resize(onnx_call *k)
{
	resizing r = {.n = 0};
	const char *coordinates = onnx_string(k, "coordinate_transformation_mode", "half_pixel");
	double scales[PIM_MAX_RANK];
	int n = 0;
	if (k->opset < 11)
		return resize_10(k);
	if (!read_resized_axes(k, &r))
		return false;
	r.has_roi = !strcmp(coordinates, "tf_crop_and_resize");
	if (r.has_roi &&
		(k->n_in < 2 || !k->in[1] || read_numbers(k, 1, 2 * PIM_MAX_RANK, r.roi) != 2 * r.n))
		return onnx_fail(k, "roi does not have %d numbers", 2 * r.n);
	if (k->n_in > 2 && k->in[2] && k->in[2]->type->elements > 0)
		n = read_numbers(k, 2, PIM_MAX_RANK, scales);
	if (n < 0)
		return false;
	if (n == 0 && (k->n_in < 4 || !k->in[3]))
		return onnx_fail(k, "neither scales nor sizes are given");
	if (n > 0 ? !take_scales(k, &r, n, scales) : !take_sizes(k, &r))
		return false;
	sort_resized(&r);
	drop_unchanged(k->in[0]->type, &r);
	return give_resized(k, &r, onnx_string(k, "mode", "nearest"), coordinates,
		onnx_string(k, "nearest_mode", "round_prefer_floor"));
}

bool onnx_convert_grid_sample(onnx_call *k)
{
	const char *mode = onnx_string(k, "mode", k->opset < 20 ? "bilinear" : "linear");
	pim_attr a[3];
	if (!strcmp(mode, "bilinear"))
		mode = "linear";
	if (!strcmp(mode, "bicubic"))
		mode = "cubic";
	a[0] = onnx_attr_string("mode", mode);
	a[1] = onnx_attr_string("padding", onnx_string(k, "padding_mode", "zeros"));
	a[2] = onnx_attr_int("align_corners", onnx_int(k, "align_corners", 0) != 0);
	return onnx_give(k, onnx_make(k, PIM_OP_grid_sample, 2, k->in, 3, a));
}

/* Before opset 16 regions are not moved by half an element. */
bool onnx_convert_roi_align(onnx_call *k)
{
	const char *how = onnx_string(
		k, "coordinate_transformation_mode", k->opset < 16 ? "output_half_pixel" : "half_pixel");
	int64_t sizes[2] = {onnx_int(k, "output_height", 1), onnx_int(k, "output_width", 1)};
	pim_attr a[5];
	if (strcmp(how, "half_pixel") && strcmp(how, "output_half_pixel"))
		return onnx_fail(k, "coordinate_transformation_mode is '%s'", how);
	a[0] = onnx_attr_ints("sizes", 2, sizes);
	a[1] = onnx_attr_string("mode", onnx_string(k, "mode", "avg"));
	a[2] = onnx_attr_int("sampling_ratio", onnx_int(k, "sampling_ratio", 0));
	a[3] = onnx_attr_float("spatial_scale", onnx_float(k, "spatial_scale", 1));
	a[4] = onnx_attr_int("half_pixel", !strcmp(how, "half_pixel"));
	return onnx_give(k, onnx_make(k, PIM_OP_roi_align, 3, k->in, 5, a));
}

bool onnx_convert_max_roi_pool(onnx_call *k)
{
	const int64_t *sizes;
	pim_attr a[2];
	if (onnx_ints(k, "pooled_shape", &sizes) != 2)
		return onnx_fail(k, "pooled_shape does not have two numbers");
	a[0] = onnx_attr_ints("sizes", 2, sizes);
	a[1] = onnx_attr_float("spatial_scale", onnx_float(k, "spatial_scale", 1));
	return onnx_give(k, onnx_make(k, PIM_OP_max_roi_pool, 2, k->in, 2, a));
}
