/* SPDX-License-Identifier: Apache-2.0 */
/* flows.c - whole messages through routers, from event to event.
 *
 * What the routers of flit.c do to flits, done to messages:
 *
 * - Between forks a message is one flow: buffers are small, so all links of the way pass as much
 *   in the same time. Of a message that fits into a buffer, each link is a flow.
 * - The head takes a lane of each link, and has it until the last flit has passed. Who finds no
 *   lane waits, first come, first served, and with it all that is behind.
 * - A link gives equal shares to the input ports and copies that send over it, and an input port
 *   equal shares to its messages.
 * - Where a message forks, the router keeps all that comes: each branch is a copy (there are 16;
 *   further ones wait) and a flow of its own, which is never before what feeds it.
 * - The unit has sent a message when buffers hold what is left of it; at once if it forks there or
 *   fits into a buffer.
 *
 * Rates of flows are not worked out for all at once. A flow goes on in bursts, halves of a message:
 * it has a job of all flits of the burst on each of its links, links share themselves among the
 * jobs they have, and the burst ends when all its jobs have. A flow that is slow elsewhere so takes
 * its share of a link first and leaves the rest later. No job is told its end before it is there,
 * and who comes later costs those who are there. Heads are everywhere at once; the hops are added
 * at the end.
 *
 * At one time links come in order, and then messages in order of their units. Cost: for each link
 * of a message two events, and a look at the (few) jobs there when they change. What happens next
 * stands in a calendar (calendar.h), where an event costs a few steps; ends that are far off, those
 * of messages on slow links, are looked through each time it turns. Source: shares as of
 * generalized processor sharing (Parekh and Gallager 1993), routers as in flit.h; jobs in place of
 * max-min fair rates are ours. docs/network.md compares it with flits. */
#include "targets/flows.h"

#include <stdlib.h>

#include "ir/array.h"
#include "targets/calendar.h"

/* WHOLE: what the shares of up to PIM_FLIT_MOST_LANES jobs divide */
enum { PORTS = 7, LOCAL = 6, COPIES = 16, SIZES = 32, BURSTS = 2, WHOLE = 360 };

typedef struct message message;

/* A message in its unit (the first stage), on a link of its tree, or at the port into a unit. The
 * first stage of a flow stands for it. */
typedef struct stage {
	message *m;
	struct stage *next;		   /* that waits for the same lane or copy */
	int before, child, beside; /* stages of the message, -1: none; beside: another child */
	int top, length;		   /* of its flow: the first stage, and there: how many */
	int output, destination;   /* destination: of a port into a unit, its index */
	int hops;				   /* up to here */
	uint8_t input, class;	   /* input: of the router, or PORTS + its copy; class: of lanes */
	/* of a flow: */
	uint8_t begun, ended;  /* bursts */
	bool through, follows; /* it has its lanes; its burst waits for what feeds it */
	int open;			   /* what its burst waits for to end */
} stage;

struct message {
	uint32_t number;
	int from, size, open; /* size: log2 of its room; open: flows that have not ended */
	int bursts;
	int64_t flits, first;
	pim_moment enters; /* its order is behind all links, by unit */
	message *next;	   /* of the free ones of its size */
	stage stage[];
};

typedef struct queue {
	stage *first, *last;
} queue;

typedef struct job {
	stage *s;
	int64_t left, share; /* of its flits, in parts; parts of a cycle */
} job;

/* A link, or the port into a unit. */
typedef struct output {
	int n, taken[2]; /* jobs; lanes, by class */
	bool changed;	 /* in this step */
	int64_t since;	 /* jobs are as they were then */
	pim_moment ends; /* of the next one; its order is the link */
	job job[PIM_FLIT_MOST_LANES];
	queue waiting; /* for a lane */
} output;

typedef struct router {
	uint32_t copies; /* in use */
	queue waiting;	 /* for a copy */
	int at[3], beside[PORTS - 1];
} router;

