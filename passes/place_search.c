/* SPDX-License-Identifier: Apache-2.0 */
/* place_search - improves a placement by exchanging units and by moving to free ones.
 *
 * What moves is a group of tenants that have the same units: one tenant, or all that a chain of
 * flows between equal slots holds together (moving one of them alone would only tear it from the
 * others). For a group a table gives the price of each slot on each unit, from messages to
 * others; with it an exchange of two slots costs O(1), and O(slots) where the group's own messages
 * change too. The first exchange that helps is made. Groups are visited in an order drawn from the
 * seed, and again only after they or a partner have changed. When nothing helps any more, slots of
 * one tenant are mixed at random and the search goes on from there, once per round; the best stays.
 * Cost: per visit messages * units for the table and slots^2 exchanges; the whole search stops
 * after MOST_WORK elementary steps, which is the same on every machine. */
#include "passes/place.h"

#include <string.h>

static const int64_t MOST_WORK = 400 * 1000 * 1000;
enum { MOST_SWEEPS = 8 };

typedef struct search {
	pim_placement *p;
	size_t units;
	int n_members, *member;		  /* the group */
	bool *in_group;				  /* by tenant */
	bool *dirty, *dirty_in_group; /* by tenant: to be looked at again, alone or with its group */
	double *price;				  /* [slot * units + unit] */
	double *own; /* [slot * slots + slot], both directions; messages inside the group */
	bool has_own;
	bool *taken;
	int64_t work, tried;
} search;

static double hops_of(const search *s, int from, int to)
{
	return (double)s->p->hops[(size_t)from * s->units + (size_t)to];
}

static pim_tenant *leader(const search *s)
{
	return &s->p->tenant[s->member[0]];
}

static void price_flow(search *s, const pim_flow *f, bool from_here)
{
	const int *there = s->p->tenant[from_here ? f->to : f->from].unit;
	for (int m = 0; m < f->n; m++) {
		const pim_message *g = &f->message[m];
		const float *hops = s->p->hops + (size_t)there[from_here ? g->to : g->from] * s->units;
		double *row = s->price + (size_t)(from_here ? g->from : g->to) * s->units, bytes = g->bytes;
		for (size_t u = 0; u < s->units; u++)
			row[u] += bytes * (double)hops[u];
	}
	s->work += f->n * (int64_t)s->units;
}

static void add_own(search *s, const pim_flow *f)
{
	size_t slots = (size_t)leader(s)->n_units;
	for (int m = 0; m < f->n; m++) {
		const pim_message *g = &f->message[m];
		if (g->from == g->to)
			continue;
		s->own[(size_t)g->from * slots + (size_t)g->to] += g->bytes;
		s->own[(size_t)g->to * slots + (size_t)g->from] += g->bytes;
		s->has_own = true;
	}
	s->work += f->n;
}

/* Price table, own messages and taken units of the group. An even flow to units that all stay does
 * not count. */
static void look_around(search *s)
{
	pim_placement *p = s->p;
	size_t slots = (size_t)leader(s)->n_units;
	memset(s->price, 0, sizeof *s->price * slots * s->units);
	memset(s->own, 0, sizeof *s->own * slots * slots);
	memset(s->taken, 0, sizeof *s->taken * s->units);
	s->has_own = false;
	for (int i = 0; i < s->n_members; i++) {
		const pim_tenant *t = &p->tenant[s->member[i]];
		for (int k = 0; k < t->n_flows; k++) {
			const pim_flow *f = &p->flow[t->flow[k]];
			bool from_here = f->from == s->member[i];
			bool inside = s->in_group[f->from] && s->in_group[f->to];
			if (f->even && slots == s->units)
				continue;
			if (!inside)
				price_flow(s, f, from_here);
			else if (from_here)
				add_own(s, f);
		}
		for (int k = 0; k < t->n_rivals; k++) {
			const pim_tenant *r = &p->tenant[t->rival[k]];
			for (int u = 0; u < r->n_units; u++)
				s->taken[r->unit[u]] = true;
		}
	}
	for (size_t k = 0; k < slots; k++)
		s->taken[leader(s)->unit[k]] = true;
}

static double price_at(const search *s, int slot, int unit)
{
	return s->price[(size_t)slot * s->units + (size_t)unit];
}

static double exchange_gain(search *s, int a, int b)
{
	const int *unit = leader(s)->unit;
	double more = price_at(s, a, unit[b]) + price_at(s, b, unit[a]) - price_at(s, a, unit[a]) -
				  price_at(s, b, unit[b]);
	int slots = leader(s)->n_units;
	s->tried++;
	s->work++;
	if (!s->has_own)
		return -more;
	const double *of_a = s->own + (size_t)a * (size_t)slots,
				 *of_b = s->own + (size_t)b * (size_t)slots;
	for (int c = 0; c < slots; c++)
		if (c != a && c != b)
			more +=
				(of_a[c] - of_b[c]) * (hops_of(s, unit[b], unit[c]) - hops_of(s, unit[a], unit[c]));
	s->work += slots;
	return -more;
}

