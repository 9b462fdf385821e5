/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_list - schedules from an order of tasks, and their justification.
 *
 * Idea:   tasks are placed one after the other as early as delays and free capacity allow. What is
 *         free is kept as segments of constant capacity, so the cost does not depend on the
 *         length of times. The same in mirrored time shifts every task as late as possible; the
 *         forward pass in the order of the starts found there is never longer and often shorter.
 * Cost:   per schedule tasks times segments at worst.
 * Source: Kolisch 1996 (serial generation); Valls, Ballestin, Quintanilla 2005 (justification). */
#include "passes/scheduling_state.h"

#include <stdlib.h>
#include <string.h>

struct pim_scheduling_list {
	const pim_scheduling *p;
	int n; /* segments; segment k lasts from time[k] to time[k + 1], the last one for ever */
	int64_t *time, *free;
	int *order, *position; /* position in p->order */
	bool *placed;
	int64_t *key, *start;
	bool mirrored;
};

static void *new_array(size_t n, size_t size)
{
	void *a = calloc(n + 4, size);
	if (!a)
		abort();
	return a;
}

pim_scheduling_list *pim_scheduling_list_new(const pim_scheduling *p)
{
	pim_scheduling_list *l = new_array(1, sizeof *l);
	size_t n = (size_t)p->n_tasks, resources = (size_t)p->n_resources;
	l->p = p;
	l->time = new_array(2 * n, sizeof *l->time);
	l->free = new_array((2 * n + 4) * (resources + 1), sizeof *l->free);
	l->order = new_array(n, sizeof *l->order);
	l->position = new_array(n, sizeof *l->position);
	l->placed = new_array(n, sizeof *l->placed);
	l->key = new_array(n, sizeof *l->key);
	l->start = new_array(n, sizeof *l->start);
	for (int k = 0; k < p->n_tasks; k++)
		l->position[p->order[k]] = k;
	return l;
}

void pim_scheduling_list_free(pim_scheduling_list *l)
{
	void *const parts[] = {l->time, l->free, l->order, l->position, l->placed, l->key, l->start, l};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		free(parts[i]);
}

/* ---- segments ---- */

static int64_t *free_of(const pim_scheduling_list *l, int segment)
{
	return l->free + (size_t)segment * (size_t)l->p->n_resources;
}

static void clear_segments(pim_scheduling_list *l)
{
	l->n = 1;
	l->time[0] = 0;
	for (int r = 0; r < l->p->n_resources; r++)
		l->free[r] = l->p->capacity[r];
}

