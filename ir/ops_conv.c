/* SPDX-License-Identifier: Apache-2.0 */
/* ops_conv - convolution of one to three spatial dims.
 *
 * float32: windows of a block of results are laid out as a matrix (im2col) and multiplied by the
 * weights of a group; with one input channel per group conv_plane.c adds up taps instead.
 * float64, integers and `plain` run the straight loops, in float64 or modulo 2^64; these are the
 * oracle of the fast ones. */
#include "ir/op_rules.h"

#include <string.h>

/* Floats of one block of windows: stays in a second-level cache. */
enum { COLUMN_FLOATS = 1 << 18 };

static bool check_bias(const pim_node *n, int64_t channels)
{
	if (pim_rule_is_absent(n, 2))
		return true;
	const pim_type *b = pim_rule_operand(n, 2);
	if (!b || !pim_rule_same_dtype(n, 2))
		return false;
	if (b->rank != 1 || b->dims[0] != channels)
		return pim_node_error(n, "bias of %s is %s, expected %lld elements", pim_node_op(n),
			pim_rule_text(n, b), (long long)channels);
	return true;
}

/* Operands of one rank of at least 3, numbers, and groups that divide the channels. */
static bool check_operands(const pim_node *n)
{
	const pim_type *x = pim_rule_operand(n, 0), *w = pim_rule_operand(n, 1);
	if (!x || !w)
		return false;
	if (x->rank < 3 || x->rank > 5 || w->rank != x->rank || x->dtype == PIM_DTYPE_bool)
		return pim_node_error(n,
			"inputs of %s are %s and %s, expected numbers with 3 to 5 dims, as many in both",
			pim_node_op(n), pim_rule_text(n, x), pim_rule_text(n, w));
	int64_t groups = pim_node_int(n, "groups");
	if (groups < 1 || x->dims[1] % groups)
		return pim_node_error(n, "%lld groups do not divide the %lld input channels of %s",
			(long long)groups, (long long)x->dims[1], pim_node_op(n));
	return true;
}

const pim_type *pim_conv_type(const pim_node *n, pim_dtype result)
{
	pim_window win;
	if (!check_operands(n))
		return NULL;
	const pim_type *x = n->in[0]->type, *w = n->in[1]->type;
	int64_t groups = pim_node_int(n, "groups"), dims[5] = {x->dims[0], w->dims[0]};
	if (w->dims[1] != x->dims[1] / groups || w->dims[0] % groups) {
		pim_node_error(n,
			"%s of %s by %s with %lld groups: expected %lld input channels in the weights and a "
			"multiple of %lld results",
			pim_node_op(n), pim_rule_text(n, x), pim_rule_text(n, w), (long long)groups,
			(long long)(x->dims[1] / groups), (long long)groups);
		return NULL;
	}
	if (!check_bias(n, w->dims[0]) ||
		!pim_window_read(n, x->rank - 2, x->dims + 2, w->dims + 2, &win))
		return NULL;
	for (int d = 0; d < win.n; d++)
		dims[2 + d] = win.out[3 - win.n + d];
	return pim_rule_result(n, result, x->rank, dims);
}

const pim_type *pim_infer_conv(const pim_node *n)
{
	const pim_type *x = pim_rule_operand(n, 0);
	return x && pim_rule_same_dtype(n, 1) ? pim_conv_type(n, x->dtype) : NULL;
}

const pim_type *pim_infer_conv_transpose(const pim_node *n)
{
	pim_window win;
	if (!check_operands(n) || !pim_rule_same_dtype(n, 1))
		return NULL;
	const pim_type *x = n->in[0]->type, *w = n->in[1]->type;
	int64_t groups = pim_node_int(n, "groups"), dims[5] = {x->dims[0]};
	if (w->dims[0] != x->dims[1] || !pim_mul(w->dims[1], groups, &dims[1])) {
		pim_node_error(n, "conv_transpose of %s by %s: expected %lld input channels in the weights",
			pim_rule_text(n, x), pim_rule_text(n, w), (long long)x->dims[1]);
		return NULL;
	}
	if (!check_bias(n, dims[1]) ||
		!pim_window_read_transposed(n, x->rank - 2, x->dims + 2, w->dims + 2, &win))
		return NULL;
	for (int d = 0; d < win.n; d++)
		dims[2 + d] = win.in[3 - win.n + d];
	return pim_rule_result(n, x->dtype, x->rank, dims);
}

