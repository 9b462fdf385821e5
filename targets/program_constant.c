/* SPDX-License-Identifier: Apache-2.0 */
/* program_constant.c - constants of command programs: where their elements are.
 *
 * {value = 0.5} one value for all     {value = [1, 2]} row-major     {hex = "0a.."} little-endian
 * {file = "net.onnx", offset = 64} in a file     {file = "w.safetensors", key = "w"} in a
 * safetensors file {absent = 1} not known (timing only) Values are written as numbers only when
 * they read back to the same bytes. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "targets/program_form.h"

enum { INLINE_ELEMENTS = 16 };

/* ---- paths ---- */

static size_t folder_length(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? (size_t)(slash - path) + 1 : 0;
}

const char *pim_program_path(pim_context *c, const char *base, const char *name)
{
	size_t n = *name == '/' ? 0 : folder_length(base);
	pim_text path = {0};
	pim_text_add(&path, base, n);
	pim_text_str(&path, name);
	const char *kept = pim_intern(c, path.s, path.n);
	pim_text_free(&path);
	return kept;
}

/* The absolute path without links, NULL when there is no such thing. */
static const char *find_real(pim_arena *a, const char *path)
{
	char *real = realpath(path, NULL);
	const char *kept = real ? pim_arena_copy(a, real, strlen(real)) : NULL;
	free(real);
	return kept;
}

const char *pim_constant_relative(const constant_writer *w, const char *path)
{
	const char *real = find_real(w->arena, path), *folder = w->folder;
	if (!real || !folder)
		return real;
	size_t same = 0;
	for (size_t i = 0; real[i] && (real[i] == folder[i] || (!folder[i] && real[i] == '/')); i++) {
		if (real[i] == '/')
			same = i + 1;
		if (!folder[i])
			break;
	}
	const char *up = "", *rest = strlen(folder) + 1 > same ? folder + same : "";
	for (; *rest; rest += strcspn(rest, "/"), rest += *rest == '/')
		up = pim_arena_printf(w->arena, "%s../", up);
	return pim_arena_printf(w->arena, "%s%s", up, real + same);
}

/* ---- writing ---- */

constant_writer pim_constant_writer(const pim_program *p, const char *weights, pim_arena *a)
{
	constant_writer w = {.program = p, .arena = a, .weights = weights, .taken = pim_map_new(a)};
	size_t n = folder_length(weights);
	w.folder = find_real(a, n ? pim_arena_copy(a, weights, n) : ".");
	if (w.folder && !w.folder[1])
		w.folder = ""; /* the root: its paths start with one slash only */
	return w;
}

/* The file that holds the elements already, NULL for none. */
static const char *find_origin(const constant_writer *w, const pim_data *d)
{
	const pim_program *p = w->program;
	const char *file = d->file ? d->file : d->key ? p->weights : NULL;
	return file ? pim_constant_relative(w, pim_program_path(p->context, p->base, file)) : NULL;
}

static const char *find_element(const pim_data *d, const pim_type *t, int64_t i)
{
	return (const char *)d->bytes +
		   (d->kind == PIM_DATA_splat ? 0 : i * (int64_t)pim_dtype_bytes(t->dtype));
}

/* Does a number stand for these bytes exactly? */
static bool is_exact(const pim_type *t, const char *element)
{
	char back[8];
	pim_element_set(t->dtype, back, 0, pim_element_get(t->dtype, element, 0));
	return !memcmp(back, element, pim_dtype_bytes(t->dtype));
}

static void write_number(const pim_type *t, const char *element, pim_text *out)
{
	double v = pim_element_get(t->dtype, element, 0);
	if (pim_dtype_is_float(t->dtype))
		pim_text_float(out, v);
	else
		pim_text_int(out, (int64_t)v);
}

static void write_values(const pim_data *d, const pim_type *t, pim_text *out)
{
	if (d->kind == PIM_DATA_splat) {
		pim_text_str(out, " {value = ");
		write_number(t, d->bytes, out);
		pim_text_str(out, "}");
		return;
	}
	pim_text_str(out, " {value = [");
	for (int64_t i = 0; i < t->elements; i++) {
		if (i)
			pim_text_str(out, ", ");
		write_number(t, find_element(d, t, i), out);
	}
	pim_text_str(out, "]}");
}

