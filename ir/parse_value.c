/* SPDX-License-Identifier: Apache-2.0 */
/* parse_value - names and numbers of values: reading, defining and finding them. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/parser.h"

#define CANDIDATES 4096

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '_' ||
		   c == '.' || c == '/' || c == '-' || c == ':';
}

/* A colon followed by white space ends a name: `%x: f32[1]`. */
static const char *name_end(const char *p, const char *end)
{
	while (p < end && is_name_char(*p))
		p++;
	while (p[-1] == ':')
		p--;
	return p;
}

/* Reads %12 at once: false, with nothing read, when it is a name. */
static bool take_number(pim_cursor *c, value_name *name)
{
	const char *s = c->p;
	uint64_t v = 0;
	while (s < c->end && is_digit(*s) && s - c->p < 11)
		v = v * 10 + (uint64_t)(*s++ - '0');
	size_t n = (size_t)(s - c->p);
	if (!n || v >= PIM_NO_NUMBER || (*c->p == '0' && n > 1) ||
		(s < c->end && is_name_char(*s) && *s != ':'))
		return false;
	if (s < c->end && *s == ':' && name_end(s, c->end) > s)
		return false;
	name->numbered = true;
	name->number = (uint32_t)v;
	name->s = c->p;
	name->n = n;
	c->p = s;
	return true;
}

bool parse_value_name(parser *p, value_name *name)
{
	pim_cursor *c = p->c;
	pim_cursor_space(c);
	name->at = pim_cursor_loc(c);
	if (c->p >= c->end || *c->p != '%')
		return pim_cursor_expected(c, "a value, such as %x");
	const char *s = ++c->p;
	if (take_number(c, name))
		return true;
	name->numbered = false;
	if (s < c->end && *s == '"') {
		name->s = pim_cursor_string(c);
		name->n = name->s ? strlen(name->s) : 0;
		return name->s && (name->n || pim_cursor_error(c, "the name of a value is empty"));
	}
	if (s >= c->end || !is_name_char(*s) || *s == ':')
		return pim_cursor_expected(c, "the name or number of a value behind '%'");
	c->p = name_end(s, c->end);
	name->s = s;
	name->n = (size_t)(c->p - s);
	return true;
}

const char *parse_symbol(pim_cursor *c)
{
	pim_cursor_space(c);
	if (c->p >= c->end || *c->p != '@') {
		pim_cursor_expected(c, "a name, such as @main");
		return NULL;
	}
	const char *s = ++c->p;
	if (s < c->end && *s == '"')
		return pim_cursor_string(c);
	if (s >= c->end || !is_name_char(*s) || *s == ':') {
		pim_cursor_expected(c, "a name behind '@'");
		return NULL;
	}
	c->p = name_end(s, c->end);
	return pim_intern(c->context, s, (size_t)(c->p - s));
}

/* Where the value of that spelling is defined between lo and hi: source 0 for nowhere. */
static pim_loc find_definition(parser *p, const value_name *name, const char *lo, const char *hi)
{
	const char *s = p->c->s + name->at.offset, *end = s + 1;
	end = *end == '"' ? end + name->n + 2 : name->s + name->n;
	size_t n = (size_t)(end - s);
	for (const char *at = lo; at < hi && (at = memchr(at, '%', (size_t)(hi - at))); at++) {
		if ((size_t)(hi - at) <= n || memcmp(at, s, n))
			continue;
		const char *next = at + n;
		while (next < hi && *next == ' ')
			next++;
		if (next < hi && (*next == '=' || *next == ':') && (next > at + n || *next == ':'))
			return (pim_loc){p->c->source, (uint32_t)(at - p->c->s)};
	}
	return (pim_loc){0};
}

static bool report_undeclared(parser *p, const value_name *name)
{
	pim_context *c = p->c->context;
	const char *nearest = NULL;
	char wanted[80];
	snprintf(wanted, sizeof wanted, "%.*s", (int)(name->n < 79 ? name->n : 79), name->s);
	bool shown = c->errors < c->error_limit;
	if (shown && !name->numbered) {
		const char **names = PIM_NEW(p->scratch, const char *, CANDIDATES);
		int n = 0;
		for (pim_node *at = p->g->last; at && n < CANDIDATES; at = at->prev)
			if (at->name)
				names[n++] = at->name;
		nearest = pim_nearest(wanted, n, names);
	}
	p->c->failed = true;
	pim_error(c, name->at, "value %%%s is not defined%s%s%s", wanted,
		nearest ? "; did you mean %" : "", nearest ? nearest : "", nearest ? "?" : "");
	if (!shown)
		return false;
	size_t left = (size_t)(p->c->end - p->c->p);
	const char *other = memmem(p->c->p, left, "graph @", 7);
	pim_loc later = find_definition(p, name, p->c->p, other ? other : p->c->end);
	if (later.source)
		pim_report(c, PIM_NOTE, later, "it is defined here, behind its use");
	return false;
}

static pim_node *find_value(parser *p, const value_name *name)
{
	if (!name->numbered)
		return pim_map_get(p->g->names, name->s, name->n);
	if (name->number < p->room_numbers)
		return p->numbers[name->number];
	return pim_map_get(p->far_numbers, &name->number, sizeof name->number);
}

pim_node *parse_operand(parser *p)
{
	value_name name;
	if (!parse_value_name(p, &name))
		return NULL;
	pim_node *n = find_value(p, &name);
	if (n)
		return n;
	report_undeclared(p, &name);
	return NULL;
}

/* Room for a number that is in proportion to the text; false for one that is not. */
static bool make_room(parser *p, uint32_t number)
{
	size_t limit = 4096 + (size_t)(p->c->end - p->start) / 4;
	if (number < p->room_numbers)
		return true;
	if (number >= limit)
		return false;
	int64_t had = p->room_numbers;
	p->numbers =
		pim_array_reserve(p->numbers, (int64_t)number + 1, &p->room_numbers, sizeof *p->numbers);
	memset(p->numbers + had, 0, (size_t)(p->room_numbers - had) * sizeof *p->numbers);
	return true;
}

static pim_node *put_number(parser *p, uint32_t number, pim_node *n)
{
	if (number >= p->g->n_numbers)
		p->g->n_numbers = number + 1;
	if (make_room(p, number)) {
		pim_node *old = p->numbers[number];
		p->numbers[number] = old ? old : n;
		return old;
	}
	if (!p->far_numbers)
		p->far_numbers = pim_map_new(p->scratch);
	pim_node *old = pim_map_get(p->far_numbers, &number, sizeof number);
	if (!old)
		pim_map_put(p->far_numbers, &number, sizeof number, n);
	return old;
}

bool define_value(parser *p, const value_name *name, pim_node *n)
{
	pim_node *old;
	if (name->numbered) {
		old = put_number(p, name->number, n);
	} else {
		old = pim_node_take_name(n, name->s, name->n);
		old = old == n ? NULL : old;
	}
	if (!old)
		return true;
	p->c->failed = true;
	pim_error(p->c->context, name->at, "value %%%.*s is already defined",
		(int)(name->n < 79 ? name->n : 79), name->s);
	pim_loc first = find_definition(p, name, p->start, p->c->s + name->at.offset);
	if (first.source)
		pim_report(p->c->context, PIM_NOTE, first, "the first definition is here");
	return false;
}

void define_bad(parser *p, const value_name *name)
{
	if (find_value(p, name))
		return;
	if (name->numbered) {
		put_number(p, name->number, p->bad);
		return;
	}
	if (!p->g->names)
		p->g->names = pim_map_new(p->g->module->arena);
	pim_map_put(p->g->names, name->s, name->n, p->bad);
}