/* ---- axes ---- */

static const char *const spatial_names[2][3] = {{"od", "oh", "ow"}, {"kd", "kh", "kw"}};

static void map_bias(const pim_node *n, pim_axes *x, int group, int channel, int64_t per_group)
{
	if (pim_rule_is_absent(n, 2))
		return;
	if (group >= 0)
		pim_axes_term(x, 2, 0, group, per_group);
	pim_axes_term(x, 2, 0, channel, 1);
}

/* Some channels of each of several groups are no box of the input: then a slice takes all of a
 * group's. */
static pim_axis_kind sum_kind(int64_t groups)
{
	return groups > 1 ? PIM_AXIS_coupled : PIM_AXIS_summed;
}

/* Axes: batch, [group], channel, od oh ow, ci, kd kh kw. Input row = stride*oh + dilation*kh - pad.
 * A partial sum over ci holds the whole bias: only one of them may have it. */
void pim_axes_conv(const pim_node *n, pim_axes *x)
{
	const pim_type *tx = n->in[0]->type, *tw = n->in[1]->type;
	int64_t groups = pim_node_int(n, "groups"), per_group = tw->dims[0] / groups;
	int y = (int)n->n_in, group = -1;
	pim_window w;
	if (!pim_window_read(n, tx->rank - 2, tx->dims + 2, tw->dims + 2, &w))
		PIM_BUG("conv was not inferred");
	int batch = pim_axes_axis(x, tx->dims[0], PIM_AXIS_free, "batch");
	if (groups > 1)
		group = pim_axes_axis(x, groups, PIM_AXIS_free, "group");
	int channel = pim_axes_axis(
		x, per_group, groups > 1 && per_group > 1 ? PIM_AXIS_coupled : PIM_AXIS_free, "channel");
	int spatial = x->n_axes;
	for (int d = 3 - w.n; d < 3; d++) {
		bool alone = w.kernel[d] == 1 && w.stride[d] == 1 && w.lo[d] == 0 && w.hi[d] == 0;
		pim_axes_axis(x, w.out[d], alone ? PIM_AXIS_free : PIM_AXIS_windowed, spatial_names[0][d]);
	}
	int ci = pim_axes_axis(x, tw->dims[1], sum_kind(groups), "ci");
	for (int d = 3 - w.n; d < 3; d++)
		pim_axes_axis(x, w.kernel[d], PIM_AXIS_coupled, spatial_names[1][d]);
	pim_axes_term(x, 0, 0, batch, 1);
	pim_axes_term(x, y, 0, batch, 1);
	if (group >= 0) {
		pim_axes_term(x, 0, 1, group, tw->dims[1]);
		pim_axes_term(x, 1, 0, group, per_group);
		pim_axes_term(x, y, 1, group, per_group);
	}
	pim_axes_term(x, 0, 1, ci, 1);
	pim_axes_term(x, 1, 0, channel, 1);
	pim_axes_term(x, 1, 1, ci, 1);
	pim_axes_term(x, y, 1, channel, 1);
	for (int i = 0; i < w.n; i++) {
		int d = 3 - w.n + i;
		pim_axes_term(x, 0, 2 + i, spatial + i, w.stride[d]);
		pim_axes_term(x, 0, 2 + i, ci + 1 + i, w.dilation[d]);
		x->map[0][2 + i].offset = -w.lo[d];
		pim_axes_term(x, 1, 2 + i, ci + 1 + i, 1);
		pim_axes_term(x, y, 2 + i, spatial + i, 1);
	}
	map_bias(n, x, group, channel, per_group);
}

/* Axes: batch, [group], channel, od oh ow of the result, ci, id ih iw, kd kh kw: which inputs reach
 * a result depends on strides, so each result is given all of them. */
