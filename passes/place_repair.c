/* SPDX-License-Identifier: Apache-2.0 */
/* place_repair - moves slots off units that cannot hold what was put on them.
 *
 * The unit with most too much gives a slot to one with room: of those slots that relieve it, the
 * ones that exchange least for what they free, and of the units that keep to their memory then the
 * nearest; of all these the move that costs least for each byte. Where no slot finds room, slots
 * change places, with those of rivals too, as long as the bytes that are too many become fewer.
 * Beside that, all are placed anew in order of start, near what they exchange with where there is
 * room; the cheaper placement stays. Where neither fits, all are placed anew with the largest
 * first, again and again, and repaired. Vector bin packing: a unit is a bin with a dimension for
 * every moment. Cost: MOST_LOOKS looks at a unit, or at so many rivals as RIVALS, each time that it
 * is tried. Source: first fit decreasing (Johnson 1973) for the start; the rest is ours. */
#include <stdlib.h>
#include <string.h>

#include "passes/assignment_core.h"
#include "passes/place_memory.h"

enum { RIVALS = 64, MOST_TENANTS = 8, MOST_UNITS = 8, ROUNDS = 24, MOST_MEMBERS = 16 };
static const int64_t MOST_LOOKS = 300 * 1000;

typedef struct repair {
	pim_placement *p;
	pim_place_memory *m;
	pim_tree_counter *trees;
	pim_arena *arena;
	int64_t *bytes;	 /* by unit, now */
	double *traffic; /* by tenant: bytes of its messages for each slot */
	int64_t looks;
	uint64_t random;
	bool *taken;
} repair;

static int64_t look(repair *r, int unit)
{
	r->looks++;
	return pim_place_memory_bytes(r->m, unit);
}

static int64_t too_much(const repair *r, int64_t bytes)
{
	int64_t capacity = pim_place_memory_capacity(r->m);
	return bytes > capacity ? bytes - capacity : 0;
}

static int64_t count_all(repair *r)
{
	int64_t sum = 0;
	for (int u = 0; u < r->p->units; u++) {
		r->bytes[u] = look(r, u);
		sum += too_much(r, r->bytes[u]);
	}
	return sum;
}

/* ---- one exchange: of what some tenants have on two units ---- */

typedef struct exchange {
	int u, v, n, tenant[MOST_MEMBERS];
} exchange;

static void make_exchange(repair *r, const exchange *e)
{
	for (int i = 0; i < e->n; i++) {
		pim_tenant *t = &r->p->tenant[e->tenant[i]];
		int a = pim_place_memory_slot(r->m, e->tenant[i], e->u),
			b = pim_place_memory_slot(r->m, e->tenant[i], e->v);
		if (a >= 0)
			t->unit[a] = e->v;
		if (b >= 0)
			t->unit[b] = e->u;
		pim_place_memory_put(r->m, e->tenant[i], a, e->v);
		pim_place_memory_put(r->m, e->tenant[i], b, e->u);
	}
}

static bool has_member(const exchange *e, int tenant)
{
	for (int i = 0; i < e->n; i++)
		if (e->tenant[i] == tenant)
			return true;
	return false;
}

/* Rivals of member i that are where it goes go where it was; false when there are too many. */
static bool add_rivals(repair *r, exchange *e, int i)
{
	int one = e->tenant[i];
	const pim_tenant *t = &r->p->tenant[one];
	bool to_v = pim_place_memory_slot(r->m, one, e->u) >= 0,
		 to_u = pim_place_memory_slot(r->m, one, e->v) >= 0;
	r->looks += t->n_rivals / RIVALS;
	for (int k = 0; k < t->n_rivals; k++) {
		int rival = t->rival[k];
		bool meets = (to_v && pim_place_memory_slot(r->m, rival, e->v) >= 0) ||
					 (to_u && pim_place_memory_slot(r->m, rival, e->u) >= 0);
		if (!meets || has_member(e, rival))
			continue;
		if (e->n == MOST_MEMBERS)
			return false;
		e->tenant[e->n++] = rival;
	}
	return true;
}

/* The exchange of one tenant's slots, with all that must go with it. */
static bool find_exchange(repair *r, int tenant, int u, int v, exchange *e)
{
	*e = (exchange){u, v, 1, {tenant}};
	for (int i = 0; i < e->n; i++)
		if (!add_rivals(r, e, i))
			return false;
	return true;
}

