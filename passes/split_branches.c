/* SPDX-License-Identifier: Apache-2.0 */
/* split_branches.c - groups ops that are independent copies along some axes in branch sets.
 *
 * Needs: shaped. Gives: split.
 * Idea: an axis class that is free in neighbouring ops splits them all at once, and what flows
 * between them stays on one unit. Products of two computed values (scores and context of
 * attention) are seeds: they are cut along all of their heads, windows and images, however many
 * the units are (layouts take the first axes that fill the machine, and a slice holds several
 * branches then), and the cut grows along edges through ops that carry the same classes, but into
 * products with weights only the cut into windows. Everything else is cut as the cheapest layout of
 * the whole graph cuts it (rows, channels, both or not at all), so the later choice of layouts
 * finds the same optimum within the sets. A named grain cuts every op along that axis instead,
 * where it can. Neighbours with equal cuts are one set, unless they lie on different structural
 * branches; sets of equal seeds on several ways of one fork are named b7.0, b7.1. Cost: one search
 * for layouts, and the nodes times the depth of post-dominators for the paths. Source: branches of
 * Allspark, found from axes instead of patterns (ours). */
#include <string.h>

#include "passes/pass.h"

typedef struct splitting {
	pim_graph *graph;
	pim_job *job;
	pim_classes *classes;
	const pim_role *roles;
	int64_t most;	 /* rows and channels of a set */
	int64_t natural; /* heads, windows and images of a set */
	pim_cuts *cuts;	 /* by id */
	bool *fixed;	 /* by id: cut along heads, windows or images */
	int *path;		 /* by id: structural branch */
	int *fork;		 /* by structural branch */
} splitting;

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

/* A value without elements has no branches, and is in no set. */
static bool is_empty(const pim_node *n)
{
	return n->type->n_parts == 0 && n->type->elements == 0;
}

static bool has_fixed_weights(const pim_node *n)
{
	bool fixed = false;
	for (int i = 0; i < (int)n->n_in; i++)
		fixed = fixed || (n->in[i] && n->in[i]->op == PIM_OP_constant);
	return fixed;
}

static bool is_product(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_matrix;
}

/* A product of two computed values. */
static bool is_seed(const pim_node *n)
{
	return n->op == PIM_OP_matmul && !has_fixed_weights(n);
}

static int64_t count_branches(const pim_cuts *cuts)
{
	int64_t branches = 1;
	for (int k = 0; k < cuts->n; k++)
		branches *= cuts->cut[k].count;
	return branches;
}

/* ---- which cuts ---- */

/* Images, then windows, then heads. */
static bool is_natural(pim_role r, pim_role finest)
{
	return r >= PIM_ROLE_batch && r <= finest;
}

/* All of an op's heads, windows and images in its first dimensions, up to that role. */
static pim_cuts find_natural_cuts(const splitting *s, const pim_node *n, int dims, pim_role finest)
{
	pim_cuts cuts = {.n = 0};
	for (int d = 0; d < dims; d++) {
		const pim_factor *f;
		int count = pim_classes_dim(s->classes, n, d, &f);
		for (int k = 0; k < count && cuts.n < PIM_MAX_CUTS; k++) {
			if (f[k].size < 2 || !is_natural(s->roles[f[k].class], finest) ||
				count_branches(&cuts) >= s->natural)
				continue;
			pim_cuts more = cuts;
			more.cut[more.n++] = (pim_cut){f[k].class, f[k].size};
			int32_t parts[PIM_MAX_RANK];
			if (pim_cuts_apply(s->classes, n, &more, parts))
				cuts = more;
		}
	}
	return cuts;
}

static pim_cuts keep_windows(const splitting *s, const pim_cuts *cuts)
{
	pim_cuts windows = {.n = 0};
	for (int k = 0; k < cuts->n; k++)
		if (s->roles[cuts->cut[k].class] == PIM_ROLE_window)
			windows.cut[windows.n++] = cuts->cut[k];
	return windows;
}

