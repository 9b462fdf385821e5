/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_slices - one op of a graph, tile by tile: when each is ready, begins and ends.
 *
 * The slices of an op take turns on its units in their order; the tiles of a slice run in the order
 * of its nest. A tile begins when its unit is free and all that it reads is complete; inputs arrive
 * one tile after the other, as fast as messages allow, while the tile before runs. Ops that share a
 * walk are one: a tile of it waits for what all of them read, and completes a part of each. What a
 * box of a value waits for: of each slice that holds a part of it the last tile that writes there,
 * in closed form (overlap.c); relayouts and what else only moves elements are looked through box by
 * box. Cost: tiles times the slices that their inputs lie in; at most MOST_VISITS of them. */
#include "passes/overlap_state.h"

#include <string.h>

enum { MOST_VISITS = 1 << 22 };

bool pim_overlap_is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

bool pim_overlap_only_moves(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_move || !n->plan || !n->plan->nest;
}

/* Steps until a box of axes is final in one slice. */
static int64_t steps_within(const pim_spaces *s, const pim_box *slice, const pim_box *axes)
{
	int64_t steps = 1;
	for (int a = 0; a < s->n_axes; a++) {
		int64_t lo = 0, hi = slice->hi[a] - slice->lo[a] - 1;
		if (s->result[a]) {
			lo = axes->lo[a] > slice->lo[a] ? axes->lo[a] - slice->lo[a] : 0;
			hi = axes->hi[a] < slice->hi[a] ? axes->hi[a] - 1 - slice->lo[a] : hi;
		}
		if (s->n_turns[a] && hi >= lo)
			steps += pim_spaces_piece_ready(s, a, lo, hi + 1);
	}
	return steps;
}

static void keep_later(pim_overlap_when *w, const pim_overlap_when *other)
{
	if (other->time > w->time || (!w->of && other->of))
		*w = *other;
}

/* Of all slices that hold a part of the box. */
static pim_overlap_when when_computed(
	const pim_overlap *s, const pim_node *v, const pim_box *box, int64_t *visits)
{
	const pim_op_run *r = &s->run[v->id];
	pim_overlap_when w = {.of = v, .box = *box, .slice = -1, .step = r->tiles};
	pim_box axes;
	++*visits;
	if (!r->ends) {
		pim_axes_cover(r->axes, box, &axes);
		w.step = v->type->n_parts ? r->tiles : pim_spaces_ready(r->spaces, &axes);
		w.time = r->done[w.step];
		return w;
	}
	pim_pieces p = pim_pieces_of(v, box, 0);
	pim_box part;
	for (int64_t slice; pim_pieces_next(&p, &slice, &part); ++*visits) {
		pim_axes_cover(r->axes, &part, &axes);
		int64_t step = steps_within(r->spaces, &r->slice[slice], &axes);
		double time = r->ends[slice * r->tiles + step - 1];
		if (w.slice < 0 || time > w.time) {
			w.time = time;
			w.box = part;
			w.slice = slice;
			w.step = step;
		}
	}
	return w;
}

pim_overlap_when pim_overlap_box(
	const pim_overlap *s, const pim_node *v, const pim_box *box, int64_t *visits)
{
	pim_overlap_when w = {0};
	if (pim_overlap_is_leaf(v) || pim_box_empty(box))
		return w;
	if (!pim_overlap_only_moves(v))
		return when_computed(s, v, box, visits);
	const pim_op_run *r = &s->run[v->id];
	pim_box axes, part;
	if (v->type->n_parts) {
		w = (pim_overlap_when){.of = v, .box = *box, .slice = -1, .time = r->seen.end};
		return w;
	}
	pim_axes_cover(r->axes, box, &axes);
	for (int i = 0; i < (int)v->n_in; i++) {
		if (!v->in[i])
			continue;
		pim_axes_demand(r->axes, v, i, &axes, &part, NULL, NULL);
		pim_overlap_when one = pim_overlap_box(s, v->in[i], &part, visits);
		keep_later(&w, &one);
	}
	if (!w.of)
		w = (pim_overlap_when){.of = v, .box = *box, .slice = -1};
	w.time += r->seen.cost;
	return w;
}

/* One input of an op of the walk, and what it waited for last time. */
typedef struct supply {
	const pim_node *reader;
	int input;
	pim_box box;
	pim_overlap_when when;
} supply;

typedef struct runner {
	const pim_overlap *s;
	const pim_op_run *r; /* of the op whose nest is walked */
	int n_supplies;
	supply *supply;
	int64_t visits;
} runner;

static void add_supplies(runner *w, const pim_node *n, const int *from)
{
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i] && !pim_overlap_is_leaf(n->in[i]) && (!from || from[i] < 0))
			w->supply[w->n_supplies++] = (supply){.reader = n, .input = i, .box = {.n = -1}};
}

