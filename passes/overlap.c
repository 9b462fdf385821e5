/* SPDX-License-Identifier: Apache-2.0 */
/* overlap - ready steps of boxes in closed form.
 *
 * An element's sum is final at step 1 + R0 + sum over result axes of f(index), where
 *     f(x) = sum over the temporal loops of the axis of weight * ((x / inner) mod count)
 * and R0 is the largest f of the other axes, where the sum is final. A box is ready when
 * its last element is; the maximum separates by axes, and along one axis over lo..hi it is
 *     g(lo, hi) = max( f(hi), max over the axis's loops of f(x) for x = floor(hi/inner)*inner - 1
 * >= lo ) since any smaller index first differs from hi in one digit: lower that digit by one and
 * let all deeper digits be largest. The upper corner alone is not enough: a spatial loop outside a
 * temporal one makes later steps stand at smaller indices. Pieces that lie whole in a range differ
 * by one index at most, and a longer one is no sooner ready.
 * Cost: loops of the axis. Source: the idea of Fast-OverlaPIM (arXiv
 * 2407.00604); this exact form is ours. */
#include "passes/overlap.h"

#include <assert.h>

int64_t pim_spaces_piece_start(const pim_spaces *s, int axis, int64_t piece)
{
	return piece * s->size[axis] / s->pieces[axis];
}

int64_t pim_spaces_piece_with(const pim_spaces *s, int axis, int64_t index)
{
	return ((index + 1) * s->pieces[axis] - 1) / s->size[axis];
}

/* inner and weight from the innermost loop outwards. */
static void weigh_digits(pim_spaces *s)
{
	int64_t inner[PIM_MAX_AXES];
	s->steps = s->places = 1;
	for (int a = 0; a < s->n_axes; a++)
		inner[a] = s->tile[a];
	for (int i = s->n - 1; i >= 0; i--) {
		pim_digit *d = &s->digit[i];
		d->inner = inner[d->axis];
		inner[d->axis] *= d->piece ? 1 : d->count;
		d->weight = d->spatial ? 0 : s->steps;
		*(d->spatial ? &s->places : &s->steps) *= d->count;
	}
}

static void list_turns(pim_spaces *s, int axis, pim_arena *a)
{
	int n = 0;
	for (int i = 0; i < s->n; i++)
		n += s->digit[i].axis == axis && !s->digit[i].piece;
	pim_turn *turn = PIM_NEW(a, pim_turn, n);
	s->n_turns[axis] = n;
	s->turn[axis] = turn;
	int64_t inside = 0;
	for (int i = s->n - 1; i >= 0; i--) {
		const pim_digit *d = &s->digit[i];
		if (d->axis != axis || d->piece)
			continue;
		turn[--n] = (pim_turn){d->inner, d->weight, inside};
		inside += d->weight * (d->count - 1);
	}
}

pim_spaces *pim_spaces_new(int n_axes, const int64_t *size, const int64_t *tile, const bool *result,
	int n, const pim_loop *loop, pim_arena *a)
{
	assert(n_axes <= PIM_MAX_AXES && n <= PIM_MAX_DIGITS);
	pim_spaces *s = PIM_NEW(a, pim_spaces, 1);
	s->n_axes = n_axes;
	s->n = n;
	s->digit = PIM_NEW(a, pim_digit, n);
	for (int i = 0; i < n_axes; i++) {
		s->size[i] = size[i];
		s->tile[i] = tile[i];
		s->result[i] = result[i];
	}
	for (int i = 0; i < n; i++) {
		int axis = loop[i].axis;
		bool piece = loop[i].spatial && !s->pieces[axis];
		s->digit[i] = (pim_digit){
			.axis = axis, .count = loop[i].count, .spatial = loop[i].spatial, .piece = piece};
		if (!s->pieces[axis])
			s->pieces[axis] = piece ? loop[i].count : 1;
	}
	for (int i = 0; i < n_axes; i++)
		s->pieces[i] = s->pieces[i] ? s->pieces[i] : 1;
	weigh_digits(s);
	for (int i = 0; i < n_axes; i++)
		list_turns(s, i, a);
	for (int i = 0; i < n_axes; i++)
		s->last += result[i] ? 0 : pim_spaces_axis_ready(s, i, 0, size[i]);
	return s;
}

pim_spaces *pim_spaces_of(const pim_node *n, const pim_axes *x, pim_arena *a)
{
	int64_t size[PIM_MAX_AXES];
	bool result[PIM_MAX_AXES] = {false};
	for (int i = 0; i < x->n_axes; i++)
		size[i] = x->axis[i].size;
	for (int d = 0; d < n->type->rank; d++)
		for (int t = 0; t < x->map[x->n_inputs][d].n; t++)
			result[x->map[x->n_inputs][d].term[t].axis] = true;
	const pim_nest *nest = n->plan ? n->plan->nest : NULL;
	if (!nest)
		return pim_spaces_new(x->n_axes, size, size, result, 0, NULL, a);
	return pim_spaces_new(x->n_axes, size, nest->tile, result, nest->n, nest->loop, a);
}

void pim_spaces_digits(const pim_spaces *s, int64_t place, int64_t step, int64_t *digit)
{
	for (int i = s->n - 1; i >= 0; i--) {
		int64_t *from = s->digit[i].spatial ? &place : &step;
		digit[i] = *from % s->digit[i].count;
		*from /= s->digit[i].count;
	}
}

