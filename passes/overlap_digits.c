/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_digits - the best of one dimension of a pair, over digits of the axes that read it.
 *
 * For any nest; overlap_finish.c has faster ways for nearly all. The largest L1 * g - L2 * j is
 * searched by ranges of a digit, outer digits first. Where all that a range reads lies in one turn
 * around a producer's loop (stride I, weight w), moving a box by c * I adds c * w to g and nothing
 * else changes. So of digits that are delta apart, the fewest that move boxes by a multiple of I,
 * values rise or fall evenly and the best is at an end: delta digits of the range are left. Other
 * ranges are cut in two. A range is left out when its bound, L1 * g of all that it reads less L2 *
 * j of its first digit, is not above the best value so far. Cost: loops of both, times the few
 * digits that are left; never more than the positions of the axes and their halves. Source: ours.
 */
#include "passes/overlap_stairs.h"

enum { MOST_TURNS = 8 };

/* One digit of the consumer. With turn t of the producer: of digits `apart[t]` apart, each is worth
 * `gain[t]` more than the one before. */
typedef struct level {
	int axis;
	bool piece;
	int64_t count, inner, cost; /* cost: L2 * weight */
	int64_t apart[MOST_TURNS], gain[MOST_TURNS];
} level;

/* A loop of the producer: boxes within one `span` may be moved by strides of it. */
typedef struct turn {
	int64_t stride, span, weight;
} turn;

typedef struct finder {
	const pim_pair *pair;
	const pim_pair_dim *dim;
	int d, n, n_turns;
	level level[PIM_MAX_DIGITS];
	turn turn[MOST_TURNS];
	int64_t made;			   /* L1 */
	int64_t piece;			   /* elements of each piece of the producer's axis */
	pim_box axes;			   /* what the digits chosen so far leave */
	int64_t end[PIM_MAX_AXES]; /* of the pieces chosen so far */
	int64_t best;
} finder;

