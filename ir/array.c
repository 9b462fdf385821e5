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

void *pim_array_grow(void *list, int64_t n, int64_t *room, size_t size)
{
	if (n < *room)
		return list;
	*room = *room ? 2 * *room : FIRST_ROOM;
	void *more = realloc(list, (size_t)*room * size);
	if (!more)
		PIM_BUG("no memory for %lld elements of %zu bytes", (long long)*room, size);
	return more;
}

void *pim_array_need(void *p, const char *what)
{
	if (!p)
		PIM_BUG("no memory for %s", what);
	return p;
}
