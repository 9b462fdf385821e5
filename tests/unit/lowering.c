/* SPDX-License-Identifier: Apache-2.0 */
/* lowering.c - random programs with random legal decisions, lowered and simulated: the values must
 * be the evaluator's, whatever the layouts, tiles, orders, units and waves. Nothing here comes from
 * a pass, so what a decision means is tested apart from who makes it. */
#include <stdlib.h>
#include <string.h>

#include "targets/sim.h"
#include "tests/unit/check.h"

enum { ROUNDS = 1000, MOST_NODES = 9 };

static uint64_t seed;

static int draw(int below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (int)((seed >> 33) % (uint64_t)below);
}

static void print_message(void *user, const pim_diag *d)
{
	fprintf(stderr, "seed %d: %s\n", *(int *)user, d->message);
}

/* ---- programs ---- */

static pim_node *constant(pim_graph *g, int rank, const int64_t *dims)
{
	const pim_type *t = pim_type_tensor(g->module->context, PIM_DTYPE_f32, rank, dims);
	float *data = malloc(sizeof *data * (size_t)t->elements);
	pim_tensor tensor = {t, data};
	pim_tensor_random(&tensor, (uint64_t)draw(1000));
	pim_node *n = pim_constant_new(g, t, data, NULL);
	free(data);
	return n;
}

static pim_node *finish(pim_node *n)
{
	CHECK(pim_node_infer(n));
	return n;
}

static pim_node *make(pim_graph *g, pim_op op, int n, pim_node *const *in)
{
	return pim_node_make(g, op, n, in, NULL);
}

static pim_node *add_conv(pim_graph *g, pim_node *x)
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

static pim_node *add_pool(pim_graph *g, pim_node *x)
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

static pim_node *add_matmul(pim_graph *g, pim_node *x)
{
	int rank = x->type->rank;
	int64_t k = x->type->dims[rank - 1], n = 1 + draw(9);
	bool transposed = draw(2);
	pim_node *w = constant(g, 2, transposed ? (int64_t[]){n, k} : (int64_t[]){k, n});
	pim_node *y = make(g, PIM_OP_matmul, 2, (pim_node *[]){x, w});
	pim_node_set_int(y, "transpose_b", transposed);
	return finish(y);
}

static pim_node *add_self_product(pim_graph *g, pim_node *x)
{
	pim_node *y = make(g, PIM_OP_matmul, 2, (pim_node *[]){x, x});
	pim_node_set_int(y, "transpose_b", 1);
	return finish(y);
}

static pim_node *add_transpose(pim_graph *g, pim_node *x)
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
static pim_node *add_reshape(pim_graph *g, pim_node *x)
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

static pim_node *add_slice(pim_graph *g, pim_node *x)
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

static pim_node *add_concat(pim_graph *g, pim_node *x)
{
	pim_node *y =
		make(g, PIM_OP_concat, 3, (pim_node *[]){x, x, constant(g, x->type->rank, x->type->dims)});
	pim_node_set_int(y, "axis", draw(x->type->rank));
	return finish(y);
}

static pim_node *add_pad(pim_graph *g, pim_node *x)
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

static pim_node *add_along_dim(pim_graph *g, pim_node *x)
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

static pim_node *add_binary(pim_graph *g, pim_node *x)
{
	int64_t dims[PIM_MAX_RANK];
	for (int d = 0; d < x->type->rank; d++)
		dims[d] = draw(2) ? x->type->dims[d] : 1;
	pim_node *other = draw(2) ? x : constant(g, x->type->rank, dims);
	return finish(make(g, draw(2) ? PIM_OP_add : PIM_OP_mul, 2, (pim_node *[]){x, other}));
}

static pim_node *add_node(pim_graph *g, pim_node *x)
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

