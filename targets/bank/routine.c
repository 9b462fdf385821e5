/* SPDX-License-Identifier: Apache-2.0 */
/* routine.c - the table of routines, and their scratch rows.
 *
 * Gates take a new scratch row each. When a routine is complete, its scratch rows are given
 * numbers again: a row whose last reader has run is used again by the next writer. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/bank/bank.h"

const char *pim_routine_name(int i)
{
	static const char *const names[] = {
#define ROUTINE(name, operands, help) #name,
#include "targets/bank/routines.def"
	};
	return names[i];
}

bool pim_format_of(pim_dtype t, pim_format *f)
{
	static const struct {
		pim_dtype dtype;
		pim_format format;
	} known[] = {
		{PIM_DTYPE_f32, {32, 8, true}},
		{PIM_DTYPE_f16, {16, 5, true}},
		{PIM_DTYPE_bf16, {16, 8, true}},
		{PIM_DTYPE_i64, {64, 0, true}},
		{PIM_DTYPE_u64, {64, 0, false}},
		{PIM_DTYPE_i32, {32, 0, true}},
		{PIM_DTYPE_i16, {16, 0, true}},
		{PIM_DTYPE_i8, {8, 0, true}},
		{PIM_DTYPE_u32, {32, 0, false}},
		{PIM_DTYPE_u16, {16, 0, false}},
		{PIM_DTYPE_u8, {8, 0, false}},
		{PIM_DTYPE_bool, {8, 0, false}},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].dtype == t) {
			*f = known[i].format;
			return true;
		}
	return false;
}

uint64_t pim_format_encode(pim_format f, double value)
{
	uint64_t bits = 0, all = ~(uint64_t)0 >> (64 - f.bits);
	if (!f.exponent && f.sign)
		return (value >= 0x1p63 ? (uint64_t)INT64_MAX : (uint64_t)(int64_t)value) & all;
	if (!f.exponent && value >= 0)
		return (value >= 0x1p64 ? all : (uint64_t)value) & all;
	if (!f.exponent)
		return (uint64_t)(int64_t)value & all;
	pim_dtype t = f.bits == 32 ? PIM_DTYPE_f32 : f.exponent == 8 ? PIM_DTYPE_bf16 : PIM_DTYPE_f16;
	pim_element_set(t, &bits, 0, value);
	return bits;
}

static bool is_by_bits(int routine)
{
	return routine == PIM_ROUTINE_copy || routine == PIM_ROUTINE_choose ||
		   routine == PIM_ROUTINE_and || routine == PIM_ROUTINE_or || routine == PIM_ROUTINE_xor ||
		   routine == PIM_ROUTINE_not || routine == PIM_ROUTINE_low_bits;
}

static bool is_shift(int routine)
{
	return routine == PIM_ROUTINE_shift_left || routine == PIM_ROUTINE_shift_right;
}

bool pim_routine_exists(const pim_routine_key *k)
{
	int routine = k->routine;
	bool by_float = k->from.exponent || k->to.exponent;
	if (is_by_bits(routine))
		return true;
	if (routine == PIM_ROUTINE_convert)
		return true;
	if (routine == PIM_ROUTINE_exponent)
		return k->from.exponent > 0 && k->from.exponent <= k->to.bits && !k->to.exponent;
	if (by_float)
		return k->from.exponent > 0 && routine != PIM_ROUTINE_mod && !is_shift(routine);
	return routine != PIM_ROUTINE_significand && routine != PIM_ROUTINE_sqrt &&
		   routine != PIM_ROUTINE_scale;
}

/* ---- scratch rows ---- */

static bool is_scratch(pim_bit row)
{
	pim_bit plain = row & (pim_bit)~PIM_ROW_NOT;
	return plain != PIM_ROW_NONE && plain >> PIM_AREA_SHIFT == PIM_AREA_scratch &&
		   plain >= PIM_ROW_first;
}

/* The operation that touches each scratch row last. */
static int64_t *find_last_uses(const pim_bank_rows *r)
{
	int64_t *last = pim_array_raw(r->highest + 1, sizeof *last);
	memset(last, 0xff, sizeof *last * (size_t)(r->highest + 1));
	for (int64_t i = 0; i < r->n; i++)
		for (int k = 0; k < 3; k++) {
			pim_bit from = r->op[i].from[k], to = r->op[i].to[k];
			if (is_scratch(from))
				last[from & ~PIM_ROW_NOT] = i;
			if (is_scratch(to))
				last[to & ~PIM_ROW_NOT] = i;
		}
	return last;
}

typedef struct renaming {
	pim_bit *name; /* by old number; 0: has none */
	pim_bit *idle;
	int n_idle, next;
} renaming;

static pim_bit rename_row(renaming *x, pim_bit row)
{
	pim_bit flag = row & PIM_ROW_NOT, plain = row & (pim_bit)~PIM_ROW_NOT;
	if (!is_scratch(row))
		return row;
	if (!x->name[plain])
		x->name[plain] = x->n_idle ? x->idle[--x->n_idle] : (pim_bit)x->next++;
	return x->name[plain] | flag;
}

static void release_row(renaming *x, pim_bit row, const int64_t *last, int64_t at)
{
	pim_bit plain = row & (pim_bit)~PIM_ROW_NOT;
	if (!is_scratch(row) || last[plain] != at || !x->name[plain])
		return;
	x->idle[x->n_idle++] = x->name[plain];
	x->name[plain] = 0;
}

static void reuse_scratch(pim_bank_rows *r)
{
	int64_t *last = find_last_uses(r);
	renaming x = {.next = PIM_ROW_first};
	x.name = pim_array_new(2 * (r->highest + 1), sizeof *x.name);
	x.idle = x.name + r->highest + 1;
	for (int64_t i = 0; i < r->n; i++) {
		pim_row_op old = r->op[i];
		for (int k = 0; k < 3; k++) {
			r->op[i].from[k] = rename_row(&x, old.from[k]);
			r->op[i].to[k] = rename_row(&x, old.to[k]);
		}
		for (int k = 0; k < 3; k++) {
			release_row(&x, old.from[k], last, i);
			release_row(&x, old.to[k], last, i);
		}
	}
	r->highest = x.next;
	free(last);
	free(x.name);
}

bool pim_routine_write(const pim_routine_key *k, pim_bank_rows *r)
{
	*r = (pim_bank_rows){.next = PIM_ROW_first, .highest = PIM_ROW_first};
	if (!pim_routine_exists(k))
		return false;
	if (!is_by_bits(k->routine) && (k->from.exponent || k->to.exponent))
		pim_float_write(k, r);
	else
		pim_integer_write(k, r);
	reuse_scratch(r);
	return true;
}
