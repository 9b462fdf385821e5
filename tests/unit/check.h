/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/check.h - CHECK(condition): says where it does not hold and makes main return 1.
 *
 * main ends with `return check_failures != 0;`. A program stops after 20 failures. */
#ifndef PIM_TESTS_UNIT_CHECK_H
#define PIM_TESTS_UNIT_CHECK_H

#include <stdio.h>
#include <stdlib.h>

static int check_failures;

static inline void check_that(int holds, const char *file, int line, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	if (++check_failures >= 20)
		exit(1);
}

#define CHECK(condition) check_that((condition) ? 1 : 0, __FILE__, __LINE__, #condition)

#endif
