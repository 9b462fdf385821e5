/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_list - schedules one region by priority rules.
 *
 * Tasks are taken in the order of the longest path that hangs behind them; each gets the mode and
 * the earliest time at which it ends first, beside what was placed before it. Giving the first task
 * all units is not always right, so this is done once per cap (all units, a half, a third, a
 * quarter, an eighth) on what a task may take, and the best is kept.
 * Cost: caps * tasks * modes * busy intervals. Source: the serial scheme of project scheduling
 * (Kolisch, 1996), with modes chosen greedily. */
#include "passes/schedule.h"

#include <stdlib.h>
#include <string.h>

/* Units in use from time[i] to time[i + 1]; the last interval has no end and none in use. */
typedef struct profile {
	int n;
	int64_t *time;
	int *used;
} profile;

typedef struct rank {
	int64_t key; /* smaller first */
	int task;
} rank;

static int compare_ranks(const void *a, const void *b)
{
	const rank *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->task > y->task) - (x->task < y->task);
}

static profile empty_profile(const pim_region *r, pim_arena *a)
{
	profile p = {
		.n = 1, .time = PIM_NEW(a, int64_t, 2 * r->n + 1), .used = PIM_NEW(a, int, 2 * r->n + 1)};
	return p;
}

/* The first time, not before `from`, at which so many units are free for so long. */
static int64_t find_room(const profile *p, int free_units, const pim_mode *m, int64_t from)
{
	int i = 0;
	while (i + 1 < p->n && p->time[i + 1] <= from)
		i++;
	for (int64_t start = from;; i++) {
		if (p->used[i] > free_units - m->units)
			start = p->time[i + 1];
		else if (i + 1 == p->n || p->time[i + 1] >= start + m->cycles)
			return start;
	}
}

/* The interval that begins at `at`, made if need be. */
static int split_at(profile *p, int64_t at)
{
	int i = p->n - 1;
	while (p->time[i] > at)
		i--;
	if (p->time[i] == at)
		return i;
	memmove(p->time + i + 2, p->time + i + 1, sizeof *p->time * (size_t)(p->n - i - 1));
	memmove(p->used + i + 2, p->used + i + 1, sizeof *p->used * (size_t)(p->n - i - 1));
	p->time[i + 1] = at;
	p->used[i + 1] = p->used[i];
	p->n++;
	return i + 1;
}

static void occupy(profile *p, const pim_mode *m, int64_t start)
{
	int first = split_at(p, start), end = split_at(p, start + m->cycles);
	for (int i = first; i < end; i++)
		p->used[i] += m->units;
}

static int64_t task_end(const pim_task *t)
{
	return t->start + t->mode[t->chosen].cycles;
}

static int64_t earliest(const pim_region *r, const pim_task *t)
{
	int64_t from = 0;
	for (int k = 0; k < t->n_before; k++) {
		int64_t end = task_end(&r->task[t->before[k]]);
		from = end > from ? end : from;
	}
	return from;
}

/* The allowed mode that ends first; of equal ones the one with fewer units. */
static void place_task(const pim_region *r, pim_task *t, int cap, profile *p)
{
	int64_t from = earliest(r, t), best = INT64_MAX;
	for (int m = 0; m < t->n_modes; m++) {
		const pim_mode *mode = &t->mode[m];
		if (mode->units > cap && m + 1 < t->n_modes)
			continue;
		int64_t start = find_room(p, r->units, mode, from);
		if (start + mode->cycles <= best) {
			best = start + mode->cycles;
			t->chosen = m;
			t->start = start;
		}
	}
	occupy(p, &t->mode[t->chosen], t->start);
}

void pim_region_paths(const pim_region *r, int64_t *head, int64_t *tail)
{
	for (int i = 0; i < r->n; i++)
		head[i] = tail[i] = 0;
	for (int i = 0; i < r->n; i++)
		for (int k = 0; k < r->task[i].n_before; k++) {
			int b = r->task[i].before[k];
			int64_t path = head[b] + r->task[b].mode[0].cycles;
			head[i] = path > head[i] ? path : head[i];
		}
	for (int i = r->n - 1; i >= 0; i--)
		for (int k = 0; k < r->task[i].n_before; k++) {
			int b = r->task[i].before[k];
			int64_t path = tail[i] + r->task[i].mode[0].cycles;
			tail[b] = path > tail[b] ? path : tail[b];
		}
}

