/* SPDX-License-Identifier: Apache-2.0 */
/* gates.c - row operations for single bits and for carry chains.
 *
 * An operand comes into the raised rows by one row copy; its complement, through a dual-contact
 * row, by one too. So a gate is three copies and the operation that raises the three (4 row
 * operations), exclusive or takes 6 and choosing between two bits 8. A full adder needs five: each
 * operand is copied into two rows at once; majority of a, b and the complement of the carry is x;
 * majority of a, b and the carry is the next carry, which is also copied to both dual-contact rows
 * in complement; the sum is the majority of x, that complement and the carry. The three rows of the
 * new carry and the spare ones change roles from bit to bit. Known bits cost nothing. */
#include <assert.h>

#include "ir/array.h"
#include "targets/bank/bank.h"

enum { T0, T1, T2, T3, T4, T5, D0, D1, ZERO, ONE, NOTHING = PIM_ROW_NONE, NOT = PIM_ROW_NOT };

static void add_op(pim_bank_rows *r, pim_row_op op)
{
	r->op = pim_array_grow(r->op, r->n, &r->room, sizeof *r->op);
	for (int i = 1; i < 3; i++)
		r->extra += (op.from[i] != NOTHING) + (op.to[i] != NOTHING);
	r->activations += 1 + (op.to[0] != NOTHING);
	r->op[r->n++] = op;
}

static void copy_to(pim_bank_rows *r, pim_bit from, pim_bit a, pim_bit b, pim_bit c)
{
	add_op(r, (pim_row_op){{from, NOTHING, NOTHING}, {a, b, c}});
}

/* Raises three rows; their majority goes to up to two others. */
static void vote(pim_bank_rows *r, pim_bit a, pim_bit b, pim_bit c, pim_bit to, pim_bit also)
{
	add_op(r, (pim_row_op){{a, b, c}, {to, also, NOTHING}});
}

pim_bit pim_bank_row_take(pim_bank_rows *r)
{
	int at = r->next++;
	if (r->next > r->highest)
		r->highest = r->next;
	assert(at < 1 << PIM_AREA_SHIFT);
	return (pim_bit)at;
}

static bool is_known(pim_bit a)
{
	return a == ZERO || a == ONE;
}

pim_bit pim_bit_not(pim_bit a)
{
	if (is_known(a))
		return a == ZERO ? ONE : ZERO;
	return a ^ NOT;
}

/* Copies a bit into row t, or its complement into a dual-contact row; gives the row. */
static pim_bit raise_bit(pim_bank_rows *r, pim_bit a, pim_bit t, pim_bit d)
{
	if (!(a & NOT)) {
		copy_to(r, a, t, NOTHING, NOTHING);
		return t;
	}
	copy_to(r, a ^ NOT, d | NOT, NOTHING, NOTHING);
	return d;
}

/* Copies a bit into up to three rows. */
static void raise_twice(pim_bank_rows *r, pim_bit a, pim_bit t, pim_bit u, pim_bit v)
{
	if (a & NOT) {
		copy_to(r, a ^ NOT, D0 | NOT, NOTHING, NOTHING);
		a = D0;
	}
	copy_to(r, a, t, u, v);
}

void pim_bank_row_copy(pim_bank_rows *r, pim_bit to, pim_bit from)
{
	if (from & NOT) {
		copy_to(r, from ^ NOT, D0 | NOT, NOTHING, NOTHING);
		from = D0;
	}
	copy_to(r, from, to, NOTHING, NOTHING);
}

static void vote_with(pim_bank_rows *r, pim_bit to, pim_bit a, pim_bit b, pim_bit known)
{
	pim_bit x = raise_bit(r, a, T0, D0), y = raise_bit(r, b, T1, D1);
	copy_to(r, known, T2, NOTHING, NOTHING);
	vote(r, x, y, T2, to, NOTHING);
}

static pim_bit majority_with(pim_bank_rows *r, pim_bit a, pim_bit b, pim_bit known)
{
	pim_bit to = pim_bank_row_take(r);
	vote_with(r, to, a, b, known);
	return to;
}

void pim_bank_row_and(pim_bank_rows *r, pim_bit to, pim_bit a, pim_bit b)
{
	vote_with(r, to, a, b, ZERO);
}

pim_bit pim_bit_and(pim_bank_rows *r, pim_bit a, pim_bit b)
{
	if (a == ZERO || b == ZERO || a == pim_bit_not(b))
		return ZERO;
	if (a == ONE || a == b)
		return b;
	return b == ONE ? a : majority_with(r, a, b, ZERO);
}

pim_bit pim_bit_or(pim_bank_rows *r, pim_bit a, pim_bit b)
{
	if (a == ONE || b == ONE || a == pim_bit_not(b))
		return ONE;
	if (a == ZERO || a == b)
		return b;
	return b == ZERO ? a : majority_with(r, a, b, ONE);
}

