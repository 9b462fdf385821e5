/* SPDX-License-Identifier: Apache-2.0 */
/* dce - drop what no result depends on.
 *
 * Needs: shaped.
 * Idea:  pim_graph_drop_unused, which other passes use too.
 * Cost:  linear in nodes. */
#include "passes/pass.h"

bool pim_pass_dce(pim_graph *g, pim_job *j)
{
	pim_job_count(j, "removed", pim_graph_drop_unused(g, j->arena));
	return true;
}
