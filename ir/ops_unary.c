/* SPDX-License-Identifier: Apache-2.0 */
/* ops_unary - ops of one input, element by element: a formula each, and casts.
 *
 * A row of FLOATS holds for the float types (f16 and bf16 are computed in float and rounded once),
 * a row of INTEGERS for the integers, computed modulo 2^64. An op takes the types it has a formula
 * for. cast rounds to another type, bit_cast keeps the bytes. */
#include "ir/op_rules.h"
#include "ir/wide.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

/* x is the element and T its type; a and b are the op's parameters in that type. */
#define FLOATS(X)                                                                                  \
	X(neg, -x)                                                                                     \
	X(abs, fabs(x))                                                                                \
	X(sign, x > 0 ? 1 : x < 0 ? -1 : x)                                                            \
	X(sqrt, sqrt(x))                                                                               \
	X(reciprocal, 1 / x)                                                                           \
	X(log, log(x))                                                                                 \
	X(sin, sin(x))                                                                                 \
	X(cos, cos(x))                                                                                 \
	X(tan, tan(x))                                                                                 \
	X(asin, asin(x))                                                                               \
	X(acos, acos(x))                                                                               \
	X(atan, atan(x))                                                                               \
	X(sinh, sinh(x))                                                                               \
	X(cosh, cosh(x))                                                                               \
	X(asinh, asinh(x))                                                                             \
	X(acosh, acosh(x))                                                                             \
	X(atanh, atanh(x))                                                                             \
	X(softplus, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))                                        \
	X(silu, x / (1 + exp(-x)))                                                                     \
	X(hard_swish, x *(x < -3 ? 0 : x > 3 ? 1 : x / 6 + (T)0.5))                                    \
	X(relu, x < 0 ? 0 : x)                                                                         \
	X(floor, floor(x))                                                                             \
	X(ceil, ceil(x))                                                                               \
	X(round, rint(x))                                                                              \
	X(gelu, a != 0                                                                                 \
				? x / 2 * (1 + tanh((T)M_2_SQRTPI * (T)M_SQRT1_2 * (x + (T)0.044715 * x * x * x))) \
				: x / 2 * erfc(-x * (T)M_SQRT1_2))                                                 \
	X(leaky_relu, x >= 0 ? x : a * x)                                                              \
	X(elu, x >= 0 ? x : a * expm1(x))                                                              \
	X(hard_sigmoid, a *x + b < 0 ? 0 : a * x + b > 1 ? 1 : a * x + b)                              \
	X(clip, x<a ? a : x> b ? b : x)

/* float32 of these goes through vectors. */
#define DOUBLES(X)                                                                                 \
	X(exp, exp(x))                                                                                 \
	X(erf, erf(x))                                                                                 \
	X(tanh, tanh(x))                                                                               \
	X(sigmoid, 1 / (1 + exp(-x)))

/* T is int64_t or uint64_t; signed values wrap. */
#define INTEGERS(X)                                                                                \
	X(neg, (T)(0 - (uint64_t)x))                                                                   \
	X(abs, x > 0 ? x : (T)(0 - (uint64_t)x))                                                       \
	X(sign, x > 0 ? 1 : x == 0 ? 0 : (T)-1)                                                        \
	X(bitwise_not, ~x)                                                                             \
	X(relu, x > 0 ? x : 0)                                                                         \
	X(clip, x<a ? a : x> b ? b : x)

typedef struct unary_rule {
	/* Parameters come as doubles, brought to a range the stage's type holds. */
	void (*run[PIM_STAGE_COUNT])(const void *from, void *to, int64_t n, const double *p);
} unary_rule;

/* y[i] = formula of x = x[i] and of the parameters a and b, brought to the type. */
#define KERNEL(stage, name, type, low, high, formula)                                              \
	static void run_##stage##_##name(const void *from, void *to, int64_t n, const double *p)       \
	{                                                                                              \
		typedef type T;                                                                            \
		const T *xs = from, a = low, b = high;                                                     \
		T *ys = to;                                                                                \
		for (int64_t i = 0; i < n; i++) {                                                          \
			T x = xs[i];                                                                           \
			ys[i] = formula;                                                                       \
		}                                                                                          \
		(void)a, (void)b;                                                                          \
	}
