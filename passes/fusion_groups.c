/* SPDX-License-Identifier: Apache-2.0 */
/* fusion_groups.c - which ops share a walk.
 *
 * Idea: in graph order every op looks at the groups that make its inputs, all of them together and
 * then each alone, the nearest first, and joins where the group with it takes fewer cycles than
 * both apart by the target's model, if tiles of all operands fit the buffer; or it joins the
 * members behind a cut of the group, where both parts together take least. A group must stand
 * together: what lies between and depends on it moves behind it, the rest in front; when a member
 * reads something that depends on the group from outside, the op stays away. Groups of equal ops,
 * layouts and edges are worked out once. Cost: for each op at most MOST_BETWEEN nodes looked at,
 * and a nest for each group it might join and for both sides of each cut of one: up to 2
 * MOST_MEMBERS. Source: ours; greedy growth of groups as in loop fusion (McKinley and others). */
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"

enum { MOST_MEMBERS = 24, MOST_BETWEEN = 96 };

/* A group that was worked out: by member nests and orders; cycles of one slice; NULL nests: there
 * are none. */
typedef struct known {
	pim_nest **nest;
	pim_order **order;
	int64_t cycles;
} known;

typedef struct growth {
	pim_graph *graph;
	const pim_target *target;
	pim_nest_method method;
	pim_users *users;
	bool *stored, *is_result, *depends; /* by node id */
	int *position;						/* by node id: in the graph */
	pim_nest **alone;					/* by node id: in no group */
	pim_order **own_order;				/* the same */
	pim_map *known;
	pim_text key;
	pim_arena *arena;
	int64_t evaluated;
} growth;

/* Nodes that might share a walk, in graph order. */
typedef struct candidate {
	int n;
	pim_node *node[MOST_MEMBERS];
	int64_t apart; /* cycles of a slice of each, or of the group it is in */
} candidate;

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

static bool may_join(const pim_node *n)
{
	return !is_leaf(n) && !(pim_op_at((pim_op)n->op)->flags & PIM_OPF_move) && !n->type->n_parts &&
		   n->type->elements > 0;
}

static bool is_in(const candidate *c, const pim_node *n)
{
	for (int i = 0; i < c->n; i++)
		if (c->node[i] == n)
			return true;
	return false;
}

/* ---- what a group costs ---- */

static void put(pim_text *key, const void *p, size_t bytes)
{
	pim_text_add(key, p, bytes);
}

static void put_member(pim_text *key, const growth *w, const candidate *c, int m)
{
	const pim_node *n = c->node[m];
	pim_op_key(key, n);
	put(key, n->plan->layout, sizeof *n->plan->layout);
	put(key, &w->stored[n->id], sizeof *w->stored);
	for (uint32_t i = 0; i < n->n_in; i++) {
		int from = 0;
		while (from < m && c->node[from] != n->in[i])
			from++;
		put(key, &from, sizeof from);
	}
}

static void find_stored(growth *w, const candidate *c)
{
	for (int m = 0; m < c->n; m++) {
		const pim_node *n = c->node[m];
		bool stored = w->is_result[n->id] || m == c->n - 1;
		for (int i = 0; i < pim_users_count(w->users, n) && !stored; i++)
			stored = !is_in(c, pim_users_at(w->users, n, i));
		w->stored[n->id] = stored;
	}
}

/* The order of a member's slices that go with the last one's at the same positions; false when one
 * goes with none. */
static bool find_order(const growth *w, const pim_fusion *f, int m, pim_order **order)
{
	const pim_node *last = f->member[f->n - 1].node;
	int64_t slices = pim_layout_slices(last->plan->layout);
	if (pim_layout_slices(f->member[m].node->plan->layout) != slices)
		return false;
	pim_arena *scratch = pim_arena_new();
	int32_t *slice = PIM_NEW(scratch, int32_t, slices);
	bool plain = true, all = true;
	for (int64_t i = 0; i < slices && all; i++) {
		slice[i] = (int32_t)pim_fusion_slice(f, m, pim_slice_at(last, i));
		plain = plain && slice[i] == i;
		all = slice[i] >= 0;
	}
	*order = plain || !all ? NULL : pim_order_new(slices, slice, w->graph->module->arena);
	pim_arena_free(scratch);
	return all;
}

static bool find_orders(const growth *w, const pim_fusion *f, pim_order **order)
{
	for (int m = 0; m < f->n; m++)
		if (!find_order(w, f, m, &order[m]))
			return false;
	return true;
}

