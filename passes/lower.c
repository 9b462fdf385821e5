/* SPDX-License-Identifier: Apache-2.0 */
/* lower - write command code.
 *
 * Needs: placed.  Gives: lowered.
 * Idea:  the target's command set knows how (docs/design.md, 10.4); this asks it and counts.
 * Cost:  linear in slices and messages. */
#include "passes/pass.h"

bool pim_pass_lower(pim_graph *g, pim_job *j)
{
	if (!pim_target_lower(j->target, g, j->arena))
		return false;
	double commands = 0, executed = 0, kernels = 0, bytes = 0;
	pim_target_code_statistics(g, &commands, &executed, &kernels, &bytes);
	pim_job_count(j, "commands", commands);
	pim_job_count(j, "executed", executed);
	pim_job_count(j, "kernels", kernels);
	pim_job_count(j, "bytes", bytes);
	return true;
}
