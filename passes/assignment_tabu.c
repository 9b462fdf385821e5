/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_tabu - robust tabu search with exchanges in O(1).
 *
 * The change of cost of every exchange of two items is kept in a table. When r and s have been
 * exchanged, the entry of a pair (u, v) of others changes by one product per term,
 *     (x[u] - x[v]) * (y[u] - y[v]),  x[u] = flow[u,r] - flow[u,s],  y[u] = far[pu,pr] -
 * far[pu,ps], and an entry with r or s follows from the prices of each item on each unit, which an
 * exchange changes by an outer product. Both are loops over rows that the compiler can turn into
 * vectors. A move is the best exchange that does not take both items back to where they were
 * lately, or that beats the best cost of this run; how long "lately" is, is drawn anew for every
 * move (most are short, some are long). Doubles hold whole numbers below 2^53, so nothing is
 * rounded. Cost:   1.5 n^2 multiplications a move, less where the flow has zeros. Source: E.
 * Taillard, robust taboo search for the QAP (Parallel Computing 17, 1991); the price matrix is
 * ours. */
#include <string.h>

#include "passes/assignment_core.h"

enum { LANES = 8 };

struct assignment_tabu {
	const assignment_dense *d;
	size_t n, stride;
	double *flow[2], *far[2]; /* [n * stride]; term t's columns are the rows of term mirror(t) */
	double *price;			  /* [item * stride + unit]: all that the item would cost there */
	double *change;			  /* [u * stride + v], u < v */
	double *x[2], *y[2], *z[2];
	double *with[2]; /* change of pairs with r, with s */
	double *low;	 /* [u]: least change of row u */
	int *uneven;	 /* items v with x[0][v] or x[1][v] not 0 */
	int64_t *until;	 /* [item * n + unit]: move before which it may not return */
	int *at;
	double cost, best;
};

static double *make_matrix(const int64_t *from, size_t n, size_t stride, pim_arena *a)
{
	double *m = PIM_NEW(a, double, n *stride);
	for (size_t i = 0; from && i < n; i++)
		for (size_t j = 0; j < n; j++)
			m[i * stride + j] = (double)from[i * n + j];
	return m;
}

assignment_tabu *assignment_tabu_new(const assignment_dense *d, pim_arena *a)
{
	assignment_tabu *t = PIM_NEW(a, assignment_tabu, 1);
	size_t n = (size_t)d->n, stride = (n + LANES - 1) / LANES * LANES;
	t->d = d;
	t->n = n;
	t->stride = stride;
	for (int k = 0; k < d->terms; k++) {
		t->flow[k] = make_matrix(d->flow[k], n, stride, a);
		t->far[k] = make_matrix(d->far[k], n, stride, a);
	}
	for (int k = 0; k < 2; k++) {
		t->x[k] = PIM_NEW(a, double, stride);
		t->y[k] = PIM_NEW(a, double, stride);
		t->z[k] = PIM_NEW(a, double, stride);
		t->with[k] = PIM_NEW(a, double, stride);
	}
	t->price = PIM_NEW(a, double, n *stride);
	t->change = PIM_NEW(a, double, n *stride);
	t->low = PIM_NEW(a, double, n);
	t->uneven = PIM_NEW(a, int, n);
	t->until = PIM_NEW(a, int64_t, n * n);
	t->at = PIM_NEW(a, int, n);
	return t;
}

static int mirror(const assignment_tabu *t, int term)
{
	return t->d->terms == 1 ? 0 : 1 - term;
}

/* Change of cost when u and v change places, from prices. */
static double price_exchange(const assignment_tabu *t, size_t u, size_t v)
{
	size_t pu = (size_t)t->at[u], pv = (size_t)t->at[v], w = t->stride;
	double sum =
		t->price[u * w + pv] + t->price[v * w + pu] - t->price[u * w + pu] - t->price[v * w + pv];
	for (int k = 0; k < t->d->terms; k++)
		sum += t->flow[k][u * w + v] * (t->far[k][pu * w + pv] + t->far[k][pv * w + pu]);
	return sum;
}

