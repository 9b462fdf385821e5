/* SPDX-License-Identifier: Apache-2.0 */
/* passes/array.h - arrays on the heap that grow. */
#ifndef PIM_PASSES_ARRAY_H
#define PIM_PASSES_ARRAY_H

#include <stddef.h>

/* Room for one more element behind the n that there are, each of `size` bytes; doubles. Frees `old`
 * when it moves. */
void *pim_array_grow(void *old, int n, int *room, size_t size);

#endif
