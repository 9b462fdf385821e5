/* SPDX-License-Identifier: Apache-2.0 */
/* place_swap - the last improvements of a placement: slots of one tenant change places.
 *
 * For each slot the middle of all that it exchanges with is found, by bytes; it is tried there and
 * on the units one step nearer to it, in exchange with the slot that is there, if any. Only the
 * trees that one of the two is in change, so a try costs their leaves; the links of all trees are
 * kept. Tenants with the most traffic come first, and again as long as something got better; a
 * visit that cannot find anything new, since no partner and no rival has moved, counts but is not
 * made. Cost: leaves that are looked at, at most `steps`. */
#include <stdlib.h>
#include <string.h>

#include "passes/place_memory.h"

/* Trees of a tenant's flows. */
typedef struct branch {
	const pim_flow *flow;
	const pim_traffic_tree *tree;
	double *links;
} branch;

typedef struct swap {
	pim_placement *p;
	pim_tree_counter *trees;
	double **links_of; /* [flow][tree] */
	bool *moved;	   /* [tenant]: it, a partner or a rival, since nothing helped any more */
	int64_t *in_vain;  /* [tenant]: leaves of a visit when nothing helps */
	int tenant, n;
	branch *branch;
	int *first, *member; /* branches of slot i: member[first[i] .. first[i + 1]) */
	int *after;			 /* branches that a try changes, and their links then */
	double *links;
	int n_after;
	int64_t *seen, *shared,
		now;	  /* by branch: the last try that counted it; that found both in it */
	int *slot_on; /* [unit]: slot or -1 */
	bool *taken;
	int64_t steps, left;
} swap;

static bool has_root_here(const swap *s, const branch *b)
{
	return (b->tree->adds ? b->flow->to : b->flow->from) == s->tenant;
}

static void count_branches(swap *s)
{
	const pim_tenant *t = &s->p->tenant[s->tenant];
	s->n = 0;
	for (int k = 0; k < t->n_flows; k++)
		s->n += s->p->flow[t->flow[k]].n_trees;
}

static double count_links(swap *s, const pim_flow *f, const pim_traffic_tree *tree)
{
	const int *from = s->p->tenant[f->from].unit, *to = s->p->tenant[f->to].unit;
	return (double)(tree->adds ? pim_tree_links(s->trees, tree, to, from)
							   : pim_tree_links(s->trees, tree, from, to));
}

/* Which branches each slot is in; called twice: to count, to note. */
static void note_slots(swap *s)
{
	for (int i = 0; i < s->n; i++) {
		const branch *b = &s->branch[i];
		bool root = has_root_here(s, b);
		for (int k = 0; k < (root ? 1 : b->tree->n); k++) {
			int slot = root ? b->tree->root : b->tree->leaf[k];
			if (s->member)
				s->member[s->first[slot]] = i;
			s->first[slot]++;
		}
	}
}

static void list_branches(swap *s, pim_arena *a)
{
	const pim_tenant *t = &s->p->tenant[s->tenant];
	int n = 0, slots = t->n_units;
	count_branches(s);
	s->branch = PIM_NEW(a, branch, s->n);
	for (int k = 0; k < t->n_flows; k++) {
		const pim_flow *f = &s->p->flow[t->flow[k]];
		for (int i = 0; i < f->n_trees; i++) {
			s->branch[n++] = (branch){f, &f->tree[i], &s->links_of[t->flow[k]][i]};
			s->left -= f->tree[i].n;
		}
	}
	s->first = PIM_NEW(a, int, slots + 1);
	s->member = NULL;
	note_slots(s);
	int all = 0;
	for (int i = 0; i <= slots; i++) {
		int here = i < slots ? s->first[i] : 0;
		s->first[i] = all;
		all += here;
	}
	s->member = PIM_NEW(a, int, all);
	note_slots(s);
	for (int i = slots; i > 0; i--)
		s->first[i] = s->first[i - 1];
	s->first[0] = 0;
	s->after = PIM_NEW(a, int, s->n);
	s->links = PIM_NEW(a, double, s->n);
	s->seen = PIM_NEW(a, int64_t, s->n);
	s->shared = PIM_NEW(a, int64_t, s->n);
}

