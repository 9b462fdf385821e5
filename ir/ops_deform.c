/* SPDX-License-Identifier: Apache-2.0 */
/* ops_deform - deformable convolution (Dai et al. 2017; mask: Zhu et al. 2019) of two spatial dims:
 * every tap of every window reads at a place moved by its offset, interpolated, zero outside.
 *
 * The moved windows of one image and group are laid out as a matrix and multiplied by the weights,
 * in float64. */
#include "ir/op_rules.h"

#include <math.h>

typedef struct deform_shape {
	int64_t groups, in_channels, out_channels; /* channels per group */
	int64_t offset_groups, per_offset;		   /* input channels with the same offsets */
	pim_window w;
} deform_shape;

static bool read_shape(const pim_node *n, deform_shape *s)
{
	const pim_type *x = n->in[0]->type, *w = n->in[1]->type;
	*s = (deform_shape){
		.groups = pim_node_int(n, "groups"), .offset_groups = pim_node_int(n, "offset_groups")};
	if (x->rank != 4 || w->rank != 4 || s->groups < 1 || s->offset_groups < 1 ||
		x->dims[1] % s->groups || x->dims[1] % s->offset_groups || w->dims[0] % s->groups ||
		w->dims[1] != x->dims[1] / s->groups)
		return pim_node_error(n,
			"deform_conv of %s by %s with %lld groups and %lld offset groups, expected two spatial "
			"dims and groups that divide the channels",
			pim_rule_text(n, x), pim_rule_text(n, w), (long long)s->groups,
			(long long)s->offset_groups);
	s->in_channels = x->dims[1] / s->groups;
	s->out_channels = w->dims[0] / s->groups;
	s->per_offset = x->dims[1] / s->offset_groups;
	return pim_window_read(n, 2, x->dims + 2, w->dims + 2, &s->w);
}

/* Input i has `per_tap` channels for every tap and offset group, and the result's spatial dims. */
static bool check_moves(const pim_node *n, const deform_shape *s, int i, int64_t per_tap)
{
	const pim_type *x = n->in[0]->type, *t = pim_rule_operand(n, i);
	int64_t channels = per_tap * s->offset_groups * s->w.kernel_volume;
	if (!t || !pim_rule_same_dtype(n, i))
		return false;
	if (t->rank == 4 && t->dims[0] == x->dims[0] && t->dims[1] == channels &&
		t->dims[2] == s->w.out[1] && t->dims[3] == s->w.out[2])
		return true;
	return pim_node_error(n, "input %d of deform_conv is %s, expected dims %lld,%lld,%lld,%lld", i,
		pim_rule_text(n, t), (long long)x->dims[0], (long long)channels, (long long)s->w.out[1],
		(long long)s->w.out[2]);
}

const pim_type *pim_infer_deform_conv(const pim_node *n)
{
	const pim_type *x = pim_rule_float_operand(n, 0);
	deform_shape s;
	if (!x || !pim_rule_same_dtype(n, 1) || !read_shape(n, &s) || !check_moves(n, &s, 2, 2) ||
		(!pim_rule_is_absent(n, 4) && !check_moves(n, &s, 4, 1)))
		return NULL;
	int64_t dims[4] = {x->dims[0], n->in[1]->type->dims[0], s.w.out[1], s.w.out[2]};
	if (!pim_rule_is_absent(n, 3)) {
		const pim_type *b = n->in[3]->type;
		if (!pim_rule_same_dtype(n, 3))
			return NULL;
		if (b->rank != 1 || b->dims[0] != dims[1]) {
			pim_node_error(n, "bias of deform_conv is %s, expected %lld elements",
				pim_rule_text(n, b), (long long)dims[1]);
			return NULL;
		}
	}
	return pim_rule_result(n, x->dtype, 4, dims);
}

/* Axes: batch, channel (coupled with groups), oh, ow, ci, kh, kw, and all places of an image; of
 * the moves, which group's and which direction. The place of a tap depends on the window's, so
 * spatial dims stay whole. */
