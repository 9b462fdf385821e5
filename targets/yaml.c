/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.c - a machine's YAML file as a flat list of entries with places; the only user of libyaml.
 *
 * A machine file is a mapping of keys to scalars, lists of scalars, and sections (mappings of the
 * same without sections). Everything else of YAML (aliases, several documents, deeper nesting) is
 * refused with a place. libyaml counts characters, places count bytes: find_place turns one into
 * the other. */
#include <yaml.h>

#include <string.h>

#include "targets/machine_file.h"

typedef struct reader {
	machine_file *file;
	uint32_t source;
	const char *text;
	size_t bytes;
	size_t seen_index, seen_offset; /* a character and its byte: marks mostly go forward */
	yaml_parser_t parser;
} reader;

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static pim_loc find_place(reader *r, yaml_mark_t mark)
{
	if (mark.index < r->seen_index)
		r->seen_index = r->seen_offset = 0;
	if (r->seen_index == 0 && r->bytes >= 3 && !memcmp(r->text, "\xef\xbb\xbf", 3))
		r->seen_offset = 3;
	size_t i = r->seen_index, at = r->seen_offset;
	for (; i < mark.index && at < r->bytes; i++)
		do
			at++;
		while (at < r->bytes && is_continuation(r->text[at]));
	r->seen_index = i;
	r->seen_offset = at;
	return (pim_loc){r->source, (uint32_t)at};
}

static bool refuse(reader *r, yaml_mark_t at, const char *what)
{
	return pim_error(r->file->context, find_place(r, at), "%s", what);
}

static bool next_event(reader *r, yaml_event_t *e)
{
	if (yaml_parser_parse(&r->parser, e))
		return true;
	yaml_mark_t at = r->parser.problem_mark;
	const char *problem = r->parser.problem ? r->parser.problem : "unreadable text";
	if (r->parser.error == YAML_READER_ERROR) {
		size_t offset = r->parser.problem_offset < r->bytes ? r->parser.problem_offset : r->bytes;
		return pim_error(r->file->context, (pim_loc){r->source, (uint32_t)offset},
			"not UTF-8 text: %s", problem);
	}
	return pim_error(r->file->context, find_place(r, at), "not YAML: %s", problem);
}

static machine_entry *new_entry(machine_file *f)
{
	if (f->n == f->room) {
		f->room = f->room ? 2 * f->room : 64;
		machine_entry *grown = PIM_NEW(f->arena, machine_entry, f->room);
		if (f->n)
			memcpy(grown, f->entry, (size_t)f->n * sizeof *grown);
		f->entry = grown;
	}
	return &f->entry[f->n++];
}

static void add_value(machine_file *f, machine_entry *e, const char *s, size_t n, pim_loc at)
{
	if (e->n == e->room) {
		e->room = e->room ? 2 * e->room : 4;
		const char **values = PIM_NEW(f->arena, const char *, e->room);
		pim_loc *places = PIM_NEW(f->arena, pim_loc, e->room);
		if (e->n) {
			memcpy(values, e->value, (size_t)e->n * sizeof *values);
			memcpy(places, e->at, (size_t)e->n * sizeof *places);
		}
		e->value = values;
		e->at = places;
	}
	e->value[e->n] = pim_arena_copy(f->arena, s, n);
	e->at[e->n++] = at;
}

static void add_scalar(reader *r, machine_entry *e, const yaml_event_t *event)
{
	pim_loc at = find_place(r, event->start_mark);
	if (event->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
		event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE)
		at.offset++;
	add_value(r->file, e, (const char *)event->data.scalar.value, event->data.scalar.length, at);
}

/* The items of a list; its start was read. */
static bool read_list(reader *r, machine_entry *e)
{
	for (;;) {
		yaml_event_t event;
		if (!next_event(r, &event))
			return false;
		bool scalar = event.type == YAML_SCALAR_EVENT, end = event.type == YAML_SEQUENCE_END_EVENT;
		if (scalar)
			add_scalar(r, e, &event);
		yaml_mark_t at = event.start_mark;
		yaml_event_delete(&event);
		if (end)
			return true;
		if (!scalar)
			return refuse(r, at, "expected a plain value in this list");
	}
}

static bool read_mapping(reader *r, const char *section);

/* The value behind a key, by its first event. */
static bool read_value(reader *r, machine_entry *e, yaml_event_t *event)
{
	e->value_at = find_place(r, event->start_mark);
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		add_scalar(r, e, event);
		e->value_at = e->at[0];
		return true;
	case YAML_SEQUENCE_START_EVENT:
		e->form = MACHINE_list;
		return read_list(r, e);
	case YAML_MAPPING_START_EVENT:
		if (*e->section)
			return refuse(r, event->start_mark, "a section inside a section; expected a value");
		e->form = MACHINE_section;
		return read_mapping(r, e->key);
	default:
		return refuse(r, event->start_mark, "a machine file has no aliases; write the value out");
	}
}

static bool read_entry(reader *r, const char *section, const yaml_event_t *key)
{
	if (key->type != YAML_SCALAR_EVENT)
		return refuse(r, key->start_mark, "expected a key, as in \"clock: 500 MHz\"");
	machine_entry *e = new_entry(r->file);
	int number = r->file->n - 1;
	*e = (machine_entry){.section = section, .key_at = find_place(r, key->start_mark)};
	e->key = pim_arena_copy(
		r->file->arena, (const char *)key->data.scalar.value, key->data.scalar.length);
	yaml_event_t value;
	if (!next_event(r, &value))
		return false;
	machine_entry read = *e; /* a section's entries may move the array */
	bool good = read_value(r, &read, &value);
	yaml_event_delete(&value);
	r->file->entry[number] = read;
	return good;
}

/* The entries of a mapping; its start was read. */
static bool read_mapping(reader *r, const char *section)
{
	for (;;) {
		yaml_event_t key;
		if (!next_event(r, &key))
			return false;
		bool end = key.type == YAML_MAPPING_END_EVENT;
		bool good = end || read_entry(r, section, &key);
		yaml_event_delete(&key);
		if (end || !good)
			return good;
	}
}

/* Reads an event and demands its type. */
static bool want_event(reader *r, yaml_event_type_t type, const char *message)
{
	yaml_event_t event;
	if (!next_event(r, &event))
		return false;
	bool good = event.type == type;
	yaml_mark_t at = event.start_mark;
	yaml_event_delete(&event);
	return good || refuse(r, at, message);
}

static bool read_file(reader *r)
{
	static const char expected[] = "expected keys and values, as in \"clock: 500 MHz\"";
	return want_event(r, YAML_STREAM_START_EVENT, expected) &&
		   want_event(r, YAML_DOCUMENT_START_EVENT, "the file holds no keys") &&
		   want_event(r, YAML_MAPPING_START_EVENT, expected) && read_mapping(r, "") &&
		   want_event(r, YAML_DOCUMENT_END_EVENT, expected) &&
		   want_event(r, YAML_STREAM_END_EVENT, "a machine file holds one document only");
}

bool pim_machine_entries(machine_file *f, uint32_t source, const char *text, size_t bytes)
{
	reader r = {.file = f, .source = source, .text = text, .bytes = bytes};
	if (!yaml_parser_initialize(&r.parser))
		PIM_BUG("libyaml has no memory");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, bytes);
	bool good = read_file(&r);
	yaml_parser_delete(&r.parser);
	return good;
}
