/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_meetings - what regions of a consumer wait for in those of its producer.
 *
 * A region of the producer is ready no sooner for larger indices, so a tile waits in it for the
 * last index that it reads there. What two regions that meet are worth depends on four numbers: the
 * last index that the first tile reads, counted from where the producer's region begins (`hi`), the
 * lengths of both, and where the last tile ends. So of all pairs that meet only a few are searched
 * (overlap_stairs.c):
 *
 *   - Of a region of the producer the last region of the consumer that meets it: its first tile
 *     reads more than all tiles of those before. Or, where the producer has more regions, of each
 *     of the consumer the first one that it meets, and the next longest one if that is none: a tile
 *     that reads an index of a later one is behind one that has read as far in an earlier one.
 *   - Of pairs with the same two lengths, of which each side has three at most, the one with the
 *     largest `hi`: tile by tile it reads as far or farther.
 *   - Where tiles leave out indices between them (a stride above the window), the last tile of a
 *     pair may read farther than that of another with a larger `hi`, which stands before the gap at
 *     the end of its region. A last tile that reads up to the gap is no better than that one. So
 *     for each length of the producer's region, and each index of the gap, the first tile that is
 *     the last of its pair and reads so far. Nothing of that is needed where reading on over the
 *     gap never gains more than the next tile costs.
 *   - Of what is left, pairs are passed over whose `hi` and lengths are no larger than those of one
 *     searched before; of one whose producer's region alone is longer by one, without gaps that
 *     matter, only what reads that last index is looked at.
 *
 * Cost: three quotients for each region of the producer or of the consumer, of the latter if they
 * are fewer and there are no gaps that matter; and nine searches, most often one. Source: ours. */
#include "passes/overlap_meetings.h"

#include <math.h>

enum { LENGTHS = PIM_SIDE_LENGTHS, MOST_GAP = 16, MOST_MEETINGS = LENGTHS * LENGTHS };

/* A region of the consumer as one of the producer sees it: the last index that its first tile reads
 * when it is full, the first one, elements of both. */
typedef struct meeting {
	int64_t hi, lo, elements, made;
} meeting;

typedef struct finder {
	const pim_side *producer, *consumer;
	int64_t coef, tile, apart, window;
	int64_t lo, hi;	  /* of pim_reading */
	int64_t first_hi; /* of the first tile, when it is full */
	int64_t gap;	  /* indices that no tile reads between two, where that matters; else 0 */
	int64_t full;	  /* the first index of a longest region that is ready no sooner than any */
	double most_hi[LENGTHS][LENGTHS]; /* of meetings, by length of used and made; */
	int64_t first[LENGTHS][MOST_GAP]; /* tile that reads so many before the last of made */
	int64_t best, steps;
} finder;

#define NEVER INT64_MAX
#define MOST_INDEX 0x1p60

static void note_value(finder *f, int64_t hi, int64_t t)
{
	int64_t value =
		pim_stairs_at(&f->producer->stairs, hi) - pim_stairs_at(&f->consumer->stairs, t);
	f->best = pim_max(f->best, value);
}

/* ---- all that meet ---- */

static void note_first(finder *f, int made, int64_t before, int64_t t)
{
	if (f->gap > MOST_GAP)
		note_value(f, f->producer->length[made] - 1 - before, t);
	else if (t < f->first[made][before])
		f->first[made][before] = t;
}

/* Regions of one side, of the other the ones that they meet, and what they are to each other. */
typedef struct block {
	int n;
	pim_regions used, made;
	double index[PIM_REGION_BLOCK], hi[PIM_REGION_BLOCK];
	double last[PIM_REGION_BLOCK], before[PIM_REGION_BLOCK]; /* of the last tile of each */
} block;

/* Of regions of the producer the last one of the consumer that reads something of each. */
static bool meet_before(const finder *f, pim_region_walk *w, block *b)
{
	const pim_side *c = f->consumer;
	double per_coef = 1 / (double)f->coef, from = 1 + (double)f->lo, most = (double)(c->size - 1);
	b->n = pim_side_walk(f->producer, w, &b->made);
	for (int i = 0; i < b->n; i++) {
		double to = pim_quotient(b->made.lo[i] + b->made.length[i] - from, per_coef);
		b->index[i] = to < most ? to : most;
	}
	pim_side_locate(c, b->n, b->index, &b->used);
	return b->n > 0;
}

