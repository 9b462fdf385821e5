/* SPDX-License-Identifier: Apache-2.0 */
/* move.c - one slice of an op that only moves elements: no kernel, every element goes from a home
 * of the input straight to the home of the result.
 *
 * The elements that lie in one held box of the input and in the slice's box of the result are the
 * axis points that meet 2 * rank interval constraints. They are enumerated as axis boxes: an index
 * with one term narrows its axis; one with several terms (7*f0 + f1) is a mixed-radix number and
 * cuts into the full middle and the ragged ends. Each axis box is one strided copy. */
#include <string.h>

#include "targets/tile/tile.h"

/* An index that must lie in [lo, hi). */
typedef struct constraint {
	const pim_index *index;
	int64_t lo, hi;
} constraint;

typedef struct move {
	pim_lowering *l;
	const pim_node *n;
	const pim_axes *x;
	int input;
	int n_constraints;
	constraint constraint[2 * PIM_MAX_RANK];
	const pim_held *from, *to;
	const pim_box *made; /* of the slice */
	uint8_t from_space;
	int from_unit, to_unit;
	const pim_box *part; /* of the input that is moved */
	int64_t ready;		 /* when the piece of the input is */
	bool failed;
} move;

/* Narrows axis values q to lo <= coef*q < hi; false when none is left. */
static bool narrow(pim_box *axes, int axis, int64_t coef, int64_t lo, int64_t hi)
{
	int64_t first = coef > 0 ? pim_divide_up(lo, coef) : pim_divide_up(1 - hi, -coef);
	int64_t last = coef > 0 ? pim_divide_down(hi - 1, coef) : pim_divide_down(-lo, -coef);
	if (axes->lo[axis] < first)
		axes->lo[axis] = first;
	if (axes->hi[axis] > last + 1)
		axes->hi[axis] = last + 1;
	return axes->lo[axis] < axes->hi[axis];
}

/* Byte offset of the first element and the byte step of every axis in a held box. */
static int64_t axis_strides(
	const move *m, int row, const pim_held *held, const pim_box *axes, int64_t *step)
{
	const pim_type *t = row < m->x->n_inputs ? m->n->in[row]->type : m->n->type;
	int64_t stride = (int64_t)pim_dtype_bytes(t->dtype), offset = 0;
	memset(step, 0, sizeof *step * (size_t)m->x->n_axes);
	for (int d = t->rank - 1; d >= 0; d--) {
		const pim_index *index = &m->x->map[row][d];
		offset += (index->offset - held->box.lo[d]) * stride;
		for (int k = 0; k < index->n; k++) {
			step[index->term[k].axis] += index->term[k].coef * stride;
			offset += index->term[k].coef * axes->lo[index->term[k].axis] * stride;
		}
		stride *= held->box.hi[d] - held->box.lo[d];
	}
	return offset;
}

/* Axes by falling step in the result, so that the copy writes ascending addresses. */
static int order_axes(const move *m, const pim_box *axes, const int64_t *to, int *order)
{
	int n = 0;
	for (int a = 0; a < m->x->n_axes; a++) {
		if (axes->hi[a] - axes->lo[a] == 1)
			continue;
		int at = n++;
		for (; at > 0 && to[order[at - 1]] < to[a]; at--)
			order[at] = order[at - 1];
		order[at] = a;
	}
	return n;
}

static void copy_axis_box(move *m, const pim_box *axes)
{
	int64_t from[PIM_MAX_AXES], to[PIM_MAX_AXES];
	int order[PIM_MAX_AXES];
	int64_t from_offset = axis_strides(m, m->input, m->from, axes, from);
	int64_t to_offset = axis_strides(m, m->x->n_inputs, m->to, axes, to);
	int n = order_axes(m, axes, to, order);
	pim_pattern p = {.dtype = m->n->type->dtype};
	for (int i = 0; i < n; i++) {
		if (p.rank == PIM_MAX_RANK)
			pim_pattern_simplify(&p);
		if (p.rank == PIM_MAX_RANK) {
			m->failed = true;
			pim_node_error(m->n, "the copy needs more than %d strides", PIM_MAX_RANK);
			return;
		}
		p.extent[p.rank] = axes->hi[order[i]] - axes->lo[order[i]];
		p.from[p.rank] = from[order[i]];
		p.to[p.rank++] = to[order[i]];
	}
	pim_pattern_simplify(&p);
	pim_touch source = {.space = m->from_space, .address = m->from->address + from_offset};
	pim_stream_touch(m->l, m->n->in[m->input], m->from, m->part, &source);
	pim_transfer_add(m->l, &p, m->from_unit, source, m->to_unit,
		(pim_touch){.space = PIM_SPACE_memory, .address = m->to->address + to_offset}, m->ready);
}

