/* SPDX-License-Identifier: Apache-2.0 */
/* lower - write command code.
 *
 * Needs: placed.  Gives: lowered.
 * Idea:  the target's command set knows how (docs/design.md, 10.4); this asks it and counts.
 * Cost:  linear in slices and messages. */
#include <string.h>

#include "passes/pass.h"

static bool read_barriers(const pim_job *j, pim_barriers *out)
{
	static const char *const names[] = {"none", "op", "set"};
	const char *wanted = pim_job_string(j, "barrier");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(wanted, names[i])) {
			*out = (pim_barriers)i;
			return true;
		}
	return pim_file_error(j->graph->module->context, NULL,
		"option barrier of pass 'lower' is '%s', expected none, op or set", wanted);
}

bool pim_pass_lower(pim_graph *g, pim_job *j)
{
	pim_barriers barriers = PIM_BARRIERS_none;
	if (!read_barriers(j, &barriers) || !pim_target_lower(j->target, g, barriers, j->arena))
		return false;
	pim_code_statistics s = pim_target_code_statistics(g);
	pim_job_count(j, "commands", s.commands);
	pim_job_count(j, "executed", s.executed);
	pim_job_count(j, "kernels", s.kernels);
	pim_job_count(j, "bytes", s.bytes);
	pim_job_count(j, "latency", s.latency);
	return true;
}