static void build(pim_graph *g, pim_context *c)
{
	int64_t dims[4] = {1 + draw(2), 1 + draw(6), 2 + draw(9), 2 + draw(9)};
	pim_node *x = pim_input_new(g, "x", pim_type_tensor(c, PIM_DTYPE_f32, 4, dims));
	for (int i = 0, n = 2 + draw(MOST_NODES - 1); i < n; i++) {
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

/* ---- decisions ---- */

static bool may_cut(const pim_node *n, const pim_axes *x, int d)
{
	const pim_index *index = &x->map[x->n_inputs][d];
	if (n->op == PIM_OP_input || n->op == PIM_OP_relayout)
		return true;
	for (uint32_t i = 0; i < n->n_in; i++)
		if (x->whole[i])
			return false;
	bool moves = pim_op_at(n->op)->flags & PIM_OPF_move;
	for (int t = 0; t < index->n; t++) {
		pim_axis_kind kind = x->axis[index->term[t].axis].kind;
		if (kind == PIM_AXIS_coupled || kind == PIM_AXIS_summed || (t > 0 && !moves))
			return false;
	}
	return index->n > 0;
}

static bool has_summed(const pim_axes *x)
{
	for (int a = 0; a < x->n_axes; a++)
		if (x->axis[a].kind == PIM_AXIS_summed && x->axis[a].size > 1)
			return true;
	return false;
}

static int32_t draw_parts(int64_t size)
{
	int64_t most = size < 5 ? size : 5;
	return draw(2) || most < 1 ? 1 : 1 + draw((int)most);
}

static void decide_layout(pim_node *n, const pim_axes *x, bool sums, pim_arena *a)
{
	pim_layout *l = PIM_NEW(a, pim_layout, 1);
	*l = (pim_layout){.rank = n->type->rank, .sums = 1, .copies = draw(4) ? 1 : 1 + draw(3)};
	for (int d = 0; d < l->rank; d++) {
		l->parts[d] = may_cut(n, x, d) ? draw_parts(n->type->dims[d]) : 1;
		if (n->op == PIM_OP_conv && d == 1 && pim_node_int(n, "groups") > 1 &&
			x->map[x->n_inputs][1].n > 1)
			l->parts[d] = 1;
	}
	if (sums && has_summed(x)) {
		l->sums = 2;
		l->copies = 1;
	}
	pim_node_plan(n)->layout = l;
}

static void decide_nest(pim_node *n, const pim_axes *x, pim_arena *a)
{
	pim_nest *nest = PIM_NEW(a, pim_nest, 1);
	int64_t extent[PIM_MAX_AXES];
	pim_nest_extents(n, x, extent);
	nest->n_axes = x->n_axes;
	nest->tile = PIM_NEW(a, int64_t, x->n_axes);
	nest->loop = PIM_NEW(a, pim_loop, x->n_axes);
	for (int i = 0; i < x->n_axes; i++) {
		bool grouped = !strcmp(x->axis[i].name, "group");
		bool fixed = x->axis[i].kind == PIM_AXIS_coupled || grouped || draw(2);
		nest->tile[i] = fixed || extent[i] < 2 ? extent[i] : 1 + draw((int)extent[i]);
		int at = nest->n++;
		if (at > 0) {
			int other = draw(at + 1);
			nest->loop[at] = nest->loop[other];
			at = other;
		}
		nest->loop[at] = (pim_loop){
			.axis = i, .count = (int32_t)((extent[i] + nest->tile[i] - 1) / nest->tile[i])};
	}
	n->plan->nest = nest;
}

static void decide_units(pim_node *n, int units, int64_t start, pim_arena *a)
{
	int64_t slices = pim_layout_slices(n->plan->layout);
	int most = slices < 12 ? (int)slices : 12;
	n->plan->start = start;
	n->plan->cycles = 1;
	n->plan->n_units = 1 + draw(most);
	n->plan->unit = PIM_NEW(a, int, n->plan->n_units);
	for (int i = 0, first = draw(units); i < n->plan->n_units; i++)
		n->plan->unit[i] = (first + i * 5) % units;
}

/* Partial sums are read by a relayout only. */
static void insert_relayouts(pim_graph *g)
{
	PIM_EACH_NODE(n, g)
	{
		if (!n->plan || !n->plan->layout || n->plan->layout->sums == 1)
			continue;
		pim_node *r = finish(pim_node_make(g, PIM_OP_relayout, 1, &n, n->next));
		pim_node_replace(n, r);
		r->in[0] = n;
	}
}

static void decide(pim_graph *g, const pim_target *t, pim_arena *a)
{
	PIM_EACH_NODE(n, g)
	{
		if (n->op != PIM_OP_constant)
			decide_layout(n, pim_axes_new(n, a), draw(3) == 0, a);
	}
	insert_relayouts(g);
	int64_t start = 0;
	PIM_EACH_NODE(n, g)
	{
		if (n->op == PIM_OP_constant)
			continue;
		const pim_axes *x = pim_axes_new(n, a);
		if (!n->plan || !n->plan->layout)
			decide_layout(n, x, false, a);
		decide_nest(n, x, a);
		decide_units(n, t->units, start++, a);
	}
}

/* ---- one round ---- */

static void compare_results(
	pim_graph *g, const pim_sim_report *r, const pim_tensor *want, int round)
{
	for (int i = 0; i < g->n_results; i++) {
		pim_difference d = pim_tensor_compare(&r->result[i], &want[i], 1e-4, 1e-4);
		if (d.beyond)
			fprintf(stderr, "seed %d result %d: %g instead of %g at %lld\n", round, i, d.a, d.b,
				(long long)d.index);
		CHECK(d.beyond == 0);
	}
}

static bool check_round(int round, int64_t buffer_bytes, bool verbose)
{
	seed = (uint64_t)round * 7919 + 1;
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, print_message, &round);
	pim_module *m = pim_module_new(c);
	pim_graph *g = pim_graph_new(m, "main");
	pim_arena *a = pim_arena_new();
	pim_target t = *pim_target_find(c, "stack3d");
	t.buffer.bytes = buffer_bytes;
	g->limits = pim_target_limits(&t);
	build(g, c);
	decide(g, &t, a);
	if (verbose)
		fprintf(stderr, "%s\n", pim_module_print(m));
	pim_tensor in = {
		g->inputs[0]->type, pim_arena_alloc(a, (size_t)pim_type_bytes(g->inputs[0]->type))};
	pim_tensor_random(&in, 3);
	pim_tensor *want = PIM_NEW(a, pim_tensor, g->n_results);
	CHECK(pim_graph_eval(g, &in, want, a));
	bool lowered = pim_target_lower(&t, g, (pim_barriers)(round % 3), a);
	if (lowered) {
		CHECK(pim_program_verify(g->code));
		pim_sim_options o = {.values = true, .check = true, .input = &in};
		pim_sim_report *r = pim_sim_run(g->code, &o, a);
		CHECK(r != NULL);
		if (r)
			compare_results(g, r, want, round);
	}
	pim_arena_free(a);
	pim_context_free(c);
	return lowered;
}

int main(int argc, char **argv)
{
	if (argc > 1) { /* one seed, shown */
		check_round(atoi(argv[1]), argc > 2 ? atoi(argv[2]) : 262144, true);
		return check_failures != 0;
	}
	int lowered = 0;
	for (int i = 0; i < ROUNDS; i++)
		lowered += check_round(i, i % 3 ? 262144 : 4096, false);
	printf("%d of %d random programs were lowered and simulated\n", lowered, ROUNDS);
	CHECK(lowered > ROUNDS * 9 / 10); /* the rest: small buffers whose rows do not lie together */
	return check_failures != 0;
}
