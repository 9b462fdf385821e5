/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_choices.c - units, cuts, loops and tiles that one group may be given.
 *
 * For each number of units: cuts of the result in at most so many pieces, one unit each
 * (mapper_cuts.c), the fastest few of them; for each, loops over every axis of the result in all
 * orders, their counts 1, 2, 4 .. and the extent, sums innermost in as few tiles as fit the buffer,
 * and in 4, 16, 64. (An outer loop over a sum would let no element be complete before nearly all
 * steps are.) Of the nests that differ only in counts of equal order, cut and steps (to a power of
 * two) the fastest stays; of those the budget takes a quarter by cycles, two quarters by cycles and
 * one or four times the cycles until the first eighth of the rows is complete, the rest by chance
 * (seeded). What does not fit a unit's memory is left out while anything fits. Cost: the nests
 * looked at. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/random.h"
#include "passes/mapper.h"

enum {
	MOST_STEPS = 1024,
	MOST_OF_LARGE = MOST_STEPS << 10,
	MOST_LOOPS = 4,
	MOST_SUMS = 64,
	MOST_TURNS = 4096
};

/* One nest that was looked at. */
typedef struct looked {
	pim_mapper_choice choice;
	double cycles, front; /* of all; until the first eighth of the rows is complete */
	int bucket;			  /* of steps */
	bool large;			  /* more than a unit may hold */
	bool taken;
} looked;

typedef struct work {
	pim_mapper *m;
	pim_mapper_group *g;
	pim_arena *scratch;
	int units, n_cuts, n;
	int64_t most_steps; /* of a slice */
	int64_t room;
	int n_listed; /* cuts, of which the first n_cuts are looked at */
	pim_mapper_cut *cut;
	looked *looked;
	int64_t evaluated;
	/* of the cut being looked at */
	pim_node *shadow;
	pim_nest_trial *trial;
	int cut_number, sum; /* the longest summed axis; -1: none */
	pim_mapper_move fetch;
	int64_t extent[PIM_MAX_AXES];
} work;

static void find_cuts(work *w, int frugal)
{
	w->cut = pim_mapper_cuts_of(w->m, w->g, w->units, frugal, &w->n_listed, w->scratch);
	w->n_cuts = 0;
	while (w->n_cuts < w->n_listed && w->cut[w->n_cuts].first)
		w->n_cuts++;
}

/* ---- constants ---- */

static pim_mapper_held held_of_cut(work *w, int k)
{
	const pim_node *s = pim_mapper_shadow(w->g->leader, &w->cut[k].layout, NULL, w->scratch);
	pim_nest_extents(s, w->g->axes, w->extent);
	return pim_mapper_held_of(w->m, w->g, &w->cut[k].layout, w->extent);
}

/* Of cuts that hold few enough constants one is looked at, however slow: the fastest of them, or
 * the one with the least. */
static void keep_small_cut(work *w, const pim_mapper_offer *o)
{
	int at = 0;
	double least = INFINITY;
	for (int k = 0; k < w->n_listed && least > (double)o->most_constants; k++) {
		pim_mapper_held h = held_of_cut(w, k);
		if (h.constants + h.values > (double)o->most || h.constants >= least)
			continue;
		least = h.constants;
		at = k;
	}
	if (at < w->n_cuts)
		return;
	pim_mapper_cut last = w->cut[w->n_cuts - 1];
	w->cut[w->n_cuts - 1] = w->cut[at];
	w->cut[at] = last;
}

/* ---- nests of one cut ---- */

static int64_t order_class(const pim_nest *nest)
{
	int64_t class = 0;
	for (int k = 0; k < nest->n; k++)
		if (!nest->loop[k].spatial)
			class = class * PIM_MAX_AXES + nest->loop[k].axis + 1;
	return class;
}

static bool is_summed(const work *w, int axis)
{
	return w->g->axes->axis[axis].kind == PIM_AXIS_summed;
}

