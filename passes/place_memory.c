/* SPDX-License-Identifier: Apache-2.0 */
/* place_memory - bytes that a placement puts on each unit, moment by moment.
 *
 * A unit has the constants of its slots for good, equal ones once, and their items while they last;
 * an item that was fetched is not there where it was made. Only the two units of an exchange
 * change, so a look at a unit adds up what its slots have. Cost: tenants, the items of its slots,
 * and moments. */
#include "passes/place_memory.h"

#include <string.h>

struct pim_place_memory {
	const pim_placement *p;
	int64_t capacity;
	int moments, numbers;
	bool in_turn;
	int64_t *bytes;						  /* by number of a constant */
	int64_t *base;						  /* [tenant]: number of its first slot */
	int64_t *first_item, *first_constant; /* [slot's number] */
	pim_place_item *item;				  /* by slot's number */
	int *constant;						  /* likewise */
	int *slot_on;						  /* [unit * tenants + tenant]; -1: none */
	int64_t *change;					  /* by moment: what comes and goes */
	int64_t *seen, now;					  /* by number: the last look that met it */
};

static int64_t slot_number(const pim_place_memory *m, int tenant, int slot)
{
	return m->base[tenant] + slot;
}

/* counts[k] entries for each k become where they begin; one more at the end. */
static void add_up(int64_t *counts, int64_t n)
{
	int64_t all = 0;
	for (int64_t i = 0; i <= n; i++) {
		int64_t here = counts[i];
		counts[i] = all;
		all += here;
	}
}

static void shift_back(int64_t *first, int64_t n)
{
	for (int64_t i = n; i > 0; i--)
		first[i] = first[i - 1];
	first[0] = 0;
}

static void sort_load(pim_place_memory *m, const pim_place_holdings *l, int64_t slots, pim_arena *a)
{
	m->item = PIM_NEW(a, pim_place_item, l->n_items);
	m->constant = PIM_NEW(a, int, l->n_constants);
	m->first_item = PIM_NEW(a, int64_t, slots + 1);
	m->first_constant = PIM_NEW(a, int64_t, slots + 1);
	for (int64_t i = 0; i < l->n_items; i++)
		m->first_item[slot_number(m, l->item[i].tenant, l->item[i].slot)]++;
	for (int64_t i = 0; i < l->n_constants; i++)
		m->first_constant[slot_number(m, l->constant[i].tenant, l->constant[i].slot)]++;
	add_up(m->first_item, slots);
	add_up(m->first_constant, slots);
	for (int64_t i = 0; i < l->n_items; i++)
		m->item[m->first_item[slot_number(m, l->item[i].tenant, l->item[i].slot)]++] = l->item[i];
	for (int64_t i = 0; i < l->n_constants; i++) {
		const pim_place_constant *c = &l->constant[i];
		m->constant[m->first_constant[slot_number(m, c->tenant, c->slot)]++] = c->number;
	}
	shift_back(m->first_item, slots);
	shift_back(m->first_constant, slots);
}

pim_place_memory *pim_place_memory_new(
	const pim_placement *p, const pim_place_holdings *load, int64_t capacity, pim_arena *a)
{
	int64_t slots = 0;
	pim_place_memory *m = PIM_NEW(a, pim_place_memory, 1);
	*m = (pim_place_memory){.p = p,
		.capacity = capacity,
		.moments = load->moments,
		.numbers = load->numbers,
		.in_turn = load->in_turn,
		.bytes = PIM_NEW(a, int64_t, load->numbers),
		.base = PIM_NEW(a, int64_t, p->n + 1),
		.change = PIM_NEW(a, int64_t, load->moments + 1),
		.seen = PIM_NEW(a, int64_t, load->numbers)};
	for (int i = 0; i < load->numbers; i++)
		m->bytes[i] = load->bytes[i];
	for (int i = 0; i < p->n; i++) {
		m->base[i] = slots;
		slots += p->tenant[i].n_units;
	}
	sort_load(m, load, slots, a);
	m->slot_on = PIM_NEW(a, int, (int64_t)p->units * p->n);
	pim_place_memory_moved(m, -1);
	return m;
}

void pim_place_memory_limit(pim_place_memory *m, int64_t capacity)
{
	m->capacity = capacity;
}

