/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/random_programs.h - small random programs of the ops that networks are made of, each
 * op on what the one before it made. The decisions come from a seed, or from bytes while there are
 * some (a fuzzer changes a byte and so a decision). */
#ifndef PIM_TESTS_UNIT_RANDOM_PROGRAMS_H
#define PIM_TESTS_UNIT_RANDOM_PROGRAMS_H

#include <stdlib.h>

#include "ir/ir.h"
#include "ir/random.h"
#include "tests/unit/check.h"

static uint64_t seed;
static const uint8_t *draw_bytes;
static size_t draw_left;

/* 0 .. below - 1 */
static inline int draw(int below)
{
	if (draw_left >= 2) {
		int v = draw_bytes[0] | draw_bytes[1] << 8;
		draw_bytes += 2;
		draw_left -= 2;
		return v % below;
	}
	return (int)(pim_random(&seed) % (uint64_t)below);
}

static inline pim_node *constant(pim_graph *g, int rank, const int64_t *dims)
{
	const pim_type *t = pim_type_tensor(g->module->context, PIM_DTYPE_f32, rank, dims);
	float *data = malloc(sizeof *data * (size_t)t->elements);
	pim_tensor tensor = {t, data};
	pim_tensor_random(&tensor, (uint64_t)draw(1000));
	pim_node *n = pim_constant_new(g, t, data, NULL);
	free(data);
	return n;
}

static inline pim_node *finish(pim_node *n)
{
	CHECK(pim_node_infer(n));
	return n;
}

static inline pim_node *make(pim_graph *g, pim_op op, int n, pim_node *const *in)
{
	return pim_node_make(g, op, n, in, NULL);
}

static inline pim_node *add_conv(pim_graph *g, pim_node *x)
{
	int64_t channels = x->type->dims[1], groups = draw(3) ? 1 : channels, k = 1 + 2 * draw(2);
	int64_t out = groups * (1 + draw(3)), stride = 1 + draw(2), pad = draw((int)k);
	pim_node *w = constant(g, 4, (int64_t[]){out, channels / groups, k, k});
	pim_node *b = constant(g, 1, &out);
	pim_node *n = make(g, PIM_OP_conv, 2 + draw(2), (pim_node *[]){x, w, b});
	pim_node_set_ints(n, "strides", 2, (int64_t[]){stride, stride});
	pim_node_set_ints(n, "pads", 4, (int64_t[]){pad, pad, pad, pad});
	pim_node_set_int(n, "groups", groups);
	return finish(n);
}

static inline pim_node *add_pool(pim_graph *g, pim_node *x)
{
	pim_op op = draw(2) ? PIM_OP_max_pool : PIM_OP_average_pool;
	pim_node *n = make(g, op, 1, &x);
	pim_node_set_ints(n, "kernel", 2, (int64_t[]){2, 3});
	pim_node_set_ints(n, "strides", 2, (int64_t[]){1 + draw(2), 1});
	pim_node_set_ints(n, "pads", 4, (int64_t[]){0, 1, 1, 1});
	if (op == PIM_OP_average_pool && draw(2))
		pim_node_set_ints(n, "counted_pads", 4, (int64_t[]){0, 1, 1, draw(2)});
	return finish(n);
}

static inline pim_node *add_matmul(pim_graph *g, pim_node *x)
{
	int rank = x->type->rank;
	int64_t k = x->type->dims[rank - 1], n = 1 + draw(9);
	bool transposed = draw(2);
	pim_node *w = constant(g, 2, transposed ? (int64_t[]){n, k} : (int64_t[]){k, n});
	pim_node *y = make(g, PIM_OP_matmul, 2, (pim_node *[]){x, w});
	pim_node_set_int(y, "transpose_b", transposed);
	return finish(y);
}

static inline pim_node *add_self_product(pim_graph *g, pim_node *x)
{
	pim_node *y = make(g, PIM_OP_matmul, 2, (pim_node *[]){x, x});
	pim_node_set_int(y, "transpose_b", 1);
	return finish(y);
}

static inline pim_node *add_transpose(pim_graph *g, pim_node *x)
{
	int64_t perm[PIM_MAX_RANK];
	for (int d = 0; d < x->type->rank; d++) {
		int at = draw(d + 1);
		perm[d] = perm[at];
		perm[at] = d;
	}
	pim_node *n = make(g, PIM_OP_transpose, 1, &x);
	pim_node_set_ints(n, "perm", x->type->rank, perm);
	return finish(n);
}

/* Splits one dim in two, or joins two neighbours. */
static inline pim_node *add_reshape(pim_graph *g, pim_node *x)
{
	int64_t shape[PIM_MAX_RANK + 1];
	int rank = x->type->rank, at = draw(rank), n = 0;
	int64_t size = x->type->dims[at], factor = 1 + draw((int)size);
	for (int d = 0; d < rank; d++) {
		if (d == at && rank < 5 && size % factor == 0) {
			shape[n++] = factor;
			shape[n++] = size / factor;
		} else if (d == at + 1 && n > 0 && rank > 2) {
			shape[n - 1] *= x->type->dims[d];
		} else {
			shape[n++] = x->type->dims[d];
		}
	}
	pim_node *y = make(g, PIM_OP_reshape, 1, &x);
	pim_node_set_ints(y, "shape", n, shape);
	return finish(y);
}

