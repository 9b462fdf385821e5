/* SPDX-License-Identifier: Apache-2.0 */
/* targets/tile/tile.h - lowering to the tile command set, private to this folder.
 *
 * Slices, or their kernels, in one global order; for each: fetch what it reads, run tiles, keep the
 * result at home. */
#ifndef PIM_TARGETS_TILE_TILE_H
#define PIM_TARGETS_TILE_TILE_H

#include "ir/fusion.h"
#include "targets/program.h"

/* ---- tracker.c: which commands must be complete before one may start ---- */

/* Who last wrote and read a range of bytes: command numbers from 1 in the stream as it runs, 0 =
 * nobody. */
typedef struct pim_access {
	int64_t lo, hi;
	int64_t write; /* its number */
	uint8_t write_engine;
	int64_t read[PIM_ENGINE_COUNT]; /* last reader by engine */
} pim_access;

typedef struct pim_tracker {
	int n;
	int64_t room;
	pim_access *range; /* disjoint, ascending */
} pim_tracker;

/* Latest command per engine that a new access to [lo, hi) has to wait for is raised in latest[];
 * the access is then recorded as command `number` of `engine`. */
void pim_tracker_access(pim_tracker *t, int64_t lo, int64_t hi, bool writes, int engine,
	int64_t number, int64_t latest[PIM_ENGINE_COUNT]);
/* From now on, whoever writes any byte of [lo, hi) waits for all that was done to any of them. */
void pim_tracker_join(pim_tracker *t, int64_t lo, int64_t hi);
void pim_tracker_free(pim_tracker *t);

/* ---- room.c: main memory of one unit, first fit ---- */

typedef struct pim_room {
	int n;
	int64_t space;
	struct pim_gap {
		int64_t lo, hi;
	} * gap; /* ascending */
	int64_t peak, now;
} pim_room;
/* What so many bytes take of it. */
int64_t pim_room_bytes(int64_t bytes);
void pim_room_start(pim_room *r);
int64_t pim_room_take(pim_room *r, int64_t bytes);
void pim_room_give(pim_room *r, int64_t address, int64_t bytes);
void pim_room_free(pim_room *r);

/* ---- the lowering of one graph ---- */

/* A box of some value, packed row-major in a unit's memory. */
typedef struct pim_held {
	int64_t address;
	pim_box box;
} pim_held;

/* A constant's box given to a unit before the program starts. Its address counts from the start of
 * the unit's constants, which lie behind its activations; refs to it carry PIM_SPACE_constant until
 * the end. */
typedef struct pim_given {
	const pim_node *constant;
	pim_held held;
	struct pim_given *next; /* of the unit */
	struct pim_given *same; /* of the unit and the constant */
} pim_given;
enum { PIM_SPACE_constant = PIM_SPACE_buffer + 1 };

/* Boxes of a value, disjoint (region.c). */
typedef struct pim_region {
	int n;
	int64_t space;
	pim_box *box;
} pim_region;

/* A box fetched from other units for the node being lowered. */
typedef struct pim_staged {
	const pim_node *value;
	uint32_t task; /* of that node */
	pim_held held;
	pim_region *there; /* what was asked for; NULL: all of it, at once */
	struct pim_staged *next;
} pim_staged;

typedef struct pim_unit {
	pim_tracker memory, buffer;
	pim_room room;
	int64_t number; /* commands written so far */
	int64_t folded; /* those of its stream, in front, that are in repeat blocks where they can be */
	int64_t known[PIM_ENGINE_COUNT]
				 [PIM_ENGINE_COUNT]; /* what an engine's last command has waited for */
	int64_t last[PIM_ENGINE_COUNT];	 /* its latest command, by engine */
	int64_t barrier;				 /* the wait that everything behind it waits for */
	int64_t constant_bytes;
	pim_given *given;
	pim_map *given_of; /* constant to the last box of it that was given */
	pim_staged *staged;
	int half;						/* of the buffer that the last slice used */
	struct pim_tile_walk *unstored; /* the last walk: its last results are still in the buffer */
} pim_unit;

/* A place to read or write, and how many bytes from there a command may touch. */
typedef struct pim_touch {
	uint8_t space;
	int64_t address, lo, hi; /* touched bytes are [address + lo, address + hi); lo = hi: unknown */
} pim_touch;

/* How the slices of a value come into being (stream.c). */
typedef struct pim_stream_of {
	int dim;	  /* along which they are stored tile by tile; -1: all at once */
	int64_t tile; /* extent of one */
	bool gaps;	  /* tiles lie in each other's gaps: accesses are told apart along dim */
	int64_t tiles[PIM_MAX_RANK]; /* extents of a tile, all of it stored at once; 0: unknown */
} pim_stream_of;

/* Elements that a node needs and another place has. */
typedef struct pim_transfer {
	pim_pattern pattern, sent; /* both sides; the source's alone, packed on the wire */
	int from_unit, to_unit;
	pim_touch from, to;
	int64_t ready; /* cycle at which the source is there, as the schedule has it */
	int64_t turn;  /* of the slice that reads it, among those of its unit */
	int64_t order; /* in which it was asked for */
} pim_transfer;

