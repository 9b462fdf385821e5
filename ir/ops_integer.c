/* SPDX-License-Identifier: Apache-2.0 */
/* ops_integer - products of quantised operands: matmul_integer and conv_integer.
 *
 * Zero points are attributes, so that partial sums add up whatever is cut. Results are exact modulo
 * 2^32. Products run in floats where every sum that can occur is an integer they hold. */
#include "ir/op_rules.h"

/* Both operands are integers of at most 16 bits. */
static bool check_operands(const pim_node *n)
{
	for (int i = 0; i < 2; i++) {
		const pim_type *t = pim_rule_operand(n, i);
		if (!t)
			return false;
		if (pim_dtype_is_float(t->dtype) || t->dtype == PIM_DTYPE_bool ||
			pim_dtype_bytes(t->dtype) > 2)
			return pim_node_error(n, "input %d of %s is %s, expected integers of at most 16 bits",
				i, pim_node_op(n), pim_rule_text(n, t));
	}
	return true;
}

static bool check_zero(const pim_node *n, const char *name)
{
	int64_t zero = pim_node_int(n, name);
	if (zero >= INT16_MIN && zero <= UINT16_MAX)
		return true;
	return pim_node_error(
		n, "%s of %s is %lld, expected a number of 16 bits", name, pim_node_op(n), (long long)zero);
}

const pim_type *pim_infer_matmul_integer(const pim_node *n)
{
	if (!check_operands(n) || !check_zero(n, "a_zero") || !check_zero(n, "b_zero"))
		return NULL;
	return pim_matmul_type(n, PIM_DTYPE_i32);
}

const pim_type *pim_infer_conv_integer(const pim_node *n)
{
	if (!check_operands(n) || !check_zero(n, "x_zero") || !check_zero(n, "w_zero"))
		return NULL;
	return pim_conv_type(n, PIM_DTYPE_i32);
}

void pim_axes_matmul_integer(const pim_node *n, pim_axes *x)
{
	pim_axes_matmul(n, x);
}

void pim_axes_conv_integer(const pim_node *n, pim_axes *x)
{
	pim_axes_conv(n, x);
}

/* All elements less the zero point; the largest amount among them. */
static int64_t *read_operand(
	const pim_tensor *t, int64_t zero, int64_t *largest, pim_arena *scratch)
{
	int64_t n = t->type->elements, *v = pim_arena_raw(scratch, sizeof *v * (size_t)n + 1);
	pim_stage_load(t->type->dtype, t->data, 0, n, v);
	*largest = 0;
	for (int64_t i = 0; i < n; i++) {
		v[i] -= zero;
		int64_t amount = v[i] < 0 ? -v[i] : v[i];
		*largest = amount > *largest ? amount : *largest;
	}
	return v;
}

static double *widen(const int64_t *v, int64_t n, pim_arena *scratch)
{
	double *to = pim_arena_raw(scratch, sizeof *to * (size_t)n + 1);
	for (int64_t i = 0; i < n; i++)
		to[i] = (double)v[i];
	return to;
}

/* Doubles hold every sum of `terms` products below 2^53. */
static bool is_exact_in_doubles(int64_t a, int64_t b, int64_t terms)
{
	int64_t most;
	return pim_mul(a * b, terms, &most) && most < (int64_t)1 << 53;
}

bool pim_eval_matmul_integer(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	int64_t count = n->type->elements, most[2];
	const pim_type *ta = in[0].type, *tb = in[1].type;
	int64_t *a = read_operand(&in[0], pim_node_int(n, "a_zero"), &most[0], e->scratch);
	int64_t *b = read_operand(&in[1], pim_node_int(n, "b_zero"), &most[1], e->scratch);
	int64_t terms = ta->dims[ta->rank - (pim_node_int(n, "transpose_a") ? 2 : 1)];
	int64_t *c = pim_arena_raw(e->scratch, sizeof *c * (size_t)count + 1);
	if (!e->plain && is_exact_in_doubles(most[0], most[1], terms)) {
		double *sums = pim_arena_raw(e->scratch, sizeof *sums * (size_t)count + 1);
		pim_matmul_run(n, PIM_STAGE_f64, widen(a, ta->elements, e->scratch),
			widen(b, tb->elements, e->scratch), sums, e);
		for (int64_t i = 0; i < count; i++)
			c[i] = (int64_t)sums[i];
	} else {
		pim_matmul_run(n, PIM_STAGE_i64, a, b, c, e);
	}
	pim_stage_store(PIM_DTYPE_i32, out->data, 0, count, c);
	return true;
}

bool pim_eval_conv_integer(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	int64_t ignored, *y = pim_arena_raw(e->scratch, sizeof *y * (size_t)n->type->elements + 1);
	int64_t *x = read_operand(&in[0], pim_node_int(n, "x_zero"), &ignored, e->scratch);
	int64_t *w = read_operand(&in[1], pim_node_int(n, "w_zero"), &ignored, e->scratch);
	pim_conv_run_integer(n, x, w, y, e);
	pim_stage_store(PIM_DTYPE_i32, out->data, 0, n->type->elements, y);
	return true;
}