void pim_axes_conv_transpose(const pim_node *n, pim_axes *x)
{
	const pim_type *tx = n->in[0]->type, *tw = n->in[1]->type, *ty = n->type;
	static const char *const input_names[] = {"id", "ih", "iw"};
	int64_t groups = pim_node_int(n, "groups"), per_group = tw->dims[1];
	int y = (int)n->n_in, spatial = tx->rank - 2, group = -1;
	int batch = pim_axes_axis(x, tx->dims[0], PIM_AXIS_free, "batch");
	if (groups > 1)
		group = pim_axes_axis(x, groups, PIM_AXIS_free, "group");
	int channel = pim_axes_axis(
		x, per_group, groups > 1 && per_group > 1 ? PIM_AXIS_coupled : PIM_AXIS_free, "channel");
	int ci = pim_axes_axis(x, tx->dims[1] / groups, sum_kind(groups), "ci");
	pim_axes_term(x, 0, 0, batch, 1);
	pim_axes_term(x, y, 0, batch, 1);
	if (group >= 0) {
		pim_axes_term(x, 0, 1, group, tx->dims[1] / groups);
		pim_axes_term(x, 1, 0, group, tx->dims[1] / groups);
		pim_axes_term(x, y, 1, group, per_group);
	}
	pim_axes_term(x, 0, 1, ci, 1);
	pim_axes_term(x, 1, 0, ci, 1);
	pim_axes_term(x, 1, 1, channel, 1);
	pim_axes_term(x, y, 1, channel, 1);
	for (int i = 0; i < spatial; i++) {
		int d = 3 - spatial + i;
		pim_axes_term(x, y, 2 + i,
			pim_axes_axis(x, ty->dims[2 + i], PIM_AXIS_coupled, spatial_names[0][d]), 1);
		pim_axes_term(
			x, 0, 2 + i, pim_axes_axis(x, tx->dims[2 + i], PIM_AXIS_coupled, input_names[d]), 1);
		pim_axes_term(x, 1, 2 + i,
			pim_axes_axis(x, tw->dims[2 + i], PIM_AXIS_coupled, spatial_names[1][d]), 1);
	}
	map_bias(n, x, group, channel, per_group);
}

/* ---- evaluation ---- */

/* Channels are per group. For conv_transpose the window leads from the result back to the input:
 * window.in is the result's volume, window.out the input's. */
typedef struct conv_shape {
	int64_t batch, groups, in_channels, out_channels;
	pim_window w;
} conv_shape;

static conv_shape read_conv(const pim_node *n)
{
	const pim_type *x = n->in[0]->type, *w = n->in[1]->type;
	conv_shape s = {.batch = x->dims[0], .groups = pim_node_int(n, "groups")};
	s.in_channels = x->dims[1] / s.groups;
	s.out_channels = n->type->dims[1] / s.groups;
	bool ok = n->op == PIM_OP_conv_transpose
				  ? pim_window_read_transposed(n, x->rank - 2, x->dims + 2, w->dims + 2, &s.w)
				  : pim_window_read(n, x->rank - 2, x->dims + 2, w->dims + 2, &s.w);
	if (!ok)
		PIM_BUG("%s was not inferred", pim_node_op(n));
	return s;
}

/* The element of an input's plane that tap (a, b, c) of the window at o reads; -1: padding. */
static inline int64_t element_under(
	const pim_window *w, const int64_t o[3], int64_t a, int64_t b, int64_t c)
{
	int64_t i = o[0] * w->stride[0] + a * w->dilation[0] - w->lo[0];
	int64_t j = o[1] * w->stride[1] + b * w->dilation[1] - w->lo[1];
	int64_t l = o[2] * w->stride[2] + c * w->dilation[2] - w->lo[2];
	bool inside = i >= 0 && i < w->in[0] && j >= 0 && j < w->in[1] && l >= 0 && l < w->in[2];
	return inside ? (i * w->in[1] + j) * w->in[2] + l : -1;
}

/* The window that number `at` is, row-major. */
static inline void find_window(const pim_window *w, int64_t at, int64_t o[3])
{
	o[0] = at / (w->out[1] * w->out[2]);
	o[1] = at / w->out[2] % w->out[1];
	o[2] = at % w->out[2];
}

