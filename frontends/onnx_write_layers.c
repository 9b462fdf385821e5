/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_write_layers - Resize, GridSample, regions of interest and recurrent layers as ONNX
 * operators.
 *
 * Sizes, scales and lists that are attributes here become constants that the operators read. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "frontends/onnx_write.h"

static bool has_entries(const pim_attr *a)
{
	return a && a->n;
}

/* Whether the sizes are what ONNX makes of the scales. */
static bool do_scales_give_sizes(const pim_node *n)
{
	const pim_attr *scales = pim_attr_find(n, "scales");
	const int64_t *axes, *sizes;
	int count = pim_node_ints(n, "axes", &axes);
	pim_node_ints(n, "sizes", &sizes);
	for (int i = 0; i < count; i++)
		if ((int64_t)floorf((float)scales->fs[i] * (float)n->in[0]->type->dims[axes[i]]) !=
			sizes[i])
			return false;
	return true;
}

/* The policy that finds one scale for all axes from their sizes, NULL when none finds this one. */
static const char *find_policy(const pim_node *n)
{
	const pim_attr *scales = pim_attr_find(n, "scales");
	const int64_t *axes, *sizes;
	int count = pim_node_ints(n, "axes", &axes);
	double least = INFINITY, most = 0;
	pim_node_ints(n, "sizes", &sizes);
	for (int i = 0; i < count; i++) {
		double s = (double)sizes[i] / (double)n->in[0]->type->dims[axes[i]];
		least = fmin(least, s);
		most = fmax(most, s);
		if (scales->fs[i] != scales->fs[0])
			return NULL;
	}
	return least == scales->fs[0] ? "not_larger" : most == scales->fs[0] ? "not_smaller" : NULL;
}

static bool is_scale_exact(const pim_node *n)
{
	const pim_attr *scales = pim_attr_find(n, "scales");
	for (uint32_t i = 0; i < scales->n; i++)
		if ((double)(float)scales->fs[i] != scales->fs[i])
			return false;
	return true;
}

bool onnx_resize_needs_policy(const pim_node *n)
{
	if (!has_entries(pim_attr_find(n, "scales")) || has_entries(pim_attr_find(n, "roi")))
		return false;
	return !do_scales_give_sizes(n) || (!is_scale_exact(n) && find_policy(n));
}

static const char *write_roi_places(onnx_writer *w, const pim_node *n)
{
	const pim_attr *roi = pim_attr_find(n, "roi");
	const int64_t *axes;
	int count = pim_node_ints(n, "axes", &axes), rank = n->type->rank;
	int64_t dims[1] = {2 * rank};
	float *r = PIM_NEW(w->arena, float, 2 * rank + 1);
	if (!has_entries(roi))
		return NULL;
	for (int d = 0; d < rank; d++)
		r[rank + d] = 1;
	for (int i = 0; i < count; i++) {
		r[axes[i]] = (float)roi->fs[i];
		r[rank + axes[i]] = (float)roi->fs[count + i];
	}
	return onnx_write_tensor(w, onnx_write_name(w, "roi"), PIM_DTYPE_f32, 1, dims, r);
}

static const char *write_scales(onnx_writer *w, const pim_node *n)
{
	const int64_t *axes;
	int count = pim_node_ints(n, "axes", &axes), rank = n->type->rank;
	int64_t dims[1] = {rank};
	float *s = PIM_NEW(w->arena, float, rank + 1);
	for (int d = 0; d < rank; d++)
		s[d] = 1;
	for (int i = 0; i < count; i++)
		s[axes[i]] = (float)pim_attr_find(n, "scales")->fs[i];
	return onnx_write_tensor(w, onnx_write_name(w, "scales"), PIM_DTYPE_f32, 1, dims, s);
}

/* Sizes; or scales, where those give these sizes; or sizes with a policy, where that gives the
 * scale. All dims are named, those that stay with scale 1; with a policy, the resized ones. */
bool onnx_write_resize(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const char *all[4] = {in[0], write_roi_places(w, n), NULL, NULL}, *policy = NULL;
	const int64_t *axes, *sizes;
	int count = pim_node_ints(n, "axes", &axes);
	Onnx__NodeProto *to;
	if (onnx_resize_needs_policy(n) && !(policy = find_policy(n)))
		return pim_node_error(n, "scales of resize do not give its sizes in ONNX");
	pim_node_ints(n, "sizes", &sizes);
	if (policy)
		all[3] = onnx_write_list(w, count, sizes);
	else if (has_entries(pim_attr_find(n, "scales")) && !all[1])
		all[2] = write_scales(w, n);
	else
		all[3] = onnx_write_list(w, n->type->rank, n->type->dims);
	to = onnx_write_node(w, "Resize", 4, all, onnx_write_out(w, n));
	if (policy) {
		onnx_write_string(w, to, "keep_aspect_ratio_policy", policy);
		onnx_write_ints(w, to, "axes", count, axes);
	}
	onnx_write_string(w, to, "mode", pim_node_string(n, "mode"));
	onnx_write_string(w, to, "coordinate_transformation_mode", pim_node_string(n, "coordinates"));
	onnx_write_string(w, to, "nearest_mode", pim_node_string(n, "nearest"));
	onnx_write_float(w, to, "cubic_coeff_a", pim_node_float(n, "cubic_coeff_a"));
	onnx_write_int(w, to, "exclude_outside", pim_node_int(n, "exclude_outside"));
	onnx_write_float(w, to, "extrapolation_value", pim_node_float(n, "extrapolation_value"));
	if (pim_node_int(n, "antialias"))
		onnx_write_int(w, to, "antialias", 1);
	return true;
}