/* Bytes that are less too many after the exchange, which is made and taken back. */
static int64_t find_relief(repair *r, const exchange *e)
{
	make_exchange(r, e);
	int64_t after = too_much(r, look(r, e->u)) + too_much(r, look(r, e->v));
	make_exchange(r, e);
	return too_much(r, r->bytes[e->u]) + too_much(r, r->bytes[e->v]) - after;
}

static double count_cost(repair *r, const exchange *e)
{
	double cost = 0;
	for (int i = 0; i < e->n; i++) {
		const pim_tenant *t = &r->p->tenant[e->tenant[i]];
		for (int k = 0; k < t->n_flows; k++)
			cost += pim_flow_cost(r->trees, r->p, &r->p->flow[t->flow[k]]);
	}
	return cost;
}

/* What the placement costs more then. */
static double find_growth(repair *r, const exchange *e)
{
	double before = count_cost(r, e);
	make_exchange(r, e);
	double after = count_cost(r, e);
	make_exchange(r, e);
	return after - before;
}

static void take_exchange(repair *r, const exchange *e)
{
	make_exchange(r, e);
	r->bytes[e->u] = look(r, e->u);
	r->bytes[e->v] = look(r, e->v);
}

/* ---- a slot to a unit with room ---- */

typedef struct ranked {
	int one;
	double key;
} ranked;

static int by_key(const void *a, const void *b)
{
	const ranked *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->one - y->one;
}

static int64_t relief_without(repair *r, int tenant, int unit)
{
	int slot = pim_place_memory_slot(r->m, tenant, unit);
	pim_place_memory_put(r->m, tenant, -1, unit);
	int64_t relief = too_much(r, r->bytes[unit]) - too_much(r, look(r, unit));
	pim_place_memory_put(r->m, tenant, slot, unit);
	return relief;
}

/* Tenants whose slot would relieve the unit, those first that exchange least for each byte. */
static int list_tenants(repair *r, int unit, ranked *list)
{
	int n = 0;
	for (int i = 0; i < r->p->n; i++) {
		if (pim_place_memory_slot(r->m, i, unit) < 0)
			continue;
		int64_t relief = relief_without(r, i, unit);
		if (relief > 0)
			list[n++] = (ranked){i, (1 + r->traffic[i]) / (double)relief};
	}
	qsort(list, (size_t)n, sizeof *list, by_key);
	return n;
}

/* Units with room for the slot, where neither its tenant nor a rival is, the nearest first. */
static int list_units(repair *r, int tenant, int unit, ranked *list)
{
	int n = 0, slot = pim_place_memory_slot(r->m, tenant, unit);
	int64_t bytes = pim_place_memory_slot_bytes(r->m, tenant, slot);
	pim_placement_taken(r->p, tenant, r->taken);
	r->looks += r->p->tenant[tenant].n_rivals / RIVALS;
	for (int v = 0; v < r->p->units; v++)
		if (!r->taken[v] && pim_place_memory_slot(r->m, tenant, v) < 0 &&
			r->bytes[v] + bytes <= pim_place_memory_capacity(r->m))
			list[n++] =
				(ranked){v, (double)r->p->hops[(size_t)unit * (size_t)r->p->units + (size_t)v]};
	qsort(list, (size_t)n, sizeof *list, by_key);
	return n;
}

/* The cheapest move of a slot off the unit, for each byte that is less too many. */
static bool move_off(repair *r, int unit)
{
	pim_arena *a = pim_arena_new();
	ranked *tenant = PIM_NEW(a, ranked, r->p->n), *to = PIM_NEW(a, ranked, r->p->units);
	int n = list_tenants(r, unit, tenant), looked = 0;
	exchange best = {.n = 0};
	double least = 0;
	for (int i = 0; i < n && looked < MOST_TENANTS && r->looks < MOST_LOOKS; i++) {
		int units = list_units(r, tenant[i].one, unit, to), good = 0;
		for (int k = 0; k < units && good < MOST_UNITS; k++) {
			exchange e = {unit, to[k].one, 1, {tenant[i].one}};
			int64_t relief = find_relief(r, &e);
			if (relief <= 0)
				continue;
			double growth = find_growth(r, &e) / (double)relief;
			if (!best.n || growth < least) {
				best = e;
				least = growth;
			}
			good++;
		}
		looked += good > 0;
	}
	if (best.n)
		take_exchange(r, &best);
	pim_arena_free(a);
	return best.n > 0;
}

/* ---- slots that change places ---- */

