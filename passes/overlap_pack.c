/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_pack - the largest gain of items in one room.
 *
 *     maximise   sum gain_i n_i     subject to   sum size_i n_i <= room,   0 <= n_i <= most_i
 *
 * A knapsack of few items, most often with many copies of each. The relaxation takes the best gain
 * by size first and cuts one item, the critical one. Each step of the search
 *   - notes what rounding that gives;
 *   - tightens: an item taken in full, or not at all, is off that by so many copies that they cost
 *     what the relaxation is above the best; the others are settled and leave a smaller room,
 *     larger items than which are out;
 *   - chooses the critical item together with the one of the nearest gain by size, on lines in the
 *     plane of their copies (overlap_lines.c), from the line of the relaxation on in both
 *     directions until the relaxation of a line, which is concave in its number, is not above the
 *     best. What is left of a line is one item: two items have become one.
 *
 * Cost: a step costs as much as there are items, the choice of lines Euclid's algorithm. Each
 * choice leaves an item less, so with k items and at most w lines in each choice there are w^(k-1)
 * steps at most, whatever sizes and copies. For w: let the other items gain by size f times as much
 * or as little as the two, f not near 1. A point that is good enough is then at most some multiple
 * (of f alone) as far from the line of best gain as the best point of the two by itself, and the
 * region nearer than that one has no point inside it. A convex region of the plane without a point
 * inside is no wider than 1 + 2 / sqrt(3) in some direction, and Euclid's directions are as good to
 * a constant: w depends on f alone. Loops of one nest are at least 2 apart, so of the two chains no
 * third is near; but items left over from lines may be, and then nothing is proved for w. A bound
 * in a power of k is not to be had this way: that is integer programming in k dimensions.
 * docs/overlap.md has what an adversary finds.
 * Bounds are floating point, with a margin for their rounding; gains are integers.
 * Source: bounded knapsack by branch and bound and fixing by cost are textbook; choice by lines is
 * ours. */
#include "passes/overlap_pack.h"

#include <math.h>
#include <string.h>

/* Best rate first. */
typedef struct set {
	int n;
	pim_item list[PIM_PACK_ITEMS];
} set;

typedef struct finder {
	int64_t best, steps;
	double margin; /* a bound below best + margin is not above best */
} finder;

/* What is left of a room behind what has been gained. */
typedef struct state {
	int64_t room, value;
} state;

/* Of the relaxation: the item that is cut (-1: none, it is exact), and the room that is left for
 * it. */
typedef struct cut {
	int at;
	int64_t room;
	double bound;
} cut;

static double slack_of(const finder *f, double bound)
{
	return bound - (double)f->best - f->margin;
}

static bool is_worth(const finder *f, double bound)
{
	return slack_of(f, bound) >= 0;
}

static void set_most(pim_item *i, int64_t most)
{
	i->most = most;
	i->reach = (double)most * (double)i->size;
}

/* Where it went. */
static int insert(set *s, const pim_item *i)
{
	int q = s->n++;
	for (; q > 0 && s->list[q - 1].rate < i->rate; q--)
		s->list[q] = s->list[q - 1];
	s->list[q] = *i;
	return q;
}

/* ---- bounds ---- */

/* What items gain in a room when they may be cut. */
static double relax(finder *f, const set *s, double room)
{
	double sum = 0;
	f->steps++;
	for (int q = 0; q < s->n; q++) {
		const pim_item *i = &s->list[q];
		if (room <= i->reach)
			return sum + room * i->rate;
		sum += i->reach * i->rate;
		room -= i->reach;
	}
	return sum;
}

/* The relaxation, and what comes of rounding it down and filling up. */
static cut fill(finder *f, const set *s, state t)
{
	cut c = {.at = -1};
	int64_t rest = t.room;
	f->steps++;
	for (int q = 0; q < s->n && rest > 0; q++) {
		const pim_item *i = &s->list[q];
		int64_t n = i->most;
		if (i->size > (c.at < 0 ? t.room : rest))
			continue;
		if (n * i->size > rest) {
			if (c.at < 0)
				c = (cut){q, rest, (double)t.value + (double)rest * i->rate};
			n = rest / i->size;
		}
		t.value += n * i->gain;
		rest -= n * i->size;
	}
	f->best = pim_max(f->best, t.value);
	return c;
}

/* Settles what no good enough pack has otherwise; true: that leaves less room. */
static bool tighten(const finder *f, set *s, cut *c, state *t)
{
	double rate = s->list[c->at].rate, slack = slack_of(f, c->bound);
	state was = *t;
	int n = 0, critical = c->at;
	for (int q = 0; q < s->n; q++) {
		pim_item i = s->list[q];
		double cost = fabs(i.rate - rate) * (double)i.size;
		if (i.size > was.room)
			continue;
		if (q == critical)
			c->at = n;
		else if (cost * (double)i.most > slack) {
			int64_t off = (int64_t)(slack / cost), settled = q < critical ? i.most - off : 0;
			t->room -= settled * i.size;
			t->value += settled * i.gain;
			set_most(&i, off);
		}
		if (i.most > 0)
			s->list[n++] = i;
	}
	s->n = n;
	return t->room < was.room;
}

/* ---- two items ---- */

/* The next item to the critical one by rate; -1: it is alone. */
static int find_partner(const set *s, int at)
{
	if (at == 0 || at + 1 == s->n)
		return at > 0 ? at - 1 : at + 1 < s->n ? at + 1 : -1;
	double rate = s->list[at].rate;
	return s->list[at - 1].rate - rate <= rate - s->list[at + 1].rate ? at - 1 : at + 1;
}

