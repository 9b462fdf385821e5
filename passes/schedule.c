/* SPDX-License-Identifier: Apache-2.0 */
/* schedule - decides when each op runs and on how many units.
 *
 * Needs: MAPPED.  Gives: SCHEDULED.
 * Idea:  nodes join in chains, chains are tasks that may take all units or a share of them, and
 *        bottleneck tasks cut the graph into regions that are scheduled one after the other: first
 *        by priority rules, then each region that is not known to be optimal from there, within one
 *        time limit for all: by the exact search of the scheduling engine (solver=search), or by
 *        integer programming where that has few enough tasks (solver=ilp). Search ends after so
 *        many rounds, which repeat exactly. Equal regions are solved once. A chain holds its units
 *        from its beginning to its end.
 * Cost:  list: linear in nodes for chains, tasks squared within a region.
 * Source: ours; the models' sources are in schedule_ilp.c and passes/scheduling.h. */
#include "passes/schedule.h"

#include <string.h>

/* What is there before the program runs: at time 0, for nothing. */
static void write_leaves(pim_graph *g, const pim_target *t)
{
	PIM_EACH_NODE(n, g)
	{
		if (!(pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf) || !n->plan)
			continue;
		int64_t slices = n->plan->layout ? pim_layout_slices(n->plan->layout) : 0;
		bool all = slices < t->units || n->op == PIM_OP_constant;
		n->plan->n_units = (int)(all ? slices : t->units);
		n->plan->start = n->plan->cycles = 0;
	}
}

static bool same_problem(const pim_region *a, const pim_region *b)
{
	if (a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++) {
		const pim_task *s = &a->task[i], *t = &b->task[i];
		if (s->n_modes != t->n_modes || s->n_before != t->n_before ||
			(s->n_before && memcmp(s->before, t->before, sizeof *s->before * (size_t)s->n_before)))
			return false;
		for (int m = 0; m < s->n_modes; m++)
			if (s->mode[m].units != t->mode[m].units || s->mode[m].cycles != t->mode[m].cycles)
				return false;
	}
	return true;
}

/* An earlier region that is the same problem, NULL for none. */
static const pim_region *find_same(const pim_regions *all, int i)
{
	for (int k = 0; all->region[i].n > 1 && k < i; k++)
		if (same_problem(&all->region[k], &all->region[i]))
			return &all->region[k];
	return NULL;
}

static void copy_answer(const pim_region *from, pim_region *to)
{
	for (int i = 0; i < to->n; i++) {
		to->task[i].chosen = from->task[i].chosen;
		to->task[i].start = from->task[i].start;
	}
}

/* What is known of each region: a proved bound, and whether nothing more is to be found. */
typedef struct proof {
	int64_t bound;
	bool settled;
} proof;

typedef enum solver { SOLVER_list, SOLVER_search, SOLVER_ilp, SOLVER_COUNT } solver;
static const char *const solver_name[SOLVER_COUNT] = {"list", "search", "ilp"};

static solver find_solver(const char *name)
{
	for (int s = 0; s < SOLVER_COUNT; s++)
		if (!strcmp(name, solver_name[s]))
			return (solver)s;
	return SOLVER_COUNT;
}

/* What a run of the pass works with. */
typedef struct work {
	pim_regions all;
	proof *proof; /* by region */
	solver solver;
	double begin, limit, gap;
	int64_t rounds, nodes;
	pim_arena *arena;
} work;

static int64_t improve_region(work *w, int i, double seconds)
{
	pim_region *r = &w->all.region[i];
	pim_region_effort e = {.seconds = seconds, .gap = w->gap, .rounds = w->rounds};
	if (w->solver == SOLVER_ilp)
		return pim_region_ilp(r, e, &w->nodes, &w->proof[i].settled, w->arena);
	return pim_region_search(r, e, &w->nodes, &w->proof[i].settled);
}

static int count_open(const work *w)
{
	int open = 0;
	for (int i = 0; i < w->all.n; i++)
		open += !w->proof[i].settled && !find_same(&w->all, i);
	return open;
}

/* One walk over the open regions, which share what is left of the time. */
static void improve(work *w)
{
	int open = count_open(w);
	for (int i = 0; i < w->all.n; i++) {
		const pim_region *same = find_same(&w->all, i);
		proof *p = &w->proof[i];
		if (same) {
			copy_answer(same, &w->all.region[i]);
			*p = w->proof[same - w->all.region];
		}
		if (same || p->settled)
			continue;
		double left = w->begin + w->limit - pim_seconds_now();
		int64_t bound = improve_region(w, i, left > 0 ? left / open : 0);
		p->bound = bound > p->bound ? bound : p->bound;
		open--;
	}
}

/* Walks again, with larger shares, while regions are open and much of the time is left. */
static void improve_all(work *w)
{
	for (int round = 0; round < 3 && count_open(w); round++)
		if (pim_seconds_now() - w->begin < 0.9 * w->limit || !round)
			improve(w);
}

static int64_t write_regions(const pim_regions *all, const pim_target *t)
{
	int64_t now = 0;
	for (int i = 0; i < all->n; i++) {
		const pim_region *r = &all->region[i];
		for (int k = 0; k < r->n; k++)
			pim_chain_cycles(&r->task[k], t, &r->task[k].mode[r->task[k].chosen], PIM_CHAIN_write,
				now + r->task[k].start);
		now += pim_region_cycles(r);
	}
	return now;
}

static void list_regions(work *w)
{
	w->proof = PIM_NEW(w->arena, proof, w->all.n);
	for (int i = 0; i < w->all.n; i++) {
		int64_t bound, cycles = pim_region_list(&w->all.region[i], &bound);
		w->proof[i] =
			(proof){.bound = bound, .settled = (double)(cycles - bound) <= w->gap * (double)cycles};
	}
}

bool pim_pass_schedule(pim_graph *g, pim_job *j)
{
	work w = {.begin = pim_seconds_now(),
		.solver = find_solver(pim_job_string(j, "solver")),
		.limit = pim_job_float(j, "limit"),
		.gap = pim_job_float(j, "gap"),
		.rounds = pim_job_int(j, "rounds"),
		.arena = j->arena};
	if (w.solver == SOLVER_COUNT)
		return pim_error(g->module->context, g->loc,
			"schedule has no solver '%s', expected list, search or ilp",
			pim_job_string(j, "solver"));
	w.all = pim_regions_of(g, j->target, j->arena);
	list_regions(&w);
	if (w.solver != SOLVER_list)
		improve_all(&w);
	write_leaves(g, j->target);
	pim_outcome o = {.nodes = w.nodes};
	o.value = (double)write_regions(&w.all, j->target);
	for (int i = 0; i < w.all.n; i++)
		o.bound += (double)w.proof[i].bound;
	o.seconds = pim_seconds_now() - w.begin;
	bool stopped = w.solver != SOLVER_list && count_open(&w) && o.seconds >= 0.9 * w.limit;
	o.status = o.bound >= o.value ? "optimal" : stopped ? "limit" : "feasible";
	pim_job_count(j, "latency", o.value);
	pim_job_report(j, &o);
	return true;
}
