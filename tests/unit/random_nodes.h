/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/random_nodes.h - a small random node of any op, with inputs of its own, for checks
 * that hold for every op. */
#ifndef PIM_TESTS_UNIT_RANDOM_NODES_H
#define PIM_TESTS_UNIT_RANDOM_NODES_H

#include <stdio.h>
#include <string.h>

#include "ir/ir.h"
#include "ir/random.h"

typedef struct random_source {
	uint64_t state;
} random_source;

/* 0 .. n - 1 */
static inline int64_t pick(random_source *r, int64_t n)
{
	return (int64_t)(pim_random(&r->state) % (uint64_t)n);
}

/* lo .. hi */
static inline int64_t pick_in(random_source *r, int64_t lo, int64_t hi)
{
	return lo + pick(r, hi - lo + 1);
}

static inline pim_node *give_input(pim_graph *g, pim_dtype t, int rank, const int64_t *dims)
{
	return pim_input_new(g, NULL, pim_type_tensor(pim_graph_context(g), t, rank, dims));
}

static inline int pick_dims(random_source *r, int lowest, int most, int64_t *dims)
{
	int rank = (int)pick_in(r, lowest, most);
	for (int d = 0; d < rank; d++)
		dims[d] = pick_in(r, 1, 5);
	return rank;
}

/* An input that broadcasts to these dims. */
static inline pim_node *give_narrower(
	pim_graph *g, random_source *r, pim_dtype t, int rank, const int64_t *dims)
{
	int64_t own[PIM_MAX_RANK];
	int skip = pick(r, 3) ? 0 : (int)pick_in(r, 0, rank);
	for (int d = skip; d < rank; d++)
		own[d - skip] = pick(r, 4) ? dims[d] : 1;
	return give_input(g, t, rank - skip, own);
}

/* u8 or i8 for products of integers, f32 for others. */
static inline pim_dtype pick_factor(random_source *r, pim_op op)
{
	bool integer = op == PIM_OP_matmul_integer || op == PIM_OP_conv_integer;
	return !integer ? PIM_DTYPE_f32 : pick(r, 2) ? PIM_DTYPE_u8 : PIM_DTYPE_i8;
}

static inline pim_node *make_matmul(pim_graph *g, random_source *r, pim_op op)
{
	int64_t batch[PIM_MAX_RANK], a[PIM_MAX_RANK], b[PIM_MAX_RANK];
	int rank = pick_dims(r, 0, 2, batch), skip = (int)pick_in(r, 0, rank);
	int64_t m = pick_in(r, 1, 5), n = pick_in(r, 1, 5), k = pick_in(r, 1, 6);
	int64_t ta = pick(r, 2), tb = pick(r, 2);
	for (int d = 0; d < rank; d++) {
		a[d] = pick(r, 4) ? batch[d] : 1;
		if (d >= skip)
			b[d - skip] = pick(r, 4) ? batch[d] : 1;
	}
	a[rank] = ta ? k : m;
	a[rank + 1] = ta ? m : k;
	b[rank - skip] = tb ? n : k;
	b[rank - skip + 1] = tb ? k : n;
	pim_node *in[] = {give_input(g, pick_factor(r, op), rank + 2, a),
		give_input(g, pick_factor(r, op), rank - skip + 2, b)};
	pim_node *made = pim_node_new(g, pim_op_at(op)->name, 2, in, NULL);
	pim_node_set_int(made, "transpose_a", ta);
	pim_node_set_int(made, "transpose_b", tb);
	if (op == PIM_OP_matmul_integer) {
		pim_node_set_int(made, "a_zero", pick_in(r, -3, 200));
		pim_node_set_int(made, "b_zero", pick_in(r, -3, 3));
	}
	return made;
}

/* Strides, dilations and pads for `spatial` dims, which may not fit x. */
static inline void pick_window(random_source *r, int spatial, pim_node *n)
{
	int64_t strides[3], dilations[3], pads[6];
	for (int d = 0; d < spatial; d++) {
		strides[d] = pick_in(r, 1, 3);
		dilations[d] = pick_in(r, 1, 2);
		pads[d] = pick_in(r, 0, 2);
		pads[spatial + d] = pick_in(r, 0, 2);
	}
	if (pick(r, 4))
		pim_node_set_ints(n, "strides", spatial, strides);
	if (pick(r, 2))
		pim_node_set_ints(n, "dilations", spatial, dilations);
	if (pick(r, 3))
		pim_node_set_ints(n, "pads", 2 * spatial, pads);
}

