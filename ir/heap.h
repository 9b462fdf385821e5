/* SPDX-License-Identifier: Apache-2.0 */
/* heap.h - binary heaps in arrays: the first element is the one that goes before all others.
 *
 * PIM_HEAP(name, owner, type, before, put) defines, for elements of a type:
 *
 *   name_lift(o, heap, k, x)  x, which has place k, moves to the front as far as it may: what is
 *                             added has the place behind the last
 *   name_pop(o, heap, n)      takes the first of n, which is given
 *
 * before(o, a, b): does a go before b? put(o, heap, k, x): notes that x has place k: PIM_HEAP_PUT,
 * or a function that also remembers where x is, so that it can be lifted later. owner: a type for
 * o, of which the heap knows nothing. Cost of either: the logarithm of n. */
#ifndef PIM_IR_HEAP_H
#define PIM_IR_HEAP_H

#include <stdint.h>

#define PIM_HEAP_PUT(o, heap, k, x) ((heap)[k] = (x))

#define PIM_HEAP(name, owner, type, before, put)                                                   \
	__attribute__((unused)) static inline void name##_lift(owner o, type *heap, int64_t k, type x) \
	{                                                                                              \
		for (; k > 0 && before(o, x, heap[(k - 1) / 2]); k = (k - 1) / 2)                          \
			put(o, heap, k, heap[(k - 1) / 2]);                                                    \
		put(o, heap, k, x);                                                                        \
	}                                                                                              \
	__attribute__((unused)) static inline type name##_pop(owner o, type *heap, int64_t n)          \
	{                                                                                              \
		type first = heap[0], x = heap[--n];                                                       \
		int64_t k = 0;                                                                             \
		for (int64_t child; (child = 2 * k + 1) < n; k = child) {                                  \
			child += child + 1 < n && before(o, heap[child + 1], heap[child]);                     \
			if (!before(o, heap[child], x))                                                        \
				break;                                                                             \
			put(o, heap, k, heap[child]);                                                          \
		}                                                                                          \
		if (n > 0)                                                                                 \
			put(o, heap, k, x);                                                                    \
		return first;                                                                              \
	}

#endif
