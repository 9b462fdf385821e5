/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_turns.c - how a group runs tile by tile, and its slices by ready time when it is turned.
 *
 * A producer's run says when each tile of its result is complete. What a data space of the reader
 * waits for is the largest of a box of them, and the box is a product of ranges, of which each part
 * (mapper_reads.c) moves with digits of its own. So the boxes of all spaces are answered part after
 * part: the dimensions of one part are replaced by its positions, each with the largest over its
 * ranges, first those that leave least. Then every space finds its answer under its digits.
 *
 * Each unit goes on by itself, turn after turn and step after step, as the lowering writes streams
 * (targets/tile/interleave.c).
 *
 * A slice that starts at t ends at max(t, r) + its length, where r is the earliest start from which
 * none of its steps waits. Slices of a turned choice are of equal length: taken by r, the i-th on
 * unit i mod units, they end soonest, as the exchange of two that stand against it makes no end
 * earlier. So the order is exact for what the choice cuts; with several steps in a slice, when
 * messages take longer than steps, it is a rule only. A slice keeps all steps of its sums, and the
 * order of the loops stays among slices that are ready at once; so is it where slices at the end of
 * a dimension are shorter (`part`). An op that does not read what its producer makes last still
 * ends with it, as schedules demand. Cost: tiles of both, times what ranges overlap. Source: the
 * idea of Fast-OverlaPIM (arXiv 2407.00604), which re-allocates tiles; the form is ours. */
#include "passes/mapper.h"

#include <math.h>
#include <string.h>

int64_t pim_mapper_run_room(const pim_mapper_choice *c, pim_mapper_mode mode)
{
	return mode == PIM_MAPPER_transform ? c->grid.all : c->steps + 1;
}

/* ---- the largest over boxes ---- */

/* What is left of a producer's tiles: dimensions of its grid, and parts that are answered. */
enum { MOST_MODES = PIM_MAX_RANK };
typedef struct field {
	double *at;
	int n;
	int64_t size[MOST_MODES], stride[MOST_MODES];
	int dim[MOST_MODES];  /* -1: a part */
	int part[MOST_MODES]; /* where dim is -1 */
} field;

static void set_strides(field *f)
{
	int64_t stride = 1;
	for (int i = f->n - 1; i >= 0; i--) {
		f->stride[i] = stride;
		stride *= f->size[i];
	}
}

static field field_of(const pim_mapper_run *r)
{
	const pim_mapper_grid *g = &r->choice->grid;
	field f = {.at = r->done, .n = g->rank};
	for (int d = 0; d < g->rank; d++) {
		f.size[d] = g->tiles[d];
		f.dim[d] = d;
	}
	set_strides(&f);
	return f;
}

/* Modes of the field that part p replaces, and tiles first..last that a position needs. */
typedef struct window {
	int n, mode[PIM_MAX_RANK];
	int64_t first[PIM_MAX_RANK], last[PIM_MAX_RANK];
} window;

static window find_modes(const field *f, const pim_mapper_part *p)
{
	window w = {.n = p->n_dims};
	for (int k = 0; k < p->n_dims; k++)
		for (int i = 0; i < f->n; i++)
			if (f->dim[i] == p->dim[k])
				w.mode[k] = i;
	return w;
}

static bool set_window(
	window *w, const pim_mapper_grid *g, const pim_mapper_part *p, int64_t position)
{
	for (int k = 0; k < w->n; k++) {
		int32_t lo = p->lo[k][position], hi = p->hi[k][position];
		if (hi <= lo)
			return false;
		w->first[k] = g->at[p->dim[k]][lo];
		w->last[k] = g->at[p->dim[k]][hi - 1];
	}
	return true;
}

/* Offsets of the modes that stay, all but the last `*run` entries, which stand side by side. */
static int64_t *list_others(const field *f, const window *w, int64_t *n, int64_t *run, pim_arena *a)
{
	bool gone[MOST_MODES] = {false};
	int last = -1;
	for (int k = 0; k < w->n; k++) {
		gone[w->mode[k]] = true;
		last = w->mode[k] > last ? w->mode[k] : last;
	}
	*run = last >= 0 ? f->stride[last] : 1;
	*n = 1;
	for (int i = 0; i < last; i++)
		*n *= gone[i] ? 1 : f->size[i];
	int64_t *offset = pim_arena_raw(a, sizeof *offset * (size_t)*n), have = 1;
	offset[0] = 0;
	for (int i = 0; i < last; i++) {
		if (gone[i])
			continue;
		for (int64_t k = have - 1; k >= 0; k--)
			for (int64_t v = f->size[i] - 1; v >= 0; v--)
				offset[k * f->size[i] + v] = offset[k] + v * f->stride[i];
		have *= f->size[i];
	}
	return offset;
}

/* out = the larger of both, or a copy. */
static void merge(double *restrict out, const double *restrict from, int64_t n, bool copy)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = copy || from[i] > out[i] ? from[i] : out[i];
}

