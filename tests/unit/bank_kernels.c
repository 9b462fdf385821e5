/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of banks with few columns, so that there are waves and groups of lanes: values against
 * the evaluator, integers exactly; the row operations that run are those that the cost counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "targets/bank/bank.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

typedef struct bench {
	pim_context *context;
	pim_module *module;
	pim_arena *arena;
	pim_target target;
	pim_graph *graph;
} bench;

static pim_node *input(bench *b, pim_dtype t, int rank, const int64_t *dims)
{
	return pim_input_new(b->graph, "x", pim_type_tensor(b->context, t, rank, dims));
}

static pim_tensor fill(bench *b, const pim_type *t)
{
	pim_tensor x = {t, pim_arena_alloc(b->arena, (size_t)pim_type_bytes(t) + 8)};
	bool whole = t->dtype != PIM_DTYPE_f32 && t->dtype != PIM_DTYPE_f16;
	for (int64_t i = 0; i < t->elements; i++)
		pim_element_set(t->dtype, x.data, i,
			whole ? (double)draw_in(-100, 100) : (double)draw_in(-4000, 4000) / 1024);
	return x;
}

/* Elements that differ by more than rounding, which a sum that cancels leaves as large as its terms
 * make it; NaN equals NaN. */
static int64_t count_wrong(const pim_tensor *found, const pim_tensor *want)
{
	pim_dtype t = want->type->dtype;
	double slack = t == PIM_DTYPE_f32 ? 2e-5 : t == PIM_DTYPE_f16 ? 2e-2 : 0, largest = 1;
	int64_t wrong = 0;
	for (int64_t i = 0; i < want->type->elements; i++)
		largest = fmax(largest, fabs(pim_element_get(t, want->data, i)));
	for (int64_t i = 0; i < want->type->elements; i++) {
		double x = pim_element_get(t, found->data, i), y = pim_element_get(t, want->data, i);
		double most = t == PIM_DTYPE_f16 && isfinite(largest) ? largest : 1 + fabs(y);
		wrong += !(fabs(x - y) <= slack * most || (isnan(x) && isnan(y)));
	}
	return wrong;
}

static int with_waves, with_groups;

/* Runs the op in rows and by the evaluator. */
static void check_op(bench *b, pim_node *op)
{
	CHECK(pim_node_infer(op));
	pim_tensor in[4] = {{0}};
	pim_bank_operand operand[5];
	for (uint32_t i = 0; i < op->n_in; i++) {
		in[i] = fill(b, op->in[i]->type);
		operand[i] = (pim_bank_operand){in[i].type, in[i].data};
	}
	pim_tensor want = fill(b, op->type), found = fill(b, op->type);
	pim_eval e = {.context = b->context, .scratch = b->arena, .threads = 1};
	CHECK(pim_node_eval(op, in, &want, &e));
	operand[op->n_in] = (pim_bank_operand){found.type, found.data};
	const pim_axes *x = pim_axes_new(op, b->arena);
	int64_t extent[PIM_MAX_AXES];
	for (int a = 0; a < x->n_axes; a++)
		extent[a] = x->axis[a].size;
	CHECK(!pim_bank_refusal(&b->target, op, x, extent));
	pim_micro m = {.adds = false};
	pim_micro_write(&m, &b->target, op, x, extent);
	with_waves += m.waves > 1;
	with_groups += m.groups > 1;
	pim_bank *bank = pim_bank_new(&b->target, b->arena);
	pim_bank_run(bank, &m, operand);
	pim_bank_work w = pim_micro_work(&b->target, &m);
	int64_t wrong = count_wrong(&found, &want);
	if (wrong)
		fprintf(stderr, "%s: %lld of %lld elements, %d columns, %lld groups, %lld waves\n",
			pim_node_op(op), (long long)wrong, (long long)op->type->elements,
			b->target.bank.columns, (long long)m.groups, (long long)m.waves);
	CHECK(wrong == 0);
	CHECK(pim_bank_operations(bank) == w.operations);
	CHECK(pim_bank_kernel_cycles(&b->target, op, x, extent) == pim_bank_cycles(&b->target, &w));
	/* a second run on top of the first doubles it */
	if (op->op != PIM_OP_matmul || op->type->dtype == PIM_DTYPE_f16)
		return;
	m.adds = true;
	pim_micro_write(&m, &b->target, op, x, extent);
	pim_bank_run(bank, &m, operand);
	for (int64_t i = 0; i < want.type->elements; i++)
		pim_element_set(
			want.type->dtype, want.data, i, 2 * pim_element_get(want.type->dtype, want.data, i));
	CHECK(op->type->dtype != PIM_DTYPE_f32 || count_wrong(&found, &want) == 0);
}

static void test_products(bench *b, pim_dtype t)
{
	int64_t batch = draw_in(1, 2), m = draw_in(1, 9), n = draw_in(1, 12), k = draw_in(1, 40);
	pim_node *in[2] = {
		input(b, t, 3, (int64_t[]){batch, m, k}), input(b, t, 3, (int64_t[]){batch, n, k})};
	pim_node *op = pim_node_new(b->graph, "matmul", 2, in, NULL);
	pim_node_set_int(op, "transpose_b", 1);
	check_op(b, op);
}

static void test_integer_product(bench *b)
{
	int64_t m = draw_in(1, 9), n = draw_in(1, 12), k = draw_in(1, 40);
	bool wide = draw_in(0, 1);
	pim_node *in[2] = {input(b, wide ? PIM_DTYPE_i16 : PIM_DTYPE_i8, 2, (int64_t[]){m, k}),
		input(b, wide ? PIM_DTYPE_i16 : PIM_DTYPE_u8, 2, (int64_t[]){k, n})};
	pim_node *op = pim_node_new(b->graph, "matmul_integer", 2, in, NULL);
	pim_node_set_int(op, "a_zero", draw_in(-9, 9));
	pim_node_set_int(op, "b_zero", draw_in(0, 9));
	check_op(b, op);
}

