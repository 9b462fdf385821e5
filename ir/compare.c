/* SPDX-License-Identifier: Apache-2.0 */
/* compare - how far two tensors are apart, and tensors of seeded random elements. */
#include "ir/op_rules.h"
#include "ir/random.h"

#include <math.h>

/* Bits behind the point and the smallest exponent of a float type. */
static void read_format(pim_dtype t, int *fraction, int *low)
{
	*fraction = t == PIM_DTYPE_f64 ? 52 : t == PIM_DTYPE_f32 ? 23 : t == PIM_DTYPE_f16 ? 10 : 7;
	*low = t == PIM_DTYPE_f64 ? -1022 : t == PIM_DTYPE_f16 ? -14 : -126;
}

/* The distance of v from the next number of its type; 1 for integers. */
static double unit_of(pim_dtype t, double v)
{
	int fraction, low, exponent;
	if (!pim_dtype_is_float(t))
		return 1;
	read_format(t, &fraction, &low);
	frexp(v, &exponent);
	exponent = v == 0 || exponent - 1 < low ? low : exponent - 1;
	return ldexp(1, exponent - fraction);
}

static double distance(double a, double b)
{
	if (a == b || (isnan(a) && isnan(b)))
		return 0;
	return isnan(a) || isnan(b) || isinf(a) || isinf(b) ? INFINITY : fabs(a - b);
}

/* Integers of 64 bits do not fit a double: equal ones are told by their bits. */
static bool are_same_integers(const pim_tensor *a, const pim_tensor *b, int64_t i)
{
	int64_t x, y;
	pim_dtype t = a->type->dtype;
	if (pim_dtype_is_float(t) || t == PIM_DTYPE_bool)
		return false;
	pim_stage_load(t, a->data, i, 1, &x);
	pim_stage_load(t, b->data, i, 1, &y);
	return x == y;
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

pim_difference pim_tensor_compare(
	const pim_tensor *a, const pim_tensor *b, double rtol, double atol)
{
	pim_difference d = {0};
	pim_dtype t = a->type->dtype;
	bool real = pim_dtype_is_float(t);
	double worst = -INFINITY;
	for (int64_t i = 0; i < a->type->elements; i++) {
		double x = pim_element_get(t, a->data, i), y = pim_element_get(t, b->data, i);
		double gap = distance(x, y);
		if (!real && t != PIM_DTYPE_bool && !are_same_integers(a, b, i))
			gap = larger(gap, 1);
		double over = real && isfinite(y) ? gap - (atol + rtol * fabs(y)) : gap;
		d.absolute = larger(d.absolute, gap);
		d.relative = larger(d.relative, gap == 0 ? 0 : gap / fabs(y));
		d.ulp = larger(d.ulp, gap == 0 ? 0 : isfinite(y) ? gap / unit_of(t, y) : INFINITY);
		d.beyond += over > 0;
		if (over > worst) {
			worst = over;
			d.index = i;
			d.a = x;
			d.b = y;
		}
	}
	return d;
}

void pim_tensor_random(pim_tensor *t, uint64_t seed)
{
	pim_dtype type = t->type->dtype;
	for (int64_t i = 0; i < t->type->elements; i++) {
		uint64_t r = pim_random(&seed);
		double v;
		if (pim_dtype_is_float(type))
			v = (double)(r >> 11) * 0x1p-52 - 1;
		else if (type == PIM_DTYPE_bool)
			v = (double)(r >> 63);
		else
			v = (double)(r >> 61) - (pim_dtype_is_signed(type) ? 4 : 0);
		pim_element_set(type, t->data, i, v);
	}
}

/* FNV-1a. */
static uint64_t hash_name(const char *s)
{
	uint64_t h = 14695981039346656037u;
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

void pim_tensor_imagine(pim_tensor *t, const char *name)
{
	const pim_type *type = t->type;
	uint64_t seed = hash_name(name);
	if (!pim_dtype_is_float(type->dtype) || !type->elements) {
		pim_tensor_random(t, seed);
		return;
	}
	double fan_in = type->rank > 1 ? (double)(type->elements / type->dims[0]) : 1;
	double scale = sqrt(3 / fan_in);
	for (int64_t i = 0; i < type->elements; i++) {
		double v = (double)(pim_random(&seed) >> 11) * 0x1p-53;
		pim_element_set(type->dtype, t->data, i, type->rank > 1 ? scale * (2 * v - 1) : 0.5 + v);
	}
}
