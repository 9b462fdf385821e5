/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - the event loop of the simulator: when each command starts and ends.
 *
 * Nothing is allocated, hashed or sorted per command: durations, channels and routes are known
 * before the run (sim_prepare.c), completion times that `after` asks for stand in a ring per unit,
 * and only sends go through the heap. Bytes, checks and watchers hang on one branch (observe). */
#include "targets/sim.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/heap.h"

static inline int64_t start_time(const pim_sim_unit *u, const pim_sim_op *op)
{
	int64_t start = pim_max(u->issue, u->free[op->engine]);
	for (int i = 0; i < op->n_after; i++)
		start = pim_max(start, u->ring[(u->n - op->after[i]) & u->mask]);
	return start;
}

/* When the command at which u stands begins, if it could from `time` on, and when it is done. */
static inline pim_sim_span find_span(const pim_sim_unit *u, const pim_sim_op *op, int64_t time)
{
	return u->span ? u->span[u->n] : (pim_sim_span){time, time + op->cycles, 0};
}

/* What is done beside keeping time. m: the message of a send or recv. */
static void observe(
	pim_sim *s, pim_sim_unit *u, int64_t start, int64_t begin, int64_t end, pim_sim_message *m)
{
	const pim_sim_op *op = u->op + u->pc;
	if (s->o->check)
		pim_sim_check_command(s, u, start, end);
	if (s->o->trace && (op->slots || op->lockstep))
		pim_sim_trace_note(s, u, begin, end);
	if (s->o->values) {
		int code = s->p->stream[u->number].command[u->pc].code;
		if (!pim_command_is_kernel(code))
			pim_sim_move(s, u, m);
		else if (!pim_sim_compute(s, u))
			s->failed = true;
	}
	if (s->o->watch) {
		pim_sim_event e = {(int)u->number, u->pc, op->engine, op->task, start, begin, end};
		s->o->watch(s->o->user, &e);
	}
	if (s->o->path_of)
		pim_sim_path_add(s->o->path_of, u, start, begin, end, m);
}

static inline void complete(pim_sim *s, pim_sim_unit *u, const pim_sim_op *op, int64_t start,
	int64_t begin, int64_t end, pim_sim_message *m)
{
	pim_sim_task_report *task = s->task + op->task;
	if (begin < task->start)
		task->start = begin;
	if (end > task->end)
		task->end = end;
	if (s->observed)
		observe(s, u, start, begin, end, m);
	u->free[op->engine] = end;
	u->ring[u->n & u->mask] = end;
	u->n++;
	u->issue += s->t->command_cycles;
	u->pc++;
}

/* ---- the heap of units that stand before a send ---- */

static inline bool goes_before(const pim_sim *s, uint32_t a, uint32_t b)
{
	int64_t x = s->unit[a].start, y = s->unit[b].start;
	return x < y || (x == y && a < b);
}

PIM_HEAP(sender, const pim_sim *, uint32_t, goes_before, PIM_HEAP_PUT)

void pim_sim_push(pim_sim *s, uint32_t unit)
{
	sender_lift(s, s->heap, s->n_heap++, unit);
}

uint32_t pim_sim_pop(pim_sim *s)
{
	return sender_pop(s, s->heap, s->n_heap--);
}

/* ---- messages ---- */

static uint32_t message_new(pim_sim *s)
{
	uint32_t i = s->free_message;
	if (i) {
		s->free_message = s->message[i].next;
		return i;
	}
	s->message = pim_array_grow(s->message, s->n_messages, &s->room_messages, sizeof *s->message);
	return s->n_messages++;
}

static inline void post(pim_sim *s, pim_sim_channel *c, uint32_t m)
{
	s->message[m].next = 0;
	if (c->head)
		s->message[c->tail].next = m;
	else
		c->head = m;
	c->tail = m;
}

static inline void take(pim_sim *s, pim_sim_channel *c)
{
	uint32_t m = c->head;
	c->head = s->message[m].next;
	s->message[m].next = s->free_message;
	s->free_message = m;
}

/* Bytes that wait at a unit are most just before a reception is complete: what is received now
 * was there at all earlier receptions that were complete after its arrival. */
