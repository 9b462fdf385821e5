/* SPDX-License-Identifier: Apache-2.0 */
/* fusion_nest.c - tiles and loop order of ops that share one walk.
 *
 * Idea: what can be cut are the axes of the last member, which the others follow, and summed axes
 * of members before it. An operand from outside is loaded again whenever a loop that indexes it, or
 * one outside of such a loop, moves on; a member runs again whenever a loop that it follows does.
 * With one tile everything follows each other; with several, the engines (dma, matrix, vector) work
 * side by side: cycles = those of the busiest, and the way of the first and the last tile through
 * the others. Where work goes from one compute engine to the other and back they take turns, since
 * each takes its commands in order. Greedy: from whole slices halve the axis for which cycles *
 * bytes is least until the buffer holds it, then halve, double and step one axis at a time while
 * that is faster. Exhaustive: all counts. Source: ours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"

enum { MOST_AXES = 64, MOST_ROUNDS = 60, MOST_ROUNDINGS = 4, MOST_ORDERED = 4 };
static const double MOST_NESTS = 2e5;

typedef enum engine { ENGINE_dma, ENGINE_matrix, ENGINE_vector, ENGINES } engine;

/* An axis that loops may cut. */
typedef struct cut {
	int member, axis;
	int64_t extent, most;
} cut;

/* Loops: those of the walk, outer to inner, as axes of the last member. */
typedef struct tiling {
	int64_t count[MOST_AXES]; /* by cut */
	int n_order, order[PIM_MAX_AXES];
	double cycles;
	int64_t need; /* bytes of the buffer */
} tiling;

typedef struct problem {
	const pim_target *target;
	const pim_fusion *f;
	int64_t buffer_bytes;
	int n_cuts;
	cut cut[MOST_AXES];
	bool (*uses)[PIM_MAX_AXES]; /* by operand and axis of its member */
	pim_nest *nest;				/* by member: of the tiling that is looked at */
	bool turns;					/* work comes back to an engine */
	int64_t evaluated;
} problem;

static const pim_member *last_member(const problem *p)
{
	return &p->f->member[p->f->n - 1];
}

static engine engine_of(const pim_member *m)
{
	return pim_op_at((pim_op)m->node->op)->flags & PIM_OPF_matrix ? ENGINE_matrix : ENGINE_vector;
}

/* ---- what a tiling costs ---- */

/* Rounds of a loop of the walk. */
static int64_t walk_count(const problem *p, int axis)
{
	return pim_divide_up(last_member(p)->extent[axis], p->nest[p->f->n - 1].tile[axis]);
}

static bool follows(const pim_member *m, int walk_axis)
{
	for (int k = 0; k < m->axes->n_axes; k++)
		if (m->follows[k] == walk_axis)
			return true;
	return false;
}

/* How often a member runs: the loops up to the innermost one that it follows. */
static double count_runs(const problem *p, const tiling *t, const pim_member *m)
{
	double runs = 1, all = 1;
	for (int k = 0; k < t->n_order; k++) {
		all *= (double)walk_count(p, t->order[k]);
		if (follows(m, t->order[k]))
			runs = all;
	}
	return runs;
}

static double count_own(const problem *p, int member)
{
	const pim_member *m = &p->f->member[member];
	double own = 1;
	for (int k = 0; k < m->axes->n_axes; k++)
		if (m->own[k])
			own *= (double)pim_divide_up(m->extent[k], p->nest[member].tile[k]);
	return own;
}

/* How often an operand of a member changes. */
static double count_changes(const problem *p, const tiling *t, int member, int i)
{
	const pim_member *m = &p->f->member[member];
	const bool *uses = p->uses[m->operand + i];
	for (int k = 0; k < m->axes->n_axes; k++)
		if (uses[k] && m->own[k] && p->nest[member].tile[k] < m->extent[k])
			return count_runs(p, t, m) * count_own(p, member);
	double changes = 1, all = 1;
	for (int w = 0; w < t->n_order; w++) {
		all *= (double)walk_count(p, t->order[w]);
		for (int k = 0; k < m->axes->n_axes; k++)
			if (uses[k] && m->follows[k] == t->order[w])
				changes = all;
	}
	return changes;
}

