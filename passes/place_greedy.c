/* SPDX-License-Identifier: Apache-2.0 */
/* place_greedy - binds the slots of each tenant, in order of start, to the units that cost least.
 *
 * Slots with most bytes choose first; a unit costs bytes times hops to the partners that are bound
 * already; of equal units the one that has exchanged least, then the lowest. Tenants without bound
 * partners stay where they were. Cost: messages times units. Source: Allspark's second stage
 * (arXiv 2403.15069) as its abstract describes it. */
#include "passes/place.h"

#include <stdlib.h>
#include <string.h>

typedef struct slot {
	int number;
	double bytes;
} slot;

static int compare_slots(const void *a, const void *b)
{
	const slot *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->number - y->number;
}

/* price[slot * units + unit], and each slot's bytes; false when no partner is bound. */
static bool price_units(const pim_placement *p, int i, const bool *bound, double *price, slot *s)
{
	const pim_tenant *t = &p->tenant[i];
	bool any = false;
	memset(price, 0, sizeof *price * (size_t)t->n_units * (size_t)p->units);
	for (int k = 0; k < t->n_units; k++)
		s[k] = (slot){.number = k};
	for (int k = 0; k < t->n_flows; k++) {
		const pim_flow *f = &p->flow[t->flow[k]];
		bool from_here = f->from == i;
		int other = from_here ? f->to : f->from;
		for (int m = 0; bound[other] && m < f->n; m++) {
			int here = from_here ? f->message[m].from : f->message[m].to;
			int there = from_here ? f->message[m].to : f->message[m].from;
			const float *hops = p->hops + (size_t)p->tenant[other].unit[there] * (size_t)p->units;
			double *row = price + (size_t)here * (size_t)p->units, bytes = f->message[m].bytes;
			for (int u = 0; u < p->units; u++)
				row[u] += bytes * (double)hops[u];
			s[here].bytes += bytes;
			any = true;
		}
	}
	return any;
}

static int cheapest_unit(
	const pim_placement *p, const double *row, const bool *taken, const double *load)
{
	int best = -1;
	for (int u = 0; u < p->units; u++)
		if (!taken[u] &&
			(best < 0 || row[u] < row[best] || (row[u] == row[best] && load[u] < load[best])))
			best = u;
	return best;
}

static bool stays_free(const pim_tenant *t, const bool *taken)
{
	for (int k = 0; k < t->n_units; k++)
		if (taken[t->unit[k]])
			return false;
	return true;
}

/* Rivals that are bound already; those still to come make way. */
static void find_taken(const pim_placement *p, int i, const bool *bound, bool *taken)
{
	memset(taken, 0, sizeof *taken * (size_t)p->units);
	for (int k = 0; k < p->tenant[i].n_rivals; k++) {
		const pim_tenant *r = &p->tenant[p->tenant[i].rival[k]];
		for (int u = 0; bound[p->tenant[i].rival[k]] && u < r->n_units; u++)
			taken[r->unit[u]] = true;
	}
}

static void bind_all(pim_placement *p)
{
	pim_arena *scratch = pim_arena_new();
	size_t units = (size_t)p->units;
	double *price = PIM_NEW(scratch, double, units *units), *load = PIM_NEW(scratch, double, units);
	slot *s = PIM_NEW(scratch, slot, units);
	bool *taken = PIM_NEW(scratch, bool, units), *bound = PIM_NEW(scratch, bool, p->n);
	for (int i = 0; i < p->n; i++) {
		pim_tenant *t = &p->tenant[i];
		bool any = price_units(p, i, bound, price, s);
		find_taken(p, i, bound, taken);
		bound[i] = true;
		if (!any && stays_free(t, taken))
			continue;
		qsort(s, (size_t)t->n_units, sizeof *s, compare_slots);
		for (int k = 0; k < t->n_units; k++) {
			int u = cheapest_unit(p, price + (size_t)s[k].number * units, taken, load);
			t->unit[s[k].number] = u;
			taken[u] = true;
			load[u] += s[k].bytes;
		}
	}
	pim_arena_free(scratch);
}

static int **save_units(const pim_placement *p, pim_arena *a)
{
	int **old = PIM_NEW(a, int *, p->n);
	for (int i = 0; i < p->n; i++) {
		old[i] = PIM_NEW(a, int, p->tenant[i].n_units);
		memcpy(old[i], p->tenant[i].unit, sizeof *old[i] * (size_t)p->tenant[i].n_units);
	}
	return old;
}

void pim_place_greedy(pim_placement *p, pim_arena *scratch)
{
	double before = pim_placement_cost(p);
	int **old = save_units(p, scratch);
	bind_all(p);
	if (pim_placement_cost(p) < before)
		return;
	for (int i = 0; i < p->n; i++)
		memcpy(p->tenant[i].unit, old[i], sizeof *old[i] * (size_t)p->tenant[i].n_units);
}
