/* SPDX-License-Identifier: Apache-2.0 */
/* ops_sample - resize, grid_sample, regions and deformable convolution against their definitions:
 * every result element as a sum over all elements of the image, weighed by their distance. */
#include "tests/unit/twin.h"

#include <math.h>

static double weigh_linear(double x)
{
	return fmax(0, 1 - fabs(x));
}

static double weigh_cubic(double x, double a)
{
	double d = fabs(x);
	return d <= 1  ? (a + 2) * pow(d, 3) - (a + 3) * d * d + 1
		   : d < 2 ? a * pow(d, 3) - 5 * a * d * d + 8 * a * d - 4 * a
				   : 0;
}

/* ---- resize ---- */

/* Axis number i of a resize: sizes, scale, roi. */
typedef struct resized {
	double in, out, scale, first, last;
} resized;

static resized read_resized(const pim_node *n, const pim_tensor *in, int i, int count, int64_t dim)
{
	const pim_attr *scales = pim_attr_find(n, "scales"), *roi = pim_attr_find(n, "roi");
	resized r = {(double)in->type->dims[dim], (double)n->type->dims[dim], 0, 0, 1};
	r.scale = scales ? scales->fs[i] : r.out / r.in;
	r.first = roi ? roi->fs[i] : 0;
	r.last = roi ? roi->fs[count + i] : 1;
	return r;
}

/* The formulas of ONNX's Resize; `length` is what the scale makes of the input's. */
static double find_place(const char *mode, const resized *r, double x)
{
	double length = r->scale * r->in;
	if (!strcmp(mode, "half_pixel_symmetric"))
		return r->in / 2 * (1 - r->out / length) + (x + 0.5) / r->scale - 0.5;
	if (!strcmp(mode, "pytorch_half_pixel") && r->out <= 1)
		return 0;
	if (!strcmp(mode, "align_corners"))
		return length == 1 || r->out == 1 ? 0 : x * (r->in - 1) / (length - 1);
	if (!strcmp(mode, "asymmetric"))
		return x / r->scale;
	if (!strcmp(mode, "tf_half_pixel_for_nn"))
		return (x + 0.5) / r->scale;
	if (strcmp(mode, "tf_crop_and_resize"))
		return (x + 0.5) / r->scale - 0.5;
	if (length == 1 || r->out == 1)
		return (r->last - r->first) * (r->in - 1) / 2 + r->first * (r->in - 1);
	return x * (r->last - r->first) * (r->in - 1) / (length - 1) + r->first * (r->in - 1);
}

static double find_nearest(const char *how, double x)
{
	double down = floor(x), up = ceil(x);
	if (!strcmp(how, "floor") || !strcmp(how, "ceil"))
		return *how == 'f' ? down : up;
	if (x - down == 0.5)
		return strcmp(how, "round_prefer_ceil") ? down : up;
	return x - down < 0.5 ? down : down + 1;
}

/* Weight of element k for a place: that of k and, at the ends, of all that would be outside. */
static double weigh_element(const pim_node *n, const resized *r, double at_place, double k)
{
	bool cubic = !strcmp(pim_node_string(n, "mode"), "cubic");
	bool exclude = pim_node_int(n, "exclude_outside") != 0;
	bool smooth = pim_node_int(n, "antialias") != 0;
	double shrink = smooth && r->scale < 1 ? r->scale : 1, sum = 0, own = 0;
	for (double e = floor(at_place) - 40; e <= floor(at_place) + 40; e++) {
		bool inside = e >= 0 && e < r->in;
		double x = (e - at_place) * shrink;
		double w = cubic ? weigh_cubic(x, pim_node_float(n, "cubic_coeff_a")) : weigh_linear(x);
		if (exclude && !inside)
			continue;
		sum += w;
		own += fmin(fmax(e, 0), r->in - 1) == k ? w : 0;
	}
	return (exclude || smooth) && sum != 0 ? own / sum : own;
}

