/* SPDX-License-Identifier: Apache-2.0 */
/* targets/target.h - what a machine is, and everything a pass may ask of one.
 *
 * A machine is a YAML file: units (nodes, banks, cores) on a network, each with a main memory, a
 * working buffer, a matrix unit and vector lanes, and the command set they run. Figures are kept in
 * cycles, bytes and picojoules. Passes and simulator ask the same cost functions, so an
 * estimate differs from a simulation by waiting and contention only. */
#ifndef PIM_TARGETS_TARGET_H
#define PIM_TARGETS_TARGET_H

#include "ir/ir.h"

typedef enum pim_topology { PIM_TOPOLOGY_mesh, PIM_TOPOLOGY_torus, PIM_TOPOLOGY_bus } pim_topology;

typedef struct pim_memory {
	int64_t bytes;
	double bytes_per_cycle;   /* of one unit's port */
	int64_t latency;          /* cycles before the first byte */
	double read_pj, write_pj; /* per byte */
} pim_memory;

typedef struct pim_target {
	const char *name, *summary, *path; /* path: the YAML file, NULL when built in */
	const char *base;                  /* the machine that gives what its own file leaves out; NULL: none */
	const char *command_set;           /* "tile", "bank" or "none" */
	const char *pipeline;              /* the default one */
	double clock_hz;
	struct {
		pim_topology topology;
		int size[3]; /* x, y, z; units = product; unit = (z*size_y + y)*size_x + x */
		double link_bytes_per_cycle;
		int64_t hop_cycles;  /* router and wire, per hop */
		double hop_pj;       /* per byte and hop */
	} network;
	int units;
	pim_memory memory, buffer; /* per unit: main memory (DRAM slice) and working buffer (SRAM) */
	struct {
		int rows, columns;   /* of the multiply-accumulate array */
		int64_t fill_cycles; /* per kernel: pipeline fill and drain */
		double mac_pj;
	} matrix;
	struct {
		int lanes;
		int64_t start_cycles; /* per kernel */
		double step_pj;       /* per lane operation */
	} vector;
	/* Of machines that run the bank set: one unit is one bank, whose storage rows are the memory above and
	 * whose staging rows are the buffer; matrix and vector are zero. */
	struct {
		int rows, columns;                /* of the bank; a column is a lane */
		int compute_rows, staging_rows;   /* of them: for bit-serial work, for operands of a tile */
		int64_t burst_bytes;              /* of one column access */
		int64_t trcd, trp, tras, trrd, tfaw, tccd, twr, twtr, trtp, trefi, trfc;
		int64_t write_latency;            /* from a write command to its data */
		int64_t second_activation;        /* of a row copy, behind the first */
		int all_bank_groups, all_bank;    /* of a channel's banks, that all-bank commands are for in turn; banks of each */
		int64_t all_bank_tfaw, mode_switch; /* four all-bank activations; between commands of one bank and all-bank ones */
		double activation_pj, extra_row_pj; /* of one row; of each further row raised with it */
		double column_pj;                 /* per byte, between a row and the bank's transposer */
		const struct pim_bank_costs *costs; /* of its routines */
		const struct pim_bank_grid *grid;   /* when its commands are issued */
		const struct pim_target *lockstep;  /* the same machine as all-bank commands find it: its grid is theirs; NULL: they are no faster */
	} bank;
	int64_t command_cycles; /* issue of any command */
	double static_w;        /* whole machine */
} pim_target;

/* Of a unit's memory; the rest is left for gaps between what lies there. */
int64_t pim_target_usable_bytes(const pim_target *t);
/* Every box of a constant that a unit is given starts at a multiple of so many bytes. */
enum { PIM_CONSTANT_ALIGN = 64 };
/* What a box of so many bytes takes of the unit's memory. */
int64_t pim_target_constant_bytes(int64_t bytes);

/* A built-in name, or a path that ends in .yaml (its key `base` is another one); located diagnostics and NULL otherwise. */
const pim_target *pim_target_find(pim_context *c, const char *name);
int pim_target_count(void);
const char *pim_target_name(pim_context *c, int i); /* with dashes, as users write it */
const char *pim_target_summary(int i);
pim_limits pim_target_limits(const pim_target *t);

/* ---- cost (cost.c) ---- */