/* Steps until the first eighth of the rows (tokens, columns of a vector) is complete. */
static int64_t front_steps(work *w, pim_nest *nest)
{
	const pim_node *n = w->g->leader;
	w->shadow->plan->nest = nest;
	const pim_spaces *s = pim_spaces_of(w->shadow, w->g->axes, w->scratch);
	if (n->type->n_parts || !n->type->rank)
		return s->steps;
	pim_box box = pim_box_of(n->type), axes;
	int d = n->type->rank >= 4 ? 2 : n->type->rank == 3 ? 1 : 0;
	while (d < n->type->rank - 1 && n->type->dims[d] == 1)
		d++;
	box.hi[d] = (n->type->dims[d] + 7) / 8;
	pim_axes_cover(w->g->axes, &box, &axes);
	return pim_spaces_ready(s, &axes);
}

/* A slice is stored as the outermost loop goes, if that is along a dimension of the result. */
static int64_t count_stores(const work *w, const pim_nest *nest)
{
	int k = 0;
	while (k < nest->n && (nest->loop[k].spatial || nest->loop[k].count < 2))
		k++;
	return k < nest->n && pim_mapper_dim_of(w->g, nest->loop[k].axis) >= 0 ? nest->loop[k].count
																		   : 1;
}

static void fill_choice(work *w, const pim_nest_result *r, looked *to)
{
	const pim_target *t = w->m->target;
	const pim_nest *nest = r->nest;
	double tiles = 1, slices = (double)pim_layout_slices(&w->cut[w->cut_number].layout);
	for (int k = 0; k < nest->n; k++)
		if (!nest->loop[k].spatial && !is_summed(w, nest->loop[k].axis))
			tiles *= nest->loop[k].count;
	pim_mapper_toll f = pim_mapper_follow_tile(w->m, w->g, nest->tile);
	double steps = (double)r->steps;
	double byte_pj = pim_mapper_byte_pj(t);
	double tile_pj = pim_target_kernel_pj(t, w->g->leader, w->g->axes, nest->tile);
	pim_mapper_choice *c = &to->choice;
	*c = (pim_mapper_choice){.units = (int)slices,
		.share = w->units,
		.slices = (int64_t)slices,
		.layout = w->cut[w->cut_number].layout};
	c->nest = r->nest;
	c->steps = r->steps;
	c->parts = count_stores(w, nest);
	to->cycles = (double)nest->cycles + tiles * f.cycles;
	c->step = to->cycles / steps;
	c->front = front_steps(w, r->nest);
	to->front = c->step * (double)c->front;
	c->pj = slices * (steps * tile_pj + r->moved * byte_pj + tiles * f.pj) +
			pim_mapper_move_pj(t, w->fetch.bytes);
	c->fetch = w->fetch.cycles;
	pim_mapper_held h = pim_mapper_held_of(w->m, w->g, &c->layout, w->extent);
	c->constants = (int64_t)h.constants;
	c->bytes = (int64_t)(h.constants + h.values);
	c->order = order_class(nest);
	for (to->bucket = 0; r->steps >> to->bucket; to->bucket++)
		;
}

/* Keeps the fastest of each class. */
static void note(work *w, const pim_nest_result *r)
{
	looked now = {.bucket = 0};
	w->evaluated++;
	fill_choice(w, r, &now);
	for (int i = w->n - 1; i >= 0; i--) {
		looked *other = &w->looked[i];
		if (other->choice.cut != w->cut_number)
			break;
		if (other->choice.order != now.choice.order || other->bucket != now.bucket)
			continue;
		now.choice.cut = w->cut_number;
		if (now.cycles < other->cycles)
			*other = now;
		return;
	}
	w->looked = pim_array_grow(w->looked, w->n, &w->room, sizeof *w->looked);
	now.choice.cut = w->cut_number;
	w->looked[w->n++] = now;
}

/* The loops as they are, then with the longest sum in several tiles, innermost: a reader may then
 * start on what comes first of it. */
static void try_sums(work *w, int n, int *axis, int64_t *count)
{
	pim_nest_result r;
	int64_t most;
	for (int64_t c = 1; c <= MOST_SUMS; c *= 4) {
		int more = c > 1 && w->sum >= 0;
		if (c > 1 && (!more || pim_nest_trial_extent(w->trial, w->sum, &most) < c || most < c))
			return;
		axis[n] = w->sum;
		count[n] = c;
		if (pim_nest_trial_run(w->trial, n + more, axis, count, &r) && r.steps <= 4 * w->most_steps)
			note(w, &r);
	}
}

