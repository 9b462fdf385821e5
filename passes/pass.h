/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pass.h - the pass manager and what passes share.
 *
 * A pass is a row of passes.def and a file passes/<name>.c (dashes as underscores) that defines
 * bool pim_pass_<name>(pim_graph *, pim_job *). It finds its options, statistics and target in the job. */
#ifndef PIM_PASSES_PASS_H
#define PIM_PASSES_PASS_H

#include "ir/fusion.h"
#include "targets/target.h"

struct pim_job {
	pim_graph *graph;
	pim_arena *arena;
	const pim_pass *pass;
	const pim_target *target; /* NULL when none was chosen; the manager refuses passes that need one */
	const char **option;      /* values as text, one per field of the row */
	double *statistic;        /* one per field of the row */
	int threads;
	void (*progress)(void *user, const char *text, double part); /* may be NULL; part in 0..1 or -1 */
	void *progress_user;
	struct pim_pass_record *record; /* where pim_job_report writes */
};

/* The functions of the rows. */
#define PASS(name, needs, gives, breaks, help) bool pim_pass_##name(pim_graph *g, pim_job *j);
#include "passes/passes.def"

/* What an optimising pass reports, through pim_job_report: one line in --stats and in JSON. */
typedef struct pim_outcome {
	double value, bound; /* of the objective; bound is proved */
	const char *status;  /* optimal, feasible, limit */
	int64_t nodes;       /* of the search */
	double seconds;
} pim_outcome;
void pim_job_report(pim_job *j, const pim_outcome *o);

/* One of several answers that a pass has found, none better than another in all respects: --emit=csv. */
typedef struct pim_point {
	double cycles, pj;
	const char *how; /* of the answer, in a few words */
} pim_point;
/* Copies n points to the record. */
void pim_job_points(pim_job *j, int n, const pim_point *point);

typedef struct pim_pipeline_step {
	const pim_pass *pass;
	const char **option; /* one per field of the row, defaults filled in */
} pim_pipeline_step;
typedef struct pim_pipeline {
	int n, room;
	pim_pipeline_step *step;
} pim_pipeline;

int pim_pass_count(pim_context *c); /* built-in rows, then those of plugins */
const pim_pass *pim_pass_at(pim_context *c, int i);
const pim_pass *pim_pass_find(pim_context *c, const char *name);
/* Parses "a,b{x=1 y=foo},c" or "@file"; diagnostics with a caret in the full string. */
pim_pipeline *pim_pipeline_parse(pim_context *c, const char *text, pim_arena *a);
/* With every default filled in; reads back. */
void pim_pipeline_print(const pim_pipeline *p, pim_text *out);
int pim_named_pipeline_count(void); /* pipelines.def */
const char *pim_named_pipeline_name(int i);
const char *pim_named_pipeline_text(int i);
const char *pim_named_pipeline_help(int i);

/* What happens around each pass. All may be zero. */
typedef struct pim_run_options {
	bool no_verify;           /* --verify-each=false: once at the end instead */
	bool verify_numerics, verify_roundtrip;
	uint64_t seed;
	const pim_tensor *inputs; /* of verify_numerics, for a module of one graph; NULL: seeded ones */
	int threads;
	const char *print_after, *print_before; /* comma list or "all" */
	bool print_changed;
	const char *dot_dir;
	FILE *out;                /* where prints go; stderr when NULL */
	void (*progress)(void *user, const char *text, double part);
	void *progress_user;
} pim_run_options;

/* What --verify-numerics found out about a pass. */
typedef enum pim_values { PIM_VALUES_unchecked, PIM_VALUES_proved, PIM_VALUES_compared } pim_values;

