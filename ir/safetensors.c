/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors - weights beside a program: reading (mapped, checked) and writing.
 *
 * Format: 8 bytes little-endian length of a JSON header, the header {"name": {"dtype", "shape",
 * "data_offsets": [begin, end]}, ...}, the data. The whole header is checked when a file is first
 * used: every tensor lies inside the file, has the size its shape says, and shares no byte with
 * another. We write tensors with large elements first and pad the header, so that all data are
 * aligned. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

#define HEADER_LIMIT ((uint64_t)100 << 20)
#define DATA_ALIGNMENT 64

typedef struct stored {
	const char *name, *dtype;
	int rank;
	int64_t dims[PIM_MAX_RANK], begin, end;
} stored;

static const char *dtype_text(pim_dtype t)
{
	static const char *const texts[PIM_DTYPE_COUNT] = {[PIM_DTYPE_f64] = "F64",
		[PIM_DTYPE_f32] = "F32",
		[PIM_DTYPE_f16] = "F16",
		[PIM_DTYPE_bf16] = "BF16",
		[PIM_DTYPE_i64] = "I64",
		[PIM_DTYPE_i32] = "I32",
		[PIM_DTYPE_i16] = "I16",
		[PIM_DTYPE_i8] = "I8",
		[PIM_DTYPE_i4] = "I8",
		[PIM_DTYPE_u64] = "U64",
		[PIM_DTYPE_u32] = "U32",
		[PIM_DTYPE_u16] = "U16",
		[PIM_DTYPE_u8] = "U8",
		[PIM_DTYPE_bool] = "BOOL",
		[PIM_DTYPE_u4] = "U8"};
	return texts[t];
}

/* Bytes of an element; 0 for an element type we do not have. */
static int64_t dtype_bytes(const char *text)
{
	for (int t = 0; t < PIM_DTYPE_COUNT; t++)
		if (!strcmp(dtype_text((pim_dtype)t), text))
			return (int64_t)pim_dtype_bytes((pim_dtype)t);
	return 0;
}

static bool read_offsets(const json_t *row, int64_t room, stored *s)
{
	const json_t *offsets = json_object_get(row, "data_offsets");
	const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
	if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
		return false;
	s->begin = json_integer_value(begin);
	s->end = json_integer_value(end);
	return s->begin >= 0 && s->begin <= s->end && s->end <= room;
}

static bool read_shape(const json_t *row, stored *s, int64_t *elements)
{
	const json_t *shape = json_object_get(row, "shape");
	if (!json_is_array(shape) || json_array_size(shape) > PIM_MAX_RANK)
		return false;
	*elements = 1;
	s->rank = (int)json_array_size(shape);
	for (int d = 0; d < s->rank; d++) {
		const json_t *dim = json_array_get(shape, (size_t)d);
		s->dims[d] = json_integer_value(dim);
		if (!json_is_integer(dim) || s->dims[d] < 0 || !pim_mul(*elements, s->dims[d], elements))
			return false;
	}
	return true;
}

/* NULL when all is well, else what is wrong with the tensor. */
static const char *read_row(pim_context *c, const json_t *row, int64_t room, stored *s)
{
	int64_t elements, bytes;
	const char *dtype = json_string_value(json_object_get(row, "dtype"));
	if (!dtype)
		return "has no dtype";
	s->dtype = pim_intern(c, dtype, strlen(dtype));
	if (!read_shape(row, s, &elements))
		return "has no valid shape (at most 8 dimensions, none negative)";
	if (!read_offsets(row, room, s))
		return "has data_offsets that are not inside the file";
	int64_t one = dtype_bytes(dtype);
	if (one && (!pim_mul(elements, one, &bytes) || bytes != s->end - s->begin))
		return "has data_offsets that do not agree with its dtype and shape";
	return NULL;
}

static int by_begin(const void *a, const void *b)
{
	const stored *const *x = a, *const *y = b;
	if ((*x)->begin != (*y)->begin)
		return (*x)->begin < (*y)->begin ? -1 : 1;
	return ((*x)->end > (*y)->end) - ((*x)->end < (*y)->end);
}

static bool check_overlap(pim_context *c, const pim_file *f, stored **all, size_t n)
{
	if (n)
		qsort(all, n, sizeof *all, by_begin);
	for (size_t i = 1; i < n; i++)
		if (all[i]->begin < all[i - 1]->end)
			return pim_file_error(
				c, f->path, "tensors \"%s\" and \"%s\" overlap", all[i - 1]->name, all[i]->name);
	return true;
}

static bool read_rows(pim_context *c, pim_file *f, json_t *header, int64_t room, pim_map *tensors)
{
	const char *name;
	json_t *row;
	size_t n = 0;
	pim_arena *scratch = pim_arena_new();
	stored **all = PIM_NEW(scratch, stored *, json_object_size(header) + 1);
	bool ok = true;
	json_object_foreach(header, name, row)
	{
		if (!strcmp(name, "__metadata__"))
			continue;
		stored *s = PIM_NEW(c->arena, stored, 1);
		s->name = pim_intern(c, name, strlen(name));
		const char *wrong = read_row(c, row, room, s);
		if (wrong)
			ok = pim_file_error(c, f->path, "tensor \"%s\" %s", name, wrong);
		pim_map_put(tensors, name, strlen(name), s);
		all[n++] = s;
	}
	ok = ok && check_overlap(c, f, all, n);
	pim_arena_free(scratch);
	return ok;
}

