/* SPDX-License-Identifier: Apache-2.0 */
/* bench_jobshop FILE --limit=S [--seed=N] - the scheduling engine on one job shop.
 *
 * The file holds the numbers of jobs and of machines, then per job its operations in order:
 * machine, counted from 0, and duration. */
#include "bench/scheduling_main.h"

static bool read_shop(scheduling_file *f, pim_scheduling *p, const scheduling_arguments *a)
{
	(void)a;
	int64_t jobs = read_number(f), machines = read_number(f), demand[1024] = {0};
	if (f->failed || jobs < 1 || machines < 1 || jobs > 10000 || machines > 1024)
		return false;
	for (int m = 0; m < machines; m++)
		pim_scheduling_add_resource(p, 1);
	for (int64_t j = 0; j < jobs; j++)
		for (int64_t k = 0; k < machines; k++) {
			int64_t machine = read_number(f), duration = read_number(f);
			if (f->failed || machine < 0 || machine >= machines || duration < 0)
				return false;
			int task = pim_scheduling_add_task(p, 0);
			demand[machine] = 1;
			pim_scheduling_add_mode(p, task, duration, (int)machines, demand);
			demand[machine] = 0;
			if (k)
				pim_scheduling_add_precedence(p, task - 1, task, 0);
		}
	return true;
}

int main(int argc, char **argv)
{
	return run_scheduling(argc, argv, read_shop);
}