static inline pim_node *make_conv(pim_graph *g, random_source *r, pim_op op)
{
	bool transposed = op == PIM_OP_conv_transpose, integer = op == PIM_OP_conv_integer;
	int spatial = (int)pick_in(r, 1, 3);
	int64_t groups = pick(r, 2) ? 1 : pick_in(r, 2, 3), ci = pick_in(r, 1, 3),
			co = pick_in(r, 1, 3);
	int64_t x[5] = {pick_in(r, 1, 2), groups * ci}, w[5] = {groups * co, ci};
	if (transposed) {
		w[0] = groups * ci;
		w[1] = co;
	}
	for (int d = 0; d < spatial; d++) {
		w[2 + d] = pick_in(r, 1, 3);
		x[2 + d] = pick_in(r, 3, 8 - spatial);
	}
	int64_t bias = groups * co;
	pim_node *in[] = {give_input(g, pick_factor(r, op), spatial + 2, x),
		give_input(g, pick_factor(r, op), spatial + 2, w), give_input(g, PIM_DTYPE_f32, 1, &bias)};
	pim_node *n =
		pim_node_new(g, pim_op_at(op)->name, integer ? 2 : (int)pick_in(r, 2, 3), in, NULL);
	pim_node_set_int(n, "groups", groups);
	if (integer) {
		pim_node_set_int(n, "x_zero", pick_in(r, -3, 200));
		pim_node_set_int(n, "w_zero", pick_in(r, -3, 3));
	}
	pick_window(r, spatial, n);
	return n;
}

static inline pim_node *make_pool(pim_graph *g, random_source *r, pim_op op)
{
	int spatial = (int)pick_in(r, 1, 3);
	int64_t x[5] = {pick_in(r, 1, 2), pick_in(r, 1, 3)}, kernel[3], counted[6];
	const int64_t *pads = NULL;
	for (int d = 0; d < spatial; d++) {
		x[2 + d] = pick_in(r, 3, 8 - spatial);
		kernel[d] = pick_in(r, 1, 3);
	}
	pim_node *in = give_input(g, PIM_DTYPE_f32, spatial + 2, x);
	pim_node *n = pim_node_new(g, pim_op_at(op)->name, 1, &in, NULL);
	pim_node_set_ints(n, "kernel", spatial, kernel);
	pick_window(r, spatial, n);
	if (op == PIM_OP_average_pool && pim_node_ints(n, "pads", &pads)) {
		for (int i = 0; i < 2 * spatial; i++)
			counted[i] = pick_in(r, 0, pads[i]);
		pim_node_set_ints(n, "counted_pads", 2 * spatial, counted);
	}
	return n;
}

static inline pim_node *make_reduce(pim_graph *g, random_source *r, pim_op op)
{
	int64_t dims[PIM_MAX_RANK], axes[PIM_MAX_RANK];
	int rank = pick_dims(r, 0, 4, dims), count = 0;
	for (int d = 0; d < rank; d++)
		if (pick(r, 2))
			axes[count++] = d;
	pim_node *in = give_input(g, PIM_DTYPE_f32, rank, dims);
	pim_node *n = pim_node_new(g, pim_op_at(op)->name, 1, &in, NULL);
	pim_node_set_ints(n, "axes", count, axes);
	pim_node_set_int(n, "keepdims", pick(r, 2));
	return n;
}

static inline pim_node *make_norm(pim_graph *g, random_source *r, pim_op op)
{
	int64_t dims[PIM_MAX_RANK];
	int rank = pick_dims(r, 2, 4, dims), axis = (int)pick(r, rank);
	pim_node *in[5] = {give_input(g, PIM_DTYPE_f32, rank, dims)};
	int count = op == PIM_OP_batch_norm ? 5 : op == PIM_OP_layer_norm ? (int)pick_in(r, 2, 3) : 1;
	for (int i = 1; i < count; i++)
		in[i] = op == PIM_OP_batch_norm ? give_input(g, PIM_DTYPE_f32, 1, dims + 1)
										: give_input(g, PIM_DTYPE_f32, rank - axis, dims + axis);
	pim_node *n = pim_node_new(g, pim_op_at(op)->name, count, in, NULL);
	if (op == PIM_OP_lrn)
		pim_node_set_int(n, "size", pick_in(r, 1, 5));
	else if (op == PIM_OP_batch_norm)
		pim_node_set_float(n, "epsilon", 2);
	else
		pim_node_set_int(n, "axis", axis);
	return n;
}

