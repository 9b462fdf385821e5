/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_beam.c - choices for all groups: a beam over partial plans, with branch and bound.
 *
 * A state gives the first groups, in the graph's order, a choice each and runs them exactly. It is
 * extended by every choice of the next group; only that group is run. What is left out:
 * - a state whose bound is not below the best plan known. The bound is proved: (1), but not in
 *   turns: a group whose value's last element is read by another ends no later than one step before
 * it (the least step of all its choices), and so on to the results; (2) each group takes at least
 * its least cycles, and the same tails follow; (3) no unit works before it is free nor two groups
 * at a time, so the times when units are free and the least areas (cycles times units) of the
 * groups to come, shared by all units, are no later than the end; (4) energy: the least of each
 * group to come;
 * - when there are more than `width`: the states of highest rank, which is the bound with a share
 * of the group's mean time of completion; half of the width is kept for the best of each class
 * (order of loops and units, or cut) of the last group, since what suits the next group is not
 * known yet. That is all that is not proved; with width 0 the beam is exhaustive. With width 1 and
 * one class it is the papers' forward strategy. A front of latency and energy: a state is left out
 * when a plan is known that is no worse than both its bounds; the width is for states that no other
 * is better than in both, and for the best of each cut of the last group by each objective, since
 * moves are not known yet. Extensions are run by threads into slots of their own, so their number
 * changes nothing. Cost: groups * width * choices * steps, and one table per pair of choices that
 * meet. */
#include "passes/mapper.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"

typedef struct state {
	const pim_mapper_run **run; /* by group */
	pim_mapper_units units;
	double latency, pj, bound, rank;
	pim_point least, late; /* bounds in both respects; the same with the mean time of completion */
	int parent, choice;	   /* of an extension */
	bool dropped, kept;
} state;

/* Tables of an edge into the group being extended. */
typedef struct joint {
	int n_from;
	const pim_mapper_choice **from;	  /* distinct choices of the producer among the states */
	int *like;						  /* the first of them with the same cut */
	const int32_t **ready;			  /* overlap mode: [from * choices + choice] */
	const pim_mapper_lanes **lanes;	  /* but in transform mode: [like * choices + choice] */
	const pim_mapper_demand **demand; /* transform mode: [choice] */
	int cuts;						  /* of the group */
	pim_mapper_move *move;			  /* [from * cuts + cut] */
} joint;

/* Tables that are still to be filled; those that are not are NULL. */
typedef struct gap {
	const pim_mapper_edge *edge;
	const pim_mapper_choice *reader, *producer;
	int32_t *ready;
	pim_mapper_lanes *lanes;
} gap;

typedef struct beam {
	const pim_mapper *m;
	pim_mapper_search *s;
	pim_arena *arena; /* of the search */
	int group, n, next;
	state *state, *extension;
	double *open;  /* by group: least area of it and those behind it */
	double *floor; /* by group: least end that it and those behind it allow */
	double *open_pj, *open_cycles;
	double best;
	pim_mapper_front *front; /* where plans are spread over both respects; else NULL */
	pim_arena *scratch;		 /* of the group */
	joint *joint;
	gap *gap;
	int n_gaps, room_gaps;
	int **from_of;	   /* by edge, by state: which of joint.from */
	int64_t most_room; /* of a run of the group */
	int workers;
} beam;

/* ---- bounds ---- */

/* In turns the last element of a value need not be complete last. */
static double tail_of(const beam *b, int group)
{
	return b->s->mode == PIM_MAPPER_transform ? 0 : b->m->group[group].tail;
}

void pim_mapper_find_tails(pim_mapper *m)
{
	for (int i = 0; i < m->n; i++)
		m->group[i].tail = 0;
	for (int i = m->n - 1; i >= 0; i--) {
		const pim_mapper_group *g = &m->group[i];
		for (int k = 0; k < g->n_edges; k++)
			if (g->edge[k].corner)
				m->group[g->edge[k].from].tail =
					fmax(m->group[g->edge[k].from].tail, g->least_step + g->tail);
	}
}

