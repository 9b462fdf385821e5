/* SPDX-License-Identifier: Apache-2.0 */
/* scheduling_energy - what the work between two points of time says about start times.
 *
 * Idea:   between a and b there is capacity * (b - a). Against it stand tasks that lie in between
 *         whole, and what others surely run there. Too much is a contradiction; where a task that
 *         starts as early as it may would take more than is left, it starts later. The same in
 *         mirrored time for ends. a runs over earliest starts, b over latest ends. A reason asks of
 *         every task for no more work in between than is needed.
 * Cost:   tasks squared per run, and tasks for each success.
 * Source: Vilim 2011 (timetable edge finding); Schutt, Feydy, Stuckey 2013 (its reasons). */
#include "passes/scheduling_propagate.h"

#include <stdlib.h>

#include "ir/array.h"

/* A task in the direction of time: earliest start, latest start, duration, demand. */
typedef struct piece {
	int32_t low, high, d, q;
	int32_t sure; /* time it runs surely */
	int part;
} piece;

struct pim_scheduling_energy {
	pim_scheduling_resource *of;
	bool mirrored, helped;
	int patience, sits_out;
	int n;
	piece *piece;			  /* by earliest start, latest first */
	int *by_end;			  /* places in piece, by latest end */
	int64_t *work_of_profile; /* of sure parts, up to each point below */
	int32_t *point;
	int n_points;
	int64_t *work_at_low; /* of sure parts before piece[k].low */
};

pim_scheduling_energy *pim_scheduling_energy_new(pim_scheduling_resource *c, int n)
{
	pim_scheduling_energy *e = pim_array_new(1, sizeof *e);
	e->of = c;
	e->piece = pim_array_new(n, sizeof *e->piece);
	e->by_end = pim_array_new(n, sizeof *e->by_end);
	e->work_of_profile = pim_array_new(2 * (int64_t)n, sizeof *e->work_of_profile);
	e->point = pim_array_new(2 * (int64_t)n, sizeof *e->point);
	e->work_at_low = pim_array_new(n, sizeof *e->work_at_low);
	return e;
}

void pim_scheduling_energy_free(pim_scheduling_energy *e)
{
	void *const parts[] = {e->piece, e->by_end, e->work_of_profile, e->point, e->work_at_low, e};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		free(parts[i]);
}

/* ---- reading ---- */

static int32_t end_of(const piece *k)
{
	return k->high + k->d;
}

static void read_pieces(pim_scheduling_energy *e)
{
	const pim_scheduling_resource *c = e->of;
	e->n = 0;
	for (int i = 0; i < c->n; i++) {
		const pim_scheduling_part *k = &c->part[i];
		if (!k->d || !k->q)
			continue;
		piece p = {k->low, k->high, k->d, k->q, 0, i};
		if (e->mirrored) {
			p.low = -(k->high + k->d);
			p.high = -(k->low + k->d);
		}
		p.sure = p.low + p.d > p.high ? p.low + p.d - p.high : 0;
		int to = e->n++;
		for (; to > 0 && e->piece[to - 1].low < p.low; to--)
			e->piece[to] = e->piece[to - 1];
		e->piece[to] = p;
	}
	for (int i = 0; i < e->n; i++) {
		int to = i;
		for (; to > 0 && end_of(&e->piece[e->by_end[to - 1]]) > end_of(&e->piece[i]); to--)
			e->by_end[to] = e->by_end[to - 1];
		e->by_end[to] = i;
	}
}

/* Points where the profile changes, and the work of sure parts up to each. */
static void read_profile(pim_scheduling_energy *e)
{
	const pim_scheduling_resource *c = e->of;
	int n = c->n_segments; /* segment 0 is empty, the last one as well */
	int64_t work = 0;
	e->n_points = n;
	for (int x = 0; x < n; x++) {
		e->point[x] = e->mirrored ? -c->time[n - x] : c->time[x + 1];
		e->work_of_profile[x] = work;
		if (x + 1 < n)
			work += e->mirrored
						? (int64_t)c->height[n - x - 1] * (c->time[n - x] - c->time[n - x - 1])
						: (int64_t)c->height[x + 1] * (c->time[x + 2] - c->time[x + 1]);
	}
}

static int64_t profile_until(const pim_scheduling_energy *e, int32_t at)
{
	int low = 0, high = e->n_points;
	if (!high || at <= e->point[0])
		return 0;
	while (high - low > 1) {
		int mid = (low + high) / 2;
		if (e->point[mid] <= at)
			low = mid;
		else
			high = mid;
	}
	if (low + 1 == e->n_points)
		return e->work_of_profile[low];
	int64_t height = (e->work_of_profile[low + 1] - e->work_of_profile[low]) /
					 (e->point[low + 1] - e->point[low]);
	return e->work_of_profile[low] + height * (at - e->point[low]);
}

/* ---- reasons ---- */