/* The exchange with the unit that leaves least too much. */
static bool exchange_slots(repair *r, int unit)
{
	exchange best = {.n = 0}, e;
	int64_t most = 0;
	for (int v = 0; v < r->p->units; v++)
		for (int i = 0; i < r->p->n && r->looks < MOST_LOOKS; i++) {
			if (v == unit ||
				(pim_place_memory_slot(r->m, i, unit) < 0 && pim_place_memory_slot(r->m, i, v) < 0))
				continue;
			int64_t relief = find_exchange(r, i, unit, v, &e) ? find_relief(r, &e) : 0;
			if (relief > most) {
				most = relief;
				best = e;
			}
		}
	if (most > 0)
		take_exchange(r, &best);
	return most > 0;
}

/* Units with too much, the one with most first. */
static int list_full(const repair *r, ranked *list)
{
	int n = 0;
	for (int u = 0; u < r->p->units; u++)
		if (too_much(r, r->bytes[u]) > 0)
			list[n++] = (ranked){u, -(double)r->bytes[u]};
	qsort(list, (size_t)n, sizeof *list, by_key);
	return n;
}

static bool relieve_any(repair *r, const ranked *full, int n)
{
	for (int i = 0; i < n; i++)
		if (move_off(r, full[i].one))
			return true;
	for (int i = 0; i < n; i++)
		if (exchange_slots(r, full[i].one))
			return true;
	return false;
}

/* Bytes that are still too many. */
static int64_t relieve_units(repair *r)
{
	ranked *full = PIM_NEW(r->arena, ranked, r->p->units);
	int64_t left = count_all(r);
	while (left > 0 && r->looks < MOST_LOOKS && relieve_any(r, full, list_full(r, full))) {
		left = 0;
		for (int u = 0; u < r->p->units; u++)
			left += too_much(r, r->bytes[u]);
	}
	return left;
}

/* ---- anew ---- */

/* How a slot chooses among units: the one it had if it fits there, else that with most room; with
 * most room; with least room that is enough; any that is enough; of these the one where its
 * messages to slots that have units already cost least, its own among equals. */
typedef enum choice {
	CHOICE_own,
	CHOICE_most,
	CHOICE_least,
	CHOICE_any,
	CHOICE_COUNT,
	CHOICE_near = CHOICE_COUNT
} choice;

static double draw_part(repair *r)
{
	return assignment_draw(&r->random, 1 << 20) / (double)(1 << 20);
}

/* price[slot * units + unit] of a tenant that has no units yet. */
static void find_prices(const repair *r, int one, double *price)
{
	const pim_tenant *t = &r->p->tenant[one];
	size_t units = (size_t)r->p->units;
	for (int k = 0; k < t->n_flows; k++) {
		const pim_flow *f = &r->p->flow[t->flow[k]];
		bool from_here = f->from == one;
		const int *there = r->p->tenant[from_here ? f->to : f->from].unit;
		for (int i = 0; i < f->n; i++) {
			const pim_message *m = &f->message[i];
			int other = there[from_here ? m->to : m->from];
			double *row = price + (size_t)(from_here ? m->from : m->to) * units;
			for (size_t u = 0; other >= 0 && u < units; u++)
				row[u] += m->bytes * r->p->hops[u * units + (size_t)other];
		}
	}
}

/* A slot with so many bytes, that had the unit `own`; -1: every unit is taken. */
static int choose_unit(repair *r, choice how, int64_t bytes, int own, const double *price)
{
	int64_t capacity = pim_place_memory_capacity(r->m);
	int best = -1;
	double least = 0;
	if (how == CHOICE_own && own >= 0 && !r->taken[own] && r->bytes[own] + bytes <= capacity)
		return own;
	for (int u = 0; u < r->p->units; u++) {
		if (r->taken[u])
			continue;
		double then = (double)(r->bytes[u] + bytes), key = then, enough = -0x1p52;
		if (then <= (double)capacity && how >= CHOICE_least)
			key = how == CHOICE_any		? enough + draw_part(r) * 0x1p50
				  : how == CHOICE_least ? enough - then
										: enough + price[u];
		if (best < 0 || key < least || (key == least && u == own)) {
			best = u;
			least = key;
		}
	}
	return best;
}

