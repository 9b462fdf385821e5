/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_groups.c - groups of a graph and the edges between them.
 *
 * An element-wise op follows the latest group among its inputs when that group's value has its
 * shape and is not moved in between: it then works on each tile of the leader as soon as it is
 * there. What other groups bring to it is an edge of the whole group. Ops that only move elements
 * are on the way of an edge. */
#include "passes/mapper.h"

#include <string.h>

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

static bool only_moves(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_move && n->type->n_parts == 0;
}

/* The latest group that an input comes from; -1 for none. */
static int find_source(const pim_mapper *m, const pim_node *n)
{
	return n ? m->source[n->id] : -1;
}

/* Those of its inputs, for what only moves. */
static int latest_source(const pim_mapper *m, const pim_node *n)
{
	int latest = -1;
	for (uint32_t i = 0; i < n->n_in; i++) {
		int from = find_source(m, n->in[i]);
		latest = from > latest ? from : latest;
	}
	return latest;
}

/* The group that an element-wise op follows; -1: it leads one. */
static int find_leader(const pim_mapper *m, const pim_node *n)
{
	if (!(pim_op_at((pim_op)n->op)->flags & PIM_OPF_elementwise))
		return -1;
	int latest = latest_source(m, n);
	if (latest < 0 || !pim_type_same_dims(m->group[latest].leader->type, n->type))
		return -1;
	for (uint32_t i = 0; i < n->n_in; i++)
		if (find_source(m, n->in[i]) == latest && m->group_of[n->in[i]->id] != latest)
			return -1;
	return latest;
}

static void add_follower(pim_mapper *m, pim_mapper_group *g, const pim_node *n)
{
	int i = g->n_followers++, room = g->room_followers;
	g->follower = pim_arena_grow(m->arena, g->follower, i, &room, sizeof *g->follower);
	g->follower_axes =
		pim_arena_grow(m->arena, g->follower_axes, i, &g->room_followers, sizeof *g->follower_axes);
	g->follower[i] = n;
	g->follower_axes[i] = pim_axes_new(n, m->arena);
}

/* ---- which axes of a leader a dimension goes by ---- */

static uint32_t axes_of(const pim_index *index)
{
	uint32_t set = 0;
	for (int t = 0; t < index->n; t++)
		set |= 1u << index->term[t].axis;
	return set;
}

/* by_dim of an op's result, carried to its input. */
static void carry_back(const pim_node *n, const pim_axes *x, int input, uint32_t *by_dim)
{
	uint32_t by_axis[PIM_MAX_AXES] = {0}, in[PIM_MAX_RANK] = {0};
	for (int d = 0; d < n->type->rank; d++)
		for (int t = 0; t < x->map[x->n_inputs][d].n; t++)
			by_axis[x->map[x->n_inputs][d].term[t].axis] |= by_dim[d];
	for (int d = 0; d < n->in[input]->type->rank && !(x->whole && x->whole[input]); d++)
		for (int t = 0; t < x->map[input][d].n; t++)
			in[d] |= by_axis[x->map[input][d].term[t].axis];
	memcpy(by_dim, in, sizeof in);
}

static void find_dependence(const pim_mapper_group *g, pim_mapper_edge *e)
{
	if (e->reader == g->leader) {
		for (int d = 0; d < g->leader->in[e->input]->type->rank; d++)
			if (!(g->axes->whole && g->axes->whole[e->input]))
				e->by_dim[d] = axes_of(&g->axes->map[e->input][d]);
	} else {
		for (int d = 0; d < e->reader->type->rank; d++)
			e->by_dim[d] = axes_of(&g->axes->map[g->axes->n_inputs][d]);
		for (int i = 0; i < g->n_followers; i++)
			if (g->follower[i] == e->reader)
				carry_back(e->reader, g->follower_axes[i], e->input, e->by_dim);
	}
	for (int k = 0; k < e->n_way; k++)
		carry_back(e->way[k], e->way_axes[k], e->way_input[k], e->by_dim);
}

/* Is index size-1 of every dimension read? The window may reach past it (pad) only along an axis
 * that moves by one. */
static bool reads_end(const pim_node *n, const pim_axes *x, int input, pim_box *result)
{
	pim_box axes, box;
	int64_t lo[PIM_MAX_RANK], hi[PIM_MAX_RANK];
	pim_axes_cover(x, result, &axes);
	pim_axes_demand(x, n, input, &axes, &box, lo, hi);
	bool whole = x->whole && x->whole[input];
	for (int d = 0; d < box.n && !whole; d++) {
		const pim_index *index = &x->map[input][d];
		bool reached = hi[d] <= 0;
		for (int t = 0; t < index->n; t++)
			reached =
				reached || (index->term[t].coef == 1 && x->axis[index->term[t].axis].size > hi[d]);
		if (!reached || box.hi[d] != n->in[input]->type->dims[d])
			return false;
	}
	*result = box;
	return true;
}

