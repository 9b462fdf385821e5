/* SPDX-License-Identifier: Apache-2.0 */
/* npy - numpy's files: one tensor (.npy), or several by name in a zip archive (.npz).
 *
 * A .npy file is "\x93NUMPY", a version, the length of a header, and the header: a Python
 * dictionary with descr ('<f4'), fortran_order and shape (format: numpy.lib.format, version 1.0
 * to 3.0). Either byte order and either order of elements is read; little-endian C order,
 * version 1.0, is written. */
#include <ctype.h>
#include <string.h>

#include "frontends/npy.h"

/* Headers of simple arrays are far shorter. */
enum { HEADER_LIMIT = 65535, PREFIX = 10 };

static const struct {
	const char *code;
	pim_dtype dtype;
} codes[] = {
	{"f8", PIM_DTYPE_f64}, {"f4", PIM_DTYPE_f32}, {"f2", PIM_DTYPE_f16}, {"i8", PIM_DTYPE_i64},
	{"i4", PIM_DTYPE_i32}, {"i2", PIM_DTYPE_i16}, {"i1", PIM_DTYPE_i8}, {"u8", PIM_DTYPE_u64},
	{"u4", PIM_DTYPE_u32}, {"u2", PIM_DTYPE_u16}, {"u1", PIM_DTYPE_u8}, {"b1", PIM_DTYPE_bool},
	{"V2", PIM_DTYPE_bf16}, /* what numpy writes of Python's ml_dtypes.bfloat16 */
	{"i1", PIM_DTYPE_i4}, {"u1", PIM_DTYPE_u4}, /* written only: read as i8 and u8 */
};

typedef struct header {
	const char *s, *end; /* the dictionary */
	pim_dtype dtype;
	bool big_endian, fortran;
	int rank;
	int64_t dims[PIM_MAX_RANK];
} header;

/* What follows `'key':` in the dictionary, NULL when it is not there. */
static const char *find_value(const header *h, const char *key)
{
	size_t n = strlen(key);
	for (const char *p = h->s; p + n + 3 < h->end; p++)
		if ((*p == '\'' || *p == '"') && !memcmp(p + 1, key, n) && p[n + 1] == *p) {
			p += n + 2;
			while (p < h->end && (*p == ':' || *p == ' '))
				p++;
			return p < h->end ? p : NULL;
		}
	return NULL;
}

static bool read_descr(header *h)
{
	const char *p = find_value(h, "descr");
	h->dtype = PIM_DTYPE_COUNT;
	if (!p || h->end - p < 6 || (*p != '\'' && *p != '"') || !strchr("<>|=", p[1]) || p[4] != *p)
		return false;
	h->big_endian = p[1] == '>';
	for (size_t i = 0; i < sizeof codes / sizeof *codes && h->dtype == PIM_DTYPE_COUNT; i++)
		if (!memcmp(codes[i].code, p + 2, 2))
			h->dtype = codes[i].dtype;
	return h->dtype != PIM_DTYPE_COUNT;
}

/* (2, 3), (4,) or (). */
static bool read_shape(header *h)
{
	const char *p = find_value(h, "shape");
	int64_t elements = 1;
	if (!p || *p++ != '(')
		return false;
	for (;;) {
		int64_t v = 0;
		while (p < h->end && (*p == ' ' || *p == ','))
			p++;
		if (p < h->end && *p == ')')
			return true;
		if (p == h->end || !isdigit((unsigned char)*p) || h->rank == PIM_MAX_RANK)
			return false;
		for (; p < h->end && isdigit((unsigned char)*p); p++)
			if (!pim_mul(v, 10, &v) || !pim_add(v, *p - '0', &v))
				return false;
		if (p < h->end && *p == 'L')
			p++;
		if (!pim_mul(elements, v, &elements) || elements > PIM_MOST_BYTES / 16)
			return false;
		h->dims[h->rank++] = v;
	}
}

static bool read_order(header *h)
{
	const char *p = find_value(h, "fortran_order");
	if (!p || h->end - p < 4)
		return false;
	h->fortran = *p == 'T';
	return h->fortran || *p == 'F';
}

/* Finds the header and where the elements begin; false after a diagnostic. */
static bool read_header(
	pim_context *c, const char *name, const uint8_t *bytes, size_t n, header *h, size_t *start)
{
	size_t length, prefix = PREFIX;
	if (n < PREFIX + 2 || memcmp(bytes, "\x93NUMPY", 6))
		return pim_file_error(c, name, "not a .npy file: it does not begin with \\x93NUMPY");
	length = bytes[8] | (size_t)bytes[9] << 8;
	if (bytes[6] > 1) {
		length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
		prefix = PREFIX + 2;
	}
	if (bytes[6] < 1 || bytes[6] > 3 || length > HEADER_LIMIT || length > n - prefix)
		return pim_file_error(c, name,
			"version %d with a header of %zu bytes is not a .npy file of %zu bytes", bytes[6],
			length, n);
	h->s = (const char *)bytes + prefix;
	h->end = h->s + length;
	*start = prefix + length;
	if (!read_descr(h))
		return pim_file_error(c, name, "the header has no element type that programs have: %.*s",
			(int)(length < 80 ? length : 80), h->s);
	if (!read_order(h) || !read_shape(h))
		return pim_file_error(c, name,
			"the header has no fortran_order or no shape of at most %d dims", PIM_MAX_RANK);
	return true;
}

