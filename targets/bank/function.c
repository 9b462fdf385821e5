/* SPDX-License-Identifier: Apache-2.0 */
/* function.c - elementary functions of lanes, made of the float routines, in f32 and in place.
 *
 * exp: x is held in [-87, 88.7]; k = round(x / ln 2) comes from adding 1.5 * 2^23, whose sum has k
 * in its low bits; r = x - k ln 2 in two parts; a Taylor polynomial of degree 6 (r^7/5040
 * < 1.3e-7); k is added to the exponent. Results below 2^-126 are zero. erf: formula 7.1.26 of
 * Abramowitz and Stegun (error below 1.5e-7). log: x = m 2^k with m in [0.71, 1.42); log m is 2
 * artanh((m - 1) / (m + 1)) by its series to the ninth power (error below 1e-9), plus k ln 2.
 * Subnormal numbers count as zero. sin, cos: x less the nearest multiple k of pi/2, taken off in
 * three parts (|x| up to 10^4 within 2e-7), then the Taylor polynomial of sine to the ninth or of
 * cosine to the eighth power (error below 3e-8) as the low bits of k say. pow: exp(b log |a|),
 * whose relative error grows with |b log a| (below 2e-7 of it), with the sign of odd whole powers.
 * tanh: (1 - e) / (1 + e) with e = exp(-2|x|), then the sign. */
#include <math.h>

#include "targets/bank/recipe.h"

/* y = (((v[0] x + v[1]) x + v[2]) ...) */
static void polynomial(pim_micro *m, int y, int x, int n, const double *v)
{
	pim_micro_set(m, y, v[0]);
	for (int i = 1; i < n; i++) {
		pim_micro_by(m, PIM_ROUTINE_mul, y, x);
		pim_micro_by_value(m, PIM_ROUTINE_add, y, v[i]);
	}
}

/* x = limit < x or x < limit ? value : x, judged by `of`. */
static void cut_off(pim_micro *m, int x, int of, int c, double limit, bool above, double value)
{
	int s = pim_micro_register(m, pim_format_bit);
	pim_micro_set(m, c, limit);
	pim_micro_call(m, PIM_ROUTINE_less, s, above ? c : of, above ? of : c, 0);
	pim_micro_set(m, c, value);
	pim_micro_call(m, PIM_ROUTINE_choose, x, s, c, x);
}

typedef struct exp_registers {
	int c, given, k, rest;
} exp_registers;

static exp_registers take_exp(pim_micro *m)
{
	exp_registers e;
	e.c = pim_micro_register(m, pim_format_f32);
	e.given = pim_micro_register(m, pim_format_f32);
	e.k = pim_micro_register(m, pim_format_f32);
	e.rest = pim_micro_register(m, pim_format_f32);
	return e;
}

static void exp_with(pim_micro *m, int x, exp_registers e)
{
	static const double taylor[] = {1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1};
	static const double magic = 12582912, high = 0.693359375, low = -2.12194440e-4;
	pim_micro_call(m, PIM_ROUTINE_copy, e.given, x, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_max, x, -87);
	pim_micro_by_value(m, PIM_ROUTINE_min, x, 88.7);
	pim_micro_call(m, PIM_ROUTINE_copy, e.k, x, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_mul, e.k, 1.44269504088896341);
	pim_micro_by_value(m, PIM_ROUTINE_add, e.k, magic);
	pim_micro_call(m, PIM_ROUTINE_copy, e.rest, e.k, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_sub, e.rest, magic);
	/* x -= k * high; x -= k * low */
	pim_micro_set(m, e.c, high);
	pim_micro_by(m, PIM_ROUTINE_mul, e.c, e.rest);
	pim_micro_by(m, PIM_ROUTINE_sub, x, e.c);
	pim_micro_set(m, e.c, low);
	pim_micro_by(m, PIM_ROUTINE_mul, e.c, e.rest);
	pim_micro_by(m, PIM_ROUTINE_sub, x, e.c);
	polynomial(m, e.rest, x, 7, taylor);
	pim_micro_call(m, PIM_ROUTINE_scale, x, e.rest, e.k, 0);
	cut_off(m, x, e.given, e.c, -87, false, 0);
	cut_off(m, x, e.given, e.c, 88.7, true, (double)INFINITY);
}

void pim_micro_exp(pim_micro *m, int x)
{
	exp_with(m, x, take_exp(m));
}

/* x gets the sign of `of`: minus x where of < 0. */
static void give_sign(pim_micro *m, int x, int of, int c)
{
	int s = pim_micro_register(m, pim_format_bit);
	pim_micro_set(m, c, 0);
	pim_micro_call(m, PIM_ROUTINE_less, s, of, c, 0);
	pim_micro_call(m, PIM_ROUTINE_neg, c, x, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_choose, x, s, c, x);
}

