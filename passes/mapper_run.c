/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_run.c - how groups run when each has its choice.
 *
 * Step j of a group starts when its units are free, step j - 1 is done, what it reads is complete
 * (done[ready[j]] of each producer, so stalls travel on) and has arrived: messages of a step take
 * their share of the cycles of all, one step's after the other's. What is read of the network's
 * inputs is on its way from the start, in one piece: no step begins before it is there. Units are
 * taken from the earliest free, and held from the first step to the last. In `original` mode a
 * group starts when all before it have ended; its own messages still overlap with its own steps.
 * `transform`: mapper_turns.c. */
#include "passes/mapper.h"

#include <math.h>
#include <string.h>

pim_mapper_units pim_mapper_units_new(int units, pim_arena *a)
{
	pim_mapper_units u = {.n = 1, .span = PIM_NEW(a, pim_mapper_span, 3)};
	u.span[0] = (pim_mapper_span){0, units};
	return u;
}

double pim_mapper_units_from(const pim_mapper_units *u, int count)
{
	for (int i = 0; i < u->n; i++) {
		count -= u->span[i].units;
		if (count <= 0)
			return u->span[i].from;
	}
	PIM_BUG("a group of more units than there are");
}

pim_mapper_units pim_mapper_units_take(
	const pim_mapper_units *u, int count, double end, pim_arena *a)
{
	pim_mapper_units r = {.span = PIM_NEW(a, pim_mapper_span, u->n + 3)};
	int left = count, put = 0;
	for (int i = 0; i < u->n; i++) {
		int taken = u->span[i].units < left ? u->span[i].units : left;
		left -= taken;
		if (!put && u->span[i].from > end) {
			r.span[r.n++] = (pim_mapper_span){end, count};
			put = 1;
		}
		if (u->span[i].units > taken)
			r.span[r.n++] = (pim_mapper_span){u->span[i].from, u->span[i].units - taken};
	}
	if (!put)
		r.span[r.n++] = (pim_mapper_span){end, count};
	return r;
}

static void run_alone(
	const pim_mapper_choice *c, int n, const pim_mapper_need *need, double from, pim_mapper_run *r)
{
	double lag = 0, steps = (double)c->steps;
	for (int k = 0; k < n; k++)
		lag += need[k].move / steps;
	r->begin = from;
	r->end = from + lag + c->step + (steps - 1) * pim_later(lag, c->step);
	for (int64_t j = 0; j <= c->steps; j++)
		r->done[j] = r->end;
}

static void run_steps(
	const pim_mapper_choice *c, int n, const pim_mapper_need *need, double from, pim_mapper_run *r)
{
	double lag = 0, arrived = from, now = from;
	for (int k = 0; k < n; k++)
		lag += need[k].move;
	lag /= (double)c->steps;
	r->done[0] = 0;
	for (int64_t j = 0; j < c->steps; j++) {
		for (int k = 0; k < n; k++)
			arrived = pim_later(arrived, need[k].of->done[need[k].ready[j]]);
		r->begin = j ? r->begin : arrived;
		arrived += lag;
		now = pim_later(now, arrived) + c->step;
		r->done[j + 1] = now;
	}
	r->end = now;
}

void pim_mapper_run_choice(const pim_mapper_choice *c, pim_mapper_mode mode, int n,
	const pim_mapper_need *need, double from, pim_arena *scratch, pim_mapper_run *r)
{
	double fetched = pim_later(from, c->fetch);
	r->choice = c;
	r->order = NULL;
	if (mode == PIM_MAPPER_transform)
		pim_mapper_run_turns(c, n, need, fetched, scratch, r);
	else if (mode == PIM_MAPPER_original)
		run_alone(c, n, need, fetched, r);
	else
		run_steps(c, n, need, fetched, r);
	r->begin = r->begin > fetched ? r->begin : from;
}

double pim_mapper_static_pj(const pim_target *t)
{
	return t->static_w / t->clock_hz * 1e12;
}

