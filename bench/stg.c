/* SPDX-License-Identifier: Apache-2.0 */
/* bench_stg FILE --processors=P --limit=S [--seed=N] - the scheduling engine on one task graph.
 *
 * The file is in the form of the Standard Task Graph set: the number of tasks, then per task, an
 * entry and an exit besides, its number, time, number of predecessors, and these. */
#include "bench/scheduling_main.h"

static bool read_graph(scheduling_file *f, pim_scheduling *p, const scheduling_arguments *a)
{
	int64_t tasks = read_number(f), one = 1;
	if (f->failed || tasks < 0 || tasks > 100000)
		return false;
	pim_scheduling_add_resource(p, a->processors);
	for (int64_t i = 0; i < tasks + 2; i++)
		pim_scheduling_add_task(p, 0);
	for (int64_t i = 0; i < tasks + 2; i++) {
		int64_t id = read_number(f), duration = read_number(f), n = read_number(f);
		if (f->failed || id != i || duration < 0)
			return false;
		pim_scheduling_add_mode(p, (int)i, duration, 1, &one);
		for (; n > 0; n--) {
			int64_t from = read_number(f);
			if (f->failed || from < 0 || from >= tasks + 2)
				return false;
			pim_scheduling_add_precedence(p, (int)from, (int)i, 0);
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	return run_scheduling(argc, argv, read_graph);
}
