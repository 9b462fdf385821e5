/* SPDX-License-Identifier: Apache-2.0 */
/* passes/overlap.h - data spaces of a nest and when they are ready, in closed form.
 *
 * A data space is what one place (a combination of the spatial loops) computes in one step (a
 * combination of the temporal ones): a box of the op's axes. A box of the result is ready when all
 * of its elements are final: ready = the number of steps that must be complete. */
#ifndef PIM_PASSES_OVERLAP_H
#define PIM_PASSES_OVERLAP_H

#include "ir/ir.h"
#include "targets/target.h"

/* The later of two times, neither of which is NaN (fmax minds that). */
static inline double pim_later(double a, double b)
{
	return a > b ? a : b;
}

/* One loop of the nest as a digit of its axis: index = start of the piece + sum of digit * inner.
 */
typedef struct pim_digit {
	int axis;
	int64_t count, inner;
	int64_t weight; /* steps that pass while the digit goes up by one; spatial: 0 */
	bool spatial, piece;
} pim_digit;

/* The same loop as its axis sees it: indices `stride` apart differ by `weight` steps, and the loops
 * inside it add `inside` at most. */
typedef struct pim_turn {
	int64_t stride, weight, inside;
} pim_turn;

/* An axis may be cut first into balanced pieces (its outermost loop is spatial), then into tiles.
 */
enum { PIM_MAX_DIGITS = 64 };
typedef struct pim_spaces {
	int n_axes, n;
	int64_t size[PIM_MAX_AXES], pieces[PIM_MAX_AXES], tile[PIM_MAX_AXES];
	bool result[PIM_MAX_AXES]; /* the axis indexes the result */
	pim_digit *digit;		   /* outer to inner */
	int n_turns[PIM_MAX_AXES];
	const pim_turn *turn[PIM_MAX_AXES]; /* by axis: loops within a piece, outer to inner */
	int64_t steps, places;
	int64_t last; /* R0: what the loops of the other axes add when a sum is final */
} pim_spaces;

/* `result` says which axes index the result; tile extents and loops as in pim_nest. */
pim_spaces *pim_spaces_new(int n_axes, const int64_t *size, const int64_t *tile, const bool *result,
	int n, const pim_loop *loop, pim_arena *a);
/* From a node's nest; without one, one place and one step. */
pim_spaces *pim_spaces_of(const pim_node *n, const pim_axes *x, pim_arena *a);
/* The first index of a piece (piece = pieces: the end), and the piece that holds an index. */
int64_t pim_spaces_piece_start(const pim_spaces *s, int axis, int64_t piece);
int64_t pim_spaces_piece_with(const pim_spaces *s, int axis, int64_t index);
/* The digits of a space, in the order of s->digit. */
void pim_spaces_digits(const pim_spaces *s, int64_t place, int64_t step, int64_t *digit);
/* False when the space is empty (beyond the edge of its piece). */
bool pim_spaces_box(const pim_spaces *s, int64_t place, int64_t step, pim_box *axes);
/* The axes where only these digits (outer to inner) have values, axes without one in full; false
 * when nothing is left. */
bool pim_spaces_part(
	const pim_spaces *s, int n, const int *digit, const int64_t *value, pim_box *axes);
/* One axis's part of the ready step of lo <= index < hi: the largest sum of weight * digit in it.
 */
int64_t pim_spaces_axis_ready(const pim_spaces *s, int axis, int64_t lo, int64_t hi);
/* The same, and an index at which it is. */
typedef struct pim_latest {
	int64_t steps, index;
} pim_latest;
pim_latest pim_spaces_axis_latest(const pim_spaces *s, int axis, int64_t lo, int64_t hi);
/* The steps within one piece, counted from its start. */
int64_t pim_spaces_piece_ready(const pim_spaces *s, int axis, int64_t lo, int64_t hi);
/* Steps until the box of result axes is final, 0 for an empty one; other axes of the box are not
 * read. */
