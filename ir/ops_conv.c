/* SPDX-License-Identifier: Apache-2.0 */
/* ops_conv - convolution of one to three spatial dims.
 *
 * float32: windows of a block of results are laid out as a matrix (im2col) and multiplied by the
 * weights of a group; with one input channel per group the taps are added line by line instead.
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

/* Operands of one rank of at least 3, numbers of one element type, and groups that divide
 * `channels`. */
static bool check_operands(const pim_node *n)
{
	const pim_type *x = pim_rule_operand(n, 0), *w = pim_rule_operand(n, 1);
	if (!x || !w || !pim_rule_same_dtype(n, 1))
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

const pim_type *pim_infer_conv(const pim_node *n)
{
	pim_window win;
	if (!check_operands(n))
		return NULL;
	const pim_type *x = n->in[0]->type, *w = n->in[1]->type;
	int64_t groups = pim_node_int(n, "groups"), dims[5] = {x->dims[0], w->dims[0]};
	if (w->dims[1] != x->dims[1] / groups || w->dims[0] % groups) {
		pim_node_error(n,
			"conv of %s by %s with %lld groups: expected %lld input channels in the weights and a "
			"multiple of %lld results",
			pim_rule_text(n, x), pim_rule_text(n, w), (long long)groups,
			(long long)(x->dims[1] / groups), (long long)groups);
		return NULL;
	}
	if (!check_bias(n, w->dims[0]) ||
		!pim_window_read(n, x->rank - 2, x->dims + 2, w->dims + 2, &win))
		return NULL;
	for (int d = 0; d < win.n; d++)
		dims[2 + d] = win.out[3 - win.n + d];
	return pim_rule_result(n, x->dtype, x->rank, dims);
}

const pim_type *pim_infer_conv_transpose(const pim_node *n)
{
	pim_window win;
	if (!check_operands(n))
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
	int ci = pim_axes_axis(x, tw->dims[1], PIM_AXIS_summed, "ci");
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
	int ci = pim_axes_axis(x, tx->dims[1] / groups, PIM_AXIS_summed, "ci");
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