static void find_floors(beam *b)
{
	const pim_mapper *m = b->m;
	b->open = PIM_NEW(b->arena, double, m->n + 1);
	b->floor = PIM_NEW(b->arena, double, m->n + 1);
	b->open_pj = PIM_NEW(b->arena, double, m->n + 1);
	b->open_cycles = PIM_NEW(b->arena, double, m->n + 1);
	for (int i = m->n - 1; i >= 0; i--) {
		const pim_mapper_group *g = &m->group[i];
		b->open[i] = b->open[i + 1] + g->least_area;
		b->floor[i] = fmax(b->floor[i + 1], g->least_cycles + tail_of(b, i));
		b->open_pj[i] = b->open_pj[i + 1] + g->least_pj;
		b->open_cycles[i] = b->open_cycles[i + 1] + g->least_cycles;
	}
}

static double latency_bound(
	const beam *b, double latency, const pim_mapper_units *u, double tails, int next)
{
	if (b->s->mode == PIM_MAPPER_original)
		return latency + b->open_cycles[next];
	double area = b->open[next];
	for (int i = 0; i < u->n; i++)
		area += u->span[i].from * u->span[i].units;
	return fmax(fmax(latency, tails), fmax(area / b->m->units, b->floor[next]));
}

static double energy_bound(const beam *b, double latency, double pj, int next)
{
	return pj + b->open_pj[next] + latency * pim_mapper_static_pj(b->m->target);
}

static double value_bound(const beam *b, double latency, double pj, int next)
{
	return pim_mapper_value(b->s->objective, latency, energy_bound(b, latency, pj, next));
}

double pim_mapper_bound(const pim_mapper *m, const pim_mapper_search *s)
{
	pim_mapper_search own = *s;
	beam b = {.m = m, .s = &own, .arena = pim_arena_new()};
	find_floors(&b);
	pim_mapper_units all = pim_mapper_units_new(m->units, b.arena);
	double bound = value_bound(&b, latency_bound(&b, 0, &all, 0, 0), 0, 0);
	pim_arena_free(b.arena);
	return bound;
}

/* ---- extensions ---- */

static double run_extension(
	const beam *b, state *x, double *done, pim_arena *scratch, pim_mapper_run *r)
{
	const pim_mapper *m = b->m;
	const state *p = &b->state[x->parent];
	const pim_mapper_group *g = &m->group[b->group];
	const pim_mapper_choice *c = &g->choice[x->choice];
	pim_mapper_need *need = PIM_NEW(scratch, pim_mapper_need, g->n_edges + 1);
	x->pj = p->pj + c->pj;
	for (int k = 0; k < g->n_edges; k++) {
		const joint *j = &b->joint[k];
		int from = b->from_of[k][x->parent];
		pim_mapper_move move = j->move[from * j->cuts + c->cut];
		need[k] = (pim_mapper_need){.of = p->run[g->edge[k].from], .move = move.cycles};
		if (b->s->mode == PIM_MAPPER_overlap)
			need[k].ready = j->ready[from * g->n_choices + x->choice];
		if (b->s->mode != PIM_MAPPER_transform)
			need[k].lanes = j->lanes[j->like[from] * g->n_choices + x->choice];
		if (b->s->mode == PIM_MAPPER_transform)
			need[k].demand = j->demand[x->choice];
		x->pj += pim_mapper_move_pj(m->target, move.bytes);
	}
	double free =
		b->s->mode == PIM_MAPPER_original ? p->latency : pim_mapper_units_from(&p->units, c->units);
	r->done = done;
	pim_mapper_run_choice(m, c, b->s->mode, g->n_edges, need, free, scratch, r);
	return r->end;
}

/* The mean over steps, or tiles, of when they are complete. */
static double mean_done(const pim_mapper_run *r, pim_mapper_mode mode)
{
	double sum = 0;
	int64_t first = mode == PIM_MAPPER_overlap, room = pim_mapper_run_room(r->choice, mode);
	for (int64_t j = first; j < room; j++)
		sum += r->done[j];
	return sum / (double)(room - first);
}

