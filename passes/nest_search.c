/* SPDX-License-Identifier: Apache-2.0 */
/* nest_search.c - tiles and loop order of one slice of an op.
 *
 * Idea: an axis of extent e in c loops has tiles of ceil(e / c). Summed axes are innermost, so the
 * result stays in the buffer until it is complete; the other loops stand in the order that loads
 * least. An operand is loaded again whenever a loop that indexes it, or one outside of such a loop,
 * moves on. With several tiles loads and stores of one overlap the kernel of another: cycles =
 * max(loads + stores, kernels) + first loads + last store, with one tile they follow each other.
 * Greedy: start from the whole slice; while it does not fit, halve the axis for which cycles *
 * bytes is least; then halve, double and step the counts of one axis or of two against each other
 * as long as that is faster. Exhaustive: all counts. Coupled axes are never tiled, summed ones of
 * short floats in four at most (each tile rounds). When not even the smallest tile fits, operands
 * stay in main memory by the rule of ir/nest.c and are read tile by tile, without overlap; of a
 * table only what is looked up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"

enum { MAX_ORDERED = 4, MAX_ROUNDS = 200, MAX_ROUNDINGS = 4 };
static const double MAX_NESTS = 1e6;

typedef struct problem {
	const pim_target *target;
	const pim_node *node;
	const pim_axes *axes;
	int64_t extent[PIM_MAX_AXES];
	int64_t most[PIM_MAX_AXES]; /* loops allowed; 1: not tileable */
	bool (*uses)[PIM_MAX_AXES]; /* by operand: the axis indexes it */
	bool any;					/* operands may stay in main memory */
	pim_limits limits;
	int64_t *bytes; /* by operand, of the nest being looked at */
	bool *out;
	int64_t evaluated;
} problem;

typedef struct tiling {
	int64_t count[PIM_MAX_AXES];
	int n_order, order[PIM_MAX_AXES]; /* loops, outer to inner */
	double cycles;
	int64_t need; /* bytes of the buffer */
	bool fits;
} tiling;

/* ---- what a nest costs ---- */

static bool is_summed(const problem *p, int axis)
{
	return p->axes->axis[axis].kind == PIM_AXIS_summed;
}

/* Times operand i is loaded when its loops stand in this order. */
static double count_loads(const problem *p, const tiling *t, int i)
{
	double loads = 1, all = 1;
	for (int k = 0; k < t->n_order; k++) {
		all *= (double)t->count[t->order[k]];
		if (p->uses[i][t->order[k]])
			loads = all;
	}
	return loads;
}

static double memory_cycles(const problem *p, int64_t bytes)
{
	return bytes > 0 ? (double)pim_target_memory_cycles(p->target, bytes) : 0;
}

/* Bytes of an operand in main memory that a tile reads. */
static int64_t count_read(const problem *p, int i)
{
	int64_t result = p->bytes[p->node->n_in];
	bool table = p->node->op == PIM_OP_gather && i == 0;
	return table && result < p->bytes[i] ? result : p->bytes[i];
}

/* What a unit moves between main memory and buffer for one slice. */
static double count_moved(const problem *p, const tiling *t)
{
	int result = (int)p->node->n_in;
	double moved = 0, stores = 1;
	for (int i = 0; i < result; i++)
		moved += p->out[i] ? 0 : count_loads(p, t, i) * (double)p->bytes[i];
	for (int k = 0; k < t->n_order; k++)
		stores *= is_summed(p, t->order[k]) ? 1 : (double)t->count[t->order[k]];
	return moved + stores * (double)p->bytes[result];
}

static double order_cycles(const problem *p, const tiling *t, double kernel)
{
	int result = (int)p->node->n_in;
	double loads = 0, first = 0, direct = 0, tiles = 1, stores = 1;
	for (int k = 0; k < t->n_order; k++) {
		tiles *= (double)t->count[t->order[k]];
		if (!is_summed(p, t->order[k]))
			stores *= (double)t->count[t->order[k]];
	}
	for (int i = 0; i < result; i++) {
		double once = memory_cycles(p, p->bytes[i]);
		if (p->out[i]) {
			direct += tiles * memory_cycles(p, count_read(p, i));
			continue;
		}
		loads += count_loads(p, t, i) * once;
		first += once;
	}
	double store = memory_cycles(p, p->bytes[result]), work = tiles * kernel + direct;
	if (tiles == 1)
		return loads + work + store;
	return fmax(loads + stores * store, work) + first + store;
}

