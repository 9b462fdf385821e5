/* SPDX-License-Identifier: Apache-2.0 */
/* turns - jobs of equal length in the order in which they may start.
 *
 * Sorted by ready time into as many buckets as there are jobs, ties in the order they had; jobs
 * that are ready at once stay on their own unit where at least half of them can. Cost: jobs, while
 * ready times are spread. */
#include "passes/overlap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int32_t TAKEN = -1;

typedef struct entry {
	double ready;
	int32_t job;
} entry;

/* What is no number stands behind all numbers. */
static bool is_before(double a, double b)
{
	return a < b || (!isnan(a) && isnan(b));
}

static int by_ready(const void *a, const void *b)
{
	const entry *x = a, *y = b;
	if (is_before(x->ready, y->ready) || is_before(y->ready, x->ready))
		return is_before(x->ready, y->ready) ? -1 : 1;
	return (x->job > y->job) - (x->job < y->job);
}

enum { SHORT_BUCKET = 16 };

static void sort_bucket(entry *e, int64_t n)
{
	if (n > SHORT_BUCKET) {
		qsort(e, (size_t)n, sizeof *e, by_ready);
		return;
	}
	for (int64_t i = 1; i < n; i++) {
		entry x = e[i];
		int64_t k = i;
		for (; k > 0 && is_before(x.ready, e[k - 1].ready); k--)
			e[k] = e[k - 1];
		e[k] = x;
	}
}

static bool all_equal(const entry *e, int64_t n)
{
	for (int64_t i = 1; i < n; i++)
		if (e[i].ready != e[0].ready)
			return false;
	return true;
}

/* Of n buckets; the last is also that of infinite times and of what is no number. */
static int64_t bucket_of(int64_t n, double after, double scale)
{
	double bucket = after * scale;
	return bucket >= 0 && bucket < (double)n ? (int64_t)bucket : n - 1;
}

static void sort_jobs(int64_t n, const double *ready, entry *e, pim_arena *scratch)
{
	double least = ready[0], most = ready[0];
	for (int64_t i = 1; i < n; i++) {
		least = fmin(least, ready[i]);
		most = fmax(most, ready[i]);
	}
	double scale = (double)(n - 1) / (most - least);
	int32_t *start = PIM_NEW(scratch, int32_t, n + 1);
	for (int64_t i = 0; i < n; i++)
		start[bucket_of(n, ready[i] - least, scale) + 1]++;
	for (int64_t i = 0; i < n; i++)
		start[i + 1] += start[i];
	for (int64_t i = 0; i < n; i++)
		e[start[bucket_of(n, ready[i] - least, scale)]++] = (entry){ready[i], (int32_t)i};
	for (int64_t k = 0, from = 0; k < n; from = start[k++])
		if (start[k] - from > 1 && !all_equal(e + from, start[k] - from))
			sort_bucket(e + from, start[k] - from);
}

/* Room for those that are ready at once; by unit: 0 and -1 between two of them. */
typedef struct keeper {
	int units;
	int32_t *turns, *first, *same;
} keeper;

/* How many of jobs from..to-1, which are ready at once, find a turn of their own unit there. */
static int64_t count_kept(keeper *k, const entry *e, int64_t from, int64_t to)
{
	int64_t kept = 0;
	for (int64_t i = from; i < to; i++)
		k->turns[i % k->units]++;
	for (int64_t i = from; i < to; i++)
		kept += k->turns[e[i].job % k->units]-- > 0;
	for (int64_t i = from; i < to; i++)
		k->turns[i % k->units] = k->turns[e[i].job % k->units] = 0;
	return kept;
}

/* Turns from..to-1 to these jobs, each on its own unit where it can. */
static void keep_units(keeper *k, entry *e, int64_t from, int64_t to, int32_t *turn)
{
	for (int64_t i = to - 1; i >= from; i--) {
		int u = e[i].job % k->units;
		k->same[i] = k->first[u];
		k->first[u] = (int32_t)i;
	}
	for (int64_t i = from; i < to; i++) {
		int32_t at = k->first[i % k->units];
		turn[i] = at >= 0 ? e[at].job : TAKEN;
		if (at >= 0) {
			k->first[i % k->units] = k->same[at];
			e[at].job = TAKEN;
		}
	}
	for (int64_t i = from, next = from; i < to; i++) {
		while (turn[i] == TAKEN && e[next].job == TAKEN)
			next++;
		if (turn[i] == TAKEN)
			turn[i] = e[next++].job;
		k->first[turn[i] % k->units] = -1;
	}
}

void pim_turns_by_ready(
	int64_t n, const double *ready, int units, int32_t *turn, pim_arena *scratch)
{
	bool sorted = true;
	for (int64_t i = 0; i < n; i++) {
		turn[i] = (int32_t)i;
		sorted = sorted && (i == 0 || ready[i - 1] <= ready[i]);
	}
	if (sorted)
		return;
	entry *e = PIM_NEW(scratch, entry, n);
	keeper k = {.units = units,
		.turns = PIM_NEW(scratch, int32_t, units),
		.first = PIM_NEW(scratch, int32_t, units),
		.same = PIM_NEW(scratch, int32_t, n)};
	memset(k.first, 0xff, sizeof *k.first * (size_t)units);
	sort_jobs(n, ready, e, scratch);
	for (int64_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && e[to].ready == e[from].ready; to++)
			;
		for (int64_t i = from; i < to; i++)
			turn[i] = e[i].job;
		if (to > from + 1 && 2 * count_kept(&k, e, from, to) >= to - from)
			keep_units(&k, e, from, to, turn);
	}
}

pim_order *pim_order_by_ready(
	int64_t slices, const double *ready, int units, pim_arena *keep, pim_arena *scratch)
{
	int32_t *order = PIM_NEW(scratch, int32_t, slices);
	pim_turns_by_ready(slices, ready, units, order, scratch);
	for (int64_t i = 0; i < slices; i++)
		if (order[i] != i)
			return pim_order_new(slices, order, keep);
	return NULL;
}
