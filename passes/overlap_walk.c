/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_walk - ops that share a walk, in the overlap analysis: as the last one's tiles.
 *
 * Each tile of the last member's nest runs every member once, on what its axes that follow the walk
 * have in it. So the members have the same steps: their data spaces are those of the walk's loops,
 * put as loops of the axes that follow them. A loop that a member does not follow runs it again;
 * its value is complete with the last time, as a sum's is. */
#include "passes/overlap_state.h"

const pim_node *pim_overlap_walker(const pim_overlap *s, const pim_node *n)
{
	const pim_fusion *f = s->run[n->id].walk;
	return f ? f->member[f->n - 1].node : n;
}

int64_t pim_overlap_walk_slice(const pim_overlap *s, const pim_node *n, int64_t slice)
{
	const pim_op_run *r = &s->run[n->id];
	return r->in_walk ? r->in_walk[slice] : slice;
}

/* The one axis of a member that follows an axis of the walk; -1 for none, -2 for several. */
static int find_follower(const pim_member *p, int walk_axis)
{
	int found = -1;
	for (int k = 0; k < p->axes->n_axes; k++)
		if (p->follows[k] == walk_axis)
			found = found == -1 ? k : -2;
	return found;
}

/* The walk's loops as a member's; NULL when they cannot be said so. */
static pim_spaces *spaces_of_walk(const pim_fusion *f, const pim_member *p, pim_arena *a)
{
	const pim_nest *walk = f->member[f->n - 1].node->plan->nest, *own = p->node->plan->nest;
	int64_t size[PIM_MAX_AXES], tile[PIM_MAX_AXES];
	bool result[PIM_MAX_AXES];
	int n_axes = p->axes->n_axes, n = 0;
	pim_loop *loop = PIM_NEW(a, pim_loop, own->n + walk->n);
	for (int k = 0; k < n_axes; k++) {
		size[k] = tile[k] = p->axes->axis[k].size;
		result[k] = pim_axes_indexes_result(p->axes, k);
	}
	for (int i = 0; i < own->n; i++)
		if (own->loop[i].spatial)
			loop[n++] = own->loop[i];
	for (int i = 0; i < walk->n; i++) {
		const pim_loop *l = &walk->loop[i];
		if (l->spatial)
			continue;
		int axis = find_follower(p, l->axis);
		if (axis == -2 || (axis == -1 && n_axes == PIM_MAX_AXES))
			return NULL;
		if (axis == -1) {
			size[n_axes] = l->count;
			tile[n_axes] = 1;
			result[n_axes] = false;
			axis = n_axes++;
		} else {
			tile[axis] = walk->tile[l->axis];
		}
		loop[n++] = (pim_loop){axis, l->count, false};
	}
	return pim_spaces_new(n_axes, size, tile, result, n, loop, a);
}

/* Which slices of a member run with those of the walk; false when one is left out. */
static bool match_slices(pim_overlap *s, const pim_fusion *f, int m, int64_t slices)
{
	pim_op_run *r = &s->run[f->member[m].node->id];
	if (r->slices != slices)
		return false;
	r->by_walk = PIM_NEW(s->arena, int64_t, slices);
	r->in_walk = PIM_NEW(s->arena, int64_t, slices);
	for (int64_t i = 0; i < slices; i++)
		r->in_walk[i] = -1;
	for (int64_t i = 0; i < slices; i++) {
		int64_t own = pim_fusion_slice(f, m, i);
		if (own < 0 || r->in_walk[own] >= 0)
			return false;
		r->by_walk[i] = own;
		r->in_walk[own] = i;
	}
	return true;
}

bool pim_overlap_join(pim_overlap *s, const pim_node *first)
{
	const pim_fusion *f = pim_fusion_of((pim_node *)first, NULL, s->arena);
	const pim_node *last = f->member[f->n - 1].node;
	const pim_op_run *walk = &s->run[last->id], *lead = &s->run[first->id];
	double tile = lead->seen.tile * (double)lead->tiles / (double)walk->tiles;
	double message = lead->seen.message * (double)lead->tiles / (double)walk->tiles;
	for (int m = 0; m < f->n; m++) {
		pim_op_run *r = &s->run[f->member[m].node->id];
		r->walk = f;
		r->member = m;
		if (m + 1 < f->n) {
			r->spaces = spaces_of_walk(f, &f->member[m], s->arena);
			if (!r->spaces || r->spaces->steps != walk->tiles ||
				!match_slices(s, f, m, walk->slices))
				return false;
		}
		r->tiles = r->seen.steps = walk->tiles;
		r->seen.units = walk->seen.units;
		r->seen.tile = tile;
		r->seen.message = message;
		r->done = PIM_NEW(s->arena, double, r->tiles + 1);
	}
	return true;
}
