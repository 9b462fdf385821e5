/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - what a bank does, slot by slot and command by command.
 *
 * cost.c counts slots without listing them; here they are listed, for whoever wants to look (pimsim
 * --trace) and for the tests, which hold both against each other. */
#include <stdlib.h>

#include "targets/bank/bank.h"

const char *pim_dram_name(int kind)
{
	static const char *const names[] = {
#define DRAM(name, help) #name,
#include "targets/bank/dram.def"
	};
	return names[kind];
}

/* ---- commands of a slot ---- */

typedef struct slot {
	const pim_target *t;
	int unit;
	int64_t start, offset; /* offset: of the bank in its channel, number */
	pim_dram_visit *visit;
	void *user;
} slot;

static void give(const slot *s, int64_t at, pim_dram_kind kind, int n, const int32_t *row)
{
	pim_dram_command c = {s->start + at, s->unit, (uint8_t)kind, (uint8_t)n, 1, {0}};
	for (int i = 0; i < n; i++)
		c.row[i] = row[i];
	s->visit(s->user, &c);
}

static int count_rows(const int32_t row[3])
{
	int n = 0;
	while (n < 3 && row[n] >= 0)
		n++;
	return n;
}

static void operate(const slot *s, const pim_slot_work *w)
{
	const pim_bank_grid *g = s->t->bank.grid;
	give(s, 0, PIM_DRAM_ACT, count_rows(w->from), w->from);
	if (count_rows(w->to))
		give(s, g->second * g->turn, PIM_DRAM_ACT, count_rows(w->to), w->to);
	give(s, pim_bank_close(g, s->offset, g->turns), PIM_DRAM_PRE, 0, NULL);
}

static void access_row(const slot *s, const pim_slot_work *w, int64_t turn, int32_t row)
{
	const pim_target *t = s->t;
	const pim_bank_grid *g = t->bank.grid;
	int64_t turns = pim_access_turns(t, w->access, w->bytes), at = turn * g->turn;
	give(s, at, PIM_DRAM_ACT, 1, &row);
	for (int64_t i = 0; i < pim_divide_up(w->bytes, t->bank.burst_bytes); i++)
		give(s, at + t->bank.trcd + i * t->bank.tccd,
			w->access == PIM_ACCESS_read ? PIM_DRAM_RD : PIM_DRAM_WR, 1, &row);
	give(s, at + pim_bank_close(g, s->offset, turns), PIM_DRAM_PRE, 0, NULL);
}

void pim_slot_commands(const pim_target *t, int unit, int64_t k, const pim_slot_work *w,
	pim_dram_visit *visit, void *user)
{
	int64_t bank = unit % t->bank.grid->banks;
	slot s = {t, unit, pim_slot_start(t->bank.grid, bank, k), bank, visit, user};
	if (w->operation)
		operate(&s, w);
	else
		for (int i = 0; i < w->n; i++)
			access_row(&s, w, i * pim_access_turns(t, w->access, w->bytes), w->from[i]);
}

/* ---- slots of accesses ---- */

typedef struct listing {
	const pim_target *t;
	const pim_micro *m;
	pim_slot_visit *visit;
	void *user;
} listing;

/* n rows of so many bytes each: row from, from + 1 ... of those that begin at `first`, modulo
 * `wrap`. */
static void access_rows(const listing *l, pim_access access, int64_t first, int64_t wrap,
	int64_t from, int64_t n, int64_t bytes)
{
	int64_t most = pim_access_most(l->t, access), pieces = pim_divide_up(bytes, most);
	int64_t size = bytes < most ? bytes : most;
	int64_t each = pieces > 1 ? 1 : pim_access_each(l->t, access, size);
	pim_slot_work w = {.access = access, .bytes = size};
	for (int64_t i = 0; i < n; i++)
		for (int64_t p = 0; p < pieces; p++) {
			w.bytes = p + 1 < pieces ? size : bytes - p * most;
			w.from[w.n++] = (int32_t)(first + (from + i) % wrap);
			if (w.n == each || i + 1 == n) {
				l->visit(l->user, &w);
				w.n = 0;
			}
		}
}

static void access_elements(const listing *l, pim_access access, pim_row_place at, int64_t bytes)
{
	int64_t row = l->t->bank.columns / 8, rows = pim_divide_up(at.bytes, row), rest = bytes % row;
	rows += rows == 0;
	access_rows(l, access, at.row, rows, 0, bytes / row, row);
	if (rest)
		access_rows(l, access, at.row, rows, bytes / row, 1, rest);
}

