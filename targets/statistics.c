/* SPDX-License-Identifier: Apache-2.0 */
/* statistics.c - figures of a command program, without running it. */
#include "targets/program.h"

void pim_target_code_statistics(
	const pim_graph *g, double *commands, double *executed, double *kernels, double *bytes)
{
	const pim_program *p = g->code;
	*commands = *executed = *bytes = 0;
	*kernels = p ? p->n_kernels : 0;
	for (int i = 0; p && i < p->n_streams; i++) {
		const pim_stream *s = &p->stream[i];
		double rounds[PIM_MAX_REPEAT + 1] = {1};
		int depth = 0;
		*commands += (double)s->n_commands;
		for (int64_t k = 0; k < s->n_commands; k++) {
			const pim_command *c = &s->command[k];
			if (c->code == PIM_COMMAND_repeat) {
				rounds[depth + 1] = rounds[depth] * (double)c->count;
				depth++;
			} else if (c->code == PIM_COMMAND_end) {
				depth--;
			} else {
				*executed += rounds[depth];
				if (c->code == PIM_COMMAND_send || c->code == PIM_COMMAND_multicast)
					*bytes += rounds[depth] * (double)pim_pattern_bytes(&p->pattern[c->index]);
			}
		}
	}
}