/* name, element, accumulator: the straight loops. */
#define PLAIN_TYPES(X)                                                                             \
	X(f32, float, double)                                                                          \
	X(f64, double, double)                                                                         \
	X(u64, uint64_t, uint64_t)

#define PLAIN(name, element, total)                                                                \
	static total sum_taps_##name(                                                                  \
		const pim_window *w, const element *x, const element *k, const int64_t o[3], total sum)    \
	{                                                                                              \
		for (int64_t a = 0; a < w->kernel[0]; a++)                                                 \
			for (int64_t b = 0; b < w->kernel[1]; b++)                                             \
				for (int64_t c = 0; c < w->kernel[2]; c++, k++) {                                  \
					int64_t i = element_under(w, o, a, b, c);                                      \
					if (i >= 0)                                                                    \
						sum += (total)x[i] * (total)*k;                                            \
				}                                                                                  \
		return sum;                                                                                \
	}                                                                                              \
	static void convolve_##name(                                                                   \
		const conv_shape *s, const element *x, const element *k, const element *bias, element *y)  \
	{                                                                                              \
		const pim_window *w = &s->w;                                                               \
		int64_t channels = s->groups * s->out_channels;                                            \
		for (int64_t p = 0; p < s->batch * channels * w->out_volume; p++) {                        \
			int64_t at = p % w->out_volume, channel = p / w->out_volume % channels;                \
			int64_t o[3];                                                                          \
			find_window(w, at, o);                                                                 \
			int64_t first =                                                                        \
				(p / (w->out_volume * channels) * s->groups + channel / s->out_channels) *         \
				s->in_channels;                                                                    \
			total sum = bias ? (total)bias[channel] : 0;                                           \
			for (int64_t c = 0; c < s->in_channels; c++)                                           \
				sum = sum_taps_##name(w, x + (first + c) * w->in_volume,                           \
					k + (channel * s->in_channels + c) * w->kernel_volume, o, sum);                \
			y[p] = (element)sum;                                                                   \
		}                                                                                          \
	}                                                                                              \
	static void add_taps_##name(                                                                   \
		const pim_window *w, total v, const element *k, const int64_t o[3], total *y)              \
	{                                                                                              \
		for (int64_t a = 0; a < w->kernel[0]; a++)                                                 \
			for (int64_t b = 0; b < w->kernel[1]; b++)                                             \
				for (int64_t c = 0; c < w->kernel[2]; c++, k++) {                                  \
					int64_t i = element_under(w, o, a, b, c);                                      \
					if (i >= 0)                                                                    \
						y[i] += v * (total)*k;                                                     \
				}                                                                                  \
	}                                                                                              \
	static void spread_##name(const conv_shape *s, const element *x, const element *k,             \
		const element *bias, element *y, total *plane)                                             \
	{                                                                                              \
		const pim_window *w = &s->w;                                                               \
		int64_t channels = s->groups * s->out_channels;                                            \
		for (int64_t p = 0; p < s->batch * channels; p++) {                                        \
			int64_t channel = p % channels, group = channel / s->out_channels;                     \
			for (int64_t i = 0; i < w->in_volume; i++)                                             \
				plane[i] = bias ? (total)bias[channel] : 0;                                        \
			for (int64_t q = 0; q < s->in_channels * w->out_volume; q++) {                         \
				int64_t at = q % w->out_volume, c = group * s->in_channels + q / w->out_volume;    \
				int64_t o[3];                                                                      \
				find_window(w, at, o);                                                             \
				int64_t image = p / channels * s->groups * s->in_channels;                         \
				add_taps_##name(w, (total)x[(image + c) * w->out_volume + at],                     \
					k + (c * s->out_channels + channel % s->out_channels) * w->kernel_volume, o,   \
					plane);                                                                        \
			}                                                                                      \
			for (int64_t i = 0; i < w->in_volume; i++)                                             \
				y[p * w->in_volume + i] = (element)plane[i];                                       \
		}                                                                                          \
	}
PLAIN_TYPES(PLAIN)
#undef PLAIN

/* ---- float32: matrices ---- */

