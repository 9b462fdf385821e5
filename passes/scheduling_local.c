/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_local - genetic search over orders of tasks and their modes.
 *
 * Idea:   a member is a schedule. It begins with priority rules, more and more blurred. A child
 *         follows the order of one parent outside a window of places and that of the other inside,
 *         with a few tasks moved; it is generated, justified, and takes the place of the worse
 *         parent if it is no worse. When the members stop to improve, half of them begin anew.
 * Source: Valls, Ballestin, Quintanilla 2008 (crossover within a window, justified children);
 *         Kolisch, Hartmann 1999 (rules). */
#include "passes/scheduling_state.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"

enum { MEMBERS = 48, PATIENCE = 6000 };

typedef struct member {
	int64_t value, *start;
	int *mode;
} member;

struct pim_scheduling_local {
	pim_scheduling_run *run;
	const pim_scheduling *p;
	pim_scheduling_list *list;
	member of[MEMBERS + 1]; /* the last one is the child */
	int n, made, chosen;	/* members, those begun by rules alone, those whose modes were chosen */
	bool has_modes;
	int64_t idle, best; /* schedules since a member improved the best value of all */
	int64_t *key;
	int *rank[2], *order; /* places of the tasks in the parents */
};

pim_scheduling_local *pim_scheduling_local_new(pim_scheduling_run *run)
{
	pim_scheduling_local *l = pim_array_new(1, sizeof *l);
	int n = run->p->n_tasks;
	l->run = run;
	l->p = run->p;
	l->list = pim_scheduling_list_new(l->p);
	l->best = INT64_MAX;
	for (int i = 0; i < l->p->n_tasks; i++)
		l->has_modes = l->has_modes || l->p->task[i].n_modes > 1;
	l->key = pim_array_new(n, sizeof *l->key);
	l->order = pim_array_new(n, sizeof *l->order);
	for (int k = 0; k < 2; k++)
		l->rank[k] = pim_array_new(n, sizeof *l->rank[k]);
	for (int k = 0; k <= MEMBERS; k++) {
		l->of[k].start = pim_array_new(n, sizeof *l->of[k].start);
		l->of[k].mode = pim_array_new(n, sizeof *l->of[k].mode);
	}
	return l;
}

void pim_scheduling_local_free(pim_scheduling_local *l)
{
	for (int k = 0; k <= MEMBERS; k++) {
		free(l->of[k].start);
		free(l->of[k].mode);
	}
	pim_scheduling_list_free(l->list);
	free(l->key);
	free(l->order);
	free(l->rank[0]);
	free(l->rank[1]);
	free(l);
}

static void note_value(pim_scheduling_local *l, const member *m)
{
	l->idle++;
	l->run->steps++;
	if (m->value >= l->best)
		return;
	l->best = m->value;
	l->idle = 0;
	pim_scheduling_offer(l->run, m->start, m->mode, m->value);
}

/* Notes the value, and justifies for as long as that helps. */
static void justify_member(pim_scheduling_local *l, member *m)
{
	note_value(l, m);
	for (int64_t before = INT64_MAX; m->value < before;) {
		before = m->value;
		m->value = pim_scheduling_list_justify(l->list, m->mode, m->start);
		note_value(l, m);
	}
}

static void finish_member(pim_scheduling_local *l, member *m)
{
	m->value = pim_scheduling_list_forward(l->list, l->key, m->mode, m->start);
	justify_member(l, m);
}

/* ---- beginnings ---- */

/* Latest start, latest end, most work behind it; the longer a task's tail, the sooner. */
static int64_t rule_key(const pim_scheduling_local *l, int rule, int i, const int *mode)
{
	const pim_scheduling_task *t = &l->p->task[i];
	switch (rule) {
	case 0:
		return -t->tail;
	case 1:
		return pim_scheduling_duration(l->p, mode, i) - t->tail;
	case 2:
		return t->head - t->tail;
	default:
		return t->head;
	}
}

static int random_mode(pim_scheduling_local *l, int i)
{
	int n = l->p->task[i].n_modes;
	if (n == 1 || pim_scheduling_random(l->run, 2))
		return 0;
	return (int)pim_scheduling_random(l->run, (uint32_t)n);
}

/* The task with the longest tail first, each in the mode in which it ends first. */
static void begin_with_choice(pim_scheduling_local *l, member *m, int share)
{
	for (int i = 0; i < l->p->n_tasks; i++)
		l->key[i] = -l->p->task[i].tail;
	m->value = pim_scheduling_list_choose(l->list, l->key, share, m->mode, m->start);
	justify_member(l, m);
}