static int64_t divisor(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

/* Loops of the producer along the dimension, its pieces first: where they differ in size, their
 * pattern repeats and loops inside them are left out. */
static void list_turns(finder *f)
{
	const pim_index *made = &f->dim->made;
	const pim_spaces *s = f->pair->producer;
	if (f->dim->made_whole || made->n != 1 || made->term[0].coef != 1 || made->offset)
		return;
	int axis = made->term[0].axis;
	int64_t common = divisor(s->size[axis], s->pieces[axis]),
			span = s->size[axis] / s->pieces[axis];
	f->piece = span;
	if (s->pieces[axis] > 1)
		f->turn[f->n_turns++] = (turn){s->size[axis] / common, s->size[axis], 0};
	if (s->pieces[axis] != common)
		return;
	for (int i = 0; i < s->n_turns[axis] && f->n_turns < MOST_TURNS; i++) {
		const pim_turn *t = &s->turn[axis][i];
		if (t->stride >= span)
			continue;
		f->turn[f->n_turns++] = (turn){t->stride, span, t->weight};
		span = t->stride;
	}
}

static void add_level(finder *f, const pim_digit *g, int64_t coef, int64_t used)
{
	level *l = &f->level[f->n++];
	int64_t size = f->pair->consumer->size[g->axis], unit = 1, shift = coef * g->inner;
	*l = (level){.axis = g->axis,
		.piece = g->piece,
		.count = g->count,
		.inner = g->inner,
		.cost = used * g->weight};
	if (g->piece) {
		int64_t common = divisor(size, g->count);
		unit = g->count / common;
		shift = coef * (size / common);
	}
	for (int t = 0; t < f->n_turns; t++) {
		int64_t stride = f->turn[t].stride, times = stride / divisor(shift, stride);
		l->apart[t] = unit * times;
		l->gain[t] = f->made * f->turn[t].weight * (shift * times / stride) - l->cost * l->apart[t];
	}
}

static void list_levels(finder *f, int64_t used)
{
	const pim_spaces *s = f->pair->consumer;
	for (int i = 0; i < s->n; i++)
		for (int t = 0; t < f->dim->read.n && !f->dim->read_whole; t++)
			if (f->dim->read.term[t].axis == s->digit[i].axis && s->digit[i].count > 1)
				add_level(f, &s->digit[i], f->dim->read.term[t].coef, used);
}

/* An axis before any digit is chosen: as far as its loops or its tile reach. */
static void start_axis(finder *f, int axis)
{
	const pim_spaces *s = f->pair->consumer;
	int64_t reach = s->tile[axis];
	for (int i = s->n - 1; i >= 0; i--)
		if (s->digit[i].axis == axis)
			reach = s->digit[i].piece ? s->size[axis] : s->digit[i].inner * s->digit[i].count;
	f->axes.lo[axis] = 0;
	f->end[axis] = s->size[axis];
	f->axes.hi[axis] = reach < s->size[axis] ? reach : s->size[axis];
}

/* Leaves digits first..last of a level; false when they are not all full tiles. */
static bool choose(finder *f, const level *l, int64_t first, int64_t last)
{
	int64_t *lo = &f->axes.lo[l->axis], *hi = &f->axes.hi[l->axis], *end = &f->end[l->axis];
	if (!l->piece) {
		*hi = *lo + (last + 1) * l->inner;
		*lo += first * l->inner;
		bool full = *hi <= *end;
		*hi = full ? *hi : *end;
		return full;
	}
	int64_t size = f->pair->consumer->size[l->axis];
	*lo = first * size / l->count;
	*hi = *end = (last + 1) * size / l->count;
	if (first == last && *hi > *lo + l->inner)
		*hi = *lo + l->inner;
	return true;
}

/* The largest number of digits, at most `digits`, that need not be looked at otherwise; the turn.
 */
static int find_turn(const finder *f, const level *l, int64_t digits, int64_t lo, int64_t hi)
{
	int best = -1;
	for (int t = 0; t < f->n_turns; t++) {
		bool pieces = f->turn[t].span > f->piece;
		int64_t from = pieces ? lo : lo % f->piece, to = from + (hi - 1 - lo);
		if (!pieces && lo / f->piece != (hi - 1) / f->piece)
			break;
		if (from / f->turn[t].span != to / f->turn[t].span)
			break;
		if (l->apart[t] < digits && (best < 0 || l->apart[t] < l->apart[best]))
			best = t;
	}
	return best;
}

/* Is what the box of axes reads not cut off at the borders? */
static bool is_inside(const finder *f, int64_t lo, int64_t hi)
{
	int64_t width = 1, offset = f->dim->read.offset;
	for (int t = 0; t < f->dim->read.n; t++) {
		int a = f->dim->read.term[t].axis;
		int64_t coef = f->dim->read.term[t].coef, last = f->axes.hi[a] - 1;
		width += (coef < 0 ? -coef : coef) * (last - f->axes.lo[a]);
		offset += coef * (coef < 0 ? last : f->axes.lo[a]);
	}
	return lo == offset && hi - lo == width;
}

/* Digits first..last of a level, no value of which is above the bound. */
typedef struct range {
	int64_t first, last, bound, lo, hi;
	bool regular; /* full tiles, and nothing cut off at the borders */
} range;

typedef struct axis_state {
	int64_t lo, hi, end;
} axis_state;

static axis_state state_of(const finder *f, int axis)
{
	return (axis_state){f->axes.lo[axis], f->axes.hi[axis], f->end[axis]};
}

static void restore(finder *f, int axis, axis_state was)
{
	f->axes.lo[axis] = was.lo;
	f->axes.hi[axis] = was.hi;
	f->end[axis] = was.end;
}

static range probe(finder *f, const level *l, int64_t first, int64_t last, int64_t cost)
{
	axis_state was = state_of(f, l->axis);
	range r = {.first = first, .last = last, .bound = PIM_PAIR_NOTHING};
	bool full = choose(f, l, first, last);
	if (pim_pair_need(f->pair, f->d, &f->axes, &r.lo, &r.hi)) {
		int64_t part = pim_pair_part(f->pair, f->d, r.lo, r.hi);
		r.bound = f->made * part - cost - first * l->cost;
		r.regular = full && is_inside(f, r.lo, r.hi);
	}
	restore(f, l->axis, was);
	return r;
}

static void search_level(finder *f, int i, int64_t cost);

static void search_range(finder *f, int i, range r, int64_t cost)
{
	const level *l = &f->level[i];
	if (r.bound <= f->best)
		return;
	if (r.first == r.last) {
		axis_state was = state_of(f, l->axis);
		choose(f, l, r.first, r.last);
		search_level(f, i + 1, cost + r.first * l->cost);
		restore(f, l->axis, was);
		return;
	}
	int t = r.regular ? find_turn(f, l, r.last - r.first + 1, r.lo, r.hi) : -1;
	if (t >= 0) {
		int64_t first = l->gain[t] > 0 ? r.last - l->apart[t] + 1 : r.first;
		search_range(f, i, probe(f, l, first, first + l->apart[t] - 1, cost), cost);
		return;
	}
	int64_t middle = r.first + (r.last - r.first) / 2;
	range low = probe(f, l, r.first, middle, cost), high = probe(f, l, middle + 1, r.last, cost);
	bool up = high.bound > low.bound;
	search_range(f, i, up ? high : low, cost);
	search_range(f, i, up ? low : high, cost);
}

static void search_level(finder *f, int i, int64_t cost)
{
	int64_t lo, hi;
	if (i == f->n) {
		if (!pim_pair_need(f->pair, f->d, &f->axes, &lo, &hi))
			return;
		int64_t value = f->made * pim_pair_part(f->pair, f->d, lo, hi) - cost;
		f->best = value > f->best ? value : f->best;
		return;
	}
	const level *l = &f->level[i];
	int64_t rest = f->end[l->axis] - f->axes.lo[l->axis], count = l->count;
	if (!l->piece && (rest + l->inner - 1) / l->inner < count)
		count = (rest + l->inner - 1) / l->inner;
	if (count > 0)
		search_range(f, i, probe(f, l, 0, count - 1, cost), cost);
}

int64_t pim_pair_search_digits(const pim_pair *e, int d, int64_t made, int64_t used)
{
	finder f;
	f.pair = e;
	f.dim = &e->dim[d];
	f.d = d;
	f.n = f.n_turns = 0;
	f.made = made;
	f.best = PIM_PAIR_NOTHING;
	f.axes.n = e->consumer->n_axes;
	for (int t = 0; t < f.dim->read.n && !f.dim->read_whole; t++)
		start_axis(&f, f.dim->read.term[t].axis);
	list_turns(&f);
	list_levels(&f, used);
	search_level(&f, 0, 0);
	return f.best;
}
