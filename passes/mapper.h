/* SPDX-License-Identifier: Apache-2.0 */
/* passes/mapper.h - the search for mappings of a whole network, between its parts.
 *
 * A group is an op that computes (its leader) and the element-wise ops that follow it tile by tile
 * on its units; ops that only move elements are looked through. A choice is what one group may be
 * given: units, cuts, loops and tile. A choice turned: its loops over the result are cuts, too, so
 * that a unit has several slices, which take their turns by ready time. A run is a choice as it
 * goes: when each of its steps (transform mode: tiles) is complete, its waits included. */
#ifndef PIM_PASSES_MAPPER_H
#define PIM_PASSES_MAPPER_H

#include "passes/overlap.h"
#include "passes/pass.h"

/* ---- mapper_groups.c: from a graph to groups and what they read of each other ---- */

/* One operand of a group that another group makes, and the way back to it. */
typedef struct pim_mapper_edge {
	int from;				/* group */
	int kind;				/* edges that connect equal groups in the same way have the same */
	const pim_node *reader; /* the leader or a follower */
	int input;				/* of the reader */
	int n_way;				/* ops that only move elements in between, from the reader back */
	int shared;				/* the first of them that an edge before has on its way, too */
	const pim_node **way;
	int *way_input; /* which input of each leads on */
	const pim_axes **way_axes;
	bool whole;	 /* waited for in full: what the producer makes is a tuple */
	bool corner; /* the last element of the value is read, so the reader ends a step after the
					producer */
	uint32_t
		by_dim[PIM_MAX_RANK]; /* axes of the reading leader that dimension d of the value goes by */
} pim_mapper_edge;

typedef struct pim_mapper_choice pim_mapper_choice;
/* How groups follow each other: one after the other; each step as soon as what it reads is there;
 * each tile, with the slices of turned choices by ready time. */
typedef enum pim_mapper_mode {
	PIM_MAPPER_original,
	PIM_MAPPER_overlap,
	PIM_MAPPER_transform
} pim_mapper_mode;
typedef struct pim_mapper_group {
	const pim_node *leader;
	const pim_axes *axes; /* of the leader */
	int n_followers, room_followers;
	const pim_node **follower;
	const pim_axes **follower_axes;
	int n_edges;
	pim_mapper_edge *edge;
	int n_users;	 /* edges that read this group */
	double work;	 /* cycles of everything on one unit, estimated */
	int least_units; /* the fewest of which each can hold what it needs */
	int n_kept, room_kept;
	const pim_node **kept;	/* values beside its own that lie on its units */
	int n_choices, n_plain; /* plain ones stand first */
	const pim_mapper_choice *choice;
	double least_cycles, least_step,
		least_area; /* over the choices: of all, of a step, cycles times units */
	double least_pj;
	double tail; /* no less passes after the group's end before the network's */
} pim_mapper_group;

/* Where element-wise ops run: on their producer's units tile by tile, or on units of their own. */
typedef enum pim_mapper_followers { PIM_FOLLOWERS_share, PIM_FOLLOWERS_own } pim_mapper_followers;

typedef struct pim_mapper_known pim_mapper_known;
typedef struct pim_mapper {
	pim_graph *graph;
	const pim_target *target;
	pim_arena *arena;
	const pim_classes *classes;
	int n;
	pim_mapper_group *group;
	int *group_of; /* by node id; -1: a leaf or a move */
	int *
		source; /* by node id: its group; of a move the latest group that it comes from; -1: none */
	bool *stored; /* by node id: read outside of its group, last in it, or a result */
	int units;
	pim_mapper_known *known;
} pim_mapper;

pim_mapper *pim_mapper_new(pim_graph *g, const pim_target *t, pim_mapper_followers f, pim_arena *a);
/* Do both compute the same, on equal shapes? */
bool pim_mapper_group_equal(const pim_mapper_group *a, const pim_mapper_group *b);
/* The layout that n, which the group makes or which moves what it makes, has when the leader has
 * `l`; whole when its cuts cannot be had there. */
pim_layout pim_mapper_layout_of(
	const pim_mapper *m, const pim_node *leader, const pim_layout *l, const pim_node *n);
/* A stand-in for n that has this layout (and nest), with the same inputs. */
pim_node *pim_mapper_shadow(const pim_node *n, const pim_layout *l, pim_nest *nest, pim_arena *a);

/* ---- mapper_cuts.c: cuts of a group's result over units ---- */

