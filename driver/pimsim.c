/* SPDX-License-Identifier: Apache-2.0 */
/* pimsim.c - the command pimsim: runs a command program on real or random data and reports.
 *
 * Exit codes: 0 all is well; 1 the program, its data or its results are wrong; 2 the command line
 * is. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "driver/process.h"
#include "frontends/frontend.h"
#include "targets/sim.h"

enum { OK = 0, WRONG = 1, USAGE = 2 };

/* ---- options ---- */

/* The one list of options: name, argument (NULL: none), what it does. */
#define OPTIONS(X)                                                                                 \
	X(data, "DIR", "inputs from this folder; results are compared with its outputs")               \
	X(inputs, "FILE", "an input (.npy or .pb), in order; more files may follow")                   \
	X(outputs_dir, "DIR",                                                                          \
		"writes results to DIR/output_0.npy, ... and random inputs to input_0.npy, ...")           \
	X(seed, "N", "random inputs from this seed (default 0), when none are given")                  \
	X(timing_only, NULL, "no values and no checks: cycles, traffic and energy only")               \
	X(network, "message|flit",                                                                     \
		"messages whole (default), or flit by flit through routers: slower")                       \
	X(check, "on|off", "races and reads of unwritten bytes (default on; off with --timing-only)")  \
	X(tolerance, "T", "rtol=R,atol=A instead of the defaults (see the manual page)")               \
	X(timeline, "FILE", "what ran when, as a Chrome trace (opens in Perfetto)")                    \
	X(timeline_limit, "N", "most spans in it (default 200000)")                                    \
	X(trace, "FILE",                                                                               \
		"every command to the banks: cycle, channel, bank or banks, command, rows, as CSV")        \
	X(host, NULL, "banks: the host brings inputs and takes results away in the run's time")        \
	X(links, NULL, "lists every link that carried bytes, not only the ten busiest")                \
	X(compare, NULL, "where the run and its estimate part: the critical path by op and by cause")  \
	X(json, NULL, "the whole report as JSON")                                                      \
	X(diagnostics, "text|json", "form of messages (default text)")                                 \
	X(help, NULL, "prints this")                                                                   \
	X(version, NULL, "prints the version")

typedef enum option_code {
#define OPTION_ENUM(name, argument, help) OPTION_##name,
	OPTIONS(OPTION_ENUM)
#undef OPTION_ENUM
		OPTION_COUNT
} option_code;

typedef struct option_row {
	const char *name, *argument, *help;
} option_row;

static const option_row rows[OPTION_COUNT] = {
#define OPTION_ROW(name, argument, help) {#name, argument, help},
	OPTIONS(OPTION_ROW)
#undef OPTION_ROW
};

typedef struct settings {
	const char *program, *data, *outputs_dir, *timeline, *trace;
	int n_inputs;
	const char **inputs;
	uint64_t seed;
	bool timing_only, flits, check, check_given, host, links, compare, json, diagnostics_json,
		tolerance_given;
	double rtol, atol;
	int64_t timeline_limit;
} settings;

/* timing_only -> timing-only */
static const char *spell(const char *name, char text[32])
{
	size_t n = strlen(name);
	for (size_t i = 0; i <= n; i++)
		text[i] = name[i] == '_' ? '-' : name[i];
	return text;
}

static void print_help(void)
{
	char name[32], left[64];
	printf("usage: pimsim PROGRAM [options] [input files]\n"
		   "Runs a command program of pimopt: values, cycles, traffic, energy, mistakes.\n\n");
	for (int i = 0; i < OPTION_COUNT; i++) {
		const char *argument = rows[i].argument;
		snprintf(left, sizeof left, "--%s%s%s", spell(rows[i].name, name), argument ? "=" : "",
			argument ? argument : "");
		printf("  %-24s %s\n", left, rows[i].help);
	}
	printf("\nexit codes: 0 good, 1 the program, its data or its results are wrong, "
		   "2 the command line is wrong\n");
}

