/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_list - schedules from an order of tasks, and their justification.
 *
 * Idea:   tasks are placed one after the other as early as delays and free capacity allow. What is
 *         free is kept as segments of constant capacity, so the cost does not depend on the
 *         length of times. The same in mirrored time shifts every task as late as possible; the
 *         forward pass in the order of the starts found there is never longer and often shorter.
 *         Capacities of several resources share a word, each field with a guard bit on top: one
 *         subtraction compares them all.
 * Cost:   per schedule tasks times segments at worst.
 * Source: Kolisch 1996 (serial generation); Valls, Ballestin, Quintanilla 2005 (justification). */
#include "passes/scheduling_state.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"

struct pim_scheduling_list {
	const pim_scheduling *p;
	int n; /* segments; segment k lasts from time[k] to time[k + 1], the last one for ever */
	int64_t *time;
	int n_words; /* of a row of capacities */
	uint64_t *free, *all, *guard;
	uint64_t *need; /* rows, one per mode; those of task i begin at first_mode[i] */
	int *first_mode;
	int *order, *stack;
	bool *placed;
	int64_t *key, *start, *duration; /* of the modes in use */
	bool mirrored;
	int *choice, share; /* modes to be chosen, NULL when they are given */
};

/* Bits a capacity takes, without the guard. */
static int count_bits(int64_t capacity)
{
	int bits = 0;
	for (; bits < 63 && capacity >> bits; bits++)
		;
	return bits;
}

/* Gives each resource a field: its word and its shift. */
static void lay_fields(pim_scheduling_list *l, int *word, int *shift)
{
	int used = 64;
	for (int r = 0; r < l->p->n_resources; r++) {
		int bits = count_bits(l->p->capacity[r]) + 1;
		if (used + bits > 64) {
			l->n_words++;
			used = 0;
		}
		word[r] = l->n_words - 1;
		shift[r] = used;
		used += bits;
	}
}

static void pack_capacities(pim_scheduling_list *l)
{
	const pim_scheduling *p = l->p;
	int resources = p->n_resources;
	size_t modes = 0;
	int *word = pim_array_new(resources, sizeof *word),
		*shift = pim_array_new(resources, sizeof *shift);
	lay_fields(l, word, shift);
	size_t words = (size_t)l->n_words;
	for (int i = 0; i < p->n_tasks; i++) {
		l->first_mode[i] = (int)modes;
		modes += (size_t)p->task[i].n_modes;
	}
	l->free = pim_array_new((2 * (int64_t)p->n_tasks + 2) * (int64_t)words, sizeof *l->free);
	l->all = pim_array_new(l->n_words, sizeof *l->all);
	l->guard = pim_array_new(l->n_words, sizeof *l->guard);
	l->need = pim_array_new((int64_t)(modes * words), sizeof *l->need);
	for (int r = 0; r < p->n_resources; r++) {
		l->guard[word[r]] |= (uint64_t)1 << (shift[r] + count_bits(p->capacity[r]));
		l->all[word[r]] |= (uint64_t)p->capacity[r] << shift[r];
	}
	for (int i = 0; i < p->n_tasks; i++)
		for (int m = 0; m < p->task[i].n_modes; m++)
			for (int r = 0; r < p->n_resources; r++)
				l->need[((size_t)l->first_mode[i] + (size_t)m) * words + (size_t)word[r]] |=
					(uint64_t)p->task[i].mode[m].demand[r] << shift[r];
	free(word);
	free(shift);
}

pim_scheduling_list *pim_scheduling_list_new(const pim_scheduling *p)
{
	pim_scheduling_list *l = pim_array_new(1, sizeof *l);
	int64_t n = p->n_tasks;
	l->p = p;
	l->time = pim_array_new(2 * n + 2, sizeof *l->time);
	l->first_mode = pim_array_new(n, sizeof *l->first_mode);
	pack_capacities(l);
	l->order = pim_array_new(n, sizeof *l->order);
	l->stack = pim_array_new(n, sizeof *l->stack);
	l->placed = pim_array_new(n, sizeof *l->placed);
	l->key = pim_array_new(n, sizeof *l->key);
	l->start = pim_array_new(n, sizeof *l->start);
	l->duration = pim_array_new(n, sizeof *l->duration);
	return l;
}