/* Of regions of the consumer the first one of the producer that each reads something of. */
static bool meet_behind(const finder *f, pim_region_walk *w, block *b)
{
	const pim_side *p = f->producer;
	double coef = (double)f->coef, lo = (double)f->lo;
	b->n = pim_side_walk(f->consumer, w, &b->used);
	for (int i = 0; i < b->n; i++) {
		double first = coef * b->used.lo[i] + lo;
		b->index[i] = first > 0 ? first : 0;
	}
	pim_side_locate(p, b->n, b->index, &b->made);
	return b->n > 0;
}

static void compare_block(const finder *f, block *b)
{
	double coef = (double)f->coef, first = (double)f->first_hi;
	for (int i = 0; i < b->n; i++)
		b->hi[i] = coef * b->used.lo[i] + first - b->made.lo[i];
}

/* The last tile that reads anything of the region, and how far before its end. */
static void find_last_tiles(const finder *f, block *b)
{
	double tile = (double)f->tile, per_tile = 1 / tile, coef = (double)f->coef;
	double apart = (double)f->apart, per_apart = 1 / apart, window = (double)f->window;
	for (int i = 0; i < b->n; i++) {
		double length = b->used.length[i], end = b->made.length[i] - 1, hi = b->hi[i];
		double last = pim_quotient(length - 1, per_tile),
			   t = pim_quotient(end - hi + window - 1, per_apart);
		double at = t < last ? t : last, full = hi + apart * at;
		double all = hi + coef * (length - tile), before = end - (full < all ? full : all);
		b->last[i] = at;
		b->before[i] = before > 0 ? before : 0;
	}
}

/* The next longest region that the consumer's meets behind that one. */
static void note_longest(finder *f, const block *b, int i, int used)
{
	const pim_side *p = f->producer;
	double next = (double)pim_side_next_longest(p, (int64_t)b->index[i], (int64_t)b->made.end[i]);
	double first = (double)f->coef * b->used.lo[i], all = (double)(p->size * p->scale);
	double last = first + (double)f->coef * (b->used.length[i] - 1) + (double)f->hi;
	if (next <= last && next < all)
		f->most_hi[used][0] = pim_later(f->most_hi[used][0], first + (double)f->first_hi - next);
}

static void note_block(finder *f, const block *b, bool behind)
{
	double all = behind ? (double)(f->producer->size * f->producer->scale) : INFINITY;
	for (int i = 0; i < b->n; i++) {
		int used = pim_side_kind(f->consumer, b->used.length[i]);
		int made = pim_side_kind(f->producer, b->made.length[i]);
		if (b->index[i] < 0 || b->index[i] >= all)
			continue;
		if (b->hi[i] > f->most_hi[used][made])
			f->most_hi[used][made] = b->hi[i];
		if (behind && made && b->hi[i] - b->made.length[i] > f->most_hi[used][0])
			note_longest(f, b, i, used);
	}
}

static void note_last_tiles(finder *f, const block *b)
{
	double gap = (double)f->gap;
	for (int i = 0; i < b->n; i++)
		if (b->before[i] < gap && b->before[i] < b->made.length[i] && b->index[i] >= 0) {
			int made = pim_side_kind(f->producer, b->made.length[i]);
			note_first(f, made, (int64_t)b->before[i], (int64_t)b->last[i]);
		}
}

/* Does a first tile wait for all that the producer can be waited for? Nothing is worth more. */
static bool is_found(const finder *f)
{
	double most = -INFINITY;
	for (int used = 0; used < LENGTHS; used++)
		if (f->consumer->length[used] >= f->tile)
			most = pim_later(most, f->most_hi[used][0]);
	return most >= (double)f->full;
}

/* Of the side with fewer regions, but of the producer where gaps matter. */
static void meet_all(finder *f)
{
	bool behind = !f->gap && f->consumer->regions < f->producer->regions;
	pim_region_walk w = {0};
	block b;
	while (!is_found(f) && (behind ? meet_behind(f, &w, &b) : meet_before(f, &w, &b))) {
		compare_block(f, &b);
		note_block(f, &b, behind);
		if (f->gap) {
			find_last_tiles(f, &b);
			note_last_tiles(f, &b);
		}
		f->steps += b.n;
	}
}

/* ---- a region of each ---- */

