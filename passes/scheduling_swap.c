/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_swap - tabu search over the orders of tasks on machines.
 *
 * For problems where every task has one mode and needs at most one resource, and every resource
 * holds one task at a time: job shops with any precedence.
 * Idea:   a solution is an order per machine; times are longest paths. A move takes a task of a
 *         block of the critical path behind or before another task of the block; its effect is
 *         estimated from the moved tasks alone. Orders just broken are forbidden for a while. When
 *         a walk finds nothing more, its best joins an elite, and the next one begins half-way
 *         between two of the elite.
 * Cost:   a step is linear in tasks and arcs.
 * Source: Nowicki, Smutnicki 1996 (blocks, tabu); Balas, Vazacopoulos 1998 (moves, estimates);
 *         Peng, Lu, Cheng 2015 (relinking). */
#include "passes/scheduling_state.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"

enum { ELITE = 16, PATIENCE = 8000, MOST_TASKS = 2500 };

typedef struct elite {
	int64_t value;
	int *place;
} elite;

typedef struct move {
	int from, to; /* places on the machine: the task at `from` goes to `to` */
	int machine;
} move;

typedef struct link {
	int task;
	int64_t delay;
} link;

struct pim_scheduling_swap {
	pim_scheduling_run *run;
	const pim_scheduling *p;
	int n;
	int64_t *duration, *head, *tail;
	int *machine, *place; /* of a task; machine -1: none */
	int **row, *length;	  /* tasks of a machine in order */
	int *rows;
	link *link; /* both directions of arcs; in_from[i] .. in_from[i + 1], likewise out */
	int *in_from, *out_from;
	int *order, *waiting;
	int64_t value, walk_best, step, walk_since;
	int *best_place;
	int64_t *tabu; /* [i * n + k]: i must not come before k until that step */
	int *path;
	int64_t *new_head, *new_tail;
	elite elite[ELITE];
	int n_elite, *mode;
	bool walking;
};

/* ---- is it such a problem? ---- */

static int machine_of(const pim_scheduling *p, int i)
{
	int machine = -1;
	for (int r = 0; r < p->n_resources; r++) {
		int64_t need = p->task[i].mode[0].demand[r];
		if (!need || !p->task[i].mode[0].duration)
			continue;
		if (machine >= 0 || 2 * need <= p->capacity[r])
			return -2;
		machine = r;
	}
	return machine;
}

static bool is_shop(const pim_scheduling *p)
{
	for (int i = 0; i < p->n_tasks; i++)
		if (p->task[i].n_modes != 1 || machine_of(p, i) == -2)
			return false;
	return p->n_tasks > 1 && p->n_tasks <= MOST_TASKS;
}

/* ---- making ---- */

static void link_tasks(pim_scheduling_swap *s)
{
	const pim_scheduling *p = s->p;
	int n = 0;
	for (int i = 0; i < p->n_tasks; i++) {
		const pim_scheduling_task *t = &p->task[i];
		s->in_from[i] = n;
		for (int k = 0; k < t->n_in; k++) {
			const pim_scheduling_arc *a = &p->arc[t->in[k]];
			s->link[n++] = (link){a->from, pim_scheduling_delay(a, s->duration[a->from])};
		}
	}
	s->in_from[p->n_tasks] = n;
	for (int i = 0; i < p->n_tasks; i++) {
		const pim_scheduling_task *t = &p->task[i];
		s->out_from[i] = n;
		for (int k = 0; k < t->n_out; k++) {
			const pim_scheduling_arc *a = &p->arc[t->out[k]];
			s->link[n++] = (link){a->to, pim_scheduling_delay(a, s->duration[a->from])};
		}
	}
	s->out_from[p->n_tasks] = n;
}

static void give_rows(pim_scheduling_swap *s)
{
	for (int i = 0; i < s->n; i++) {
		s->duration[i] = s->p->task[i].mode[0].duration;
		s->machine[i] = machine_of(s->p, i);
		if (s->machine[i] >= 0)
			s->length[s->machine[i]]++;
	}
	int *next = s->rows;
	for (int r = 0; r < s->p->n_resources; r++) {
		s->row[r] = next;
		next += s->length[r];
		s->length[r] = 0;
	}
	for (int i = 0; i < s->n; i++)
		if (s->machine[i] >= 0) {
			s->place[i] = s->length[s->machine[i]]++;
			s->row[s->machine[i]][s->place[i]] = i;
		}
}

