/* SPDX-License-Identifier: Apache-2.0 */
/* driver/main.c - pimopt: from a file through passes to a file.
 *
 * Exit codes: 0 fine; 1 the input is wrong (or values are beyond the tolerance); 2 the command line
 * is. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/driver.h"
#include "driver/process.h"

/* ---- a session ---- */

static const char *find_pipeline_text(const session *s)
{
	const char *name = s->o->value[OPT_pipeline], *names[64];
	int n = pim_named_pipeline_count();
	if (!name)
		return s->o->value[OPT_pass_pipeline] ? s->o->value[OPT_pass_pipeline] : "";
	if (!strcmp(name, "default") && s->target && s->target->pipeline)
		return s->target->pipeline;
	for (int i = 0; i < n; i++) {
		if (!strcmp(name, pim_named_pipeline_name(i)))
			return pim_named_pipeline_text(i);
		names[i] = pim_named_pipeline_name(i);
	}
	pim_file_error(s->context, NULL, "no pipeline is called '%s'%s; --list=pipelines shows all",
		name, hint_nearest(name, n, names, s->arena));
	return NULL;
}

bool session_open(session *s, const options *o, pim_diag_handler *on_diag, void *user)
{
	bool good = true;
	*s = (session){.o = o, .context = pim_context_new(), .arena = pim_arena_new()};
	pim_context_on_diag(s->context, on_diag, user);
	process_guard(s->context);
	for (int i = 0; i < o->n_plugins; i++)
		good &= pim_plugin_load(s->context, o->plugin[i]);
	const char *target = o->value[OPT_target];
	if (target)
		s->target = pim_target_find(s->context, target);
	const char *text = find_pipeline_text(s);
	if (text && good)
		s->pipeline = pim_pipeline_parse(s->context, text, s->arena);
	return good && (s->target || !target) && s->pipeline;
}

void session_close(session *s)
{
	pim_context_free(s->context);
	pim_arena_free(s->arena);
}

static uint64_t read_seed(const char *v)
{
	return v && *v ? strtoull(v, NULL, 10) : 1;
}

static void print_pipeline(const session *s)
{
	pim_text text = {.sink = stderr};
	pim_pipeline_print(s->pipeline, &text);
	pim_text_str(&text, "\n");
	pim_text_flush(&text);
	pim_text_free(&text);
}

bool session_run(session *s, pim_module *m)
{
	const options *o = s->o;
	bool with_data = o->value[OPT_verify_numerics] && o->value[OPT_data] && m->n_graphs == 1;
	const pim_tensor *inputs = with_data ? evaluate_read_inputs(s, m->graphs[0], s->arena) : NULL;
	if (with_data && !inputs)
		return false;
	const char *each = o->value[OPT_verify_each];
	pim_run_options run = {.no_verify = each && !strcmp(each, "off"),
		.verify_numerics = o->value[OPT_verify_numerics] != NULL,
		.verify_roundtrip = o->value[OPT_verify_roundtrip] != NULL,
		.seed = read_seed(o->value[OPT_verify_numerics]),
		.inputs = inputs,
		.threads = o->threads,
		.print_after = o->value[OPT_print_after],
		.print_before = o->value[OPT_print_before],
		.print_changed = o->value[OPT_print_changed] != NULL,
		.dot_dir = o->value[OPT_dump_dot_dir],
		.out = stderr,
		.progress = reproducer_note};
	double began = pim_seconds_now();
	if (o->value[OPT_dump_pipeline])
		print_pipeline(s);
	bool good = pim_pipeline_run(m, s->pipeline, s->target, &run, &s->report, s->arena);
	s->time.run += pim_seconds_now() - began;
	return good;
}

bool session_write(session *s, const pim_module *m, FILE *out)
{
	double began = pim_seconds_now();
	bool good = emit_module(s, m, out);
	s->time.write += pim_seconds_now() - began;
	return good;
}

/* ---- one file ---- */

static pim_module *read_input(session *s)
{
	pim_read_options read = {
		.n_dims = s->o->n_dims, .dims = s->o->dim, .data_dir = s->o->value[OPT_data]};
	double began = pim_seconds_now();
	pim_module *m = pim_frontend_read(s->context, s->o->input, &read);
	s->time.read = pim_seconds_now() - began;
	return m;
}

