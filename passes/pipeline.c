/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pipeline.c - pipelines as text.
 *
 *     pipeline = [ step { "," step } [ "," ] ]
 *     step     = pass [ "{" { option "=" value [ "," ] } "}" ]  |  name of a pipeline
 *     value    = a word without space, comma, brace or quote, or a quoted string
 *
 * White space is free; `#` and `//` begin comments. "@file" reads the text from a file. All
 * mistakes are reported, each with a caret in the whole text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"

typedef struct reader {
	pim_context *context;
	pim_arena *arena;
	pim_pipeline *pipeline;
	uint32_t source;
	const char *text;
	size_t at, n;
	bool failed;
} reader;

static pim_loc place(const reader *r, size_t at)
{
	return (pim_loc){r->source, (uint32_t)at};
}

static void skip_space(reader *r)
{
	while (r->at < r->n) {
		char ch = r->text[r->at];
		bool comment = ch == '#' || (ch == '/' && r->at + 1 < r->n && r->text[r->at + 1] == '/');
		if (comment)
			while (r->at < r->n && r->text[r->at] != '\n')
				r->at++;
		else if (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r')
			r->at++;
		else
			return;
	}
}

static char peek(const reader *r)
{
	return r->at < r->n ? r->text[r->at] : 0;
}

static bool take(reader *r, char ch)
{
	skip_space(r);
	if (peek(r) != ch || r->at >= r->n)
		return false;
	r->at++;
	return true;
}

static const char *read_name(reader *r, size_t *at)
{
	skip_space(r);
	*at = r->at;
	while (r->at < r->n && (strchr("_.-", peek(r)) ? peek(r) != 0
												   : (peek(r) >= 'a' && peek(r) <= 'z') ||
														 (peek(r) >= 'A' && peek(r) <= 'Z') ||
														 (peek(r) >= '0' && peek(r) <= '9')))
		r->at++;
	return r->at == *at ? NULL : pim_arena_copy(r->arena, r->text + *at, r->at - *at);
}

static const char *read_quoted(reader *r)
{
	size_t opened = r->at++;
	char *s = pim_arena_alloc(r->arena, r->n - opened + 1);
	size_t n = 0;
	while (r->at < r->n && peek(r) != '"') {
		if (peek(r) == '\\' && r->at + 1 < r->n)
			r->at++;
		s[n++] = r->text[r->at++];
	}
	if (r->at < r->n) {
		r->at++;
		return s;
	}
	pim_error(r->context, place(r, opened), "this quoted value has no closing quote");
	return NULL;
}

static const char *read_value(reader *r, size_t *at)
{
	skip_space(r);
	*at = r->at;
	if (peek(r) == '"')
		return read_quoted(r);
	while (r->at < r->n && !strchr(" \t\r\n,{}\"", peek(r)))
		r->at++;
	return pim_arena_copy(r->arena, r->text + *at, r->at - *at);
}

static bool fail(reader *r)
{
	r->failed = true;
	return false;
}

static bool add_step(reader *r, const pim_pass *pass)
{
	pim_pipeline *p = r->pipeline;
	p->step = pim_arena_grow(r->arena, p->step, p->n, &p->room, sizeof *p->step);
	int n = 0;
	while (pass->fields && pass->fields[n].name)
		n++;
	const char **option = PIM_NEW(r->arena, const char *, n + 1);
	for (int i = 0; i < n; i++)
		option[i] = pass->fields[i].init;
	p->step[p->n++] = (pim_pipeline_step){pass, option};
	return true;
}

/* ---- options ---- */

static int find_option(const pim_pass *p, const char *name)
{
	for (int i = 0; p->fields && p->fields[i].name; i++)
		if (p->fields[i].init && !strcmp(p->fields[i].name, name))
			return i;
	return -1;
}

/* "rounds (int), limit (time)" or "none". */
static const char *list_options(const pim_pass *p, pim_arena *a)
{
	const char *list = NULL;
	for (const pim_pass_field *f = p->fields; f && f->name; f++)
		if (f->init)
			list = pim_arena_printf(
				a, "%s%s%s (%s)", list ? list : "", list ? ", " : "", f->name, f->kind);
	return list ? list : "none";
}

static bool report_unknown_option(reader *r, const pim_pass *p, const char *name, size_t at)
{
	const char *names[64];
	int n = 0;
	for (const pim_pass_field *f = p->fields; f && f->name && n < 64; f++)
		if (f->init)
			names[n++] = f->name;
	const char *near = pim_nearest(name, n, names);
	pim_error(r->context, place(r, at), "pass '%s' has no option '%s'%s%s%s; its options: %s",
		p->name, name, near ? ", did you mean '" : "", near ? near : "", near ? "'" : "",
		list_options(p, r->arena));
	return fail(r);
}

/* Seconds from "10", "10s" or "500ms". */
static bool read_seconds(const char *s, double *seconds)
{
	const char *end = s + strlen(s), *rest = pim_read_float(s, end, seconds);
	if (rest == s || !(*seconds >= 0))
		return false;
	if (!strcmp(rest, "ms"))
		*seconds /= 1000;
	return !*rest || !strcmp(rest, "s") || !strcmp(rest, "ms");
}

static bool is_value_of(const char *kind, const char *s)
{
	double v;
	if (!strcmp(kind, "string"))
		return true;
	if (!strcmp(kind, "time"))
		return read_seconds(s, &v);
	if (!strcmp(kind, "float")) {
		const char *end = s + strlen(s);
		return *s && pim_read_float(s, end, &v) == end;
	}
	char *end;
	errno = 0;
	strtoll(s, &end, 10);
	return *s && !*end && !errno;
}

static const char *describe_kind(const char *kind)
{
	if (!strcmp(kind, "int"))
		return "a whole number";
	return !strcmp(kind, "time") ? "a time such as 10, 10s or 500ms" : "a number";
}

static bool read_option(reader *r, pim_pipeline_step *step)
{
	size_t at, value_at;
	const char *name = read_name(r, &at);
	if (!name) {
		pim_error(r->context, place(r, r->at),
			"expected an option of pass '%s' or '}'; its options: %s", step->pass->name,
			list_options(step->pass, r->arena));
		return fail(r);
	}
	int i = find_option(step->pass, name);
	if (i < 0)
		report_unknown_option(r, step->pass, name, at);
	if (!take(r, '=')) {
		pim_error(r->context, place(r, r->at), "expected '=' and a value after option '%s'", name);
		return fail(r);
	}
	const char *value = read_value(r, &value_at);
	if (!value)
		return fail(r);
	if (i < 0)
		return true;
	const pim_pass_field *f = &step->pass->fields[i];
	step->option[i] = value;
	if (is_value_of(f->kind, value))
		return true;
	pim_error(r->context, place(r, value_at), "option '%s' of pass '%s' takes %s, not '%s'", name,
		step->pass->name, describe_kind(f->kind), value);
	r->failed = true;
	return true;
}

/* Goes behind the '}' that closes the options, so that later steps are still looked at. */
static void leave_options(reader *r)
{
	while (r->at < r->n && peek(r) != '}')
		r->at++;
	take(r, '}');
}

static void read_options(reader *r, pim_pipeline_step *step)
{
	size_t opened = r->at - 1;
	while (!take(r, '}')) {
		if (r->at >= r->n) {
			pim_error(r->context, place(r, opened), "this '{' is never closed");
			r->failed = true;
			return;
		}
		if (!read_option(r, step)) {
			leave_options(r);
			return;
		}
		take(r, ',');
	}
}

/* ---- steps ---- */

static void read_steps(reader *r);

static bool read_named(reader *r, const char *name)
{
	for (int i = 0; i < pim_named_pipeline_count(); i++) {
		if (strcmp(pim_named_pipeline_name(i), name))
			continue;
		const char *text = pim_named_pipeline_text(i);
		reader inner = *r;
		inner.source = pim_source_text(r->context, name, text, strlen(text));
		inner.text = text;
		inner.at = 0;
		inner.n = strlen(text);
		read_steps(&inner);
		r->failed |= inner.failed;
		return true;
	}
	return false;
}

static void report_unknown_pass(reader *r, const char *name, size_t at)
{
	int n = pim_pass_count(r->context), m = pim_named_pipeline_count();
	const char **names = PIM_NEW(r->arena, const char *, n + m);
	for (int i = 0; i < n; i++)
		names[i] = pim_pass_at(r->context, i)->name;
	for (int i = 0; i < m; i++)
		names[n + i] = pim_named_pipeline_name(i);
	const char *near = pim_nearest(name, n + m, names);
	pim_error(r->context, place(r, at), "no pass is called '%s'%s%s%s; --list=passes shows all",
		name, near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
	r->failed = true;
}

static void read_step(reader *r)
{
	size_t at;
	const char *name = read_name(r, &at);
	if (!name) {
		pim_error(r->context, place(r, r->at), "expected the name of a pass");
		r->failed = true;
		while (r->at < r->n && peek(r) != ',')
			r->at++;
		return;
	}
	const pim_pass *pass = pim_pass_find(r->context, name);
	if (!pass && read_named(r, name))
		return;
	if (pass)
		add_step(r, pass);
	else
		report_unknown_pass(r, name, at);
	if (!take(r, '{'))
		return;
	if (pass)
		read_options(r, &r->pipeline->step[r->pipeline->n - 1]);
	else
		leave_options(r);
}

static void read_steps(reader *r)
{
	skip_space(r);
	while (r->at < r->n) {
		read_step(r);
		skip_space(r);
		if (r->at >= r->n || take(r, ','))
			continue;
		pim_error(r->context, place(r, r->at), "expected ',' and another pass, or the end");
		r->failed = true;
		return;
	}
}

pim_pipeline *pim_pipeline_parse(pim_context *c, const char *text, pim_arena *a)
{
	reader r = {.context = c, .arena = a, .pipeline = PIM_NEW(a, pim_pipeline, 1), .text = text};
	const char *name = "pipeline";
	r.n = strlen(text);
	if (*text == '@') {
		name = text + 1;
		r.text = pim_file_map(c, (pim_loc){0, 0}, name, &r.n);
		if (!r.text)
			return NULL;
	} else {
		r.text = pim_arena_copy(c->arena, text, r.n);
	}
	r.source = pim_source_text(c, name, r.text, r.n);
	read_steps(&r);
	return r.failed ? NULL : r.pipeline;
}

/* ---- printing ---- */

static void print_value(const char *v, pim_text *out)
{
	if (*v && !v[strcspn(v, " \t\r\n,{}\"\\")])
		pim_text_str(out, v);
	else
		pim_text_quoted(out, v);
}

static void print_step(const pim_pipeline_step *s, pim_text *out)
{
	const char *before = "{";
	pim_text_str(out, s->pass->name);
	for (int i = 0; s->pass->fields && s->pass->fields[i].name; i++) {
		if (!s->option[i])
			continue;
		pim_text_printf(out, "%s%s=", before, s->pass->fields[i].name);
		print_value(s->option[i], out);
		before = " ";
	}
	if (*before == ' ')
		pim_text_str(out, "}");
}

void pim_pipeline_print(const pim_pipeline *p, pim_text *out)
{
	for (int i = 0; i < p->n; i++) {
		if (i)
			pim_text_str(out, ",");
		print_step(&p->step[i], out);
	}
}