static double tails_of(const beam *b, const state *p)
{
	double tails = 0;
	for (int i = 0; i < b->group; i++)
		tails = fmax(tails, p->run[i]->end + tail_of(b, i));
	return tails;
}

static void rate(const beam *b, state *x, double *done)
{
	const state *p = &b->state[x->parent];
	pim_mapper_run r;
	pim_arena *a = pim_arena_new();
	run_extension(b, x, done, a, &r);
	x->latency = fmax(p->latency, r.end);
	pim_mapper_units u = pim_mapper_units_take(&p->units, r.choice->units, r.end, a);
	double tails = fmax(p->rank, r.end + tail_of(b, b->group));
	double latency = latency_bound(b, x->latency, &u, tails, b->group + 1);
	x->bound = value_bound(b, latency, x->pj, b->group + 1);
	x->least = (pim_point){latency, energy_bound(b, latency, x->pj, b->group + 1), NULL};
	double late = latency + (b->s->mode == PIM_MAPPER_original ? 0 : mean_done(&r, b->s->mode));
	x->rank = value_bound(b, late, x->pj, b->group + 1);
	bool last = b->group == b->m->n - 1;
	x->late = (pim_point){last ? latency : late, x->least.pj, NULL};
	x->dropped = b->front ? pim_mapper_front_covers(b->front, x->least.cycles, x->least.pj)
						  : x->bound >= b->best;
	pim_arena_free(a);
}

typedef struct worker {
	beam *b;
	int number, n;
} worker;

static void *rate_share(void *user)
{
	worker *w = user;
	double *done = pim_array_raw(w->b->most_room, sizeof *done);
	for (int i = w->number; i < w->n; i += w->b->workers)
		rate(w->b, &w->b->extension[i], done);
	free(done);
	return NULL;
}

/* Tables that are not known yet; which a thread fills: every `workers`-th. */
static void *fill_share(void *user)
{
	worker *w = user;
	const beam *b = w->b;
	const pim_mapper_group *g = &b->m->group[b->group];
	for (int i = w->number; i < b->n_gaps; i += b->workers) {
		const gap *p = &b->gap[i];
		const pim_mapper_group *from = &b->m->group[p->edge->from];
		if (p->ready)
			pim_mapper_ready(b->m, g, p->edge, p->reader, from, p->producer, p->ready);
		if (p->lanes)
			pim_mapper_find_lanes(b->m, g, p->edge, p->reader, from, p->producer, p->lanes);
	}
	return NULL;
}

static void run_threads(beam *b, void *(*work)(void *), int n)
{
	worker w[64];
	pthread_t thread[64];
	bool started[64];
	for (int i = 0; i < b->workers; i++) {
		w[i] = (worker){b, i, n};
		started[i] = i > 0 && !pthread_create(&thread[i], NULL, work, &w[i]);
	}
	for (int i = 0; i < b->workers; i++)
		if (started[i])
			pthread_join(thread[i], NULL);
		else
			work(&w[i]);
}

/* ---- tables of the group ---- */

static void find_producers(beam *b, int k)
{
	const pim_mapper_group *g = &b->m->group[b->group];
	int group = g->edge[k].from;
	joint *j = &b->joint[k];
	j->from = PIM_NEW(b->scratch, const pim_mapper_choice *, b->n);
	b->from_of[k] = PIM_NEW(b->scratch, int, b->n);
	for (int i = 0; i < b->n; i++) {
		const pim_mapper_choice *c = b->state[i].run[group]->choice;
		int f = 0;
		while (f < j->n_from && j->from[f] != c)
			f++;
		j->from[f] = c;
		j->n_from += f == j->n_from;
		b->from_of[k][i] = f;
	}
	j->like = PIM_NEW(b->scratch, int, j->n_from);
	for (int f = 0; f < j->n_from; f++)
		while (j->from[j->like[f]]->cut != j->from[f]->cut)
			j->like[f]++;
}

