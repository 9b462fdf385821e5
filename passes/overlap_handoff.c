/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_handoff - ready steps of all of a consumer's spaces from one small table per dimension.
 *
 * The box that a space reads is separable: dimension d of the input depends on the axes in its
 * index only, and its part of the ready step on the producer's axes in that dimension only. So a
 * table over the positions of those consumer axes gives the part of every space; positions are
 * linear in the nest's digits, so that a walk over spaces moves from entry to entry. Cost: sum, not
 * product, of the positions; of the walk, a few additions for each space. */
#include "passes/overlap.h"

#include <string.h>

/* The part of what reads nothing: no sum with it is positive. */
#define NOTHING (INT64_MIN / (2 * PIM_MAX_RANK))

static bool reads_axis(const pim_pair_dim *d, int axis)
{
	for (int t = 0; t < d->read.n && !d->read_whole; t++)
		if (d->read.term[t].axis == axis)
			return true;
	return false;
}

/* Positions in the table of a dimension; coef[i] by digit, 0 for digits of other axes. */
static int64_t number_positions(const pim_pair *e, int dim, int64_t *coef)
{
	int64_t positions = 1;
	for (int i = e->consumer->n - 1; i >= 0; i--) {
		const pim_digit *d = &e->consumer->digit[i];
		coef[i] = reads_axis(&e->dim[dim], d->axis) ? positions : 0;
		positions *= coef[i] ? d->count : 1;
	}
	return positions;
}

/* The axis box at one position: axes without digits there in full. */
static bool box_at(const pim_spaces *s, const int64_t *coef, int64_t position, pim_box *axes)
{
	int n = 0, digit[PIM_MAX_DIGITS];
	int64_t value[PIM_MAX_DIGITS];
	for (int i = 0; i < s->n; i++)
		if (coef[i]) {
			digit[n] = i;
			value[n++] = position / coef[i] % s->digit[i].count;
		}
	return pim_spaces_part(s, n, digit, value, axes);
}

static void fill_table(
	const pim_pair *e, int dim, const int64_t *coef, int64_t positions, int64_t *table)
{
	for (int64_t k = 0; k < positions; k++) {
		pim_box axes;
		int64_t lo, hi;
		bool any = box_at(e->consumer, coef, k, &axes) && pim_pair_need(e, dim, &axes, &lo, &hi);
		table[k] = any ? pim_pair_part(e, dim, lo, hi) : NOTHING;
	}
}

pim_handoff pim_handoff_new(const pim_pair *e, pim_arena *a)
{
	pim_handoff h = {.producer = e->producer, .n_tables = e->n, .constant = 1 + e->producer->last};
	for (int d = 0; d < e->n; d++) {
		h.coef[d] = PIM_NEW(a, int64_t, e->consumer->n + 1);
		int64_t positions = number_positions(e, d, h.coef[d]);
		h.table[d] = PIM_NEW(a, int64_t, positions);
		fill_table(e, d, h.coef[d], positions, h.table[d]);
	}
	return h;
}

int64_t pim_handoff_ready(const pim_handoff *e, const pim_spaces *consumer, const int64_t *digit)
{
	int64_t ready = e->constant;
	for (int d = 0; d < e->n_tables; d++) {
		int64_t at = 0;
		for (int i = 0; i < consumer->n; i++)
			at += digit[i] * e->coef[d][i];
		ready += e->table[d][at];
	}
	return ready > 0 ? ready : 0;
}

/* A walk over the steps of one place: where it stands in each table. */
typedef struct walk {
	const pim_handoff *e;
	int n, digit[PIM_MAX_DIGITS]; /* temporal digits, outer to inner */
	int64_t count[PIM_MAX_DIGITS], value[PIM_MAX_DIGITS];
	const int64_t *at[PIM_MAX_RANK];
} walk;

static void start_walk(walk *w, const pim_spaces *s, int64_t place)
{
	memset(w->value, 0, sizeof w->value);
	for (int d = 0; d < w->e->n_tables; d++)
		w->at[d] = w->e->table[d];
	for (int i = s->n - 1; i >= 0; i--) {
		if (!s->digit[i].spatial)
			continue;
		for (int d = 0; d < w->e->n_tables; d++)
			w->at[d] += place % s->digit[i].count * w->e->coef[d][i];
		place /= s->digit[i].count;
	}
}

/* Adds `by` to a digit. */
static void move_walk(walk *w, int k, int64_t by)
{
	for (int d = 0; d < w->e->n_tables; d++)
		w->at[d] += by * w->e->coef[d][w->digit[k]];
}

/* To the next value of the digits outside the innermost; false after the last. */
static bool next_row(walk *w)
{
	for (int k = w->n - 2; k >= 0; k--) {
		if (++w->value[k] < w->count[k]) {
			move_walk(w, k, 1);
			return true;
		}
		w->value[k] = 0;
		move_walk(w, k, 1 - w->count[k]);
	}
	return false;
}

/* The largest ready * made - step * used along the innermost digit. */
static int64_t best_of_row(const walk *w, int64_t made, int64_t used)
{
	int n = w->e->n_tables, last = w->n - 1, moving = 0;
	int64_t fixed = w->e->constant, count = w->n ? w->count[last] : 1, best = NOTHING;
	const int64_t *at[PIM_MAX_RANK];
	int64_t by[PIM_MAX_RANK];
	for (int d = 0; d < n; d++) {
		int64_t coef = w->n ? w->e->coef[d][w->digit[last]] : 0;
		if (coef && count > 1) {
			at[moving] = w->at[d];
			by[moving++] = coef;
		} else {
			fixed += *w->at[d];
		}
	}
	for (int64_t i = 0; i < (moving ? count : 1); i++) {
		int64_t ready = fixed;
		for (int d = 0; d < moving; d++)
			ready += at[d][i * by[d]];
		int64_t value = ready > 0 ? ready * made - i * used : NOTHING;
		best = value > best ? value : best;
	}
	return best;
}

int64_t pim_handoff_finish(
	const pim_handoff *e, const pim_spaces *consumer, int64_t made, int64_t used)
{
	walk w = {.e = e};
	for (int i = 0; i < consumer->n; i++)
		if (!consumer->digit[i].spatial) {
			w.digit[w.n] = i;
			w.count[w.n++] = consumer->digit[i].count;
		}
	int64_t latest = 0, row = w.n ? w.count[w.n - 1] : 1;
	for (int64_t place = 0; place < consumer->places; place++) {
		int64_t step = 0;
		start_walk(&w, consumer, place);
		do {
			int64_t value = best_of_row(&w, made, used) - step * used;
			latest = value > latest ? value : latest;
			step += row;
		} while (next_row(&w));
	}
	return latest + consumer->steps * used;
}
