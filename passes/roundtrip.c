/* SPDX-License-Identifier: Apache-2.0 */
/* passes/roundtrip.c - is print(parse(text)) the text that was printed?
 *
 * The text is read in a context of its own, under the module's path, so that files it names are
 * found; that context's messages are passed on. */
#include <string.h>

#include "passes/pass.h"

static void pass_on(void *user, const pim_diag *d)
{
	pim_context *c = user;
	pim_report(
		c, d->severity, (pim_loc){0, 0}, "in the printed text, line %d: %s", d->line, d->message);
}

typedef struct place {
	int line;
	const char *a, *b; /* the lines there */
} place;

/* The first line that differs. */
static place find_difference(const char *a, const char *b)
{
	place p = {1, a, b};
	while (*a && *a == *b) {
		if (*a == '\n')
			p = (place){p.line + 1, a + 1, b + 1};
		a++;
		b++;
	}
	return p;
}

static int line_length(const char *s)
{
	size_t n = strcspn(s, "\n");
	return n > 200 ? 200 : (int)n;
}

static bool report_difference(pim_context *c, const char *first, const char *second)
{
	place p = find_difference(first, second);
	return pim_error(c, (pim_loc){0, 0},
		"text does not read back as it was printed, line %d: printed '%.*s', read back '%.*s'",
		p.line, line_length(p.a), p.a, line_length(p.b), p.b);
}

static bool print_module(const pim_module *m, pim_text *out)
{
	return pim_module_write(m, &pim_print_defaults, out);
}

bool pim_module_check_roundtrip(const pim_module *m)
{
	pim_context *c = m->context, *fresh = pim_context_new();
	pim_context_on_diag(fresh, pass_on, c);
	pim_text first = {0}, second = {0};
	bool good = print_module(m, &first);
	pim_module *again = good ? pim_module_parse(fresh, m->path ? m->path : "printed",
								   first.s ? first.s : "", first.n)
							 : NULL;
	if (good && !again)
		good = pim_error(c, (pim_loc){0, 0}, "printed text cannot be read back");
	good = good && print_module(again, &second);
	if (good && (first.n != second.n || memcmp(first.s, second.s, first.n)))
		good = report_difference(c, first.s, second.s);
	pim_text_free(&first);
	pim_text_free(&second);
	pim_context_free(fresh);
	return good;
}
