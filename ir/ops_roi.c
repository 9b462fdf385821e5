/* SPDX-License-Identifier: Apache-2.0 */
/* ops_roi - regions of images pooled to one size: roi_align by samples between elements (Mask
 * R-CNN, section 3), max_roi_pool by whole elements (Fast R-CNN, section 2.1). Computed in float64.
 */
#include "ir/op_rules.h"

#include <math.h>
#include <string.h>

/* The result for `columns` figures per region; reports what does not fit. */
static const pim_type *infer_regions(const pim_node *n, int64_t columns)
{
	const pim_type *x = pim_rule_float_operand(n, 0), *rois = pim_rule_float_operand(n, 1);
	const int64_t *sizes = x && rois ? pim_rule_ints(n, "sizes", 2) : NULL;
	if (!sizes)
		return NULL;
	if (x->rank != 4 || x->elements == 0 || rois->rank != 2 || rois->dims[1] != columns ||
		sizes[0] < 1 || sizes[1] < 1) {
		pim_node_error(n, "%s of %s by %s to %lld x %lld, expected images and [regions, %lld]",
			pim_node_op(n), pim_rule_text(n, x), pim_rule_text(n, rois), (long long)sizes[0],
			(long long)sizes[1], (long long)columns);
		return NULL;
	}
	int64_t dims[4] = {rois->dims[0], x->dims[1], sizes[0], sizes[1]};
	return pim_rule_result(n, x->dtype, 4, dims);
}

const pim_type *pim_infer_roi_align(const pim_node *n)
{
	const pim_type *t = infer_regions(n, 4), *i = t ? pim_rule_index_operand(n, 2) : NULL;
	const char *mode = pim_node_string(n, "mode");
	if (!i)
		return NULL;
	if (i->rank != 1 || i->dims[0] != t->dims[0]) {
		pim_node_error(n, "image numbers of roi_align are %s, expected %lld", pim_rule_text(n, i),
			(long long)t->dims[0]);
		return NULL;
	}
	if (!mode || (strcmp(mode, "avg") && strcmp(mode, "max")) ||
		pim_node_int(n, "sampling_ratio") < 0) {
		pim_node_error(n,
			"roi_align has mode \"%s\" and sampling_ratio %lld, expected avg or max, "
			"and none below 0",
			mode ? mode : "", (long long)pim_node_int(n, "sampling_ratio"));
		return NULL;
	}
	return t;
}

const pim_type *pim_infer_max_roi_pool(const pim_node *n)
{
	return infer_regions(n, 5);
}

/* Axes: region, channel, the bins (a bin's place depends on its number), and all of the images. */
static void axes_of_regions(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type, *rois = n->in[1]->type;
	pim_axes_of_result(n, x);
	x->axis[2].kind = x->axis[3].kind = PIM_AXIS_coupled;
	for (int d = 0; d < 4; d++)
		pim_axes_term(
			x, 0, d, d == 1 ? d : pim_axes_axis(x, t->dims[d], PIM_AXIS_coupled, "entry"), 1);
	pim_axes_term(x, 1, 0, 0, 1);
	pim_axes_term(x, 1, 1, pim_axes_axis(x, rois->dims[1], PIM_AXIS_coupled, "corner"), 1);
}

void pim_axes_roi_align(const pim_node *n, pim_axes *x)
{
	axes_of_regions(n, x);
	pim_axes_term(x, 2, 0, 0, 1);
}

void pim_axes_max_roi_pool(const pim_node *n, pim_axes *x)
{
	axes_of_regions(n, x);
}

/* ---- roi_align ---- */

/* Four elements and weights of a sample; all weights 0 when it is outside. */
typedef struct corner_taps {
	int64_t at[4];
	double weight[4];
} corner_taps;

static corner_taps find_corners(double y, double x, int64_t height, int64_t width)
{
	corner_taps t = {0};
	if (!(y >= -1 && y <= (double)height && x >= -1 && x <= (double)width))
		return t;
	double place[2] = {y > 0 ? y : 0, x > 0 ? x : 0}, part[2];
	int64_t low[2], high[2], size[2] = {height, width};
	for (int d = 0; d < 2; d++) {
		low[d] = (int64_t)place[d];
		high[d] = low[d] + 1;
		part[d] = place[d] - (double)low[d];
		if (low[d] >= size[d] - 1) {
			low[d] = high[d] = size[d] - 1;
			part[d] = 0;
		}
	}
	for (int k = 0; k < 4; k++) {
		t.at[k] = (k < 2 ? low[0] : high[0]) * width + (k % 2 ? high[1] : low[1]);
		t.weight[k] = (k < 2 ? 1 - part[0] : part[0]) * (k % 2 ? part[1] : 1 - part[1]);
	}
	return t;
}

enum { MOST_SAMPLES = 1 << 20 }; /* of one bin */

/* One region: where its bins begin, their size, and samples per bin. */
typedef struct region {
	double y, x, bin_height, bin_width;
	int64_t rows, columns;
} region;

static int64_t count_samples(int64_t given, double bin)
{
	int64_t count = given > 0 ? given : pim_int_from_double(ceil(bin), 0, MOST_SAMPLES);
	return count < MOST_SAMPLES ? count : MOST_SAMPLES;
}

static region read_region(const pim_node *n, const double corner[4])
{
	double scale = pim_node_float(n, "spatial_scale");
	bool half = pim_node_int(n, "half_pixel") != 0;
	double shift = half ? 0.5 : 0, width = (corner[2] - corner[0]) * scale;
	double height = (corner[3] - corner[1]) * scale;
	int64_t given = pim_node_int(n, "sampling_ratio");
	if (!half) {
		width = width > 1 ? width : 1;
		height = height > 1 ? height : 1;
	}
	region r = {.y = corner[1] * scale - shift,
		.x = corner[0] * scale - shift,
		.bin_height = height / (double)n->type->dims[2],
		.bin_width = width / (double)n->type->dims[3]};
	r.rows = count_samples(given, r.bin_height);
	r.columns = count_samples(given, r.bin_width);
	return r;
}