/* n: the op whose nest is walked. */
static runner start_runner(const pim_overlap *s, const pim_node *n, pim_arena *a)
{
	runner w = {.s = s, .r = &s->run[n->id]};
	const pim_fusion *f = w.r->walk;
	w.supply = PIM_NEW(a, supply, f ? f->n_operands : (int)n->n_in);
	for (int m = 0; f && m < f->n; m++)
		add_supplies(&w, f->member[m].node, f->member[m].from);
	if (!f)
		add_supplies(&w, n, NULL);
	return w;
}

static bool same_box(const pim_box *a, const pim_box *b)
{
	size_t bytes = sizeof a->lo[0] * (size_t)(b->n > 0 ? b->n : 0);
	return a->n == b->n && !memcmp(a->lo, b->lo, bytes) && !memcmp(a->hi, b->hi, bytes);
}

/* What of its axes an op computes in a tile of the walk. */
static void tile_of_reader(
	const runner *w, const pim_node *n, int64_t slice, const pim_box *tile, pim_box *axes)
{
	const pim_op_run *r = &w->s->run[n->id];
	if (!r->walk || r == w->r) {
		*axes = *tile;
		return;
	}
	pim_fusion_tile(r->walk, r->member, &r->slice[r->by_walk[slice]], tile, axes);
}

/* The latest of all that a tile reads; of inputs that are ready at once, the first. */
static const supply *find_last(runner *w, int64_t slice, const pim_box *tile)
{
	const supply *last = NULL;
	for (int k = 0; k < w->n_supplies; k++) {
		supply *p = &w->supply[k];
		pim_box need, axes;
		tile_of_reader(w, p->reader, slice, tile, &axes);
		pim_axes_demand(
			w->s->run[p->reader->id].axes, p->reader, p->input, &axes, &need, NULL, NULL);
		if (!same_box(&p->box, &need)) {
			p->box = need;
			p->when = pim_overlap_box(w->s, p->reader->in[p->input], &need, &w->visits);
		}
		last = !last || p->when.time > last->when.time ? p : last;
	}
	return last;
}

/* What step `step` of a slice computes; false: nothing, the slice is smaller. */
static bool tile_of(const pim_spaces *s, const pim_box *slice, int64_t step, pim_box *tile)
{
	*tile = *slice;
	for (int i = s->n - 1; i >= 0; i--) {
		const pim_digit *d = &s->digit[i];
		if (d->spatial)
			continue;
		tile->lo[d->axis] += step % d->count * d->inner;
		step /= d->count;
	}
	for (int a = 0; a < s->n_axes; a++)
		if (tile->lo[a] + s->tile[a] < tile->hi[a])
			tile->hi[a] = tile->lo[a] + s->tile[a];
	return !pim_box_empty(tile);
}

/* Where a unit stands: free at `now`, inputs up to here arrived. */
typedef struct clock {
	double now, arrived;
	bool ran;
} clock;

static void run_slice(runner *w, int64_t slice, clock *c, double *ends, pim_overlap_run *seen)
{
	const pim_op_run *r = w->r;
	for (int64_t step = 0; step < r->tiles; step++) {
		pim_box tile;
		ends[step] = step ? ends[step - 1] : c->now;
		if (!tile_of(r->spaces, &r->slice[slice], step, &tile))
			continue;
		const supply *last = find_last(w, slice, &tile);
		double ready = last ? last->when.time : 0;
		if (ready > c->arrived && ready > seen->latest) {
			seen->latest = ready;
			seen->last = last->reader->in[last->input];
		}
		c->arrived = pim_later(c->arrived, ready) + r->seen.message;
		double start = pim_later(c->now, c->arrived);
		if (c->ran)
			seen->waits = pim_later(seen->waits, start - c->now);
		seen->begin = seen->begin < 0 || start < seen->begin ? start : seen->begin;
		c->ran = true;
		ends[step] = c->now = start + r->seen.tile;
	}
}

static void keep_profile(pim_op_run *r)
{
	for (int64_t slice = 0; slice < r->slices; slice++)
		for (int64_t step = 0; step < r->tiles; step++) {
			double *done = &r->done[step + 1];
			*done = pim_later(*done, r->ends[slice * r->tiles + step]);
		}
	for (int64_t step = 0; step < r->tiles; step++)
		r->done[step + 1] = pim_later(r->done[step + 1], r->done[step]);
}

static void cut_slices(pim_overlap *s, const pim_node *n)
{
	pim_op_run *r = &s->run[n->id];
	r->slice = PIM_NEW(s->arena, pim_box, r->slices);
	for (int64_t i = 0; i < r->slices; i++) {
		pim_slice_axes(n, r->axes, i, &r->slice[i]);
		for (int a = r->axes->n_axes; a < r->spaces->n_axes; a++)
			r->slice[i].hi[a] = r->spaces->size[a];
	}
}

/* A member's tiles end with those of the walk. */
static void share_ends(pim_overlap *s, const pim_op_run *walk, const pim_node *n)
{
	pim_op_run *r = &s->run[n->id];
	size_t each = sizeof(double) * (size_t)walk->tiles;
	r->ends = pim_arena_raw(s->arena, each * (size_t)walk->slices);
	for (int64_t i = 0; i < walk->slices; i++)
		memcpy(&r->ends[r->by_walk[i] * r->tiles], &walk->ends[i * walk->tiles], each);
	pim_overlap_run seen = walk->seen;
	seen.cost = r->seen.cost;
	seen.places = r->seen.places;
	r->seen = seen;
	keep_profile(r);
}

