/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_region - one region as a problem of the scheduling engine.
 *
 * Units are one resource; the modes of a task and what must be before it carry over as they are.
 * The engine's priority rules give the list schedule, its search the rest; its paths, bound and
 * generation of schedules serve the integer programme too. Cost: that of the engine; rules cost
 * tasks * modes * segments of constant load, a few dozen times. Source: passes/scheduling.h. */
#include <stdlib.h>

#include "ir/array.h"
#include "passes/schedule.h"
#include "passes/scheduling_state.h"

static pim_scheduling *problem_of(const pim_region *r)
{
	pim_scheduling *p = pim_scheduling_new();
	pim_scheduling_add_resource(p, r->units);
	for (int i = 0; i < r->n; i++)
		pim_scheduling_add_task(p, 0);
	for (int i = 0; i < r->n; i++) {
		const pim_task *t = &r->task[i];
		for (int m = 0; m < t->n_modes; m++)
			pim_scheduling_add_mode(
				p, i, t->mode[m].cycles, 1, (const int64_t[]){t->mode[m].units});
		for (int k = 0; k < t->n_before; k++)
			pim_scheduling_add_precedence(p, t->before[k], i, 0);
	}
	if (!pim_scheduling_prepare(p))
		PIM_BUG("a region of %d tasks has no schedule", r->n);
	return p;
}

static void take_answer(pim_region *r, const pim_scheduling_answer *a)
{
	for (int i = 0; i < r->n; i++) {
		r->task[i].chosen = a->mode[i];
		r->task[i].start = a->start[i];
	}
}

static void begin_with_region(pim_scheduling *p, const pim_region *r)
{
	int64_t *start = pim_array_raw(r->n, sizeof *start);
	int *mode = pim_array_raw(r->n, sizeof *mode);
	for (int i = 0; i < r->n; i++) {
		start[i] = r->task[i].start;
		mode[i] = r->task[i].chosen;
	}
	pim_scheduling_begin_with(p, start, mode);
	free(start);
	free(mode);
}

int64_t pim_region_list(pim_region *r, int64_t *bound)
{
	if (r->n == 1) {
		r->task[0].chosen = 0;
		r->task[0].start = 0;
		return *bound = r->task[0].mode[0].cycles;
	}
	pim_scheduling *p = problem_of(r);
	pim_scheduling_answer a =
		pim_scheduling_solve(p, &(pim_scheduling_options){.rules_only = true, .seed = 1});
	take_answer(r, &a);
	*bound = a.bound;
	pim_scheduling_free(p);
	return a.value;
}

int64_t pim_region_search(pim_region *r, pim_region_effort e, int64_t *steps, bool *settled)
{
	pim_scheduling *p = problem_of(r);
	begin_with_region(p, r);
	pim_scheduling_answer a = pim_scheduling_solve(
		p, &(pim_scheduling_options){
			   .seconds = e.seconds, .gap = e.gap, .steps = e.rounds, .seed = 1});
	take_answer(r, &a);
	*settled = (double)(a.value - a.bound) <= e.gap * (double)a.value ||
			   (e.rounds && a.seconds < e.seconds);
	*steps += a.steps;
	pim_scheduling_free(p);
	return a.bound;
}

int64_t pim_region_settle(pim_region *r, pim_arena *scratch)
{
	pim_scheduling *p = problem_of(r);
	pim_scheduling_list *l = pim_scheduling_list_new(p);
	int64_t *key = PIM_NEW(scratch, int64_t, r->n), *start = PIM_NEW(scratch, int64_t, r->n);
	int *mode = PIM_NEW(scratch, int, r->n);
	for (int i = 0; i < r->n; i++) {
		key[i] = r->task[i].start;
		mode[i] = r->task[i].chosen;
	}
	int64_t cycles = pim_scheduling_list_forward(l, key, mode, start);
	for (int i = 0; i < r->n; i++)
		r->task[i].start = start[i];
	pim_scheduling_list_free(l);
	pim_scheduling_free(p);
	return cycles;
}

int64_t pim_region_bound(const pim_region *r, int64_t *head, int64_t *tail)
{
	pim_scheduling *p = problem_of(r);
	int64_t bound = pim_scheduling_bound(p);
	for (int i = 0; i < r->n; i++) {
		head[i] = p->task[i].head;
		tail[i] = p->task[i].tail - r->task[i].mode[0].cycles;
	}
	pim_scheduling_free(p);
	return bound;
}

int64_t pim_region_cycles(const pim_region *r)
{
	int64_t cycles = 0;
	for (int i = 0; i < r->n; i++) {
		int64_t end = r->task[i].start + r->task[i].mode[r->task[i].chosen].cycles;
		cycles = end > cycles ? end : cycles;
	}
	return cycles;
}