/* One pass on one graph, as it went. */
typedef struct pim_pass_record {
	const pim_pass *pass;
	const pim_graph *graph;
	double seconds, verify_seconds, numerics_seconds;
	int nodes_before, nodes_after;
	pim_values values;
	const double *statistic; /* per field */
	bool has_outcome;
	pim_outcome outcome;
	int n_points;
	const pim_point *point; /* in the module's arena */
} pim_pass_record;
typedef struct pim_run_report {
	int n, room;
	pim_pass_record *record;
	double input_seconds; /* verification before the first pass, and first values of verify_numerics */
} pim_run_report;

bool pim_pipeline_run(pim_module *m, const pim_pipeline *p, const pim_target *t, const pim_run_options *o, pim_run_report *report, pim_arena *a);

/* ---- parts of the manager ---- */

/* Gives n the inputs that stand for its own now (rewrite.c). */
void pim_replacer_update(pim_replacer *r, pim_node *n);
/* Takes out what no result depends on (rewrite.c); inputs stay. How many nodes that were. */
int pim_graph_drop_unused(pim_graph *g, pim_arena *scratch);
/* Opens a shared object, checks its version, registers its passes (plugin.c). */
bool pim_plugin_load(pim_context *c, const char *path);
/* Prints the module, parses and prints that again, in a context of its own: reports the
 * first line that differs (roundtrip.c). */
bool pim_module_check_roundtrip(const pim_module *m);

/* Values of a graph on seeded inputs, kept to compare with (numerics.c). NULL after a diagnostic. */
typedef struct pim_numerics pim_numerics;
pim_numerics *pim_numerics_new(pim_graph *g, const pim_run_options *o);
/* Proves that the program computes what it did, by its structure; or else evaluates again and compares every result, within 1e-4 of the element plus 1e-5 of the largest
 * (f16, bf16: 4 last places; integers: equal); names the first node that differs. Keeps the new values. */
bool pim_numerics_check(pim_numerics *k, pim_graph *g, const char *pass, bool *evaluated);
void pim_numerics_free(pim_numerics *k);

/* A unified diff with `context` lines around each change (diff.c); nothing when equal. */
void pim_diff_print(const char *a, size_t na, const char *b, size_t nb, int context, pim_text *out);

/* ---- layouts: what split_branches and interleave_layout share ---- */

typedef enum pim_layout_kind { PIM_LAYOUT_other, PIM_LAYOUT_rows, PIM_LAYOUT_columns, PIM_LAYOUT_full } pim_layout_kind;

/* A way to hold a constant (layout_share.c): so many units hold one copy together. */
typedef struct pim_share {
	int degree;        /* 1: each unit what it reads */
	pim_layout layout; /* of the constant; not for degree 1 */
	int64_t bytes, staged; /* that the fullest unit holds; that it fetches to, while the op runs */
	double mean_bytes;     /* that a unit holds on average; never more than is certain */
	double cycles;         /* of fetching, each time the op runs */
	int64_t moved;         /* bytes that cross units */
} pim_share;

#define PIM_MAX_SHARES 12
typedef struct pim_sharing {
	int input, n; /* ways; the first is degree 1 */
	pim_share share[PIM_MAX_SHARES];
} pim_sharing;

/* A layout a value may have, and what that means for the op that makes it. */
typedef struct pim_state {
	pim_layout layout;
	pim_layout_kind kind;
	bool own, seen;       /* the op can be computed in it; users can be shown it (no partial sums) */
	int64_t slices;
	double cycles;        /* all waves: kernel or memory port, whichever is slower */
	int64_t weight_bytes; /* constants that a unit holds for it */
	int64_t home_bytes, staging_bytes; /* of the result and of fetched inputs, on one unit */
	int64_t *home;        /* per slice: lo[rank], hi[rank] */
	int64_t **need;       /* per input: the same, of its value; NULL for constants and absent ones */
	int n_sharings;       /* constants, once pim_layout_search_share has been asked */
	pim_sharing *sharing;
} pim_state;

#define PIM_MAX_STATES 28
typedef struct pim_states {
	const pim_type *type;
	int n;
	pim_state state[PIM_MAX_STATES];
} pim_states;

