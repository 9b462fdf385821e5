/* SPDX-License-Identifier: Apache-2.0 */
/* stage - brings elements to a type one can compute in, and back. */
#include "ir/op_rules.h"

#include <string.h>

pim_stage pim_stage_of(pim_dtype t)
{
	if (t == PIM_DTYPE_bool)
		return PIM_STAGE_bool;
	if (pim_dtype_is_float(t))
		return t == PIM_DTYPE_f64 ? PIM_STAGE_f64 : PIM_STAGE_f32;
	return pim_dtype_is_signed(t) ? PIM_STAGE_i64 : PIM_STAGE_u64;
}

size_t pim_stage_bytes(pim_stage s)
{
	return s == PIM_STAGE_bool ? 1 : s == PIM_STAGE_f32 ? 4 : 8;
}

bool pim_stage_is_native(pim_dtype t)
{
	return t != PIM_DTYPE_i4 && t != PIM_DTYPE_u4 &&
		   pim_dtype_bytes(t) == pim_stage_bytes(pim_stage_of(t));
}

/* type, the C type in memory, the staged C type, load of v, store of v */
#define CONVERSIONS(X)                                                                             \
	X(f16, uint16_t, float, pim_half_to_float(v), pim_half_from_float(v))                          \
	X(bf16, uint16_t, float, pim_bf16_to_float(v), pim_bf16_from_float(v))                         \
	X(i32, int32_t, int64_t, v, (int32_t)(uint32_t)v)                                              \
	X(i16, int16_t, int64_t, v, (int16_t)(uint16_t)v)                                              \
	X(i8, int8_t, int64_t, v, (int8_t)(uint8_t)v)                                                  \
	X(i4, int8_t, int64_t, ((v & 15) ^ 8) - 8, (int8_t)(((v & 15) ^ 8) - 8))                       \
	X(u32, uint32_t, uint64_t, v, (uint32_t)v)                                                     \
	X(u16, uint16_t, uint64_t, v, (uint16_t)v)                                                     \
	X(u8, uint8_t, uint64_t, v, (uint8_t)v)                                                        \
	X(u4, uint8_t, uint64_t, v & 15, (uint8_t)(v & 15))

#define CONVERT(name, memory, staged, load, store)                                                 \
	static void load_##name(const void *data, int64_t from, int64_t n, void *to)                   \
	{                                                                                              \
		const memory *x = (const memory *)data + from;                                             \
		staged *y = to;                                                                            \
		for (int64_t i = 0; i < n; i++) {                                                          \
			memory v = x[i];                                                                       \
			y[i] = load;                                                                           \
		}                                                                                          \
	}                                                                                              \
	static void store_##name(void *data, int64_t to, int64_t n, const void *from)                  \
	{                                                                                              \
		const staged *x = from;                                                                    \
		memory *y = (memory *)data + to;                                                           \
		for (int64_t i = 0; i < n; i++) {                                                          \
			staged v = x[i];                                                                       \
			y[i] = store;                                                                          \
		}                                                                                          \
	}
CONVERSIONS(CONVERT)
#undef CONVERT

typedef struct conversion {
	void (*load)(const void *data, int64_t from, int64_t n, void *to);
	void (*store)(void *data, int64_t to, int64_t n, const void *from);
} conversion;

static const conversion conversions[PIM_DTYPE_COUNT] = {
#define CONVERSION(name, memory, staged, load, store)                                              \
	[PIM_DTYPE_##name] = {load_##name, store_##name},
	CONVERSIONS(CONVERSION)
#undef CONVERSION
};

void pim_stage_load(pim_dtype t, const void *data, int64_t from, int64_t n, void *to)
{
	size_t bytes = pim_dtype_bytes(t);
	if (conversions[t].load)
		conversions[t].load(data, from, n, to);
	else if (n > 0)
		memcpy(to, (const char *)data + (size_t)from * bytes, (size_t)n * bytes);
}

void pim_stage_store(pim_dtype t, void *data, int64_t to, int64_t n, const void *from)
{
	size_t bytes = pim_dtype_bytes(t);
	if (conversions[t].store)
		conversions[t].store(data, to, n, from);
	else if (n > 0)
		memcpy((char *)data + (size_t)to * bytes, from, (size_t)n * bytes);
}

const void *pim_stage_whole(const pim_tensor *t, pim_arena *scratch)
{
	bool aligned = (uintptr_t)t->data % pim_dtype_bytes(t->type->dtype) == 0;
	if (!t->data || (pim_stage_is_native(t->type->dtype) && aligned))
		return t->data;
	if (!aligned) {
		void *moved = pim_arena_raw(scratch, (size_t)pim_type_bytes(t->type) + 1);
		memcpy(moved, t->data, (size_t)pim_type_bytes(t->type));
		return pim_stage_whole(&(pim_tensor){.type = t->type, .data = moved}, scratch);
	}
	size_t bytes = pim_stage_bytes(pim_stage_of(t->type->dtype));
	void *room = pim_arena_raw(scratch, bytes * (size_t)t->type->elements + 1);
	pim_stage_load(t->type->dtype, t->data, 0, t->type->elements, room);
	return room;
}

void *pim_stage_room(pim_tensor *t, pim_arena *scratch)
{
	if (pim_stage_is_native(t->type->dtype))
		return t->data;
	return pim_arena_raw(
		scratch, pim_stage_bytes(pim_stage_of(t->type->dtype)) * (size_t)t->type->elements + 1);
}

void pim_stage_finish(pim_tensor *t, const void *room)
{
	if (room != t->data)
		pim_stage_store(t->type->dtype, t->data, 0, t->type->elements, room);
}

const double *pim_stage_doubles(const pim_tensor *t, pim_arena *scratch)
{
	pim_stage s = t->data ? pim_stage_of(t->type->dtype) : PIM_STAGE_f64;
	const void *from = pim_stage_whole(t, scratch);
	if (s == PIM_STAGE_f64)
		return from;
	int64_t n = t->type->elements;
	double *to = pim_arena_raw(scratch, sizeof *to * (size_t)n + 1);
	for (int64_t i = 0; i < n; i++)
		if (s == PIM_STAGE_f32)
			to[i] = (double)((const float *)from)[i];
		else if (s == PIM_STAGE_i64)
			to[i] = (double)((const int64_t *)from)[i];
		else if (s == PIM_STAGE_u64)
			to[i] = (double)((const uint64_t *)from)[i];
		else
			to[i] = (double)((const uint8_t *)from)[i];
	return to;
}

void pim_stage_finish_doubles(pim_tensor *t, const double *from)
{
	int64_t n = t->type->elements;
	if (t->type->dtype == PIM_DTYPE_f32)
		for (int64_t i = 0; i < n; i++)
			((float *)t->data)[i] = (float)from[i];
	else if (from != t->data)
		for (int64_t i = 0; i < n; i++)
			pim_element_set(t->type->dtype, t->data, i, from[i]);
}
