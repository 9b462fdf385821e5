/* SPDX-License-Identifier: Apache-2.0 */
/* flit.c - one cycle of all routers that hold a flit.
 *
 * Nothing looks at routers that are empty, and cycles in which all is still are left out. What a
 * router may do stands in bit sets over its input lanes (port * lanes + lane), kept up to date
 * by what moves: a cycle of a router costs its moves and a few words. Links and credits take a
 * cycle at least, so the order in which routers are visited does not matter. */
#include "targets/flit.h"
#include "ir/array.h"

#include <stdlib.h>
#include <string.h>

enum { PORTS = 7, LOCAL = 6, COPIES = 16 };

typedef struct message {
	pim_flit_message m;
	int to_come;   /* destinations */
	int only;	   /* the destination, where there is one */
	uint32_t next; /* of the free ones */
} message;

typedef struct router {
	uint64_t filled;	  /* input lanes that hold a flit */
	uint64_t able;		  /* input lanes with an output lane that has credit */
	uint64_t want[PORTS]; /* input lanes whose message wants an output lane of this port */
	uint64_t taken;		  /* output lanes that a message has */
	uint32_t waiting;	  /* messages with branches that wait for copies */
	uint32_t copies;	  /* in use */
	uint8_t lead_next[PORTS], in_next[PORTS], out_next[PORTS]; /* who is first, round robin */
	bool active;
	int beside[PORTS - 1]; /* routers */
	int at[3];
} router;

typedef struct lane {
	uint32_t first, count; /* of the flits in the buffer */
	int64_t passed;		   /* flits of the message at the front that have left */
	uint8_t out;		   /* its output lane */
	uint32_t forked;	   /* number of its branching; 0: it has an output lane */
	uint32_t copied;	   /* of a copy: the message */
} lane;

typedef struct out_lane {
	int credit;
	uint8_t owner; /* input lane */
} out_lane;

/* A message that leaves a router in several directions, while its flits come or branches wait. */
typedef struct branching {
	uint32_t message, copies;
	unsigned ports; /* of the branches that have no copy yet */
	int users;
	int64_t arrived; /* flits */
	uint32_t next;
} branching;

/* A flit on a link, or a credit on its way back: where it goes. */
typedef struct travel {
	int router;
	uint8_t lane;
	uint32_t message;
} travel;

typedef struct travels {
	int64_t n, room;
	travel *at;
} travels;

/* The message that a unit puts in. */
typedef struct source {
	uint32_t message;
	uint8_t lane;
	int64_t first, put; /* flits that are in the network */
} source;

struct pim_flit {
	const pim_target *t;
	int lanes, depth;
	int own, each; /* input lanes of a router: of ports; with its copies */
	int64_t hop, now;
	bool torus;
	router *router;
	lane *lane;
	out_lane *out;
	uint32_t *flit; /* buffers: the message of each flit */
	int n_active, *active;
	int n_sources, *sending; /* units with a source */
	source *source;
	travels *link, credit; /* link: by cycle of arrival modulo hop + 1 */
	int64_t under_way;
	uint32_t n_messages, free_message;
	uint32_t n_branching, free_branching;
	int64_t room_messages, room_branching;
	branching *branching;
	message *message;
	int n_events;
	int64_t room_events;
	pim_flit_event *event;
	int64_t moves, rest; /* cycles in which nothing moved */
	pim_flit_totals totals;
};

/* ---- routes ---- */

static int steps_along(const pim_flit *f, int d, int from, int to)
{
	int size = f->t->network.size[d], steps = to - from;
	if (!f->torus)
		return steps;
	int up = steps < 0 ? steps + size : steps;
	return up <= size - up ? up : up - size;
}

/* The port at which a message leaves router r. */
static int find_port(const pim_flit *f, const router *r, const message *m)
{
	const router *to = f->router + m->only;
	for (int d = 0; d < 3; d++) {
		int steps = steps_along(f, d, r->at[d], to->at[d]);
		if (steps)
			return 2 * d + (steps < 0);
	}
	return LOCAL;
}