struct pim_flows {
	const pim_target *t;
	int lanes;
	bool torus;
	int64_t hop, depth, now, under_way;
	router *router;
	output *output;
	pim_calendar calendar;
	message **entering; /* by unit: the message that is to enter */
	int64_t n_changed, room_changed;
	int *changed;
	uint32_t n_messages;
	message *unused[SIZES];
	int64_t n_events, room_events;
	pim_flit_event *event;
};

static void tell(pim_flows *p, pim_flit_kind kind, const stage *s, int64_t time)
{
	p->event = pim_array_grow(p->event, p->n_events, &p->room_events, sizeof *p->event);
	p->event[p->n_events++] = (pim_flit_event){kind, s->m->number, s->destination, time};
}

/* ---- links and their jobs ---- */

/* One of the inputs that have jobs, then one of the jobs of its input. */
static void share_link(output *o)
{
	int inputs = 0, same[PIM_FLIT_MOST_LANES];
	for (int i = 0; i < o->n; i++) {
		int before = 0;
		same[i] = 0;
		for (int k = 0; k < o->n; k++)
			if (o->job[k].s->input == o->job[i].s->input) {
				same[i]++;
				before += k < i;
			}
		inputs += !before;
	}
	for (int i = 0; i < o->n; i++)
		o->job[i].share = WHOLE / (inputs * same[i]);
}

/* Brings the jobs of a link to this time; they are about to change. */
static output *change_jobs(pim_flows *p, int number)
{
	output *o = p->output + number;
	for (int i = 0; i < o->n; i++)
		o->job[i].left -= (p->now - o->since) * o->job[i].share;
	o->since = p->now;
	if (o->changed)
		return o;
	o->changed = true;
	p->changed = pim_array_grow(p->changed, p->n_changed, &p->room_changed, sizeof *p->changed);
	p->changed[p->n_changed++] = number;
	return o;
}

/* When the next job of a link ends; it is shared anew. */
static int64_t find_end(output *o, int64_t now)
{
	int64_t when = INT64_MAX;
	if (o->n == 1) {
		o->job->share = WHOLE;
		return now + (o->job->left + WHOLE - 1) / WHOLE;
	}
	if (o->n == 2) {
		o->job[0].share = o->job[1].share = WHOLE / 2;
		return now + (pim_min(o->job[0].left, o->job[1].left) + WHOLE / 2 - 1) / (WHOLE / 2);
	}
	share_link(o);
	for (int i = 0; i < o->n; i++) {
		const job *x = o->job + i;
		when = pim_min(when, now + (x->left + x->share - 1) / x->share);
	}
	return when;
}

/* A link has changed: the next end on it. */
static void plan(pim_flows *p, int number)
{
	output *o = p->output + number;
	int64_t when = find_end(o, p->now);
	o->changed = false;
	if (o->ends.back && when == o->ends.time)
		return;
	pim_calendar_drop(&p->calendar, &o->ends);
	o->ends.time = when;
	if (when < INT64_MAX)
		pim_calendar_set(&p->calendar, &o->ends);
}

/* ---- flows ---- */

static bool is_fork(const stage *s)
{
	return s->child >= 0 && s->m->stage[s->child].beside >= 0;
}

static stage *flow_of(const stage *s)
{
	return s->m->stage + s->top;
}

/* The next stage of the same flow. */
static stage *next_of(const stage *s)
{
	stage *child = s->child < 0 ? NULL : s->m->stage + s->child;
	return child && child->top == s->top ? child : NULL;
}

/* What feeds a flow; NULL: the unit. */
static const stage *feeder_of(const stage *flow)
{
	return flow->before > 0 ? flow_of(flow->m->stage + flow->before) : NULL;
}

/* Flits of the next burst. */
static int64_t burst_flits(const stage *flow)
{
	int64_t flits = flow->m->flits, first = (flits + 1) / 2;
	if (flow->m->bursts == 1)
		return flits;
	return flow->begun ? flits - first : first;
}

