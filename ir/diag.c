/* SPDX-License-Identifier: Apache-2.0 */
/* diag - messages: places become lines and columns, and messages reach the session's handler.
 *
 * Columns count bytes from 1, a tab as one. What a message looks like is in ir/diag_print.c. */
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

typedef struct spot {
	const char *file, *line_start;
	size_t line_bytes;
	int line, column;
} spot;

static spot find_spot(const pim_source *s, size_t offset)
{
	spot at = {.file = s->name, .line = 1};
	if (offset > s->bytes)
		offset = s->bytes;
	const char *p = s->text, *place = s->text + offset, *end = s->text + s->bytes;
	for (const char *next; p < place && (next = memchr(p, '\n', (size_t)(place - p))); p = next + 1)
		at.line++;
	const char *stop = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	at.line_start = p;
	at.line_bytes = (size_t)((stop ? stop : end) - p);
	if (at.line_bytes && p[at.line_bytes - 1] == '\r')
		at.line_bytes--;
	at.column = (int)(place - p) + 1;
	return at;
}

/* The first place in a text among those that `at` stands for; source 0 when there is none. */
static pim_loc text_place(const pim_context *c, pim_loc at)
{
	const pim_source *s = at.source ? &c->sources[at.source] : NULL;
	if (s && s->kind == PIM_SOURCE_text)
		return at;
	for (int i = 0; s && i < s->n_parts; i++)
		if (c->sources[s->parts[i].source].kind == PIM_SOURCE_text)
			return s->parts[i];
	return (pim_loc){0};
}

static void add_names(const pim_context *c, pim_loc at, pim_text *out)
{
	const pim_source *s = at.source ? &c->sources[at.source] : NULL;
	if (s && s->kind == PIM_SOURCE_name) {
		if (out->n)
			pim_text_str(out, ", ");
		pim_text_quoted(out, s->name);
	}
	for (int i = 0; s && i < s->n_parts; i++)
		add_names(c, s->parts[i], out);
}

char *pim_loc_text(const pim_context *c, pim_loc at, pim_arena *a)
{
	pim_loc in_text = text_place(c, at);
	if (in_text.source) {
		spot s = find_spot(&c->sources[in_text.source], in_text.offset);
		return pim_arena_printf(a, "%s:%d:%d", s.file, s.line, s.column);
	}
	pim_text names = {0};
	add_names(c, at, &names);
	char *text = pim_arena_copy(a, names.n ? names.s : "?", names.n ? names.n : 1);
	pim_text_free(&names);
	return text;
}

/* False when the message is beyond the limit; the first one that is says so instead. */
static bool admit(pim_context *c, pim_severity s)
{
	if (s == PIM_ERROR)
		c->errors++;
	if (!c->on_diag)
		return false;
	if (c->errors <= c->error_limit)
		return true;
	if (s == PIM_ERROR && c->errors == c->error_limit + 1) {
		pim_diag d = {.severity = PIM_ERROR, .message = "too many errors, the rest is not shown"};
		c->on_diag(c->on_diag_user, &d);
	}
	return false;
}

void pim_vreport(pim_context *c, pim_severity s, pim_loc at, const char *format, va_list ap)
{
	if (!admit(c, s))
		return;
	pim_arena *a = pim_arena_new();
	pim_text message = {0};
	pim_diag d = {.severity = s};
	pim_loc in_text = text_place(c, at);
	if (in_text.source) {
		spot where = find_spot(&c->sources[in_text.source], in_text.offset);
		d.file = where.file;
		d.line = where.line;
		d.column = where.column;
		d.source = pim_arena_copy(a, where.line_start, where.line_bytes);
	} else {
		add_names(c, at, &message);
		if (message.n)
			pim_text_str(&message, ": ");
	}
	pim_text_vprintf(&message, format, ap);
	d.message = message.s;
	c->on_diag(c->on_diag_user, &d);
	pim_text_free(&message);
	pim_arena_free(a);
}

void pim_report(pim_context *c, pim_severity s, pim_loc at, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	pim_vreport(c, s, at, format, ap);
	va_end(ap);
}

bool pim_error(pim_context *c, pim_loc at, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	pim_vreport(c, PIM_ERROR, at, format, ap);
	va_end(ap);
	return false;
}

bool pim_file_error(pim_context *c, const char *file, const char *format, ...)
{
	if (!admit(c, PIM_ERROR))
		return false;
	pim_text message = {0};
	va_list ap;
	va_start(ap, format);
	pim_text_vprintf(&message, format, ap);
	va_end(ap);
	pim_diag d = {.severity = PIM_ERROR, .file = file, .message = message.s};
	c->on_diag(c->on_diag_user, &d);
	pim_text_free(&message);
	return false;
}

static void report_node(const pim_node *n, pim_severity s, const char *format, va_list ap)
{
	pim_context *c = pim_context_of(n);
	pim_arena *a = pim_arena_new();
	const char *op = pim_op_at((pim_op)n->op)->name, *said = pim_arena_vprintf(a, format, ap);
	if (!n->name && n->number == PIM_NO_NUMBER) /* it is just being read */
		pim_report(c, s, n->loc, "%s: %s", op, said);
	else
		pim_report(c, s, n->loc, "%s (%s): %s", pim_node_label(n, a), op, said);
	pim_arena_free(a);
}

bool pim_node_error(const pim_node *n, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	report_node(n, PIM_ERROR, format, ap);
	va_end(ap);
	return false;
}

void pim_node_note(const pim_node *n, pim_severity s, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	report_node(n, s, format, ap);
	va_end(ap);
}
