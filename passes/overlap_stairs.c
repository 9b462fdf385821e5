/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_stairs - the largest up(x + A t) - down(t) over a range of t, for two stairs.
 *
 * One step width each (S and 1; rises W and e): the largest W floor((x + A t) / S) - e t, by
 * Euclid's algorithm: take whole multiples of S out of A and x; then y = floor(..) grows slower
 * than t, only the first t (rising slope) or the last (falling) of each y can be best, so the same
 * question is asked of y with A and S exchanged. Logarithmic in S.
 *
 * Several widths: with few of the outermost steps, the range is cut where one begins, which leaves
 * stairs without them (`search_blocks`). With many, the outermost digits are a pair for Euclid once
 * all inner digits are given; these are searched by boxes. A box is worth no more than with each
 * digit of `up` at its largest rise and its smallest place, and the other way round for `down`
 * (`search_cells`). The best ones lie near a corner, all inner digits of `up` 0 and those of `down`
 * largest: any other costs at least half of what it rises, for the loops of other axes in between
 * make outer steps at least twice the inner ones (else the two loops were one stair).
 * Where the outermost steps of both meet again after few blocks, one turn of them is enough.
 * A part is left out when its ends, and the most that lies between stairs and their slope, are not
 * above the best so far. Source: ours. */
#include "passes/overlap_stairs.h"

#include <math.h>

enum { FEW_BLOCKS = 16, MOST_PARTS = 64, FEW_CELLS = 96 };

typedef struct finder {
	const pim_stairs *up, *down;
	int64_t apart, best;
} finder;

/* Digits of both stairs inside the outermost, lo..hi of each. */
typedef struct cells {
	int64_t up_lo[PIM_MAX_DIGITS], up_hi[PIM_MAX_DIGITS];
	int64_t down_lo[PIM_MAX_DIGITS], down_hi[PIM_MAX_DIGITS];
} cells;

typedef struct cuts {
	bool up, down;
} cuts;