/* value / (value + x), all of it in place. */
static void fraction_of(pim_micro *m, int x, int c, double top)
{
	pim_micro_by_value(m, PIM_ROUTINE_add, x, 1);
	pim_micro_set(m, c, top);
	pim_micro_call(m, PIM_ROUTINE_div, x, c, x, 0);
}

void pim_micro_sigmoid(pim_micro *m, int x)
{
	exp_registers e = take_exp(m);
	pim_micro_call(m, PIM_ROUTINE_neg, x, x, 0, 0);
	exp_with(m, x, e);
	fraction_of(m, x, e.c, 1);
}

void pim_micro_tanh(pim_micro *m, int x)
{
	exp_registers e = take_exp(m);
	int given = pim_micro_register(m, pim_format_f32);
	pim_micro_call(m, PIM_ROUTINE_copy, given, x, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_abs, x, x, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_mul, x, -2);
	exp_with(m, x, e);
	pim_micro_call(m, PIM_ROUTINE_copy, e.rest, x, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_add, e.rest, 1);
	pim_micro_set(m, e.c, 1);
	pim_micro_call(m, PIM_ROUTINE_sub, x, e.c, x, 0);
	pim_micro_by(m, PIM_ROUTINE_div, x, e.rest);
	give_sign(m, x, given, e.c);
}

void pim_micro_erf(pim_micro *m, int x)
{
	static const double series[] = {
		1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592};
	exp_registers e = take_exp(m);
	int given = pim_micro_register(m, pim_format_f32), t = pim_micro_register(m, pim_format_f32);
	int sum = pim_micro_register(m, pim_format_f32);
	pim_micro_call(m, PIM_ROUTINE_copy, given, x, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_abs, t, x, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_mul, t, 0.3275911);
	fraction_of(m, t, e.c, 1);
	polynomial(m, sum, t, 5, series);
	pim_micro_by(m, PIM_ROUTINE_mul, sum, t);
	pim_micro_by(m, PIM_ROUTINE_mul, x, x);
	pim_micro_call(m, PIM_ROUTINE_neg, x, x, 0, 0);
	exp_with(m, x, e);
	pim_micro_by(m, PIM_ROUTINE_mul, sum, x);
	pim_micro_set(m, e.c, 1);
	pim_micro_call(m, PIM_ROUTINE_sub, x, e.c, sum, 0);
	give_sign(m, x, given, e.c);
}

/* The series of artanh, of x / (x + 2), twice; y gets it. */
static void log_near_one(pim_micro *m, int x, int y)
{
	static const double series[] = {2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2};
	int square = pim_micro_register(m, pim_format_f32);
	pim_micro_call(m, PIM_ROUTINE_copy, square, x, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_add, square, 2);
	pim_micro_by(m, PIM_ROUTINE_div, x, square);
	pim_micro_call(m, PIM_ROUTINE_mul, square, x, x, 0);
	polynomial(m, y, square, 5, series);
	pim_micro_by(m, PIM_ROUTINE_mul, y, x);
}

void pim_micro_log(pim_micro *m, int x)
{
	static const pim_format byte = {8, 0, false};
	int c = pim_micro_register(m, pim_format_f32), given = pim_micro_register(m, pim_format_f32);
	int k = pim_micro_register(m, pim_format_f32), y = pim_micro_register(m, pim_format_f32);
	int field = pim_micro_register(m, byte), s = pim_micro_register(m, pim_format_bit);
	pim_micro_call(m, PIM_ROUTINE_copy, given, x, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_exponent, field, x, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_significand, x, x, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_convert, k, field, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_sub, k, 127);
	pim_micro_set(m, c, 1.41421356);
	pim_micro_call(m, PIM_ROUTINE_less, s, c, x, 0);
	pim_micro_call(m, PIM_ROUTINE_copy, y, x, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_mul, y, 0.5);
	pim_micro_call(m, PIM_ROUTINE_choose, x, s, y, x);
	pim_micro_call(m, PIM_ROUTINE_copy, y, k, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_add, y, 1);
	pim_micro_call(m, PIM_ROUTINE_choose, k, s, y, k);
	pim_micro_by_value(m, PIM_ROUTINE_sub, x, 1);
	log_near_one(m, x, y);
	pim_micro_by_value(m, PIM_ROUTINE_mul, k, 0.69314718055994531);
	pim_micro_call(m, PIM_ROUTINE_add, x, k, y, 0);
	/* NaN stays, what is infinite or not above zero is set apart */
	pim_micro_call(m, PIM_ROUTINE_sub, y, given, given, 0);
	pim_micro_by(m, PIM_ROUTINE_add, x, y);
	cut_off(m, x, given, c, 3.4028234663852886e38, true, (double)INFINITY);
	cut_off(m, x, given, c, 1.1754943508222875e-38, false, -(double)INFINITY);
	cut_off(m, x, given, c, 0, false, (double)NAN);
}