static void search_meeting(finder *f, const meeting *m, bool end_alone)
{
	const pim_stairs *up = &f->producer->stairs, *down = &f->consumer->stairs;
	int64_t apart = f->apart, all = pim_divide_up(m->elements, f->tile), full = all;
	int64_t from = m->hi < 0 ? pim_divide_up(-m->hi, apart) : 0;
	int64_t to = m->lo < m->made ? pim_min(all, (m->made - 1 - m->lo) / apart + 1) : 0;
	if (to == all && m->elements % f->tile) {
		int64_t ragged = m->hi + apart * (all - 1) - f->coef * (all * f->tile - m->elements);
		if (ragged >= 0)
			note_value(f, pim_min(ragged, m->made - 1), all - 1);
		full = all - 1;
	}
	to = pim_min(to, full);
	if (from >= to)
		return;
	int64_t last = pim_min(m->hi + apart * (to - 1), m->made - 1);
	if (pim_stairs_at(up, last) - pim_stairs_at(down, from) <= f->best)
		return;
	int64_t end = m->hi >= m->made - 1 ? 0 : pim_divide_up(m->made - 1 - m->hi, apart);
	if (end < to) {
		note_value(f, m->made - 1, pim_max(end, from));
		to = end;
	}
	if (!end_alone)
		f->best = pim_stairs_most(up, down, m->hi, apart, to, f->best, &f->steps);
}

/* Is no tile of b that reads indices which a's region has worth more than those of a? a's `hi` is
 * not less. */
static bool is_ahead(const finder *f, const meeting *a, const meeting *b)
{
	return a->elements >= b->elements || a->lo + f->apart * (a->elements / f->tile) >= a->made;
}

/* Largest `hi` first, and of those the longest region of the producer. */
static int list_meetings(const finder *f, meeting *m)
{
	int n = 0;
	for (int k = 0; k < MOST_MEETINGS; k++) {
		int used = k % LENGTHS, made = k / LENGTHS, i = n;
		if (f->most_hi[used][made] < -MOST_INDEX)
			continue;
		int64_t hi = (int64_t)f->most_hi[used][made];
		meeting next = {hi, hi - f->window + 1,
			pim_min(f->consumer->length[used], f->consumer->reach), f->producer->length[made]};
		for (; i > 0 && (m[i - 1].hi < hi || (m[i - 1].hi == hi && m[i - 1].made < next.made)); i--)
			m[i] = m[i - 1];
		m[i] = next;
		n++;
	}
	return n;
}

static void search_meetings(finder *f)
{
	meeting m[MOST_MEETINGS];
	int n = list_meetings(f, m);
	for (int i = 0; i < n; i++) {
		int64_t made = 0;
		for (int k = 0; k < i; k++)
			if (m[k].made > made && is_ahead(f, &m[k], &m[i]))
				made = m[k].made;
		if (made < m[i].made)
			search_meeting(f, &m[i], !f->gap && made == m[i].made - 1);
	}
}

static void search_last_tiles(finder *f)
{
	for (int made = 0; made < LENGTHS; made++)
		for (int64_t before = 0; before < pim_min(f->gap, MOST_GAP); before++)
			if (f->first[made][before] < NEVER)
				note_value(f, f->producer->length[made] - 1 - before, f->first[made][before]);
}

/* May reading on over the gap at the end of a region gain more than the next tile costs? */
static bool matters(const finder *f, int64_t gap)
{
	const pim_stairs *up = &f->producer->stairs, *down = &f->consumer->stairs;
	if (gap <= 0 || !down->n)
		return false;
	for (int i = 0; i < LENGTHS; i++) {
		int64_t made = f->producer->length[i];
		if (made > 0 &&
			(made <= gap || pim_stairs_at(up, made - 1) - pim_stairs_at(up, made - 1 - gap) >
								down->rise[down->n - 1]))
			return true;
	}
	return false;
}

static void start(finder *f, const pim_reading *r)
{
	*f = (finder){.producer = f->producer,
		.consumer = f->consumer,
		.coef = r->coef,
		.tile = r->tile,
		.apart = r->coef * r->tile,
		.window = r->coef * (r->tile - 1) + r->hi - r->lo + 1,
		.lo = r->lo,
		.hi = r->hi,
		.first_hi = r->hi + r->coef * (r->tile - 1),
		.best = f->best};
	const pim_stairs *up = &f->producer->stairs;
	f->full = pim_stairs_reach(up, pim_stairs_at(up, f->producer->length[0] - 1));
	f->gap = matters(f, f->apart - f->window) ? f->apart - f->window : 0;
	for (int made = 0; made < LENGTHS; made++) {
		for (int used = 0; used < LENGTHS; used++)
			f->most_hi[used][made] = -INFINITY;
		for (int before = 0; before < MOST_GAP; before++)
			f->first[made][before] = NEVER;
	}
}

int64_t pim_meetings_most(const pim_side *producer, const pim_side *consumer, const pim_reading *r,
	int64_t least, int64_t *steps)
{
	finder f = {.producer = producer, .consumer = consumer, .best = least};
	start(&f, r);
	meet_all(&f);
	search_last_tiles(&f);
	search_meetings(&f);
	*steps += f.steps;
	return f.best;
}
