/* SPDX-License-Identifier: Apache-2.0 */
/* sim_path.c - the critical path of a run, and the estimate of every task beside it.
 *
 * Each command that ran is kept with the one that it waited for last: one that it names in `after`,
 * the one before it on its engine, or the send of its message. From the last command to end, these
 * lead back to the start of the run without a gap, so every cycle of the run belongs to one task
 * and one cause. The estimate is cut up in the same way: in order of their estimated ends, a task's
 * share is what it adds to the end of those before it. Shares and path each sum up to a whole, so
 * the differences of the tasks sum up to that of the run, and causes say what the run did there.
 * Cost: 64 bytes for each command that ran. */
#include <stdlib.h>

#include "ir/array.h"
#include "targets/sim.h"

typedef struct step {
	int64_t start, end, from; /* from: number of the step before, on unit `unit` */
	uint32_t unit, task;
	int64_t own;		   /* cycles that its engine works */
	int64_t issued, there; /* could start by its place in the stream; by its message, or by the
							  other banks of an all-bank kernel */
	uint8_t cause;
	bool arrives;  /* what it waited for is a message */
	bool banked;   /* works on a bank, which others may have */
	bool together; /* with all banks of its channel */
} step;

struct pim_sim_path {
	const pim_program *program;
	int64_t *n, *room;
	step **step;					   /* by unit */
	int64_t (*last)[PIM_ENGINE_COUNT]; /* by unit: the latest of each engine, -1: none */
};

enum { NONE = -1 };

pim_sim_path *pim_sim_path_new(const pim_program *p)
{
	int units = p->n_streams;
	pim_sim_path *r = pim_array_new(1, sizeof *r);
	r->program = p;
	r->n = pim_array_new(units, sizeof *r->n);
	r->room = pim_array_new(units, sizeof *r->room);
	r->step = pim_array_new(units, sizeof *r->step);
	r->last = pim_array_raw(units, sizeof *r->last);
	for (int u = 0; u < p->n_streams; u++)
		for (int e = 0; e < PIM_ENGINE_COUNT; e++)
			r->last[u][e] = NONE;
	return r;
}

void pim_sim_path_free(pim_sim_path *p)
{
	for (int u = 0; u < p->program->n_streams; u++)
		free(p->step[u]);
	free(p->step);
	free(p->room);
	free(p->last);
	free(p->n);
	free(p);
}

/* ---- while the run goes on ---- */

static step *add_step(pim_sim_path *p, uint32_t unit)
{
	p->step[unit] =
		pim_array_grow(p->step[unit], p->n[unit], &p->room[unit], sizeof *p->step[unit]);
	return &p->step[unit][p->n[unit]++];
}

/* The command of the unit itself that is complete last of those that `start` had to wait for; NONE:
 * there is none. */
static int64_t find_before(const pim_sim_path *p, const pim_sim_unit *u, const pim_sim_op *op)
{
	int64_t before = p->last[u->number][op->engine], end = before == NONE ? 0 : u->free[op->engine];
	for (int i = 0; i < op->n_after; i++) {
		int64_t number = (int64_t)u->n - op->after[i], other = u->ring[number & (int64_t)u->mask];
		if (before == NONE || other >= end) {
			before = number;
			end = other;
		}
	}
	return before;
}

static pim_sim_cause cause_of(const pim_sim_op *op)
{
	static const pim_sim_cause of[PIM_ENGINE_COUNT] = {
		[PIM_ENGINE_dma] = PIM_SIM_CAUSE_memory,
		[PIM_ENGINE_out] = PIM_SIM_CAUSE_sending,
		[PIM_ENGINE_in] = PIM_SIM_CAUSE_receiving,
		[PIM_ENGINE_matrix] = PIM_SIM_CAUSE_kernels,
		[PIM_ENGINE_vector] = PIM_SIM_CAUSE_kernels,
		[PIM_ENGINE_rows] = PIM_SIM_CAUSE_kernels,
	};
	bool barrier = op->kind != PIM_SIM_run && op->bytes == 0;
	return barrier ? PIM_SIM_CAUSE_barriers : of[op->engine];
}

void pim_sim_path_add(pim_sim_path *p, const pim_sim_unit *u, int64_t start, int64_t begin,
	int64_t end, const pim_sim_message *m)
{
	const pim_sim_op *op = u->op + u->pc;
	step *s = add_step(p, u->number);
	*s = (step){.start = begin, .end = end, .unit = u->number, .task = op->task, .own = op->cycles};
	s->issued = u->issue;
	s->banked = op->slots > 0 || op->lockstep;
	s->together = op->lockstep;
	s->there = op->lockstep ? u->span[u->n].met : 0;
	if (op->lockstep && !op->slots)
		s->own = end - begin; /* masked: what it waits for is the kernel of the others */
	s->cause = (uint8_t)cause_of(op);
	s->from = find_before(p, u, op);
	if (op->kind == PIM_SIM_recv && m->arrival > start) {
		s->there = m->arrival;
		s->from = m->number;
		s->unit = m->from;
		s->arrives = true;
	}
	p->last[u->number][op->engine] = (int64_t)u->n;
}

