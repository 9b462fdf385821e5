/* SPDX-License-Identifier: Apache-2.0 */
/* map_network - units, cuts, loops, tiles and times of all ops, with overlap as the objective.
 *
 * Needs: SHAPED (simplified).  Gives: LAID_OUT, MAPPED, SCHEDULED.
 * Idea:  groups (mapper_groups.c) have choices (mapper_choices.c); a plan is a choice for each, run
 *        exactly, every stall carried on (mapper_run.c, mapper_reads.c). The papers' strategies
 * give first plans (mapper_greedy.c), the beam, which covers them, the last (mapper_beam.c). Units:
 *        equal shares, shares by work, or the best of several cuts of the network in runs of groups
 *        that have the machine in turn, shared by work within each (`search`); all=1: every group
 * all units. `metric` is what the choice looks at, `run` how the result goes. Cost:  groups * width
 * * choices * steps; one table for each two choices that meet. Source: the strategies and variants
 * of OverlaPIM and Fast-OverlaPIM (arXiv 2407.00604), as recalled; the beam, its bounds and the
 * shares are ours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/mapper.h"

#define LENGTH(a) ((int)(sizeof(a) / sizeof(a)[0]))

typedef enum shares { SHARES_equal, SHARES_macs, SHARES_moved, SHARES_search } shares;
static const char *const shares_name[] = {"equal", "macs", "moved", "search"};
enum { ROUNDS = 6, MOST_FILLS = 4096 }; /* of shares that are moved; of buffers, by one op */
static const char *const strategy_name[] = {"forward", "backward", "middle-out", "beam"};
static const char *const objective_name[] = {"latency", "energy", "edp", "pareto"};
static const char *const mode_name[] = {"original", "overlap", "transform"};
static const char *const followers_name[] = {"share", "own"};

typedef struct request {
	int strategy, objective, metric, run, shares, followers;
	int budget, width, point;
	bool all;
	uint64_t seed;
	double begin, limit;
} request;

typedef struct work {
	pim_graph *graph;
	pim_job *job;
	request ask;
	pim_mapper *m;
	pim_mapper_plan *best;
	pim_mapper_plan *fitting; /* the best of those that units can hold; may be NULL */
	int *kind;				  /* by group: the first that is equal */
	pim_map *offered; /* groups with their choices, by kind, units, `most` and `most_constants` */
	int64_t *most;	  /* by kind: bytes that a unit may hold of such a group */
	int64_t *most_constants; /* of these, of its constants */
	bool *closed;			 /* by group: its kind holds as little as it can */
	pim_mapper_front front;	 /* of all plans that were found */
	int64_t evaluated, nests;
	double bound;
	bool complete;
} work;

/* The number of the option's value among names; false after a diagnostic. */
static bool find_name(
	const work *w, const char *option, int n, const char *const *names, int *found)
{
	const char *value = pim_job_string(w->job, option);
	for (*found = 0; *found < n; ++*found)
		if (!strcmp(value, names[*found]))
			return true;
	pim_text list = {.n = 0};
	for (int i = 0; i < n; i++)
		pim_text_printf(&list, "%s%s", i == 0 ? "" : i == n - 1 ? " or " : ", ", names[i]);
	pim_error(w->graph->module->context, w->graph->loc, "map-network has no %s '%s'; expected %s",
		option, value, list.s);
	pim_text_free(&list);
	return false;
}

static bool read_request(work *w)
{
	request *r = &w->ask;
	bool good = find_name(w, "strategy", LENGTH(strategy_name), strategy_name, &r->strategy);
	good &= find_name(w, "objective", LENGTH(objective_name), objective_name, &r->objective);
	good &= find_name(w, "metric", LENGTH(mode_name), mode_name, &r->metric);
	good &= find_name(w, "run", LENGTH(mode_name), mode_name, &r->run);
	good &= find_name(w, "shares", LENGTH(shares_name), shares_name, &r->shares);
	good &= find_name(w, "followers", LENGTH(followers_name), followers_name, &r->followers);
	r->budget = (int)pim_job_int(w->job, "budget");
	r->width = (int)pim_job_int(w->job, "width");
	r->point = (int)pim_job_int(w->job, "point");
	r->seed = (uint64_t)pim_job_int(w->job, "seed");
	r->all = pim_job_int(w->job, "all") != 0;
	r->limit = pim_job_float(w->job, "limit");
	r->budget = r->budget < 1 ? 1 : r->budget;
	r->point = r->point < 1 ? 1 : r->point;
	return good;
}