void pim_element_visit(const pim_target *t, pim_access access, pim_row_place at, int64_t bytes,
	pim_slot_visit *visit, void *user)
{
	access_elements(&(listing){t, NULL, visit, user}, access, at, bytes);
}

void pim_copy_slots(
	const pim_target *t, pim_row_place from, pim_row_place to, pim_slot_visit *visit, void *user)
{
	int64_t rows = pim_divide_up(from.bytes, t->bank.columns / 8);
	for (int64_t i = 0; i < rows; i++) {
		pim_slot_work w = {.operation = true, .from = {(int32_t)(from.row + i), -1, -1}};
		w.to[0] = (int32_t)(to.row + i);
		w.to[1] = w.to[2] = -1;
		visit(user, &w);
	}
}

/* ---- slots of micro-programs ---- */

static int64_t find_compute(const pim_target *t)
{
	return t->bank.rows - t->bank.compute_rows;
}

static int64_t find_register(const listing *l, int reg)
{
	return find_compute(l->t) + l->m->scratch + l->m->first_row[reg];
}

static int32_t find_row(const int64_t base[PIM_AREAS], pim_bit row)
{
	if (row == PIM_ROW_NONE)
		return -1;
	int area = (row & PIM_AREA_MASK) >> PIM_AREA_SHIFT, at = row & ((1 << PIM_AREA_SHIFT) - 1);
	return (int32_t)(base[area] + at) | (row & PIM_ROW_NOT ? PIM_DRAM_NOT : 0);
}

static void list_call(const listing *l, const pim_step *s)
{
	int64_t base[PIM_AREAS] = {find_compute(l->t), find_register(l, s->to), find_register(l, s->a),
		find_register(l, s->b), find_register(l, s->c)};
	pim_bank_rows r;
	if (!pim_routine_write(&s->key, &r))
		PIM_BUG("no routine %s", pim_routine_name(s->key.routine));
	for (int64_t i = 0; i < r.n; i++) {
		pim_slot_work w = {.operation = true};
		for (int k = 0; k < 3; k++) {
			w.from[k] = find_row(base, r.op[i].from[k]);
			w.to[k] = find_row(base, r.op[i].to[k]);
		}
		l->visit(l->user, &w);
	}
	free(r.op);
}

static void list_set(const listing *l, const pim_step *s)
{
	for (int b = 0; b < s->key.to.bits; b++) {
		int row = s->value >> b & 1 ? PIM_ROW_one : PIM_ROW_zero;
		pim_slot_work w = {.operation = true, .from = {0, -1, -1}, .to = {0, -1, -1}};
		w.from[0] = (int32_t)(find_compute(l->t) + row);
		w.to[0] = (int32_t)(find_register(l, s->to) + b);
		l->visit(l->user, &w);
	}
}

static void list_columns(const listing *l, const pim_step *s, const pim_row_place *operand)
{
	pim_column_step c = pim_step_columns(l->m, s);
	int which = s->code == PIM_STEP_scatter ? (int)l->m->op->n_in : s->operand;
	if (c.rows_read)
		access_rows(
			l, PIM_ACCESS_read, find_register(l, s->a), c.rows_read, 0, c.rows_read, c.row_bytes);
	if (c.read)
		access_elements(l, PIM_ACCESS_read, operand[which], c.read);
	if (c.rows_written)
		access_rows(l, PIM_ACCESS_write, find_register(l, s->to), c.rows_written, 0, c.rows_written,
			c.row_bytes);
	if (c.written)
		access_elements(l, PIM_ACCESS_write, operand[which], c.written);
}

static void list_step(const listing *l, const pim_step *s, const pim_row_place *operand)
{
	switch ((pim_step_code)s->code) {
	case PIM_STEP_call:
		list_call(l, s);
		break;
	case PIM_STEP_set:
		list_set(l, s);
		break;
	case PIM_STEP_repeat:
	case PIM_STEP_end:
		break;
	default:
		list_columns(l, s, operand);
	}
}

void pim_micro_slots(const pim_target *t, const pim_micro *m, const pim_row_place *operand,
	pim_slot_visit *visit, void *user)
{
	listing l = {t, m, visit, user};
	for (int64_t wave = 0; wave < m->waves; wave++)
		for (int i = 0; i < m->n; i++) {
			int first = i;
			int64_t rounds = m->step[i].code == PIM_STEP_repeat ? m->rounds : 1;
			for (int64_t r = 0; r < rounds; r++)
				for (i = first; rounds > 1 && m->step[i].code != PIM_STEP_end; i++)
					list_step(&l, &m->step[i], operand);
			list_step(&l, &m->step[i], operand);
		}
}