static void begin_tenant(swap *s, int tenant, pim_arena *a)
{
	const pim_tenant *t = &s->p->tenant[tenant];
	s->tenant = tenant;
	s->now = 0;
	list_branches(s, a);
	pim_placement_taken(s->p, tenant, s->taken);
	memset(s->slot_on, -1, sizeof *s->slot_on * (size_t)s->p->units);
	for (int i = 0; i < t->n_units; i++)
		s->slot_on[t->unit[i]] = i;
}

/* Trees of which both are leaves stay as they are. */
static void pass_over_shared(swap *s, int slot, int other)
{
	for (int i = s->first[other]; i < s->first[other + 1]; i++)
		s->shared[s->member[i]] = s->now;
	for (int i = s->first[slot]; i < s->first[slot + 1]; i++) {
		int one = s->member[i];
		if (s->shared[one] == s->now && !has_root_here(s, &s->branch[one]))
			s->seen[one] = s->now;
	}
}

/* Counts anew the branches of a slot that have not been. */
static double count_changes(swap *s, int slot)
{
	double change = 0;
	for (int i = s->first[slot]; i < s->first[slot + 1]; i++) {
		int one = s->member[i];
		const branch *b = &s->branch[one];
		if (s->seen[one] == s->now)
			continue;
		s->seen[one] = s->now;
		s->after[s->n_after] = one;
		s->links[s->n_after] = count_links(s, b->flow, b->tree);
		s->left -= b->tree->n;
		change += b->tree->bytes * (s->links[s->n_after++] - *b->links);
	}
	return change;
}

static void put(swap *s, int slot, int unit)
{
	s->slot_on[unit] = slot;
	if (slot >= 0)
		s->p->tenant[s->tenant].unit[slot] = unit;
}

/* After an exchange that is otherwise good: can both units hold what they have now? */
static bool can_hold(const swap *s, int u, int v)
{
	pim_place_memory *m = s->p->memory;
	const int unit[] = {u, v};
	if (!m)
		return true;
	pim_place_memory_put(m, s->tenant, s->slot_on[u], u);
	pim_place_memory_put(m, s->tenant, s->slot_on[v], v);
	if (pim_place_memory_fits(m, 2, unit))
		return true;
	pim_place_memory_put(m, s->tenant, s->slot_on[v], u);
	pim_place_memory_put(m, s->tenant, s->slot_on[u], v);
	return false;
}

/* Puts the slot on the unit, and the one that is there on its own, if that is better. */
static bool try_unit(swap *s, int slot, int unit)
{
	int from = s->p->tenant[s->tenant].unit[slot], other = s->slot_on[unit];
	if (unit == from || s->taken[unit])
		return false;
	s->now++;
	s->n_after = 0;
	put(s, slot, unit);
	put(s, other, from);
	s->left -= s->first[slot + 1] - s->first[slot];
	if (other >= 0)
		pass_over_shared(s, slot, other);
	double change = count_changes(s, slot);
	if (other >= 0)
		change += count_changes(s, other);
	if (change < 0 && can_hold(s, from, unit)) {
		for (int i = 0; i < s->n_after; i++)
			*s->branch[s->after[i]].links = s->links[i];
		return true;
	}
	put(s, other, unit);
	put(s, slot, from);
	return false;
}

/* Adds up places, by bytes. */
typedef struct middle {
	double bytes, at[3];
} middle;

static void add_place(const swap *s, middle *m, int unit, double bytes)
{
	const int *size = s->p->target->network.size;
	m->bytes += bytes;
	m->at[0] += bytes * (unit % size[0]);
	m->at[1] += bytes * (unit / size[0] % size[1]);
	m->at[2] += bytes * (unit / size[0] / size[1]);
}

static middle find_middle(const swap *s, int slot)
{
	middle m = {0};
	for (int i = s->first[slot]; i < s->first[slot + 1]; i++) {
		const branch *b = &s->branch[s->member[i]];
		bool root = has_root_here(s, b);
		int other = root == b->tree->adds ? b->flow->from : b->flow->to;
		const int *unit = s->p->tenant[other].unit;
		for (int k = 0; root && k < b->tree->n; k++)
			add_place(s, &m, unit[b->tree->leaf[k]], b->tree->bytes / b->tree->n);
		if (!root)
			add_place(s, &m, unit[b->tree->root], b->tree->bytes);
	}
	return m;
}