/* False: not one of the two words. */
static bool read_choice(const char *text, const char *yes, const char *no, bool *value)
{
	*value = strcmp(text, yes) == 0;
	return *value || strcmp(text, no) == 0;
}

static bool read_count(const char *text, int64_t low, int64_t *value)
{
	char *end;
	errno = 0;
	*value = strtoll(text, &end, 10);
	return *text && !*end && errno == 0 && *value >= low;
}

/* rtol=R,atol=A: one or both. */
static bool read_tolerance(const char *text, settings *s)
{
	s->tolerance_given = true;
	while (*text) {
		double *to = strncmp(text, "rtol=", 5) == 0	  ? &s->rtol
					 : strncmp(text, "atol=", 5) == 0 ? &s->atol
													  : NULL;
		const char *end = text + strlen(text);
		const char *after = to ? pim_read_float(text + 5, end, to) : text;
		if (!to || after == text + 5 || !(*to >= 0) || (*after && *after != ','))
			return false;
		text = *after ? after + 1 : after;
	}
	return true;
}

static bool take_option(settings *s, int code, char *argument)
{
	int64_t n;
	switch ((option_code)code) {
	case OPTION_data:
		s->data = argument;
		return true;
	case OPTION_inputs:
		s->inputs[s->n_inputs++] = argument;
		return true;
	case OPTION_outputs_dir:
		s->outputs_dir = argument;
		return true;
	case OPTION_seed:
		if (!read_count(argument, 0, &n))
			return false;
		s->seed = (uint64_t)n;
		return true;
	case OPTION_timing_only:
		s->timing_only = true;
		return true;
	case OPTION_network:
		return read_choice(argument, "flit", "message", &s->flits);
	case OPTION_check:
		s->check_given = true;
		return read_choice(argument, "on", "off", &s->check);
	case OPTION_tolerance:
		return read_tolerance(argument, s);
	case OPTION_timeline:
		s->timeline = argument;
		return true;
	case OPTION_timeline_limit:
		return read_count(argument, 1, &s->timeline_limit) && s->timeline_limit <= 100000000;
	case OPTION_trace:
		s->trace = argument;
		return true;
	case OPTION_host:
		s->host = true;
		return true;
	case OPTION_links:
		s->links = true;
		return true;
	case OPTION_compare:
		s->compare = true;
		return true;
	case OPTION_json:
		s->json = true;
		return true;
	case OPTION_diagnostics:
		return read_choice(argument, "json", "text", &s->diagnostics_json);
	default:
		return true;
	}
}

static bool ends_in(const char *text, const char *ending)
{
	size_t n = strlen(text), m = strlen(ending);
	return n >= m && strcasecmp(text + n - m, ending) == 0;
}

/* A file beside the options: an input by its ending, else the program. */
static bool take_file(settings *s, const char *path)
{
	if (ends_in(path, ".npy") || ends_in(path, ".pb")) {
		s->inputs[s->n_inputs++] = path;
		return true;
	}
	if (s->program) {
		return process_complain("two programs, '%s' and '%s': expected one", s->program, path);
	}
	s->program = path;
	return true;
}

static bool fit_together(const settings *s)
{
	const char *wrong = NULL;
	if (!s->program)
		wrong = "no program given; pimsim --help lists what can be asked";
	else if (s->data && s->n_inputs)
		wrong = "inputs come from --data or from --inputs, not from both";
	else if (s->timing_only && (s->data || s->n_inputs || s->outputs_dir))
		wrong = "--timing-only has no values: --data, --inputs and --outputs-dir do not go with it";
	return !wrong || process_complain("%s", wrong);
}

/* An option that is not there, is short for several, or has no value where it needs one (or one too
 * many). */