#define F32_KERNEL(name, formula) PIM_WIDE KERNEL(f32, name, float, (T)p[0], (T)p[1], formula)
#define F64_KERNEL(name, formula) KERNEL(f64, name, double, p[0], p[1], formula)
FLOATS(F32_KERNEL)
FLOATS(F64_KERNEL)
DOUBLES(F64_KERNEL)
#undef F32_KERNEL
#undef F64_KERNEL

#define SIGNED(v) pim_int_from_double(v, INT64_MIN, INT64_MAX)
#define UNSIGNED(v) pim_uint_from_double(v, UINT64_MAX)
#define INTEGER_KERNELS(name, formula)                                                             \
	KERNEL(i64, name, int64_t, SIGNED(ceil(p[0])), SIGNED(floor(p[1])), formula)                   \
	KERNEL(u64, name, uint64_t, UNSIGNED(ceil(p[0])), UNSIGNED(floor(p[1])), formula)
INTEGERS(INTEGER_KERNELS)
#undef INTEGER_KERNELS
#undef SIGNED
#undef UNSIGNED
#undef KERNEL

static void run_vector_exp(const void *from, void *to, int64_t n, const double *p)
{
	(void)p;
	pim_exp_floats(from, 0, n, to);
}

#define VECTOR_KERNEL(name)                                                                        \
	static void run_vector_##name(const void *from, void *to, int64_t n, const double *p)          \
	{                                                                                              \
		(void)p;                                                                                   \
		pim_##name##_floats(from, n, to);                                                          \
	}
VECTOR_KERNEL(erf)
VECTOR_KERNEL(tanh)
VECTOR_KERNEL(sigmoid)
#undef VECTOR_KERNEL

static void run_bool_not(const void *from, void *to, int64_t n, const double *p)
{
	const uint8_t *x = from;
	uint8_t *y = to;
	(void)p;
	for (int64_t i = 0; i < n; i++)
		y[i] = !x[i];
}

