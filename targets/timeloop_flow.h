/* SPDX-License-Identifier: Apache-2.0 */
/* targets/timeloop_flow.h - what moves between a level and the one below it, for one tensor.
 *
 * timeloop_closed.c has it in closed form for perfect factors; timeloop_walk.c walks the rounds
 * that count and does any mapping. */
#ifndef PIM_TARGETS_TIMELOOP_FLOW_H
#define PIM_TARGETS_TIMELOOP_FLOW_H

#include "targets/timeloop.h"

enum { TIMELOOP_LOOPS = 2 * TIMELOOP_LEVELS * TIMELOOP_DIMS };

/* The loops of all levels in one row, innermost first. */
typedef struct timeloop_row {
	int n;
	int levels;
	bool imperfect;
	timeloop_loop loop[TIMELOOP_LOOPS];
	int64_t stride[TIMELOOP_LOOPS]; /* of the loop's dimension, in steps of that dimension */
	int space[TIMELOOP_LEVELS + 1]; /* where a level's spatial loops start ... */
	int time[TIMELOOP_LEVELS];		/* ... and its temporal ones; the level ends at the next */
	int along_x[TIMELOOP_LEVELS];
} timeloop_row;

/* What a level gives to (or takes from) the units below it. */
typedef struct timeloop_flow {
	double words;	  /* a word that several units take at once is one */
	double delivered; /* ... and is counted for each of them here */
	double links;	  /* words that a neighbour below passes on instead */
	int64_t fanout;
} timeloop_flow;

/* The mesh below a level: how wide the hardware is. */
typedef struct timeloop_mesh {
	int64_t x, y;
} timeloop_mesh;

/* The units below a level, by where in a tensor each one's tile starts. */
typedef struct timeloop_units {
	int64_t n, mesh_x, mesh_y; /* number k stands at (k mod mesh_x, k / mesh_x) */
	int64_t span[TIMELOOP_RANKS], weight[TIMELOOP_RANKS];
	int64_t *key;			  /* of each unit: its offset as one number */
	int64_t *sorted, classes; /* room for n; units with different offsets */
} timeloop_units;

void pim_timeloop_row(
	const timeloop_problem *p, const timeloop_mapping *m, int levels, timeloop_row *row);
timeloop_mesh pim_timeloop_mesh(const timeloop_arch *a, int level);
/* Units below `level`; memory: of 2 * n numbers, where n is the number of units. */
void pim_timeloop_units(const timeloop_row *row, int level, timeloop_mesh mesh,
	const timeloop_tensor *t, int64_t *memory, timeloop_units *u);
/* Different numbers; sorts them. */
int64_t pim_timeloop_classes(int64_t *keys, int64_t n);
int64_t pim_timeloop_fanout(const timeloop_row *row, int level);

/* What a level moves to and from the units below it is asked for one tensor at a time. */
typedef struct timeloop_place {
	int level;
	timeloop_mesh mesh;
	timeloop_limits limits;
} timeloop_place;

/* Needs perfect factors. */
void pim_timeloop_closed(const timeloop_problem *p, const timeloop_row *row,
	const timeloop_place *at, const timeloop_tensor *t, timeloop_flow *f);
void pim_timeloop_walk(const timeloop_problem *p, const timeloop_row *row, const timeloop_place *at,
	const timeloop_tensor *t, timeloop_flow *f);

#endif
