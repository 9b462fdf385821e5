/* SPDX-License-Identifier: Apache-2.0 */
/* element - single elements of any type, and conversions between number formats, each rounded once.
 */
#include "ir/op_rules.h"

#include <math.h>
#include <string.h>

float pim_half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
	if (exponent == 0) {
		float v = (float)fraction * 0x1p-24f;
		return sign ? -v : v;
	}
	uint32_t bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
	float v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

/* Rounds a double to a smaller binary format with `fraction` bits behind the point and exponents
 * from `low` (of normal numbers) to `high`; bits of sign, exponent, fraction. */
static uint16_t narrow_double(double v, int fraction, int low, int high)
{
	uint16_t sign = signbit(v) ? 0x8000 : 0, infinity = (uint16_t)((high - low + 2) << fraction);
	int exponent;
	if (isnan(v))
		return (uint16_t)(sign | infinity | 1 << (fraction - 1));
	if (isinf(v))
		return sign | infinity;
	if (v == 0)
		return sign;
	frexp(v, &exponent);
	exponent = exponent - 1 < low ? low : exponent - 1;
	if (exponent > high)
		return sign | infinity;
	int64_t units = (int64_t)rint(ldexp(fabs(v), fraction - exponent));
	int64_t bits = ((int64_t)(exponent - low) << fraction) + units;
	return sign | (uint16_t)(bits > infinity ? infinity : bits);
}

uint16_t pim_half_from_double(double v)
{
	return narrow_double(v, 10, -14, 15);
}

uint16_t pim_bf16_from_double(double v)
{
	return narrow_double(v, 7, -126, 127);
}

/* Rounds by adding just under half a unit of the bits that go; subnormals by a sum that puts the
 * unit of the last place at 2^-24. */
uint16_t pim_half_from_float(float f)
{
	uint32_t bits, sign;
	memcpy(&bits, &f, sizeof bits);
	sign = bits >> 16 & 0x8000;
	bits &= 0x7fffffff;
	if (bits > 0x7f800000)
		return (uint16_t)(sign | 0x7e00);
	if (bits >= 0x47800000)
		return (uint16_t)(sign | 0x7c00);
	if (bits < 0x38800000) {
		float sum = fabsf(f) + 0.5f;
		memcpy(&bits, &sum, sizeof bits);
		return (uint16_t)(sign | (bits - 0x3f000000));
	}
	bits += 0xfff + (bits >> 13 & 1);
	return (uint16_t)(sign | (bits - 0x38000000) >> 13);
}

float pim_bf16_to_float(uint16_t h)
{
	uint32_t bits = (uint32_t)h << 16;
	float v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

uint16_t pim_bf16_from_float(float f)
{
	uint32_t bits;
	memcpy(&bits, &f, sizeof bits);
	if ((bits & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

int64_t pim_int_from_double(double v, int64_t lo, int64_t hi)
{
	if (isnan(v))
		return 0;
	if (v <= (double)lo)
		return lo;
	return v >= (double)hi ? hi : (int64_t)v;
}

uint64_t pim_uint_from_double(double v, uint64_t hi)
{
	if (isnan(v) || v <= 0)
		return 0;
	return v >= (double)hi ? hi : (uint64_t)v;
}

double pim_element_get(pim_dtype t, const void *data, int64_t i)
{
	union {
		float f;
		double d;
		int64_t i;
		uint64_t u;
		uint8_t b;
	} v;
	pim_stage_load(t, data, i, 1, &v);
	switch (pim_stage_of(t)) {
	case PIM_STAGE_f32:
		return (double)v.f;
	case PIM_STAGE_f64:
		return v.d;
	case PIM_STAGE_i64:
		return (double)v.i;
	case PIM_STAGE_u64:
		return (double)v.u;
	default:
		return v.b != 0;
	}
}

/* Largest value of an integer type. */
static uint64_t highest(pim_dtype t)
{
	size_t bits = t == PIM_DTYPE_i4 || t == PIM_DTYPE_u4 ? 4 : 8 * pim_dtype_bytes(t);
	return UINT64_MAX >> (64 - bits + (pim_dtype_is_signed(t) ? 1 : 0));
}

static void set_integer(pim_dtype t, void *data, int64_t i, double v)
{
	uint64_t bits;
	if (pim_dtype_is_signed(t)) {
		int64_t high = (int64_t)highest(t), s = pim_int_from_double(rint(v), -high - 1, high);
		memcpy(&bits, &s, sizeof bits);
	} else {
		bits = pim_uint_from_double(rint(v), highest(t));
	}
	pim_stage_store(t, data, i, 1, &bits);
}

void pim_element_set(pim_dtype t, void *data, int64_t i, double v)
{
	switch (t) {
	case PIM_DTYPE_f64:
		((double *)data)[i] = v;
		break;
	case PIM_DTYPE_f32:
		((float *)data)[i] = (float)v;
		break;
	case PIM_DTYPE_f16:
		((uint16_t *)data)[i] = pim_half_from_double(v);
		break;
	case PIM_DTYPE_bf16:
		((uint16_t *)data)[i] = pim_bf16_from_double(v);
		break;
	case PIM_DTYPE_bool:
		((uint8_t *)data)[i] = v != 0;
		break;
	default:
		set_integer(t, data, i, v);
	}
}
