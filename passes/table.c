/* SPDX-License-Identifier: Apache-2.0 */
/* passes/table.c - the rows of passes.def and pipelines.def, and those of plugins.
 *
 * Rows are constant data. Their names as users write them (dashes) are made once per context, when
 * something first asks for a pass. */
#include <string.h>

#include "passes/pass.h"

/* Fields of all passes, one behind the other; the entry of a PASS row ends the list before it. */
enum {
#define PASS(name, needs, gives, breaks, help) FIELDS_##name,
#define OPTION(pass, name, kind, init, help) FIELD_##pass##_option_##name,
#define STATISTIC(pass, name, kind, help) FIELD_##pass##_statistic_##name,
#include "passes/passes.def"
	FIELD_COUNT
};

static const pim_pass_field fields[FIELD_COUNT + 1] = {
#define PASS(name, needs, gives, breaks, help) {NULL, NULL, NULL, NULL},
#define OPTION(pass, name, kind, init, help) {#name, #kind, init, help},
#define STATISTIC(pass, name, kind, help) {#name, #kind, NULL, help},
#include "passes/passes.def"
	{NULL, NULL, NULL, NULL}};

#define F(fact) PIM_FACT_##fact
static const pim_pass rows[] = {
#define PASS(name, needs, gives, breaks, help)                                                     \
	{#name, needs, gives, breaks, help, pim_pass_##name, &fields[FIELDS_##name + 1]},
#include "passes/passes.def"
};
#undef F

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

typedef struct named_pipeline {
	const char *name, *text, *help;
} named_pipeline;

static const named_pipeline pipelines[] = {
#define PIPELINE(name, text, help) {name, text, help},
#include "passes/pipelines.def"
};

int pim_named_pipeline_count(void)
{
	return (int)(sizeof pipelines / sizeof pipelines[0]);
}
const char *pim_named_pipeline_name(int i)
{
	return pipelines[i].name;
}
const char *pim_named_pipeline_text(int i)
{
	return pipelines[i].text;
}
const char *pim_named_pipeline_help(int i)
{
	return pipelines[i].help;
}

static const char *write_with_dashes(pim_context *c, const char *name)
{
	size_t n = strlen(name);
	char *s = pim_arena_copy(c->arena, name, n);
	for (size_t i = 0; i < n; i++)
		if (s[i] == '_')
			s[i] = '-';
	return s;
}

static void make_rows(pim_context *c)
{
	pim_pass *p = PIM_NEW(c->arena, pim_pass, ROW_COUNT);
	for (int i = 0; i < ROW_COUNT; i++) {
		p[i] = rows[i];
		p[i].name = write_with_dashes(c, rows[i].name);
	}
	c->passes = p;
	c->n_passes = ROW_COUNT;
}

static int count_plugin_passes(const pim_plugin *p)
{
	int n = 0;
	while (p->passes && p->passes[n].name)
		n++;
	return n;
}

int pim_pass_count(pim_context *c)
{
	int n = ROW_COUNT;
	for (int i = 0; i < c->n_plugins; i++)
		n += count_plugin_passes(c->plugins[i]);
	return n;
}

const pim_pass *pim_pass_at(pim_context *c, int i)
{
	if (!c->passes)
		make_rows(c);
	if (i < c->n_passes)
		return &c->passes[i];
	i -= c->n_passes;
	for (int k = 0; k < c->n_plugins; k++) {
		int n = count_plugin_passes(c->plugins[k]);
		if (i < n)
			return &c->plugins[k]->passes[i];
		i -= n;
	}
	return NULL;
}

const pim_pass *pim_pass_find(pim_context *c, const char *name)
{
	int n = pim_pass_count(c);
	for (int i = 0; i < n; i++)
		if (!strcmp(pim_pass_at(c, i)->name, name))
			return pim_pass_at(c, i);
	return NULL;
}
