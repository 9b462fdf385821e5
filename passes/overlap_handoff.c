/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_handoff - ready steps of all of a consumer's spaces from one small table per dimension.
 *
 * The box that a space reads is separable: dimension d of the input depends on the axes in its
 * index only, and its part of the ready step on the producer's axes in that dimension only. So a
 * table over the positions of those consumer axes, filled by asking the op itself (pim_axes_demand,
 * with all other axes in full), gives the part of every space; positions are linear in the nest's
 * digits. Cost: sum, not product, of the positions. */
#include "passes/overlap.h"

typedef struct builder {
	const pim_node *n, *v;
	const pim_axes *x, *y;
	const pim_spaces *consumer, *producer;
	int input;
} builder;

static bool reads_axis(const builder *b, int dim, int axis)
{
	const pim_index *index = &b->x->map[b->input][dim];
	for (int t = 0; t < index->n; t++)
		if (index->term[t].axis == axis)
			return true;
	return false;
}

/* Positions in the table of dimension d; coef[i] by digit, 0 for digits of other axes. */
static int64_t number_positions(const builder *b, int dim, int64_t *coef)
{
	int64_t positions = 1;
	for (int i = b->consumer->n - 1; i >= 0; i--) {
		const pim_digit *d = &b->consumer->digit[i];
		coef[i] = reads_axis(b, dim, d->axis) ? positions : 0;
		positions *= coef[i] ? d->count : 1;
	}
	return positions;
}

/* The axis box at one position: axes without digits there in full. */
static bool box_at(const builder *b, const int64_t *coef, int64_t position, pim_box *axes)
{
	const pim_spaces *s = b->consumer;
	int64_t end[PIM_MAX_AXES];
	axes->n = s->n_axes;
	for (int a = 0; a < s->n_axes; a++) {
		axes->lo[a] = 0;
		axes->hi[a] = end[a] = s->size[a];
	}
	for (int i = 0; i < s->n; i++) {
		const pim_digit *d = &s->digit[i];
		if (!coef[i])
			continue;
		int64_t value = position / coef[i] % d->count;
		int64_t start = d->piece ? value * s->size[d->axis] / d->count : value * d->inner;
		end[d->axis] = d->piece ? (value + 1) * s->size[d->axis] / d->count : end[d->axis];
		axes->lo[d->axis] += start;
		axes->hi[d->axis] = axes->lo[d->axis] + s->tile[d->axis];
	}
	bool any = true;
	for (int a = 0; a < s->n_axes; a++) {
		axes->hi[a] = axes->hi[a] < end[a] ? axes->hi[a] : end[a];
		any = any && axes->lo[a] < axes->hi[a];
	}
	return any;
}

/* The part of dimension d when indices lo..hi of it are needed. */
static int64_t part_of(const builder *b, int dim, int64_t lo, int64_t hi)
{
	pim_box box = pim_box_of(b->v->type), axes;
	box.lo[dim] = lo;
	box.hi[dim] = hi;
	pim_axes_cover(b->y, &box, &axes);
	const pim_index *index = &b->y->map[b->y->n_inputs][dim];
	int64_t part = 0;
	for (int t = 0; t < index->n; t++) {
		int axis = index->term[t].axis;
		part += pim_spaces_axis_ready(b->producer, axis, axes.lo[axis], axes.hi[axis]);
	}
	return part;
}

static void fill_table(
	const builder *b, int dim, const int64_t *coef, int64_t positions, int64_t *table)
{
	for (int64_t k = 0; k < positions; k++) {
		pim_box axes, need;
		table[k] = -1;
		if (!box_at(b, coef, k, &axes))
			continue;
		pim_axes_demand(b->x, b->n, b->input, &axes, &need, NULL, NULL);
		if (need.lo[dim] < need.hi[dim])
			table[k] = part_of(b, dim, need.lo[dim], need.hi[dim]);
	}
}

pim_handoff pim_handoff_new(const pim_node *n, int input, const pim_axes *x,
	const pim_spaces *consumer, const pim_node *v, const pim_axes *y, const pim_spaces *p,
	pim_arena *a)
{
	builder b = {
		.n = n, .v = v, .x = x, .y = y, .consumer = consumer, .producer = p, .input = input};
	pim_handoff e = {.producer = p, .n_tables = v->type->rank, .constant = 1 + p->last};
	for (int d = 0; d < e.n_tables; d++) {
		e.coef[d] = PIM_NEW(a, int64_t, consumer->n + 1);
		int64_t positions = x->whole && x->whole[input] ? 1 : number_positions(&b, d, e.coef[d]);
		e.table[d] = PIM_NEW(a, int64_t, positions);
		fill_table(&b, d, e.coef[d], positions, e.table[d]);
	}
	return e;
}

int64_t pim_handoff_ready(const pim_handoff *e, const pim_spaces *consumer, const int64_t *digit)
{
	int64_t ready = e->constant;
	for (int d = 0; d < e->n_tables; d++) {
		int64_t at = 0;
		for (int i = 0; i < consumer->n; i++)
			at += digit[i] * e->coef[d][i];
		if (e->table[d][at] < 0)
			return 0;
		ready += e->table[d][at];
	}
	return ready;
}
