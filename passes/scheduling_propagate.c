/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_propagate - what the capacity of a resource says about start times, with reasons.
 *
 * Idea:   a task whose latest start is before its earliest end surely runs in between. These parts
 *         of all tasks make a profile. Above the capacity it is a contradiction; where it leaves
 * too little for a task, the task's window moves past. A reason names one point of time: the tasks
 * that surely run there, no more of them than needed. Cost:   tasks log tasks for the profile (less
 * when little has changed), tasks times segments. Source: Lahrichi 1982 (profiles); Schutt, Feydy,
 * Stuckey, Wallace 2011 (reasons of one point). */
#include "passes/scheduling_propagate.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"

typedef pim_scheduling_part part;

/* ---- reading ---- */

static int32_t least_demand(const part *k, int from, int to)
{
	int32_t least = k->demand[from];
	for (int m = from + 1; m <= to; m++)
		least = k->demand[m] < least ? k->demand[m] : least;
	return least;
}

void pim_scheduling_read_parts(pim_scheduling_resource *c, const pim_clause_solver *s)
{
	for (int i = 0; i < c->n; i++) {
		part *k = &c->part[i];
		k->low = pim_clause_low(s, k->start);
		k->high = pim_clause_high(s, k->start);
		if (k->mode < 0)
			continue;
		int from = pim_clause_low(s, k->mode), to = pim_clause_high(s, k->mode);
		k->d = k->duration[from];
		k->q = least_demand(k, from, to);
	}
}

static bool surely_runs(const part *k)
{
	return k->high < k->low + k->d && k->q > 0;
}

static void sort_parts(const pim_scheduling_resource *c, int *order, bool by_end)
{
	for (int k = 1; k < c->n; k++) {
		int i = order[k], to = k;
		const part *a = &c->part[i];
		int32_t key = by_end ? a->low + a->d : a->high;
		for (; to > 0; to--) {
			const part *b = &c->part[order[to - 1]];
			if ((by_end ? b->low + b->d : b->high) <= key)
				break;
			order[to] = order[to - 1];
		}
		order[to] = i;
	}
}

/* ---- reasons ---- */

void pim_scheduling_because_of_mode(pim_clause_solver *s, const part *k)
{
	if (k->mode < 0)
		return;
	pim_clause_because(s, 2 * k->mode, pim_clause_low(s, k->mode));
	pim_clause_because(s, 2 * k->mode + 1, -pim_clause_high(s, k->mode));
}

static bool covers(const part *k, int32_t at)
{
	return k->q > 0 && k->high <= at && at < k->low + k->d;
}

/* Writes tasks but `other` that surely run at `at` and together need more than `room`. */
static void because_of_point(
	pim_scheduling_resource *c, pim_clause_solver *s, int32_t at, int other, int32_t room)
{
	int32_t spare = -room - 1;
	for (int i = 0; i < c->n; i++)
		if (i != other && covers(&c->part[i], at))
			spare += c->part[i].q;
	for (int i = 0; i < c->n; i++) {
		const part *k = &c->part[i];
		if (i == other || !covers(k, at))
			continue;
		if (k->q <= spare) {
			spare -= k->q;
			continue;
		}
		pim_clause_because(s, 2 * k->start, at + 1 - k->d);
		pim_clause_because(s, 2 * k->start + 1, -at);
		pim_scheduling_because_of_mode(s, k);
	}
}

/* ---- the profile ---- */

static void end_segment(pim_scheduling_resource *c, int32_t at, int32_t height)
{
	if (c->n_segments && c->time[c->n_segments] == at) {
		c->height[c->n_segments] = height;
		return;
	}
	c->time[++c->n_segments] = at;
	c->height[c->n_segments] = height;
}

/* Merges begins and ends of sure parts; segment 0 is empty and lies before all. */
static void build_profile(pim_scheduling_resource *c)
{
	int32_t height = 0;
	c->n_segments = 0;
	c->time[0] = -PIM_CLAUSE_MOST;
	c->height[0] = c->top = 0;
	for (int b = 0, e = 0; e < c->n;) {
		const part *begin = b < c->n ? &c->part[c->by_begin[b]] : NULL;
		const part *end = &c->part[c->by_end[e]];
		if (begin && begin->high < end->low + end->d) {
			b++;
			if (surely_runs(begin))
				end_segment(c, begin->high, height += begin->q);
		} else {
			e++;
			if (surely_runs(end))
				end_segment(c, end->low + end->d, height -= end->q);
		}
	}
	for (int x = 0; x <= c->n_segments; x++)
		c->top = c->height[x] > c->top ? c->height[x] : c->top;
	c->time[c->n_segments + 1] = PIM_CLAUSE_MOST;
}

static bool check_profile(pim_scheduling_resource *c, pim_clause_solver *s)
{
	if (c->top <= c->capacity)
		return true;
	int worst = 0;
	for (int x = 0; x <= c->n_segments; x++)
		if (c->height[x] > c->height[worst])
			worst = x;
	int32_t at = c->time[worst] + (c->time[worst + 1] - c->time[worst]) / 2;
	because_of_point(c, s, at, -1, c->capacity);
	return pim_clause_contradict(s);
}

/* ---- windows ---- */

