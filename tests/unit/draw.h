/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/draw.h - random numbers of a test program: the same ones in every run. */
#ifndef PIM_TESTS_UNIT_DRAW_H
#define PIM_TESTS_UNIT_DRAW_H

#include "tests/unit/check.h"

#include "ir/random.h"

/* A program that wants other numbers than its neighbours sets it first. */
static uint64_t draw_state = 1;

/* 0 .. n - 1 */
static inline int draw(int64_t n)
{
	CHECK(n > 0 && n <= INT32_MAX);
	return (int)((pim_random(&draw_state) >> 32) * (uint64_t)n >> 32);
}

/* lo .. hi */
static inline int draw_in(int64_t lo, int64_t hi)
{
	return (int)lo + draw(hi - lo + 1);
}

#endif
