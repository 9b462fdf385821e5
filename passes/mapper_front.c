/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_front.c - plans that no other known is better than in both latency and energy.
 *
 * Of more points than are wanted those go first that take least of the area that the front
 * dominates, both respects in logarithms; both ends stay. So what is left is spread by how much it
 * adds, whatever the scales are. Cost: n log n, and the square of those on the front. Source: the
 * hypervolume contribution of evolutionary multi-objective search (SMS-EMOA, Beume, Naujoks and
 * Emmerich 2007, recalled); here in two dimensions, where it is a product of two differences. */
#include "passes/mapper.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct corner {
	double cycles, pj;
	int index;
} corner;

static int by_cycles(const void *a, const void *b)
{
	const corner *x = a, *y = b;
	if (x->cycles != y->cycles)
		return x->cycles < y->cycles ? -1 : 1;
	if (x->pj != y->pj)
		return x->pj < y->pj ? -1 : 1;
	return x->index - y->index;
}

/* Takes out the one that adds least, both ends apart. */
static void drop_least(corner *c, int n)
{
	int least = 1;
	double area = INFINITY;
	for (int i = 1; i < n - 1; i++) {
		double own = (c[i + 1].cycles - c[i].cycles) * (c[i - 1].pj - c[i].pj);
		if (own < area) {
			area = own;
			least = i;
		}
	}
	memmove(c + least, c + least + 1, sizeof *c * (size_t)(n - least - 1));
}

static void keep_middle(corner *c, int n)
{
	for (int i = 1; i < n; i++)
		if (c[i].cycles + c[i].pj < c[0].cycles + c[0].pj)
			c[0] = c[i];
}

int pim_front_choose(int n, const pim_point *p, int most, int *chosen, pim_arena *scratch)
{
	corner *c = PIM_NEW(scratch, corner, n + 1);
	int kept = 0;
	for (int i = 0; i < n; i++)
		c[i] = (corner){p[i].cycles, p[i].pj, i};
	qsort(c, (size_t)n, sizeof *c, by_cycles);
	for (int i = 0; i < n; i++)
		if (!kept || c[i].pj < c[kept - 1].pj)
			c[kept++] = c[i];
	if (kept > most)
		for (int i = 0; i < kept; i++)
			c[i] = (corner){log1p(c[i].cycles), log1p(c[i].pj), c[i].index};
	for (; kept > most && kept > 2; kept--)
		drop_least(c, kept);
	if (kept > most)
		keep_middle(c, kept);
	kept = kept < most ? kept : most;
	for (int i = 0; i < kept; i++)
		chosen[i] = c[i].index;
	return kept;
}

double pim_front_area(int n, const pim_point *p, double cycles, double pj, pim_arena *scratch)
{
	int *chosen = PIM_NEW(scratch, int, n + 1);
	int kept = pim_front_choose(n, p, n, chosen, scratch);
	double area = 0, above = pj;
	for (int i = 0; i < kept; i++) {
		const pim_point *x = &p[chosen[i]];
		if (x->cycles >= cycles || x->pj >= above)
			continue;
		area += (cycles - x->cycles) * (above - x->pj);
		above = x->pj;
	}
	return area;
}

bool pim_mapper_front_covers(const pim_mapper_front *f, double cycles, double pj)
{
	for (int i = 0; i < f->n; i++)
		if (f->found[i].at.cycles <= cycles && f->found[i].at.pj <= pj)
			return true;
	return false;
}

void pim_mapper_front_add(
	const pim_mapper *m, pim_mapper_front *f, const pim_mapper_plan *p, const char *how)
{
	int kept = 0;
	if (pim_mapper_front_covers(f, p->latency, p->pj))
		return;
	for (int i = 0; i < f->n; i++)
		if (f->found[i].at.cycles < p->latency || f->found[i].at.pj < p->pj)
			f->found[kept++] = f->found[i];
	f->n = kept;
	f->found = pim_arena_grow(m->arena, f->found, f->n, &f->room, sizeof *f->found);
	pim_mapper_found *found = &f->found[f->n++];
	*found = (pim_mapper_found){.at = {p->latency, p->pj, how}};
	found->choice = PIM_NEW(m->arena, const pim_mapper_choice *, m->n + 1);
	memcpy(found->choice, p->choice, sizeof *p->choice * (size_t)m->n);
}

static int by_speed(const void *a, const void *b)
{
	const pim_mapper_found *x = a, *y = b;
	return x->at.cycles < y->at.cycles ? -1 : x->at.cycles > y->at.cycles;
}

pim_point *pim_mapper_front_sort(const pim_mapper *m, pim_mapper_front *f)
{
	pim_point *p = PIM_NEW(m->arena, pim_point, f->n + 1);
	if (f->n)
		qsort(f->found, (size_t)f->n, sizeof *f->found, by_speed);
	for (int k = 0; k < f->n; k++)
		p[k] = f->found[k].at;
	return p;
}

/* ---- what is offered beside what was found ---- */

/* Plans whose units are looked at, and halves of the machine. */
enum { PLANS = 3, HALVES = 4, MOST_UNITS = PLANS + HALVES + 1 };

static int add_units(int *units, int have, int want)
{
	int same = 0;
	while (same < have && units[same] != want)
		same++;
	units[same] = want;
	return have + (same == have);
}

/* For group i, as far as each can hold what it needs. */
static int list_units(
	const pim_mapper *m, const pim_mapper_front *f, int n, const int *plan, int i, int *units)
{
	int have = 0;
	for (int k = 0; k < n; k++)
		have = add_units(units, have, f->found[plan[k]].choice[i]->units);
	for (int k = 0; k <= HALVES; k++)
		if (m->units >> k >= m->group[i].least_units && m->units >> k > 0)
			have = add_units(units, have, m->units >> k);
	return have;
}

int64_t pim_mapper_front_offer(
	pim_mapper *m, const pim_mapper_front *f, const int *kind, const pim_mapper_offer *o)
{
	int64_t looked = 0;
	pim_arena *a = pim_arena_new();
	pim_point *p = PIM_NEW(a, pim_point, f->n + 1);
	int plan[PLANS], *units = PIM_NEW(a, int, m->n *MOST_UNITS), *n_units = PIM_NEW(a, int, m->n);
	for (int k = 0; k < f->n; k++)
		p[k] = f->found[k].at;
	int n = pim_front_choose(f->n, p, PLANS, plan, a);
	for (int i = 0; i < m->n; i++) {
		int k = 0, *own = &units[i * MOST_UNITS];
		n_units[i] = list_units(m, f, n, plan, i, own);
		while (k < i && (kind[k] != kind[i] || n_units[k] != n_units[i] ||
							memcmp(&units[k * MOST_UNITS], own, sizeof *own * (size_t)n_units[i])))
			k++;
		pim_mapper_offer each = o[i];
		each.n_units = n_units[i];
		each.units = own;
		if (k < i)
			pim_mapper_share_choices(&m->group[i], &m->group[k]);
		else
			looked += pim_mapper_choose(m, i, &each);
	}
	pim_mapper_find_tails(m);
	pim_arena_free(a);
	return looked;
}