static void find_moves(beam *b, int k)
{
	const pim_mapper_group *g = &b->m->group[b->group];
	joint *j = &b->joint[k];
	for (int c = 0; c < g->n_choices; c++)
		j->cuts = g->choice[c].cut >= j->cuts ? g->choice[c].cut + 1 : j->cuts;
	j->move = PIM_NEW(b->scratch, pim_mapper_move, j->n_from * j->cuts);
	bool *known = PIM_NEW(b->scratch, bool, j->n_from * j->cuts);
	for (int f = 0; f < j->n_from; f++)
		for (int c = 0; c < g->n_choices; c++) {
			int at = f * j->cuts + g->choice[c].cut, like = j->like[f];
			if (!known[at])
				j->move[at] =
					like < f ? j->move[like * j->cuts + g->choice[c].cut]
							 : pim_mapper_known_move(b->m, &g->edge[k], &g->choice[c], j->from[f]);
			known[at] = true;
		}
}

static void find_demands(beam *b, int k)
{
	const pim_mapper_group *g = &b->m->group[b->group];
	joint *j = &b->joint[k];
	j->demand = PIM_NEW(b->scratch, const pim_mapper_demand *, g->n_choices);
	for (int c = 0; c < g->n_choices; c++)
		j->demand[c] = pim_mapper_known_demand(b->m, g, &g->edge[k], &g->choice[c]);
}

static void find_tables(beam *b, int k)
{
	const pim_mapper_group *g = &b->m->group[b->group];
	const pim_mapper_edge *e = &g->edge[k];
	joint *j = &b->joint[k];
	int n = j->n_from * g->n_choices;
	j->lanes = PIM_NEW(b->scratch, const pim_mapper_lanes *, n);
	j->ready = PIM_NEW(b->scratch, const int32_t *, n);
	for (int i = 0; i < n; i++) {
		const pim_mapper_choice *c = &g->choice[i % g->n_choices];
		int f = i / g->n_choices;
		gap p = {.edge = e, .reader = c, .producer = j->from[f]};
		bool fresh_ready = false, fresh_lanes = false;
		if (b->s->mode == PIM_MAPPER_overlap)
			j->ready[i] = p.ready = pim_mapper_known_ready(b->m, e, c, j->from[f], &fresh_ready);
		if (j->like[f] == f)
			j->lanes[i] = p.lanes = pim_mapper_known_lanes(b->m, e, c, j->from[f], &fresh_lanes);
		p.ready = fresh_ready ? p.ready : NULL;
		p.lanes = fresh_lanes ? p.lanes : NULL;
		if (!p.ready && !p.lanes)
			continue;
		b->gap = pim_arena_grow(b->scratch, b->gap, b->n_gaps, &b->room_gaps, sizeof *b->gap);
		b->gap[b->n_gaps++] = p;
	}
}

static void find_joints(beam *b)
{
	const pim_mapper_group *g = &b->m->group[b->group];
	pim_mapper_forget(b->m, PIM_MOST_KNOWN);
	b->gap = NULL;
	b->n_gaps = b->room_gaps = 0;
	b->joint = PIM_NEW(b->scratch, joint, g->n_edges + 1);
	b->from_of = PIM_NEW(b->scratch, int *, g->n_edges + 1);
	for (int k = 0; k < g->n_edges; k++) {
		find_producers(b, k);
		find_moves(b, k);
		if (b->s->mode == PIM_MAPPER_transform)
			find_demands(b, k);
		else
			find_tables(b, k);
	}
	if (b->n_gaps > 0)
		run_threads(b, fill_share, 0);
}

/* ---- what is kept ---- */

static int by_rank(const void *a, const void *b)
{
	const state *x = a, *y = b;
	if (x->dropped != y->dropped)
		return x->dropped ? 1 : -1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return x->choice - y->choice;
}

static bool same_class(const beam *b, const state *x, const state *y)
{
	const pim_mapper_choice *c = b->m->group[b->group].choice;
	if (b->s->class == PIM_CLASS_cut)
		return c[x->choice].cut == c[y->choice].cut;
	return c[x->choice].order == c[y->choice].order && c[x->choice].units == c[y->choice].units;
}

/* Moves what is kept to the front: the best of each class, at most half of the width, then by rank.
 */