/* Lanes of a port that a message may take from router r on: on a ring those of the second half
 * when the link is, or was before it, the one that closes the ring. */
static uint64_t find_lanes(const pim_flit *f, const router *r, const message *m, int port)
{
	uint64_t all = ((uint64_t)1 << f->lanes) - 1;
	if (!f->torus || port == LOCAL)
		return all;
	int start = f->router[m->m.from].at[port / 2];
	int end = f->router[r->beside[port]].at[port / 2];
	bool past = port % 2 ? end > start : end < start;
	uint64_t half = ((uint64_t)1 << f->lanes / 2) - 1;
	return past ? all & ~half : half;
}

static void find_neighbours(pim_flit *f, int unit)
{
	router *r = f->router + unit;
	const int *size = f->t->network.size;
	int stride = 1;
	for (int d = 0; d < 3; d++) {
		int at = r->at[d] = unit / stride % size[d];
		r->beside[2 * d] = unit + ((at + 1) % size[d] - at) * stride;
		r->beside[2 * d + 1] = unit + ((at + size[d] - 1) % size[d] - at) * stride;
		stride *= size[d];
	}
}

/* ---- lanes ---- */

/* The first set bit from `next` on, around; set is not empty. */
static int first_from(uint64_t set, int next)
{
	uint64_t behind = set >> next << next;
	return __builtin_ctzll(behind ? behind : set);
}

static uint32_t *flit_at(const pim_flit *f, int unit, int l, uint32_t i)
{
	size_t in = (size_t)unit * (size_t)f->each + (size_t)l;
	return f->flit + in * (size_t)f->depth + (f->lane[in].first + i) % (uint32_t)f->depth;
}

static lane *lane_at(const pim_flit *f, int unit, int l)
{
	return f->lane + (size_t)unit * (size_t)f->each + l;
}

/* The message at the front of a lane. */
static uint32_t front(const pim_flit *f, int unit, int l)
{
	return l < f->own ? *flit_at(f, unit, l, 0) : lane_at(f, unit, l)->copied;
}

static void add_travel(travels *t, travel v)
{
	t->at = pim_array_grow(t->at, t->n, &t->room, sizeof *t->at);
	t->at[t->n++] = v;
}

/* A place in the buffer of an input lane is free again. */
static void give_credit(pim_flit *f, int unit, int l)
{
	int port = l / f->lanes;
	if (port != LOCAL)
		add_travel(&f->credit, (travel){f->router[unit].beside[port ^ 1], (uint8_t)l, 0});
}

/* ---- forks ---- */

/* The ports at which a message leaves a router. */
static unsigned find_ports(const pim_flit *f, int unit, const message *m)
{
	if (m->m.n == 1)
		return 1u << find_port(f, f->router + unit, m);
	unsigned ports = 0;
	for (int i = 0; i < m->m.tree->n; i++)
		if (m->m.tree->link[i] / LOCAL == unit)
			ports |= 1u << m->m.tree->link[i] % LOCAL;
	for (int i = 0; i < m->m.n; i++)
		if (m->m.to[i] == unit)
			ports |= 1u << LOCAL;
	return ports;
}

static void want_port(pim_flit *f, int unit, int l);

/* Number 0 is none. */
static uint32_t new_branching(pim_flit *f)
{
	uint32_t i = f->free_branching;
	if (i) {
		f->free_branching = f->branching[i].next;
		return i;
	}
	f->branching = pim_array_reserve(
		f->branching, (int64_t)f->n_branching + 2, &f->room_branching, sizeof *f->branching);
	return ++f->n_branching;
}

/* Once all flits have come, and once the last branch has started if that had to wait. */
static void give_branching(pim_flit *f, uint32_t i)
{
	if (--f->branching[i].users)
		return;
	f->branching[i].next = f->free_branching;
	f->free_branching = i;
}