static double transfer_cycles(const problem *p, int member, int i)
{
	const pim_member *m = &p->f->member[member];
	int64_t bytes = pim_nest_operand_bytes(m->node, m->axes, i, p->nest[member].tile);
	if (bytes == 0)
		return 0;
	return (double)pim_plus(pim_target_memory_cycles(p->target, bytes), p->target->command_cycles);
}

/* Cycles of the engines in all, and when every member runs once; of dma before the first kernel and
 * behind the last. */
typedef struct work {
	double busy[ENGINES], once[ENGINES], first, last, steps;
} work;

static void add_member(const problem *p, const tiling *t, int member, work *w)
{
	const pim_member *m = &p->f->member[member];
	int result = (int)m->node->n_in;
	for (int i = 0; i < result; i++) {
		if (m->from[i] >= 0)
			continue;
		double once = transfer_cycles(p, member, i);
		w->busy[ENGINE_dma] += once * count_changes(p, t, member, i);
		w->first += once;
	}
	if (m->stored) {
		double once = transfer_cycles(p, member, result);
		w->busy[ENGINE_dma] += once * count_changes(p, t, member, result);
		w->last += once;
	}
	int64_t kernel = pim_target_kernel_cycles(p->target, m->node, m->axes, p->nest[member].tile) +
					 p->target->command_cycles;
	double once = (double)kernel * count_own(p, member);
	w->busy[engine_of(m)] += once * count_runs(p, t, m);
	w->once[engine_of(m)] += once;
}

static double find_cycles(const problem *p, const tiling *t)
{
	work w = {.steps = 1};
	bool one = true;
	for (int k = 0; k < t->n_order; k++)
		w.steps *= (double)walk_count(p, t->order[k]);
	for (int m = 0; m < p->f->n; m++) {
		add_member(p, t, m, &w);
		one = one && count_own(p, m) == 1;
	}
	double dma = w.busy[ENGINE_dma], matrix = w.busy[ENGINE_matrix], vector = w.busy[ENGINE_vector];
	if (one && w.steps == 1)
		return dma + matrix + vector;
	double compute = p->turns ? matrix + vector : fmax(matrix, vector);
	double less = p->turns ? 0 : w.once[matrix < vector ? ENGINE_matrix : ENGINE_vector];
	double others = dma > compute ? w.once[ENGINE_matrix] + w.once[ENGINE_vector] : w.first + less;
	return fmax(dma, compute) + others + w.last;
}

/* Tries all orders of the first n loops behind `done`; keeps the best in *best. */
static void permute(const problem *p, tiling *t, int done, int n, tiling *best)
{
	if (done >= n) {
		t->cycles = find_cycles(p, t);
		if (t->cycles < best->cycles)
			*best = *t;
		return;
	}
	for (int k = done; k < n; k++) {
		int a = t->order[done], b = t->order[k];
		t->order[done] = b;
		t->order[k] = a;
		permute(p, t, done + 1, n, best);
		t->order[done] = a;
		t->order[k] = b;
	}
}

/* Tiles of all members from the counts; counts become those that the tiles need. */
static void set_tiles(problem *p, tiling *t)
{
	const pim_nest *walk = &p->nest[p->f->n - 1];
	for (int c = 0; c < p->n_cuts; c++) {
		const cut *u = &p->cut[c];
		int64_t tile = pim_divide_up(u->extent, t->count[c]);
		p->nest[u->member].tile[u->axis] = tile;
		t->count[c] = pim_divide_up(u->extent, tile);
	}
	for (int m = 0; m < p->f->n - 1; m++) {
		const pim_member *q = &p->f->member[m];
		for (int k = 0; k < q->axes->n_axes; k++)
			if (q->follows[k] >= 0)
				p->nest[m].tile[k] = walk->tile[q->follows[k]];
	}
}

