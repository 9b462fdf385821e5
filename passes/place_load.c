/* SPDX-License-Identifier: Apache-2.0 */
/* place_load - the busiest link as second criterion: less on it, for the same bytes times links.
 *
 * Each tree over the busiest link may leave it by another place of its root or of a leaf behind the
 * link: that slot exchanges units with what is near, alone or with all that stands there in the
 * same chain of tenants (pim_placement_groups). An exchange is kept when the placement costs no
 * more, the link carries less (by a thousandth), and no link that got more carries as much as it
 * did. So the loads, sorted from the largest, fall in the order of words; it ends when the busiest
 * link cannot be relieved. A try counts the trees of two slots; only one that is not dearer costs
 * their routes, link by link. At most `steps` leaves and links are looked at. Source: ours. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "passes/place_memory.h"

/* On larger networks slots are exchanged with units so many links away only. */
enum { MOST_ALL = 64, NEAR = 2 };
/* Part of its load that a link must be relieved of by an exchange. */
static const double LEAST = 1e-3;

typedef struct branch {
	const pim_traffic_tree *tree;
	int at_root, at_leaves; /* tenants */
	int64_t links;
	int64_t seen; /* the last try that met it */
	int leaves;	  /* that the try moves; -1: its root too */
} branch;

/* A tree that took a link at some time; the next such of the link. */
typedef struct passage {
	int branch;
	int64_t next;
} passage;

typedef struct loads {
	pim_placement *p;
	pim_tree_counter *trees;
	pim_arena *arena;
	int n;
	branch *branch;
	int64_t *base;	/* [tenant]: number of its first slot */
	int64_t *first; /* [slot's number]: into `member` */
	int *member;	/* branches of a slot */
	int **slot_on;	/* [tenant][unit], -1: none */
	int *near, *near_first;
	int *group_first, *group_member; /* [root]: tenants of its group */
	int *root;						 /* [tenant] */
	double *load, *before;			 /* [link]: now, and before the try */
	int64_t *met;					 /* [link]: the last try that changed it */
	int *changed, n_changed;		 /* branches */
	int64_t *links_then;			 /* of changed branches */
	int *touched, n_touched;		 /* links */
	int *route;
	int64_t *passage_of, n_passages, room;
	passage *passage;
	int64_t now, left;
} loads;

static const int *units_of(const loads *s, int tenant)
{
	return s->p->tenant[tenant].unit;
}

/* ---- what there is ---- */

static void list_branches(loads *s)
{
	for (int i = 0; i < s->p->n_flows; i++)
		s->n += s->p->flow[i].n_trees;
	s->branch = PIM_NEW(s->arena, branch, s->n);
	s->n = 0;
	for (int i = 0; i < s->p->n_flows; i++)
		for (int k = 0; k < s->p->flow[i].n_trees; k++) {
			const pim_flow *f = &s->p->flow[i];
			const pim_traffic_tree *t = &f->tree[k];
			s->branch[s->n++] = (branch){.tree = t,
				.at_root = t->adds ? f->to : f->from,
				.at_leaves = t->adds ? f->from : f->to};
		}
}

/* Called twice: to count, to note. */
static void note_slots(loads *s)
{
	for (int i = 0; i < s->n; i++) {
		const branch *b = &s->branch[i];
		int64_t leaves = s->base[b->at_leaves];
		for (int k = -1; k < b->tree->n; k++) {
			int64_t slot = k < 0 ? s->base[b->at_root] + b->tree->root : leaves + b->tree->leaf[k];
			if (s->member)
				s->member[s->first[slot]] = i;
			s->first[slot]++;
		}
	}
}

static void index_slots(loads *s)
{
	int64_t slots = 0, all = 0;
	s->base = PIM_NEW(s->arena, int64_t, s->p->n);
	for (int i = 0; i < s->p->n; i++) {
		s->base[i] = slots;
		slots += s->p->tenant[i].n_units;
	}
	s->first = PIM_NEW(s->arena, int64_t, slots + 1);
	note_slots(s);
	for (int64_t i = 0; i <= slots; i++) {
		int64_t here = s->first[i];
		s->first[i] = all;
		all += here;
	}
	s->member = PIM_NEW(s->arena, int, all);
	note_slots(s);
	for (int64_t i = slots; i > 0; i--)
		s->first[i] = s->first[i - 1];
	s->first[0] = 0;
}

