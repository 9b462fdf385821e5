/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - when each command is expected to run, as it is written.
 *
 * A command begins when it is issued, its engine has done what stands before it, and what it waits
 * for is complete; it then works for as long as the target's cost functions say. Messages wait
 * until somebody asks when they are complete, at the latest at the end of their op; then those that
 * were written go in the order of their start, each along the links of its route behind and between
 * those before it (targets/links.h). So the estimate of an op knows what the schedule cannot: the
 * units and their links, what else they carry, the turns in which engines take their commands,
 * barriers. It is found in one walk in the order of writing; the simulator, which takes everything
 * in order of time, is what it is compared with: messages of one op that leave before those of an
 * op written earlier are all that the walk gets wrong. Cost: a few steps for each command, and for
 * each link of a route. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/links.h"
#include "targets/tile/tile.h"

/* A send or reception that was written and has no time yet. */
typedef struct post {
	uint32_t task;
	int unit;
	int64_t number;		   /* among the commands of its unit */
	int64_t after;		   /* when it has all it waits for on its unit */
	int64_t cycles, bytes; /* that its engine works; of the message */
	uint32_t to;		   /* of a send: a unit, or a group where `group` */
	bool group, receives;
	int64_t next; /* of a send: the next one of its unit */
	int64_t slot; /* where it is noted when the message is there; of a send: the first */
} post;

typedef struct unit_clock {
	int64_t free[PIM_ENGINE_COUNT];
	int64_t n, room, *end; /* of its commands; PENDING: not known yet */
	int64_t to_send, sent; /* posts: the next one, and the last */
	int64_t start;		   /* of the next one */
} unit_clock;

struct pim_clock {
	pim_links *links;
	pim_tree tree;						/* of the routes of one message */
	int *entry, *route;					/* to make it; entry is clear between two */
	int64_t n_slots, room_slots, *slot; /* by destination of a message: when it is there */
	int64_t *incoming; /* by unit: slot of the message written last to it; NONE: it has its time, */
	int64_t *arrived;  /* this one */
	unit_clock *unit;
	int64_t n, room; /* posts */
	post *post;
	int n_heap, *heap; /* units that have something to send; the earliest first */
	int64_t since;	   /* no message that goes now starts earlier */
};

enum { PENDING = -1, NONE = -1 };

pim_clock *pim_clock_new(const pim_target *t)
{
	pim_clock *c = pim_array_new(1, sizeof *c);
	int units = t->units, links = pim_network_tree_links(t) + 1;
	c->links = pim_links_new(t);
	c->incoming = pim_array_new(units, sizeof *c->incoming);
	c->arrived = pim_array_new(units, sizeof *c->arrived);
	c->entry = pim_array_new(pim_network_links(t), sizeof *c->entry);
	c->route = pim_array_new(pim_network_diameter(t) + 1, sizeof *c->route);
	c->tree.link = pim_array_new(links, sizeof *c->tree.link);
	c->tree.before = pim_array_new(links, sizeof *c->tree.before);
	c->tree.last = pim_array_new(units, sizeof *c->tree.last);
	c->unit = pim_array_new(units, sizeof *c->unit);
	c->heap = pim_array_new(units, sizeof *c->heap);
	for (int i = 0; i < units; i++)
		c->unit[i].to_send = c->unit[i].sent = c->incoming[i] = NONE;
	return c;
}

void pim_clock_free(pim_clock *c, const pim_target *t)
{
	for (int i = 0; i < t->units; i++)
		free(c->unit[i].end);
	pim_links_free(c->links);
	free(c->heap);
	free(c->post);
	free(c->unit);
	free(c->tree.last);
	free(c->tree.before);
	free(c->tree.link);
	free(c->route);
	free(c->entry);
	free(c->slot);
	free(c->incoming);
	free(c->arrived);
	free(c);
}

/* ---- times that are found ---- */

/* No time is later, so that what messages take on their way can still be added. */
static const int64_t forever = INT64_MAX / 4;

static int64_t sum_of(int64_t a, int64_t b)
{
	int64_t sum;
	return pim_add(a, b, &sum) && sum < forever ? sum : forever;
}

static void note_end(pim_lowering *l, uint32_t task, int64_t start, int64_t end)
{
	pim_task *t = &l->program->task[task];
	t->start = start < t->start ? start : t->start;
	t->cycles = pim_max(t->cycles, end);
}

static void add_end(unit_clock *u, int64_t end)
{
	u->end = pim_array_grow(u->end, u->n, &u->room, sizeof *u->end);
	u->end[u->n++] = end;
}

/* ---- messages, in order of their start ---- */

static bool goes_before(const pim_clock *c, int a, int b)
{
	int64_t x = c->unit[a].start, y = c->unit[b].start;
	return x < y || (x == y && a < b);
}

/* Moves the unit at place i of the heap down to where it belongs. */
static void sink(pim_clock *c, int i)
{
	int unit = c->heap[i];
	for (int child = 2 * i + 1; child < c->n_heap; child = 2 * i + 1) {
		if (child + 1 < c->n_heap && goes_before(c, c->heap[child + 1], c->heap[child]))
			child++;
		if (!goes_before(c, c->heap[child], unit))
			break;
		c->heap[i] = c->heap[child];
		i = child;
	}
	c->heap[i] = unit;
}

static void find_start(pim_clock *c, int unit)
{
	unit_clock *u = &c->unit[unit];
	u->start = pim_max(c->post[u->to_send].after, u->free[PIM_ENGINE_out]);
}

