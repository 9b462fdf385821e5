/* SPDX-License-Identifier: Apache-2.0 */
/* integer.c - routines of integers and single bits, two's complement.
 *
 * Addition is the adder of gates.c; subtraction adds the complement with a carry. Multiplication
 * adds the first operand, shifted, for each bit of the second; the sign bit of a wider product is
 * subtracted. What wraps is never computed. */
#include <assert.h>

#include "targets/bank/bank.h"

/* Comparing numbers with a sign is comparing numbers without, the signs complemented. */
static pim_word order_word(const pim_word *a, bool sign)
{
	pim_word w = *a;
	if (sign)
		w.bit[w.n - 1] = pim_bit_not(w.bit[w.n - 1]);
	return w;
}

static pim_bit is_less(pim_bank_rows *r, const pim_word *a, const pim_word *b, bool sign)
{
	pim_word x = order_word(a, sign), y = order_word(b, sign);
	return pim_word_less(r, &x, &y);
}

/* to = a * b modulo 2^bits of to; in wider products b's sign bit counts down. */
static void multiply(
	pim_bank_rows *r, const pim_word *to, const pim_word *a, const pim_word *b, bool sign)
{
	bool wide = sign && to->n > b->n;
	pim_word x = pim_word_extend(a, to->n > a->n && sign ? to->n : a->n, sign);
	for (int i = 0; i < to->n; i++) {
		if (i < x.n && (b->n > 1 || !wide))
			pim_bank_row_and(r, to->bit[i], x.bit[i], b->bit[0]);
		else
			pim_bank_row_copy(r, to->bit[i], PIM_ROW_zero);
	}
	for (int j = 1; j < b->n && j < to->n; j++) {
		bool down = wide && j == b->n - 1;
		pim_word y = down ? pim_word_not(&x) : x;
		pim_bank_row_add_masked(r, to, j, &y, b->bit[j], down ? b->bit[j] : PIM_ROW_zero);
	}
}

pim_word pim_integer_product(pim_bank_rows *r, const pim_word *a, const pim_word *b, int bits)
{
	pim_word to = pim_word_new(r, bits);
	multiply(r, &to, a, b, false);
	return to;
}

static pim_word find_largest(
	pim_bank_rows *r, const pim_word *a, const pim_word *b, bool sign, bool smallest)
{
	pim_bit s = is_less(r, a, b, sign);
	return smallest ? pim_word_choose(r, s, a, b) : pim_word_choose(r, s, b, a);
}

static pim_word negate(pim_bank_rows *r, const pim_word *a)
{
	pim_word zero = pim_word_constant(0, a->n);
	return pim_word_difference(r, &zero, a);
}

static pim_bit is_equal(pim_bank_rows *r, const pim_word *a, const pim_word *b)
{
	pim_bit differ = PIM_ROW_zero;
	for (int i = 0; i < a->n; i++)
		differ = pim_bit_or(r, differ, pim_bit_xor(r, a->bit[i], b->bit[i]));
	return pim_bit_not(differ);
}

static pim_word each_bit(
	pim_bank_rows *r, pim_routine routine, const pim_word *a, const pim_word *b)
{
	pim_word w = {.n = a->n};
	for (int i = 0; i < a->n; i++)
		w.bit[i] = routine == PIM_ROUTINE_and	? pim_bit_and(r, a->bit[i], b->bit[i])
				   : routine == PIM_ROUTINE_or	? pim_bit_or(r, a->bit[i], b->bit[i])
				   : routine == PIM_ROUTINE_xor ? pim_bit_xor(r, a->bit[i], b->bit[i])
												: pim_bit_not(a->bit[i]);
	return w;
}

/* |a|, and whether a was negative. */
static pim_word find_size(pim_bank_rows *r, const pim_word *a, bool sign, pim_bit *negative)
{
	*negative = sign ? a->bit[a->n - 1] : PIM_ROW_zero;
	if (!sign)
		return *a;
	pim_word minus = negate(r, a);
	return pim_word_choose(r, *negative, &minus, a);
}

/* Quotient and rest of sizes, a bit of the quotient at a time: what the divisor is subtracted from
 * is kept when it borrows. A step writes its scratch rows over those of the step before the last.
 */
static pim_word divide(pim_bank_rows *r, const pim_word *a, const pim_word *b, pim_word *rest)
{
	pim_word quotient = pim_word_new(r, a->n), by = pim_word_extend(b, a->n + 1, false);
	int first = r->next, rows = 3 * (a->n + 2);
	*rest = pim_word_constant(0, a->n + 1);
	for (int i = a->n - 1; i >= 0; i--) {
		r->next = first + i % 2 * rows;
		*rest = pim_word_shifted(rest, 1, rest->n);
		rest->bit[0] = a->bit[i];
		pim_word less = pim_word_difference(r, rest, &by);
		pim_bit fits = pim_bit_not(less.bit[less.n - 1]);
		pim_bank_row_copy(r, quotient.bit[i], fits);
		*rest = pim_word_choose(r, fits, &less, rest);
		assert(r->next <= first + (i % 2 + 1) * rows);
	}
	r->next = first + 2 * rows;
	r->highest = r->next > r->highest ? r->next : r->highest;
	*rest = pim_word_part(rest, 0, a->n);
	return quotient;
}