static bool take_cuts(splitting *s, const pim_node *n, const pim_cuts *cuts)
{
	int32_t parts[PIM_MAX_RANK];
	if (!pim_cuts_apply(s->classes, n, cuts, parts))
		return false;
	s->cuts[n->id] = *cuts;
	s->fixed[n->id] = true;
	return true;
}

/* Takes over a neighbour's cuts where the op can be cut so; where it cannot be cut into heads, its
 * windows when these alone are enough for all units. */
static bool grow(splitting *s, const pim_node *n, const pim_node *from)
{
	if (!from || is_leaf(n) || s->fixed[n->id] || !s->fixed[from->id])
		return false;
	const pim_cuts *all = &s->cuts[from->id];
	pim_cuts windows = keep_windows(s, all);
	bool needs_windows = is_product(n) && has_fixed_weights(n);
	if ((!needs_windows || windows.n == all->n) && take_cuts(s, n, all))
		return true;
	return windows.n < all->n && count_branches(&windows) >= s->job->target->units &&
		   take_cuts(s, n, &windows);
}

static void cut_naturally(splitting *s)
{
	PIM_EACH_NODE(n, s->graph)
	{
		if (!is_seed(n))
			continue;
		s->cuts[n->id] = find_natural_cuts(s, n, n->type->rank - 2, PIM_ROLE_head);
		s->fixed[n->id] = s->cuts[n->id].n > 0;
	}
	PIM_EACH_NODE(n, s->graph)
	{
		for (int i = 0; i < (int)n->n_in; i++)
			grow(s, n, n->in[i]);
	}
	for (pim_node *n = s->graph->last; n; n = n->prev)
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i])
				grow(s, n->in[i], n);
}

static void cut_by_cost(splitting *s)
{
	pim_graph *g = s->graph;
	pim_arena *a = pim_job_arena(s->job);
	int32_t(*base)[PIM_MAX_RANK] = pim_arena_alloc(a, sizeof *base * ((size_t)g->n_ids + 1));
	PIM_EACH_NODE(n, g)
	{
		pim_cuts first = pim_cuts_for_units(&s->cuts[n->id], s->job->target->units);
		if (s->fixed[n->id])
			pim_cuts_apply(s->classes, n, &first, base[n->id]);
	}
	pim_layout_plan *p = pim_layout_search_fit(pim_layout_search_new(g, s->job->target, base, a));
	PIM_EACH_NODE(n, g)
	{
		if (is_leaf(n) || s->fixed[n->id] || n->type->n_parts > 0 || is_empty(n))
			continue;
		pim_cuts cuts = pim_cuts_of(s->classes, n, &p->states[n->id]->state[p->own[n->id]].layout);
		if (count_branches(&cuts) <= s->most)
			s->cuts[n->id] = cuts;
	}
}

/* The largest count that fits: all, or a divisor when more factors follow in the dimension. */
static int64_t find_count(const splitting *s, int64_t size, bool last)
{
	int64_t count = size < s->most ? size : s->most;
	while (!last && size % count != 0)
		count--;
	return count;
}

static void cut_along(splitting *s, const pim_node *n, pim_role role)
{
	if (role >= PIM_ROLE_batch) {
		int dims = n->type->n_parts ? 0 : n->type->rank;
		s->cuts[n->id] = find_natural_cuts(s, n, is_seed(n) ? dims - 2 : dims, role);
		return;
	}
	for (int d = 0; n->type->n_parts == 0 && d < n->type->rank; d++) {
		const pim_factor *f;
		int count = pim_classes_dim(s->classes, n, d, &f);
		for (int k = 0; k < count; k++) {
			pim_cuts cuts = {.n = 0};
			int32_t parts[PIM_MAX_RANK];
			if (f[k].size < 2 || s->roles[f[k].class] != role)
				continue;
			cuts.cut[cuts.n++] = (pim_cut){f[k].class, find_count(s, f[k].size, k == count - 1)};
			if (cuts.cut[0].count > 1 && pim_cuts_apply(s->classes, n, &cuts, parts)) {
				s->cuts[n->id] = cuts;
				return;
			}
		}
	}
}

