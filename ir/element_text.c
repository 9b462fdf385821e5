/* SPDX-License-Identifier: Apache-2.0 */
/* element_text - one element of a tensor as text. */
#include <math.h>
#include <string.h>

#include "ir/text_form.h"

static int64_t read_bits(pim_dtype t, const void *element)
{
	uint64_t bits = 0;
	int width = (int)pim_dtype_bytes(t) * 8;
	memcpy(&bits, element, pim_dtype_bytes(t));
	if (pim_dtype_is_signed(t) && width < 64 && bits >> (width - 1))
		bits |= UINT64_MAX << width;
	return (int64_t)bits;
}

static double read_float(pim_dtype t, const void *element)
{
	double d;
	float f;
	if (t == PIM_DTYPE_f64) {
		memcpy(&d, element, sizeof d);
		return d;
	}
	if (t == PIM_DTYPE_f32) {
		memcpy(&f, element, sizeof f);
		return (double)f;
	}
	return pim_element_get(t, element, 0);
}

void pim_element_print(pim_text *out, pim_dtype t, const void *element)
{
	if (t == PIM_DTYPE_f64)
		pim_text_float(out, read_float(t, element));
	else if (pim_dtype_is_float(t))
		pim_text_single(out, (float)read_float(t, element));
	else if (t == PIM_DTYPE_u64)
		pim_text_printf(out, "%llu", (unsigned long long)read_bits(t, element));
	else
		pim_text_int(out, read_bits(t, element));
}

static void range_of(pim_dtype t, int64_t *lo, int64_t *hi)
{
	int bits = t == PIM_DTYPE_bool						? 1
			   : t == PIM_DTYPE_i4 || t == PIM_DTYPE_u4 ? 4
														: (int)pim_dtype_bytes(t) * 8;
	bool sign = pim_dtype_is_signed(t);
	*hi = (int64_t)(UINT64_MAX >> 1 >> (bits == 64 ? 0 : 63 - bits + sign));
	*lo = sign ? -*hi - 1 : 0;
}

static bool parse_large(pim_cursor *c, void *element)
{
	uint64_t v = 0;
	const char *p = c->p;
	for (; p < c->end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return pim_cursor_error(c, "the element does not fit in u64");
	if (p == c->p)
		return pim_cursor_expected(c, "an integer from 0 to 2^64 - 1");
	c->p = p;
	memcpy(element, &v, sizeof v);
	return true;
}

static bool parse_int(pim_cursor *c, pim_dtype t, void *element)
{
	int64_t v, lo, hi;
	const char *start = c->p;
	if (!pim_cursor_int(c, &v))
		return false;
	range_of(t, &lo, &hi);
	if (v < lo || v > hi) {
		c->p = start;
		return pim_cursor_error(c, "element %lld does not fit in %s (%lld to %lld)", (long long)v,
			pim_dtype_name(t), (long long)lo, (long long)hi);
	}
	memcpy(element, &v, pim_dtype_bytes(t));
	return true;
}

bool pim_element_parse(pim_cursor *c, pim_dtype t, void *element)
{
	double v;
	pim_cursor_space(c);
	const char *start = c->p;
	if (t == PIM_DTYPE_u64)
		return parse_large(c, element);
	if (!pim_dtype_is_float(t))
		return parse_int(c, t, element);
	if (!pim_cursor_float(c, &v))
		return false;
	if (t == PIM_DTYPE_f64) {
		memcpy(element, &v, sizeof v);
	} else if (t == PIM_DTYPE_f32) {
		float f = (float)v;
		memcpy(element, &f, sizeof f);
	} else {
		pim_element_set(t, element, 0, v);
	}
	if (isinf(v) || !isinf(read_float(t, element)))
		return true;
	c->p = start;
	return pim_cursor_error(c, "the element is beyond the range of %s", pim_dtype_name(t));
}

bool pim_element_has_text(pim_dtype t, const void *element)
{
	uint64_t bits = 0, back = 0;
	memcpy(&bits, element, pim_dtype_bytes(t));
	if (!pim_dtype_is_float(t)) {
		int64_t lo, hi, v = read_bits(t, element);
		range_of(t, &lo, &hi);
		return t == PIM_DTYPE_u64 || (v >= lo && v <= hi);
	}
	double v = read_float(t, element);
	if (!isnan(v))
		return true;
	pim_cursor c = {0};
	const char *text = signbit(v) ? "-nan" : "nan";
	c.s = c.p = text;
	c.end = text + strlen(text);
	return pim_element_parse(&c, t, &back) && back == bits;
}
