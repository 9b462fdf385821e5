/* SPDX-License-Identifier: Apache-2.0 */
/* tracker.c - reads and writes of one memory, so that dependences are found, never reasoned case by
 * case.
 *
 * Disjoint ascending ranges remember their last writer and, per engine, their last reader. An
 * access cuts the ranges at its ends; a write then replaces all it covers by one range. Cost: a
 * binary search and the ranges touched. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/tile/tile.h"

static int first_ending_after(const pim_tracker *t, int64_t at)
{
	int lo = 0, hi = t->n;
	while (lo < hi) {
		int mid = (lo + hi) / 2;
		if (t->range[mid].hi <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void open_gap(pim_tracker *t, int at)
{
	t->range = pim_array_grow(t->range, t->n, &t->room, sizeof *t->range);
	memmove(t->range + at + 1, t->range + at, sizeof *t->range * (size_t)(t->n - at));
	t->n++;
}

/* Makes `at` a border between ranges, where i is the first that ends behind it; gives the index of
 * the first range at or behind it. */
static int cut(pim_tracker *t, int i, int64_t at)
{
	if (i == t->n || t->range[i].lo >= at)
		return i;
	open_gap(t, i);
	t->range[i] = t->range[i + 1];
	t->range[i].hi = at;
	t->range[i + 1].lo = at;
	return i + 1;
}

static void raise(int64_t *to, int64_t number)
{
	if (*to < number)
		*to = number;
}

static void collect(const pim_access *a, bool writes, int64_t latest[PIM_ENGINE_COUNT])
{
	raise(&latest[a->write_engine], a->write);
	for (int e = 0; writes && e < PIM_ENGINE_COUNT; e++)
		raise(&latest[e], a->read[e]);
}

static void record_write(pim_tracker *t, int first, int last, const pim_access *a)
{
	if (first == last)
		open_gap(t, first);
	else if (last - first > 1) {
		memmove(t->range + first + 1, t->range + last, sizeof *t->range * (size_t)(t->n - last));
		t->n -= last - first - 1;
	}
	t->range[first] = *a;
}

static void record_read(pim_tracker *t, int first, const pim_access *a, int engine, int64_t number)
{
	int64_t at = a->lo;
	for (int i = first; at < a->hi; i++) {
		if (i == t->n || t->range[i].lo > at) { /* bytes nobody has touched */
			int64_t hi = i == t->n || t->range[i].lo > a->hi ? a->hi : t->range[i].lo;
			open_gap(t, i);
			t->range[i] = (pim_access){.lo = at, .hi = hi};
		}
		t->range[i].read[engine] = number;
		at = t->range[i].hi;
	}
}

void pim_tracker_access(pim_tracker *t, int64_t lo, int64_t hi, bool writes, int engine,
	int64_t number, int64_t latest[PIM_ENGINE_COUNT])
{
	if (lo >= hi)
		return;
	int first = cut(t, first_ending_after(t, lo), lo), last = first;
	while (last < t->n && t->range[last].hi <= hi)
		last++;
	last = cut(t, last, hi);
	for (int i = first; i < last; i++)
		collect(&t->range[i], writes, latest);
	pim_access a = {.lo = lo, .hi = hi, .write = number, .write_engine = (uint8_t)engine};
	if (writes)
		record_write(t, first, last, &a);
	else
		record_read(t, first, &a, engine, number);
}

void pim_tracker_join(pim_tracker *t, int64_t lo, int64_t hi)
{
	int first = cut(t, first_ending_after(t, lo), lo), last = first;
	pim_access a = {.lo = lo, .hi = hi};
	while (last < t->n && t->range[last].hi <= hi)
		last++;
	last = cut(t, last, hi);
	for (int i = first; i < last; i++)
		collect(&t->range[i], true, a.read);
	if (first < last)
		record_write(t, first, last, &a);
}

void pim_tracker_free(pim_tracker *t)
{
	free(t->range);
	*t = (pim_tracker){0};
}