/* ---- choices ---- */

/* Choices for units[i] units of each group; equal groups with equal units have the same, now and
 * whenever they are asked for again. */
static void offer(work *w, const int *units)
{
	pim_mapper *m = w->m;
	for (int i = 0; i < m->n; i++) {
		pim_mapper_group *g = &m->group[i];
		int64_t key[4] = {w->kind[i], units[i], w->most[w->kind[i]], w->most_constants[w->kind[i]]};
		const pim_mapper_group *s = pim_map_get(w->offered, key, sizeof key);
		if (!s) {
			pim_mapper_offer o = {.n_units = 1,
				.units = &units[i],
				.budget = w->ask.budget,
				.most = w->most[w->kind[i]],
				.most_constants = w->most_constants[w->kind[i]],
				.seed = w->ask.seed,
				.mode = (pim_mapper_mode)w->ask.metric,
				.frugal = w->ask.objective == PIM_OBJECTIVE_latency ? 0 : w->ask.budget / 2};
			w->nests += pim_mapper_choose(m, i, &o);
			pim_mapper_group *copy = PIM_NEW(m->arena, pim_mapper_group, 1);
			*copy = *g;
			pim_map_put(w->offered, key, sizeof key, copy);
			continue;
		}
		pim_mapper_share_choices(g, s);
	}
	pim_mapper_find_tails(m);
}

static void number_kinds(work *w)
{
	pim_mapper *m = w->m;
	w->offered = pim_map_new(m->arena);
	w->kind = PIM_NEW(m->arena, int, m->n + 1);
	w->most = PIM_NEW(m->arena, int64_t, m->n + 1);
	w->most_constants = PIM_NEW(m->arena, int64_t, m->n + 1);
	w->closed = PIM_NEW(m->arena, bool, m->n + 1);
	for (int i = 0; i < m->n; i++) {
		w->most_constants[i] = w->most[i] = pim_target_usable_bytes(m->target);
		w->kind[i] = 0;
		while (w->kind[i] < i && !pim_mapper_group_equal(&m->group[w->kind[i]], &m->group[i]))
			w->kind[i]++;
	}
}

/* ---- search ---- */

static double value_of(const work *w, const pim_mapper_plan *p)
{
	return pim_mapper_value((pim_mapper_objective)w->ask.objective, p->latency, p->pj);
}

/* Bytes that a unit lacks for the plan, and the group that should hold less. */
static int64_t missing_bytes(const work *w, const pim_mapper_plan *p, int *largest)
{
	return pim_mapper_plan_bytes(w->m, p, w->closed, largest) -
		   pim_target_usable_bytes(w->m->target);
}

static void keep_fitting(work *w, const pim_mapper_plan *p)
{
	int ignored;
	if ((w->fitting && value_of(w, p) >= value_of(w, w->fitting)) ||
		missing_bytes(w, p, &ignored) > 0)
		return;
	w->fitting = pim_mapper_plan_new(w->m, w->m->arena);
	memcpy(w->fitting->choice, p->choice, sizeof *p->choice * (size_t)w->m->n);
	pim_mapper_evaluate(w->m, (pim_mapper_mode)w->ask.metric, w->fitting);
}

static void search_choices(work *w, pim_mapper_search *s, pim_mapper_plan *best)
{
	bool beam = w->ask.strategy == PIM_STRATEGY_beam;
	for (int k = 0; k < PIM_STRATEGY_beam; k++)
		if (beam || k == w->ask.strategy)
			pim_mapper_greedy(w->m, s, (pim_mapper_strategy)k, best);
	if (beam)
		pim_mapper_beam(w->m, s, best);
}

/* What overlap-transform finds: the best plan of plain choices in loop order, turned. */
static void search_plain(work *w, pim_mapper_search *s)
{
	pim_mapper *m = w->m;
	pim_mapper_search plain = *s;
	pim_mapper_plan *p = pim_mapper_plan_new(m, m->arena);
	plain.mode = PIM_MAPPER_overlap;
	int *all = PIM_NEW(m->arena, int, m->n + 1);
	for (int i = 0; i < m->n; i++) {
		all[i] = m->group[i].n_choices;
		m->group[i].n_choices = m->group[i].n_plain;
	}
	search_choices(w, &plain, p);
	for (int i = 0; i < m->n; i++)
		m->group[i].n_choices = all[i];
	pim_mapper_turn_plan(m, &plain, p);
	s->evaluated += plain.evaluated;
	if (value_of(w, p) < value_of(w, w->best))
		w->best = p;
}

