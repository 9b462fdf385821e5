/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_records - what regions of a consumer wait for, whatever order indices are ready in.
 *
 * The tiles a..b-1 of a region read a range of indices. Let tile t be the first that reads the one
 * of them that is ready last. No tile behind t waits for anything later, so t is worth more than
 * those are. What is left are tiles before t, and only those whose cost is less than what the last
 * index is above the best known. They are cut in two, where an outer loop of the consumer turns,
 * and the half with the better bound goes first: what its last index is worth less the cost of its
 * first tile. All regions are looked at once before any is cut, for a best to compare with.
 *
 * The last index of a range of one axis is that of overlap.c; of an index made of two, outer * K +
 * inner, it is the last of the first and of the last outer index, of which a part is read, and of
 * those between, with the last of all inner ones.
 * Cost: a range costs the loops of the axes; for each region of the consumer one range, and some
 * more for those that may be better than the best. Nothing is proved for how many: two nests that
 * are level have many tiles that are about as good. Source: ours. */
#include "passes/overlap_records.h"

typedef struct finder {
	const pim_maker *maker;
	const pim_side *consumer;
	const pim_reading *reading;
	int64_t inner, all; /* indices of the inner axis, and of both */
	pim_latest whole;	/* of the inner axis */
	int64_t top;		/* what the last of all indices is worth */
	int64_t best, steps;
} finder;

static pim_latest later_of(pim_latest a, pim_latest b)
{
	return a.steps < b.steps ? b : a;
}

/* Of the inner indices lo..hi-1 of an outer one. */
static pim_latest find_inside(const finder *f, int64_t outer, int64_t lo, int64_t hi)
{
	const pim_spaces *s = f->maker->spaces;
	bool all = lo == 0 && hi == f->inner;
	pim_latest at = pim_spaces_axis_latest(s, f->maker->axis.outer, outer, outer + 1);
	pim_latest in = all ? f->whole : pim_spaces_axis_latest(s, f->maker->axis.inner, lo, hi);
	return (pim_latest){at.steps + in.steps, outer * f->inner + in.index};
}

/* Of the indices lo..hi-1, at least one. */
static pim_latest find_latest(finder *f, int64_t lo, int64_t hi)
{
	const pim_spaces *s = f->maker->spaces;
	f->steps++;
	if (f->maker->axis.inner < 0)
		return pim_spaces_axis_latest(s, f->maker->axis.outer, lo, hi);
	int64_t first = lo / f->inner, last = hi / f->inner;
	int64_t from = lo - first * f->inner, to = hi - last * f->inner;
	if (first == last)
		return find_inside(f, first, from, to);
	pim_latest l = {-1, 0};
	if (from > 0)
		l = find_inside(f, first++, from, f->inner);
	if (first < last) {
		pim_latest o = pim_spaces_axis_latest(s, f->maker->axis.outer, first, last);
		o = (pim_latest){o.steps + f->whole.steps, o.index * f->inner + f->whole.index};
		l = later_of(l, o);
	}
	return to > 0 ? later_of(l, find_inside(f, last, 0, to)) : l;
}

/* Where its first tile begins and ends to read, when it is full; its elements and tiles. */
typedef struct region {
	int64_t lo, hi, elements, tiles;
} region;

/* Where tiles a..b-1 are cut in two: at a turn of the outermost loop that turns within them. */
static int64_t find_middle(const pim_stairs *down, int64_t a, int64_t b)
{
	for (int i = 0; i < down->n; i++) {
		int64_t first = a / down->width[i], last = (b - 1) / down->width[i];
		if (first < last)
			return (first + (last - first + 1) / 2) * down->width[i];
	}
	return b;
}

/* Tiles a..b-1 of a region, what the last index of all is worth, the first tile that reads it. */
typedef struct range {
	int64_t a, b, most, first;
} range;

/* Notes what that tile is worth. */
static range probe(finder *f, const region *g, int64_t a, int64_t b)
{
	const pim_stairs *down = &f->consumer->stairs;
	int64_t coef = f->reading->coef, tile = f->reading->tile, apart = coef * tile;
	int64_t from = pim_max(g->lo + apart * a, 0), missing = pim_max(b * tile - g->elements, 0);
	int64_t to = pim_min(g->hi + apart * (b - 1) - coef * missing + 1, f->all);
	range r = {a, b, PIM_PAIR_NOTHING, a};
	if (a >= b || from >= to)
		return r;
	pim_latest l = find_latest(f, from, to);
	int64_t t = l.index <= g->hi ? 0 : pim_divide_up(l.index - g->hi, apart);
	r.most = f->maker->cycles * l.steps;
	r.first = pim_max(pim_min(t, g->tiles - 1), a);
	f->best = pim_max(f->best, r.most - pim_stairs_at(down, r.first));
	return r;
}

static void search_range(finder *f, const region *g, range r)
{
	const pim_stairs *down = &f->consumer->stairs;
	int64_t cost = pim_stairs_at(down, r.a);
	while (r.most > f->best + cost) {
		int64_t b = pim_min(r.first, pim_stairs_reach(down, r.most - f->best));
		int64_t middle = find_middle(down, r.a, b);
		range low = probe(f, g, r.a, middle), high = probe(f, g, middle, b);
		int64_t dear = pim_stairs_at(down, middle);
		bool up = high.most - dear > low.most - cost;
		search_range(f, g, up ? high : low);
		r = up ? low : high;
		cost = up ? cost : dear;
	}
}

static range probe_region(finder *f, region *g, int64_t lo, int64_t elements)
{
	const pim_reading *r = f->reading;
	*g = (region){r->coef * lo + r->lo, r->coef * (lo + r->tile - 1) + r->hi, elements,
		pim_divide_up(elements, r->tile)};
	int64_t reach = pim_stairs_reach(&f->consumer->stairs, f->top - f->best);
	return probe(f, g, 0, pim_min(reach, g->tiles));
}

/* All of them are probed before any is searched, for a best to compare with. */
static void search_regions(finder *f, int n, const pim_regions *regions)
{
	region g[PIM_REGION_BLOCK];
	range r[PIM_REGION_BLOCK];
	for (int i = 0; i < n; i++)
		r[i] = probe_region(f, &g[i], (int64_t)regions->lo[i],
			pim_min((int64_t)regions->length[i], f->consumer->reach));
	for (int i = 0; i < n; i++)
		search_range(f, &g[i], r[i]);
}

int64_t pim_records_most(const pim_maker *producer, const pim_side *consumer, const pim_reading *r,
	int64_t least, int64_t *steps)
{
	finder f = {.maker = producer, .consumer = consumer, .reading = r, .best = least};
	const pim_spaces *s = producer->spaces;
	int outer = producer->axis.outer, inner = producer->axis.inner;
	f.inner = inner < 0 ? 1 : s->size[inner];
	f.all = s->size[outer] * f.inner;
	if (inner >= 0)
		f.whole = pim_spaces_axis_latest(s, inner, 0, f.inner);
	f.top = producer->cycles *
			(f.whole.steps + pim_spaces_axis_latest(s, outer, 0, s->size[outer]).steps);
	pim_region_walk w = {0};
	pim_regions regions;
	for (int n; (n = pim_side_walk(consumer, &w, &regions)) > 0;)
		search_regions(&f, n, &regions);
	*steps += f.steps;
	return f.best;
}