/* The branches of a message take a flit of lane l. */
static void copy_flit(pim_flit *f, int unit, int l)
{
	lane *in = lane_at(f, unit, l);
	branching *b = f->branching + in->forked;
	b->arrived++;
	for (uint32_t left = b->copies; left; left &= left - 1) {
		int c = f->own + __builtin_ctz(left);
		lane_at(f, unit, c)->count++;
		f->router[unit].filled |= (uint64_t)1 << c;
	}
	give_credit(f, unit, l);
	if (b->arrived < f->message[b->message].m.flits)
		return;
	give_branching(f, in->forked);
	in->forked = 0;
	if (in->count)
		want_port(f, unit, l);
}

static void drop_front(pim_flit *f, int unit, int l)
{
	lane *in = lane_at(f, unit, l);
	if (l < f->own)
		in->first = (in->first + 1) % (uint32_t)f->depth;
	if (!--in->count)
		f->router[unit].filled &= ~((uint64_t)1 << l);
}

/* Starts branches of a message as long as there are copies for them. */
static void start_branches(pim_flit *f, int unit, branching *b)
{
	router *r = f->router + unit;
	uint32_t unused = ~r->copies & ((1u << COPIES) - 1);
	for (; b->ports && unused; b->ports &= b->ports - 1, unused &= unused - 1) {
		int c = __builtin_ctz(unused), l = f->own + c;
		*lane_at(f, unit, l) = (lane){.copied = b->message, .count = (uint32_t)b->arrived};
		r->copies |= 1u << c;
		b->copies |= 1u << c;
		r->filled |= b->arrived ? (uint64_t)1 << l : 0;
		r->want[__builtin_ctz(b->ports)] |= (uint64_t)1 << l;
	}
}

/* A copy is free: messages that wait for one go on, the first first. */
static void start_waiting(pim_flit *f, int unit)
{
	router *r = f->router + unit;
	while (r->waiting) {
		uint32_t i = r->waiting;
		branching *b = f->branching + i;
		start_branches(f, unit, b);
		if (b->ports)
			return;
		r->waiting = b->next;
		give_branching(f, i);
	}
}

/* The message at the front of lane l leaves the router in several directions. */
static void fork_lane(pim_flit *f, int unit, int l, unsigned ports)
{
	lane *in = lane_at(f, unit, l);
	uint32_t i = new_branching(f);
	f->branching[i] = (branching){.message = front(f, unit, l), .ports = ports, .users = 1};
	if (!f->router[unit].waiting)
		start_branches(f, unit, f->branching + i);
	if (f->branching[i].ports) {
		uint32_t *end = &f->router[unit].waiting;
		while (*end)
			end = &f->branching[*end].next;
		*end = i;
		f->branching[i].users++;
	}
	in->forked = i;
	while (in->count && in->forked == i) {
		drop_front(f, unit, l);
		copy_flit(f, unit, l);
	}
}

/* A new message is at the front of a lane. */
static void want_port(pim_flit *f, int unit, int l)
{
	router *r = f->router + unit;
	unsigned ports = find_ports(f, unit, f->message + front(f, unit, l));
	if (!(ports & (ports - 1))) {
		r->want[__builtin_ctz(ports)] |= (uint64_t)1 << l;
		return;
	}
	fork_lane(f, unit, l, ports);
}

static void put_flit(pim_flit *f, int unit, int l, uint32_t m)
{
	router *r = f->router + unit;
	lane *in = lane_at(f, unit, l);
	if ((int)in->count >= f->depth)
		PIM_BUG("buffer %d of router %d has no room for a flit", l, unit);
	if (in->forked) {
		copy_flit(f, unit, l);
	} else {
		*flit_at(f, unit, l, in->count++) = m;
		r->filled |= (uint64_t)1 << l;
		if (in->count == 1 && in->passed == 0)
			want_port(f, unit, l);
	}
	if (!r->active) {
		r->active = true;
		f->active[f->n_active++] = unit;
	}
}