static const known *work_out(growth *w, const candidate *c)
{
	find_stored(w, c);
	w->key.n = 0;
	for (int m = 0; m < c->n; m++)
		put_member(&w->key, w, c, m);
	known *k = pim_map_get(w->known, w->key.s, w->key.n);
	if (k)
		return k;
	pim_arena *scratch = pim_arena_new();
	k = PIM_NEW(w->arena, known, 1);
	pim_fusion *f = pim_fusion_new(c->n, c->node, w->stored, scratch);
	k->order = PIM_NEW(w->arena, pim_order *, c->n);
	if (!f->why && find_orders(w, f, k->order)) {
		pim_nest **nest = PIM_NEW(w->arena, pim_nest *, c->n);
		if (pim_fusion_choose(
				w->target, f, w->method, nest, w->graph->module->arena, &w->evaluated)) {
			k->nest = nest;
			k->cycles = nest[0]->cycles;
		}
	}
	pim_map_put(w->known, w->key.s, w->key.n, k);
	pim_arena_free(scratch);
	return k;
}

/* ---- where a group can stand ---- */

/* Does n read something outside that depends on the candidate? */
static bool reads_dependent(const candidate *c, const pim_node *n, const bool *depends)
{
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i] && !is_in(c, n->in[i]) && depends[n->in[i]->id])
			return true;
	return false;
}

static bool reads_member(const candidate *c, const pim_node *n)
{
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i] && is_in(c, n->in[i]))
			return true;
	return false;
}

/* A group between depends on the candidate when any of its members does. */
static bool group_depends(const candidate *c, const pim_node *first, const bool *depends)
{
	for (const pim_node *n = first; n; n = pim_fusion_next(n))
		if (reads_member(c, n) || reads_dependent(c, n, depends))
			return true;
	return false;
}

/* Which nodes from the first member to the last one depend on the candidate from outside; false
 * when a member reads one of them. */
static bool find_dependents(const candidate *c, bool *depends)
{
	const pim_node *end = c->node[c->n - 1]->next;
	for (const pim_node *n = c->node[0]; n != end; n = n->next) {
		if (is_in(c, n)) {
			if (reads_dependent(c, n, depends))
				return false;
		} else if (pim_fusion_first(n) == n) {
			bool is = group_depends(c, n, depends);
			for (const pim_node *m = n; m; m = pim_fusion_next(m))
				depends[m->id] = is;
		}
	}
	return true;
}

/* Members follow each other: what stands between and depends on them moves behind, the rest in
 * front, each in its order. */
static void gather(growth *w, const candidate *c)
{
	pim_node *first = c->node[0], *last = c->node[c->n - 1], *end = last->next, *next;
	int position = w->position[first->id];
	pim_node *before = first->prev;
	for (pim_node *n = first; n != last; n = next) {
		next = n->next;
		if (is_in(c, n))
			continue;
		pim_node_unlink(n);
		pim_node_link(n, w->depends[n->id] ? end : first);
	}
	for (pim_node *n = before ? before->next : w->graph->first; n != end; n = n->next)
		w->position[n->id] = position++;
}

/* Do the members stand near enough to each other? */
static bool is_near(const growth *w, const candidate *c)
{
	return w->position[c->node[c->n - 1]->id] - w->position[c->node[0]->id] <= MOST_BETWEEN;
}

/* ---- growing ---- */

static bool add_group(candidate *c, pim_node *first)
{
	c->apart += first->plan->nest->cycles;
	for (pim_node *n = first; n; n = pim_fusion_next(n)) {
		if (c->n == MOST_MEMBERS)
			return false;
		c->node[c->n++] = n;
	}
	return true;
}

static void write_group(const candidate *c, const known *k)
{
	for (int m = 0; m < c->n; m++) {
		c->node[m]->plan->nest = k->nest[m];
		c->node[m]->plan->order = k->order[m];
		c->node[m]->plan->fused = m ? c->node[0] : NULL;
	}
}

static void fuse(growth *w, const candidate *c, const known *k)
{
	gather(w, c);
	write_group(c, k);
}

/* Members from..to-1 of a candidate. */
static candidate part_of(const candidate *c, int from, int to)
{
	candidate p = {.n = to - from};
	memcpy(p.node, c->node + from, sizeof *p.node * (size_t)p.n);
	return p;
}

/* Cycles of a slice of the members as one group, or of one alone; INT64_MAX: they cannot be. */
static int64_t find_together(growth *w, const candidate *c)
{
	if (c->n == 1)
		return w->alone[c->node[0]->id]->cycles;
	const known *k = work_out(w, c);
	return k->nest ? k->cycles : INT64_MAX;
}

/* Where to cut the members before the last one, so that what is behind goes with it: 0 for nowhere,
 * -1 when nothing is faster than now. */
