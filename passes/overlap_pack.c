/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_pack - the largest gain of items of two chains of sizes in one room.
 *
 *     maximise   sum gain_i n_i     subject to   sum size_i n_i <= room,   0 <= n_i <= most_i
 *
 * with sizes of each chain dividing each other and gains by size falling along it, at least by half
 * where they come from nests. A knapsack of few items, most often with many copies of each.
 *
 * Search: items from the largest size on, their copies around what the continuous relaxation takes,
 * in both directions until the relaxation of the rest, which is concave in them, is not above the
 * best. A finer bound leaves out items that are larger than the room. Items of both chains with
 * about the same gain by size are chosen together and followed best bound first, a few at a time,
 * for one of them alone says nothing. Four things keep it short:
 *   - items of one chain are filled in greedily;
 *   - two items left are a line under a stair: Euclid's algorithm;
 *   - copies of an item leave a remainder of the next one, which must lie in a window to be good
 *     enough; the next that does is again Euclid's (`next_in_window`);
 *   - size_j / d copies of i and size_i / d of j, d their greatest common divisor, take the same
 *     room: with fewer of the one than that, or all but fewer of the other, nothing is lost
 *     (`exchange`, for searches that are not over soon).
 * Bounds are floating point, with a margin for their rounding; gains are integers.
 * Cost: a few steps for each item, a logarithm for each run; no bound is proved for the worst case
 * (docs/overlap.md has what an adversary finds). Source: bounded knapsack by branch and bound is
 * textbook; pairs, windows and exchanges are ours. */
#include "passes/overlap_pack.h"

#include <math.h>

enum {
	PATIENCE = 150,
	MOST_CHILDREN = 16,
	FEW_FAILURES = 2,
	FEW_COPIES = 8,
	MANY_TIMES = 4,
	CLOSE = 16
};
/* Partners gain the same by size within RATIO; they are next to each other by size, or the smaller
 * is not below 1 / CLOSE. */
#define RATIO 2.0

typedef struct item {
	int64_t size, gain, most;
	double rate, reach; /* gain by size; size of all copies */
	bool up, paired;	/* paired: chosen with the next one */
} item;

typedef struct finder {
	int n, alone; /* items alone.. are of one chain */
	item item[PIM_PACK_ITEMS];
	int by_rate[PIM_PACK_ITEMS]; /* best first */
	int64_t best;
	double margin; /* a bound below best + margin is not above best */
	int64_t patience;
} finder;

/* A room that is left, what has been gained, and a bound on what comes of it. */
typedef struct child {
	int64_t room, value;
	double bound;
} child;

typedef struct children {
	int n;
	bool dived; /* the first has been followed to its end, for a best to compare with */
	child list[MOST_CHILDREN];
} children;

typedef struct window {
	double lo, hi;
} window;

static void note(finder *f, int64_t value)
{
	f->best = pim_max(f->best, value);
}

static bool is_worth(const finder *f, double bound)
{
	return bound >= (double)f->best + f->margin;
}

/* ---- bounds ---- */

/* What items k.., of `largest` at most, gain in a room when they may be cut. */
static double relax(const finder *f, int k, double room, int64_t largest)
{
	double sum = 0;
	for (int q = 0; q < f->n; q++) {
		const item *i = &f->item[f->by_rate[q]];
		if (f->by_rate[q] < k || i->size > largest)
			continue;
		if (room <= i->reach)
			return sum + room * i->rate;
		sum += i->reach * i->rate;
		room -= i->reach;
	}
	return sum;
}

/* The room that items behind k take before it. */
static double room_before(const finder *f, int k)
{
	double sum = 0;
	for (int q = 0; q < f->n && f->by_rate[q] != k; q++)
		if (f->by_rate[q] > k)
			sum += f->item[f->by_rate[q]].reach;
	return sum;
}

/* Rooms that items k.. fill for no less than room * rate - slack; lo > hi: none. What is missing is
 * convex in the room: it falls while their rates are better, and then rises. */
static window find_window(const finder *f, int k, double rate, double slack)
{
	window w = {slack >= 0 ? 0 : INFINITY, slack >= 0 ? 0 : -1};
	double room = 0, missing = 0;
	for (int q = 0; q <= f->n; q++) {
		bool rest = q == f->n;
		if (!rest && f->by_rate[q] < k)
			continue;
		double slope = rest ? rate : rate - f->item[f->by_rate[q]].rate;
		double reach = rest ? INFINITY : f->item[f->by_rate[q]].reach;
		double end = slope ? missing + slope * reach : missing;
		if (slope < 0 && end <= slack && w.lo > room)
			w.lo = missing > slack ? room + (slack - missing) / slope : w.lo;
		if (slope > 0 && end > slack) {
			if (missing <= slack)
				w.hi = room + (slack - missing) / slope;
			return w;
		}
		if (end <= slack)
			w.hi = room + reach;
		missing = end;
		room += reach;
		if (isinf(reach))
			break;
	}
	return w;
}