static double define_resize(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const int64_t *axes = NULL;
	const pim_type *t = in[0].type;
	const char *mode = pim_node_string(n, "mode"), *how = pim_node_string(n, "coordinates");
	int count = pim_node_ints(n, "axes", &axes);
	int64_t x[PIM_MAX_RANK];
	double sum = 0;
	for (int i = 0; i < count; i++) {
		resized r = read_resized(n, in, i, count, axes[i]);
		double place = find_place(how, &r, (double)o[axes[i]]);
		if (!strcmp(how, "tf_crop_and_resize") && (place < 0 || place > r.in - 1))
			return pim_node_float(n, "extrapolation_value");
	}
	for (int64_t k = 0; k < t->elements; k++) {
		double weight = 1;
		decode(k, t->rank, t->dims, x);
		for (int d = 0, i = 0; d < t->rank && weight != 0; d++) {
			if (i >= count || axes[i] != d) {
				weight *= x[d] == o[d];
				continue;
			}
			resized r = read_resized(n, in, i++, count, d);
			double place = find_place(how, &r, (double)o[d]);
			double nearest = find_nearest(pim_node_string(n, "nearest"), place);
			weight *= strcmp(mode, "nearest") ? weigh_element(n, &r, place, (double)x[d])
											  : fmin(fmax(nearest, 0), r.in - 1) == (double)x[d];
		}
		sum += weight != 0 ? weight * at(&in[0], x) : 0;
	}
	return sum;
}

/* ---- grid_sample ---- */

/* Mirrors once after the other. */
static double fold_back(double v, double lo, double hi)
{
	while (hi > lo && (v < lo || v > hi))
		v = v < lo ? 2 * lo - v : 2 * hi - v;
	return hi > lo ? v : lo;
}

/* Weight of element k of a dim for the place that a grid says. */
static double weigh_sample(const pim_node *n, double grid, int64_t size, int64_t k)
{
	const char *mode = pim_node_string(n, "mode"), *padding = pim_node_string(n, "padding");
	bool align = pim_node_int(n, "align_corners") != 0;
	double s = (double)size, lo = align ? 0 : -0.5, hi = align ? s - 1 : s - 0.5, sum = 0;
	double place = align ? (grid + 1) / 2 * (s - 1) : ((grid + 1) * s - 1) / 2;
	if (*mode == 'n')
		place = rint(place);
	if (place < lo || place > hi) {
		place = *padding == 'b' ? fmin(fmax(place, 0), s - 1) : place;
		place = *padding == 'r' ? fold_back(place, lo, hi) : place;
	}
	for (double e = floor(place) - 3; e <= floor(place) + 3; e++) {
		double d = e - place, own = e;
		double w = *mode == 'n'	  ? e == floor(place)
				   : *mode == 'l' ? weigh_linear(d)
								  : weigh_cubic(d, -0.75);
		if (*padding == 'r')
			own = trunc(fold_back(e, lo, hi));
		if (*padding != 'z')
			own = fmin(fmax(own, 0), s - 1);
		sum += own == (double)k ? w : 0;
	}
	return sum;
}

static double define_grid_sample(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *t = in[0].type;
	int spatial = t->rank - 2;
	int64_t g[5] = {o[0]}, x[5];
	double sum = 0;
	memcpy(g + 1, o + 2, sizeof *g * (size_t)spatial);
	for (int64_t k = 0; k < t->elements; k++) {
		decode(k, t->rank, t->dims, x);
		double weight = x[0] == o[0] && x[1] == o[1];
		for (int d = 0; d < spatial && weight != 0; d++) {
			g[1 + spatial] = spatial - 1 - d;
			weight *= weigh_sample(n, at(&in[1], g), t->dims[2 + d], x[2 + d]);
		}
		sum += weight * at(&in[0], x);
	}
	return sum;
}

/* ---- regions ---- */

/* Weight of element k of a dim for a sample at v, which is held to the border. */
static double weigh_held(double v, int64_t size, int64_t k)
{
	return weigh_linear(fmin(fmax(v, 0), (double)(size - 1)) - (double)k);
}

