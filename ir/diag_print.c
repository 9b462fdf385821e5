/* SPDX-License-Identifier: Apache-2.0 */
/* diag_print - what a message looks like: text with a caret, or JSON; and the nearest of some
 * names.
 *
 * The line under the source line repeats its tabs, so that the caret stands under the token
 * whatever a tab is worth. Of a long line a window around the column is shown. */
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

#define WINDOW 100

static const struct {
	const char *word, *colour;
} severities[] = {{"error", "31"}, {"warning", "35"}, {"note", "36"}, {"remark", "34"}};

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The part of the line to show: all of it, or a window around the column, cut between characters.
 */
static void choose_window(const char *line, size_t n, size_t column, size_t *lo, size_t *hi)
{
	*lo = 0;
	*hi = n;
	if (n <= WINDOW)
		return;
	if (column > n)
		column = n;
	*lo = column > WINDOW / 2 ? column - WINDOW / 2 : 0;
	*hi = *lo + WINDOW < n ? *lo + WINDOW : n;
	if (*hi == n)
		*lo = n - WINDOW;
	while (*lo < n && continues(line[*lo]))
		++*lo;
	while (*hi > *lo && *hi < n && continues(line[*hi]))
		--*hi;
}

static void print_source(const pim_diag *d, FILE *out, const char *on, const char *off)
{
	size_t n = strlen(d->source), column = (size_t)d->column - 1, lo, hi;
	choose_window(d->source, n, column, &lo, &hi);
	const char *before = lo ? "..." : "", *after = hi < n ? "..." : "";
	fprintf(out, "  %s", before);
	for (size_t i = lo; i < hi; i++) {
		unsigned char c = (unsigned char)d->source[i];
		fputc(c == '\t' || (c >= 32 && c != 127) ? c : '?', out);
	}
	fprintf(out, "%s\n  %*s", after, (int)strlen(before), "");
	for (size_t i = lo; i < column && i < n; i++)
		if (!continues(d->source[i]))
			fputc(d->source[i] == '\t' ? '\t' : ' ', out);
	fprintf(out, "%s^%s\n", on, off);
}

void pim_diag_print(const pim_diag *d, FILE *out, bool colour)
{
	char on[16];
	snprintf(on, sizeof on, "\033[1;%sm", severities[d->severity].colour);
	const char *off = colour ? "\033[0m" : "", *start = colour ? on : "";
	if (d->file && d->line)
		fprintf(out, "%s:%d:%d: ", d->file, d->line, d->column);
	else if (d->file)
		fprintf(out, "%s: ", d->file);
	fprintf(out, "%s%s:%s %s\n", start, severities[d->severity].word, off, d->message);
	if (d->source && d->column)
		print_source(d, out, start, off);
}

/* Bytes of the UTF-8 character at s, 0 when it is none. */
static int character_bytes(const unsigned char *s)
{
	int n = s[0] < 0x80					  ? 1
			: s[0] >= 0xc2 && s[0] < 0xe0 ? 2
			: (s[0] & 0xf0) == 0xe0		  ? 3
			: s[0] >= 0xf0 && s[0] < 0xf5 ? 4
										  : 0;
	for (int i = 1; i < n; i++)
		if (!continues((char)s[i]))
			return 0;
	return n;
}

static void print_json_string(const char *text, FILE *out)
{
	const unsigned char *s = (const unsigned char *)text;
	fputc('"', out);
	while (*s) {
		int n = character_bytes(s);
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 32 || *s == 127)
			fprintf(out, "\\u%04x", *s);
		else if (!n)
			fputs("\\ufffd", out);
		else
			fwrite(s, 1, (size_t)n, out);
		s += n ? n : 1;
	}
	fputc('"', out);
}

static void print_field(const char *name, const char *value, FILE *out)
{
	if (!value)
		return;
	fprintf(out, ", \"%s\": ", name);
	print_json_string(value, out);
}

void pim_diag_json(const pim_diag *d, FILE *out)
{
	fprintf(out, "{\"severity\": \"%s\"", severities[d->severity].word);
	print_field("file", d->file, out);
	if (d->line)
		fprintf(out, ", \"line\": %d, \"column\": %d", d->line, d->column);
	print_field("message", d->message, out);
	print_field("source", d->source, out);
	fputs("}\n", out);
}

/* Edit distance with swaps of neighbours, given up (limit + 1) when it is beyond the limit. */
static int edit_distance(const char *a, const char *b, int limit)
{
	int n = (int)strlen(a), m = (int)strlen(b);
	int row[3][65];
	if (n > 64 || m > 64 || n - m > limit || m - n > limit)
		return limit + 1;
	for (int j = 0; j <= m; j++)
		row[0][j] = j;
	for (int i = 1; i <= n; i++) {
		int *now = row[i % 3], *up = row[(i + 2) % 3], *before = row[(i + 1) % 3];
		now[0] = i;
		for (int j = 1; j <= m; j++) {
			int best = up[j - 1] + (a[i - 1] != b[j - 1]);
			best = up[j] + 1 < best ? up[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[n % 3][m];
}

const char *pim_nearest(const char *wanted, int n, const char *const *names)
{
	size_t length = strlen(wanted);
	int limit = length < 3 ? 1 : (int)(length / 3) + 1;
	const char *nearest = NULL;
	for (int i = 0; i < n && limit >= 0; i++) {
		int distance = names[i] ? edit_distance(wanted, names[i], limit) : limit + 1;
		if (distance <= limit && distance < (int)length) {
			nearest = names[i];
			limit = distance - 1;
		}
	}
	return nearest;
}
