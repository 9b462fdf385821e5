/* SPDX-License-Identifier: Apache-2.0 */
/* bench/scheduling_main.h - what the programs that run the scheduling engine on a file share.
 *
 * Prints `makespan= bound= status= time=`; the schedule is checked first. */
#ifndef PIM_BENCH_SCHEDULING_MAIN_H
#define PIM_BENCH_SCHEDULING_MAIN_H

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/scheduling.h"

/* A file of whole numbers, between them any white space; a line that begins with # is skipped. */
typedef struct scheduling_file {
	FILE *in;
	const char *name;
	int line;
	const char *of; /* what is being read: "job"; NULL: the file as a whole */
	int64_t index;
	bool failed; /* and the reason has been printed */
} scheduling_file;

typedef struct scheduling_arguments {
	const char *file;
	double limit;
	int64_t processors;
	uint64_t seed;
} scheduling_arguments;

typedef void scheduling_read(scheduling_file *f, pim_scheduling *p, const scheduling_arguments *a);

/* Most of a duration, demand or capacity: sums over all jobs stay far from overflow. */
#define MOST_FIGURE INT64_C(1000000000000)

static inline int next_character(scheduling_file *f)
{
	int c = fgetc(f->in);
	f->line += c == '\n';
	return c;
}

static inline bool is_blank(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A mark of UTF-8 at the beginning of the file says nothing. */
static inline void skip_mark(scheduling_file *f)
{
	static const char mark[] = "\xEF\xBB\xBF";
	char first[3] = {0};
	if (fread(first, 1, 3, f->in) != 3 || memcmp(first, mark, 3) != 0)
		rewind(f->in);
}

/* The next word, cut to `room`; "" at the end of the file. */
static inline void read_word(scheduling_file *f, char *word, size_t room)
{
	int c = next_character(f);
	while (is_blank(c) || c == '#') {
		while (c == '#')
			do
				c = next_character(f);
			while (c != '\n' && c != EOF);
		c = c == EOF ? c : next_character(f);
	}
	size_t n = 0;
	for (; c != EOF && !is_blank(c); c = fgetc(f->in))
		if (n + 1 < room)
			word[n++] = (char)c;
	word[n] = 0;
	ungetc(c, f->in);
}

static inline void refuse_word(
	scheduling_file *f, const char *what, int64_t least, int64_t most, const char *word)
{
	f->failed = true;
	fprintf(stderr, "%s:%d: ", f->name, f->line);
	if (f->of)
		fprintf(stderr, "%s %" PRId64 ": ", f->of, f->index);
	fprintf(stderr, "%s must be from %" PRId64 " to %" PRId64 ", not ", what, least, most);
	fprintf(stderr, *word ? "'%s'\n" : "the end of the file\n", word);
}

/* The next number; one that is none or out of range is refused, once a file, and reads as `least`.
 */
static inline int64_t read_number(scheduling_file *f, const char *what, int64_t least, int64_t most)
{
	char word[32], *end = word;
	if (f->failed)
		return least;
	read_word(f, word, sizeof word);
	errno = 0;
	long long value = strtoll(word, &end, 10);
	if (end != word && !*end && !errno && value >= least && value <= most)
		return value;
	refuse_word(f, what, least, most, word);
	return least;
}

static inline void tell_of_rest(scheduling_file *f)
{
	char word[32];
	read_word(f, word, sizeof word);
	if (*word)
		fprintf(stderr, "%s:%d: '%s' and what follows is not read\n", f->name, f->line, word);
}

static inline bool read_limit(const char *text, double *limit)
{
	char *end;
	*limit = strtod(text, &end);
	return end != text && !*end && *limit >= 0;
}

static inline bool read_arguments(int argc, char **argv, scheduling_arguments *a)
{
	*a = (scheduling_arguments){.limit = 10, .processors = 1};
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--limit=", 8) && read_limit(argv[i] + 8, &a->limit))
			continue;
		if (!strncmp(argv[i], "--processors=", 13))
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
	scheduling_file f = {.in = fopen(a.file, "r"), .name = a.file, .line = 1};
	if (!f.in) {
		fprintf(stderr, "%s: %s\n", a.file, strerror(errno));
		return 1;
	}
	skip_mark(&f);
	pim_scheduling *p = pim_scheduling_new();
	read(&f, p, &a);
	if (!f.failed)
		tell_of_rest(&f);
	fclose(f.in);
	int code = f.failed ? 1 : solve_and_print(p, &a);
	pim_scheduling_free(p);
	return code;
}

#endif