static int complain_about(const char *given, bool lacks_value, char names[OPTION_COUNT][32])
{
	char spelled[OPTION_COUNT][34];
	const char *all[OPTION_COUNT];
	pim_arena *a = pim_arena_new();
	const char *name = pim_arena_copy(a, given, strcspn(given, "="));
	for (int i = 0; i < OPTION_COUNT; i++) {
		snprintf(spelled[i], sizeof spelled[i], "--%s", names[i]);
		all[i] = spelled[i];
	}
	const char *near = pim_nearest(name, OPTION_COUNT, all);
	bool known = near && !strcmp(near, name);
	if (known && lacks_value)
		process_complain("a value is missing after '%s'", name);
	else if (known)
		process_complain("this option takes no value: '%s'", given);
	else
		process_complain("unknown option '%s'%s%s%s", name, near ? ", did you mean '" : "",
			near ? near : "", near ? "'" : "; pimsim --help shows all");
	pim_arena_free(a);
	return USAGE;
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, settings *s)
{
	struct option table[OPTION_COUNT + 1] = {0};
	char names[OPTION_COUNT][32];
	for (int i = 0; i < OPTION_COUNT; i++)
		table[i] = (struct option){spell(rows[i].name, names[i]),
			rows[i].argument ? required_argument : no_argument, NULL, 256 + i};
	for (int code; (code = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
		if (code == '?' || code == ':')
			return complain_about(argv[optind - 1], code == ':', names);
		code -= 256;
		if (code == OPTION_help) {
			print_help();
			return OK;
		}
		if (code == OPTION_version) {
			printf("pimsim %s\n", pim_version());
			return OK;
		}
		if (!take_option(s, code, optarg)) {
			process_complain("--%s=%s: expected --%s=%s (%s)", names[code], optarg, names[code],
				rows[code].argument, rows[code].help);
			return USAGE;
		}
	}
	for (int i = optind; i < argc; i++)
		if (!take_file(s, argv[i]))
			return USAGE;
	return fit_together(s) ? -1 : USAGE;
}

/* ---- tensors ---- */

static const char **tensor_names(int n, const pim_program_tensor *t, pim_arena *a)
{
	const char **name = PIM_NEW(a, const char *, n + 1);
	for (int i = 0; i < n; i++)
		name[i] = t[i].name;
	return name;
}

static bool has_type(
	pim_context *c, const char *where, const pim_program_tensor *wanted, const pim_type *t)
{
	if (t == wanted->type)
		return true;
	pim_arena *a = pim_arena_new();
	if (!t)
		pim_file_error(
			c, where, "there is nothing for %s %s", wanted->name, pim_type_text(wanted->type, a));
	else
		pim_file_error(c, where, "%s is %s, expected %s", wanted->name, pim_type_text(t, a),
			pim_type_text(wanted->type, a));
	pim_arena_free(a);
	return false;
}

static bool read_file(pim_context *c, const char *path, pim_arena *a, pim_named_tensor *out)
{
	return ends_in(path, ".pb") ? pim_tensor_read_pb(c, path, a, out)
								: pim_tensor_read_npy(c, path, a, out);
}

static bool read_files(const settings *s, const pim_program *p, pim_arena *a, pim_named_tensor *in)
{
	if (s->n_inputs != p->n_inputs)
		return pim_file_error(p->context, s->program, "the program has %d inputs, %d were given",
			p->n_inputs, s->n_inputs);
	bool good = true;
	for (int i = 0; i < p->n_inputs; i++)
		good = read_file(p->context, s->inputs[i], a, in + i) &&
			   has_type(p->context, s->inputs[i], p->input + i, in[i].tensor.type) && good;
	return good;
}

static bool read_data(const settings *s, const pim_program *p, pim_arena *a, pim_named_tensor *in)
{
	if (!pim_tensors_read_dir(p->context, s->data, "input", p->n_inputs,
			tensor_names(p->n_inputs, p->input, a), a, in))
		return false;
	bool good = true;
	for (int i = 0; i < p->n_inputs; i++)
		good = has_type(p->context, s->data, p->input + i, in[i].tensor.type) && good;
	return good;
}

static void make_random(const settings *s, const pim_program *p, pim_arena *a, pim_named_tensor *in)
{
	for (int i = 0; i < p->n_inputs; i++) {
		const pim_type *t = p->input[i].type;
		in[i].tensor = (pim_tensor){t, pim_arena_alloc(a, (size_t)pim_type_bytes(t) + 1)};
		pim_tensor_random(&in[i].tensor, s->seed + (uint64_t)i);
	}
}

/* One tensor per input of the program; NULL after diagnostics. */
static pim_tensor *read_inputs(const settings *s, const pim_program *p, pim_arena *a)
{
	pim_named_tensor *named = PIM_NEW(a, pim_named_tensor, p->n_inputs + 1);
	if (s->data ? !read_data(s, p, a, named) : s->n_inputs && !read_files(s, p, a, named))
		return NULL;
	if (!s->data && !s->n_inputs)
		make_random(s, p, a, named);
	pim_tensor *in = PIM_NEW(a, pim_tensor, p->n_inputs + 1);
	for (int i = 0; i < p->n_inputs; i++)
		in[i] = named[i].tensor;
	return in;
}

/* Constants without elements get those that pimopt's evaluation gives them. */
static void imagine_constants(pim_program *p)
{
	int count = 0;
	const char *first = NULL;
	for (int i = 0; i < p->n_constants; i++) {
		pim_program_tensor *t = &p->constant[i];
		if (t->data.kind != PIM_DATA_absent)
			continue;
		pim_tensor made = {t->type, pim_arena_raw(p->arena, (size_t)pim_type_bytes(t->type) + 1)};
		pim_tensor_imagine(&made, t->name);
		t->data = (pim_data){.kind = PIM_DATA_dense, .bytes = made.data};
		if (!count++)
			first = t->name;
	}
	if (count)
		pim_report(p->context, PIM_WARNING, pim_loc_name(p->context, first),
			"%d constant%s without elements: seeded random values stand for %s", count,
			count > 1 ? "s are" : " is", count > 1 ? "them" : "it");
}

/* ---- results ---- */

typedef struct comparison {
	bool made;
	double rtol, atol;
	pim_difference d;
} comparison;

/* What counts as equal, when the user does not say: by the precision of the element type. */
static void default_tolerance(pim_dtype t, double *rtol, double *atol)
{
	bool is_float = pim_dtype_is_float(t);
	*rtol = !is_float ? 0 : t == PIM_DTYPE_bf16 ? 1e-2 : 1e-3;
	*atol = !is_float ? 0 : t == PIM_DTYPE_f16 || t == PIM_DTYPE_bf16 ? 5e-3 : 1e-4;
}

/* Fills one comparison per result that the data folder has an output for; false after diagnostics.
 */
static bool compare_results(
	const settings *s, const pim_sim_report *r, pim_arena *a, comparison *out)
{
	const pim_program *p = r->program;
	pim_named_tensor *want = PIM_NEW(a, pim_named_tensor, p->n_results + 1);
	if (!pim_tensors_read_dir(p->context, s->data, "output", p->n_results,
			tensor_names(p->n_results, p->result, a), a, want))
		return false;
	bool good = true;
	for (int i = 0; i < p->n_results; i++) {
		const pim_type *t = want[i].tensor.type;
		if (!t)
			continue;
		if (!has_type(p->context, s->data, p->result + i, t)) {
			good = false;
			continue;
		}
		comparison *c = out + i;
		c->made = true;
		default_tolerance(t->dtype, &c->rtol, &c->atol);
		if (s->tolerance_given && pim_dtype_is_float(t->dtype)) {
			c->rtol = s->rtol;
			c->atol = s->atol;
		}
		c->d = pim_tensor_compare(&r->result[i], &want[i].tensor, c->rtol, c->atol);
	}
	return good;
}

static void print_comparisons(const pim_program *p, const comparison *c, pim_text *out)
{
	for (int i = 0; i < p->n_results; i++) {
		if (!c[i].made)
			continue;
		const pim_difference *d = &c[i].d;
		pim_text_printf(out,
			"\nresult %s: largest difference %.3g absolute, %.3g relative, %.3g ULP; ",
			p->result[i].name, d->absolute, d->relative, d->ulp);
		if (d->beyond)
			pim_text_printf(out,
				"%lld elements beyond rtol %g, atol %g, the worst at %lld: %.9g, expected %.9g\n",
				(long long)d->beyond, c[i].rtol, c[i].atol, (long long)d->index, d->a, d->b);
		else
			pim_text_printf(out, "within rtol %g, atol %g\n", c[i].rtol, c[i].atol);
	}
}

/* A JSON number has no inf or nan. */
static void json_float(pim_text *out, const char *key, double v)
{
	if (v - v == 0)
		pim_text_printf(out, ", \"%s\": %.9g", key, v);
	else
		pim_text_printf(out, ", \"%s\": null", key);
}

static void json_comparisons(const pim_program *p, const comparison *c, pim_text *out)
{
	pim_text_str(out, ",\n\"results\": [");
	const char *between = "\n  ";
	for (int i = 0; i < p->n_results; i++) {
		if (!c[i].made)
			continue;
		pim_text_printf(out, "%s{\"name\": ", between);
		pim_text_quoted(out, p->result[i].name);
		json_float(out, "absolute", c[i].d.absolute);
		json_float(out, "relative", c[i].d.relative);
		json_float(out, "ulp", c[i].d.ulp);
		json_float(out, "rtol", c[i].rtol);
		json_float(out, "atol", c[i].atol);
		pim_text_printf(out, ", \"beyond\": %lld}", (long long)c[i].d.beyond);
		between = ",\n  ";
	}
	pim_text_str(out, "]");
}

/* ---- files out ---- */

static bool write_tensors(
	const settings *s, pim_context *c, const char *what, int n, const pim_tensor *t, pim_arena *a)
{
	for (int i = 0; i < n; i++)
		if (!pim_tensor_write_npy(
				c, pim_arena_printf(a, "%s/%s_%d.npy", s->outputs_dir, what, i), t + i))
			return false;
	return true;
}

/* Results, and inputs if they were random: the folder is then the data of another run. */
static bool write_results(
	const settings *s, const pim_sim_report *r, const pim_tensor *in, pim_arena *a)
{
	const pim_program *p = r->program;
	bool random = !s->data && !s->n_inputs;
	if (mkdir(s->outputs_dir, 0777) != 0 && errno != EEXIST)
		return pim_file_error(
			p->context, s->outputs_dir, "cannot make this folder: %s", strerror(errno));
	return write_tensors(s, p->context, "input", random ? p->n_inputs : 0, in, a) &&
		   write_tensors(s, p->context, "output", p->n_results, r->result, a);
}

static void warn_dropped(const settings *s, const pim_program *p, const pim_timeline *t)
{
	int64_t dropped = pim_timeline_dropped(t);
	if (dropped)
		pim_report(p->context, PIM_WARNING, (pim_loc){0},
			"%s has no room for %lld commands; a --timeline-limit above %lld keeps more",
			s->timeline, (long long)dropped, (long long)s->timeline_limit);
}

/* Ends a file of which `text` is the rest. */
static bool end_file(pim_context *c, const char *path, pim_output *o, pim_text *text)
{
	bool good = pim_text_flush(text);
	pim_text_free(text);
	if (good)
		return pim_output_commit(o);
	pim_output_abandon(o);
	return pim_file_error(c, path, "cannot write");
}

static bool write_timeline(const settings *s, const pim_program *p, const pim_timeline *t)
{
	pim_output *o = pim_output_open(p->context, s->timeline);
	if (!o)
		return false;
	pim_text text = {.sink = pim_output_file(o)};
	pim_timeline_write(t, &text);
	warn_dropped(s, p, t);
	return end_file(p->context, s->timeline, o, &text);
}

static bool print_report(
	const settings *s, const pim_sim_report *r, const comparison *c, const pim_sim_share *share)
{
	pim_text out = {.sink = stdout};
	if (s->json) {
		pim_text_str(&out, "{");
		pim_sim_report_json(r, &out);
		if (share)
			pim_sim_path_json(r, share, &out);
		json_comparisons(r->program, c, &out);
		pim_text_str(&out, "}\n");
	} else {
		pim_sim_report_text(r, s->links ? r->n_links : 10, &out);
		if (share)
			pim_sim_path_text(r, share, &out);
		print_comparisons(r->program, c, &out);
	}
	bool good = pim_text_flush(&out) && fflush(stdout) == 0;
	pim_text_free(&out);
	return good || pim_file_error(
					   r->program->context, "standard output", "cannot write: %s", strerror(errno));
}

/* ---- the run ---- */

static int judge(const pim_program *p, const comparison *c)
{
	for (int i = 0; i < p->n_results; i++)
		if (c[i].made && c[i].d.beyond)
			return WRONG;
	return OK;
}

static int finish(const settings *s, const pim_sim_report *r, const pim_tensor *in,
	const pim_timeline *t, const pim_sim_path *path, pim_arena *a)
{
	const pim_sim_share *share = path ? pim_sim_path_shares(path, a) : NULL;
	comparison *c = PIM_NEW(a, comparison, r->program->n_results + 1);
	if (s->data && !compare_results(s, r, a, c))
		return WRONG;
	if ((s->outputs_dir && !write_results(s, r, in, a)) ||
		(t && !write_timeline(s, r->program, t)) || !print_report(s, r, c, share))
		return WRONG;
	return judge(r->program, c);
}

/* Runs with a trace of the banks' commands, when one is asked for. */
static const pim_sim_report *run(
	const settings *s, pim_program *p, pim_sim_options *o, pim_arena *a)
{
	if ((s->trace || s->host) && !p->target->bank.rows) {
		pim_file_error(p->context, s->program, "%s has no banks: --trace and --host are of banks",
			p->target->name);
		return NULL;
	}
	if (!s->trace)
		return pim_sim_run(p, o, a);
	pim_output *file = pim_output_open(p->context, s->trace);
	if (!file)
		return NULL;
	pim_text text = {.sink = pim_output_file(file)};
	o->trace = &text;
	const pim_sim_report *r = pim_sim_run(p, o, a);
	if (r)
		return end_file(p->context, s->trace, file, &text) ? r : NULL;
	pim_text_free(&text);
	pim_output_abandon(file);
	return NULL;
}

static int simulate(const settings *s, pim_program *p, pim_arena *a)
{
	pim_sim_options o = {.path = s->program, .values = !s->timing_only};
	o.network = s->flits ? PIM_SIM_flits : PIM_SIM_messages;
	o.host = s->host;
	o.check = s->check_given ? s->check : !s->timing_only;
	if (o.values && !(o.input = read_inputs(s, p, a)))
		return WRONG;
	if (o.values)
		imagine_constants(p);
	pim_timeline *t = s->timeline ? pim_timeline_new(p, s->timeline_limit) : NULL;
	if (t) {
		o.watch = pim_timeline_add;
		o.user = t;
	}
	o.path_of = s->compare ? pim_sim_path_new(p) : NULL;
	process_note(NULL, "simulating", -1);
	const pim_sim_report *r = run(s, p, &o, a);
	process_note(NULL, "comparing and reporting", -1);
	int code = r ? finish(s, r, o.input, t, o.path_of, a) : WRONG;
	if (t)
		pim_timeline_free(t);
	if (o.path_of)
		pim_sim_path_free(o.path_of);
	return code;
}

int main(int argc, char **argv)
{
	pim_arena *a = pim_arena_new();
	settings s = {.timeline_limit = 200000};
	s.inputs = PIM_NEW(a, const char *, argc + 1);
	process_begin("pimsim", argc - 1, argv + 1);
	int code = read_options(argc, argv, &s);
	if (code < 0) {
		pim_context *c = pim_context_new();
		pim_context_on_diag(c, s.diagnostics_json ? process_print_json : process_print_text, NULL);
		process_guard(c);
		process_threads(1);
		process_watch();
		pim_program *p = pim_program_read(c, s.program);
		code = p ? simulate(&s, p, a) : WRONG;
		process_quiet();
		if (p)
			pim_program_free(p);
		pim_context_free(c);
	}
	pim_arena_free(a);
	return code;
}