typedef struct pim_mapper_cut {
	pim_layout layout;
	double cycles; /* of the kernel on the largest slice */
	double pj;	   /* of all slices: kernels, and what they read and write once */
	bool first;	   /* worth a look */
} pim_mapper_cut;
/* All cuts in at most so many pieces, by cycles, those before all others that are worth a look: the
 * fastest, and, unless `frugal` is 0, those spread from there to the least energy. *n: how many. */
pim_mapper_cut *pim_mapper_cuts_of(
	const pim_mapper *m, const pim_mapper_group *g, int units, int frugal, int *n, pim_arena *a);
/* Of a byte that goes from main memory to the buffer, or back. */
double pim_mapper_byte_pj(const pim_target *t);

/* ---- mapper_choices.c: what a group may be given ---- */

/* Tiles of a result by dimension. */
typedef struct pim_mapper_grid {
	int rank;
	int64_t tiles[PIM_MAX_RANK], all;
	const int32_t *at[PIM_MAX_RANK];   /* by index of the dimension: which tile it is in */
	int64_t *length[PIM_MAX_RANK];	   /* of each tile; 0: beyond the end of its piece */
	const int32_t *of_slice, *of_step; /* tile of a slice's first step, and how much a step adds */
	int dim[PIM_MAX_AXES];			   /* by axis of the leader; -1: none that is cut */
} pim_mapper_grid;

struct pim_mapper_choice {
	int units;		/* one slice on each; turned: equally many */
	int share;		/* units that the group was offered: what it does not use stays idle */
	int64_t slices; /* units, or a multiple of them */
	int cut;		/* number of the layout and the units among the group's */
	pim_layout layout;
	pim_nest *nest;
	const pim_spaces *spaces;
	int64_t steps;	   /* of a slice */
	int64_t parts;	   /* in which a slice of the result is stored, and may be sent */
	int64_t front;	   /* steps until the first eighth of the rows is complete */
	double step;	   /* cycles of one step, followers included */
	double pj;		   /* of all slices, without messages and without what passes with time */
	double fetch;	   /* cycles until a slice has what it reads of the network's inputs */
	int64_t bytes;	   /* that a unit holds: constants, inputs, result */
	int64_t constants; /* of them */
	bool fused;		   /* followers share the walk of their leader */
	int64_t order;	   /* class: which axes its loops go by, outer to inner */
	pim_mapper_grid grid;
	const double *part; /* by tile of the grid: of a step's cycles that it takes, 0 for tiles
						   without elements; NULL: each takes all */
	bool regular; /* slices and steps are tiles of the grid; else the grid has one, complete at the
					 end */
	const int32_t *turn;			/* turned: slices in the order of the loops they were */
	const pim_mapper_choice *plain; /* turned: what it was before */
};

/* Which numbers of units a group may have, and how many choices are kept for each. */
typedef struct pim_mapper_offer {
	int n_units;
	const int *units;
	int budget;
	int64_t most;			/* bytes that a unit may hold, where any choice holds as little */
	int64_t most_constants; /* of these, of constants, mean over all units, where any can */
	uint64_t seed;
	pim_mapper_mode mode; /* transform: the turned ones are offered beside */
	int frugal;			  /* this many more, spread from the fastest to those of least energy */
} pim_mapper_offer;
/* Fills the choices of group i; how many mappings were looked at. */
int64_t pim_mapper_choose(pim_mapper *m, int i, const pim_mapper_offer *o);
/* g has the choices of another group that is equal. */
void pim_mapper_share_choices(pim_mapper_group *g, const pim_mapper_group *from);
/* A choice of group i turned, from the mapper's arena: as many outer loops over the result become
 * cuts as give no more than a few thousand slices, whose constants fit when a unit has to hold
 * those of any; NULL when none can. */
const pim_mapper_choice *pim_mapper_turn(pim_mapper *m, int i, const pim_mapper_choice *c);
/* The fewest units with which some cut of group i leaves each what it can hold. */
int pim_mapper_least_units(pim_mapper *m, int i);
/* Cycles of the group on one unit, estimated from its tiles in full. */
double pim_mapper_work(const pim_mapper *m, int i);

/* ---- mapper_tiles.c: what a tile takes ---- */

typedef struct pim_mapper_toll {
	double cycles, pj;
} pim_mapper_toll;
/* All followers of the group on one tile of the result; tile: of the leader's axes. */
pim_mapper_toll pim_mapper_follow_tile(
	const pim_mapper *m, const pim_mapper_group *g, const int64_t *tile);