static bool reads_corner(const pim_mapper_group *g, const pim_mapper_edge *e)
{
	pim_box box = pim_box_of(e->reader->type);
	const pim_axes *x = g->axes;
	for (int i = 0; i < g->n_followers; i++)
		x = g->follower[i] == e->reader ? g->follower_axes[i] : x;
	if (!reads_end(e->reader, x, e->input, &box))
		return false;
	for (int k = 0; k < e->n_way; k++)
		if (!reads_end(e->way[k], e->way_axes[k], e->way_input[k], &box))
			return false;
	uint32_t seen = 0;
	for (int d = 0; d < PIM_MAX_RANK; d++) {
		if (seen & e->by_dim[d])
			return false;
		seen |= e->by_dim[d];
	}
	return true;
}

/* ---- edges ---- */

/* How many ops both have on their ways from the same input of the same reader. Ways are found depth
 * first, so no edge before has more of them than the last. */
static int count_shared(const pim_mapper_edge *e, const pim_mapper_edge *other)
{
	int k = 0;
	if (e->reader != other->reader || e->input != other->input)
		return 0;
	while (k < e->n_way && k < other->n_way && e->way[k] == other->way[k])
		k++;
	return k;
}

enum { MOST_WAY = 16 };

typedef struct walk {
	pim_mapper *m;
	int group, n, room;
	pim_mapper_edge *edge;
	const pim_node *reader;
	int input, n_way;
	const pim_node *way[MOST_WAY];
	int way_input[MOST_WAY];
	bool *met; /* by node id: behind more moves than that */
} walk;

static void add_edge(walk *w, int from, bool whole)
{
	pim_arena *a = w->m->arena;
	w->edge = pim_arena_grow(a, w->edge, w->n, &w->room, sizeof *w->edge);
	pim_mapper_edge *e = &w->edge[w->n++];
	*e = (pim_mapper_edge){.from = from, .reader = w->reader, .input = w->input, .n_way = w->n_way};
	e->way = PIM_NEW(a, const pim_node *, w->n_way + 1);
	e->way_input = PIM_NEW(a, int, w->n_way + 1);
	e->way_axes = PIM_NEW(a, const pim_axes *, w->n_way + 1);
	for (int k = 0; k < w->n_way; k++) {
		e->way[k] = w->way[k];
		e->way_input[k] = w->way_input[k];
		e->way_axes[k] = pim_axes_new(w->way[k], a);
	}
	e->shared = w->n > 1 ? count_shared(e, e - 1) : 0;
	const pim_mapper_group *g = &w->m->group[w->group];
	e->whole = whole || w->m->group[from].leader->type->n_parts > 0;
	if (!e->whole) {
		find_dependence(g, e);
		e->corner = w->reader->type->n_parts == 0 && reads_corner(g, e);
	}
	w->m->group[from].n_users++;
}

/* Behind more moves than can be followed: all groups there are waited for in full. */
static void add_sources(walk *w, const pim_node *v)
{
	if (!v || is_leaf(v) || w->met[v->id])
		return;
	int from = w->m->group_of[v->id];
	w->met[v->id] = true;
	if (from >= 0 && from != w->group)
		add_edge(w, from, true);
	for (uint32_t i = 0; from < 0 && i < v->n_in; i++)
		add_sources(w, v->in[i]);
}

static void walk_back(walk *w, const pim_node *v)
{
	if (!v || is_leaf(v))
		return;
	int from = w->m->group_of[v->id];
	if (from == w->group)
		return;
	if (from >= 0) {
		add_edge(w, from, false);
		return;
	}
	if (w->n_way == MOST_WAY) {
		int n = w->n_way;
		w->n_way = 0;
		add_sources(w, v);
		w->n_way = n;
		return;
	}
	for (uint32_t i = 0; i < v->n_in; i++) {
		w->way[w->n_way] = v;
		w->way_input[w->n_way++] = (int)i;
		walk_back(w, v->in[i]);
		w->n_way--;
	}
}

const pim_node *pim_mapper_made(const pim_mapper_edge *e)
{
	return e->n_way ? e->way[e->n_way - 1]->in[e->way_input[e->n_way - 1]]
					: e->reader->in[e->input];
}

static void find_edges(pim_mapper *m, int group)
{
	pim_mapper_group *g = &m->group[group];
	walk w = {.m = m, .group = group, .met = PIM_NEW(m->arena, bool, m->graph->n_ids)};
	for (int k = -1; k < g->n_followers; k++) {
		w.reader = k < 0 ? g->leader : g->follower[k];
		for (w.input = 0; w.input < (int)w.reader->n_in; w.input++)
			walk_back(&w, w.reader->in[w.input]);
	}
	g->edge = w.edge;
	g->n_edges = w.n;
}

