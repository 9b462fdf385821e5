/* SPDX-License-Identifier: Apache-2.0 */
/* passes/place_memory.h - what the slots of a placement put on their units, and whether those can
 * hold it. */
#ifndef PIM_PASSES_PLACE_MEMORY_H
#define PIM_PASSES_PLACE_MEMORY_H

#include "passes/place.h"

/* What a slot's unit has for good; slots that have the same number there have it once. */
typedef struct pim_place_constant {
	int tenant, slot, number;
} pim_place_constant;

/* What it has at the moments from .. until - 1, unless one of n_homes slots of tenant `maker` is
 * there too (-1: no slot is that; bounds leave it out). */
typedef struct pim_place_item {
	int tenant, slot;
	int from, until;
	int64_t bytes;
	int maker, n_homes; /* n_homes = 0: anyway */
	const int *home;
} pim_place_item;

typedef struct pim_place_holdings {
	int moments;
	bool in_turn; /* items are in the order in which they take room */
	int64_t n_constants, n_items;
	pim_place_constant *constant;
	int64_t *bytes; /* of a constant, by number */
	int numbers;
	pim_place_item *item;
} pim_place_holdings;

/* ---- place_memory.c ---- */

typedef struct pim_place_memory pim_place_memory;
/* The load is copied. Units can hold `capacity` bytes. */
pim_place_memory *pim_place_memory_new(
	const pim_placement *p, const pim_place_holdings *load, int64_t capacity, pim_arena *a);
void pim_place_memory_limit(pim_place_memory *m, int64_t capacity);
int64_t pim_place_memory_capacity(const pim_place_memory *m);
/* A tenant has other units; -1: all may have. */
void pim_place_memory_moved(pim_place_memory *m, int tenant);
/* The slot is on the unit, -1: none of the tenant's is, whatever the tenant says. */
void pim_place_memory_put(pim_place_memory *m, int tenant, int slot, int unit);
/* The slot of a tenant on a unit, -1 for none. */
int pim_place_memory_slot(const pim_place_memory *m, int tenant, int unit);
/* Bytes on a unit at its fullest moment; on the fullest unit. */
int64_t pim_place_memory_bytes(pim_place_memory *m, int unit);
int64_t pim_place_memory_fullest(pim_place_memory *m);
/* The same with gaps between what comes and goes, where it is known in which order that is, and
 * with so many bytes of shared constants instead of a piece for each reader. */
int64_t pim_place_memory_room(pim_place_memory *m, int unit, int64_t pieces);
/* Can each of n units hold what it has? */
bool pim_place_memory_fits(pim_place_memory *m, int n, const int *unit);
/* Bytes of a slot's constants, and of its items at their fullest moment, but for those that need
 * not be there. */
int64_t pim_place_memory_slot_bytes(pim_place_memory *m, int tenant, int slot);
/* No placement has a fullest unit with fewer bytes: those of the fullest slot; the mean over units
 * of all constants, with all items at the fullest moment, but for those that need not be there. */
int64_t pim_place_memory_bound(pim_place_memory *m);

/* ---- place_holdings.c ---- */

/* Adds what is on each unit of constants that have layouts and units. */
void pim_place_count_pieces(const pim_graph *g, int64_t *bytes);
/* Of a scheduled graph; NULL when all slots together would fit on one unit. */
pim_place_memory *pim_place_memory_of(
	const pim_graph *g, const pim_placement *p, int64_t capacity, pim_arena *a);

/* ---- place_repair.c ---- */

/* Moves slots until every unit can hold what it has; false when it did not come to that: the units
 * then have what was too much least. Adds the exchanges it looked at to *tried. */
bool pim_place_repair(
	pim_placement *p, pim_place_memory *m, uint64_t seed, int64_t *tried, pim_arena *scratch);

#endif
