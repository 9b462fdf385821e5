/* SPDX-License-Identifier: Apache-2.0 */
/* bench_rcpsp FILE.rcp --limit=S [--seed=N] - the scheduling engine on one project.
 *
 * The file is in Patterson's format: jobs, resources, capacities, then per job its duration, its
 * demands, the number of its successors, and these, counted from 1. */
#include "bench/scheduling_main.h"

enum { MOST_JOBS = 100000, MOST_RESOURCES = 64 };

static void read_job(scheduling_file *f, pim_scheduling *p, int i, int jobs, int resources)
{
	int64_t demand[MOST_RESOURCES];
	int64_t duration = read_number(f, "its duration", 0, MOST_FIGURE);
	for (int r = 0; r < resources; r++)
		demand[r] = read_number(f, "a demand", 0, MOST_FIGURE);
	if (f->failed)
		return;
	pim_scheduling_add_mode(p, i, duration, resources, demand);
	for (int64_t n = read_number(f, "the number of its successors", 0, jobs); n > 0; n--) {
		int to = (int)read_number(f, "a successor", 1, jobs);
		if (!f->failed)
			pim_scheduling_add_precedence(p, i, to - 1, 0);
	}
}

static void read_project(scheduling_file *f, pim_scheduling *p, const scheduling_arguments *a)
{
	(void)a;
	int jobs = (int)read_number(f, "the number of jobs", 1, MOST_JOBS);
	int resources = (int)read_number(f, "the number of resources", 0, MOST_RESOURCES);
	for (int r = 0; r < resources; r++)
		pim_scheduling_add_resource(p, read_number(f, "a capacity", 0, MOST_FIGURE));
	for (int i = 0; i < jobs; i++)
		pim_scheduling_add_task(p, 0);
	f->of = "job";
	for (int i = 0; i < jobs && !f->failed; i++) {
		f->index = i + 1;
		read_job(f, p, i, jobs, resources);
	}
}

int main(int argc, char **argv)
{
	return run_scheduling(argc, argv, read_project);
}