/* The segment that holds `at`. */
static int find_segment(const pim_scheduling_resource *c, int32_t at)
{
	int low = 0, high = c->n_segments + 1;
	while (high - low > 1) {
		int mid = (low + high) / 2;
		if (c->time[mid] <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* The segment leaves too little for task i, which has no sure part in it. */
static bool keeps_out(const pim_scheduling_resource *c, int x, const part *k)
{
	if (c->height[x] + k->q <= c->capacity)
		return false;
	return !(k->high <= c->time[x] && c->time[x + 1] <= k->low + k->d);
}

static bool push_later(pim_scheduling_resource *c, pim_clause_solver *s, int i)
{
	const part *k = &c->part[i];
	int32_t low = k->low;
	for (int x = find_segment(c, low); x <= c->n_segments && c->time[x] < low + k->d; x++) {
		if (!keeps_out(c, x, k))
			continue;
		while (low < c->time[x + 1]) {
			int32_t next = low + k->d < c->time[x + 1] ? low + k->d : c->time[x + 1];
			pim_clause_because(s, 2 * k->start, next - k->d);
			pim_scheduling_because_of_mode(s, k);
			because_of_point(c, s, next - 1, i, c->capacity - k->q);
			if (!pim_clause_raise(s, 2 * k->start, next))
				return false;
			low = next;
		}
	}
	return true;
}

static bool push_earlier(pim_scheduling_resource *c, pim_clause_solver *s, int i)
{
	const part *k = &c->part[i];
	int32_t high = k->high;
	for (int x = find_segment(c, high + k->d - 1); x >= 0 && c->time[x + 1] > high; x--) {
		if (!keeps_out(c, x, k))
			continue;
		while (high + k->d > c->time[x]) {
			int32_t at = high > c->time[x] ? high : c->time[x];
			pim_clause_because(s, 2 * k->start + 1, -at);
			pim_scheduling_because_of_mode(s, k);
			because_of_point(c, s, at, i, c->capacity - k->q);
			if (!pim_clause_raise(s, 2 * k->start + 1, k->d - at))
				return false;
			high = at - k->d;
		}
	}
	return true;
}

static bool propagate_resource(void *self, pim_clause_solver *s)
{
	pim_scheduling_resource *c = self;
	pim_scheduling_read_parts(c, s);
	sort_parts(c, c->by_begin, false);
	sort_parts(c, c->by_end, true);
	build_profile(c);
	if (!check_profile(c, s))
		return false;
	for (int i = 0; i < c->n; i++) {
		const part *k = &c->part[i];
		if (k->low == k->high || c->top + k->q <= c->capacity || !k->q || !k->d)
			continue;
		if (!push_later(c, s, i) || !push_earlier(c, s, i))
			return false;
	}
	return true;
}

/* ---- making ---- */

static bool ever_needs(const pim_scheduling_task *t, int r)
{
	for (int m = 0; m < t->n_modes; m++)
		if (t->mode[m].duration && t->mode[m].demand[r])
			return true;
	return false;
}

static void add_part(pim_scheduling_resource *c, const pim_scheduling_task *t, int r, int start,
	int mode, int32_t **numbers)
{
	part *k = &c->part[c->n];
	*k =
		(part){.start = start, .mode = mode, .duration = *numbers, .demand = *numbers + t->n_modes};
	*numbers += 2 * t->n_modes;
	for (int m = 0; m < t->n_modes; m++) {
		k->duration[m] = (int32_t)t->mode[m].duration;
		k->demand[m] = (int32_t)t->mode[m].demand[r];
		c->one_at_a_time = c->one_at_a_time && 2 * t->mode[m].demand[r] > c->capacity;
	}
	k->d = k->duration[0];
	k->q = k->demand[0];
	c->by_begin[c->n] = c->by_end[c->n] = c->n;
	c->n++;
}

static void wake_on(pim_clause_solver *s, int propagator, int var)
{
	if (var < 0)
		return;
	pim_clause_wake(s, propagator, 2 * var);
	pim_clause_wake(s, propagator, 2 * var + 1);
}

pim_scheduling_resource *pim_scheduling_resource_new(
	pim_clause_solver *s, const pim_scheduling *p, int r, const int *start, const int *mode)
{
	int64_t n = p->n_tasks, modes = 0;
	for (int i = 0; i < p->n_tasks; i++)
		modes += p->task[i].n_modes;
	pim_scheduling_resource *c = pim_array_new(1, sizeof *c);
	c->capacity = (int32_t)p->capacity[r];
	c->one_at_a_time = true;
	c->part = pim_array_new(n, sizeof *c->part);
	c->by_begin = pim_array_new(n, sizeof *c->by_begin);
	c->by_end = pim_array_new(n, sizeof *c->by_end);
	c->time = pim_array_new(2 * n + 2, sizeof *c->time);
	c->height = pim_array_new(2 * n + 2, sizeof *c->height);
	c->numbers = pim_array_new(2 * modes, sizeof *c->numbers);
	int32_t *numbers = c->numbers;
	int propagator = pim_clause_propagator(s, propagate_resource, c, false);
	c->energy = pim_scheduling_energy_new(c, p->n_tasks);
	int slow = pim_clause_propagator(s, pim_scheduling_energy_run, c->energy, true);
	for (int i = 0; i < p->n_tasks; i++) {
		if (!ever_needs(&p->task[i], r))
			continue;
		add_part(c, &p->task[i], r, start[i], mode[i], &numbers);
		wake_on(s, propagator, start[i]);
		wake_on(s, propagator, mode[i]);
		wake_on(s, slow, start[i]);
		wake_on(s, slow, mode[i]);
	}
	return c;
}

void pim_scheduling_resource_free(pim_scheduling_resource *c)
{
	pim_scheduling_energy_free(c->energy);
	void *const parts[] = {c->part, c->by_begin, c->by_end, c->time, c->height, c->numbers, c};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		free(parts[i]);
}
