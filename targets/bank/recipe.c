/* SPDX-License-Identifier: Apache-2.0 */
/* recipe.c - the micro-program of each op.
 *
 * A product gathers its two operands for each round, multiplies and adds; reductions and windows
 * likewise with one operand; what groups have is joined by turns. Element work is one routine or a
 * few. Floats are worked on in their own format, but for functions and normalisations, which go
 * through f32. An op without a recipe is refused by the lowering. */
#include <math.h>
#include <string.h>

#include "targets/bank/bank.h"

static const pim_format f32 = {32, 8, true}, bit = {1, 0, false};

static pim_format format_of(pim_micro *m, const pim_type *t)
{
	pim_format f = {8, 0, false};
	if (!pim_format_of(t->dtype, &f))
		m->refused = true;
	return f;
}

static bool has_input(const pim_micro *m, uint32_t i)
{
	return i < m->op->n_in && m->op->in[i];
}

static int new_operand(pim_micro *m, int i)
{
	return pim_micro_register(m, format_of(m, m->op->in[i]->type));
}

static int gather(pim_micro *m, int i)
{
	int reg = new_operand(m, i);
	pim_micro_gather(m, reg, i, 0);
	return reg;
}

static int new_value(pim_micro *m, pim_format f, double value)
{
	int reg = pim_micro_register(m, f);
	pim_micro_set(m, reg, value);
	return reg;
}

static void start_rounds(pim_micro *m)
{
	pim_micro_add(m, PIM_STEP_repeat, 0, 0, 0);
}

static void end_rounds(pim_micro *m)
{
	pim_micro_add(m, PIM_STEP_end, 0, 0, 0);
}

static bool same_format(pim_format a, pim_format b)
{
	return a.bits == b.bits && a.exponent == b.exponent && a.sign == b.sign;
}

/* The register in another format; itself when it has it. */
static int convert(pim_micro *m, int reg, pim_format f)
{
	if (same_format(m->format[reg], f))
		return reg;
	int to = pim_micro_register(m, f);
	pim_micro_call(m, PIM_ROUTINE_convert, to, reg, 0, 0);
	return to;
}

/* The register into the result, or added to what is there. */
static void scatter(pim_micro *m, int reg)
{
	reg = convert(m, reg, format_of(m, m->op->type));
	if (m->adds) {
		int there = pim_micro_register(m, m->format[reg]);
		pim_micro_gather(m, there, (int)m->op->n_in, 0);
		pim_micro_call(m, PIM_ROUTINE_add, reg, there, reg, 0);
	}
	pim_micro_add(m, PIM_STEP_scatter, reg, reg, 0);
}

static int call(pim_micro *m, pim_routine routine, pim_format f, int a, int b)
{
	int to = pim_micro_register(m, f);
	pim_micro_call(m, routine, to, a, b, 0);
	return to;
}

static void by(pim_micro *m, pim_routine routine, int reg, int other)
{
	pim_micro_call(m, routine, reg, reg, other, 0);
}

static void by_value(pim_micro *m, pim_routine routine, int reg, double value)
{
	by(m, routine, reg, new_value(m, m->format[reg], value));
}

/* ---- products ---- */

static void write_product(pim_micro *m)
{
	int a = new_operand(m, 0), b = new_operand(m, 1);
	pim_format f = m->format[a];
	int sum = new_value(m, f, 0), product = pim_micro_register(m, f);
	start_rounds(m);
	pim_micro_gather(m, a, 0, 0);
	pim_micro_gather(m, b, 1, 0);
	pim_micro_call(m, PIM_ROUTINE_mul, product, a, b, 0);
	by(m, PIM_ROUTINE_add, sum, product);
	end_rounds(m);
	pim_micro_join(m, PIM_ROUTINE_add, sum);
	if (has_input(m, 2))
		by(m, PIM_ROUTINE_add, sum, gather(m, 2));
	scatter(m, sum);
}