static void try_orders(work *w, int n, int *axis, int64_t *count, int done)
{
	if (done >= n) {
		try_sums(w, n, axis, count);
		return;
	}
	for (int k = done; k < n; k++) {
		int a = axis[done];
		int64_t c = count[done];
		axis[done] = axis[k];
		count[done] = count[k];
		axis[k] = a;
		count[k] = c;
		try_orders(w, n, axis, count, done + 1);
		axis[k] = axis[done];
		count[k] = count[done];
		axis[done] = a;
		count[done] = c;
	}
}

static void try_counts(
	work *w, const int *all, int n_all, int k, int n, int *axis, int64_t *count, int64_t steps)
{
	if (k == n_all) {
		int own_axis[MOST_LOOPS + 1];
		int64_t own_count[MOST_LOOPS + 1];
		memcpy(own_axis, axis, sizeof *axis * MOST_LOOPS);
		memcpy(own_count, count, sizeof *count * MOST_LOOPS);
		try_orders(w, n, own_axis, own_count, 0);
		return;
	}
	int64_t most, extent = pim_nest_trial_extent(w->trial, all[k], &most);
	try_counts(w, all, n_all, k + 1, n, axis, count, steps);
	for (int64_t c = 2; c <= most && c < 2 * extent && n < MOST_LOOPS; c *= 2) {
		int64_t now = c < extent ? c : extent;
		if (steps * now > w->most_steps)
			break;
		axis[n] = all[k];
		count[n] = now;
		try_counts(w, all, n_all, k + 1, n + 1, axis, count, steps * now);
	}
}

static void begin_cut(work *w, int number, int units)
{
	w->cut_number = number;
	w->fetch = pim_mapper_fetch_of(w->m, w->g, &w->cut[number].layout, units);
	w->shadow = pim_mapper_shadow(w->g->leader, &w->cut[number].layout, NULL, w->scratch);
	w->trial = pim_nest_trial_new(w->m->target, w->shadow, w->scratch);
	pim_nest_extents(w->shadow, w->g->axes, w->extent);
}

static void look_at_cut(work *w, int number)
{
	int all[PIM_MAX_AXES], n = 0, axis[MOST_LOOPS] = {0};
	int64_t count[MOST_LOOPS] = {0}, most;
	begin_cut(w, number, (int)pim_layout_slices(&w->cut[number].layout));
	w->sum = -1;
	for (int a = 0; a < w->g->axes->n_axes; a++)
		if (is_summed(w, a) && (w->sum < 0 || w->extent[a] > w->extent[w->sum]))
			w->sum = a;
	for (int a = 0; a < w->g->axes->n_axes && n < MOST_LOOPS; a++)
		if (pim_axes_indexes_result(w->g->axes, a) && !is_summed(w, a) &&
			pim_nest_trial_extent(w->trial, a, &most) > 1 && most > 1)
			all[n++] = a;
	try_counts(w, all, n, 0, 0, axis, count, 1);
}

/* Nests of more steps only where a slice is too large for fewer. */
static void look_at_cuts(work *w)
{
	w->n = 0;
	for (w->most_steps = MOST_STEPS; !w->n && w->most_steps <= MOST_OF_LARGE; w->most_steps *= 4)
		for (int k = 0; k < w->n_cuts; k++)
			look_at_cut(w, k);
}

/* ---- what is kept ---- */

/* The best that is not taken, with so many fronts counted; -1 for none. */
static int find_best(const work *w, double fronts)
{
	int best = -1;
	double least = INFINITY;
	for (int i = 0; i < w->n; i++) {
		const looked *x = &w->looked[i];
		double value = x->cycles + x->choice.fetch + fronts * x->front;
		if (!x->taken && value < least) {
			least = value;
			best = i;
		}
	}
	return best;
}

static int find_any(const work *w, uint64_t *random)
{
	uint64_t k = pim_random(random) % (uint64_t)w->n;
	for (int i = 0; i < w->n; i++) {
		int at = (int)((k + (uint64_t)i) % (uint64_t)w->n);
		if (!w->looked[at].taken)
			return at;
	}
	return -1;
}

