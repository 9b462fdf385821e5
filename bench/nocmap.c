/* SPDX-License-Identifier: Apache-2.0 */
/* nocmap.c - tasks of a core graph onto a mesh: nocmap FILE [--limit=S] [--mesh=XxY[xZ]] [--torus]
 * [--capacity=N] [--links] [--seed=N] [--steps=N] [--print]
 *
 * The file has `source target bandwidth` on each line, tasks numbered from 0. The cost is the sum
 * of bandwidth times hops. Without --mesh the mesh is the smallest square that holds the tasks, at
 * --capacity tasks on a unit (1). Prints `cost= bound= busiest= status= time=`; the cost is
 * computed anew from the file. --links makes the busiest link the second criterion. */
#include <stdlib.h>

#include "bench/assignment_main.h"
#include "bench/nocmap_graph.h"

static int64_t cost_of(const core_graph *g, const machine *m, const int *unit)
{
	int64_t cost = 0;
	for (int k = 0; k < g->n_edges; k++)
		cost += g->edge[k].bytes * machine_hops(m, unit[g->edge[k].from], unit[g->edge[k].to]);
	return cost;
}

static bool solve(
	const core_graph *g, const machine *m, const pim_assignment_options *o, bool print)
{
	pim_assignment *p = pim_assignment_new(m->shape, m->size);
	for (int u = 0; u < m->size[0] * m->size[1] * m->size[2]; u++)
		pim_assignment_set_capacity(p, u, m->capacity);
	for (int i = 0; i < g->tasks; i++)
		pim_assignment_add_item(p, 1);
	for (int k = 0; k < g->n_edges; k++)
		pim_assignment_add_traffic(p, g->edge[k].from, g->edge[k].to, g->edge[k].bytes);
	pim_assignment_answer a = pim_assignment_solve(p, o);
	bool good = a.unit && cost_of(g, m, a.unit) == a.cost;
	if (good)
		printf("cost=%lld bound=%lld busiest=%lld status=%s time=%.2f steps=%lld mesh=%dx%dx%d\n",
			(long long)a.cost, (long long)a.bound, (long long)pim_assignment_busiest(p, a.unit),
			a.status == PIM_ASSIGNMENT_optimal ? "optimal" : "feasible", a.seconds,
			(long long)a.steps, m->size[0], m->size[1], m->size[2]);
	for (int i = 0; good && print && i < g->tasks; i++)
		printf("%d%c", a.unit[i], i + 1 < g->tasks ? ' ' : '\n');
	pim_assignment_free(p);
	return good;
}

int main(int argc, char **argv)
{
	pim_assignment_options o = {.seconds = 10, .seed = 1};
	machine m = {.capacity = 1};
	core_graph g = {0};
	const char *path = NULL;
	bool print = false;
	for (int i = 1; i < argc; i++) {
		if (machine_option(&m, argv[i]) || assignment_option(&o, argv[i]))
			continue;
		if (!strcmp(argv[i], "--links"))
			o.links = PIM_ASSIGNMENT_links_second;
		else if (!strcmp(argv[i], "--print"))
			print = true;
		else
			path = argv[i];
	}
	if (!path || !core_graph_read(path, &g)) {
		fprintf(stderr, "usage: nocmap FILE [--limit=S] [--mesh=XxY[xZ]] [--torus] [--capacity=N] "
						"[--links] [--seed=N] [--steps=N] [--print]\n");
		return 2;
	}
	machine_fit(&m, g.tasks);
	bool good = solve(&g, &m, &o, print);
	free(g.edge);
	if (!good)
		fprintf(stderr, "%s: does not fit on the mesh\n", path);
	return !good;
}
