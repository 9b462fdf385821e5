/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_tensor - a TensorProto as a type and elements.
 *
 * ONNX has four ways to store elements: raw bytes, typed arrays (with small types widened to 32
 * bits), a second file, or not at all. Raw ones of some size and second files stay mapped; what is
 * small, widened or packed is decoded. Sizes are checked against the shape before anything is read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontends/onnx.h"

/* Elements up to this many bytes are copied, so that they are aligned. */
#define COPIED_BYTES 256
/* So few belong into the text form itself, wherever they came from. */
#define INLINE_ELEMENTS 16

enum { ONNX_UINT4 = 21, ONNX_INT4 = 22 };

static const struct {
	int32_t onnx;
	pim_dtype dtype;
} dtypes[] = {
	{ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, PIM_DTYPE_f32},
	{ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, PIM_DTYPE_u8},
	{ONNX__TENSOR_PROTO__DATA_TYPE__INT8, PIM_DTYPE_i8},
	{ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, PIM_DTYPE_u16},
	{ONNX__TENSOR_PROTO__DATA_TYPE__INT16, PIM_DTYPE_i16},
	{ONNX__TENSOR_PROTO__DATA_TYPE__INT32, PIM_DTYPE_i32},
	{ONNX__TENSOR_PROTO__DATA_TYPE__INT64, PIM_DTYPE_i64},
	{ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, PIM_DTYPE_bool},
	{ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, PIM_DTYPE_f16},
	{ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, PIM_DTYPE_f64},
	{ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, PIM_DTYPE_u32},
	{ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, PIM_DTYPE_u64},
	{ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, PIM_DTYPE_bf16},
	{ONNX_UINT4, PIM_DTYPE_u4},
	{ONNX_INT4, PIM_DTYPE_i4},
};

/* Everything the ways of storing need to know. */
typedef struct decoder {
	const onnx_file *file;
	const Onnx__TensorProto *t;
	pim_loc at;
	pim_arena *arena;
	const pim_type *type;
	int64_t bytes; /* as stored raw */
	pim_data *data;
} decoder;

static void *allocate(void *arena, size_t bytes)
{
	return pim_arena_raw(arena, bytes);
}

static void forget(void *arena, void *pointer)
{
	(void)arena;
	(void)pointer;
}

ProtobufCAllocator onnx_arena_allocator(pim_arena *a)
{
	return (ProtobufCAllocator){allocate, forget, a};
}

pim_dtype onnx_dtype(int32_t data_type)
{
	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
		if (dtypes[i].onnx == data_type)
			return dtypes[i].dtype;
	return PIM_DTYPE_COUNT;
}

const char *onnx_dtype_text(int32_t data_type)
{
	static const char *const names[] = {"undefined", "float", "uint8", "int8", "uint16", "int16",
		"int32", "int64", "string", "bool", "float16", "double", "uint32", "uint64", "complex64",
		"complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
		"uint4", "int4", "float4e2m1"};
	bool known = data_type >= 0 && data_type < (int32_t)(sizeof names / sizeof *names);
	return known ? names[data_type] : "unknown";
}

static const char *tensor_name(const Onnx__TensorProto *t)
{
	return t->name ? t->name : "";
}

static bool fail_size(const decoder *d, int64_t found, const char *unit)
{
	int64_t needed = strcmp(unit, "bytes") ? d->type->elements : d->bytes;
	pim_error(d->file->context, d->at,
		"tensor '%s' of type %s needs %lld %s, but the model has %lld", tensor_name(d->t),
		pim_type_text(d->type, d->arena), (long long)needed, unit, (long long)found);
	return false;
}

static const pim_type *read_type(const onnx_file *f, const Onnx__TensorProto *t, pim_loc at)
{
	pim_dtype dtype = onnx_dtype(t->has_data_type ? t->data_type : 0);
	int64_t elements = 1;
	if (dtype == PIM_DTYPE_COUNT) {
		pim_error(f->context, at,
			"tensor '%s' has element type %s (%d), which programs do not have", tensor_name(t),
			onnx_dtype_text(t->data_type), (int)t->data_type);
		return NULL;
	}
	if (t->n_dims > PIM_MAX_RANK) {
		pim_error(f->context, at, "tensor '%s' has %zu dims, the most is %d", tensor_name(t),
			t->n_dims, PIM_MAX_RANK);
		return NULL;
	}
	for (size_t i = 0; i < t->n_dims; i++)
		if (t->dims[i] < 0 || !pim_mul(elements, t->dims[i], &elements) ||
			elements > PIM_MOST_BYTES / 16) {
			pim_error(f->context, at, "tensor '%s': dim %zu of size %lld is negative or too large",
				tensor_name(t), i, (long long)t->dims[i]);
			return NULL;
		}
	return pim_type_tensor(f->context, dtype, (int)t->n_dims, t->dims);
}

