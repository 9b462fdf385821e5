/* SPDX-License-Identifier: Apache-2.0 */
/* driver/split_input.c - --split-input-file and --verify-diagnostics: a text file whose parts stand
 * between `// -----` lines, each run on its own, with places that count from the file's beginning.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"
#include "driver/process.h"

static const char separator[] = "// -----";

/* ---- the whole input as text ---- */

static const char *read_stream(pim_context *c, FILE *f, size_t *n)
{
	size_t room = 1 << 16;
	char *s = pim_arena_raw(c->arena, room);
	*n = 0;
	for (;;) {
		size_t got = fread(s + *n, 1, room - *n, f);
		*n += got;
		if (!got)
			break;
		if (*n < room)
			continue;
		char *grown = pim_arena_raw(c->arena, 2 * room);
		memcpy(grown, s, *n);
		s = grown;
		room *= 2;
	}
	if (!ferror(f))
		return s;
	pim_file_error(c, "-", "cannot read standard input: %s", strerror(errno));
	return NULL;
}

const char *input_read_text(pim_context *c, const char *path, size_t *n)
{
	if (!strcmp(path, "-"))
		return read_stream(c, stdin, n);
	return pim_file_map(c, (pim_loc){0, 0}, path, n);
}

/* The end of the part that begins at lo, and where the next begins (n: there is none). */
static size_t find_part_end(const char *s, size_t n, size_t lo, size_t *next)
{
	for (size_t i = lo; i < n;) {
		const char *stop = memchr(s + i, '\n', n - i);
		size_t end = stop ? (size_t)(stop - s) + 1 : n;
		bool is_separator =
			n - i >= sizeof separator - 1 && !memcmp(s + i, separator, sizeof separator - 1);
		if (is_separator) {
			*next = end;
			return i;
		}
		i = end;
	}
	*next = n;
	return n;
}

/* ---- one part ---- */

typedef struct part {
	const options *o;
	const char *name, *text;
	size_t n, lo, hi; /* of the whole text, and this part of it */
} part;

static bool run_part(session *s, const part *p, pim_text *out)
{
	uint32_t source = pim_source_text(s->context, p->name, p->text, p->n);
	pim_module *m = pim_module_parse_source(s->context, source, p->lo, p->hi);
	if (!m)
		return false;
	reproducer_arm(p->o, s, p->text + p->lo, p->hi - p->lo);
	if (!session_run(s, m) || p->o->emit == EMIT_none)
		return s->context->errors == 0;
	char *bytes = NULL;
	size_t n = 0;
	FILE *memory = open_memstream(&bytes, &n);
	if (!memory)
		return pim_file_error(s->context, NULL, "out of memory");
	bool good = session_write(s, m, memory);
	fclose(memory);
	if (good && out->n)
		pim_text_printf(out, "%s\n", separator);
	if (good)
		pim_text_add(out, bytes, n);
	free(bytes);
	return good;
}

/* True when the part went well; with --verify-diagnostics, when its messages were the expected
 * ones. */
static bool check_part(const part *p, pim_text *out, pim_arena *a)
{
	bool expects = p->o->value[OPT_verify_diagnostics] != NULL;
	expectations *e = expects ? expectations_read(p->name, p->text, p->lo, p->hi, a) : NULL;
	if (expects && !e)
		return false;
	session s;
	bool good = session_open(&s, p->o, expects ? expectations_take : options_handler(p->o), e);
	s.context->error_limit = expects ? 1 << 30 : s.context->error_limit;
	good = good && run_part(&s, p, out);
	reproducer_finish();
	if (good)
		report_wanted(&s);
	session_close(&s);
	return expects ? expectations_check(e, stderr) : good;
}

static bool run_parts(const options *o, const char *text, size_t n, pim_text *out)
{
	pim_arena *a = pim_arena_new();
	bool good = true, splits = o->value[OPT_split_input_file] != NULL;
	part p = {.o = o, .name = !strcmp(o->input, "-") ? "<stdin>" : o->input, .text = text, .n = n};
	for (size_t lo = 0, next; lo <= n; lo = next) {
		p.lo = lo;
		p.hi = splits ? find_part_end(text, n, lo, &next) : (next = n);
		good &= check_part(&p, out, a);
		if (next >= n)
			break;
	}
	pim_arena_free(a);
	return good;
}

/* Good parts go to standard output even when others fail; a file is written only when all are good.
 */
static bool write_parts(pim_context *c, const options *o, const pim_text *text, bool good)
{
	const char *path = o->value[OPT_output];
	bool to_file = path && strcmp(path, "-");
	if (o->emit == EMIT_none || (to_file && !good))
		return good;
	pim_output *out = pim_output_open(c, path ? path : "-");
	if (!out)
		return false;
	if (text->n && fwrite(text->s, 1, text->n, pim_output_file(out)) != text->n) {
		pim_output_abandon(out);
		return pim_file_error(c, path, "cannot write: %s", strerror(errno));
	}
	return pim_output_commit(out) && good;
}

/* The command line is wrong for all parts alike: say so once, before the first. */
static bool check_command(const options *o)
{
	session s;
	bool good = session_open(&s, o, options_handler(o), NULL);
	session_close(&s);
	return good;
}

int split_run(const options *o)
{
	if (!check_command(o))
		return EXIT_COMMAND;
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, options_handler(o), NULL);
	process_guard(c);
	size_t n = 0;
	pim_text out = {0};
	const char *text = input_read_text(c, o->input, &n);
	bool good = text && run_parts(o, text, n, &out);
	good = text && write_parts(c, o, &out, good);
	pim_text_free(&out);
	pim_context_free(c);
	return good ? EXIT_FINE : EXIT_INPUT;
}
