/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_problem - the problem, its longest paths, and the check of a schedule. */
#include "ir/array.h"
#include "passes/scheduling_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

pim_scheduling *pim_scheduling_new(void)
{
	return pim_array_new(1, sizeof(pim_scheduling));
}

void pim_scheduling_free(pim_scheduling *p)
{
	for (int i = 0; i < p->n_tasks; i++) {
		for (int m = 0; m < p->task[i].n_modes; m++)
			free(p->task[i].mode[m].demand);
		free(p->task[i].mode);
	}
	free(p->capacity);
	free(p->task);
	free(p->arc);
	free(p->order);
	free(p->links);
	free(p->start);
	free(p->mode);
	free(p->given_mode);
	free(p);
}

int pim_scheduling_add_resource(pim_scheduling *p, int64_t capacity)
{
	p->capacity =
		pim_array_grow(p->capacity, p->n_resources, &p->room_resources, sizeof *p->capacity);
	p->capacity[p->n_resources] = capacity;
	return p->n_resources++;
}

int pim_scheduling_add_task(pim_scheduling *p, int64_t release)
{
	p->task = pim_array_grow(p->task, p->n_tasks, &p->room_tasks, sizeof *p->task);
	p->task[p->n_tasks] = (pim_scheduling_task){.release = release < 0 ? 0 : release};
	return p->n_tasks++;
}

static bool fits_capacity(const pim_scheduling *p, int n, const int64_t *demand)
{
	for (int r = 0; r < n; r++)
		if (demand[r] > p->capacity[r])
			return false;
	return true;
}

/* A mode that never fits is only counted; the others stand shorter first. */
int pim_scheduling_add_mode(
	pim_scheduling *p, int task, int64_t duration, int n_demands, const int64_t *demand)
{
	assert(n_demands <= p->n_resources && duration >= 0);
	pim_scheduling_task *t = &p->task[task];
	if (!fits_capacity(p, n_demands, demand))
		return t->n_given++;
	t->mode = pim_array_grow(t->mode, t->n_modes, &t->room_modes, sizeof *t->mode);
	int at = t->n_modes++;
	for (; at > 0 && t->mode[at - 1].duration > duration; at--)
		t->mode[at] = t->mode[at - 1];
	int64_t *all = pim_array_new(p->n_resources, sizeof *all);
	for (int r = 0; r < n_demands; r++)
		all[r] = demand[r];
	t->mode[at] = (pim_scheduling_mode){duration, all, t->n_given};
	return t->n_given++;
}

static void add_arc(pim_scheduling *p, int from, int to, int64_t lag, bool from_end)
{
	p->arc = pim_array_grow(p->arc, p->n_arcs, &p->room_arcs, sizeof *p->arc);
	p->arc[p->n_arcs++] = (pim_scheduling_arc){from, to, lag, from_end};
}

void pim_scheduling_add_precedence(pim_scheduling *p, int before, int after, int64_t lag)
{
	add_arc(p, before, after, lag, true);
}

void pim_scheduling_add_delay(pim_scheduling *p, int before, int after, int64_t delay)
{
	add_arc(p, before, after, delay, false);
}

/* ---- paths ---- */

static void link_arcs(pim_scheduling *p)
{
	p->links = pim_array_new(2 * (int64_t)p->n_arcs, sizeof *p->links);
	for (int a = 0; a < p->n_arcs; a++) {
		p->task[p->arc[a].from].n_out++;
		p->task[p->arc[a].to].n_in++;
	}
	int *next = p->links;
	for (int i = 0; i < p->n_tasks; i++) {
		pim_scheduling_task *t = &p->task[i];
		t->in = next;
		t->out = next + t->n_in;
		next += t->n_in + t->n_out;
		t->n_in = t->n_out = 0;
	}
	for (int a = 0; a < p->n_arcs; a++) {
		pim_scheduling_task *from = &p->task[p->arc[a].from], *to = &p->task[p->arc[a].to];
		from->out[from->n_out++] = a;
		to->in[to->n_in++] = a;
	}
}

