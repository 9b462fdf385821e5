/* SPDX-License-Identifier: Apache-2.0 */
/* cursor - reading text: words, numbers, strings, types, for every text form of the project. */
#include <string.h>

#include "ir/ir.h"

#define TYPE_DEPTH 16
#define SHOWN 24

pim_loc pim_cursor_loc(const pim_cursor *c)
{
	return (pim_loc){.source = c->source, .offset = (uint32_t)(c->p - c->s)};
}

bool pim_cursor_error(pim_cursor *c, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	pim_vreport(c->context, PIM_ERROR, pim_cursor_loc(c), format, ap);
	va_end(ap);
	c->failed = true;
	return false;
}

void pim_cursor_space(pim_cursor *c)
{
	const char *p = c->p, *end = c->end;
	for (; p < end; p++) {
		if (*p == '/' && end - p > 1 && p[1] == '/') {
			const char *stop = memchr(p, '\n', (size_t)(end - p));
			p = stop ? stop : end - 1;
		} else if (*p != ' ' && *p != '\n' && *p != '\t' && *p != '\r') {
			break;
		}
	}
	c->p = p;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static bool is_word(char c)
{
	return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '/';
}

bool pim_cursor_take(pim_cursor *c, const char *word)
{
	if (c->p < c->end && (*c->p <= ' ' || *c->p == '/'))
		pim_cursor_space(c);
	if (c->p < c->end && *c->p != *word)
		return false;
	size_t n = strlen(word);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n))
		return false;
	if (is_letter(word[n - 1]) && c->p + n < c->end && (is_word(c->p[n])))
		return false;
	c->p += n;
	return true;
}

bool pim_cursor_next_is(pim_cursor *c, const char *word)
{
	pim_cursor_space(c);
	const char *start = c->p;
	bool is = pim_cursor_take(c, word);
	c->p = start;
	return is;
}

/* What stands at the cursor, for messages. */
static const char *next_text(pim_cursor *c, char room[SHOWN + 8])
{
	size_t n = 0, left = (size_t)(c->end - c->p);
	if (!left)
		return "the end of the text";
	while (n < left && n < SHOWN && is_word(c->p[n]))
		n++;
	n = n ? n : 1;
	unsigned char first = (unsigned char)*c->p;
	if (first == '\n' || first == '\r')
		return "the end of the line";
	if (first < 32 || first > 126)
		snprintf(room, SHOWN + 8, "byte 0x%02x", first);
	else
		snprintf(room, SHOWN + 8, "'%.*s'", (int)n, c->p);
	return room;
}

bool pim_cursor_expected(pim_cursor *c, const char *what)
{
	char room[SHOWN + 8];
	return pim_cursor_error(c, "expected %s, found %s", what, next_text(c, room));
}

bool pim_cursor_want(pim_cursor *c, const char *word)
{
	if (pim_cursor_take(c, word))
		return true;
	char room[SHOWN + 8];
	return pim_cursor_error(c, "expected '%s', found %s", word, next_text(c, room));
}

bool pim_cursor_name(pim_cursor *c, const char **s, size_t *n)
{
	pim_cursor_space(c);
	const char *p = c->p;
	if (p >= c->end || !is_letter(*p))
		return false;
	while (p < c->end && is_word(*p))
		p++;
	*s = c->p;
	*n = (size_t)(p - c->p);
	c->p = p;
	return true;
}

bool pim_cursor_int(pim_cursor *c, int64_t *v)
{
	pim_cursor_space(c);
	const char *p = c->p;
	bool minus = p < c->end && *p == '-';
	p += minus;
	if (p >= c->end || !is_digit(*p))
		return pim_cursor_expected(c, "an integer");
	int64_t value = 0;
	for (; p < c->end && is_digit(*p); p++)
		if (!pim_mul(value, 10, &value) || !pim_add(value, minus ? '0' - *p : *p - '0', &value))
			return pim_cursor_error(c, "the integer does not fit in 64 bits");
	if (p < c->end && (*p == '.' || *p == 'e'))
		if (p + 1 >= c->end || p[0] != '.' || p[1] != '.')
			return pim_cursor_expected(c, "an integer");
	c->p = p;
	*v = value;
	return true;
}

bool pim_cursor_float(pim_cursor *c, double *v)
{
	pim_cursor_space(c);
	const char *p = pim_read_float(c->p, c->end, v);
	if (p == c->p)
		return pim_cursor_expected(c, "a number");
	c->p = p;
	return true;
}

static int hex_digit(char c)
{
	return is_digit(c)			  ? c - '0'
		   : c >= 'a' && c <= 'f' ? c - 'a' + 10
		   : c >= 'A' && c <= 'F' ? c - 'A' + 10
								  : -1;
}

/* The byte that the escape at p (behind the backslash) means, -1 for none. */
static int read_escape(const char *p, const char *end, int *taken)
{
	*taken = 1;
	if (p >= end)
		return -1;
	if (*p == '"' || *p == '\\')
		return *p;
	if (*p == 'n' || *p == 't')
		return *p == 'n' ? '\n' : '\t';
	if (*p != 'x' || end - p < 3 || hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)
		return -1;
	*taken = 3;
	return hex_digit(p[1]) * 16 + hex_digit(p[2]);
}

