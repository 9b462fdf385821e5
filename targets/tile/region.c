/* SPDX-License-Identifier: Apache-2.0 */
/* region.c - which part of a value is there, as disjoint boxes.
 *
 * A walk asks for one box after the other, which mostly grow along one dimension: neighbours are
 * joined, so a region stays a few boxes. Cost: boxes times dimensions. */
#include <stdlib.h>

#include "ir/array.h"
#include "targets/tile/tile.h"

static void push(pim_region *r, const pim_box *box)
{
	r->box = pim_array_grow(r->box, r->n, &r->space, sizeof *r->box);
	r->box[r->n++] = *box;
}

/* What is left of `need` outside of box number i and those behind it: what lies before and behind
 * it in each dimension in turn. */
static void subtract(const pim_region *r, int i, const pim_box *need, pim_region *lacks)
{
	pim_box meet, rest = *need;
	for (; i < r->n; i++)
		if (pim_box_meet(&r->box[i], need, &meet))
			break;
	if (i == r->n) {
		push(lacks, need);
		return;
	}
	for (int d = 0; d < rest.n; d++) {
		pim_box side = rest;
		side.hi[d] = meet.lo[d];
		if (side.lo[d] < side.hi[d])
			subtract(r, i + 1, &side, lacks);
		side = rest;
		side.lo[d] = meet.hi[d];
		if (side.lo[d] < side.hi[d])
			subtract(r, i + 1, &side, lacks);
		rest.lo[d] = meet.lo[d];
		rest.hi[d] = meet.hi[d];
	}
}

void pim_region_lacks(const pim_region *r, const pim_box *need, pim_region *lacks)
{
	if (!pim_box_empty(need))
		subtract(r, 0, need, lacks);
}

/* Joins b to a when they are one box. */
static bool join(pim_box *a, const pim_box *b)
{
	int differs = -1;
	for (int d = 0; d < a->n; d++) {
		if (a->lo[d] == b->lo[d] && a->hi[d] == b->hi[d])
			continue;
		if (differs >= 0 || (a->hi[d] != b->lo[d] && b->hi[d] != a->lo[d]))
			return false;
		differs = d;
	}
	if (differs >= 0) {
		a->lo[differs] = a->lo[differs] < b->lo[differs] ? a->lo[differs] : b->lo[differs];
		a->hi[differs] = a->hi[differs] > b->hi[differs] ? a->hi[differs] : b->hi[differs];
	}
	return true;
}

/* Joins box i with others as long as one fits. */
static void settle(pim_region *r, int i)
{
	for (int k = 0; k < r->n; k++) {
		if (k == i || !join(&r->box[i], &r->box[k]))
			continue;
		r->box[k] = r->box[i];
		r->box[i] = r->box[--r->n];
		i = k == r->n ? i : k;
		k = -1;
	}
}

void pim_region_add(pim_region *r, const pim_box *box)
{
	int kept = 0;
	pim_region lacks = {.n = 0};
	for (int i = 0; i < r->n; i++)
		if (!pim_box_holds(box, &r->box[i]))
			r->box[kept++] = r->box[i];
	r->n = kept;
	pim_region_lacks(r, box, &lacks);
	for (int i = 0; i < lacks.n; i++) {
		push(r, &lacks.box[i]);
		settle(r, r->n - 1);
	}
	pim_region_free(&lacks);
}

void pim_region_free(pim_region *r)
{
	free(r->box);
	*r = (pim_region){0};
}