static int keep(beam *b, int n, int width)
{
	qsort(b->extension, (size_t)n, sizeof *b->extension, by_rank);
	while (n > 0 && b->extension[n - 1].dropped)
		n--;
	if (!width || n <= width)
		return n;
	b->s->complete = false;
	state *kept = PIM_NEW(b->scratch, state, width);
	int firsts = 0, count = 0;
	bool *taken = PIM_NEW(b->scratch, bool, n);
	for (int i = 0; i < n && firsts < width / 2; i++) {
		bool known = false;
		for (int k = 0; k < firsts && !known; k++)
			known = same_class(b, &kept[k], &b->extension[i]);
		if (known)
			continue;
		kept[firsts++] = b->extension[i];
		taken[i] = true;
	}
	count = firsts;
	for (int i = 0; i < n && count < width; i++)
		if (!taken[i])
			kept[count++] = b->extension[i];
	qsort(kept, (size_t)count, sizeof *kept, by_rank);
	memcpy(b->extension, kept, sizeof *kept * (size_t)count);
	return count;
}

/* Of those that are not kept yet, the ones that none is better than in both respects, spread. */
static int take_front(const beam *b, int n, int most, state *kept)
{
	int have = 0, *left = PIM_NEW(b->scratch, int, n + 1),
		*chosen = PIM_NEW(b->scratch, int, n + 1);
	pim_point *p = PIM_NEW(b->scratch, pim_point, n + 1);
	for (int i = 0; i < n; i++)
		if (!b->extension[i].kept) {
			left[have] = i;
			p[have++] = b->extension[i].late;
		}
	have = pim_front_choose(have, p, most, chosen, b->scratch);
	for (int k = 0; k < have; k++) {
		b->extension[left[chosen[k]]].kept = true;
		kept[k] = b->extension[left[chosen[k]]];
	}
	return have;
}

static bool same_cut(const beam *b, const state *x, const state *y)
{
	const pim_mapper_choice *c = b->m->group[b->group].choice;
	return c[x->choice].cut == c[y->choice].cut;
}

/* Of those, the best of each cut by an objective. */
static int take_cuts(const beam *b, int n, pim_mapper_objective o, int most, state *kept)
{
	int count = 0;
	for (int i = 0; i < n; i++) {
		state *x = &b->extension[i];
		x->rank = pim_mapper_value(o, x->late.cycles, x->late.pj);
	}
	qsort(b->extension, (size_t)n, sizeof *b->extension, by_rank);
	for (int i = 0; i < n && count < most; i++) {
		bool known = b->extension[i].kept;
		for (int k = 0; k < count && !known; k++)
			known = same_cut(b, &kept[k], &b->extension[i]);
		if (known)
			continue;
		b->extension[i].kept = true;
		kept[count++] = b->extension[i];
	}
	return count;
}

/* The same where a front is asked: half of the width is spread over both respects, the other half
 * the best of each cut by each objective. Of whole plans all those stay that none is better than.
 */
static int keep_front(beam *b, int n, int width)
{
	bool last = b->group == b->m->n - 1;
	qsort(b->extension, (size_t)n, sizeof *b->extension, by_rank);
	while (n > 0 && b->extension[n - 1].dropped)
		n--;
	if (!last && (!width || n <= width))
		return n;
	int most = last ? n : width, each = (most + 5) / 6;
	state *kept = PIM_NEW(b->scratch, state, most + 1);
	int count = take_front(b, n, last ? n : (most + 1) / 2, kept);
	for (int before = -1; !last && count < most && before < count;) {
		before = count;
		for (int o = 0; o < PIM_OBJECTIVE_COUNT; o++) {
			int left = most - count < each ? most - count : each;
			count += take_cuts(b, n, (pim_mapper_objective)o, left, kept + count);
		}
	}
	b->s->complete &= last;
	memcpy(b->extension, kept, sizeof *kept * (size_t)count);
	return count;
}

