/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text: 10^6 random doubles and floats read back, are as short as the shortest that
 * printf finds, and reading agrees with strtod on random decimals, whatever the locale. */
#include <locale.h>
#include <math.h>
#include <string.h>

#include "ir/ir.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

static double read_back(const char *s)
{
	double v = 0;
	CHECK(pim_read_float(s, s + strlen(s), &v) == s + strlen(s));
	return v;
}

static int count_digits(const char *s)
{
	char digits[64];
	int n = 0;
	for (; *s && *s != 'e'; s++)
		if (*s >= '0' && *s <= '9' && (n || *s != '0'))
			digits[n++] = *s;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

static int shortest(double v)
{
	char s[64];
	int digits = 1;
	for (;; digits++) {
		snprintf(s, sizeof s, "%.*e", digits - 1, v);
		if (strtod(s, NULL) == v || digits == 17)
			return count_digits(s);
	}
}

static double random_double(int i)
{
	uint64_t bits = pim_random(&draw_state);
	double v;
	if (i % 4 == 0)
		return (double)(int64_t)(bits >> 40) / pow(10, (double)(bits % 12));
	if (i % 4 == 1)
		return ldexp((double)(int64_t)bits, (int)(bits % 80) - 100);
	memcpy(&v, &bits, sizeof v);
	return v;
}

static void test_doubles(void)
{
	pim_text t = {0};
	for (int i = 0; i < 1000000; i++) {
		double v = random_double(i);
		t.n = 0;
		pim_text_float(&t, v);
		double back = read_back(t.s);
		CHECK(isnan(v) ? isnan(back) : !memcmp(&v, &back, sizeof v));
		CHECK(strpbrk(t.s, ".ein") != NULL);
		if (i % 16 == 0 && isfinite(v) && fabs(v) > 1e-300)
			CHECK(count_digits(t.s) <= shortest(v));
	}
	pim_text_free(&t);
}

static void test_singles(void)
{
	pim_text t = {0};
	for (int i = 0; i < 1000000; i++) {
		uint32_t bits = (uint32_t)pim_random(&draw_state);
		float v, back;
		memcpy(&v, &bits, sizeof v);
		t.n = 0;
		pim_text_single(&t, v);
		back = (float)read_back(t.s);
		CHECK(isnan(v) ? isnan(back) : !memcmp(&v, &back, sizeof v));
	}
	pim_text_free(&t);
}

static void test_reading(void)
{
	char s[96];
	for (int i = 0; i < 300000; i++) {
		uint64_t a = pim_random(&draw_state) >> pim_random(&draw_state) % 64;
		int places = (int)(pim_random(&draw_state) % 20),
			exponent = (int)(pim_random(&draw_state) % 640) - 320;
		if (i % 3 == 0)
			snprintf(s, sizeof s, "%llu.%0*de%d", (unsigned long long)a, places, 7, exponent);
		else if (i % 3 == 1)
			snprintf(s, sizeof s, "-%llue%d", (unsigned long long)a, exponent);
		else
			snprintf(s, sizeof s, "%llu%010llu.25", (unsigned long long)a,
				(unsigned long long)(a % 10000000000));
		CHECK(read_back(s) == strtod(s, NULL));
	}
}

static void test_words(void)
{
	static const char *const texts[] = {"0.0", "-0.0", "1.0", "inf", "-inf", "nan", "1e-30", "0.1",
		"1e+22", "123456.75", "5e-324", "1.7976931348623157e+308", "1e-05"};
	pim_text t = {0};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		t.n = 0;
		pim_text_float(&t, read_back(texts[i]));
		CHECK(!strcmp(t.s, texts[i]));
	}
	double v;
	const char *none[] = {"", "-", ".", "e5", "x", "+"};
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		CHECK(pim_read_float(none[i], none[i] + strlen(none[i]), &v) == none[i]);
	const char *half = "1.5e";
	CHECK(pim_read_float(half, half + 4, &v) == half + 3 && v == 1.5);
	t.n = 0;
	pim_text_int(&t, INT64_MIN);
	CHECK(!strcmp(t.s, "-9223372036854775808"));
	pim_text_free(&t);
}

int main(void)
{
	test_words();
	test_doubles();
	test_singles();
	test_reading();
	if (setlocale(LC_NUMERIC, "de_DE.UTF-8") || setlocale(LC_NUMERIC, "fr_FR.UTF-8"))
		test_words();
	return check_failures != 0;
}
