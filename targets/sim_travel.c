/* SPDX-License-Identifier: Apache-2.0 */
/* sim_travel.c - when a message has left its unit and when it is there, links shared by all.
 *
 * A message takes the links of its route and then the port into the unit, each for as long as its
 * bytes need and in the first gap that is long enough; its head is hop_cycles behind at each. A
 * multicast takes each link of its tree once and each port, and the slowest branch counts where
 * its unit waits.
 * Gaps matter on large networks: a message that comes from far takes links for times far ahead, and
 * others use them until then. Flits of messages that meet on a link take turns, so those behind
 * cost a message time too, half as much as those before it: on average half of it has passed when
 * they come. What does
 * not fit into the buffers between the unit and the link it waits for is still in the unit, and
 * the unit's next message waits behind it. A message that overtakes another of its pair of units
 * is received behind it all the same.
 *
 * The message's length stands for what flit.c works out flit by flit; docs/network.md compares the
 * two. Sends come in order of their start, so what ended before is forgotten. Source: ours. */
#include <stdlib.h>
#include <string.h>

#include "targets/flit.h"
#include "targets/sim.h"

typedef struct span {
	int64_t lo, hi;
} span;

struct pim_sim_line {
	int n, room;
	span *taken; /* disjoint, not touching, ascending */
};

/* A message behind a line: when its head is there, what it waited, the flits that buffers hold up
 * to there, and when its unit is done. */
struct pim_sim_head {
	int64_t head, waits, room, left;
};
typedef struct pim_sim_head pim_sim_head;

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void pim_sim_lines_make(pim_sim *s, int most)
{
	size_t lines = (size_t)pim_network_links(s->t) + (size_t)s->n_units;
	s->line = PIM_NEW(s->arena, pim_sim_line, lines);
	s->head = PIM_NEW(s->arena, pim_sim_head, most + 1);
	s->depth = pim_flit_depth(s->t, PIM_FLIT_DEPTH);
}

void pim_sim_lines_free(pim_sim *s)
{
	int lines = s->line ? pim_network_links(s->t) + s->n_units : 0;
	for (int i = 0; i < lines; i++)
		free(s->line[i].taken);
}

static void make_room(pim_sim_line *l, int64_t now)
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
	l->taken = realloc(l->taken, (size_t)l->room * sizeof *l->taken);
	if (!l->taken)
		PIM_BUG("no memory for %d messages on a link", l->room);
}

/* The first span that ends after `time`. */
static int find_span(const pim_sim_line *l, int64_t time)
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
static void add_span(pim_sim_line *l, int i, int64_t lo, int64_t hi)
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

/* Takes a line for `cycles`, from `head` on as soon as it is free for that long. */
static int64_t take_line(pim_sim_line *l, int64_t now, int64_t head, int64_t cycles)
{
	if (l->n == l->room)
		make_room(l, now);
	int i = find_span(l, head);
	for (; i < l->n && l->taken[i].lo - head < cycles; i++)
		head = later(head, l->taken[i].hi);
	add_span(l, i, head, head + cycles);
	return head;
}

/* Takes a line behind another one; gives what is behind it then. */
static pim_sim_head pass_line(pim_sim *s, int line, pim_sim_head from, int64_t cycles, int64_t now)
{
	int64_t taken = take_line(s->line + line, now, from.head, cycles);
	int64_t waits = from.waits + taken - from.head, room = from.room + s->depth;
	int64_t left = later(from.left, taken + waits / 2 + cycles - room);
	return (pim_sim_head){taken, waits, room, left};
}

int64_t pim_sim_travel(
	pim_sim *s, const pim_sim_cast *k, const pim_sim_op *op, int64_t start, int64_t *arrival)
{
	const int *to = k->group ? s->p->group[k->group - 1].unit : &(int){(int)k->to};
	int64_t hop = s->t->network.hop_cycles, left = pim_sim_end(s, k->from, op, start);
	pim_sim_head source = {left - op->link, 0, 0, left};
	for (int i = 0; i < k->tree.n; i++) {
		pim_sim_head from = k->tree.before[i] < 0 ? source : s->head[k->tree.before[i]];
		s->head[i] = pass_line(s, k->tree.link[i], from, op->link, start);
		s->head[i].head += hop;
	}
	for (uint32_t i = 0; i < k->n; i++) {
		pim_sim_head from = k->tree.last[i] < 0 ? source : s->head[k->tree.last[i]];
		from = pass_line(s, pim_network_links(s->t) + to[i], from, op->link, start);
		arrival[i] = from.head + from.waits / 2 + op->link;
		left = later(left, from.left);
	}
	return left;
}
