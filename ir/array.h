/* SPDX-License-Identifier: Apache-2.0 */
/* array.h - lists on the heap that grow, for code that has no arena; in an arena: pim_arena_grow.
 */
#ifndef PIM_IR_ARRAY_H
#define PIM_IR_ARRAY_H

#include <stddef.h>
#include <stdint.h>

/* Room for one more behind the n elements of `size` bytes that `list` has; *room doubles where that
 * is needed, and the old list is freed. Aborts in one line when there is no memory. */
void *pim_array_grow(void *list, int64_t n, int64_t *room, size_t size);

/* p, which malloc or one like it gave for `what`; aborts in one line where it gave nothing. */
void *pim_array_need(void *p, const char *what);

#endif