static void find_slots(loads *s)
{
	s->slot_on = PIM_NEW(s->arena, int *, s->p->n);
	for (int i = 0; i < s->p->n; i++) {
		const pim_tenant *t = &s->p->tenant[i];
		s->slot_on[i] = PIM_NEW(s->arena, int, s->p->units);
		memset(s->slot_on[i], -1, sizeof **s->slot_on * (size_t)s->p->units);
		for (int k = 0; k < t->n_units; k++)
			s->slot_on[i][t->unit[k]] = k;
	}
}

/* For each unit the units that are near, nearest first. */
static void find_near(loads *s)
{
	int units = s->p->units, furthest = pim_network_diameter(s->p->target), n = 0;
	int most = units <= MOST_ALL || furthest < NEAR ? furthest : NEAR;
	for (int i = 0; i < units * units; i++)
		n += s->p->hops[i] > 0 && s->p->hops[i] <= most;
	s->near = PIM_NEW(s->arena, int, n);
	s->near_first = PIM_NEW(s->arena, int, units + 1);
	n = 0;
	for (int u = 0; u < units; u++) {
		for (int hops = 1; hops <= most; hops++)
			for (int v = 0; v < units; v++)
				if (s->p->hops[(size_t)u * (size_t)units + (size_t)v] == hops)
					s->near[n++] = v;
		s->near_first[u + 1] = n;
	}
}

static int list_links(loads *s, const branch *b)
{
	int n = pim_tree_list(
		s->trees, b->tree, units_of(s, b->at_root), units_of(s, b->at_leaves), s->route);
	s->left -= n + b->tree->n;
	return n;
}

static void note_passage(loads *s, int link, int one)
{
	s->passage = pim_array_grow(s->passage, s->n_passages, &s->room, sizeof *s->passage);
	s->passage[s->n_passages] = (passage){one, s->passage_of[link]};
	s->passage_of[link] = s->n_passages++;
}

static void count_loads(loads *s)
{
	int links = pim_network_links(s->p->target);
	s->load = PIM_NEW(s->arena, double, links);
	s->before = PIM_NEW(s->arena, double, links);
	s->met = PIM_NEW(s->arena, int64_t, links);
	s->touched = PIM_NEW(s->arena, int, links);
	s->passage_of = PIM_NEW(s->arena, int64_t, links);
	memset(s->passage_of, -1, sizeof *s->passage_of * (size_t)links);
	for (int i = 0; i < s->n; i++) {
		branch *b = &s->branch[i];
		b->links = list_links(s, b);
		for (int k = 0; k < b->links; k++) {
			s->load[s->route[k]] += b->tree->bytes;
			note_passage(s, s->route[k], i);
		}
	}
}

static void list_groups(loads *s)
{
	s->root = PIM_NEW(s->arena, int, s->p->n);
	s->group_first = PIM_NEW(s->arena, int, s->p->n + 1);
	s->group_member = PIM_NEW(s->arena, int, s->p->n);
	pim_placement_groups(s->p, s->root, s->group_first, s->group_member);
}

/* ---- one exchange ---- */

typedef struct exchange {
	int n;
	const int *tenant;
	int u, v;
} exchange;

static bool is_free(const loads *s, int tenant, int unit)
{
	const pim_tenant *t = &s->p->tenant[tenant];
	for (int k = 0; k < t->n_rivals; k++)
		if (s->slot_on[t->rival[k]][unit] >= 0)
			return false;
	return true;
}

static bool may_exchange(const loads *s, const exchange *e)
{
	for (int i = 0; i < e->n; i++) {
		int one = e->tenant[i];
		if ((s->slot_on[one][e->u] >= 0 && !is_free(s, one, e->v)) ||
			(s->slot_on[one][e->v] >= 0 && !is_free(s, one, e->u)))
			return false;
	}
	return true;
}

