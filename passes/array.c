/* SPDX-License-Identifier: Apache-2.0 */
/* array - arrays on the heap that grow: of engines that know no arena. */
#include "passes/array.h"

#include <stdlib.h>

void *pim_array_grow(void *old, int n, int *room, size_t size)
{
	if (n < *room)
		return old;
	*room = *room ? 2 * *room : 16;
	void *new = realloc(old, (size_t)*room * size);
	if (!new)
		abort();
	return new;
}