/* The factors of the elements in random order, in up to five dims. */
static inline pim_node *make_reshape(pim_graph *g, random_source *r)
{
	int64_t dims[PIM_MAX_RANK], shape[5] = {1, 1, 1, 1, 1}, left = 1;
	int rank = pick_dims(r, 0, 4, dims), to = (int)pick_in(r, 0, 5), at = 0;
	for (int d = 0; d < rank; d++) {
		dims[d] = pick(r, 3) ? dims[d] : pick_in(r, 6, 8);
		left *= dims[d];
	}
	to = left > 1 && to == 0 ? 1 : to;
	for (int64_t p = 2; left > 1; p++)
		for (; left % p == 0; left /= p) {
			shape[pick(r, 3) ? at : (int)pick(r, to)] *= p;
			at = (at + (int)pick(r, 2)) % to;
		}
	pim_node *in = give_input(g, PIM_DTYPE_f32, rank, dims);
	pim_node *n = pim_node_new(g, "reshape", 1, &in, NULL);
	pim_node_set_ints(n, "shape", to, shape);
	return n;
}

static inline pim_node *make_transpose(pim_graph *g, random_source *r)
{
	int64_t dims[PIM_MAX_RANK], perm[PIM_MAX_RANK];
	int rank = pick_dims(r, 0, 4, dims);
	for (int d = 0; d < rank; d++) {
		int other = (int)pick_in(r, 0, d);
		perm[d] = perm[other];
		perm[other] = d;
	}
	pim_node *in = give_input(g, PIM_DTYPE_f32, rank, dims);
	pim_node *n = pim_node_new(g, "transpose", 1, &in, NULL);
	pim_node_set_ints(n, "perm", rank, perm);
	return n;
}

static inline pim_node *make_slice(pim_graph *g, random_source *r)
{
	int64_t dims[PIM_MAX_RANK], starts[PIM_MAX_RANK], sizes[PIM_MAX_RANK], steps[PIM_MAX_RANK];
	int rank = pick_dims(r, 1, 4, dims);
	for (int d = 0; d < rank; d++) {
		steps[d] = pick_in(r, 1, 2) * (pick(r, 3) ? 1 : -1);
		starts[d] = pick(r, dims[d]);
		int64_t room = steps[d] > 0 ? dims[d] - 1 - starts[d] : starts[d];
		sizes[d] = pick_in(r, 1, room / (steps[d] > 0 ? steps[d] : -steps[d]) + 1);
	}
	pim_node *in = give_input(g, PIM_DTYPE_f32, rank, dims);
	pim_node *n = pim_node_new(g, "slice", 1, &in, NULL);
	pim_node_set_ints(n, "starts", rank, starts);
	pim_node_set_ints(n, "sizes", rank, sizes);
	pim_node_set_ints(n, "steps", rank, steps);
	return n;
}

static inline pim_node *make_concat(pim_graph *g, random_source *r)
{
	int64_t dims[PIM_MAX_RANK];
	int rank = pick_dims(r, 1, 4, dims), count = (int)pick_in(r, 1, 4), axis = (int)pick(r, rank);
	pim_node *in[4];
	for (int i = 0; i < count; i++) {
		dims[axis] = pick_in(r, 1, 4);
		in[i] = give_input(g, PIM_DTYPE_f32, rank, dims);
	}
	pim_node *n = pim_node_new(g, "concat", count, in, NULL);
	pim_node_set_int(n, "axis", axis);
	return n;
}

