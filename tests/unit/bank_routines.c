/* SPDX-License-Identifier: Apache-2.0 */
/* Routines of row operations, run bit by bit, against plain C: all pairs of 8-bit integers, random
 * ones of other widths; floats bit for bit against the computer's own and the rounding of elements,
 * all special values and exponents among them. Counts of row operations follow their laws. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "targets/bank/bank.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { WORDS = 64, LANES = 64 * WORDS, ROWS = 256 };

static const pim_format i8 = {8, 0, true}, u8 = {8, 0, false}, i16 = {16, 0, true},
						i32 = {32, 0, true}, f16 = {16, 5, true}, bf16 = {16, 8, true},
						f32 = {32, 8, true}, bit = {1, 0, false};

/* All bits at random. */
static uint32_t draw_word(void)
{
	return (uint32_t)(pim_random(&draw_state) >> 32);
}

static uint64_t area[PIM_AREAS][ROWS * WORDS];

/* Runs a routine on all lanes. */
static void run(const pim_routine_key *key, const uint32_t *a, const uint32_t *b, const uint32_t *c,
	uint32_t *to)
{
	uint64_t *base[PIM_AREAS];
	for (int i = 0; i < PIM_AREAS; i++)
		base[i] = area[i];
	pim_bank_rows r;
	CHECK(pim_routine_write(key, &r));
	CHECK(r.highest <= ROWS);
	memset(area, 0xa5, sizeof area); /* what was there before */
	pim_rows_start(base[PIM_AREA_scratch], WORDS);
	for (int w = 0; w < WORDS; w++) {
		pim_lanes_write(area[PIM_AREA_a] + w, WORDS, 32, a + 64 * w);
		pim_lanes_write(area[PIM_AREA_b] + w, WORDS, 32, b + 64 * w);
		pim_lanes_write(area[PIM_AREA_c] + w, WORDS, 32, c + 64 * w);
	}
	pim_routine_run(&r, base, WORDS);
	for (int w = 0; w < WORDS; w++)
		pim_lanes_read(area[PIM_AREA_to] + w, WORDS, key->to.bits, to + 64 * w);
	free(r.op);
}

static pim_routine_key key_of(pim_routine routine, pim_format from, pim_format to)
{
	return (pim_routine_key){(uint8_t)routine, from, to};
}

/* ---- integers ---- */

static int64_t value_of(uint32_t bits, pim_format f)
{
	int64_t v = bits & (f.bits == 32 ? 0xffffffff : (1u << f.bits) - 1);
	return f.sign && v >> (f.bits - 1) & 1 ? v - ((int64_t)1 << f.bits) : v;
}

static int64_t twin(pim_routine routine, int64_t a, int64_t b)
{
	switch (routine) {
	case PIM_ROUTINE_add:
		return a + b;
	case PIM_ROUTINE_sub:
		return a - b;
	case PIM_ROUTINE_mul:
		return (int64_t)((uint64_t)a * (uint64_t)b);
	case PIM_ROUTINE_max:
		return a > b ? a : b;
	case PIM_ROUTINE_min:
		return a < b ? a : b;
	case PIM_ROUTINE_neg:
		return -a;
	case PIM_ROUTINE_abs:
		return a < 0 ? -a : a;
	case PIM_ROUTINE_less:
		return a < b;
	case PIM_ROUTINE_equal:
		return a == b;
	case PIM_ROUTINE_and:
		return a & b;
	case PIM_ROUTINE_or:
		return a | b;
	case PIM_ROUTINE_xor:
		return a ^ b;
	case PIM_ROUTINE_not:
		return ~a;
	default:
		return a;
	}
}

static void check_integers(pim_routine_key k, const uint32_t *a, const uint32_t *b)
{
	static uint32_t to[LANES];
	int wrong = 0;
	run(&k, a, b, a, to);
	for (int i = 0; i < LANES; i++) {
		int64_t want = twin((pim_routine)k.routine, value_of(a[i], k.from), value_of(b[i], k.from));
		wrong += value_of(to[i], k.to) != value_of((uint32_t)want, k.to);
	}
	if (wrong)
		fprintf(stderr, "%s of %d bits to %d: %d lanes\n", pim_routine_name(k.routine), k.from.bits,
			k.to.bits, wrong);
	CHECK(wrong == 0);
}

static void test_integers(pim_format f, const uint32_t *a, const uint32_t *b)
{
	static const pim_routine same[] = {PIM_ROUTINE_copy, PIM_ROUTINE_add, PIM_ROUTINE_sub,
		PIM_ROUTINE_mul, PIM_ROUTINE_max, PIM_ROUTINE_min, PIM_ROUTINE_neg, PIM_ROUTINE_abs,
		PIM_ROUTINE_and, PIM_ROUTINE_or, PIM_ROUTINE_xor, PIM_ROUTINE_not};
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
		check_integers(key_of(same[i], f, f), a, b);
	check_integers(key_of(PIM_ROUTINE_less, f, bit), a, b);
	check_integers(key_of(PIM_ROUTINE_equal, f, bit), a, b);
}