static void write_hex(const char *bytes, int64_t n, pim_text *out)
{
	static const char digits[] = "0123456789abcdef";
	pim_text_str(out, " {hex = \"");
	for (int64_t i = 0; i < n; i++) {
		unsigned char b = (unsigned char)bytes[i];
		pim_text_add(out, (char[]){digits[b >> 4], digits[b & 15]}, 2);
	}
	pim_text_str(out, "\"}");
}

/* A key that no other tensor has. */
static const char *choose_key(constant_writer *w, const char *name)
{
	const char *key = name;
	for (int i = 2; pim_map_get(w->taken, key, strlen(key)); i++)
		key = pim_arena_printf(w->arena, "%s_%d", name, i);
	pim_map_put(w->taken, key, strlen(key), w);
	return key;
}

static void write_weight(constant_writer *w, const pim_program_tensor *t, pim_text *out)
{
	if (!w->key) {
		size_t n = (size_t)w->program->n_constants;
		w->key = PIM_NEW(w->arena, const char *, n);
		w->type = PIM_NEW(w->arena, const pim_type *, n);
		w->data = PIM_NEW(w->arena, const void *, n);
	}
	const char *key = choose_key(w, t->name);
	w->key[w->n] = key;
	w->type[w->n] = t->type;
	w->data[w->n++] = t->data.bytes;
	pim_text_str(out, " {file = ");
	pim_text_quoted(out, w->weights + folder_length(w->weights));
	pim_text_str(out, ", key = ");
	pim_text_quoted(out, key);
	pim_text_str(out, "}");
}

static void write_origin(const char *path, const pim_data *d, pim_text *out)
{
	pim_text_str(out, " {file = ");
	pim_text_quoted(out, path);
	if (d->key) {
		pim_text_str(out, ", key = ");
		pim_text_quoted(out, d->key);
		pim_text_str(out, "}");
	} else {
		pim_text_printf(out, ", offset = %llu}", (unsigned long long)d->offset);
	}
}

void pim_constant_write(constant_writer *w, const pim_program_tensor *t, pim_text *out)
{
	const pim_data *d = &t->data;
	if (d->kind == PIM_DATA_absent) {
		pim_text_str(out, " {absent = 1}");
		return;
	}
	int64_t stored = d->kind == PIM_DATA_splat ? 1 : t->type->elements;
	bool exact = stored <= INLINE_ELEMENTS;
	for (int64_t i = 0; exact && i < stored; i++)
		exact = is_exact(t->type, find_element(d, t->type, i));
	const char *origin = exact ? NULL : find_origin(w, d);
	if (exact)
		write_values(d, t->type, out);
	else if (origin)
		write_origin(origin, d, out);
	else if (w->weights && stored > INLINE_ELEMENTS)
		write_weight(w, t, out);
	else
		write_hex(d->bytes, stored * (int64_t)pim_dtype_bytes(t->type->dtype), out);
}

bool pim_constant_finish(constant_writer *w)
{
	return w->n == 0 ||
		   pim_safetensors_write(w->program->context, w->weights, w->n, w->key, w->type, w->data);
}

/* ---- reading ---- */

