/* SPDX-License-Identifier: Apache-2.0 */
/* links.c - when a message has left its unit and when it is there, on buses that all share.
 *
 * One message is on a bus at a time. A message takes the buses of its route and then the port into
 * the unit, each for as many cycles as it has words, and is hop_cycles behind at each. Messages
 * come in the order of their start, or nearly, and are told their end at once: cycles that nobody
 * has are a message's own, however short, and it waits while others have the bus. To the next bus
 * it comes in one piece, its last word a hop behind where that has been.
 *
 * What does not fit into the buffers between the unit and the bus it waits for is still in the
 * unit, and the unit's next message waits behind it. Where a multicast forks there is room for all
 * that its branches have not taken: they do not hold up each other, nor the unit. A message that
 * overtakes another of its pair of units is received behind it all the same.
 *
 * Gaps matter on large networks: a message from far takes buses for times far ahead, and others use
 * them until then. What ended before the message that is looked at starts is forgotten when a bus
 * has no more room. Cost: for each bus of a tree, a binary search, and the spans from where the
 * message waits on. Source: ours. */
#include "targets/links.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/flit.h"

/* Cycles in which a bus is taken. */
typedef struct span {
	int64_t lo, hi;
} span;

typedef struct line {
	int n, room;
	span *taken; /* disjoint, ascending; no two touch */
} line;

/* A message behind a line: when its first and its last word have passed, the words that buffers
 * hold up to there, and when its unit is done. */
typedef struct front {
	int64_t first, last, room, left;
} front;

struct pim_links {
	const pim_target *target;
	int n; /* buses, then ports into units */
	line *line;
	int64_t n_changed, room_changed;
	span *changed;	 /* of the line that is looked at */
	int room_behind; /* links of a tree */
	front *behind;	 /* by link of a tree: the message that takes it */
	int *branches;	 /* by link of a tree: that leave the router behind it */
	int64_t depth;	 /* words that a buffer of the network holds */
};

pim_links *pim_links_new(const pim_target *t)
{
	pim_links *l = pim_array_new(1, sizeof *l);
	l->target = t;
	l->n = pim_network_links(t) + t->units;
	l->line = pim_array_new(l->n, sizeof *l->line);
	l->depth = pim_flit_depth(t, PIM_FLIT_DEPTH);
	l->room_behind = pim_network_tree_links(t) + 1;
	l->behind = pim_array_new(l->room_behind, sizeof *l->behind);
	l->branches = pim_array_new(l->room_behind, sizeof *l->branches);
	return l;
}

void pim_links_free(pim_links *l)
{
	for (int i = 0; l && i < l->n; i++)
		free(l->line[i].taken);
	if (l) {
		free(l->line);
		free(l->changed);
		free(l->behind);
		free(l->branches);
	}
	free(l);
}

/* ---- the spans of a line ---- */

/* The first span that ends after `time`. */
static int find_span(const line *x, int64_t time)
{
	int lo = 0, hi = x->n;
	while (lo < hi) {
		int middle = lo + (hi - lo) / 2;
		if (x->taken[middle].hi > time)
			hi = middle;
		else
			lo = middle + 1;
	}
	return lo;
}

/* The next span of the line as it will be. */
static void put_span(pim_links *l, int64_t lo, int64_t hi)
{
	if (lo == hi)
		return;
	if (l->n_changed && l->changed[l->n_changed - 1].hi == lo) {
		l->changed[l->n_changed - 1].hi = hi;
		return;
	}
	l->changed = pim_array_grow(l->changed, l->n_changed, &l->room_changed, sizeof *l->changed);
	l->changed[l->n_changed++] = (span){lo, hi};
}

/* Room for n spans in all, where those of the past before span *first are forgotten. */
static void make_room(line *x, int n, int *first, int64_t now)
{
	int gone = 0;
	while (gone < *first && x->taken[gone].hi <= now)
		gone++;
	x->n -= gone;
	*first -= gone;
	if (gone)
		memmove(x->taken, x->taken + gone, (size_t)x->n * sizeof *x->taken);
	if (2 * (n - gone) <= x->room)
		return;
	x->room = 2 * n;
	x->taken = pim_array_resize(x->taken, x->room, sizeof *x->taken);
}