typedef struct range {
	int64_t x, from, to, base;
} range;

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t divide_down(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

void pim_stairs_add(pim_stairs *s, int64_t width, int64_t rise)
{
	int last = s->n - 1;
	bool same = last >= 0 && s->rise[last] == s->width[last] / width * rise;
	s->n += !same;
	s->width[s->n - 1] = width;
	s->rise[s->n - 1] = rise;
}

static int64_t height(const pim_stairs *s, int first, int64_t index)
{
	int64_t sum = 0;
	for (int i = first; i < s->n; i++) {
		int64_t digit = index / s->width[i];
		sum += digit * s->rise[i];
		index -= digit * s->width[i];
	}
	return sum;
}

int64_t pim_stairs_at(const pim_stairs *s, int64_t index)
{
	return height(s, 0, index);
}

/* The largest a t + b floor((c t + d) / m) for 0 <= t < n. Exact where a and b are integers and
 * neither part is over 2^52. */
static double most_of_line(int64_t n, double a, double b, int64_t c, int64_t d, int64_t m)
{
	double base = 0, best = -INFINITY;
	for (;;) {
		int64_t turns = c / m, first = divide_down(d, m);
		a += b * (double)turns;
		c -= m * turns;
		base += b * (double)first;
		d -= m * first;
		int64_t top = (c * (n - 1) + d) / m;
		best = fmax(best, fmax(base, base + a * (double)(n - 1) + b * (double)top));
		if (!top || (a >= 0) == (b >= 0))
			return best;
		base += a < 0 ? a + b : 0;
		d = m - d - 1;
		n = top;
		double slope = a;
		int64_t width = c;
		a = b;
		b = slope;
		c = m;
		m = width;
	}
}

/* What a part of the line is worth: at its better end, and no more than at most. */
typedef struct worth {
	int64_t end, most;
} worth;

/* Between the ends the slopes of both stairs are no higher than at one of them; a stair lies below
 * its slope by less than a step. */
static worth worth_of(const finder *f, int u, int d, range r)
{
	const pim_stairs *up = f->up, *down = f->down;
	int64_t last = r.to - 1;
	int64_t begin = height(up, u, r.x + f->apart * r.from) - height(down, d, r.from);
	int64_t end = height(up, u, r.x + f->apart * last) - height(down, d, last);
	int64_t slack = (u < up->n ? up->rise[u] : 0) + (down->width[d] > 1 ? down->rise[d] : 0);
	int64_t value = r.base + larger(begin, end);
	return (worth){value, last == r.from ? value : value + slack};
}

static void search(finder *f, int u, int d, range r);

/* ---- few outermost steps ---- */

typedef struct part {
	range r;
	int64_t most;
} part;

/* Cuts the range where steps of `up`, if `cut_up`, and blocks of `down` begin. */
static void search_blocks(finder *f, int u, int d, range r, cuts c)
{
	int64_t wide = f->up->width[u], block = f->down->width[d];
	part list[MOST_PARTS];
	int n = 0;
	for (int64_t t = r.from, next; t < r.to; t = next) {
		int64_t j = c.down ? t / block : 0, z = c.up ? (r.x + f->apart * t) / wide : 0;
		int64_t end = c.up ? (wide * (z + 1) - r.x + f->apart - 1) / f->apart : r.to;
		next = c.down && (j + 1) * block < r.to ? (j + 1) * block : r.to;
		next = end < next ? end : next;
		range inner = {r.x - z * wide + f->apart * j * block, t - j * block, next - j * block,
			r.base + z * f->up->rise[u] - j * f->down->rise[d]};
		worth w = worth_of(f, u + c.up, d + c.down, inner);
		f->best = larger(f->best, w.end);
		if (w.most <= f->best)
			continue;
		if (n == MOST_PARTS)
			search(f, u + c.up, d + c.down, inner);
		else
			list[n++] = (part){inner, w.most};
	}
	for (int i = 0; i < n; i++)
		if (list[i].most > f->best)
			search(f, u + c.up, d + c.down, list[i].r);
}

/* ---- many: boxes of inner digits ---- */

static int64_t bound_of_cells(const finder *f, int u, int d, range r, const cells *c)
{
	const pim_stairs *up = f->up, *down = f->down;
	int64_t sum = r.base, x = r.x;
	for (int i = u + 1; i < up->n; i++) {
		sum += up->rise[i] * c->up_hi[i];
		x -= up->width[i] * c->up_lo[i];
	}
	for (int i = d + 1; i < down->n; i++) {
		sum -= down->rise[i] * c->down_lo[i];
		x += f->apart * down->width[i] * c->down_hi[i];
	}
	int64_t apart = f->apart * down->width[d];
	return sum - r.from * down->rise[d] +
		   most_of_line(
			   r.to - r.from, -down->rise[d], up->rise[u], apart, x + r.from * apart, up->width[u]);
}

/* r: blocks from..to-1 of the outermost stair of `down`. */
static void search_cells(finder *f, int u, int d, range r, const cells *c, int64_t bound)
{
	int64_t loose = 0;
	int digit = -1;
	bool rising = true;
	if (bound <= f->best)
		return;
	for (int i = u + 1; i < f->up->n; i++) {
		int64_t by = f->up->rise[i] * (c->up_hi[i] - c->up_lo[i]);
		digit = by > loose ? i : digit;
		loose = larger(loose, by);
	}
	for (int i = d + 1; i < f->down->n; i++) {
		int64_t by = f->down->rise[i] * (c->down_hi[i] - c->down_lo[i]);
		rising = rising && by <= loose;
		digit = by > loose ? i : digit;
		loose = larger(loose, by);
	}
	if (digit < 0) {
		f->best = bound;
		return;
	}
	cells near = *c, far = *c;
	if (rising) {
		near.up_hi[digit] = (c->up_lo[digit] + c->up_hi[digit]) / 2;
		far.up_lo[digit] = near.up_hi[digit] + 1;
	} else {
		far.down_hi[digit] = (c->down_lo[digit] + c->down_hi[digit]) / 2;
		near.down_lo[digit] = far.down_hi[digit] + 1;
	}
	int64_t bound_near = bound_of_cells(f, u, d, r, &near);
	int64_t bound_far = bound_of_cells(f, u, d, r, &far);
	bool swap = bound_far > bound_near;
	search_cells(f, u, d, r, swap ? &far : &near, swap ? bound_far : bound_near);
	search_cells(f, u, d, r, swap ? &near : &far, swap ? bound_near : bound_far);
}

/* ---- many steps of both: halves of the range ---- */

/* No part of r is worth more: the stairs inside the outermost are taken as straight lines, above
 * those of `up`, below those of `down`. Then the best t is the first of a step of `up` or the last
 * of one of `down`. */
static double bound_of_lines(const finder *f, int u, int d, range r)
{
	const pim_stairs *up = f->up, *down = f->down;
	double wide = (double)up->width[u], block = (double)down->width[d], apart = (double)f->apart;
	double climb = u + 1 < up->n ? (double)up->rise[u + 1] / (double)up->width[u + 1] : 0;
	bool inner = d + 1 < down->n;
	double cost = inner ? (double)down->rise[d + 1] / (double)down->width[d + 1] : 0;
	double slack = inner ? cost * (double)(down->width[d + 1] - 1) : 0;
	double rise = (double)up->rise[u] - climb * wide, fall = (double)down->rise[d] - cost * block;
	double slope = climb * apart - cost, most;
	int64_t last = r.to - 1, x = r.x + f->apart * r.from, end = r.x + f->apart * last;
	if (slope <= 0) {
		int64_t z = x / up->width[u], steps = end / up->width[u] - z;
		int64_t place = up->width[u] * (z + 1) - r.x;
		most = rise * (double)z - fall * (double)(r.from / down->width[d]) + slope * (double)r.from;
		if (steps > 0)
			most = fmax(most, rise * (double)(z + 1) + slope * (double)place / apart +
								  most_of_line(steps, rise + slope * wide / apart, -fall,
									  up->width[u], place, f->apart * down->width[d]));
	} else {
		int64_t j = r.from / down->width[d], blocks = last / down->width[d] - j;
		int64_t place = (j + 1) * down->width[d] - 1;
		most = rise * (double)(end / up->width[u]) - fall * (double)(last / down->width[d]) +
			   slope * (double)last;
		if (blocks > 0)
			most = fmax(
				most, -fall * (double)j + slope * (double)place +
						  most_of_line(blocks, slope * block - fall, rise,
							  f->apart * down->width[d], r.x + f->apart * place, up->width[u]));
	}
	double about = (double)r.base + climb * (double)r.x + slack + most;
	return about + 1 +
		   1e-12 * (fabs(about) + (double)height(up, u, end) + (double)height(down, d, last));
}

static void search_halves(finder *f, int u, int d, range r)
{
	range half[2] = {r, r};
	double bound[2];
	half[0].to = half[1].from = r.from + (r.to - r.from) / 2;
	for (int i = 0; i < 2; i++) {
		f->best = larger(f->best, worth_of(f, u, d, half[i]).end);
		bound[i] = bound_of_lines(f, u, d, half[i]);
	}
	for (int i = 0; i < 2; i++) {
		int k = (bound[1] > bound[0]) != (i > 0);
		if (bound[k] > (double)f->best)
			search(f, u, d, half[k]);
	}
}

/* Whole blocks of `down` by boxes; what is left at both ends has a digit less. */
static void search_whole_blocks(finder *f, int u, int d, range r)
{
	const pim_stairs *up = f->up, *down = f->down;
	int64_t block = down->width[d], first = (r.from + block - 1) / block, last = r.to / block;
	cells c;
	for (int i = u + 1; i < up->n; i++) {
		c.up_lo[i] = 0;
		c.up_hi[i] = up->width[i - 1] / up->width[i] - 1;
	}
	for (int i = d + 1; i < down->n; i++) {
		c.down_lo[i] = 0;
		c.down_hi[i] = down->width[i - 1] / down->width[i] - 1;
	}
	if (first < last) {
		range whole = {r.x, first, last, r.base};
		search_cells(f, u, d, whole, &c, bound_of_cells(f, u, d, whole, &c));
	}
	int64_t shift = f->apart * block, cost = down->rise[d];
	int64_t head = first * block < r.to ? first * block : r.to;
	if (r.from < head)
		search(f, u, d + 1,
			(range){r.x + (first - 1) * shift, r.from - (first - 1) * block,
				head - (first - 1) * block, r.base - (first - 1) * cost});
	int64_t tail = last * block > head ? last * block : head;
	if (tail < r.to)
		search(f, u, d + 1,
			(range){r.x + last * shift, tail - last * block, r.to - last * block,
				r.base - last * cost});
}

/* Combinations of the digits inside the outermost. */
static double inner_digits(const finder *f, int u, int d)
{
	double up = (double)f->up->width[u] / (double)f->up->width[f->up->n - 1];
	return up * (double)f->down->width[d];
}

/* Indices as far apart as both outermost steps have in common are worth evenly more or less, so
 * only the last of them, or the first, count. */
static range end_of_turns(const finder *f, int u, int d, range r)
{
	int64_t wide = f->up->width[u], block = f->apart * f->down->width[d], a = wide, b = block;
	while (b) {
		int64_t rest = a % b;
		a = b;
		b = rest;
	}
	int64_t turn;
	if (!pim_mul(wide / a, f->down->width[d], &turn) || turn >= r.to - r.from)
		return r;
	if (block / a * f->up->rise[u] > wide / a * f->down->rise[d])
		r.from = r.to - turn;
	else
		r.to = r.from + turn;
	return r;
}

/* The stairs from u and d on, over r. */
static void search(finder *f, int u, int d, range r)
{
	const pim_stairs *up = f->up, *down = f->down;
	if (u == up->n || r.to == r.from + 1) {
		int64_t high = height(up, u, r.x + f->apart * r.from);
		f->best = larger(f->best, r.base + high - height(down, d, r.from));
		return;
	}
	if (u + 1 == up->n && d + 1 == down->n) {
		double most = most_of_line(r.to - r.from, (double)-down->rise[d], (double)up->rise[u],
			f->apart, r.x + f->apart * r.from, up->width[u]);
		f->best = larger(f->best, r.base - r.from * down->rise[d] + (int64_t)most);
		return;
	}
	worth w = worth_of(f, u, d, r);
	f->best = larger(f->best, w.end);
	if (w.most <= f->best)
		return;
	r = end_of_turns(f, u, d, r);
	int64_t steps = f->apart * (r.to - r.from) / up->width[u],
			blocks = (r.to - r.from) / down->width[d];
	cuts c = {steps <= FEW_BLOCKS, d + 1 < down->n && blocks <= FEW_BLOCKS};
	if (c.up || c.down)
		search_blocks(f, u, d, r, c);
	else if (inner_digits(f, u, d) <= FEW_CELLS)
		search_whole_blocks(f, u, d, r);
	else
		search_halves(f, u, d, r);
}

int64_t pim_stairs_most(const pim_stairs *up, const pim_stairs *down, int64_t x, int64_t apart,
	int64_t from, int64_t to, int64_t least)
{
	finder f = {up, down, apart, least};
	if (from < to && !down->n)
		f.best = larger(least, height(up, 0, x + apart * (to - 1)));
	else if (from < to)
		search(&f, 0, 0, (range){x, from, to, 0});
	return f.best;
}
