/* SPDX-License-Identifier: Apache-2.0 */
/* Multiply-accumulates and cycles against plain loops over small random products and convolutions.
 */
#include <string.h>

#include "targets/target.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

static pim_target make_machine(void)
{
	pim_target t = {.name = "test"};
	t.matrix.rows = (int)draw_in(1, 5);
	t.matrix.columns = (int)draw_in(1, 5);
	t.matrix.fill_cycles = draw_in(0, 9);
	t.matrix.mac_pj = 0.5;
	t.vector.lanes = (int)draw_in(1, 5);
	t.vector.start_cycles = draw_in(0, 9);
	t.vector.step_pj = 0.25;
	return t;
}

static int64_t cycles_of(const pim_target *t, const pim_node *n, double *pj)
{
	pim_arena *a = pim_arena_new();
	const pim_axes *x = pim_axes_new(n, a);
	int64_t extent[PIM_MAX_AXES];
	for (int i = 0; i < x->n_axes; i++)
		extent[i] = x->axis[i].size;
	int64_t cycles = pim_target_kernel_cycles(t, n, x, extent);
	*pj = pim_target_kernel_pj(t, n, x, extent);
	pim_arena_free(a);
	return cycles;
}

static pim_node *make_input(pim_graph *g, int rank, const int64_t *dims)
{
	return pim_input_new(g, "x", pim_type_tensor(pim_graph_context(g), PIM_DTYPE_f32, rank, dims));
}

/* Cycles of the array as it is filled: blocks of rows x columns results, k cycles for each. */
static int64_t run_array(const pim_target *t, int64_t batch, int64_t m, int64_t n, int64_t k)
{
	int64_t cycles = t->matrix.fill_cycles;
	for (int64_t b = 0; b < batch; b++)
		for (int64_t i = 0; i < m; i += t->matrix.rows)
			for (int64_t j = 0; j < n; j += t->matrix.columns)
				for (int64_t s = 0; s < k; s++)
					cycles++;
	return cycles;
}

static void test_matmul(pim_module *module)
{
	pim_graph *g = pim_graph_new(module, "g");
	int64_t b = draw_in(1, 4), m = draw_in(1, 9), n = draw_in(1, 9), k = draw_in(1, 9);
	pim_node *in[2] = {
		make_input(g, 3, (int64_t[]){b, m, k}), make_input(g, 3, (int64_t[]){b, k, n})};
	pim_node *op = pim_node_new(g, "matmul", 2, in, NULL);
	CHECK(pim_node_infer(op));
	int64_t macs = 0;
	for (int64_t i = 0; i < b * m * n; i++)
		for (int64_t s = 0; s < k; s++)
			macs++;
	pim_target t = make_machine();
	double pj;
	CHECK(pim_node_macs(op) == macs);
	CHECK(cycles_of(&t, op, &pj) == run_array(&t, b, m, n, k));
	CHECK(pj == (double)macs * 0.5);
}

static void test_conv(pim_module *module)
{
	pim_graph *g = pim_graph_new(module, "g");
	int64_t groups = draw_in(1, 3), ci = draw_in(1, 4), co = draw_in(1, 5), h = draw_in(4, 8),
			w = draw_in(4, 8);
	int64_t r = draw_in(1, 3), s = draw_in(1, 3), stride = draw_in(1, 2), macs = 0, places = 0,
			sums = 0;
	pim_node *in[2] = {make_input(g, 4, (int64_t[]){1, groups * ci, h, w}),
		make_input(g, 4, (int64_t[]){groups * co, ci, r, s})};
	pim_node *op = pim_node_new(g, "conv", 2, in, NULL);
	pim_node_set_ints(op, "strides", 2, (int64_t[]){stride, stride});
	pim_node_set_int(op, "groups", groups);
	CHECK(pim_node_infer(op));
	for (int64_t y = 0; y + r <= h; y += stride)
		for (int64_t x = 0; x + s <= w; x += stride, places++)
			for (int64_t o = 0; o < groups * co; o++)
				for (sums = 0; sums < ci * r * s; sums++)
					macs++;
	pim_target t = make_machine();
	double pj;
	CHECK(pim_node_macs(op) == macs);
	CHECK(cycles_of(&t, op, &pj) == run_array(&t, groups, places, co, ci * r * s));
	CHECK(pj == (double)macs * 0.5);
}

