/* SPDX-License-Identifier: Apache-2.0 */
/* float.c - routines of binary floating point, for any number of exponent and fraction bits.
 *
 * All round to nearest, halves to even, with subnormal numbers, infinities and NaN (of one payload)
 * as IEEE 754 has them. Exponents that may leave their range are kept with 2^e added, so that they
 * are never negative. A result is finished in one place: its leading zeros are shifted out while
 * the exponent allows, what is too small is shifted down into the subnormal range, what was lost is
 * one sticky bit, and the rounding carry runs through fraction and exponent alike. Addition: the
 * smaller operand is aligned to the larger, with two more bits and the sticky bit. Division and
 * square root: one bit of the result per step, by subtraction that is kept when it does not borrow.
 */
#include "targets/bank/bank.h"

/* A float taken apart: value = significand * 2^(exponent - bias - fraction bits). */
typedef struct parts {
	pim_bit sign;
	pim_word exponent;	  /* 1 for subnormal numbers */
	pim_word significand; /* with the leading bit */
	pim_bit special;	  /* infinity or NaN */
	pim_bit fraction;	  /* any bit of the fraction */
	pim_bit zero;
} parts;

static int count_stages(int width)
{
	int stages = 0;
	while (1 << stages < width)
		stages++;
	return stages;
}

static parts take_apart(pim_bank_rows *r, const pim_word *a, pim_format f)
{
	int m = pim_format_fraction(f), e = f.exponent;
	parts p = {.sign = a->bit[f.bits - 1]};
	pim_word fraction = pim_word_part(a, 0, m);
	p.exponent = pim_word_part(a, m, e);
	p.special = pim_word_all(r, &p.exponent);
	pim_bit normal = pim_word_any(r, &p.exponent);
	p.fraction = pim_word_any(r, &fraction);
	p.zero = pim_bit_and(r, pim_bit_not(normal), pim_bit_not(p.fraction));
	p.exponent.bit[0] = pim_bit_or(r, p.exponent.bit[0], pim_bit_not(normal));
	p.significand = pim_word_extend(&fraction, m + 1, false);
	p.significand.bit[m] = normal;
	return p;
}

/* w shifted down by `by`; what falls off is kept in *sticky. */
static pim_word shift_down(pim_bank_rows *r, const pim_word *w, const pim_word *by, pim_bit *sticky)
{
	pim_word x = *w;
	for (int stage = 0; stage < by->n; stage++) {
		int step = 1 << stage < x.n ? 1 << stage : x.n;
		pim_word lost = pim_word_part(&x, 0, step), moved = pim_word_part(&x, step, x.n);
		pim_bit any = pim_word_any(r, &lost);
		*sticky = pim_bit_or(r, *sticky, pim_bit_and(r, by->bit[stage], any));
		x = pim_word_choose(r, by->bit[stage], &moved, &x);
	}
	return x;
}

/* As shift_down, by any amount: at most 2^stages > the width counts. */
static pim_word shift_far(pim_bank_rows *r, const pim_word *w, const pim_word *by, pim_bit *sticky)
{
	int stages = count_stages(w->n + 1);
	if (stages > by->n)
		stages = by->n;
	pim_word low = pim_word_part(by, 0, stages), high = pim_word_part(by, stages, by->n - stages);
	pim_bit far = pim_word_any(r, &high), any = pim_word_any(r, w);
	pim_word x = shift_down(r, w, &low, sticky);
	*sticky = pim_bit_or(r, *sticky, pim_bit_and(r, far, any));
	return pim_word_masked(r, &x, pim_bit_not(far));
}

/* e >= v */
static pim_bit is_at_least(pim_bank_rows *r, const pim_word *e, uint64_t v)
{
	pim_word other = pim_word_constant(v, e->n);
	return pim_bit_not(pim_word_less(r, e, &other));
}

/* Shifts leading zeros out, as far as the exponent stays above `floor`; 0: as far as there are. */
static void shift_up(pim_bank_rows *r, pim_word *x, pim_word *e, uint64_t floor)
{
	for (int stage = count_stages(x->n) - 1; stage >= 0; stage--) {
		int step = 1 << stage;
		if (step >= x->n)
			continue;
		pim_word top = pim_word_part(x, x->n - step, step);
		pim_bit go = pim_bit_not(pim_word_any(r, &top));
		if (floor)
			go = pim_bit_and(r, go, is_at_least(r, e, floor + (uint64_t)step));
		pim_word moved = pim_word_shifted(x, step, x->n);
		*x = pim_word_choose(r, go, &moved, x);
		pim_word by = pim_word_constant(0, e->n);
		by.bit[stage] = go;
		*e = pim_word_difference(r, e, &by);
	}
}