static void answer_position(
	const field *f, const window *w, const int64_t *other, int64_t n, int64_t run, double *out)
{
	int64_t at[PIM_MAX_RANK];
	memcpy(at, w->first, sizeof at);
	for (bool copy = true;; copy = false) {
		const double *from = f->at;
		for (int k = 0; k < w->n; k++)
			from += at[k] * f->stride[w->mode[k]];
		if (run == 1)
			for (int64_t i = 0; i < n; i++)
				out[i] = copy || from[other[i]] > out[i] ? from[other[i]] : out[i];
		else
			for (int64_t i = 0; i < n; i++)
				merge(out + i * run, from + other[i], run, copy);
		int k = w->n - 1;
		for (; k >= 0 && ++at[k] > w->last[k]; k--)
			at[k] = w->first[k];
		if (k < 0)
			return;
	}
}

/* The part in front of what stays. */
static field answer_part(
	const field *f, const pim_mapper_grid *g, const pim_mapper_demand *d, int part, pim_arena *a)
{
	const pim_mapper_part *p = &d->part[part];
	window w = find_modes(f, p);
	int64_t n, run;
	const int64_t *other = list_others(f, &w, &n, &run, a);
	field r = {.n = 1, .size = {p->positions}, .dim = {-1}, .part = {part}};
	r.at = pim_arena_raw(a, sizeof *r.at * (size_t)(p->positions * n * run));
	for (int i = 0; i < f->n; i++) {
		bool gone = false;
		for (int k = 0; k < w.n; k++)
			gone = gone || w.mode[k] == i;
		if (gone)
			continue;
		r.size[r.n] = f->size[i];
		r.dim[r.n] = f->dim[i];
		r.part[r.n++] = f->part[i];
	}
	set_strides(&r);
	for (int64_t k = 0; k < p->positions; k++) {
		double *out = r.at + k * n * run;
		if (set_window(&w, g, p, k))
			answer_position(f, &w, other, n, run, out);
		else
			for (int64_t i = 0; i < n * run; i++)
				out[i] = -INFINITY;
	}
	return r;
}

/* The part that leaves least, times what it replaces; -1 when all are answered. */
static int next_part(const pim_mapper_demand *d, const pim_mapper_grid *g, uint32_t done)
{
	int best = -1;
	double least = INFINITY;
	for (int k = 0; k < d->n; k++) {
		double tiles = 1;
		for (int i = 0; i < d->part[k].n_dims; i++)
			tiles *= (double)g->tiles[d->part[k].dim[i]];
		if (!(done >> k & 1) && (double)d->part[k].positions / tiles < least) {
			least = (double)d->part[k].positions / tiles;
			best = k;
		}
	}
	return best;
}

/* Adds what an edge makes the spaces wait for; by slice, then step. */
static void add_waits(const pim_mapper_choice *c, const pim_mapper_need *need, double *ready,
	int64_t spaces, pim_arena *a)
{
	const pim_mapper_demand *d = need->demand;
	if (!d) {
		for (int64_t i = 0; i < spaces; i++)
			ready[i] = pim_later(ready[i], need->of->end);
		return;
	}
	const pim_mapper_grid *g = &need->of->choice->grid;
	field f = field_of(need->of);
	int64_t coef[PIM_MAX_DIGITS] = {0};
	uint32_t done = 0;
	for (int k; (k = next_part(d, g, done)) >= 0; done |= 1u << k)
		f = answer_part(&f, g, d, k, a);
	for (int i = 0; i < f.n; i++) {
		const pim_mapper_part *p = &d->part[f.part[i]];
		for (int k = 0; k < p->n; k++)
			coef[p->digit[k]] += p->coef[k] * f.stride[i];
	}
	pim_mapper_walk w = pim_mapper_walk_of(c->spaces, coef);
	for (int64_t i = 0; i < spaces; i++, pim_mapper_walk_next(&w))
		ready[i] = pim_later(ready[i], f.at[w.at]);
}

/* ---- turns ---- */

/* Of one step; 0 where there are no elements. */
static double step_cycles(const pim_mapper_choice *c, int64_t slice, int64_t step)
{
	return c->part ? c->step * c->part[c->grid.of_slice[slice] + c->grid.of_step[step]] : c->step;
}

/* The earliest starts of slices, once units are free, from which none of their steps waits. */
static double release(
	const pim_mapper_choice *c, int64_t slice, const double *ready, double lag, double from)
{
	double arrived = from, start = from, before = 0;
	for (int64_t s = 0; s < c->steps; s++) {
		double cycles = step_cycles(c, slice, s);
		if (cycles <= 0)
			continue;
		arrived = pim_later(arrived, ready[slice * c->steps + s]) + lag;
		start = pim_later(start, arrived - before);
		before += cycles;
	}
	return start;
}

static int32_t *find_order(
	const pim_mapper_choice *c, const double *ready, double lag, double from, pim_arena *a)
{
	double *start = pim_arena_raw(a, sizeof *start * (size_t)c->slices);
	int32_t *order = pim_arena_raw(a, sizeof *order * (size_t)c->slices);
	for (int64_t i = 0; i < c->slices; i++)
		start[i] = release(c, c->turn[i], ready, lag, from);
	pim_turns_by_ready(c->slices, start, c->units, order, a);
	for (int64_t i = 0; i < c->slices; i++)
		order[i] = c->turn[order[i]];
	return order;
}

