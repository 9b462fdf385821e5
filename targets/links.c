/* SPDX-License-Identifier: Apache-2.0 */
/* links.c - when a message has left its unit and when it is there, links shared by all.
 *
 * A message takes the links of its route and then the port into the unit, each for as many cycles
 * as it has flits, and is hop_cycles behind at each. Who has a link at a time shares it: flits take
 * turns. A message is at most as long behind as it would be with equal turns, and as it would be
 * behind all that is there:
 *
 * - cycles that nobody has are its own, however short;
 * - of a time that n others have it passes as much as each of them, and all that was to come there
 *   comes so much later: the link has the cycles taken from others behind it, where it is free;
 * - three at a time take turns, others wait until one has passed. A port has one lane more, but
 *   one of them is often held by a message that is stopped further on. A message that fits into a
 *   buffer (a signal, a few elements) takes turns at once. On buses, one message is at a time.
 *
 * Those that come later cost time too. Nothing is known of them when a message is looked at: it is
 * taken to wait for them two thirds as long as for those before it. To the next link it comes in
 * one piece, its last flit a hop behind where that has been.
 *
 * What does not fit into the buffers between the unit and the link it waits for is still in the
 * unit, and the unit's next message waits behind it. Where a multicast forks, the router keeps all
 * that its branches have not taken: they do not hold up each other, nor the unit. A message that
 * overtakes another of its pair of units is received behind it all the same.
 *
 * The message's length stands for what flit.c works out flit by flit; docs/network.md compares the
 * two. Gaps matter on large networks: a message from far takes links for times far ahead, and
 * others use them until then. What ended before the message that is looked at starts is forgotten
 * when a link has no more room: sends come in order of their start, or nearly. Cost: for each link
 * of a tree, a binary search, and the spans from where the message waits on. Source: processor
 * sharing of each link (Kleinrock 1967); the rest is ours. */
#include "targets/links.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/flit.h"

/* Cycles in which a number of messages have a link. */
typedef struct span {
	int64_t lo, hi, sharers;
} span;

typedef struct line {
	int n, room;
	span *taken; /* disjoint, ascending; those that touch differ in sharers */
} line;

/* A message behind a line: when its first and its last flit have passed, what it waited, the flits
 * that buffers hold up to there, and when its unit is done. */
typedef struct front {
	int64_t first, last, waits, room, left;
} front;

struct pim_links {
	const pim_target *target;
	int n; /* links, then ports into units */
	line *line;
	int64_t n_changed, room_changed;
	span *changed;	 /* of the line that is looked at */
	int room_behind; /* links of a tree */
	front *behind;	 /* by link of a tree: the message that takes it */
	int *branches;	 /* by link of a tree: that leave the router behind it */
	int64_t depth;	 /* flits that a buffer of the network holds */
	int64_t sharers; /* that take turns at most */
};

pim_links *pim_links_new(const pim_target *t)
{
	pim_links *l = pim_array_new(1, sizeof *l);
	l->target = t;
	l->n = pim_network_links(t) + t->units;
	l->line = pim_array_new(l->n, sizeof *l->line);
	l->depth = pim_flit_depth(t, PIM_FLIT_DEPTH);
	l->sharers = t->network.topology == PIM_TOPOLOGY_bus ? 1 : PIM_FLIT_LANES - 1;
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

static bool joins(const span *a, const span *b)
{
	return a->hi == b->lo && a->sharers == b->sharers;
}

/* The next span of the line as it will be. */
static void put_span(pim_links *l, int64_t lo, int64_t hi, int64_t sharers)
{
	span next = {lo, hi, sharers};
	if (lo == hi)
		return;
	if (l->n_changed && joins(l->changed + l->n_changed - 1, &next)) {
		l->changed[l->n_changed - 1].hi = hi;
		return;
	}
	l->changed = pim_array_grow(l->changed, l->n_changed, &l->room_changed, sizeof *l->changed);
	l->changed[l->n_changed++] = next;
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
	if (first > 0 && joins(x->taken + first - 1, change)) {
		change->lo = x->taken[--first].lo;
		n++;
	}
	if (first + n < x->n && joins(change + more - 1, x->taken + first + n)) {
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
	put_span(w->l, start, w->time, 1);
	return w->time - start;
}

/* Leaves the rest of the next span as it is. */
static void keep_span(walk *w)
{
	const span *b = w->x->taken + w->next++;
	put_span(w->l, pim_max(w->time, b->lo), b->hi, b->sharers);
	w->time = b->hi;
}

/* Takes turns with those who have the span in which the walk is: gives the flits that pass there
 * beside them, at most `most`. */
static int64_t take_turns(walk *w, int64_t most)
{
	const span *b = w->x->taken + w->next;
	int64_t start = w->time, flits = pim_min((b->hi - start) / b->sharers, most);
	w->time = flits == most ? start + flits * b->sharers : b->hi;
	w->next += w->time == b->hi;
	put_span(w->l, start, w->time, b->sharers + 1);
	return flits;
}

/* A message of so many flits is at a line from `ready` on: when its first and last flit pass. */
static span take_line(pim_links *l, line *x, int64_t ready, int64_t flits, int64_t now)
{
	int first = find_span(x, ready);
	walk w = {l, x, first, ready};
	int64_t passed = 0, own = 0, head = -1, sharers = l->sharers;
	if (flits <= l->depth && sharers > 1)
		sharers = INT64_MAX;
	l->n_changed = 0;
	if (first < x->n && x->taken[first].lo < ready)
		put_span(l, x->taken[first].lo, ready, x->taken[first].sharers);
	while (passed < flits) {
		int64_t start = w.time, unused = take_free(&w, flits - passed), shared = 0;
		if (!unused && x->taken[w.next].sharers >= sharers)
			keep_span(&w);
		else if (!unused)
			shared = take_turns(&w, flits - passed);
		if (head < 0 && unused + shared)
			head = start;
		own += unused;
		passed += unused + shared;
	}
	int64_t owed = flits - own, tail = w.time + owed;
	for (owed -= take_free(&w, owed); owed; owed -= take_free(&w, owed))
		keep_span(&w);
	if (w.next < x->n && x->taken[w.next].lo < w.time)
		keep_span(&w);
	replace_spans(l, x, first, w.next - first, now);
	return (span){head, tail, 1};
}

/* What a message that waits so long for those before it waits for later ones. */
static int64_t wait_later(const pim_links *l, int64_t waits)
{
	return l->sharers > 1 ? waits * 2 / 3 : 0;
}

/* Takes a line that is `delay` cycles behind another one; gives what is behind it then. */
static front pass_line(pim_links *l, int at, const front *from, int64_t delay, const pim_trip *m)
{
	int64_t there = from->last + delay;
	span taken = take_line(l, l->line + at, there - m->link, m->link, m->since);
	front f = {.first = taken.lo, .last = taken.hi, .left = from->left};
	f.waits = from->waits + f.last - there;
	f.room = from->room + l->depth;
	if (f.room >= m->link)
		return f;
	/* what buffers do not hold has passed */
	double inside = (double)(f.last - f.first) * (double)f.room / (double)m->link;
	f.left = pim_max(f.left, f.last - (int64_t)inside + wait_later(l, f.waits));
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
		arrival[i] = f.last + wait_later(l, f.waits);
		left = pim_max(left, f.left);
	}
	return left;
}