static uint64_t header_length(const pim_file *f)
{
	const unsigned char *p = f->bytes;
	uint64_t n = 0;
	for (int i = 8; i-- > 0;)
		n = n << 8 | p[i];
	return n;
}

static bool read_header(pim_context *c, pim_file *f)
{
	json_error_t e;
	if (f->tensors)
		return true;
	if (f->n < 8)
		return pim_file_error(c, f->path, "has %zu bytes, too short for a safetensors file", f->n);
	uint64_t n = header_length(f);
	if (n > f->n - 8 || n > HEADER_LIMIT)
		return pim_file_error(c, f->path,
			"is no safetensors file: its header of %llu bytes does not fit in its %zu bytes",
			(unsigned long long)n, f->n);
	json_t *header = json_loadb((const char *)f->bytes + 8, (size_t)n, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(header)) {
		bool parsed = header != NULL;
		json_decref(header);
		return pim_file_error(c, f->path,
			"is no safetensors file: its header is not a JSON object (%s)",
			parsed ? "another value" : e.text);
	}
	pim_map *tensors = pim_map_new(c->arena);
	bool ok = read_rows(c, f, header, (int64_t)(f->n - 8 - n), tensors);
	json_decref(header);
	if (ok)
		f->tensors = tensors;
	return ok;
}

static bool check_type(
	pim_context *c, pim_loc at, const pim_file *f, const stored *s, const pim_type *t)
{
	pim_text shape = {0};
	bool same = !t->n_parts && s->rank == t->rank && !strcmp(s->dtype, dtype_text(t->dtype));
	for (int d = 0; d < s->rank; d++) {
		same = same && s->dims[d] == t->dims[d];
		pim_text_printf(&shape, d ? ",%lld" : "%lld", (long long)s->dims[d]);
	}
	pim_arena *scratch = pim_arena_new();
	if (!same)
		pim_error(c, at, "tensor \"%s\" of \"%s\" is %s[%s], but the type is %s", s->name, f->path,
			s->dtype, shape.n ? shape.s : "", pim_type_text(t, scratch));
	pim_arena_free(scratch);
	pim_text_free(&shape);
	return same;
}

const void *pim_safetensors_find(pim_context *c, pim_loc at, const char *path, const char *key,
	const pim_type *t, uint64_t *offset)
{
	pim_file *f = pim_file_open(c, at, path);
	if (!f || !read_header(c, f))
		return NULL;
	const stored *s = pim_map_get(f->tensors, key, strlen(key));
	if (!s) {
		pim_error(c, at, "\"%s\" has no tensor \"%s\"", path, key);
		return NULL;
	}
	if (!check_type(c, at, f, s, t))
		return NULL;
	*offset = 8 + header_length(f) + (uint64_t)s->begin;
	return pim_bytes_align(c->arena, (const char *)f->bytes + *offset, t);
}

typedef struct piece {
	int index;
	size_t element;
} piece;

static int large_first(const void *a, const void *b)
{
	const piece *x = a, *y = b;
	if (x->element != y->element)
		return x->element > y->element ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static bool add_row(json_t *header, const char *key, const pim_type *t, int64_t begin)
{
	json_t *shape = json_array();
	for (int d = 0; d < t->rank; d++)
		json_array_append_new(shape, json_integer(t->dims[d]));
	json_t *row = json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_text(t->dtype), "shape", shape,
		"data_offsets", (json_int_t)begin, (json_int_t)(begin + pim_type_bytes(t)));
	return row && !json_object_set_new(header, key, row);
}

static char *make_header(pim_context *c, const char *path, int n, const piece *order,
	const char *const *keys, const pim_type *const *types)
{
	json_t *header = json_object();
	int64_t at = 0;
	bool ok = true;
	for (int i = 0; i < n && ok; i++) {
		const pim_type *t = types[order[i].index];
		ok = add_row(header, keys[order[i].index], t, at);
		if (!ok)
			pim_file_error(c, path, "cannot hold the tensor \"%s\": its name is not UTF-8",
				keys[order[i].index]);
		at += pim_type_bytes(t);
	}
	char *text = ok ? json_dumps(header, JSON_COMPACT) : NULL;
	json_decref(header);
	return text;
}

static void write_file(FILE *out, const char *header, int n, const piece *order,
	const pim_type *const *types, const void *const *data)
{
	size_t length = strlen(header),
		   padded = (length + 8 + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT - 8;
	for (int i = 0; i < 8; i++)
		fputc((int)((uint64_t)padded >> 8 * i & 255), out);
	fprintf(out, "%s%*s", header, (int)(padded - length), "");
	for (int i = 0; i < n; i++)
		fwrite(data[order[i].index], 1, (size_t)pim_type_bytes(types[order[i].index]), out);
}

bool pim_safetensors_write(pim_context *c, const char *path, int n, const char *const *keys,
	const pim_type *const *types, const void *const *data)
{
	pim_arena *scratch = pim_arena_new();
	piece *order = PIM_NEW(scratch, piece, n + 1);
	for (int i = 0; i < n; i++)
		order[i] = (piece){.index = i, .element = pim_dtype_bytes(types[i]->dtype)};
	qsort(order, (size_t)n, sizeof *order, large_first);
	char *header = make_header(c, path, n, order, keys, types);
	pim_output *out = header ? pim_output_open(c, path) : NULL;
	if (out)
		write_file(pim_output_file(out), header, n, order, types, data);
	free(header);
	pim_arena_free(scratch);
	return out && pim_output_commit(out);
}
