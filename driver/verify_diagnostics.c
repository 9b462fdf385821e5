/* SPDX-License-Identifier: Apache-2.0 */
/* driver/verify_diagnostics.c - messages against the comments that expect them.
 *
 *     // expected-error {{text}}       on this line; @+2 @-1 lines away, @above, @below, @unknown:
 * no place
 *     // expected-error 2 {{text}}     that many times
 *
 * Kinds: error, warning, note, remark. A comment is met by a message of its kind, on its line, that
 * contains its text. Every error and warning must be expected; notes and remarks only where the
 * part expects some of that kind. */
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"

typedef struct expectation {
	pim_severity severity;
	int line; /* 0: no place */
	int at;	  /* line of the comment */
	int left; /* times still to come */
	const char *text;
} expectation;

struct expectations {
	const char *name;
	pim_arena *arena;
	int n, room;
	expectation *list;
	int n_unexpected;
	bool uses[4];
	pim_text unexpected;
};

static const char *const severities[] = {
	[PIM_ERROR] = "error", [PIM_WARNING] = "warning", [PIM_NOTE] = "note", [PIM_REMARK] = "remark"};

/* ---- reading the comments ---- */

static bool complain(const char *name, int line, const char *what)
{
	fprintf(stderr, "%s:%d: error: %s\n", name, line, what);
	return false;
}

static const char *read_severity(const char *s, pim_severity *severity)
{
	for (int i = 0; i < 4; i++) {
		size_t n = strlen(severities[i]);
		if (strncmp(s, severities[i], n))
			continue;
		*severity = (pim_severity)i;
		return s + n;
	}
	return NULL;
}

static const char *take_word(const char *s, const char *word)
{
	size_t n = strlen(word);
	return strncmp(s, word, n) ? NULL : s + n;
}

/* "@+1", "@-2", "@above", "@below", "@unknown" or nothing. */
static const char *read_line(const char *s, int at, int *line)
{
	const char *rest;
	*line = at;
	if (*s != '@')
		return s;
	s++;
	if ((rest = take_word(s, "above")))
		*line = at - 1;
	else if ((rest = take_word(s, "below")))
		*line = at + 1;
	else if ((rest = take_word(s, "unknown")))
		*line = 0;
	if (rest)
		return rest;
	char *end;
	long by = strtol(s, &end, 10);
	if (end == s || (*s != '+' && *s != '-'))
		return NULL;
	*line = at + (int)by;
	return end;
}

static expectation *add(expectations *e)
{
	e->list = pim_arena_grow(e->arena, e->list, e->n, &e->room, sizeof *e->list);
	return &e->list[e->n++];
}

/* s stands behind "expected-" in the comment's line, which is NUL-terminated. */
static const char *read_comment(expectations *e, const char *s, int at)
{
	expectation x = {.at = at, .left = 1};
	const char *rest = read_severity(s, &x.severity);
	if (!rest) {
		complain(e->name, at, "expected-error, -warning, -note or -remark");
		return NULL;
	}
	rest = read_line(rest, at, &x.line);
	if (!rest) {
		complain(e->name, at, "expected @+N, @-N, @above, @below or @unknown after '@'");
		return NULL;
	}
	rest += strspn(rest, " ");
	if (*rest >= '0' && *rest <= '9') {
		char *end;
		x.left = (int)strtol(rest, &end, 10);
		rest = end + strspn(end, " ");
	}
	const char *opened = take_word(rest, "{{"), *closed = opened ? strstr(opened, "}}") : NULL;
	if (!closed) {
		complain(e->name, at, "expected the message as {{text}}");
		return NULL;
	}
	x.text = pim_arena_copy(e->arena, opened, (size_t)(closed - opened));
	e->uses[x.severity] = true;
	*add(e) = x;
	return closed + 2;
}

static bool read_comments(expectations *e, const char *line, int at)
{
	const char *s = strstr(line, "//");
	while (s && (s = strstr(s, "expected-"))) {
		s = read_comment(e, s + strlen("expected-"), at);
		if (!s)
			return false;
	}
	return true;
}

static int count_lines(const char *s, size_t n)
{
	int lines = 0;
	for (size_t i = 0; i < n; i++)
		lines += s[i] == '\n';
	return lines;
}

expectations *expectations_read(
	const char *name, const char *text, size_t lo, size_t hi, pim_arena *a)
{
	expectations *e = PIM_NEW(a, expectations, 1);
	bool good = true;
	int line = count_lines(text, lo) + 1;
	*e = (expectations){.name = name, .arena = a};
	for (size_t i = lo; i < hi; line++) {
		const char *stop = memchr(text + i, '\n', hi - i);
		size_t end = stop ? (size_t)(stop - text) : hi;
		good &= read_comments(e, pim_arena_copy(a, text + i, end - i), line);
		i = end + 1;
	}
	return good ? e : NULL;
}

/* ---- ticking off ---- */

static bool meets(const expectation *x, const pim_diag *d)
{
	return x->left > 0 && x->severity == d->severity && x->line == d->line &&
		   strstr(d->message, x->text);
}

void expectations_take(void *user, const pim_diag *d)
{
	expectations *e = user;
	for (int i = 0; i < e->n; i++) {
		if (!meets(&e->list[i], d))
			continue;
		e->list[i].left--;
		return;
	}
	if (d->severity >= PIM_NOTE && !e->uses[d->severity])
		return;
	e->n_unexpected++;
	pim_text_printf(&e->unexpected, "%s:%d: error: unexpected %s: %s\n",
		d->file ? d->file : e->name, d->line, severities[d->severity], d->message);
}

bool expectations_check(expectations *e, FILE *out)
{
	bool good = e->n_unexpected == 0;
	if (e->unexpected.n)
		fputs(e->unexpected.s, out);
	pim_text_free(&e->unexpected);
	for (int i = 0; i < e->n; i++) {
		const expectation *x = &e->list[i];
		if (!x->left)
			continue;
		good = false;
		fprintf(out, "%s:%d: error: expected %s on line %d did not come: %s\n", e->name, x->at,
			severities[x->severity], x->line, x->text);
	}
	return good;
}