static void test_conv(bench *b)
{
	int64_t groups = draw_in(1, 2), ci = draw_in(1, 4), co = draw_in(1, 3), r = draw_in(1, 3);
	int64_t pads[4] = {draw_in(0, 1), draw_in(0, 1), draw_in(0, 1), draw_in(0, 1)},
			size = draw_in(4, 9);
	pim_node *in[3] = {input(b, PIM_DTYPE_f32, 4, (int64_t[]){1, groups * ci, size, 5}),
		input(b, PIM_DTYPE_f32, 4, (int64_t[]){groups * co, ci, r, 2}),
		input(b, PIM_DTYPE_f32, 1, (int64_t[]){groups * co})};
	pim_node *op = pim_node_new(b->graph, "conv", (uint32_t)draw_in(2, 3), in, NULL);
	pim_node_set_int(op, "groups", groups);
	pim_node_set_ints(op, "pads", 4, pads);
	pim_node_set_ints(op, "strides", 2, (int64_t[]){draw_in(1, 2), draw_in(1, 2)});
	check_op(b, op);
}

static void test_windows(bench *b)
{
	static const char *const names[] = {"max_pool", "average_pool"};
	int64_t r = draw_in(2, 3);
	pim_node *x = input(b, PIM_DTYPE_f32, 4, (int64_t[]){1, draw_in(1, 6), draw_in(4, 9), 6});
	pim_node *op = pim_node_new(b->graph, names[draw_in(0, 1)], 1, &x, NULL);
	pim_node_set_ints(op, "kernel", 2, (int64_t[]){r, 2});
	pim_node_set_ints(op, "pads", 4, (int64_t[]){draw_in(0, 1), 0, draw_in(0, 1), 1});
	pim_node_set_ints(op, "strides", 2, (int64_t[]){draw_in(1, 2), 2});
	check_op(b, op);
}

static void test_reductions(bench *b)
{
	static const char *const names[] = {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min"};
	pim_node *x =
		input(b, PIM_DTYPE_f32, 3, (int64_t[]){draw_in(1, 7), draw_in(1, 30), draw_in(1, 7)});
	pim_node *op = pim_node_new(b->graph, names[draw_in(0, 3)], 1, &x, NULL);
	pim_node_set_ints(op, "axes", 1, (int64_t[]){draw_in(0, 2)});
	check_op(b, op);
}

static void test_norms(bench *b)
{
	static const char *const names[] = {"softmax", "log_softmax", "layer_norm"};
	int64_t rows = draw_in(1, 90), width = draw_in(2, 40);
	int which = (int)draw_in(0, 2);
	pim_node *in[3] = {input(b, PIM_DTYPE_f32, 2, (int64_t[]){rows, width}),
		input(b, PIM_DTYPE_f32, 1, &width), input(b, PIM_DTYPE_f32, 1, &width)};
	pim_node *op =
		pim_node_new(b->graph, names[which], which == 2 ? (uint32_t)draw_in(2, 3) : 1, in, NULL);
	pim_node_set_int(op, "axis", 1);
	check_op(b, op);
}

static void test_elements(bench *b)
{
	static const char *const names[] = {"add", "sub", "mul", "div", "max", "min"};
	int64_t n = draw_in(1, 200);
	pim_dtype t = draw_in(0, 1) ? PIM_DTYPE_f16 : PIM_DTYPE_f32;
	pim_node *in[2] = {input(b, t, 2, (int64_t[]){2, n}), input(b, t, 1, &n)};
	check_op(b, pim_node_new(b->graph, names[draw_in(0, 5)], 2, in, NULL));
}

static void test_integers(bench *b)
{
	static const char *const names[] = {"add", "sub", "mul", "max", "less"};
	static const pim_dtype whole[] = {PIM_DTYPE_i64, PIM_DTYPE_i32, PIM_DTYPE_i16, PIM_DTYPE_u8};
	int64_t n = draw_in(1, 200);
	pim_dtype t = whole[draw_in(0, 3)];
	pim_node *in[2] = {input(b, t, 2, (int64_t[]){2, n}), input(b, t, 1, &n)};
	check_op(b, pim_node_new(b->graph, names[draw_in(0, 4)], 2, in, NULL));
	pim_node *made = pim_node_new(b->graph, "cast", 1, &in[1], NULL);
	pim_node_set_string(made, "to", "f32");
	check_op(b, made);
}

int main(void)
{
	draw_state = 5;
	for (int round = 0; round < 24; round++) {
		bench b = {.context = pim_context_new(), .arena = pim_arena_new()};
		b.module = pim_module_new(b.context);
		b.target = *pim_target_find(b.context, "hbm2-pim");
		b.target.bank.columns = 64 << draw_in(0, 2);
		b.graph = pim_graph_new(b.module, "g");
		test_products(&b, PIM_DTYPE_f32);
		test_products(&b, PIM_DTYPE_f16);
		test_products(&b, PIM_DTYPE_i32);
		test_integer_product(&b);
		test_conv(&b);
		test_windows(&b);
		test_reductions(&b);
		test_norms(&b);
		test_elements(&b);
		test_integers(&b);
		pim_arena_free(b.arena);
		pim_context_free(b.context);
	}
	CHECK(with_waves > 20 && with_groups > 20);
	return check_failures != 0;
}