/* y[j] += factor * x[j] for all of a row. */
static void add_row(double *restrict y, const double *restrict x, double factor, size_t stride)
{
	for (size_t j = 0; j < stride; j++)
		y[j] += factor * x[j];
}

static double least_of_row(const double *row, size_t from, size_t n)
{
	double low[LANES], least;
	size_t j = from;
	for (size_t l = 0; l < LANES; l++)
		low[l] = row[from];
	for (; j + LANES <= n; j += LANES)
		for (size_t l = 0; l < LANES; l++)
			low[l] = row[j + l] < low[l] ? row[j + l] : low[l];
	least = low[0];
	for (size_t l = 1; l < LANES; l++)
		least = low[l] < least ? low[l] : least;
	for (; j < n; j++)
		least = row[j] < least ? row[j] : least;
	return least;
}

static size_t rows_of(const assignment_tabu *t)
{
	size_t real = (size_t)t->d->real;
	return real < t->n ? real : t->n - 1;
}

void assignment_tabu_start(assignment_tabu *t, const int *at)
{
	size_t n = t->n, w = t->stride;
	memcpy(t->at, at, sizeof *at * n);
	memset(t->price, 0, sizeof *t->price * n * w);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; t->d->price && j < n; j++)
			t->price[i * w + j] = (double)t->d->price[i * n + j];
	for (int k = 0; k < t->d->terms; k++)
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n; j++)
				if (t->flow[k][i * w + j] != 0)
					add_row(t->price + i * w, t->far[mirror(t, k)] + (size_t)at[j] * w,
						t->flow[k][i * w + j], w);
	for (size_t u = 0; u < rows_of(t); u++) {
		for (size_t v = u + 1; v < n; v++)
			t->change[u * w + v] = price_exchange(t, u, v);
		t->low[u] = least_of_row(t->change + u * w, u + 1, n);
	}
	memset(t->until, 0, sizeof *t->until * n * n);
	t->best = t->cost = (double)assignment_dense_cost(t->d, at);
}

typedef struct exchange {
	size_t u, v;
	double change;
} exchange;

static bool is_allowed(const assignment_tabu *t, size_t u, size_t v, int64_t now)
{
	return t->until[u * t->n + (size_t)t->at[v]] <= now ||
		   t->until[v * t->n + (size_t)t->at[u]] <= now;
}

/* The best exchange that is allowed, of equal ones any; u == v when none is. */
static exchange find_exchange(const assignment_tabu *t, int64_t now, uint64_t *random)
{
	size_t rows = rows_of(t), first = (size_t)assignment_draw(random, (int)rows);
	exchange best = {0, 0, 1e300};
	uint64_t equal = 1;
	for (size_t k = 0; k < rows; k++) {
		size_t u = first + k < rows ? first + k : first + k - rows;
		const double *row = t->change + u * t->stride;
		if (t->low[u] > best.change)
			continue;
		for (size_t v = u + 1; v < t->n; v++) {
			if (row[v] > best.change)
				continue;
			if (!is_allowed(t, u, v, now) && t->cost + row[v] >= t->best)
				continue;
			equal = row[v] < best.change ? 1 : equal + 1;
			if (equal == 1 || pim_random(random) % equal == 0)
				best = (exchange){u, v, row[v]};
		}
	}
	return best;
}

/* x, y, z of the exchange, before it is made; how many x are not 0. */
static size_t find_differences(assignment_tabu *t, size_t r, size_t s)
{
	size_t w = t->stride, pr = (size_t)t->at[r], ps = (size_t)t->at[s], uneven = 0;
	for (int k = 0; k < t->d->terms; k++) {
		const double *flow = t->flow[mirror(t, k)], *far = t->far[mirror(t, k)];
		for (size_t j = 0; j < w; j++) {
			t->x[k][j] = flow[r * w + j] - flow[s * w + j];
			t->z[k][j] = far[ps * w + j] - far[pr * w + j];
		}
		for (size_t j = 0; j < t->n; j++)
			t->y[k][j] = -t->z[k][t->at[j]];
	}
	for (size_t j = 0; j < t->n; j++)
		if (t->x[0][j] != 0 || (t->d->terms == 2 && t->x[1][j] != 0))
			t->uneven[uneven++] = (int)j;
	return uneven;
}

