/* SPDX-License-Identifier: Apache-2.0 */
/* nocmap_graph.h - a core graph and a mesh, for the programs that map one onto the other. */
#ifndef PIM_BENCH_NOCMAP_GRAPH_H
#define PIM_BENCH_NOCMAP_GRAPH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/assignment.h"

typedef struct core_edge {
	int from, to;
	int64_t bytes;
} core_edge;

typedef struct core_graph {
	int tasks, n_edges;
	core_edge *edge; /* from malloc */
} core_graph;

typedef struct machine {
	pim_assignment_shape shape;
	int size[3]; /* 0: to be found */
	int64_t capacity;
} machine;

static inline bool core_graph_read(const char *path, core_graph *g)
{
	FILE *f = fopen(path, "r");
	int room = 0, from, to, got;
	double bytes;
	if (!f)
		return false;
	while ((got = fscanf(f, "%d %d %lf", &from, &to, &bytes)) == 3) {
		if (from < 0 || to < 0 || from > 1000000 || to > 1000000 || bytes < 0 ||
			bytes != (double)(int64_t)bytes)
			break;
		if (g->n_edges == room) {
			room = room ? 2 * room : 64;
			core_edge *larger = realloc(g->edge, sizeof *larger * (size_t)room);
			if (!larger)
				break;
			g->edge = larger;
		}
		g->edge[g->n_edges++] = (core_edge){from, to, (int64_t)bytes};
		g->tasks = from >= g->tasks ? from + 1 : g->tasks;
		g->tasks = to >= g->tasks ? to + 1 : g->tasks;
	}
	fclose(f);
	return got == EOF && g->tasks > 0;
}

/* True if the word is an option of the machine: --mesh=, --torus, --capacity=. */
static inline bool machine_option(machine *m, const char *word)
{
	if (!strncmp(word, "--mesh=", 7)) {
		m->size[2] = 1;
		return sscanf(word + 7, "%dx%dx%d", &m->size[0], &m->size[1], &m->size[2]) >= 2 &&
			   m->size[0] > 0 && m->size[1] > 0 && m->size[2] > 0;
	}
	if (!strncmp(word, "--capacity=", 11))
		return (m->capacity = atoll(word + 11)) > 0;
	if (!strcmp(word, "--torus")) {
		m->shape = PIM_ASSIGNMENT_torus;
		return true;
	}
	return false;
}

/* The smallest square that holds the tasks, where no mesh was given. */
static inline void machine_fit(machine *m, int tasks)
{
	if (m->size[0])
		return;
	m->size[2] = 1;
	for (m->size[0] = 1; m->size[0] * m->size[0] * m->capacity < tasks;)
		m->size[0]++;
	m->size[1] = m->size[0];
}

static inline int machine_hops(const machine *m, int a, int b)
{
	int hops = 0;
	for (int d = 0; d < 3; d++) {
		int size = m->size[d], steps = abs(a % size - b % size);
		hops += m->shape == PIM_ASSIGNMENT_torus && size - steps < steps ? size - steps : steps;
		a /= size;
		b /= size;
	}
	return hops;
}

#endif
