/* SPDX-License-Identifier: Apache-2.0 */
/* fusion.c - groups of ops that share one walk over tiles, and what they need of the buffer.
 *
 * The last member's nest is the walk. Where a member reads another one's result with the very axes
 * that made it, the axes of the maker follow those of the reader; so, from the last member back, an
 * axis follows one of the walk or is whole in every tile. What the members need of the buffer is
 * here once, for the pass that makes groups, their verifier and the lowering. */
#include <string.h>

#include "ir/fusion.h"

pim_node *pim_fusion_first(const pim_node *n)
{
	return n->plan && n->plan->fused ? n->plan->fused : (pim_node *)n;
}

pim_node *pim_fusion_next(const pim_node *n)
{
	const pim_node *first = pim_fusion_first(n);
	pim_node *next = n->next;
	while (next && pim_op_at((pim_op)next->op)->flags & PIM_OPF_leaf)
		next = next->next;
	return next && next->plan && next->plan->fused == first ? next : NULL;
}

bool *pim_graph_stored(const pim_graph *g, pim_arena *a)
{
	bool *stored = PIM_NEW(a, bool, g->n_ids);
	for (const pim_node *n = g->first; n; n = n->next) {
		stored[n->id] = !pim_fusion_next(n);
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i] && pim_fusion_first(n->in[i]) != pim_fusion_first(n))
				stored[n->in[i]->id] = true;
	}
	for (int i = 0; i < g->n_results; i++)
		stored[g->results[i]->id] = true;
	return stored;
}

/* ---- who follows whom ---- */

static bool is_matrix(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_matrix;
}

static int find_member(const pim_fusion *f, int before, const pim_node *n)
{
	for (int m = before - 1; n && m >= 0; m--)
		if (f->member[m].node == n)
			return m;
	return -1;
}

static void fill_member(pim_fusion *f, int m, pim_node *n, const bool *stored, pim_arena *a)
{
	pim_member *p = &f->member[m];
	*p = (pim_member){.node = n,
		.axes = pim_axes_new(n, a),
		.operand = f->n_operands,
		.from = PIM_NEW(a, int, n->n_in + 1),
		.stored = !stored || stored[n->id],
		.last_reader = -1};
	f->n_operands += (int)n->n_in + 1;
	p->follows = PIM_NEW(a, int, p->axes->n_axes + 1);
	p->own = PIM_NEW(a, bool, p->axes->n_axes + 1);
	p->extent = PIM_NEW(a, int64_t, p->axes->n_axes + 1);
	pim_nest_extents(n, p->axes, p->extent);
	for (int k = 0; k < p->axes->n_axes; k++)
		p->follows[k] = m == f->n - 1 ? k : -1;
	for (uint32_t i = 0; i < n->n_in; i++) {
		int from = p->from[i] = find_member(f, m, n->in[i]);
		if (from < 0)
			continue;
		f->member[from].last_reader = m;
		f->member[from].crosses |= is_matrix(f->member[from].node) != is_matrix(n);
	}
}

static bool misfits(pim_fusion *f, const pim_member *p, const char *why)
{
	f->misfit = p->node;
	f->why = why;
	return false;
}

/* The axis that runs over a whole dimension, beside axes of size 1; -1 when there is none. */
static int only_axis(const pim_axes *x, const pim_index *i, int64_t size)
{
	int found = -1;
	for (int t = 0; t < i->n; t++) {
		if (x->axis[i->term[t].axis].size == 1)
			continue;
		if (found >= 0 || i->term[t].coef != 1)
			return -1;
		found = i->term[t].axis;
	}
	return found >= 0 && i->offset == 0 && x->axis[found].size == size ? found : -1;
}

/* Reader r's input i is a whole tile of member p's result: p's axes follow what r's follow. */
static bool link_axes(pim_fusion *f, pim_member *p, const pim_member *r, int i)
{
	if (r->axes->whole[i])
		return misfits(f, p, "its group reads it in full, not by tiles");
	for (int d = 0; d < p->node->type->rank; d++) {
		int64_t size = p->node->type->dims[d];
		int made = only_axis(p->axes, &p->axes->map[p->axes->n_inputs][d], size);
		int read = only_axis(r->axes, &r->axes->map[i][d], size);
		if (size == 1)
			continue;
		if (made < 0 || read < 0)
			return misfits(f, p, "its group reads other pieces of it than it makes");
		if (p->linked && p->follows[made] != r->follows[read])
			return misfits(f, p, "two members of its group read different tiles of it");
		for (int k = 0; k < p->axes->n_axes; k++)
			if (k != made && p->follows[k] >= 0 && p->follows[k] == r->follows[read])
				return misfits(f, p, "two of its dimensions are tiled by one loop");
		p->follows[made] = r->follows[read];
	}
	p->linked = true;
	return true;
}