bool pim_spaces_box(const pim_spaces *s, int64_t place, int64_t step, pim_box *axes)
{
	int64_t piece[PIM_MAX_AXES] = {0};
	axes->n = s->n_axes;
	for (int a = 0; a < s->n_axes; a++)
		axes->lo[a] = 0;
	for (int i = s->n - 1; i >= 0; i--) {
		const pim_digit *d = &s->digit[i];
		int64_t *from = d->spatial ? &place : &step, value = *from % d->count;
		*from /= d->count;
		if (d->piece)
			piece[d->axis] = value;
		else
			axes->lo[d->axis] += value * d->inner;
	}
	bool any = true;
	for (int a = 0; a < s->n_axes; a++) {
		int64_t end = pim_spaces_piece_start(s, a, piece[a] + 1);
		axes->lo[a] += pim_spaces_piece_start(s, a, piece[a]);
		axes->hi[a] = axes->lo[a] + s->tile[a] < end ? axes->lo[a] + s->tile[a] : end;
		any = any && axes->lo[a] < axes->hi[a];
	}
	return any;
}

bool pim_spaces_part(
	const pim_spaces *s, int n, const int *digit, const int64_t *value, pim_box *axes)
{
	int64_t end[PIM_MAX_AXES];
	axes->n = s->n_axes;
	for (int a = 0; a < s->n_axes; a++) {
		axes->lo[a] = 0;
		axes->hi[a] = end[a] = s->size[a];
	}
	for (int k = 0; k < n; k++) {
		const pim_digit *d = &s->digit[digit[k]];
		int64_t start =
			d->piece ? pim_spaces_piece_start(s, d->axis, value[k]) : value[k] * d->inner;
		end[d->axis] = d->piece ? pim_spaces_piece_start(s, d->axis, value[k] + 1) : end[d->axis];
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

/* g(lo, hi) of the text above, both counted from the start of one piece. Where the digits of lo and
 * hi differ for the first time, and at every digit of hi inside it that is not 0, the index before
 * the last turn is a candidate. */
static inline pim_latest find_latest(const pim_spaces *s, int axis, int64_t lo, int64_t hi)
{
	const pim_turn *t = s->turn[axis], *end = t + s->n_turns[axis];
	int64_t sum = 0, rest = hi;
	pim_latest most = {0, hi};
	for (bool apart = false; t < end; t++) {
		int64_t last = rest / t->stride, first = apart ? 0 : lo / t->stride;
		rest -= last * t->stride;
		lo -= first * t->stride;
		if (first < last && sum + (last - 1) * t->weight + t->inside > most.steps)
			most = (pim_latest){sum + (last - 1) * t->weight + t->inside, hi - rest - 1};
		apart = apart || first < last;
		sum += last * t->weight;
	}
	return sum >= most.steps ? (pim_latest){sum, hi} : most;
}

int64_t pim_spaces_piece_ready(const pim_spaces *s, int axis, int64_t lo, int64_t hi)
{
	return find_latest(s, axis, lo, hi - 1).steps;
}

/* Of lo..hi-1 in a piece. */
static pim_latest find_in_piece(
	const pim_spaces *s, int axis, int64_t piece, int64_t lo, int64_t hi)
{
	int64_t start = pim_spaces_piece_start(s, axis, piece);
	pim_latest l = find_latest(s, axis, lo - start, hi - 1 - start);
	l.index += start;
	return l;
}

/* Of the pieces first..last, all of them whole, one with the latest step: the first of those that
 * are longer by one, of which there is one more behind piece n if n + 1 pieces have more of what is
 * left of size / pieces than n. */
static pim_latest find_in_pieces(const pim_spaces *s, int axis, int64_t first, int64_t last)
{
	int64_t pieces = s->pieces[axis], more = s->size[axis] % pieces;
	int64_t longer = more ? pim_divide_up((first * more / pieces + 1) * pieces, more) - 1 : first;
	int64_t piece = longer <= last ? longer : first;
	return find_in_piece(s, axis, piece, pim_spaces_piece_start(s, axis, piece),
		pim_spaces_piece_start(s, axis, piece + 1));
}

pim_latest pim_spaces_axis_latest(const pim_spaces *s, int axis, int64_t lo, int64_t hi)
{
	if (s->pieces[axis] == 1)
		return find_latest(s, axis, lo, hi - 1);
	int64_t first = pim_spaces_piece_with(s, axis, lo),
			last = pim_spaces_piece_with(s, axis, hi - 1);
	if (first == last)
		return find_in_piece(s, axis, first, lo, hi);
	pim_latest most = find_in_piece(s, axis, first, lo, pim_spaces_piece_start(s, axis, first + 1));
	pim_latest tail = find_in_piece(s, axis, last, pim_spaces_piece_start(s, axis, last), hi);
	most = tail.steps > most.steps ? tail : most;
	if (first + 1 == last)
		return most;
	pim_latest middle = find_in_pieces(s, axis, first + 1, last - 1);
	return middle.steps > most.steps ? middle : most;
}

int64_t pim_spaces_axis_ready(const pim_spaces *s, int axis, int64_t lo, int64_t hi)
{
	return pim_spaces_axis_latest(s, axis, lo, hi).steps;
}

int64_t pim_spaces_ready(const pim_spaces *s, const pim_box *axes)
{
	int64_t ready = 1 + s->last;
	for (int a = 0; a < s->n_axes; a++) {
		if (!s->result[a])
			continue;
		if (axes->lo[a] >= axes->hi[a])
			return 0;
		ready += pim_spaces_axis_ready(s, a, axes->lo[a], axes->hi[a]);
	}
	return ready;
}
