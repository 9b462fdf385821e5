/* SPDX-License-Identifier: Apache-2.0 */
/* sim_units.c - when each message leaves its unit and when it arrives.
 *
 * Units and network run together, in order of time: a message starts when its unit's send does, and
 * what waits for it goes on when it has come. Each engine has a place of its own in the stream, so
 * a send is known when all it waits for is, whatever stands before it and still waits: no message
 * starts in the past of another. The network is that of flows.c, message by message, or the routers
 * of flit.c; on buses the links of links.c, which know at once when a message will be there. In all
 * of them a send holds its engine until its last byte is in the network, so a full network holds up
 * the unit.
 *
 * The simulator then runs each unit in program order with these times (sim.c): values, checks and
 * reports need not know how they were found. */
#include <stdlib.h>

#include "ir/array.h"
#include "targets/flows.h"
#include "targets/sim_turns.h"

/* How far one engine is in its unit's stream, as it runs. */
typedef struct cursor {
	uint32_t pc;
	int depth;
	int64_t round[PIM_MAX_REPEAT];
	int64_t n, free; /* commands before it; when the engine is free */
} cursor;

typedef struct unit_run {
	cursor engine[PIM_ENGINE_COUNT];
	int64_t *end;			   /* of commands, -1: not known; by number and mask */
	int64_t mask, high, limit; /* numbers below high were reached, up to limit there is room */
	int64_t farthest;		   /* that a command looks back */
	bool sending;
	bool asks[PIM_ENGINE_COUNT]; /* for its bank */
} unit_run;

typedef struct channel_run {
	int64_t sent, arrived, received; /* messages; arrived: all before it have too */
} channel_run;

/* A message under way in a network: its cast, and the indices of when it has left and, by
 * destination, when it is there. */
typedef struct flying {
	uint32_t cast, to_come;
	int64_t left, *arrival;
} flying;

typedef struct trips_run {
	pim_sim *s;
	pim_flit *flits;	 /* the network; NULL: */
	pim_flows *flows;	 /* this one; NULL: the links of the simulator */
	pim_sim_turns turns; /* of banks; grid NULL: there are none */
	unit_run *unit;
	channel_run *channel;
	int64_t *cast;	  /* messages of each */
	int64_t *arrival; /* by destination of a message */
	int64_t room_flying;
	flying *flying; /* by message of the network */
} trips_run;

/* ---- ends of commands ---- */

static int64_t find_low(const unit_run *u)
{
	int64_t low = INT64_MAX;
	for (int e = 0; e < PIM_ENGINE_COUNT; e++)
		low = u->engine[e].n < low ? u->engine[e].n : low;
	return low - u->farthest;
}

static void widen_ends(unit_run *u, int64_t low)
{
	int64_t room = 2 * (u->mask + 1), *end = pim_array_raw(room, sizeof *end);
	for (int64_t n = low > 0 ? low : 0; n < u->high; n++)
		end[n & (room - 1)] = u->end[n & u->mask];
	free(u->end);
	u->end = end;
	u->mask = room - 1;
}

/* Makes a place for the end of command n. */
static void reach(unit_run *u, int64_t n)
{
	for (; u->high <= n; u->high++) {
		if (u->high == u->limit) {
			int64_t low = find_low(u);
			if (u->high > low + u->mask / 2)
				widen_ends(u, low);
			u->limit = low + u->mask + 1;
		}
		u->end[u->high & u->mask] = -1;
	}
}

/* Moves a cursor on to the next command of its engine; false at the end of the stream. */
static bool find_command(const pim_sim_op *ops, cursor *c, int engine)
{
	for (;;) {
		const pim_sim_op *op = ops + c->pc;
		switch ((pim_sim_kind)op->kind) {
		case PIM_SIM_repeat:
			c->round[c->depth] = 0;
			c->depth += op->link > 0;
			c->pc = op->link > 0 ? c->pc + 1 : op->other + 1;
			break;
		case PIM_SIM_end:
			if (++c->round[c->depth - 1] < op->link) {
				c->pc = op->other + 1;
			} else {
				c->depth--;
				c->pc++;
			}
			break;
		case PIM_SIM_stop:
			c->n = INT64_MAX;
			return false;
		default:
			if (op->engine == engine)
				return true;
			c->pc++;
			c->n++;
		}
	}
}