/* Puts a result together. e: exponent of a significand whose top bit is the leading one, in e.n
 * bits; what is `over` or more is infinite. x.n > fraction + 1; its lowest bit may be sticky. */
static pim_word round_to(pim_bank_rows *r, pim_format f, pim_bit sign, const pim_word *e,
	const pim_word *x, pim_bit sticky)
{
	int m = pim_format_fraction(f), low = x->n - 1 - m;
	pim_word rest = pim_word_part(x, 0, low - 1), value = {.n = f.bits - 1};
	pim_bit guard = x->bit[low - 1], odd = x->bit[low], top = x->bit[x->n - 1];
	pim_bit more = pim_bit_or(r, pim_word_any(r, &rest), sticky);
	pim_bit up = pim_bit_and(r, guard, pim_bit_or(r, more, odd));
	pim_bit over = is_at_least(r, e, ((uint64_t)1 << f.exponent) - 1);
	over = pim_bit_and(r, over, top);
	for (int i = 0; i < m; i++)
		value.bit[i] = pim_bit_and(r, x->bit[low + i], pim_bit_not(over));
	for (int i = 0; i < f.exponent; i++)
		value.bit[m + i] = pim_bit_or(r, pim_bit_and(r, e->bit[i], top), over);
	pim_word none = pim_word_constant(0, value.n);
	up = pim_bit_and(r, up, pim_bit_not(over));
	value = pim_word_sum(r, &value, &none, up);
	value.bit[value.n++] = sign;
	return value;
}

/* From an exponent with `zero` added, and any number of leading zeros. */
static pim_word finish_from(pim_bank_rows *r, pim_format f, pim_bit sign, pim_word e, uint64_t zero,
	pim_word x, pim_bit sticky)
{
	shift_up(r, &x, &e, zero);
	pim_bit small = pim_bit_not(is_at_least(r, &e, zero + 1));
	pim_word one = pim_word_constant(zero + 1, e.n), by = pim_word_difference(r, &one, &e);
	by = pim_word_masked(r, &by, small);
	int keep = pim_format_fraction(f) + 3;
	if (x.n < keep)
		x = pim_word_shifted(&x, keep - x.n, keep);
	if (x.n > keep) {
		pim_word lost = pim_word_part(&x, 0, x.n - keep);
		sticky = pim_bit_or(r, sticky, pim_word_any(r, &lost));
		x = pim_word_part(&x, x.n - keep, keep);
	}
	x = shift_far(r, &x, &by, &sticky);
	pim_word offset = pim_word_constant(zero, e.n);
	e = pim_word_difference(r, &e, &offset);
	return round_to(r, f, sign, &e, &x, sticky);
}

static pim_word finish(
	pim_bank_rows *r, pim_format f, pim_bit sign, pim_word e, pim_word x, pim_bit sticky)
{
	return finish_from(r, f, sign, e, (uint64_t)1 << f.exponent, x, sticky);
}

/* An infinity or a NaN instead, where these hold. */
static pim_word with_special(
	pim_bank_rows *r, const pim_word *w, pim_format f, pim_bit infinite, pim_bit nan)
{
	int m = pim_format_fraction(f);
	pim_word x = *w;
	pim_bit special = pim_bit_or(r, infinite, nan);
	for (int i = 0; i < m; i++)
		x.bit[i] = pim_bit_and(r, x.bit[i], pim_bit_not(special));
	x.bit[m - 1] = pim_bit_or(r, x.bit[m - 1], nan);
	for (int i = m; i < f.bits - 1; i++)
		x.bit[i] = pim_bit_or(r, x.bit[i], special);
	return x;
}

static pim_word with_zero(pim_bank_rows *r, const pim_word *w, pim_bit zero)
{
	pim_word x = pim_word_part(w, 0, w->n - 1);
	x = pim_word_masked(r, &x, pim_bit_not(zero));
	x.bit[x.n++] = w->bit[w->n - 1];
	return x;
}

static pim_bit is_nan(pim_bank_rows *r, const parts *p)
{
	return pim_bit_and(r, p->special, p->fraction);
}

