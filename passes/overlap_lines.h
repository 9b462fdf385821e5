/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap_lines.h - copies of two items as points on few parallel lines.
 *
 * overlap_pack.c chooses copies of two items at a time: x and y of them are the points of a plane,
 * and a direction (a, -b) without common divisor makes lines b x + a y = number of them. A line is
 * a first point and up to `most` times the direction: a new item, small where the direction is
 * chosen well, in place of two. */
#ifndef PIM_PASSES_OVERLAP_LINES_H
#define PIM_PASSES_OVERLAP_LINES_H

#include "passes/overlap.h"

/* `most` copies at most, each of `size` >= 1 and worth `gain`; gain by size; size of all copies. */
typedef struct pim_item {
	int64_t size, gain, most;
	double rate, reach;
} pim_item;

/* a copies of x more and b of y less take `size` >= 0 more and gain `gain`; inverse * b = 1 mod a.
 * b = 0: a line is a number of copies of y, x is left as it is. */
typedef struct pim_lines {
	pim_item x, y;
	bool turned; /* x is the other one */
	int64_t a, b, inverse, size, gain;
} pim_lines;

/* Those that a region of good packs meets fewest of. It is as long as the room that copies of both
 * can exchange, and as wide as the room that others can take instead of them. */
typedef struct pim_play {
	double exchanged, taken;
} pim_play;
pim_lines pim_lines_of(const pim_item *one, const pim_item *other, pim_play r);

/* The point of a line with the least size, and how often the direction may be added to it. */
typedef struct pim_line_start {
	int64_t size, gain, most;
} pim_line_start;
bool pim_line_at(const pim_lines *l, int64_t number, pim_line_start *s); /* false: no point */
/* The same of all real points, whatever the number. */
typedef struct pim_line_bound {
	double size, gain, most;
} pim_line_bound;
bool pim_line_bounds(const pim_lines *l, double number, pim_line_bound *s);

#endif