static pim_mapper_choice copy_choice(const work *w, const pim_mapper_choice *c, int number)
{
	pim_arena *a = w->m->arena;
	const pim_node *shadow = pim_mapper_shadow(w->g->leader, &c->layout, NULL, w->scratch);
	pim_mapper_choice r = *c;
	r.nest = PIM_NEW(a, pim_nest, 1);
	*r.nest = *c->nest;
	r.nest->loop = PIM_NEW(a, pim_loop, c->nest->n + 1);
	r.nest->tile = PIM_NEW(a, int64_t, c->nest->n_axes + 1);
	memcpy(r.nest->loop, c->nest->loop, sizeof *r.nest->loop * (size_t)c->nest->n);
	memcpy(r.nest->tile, c->nest->tile, sizeof *r.nest->tile * (size_t)c->nest->n_axes);
	shadow->plan->nest = r.nest;
	r.spaces = pim_spaces_of(shadow, w->g->axes, a);
	r.cut = number;
	pim_mapper_set_grid(w->g, &r, a);
	pim_mapper_set_parts(w->m, w->g, &r, w->scratch);
	return r;
}

/* Choices that hold more than they may are taken out; where all do, those that hold more than the
 * least. */
static void drop_large(work *w, const pim_mapper_offer *o)
{
	int64_t least = INT64_MAX, constants = INT64_MAX;
	for (int i = 0; i < w->n; i++)
		least = w->looked[i].choice.bytes < least ? w->looked[i].choice.bytes : least;
	for (int i = 0; i < w->n; i++) {
		const pim_mapper_choice *c = &w->looked[i].choice;
		w->looked[i].taken = c->bytes > pim_max(o->most, least);
		if (!w->looked[i].taken && pim_mapper_mean_constants(w->m, c) < constants)
			constants = pim_mapper_mean_constants(w->m, c);
	}
	constants = pim_max(constants, o->most_constants);
	for (int i = 0; i < w->n; i++)
		w->looked[i].large = w->looked[i].taken |=
			pim_mapper_mean_constants(w->m, &w->looked[i].choice) > constants;
}

/* Numbers a cut among those of the group, turned or not. */
static int number_cut(const pim_mapper_choice *all, int n, const pim_layout *l, int units)
{
	int next = 0;
	for (int i = 0; i < n; i++) {
		if (all[i].units == units && pim_layout_equal(&all[i].layout, l))
			return all[i].cut;
		next = all[i].cut >= next ? all[i].cut + 1 : next;
	}
	return next;
}

static bool holds(const pim_mapper_choice *all, int n, const pim_mapper_choice *c)
{
	for (int i = 0; i < n; i++)
		if (all[i].nest->n == c->nest->n && pim_layout_equal(&all[i].layout, &c->layout) &&
			!memcmp(all[i].nest->loop, c->nest->loop, sizeof(pim_loop) * (size_t)c->nest->n))
			return true;
	return false;
}

/* How many fronts count beside the cycles, by quarter of the budget. */
static const double front_weight[] = {0, 1, 4};

/* Followers share the walk of their leader, or run behind it slice by slice. */
typedef enum following { TOGETHER, APART } following;

static void keep_best(
	work *w, const pim_mapper_offer *o, following way, pim_mapper_choice *all, int *n)
{
	uint64_t random = o->seed * 2654435761u + (uint64_t)w->units;
	for (int k = 0; k < o->budget;) {
		int quarter = 4 * k / o->budget;
		int i = quarter < 3 ? find_best(w, front_weight[quarter]) : find_any(w, &random);
		if (i < 0)
			return;
		w->looked[i].taken = true;
		pim_mapper_choice *c = &w->looked[i].choice;
		c->fused = pim_mapper_fits(w->m, w->g, c);
		if (c->fused != (way == TOGETHER))
			continue;
		k++;
		if (!holds(all, *n, c)) {
			all[*n] = copy_choice(w, c, number_cut(all, *n, &c->layout, c->units));
			++*n;
		}
	}
}

/* Beside what is kept by cycles, nests spread from the fastest to those of least energy. */
static void keep_frugal(work *w, int most, following way, pim_mapper_choice *all, int *n)
{
	int have = 0, *index = PIM_NEW(w->scratch, int, w->n + 1);
	int *chosen = PIM_NEW(w->scratch, int, w->n + 1);
	pim_point *p = PIM_NEW(w->scratch, pim_point, w->n + 1);
	for (int i = 0; i < w->n; i++) {
		const looked *x = &w->looked[i];
		if (x->large)
			continue;
		index[have] = i;
		p[have++] = (pim_point){x->cycles + x->choice.fetch, x->choice.pj, NULL};
	}
	have = pim_front_choose(have, p, most, chosen, w->scratch);
	for (int k = 0; k < have; k++) {
		pim_mapper_choice *c = &w->looked[index[chosen[k]]].choice;
		c->fused = pim_mapper_fits(w->m, w->g, c);
		if (c->fused != (way == TOGETHER) || holds(all, *n, c))
			continue;
		all[*n] = copy_choice(w, c, number_cut(all, *n, &c->layout, c->units));
		++*n;
	}
}