/* Puts the spans that changed in the place of n others, from span `first` on. */
static void replace_spans(pim_links *l, line *x, int first, int n, int64_t now)
{
	span *change = l->changed;
	int more = (int)l->n_changed;
	if (first > 0 && x->taken[first - 1].hi == change->lo) {
		change->lo = x->taken[--first].lo;
		n++;
	}
	if (first + n < x->n && change[more - 1].hi == x->taken[first + n].lo) {
		change[more - 1].hi = x->taken[first + n].hi;
		n++;
	}
	if (x->n + more - n > x->room)
		make_room(x, x->n + more - n, &first, now);
	span *at = x->taken + first;
	memmove(at + more, at + n, (size_t)(x->n - first - n) * sizeof *at);
	memcpy(at, change, (size_t)more * sizeof *at);
	x->n += more - n;
}

/* ---- a message on a line ---- */

/* A walk along a line: the next span, and the time, which is in it or before it. */
typedef struct walk {
	pim_links *l;
	const line *x;
	int next;
	int64_t time;
} walk;

/* Takes what nobody has before the next span, at most `most` cycles. */
static int64_t take_free(walk *w, int64_t most)
{
	int64_t start = w->time;
	w->time += most;
	if (w->next < w->x->n)
		w->time = pim_min(w->time, pim_max(start, w->x->taken[w->next].lo));
	put_span(w->l, start, w->time);
	return w->time - start;
}

/* Waits until the next span has ended. */
static void keep_span(walk *w)
{
	const span *b = w->x->taken + w->next++;
	put_span(w->l, pim_max(w->time, b->lo), b->hi);
	w->time = b->hi;
}

/* A message of so many words is at a line from `ready` on: when its first and last one pass. */
static span take_line(pim_links *l, line *x, int64_t ready, int64_t words, int64_t now)
{
	int first = find_span(x, ready);
	walk w = {l, x, first, ready};
	int64_t passed = 0, head = -1;
	l->n_changed = 0;
	if (first < x->n && x->taken[first].lo < ready)
		put_span(l, x->taken[first].lo, ready);
	while (passed < words) {
		int64_t start = w.time, taken = take_free(&w, words - passed);
		if (!taken)
			keep_span(&w);
		else if (head < 0)
			head = start;
		passed += taken;
	}
	replace_spans(l, x, first, w.next - first, now);
	return (span){head, w.time};
}

/* Takes a line that is `delay` cycles behind another one; gives what is behind it then. */
static front pass_line(pim_links *l, int at, const front *from, int64_t delay, const pim_trip *m)
{
	int64_t there = from->last + delay;
	span taken = take_line(l, l->line + at, there - m->link, m->link, m->since);
	front f = {taken.lo, taken.hi, from->room + l->depth, from->left};
	if (f.room >= m->link)
		return f;
	/* what buffers do not hold has passed */
	double inside = (double)(f.last - f.first) * (double)f.room / (double)m->link;
	f.left = pim_max(f.left, f.last - (int64_t)inside);
	return f;
}

/* Counts the branches behind each link of the tree; gives those that leave the unit itself. */
static int count_branches(pim_links *l, const pim_trip *m)
{
	int source = 0;
	memset(l->branches, 0, (size_t)m->tree->n * sizeof *l->branches);
	for (int i = 0; i < m->tree->n; i++)
		++*(m->tree->before[i] < 0 ? &source : l->branches + m->tree->before[i]);
	for (int i = 0; i < m->n; i++)
		++*(m->tree->last[i] < 0 ? &source : l->branches + m->tree->last[i]);
	return source;
}

/* Where a message forks, there is room for all of it. */
static int64_t room_behind(int branches, int64_t room)
{
	return branches > 1 ? INT64_MAX / 2 : room;
}

int64_t pim_links_travel(pim_links *l, const pim_trip *m, int64_t *arrival)
{
	const pim_tree *tree = m->tree;
	int64_t hop = l->target->network.hop_cycles, left = m->start + m->cycles;
	front source = {.first = left - m->link, .last = left, .left = left};
	source.room = room_behind(count_branches(l, m), 0);
	for (int i = 0; i < tree->n; i++) {
		bool first = tree->before[i] < 0;
		const front *from = first ? &source : l->behind + tree->before[i];
		l->behind[i] = pass_line(l, tree->link[i], from, first ? 0 : hop, m);
		l->behind[i].room = room_behind(l->branches[i], l->behind[i].room);
	}
	for (int i = 0; i < m->n; i++) {
		bool near = tree->last[i] < 0;
		const front *from = near ? &source : l->behind + tree->last[i];
		int port = pim_network_links(l->target) + m->to[i];
		front f = pass_line(l, port, from, near ? 0 : hop, m);
		arrival[i] = f.last;
		left = pim_max(left, f.left);
	}
	return left;
}