/* Sets `part` of a choice that has its nest and grid. */
void pim_mapper_set_parts(
	const pim_mapper *m, const pim_mapper_group *g, pim_mapper_choice *c, pim_arena *scratch);

/* ---- mapper_fuse.c: a group as a fused group of the graph ---- */

/* node: the leader, which has its nest, and the followers, which have nests of a whole slice each;
 * all with layouts. Gives the followers the walk of the leader; false when they cannot share it. */
bool pim_mapper_fuse(const pim_mapper *m, const pim_mapper_group *g, pim_node *const *node);
/* Can the followers share the walk of this choice? */
bool pim_mapper_fits(const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_choice *c);
/* Puts the nodes of a group with followers next to each other. */
void pim_mapper_gather(const pim_mapper *m, const pim_mapper_group *g);

/* ---- mapper_moves.c: what only moves between groups ---- */

/* Groups and inputs have their layouts, moves have one to begin with: gives moves the layouts
 * with which messages and copies take the fewest cycles, as estimated. */
void pim_mapper_settle_moves(pim_mapper *m, pim_graph *g);

/* ---- mapper_grid.c: tiles of the result ---- */

/* The dimension of the result that an axis alone goes by, without an offset; -1 for none. */
int pim_mapper_dim_of(const pim_mapper_group *g, int axis);
/* Sets `regular` and `grid` of a choice whose nest, spaces and slices are known. */
void pim_mapper_set_grid(const pim_mapper_group *g, pim_mapper_choice *c, pim_arena *a);

/* Counts through the digits of a nest, places outside, steps inside, and where that stands when
 * digit i moves by coef[i]. */
typedef struct pim_mapper_walk {
	int n;
	int64_t count[PIM_MAX_DIGITS], value[PIM_MAX_DIGITS], coef[PIM_MAX_DIGITS], at;
} pim_mapper_walk;
pim_mapper_walk pim_mapper_walk_of(const pim_spaces *s, const int64_t *coef);
void pim_mapper_walk_next(pim_mapper_walk *w);

/* A temporal loop over one dimension of the result. */
typedef struct pim_mapper_loop {
	int at, dim; /* at: in the nest */
	int64_t count;
} pim_mapper_loop;
/* Those of a choice, outer to inner; how many. */
int pim_mapper_loops(const pim_mapper_group *g, const pim_mapper_choice *c, pim_mapper_loop *loop);
/* The first `depth` loops as cuts; false when a dimension does not allow as many. */
bool pim_mapper_cut_loops(const pim_mapper_group *g, const pim_mapper_choice *c,
	const pim_mapper_loop *loop, int depth, pim_layout *l);
/* Slices of that layout in the order in which the loops went by them at all units at once. */
int32_t *pim_mapper_loop_order(const pim_mapper_choice *c, const pim_mapper_loop *loop, int depth,
	const pim_layout *fine, pim_arena *a);

/* ---- mapper_reads.c: steps of a producer that steps of a reader wait for ---- */

/* ready[j]: steps of `p` that must be complete, at all places, before step j of `c` may start at
 * any. Equal to the largest over all places, since what a place waits for separates by dimensions.
 */
void pim_mapper_ready(const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_group *from, const pim_mapper_choice *p,
	int32_t *ready);

/* The box of the producer's value that a box of the reading leader's axes needs; false for nothing.
 */
bool pim_mapper_trace(
	const pim_mapper_group *g, const pim_mapper_edge *e, const pim_box *axes, pim_box *box);

/* What the slices of a reader need of an edge, whatever the producer's choice. Dimensions of the
 * value that move with common digits of the reader are a part: ranges lo..hi by position. */
typedef struct pim_mapper_part {
	int n_dims, dim[PIM_MAX_RANK];
	int n, digit[2 * PIM_MAX_AXES];
	int64_t coef[2 * PIM_MAX_AXES]; /* of the position, by digit */
	int64_t positions;
	int32_t *lo[PIM_MAX_RANK], *hi[PIM_MAX_RANK]; /* by n_dims; hi <= lo: nothing */
} pim_mapper_part;
typedef struct pim_mapper_demand {
	int n;
	pim_mapper_part part[PIM_MAX_RANK];
} pim_mapper_demand;
/* NULL: all of it. */
const pim_mapper_demand *pim_mapper_demand_of(const pim_mapper_group *g, const pim_mapper_edge *e,
	const pim_mapper_group *from, const pim_mapper_choice *c, pim_arena *a);