pim_scheduling_swap *pim_scheduling_swap_new(pim_scheduling_run *run)
{
	if (!is_shop(run->p))
		return NULL;
	pim_scheduling_swap *s = pim_array_new(1, sizeof *s);
	int64_t n = run->p->n_tasks, arcs = run->p->n_arcs;
	int resources = run->p->n_resources;
	s->run = run;
	s->p = run->p;
	s->n = run->p->n_tasks;
	int64_t **times[] = {&s->duration, &s->head, &s->tail, &s->new_head, &s->new_tail};
	int **indexes[] = {&s->machine, &s->place, &s->rows, &s->in_from, &s->out_from, &s->order,
		&s->waiting, &s->best_place, &s->path, &s->mode};
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		*times[i] = pim_array_new(n, sizeof(int64_t));
	for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++)
		*indexes[i] = pim_array_new(n + 1, sizeof(int));
	s->row = pim_array_new(resources, sizeof *s->row);
	s->length = pim_array_new(resources, sizeof *s->length);
	s->link = pim_array_new(2 * arcs, sizeof *s->link);
	s->tabu = pim_array_new(n * n, sizeof *s->tabu);
	for (int k = 0; k < ELITE; k++)
		s->elite[k].place = pim_array_new(n, sizeof(int));
	give_rows(s);
	link_tasks(s);
	return s;
}

void pim_scheduling_swap_free(pim_scheduling_swap *s)
{
	for (int k = 0; k < ELITE; k++)
		free(s->elite[k].place);
	void *const parts[] = {s->duration, s->head, s->tail, s->new_head, s->new_tail, s->machine,
		s->place, s->rows, s->in_from, s->out_from, s->order, s->waiting, s->best_place, s->path,
		s->mode, s->row, s->length, s->link, s->tabu, s};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		free(parts[i]);
}

/* ---- times ---- */

static int before_on_machine(const pim_scheduling_swap *s, int i)
{
	return s->machine[i] >= 0 && s->place[i] > 0 ? s->row[s->machine[i]][s->place[i] - 1] : -1;
}

static int after_on_machine(const pim_scheduling_swap *s, int i)
{
	int m = s->machine[i];
	return m >= 0 && s->place[i] + 1 < s->length[m] ? s->row[m][s->place[i] + 1] : -1;
}

/* Least start by arcs alone, from the heads as they are. */
static int64_t head_by_links(const pim_scheduling_swap *s, int i)
{
	int64_t at = s->p->task[i].release;
	for (int k = s->in_from[i]; k < s->in_from[i + 1]; k++) {
		int64_t least = s->head[s->link[k].task] + s->link[k].delay;
		at = least > at ? least : at;
	}
	return at;
}

static int64_t tail_by_links(const pim_scheduling_swap *s, int i)
{
	int64_t at = s->duration[i];
	for (int k = s->out_from[i]; k < s->out_from[i + 1]; k++) {
		int64_t least = s->tail[s->link[k].task] + s->link[k].delay;
		at = least > at ? least : at;
	}
	return at;
}

/* False: arcs and machine orders form a cycle. */
static bool sort_tasks(pim_scheduling_swap *s)
{
	int n = 0;
	for (int i = 0; i < s->n; i++) {
		s->waiting[i] = s->in_from[i + 1] - s->in_from[i] + (before_on_machine(s, i) >= 0);
		if (!s->waiting[i])
			s->order[n++] = i;
	}
	for (int k = 0; k < n; k++) {
		int i = s->order[k], next = after_on_machine(s, i);
		for (int a = s->out_from[i]; a < s->out_from[i + 1]; a++)
			if (!--s->waiting[s->link[a].task])
				s->order[n++] = s->link[a].task;
		if (next >= 0 && !--s->waiting[next])
			s->order[n++] = next;
	}
	return n == s->n;
}

