/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_lines - the direction of two items in which good packs lie on few lines.
 *
 * Let p and q be the sizes of two items and (u, v) a direction: u copies of the one for v of the
 * other, which changes the room by d = |u p - v q|. A region of packs that exchanges room E between
 * the two and leaves room T to others meets about
 *
 *     E d / (p q)  +  T v / p
 *
 * lines of that direction: the first falls, the second rises along the steps of Euclid's algorithm
 * on p and q, whose directions leave less room than any with smaller numbers. So the best is found
 * where the second alone is above the least sum. (1, 0) and (0, 1) are copies of one item alone.
 * Cost: steps of Euclid's algorithm, logarithmic in the sizes. Source: the width of a flat body
 * along a lattice direction is what integer programming in fixed dimension rests on (Lenstra 1983);
 * two items at a time, by Euclid's directions, is ours. */
#include "passes/overlap_lines.h"

#include <math.h>

/* size = one * size_one - other * size_other >= 0, or minus that. */
typedef struct direction {
	int64_t one, other, size;
	bool minus;
} direction;

static direction next_direction(direction u, direction v)
{
	int64_t times = u.size / v.size;
	return (direction){
		u.one + times * v.one, u.other + times * v.other, u.size - times * v.size, !v.minus};
}

/* v and the direction before it have the determinant 1 or -1, as v changes the room one way or the
 * other: the one before tells the inverse. */
static pim_lines lines_along(
	const pim_item *one, const pim_item *other, direction v, direction before)
{
	pim_lines l = {.x = *one, .y = *other, .a = v.one, .b = v.other, .turned = v.minus};
	if (v.minus)
		l = (pim_lines){.x = *other, .y = *one, .a = v.other, .b = v.one, .turned = true};
	l.inverse = l.a - (v.minus ? before.other : before.one) % l.a;
	l.size = v.size;
	l.gain = l.a * l.x.gain - l.b * l.y.gain;
	return l;
}

/* A line of another direction has one point only; products of copies stay small. */
static bool fits(direction v, const pim_item *one, const pim_item *other)
{
	return v.one <= pim_min(one->most, INT32_MAX) && v.other <= pim_min(other->most, INT32_MAX);
}

pim_lines pim_lines_of(const pim_item *one, const pim_item *other, pim_play r)
{
	double along = r.exchanged / ((double)one->size * (double)other->size);
	double across = r.taken / (double)one->size, least;
	direction u = {1, 0, one->size, false}, v = {0, 1, other->size, true};
	direction best = u, before = v;
	least = along * (double)u.size;
	while (fits(v, one, other) && (double)v.other * across < least) {
		double width = along * (double)v.size + across * (double)v.other;
		if (width < least) {
			least = width;
			best = v;
			before = u;
		}
		if (v.size == 0)
			break;
		direction next = next_direction(u, v);
		u = v;
		v = next;
	}
	return lines_along(one, other, best, before);
}

bool pim_line_at(const pim_lines *l, int64_t number, pim_line_start *s)
{
	int64_t x = number % l->a * l->inverse % l->a, more = number - l->a * l->y.most;
	if (l->b == 0 && more > 0)
		return false;
	int64_t least = more > 0 ? pim_divide_up(more, l->b) : 0;
	if (least > x)
		x += pim_divide_up(least - x, l->a) * l->a;
	if (x > l->x.most || l->b * x > number)
		return false;
	int64_t y = (number - l->b * x) / l->a, most = (l->x.most - x) / l->a;
	s->most = l->b ? pim_min(most, y / l->b) : most;
	s->size = x * l->x.size + y * l->y.size;
	s->gain = x * l->x.gain + y * l->y.gain;
	return true;
}

bool pim_line_bounds(const pim_lines *l, double number, pim_line_bound *s)
{
	double a = (double)l->a, b = (double)l->b, more = number - a * (double)l->y.most;
	if (l->b == 0 && more > 0)
		return false;
	double x = more > 0 ? more / b : 0, y = (number - b * x) / a;
	if (y < 0 || x > (double)l->x.most)
		return false;
	double most = ((double)l->x.most - x) / a;
	s->most = l->b ? fmin(most, y / b) : most;
	s->size = x * (double)l->x.size + y * (double)l->y.size;
	s->gain = x * (double)l->x.gain + y * (double)l->y.gain;
	return true;
}
