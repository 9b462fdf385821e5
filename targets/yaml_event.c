/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_event.c - YAML text as events with places; the only user of libyaml.
 *
 * libyaml counts characters, places count bytes: find_place turns one into the other. */
#include <yaml.h>

#include <string.h>

#include "targets/yaml_event.h"

struct pim_yaml {
	pim_context *context;
	uint32_t source;
	const char *text;
	size_t bytes;
	size_t seen_index, seen_offset; /* a character and its byte: marks mostly go forward */
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_event;
};

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static pim_loc find_place(pim_yaml *y, yaml_mark_t mark)
{
	if (mark.index < y->seen_index)
		y->seen_index = y->seen_offset = 0;
	if (y->seen_index == 0 && y->bytes >= 3 && !memcmp(y->text, "\xef\xbb\xbf", 3))
		y->seen_offset = 3;
	size_t i = y->seen_index, at = y->seen_offset;
	for (; i < mark.index && at < y->bytes; i++)
		do
			at++;
		while (at < y->bytes && is_continuation(y->text[at]));
	y->seen_index = i;
	y->seen_offset = at;
	return (pim_loc){y->source, (uint32_t)at};
}

static bool report_problem(pim_yaml *y)
{
	yaml_mark_t at = y->parser.problem_mark;
	const char *problem = y->parser.problem ? y->parser.problem : "unreadable text";
	if (y->parser.error == YAML_READER_ERROR) {
		size_t offset = y->parser.problem_offset < y->bytes ? y->parser.problem_offset : y->bytes;
		return pim_error(
			y->context, (pim_loc){y->source, (uint32_t)offset}, "not UTF-8 text: %s", problem);
	}
	return pim_error(y->context, find_place(y, at), "not YAML: %s", problem);
}

static pim_yaml_kind find_kind(yaml_event_type_t type)
{
	switch (type) {
	case YAML_SCALAR_EVENT:
		return PIM_YAML_scalar;
	case YAML_SEQUENCE_START_EVENT:
		return PIM_YAML_list;
	case YAML_SEQUENCE_END_EVENT:
		return PIM_YAML_list_end;
	case YAML_MAPPING_START_EVENT:
		return PIM_YAML_mapping;
	case YAML_MAPPING_END_EVENT:
		return PIM_YAML_mapping_end;
	case YAML_ALIAS_EVENT:
		return PIM_YAML_alias;
	case YAML_DOCUMENT_START_EVENT:
		return PIM_YAML_document;
	case YAML_DOCUMENT_END_EVENT:
		return PIM_YAML_document_end;
	case YAML_STREAM_START_EVENT:
		return PIM_YAML_stream;
	default:
		return PIM_YAML_stream_end;
	}
}

static const char *find_anchor(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return (const char *)e->data.alias.anchor;
	case YAML_SCALAR_EVENT:
		return (const char *)e->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)e->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return (const char *)e->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static bool is_quoted(yaml_scalar_style_t style)
{
	return style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
}

static void drop_event(pim_yaml *y)
{
	if (y->has_event)
		yaml_event_delete(&y->event);
	y->has_event = false;
}

bool pim_yaml_next(pim_yaml *y, pim_yaml_event *e)
{
	drop_event(y);
	if (!yaml_parser_parse(&y->parser, &y->event))
		return report_problem(y);
	y->has_event = true;
	pim_loc at = find_place(y, y->event.start_mark);
	*e = (pim_yaml_event){.kind = find_kind(y->event.type), .at = at, .value_at = at};
	e->anchor = find_anchor(&y->event);
	if (e->kind == PIM_YAML_scalar) {
		e->text = (const char *)y->event.data.scalar.value;
		e->length = y->event.data.scalar.length;
		e->value_at.offset += is_quoted(y->event.data.scalar.style);
	}
	return true;
}

pim_yaml *pim_yaml_open(
	pim_context *c, pim_arena *a, uint32_t source, const char *text, size_t bytes)
{
	pim_yaml *y = PIM_NEW(a, pim_yaml, 1);
	*y = (pim_yaml){.context = c, .source = source, .text = text, .bytes = bytes};
	if (!yaml_parser_initialize(&y->parser))
		PIM_BUG("libyaml has no memory");
	yaml_parser_set_encoding(&y->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y->parser, (const unsigned char *)text, bytes);
	return y;
}

void pim_yaml_close(pim_yaml *y)
{
	drop_event(y);
	yaml_parser_delete(&y->parser);
}