static void count_arrival(pim_sim_arrivals *w, int64_t arrival, int64_t bytes, int64_t end)
{
	uint64_t i = w->n++, stop = i >= PIM_SIM_ARRIVALS ? i - PIM_SIM_ARRIVALS + 1 : 0;
	uint64_t at = i & (PIM_SIM_ARRIVALS - 1);
	w->end[at] = end;
	w->bytes[at] = 0;
	for (;; i--) {
		at = i & (PIM_SIM_ARRIVALS - 1);
		if (w->end[at] <= arrival && i + 1 != w->n)
			break;
		w->bytes[at] += bytes;
		w->peak = pim_max(w->peak, w->bytes[at]);
		if (i == stop)
			break;
	}
}

/* False: the unit sleeps, or the message is not the expected one. */
static bool receive(pim_sim *s, pim_sim_unit *u, const pim_sim_op *op)
{
	pim_sim_channel *c = s->channel + op->other;
	if (!c->head) {
		c->asleep = true;
		u->state = PIM_SIM_asleep;
		return false;
	}
	pim_sim_message *m = s->message + c->head;
	if (m->bytes != op->bytes) {
		s->failed = true;
		return pim_sim_error(s, u, u->pc,
			"expects a message of %lld bytes, unit %u command %u sent %lld bytes",
			(long long)op->bytes, c->from, m->command, (long long)m->bytes);
	}
	int64_t start = start_time(u, op);
	pim_sim_span span = find_span(u, op, pim_max(start, m->arrival));
	u->waited += span.begin - start;
	count_arrival(u->arrivals, m->arrival, m->bytes, span.end);
	complete(s, u, op, start, span.begin, span.end, m);
	take(s, c);
	return true;
}

/* Runs a unit up to its next send, a message that is not there, or its end. */
static void advance(pim_sim *s, pim_sim_unit *u)
{
	u->state = PIM_SIM_ready;
	while (!s->failed) {
		const pim_sim_op *op = u->op + u->pc;
		switch ((pim_sim_kind)op->kind) {
		case PIM_SIM_run: {
			pim_sim_span span = find_span(u, op, start_time(u, op));
			complete(s, u, op, span.begin, span.begin, span.end, NULL);
			break;
		}
		case PIM_SIM_recv:
			if (!receive(s, u, op))
				return;
			break;
		case PIM_SIM_send:
			u->start = find_span(u, op, start_time(u, op)).begin;
			pim_sim_push(s, u->number);
			return;
		case PIM_SIM_repeat:
			u->round[u->depth] = 0;
			u->depth += op->link > 0;
			u->pc = op->link > 0 ? u->pc + 1 : op->other + 1;
			break;
		case PIM_SIM_end:
			if (++u->round[u->depth - 1] < op->link) {
				u->pc = op->other + 1;
			} else {
				u->depth--;
				u->pc++;
			}
			break;
		case PIM_SIM_stop:
			u->state = PIM_SIM_done;
			return;
		}
	}
}

static void *copy_payload(const pim_sim_message *m)
{
	if (!m->payload)
		return NULL;
	return memcpy(pim_array_raw(m->bytes, 1), m->payload, (size_t)m->bytes);
}

static void wake(pim_sim *s, pim_sim_channel *c)
{
	if (!c->asleep)
		return;
	c->asleep = false;
	advance(s, s->unit + c->to);
}

static void send_next(pim_sim *s)
{
	pim_sim_unit *u = s->unit + pim_sim_pop(s);
	const pim_sim_op *op = u->op + u->pc;
	const pim_sim_cast *k = s->cast + op->other;
	pim_sim_message m = {
		.bytes = op->bytes, .command = u->pc, .from = u->number, .number = (int64_t)u->n};
	complete(s, u, op, u->start, u->start, s->left[s->cast[op->other].sent++], &m);
	for (uint32_t i = 0; i < k->n; i++) {
		pim_sim_channel *c = s->channel + k->channel[i];
		uint32_t at = message_new(s);
		m.arrival = s->arrival[c->sent++];
		s->message[at] = m;
		if (i + 1 < k->n)
			s->message[at].payload = copy_payload(&m);
		post(s, c, at);
	}
	for (uint32_t i = 0; i < k->n; i++)
		wake(s, s->channel + k->channel[i]);
	advance(s, u);
}