/* An element less its zero point, with one bit more. */
static void gather_centred(pim_micro *m, int to, int raw, int operand, double zero)
{
	pim_micro_gather(m, raw, operand, zero);
	int by_zero = new_value(m, m->format[raw], zero);
	pim_micro_call(m, PIM_ROUTINE_sub, to, raw, by_zero, 0);
}

static void write_integer_product(pim_micro *m)
{
	bool conv = m->op->op == PIM_OP_conv_integer;
	double zero_a = (double)pim_node_int(m->op, conv ? "x_zero" : "a_zero");
	double zero_b = (double)pim_node_int(m->op, conv ? "w_zero" : "b_zero");
	int raw_a = new_operand(m, 0), raw_b = new_operand(m, 1);
	bool small = m->format[raw_a].bits == 8 && m->format[raw_b].bits == 8;
	pim_format centred = {small ? 9 : 17, 0, true}, wide = {small ? 18 : 32, 0, true};
	int a = pim_micro_register(m, centred), b = pim_micro_register(m, centred);
	int product = pim_micro_register(m, wide), sum = new_value(m, format_of(m, m->op->type), 0);
	start_rounds(m);
	gather_centred(m, a, raw_a, 0, zero_a);
	gather_centred(m, b, raw_b, 1, zero_b);
	pim_micro_call(m, PIM_ROUTINE_mul, product, a, b, 0);
	by(m, PIM_ROUTINE_add, sum, convert(m, product, m->format[sum]));
	end_rounds(m);
	pim_micro_join(m, PIM_ROUTINE_add, sum);
	scatter(m, sum);
}

/* ---- reductions and windows ---- */

static double least_of(pim_format f)
{
	if (f.exponent)
		return -(double)INFINITY;
	return f.sign ? -ldexp(1, f.bits - 1) : 0;
}

static double most_of(pim_format f)
{
	if (f.exponent)
		return (double)INFINITY;
	return ldexp(1, f.sign ? f.bits - 1 : f.bits) - 1;
}

static int reduce(pim_micro *m, pim_routine routine, double neutral)
{
	int x = new_operand(m, 0), sum = new_value(m, m->format[x], neutral);
	start_rounds(m);
	pim_micro_gather(m, x, 0, neutral);
	by(m, routine, sum, x);
	end_rounds(m);
	pim_micro_join(m, routine, sum);
	return sum;
}

static void write_sum(pim_micro *m)
{
	scatter(m, reduce(m, PIM_ROUTINE_add, 0));
}

static void write_mean(pim_micro *m)
{
	int sum = reduce(m, PIM_ROUTINE_add, 0);
	by_value(m, PIM_ROUTINE_div, sum, (double)m->points);
	scatter(m, sum);
}

static void write_product_of_all(pim_micro *m)
{
	scatter(m, reduce(m, PIM_ROUTINE_mul, 1));
}

static void write_largest(pim_micro *m)
{
	scatter(m, reduce(m, PIM_ROUTINE_max, least_of(format_of(m, m->op->type))));
}

static void write_smallest(pim_micro *m)
{
	scatter(m, reduce(m, PIM_ROUTINE_min, most_of(format_of(m, m->op->type))));
}

static void write_average(pim_micro *m)
{
	int sum = reduce(m, PIM_ROUTINE_add, 0), count = pim_micro_register(m, m->format[sum]);
	pim_micro_add(m, PIM_STEP_known, count, count, PIM_KNOWN_count);
	by(m, PIM_ROUTINE_div, sum, count);
	scatter(m, sum);
}

/* ---- normalisations: in f32, the result is gathered again where it holds what is between ---- */

/* The element of the round, in f32; padding of a ragged last round is `fill`. */
static int gather_wide(pim_micro *m, int raw, int operand, double fill)
{
	pim_micro_gather(m, raw, operand, fill);
	return convert(m, raw, f32);
}

