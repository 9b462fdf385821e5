/* SPDX-License-Identifier: Apache-2.0 */
/* targets/timeloop.h - loop-nest mappings on a hierarchy of memories, counted as Timeloop does.
 *
 * A problem is a box of multiply-accumulates and the tensors they touch, an architecture a chain of
 * memories above the compute units, a mapping a loop nest cut into levels. Levels are numbered from
 * the compute units outwards: level 0 feeds them. timeloop_problem.c, timeloop_arch.c and
 * timeloop_mapping.c read files of Timeloop v3, timeloop_count.c counts. */
#ifndef PIM_TARGETS_TIMELOOP_H
#define PIM_TARGETS_TIMELOOP_H

#include "ir/ir.h"

enum { TIMELOOP_DIMS = 16, TIMELOOP_TENSORS = 8, TIMELOOP_RANKS = 8, TIMELOOP_LEVELS = 16 };

/* Index r of a tensor is the sum over d of coefficient[r][d] * (index of dimension d). */
typedef struct timeloop_tensor {
	const char *name;
	bool output; /* read and written */
	int ranks;
	int64_t coefficient[TIMELOOP_RANKS][TIMELOOP_DIMS];
} timeloop_tensor;

typedef struct timeloop_problem {
	int dims, tensors;
	const char *dim[TIMELOOP_DIMS];
	int64_t size[TIMELOOP_DIMS];
	timeloop_tensor tensor[TIMELOOP_TENSORS];
	int64_t macs; /* product of the sizes */
} timeloop_problem;

typedef struct timeloop_level {
	const char *name;
	pim_loc at;
	int64_t instances, mesh_x, mesh_y;
	int64_t capacity;		 /* words that a mapping may use; -1: without limit */
	int64_t block, clusters; /* words of a vector; groups of instances that share an access */
	double read_bandwidth, write_bandwidth, shared_bandwidth; /* words a cycle; 0: without limit */
	double energy;											  /* pJ of a vector */
	double least_used;										  /* part of the capacity */
	double address_energy; /* pJ to form one address, once for a cluster */
	int64_t latency;	   /* cycles that its network takes at the start and at the end */
	bool adds;			   /* what arrives to what it holds; a DRAM does not */
} timeloop_level;

typedef struct timeloop_arch {
	int levels; /* storage */
	timeloop_level level[TIMELOOP_LEVELS];
	timeloop_level compute; /* energy: of one multiply-accumulate */
	int64_t latency;		/* cycles of all networks: no overlap hides them */
} timeloop_arch;

/* One loop: `count` rounds; the last of all rounds has `last` (equal unless imperfect). */
typedef struct timeloop_loop {
	int dim;
	int64_t count, last;
} timeloop_loop;

/* Loops that do something, innermost first. */
typedef struct timeloop_nest {
	int n,
		along_x; /* along_x: of a spatial nest, the first so many lie along X, the others along Y */
	timeloop_loop loop[TIMELOOP_DIMS];
	pim_loc at;
} timeloop_nest;

/* What a mapping forbids between a level and the units below it, for one tensor. */
typedef struct timeloop_limits {
	bool no_multicast; /* each unit takes its words for itself; outputs are not added on the way */
	bool no_links;	   /* neighbours pass nothing on */
	bool no_reuse;	   /* what the unit had the round before comes anew */
} timeloop_limits;

typedef struct timeloop_mapping {
	pim_loc at;
	timeloop_nest space[TIMELOOP_LEVELS], time[TIMELOOP_LEVELS]; /* space: the fan-out below */
	bool keep[TIMELOOP_LEVELS][TIMELOOP_TENSORS];
	timeloop_limits limits[TIMELOOP_LEVELS][TIMELOOP_TENSORS];
} timeloop_mapping;

/* What one tensor does at one level, per instance; and the network to the level below. */
typedef struct timeloop_count {
	int64_t tile, instances, reads, fills, updates, reductions;
	double energy; /* of all instances */
	double ingresses, multicast, spatial_reductions;
	int64_t fanout, link_transfers;
} timeloop_count;

typedef struct timeloop_result {
	int64_t cycles, compute_cycles, compute_instances;
	int64_t level_cycles[TIMELOOP_LEVELS];
	double throttle[TIMELOOP_LEVELS]; /* 1: the bandwidth is no limit */
	timeloop_count count[TIMELOOP_LEVELS][TIMELOOP_TENSORS];
	double utilization, compute_energy, energy;
} timeloop_result;

/* ---- reading: the parts of Timeloop's files, in any number of files, each part once ---- */

typedef struct timeloop_input {
	timeloop_problem problem;
	timeloop_arch arch;
	timeloop_mapping mapping;
} timeloop_input;

/* Reads what `want_mapping` says is needed and checks that it fits; false after diagnostics. */
bool pim_timeloop_read(
	pim_context *c, int n, const char *const *paths, bool want_mapping, timeloop_input *out);

/* ---- checking and counting ---- */

/* False after a diagnostic: factors that do not cover the problem, too small memories or meshes. */
bool pim_timeloop_check(
	pim_context *c, const timeloop_problem *p, const timeloop_arch *a, const timeloop_mapping *m);
/* The same without words. */
bool pim_timeloop_fits(
	const timeloop_problem *p, const timeloop_arch *a, const timeloop_mapping *m);
/* Words of one tensor in a tile with these extents. */
int64_t pim_timeloop_words(const timeloop_tensor *t, int dims, const int64_t *extent);
/* Counts a mapping that fits. */
void pim_timeloop_count(const timeloop_problem *p, const timeloop_arch *a,
	const timeloop_mapping *m, timeloop_result *r);

/* Mean hops of a word from the middle of the edge of the mesh below a level to the units that take
 * it. */
double pim_timeloop_hops(const timeloop_problem *p, const timeloop_arch *a,
	const timeloop_mapping *m, int level, int tensor);

#endif