static void run(pim_sim *s)
{
	for (int i = 0; i < s->n_units && !s->failed; i++)
		advance(s, s->unit + i);
	while (s->n_heap && !s->failed)
		send_next(s);
	if (!s->failed)
		pim_sim_check_end(s);
}

static void report_times(pim_sim *s)
{
	pim_sim_report *r = s->report;
	for (int i = 0; i < s->n_units; i++) {
		pim_sim_unit *u = s->unit + i;
		for (int e = 0; e < PIM_ENGINE_COUNT; e++)
			r->unit[i].end = pim_max(r->unit[i].end, u->free[e]);
		r->unit[i].waited = u->waited;
		r->unit[i].arrived_bytes = u->arrivals->peak;
		r->cycles = pim_max(r->cycles, r->unit[i].end);
	}
	if (s->bank && s->o->host) {
		r->bank.with_host = true;
		r->cycles += pim_sim_host_cycles(s);
		pim_sim_host_energy(s);
	}
	/* pJ = W * s * 10^12 */
	r->pj[PIM_SIM_ENERGY_static] = s->t->static_w * ((double)r->cycles / s->t->clock_hz) * 1e12;
}

static void free_run(pim_sim *s)
{
	pim_sim_memory_free(s);
	for (int i = 0; i < s->n_units && s->unit; i++) {
		pim_sim_shadow_free(s->unit[i].shadow[PIM_SPACE_memory]);
		pim_sim_shadow_free(s->unit[i].shadow[PIM_SPACE_buffer]);
	}
	for (uint32_t c = 0; c < s->n_channels; c++)
		for (uint32_t m = s->channel[c].head; m; m = s->message[m].next)
			free(s->message[m].payload);
	for (int i = 0; i < s->n_units && s->unit; i++)
		free(s->unit[i].span);
	free(s->message);
	pim_links_free(s->links);
	if (s->scratch)
		pim_arena_free(s->scratch);
	pim_arena_free(s->arena);
}

static pim_sim_report *new_report(const pim_program *p, bool values, pim_arena *a)
{
	pim_sim_report *r = PIM_NEW(a, pim_sim_report, 1);
	r->program = p;
	r->n_units = p->n_streams;
	r->unit = PIM_NEW(a, pim_sim_unit_report, p->n_streams);
	r->task = PIM_NEW(a, pim_sim_task_report, p->n_tasks + 1);
	r->n_links = pim_network_links(p->target);
	r->link_bytes = PIM_NEW(a, int64_t, r->n_links);
	for (int i = 0; i <= p->n_tasks; i++)
		r->task[i] = (pim_sim_task_report){INT64_MAX, 0};
	if (!values)
		return r;
	r->result = PIM_NEW(a, pim_tensor, p->n_results + 1);
	for (int i = 0; i < p->n_results; i++) {
		const pim_type *type = p->result[i].type;
		r->result[i] = (pim_tensor){type, pim_arena_alloc(a, (size_t)pim_type_bytes(type) + 1)};
	}
	return r;
}

pim_sim_report *pim_sim_run(const pim_program *p, const pim_sim_options *o, pim_arena *a)
{
	pim_sim s = {.p = p, .t = p->target, .context = p->context, .o = o, .n_units = p->n_streams};
	s.arena = pim_arena_new();
	s.observed = o->values || o->check || o->watch || o->trace || o->path_of;
	s.report = new_report(p, o->values, a);
	s.task = s.report->task;
	bool good = pim_sim_prepare(&s) && pim_sim_trips(&s) && (!o->values || pim_sim_memory_fill(&s));
	if (good) {
		if (o->check)
			pim_sim_check_start(&s);
		message_new(&s); /* number 0 means none */
		run(&s);
		if (o->check && !s.failed)
			pim_sim_check_results(&s);
		good = !s.failed && !s.faulty && (!o->values || pim_sim_memory_gather(&s));
		report_times(&s);
		good = good && (!o->trace || pim_sim_trace_write(&s));
	}
	free_run(&s);
	return good ? s.report : NULL;
}