static void write_softmax(pim_micro *m)
{
	int raw = new_operand(m, 0), most = new_value(m, f32, -(double)INFINITY);
	start_rounds(m);
	by(m, PIM_ROUTINE_max, most, gather_wide(m, raw, 0, -(double)INFINITY));
	end_rounds(m);
	pim_micro_join(m, PIM_ROUTINE_max, most);
	int sum = new_value(m, f32, 0), x = pim_micro_register(m, f32);
	start_rounds(m);
	pim_micro_call(m, PIM_ROUTINE_sub, x, gather_wide(m, raw, 0, -(double)INFINITY), most, 0);
	pim_micro_exp(m, x);
	by(m, PIM_ROUTINE_add, sum, x);
	scatter(m, x);
	end_rounds(m);
	pim_micro_join(m, PIM_ROUTINE_add, sum);
	start_rounds(m);
	x = gather_wide(m, raw, (int)m->op->n_in, 0);
	scatter(m, call(m, PIM_ROUTINE_div, f32, x, sum));
	end_rounds(m);
}

static void write_log_softmax(pim_micro *m)
{
	int raw = new_operand(m, 0), most = new_value(m, f32, -(double)INFINITY);
	start_rounds(m);
	by(m, PIM_ROUTINE_max, most, gather_wide(m, raw, 0, -(double)INFINITY));
	end_rounds(m);
	pim_micro_join(m, PIM_ROUTINE_max, most);
	int sum = new_value(m, f32, 0), x = pim_micro_register(m, f32);
	start_rounds(m);
	pim_micro_call(m, PIM_ROUTINE_sub, x, gather_wide(m, raw, 0, -(double)INFINITY), most, 0);
	pim_micro_exp(m, x);
	by(m, PIM_ROUTINE_add, sum, x);
	end_rounds(m);
	pim_micro_join(m, PIM_ROUTINE_add, sum);
	pim_micro_log(m, sum);
	start_rounds(m);
	pim_micro_call(m, PIM_ROUTINE_sub, x, gather_wide(m, raw, 0, 0), most, 0);
	by(m, PIM_ROUTINE_sub, x, sum);
	scatter(m, x);
	end_rounds(m);
}

/* The difference to the mean; none where there is no element. */
static int gather_difference(pim_micro *m, int raw, int mean)
{
	return call(m, PIM_ROUTINE_sub, f32, gather_wide(m, raw, 0, 0), mean);
}

/* Lanes of a ragged last round have no element: they add no square. */
static void mask_square(pim_micro *m, int square)
{
	int here = pim_micro_register(m, f32);
	pim_micro_add(m, PIM_STEP_known, here, here, PIM_KNOWN_here);
	by(m, PIM_ROUTINE_mul, square, here);
}

static void write_layer_norm(pim_micro *m)
{
	int raw = new_operand(m, 0), mean = new_value(m, f32, 0), square = new_value(m, f32, 0);
	start_rounds(m);
	by(m, PIM_ROUTINE_add, mean, gather_wide(m, raw, 0, 0));
	end_rounds(m);
	pim_micro_join(m, PIM_ROUTINE_add, mean);
	by_value(m, PIM_ROUTINE_div, mean, (double)m->points);
	start_rounds(m);
	int x = gather_difference(m, raw, mean);
	by(m, PIM_ROUTINE_mul, x, x);
	if (m->points % m->groups)
		mask_square(m, x);
	by(m, PIM_ROUTINE_add, square, x);
	end_rounds(m);
	pim_micro_join(m, PIM_ROUTINE_add, square);
	by_value(m, PIM_ROUTINE_div, square, (double)m->points);
	by_value(m, PIM_ROUTINE_add, square, pim_node_float(m->op, "epsilon"));
	pim_micro_call(m, PIM_ROUTINE_sqrt, square, square, 0, 0);
	start_rounds(m);
	int y = gather_difference(m, raw, mean), other = new_operand(m, 1);
	by(m, PIM_ROUTINE_div, y, square);
	by(m, PIM_ROUTINE_mul, y, gather_wide(m, other, 1, 0));
	if (has_input(m, 2))
		by(m, PIM_ROUTINE_add, y, gather_wide(m, other, 2, 0));
	scatter(m, y);
	end_rounds(m);
}

