/* SPDX-License-Identifier: Apache-2.0 */
/* targets.c - the table of built-in machines, and how a machine is found by name or file. */
#include <string.h>

#include "targets/machine_file.h"

#define TARGET(name, what) extern const char *const pim_target_yaml_##name;
#include "targets/targets.def"

typedef struct target_row {
	const char *name, *summary;
	const char *const *yaml;
} target_row;

static const target_row rows[] = {
#define TARGET(name, what) {#name, what, &pim_target_yaml_##name},
#include "targets/targets.def"
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* A machine file has some 30 keys; whatever is larger than this is another file. */
enum { LARGEST_FILE = 1 << 20 };

int pim_target_count(void)
{
	return ROWS;
}

const char *pim_target_name(int i)
{
	return rows[i].name;
}

const char *pim_target_summary(int i)
{
	return rows[i].summary;
}

pim_limits pim_target_limits(const pim_target *t)
{
	return (pim_limits){t->units, t->buffer.bytes, t->memory.bytes};
}

static const pim_target *read_machine(
	pim_context *c, const char *name, const char *text, size_t bytes, const pim_target *init)
{
	pim_target *t = PIM_NEW(c->arena, pim_target, 1);
	*t = *init;
	pim_arena *scratch = pim_arena_new();
	uint32_t source = pim_source_text(c, name, text, bytes);
	machine_file f = {.context = c, .arena = scratch, .start = {source, 0}};
	bool good = pim_machine_entries(&f, source, text, bytes) && pim_machine_fill(&f, t);
	pim_arena_free(scratch);
	return good ? t : NULL;
}

static const pim_target *read_path(pim_context *c, const char *path)
{
	size_t bytes;
	const char *text = pim_file_map(c, (pim_loc){0}, path, &bytes);
	if (!text)
		return NULL;
	if (bytes > LARGEST_FILE) {
		pim_file_error(c, path, "the machine file has %zu bytes, expected at most %d", bytes,
			(int)LARGEST_FILE);
		return NULL;
	}
	const char *kept = pim_intern(c, path, strlen(path));
	return read_machine(c, kept, text, bytes, &(pim_target){.path = kept, .summary = ""});
}

static const pim_target *read_row(pim_context *c, const target_row *row)
{
	pim_text name = {0};
	pim_text_printf(&name, "targets/%s.yaml", row->name);
	const char *kept = pim_intern(c, name.s, name.n);
	pim_text_free(&name);
	const char *text = *row->yaml;
	return read_machine(c, kept, text, strlen(text), &(pim_target){.summary = row->summary});
}

static bool has_ending(const char *s, const char *ending)
{
	size_t n = strlen(s), m = strlen(ending);
	return n >= m && !memcmp(s + n - m, ending, m);
}

static void report_unknown(pim_context *c, const char *name)
{
	const char *names[ROWS];
	pim_text all = {0};
	for (int i = 0; i < ROWS; i++) {
		names[i] = rows[i].name;
		pim_text_printf(&all, "%s%s", i ? ", " : "", rows[i].name);
	}
	const char *near = pim_nearest(name, ROWS, names);
	if (near)
		pim_file_error(c, NULL, "unknown target \"%s\"; did you mean \"%s\"?", name, near);
	else
		pim_file_error(
			c, NULL, "unknown target \"%s\"; expected one of %s, or a .yaml file", name, all.s);
	pim_text_free(&all);
}

const pim_target *pim_target_find(pim_context *c, const char *name)
{
	for (int i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].name, name))
			return read_row(c, &rows[i]);
	if (has_ending(name, ".yaml") || has_ending(name, ".yml"))
		return read_path(c, name);
	report_unknown(c, name);
	return NULL;
}
