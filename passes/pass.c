/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pass.c - the run loop: facts needed and given, verification, watching.
 *
 * A step of a pipeline runs on every graph of the module before the next step begins. Before a pass
 * the decisions it breaks are dropped; after it every fact the graph claims is verified, so a pass
 * that leaves something wrong is named at once. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "passes/pass.h"

enum {
	DECISIONS = PIM_FACT_split | PIM_FACT_laid_out | PIM_FACT_mapped | PIM_FACT_scheduled |
				PIM_FACT_placed | PIM_FACT_lowered
};

typedef struct runner {
	pim_module *module;
	const pim_target *target;
	const pim_run_options *o;
	pim_run_report *report;
	pim_arena *arena;
	pim_numerics **numerics; /* per graph */
	int step;
} runner;

static int count_nodes(const pim_graph *g)
{
	int n = 0;
	PIM_EACH_NODE(node, g)
	n++;
	return n;
}

/* ---- what must hold before a pass ---- */

static const char *find_giver(pim_context *c, unsigned fact)
{
	for (int i = 0; i < pim_pass_count(c); i++)
		if (pim_pass_at(c, i)->gives & fact)
			return pim_pass_at(c, i)->name;
	return NULL;
}

static bool has_needs(pim_graph *g, const pim_pass *p)
{
	pim_context *c = g->module->context;
	bool good = true;
	for (int bit = 0; bit < PIM_FACT_COUNT; bit++) {
		unsigned fact = 1u << bit;
		if (!(p->needs & fact) || (g->facts & fact))
			continue;
		const char *giver = find_giver(c, fact);
		good = pim_error(c, g->loc, "pass '%s' needs graph @%s to be %s; %s%s%s", p->name, g->name,
			pim_fact_name(bit), giver ? "run '" : "no pass gives that", giver ? giver : "",
			giver ? "' before it" : "");
	}
	return good;
}

/* A pass that makes decisions, or uses some and keeps them, asks the machine. */
static bool asks_target(const pim_pass *p)
{
	return ((p->gives | (p->needs & ~p->breaks)) & DECISIONS) != 0;
}

/* The machine chosen for this run; else the one a graph's decisions name. */
static const pim_target *choose_target(runner *r, pim_graph *g, const pim_pass *p, bool *good)
{
	pim_context *c = g->module->context;
	const pim_target *t = r->target;
	if (!t && g->target)
		t = pim_target_find(c, g->target);
	bool asks = asks_target(p);
	if (asks && !t)
		*good = pim_error(c, g->loc,
			"pass '%s' asks a machine, and none was chosen; give --target=NAME", p->name);
	bool uses = (p->needs & ~p->breaks & DECISIONS) != 0;
	if (t && uses && g->target && strcmp(g->target, t->name))
		*good = pim_error(c, g->loc,
			"pass '%s' would use decisions made for machine '%s' on machine '%s'; run the passes "
			"that make them again",
			p->name, g->target, t->name);
	return t;
}

/* A graph without decisions is for no machine. */
static void drop_decisions(pim_graph *g, unsigned facts)
{
	pim_graph_forget(g, facts);
	if (g->facts & DECISIONS)
		return;
	g->target = NULL;
	g->limits = (pim_limits){0};
}

/* Decisions that were read from text meet the machine here: what they say of its units and memories
 * was not checked before. */
static bool set_target(pim_graph *g, const pim_target *t)
{
	pim_limits limits = pim_target_limits(t);
	bool known = g->limits.units == limits.units && g->limits.buffer_bytes == limits.buffer_bytes &&
				 g->limits.memory_bytes == limits.memory_bytes;
	g->target = pim_intern(g->module->context, t->name, strlen(t->name));
	g->limits = limits;
	return known || pim_graph_verify_facts(g);
}

/* ---- watching ---- */