/* Tries all orders of the first n loops behind `done`; keeps the best in *best. */
static void permute(const problem *p, tiling *t, int done, int n, double kernel, tiling *best)
{
	if (done >= n) {
		t->cycles = order_cycles(p, t, kernel);
		if (t->cycles < best->cycles)
			*best = *t;
		return;
	}
	for (int k = done; k < n; k++) {
		int a = t->order[done], b = t->order[k];
		t->order[done] = b;
		t->order[k] = a;
		permute(p, t, done + 1, n, kernel, best);
		t->order[done] = a;
		t->order[k] = b;
	}
}

static int list_loops(const problem *p, tiling *t)
{
	int outer = 0;
	t->n_order = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (int a = 0; a < p->axes->n_axes; a++)
			if (t->count[a] > 1 && is_summed(p, a) == pass)
				t->order[t->n_order++] = a;
		if (pass == 0)
			outer = t->n_order;
	}
	return outer;
}

/* Places of a dim that these extents of its axes reach. */
static int64_t count_places(const pim_index *index, const int64_t *extent)
{
	int64_t places = 1;
	for (int k = 0; k < index->n; k++)
		places += llabs(index->term[k].coef) * (extent[index->term[k].axis] - 1);
	return places;
}

/* Does a tile of operand i lie together in what the slice holds of it? */
static bool lies_together(const problem *p, int i, const int64_t *tile)
{
	const pim_node *value = i < (int)p->node->n_in ? p->node->in[i] : p->node;
	bool inside = false;
	for (int d = 0; value && d < value->type->rank; d++) {
		int64_t places = count_places(&p->axes->map[i][d], tile);
		if (inside && places != count_places(&p->axes->map[i][d], p->extent))
			return false;
		inside = inside || places > 1;
	}
	return true;
}

/* Operands that do not fit stay in main memory, in tiles that lie together there; false when that
 * is not allowed. */
static bool fit_buffer(problem *p, tiling *t, const int64_t *tile)
{
	int count = (int)p->node->n_in + 1;
	int64_t buffers = t->n_order > 0 ? 2 : 1;
	t->need = 0;
	for (int i = 0; i < count; i++) {
		p->out[i] = false;
		p->bytes[i] = pim_nest_operand_bytes(p->node, p->axes, i, tile);
		t->need += buffers * pim_nest_slot_bytes(p->node, p->axes, i, tile);
	}
	if (t->need <= p->limits.buffer_bytes)
		return true;
	if (!p->any)
		return false;
	pim_nest_buffer_bytes(p->node, p->axes, tile, &p->limits, p->out);
	bool together = true;
	for (int i = 0; i < count; i++)
		together = together && (!p->out[i] || lies_together(p, i, tile));
	return together;
}

/* Fills order, cycles and need from the counts. */
static void evaluate(problem *p, tiling *t)
{
	int64_t tile[PIM_MAX_AXES] = {0};
	for (int a = 0; a < p->axes->n_axes; a++) {
		tile[a] = pim_divide_up(p->extent[a], t->count[a]);
		t->count[a] = pim_divide_up(p->extent[a], tile[a]);
	}
	int outer = list_loops(p, t);
	t->fits = fit_buffer(p, t, tile);
	double kernel = (double)pim_plus(
		pim_target_kernel_cycles(p->target, p->node, p->axes, tile), p->target->command_cycles);
	tiling best = *t;
	best.cycles = INFINITY;
	permute(p, t, 0, outer <= MAX_ORDERED ? outer : 0, kernel, &best);
	*t = best;
	p->evaluated++;
}

/* ---- greedy ---- */

static bool set_count(const problem *p, tiling *t, int axis, int64_t count)
{
	if (count < 1 || count > p->most[axis])
		return false;
	int64_t before = t->count[axis];
	t->count[axis] = pim_divide_up(p->extent[axis], pim_divide_up(p->extent[axis], count));
	return t->count[axis] != before;
}