static bool read_values(pim_cursor *c, const pim_program *p, pim_program_tensor *t)
{
	const pim_type *type = t->type;
	size_t size = pim_dtype_bytes(type->dtype);
	bool list = pim_cursor_take(c, "[");
	int64_t n = list ? type->elements : 1;
	if (list && n > c->end - c->p)
		return pim_cursor_error(c, "the list has fewer than %lld values", (long long)n);
	char *bytes = pim_arena_alloc(p->arena, size * (size_t)(n ? n : 1));
	t->data = (pim_data){.kind = list ? PIM_DATA_dense : PIM_DATA_splat, .bytes = bytes};
	for (int64_t i = 0; i < n; i++) {
		double v;
		if ((i && !pim_cursor_want(c, ",")) || !pim_cursor_float(c, &v))
			return false;
		pim_element_set(type->dtype, bytes, i, v);
	}
	return !list || pim_cursor_want(c, "]");
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* As many bytes as the tensor has, or as one element has: then it is one value for all. */
static bool read_hex(pim_cursor *c, const pim_program *p, pim_program_tensor *t)
{
	pim_cursor_space(c);
	if (c->p == c->end || *c->p != '"')
		return pim_cursor_error(c, "expected hexadecimal digits in quotes");
	const char *s = c->p + 1, *q = s;
	while (q < c->end && hex_digit(*q) >= 0)
		q++;
	int64_t bytes = pim_type_bytes(t->type), element = (int64_t)pim_dtype_bytes(t->type->dtype);
	int64_t n = (q - s) / 2;
	if (q == c->end || *q != '"' || (q - s) % 2 || (n != bytes && n != element))
		return pim_cursor_error(c, "expected %lld hexadecimal digits, there are %lld",
			(long long)bytes * 2, (long long)(q - s));
	unsigned char *data = pim_arena_alloc(p->arena, (size_t)(n ? n : 1));
	for (int64_t i = 0; i < n; i++)
		data[i] = (unsigned char)(hex_digit(s[2 * i]) << 4 | hex_digit(s[2 * i + 1]));
	t->data = (pim_data){.kind = n == bytes ? PIM_DATA_dense : PIM_DATA_splat, .bytes = data};
	c->p = q + 1;
	return true;
}

/* Elements in a mapped file; copied when they do not lie on their own size. */
static bool map_elements(pim_cursor *c, const pim_program *p, pim_program_tensor *t, pim_loc at)
{
	pim_data *d = &t->data;
	const char *path = pim_program_path(c->context, p->base, d->file);
	size_t bytes;
	int64_t wanted = pim_type_bytes(t->type);
	if (d->key) {
		d->bytes = pim_safetensors_find(c->context, at, path, d->key, t->type, &d->offset);
		c->failed |= !d->bytes;
	} else {
		const char *file = pim_file_map(c->context, at, path, &bytes);
		c->failed |= !file;
		if (file && (d->offset > bytes || (uint64_t)wanted > bytes - d->offset)) {
			c->failed = true;
			pim_error(c->context, at,
				"%s has %zu bytes, but the constant needs %lld from byte %llu on", path, bytes,
				(long long)wanted, (unsigned long long)d->offset);
		}
		d->bytes = file ? file + d->offset : NULL;
	}
	if (!c->failed && (uintptr_t)d->bytes % pim_dtype_bytes(t->type->dtype))
		d->bytes = memcpy(pim_arena_raw(p->arena, (size_t)wanted), d->bytes, (size_t)wanted);
	return !c->failed;
}

static bool read_file(pim_cursor *c, const pim_program *p, pim_program_tensor *t, pim_loc at)
{
	int64_t offset = 0;
	t->data = (pim_data){.kind = PIM_DATA_dense, .file = pim_cursor_string(c)};
	if (!t->data.file || !pim_cursor_want(c, ","))
		return false;
	if (pim_cursor_take(c, "key")) {
		if (!pim_cursor_want(c, "=") || !(t->data.key = pim_cursor_string(c)))
			return false;
	} else if (!pim_cursor_want(c, "offset") || !pim_cursor_want(c, "=") ||
			   !pim_cursor_int(c, &offset)) {
		return false;
	} else if (offset < 0) {
		return pim_cursor_error(c, "offset %lld is negative", (long long)offset);
	}
	t->data.offset = (uint64_t)offset;
	return map_elements(c, p, t, at);
}

bool pim_constant_read(pim_cursor *c, const pim_program *p, pim_program_tensor *t)
{
	if (!pim_cursor_want(c, "{"))
		return false;
	pim_cursor_space(c);
	pim_loc at = pim_cursor_loc(c);
	const char *word;
	size_t n;
	if (!pim_cursor_name(c, &word, &n))
		return pim_cursor_error(c, "expected value, hex, file or absent");
	if (!pim_cursor_want(c, "="))
		return false;
	bool good;
	int64_t one;
	if (n == 5 && !memcmp(word, "value", n))
		good = read_values(c, p, t);
	else if (n == 3 && !memcmp(word, "hex", n))
		good = read_hex(c, p, t);
	else if (n == 4 && !memcmp(word, "file", n))
		good = read_file(c, p, t, at);
	else if (n == 6 && !memcmp(word, "absent", n))
		good = pim_cursor_int(c, &one) && (t->data.kind = PIM_DATA_absent, true);
	else
		return pim_cursor_error(c, "unknown form of elements; expected value, hex, file or absent");
	return good && pim_cursor_want(c, "}");
}
