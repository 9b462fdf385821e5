/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - gives every op a loop nest whose tiles fit the unit's buffer.
 *
 * Needs: laid_out. Gives: mapped.
 * Idea: the spatial loops are the layout; the temporal ones are searched by nest_search.c, once for
 * all nodes of the same op, types and layout. Then ops that read each other's tiles are fused where
 * that is faster (fusion_groups.c). Cost: some hundred nests for each unlike op. Source:
 * loop nests as in Timeloop; the greedy search is ours. */
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"

typedef struct mapping {
	const pim_target *target;
	pim_nest_method method;
	pim_map *known;
	pim_text key;
	int64_t evaluated;
	double tiles;
} mapping;

static void put_layout(pim_text *key, const pim_node *n)
{
	if (n && n->plan && n->plan->layout)
		pim_text_add(key, (const char *)n->plan->layout, sizeof *n->plan->layout);
}

static void count_tiles(mapping *m, const pim_node *n)
{
	double tiles = (double)pim_layout_slices(n->plan->layout);
	for (int k = 0; k < n->plan->nest->n; k++)
		if (!n->plan->nest->loop[k].spatial)
			tiles *= n->plan->nest->loop[k].count;
	m->tiles += tiles;
}

static void map_node(mapping *m, pim_node *n)
{
	m->key.n = 0;
	pim_op_key(&m->key, n);
	put_layout(&m->key, n);
	if (n->op == PIM_OP_relayout)
		put_layout(&m->key, n->in[0]);
	pim_nest *nest = pim_map_get(m->known, m->key.s, m->key.n);
	if (!nest) {
		nest = pim_nest_choose(m->target, n, m->method, n->graph->module->arena, &m->evaluated);
		pim_map_put(m->known, m->key.s, m->key.n, nest);
	}
	n->plan->nest = nest;
	n->plan->fused = NULL;
}

bool pim_pass_map(pim_graph *g, pim_job *j)
{
	const char *search = pim_job_string(j, "search");
	bool all = !strcmp(search, "exhaustive");
	if (!all && strcmp(search, "greedy") != 0)
		return pim_error(g->module->context, g->loc,
			"no search is called '%s'; expected greedy or exhaustive", search);
	mapping m = {.target = j->target, .known = pim_map_new(pim_job_arena(j))};
	m.method = all ? PIM_NEST_exhaustive : PIM_NEST_greedy;
	PIM_EACH_NODE(n, g)
	{
		if (!(pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf))
			map_node(&m, n);
	}
	free(m.key.s);
	int groups = 0, kept = 0;
	if (pim_job_int(j, "fuse"))
		pim_fusion_grow(g, j->target, m.method, pim_job_arena(j), &m.evaluated, &groups, &kept);
	PIM_EACH_NODE(n, g)
	{
		if (!(pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf))
			count_tiles(&m, n);
	}
	pim_job_count(j, "groups", groups);
	pim_job_count(j, "kept", kept);
	pim_job_count(j, "tiles", m.tiles);
	pim_job_count(j, "evaluated", (double)m.evaluated);
	return true;
}
