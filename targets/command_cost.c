/* SPDX-License-Identifier: Apache-2.0 */
/* command_cost.c - how long the engine of a command works for it, waiting apart: for the lowering
 * as commands are written, and for the simulator. */
#include "targets/program.h"

bool pim_command_posts(int code)
{
	return code == PIM_COMMAND_send || code == PIM_COMMAND_multicast || code == PIM_COMMAND_signal;
}

bool pim_command_receives(int code)
{
	return code == PIM_COMMAND_recv || code == PIM_COMMAND_wait;
}

int64_t pim_command_bytes(const pim_program *p, const pim_command *c, int ref)
{
	if (!pim_command_is_kernel(c->code))
		return pim_pattern_bytes(&p->pattern[c->index]);
	const pim_kernel *k = &p->kernel[c->index];
	int64_t result = pim_type_bytes(k->op->type);
	if (ref == 0)
		return result;
	int64_t bytes = pim_type_bytes(k->graph->inputs[ref - 1]->type);
	return ref == 1 && k->op->op == PIM_OP_gather && result < bytes ? result : bytes;
}

static int64_t kernel_cycles(const pim_program *p, const pim_command *c, const pim_ref *ref)
{
	const pim_kernel *k = &p->kernel[c->index];
	int64_t bytes = 0, cycles = c->code == PIM_COMMAND_all_rows ? k->lockstep_cycles : k->cycles;
	for (int i = 0; i < c->n_refs; i++)
		if (ref[i].space != PIM_SPACE_buffer)
			bytes += pim_command_bytes(p, c, i) * (i == 0 && c->accumulate ? 2 : 1);
	if (!pim_add(cycles, pim_target_in_place_cycles(p->target, bytes), &cycles))
		return INT64_MAX;
	return cycles;
}

int64_t pim_command_cycles(const pim_program *p, const pim_command *c, const pim_ref *ref)
{
	bool memory = false;
	if (c->n_refs == 0)
		return 0;
	if (pim_command_is_kernel(c->code))
		return kernel_cycles(p, c, ref);
	for (int i = 0; i < c->n_refs; i++)
		memory = memory || ref[i].space != PIM_SPACE_buffer;
	int64_t bytes = pim_command_bytes(p, c, 0);
	int64_t port = memory ? pim_target_memory_cycles(p->target, bytes)
						  : pim_target_buffer_cycles(p->target, bytes);
	return pim_command_posts(c->code) ? pim_max(port, pim_target_send_cycles(p->target, bytes, 0))
									  : port;
}