static bool is_listed(const char *list, const char *name)
{
	size_t n = strlen(name);
	if (list && !strcmp(list, "all"))
		return true;
	for (const char *s = list; s && *s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
		if (!strncmp(s, name, n) && (s[n] == ',' || !s[n]))
			return true;
	return false;
}

static const pim_print_options for_people = {.inline_elements = 16, .elide = true};

static void print_graph(runner *r, pim_graph *g, const char *when, const char *pass)
{
	pim_text text = {.sink = r->o->out ? r->o->out : stderr};
	pim_text_printf(&text, "// ---- %s %s, @%s\n", when, pass, g->name);
	pim_graph_print(g, &for_people, &text);
	pim_text_flush(&text);
	pim_text_free(&text);
}

static void print_change(runner *r, pim_graph *g, const char *pass, const pim_text *before)
{
	pim_text after = {0}, out = {.sink = r->o->out ? r->o->out : stderr};
	pim_graph_print(g, &for_people, &after);
	bool same = after.n == before->n && !memcmp(after.s, before->s, after.n);
	pim_text_printf(&out, "// ---- %s, @%s%s\n", pass, g->name, same ? ": no change" : "");
	if (!same)
		pim_diff_print(before->s, before->n, after.s, after.n, 3, &out);
	pim_text_flush(&out);
	pim_text_free(&out);
	pim_text_free(&after);
}

static bool draw_as(runner *r, pim_graph *g, pim_picture what, const char *stem,
	const pim_target *t, const char *format)
{
	pim_context *c = g->module->context;
	pim_output *o = pim_output_open(c, pim_arena_printf(r->arena, "%s.%s", stem, format));
	if (!o)
		return false;
	if (pim_picture_write(g, what, t, format, pim_output_file(o)))
		return pim_output_commit(o);
	pim_output_abandon(o);
	return false;
}

static bool draw_both(
	runner *r, pim_graph *g, pim_picture what, const char *stem, const pim_target *t)
{
	return draw_as(r, g, what, stem, t, "dot") && draw_as(r, g, what, stem, t, "svg");
}

/* Makes the folder and those it is in, where they are missing. */
static bool make_folder(pim_context *c, const char *path, pim_arena *a)
{
	char *part = pim_arena_printf(a, "%s", path);
	for (char *slash = strchr(part + (*part == '/'), '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(part, 0777);
		*slash = '/';
	}
	struct stat st;
	if (!mkdir(path, 0777) || (errno == EEXIST && !stat(path, &st) && S_ISDIR(st.st_mode)))
		return true;
	return pim_file_error(c, path, "cannot make this folder: %s", strerror(errno));
}

/* The program; and the schedule and the placement after the pass that decides on them. */
static bool draw(runner *r, pim_graph *g, const pim_pass *p, const pim_target *t)
{
	bool many = r->module->n_graphs > 1;
	const char *stem = pim_arena_printf(r->arena, "%s/%02d-%s%s%s", r->o->dot_dir, r->step + 1,
		p->name, many ? "-" : "", many ? g->name : "");
	bool good = draw_both(r, g, PIM_PICTURE_program, stem, t);
	if (good && p->gives & PIM_FACT_scheduled)
		good = draw_both(
			r, g, PIM_PICTURE_schedule, pim_arena_printf(r->arena, "%s-schedule", stem), t);
	if (good && p->gives & PIM_FACT_placed)
		good = draw_both(
			r, g, PIM_PICTURE_placement, pim_arena_printf(r->arena, "%s-placement", stem), t);
	return good;
}

/* ---- one pass on one graph ---- */

static pim_pass_record *add_record(runner *r)
{
	pim_run_report *p = r->report;
	p->record = pim_arena_grow(r->arena, p->record, p->n, &p->room, sizeof *p->record);
	p->record[p->n] = (pim_pass_record){0};
	return &p->record[p->n++];
}

static bool run_function(runner *r, pim_graph *g, const pim_pipeline_step *s, const pim_target *t,
	pim_pass_record *record)
{
	pim_context *c = g->module->context;
	int n = 0, errors = c->errors;
	while (s->pass->fields && s->pass->fields[n].name)
		n++;
	double *statistic = PIM_NEW(r->arena, double, n + 1);
	pim_job j = {.graph = g,
		.arena = pim_arena_new(),
		.pass = s->pass,
		.target = t,
		.option = s->option,
		.statistic = statistic,
		.threads = r->o->threads,
		.progress = r->o->progress,
		.progress_user = r->o->progress_user,
		.record = record};
	record->statistic = statistic;
	double began = pim_seconds_now();
	bool good = s->pass->run(g, &j);
	record->seconds = pim_seconds_now() - began;
	pim_arena_free(j.arena);
	if (good)
		return true;
	if (c->errors == errors)
		return pim_error(
			c, g->loc, "pass '%s' failed on @%s and gave no reason", s->pass->name, g->name);
	pim_report(c, PIM_NOTE, g->loc, "in pass '%s' on @%s", s->pass->name, g->name);
	return false;
}

static bool verify_after(pim_graph *g, const char *pass, pim_pass_record *record)
{
	double began = pim_seconds_now();
	bool good = pim_graph_verify_facts(g);
	if (record)
		record->verify_seconds = pim_seconds_now() - began;
	if (!good)
		pim_error(
			g->module->context, g->loc, "after pass '%s' graph @%s is not valid", pass, g->name);
	return good;
}

/* Values are compared while the program is one that is evaluated; they are first taken before the
 * first pass. */
static bool check_numerics(runner *r, int graph, const pim_pass *p, pim_pass_record *record)
{
	pim_graph *g = r->module->graphs[graph];
	double began = pim_seconds_now();
	bool evaluated = false, good = pim_numerics_check(r->numerics[graph], g, p->name, &evaluated);
	if (good)
		record->values = evaluated ? PIM_VALUES_compared : PIM_VALUES_proved;
	record->numerics_seconds = pim_seconds_now() - began;
	return good;
}

static bool check_after(
	runner *r, int graph, const pim_pass *p, const pim_target *t, pim_pass_record *record)
{
	pim_graph *g = r->module->graphs[graph];
	if (!r->o->no_verify && !verify_after(g, p->name, record))
		return false;
	if (r->o->verify_numerics && !check_numerics(r, graph, p, record))
		return false;
	if (r->o->verify_roundtrip && !pim_module_check_roundtrip(r->module)) {
		pim_report(g->module->context, PIM_NOTE, g->loc, "after pass '%s'", p->name);
		return false;
	}
	return !r->o->dot_dir || draw(r, g, p, t);
}

static void tell_progress(runner *r, const char *pass)
{
	if (r->o->progress)
		r->o->progress(r->o->progress_user, pass, -1);
}

static bool run_step(runner *r, int graph, const pim_pipeline_step *s)
{
	pim_graph *g = r->module->graphs[graph];
	const pim_pass *p = s->pass;
	bool good = has_needs(g, p);
	const pim_target *t = choose_target(r, g, p, &good);
	if (!good)
		return false;
	pim_text before = {0};
	if (is_listed(r->o->print_before, p->name))
		print_graph(r, g, "before", p->name);
	if (r->o->print_changed)
		pim_graph_print(g, &for_people, &before);
	tell_progress(r, p->name);
	pim_pass_record *record = add_record(r);
	*record = (pim_pass_record){.pass = p, .graph = g, .nodes_before = count_nodes(g)};
	/* A pass that uses what it breaks (materialize) finds it and leaves dropping to us. */
	drop_decisions(g, p->breaks & ~p->needs);
	good = !asks_target(p) || set_target(g, t);
	good = good && run_function(r, g, s, t, record);
	drop_decisions(g, p->breaks & p->needs);
	record->nodes_after = count_nodes(g);
	if (good)
		g->facts |= p->gives;
	if (is_listed(r->o->print_after, p->name))
		print_graph(r, g, good ? "after" : "failed in", p->name);
	if (r->o->print_changed)
		print_change(r, g, p->name, &before);
	pim_text_free(&before);
	return good && check_after(r, graph, p, t, record);
}

/* ---- the whole pipeline ---- */

static bool check_print_lists(runner *r, const char *list)
{
	pim_context *c = r->module->context;
	bool good = true;
	int n = pim_pass_count(c);
	if (!list || !strcmp(list, "all"))
		return true;
	const char **names = PIM_NEW(r->arena, const char *, n);
	for (int i = 0; i < n; i++)
		names[i] = pim_pass_at(c, i)->name;
	for (const char *s = list; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL) {
		const char *name = pim_arena_copy(r->arena, s, strcspn(s, ","));
		if (pim_pass_find(c, name))
			continue;
		const char *near = pim_nearest(name, n, names);
		good = pim_file_error(c, NULL, "cannot print around pass '%s': no pass is called so%s%s%s",
			name, near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
	}
	return good;
}

static bool take_numerics(runner *r)
{
	int n = r->module->n_graphs;
	r->numerics = PIM_NEW(r->arena, pim_numerics *, n);
	for (int i = 0; i < n && r->o->verify_numerics; i++) {
		r->numerics[i] = pim_numerics_new(r->module->graphs[i], r->o);
		if (!r->numerics[i])
			return false;
	}
	return true;
}

static bool run_steps(runner *r, const pim_pipeline *p)
{
	for (r->step = 0; r->step < p->n; r->step++)
		for (int i = 0; i < r->module->n_graphs; i++)
			if (!run_step(r, i, &p->step[r->step]))
				return false;
	return true;
}

/* The program is verified as it comes, so that no pass is blamed for it, which also makes it shaped
 * when it was built node by node; and at the end when that was not done step by step. */
static bool verify_whole(runner *r)
{
	bool good = true;
	for (int i = 0; i < r->module->n_graphs; i++) {
		pim_graph *g = r->module->graphs[i];
		if (pim_graph_verify_facts(g))
			g->facts |= PIM_FACT_shaped;
		else
			good = false;
	}
	return good;
}

bool pim_pipeline_run(pim_module *m, const pim_pipeline *p, const pim_target *t,
	const pim_run_options *o, pim_run_report *report, pim_arena *a)
{
	pim_run_report unread = {0};
	runner r = {m, t, o, report ? report : &unread, a, NULL, 0};
	if (!check_print_lists(&r, o->print_after) || !check_print_lists(&r, o->print_before))
		return false;
	if (o->dot_dir && !make_folder(m->context, o->dot_dir, a))
		return false;
	double began = pim_seconds_now();
	bool good = verify_whole(&r) && take_numerics(&r);
	r.report->input_seconds += pim_seconds_now() - began;
	good = good && run_steps(&r, p);
	if (good && o->no_verify && p->n)
		good = verify_whole(&r);
	for (int i = 0; r.numerics && i < m->n_graphs; i++)
		pim_numerics_free(r.numerics[i]);
	return good;
}

bool pim_run(pim_module *m, const char *pipeline, const char *target)
{
	pim_arena *a = pim_arena_new();
	pim_pipeline *p = pim_pipeline_parse(m->context, pipeline, a);
	const pim_target *t = target ? pim_target_find(m->context, target) : NULL;
	pim_run_options o = {.threads = 1};
	bool good = p && (t || !target) && pim_pipeline_run(m, p, t, &o, NULL, a);
	pim_arena_free(a);
	return good;
}