/* ---- Euclid's algorithm ---- */

/* The largest a t + b floor((c t + d) / m) for 0 <= t < n; d >= 0. Exact where a and b are integers
 * and neither part is over 2^52. Takes whole multiples of m out of c and d; then the floor grows
 * slower than t, only the first or the last t of each of its values can be best, and the same is
 * asked of those values with c and m exchanged. */
static double most_of_line(int64_t n, double a, double b, int64_t c, int64_t d, int64_t m)
{
	double base = 0, best = -INFINITY;
	for (;;) {
		int64_t turns = c / m, first = d / m;
		a += b * (double)turns;
		c -= m * turns;
		base += b * (double)first;
		d -= m * first;
		int64_t top = (c * (n - 1) + d) / m;
		best = fmax(best, fmax(base, base + a * (double)(n - 1) + b * (double)top));
		if (!top || (a >= 0) == (b >= 0))
			return best;
		base += a < 0 ? a + b : 0;
		d = m - d - 1;
		n = top;
		double slope = a;
		int64_t width = c;
		a = b;
		b = slope;
		c = m;
		m = width;
	}
}

/* The smallest t >= 0 with lo <= a t mod m <= hi, for 0 <= a < m and 0 <= lo <= hi < m; -1: none.
 */
static int64_t first_between(int64_t a, int64_t m, int64_t lo, int64_t hi)
{
	if (lo == 0)
		return 0;
	if (a == 0)
		return -1;
	if (a > m - a) {
		int64_t swap = lo;
		a = m - a;
		lo = m - hi;
		hi = m - swap;
	}
	int64_t t = (lo + a - 1) / a;
	if (t * a <= hi)
		return t;
	int64_t turns = first_between(m % a, a, (a - hi % a) % a, (a - lo % a) % a);
	return turns < 0 ? -1 : (lo + m * turns + a - 1) / a;
}

/* The smallest t >= 0 for which (start + a t) mod m, start < m, lies in the window; -1: none. */
static int64_t next_in_window(int64_t start, int64_t a, int64_t m, window w)
{
	int64_t lo = pim_max((int64_t)ceil(w.lo - 1e-9 * w.lo), 0);
	int64_t hi = (int64_t)(w.hi + 1e-9 * w.hi);
	if (lo > hi)
		return -1;
	if (lo <= start && start <= hi)
		return 0;
	int64_t turn = hi < start ? m : 0;
	return first_between(a, m, lo - start + turn, hi - start + turn);
}

/* ---- search ---- */

static void search(finder *f, int k, int64_t room, int64_t value);

static int64_t copies_at_most(const item *i, int64_t room)
{
	return pim_min(room / i->size, i->most);
}

/* Items k and k + 1 alone: with all copies of k that fit, and fewer, as many of the other. */
static void search_two(finder *f, int k, int64_t room, int64_t value)
{
	const item *i = &f->item[k], *j = &f->item[k + 1];
	int64_t n = copies_at_most(i, room), rest = room - n * i->size, span = n + 1, end;
	value += n * i->gain;
	if (j->most < INT64_MAX && pim_mul(j->most + 1, j->size, &end)) {
		if (rest >= end) {
			note(f, value + j->most * j->gain);
			return;
		}
		int64_t until = (end - 1 - rest) / i->size + 1; /* from here on all of j fit */
		if (until <= n) {
			note(f, value - until * i->gain + j->most * j->gain);
			span = until;
		}
	}
	if (span <= FEW_COPIES) {
		for (; span > 0; span--, value -= i->gain, rest += i->size)
			note(f, value + rest / j->size * j->gain);
		return;
	}
	double more = most_of_line(span, -(double)i->gain, (double)j->gain, i->size, rest, j->size);
	note(f, value + (int64_t)more);
}

/* Items of one chain: the larger ones first, for none gains less by size than those inside it. */
static void fill(finder *f, int k, int64_t room, int64_t value)
{
	for (; k < f->n; k++) {
		int64_t n = copies_at_most(&f->item[k], room);
		value += n * f->item[k].gain;
		room -= n * f->item[k].size;
	}
	note(f, value);
}

static void follow_best(finder *f, int k, children *c)
{
	for (; c->n > 0; c->n--) {
		int first = 0;
		for (int x = 1; x < c->n; x++)
			first = c->list[x].bound > c->list[first].bound ? x : first;
		child next = c->list[first];
		if (!is_worth(f, next.bound) || f->patience < 0)
			break;
		c->list[first] = c->list[c->n - 1];
		search(f, k, next.room, next.value);
	}
	c->n = 0;
}