/* Goes on if it can: a flow, and with it those it feeds. */
static void begin_burst(pim_flows *p, stage *flow)
{
	message *m = flow->m;
	const stage *feeder = feeder_of(flow), *last = flow;
	if (!flow->through || flow->open || flow->begun == m->bursts)
		return;
	if (feeder && feeder->begun == flow->begun)
		return;
	int64_t parts = burst_flits(flow) * WHOLE;
	flow->begun++;
	flow->follows = feeder && feeder->ended < flow->begun;
	flow->open = flow->length + flow->follows;
	for (stage *s = flow; s; s = next_of(s)) {
		output *o = change_jobs(p, s->output);
		o->job[o->n++] = (job){s, parts, 0};
		last = s;
	}
	for (int i = last->child; i >= 0; i = m->stage[i].beside)
		begin_burst(p, m->stage + i);
}

/* ---- lanes and copies ---- */

static void reach(pim_flows *p, stage *from);

static int lanes_of(const pim_flows *p, const stage *s)
{
	if (!p->torus || s->output % PORTS == LOCAL)
		return p->lanes;
	return s->class ? p->lanes - p->lanes / 2 : p->lanes / 2;
}

/* A stage has its lane: the head goes on. */
static void pass_head(pim_flows *p, stage *s)
{
	reach(p, s);
	if (next_of(s))
		return;
	flow_of(s)->through = true;
	begin_burst(p, flow_of(s));
}

static void append(queue *q, stage *s)
{
	s->next = NULL;
	*(q->first ? &q->last->next : &q->first) = s;
	q->last = s;
}

static void want_lane(pim_flows *p, stage *s)
{
	output *o = p->output + s->output;
	if (o->taken[s->class] == lanes_of(p, s)) {
		append(&o->waiting, s);
		return;
	}
	o->taken[s->class]++;
	pass_head(p, s);
}

static void give_lane(pim_flows *p, const stage *gone)
{
	output *o = p->output + gone->output;
	stage *before = NULL, *s = o->waiting.first;
	for (; s && s->class != gone->class; s = s->next)
		before = s;
	if (!s) {
		o->taken[gone->class]--;
		return;
	}
	*(before ? &before->next : &o->waiting.first) = s->next;
	if (o->waiting.last == s)
		o->waiting.last = before;
	pass_head(p, s);
}

static void give_copies(pim_flows *p, router *r)
{
	while (r->waiting.first && r->copies < (1u << COPIES) - 1) {
		stage *s = r->waiting.first;
		int copy = __builtin_ctz(~r->copies);
		r->waiting.first = s->next;
		r->copies |= 1u << copy;
		s->input = (uint8_t)(PORTS + copy);
		want_lane(p, s);
	}
}

/* The head of a message is behind a stage. */
static void reach(pim_flows *p, stage *from)
{
	message *m = from->m;
	if (from->child < 0)
		return;
	if (!is_fork(from)) {
		want_lane(p, m->stage + from->child);
		return;
	}
	router *r = p->router + m->stage[from->child].output / PORTS;
	for (int i = from->child; i >= 0; i = m->stage[i].beside)
		append(&r->waiting, m->stage + i);
	give_copies(p, r);
}

/* ---- ends ---- */

static bool leaves_at_once(const pim_flows *p, const message *m)
{
	return m->flits <= p->depth || is_fork(m->stage);
}

static void end_message(pim_flows *p, message *m)
{
	if (--m->open)
		return;
	p->under_way--;
	m->next = p->unused[m->size];
	p->unused[m->size] = m;
}

static stage *last_of(stage *flow)
{
	for (stage *next = next_of(flow); next; next = next_of(flow))
		flow = next;
	return flow;
}

static void end_flow(pim_flows *p, stage *flow)
{
	const stage *last = last_of(flow);
	if (last->child < 0)
		tell(p, PIM_FLIT_arrived, last, p->now + last->hops * p->hop);
	for (const stage *s = flow; s; s = next_of(s))
		give_lane(p, s);
	if (flow->input >= PORTS) {
		router *r = p->router + flow->output / PORTS;
		r->copies &= ~(1u << (flow->input - PORTS));
		give_copies(p, r);
	}
	end_message(p, flow->m);
}