static int find_segment(const pim_scheduling_list *l, int64_t at)
{
	int low = 0, high = l->n;
	while (high - low > 1) {
		int mid = (low + high) / 2;
		if (l->time[mid] <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static bool segment_fits(const pim_scheduling_list *l, int segment, const int64_t *demand)
{
	const int64_t *f = free_of(l, segment);
	for (int r = 0; r < l->p->n_resources; r++)
		if (f[r] < demand[r])
			return false;
	return true;
}

/* The least start from `at` on where the mode fits; its first segment in *first. */
static int64_t find_start(
	const pim_scheduling_list *l, int64_t at, const pim_scheduling_mode *m, int *first)
{
	int k = *first = find_segment(l, at);
	if (!m->duration)
		return at;
	for (;; k++) {
		if (!segment_fits(l, k, m->demand)) {
			at = l->time[k + 1];
			*first = k + 1;
		} else if (k + 1 == l->n || l->time[k + 1] >= at + m->duration) {
			return at;
		}
	}
}

/* Makes `at` the beginning of a segment, from segment k on. */
static int split_segment(pim_scheduling_list *l, int k, int64_t at)
{
	while (k + 1 < l->n && l->time[k + 1] <= at)
		k++;
	if (l->time[k] == at)
		return k;
	size_t row = (size_t)l->p->n_resources * sizeof *l->free;
	memmove(&l->time[k + 2], &l->time[k + 1], (size_t)(l->n - k - 1) * sizeof *l->time);
	memmove(free_of(l, k + 2), free_of(l, k + 1), (size_t)(l->n - k - 1) * row);
	memcpy(free_of(l, k + 1), free_of(l, k), row);
	l->time[k + 1] = at;
	l->n++;
	return k + 1;
}

static void take_capacity(
	pim_scheduling_list *l, int first, int64_t at, const pim_scheduling_mode *m)
{
	if (!m->duration)
		return;
	int from = split_segment(l, first, at), to = split_segment(l, from, at + m->duration);
	for (int k = from; k < to; k++)
		for (int r = 0; r < l->p->n_resources; r++)
			free_of(l, k)[r] -= m->demand[r];
}

/* ---- generation ---- */

/* The delay of an arc in the direction of time. */
static int64_t directed_delay(
	const pim_scheduling_list *l, const pim_scheduling_arc *a, const int *mode)
{
	int64_t from = pim_scheduling_duration(l->p, mode, a->from);
	int64_t delay = pim_scheduling_delay(a, from);
	return l->mirrored ? delay + pim_scheduling_duration(l->p, mode, a->to) - from : delay;
}

/* Places the task, before it what it waits for. */
static void place_task(pim_scheduling_list *l, int i, const int *mode, int64_t *start)
{
	const pim_scheduling_task *t = &l->p->task[i];
	const int *arc = l->mirrored ? t->out : t->in;
	int n = l->mirrored ? t->n_out : t->n_in, first;
	int64_t at = l->mirrored ? 0 : t->release;
	l->placed[i] = true;
	for (int k = 0; k < n; k++) {
		const pim_scheduling_arc *a = &l->p->arc[arc[k]];
		int other = l->mirrored ? a->to : a->from;
		if (!l->placed[other])
			place_task(l, other, mode, start);
		int64_t least = start[other] + directed_delay(l, a, mode);
		at = least > at ? least : at;
	}
	const pim_scheduling_mode *m = &t->mode[mode[i]];
	start[i] = find_start(l, at, m, &first);
	take_capacity(l, first, start[i], m);
}

/* Sorts tasks by key, then by position; nearly sorted orders cost little. */
static void sort_order(pim_scheduling_list *l, const int64_t *key)
{
	int n = l->p->n_tasks, sign = l->mirrored ? -1 : 1;
	for (int k = 0; k < n; k++) {
		int i = sign > 0 ? l->p->order[k] : l->p->order[n - 1 - k], to = k;
		for (; to > 0 && key[l->order[to - 1]] > key[i]; to--)
			l->order[to] = l->order[to - 1];
		l->order[to] = i;
	}
}

static int64_t generate(pim_scheduling_list *l, const int64_t *key, const int *mode, int64_t *start)
{
	int64_t end = 0;
	clear_segments(l);
	sort_order(l, key);
	memset(l->placed, 0, (size_t)l->p->n_tasks * sizeof *l->placed);
	for (int k = 0; k < l->p->n_tasks; k++)
		if (!l->placed[l->order[k]])
			place_task(l, l->order[k], mode, start);
	for (int i = 0; i < l->p->n_tasks; i++) {
		int64_t at = start[i] + pim_scheduling_duration(l->p, mode, i);
		end = at > end ? at : end;
	}
	return end;
}

int64_t pim_scheduling_list_forward(
	pim_scheduling_list *l, const int64_t *key, const int *mode, int64_t *start)
{
	l->mirrored = false;
	return generate(l, key, mode, start);
}

int64_t pim_scheduling_list_justify(pim_scheduling_list *l, const int *mode, int64_t *start)
{
	for (int i = 0; i < l->p->n_tasks; i++)
		l->key[i] = -(start[i] + pim_scheduling_duration(l->p, mode, i));
	l->mirrored = true;
	generate(l, l->key, mode, l->start);
	for (int i = 0; i < l->p->n_tasks; i++)
		l->key[i] = -(l->start[i] + pim_scheduling_duration(l->p, mode, i));
	return pim_scheduling_list_forward(l, l->key, mode, start);
}