int64_t pim_spaces_ready(const pim_spaces *s, const pim_box *axes);
/* The same by looking at every place and step. */
int64_t pim_spaces_ready_exhaustive(const pim_spaces *s, const pim_box *axes);

/* ---- overlap_pair.c: a producer and one that reads it ---- */

/* A dimension of the value between: the consumer reads the index `read` of its axes, clipped to
 * 0..size-1, or all of it; the producer makes the index `made` of its axes, or all at once. */
typedef struct pim_pair_dim {
	int64_t size;
	pim_index read, made;
	bool read_whole, made_whole;
} pim_pair_dim;
typedef struct pim_pair {
	const pim_spaces *producer, *consumer;
	int n;
	pim_pair_dim dim[PIM_MAX_RANK];
} pim_pair;

/* Input `input` of an op (axes x, spaces consumer), whose value has the elements and shape of v's,
 * the result of an op with axes y. */
pim_pair pim_pair_of(int input, const pim_axes *x, const pim_spaces *consumer, const pim_node *v,
	const pim_axes *y, const pim_spaces *producer);
/* Indices lo..hi-1 of a dimension that a box of the consumer's axes reads; false: none. */
bool pim_pair_need(const pim_pair *e, int dim, const pim_box *axes, int64_t *lo, int64_t *hi);
/* Ranges of the producer's axes that make the first of them, as far as these are a box; where the
 * others begin (hi: none). Other axes of the box are left as they are. */
int64_t pim_pair_made(const pim_pair *e, int dim, int64_t lo, int64_t hi, pim_box *axes);
/* What making them adds to the ready step, beside 1 + R0. */
int64_t pim_pair_part(const pim_pair *e, int dim, int64_t lo, int64_t hi);
/* Is every axis of the consumer read by one dimension at most? Then the finish separates. */
bool pim_pair_separates(const pim_pair *e);
/* Cycles until the consumer has finished, when a step of the producer takes `made` cycles and never
 * waits, and one of the consumer `used`: each place runs its steps in order, each as soon as it is
 * ready; places in lock-step finish at the same time (overlap_finish.c says why). The pair
 * separates. Cost: see there. */
int64_t pim_pair_finish(const pim_pair *e, int64_t made, int64_t used);
/* *steps goes up by the pairs of regions and the relaxations that are looked at: what it costs on
 * any machine. */
int64_t pim_pair_finish_steps(const pim_pair *e, int64_t made, int64_t used, int64_t *steps);
/* The same by looking at every pair of data spaces (overlap_exhaustive.c), in lock-step or not. */
typedef enum pim_pace { PIM_PACE_free, PIM_PACE_lockstep } pim_pace;
int64_t pim_pair_finish_exhaustive(const pim_pair *e, int64_t made, int64_t used, pim_pace pace);

/* ---- overlap_handoff.c: what the spaces of a consumer need of one producer ---- */

/* Part d of a space's ready step is table[d][place_part(place) + step_part(step)]; a space needs
 * nothing when any part is -1. */
typedef struct pim_handoff {
	const pim_spaces *producer;
	int n_tables;
	int64_t *table[PIM_MAX_RANK];
	int64_t *coef[PIM_MAX_RANK]; /* by digit of the consumer: how far one more moves in the table */
	int64_t constant;			 /* 1 + R0 of the producer */
} pim_handoff;

pim_handoff pim_handoff_new(const pim_pair *e, pim_arena *a);
/* Ready step of the space whose digits (of the consumer's nest) are given. */
int64_t pim_handoff_ready(const pim_handoff *e, const pim_spaces *consumer, const int64_t *digit);
/* As pim_pair_finish, tile by tile; the pair need not separate. */
int64_t pim_handoff_finish(
	const pim_handoff *e, const pim_spaces *consumer, int64_t made, int64_t used);