void pim_scheduling_list_free(pim_scheduling_list *l)
{
	void *const parts[] = {l->time, l->free, l->all, l->guard, l->need, l->first_mode, l->order,
		l->stack, l->placed, l->key, l->start, l->duration, l};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		free(parts[i]);
}

/* ---- segments ---- */

static uint64_t *free_of(const pim_scheduling_list *l, int segment)
{
	return l->free + (size_t)segment * (size_t)l->n_words;
}

static const uint64_t *need_of(const pim_scheduling_list *l, int i, int mode)
{
	return l->need + ((size_t)l->first_mode[i] + (size_t)mode) * (size_t)l->n_words;
}

static void clear_segments(pim_scheduling_list *l)
{
	l->n = 1;
	l->time[0] = 0;
	for (int w = 0; w < l->n_words; w++)
		l->free[w] = l->all[w] | l->guard[w];
}

static int find_segment(const pim_scheduling_list *l, int64_t at)
{
	int low = 0, n = l->n;
	for (int half = n >> 1; half > 0; half = n >> 1) {
		low = l->time[low + half] <= at ? low + half : low;
		n -= half;
	}
	return low;
}

static bool segment_fits(const pim_scheduling_list *l, int segment, const uint64_t *need)
{
	const uint64_t *f = free_of(l, segment);
	for (int w = 0; w < l->n_words; w++)
		if (((f[w] - need[w]) & l->guard[w]) != l->guard[w])
			return false;
	return true;
}

/* find_start where capacities are one word and the need is not none of the time. */
static int64_t find_start_of_word(
	const pim_scheduling_list *l, int64_t at, int64_t duration, uint64_t need, int *first)
{
	const uint64_t guard = l->guard[0], *f = l->free;
	const int64_t *time = l->time;
	int k = find_segment(l, at), last = l->n - 1;
	for (;;) {
		for (; ((f[k] - need) & guard) != guard; k++)
			at = time[k + 1];
		*first = k;
		while (k < last && time[k + 1] < at + duration && ((f[k + 1] - need) & guard) == guard)
			k++;
		if (k == last || time[k + 1] >= at + duration)
			return at;
		k++;
	}
}