/* Halves the tile of one axis, the best one; false when all are 1. */
static bool shrink(problem *p, tiling *t)
{
	tiling best = *t;
	double least = INFINITY;
	for (int a = 0; a < p->axes->n_axes; a++) {
		tiling u = *t;
		int64_t tile = pim_divide_up(p->extent[a], t->count[a]);
		if (tile < 2 || !set_count(p, &u, a, pim_divide_up(p->extent[a], pim_divide_up(tile, 2))))
			continue;
		evaluate(p, &u);
		double score = u.cycles * (double)u.need;
		if (score < least) {
			least = score;
			best = u;
		}
	}
	*t = best;
	return least < INFINITY;
}

static void keep_better(problem *p, tiling *u, tiling *best)
{
	evaluate(p, u);
	if (u->fits && (!best->fits || u->cycles < best->cycles))
		*best = *u;
}

/* The next count of an axis in direction `way`: halve, one less, one more, double. */
static int64_t step_count(const problem *p, const tiling *t, int axis, int way)
{
	int64_t count = t->count[axis], tile = pim_divide_up(p->extent[axis], count);
	switch (way) {
	case 0:
		return count / 2;
	case 1:
		return pim_divide_up(p->extent[axis], tile + 1);
	case 2:
		return tile > 1 ? pim_divide_up(p->extent[axis], tile - 1) : count;
	default:
		return count * 2 < p->extent[axis] ? count * 2 : p->extent[axis];
	}
}

/* One axis or two, one finer and one coarser: the best of all such steps. */
static bool improve(problem *p, tiling *t)
{
	tiling best = *t;
	for (int a = 0; a < p->axes->n_axes; a++)
		for (int way = 0; way < 4; way++) {
			tiling u = *t;
			if (!set_count(p, &u, a, step_count(p, t, a, way)))
				continue;
			for (int b = 0; b < p->axes->n_axes; b++)
				for (int other = 0; other < 4 && b != a; other++) {
					tiling v = u;
					if ((way < 2) != (other < 2) && set_count(p, &v, b, step_count(p, t, b, other)))
						keep_better(p, &v, &best);
				}
			keep_better(p, &u, &best);
		}
	bool better = best.cycles < t->cycles;
	*t = best;
	return better;
}

static tiling whole_slice(problem *p)
{
	tiling t = {.cycles = INFINITY};
	for (int a = 0; a < p->axes->n_axes; a++)
		t.count[a] = 1;
	evaluate(p, &t);
	return t;
}

static tiling search_greedily(problem *p)
{
	tiling t = whole_slice(p);
	while (!t.fits && shrink(p, &t))
		;
	if (!t.fits) {
		p->any = true;
		t = whole_slice(p);
	}
	for (int round = 0; round < MAX_ROUNDS && improve(p, &t); round++)
		;
	return t;
}

/* ---- exhaustive ---- */

static void try_counts(problem *p, tiling *t, int axis, tiling *best)
{
	while (axis < p->axes->n_axes && p->most[axis] == 1)
		axis++;
	if (axis == p->axes->n_axes) {
		tiling u = *t;
		keep_better(p, &u, best);
		return;
	}
	for (int64_t count = 1, last = 0; count <= p->most[axis]; count++) {
		t->count[axis] = pim_divide_up(p->extent[axis], pim_divide_up(p->extent[axis], count));
		if (t->count[axis] != last)
			try_counts(p, t, axis + 1, best);
		last = t->count[axis];
	}
	t->count[axis] = 1;
}

double pim_nest_counts(int64_t most, int64_t extent)
{
	return fmin((double)most, 2 * sqrt((double)extent));
}

static double count_nests(const problem *p)
{
	double nests = 1;
	for (int a = 0; a < p->axes->n_axes; a++)
		nests *= pim_nest_counts(p->most[a], p->extent[a]);
	return nests;
}

static tiling search_exhaustively(problem *p)
{
	tiling t = whole_slice(p), best = t;
	try_counts(p, &t, 0, &best);
	if (best.fits)
		return best;
	p->any = true;
	best = whole_slice(p);
	try_counts(p, &t, 0, &best);
	return best;
}

/* ---- the nest ---- */

static bool moves_only(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_move;
}

static bool rounds_short(const pim_node *n)
{
	return n->type->dtype == PIM_DTYPE_f16 || n->type->dtype == PIM_DTYPE_bf16;
}