static bool choose_cuts(splitting *s)
{
	const char *grain = pim_job_string(s->job, "grain");
	if (!strcmp(grain, "cost")) {
		cut_naturally(s);
		cut_by_cost(s);
		return true;
	}
	for (int r = PIM_ROLE_none + 1; r < PIM_ROLE_COUNT; r++) {
		if (strcmp(grain, pim_role_name((pim_role)r)) != 0)
			continue;
		PIM_EACH_NODE(n, s->graph)
		{
			if (!is_leaf(n) && !is_empty(n))
				cut_along(s, n, (pim_role)r);
		}
		return true;
	}
	return pim_error(s->graph->module->context, s->graph->loc,
		"no grain is called '%s'; expected cost, batch, head, window, row or channel", grain);
}

/* ---- which sets ---- */

static int find_root(int *up, int i)
{
	while (up[i] != i)
		i = up[i] = up[up[i]];
	return i;
}

static bool belong_together(const splitting *s, const pim_node *a, const pim_node *b)
{
	const pim_cuts *p = &s->cuts[a->id], *q = &s->cuts[b->id];
	if (p->n != q->n || s->path[a->id] != s->path[b->id])
		return false;
	for (int k = 0; k < p->n; k++) {
		bool found = false;
		for (int m = 0; m < q->n; m++)
			found =
				found || (p->cut[k].class == q->cut[m].class && p->cut[k].count == q->cut[m].count);
		if (!found)
			return false;
	}
	return true;
}

/* How many set borders lie on the longest way to each node, by id. Members of a set have the same
 * number, so no way leaves a set and comes back. */
static int *count_borders(const splitting *s)
{
	int *borders = PIM_NEW(pim_job_arena(s->job), int, s->graph->n_ids + 1);
	PIM_EACH_NODE(n, s->graph)
	{
		for (int i = 0; i < (int)n->n_in; i++) {
			if (!n->in[i] || is_leaf(n->in[i]))
				continue;
			int here = borders[n->in[i]->id] + !belong_together(s, n, n->in[i]);
			if (here > borders[n->id])
				borders[n->id] = here;
		}
	}
	return borders;
}

/* The sets as a forest over node ids: the root of a node's tree names its set. */
static int *join_neighbours(const splitting *s)
{
	pim_graph *g = s->graph;
	int *up = PIM_NEW(pim_job_arena(s->job), int, g->n_ids + 1), *borders = count_borders(s);
	for (int i = 0; i < (int)g->n_ids; i++)
		up[i] = i;
	PIM_EACH_NODE(n, g)
	{
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i] && !is_leaf(n->in[i]) && belong_together(s, n, n->in[i]) &&
				borders[n->id] == borders[n->in[i]->id])
				up[find_root(up, (int)n->id)] = find_root(up, (int)n->in[i]->id);
	}
	return up;
}

static void describe_set(const splitting *s, const pim_cuts *cuts, int number, pim_branch_set *set)
{
	pim_module *m = s->graph->module;
	char *name = pim_arena_printf(pim_job_arena(s->job), "b%d", number);
	*set = (pim_branch_set){.name = pim_intern(m->context, name, strlen(name))};
	set->n_axes = cuts->n;
	for (int k = 0; k < cuts->n; k++)
		set->axis[k] = (struct pim_branch_axis){
			pim_role_name(s->roles[cuts->cut[k].class]), cuts->cut[k].count};
	int64_t branches = count_branches(cuts);
	int64_t units = s->job->target->units;
	set->degree = (int32_t)(branches < units ? units / branches : 1);
}