typedef struct pim_clock pim_clock;

typedef struct pim_lowering {
	const pim_target *target;
	pim_graph *graph;
	pim_program *program;
	pim_arena *arena;
	pim_unit *unit;
	pim_held **home; /* by node id: one per slice; NULL for constants without a layout, and for what
					  * only its own group reads */
	bool *stored;	 /* by node id: does it have homes? */
	uint32_t task;	 /* of the node being lowered */
	pim_clock *clock;
	int ahead;			   /* of that */
	int64_t start;		   /* of the node being lowered */
	pim_stream_of *stream; /* by node id */
	int64_t turn;		   /* of the slice that asks for transfers */
	int64_t since;		   /* all that is ready before this cycle is equally ready */
	pim_held **addend; /* by slice of the node being lowered: where its partial sums come to lie */
	bool *lockstep;	   /* by task and channel (pim_lockstep_find); NULL: every bank by itself */
	bool interleaved;  /* nodes that run at the same time, tile by tile */
	pim_transfer *transfer; /* asked for, not yet written */
	int64_t n_transfers, room_transfers;
} pim_lowering;

/* ---- emit.c ---- */
/* Writes a command on a unit, with the dependences its touches need. */
void pim_emit(pim_lowering *l, int unit, pim_command_code code, uint32_t index, uint32_t partner,
	bool accumulate, int n, const pim_touch *touch);
/* On banks that had nothing to run for the node, what stands for the all-bank kernels of others. */
void pim_emit_masked(pim_lowering *l);
/* Every unit waits until every other has done all that was written for it so far. */
void pim_emit_barrier(pim_lowering *l);
/* What one side of a copy touches, where that is unknown. */
void pim_touch_span(const pim_pattern *p, const int64_t *strides, pim_touch *t);
/* Copies elements from one unit's memory to another's, or within one. */
void pim_emit_transfer(pim_lowering *l, const pim_pattern *p, int from_unit, pim_touch from,
	int to_unit, pim_touch to);

/* ---- clock.c: when commands are expected to run ---- */
/* The writing is so many commands of each unit ahead of the network, on the average. */
pim_clock *pim_clock_new(const pim_target *t, int ahead);
void pim_clock_free(pim_clock *c, const pim_target *t);
/* Finds the times of all that was written. */
void pim_clock_settle(pim_lowering *l);
/* The next command of a unit, as it is written. */
void pim_clock_command(pim_lowering *l, int unit, const pim_command *c);

/* ---- transfer.c ---- */
/* Asks for a copy from one unit's memory to another's, or within one: ready says from when on. */
void pim_transfer_add(pim_lowering *l, const pim_pattern *p, int from_unit, pim_touch from,
	int to_unit, pim_touch to, int64_t ready);
/* When a slice of a value is complete, as the schedule has it. */
int64_t pim_slice_ready(const pim_node *value, int64_t slice);
/* Writes all that was asked for. */
void pim_transfers_emit(pim_lowering *l);

/* ---- stream.c ---- */
pim_stream_of pim_stream_find(const pim_lowering *l, const pim_node *n, const pim_axes *x);
/* What an access to a box of a value, held in main memory, touches; left unknown where its pattern
 * says so. */
void pim_stream_touch(const pim_lowering *l, const pim_node *value, const pim_held *held,
	const pim_box *box, pim_touch *t);
/* An area of main memory is taken or given back: from now on its bytes count as one. */
void pim_stream_join(pim_lowering *l, const pim_node *value, int unit, const pim_held *held);
/* Walks a piece of a slice in the parts in which it is sent, each with the cycle at which it is
 * stored, as the schedule has it. */
typedef struct pim_parts {
	const pim_node *value;
	int64_t slice;
	pim_box rest;
	int dim;
	int64_t origin, extent, step; /* of the slice along dim; of a part */
	bool done;
} pim_parts;
pim_parts pim_parts_of(
	const pim_lowering *l, const pim_node *value, int64_t slice, const pim_box *piece);
bool pim_parts_next(pim_parts *p, pim_box *part, int64_t *ready);

/* ---- pattern.c ---- */
/* The copy of box `part` between two packed boxes that contain it. Sets the first byte of each
 * side. */
pim_pattern pim_box_pattern(const pim_type *t, const pim_box *part, const pim_box *from,
	const pim_box *to, int64_t *from_offset, int64_t *to_offset);
/* Drops dims of extent 1 and joins dims that are contiguous on both sides. */
void pim_pattern_simplify(pim_pattern *p);

/* ---- fetch.c ---- */
/* A constant without a layout: each unit is given what its slices read. */
bool pim_is_given(const pim_node *value);
/* Gives a unit a box of a constant, unless it has one that will do. */
void pim_give_constant(pim_lowering *l, const pim_node *constant, int unit, const pim_box *need,
	bool exact, pim_held *held);