/* Work of one kernel: an op on boxes of its inputs. extent[a] is the tile's extent of each axis. */
int64_t pim_target_kernel_cycles(const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent);
double pim_target_kernel_pj(const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent);
/* Why the target cannot run such a kernel; NULL when it can. */
const char *pim_target_refusal(const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent);
int64_t pim_target_memory_cycles(const pim_target *t, int64_t bytes); /* one transfer memory <-> buffer */
int64_t pim_target_buffer_cycles(const pim_target *t, int64_t bytes); /* one transfer within the buffer */
/* What a kernel takes longer for bytes that it reads or writes in main memory itself; banks work nowhere else: 0. */
int64_t pim_target_in_place_cycles(const pim_target *t, int64_t bytes);
/* Adding elements of one value to those of another, as for partial sums. */
int64_t pim_target_add_cycles(const pim_target *t, pim_dtype type, int64_t elements);
int64_t pim_target_send_cycles(const pim_target *t, int64_t bytes, int hops);
/* For which a message has each link of its way; an empty one takes links too. */
int64_t pim_target_link_cycles(const pim_target *t, int64_t bytes);
/* Multiply-accumulates of one node in full (conv, matmul; 0 for others). */
int64_t pim_node_macs(const pim_node *n);

/* ---- network (network.c) ---- */

int pim_network_hops(const pim_target *t, int from, int to);
/* Of a mesh or torus: the steps to take along dimension d between two places, negative for downwards (of two equal
 * ways round the upper one); the unit after `unit` on the route to another, itself when it is that one. */
int pim_network_steps(const pim_target *t, int d, int from, int to);
int pim_network_next(const pim_target *t, int unit, int to);
/* The links of the dimension-ordered route, first to last; a link is numbered
 * unit * 6 + direction (+x -x +y -y +z -z) by the unit it leaves, a bus 6 * its first unit + 2 * level. Returns the
 * hops. */
int pim_network_route(const pim_target *t, int from, int to, int *link);
/* The union of the dimension-ordered routes from one unit to several: a tree, since every unit on the
 * way is entered by one link only. A link stands behind the one before it on the way. */
typedef struct pim_tree {
	int n, *link, *before; /* before: index of the link before; -1: it leaves the source */
	int *last;	       /* by destination: index of the link that enters it; -1: the source itself */
} pim_tree;
pim_tree pim_network_tree(const pim_target *t, int from, int n, const int *to, pim_arena *a);
/* The same in a tree that has room: for pim_network_tree_links links and n units. entry: by link, 0 before and
 * afterwards; route: room for pim_network_diameter links. */
void pim_network_tree_fill(const pim_target *t, int from, int n, const int *to, pim_tree *tree, int *entry, int *route);
/* No tree has more links. */
int pim_network_tree_links(const pim_target *t);
int pim_network_links(const pim_target *t);
int pim_network_diameter(const pim_target *t);
/* Links that exist: directed ones of a mesh or torus, or buses; and the mean hops between two units. */
double pim_network_link_count(const pim_target *t);
double pim_network_mean_hops(const pim_target *t);

/* ---- traffic (traffic.c): what decisions make slices exchange ---- */

/* Parts of the value that travel together, as a tree between slots of the two nodes: one sends the same to
 * n others, or n send partial sums that are added up for one. n is at least 1; leaves are distinct. */
typedef struct pim_traffic_tree {
	bool adds;
	int root, n;
	const int *leaf;
	double bytes;
} pim_traffic_tree;
typedef void pim_traffic_tree_visit(void *user, const pim_traffic_tree *tree);
/* All that n reads of its input i; the copy with the slice's own number serves. Both know their number of
 * units. Partial sums are added up along trees where the estimate before placement says so; the lowering asks
 * again with the units. */
void pim_traffic_trees(const pim_target *t, const pim_node *n, int input, pim_traffic_tree_visit *f, void *user);

/* Where a unit takes a box of a placed value from: of equal copies the nearest, of a constant the copy of its
 * own group. Each slice with the part it gives. */
typedef struct pim_sources {
	const pim_target *target;
	pim_pieces pieces;
	int unit;
	bool fixed; /* no other copy will do */
} pim_sources;
/* Among the copies of a slice, the one on this unit or with the fewest hops to it. */
int64_t pim_nearest_copy(const pim_target *t, const pim_node *value, int64_t slice, int unit);
pim_sources pim_sources_of(const pim_target *t, const pim_node *value, const pim_box *need, int unit);
bool pim_sources_next(pim_sources *s, int64_t *slice, pim_box *part);
/* Bytes times links of all that n, placed, is sent of input i: what several units read goes to them along a
 * tree. Of ops that mix elements (reshapes) the boxes count, not the elements. load, by link: what it carries is added. */
