/* SPDX-License-Identifier: Apache-2.0 */
/* place_cost - what a placement costs, and a bound that none can beat.
 *
 * The bound: the units of one tenant are distinct, so of the slots a slot talks to at most one is
 * at its own unit, at most as many as a unit has neighbours one hop away, and so on. Its largest
 * messages travel least. Added up over the slots of either end of a flow, the larger of both. */
#include "passes/place.h"

#include <stdlib.h>

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

/* least[i]: hops that the i-th nearest unit is away at best, seen from any unit. */
static double *nearest_hops(const pim_placement *p, pim_arena *scratch)
{
	int furthest = pim_network_diameter(p->target);
	int *most = PIM_NEW(scratch, int, furthest + 1), *count = PIM_NEW(scratch, int, furthest + 1);
	for (int u = 0; u < p->units; u++) {
		for (int d = 0; d <= furthest; d++)
			count[d] = 0;
		for (int v = 0; v < p->units; v++)
			count[(int)hops_between(p, u, v)]++;
		for (int d = 0, within = 0; d <= furthest; d++) {
			within += count[d];
			most[d] = within > most[d] ? within : most[d];
		}
	}
	double *least = PIM_NEW(scratch, double, p->units);
	for (int i = 0, d = 0; i < p->units; i++) {
		while (most[d] <= i)
			d++;
		least[i] = d;
	}
	return least;
}

typedef struct share {
	int slot;
	double bytes;
} share;

static int compare_shares(const void *a, const void *b)
{
	const share *x = a, *y = b;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

/* The bound seen from one end: messages sorted by slot, largest first. */
static double bound_of_shares(share *s, int n, const double *least)
{
	double bound = 0;
	qsort(s, (size_t)n, sizeof *s, compare_shares);
	for (int i = 0, first = 0; i < n; i++) {
		first = s[i].slot != s[first].slot ? i : first;
		bound += s[i].bytes * least[i - first];
	}
	return bound;
}

/* All messages are alike: only their number per slot counts. */
static double bound_of_even(const pim_flow *f, int here, int there, const double *least)
{
	double bound = 0;
	for (int i = 0; i < there; i++)
		bound += f->message[0].bytes * least[i];
	return bound * here;
}

double pim_placement_bound(const pim_placement *p, pim_arena *scratch)
{
	double bound = 0, *least = nearest_hops(p, scratch);
	int most = 0;
	for (int i = 0; i < p->n_flows; i++)
		most = p->flow[i].n > most ? p->flow[i].n : most;
	share *s = PIM_NEW(scratch, share, most);
	for (int i = 0; i < p->n_flows; i++) {
		const pim_flow *f = &p->flow[i];
		int from_slots = p->tenant[f->from].n_units, to_slots = p->tenant[f->to].n_units;
		double at_to, at_from;
		if (f->even) {
			at_to = bound_of_even(f, to_slots, from_slots, least);
			at_from = bound_of_even(f, from_slots, to_slots, least);
		} else {
			for (int k = 0; k < f->n; k++)
				s[k] = (share){f->message[k].to, f->message[k].bytes};
			at_to = bound_of_shares(s, f->n, least);
			for (int k = 0; k < f->n; k++)
				s[k] = (share){f->message[k].from, f->message[k].bytes};
			at_from = bound_of_shares(s, f->n, least);
		}
		bound += at_to > at_from ? at_to : at_from;
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