static int choose_cut(growth *w, const candidate *c, int most)
{
	int64_t best = c->apart;
	int cut = -1;
	for (int k = 0; k <= most; k++) {
		candidate front = part_of(c, 0, k), back = part_of(c, k, c->n);
		int64_t behind = find_together(w, &back), before = 0;
		if (behind < best && k > 0)
			before = find_together(w, &front);
		if (before < best && behind < best - before) {
			best = before + behind;
			cut = k;
		}
	}
	return cut;
}

static void write_front(growth *w, const candidate *c)
{
	if (c->n > 1) {
		const known *k = work_out(w, c);
		write_group(c, k);
	} else if (c->n == 1) {
		c->node[0]->plan->nest = w->alone[c->node[0]->id];
		c->node[0]->plan->order = w->own_order[c->node[0]->id];
		c->node[0]->plan->fused = NULL;
	}
}

/* Fuses n with these groups, which stand in graph order, or with what is behind a cut of the only
 * one, if that is faster. */
static bool try_to_fuse(growth *w, int count, pim_node *const *first, pim_node *n)
{
	candidate c = {0};
	for (int i = 0; i < count; i++)
		if (!add_group(&c, first[i]))
			return false;
	if (!add_group(&c, n) || !is_near(w, &c))
		return false;
	int cut = choose_cut(w, &c, count == 1 ? c.n - 2 : 0);
	if (cut < 0)
		return false;
	candidate front = part_of(&c, 0, cut), back = part_of(&c, cut, c.n);
	bool stands = find_dependents(&back, w->depends);
	if (stands) {
		write_front(w, &front);
		fuse(w, &back, work_out(w, &back));
	}
	for (const pim_node *p = back.node[0]; p; p = p->next) {
		w->depends[p->id] = false;
		if (w->position[p->id] > w->position[back.node[0]->id] + MOST_BETWEEN)
			break;
	}
	return stands;
}

/* The groups that make n's inputs, in graph order. */
static int list_makers(const growth *w, const pim_node *n, pim_node **first)
{
	int count = 0;
	for (uint32_t i = 0; i < n->n_in; i++) {
		pim_node *f = n->in[i] && may_join(n->in[i]) ? pim_fusion_first(n->in[i]) : NULL;
		bool listed = !f || count == MOST_MEMBERS;
		for (int k = 0; k < count && !listed; k++)
			listed = first[k] == f;
		if (listed)
			continue;
		int at = count++;
		for (; at > 0 && w->position[first[at - 1]->id] > w->position[f->id]; at--)
			first[at] = first[at - 1];
		first[at] = f;
	}
	return count;
}

static void grow(growth *w, pim_node *n)
{
	pim_node *first[MOST_MEMBERS];
	int count = list_makers(w, n, first);
	if (count > 1 && try_to_fuse(w, count, first, n))
		return;
	for (int k = count - 1; k >= 0; k--)
		if (try_to_fuse(w, 1, &first[k], n))
			return;
}

static growth start_growth(pim_graph *g, const pim_target *t, pim_nest_method method, pim_arena *a)
{
	growth w = {.graph = g,
		.target = t,
		.method = method,
		.users = pim_users_new(g, a),
		.stored = PIM_NEW(a, bool, g->n_ids),
		.is_result = PIM_NEW(a, bool, g->n_ids),
		.depends = PIM_NEW(a, bool, g->n_ids),
		.position = PIM_NEW(a, int, g->n_ids),
		.alone = PIM_NEW(a, pim_nest *, g->n_ids),
		.own_order = PIM_NEW(a, pim_order *, g->n_ids),
		.known = pim_map_new(a),
		.arena = a};
	int position = 0;
	PIM_EACH_NODE(n, g)
	{
		w.position[n->id] = position++;
		w.alone[n->id] = n->plan ? n->plan->nest : NULL;
		w.own_order[n->id] = n->plan ? n->plan->order : NULL;
	}
	for (int i = 0; i < g->n_results; i++)
		w.is_result[g->results[i]->id] = true;
	return w;
}

void pim_fusion_grow(pim_graph *g, const pim_target *t, pim_nest_method method, pim_arena *a,
	int64_t *evaluated, int *groups, int *kept)
{
	growth w = start_growth(g, t, method, a);
	pim_node **order = PIM_NEW(a, pim_node *, g->n_ids);
	int count = 0;
	PIM_EACH_NODE(n, g)
	if (may_join(n))
		order[count++] = n;
	for (int i = 0; i < count; i++)
		grow(&w, order[i]);
	free(w.key.s);
	const bool *stored = pim_graph_stored(g, a);
	PIM_EACH_NODE(n, g)
	{
		*groups += !is_leaf(n) && pim_fusion_first(n) == n && pim_fusion_next(n);
		*kept += !is_leaf(n) && !stored[n->id];
	}
	*evaluated += w.evaluated;
}
