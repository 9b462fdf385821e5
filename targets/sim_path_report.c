/* SPDX-License-Identifier: Apache-2.0 */
/* sim_path_report.c - where the run and its estimate part, op by op and cause by cause. */
#include <stdlib.h>

#include "ir/array.h"
#include "targets/sim.h"

static const char *const what_of[PIM_SIM_CAUSE_COUNT] = {
	[PIM_SIM_CAUSE_kernels] = "kernels",
	[PIM_SIM_CAUSE_memory] = "loads, stores and copies",
	[PIM_SIM_CAUSE_sending] = "messages: port of the sender",
	[PIM_SIM_CAUSE_hops] = "messages: hops",
	[PIM_SIM_CAUSE_links] = "messages: links busy with others",
	[PIM_SIM_CAUSE_receiving] = "messages: port of the receiver",
	[PIM_SIM_CAUSE_barriers] = "barriers",
	[PIM_SIM_CAUSE_issue] = "issue of commands",
	[PIM_SIM_CAUSE_bank] = "bank busy with other commands",
	[PIM_SIM_CAUSE_lockstep] = "banks of the channel not ready",
};

static const char *const cause_name[PIM_SIM_CAUSE_COUNT] = {
#define PIM_SIM_CAUSE_NAME(name) #name,
	PIM_SIM_CAUSES(PIM_SIM_CAUSE_NAME)
#undef PIM_SIM_CAUSE_NAME
};

static int64_t difference(const pim_sim_share *s)
{
	return s->path - s->estimated;
}

typedef struct rank {
	int64_t difference;
	int task;
} rank;

static int by_difference(const void *a, const void *b)
{
	const rank *x = a, *y = b;
	int64_t p = llabs(x->difference), q = llabs(y->difference);
	return p != q ? (p < q ? 1 : -1) : x->task - y->task;
}

/* Tasks by how much they differ, most first; from malloc. */
static rank *rank_tasks(const pim_sim_share *share, int n)
{
	rank *r = pim_array_raw(n, sizeof *r);
	for (int i = 0; i < n; i++)
		r[i] = (rank){difference(&share[i]), i};
	qsort(r, (size_t)n, sizeof *r, by_difference);
	return r;
}

static pim_sim_share sum_up(const pim_sim_share *share, int n)
{
	pim_sim_share all = {0};
	for (int i = 0; i < n; i++) {
		all.estimated += share[i].estimated;
		all.path += share[i].path;
		for (int k = 0; k < PIM_SIM_CAUSE_COUNT; k++)
			all.cause[k] += share[i].cause[k];
	}
	return all;
}

static double percent(int64_t part, int64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* The cause that most of a task's part of the path goes to. */
static int main_cause(const pim_sim_share *s)
{
	int most = 0;
	for (int k = 1; k < PIM_SIM_CAUSE_COUNT; k++)
		if (s->cause[k] > s->cause[most])
			most = k;
	return most;
}

static void print_task(const pim_sim_report *r, const pim_sim_share *s, int task, pim_text *out)
{
	const pim_task *t = r->program->task + task;
	int most = main_cause(s);
	pim_text_printf(out, "  %-32.32s %-10.10s %9lld %9lld %+9lld", t->name, t->op,
		(long long)s->estimated, (long long)s->path, (long long)difference(s));
	if (s->path)
		pim_text_printf(out, "  %s (%.0f %%)", what_of[most], percent(s->cause[most], s->path));
	pim_text_str(out, "\n");
}

void pim_sim_path_text(const pim_sim_report *r, const pim_sim_share *share, pim_text *out)
{
	enum { TASKS = 20 };
	pim_sim_share all = sum_up(share, r->program->n_tasks);
	pim_text_printf(out, "\ncritical path               cycles\n");
	for (int k = 0; k < PIM_SIM_CAUSE_COUNT; k++)
		if (all.cause[k])
			pim_text_printf(out, "  %-32s %9lld  %5.1f %%\n", what_of[k], (long long)all.cause[k],
				percent(all.cause[k], all.path));
	pim_text_printf(
		out, "  ops that differ most      op        estimated      path      more  mostly\n");
	rank *order = rank_tasks(share, r->program->n_tasks);
	for (int i = 0; i < r->program->n_tasks && i < TASKS && order[i].difference; i++)
		print_task(r, &share[order[i].task], order[i].task, out);
	free(order);
}

static void json_share(const pim_sim_report *r, const pim_sim_share *s, int task, pim_text *out)
{
	pim_text_str(out, "{\"name\": ");
	pim_text_quoted(out, r->program->task[task].name);
	pim_text_printf(
		out, ", \"estimated\": %lld, \"path\": %lld", (long long)s->estimated, (long long)s->path);
	for (int k = 0; k < PIM_SIM_CAUSE_COUNT; k++)
		if (s->cause[k])
			pim_text_printf(out, ", \"%s\": %lld", cause_name[k], (long long)s->cause[k]);
	pim_text_str(out, "}");
}

void pim_sim_path_json(const pim_sim_report *r, const pim_sim_share *share, pim_text *out)
{
	pim_text_str(out, ",\n\"critical_path\": [");
	for (int i = 0; i < r->program->n_tasks; i++) {
		pim_text_str(out, i ? ",\n  " : "\n  ");
		json_share(r, &share[i], i, out);
	}
	pim_text_str(out, "]");
}
