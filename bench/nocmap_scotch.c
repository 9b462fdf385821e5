/* SPDX-License-Identifier: Apache-2.0 */
/* nocmap_scotch.c - the same graphs on the same meshes by Scotch's mapper: nocmap_scotch FILE
 * [--mesh=XxY[xZ]] [--torus] [--capacity=N] [--seed=N]
 *
 * The reference that bench/nocmap.c is compared with (Pellegrini; Debian's libscotch). Scotch knows
 * load balance, not capacities: the program asks for the least imbalance that it gets, says how
 * many tasks stand on the fullest unit, and leaves them there. Prints
 * `cost= fullest= time=`; cost as in bench/nocmap.c. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <scotch.h>

#include "bench/nocmap_graph.h"

/* Rows of neighbours, both ways, as Scotch wants them; parallel edges are added up. */
typedef struct rows {
	SCOTCH_Num *first, *other, *load;
} rows;

static int compare_edges(const void *a, const void *b)
{
	const core_edge *x = a, *y = b;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

static rows make_rows(const core_graph *g)
{
	core_edge *both = malloc(sizeof *both * 2 * (size_t)g->n_edges);
	rows r = {calloc((size_t)g->tasks + 1, sizeof *r.first),
		malloc(sizeof *r.other * 2 * (size_t)g->n_edges),
		malloc(sizeof *r.load * 2 * (size_t)g->n_edges)};
	int n = 0, kept = 0;
	if (!both || !r.first || !r.other || !r.load)
		exit(1);
	for (int k = 0; k < g->n_edges; k++) {
		core_edge e = g->edge[k];
		if (e.from == e.to || !e.bytes)
			continue;
		both[n++] = e;
		both[n++] = (core_edge){e.to, e.from, e.bytes};
	}
	qsort(both, (size_t)n, sizeof *both, compare_edges);
	for (int k = 0; k < n; k++) {
		if (k && both[k].from == both[k - 1].from && both[k].to == both[k - 1].to) {
			r.load[kept - 1] += (SCOTCH_Num)both[k].bytes;
			continue;
		}
		r.other[kept] = both[k].to;
		r.load[kept++] = (SCOTCH_Num)both[k].bytes;
		r.first[both[k].from + 1] = kept;
	}
	for (int i = 0; i < g->tasks; i++)
		r.first[i + 1] = r.first[i + 1] < r.first[i] ? r.first[i] : r.first[i + 1];
	free(both);
	return r;
}

static bool map_tasks(const core_graph *g, const machine *m, SCOTCH_Num *unit)
{
	SCOTCH_Graph graph;
	SCOTCH_Arch arch;
	SCOTCH_Strat strategy;
	rows r = make_rows(g);
	SCOTCH_Num size[3] = {m->size[0], m->size[1], m->size[2]};
	SCOTCH_Num units = size[0] * size[1] * size[2];
	bool grid = m->shape == PIM_ASSIGNMENT_mesh;
	bool good =
		!SCOTCH_graphInit(&graph) && !SCOTCH_archInit(&arch) && !SCOTCH_stratInit(&strategy);
	good = good && !SCOTCH_graphBuild(&graph, 0, g->tasks, r.first, r.first + 1, NULL, NULL,
					   r.first[g->tasks], r.other, r.load);
	good = good && !(grid ? SCOTCH_archMeshX(&arch, 3, size) : SCOTCH_archTorusX(&arch, 3, size));
	good = good && !SCOTCH_stratGraphMapBuild(
					   &strategy, SCOTCH_STRATQUALITY | SCOTCH_STRATBALANCE, units, 0.0);
	good = good && !SCOTCH_graphMap(&graph, &arch, &strategy, unit);
	SCOTCH_stratExit(&strategy);
	SCOTCH_archExit(&arch);
	SCOTCH_graphExit(&graph);
	free(r.first);
	free(r.other);
	free(r.load);
	return good;
}

static void report(const core_graph *g, const machine *m, const SCOTCH_Num *unit, double seconds)
{
	int64_t cost = 0;
	int fullest = 0, *count = calloc((size_t)(m->size[0] * m->size[1] * m->size[2]), sizeof *count);
	for (int k = 0; k < g->n_edges; k++)
		cost += g->edge[k].bytes *
				machine_hops(m, (int)unit[g->edge[k].from], (int)unit[g->edge[k].to]);
	for (int i = 0; count && i < g->tasks; i++)
		fullest = ++count[unit[i]] > fullest ? count[unit[i]] : fullest;
	free(count);
	printf("cost=%lld fullest=%d time=%.2f\n", (long long)cost, fullest, seconds);
}

int main(int argc, char **argv)
{
	machine m = {.capacity = 1};
	core_graph g = {0};
	const char *path = NULL;
	int seed = 1;
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--seed=", 7))
			seed = atoi(argv[i] + 7);
		else if (!machine_option(&m, argv[i]))
			path = argv[i];
	}
	if (!path || !core_graph_read(path, &g)) {
		fprintf(stderr,
			"usage: nocmap_scotch FILE [--mesh=XxY[xZ]] [--torus] [--capacity=N] [--seed=N]\n");
		return 2;
	}
	machine_fit(&m, g.tasks);
	SCOTCH_randomSeed(seed);
	SCOTCH_Num *unit = malloc(sizeof *unit * (size_t)g.tasks);
	struct timespec from, to;
	clock_gettime(CLOCK_MONOTONIC, &from);
	bool good = unit && map_tasks(&g, &m, unit);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (good)
		report(&g, &m, unit,
			(double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
	free(unit);
	free(g.edge);
	return !good;
}
