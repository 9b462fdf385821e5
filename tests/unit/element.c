/* SPDX-License-Identifier: Apache-2.0 */
/* element - number formats: every half and bfloat16, rounding at every midpoint, saturation,
 * comparison. */
#include "tests/unit/check.h"

#include <math.h>
#include <string.h>

#include "ir/op_rules.h"

/* The value of a format with that many fraction bits and that bias, from its definition. */
static double decode(uint16_t h, int fraction, int bias)
{
	int exponent = (h & 0x7fff) >> fraction, most = 0x7fff >> fraction;
	int bits = h & ((1 << fraction) - 1);
	double sign = h >> 15 ? -1 : 1;
	if (exponent == most)
		return bits ? NAN : sign * INFINITY;
	if (exponent == 0)
		return sign * ldexp(bits, 1 - bias - fraction);
	return sign * ldexp(bits + (1 << fraction), exponent - bias - fraction);
}

static bool is_same(double a, double b)
{
	return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

typedef struct format {
	float (*widen)(uint16_t h);
	uint16_t (*narrow)(float f);
	uint16_t (*narrow_double)(double v);
	int fraction, bias;
} format;

/* Midpoints go to the even neighbour, and what is next to them to the nearer one. */
static void check_midpoint(const format *f, uint16_t h)
{
	double a = decode(h, f->fraction, f->bias);
	double b = decode((uint16_t)(h + 1), f->fraction, f->bias);
	if (isinf(b))
		b = ldexp(1, 0x7fff >> f->fraction) * ldexp(1, -f->bias);
	double middle = (a + b) / 2;
	uint16_t even = h & 1 ? (uint16_t)(h + 1) : h;
	CHECK(f->narrow_double(middle) == even);
	CHECK(f->narrow_double(nextafter(middle, a)) == h);
	CHECK(f->narrow_double(nextafter(middle, b)) == h + 1);
	CHECK(f->narrow_double(-middle) == (even | 0x8000));
	if ((double)(float)middle != middle)
		return;
	CHECK(f->narrow((float)middle) == even);
	CHECK(f->narrow(nextafterf((float)middle, (float)a)) == h);
	CHECK(f->narrow(-(float)middle) == (even | 0x8000));
	if (nextafterf((float)middle, INFINITY) < INFINITY)
		CHECK(f->narrow(nextafterf((float)middle, INFINITY)) == h + 1);
}

static void check_format(const format *f)
{
	int infinity = (0x7fff >> f->fraction) << f->fraction;
	for (int h = 0; h < 65536; h++) {
		double v = decode((uint16_t)h, f->fraction, f->bias);
		CHECK(is_same((double)f->widen((uint16_t)h), v));
		if (isnan(v)) {
			CHECK(isnan(f->widen(f->narrow((float)v))) && isnan(f->widen(f->narrow_double(v))));
			continue;
		}
		CHECK(f->narrow((float)v) == h);
		CHECK(f->narrow_double(v) == h);
	}
	for (int h = 0; h < infinity; h++)
		check_midpoint(f, (uint16_t)h);
	CHECK(f->narrow_double(1e300) == infinity && f->narrow_double(-1e300) == (infinity | 0x8000));
	CHECK(f->narrow_double(1e-300) == 0);
}

/* Twice rounded, 1 + 2^-11 + 2^-30 would become 1. */
static void check_single_rounding(void)
{
	uint16_t h;
	pim_element_set(PIM_DTYPE_f16, &h, 0, 1 + 0x1p-11 + 0x1p-30);
	CHECK(h == 0x3c01);
}

static void check_integers(void)
{
	static const struct {
		pim_dtype t;
		double v, want;
	} cases[] = {
		{PIM_DTYPE_i8, 300, 127},
		{PIM_DTYPE_i8, -300, -128},
		{PIM_DTYPE_i8, 2.5, 2},
		{PIM_DTYPE_i8, 3.5, 4},
		{PIM_DTYPE_i4, 100, 7},
		{PIM_DTYPE_i4, -100, -8},
		{PIM_DTYPE_u8, -1, 0},
		{PIM_DTYPE_u8, 256, 255},
		{PIM_DTYPE_u16, 70000, 65535},
		{PIM_DTYPE_i16, -40000, -32768},
		{PIM_DTYPE_u32, 1e12, 4294967295.0},
		{PIM_DTYPE_i32, NAN, 0},
		{PIM_DTYPE_i64, INFINITY, 0x1p63},
		{PIM_DTYPE_i64, -INFINITY, -0x1p63},
		{PIM_DTYPE_u64, INFINITY, 0x1p64},
		{PIM_DTYPE_bool, 0.5, 1},
		{PIM_DTYPE_bool, 0, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t room[2] = {0};
		pim_element_set(cases[i].t, room, 1, cases[i].v);
		CHECK(pim_element_get(cases[i].t, room, 1) == cases[i].want);
		CHECK(pim_element_get(cases[i].t, room, 0) == 0);
	}
}

static void check_compare(void)
{
	pim_context *c = pim_context_new();
	int64_t dims[] = {4};
	const pim_type *t = pim_type_tensor(c, PIM_DTYPE_f32, 1, dims);
	float a[] = {1, NAN, INFINITY, 2}, b[] = {1, NAN, INFINITY, 2.5f};
	pim_difference d = pim_tensor_compare(&(pim_tensor){t, a}, &(pim_tensor){t, b}, 0.1, 0.2);
	CHECK(d.absolute == 0.5 && d.relative == 0.2 && d.ulp == 0.5 / 0x1p-22);
	CHECK(d.index == 3 && d.a == 2 && d.b == 2.5 && d.beyond == 1);
	d = pim_tensor_compare(&(pim_tensor){t, a}, &(pim_tensor){t, b}, 0.1, 0.3);
	CHECK(d.beyond == 0);
	b[2] = -INFINITY;
	b[1] = 0;
	d = pim_tensor_compare(&(pim_tensor){t, a}, &(pim_tensor){t, b}, 1, 1);
	CHECK(d.beyond == 2 && isinf(d.absolute));
	int64_t x[] = {INT64_MAX, 1, 2, 3}, y[] = {INT64_MAX - 1, 1, 2, 3};
	t = pim_type_tensor(c, PIM_DTYPE_i64, 1, dims);
	d = pim_tensor_compare(&(pim_tensor){t, x}, &(pim_tensor){t, y}, 1, 1);
	CHECK(d.beyond == 1 && d.index == 0 && d.absolute == 1);
	pim_context_free(c);
}

static void check_random(void)
{
	pim_context *c = pim_context_new();
	int64_t dims[] = {1000};
	float a[1000], b[1000], low = 1, high = -1;
	const pim_type *t = pim_type_tensor(c, PIM_DTYPE_f32, 1, dims);
	pim_tensor ta = {t, a}, tb = {t, b};
	pim_tensor_random(&ta, 7);
	pim_tensor_random(&tb, 7);
	CHECK(!memcmp(a, b, sizeof a));
	pim_tensor_random(&tb, 8);
	CHECK(memcmp(a, b, sizeof a));
	for (int i = 0; i < 1000; i++) {
		low = a[i] < low ? a[i] : low;
		high = a[i] > high ? a[i] : high;
	}
	CHECK(low >= -1 && low < -0.9f && high <= 1 && high > 0.9f);
	pim_context_free(c);
}

int main(void)
{
	check_format(&(format){pim_half_to_float, pim_half_from_float, pim_half_from_double, 10, 15});
	check_format(&(format){pim_bf16_to_float, pim_bf16_from_float, pim_bf16_from_double, 7, 127});
	check_single_rounding();
	check_integers();
	check_compare();
	check_random();
	return check_failures != 0;
}
