/* SPDX-License-Identifier: Apache-2.0 */
/* number - numbers to text and back, the same in every locale.
 *
 * Printing gives the shortest decimal that reads back. Most numbers people write have few digits: m
 * / 10^k with m < 2^53 and k <= 22 is one exactly rounded division (both are exact doubles), so
 * trying k = 0, 1, 2 ... finds it without arithmetic on long integers. Reading uses the same fact.
 * The rest goes through the C library with 15, 16, then 17 digits, which always suffices. Source:
 * the exact cases of Clinger, How to read floating point numbers accurately, PLDI 1990. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/ir.h"

static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define LARGEST_POWER 22
#define EXACT ((uint64_t)1 << 53)

static char *write_digits(char *end, uint64_t v)
{
	do
		*--end = (char)('0' + v % 10);
	while (v /= 10);
	return end;
}

void pim_text_int(pim_text *t, int64_t v)
{
	char s[24], *end = s + sizeof s;
	char *p = write_digits(end, v < 0 ? -(uint64_t)v : (uint64_t)v);
	if (v < 0)
		*--p = '-';
	pim_text_add(t, p, (size_t)(end - p));
}

static void add_decimal(pim_text *t, uint64_t m, int k)
{
	char s[48], *end = s + sizeof s, *p;
	int places = k ? k : 1;
	if (!k)
		m *= 10;
	p = write_digits(end, m);
	while (end - p <= places)
		*--p = '0';
	memmove(p - 1, p, (size_t)(end - p - places));
	p--;
	end[-places - 1] = '.';
	pim_text_add(t, p, (size_t)(end - p));
}

/* v >= 0 as m / 10^k with the smallest k; false when there is none with m small enough. */
static bool add_short(pim_text *t, double v, bool single)
{
	if (v >= 1e15 || (v < 1e-4 && v != 0))
		return false;
	for (int k = 0; k <= LARGEST_POWER; k++) {
		double m = v * powers[k];
		if (m >= 1e15)
			return false;
		m = floor(m + 0.5);
		double back = m / powers[k];
		if (single ? (float)back == (float)v : back == v) {
			add_decimal(t, (uint64_t)m, k);
			return true;
		}
	}
	return false;
}

/* Whatever the locale's decimal point is becomes one '.'. */
static void add_plain(pim_text *t, const char *s)
{
	bool seen = false;
	for (; *s; s++) {
		if (strchr("0123456789e+-", *s)) {
			pim_text_add(t, s, 1);
			seen |= *s == 'e';
		} else if (!seen) {
			pim_text_add(t, ".", 1);
			seen = true;
		}
	}
	if (!seen)
		pim_text_add(t, ".0", 2);
}

static void add_long(pim_text *t, double v, bool single)
{
	char s[64];
	bool subnormal = v < (single ? 1.2e-38 : 2.3e-308);
	for (int digits = subnormal ? 1 : single ? 6 : 15;; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, v);
		pim_text copy = {0};
		add_plain(&copy, s);
		double back = 0;
		pim_read_float(copy.s, copy.s + copy.n, &back);
		bool same = single ? (float)back == (float)v : back == v;
		if (same || digits == 17)
			pim_text_add(t, copy.s, copy.n);
		pim_text_free(&copy);
		if (same || digits == 17)
			return;
	}
}

static void add_float(pim_text *t, double v, bool single)
{
	if (isnan(v)) {
		pim_text_str(t, signbit(v) ? "-nan" : "nan");
		return;
	}
	if (signbit(v)) {
		pim_text_add(t, "-", 1);
		v = -v;
	}
	if (isinf(v))
		pim_text_str(t, "inf");
	else if (!add_short(t, v, single))
		add_long(t, v, single);
}

void pim_text_float(pim_text *t, double v)
{
	add_float(t, v, false);
}
void pim_text_single(pim_text *t, float v)
{
	add_float(t, v, true);
}

static const char *read_word(const char *s, const char *end, double *v)
{
	if (end - s >= 3 && !memcmp(s, "inf", 3)) {
		*v = INFINITY;
		return s + 3;
	}
	if (end - s >= 3 && !memcmp(s, "nan", 3)) {
		*v = NAN;
		return s + 3;
	}
	return NULL;
}

/* By the C library, in the C locale. */
static double read_slowly(const char *s, size_t n)
{
	char room[128], *copy = n < sizeof room ? room : pim_array_raw((int64_t)n + 1, 1);
	memcpy(copy, s, n);
	copy[n] = '\0';
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	double v = strtod_l(copy, NULL, plain);
	freelocale(plain);
	if (copy != room)
		free(copy);
	return v;
}

typedef struct scanned {
	uint64_t m;		   /* first 19 digits */
	int digits, point; /* digits read; how many of them stand behind the point */
	int64_t exponent;
} scanned;

static const char *scan_digits(const char *p, const char *end, scanned *d, int behind)
{
	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		if (d->m < UINT64_C(1000000000000000000)) {
			d->m = d->m * 10 + (uint64_t)(*p - '0');
			d->point += behind;
		} else {
			d->digits += 100;
		}
		d->digits++;
	}
	return p;
}

static const char *scan_exponent(const char *p, const char *end, scanned *d)
{
	const char *q = p + 1;
	if (p >= end || (*p != 'e' && *p != 'E'))
		return p;
	bool minus = q < end && *q == '-';
	if (q < end && (*q == '-' || *q == '+'))
		q++;
	if (q >= end || *q < '0' || *q > '9')
		return p;
	for (; q < end && *q >= '0' && *q <= '9'; q++)
		if (d->exponent < 100000)
			d->exponent = d->exponent * 10 + (*q - '0');
	if (minus)
		d->exponent = -d->exponent;
	return q;
}

const char *pim_read_float(const char *s, const char *end, double *v)
{
	const char *p = s;
	bool minus = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	const char *word = read_word(p, end, v);
	if (word) {
		*v = minus ? -*v : *v;
		return word;
	}
	const char *start = p;
	scanned d = {0};
	p = scan_digits(p, end, &d, 0);
	if (p < end && *p == '.')
		p = scan_digits(p + 1, end, &d, 1);
	if (!d.digits)
		return s;
	p = scan_exponent(p, end, &d);
	int64_t scale = d.exponent - d.point;
	if (d.digits < 100 && d.m <= EXACT && scale >= -LARGEST_POWER && scale <= LARGEST_POWER)
		*v = scale < 0 ? (double)d.m / powers[-scale] : (double)d.m * powers[scale];
	else
		*v = read_slowly(start, (size_t)(p - start));
	if (minus)
		*v = -*v;
	return p;
}
