/* SPDX-License-Identifier: Apache-2.0 */
/* elements - what a constant holds, in the text form: one of
 * value = 0.5 (for all), value = [1, 2], key = "w" (in the module's weights file), file =
 * "net.onnx", offset = 12, hex = "0a1b", absent = 1. */
#include <string.h>

#include "ir/text_form.h"

static const char digits[] = "0123456789abcdef";

static void print_hex(pim_text *out, const void *data, size_t n)
{
	char room[256];
	const unsigned char *p = data;
	pim_text_str(out, "hex = \"");
	while (n) {
		size_t part = n < sizeof room / 2 ? n : sizeof room / 2;
		for (size_t i = 0; i < part; i++) {
			room[2 * i] = digits[p[i] >> 4];
			room[2 * i + 1] = digits[p[i] & 15];
		}
		pim_text_add(out, room, 2 * part);
		p += part;
		n -= part;
	}
	pim_text_add(out, "\"", 1);
}

static bool have_text(const pim_type *t, const void *data, int64_t n)
{
	size_t step = pim_dtype_bytes(t->dtype);
	for (int64_t i = 0; i < n; i++)
		if (!pim_element_has_text(t->dtype, (const char *)data + (size_t)i * step))
			return false;
	return true;
}

static void print_values(pim_text *out, const pim_type *t, const pim_data *d)
{
	size_t step = pim_dtype_bytes(t->dtype);
	if (d->kind == PIM_DATA_splat) {
		pim_text_str(out, "value = ");
		pim_element_print(out, t->dtype, d->bytes);
		return;
	}
	pim_text_str(out, "value = [");
	for (int64_t i = 0; i < t->elements; i++) {
		if (i)
			pim_text_add(out, ", ", 2);
		pim_element_print(out, t->dtype, (const char *)d->bytes + (size_t)i * step);
	}
	pim_text_add(out, "]", 1);
}

static void print_string(pim_text *out, const char *name, const char *value)
{
	pim_text_str(out, name);
	pim_text_str(out, " = ");
	pim_text_quoted(out, value);
}

static void print_file(pim_text *out, const char *folder, const char *file)
{
	pim_text path = {0};
	pim_text_printf(&path, "%s%s", folder ? folder : "", file);
	print_string(out, "file", path.s);
	pim_text_free(&path);
}

bool pim_elements_are_large(const pim_node *n, const pim_print_options *o)
{
	const pim_data *d = pim_constant_data(n);
	if (!d || d->kind != PIM_DATA_dense)
		return false;
	return d->file ? o->gather : d->key || n->type->elements > o->inline_elements;
}

void pim_elements_print(pim_text *out, const pim_node *n, const pim_data *d,
	const pim_print_options *o, const pim_weights *w)
{
	const pim_type *t = n->type;
	const char *key = w ? pim_weights_key(w, n) : n->graph->module->weights ? d->key : NULL;
	int64_t count = d->kind == PIM_DATA_splat ? 1 : t->elements;
	if (d->kind == PIM_DATA_absent) {
		pim_text_str(out, "absent = 1");
	} else if (key) {
		print_string(out, "key", key);
	} else if (d->file) {
		print_file(out, o->folder, d->file);
		pim_text_printf(out, ", offset = %llu", (unsigned long long)d->offset);
	} else if (count <= (o->inline_elements > 1 ? o->inline_elements : 1) &&
			   have_text(t, d->bytes, count)) {
		print_values(out, t, d);
	} else if (o->elide) {
		pim_text_str(out, "...");
	} else {
		print_hex(out, d->bytes, (size_t)count * pim_dtype_bytes(t->dtype));
	}
}

static void *alloc_elements(pim_node *n, int64_t count)
{
	return pim_arena_alloc(
		n->graph->module->arena, (size_t)(count ? count : 1) * pim_dtype_bytes(n->type->dtype));
}

static bool parse_list(pim_cursor *c, pim_node *n, pim_data *d)
{
	const pim_type *t = n->type;
	size_t step = pim_dtype_bytes(t->dtype);
	if (t->elements > c->end - c->p)
		return pim_cursor_error(
			c, "the list is too short: the type has %lld elements", (long long)t->elements);
	char *data = alloc_elements(n, t->elements);
	int64_t i = 0;
	while (!pim_cursor_take(c, "]")) {
		if (i && !pim_cursor_want(c, ","))
			return false;
		if (i == t->elements)
			return pim_cursor_error(c, "the list has more elements than the type, which has %lld",
				(long long)t->elements);
		if (!pim_element_parse(c, t->dtype, data + (size_t)i++ * step))
			return false;
	}
	if (i != t->elements)
		return pim_cursor_error(
			c, "the list has %lld elements, the type %lld", (long long)i, (long long)t->elements);
	d->bytes = data;
	return true;
}

static bool parse_value(pim_cursor *c, pim_node *n, pim_data *d)
{
	if (pim_cursor_take(c, "["))
		return parse_list(c, n, d);
	void *element = alloc_elements(n, 1);
	d->kind = PIM_DATA_splat;
	d->bytes = element;
	return pim_element_parse(c, n->type->dtype, element);
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9'	  ? c - '0'
		   : c >= 'a' && c <= 'f' ? c - 'a' + 10
		   : c >= 'A' && c <= 'F' ? c - 'A' + 10
								  : -1;
}

