/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_fuse.c - a group of the search as a fused group of the graph: its followers share the walk
 * of their leader.
 *
 * The leader's loops over its result, followed through the group, are the walk of the last member;
 * those between have the loops that they follow; loops over sums stay the leader's own. So each
 * tile of the leader is finished by all followers before the next one begins, only the last result
 * goes to main memory, and a reader may start on it tile by tile. A group is left apart where its
 * operands do not fit the buffer together or its members do not read each other tile by tile. */
#include <string.h>

#include "passes/mapper.h"

static const pim_node *member_at(const pim_mapper_group *g, int k)
{
	return k ? g->follower[k - 1] : g->leader;
}

/* The axis of the walk's last member that an axis of member p goes by, or its own that goes by
 * `walk_axis`; -1 for none. */
static int find_follower(const pim_member *p, int walk_axis)
{
	for (int k = 0; k < p->axes->n_axes; k++)
		if (p->follows[k] == walk_axis)
			return k;
	return -1;
}

/* The leader's loops and tile, as axes of the last member. */
static void set_walk(pim_fusion *f)
{
	const pim_member *first = &f->member[0], *last = &f->member[f->n - 1];
	const pim_nest *from = first->node->plan->nest;
	pim_nest *walk = last->node->plan->nest;
	for (int k = 0; k < first->axes->n_axes; k++)
		if (first->follows[k] >= 0)
			walk->tile[first->follows[k]] = from->tile[k];
	for (int i = 0; i < from->n; i++) {
		int axis = first->follows[from->loop[i].axis];
		if (!from->loop[i].spatial && axis >= 0)
			walk->loop[walk->n++] = (pim_loop){axis, from->loop[i].count, false};
	}
}

static void set_nest_between(const pim_fusion *f, const pim_member *p)
{
	const pim_nest *walk = f->member[f->n - 1].node->plan->nest;
	pim_nest *nest = p->node->plan->nest;
	for (int k = 0; k < p->axes->n_axes; k++)
		if (p->follows[k] >= 0)
			nest->tile[k] = walk->tile[p->follows[k]];
	for (int i = 0; i < walk->n; i++) {
		int axis = find_follower(p, walk->loop[i].axis);
		if (!walk->loop[i].spatial && axis >= 0)
			nest->loop[nest->n++] = (pim_loop){axis, walk->loop[i].count, false};
	}
}

/* Only sums may be cut by loops that the walk does not have. */
static bool walks_together(const pim_fusion *f)
{
	const pim_member *first = &f->member[0];
	const pim_nest *nest = first->node->plan->nest;
	bool inside = false;
	for (int i = 0; i < nest->n; i++) {
		int axis = nest->loop[i].axis;
		if (nest->loop[i].spatial)
			continue;
		if (first->follows[axis] < 0 && !first->own[axis])
			return false;
		if (inside && first->follows[axis] >= 0)
			return false;
		inside = inside || first->own[axis];
	}
	return true;
}

/* Members read each other's tiles in full: a coupled axis is not cut. */
static bool cuts_coupled(const pim_fusion *f)
{
	for (int m = 0; m < f->n; m++) {
		const pim_member *p = &f->member[m];
		for (int k = 0; k < p->axes->n_axes; k++)
			if (p->axes->axis[k].kind == PIM_AXIS_coupled &&
				p->node->plan->nest->tile[k] < p->extent[k])
				return true;
	}
	return false;
}

bool pim_mapper_fuse(const pim_mapper *m, const pim_mapper_group *g, pim_node *const *node)
{
	pim_arena *scratch = pim_arena_new();
	pim_fusion *f = pim_fusion_new(g->n_followers + 1, node, m->stored, scratch);
	bool good = !f->why && walks_together(f);
	if (good) {
		set_walk(f);
		for (int k = 1; k < f->n - 1; k++)
			set_nest_between(f, &f->member[k]);
		good = !cuts_coupled(f) && pim_fusion_buffer_bytes(f, NULL) <= m->target->buffer.bytes;
	}
	pim_arena_free(scratch);
	return good;
}

bool pim_mapper_fits(const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_choice *c)
{
	if (!g->n_followers)
		return true;
	pim_arena *scratch = pim_arena_new();
	pim_node **node = PIM_NEW(scratch, pim_node *, g->n_followers + 1);
	for (int k = 0; k <= g->n_followers; k++) {
		node[k] = pim_mapper_shadow(member_at(g, k), &c->layout, c->nest, scratch);
		for (uint32_t i = 0; i < node[k]->n_in; i++)
			for (int before = 0; before < k; before++)
				if (node[k]->in[i] == member_at(g, before))
					node[k]->in[i] = node[before];
		if (k)
			node[k]->plan->nest = pim_nest_whole(m->target, node[k], scratch);
	}
	bool good = pim_mapper_fuse(m, g, node);
	pim_arena_free(scratch);
	return good;
}

/* ---- groups stand together ---- */

static bool reads_any(const pim_node *n, const bool *set)
{
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i] && set[n->in[i]->id])
			return true;
	return false;
}

/* Nodes between the leader and the last follower: what depends on the group goes behind it, the
 * rest in front. */
void pim_mapper_gather(const pim_mapper *m, const pim_mapper_group *g)
{
	pim_arena *scratch = pim_arena_new();
	bool *depends = PIM_NEW(scratch, bool, m->graph->n_ids);
	int group = m->group_of[g->leader->id];
	pim_node *first = (pim_node *)g->leader, *end = (pim_node *)g->follower[g->n_followers - 1];
	pim_node *last = end, *next;
	end = last->next;
	for (pim_node *n = first; n != last; n = next) {
		next = n->next;
		bool member = m->group_of[n->id] == group;
		depends[n->id] = member || reads_any(n, depends);
		if (member)
			continue;
		pim_node_unlink(n);
		pim_node_link(n, depends[n->id] ? end : first);
	}
	pim_arena_free(scratch);
}