/* The states of n (layout_states.c). base: parts that each state's own cuts are multiples of, 0 or
 * 1 for free. hint: cuts that a neighbour has, or NULL. most: slices of own states, unless the base has more; 0: as many as there are units. like: states of the first input, where the result should follow it; or NULL. */
pim_states *pim_states_new(const pim_node *n, const pim_target *t, const int32_t base[PIM_MAX_RANK], const int32_t hint[PIM_MAX_RANK], int64_t most, const pim_states *like, pim_arena *a);
/* How often dimension d of n's value can be cut (1: not at all); a cut into `want` balanced pieces or
 * fewer that stays a box of every input. x is NULL for a leaf. */
int64_t pim_states_cut(const pim_node *n, const pim_axes *x, int d, int64_t want);

/* What it takes to bring a value to its reader (layout_cost.c). */
typedef struct pim_edge {
	double cycles;
	int64_t bytes; /* that cross units when slice s is on unit s mod units */
} pim_edge;
/* The boxes `need` (as in pim_state) of `slices` slices, from a value in state `from`. */
pim_edge pim_edge_cost(const pim_target *t, const pim_type *type, const pim_state *from, const int64_t *need, int64_t slices);
/* The same value in another state; adds up partial sums. */
pim_edge pim_relayout_cost(const pim_target *t, const pim_type *type, const pim_state *from, const pim_state *to);

/* The choice for a whole graph (layout_search.c). */
typedef struct pim_layout_plan {
	int n_ids;
	const pim_states **states; /* by node id; NULL for constants */
	uint8_t *own, *seen;       /* by node id: state computed in, state that users see */
	const pim_share **share;   /* by id of constants; NULL: each unit what it reads */
	double value, bound;       /* cycles (with the price of weights); bound is proved */
	bool optimal;
	int64_t steps;             /* transitions looked at */
	double cycles;             /* without the price */
	int64_t bytes;             /* that cross units */
} pim_layout_plan;
typedef struct pim_layout_search pim_layout_search;
/* base: by node id, PIM_MAX_RANK each; NULL: nothing is bound. */
pim_layout_search *pim_layout_search_new(pim_graph *g, const pim_target *t, int32_t (*base)[PIM_MAX_RANK], pim_arena *a);
/* The same, and by node id the most slices of its own states, 0 for as many as there are units. */
pim_layout_search *pim_layout_search_within(pim_graph *g, const pim_target *t, int32_t (*base)[PIM_MAX_RANK], const int64_t *most, pim_arena *a);
/* The cheapest plan when a byte of constants held by a unit costs `price` cycles more; at most `room`
 * combinations of states are kept between two nodes. */
pim_layout_plan *pim_layout_search_run(pim_layout_search *s, double price, int64_t room);
/* From now on constants may be shared where that costs less: asked for when memory is short. */
void pim_layout_search_share(pim_layout_search *s);
/* The cheapest plan found that fits the units' main memories (layout_memory.c); when none was found, one
 * that needs little: ask pim_layout_memory_of. Its bound is that of plans of any size. */
pim_layout_plan *pim_layout_search_fit(pim_layout_search *s);
/* From now on a plan fits where slots that are placed apart would let it: asked for when none does otherwise. */
void pim_layout_search_spread(pim_layout_search *s);
/* A plan whose layouts stay as they are: constants are shared, as little as will do, until it fits; when it
 * cannot, ask pim_layout_memory_of. */
void pim_layout_search_fit_shares(pim_layout_search *s, pim_layout_plan *p);
/* Every node in its state of that kind, or whole on one unit where it has none. */
pim_layout_plan *pim_layout_search_uniform(pim_layout_search *s, pim_layout_kind kind);
/* One node after the other, each in the state that takes the fewest cycles from where its inputs are seen,
 * whatever reads it: the choice of one who looks at one op at a time. price: as in run. */
pim_layout_plan *pim_layout_search_each(pim_layout_search *s, double price);

