/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - when each command is expected to run, while others are written.
 *
 * A command begins when it is issued, its engine has done what stands before it, and what it waits
 * for is complete; it then works for as long as the target's cost functions say. So the estimate of
 * an op knows what the schedule cannot: the units and their links, what else they carry, the turns
 * in which engines take their commands, barriers.
 *
 * Times of messages are those of the network (targets/flows.h; on buses, targets/links.h), which
 * goes on in order of time, while commands come in order of writing. So it stays behind the
 * writing: commands that wait for a message have no time at first, and the network goes on when
 * more of them wait than the writing may be ahead, until half of them have theirs. A message that
 * is written after the time at which it would have started starts at the time reached: that is all
 * the walk gets wrong. No command waits for one that is written later (transfer.c), so the network
 * can always go on. Cost: a few steps for each command, and the network's. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/heap.h"
#include "targets/flows.h"
#include "targets/links.h"
#include "targets/tile/tile.h"

enum { PENDING = -1, NONE = -1 };

/* A command that has no time yet. */
typedef struct step {
	uint32_t next; /* how far behind it the next one of its engine stands; 0: nowhere */
	uint32_t task, after[PIM_MAX_AFTER];
} step;

typedef struct lane {
	int64_t free;		 /* when the engine has done all that has its time */
	int64_t first, last; /* command behind that; NONE: all have their time. The last command */
} lane;

/* A message: to a unit, or to a group. place: where it is noted when it is at its first unit. */
typedef struct post {
	uint32_t to;
	bool group;
	int64_t link, place; /* link: cycles that it takes each link */
} post;

typedef struct unit_clock {
	lane lane[PIM_ENGINE_COUNT];
	int64_t n, room, *end; /* of its commands; until that is known, -1 less those of its engine */
	int64_t mask, limit;   /* there is room for steps up to command `limit` */
	step *step;			   /* by number and mask */
	int64_t n_sent, room_sent, next_sent;
	post *sent;
	int64_t n_received, room_received, next_received, *received; /* places */
	int64_t incoming; /* place of the message written last to it */
	int64_t start;	  /* of what it sends next */
	bool sends;		  /* it waits in the heap, or to leave */
} unit_clock;

/* A message under way in the network, and of which unit. */
typedef struct flying {
	int unit;
	post post;
} flying;

struct pim_clock {
	pim_flows *flows;
	pim_links *links;	/* of buses; NULL elsewhere */
	pim_tree tree;		/* of the routes of one message */
	int *entry, *route; /* to make it; entry is clear between two */
	unit_clock *unit;
	int64_t ahead, waiting;						 /* commands that have no time yet: most, now */
	int64_t n_arrivals, room_arrivals, *arrival; /* by destination of each message; PENDING */
	int64_t room_flying;
	flying *flying;		   /* by message of the network */
	int n_heap, *heap;	   /* units that have something to send; the earliest first */
	int64_t now, on_links; /* on_links: cycles of all messages so far */
};

pim_clock *pim_clock_new(const pim_target *t, int ahead)
{
	pim_clock *c = pim_array_new(1, sizeof *c);
	int units = t->units, links = pim_network_tree_links(t) + 1;
	c->ahead = (int64_t)ahead * units;
	if (t->network.topology == PIM_TOPOLOGY_bus)
		c->links = pim_links_new(t);
	else
		c->flows = pim_flows_new(t, (pim_flit_shape){PIM_FLIT_LANES, PIM_FLIT_DEPTH});
	c->entry = pim_array_new(pim_network_links(t), sizeof *c->entry);
	c->route = pim_array_new(pim_network_diameter(t) + 1, sizeof *c->route);
	c->tree.link = pim_array_new(links, sizeof *c->tree.link);
	c->tree.before = pim_array_new(links, sizeof *c->tree.before);
	c->tree.last = pim_array_new(units, sizeof *c->tree.last);
	c->unit = pim_array_new(units, sizeof *c->unit);
	c->heap = pim_array_new(units, sizeof *c->heap);
	for (int i = 0; i < units; i++)
		for (int e = 0; e < PIM_ENGINE_COUNT; e++)
			c->unit[i].lane[e].first = NONE;
	return c;
}

