/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_auction - the linear assignment problem where costs are hops on a grid.
 *
 * What a row costs on a unit is the sum of one figure for each coordinate, so a row of costs is
 * size[0] + size[1] + size[2] figures and never a matrix.
 * Idea:   rows without a unit bid for the one where cost and price are least, and raise its price
 *         by what it is better than the next, and by epsilon; who stood there bids again. Prices
 *         only rise, so what a row knows of the least of a line of units (equal y and z) stays a
 *         lower bound, and a bid looks at a few lines only. Epsilon falls from round to round.
 *         Units left over are held by rows that cost nothing anywhere.
 * Ends:   within rows * epsilon of the optimum; the prices give the bound. Epsilon stays above what
 *         doubles can tell apart in the largest cost: whole numbers are solved exactly as long as
 *         rows times the largest cost is below 2^46 or so.
 * Source: auction with epsilon scaling after Bertsekas (Annals of OR 14, 1988); lines are ours. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ir/wide.h"
#include "passes/assignment_core.h"

typedef struct auction {
	const pim_grid_costs *g;
	int n, width, lines, units; /* n: rows, with those that cost nothing */
	double *price;				/* [unit], of units that cannot be had: infinite */
	double *known;				/* [row * lines + line]: none of the line is cheaper */
	int *owner, *unit;			/* [unit]: row or -1; [row] */
	int *queue;
	double *nothing; /* zeros, as many as a line has units and as there are lines */
	int64_t steps;
} auction;

/* The cheapest of some units, and the price of the next. */
typedef struct offer {
	double least, next;
	int unit;
} offer;

/* Those that cost nothing know the same. */
static double *known_of(const auction *a, int row)
{
	return a->known + (size_t)(row < a->g->rows ? row : a->g->rows) * (size_t)a->lines;
}

static const double *costs_of(const auction *a, int row)
{
	const int *size = a->g->size;
	return a->g->cost + (size_t)row * (size_t)(size[0] + size[1] + size[2]);
}

static double smaller(double a, double b)
{
	return a < b ? a : b;
}

static double larger(double a, double b)
{
	return a < b ? b : a;
}

enum { LANES = 8 };
typedef double lanes __attribute__((vector_size(8 * LANES)));
typedef int64_t masks __attribute__((vector_size(8 * LANES)));
#define PICK(mask, yes, no) ((lanes)(((mask) & (masks)(yes)) | (~(mask) & (masks)(no))))

/* The two least of a[i] + b[i], lane by lane, without a branch that depends on them; then the first
 * i that has the least. */
PIM_WIDE
static offer find_two_least(const double *a, const double *b, int n)
{
	double least = INFINITY, next = INFINITY;
	lanes l = least - (lanes){0}, m = l, x, y;
	int i = 0;
	for (; i + LANES <= n; i += LANES) {
		memcpy(&x, a + i, sizeof x);
		memcpy(&y, b + i, sizeof y);
		x += y;
		masks below = x < l;
		lanes worse = PICK(below, l, x);
		masks second = worse < m;
		l = PICK(below, x, l);
		m = PICK(second, worse, m);
	}
	for (int k = 0; k < LANES; k++) {
		next = smaller(smaller(next, m[k]), larger(least, l[k]));
		least = smaller(least, l[k]);
	}
	for (; i < n; i++) {
		next = smaller(next, larger(least, a[i] + b[i]));
		least = smaller(least, a[i] + b[i]);
	}
	for (i = 0; a[i] + b[i] > least;)
		i++;
	return (offer){least, next, i};
}

static offer look_at_line(const auction *a, int row, int line)
{
	const double *price = a->price + (size_t)line * (size_t)a->width;
	const double *along = row < a->g->rows ? costs_of(a, row) : a->nothing, *y = along + a->width;
	double base =
		row < a->g->rows ? y[line % a->g->size[1]] + y[a->g->size[1] + line / a->g->size[1]] : 0;
	offer o = find_two_least(price, along, a->width);
	return (offer){o.least + base, o.next + base, line * a->width + o.unit};
}

/* The unit that is cheapest for the row, and what no other unit is cheaper than. */
static offer look_around(auction *a, int row)
{
	double *known = known_of(a, row);
	for (;;) {
		offer line = find_two_least(known, a->nothing, a->lines);
		a->steps += a->lines + a->width;
		offer o = look_at_line(a, row, line.unit);
		known[line.unit] = o.least;
		if (o.least <= line.next) {
			o.next = smaller(line.next, o.next);
			return o;
		}
	}
}

static void bid_until_all_stand(auction *a, double epsilon)
{
	int waiting = a->n, head = 0;
	memset(a->owner, -1, sizeof *a->owner * (size_t)a->units);
	for (int i = 0; i < a->n; i++)
		a->queue[i] = i;
	while (waiting > 0) {
		int row = a->queue[head];
		offer o = look_around(a, row);
		int old = a->owner[o.unit];
		a->price[o.unit] += epsilon + (o.next < INFINITY ? o.next - o.least : 0);
		a->owner[o.unit] = row;
		a->unit[row] = o.unit;
		if (old >= 0)
			a->queue[head] = old;
		else {
			waiting--;
			head++;
		}
	}
}

