/* SPDX-License-Identifier: Apache-2.0 */
/* calendar.c - moments in lists, one for each cycle that is near. */
#include "targets/calendar.h"

#include <assert.h>
#include <stdlib.h>

#include "ir/array.h"
#include "ir/ir.h"

void pim_calendar_free(pim_calendar *c)
{
	free(c->today);
}

static void link_moment(pim_moment **list, pim_moment *e)
{
	e->next = *list;
	e->back = list;
	if (e->next)
		e->next->back = &e->next;
	*list = e;
}

void pim_calendar_set(pim_calendar *c, pim_moment *e)
{
	int64_t day = e->time - c->start;
	assert(day >= 0);
	if (day >= PIM_CALENDAR_DAYS) {
		if (!c->far || (c->first && e->time < c->first->time))
			c->first = e;
		link_moment(&c->far, e);
		return;
	}
	link_moment(&c->day[day], e);
	c->some[day / 64] |= UINT64_C(1) << (day % 64);
	c->words |= UINT64_C(1) << (day / 64);
}

static void clear_day(pim_calendar *c, int64_t day)
{
	c->some[day / 64] &= ~(UINT64_C(1) << (day % 64));
	if (!c->some[day / 64])
		c->words &= ~(UINT64_C(1) << (day / 64));
}

void pim_calendar_drop(pim_calendar *c, pim_moment *e)
{
	int64_t day = e->time - c->start;
	if (!e->back)
		return;
	*e->back = e->next;
	if (e->next)
		e->next->back = e->back;
	e->back = NULL;
	if (c->first == e)
		c->first = NULL;
	if (day < PIM_CALENDAR_DAYS && !c->day[day])
		clear_day(c, day);
}

static pim_moment *find_first(pim_moment *far)
{
	pim_moment *first = far;
	for (pim_moment *e = far; e; e = e->next)
		if (e->time < first->time)
			first = e;
	return first;
}

int64_t pim_calendar_next(pim_calendar *c)
{
	if (c->words) {
		int word = __builtin_ctzll(c->words);
		return c->start + word * 64 + __builtin_ctzll(c->some[word]);
	}
	if (!c->first)
		c->first = find_first(c->far);
	return c->first ? c->first->time : INT64_MAX;
}

/* Nothing is to come before that time. */
static void turn_to(pim_calendar *c, int64_t time)
{
	pim_moment *far = c->far, *next;
	if (time - c->start < PIM_CALENDAR_DAYS)
		return;
	c->start = time / PIM_CALENDAR_DAYS * PIM_CALENDAR_DAYS;
	c->far = c->first = NULL;
	for (; far; far = next) {
		next = far->next;
		pim_calendar_set(c, far);
	}
}

static int by_order(const void *a, const void *b)
{
	const pim_moment *x = *(pim_moment *const *)a, *y = *(pim_moment *const *)b;
	return x->order - y->order;
}

int64_t pim_calendar_take(pim_calendar *c, int64_t time)
{
	enum { FEW = 16 };
	int64_t n = 0;
	turn_to(c, time);
	pim_moment *e = c->day[time - c->start];
	c->day[time - c->start] = NULL;
	clear_day(c, time - c->start);
	for (; e; e = e->next) {
		int64_t i = n;
		e->back = NULL;
		c->today = pim_array_grow(c->today, n++, &c->room, sizeof *c->today);
		for (; n <= FEW && i > 0 && c->today[i - 1]->order > e->order; i--)
			c->today[i] = c->today[i - 1];
		c->today[i] = e;
	}
	if (n > FEW)
		qsort(c->today, (size_t)n, sizeof *c->today, by_order);
	return n;
}