static void search(work *w, int width)
{
	pim_mapper_search s = {.mode = (pim_mapper_mode)w->ask.metric,
		.objective = (pim_mapper_objective)w->ask.objective,
		.width = width,
		.threads = w->job->threads,
		.deadline = w->ask.begin + w->ask.limit,
		.job = w->job};
	if (s.mode == PIM_MAPPER_transform) {
		search_plain(w, &s);
		s.width *= 2; /* each mapping is there twice */
	}
	search_choices(w, &s, w->best);
	w->evaluated += s.evaluated;
	pim_mapper_front_add(w->m, &w->front, w->best, objective_name[w->ask.objective]);
	keep_fitting(w, w->best);
	double bound = pim_mapper_bound(w->m, &s);
	double value = value_of(w, w->best);
	w->complete = w->ask.strategy == PIM_STRATEGY_beam && s.complete;
	w->bound = w->complete ? value : bound;
}

/* Is more than this part of the time over? */
static bool is_late(const work *w, double part)
{
	return pim_seconds_now() > w->ask.begin + part * w->ask.limit;
}

/* ---- memory that groups in turn share ---- */

/* Groups like i may hold less, by their part of what is too much; closed: they hold the least that
 * they can, as they still hold what they were not to. */
static void tighten(work *w, int i, int64_t excess)
{
	int64_t constants = pim_mapper_mean_constants(w->m, w->best->choice[i]);
	int kind = w->kind[i], n = 0;
	for (int k = 0; k < w->m->n; k++)
		n += w->kind[k] == kind;
	bool closed = constants > w->most_constants[kind];
	for (int k = 0; k < w->m->n && closed; k++)
		w->closed[k] |= w->kind[k] == kind;
	w->most_constants[kind] = constants - 1 - excess / n;
}

/* Searches until units can hold the plan, no group can hold less, or that part of the time is over.
 */
static void search_within(work *w, const int *units, double part)
{
	int largest;
	int64_t missing;
	search(w, w->ask.width);
	while (
		(missing = missing_bytes(w, w->best, &largest)) > 0 && largest >= 0 && !is_late(w, part)) {
		tighten(w, largest, missing);
		offer(w, units);
		w->best = pim_mapper_plan_new(w->m, w->m->arena);
		search(w, w->ask.width);
	}
}

static const pim_mapper_choice *find_smallest(const pim_mapper_group *g)
{
	const pim_mapper_choice *least = &g->choice[0];
	for (int k = 1; k < g->n_choices; k++)
		least = g->choice[k].bytes < least->bytes ? &g->choice[k] : least;
	return least;
}

/* What a unit holds when all other groups, on all units, hold as little as they can. */
static void limit_each(work *w, int *units)
{
	pim_mapper *m = w->m;
	pim_mapper_plan *p = pim_mapper_plan_new(m, m->arena);
	int ignored;
	for (int i = 0; i < m->n; i++)
		units[i] = m->units;
	offer(w, units);
	for (int i = 0; i < m->n; i++)
		p->choice[i] = find_smallest(&m->group[i]);
	int64_t have = pim_target_usable_bytes(m->target);
	int64_t left = -missing_bytes(w, p, &ignored);
	for (int i = 0; i < m->n; i++)
		if (w->kind[i] == i && left > 0 && p->choice[i]->bytes + left < have)
			w->most[i] = p->choice[i]->bytes + left;
}

/* From shares by work to ones for less waiting, again and again; each is searched from nothing, and
 * the best of all stays. */
static void move_shares(work *w)
{
	pim_mapper *m = w->m;
	int *units = PIM_NEW(m->arena, int, m->n + 1);
	pim_mapper_plan *best = w->best;
	double least = INFINITY;
	pim_mapper_fill_shares(m, 0, m->n, units);
	for (int round = 0; round < ROUNDS && (!round || !is_late(w, 1.0 / 3)); round++) {
		w->best = pim_mapper_plan_new(m, m->arena);
		offer(w, units);
		search(w, w->ask.width);
		least = fmin(least, w->bound);
		pim_mapper_move_shares(m, w->best, units);
		if (value_of(w, w->best) < value_of(w, best))
			best = w->best;
	}
	w->best = best;
	w->bound = least;
	w->complete = false;
}

/* Runs of groups that have the machine in turn: the first group of each, then the number of all. */
typedef struct turns {
	int n, *first;
} turns;

