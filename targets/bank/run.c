/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - row operations on real bits, 64 lanes at a time. */
#include <string.h>

#include "targets/bank/bank.h"

static uint64_t *find_row(uint64_t *const base[PIM_AREAS], int64_t words, pim_bit row)
{
	int area = (row & PIM_AREA_MASK) >> PIM_AREA_SHIFT, at = row & ((1 << PIM_AREA_SHIFT) - 1);
	return base[area] + at * words;
}

static uint64_t complement_of(pim_bit row)
{
	return row & PIM_ROW_NOT ? ~(uint64_t)0 : 0;
}

/* The value that the raised rows put on the bit lines; three of them keep it. Gives one of them. */
static const uint64_t *raise_rows(const pim_row_op *op, uint64_t *const base[], int64_t words)
{
	uint64_t *a = find_row(base, words, op->from[0]);
	if (op->from[1] == PIM_ROW_NONE)
		return a;
	uint64_t *b = find_row(base, words, op->from[1]), *c = find_row(base, words, op->from[2]);
	for (int64_t i = 0; i < words; i++)
		a[i] = b[i] = c[i] = (a[i] & b[i]) | (c[i] & (a[i] | b[i]));
	return a;
}

static void write_row(uint64_t *to, const uint64_t *from, uint64_t flip, int64_t words)
{
	if (to == from)
		return;
	for (int64_t i = 0; i < words; i++)
		to[i] = from[i] ^ flip;
}

void pim_routine_run(const pim_bank_rows *r, uint64_t *const base[PIM_AREAS], int64_t words)
{
	for (int64_t k = 0; k < r->n; k++) {
		const pim_row_op *op = &r->op[k];
		const uint64_t *value = raise_rows(op, base, words);
		for (int i = 0; i < 3 && op->to[i] != PIM_ROW_NONE; i++)
			write_row(find_row(base, words, op->to[i]), value, complement_of(op->to[i]), words);
	}
}

void pim_rows_start(uint64_t *scratch, int64_t words)
{
	memset(scratch + PIM_ROW_zero * words, 0, sizeof *scratch * (size_t)words);
	memset(scratch + PIM_ROW_one * words, 0xff, sizeof *scratch * (size_t)words);
}

/* Turns a square of 64 bits by 64 over: bit i of word k becomes bit k of word i. Blocks of 32, 16,
 * ... bits change places. */
static void transpose(uint64_t x[64])
{
	uint64_t mask = 0xffffffff;
	for (int size = 32; size; size /= 2, mask ^= mask << size)
		for (int k = 0; k < 64; k = (k + size + 1) & ~size) {
			uint64_t other = (x[k] >> size ^ x[k + size]) & mask;
			x[k] ^= other << size;
			x[k + size] ^= other;
		}
}

void pim_lanes_write(uint64_t *rows, int64_t step, int n, const uint64_t value[64])
{
	uint64_t x[64];
	memcpy(x, value, sizeof x);
	transpose(x);
	for (int b = 0; b < n; b++)
		rows[b * step] = x[b];
}

void pim_lanes_read(const uint64_t *rows, int64_t step, int n, uint64_t value[64])
{
	memset(value, 0, 64 * sizeof *value);
	for (int b = 0; b < n; b++)
		value[b] = rows[b * step];
	transpose(value);
}