static void fill_problem(problem *p, const pim_target *t, const pim_node *n, pim_arena *scratch)
{
	*p = (problem){.target = t, .node = n, .axes = pim_axes_new(n, scratch)};
	const pim_axes *x = p->axes;
	int count = (int)n->n_in + 1;
	p->limits = pim_target_limits(t);
	p->bytes = PIM_NEW(scratch, int64_t, count);
	p->out = PIM_NEW(scratch, bool, count);
	p->uses = pim_arena_alloc(scratch, sizeof *p->uses * (size_t)count);
	pim_nest_extents(n, x, p->extent);
	for (int k = 0; k < x->n_axes; k++)
		p->extent[k] = p->extent[k] > 0 ? p->extent[k] : 1; /* an empty value still has one tile */
	for (int a = 0; a < x->n_axes; a++) {
		pim_axis_kind kind = x->axis[a].kind;
		p->most[a] = kind == PIM_AXIS_coupled ? 1 : p->extent[a];
		if (kind == PIM_AXIS_summed && rounds_short(n) && p->most[a] > MAX_ROUNDINGS)
			p->most[a] = MAX_ROUNDINGS;
	}
	for (int i = 0; i < count; i++)
		for (int d = 0; d < PIM_MAX_RANK; d++)
			for (int k = 0; k < x->map[i][d].n; k++)
				p->uses[i][x->map[i][d].term[k].axis] = true;
}

static void add_loop(pim_nest *nest, int axis, int64_t count, bool spatial)
{
	if (count > 1)
		nest->loop[nest->n++] = (pim_loop){axis, (int32_t)count, spatial};
}

/* A dimension's pieces go to its outer axes first. */
static void add_spatial_loops(pim_nest *nest, const pim_node *n, const pim_axes *x)
{
	const pim_layout *l = n->plan->layout;
	int summed = -1;
	for (int a = 0; a < x->n_axes; a++)
		if (x->axis[a].kind == PIM_AXIS_summed &&
			(summed < 0 || x->axis[a].size > x->axis[summed].size))
			summed = a;
	if (l->sums > 1 && summed >= 0)
		add_loop(nest, summed, l->sums, true);
	for (int d = 0; d < l->rank; d++) {
		const pim_index *m = &x->map[x->n_inputs][d];
		int64_t parts = l->parts[d];
		for (int k = 0; k < m->n && parts > 1; k++) {
			int64_t size = x->axis[m->term[k].axis].size, count = size < parts ? size : parts;
			add_loop(nest, m->term[k].axis, count, true);
			parts = pim_divide_up(parts, count);
		}
	}
}

static pim_nest *whole_nest(
	const pim_node *n, const pim_axes *x, const int64_t *extent, pim_arena *a)
{
	pim_nest *nest = PIM_NEW(a, pim_nest, 1);
	nest->n_axes = x->n_axes;
	nest->tile = PIM_NEW(a, int64_t, x->n_axes + 1);
	nest->loop = PIM_NEW(a, pim_loop, 2 * x->n_axes + 1);
	memcpy(nest->tile, extent, (size_t)x->n_axes * sizeof *extent);
	add_spatial_loops(nest, n, x);
	return nest;
}

pim_nest *pim_nest_whole(const pim_target *t, const pim_node *n, pim_arena *a)
{
	pim_arena *scratch = pim_arena_new();
	problem p;
	fill_problem(&p, t, n, scratch);
	pim_nest *nest = whole_nest(n, p.axes, p.extent, a);
	pim_arena_free(scratch);
	return nest;
}

/* Moving elements: the bytes of the slice once; adding up partial sums: one pass over each of them.
 */
static int64_t find_move_cycles(const problem *p)
{
	const pim_node *n = p->node;
	int64_t bytes = pim_nest_operand_bytes(n, p->axes, (int)n->n_in, p->extent);
	int64_t cycles = pim_target_memory_cycles(p->target, bytes);
	const pim_plan *from = n->in[0] ? n->in[0]->plan : NULL;
	if (n->op != PIM_OP_relayout || !from || !from->layout || from->layout->sums <= 1)
		return cycles;
	int64_t elements = bytes / (int64_t)pim_dtype_bytes(n->type->dtype), sums = from->layout->sums;
	return cycles * sums + pim_target_add_cycles(p->target, n->type->dtype, elements) * (sums - 1);
}