static inline pim_node *make_pad(pim_graph *g, random_source *r)
{
	static const char *const modes[] = {"constant", "edge", "reflect"};
	int64_t dims[PIM_MAX_RANK], pads[2 * PIM_MAX_RANK];
	int rank = pick_dims(r, 0, 4, dims), mode = (int)pick(r, 3);
	for (int i = 0; i < 2 * rank; i++) {
		dims[i % rank] += i < rank ? 1 : 0;
		int64_t most = mode == 2 && dims[i % rank] <= 2 ? dims[i % rank] - 1 : 2;
		pads[i] = pick(r, 2) ? 0 : pick_in(r, dims[i % rank] > 2 ? -1 : 0, most);
	}
	pim_node *in = give_input(g, PIM_DTYPE_f32, rank, dims);
	pim_node *n = pim_node_new(g, "pad", 1, &in, NULL);
	pim_node_set_ints(n, "pads", 2 * rank, pads);
	pim_node_set_string(n, "mode", modes[mode]);
	pim_node_set_float(n, "value", 0.25);
	return n;
}

static inline pim_node *make_gather(pim_graph *g, random_source *r)
{
	int64_t dims[PIM_MAX_RANK], indices[PIM_MAX_RANK];
	int rank = pick_dims(r, 1, 3, dims), index_rank = pick_dims(r, 0, 2, indices);
	int axis = (int)pick(r, rank);
	dims[axis] = pick_in(r, 4, 6); /* what pim_tensor_random puts into an i64, -4..3, is inside */
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, rank, dims),
		give_input(g, PIM_DTYPE_i64, index_rank, indices)};
	pim_node *n = pim_node_new(g, "gather", 2, in, NULL);
	pim_node_set_int(n, "axis", axis);
	return n;
}

static inline pim_node *make_elementwise(pim_graph *g, random_source *r, pim_op op)
{
	const pim_op_info *info = pim_op_at(op);
	int64_t dims[PIM_MAX_RANK];
	int rank = pick_dims(r, 0, 4, dims);
	bool logic = op == PIM_OP_not || op == PIM_OP_and || op == PIM_OP_or || op == PIM_OP_xor;
	bool bits = op == PIM_OP_bitwise_not || op == PIM_OP_bitwise_and || op == PIM_OP_bitwise_or ||
				op == PIM_OP_bitwise_xor || op == PIM_OP_shift_left || op == PIM_OP_shift_right;
	pim_node *in[3];
	for (int i = 0; i < info->min_inputs; i++) {
		bool truth = logic || (op == PIM_OP_where && i == 0);
		pim_dtype t = truth ? PIM_DTYPE_bool : bits ? PIM_DTYPE_i16 : PIM_DTYPE_f32;
		in[i] = info->min_inputs == 1 ? give_input(g, t, rank, dims)
									  : give_narrower(g, r, t, rank, dims);
	}
	pim_node *n = pim_node_new(g, info->name, info->min_inputs, in, NULL);
	if (op == PIM_OP_cast)
		pim_node_set_string(n, "to", "f16");
	if (op == PIM_OP_bit_cast)
		pim_node_set_string(n, "to", "i32");
	if (op == PIM_OP_clip) {
		pim_node_set_float(n, "min", -0.5);
		pim_node_set_float(n, "max", 0.25);
	}
	return n;
}

static inline pim_node *make_expand(pim_graph *g, random_source *r)
{
	int64_t dims[PIM_MAX_RANK];
	int rank = pick_dims(r, 0, 4, dims);
	pim_node *in = give_narrower(g, r, PIM_DTYPE_f32, rank, dims);
	pim_node *n = pim_node_new(g, "expand", 1, &in, NULL);
	pim_node_set_ints(n, "shape", rank, dims);
	return n;
}

/* ---- indices ---- */

static inline void set_floats(pim_node *n, const char *name, int count, const double *v)
{
	double *copy = PIM_NEW(n->graph->module->arena, double, count);
	memcpy(copy, v, sizeof *copy * (size_t)count);
	pim_attr a = {.name = pim_intern(pim_context_of(n), name, strlen(name)),
		.kind = PIM_ATTR_floats,
		.n = (uint32_t)count,
		.fs = copy};
	pim_attr_set(n, &a);
}

static inline void pick_word(
	random_source *r, pim_node *n, const char *name, int count, const char *const *words)
{
	pim_node_set_string(n, name, words[pick(r, count)]);
}

static const char *const random_reductions[] = {"none", "add", "mul", "min", "max"};

/* Dims that indices name have 4 to 6 elements: what pim_tensor_random puts into an i64, -4..3, is
 * inside. */