static inline pim_node *add_slice(pim_graph *g, pim_node *x)
{
	int64_t starts[PIM_MAX_RANK], sizes[PIM_MAX_RANK], steps[PIM_MAX_RANK];
	for (int d = 0; d < x->type->rank; d++) {
		int64_t size = x->type->dims[d];
		starts[d] = draw((int)size);
		steps[d] = draw(3) ? 1 : size > 2 ? 2 : -1;
		sizes[d] = steps[d] == 1   ? size - starts[d]
				   : steps[d] == 2 ? (size - starts[d] + 1) / 2
								   : starts[d] + 1;
	}
	pim_node *y = make(g, PIM_OP_slice, 1, &x);
	pim_node_set_ints(y, "starts", x->type->rank, starts);
	pim_node_set_ints(y, "sizes", x->type->rank, sizes);
	pim_node_set_ints(y, "steps", x->type->rank, steps);
	return finish(y);
}

static inline pim_node *add_concat(pim_graph *g, pim_node *x)
{
	pim_node *y =
		make(g, PIM_OP_concat, 3, (pim_node *[]){x, x, constant(g, x->type->rank, x->type->dims)});
	pim_node_set_int(y, "axis", draw(x->type->rank));
	return finish(y);
}

static inline pim_node *add_pad(pim_graph *g, pim_node *x)
{
	static const char *const modes[] = {"constant", "edge"};
	int64_t pads[2 * PIM_MAX_RANK];
	for (int d = 0; d < 2 * x->type->rank; d++)
		pads[d] = draw(3);
	pim_node *y = make(g, PIM_OP_pad, 1, &x);
	pim_node_set_ints(y, "pads", 2 * x->type->rank, pads);
	pim_node_set_float(y, "value", 0.5);
	pim_node_set_string(y, "mode", modes[draw(2)]);
	return finish(y);
}

static inline pim_node *add_along_dim(pim_graph *g, pim_node *x)
{
	static const pim_op ops[] = {PIM_OP_softmax, PIM_OP_layer_norm, PIM_OP_reduce_sum,
		PIM_OP_reduce_max, PIM_OP_reduce_mean};
	pim_op op = ops[draw(5)];
	int64_t axis = draw(x->type->rank);
	if (op == PIM_OP_layer_norm) {
		axis = x->type->rank - 1;
		pim_node *y = make(g, op, 2, (pim_node *[]){x, constant(g, 1, &x->type->dims[axis])});
		pim_node_set_int(y, "axis", axis);
		return finish(y);
	}
	pim_node *y = make(g, op, 1, &x);
	if (op == PIM_OP_softmax)
		pim_node_set_int(y, "axis", axis);
	else
		pim_node_set_ints(y, "axes", 1, &axis);
	return finish(y);
}

static inline pim_node *add_binary(pim_graph *g, pim_node *x)
{
	int64_t dims[PIM_MAX_RANK];
	for (int d = 0; d < x->type->rank; d++)
		dims[d] = draw(2) ? x->type->dims[d] : 1;
	pim_node *other = draw(2) ? x : constant(g, x->type->rank, dims);
	return finish(make(g, draw(2) ? PIM_OP_add : PIM_OP_mul, 2, (pim_node *[]){x, other}));
}

static inline pim_node *add_node(pim_graph *g, pim_node *x)
{
	switch (draw(12)) {
	case 0:
	case 1:
		return x->type->rank == 4 && x->type->dims[1] < 20 && x->type->dims[2] > 2 &&
					   x->type->dims[3] > 2
				   ? add_conv(g, x)
				   : finish(make(g, PIM_OP_relu, 1, &x));
	case 2:
		return x->type->rank == 4 && x->type->dims[2] > 2 && x->type->dims[3] > 2
				   ? add_pool(g, x)
				   : add_binary(g, x);
	case 3:
	case 4:
		return x->type->rank >= 2 ? add_matmul(g, x) : add_binary(g, x);
	case 5:
		return x->type->rank >= 2 && x->type->dims[x->type->rank - 2] < 40 ? add_self_product(g, x)
																		   : add_binary(g, x);
	case 6:
		return add_transpose(g, x);
	case 7:
		return add_reshape(g, x);
	case 8:
		return add_slice(g, x);
	case 9:
		return x->type->elements < 4000 ? add_concat(g, x) : add_binary(g, x);
	case 10:
		return x->type->elements < 4000 ? add_pad(g, x) : add_slice(g, x);
	default:
		return draw(2) ? add_along_dim(g, x) : add_binary(g, x);
	}
}

static inline void draw_program(pim_graph *g, pim_context *c, int most_nodes)
{
	int64_t dims[4] = {1 + draw(2), 1 + draw(6), 2 + draw(9), 2 + draw(9)};
	pim_node *x = pim_input_new(g, "x", pim_type_tensor(c, PIM_DTYPE_f32, 4, dims));
	for (int i = 0, n = 2 + draw(most_nodes - 1); i < n; i++) {
		pim_node *y = add_node(g, x);
		if (y->type->elements == 0 || y->type->elements > 20000)
			continue;
		if (draw(3) == 0 && y->type == x->type)
			y = finish(make(g, PIM_OP_add, 2, (pim_node *[]){x, y}));
		if (draw(4) == 0)
			pim_graph_add_result(g, y);
		x = y;
	}
	pim_graph_add_result(g, x);
}

#endif
