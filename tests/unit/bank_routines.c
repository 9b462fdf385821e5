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

enum { WORDS = 64, LANES = 64 * WORDS, ROWS = 512 };

static const pim_format i8 = {8, 0, true}, u8 = {8, 0, false}, i16 = {16, 0, true},
						i32 = {32, 0, true}, i64 = {64, 0, true}, f16 = {16, 5, true},
						bf16 = {16, 8, true}, f32 = {32, 8, true}, bit = {1, 0, false};

/* All bits at random. */
static uint32_t draw_word(void)
{
	return (uint32_t)(pim_random(&draw_state) >> 32);
}

static uint64_t area[PIM_AREAS][ROWS * WORDS];

/* Runs a routine on all lanes. */
static void run(const pim_routine_key *key, const uint64_t *a, const uint64_t *b, const uint64_t *c,
	uint64_t *to)
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
		pim_lanes_write(area[PIM_AREA_a] + w, WORDS, 64, a + 64 * w);
		pim_lanes_write(area[PIM_AREA_b] + w, WORDS, 64, b + 64 * w);
		pim_lanes_write(area[PIM_AREA_c] + w, WORDS, 64, c + 64 * w);
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

static int64_t value_of(uint64_t bits, pim_format f)
{
	int up = 64 - f.bits;
	return f.sign ? (int64_t)(bits << up) >> up : (int64_t)(bits << up >> up);
}