static inline pim_node *make_by_element(pim_graph *g, random_source *r, pim_op op)
{
	int64_t dims[PIM_MAX_RANK], own[PIM_MAX_RANK];
	int rank = pick_dims(r, 1, 3, dims), axis = (int)pick(r, rank);
	dims[axis] = pick_in(r, 4, 6);
	for (int d = 0; d < rank; d++)
		own[d] = d == axis ? pick_in(r, 1, 5) : pick(r, 3) ? dims[d] : pick_in(r, 1, dims[d]);
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, rank, dims),
		give_input(g, PIM_DTYPE_i64, rank, own), give_input(g, PIM_DTYPE_f32, rank, own)};
	bool writes = op == PIM_OP_scatter_elements;
	pim_node *n = pim_node_new(g, pim_op_at(op)->name, writes ? 3 : 2, in, NULL);
	pim_node_set_int(n, "axis", axis);
	if (writes)
		pick_word(r, n, "reduction", 5, random_reductions);
	return n;
}

static inline pim_node *make_by_place(pim_graph *g, random_source *r, pim_op op)
{
	bool writes = op == PIM_OP_scatter_nd;
	int64_t dims[PIM_MAX_RANK], index[PIM_MAX_RANK], slices[2 * PIM_MAX_RANK];
	int rank = pick_dims(r, 1, 4, dims), batch = writes ? 0 : (int)pick(r, rank);
	int entries = (int)pick_in(r, 1, rank - batch), more = (int)pick_in(r, 0, 2);
	for (int d = 0; d < batch + more; d++)
		index[d] = slices[d] = d < batch ? dims[d] : pick_in(r, 1, 4);
	index[batch + more] = entries;
	for (int d = batch; d < batch + entries; d++)
		dims[d] = pick_in(r, 4, 5);
	for (int d = entries; d < rank; d++)
		slices[more + d - entries] = dims[d];
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, rank, dims),
		give_input(g, PIM_DTYPE_i64, batch + more + 1, index),
		writes ? give_input(g, PIM_DTYPE_f32, more + rank - entries, slices) : NULL};
	pim_node *n = pim_node_new(g, pim_op_at(op)->name, writes ? 3 : 2, in, NULL);
	if (writes)
		pick_word(r, n, "reduction", 5, random_reductions);
	else
		pim_node_set_int(n, "batch_dims", batch);
	return n;
}

static inline pim_node *make_along(pim_graph *g, random_source *r, pim_op op)
{
	int64_t dims[PIM_MAX_RANK];
	int rank = pick_dims(r, 1, 4, dims), axis = (int)pick(r, rank);
	pim_node *in = give_input(g, pick(r, 3) ? PIM_DTYPE_f32 : PIM_DTYPE_i8, rank, dims);
	pim_node *n = pim_node_new(g, pim_op_at(op)->name, 1, &in, NULL);
	pim_node_set_int(n, "axis", axis);
	if (op == PIM_OP_top_k) {
		pim_node_set_int(n, "k", pick_in(r, 1, dims[axis]));
		pim_node_set_int(n, "largest", pick(r, 2));
	} else if (op == PIM_OP_cumsum || op == PIM_OP_cumprod) {
		pim_node_set_int(n, "exclusive", pick(r, 2));
		pim_node_set_int(n, "reverse", pick(r, 2));
	} else {
		pim_node_set_int(n, "keepdims", pick(r, 2));
		pim_node_set_int(n, "select_last", pick(r, 2));
	}
	return n;
}

static inline pim_node *make_det(pim_graph *g, random_source *r)
{
	int64_t dims[PIM_MAX_RANK];
	int rank = pick_dims(r, 2, 4, dims);
	dims[rank - 1] = dims[rank - 2];
	pim_node *in = give_input(g, PIM_DTYPE_f32, rank, dims);
	return pim_node_new(g, "det", 1, &in, NULL);
}

/* ---- sampling ---- */