/* A full adder's sum without a carry in. */
pim_bit pim_bit_xor(pim_bank_rows *r, pim_bit a, pim_bit b)
{
	if (is_known(a))
		return a == ZERO ? b : pim_bit_not(b);
	if (is_known(b))
		return b == ZERO ? a : pim_bit_not(a);
	if ((a ^ b) == NOT || a == b)
		return a == b ? ZERO : ONE;
	pim_bit to = pim_bank_row_take(r), flag = (a ^ b) & NOT;
	copy_to(r, ZERO, T4, T5, D1 | NOT);
	copy_to(r, a & (pim_bit)~NOT, T0, T1, NOTHING);
	copy_to(r, b & (pim_bit)~NOT, T2, T3, NOTHING);
	vote(r, T0, T2, D1, NOTHING, NOTHING);
	vote(r, T1, T3, T4, D0 | NOT, NOTHING);
	vote(r, T0, D0, T5, to, NOTHING);
	return to ^ flag;
}

/* (s and a) or (not s and b), neither of a and b known. */
static pim_bit choose_unknown(pim_bank_rows *r, pim_bit s, pim_bit a, pim_bit b)
{
	if (a & b & NOT)
		return choose_unknown(r, s, a ^ NOT, b ^ NOT) ^ NOT;
	pim_bit to = pim_bank_row_take(r);
	copy_to(r, s, T0, D0 | NOT, NOTHING);
	pim_bit x = raise_bit(r, a, T1, D1);
	copy_to(r, ZERO, T2, T3, NOTHING);
	vote(r, T0, x, T2, NOTHING, NOTHING);
	pim_bit y = raise_bit(r, b, T4, D1);
	vote(r, D0, y, T3, NOTHING, NOTHING);
	copy_to(r, ONE, T5, NOTHING, NOTHING);
	vote(r, T0, D0, T5, to, NOTHING);
	return to;
}

pim_bit pim_bit_choose(pim_bank_rows *r, pim_bit s, pim_bit a, pim_bit b)
{
	if (is_known(s) || a == b)
		return s == ZERO ? b : a;
	if (s & NOT)
		return pim_bit_choose(r, s ^ NOT, b, a);
	if (is_known(a))
		return a == ZERO ? pim_bit_and(r, pim_bit_not(s), b) : pim_bit_or(r, s, b);
	if (is_known(b))
		return b == ZERO ? pim_bit_and(r, s, a) : pim_bit_or(r, pim_bit_not(s), a);
	return choose_unknown(r, s, a, b);
}

/* ---- carry chains ---- */

/* The raised rows by what they hold: two of each operand, two of the carry; D1 has its complement.
 */
typedef struct adder {
	pim_bit a[2], b[2], carry[2];
} adder;

static adder start_adder(pim_bank_rows *r, pim_bit carry)
{
	adder x = {{T0, T1}, {T2, T3}, {T4, T5}};
	raise_twice(r, carry, T4, T5, D1 | NOT);
	return x;
}

/* Both rows of each operand are filled: the sum, and the roles of the next bit. */
static void add_bit(pim_bank_rows *r, adder *x, pim_bit to)
{
	vote(r, x->a[0], x->b[0], D1, NOTHING, NOTHING);
	vote(r, x->a[1], x->b[1], x->carry[0], D0 | NOT, D1 | NOT);
	vote(r, x->a[0], D0, x->carry[1], to, NOTHING);
	pim_bit spare = x->carry[1];
	x->carry[1] = x->b[1];
	x->b[1] = spare;
}

void pim_bank_row_add(
	pim_bank_rows *r, const pim_word *to, const pim_word *a, const pim_word *b, pim_bit carry)
{
	adder x = start_adder(r, carry);
	for (int i = 0; i < to->n; i++) {
		raise_twice(r, a->bit[i], x.a[0], x.a[1], NOTHING);
		raise_twice(r, b->bit[i], x.b[0], x.b[1], NOTHING);
		add_bit(r, &x, to->bit[i]);
	}
}

pim_bit pim_bank_row_carry(pim_bank_rows *r, const pim_word *a, const pim_word *b, pim_bit carry)
{
	copy_to(r, carry, T2, NOTHING, NOTHING);
	for (int i = 0; i < a->n; i++) {
		pim_bit x = raise_bit(r, a->bit[i], T0, D0), y = raise_bit(r, b->bit[i], T1, D1);
		vote(r, x, y, T2, NOTHING, NOTHING);
	}
	pim_bit to = pim_bank_row_take(r);
	copy_to(r, T2, to, NOTHING, NOTHING);
	return to;
}

/* The masked bit needs three raised rows, of which it stands in two afterwards: 8 a bit. */
void pim_bank_row_add_masked(
	pim_bank_rows *r, const pim_word *to, int low, const pim_word *a, pim_bit bit, pim_bit carry)
{
	adder x = start_adder(r, carry);
	int n = a->n < to->n - low ? a->n : to->n - low;
	for (int i = 0; i < n; i++) {
		raise_twice(r, a->bit[i], x.a[0], NOTHING, NOTHING);
		raise_twice(r, bit, x.a[1], NOTHING, NOTHING);
		copy_to(r, ZERO, x.b[0], NOTHING, NOTHING);
		vote(r, x.a[0], x.a[1], x.b[0], NOTHING, NOTHING);
		raise_twice(r, to->bit[low + i], x.b[0], x.b[1], NOTHING);
		add_bit(r, &x, to->bit[low + i]);
	}
	if (low + n < to->n)
		copy_to(r, x.carry[0], to->bit[low + n], NOTHING, NOTHING);
}