/* All samples of the bin in row i and column j. */
static corner_taps *sample_bin(
	const region *r, const pim_type *t, int64_t i, int64_t j, corner_taps *to)
{
	for (int64_t a = 0; a < r->rows; a++)
		for (int64_t b = 0; b < r->columns; b++) {
			double part_y = ((double)a + 0.5) / (double)r->rows;
			double part_x = ((double)b + 0.5) / (double)r->columns;
			*to++ = find_corners(r->y + ((double)i + part_y) * r->bin_height,
				r->x + ((double)j + part_x) * r->bin_width, t->dims[2], t->dims[3]);
		}
	return to;
}

static double pool_samples(const corner_taps *t, int64_t count, const double *plane, bool largest)
{
	double sum = 0, most = -INFINITY;
	for (int64_t s = 0; s < count; s++)
		for (int k = 0; k < 4; k++) {
			double v = t[s].weight[k] * plane[t[s].at[k]];
			sum += v;
			most = v > most || v != v ? v : most;
		}
	if (largest)
		return count ? most : 0;
	return sum / (double)(count ? count : 1);
}

bool pim_eval_roi_align(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = in[0].type, *ty = n->type;
	const double *x = pim_stage_doubles(&in[0], e->scratch);
	const double *rois = pim_stage_doubles(&in[1], e->scratch);
	const int64_t *image = pim_rule_indices(n, &in[2], 1, t->dims, e->scratch);
	double *y = pim_arena_raw(e->scratch, sizeof *y * (size_t)ty->elements + 1);
	bool largest = pim_node_string(n, "mode")[0] == 'm';
	int64_t volume = t->dims[2] * t->dims[3], bins = ty->dims[2] * ty->dims[3];
	if (!image)
		return false;
	for (int64_t r = 0; r < ty->dims[0]; r++) {
		region g = read_region(n, rois + 4 * r);
		int64_t count = g.rows * g.columns;
		if (count > MOST_SAMPLES)
			return pim_node_error(n,
				"region %lld of roi_align has %lld x %lld samples per bin, at "
				"most %d are supported",
				(long long)r, (long long)g.rows, (long long)g.columns, MOST_SAMPLES);
		pim_arena *a = pim_arena_new();
		corner_taps *taps = pim_arena_raw(a, sizeof *taps * (size_t)count + 1);
		for (int64_t b = 0; b < bins; b++) {
			sample_bin(&g, t, b / ty->dims[3], b % ty->dims[3], taps);
			for (int64_t c = 0; c < ty->dims[1]; c++)
				y[(r * ty->dims[1] + c) * bins + b] =
					pool_samples(taps, count, x + (image[r] * t->dims[1] + c) * volume, largest);
		}
		pim_arena_free(a);
	}
	pim_stage_finish_doubles(out, y);
	return true;
}

/* ---- max_roi_pool ---- */

/* The elements [lo, hi) of bin b of `bins` along one dim, from corners given in elements. */
static void find_bin(
	double first, double last, int64_t bins, int64_t b, int64_t size, int64_t *lo, int64_t *hi)
{
	double extent = last - first + 1 > 1 ? last - first + 1 : 1, bin = extent / (double)bins;
	*lo = pim_int_from_double(floor((double)b * bin) + first, 0, size);
	*hi = pim_int_from_double(ceil((double)(b + 1) * bin) + first, 0, size);
}

static double find_most(
	const double *plane, int64_t width, const int64_t lo[2], const int64_t hi[2])
{
	double most = lo[0] < hi[0] && lo[1] < hi[1] ? -INFINITY : 0;
	for (int64_t i = lo[0]; i < hi[0]; i++)
		for (int64_t j = lo[1]; j < hi[1]; j++) {
			double v = plane[i * width + j];
			most = v > most || v != v ? v : most;
		}
	return most;
}

bool pim_eval_max_roi_pool(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = in[0].type, *ty = n->type;
	const double *x = pim_stage_doubles(&in[0], e->scratch);
	const double *roi = pim_stage_doubles(&in[1], e->scratch);
	double *y = pim_arena_raw(e->scratch, sizeof *y * (size_t)ty->elements + 1);
	double *to = y, scale = pim_node_float(n, "spatial_scale");
	for (int64_t r = 0; r < ty->dims[0]; r++, roi += 5) {
		int64_t image = pim_int_from_double(roi[0], -1, t->dims[0]), lo[2], hi[2];
		if (image < 0 || image >= t->dims[0])
			return pim_node_error(n, "region %lld of max_roi_pool is of image %g, there are %lld",
				(long long)r, roi[0], (long long)t->dims[0]);
		for (int64_t p = 0; p < ty->dims[1] * ty->dims[2] * ty->dims[3]; p++) {
			int64_t c = p / (ty->dims[2] * ty->dims[3]), b = p % (ty->dims[2] * ty->dims[3]);
			find_bin(round(roi[2] * scale), round(roi[4] * scale), ty->dims[2], b / ty->dims[3],
				t->dims[2], &lo[0], &hi[0]);
			find_bin(round(roi[1] * scale), round(roi[3] * scale), ty->dims[3], b % ty->dims[3],
				t->dims[3], &lo[1], &hi[1]);
			*to++ = find_most(
				x + (image * t->dims[1] + c) * t->dims[2] * t->dims[3], t->dims[3], lo, hi);
		}
	}
	pim_stage_finish_doubles(out, y);
	return true;
}
