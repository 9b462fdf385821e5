/* SPDX-License-Identifier: Apache-2.0 */
/* place_cost - what a placement costs, and a bound that none can beat.
 *
 * The bound: the units of one tenant are distinct, so of the slots a slot talks to at most one is
 * at its own unit, at most as many as that unit has neighbours one hop away, and so on: its largest
 * messages travel least. That prices each slot on each unit, and the slots of one end need distinct
 * units again: a linear assignment problem. Added up over flows, the larger of both ends. Source:
 * Gilmore (1962) and Lawler (1963), for the two sides of a flow. */
#include "passes/place.h"

#include <stdlib.h>
#include <string.h>

#include "passes/assignment.h"

static double hops_between(const pim_placement *p, int from, int to)
{
	return (double)p->hops[(size_t)from * (size_t)p->units + (size_t)to];
}

static double flow_cost(const pim_placement *p, const pim_flow *f)
{
	const int *from = p->tenant[f->from].unit, *to = p->tenant[f->to].unit;
	double cost = 0;
	for (int i = 0; i < f->n; i++) {
		const pim_message *m = &f->message[i];
		cost += m->bytes * hops_between(p, from[m->from], to[m->to]);
	}
	return cost;
}

double pim_placement_cost(const pim_placement *p)
{
	double cost = 0;
	for (int i = 0; i < p->n_flows; i++)
		cost += flow_cost(p, &p->flow[i]);
	return cost;
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

/* Memory of the bound of one flow. */
typedef struct ledger {
	share *share;
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

/* All messages are alike: the cheapest units for the slots of this end, class by class. */
static int64_t bound_of_even(const nearness *w, int64_t bytes, int here, int there, ledger *l)
{
	int64_t bound = 0;
	for (int c = 0; c < w->classes; c++) {
		l->cost[c] = 0;
		for (int k = 0; k < there; k++)
			l->cost[c] += bytes * w->hops[(size_t)c * (size_t)w->units + (size_t)k];
	}
	while (here > 0) {
		int best = 0;
		for (int c = 1; c < w->classes; c++)
			best = l->cost[c] < l->cost[best] ? c : best;
		int taken = here < w->members[best] ? here : w->members[best];
		bound += taken * l->cost[best];
		here -= taken;
		l->cost[best] = INT64_MAX;
	}
	return bound;
}

static int64_t bound_of_end(
	const nearness *w, const pim_flow *f, bool at_to, int here, int there, ledger *l)
{
	if (f->even)
		return bound_of_even(w, (int64_t)f->message[0].bytes, here, there, l);
	for (int k = 0; k < f->n; k++)
		l->share[k] =
			(share){at_to ? f->message[k].to : f->message[k].from, (int64_t)f->message[k].bytes};
	return bound_of_shares(w, f->n, here, l);
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
		.cost = PIM_NEW(scratch, int64_t, units * (size_t)w.classes),
		.matrix = PIM_NEW(scratch, int64_t, units * units),
		.edge = PIM_NEW(scratch, int64_t, 2 * units),
		.column = PIM_NEW(scratch, int, units)};
	for (int i = 0; i < p->n_flows; i++) {
		const pim_flow *f = &p->flow[i];
		int from_slots = p->tenant[f->from].n_units, to_slots = p->tenant[f->to].n_units;
		int64_t at_to = bound_of_end(&w, f, true, to_slots, from_slots, &l);
		int64_t at_from = bound_of_end(&w, f, false, from_slots, to_slots, &l);
		bound += (double)(at_to > at_from ? at_to : at_from);
	}
	return bound;
}

double pim_placement_busiest(const pim_placement *p, pim_arena *scratch)
{
	double *load = PIM_NEW(scratch, double, pim_network_links(p->target)), busiest = 0;
	int *link = PIM_NEW(scratch, int, pim_network_diameter(p->target) + 1);
	for (int i = 0; i < p->n_flows; i++) {
		const pim_flow *f = &p->flow[i];
		for (int k = 0; k < f->n; k++) {
			const pim_message *m = &f->message[k];
			int hops = pim_network_route(
				p->target, p->tenant[f->from].unit[m->from], p->tenant[f->to].unit[m->to], link);
			for (int h = 0; h < hops; h++)
				load[link[h]] += m->bytes;
		}
	}
	for (int i = 0; i < pim_network_links(p->target); i++)
		busiest = load[i] > busiest ? load[i] : busiest;
	return busiest;
}