static void swap_bytes(uint8_t *data, int64_t n, size_t size)
{
	for (int64_t i = 0; i < n; i++, data += size)
		for (size_t lo = 0, hi = size - 1; lo < hi; lo++, hi--) {
			uint8_t b = data[lo];
			data[lo] = data[hi];
			data[hi] = b;
		}
}

/* Elements stored with the first index running fastest, to row-major. */
static void from_fortran(const pim_type *t, const uint8_t *in, uint8_t *out)
{
	int64_t index[PIM_MAX_RANK] = {0};
	size_t size = pim_dtype_bytes(t->dtype);
	for (int64_t i = 0; i < t->elements; i++) {
		int64_t at = 0;
		for (int d = t->rank - 1; d >= 0; d--)
			at = at * t->dims[d] + index[d];
		memcpy(out + (size_t)i * size, in + (size_t)at * size, size);
		for (int d = t->rank - 1; d >= 0 && ++index[d] == t->dims[d]; d--)
			index[d] = 0;
	}
}

static void clean_bools(uint8_t *data, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		data[i] = data[i] != 0;
}

bool npy_decode(
	pim_context *c, const char *name, const void *bytes, size_t n, pim_arena *a, pim_tensor *out)
{
	header h = {0};
	size_t start = 0, needed;
	uint8_t *data;
	if (!read_header(c, name, bytes, n, &h, &start))
		return false;
	out->type = pim_type_tensor(c, h.dtype, h.rank, h.dims);
	needed = (size_t)pim_type_bytes(out->type);
	if (n - start != needed)
		return pim_file_error(c, name, "a tensor of type %s needs %zu bytes, the file has %zu",
			pim_type_text(out->type, a), needed, n - start);
	out->data = data = pim_arena_raw(a, needed + 1);
	if (h.fortran && h.rank > 1)
		from_fortran(out->type, (const uint8_t *)bytes + start, data);
	else
		memcpy(data, (const uint8_t *)bytes + start, needed);
	if (h.big_endian)
		swap_bytes(data, out->type->elements, pim_dtype_bytes(h.dtype));
	if (h.dtype == PIM_DTYPE_bool)
		clean_bools(data, out->type->elements);
	return true;
}

bool pim_tensor_read_npy(pim_context *c, const char *path, pim_arena *a, pim_named_tensor *out)
{
	size_t n;
	const void *bytes = pim_file_map(c, (pim_loc){0, 0}, path, &n);
	out->name = "";
	return bytes && npy_decode(c, path, bytes, n, a, &out->tensor);
}

static const char *code_of(pim_dtype t)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i].dtype == t)
			return codes[i].code;
	return NULL;
}

/* The dictionary, padded so that the elements begin at a multiple of 64. */
static void write_header(const pim_type *t, const char *code, pim_text *out)
{
	bool one_byte = pim_dtype_bytes(t->dtype) == 1;
	pim_text_printf(
		out, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", one_byte ? '|' : '<', code);
	for (int d = 0; d < t->rank; d++)
		pim_text_printf(out, "%lld%s", (long long)t->dims[d], d + 1 < t->rank ? ", " : "");
	pim_text_str(out, t->rank == 1 ? ",), }" : "), }");
	while ((PREFIX + out->n + 1) % 64)
		pim_text_str(out, " ");
	pim_text_str(out, "\n");
}

bool npy_header(pim_context *c, const char *path, const pim_type *t, pim_text *out)
{
	const char *code = code_of(t->dtype);
	pim_text text = {0};
	if (!code)
		return pim_file_error(c, path, "numpy has no element type %s", pim_dtype_name(t->dtype));
	write_header(t, code, &text);
	unsigned char prefix[PREFIX] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0,
		(unsigned char)(text.n & 255), (unsigned char)(text.n >> 8)};
	pim_text_add(out, (const char *)prefix, PREFIX);
	pim_text_add(out, text.s, text.n);
	pim_text_free(&text);
	return true;
}

bool pim_tensor_write_npy(pim_context *c, const char *path, const pim_tensor *t)
{
	pim_text text = {0};
	pim_output *o;
	size_t bytes = (size_t)pim_type_bytes(t->type);
	bool ok;
	if (!npy_header(c, path, t->type, &text))
		return false;
	o = pim_output_open(c, path);
	if (!o) {
		pim_text_free(&text);
		return false;
	}
	ok = fwrite(text.s, 1, text.n, pim_output_file(o)) == text.n &&
		 fwrite(t->data, 1, bytes, pim_output_file(o)) == bytes;
	pim_text_free(&text);
	if (ok)
		return pim_output_commit(o);
	pim_output_abandon(o);
	return pim_file_error(c, path, "cannot write %zu bytes", bytes);
}
