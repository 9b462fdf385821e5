/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pass.h - the pass manager and what passes share.
 *
 * A pass is a row of passes.def and a file passes/<name>.c (dashes as underscores) that defines
 * bool pim_pass_<name>(pim_graph *, pim_job *). It finds its options, statistics and target in the job. */
#ifndef PIM_PASSES_PASS_H
#define PIM_PASSES_PASS_H

#include "ir/ir.h"
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
	int threads;
	const char *print_after, *print_before; /* comma list or "all" */
	bool print_changed;
	const char *dot_dir;
	FILE *out;                /* where prints go; stderr when NULL */
	void (*progress)(void *user, const char *text, double part);
	void *progress_user;
} pim_run_options;

/* One pass on one graph, as it went. */
typedef struct pim_pass_record {
	const pim_pass *pass;
	const pim_graph *graph;
	double seconds, verify_seconds, numerics_seconds;
	int nodes_before, nodes_after;
	const double *statistic; /* per field */
	bool has_outcome;
	pim_outcome outcome;
} pim_pass_record;
typedef struct pim_run_report {
	int n, room;
	pim_pass_record *record;
} pim_run_report;

bool pim_pipeline_run(pim_module *m, const pim_pipeline *p, const pim_target *t, const pim_run_options *o, pim_run_report *report, pim_arena *a);

/* ---- parts of the manager ---- */

/* Takes out what no result depends on (dce.c); inputs stay. How many nodes that were. */
int pim_graph_drop_unused(pim_graph *g, pim_arena *scratch);
/* Opens a shared object, checks its version, registers its passes (plugin.c). */
bool pim_plugin_load(pim_context *c, const char *path);
/* Prints the module, parses and prints that again, in a context of its own: reports the
 * first line that differs (roundtrip.c). */
bool pim_module_check_roundtrip(const pim_module *m);

/* Values of a graph on seeded inputs, kept to compare with (numerics.c). NULL after a diagnostic. */
typedef struct pim_numerics pim_numerics;
pim_numerics *pim_numerics_new(pim_graph *g, uint64_t seed, int threads);
/* Evaluates again and compares every result, within 1e-4 of the element plus 1e-5 of the largest
 * (f16, bf16: 4 last places; integers: equal); names the first node that differs. Keeps the new values. */
bool pim_numerics_check(pim_numerics *k, pim_graph *g, const char *pass);
void pim_numerics_free(pim_numerics *k);

/* A unified diff with `context` lines around each change (diff.c); nothing when equal. */
void pim_diff_print(const char *a, size_t na, const char *b, size_t nb, int context, pim_text *out);

/* ---- verify of all facts a graph claims (facts.c) ---- */
bool pim_graph_verify_facts(pim_graph *g);

/* ---- pictures (dot.c: the only user of cgraph and gvc) ---- */
typedef enum pim_picture { PIM_PICTURE_program, PIM_PICTURE_schedule, PIM_PICTURE_placement, PIM_PICTURE_overlap } pim_picture;
/* Writes dot or svg text; false after a diagnostic. */
bool pim_picture_write(pim_graph *g, pim_picture what, const pim_target *t, const char *format, FILE *out);

#endif
