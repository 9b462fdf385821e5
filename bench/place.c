/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - placement of many tasks on large meshes: place [--tasks=N] [--seed=N]
 *
 * Made-up layers on 16x16 and 32x32 units, N tasks (10000) in all: each layer has as many slices as
 * there are units, or somewhat fewer, and reads the one before slice by slice, from neighbours in a
 * grid, from the others of its group (a multicast each), as partial sums of its group, or at
 * random. Prints for structured order, greedy binding and search in turn `cost= bound= time=`,
 * where the time is of the processor and adds up; the cost is bytes times links of all trees. Then
 * the same number of tasks with random traffic to near ones, each unit holding several, by the
 * assignment engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "passes/assignment_core.h"
#include "passes/place.h"

typedef enum pattern {
	PATTERN_same,
	PATTERN_neighbours,
	PATTERN_group,
	PATTERN_sums,
	PATTERN_random,
	PATTERN_COUNT
} pattern;

typedef struct grower {
	int n;
	pim_traffic_tree *tree;
	pim_arena *arena;
} grower;

static double processor_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int *add_tree(grower *g, bool adds, int root, int n, double bytes)
{
	int *leaf = PIM_NEW(g->arena, int, n);
	g->tree[g->n++] = (pim_traffic_tree){adds, root, n, leaf, bytes};
	return leaf;
}

static void grow_neighbours(grower *g, int from, int slot, int side)
{
	static const int step[][2] = {{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}};
	for (int k = 0; k < 5; k++) {
		int x = slot % side + step[k][0], y = slot / side + step[k][1];
		if (x >= 0 && x < side && y >= 0 && y * side + x < from)
			add_tree(g, false, y * side + x, 1, k ? 64 : 1024)[0] = slot;
	}
}

/* All slots of the group of `slot` that both ends have. */
static void grow_group(grower *g, int from, int to, int slot, int size, bool adds)
{
	int first = slot / size * size, end = first + size, others = adds ? from : to, n = 0;
	end = end < others ? end : others;
	if (slot >= (adds ? to : from) || end <= first)
		return;
	int *leaf = add_tree(g, adds, slot, end - first, 256);
	for (int k = first; k < end; k++)
		leaf[n++] = k;
}

static pim_flow grow_flow(
	pattern kind, int layer, int from, int to, int side, uint64_t *random, pim_arena *a)
{
	int most = from > to ? from : to, size = 4 << assignment_draw(random, 4);
	grower g = {.tree = PIM_NEW(a, pim_traffic_tree, 5 * most), .arena = a};
	for (int i = 0; i < most; i++) {
		if (kind == PATTERN_same && i < from && i < to)
			add_tree(&g, false, i, 1, 512)[0] = i;
		if (kind == PATTERN_neighbours && i < to)
			grow_neighbours(&g, from, i, side);
		if (kind == PATTERN_group || kind == PATTERN_sums)
			grow_group(&g, from, to, i, size, kind == PATTERN_sums);
		for (int k = 0; kind == PATTERN_random && i < to && k < 3; k++)
			add_tree(&g, false, assignment_draw(random, from), 1,
				32 + assignment_draw(random, 512))[0] = i;
	}
	return pim_flow_new(layer - 1, layer, from, to, g.n, g.tree, a);
}

static pim_placement *make_layers(const pim_target *t, int tasks, uint64_t *random, pim_arena *a)
{
	int layers = 0, left = tasks;
	pim_tenant *tenant = PIM_NEW(a, pim_tenant, tasks);
	for (; left > 0; layers++) {
		int slots = t->units - assignment_draw(random, t->units / 8);
		slots = slots < left ? slots : left;
		tenant[layers] = (pim_tenant){.n_units = slots, .start = layers, .end = layers + 1};
		left -= slots;
	}
	pim_flow *flow = PIM_NEW(a, pim_flow, layers);
	for (int i = 1; i < layers; i++)
		flow[i - 1] = grow_flow((pattern)(i % PATTERN_COUNT), i, tenant[i - 1].n_units,
			tenant[i].n_units, t->network.size[0], random, a);
	return pim_placement_new(t, layers, tenant, layers - 1, flow, a);
}

static void print_line(
	int side, int tasks, const char *method, const pim_placement *p, double begin)
{
	double now = processor_seconds();
	pim_arena *a = pim_arena_new();
	double cost = pim_placement_cost(p), bound = pim_placement_bound(p, a);
	printf("%dx%d tasks=%d %s: cost=%.0f bound=%.0f time=%.2f\n", side, side, tasks, method, cost,
		bound, now - begin);
	pim_arena_free(a);
}

static void place_layers(int side, int tasks, uint64_t seed)
{
	pim_arena *a = pim_arena_new();
	pim_target t = {.name = "mesh",
		.network = {.topology = PIM_TOPOLOGY_mesh, .size = {side, side, 1}},
		.units = side * side};
	pim_placement *p = make_layers(&t, tasks, &seed, a);
	int64_t tried = 0;
	double begin = processor_seconds();
	pim_place_structured(p);
	print_line(side, tasks, "structured", p, begin);
	pim_place_greedy(p, a);
	print_line(side, tasks, "greedy", p, begin);
	pim_place_search(p, 20, 1, &tried, a);
	print_line(side, tasks, "search", p, begin);
	pim_arena_free(a);
}

/* Tasks in a line, each with traffic to five that are near in it. */
static void assign_tasks(int side, int tasks, uint64_t seed)
{
	const int size[3] = {side, side, 1};
	pim_assignment *p = pim_assignment_new(PIM_ASSIGNMENT_mesh, size);
	for (int u = 0; u < side * side; u++)
		pim_assignment_set_capacity(p, u, (tasks + side * side - 1) / (side * side));
	for (int i = 0; i < tasks; i++)
		pim_assignment_add_item(p, 1);
	for (int i = 0; i < tasks; i++)
		for (int k = 0; k < 5; k++) {
			int other = i + 1 + assignment_draw(&seed, k < 4 ? 64 : tasks);
			if (other < tasks)
				pim_assignment_add_traffic(p, i, other, 1 + assignment_draw(&seed, 1000));
		}
	double begin = processor_seconds();
	pim_assignment_answer r =
		pim_assignment_solve(p, &(pim_assignment_options){.seconds = 4, .seed = 1});
	printf("%dx%d tasks=%d several on a unit: cost=%lld bound=%lld time=%.2f\n", side, side, tasks,
		(long long)r.cost, (long long)r.bound, processor_seconds() - begin);
	pim_assignment_free(p);
}

int main(int argc, char **argv)
{
	int tasks = 10000;
	uint64_t seed = 1;
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--tasks=", 8) && atoi(argv[i] + 8) > 1)
			tasks = atoi(argv[i] + 8);
		else if (!strncmp(argv[i], "--seed=", 7))
			seed = strtoull(argv[i] + 7, NULL, 10);
		else {
			fprintf(stderr, "usage: place [--tasks=N] [--seed=N]\n");
			return 2;
		}
	}
	for (int side = 16; side <= 32; side *= 2)
		place_layers(side, tasks, seed);
	for (int side = 16; side <= 32; side *= 2)
		assign_tasks(side, tasks, seed);
	return 0;
}
