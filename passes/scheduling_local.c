/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_local - genetic search over orders of tasks and their modes.
 *
 * Idea:   a member is a schedule. It begins with priority rules, more and more blurred. A child
 *         follows the order of one parent outside a window of places and that of the other inside,
 *         with a few tasks moved; it is generated, justified, and takes the place of the worse
 *         parent if it is no worse. When the members stop to improve, others begin anew, three
 *         times as many: few members are good soon, many are better in the end.
 * Source: Valls, Ballestin, Quintanilla 2008 (crossover within a window, justified children);
 *         Kolisch, Hartmann 1999 (rules); the growth: ours. */
#include "passes/scheduling_state.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"

enum { FEW = 48, MANY = 432, PATIENCE = 125 };

typedef struct member {
	int64_t value, *start;
	int *mode;
} member;

struct pim_scheduling_local {
	pim_scheduling_run *run;
	const pim_scheduling *p;
	pim_scheduling_list *list;
	member of[MANY], child;
	int n, wanted, room; /* members, how many there will be, those with memory */
	int made, chosen;	 /* members begun by rules alone, those whose modes were chosen */
	bool has_modes;
	int64_t best, front, idle; /* values, of all and of these members; schedules since front fell */
	int64_t *key;
	int *rank[2], *order; /* places of the tasks in the parents */
};

static void make_room(const pim_scheduling_local *l, member *m)
{
	m->start = pim_array_new(l->p->n_tasks, sizeof *m->start);
	m->mode = pim_array_new(l->p->n_tasks, sizeof *m->mode);
}

pim_scheduling_local *pim_scheduling_local_new(pim_scheduling_run *run)
{
	pim_scheduling_local *l = pim_array_new(1, sizeof *l);
	int n = run->p->n_tasks;
	l->run = run;
	l->p = run->p;
	l->list = pim_scheduling_list_new(l->p);
	l->best = l->front = INT64_MAX;
	l->wanted = FEW;
	for (int i = 0; i < l->p->n_tasks; i++)
		l->has_modes = l->has_modes || l->p->task[i].n_modes > 1;
	l->key = pim_array_new(n, sizeof *l->key);
	l->order = pim_array_new(n, sizeof *l->order);
	for (int k = 0; k < 2; k++)
		l->rank[k] = pim_array_new(n, sizeof *l->rank[k]);
	make_room(l, &l->child);
	return l;
}

void pim_scheduling_local_free(pim_scheduling_local *l)
{
	for (int k = 0; k < l->room; k++) {
		free(l->of[k].start);
		free(l->of[k].mode);
	}
	free(l->child.start);
	free(l->child.mode);
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
	if (m->value >= l->front)
		return;
	l->front = m->value;
	l->idle = 0;
	if (m->value >= l->best)
		return;
	l->best = m->value;
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
	m->value = l->best = l->front = p->value;
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
	member *rival = &l->of[pim_scheduling_random(l->run, n)], *child = &l->child;
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

/* All members begin anew; there are more of them, unless tasks are very many. */
static void begin_anew(pim_scheduling_local *l)
{
	enum { GROWTH = 3, MOST_STARTS = 1000000 };
	int more = l->wanted * GROWTH;
	if (more <= MANY && (int64_t)more * l->p->n_tasks <= MOST_STARTS)
		l->wanted = more;
	l->n = l->made = l->chosen = 0;
	l->idle = 0;
	l->front = INT64_MAX;
}

static void add_member(pim_scheduling_local *l)
{
	if (l->n == l->room)
		make_room(l, &l->of[l->room++]);
	begin_member(l, &l->of[l->n++]);
}

void pim_scheduling_local_work(pim_scheduling_local *l, int64_t schedules)
{
	adopt_best(l);
	for (int64_t i = 0; i < schedules && !pim_scheduling_is_done(l->run); i++) {
		if ((i % 8 == 0 || l->p->n_tasks > 500) && l->p->known && pim_scheduling_time_is_up(l->run))
			return;
		if (l->n == l->wanted && l->idle > PATIENCE * l->wanted)
			begin_anew(l);
		if (l->n < l->wanted)
			add_member(l);
		else
			breed(l);
	}
}