/* ---- afterwards ---- */

static const step *find_last(const pim_sim_path *p, int *unit)
{
	const step *last = NULL;
	for (int u = 0; u < p->program->n_streams; u++)
		for (int64_t i = 0; i < p->n[u]; i++)
			if (!last || p->step[u][i].end > last->end) {
				last = &p->step[u][i];
				*unit = u;
			}
	return last;
}

static void add_cycles(pim_sim_share *s, int cause, int64_t cycles)
{
	s->path += cycles;
	s->cause[cause] += cycles;
}

/* A message from the start of its send to its arrival: what its length and its way take, and what
 * busy links add. */
static void add_message(
	pim_sim_share *s, const pim_target *t, const step *send, const step *receive, int to)
{
	int64_t hops = pim_network_hops(t, (int)receive->unit, to) * t->network.hop_cycles;
	int64_t all = receive->there - send->start, rest = all - send->own - hops;
	bool barrier = send->cause == PIM_SIM_CAUSE_barriers;
	add_cycles(s, barrier ? send->cause : PIM_SIM_CAUSE_sending, rest < 0 ? all - hops : send->own);
	add_cycles(s, barrier ? send->cause : PIM_SIM_CAUSE_hops, hops);
	add_cycles(s, PIM_SIM_CAUSE_links, rest < 0 ? 0 : rest);
	add_cycles(s, PIM_SIM_CAUSE_bank, receive->start - receive->there);
}

/* A command from its start to its end; a send may hold its engine longer than it works, and a bank
 * does other things between the row operations of a kernel. */
static void add_command(pim_sim_share *s, const step *x)
{
	int64_t all = x->end - x->start, own = x->own < all ? x->own : all;
	bool sends = x->cause == PIM_SIM_CAUSE_sending || x->cause == PIM_SIM_CAUSE_barriers;
	add_cycles(s, x->cause, own);
	add_cycles(s, sends ? PIM_SIM_CAUSE_links : PIM_SIM_CAUSE_bank, all - own);
}

/* From when all that a command names is complete, until it starts: it is issued, then the banks of
 * an all-bank kernel are there, then a bank that it works on is free. */
static void add_gap(pim_sim_share *s, const step *x, int64_t since)
{
	int64_t issued = !x->banked || x->issued > x->start ? x->start : pim_max(x->issued, since);
	int64_t met = x->together && x->there > issued ? x->there : issued;
	add_cycles(s, PIM_SIM_CAUSE_issue, issued - since);
	add_cycles(s, PIM_SIM_CAUSE_lockstep, met - issued);
	add_cycles(s, PIM_SIM_CAUSE_bank, x->start - met);
}

static void walk_back(const pim_sim_path *p, pim_sim_share *share)
{
	int unit = 0;
	const step *x = find_last(p, &unit);
	for (bool whole = true; x;) {
		if (whole)
			add_command(&share[x->task], x);
		if (x->from == NONE) {
			add_gap(&share[x->task], x, 0);
			return;
		}
		const step *before = &p->step[x->unit][x->from];
		if (!x->arrives)
			add_gap(&share[x->task], x, before->end);
		else
			add_message(&share[x->task], p->program->target, before, x, unit);
		whole = !x->arrives;
		unit = (int)x->unit;
		x = before;
	}
}

typedef struct finish {
	int64_t end;
	int task;
} finish;

static int by_end(const void *a, const void *b)
{
	const finish *x = a, *y = b;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return x->task - y->task;
}

static void share_estimate(const pim_program *p, pim_sim_share *share)
{
	finish *f = pim_array_raw(p->n_tasks, sizeof *f);
	for (int i = 0; i < p->n_tasks; i++)
		f[i] = (finish){p->task[i].start + p->task[i].cycles, i};
	qsort(f, (size_t)p->n_tasks, sizeof *f, by_end);
	for (int i = 0; i < p->n_tasks; i++)
		share[f[i].task].estimated = f[i].end - (i ? f[i - 1].end : 0);
	free(f);
}

pim_sim_share *pim_sim_path_shares(const pim_sim_path *p, pim_arena *a)
{
	pim_sim_share *share = PIM_NEW(a, pim_sim_share, p->program->n_tasks + 1);
	walk_back(p, share);
	share_estimate(p->program, share);
	return share;
}
