/* SPDX-License-Identifier: Apache-2.0 */
/* text - growing text.
 *
 * Everything that is printed goes through a pim_text: it grows in memory, or streams to a file in
 * pieces of 1 MiB. Numbers are in ir/number.c. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/ir.h"

#define STREAM_BYTES ((size_t)1 << 20)

static void make_room(pim_text *t, size_t n)
{
	if (t->sink && t->n >= STREAM_BYTES)
		pim_text_flush(t);
	if (n < t->room - t->n)
		return;
	size_t room = t->room ? t->room : 256;
	while (room - t->n <= n)
		room *= 2;
	t->s = pim_array_resize(t->s, (int64_t)room, 1);
	t->room = room;
}

void pim_text_add(pim_text *t, const char *s, size_t n)
{
	if (t->room - t->n <= n || t->n >= STREAM_BYTES)
		make_room(t, n);
	if (n)
		memcpy(t->s + t->n, s, n);
	t->n += n;
	t->s[t->n] = '\0';
}

void pim_text_str(pim_text *t, const char *s)
{
	pim_text_add(t, s, strlen(s));
}

void pim_text_printf(pim_text *t, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	pim_text_vprintf(t, format, ap);
	va_end(ap);
}

void pim_text_vprintf(pim_text *t, const char *format, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	make_room(t, 128);
	int n = vsnprintf(t->s + t->n, t->room - t->n, format, ap);
	if (n < 0)
		PIM_BUG("format \"%s\"", format);
	if ((size_t)n >= t->room - t->n) {
		make_room(t, (size_t)n);
		vsnprintf(t->s + t->n, t->room - t->n, format, again);
	}
	va_end(again);
	t->n += (size_t)n;
}

static void add_escaped(pim_text *t, unsigned char c)
{
	switch (c) {
	case '"':
		pim_text_add(t, "\\\"", 2);
		break;
	case '\\':
		pim_text_add(t, "\\\\", 2);
		break;
	case '\n':
		pim_text_add(t, "\\n", 2);
		break;
	case '\t':
		pim_text_add(t, "\\t", 2);
		break;
	default:
		pim_text_printf(t, "\\x%02x", c);
	}
}

void pim_text_quoted(pim_text *t, const char *s)
{
	pim_text_add(t, "\"", 1);
	for (const char *run = s;; s++) {
		unsigned char c = (unsigned char)*s;
		if (c >= 32 && c != '"' && c != '\\' && c != 127)
			continue;
		pim_text_add(t, run, (size_t)(s - run));
		if (!c)
			break;
		add_escaped(t, c);
		run = s + 1;
	}
	pim_text_add(t, "\"", 1);
}

bool pim_text_flush(pim_text *t)
{
	if (!t->sink)
		return true;
	bool ok = fwrite(t->s, 1, t->n, t->sink) == t->n;
	t->n = 0;
	return ok && !ferror(t->sink);
}

char *pim_text_keep(pim_text *t, pim_arena *a)
{
	char *s = pim_arena_copy(a, t->s, t->n);
	pim_text_free(t);
	return s;
}

void pim_text_free(pim_text *t)
{
	free(t->s);
	*t = (pim_text){0};
}