/* ---- sine and cosine ---- */

/* x becomes sine of x + quarter * pi/2. */
static void sine_from(pim_micro *m, int x, double quarter)
{
	static const double sine[] = {1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6, 1};
	static const double cosine[] = {1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5, 1};
	static const double part[] = {1.5703125, 4.8351287841796875e-4, 3.138549e-7};
	static const pim_format byte = {8, 0, false};
	int k = pim_micro_register(m, pim_format_f32), y = pim_micro_register(m, pim_format_f32);
	int square = pim_micro_register(m, pim_format_f32), q = pim_micro_register(m, byte);
	pim_micro_call(m, PIM_ROUTINE_copy, k, x, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_mul, k, M_2_PI);
	pim_micro_by_value(m, PIM_ROUTINE_add, k, 12582912);
	pim_micro_call(m, PIM_ROUTINE_low_bits, q, k, 0, 0);
	pim_micro_by_value(m, PIM_ROUTINE_sub, k, 12582912);
	pim_micro_by_value(m, PIM_ROUTINE_add, q, quarter);
	for (int i = 0; i < 3; i++) {
		pim_micro_set(m, y, part[i]);
		pim_micro_by(m, PIM_ROUTINE_mul, y, k);
		pim_micro_by(m, PIM_ROUTINE_sub, x, y);
	}
	pim_micro_call(m, PIM_ROUTINE_mul, square, x, x, 0);
	polynomial(m, y, square, 5, sine);
	pim_micro_by(m, PIM_ROUTINE_mul, y, x);
	polynomial(m, x, square, 5, cosine);
	pim_micro_call(m, PIM_ROUTINE_choose, x, q, x, y);
	pim_micro_by_value(m, PIM_ROUTINE_shift_right, q, 1);
	pim_micro_call(m, PIM_ROUTINE_neg, y, x, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_choose, x, q, y, x);
}

void pim_micro_sin(pim_micro *m, int x)
{
	sine_from(m, x, 0);
}

void pim_micro_cos(pim_micro *m, int x)
{
	sine_from(m, x, 1);
}

/* ---- powers ---- */

/* x rounded to a whole number, in place; halves to even, within 2^22. */
static void round_near(pim_micro *m, int x)
{
	pim_micro_by_value(m, PIM_ROUTINE_add, x, 12582912);
	pim_micro_by_value(m, PIM_ROUTINE_sub, x, 12582912);
}

/* s = is x a whole number? x is overwritten. */
static int is_whole(pim_micro *m, int x)
{
	int given = pim_micro_make(m, PIM_ROUTINE_copy, pim_format_f32, x, 0);
	round_near(m, x);
	return pim_micro_make_bit(m, PIM_ROUTINE_equal, x, given);
}

void pim_micro_pow(pim_micro *m, int x, int b)
{
	int c = pim_micro_value(m, pim_format_f32, 0);
	int negative = pim_micro_make_bit(m, PIM_ROUTINE_less, x, c);
	int nothing = pim_micro_make_bit(m, PIM_ROUTINE_equal, b, c);
	pim_micro_call(m, PIM_ROUTINE_abs, x, x, 0, 0);
	pim_micro_log(m, x);
	pim_micro_by(m, PIM_ROUTINE_mul, x, b);
	pim_micro_exp(m, x);
	int half = pim_micro_make(m, PIM_ROUTINE_copy, pim_format_f32, b, 0);
	pim_micro_by_value(m, PIM_ROUTINE_mul, half, 0.5);
	int whole = is_whole(m, b), even = is_whole(m, half);
	pim_micro_call(m, PIM_ROUTINE_neg, c, x, 0, 0);
	pim_micro_call(m, PIM_ROUTINE_choose, c, even, x, c);
	pim_micro_set(m, half, (double)NAN);
	pim_micro_call(m, PIM_ROUTINE_choose, c, whole, c, half);
	pim_micro_call(m, PIM_ROUTINE_choose, x, negative, c, x);
	pim_micro_set(m, c, 1);
	pim_micro_call(m, PIM_ROUTINE_choose, x, nothing, c, x);
}