/* Full steps that all units take together; tile by tile, those at the ends of pieces count by what
 * they have. */
static double least_steps(const pim_mapper_choice *c, pim_mapper_mode mode)
{
	double all = (double)(c->steps * c->slices), parts = 0;
	if (mode != PIM_MAPPER_transform || !c->part)
		return all;
	for (int64_t i = 0; i < c->grid.all; i++)
		parts += c->part[i];
	return fmin(all, parts * all / (double)c->grid.all);
}

static void find_least(pim_mapper_group *g, pim_mapper_mode mode)
{
	g->least_cycles = g->least_step = g->least_area = g->least_pj = INFINITY;
	for (int i = 0; i < g->n_choices; i++) {
		const pim_mapper_choice *c = &g->choice[i];
		double area = c->step * least_steps(c, mode);
		g->least_cycles = fmin(g->least_cycles, area / c->units);
		g->least_step = fmin(g->least_step, c->step);
		g->least_area = fmin(g->least_area, area);
		g->least_pj = fmin(g->least_pj, c->pj);
	}
}

/* ---- turned ---- */

/* The loops that stay, as a nest of one of the slices. */
static bool run_inside(
	work *w, const pim_mapper_choice *c, const pim_mapper_loop *loop, int depth, pim_nest_result *r)
{
	int axis[2 * PIM_MAX_AXES], n = 0;
	int64_t count[2 * PIM_MAX_AXES];
	for (int k = 0; k < c->nest->n; k++) {
		bool gone = c->nest->loop[k].spatial;
		for (int i = 0; i < depth; i++)
			gone = gone || loop[i].at == k;
		if (gone)
			continue;
		axis[n] = c->nest->loop[k].axis;
		count[n++] = c->nest->loop[k].count;
	}
	return pim_nest_trial_run(w->trial, n, axis, count, r);
}

static pim_mapper_choice *turn_loops(
	work *w, const pim_mapper_choice *c, const pim_mapper_loop *loop, int depth)
{
	looked now;
	pim_nest_result r;
	int64_t before[PIM_MAX_AXES];
	memcpy(before, w->extent, sizeof before);
	if (!pim_mapper_cut_loops(w->g, c, loop, depth, &w->cut[1].layout))
		return NULL;
	begin_cut(w, 1, c->units);
	if (!run_inside(w, c, loop, depth, &r))
		return NULL;
	fill_choice(w, &r, &now);
	pim_mapper_held more =
		pim_mapper_more_inputs(w->g, before, w->extent, now.choice.slices / c->slices);
	now.choice.bytes = c->bytes + (int64_t)(more.constants + more.values);
	now.choice.constants = c->constants + (int64_t)more.constants;
	if (now.choice.bytes > pim_target_usable_bytes(w->m->target) && now.choice.bytes > c->bytes)
		return NULL;
	now.choice.fused = pim_mapper_fits(w->m, w->g, &now.choice);
	if (now.choice.fused != c->fused)
		return NULL;
	now.choice.units = c->units;
	now.choice.share = c->share;
	now.choice.order = -1 - c->order;
	now.choice.turn = pim_mapper_loop_order(c, loop, depth, &w->cut[1].layout, w->m->arena);
	pim_mapper_choice *turned = PIM_NEW(w->m->arena, pim_mapper_choice, 1);
	*turned = copy_choice(w, &now.choice, 0);
	turned->plain = c;
	return turned->regular ? turned : NULL;
}

static const pim_mapper_choice *turn(work *w, const pim_mapper_choice *c)
{
	pim_mapper_loop loop[MOST_LOOPS + 1];
	const pim_mapper_choice *turned = NULL;
	if (!c->regular || c->turn)
		return NULL;
	w->cut = PIM_NEW(w->scratch, pim_mapper_cut, 2);
	w->cut[0].layout = c->layout;
	for (int depth = pim_mapper_loops(w->g, c, loop); depth > 0 && !turned; depth--) {
		int64_t slices = c->slices;
		for (int k = 0; k < depth; k++)
			slices *= loop[k].count;
		begin_cut(w, 0, c->units);
		if (slices <= MOST_TURNS)
			turned = turn_loops(w, c, loop, depth);
	}
	return turned;
}

