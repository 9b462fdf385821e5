/* SPDX-License-Identifier: Apache-2.0 */
/* parse - the text form of modules into graphs.
 *
 * Every statement that is wrong is reported; reading goes on behind the end of its line. What a
 * wrong statement would have defined is marked (`bad`), so that its users are not reported too.
 * Values that are numbers are found in an array, names in the graph's table. Text of a mapped file
 * that has been read is given back. */
#include <stdlib.h>
#include <string.h>

#include "ir/parser.h"

#define DROP_BYTES ((ptrdiff_t)1 << 20)

/* Does a new statement begin at the cursor, behind the one that began at `start`? */
static bool begins_statement(const pim_cursor *c, const char *start)
{
	const char *s = c->p;
	while (s > start && (s[-1] == ' ' || s[-1] == '\t'))
		s--;
	return s > start && s[-1] == '\n' && c->p < c->end && strchr("%r}g", *c->p);
}

static void skip_line(parser *p)
{
	const char *stop = memchr(p->c->p, '\n', (size_t)(p->c->end - p->c->p));
	p->c->p = stop ? stop : p->c->end;
}

static void drop_read_text(parser *p)
{
	if (p->c->p - p->dropped < DROP_BYTES)
		return;
	pim_file_drop(p->c->context, p->dropped, p->c->p);
	p->dropped = p->c->p;
}

static bool parse_input(parser *p)
{
	value_name name;
	pim_cursor *c = p->c;
	if (!parse_value_name(p, &name) || !pim_cursor_want(c, ":"))
		return false;
	pim_cursor_space(c);
	const pim_type *t = parse_type(p);
	if (!t)
		return false;
	pim_node *n =
		pim_node_make_numbered(p->g, PIM_OP_input, 0, name.numbered ? name.number : PIM_NO_NUMBER);
	n->type = t;
	n->loc = name.at;
	pim_node_link(n, NULL);
	pim_graph_add_input(p->g, n);
	return define_value(p, &name, n) && parse_tail(p, n);
}

static bool parse_signature(parser *p)
{
	pim_cursor *c = p->c;
	if (!pim_cursor_want(c, "("))
		return false;
	if (pim_cursor_take(c, ")"))
		return true;
	do {
		if (!parse_input(p))
			return false;
	} while (pim_cursor_take(c, ","));
	return pim_cursor_want(c, ")");
}

static bool parse_return(parser *p)
{
	pim_cursor *c = p->c;
	pim_cursor_space(c);
	p->returned = true;
	if (c->p >= c->end || *c->p != '%')
		return true;
	do {
		pim_node *n = parse_operand(p);
		const char *name = NULL;
		if (!n)
			return false;
		if (pim_cursor_take(c, "as") && !(name = pim_cursor_string(c)))
			return false;
		if (n != p->bad)
			pim_graph_add_named_result(p->g, n, name);
	} while (pim_cursor_take(c, ","));
	return true;
}

static void report_unclosed(parser *p)
{
	char what[80];
	snprintf(what, sizeof what, "'}' at the end of graph @%.40s", p->g->name);
	pim_cursor_expected(p->c, what);
	pim_report(p->c->context, PIM_NOTE, p->g->loc, "its '{' is here");
}

static bool parse_decision_line(parser *p)
{
	int errors = p->c->context->errors;
	if (pim_sets_parse(p->c, p->g))
		return true;
	return errors == p->c->context->errors &&
		   pim_cursor_expected(p->c, "%value = op ..., return or '}'");
}

/* One statement, or what stands in its place. False at the end of the graph. */
static bool parse_line(parser *p)
{
	pim_cursor *c = p->c;
	bool ok;
	pim_cursor_space(c);
	drop_read_text(p);
	const char *start = c->p;
	if (c->p < c->end && *c->p == '%') {
		if (p->returned)
			pim_cursor_error(c, "a statement behind return, expected '}'");
		ok = parse_statement(p);
	} else if (pim_cursor_take(c, "}")) {
		if (!p->returned)
			pim_error(c->context, p->g->loc, "graph @%s has no return", p->g->name);
		c->failed |= !p->returned;
		return false;
	} else if (c->p >= c->end || pim_cursor_next_is(c, "graph")) {
		report_unclosed(p);
		return false;
	} else if (pim_cursor_take(c, "return")) {
		ok = parse_return(p);
	} else {
		ok = parse_decision_line(p);
	}
	if (!ok && !begins_statement(c, start))
		skip_line(p);
	return true;
}

