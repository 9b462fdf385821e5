/* SPDX-License-Identifier: Apache-2.0 */
/* targets/calendar.h - what is to come, by time: a list for each of the next cycles, and one for
 * all that is farther off.
 *
 * Moments stand in what they are of; they come in order of time, and at one time in their `order`.
 * Cost: a few steps for each that is set, dropped or taken. Those far off are looked through when
 * the calendar turns, at most once in PIM_CALENDAR_DAYS cycles, and again when nothing is near and
 * the first of them was dropped. Source: calendar queues (Brown 1988), with days of one cycle. */
#ifndef PIM_TARGETS_CALENDAR_H
#define PIM_TARGETS_CALENDAR_H

#include <stdint.h>

enum { PIM_CALENDAR_DAYS = 4096 };

typedef struct pim_moment {
	int64_t time;
	int order;
	struct pim_moment *next, **back; /* of the same list; back NULL: it is not to come */
} pim_moment;

/* The days from `start` on, and a bit where one is not empty; words: of `some` that are not 0. */
typedef struct pim_calendar {
	int64_t start;
	pim_moment *day[PIM_CALENDAR_DAYS], *far, *first; /* first: one of far; NULL: not known */
	uint64_t some[PIM_CALENDAR_DAYS / 64], words;
	int64_t room;
	pim_moment **today; /* what was taken last */
} pim_calendar;

/* A calendar of zeros is empty. What it allocated is given back; moments are their owners'. */
void pim_calendar_free(pim_calendar *c);
/* e->time is not before what was taken last, so not before `start`, and e is not to come yet. */
void pim_calendar_set(pim_calendar *c, pim_moment *e);
/* e does not come, if it was to. */
void pim_calendar_drop(pim_calendar *c, pim_moment *e);
/* When something comes next; INT64_MAX: never. */
int64_t pim_calendar_next(pim_calendar *c);
/* Takes what comes at that time, which is the next one: c->today, in order; how many. */
int64_t pim_calendar_take(pim_calendar *c, int64_t time);

#endif