/* A part of the results of one image: whole lines, or columns of one line. */
typedef struct conv_block {
	int64_t line, lines, column, columns;
} conv_block;

/* The block at or behind position `at` of lines and columns that has at most `most` results;
 * false when there is none. */
static bool next_block(const pim_window *w, int64_t most, conv_block *b)
{
	most = most < 1 ? 1 : most;
	int64_t lines = w->out[0] * w->out[1];
	b->column += b->columns;
	if (b->column >= w->out[2]) {
		b->line += b->lines;
		b->column = 0;
	}
	bool whole = w->out[2] <= most;
	b->lines = whole ? most / w->out[2] : 1;
	b->lines = b->lines < lines - b->line ? b->lines : lines - b->line;
	b->columns = whole || most > w->out[2] - b->column ? w->out[2] - b->column : most;
	return b->line < lines;
}

/* Where a tap lies in a line of the block: columns first..last, from `offset` in the plane on. */
typedef struct conv_run {
	int64_t first, last, offset;
} conv_run;

/* The part of a tap that lies in the block; as pim_window_tap. */
static conv_run find_run(const pim_window *w, const conv_block *b, int64_t line, int64_t tap)
{
	conv_run r;
	if (!pim_window_tap(w, line, tap, &r.first, &r.last, &r.offset))
		return (conv_run){0};
	if (r.first < b->column) {
		r.offset += (b->column - r.first) * w->stride[2];
		r.first = b->column;
	}
	r.last = r.last < b->column + b->columns ? r.last : b->column + b->columns;
	return r.first < r.last ? (conv_run){r.first - b->column, r.last - b->column, r.offset}
							: (conv_run){0};
}

/* Runs of all taps and lines of the block: the same for each channel. */
static void find_runs(const pim_window *w, const conv_block *b, conv_run *runs)
{
	for (int64_t tap = 0; tap < w->kernel_volume; tap++)
		for (int64_t l = 0; l < b->lines; l++)
			*runs++ = find_run(w, b, b->line + l, tap);
}

static void fill_run(const conv_run *r, const float *x, int64_t step, int64_t columns, float *to)
{
	const float *from = x + r->offset;
	for (int64_t j = 0; j < r->first; j++)
		to[j] = 0;
	if (step == 1 && r->last > r->first)
		memcpy(to + r->first, from, sizeof *to * (size_t)(r->last - r->first));
	else
		for (int64_t j = r->first; j < r->last; j++, from += step)
			to[j] = *from;
	for (int64_t j = r->last; j < columns; j++)
		to[j] = 0;
}

/* One row of the matrix per channel and tap, one column per result of the block. */
static void fill_columns(const pim_window *w, const float *x, int64_t channels, const conv_block *b,
	const conv_run *runs, float *to)
{
	int64_t count = w->kernel_volume * b->lines;
	for (int64_t c = 0; c < channels; c++, x += w->in_volume)
		for (int64_t i = 0; i < count; i++, to += b->columns)
			fill_run(runs + i, x, w->stride[2], b->columns, to);
}

/* The reverse: adds every row of the matrix where its tap lies. */
static void add_columns(const pim_window *w, const float *from, int64_t channels,
	const conv_block *b, const conv_run *runs, float *y)
{
	int64_t step = w->stride[2], count = w->kernel_volume * b->lines;
	for (int64_t c = 0; c < channels; c++, y += w->in_volume)
		for (int64_t i = 0; i < count; i++, from += b->columns)
			for (int64_t j = runs[i].first; j < runs[i].last; j++)
				y[runs[i].offset + (j - runs[i].first) * step] += from[j];
}

static void fill_bias(int64_t planes, int64_t channels, int64_t volume, const float *bias, float *y)
{
	for (int64_t p = 0; p < planes; p++) {
		float v = bias ? bias[p % channels] : 0;
		for (int64_t i = 0; i < volume; i++)
			y[p * volume + i] = v;
	}
}

static bool is_pointwise(const pim_window *w)
{
	for (int d = 0; d < 3; d++)
		if (w->kernel[d] != 1 || w->stride[d] != 1 || w->lo[d] || w->hi[d])
			return false;
	return true;
}

