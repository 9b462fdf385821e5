/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - row operations on real bits, 64 lanes at a time. */
#include <string.h>

#include "ir/op_rules.h"
#include "ir/wide.h"
#include "targets/bank/bank.h"

/* Rows are whole and apart from each other: loops may take many words at a time. The clones are for
 * processors with wide registers, chosen when the program starts. */
#define ALWAYS static inline __attribute__((always_inline))

ALWAYS uint64_t *find_row(uint64_t *const base[PIM_AREAS], int64_t words, pim_bit row)
{
	int area = (row & PIM_AREA_MASK) >> PIM_AREA_SHIFT, at = row & ((1 << PIM_AREA_SHIFT) - 1);
	return base[area] + at * words;
}

/* The majority of three rows, which they keep. */
ALWAYS void vote(uint64_t *restrict a, uint64_t *restrict b, uint64_t *restrict c, int64_t words)
{
	for (int64_t i = 0; i < words; i++) {
		uint64_t x = (a[i] & b[i]) | (c[i] & (a[i] | b[i]));
		a[i] = x;
		b[i] = x;
		c[i] = x;
	}
}

ALWAYS void write_row(
	uint64_t *restrict to, const uint64_t *restrict from, uint64_t flip, int64_t words)
{
	for (int64_t i = 0; i < words; i++)
		to[i] = from[i] ^ flip;
}

PIM_WIDE
static void run_rows(const pim_bank_rows *r, uint64_t *const base[PIM_AREAS], int64_t words)
{
	for (int64_t k = 0; k < r->n; k++) {
		const pim_row_op *op = &r->op[k];
		uint64_t *from = find_row(base, words, op->from[0]);
		if (op->from[1] != PIM_ROW_NONE)
			vote(from, find_row(base, words, op->from[1]), find_row(base, words, op->from[2]),
				words);
		for (int i = 0; i < 3 && op->to[i] != PIM_ROW_NONE; i++) {
			uint64_t *to = find_row(base, words, op->to[i]);
			if (to != from)
				write_row(to, from, op->to[i] & PIM_ROW_NOT ? ~(uint64_t)0 : 0, words);
		}
	}
}

void pim_routine_run(const pim_bank_rows *r, uint64_t *const base[PIM_AREAS], int64_t words)
{
	run_rows(r, base, words);
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