/* Of all rows: the largest difference of two costs, and the largest cost. */
typedef struct reach {
	double widest, largest;
} reach;

static reach measure_rows(const pim_grid_costs *g)
{
	reach most = {0};
	int all = g->size[0] + g->size[1] + g->size[2];
	for (int i = 0; i < g->rows; i++) {
		const double *f = g->cost + (size_t)i * (size_t)all;
		double range = 0, cost = 0;
		for (int d = 0; d < 3; f += g->size[d++]) {
			double low = f[0], high = f[0];
			for (int k = 1; k < g->size[d]; k++) {
				low = smaller(low, f[k]);
				high = larger(high, f[k]);
			}
			range += high - low;
			cost += larger(fabs(low), fabs(high));
		}
		most.widest = larger(most.widest, range);
		most.largest = larger(most.largest, cost);
	}
	return most;
}

static double cost_on(const pim_grid_costs *g, int row, int unit)
{
	const double *f = g->cost + (size_t)row * (size_t)(g->size[0] + g->size[1] + g->size[2]);
	int line = unit / g->size[0];
	return f[unit % g->size[0]] + f[g->size[0] + line % g->size[1]] +
		   f[g->size[0] + g->size[1] + line / g->size[1]];
}

/* Each row at its cheapest unit with the prices, less all prices; and less what rounding may have
 * added to so many figures. */
static double bound_by_prices(auction *a)
{
	double bound = 0, all = 0;
	for (int i = 0; i < a->n; i++) {
		double least = look_around(a, i).least;
		bound += least;
		all += fabs(least);
	}
	for (int u = 0; u < a->units; u++) {
		double price = a->price[u] < INFINITY ? a->price[u] : 0;
		bound -= price;
		all += price;
	}
	return bound - 2 * a->n * DBL_EPSILON * all;
}

static double cost_of_rows(const auction *a)
{
	double cost = 0;
	for (int i = 0; i < a->g->rows; i++)
		cost += cost_on(a->g, i, a->unit[i]);
	return cost;
}

/* Without prices the cheapest of a line is that of any line. */
static void know_lines(auction *a, int row)
{
	const int *size = a->g->size;
	const double *along = costs_of(a, row), *y = along + size[0], *z = y + size[1];
	double least = along[0], *known = known_of(a, row);
	for (int x = 1; x < size[0]; x++)
		least = smaller(least, along[x]);
	for (int k = 0; k < a->lines; k++)
		known[k] = least + y[k % size[1]] + z[k / size[1]];
}

static auction start(const pim_grid_costs *g, int *unit, pim_arena *scratch)
{
	int lines = g->size[1] * g->size[2], units = g->size[0] * lines;
	auction a = {.g = g, .width = g->size[0], .lines = lines, .units = units};
	a.price = PIM_NEW(scratch, double, units);
	for (int u = 0; u < units; u++) {
		a.n += !g->taken[u];
		a.price[u] = g->taken[u] ? INFINITY : 0;
	}
	a.known = PIM_NEW(scratch, double, (size_t)(g->rows + 1) * (size_t)lines);
	a.owner = PIM_NEW(scratch, int, units);
	a.unit = unit;
	a.queue = PIM_NEW(scratch, int, a.n);
	a.nothing = PIM_NEW(scratch, double, a.width > lines ? a.width : lines);
	for (int i = 0; i < g->rows; i++)
		know_lines(&a, i);
	return a;
}

/* Rows on the units that are cheapest without prices; false if two want the same. */
static bool stand_at_once(auction *a)
{
	memset(a->owner, -1, sizeof *a->owner * (size_t)a->units);
	for (int i = 0; i < a->g->rows; i++) {
		a->unit[i] = look_around(a, i).unit;
		if (a->owner[a->unit[i]] >= 0)
			return false;
		a->owner[a->unit[i]] = i;
	}
	for (int u = 0, i = a->g->rows; u < a->units; u++)
		if (a->owner[u] < 0 && !a->g->taken[u])
			a->unit[i++] = u;
	return true;
}

pim_auction_answer pim_auction(const pim_grid_costs *g, double tolerance, int *unit)
{
	pim_arena *scratch = pim_arena_new();
	auction a = start(g, unit, scratch);
	reach rows = measure_rows(g);
	/* Whole numbers: less than 1 above the bound is the least. An epsilon that is lost in the last
	 * digits of costs would raise no price, and nobody would ever give way. */
	double least = larger(0.5 / (a.n + 1), 16 * DBL_EPSILON * rows.largest);
	double epsilon = rows.widest / 64;
	pim_auction_answer answer = {0};
	if (stand_at_once(&a)) {
		answer.cost = answer.bound = cost_of_rows(&a);
	} else {
		double gap;
		do {
			epsilon = larger(epsilon, least);
			bid_until_all_stand(&a, epsilon);
			answer.cost = cost_of_rows(&a);
			answer.bound = fmin(bound_by_prices(&a), answer.cost);
			gap = answer.cost - answer.bound;
			epsilon /= 6;
		} while (gap > tolerance * answer.cost && gap >= 1 && 6 * epsilon > least);
	}
	answer.steps = a.steps;
	pim_arena_free(scratch);
	return answer;
}