/* The value that the producer makes, before anything moves it. */
const pim_node *pim_mapper_made(const pim_mapper_edge *e);

/* What an edge moves: cycles that the messages of all steps take, and bytes. */
typedef struct pim_mapper_move {
	double cycles, bytes;
} pim_mapper_move;
pim_mapper_move pim_mapper_move_of(const pim_mapper *m, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_group *from, const pim_mapper_choice *p);

/* Which messages of an edge come side by side. Steps that go along a dimension ask all for the same
 * piece of the producer at once, as a sum over channels does that lie on different units; the
 * others' data, for later steps, come as early. So pieces are lanes that go on by themselves: each
 * of the n steps that a lane serves takes 1/n of the cycles of all messages of a slice. */
typedef struct pim_mapper_lanes {
	int n;			  /* 0: all steps have one, or something moves on the way */
	int32_t *of_step; /* -1: a step that reads nothing */
	int32_t *steps;	  /* by lane */
} pim_mapper_lanes;
/* Sets l, whose `of_step` and `steps` have room for the steps of c. */
void pim_mapper_find_lanes(const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_group *from, const pim_mapper_choice *p,
	pim_mapper_lanes *l);

/* What the inputs of the network that group g reads move to its units, when it has this layout and
 * they lie as it is cut. */
pim_mapper_move pim_mapper_fetch_of(
	const pim_mapper *m, const pim_mapper_group *g, const pim_layout *l, int units);

/* ---- mapper_known.c: what two choices that meet make of each other, found once ---- */

/* Numbers the kinds of edges and begins to keep what is found; freed with the mapper's arena. */
void pim_mapper_know(pim_mapper *m);
/* Forgets everything when it is more than so many bytes; what was given before is gone then. */
enum { PIM_MOST_KNOWN = 1 << 28 };
void pim_mapper_forget(const pim_mapper *m, size_t most);
/* As pim_mapper_ready and pim_mapper_find_lanes have filled them; fresh: still to be filled, which
 * threads may do. */
int32_t *pim_mapper_known_ready(const pim_mapper *m, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_choice *p, bool *fresh);
pim_mapper_lanes *pim_mapper_known_lanes(const pim_mapper *m, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_choice *p, bool *fresh);
/* As pim_mapper_demand_of and pim_mapper_move_of. */
const pim_mapper_demand *pim_mapper_known_demand(const pim_mapper *m, const pim_mapper_group *g,
	const pim_mapper_edge *e, const pim_mapper_choice *c);
pim_mapper_move pim_mapper_known_move(const pim_mapper *m, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_choice *p);

/* ---- mapper_run.c: a choice for every group, as it goes ---- */

typedef enum pim_mapper_objective {
	PIM_OBJECTIVE_latency,
	PIM_OBJECTIVE_energy,
	PIM_OBJECTIVE_edp,
	PIM_OBJECTIVE_COUNT
} pim_mapper_objective;

/* One group as it runs. */
typedef struct pim_mapper_run {
	const pim_mapper_choice *choice;
	double begin, end; /* its units are its own in between */
	double *done;	   /* [0..steps]: when so many steps are complete at all places; transform mode:
						  by tile of the grid, when it is complete */
	int32_t *order;	   /* turned: slices by turn, from the caller's memory */
} pim_mapper_run;
/* How many entries `done` has in the mode. */
int64_t pim_mapper_run_room(const pim_mapper_choice *c, pim_mapper_mode mode);

/* Units by the time from which they are free, earliest first. */
typedef struct pim_mapper_span {
	double from;
	int units;
} pim_mapper_span;
typedef struct pim_mapper_units {
	int n;
	pim_mapper_span *span; /* room for n + 2 */
} pim_mapper_units;
pim_mapper_units pim_mapper_units_new(int units, pim_arena *a);
/* When so many are free. */
double pim_mapper_units_from(const pim_mapper_units *u, int count);
/* The earliest `count` are taken until `end`; in new memory. */
pim_mapper_units pim_mapper_units_take(
	const pim_mapper_units *u, int count, double end, pim_arena *a);