/* When the command at a cursor can start; -1: what it waits for is not known yet. */
static int64_t find_start(const trips_run *r, uint32_t unit, const pim_sim_op *op, const cursor *c)
{
	unit_run *u = r->unit + unit;
	int64_t start = pim_max(c->n * r->s->t->command_cycles, c->free);
	reach(u, c->n);
	for (int i = 0; i < op->n_after && op->after[i] <= c->n; i++) {
		int64_t end = u->end[(c->n - op->after[i]) & u->mask];
		if (end < 0)
			return -1;
		start = pim_max(start, end);
	}
	return start;
}

static void finish(unit_run *u, cursor *c, int64_t end)
{
	u->end[c->n & u->mask] = end;
	c->free = end;
	c->pc++;
	c->n++;
}

/* ---- engines ---- */

/* When a reception that could start has its message; -1: it has not arrived. */
static int64_t receive(trips_run *r, const pim_sim_op *op, int64_t start)
{
	channel_run *c = r->channel + op->other;
	if (c->received == c->arrived)
		return -1;
	int64_t at = r->s->channel[op->other].sent + c->received++;
	return pim_max(start, r->s->arrival[at]);
}

static void ask(trips_run *r, uint32_t unit, int engine, const pim_sim_op *op, int64_t time)
{
	r->unit[unit].asks[engine] = true;
	pim_sim_turn_kind kind = op->lockstep ? PIM_SIM_meets : PIM_SIM_begins;
	const pim_command *c = r->s->p->stream[unit].command + (op - r->s->unit[unit].op);
	int64_t commands = op->lockstep ? pim_sim_bank_commands(r->s, c) : 0;
	pim_sim_turns_ask(
		&r->turns, (pim_sim_turn){time, op->slots, unit, (uint8_t)engine, (uint8_t)kind, commands});
}

/* Runs an engine as far as is known. True: something was done. */
static bool run_engine(trips_run *r, uint32_t number, int engine)
{
	unit_run *u = r->unit + number;
	pim_sim_unit *unit = r->s->unit + number;
	cursor *c = u->engine + engine;
	bool any = false;
	if ((engine == PIM_ENGINE_out && u->sending) || u->asks[engine])
		return false;
	while (c->n < INT64_MAX && find_command(unit->op, c, engine)) {
		const pim_sim_op *op = unit->op + c->pc;
		int64_t start = find_start(r, number, op, c);
		if (start < 0)
			return any;
		if (op->kind == PIM_SIM_recv)
			start = receive(r, op, start);
		if (start < 0)
			return any;
		if (r->turns.grid) {
			ask(r, number, engine, op, start);
			return true;
		}
		if (op->kind == PIM_SIM_send) {
			unit->start = start;
			u->sending = true;
			pim_sim_push(r->s, number);
			return true;
		}
		finish(u, c, start + op->cycles);
		any = true;
	}
	return any;
}

static void run_unit(trips_run *r, uint32_t number)
{
	for (bool any = true; any;) {
		any = false;
		for (int e = 0; e < PIM_ENGINE_COUNT; e++)
			any |= run_engine(r, number, e);
	}
}

/* ---- messages ---- */

static void leave(trips_run *r, uint32_t from, int64_t left, int64_t time)
{
	unit_run *u = r->unit + from;
	r->s->left[left] = time;
	u->sending = false;
	finish(u, u->engine + PIM_ENGINE_out, time);
	run_unit(r, from);
}

/* Messages of a pair of units are received in order: one that has overtaken another waits. */
static void hand_over(trips_run *r, uint32_t channel)
{
	channel_run *c = r->channel + channel;
	const int64_t *all = r->s->arrival + r->s->channel[channel].sent;
	int64_t before = c->arrived;
	while (c->arrived < c->sent && all[c->arrived])
		c->arrived++;
	if (c->arrived > before)
		run_unit(r, r->s->channel[channel].to);
}

static int64_t next_arrival(trips_run *r, uint32_t channel)
{
	return r->s->channel[channel].sent + r->channel[channel].sent++;
}

/* The command that an engine of a unit is at. */
static const pim_sim_op *find_op(const trips_run *r, uint32_t unit, uint32_t engine)
{
	return r->s->unit[unit].op + r->unit[unit].engine[engine].pc;
}