static int32_t least(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

/* Time of the piece that lies between a and b wherever it starts. */
static int32_t time_within(const piece *k, int32_t a, int32_t b)
{
	int32_t t = least(least(k->d, b - a), least(k->low + k->d - a, b - k->high));
	return t > 0 ? t : 0;
}

/* start >= at in the direction of time. */
static void because_not_before(
	pim_scheduling_energy *e, pim_clause_solver *s, const piece *k, int32_t at)
{
	int var = e->of->part[k->part].start;
	if (e->mirrored)
		pim_clause_because(s, 2 * var + 1, at + k->d);
	else
		pim_clause_because(s, 2 * var, at);
}

static void because_not_after(
	pim_scheduling_energy *e, pim_clause_solver *s, const piece *k, int32_t at)
{
	int var = e->of->part[k->part].start;
	if (e->mirrored)
		pim_clause_because(s, 2 * var, -(at + k->d));
	else
		pim_clause_because(s, 2 * var + 1, -at);
}

/* Work between a and b of all pieces but one. */
static int64_t work_within(const pim_scheduling_energy *e, int32_t a, int32_t b, int but)
{
	int64_t work = 0;
	for (int i = 0; i < e->n; i++)
		if (i != but)
			work += (int64_t)time_within(&e->piece[i], a, b) * e->piece[i].q;
	return work;
}

/* Writes why the pieces but one have their work between a and b, less what is to spare. */
static void because_of_work(
	pim_scheduling_energy *e, pim_clause_solver *s, int32_t a, int32_t b, int but, int64_t spare)
{
	for (int i = 0; i < e->n; i++) {
		const piece *k = &e->piece[i];
		int32_t t = i == but ? 0 : time_within(k, a, b);
		if (!t)
			continue;
		int64_t less = spare / k->q < t ? spare / k->q : t;
		spare -= less * k->q;
		t -= (int32_t)less;
		if (!t)
			continue;
		because_not_before(e, s, k, a + t - k->d);
		because_not_after(e, s, k, b - t);
		pim_scheduling_because_of_mode(s, &e->of->part[k->part]);
	}
}

/* ---- the sweep ---- */

static bool refute(pim_scheduling_energy *e, pim_clause_solver *s, int32_t a, int32_t b)
{
	e->helped = true;
	int64_t spare = work_within(e, a, b, -1) - (int64_t)e->of->capacity * (b - a) - 1;
	because_of_work(e, s, a, b, -1, spare);
	return pim_clause_contradict(s);
}

/* Piece u begins so late that what it does before b fits in what is left from a on. */
static bool begin_later(pim_scheduling_energy *e, pim_clause_solver *s, int32_t a, int32_t b, int u)
{
	const piece *k = &e->piece[u];
	int64_t free = (int64_t)e->of->capacity * (b - a) - work_within(e, a, b, u);
	int64_t fits = free < 0 ? -1 : free / k->q;
	if (fits < 0)
		return refute(e, s, a, b);
	if (fits >= least(k->d, b - k->low) || b - fits <= k->low)
		return true;
	e->helped = true;
	int32_t at = b - (int32_t)fits;
	because_of_work(e, s, a, b, u, (fits + 1) * k->q - 1 - free);
	because_not_before(e, s, k, a - k->d + (int32_t)fits + 1);
	pim_scheduling_because_of_mode(s, &e->of->part[k->part]);
	int var = e->of->part[k->part].start;
	return e->mirrored ? pim_clause_raise(s, 2 * var + 1, at + k->d)
					   : pim_clause_raise(s, 2 * var, at);
}

/* What the piece would take before b beyond its sure part if it began at once. */
static int64_t early_work(const piece *k, int32_t b)
{
	int32_t t = least(k->d, b - k->low), sure = least(k->sure, b > k->high ? b - k->high : 0);
	return (int64_t)(t - sure) * k->q;
}

static bool sweep_to(pim_scheduling_energy *e, pim_clause_solver *s, int32_t b)
{
	int64_t inside = 0, most = 0, until = profile_until(e, b);
	int eager = -1;
	for (int i = 0; i < e->n; i++) {
		const piece *k = &e->piece[i];
		if (k->low >= b)
			continue;
		if (end_of(k) <= b) {
			inside += (int64_t)(k->d - k->sure) * k->q;
		} else if (early_work(k, b) > most) {
			most = early_work(k, b);
			eager = i;
		}
		if (i + 1 < e->n && e->piece[i + 1].low == k->low)
			continue;
		int64_t left =
			(int64_t)e->of->capacity * (b - k->low) - inside - (until - e->work_at_low[i]);
		if (left < 0)
			return refute(e, s, k->low, b);
		if (eager >= 0 && most > left && !begin_later(e, s, k->low, b, eager))
			return false;
	}
	return true;
}

static bool sweep(pim_scheduling_energy *e, pim_clause_solver *s)
{
	read_pieces(e);
	read_profile(e);
	for (int i = 0; i < e->n; i++)
		e->work_at_low[i] = profile_until(e, e->piece[i].low);
	for (int i = 0; i < e->n; i++) {
		int32_t b = end_of(&e->piece[e->by_end[i]]);
		if (i + 1 < e->n && end_of(&e->piece[e->by_end[i + 1]]) == b)
			continue;
		if (!sweep_to(e, s, b))
			return false;
	}
	return true;
}

/* Reads the profile that the quick propagator of the resource has left. Runs without success make
 * it sit out the next ones, twice as many each time, unless the resource is a machine. */
bool pim_scheduling_energy_run(void *self, pim_clause_solver *s)
{
	enum { LONGEST = 15 };
	pim_scheduling_energy *e = self;
	if (e->sits_out > 0) {
		e->sits_out--;
		return true;
	}
	e->helped = false;
	bool stands = true;
	for (int k = 0; k < 2 && stands; k++) {
		e->mirrored = k;
		stands = sweep(e, s);
	}
	e->patience = e->helped || e->of->one_at_a_time ? 0 : least(2 * e->patience + 1, LONGEST);
	e->sits_out = e->patience;
	return stands;
}