/* ---- overlap_graph.c: a whole graph, each op on units of its own ---- */

typedef struct pim_overlap pim_overlap;

/* One op: cycles from the start of the graph; cost: cycles alone; of one tile: its own cycles and
 * those of its messages. */
typedef struct pim_overlap_run {
	int64_t steps, places;
	double cost, begin, end;
	double tile, message;
	int units;			  /* its own, on which its slices take turns */
	double waits;		  /* longest pause between two of its tiles */
	double latest;		  /* when the last input arrived that a tile had to wait for */
	const pim_node *last; /* that input; NULL: none */
} pim_overlap_run;

typedef struct pim_overlap_total {
	double sequential, overlapped;	 /* cycles */
	int64_t pairs, traced, barriers; /* edges: all; followed box by box; waited for in full */
} pim_overlap_total;

pim_overlap *pim_overlap_new(pim_graph *g, const pim_target *t, pim_arena *a);
const pim_overlap_run *pim_overlap_at(const pim_overlap *s, const pim_node *n);
const pim_overlap_total *pim_overlap_totals(const pim_overlap *s);
/* Runs n again after a decision of it, or a run of its inputs, has changed; totals stay as they
 * were. */
void pim_overlap_rerun(pim_overlap *s, const pim_node *n);
/* What a box of a value waits for: the part that is complete last, made by step `step` (from 1) of
 * slice `slice` of op `of`, moved since then if `of` is not the value itself. of NULL: nothing;
 * slice -1: made by no slice alone. */
typedef struct pim_overlap_when {
	double time;
	const pim_node *of;
	pim_box box; /* of its result */
	int64_t slice, step;
} pim_overlap_when;
/* One tile: number t is step t % tiles of slice t / tiles. */
typedef struct pim_overlap_tile {
	int64_t slice, step, turn;
	int unit; /* of the op's */
	bool any; /* false: nothing is left for it, its slice is smaller than others */
	pim_box axes;
	double free, begin, end; /* free: its unit has done what stands before it */
	pim_overlap_when when;
} pim_overlap_tile;
/* False when there is no such tile, or the op has too many to follow each. */
bool pim_overlap_tile_at(
	const pim_overlap *s, const pim_node *n, int64_t tile, pim_overlap_tile *t);
int64_t pim_overlap_tiles(const pim_overlap *s, const pim_node *n); /* 0: not followed one by one */
/* The tile that ran on its unit before this one; -1: none. */
int64_t pim_overlap_tile_before(const pim_overlap *s, const pim_node *n, int64_t tile);
/* Remarks what a tile waits for: until when, what part of which value, made where and when; chain:
 * also what that waited for, and so on. False after a diagnostic: there is no such tile. */
typedef enum pim_explanation { PIM_EXPLAIN_tile, PIM_EXPLAIN_chain } pim_explanation;
bool pim_overlap_explain(
	const pim_overlap *s, const pim_node *n, int64_t tile, pim_explanation how);
/* The earliest start of a slice, alone on a unit, from which none of its tiles has to wait. */
double pim_overlap_slice_ready(const pim_overlap *s, const pim_node *n, int64_t slice);
/* Compares the closed form of all edges into n with the exhaustive analysis; false after a
 * diagnostic. */
bool pim_overlap_check(const pim_overlap *s, const pim_node *n);

/* ---- turns.c ---- */

/* turn[i]: the job at position i, on unit i mod units, of jobs 0..n-1 by ready time; of those that
 * are ready at once each stays on unit (job mod units) where at least half of them can, else they
 * keep their order. With jobs of equal length no other order ends sooner. */
void pim_turns_by_ready(
	int64_t n, const double *ready, int units, int32_t *turn, pim_arena *scratch);

/* The same of slices; NULL: the order they have. */
pim_order *pim_order_by_ready(
	int64_t slices, const double *ready, int units, pim_arena *keep, pim_arena *scratch);

#endif