static bool is_summed(const pim_member *m, int axis)
{
	return m->axes->axis[axis].kind == PIM_AXIS_summed;
}

/* Loops over summed axes stand inside. Gives how many stand outside of them. */
static int list_loops(const problem *p, tiling *t)
{
	const pim_member *last = last_member(p);
	int outer = 0;
	t->n_order = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (int k = 0; k < last->axes->n_axes; k++)
			if (walk_count(p, k) > 1 && is_summed(last, k) == pass)
				t->order[t->n_order++] = k;
		if (pass == 0)
			outer = t->n_order;
	}
	return outer;
}

static void write_loops(const problem *p, const tiling *t, int member)
{
	const pim_member *m = &p->f->member[member];
	pim_nest *nest = &p->nest[member];
	int spatial = 0;
	while (spatial < nest->n && nest->loop[spatial].spatial)
		spatial++;
	nest->n = spatial;
	for (int w = 0; w < t->n_order; w++)
		for (int k = 0; k < m->axes->n_axes; k++)
			if (m->follows[k] == t->order[w])
				nest->loop[nest->n++] =
					(pim_loop){.axis = k, .count = (int32_t)walk_count(p, t->order[w])};
	for (int k = 0; k < m->axes->n_axes; k++)
		if (m->own[k] && nest->tile[k] < m->extent[k])
			nest->loop[nest->n++] =
				(pim_loop){.axis = k, .count = (int32_t)pim_divide_up(m->extent[k], nest->tile[k])};
}

/* Fills order, cycles and need from the counts. */
static void evaluate(problem *p, tiling *t)
{
	set_tiles(p, t);
	int outer = list_loops(p, t);
	tiling best = *t;
	best.cycles = INFINITY;
	permute(p, t, 0, outer <= MOST_ORDERED ? outer : 0, &best);
	*t = best;
	for (int m = 0; m < p->f->n; m++)
		write_loops(p, t, m);
	t->need = pim_fusion_buffer_bytes(p->f, NULL);
	p->evaluated++;
}

static bool fits(const problem *p, const tiling *t)
{
	return t->need <= p->buffer_bytes;
}

/* ---- greedy ---- */

static int64_t clamp(const cut *u, int64_t count)
{
	count = count < 1 ? 1 : count > u->most ? u->most : count;
	return pim_divide_up(u->extent, pim_divide_up(u->extent, count));
}

static bool shrink(problem *p, tiling *t)
{
	tiling best = *t;
	double least = INFINITY;
	for (int c = 0; c < p->n_cuts; c++) {
		tiling u = *t;
		int64_t tile = pim_divide_up(p->cut[c].extent, t->count[c]);
		u.count[c] = clamp(&p->cut[c], pim_divide_up(p->cut[c].extent, pim_divide_up(tile, 2)));
		if (u.count[c] == t->count[c])
			continue;
		evaluate(p, &u);
		if (u.cycles * (double)u.need < least) {
			least = u.cycles * (double)u.need;
			best = u;
		}
	}
	*t = best;
	return least < INFINITY;
}

/* The next count of a cut in direction `way`: halve, one less, one more, double. */
static int64_t step_count(const cut *u, int64_t count, int way)
{
	int64_t tile = pim_divide_up(u->extent, count);
	switch (way) {
	case 0:
		return clamp(u, count / 2);
	case 1:
		return clamp(u, pim_divide_up(u->extent, tile + 1));
	case 2:
		return clamp(u, tile > 1 ? pim_divide_up(u->extent, tile - 1) : count);
	default:
		return clamp(u, count * 2);
	}
}