/* What one edge makes a run wait for. */
typedef struct pim_mapper_need {
	const int32_t *ready;			 /* overlap mode: by step of the reader */
	const pim_mapper_demand *demand; /* transform mode */
	const pim_mapper_run *of;		 /* the producer */
	double move;					 /* cycles of a slice's messages */
	const pim_mapper_lanes *lanes;	 /* but in transform mode */
} pim_mapper_need;
/* Edge e of group g, as choice c, of a producer's run; moved bytes added. */
pim_mapper_need pim_mapper_need_of(const pim_mapper *m, const pim_mapper_group *g,
	const pim_mapper_edge *e, const pim_mapper_choice *c, const pim_mapper_run *from,
	pim_mapper_mode mode, double *bytes);
/* Runs c once its units are free at `from`: sets r, whose `done` has room. */
void pim_mapper_run_choice(const pim_mapper *m, const pim_mapper_choice *c, pim_mapper_mode mode,
	int n, const pim_mapper_need *need, double from, pim_arena *scratch, pim_mapper_run *r);
/* ---- mapper_turns.c: groups tile by tile ---- */

/* pim_mapper_run_choice in transform mode. */
void pim_mapper_run_turns(const pim_mapper_choice *c, int n, const pim_mapper_need *need,
	double from, pim_arena *scratch, pim_mapper_run *r);

typedef struct pim_mapper_plan {
	const pim_mapper_choice **choice; /* by group */
	double *begin, *end;
	int32_t *
		*order; /* by group, when evaluated in transform mode: slices by turn, of turned ones */
	double latency, pj; /* pj: with messages and what passes with time */
	pim_arena *arena;
} pim_mapper_plan;
/* Propagates the plan's choices through all groups, in order; fills in the rest. */
void pim_mapper_evaluate(const pim_mapper *m, pim_mapper_mode mode, pim_mapper_plan *p);
pim_mapper_plan *pim_mapper_plan_new(const pim_mapper *m, pim_arena *a);
double pim_mapper_static_pj(const pim_target *t); /* per cycle */
double pim_mapper_move_pj(const pim_target *t, double bytes);
/* What the objective is of a latency and an energy. */
double pim_mapper_value(pim_mapper_objective o, double latency, double pj);

/* ---- mapper_memory.c: what a unit holds ---- */

/* Ranges of the axes of the group's follower f for a tile of the leader's axes. */
void pim_mapper_follower_extents(
	const pim_mapper_group *g, int f, const int64_t *tile, int64_t *extent);
/* Bytes. Values: what the group reads of others, its results where they are stored, and what lies
 * on its units beside it. */
typedef struct pim_mapper_held {
	double constants, values;
} pim_mapper_held;
/* Of one slice of the layout, whose ranges of the leader's axes are `extent`. */
pim_mapper_held pim_mapper_held_of(
	const pim_mapper *m, const pim_mapper_group *g, const pim_layout *l, const int64_t *extent);
/* What a unit holds more of what the leader reads when it is given any of the slices: before, with
 * ranges `before` of its axes, one of them; now so many, of ranges `now`, each with a box of its
 * own, all of them at most the whole value. */
pim_mapper_held pim_mapper_more_inputs(
	const pim_mapper_group *g, const int64_t *before, const int64_t *now, int64_t waves);
/* Bytes of constants that a unit holds of a group, mean over the shares of the machine. */
int64_t pim_mapper_mean_constants(const pim_mapper *m, const pim_mapper_choice *c);
/* Constants of all groups, and the most that values take at any time, which are there from when
 * they are made to when they are read last: the average of all units. largest: of the groups that
 * are not closed, the one with most constants; -1: all are. */
int64_t pim_mapper_plan_bytes(
	const pim_mapper *m, const pim_mapper_plan *p, const bool *closed, int *largest);

/* ---- mapper_front.c: plans that no other known is better than in both latency and energy ---- */

/* Of n points those that none is better than in both respects, at most `most` of them, spread over
 * all with both ends; from the fastest on. How many: their numbers are in chosen. */
int pim_front_choose(int n, const pim_point *p, int most, int *chosen, pim_arena *scratch);
/* Area between the points and a corner that is worse in both respects; points beyond it count for
 * nothing. */
double pim_front_area(int n, const pim_point *p, double cycles, double pj, pim_arena *scratch);