static void put(loads *s, int tenant, int slot, int unit)
{
	s->slot_on[tenant][unit] = slot;
	if (slot >= 0)
		s->p->tenant[tenant].unit[slot] = unit;
}

/* Notes what the units have now; can both hold it? */
static bool can_hold(const loads *s, const exchange *e)
{
	pim_place_memory *m = s->p->memory;
	const int unit[] = {e->u, e->v};
	for (int i = 0; m && i < e->n; i++)
		for (int k = 0; k < 2; k++)
			pim_place_memory_put(m, e->tenant[i], s->slot_on[e->tenant[i]][unit[k]], unit[k]);
	return !m || pim_place_memory_fits(m, 2, unit);
}

static void make_exchange(loads *s, const exchange *e)
{
	for (int i = 0; i < e->n; i++) {
		int one = e->tenant[i], a = s->slot_on[one][e->u], b = s->slot_on[one][e->v];
		put(s, one, a, e->v);
		put(s, one, b, e->u);
	}
}

static void meet_branches(loads *s, int tenant, int slot)
{
	int64_t number = s->base[tenant] + slot;
	if (slot < 0)
		return;
	s->left -= s->first[number + 1] - s->first[number];
	for (int64_t i = s->first[number]; i < s->first[number + 1]; i++) {
		branch *b = &s->branch[s->member[i]];
		if (b->seen != s->now) {
			b->seen = s->now;
			b->leaves = 0;
			s->changed[s->n_changed++] = s->member[i];
		}
		if (tenant == b->at_root)
			b->leaves = -1;
		else if (b->leaves >= 0)
			b->leaves++;
	}
}

/* The branches that an exchange changes: a tree with both places among its leaves stays as it is.
 */
static void find_changed(loads *s, const exchange *e)
{
	int kept = 0;
	s->now++;
	s->n_changed = 0;
	for (int i = 0; i < e->n; i++) {
		meet_branches(s, e->tenant[i], s->slot_on[e->tenant[i]][e->u]);
		meet_branches(s, e->tenant[i], s->slot_on[e->tenant[i]][e->v]);
	}
	for (int i = 0; i < s->n_changed; i++)
		if (s->branch[s->changed[i]].leaves != 2)
			s->changed[kept++] = s->changed[i];
	s->n_changed = kept;
}

/* What changed branches cost more than before. */
static double count_change(loads *s)
{
	double change = 0;
	for (int i = 0; i < s->n_changed; i++) {
		const branch *b = &s->branch[s->changed[i]];
		s->links_then[i] =
			pim_tree_links(s->trees, b->tree, units_of(s, b->at_root), units_of(s, b->at_leaves));
		s->left -= b->tree->n;
		change += b->tree->bytes * (double)(s->links_then[i] - b->links);
	}
	return change;
}

/* Adds what changed branches load their links with, or takes it away (sign -1). */
static void add_loads(loads *s, int sign)
{
	for (int i = 0; i < s->n_changed; i++) {
		const branch *b = &s->branch[s->changed[i]];
		int n = list_links(s, b);
		for (int k = 0; k < n; k++) {
			int link = s->route[k];
			if (s->met[link] != s->now) {
				s->met[link] = s->now;
				s->before[link] = s->load[link];
				s->touched[s->n_touched++] = link;
			}
			s->load[link] += sign * b->tree->bytes;
		}
	}
}

/* Does the link carry less, and none that got more as much as it did? */
static bool is_relieved(const loads *s, int link)
{
	if (s->met[link] != s->now || s->load[link] > (1 - LEAST) * s->before[link])
		return false;
	for (int i = 0; i < s->n_touched; i++) {
		int other = s->touched[i];
		if (s->load[other] > s->before[other] && s->load[other] >= s->before[link])
			return false;
	}
	return true;
}

static void keep_change(loads *s)
{
	for (int i = 0; i < s->n_changed; i++) {
		branch *b = &s->branch[s->changed[i]];
		int n = list_links(s, b);
		b->links = s->links_then[i];
		for (int k = 0; k < n; k++)
			note_passage(s, s->route[k], s->changed[i]);
	}
}

