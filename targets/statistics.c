/* SPDX-License-Identifier: Apache-2.0 */
/* statistics.c - figures of a command program, without running it. */
#include "targets/program.h"

static void count_stream(const pim_program *p, const pim_stream *s, pim_code_statistics *sum)
{
	double rounds[PIM_MAX_REPEAT + 1] = {1};
	int depth = 0;
	sum->commands += (double)s->n_commands;
	for (int64_t k = 0; k < s->n_commands; k++) {
		const pim_command *c = &s->command[k];
		if (c->code == PIM_COMMAND_repeat) {
			rounds[depth + 1] = rounds[depth] * (double)c->count;
			depth++;
		} else if (c->code == PIM_COMMAND_end) {
			depth--;
		} else {
			sum->executed += rounds[depth];
			if (c->code == PIM_COMMAND_send || c->code == PIM_COMMAND_multicast)
				sum->bytes += rounds[depth] * (double)pim_pattern_bytes(&p->pattern[c->index]);
		}
	}
}

pim_code_statistics pim_target_code_statistics(const pim_graph *g)
{
	const pim_program *p = g->code;
	pim_code_statistics sum = {.kernels = p ? p->n_kernels : 0};
	for (int i = 0; p && i < p->n_streams; i++)
		count_stream(p, &p->stream[i], &sum);
	for (int i = 0; p && i < p->n_tasks; i++) {
		double end = (double)(p->task[i].start + p->task[i].cycles);
		sum.latency = end > sum.latency ? end : sum.latency;
	}
	return sum;
}
