/* SPDX-License-Identifier: Apache-2.0 */
/* wide.h - functions that are also compiled for the wide vectors of newer processors. */
#ifndef PIM_IR_WIDE_H
#define PIM_IR_WIDE_H

/* Also compiled for wide vectors; which one runs is decided when the program is loaded. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
	!defined(__SANITIZE_ADDRESS__)
#define PIM_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define PIM_WIDE
#endif

#endif