static void add_event(pim_flit *f, pim_flit_kind kind, uint32_t m, int destination)
{
	f->event = pim_array_grow(f->event, f->n_events, &f->room_events, sizeof *f->event);
	f->event[f->n_events++] = (pim_flit_event){kind, m, destination, f->now + 1};
}

/* ---- what a router does in a cycle ---- */

/* Messages that want an output lane take one, round robin. */
static void lead(pim_flit *f, int unit, int port)
{
	router *r = f->router + unit;
	uint64_t all = ((uint64_t)1 << f->lanes) - 1, left = r->want[port];
	while (left && (~r->taken >> port * f->lanes & all)) {
		int l = first_from(left, r->lead_next[port]);
		left &= ~((uint64_t)1 << l);
		const message *m = f->message + front(f, unit, l);
		uint64_t some = ~r->taken >> port * f->lanes & find_lanes(f, r, m, port);
		if (!some)
			continue;
		int o = port * f->lanes + __builtin_ctzll(some);
		out_lane *out = f->out + (size_t)unit * (size_t)f->each + o;
		out->owner = (uint8_t)l;
		f->lane[(size_t)unit * (size_t)f->each + (size_t)l].out = (uint8_t)o;
		r->taken |= (uint64_t)1 << o;
		r->want[port] &= ~((uint64_t)1 << l);
		if (out->credit > 0)
			r->able |= (uint64_t)1 << l;
		r->lead_next[port] = (uint8_t)((l + 1) % f->each);
	}
}

/* The last flit of a message has left lane l. */
static void end_message(pim_flit *f, int unit, int l)
{
	router *r = f->router + unit;
	lane *in = f->lane + (size_t)unit * (size_t)f->each + l;
	in->passed = 0;
	r->able &= ~((uint64_t)1 << l);
	r->taken &= ~((uint64_t)1 << in->out);
	if (l >= f->own) {
		r->copies &= ~(1u << (l - f->own));
		start_waiting(f, unit);
	} else if (in->count) {
		want_port(f, unit, l);
	}
}

/* The last flit of a message is at a unit. */
static void end_at(pim_flit *f, int unit, uint32_t number)
{
	message *m = f->message + number;
	int i = 0;
	while (m->m.n > 1 && m->m.to[i] != unit)
		i++;
	add_event(f, PIM_FLIT_arrived, number, i);
	if (--m->to_come)
		return;
	m->next = f->free_message;
	f->free_message = number;
}

static void move_flit(pim_flit *f, int unit, int l)
{
	router *r = f->router + unit;
	lane *in = f->lane + (size_t)unit * (size_t)f->each + l;
	int o = in->out, to = o / f->lanes;
	uint32_t number = front(f, unit, l);
	bool last = ++in->passed == f->message[number].m.flits;
	drop_front(f, unit, l);
	if (l < f->own)
		give_credit(f, unit, l);
	if (to == LOCAL) {
		f->totals.out++;
		if (last)
			end_at(f, unit, number);
	} else {
		if (!--f->out[(size_t)unit * (size_t)f->each + (size_t)o].credit)
			r->able &= ~((uint64_t)1 << l);
		add_travel(f->link + (f->now + f->hop) % (f->hop + 1),
			(travel){r->beside[to], (uint8_t)o, number});
		f->under_way++;
		f->totals.hops++;
	}
	if (last)
		end_message(f, unit, l);
}

