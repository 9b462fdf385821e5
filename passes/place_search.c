/* SPDX-License-Identifier: Apache-2.0 */
/* place_search - improves a placement group by group.
 *
 * A group is one tenant, or all that a chain of flows between equal slots holds together on the
 * same units (moving one of them alone would only tear it from the others). Groups are visited in
 * an order drawn from the seed, and again only after they or a partner have changed; each visit
 * gives the group the units that are best while all others stay (place_group.c). When nothing helps
 * any more, slots of one tenant are mixed at random and the search goes on from there, once per
 * round; the best stays, and its slots exchange places (place_swap.c). Cost: that of the visits;
 * they stop after MOST_WORK elementary steps, the exchanges after MOST_LEAVES, which is the same on
 * every machine. */
#include <string.h>

#include "passes/assignment_core.h"
#include "passes/place_memory.h"

static const int64_t MOST_WORK = 800 * 1000 * 1000, MOST_LEAVES = 300 * 1000 * 1000;

typedef struct search {
	pim_placement *p;
	pim_place_group *group;
	bool *dirty, *dirty_in_group; /* by tenant: to be looked at again, alone or with its group */
	uint64_t random;
} search;

static bool is_worn_out(const search *s)
{
	return pim_place_group_work(s->group) >= MOST_WORK;
}

static void mark_tenant(search *s, int i)
{
	s->dirty[i] = s->dirty_in_group[i] = true;
}

static void mark_partners(search *s, int n, const int *member)
{
	for (int i = 0; i < n; i++) {
		const pim_tenant *t = &s->p->tenant[member[i]];
		mark_tenant(s, member[i]);
		for (int k = 0; k < t->n_flows; k++) {
			mark_tenant(s, s->p->flow[t->flow[k]].from);
			mark_tenant(s, s->p->flow[t->flow[k]].to);
		}
		for (int k = 0; k < t->n_rivals; k++)
			mark_tenant(s, t->rival[k]);
	}
}

static void shuffle(int *v, int n, uint64_t *state)
{
	for (int i = 0; i < n; i++)
		v[i] = i;
	for (int i = n - 1; i > 0; i--) {
		int k = assignment_draw(state, i + 1), old = v[i];
		v[i] = v[k];
		v[k] = old;
	}
}

/* Is the group new to us? From now on it is not. */
static bool take_dirty(bool *dirty, int n, const int *member)
{
	bool any = false;
	for (int i = 0; i < n; i++) {
		any = any || dirty[member[i]];
		dirty[member[i]] = false;
	}
	return any;
}

static bool improve_group(search *s, int n, const int *member)
{
	bool better = pim_place_group_move(s->group, n, member, &s->random);
	if (better)
		mark_partners(s, n, member);
	return better;
}

static bool improve_groups(search *s, const int *order, pim_arena *scratch)
{
	int n = s->p->n, *root = PIM_NEW(scratch, int, n), *first = PIM_NEW(scratch, int, n + 1),
		*sorted = PIM_NEW(scratch, int, n);
	bool better = false;
	pim_placement_groups(s->p, root, first, sorted);
	for (int i = 0; i < n && !is_worn_out(s); i++) {
		const int *member = sorted + first[order[i]];
		int members = first[order[i] + 1] - first[order[i]];
		if (members > 1 && take_dirty(s->dirty_in_group, members, member))
			better = improve_group(s, members, member) || better;
	}
	return better;
}

static bool improve_tenants(search *s, const int *order)
{
	bool better = false;
	for (int i = 0; i < s->p->n && !is_worn_out(s); i++)
		if (take_dirty(s->dirty, 1, &order[i]))
			better = improve_group(s, 1, &order[i]) || better;
	return better;
}

static void restore_units(search *s, int **kept)
{
	for (int i = 0; i < s->p->n; i++) {
		const pim_tenant *t = &s->p->tenant[i];
		size_t bytes = sizeof **kept * (size_t)t->n_units;
		if (memcmp(t->unit, kept[i], bytes) == 0)
			continue;
		memcpy(t->unit, kept[i], bytes);
		pim_place_group_forget(s->group, i);
		if (s->p->memory)
			pim_place_memory_moved(s->p->memory, i);
	}
}

static void exchange_slots(pim_tenant *t, int a, int b)
{
	int old = t->unit[a];
	t->unit[a] = t->unit[b];
	t->unit[b] = old;
}

/* Exchanges some slots of one tenant at random, as far as units can hold that, so that the search
 * starts again elsewhere. */
static void disturb(search *s)
{
	int one = assignment_draw(&s->random, s->p->n);
	pim_tenant *t = &s->p->tenant[one];
	pim_place_memory *m = s->p->memory;
	for (int times = 0; times < 3; times++) {
		int a = assignment_draw(&s->random, t->n_units),
			b = assignment_draw(&s->random, t->n_units);
		exchange_slots(t, a, b);
		if (m)
			pim_place_memory_moved(m, one);
		const int unit[] = {t->unit[a], t->unit[b]};
		if (!m || pim_place_memory_fits(m, 2, unit))
			continue;
		exchange_slots(t, a, b);
		pim_place_memory_moved(m, one);
	}
	pim_place_group_forget(s->group, one);
	mark_partners(s, 1, &one);
}

static bool improve_all(search *s, int *order)
{
	pim_arena *once = pim_arena_new();
	shuffle(order, s->p->n, &s->random);
	bool better = improve_groups(s, order, once);
	better = improve_tenants(s, order) || better;
	pim_arena_free(once);
	return better;
}

void pim_place_search(
	pim_placement *p, int rounds, uint64_t seed, int64_t *tried, pim_arena *scratch)
{
	bool *placed = PIM_NEW(scratch, bool, p->n);
	int *order = PIM_NEW(scratch, int, p->n), **best = pim_placement_units(p, scratch);
	search s = {.p = p,
		.group = pim_place_group_new(p, placed, scratch),
		.dirty = PIM_NEW(scratch, bool, p->n),
		.dirty_in_group = PIM_NEW(scratch, bool, p->n),
		.random = seed};
	for (int i = 0; i < p->n; i++) {
		placed[i] = true;
		mark_tenant(&s, i);
	}
	double least = pim_place_group_cost(s.group);
	for (int round = 0; p->n && round < rounds && !is_worn_out(&s); round++) {
		while (!is_worn_out(&s) && improve_all(&s, order))
			;
		double cost = pim_place_group_cost(s.group);
		if (cost < least) {
			pim_placement_get_units(p, best);
			least = cost;
		} else {
			restore_units(&s, best);
		}
		if (round + 1 < rounds)
			disturb(&s);
	}
	restore_units(&s, best);
	pim_place_swap(p, MOST_LEAVES, scratch);
	*tried += pim_place_group_tried(s.group);
}