/* The extension as a state of its own. */
static state settle(const beam *b, const state *x)
{
	const pim_mapper *m = b->m;
	const state *p = &b->state[x->parent];
	const pim_mapper_choice *c = &m->group[b->group].choice[x->choice];
	state s = *x;
	pim_mapper_run *r = PIM_NEW(b->arena, pim_mapper_run, 1);
	double *done = PIM_NEW(b->arena, double, pim_mapper_run_room(c, b->s->mode));
	run_extension(b, &s, done, b->scratch, r);
	s.run = PIM_NEW(b->arena, const pim_mapper_run *, m->n + 1);
	if (b->group)
		memcpy(s.run, p->run, sizeof *s.run * (size_t)b->group);
	s.run[b->group] = r;
	s.units = pim_mapper_units_take(&p->units, c->units, r->end, b->arena);
	return s;
}

static void extend(beam *b, int width)
{
	const pim_mapper_group *g = &b->m->group[b->group];
	b->scratch = pim_arena_new();
	find_joints(b);
	b->most_room = 0;
	for (int c = 0; c < g->n_choices; c++) {
		int64_t room = pim_mapper_run_room(&g->choice[c], b->s->mode);
		b->most_room = room > b->most_room ? room : b->most_room;
	}
	int n = b->n * g->n_choices;
	b->extension = PIM_NEW(b->scratch, state, n + 1);
	for (int i = 0; i < b->n; i++) {
		b->state[i].rank = tails_of(b, &b->state[i]);
		for (int c = 0; c < g->n_choices; c++)
			b->extension[i * g->n_choices + c] = (state){.parent = i, .choice = c};
	}
	run_threads(b, rate_share, n);
	b->s->evaluated += n;
	n = (b->front ? keep_front : keep)(b, n, width);
	state *next = PIM_NEW(b->arena, state, n + 1);
	for (int i = 0; i < n; i++)
		next[i] = settle(b, &b->extension[i]);
	b->state = next;
	b->n = n;
	pim_arena_free(b->scratch);
}

static void tell(const beam *b)
{
	pim_job *j = b->s->job;
	if (j && j->progress)
		j->progress(j->progress_user, "map-network", (double)(b->group + 1) / b->m->n);
}

enum { LEAST_FRONT = 8 }; /* plans that stand for a front when time is over */

static void extend_all(beam *b)
{
	b->arena = pim_arena_new();
	b->workers = b->s->threads < 1 ? 1 : b->s->threads > 64 ? 64 : b->s->threads;
	find_floors(b);
	b->s->complete = true;
	b->state = PIM_NEW(b->arena, state, 1);
	b->n = 1;
	b->state[0].units = pim_mapper_units_new(b->m->units, b->arena);
	int least = b->front ? LEAST_FRONT : 1;
	for (b->group = 0; b->group < b->m->n && b->n > 0; b->group++) {
		bool late = pim_seconds_now() > b->s->deadline;
		extend(b, late ? least : b->s->width);
		tell(b);
	}
}

static void write_plan(const beam *b, const state *x, pim_mapper_plan *p)
{
	for (int i = 0; i < b->m->n; i++)
		p->choice[i] = x->run[i]->choice;
	pim_mapper_evaluate(b->m, b->s->mode, p);
}

void pim_mapper_beam(const pim_mapper *m, pim_mapper_search *s, pim_mapper_plan *best)
{
	beam b = {.m = m, .s = s, .best = pim_mapper_value(s->objective, best->latency, best->pj)};
	extend_all(&b);
	if (b.n > 0) {
		const state *x = &b.state[0];
		for (int i = 1; i < b.n; i++)
			x = b.state[i].bound < x->bound ? &b.state[i] : x;
		write_plan(&b, x, best);
	}
	pim_arena_free(b.arena);
}

void pim_mapper_beam_front(const pim_mapper *m, pim_mapper_search *s, pim_mapper_front *front)
{
	beam b = {.m = m, .s = s, .front = front};
	extend_all(&b);
	for (int i = 0; i < b.n; i++) {
		pim_mapper_plan *p = pim_mapper_plan_new(m, b.arena);
		write_plan(&b, &b.state[i], p);
		pim_mapper_front_add(m, front, p, "front");
	}
	pim_arena_free(b.arena);
}