/* Sends what the unit has to send next. */
static void send(pim_lowering *l, int unit)
{
	pim_clock *c = l->clock;
	unit_clock *u = &c->unit[unit];
	post *p = &c->post[u->to_send];
	pim_group one = {1, &(int){(int)p->to}};
	const pim_group *to = p->group ? &l->program->group[p->to] : &one;
	int64_t link = pim_target_link_cycles(l->target, p->bytes);
	pim_network_tree_fill(l->target, unit, to->n, to->unit, &c->tree, c->entry, c->route);
	pim_trip m = {&c->tree, to->n, to->unit, u->start, pim_max(p->cycles, link), link, c->since};
	int64_t left = pim_links_travel(c->links, &m, c->slot + p->slot);
	u->end[p->number] = u->free[PIM_ENGINE_out] = left;
	note_end(l, p->task, u->start, left);
	u->to_send = p->next;
}

/* Receptions of a unit in the order of writing, each when its message is there. */
static void receive(pim_lowering *l, const post *p)
{
	unit_clock *u = &l->clock->unit[p->unit];
	int64_t there = p->slot == NONE ? l->clock->arrived[p->unit] : l->clock->slot[p->slot];
	int64_t start = pim_max(pim_max(p->after, u->free[PIM_ENGINE_in]), there);
	int64_t end = sum_of(start, p->cycles);
	u->end[p->number] = u->free[PIM_ENGINE_in] = end;
	note_end(l, p->task, start, end);
}

void pim_clock_settle(pim_lowering *l)
{
	pim_clock *c = l->clock;
	if (!c->n)
		return;
	c->n_heap = 0;
	for (int i = 0; i < l->target->units; i++)
		if (c->unit[i].to_send != NONE) {
			find_start(c, i);
			c->heap[c->n_heap++] = i;
		}
	for (int i = c->n_heap / 2 - 1; i >= 0; i--)
		sink(c, i);
	c->since = c->n_heap ? c->unit[c->heap[0]].start : 0;
	while (c->n_heap) {
		int unit = c->heap[0];
		send(l, unit);
		if (c->unit[unit].to_send == NONE)
			c->heap[0] = c->heap[--c->n_heap];
		else
			find_start(c, unit);
		if (c->n_heap)
			sink(c, 0);
	}
	for (int64_t i = 0; i < c->n; i++)
		if (c->post[i].receives)
			receive(l, &c->post[i]);
	for (int i = 0; i < l->target->units; i++) {
		c->unit[i].to_send = c->unit[i].sent = NONE;
		if (c->incoming[i] != NONE)
			c->arrived[i] = c->slot[c->incoming[i]];
		c->incoming[i] = NONE;
	}
	c->n = c->n_slots = 0;
}

static void add_slots(pim_lowering *l, const post *p)
{
	pim_clock *c = l->clock;
	pim_group one = {1, &(int){(int)p->to}};
	const pim_group *to = p->group ? &l->program->group[p->to] : &one;
	c->slot = pim_array_reserve(c->slot, c->n_slots + to->n, &c->room_slots, sizeof *c->slot);
	for (int i = 0; i < to->n; i++)
		c->incoming[to->unit[i]] = c->n_slots++;
}

static void add_post(
	pim_lowering *l, int unit, const pim_command *k, int64_t after, int64_t cycles, int64_t bytes)
{
	pim_clock *c = l->clock;
	unit_clock *u = &c->unit[unit];
	c->post = pim_array_grow(c->post, c->n, &c->room, sizeof *c->post);
	post *p = &c->post[c->n];
	*p = (post){.task = k->task,
		.unit = unit,
		.number = u->n,
		.after = after,
		.cycles = cycles,
		.bytes = bytes,
		.to = k->unit,
		.group = k->code == PIM_COMMAND_multicast,
		.receives = pim_command_receives(k->code),
		.next = NONE};
	if (p->receives) {
		p->slot = c->incoming[unit];
		c->incoming[unit] = NONE;
	} else {
		p->slot = c->n_slots;
		add_slots(l, p);
		*(u->sent == NONE ? &u->to_send : &c->post[u->sent].next) = c->n;
		u->sent = c->n;
	}
	c->n++;
	add_end(u, PENDING);
}

/* ---- a command ---- */

/* When all that the next command of a unit waits for is complete, and it is issued; PENDING: not
 * known yet. */
static int64_t find_after(const pim_lowering *l, const unit_clock *u, const pim_command *c)
{
	int64_t after = u->n * l->target->command_cycles;
	for (int i = 0; i < PIM_MAX_AFTER && c->after[i]; i++) {
		int64_t end = u->end[u->n - c->after[i]];
		if (end == PENDING)
			return PENDING;
		after = pim_max(after, end);
	}
	return after;
}

void pim_clock_command(pim_lowering *l, int unit, const pim_command *c)
{
	const pim_program *p = l->program;
	unit_clock *u = &l->clock->unit[unit];
	pim_engine engine = pim_command_at(c->code)->engine;
	int64_t after = find_after(l, u, c);
	if (after == PENDING) {
		pim_clock_settle(l);
		after = find_after(l, u, c);
	}
	int64_t cycles = pim_command_cycles(p, c, pim_command_refs(&p->stream[unit], c));
	if (pim_command_posts(c->code) || pim_command_receives(c->code)) {
		add_post(l, unit, c, after, cycles, c->n_refs ? pim_command_bytes(p, c, 0) : 0);
		return;
	}
	int64_t start = pim_max(after, u->free[engine]), end = sum_of(start, cycles);
	u->free[engine] = end;
	add_end(u, end);
	note_end(l, c->task, start, end);
}
