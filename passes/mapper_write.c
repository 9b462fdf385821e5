/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_write.c - a plan of the search as facts of the graph.
 *
 * Leaders of groups have the layout, the loops and the times of their choice, and so have their
 * followers, in the same walk where the choice says so. What only moves runs with what it reads
 * last, in the cuts that cost least (mapper_moves.c); inputs lie as their first reader is cut,
 * constants get nothing: they lie as they are read.
 */
#include <math.h>
#include <string.h>

#include "passes/mapper.h"

typedef struct writer {
	pim_mapper *m;
	const pim_mapper_plan *plan;
	pim_graph *graph;
	int64_t nests; /* that were looked at */
} writer;

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

static void write_layout(pim_node *n, const pim_layout *l)
{
	pim_plan *p = pim_node_plan(n);
	p->layout = PIM_NEW(n->graph->module->arena, pim_layout, 1);
	*p->layout = *l;
	p->set = -1;
}

static void write_times(pim_node *n, int units, double begin, double end)
{
	pim_plan *p = pim_node_plan(n);
	p->n_units = units;
	p->start = (int64_t)ceil(begin);
	p->cycles = (int64_t)ceil(end) - p->start;
}

static void write_member(writer *w, pim_node *n)
{
	const pim_mapper *m = w->m;
	int i = m->group_of[n->id];
	const pim_mapper_choice *c = w->plan->choice[i];
	write_layout(n, &c->layout);
	write_times(n, c->units, w->plan->begin[i], w->plan->end[i]);
	n->plan->order = w->plan->order[i]
						 ? pim_order_new(c->slices, w->plan->order[i], n->graph->module->arena)
						 : NULL;
	n->plan->fused = NULL;
	if (m->group[i].leader == n) {
		pim_nest *nest = n->plan->nest = PIM_NEW(n->graph->module->arena, pim_nest, 1);
		*nest = *c->nest;
		nest->loop = PIM_NEW(n->graph->module->arena, pim_loop, nest->n + 1);
		nest->tile = PIM_NEW(n->graph->module->arena, int64_t, nest->n_axes + 1);
		memcpy(nest->loop, c->nest->loop, sizeof *nest->loop * (size_t)nest->n);
		memcpy(nest->tile, c->nest->tile, sizeof *nest->tile * (size_t)nest->n_axes);
	} else if (c->fused) {
		n->plan->nest = pim_nest_whole(m->target, n, n->graph->module->arena);
	} else {
		n->plan->nest =
			pim_nest_choose(m->target, n, PIM_NEST_greedy, n->graph->module->arena, &w->nests);
	}
}

/* The members of a group share a walk, where its choice says that they can. */
static void write_fusion(writer *w, int group)
{
	const pim_mapper_group *g = &w->m->group[group];
	if (!g->n_followers || !w->plan->choice[group]->fused)
		return;
	pim_arena *scratch = pim_arena_new();
	pim_node **node = PIM_NEW(scratch, pim_node *, g->n_followers + 1);
	node[0] = (pim_node *)g->leader;
	for (int k = 0; k < g->n_followers; k++)
		node[k + 1] = (pim_node *)g->follower[k];
	pim_mapper_gather(w->m, g);
	if (!pim_mapper_fuse(w->m, g, node))
		PIM_BUG("a group that was offered together cannot be written so");
	for (int k = 1; k <= g->n_followers; k++)
		node[k]->plan->fused = node[0];
	pim_arena_free(scratch);
}

/* What only moves runs with what it reads last, and begins in cuts along the same axes. */
static void write_move(writer *w, pim_node *n)
{
	pim_node *last = NULL;
	double begin = 0;
	for (uint32_t i = 0; i < n->n_in; i++) {
		pim_node *in = n->in[i];
		if (in && !is_leaf(in))
			begin = fmax(begin, (double)in->plan->start);
		if (in && !is_leaf(in) &&
			(!last || in->plan->start + in->plan->cycles > last->plan->start + last->plan->cycles))
			last = in;
	}
	pim_layout l =
		last ? pim_mapper_layout_of(w->m, last, last->plan->layout, n) : pim_layout_whole(n->type);
	write_layout(n, &l);
	if (last)
		write_times(
			n, last->plan->n_units, begin, (double)(last->plan->start + last->plan->cycles));
	else
		write_times(n, 1, 0, 0);
	n->plan->fused = NULL;
}

/* The first group whose leader reads n; -1: none does. */
static int find_reader(const pim_mapper *m, const pim_node *n)
{
	for (int i = 0; i < m->n; i++)
		for (uint32_t k = 0; k < m->group[i].leader->n_in; k++)
			if (m->group[i].leader->in[k] == n)
				return i;
	return -1;
}

/* An input lies as its first reader that computes is cut. */
static void write_input(writer *w, pim_node *n)
{
	int i = find_reader(w->m, n);
	pim_layout l =
		i < 0 ? pim_layout_whole(n->type)
			  : pim_mapper_layout_of(w->m, w->m->group[i].leader, &w->plan->choice[i]->layout, n);
	write_layout(n, &l);
	write_times(n, (int)pim_min(pim_layout_slices(&l), w->m->units), 0, 0);
}

int64_t pim_mapper_write(pim_mapper *m, const pim_mapper_plan *p, pim_graph *g)
{
	writer write = {.m = m, .plan = p, .graph = g}, *w = &write;
	pim_graph_forget(w->graph, PIM_FACT_split);
	PIM_EACH_NODE(n, w->graph)
	{
		if (n->op == PIM_OP_constant)
			continue;
		if (is_leaf(n))
			write_input(w, n);
		else if (w->m->group_of[n->id] >= 0)
			write_member(w, n);
		else
			write_move(w, n);
	}
	pim_mapper_settle_moves(w->m, g);
	PIM_EACH_NODE(n, w->graph)
	if (!is_leaf(n) && w->m->group_of[n->id] < 0)
		n->plan->nest =
			pim_nest_choose(w->m->target, n, PIM_NEST_greedy, n->graph->module->arena, &w->nests);
	for (int i = 0; i < w->m->n; i++)
		write_fusion(w, i);
	return w->nests;
}
