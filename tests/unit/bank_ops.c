/* SPDX-License-Identifier: Apache-2.0 */
/* Random nodes of every op that banks have row operations for, with few columns so that there are
 * waves and groups of lanes: values against the evaluator, integers exactly; the row operations and
 * slots that are listed are those that the cost counts. */
#include <math.h>

#include "targets/bank/bank.h"
#include "tests/unit/check.h"
#include "tests/unit/random_nodes.h"

static const bool has_recipe[PIM_OP_COUNT] = {
#define RECIPE(op, how) [PIM_OP_##op] = true,
#include "targets/bank/recipes.def"
};

static void count_slot(void *user, const pim_slot_work *w)
{
	int64_t *n = user;
	n[w->operation]++;
}

/* The first element that differs by more than functions round, -1: none does. */
static int64_t find_wrong(const pim_tensor *found, const pim_tensor *want)
{
	pim_dtype t = want->type->dtype;
	double slack = t == PIM_DTYPE_f32 ? 1e-4 : t == PIM_DTYPE_f16 ? 4e-3 : 0;
	for (int64_t i = 0; i < want->type->elements; i++) {
		double x = pim_element_get(t, found->data, i), y = pim_element_get(t, want->data, i);
		if (!(fabs(x - y) <= slack * (1 + fabs(y)) || x == y || (isnan(x) && isnan(y))))
			return i;
	}
	return -1;
}

static void check_slots(
	const pim_target *t, const pim_micro *m, const pim_tensor *in, const pim_tensor *out)
{
	pim_row_place place[16] = {{0}};
	int64_t counted[2] = {0};
	for (uint32_t i = 0; i < m->op->n_in; i++)
		if (m->op->in[i])
			place[i] = (pim_row_place){(int64_t)i, pim_type_bytes(in[i].type)};
	place[m->op->n_in] = (pim_row_place){20, pim_type_bytes(out->type)};
	pim_micro_slots(t, m, place, count_slot, counted);
	pim_bank_work w = pim_micro_work(t, m);
	CHECK(counted[1] == w.operations && counted[0] == w.column_slots);
}

/* False: the op has no row operations for these element types. */
static bool check_node(const pim_target *t, pim_node *op, random_source *r, pim_arena *a)
{
	const pim_axes *x = pim_axes_new(op, a);
	int64_t extent[PIM_MAX_AXES];
	for (int i = 0; i < x->n_axes; i++)
		extent[i] = x->axis[i].size;
	if (op->type->elements == 0 || pim_bank_refusal(t, op, x, extent))
		return false;
	pim_tensor *in = give_random_inputs(op, r, a), want = give_tensor(op->type, a);
	pim_tensor found = give_tensor(op->type, a);
	pim_eval e = {.context = pim_context_of(op), .scratch = a, .threads = 1};
	pim_bank_operand operand[16];
	for (uint32_t i = 0; i < op->n_in; i++)
		operand[i] = (pim_bank_operand){in[i].type, in[i].data};
	if (op->op == PIM_OP_div || op->op == PIM_OP_mod) /* no quotient by 0 */
		for (int64_t i = 0; i < in[1].type->elements; i++)
			if (pim_element_get(in[1].type->dtype, in[1].data, i) == 0)
				pim_element_set(in[1].type->dtype, in[1].data, i, 3);
	CHECK(pim_node_eval(op, in, &want, &e));
	operand[op->n_in] = (pim_bank_operand){found.type, found.data};
	pim_micro m = {.adds = false};
	pim_micro_write(&m, t, op, x, extent);
	pim_bank *bank = pim_bank_new(t, a);
	pim_bank_run(bank, &m, operand);
	CHECK(pim_bank_operations(bank) == pim_micro_work(t, &m).operations);
	check_slots(t, &m, in, &found);
	int64_t at = find_wrong(&found, &want);
	if (at >= 0)
		fprintf(stderr, "%s to %s: element %lld is %g, expected %g\n", pim_node_op(op),
			pim_dtype_name(op->type->dtype), (long long)at,
			pim_element_get(op->type->dtype, found.data, at),
			pim_element_get(op->type->dtype, want.data, at));
	CHECK(at < 0);
	return true;
}

int main(void)
{
	random_source r = {31};
	for (int op = 0; op < PIM_OP_COUNT; op++) {
		int runs = 0;
		for (int round = 0; has_recipe[op] && op != PIM_OP_relayout && round < 3; round++) {
			pim_context *c = pim_context_new();
			pim_arena *a = pim_arena_new();
			pim_target t = *pim_target_find(c, "hbm2-pim");
			t.bank.columns = 64 << pick(&r, 2);
			pim_graph *g = pim_graph_new(pim_module_new(c), "g");
			runs += check_node(&t, make_random_node(g, &r, (pim_op)op), &r, a);
			pim_arena_free(a);
			pim_context_free(c);
		}
		if (!runs && has_recipe[op] && op != PIM_OP_relayout)
			CHECK(op == PIM_OP_mod); /* whose random nodes are floats */
	}
	return check_failures != 0;
}