static void write_batch_norm(pim_micro *m)
{
	int x = convert(m, gather(m, 0), f32), mean = convert(m, gather(m, 3), f32);
	by(m, PIM_ROUTINE_sub, x, mean);
	int spread = convert(m, gather(m, 4), f32);
	by_value(m, PIM_ROUTINE_add, spread, pim_node_float(m->op, "epsilon"));
	pim_micro_call(m, PIM_ROUTINE_sqrt, spread, spread, 0, 0);
	by(m, PIM_ROUTINE_div, x, spread);
	by(m, PIM_ROUTINE_mul, x, convert(m, gather(m, 1), f32));
	by(m, PIM_ROUTINE_add, x, convert(m, gather(m, 2), f32));
	scatter(m, x);
}

/* ---- one input, element by element ---- */

static void write_copy(pim_micro *m)
{
	scatter(m, gather(m, 0));
}

/* The integer next to x, halves to even: |x| + 2^fraction has no other bits; larger ones are
 * integers. */
static int round_lanes(pim_micro *m, int x)
{
	pim_format f = m->format[x];
	double limit = f.exponent ? ldexp(1, pim_format_fraction(f)) : 0;
	int size = call(m, PIM_ROUTINE_abs, f, x, 0), far = new_value(m, f, limit);
	int near = call(m, PIM_ROUTINE_less, bit, size, far),
		y = call(m, PIM_ROUTINE_add, f, size, far);
	by(m, PIM_ROUTINE_sub, y, far);
	pim_micro_set(m, far, 0);
	int below = call(m, PIM_ROUTINE_less, bit, x, far);
	pim_micro_call(m, PIM_ROUTINE_neg, far, y, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_choose, y, below, far, y);
	pim_micro_call(m, PIM_ROUTINE_choose, y, near, y, x);
	m->refused = m->refused || !f.exponent;
	return y;
}

static void write_round(pim_micro *m)
{
	scatter(m, round_lanes(m, gather(m, 0)));
}

/* y, or y + step where y lies on the wrong side of x. */
static int step_if(pim_micro *m, int x, int y, double step)
{
	int wrong = call(m, PIM_ROUTINE_less, bit, step < 0 ? x : y, step < 0 ? y : x);
	int other = call(m, PIM_ROUTINE_add, m->format[x], y, new_value(m, m->format[x], step));
	pim_micro_call(m, PIM_ROUTINE_choose, y, wrong, other, y);
	return y;
}

static void write_floor(pim_micro *m)
{
	int x = gather(m, 0);
	scatter(m, step_if(m, x, round_lanes(m, x), -1));
}

static void write_ceil(pim_micro *m)
{
	int x = gather(m, 0);
	scatter(m, step_if(m, x, round_lanes(m, x), 1));
}

static void write_sign(pim_micro *m)
{
	int x = gather(m, 0), zero = new_value(m, m->format[x], 0);
	int below = call(m, PIM_ROUTINE_less, bit, x, zero);
	int above = call(m, PIM_ROUTINE_less, bit, zero, x);
	int one = new_value(m, m->format[x], 1);
	pim_micro_call(m, PIM_ROUTINE_choose, x, above, one, x);
	pim_micro_call(m, PIM_ROUTINE_neg, one, one, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_choose, x, below, one, x);
	scatter(m, x);
}

static void scatter_unlike_zero(pim_micro *m, int x)
{
	int zero = new_value(m, m->format[x], 0), same = call(m, PIM_ROUTINE_equal, bit, x, zero);
	pim_micro_call(m, PIM_ROUTINE_not, same, same, 0, 0);
	scatter(m, same);
}

