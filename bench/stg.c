/* SPDX-License-Identifier: Apache-2.0 */
/* bench_stg FILE --processors=P --limit=S [--seed=N] - the scheduling engine on one task graph.
 *
 * The file is in the form of the Standard Task Graph set: the number of tasks, then per task, an
 * entry and an exit besides, its number, time, number of predecessors, and these. */
#include "bench/scheduling_main.h"

static void read_graph(scheduling_file *f, pim_scheduling *p, const scheduling_arguments *a)
{
	int64_t tasks = read_number(f, "the number of tasks", 0, 100000), one = 1;
	pim_scheduling_add_resource(p, a->processors);
	for (int64_t i = 0; i < tasks + 2; i++)
		pim_scheduling_add_task(p, 0);
	f->of = "task";
	for (int64_t i = 0; i < tasks + 2 && !f->failed; i++) {
		f->index = i;
		read_number(f, "its number", i, i);
		int64_t duration = read_number(f, "its time", 0, MOST_FIGURE);
		pim_scheduling_add_mode(p, (int)i, duration, 1, &one);
		for (int64_t n = read_number(f, "the number of its predecessors", 0, tasks + 2); n; n--) {
			int from = (int)read_number(f, "a predecessor", 0, tasks + 1);
			if (!f->failed)
				pim_scheduling_add_precedence(p, from, (int)i, 0);
		}
	}
}

int main(int argc, char **argv)
{
	return run_scheduling(argc, argv, read_graph);
}