/* The mean, or the largest weighted element, of all samples of a bin. */
static double define_roi_align(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *t = in[0].type;
	bool half = pim_node_int(n, "half_pixel") != 0, most = *pim_node_string(n, "mode") == 'm';
	double scale = pim_node_float(n, "spatial_scale"), start[2], bin[2], sum = 0,
		   largest = -INFINITY;
	int64_t count[2], given = pim_node_int(n, "sampling_ratio");
	for (int64_t d = 0; d < 2; d++) {
		double first = at(&in[1], (int64_t[]){o[0], 1 - d}) * scale;
		double extent = at(&in[1], (int64_t[]){o[0], 3 - d}) * scale - first;
		extent = half ? extent : fmax(extent, 1);
		start[d] = first - (half ? 0.5 : 0);
		bin[d] = extent / (double)n->type->dims[2 + d];
		count[d] = given ? given : (int64_t)fmax(ceil(bin[d]), 0);
	}
	for (int64_t s = 0; s < count[0] * count[1]; s++) {
		int64_t k[2] = {s / count[1], s % count[1]};
		double v[2];
		for (int d = 0; d < 2; d++)
			v[d] = start[d] + ((double)o[2 + d] + ((double)k[d] + 0.5) / (double)count[d]) * bin[d];
		bool inside =
			v[0] >= -1 && v[0] <= (double)t->dims[2] && v[1] >= -1 && v[1] <= (double)t->dims[3];
		bool edge = v[0] <= 0 || v[0] >= (double)(t->dims[2] - 1) || v[1] <= 0 ||
					v[1] >= (double)(t->dims[3] - 1);
		largest = !inside || edge ? fmax(largest, 0) : largest; /* an element with weight 0 */
		for (int64_t p = 0; inside && p < t->dims[2] * t->dims[3]; p++) {
			int64_t y = p / t->dims[3], x = p % t->dims[3];
			double w = weigh_held(v[0], t->dims[2], y) * weigh_held(v[1], t->dims[3], x);
			double e = at(&in[0], (int64_t[]){(int64_t)at(&in[2], o), o[1], y, x});
			sum += w * e;
			largest = w > 0 ? fmax(largest, w * e) : largest;
		}
	}
	if (count[0] * count[1] == 0)
		return 0;
	return most ? largest : sum / (double)(count[0] * count[1]);
}

static double define_max_roi_pool(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *t = in[0].type;
	double scale = pim_node_float(n, "spatial_scale"), largest = -INFINITY;
	int64_t image = (int64_t)at(&in[1], (int64_t[]){o[0], 0}), lo[2], hi[2];
	for (int64_t d = 0; d < 2; d++) {
		double first = round(at(&in[1], (int64_t[]){o[0], 2 - d}) * scale);
		double last = round(at(&in[1], (int64_t[]){o[0], 4 - d}) * scale);
		double bin = fmax(last - first + 1, 1) / (double)n->type->dims[2 + d];
		lo[d] = (int64_t)(first + floor((double)o[2 + d] * bin));
		hi[d] = (int64_t)(first + ceil((double)(o[2 + d] + 1) * bin));
	}
	for (int64_t y = 0; y < t->dims[2]; y++)
		for (int64_t x = 0; x < t->dims[3]; x++)
			if (y >= lo[0] && y < hi[0] && x >= lo[1] && x < hi[1])
				largest = fmax(largest, at(&in[0], (int64_t[]){image, o[1], y, x}));
	return isinf(largest) ? 0 : largest;
}

/* ---- deform_conv ---- */

