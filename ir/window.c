/* SPDX-License-Identifier: Apache-2.0 */
/* window - the windows of convolutions and pools: their attributes, sizes, and which results a tap
 * feeds. */
#include "ir/op_rules.h"

/* A list attribute of `count` entries, or `init` for all when it is empty. */
static bool read_list(
	const pim_node *n, const char *name, int count, int64_t init, int64_t lowest, int64_t *out)
{
	const int64_t *v = NULL;
	int got = pim_node_ints(n, name, &v);
	if (got != 0 && got != count)
		return pim_node_error(
			n, "%s of %s has %d entries, expected %d or none", name, pim_node_op(n), got, count);
	for (int i = 0; i < count; i++) {
		out[i] = got ? v[i] : init;
		if (out[i] < lowest || out[i] > INT32_MAX)
			return pim_node_error(n, "%s of %s has the entry %lld, expected %lld to %d", name,
				pim_node_op(n), (long long)out[i], (long long)lowest, INT32_MAX);
	}
	return true;
}

static bool read_attributes(
	const pim_node *n, int spatial, const int64_t *in, const int64_t *kernel, pim_window *w)
{
	int64_t strides[3], dilations[3], pads[6];
	if (spatial < 1 || spatial > 3)
		return pim_node_error(
			n, "%s has %d spatial dims, expected 1 to 3", pim_node_op(n), spatial);
	if (!read_list(n, "strides", spatial, 1, 1, strides) ||
		!read_list(n, "dilations", spatial, 1, 1, dilations) ||
		!read_list(n, "pads", 2 * spatial, 0, 0, pads))
		return false;
	w->n = spatial;
	for (int d = 0; d < 3; d++) {
		int s = d - (3 - spatial);
		w->in[d] = s < 0 ? 1 : in[s];
		w->kernel[d] = s < 0 ? 1 : kernel[s];
		w->stride[d] = s < 0 ? 1 : strides[s];
		w->dilation[d] = s < 0 ? 1 : dilations[s];
		w->lo[d] = s < 0 ? 0 : pads[s];
		w->hi[d] = s < 0 ? 0 : pads[spatial + s];
		if (w->kernel[d] < 1 || w->kernel[d] > INT32_MAX || w->in[d] > INT64_MAX / 4)
			return pim_node_error(n, "spatial dim %d of %s has input %lld and kernel %lld", s,
				pim_node_op(n), (long long)w->in[d], (long long)w->kernel[d]);
	}
	return true;
}

static void count_volumes(pim_window *w)
{
	w->in_volume = w->in[0] * w->in[1] * w->in[2];
	w->out_volume = w->out[0] * w->out[1] * w->out[2];
	w->kernel_volume = w->kernel[0] * w->kernel[1] * w->kernel[2];
}

static bool does_fit(const pim_node *n, const int64_t v[3], const char *what)
{
	int64_t product = 1;
	for (int d = 0; d < 3; d++)
		if (!pim_mul(product, v[d] ? v[d] : 1, &product))
			return pim_node_error(n, "%s of %s has more than 2^63 elements", what, pim_node_op(n));
	return true;
}

bool pim_window_read(
	const pim_node *n, int spatial, const int64_t *in, const int64_t *kernel, pim_window *w)
{
	if (!read_attributes(n, spatial, in, kernel, w))
		return false;
	for (int d = 0; d < 3; d++) {
		int64_t reach = w->dilation[d] * (w->kernel[d] - 1) + 1;
		int64_t padded = w->in[d] + w->lo[d] + w->hi[d];
		if (padded < reach)
			return pim_node_error(n,
				"window of %s reaches over %lld elements of spatial dim %d, which has %lld with "
				"pads",
				pim_node_op(n), (long long)reach, d - (3 - spatial), (long long)padded);
		w->out[d] = (padded - reach) / w->stride[d] + 1;
	}
	if (!does_fit(n, w->kernel, "window") || !does_fit(n, w->out, "result"))
		return false;
	count_volumes(w);
	return true;
}

bool pim_window_read_transposed(
	const pim_node *n, int spatial, const int64_t *in, const int64_t *kernel, pim_window *w)
{
	int64_t more[3];
	if (!read_attributes(n, spatial, in, kernel, w) ||
		!read_list(n, "output_padding", spatial, 0, 0, more))
		return false;
	for (int d = 0; d < 3; d++) {
		int s = d - (3 - spatial);
		int64_t reach = w->dilation[d] * (w->kernel[d] - 1) + 1, size;
		if (w->in[d] < 1 || !pim_mul(w->in[d] - 1, w->stride[d], &size) ||
			!pim_add(size, reach - w->lo[d] - w->hi[d] + (s < 0 ? 0 : more[s]), &size) || size < 1)
			return pim_node_error(n,
				"spatial dim %d of %s: input %lld, stride %lld, kernel reach %lld and pads %lld "
				"leave "
				"no result",
				s, pim_node_op(n), (long long)w->in[d], (long long)w->stride[d], (long long)reach,
				(long long)(w->lo[d] + w->hi[d]));
		w->out[d] = w->in[d];
		w->in[d] = size;
	}
	if (!does_fit(n, w->kernel, "window") || !does_fit(n, w->in, "result"))
		return false;
	count_volumes(w);
	return true;
}

bool pim_window_tap(
	const pim_window *w, int64_t line, int64_t tap, int64_t *first, int64_t *last, int64_t *offset)
{
	int64_t o[2] = {line / w->out[1], line % w->out[1]};
	int64_t k[3] = {
		tap / (w->kernel[1] * w->kernel[2]), tap / w->kernel[2] % w->kernel[1], tap % w->kernel[2]};
	int64_t row = 0;
	for (int d = 0; d < 2; d++) {
		int64_t i = o[d] * w->stride[d] + k[d] * w->dilation[d] - w->lo[d];
		if (i < 0 || i >= w->in[d])
			return false;
		row = row * w->in[d] + i;
	}
	int64_t s = w->stride[2], shift = k[2] * w->dilation[2] - w->lo[2];
	*first = shift >= 0 ? 0 : (-shift + s - 1) / s;
	*last = shift >= w->in[2] ? 0 : (w->in[2] - 1 - shift) / s + 1;
	*last = *last < w->out[2] ? *last : w->out[2];
	*offset = row * w->in[2] + *first * s + shift;
	return *first < *last;
}