static const unary_rule rules[PIM_OP_COUNT] = {
#define FLOAT_ROW(name, formula)                                                                   \
	[PIM_OP_##name].run[PIM_STAGE_f32] = run_f32_##name,                                           \
	[PIM_OP_##name].run[PIM_STAGE_f64] = run_f64_##name,
#define INTEGER_ROW(name, formula)                                                                 \
	[PIM_OP_##name].run[PIM_STAGE_i64] = run_i64_##name,                                           \
	[PIM_OP_##name].run[PIM_STAGE_u64] = run_u64_##name,
#define DOUBLE_ROW(name, formula)                                                                  \
	[PIM_OP_##name].run[PIM_STAGE_f32] = run_vector_##name,                                        \
	[PIM_OP_##name].run[PIM_STAGE_f64] = run_f64_##name,
	FLOATS(FLOAT_ROW) DOUBLES(DOUBLE_ROW) INTEGERS(INTEGER_ROW)
#undef FLOAT_ROW
#undef DOUBLE_ROW
#undef INTEGER_ROW
		[PIM_OP_not]
			.run[PIM_STAGE_bool] = run_bool_not,
};

static const pim_type *infer_unary(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	const unary_rule *r = &rules[n->op];
	if (!t || r->run[pim_stage_of(t->dtype)])
		return t;
	const char *wanted = r->run[PIM_STAGE_bool]	  ? "bool"
						 : !r->run[PIM_STAGE_f32] ? "an integer type"
						 : r->run[PIM_STAGE_i64]  ? "a float or integer type"
												  : "a float type";
	pim_node_error(
		n, "input of %s is %s, expected %s", pim_node_op(n), pim_rule_text(n, t), wanted);
	return NULL;
}

static bool run_unary(const pim_node *n, const pim_tensor *in, pim_tensor *out, const double *p)
{
	const pim_type *t = n->type;
	pim_stage s = pim_stage_of(t->dtype);
	void (*run)(const void *, void *, int64_t, const double *) = rules[n->op].run[s];
	if (pim_stage_is_native(t->dtype)) {
		run(in[0].data, out->data, t->elements, p);
		return true;
	}
	uint64_t block[PIM_STAGE_BLOCK];
	for (int64_t i = 0; i < t->elements; i += PIM_STAGE_BLOCK) {
		int64_t k = t->elements - i < PIM_STAGE_BLOCK ? t->elements - i : PIM_STAGE_BLOCK;
		pim_stage_load(t->dtype, in[0].data, i, k, block);
		run(block, block, k, p);
		pim_stage_store(t->dtype, out->data, i, k, block);
	}
	return true;
}

/* gelu: 1 for the tanh formula; others: alpha and beta, or min and max, where the op has them. */
static void read_parameters(const pim_node *n, double p[2])
{
	const pim_op_info *info = pim_op_at((pim_op)n->op);
	for (int i = 0; i < info->n_attrs && i < 2; i++) {
		const char *name = info->attrs[i].name;
		if (info->attrs[i].kind == PIM_ATTR_string)
			p[i] = pim_node_string(n, name)[0] == 't';
		else
			p[i] = pim_node_float(n, name);
	}
}

static bool is_gelu_known(const pim_node *n)
{
	const char *how = pim_node_string(n, "approximate");
	if (how && (!strcmp(how, "none") || !strcmp(how, "tanh")))
		return true;
	return pim_node_error(
		n, "approximate of gelu is \"%s\", expected none or tanh", how ? how : "");
}

static bool is_clip_ordered(const pim_node *n)
{
	double lo = pim_node_float(n, "min"), hi = pim_node_float(n, "max");
	if (lo <= hi)
		return true;
	return pim_node_error(n, "clip has min %g and max %g, expected min <= max", lo, hi);
}

static bool has_good_attributes(const pim_node *n)
{
	return n->op == PIM_OP_gelu ? is_gelu_known(n) : n->op != PIM_OP_clip || is_clip_ordered(n);
}

#define UNARY(name, help)                                                                          \
	const pim_type *pim_infer_##name(const pim_node *n)                                            \
	{                                                                                              \
		return has_good_attributes(n) ? infer_unary(n) : NULL;                                     \
	}                                                                                              \
	void pim_axes_##name(const pim_node *n, pim_axes *x)                                           \
	{                                                                                              \
		pim_axes_elementwise(n, x);                                                                \
	}                                                                                              \
	bool pim_eval_##name(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)    \
	{                                                                                              \
		double p[2] = {0, 0};                                                                      \
		(void)e;                                                                                   \
		read_parameters(n, p);                                                                     \
		return run_unary(n, in, out, p);                                                           \
	}
#include "ir/ops.def"

/* The attribute `to`, PIM_DTYPE_COUNT after a diagnostic. */
static pim_dtype read_target(const pim_node *n)
{
	const char *name = pim_node_string(n, "to");
	pim_dtype to = name ? pim_dtype_find(name) : PIM_DTYPE_COUNT;
	if (to == PIM_DTYPE_COUNT)
		pim_node_error(n, "%s to \"%s\", expected an element type as f32 or i8", pim_node_op(n),
			name ? name : "");
	return to;
}

const pim_type *pim_infer_cast(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	pim_dtype to = read_target(n);
	return t && to != PIM_DTYPE_COUNT ? pim_rule_result(n, to, t->rank, t->dims) : NULL;
}

static int count_bits(pim_dtype t)
{
	bool half = t == PIM_DTYPE_i4 || t == PIM_DTYPE_u4;
	return half ? 4 : (int)pim_dtype_bytes(t) * 8;
}

const pim_type *pim_infer_bit_cast(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	pim_dtype to = read_target(n);
	if (!t || to == PIM_DTYPE_COUNT)
		return NULL;
	if (count_bits(t->dtype) != count_bits(to)) {
		pim_node_error(n, "bit_cast of %s to %s, expected types with as many bits",
			pim_rule_text(n, t), pim_dtype_name(to));
		return NULL;
	}
	return pim_rule_result(n, to, t->rank, t->dims);
}

void pim_axes_bit_cast(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
}

/* 4 bits are stored in a byte, whose other bits the type says; a bool is 0 or 1. */
bool pim_eval_bit_cast(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	pim_dtype to = n->type->dtype;
	int64_t count = n->type->elements;
	if (count_bits(to) == 4)
		pim_stage_store(to, out->data, 0, count, pim_stage_whole(&in[0], e->scratch));
	else if (count)
		memcpy(out->data, in[0].data, (size_t)pim_type_bytes(n->type));
	for (int64_t i = 0; to == PIM_DTYPE_bool && i < count; i++)
		((uint8_t *)out->data)[i] = ((uint8_t *)out->data)[i] != 0;
	return true;
}

void pim_axes_cast(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
}

/* The largest value of a signed type. */
static int64_t integer_high(pim_dtype t)
{
	int bits = (int)pim_dtype_bytes(t) * 8;
	return (int64_t)(((uint64_t)1 << (bits - 1)) - 1);
}

/* Saturates, but to 4 bits wraps, as the tests of ONNX expect. */
static void cast_from_floats(pim_dtype to, void *data, int64_t at, int64_t n, const double *x)
{
	uint64_t v[PIM_STAGE_BLOCK];
	bool is_small = to == PIM_DTYPE_i4 || to == PIM_DTYPE_u4;
	int64_t high = pim_dtype_is_signed(to) ? integer_high(to) : 0;
	size_t bits = pim_dtype_bytes(to) * 8;
	for (int64_t i = 0; i < n; i++) {
		if (to == PIM_DTYPE_bool)
			((uint8_t *)data)[at + i] = x[i] != 0;
		else if (pim_dtype_is_float(to))
			pim_element_set(to, data, at + i, x[i]);
		else if (is_small)
			v[i] = (uint64_t)pim_int_from_double(x[i], INT32_MIN, INT32_MAX);
		else if (pim_dtype_is_signed(to))
			v[i] = (uint64_t)pim_int_from_double(x[i], -high - 1, high);
		else
			v[i] = pim_uint_from_double(x[i], UINT64_MAX >> (64 - bits));
	}
	if (!pim_dtype_is_float(to) && to != PIM_DTYPE_bool)
		pim_stage_store(to, data, at, n, v);
}

static void cast_from_integers(
	pim_dtype from, pim_dtype to, void *data, int64_t at, int64_t n, const uint64_t *x)
{
	bool negatives = pim_dtype_is_signed(from);
	for (int64_t i = 0; i < n; i++) {
		if (to == PIM_DTYPE_bool)
			((uint8_t *)data)[at + i] = x[i] != 0;
		else if (to == PIM_DTYPE_f32)
			((float *)data)[at + i] = negatives ? (float)(int64_t)x[i] : (float)x[i];
		else if (pim_dtype_is_float(to))
			pim_element_set(to, data, at + i, negatives ? (double)(int64_t)x[i] : (double)x[i]);
	}
	if (!pim_dtype_is_float(to) && to != PIM_DTYPE_bool)
		pim_stage_store(to, data, at, n, x);
}

static void widen_floats(int64_t n, const float *from, double *to)
{
	for (int64_t i = 0; i < n; i++)
		to[i] = (double)from[i];
}

static void widen_bools(int64_t n, const uint8_t *from, uint64_t *to)
{
	for (int64_t i = 0; i < n; i++)
		to[i] = from[i] != 0;
}

bool pim_eval_cast(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	pim_dtype from = in[0].type->dtype, to = n->type->dtype;
	pim_stage s = pim_stage_of(from);
	uint64_t block[PIM_STAGE_BLOCK], wide[PIM_STAGE_BLOCK];
	double real[PIM_STAGE_BLOCK];
	(void)e;
	for (int64_t i = 0; i < n->type->elements; i += PIM_STAGE_BLOCK) {
		int64_t k =
			n->type->elements - i < PIM_STAGE_BLOCK ? n->type->elements - i : PIM_STAGE_BLOCK;
		if (s == PIM_STAGE_f32 && pim_stage_of(to) == s) {
			pim_stage_load(from, in[0].data, i, k, block);
			pim_stage_store(to, out->data, i, k, block);
		} else if (s == PIM_STAGE_f32) {
			pim_stage_load(from, in[0].data, i, k, block);
			widen_floats(k, (const void *)block, real);
			cast_from_floats(to, out->data, i, k, real);
		} else if (s == PIM_STAGE_f64) {
			pim_stage_load(from, in[0].data, i, k, real);
			cast_from_floats(to, out->data, i, k, real);
		} else if (s == PIM_STAGE_bool) {
			pim_stage_load(from, in[0].data, i, k, block);
			widen_bools(k, (const void *)block, wide);
			cast_from_integers(from, to, out->data, i, k, wide);
		} else {
			pim_stage_load(from, in[0].data, i, k, wide);
			cast_from_integers(from, to, out->data, i, k, wide);
		}
	}
	return true;
}
