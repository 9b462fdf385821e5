/* SPDX-License-Identifier: Apache-2.0 */
/* ops_binary - ops of two inputs, element by element with broadcast: a formula each; and where.
 *
 * ARITHMETIC rows make elements of the operands' type: a formula for the floats (f16 and bf16 are
 * computed in float and rounded once), one for signed and one for unsigned integers, which wrap.
 * BITS are for integers only, COMPARISONS make bools, BOOLEANS take them. */
#include "ir/op_rules.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

/* a and b are the elements, T their type. */
#define ARITHMETIC(X)                                                                              \
	X(add, a + b, (T)((uint64_t)a + (uint64_t)b), a + b)                                           \
	X(sub, a - b, (T)((uint64_t)a - (uint64_t)b), a - b)                                           \
	X(mul, a *b, (T)((uint64_t)a * (uint64_t)b), a *b)                                             \
	X(div, a / b, b == -1 ? (T)(0 - (uint64_t)a) : a / b, a / b)                                   \
	X(max, a > b || a != a ? a : b, a > b ? a : b, a > b ? a : b)                                  \
	X(min, a < b || a != a ? a : b, a < b ? a : b, a < b ? a : b)                                  \
	X(pow, pow(a, b), (T)raise_signed(a, b), raise_unsigned(a, b))                                 \
	X(mod, fmod(a, b), modulo(a, b), a % b)

/* Shifts by the type's width or more leave the sign. */
#define BITS(X)                                                                                    \
	X(bitwise_and, (T)(a & b), a &b)                                                               \
	X(bitwise_or, (T)(a | b), a | b)                                                               \
	X(bitwise_xor, (T)(a ^ b), a ^ b)                                                              \
	X(shift_left, (uint64_t)b > 63 ? 0 : (T)((uint64_t)a << b), b > 63 ? 0 : a << b)               \
	X(shift_right, (uint64_t)b > 63 ? (a < 0 ? -1 : 0) : a >> b, b > 63 ? 0 : a >> b)

#define COMPARISONS(X)                                                                             \
	X(equal, a == b)                                                                               \
	X(less, a < b)                                                                                 \
	X(less_equal, a <= b)                                                                          \
	X(greater, a > b)                                                                              \
	X(greater_equal, a >= b)

#define BOOLEANS(X)                                                                                \
	X(and, a &&b)                                                                                  \
	X(or, a || b)                                                                                  \
	X(xor, !a != !b)                                                                               \
	X(equal, !a == !b)

static uint64_t raise_unsigned(uint64_t a, uint64_t b)
{
	uint64_t y = 1;
	for (; b; b >>= 1, a *= a)
		y *= b & 1 ? a : 1;
	return y;
}

/* A negative power of anything but 1 and -1 is towards zero: 0. */
static uint64_t raise_signed(int64_t a, int64_t b)
{
	if (b < 0 && a != 1 && a != -1)
		return 0;
	return raise_unsigned((uint64_t)a, b < 0 ? 0 - (uint64_t)b : (uint64_t)b);
}

static int64_t modulo(int64_t a, int64_t b)
{
	int64_t r = b == -1 ? 0 : a % b;
	return r && (r < 0) != (b < 0) ? r + b : r;
}

/* One row: operands step by 0 or 1 elements. */
typedef void binary_kernel(
	const void *a, int64_t step_a, const void *b, int64_t step_b, void *y, int64_t n);

typedef struct binary_rule {
	binary_kernel *run[PIM_STAGE_COUNT];
} binary_rule;

#define ROW_KERNEL(name, stage, type, result, formula)                                             \
	static void run_##stage##_##name(                                                              \
		const void *pa, int64_t sa, const void *pb, int64_t sb, void *py, int64_t n)               \
	{                                                                                              \
		typedef type T;                                                                            \
		const T *as = pa, *bs = pb;                                                                \
		result *ys = py;                                                                           \
		if (sa && sb)                                                                              \
			for (int64_t i = 0; i < n; i++) {                                                      \
				T a = as[i], b = bs[i];                                                            \
				ys[i] = formula;                                                                   \
			}                                                                                      \
		else if (sa)                                                                               \
			for (int64_t i = 0; i < n; i++) {                                                      \
				T a = as[i], b = *bs;                                                              \
				ys[i] = formula;                                                                   \
			}                                                                                      \
		else                                                                                       \
			for (int64_t i = 0; i < n; i++) {                                                      \
				T a = *as, b = bs[i];                                                              \
				ys[i] = formula;                                                                   \
			}                                                                                      \
	}