static inline pim_node *make_resize(pim_graph *g, random_source *r)
{
	static const char *const modes[] = {"nearest", "linear", "cubic"};
	static const char *const roundings[] = {
		"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
	static const char *const places[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
		"align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
	int64_t dims[PIM_MAX_RANK], axes[PIM_MAX_RANK], sizes[PIM_MAX_RANK];
	double scales[PIM_MAX_RANK], roi[2 * PIM_MAX_RANK];
	int rank = pick_dims(r, 1, 4, dims), n_axes = 0;
	for (int d = 0; d < rank; d++) {
		if (pick(r, 2))
			continue;
		axes[n_axes] = d;
		sizes[n_axes] = pick_in(r, 1, 7);
		scales[n_axes] = ((double)sizes[n_axes] + (double)pick(r, 4) / 4) / (double)dims[d];
		n_axes++;
	}
	for (int i = 0; i < n_axes; i++) {
		roi[i] = (double)pick_in(r, -1, 2) / 4;
		roi[n_axes + i] = (double)pick_in(r, 2, 5) / 4;
	}
	pim_node *in = give_input(g, PIM_DTYPE_f32, rank, dims);
	pim_node *n = pim_node_new(g, "resize", 1, &in, NULL);
	pim_node_set_ints(n, "axes", n_axes, axes);
	pim_node_set_ints(n, "sizes", n_axes, sizes);
	if (pick(r, 2))
		set_floats(n, "scales", n_axes, scales);
	if (pick(r, 2))
		set_floats(n, "roi", 2 * n_axes, roi);
	pick_word(r, n, "mode", 3, modes);
	pick_word(r, n, "nearest", 4, roundings);
	pick_word(r, n, "coordinates", 7, places);
	pim_node_set_int(n, "exclude_outside", pick(r, 2));
	pim_node_set_int(n, "antialias", pick(r, 2));
	pim_node_set_float(n, "cubic_coeff_a", pick(r, 2) ? -0.5 : -0.75);
	pim_node_set_float(n, "extrapolation_value", 0.5);
	return n;
}

static inline pim_node *make_grid_sample(pim_graph *g, random_source *r)
{
	static const char *const modes[] = {"nearest", "linear", "cubic"};
	static const char *const paddings[] = {"zeros", "border", "reflection"};
	int64_t x[5], grid[5];
	int spatial = (int)pick_in(r, 1, 3);
	for (int d = 0; d < spatial + 2; d++) {
		x[d] = pick_in(r, 1, 4);
		grid[d ? d - 1 : 0] = pick_in(r, 1, 4);
	}
	grid[0] = x[0];
	grid[spatial + 1] = spatial;
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, spatial + 2, x),
		give_input(g, PIM_DTYPE_f32, spatial + 2, grid)};
	pim_node *n = pim_node_new(g, "grid_sample", 2, in, NULL);
	pick_word(r, n, "mode", 3, modes);
	pick_word(r, n, "padding", 3, paddings);
	pim_node_set_int(n, "align_corners", pick(r, 2));
	return n;
}

/* Eight images: what pim_tensor_random puts into a u8, 0..7, is inside. */
static inline pim_node *make_regions(pim_graph *g, random_source *r, pim_op op)
{
	static const char *const modes[] = {"avg", "max"};
	bool aligned = op == PIM_OP_roi_align;
	int64_t x[] = {8, pick_in(r, 1, 3), pick_in(r, 1, 5), pick_in(r, 1, 5)};
	int64_t rois[] = {pick_in(r, 1, 4), aligned ? 4 : 5};
	int64_t sizes[] = {pick_in(r, 1, 3), pick_in(r, 1, 3)};
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, 4, x), give_input(g, PIM_DTYPE_f32, 2, rois),
		aligned ? give_input(g, PIM_DTYPE_u8, 1, rois) : NULL};
	pim_node *n = pim_node_new(g, pim_op_at(op)->name, aligned ? 3 : 2, in, NULL);
	pim_node_set_ints(n, "sizes", 2, sizes);
	pim_node_set_float(n, "spatial_scale", (double)pick_in(r, 2, 8) / 2);
	if (aligned) {
		pick_word(r, n, "mode", 2, modes);
		pim_node_set_int(n, "sampling_ratio", pick(r, 3));
		pim_node_set_int(n, "half_pixel", pick(r, 2));
	}
	return n;
}