/* All pairs of bytes, in as many runs as they take. */
static void test_bytes(void)
{
	static uint32_t a[LANES], b[LANES];
	for (int first = 0; first < 65536; first += LANES) {
		for (int i = 0; i < LANES; i++) {
			a[i] = (uint32_t)(first + i) & 255;
			b[i] = (uint32_t)(first + i) >> 8;
		}
		test_integers(i8, a, b);
		test_integers(u8, a, b);
		check_integers(key_of(PIM_ROUTINE_mul, i8, i16), a, b);
		check_integers(key_of(PIM_ROUTINE_mul, u8, (pim_format){16, 0, false}), a, b);
		check_integers(key_of(PIM_ROUTINE_sub, u8, (pim_format){9, 0, true}), a, b);
		check_integers(key_of(PIM_ROUTINE_sub, i8, (pim_format){9, 0, true}), a, b);
	}
}

static void test_wide(void)
{
	static uint32_t a[LANES], b[LANES];
	for (int i = 0; i < LANES; i++) {
		a[i] = draw_word() >> draw_word() % 32;
		b[i] = draw_word() % 5 ? draw_word() >> draw_word() % 32 : a[i];
	}
	test_integers(i16, a, b);
	test_integers(i32, a, b);
	test_integers((pim_format){32, 0, false}, a, b);
	check_integers(
		key_of(PIM_ROUTINE_mul, (pim_format){9, 0, true}, (pim_format){18, 0, true}), a, b);
	check_integers(key_of(PIM_ROUTINE_mul, (pim_format){17, 0, true}, i32), a, b);
	check_integers(key_of(PIM_ROUTINE_convert, (pim_format){18, 0, true}, i32), a, b);
}

static void test_choice(void)
{
	static uint32_t s[LANES], a[LANES], b[LANES], to[LANES];
	for (int i = 0; i < LANES; i++) {
		s[i] = draw_word();
		a[i] = draw_word();
		b[i] = draw_word();
	}
	pim_routine_key k = key_of(PIM_ROUTINE_choose, f32, f32);
	run(&k, s, a, b, to);
	for (int i = 0; i < LANES; i++)
		CHECK(to[i] == (s[i] & 1 ? a[i] : b[i]));
}

/* ---- floats ---- */

static pim_dtype dtype_of(pim_format f)
{
	return f.bits == 32 ? PIM_DTYPE_f32 : f.exponent == 8 ? PIM_DTYPE_bf16 : PIM_DTYPE_f16;
}

static double float_of(uint32_t bits, pim_format f)
{
	return pim_element_get(dtype_of(f), &bits, 0);
}

static uint32_t bits_of(double v, pim_format f)
{
	uint32_t bits = 0;
	pim_element_set(dtype_of(f), &bits, 0, v);
	return bits;
}

/* In double, sums, products, quotients and roots of these formats round twice without harm: it has
 * more than twice their bits and two. */
static double float_twin(pim_routine routine, double a, double b)
{
	switch (routine) {
	case PIM_ROUTINE_add:
		return a + b;
	case PIM_ROUTINE_sub:
		return a - b;
	case PIM_ROUTINE_mul:
		return a * b;
	case PIM_ROUTINE_div:
		return a / b;
	case PIM_ROUTINE_max:
		return a > b || a != a ? a : b;
	case PIM_ROUTINE_min:
		return a < b || a != a ? a : b;
	case PIM_ROUTINE_neg:
		return -a;
	case PIM_ROUTINE_abs:
		return fabs(a);
	case PIM_ROUTINE_sqrt:
		return sqrt(a);
	case PIM_ROUTINE_less:
		return a < b;
	case PIM_ROUTINE_equal:
		return a == b;
	default:
		return a;
	}
}

static bool same_float(uint32_t x, uint32_t y, pim_format f)
{
	return x == y || (isnan(float_of(x, f)) && isnan(float_of(y, f)));
}

static void check_floats(pim_routine_key k, const uint32_t *a, const uint32_t *b)
{
	static uint32_t to[LANES];
	int wrong = 0, first = -1;
	run(&k, a, b, a, to);
	for (int i = 0; i < LANES; i++) {
		double v =
			float_twin((pim_routine)k.routine, float_of(a[i], k.from), float_of(b[i], k.from));
		bool right = k.to.bits == 1 ? to[i] == (v != 0) : same_float(to[i], bits_of(v, k.to), k.to);
		if (!right && first < 0)
			first = i;
		wrong += !right;
	}
	if (wrong)
		fprintf(stderr, "%s of %d.%d to %d: %d lanes; %08x %08x -> %08x, not %08x\n",
			pim_routine_name(k.routine), k.from.bits, k.from.exponent, k.to.bits, wrong, a[first],
			b[first], to[first],
			bits_of(float_twin((pim_routine)k.routine, float_of(a[first], k.from),
						float_of(b[first], k.from)),
				k.to.bits == 1 ? f32 : k.to));
	CHECK(wrong == 0);
}

