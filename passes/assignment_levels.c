/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_levels - large problems: clusters first.
 *
 * Items that exchange most are joined in pairs, again and again, until there are about two
 * clusters for a unit. Clusters are placed greedily and annealed, with some overfull units
 * allowed; then each cluster falls apart into its two halves, overfull units are repaired and the
 * smaller items are annealed from a lower temperature, down to the items themselves. What time is
 * left goes to further rounds from the best assignment, each longer than the one before. Nets
 * count as traffic between root and leaves until the items themselves move.
 * Cost:   tries of annealing in proportion to the items of a level.
 * Source: multilevel partitioning (Hendrickson and Leland 1995) with annealing as refinement. */
#include <stdlib.h>
#include <string.h>

#include "passes/assignment_core.h"

enum { MOST_LEVELS = 40 };

typedef struct levels {
	assignment_run *r;
	int n;
	pim_assignment *p[MOST_LEVELS]; /* p[0]: the items, nets as traffic where there are nets */
	int *cluster[MOST_LEVELS];		/* [item of p[l]]: its cluster in p[l + 1] */
	uint64_t random;
	pim_arena *arena;
} levels;

/* The problem with nets as stars. */
static pim_assignment *make_stars(const pim_assignment *p)
{
	pim_assignment *q = assignment_same_units(p);
	for (int i = 0; i < p->n; i++) {
		pim_assignment_add_item(q, p->weight[i]);
		q->fixed[i] = p->fixed[i];
	}
	for (int k = 0; k < p->n_traffic; k++)
		pim_assignment_add_traffic(q, p->traffic[k].from, p->traffic[k].to, p->traffic[k].bytes);
	for (int k = 0; k < p->n_prices; k++)
		pim_assignment_add_price(
			q, p->price_list[k].item, p->price_list[k].unit, p->price_list[k].price);
	for (int k = 0; k < p->n_nets; k++)
		for (int i = 1; i < p->net[k].n; i++)
			pim_assignment_add_traffic(q, p->net[k].item[0], p->net[k].item[i], p->net[k].bytes);
	assignment_prepare(q);
	return q;
}

static int64_t largest_capacity(const pim_assignment *p)
{
	int64_t largest = 0;
	for (int u = 0; u < p->units; u++)
		largest = p->capacity[u] > largest ? p->capacity[u] : largest;
	return largest;
}

static int find_mate(const pim_assignment *p, const int *cluster, int i, int64_t heaviest)
{
	int mate = -1;
	double most = 0;
	for (int x = p->first[i]; x < p->first[i + 1]; x++) {
		const assignment_edge *e = &p->edge[x];
		int64_t weight = p->weight[i] + p->weight[e->other];
		if (cluster[e->other] >= 0 || p->fixed[e->other] >= 0 || weight > heaviest)
			continue;
		double pull = (double)(e->to + e->from) / (double)(weight ? weight : 1);
		if (pull > most) {
			most = pull;
			mate = e->other;
		}
	}
	return mate;
}

/* Joins items in pairs; false when that leaves more than nine in ten. */
static bool coarsen(levels *v, int64_t heaviest)
{
	pim_assignment *p = v->p[v->n - 1], *q = assignment_same_units(p);
	int *cluster = PIM_NEW(v->arena, int, p->n), *order = PIM_NEW(v->arena, int, p->n);
	memset(cluster, -1, sizeof *cluster * (size_t)p->n);
	for (int i = 0; i < p->n; i++) {
		int k = assignment_draw(&v->random, i + 1);
		order[i] = order[k];
		order[k] = i;
	}
	for (int k = 0; k < p->n; k++) {
		int i = order[k];
		if (cluster[i] >= 0)
			continue;
		int mate = p->fixed[i] < 0 ? find_mate(p, cluster, i, heaviest) : -1;
		cluster[i] = pim_assignment_add_item(q, p->weight[i] + (mate >= 0 ? p->weight[mate] : 0));
		q->fixed[cluster[i]] = p->fixed[i];
		if (mate >= 0)
			cluster[mate] = cluster[i];
	}
	for (int i = 0; i < p->n; i++) {
		for (int x = p->first[i]; x < p->first[i + 1]; x++)
			if (!p->symmetric || p->edge[x].other > i)
				pim_assignment_add_traffic(q, cluster[i], cluster[p->edge[x].other], p->edge[x].to);
		for (int u = 0; p->price[i] && u < p->units; u++)
			pim_assignment_add_price(q, cluster[i], u, p->price[i][u]);
	}
	if (10 * (int64_t)q->n > 9 * (int64_t)p->n) {
		pim_assignment_free(q);
		return false;
	}
	assignment_prepare(q);
	v->cluster[v->n - 1] = cluster;
	v->p[v->n++] = q;
	return true;
}