double pim_traffic_links(const pim_target *t, const pim_node *n, int input, double *load);

/* ---- how partial sums are added up (reduction.c) ---- */

typedef enum pim_sums { PIM_SUMS_straight, PIM_SUMS_routes, PIM_SUMS_halves, PIM_SUMS_COUNT } pim_sums;

/* A partial sum: the slice that holds it, and the one (in the same list) that adds it to its own and sends both
 * on; -1: the reader. In round 0 go those to which none comes. */
typedef struct pim_addend {
	int64_t slice;
	int unit, parent, round;
} pim_addend;
/* One part of what a slice of the result is made of. */
typedef struct pim_reduction {
	pim_box part;
	int unit; /* of the reader */
	int n, rounds;
	pim_addend *addend;
} pim_reduction;
/* Of nodes that are not placed: how many units the slices take in turn, of the sums and of the result. */
typedef struct pim_crew_sizes {
	int from, to;
} pim_crew_sizes;
/* For a relayout from partial sums: the parts of a slice's box. Gives back how many. */
int pim_reductions_of(const pim_target *t, const pim_node *n, int64_t slice, pim_sums shape, pim_crew_sizes crews,
		      pim_reduction **out, pim_arena *a);
/* Estimated cycles of the whole node with this shape; the shape that takes least. */
double pim_sums_cycles(const pim_target *t, const pim_node *n, pim_sums shape, pim_crew_sizes crews);
pim_sums pim_sums_best(const pim_target *t, const pim_node *n, pim_crew_sizes crews);

/* ---- what units hold (tile/holdings.c) ---- */

/* What one slice puts on its unit: a box of a constant without a layout; one piece of a constant with a layout,
 * whichever it is, of all slices there together; the slice's own box; a box of an input, which is fetched unless a
 * copy of slice `source` of the value is on the unit (-1: whoever is there); partial sums that are added to it. */
typedef enum pim_holding_kind {
	PIM_HOLDING_given, PIM_HOLDING_piece, PIM_HOLDING_home, PIM_HOLDING_fetched, PIM_HOLDING_sums
} pim_holding_kind;
typedef struct pim_holding {
	pim_holding_kind kind;
	const pim_node *node, *value; /* on the unit of the node's slice; what it is a box of */
	int64_t slice;
	const pim_box *box;
	int64_t bytes;       /* that it takes of the memory */
	int64_t from, until; /* moments: those before `until` */
	int64_t source;
} pim_holding;
typedef void pim_holding_visit(void *user, const pim_holding *h);
/* in_turn: a moment is the turn of a node, and what it takes room for is given in that order; else moments are the
 * starts of nodes that run at the same time. */
typedef struct pim_moments {
	int64_t n;
	bool in_turn;
} pim_moments;
/* All that the slices of a scheduled graph hold, node by node in the order of the lowering; slices of one node that are
 * on one unit hold what they both fetch once, and all slices there a box of a constant. Ours: what the lowering takes
 * room for. */
pim_moments pim_holdings(const pim_target *t, const pim_graph *g, pim_holding_visit *f, void *user);

/* Bytes of room that is taken at `from` and given back at `until`. */
typedef struct pim_room_use {
	int64_t bytes, from, until;
} pim_room_use;
/* The memory that this takes with the gaps between, in ascending order of `from`, as the lowering finds addresses
 * (tile/room.c). */
int64_t pim_room_peak(int64_t n, const pim_room_use *use);

/* ---- lowering ---- */

/* Where all units wait for each other: nowhere (data alone decides who waits), after every op, or
 * wherever the next op belongs to another branch set. */
typedef enum pim_barriers { PIM_BARRIERS_none, PIM_BARRIERS_op, PIM_BARRIERS_set } pim_barriers;

/* Makes g->code from the decisions; diagnostics and false when something does not fit. */
bool pim_target_lower(const pim_target *t, pim_graph *g, pim_barriers barriers, pim_arena *scratch);
/* Figures of g->code: commands as written and as they run, distinct kernels, bytes sent, and the cycles that are
 * expected of it. All 0 when there is none. */
typedef struct pim_code_statistics {
	double commands, executed, kernels, bytes, latency;
} pim_code_statistics;
pim_code_statistics pim_target_code_statistics(const pim_graph *g);

#endif