/* Room that items from..to, one way, take more or less at a cost of `slack` in all. */
static double find_play(const set *s, int from, int to, int way, double rate, double *slack)
{
	double play = 0;
	for (int q = from; q != to && *slack > 0; q += way) {
		double cost = fabs(rate - s->list[q].rate);
		double part = fmin(s->list[q].reach, *slack / cost);
		play += part;
		*slack -= part * cost;
	}
	return play;
}

static pim_play find_play_of(const set *s, int at, int partner, double slack)
{
	const pim_item *c = &s->list[at], *p = &s->list[partner];
	double apart = fabs(c->rate - p->rate), left = slack;
	int above = pim_min(at, partner) - 1, below = pim_max(at, partner) + 1;
	pim_play r = {.exchanged = fmin(c->reach, p->reach)};
	if (apart * r.exchanged > slack)
		r.exchanged = slack / apart;
	r.taken = find_play(s, below, s->n, 1, c->rate, &left);
	r.taken += fmax(left, 0) / c->rate;
	r.taken += find_play(s, above, -1, -1, c->rate, &slack);
	return r;
}

/* Two items of a set as lines, and the set without them, with what is left of a line in it. */
typedef struct choice {
	pim_lines lines;
	int at; /* of what is left of a line; -1: nothing that gains */
	set rest;
} choice;

static void search(finder *f, const set *from, state t);

static void set_left(choice *h, double most)
{
	if (h->at >= 0)
		h->rest.list[h->at].reach = most * (double)h->lines.size;
}

static double bound_line(finder *f, choice *h, double number, state t)
{
	pim_line_bound s;
	if (!pim_line_bounds(&h->lines, number, &s) || s.size > (double)t.room + 0.5)
		return -INFINITY;
	double sum = (double)t.value + s.gain;
	if (h->lines.size == 0 && h->lines.gain > 0)
		sum += s.most * (double)h->lines.gain;
	set_left(h, s.most);
	return sum + relax(f, &h->rest, fmax((double)t.room - s.size, 0));
}

static void search_line(finder *f, choice *h, int64_t number, state t)
{
	pim_line_start s;
	if (!pim_line_at(&h->lines, number, &s) || s.size > t.room)
		return;
	t.room -= s.size;
	t.value += s.gain;
	if (h->lines.size == 0 && h->lines.gain > 0)
		t.value += s.most * h->lines.gain;
	if (h->at >= 0)
		set_most(&h->rest.list[h->at], s.most);
	search(f, &h->rest, t);
}

static void search_lines(finder *f, choice *h, double middle, state t)
{
	int64_t down = (int64_t)middle, up = down + 1;
	double low = bound_line(f, h, (double)down, t), high = bound_line(f, h, (double)up, t);
	while (is_worth(f, fmax(low, high))) {
		if (low >= high) {
			search_line(f, h, down--, t);
			low = down >= 0 ? bound_line(f, h, (double)down, t) : -INFINITY;
		} else {
			search_line(f, h, up++, t);
			high = bound_line(f, h, (double)up, t);
		}
	}
}

static void set_rest(choice *h, const set *s, int at, int partner)
{
	const pim_lines *l = &h->lines;
	h->rest.n = 0;
	for (int q = 0; q < s->n; q++)
		if (q != at && q != partner)
			h->rest.list[h->rest.n++] = s->list[q];
	h->at = -1;
	if (l->gain > 0 && l->size > 0) {
		pim_item left = {.size = l->size, .gain = l->gain};
		left.rate = (double)l->gain / (double)l->size;
		h->at = insert(&h->rest, &left);
	}
}

/* The critical item and its partner; the number of the line of the relaxation. */
static double choose_lines(const finder *f, choice *h, const set *s, const cut *c)
{
	const pim_item *i = &s->list[c->at];
	int partner = find_partner(s, c->at);
	double copies = (double)c->room / (double)i->size;
	if (partner < 0) {
		h->lines = (pim_lines){.y = *i, .a = 1};
		set_rest(h, s, c->at, -1);
		return copies;
	}
	const pim_item *j = &s->list[partner];
	double others = partner < c->at ? (double)j->most : 0;
	h->lines = pim_lines_of(i, j, find_play_of(s, c->at, partner, slack_of(f, c->bound)));
	set_rest(h, s, c->at, partner);
	bool turned = h->lines.turned;
	double x = turned ? others : copies, y = turned ? copies : others;
	return (double)h->lines.b * x + (double)h->lines.a * y;
}

static void search(finder *f, const set *from, state t)
{
	set s;
	cut c;
	s.n = from->n;
	memcpy(s.list, from->list, sizeof *s.list * (size_t)s.n);
	do {
		c = fill(f, &s, t);
		if (c.at < 0 || !is_worth(f, c.bound))
			return;
	} while (tighten(f, &s, &c, &t));
	choice h;
	double middle = choose_lines(f, &h, &s, &c);
	search_lines(f, &h, middle, t);
}

int64_t pim_pack_most(const pim_pack *p, int64_t room, int64_t value, int64_t least, int64_t *steps)
{
	finder f = {.best = pim_max(least, value)};
	set s;
	s.n = 0;
	for (int k = 0; k < p->n; k++) {
		pim_item i = p->item[k];
		if (i.size > room || i.most <= 0 || i.gain <= 0)
			continue;
		i.rate = (double)i.gain / (double)i.size;
		set_most(&i, pim_min(i.most, room / i.size));
		insert(&s, &i);
	}
	f.margin = 1 - 1e-6 - 1e-14 * (fabs((double)value) + relax(&f, &s, (double)room));
	search(&f, &s, (state){room, value});
	*steps += f.steps;
	return f.best;
}
