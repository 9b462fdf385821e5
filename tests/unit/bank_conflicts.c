/* SPDX-License-Identifier: Apache-2.0 */
/* A bank does one thing at a time: commands that meet at one, with the cycles at which they begin
 * and end counted by hand. On hbm2-pim slot k of bank b begins at 3796 (k / 29) + 260 + 15 b / 4 +
 * 120 (k mod 29): the adding kernel of 56 slots, 41 row operations among them, takes slots 0 to 55
 * of a bank that has nothing else to do. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "targets/sim.h"
#include "tests/unit/check.h"

static const char head[] = "program \"p\" on \"hbm2-pim\" {\n"
						   "  task t0 \"%0\" add start 0 cycles 0\n"
						   "  pattern p0 i8 [4] to [1] from [1]\n"
						   "  pattern p1 i8 [30720] to [1] from [1]\n" /* 30 rows */
						   "  kernel k0\n"
						   "  graph @k0(%x0: i8[4], %x1: i8[4]) {\n"
						   "    %0 = add %x0, %x1 : i8[4]\n"
						   "    return %0\n"
						   "  }\n";

/* A command of a unit, by its number in the stream, with the span that it must have. */
typedef struct wanted {
	int unit;
	int64_t command, begin, end;
} wanted;

typedef struct conflict {
	const char *what, *streams;
	wanted wanted[4];
} conflict;

enum { PERIOD = 3796 };

static const conflict conflicts[] = {
	{"a kernel alone", "unit 0 {\nrows k0 b:0x80 <- b:0x0, b:0x40 t0\n}\n",
		{{0, 0, 260, PERIOD + 260 + 27 * 120}}},
	{"a load of the bank's rows goes first, the kernel begins a slot later",
		"unit 0 {\nrows k0 b:0x80 <- b:0x0, b:0x40 t0\nload p0 b:0xc0 <- m:0x0 t0\n}\n",
		{{0, 1, 260, 380}, {0, 0, 380, PERIOD + 260 + 28 * 120}}},
	{"a load of another bank's rows",
		"unit 0 {\nrows k0 b:0x80 <- b:0x0, b:0x40 t0\n}\n"
		"unit 1 {\nload p0 b:0xc0 <- m:0x0 t0\n}\n",
		{{0, 0, 260, PERIOD + 260 + 27 * 120}, {1, 0, 263, 383}}},
	{"what is sent is read when the copy of 30 rows is done",
		"unit 0 {\ncopy p1 m:0x10000 <- m:0x0 t0\nsend p0 unit 1 <- m:0x0 t0\n}\n"
		"unit 1 {\nrecv p0 unit 0 m:0x0 t0\n}\n",
		{{0, 0, 260, PERIOD + 260 + 120}, {0, 1, PERIOD + 260 + 120, PERIOD + 260 + 240}}},
	/* sent at 4176, it is there at 4311 and written one later than in slot 31 of bank 1, which
	 * begins at 3796 + 263 + 2 * 120 = 4299 */
	{"what comes in is written between row operations, the kernel ends a slot later",
		"unit 0 {\ncopy p1 m:0x10000 <- m:0x0 t0\nsend p0 unit 1 <- m:0x0 t0\n}\n"
		"unit 1 {\nrows k0 b:0x80 <- b:0x0, b:0x40 t0\nrecv p0 unit 0 m:0x0 t0\n}\n",
		{{1, 0, 263, PERIOD + 263 + 28 * 120},
			{1, 1, PERIOD + 263 + 3 * 120, PERIOD + 263 + 4 * 120}}},
	{"two kernels",
		"unit 0 {\nrows k0 b:0x80 <- b:0x0, b:0x40 t0\nrows k0 b:0xc0 <- b:0x0, b:0x40 t0\n}\n",
		{{0, 0, 260, PERIOD + 260 + 27 * 120},
			{0, 1, PERIOD + 260 + 27 * 120, 3 * PERIOD + 260 + 25 * 120}}},
};

typedef struct seen {
	const conflict *of;
	int found;
} seen;

static void compare(void *user, const pim_sim_event *e)
{
	seen *s = user;
	for (int i = 0; i < 4; i++) {
		const wanted *w = &s->of->wanted[i];
		if (!w->end || w->unit != e->unit || w->command != e->command)
			continue;
		s->found++;
		if (w->begin == e->begin && w->end == e->end)
			continue;
		check_failures++;
		fprintf(stderr, "%s: unit %d command %d runs from %lld to %lld, not from %lld to %lld\n",
			s->of->what, e->unit, (int)e->command, (long long)e->begin, (long long)e->end,
			(long long)w->begin, (long long)w->end);
	}
}

static void run(const conflict *x, const char *path)
{
	FILE *f = fopen(path, "w");
	CHECK(f);
	if (!f)
		return;
	fprintf(f, "%s%s}\n", head, x->streams);
	fclose(f);
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_program *p = pim_program_read(c, path);
	seen s = {.of = x};
	pim_sim_options o = {.path = path, .watch = compare, .user = &s};
	int n = 0;
	while (n < 4 && x->wanted[n].end)
		n++;
	CHECK(p && pim_sim_run(p, &o, a) && s.found == n);
	pim_arena_free(a);
	if (p)
		pim_program_free(p);
	pim_context_free(c);
}

int main(void)
{
	char path[] = "/tmp/bank_conflicts-XXXXXX";
	int file = mkstemp(path);
	CHECK(file >= 0);
	close(file);
	for (size_t i = 0; i < sizeof conflicts / sizeof *conflicts; i++)
		run(&conflicts[i], path);
	remove(path);
	return check_failures != 0;
}