static bool improve(problem *p, tiling *t)
{
	tiling best = *t;
	for (int c = 0; c < p->n_cuts; c++)
		for (int way = 0; way < 4; way++) {
			tiling u = *t;
			u.count[c] = step_count(&p->cut[c], t->count[c], way);
			if (u.count[c] == t->count[c])
				continue;
			evaluate(p, &u);
			if (fits(p, &u) && u.cycles < best.cycles)
				best = u;
		}
	bool better = best.cycles < t->cycles;
	*t = best;
	return better;
}

static tiling whole_slices(problem *p)
{
	tiling t = {.cycles = INFINITY};
	for (int c = 0; c < p->n_cuts; c++)
		t.count[c] = 1;
	evaluate(p, &t);
	return t;
}

/* The best near a tiling that takes at most so many bytes. */
static tiling search_from(problem *p, tiling t, int64_t bytes)
{
	while (t.need > bytes && shrink(p, &t))
		;
	for (int round = 0; fits(p, &t) && round < MOST_ROUNDS && improve(p, &t); round++)
		;
	return t;
}

/* Steps find the best near where they start: from tiles that fill the buffer, and from smaller
 * ones. */
static tiling search_greedily(problem *p)
{
	enum { STARTS = 3 };
	tiling whole = whole_slices(p), best = search_from(p, whole, p->buffer_bytes);
	for (int k = 1; k < STARTS; k++) {
		tiling t = search_from(p, whole, p->buffer_bytes >> k);
		if (fits(p, &t) && (!fits(p, &best) || t.cycles < best.cycles))
			best = t;
	}
	return best;
}

/* ---- exhaustive ---- */

static void try_counts(problem *p, tiling *t, int c, tiling *best)
{
	if (c == p->n_cuts) {
		tiling u = *t;
		evaluate(p, &u);
		if (fits(p, &u) && (!fits(p, best) || u.cycles < best->cycles))
			*best = u;
		return;
	}
	for (int64_t count = 1, before = 0; count <= p->cut[c].most; count++) {
		t->count[c] = clamp(&p->cut[c], count);
		if (t->count[c] != before)
			try_counts(p, t, c + 1, best);
		before = t->count[c];
	}
	t->count[c] = 1;
}

static double count_nests(const problem *p)
{
	double nests = 1;
	for (int c = 0; c < p->n_cuts; c++)
		nests *= pim_nest_counts(p->cut[c].most, p->cut[c].extent);
	return nests;
}

static tiling search_exhaustively(problem *p)
{
	tiling t = whole_slices(p), best = t;
	try_counts(p, &t, 0, &best);
	return best;
}

/* ---- the problem ---- */

/* A coupled axis of any member is whole, and with it the axis of the walk that it follows. */
static bool is_coupled(const pim_fusion *f, int walk_axis)
{
	for (int m = 0; m < f->n; m++)
		for (int k = 0; k < f->member[m].axes->n_axes; k++)
			if (f->member[m].follows[k] == walk_axis &&
				f->member[m].axes->axis[k].kind == PIM_AXIS_coupled)
				return true;
	return false;
}

static bool rounds_short(const pim_node *n)
{
	return n->type->dtype == PIM_DTYPE_f16 || n->type->dtype == PIM_DTYPE_bf16;
}

static bool add_cut(problem *p, int member, int axis)
{
	const pim_member *m = &p->f->member[member];
	cut u = {member, axis, m->extent[axis], m->extent[axis]};
	if (u.extent < 2)
		return true;
	if (is_summed(m, axis) && rounds_short(m->node) && u.most > MOST_ROUNDINGS)
		u.most = MOST_ROUNDINGS;
	if (p->n_cuts == MOST_AXES)
		return false;
	p->cut[p->n_cuts++] = u;
	return true;
}