/* Nothing is opened before everything that can go wrong has gone well. */
static bool write_output(session *s, const pim_module *m)
{
	const char *path = s->o->value[OPT_output];
	if (s->o->emit == EMIT_none)
		return true;
	pim_output *out = pim_output_open(s->context, path ? path : "-");
	if (!out)
		return false;
	if (session_write(s, m, pim_output_file(out)))
		return pim_output_commit(out);
	pim_output_abandon(out);
	return false;
}

static bool run_module(session *s)
{
	reproducer_arm(s->o, s, NULL, 0);
	pim_module *m = read_input(s);
	if (m)
		reproducer_arm(s->o, s, NULL, 0);
	bool good = m && session_run(s, m) && explain_overlap(s, m) && write_output(s, m);
	if (good && s->o->value[OPT_eval])
		good = evaluate_module(s, m, stdout);
	reproducer_finish();
	if (m)
		report_wanted(s);
	return good;
}

static void print_rest(const pim_context *c)
{
	if (c->errors > c->error_limit)
		process_complain("%d more errors", c->errors - c->error_limit);
}

/* A machine file is input; a name that no machine has is a wrong command. */
static bool has_wrong_machine(const session *s)
{
	const char *target = s->o->value[OPT_target], *dot = target ? strrchr(target, '.') : NULL;
	return dot && !strcmp(dot, ".yaml") && !s->target;
}

static int run_file(const options *o)
{
	session s;
	int code;
	if (session_open(&s, o, options_handler(o), NULL))
		code = run_module(&s) ? EXIT_FINE : EXIT_INPUT;
	else
		code = has_wrong_machine(&s) ? EXIT_INPUT : EXIT_COMMAND;
	print_rest(s.context);
	session_close(&s);
	return code;
}

static int run_timeloop(const options *o)
{
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, options_handler(o), NULL);
	process_guard(c);
	bool good = timeloop_check(c, o);
	print_rest(c);
	pim_context_free(c);
	return good ? EXIT_FINE : EXIT_INPUT;
}

/* ---- learning ---- */

static bool load_plugins(pim_context *c, const options *o)
{
	bool good = true;
	for (int i = 0; i < o->n_plugins; i++)
		good &= pim_plugin_load(c, o->plugin[i]);
	return good;
}

static bool print_learning(pim_context *c, const options *o)
{
	const char *help = o->value[OPT_help];
	if (!load_plugins(c, o))
		return false;
	if (o->value[OPT_list])
		return list_print(c, o->value[OPT_list], stdout);
	if (o->value[OPT_help_md]) {
		options_print_markdown(stdout);
		list_print_markdown(c, stdout);
		return true;
	}
	if (o->value[OPT_version]) {
		printf("pimopt %s\n", pim_version());
		return true;
	}
	if (*help)
		return list_print_pass(c, help, stdout);
	options_print_help(stdout);
	return true;
}

static bool wants_learning(const options *o)
{
	return o->value[OPT_list] || o->value[OPT_help] || o->value[OPT_help_md] ||
		   o->value[OPT_version];
}

static int learn(const options *o)
{
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, process_print_text, NULL);
	bool good = print_learning(c, o);
	pim_context_free(c);
	return good ? EXIT_FINE : EXIT_COMMAND;
}

/* ---- the command ---- */

static int run_command(int argc, char **argv, pim_arena *a)
{
	options o;
	if (!options_parse(&o, argc, argv, a))
		return EXIT_COMMAND;
	if (wants_learning(&o))
		return learn(&o);
	if (o.value[OPT_run_reproducer]) {
		int n = 0;
		char **again = reproducer_read(o.value[OPT_run_reproducer], &n, a);
		if (!again || !options_parse(&o, n, again, a))
			return EXIT_COMMAND;
	}
	process_threads(o.threads);
	if (timeloop_wanted(&o))
		return run_timeloop(&o);
	if (!o.input && isatty(STDIN_FILENO)) {
		options_print_help(stderr);
		return EXIT_COMMAND;
	}
	if (!o.input)
		o.input = "-";
	if (o.value[OPT_split_input_file] || o.value[OPT_verify_diagnostics])
		return split_run(&o);
	return run_file(&o);
}

int main(int argc, char **argv)
{
	pim_arena *a = pim_arena_new();
	process_begin("pimopt", argc - 1, argv + 1);
	int code = run_command(argc - 1, argv + 1, a);
	pim_arena_free(a);
	if (fflush(stdout) || ferror(stdout)) {
		process_complain("cannot write to standard output");
		return EXIT_INPUT;
	}
	return code;
}