static int64_t twin(pim_routine routine, int64_t a, int64_t b)
{
	switch (routine) {
	case PIM_ROUTINE_add:
		return (int64_t)((uint64_t)a + (uint64_t)b);
	case PIM_ROUTINE_sub:
		return (int64_t)((uint64_t)a - (uint64_t)b);
	case PIM_ROUTINE_mul:
		return (int64_t)((uint64_t)a * (uint64_t)b);
	case PIM_ROUTINE_div:
		return a / b;
	case PIM_ROUTINE_mod:
		return a % b && (a % b < 0) != (b < 0) ? a % b + b : a % b;
	case PIM_ROUTINE_shift_left:
		return (uint64_t)b > 63 ? 0 : (int64_t)((uint64_t)a << b);
	case PIM_ROUTINE_shift_right:
		return (uint64_t)b > 63 ? (a < 0 ? -1 : 0) : a >> b;
	case PIM_ROUTINE_max:
		return a > b ? a : b;
	case PIM_ROUTINE_min:
		return a < b ? a : b;
	case PIM_ROUTINE_neg:
		return (int64_t)(0 - (uint64_t)a);
	case PIM_ROUTINE_abs:
		return a < 0 ? (int64_t)(0 - (uint64_t)a) : a;
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

static void check_integers(pim_routine_key k, const uint64_t *a, const uint64_t *b)
{
	static uint64_t to[LANES];
	int wrong = 0;
	run(&k, a, b, a, to);
	for (int i = 0; i < LANES; i++) {
		int64_t want = twin((pim_routine)k.routine, value_of(a[i], k.from), value_of(b[i], k.from));
		wrong += value_of(to[i], k.to) != value_of((uint64_t)want, k.to);
	}
	if (wrong)
		fprintf(stderr, "%s of %d bits to %d: %d lanes\n", pim_routine_name(k.routine), k.from.bits,
			k.to.bits, wrong);
	CHECK(wrong == 0);
}

static void test_integers(pim_format f, const uint64_t *a, const uint64_t *b)
{
	static const pim_routine same[] = {PIM_ROUTINE_copy, PIM_ROUTINE_add, PIM_ROUTINE_sub,
		PIM_ROUTINE_mul, PIM_ROUTINE_max, PIM_ROUTINE_min, PIM_ROUTINE_neg, PIM_ROUTINE_abs,
		PIM_ROUTINE_and, PIM_ROUTINE_or, PIM_ROUTINE_xor, PIM_ROUTINE_not};
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
		check_integers(key_of(same[i], f, f), a, b);
	check_integers(key_of(PIM_ROUTINE_less, f, bit), a, b);
	check_integers(key_of(PIM_ROUTINE_equal, f, bit), a, b);
}

/* b not 0 where it divides; of the least number by -1 nothing is said. */
static void test_quotients(pim_format f, const uint64_t *a, const uint64_t *b)
{
	static uint64_t x[LANES], y[LANES];
	uint64_t least = (uint64_t)1 << (f.bits - 1), all = ~(uint64_t)0 >> (64 - f.bits);
	for (int i = 0; i < LANES; i++) {
		y[i] = b[i] & all ? b[i] : 1;
		x[i] = (a[i] & all) == least && (y[i] & all) == all ? 5 : a[i];
	}
	check_integers(key_of(PIM_ROUTINE_div, f, f), x, y);
	check_integers(key_of(PIM_ROUTINE_mod, f, f), x, y);
	check_integers(key_of(PIM_ROUTINE_shift_left, f, f), a, b);
	check_integers(key_of(PIM_ROUTINE_shift_right, f, f), a, b);
	for (int i = 0; i < LANES; i++)
		y[i] = b[i] % (uint64_t)(f.bits + 2);
	check_integers(key_of(PIM_ROUTINE_shift_left, f, f), a, y);
	check_integers(key_of(PIM_ROUTINE_shift_right, f, f), a, y);
}

/* All pairs of bytes, in as many runs as they take. */
static void test_bytes(void)
{
	static uint64_t a[LANES], b[LANES];
	for (int first = 0; first < 65536; first += LANES) {
		for (int i = 0; i < LANES; i++) {
			a[i] = (uint64_t)(first + i) & 255;
			b[i] = (uint64_t)(first + i) >> 8;
		}
		test_integers(i8, a, b);
		test_integers(u8, a, b);
		test_quotients(i8, a, b);
		test_quotients(u8, a, b);
		check_integers(key_of(PIM_ROUTINE_mul, i8, i16), a, b);
		check_integers(key_of(PIM_ROUTINE_mul, u8, (pim_format){16, 0, false}), a, b);
		check_integers(key_of(PIM_ROUTINE_sub, u8, (pim_format){9, 0, true}), a, b);
		check_integers(key_of(PIM_ROUTINE_sub, i8, (pim_format){9, 0, true}), a, b);
	}
}

static void test_wide(void)
{
	static uint64_t a[LANES], b[LANES];
	for (int i = 0; i < LANES; i++) {
		a[i] = draw_word() >> draw_word() % 32;
		b[i] = draw_word() % 5 ? draw_word() >> draw_word() % 32 : a[i];
	}
	test_integers(i16, a, b);
	test_integers(i32, a, b);
	test_integers((pim_format){32, 0, false}, a, b);
	test_quotients(i16, a, b);
	test_quotients((pim_format){32, 0, false}, a, b);
	for (int i = 0; i < LANES; i++) {
		a[i] = ((uint64_t)draw_word() << 32 | draw_word()) >> draw_word() % 64;
		b[i] = ((uint64_t)draw_word() << 32 | draw_word()) >> draw_word() % 64;
		a[i] = draw_word() % 2 ? a[i] : 0 - a[i];
	}
	test_integers(i64, a, b);
	test_quotients(i64, a, b);
	for (int i = 0; i < LANES; i++)
		a[i] &= INT64_MAX; /* what the twin can tell of numbers without a sign */
	check_integers(
		key_of(PIM_ROUTINE_mul, (pim_format){64, 0, false}, (pim_format){64, 0, false}), a, b);
	check_integers(key_of(PIM_ROUTINE_convert, i64, i32), a, b);
	check_integers(key_of(PIM_ROUTINE_convert, i32, i64), a, b);
	check_integers(
		key_of(PIM_ROUTINE_mul, (pim_format){9, 0, true}, (pim_format){18, 0, true}), a, b);
	check_integers(key_of(PIM_ROUTINE_mul, (pim_format){17, 0, true}, i32), a, b);
	check_integers(key_of(PIM_ROUTINE_convert, (pim_format){18, 0, true}, i32), a, b);
}

static void test_choice(void)
{
	static uint64_t s[LANES], a[LANES], b[LANES], to[LANES];
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

static double float_of(uint64_t bits, pim_format f)
{
	return pim_element_get(dtype_of(f), &bits, 0);
}

static uint64_t bits_of(double v, pim_format f)
{
	uint64_t bits = 0;
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

static bool same_float(uint64_t x, uint64_t y, pim_format f)
{
	return x == y || (isnan(float_of(x, f)) && isnan(float_of(y, f)));
}

static void check_floats(pim_routine_key k, const uint64_t *a, const uint64_t *b)
{
	static uint64_t to[LANES];
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
		fprintf(stderr, "%s of %d.%d to %d: %d lanes; %08llx %08llx -> %08llx, not %08llx\n",
			pim_routine_name(k.routine), k.from.bits, k.from.exponent, k.to.bits, wrong,
			(unsigned long long)a[first], (unsigned long long)b[first],
			(unsigned long long)to[first],
			(unsigned long long)bits_of(float_twin((pim_routine)k.routine,
											float_of(a[first], k.from), float_of(b[first], k.from)),
				k.to.bits == 1 ? f32 : k.to));
	CHECK(wrong == 0);
}

/* Any bits, special values, and numbers whose exponents lie near each other. */
static uint64_t draw_float(pim_format f, uint64_t near)
{
	uint64_t mask = f.bits == 32 ? 0xffffffff : 0xffff, x = draw_word() & mask;
	int m = pim_format_fraction(f);
	uint64_t exponents = ((1u << f.exponent) - 1) << m;
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
	static uint64_t a[LANES], b[LANES];
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
	static uint64_t a[LANES], to[LANES];
	const pim_format from[] = {i8, u8, i16, i32, {32, 0, false}, i64}, into[] = {f16, bf16, f32};
	for (int i = 0; i < LANES; i++)
		a[i] = i < 256 ? (uint64_t)i : draw_word() >> draw_word() % 32;
	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 3; j++) {
			pim_routine_key k = key_of(PIM_ROUTINE_convert, from[i], into[j]);
			run(&k, a, a, a, to);
			for (int n = 0; n < LANES; n++)
				CHECK(to[n] == bits_of((double)value_of(a[n], from[i]), into[j]));
		}
}

static int64_t hold(double v, pim_format f)
{
	double high = f.sign ? ldexp(1, f.bits - 1) : ldexp(1, f.bits), low = f.sign ? -high : 0;
	if (isnan(v))
		return 0;
	if (v >= high)
		return f.sign ? INT64_MAX >> (64 - f.bits) : (int64_t)(~(uint64_t)0 >> (64 - f.bits));
	return v <= low ? (f.sign ? INT64_MIN >> (64 - f.bits) : 0) : (int64_t)v;
}

/* Towards zero, held in range; NaN is 0. */
static void test_floats_to_integers(pim_format from)
{
	static uint64_t a[LANES], to[LANES];
	const pim_format into[] = {i8, u8, i16, i32, {32, 0, false}, i64};
	for (int i = 0; i < LANES; i++)
		a[i] = draw_float(from, draw_word() & (from.bits == 32 ? 0xffffffff : 0xffff));
	for (int i = LANES / 2; i < LANES; i++)
		a[i] = bits_of((double)(int32_t)draw_word() / ldexp(1, (int)(draw_word() % 40)), from);
	for (int j = 0; j < 6; j++) {
		pim_routine_key k = key_of(PIM_ROUTINE_convert, from, into[j]);
		run(&k, a, a, a, to);
		int wrong = 0;
		for (int n = 0; n < LANES; n++)
			wrong += value_of(to[n], into[j]) != hold(float_of(a[n], from), into[j]);
		CHECK(wrong == 0);
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
	test_floats_to_integers(f16);
	test_floats_to_integers(bf16);
	test_floats_to_integers(f32);
	test_laws();
	return check_failures != 0;
}
