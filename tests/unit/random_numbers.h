/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/random_numbers.h - the same numbers in every run: 0 to n - 1. */
#ifndef PIM_TESTS_RANDOM_NUMBERS_H
#define PIM_TESTS_RANDOM_NUMBERS_H

#include <stdint.h>

static unsigned long long random_state = 20261121;
static int64_t pick(int64_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (int64_t)((random_state >> 33) % (unsigned long long)n);
}

#endif