bool onnx_write_grid_sample(onnx_writer *w, const pim_node *n, const char *const *in)
{
	Onnx__NodeProto *to = onnx_write_as(w, n, "GridSample", in);
	const char *mode = pim_node_string(n, "mode");
	if (w->opset < 20 && strcmp(mode, "nearest"))
		mode = !strcmp(mode, "linear") ? "bilinear" : "bicubic";
	onnx_write_string(w, to, "mode", mode);
	onnx_write_string(w, to, "padding_mode", pim_node_string(n, "padding"));
	onnx_write_int(w, to, "align_corners", pim_node_int(n, "align_corners"));
	return true;
}

bool onnx_write_roi(onnx_writer *w, const pim_node *n, const char *const *in)
{
	bool aligned = n->op == PIM_OP_roi_align;
	Onnx__NodeProto *to = onnx_write_as(w, n, aligned ? "RoiAlign" : "MaxRoiPool", in);
	const int64_t *sizes;
	pim_node_ints(n, "sizes", &sizes);
	onnx_write_float(w, to, "spatial_scale", pim_node_float(n, "spatial_scale"));
	if (!aligned) {
		onnx_write_ints(w, to, "pooled_shape", 2, sizes);
		return true;
	}
	onnx_write_int(w, to, "output_height", sizes[0]);
	onnx_write_int(w, to, "output_width", sizes[1]);
	onnx_write_string(w, to, "mode", pim_node_string(n, "mode"));
	onnx_write_int(w, to, "sampling_ratio", pim_node_int(n, "sampling_ratio"));
	onnx_write_string(w, to, "coordinate_transformation_mode",
		pim_node_int(n, "half_pixel") ? "half_pixel" : "output_half_pixel");
	return true;
}

/* leaky_relu -> LeakyRelu */
static const char *name_activation(onnx_writer *w, const char *s, size_t n)
{
	char *name = pim_arena_copy(w->arena, s, n);
	size_t to = 0;
	for (size_t i = 0; i < n; i++)
		if (s[i] != '_')
			name[to++] = i == 0 || s[i - 1] == '_' ? (char)toupper((unsigned char)s[i]) : s[i];
	name[to] = '\0';
	return name;
}

/* Activations, and parameters of those that have them, in order. */
static void write_activations(onnx_writer *w, Onnx__NodeProto *to, const pim_node *n)
{
	enum { MOST = 6 };
	const char *s = pim_node_string(n, "activations"), *names[MOST];
	const pim_attr *given[2] = {pim_attr_find(n, "alpha"), pim_attr_find(n, "beta")};
	double list[2][MOST];
	int count[2] = {0}, total = 0;
	for (size_t length; *s && total < MOST; s += length + (s[length] == ',')) {
		length = strcspn(s, ",");
		for (int i = 0; i < 2; i++)
			if (given[i] && given[i]->n && onnx_activation_takes(s, length, i))
				list[i][count[i]++] = given[i]->fs[total];
		names[total++] = name_activation(w, s, length);
	}
	if (total)
		onnx_write_strings(w, to, "activations", total, names);
	for (int i = 0; i < 2; i++)
		if (count[i])
			onnx_write_floats(w, to, i ? "activation_beta" : "activation_alpha", count[i], list[i]);
}

/* The states of all steps, then the last ones as more steps. */
bool onnx_write_recurrent(onnx_writer *w, const pim_node *n, const char *const *in)
{
	bool is_lstm = n->op == PIM_OP_lstm;
	const char *name = is_lstm ? "LSTM" : n->op == PIM_OP_gru ? "GRU" : "RNN", *parts[3], *last;
	const char *all[8] = {NULL}, *axis;
	Onnx__NodeProto *to;
	int n_parts = is_lstm ? 3 : 2;
	for (uint32_t i = 0; i < n->n_in; i++)
		all[i] = in[i];
	if (all[4]) {
		last = onnx_write_name(w, "lengths");
		onnx_write_int(w, onnx_write_node(w, "Cast", 1, &all[4], last), "to", 6);
		all[4] = last;
	}
	axis = onnx_write_list(w, 1, (int64_t[]){0});
	to = onnx_write_node(w, name, (int)n->n_in, all, onnx_write_name(w, "states"));
	parts[0] = to->output[0];
	for (int i = 1; i < n_parts; i++) {
		last = onnx_write_name(w, "last");
		onnx_write_output(w, to, last);
		parts[i] = onnx_write_value(w, "Unsqueeze", 2, (const char *[]){last, axis});
	}
	onnx_write_string(w, to, "direction", pim_node_string(n, "direction"));
	onnx_write_int(w, to, "hidden_size", n->type->dims[3]);
	write_activations(w, to, n);
	if (pim_node_float(n, "clip") != INFINITY)
		onnx_write_float(w, to, "clip", pim_node_float(n, "clip"));
	if (is_lstm)
		onnx_write_int(w, to, "input_forget", pim_node_int(n, "input_forget"));
	if (n->op == PIM_OP_gru)
		onnx_write_int(w, to, "linear_before_reset", pim_node_int(n, "linear_before_reset"));
	onnx_write_int(
		w, onnx_write_node(w, "Concat", n_parts, parts, onnx_write_out(w, n)), "axis", 0);
	return true;
}