static void check_graph_name(parser *p, pim_loc at)
{
	pim_module *m = p->m;
	for (int i = 0; i + 1 < m->n_graphs; i++)
		if (m->graphs[i]->name == p->g->name) {
			p->c->failed = true;
			pim_error(p->c->context, at, "a second graph @%s", p->g->name);
			pim_report(p->c->context, PIM_NOTE, m->graphs[i]->loc, "the first is here");
		}
}

static bool parse_graph(parser *p)
{
	pim_cursor *c = p->c;
	const char *name;
	pim_cursor_space(c);
	p->start = c->p;
	if (!pim_cursor_want(c, "graph") || !(name = parse_symbol(c)))
		return false;
	p->g = pim_graph_new(p->m, name);
	p->g->loc = pim_cursor_loc(c);
	check_graph_name(p, p->g->loc);
	if (!parse_signature(p))
		skip_line(p);
	else if (pim_cursor_want(c, "{"))
		p->g->loc.offset = (uint32_t)(c->p - 1 - c->s);
	else
		return false;
	while (parse_line(p))
		;
	p->g->facts |= PIM_FACT_shaped;
	return true;
}

pim_graph *pim_cursor_graph(pim_cursor *c, pim_module *m)
{
	pim_arena *scratch = pim_arena_new();
	parser p = {.c = c, .m = m, .scratch = scratch, .dropped = c->p};
	p.bad = pim_arena_alloc(scratch, sizeof *p.bad);
	bool ok = parse_graph(&p) && !c->failed;
	free(p.numbers);
	free(p.in);
	free(p.cells);
	pim_arena_free(scratch);
	return ok ? p.g : NULL;
}

static bool parse_module(pim_cursor *c, pim_module *m)
{
	pim_cursor_space(c);
	if (c->p >= c->end)
		return pim_cursor_error(c, "the text is empty, expected 'module {'");
	if (!pim_cursor_want(c, "module") || !pim_cursor_want(c, "{"))
		return false;
	pim_loc opened = {c->source, (uint32_t)(c->p - 1 - c->s)};
	if (pim_cursor_take(c, "weights") && !(m->weights = pim_cursor_string(c)))
		return false;
	while (!pim_cursor_take(c, "}")) {
		bool end = c->p >= c->end, failed = c->failed;
		if (end && failed)
			return false;
		if (end) {
			pim_cursor_expected(c, "'}' at the end of the module");
			pim_report(c->context, PIM_NOTE, opened, "its '{' is here");
			return false;
		}
		int graphs = m->n_graphs;
		if (!pim_cursor_graph(c, m) && m->n_graphs == graphs)
			return false;
	}
	pim_cursor_space(c);
	return c->p >= c->end || pim_cursor_expected(c, "the end of the text behind the module");
}

pim_module *pim_module_parse_source(pim_context *c, uint32_t source, size_t lo, size_t hi)
{
	const pim_source *s = &c->sources[source];
	if (s->bytes >= UINT32_MAX) {
		pim_file_error(c, s->name, "has %zu bytes, expected less than 4 GiB of text", s->bytes);
		return NULL;
	}
	pim_cursor cursor = {
		.context = c, .source = source, .s = s->text, .p = s->text + lo, .end = s->text + hi};
	pim_module *m = pim_module_new(c);
	m->path = s->name;
	int errors = c->errors;
	if (parse_module(&cursor, m) && !cursor.failed && c->errors == errors)
		return m;
	pim_module_discard(m);
	return NULL;
}

pim_module *pim_module_parse(pim_context *c, const char *name, const char *text, size_t bytes)
{
	const char *copy = pim_arena_copy(c->arena, text, bytes);
	return pim_module_parse_source(c, pim_source_text(c, name, copy, bytes), 0, bytes);
}