/* What the units must hold under a plan (layout_memory.c): constants given to the fullest unit, equal
 * boxes once, and the most that live values and fetched inputs take at any time. */
typedef struct pim_layout_memory {
	int64_t weights, values;
	int64_t spread; /* constants of the fullest unit when each op's slices go where most room is: no more than that */
	int64_t mean;   /* of all units' constants, and no less */
} pim_layout_memory;
pim_layout_memory pim_layout_memory_of(pim_graph *g, const pim_target *t, const pim_layout_plan *p);

/* ---- axes with names (axis_roles.c), cuts along them (axis_cuts.c) ---- */

typedef enum pim_role { PIM_ROLE_none, PIM_ROLE_channel, PIM_ROLE_row, PIM_ROLE_batch, PIM_ROLE_window, PIM_ROLE_head, PIM_ROLE_COUNT } pim_role;
const char *pim_role_name(pim_role r);
/* By class: what its slices are, for people. */
const pim_role *pim_roles_new(pim_graph *g, const pim_classes *c, pim_arena *a);
/* A cut along a class of axes into `count` pieces. */
#define PIM_MAX_CUTS PIM_MAX_BRANCH_AXES
typedef struct pim_cut {
	int class;
	int64_t count;
} pim_cut;
typedef struct pim_cuts {
	int n;
	pim_cut cut[PIM_MAX_CUTS];
} pim_cuts;
/* How often each dimension of n's value is cut by all of the cuts; false when one is not there, not free, or
 * not outermost in its dimension (inner factors count once the outer ones are cut in full). */
bool pim_cuts_apply(const pim_classes *c, const pim_node *n, const pim_cuts *cuts, int32_t parts[PIM_MAX_RANK]);
/* The cuts that a layout makes at n, as far as they are cuts along free classes. */
pim_cuts pim_cuts_of(const pim_classes *c, const pim_node *n, const pim_layout *l);
/* The first of the cuts that are enough for all units; a slice then holds the branches of the others. */
pim_cuts pim_cuts_for_units(const pim_cuts *cuts, int units);
/* By node id: the parts that the graph's branch sets ask of each member's layout on so many units. */
int32_t (*pim_cuts_of_sets(pim_graph *g, const pim_classes *c, const pim_role *roles, int units, pim_arena *a))[PIM_MAX_RANK];

/* Structural branches (branch_paths.c): ways between a node that several ops read and the first
 * node that all ways to the results pass. path[id]: the number of the innermost such way a node is on, 0 for none.
 * *forks, unless forks is NULL: by way (from 1; from `a`) the id of the node it starts at. Returns how many ways. */
int pim_branch_forks(pim_graph *g, int *path, int **forks, pim_arena *a);

/* ---- nests (nest_search.c) ---- */

typedef enum pim_nest_method { PIM_NEST_greedy, PIM_NEST_exhaustive } pim_nest_method;
/* How many different numbers of equal tiles an axis may be cut into, at most `most`; no fewer than there are. */
double pim_nest_counts(int64_t most, int64_t extent);
/* The temporal loops and tiles of one slice of n, which has a layout, and the cycles they take; the
 * spatial loops of its layout in front. Memory of the nest is from `a`. Adds the nests looked at to *evaluated.
 * exhaustive falls back to greedy for ops with more than a million nests. */
/* Nests of the members of a group (fusion_nest.c), whose plans have their nests alone; the group's cycles for one
 * slice stand in the first one. False when no tiles fit the buffer. */
bool pim_fusion_choose(const pim_target *t, const pim_fusion *f, pim_nest_method method, pim_nest **nest, pim_arena *a, int64_t *evaluated);
/* Makes groups in a graph whose nodes have nests (fusion_groups.c), and moves their members together. The number
 * of groups and of values that stay in the buffer are added to *groups and *kept. */