int64_t pim_place_memory_capacity(const pim_place_memory *m)
{
	return m->capacity;
}

void pim_place_memory_moved(pim_place_memory *m, int tenant)
{
	int n = m->p->n;
	for (int i = tenant < 0 ? 0 : tenant; i < (tenant < 0 ? n : tenant + 1); i++) {
		const pim_tenant *t = &m->p->tenant[i];
		for (int u = 0; u < m->p->units; u++)
			m->slot_on[(int64_t)u * n + i] = -1;
		for (int k = 0; k < t->n_units && t->unit[k] >= 0; k++)
			m->slot_on[(int64_t)t->unit[k] * n + i] = k;
	}
}

void pim_place_memory_put(pim_place_memory *m, int tenant, int slot, int unit)
{
	m->slot_on[(int64_t)unit * m->p->n + tenant] = slot;
}

int pim_place_memory_slot(const pim_place_memory *m, int tenant, int unit)
{
	return m->slot_on[(int64_t)unit * m->p->n + tenant];
}

/* ---- bytes ---- */

/* Constants of a slot that were not met in this look. */
static int64_t meet_constants(pim_place_memory *m, int64_t slot)
{
	int64_t bytes = 0;
	for (int64_t i = m->first_constant[slot]; i < m->first_constant[slot + 1]; i++) {
		int number = m->constant[i];
		if (m->seen[number] == m->now)
			continue;
		m->seen[number] = m->now;
		bytes += m->bytes[number];
	}
	return bytes;
}

static bool is_home(const pim_place_item *item, const int *slot_on)
{
	for (int i = 0; i < item->n_homes; i++)
		if (slot_on[item->maker] == item->home[i])
			return true;
	return false;
}

static bool is_piece(const pim_place_item *item)
{
	return item->n_homes && item->home[0] < 0;
}

/* slot_on: of the unit, by tenant; NULL: a slot by itself. */
static void meet_items(pim_place_memory *m, int64_t slot, const int *slot_on)
{
	for (int64_t i = m->first_item[slot]; i < m->first_item[slot + 1]; i++) {
		const pim_place_item *item = &m->item[i];
		if (item->n_homes && (!slot_on || is_home(item, slot_on)))
			continue;
		m->change[item->from] += item->bytes;
		m->change[item->until] -= item->bytes;
	}
}

/* The most at any moment of what was met; forgets it. */
static int64_t take_peak(pim_place_memory *m)
{
	int64_t bytes = 0, most = 0;
	for (int i = 0; i < m->moments; i++) {
		bytes += m->change[i];
		most = bytes > most ? bytes : most;
	}
	memset(m->change, 0, sizeof *m->change * ((size_t)m->moments + 1));
	return most;
}

int64_t pim_place_memory_bytes(pim_place_memory *m, int unit)
{
	const int *slot_on = m->slot_on + (int64_t)unit * m->p->n;
	int64_t bytes = 0;
	m->now++;
	for (int i = 0; i < m->p->n; i++) {
		if (slot_on[i] < 0)
			continue;
		int64_t slot = slot_number(m, i, slot_on[i]);
		bytes += meet_constants(m, slot);
		meet_items(m, slot, slot_on);
	}
	return bytes + take_peak(m);
}

int64_t pim_place_memory_fullest(pim_place_memory *m)
{
	int64_t most = 0;
	for (int u = 0; u < m->p->units; u++) {
		int64_t bytes = pim_place_memory_bytes(m, u);
		most = bytes > most ? bytes : most;
	}
	return most;
}

/* Items of the unit, in order of tenants. */
static int64_t list_uses(pim_place_memory *m, const int *slot_on, pim_room_use *use)
{
	int64_t n = 0;
	for (int i = 0; i < m->p->n; i++) {
		if (slot_on[i] < 0)
			continue;
		int64_t slot = slot_number(m, i, slot_on[i]);
		for (int64_t k = m->first_item[slot]; k < m->first_item[slot + 1]; k++) {
			const pim_place_item *item = &m->item[k];
			if (!is_piece(item) && !is_home(item, slot_on))
				use[n++] = (pim_room_use){item->bytes, item->from, item->until};
		}
	}
	return n;
}

