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

/* With dashes, as passes have them. */
const char *pim_target_name(pim_context *c, int i)
{
	size_t n = strlen(rows[i].name);
	char *s = pim_arena_copy(c->arena, rows[i].name, n);
	for (size_t k = 0; k < n; k++)
		if (s[k] == '_')
			s[k] = '-';
	return s;
}

const char *pim_target_summary(int i)
{
	return rows[i].summary;
}

pim_limits pim_target_limits(const pim_target *t)
{
	return (pim_limits){t->units, t->buffer.bytes, t->memory.bytes};
}

static bool open_path(pim_context *c, pim_loc at, const char *path, machine_text *m)
{
	const char *kept = pim_intern(c, path, strlen(path));
	*m = (machine_text){.name = kept, .path = kept, .summary = ""};
	m->text = pim_file_map(c, at, kept, &m->bytes);
	if (!m->text)
		return false;
	return m->bytes <= LARGEST_FILE ||
		   pim_file_error(c, path, "the machine file has %zu bytes, expected at most %d", m->bytes,
			   (int)LARGEST_FILE);
}

static bool open_row(pim_context *c, int i, machine_text *m)
{
	const char *text = *rows[i].yaml;
	*m = (machine_text){.summary = rows[i].summary, .text = text, .bytes = strlen(text)};
	m->name = pim_arena_printf(c->arena, "targets/%s.yaml", pim_target_name(c, i));
	return true;
}

static bool has_ending(const char *s, const char *ending)
{
	size_t n = strlen(s), m = strlen(ending);
	return n >= m && !memcmp(s + n - m, ending, m);
}

static bool report_unknown(pim_context *c, pim_loc at, const char *name)
{
	const char *names[ROWS];
	pim_text all = {0};
	for (int i = 0; i < ROWS; i++) {
		names[i] = pim_target_name(c, i);
		pim_text_printf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	const char *near = pim_nearest(name, ROWS, names);
	if (near)
		pim_error(c, at, "unknown target \"%s\"; did you mean \"%s\"?", name, near);
	else
		pim_error(c, at, "unknown target \"%s\"; expected one of %s, or a .yaml file", name, all.s);
	pim_text_free(&all);
	return false;
}

bool pim_machine_find(pim_context *c, pim_loc at, const char *name, machine_text *m)
{
	for (int i = 0; i < ROWS; i++)
		if (!strcmp(pim_target_name(c, i), name))
			return open_row(c, i, m);
	if (has_ending(name, ".yaml") || has_ending(name, ".yml"))
		return open_path(c, at, name, m);
	return report_unknown(c, at, name);
}

const pim_target *pim_target_find(pim_context *c, const char *name)
{
	machine_text m;
	if (!pim_machine_find(c, (pim_loc){0}, name, &m))
		return NULL;
	pim_target *t = PIM_NEW(c->arena, pim_target, 1);
	*t = (pim_target){.path = m.path, .summary = m.summary};
	pim_arena *scratch = pim_arena_new();
	uint32_t source = pim_source_text(c, m.name, m.text, m.bytes);
	machine_file f = {.context = c, .arena = scratch, .start = {source, 0}};
	bool good = pim_machine_entries(&f, source, m.text, m.bytes) && pim_machine_inherit(&f, &m) &&
				pim_machine_fill(&f, t);
	pim_arena_free(scratch);
	return good ? t : NULL;
}