const pim_mapper_choice *pim_mapper_turn(pim_mapper *m, int i, const pim_mapper_choice *c)
{
	work w = {.m = m, .g = &m->group[i], .scratch = pim_arena_new()};
	const pim_mapper_choice *turned = turn(&w, c);
	pim_arena_free(w.scratch);
	return turned;
}

/* Behind the n choices, what each of them is turned. */
static int offer_turned(work *w, pim_mapper_choice *all, int n)
{
	int more = n;
	for (int k = 0; k < n; k++) {
		const pim_mapper_choice *turned = turn(w, &all[k]);
		if (!turned)
			continue;
		all[more] = *turned;
		all[more].cut = number_cut(all, more, &turned->layout, turned->units);
		more++;
	}
	return more;
}

int64_t pim_mapper_choose(pim_mapper *m, int i, const pim_mapper_offer *o)
{
	pim_mapper_group *g = &m->group[i];
	work w = {.m = m, .g = g, .scratch = pim_arena_new()};
	int most = o->n_units * (o->budget + o->frugal);
	pim_mapper_choice *all = PIM_NEW(m->arena, pim_mapper_choice, 2 * most + 1);
	int n = 0;
	for (int u = 0; u < o->n_units; u++) {
		w.units = o->units[u];
		find_cuts(&w, o->frugal);
		keep_small_cut(&w, o);
		look_at_cuts(&w);
		int before = n;
		drop_large(&w, o);
		keep_best(&w, o, TOGETHER, all, &n);
		drop_large(&w, o);
		if (n == before)
			keep_best(&w, o, APART, all, &n);
		if (o->frugal && n > before)
			keep_frugal(&w, o->frugal, all[before].fused ? TOGETHER : APART, all, &n);
	}
	g->n_plain = n;
	if (o->mode == PIM_MAPPER_transform)
		n = offer_turned(&w, all, n);
	free(w.looked);
	pim_arena_free(w.scratch);
	g->choice = all;
	g->n_choices = n;
	find_least(g, o->mode);
	return w.evaluated;
}

void pim_mapper_share_choices(pim_mapper_group *g, const pim_mapper_group *from)
{
	g->choice = from->choice;
	g->n_choices = from->n_choices;
	g->n_plain = from->n_plain;
	g->least_area = from->least_area;
	g->least_cycles = from->least_cycles;
	g->least_step = from->least_step;
	g->least_pj = from->least_pj;
}

/* The least that a unit holds of any cut in so many. */
static double least_held(work *w, int units)
{
	double least = INFINITY;
	w->units = units;
	find_cuts(w, 0);
	for (int k = 0; k < w->n_listed; k++) {
		pim_mapper_held h = held_of_cut(w, k);
		least = fmin(least, h.constants + h.values);
	}
	return least;
}

int pim_mapper_least_units(pim_mapper *m, int i)
{
	work w = {.m = m, .g = &m->group[i], .scratch = pim_arena_new()};
	int units = 1;
	double have = (double)pim_target_usable_bytes(m->target), need;
	while (units < m->units && (need = least_held(&w, units)) > have)
		units += need > 2 * have ? units : 1;
	pim_arena_free(w.scratch);
	return units < m->units ? units : m->units;
}

double pim_mapper_work(const pim_mapper *m, int i)
{
	const pim_mapper_group *g = &m->group[i];
	int64_t extent[PIM_MAX_AXES];
	for (int a = 0; a < g->axes->n_axes; a++)
		extent[a] = g->axes->axis[a].size;
	double cycles = (double)pim_target_kernel_cycles(m->target, g->leader, g->axes, extent);
	for (int f = 0; f < g->n_followers; f++) {
		for (int a = 0; a < g->follower_axes[f]->n_axes; a++)
			extent[a] = g->follower_axes[f]->axis[a].size;
		cycles += (double)pim_target_kernel_cycles(
			m->target, g->follower[f], g->follower_axes[f], extent);
	}
	return cycles;
}
