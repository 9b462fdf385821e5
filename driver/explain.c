/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - --explain-overlap: why a tile of an op waits. */
#include <string.h>

#include "driver/driver.h"

bool explain_overlap(session *s, const pim_module *m)
{
	const options *o = s->o;
	if (!o->explained)
		return true;
	if (m->n_graphs != 1)
		return pim_error(s->context, (pim_loc){0, 0},
			"--explain-overlap looks at one graph, and this module has %d", m->n_graphs);
	pim_graph *g = m->graphs[0];
	const pim_target *t = s->target;
	if (!t && g->target)
		t = pim_target_find(s->context, g->target);
	if (!t || !(g->facts & PIM_FACT_mapped))
		return pim_error(
			s->context, g->loc, "graph @%s has no loop nests to explain: run map first", g->name);
	const pim_node *n = find_value(g, o->explained, s->arena);
	return n && pim_overlap_explain(
					pim_overlap_new(g, t, s->arena), n, o->explained_tile, o->explanation);
}
