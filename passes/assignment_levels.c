/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_levels - large problems: clusters first.
 *
 * Items that exchange most are joined in pairs, again and again, until there are about two
 * clusters for a unit; then the machine is halved in each dimension, and so on. Clusters are placed
 * greedily and annealed, with some overfull units at a fine; then each cluster falls apart into its
 * two halves, or each block of units into its units, and what is there now is annealed from a lower
 * temperature, down to the items themselves. What time is left goes to further rounds from the best
 * assignment, each longer than the one before. Nets count as traffic between root and leaves until
 * the items themselves move. Cost:   tries of annealing in proportion to the items of a level.
 * Source: multilevel partitioning (Hendrickson and Leland 1995) with annealing as refinement. */
#include <stdlib.h>
#include <string.h>

#include "passes/assignment_core.h"

enum { MOST_LEVELS = 40, LEAST_UNITS = 12, FEW_ITEMS = 1500 };
/* Temperatures, as parts of what a random move changes on average. */
static const double CLUSTER_HEAT = 0.2, BLOCK_HEAT = 0.5, COLD = 0.02;

typedef struct levels {
	assignment_run *r;
	int n;
	pim_assignment *p[MOST_LEVELS]; /* p[0]: the items, nets as traffic where there are nets */
	int *cluster[MOST_LEVELS];		/* [item of p[l]]: its cluster in p[l + 1]; NULL: the machine is
									   halved there */
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
		double pull = (double)(e->to + e->from) /
					  ((double)(p->weight[i] + 1) * (double)(p->weight[e->other] + 1));
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

static int block_of(const pim_assignment *half, const pim_assignment *p, int unit)
{
	int at[3];
	for (int d = 0; d < 3; d++)
		at[d] = p->at[d][unit] / 2;
	return (at[2] * half->size[1] + at[1]) * half->size[0] + at[0];
}

/* The price of a block is the mean of its units that have room. */
static void share_prices(pim_assignment *q, const pim_assignment *p)
{
	int *usable = PIM_NEW(q->arena, int, q->units);
	for (int u = 0; u < p->units; u++)
		usable[block_of(q, p, u)] += p->capacity[u] > 0;
	q->price = PIM_NEW(q->arena, int64_t *, p->n);
	for (int i = 0; i < p->n; i++) {
		q->price[i] = p->price[i] ? PIM_NEW(q->arena, int64_t, q->units) : NULL;
		for (int u = 0; p->price[i] && u < p->units; u++) {
			int block = block_of(q, p, u);
			q->price[i][block] += p->capacity[u] ? p->price[i][u] / usable[block] : 0;
		}
	}
}

/* The same items on a machine of half the size in each dimension. */
static bool halve(levels *v)
{
	const pim_assignment *p = v->p[v->n - 1];
	int size[3];
	for (int d = 0; d < 3; d++)
		size[d] = (p->size[d] + 1) / 2;
	if (p->distance || p->units < LEAST_UNITS)
		return false;
	pim_assignment *q = pim_assignment_new(p->shape, size);
	memset(q->capacity, 0, sizeof *q->capacity * (size_t)q->units);
	for (int u = 0; u < p->units; u++)
		q->capacity[block_of(q, p, u)] += p->capacity[u];
	for (int i = 0; i < p->n; i++) {
		pim_assignment_add_item(q, p->weight[i]);
		q->fixed[i] = p->fixed[i] < 0 ? -1 : block_of(q, p, p->fixed[i]);
	}
	q->traffic = p->traffic;
	q->n_traffic = p->n_traffic;
	q->first = p->first;
	q->edge = p->edge;
	share_prices(q, p);
	q->net_first = PIM_NEW(q->arena, int, p->n + 1);
	q->prepared = true;
	v->p[v->n++] = q;
	return true;
}

static void make_levels(levels *v)
{
	bool more = true;
	while (more && v->n < MOST_LEVELS) {
		const pim_assignment *p = v->p[v->n - 1];
		more = p->n > 2 * p->units && coarsen(v, (largest_capacity(p) + 1) / 2);
		if (!more)
			more = halve(v);
	}
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
	int64_t all = tries * p->n * (p->n < FEW_ITEMS ? 6 : 1);
	assignment_heat h = {rough * hot, rough * COLD, rough, all};
	assignment_anneal(v->r, p, unit, &h, heaviest_item(p) - 1, &v->random);
}

static void offer_if_good(levels *v, const int *unit)
{
	int64_t cost;
	if (pim_assignment_check(v->r->p, unit, &cost))
		assignment_offer(v->r, unit, cost);
}

static int64_t cost_on(const pim_assignment *p, const int *unit, int i, int u)
{
	int64_t cost = p->price[i] ? p->price[i][u] : 0;
	for (int x = p->first[i]; x < p->first[i + 1]; x++)
		cost += assignment_edge_cost(p, &p->edge[x], u, unit[p->edge[x].other]);
	return cost;
}

/* The cheapest unit of a block with room; else the one with most. */
static int choose_in_block(const pim_assignment *p, const pim_assignment *half, const int *unit,
	int i, int block, const int64_t *room)
{
	int best = -1, roomiest = -1;
	int64_t least = 0;
	for (int k = 0; k < 8; k++) {
		int at[3], inside = 1;
		for (int d = 0; d < 3; d++) {
			at[d] = 2 * half->at[d][block] + (k >> d & 1);
			inside = inside && at[d] < p->size[d];
		}
		if (!inside)
			continue;
		int u = (at[2] * p->size[1] + at[1]) * p->size[0] + at[0];
		roomiest = roomiest < 0 || room[u] > room[roomiest] ? u : roomiest;
		if (room[u] < p->weight[i])
			continue;
		int64_t cost = cost_on(p, unit, i, u);
		if (best < 0 || cost < least) {
			best = u;
			least = cost;
		}
	}
	return best >= 0 ? best : roomiest;
}

/* From blocks to their units, one item after the other. */
static void spread_blocks(levels *v, int l, int *unit, int *block)
{
	const pim_assignment *p = v->p[l], *half = v->p[l + 1];
	int64_t *room = PIM_NEW(v->arena, int64_t, p->units);
	memcpy(room, p->capacity, sizeof *room * (size_t)p->units);
	memcpy(block, unit, sizeof *unit * (size_t)p->n);
	for (int i = 0; i < p->n; i++) {
		int at[3];
		for (int d = 0; d < 3; d++)
			at[d] = 2 * half->at[d][block[i]];
		unit[i] = (at[2] * p->size[1] + at[1]) * p->size[0] + at[0];
	}
	for (int i = 0; i < p->n; i++) {
		unit[i] =
			p->fixed[i] >= 0 ? p->fixed[i] : choose_in_block(p, half, unit, i, block[i], room);
		room[unit[i]] -= p->weight[i];
	}
}

static void split_clusters(levels *v, int l, int *unit, int *coarse)
{
	memcpy(coarse, unit, sizeof *unit * (size_t)v->p[l + 1]->n);
	for (int i = 0; i < v->p[l]->n; i++)
		unit[i] = coarse[v->cluster[l][i]];
}

/* From the coarsest level down to items; unit[] gets the assignment. */
static bool descend(levels *v, int *unit, int64_t tries)
{
	int *before = PIM_NEW(v->arena, int, v->p[0]->n), last = v->n - 1;
	int64_t slack = last ? heaviest_item(v->p[last]) - 1 : 0;
	if (!begin_coarse(v, unit, slack))
		return false;
	heat(v, last ? v->p[last] : v->r->p, unit, 1, tries);
	for (int l = last - 1; l >= 0; l--) {
		if (v->cluster[l])
			split_clusters(v, l, unit, before);
		else
			spread_blocks(v, l, unit, before);
		if (!l && !assignment_repair(v->p[0], unit, v->arena))
			return false;
		heat(v, l ? v->p[l] : v->r->p, unit, v->cluster[l] ? CLUSTER_HEAT : BLOCK_HEAT, tries);
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
	for (int64_t tries = 40; tries <= 300 && !assignment_done(r); tries += 260)
		if (descend(&v, unit, tries))
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
