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

/* Regions that the list schedule has not already settled, equal ones once: those that share the
 * time limit. */
static int count_open(const pim_regions *all, const int64_t *bound)
{
	int open = 0;
	for (int i = 0; i < all->n; i++)
		open += pim_region_cycles(&all->region[i]) > bound[i] && !find_same(all, i);
	return open;
}

/* Improves region after region; bound[i] becomes what was proved. False when some proof is missing.
 */
static bool improve(pim_regions *all, int64_t *bound, double end, pim_outcome *o, pim_arena *a)
{
	int open = count_open(all, bound);
	bool proved = true;
	for (int i = 0; i < all->n; i++) {
		pim_region *r = &all->region[i];
		const pim_region *same = find_same(all, i);
		if (same) {
			copy_answer(same, r);
			bound[i] = bound[same - all->region];
		}
		if (same || pim_region_cycles(r) <= bound[i])
			continue;
		double left = end - clock_seconds();
		bool done = false;
		bound[i] = pim_region_ilp(r, left > 0 ? left / open : 0, &o->nodes, &done, a);
		proved = proved && done;
		open--;
	}
	return proved;
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
	int64_t *bound = PIM_NEW(j->arena, int64_t, all.n);
	for (int i = 0; i < all.n; i++) {
		int64_t cycles = pim_region_list(&all.region[i], j->arena),
				least = pim_region_bound(&all.region[i], j->arena);
		bound[i] = least < cycles ? least : cycles;
	}
	pim_outcome o = {.status = "feasible"};
	bool proved =
		wants_ilp(j) && improve(&all, bound, begin + pim_job_float(j, "limit"), &o, j->arena);
	write_leaves(g, j->target);
	o.value = (double)write_regions(&all, j->target);
	for (int i = 0; i < all.n; i++)
		o.bound += (double)bound[i];
	if (proved || o.bound >= o.value)
		o.status = "optimal";
	else if (clock_seconds() - begin >= pim_job_float(j, "limit"))
		o.status = "limit";
	o.seconds = clock_seconds() - begin;
	pim_job_count(j, "latency", o.value);
	pim_job_report(j, &o);
	return true;
}
