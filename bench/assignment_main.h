/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_main.h - the options that the programs on the assignment engine share. */
#ifndef PIM_BENCH_ASSIGNMENT_MAIN_H
#define PIM_BENCH_ASSIGNMENT_MAIN_H

#include <stdlib.h>
#include <string.h>

#include "passes/assignment.h"

/* Takes --limit=, --seed= and --steps=; false for anything else. */
static inline bool assignment_option(pim_assignment_options *o, const char *text)
{
	if (!strncmp(text, "--limit=", 8))
		o->seconds = atof(text + 8);
	else if (!strncmp(text, "--seed=", 7))
		o->seed = strtoull(text + 7, NULL, 10);
	else if (!strncmp(text, "--steps=", 8))
		o->steps = strtoll(text + 8, NULL, 10);
	else
		return false;
	return true;
}

#endif