/* Towards zero; then 1.5 * 2^fraction added brings the integer into the low bits. */
static void scatter_whole(pim_micro *m, int x, pim_format to)
{
	pim_format f = m->format[x];
	m->refused = m->refused || to.bits + 2 > pim_format_fraction(f);
	int size = call(m, PIM_ROUTINE_abs, f, x, 0);
	int whole = step_if(m, size, round_lanes(m, size), -1);
	int below = call(m, PIM_ROUTINE_less, bit, x, new_value(m, f, 0));
	pim_micro_call(m, PIM_ROUTINE_neg, size, whole, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_choose, whole, below, size, whole);
	by_value(m, PIM_ROUTINE_add, whole, ldexp(1.5, pim_format_fraction(f)));
	scatter(m, call(m, PIM_ROUTINE_low_bits, to, whole, 0));
}

static void write_cast(pim_micro *m)
{
	int x = gather(m, 0);
	pim_format to = format_of(m, m->op->type);
	if (m->op->type->dtype == PIM_DTYPE_bool)
		scatter_unlike_zero(m, x);
	else if (m->format[x].exponent && !to.exponent)
		scatter_whole(m, x, to);
	else
		scatter(m, x);
}

static void write_one(pim_micro *m, pim_routine routine)
{
	int x = gather(m, 0);
	scatter(m, call(m, routine, m->format[x], x, 0));
}

static void write_not(pim_micro *m)
{
	int x = gather(m, 0);
	by_value(m, PIM_ROUTINE_xor, x, 1);
	scatter(m, x);
}

static void write_relu(pim_micro *m)
{
	int x = gather(m, 0);
	by_value(m, PIM_ROUTINE_max, x, 0);
	scatter(m, x);
}

static void write_clip(pim_micro *m)
{
	int x = gather(m, 0);
	double least = pim_node_float(m->op, "min"), most = pim_node_float(m->op, "max");
	if (isfinite(least))
		by_value(m, PIM_ROUTINE_max, x, fmax(least, least_of(m->format[x])));
	if (isfinite(most))
		by_value(m, PIM_ROUTINE_min, x, fmin(most, most_of(m->format[x])));
	scatter(m, x);
}

static void write_leaky_relu(pim_micro *m)
{
	int x = gather(m, 0), zero = new_value(m, m->format[x], 0);
	int below = call(m, PIM_ROUTINE_less, bit, x, zero);
	int slope = new_value(m, m->format[x], pim_node_float(m->op, "alpha"));
	by(m, PIM_ROUTINE_mul, slope, x);
	pim_micro_call(m, PIM_ROUTINE_choose, x, below, slope, x);
	scatter(m, x);
}

/* x * factor + offset, held in 0..1 */
static int hard_sigmoid(pim_micro *m, int x, double factor, double offset)
{
	int y = call(m, PIM_ROUTINE_mul, m->format[x], x, new_value(m, m->format[x], factor));
	by_value(m, PIM_ROUTINE_add, y, offset);
	by_value(m, PIM_ROUTINE_max, y, 0);
	by_value(m, PIM_ROUTINE_min, y, 1);
	return y;
}

static void write_hard_sigmoid(pim_micro *m)
{
	int x = gather(m, 0);
	scatter(m, hard_sigmoid(m, x, pim_node_float(m->op, "alpha"), pim_node_float(m->op, "beta")));
}

static void write_hard_swish(pim_micro *m)
{
	int x = gather(m, 0), y = hard_sigmoid(m, x, 1.0 / 6, 0.5);
	by(m, PIM_ROUTINE_mul, x, y);
	scatter(m, x);
}

static void write_reciprocal(pim_micro *m)
{
	int x = gather(m, 0), one = new_value(m, m->format[x], 1);
	by(m, PIM_ROUTINE_div, one, x);
	scatter(m, one);
}