static void send_over_links(trips_run *r, uint32_t unit)
{
	const pim_sim_op *op = find_op(r, unit, PIM_ENGINE_out);
	const pim_sim_cast *k = r->s->cast + op->other;
	const int *to = k->group ? r->s->p->group[k->group - 1].unit : &(int){(int)k->to};
	int64_t start = r->s->unit[unit].start;
	int64_t cycles = pim_sim_end(r->s, unit, op, start) - start;
	pim_trip m = {&k->tree, (int)k->n, to, start, cycles, op->link, start};
	int64_t left = pim_links_travel(r->s->links, &m, r->arrival);
	for (uint32_t i = 0; i < k->n; i++)
		r->s->arrival[next_arrival(r, k->channel[i])] = r->arrival[i];
	leave(r, unit, k->sent + r->cast[op->other]++, left);
	for (uint32_t i = 0; i < k->n; i++)
		hand_over(r, k->channel[i]);
}

static void keep_flying(trips_run *r, uint32_t message, flying m)
{
	r->flying =
		pim_array_reserve(r->flying, (int64_t)message + 1, &r->room_flying, sizeof *r->flying);
	r->flying[message] = m;
}

static void send_through(trips_run *r)
{
	uint32_t unit = pim_sim_pop(r->s);
	const pim_sim_op *op = find_op(r, unit, PIM_ENGINE_out);
	const pim_sim_cast *k = r->s->cast + op->other;
	const int *to = k->group ? r->s->p->group[k->group - 1].unit : &(int){(int)k->to};
	flying m = {
		op->other, k->n, k->sent + r->cast[op->other]++, pim_array_raw(k->n, sizeof *m.arrival)};
	for (uint32_t i = 0; i < k->n; i++)
		m.arrival[i] = next_arrival(r, k->channel[i]);
	int64_t first = pim_sim_end(r->s, unit, op, r->s->unit[unit].start) - op->link;
	pim_flit_message sent = {(int)unit, (int)k->n, to, &k->tree, op->link, first};
	uint32_t number = r->flits ? pim_flit_post(r->flits, &sent) : pim_flows_post(r->flows, &sent);
	keep_flying(r, number, m);
}

static void take_event(trips_run *r, const pim_flit_event *e)
{
	flying *m = r->flying + e->message;
	const pim_sim_cast *k = r->s->cast + m->cast;
	if (e->kind == PIM_FLIT_left) {
		leave(r, k->from, m->left, e->time);
		return;
	}
	uint32_t channel = k->channel[e->destination];
	r->s->arrival[m->arrival[e->destination]] = e->time;
	if (--m->to_come == 0)
		free(m->arrival);
	hand_over(r, channel);
}

static int64_t find_next(const trips_run *r)
{
	return r->flits ? pim_flit_next(r->flits) : pim_flows_next(r->flows);
}

/* What the network does next. */
static void run_network(trips_run *r, int64_t now)
{
	const pim_flit_event *event;
	int n;
	if (r->flits) {
		pim_flit_cycle(r->flits, now);
		n = pim_flit_events(r->flits, &event);
	} else {
		pim_flows_step(r->flows);
		n = pim_flows_events(r->flows, &event);
	}
	for (int i = 0; i < n; i++)
		take_event(r, event + i);
}

static void run_through(trips_run *r)
{
	pim_sim *s = r->s;
	for (;;) {
		int64_t now = find_next(r);
		if (s->n_heap && s->unit[s->heap[0]].start <= now)
			send_through(r);
		else if (now == INT64_MAX)
			return;
		else
			run_network(r, now);
	}
}

/* The command that an engine asked for begins, or is at its end. */
static void take_turn(trips_run *r, const pim_sim_turn *turn)
{
	unit_run *u = r->unit + turn->unit;
	cursor *c = u->engine + turn->engine;
	const pim_sim_op *op = find_op(r, turn->unit, turn->engine);
	pim_sim_span *span = pim_sim_turns_span(r->s->unit + turn->unit, c->n);
	if (turn->kind == PIM_SIM_begins)
		*span = (pim_sim_span){turn->time, pim_sim_end(r->s, turn->unit, op, turn->time), 0};
	if (turn->kind == PIM_SIM_begins && op->lockstep)
		span->met = r->turns.lockstep[turn->unit / r->turns.grid->banks].time;
	if (op->engine == PIM_ENGINE_rows && turn->kind == PIM_SIM_begins &&
		(op->slots || op->lockstep))
		return;
	u->asks[turn->engine] = false;
	if (op->kind == PIM_SIM_send) {
		r->s->unit[turn->unit].start = turn->time;
		u->sending = true;
		send_over_links(r, turn->unit);
		return;
	}
	if (turn->kind == PIM_SIM_ends)
		span->end = turn->time;
	finish(u, c, span->end);
	run_unit(r, turn->unit);
}