static double move_gain(search *s, int a, int unit)
{
	const int *at = leader(s)->unit;
	double more = price_at(s, a, unit) - price_at(s, a, at[a]);
	int slots = leader(s)->n_units;
	const double *of_a = s->own + (size_t)a * (size_t)slots;
	for (int c = 0; s->has_own && c < slots; c++)
		if (c != a)
			more += of_a[c] * (hops_of(s, unit, at[c]) - hops_of(s, at[a], at[c]));
	s->tried++;
	s->work += s->has_own ? slots : 1;
	return -more;
}

static void set_unit(search *s, int slot, int unit)
{
	for (int i = 0; i < s->n_members; i++)
		s->p->tenant[s->member[i]].unit[slot] = unit;
}

static bool try_exchanges(search *s, int a)
{
	const int *unit = leader(s)->unit;
	bool better = false;
	for (int b = a + 1; b < leader(s)->n_units; b++) {
		if (exchange_gain(s, a, b) <= 0)
			continue;
		int old = unit[a];
		set_unit(s, a, unit[b]);
		set_unit(s, b, old);
		better = true;
	}
	return better;
}

static bool try_moves(search *s, int a)
{
	bool better = false;
	for (int u = 0; u < (int)s->units; u++) {
		if (s->taken[u] || move_gain(s, a, u) <= 0)
			continue;
		s->taken[leader(s)->unit[a]] = false;
		s->taken[u] = true;
		set_unit(s, a, u);
		better = true;
	}
	return better;
}

static void mark_tenant(search *s, int i)
{
	s->dirty[i] = s->dirty_in_group[i] = true;
}

static void mark_partners(search *s)
{
	for (int i = 0; i < s->n_members; i++) {
		const pim_tenant *t = &s->p->tenant[s->member[i]];
		mark_tenant(s, s->member[i]);
		for (int k = 0; k < t->n_flows; k++) {
			mark_tenant(s, s->p->flow[t->flow[k]].from);
			mark_tenant(s, s->p->flow[t->flow[k]].to);
		}
		for (int k = 0; k < t->n_rivals; k++)
			mark_tenant(s, t->rival[k]);
	}
}

static bool improve_group(search *s)
{
	bool any = false, better = true;
	for (int i = 0; i < s->n_members; i++)
		s->in_group[s->member[i]] = true;
	look_around(s);
	for (int sweep = 0; better && sweep < MOST_SWEEPS && s->work < MOST_WORK; sweep++) {
		better = false;
		for (int a = 0; a < leader(s)->n_units; a++) {
			better = try_exchanges(s, a) || better;
			better = try_moves(s, a) || better;
		}
		any = any || better;
	}
	for (int i = 0; i < s->n_members; i++)
		s->in_group[s->member[i]] = false;
	return any;
}

static bool same_units(const pim_tenant *a, const pim_tenant *b)
{
	return a->n_units == b->n_units &&
		   !memcmp(a->unit, b->unit, sizeof *a->unit * (size_t)a->n_units);
}

static int find_root(int *up, int i)
{
	while (up[i] != i)
		i = up[i] = up[up[i]];
	return i;
}

/* root[i]: the first tenant of i's group; groups: tenants on the same units, tied by flows between
 * equal slots. */