/* Do the op and those on its walk have slices that can be followed? */
static bool can_follow(const pim_overlap *s, const pim_node *n)
{
	const pim_op_run *r = &s->run[n->id];
	return !n->type->n_parts && n->plan && n->plan->layout && r->slices <= MOST_VISITS / r->tiles;
}

bool pim_overlap_run_slices(pim_overlap *s, const pim_node *n)
{
	pim_op_run *r = &s->run[n->id];
	if (!can_follow(s, n))
		return false;
	pim_arena *scratch = pim_arena_new();
	const pim_fusion *f = r->walk;
	for (int m = 0; m < (f ? f->n : 1); m++)
		cut_slices(s, f ? f->member[m].node : n);
	runner w = start_runner(s, n, scratch);
	size_t bytes = sizeof(double) * (size_t)(r->slices * r->tiles);
	double *ends = pim_arena_raw(scratch, bytes);
	clock *unit = PIM_NEW(scratch, clock, r->seen.units);
	pim_overlap_run seen = r->seen;
	seen.begin = -1;
	int64_t i = 0;
	for (; i < r->slices && w.visits <= MOST_VISITS; i++) {
		int64_t slice = pim_slice_at(n, i);
		run_slice(&w, slice, &unit[i % r->seen.units], &ends[slice * r->tiles], &seen);
	}
	bool all = i == r->slices;
	if (all) {
		r->seen = seen;
		r->ends = memcpy(pim_arena_raw(s->arena, bytes), ends, bytes);
		keep_profile(r);
		for (int m = 0; f && m + 1 < f->n; m++)
			share_ends(s, r, f->member[m].node);
	}
	pim_arena_free(scratch);
	return all;
}

int64_t pim_overlap_tile_before(const pim_overlap *s, const pim_node *n, int64_t tile)
{
	const pim_op_run *r = &s->run[n->id];
	const pim_node *walker = pim_overlap_walker(s, n);
	if (tile % r->tiles)
		return tile - 1;
	int64_t slice = pim_overlap_walk_slice(s, n, tile / r->tiles);
	int64_t position = pim_slice_position(walker, slice);
	if (position < r->seen.units)
		return -1;
	int64_t before = pim_slice_at(walker, position - r->seen.units);
	return ((r->by_walk ? r->by_walk[before] : before) + 1) * r->tiles - 1;
}

bool pim_overlap_tile_at(const pim_overlap *s, const pim_node *n, int64_t tile, pim_overlap_tile *t)
{
	const pim_op_run *r = &s->run[n->id];
	*t = (pim_overlap_tile){0};
	if (!r->ends || tile < 0 || tile >= r->slices * r->tiles)
		return false;
	const pim_node *walker = pim_overlap_walker(s, n);
	t->slice = tile / r->tiles;
	t->step = tile % r->tiles;
	int64_t slice = pim_overlap_walk_slice(s, n, t->slice);
	int64_t position = pim_slice_position(walker, slice);
	t->unit = (int)(position % r->seen.units);
	t->turn = position / r->seen.units;
	t->end = r->ends[tile];
	t->begin = t->end - r->seen.tile;
	pim_arena *scratch = pim_arena_new();
	runner w = start_runner(s, walker, scratch);
	pim_box walk;
	t->any = tile_of(w.r->spaces, &w.r->slice[slice], t->step, &walk);
	tile_of_reader(&w, n, slice, &walk, &t->axes);
	const supply *last = t->any ? find_last(&w, slice, &walk) : NULL;
	if (last)
		t->when = last->when;
	int64_t before = pim_overlap_tile_before(s, n, tile);
	t->free = before >= 0 ? r->ends[before] : 0;
	pim_arena_free(scratch);
	return true;
}

int64_t pim_overlap_tiles(const pim_overlap *s, const pim_node *n)
{
	const pim_op_run *r = &s->run[n->id];
	return r->ends ? r->slices * r->tiles : 0;
}

double pim_overlap_slice_ready(const pim_overlap *s, const pim_node *n, int64_t slice)
{
	const pim_node *walker = pim_overlap_walker(s, n);
	const pim_op_run *r = &s->run[walker->id];
	pim_arena *scratch = pim_arena_new();
	runner w = start_runner(s, walker, scratch);
	double ready = 0, run = 0;
	slice = pim_overlap_walk_slice(s, n, slice);
	for (int64_t step = 0; step < r->tiles; step++) {
		pim_box tile;
		if (!tile_of(r->spaces, &r->slice[slice], step, &tile))
			continue;
		const supply *last = find_last(&w, slice, &tile);
		ready = pim_later(ready, (last ? last->when.time : 0) - run);
		run += r->seen.tile;
	}
	pim_arena_free(scratch);
	return ready;
}