static void run(trips_run *r)
{
	for (int i = 0; i < r->s->n_units; i++)
		run_unit(r, (uint32_t)i);
	if (r->flits || r->flows)
		run_through(r);
	while (r->s->n_heap)
		send_over_links(r, pim_sim_pop(r->s));
	for (pim_sim_turn turn; r->turns.grid && pim_sim_turns_next(&r->turns, &turn);)
		take_turn(r, &turn);
}

/* ---- the run ---- */

static void start_unit(unit_run *u, const pim_sim_unit *unit)
{
	u->farthest = (int64_t)unit->mask + 1;
	u->mask = 4 * u->farthest - 1; /* a power of two less one */
	u->end = pim_array_raw(u->mask + 1, sizeof *u->end);
}

static void make_times(pim_sim *s, trips_run *r)
{
	int64_t sent = 0, received = 0;
	uint32_t most = 1;
	for (uint32_t i = 0; i < s->n_casts; i++) {
		s->cast[i].sent = sent;
		sent += s->cast[i].posted;
		most = s->cast[i].n > most ? s->cast[i].n : most;
	}
	for (uint32_t i = 0; i < s->n_channels; i++) {
		s->channel[i].sent = received;
		received += s->channel[i].posted;
	}
	s->left = PIM_NEW(s->arena, int64_t, sent + 1);
	s->arrival = PIM_NEW(s->arena, int64_t, received + 1);
	r->unit = PIM_NEW(s->arena, unit_run, s->n_units);
	r->channel = PIM_NEW(s->arena, channel_run, s->n_channels + 1);
	r->cast = PIM_NEW(s->arena, int64_t, s->n_casts + 1);
	r->arrival = PIM_NEW(s->arena, int64_t, most);
}

static bool check_network(const pim_sim *s)
{
	enum { LONGEST_HOP = 4096 };
	if (s->t->network.topology == PIM_TOPOLOGY_bus)
		return pim_file_error(s->context, s->o->path,
			"the units of %s are on buses; flits are simulated on meshes and tori", s->t->name);
	if (s->t->network.hop_cycles <= LONGEST_HOP)
		return true;
	return pim_file_error(s->context, s->o->path,
		"a hop of %s takes %lld cycles; flits are simulated with hops of at most %d", s->t->name,
		(long long)s->t->network.hop_cycles, (int)LONGEST_HOP);
}

/* Banks that wait at an all-bank kernel wait for ever when one of their channel does not come. */
static bool check_met(const trips_run *r)
{
	int banks = r->turns.grid ? (int)r->turns.grid->banks : r->s->n_units;
	int waits = -1, missing = -1;
	for (int u = 0; u < r->s->n_units && (waits < 0 || missing < 0); u++) {
		if (u % banks == 0)
			waits = missing = -1;
		if (!r->turns.grid || !r->turns.lockstep[u / banks].there)
			continue;
		if (r->unit[u].asks[PIM_ENGINE_rows])
			waits = u;
		else
			missing = u;
	}
	return waits < 0 || missing < 0 ||
		   pim_sim_error(r->s, r->s->unit + waits, r->unit[waits].engine[PIM_ENGINE_rows].pc,
			   "deadlock: unit %d, of the same channel, never comes to its all-bank kernel",
			   missing);
}

bool pim_sim_trips(pim_sim *s)
{
	bool flits = s->o->network == PIM_SIM_flits;
	if (flits && !check_network(s))
		return false;
	trips_run r = {.s = s};
	pim_flit_shape shape = {PIM_FLIT_LANES, PIM_FLIT_DEPTH};
	if (flits)
		r.flits = pim_flit_new(s->t, shape);
	else if (!s->links)
		r.flows = pim_flows_new(s->t, shape);
	if (s->bank)
		pim_sim_turns_new(s, &r.turns);
	make_times(s, &r);
	for (int i = 0; i < s->n_units; i++)
		start_unit(r.unit + i, s->unit + i);
	run(&r);
	bool met = check_met(&r);
	s->report->bank.bus_commands += r.turns.bus_commands;
	for (int i = 0; i < s->n_units; i++)
		free(r.unit[i].end);
	free(r.flying);
	if (r.flits)
		pim_flit_free(r.flits);
	if (r.flows)
		pim_flows_free(r.flows);
	return met;
}