static pim_word add_floats(pim_bank_rows *r, const pim_word *a, const pim_word *b, pim_format f)
{
	int m = pim_format_fraction(f), p = m + 1;
	pim_word x = pim_word_part(a, 0, f.bits - 1), y = pim_word_part(b, 0, f.bits - 1);
	pim_bit swap = pim_word_less(r, &x, &y);
	pim_word large = pim_word_choose(r, swap, b, a), small = pim_word_choose(r, swap, a, b);
	parts l = take_apart(r, &large, f), s = take_apart(r, &small, f);
	pim_bit minus = pim_bit_xor(r, l.sign, s.sign), sticky = PIM_ROW_zero;
	pim_word by = pim_word_difference(r, &l.exponent, &s.exponent);
	pim_word low = pim_word_shifted(&s.significand, 2, p + 2);
	low = shift_far(r, &low, &by, &sticky);
	pim_word high = pim_word_shifted(&l.significand, 3, p + 4);
	low = pim_word_shifted(&low, 1, p + 4);
	low.bit[0] = sticky;
	for (int i = 0; i < low.n; i++)
		low.bit[i] = pim_bit_xor(r, low.bit[i], minus);
	pim_word sum = pim_word_sum(r, &high, &low, minus);
	pim_word e = pim_word_extend(&l.exponent, f.exponent + 1, false);
	pim_word none = pim_word_constant(0, e.n);
	e = pim_word_sum(r, &e, &none, PIM_ROW_one);
	shift_up(r, &sum, &e, 1);
	pim_bit nothing = pim_bit_not(pim_word_any(r, &sum));
	pim_bit sign = pim_bit_and(r, l.sign, pim_bit_not(pim_bit_and(r, nothing, minus)));
	pim_word result = round_to(r, f, sign, &e, &sum, PIM_ROW_zero);
	pim_bit nan = pim_bit_and(r, pim_bit_and(r, l.special, s.special), minus);
	return with_special(r, &result, f, l.special, pim_bit_or(r, nan, is_nan(r, &l)));
}

/* a + b - bias + 1 with 2^exponent bits added. */
static pim_word join_exponents(pim_bank_rows *r, const parts *a, const parts *b, pim_format f)
{
	int n = f.exponent + 2;
	uint64_t bias = ((uint64_t)1 << (f.exponent - 1)) - 1;
	pim_word x = pim_word_extend(&a->exponent, n, false);
	pim_word y = pim_word_extend(&b->exponent, n, false);
	pim_word offset = pim_word_constant(((uint64_t)1 << f.exponent) - bias + 1, n);
	pim_word sum = pim_word_sum(r, &x, &y, PIM_ROW_zero);
	return pim_word_sum(r, &sum, &offset, PIM_ROW_zero);
}

static pim_word multiply_floats(
	pim_bank_rows *r, const pim_word *x, const pim_word *y, pim_format f)
{
	parts a = take_apart(r, x, f), b = take_apart(r, y, f);
	int p = a.significand.n;
	pim_bit sign = pim_bit_xor(r, a.sign, b.sign);
	pim_word product = pim_integer_product(r, &a.significand, &b.significand, 2 * p);
	pim_word e = join_exponents(r, &a, &b, f);
	pim_word result = finish(r, f, sign, e, product, PIM_ROW_zero);
	pim_bit infinite = pim_bit_or(r, a.special, b.special);
	pim_bit nan = pim_bit_or(r, is_nan(r, &a), is_nan(r, &b));
	pim_bit zero = pim_bit_or(r, a.zero, b.zero);
	nan = pim_bit_or(r, nan, pim_bit_and(r, infinite, zero));
	return with_special(r, &result, f, infinite, nan);
}

/* Exponent with its leading zeros taken off, in n bits and with 2^exponent bits added. */
static pim_word normalise(pim_bank_rows *r, parts *a, pim_format f, int n)
{
	pim_word e = pim_word_extend(&a->exponent, n, false);
	pim_word offset = pim_word_constant((uint64_t)1 << f.exponent, n);
	e = pim_word_sum(r, &e, &offset, PIM_ROW_zero);
	shift_up(r, &a->significand, &e, 0);
	return e;
}

/* rest - by where that is not negative; gives whether it was. */
static pim_bit subtract_if(pim_bank_rows *r, pim_word *rest, const pim_word *by)
{
	pim_word less = pim_word_difference(r, rest, by);
	pim_bit fits = pim_bit_not(less.bit[less.n - 1]);
	*rest = pim_word_choose(r, fits, &less, rest);
	return fits;
}