static void offer_turns(work *w, const turns *t, int *units)
{
	for (int k = 0; k < t->n; k++)
		pim_mapper_fill_shares(w->m, t->first[k], t->first[k + 1], units);
	offer(w, units);
}

/* What the forward strategy makes of these turns. */
static double try_turns(work *w, const turns *t, int *units)
{
	pim_mapper_search s = {.mode = (pim_mapper_mode)w->ask.metric,
		.objective = (pim_mapper_objective)w->ask.objective};
	pim_mapper_plan *best = w->best, *p = pim_mapper_plan_new(w->m, w->m->arena);
	offer_turns(w, t, units);
	pim_mapper_greedy(w->m, &s, PIM_STRATEGY_forward, p);
	w->evaluated += s.evaluated;
	pim_mapper_front_add(w->m, &w->front, p, objective_name[w->ask.objective]);
	keep_fitting(w, p);
	if (value_of(w, p) < value_of(w, best))
		w->best = p;
	return value_of(w, p);
}

/* Joins turns that follow each other as long as that is better. */
static void join_turns(work *w, turns *t, int *units)
{
	double least = try_turns(w, t, units);
	int *before = PIM_NEW(w->m->arena, int, w->m->n + 2);
	for (int k = 1; k < t->n && !is_late(w, 2.0 / 3); k++) {
		memcpy(before, t->first, sizeof *before * (size_t)(t->n + 1));
		memmove(t->first + k, t->first + k + 1, sizeof *before * (size_t)(t->n - k));
		t->n--;
		double now = try_turns(w, t, units);
		if (now < least) {
			least = now;
			k--;
			continue;
		}
		t->n++;
		memcpy(t->first, before, sizeof *before * (size_t)(t->n + 1));
	}
}

enum { WIDE = 8 }; /* times the width of the other beams */

/* Choices for the units that groups have in plans of the front, and for others. */
static void offer_front(work *w)
{
	pim_mapper_offer *o = PIM_NEW(w->m->arena, pim_mapper_offer, w->m->n + 1);
	for (int i = 0; i < w->m->n; i++)
		o[i] = (pim_mapper_offer){.budget = w->ask.budget,
			.most = w->most[w->kind[i]],
			.most_constants = w->most_constants[w->kind[i]],
			.seed = w->ask.seed,
			.mode = (pim_mapper_mode)w->ask.metric,
			.frugal = w->ask.budget};
	w->nests += pim_mapper_front_offer(w->m, &w->front, w->kind, o);
}

/* Turns give groups units by their work; messages may want fewer. Here each group has any of a few
 * numbers, whatever its neighbours have, and cuts that move less, too: with few plans kept, then
 * with many (once where all are kept), and again from what was found. */
static void search_mixed(work *w)
{
	pim_mapper_search s = {.mode = (pim_mapper_mode)w->ask.metric,
		.objective = (pim_mapper_objective)w->ask.objective,
		.width = w->ask.width,
		.class = PIM_CLASS_cut,
		.threads = w->job->threads,
		.deadline = w->ask.begin + w->ask.limit,
		.job = w->job};
	int rounds = w->ask.width ? 2 : 1;
	for (double before = INFINITY; value_of(w, w->best) < before && !is_late(w, 5.0 / 6);) {
		before = value_of(w, w->best);
		offer_front(w);
		w->bound = fmin(w->bound, pim_mapper_bound(w->m, &s));
		s.width = w->ask.width;
		for (int k = 0; k < rounds && !is_late(w, 5.0 / 6); k++, s.width *= WIDE) {
			pim_mapper_beam(w->m, &s, w->best);
			pim_mapper_front_add(w->m, &w->front, w->best, objective_name[w->ask.objective]);
			keep_fitting(w, w->best);
		}
	}
	w->evaluated += s.evaluated;
}

/* Shares that are moved; then turns of one group each, which are joined; groups with units of their
 * own; and several cuts of the network in turns. */
