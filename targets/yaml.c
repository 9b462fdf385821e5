/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.c - a machine's YAML file as a flat list of entries with places.
 *
 * A machine file is a mapping of keys to scalars, lists of scalars, and sections (mappings of the
 * same without sections). Everything else of YAML (aliases, several documents, deeper nesting) is
 * refused with a place. */
#include <string.h>

#include "targets/machine_file.h"
#include "targets/yaml_event.h"

typedef struct reader {
	machine_file *file;
	pim_yaml *yaml;
} reader;

static bool refuse(reader *r, pim_loc at, const char *what)
{
	return pim_error(r->file->context, at, "%s", what);
}

machine_entry *pim_machine_entry_new(machine_file *f)
{
	f->entry = pim_arena_grow(f->arena, f->entry, f->n, &f->room, sizeof *f->entry);
	f->entry[f->n] = (machine_entry){0};
	return &f->entry[f->n++];
}

static void add_scalar(reader *r, machine_entry *e, const pim_yaml_event *event)
{
	pim_arena *arena = r->file->arena;
	if (e->n == e->room) {
		e->room = e->room ? 2 * e->room : 4;
		const char **values = PIM_NEW(arena, const char *, e->room);
		pim_loc *places = PIM_NEW(arena, pim_loc, e->room);
		if (e->n) {
			memcpy(values, e->value, (size_t)e->n * sizeof *values);
			memcpy(places, e->at, (size_t)e->n * sizeof *places);
		}
		e->value = values;
		e->at = places;
	}
	e->value[e->n] = pim_arena_copy(arena, event->text, event->length);
	e->at[e->n++] = event->value_at;
}

/* The items of a list; its start was read. */
static bool read_list(reader *r, machine_entry *e)
{
	for (;;) {
		pim_yaml_event event;
		if (!pim_yaml_next(r->yaml, &event))
			return false;
		if (event.kind == PIM_YAML_list_end)
			return true;
		if (event.kind != PIM_YAML_scalar)
			return refuse(r, event.at, "expected a plain value in this list");
		add_scalar(r, e, &event);
	}
}

static bool read_mapping(reader *r, const char *section);

/* The value behind a key, by its first event. */
static bool read_value(reader *r, machine_entry *e, const pim_yaml_event *event)
{
	e->value_at = event->value_at;
	switch (event->kind) {
	case PIM_YAML_scalar:
		add_scalar(r, e, event);
		return true;
	case PIM_YAML_list:
		e->form = MACHINE_list;
		return read_list(r, e);
	case PIM_YAML_mapping:
		if (*e->section)
			return refuse(r, event->at, "a section inside a section; expected a value");
		e->form = MACHINE_section;
		return read_mapping(r, e->key);
	default:
		return refuse(r, event->at, "a machine file has no aliases; write the value out");
	}
}

static bool read_entry(reader *r, const char *section, const pim_yaml_event *key)
{
	if (key->kind != PIM_YAML_scalar)
		return refuse(r, key->at, "expected a key, as in \"clock: 500 MHz\"");
	machine_entry *e = pim_machine_entry_new(r->file);
	int number = r->file->n - 1;
	*e = (machine_entry){.section = section, .key_at = key->at};
	e->key = pim_arena_copy(r->file->arena, key->text, key->length);
	pim_yaml_event value;
	if (!pim_yaml_next(r->yaml, &value))
		return false;
	machine_entry read = *e; /* a section's entries may move the array */
	bool good = read_value(r, &read, &value);
	r->file->entry[number] = read;
	return good;
}

/* The entries of a mapping; its start was read. */
static bool read_mapping(reader *r, const char *section)
{
	for (;;) {
		pim_yaml_event key;
		if (!pim_yaml_next(r->yaml, &key))
			return false;
		if (key.kind == PIM_YAML_mapping_end)
			return true;
		if (!read_entry(r, section, &key))
			return false;
	}
}

/* Reads an event and demands its kind. */
static bool want_event(reader *r, pim_yaml_kind kind, const char *message)
{
	pim_yaml_event event;
	return pim_yaml_next(r->yaml, &event) && (event.kind == kind || refuse(r, event.at, message));
}

static bool read_file(reader *r)
{
	static const char expected[] = "expected keys and values, as in \"clock: 500 MHz\"";
	return want_event(r, PIM_YAML_stream, expected) &&
		   want_event(r, PIM_YAML_document, "the file holds no keys") &&
		   want_event(r, PIM_YAML_mapping, expected) && read_mapping(r, "") &&
		   want_event(r, PIM_YAML_document_end, expected) &&
		   want_event(r, PIM_YAML_stream_end, "a machine file holds one document only");
}

bool pim_machine_entries(machine_file *f, uint32_t source, const char *text, size_t bytes)
{
	reader r = {f, pim_yaml_open(f->context, f->arena, source, text, bytes)};
	bool good = read_file(&r);
	pim_yaml_close(r.yaml);
	return good;
}