static bool link_inputs(pim_fusion *f, int m)
{
	const pim_member *r = &f->member[m];
	for (uint32_t i = 0; i < r->node->n_in; i++)
		if (r->from[i] >= 0 && !link_axes(f, &f->member[r->from[i]], r, (int)i))
			return false;
	return true;
}

static bool indexes(const pim_axes *x, int input, int axis)
{
	for (int d = 0; d < PIM_MAX_RANK; d++)
		for (int t = 0; t < x->map[input][d].n; t++)
			if (x->map[input][d].term[t].axis == axis)
				return true;
	return false;
}

/* Who reads the result reads complete sums: loops over a summed axis stand inside, for those before
 * the last member. What another member makes is there in one piece. */
static void find_own_axes(pim_member *p)
{
	for (int k = 0; k < p->axes->n_axes; k++) {
		p->own[k] = p->axes->axis[k].kind == PIM_AXIS_summed && p->follows[k] < 0;
		for (uint32_t i = 0; i < p->node->n_in; i++)
			if (p->from[i] >= 0 && indexes(p->axes, (int)i, k))
				p->own[k] = false;
	}
}

pim_fusion *pim_fusion_new(int n, pim_node *const *node, const bool *stored, pim_arena *a)
{
	pim_fusion *f = PIM_NEW(a, pim_fusion, 1);
	f->n = n;
	f->member = PIM_NEW(a, pim_member, n);
	for (int m = 0; m < n; m++)
		fill_member(f, m, node[m], stored, a);
	for (int m = n - 1; m >= 0; m--) {
		pim_member *p = &f->member[m];
		find_own_axes(p);
		if (m < n - 1 && p->last_reader < 0) {
			misfits(f, p, "no other member of its group reads it");
			break;
		}
		if (!link_inputs(f, m))
			break;
	}
	return f;
}

pim_fusion *pim_fusion_of(pim_node *first, const bool *stored, pim_arena *a)
{
	int n = 0;
	for (pim_node *p = first; p; p = pim_fusion_next(p))
		n++;
	pim_node **node = PIM_NEW(a, pim_node *, n);
	n = 0;
	for (pim_node *p = first; p; p = pim_fusion_next(p))
		node[n++] = p;
	return pim_fusion_new(n, node, stored, a);
}

/* ---- slices and tiles ---- */

/* Has the slice of p the ranges that its axes follow? Axes that follow none must be whole. */
static bool goes_with(const pim_member *p, const pim_box *axes, const pim_box *walk)
{
	for (int k = 0; k < axes->n; k++) {
		int w = p->follows[k];
		int64_t lo = w < 0 ? 0 : walk->lo[w], hi = w < 0 ? p->axes->axis[k].size : walk->hi[w];
		if (axes->lo[k] != lo || axes->hi[k] != hi)
			return false;
	}
	return true;
}

/* The slice whose box begins where the walk's does, of the same copy as slice s. */
static int64_t find_slice(const pim_fusion *f, const pim_member *p, const pim_box *walk, int64_t s)
{
	const pim_layout *l = p->node->plan->layout, *last = f->member[f->n - 1].node->plan->layout;
	int64_t each = pim_layout_slices(last) / last->copies, slice = s / each;
	if (l->copies != last->copies || l->sums != 1)
		return -1;
	for (int d = 0; d < l->rank; d++) {
		int64_t size = p->node->type->dims[d];
		int made = only_axis(p->axes, &p->axes->map[p->axes->n_inputs][d], size);
		int w = made < 0 ? -1 : p->follows[made];
		int64_t first = w < 0 ? 0 : walk->lo[w];
		slice = slice * l->parts[d] + (size ? ((first + 1) * l->parts[d] - 1) / size : 0);
	}
	return slice;
}

int64_t pim_fusion_slice(const pim_fusion *f, int m, int64_t s)
{
	const pim_member *p = &f->member[m], *last = &f->member[f->n - 1];
	pim_box walk, axes;
	if (p == last)
		return s;
	pim_slice_axes(last->node, last->axes, s, &walk);
	int64_t slice = find_slice(f, p, &walk, s);
	if (slice < 0 || slice >= pim_layout_slices(p->node->plan->layout))
		return -1;
	pim_slice_axes(p->node, p->axes, slice, &axes);
	return goes_with(p, &axes, &walk) ? slice : -1;
}

