/* SPDX-License-Identifier: Apache-2.0 */
/* verify_fusion - the part of MAPPED that is about groups of ops which share a walk over tiles.
 *
 * A group stands together, so no path of values leaves it and comes back. Slices go together, tiles
 * are those of the last member's walk, sums are complete before they are read, and all operands fit
 * the buffer. */
#include "ir/fusion.h"

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

/* The first of the group must stand before n with nothing but members and leaves between. */
static bool check_place(const pim_node *n)
{
	const pim_node *first = n->plan->fused, *p = n->prev;
	while (p && p != first && (is_leaf(p) || (p->plan && p->plan->fused == first)))
		p = p->prev;
	if (first->graph != n->graph || p != first || is_leaf(n))
		return pim_node_error(
			n, "is fused with a node that does not stand before it, or not all between them are");
	if (is_leaf(first) || (first->plan && first->plan->fused))
		return pim_node_error(n, "is fused with a node that begins no group");
	return true;
}

static bool check_kind(const pim_node *n)
{
	bool moves = pim_op_at((pim_op)n->op)->flags & PIM_OPF_move;
	if (n->plan && n->plan->layout && n->plan->nest && !n->type->n_parts && !moves)
		return true;
	return pim_node_error(
		n, "is fused, but has no tiles: it only moves elements, makes a tuple or has no layout");
}

/* The nodes of a group can have slices and tiles at all. */
static bool check_kinds(pim_node *first)
{
	bool ok = true;
	for (pim_node *n = first; n; n = pim_fusion_next(n))
		ok = check_kind(n) && ok;
	return ok;
}

static bool check_slices(const pim_fusion *f)
{
	const pim_node *last = f->member[f->n - 1].node;
	int64_t slices = pim_layout_slices(last->plan->layout);
	for (int m = 0; m < f->n - 1; m++) {
		const pim_node *n = f->member[m].node;
		if (pim_layout_slices(n->plan->layout) != slices)
			return pim_node_error(n, "has %lld slices, but the last op of its group %lld",
				(long long)pim_layout_slices(n->plan->layout), (long long)slices);
		for (int64_t s = 0; s < slices; s++) {
			int64_t own = pim_fusion_slice(f, m, s);
			if (own < 0)
				return pim_node_error(n,
					"has no slice with the box that slice %lld of the last op of its group reads",
					(long long)s);
			if (pim_slice_position(n, own) != pim_slice_position(last, s))
				return pim_node_error(n,
					"slice %lld stands at position %lld of its order, but what reads it at %lld",
					(long long)own, (long long)pim_slice_position(n, own),
					(long long)pim_slice_position(last, s));
		}
	}
	return true;
}

static bool check_tile(const pim_fusion *f, int m)
{
	const pim_member *p = &f->member[m];
	const int64_t *tile = p->node->plan->nest->tile,
				  *walk = f->member[f->n - 1].node->plan->nest->tile;
	for (int k = 0; k < p->axes->n_axes; k++) {
		const pim_axis *a = &p->axes->axis[k];
		int64_t want = p->follows[k] < 0 ? p->extent[k] : walk[p->follows[k]];
		if (a->kind == PIM_AXIS_coupled && tile[k] < p->extent[k])
			return pim_node_error(p->node,
				"its axis %s is cut in tiles of %lld, but its group needs all %lld at a time",
				a->name, (long long)tile[k], (long long)p->extent[k]);
		if (tile[k] != want && !p->own[k])
			return pim_node_error(p->node,
				"its axis %s has tiles of %lld, but what its group makes or reads with it has "
				"tiles "
				"of %lld",
				a->name, (long long)tile[k], (long long)want);
	}
	return true;
}

static bool is_followed(const pim_member *p, int walk_axis)
{
	for (int k = 0; k < p->axes->n_axes; k++)
		if (p->follows[k] == walk_axis)
			return true;
	return false;
}

static int next_temporal(const pim_nest *nest, int i)
{
	for (i++; i < nest->n && nest->loop[i].spatial; i++)
		;
	return i;
}

/* The loops of the walk that the member follows, in their order, and then its own. */
static bool check_loops(const pim_fusion *f, int m)
{
	const pim_member *p = &f->member[m];
	const pim_nest *walk = f->member[f->n - 1].node->plan->nest, *nest = p->node->plan->nest;
	int i = next_temporal(nest, -1);
	for (int w = next_temporal(walk, -1); w < walk->n; w = next_temporal(walk, w)) {
		if (!is_followed(p, walk->loop[w].axis))
			continue;
		if (i >= nest->n || p->follows[nest->loop[i].axis] != walk->loop[w].axis ||
			nest->loop[i].count != walk->loop[w].count)
			return pim_node_error(
				p->node, "its loops are not those of the last op of its group, in their order");
		i = next_temporal(nest, i);
	}
	for (; i < nest->n; i = next_temporal(nest, i))
		if (p->follows[nest->loop[i].axis] >= 0)
			return pim_node_error(p->node,
				"walks along axis %s by itself, but the last op of its group does not",
				p->axes->axis[nest->loop[i].axis].name);
	return true;
}

static bool check_buffer(const pim_fusion *f, const pim_limits *l)
{
	int64_t bytes = pim_fusion_buffer_bytes(f, NULL);
	if (!l->units || bytes <= l->buffer_bytes)
		return true;
	return pim_node_error(f->member[0].node,
		"its group of %d ops takes %lld bytes of the buffer, which has %lld: smaller tiles or "
		"fewer ops would do",
		f->n, (long long)bytes, (long long)l->buffer_bytes);
}

static bool check_group(pim_graph *g, pim_node *first, const bool *stored, pim_arena *scratch)
{
	if (!check_kinds(first))
		return false;
	pim_fusion *f = pim_fusion_of(first, stored, scratch);
	if (f->why)
		return pim_node_error(f->misfit, "is fused, but %s", f->why);
	bool ok = check_slices(f);
	for (int m = 0; m < f->n && ok; m++)
		ok = check_tile(f, m) && check_loops(f, m);
	return ok && check_buffer(f, &g->limits);
}

bool pim_verify_fusions(pim_graph *g)
{
	bool ok = true, any = false;
	PIM_EACH_NODE(n, g)
	if (n->plan && n->plan->fused) {
		any = true;
		ok = check_place(n) && ok;
	}
	if (!ok || !any)
		return ok;
	pim_arena *scratch = pim_arena_new();
	const bool *stored = pim_graph_stored(g, scratch);
	PIM_EACH_NODE(n, g)
	if (!is_leaf(n) && pim_fusion_first(n) == n && pim_fusion_next(n)) {
		pim_arena *one = pim_arena_new();
		ok = check_group(g, n, stored, one) && ok;
		pim_arena_free(one);
	}
	pim_arena_free(scratch);
	return ok;
}