/* What the fast loops need besides the operands. */
typedef struct conv_room {
	float *columns;
	conv_run *runs;
	pim_eval *e;
} conv_room;

/* Rows of the matrix that one product sums over, about; more channels are added up. */
enum { COLUMN_ROWS = 768 };

static void multiply_columns(
	const conv_shape *s, const float *x, const char *k, float *y, const conv_room *room)
{
	const pim_window *w = &s->w;
	int64_t rows = s->in_channels * w->kernel_volume;
	int64_t most = COLUMN_ROWS / w->kernel_volume, channels;
	pim_gemm g = {.m = s->out_channels, .lda = rows, .ldc = w->out_volume};
	conv_block b = {0};
	most = most < 1 ? 1 : most;
	most = most < s->in_channels ? most : s->in_channels;
	while (most > 0 && next_block(w, COLUMN_FLOATS / (most * w->kernel_volume), &b)) {
		find_runs(w, &b, room->runs);
		g.n = g.ldb = b.lines * b.columns;
		for (int64_t c = 0; c < s->in_channels; c += channels) {
			channels = most < s->in_channels - c ? most : s->in_channels - c;
			g.k = channels * w->kernel_volume;
			fill_columns(w, x + c * w->in_volume, channels, &b, room->runs, room->columns);
			pim_gemm_f32(room->e, &g, k + c * w->kernel_volume * (int64_t)sizeof(float),
				room->columns, 1, y + b.line * w->out[2] + b.column);
		}
	}
}

/* One image, one group; y holds the bias. The kernels k are floats at any address that products
 * take. */
static void convolve_group(
	const conv_shape *s, const float *x, const char *k, float *y, const conv_room *room)
{
	const pim_window *w = &s->w;
	pim_gemm g = {.m = s->out_channels,
		.k = s->in_channels,
		.n = w->out_volume,
		.lda = s->in_channels,
		.ldb = w->out_volume,
		.ldc = w->out_volume};
	if (is_pointwise(w))
		pim_gemm_f32(room->e, &g, k, x, 1, y);
	else if (s->in_channels == 1)
		pim_conv_plane(w, s->out_channels, x, k, y, room->columns);
	else
		multiply_columns(s, x, k, y, room);
}

/* One image, one group of conv_transpose; y holds the bias. */
static void spread_group(
	const conv_shape *s, const float *x, const char *k, float *y, const conv_room *room)
{
	const pim_window *w = &s->w;
	pim_gemm g = {.ta = true,
		.m = s->out_channels * w->kernel_volume,
		.k = s->in_channels,
		.lda = s->out_channels * w->kernel_volume,
		.ldb = w->out_volume};
	conv_block b = {0};
	while (next_block(w, COLUMN_FLOATS / g.m, &b)) {
		find_runs(w, &b, room->runs);
		g.n = g.ldc = b.lines * b.columns;
		pim_gemm_f32(room->e, &g, k, x + b.line * w->out[2] + b.column, 0, room->columns);
		add_columns(w, room->columns, s->out_channels, &b, room->runs, y);
	}
}

typedef void group_function(
	const conv_shape *s, const float *x, const char *k, float *y, const conv_room *room);

/* Room for blocks of so many rows; depthwise convolutions need none, but their own. */
static conv_room make_room(const conv_shape *s, bool blocks, int64_t rows, pim_eval *e)
{
	const pim_window *w = &s->w;
	conv_room r = {.e = e};
	int64_t floats = rows > COLUMN_FLOATS ? rows : COLUMN_FLOATS;
	int64_t runs = w->kernel_volume * w->out[0] * w->out[1];
	int64_t most = w->kernel_volume > COLUMN_FLOATS ? w->kernel_volume : COLUMN_FLOATS;
	if (!blocks && is_pointwise(w))
		return r;
	if (!blocks && s->in_channels == 1)
		floats = pim_conv_plane_room(w);
	r.columns = pim_arena_raw(e->scratch, sizeof *r.columns * (size_t)floats);
	r.runs = pim_arena_raw(e->scratch, sizeof *r.runs * (size_t)(runs < most ? runs : most) + 1);
	return r;
}