double pim_mapper_move_pj(const pim_target *t, double bytes)
{
	double hops = pim_exchange_of(t, t->units - 1).hops;
	return bytes * (hops * t->network.hop_pj + t->memory.read_pj + t->memory.write_pj);
}

double pim_mapper_value(pim_mapper_objective o, double latency, double pj)
{
	switch (o) {
	case PIM_OBJECTIVE_energy:
		return pj;
	case PIM_OBJECTIVE_edp:
		return latency * pj;
	default:
		return latency;
	}
}

pim_mapper_plan *pim_mapper_plan_new(const pim_mapper *m, pim_arena *a)
{
	pim_mapper_plan *p = PIM_NEW(a, pim_mapper_plan, 1);
	p->choice = PIM_NEW(a, const pim_mapper_choice *, m->n + 1);
	p->begin = PIM_NEW(a, double, m->n + 1);
	p->end = PIM_NEW(a, double, m->n + 1);
	p->order = PIM_NEW(a, int32_t *, m->n + 1);
	p->arena = a;
	p->latency = p->pj = INFINITY;
	return p;
}

pim_mapper_need pim_mapper_need_of(const pim_mapper *m, const pim_mapper_group *g,
	const pim_mapper_edge *e, const pim_mapper_choice *c, const pim_mapper_run *from,
	pim_mapper_mode mode, pim_arena *a, double *bytes)
{
	const pim_mapper_group *f = &m->group[e->from];
	pim_mapper_move move = pim_mapper_move_of(m, e, c, f, from->choice);
	pim_mapper_need need = {.of = from, .move = move.cycles};
	*bytes += move.bytes;
	if (mode == PIM_MAPPER_transform)
		need.demand = pim_mapper_demand_of(g, e, f, c, a);
	if (mode == PIM_MAPPER_overlap) {
		int32_t *ready = PIM_NEW(a, int32_t, c->steps);
		pim_mapper_ready(m, g, e, c, f, from->choice, ready);
		need.ready = ready;
	}
	return need;
}

/* What stays of a run when its memory is gone. */
static void keep_run(pim_mapper_plan *p, int i, const pim_mapper_run *r)
{
	size_t bytes = sizeof *r->order * (size_t)r->choice->slices;
	p->begin[i] = r->begin;
	p->end[i] = r->end;
	p->order[i] = r->order ? memcpy(pim_arena_raw(p->arena, bytes), r->order, bytes) : NULL;
	p->latency = pim_later(p->latency, r->end);
	p->pj += r->choice->pj;
}

void pim_mapper_evaluate(const pim_mapper *m, pim_mapper_mode mode, pim_mapper_plan *p)
{
	pim_arena *a = pim_arena_new();
	pim_mapper_run *run = PIM_NEW(a, pim_mapper_run, m->n + 1);
	pim_mapper_units units = pim_mapper_units_new(m->units, a);
	p->latency = p->pj = 0;
	for (int i = 0; i < m->n; i++) {
		const pim_mapper_group *g = &m->group[i];
		const pim_mapper_choice *c = p->choice[i];
		pim_mapper_need *need = PIM_NEW(a, pim_mapper_need, g->n_edges + 1);
		double bytes = 0;
		for (int k = 0; k < g->n_edges; k++)
			need[k] =
				pim_mapper_need_of(m, g, &g->edge[k], c, &run[g->edge[k].from], mode, a, &bytes);
		p->pj += pim_mapper_move_pj(m->target, bytes);
		double from =
			mode == PIM_MAPPER_original ? p->latency : pim_mapper_units_from(&units, c->units);
		run[i].done = PIM_NEW(a, double, pim_mapper_run_room(c, mode));
		pim_mapper_run_choice(c, mode, g->n_edges, need, from, a, &run[i]);
		units = pim_mapper_units_take(&units, c->units, run[i].end, a);
		keep_run(p, i, &run[i]);
	}
	p->pj += p->latency * pim_mapper_static_pj(m->target);
	pim_arena_free(a);
}