/* As many bytes as the type has, or as one element has: one value for all. */
static bool parse_hex(pim_cursor *c, pim_node *n, pim_data *d)
{
	pim_cursor_space(c);
	if (c->p >= c->end || *c->p != '"')
		return pim_cursor_expected(c, "a string of hexadecimal digits");
	const char *start = c->p + 1;
	const char *stop = memchr(start, '"', (size_t)(c->end - start));
	size_t bytes = (size_t)pim_type_bytes(n->type), one = pim_dtype_bytes(n->type->dtype);
	size_t have = stop ? (size_t)(stop - start) / 2 : 0;
	if (!stop)
		return pim_cursor_error(c, "the string has no closing quote");
	if ((size_t)(stop - start) % 2 || (have != bytes && have != one))
		return pim_cursor_error(c,
			"%zu hexadecimal digits, expected %zu (two for each byte of the type)",
			(size_t)(stop - start), 2 * bytes);
	d->kind = have == bytes ? PIM_DATA_dense : PIM_DATA_splat;
	unsigned char *data = alloc_elements(n, d->kind == PIM_DATA_dense ? n->type->elements : 1);
	for (size_t i = 0; i < have; i++) {
		int high = hex_value(start[2 * i]), low = hex_value(start[2 * i + 1]);
		if (high < 0 || low < 0) {
			c->p = start + 2 * i + (high >= 0);
			return pim_cursor_expected(c, "a hexadecimal digit");
		}
		data[i] = (unsigned char)(high * 16 + low);
	}
	d->bytes = data;
	c->p = stop + 1;
	return true;
}

static bool parse_key(pim_cursor *c, pim_node *n, pim_data *d)
{
	pim_module *m = n->graph->module;
	pim_cursor_space(c);
	pim_loc at = pim_cursor_loc(c);
	const char *key = pim_cursor_string(c);
	if (!key)
		return false;
	c->failed = true;
	if (!m->weights)
		return pim_error(c->context, at, "the module names no weights file for key \"%s\"", key);
	const char *path = pim_path_beside(c->context, at, m->path, m->weights);
	d->key = key;
	d->bytes = path ? pim_safetensors_find(c->context, at, path, key, n->type, &d->offset) : NULL;
	c->failed = !d->bytes;
	return !c->failed;
}

static bool parse_file(pim_cursor *c, pim_node *n, pim_data *d)
{
	int64_t offset = 0, end;
	size_t bytes;
	pim_cursor_space(c);
	pim_loc at = pim_cursor_loc(c);
	d->file = pim_cursor_string(c);
	if (!d->file || !pim_cursor_want(c, ",") || !pim_cursor_want(c, "offset") ||
		!pim_cursor_want(c, "=") || !pim_cursor_int(c, &offset))
		return false;
	const char *path = pim_path_beside(c->context, at, n->graph->module->path, d->file);
	const char *map = path ? pim_file_map(c->context, at, path, &bytes) : NULL;
	c->failed |= !map;
	if (!map)
		return false;
	if (offset < 0 || !pim_add(offset, pim_type_bytes(n->type), &end) || (uint64_t)end > bytes) {
		c->failed = true;
		return pim_error(c->context, at,
			"file \"%s\" has %zu bytes, the constant needs %lld at offset %lld", path, bytes,
			(long long)pim_type_bytes(n->type), (long long)offset);
	}
	d->offset = (uint64_t)offset;
	d->bytes = pim_bytes_align(n->graph->module->arena, map + offset, n->type);
	return true;
}

static bool parse_absent(pim_cursor *c, pim_node *n, pim_data *d)
{
	int64_t v;
	(void)n;
	d->kind = PIM_DATA_absent;
	if (!pim_cursor_int(c, &v))
		return false;
	return v == 1 || pim_cursor_error(c, "absent is %lld, expected 1", (long long)v);
}

static const struct {
	const char *name;
	bool (*parse)(pim_cursor *c, pim_node *n, pim_data *d);
} forms[] = {{"value", parse_value}, {"key", parse_key}, {"file", parse_file}, {"hex", parse_hex},
	{"absent", parse_absent}};
#define FORMS (sizeof forms / sizeof forms[0])

static bool parse_form(pim_cursor *c, pim_node *n, pim_data *d)
{
	const char *word = "", *names[FORMS];
	size_t bytes = 0;
	pim_cursor_space(c);
	const char *start = c->p;
	pim_cursor_name(c, &word, &bytes);
	for (size_t i = 0; i < FORMS; i++) {
		names[i] = forms[i].name;
		if (strlen(names[i]) == bytes && !memcmp(names[i], word, bytes))
			return pim_cursor_want(c, "=") && forms[i].parse(c, n, d);
	}
	char wanted[32];
	snprintf(wanted, sizeof wanted, "%.*s", (int)(bytes < 31 ? bytes : 31), word);
	const char *nearest = bytes ? pim_nearest(wanted, FORMS, names) : NULL;
	c->p = start;
	if (!bytes)
		return pim_cursor_expected(c, "value, key, file, hex or absent");
	return pim_cursor_error(c,
		"constant has no attribute %s, expected value, key, file, hex or absent%s%s%s", wanted,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

bool pim_elements_parse(pim_cursor *c, pim_node *n)
{
	if (n->type->n_parts)
		return pim_cursor_error(c, "a constant has a tuple type, expected a tensor");
	struct {
		pim_attr attr;
		pim_data data;
	} *room = pim_arena_alloc(n->graph->module->arena, sizeof *room);
	if (!parse_form(c, n, &room->data))
		return false;
	room->attr.name = "value";
	room->attr.kind = PIM_ATTR_data;
	room->attr.data = &room->data;
	n->attrs = &room->attr;
	n->n_attrs = 1;
	return pim_cursor_want(c, "}");
}