/* False: the arcs form a cycle. */
static bool sort_tasks(pim_scheduling *p)
{
	int *left = pim_array_new(p->n_tasks, sizeof *left), n = 0;
	p->order = pim_array_new(p->n_tasks, sizeof *p->order);
	for (int i = 0; i < p->n_tasks; i++)
		if (!(left[i] = p->task[i].n_in))
			p->order[n++] = i;
	for (int k = 0; k < n; k++) {
		const pim_scheduling_task *t = &p->task[p->order[k]];
		for (int a = 0; a < t->n_out; a++)
			if (!--left[p->arc[t->out[a]].to])
				p->order[n++] = p->arc[t->out[a]].to;
	}
	free(left);
	return n == p->n_tasks;
}

static void measure_paths(pim_scheduling *p)
{
	for (int k = 0; k < p->n_tasks; k++) {
		pim_scheduling_task *t = &p->task[p->order[k]];
		t->head = t->release;
		for (int a = 0; a < t->n_in; a++) {
			const pim_scheduling_arc *c = &p->arc[t->in[a]];
			const pim_scheduling_task *f = &p->task[c->from];
			int64_t at = f->head + pim_scheduling_delay(c, f->mode[0].duration);
			t->head = at > t->head ? at : t->head;
		}
	}
	for (int k = p->n_tasks - 1; k >= 0; k--) {
		pim_scheduling_task *t = &p->task[p->order[k]];
		t->tail = t->mode[0].duration;
		for (int a = 0; a < t->n_out; a++) {
			const pim_scheduling_arc *c = &p->arc[t->out[a]];
			int64_t at = p->task[c->to].tail + pim_scheduling_delay(c, t->mode[0].duration);
			t->tail = at > t->tail ? at : t->tail;
		}
	}
}

bool pim_scheduling_prepare(pim_scheduling *p)
{
	if (p->prepared)
		return p->possible;
	p->prepared = true;
	for (int i = 0; i < p->n_tasks; i++)
		if (!p->task[i].n_modes)
			return false;
	link_arcs(p);
	if (!sort_tasks(p))
		return false;
	measure_paths(p);
	p->start = pim_array_new(p->n_tasks, sizeof *p->start);
	p->mode = pim_array_new(p->n_tasks, sizeof *p->mode);
	p->given_mode = pim_array_new(p->n_tasks, sizeof *p->given_mode);
	return p->possible = true;
}

/* ---- the check ---- */

static const pim_scheduling_mode *find_mode(const pim_scheduling_task *t, int given)
{
	for (int m = 0; m < t->n_modes; m++)
		if (t->mode[m].given == given)
			return &t->mode[m];
	return NULL;
}

/* Demand for r when task i starts, over the tasks that run then. */
static int64_t load_at_start(
	const pim_scheduling *p, const int64_t *start, const int *mode, int i, int r)
{
	int64_t load = 0;
	for (int k = 0; k < p->n_tasks; k++) {
		const pim_scheduling_mode *m = find_mode(&p->task[k], mode[k]);
		if (start[k] <= start[i] && start[i] < start[k] + m->duration)
			load += m->demand[r];
	}
	return load;
}

bool pim_scheduling_check(
	const pim_scheduling *p, const int64_t *start, const int *mode, int64_t *makespan)
{
	*makespan = 0;
	for (int i = 0; i < p->n_tasks; i++) {
		const pim_scheduling_mode *m = find_mode(&p->task[i], mode[i]);
		if (!m || start[i] < p->task[i].release)
			return false;
		if (start[i] + m->duration > *makespan)
			*makespan = start[i] + m->duration;
	}
	for (int a = 0; a < p->n_arcs; a++) {
		const pim_scheduling_arc *c = &p->arc[a];
		int64_t d = find_mode(&p->task[c->from], mode[c->from])->duration;
		if (start[c->to] < start[c->from] + pim_scheduling_delay(c, d))
			return false;
	}
	for (int i = 0; i < p->n_tasks; i++)
		for (int r = 0; r < p->n_resources; r++)
			if (load_at_start(p, start, mode, i, r) > p->capacity[r])
				return false;
	return true;
}

bool pim_scheduling_begin_with(pim_scheduling *p, const int64_t *start, const int *mode)
{
	int64_t value;
	if (!pim_scheduling_prepare(p) || !pim_scheduling_check(p, start, mode, &value))
		return false;
	if (p->known && p->value <= value)
		return true;
	p->known = true;
	p->value = value;
	for (int i = 0; i < p->n_tasks; i++) {
		p->start[i] = start[i];
		p->given_mode[i] = mode[i];
		p->mode[i] = (int)(find_mode(&p->task[i], mode[i]) - p->task[i].mode);
	}
	return true;
}
