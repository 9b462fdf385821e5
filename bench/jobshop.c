/* SPDX-License-Identifier: Apache-2.0 */
/* bench_jobshop FILE --limit=S [--seed=N] - the scheduling engine on one job shop.
 *
 * The file holds the numbers of jobs and of machines, then per job its operations in order:
 * machine, counted from 0, and duration. */
#include "bench/scheduling_main.h"

static void read_shop(scheduling_file *f, pim_scheduling *p, const scheduling_arguments *a)
{
	(void)a;
	int64_t demand[1024] = {0};
	int64_t jobs = read_number(f, "the number of jobs", 1, 10000);
	int machines = (int)read_number(f, "the number of machines", 1, 1024);
	for (int m = 0; m < machines; m++)
		pim_scheduling_add_resource(p, 1);
	f->of = "job";
	for (int64_t j = 0; j < jobs && !f->failed; j++) {
		f->index = j + 1;
		for (int k = 0; k < machines && !f->failed; k++) {
			int64_t machine = read_number(f, "a machine", 0, machines - 1);
			int64_t duration = read_number(f, "a duration", 0, MOST_FIGURE);
			int task = pim_scheduling_add_task(p, 0);
			demand[machine] = 1;
			pim_scheduling_add_mode(p, task, duration, machines, demand);
			demand[machine] = 0;
			if (k)
				pim_scheduling_add_precedence(p, task - 1, task, 0);
		}
	}
}

int main(int argc, char **argv)
{
	return run_scheduling(argc, argv, read_shop);
}