/* Where the homes of a value lie: with the constants, or with what is computed. */
uint8_t pim_home_space(const pim_node *value);
/* Where a value's box lies on a unit: an own home, a constant given, or a staging area that the
 * transfers asked for will fill. exact: the box must be packed by itself. */
void pim_fetch(pim_lowering *l, const pim_node *value, int unit, const pim_box *need, bool exact,
	pim_held *held, uint8_t *space);
/* Where a value's box will lie on a unit: as above, but of a staging area nothing is asked for yet.
 * Gives that area, NULL when the box is there. */
pim_staged *pim_fetch_place(pim_lowering *l, const pim_node *value, int unit, const pim_box *need,
	pim_held *held, uint8_t *space);
/* Asks for what the area lacks of a box. */
void pim_fetch_part(pim_lowering *l, pim_staged *s, int unit, const pim_box *need);
void pim_fetch_end(pim_lowering *l); /* frees all staging areas of the task */

/* ---- region.c: which part of a value is there ---- */
/* Adds to *lacks the boxes of `need` that the region has not. */
void pim_region_lacks(const pim_region *r, const pim_box *need, pim_region *lacks);
void pim_region_add(pim_region *r, const pim_box *box);
void pim_region_free(pim_region *r);

/* ---- walk.c, move.c ---- */
/* Asks for what slice `slice` of the last op of a group (or of an op alone) reads, with those of
 * the others that go with it; then they may be lowered. */
bool pim_fetch_kernels(pim_lowering *l, const pim_fusion *f, int64_t slice);
bool pim_lower_kernels(pim_lowering *l, const pim_fusion *f, int64_t slice);
/* What the last slice on each unit left in the buffer goes home. */
void pim_kernels_store(pim_lowering *l);
/* Asks for the copies that make a box of a slice. */
bool pim_fetch_move(
	pim_lowering *l, const pim_node *n, const pim_axes *x, int64_t slice, const pim_box *part);

/* A slice of a group, or of an op alone, kernel by kernel; what it reads arrives part by part. */
typedef struct pim_tile_walk pim_tile_walk;
typedef struct pim_read {
	const pim_node *value;
	pim_box box;
} pim_read;
enum { PIM_MOST_READS = PIM_MAX_RANK };
bool pim_kernels_check(const pim_lowering *l, const pim_fusion *f); /* false after a diagnostic */
pim_tile_walk *pim_tile_walk_new(pim_lowering *l, const pim_fusion *f, int64_t slice, pim_arena *a);
/* What the next kernel reads that was not made in the walk; at most PIM_MOST_READS. */
int pim_tile_walk_reads(const pim_tile_walk *k, pim_read *read);
void pim_tile_walk_fetch(pim_tile_walk *k); /* asks for what is not there of it */
bool pim_tile_walk_step(pim_tile_walk *k);	/* writes the next kernel, with its loads */
void pim_tile_walk_store(pim_tile_walk *k); /* results that are complete go home */
bool pim_tile_walk_ended(const pim_tile_walk *k);
int64_t pim_tile_walk_tiles(const pim_tile_walk *k); /* done */
int pim_tile_walk_member(const pim_tile_walk *k);	 /* whose kernel is next */
/* What that computes, of the member's axes. */
const pim_box *pim_tile_walk_part(const pim_tile_walk *k);

/* ---- lower.c ---- */
/* The nodes that run, by start, what rides on an op by its end where nodes do not run tile by tile:
 * before that it does nothing, and its messages would be in the way of those that can leave. Nodes
 * of equal time keep their order in the graph, so that every input stands before its user. */
pim_node **pim_nodes_in_order(const pim_graph *g, pim_arena *a, int *count);
/* Homes of a node's slices; taken when it begins, given back behind its last reader. */
void pim_homes_take(pim_lowering *l, const pim_node *n);
void pim_homes_give(pim_lowering *l, const pim_node *n);
/* Is the node lowered as copies alone? Does it add up partial sums? */
bool pim_only_moves(const pim_node *n, const pim_axes *x);
bool pim_adds_sums(const pim_node *n);
/* Begins a node: names its task, and takes homes for it and those that share its tiles. */
void pim_node_begin(pim_lowering *l, const pim_fusion *f);
/* All of a node that has begun, at once. */
bool pim_node_lower(pim_lowering *l, const pim_fusion *f);

/* ---- interleave.c ---- */
/* Does an op of the graph begin before one that it reads has ended, on units of its own? */
bool pim_graph_overlaps(const pim_graph *g);
/* Lowers the nodes, n of them by start, tile by tile in the order in which tiles can run. */
bool pim_lower_interleaved(pim_lowering *l, pim_node *const *node, int n, int *readers);

/* ---- sums.c ---- */
/* Asks for the partial sums of a slice; then they may be added. */
void pim_fetch_sums(pim_lowering *l, const pim_node *n, int64_t slice);
void pim_lower_sums(pim_lowering *l, const pim_node *n, int64_t slice);
/* Adds up the partial sums of all slices along trees. */
void pim_lower_sum_trees(pim_lowering *l, const pim_node *n, pim_sums shape);

#endif
