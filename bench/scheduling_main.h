/* SPDX-License-Identifier: Apache-2.0 */
/* bench/scheduling_main.h - what the programs that run the scheduling engine on a file share.
 *
 * Prints `makespan= bound= status= time=`; the schedule is checked first. */
#ifndef PIM_BENCH_SCHEDULING_MAIN_H
#define PIM_BENCH_SCHEDULING_MAIN_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/scheduling.h"

typedef struct scheduling_file {
	FILE *in;
	bool failed;
} scheduling_file;

typedef struct scheduling_arguments {
	const char *file;
	double limit;
	int64_t processors;
	uint64_t seed;
} scheduling_arguments;

typedef bool scheduling_read(scheduling_file *f, pim_scheduling *p, const scheduling_arguments *a);

/* The next number; a line that begins with # is skipped. */
static inline int64_t read_number(scheduling_file *f)
{
	int64_t value = 0;
	int c;
	while ((c = fgetc(f->in)) == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '#')
		while (c == '#' && (c = fgetc(f->in)) != '\n' && c != EOF)
			c = '#';
	ungetc(c, f->in);
	if (fscanf(f->in, "%" SCNd64, &value) != 1)
		f->failed = true;
	return value;
}

static inline bool read_arguments(int argc, char **argv, scheduling_arguments *a)
{
	*a = (scheduling_arguments){.limit = 10, .processors = 1};
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--limit=", 8))
			a->limit = atof(argv[i] + 8);
		else if (!strncmp(argv[i], "--processors=", 13))
			a->processors = atoll(argv[i] + 13);
		else if (!strncmp(argv[i], "--seed=", 7))
			a->seed = strtoull(argv[i] + 7, NULL, 10);
		else if (argv[i][0] != '-' && !a->file)
			a->file = argv[i];
		else
			return false;
	}
	return a->file && a->processors > 0;
}

static inline int solve_and_print(pim_scheduling *p, const scheduling_arguments *a)
{
	int64_t makespan;
	pim_scheduling_options o = {.seconds = a->limit, .seed = a->seed};
	pim_scheduling_answer r = pim_scheduling_solve(p, &o);
	if (r.status == PIM_SCHEDULING_infeasible) {
		printf("makespan=- bound=- status=infeasible time=%.3f\n", r.seconds);
		return 0;
	}
	if (!pim_scheduling_check(p, r.start, r.mode, &makespan) || makespan != r.value) {
		fprintf(stderr, "%s: the schedule found breaks a constraint\n", a->file);
		return 1;
	}
	printf("makespan=%" PRId64 " bound=%" PRId64 " status=%s time=%.3f\n", r.value, r.bound,
		r.status == PIM_SCHEDULING_optimal ? "optimal" : "feasible", r.seconds);
	return 0;
}

static inline int run_scheduling(int argc, char **argv, scheduling_read *read)
{
	scheduling_arguments a;
	if (!read_arguments(argc, argv, &a)) {
		fprintf(stderr, "usage: %s FILE --limit=S [--seed=N] [--processors=P]\n", argv[0]);
		return 2;
	}
	scheduling_file f = {fopen(a.file, "r"), false};
	if (!f.in) {
		fprintf(stderr, "%s: cannot be read\n", a.file);
		return 1;
	}
	pim_scheduling *p = pim_scheduling_new();
	bool good = read(&f, p, &a);
	fclose(f.in);
	int code = 1;
	if (good)
		code = solve_and_print(p, &a);
	else
		fprintf(stderr, "%s: not in the expected form\n", a.file);
	pim_scheduling_free(p);
	return code;
}

#endif