static bool list_cuts(problem *p)
{
	const pim_fusion *f = p->f;
	const pim_member *last = last_member(p);
	bool ok = true;
	for (int k = 0; k < last->axes->n_axes; k++)
		if (!is_coupled(f, k))
			ok = ok && add_cut(p, f->n - 1, k);
	for (int m = 0; m < f->n - 1; m++)
		for (int k = 0; k < f->member[m].axes->n_axes; k++)
			if (f->member[m].own[k])
				ok = ok && add_cut(p, m, k);
	return ok;
}

/* Does a result go to the other engine and come back from there? */
static bool takes_turns(const pim_fusion *f, pim_arena *scratch)
{
	int *changes = PIM_NEW(scratch, int, f->n), most = 0;
	for (int m = 0; m < f->n; m++) {
		const pim_member *q = &f->member[m];
		for (int i = 0; i < (int)q->node->n_in; i++) {
			int from = q->from[i];
			if (from < 0)
				continue;
			int here = changes[from] + (engine_of(&f->member[from]) != engine_of(q));
			changes[m] = here > changes[m] ? here : changes[m];
		}
		most = changes[m] > most ? changes[m] : most;
	}
	return most > 1;
}

static void find_uses(problem *p)
{
	for (int m = 0; m < p->f->n; m++) {
		const pim_member *q = &p->f->member[m];
		for (int i = 0; i <= (int)q->node->n_in; i++)
			for (int d = 0; d < PIM_MAX_RANK; d++)
				for (int k = 0; k < q->axes->map[i][d].n; k++)
					p->uses[q->operand + i][q->axes->map[i][d].term[k].axis] = true;
	}
}

/* Nests of whole slices, with the spatial loops that the members have by themselves. */
static void start_nests(problem *p, pim_arena *a)
{
	for (int m = 0; m < p->f->n; m++) {
		const pim_member *q = &p->f->member[m];
		const pim_nest *alone = q->node->plan->nest;
		pim_nest *nest = &p->nest[m];
		nest->n_axes = q->axes->n_axes;
		nest->tile = PIM_NEW(a, int64_t, q->axes->n_axes + 1);
		nest->loop = PIM_NEW(a, pim_loop, alone->n + 2 * q->axes->n_axes + 1);
		memcpy(nest->tile, q->extent, sizeof *nest->tile * (size_t)q->axes->n_axes);
		for (int i = 0; i < alone->n && alone->loop[i].spatial; i++)
			nest->loop[nest->n++] = alone->loop[i];
	}
}

bool pim_fusion_choose(const pim_target *t, const pim_fusion *f, pim_nest_method method,
	pim_nest **nest, pim_arena *a, int64_t *evaluated)
{
	pim_arena *scratch = pim_arena_new();
	problem *p = PIM_NEW(scratch, problem, 1);
	*p = (problem){.target = t,
		.f = f,
		.buffer_bytes = t->buffer.bytes,
		.uses = pim_arena_alloc(scratch, sizeof *p->uses * (size_t)f->n_operands),
		.nest = PIM_NEW(a, pim_nest, f->n),
		.turns = takes_turns(f, scratch)};
	pim_nest **alone = PIM_NEW(scratch, pim_nest *, f->n);
	find_uses(p);
	start_nests(p, a);
	for (int m = 0; m < f->n; m++) {
		alone[m] = f->member[m].node->plan->nest;
		f->member[m].node->plan->nest = nest[m] = &p->nest[m];
	}
	bool good = list_cuts(p);
	if (good) {
		bool all = method == PIM_NEST_exhaustive && count_nests(p) <= MOST_NESTS;
		tiling best = all ? search_exhaustively(p) : search_greedily(p);
		evaluate(p, &best);
		good = fits(p, &best) && best.cycles < 9e17;
		p->nest[0].cycles = good ? (int64_t)ceil(best.cycles) : 0;
	}
	for (int m = 0; m < f->n; m++)
		f->member[m].node->plan->nest = alone[m];
	*evaluated += p->evaluated;
	pim_arena_free(scratch);
	return good;
}