/* Is this the burst after which buffers hold what is left? */
static bool empties_unit(const pim_flows *p, const stage *flow)
{
	const message *m = flow->m;
	if (flow->before > 0 || leaves_at_once(p, m))
		return false;
	bool room = m->flits / 2 <= p->depth * flow->length;
	return flow->ended == (room ? 1 : m->bursts);
}

static void end_burst(pim_flows *p, stage *flow);

static void close_one(pim_flows *p, stage *flow)
{
	if (--flow->open == 0)
		end_burst(p, flow);
}

static void end_burst(pim_flows *p, stage *flow)
{
	message *m = flow->m;
	flow->ended++;
	if (empties_unit(p, flow))
		tell(p, PIM_FLIT_left, m->stage, pim_max(p->now, m->first + m->flits));
	for (int i = last_of(flow)->child; i >= 0; i = m->stage[i].beside) {
		stage *child = m->stage + i;
		if (child->follows && child->begun == flow->ended) {
			child->follows = false;
			close_one(p, child);
		}
	}
	if (flow->ended == m->bursts)
		end_flow(p, flow);
	else
		begin_burst(p, flow);
}

static void end_jobs(pim_flows *p, int number)
{
	output *o = change_jobs(p, number);
	stage *ended[PIM_FLIT_MOST_LANES];
	int n = 0, kept = 0;
	for (int i = 0; i < o->n; i++) {
		if (o->job[i].left <= 0)
			ended[n++] = o->job[i].s;
		else
			o->job[kept++] = o->job[i];
	}
	o->n = kept;
	for (int i = 0; i < n; i++)
		close_one(p, flow_of(ended[i]));
}

/* ---- what others call ---- */

static message *new_message(pim_flows *p, int stages)
{
	int size = 0;
	while (1 << size < stages)
		size++;
	message *m = p->unused[size];
	if (m) {
		p->unused[size] = m->next;
		return m;
	}
	m = pim_array_raw(1, sizeof *m + (sizeof *m->stage << size));
	m->number = p->n_messages++;
	m->size = size;
	return m;
}

/* On a ring lanes are in two halves: has the message passed the end of the ring with this link? */
static bool is_past(const pim_flows *p, int from, int unit, int port)
{
	int start = p->router[from].at[port / 2];
	int end = p->router[p->router[unit].beside[port]].at[port / 2];
	return p->torus && (port % 2 ? end > start : end < start);
}

/* Children are in order of their ports. */
static stage *add_stage(message *m, int i, int before, int number)
{
	stage *s = m->stage + i, *parent = m->stage + before;
	*s = (stage){.m = m, .before = before, .child = -1, .output = number};
	s->hops = parent->hops + (number % PORTS != LOCAL);
	s->input = (uint8_t)(before == 0 ? LOCAL : parent->output % PORTS);
	int *at = &parent->child;
	while (*at >= 0 && m->stage[*at].output < number)
		at = &m->stage[*at].beside;
	s->beside = *at;
	*at = i;
	return s;
}

static void find_flows(const pim_flows *p, message *m, int stages)
{
	m->open = 0;
	for (int i = 1; i < stages; i++) {
		stage *s = m->stage + i, *parent = m->stage + s->before;
		bool joins = s->before > 0 && m->flits > p->depth && !is_fork(parent);
		s->top = joins ? parent->top : i;
		flow_of(s)->length++;
		m->open += !joins;
	}
}