/* Each input port offers one lane and each copy itself, each output port takes one of them. */
static void match(pim_flit *f, int unit)
{
	router *r = f->router + unit;
	uint64_t all = ((uint64_t)1 << f->lanes) - 1, ready = r->filled & r->able;
	uint32_t offers[PORTS] = {0};
	int offered[PORTS + COPIES];
	for (int p = 0; p < PORTS; p++) {
		uint64_t some = ready >> p * f->lanes & all;
		if (!some)
			continue;
		offered[p] = p * f->lanes + first_from(some, r->in_next[p]);
		offers[lane_at(f, unit, offered[p])->out / f->lanes] |= 1u << p;
	}
	for (uint64_t left = ready >> f->own; left; left &= left - 1) {
		int c = __builtin_ctzll(left);
		offered[PORTS + c] = f->own + c;
		offers[lane_at(f, unit, f->own + c)->out / f->lanes] |= 1u << (PORTS + c);
	}
	for (int o = 0; o < PORTS; o++) {
		if (!offers[o])
			continue;
		int p = first_from(offers[o], r->out_next[o]);
		r->out_next[o] = (uint8_t)((p + 1) % (PORTS + COPIES));
		if (p < PORTS)
			r->in_next[p] = (uint8_t)((offered[p] % f->lanes + 1) % f->lanes);
		move_flit(f, unit, offered[p]);
	}
}

static void run_router(pim_flit *f, int unit)
{
	router *r = f->router + unit;
	for (int p = 0; p < PORTS; p++)
		if (r->want[p])
			lead(f, unit, p);
	if (r->filled & r->able)
		match(f, unit);
}

/* ---- units ---- */

static void put_source(pim_flit *f, int unit)
{
	source *s = f->source + unit;
	lane *in = f->lane + (size_t)unit * (size_t)f->each + s->lane;
	if (f->now < s->first + s->put || (int)in->count == f->depth)
		return;
	put_flit(f, unit, s->lane, s->message);
	f->totals.in++;
	if (++s->put == f->message[s->message].m.flits)
		add_event(f, PIM_FLIT_left, s->message, 0);
}

static void put_sources(pim_flit *f)
{
	int kept = 0;
	for (int i = 0; i < f->n_sources; i++) {
		int unit = f->sending[i];
		put_source(f, unit);
		if (f->source[unit].put < f->message[f->source[unit].message].m.flits)
			f->sending[kept++] = unit;
	}
	f->n_sources = kept;
}

static uint32_t new_message(pim_flit *f)
{
	uint32_t i = f->free_message;
	if (i != UINT32_MAX) {
		f->free_message = f->message[i].next;
		return i;
	}
	f->message = pim_array_grow(f->message, f->n_messages, &f->room_messages, sizeof *f->message);
	return f->n_messages++;
}

/* The emptiest lane from the unit into the network. */
static uint8_t find_entry(const pim_flit *f, int unit)
{
	const lane *in = f->lane + (size_t)unit * (size_t)f->each;
	int best = LOCAL * f->lanes;
	for (int l = best + 1; l < f->own; l++)
		if (in[l].count < in[best].count)
			best = l;
	return (uint8_t)best;
}

uint32_t pim_flit_post(pim_flit *f, const pim_flit_message *m)
{
	uint32_t number = new_message(f);
	f->message[number] = (message){.m = *m, .to_come = m->n, .only = m->to[0]};
	f->source[m->from] = (source){number, find_entry(f, m->from), m->first, 0};
	f->sending[f->n_sources++] = m->from;
	return number;
}

/* ---- the network ---- */

static int64_t find_hop(const pim_target *t)
{
	return t->network.hop_cycles > 0 ? t->network.hop_cycles : 1;
}

int pim_flit_depth(const pim_target *t, int depth)
{
	int64_t least = find_hop(t) + 1;
	return least <= depth ? depth : least < INT32_MAX ? (int)least : INT32_MAX;
}