static void add_child(finder *f, int k, children *c, child one)
{
	if (!c->dived || k >= f->alone) {
		c->dived = true;
		search(f, k, one.room, one.value);
		return;
	}
	if (c->n == MOST_CHILDREN)
		follow_best(f, k, c);
	c->list[c->n++] = one;
}

/* Copies from..to of an item, one way; `last`: the last item that is chosen together with it. */
typedef struct run {
	int k, last;
	int64_t room, value, from, to;
	int way;
} run;

/* How many copies on from m the next item's remainder is one that can be good enough; -1: never. */
static int64_t find_skip(const finder *f, const run *r, int64_t m, int64_t room, int64_t value)
{
	const item *i = &f->item[r->k], *j = &f->item[r->k + 1];
	double top = (double)value + (double)room * j->rate;
	double slope = ((double)i->gain - (double)i->size * j->rate) * r->way;
	if (slope > 0)
		top += slope * (double)((r->to - m) * r->way);
	window w = find_window(f, r->k + 2, j->rate, top - (double)f->best - f->margin);
	if (w.hi < w.lo)
		return -1;
	if (w.hi >= (double)j->size - 1)
		return 0;
	int64_t step = i->size % j->size;
	return next_in_window(room % j->size, r->way > 0 && step ? j->size - step : step, j->size, w);
}

static void choose_copies(finder *f, children *c, int k, int last, int64_t room, int64_t value);

static void try_copies(finder *f, children *c, run r)
{
	const item *i = &f->item[r.k];
	int failed = 0;
	for (int64_t m = r.from; r.way > 0 ? m <= r.to : m >= r.to; m += r.way) {
		int64_t value = r.value + m * i->gain, room = r.room - m * i->size;
		if (--f->patience < 0 ||
			!is_worth(f, (double)value + relax(f, r.k + 1, (double)room, INT64_MAX)))
			return;
		if (failed >= FEW_FAILURES && r.k + 1 < f->n) {
			int64_t skip = find_skip(f, &r, m, room, value);
			if (skip < 0 || skip > (r.to - m) * r.way)
				return;
			m += r.way * skip;
			value = r.value + m * i->gain;
			room = r.room - m * i->size;
		}
		double bound = (double)value + relax(f, r.k + 1, (double)room, room);
		int before = c->n;
		if (!is_worth(f, bound))
			failed++;
		else if (r.k == r.last)
			add_child(f, r.k + 1, c, (child){room, value, bound});
		else {
			choose_copies(f, c, r.k + 1, r.last, room, value);
			failed = c->n > before ? 0 : failed + 1;
		}
	}
}

static void choose_copies(finder *f, children *c, int k, int last, int64_t room, int64_t value)
{
	const item *i = &f->item[k];
	int64_t n = copies_at_most(i, room), start = 0;
	double left = ((double)room - room_before(f, k)) / (double)i->size;
	if (left > 0)
		start = left >= (double)n ? n : (int64_t)left;
	try_copies(f, c, (run){k, last, room, value, start, 0, -1});
	try_copies(f, c, (run){k, last, room, value, start + 1, n, 1});
}

/* Items k.. in a room, behind what has been gained. */
static void search(finder *f, int k, int64_t room, int64_t value)
{
	if (--f->patience < 0)
		return;
	if (k >= f->alone)
		fill(f, k, room, value);
	else if (k + 2 == f->n)
		search_two(f, k, room, value);
	else {
		int last = f->item[k].paired ? k + 1 : k;
		children c;
		c.n = 0;
		c.dived = false;
		choose_copies(f, &c, k, last, room, value);
		follow_best(f, last + 1, &c);
	}
}

/* ---- exchanges ---- */