static bool measure(pim_scheduling_swap *s)
{
	if (!sort_tasks(s))
		return false;
	s->value = 0;
	for (int k = 0; k < s->n; k++) {
		int i = s->order[k], b = before_on_machine(s, i);
		int64_t at = head_by_links(s, i);
		if (b >= 0 && s->head[b] + s->duration[b] > at)
			at = s->head[b] + s->duration[b];
		s->head[i] = at;
		s->value = at + s->duration[i] > s->value ? at + s->duration[i] : s->value;
	}
	for (int k = s->n - 1; k >= 0; k--) {
		int i = s->order[k], a = after_on_machine(s, i);
		int64_t at = tail_by_links(s, i);
		if (a >= 0 && s->tail[a] + s->duration[i] > at)
			at = s->tail[a] + s->duration[i];
		s->tail[i] = at;
	}
	return true;
}

/* ---- moves ---- */

static void do_move(pim_scheduling_swap *s, move m)
{
	int *row = s->row[m.machine], task = row[m.from], by = m.from < m.to ? 1 : -1;
	for (int k = m.from; k != m.to; k += by) {
		row[k] = row[k + by];
		s->place[row[k]] = k;
	}
	row[m.to] = task;
	s->place[task] = m.to;
}

/* Paths tell that no cycle can arise (only those with no length escape). */
static bool keeps_order(const pim_scheduling_swap *s, move m)
{
	const int *row = s->row[m.machine];
	int i = row[m.from], k = row[m.to];
	if (m.from < m.to) {
		for (int a = s->out_from[i]; a < s->out_from[i + 1]; a++)
			if (s->tail[s->link[a].task] > s->tail[k])
				return false;
		return true;
	}
	for (int a = s->in_from[i]; a < s->in_from[i + 1]; a++) {
		int f = s->link[a].task;
		if (s->head[f] + s->duration[f] > s->head[k] + s->duration[k])
			return false;
	}
	return true;
}

/* The task at place x once the move is done. */
static int task_after(const pim_scheduling_swap *s, move m, int x)
{
	const int *row = s->row[m.machine];
	if (x == m.to)
		return row[m.from];
	return m.from < m.to ? row[x + 1] : row[x - 1];
}

/* Longest path through the moved tasks, with the others' heads and tails as they are. */
static int64_t estimate(pim_scheduling_swap *s, move m)
{
	int low = m.from < m.to ? m.from : m.to, high = m.from < m.to ? m.to : m.from;
	const int *row = s->row[m.machine];
	int64_t at = low > 0 ? s->head[row[low - 1]] + s->duration[row[low - 1]] : 0, most = 0;
	for (int x = low; x <= high; x++) {
		int i = task_after(s, m, x);
		int64_t least = head_by_links(s, i);
		s->new_head[x] = at > least ? at : least;
		at = s->new_head[x] + s->duration[i];
	}
	at = high + 1 < s->length[m.machine] ? s->tail[row[high + 1]] : 0;
	for (int x = high; x >= low; x--) {
		int i = task_after(s, m, x);
		int64_t least = tail_by_links(s, i);
		at = at + s->duration[i] > least ? at + s->duration[i] : least;
		most = s->new_head[x] + at > most ? s->new_head[x] + at : most;
	}
	return most;
}

static bool is_forbidden(const pim_scheduling_swap *s, move m)
{
	const int *row = s->row[m.machine];
	size_t i = (size_t)row[m.from], n = (size_t)s->n;
	int by = m.from < m.to ? 1 : -1;
	for (int k = m.from + by; k != m.to + by; k += by) {
		size_t other = (size_t)row[k];
		int64_t until = by > 0 ? s->tabu[other * n + i] : s->tabu[i * n + other];
		if (until > s->step)
			return true;
	}
	return false;
}

/* The orders that the move breaks must not come back for a while. */
static void forbid_back(pim_scheduling_swap *s, move m)
{
	const int *row = s->row[m.machine];
	size_t i = (size_t)row[m.from], n = (size_t)s->n;
	int by = m.from < m.to ? 1 : -1, base = 10 + s->length[m.machine] / s->p->n_resources;
	int64_t until = s->step + base + pim_scheduling_random(s->run, (uint32_t)base);
	for (int k = m.from + by; k != m.to + by; k += by) {
		size_t other = (size_t)row[k];
		s->tabu[by > 0 ? i * n + other : other * n + i] = until;
	}
}

