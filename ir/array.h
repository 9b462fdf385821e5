/* SPDX-License-Identifier: Apache-2.0 */
/* array.h - lists on the heap that grow, for code that has no arena; in an arena: pim_arena_grow.
 */
#ifndef PIM_IR_ARRAY_H
#define PIM_IR_ARRAY_H

#include <stddef.h>
#include <stdint.h>

/* All of these abort in one line when there is no memory; free() takes what they give. */

/* n elements of `size` bytes, all zero. */
void *pim_array_new(int64_t n, size_t size);

/* The same with whatever bytes were there. */
void *pim_array_raw(int64_t n, size_t size);

/* The list with n elements, those it had before in front; the old list is freed. */
void *pim_array_resize(void *list, int64_t n, size_t size);

/* Room for at least n elements; *room at least doubles where that is needed, and the old list is
 * freed. */
void *pim_array_reserve(void *list, int64_t n, int64_t *room, size_t size);

/* Room for one more behind the n elements that `list` has. */
void *pim_array_grow(void *list, int64_t n, int64_t *room, size_t size);

#endif
