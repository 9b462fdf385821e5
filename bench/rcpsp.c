/* SPDX-License-Identifier: Apache-2.0 */
/* bench_rcpsp FILE.rcp --limit=S [--seed=N] - the scheduling engine on one project.
 *
 * The file is in Patterson's format: jobs, resources, capacities, then per job its duration, its
 * demands, the number of its successors, and these, counted from 1. */
#include "bench/scheduling_main.h"

static bool read_jobs(scheduling_file *f, pim_scheduling *p, int jobs, int resources)
{
	int64_t demand[64];
	for (int r = 0; r < resources; r++)
		pim_scheduling_add_resource(p, read_number(f));
	for (int i = 0; i < jobs; i++)
		pim_scheduling_add_task(p, 0);
	for (int i = 0; i < jobs && !f->failed; i++) {
		int64_t duration = read_number(f);
		for (int r = 0; r < resources; r++)
			demand[r] = read_number(f);
		pim_scheduling_add_mode(p, i, duration, resources, demand);
		for (int64_t n = read_number(f); n > 0 && !f->failed; n--) {
			int64_t to = read_number(f);
			if (to < 1 || to > jobs)
				return false;
			pim_scheduling_add_precedence(p, i, (int)to - 1, 0);
		}
	}
	return !f->failed;
}

static bool read_project(scheduling_file *f, pim_scheduling *p, const scheduling_arguments *a)
{
	(void)a;
	int64_t jobs = read_number(f), resources = read_number(f);
	if (f->failed || jobs < 1 || jobs > 100000 || resources < 0 || resources > 64)
		return false;
	return read_jobs(f, p, (int)jobs, (int)resources);
}

int main(int argc, char **argv)
{
	return run_scheduling(argc, argv, read_project);
}