/* ---- a step ---- */

typedef struct choice {
	move best, any;
	int64_t value;
	int equal, seen;
} choice;

static void consider(pim_scheduling_swap *s, move m, choice *c)
{
	if (!keeps_order(s, m))
		return;
	if (!pim_scheduling_random(s->run, (uint32_t)++c->seen))
		c->any = m;
	int64_t value = estimate(s, m);
	if (value > c->value || (is_forbidden(s, m) && value >= s->walk_best))
		return;
	c->equal = value < c->value ? 1 : c->equal + 1;
	c->value = value;
	if (!pim_scheduling_random(s->run, (uint32_t)c->equal))
		c->best = m;
}

/* Into and out of the ends of the block that takes places low to high. */
static void consider_block(pim_scheduling_swap *s, int machine, int low, int high, choice *c)
{
	for (int x = low; x < high; x++) {
		consider(s, (move){x, high, machine}, c);
		if (x + 1 < high)
			consider(s, (move){high, x, machine}, c);
		if (x > low)
			consider(s, (move){low, x, machine}, c);
		if (x > low)
			consider(s, (move){x, low, machine}, c);
	}
	if (high > low + 1)
		consider(s, (move){high, low, machine}, c);
}

static bool follows(const pim_scheduling_swap *s, int i, int k, int64_t delay)
{
	return s->head[k] == s->head[i] + delay && s->head[k] + s->tail[k] == s->value;
}

static int next_critical(pim_scheduling_swap *s, int i)
{
	int next = after_on_machine(s, i), seen = 0, found = -1;
	if (next >= 0 && follows(s, i, next, s->duration[i])) {
		found = next;
		seen = 1;
	}
	for (int a = s->out_from[i]; a < s->out_from[i + 1]; a++) {
		const link *l = &s->link[a];
		if (follows(s, i, l->task, l->delay) && !pim_scheduling_random(s->run, (uint32_t)++seen))
			found = l->task;
	}
	return found;
}

/* A critical path, chosen by chance where there are several; its length. */
static int find_path(pim_scheduling_swap *s)
{
	int first = -1, seen = 0, n = 0;
	for (int i = 0; i < s->n; i++)
		if (s->head[i] == s->p->task[i].release && s->head[i] + s->tail[i] == s->value &&
			!pim_scheduling_random(s->run, (uint32_t)++seen))
			first = i;
	for (int i = first; i >= 0 && n < s->n; i = next_critical(s, i))
		s->path[n++] = i;
	return n;
}

static bool choose_move(pim_scheduling_swap *s, move *m)
{
	choice c = {.value = INT64_MAX};
	int n = find_path(s);
	for (int k = 0; k < n;) {
		int first = s->path[k], last = first;
		for (k++; k < n && s->path[k] == after_on_machine(s, last); k++)
			last = s->path[k];
		if (first != last)
			consider_block(s, s->machine[first], s->place[first], s->place[last], &c);
	}
	*m = c.equal ? c.best : c.any;
	return c.seen > 0;
}

static void note_best(pim_scheduling_swap *s)
{
	if (s->value >= s->walk_best)
		return;
	s->walk_best = s->value;
	s->walk_since = s->step;
	memcpy(s->best_place, s->place, (size_t)s->n * sizeof *s->place);
	pim_scheduling_offer(s->run, s->head, s->mode, s->value);
}

/* False: there is no move. */
static bool walk(pim_scheduling_swap *s)
{
	move m;
	s->step++;
	if (!choose_move(s, &m))
		return false;
	forbid_back(s, m);
	do_move(s, m);
	if (!measure(s)) {
		do_move(s, (move){m.to, m.from, m.machine});
		measure(s);
		return true;
	}
	note_best(s);
	return true;
}

/* ---- walks ---- */

static void set_places(pim_scheduling_swap *s, const int *place)
{
	for (int i = 0; i < s->n; i++)
		if (s->machine[i] >= 0) {
			s->place[i] = place[i];
			s->row[s->machine[i]][place[i]] = i;
		}
}

