/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_run.c - how groups run when each has its choice.
 *
 * Step j of a group starts when its units are free, step j - 1 is done, what it reads is complete
 * (done[ready[j]] of each producer, so stalls travel on) and has arrived: messages of a step take
 * their share of the cycles of all, one step's after the other's, as they are received, and one
 * after the other on their lane (mapper_reads.c), in parts, as they are sent. What is read of the
 * network's inputs is on its way from the start, in one piece: no step begins before it is there.
 * Units are taken from the earliest free, and held until the end. A group begins and ends no sooner
 * than what it reads, as times of a schedule must. In `original` mode a group starts when all
 * before it have ended; its own messages still overlap with its own steps. `transform`:
 * mapper_turns.c. */
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

/* How the messages of an edge come: lane by lane, in parts. */
typedef struct inflow {
	const pim_mapper_need *need;
	int64_t parts;
	double *at;			   /* by lane: when what it has sent has come */
	int64_t *sent, *steps; /* by lane: parts; steps that have them */
} inflow;

/* About as many as the lowering makes (targets/tile/stream.c); producer and reader run side by side
 * for `span` cycles. */
static int64_t count_parts(
	const pim_target *t, const pim_mapper_choice *p, double move, double span)
{
	double cost = (double)(t->memory.latency + t->command_cycles);
	int64_t most = (int64_t)sqrt((move + span) / fmax(cost, 1));
	return pim_max(1, pim_min(most, p->parts));
}

static inflow inflow_of(const pim_target *t, const pim_mapper_need *need, double from, pim_arena *a)
{
	const pim_mapper_run *p = need->of;
	int lanes = need->lanes->n ? need->lanes->n : 1;
	return (inflow){need,
		count_parts(t, p->choice, need->move, p->end > from ? p->end - p->begin : 0),
		PIM_NEW(a, double, lanes), PIM_NEW(a, int64_t, lanes), PIM_NEW(a, int64_t, lanes)};
}

/* When what step j of `steps` reads, complete at `ready`, has come. */
static double arrive(inflow *f, int64_t j, int64_t steps, double ready)
{
	const pim_mapper_lanes *l = f->need->lanes;
	int lane = l->n ? l->of_step[j] : 0;
	if (lane < 0)
		return ready;
	int64_t all = l->n ? l->steps[lane] : steps, parts = pim_min(f->parts, all);
	f->at[lane] = pim_later(f->at[lane], ready);
	if (f->steps[lane]++ * parts >= f->sent[lane] * all) {
		f->at[lane] += f->need->move / (double)parts;
		f->sent[lane]++;
	}
	return f->at[lane];
}

/* In original mode all that is read is complete at the beginning. */
static void run_steps(const pim_target *t, const pim_mapper_choice *c, int n,
	const pim_mapper_need *need, double from, pim_arena *scratch, pim_mapper_run *r)
{
	double lag = 0, arrived = from, now = from;
	inflow *flow = PIM_NEW(scratch, inflow, n + 1);
	for (int k = 0; k < n; k++) {
		flow[k] = inflow_of(t, &need[k], from, scratch);
		lag += need[k].move;
	}
	lag /= (double)c->steps;
	r->done[0] = 0;
	for (int64_t j = 0; j < c->steps; j++) {
		double latest = from;
		for (int k = 0; k < n; k++) {
			double ready = need[k].ready ? need[k].of->done[need[k].ready[j]] : from;
			arrived = pim_later(arrived, ready);
			latest = pim_later(latest, arrive(&flow[k], j, c->steps, pim_later(from, ready)));
		}
		r->begin = j ? r->begin : arrived;
		arrived += lag;
		now = pim_later(now, pim_later(arrived, latest)) + c->step;
		r->done[j + 1] = now;
	}
	r->end = now;
}

static void complete_at_end(pim_mapper_run *r)
{
	for (int64_t j = 0; j <= r->choice->steps; j++)
		r->done[j] = r->end;
}

void pim_mapper_run_choice(const pim_mapper *m, const pim_mapper_choice *c, pim_mapper_mode mode,
	int n, const pim_mapper_need *need, double from, pim_arena *scratch, pim_mapper_run *r)
{
	double fetched = pim_later(from, c->fetch);
	r->choice = c;
	r->order = NULL;
	if (mode == PIM_MAPPER_transform)
		pim_mapper_run_turns(c, n, need, fetched, scratch, r);
	else
		run_steps(m->target, c, n, need, fetched, scratch, r);
	if (mode == PIM_MAPPER_original)
		complete_at_end(r);
	r->begin = r->begin > fetched ? r->begin : from;
	for (int k = 0; k < n; k++) {
		r->begin = pim_later(r->begin, need[k].of->begin);
		r->end = pim_later(r->end, need[k].of->end);
	}
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
	pim_mapper_mode mode, double *bytes)
{
	const pim_mapper_group *f = &m->group[e->from];
	pim_mapper_move move = pim_mapper_known_move(m, e, c, from->choice);
	pim_mapper_need need = {.of = from, .move = move.cycles};
	bool fresh;
	*bytes += move.bytes;
	if (mode == PIM_MAPPER_transform) {
		need.demand = pim_mapper_known_demand(m, g, e, c);
		return need;
	}
	pim_mapper_lanes *lanes = pim_mapper_known_lanes(m, e, c, from->choice, &fresh);
	if (fresh)
		pim_mapper_find_lanes(m, g, e, c, f, from->choice, lanes);
	need.lanes = lanes;
	if (mode == PIM_MAPPER_original)
		return need;
	int32_t *ready = pim_mapper_known_ready(m, e, c, from->choice, &fresh);
	if (fresh)
		pim_mapper_ready(m, g, e, c, f, from->choice, ready);
	need.ready = ready;
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
		pim_mapper_forget(m, PIM_MOST_KNOWN);
		pim_mapper_need *need = PIM_NEW(a, pim_mapper_need, g->n_edges + 1);
		double bytes = 0;
		for (int k = 0; k < g->n_edges; k++)
			need[k] = pim_mapper_need_of(m, g, &g->edge[k], c, &run[g->edge[k].from], mode, &bytes);
		p->pj += pim_mapper_move_pj(m->target, bytes);
		double from =
			mode == PIM_MAPPER_original ? p->latency : pim_mapper_units_from(&units, c->units);
		run[i].done = PIM_NEW(a, double, pim_mapper_run_room(c, mode));
		pim_mapper_run_choice(m, c, mode, g->n_edges, need, from, a, &run[i]);
		units = pim_mapper_units_take(&units, c->units, run[i].end, a);
		keep_run(p, i, &run[i]);
	}
	p->pj += p->latency * pim_mapper_static_pj(m->target);
	pim_arena_free(a);
}
