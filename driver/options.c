/* SPDX-License-Identifier: Apache-2.0 */
/* driver/options.c - the command line, read by the table options.def. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"
#include "driver/process.h"

typedef enum option_kind { KIND_flag, KIND_value, KIND_maybe, KIND_list } option_kind;

typedef struct option_row {
	const char *spelling;
	option_kind kind;
	const char *metavar, *help;
} option_row;

static const option_row rows[OPT_COUNT] = {
#define OPTION(id, spelling, kind, metavar, help)                                                  \
	[OPT_##id] = {spelling, KIND_##kind, metavar, help},
#include "driver/options.def"
};

static const char *const emit_names[EMIT_COUNT] = {
	"pim", "commands", "binary", "micro", "dot", "svg", "json", "onnx", "csv", "none"};

/* ---- help ---- */

static void print_group(FILE *out, const char *title)
{
	fprintf(out, "\n%s\n", title);
}

static void print_option(FILE *out, option_id id)
{
	const option_row *r = &rows[id];
	char left[64];
	bool maybe = r->kind == KIND_maybe;
	const char *join = r->spelling[1] == '-' ? "=" : " ";
	snprintf(left, sizeof left, "%s%s%s%s%s", r->spelling, maybe ? "[" : "", r->metavar ? join : "",
		r->metavar ? r->metavar : "", maybe ? "]" : "");
	fprintf(out, "  %-35s %s\n", left, r->help);
}

void options_print_help(FILE *out)
{
	fprintf(
		out, "pimopt [FILE|-] [options]   reads ONNX or .pim, runs passes, writes the result\n");
#define GROUP(title) print_group(out, title);
#define OPTION(id, spelling, kind, metavar, help) print_option(out, OPT_##id);
#include "driver/options.def"
}

void options_print_markdown(FILE *out)
{
	fprintf(out, "# pimopt\n\n| option | what it does |\n| --- | --- |\n");
	for (int i = 0; i < OPT_COUNT; i++) {
		const option_row *r = &rows[i];
		bool maybe = r->kind == KIND_maybe;
		const char *join = r->spelling[1] == '-' ? "=" : " ";
		fprintf(out, "| `%s%s%s", r->spelling, maybe ? "[" : "", r->metavar ? join : "");
		for (const char *s = r->metavar; s && *s; s++)
			fprintf(out, *s == '|' ? "\\|" : "%c", *s);
		fprintf(out, "%s` | %s |\n", maybe ? "]" : "", r->help);
	}
}

/* ---- reading ---- */

const char *hint_nearest(const char *wanted, int n, const char *const *names, pim_arena *a)
{
	const char *near = pim_nearest(wanted, n, names);
	return near ? pim_arena_printf(a, ", did you mean '%s'", near) : "";
}

static bool complain(const char *what, const char *which, const char *hint)
{
	return process_complain("%s '%s'%s", what, which, hint);
}

static int find_row(const char *name)
{
	for (int i = 0; i < OPT_COUNT; i++)
		if (!strcmp(rows[i].spelling, name))
			return i;
	return -1;
}

static bool complain_unknown(const char *name, pim_arena *a)
{
	const char *names[OPT_COUNT];
	for (int i = 0; i < OPT_COUNT; i++)
		names[i] = rows[i].spelling;
	const char *hint = hint_nearest(name, OPT_COUNT, names, a);
	return complain("unknown option", name, *hint ? hint : "; pimopt --help shows all");
}

static bool read_count(const char *s, int64_t *v)
{
	char *end;
	errno = 0;
	*v = strtoll(s, &end, 10);
	return *s && !*end && !errno;
}

static bool add_dim(options *o, const char *v, pim_arena *a)
{
	const char *equals = strchr(v, '=');
	int64_t size;
	if (!equals || equals == v || !read_count(equals + 1, &size) || size < 1)
		return complain("--dim takes NAME=SIZE with a positive size, not", v, "");
	if (o->n_dims == MOST_REPEATS)
		return complain("too many options", "--dim", "");
	o->dim[o->n_dims++] = (pim_dim_binding){pim_arena_copy(a, v, (size_t)(equals - v)), size};
	return true;
}

static bool add_to_list(options *o, option_id id, const char *v, pim_arena *a)
{
	if (id == OPT_dim)
		return add_dim(o, v, a);
	if (o->n_plugins == MOST_REPEATS)
		return complain("too many options", rows[id].spelling, "");
	o->plugin[o->n_plugins++] = v;
	return true;
}