/* Seeds that are equal for those who look at the graph from their fork. */
typedef struct twin_key {
	int64_t fork, branches;
	const pim_type *type;
} twin_key;

/* Sets of equal seeds; each on another way. */
typedef struct family {
	int n, first, way; /* members named; the set and the way of the first one */
	const char *stem;
} family;

static void rename_set(const splitting *s, int set, const char *stem, int number)
{
	char *name = pim_arena_printf(pim_job_arena(s->job), "%s.%d", stem, number);
	s->graph->sets[set].name = pim_intern(s->graph->module->context, name, strlen(name));
}

static void join_family(splitting *s, const pim_node *n, pim_map *known, bool *named)
{
	int set = n->plan->set, way = s->path[n->id];
	twin_key key = {s->fork[way], count_branches(&s->cuts[n->id]), n->type};
	family *f = pim_map_get(known, &key, sizeof key);
	if (!f) {
		f = PIM_NEW(pim_job_arena(s->job), family, 1);
		*f = (family){0, set, way, s->graph->sets[set].name};
		pim_map_put(known, &key, sizeof key, f);
		return;
	}
	if (f->way == way || named[f->first] != (f->n > 0))
		return;
	if (f->n == 0)
		rename_set(s, f->first, f->stem, f->n++);
	rename_set(s, set, f->stem, f->n++);
	named[f->first] = named[set] = true;
}

/* Sets that hold equal seeds on several ways of one fork share a name but for a number. */
static void name_twins(splitting *s)
{
	pim_arena *a = pim_job_arena(s->job);
	pim_map *known = pim_map_new(a);
	bool *named = PIM_NEW(a, bool, s->graph->n_sets + 1);
	PIM_EACH_NODE(n, s->graph)
	{
		if (is_seed(n) && n->plan && n->plan->set >= 0 && s->path[n->id] && !named[n->plan->set])
			join_family(s, n, known, named);
	}
}

static void make_sets(splitting *s)
{
	pim_graph *g = s->graph;
	int *up = join_neighbours(s), *set = PIM_NEW(pim_job_arena(s->job), int, g->n_ids + 1);
	g->sets = PIM_NEW(g->module->arena, pim_branch_set, g->n_ids + 1);
	g->n_sets = 0;
	PIM_EACH_NODE(n, g)
	{
		if (is_leaf(n) || is_empty(n))
			continue;
		int root = find_root(up, (int)n->id);
		if (!set[root]) {
			describe_set(s, &s->cuts[n->id], g->n_sets, &g->sets[g->n_sets]);
			set[root] = ++g->n_sets;
			pim_job_count(s->job, "branches", (double)count_branches(&s->cuts[n->id]));
		}
		pim_node_plan(n)->set = set[root] - 1;
	}
	name_twins(s);
	pim_job_count(s->job, "sets", g->n_sets);
}

bool pim_pass_split_branches(pim_graph *g, pim_job *j)
{
	pim_arena *a = pim_job_arena(j);
	splitting s = {.graph = g, .job = j, .classes = pim_classes_new(g, a)};
	s.roles = pim_roles_new(g, s.classes, a);
	s.most = pim_job_int(j, "most");
	if (s.most < 0)
		return pim_error(g->module->context, g->loc, "most = %lld branches; expected 0 or more",
			(long long)s.most);
	s.natural = s.most ? s.most : INT64_MAX;
	if (s.most == 0)
		s.most = j->target->units;
	s.cuts = PIM_NEW(a, pim_cuts, g->n_ids + 1);
	s.fixed = PIM_NEW(a, bool, g->n_ids + 1);
	s.path = PIM_NEW(a, int, g->n_ids + 1);
	pim_job_count(j, "paths", pim_branch_forks(g, s.path, &s.fork, a));
	if (!choose_cuts(&s))
		return false;
	make_sets(&s);
	return true;
}
