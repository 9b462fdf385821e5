/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - command programs, text and binary: a program, which is verified and, when it is a
 * short one, timed; or messages. */
#include "targets/sim.h"
#include "tests/fuzz/file.h"

enum { MOST_COMMANDS = 20000 };

/* Commands that run, repeats counted; stops at `most`. */
static int64_t count_executed(const pim_program *p, int64_t most)
{
	int64_t executed = 0;
	for (int u = 0; u < p->n_streams; u++) {
		int64_t times[PIM_MAX_REPEAT + 2] = {1};
		int depth = 0;
		for (int64_t i = 0; i < p->stream[u].n_commands && executed < most; i++) {
			const pim_command *c = &p->stream[u].command[i];
			if (c->code == PIM_COMMAND_repeat) {
				times[depth + 1] = c->count < most ? times[depth] * c->count : most;
				depth++;
				times[depth] = times[depth] < most ? times[depth] : most;
			} else if (c->code == PIM_COMMAND_end) {
				depth--;
			}
			executed += times[depth];
		}
	}
	return executed;
}

static void run(const pim_program *p)
{
	pim_arena *a = pim_arena_new();
	pim_sim_options o = {.check = true};
	pim_sim_run(p, &o, a);
	pim_arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[64];
	pim_context *c = pim_context_new();
	put_file(path, ".pimc", data, n);
	pim_program *p = pim_program_read(c, path);
	if (!p && !pim_context_errors(c))
		abort();
	if (p && pim_program_verify(p) && count_executed(p, MOST_COMMANDS) < MOST_COMMANDS)
		run(p);
	pim_program_free(p);
	pim_context_free(c);
	unlink(path);
	return 0;
}