static bool take_option(options *o, char **argv, int argc, int *i, pim_arena *a)
{
	const char *arg = argv[*i], *equals = strchr(arg, '=');
	const char *name = equals ? pim_arena_copy(a, arg, (size_t)(equals - arg)) : arg;
	int id = find_row(!strcmp(name, "-h") ? "--help" : name);
	if (id < 0)
		return complain_unknown(name, a);
	option_kind kind = rows[id].kind;
	if (kind == KIND_flag && equals)
		return complain("this option takes no value:", arg, "");
	const char *value = equals ? equals + 1 : "";
	if ((kind == KIND_value || kind == KIND_list) && !equals) {
		if (*i + 1 == argc)
			return complain(
				"a value is missing after", name, pim_arena_printf(a, " (%s)", rows[id].metavar));
		value = argv[++*i];
	}
	if (kind == KIND_list)
		return add_to_list(o, (option_id)id, value, a);
	o->value[id] = value;
	return true;
}

static bool take_input(options *o, const char *arg)
{
	if (o->n_inputs == MOST_REPEATS)
		return complain("too many inputs", arg, "");
	o->inputs[o->n_inputs++] = arg;
	o->input = o->inputs[0];
	return true;
}

/* ---- values that have a form ---- */

static bool ends_in(const char *s, const char *ending)
{
	size_t n = strlen(s), m = strlen(ending);
	return n > m && !strcmp(s + n - m, ending);
}

static bool choose_emit(options *o, pim_arena *a)
{
	const char *v = o->value[OPT_emit], *out = o->value[OPT_output];
	o->emit = o->value[OPT_eval] && !out ? EMIT_none : EMIT_pim;
	for (int i = 0; v && i < EMIT_COUNT; i++)
		if (!strcmp(v, emit_names[i])) {
			o->emit = (emit_kind)i;
			return true;
		}
	if (v)
		return complain(
			"--emit takes pim, commands, binary, dot, svg, json, onnx, csv or none, not", v,
			hint_nearest(v, EMIT_COUNT, emit_names, a));
	if (!out)
		return true;
	if (ends_in(out, ".pimc"))
		o->emit = EMIT_binary;
	else if (ends_in(out, ".dot"))
		o->emit = EMIT_dot;
	else if (ends_in(out, ".svg"))
		o->emit = EMIT_svg;
	else if (ends_in(out, ".json"))
		o->emit = EMIT_json;
	else if (ends_in(out, ".onnx"))
		o->emit = EMIT_onnx;
	else if (ends_in(out, ".csv"))
		o->emit = EMIT_csv;
	return true;
}

static bool choose_picture(options *o, pim_arena *a)
{
	static const char *const names[] = {"program", "schedule", "placement", "overlap"};
	const char *v = o->value[OPT_picture];
	int i = v ? pim_picture_find(v) : 0;
	if (i < 0)
		return complain("--picture takes program, schedule, placement or overlap, not", v,
			hint_nearest(v, 4, names, a));
	o->picture = (pim_picture)i;
	return true;
}

/* A value as the text form writes it, %name or %"name", or its name alone. */
static const char *name_of_value(const char *v, const char *end, pim_arena *a)
{
	v += v < end && *v == '%';
	if (end - v > 2 && *v == '"' && end[-1] == '"') {
		v++;
		end--;
	}
	return pim_arena_copy(a, v, (size_t)(end - v));
}

static bool choose_around(options *o, pim_arena *a)
{
	const char *v = o->value[OPT_around], *comma = v ? strrchr(v, ',') : NULL;
	int64_t depth;
	if (!v)
		return true;
	if (!comma || comma == v + (*v == '%') || !read_count(comma + 1, &depth) || depth < 0 ||
		depth > 1000)
		return complain("--around takes %VALUE,DEPTH with a depth from 0 to 1000, not", v, "");
	o->around = name_of_value(v, comma, a);
	o->depth = (int)depth;
	return true;
}

static bool choose_explained(options *o, pim_arena *a)
{
	const char *v = o->value[OPT_explain_overlap], *colon = v ? strrchr(v, ':') : NULL;
	if (!v)
		return true;
	const char *comma = colon ? strchr(colon, ',') : NULL;
	const char *tile = colon ? pim_arena_copy(a, colon + 1,
								   comma ? (size_t)(comma - colon - 1) : strlen(colon + 1))
							 : "";
	if (!colon || colon == v + (*v == '%') || !read_count(tile, &o->explained_tile) ||
		o->explained_tile < 0 || (comma && strcmp(comma, ",chain") != 0))
		return complain("--explain-overlap takes %VALUE:TILE or %VALUE:TILE,chain, not",
			o->value[OPT_explain_overlap], "");
	o->explained = name_of_value(v, colon, a);
	o->explanation = comma ? PIM_EXPLAIN_chain : PIM_EXPLAIN_tile;
	return true;
}