static void search_shares(work *w)
{
	pim_mapper *m = w->m;
	int *units = PIM_NEW(m->arena, int, m->n + 1);
	turns t = {.n = m->n, .first = PIM_NEW(m->arena, int, m->n + 2)};
	limit_each(w, units);
	if (m->n <= m->units)
		move_shares(w);
	double least = m->n <= m->units ? w->bound : INFINITY;
	pim_mapper_segment(m, t.n, t.first);
	offer_turns(w, &t, units);
	search_within(w, units, 1.0 / 2);
	least = fmin(least, w->bound);
	join_turns(w, &t, units);
	offer_turns(w, &t, units);
	search(w, w->ask.width);
	if (w->ask.strategy == PIM_STRATEGY_beam)
		search_mixed(w);
	least = fmin(least, w->bound);
	for (t.n = 2; t.n < m->n && !is_late(w, 5.0 / 6); t.n *= 2) {
		pim_mapper_segment(m, t.n, t.first);
		offer_turns(w, &t, units);
		search(w, w->ask.width);
		least = fmin(least, w->bound);
	}
	w->best = w->fitting ? w->fitting : w->best;
	w->bound = least;
	w->complete = false;
}

static void search_all(work *w)
{
	pim_mapper *m = w->m;
	int *units = PIM_NEW(m->arena, int, m->n + 1);
	number_kinds(w);
	for (int i = 0; i < m->n; i++)
		m->group[i].work = pim_mapper_work(m, i);
	if (!w->ask.all && w->ask.shares == SHARES_search) {
		search_shares(w);
		return;
	}
	if (!w->ask.all && w->ask.shares == SHARES_moved && m->n <= m->units) {
		move_shares(w);
		return;
	}
	int equal = m->units / m->n;
	for (int i = 0; i < m->n; i++)
		units[i] = w->ask.all						 ? m->units
				   : equal < m->group[i].least_units ? m->group[i].least_units
													 : equal;
	if (!w->ask.all && w->ask.shares != SHARES_equal)
		pim_mapper_fill_shares(m, 0, m->n, units);
	offer(w, units);
	if (w->ask.all)
		search_within(w, units, 1.0 / 2);
	else
		search(w, w->ask.width);
}

/* ---- the front of latency and energy ---- */

/* A third of the time for the best in each respect and in both, which say what numbers of units are
 * worth a look; the rest for what lies between. */
static void search_front(work *w)
{
	static const pim_mapper_objective each[] = {
		PIM_OBJECTIVE_energy, PIM_OBJECTIVE_edp, PIM_OBJECTIVE_latency};
	double limit = w->ask.limit;
	for (int k = 0; k < LENGTH(each); k++) {
		w->ask.objective = (int)each[k];
		w->ask.limit = limit * (k + 1) / (3 * LENGTH(each));
		w->best = pim_mapper_plan_new(w->m, w->m->arena);
		w->fitting = NULL;
		search_all(w);
	}
	pim_mapper_search s = {.mode = (pim_mapper_mode)w->ask.metric,
		.width = WIDE * w->ask.width,
		.threads = w->job->threads,
		.deadline = w->ask.begin + limit,
		.job = w->job};
	offer_front(w);
	pim_mapper_beam_front(w->m, &s, &w->front);
	w->bound = fmin(w->bound, pim_mapper_bound(w->m, &s));
	w->ask.limit = limit;
	w->evaluated += s.evaluated;
	w->complete = false;
}

/* ---- the plan as it runs ---- */

/* Runs a plan as it goes when tiles start as soon as they are ready. The search has places wait
 * until a step is complete at all places; as it is lowered, each waits for its own tiles, which is
 * known unless something is not cut along dimensions: that is complete at its end only, there. */
static void follow_tiles(work *w, pim_mapper_plan *p)
{
	pim_mapper_plan *other = pim_mapper_plan_new(w->m, w->m->arena);
	memcpy(other->choice, p->choice, sizeof *p->choice * (size_t)w->m->n);
	pim_mapper_evaluate(w->m, PIM_MAPPER_overlap, p);
	pim_mapper_evaluate(w->m, PIM_MAPPER_transform, other);
	if (other->latency < p->latency)
		*p = *other;
}

/* The same plan in the other modes, for the statistics. */
static double latency_in(work *w, pim_mapper_mode mode)
{
	pim_mapper_plan *p = pim_mapper_plan_new(w->m, w->m->arena);
	for (int i = 0; i < w->m->n; i++) {
		const pim_mapper_choice *c = w->best->choice[i];
		p->choice[i] = c->turn ? c->plain : c;
	}
	if (mode == PIM_MAPPER_overlap)
		follow_tiles(w, p);
	else
		pim_mapper_evaluate(w->m, mode, p);
	return p->latency;
}