uint32_t pim_flows_post(pim_flows *p, const pim_flit_message *sent)
{
	const pim_tree *tree = sent->tree;
	int stages = 1 + tree->n + sent->n;
	message *m = new_message(p, stages);
	m->from = sent->from;
	m->flits = sent->flits;
	m->first = sent->first;
	m->bursts = m->flits > p->depth ? BURSTS : 1;
	m->stage[0] = (stage){.m = m, .before = -1, .child = -1, .beside = -1, .top = -1};
	for (int i = 0; i < tree->n; i++) {
		int unit = tree->link[i] / LOCAL, port = tree->link[i] % LOCAL;
		stage *s = add_stage(m, 1 + i, 1 + tree->before[i], unit * PORTS + port);
		s->class = is_past(p, sent->from, unit, port);
	}
	for (int i = 0; i < sent->n; i++)
		add_stage(m, 1 + tree->n + i, 1 + tree->last[i], sent->to[i] * PORTS + LOCAL)->destination =
			i;
	find_flows(p, m, stages);
	p->under_way++;
	m->enters = (pim_moment){.time = m->first, .order = p->t->units * PORTS + m->from};
	p->entering[m->from] = m;
	pim_calendar_set(&p->calendar, &m->enters);
	return m->number;
}

static void find_neighbours(pim_flows *p, int unit)
{
	const int *size = p->t->network.size;
	router *r = p->router + unit;
	for (int d = 0, stride = 1; d < 3; stride *= size[d++]) {
		int at = r->at[d] = unit / stride % size[d];
		r->beside[2 * d] = unit + ((at + 1) % size[d] - at) * stride;
		r->beside[2 * d + 1] = unit + ((at + size[d] - 1) % size[d] - at) * stride;
	}
}

pim_flows *pim_flows_new(const pim_target *t, pim_flit_shape shape)
{
	pim_flows *p = pim_array_new(1, sizeof *p);
	int64_t outputs = (int64_t)t->units * PORTS;
	p->t = t;
	p->torus = t->network.topology == PIM_TOPOLOGY_torus;
	p->lanes = p->torus && shape.lanes < 2 ? 2 : shape.lanes;
	p->hop = t->network.hop_cycles;
	p->depth = pim_flit_depth(t, shape.depth);
	p->router = pim_array_new(t->units, sizeof *p->router);
	p->entering = pim_array_new(t->units, sizeof *p->entering);
	p->output = pim_array_new(outputs, sizeof *p->output);
	for (int u = 0; u < t->units; u++)
		find_neighbours(p, u);
	for (int64_t i = 0; i < outputs; i++)
		p->output[i].ends.order = (int)i;
	return p;
}

void pim_flows_free(pim_flows *p)
{
	for (int i = 0; i < SIZES; i++)
		for (message *m = p->unused[i], *next; m; m = next) {
			next = m->next;
			free(m);
		}
	pim_calendar_free(&p->calendar);
	free(p->entering);
	free(p->event);
	free(p->router);
	free(p->output);
	free(p->changed);
	free(p);
}

int64_t pim_flows_next(pim_flows *p)
{
	int64_t next = pim_calendar_next(&p->calendar);
	if (next == INT64_MAX && p->under_way) /* routes cannot wait for each other in a circle */
		PIM_BUG("the network of %s stands still at cycle %lld", p->t->name, (long long)p->now);
	return next;
}

static void enter(pim_flows *p, message *m)
{
	if (leaves_at_once(p, m))
		tell(p, PIM_FLIT_left, m->stage, p->now + m->flits);
	reach(p, m->stage);
}

void pim_flows_step(pim_flows *p)
{
	p->now = pim_calendar_next(&p->calendar);
	p->n_events = 0;
	int64_t n = pim_calendar_take(&p->calendar, p->now);
	for (int64_t i = 0; i < n; i++) {
		int order = p->calendar.today[i]->order, unit = order - p->t->units * PORTS;
		if (unit < 0)
			end_jobs(p, order);
		else
			enter(p, p->entering[unit]);
	}
	for (int64_t i = 0; i < p->n_changed; i++)
		plan(p, p->changed[i]);
	p->n_changed = 0;
}

int pim_flows_events(const pim_flows *p, const pim_flit_event **event)
{
	*event = p->event;
	return (int)p->n_events;
}
