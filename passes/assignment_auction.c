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
 * Ends:   within rows * epsilon of the optimum; the prices give the bound.
 * Source: auction with epsilon scaling after Bertsekas (Annals of OR 14, 1988); lines are ours. */
#include <math.h>
#include <string.h>

#include "passes/assignment_core.h"

typedef struct auction {
	const pim_grid_costs *g;
	int n, width, lines, units; /* n: rows, with those that cost nothing */
	double *price;				/* [unit], of units that cannot be had: infinite */
	double *known;				/* [row * lines + line]: none of the line is cheaper */
	int *owner, *unit;			/* [unit]: row or -1; [row] */
	int *queue;
	double *value; /* of the units of a line */
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

/* The two least of n values in turn, without a branch that depends on them. */
static void find_two_least(const double *value, int n, double *least, double *next)
{
	double l[4] = {INFINITY, INFINITY, INFINITY, INFINITY},
		   m[4] = {INFINITY, INFINITY, INFINITY, INFINITY};
	int i = 0;
	for (; i + 4 <= n; i += 4)
		for (int k = 0; k < 4; k++) {
			m[k] = smaller(m[k], larger(l[k], value[i + k]));
			l[k] = smaller(l[k], value[i + k]);
		}
	for (; i < n; i++) {
		m[0] = smaller(m[0], larger(l[0], value[i]));
		l[0] = smaller(l[0], value[i]);
	}
	for (int k = 1; k < 4; k++) {
		m[0] = smaller(smaller(m[0], m[k]), larger(l[0], l[k]));
		l[0] = smaller(l[0], l[k]);
	}
	*least = l[0];
	*next = m[0];
}

static offer look_at_line(auction *a, int row, int line)
{
	const double *price = a->price + (size_t)line * (size_t)a->width;
	offer o = {.unit = line * a->width};
	if (row < a->g->rows) {
		const double *along = costs_of(a, row), *y = along + a->width;
		double base = y[line % a->g->size[1]] + y[a->g->size[1] + line / a->g->size[1]];
		for (int x = 0; x < a->width; x++)
			a->value[x] = price[x] + along[x] + base;
		price = a->value;
	}
	find_two_least(price, a->width, &o.least, &o.next);
	while (price[o.unit - line * a->width] > o.least)
		o.unit++;
	return o;
}

/* The unit that is cheapest for the row, and what no other unit is cheaper than. */
static offer look_around(auction *a, int row)
{
	double *known = known_of(a, row);
	for (;;) {
		int best = 0;
		double least, next;
		find_two_least(known, a->lines, &least, &next);
		while (known[best] > least)
			best++;
		a->steps += a->lines + a->width;
		offer o = look_at_line(a, row, best);
		known[best] = o.least;
		if (o.least <= next) {
			o.next = smaller(next, o.next);
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

/* The largest difference of two costs of a row. */
static double widest_range(const pim_grid_costs *g)
{
	double widest = 0;
	int all = g->size[0] + g->size[1] + g->size[2];
	for (int i = 0; i < g->rows; i++) {
		const double *f = g->cost + (size_t)i * (size_t)all;
		double range = 0;
		for (int d = 0; d < 3; f += g->size[d++]) {
			double low = f[0], high = f[0];
			for (int k = 1; k < g->size[d]; k++) {
				low = f[k] < low ? f[k] : low;
				high = f[k] > high ? f[k] : high;
			}
			range += high - low;
		}
		widest = range > widest ? range : widest;
	}
	return widest;
}

static double cost_on(const pim_grid_costs *g, int row, int unit)
{
	const double *f = g->cost + (size_t)row * (size_t)(g->size[0] + g->size[1] + g->size[2]);
	int line = unit / g->size[0];
	return f[unit % g->size[0]] + f[g->size[0] + line % g->size[1]] +
		   f[g->size[0] + g->size[1] + line / g->size[1]];
}

/* Each row at its cheapest unit with the prices, less all prices. */
static double bound_by_prices(auction *a)
{
	double bound = 0;
	for (int i = 0; i < a->n; i++)
		bound += look_around(a, i).least;
	for (int u = 0; u < a->units; u++)
		bound -= a->price[u] < INFINITY ? a->price[u] : 0;
	return bound;
}

static double cost_of_rows(const auction *a)
{
	double cost = 0;
	for (int i = 0; i < a->g->rows; i++)
		cost += cost_on(a->g, i, a->unit[i]);
	return cost;
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
	a.value = PIM_NEW(scratch, double, a.width);
	for (int i = 0; i <= g->rows; i++)
		for (int k = 0; k < lines; k++)
			a.known[(size_t)i * (size_t)lines + (size_t)k] =
				i < g->rows ? look_at_line(&a, i, k).least : 0;
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
	/* Whole numbers: less than 1 above the bound is the least. */
	double epsilon = widest_range(g) / 64, least = 0.5 / (a.n + 1);
	pim_auction_answer answer = {0};
	if (stand_at_once(&a)) {
		answer.cost = answer.bound = cost_of_rows(&a);
	} else {
		double gap;
		do {
			epsilon = epsilon > least ? epsilon : least;
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
