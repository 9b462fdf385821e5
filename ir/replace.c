/* SPDX-License-Identifier: Apache-2.0 */
/* replace - letting the users of one node use another: one at a time, or many in one walk.
 *
 * The replacement itself keeps its inputs, so that a node can stand in for one of its own inputs
 * (a relayout put behind a value). */
#include "ir/ir.h"

static void inherit(pim_node *old, pim_node *by)
{
	by->loc = pim_loc_merge(pim_context_of(by), by->loc, old->loc);
	if (by->name || !old->name)
		return;
	const char *name = old->name;
	pim_node_unname(old);
	pim_node_rename(by, name);
}

void pim_node_replace(pim_node *old, pim_node *by)
{
	pim_graph *g = old->graph;
	for (pim_node *n = old->next; n; n = n->next)
		for (uint32_t i = 0; i < n->n_in && n != by; i++)
			if (n->in[i] == old)
				n->in[i] = by;
	for (int i = 0; i < g->n_results; i++)
		if (g->results[i] == old)
			g->results[i] = by;
	inherit(old, by);
}

struct pim_replacer {
	pim_graph *graph;
	pim_arena *arena;
	pim_node **by; /* of node id; NULL: itself */
	uint32_t room;
	bool any;
};

pim_replacer *pim_replacer_new(pim_graph *g, pim_arena *scratch)
{
	pim_replacer *r = PIM_NEW(scratch, pim_replacer, 1);
	r->graph = g;
	r->arena = scratch;
	return r;
}

static void make_room(pim_replacer *r)
{
	uint32_t room = r->graph->n_ids + r->graph->n_ids / 2 + 8;
	pim_node **more = PIM_NEW(r->arena, pim_node *, room);
	for (uint32_t i = 0; i < r->room; i++)
		more[i] = r->by[i];
	r->by = more;
	r->room = room;
}

void pim_replacer_note(pim_replacer *r, pim_node *old, pim_node *by)
{
	by = pim_replacer_find(r, by);
	if (by == old)
		return;
	if (old->id >= r->room)
		make_room(r);
	r->by[old->id] = by;
	r->any = true;
	inherit(old, by);
}

pim_node *pim_replacer_find(pim_replacer *r, pim_node *n)
{
	pim_node *end = n;
	while (end->id < r->room && r->by[end->id])
		end = r->by[end->id];
	while (n != end) {
		pim_node *next = r->by[n->id];
		r->by[n->id] = end;
		n = next;
	}
	return end;
}

void pim_replacer_apply(pim_replacer *r)
{
	pim_graph *g = r->graph;
	if (!r->any)
		return;
	PIM_EACH_NODE(n, g)
	for (uint32_t i = 0; i < n->n_in; i++) {
		pim_node *by = n->in[i] ? pim_replacer_find(r, n->in[i]) : NULL;
		if (by && by != n)
			n->in[i] = by;
	}
	for (int i = 0; i < g->n_results; i++)
		g->results[i] = pim_replacer_find(r, g->results[i]);
}
