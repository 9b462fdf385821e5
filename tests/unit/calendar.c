/* SPDX-License-Identifier: Apache-2.0 */
/* The calendar against a list that is looked through: moments near and far, set, moved and dropped.
 */
#include "targets/calendar.h"

#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

enum { N = 60 };

typedef struct bench {
	pim_calendar calendar;
	pim_moment moment[N];
	bool comes[N];
} bench;

static int64_t next_of(const bench *b)
{
	int64_t next = INT64_MAX;
	for (int i = 0; i < N; i++)
		if (b->comes[i] && b->moment[i].time < next)
			next = b->moment[i].time;
	return next;
}

/* Days, the days of a page, or many pages ahead. */
static int64_t draw_time(int64_t now)
{
	static const int reach[] = {3, 40, PIM_CALENDAR_DAYS, 5 * PIM_CALENDAR_DAYS, 1 << 20};
	return now + rand() % reach[rand() % 5];
}

static void change_one(bench *b, int64_t now)
{
	int i = rand() % N;
	pim_calendar_drop(&b->calendar, b->moment + i);
	b->comes[i] = rand() % 4 > 0;
	if (!b->comes[i])
		return;
	b->moment[i].time = draw_time(now);
	pim_calendar_set(&b->calendar, b->moment + i);
}

/* All that comes next, in order, and nothing else. */
static void take_next(bench *b, int64_t next)
{
	int64_t n = pim_calendar_take(&b->calendar, next), k = 0;
	for (int i = 0; i < N; i++) {
		if (!b->comes[i] || b->moment[i].time != next)
			continue;
		CHECK(k < n && b->calendar.today[k] == b->moment + i);
		k++;
		b->comes[i] = false;
	}
	CHECK(k == n && n > 0);
}

static void run_one(unsigned seed)
{
	bench *b = calloc(1, sizeof *b);
	int64_t now = 0;
	srand(seed);
	for (int i = 0; i < N; i++)
		b->moment[i].order = i;
	for (int step = 0; step < 400; step++) {
		for (int k = rand() % 6; k > 0; k--)
			change_one(b, now);
		int64_t next = next_of(b);
		CHECK(pim_calendar_next(&b->calendar) == next);
		if (next == INT64_MAX)
			continue;
		now = next;
		take_next(b, now);
	}
	pim_calendar_free(&b->calendar);
	free(b);
}

int main(void)
{
	for (unsigned seed = 0; seed < 100; seed++)
		run_one(seed);
	return check_failures != 0;
}