/* The plan in the mode it runs in. */
static void finish_plan(work *w)
{
	pim_mapper_search s = {.objective = (pim_mapper_objective)w->ask.objective,
		.deadline = w->ask.begin + w->ask.limit};
	if (w->ask.run == PIM_MAPPER_transform && w->ask.metric != PIM_MAPPER_transform)
		pim_mapper_turn_plan(w->m, &s, w->best);
	else if (w->ask.run == PIM_MAPPER_overlap)
		follow_tiles(w, w->best);
	else if (w->ask.run != w->ask.metric)
		pim_mapper_evaluate(w->m, (pim_mapper_mode)w->ask.run, w->best);
	w->evaluated += s.evaluated;
}

static void take_found(work *w, const pim_mapper_found *f)
{
	w->best = pim_mapper_plan_new(w->m, w->m->arena);
	memcpy(w->best->choice, f->choice, sizeof *f->choice * (size_t)w->m->n);
	pim_mapper_evaluate(w->m, (pim_mapper_mode)w->ask.metric, w->best);
	finish_plan(w);
}

/* The front of the plans as they run, of those that units can hold if there are any, and the one of
 * them that was asked for. */
static void finish_front(work *w)
{
	pim_mapper_front found = w->front, held = {0};
	int ignored;
	w->front = (pim_mapper_front){0};
	for (int k = 0; k < found.n; k++) {
		take_found(w, &found.found[k]);
		pim_mapper_front *into = missing_bytes(w, w->best, &ignored) <= 0 ? &held : &w->front;
		pim_mapper_front_add(w->m, into, w->best, found.found[k].at.how);
	}
	w->front = held.n ? held : w->front;
	pim_mapper_front_sort(w->m, &w->front);
	int at = w->ask.point < w->front.n ? w->ask.point : w->front.n;
	take_found(w, &w->front.found[at - 1]);
}

static void report(work *w, double value)
{
	pim_outcome o = {.value = value,
		.bound = w->bound < value ? w->bound : value,
		.nodes = w->evaluated,
		.seconds = pim_seconds_now() - w->ask.begin};
	o.status = w->complete ? "optimal" : o.seconds >= w->ask.limit ? "limit" : "feasible";
	pim_job_report(w->job, &o);
	pim_job_points(w->job, w->front.n, pim_mapper_front_sort(w->m, &w->front));
	pim_job_count(w->job, "groups", w->m->n);
	pim_job_count(w->job, "nests", (double)w->nests);
	pim_job_count(w->job, "evaluated", (double)w->evaluated);
	pim_job_count(w->job, "sequential", latency_in(w, PIM_MAPPER_original));
	pim_job_count(w->job, "overlapped", latency_in(w, PIM_MAPPER_overlap));
	pim_job_count(w->job, "latency", w->best->latency);
	pim_job_count(w->job, "energy", w->best->pj);
}

/* Is each op so small that all units together walk it in a number of steps that is looked at? */
static bool check_sizes(const work *w)
{
	const pim_mapper *m = w->m;
	double most = (double)m->target->buffer.bytes * m->units * MOST_FILLS;
	for (int i = 0; i < m->n; i++) {
		const pim_node *n = m->group[i].leader;
		double bytes = (double)pim_type_bytes(n->type);
		for (uint32_t k = 0; k < n->n_in; k++)
			bytes += n->in[k] ? (double)pim_type_bytes(n->in[k]->type) : 0;
		if (bytes > most)
			return pim_node_error(n,
				"it reads and writes %.0f bytes, too many for map-network: %d units of %s have "
				"buffers "
				"of %lld bytes, and each is filled %d times at most",
				bytes, m->units, m->target->name, (long long)m->target->buffer.bytes, MOST_FILLS);
	}
	return true;
}

bool pim_pass_map_network(pim_graph *g, pim_job *j)
{
	work w = {.graph = g, .job = j, .ask = {.begin = pim_seconds_now()}};
	if (!read_request(&w))
		return false;
	w.m = pim_mapper_new(g, j->target, (pim_mapper_followers)w.ask.followers, j->arena);
	w.best = pim_mapper_plan_new(w.m, j->arena);
	bool front = w.ask.objective == PIM_OBJECTIVE_COUNT;
	if (!check_sizes(&w))
		return false;
	if (w.m->n > 0)
		(front ? search_front : search_all)(&w);
	double value =
		pim_mapper_value((pim_mapper_objective)w.ask.objective, w.best->latency, w.best->pj);
	if (w.m->n > 0)
		(front ? finish_front : finish_plan)(&w);
	value = front ? w.best->latency : value;
	w.nests += pim_mapper_write(w.m, w.best, g);
	if (w.m->n > 0)
		report(&w, value);
	return true;
}