void pim_axes_deform_conv(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type, *w = n->in[1]->type;
	int64_t groups = pim_node_int(n, "groups"), shared = pim_node_int(n, "offset_groups");
	int64_t kh = w->dims[2], kw = w->dims[3];
	pim_axes_of_result(n, x);
	x->axis[1].kind = groups > 1 ? PIM_AXIS_coupled : PIM_AXIS_free;
	x->axis[2].kind = x->axis[3].kind = PIM_AXIS_coupled;
	int ci = pim_axes_axis(x, w->dims[1], PIM_AXIS_coupled, "ci");
	int row = pim_axes_axis(x, kh, PIM_AXIS_coupled, "kh");
	int column = pim_axes_axis(x, kw, PIM_AXIS_coupled, "kw");
	pim_axes_term(x, 0, 0, 0, 1);
	if (groups > 1)
		pim_axes_term(
			x, 0, 1, pim_axes_axis(x, groups, PIM_AXIS_coupled, "entry"), t->dims[1] / groups);
	pim_axes_term(x, 0, 1, ci, 1);
	for (int d = 0; d < 4; d++) {
		if (d >= 2)
			pim_axes_term(x, 0, d, pim_axes_axis(x, t->dims[d], PIM_AXIS_coupled, "entry"), 1);
		pim_axes_term(x, 1, d, d == 0 ? 1 : ci + d - 1, 1);
	}
	if (!pim_rule_is_absent(n, 3))
		pim_axes_term(x, 3, 0, 1, 1);
	int move = pim_axes_axis(x, shared, PIM_AXIS_coupled, "entry");
	int direction = pim_axes_axis(x, 2, PIM_AXIS_coupled, "entry");
	for (int i = 2; i < 5; i += 2) {
		int64_t each = i == 2 ? 2 : 1;
		if (pim_rule_is_absent(n, i))
			continue;
		for (int d = 0; d < 4; d++)
			if (d != 1)
				pim_axes_term(x, i, d, d, 1);
		pim_axes_term(x, i, 1, move, each * kh * kw);
		pim_axes_term(x, i, 1, row, each * kw);
		pim_axes_term(x, i, 1, column, each);
		if (i == 2)
			pim_axes_term(x, i, 1, direction, 1);
	}
}

/* ---- evaluation ---- */

static double sample(const double *plane, int64_t height, int64_t width, double y, double x)
{
	if (!(y > -1 && y < (double)height && x > -1 && x < (double)width))
		return 0;
	int64_t top = (int64_t)floor(y), left = (int64_t)floor(x);
	double part_y = y - (double)top, part_x = x - (double)left, sum = 0;
	for (int k = 0; k < 4; k++) {
		int64_t i = top + k / 2, j = left + k % 2;
		double weight = (k / 2 ? part_y : 1 - part_y) * (k % 2 ? part_x : 1 - part_x);
		if (i >= 0 && i < height && j >= 0 && j < width)
			sum += weight * plane[i * width + j];
	}
	return sum;
}

/* One row of the matrix: one tap of one channel of an image. */
static void fill_row(const pim_window *w, const double *plane, const double *offset,
	const double *mask, int64_t tap, double *to)
{
	int64_t volume = w->out_volume, row = tap / w->kernel[2], column = tap % w->kernel[2];
	const double *down = offset + 2 * tap * volume, *right = down + volume;
	for (int64_t p = 0; p < volume; p++) {
		int64_t i = p / w->out[2] * w->stride[1] - w->lo[1] + row * w->dilation[1];
		int64_t j = p % w->out[2] * w->stride[2] - w->lo[2] + column * w->dilation[2];
		double v = sample(plane, w->in[1], w->in[2], (double)i + down[p], (double)j + right[p]);
		to[p] = mask ? v * mask[tap * volume + p] : v;
	}
}

/* The matrix of image `image` and group `group`. */
static void fill_matrix(
	const deform_shape *s, const double *const in[5], int64_t image, int64_t group, double *to)
{
	const pim_window *w = &s->w;
	int64_t channels = s->groups * s->in_channels, taps = w->kernel_volume;
	for (int64_t c = group * s->in_channels; c < (group + 1) * s->in_channels; c++) {
		int64_t moves = (image * s->offset_groups + c / s->per_offset) * taps * w->out_volume;
		for (int64_t tap = 0; tap < taps; tap++, to += w->out_volume)
			fill_row(w, in[0] + (image * channels + c) * w->in_volume, in[2] + 2 * moves,
				in[4] ? in[4] + moves : NULL, tap, to);
	}
}

bool pim_eval_deform_conv(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const double *all[5] = {0};
	deform_shape s;
	if (!read_shape(n, &s))
		return false;
	for (int i = 0; i < 5; i++)
		all[i] = pim_rule_is_absent(n, i) ? NULL : pim_stage_doubles(&in[i], e->scratch);
	int64_t taps = s.in_channels * s.w.kernel_volume, volume = s.w.out_volume;
	double *matrix = pim_arena_raw(e->scratch, sizeof *matrix * (size_t)(taps * volume) + 1);
	double *y = pim_arena_raw(e->scratch, sizeof *y * (size_t)n->type->elements + 1);
	pim_gemm g = {
		.m = s.out_channels, .n = volume, .k = taps, .lda = taps, .ldb = volume, .ldc = volume};
	for (int64_t p = 0; n->type->elements && p < n->type->dims[0] * s.groups; p++) {
		int64_t group = p % s.groups;
		double *to = y + p * s.out_channels * volume;
		fill_matrix(&s, all, p / s.groups, group, matrix);
		for (int64_t i = 0; i < s.out_channels * volume; i++)
			to[i] = all[3] ? all[3][group * s.out_channels + i / volume] : 0;
		pim_gemm_f64(e, &g, all[1] + group * s.out_channels * taps, matrix, 1, to);
	}
	pim_stage_finish_doubles(out, y);
	return true;
}