static int gather_f32(pim_micro *m)
{
	int x = gather(m, 0);
	if (!m->format[x].exponent)
		m->refused = true;
	return convert(m, x, f32);
}

static void write_exp(pim_micro *m)
{
	int x = gather_f32(m);
	pim_micro_exp(m, x);
	scatter(m, x);
}

static void write_log(pim_micro *m)
{
	int x = gather_f32(m);
	pim_micro_log(m, x);
	scatter(m, x);
}

/* max(x, 0) + log(1 + exp(-|x|)) */
static void write_softplus(pim_micro *m)
{
	int x = gather_f32(m), y = call(m, PIM_ROUTINE_abs, f32, x, 0);
	pim_micro_call(m, PIM_ROUTINE_neg, y, y, 0, 0);
	pim_micro_exp(m, y);
	by_value(m, PIM_ROUTINE_add, y, 1);
	pim_micro_log(m, y);
	by_value(m, PIM_ROUTINE_max, x, 0);
	by(m, PIM_ROUTINE_add, x, y);
	scatter(m, x);
}

static void write_elu(pim_micro *m)
{
	int x = gather_f32(m), y = call(m, PIM_ROUTINE_copy, f32, x, 0);
	int below = call(m, PIM_ROUTINE_less, bit, x, new_value(m, f32, 0));
	pim_micro_exp(m, y);
	by_value(m, PIM_ROUTINE_sub, y, 1);
	by_value(m, PIM_ROUTINE_mul, y, pim_node_float(m->op, "alpha"));
	pim_micro_call(m, PIM_ROUTINE_choose, x, below, y, x);
	scatter(m, x);
}

static void write_sigmoid(pim_micro *m)
{
	int x = gather_f32(m);
	pim_micro_sigmoid(m, x);
	scatter(m, x);
}

static void write_tanh(pim_micro *m)
{
	int x = gather_f32(m);
	pim_micro_tanh(m, x);
	scatter(m, x);
}

static void write_erf(pim_micro *m)
{
	int x = gather_f32(m);
	pim_micro_erf(m, x);
	scatter(m, x);
}

static void write_silu(pim_micro *m)
{
	int x = gather_f32(m), y = call(m, PIM_ROUTINE_copy, f32, x, 0);
	pim_micro_sigmoid(m, y);
	by(m, PIM_ROUTINE_mul, x, y);
	scatter(m, x);
}

/* What tanh is taken of: sqrt(2/pi) (x + 0.044715 x^3). */
static void gelu_argument(pim_micro *m, int y, int x)
{
	by(m, PIM_ROUTINE_mul, y, y);
	by_value(m, PIM_ROUTINE_mul, y, 0.044715);
	by_value(m, PIM_ROUTINE_add, y, 1);
	by(m, PIM_ROUTINE_mul, y, x);
	by_value(m, PIM_ROUTINE_mul, y, 0.79788456080286536);
}

static void write_gelu(pim_micro *m)
{
	bool by_tanh = !strcmp(pim_node_string(m->op, "approximate"), "tanh");
	int x = gather_f32(m), y = call(m, PIM_ROUTINE_copy, f32, x, 0);
	if (by_tanh) {
		gelu_argument(m, y, x);
		pim_micro_tanh(m, y);
	} else {
		by_value(m, PIM_ROUTINE_mul, y, 0.70710678118654752);
		pim_micro_erf(m, y);
	}
	by_value(m, PIM_ROUTINE_add, y, 1);
	by_value(m, PIM_ROUTINE_mul, x, 0.5);
	by(m, PIM_ROUTINE_mul, x, y);
	scatter(m, x);
}

/* ---- two inputs, element by element ---- */

static void write_two(pim_micro *m, pim_routine routine)
{
	int a = gather(m, 0), b = gather(m, 1);
	scatter(m, call(m, routine, m->format[a], a, b));
}

