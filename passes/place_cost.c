/* SPDX-License-Identifier: Apache-2.0 */
/* place_cost - bounds that no placement beats.
 *
 * The bound, for messages that one slot reads: the units of one tenant are distinct, so of the
 * slots a slot talks to at most one is at its own unit, at most as many as that unit has neighbours
 * one hop away, and so on: its largest messages travel least. That prices each slot on each unit,
 * and the slots of one end need distinct units again: a linear assignment problem. Added up over
 * flows, the larger of both ends. Trees with more leaves: at least one link for each leaf, but for
 * those on their root's unit. Source: Gilmore (1962) and Lawler (1963), for the two sides of a
 * flow; trees: ours.
 *
 * The busiest link carries at least the mean of all; a part of what one slot exchanges with slots
 * on other units; a part of what must cross the middle of the network. Source: ours. */
#include "passes/place.h"

#include <stdlib.h>
#include <string.h>

#include "passes/assignment.h"

static double hops_between(const pim_placement *p, int from, int to)
{
	return (double)p->hops[(size_t)from * (size_t)p->units + (size_t)to];
}

/* What lies around the units; those that see the same distances are one class. */
typedef struct nearness {
	int units, classes, *class_of; /* [unit] */
	int *members;				   /* [class] */
	int *hops;					   /* [class * units + k]: to the k-th nearest unit, itself first */
} nearness;

/* The distances from unit u in ascending order. */
static void sort_hops(const pim_placement *p, int u, int *count, int furthest, int *sorted)
{
	memset(count, 0, sizeof *count * ((size_t)furthest + 1));
	for (int v = 0; v < p->units; v++)
		count[(int)hops_between(p, u, v)]++;
	for (int d = 0, k = 0; d <= furthest; d++)
		for (int i = 0; i < count[d]; i++)
			sorted[k++] = d;
}

/* On large networks one class that is nowhere further than any. */
static void join_classes(nearness *w)
{
	for (int c = 1; c < w->classes; c++)
		for (int k = 0; k < w->units; k++) {
			int hops = w->hops[(size_t)c * (size_t)w->units + (size_t)k];
			w->hops[k] = hops < w->hops[k] ? hops : w->hops[k];
		}
	memset(w->class_of, 0, sizeof *w->class_of * (size_t)w->units);
	w->classes = 1;
	w->members[0] = w->units;
}

static nearness find_nearness(const pim_placement *p, pim_arena *a)
{
	enum { MOST_UNITS = 128 };
	size_t units = (size_t)p->units;
	int furthest = pim_network_diameter(p->target), *count = PIM_NEW(a, int, furthest + 1);
	nearness w = {.units = p->units,
		.class_of = PIM_NEW(a, int, units),
		.members = PIM_NEW(a, int, units),
		.hops = PIM_NEW(a, int, units *units)};
	for (int u = 0; u < p->units; u++) {
		int *row = w.hops + (size_t)w.classes * units, c = 0;
		sort_hops(p, u, count, furthest, row);
		while (c < w.classes && memcmp(w.hops + (size_t)c * units, row, sizeof *row * units))
			c++;
		w.classes += c == w.classes;
		w.class_of[u] = c;
		w.members[c]++;
	}
	if (p->units > MOST_UNITS)
		join_classes(&w);
	return w;
}

typedef struct share {
	int slot;
	int64_t bytes;
} share;

