/* SPDX-License-Identifier: Apache-2.0 */
/* seconds.c - the clock that limits and reports are read from. */
#include <time.h>

#include "ir/ir.h"

double pim_seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