static void find_groups(const pim_placement *p, int *root)
{
	for (int i = 0; i < p->n; i++)
		root[i] = i;
	for (int i = 0; i < p->n_flows; i++) {
		const pim_flow *f = &p->flow[i];
		if (f->own * 2 <= f->bytes || !same_units(&p->tenant[f->from], &p->tenant[f->to]))
			continue;
		int a = find_root(root, f->from), b = find_root(root, f->to);
		root[a > b ? a : b] = a < b ? a : b;
	}
	for (int i = 0; i < p->n; i++)
		root[i] = find_root(root, i);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static void shuffle(int *v, int n, uint64_t *state)
{
	for (int i = 0; i < n; i++)
		v[i] = i;
	for (int i = n - 1; i > 0; i--) {
		int k = (int)(next_random(state) % (uint64_t)(i + 1)), old = v[i];
		v[i] = v[k];
		v[k] = old;
	}
}

/* The members of each group, one behind the other; first[r] is where those of root r begin. */
static void sort_members(int n, const int *root, int *first, int *sorted)
{
	for (int i = 0; i <= n; i++)
		first[i] = 0;
	for (int i = 0; i < n; i++)
		first[root[i] + 1]++;
	for (int i = 0; i < n; i++)
		first[i + 1] += first[i];
	for (int i = 0; i < n; i++)
		sorted[first[root[i]]++] = i;
	for (int i = n; i > 0; i--)
		first[i] = first[i - 1];
	first[0] = 0;
}

/* Is the group new to us? From now on it is not. */
static bool take_dirty(search *s)
{
	bool any = false;
	for (int i = 0; i < s->n_members; i++) {
		any = any || s->dirty_in_group[s->member[i]];
		s->dirty_in_group[s->member[i]] = false;
	}
	return any;
}

static bool improve_groups(search *s, const int *order, pim_arena *scratch)
{
	int n = s->p->n, *root = PIM_NEW(scratch, int, n), *first = PIM_NEW(scratch, int, n + 1),
		*sorted = PIM_NEW(scratch, int, n);
	bool better = false;
	find_groups(s->p, root);
	sort_members(n, root, first, sorted);
	for (int i = 0; i < n && s->work < MOST_WORK; i++) {
		int r = order[i];
		s->member = sorted + first[r];
		s->n_members = first[r + 1] - first[r];
		if (s->n_members > 1 && take_dirty(s) && improve_group(s)) {
			mark_partners(s);
			better = true;
		}
	}
	return better;
}

static bool improve_tenants(search *s, const int *order)
{
	bool better = false;
	for (int i = 0; i < s->p->n && s->work < MOST_WORK; i++) {
		int one = order[i];
		if (!s->dirty[one])
			continue;
		s->dirty[one] = false;
		s->member = &one;
		s->n_members = 1;
		if (improve_group(s)) {
			mark_partners(s);
			better = true;
		}
	}
	return better;
}

typedef enum copy { KEEP, RESTORE } copy;

static void copy_units(pim_placement *p, int **kept, copy way)
{
	for (int i = 0; i < p->n; i++) {
		int *unit = p->tenant[i].unit;
		size_t bytes = sizeof *unit * (size_t)p->tenant[i].n_units;
		memcpy(way == KEEP ? kept[i] : unit, way == KEEP ? unit : kept[i], bytes);
	}
}

/* Exchanges some slots of one tenant at random, so that the search starts again elsewhere. */
static void disturb(search *s, uint64_t *seed)
{
	int one = (int)(next_random(seed) % (uint64_t)s->p->n);
	pim_tenant *t = &s->p->tenant[one];
	for (int times = 0; times < 3; times++) {
		int a = (int)(next_random(seed) % (uint64_t)t->n_units),
			b = (int)(next_random(seed) % (uint64_t)t->n_units);
		int old = t->unit[a];
		t->unit[a] = t->unit[b];
		t->unit[b] = old;
	}
	s->member = &one;
	s->n_members = 1;
	mark_partners(s);
}

static bool improve_all(search *s, int *order, uint64_t *seed)
{
	pim_arena *once = pim_arena_new();
	shuffle(order, s->p->n, seed);
	bool better = improve_groups(s, order, once);
	better = improve_tenants(s, order) || better;
	pim_arena_free(once);
	return better;
}

void pim_place_search(
	pim_placement *p, int rounds, uint64_t seed, int64_t *tried, pim_arena *scratch)
{
	size_t units = (size_t)p->units;
	search s = {.p = p,
		.units = units,
		.in_group = PIM_NEW(scratch, bool, p->n),
		.dirty = PIM_NEW(scratch, bool, p->n),
		.dirty_in_group = PIM_NEW(scratch, bool, p->n),
		.price = PIM_NEW(scratch, double, units *units),
		.own = PIM_NEW(scratch, double, units *units),
		.taken = PIM_NEW(scratch, bool, units)};
	int *order = PIM_NEW(scratch, int, p->n), **best = PIM_NEW(scratch, int *, p->n);
	for (int i = 0; i < p->n; i++) {
		best[i] = PIM_NEW(scratch, int, p->tenant[i].n_units);
		mark_tenant(&s, i);
	}
	copy_units(p, best, KEEP);
	double least = pim_placement_cost(p);
	for (int round = 0; p->n && round < rounds && s.work < MOST_WORK; round++) {
		while (s.work < MOST_WORK && improve_all(&s, order, &seed))
			;
		double cost = pim_placement_cost(p);
		copy_units(p, best, cost < least ? KEEP : RESTORE);
		least = cost < least ? cost : least;
		if (round + 1 < rounds)
			disturb(&s, &seed);
	}
	copy_units(p, best, RESTORE);
	*tried += s.tried;
}