static int compare_shares(const void *a, const void *b)
{
	const share *x = a, *y = b;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

/* Bytes between a slot and one of the other end. */
typedef struct pair {
	int slot, other;
	int64_t bytes;
} pair;

static int compare_pairs(const void *a, const void *b)
{
	const pair *x = a, *y = b;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return (x->other > y->other) - (x->other < y->other);
}

/* Memory of the bound of one flow. */
typedef struct ledger {
	share *share;
	pair *pair;
	int64_t *cost;			/* [slot * classes + class]: the slot's messages from there at least */
	int64_t *matrix, *edge; /* of the assignment problem: costs, prices */
	int *column;
} ledger;

/* Slots on distinct units, each at the cost of its unit's class. Where that is the same for all
 * classes each slot may have the cheapest. */
static int64_t bound_of_costs(const nearness *w, int slots, ledger *l)
{
	size_t units = (size_t)w->units, classes = (size_t)w->classes;
	int64_t sum = 0;
	bool alike = true;
	for (size_t i = 0; i < (size_t)slots; i++) {
		const int64_t *row = l->cost + i * classes;
		int64_t least = row[0];
		for (size_t c = 1; c < classes; c++) {
			alike = alike && row[c] == row[0];
			least = row[c] < least ? row[c] : least;
		}
		sum += least;
	}
	if (alike)
		return sum;
	memset(l->matrix, 0, sizeof *l->matrix * units * units);
	for (size_t i = 0; i < (size_t)slots; i++)
		for (size_t u = 0; u < units; u++)
			l->matrix[i * units + u] = l->cost[i * classes + (size_t)w->class_of[u]];
	return pim_linear_assignment(w->units, l->matrix, l->column, l->edge, l->edge + units);
}

/* The bound seen from one end: each slot's messages, largest first, from the nearest units on. */
static int64_t bound_of_shares(const nearness *w, int n, int slots, ledger *l)
{
	size_t units = (size_t)w->units, classes = (size_t)w->classes;
	const share *s = l->share;
	qsort(l->share, (size_t)n, sizeof *s, compare_shares);
	memset(l->cost, 0, sizeof *l->cost * (size_t)slots * classes);
	for (int i = 0, first = 0; i < n; i++) {
		first = s[i].slot != s[first].slot ? i : first;
		for (size_t c = 0; c < classes; c++)
			l->cost[(size_t)s[i].slot * classes + c] +=
				s[i].bytes * w->hops[c * units + (size_t)(i - first)];
	}
	return bound_of_costs(w, slots, l);
}

/* Sorts n pairs and adds up equal ones. */
static int join_pairs(int n, ledger *l)
{
	int kept = 0;
	qsort(l->pair, (size_t)n, sizeof *l->pair, compare_pairs);
	for (int i = 0; i < n; i++) {
		if (kept && compare_pairs(&l->pair[kept - 1], &l->pair[i]) == 0)
			l->pair[kept - 1].bytes += l->pair[i].bytes;
		else
			l->pair[kept++] = l->pair[i];
	}
	return kept;
}

typedef enum leaves { LEAVES_one, LEAVES_more } leaves;

/* Bytes between slots at the end `at_to` says and those of the other one, in trees with one leaf or
 * more: pairs in order. Gives back how many. */
static int list_pairs(const pim_flow *f, leaves which, bool at_to, ledger *l)
{
	int n = 0;
	for (int i = 0; i < f->n_trees; i++) {
		const pim_traffic_tree *tree = &f->tree[i];
		if ((tree->n > 1) != (which == LEAVES_more))
			continue;
		bool at_root = at_to == tree->adds;
		for (int k = 0; k < tree->n; k++)
			l->pair[n++] = (pair){at_root ? tree->root : tree->leaf[k],
				at_root ? tree->leaf[k] : tree->root, (int64_t)tree->bytes};
	}
	return join_pairs(n, l);
}

static int64_t bound_of_singles(
	const nearness *w, const pim_flow *f, bool at_to, int slots, ledger *l)
{
	int n = list_pairs(f, LEAVES_one, at_to, l);
	for (int i = 0; i < n; i++)
		l->share[i] = (share){l->pair[i].slot, l->pair[i].bytes};
	return n ? bound_of_shares(w, n, slots, l) : 0;
}

/* A tree has a link for each leaf that is not on the root's unit. Of all pairs of a root and a
 * leaf, each slot can be on one unit with one slot of the other end. */
static int64_t bound_of_trees(const pim_flow *f, bool at_to, int slots, ledger *l)
{
	int64_t links = 0;
	int n = list_pairs(f, LEAVES_more, at_to, l);
	memset(l->cost, 0, sizeof *l->cost * (size_t)slots);
	for (int i = 0; i < n; i++) {
		int64_t *most = &l->cost[l->pair[i].slot], bytes = l->pair[i].bytes;
		*most = bytes > *most ? bytes : *most;
		links += bytes;
	}
	for (int i = 0; i < slots; i++)
		links -= l->cost[i];
	return links;
}

/* All leaves may be on one bus, but not on the root's unit. */
static int64_t bound_on_buses(const pim_flow *f)
{
	int64_t links = 0;
	for (int i = 0; i < f->n_trees; i++)
		links += f->tree[i].n > 1 ? (int64_t)f->tree[i].bytes : 0;
	return links;
}

static int64_t bound_of_flow(
	const pim_placement *p, const nearness *w, const pim_flow *f, ledger *l)
{
	int from_slots = p->tenant[f->from].n_units, to_slots = p->tenant[f->to].n_units;
	int64_t singles = pim_max(
		bound_of_singles(w, f, true, to_slots, l), bound_of_singles(w, f, false, from_slots, l));
	if (p->target->network.topology == PIM_TOPOLOGY_bus)
		return singles + bound_on_buses(f);
	return singles +
		   pim_max(bound_of_trees(f, true, to_slots, l), bound_of_trees(f, false, from_slots, l));
}

double pim_placement_bound(const pim_placement *p, pim_arena *scratch)
{
	nearness w = find_nearness(p, scratch);
	size_t units = (size_t)p->units;
	double bound = 0;
	int most = 0;
	for (int i = 0; i < p->n_flows; i++)
		most = p->flow[i].n > most ? p->flow[i].n : most;
	ledger l = {.share = PIM_NEW(scratch, share, most),
		.pair = PIM_NEW(scratch, pair, most),
		.cost = PIM_NEW(scratch, int64_t, units * (size_t)w.classes),
		.matrix = PIM_NEW(scratch, int64_t, units * units),
		.edge = PIM_NEW(scratch, int64_t, 2 * units),
		.column = PIM_NEW(scratch, int, units)};
	for (int i = 0; i < p->n_flows; i++)
		bound += (double)bound_of_flow(p, &w, &p->flow[i], &l);
	return bound;
}

/* ---- the busiest link ---- */

/* Links that leave a unit, at most. */
static int count_ways(const pim_target *t)
{
	int ways = 0;
	for (int d = 0; d < 3; d++) {
		int size = t->network.size[d];
		ways += size > 2 ? 2 : size - 1;
	}
	return ways;
}

static bool is_certain(const pim_flow *f)
{
	return !f->reader || pim_flow_tells(f->reader, f->input);
}

/* What slots at one end exchange with each of the other, all trees together: pairs in order. Roots
 * of trees with several leaves pass their bytes on whoever is on the same unit: to sure[slot]. */
static int list_exchanges(const pim_flow *f, bool at_to, double *sure, ledger *l)
{
	int n = 0;
	for (int i = 0; i < f->n_trees; i++) {
		const pim_traffic_tree *tree = &f->tree[i];
		bool at_root = at_to == tree->adds;
		if (at_root && tree->n > 1)
			sure[tree->root] += tree->bytes;
		for (int k = 0; k < tree->n && (!at_root || tree->n == 1); k++)
			l->pair[n++] = (pair){at_root ? tree->root : tree->leaf[k],
				at_root ? tree->leaf[k] : tree->root, (int64_t)tree->bytes};
	}
	return join_pairs(n, l);
}

/* Of the exchanges of each slot, all but the `most_near` largest: to far[slot]. */
static void add_far(int n, int most_near, double *far, ledger *l)
{
	for (int i = 0; i < n; i++)
		l->share[i] = (share){l->pair[i].slot, l->pair[i].bytes};
	qsort(l->share, (size_t)n, sizeof *l->share, compare_shares);
	for (int i = 0, first = 0; i < n; i++) {
		first = l->share[i].slot != l->share[first].slot ? i : first;
		far[l->share[i].slot] += i - first >= most_near ? (double)l->share[i].bytes : 0;
	}
}

/* The most that any slot must take in, or give out, over the links of its unit. */
static double most_of_slots(const pim_placement *p, double *far, ledger *l)
{
	double most = 0;
	for (int one = 0; one < p->n; one++)
		for (int at_to = 0; at_to < 2; at_to++) {
			const pim_tenant *t = &p->tenant[one];
			memset(far, 0, sizeof *far * (size_t)p->units);
			for (int k = 0; k < t->n_flows; k++) {
				const pim_flow *f = &p->flow[t->flow[k]];
				if ((at_to ? f->to : f->from) == one && is_certain(f))
					add_far(list_exchanges(f, at_to, far, l), 1, far, l);
			}
			for (int i = 0; i < t->n_units; i++)
				most = far[i] > most ? far[i] : most;
		}
	return most;
}

/* The most trees with one leaf that any slot of the end is in. */
static int most_partners(const pim_flow *f, bool at_to, double *count, int slots)
{
	double most = 0;
	memset(count, 0, sizeof *count * (size_t)slots);
	for (int i = 0; i < f->n_trees; i++) {
		const pim_traffic_tree *tree = &f->tree[i];
		if (tree->n == 1)
			count[at_to == tree->adds ? tree->root : tree->leaf[0]]++;
	}
	for (int i = 0; i < slots; i++)
		most = count[i] > most ? count[i] : most;
	return (int)most;
}

/* What crosses from one part of the network to another where neither has more than `half` units:
 * slots cannot have more of their partners on their own side, nor trees more of their leaves. */
static double count_crossing(const pim_placement *p, int half, double *far, ledger *l)
{
	double crossing = 0;
	for (int i = 0; i < p->n_flows; i++) {
		const pim_flow *f = &p->flow[i];
		double most = 0, trees = 0;
		if (!is_certain(f))
			continue;
		for (int at_to = 0; at_to < 2; at_to++) {
			double sum = 0;
			int slots = p->tenant[at_to ? f->to : f->from].n_units;
			if (most_partners(f, at_to, far, slots) <= half)
				continue;
			memset(far, 0, sizeof *far * (size_t)slots);
			add_far(list_pairs(f, LEAVES_one, at_to, l), half, far, l);
			for (int k = 0; k < slots; k++)
				sum += far[k];
			most = sum > most ? sum : most;
		}
		for (int k = 0; k < f->n_trees; k++)
			trees += f->tree[k].n > 1 && f->tree[k].n > half ? f->tree[k].bytes : 0;
		crossing += most + trees;
	}
	return crossing;
}

/* Through the middle of each dimension, both ways. */
static double bound_by_middle(const pim_placement *p, double *far, ledger *l)
{
	const pim_target *t = p->target;
	double bound = 0, crossing = 0;
	int half = 0;
	for (int d = 0; d < 3; d++) {
		int size = t->network.size[d], lines = t->units / size;
		bool ring = t->network.topology == PIM_TOPOLOGY_torus && size > 2;
		if (size < 2)
			continue;
		if (half != (size + 1) / 2 * lines)
			crossing = count_crossing(p, half = (size + 1) / 2 * lines, far, l);
		double each = crossing / ((ring ? 4 : 2) * lines);
		bound = each > bound ? each : bound;
	}
	return bound;
}

double pim_placement_load_bound(const pim_placement *p, double byte_hops, pim_arena *scratch)
{
	double links = pim_network_link_count(p->target), *far = PIM_NEW(scratch, double, p->units);
	double bound = links > 0 ? byte_hops / links : 0;
	ledger l = {0};
	int most = 0;
	for (int i = 0; i < p->n_flows; i++)
		most = p->flow[i].n > most ? p->flow[i].n : most;
	l.share = PIM_NEW(scratch, share, most);
	l.pair = PIM_NEW(scratch, pair, most);
	if (p->target->network.topology == PIM_TOPOLOGY_bus || links == 0)
		return bound;
	double slots = most_of_slots(p, far, &l) / count_ways(p->target);
	double middle = bound_by_middle(p, far, &l);
	bound = slots > bound ? slots : bound;
	return middle > bound ? middle : bound;
}
