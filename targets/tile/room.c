/* SPDX-License-Identifier: Apache-2.0 */
/* room.c - addresses in a unit's main memory: first fit over ascending gaps, joined when given
 * back. The last gap has no end; whether the peak fits the machine is checked once, with all
 * figures known. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/tile/tile.h"

enum { ALIGN = 64 };

int64_t pim_room_bytes(int64_t bytes)
{
	return ((bytes ? bytes : 1) + ALIGN - 1) / ALIGN * ALIGN;
}

void pim_room_start(pim_room *r)
{
	*r = (pim_room){.n = 1};
	r->gap = pim_array_grow(r->gap, 0, &r->space, sizeof *r->gap);
	r->gap[0] = (struct pim_gap){0, INT64_MAX};
}

static void drop_gap(pim_room *r, int i)
{
	memmove(r->gap + i, r->gap + i + 1, sizeof *r->gap * (size_t)(r->n - i - 1));
	r->n--;
}

int64_t pim_room_take(pim_room *r, int64_t bytes)
{
	bytes = pim_room_bytes(bytes);
	int i = 0;
	while (r->gap[i].hi - r->gap[i].lo < bytes)
		i++;
	int64_t address = r->gap[i].lo;
	r->gap[i].lo += bytes;
	if (r->gap[i].lo == r->gap[i].hi)
		drop_gap(r, i);
	if (address + bytes > r->peak)
		r->peak = address + bytes;
	r->now += bytes;
	return address;
}

static void insert_gap(pim_room *r, int i, struct pim_gap gap)
{
	r->gap = pim_array_grow(r->gap, r->n, &r->space, sizeof *r->gap);
	memmove(r->gap + i + 1, r->gap + i, sizeof *r->gap * (size_t)(r->n - i));
	r->gap[i] = gap;
	r->n++;
}

void pim_room_give(pim_room *r, int64_t address, int64_t bytes)
{
	bytes = pim_room_bytes(bytes);
	r->now -= bytes;
	int i = 0;
	while (r->gap[i].lo < address)
		i++;
	assert(address + bytes <= r->gap[i].lo);
	bool joins_before = i > 0 && r->gap[i - 1].hi == address;
	bool joins_behind = r->gap[i].lo == address + bytes;
	if (joins_before && joins_behind) {
		r->gap[i - 1].hi = r->gap[i].hi;
		drop_gap(r, i);
	} else if (joins_before) {
		r->gap[i - 1].hi += bytes;
	} else if (joins_behind) {
		r->gap[i].lo = address;
	} else {
		insert_gap(r, i, (struct pim_gap){address, address + bytes});
	}
}

void pim_room_free(pim_room *r)
{
	free(r->gap);
	*r = (pim_room){0};
}

/* there: numbers of the uses that have not been given back. */
static void give_until(pim_room *r, const pim_room_use *use, const int64_t *address, int64_t *there,
	int64_t *n, int64_t now)
{
	int64_t kept = 0;
	for (int64_t i = 0; i < *n; i++) {
		int64_t one = there[i];
		if (use[one].until <= now)
			pim_room_give(r, address[one], use[one].bytes);
		else
			there[kept++] = one;
	}
	*n = kept;
}

int64_t pim_room_peak(int64_t n, const pim_room_use *use)
{
	pim_arena *a = pim_arena_new();
	int64_t *address = PIM_NEW(a, int64_t, n), *there = PIM_NEW(a, int64_t, n), here = 0;
	pim_room r;
	pim_room_start(&r);
	for (int64_t i = 0; i < n; i++) {
		if (i == 0 || use[i].from != use[i - 1].from)
			give_until(&r, use, address, there, &here, use[i].from);
		address[i] = pim_room_take(&r, use[i].bytes);
		there[here++] = i;
	}
	int64_t peak = r.peak;
	pim_room_free(&r);
	pim_arena_free(a);
	return peak;
}