static void begin_member(pim_scheduling_local *l, member *m)
{
	static const int share[] = {1, 2, 3, 4, 8};
	enum { SHARES = sizeof share / sizeof *share };
	if (l->has_modes && l->chosen < SHARES) {
		begin_with_choice(l, m, share[l->chosen++]);
		return;
	}
	int made = l->made++, rule = made % 4;
	int64_t longest = 1;
	for (int i = 0; i < l->p->n_tasks; i++)
		if (l->p->task[i].head + l->p->task[i].tail > longest)
			longest = l->p->task[i].head + l->p->task[i].tail;
	for (int i = 0; i < l->p->n_tasks; i++) {
		m->mode[i] = made < 4 ? 0 : random_mode(l, i);
		double blur =
			made < 4 ? 0 : 0.3 * (double)longest * pim_scheduling_random(l->run, 1024) / 1024;
		l->key[i] = rule_key(l, rule, i, m->mode) + (int64_t)blur;
	}
	finish_member(l, m);
}

/* The best known schedule, if it came from elsewhere, joins in. */
static void adopt_best(pim_scheduling_local *l)
{
	const pim_scheduling *p = l->p;
	if (!p->known || p->value >= l->best || !l->n)
		return;
	member *m = &l->of[pim_scheduling_random(l->run, (uint32_t)l->n)];
	memcpy(m->start, p->start, (size_t)p->n_tasks * sizeof *m->start);
	memcpy(m->mode, p->mode, (size_t)p->n_tasks * sizeof *m->mode);
	m->value = l->best = p->value;
	l->idle = 0;
}

/* ---- children ---- */

static void rank_tasks(pim_scheduling_local *l, const member *m, int *rank)
{
	int n = l->p->n_tasks;
	memcpy(l->order, l->p->order, (size_t)n * sizeof *l->order);
	pim_scheduling_sort(l->order, n, m->start, rank);
	for (int k = 0; k < n; k++)
		rank[l->order[k]] = k;
}

/* Tasks of the window of the first parent in the order of the second. */
static void cross_parents(pim_scheduling_local *l, const member *a, const member *b, member *child)
{
	int n = l->p->n_tasks;
	rank_tasks(l, b, l->rank[1]);
	rank_tasks(l, a, l->rank[0]);
	int width = n / 4 + (int)pim_scheduling_random(l->run, (uint32_t)(n / 2 + 1));
	int from = (int)pim_scheduling_random(l->run, (uint32_t)(n - width + 1));
	for (int i = 0; i < n; i++) {
		int at = l->rank[0][i];
		bool inside = at >= from && at < from + width;
		child->mode[i] = inside ? b->mode[i] : a->mode[i];
		l->key[i] = inside ? ((int64_t)from << 20) + l->rank[1][i] : (int64_t)at << 20;
	}
}

static void move_tasks(pim_scheduling_local *l, member *child)
{
	int n = l->p->n_tasks;
	uint32_t reach = (uint32_t)(n / 4 + 1);
	for (int moves = (int)pim_scheduling_random(l->run, 5); moves > 0; moves--) {
		int i = (int)pim_scheduling_random(l->run, (uint32_t)n);
		int64_t by = (int64_t)pim_scheduling_random(l->run, 2 * reach + 1) - (int64_t)reach;
		l->key[i] += by * (1 << 20);
		if (l->p->task[i].n_modes > 1)
			child->mode[i] = (int)pim_scheduling_random(l->run, (uint32_t)l->p->task[i].n_modes);
	}
}

static bool same_starts(const pim_scheduling_local *l, const member *a, const member *b)
{
	return a->value == b->value &&
		   !memcmp(a->start, b->start, (size_t)l->p->n_tasks * sizeof *a->start);
}

static void swap_members(member *a, member *b)
{
	member kept = *a;
	*a = *b;
	*b = kept;
}

static void breed(pim_scheduling_local *l)
{
	uint32_t n = (uint32_t)l->n;
	member *a = &l->of[pim_scheduling_random(l->run, n)],
		   *b = &l->of[pim_scheduling_random(l->run, n)];
	member *rival = &l->of[pim_scheduling_random(l->run, n)], *child = &l->of[MEMBERS];
	if (rival->value < a->value)
		a = rival;
	cross_parents(l, a, b, child);
	move_tasks(l, child);
	finish_member(l, child);
	member *worse = a->value > b->value ? a : b;
	for (int k = 0; k < l->n; k++)
		if (same_starts(l, &l->of[k], child))
			return;
	if (child->value <= worse->value)
		swap_members(child, worse);
}

/* Half of the members, but not the best one, begin anew. */
static void begin_half_anew(pim_scheduling_local *l)
{
	int best = 0;
	for (int k = 1; k < l->n; k++)
		if (l->of[k].value < l->of[best].value)
			best = k;
	for (int k = 0; k < l->n && !pim_scheduling_time_is_up(l->run); k++)
		if (k != best && k % 2)
			begin_member(l, &l->of[k]);
	l->idle = 0;
}

void pim_scheduling_local_work(pim_scheduling_local *l, int64_t schedules)
{
	adopt_best(l);
	for (int64_t i = 0; i < schedules && !pim_scheduling_is_done(l->run); i++) {
		if ((i % 8 == 0 || l->p->n_tasks > 500) && l->p->known && pim_scheduling_time_is_up(l->run))
			return;
		if (l->n < MEMBERS)
			begin_member(l, &l->of[l->n++]);
		else if (l->idle > PATIENCE)
			begin_half_anew(l);
		else
			breed(l);
	}
}