/* All images and groups; x_volume and y_volume are of one channel. */
static void run_groups(const conv_shape *s, group_function *run, const float *x, int64_t x_volume,
	const char *k, const float *bias, float *y, int64_t y_volume, pim_eval *e)
{
	int64_t channels = s->groups * s->out_channels;
	int64_t rows = (run == convolve_group ? 1 : s->out_channels) * s->w.kernel_volume;
	int64_t kernels = s->in_channels * s->out_channels * s->w.kernel_volume;
	conv_room room = make_room(s, run != convolve_group, rows, e);
	fill_bias(s->batch * channels, channels, y_volume, bias, y);
	for (int64_t p = 0; p < s->batch * s->groups; p++)
		run(s, x + p * s->in_channels * x_volume,
			k + p % s->groups * kernels * (int64_t)sizeof(float),
			y + p * s->out_channels * y_volume, &room);
}

/* ---- integers of 8 bits: float32, exactly ---- */

/* A float32 sum of this many products of 8-bit integers (at most 255 * 255 each) is exact:
 * nothing goes beyond 2^24. */
enum { EXACT_PRODUCTS = 256 };

static bool is_exact_in_f32(const pim_node *n, const pim_window *w)
{
	size_t x = pim_dtype_bytes(n->in[0]->type->dtype), k = pim_dtype_bytes(n->in[1]->type->dtype);
	return x == 1 && k == 1 && w->kernel_volume <= EXACT_PRODUCTS;
}

static void to_floats(const int64_t *from, int64_t n, float *to)
{
	for (int64_t i = 0; i < n; i++)
		to[i] = (float)from[i];
}

/* Input channels first..first+count of the kernels of one group. */
static void pick_kernels(
	const conv_shape *s, const int64_t *k, int64_t first, int64_t count, float *to)
{
	int64_t row = s->in_channels * s->w.kernel_volume, part = count * s->w.kernel_volume;
	for (int64_t c = 0; c < s->out_channels; c++)
		to_floats(k + c * row + first * s->w.kernel_volume, part, to + c * part);
}

/* One image, one group, in runs of so many channels that each run is exact. */
static void convolve_exact(const conv_shape *s, const int64_t *x, const int64_t *k, int64_t *y,
	float *floats, const conv_room *room)
{
	conv_shape part = *s;
	int64_t most = EXACT_PRODUCTS / s->w.kernel_volume, volume = s->out_channels * s->w.out_volume;
	float *px = floats, *pk = px + most * s->w.in_volume,
		  *py = pk + most * s->out_channels * s->w.kernel_volume;
	for (int64_t c = 0; c < s->in_channels; c += part.in_channels) {
		part.in_channels = s->in_channels - c < most ? s->in_channels - c : most;
		to_floats(x + c * s->w.in_volume, part.in_channels * s->w.in_volume, px);
		pick_kernels(s, k, c, part.in_channels, pk);
		memset(py, 0, sizeof *py * (size_t)volume);
		convolve_group(&part, px, (const char *)pk, py, room);
		for (int64_t i = 0; i < volume; i++)
			y[i] = (int64_t)((uint64_t)y[i] + (uint64_t)(int64_t)py[i]);
	}
}

/* A part may have one channel or several. */
static conv_room make_exact_room(const conv_shape *s, pim_eval *e)
{
	int64_t plane = pim_conv_plane_room(&s->w);
	conv_shape one = *s;
	one.in_channels = 1;
	if (s->in_channels == 1)
		return make_room(&one, false, 0, e);
	return make_room(s, true, plane > s->w.kernel_volume ? plane : s->w.kernel_volume, e);
}