static pim_word divide_floats(pim_bank_rows *r, const pim_word *x, const pim_word *y, pim_format f)
{
	parts a = take_apart(r, x, f), b = take_apart(r, y, f);
	int p = a.significand.n, n = f.exponent + 3;
	pim_word ea = normalise(r, &a, f, n), eb = normalise(r, &b, f, n);
	pim_word rest = pim_word_extend(&a.significand, p + 2, false);
	pim_word by = pim_word_extend(&b.significand, p + 2, false), quotient = {.n = p + 2};
	for (int i = quotient.n - 1; i >= 0; i--) {
		quotient.bit[i] = subtract_if(r, &rest, &by);
		rest = pim_word_shifted(&rest, 1, rest.n);
	}
	pim_bit sticky = pim_word_any(r, &rest);
	uint64_t bias = ((uint64_t)1 << (f.exponent - 1)) - 1;
	pim_word offset = pim_word_constant(bias + ((uint64_t)1 << f.exponent), n);
	pim_word e = pim_word_difference(r, &ea, &eb);
	e = pim_word_sum(r, &e, &offset, PIM_ROW_zero);
	pim_bit sign = pim_bit_xor(r, a.sign, b.sign);
	pim_word result = finish(r, f, sign, e, quotient, sticky);
	result = with_zero(r, &result, pim_bit_or(r, a.zero, b.special));
	pim_bit nan = pim_bit_or(r, is_nan(r, &a), is_nan(r, &b));
	nan = pim_bit_or(r, nan, pim_bit_and(r, a.special, b.special));
	nan = pim_bit_or(r, nan, pim_bit_and(r, a.zero, b.zero));
	return with_special(r, &result, f, pim_bit_or(r, a.special, b.zero), nan);
}

/* With an even exponent the root of significand * 2^e is root(significand) * 2^(e/2). */
static pim_word find_root(pim_bank_rows *r, const pim_word *x, pim_format f)
{
	parts a = take_apart(r, x, f);
	int p = a.significand.n, n = f.exponent + 2;
	pim_word e = normalise(r, &a, f, n);
	/* the bias is odd: an odd biased exponent is an even one */
	pim_word even = pim_word_shifted(&a.significand, p + 3, 2 * p + 4);
	pim_word odd = pim_word_shifted(&a.significand, p + 4, 2 * p + 4);
	pim_word radicand = pim_word_choose(r, e.bit[0], &even, &odd);
	pim_word root = {.n = p + 2}, rest = pim_word_constant(0, p + 4);
	for (int i = 0; i < root.n; i++)
		root.bit[i] = PIM_ROW_zero;
	for (int i = p + 1; i >= 0; i--) {
		rest = pim_word_shifted(&rest, 2, rest.n);
		rest.bit[1] = radicand.bit[2 * i + 1];
		rest.bit[0] = radicand.bit[2 * i];
		pim_word found = pim_word_part(&root, i + 1, p + 1 - i);
		pim_word by = pim_word_shifted(&found, 2, rest.n);
		by.bit[0] = PIM_ROW_one;
		root.bit[i] = subtract_if(r, &rest, &by);
	}
	pim_bit sticky = pim_word_any(r, &rest);
	/* biased: (exponent + bias) / 2, rounded down */
	uint64_t bias = ((uint64_t)1 << (f.exponent - 1)) - 1;
	pim_word offset = pim_word_constant(bias, n);
	e = pim_word_sum(r, &e, &offset, PIM_ROW_zero);
	e = pim_word_part(&e, 1, n);
	offset = pim_word_constant((uint64_t)1 << (f.exponent - 1), n);
	e = pim_word_difference(r, &e, &offset);
	pim_word result = round_to(r, f, a.sign, &e, &root, sticky);
	result = with_zero(r, &result, a.zero);
	pim_bit negative = pim_bit_and(r, a.sign, pim_bit_not(a.zero));
	return with_special(r, &result, f, a.special, pim_bit_or(r, negative, is_nan(r, &a)));
}

static pim_bit float_is_nan(pim_bank_rows *r, const pim_word *a, pim_format f)
{
	int m = pim_format_fraction(f);
	pim_word fraction = pim_word_part(a, 0, m), exponent = pim_word_part(a, m, f.exponent);
	pim_bit any = pim_word_any(r, &fraction);
	return pim_bit_and(r, any, pim_word_all(r, &exponent));
}