/* The least start from `at` on where the need fits; its first segment in *first. */
static int64_t find_start(
	const pim_scheduling_list *l, int64_t at, int64_t duration, const uint64_t *need, int *first)
{
	if (duration && l->n_words == 1)
		return find_start_of_word(l, at, duration, *need, first);
	int k = *first = find_segment(l, at);
	if (!duration)
		return at;
	for (;; k++) {
		if (!segment_fits(l, k, need)) {
			at = l->time[k + 1];
			*first = k + 1;
		} else if (k + 1 == l->n || l->time[k + 1] >= at + duration) {
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
	size_t row = (size_t)l->n_words * sizeof *l->free;
	memmove(&l->time[k + 2], &l->time[k + 1], (size_t)(l->n - k - 1) * sizeof *l->time);
	memmove(free_of(l, k + 2), free_of(l, k + 1), (size_t)(l->n - k - 1) * row);
	memcpy(free_of(l, k + 1), free_of(l, k), row);
	l->time[k + 1] = at;
	l->n++;
	return k + 1;
}

static void take_capacity(
	pim_scheduling_list *l, int first, int64_t at, int64_t duration, const uint64_t *need)
{
	if (!duration)
		return;
	int from = split_segment(l, first, at), to = split_segment(l, from, at + duration);
	for (int k = from; k < to; k++)
		for (int w = 0; w < l->n_words; w++)
			free_of(l, k)[w] -= need[w];
}

/* ---- generation ---- */

/* The delay of an arc in the direction of time. */
static int64_t directed_delay(const pim_scheduling_list *l, const pim_scheduling_arc *a)
{
	int64_t from = l->duration[a->from];
	int64_t delay = pim_scheduling_delay(a, from);
	return l->mirrored ? delay + l->duration[a->to] - from : delay;
}

/* The least time its arcs allow; *waits: a task it waits for that has no place yet, or -1. */
static int64_t earliest(const pim_scheduling_list *l, int i, const int64_t *start, int *waits)
{
	const pim_scheduling_task *t = &l->p->task[i];
	const int *arc = l->mirrored ? t->out : t->in;
	int n = l->mirrored ? t->n_out : t->n_in;
	int64_t at = l->mirrored ? 0 : t->release;
	*waits = -1;
	for (int k = 0; k < n; k++) {
		const pim_scheduling_arc *a = &l->p->arc[arc[k]];
		int other = l->mirrored ? a->to : a->from;
		if (!l->placed[other]) {
			*waits = other;
			return at;
		}
		int64_t least = start[other] + directed_delay(l, a);
		at = least > at ? least : at;
	}
	return at;
}

static bool takes_its_share(const pim_scheduling_list *l, const pim_scheduling_mode *m)
{
	for (int r = 0; r < l->p->n_resources; r++)
		if (m->demand[r] > (l->p->capacity[r] + l->share - 1) / l->share)
			return false;
	return true;
}

/* The mode in which task i, from `at` on, ends first; of equal ones the last. */
static void choose_mode(pim_scheduling_list *l, int i, int64_t at)
{
	const pim_scheduling_task *t = &l->p->task[i];
	int64_t best = INT64_MAX;
	for (int m = 0, first; m < t->n_modes; m++) {
		if (m + 1 < t->n_modes && !takes_its_share(l, &t->mode[m]))
			continue;
		int64_t duration = t->mode[m].duration;
		int64_t end = find_start(l, at, duration, need_of(l, i, m), &first) + duration;
		if (end <= best) {
			best = end;
			l->choice[i] = m;
			l->duration[i] = duration;
		}
	}
}

/* Places the task, before it all that it waits for. */
static void place_task(pim_scheduling_list *l, int task, const int *mode, int64_t *start)
{
	int depth = 0, waits, first;
	l->stack[depth++] = task;
	while (depth) {
		int i = l->stack[depth - 1];
		int64_t at = earliest(l, i, start, &waits);
		if (waits >= 0) {
			l->stack[depth++] = waits;
			continue;
		}
		if (l->choice)
			choose_mode(l, i, at);
		const uint64_t *need = need_of(l, i, mode[i]);
		int64_t duration = l->duration[i];
		start[i] = find_start(l, at, duration, need, &first);
		take_capacity(l, first, start[i], duration, need);
		l->placed[i] = true;
		depth--;
	}
}

static void insert_sorted(int *order, int n, const int64_t *key)
{
	for (int k = 1; k < n; k++) {
		int i = order[k], to = k;
		for (; to > 0 && key[order[to - 1]] > key[i]; to--)
			order[to] = order[to - 1];
		order[to] = i;
	}
}

static void merge_halves(int *order, int n, const int64_t *key, int *scratch)
{
	int half = n / 2, a = 0, b = half, to = 0;
	memcpy(scratch, order, (size_t)half * sizeof *order);
	while (a < half)
		order[to++] = b < n && key[order[b]] < key[scratch[a]] ? order[b++] : scratch[a++];
}

void pim_scheduling_sort(int *order, int n, const int64_t *key, int *scratch)
{
	enum { FEW = 16 };
	if (n <= FEW) {
		insert_sorted(order, n, key);
		return;
	}
	pim_scheduling_sort(order, n / 2, key, scratch);
	pim_scheduling_sort(order + n / 2, n - n / 2, key, scratch);
	merge_halves(order, n, key, scratch);
}

/* Sorts tasks by key, then by position. */
static void sort_order(pim_scheduling_list *l, const int64_t *key)
{
	int n = l->p->n_tasks;
	for (int k = 0; k < n; k++)
		l->order[k] = l->p->order[l->mirrored ? n - 1 - k : k];
	pim_scheduling_sort(l->order, n, key, l->stack);
}

static int64_t generate(pim_scheduling_list *l, const int64_t *key, const int *mode, int64_t *start)
{
	int64_t end = 0;
	clear_segments(l);
	sort_order(l, key);
	memset(l->placed, 0, (size_t)l->p->n_tasks * sizeof *l->placed);
	for (int i = 0; i < l->p->n_tasks; i++)
		l->duration[i] = l->choice ? 0 : pim_scheduling_duration(l->p, mode, i);
	for (int k = 0; k < l->p->n_tasks; k++)
		if (!l->placed[l->order[k]])
			place_task(l, l->order[k], mode, start);
	for (int i = 0; i < l->p->n_tasks; i++) {
		int64_t at = start[i] + l->duration[i];
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

int64_t pim_scheduling_list_choose(
	pim_scheduling_list *l, const int64_t *key, int share, int *mode, int64_t *start)
{
	l->choice = mode;
	l->share = share;
	int64_t end = pim_scheduling_list_forward(l, key, mode, start);
	l->choice = NULL;
	return end;
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
