/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/random_nodes.h - a small random node of any op, with inputs of its own, for checks
 * that hold for every op. */
#ifndef PIM_TESTS_UNIT_RANDOM_NODES_H
#define PIM_TESTS_UNIT_RANDOM_NODES_H

#include <string.h>

#include "ir/ir.h"

typedef struct random_source {
	uint64_t state;
} random_source;

/* 0 .. n - 1 */
static inline int64_t pick(random_source *r, int64_t n)
{
	r->state = r->state * 6364136223846793005u + 1442695040888963407u;
	return (int64_t)((r->state >> 33) % (uint64_t)n);
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

static inline pim_node *make_matmul(pim_graph *g, random_source *r)
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
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, rank + 2, a),
		give_input(g, PIM_DTYPE_f32, rank - skip + 2, b)};
	pim_node *made = pim_node_new(g, "matmul", 2, in, NULL);
	pim_node_set_int(made, "transpose_a", ta);
	pim_node_set_int(made, "transpose_b", tb);
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

static inline pim_node *make_conv(pim_graph *g, random_source *r, bool transposed)
{
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
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, spatial + 2, x),
		give_input(g, PIM_DTYPE_f32, spatial + 2, w), give_input(g, PIM_DTYPE_f32, 1, &bias)};
	pim_node *n =
		pim_node_new(g, transposed ? "conv_transpose" : "conv", (int)pick_in(r, 2, 3), in, NULL);
	pim_node_set_int(n, "groups", groups);
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
	pim_node *in[3];
	for (int i = 0; i < info->min_inputs; i++) {
		pim_dtype t = logic || (op == PIM_OP_where && i == 0) ? PIM_DTYPE_bool : PIM_DTYPE_f32;
		in[i] = info->min_inputs == 1 ? give_input(g, t, rank, dims)
									  : give_narrower(g, r, t, rank, dims);
	}
	pim_node *n = pim_node_new(g, info->name, info->min_inputs, in, NULL);
	if (op == PIM_OP_cast)
		pim_node_set_string(n, "to", "f16");
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

static inline pim_node *make_any(pim_graph *g, random_source *r, pim_op op)
{
	switch (op) {
	case PIM_OP_matmul:
		return make_matmul(g, r);
	case PIM_OP_conv:
	case PIM_OP_conv_transpose:
		return make_conv(g, r, op == PIM_OP_conv_transpose);
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
