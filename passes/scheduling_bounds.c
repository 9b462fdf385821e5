/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_bounds - lower bounds of the makespan without search.
 *
 * Paths: head + tail of every task. Work: tasks whose head is at least a and whose time after
 * their end is at least b fit between a and the end less b, so a + b + their work / capacity is a
 * bound, for every pair (a, b) of a resource (of very many a, some). Cost: tasks squared per
 * resource. Source: ours, the
 * usual energy argument on release times and delivery times. */
#include "passes/scheduling_state.h"

#include <stdlib.h>

#include "ir/array.h"

typedef struct window {
	int64_t head, rest, work;
} window;

/* Later ends first: descending rest. */
static int compare_rest(const void *a, const void *b)
{
	const window *x = a, *y = b;
	return x->rest != y->rest ? (x->rest > y->rest ? -1 : 1) : 0;
}

static int64_t least_work(const pim_scheduling_task *t, int r)
{
	int64_t least = INT64_MAX;
	for (int m = 0; m < t->n_modes; m++) {
		int64_t work;
		if (__builtin_mul_overflow(t->mode[m].duration, t->mode[m].demand[r], &work))
			work = 0;
		least = work < least ? work : least;
	}
	return least;
}

static int64_t bound_of_work(const window *w, int n, int64_t capacity)
{
	enum { MOST_PAIRS = 10000000 };
	int64_t best = 0;
	int step = 1 + (int)((int64_t)n * n / MOST_PAIRS);
	for (int k = 0; k < n; k += step) {
		int64_t work = 0;
		for (int i = 0; i < n; i++) {
			if (w[i].head < w[k].head || __builtin_add_overflow(work, w[i].work, &work))
				continue;
			int64_t at = w[k].head + w[i].rest + work / capacity + (work % capacity != 0);
			best = at > best ? at : best;
		}
	}
	return best;
}

static int64_t bound_of_resource(const pim_scheduling *p, int r, window *w)
{
	int n = 0;
	for (int i = 0; i < p->n_tasks; i++) {
		const pim_scheduling_task *t = &p->task[i];
		int64_t work = least_work(t, r);
		if (work > 0)
			w[n++] = (window){t->head, t->tail - t->mode[0].duration, work};
	}
	qsort(w, (size_t)n, sizeof *w, compare_rest);
	return bound_of_work(w, n, p->capacity[r]);
}

int64_t pim_scheduling_bound(const pim_scheduling *p)
{
	int64_t best = 0;
	for (int i = 0; i < p->n_tasks; i++) {
		int64_t at = p->task[i].head + p->task[i].tail;
		best = at > best ? at : best;
	}
	window *w = pim_array_raw(p->n_tasks, sizeof *w);
	for (int r = 0; r < p->n_resources; r++) {
		int64_t at = bound_of_resource(p, r, w);
		best = at > best ? at : best;
	}
	free(w);
	return best;
}