pim_flit *pim_flit_new(const pim_target *t, pim_flit_shape shape)
{
	pim_flit *f = pim_array_new(1, sizeof *f);
	*f = (pim_flit){.t = t, .lanes = shape.lanes, .free_message = UINT32_MAX};
	f->torus = t->network.topology == PIM_TOPOLOGY_torus;
	f->lanes = f->torus && f->lanes < 2 ? 2 : f->lanes;
	f->own = PORTS * f->lanes;
	f->each = f->own + COPIES;
	f->hop = find_hop(t);
	f->depth = pim_flit_depth(t, shape.depth);
	int64_t units = t->units, lanes = units * f->each;
	f->router = pim_array_new(units, sizeof *f->router);
	f->lane = pim_array_new(lanes, sizeof *f->lane);
	f->out = pim_array_new(lanes, sizeof *f->out);
	f->flit = pim_array_new(lanes * f->depth, sizeof *f->flit);
	f->active = pim_array_new(units, sizeof *f->active);
	f->sending = pim_array_new(units, sizeof *f->sending);
	f->source = pim_array_new(units, sizeof *f->source);
	f->link = pim_array_new(f->hop + 1, sizeof *f->link);
	for (int u = 0; u < t->units; u++)
		find_neighbours(f, u);
	for (int64_t l = 0; l < lanes; l++) /* the unit takes all that comes */
		f->out[l].credit = (int)(l % f->each) / f->lanes == LOCAL ? 1 : f->depth;
	return f;
}

void pim_flit_free(pim_flit *f)
{
	for (int64_t i = 0; i <= f->hop; i++)
		free(f->link[i].at);
	void *all[] = {f->router, f->lane, f->out, f->flit, f->active, f->sending, f->source, f->link,
		f->credit.at, f->branching, f->message, f->event, f};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		free(all[i]);
}

int64_t pim_flit_next(const pim_flit *f)
{
	if (f->n_active || f->under_way)
		return f->now;
	int64_t next = INT64_MAX;
	for (int i = 0; i < f->n_sources; i++) {
		const source *s = f->source + f->sending[i];
		if (s->first + s->put < next)
			next = s->first + s->put;
	}
	return next < f->now ? f->now : next;
}

static void return_credits(pim_flit *f)
{
	for (int i = 0; i < f->credit.n; i++) {
		const travel *v = f->credit.at + i;
		out_lane *out = f->out + (size_t)v->router * (size_t)f->each + v->lane;
		router *r = f->router + v->router;
		if (!out->credit++ && r->taken >> v->lane & 1)
			r->able |= (uint64_t)1 << out->owner;
	}
	f->credit.n = 0;
}

/* Routes cannot wait for each other in a circle; if they do, it is our mistake. */
static void check_motion(pim_flit *f)
{
	enum { LONGEST_REST = 1000000 };
	int64_t moves = f->totals.in + f->totals.hops + f->totals.out;
	f->rest = moves == f->moves && f->n_active ? f->rest + 1 : 0;
	f->moves = moves;
	if (f->rest > LONGEST_REST)
		PIM_BUG("the network of %s stands still at cycle %lld", f->t->name, (long long)f->now);
}

void pim_flit_cycle(pim_flit *f, int64_t now)
{
	f->now = now;
	f->n_events = 0;
	return_credits(f);
	travels *here = f->link + now % (f->hop + 1);
	for (int i = 0; i < here->n; i++)
		put_flit(f, here->at[i].router, here->at[i].lane, here->at[i].message);
	f->under_way -= here->n;
	here->n = 0;
	put_sources(f);
	int kept = 0, n = f->n_active;
	for (int i = 0; i < n; i++) {
		int unit = f->active[i];
		run_router(f, unit);
		f->router[unit].active = f->router[unit].filled != 0;
		if (f->router[unit].active)
			f->active[kept++] = unit;
	}
	f->n_active = kept;
	check_motion(f);
	f->totals.cycles++;
	f->now++;
}

int pim_flit_events(const pim_flit *f, const pim_flit_event **event)
{
	*event = f->event;
	return f->n_events;
}

pim_flit_totals pim_flit_totals_of(const pim_flit *f)
{
	return f->totals;
}