#define ARITHMETIC_KERNELS(name, real, with_sign, without_sign)                                    \
	ROW_KERNEL(name, f32, float, T, real)                                                          \
	ROW_KERNEL(name, f64, double, T, real)                                                         \
	ROW_KERNEL(name, i64, int64_t, T, with_sign)                                                   \
	ROW_KERNEL(name, u64, uint64_t, T, without_sign)
#define BIT_KERNELS(name, with_sign, without_sign)                                                 \
	ROW_KERNEL(name, i64, int64_t, T, with_sign)                                                   \
	ROW_KERNEL(name, u64, uint64_t, T, without_sign)
#define COMPARISON_KERNELS(name, formula)                                                          \
	ROW_KERNEL(name, f32, float, uint8_t, formula)                                                 \
	ROW_KERNEL(name, f64, double, uint8_t, formula)                                                \
	ROW_KERNEL(name, i64, int64_t, uint8_t, formula)                                               \
	ROW_KERNEL(name, u64, uint64_t, uint8_t, formula)
#define BOOLEAN_KERNELS(name, formula) ROW_KERNEL(name, bool, uint8_t, uint8_t, formula)
ARITHMETIC(ARITHMETIC_KERNELS)
BITS(BIT_KERNELS)
COMPARISONS(COMPARISON_KERNELS)
BOOLEANS(BOOLEAN_KERNELS)
#undef ARITHMETIC_KERNELS
#undef BIT_KERNELS
#undef COMPARISON_KERNELS
#undef BOOLEAN_KERNELS
#undef ROW_KERNEL