static double define_deform_conv(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *t = in[0].type, *w = in[1].type;
	const int64_t *strides = NULL, *pads = NULL;
	int64_t per_group = w->dims[0] / pim_node_int(n, "groups"), taps = w->dims[2] * w->dims[3];
	int64_t shared = pim_node_int(n, "offset_groups"), k[3];
	double sum = n->n_in > 3 ? at(&in[3], &o[1]) : 0;
	pim_node_ints(n, "strides", &strides);
	pim_node_ints(n, "pads", &pads);
	for (int64_t c = 0; c < w->dims[1] * taps; c++) {
		decode(c, 3, w->dims + 1, k);
		int64_t channel = o[1] / per_group * w->dims[1] + k[0];
		int64_t move = channel / (t->dims[1] / shared) * taps + k[1] * w->dims[3] + k[2];
		double v[2], value = 0;
		for (int64_t d = 0; d < 2; d++)
			v[d] = (double)(o[2 + d] * strides[d] - pads[d] + k[1 + d]) +
				   at(&in[2], (int64_t[]){o[0], 2 * move + d, o[2], o[3]});
		for (int64_t p = 0; p < t->dims[2] * t->dims[3]; p++) {
			int64_t y = p / t->dims[3], x = p % t->dims[3];
			value += weigh_linear(v[0] - (double)y) * weigh_linear(v[1] - (double)x) *
					 at(&in[0], (int64_t[]){o[0], channel, y, x});
		}
		double mask = n->n_in > 4 ? at(&in[4], (int64_t[]){o[0], move, o[2], o[3]}) : 1;
		sum += mask * value * at(&in[1], (int64_t[]){o[1], k[0], k[1], k[2]});
	}
	return sum;
}

/* Two equal results each, from constants. */
static const char *const cases[] = {
	"%a = constant {value = [1, 2]} : u8[2]\n"
	"%y = resize %a {axes = [0], sizes = [4]} : u8[4]\n"
	"%z = constant {value = [1, 1, 2, 2]} : u8[4]\nreturn %y, %z",
	"%a = constant {value = [1.0, 2.0, 3.0, 4.0]} : f32[4]\n"
	"%y = resize %a {axes = [0], sizes = [2], scales = [0.6], mode = \"linear\", "
	"coordinates = \"align_corners\"} : f32[2]\n"
	"%z = constant {value = [1.0, 3.142857]} : f32[2]\nreturn %y, %z",
	"%a = constant {value = [1.0, 2.0]} : f32[1,1,1,2]\n"
	"%g = constant {value = [0.0, 0.0, nan, 9.0]} : f32[1,1,2,2]\n"
	"%y = grid_sample %a, %g : f32[1,1,1,2]\n"
	"%z = constant {value = [1.5, 0.0]} : f32[1,1,1,2]\nreturn %y, %z",
};

static const char *const errors[][2] = {
	{"%a = constant {value = 1} : u8[2]\n"
	 "%y = resize %a {axes = [0], sizes = [4], mode = \"linear\"} : u8[4]\nreturn %y",
		"expected a float type"},
	{"%a = constant {value = 1.0} : f32[2]\n"
	 "%y = resize %a {axes = [0], sizes = [4], scales = [0.0]} : f32[4]\nreturn %y",
		"from 2 to 4 elements with scale 0"},
	{"%a = constant {value = 1.0} : f32[2,1,1,1]\n%r = constant {value = [2.0, 0.0, 0.0, 0.0, "
	 "0.0]} "
	 ": f32[1,5]\n%y = max_roi_pool %a, %r {sizes = [1, 1]} : f32[1,1,1,1]\nreturn %y",
		"is of image 2, there are 2"},
	{"%a = constant {value = 1.0} : f32[1,1,1,1]\n%r = constant {value = [0.0, 0.0, 1e9, 1e9]} : "
	 "f32[1,4]\n%i = constant {value = [0]} : i64[1]\n"
	 "%y = roi_align %a, %r, %i {sizes = [1, 1]} : f32[1,1,1,1]\nreturn %y",
		"samples per bin"},
};

int main(void)
{
	random_source r = {.state = 51};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_case(cases[i]);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		check_error(errors[i][0], errors[i][1]);
	check_floats(PIM_OP_resize, define_resize, 60, &r);
	check_floats(PIM_OP_grid_sample, define_grid_sample, 40, &r);
	check_floats(PIM_OP_roi_align, define_roi_align, 20, &r);
	check_floats(PIM_OP_max_roi_pool, define_max_roi_pool, 10, &r);
	check_floats(PIM_OP_deform_conv, define_deform_conv, 15, &r);
	return check_failures != 0;
}