static const char *read_escaped(pim_cursor *c, const char *p)
{
	pim_text t = {0};
	int taken, byte;
	const char *result = NULL;
	for (; p < c->end && *p != '\n'; p++) {
		if (*p == '"') {
			result = pim_intern(c->context, t.n ? t.s : "", t.n);
			c->p = p + 1;
			break;
		}
		char plain = *p;
		if (plain == '\\') {
			byte = read_escape(p + 1, c->end, &taken);
			if (byte <= 0) {
				c->p = p;
				pim_cursor_error(
					c, "unknown escape in a string, expected \\\" \\\\ \\n \\t or \\x01 to \\xff");
				pim_text_free(&t);
				return NULL;
			}
			p += taken;
			plain = (char)byte;
		}
		pim_text_add(&t, &plain, 1);
	}
	pim_text_free(&t);
	if (!result)
		pim_cursor_error(c, "the string has no closing quote on this line");
	return result;
}

const char *pim_cursor_string(pim_cursor *c)
{
	pim_cursor_space(c);
	if (c->p >= c->end || *c->p != '"') {
		pim_cursor_expected(c, "a string in quotes");
		return NULL;
	}
	const char *start = c->p + 1, *p = start;
	while (p < c->end && *p != '"' && *p != '\\' && *p != '\n' && *p)
		p++;
	if (p >= c->end || *p != '"')
		return read_escaped(c, start);
	c->p = p + 1;
	return pim_intern(c->context, start, (size_t)(p - start));
}

static const pim_type *read_type(pim_cursor *c, int depth);

static const pim_type *read_tuple(pim_cursor *c, int depth)
{
	const pim_type *parts[256];
	int n = 0;
	if (depth >= TYPE_DEPTH) {
		pim_cursor_error(c, "tuple types are nested deeper than %d", TYPE_DEPTH);
		return NULL;
	}
	do {
		if (n == 256) {
			pim_cursor_error(c, "a tuple type has more than 256 parts");
			return NULL;
		}
		if (!(parts[n++] = read_type(c, depth + 1)))
			return NULL;
	} while (pim_cursor_take(c, ","));
	return pim_cursor_want(c, ")") ? pim_type_tuple(c->context, n, parts) : NULL;
}

static pim_dtype read_dtype(pim_cursor *c)
{
	const char *names[PIM_DTYPE_COUNT], *word;
	size_t n;
	char name[SHOWN + 1];
	const char *start = c->p;
	if (!pim_cursor_name(c, &word, &n)) {
		pim_cursor_expected(c, "a type, such as f32[1,3]");
		return PIM_DTYPE_COUNT;
	}
	snprintf(name, sizeof name, "%.*s", (int)(n > SHOWN ? SHOWN : n), word);
	pim_dtype t = pim_dtype_find(name);
	if (t != PIM_DTYPE_COUNT)
		return t;
	for (int i = 0; i < PIM_DTYPE_COUNT; i++)
		names[i] = pim_dtype_name((pim_dtype)i);
	const char *nearest = pim_nearest(name, PIM_DTYPE_COUNT, names);
	c->p = start;
	pim_cursor_space(c);
	pim_cursor_error(c, "unknown element type %s%s%s%s", name, nearest ? "; did you mean " : "",
		nearest ? nearest : "", nearest ? "?" : "");
	return PIM_DTYPE_COUNT;
}

/* No space is skipped between the element type and its dims. */
static const pim_type *read_type(pim_cursor *c, int depth)
{
	int64_t dims[PIM_MAX_RANK], bytes;
	int rank = 0;
	if (pim_cursor_take(c, "("))
		return read_tuple(c, depth);
	pim_dtype t = read_dtype(c);
	if (t == PIM_DTYPE_COUNT || !pim_cursor_want(c, "["))
		return NULL;
	bytes = (int64_t)pim_dtype_bytes(t);
	while (!pim_cursor_take(c, "]")) {
		if (rank && !pim_cursor_want(c, ","))
			return NULL;
		if (rank == PIM_MAX_RANK) {
			pim_cursor_error(c, "a type has more than %d dimensions", PIM_MAX_RANK);
			return NULL;
		}
		pim_cursor_space(c);
		const char *start = c->p;
		if (!pim_cursor_int(c, &dims[rank]))
			return NULL;
		if (dims[rank] < 0 ||
			(dims[rank] && (!pim_mul(bytes, dims[rank], &bytes) || bytes > PIM_MOST_BYTES))) {
			c->p = start;
			pim_cursor_error(c, dims[rank] < 0 ? "a dimension is negative, expected 0 or more"
											   : "the type has more than 2^56 bytes");
			return NULL;
		}
		rank++;
	}
	return pim_type_tensor(c->context, t, rank, dims);
}

const pim_type *pim_cursor_type(pim_cursor *c)
{
	return read_type(c, 0);
}