static const binary_rule rules[PIM_OP_COUNT] = {
#define NUMBER_ROW(name, ...)                                                                      \
	[PIM_OP_##name].run[PIM_STAGE_f32] = run_f32_##name,                                           \
	[PIM_OP_##name].run[PIM_STAGE_f64] = run_f64_##name,                                           \
	[PIM_OP_##name].run[PIM_STAGE_i64] = run_i64_##name,                                           \
	[PIM_OP_##name].run[PIM_STAGE_u64] = run_u64_##name,
#define BIT_ROW(name, ...)                                                                         \
	[PIM_OP_##name].run[PIM_STAGE_i64] = run_i64_##name,                                           \
	[PIM_OP_##name].run[PIM_STAGE_u64] = run_u64_##name,
#define BOOLEAN_ROW(name, formula) [PIM_OP_##name].run[PIM_STAGE_bool] = run_bool_##name,
	ARITHMETIC(NUMBER_ROW) BITS(BIT_ROW) COMPARISONS(NUMBER_ROW) BOOLEANS(BOOLEAN_ROW)
#undef NUMBER_ROW
#undef BIT_ROW
#undef BOOLEAN_ROW
};

typedef enum result_kind { RESULT_same, RESULT_bool } result_kind;

static const pim_type *infer_binary(const pim_node *n, result_kind kind)
{
	int64_t dims[PIM_MAX_RANK];
	const pim_type *t = pim_rule_operand(n, 0);
	if (!t || !pim_rule_same_dtype(n, 1))
		return NULL;
	const binary_rule *r = &rules[n->op];
	if (!r->run[pim_stage_of(t->dtype)]) {
		pim_node_error(n, "input 0 of %s is %s, expected %s", pim_node_op(n), pim_rule_text(n, t),
			r->run[PIM_STAGE_f32]	? "a float or integer type"
			: r->run[PIM_STAGE_i64] ? "an integer type"
									: "bool");
		return NULL;
	}
	int rank = pim_rule_broadcast(n, 0, 2, 0, dims);
	if (rank < 0)
		return NULL;
	return pim_rule_result(n, kind == RESULT_bool ? PIM_DTYPE_bool : t->dtype, rank, dims);
}

/* Index in the row of a division by zero (or 0 to a negative power), -1 when there is none. */
static int64_t find_zero(
	pim_op op, const int64_t *a, int64_t step_a, const int64_t *b, int64_t step_b, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		int64_t x = a[i * step_a], y = b[i * step_b];
		if (op == PIM_OP_pow ? x == 0 && y < 0 : y == 0)
			return i;
	}
	return -1;
}

/* One block of a row, of operands not in a type one can compute in, or that must be looked at
 * first. */
static bool run_block(const pim_node *n, const pim_rows *r, const pim_tensor *in, pim_tensor *out,
	int64_t from, int64_t count)
{
	pim_dtype t = in[0].type->dtype, to = n->type->dtype;
	pim_stage s = pim_stage_of(t);
	uint64_t a[PIM_STAGE_BLOCK], b[PIM_STAGE_BLOCK], y[PIM_STAGE_BLOCK];
	pim_stage_load(t, in[0].data, r->offset[0] + from * r->step[0], r->step[0] ? count : 1, a);
	pim_stage_load(t, in[1].data, r->offset[1] + from * r->step[1], r->step[1] ? count : 1, b);
	bool divides =
		n->op == PIM_OP_div || n->op == PIM_OP_mod || (n->op == PIM_OP_pow && s == PIM_STAGE_i64);
	if (divides && (s == PIM_STAGE_i64 || s == PIM_STAGE_u64)) {
		int64_t zero = find_zero(
			(pim_op)n->op, (const void *)a, r->step[0], (const void *)b, r->step[1], count);
		if (zero >= 0)
			return pim_node_error(n,
				"%s of integers divides by zero at result element %lld of %lld", pim_node_op(n),
				(long long)(r->result + from + zero), (long long)n->type->elements);
	}
	rules[n->op].run[s](a, r->step[0], b, r->step[1], y, count);
	if (to == PIM_DTYPE_bool)
		memcpy((uint8_t *)out->data + r->result + from, y, (size_t)count);
	else
		pim_stage_store(to, out->data, r->result + from, count, y);
	return true;
}

static bool run_binary(const pim_node *n, const pim_tensor *in, pim_tensor *out)
{
	pim_dtype t = in[0].type->dtype;
	pim_stage s = pim_stage_of(t);
	bool direct = pim_stage_is_native(t) && s != PIM_STAGE_i64 && s != PIM_STAGE_u64;
	size_t bytes = pim_dtype_bytes(t), to_bytes = pim_dtype_bytes(n->type->dtype);
	pim_rows r;
	for (pim_rows_begin_broadcast(&r, n->type, 2, in); pim_rows_next(&r);) {
		if (direct) {
			rules[n->op].run[s]((const char *)in[0].data + (size_t)r.offset[0] * bytes, r.step[0],
				(const char *)in[1].data + (size_t)r.offset[1] * bytes, r.step[1],
				(char *)out->data + (size_t)r.result * to_bytes, r.length);
			continue;
		}
		for (int64_t i = 0; i < r.length; i += PIM_STAGE_BLOCK) {
			int64_t k = r.length - i < PIM_STAGE_BLOCK ? r.length - i : PIM_STAGE_BLOCK;
			if (!run_block(n, &r, in, out, i, k))
				return false;
		}
	}
	return true;
}

#define BINARY(name, flags, result, help)                                                          \
	const pim_type *pim_infer_##name(const pim_node *n)                                            \
	{                                                                                              \
		return infer_binary(n, RESULT_##result);                                                   \
	}                                                                                              \
	void pim_axes_##name(const pim_node *n, pim_axes *x)                                           \
	{                                                                                              \
		pim_axes_elementwise(n, x);                                                                \
	}                                                                                              \
	bool pim_eval_##name(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)    \
	{                                                                                              \
		(void)e;                                                                                   \
		return run_binary(n, in, out);                                                             \
	}
#include "ir/ops.def"

const pim_type *pim_infer_where(const pim_node *n)
{
	int64_t dims[PIM_MAX_RANK];
	const pim_type *a = pim_rule_operand(n, 0), *b = pim_rule_operand(n, 1),
				   *c = pim_rule_operand(n, 2);
	if (!a || !b || !c)
		return NULL;
	if (a->dtype != PIM_DTYPE_bool || b->dtype != c->dtype) {
		pim_node_error(n, "inputs of where are %s, %s and %s, expected bool and twice one type",
			pim_rule_text(n, a), pim_rule_text(n, b), pim_rule_text(n, c));
		return NULL;
	}
	int rank = pim_rule_broadcast(n, 0, 3, 0, dims);
	return rank < 0 ? NULL : pim_rule_result(n, b->dtype, rank, dims);
}

void pim_axes_where(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
}

static void choose_row(size_t bytes, const pim_rows *r, const pim_tensor *in, char *to)
{
	const uint8_t *a = (const uint8_t *)in[0].data + r->offset[0];
	const char *b = (const char *)in[1].data + (size_t)r->offset[1] * bytes;
	const char *c = (const char *)in[2].data + (size_t)r->offset[2] * bytes;
	size_t step_b = (size_t)r->step[1] * bytes, step_c = (size_t)r->step[2] * bytes;
	for (int64_t i = 0; i < r->length; i++, to += bytes, b += step_b, c += step_c)
		memcpy(to, a[i * r->step[0]] ? b : c, bytes);
}

bool pim_eval_where(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	size_t bytes = pim_dtype_bytes(n->type->dtype);
	pim_rows r;
	(void)e;
	for (pim_rows_begin_broadcast(&r, n->type, 3, in); pim_rows_next(&r);)
		choose_row(bytes, &r, in, (char *)out->data + (size_t)r.result * bytes);
	return true;
}