pim_nest *pim_nest_choose(const pim_target *t, const pim_node *n, pim_nest_method method,
	pim_arena *a, int64_t *evaluated)
{
	pim_arena *scratch = pim_arena_new();
	problem p;
	fill_problem(&p, t, n, scratch);
	const pim_axes *x = p.axes;
	pim_nest *nest = whole_nest(n, x, p.extent, a);
	if (moves_only(n) || n->type->n_parts > 0) {
		nest->cycles = n->type->n_parts > 0 ? 1 : find_move_cycles(&p);
	} else {
		bool all = method == PIM_NEST_exhaustive && count_nests(&p) <= MAX_NESTS;
		tiling best = all ? search_exhaustively(&p) : search_greedily(&p);
		for (int k = 0; k < best.n_order; k++)
			add_loop(nest, best.order[k], best.count[best.order[k]], false);
		for (int k = 0; k < x->n_axes; k++)
			nest->tile[k] = pim_divide_up(p.extent[k], best.count[k]);
		nest->cycles = best.cycles < 9e17 ? (int64_t)ceil(best.cycles) : INT64_MAX / 4;
	}
	*evaluated += p.evaluated;
	pim_arena_free(scratch);
	return nest;
}

/* ---- nests by request ---- */

struct pim_nest_trial {
	problem p;
	pim_arena *arena;
};

pim_nest_trial *pim_nest_trial_new(const pim_target *t, const pim_node *n, pim_arena *a)
{
	pim_nest_trial *r = PIM_NEW(a, pim_nest_trial, 1);
	fill_problem(&r->p, t, n, a);
	r->arena = a;
	return r;
}

int64_t pim_nest_trial_extent(const pim_nest_trial *r, int axis, int64_t *most)
{
	*most = r->p.most[axis];
	return r->p.extent[axis];
}

/* The smallest number of loops over summed axes with which a tile fits, the longest axis first;
 * false when none does. */
static bool cut_sums(problem *p, tiling *t, int64_t *tile)
{
	while (!fit_buffer(p, t, tile)) {
		int longest = -1;
		for (int a = 0; a < p->axes->n_axes; a++)
			if (is_summed(p, a) && tile[a] > 1 && t->count[a] < p->most[a] &&
				(longest < 0 || tile[a] > tile[longest]))
				longest = a;
		if (longest < 0)
			return false;
		int64_t want = t->count[longest] * 2;
		want = want < p->most[longest] ? want : p->most[longest];
		tile[longest] = pim_divide_up(p->extent[longest], want);
		t->count[longest] = pim_divide_up(p->extent[longest], tile[longest]);
		list_loops(p, t);
	}
	return true;
}

bool pim_nest_trial_run(
	pim_nest_trial *r, int n, const int *axis, const int64_t *count, pim_nest_result *out)
{
	problem *p = &r->p;
	tiling t = {0};
	int64_t tile[PIM_MAX_AXES] = {0};
	for (int a = 0; a < p->axes->n_axes; a++) {
		t.count[a] = 1;
		tile[a] = p->extent[a];
	}
	for (int k = 0; k < n; k++) {
		tile[axis[k]] = pim_divide_up(p->extent[axis[k]], count[k]);
		t.count[axis[k]] = pim_divide_up(p->extent[axis[k]], tile[axis[k]]);
	}
	p->any = false;
	list_loops(p, &t);
	if (!cut_sums(p, &t, tile)) {
		p->any = true;
		if (!fit_buffer(p, &t, tile))
			return false;
	}
	int64_t summed[PIM_MAX_AXES], sums = 0;
	for (int k = 0; k < t.n_order; k++)
		if (is_summed(p, t.order[k]))
			summed[sums++] = t.order[k];
	t.n_order = 0;
	for (int k = 0; k < n; k++)
		if (t.count[axis[k]] > 1 && !is_summed(p, axis[k]))
			t.order[t.n_order++] = axis[k];
	for (int k = 0; k < sums; k++)
		t.order[t.n_order++] = (int)summed[k];
	double kernel = (double)(pim_target_kernel_cycles(p->target, p->node, p->axes, tile) +
							 p->target->command_cycles);
	pim_nest *nest = out->nest = whole_nest(p->node, p->axes, tile, r->arena);
	out->steps = 1;
	for (int k = 0; k < t.n_order; k++) {
		add_loop(nest, t.order[k], t.count[t.order[k]], false);
		out->steps *= t.count[t.order[k]];
	}
	double cycles = order_cycles(p, &t, kernel);
	nest->cycles = cycles < 9e17 ? (int64_t)ceil(cycles) : INT64_MAX / 4;
	out->moved = count_moved(p, &t);
	p->evaluated++;
	return true;
}
