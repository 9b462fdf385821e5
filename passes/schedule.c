/* SPDX-License-Identifier: Apache-2.0 */
/* schedule - decides when each op runs and on how many units.
 *
 * Needs: MAPPED.  Gives: SCHEDULED.
 * Idea:  nodes join in chains, chains are tasks that may take all units or a share of them, and
 *        bottleneck tasks cut the graph into regions that are scheduled one after the other: first
 * by priority rules, then (solver=ilp) each region that is not known to be optimal by integer
 *        programming from there, within one time limit for all. Equal regions are solved once.
 *        A chain holds its units from its beginning to its end.
 * Cost:  list: linear in nodes for chains, tasks squared within a region.
 * Source: ours; the models' sources are in schedule_list.c and schedule_ilp.c. */
#include "passes/schedule.h"

#include <string.h>
#include <time.h>

static double clock_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What is there before the program runs: at time 0, for nothing. */
static void write_leaves(pim_graph *g, const pim_target *t)
{
	PIM_EACH_NODE(n, g)
	{
		if (!(pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf) || !n->plan)
			continue;
		int64_t slices = n->plan->layout ? pim_layout_slices(n->plan->layout) : 0;
		n->plan->n_units = (int)(slices < t->units ? slices : t->units);
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

static int count_open(const pim_regions *all, const proof *p)
{
	int open = 0;
	for (int i = 0; i < all->n; i++)
		open += !p[i].settled && !find_same(all, i);
	return open;
}

/* One walk over the open regions, which share what is left of the time. */
static void improve(pim_regions *all, proof *p, double end, int64_t *nodes, pim_arena *a)
{
	int open = count_open(all, p);
	for (int i = 0; i < all->n; i++) {
		pim_region *r = &all->region[i];
		const pim_region *same = find_same(all, i);
		if (same) {
			copy_answer(same, r);
			p[i] = p[same - all->region];
		}
		if (same || p[i].settled)
			continue;
		double left = end - clock_seconds();
		int64_t bound = pim_region_ilp(r, left > 0 ? left / open : 0, nodes, &p[i].settled, a);
		p[i].bound = bound > p[i].bound ? bound : p[i].bound;
		open--;
	}
}

/* Walks again, with larger shares, while regions are open and much of the time is left. */
static void improve_all(
	pim_regions *all, proof *p, double begin, double limit, int64_t *nodes, pim_arena *a)
{
	for (int round = 0; round < 3 && count_open(all, p); round++)
		if (clock_seconds() - begin < 0.9 * limit || !round)
			improve(all, p, begin + limit, nodes, a);
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

static bool wants_ilp(const pim_job *j)
{
	return !strcmp(pim_job_string(j, "solver"), "ilp");
}

bool pim_pass_schedule(pim_graph *g, pim_job *j)
{
	double begin = clock_seconds();
	if (!wants_ilp(j) && strcmp(pim_job_string(j, "solver"), "list"))
		return pim_error(g->module->context, g->loc,
			"schedule has no solver '%s', expected list or ilp", pim_job_string(j, "solver"));
	pim_regions all = pim_regions_of(g, j->target, j->arena);
	proof *p = PIM_NEW(j->arena, proof, all.n);
	for (int i = 0; i < all.n; i++) {
		int64_t cycles = pim_region_list(&all.region[i], j->arena);
		int64_t least = pim_region_bound(&all.region[i], j->arena);
		p[i] = (proof){.bound = least < cycles ? least : cycles, .settled = cycles <= least};
	}
	double limit = pim_job_float(j, "limit");
	pim_outcome o = {.status = "optimal"};
	if (wants_ilp(j))
		improve_all(&all, p, begin, limit, &o.nodes, j->arena);
	write_leaves(g, j->target);
	o.value = (double)write_regions(&all, j->target);
	for (int i = 0; i < all.n; i++)
		o.bound += (double)p[i].bound;
	if (count_open(&all, p))
		o.status = wants_ilp(j) && clock_seconds() - begin >= 0.9 * limit ? "limit" : "feasible";
	o.seconds = clock_seconds() - begin;
	pim_job_count(j, "latency", o.value);
	pim_job_report(j, &o);
	return true;
}