static void keep(pim_mapper *m, int group, const pim_node *n)
{
	pim_mapper_group *g = &m->group[group];
	g->kept = pim_arena_grow(m->arena, g->kept, g->n_kept, &g->room_kept, sizeof *g->kept);
	g->kept[g->n_kept++] = n;
}

/* What only moves lies where what it reads last is made, an input where the first op that reads it
 * runs. */
static void find_kept(pim_mapper *m)
{
	PIM_EACH_NODE(n, m->graph)
	{
		int from = only_moves(n) ? find_source(m, n) : -1;
		if (from >= 0)
			keep(m, from, n);
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i] && n->in[i]->op == PIM_OP_input && m->group_of[n->id] >= 0)
				keep(m, m->group_of[n->id], n->in[i]);
	}
}

static void find_stored(pim_mapper *m)
{
	m->stored = PIM_NEW(m->arena, bool, m->graph->n_ids);
	PIM_EACH_NODE(n, m->graph)
	{
		int group = m->group_of[n->id];
		m->stored[n->id] = m->stored[n->id] || group < 0;
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i] && m->group_of[n->in[i]->id] != group)
				m->stored[n->in[i]->id] = true;
	}
	for (int i = 0; i < m->n; i++) {
		const pim_mapper_group *g = &m->group[i];
		const pim_node *last = g->n_followers ? g->follower[g->n_followers - 1] : g->leader;
		m->stored[last->id] = true;
	}
	for (int i = 0; i < m->graph->n_results; i++)
		m->stored[m->graph->results[i]->id] = true;
}

pim_mapper *pim_mapper_new(pim_graph *g, const pim_target *t, pim_mapper_followers f, pim_arena *a)
{
	pim_mapper *m = PIM_NEW(a, pim_mapper, 1);
	*m = (pim_mapper){.graph = g, .target = t, .arena = a, .units = t->units};
	m->classes = pim_classes_new(g, a);
	m->group_of = PIM_NEW(a, int, g->n_ids);
	m->source = PIM_NEW(a, int, g->n_ids);
	m->group = PIM_NEW(a, pim_mapper_group, g->n_ids + 1);
	PIM_EACH_NODE(n, g)
	{
		m->group_of[n->id] = -1;
		m->source[n->id] = is_leaf(n) ? -1 : latest_source(m, n);
		if (is_leaf(n) || only_moves(n))
			continue;
		int leader = f == PIM_FOLLOWERS_share ? find_leader(m, n) : -1;
		m->source[n->id] = m->group_of[n->id] = leader >= 0 ? leader : m->n;
		if (leader >= 0)
			add_follower(m, &m->group[leader], n);
		else
			m->group[m->n++] = (pim_mapper_group){.leader = n, .axes = pim_axes_new(n, a)};
	}
	find_stored(m);
	find_kept(m);
	for (int i = 0; i < m->n; i++) {
		find_edges(m, i);
		m->group[i].least_units = pim_mapper_least_units(m, i);
	}
	pim_mapper_know(m);
	return m;
}

bool pim_mapper_group_equal(const pim_mapper_group *a, const pim_mapper_group *b)
{
	if (a->n_followers != b->n_followers)
		return false;
	pim_text x = {.n = 0}, y = {.n = 0};
	for (int f = -1; f < a->n_followers; f++) {
		pim_op_key(&x, f < 0 ? a->leader : a->follower[f]);
		pim_op_key(&y, f < 0 ? b->leader : b->follower[f]);
	}
	bool same = x.n == y.n && !memcmp(x.s, y.s, x.n);
	pim_text_free(&x);
	pim_text_free(&y);
	return same;
}

/* ---- layouts of what follows ---- */

pim_layout pim_mapper_layout_of(
	const pim_mapper *m, const pim_node *leader, const pim_layout *l, const pim_node *n)
{
	if (n == leader || pim_type_same_dims(n->type, leader->type))
		return *l;
	pim_layout r = pim_layout_whole(n->type);
	int32_t parts[PIM_MAX_RANK];
	pim_cuts cuts = pim_cuts_of(m->classes, leader, l);
	if (n->type->n_parts == 0 && cuts.n > 0 && pim_cuts_apply(m->classes, n, &cuts, parts))
		memcpy(r.parts, parts, sizeof parts);
	return r;
}

pim_node *pim_mapper_shadow(const pim_node *n, const pim_layout *l, pim_nest *nest, pim_arena *a)
{
	pim_node *s = pim_arena_alloc(a, sizeof *s + n->n_in * sizeof *s->in);
	memcpy(s, n, sizeof *s + n->n_in * sizeof *s->in);
	s->plan = PIM_NEW(a, pim_plan, 1);
	s->plan->set = -1;
	s->plan->layout = PIM_NEW(a, pim_layout, 1);
	*s->plan->layout = *l;
	s->plan->nest = nest;
	return s;
}