void pim_fusion_tile(
	const pim_fusion *f, int m, const pim_box *slice, const pim_box *walk, pim_box *axes)
{
	const pim_member *p = &f->member[m];
	axes->n = slice->n;
	for (int k = 0; k < slice->n; k++) {
		int w = p->follows[k];
		axes->lo[k] = w < 0 ? slice->lo[k] : walk->lo[w];
		axes->hi[k] = w < 0 ? slice->hi[k] : walk->hi[w];
	}
}

/* ---- the buffer ---- */

/* A place that was left. */
typedef struct gap {
	int64_t at, bytes;
} gap;

typedef struct room {
	int64_t end;
	int n;
	gap *gap;
} room;

/* The smallest gap that is large enough, else behind everything. */
static int64_t take_place(room *r, int64_t bytes)
{
	int best = -1;
	for (int i = 0; i < r->n; i++)
		if (r->gap[i].bytes >= bytes && (best < 0 || r->gap[i].bytes < r->gap[best].bytes))
			best = i;
	if (best < 0) {
		r->end += bytes;
		return r->end - bytes;
	}
	int64_t at = r->gap[best].at;
	r->gap[best].at += bytes;
	r->gap[best].bytes -= bytes;
	return at;
}

static bool changes(const pim_member *p, int i)
{
	return pim_nest_operand_bytes(p->node, p->axes, i, p->node->plan->nest->tile) !=
		   pim_nest_operand_bytes(p->node, p->axes, i, p->extent);
}

/* The axis of the walk's innermost loop, -1 when there is one tile. */
static int innermost_axis(const pim_fusion *f)
{
	const pim_nest *nest = f->member[f->n - 1].node->plan->nest;
	for (int i = nest->n - 1; i >= 0; i--)
		if (!nest->loop[i].spatial && nest->loop[i].count > 1)
			return nest->loop[i].axis;
	return -1;
}

static bool follows(const pim_member *p, int walk_axis)
{
	for (int k = 0; k < p->axes->n_axes; k++)
		if (p->follows[k] == walk_axis)
			return true;
	return false;
}

/* Is the result made anew in every tile, or once for all? Then it is gone when it was read. */
static bool is_brief(const pim_fusion *f, const pim_member *p)
{
	int axis = innermost_axis(f);
	bool twice = changes(p, (int)p->node->n_in) && p->crosses;
	return !p->stored && p->last_reader >= 0 && !twice && (axis < 0 || follows(p, axis));
}

/* The results that member m was the last to read. */
static void leave_places(const pim_fusion *f, int m, int64_t (*slot)[2], room *r)
{
	for (int k = 0; k < m; k++) {
		const pim_member *p = &f->member[k];
		int result = (int)p->node->n_in;
		if (p->last_reader == m && is_brief(f, p))
			r->gap[r->n++] = (gap){slot[p->operand + result][0],
				pim_nest_slot_bytes(p->node, p->axes, result, p->node->plan->nest->tile)};
	}
}

static void place_operand(const pim_fusion *f, const pim_member *p, int i, int64_t slot[2], room *r)
{
	int result = (int)p->node->n_in;
	int64_t bytes = pim_nest_slot_bytes(p->node, p->axes, i, p->node->plan->nest->tile);
	bool twice = changes(p, i) && (i < result || p->stored || p->crosses);
	room none = {.end = r->end};
	slot[0] = take_place(i == result && is_brief(f, p) ? r : &none, bytes);
	r->end = none.end > r->end ? none.end : r->end;
	slot[1] = slot[0];
	if (twice) {
		slot[1] = r->end;
		r->end += bytes;
	}
}

int64_t pim_fusion_buffer_bytes(const pim_fusion *f, int64_t (*slot)[2])
{
	pim_arena *scratch = pim_arena_new();
	int64_t(*own)[2] = pim_arena_alloc(scratch, sizeof *own * (size_t)f->n_operands);
	room r = {.gap = PIM_NEW(scratch, gap, f->n)};
	for (int m = 0; m < f->n; m++) {
		const pim_member *p = &f->member[m];
		for (int i = 0; i <= (int)p->node->n_in; i++) {
			int from = i < (int)p->node->n_in ? p->from[i] : -1;
			if (from < 0)
				place_operand(f, p, i, own[p->operand + i], &r);
			else
				memcpy(own[p->operand + i],
					own[f->member[from].operand + f->member[from].node->n_in], sizeof *own);
		}
		leave_places(f, m, own, &r);
	}
	if (slot)
		memcpy(slot, own, sizeof *own * (size_t)f->n_operands);
	pim_arena_free(scratch);
	return r.end;
}