static bool improve_slot(swap *s, int slot)
{
	const int *size = s->p->target->network.size;
	middle m = find_middle(s, slot);
	if (m.bytes <= 0)
		return false;
	int unit = s->p->tenant[s->tenant].unit[slot], step[3] = {1, size[0], size[0] * size[1]};
	int goal = 0;
	bool better = false;
	for (int d = 0; d < 3; d++)
		goal += step[d] * (int)(m.at[d] / m.bytes + 0.5);
	better = try_unit(s, slot, goal);
	for (int d = 0; d < 3 && !better; d++) {
		int at = unit / step[d] % size[d], to = (int)(m.at[d] / m.bytes + 0.5);
		if (at != to)
			better = try_unit(s, slot, unit + (to > at ? step[d] : -step[d]));
	}
	return better;
}

static void mark_moved(swap *s, int tenant)
{
	const pim_tenant *t = &s->p->tenant[tenant];
	for (int k = 0; k < t->n_flows; k++) {
		const pim_flow *f = &s->p->flow[t->flow[k]];
		s->moved[f->from == tenant ? f->to : f->from] = true;
	}
	for (int k = 0; k < t->n_rivals; k++)
		s->moved[t->rival[k]] = true;
}

static bool improve_tenant(swap *s, int tenant)
{
	pim_arena *scratch = pim_arena_new();
	bool any = false, better = true;
	int64_t first = s->left;
	begin_tenant(s, tenant, scratch);
	int64_t listed = first - s->left;
	while (better && s->left > 0) {
		int64_t left = s->left;
		better = false;
		for (int i = 0; i < s->p->tenant[tenant].n_units && s->left > 0; i++)
			better = improve_slot(s, i) || better;
		any = any || better;
		s->in_vain[tenant] = listed + left - s->left;
	}
	pim_arena_free(scratch);
	s->moved[tenant] = false;
	if (any)
		mark_moved(s, tenant);
	return any;
}

typedef struct weighed {
	int tenant;
	double cost;
} weighed;

static int by_cost(const void *a, const void *b)
{
	const weighed *x = a, *y = b;
	if (x->cost != y->cost)
		return x->cost > y->cost ? -1 : 1;
	return x->tenant - y->tenant;
}

/* The links of all trees; gives the bytes times links of each flow. */
static double *count_flows(swap *s, pim_arena *a)
{
	double *cost = PIM_NEW(a, double, s->p->n_flows);
	s->links_of = PIM_NEW(a, double *, s->p->n_flows);
	for (int i = 0; i < s->p->n_flows; i++) {
		const pim_flow *f = &s->p->flow[i];
		s->links_of[i] = PIM_NEW(a, double, f->n_trees);
		for (int k = 0; k < f->n_trees; k++) {
			s->links_of[i][k] = count_links(s, f, &f->tree[k]);
			cost[i] += f->tree[k].bytes * s->links_of[i][k];
		}
	}
	return cost;
}

int64_t pim_place_swap(pim_placement *p, int64_t steps, pim_arena *scratch)
{
	swap s = {.p = p,
		.trees = pim_tree_counter_new(p->target, scratch),
		.moved = PIM_NEW(scratch, bool, p->n),
		.in_vain = PIM_NEW(scratch, int64_t, p->n),
		.slot_on = PIM_NEW(scratch, int, p->units),
		.taken = PIM_NEW(scratch, bool, p->units),
		.left = steps};
	weighed *order = PIM_NEW(scratch, weighed, p->n);
	const double *cost = count_flows(&s, scratch);
	for (int i = 0; i < p->n; i++) {
		order[i].tenant = i;
		s.moved[i] = true;
		for (int k = 0; k < p->tenant[i].n_flows; k++)
			order[i].cost += cost[p->tenant[i].flow[k]];
	}
	qsort(order, (size_t)p->n, sizeof *order, by_cost);
	for (bool better = true; better && s.left > 0;) {
		better = false;
		for (int i = 0; i < p->n && s.left > 0; i++)
			if (s.moved[order[i].tenant])
				better = improve_tenant(&s, order[i].tenant) || better;
			else
				s.left -= s.in_vain[order[i].tenant];
	}
	return steps - s.left;
}
