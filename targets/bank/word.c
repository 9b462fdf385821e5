/* SPDX-License-Identifier: Apache-2.0 */
/* word.c - words of bits: moving bits about is free, since a word only names its rows. */
#include <assert.h>

#include "targets/bank/bank.h"

pim_word pim_word_new(pim_bank_rows *r, int n)
{
	pim_word w = {.n = n};
	assert(n <= PIM_MOST_BITS);
	for (int i = 0; i < n; i++)
		w.bit[i] = pim_bank_row_take(r);
	return w;
}

pim_word pim_word_of(pim_area area, int n)
{
	pim_word w = {.n = n};
	for (int i = 0; i < n; i++)
		w.bit[i] = (pim_bit)((int)area << PIM_AREA_SHIFT | i);
	return w;
}

pim_word pim_word_part(const pim_word *w, int low, int n)
{
	pim_word part = {.n = n};
	for (int i = 0; i < n; i++)
		part.bit[i] = low + i < w->n ? w->bit[low + i] : PIM_ROW_zero;
	return part;
}

pim_word pim_word_constant(uint64_t v, int n)
{
	pim_word w = {.n = n};
	for (int i = 0; i < n; i++)
		w.bit[i] = i < 64 && v >> i & 1 ? PIM_ROW_one : PIM_ROW_zero;
	return w;
}

pim_word pim_word_extend(const pim_word *w, int n, bool sign)
{
	pim_word wide = pim_word_part(w, 0, n);
	for (int i = w->n; i < n && sign; i++)
		wide.bit[i] = w->bit[w->n - 1];
	return wide;
}

pim_word pim_word_shifted(const pim_word *w, int up, int n)
{
	pim_word s = {.n = n};
	for (int i = 0; i < n; i++)
		s.bit[i] = i >= up && i - up < w->n ? w->bit[i - up] : PIM_ROW_zero;
	return s;
}

pim_word pim_word_not(const pim_word *w)
{
	pim_word x = {.n = w->n};
	for (int i = 0; i < w->n; i++)
		x.bit[i] = pim_bit_not(w->bit[i]);
	return x;
}

pim_word pim_word_sum(pim_bank_rows *r, const pim_word *a, const pim_word *b, pim_bit carry)
{
	pim_word to = pim_word_new(r, a->n);
	pim_bank_row_add(r, &to, a, b, carry);
	return to;
}

pim_word pim_word_difference(pim_bank_rows *r, const pim_word *a, const pim_word *b)
{
	pim_word other = pim_word_not(b);
	return pim_word_sum(r, a, &other, PIM_ROW_one);
}

pim_word pim_word_choose(pim_bank_rows *r, pim_bit s, const pim_word *a, const pim_word *b)
{
	pim_word w = {.n = a->n};
	for (int i = 0; i < a->n; i++)
		w.bit[i] = pim_bit_choose(r, s, a->bit[i], b->bit[i]);
	return w;
}

pim_word pim_word_masked(pim_bank_rows *r, const pim_word *a, pim_bit s)
{
	pim_word w = {.n = a->n};
	for (int i = 0; i < a->n; i++)
		w.bit[i] = pim_bit_and(r, a->bit[i], s);
	return w;
}

pim_bit pim_word_any(pim_bank_rows *r, const pim_word *a)
{
	pim_bit any = PIM_ROW_zero;
	for (int i = 0; i < a->n; i++)
		any = pim_bit_or(r, any, a->bit[i]);
	return any;
}

pim_bit pim_word_all(pim_bank_rows *r, const pim_word *a)
{
	pim_bit all = PIM_ROW_one;
	for (int i = 0; i < a->n; i++)
		all = pim_bit_and(r, all, a->bit[i]);
	return all;
}

/* a + not b + 1 carries out when a >= b. */
pim_bit pim_word_less(pim_bank_rows *r, const pim_word *a, const pim_word *b)
{
	pim_word other = pim_word_not(b);
	return pim_bit_not(pim_bank_row_carry(r, a, &other, PIM_ROW_one));
}

void pim_word_store(pim_bank_rows *r, const pim_word *to, const pim_word *from)
{
	for (int i = 0; i < to->n; i++)
		pim_bank_row_copy(r, to->bit[i], from->bit[i]);
}