/* The slices of a unit, step after step of turn after turn; when the last is complete. What has no
 * elements takes no time and keeps nobody waiting. */
static double run_unit(const pim_mapper_choice *c, int64_t unit, const double *ready, double lag,
	double from, pim_mapper_run *r)
{
	const int32_t *of_slice = c->grid.of_slice, *of_step = c->grid.of_step;
	double arrived = from, now = from;
	bool begun = false;
	for (int64_t i = unit; i < c->slices; i += c->units) {
		int64_t slice = r->order ? r->order[i] : i;
		for (int64_t s = 0; s < c->steps; s++) {
			double cycles = step_cycles(c, slice, s);
			r->done[of_slice[slice] + of_step[s]] = 0;
			if (cycles <= 0)
				continue;
			arrived = pim_later(arrived, ready[slice * c->steps + s]);
			if (!begun && arrived < r->begin)
				r->begin = arrived;
			begun = true;
			arrived += lag;
			now = pim_later(now, arrived) + cycles;
			r->done[of_slice[slice] + of_step[s]] = now;
		}
	}
	return now;
}

static void run_slices(
	const pim_mapper_choice *c, const double *ready, double lag, double from, pim_mapper_run *r)
{
	r->begin = INFINITY;
	r->end = from;
	for (int64_t u = 0; u < c->units; u++)
		r->end = pim_later(r->end, run_unit(c, u, ready, lag, from, r));
	r->begin = r->begin < r->end ? r->begin : from;
}

/* One that is not cut along dimensions: when all that it reads is complete. */
static void run_whole(const pim_mapper_choice *c, int n, const pim_mapper_need *need, double lag,
	double from, pim_mapper_run *r)
{
	r->begin = from;
	for (int k = 0; k < n; k++)
		r->begin = pim_later(r->begin, need[k].of->end);
	r->end = r->begin + lag + c->step + (double)(c->steps - 1) * pim_later(lag, c->step);
	r->done[0] = r->end;
}

void pim_mapper_run_turns(const pim_mapper_choice *c, int n, const pim_mapper_need *need,
	double from, pim_arena *scratch, pim_mapper_run *r)
{
	double lag = 0;
	int64_t spaces = c->slices * c->steps;
	for (int k = 0; k < n; k++)
		lag += need[k].move / (double)c->steps;
	r->choice = c;
	r->order = NULL;
	if (!c->regular) {
		run_whole(c, n, need, lag, from, r);
		return;
	}
	double *ready = pim_arena_raw(scratch, sizeof *ready * (size_t)spaces);
	for (int64_t i = 0; i < spaces; i++)
		ready[i] = 0;
	for (int k = 0; k < n; k++)
		add_waits(c, &need[k], ready, spaces, scratch);
	if (c->turn)
		r->order = find_order(c, ready, lag, from, scratch);
	run_slices(c, ready, lag, from, r);
}

/* ---- plans ---- */

static double seconds_left(const pim_mapper_search *s)
{
	return s->deadline - pim_seconds_now();
}

static double evaluate(const pim_mapper *m, pim_mapper_search *s, pim_mapper_plan *p)
{
	pim_mapper_evaluate(m, PIM_MAPPER_transform, p);
	s->evaluated += m->n;
	return pim_mapper_value(s->objective, p->latency, p->pj);
}

/* Gives group i the other of its choices where that is better. */
static bool try_other(const pim_mapper *m, pim_mapper_search *s, pim_mapper_plan *p, int i,
	const pim_mapper_choice *other, double *best)
{
	const pim_mapper_choice *own = p->choice[i];
	p->choice[i] = other;
	double value = evaluate(m, s, p);
	if (value < *best) {
		*best = value;
		return true;
	}
	p->choice[i] = own;
	return false;
}

void pim_mapper_turn_plan(pim_mapper *m, pim_mapper_search *s, pim_mapper_plan *p)
{
	pim_arena *a = pim_arena_new();
	const pim_mapper_choice **plain = PIM_NEW(a, const pim_mapper_choice *, m->n);
	const pim_mapper_choice **turned = PIM_NEW(a, const pim_mapper_choice *, m->n);
	double best = evaluate(m, s, p);
	for (int i = 0; i < m->n; i++) {
		plain[i] = p->choice[i];
		turned[i] = pim_mapper_turn(m, i, plain[i]);
		p->choice[i] = turned[i] ? turned[i] : plain[i];
	}
	double all = evaluate(m, s, p);
	if (all >= best)
		memcpy(p->choice, plain, sizeof *plain * (size_t)m->n);
	best = all < best ? all : best;
	for (int i = 0; i < m->n && seconds_left(s) > 0; i++)
		if (turned[i])
			try_other(m, s, p, i, p->choice[i] == plain[i] ? turned[i] : plain[i], &best);
	evaluate(m, s, p);
	pim_arena_free(a);
}