/* Two to a byte, low half first. */
static bool is_packed(pim_dtype t)
{
	return t == PIM_DTYPE_i4 || t == PIM_DTYPE_u4;
}

static const void *unpack_nibbles(const decoder *d, const uint8_t *packed)
{
	int8_t *v = pim_arena_raw(d->arena, (size_t)d->type->elements + 1);
	bool has_sign = d->type->dtype == PIM_DTYPE_i4;
	for (int64_t i = 0; i < d->type->elements; i++) {
		int nibble = packed[i / 2] >> (i % 2 * 4) & 15;
		v[i] = (int8_t)(has_sign && nibble >= 8 ? nibble - 16 : nibble);
	}
	return v;
}

static const void *unpack_bool(const decoder *d, const uint8_t *bytes)
{
	uint8_t *v = pim_arena_raw(d->arena, (size_t)d->type->elements + 1);
	for (int64_t i = 0; i < d->type->elements; i++)
		v[i] = bytes[i] != 0;
	return v;
}

/* Raw elements at `bytes`, which is `offset` of the file `name`. */
static bool take_raw(const decoder *d, const uint8_t *bytes, const char *name, uint64_t offset)
{
	if (is_packed(d->type->dtype) || d->type->dtype == PIM_DTYPE_bool) {
		*d->data = (pim_data){.kind = PIM_DATA_dense};
		d->data->bytes =
			is_packed(d->type->dtype) ? unpack_nibbles(d, bytes) : unpack_bool(d, bytes);
		return true;
	}
	*d->data = (pim_data){PIM_DATA_dense, bytes, name, offset, NULL};
	if (d->type->elements <= INLINE_ELEMENTS)
		d->data->file = NULL;
	if (d->bytes <= COPIED_BYTES) {
		void *copy = pim_arena_raw(d->arena, (size_t)d->bytes + 1);
		memcpy(copy, bytes, (size_t)d->bytes);
		d->data->bytes = copy;
	}
	return true;
}

static bool take_payload(const decoder *d, const onnx_payload *p)
{
	pim_dtype t = d->type->dtype;
	if ((p->field == 4 && t != PIM_DTYPE_f32) || (p->field == 10 && t != PIM_DTYPE_f64))
		return pim_error(d->file->context, d->at,
			"tensor '%s' is %s but its elements are stored as %s", tensor_name(d->t),
			pim_dtype_name(t), p->field == 4 ? "float_data" : "double_data");
	if (p->bytes != (uint64_t)d->bytes)
		return fail_size(d, (int64_t)p->bytes, "bytes");
	return take_raw(d, d->file->bytes + p->offset, d->file->name, p->offset);
}

/* How many elements the typed array that belongs to the dtype has. */
static size_t typed_count(const Onnx__TensorProto *t, pim_dtype dtype)
{
	switch (dtype) {
	case PIM_DTYPE_f32:
		return t->n_float_data;
	case PIM_DTYPE_f64:
		return t->n_double_data;
	case PIM_DTYPE_i64:
		return t->n_int64_data;
	case PIM_DTYPE_u32:
	case PIM_DTYPE_u64:
		return t->n_uint64_data;
	default:
		return t->n_int32_data;
	}
}

static void store_typed(const Onnx__TensorProto *t, pim_dtype dtype, void *out, int64_t i)
{
	switch (dtype) {
	case PIM_DTYPE_f32:
		((float *)out)[i] = t->float_data[i];
		break;
	case PIM_DTYPE_f64:
		((double *)out)[i] = t->double_data[i];
		break;
	case PIM_DTYPE_i64:
		((int64_t *)out)[i] = t->int64_data[i];
		break;
	case PIM_DTYPE_u64:
		((uint64_t *)out)[i] = t->uint64_data[i];
		break;
	case PIM_DTYPE_u32:
		((uint32_t *)out)[i] = (uint32_t)t->uint64_data[i];
		break;
	case PIM_DTYPE_i32:
		((int32_t *)out)[i] = t->int32_data[i];
		break;
	case PIM_DTYPE_bool:
		((uint8_t *)out)[i] = t->int32_data[i] != 0;
		break;
	case PIM_DTYPE_i8:
	case PIM_DTYPE_i4:
	case PIM_DTYPE_u4:
	case PIM_DTYPE_u8:
		((uint8_t *)out)[i] = (uint8_t)t->int32_data[i];
		break;
	default:
		((uint16_t *)out)[i] = (uint16_t)t->int32_data[i];
		break;
	}
}

