/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rewrite.c - steps that several rewriting passes take. */
#include "passes/pass.h"

void pim_replacer_update(pim_replacer *r, pim_node *n)
{
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i])
			n->in[i] = pim_replacer_find(r, n->in[i]);
}

/* Inputs of a node stand before it, so one walk from the last node to the first sees every user of
 * a node before the node. */
int pim_graph_drop_unused(pim_graph *g, pim_arena *scratch)
{
	bool *used = PIM_NEW(scratch, bool, g->n_ids + 1);
	int dropped = 0;
	for (int i = 0; i < g->n_results; i++)
		used[g->results[i]->id] = true;
	for (pim_node *n = g->last, *prev; n; n = prev) {
		prev = n->prev;
		if (!used[n->id] && n->op != PIM_OP_input) {
			pim_node_unlink(n);
			dropped++;
			continue;
		}
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i])
				used[n->in[i]->id] = true;
	}
	return dropped;
}
