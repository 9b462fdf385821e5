/* SPDX-License-Identifier: Apache-2.0 */
/* driver/list.c - what there is, from the tables. */
#include <string.h>

#include "driver/driver.h"

static const char *const fact_help[] = {
#define FACT(name, what) what,
	PIM_FACTS(FACT)
#undef FACT
};

static void print_facts_of(FILE *out, const char *title, unsigned facts)
{
	const char *before = "";
	if (!facts)
		return;
	fprintf(out, "  %s: ", title);
	for (int bit = 0; bit < PIM_FACT_COUNT; bit++)
		if (facts & 1u << bit) {
			fprintf(out, "%s%s", before, pim_fact_name(bit));
			before = ", ";
		}
	fprintf(out, "\n");
}

static void list_passes(pim_context *c, FILE *out)
{
	for (int i = 0; i < pim_pass_count(c); i++)
		fprintf(out, "%-18s %s\n", pim_pass_at(c, i)->name, pim_pass_at(c, i)->help);
}

static void list_ops(pim_context *c, FILE *out)
{
	(void)c;
	for (int op = 0; op < PIM_OP_COUNT; op++)
		fprintf(out, "%-18s %s\n", pim_op_at((pim_op)op)->name, pim_op_at((pim_op)op)->help);
}

static void list_targets(pim_context *c, FILE *out)
{
	for (int i = 0; i < pim_target_count(); i++)
		fprintf(out, "%-18s %s\n", pim_target_name(c, i), pim_target_summary(i));
}

static void list_frontends(pim_context *c, FILE *out)
{
	(void)c;
	for (int i = 0; i < pim_frontend_count(); i++) {
		const pim_frontend *f = pim_frontend_at(i);
		fprintf(out, "%-18s %s (files: %s)\n", f->name, f->help, f->endings);
	}
}

static void list_pipelines(pim_context *c, FILE *out)
{
	(void)c;
	for (int i = 0; i < pim_named_pipeline_count(); i++)
		fprintf(out, "%-18s %s\n%-18s %s\n", pim_named_pipeline_name(i), pim_named_pipeline_help(i),
			"", pim_named_pipeline_text(i));
}

static void list_facts(pim_context *c, FILE *out)
{
	(void)c;
	for (int bit = 0; bit < PIM_FACT_COUNT; bit++)
		fprintf(out, "%-18s %s\n", pim_fact_name(bit), fact_help[bit]);
}

static const struct {
	const char *name;
	void (*print)(pim_context *c, FILE *out);
} lists[] = {{"passes", list_passes}, {"ops", list_ops}, {"targets", list_targets},
	{"frontends", list_frontends}, {"pipelines", list_pipelines}, {"facts", list_facts}};

enum { LIST_COUNT = sizeof lists / sizeof lists[0] };

bool list_print(pim_context *c, const char *what, FILE *out)
{
	const char *names[LIST_COUNT];
	for (int i = 0; i < LIST_COUNT; i++) {
		names[i] = lists[i].name;
		if (strcmp(what, lists[i].name))
			continue;
		lists[i].print(c, out);
		return true;
	}
	pim_arena *a = pim_arena_new();
	pim_file_error(c, NULL,
		"--list takes passes, ops, targets, frontends, pipelines or facts, not '%s'%s", what,
		hint_nearest(what, LIST_COUNT, names, a));
	pim_arena_free(a);
	return false;
}

static void print_fields(const pim_pass *p, bool with_init, FILE *out)
{
	const char *title = with_init ? "  options:\n" : "  statistics:\n";
	for (const pim_pass_field *f = p->fields; f && f->name; f++) {
		if ((f->init != NULL) != with_init)
			continue;
		fputs(title, out);
		title = "";
		fprintf(out, "    %-14s %-7s %s", f->name, f->kind, f->help);
		if (with_init)
			fprintf(out, " (default: %s)", *f->init ? f->init : "empty");
		fprintf(out, "\n");
	}
}

static void print_pass(const pim_pass *p, FILE *out)
{
	fprintf(out, "%s: %s\n", p->name, p->help);
	print_facts_of(out, "needs", p->needs);
	print_facts_of(out, "gives", p->gives);
	print_facts_of(out, "breaks", p->breaks);
	print_fields(p, true, out);
	print_fields(p, false, out);
}

static bool report_unknown_pass(pim_context *c, const char *name)
{
	pim_arena *a = pim_arena_new();
	int n = pim_pass_count(c);
	const char **names = PIM_NEW(a, const char *, n);
	for (int i = 0; i < n; i++)
		names[i] = pim_pass_at(c, i)->name;
	pim_file_error(c, NULL, "no pass is called '%s'%s; --list=passes shows all", name,
		hint_nearest(name, n, names, a));
	pim_arena_free(a);
	return false;
}

bool list_print_pass(pim_context *c, const char *name, FILE *out)
{
	const pim_pass *p = pim_pass_find(c, name);
	if (!p)
		return report_unknown_pass(c, name);
	print_pass(p, out);
	return true;
}

static void print_cell(const char *s, FILE *out)
{
	for (; *s; s++)
		fprintf(out, *s == '|' ? "\\|" : "%c", *s);
}

static void print_pass_markdown(const pim_pass *p, FILE *out)
{
	fprintf(out, "\n## %s\n\n%s.\n\n", p->name, p->help);
	print_facts_of(out, "- needs", p->needs);
	print_facts_of(out, "- gives", p->gives);
	if (p->fields && p->fields->name)
		fprintf(out, "\n| field | kind | default | meaning |\n| --- | --- | --- | --- |\n");
	for (const pim_pass_field *f = p->fields; f && f->name; f++) {
		fprintf(out, "| `%s` | %s | %s | ", f->name, f->init ? f->kind : "statistic",
			f->init && *f->init ? f->init : "");
		print_cell(f->help, out);
		fprintf(out, " |\n");
	}
}

void list_print_markdown(pim_context *c, FILE *out)
{
	fprintf(out, "\n# Passes\n");
	for (int i = 0; i < pim_pass_count(c); i++)
		print_pass_markdown(pim_pass_at(c, i), out);
}