static bool take_typed(const decoder *d)
{
	pim_dtype dtype = d->type->dtype;
	int64_t n = d->type->elements, found = (int64_t)typed_count(d->t, dtype);
	void *v;
	if (is_packed(dtype) && found == (n + 1) / 2) {
		uint8_t *packed = pim_arena_raw(d->arena, (size_t)found);
		for (int64_t i = 0; i < found; i++)
			packed[i] = (uint8_t)d->t->int32_data[i];
		*d->data = (pim_data){.kind = PIM_DATA_dense, .bytes = unpack_nibbles(d, packed)};
		return true;
	}
	if (found != n)
		return fail_size(d, found, "elements");
	v = pim_arena_raw(d->arena, (size_t)n * pim_dtype_bytes(dtype) + 1);
	for (int64_t i = 0; i < n; i++)
		store_typed(d->t, dtype, v, i);
	*d->data = (pim_data){.kind = PIM_DATA_dense, .bytes = v};
	return true;
}

static const char *external_value(const Onnx__TensorProto *t, const char *key)
{
	for (size_t i = 0; i < t->n_external_data; i++)
		if (t->external_data[i]->key && !strcmp(t->external_data[i]->key, key))
			return t->external_data[i]->value;
	return NULL;
}

/* A decimal number of an external_data entry; init when the entry is absent. */
static bool external_number(const decoder *d, const char *key, int64_t init, int64_t *v)
{
	const char *s = external_value(d->t, key);
	char *end;
	*v = init;
	if (!s)
		return true;
	errno = 0;
	*v = strtoll(s, &end, 10);
	if (*s == '\0' || *end || errno || *v < 0)
		return pim_error(d->file->context, d->at,
			"tensor '%s': external_data %s is '%s', expected a number of bytes", tensor_name(d->t),
			key, s);
	return true;
}

/* Does a link on the way lead out of the folder of `base`? */
static bool leaves_folder(const char *base, const char *path)
{
	const char *slash = strrchr(base, '/');
	char *folder = strndup(slash ? base : ".", slash ? (size_t)(slash - base) + 1 : 1);
	char *real_folder = realpath(folder, NULL), *real_path = realpath(path, NULL);
	size_t n = real_folder ? strlen(real_folder) : 0;
	bool inside = real_folder && real_path && !strncmp(real_folder, real_path, n) &&
				  (n == 1 || real_path[n] == '/');
	free(folder);
	free(real_folder);
	free(real_path);
	return !inside;
}

static bool take_external(const decoder *d)
{
	pim_context *c = d->file->context;
	const char *place = external_value(d->t, "location"), *path;
	const uint8_t *bytes;
	int64_t offset, length, end;
	size_t size;
	if (!place)
		return pim_error(c, d->at, "tensor '%s' is in another file, but its location is not given",
			tensor_name(d->t));
	if (!external_number(d, "offset", 0, &offset) ||
		!external_number(d, "length", d->bytes, &length))
		return false;
	if (length != d->bytes)
		return fail_size(d, length, "bytes");
	path = pim_path_beside(c, d->at, d->file->path, place);
	if (!path)
		return false;
	*d->data = (pim_data){.kind = PIM_DATA_absent};
	if (access(path, F_OK) != 0)
		return true;
	if (leaves_folder(d->file->path, path))
		return pim_error(c, d->at, "tensor '%s': '%s' is a link that leaves the model's folder",
			tensor_name(d->t), place);
	bytes = pim_file_map(c, d->at, path, &size);
	if (!bytes)
		return false;
	if (!pim_add(offset, length, &end) || (uint64_t)end > size)
		return pim_error(c, d->at, "tensor '%s' is bytes %lld to %lld of '%s', which has %zu",
			tensor_name(d->t), (long long)offset, (long long)end, place, size);
	return take_raw(d, bytes + offset, pim_intern(c, place, strlen(place)), (uint64_t)offset);
}

static bool has_typed(const Onnx__TensorProto *t)
{
	return t->n_float_data || t->n_double_data || t->n_int32_data || t->n_int64_data ||
		   t->n_uint64_data;
}

bool onnx_tensor_decode(const onnx_file *f, const Onnx__TensorProto *t, pim_loc at, pim_arena *a,
	const pim_type **type, pim_data *data)
{
	decoder d = {f, t, at, a, NULL, 0, data};
	onnx_payload p;
	*type = d.type = read_type(f, t, at);
	if (!d.type)
		return false;
	d.bytes = is_packed(d.type->dtype) ? (d.type->elements + 1) / 2 : pim_type_bytes(d.type);
	if (t->segment)
		return pim_error(f->context, at,
			"tensor '%s' is stored in segments, which is not supported", tensor_name(t));
	if (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
		return take_external(&d);
	if (onnx_payload_get(t, &p))
		return take_payload(&d, &p);
	if (has_typed(t) || d.type->elements == 0)
		return take_typed(&d);
	*data = (pim_data){.kind = PIM_DATA_absent};
	return true;
}
