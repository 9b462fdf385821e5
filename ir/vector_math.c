/* SPDX-License-Identifier: Apache-2.0 */
/* vector_math - exp, erf, tanh and the sigmoid of many float32, without branches, so that the
 * compiler makes vectors of them.
 *
 * exp: x = n ln 2 + r, a polynomial of r and the exponent n. erf: an odd polynomial below 1, and 1
 * - exp(-q(x)) above, q a polynomial for -log(1 - erf(x)). Polynomials: weighted least squares,
 * moved towards the least largest error (Lawson's iteration). Errors are below 2 units in the last
 * place (tests/unit/vector_math.c holds them to the C library). Source: ours. */
#include "ir/op_rules.h"
#include "ir/wide.h"

#include <math.h>
#include <string.h>

static inline float from_bits(uint32_t v)
{
	float f;
	memcpy(&f, &v, sizeof f);
	return f;
}

static inline uint32_t to_bits(float f)
{
	uint32_t v;
	memcpy(&v, &f, sizeof v);
	return v;
}

static inline float with_sign_of(float sign, float x)
{
	return from_bits((to_bits(x) & 0x7fffffff) | (to_bits(sign) & 0x80000000));
}

/* 2^n, n in -126..127 */
static inline float power_of_two(int32_t n)
{
	return from_bits((uint32_t)(n + 127) << 23);
}

/* Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits. */
static inline float exp_float(float x)
{
	const float round = 12582912, log2_e = 1.44269504F, ln2_high = 0.693359375F,
				ln2_low = -2.12194440e-4F;
	float c = x > 89 ? 89 : x < -104 ? -104 : x, t = c * log2_e + round, n = t - round;
	float r = c - n * ln2_high - n * ln2_low;
	float p = 1.3836834e-3F;
	p = p * r + 8.3748223e-3F;
	p = p * r + 4.16682251e-2F;
	p = p * r + 1.66664198e-1F;
	p = p * r + 4.99999911e-1F;
	p = p * r * r + r + 1;
	int32_t i = (int32_t)(to_bits(t) - to_bits(round)), half = i / 2;
	half = half > 64 ? 64 : half < -75 ? -75 : half;
	i = i - half > 64 ? 64 : i - half < -75 ? -75 : i - half;
	return p * power_of_two(half) * power_of_two(i);
}

static inline float erf_float(float x)
{
	float a = fabsf(x), s = x * x, t = a > 4 ? 4 : a;
	float low = 7.8538576e-5F, high = -2.51326611e-7F;
	low = low * s - 8.01019254e-4F;
	low = low * s + 5.18832775e-3F;
	low = low * s - 2.6853811e-2F;
	low = low * s + 1.12835854e-1F;
	low = low * s - 3.7612626e-1F;
	low = low * s + 1.28379107e-1F;
	low = x + x * low;
	high = high * t + 2.53148082e-5F;
	high = high * t - 4.63788019e-4F;
	high = high * t + 4.28238278e-3F;
	high = high * t - 2.53735557e-2F;
	high = high * t + 1.08638994e-1F;
	high = high * t + 6.33039594e-1F;
	high = high * t + 1.1296612F;
	high = 1 - exp_float(2.0435988e-4F - high * t);
	return a < 1 ? low : with_sign_of(x, high);
}

static inline float tanh_float(float x)
{
	float a = fabsf(x), s = x * x, t = a > 10 ? 10 : a;
	float low = -5.60273604e-3F;
	low = low * s + 2.05399338e-2F;
	low = low * s - 5.37053198e-2F;
	low = low * s + 1.3330932e-1F;
	low = low * s - 3.33332509e-1F;
	low = x + x * s * low;
	float high = 1 - 2 / (exp_float(2 * t) + 1);
	return s < 0.4F ? low : with_sign_of(x, high);
}

/* Each is compiled for several processors. The function that chooses among them is visible to all
 * who link the library unless it is static, so what others call stands apart. */
PIM_WIDE static void exp_all(const float *x, float shift, int64_t n, float *y)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = exp_float(x[i] - shift);
}

PIM_WIDE static void erf_all(const float *x, int64_t n, float *y)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = erf_float(x[i]);
}

PIM_WIDE static void tanh_all(const float *x, int64_t n, float *y)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = tanh_float(x[i]);
}

PIM_WIDE static void sigmoid_all(const float *x, int64_t n, float *y)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = 1 / (1 + exp_float(-x[i]));
}

void pim_exp_floats(const float *x, float shift, int64_t n, float *y)
{
	exp_all(x, shift, n, y);
}

void pim_erf_floats(const float *x, int64_t n, float *y)
{
	erf_all(x, n, y);
}

void pim_tanh_floats(const float *x, int64_t n, float *y)
{
	tanh_all(x, n, y);
}

void pim_sigmoid_floats(const float *x, int64_t n, float *y)
{
	sigmoid_all(x, n, y);
}
