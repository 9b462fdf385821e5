/* SPDX-License-Identifier: Apache-2.0 */
/* types - element types, and interned tensor and tuple types. */
#include <string.h>

#include "ir/ir.h"

#define MAX_PARTS 4096

static const struct {
	const char *name;
	uint8_t bytes;
	char class;
} dtypes[] = {
#define PIM_DTYPE_ROW(name, bytes, class) {#name, bytes, #class[0]},
	PIM_DTYPES(PIM_DTYPE_ROW)
#undef PIM_DTYPE_ROW
};

const char *pim_dtype_name(pim_dtype t)
{
	return dtypes[t].name;
}
size_t pim_dtype_bytes(pim_dtype t)
{
	return dtypes[t].bytes;
}
bool pim_dtype_is_float(pim_dtype t)
{
	return dtypes[t].class == 'F';
}
bool pim_dtype_is_signed(pim_dtype t)
{
	return dtypes[t].class != 'U';
}

pim_dtype pim_dtype_find(const char *name)
{
	int t = 0;
	while (t < PIM_DTYPE_COUNT && strcmp(dtypes[t].name, name))
		t++;
	return (pim_dtype)t;
}

static void **find_slot(pim_context *c, const void *key, size_t n)
{
	if (!c->types)
		c->types = pim_map_new(c->arena);
	void **value;
	pim_map_key(c->types, key, n, &value);
	return value;
}

static bool count_elements(pim_context *c, pim_dtype t, int rank, const int64_t *dims, int64_t *n)
{
	int64_t nonzero = (int64_t)dtypes[t].bytes;
	*n = 1;
	for (int i = 0; i < rank; i++) {
		if (dims[i] < 0)
			return pim_error(c, (pim_loc){0},
				"dimension %d of a tensor type is %lld, expected 0 or more", i, (long long)dims[i]);
		if (dims[i] && (!pim_mul(nonzero, dims[i], &nonzero) || nonzero > PIM_MOST_BYTES))
			return pim_error(c, (pim_loc){0}, "a tensor type has more than 2^56 bytes");
		*n = dims[i] ? *n : 0;
	}
	for (int i = 0; i < rank && *n; i++)
		*n *= dims[i];
	return true;
}

const pim_type *pim_type_tensor(pim_context *c, pim_dtype t, int rank, const int64_t *dims)
{
	int64_t key[PIM_MAX_RANK + 1], elements;
	if (rank < 0 || rank > PIM_MAX_RANK) {
		pim_error(c, (pim_loc){0}, "a tensor type has %d dimensions, expected at most %d", rank,
			PIM_MAX_RANK);
		return NULL;
	}
	key[0] = t;
	for (int i = 0; i < rank; i++)
		key[i + 1] = dims[i];
	size_t bytes = sizeof *key * (size_t)(rank + 1);
	const pim_type *known = c->types ? pim_map_get(c->types, key, bytes) : NULL;
	if (known)
		return known;
	if (!count_elements(c, t, rank, dims, &elements))
		return NULL;
	pim_type *type = PIM_NEW(c->arena, pim_type, 1);
	int64_t *copy = PIM_NEW(c->arena, int64_t, rank + 1);
	memcpy(copy, key + 1, sizeof *copy * (size_t)rank);
	*type = (pim_type){.dtype = t, .rank = rank, .elements = elements, .dims = copy};
	*find_slot(c, key, bytes) = type;
	return type;
}

const pim_type *pim_type_tuple(pim_context *c, int n, const pim_type *const *parts)
{
	if (n < 1 || n > MAX_PARTS) {
		pim_error(c, (pim_loc){0}, "a tuple type has %d parts, expected 1 to %d", n, MAX_PARTS);
		return NULL;
	}
	pim_arena *scratch = pim_arena_new();
	size_t bytes = sizeof(void *) * (size_t)(n + 1);
	const void **key = pim_arena_alloc(scratch, bytes);
	key[0] = (const void *)UINTPTR_MAX;
	memcpy(key + 1, parts, bytes - sizeof *key);
	void **slot = find_slot(c, key, bytes);
	pim_arena_free(scratch);
	if (*slot)
		return *slot;
	pim_type *type = PIM_NEW(c->arena, pim_type, 1);
	const pim_type **copy = PIM_NEW(c->arena, const pim_type *, n);
	memcpy(copy, parts, sizeof *copy * (size_t)n);
	*type = (pim_type){.n_parts = n, .parts = copy};
	*slot = type;
	return type;
}

int64_t pim_type_bytes(const pim_type *t)
{
	int64_t bytes = 0;
	if (!t->n_parts)
		return t->elements * (int64_t)dtypes[t->dtype].bytes;
	for (int i = 0; i < t->n_parts; i++)
		if (!pim_add(bytes, pim_type_bytes(t->parts[i]), &bytes))
			return INT64_MAX;
	return bytes;
}

void pim_type_strides(const pim_type *t, int64_t strides[PIM_MAX_RANK])
{
	int64_t step = 1;
	for (int i = t->rank; i-- > 0; step *= t->dims[i])
		strides[i] = step;
}

void pim_type_print(pim_text *out, const pim_type *t)
{
	if (!t->n_parts)
		pim_text_str(out, dtypes[t->dtype].name);
	pim_text_add(out, t->n_parts ? "(" : "[", 1);
	for (int i = 0; i < t->n_parts; i++) {
		if (i)
			pim_text_add(out, ", ", 2);
		pim_type_print(out, t->parts[i]);
	}
	for (int i = 0; i < t->rank; i++) {
		if (i)
			pim_text_add(out, ",", 1);
		pim_text_int(out, t->dims[i]);
	}
	pim_text_add(out, t->n_parts ? ")" : "]", 1);
}

bool pim_type_same_dims(const pim_type *a, const pim_type *b)
{
	return a->rank == b->rank && a->n_parts == 0 && b->n_parts == 0 &&
		   !memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims);
}

const char *pim_type_text(const pim_type *t, pim_arena *a)
{
	pim_text out = {0};
	pim_type_print(&out, t);
	return pim_text_keep(&out, a);
}