void pim_fusion_grow(pim_graph *g, const pim_target *t, pim_nest_method method, pim_arena *a, int64_t *evaluated, int *groups, int *kept);
pim_nest *pim_nest_choose(const pim_target *t, const pim_node *n, pim_nest_method method, pim_arena *a, int64_t *evaluated);

/* The nest of a slice in one tile: the spatial loops of n's layout alone. */
pim_nest *pim_nest_whole(const pim_target *t, const pim_node *n, pim_arena *a);

/* Nests of one slice by request: loops over these axes, outer to inner, so many tiles of each; those over summed
 * axes innermost, and as few more as make a tile fit. */
typedef struct pim_nest_trial pim_nest_trial;
typedef struct pim_nest_result {
	pim_nest *nest;  /* with the spatial loops of the layout and the cycles of one slice */
	int64_t steps;   /* tiles of a slice */
	double moved;    /* bytes between main memory and buffer, of one slice */
} pim_nest_result;
pim_nest_trial *pim_nest_trial_new(const pim_target *t, const pim_node *n, pim_arena *a);
/* The extent of an axis in the slice; *most: tiles it may have (1: it is not cut). */
int64_t pim_nest_trial_extent(const pim_nest_trial *r, int axis, int64_t *most);
/* False when no tile of these loops can be had. */
bool pim_nest_trial_run(pim_nest_trial *r, int n, const int *axis, const int64_t *count, pim_nest_result *out);

/* Appends what op, attributes and types of inputs and result tell nodes apart by (op_key.c). */
void pim_op_key(pim_text *key, const pim_node *n);

/* ---- verify of all facts a graph claims (facts.c) ---- */
bool pim_graph_verify_facts(pim_graph *g);

/* ---- what a node costs on so many units (estimate.c) ---- */
typedef struct pim_estimate {
	int64_t slices, waves;     /* waves = ceil(slices / units) */
	int64_t compute, incoming; /* cycles of all waves: kernels and local memory; messages */
	int64_t cycles;            /* of the node, where messages of a wave overlap with the wave before */
	double bytes;              /* from other units, all slices */
} pim_estimate;
/* Where a unit and its partners lie when all exchange with all: in lines, then planes of the network. */
typedef struct pim_exchange {
	int64_t units;
	double hops, load; /* mean hops between two; what the busiest link carries, in what one unit receives */
} pim_exchange;
pim_exchange pim_exchange_of(const pim_target *t, int64_t partners);
/* For n, with those it is the first of a group of, on `units` units and each producer of its inputs on at most
 * `from_units`. What the others of a group cost is in the figures of the first: nothing for themselves. */
pim_estimate pim_node_estimate(const pim_target *t, const pim_node *n, int units, int from_units, pim_arena *scratch);
/* What one input of n brings: compute are copies within units, incoming the messages. apart: the producer is
 * on units of its own, so all of it crosses. */
typedef enum pim_crews { PIM_CREWS_same, PIM_CREWS_apart, PIM_CREWS_placed } pim_crews;
pim_estimate pim_input_estimate(const pim_target *t, const pim_node *n, int input, pim_crews crews, pim_arena *scratch);

/* ---- pictures (graphviz.c: the only user of cgraph and gvc) ---- */
typedef enum pim_picture { PIM_PICTURE_program, PIM_PICTURE_schedule, PIM_PICTURE_placement, PIM_PICTURE_overlap } pim_picture;
/* Writes dot or svg text; false after a diagnostic. */
bool pim_picture_write(pim_graph *g, pim_picture what, const pim_target *t, const char *format, FILE *out);
/* The program within `depth` steps of a node. */
bool pim_picture_write_around(const pim_node *middle, int depth, const char *format, FILE *out);
/* The overlap of n with the op it waits for: tiles complete and ready by time. */
bool pim_picture_write_fronts(const pim_node *n, const pim_target *t, const char *format, FILE *out);
/* -1 when no picture is called so. */
int pim_picture_find(const char *name);

#endif