static inline pim_node *make_deform_conv(pim_graph *g, random_source *r)
{
	int64_t groups = pick_in(r, 1, 2), shared = pick_in(r, 1, 2), channels = 2 * pick_in(r, 1, 2);
	int64_t x[] = {pick_in(r, 1, 2), channels, pick_in(r, 3, 5), pick_in(r, 3, 5)};
	int64_t w[] = {
		groups * pick_in(r, 1, 2), channels / groups, pick_in(r, 1, 2), pick_in(r, 1, 3)};
	int64_t strides[] = {pick_in(r, 1, 2), pick_in(r, 1, 2)}, pads[4];
	int64_t moves[] = {x[0], 2 * shared * w[2] * w[3], 0, 0};
	for (int i = 0; i < 4; i++)
		pads[i] = pick(r, 2);
	for (int d = 0; d < 2; d++)
		moves[2 + d] = (x[2 + d] + pads[d] + pads[2 + d] - w[2 + d]) / strides[d] + 1;
	int64_t masks[] = {moves[0], moves[1] / 2, moves[2], moves[3]};
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, 4, x), give_input(g, PIM_DTYPE_f32, 4, w),
		give_input(g, PIM_DTYPE_f32, 4, moves), give_input(g, PIM_DTYPE_f32, 1, w),
		give_input(g, PIM_DTYPE_f32, 4, masks)};
	pim_node *n = pim_node_new(g, "deform_conv", (int)pick_in(r, 3, 5), in, NULL);
	pim_node_set_ints(n, "strides", 2, strides);
	pim_node_set_ints(n, "pads", 4, pads);
	pim_node_set_int(n, "groups", groups);
	pim_node_set_int(n, "offset_groups", shared);
	return n;
}

/* ---- layers ---- */

/* Seven steps: what pim_tensor_random puts into a u8, 0..7, is a length. */
static inline pim_node *make_recurrent(pim_graph *g, random_source *r, pim_op op)
{
	static const char *const directions[] = {"forward", "reverse", "bidirectional"};
	static const char *const words[] = {"relu", "tanh", "sigmoid", "affine", "leaky_relu",
		"scaled_tanh", "hard_sigmoid", "elu", "softsign", "softplus"};
	const char *direction = directions[pick(r, 3)];
	int64_t d = direction[0] == 'b' ? 2 : 1, gates = op == PIM_OP_lstm	? 4
													 : op == PIM_OP_gru ? 3
																		: 1;
	int64_t b = pick_in(r, 1, 3), i = pick_in(r, 1, 4), h = pick_in(r, 1, 3), one = gates * h;
	int count = (int)d * (op == PIM_OP_lstm ? 3 : op == PIM_OP_gru ? 2 : 1);
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, 3, (int64_t[]){7, b, i}),
		give_input(g, PIM_DTYPE_f32, 3, (int64_t[]){d, one, i}),
		give_input(g, PIM_DTYPE_f32, 3, (int64_t[]){d, one, h}),
		give_input(g, PIM_DTYPE_f32, 2, (int64_t[]){d, 2 * one}),
		give_input(g, PIM_DTYPE_u8, 1, (int64_t[]){b}),
		give_input(g, PIM_DTYPE_f32, 3, (int64_t[]){d, b, h}),
		give_input(g, PIM_DTYPE_f32, 3, (int64_t[]){d, b, h}),
		give_input(g, PIM_DTYPE_f32, 2, (int64_t[]){d, 3 * h})};
	pim_node *n = pim_node_new(
		g, pim_op_at(op)->name, (int)pick_in(r, 3, op == PIM_OP_lstm ? 8 : 6), in, NULL);
	pim_node_set_string(n, "direction", direction);
	if (pick(r, 2)) {
		char list[200] = "";
		double alpha[6];
		for (int k = 0; k < count; k++) {
			snprintf(list + strlen(list), 30, "%s%s", k ? "," : "", words[pick(r, 10)]);
			alpha[k] = (double)pick_in(r, 1, 4) / 4;
		}
		pim_node_set_string(n, "activations", list);
		if (pick(r, 2))
			set_floats(n, "alpha", count, alpha);
		pim_node_set_float(n, "clip", 1); /* else some lists grow beyond all bounds */
	} else if (pick(r, 2)) {
		pim_node_set_float(n, "clip", 0.5);
	}
	if (op != PIM_OP_rnn)
		pim_node_set_int(n, op == PIM_OP_lstm ? "input_forget" : "linear_before_reset", pick(r, 2));
	return n;
}