/* A reduction pays for what it reads, an exponential for its steps. */
static void test_vector(pim_module *module)
{
	pim_graph *g = pim_graph_new(module, "g");
	int64_t m = draw_in(1, 9), n = draw_in(1, 9), lanes = 0, cycles;
	pim_node *x = make_input(g, 2, (int64_t[]){m, n});
	pim_node *sum = pim_node_new(g, "reduce_sum", 1, &x, NULL);
	pim_node_set_ints(sum, "axes", 1, (int64_t[]){1});
	pim_node *exp = pim_node_new(g, "exp", 1, &x, NULL);
	CHECK(pim_node_infer(sum) && pim_node_infer(exp));
	pim_target t = make_machine();
	double pj;
	cycles = t.vector.start_cycles;
	for (int64_t i = 0; i < m * n; i++, lanes = (lanes + 1) % t.vector.lanes)
		cycles += lanes == 0;
	CHECK(cycles_of(&t, sum, &pj) == cycles);
	CHECK(pj == (double)(m * n) * 0.25);
	lanes = 0;
	cycles = t.vector.start_cycles;
	for (int64_t i = 0; i < m * n * 8; i++, lanes = (lanes + 1) % t.vector.lanes)
		cycles += lanes == 0;
	CHECK(cycles_of(&t, exp, &pj) == cycles);
	CHECK(pim_node_macs(exp) == 0);
}

/* A lookup takes one step for each element it gives, however large the table is. */
static void test_lookup(pim_module *module)
{
	pim_graph *g = pim_graph_new(module, "g");
	int64_t rows = draw_in(1, 99), width = draw_in(1, 9), count = draw_in(1, 9), lanes = 0;
	pim_context *c = pim_graph_context(g);
	pim_node *table = make_input(g, 2, (int64_t[]){rows, width});
	const pim_type *t = pim_type_tensor(c, PIM_DTYPE_i64, 1, &count);
	pim_node *in[] = {table, pim_input_new(g, "i", t)};
	pim_node *gather = pim_node_new(g, "gather", 2, in, NULL);
	pim_node_set_int(gather, "axis", 0);
	CHECK(pim_node_infer(gather));
	pim_target m = make_machine();
	double pj;
	int64_t cycles = m.vector.start_cycles;
	for (int64_t i = 0; i < count * width; i++, lanes = (lanes + 1) % m.vector.lanes)
		cycles += lanes == 0;
	CHECK(cycles_of(&m, gather, &pj) == cycles);
	CHECK(pj == (double)(count * width) * 0.25);
}

static void test_transfers(void)
{
	pim_target t = {0};
	t.memory.bytes_per_cycle = 64;
	t.memory.latency = 20;
	t.network.link_bytes_per_cycle = 16;
	t.network.hop_cycles = 2;
	CHECK(pim_target_memory_cycles(&t, 64) == 21);
	CHECK(pim_target_memory_cycles(&t, 65) == 22);
	CHECK(pim_target_send_cycles(&t, 0, 3) == 6);
	CHECK(pim_target_send_cycles(&t, 33, 1) == 5);
}

int main(void)
{
	draw_state = 7;
	pim_context *c = pim_context_new();
	pim_module *module = pim_module_new(c);
	for (int i = 0; i < 200; i++) {
		test_matmul(module);
		test_conv(module);
		test_vector(module);
		test_lookup(module);
	}
	test_transfers();
	CHECK(pim_context_errors(c) == 0);
	pim_context_free(c);
	return check_failures != 0;
}
