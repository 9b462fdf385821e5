/* SPDX-License-Identifier: Apache-2.0 */
/* array.c - lists that grow by doubling, on the heap and in an arena. */
#include "ir/array.h"

#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

enum { FIRST_ROOM = 16 };

void *pim_arena_grow(pim_arena *a, void *list, int n, int *room, size_t size)
{
	if (n < *room)
		return list;
	*room = *room ? 2 * *room : FIRST_ROOM;
	void *more = pim_arena_raw(a, (size_t)*room * size);
	if (n)
		memcpy(more, list, (size_t)n * size);
	return more;
}

/* At least one, so that nothing has an address too; SIZE_MAX where they are too many for any
 * machine. */
static size_t bytes_of(int64_t n, size_t size)
{
	size_t bytes;
	return __builtin_mul_overflow((size_t)pim_max(n, 1), size, &bytes) ? SIZE_MAX : bytes;
}

static void *need(void *p, int64_t n, size_t size)
{
	if (!p)
		PIM_BUG("no memory for %lld elements of %zu bytes", (long long)n, size);
	return p;
}

void *pim_array_new(int64_t n, size_t size)
{
	return need(calloc(1, bytes_of(n, size)), n, size);
}

void *pim_array_raw(int64_t n, size_t size)
{
	return need(malloc(bytes_of(n, size)), n, size);
}

void *pim_array_resize(void *list, int64_t n, size_t size)
{
	return need(realloc(list, bytes_of(n, size)), n, size);
}

void *pim_array_reserve(void *list, int64_t n, int64_t *room, size_t size)
{
	if (n <= *room)
		return list;
	*room = pim_max(n, *room ? 2 * *room : FIRST_ROOM);
	return pim_array_resize(list, *room, size);
}

void *pim_array_grow(void *list, int64_t n, int64_t *room, size_t size)
{
	return pim_array_reserve(list, n + 1, room, size);
}
