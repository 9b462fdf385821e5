/* SPDX-License-Identifier: Apache-2.0 */
/* passes/job.c - what a pass asks of its job: options, statistics, memory. */
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"

pim_graph *pim_job_graph(const pim_job *j)
{
	return j->graph;
}
pim_arena *pim_job_arena(const pim_job *j)
{
	return j->arena;
}

/* The field of that name; asking for one the row does not declare is the pass's own mistake. */
static int find_field(const pim_job *j, const char *name, bool option)
{
	const pim_pass_field *f = j->pass->fields;
	for (int i = 0; f && f[i].name; i++)
		if (!strcmp(f[i].name, name) && (f[i].init != NULL) == option)
			return i;
	PIM_BUG("pass '%s' declares no %s '%s'", j->pass->name, option ? "option" : "statistic", name);
}

const char *pim_job_string(const pim_job *j, const char *option)
{
	return j->option[find_field(j, option, true)];
}

int64_t pim_job_int(const pim_job *j, const char *option)
{
	return strtoll(pim_job_string(j, option), NULL, 10);
}

double pim_job_float(const pim_job *j, const char *option)
{
	int i = find_field(j, option, true);
	const char *s = j->option[i], *end = s + strlen(s);
	double v = 0;
	const char *rest = pim_read_float(s, end, &v);
	bool milliseconds = !strcmp(j->pass->fields[i].kind, "time") && !strcmp(rest, "ms");
	return milliseconds ? v / 1000 : v;
}

void pim_job_count(pim_job *j, const char *statistic, double amount)
{
	j->statistic[find_field(j, statistic, false)] += amount;
}

void pim_job_report(pim_job *j, const pim_outcome *o)
{
	j->record->outcome = *o;
	j->record->has_outcome = true;
}

void pim_job_points(pim_job *j, int n, const pim_point *point)
{
	pim_point *copy = PIM_NEW(j->graph->module->arena, pim_point, n + 1);
	for (int i = 0; i < n; i++) {
		copy[i] = point[i];
		copy[i].how = pim_arena_copy(j->graph->module->arena, point[i].how, strlen(point[i].how));
	}
	j->record->n_points = n;
	j->record->point = copy;
}
