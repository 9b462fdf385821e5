/* SPDX-License-Identifier: Apache-2.0 */
/* links.c - when a message has left its unit and when it is there, links shared by all.
 *
 * A message takes the links of its route and then the port into the unit, each for as long as its
 * bytes need and in the first gap that is long enough; its head is hop_cycles behind at each. A
 * multicast takes each link of its tree once and each port, and the slowest branch counts where
 * its unit waits.
 * Gaps matter on large networks: a message that comes from far takes links for times far ahead, and
 * others use them until then. Flits of messages that meet on a link take turns, so those behind
 * cost a message time too, half as much as those before it: on average half of it has passed when
 * they come. A message that fits into a buffer (a signal, a few elements) waits for no whole
 * message: at worst each of its flits waits for one of every other lane, and then it takes no time
 * from the others on the link. What does not fit into the
 * buffers between the unit and the link it waits for is still in the unit, and the unit's next
 * message waits behind it. A message that overtakes another of its pair of units is received behind
 * it all the same.
 *
 * The message's length stands for what flit.c works out flit by flit; docs/network.md compares the
 * two. What ended before the message that is looked at starts is forgotten when a link has no more
 * room: sends come in order of their start, or nearly. Source: ours. */
#include "targets/links.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/flit.h"

typedef struct span {
	int64_t lo, hi;
} span;

typedef struct line {
	int n, room;
	span *taken; /* disjoint, not touching, ascending */
} line;

/* A message behind a line: when its head is there, what it waited, the flits that buffers hold up
 * to there, and when its unit is done. */
typedef struct front {
	int64_t head, waits, room, left;
} front;

struct pim_links {
	const pim_target *target;
	int n, room; /* links, then ports into units; heads */
	line *line;
	front *head;   /* by link of a tree: of the message that takes it */
	int64_t depth; /* flits that a buffer of the network holds */
};

pim_links *pim_links_new(const pim_target *t)
{
	pim_links *l = pim_array_need(calloc(1, sizeof *l), "the messages on links");
	l->target = t;
	l->n = pim_network_links(t) + t->units;
	l->line = pim_array_need(calloc((size_t)l->n, sizeof *l->line), "the messages on links");
	l->depth = pim_flit_depth(t, PIM_FLIT_DEPTH);
	return l;
}

void pim_links_free(pim_links *l)
{
	for (int i = 0; l && i < l->n; i++)
		free(l->line[i].taken);
	if (l) {
		free(l->line);
		free(l->head);
	}
	free(l);
}

static void make_room(line *l, int64_t now)
{
	int gone = 0;
	while (gone < l->n && l->taken[gone].hi <= now)
		gone++;
	l->n -= gone;
	if (gone)
		memmove(l->taken, l->taken + gone, (size_t)l->n * sizeof *l->taken);
	if (2 * l->n <= l->room && l->room)
		return;
	l->room = l->room ? 2 * l->room : 8;
	l->taken = pim_array_need(
		realloc(l->taken, (size_t)l->room * sizeof *l->taken), "the messages on links");
}

/* The first span that ends after `time`. */
static int find_span(const line *l, int64_t time)
{
	int lo = 0, hi = l->n;
	while (lo < hi) {
		int middle = lo + (hi - lo) / 2;
		if (l->taken[middle].hi > time)
			hi = middle;
		else
			lo = middle + 1;
	}
	return lo;
}

/* Adds [lo, hi) before span i, joined with what it touches. */
static void add_span(line *l, int i, int64_t lo, int64_t hi)
{
	bool joins_before = i > 0 && l->taken[i - 1].hi == lo;
	bool joins_behind = i < l->n && l->taken[i].lo == hi;
	if (joins_before && joins_behind) {
		l->taken[i - 1].hi = l->taken[i].hi;
		l->n--;
		memmove(l->taken + i, l->taken + i + 1, (size_t)(l->n - i) * sizeof *l->taken);
	} else if (joins_before) {
		l->taken[i - 1].hi = hi;
	} else if (joins_behind) {
		l->taken[i].lo = lo;
	} else {
		memmove(l->taken + i + 1, l->taken + i, (size_t)(l->n - i) * sizeof *l->taken);
		l->taken[i] = (span){lo, hi};
		l->n++;
	}
}

/* Takes a line for `cycles`, from `head` on as soon as it is free for that long. What fits into a
 * buffer takes turns with what else is on the line, a flit each, and waits for no whole message. */
static int64_t take_line(pim_links *l, int at, int64_t since, int64_t head, int64_t cycles)
{
	line *x = l->line + at;
	if (x->n == x->room)
		make_room(x, since);
	int64_t latest = cycles <= l->depth ? head + (PIM_FLIT_LANES - 1) * cycles : INT64_MAX;
	int i = find_span(x, head);
	for (; i < x->n && x->taken[i].lo - head < cycles; i++)
		head = pim_max(head, x->taken[i].hi);
	if (head > latest)
		return latest;
	add_span(x, i, head, head + cycles);
	return head;
}

/* Takes a line behind another one; gives what is behind it then. */
static front pass_line(pim_links *l, int at, front from, int64_t cycles, int64_t now)
{
	int64_t taken = take_line(l, at, now, from.head, cycles);
	int64_t waits = from.waits + taken - from.head, room = from.room + l->depth;
	int64_t left = pim_max(from.left, taken + waits / 2 + cycles - room);
	return (front){taken, waits, room, left};
}

static void make_heads(pim_links *l, int n)
{
	if (n <= l->room)
		return;
	l->room = 2 * n;
	l->head = pim_array_need(
		realloc(l->head, (size_t)l->room * sizeof *l->head), "the messages on links");
}

int64_t pim_links_travel(pim_links *l, const pim_trip *m, int64_t *arrival)
{
	const pim_tree *tree = m->tree;
	int64_t hop = l->target->network.hop_cycles, left = m->start + m->cycles;
	front source = {left - m->link, 0, 0, left};
	make_heads(l, tree->n);
	for (int i = 0; i < tree->n; i++) {
		front from = tree->before[i] < 0 ? source : l->head[tree->before[i]];
		l->head[i] = pass_line(l, tree->link[i], from, m->link, m->since);
		l->head[i].head += hop;
	}
	for (int i = 0; i < m->n; i++) {
		front from = tree->last[i] < 0 ? source : l->head[tree->last[i]];
		from = pass_line(l, pim_network_links(l->target) + m->to[i], from, m->link, m->since);
		arrival[i] = from.head + from.waits / 2 + m->link;
		left = pim_max(left, from.left);
	}
	return left;
}