static bool try_exchange(loads *s, const exchange *e, int link)
{
	if (!may_exchange(s, e))
		return false;
	find_changed(s, e);
	make_exchange(s, e);
	if (count_change(s) <= 0) {
		s->n_touched = 0;
		make_exchange(s, e);
		add_loads(s, -1);
		make_exchange(s, e);
		add_loads(s, 1);
		bool relieved = is_relieved(s, link);
		if (relieved && can_hold(s, e)) {
			keep_change(s);
			return true;
		}
		for (int i = 0; i < s->n_touched; i++)
			s->load[s->touched[i]] = s->before[s->touched[i]];
		make_exchange(s, e);
		if (relieved)
			can_hold(s, e);
		return false;
	}
	make_exchange(s, e);
	return false;
}

/* ---- one link ---- */

static bool move_away(loads *s, int tenant, int unit, int link)
{
	int root = s->root[tenant], members = s->group_first[root + 1] - s->group_first[root];
	for (int i = s->near_first[unit]; i < s->near_first[unit + 1] && s->left > 0; i++) {
		exchange alone = {1, &tenant, unit, s->near[i]},
				 all = {members, s->group_member + s->group_first[root], unit, s->near[i]};
		if (try_exchange(s, &alone, link) || (members > 1 && try_exchange(s, &all, link)))
			return true;
	}
	return false;
}

static bool takes_link(loads *s, const branch *b, int leaf, int link)
{
	int root = units_of(s, b->at_root)[b->tree->root], unit = units_of(s, b->at_leaves)[leaf];
	int hops = pim_network_route(
		s->p->target, b->tree->adds ? unit : root, b->tree->adds ? root : unit, s->route);
	s->left -= hops;
	for (int h = 0; h < hops; h++)
		if (s->route[h] == link)
			return true;
	return false;
}

static bool relieve_of(loads *s, const branch *b, int link)
{
	bool any = false;
	for (int k = 0; k < b->tree->n && s->left > 0; k++) {
		int leaf = b->tree->leaf[k];
		if (!takes_link(s, b, leaf, link))
			continue;
		any = true;
		if (move_away(s, b->at_leaves, units_of(s, b->at_leaves)[leaf], link))
			return true;
	}
	return any && move_away(s, b->at_root, units_of(s, b->at_root)[b->tree->root], link);
}

static bool relieve(loads *s, int link)
{
	for (int64_t i = s->passage_of[link]; i >= 0 && s->left > 0; i = s->passage[i].next)
		if (relieve_of(s, &s->branch[s->passage[i].branch], link))
			return true;
	return false;
}

static int find_busiest(const loads *s)
{
	int busiest = 0;
	for (int l = 1; l < pim_network_links(s->p->target); l++)
		busiest = s->load[l] > s->load[busiest] ? l : busiest;
	return busiest;
}

/* The busiest link, whichever it is then, until it cannot be relieved. */
static bool relieve_busiest(loads *s)
{
	bool any = false;
	list_groups(s);
	while (s->left > 0 && relieve(s, find_busiest(s)))
		any = true;
	return any;
}

pim_relief pim_place_load(pim_placement *p, int64_t steps, pim_arena *scratch)
{
	loads s = {.p = p,
		.trees = pim_tree_counter_new(p->target, scratch),
		.arena = scratch,
		.route = PIM_NEW(scratch, int, pim_network_links(p->target) + 1),
		.left = steps};
	list_branches(&s);
	s.changed = PIM_NEW(scratch, int, s.n);
	s.links_then = PIM_NEW(scratch, int64_t, s.n);
	index_slots(&s);
	find_slots(&s);
	find_near(&s);
	count_loads(&s);
	double before = s.load[find_busiest(&s)];
	while (s.left > 0 && relieve_busiest(&s))
		;
	free(s.passage);
	return (pim_relief){steps - s.left, before, s.load[find_busiest(&s)]};
}
