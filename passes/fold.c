/* SPDX-License-Identifier: Apache-2.0 */
/* fold - compute what depends on constants only.
 *
 * Needs: shaped.
 * Idea:  in program order, so that a chain of constants is computed in one walk. A result larger
 * than `limit` elements is left for run time. What it was computed from goes when nothing else uses
 * it. Cost:  linear in nodes, plus the evaluation. */
#include "passes/pass.h"

bool pim_pass_fold(pim_graph *g, pim_job *j)
{
	int64_t limit = pim_job_int(j, "limit");
	pim_replacer *r = pim_replacer_new(g, j->arena);
	int folded = 0;
	PIM_EACH_NODE(n, g)
	{
		if (pim_op_at(n->op)->flags & PIM_OPF_leaf)
			continue;
		pim_replacer_update(r, n);
		pim_node *by = pim_node_to_constant(n, limit);
		if (!by)
			return false;
		if (by == n)
			continue;
		pim_replacer_note(r, n, by);
		folded++;
	}
	pim_replacer_apply(r);
	pim_job_count(j, "folded", folded);
	if (folded)
		pim_graph_drop_unused(g, j->arena);
	return true;
}