static pim_word with_sign(pim_bank_rows *r, const pim_word *a, pim_bit negative)
{
	pim_word minus = negate(r, a);
	return pim_word_choose(r, negative, &minus, a);
}

/* Towards zero; or what is left, which b is added to where it has not b's sign. */
static pim_word divide_signed(
	pim_bank_rows *r, const pim_word *a, const pim_word *b, bool sign, pim_routine routine)
{
	pim_bit minus_a, minus_b;
	pim_word x = find_size(r, a, sign, &minus_a), y = find_size(r, b, sign, &minus_b), rest;
	pim_word quotient = divide(r, &x, &y, &rest);
	pim_bit differ = sign ? pim_bit_xor(r, minus_a, minus_b) : PIM_ROW_zero;
	if (routine == PIM_ROUTINE_div)
		return sign ? with_sign(r, &quotient, differ) : quotient;
	if (!sign)
		return rest;
	pim_bit wrong = pim_bit_and(r, differ, pim_word_any(r, &rest));
	rest = with_sign(r, &rest, minus_a);
	pim_word add = pim_word_masked(r, b, wrong);
	return pim_word_sum(r, &rest, &add, PIM_ROW_zero);
}

/* By stages of 1, 2, 4, ... bits; what is moved further than the width leaves the sign. */
static pim_word shift(
	pim_bank_rows *r, const pim_word *a, const pim_word *by, bool sign, pim_routine routine)
{
	bool left = routine == PIM_ROUTINE_shift_left;
	pim_bit fill = !left && sign ? a->bit[a->n - 1] : PIM_ROW_zero;
	pim_word x = *a, all = {.n = a->n};
	int stage = 0;
	for (; 1 << stage < a->n; stage++) {
		pim_word moved = {.n = a->n};
		for (int i = 0; i < a->n; i++) {
			int from = left ? i - (1 << stage) : i + (1 << stage);
			moved.bit[i] = from >= 0 && from < a->n ? x.bit[from] : fill;
		}
		x = pim_word_choose(r, by->bit[stage], &moved, &x);
	}
	pim_word high = pim_word_part(by, stage, by->n - stage);
	for (int i = 0; i < a->n; i++)
		all.bit[i] = fill;
	return pim_word_choose(r, pim_word_any(r, &high), &all, &x);
}

void pim_integer_write(const pim_routine_key *k, pim_bank_rows *r)
{
	bool sign = k->from.sign;
	int n = k->from.bits, wide = k->to.bits;
	pim_word to = pim_word_of(PIM_AREA_to, wide), result;
	pim_word a = pim_word_of(PIM_AREA_a, n), b = pim_word_of(PIM_AREA_b, n);
	pim_word x = pim_word_extend(&a, wide, sign), y = pim_word_extend(&b, wide, sign);
	switch ((pim_routine)k->routine) {
	case PIM_ROUTINE_add:
		pim_bank_row_add(r, &to, &x, &y, PIM_ROW_zero);
		return;
	case PIM_ROUTINE_sub:
		y = pim_word_not(&y);
		pim_bank_row_add(r, &to, &x, &y, PIM_ROW_one);
		return;
	case PIM_ROUTINE_mul:
		multiply(r, &to, &a, &b, sign);
		return;
	case PIM_ROUTINE_max:
	case PIM_ROUTINE_min:
		result = find_largest(r, &a, &b, sign, k->routine == PIM_ROUTINE_min);
		break;
	case PIM_ROUTINE_div:
	case PIM_ROUTINE_mod:
		result = divide_signed(r, &a, &b, sign, (pim_routine)k->routine);
		break;
	case PIM_ROUTINE_shift_left:
	case PIM_ROUTINE_shift_right:
		result = shift(r, &a, &b, sign, (pim_routine)k->routine);
		break;
	case PIM_ROUTINE_neg:
		result = negate(r, &a);
		break;
	case PIM_ROUTINE_abs:
		result = negate(r, &a);
		result = pim_word_choose(r, sign ? a.bit[n - 1] : PIM_ROW_zero, &result, &a);
		break;
	case PIM_ROUTINE_less:
		result = (pim_word){1, {is_less(r, &a, &b, sign)}};
		break;
	case PIM_ROUTINE_equal:
		result = (pim_word){1, {is_equal(r, &a, &b)}};
		break;
	case PIM_ROUTINE_choose:
		x = pim_word_of(PIM_AREA_c, n);
		result = pim_word_choose(r, a.bit[0], &b, &x);
		break;
	case PIM_ROUTINE_and:
	case PIM_ROUTINE_or:
	case PIM_ROUTINE_xor:
	case PIM_ROUTINE_not:
		result = each_bit(r, (pim_routine)k->routine, &a, &b);
		break;
	default: /* copy, convert, low_bits */
		result = x;
	}
	pim_word_store(r, &to, &result);
}