static void meet_constraints(move *m, int c, const pim_box *axes);

/* The axes that are there; a box has room for many more. */
static void copy_box(pim_box *to, const pim_box *from)
{
	size_t bytes = sizeof to->lo[0] * (size_t)from->n;
	to->n = from->n;
	memcpy(to->lo, from->lo, bytes);
	memcpy(to->hi, from->hi, bytes);
}

/* Terms `t` and deeper of constraint c must sum to [lo, hi). */
static void meet_terms(move *m, int c, int t, int64_t lo, int64_t hi, const pim_box *axes)
{
	const pim_index *index = m->constraint[c].index;
	if (t == index->n) {
		if (lo <= 0 && 0 < hi)
			meet_constraints(m, c + 1, axes);
		return;
	}
	int axis = index->term[t].axis;
	int64_t coef = index->term[t].coef, rest_lo = 0, rest_hi = 0;
	for (int k = t + 1; k < index->n; k++) {
		rest_lo += index->term[k].coef * axes->lo[index->term[k].axis];
		rest_hi += index->term[k].coef * (axes->hi[index->term[k].axis] - 1);
	}
	pim_box part;
	copy_box(&part, axes);
	bool any = narrow(&part, axis, coef, lo - rest_hi, hi - rest_lo);
	int64_t some_lo = part.lo[axis], some_hi = part.hi[axis];
	if (!any)
		return;
	bool any_full = narrow(&part, axis, coef, lo - rest_lo, hi - rest_hi);
	int64_t full_lo = part.lo[axis], full_hi = part.hi[axis];
	if (any_full)
		meet_constraints(m, c + 1, &part);
	for (int64_t q = some_lo; q < some_hi; q++) {
		if (any_full && q == full_lo)
			q = full_hi;
		if (q >= some_hi)
			break;
		part.lo[axis] = q;
		part.hi[axis] = q + 1;
		meet_terms(m, c, t + 1, lo - coef * q, hi - coef * q, &part);
	}
}

static void meet_constraints(move *m, int c, const pim_box *axes)
{
	if (c == m->n_constraints) {
		copy_axis_box(m, axes);
		return;
	}
	const constraint *k = &m->constraint[c];
	meet_terms(m, c, 0, k->lo - k->index->offset, k->hi - k->index->offset, axes);
}

static void move_part(move *m, const pim_box *axes, const pim_box *part)
{
	m->n_constraints = 0;
	m->part = part;
	for (int d = 0; d < m->n->type->rank; d++)
		m->constraint[m->n_constraints++] =
			(constraint){&m->x->map[m->x->n_inputs][d], m->made->lo[d], m->made->hi[d]};
	for (int d = 0; d < part->n; d++)
		m->constraint[m->n_constraints++] =
			(constraint){&m->x->map[m->input][d], part->lo[d], part->hi[d]};
	meet_constraints(m, 0, axes);
}

static void move_input(move *m, const pim_box *axes)
{
	const pim_node *value = m->n->in[m->input];
	pim_box need, part;
	pim_axes_demand(m->x, m->n, m->input, axes, &need, NULL, NULL);
	if (pim_box_empty(&need))
		return;
	pim_held held;
	m->from = &held;
	m->from_unit = m->to_unit;
	m->ready = 0;
	if (pim_is_given(value)) {
		pim_fetch(m->l, value, m->to_unit, &need, false, &held, &m->from_space);
		move_part(m, axes, &need);
		return;
	}
	m->from_space = pim_home_space(value);
	pim_sources p = pim_sources_of(m->l->target, value, &need, m->to_unit);
	for (int64_t slice; pim_sources_next(&p, &slice, &part);) {
		held = m->l->home[value->id][slice];
		m->from_unit = pim_slice_unit(value, slice);
		m->ready = pim_slice_ready(value, slice);
		move_part(m, axes, &part);
	}
}

bool pim_fetch_move(
	pim_lowering *l, const pim_node *n, const pim_axes *x, int64_t slice, const pim_box *part)
{
	move m = {.l = l,
		.n = n,
		.x = x,
		.to = &l->home[n->id][slice],
		.made = part,
		.to_unit = pim_slice_unit(n, slice)};
	pim_box axes;
	pim_axes_cover(x, part, &axes);
	for (m.input = 0; m.input < (int)n->n_in && !m.failed; m.input++)
		move_input(&m, &axes);
	return !m.failed;
}