void pim_clock_free(pim_clock *c, const pim_target *t)
{
	for (int i = 0; i < t->units; i++) {
		free(c->unit[i].end);
		free(c->unit[i].step);
		free(c->unit[i].sent);
		free(c->unit[i].received);
	}
	pim_links_free(c->links);
	if (c->flows)
		pim_flows_free(c->flows);
	free(c->heap);
	free(c->unit);
	free(c->tree.last);
	free(c->tree.before);
	free(c->tree.link);
	free(c->route);
	free(c->entry);
	free(c->arrival);
	free(c->flying);
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

/* When a command of a unit is issued and all that it waits for is complete; PENDING: not known. */
static int64_t find_after(const pim_lowering *l, const unit_clock *u, int64_t number)
{
	int64_t time = number * l->target->command_cycles;
	const uint32_t *after = u->step[number & u->mask].after;
	for (int i = 0; i < PIM_MAX_AFTER && after[i]; i++) {
		int64_t end = u->end[number - after[i]];
		if (end < 0)
			return PENDING;
		time = pim_max(time, end);
	}
	return time;
}

/* ---- units that can send, by when ---- */

static bool goes_before(const pim_clock *c, int a, int b)
{
	int64_t x = c->unit[a].start, y = c->unit[b].start;
	return x < y || (x == y && a < b);
}

PIM_HEAP(sender, const pim_clock *, int, goes_before, PIM_HEAP_PUT)

/* ---- engines ---- */

/* The command that an engine is at has its time. */
static void end_command(pim_lowering *l, int unit, lane *engine, int64_t start, int64_t end)
{
	unit_clock *u = &l->clock->unit[unit];
	const step *s = &u->step[engine->first & u->mask];
	note_end(l, s->task, start, end);
	u->end[engine->first] = engine->free = end;
	engine->first = s->next ? engine->first + s->next : NONE;
	l->clock->waiting--;
}

/* Runs an engine as far as is known. True: something was done. */
static bool run_engine(pim_lowering *l, int unit, pim_engine number)
{
	pim_clock *c = l->clock;
	unit_clock *u = &c->unit[unit];
	lane *engine = &u->lane[number];
	bool any = false;
	while (engine->first != NONE && !(number == PIM_ENGINE_out && u->sends)) {
		int64_t start = find_after(l, u, engine->first);
		if (start == PENDING)
			return any;
		start = pim_max(start, engine->free);
		if (number == PIM_ENGINE_out) {
			u->sends = true;
			u->start = start;
			sender_lift(c, c->heap, c->n_heap++, unit);
			return true;
		}
		if (number == PIM_ENGINE_in) {
			int64_t there = c->arrival[u->received[u->next_received]];
			if (there == PENDING)
				return any;
			start = pim_max(start, there);
			u->next_received++;
		}
		any = true;
		end_command(l, unit, engine, start, sum_of(start, -1 - u->end[engine->first]));
	}
	return any;
}

static void run_unit(pim_lowering *l, int unit)
{
	for (bool any = true; any;) {
		any = false;
		for (int e = 0; e < PIM_ENGINE_COUNT; e++)
			any |= run_engine(l, unit, (pim_engine)e);
	}
}

/* ---- messages ---- */

static void leave(pim_lowering *l, int unit, int64_t left)
{
	unit_clock *u = &l->clock->unit[unit];
	u->sends = false;
	u->next_sent++;
	end_command(l, unit, &u->lane[PIM_ENGINE_out], u->start, left);
	run_unit(l, unit);
}

/* The units of a message. */
static pim_group units_of(const pim_lowering *l, const post *p, const int *unit)
{
	return p->group ? l->program->group[p->to] : (pim_group){1, unit};
}

/* Sends what a unit has to send next. */
static void send(pim_lowering *l, int unit)
{
	pim_clock *c = l->clock;
	unit_clock *u = &c->unit[unit];
	post p = u->sent[u->next_sent];
	pim_group to = units_of(l, &p, &(int){(int)p.to});
	int64_t cycles = pim_max(-1 - u->end[u->lane[PIM_ENGINE_out].first], p.link);
	pim_network_tree_fill(l->target, unit, to.n, to.unit, &c->tree, c->entry, c->route);
	if (c->flows) {
		int64_t first = pim_max(sum_of(u->start, cycles - p.link), c->now);
		pim_flit_message m = {unit, to.n, to.unit, &c->tree, p.link, first};
		int64_t message = pim_flows_post(c->flows, &m);
		c->flying = pim_array_reserve(c->flying, message + 1, &c->room_flying, sizeof *c->flying);
		c->flying[message] = (flying){unit, p};
		return;
	}
	u->start = c->now = pim_max(u->start, c->now);
	cycles = pim_max(p.link, sum_of(u->start, cycles) - u->start);
	pim_trip m = {&c->tree, to.n, to.unit, u->start, cycles, p.link, u->start};
	leave(l, unit, pim_links_travel(c->links, &m, c->arrival + p.place));
	for (int i = 0; i < to.n; i++)
		run_unit(l, to.unit[i]);
}

static void take_event(pim_lowering *l, const pim_flit_event *e)
{
	flying m = l->clock->flying[e->message];
	if (e->kind == PIM_FLIT_left) {
		leave(l, m.unit, e->time);
		return;
	}
	l->clock->arrival[m.post.place + e->destination] = e->time;
	run_unit(l, units_of(l, &m.post, &(int){(int)m.post.to}).unit[e->destination]);
}

/* Goes on in order of time until at most so many commands wait. */
static void go_on(pim_lowering *l, int64_t most)
{
	pim_clock *c = l->clock;
	while (c->waiting > most) {
		int64_t now = c->flows ? pim_flows_next(c->flows) : INT64_MAX;
		if (c->n_heap && c->unit[c->heap[0]].start <= now) {
			send(l, sender_pop(c, c->heap, c->n_heap--));
			continue;
		}
		const pim_flit_event *event;
		if (now == INT64_MAX)
			PIM_BUG("commands of @%s wait for each other", l->program->name);
		pim_flows_step(c->flows);
		c->now = now;
		int n = pim_flows_events(c->flows, &event);
		for (int i = 0; i < n; i++)
			take_event(l, event + i);
	}
}

/* ---- a command ---- */

/* That a message takes each link. The network sums up what shares a link: of all together there are
 * never so many that a time overflows. */
static int64_t link_cycles(const pim_lowering *l, const pim_command *k)
{
	const int64_t most = INT64_C(1) << 44;
	int64_t bytes = k->n_refs ? pim_command_bytes(l->program, k, 0) : 0;
	int64_t cycles = pim_target_link_cycles(l->target, bytes), left = most - l->clock->on_links;
	cycles = pim_max(1, pim_min(cycles, left));
	l->clock->on_links += cycles;
	return cycles;
}

static void add_post(pim_lowering *l, unit_clock *u, const pim_command *k)
{
	pim_clock *c = l->clock;
	post p = {k->unit, k->code == PIM_COMMAND_multicast, link_cycles(l, k), c->n_arrivals};
	pim_group to = units_of(l, &p, &(int){(int)p.to});
	u->sent = pim_array_grow(u->sent, u->n_sent, &u->room_sent, sizeof *u->sent);
	u->sent[u->n_sent++] = p;
	c->arrival =
		pim_array_reserve(c->arrival, c->n_arrivals + to.n, &c->room_arrivals, sizeof *c->arrival);
	for (int i = 0; i < to.n; i++) {
		c->unit[to.unit[i]].incoming = c->n_arrivals;
		c->arrival[c->n_arrivals++] = PENDING;
	}
}

static void add_reception(unit_clock *u)
{
	u->received =
		pim_array_grow(u->received, u->n_received, &u->room_received, sizeof *u->received);
	u->received[u->n_received++] = u->incoming;
}

/* The first command of a unit that has no time. */
static int64_t find_low(const unit_clock *u)
{
	int64_t low = u->n;
	for (int e = 0; e < PIM_ENGINE_COUNT; e++)
		if (u->lane[e].first != NONE)
			low = pim_min(low, u->lane[e].first);
	return low;
}

/* Room for one more step. */
static void make_room(unit_clock *u)
{
	int64_t low = find_low(u), room = u->step ? u->mask + 1 : 64;
	if (u->n - low > room / 2 || !u->step) {
		room *= u->step ? 2 : 1;
		step *wider = pim_array_raw(room, sizeof *wider);
		for (int64_t i = low; i < u->n; i++)
			wider[i & (room - 1)] = u->step[i & u->mask];
		free(u->step);
		u->step = wider;
		u->mask = room - 1;
	}
	u->limit = low + room;
}

static void add_step(unit_clock *u, lane *engine, const pim_command *k, int64_t cycles)
{
	if (u->n == u->limit)
		make_room(u);
	step *s = &u->step[u->n & u->mask];
	s->next = 0;
	s->task = k->task;
	memcpy(s->after, k->after, sizeof s->after);
	u->end = pim_array_grow(u->end, u->n, &u->room, sizeof *u->end);
	u->end[u->n] = -1 - cycles;
	if (engine->first == NONE)
		engine->first = u->n;
	else
		u->step[engine->last & u->mask].next = (uint32_t)(u->n - engine->last);
	engine->last = u->n++;
}

void pim_clock_command(pim_lowering *l, int unit, const pim_command *k)
{
	pim_clock *c = l->clock;
	unit_clock *u = &c->unit[unit];
	pim_engine number = pim_command_at(k->code)->engine;
	lane *engine = &u->lane[number];
	const pim_ref *refs = pim_command_refs(&l->program->stream[unit], k);
	add_step(u, engine, k, pim_command_cycles(l->program, k, refs));
	if (pim_command_posts(k->code))
		add_post(l, u, k);
	else if (pim_command_receives(k->code))
		add_reception(u);
	c->waiting++;
	if (engine->first == engine->last)
		run_engine(l, unit, number);
	if (c->waiting > c->ahead)
		go_on(l, c->ahead / 2);
}

void pim_clock_settle(pim_lowering *l)
{
	go_on(l, 0);
}