static int64_t divisor(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static void limit(item *i, int64_t most)
{
	i->most = most;
	i->reach = (double)most * (double)i->size;
}

static void solve(finder *f, int64_t room, int64_t value);

static void solve_limited(finder *f, int k, int64_t most, int64_t room, int64_t value)
{
	finder part = *f;
	limit(&part.item[k], most);
	solve(&part, room, value);
	f->best = part.best;
}

/* `copies` of item k take the same room as others do of another. */
typedef struct share {
	int k;
	int64_t copies, room;
	bool capped; /* more of it would fit */
} share;

static share share_of(const finder *f, int k, int64_t copies, int64_t room)
{
	const item *i = &f->item[k];
	return (share){k, copies, room, i->most < room / i->size};
}

static bool is_large(const finder *f, const share *s)
{
	return copies_at_most(&f->item[s->k], s->room) / MANY_TIMES >= s->copies;
}

/* Limits one of items x and y, when both have many more copies than can be exchanged; true: all has
 * been searched, in two parts. */
static bool exchange(finder *f, int x, int y, int64_t room, int64_t value)
{
	int64_t common = divisor(f->item[x].size, f->item[y].size);
	share a = share_of(f, x, f->item[y].size / common, room);
	share b = share_of(f, y, f->item[x].size / common, room);
	if (!is_large(f, &a) || !is_large(f, &b))
		return false;
	int64_t gain_a, gain_b;
	if (!pim_mul(f->item[x].gain, a.copies, &gain_a) ||
		!pim_mul(f->item[y].gain, b.copies, &gain_b))
		return false;
	if (gain_b < gain_a || (gain_b == gain_a && b.capped && !a.capped)) {
		share swap = a;
		a = b;
		b = swap;
	}
	if (!b.capped) {
		limit(&f->item[a.k], a.copies - 1);
		return false;
	}
	const item *j = &f->item[b.k];
	int64_t base = j->most - b.copies + 1;
	solve_limited(f, a.k, a.copies - 1, room, value);
	if (base <= room / j->size)
		solve_limited(f, b.k, b.copies - 1, room - base * j->size, value + base * j->gain);
	return true;
}

/* Searches; when that is not over soon, again with fewer copies. */
static void solve(finder *f, int64_t room, int64_t value)
{
	double most = relax(f, 0, (double)room, INT64_MAX);
	f->margin = 1 - 1e-6 - 1e-14 * (fabs((double)value) + most);
	if (!is_worth(f, (double)value + most))
		return;
	f->patience = PATIENCE;
	search(f, 0, room, value);
	if (f->patience >= 0)
		return;
	for (int x = 0; x < f->n; x++)
		for (int y = x + 1; y < f->n; y++)
			if (f->item[x].up != f->item[y].up && exchange(f, x, y, room, value))
				return;
	f->patience = INT64_MAX;
	search(f, 0, room, value);
}

/* ---- items ---- */

static void append(finder *f, const item *i)
{
	int q = f->n++;
	f->item[q] = *i;
	for (; q > 0 && f->item[f->by_rate[q - 1]].rate < i->rate; q--)
		f->by_rate[q] = f->by_rate[q - 1];
	f->by_rate[q] = f->n - 1;
}

/* The one of the other chain behind i that gains about as much by size and is not much smaller; -1
 * if there is none. */
static int find_partner(const item *list, const bool *taken, int n, int i)
{
	double least = RATIO;
	int partner = -1, between = 0;
	for (int j = i + 1; j < n && (!between || list[j].size >= list[i].size / CLOSE); j++) {
		if (taken[j])
			continue;
		between++;
		if (list[j].up == list[i].up)
			continue;
		double ratio = list[j].rate / list[i].rate;
		ratio = ratio < 1 ? 1 / ratio : ratio;
		if (ratio < least) {
			least = ratio;
			partner = j;
		}
	}
	return partner;
}

/* Both chains by size, without what does not fit. */
static int merge(const pim_pack *p, int64_t room, item *list)
{
	int n = 0;
	for (int u = 0, d = 0; u < p->n_up || d < p->n_down;) {
		bool up = u < p->n_up && (d == p->n_down || p->up[u].size >= p->down[d].size);
		const pim_pack_item *i = up ? &p->up[u++] : &p->down[d++];
		if (i->size > room || i->most <= 0 || i->gain <= 0)
			continue;
		list[n] = (item){.size = i->size, .gain = i->gain, .most = i->most, .up = up};
		list[n].rate = (double)i->gain / (double)i->size;
		list[n++].reach = i->most == INT64_MAX ? INFINITY : (double)i->most * (double)i->size;
	}
	return n;
}

int64_t pim_pack_most(const pim_pack *p, int64_t room, int64_t value, int64_t least)
{
	finder f;
	item list[PIM_PACK_ITEMS];
	bool taken[PIM_PACK_ITEMS] = {false};
	int n = merge(p, room, list);
	f.n = 0;
	f.best = pim_max(least, value);
	for (int i = 0; i < n; i++) {
		if (taken[i])
			continue;
		int partner = find_partner(list, taken, n, i);
		list[i].paired = partner >= 0;
		append(&f, &list[i]);
		if (partner >= 0) {
			append(&f, &list[partner]);
			taken[partner] = true;
		}
	}
	f.alone = n;
	while (f.alone > 0 && f.item[f.alone - 1].up == f.item[n - 1].up)
		f.alone--;
	if (n > 0)
		solve(&f, room, value);
	return f.best;
}