static pim_bit float_is_less(pim_bank_rows *r, const pim_word *a, const pim_word *b, pim_format f)
{
	pim_word x = pim_word_part(a, 0, f.bits - 1), y = pim_word_part(b, 0, f.bits - 1);
	pim_bit sa = a->bit[f.bits - 1], sb = b->bit[f.bits - 1];
	pim_bit up = pim_word_less(r, &x, &y), down = pim_word_less(r, &y, &x);
	pim_bit any = pim_bit_or(r, pim_word_any(r, &x), pim_word_any(r, &y));
	pim_bit negative = pim_bit_choose(r, sb, down, any);
	pim_bit less = pim_bit_choose(r, sa, negative, pim_bit_and(r, pim_bit_not(sb), up));
	pim_bit nan = pim_bit_or(r, float_is_nan(r, a, f), float_is_nan(r, b, f));
	return pim_bit_and(r, less, pim_bit_not(nan));
}

static pim_bit float_is_equal(pim_bank_rows *r, const pim_word *a, const pim_word *b, pim_format f)
{
	pim_bit differ = PIM_ROW_zero, any = PIM_ROW_zero;
	for (int i = 0; i < f.bits; i++)
		differ = pim_bit_or(r, differ, pim_bit_xor(r, a->bit[i], b->bit[i]));
	for (int i = 0; i < f.bits - 1; i++)
		any = pim_bit_or(r, any, pim_bit_or(r, a->bit[i], b->bit[i]));
	pim_bit nan = pim_bit_or(r, float_is_nan(r, a, f), float_is_nan(r, b, f));
	pim_bit same = pim_bit_not(pim_bit_and(r, differ, any));
	return pim_bit_and(r, same, pim_bit_not(nan));
}

/* a > b or a is NaN ? a : b, as the evaluator has it; smallest: a < b. */
static pim_word float_largest(
	pim_bank_rows *r, const pim_word *a, const pim_word *b, pim_format f, bool smallest)
{
	pim_bit first = smallest ? float_is_less(r, a, b, f) : float_is_less(r, b, a, f);
	first = pim_bit_or(r, first, float_is_nan(r, a, f));
	return pim_word_choose(r, first, a, b);
}

static pim_word convert_float(pim_bank_rows *r, const pim_word *x, pim_format from, pim_format to)
{
	parts a = take_apart(r, x, from);
	int wide = from.exponent > to.exponent ? from.exponent : to.exponent, n = wide + 3;
	uint64_t bias = ((uint64_t)1 << (from.exponent - 1)) - 1;
	uint64_t other = ((uint64_t)1 << (to.exponent - 1)) - 1;
	pim_word e = pim_word_extend(&a.exponent, n, false);
	pim_word offset = pim_word_constant(((uint64_t)1 << wide) + other - bias, n);
	e = pim_word_sum(r, &e, &offset, PIM_ROW_zero);
	pim_word result =
		finish_from(r, to, a.sign, e, (uint64_t)1 << wide, a.significand, PIM_ROW_zero);
	result = with_zero(r, &result, a.zero);
	return with_special(r, &result, to, a.special, is_nan(r, &a));
}

static pim_word convert_integer(pim_bank_rows *r, const pim_word *x, pim_format from, pim_format to)
{
	pim_bit sign = from.sign ? x->bit[from.bits - 1] : PIM_ROW_zero;
	pim_word zero = pim_word_constant(0, x->n), minus = pim_word_difference(r, &zero, x);
	pim_word size = pim_word_choose(r, sign, &minus, x);
	uint64_t bias = ((uint64_t)1 << (to.exponent - 1)) - 1;
	uint64_t top = bias + (uint64_t)from.bits - 1 + ((uint64_t)1 << to.exponent);
	pim_word e = pim_word_constant(top, to.exponent + 3);
	return finish(r, to, sign, e, size, PIM_ROW_zero);
}

/* Towards zero: the significand is moved up by the exponent, as far as the integer has bits; larger
 * ones are held in its range. */