int64_t pim_region_cycles(const pim_region *r)
{
	int64_t cycles = 0;
	for (int i = 0; i < r->n; i++)
		cycles = task_end(&r->task[i]) > cycles ? task_end(&r->task[i]) : cycles;
	return cycles;
}

int64_t pim_region_bound(const pim_region *r, pim_arena *scratch)
{
	int64_t *head = PIM_NEW(scratch, int64_t, r->n), *tail = PIM_NEW(scratch, int64_t, r->n),
			bound = 0;
	double work = 0;
	pim_region_paths(r, head, tail);
	for (int i = 0; i < r->n; i++) {
		const pim_task *t = &r->task[i];
		double least = (double)t->mode[0].units * (double)t->mode[0].cycles;
		for (int m = 1; m < t->n_modes; m++) {
			double units_cycles = (double)t->mode[m].units * (double)t->mode[m].cycles;
			least = units_cycles < least ? units_cycles : least;
		}
		work += least;
		int64_t path = head[i] + t->mode[0].cycles + tail[i];
		bound = path > bound ? path : bound;
	}
	int64_t spread = (int64_t)(work / r->units);
	return spread > bound ? spread : bound;
}

typedef struct answer {
	int chosen;
	int64_t start;
} answer;

static void try_cap(pim_region *r, const rank *order, int cap, int64_t *best, answer *kept)
{
	pim_arena *scratch = pim_arena_new();
	profile p = empty_profile(r, scratch);
	for (int i = 0; i < r->n; i++)
		place_task(r, &r->task[order[i].task], cap, &p);
	pim_arena_free(scratch);
	if (pim_region_cycles(r) >= *best)
		return;
	*best = pim_region_cycles(r);
	for (int i = 0; i < r->n; i++)
		kept[i] = (answer){r->task[i].chosen, r->task[i].start};
}

int64_t pim_region_list(pim_region *r, pim_arena *scratch)
{
	static const int share[] = {1, 2, 3, 4, 8};
	int64_t *head = PIM_NEW(scratch, int64_t, r->n), *tail = PIM_NEW(scratch, int64_t, r->n),
			best = INT64_MAX;
	rank *order = PIM_NEW(scratch, rank, r->n);
	answer *kept = PIM_NEW(scratch, answer, r->n);
	pim_region_paths(r, head, tail);
	for (int i = 0; i < r->n; i++)
		order[i] = (rank){-(tail[i] + r->task[i].mode[0].cycles), i};
	qsort(order, (size_t)r->n, sizeof *order, compare_ranks);
	for (int i = 0; i < (r->n > 1 ? 5 : 1); i++)
		try_cap(r, order, (r->units + share[i] - 1) / share[i], &best, kept);
	for (int i = 0; i < r->n; i++) {
		r->task[i].chosen = kept[i].chosen;
		r->task[i].start = kept[i].start;
	}
	return best;
}

int64_t pim_region_settle(pim_region *r, pim_arena *scratch)
{
	rank *order = PIM_NEW(scratch, rank, r->n);
	profile p = empty_profile(r, scratch);
	for (int i = 0; i < r->n; i++) {
		pim_task *t = &r->task[i];
		for (int k = 0; k < t->n_before; k++)
			if (r->task[t->before[k]].start > t->start)
				t->start = r->task[t->before[k]].start;
		order[i] = (rank){t->start, i};
	}
	qsort(order, (size_t)r->n, sizeof *order, compare_ranks);
	for (int i = 0; i < r->n; i++) {
		pim_task *t = &r->task[order[i].task];
		const pim_mode *m = &t->mode[t->chosen];
		t->start = find_room(&p, r->units, m, earliest(r, t));
		occupy(&p, m, t->start);
	}
	return pim_region_cycles(r);
}