/* swap: b against a; complement: where it does not hold; or_equal: or they are equal. */
typedef enum comparison { LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL } comparison;

static void write_comparison(pim_micro *m, comparison c)
{
	int a = gather(m, 0), b = gather(m, 1);
	bool swap = c == GREATER || c == GREATER_EQUAL;
	int holds = c == EQUAL ? call(m, PIM_ROUTINE_equal, bit, a, b)
						   : call(m, PIM_ROUTINE_less, bit, swap ? b : a, swap ? a : b);
	if (c == LESS_EQUAL || c == GREATER_EQUAL)
		by(m, PIM_ROUTINE_or, holds, call(m, PIM_ROUTINE_equal, bit, a, b));
	scatter(m, holds);
}

#define ONE(name, routine)                                                                         \
	static void write_##name(pim_micro *m)                                                         \
	{                                                                                              \
		write_one(m, PIM_ROUTINE_##routine);                                                       \
	}
#define TWO(name, routine)                                                                         \
	static void write_##name(pim_micro *m)                                                         \
	{                                                                                              \
		write_two(m, PIM_ROUTINE_##routine);                                                       \
	}
#define COMPARE(name, how)                                                                         \
	static void write_##name(pim_micro *m)                                                         \
	{                                                                                              \
		write_comparison(m, how);                                                                  \
	}
#include "targets/bank/recipes.def"

static void write_where(pim_micro *m)
{
	int s = gather(m, 0), a = gather(m, 1), b = gather(m, 2);
	pim_micro_call(m, PIM_ROUTINE_choose, a, s, a, b);
	scatter(m, a);
}

/* ---- quantised numbers ---- */

static void write_dequantize(pim_micro *m)
{
	int x = gather(m, 0), scale = gather(m, 1);
	pim_format f = m->format[scale];
	x = convert(m, x, f);
	if (has_input(m, 2))
		by(m, PIM_ROUTINE_sub, x, convert(m, gather(m, 2), f));
	by(m, PIM_ROUTINE_mul, x, scale);
	scatter(m, x);
}

/* Rounding by adding 1.5 * 2^fraction: the sum's low bits are the integer. */
static void write_quantize(pim_micro *m)
{
	int x = gather(m, 0), scale = gather(m, 1);
	pim_format f = m->format[x], to = format_of(m, m->op->type);
	double magic = ldexp(1.5, pim_format_fraction(f)), far = ldexp(1, to.bits + 1) - 1;
	if (!f.exponent || to.bits + 2 > pim_format_fraction(f)) {
		m->refused = true;
		return;
	}
	by(m, PIM_ROUTINE_div, x, scale);
	by_value(m, PIM_ROUTINE_max, x, -far);
	by_value(m, PIM_ROUTINE_min, x, far);
	by_value(m, PIM_ROUTINE_add, x, magic);
	by_value(m, PIM_ROUTINE_sub, x, magic);
	if (has_input(m, 2))
		by(m, PIM_ROUTINE_add, x, convert(m, gather(m, 2), f));
	by_value(m, PIM_ROUTINE_max, x, least_of(to));
	by_value(m, PIM_ROUTINE_min, x, most_of(to));
	by_value(m, PIM_ROUTINE_add, x, magic);
	scatter(m, call(m, PIM_ROUTINE_low_bits, to, x, 0));
}

/* ---- the table ---- */

typedef void recipe(pim_micro *m);

static recipe *find_recipe(int op)
{
	switch (op) {
#define RECIPE(name, how)                                                                          \
	case PIM_OP_##name:                                                                            \
		return write_##how;
#include "targets/bank/recipes.def"
	default:
		return NULL;
	}
}

void pim_micro_recipe(pim_micro *m)
{
	recipe *write = find_recipe((int)m->op->op);
	if (write)
		write(m);
	m->refused = m->refused || !write;
}