static void convolve_small(const conv_shape *s, const int64_t *x, const int64_t *k,
	const int64_t *bias, int64_t *y, pim_eval *e)
{
	const pim_window *w = &s->w;
	int64_t channels = s->groups * s->out_channels, most = EXACT_PRODUCTS / w->kernel_volume;
	int64_t count = most * w->in_volume + most * s->out_channels * w->kernel_volume +
					s->out_channels * w->out_volume;
	float *floats = pim_arena_raw(e->scratch, sizeof *floats * (size_t)count);
	conv_room room = make_exact_room(s, e);
	for (int64_t p = 0; p < s->batch * channels; p++)
		for (int64_t i = 0; i < w->out_volume; i++)
			y[p * w->out_volume + i] = bias ? bias[p % channels] : 0;
	for (int64_t p = 0; p < s->batch * s->groups; p++)
		convolve_exact(s, x + p * s->in_channels * w->in_volume,
			k + p % s->groups * s->in_channels * s->out_channels * w->kernel_volume,
			y + p * s->out_channels * w->out_volume, floats, &room);
}

/* Whether every element is at most 255 away from 0. */
static bool are_small(const int64_t *v, int64_t n)
{
	bool small = true;
	for (int64_t i = 0; i < n; i++)
		small = small && v[i] >= -255 && v[i] <= 255;
	return small;
}

void pim_conv_run_integer(
	const pim_node *n, const int64_t *x, const int64_t *w, int64_t *y, pim_eval *e)
{
	conv_shape s = read_conv(n);
	if (n->type->elements == 0)
		return;
	if (!e->plain && s.w.kernel_volume <= EXACT_PRODUCTS &&
		are_small(x, n->in[0]->type->elements) && are_small(w, n->in[1]->type->elements))
		convolve_small(&s, x, w, NULL, y, e);
	else
		convolve_u64(&s, (const uint64_t *)x, (const uint64_t *)w, NULL, (uint64_t *)y);
}

/* Kernels where the file has them, when the loops take them there. */
static const void *find_kernels(const pim_node *n, const pim_tensor *t, pim_eval *e)
{
	bool anywhere = n->type->dtype == PIM_DTYPE_f32 && pim_gemm_takes_any_address(e);
	return anywhere ? t->data : pim_stage_whole(t, e->scratch);
}

bool pim_eval_conv(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	conv_shape s = read_conv(n);
	const void *x = pim_stage_whole(&in[0], e->scratch), *w = find_kernels(n, &in[1], e);
	const void *bias = pim_rule_is_absent(n, 2) ? NULL : pim_stage_whole(&in[2], e->scratch);
	void *y = pim_stage_room(out, e->scratch);
	pim_stage stage = pim_stage_of(n->type->dtype);
	if (n->type->elements == 0)
		return true;
	if (stage == PIM_STAGE_f32 && !e->plain)
		run_groups(&s, convolve_group, x, s.w.in_volume, w, bias, y, s.w.out_volume, e);
	else if (stage == PIM_STAGE_f32)
		convolve_f32(&s, x, w, bias, y);
	else if (stage == PIM_STAGE_f64)
		convolve_f64(&s, x, w, bias, y);
	else if (!e->plain && is_exact_in_f32(n, &s.w))
		convolve_small(&s, x, w, bias, y, e);
	else
		convolve_u64(&s, x, w, bias, y);
	pim_stage_finish(out, y);
	return true;
}

bool pim_eval_conv_transpose(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	conv_shape s = read_conv(n);
	const void *x = pim_stage_whole(&in[0], e->scratch), *w = pim_stage_whole(&in[1], e->scratch);
	const void *bias = pim_rule_is_absent(n, 2) ? NULL : pim_stage_whole(&in[2], e->scratch);
	void *y = pim_stage_room(out, e->scratch);
	pim_stage stage = pim_stage_of(n->type->dtype);
	if (n->type->elements == 0)
		return true;
	if (stage == PIM_STAGE_f32 && !e->plain) {
		run_groups(&s, spread_group, x, s.w.out_volume, w, bias, y, s.w.in_volume, e);
	} else {
		void *plane = pim_arena_raw(e->scratch, 8 * (size_t)s.w.in_volume);
		if (stage == PIM_STAGE_f32)
			spread_f32(&s, x, w, bias, y, plane);
		else if (stage == PIM_STAGE_f64)
			spread_f64(&s, x, w, bias, y, plane);
		else
			spread_u64(&s, x, w, bias, y, plane);
	}
	pim_stage_finish(out, y);
	return true;
}