/* Any bits, special values, and numbers whose exponents lie near each other. */
static uint32_t draw_float(pim_format f, uint32_t near)
{
	uint32_t mask = f.bits == 32 ? 0xffffffff : 0xffff, x = draw_word() & mask;
	int m = pim_format_fraction(f);
	uint32_t exponents = ((1u << f.exponent) - 1) << m;
	switch (draw_word() % 8) {
	case 0:
		return x & ~exponents; /* subnormal or zero */
	case 1:
		return draw_word() % 2 ? exponents | (x & 1u << (f.bits - 1)) : x & 1u << (f.bits - 1);
	case 2:
		return x | exponents; /* infinite or NaN */
	case 3:
	case 4:
	case 5:
		return near ^ (draw_word() & ((2u << draw_word() % (unsigned)(m + 2)) - 1)) ^
			   (x & 1u << (f.bits - 1));
	default:
		return x;
	}
}

static void test_floats(pim_format f, int rounds)
{
	static const pim_routine two[] = {PIM_ROUTINE_add, PIM_ROUTINE_sub, PIM_ROUTINE_mul,
		PIM_ROUTINE_div, PIM_ROUTINE_max, PIM_ROUTINE_min, PIM_ROUTINE_neg, PIM_ROUTINE_abs,
		PIM_ROUTINE_sqrt};
	static uint32_t a[LANES], b[LANES];
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < LANES; i++) {
			a[i] = draw_float(f, draw_word() & (f.bits == 32 ? 0xffffffff : 0xffff));
			b[i] = draw_float(f, a[i]);
		}
		for (size_t i = 0; i < sizeof two / sizeof two[0]; i++)
			check_floats(key_of(two[i], f, f), a, b);
		check_floats(key_of(PIM_ROUTINE_less, f, bit), a, b);
		check_floats(key_of(PIM_ROUTINE_equal, f, bit), a, b);
		const pim_format other[] = {f16, bf16, f32};
		for (int i = 0; i < 3; i++)
			check_floats(key_of(PIM_ROUTINE_convert, f, other[i]), a, b);
	}
}

static void test_integers_to_floats(void)
{
	static uint32_t a[LANES], to[LANES];
	const pim_format from[] = {i8, u8, i16, i32, {32, 0, false}}, into[] = {f16, bf16, f32};
	for (int i = 0; i < LANES; i++)
		a[i] = i < 256 ? (uint32_t)i : draw_word() >> draw_word() % 32;
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 3; j++) {
			pim_routine_key k = key_of(PIM_ROUTINE_convert, from[i], into[j]);
			run(&k, a, a, a, to);
			for (int n = 0; n < LANES; n++)
				CHECK(to[n] == bits_of((double)value_of(a[n], from[i]), into[j]));
		}
}

/* ---- laws ---- */

static int64_t count(pim_routine_key k)
{
	pim_bank_rows r;
	CHECK(pim_routine_write(&k, &r));
	free(r.op);
	return r.n;
}

/* A sum takes 5n + 1 row operations. A product kept to n bits adds its partial products as far as
 * they reach: 4n for the first, 8(n - j) + 1 for the others, below 7n^2 + 1; one of 2n bits,
 * without signs, 8n and two for each. */
static void test_laws(void)
{
	const pim_format of[] = {i8, i16, i32};
	for (int i = 0; i < 3; i++) {
		int64_t n = of[i].bits, product = 4 * n;
		for (int64_t j = 1; j < n; j++)
			product += 8 * (n - j) + 1;
		pim_format plain = {(uint8_t)n, 0, false}, wide = {(uint8_t)(2 * n), 0, false};
		CHECK(count(key_of(PIM_ROUTINE_add, of[i], of[i])) == 5 * n + 1);
		CHECK(count(key_of(PIM_ROUTINE_mul, of[i], of[i])) == product);
		CHECK(product < 7 * n * n + 1);
		/* the first partial product leaves n bits to be set to zero */
		CHECK(count(key_of(PIM_ROUTINE_mul, plain, wide)) == 5 * n + (n - 1) * (8 * n + 2));
	}
}

int main(void)
{
	test_bytes();
	test_wide();
	test_choice();
	test_floats(f16, 6);
	test_floats(bf16, 3);
	test_floats(f32, 3);
	test_integers_to_floats();
	test_laws();
	return check_failures != 0;
}