static bool choose_threads(options *o)
{
	int64_t n = 1;
	const char *v = o->value[OPT_threads];
	if (v && (!read_count(v, &n) || n < 1 || n > 1024))
		return complain("--threads takes a number from 1 to 1024, not", v, "");
	o->threads = (int)n;
	return true;
}

static bool choose_tolerance(options *o)
{
	const char *v = o->value[OPT_tolerance];
	o->rtol = 1e-3;
	o->atol = 1e-5;
	while (v && *v) {
		const char *end = v + strlen(v);
		double *to = !strncmp(v, "rtol=", 5) ? &o->rtol : !strncmp(v, "atol=", 5) ? &o->atol : NULL;
		const char *rest = to ? pim_read_float(v + 5, end, to) : v;
		if (!to || rest == v + 5 || (*rest && *rest != ',') || !(*to >= 0))
			return complain("--tolerance takes rtol=X,atol=Y, not", o->value[OPT_tolerance], "");
		v = *rest ? rest + 1 : rest;
	}
	return true;
}

static bool is_one_of(const options *o, option_id id, const char *a, const char *b)
{
	const char *v = o->value[id];
	if (!v || !*v || !strcmp(v, a) || !strcmp(v, b))
		return true;
	return process_complain("%s takes %s or %s, not '%s'", rows[id].spelling, a, b, v);
}

static bool is_number_if_given(const options *o, option_id id)
{
	const char *v = o->value[id];
	int64_t n;
	if (!v || !*v || read_count(v, &n))
		return true;
	return process_complain("%s takes a whole number, not '%s'", rows[id].spelling, v);
}

static bool check_together(const options *o)
{
	bool good = true;
	if (o->n_inputs > 1 && !timeloop_wanted(o))
		good = complain("one input at a time; this is the second:", o->inputs[1], "");
	if (o->value[OPT_pipeline] && o->value[OPT_pass_pipeline])
		good =
			complain("give --pipeline or --pass-pipeline, not both:", o->value[OPT_pipeline], "");
	bool only_eval = o->value[OPT_seed] || o->value[OPT_save_outputs] || o->value[OPT_tolerance];
	if (only_eval && !o->value[OPT_eval])
		good = complain("--seed, --save-outputs and --tolerance need", "--eval", "");
	if (o->value[OPT_eval] && !o->value[OPT_data] && !o->value[OPT_seed])
		good = complain("--eval needs inputs: give --data=DIR or", "--seed=N", "");
	bool draws = o->emit == EMIT_dot || o->emit == EMIT_svg;
	if ((o->value[OPT_picture] || o->around) && !draws)
		good = complain("--picture and --around need", "--emit=svg", " or dot");
	if (o->around && o->picture != PIM_PICTURE_program && o->picture != PIM_PICTURE_overlap)
		good = complain("--around shows a part of the pictures program and overlap, not of",
			o->value[OPT_picture], "");
	bool splits = o->value[OPT_split_input_file] || o->value[OPT_verify_diagnostics];
	if (splits && o->value[OPT_eval])
		good = complain("parts of a file cannot be evaluated: leave out", "--eval", "");
	return good;
}

bool options_parse(options *o, int argc, char **argv, pim_arena *a)
{
	bool good = true;
	*o = (options){.n_arguments = argc, .argument = argv};
	for (int i = 0; i < argc; i++) {
		bool is_option = argv[i][0] == '-' && argv[i][1];
		good &= is_option ? take_option(o, argv, argc, &i, a) : take_input(o, argv[i]);
	}
	good &= choose_emit(o, a);
	good &= choose_picture(o, a);
	good &= choose_around(o, a);
	good &= choose_explained(o, a);
	good &= choose_threads(o);
	good &= choose_tolerance(o);
	good &= is_one_of(o, OPT_verify_each, "on", "off");
	good &= is_one_of(o, OPT_diagnostics, "text", "json");
	good &= is_one_of(o, OPT_stats, "text", "json");
	good &= is_number_if_given(o, OPT_seed);
	good &= is_number_if_given(o, OPT_verify_numerics);
	return check_together(o) && good;
}

pim_diag_handler *options_handler(const options *o)
{
	const char *form = o->value[OPT_diagnostics];
	return form && !strcmp(form, "json") ? process_print_json : process_print_text;
}