static void make_levels(levels *v)
{
	int64_t heaviest = (largest_capacity(v->p[0]) + 1) / 2;
	while (v->n < MOST_LEVELS && v->p[v->n - 1]->n > 2 * v->p[0]->units && coarsen(v, heaviest))
		continue;
}

static int64_t heaviest_item(const pim_assignment *p)
{
	int64_t heaviest = 1;
	for (int i = 0; i < p->n; i++)
		heaviest = p->weight[i] > heaviest ? p->weight[i] : heaviest;
	return heaviest;
}

/* A first assignment of the coarsest level, with units overfull by at most slack. */
static bool begin_coarse(levels *v, int *unit, int64_t slack)
{
	pim_assignment *p = v->p[v->n - 1], *q = assignment_same_units(p);
	q->n = p->n;
	q->weight = p->weight;
	q->fixed = p->fixed;
	q->first = p->first;
	q->edge = p->edge;
	q->price = p->price;
	for (int u = 0; u < q->units; u++)
		q->capacity[u] += q->capacity[u] ? slack : 0;
	bool good = assignment_greedy(q, unit, v->arena);
	pim_assignment_free(q);
	return good;
}

static void heat(levels *v, const pim_assignment *p, int *unit, double hot, int64_t tries)
{
	double rough = assignment_roughness(p, unit, &v->random);
	assignment_heat h = {rough * hot, rough * 0.01, rough, tries * p->n};
	assignment_anneal(v->r, p, unit, &h, heaviest_item(p) - 1, &v->random);
}

static void offer_if_good(levels *v, const int *unit)
{
	int64_t cost;
	if (pim_assignment_check(v->r->p, unit, &cost))
		assignment_offer(v->r, unit, cost);
}

/* From the coarsest level down to items; unit[] gets the assignment. */
static bool descend(levels *v, int *unit, int64_t tries)
{
	int *coarse = PIM_NEW(v->arena, int, v->p[0]->n);
	int64_t slack = v->n > 1 ? heaviest_item(v->p[v->n - 1]) - 1 : 0;
	if (!begin_coarse(v, unit, slack))
		return false;
	for (int l = v->n - 1; l >= 0; l--) {
		const pim_assignment *p = l ? v->p[l] : v->r->p;
		if (l < v->n - 1) {
			memcpy(coarse, unit, sizeof *unit * (size_t)v->p[l + 1]->n);
			for (int i = 0; i < p->n; i++)
				unit[i] = coarse[v->cluster[l][i]];
			if (!l && !assignment_repair(v->p[0], unit, v->arena))
				return false;
		}
		heat(v, p, unit, l == v->n - 1 ? 1 : 0.2, tries);
	}
	return true;
}

void assignment_levels(assignment_run *r, uint64_t seed)
{
	levels v = {.r = r, .n = 1, .random = seed, .arena = pim_arena_new()};
	int *unit = PIM_NEW(v.arena, int, r->p->n);
	v.p[0] = r->p->n_nets ? make_stars(r->p) : r->p;
	if (!r->has_best && assignment_greedy(v.p[0], unit, v.arena))
		offer_if_good(&v, unit);
	make_levels(&v);
	if (!assignment_done(r) && descend(&v, unit, 400))
		offer_if_good(&v, unit);
	int64_t before = -1, tries = 400;
	for (int round = 1; r->has_best && r->steps > before && !assignment_done(r); round++) {
		before = r->steps;
		tries += round % 2 ? 0 : tries / 2;
		memcpy(unit, r->best, sizeof *unit * (size_t)r->p->n);
		heat(&v, r->p, unit, round % 2 ? 0.2 : 1, tries);
		offer_if_good(&v, unit);
	}
	for (int l = r->p->n_nets ? 0 : 1; l < v.n; l++)
		pim_assignment_free(v.p[l]);
	pim_arena_free(v.arena);
}