/* Those of one moment keep their order: bins of moments. */
static void sort_uses(const pim_place_memory *m, int64_t n, const pim_room_use *use,
	pim_room_use *sorted, pim_arena *a)
{
	int64_t *first = PIM_NEW(a, int64_t, m->moments + 1);
	for (int64_t i = 0; i < n; i++)
		first[use[i].from]++;
	add_up(first, m->moments);
	for (int64_t i = 0; i < n; i++)
		sorted[first[use[i].from]++] = use[i];
}

static int64_t find_peak(pim_place_memory *m, int64_t n, const pim_room_use *use)
{
	for (int64_t i = 0; i < n; i++) {
		m->change[use[i].from] += use[i].bytes;
		m->change[use[i].until] -= use[i].bytes;
	}
	return take_peak(m);
}

int64_t pim_place_memory_room(pim_place_memory *m, int unit, int64_t pieces)
{
	const int *slot_on = m->slot_on + (int64_t)unit * m->p->n;
	int64_t constants = pieces, n = 0;
	pim_arena *a = pim_arena_new();
	m->now++;
	for (int i = 0; i < m->p->n; i++)
		if (slot_on[i] >= 0) {
			int64_t slot = slot_number(m, i, slot_on[i]);
			constants += meet_constants(m, slot);
			n += m->first_item[slot + 1] - m->first_item[slot];
		}
	pim_room_use *use = PIM_NEW(a, pim_room_use, n), *sorted = PIM_NEW(a, pim_room_use, n);
	n = list_uses(m, slot_on, use);
	sort_uses(m, n, use, sorted, a);
	int64_t values = m->in_turn ? pim_room_peak(n, sorted) : find_peak(m, n, use);
	pim_arena_free(a);
	return constants + values;
}

bool pim_place_memory_fits(pim_place_memory *m, int n, const int *unit)
{
	for (int i = 0; i < n; i++)
		if (pim_place_memory_bytes(m, unit[i]) > m->capacity)
			return false;
	return true;
}

int64_t pim_place_memory_slot_bytes(pim_place_memory *m, int tenant, int slot)
{
	int64_t number = slot_number(m, tenant, slot);
	m->now++;
	int64_t constants = meet_constants(m, number);
	meet_items(m, number, NULL);
	return constants + take_peak(m);
}

/* Adds 1 for each constant of a slot. */
static void count_slot(pim_place_memory *m, int64_t slot, int64_t *here)
{
	m->now++;
	for (int64_t i = m->first_constant[slot]; i < m->first_constant[slot + 1]; i++) {
		int number = m->constant[i];
		here[number] += m->seen[number] != m->now;
		m->seen[number] = m->now;
	}
}

/* A constant is there at least as often as any one tenant's slots have it. */
static int64_t count_constants(pim_place_memory *m, pim_arena *a)
{
	int64_t *here = PIM_NEW(a, int64_t, m->numbers), *most = PIM_NEW(a, int64_t, m->numbers);
	int64_t sum = 0;
	for (int i = 0; i < m->p->n; i++) {
		memset(here, 0, sizeof *here * (size_t)m->numbers);
		for (int k = 0; k < m->p->tenant[i].n_units; k++)
			count_slot(m, slot_number(m, i, k), here);
		for (int k = 0; k < m->numbers; k++)
			most[k] = pim_max(most[k], here[k]);
	}
	for (int i = 0; i < m->numbers; i++)
		sum += most[i] * m->bytes[i];
	return sum;
}

int64_t pim_place_memory_bound(pim_place_memory *m)
{
	pim_arena *scratch = pim_arena_new();
	int64_t all = count_constants(m, scratch), most = 0;
	for (int i = 0; i < m->p->n; i++)
		for (int k = 0; k < m->p->tenant[i].n_units; k++)
			most = pim_max(most, pim_place_memory_slot_bytes(m, i, k));
	for (int i = 0; i < m->p->n; i++)
		for (int k = 0; k < m->p->tenant[i].n_units; k++)
			meet_items(m, slot_number(m, i, k), NULL);
	pim_arena_free(scratch);
	return pim_max(most, pim_divide_up(all + take_peak(m), m->p->units));
}