static pim_word convert_to_integer(
	pim_bank_rows *r, const pim_word *x, pim_format from, pim_format to)
{
	int m = pim_format_fraction(from), bits = to.bits - to.sign;
	uint64_t bias = ((uint64_t)1 << (from.exponent - 1)) - 1;
	parts a = take_apart(r, x, from);
	pim_word offset = pim_word_constant(bias, from.exponent);
	pim_word by = pim_word_difference(r, &a.exponent, &offset);
	pim_bit small = pim_bit_not(is_at_least(r, &a.exponent, bias)), over = PIM_ROW_zero;
	if (bias + (uint64_t)bits < (uint64_t)1 << from.exponent)
		over = is_at_least(r, &a.exponent, bias + (uint64_t)bits);
	pim_word moved = pim_word_extend(&a.significand, m + bits, false);
	for (int stage = 0; 1 << stage < bits && stage < by.n; stage++) {
		pim_word up = pim_word_shifted(&moved, 1 << stage, moved.n);
		moved = pim_word_choose(r, by.bit[stage], &up, &moved);
	}
	pim_word size = pim_word_part(&moved, m, to.bits), zero = pim_word_constant(0, to.bits);
	if (to.sign)
		size.bit[to.bits - 1] = PIM_ROW_zero;
	over = pim_bit_or(r, over, a.special);
	size = pim_word_masked(r, &size, pim_bit_not(small));
	pim_word most = pim_word_constant(~(uint64_t)0 >> (64 - bits), to.bits), least = zero;
	if (to.sign)
		least.bit[to.bits - 1] = PIM_ROW_one;
	pim_word minus = to.sign ? pim_word_difference(r, &zero, &size) : zero;
	most = pim_word_choose(r, over, &most, &size);
	least = pim_word_choose(r, over, &least, &minus);
	pim_word result = pim_word_choose(r, a.sign, &least, &most);
	return pim_word_masked(r, &result, pim_bit_not(is_nan(r, &a)));
}

static pim_word add_exponent(pim_bank_rows *r, const pim_word *a, const pim_word *by, pim_format f)
{
	int m = pim_format_fraction(f);
	pim_word e = pim_word_part(a, m, f.exponent), k = pim_word_part(by, 0, f.exponent), x = *a;
	e = pim_word_sum(r, &e, &k, PIM_ROW_zero);
	for (int i = 0; i < e.n; i++)
		x.bit[m + i] = e.bit[i];
	return x;
}

static pim_word find_significand(const pim_word *a, pim_format f)
{
	pim_word x = *a, bias = pim_word_constant(((uint64_t)1 << (f.exponent - 1)) - 1, f.exponent);
	for (int i = 0; i < f.exponent; i++)
		x.bit[pim_format_fraction(f) + i] = bias.bit[i];
	x.bit[f.bits - 1] = PIM_ROW_zero;
	return x;
}

static pim_word with_sign(const pim_word *a, pim_bit sign)
{
	pim_word x = *a;
	x.bit[x.n - 1] = sign;
	return x;
}

static pim_word compute(pim_bank_rows *r, const pim_routine_key *k, const pim_word *a, pim_word *b)
{
	pim_format f = k->from;
	pim_bit top = a->bit[f.bits - 1];
	switch ((pim_routine)k->routine) {
	case PIM_ROUTINE_sub:
		*b = with_sign(b, pim_bit_not(b->bit[f.bits - 1]));
		return add_floats(r, a, b, f);
	case PIM_ROUTINE_mul:
		return multiply_floats(r, a, b, f);
	case PIM_ROUTINE_div:
		return divide_floats(r, a, b, f);
	case PIM_ROUTINE_max:
	case PIM_ROUTINE_min:
		return float_largest(r, a, b, f, k->routine == PIM_ROUTINE_min);
	case PIM_ROUTINE_neg:
		return with_sign(a, pim_bit_not(top));
	case PIM_ROUTINE_abs:
		return with_sign(a, PIM_ROW_zero);
	case PIM_ROUTINE_sqrt:
		return find_root(r, a, f);
	case PIM_ROUTINE_less:
		return (pim_word){1, {float_is_less(r, a, b, f)}};
	case PIM_ROUTINE_equal:
		return (pim_word){1, {float_is_equal(r, a, b, f)}};
	case PIM_ROUTINE_scale:
		return add_exponent(r, a, b, f);
	case PIM_ROUTINE_exponent:
		return pim_word_part(a, pim_format_fraction(f), f.exponent);
	case PIM_ROUTINE_significand:
		return find_significand(a, f);
	case PIM_ROUTINE_convert:
		if (!k->to.exponent)
			return convert_to_integer(r, a, f, k->to);
		return f.exponent ? convert_float(r, a, f, k->to) : convert_integer(r, a, f, k->to);
	default:
		return add_floats(r, a, b, f);
	}
}

void pim_float_write(const pim_routine_key *k, pim_bank_rows *r)
{
	pim_word a = pim_word_of(PIM_AREA_a, k->from.bits), b = pim_word_of(PIM_AREA_b, k->from.bits);
	pim_word to = pim_word_of(PIM_AREA_to, k->to.bits), result = compute(r, k, &a, &b);
	pim_word_store(r, &to, &result);
}
