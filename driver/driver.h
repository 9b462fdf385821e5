/* SPDX-License-Identifier: Apache-2.0 */
/* driver/driver.h - the parts of the command pimopt. No compiler logic lives here. */
#ifndef PIM_DRIVER_DRIVER_H
#define PIM_DRIVER_DRIVER_H

#include "frontends/frontend.h"
#include "passes/overlap.h"
#include "passes/pass.h"

/* Exit codes. */
enum { EXIT_FINE = 0, EXIT_INPUT = 1, EXIT_COMMAND = 2 };

/* ---- options.c ---- */

typedef enum option_id {
#define OPTION(id, spelling, kind, metavar, help) OPT_##id,
#include "driver/options.def"
	OPT_COUNT
} option_id;

typedef enum emit_kind {
	EMIT_pim,
	EMIT_commands,
	EMIT_binary,
	EMIT_micro,
	EMIT_dot,
	EMIT_svg,
	EMIT_json,
	EMIT_onnx,
	EMIT_csv,
	EMIT_none,
	EMIT_COUNT
} emit_kind;

enum { MOST_REPEATS = 64 };

typedef struct options {
	const char *input; /* "-" for standard input, NULL when none was given */
	int n_inputs;	   /* several only where a pipeline reads several files */
	const char *inputs[MOST_REPEATS];
	const char *value[OPT_COUNT]; /* NULL: not given; "": given without a value */
	int n_dims, n_plugins;
	pim_dim_binding dim[MOST_REPEATS];
	const char *plugin[MOST_REPEATS];
	emit_kind emit;
	pim_picture picture;
	const char *around; /* name of a value, without %; NULL: all of the program */
	int depth;
	const char *explained; /* name of an op, without %; NULL: none */
	int64_t explained_tile;
	pim_explanation explanation;
	int threads;
	double rtol, atol;
	int n_arguments; /* as given, for the reproducer */
	char **argument;
} options;

/* Reads a command line (without the program's name); says all that is wrong on stderr. */
bool options_parse(options *o, int argc, char **argv, pim_arena *a);
/* What prints messages in the form that --diagnostics asks for. */
pim_diag_handler *options_handler(const options *o);
void options_print_help(FILE *out);
void options_print_markdown(FILE *out);
/* " did you mean 'x'?" text for messages; "" when nothing is near. */
const char *hint_nearest(const char *wanted, int n, const char *const *names, pim_arena *a);

/* ---- list.c: what there is ---- */

/* False (and a message) when there is no such list, or no such pass. */
bool list_print(pim_context *c, const char *what, FILE *out);
bool list_print_pass(pim_context *c, const char *name, FILE *out);
void list_print_markdown(pim_context *c, FILE *out);

/* ---- main.c: one module from file to output ---- */

typedef struct timing {
	double read, run, write;
} timing;

/* Everything one run shares; every part of a split file has a context of its own. */
typedef struct session {
	const options *o;
	pim_context *context;
	pim_arena *arena;
	const pim_target *target;
	pim_pipeline *pipeline;
	pim_run_report report;
	timing time;
} session;

/* Loads plugins, finds the machine, parses the pipeline. */
bool session_open(session *s, const options *o, pim_diag_handler *on_diag, void *user);
void session_close(session *s);
/* Runs the pipeline, checks and reports; false after diagnostics. */
bool session_run(session *s, pim_module *m);
/* Writes the module as the options say. */
bool session_write(session *s, const pim_module *m, FILE *out);

/* ---- emit.c, emit_json.c ---- */

bool emit_module(session *s, const pim_module *m, FILE *out);
/* The value of that name or number; NULL after a diagnostic. */
const pim_node *find_value(pim_graph *g, const char *name, pim_arena *a);
bool emit_json(session *s, const pim_module *m, FILE *out);

/* ---- explain.c ---- */

/* --explain-overlap, when it is given: remarks; false after a diagnostic. */
bool explain_overlap(session *s, const pim_module *m);

/* ---- timeloop.c ---- */

/* --pipeline=timeloop-check: files of Timeloop in, JSON out. */
bool timeloop_wanted(const options *o);
bool timeloop_check(pim_context *c, const options *o);

/* ---- report.c: tables on stderr ---- */

/* Those that --stats and --time ask for, on stderr. */
void report_wanted(const session *s);
void report_time(const session *s, FILE *out);
void report_statistics(const session *s, FILE *out);
void report_statistics_json(const session *s, FILE *out);

/* ---- evaluate.c ---- */

/* Evaluates each graph; prints one line per output. False when one is beyond the tolerance. */
bool evaluate_module(session *s, const pim_module *m, FILE *out);
/* The graph's inputs: of --data, else seeded by --seed. NULL after diagnostics. */
pim_tensor *evaluate_read_inputs(session *s, pim_graph *g, pim_arena *a);

/* ---- split_input.c ---- */

/* The whole input as text; standard input too. NULL after a message. */
const char *input_read_text(pim_context *c, const char *path, size_t *n);
/* Runs every part of the input on its own. The exit code. */
int split_run(const options *o);

/* ---- verify_diagnostics.c ---- */

typedef struct expectations expectations;
/* Reads the comments in text[lo, hi); NULL after a message. */
expectations *expectations_read(
	const char *name, const char *text, size_t lo, size_t hi, pim_arena *a);
/* A diagnostic handler that ticks off what it is given; user is the expectations. */
void expectations_take(void *user, const pim_diag *d);
/* Says what was expected and did not come, and what came unexpected; true when neither. */
bool expectations_check(expectations *e, FILE *out);

/* ---- reproducer.c ---- */

/* Has pimopt-crash.pim written when this process crashes. */
void reproducer_arm(const options *o, const session *s, const char *text, size_t n);
/* Which pass is running: for the reproducer, and for a terminal when it takes over a second. */
void reproducer_note(void *user, const char *text, double part);
void reproducer_finish(void);
/* The command line that the file says, its input included; NULL after a message. */
char **reproducer_read(const char *path, int *argc, pim_arena *a);

#endif