static void add_products(
	double *restrict row, const double *restrict x, const double *restrict y, size_t u, size_t n)
{
	double xu = x[u], yu = y[u];
	for (size_t v = u + 1; v < n; v++)
		row[v] += (xu - x[v]) * (yu - y[v]);
}

static void update_row(assignment_tabu *t, size_t u, size_t uneven)
{
	double *row = t->change + u * t->stride;
	bool even = t->x[0][u] == 0 && (t->d->terms == 1 || t->x[1][u] == 0);
	for (int k = 0; k < t->d->terms; k++) {
		const double *x = t->x[k], *y = t->y[k];
		if (!even || uneven > t->n / 4) {
			add_products(row, x, y, u, t->n);
			continue;
		}
		for (size_t j = 0; j < uneven; j++) {
			size_t v = (size_t)t->uneven[j];
			if (v > u)
				row[v] += (x[u] - x[v]) * (y[u] - y[v]);
		}
	}
}

static void swap_places(int *at, size_t r, size_t s)
{
	int pr = at[r];
	at[r] = at[s];
	at[s] = pr;
}

void assignment_tabu_exchange(assignment_tabu *t, int of, int with)
{
	size_t r = (size_t)of, s = (size_t)with, n = t->n, w = t->stride;
	size_t uneven = find_differences(t, r, s);
	t->cost += t->change[r * w + s];
	for (int k = 0; k < t->d->terms; k++)
		for (size_t j = 0; j < uneven; j++) {
			size_t i = (size_t)t->uneven[j];
			add_row(t->price + i * w, t->z[k], t->x[k][i], w);
		}
	swap_places(t->at, r, s);
	for (size_t v = 0; v < n; v++) {
		t->with[0][v] = v == r ? 0 : price_exchange(t, r, v);
		t->with[1][v] = v == s ? 0 : price_exchange(t, s, v);
	}
	for (size_t u = 0; u < rows_of(t); u++) {
		double *row = t->change + u * w;
		update_row(t, u, uneven);
		if (u == r || u == s)
			memcpy(row + u + 1, t->with[u == s] + u + 1, sizeof *row * (n - u - 1));
		if (u < r)
			row[r] = t->with[0][u];
		if (u < s)
			row[s] = t->with[1][u];
		t->low[u] = least_of_row(row, u + 1, n);
	}
}

int64_t assignment_tabu_change(const assignment_tabu *t, int u, int v)
{
	return (int64_t)t->change[(size_t)u * t->stride + (size_t)v];
}

/* Moves that the item may not return for: n at the median, up to 8 n, rarely. */
static int64_t draw_tenure(const assignment_tabu *t, uint64_t *random)
{
	double f = assignment_fraction(random);
	return 1 + (int64_t)(f * f * f * 8 * (double)t->n);
}

int64_t assignment_tabu_run(
	assignment_tabu *t, assignment_run *r, int *at, int64_t moves, uint64_t *random)
{
	assignment_tabu_start(t, at);
	for (int64_t now = 1; now <= moves && !assignment_done(r); now++) {
		exchange e = find_exchange(t, now, random);
		r->steps++;
		if (e.u == e.v)
			continue;
		t->until[e.u * t->n + (size_t)t->at[e.u]] = now + draw_tenure(t, random);
		t->until[e.v * t->n + (size_t)t->at[e.v]] = now + draw_tenure(t, random);
		assignment_tabu_exchange(t, (int)e.u, (int)e.v);
		if (t->cost < t->best) {
			t->best = t->cost;
			memcpy(at, t->at, sizeof *at * t->n);
		}
	}
	return (int64_t)t->best;
}