typedef struct pim_mapper_found {
	pim_point at;
	const pim_mapper_choice **choice; /* by group */
} pim_mapper_found;
typedef struct pim_mapper_front {
	int n, room;
	pim_mapper_found *found;
} pim_mapper_front;
/* Is one that was found no worse in either respect? */
bool pim_mapper_front_covers(const pim_mapper_front *f, double cycles, double pj);
/* Unless it is covered, keeps the plan, in the mapper's arena, and drops what it is better than. */
void pim_mapper_front_add(
	const pim_mapper *m, pim_mapper_front *f, const pim_mapper_plan *p, const char *how);
/* The points, in the mapper's arena, from the fastest on; the plans in the same order. */
pim_point *pim_mapper_front_sort(const pim_mapper *m, pim_mapper_front *f);
/* Offers each group choices for the numbers of units that a few plans spread over the front give
 * it; groups of equal kind and numbers have the same. o: the rest of the offer, by group. How many
 * mappings were looked at. */
int64_t pim_mapper_front_offer(
	pim_mapper *m, const pim_mapper_front *f, const int *kind, const pim_mapper_offer *o);

/* ---- mapper_beam.c: the search ---- */

/* What a beam keeps the best of, whatever is better elsewhere, since the next group is not known
 * yet: each order of loops on each number of units, or each cut. */
typedef enum pim_mapper_class { PIM_CLASS_order, PIM_CLASS_cut } pim_mapper_class;
typedef struct pim_mapper_search {
	pim_mapper_mode mode;
	pim_mapper_objective objective;
	int width; /* states kept; 0: all */
	pim_mapper_class class;
	int threads;
	double deadline; /* of the monotonic clock; afterwards the narrowest beam */
	pim_job *job;	 /* whose progress is told; may be NULL */
	int64_t evaluated;
	double bound;  /* proved for the choices that were offered */
	bool complete; /* nothing was left out but what the bound excludes */
} pim_mapper_search;
/* Improves *best (whose choices are complete, or which has none and latency INFINITY). */
void pim_mapper_beam(const pim_mapper *m, pim_mapper_search *s, pim_mapper_plan *best);
/* Adds to the front what a beam finds that keeps plans spread over latency and energy; the
 * objective of s counts for nothing. `complete`: no other plan of the offered choices is outside of
 * what the front covers. */
void pim_mapper_beam_front(const pim_mapper *m, pim_mapper_search *s, pim_mapper_front *front);
/* Turns groups of the plan for as long as its value in transform mode falls, until the deadline of
 * s; how many plans were evaluated is added there. */
void pim_mapper_turn_plan(pim_mapper *m, pim_mapper_search *s, pim_mapper_plan *p);
/* Least value of the objective over all that the offered choices allow. */
double pim_mapper_bound(const pim_mapper *m, const pim_mapper_search *s);
/* Fills in the tails that the bound uses. */
void pim_mapper_find_tails(pim_mapper *m);

/* ---- mapper_greedy.c: the papers' strategies ---- */

typedef enum pim_mapper_strategy {
	PIM_STRATEGY_forward,
	PIM_STRATEGY_backward,
	PIM_STRATEGY_middle_out,
	PIM_STRATEGY_beam,
	PIM_STRATEGY_COUNT
} pim_mapper_strategy;
void pim_mapper_greedy(
	const pim_mapper *m, pim_mapper_search *s, pim_mapper_strategy way, pim_mapper_plan *best);

/* ---- mapper_write.c: a plan as facts of the graph ---- */

/* Gives every op its layout, nest, units and times; how many nests were looked at. */
int64_t pim_mapper_write(pim_mapper *m, const pim_mapper_plan *p, pim_graph *g);

/* ---- mapper_shares.c: how many units each group has ---- */

/* Each share is the least that holds the group's constants, or more; their sum is the units where
 * those least are no more; the largest work / share is least. Groups first..last only. */
void pim_mapper_fill_shares(const pim_mapper *m, int first, int last, int *shares);
/* Shares in proportion to weights, the least or more each, by largest remainder; their sum is the
 * units where the least are no more. */
void pim_mapper_round_shares(const pim_mapper *m, const double *weight, int *shares);
/* Shares for less waiting than p has with the given ones: when what a group keeps its readers
 * waiting for is a share of its own time, the sum over groups is least with shares as the roots of
 * wait times share. */
void pim_mapper_move_shares(const pim_mapper *m, const pim_mapper_plan *p, int *shares);
/* The first group of each of `n` runs of groups whose works are about equal; n + 1 entries. */
void pim_mapper_segment(const pim_mapper *m, int n, int *first);

#endif