static bool place_tenant(repair *r, int one, choice how, const int *own, pim_arena *a)
{
	pim_tenant *t = &r->p->tenant[one];
	ranked *slot = PIM_NEW(a, ranked, t->n_units);
	for (int k = 0; k < t->n_units; k++)
		slot[k] = (ranked){k, -(double)pim_place_memory_slot_bytes(r->m, one, k)};
	qsort(slot, (size_t)t->n_units, sizeof *slot, by_key);
	pim_placement_taken(r->p, one, r->taken);
	int *unit = PIM_NEW(a, int, t->n_units);
	double *price = PIM_NEW(a, double, (int64_t)t->n_units * r->p->units);
	if (how == CHOICE_near)
		find_prices(r, one, price);
	for (int k = 0; k < t->n_units; k++) {
		int to = choose_unit(r, how, (int64_t)-slot[k].key, own[slot[k].one],
			price + (int64_t)slot[k].one * r->p->units);
		if (to < 0)
			return false;
		unit[slot[k].one] = to;
		r->taken[to] = true;
	}
	memcpy(t->unit, unit, sizeof *unit * (size_t)t->n_units);
	pim_place_memory_moved(r->m, one);
	for (int k = 0; k < t->n_units; k++)
		r->bytes[unit[k]] = look(r, unit[k]);
	return true;
}

/* In order of start, or with the largest slots first: exactly so (mix 0) or a little mixed (1). */
static ranked *order_tenants(repair *r, choice how, double mix, pim_arena *a)
{
	ranked *order = PIM_NEW(a, ranked, r->p->n);
	for (int i = 0; i < r->p->n; i++) {
		int64_t most = 0;
		for (int k = 0; k < r->p->tenant[i].n_units; k++)
			most = pim_max(most, pim_place_memory_slot_bytes(r->m, i, k));
		order[i] = (ranked){i, -(double)most * (1 + mix * (draw_part(r) - 0.75))};
		order[i].key = how == CHOICE_near ? i : order[i].key;
	}
	qsort(order, (size_t)r->p->n, sizeof *order, by_key);
	return order;
}

/* Bytes that are too many when all slots have chosen, and were then moved; -1: they could not. */
static int64_t place_anew(repair *r, choice how, double mix, int *const *own)
{
	pim_arena *a = pim_arena_new();
	const ranked *order = order_tenants(r, how, mix, a);
	bool good = true;
	for (int i = 0; i < r->p->n; i++)
		for (int k = 0; k < r->p->tenant[i].n_units; k++)
			r->p->tenant[i].unit[k] = -1;
	pim_place_memory_moved(r->m, -1);
	memset(r->bytes, 0, sizeof *r->bytes * (size_t)r->p->units);
	for (int i = 0; i < r->p->n && good; i++) {
		pim_arena *once = pim_arena_new();
		good = place_tenant(r, order[i].one, how, own[order[i].one], once);
		pim_arena_free(once);
	}
	pim_arena_free(a);
	return good ? relieve_units(r) : -1;
}

/* The best so far. */
typedef struct answer {
	int64_t left;
	double cost;
	int **unit;
} answer;

/* Less too much, then what costs less. */
static void keep_better(const repair *r, int64_t left, answer *best)
{
	if (left < 0 || (best->unit && left > best->left))
		return;
	double cost = pim_placement_cost(r->p);
	if (best->unit && left == best->left && cost >= best->cost)
		return;
	best->left = left;
	best->cost = cost;
	if (best->unit)
		pim_placement_get_units(r->p, best->unit);
	else
		best->unit = pim_placement_units(r->p, r->arena);
}

bool pim_place_repair(
	pim_placement *p, pim_place_memory *m, uint64_t seed, int64_t *tried, pim_arena *scratch)
{
	repair r = {.p = p,
		.m = m,
		.trees = pim_tree_counter_new(p->target, scratch),
		.arena = scratch,
		.bytes = PIM_NEW(scratch, int64_t, p->units),
		.traffic = PIM_NEW(scratch, double, p->n),
		.random = seed,
		.taken = PIM_NEW(scratch, bool, p->units)};
	for (int i = 0; i < p->n; i++)
		for (int k = 0; k < p->tenant[i].n_flows; k++)
			r.traffic[i] += p->flow[p->tenant[i].flow[k]].bytes / p->tenant[i].n_units;
	int **own = pim_placement_units(p, scratch);
	answer best = {.unit = NULL};
	pim_place_memory_moved(m, -1);
	if (count_all(&r) > 0) {
		keep_better(&r, relieve_units(&r), &best);
		keep_better(&r, place_anew(&r, CHOICE_near, 0, own), &best);
	}
	for (int k = 0; best.left > 0 && k < ROUNDS && r.looks < MOST_LOOKS; k++)
		keep_better(&r, place_anew(&r, (choice)(k % CHOICE_COUNT), k >= CHOICE_COUNT, own), &best);
	if (best.unit)
		pim_placement_set_units(p, best.unit);
	pim_place_memory_moved(m, -1);
	*tried += r.looks;
	return best.left == 0;
}