/* Machine orders by starts; equal starts by the order of arcs. */
static void begin_at(pim_scheduling_swap *s, const int64_t *start)
{
	memset(s->length, 0, (size_t)s->p->n_resources * sizeof *s->length);
	for (int k = 0; k < s->n; k++) {
		int i = s->p->order[k];
		if (s->machine[i] < 0)
			continue;
		int *row = s->row[s->machine[i]], to = s->length[s->machine[i]]++;
		for (; to > 0 && start[row[to - 1]] > start[i]; to--) {
			row[to] = row[to - 1];
			s->place[row[to]] = to;
		}
		row[to] = i;
		s->place[i] = to;
	}
}

/* Steps towards the places of another, by pairs of neighbours in the wrong order. */
static void approach(pim_scheduling_swap *s, const int *place, int steps)
{
	int misses = 0;
	while (steps > 0 && misses < 20 * s->n) {
		int i = (int)pim_scheduling_random(s->run, (uint32_t)s->n), k = after_on_machine(s, i);
		misses++;
		if (k < 0 || place[i] < place[k])
			continue;
		move m = {s->place[i], s->place[k], s->machine[i]};
		do_move(s, m);
		if (sort_tasks(s))
			steps--;
		else
			do_move(s, m);
	}
}

static int distance(const pim_scheduling_swap *s, const int *a, const int *b)
{
	int apart = 0;
	for (int i = 0; i < s->n; i++)
		apart += s->machine[i] >= 0 ? abs(a[i] - b[i]) : 0;
	return apart / 2;
}

static void perturb(pim_scheduling_swap *s, int steps)
{
	for (; steps > 0; steps--) {
		int i = (int)pim_scheduling_random(s->run, (uint32_t)s->n), k = after_on_machine(s, i);
		if (k < 0)
			continue;
		move m = {s->place[i], s->place[k], s->machine[i]};
		do_move(s, m);
		if (!sort_tasks(s))
			do_move(s, m);
	}
}

/* The first walks begin at blurred copies of the best schedule, later ones between two elites. */
static void begin_walk(pim_scheduling_swap *s)
{
	if (s->n_elite < ELITE / 2) {
		begin_at(s, s->p->start);
		perturb(s, s->n_elite ? 2 * s->n : 0);
	} else {
		uint32_t n = (uint32_t)s->n_elite;
		uint32_t a = pim_scheduling_random(s->run, n), b = pim_scheduling_random(s->run, n - 1);
		b += b >= a;
		set_places(s, s->elite[a].place);
		int apart = distance(s, s->elite[a].place, s->elite[b].place);
		approach(s, s->elite[b].place, apart / 3);
		perturb(s, 3);
	}
	measure(s);
	s->walk_best = INT64_MAX;
	memset(s->tabu, 0, (size_t)s->n * (size_t)s->n * sizeof *s->tabu);
	note_best(s);
	s->walk_since = s->step;
	s->walking = true;
}

/* Joins the elite: in a free place, or for the worst; never twice nearly the same. */
static void end_walk(pim_scheduling_swap *s)
{
	int worst = 0;
	s->walking = false;
	for (int k = 0; k < s->n_elite; k++) {
		if (distance(s, s->elite[k].place, s->best_place) < 3 + s->n / 40) {
			if (s->walk_best < s->elite[k].value) {
				s->elite[k].value = s->walk_best;
				memcpy(s->elite[k].place, s->best_place, (size_t)s->n * sizeof(int));
			}
			return;
		}
		if (s->elite[k].value > s->elite[worst].value)
			worst = k;
	}
	if (s->n_elite < ELITE)
		worst = s->n_elite++;
	else if (s->walk_best > s->elite[worst].value)
		return;
	s->elite[worst].value = s->walk_best;
	memcpy(s->elite[worst].place, s->best_place, (size_t)s->n * sizeof(int));
}

void pim_scheduling_swap_work(pim_scheduling_swap *s, int64_t steps)
{
	for (int64_t i = 0; i < steps && !pim_scheduling_is_done(s->run); i++) {
		if (i % 64 == 63 && pim_scheduling_time_is_up(s->run))
			return;
		if (!s->walking)
			begin_walk(s);
		if (!walk(s) || s->step - s->walk_since > PATIENCE)
			end_walk(s);
	}
}