static inline pim_node *make_quantize(pim_graph *g, random_source *r, pim_op op)
{
	int64_t dims[PIM_MAX_RANK];
	int rank = pick_dims(r, 0, 4, dims);
	bool back = op == PIM_OP_dequantize_linear;
	pim_node *in[] = {give_input(g, back ? PIM_DTYPE_i8 : PIM_DTYPE_f32, rank, dims),
		give_narrower(g, r, PIM_DTYPE_f32, rank, dims),
		give_narrower(g, r, PIM_DTYPE_i8, rank, dims)};
	pim_node *n = pim_node_new(g, pim_op_at(op)->name, (int)pick_in(r, 2, 3), in, NULL);
	if (!back)
		pim_node_set_string(n, "to", "i8");
	return n;
}

static inline pim_node *make_any(pim_graph *g, random_source *r, pim_op op)
{
	switch (op) {
	case PIM_OP_matmul:
	case PIM_OP_matmul_integer:
		return make_matmul(g, r, op);
	case PIM_OP_conv:
	case PIM_OP_conv_transpose:
	case PIM_OP_conv_integer:
		return make_conv(g, r, op);
	case PIM_OP_deform_conv:
		return make_deform_conv(g, r);
	case PIM_OP_quantize_linear:
	case PIM_OP_dequantize_linear:
		return make_quantize(g, r, op);
	case PIM_OP_arg_max:
	case PIM_OP_arg_min:
	case PIM_OP_top_k:
	case PIM_OP_cumsum:
	case PIM_OP_cumprod:
		return make_along(g, r, op);
	case PIM_OP_det:
		return make_det(g, r);
	case PIM_OP_resize:
		return make_resize(g, r);
	case PIM_OP_grid_sample:
		return make_grid_sample(g, r);
	case PIM_OP_roi_align:
	case PIM_OP_max_roi_pool:
		return make_regions(g, r, op);
	case PIM_OP_lstm:
	case PIM_OP_gru:
	case PIM_OP_rnn:
		return make_recurrent(g, r, op);
	case PIM_OP_gather_elements:
	case PIM_OP_scatter_elements:
		return make_by_element(g, r, op);
	case PIM_OP_gather_nd:
	case PIM_OP_scatter_nd:
		return make_by_place(g, r, op);
	case PIM_OP_max_pool_indices:
	case PIM_OP_max_pool:
	case PIM_OP_average_pool:
		return make_pool(g, r, op);
	case PIM_OP_reduce_sum:
	case PIM_OP_reduce_mean:
	case PIM_OP_reduce_max:
	case PIM_OP_reduce_min:
	case PIM_OP_reduce_prod:
		return make_reduce(g, r, op);
	case PIM_OP_softmax:
	case PIM_OP_log_softmax:
	case PIM_OP_layer_norm:
	case PIM_OP_batch_norm:
	case PIM_OP_lrn:
		return make_norm(g, r, op);
	case PIM_OP_reshape:
		return make_reshape(g, r);
	case PIM_OP_transpose:
		return make_transpose(g, r);
	case PIM_OP_slice:
		return make_slice(g, r);
	case PIM_OP_concat:
		return make_concat(g, r);
	case PIM_OP_expand:
		return make_expand(g, r);
	case PIM_OP_pad:
		return make_pad(g, r);
	case PIM_OP_gather:
		return make_gather(g, r);
	default:
		return make_elementwise(g, r, op);
	}
}

/* A node of the op whose attributes fit; NULL for ops without inputs to give (leaves, get). */
static inline pim_node *make_random_node(pim_graph *g, random_source *r, pim_op op)
{
	if (pim_op_at(op)->flags & PIM_OPF_leaf || op == PIM_OP_get)
		return NULL;
	for (;;) {
		pim_node *n = make_any(g, r, op);
		if (pim_node_infer(n))
			return n;
		pim_node_remove(n);
	}
}

static inline pim_tensor give_tensor(const pim_type *t, pim_arena *a)
{
	return (pim_tensor){.type = t, .data = pim_arena_alloc(a, (size_t)pim_type_bytes(t) + 1)};
}

static inline pim_tensor *give_random_inputs(const pim_node *n, random_source *r, pim_arena *a)
{
	pim_tensor *in = PIM_NEW(a, pim_tensor, n->n_in);
	for (uint32_t i = 0; i < n->n_in; i++) {
		in[i] = give_tensor(n->in[i]->type, a);
		pim_tensor_random(&in[i], r->state);
		pick(r, 2);
	}
	return in;
}

#endif
