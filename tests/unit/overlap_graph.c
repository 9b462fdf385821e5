/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_graph - whole programs tile by tile against a simulation that keeps, for every element of
 * every value, when it is complete: random programs and hand-written ones with all that stands
 * between producers and consumers, under random layouts, nests, orders and units; also with the
 * layouts and nests of the passes, where ops share a walk. */
#include "ir/fusion.h"
#include "passes/overlap.h"
#include "passes/pass.h"

#include "tests/unit/random_decisions.h"

enum { ROUNDS = 1500, ROUNDS_OF_PASSES = 60, MOST_NODES = 9 };

/* By node id: completion of each element (of copy 0). */
typedef struct twin {
	pim_graph *graph;
	const pim_overlap *overlap;
	pim_arena *arena;
	double **time;
	int64_t tiles, waits; /* run; not at once */
	int64_t shared;		  /* tiles that are of several ops */
} twin;

static double later(double a, double b)
{
	return a > b ? a : b;
}

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

static bool only_moves(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_move;
}

/* The next index of a box, last dimension first; false after the last. */
static bool next_index(const pim_box *b, int64_t *at)
{
	for (int d = b->n - 1; d >= 0; d--) {
		if (++at[d] < b->hi[d])
			return true;
		at[d] = b->lo[d];
	}
	return false;
}

static int64_t element(const pim_type *t, const int64_t *at)
{
	int64_t e = 0;
	for (int d = 0; d < t->rank; d++)
		e = e * t->dims[d] + at[d];
	return e;
}

static double latest_in(const twin *w, const pim_node *v, const pim_box *box)
{
	int64_t at[PIM_MAX_RANK];
	double latest = 0;
	memcpy(at, box->lo, sizeof at);
	do
		latest = later(latest, w->time[v->id][element(v->type, at)]);
	while (next_index(box, at));
	return latest;
}

static double ready_time(const twin *w, const pim_node *v, const pim_box *box)
{
	if (is_leaf(v) || pim_box_empty(box))
		return 0;
	if (!only_moves(v))
		return latest_in(w, v, box);
	pim_axes *x = pim_axes_new(v, w->arena);
	pim_box axes, part;
	double time = 0;
	pim_axes_cover(x, box, &axes);
	for (int i = 0; i < (int)v->n_in; i++)
		if (v->in[i]) {
			pim_axes_demand(x, v, i, &axes, &part, NULL, NULL);
			time = later(time, ready_time(w, v->in[i], &part));
		}
	return time + pim_overlap_at(w->overlap, v)->cost;
}

static void mark(twin *w, const pim_node *n, const pim_box *box, double time)
{
	int64_t at[PIM_MAX_RANK];
	memcpy(at, box->lo, sizeof at);
	if (pim_box_empty(box))
		return;
	do {
		double *t = &w->time[n->id][element(n->type, at)];
		*t = later(*t, time);
	} while (next_index(box, at));
}

typedef struct unit {
	double free, arrived;
} unit;

/* Ops that share a walk, in one slice of it; f NULL: one op alone. */
typedef struct walk {
	const pim_fusion *f;
	const pim_node *last;
	const pim_axes *axes; /* of the last */
	pim_box *slice;		  /* by member, what it computes */
} walk;

static void tile_of_member(const walk *k, int m, const pim_box *tile, pim_box *axes)
{
	*axes = *tile;
	if (k->f && m + 1 < k->f->n)
		pim_fusion_tile(k->f, m, &k->slice[m], tile, axes);
}

static double ready_of_member(const twin *w, const walk *k, int m, const pim_box *tile)
{
	const pim_node *n = k->f ? k->f->member[m].node : k->last;
	const pim_axes *x = k->f ? k->f->member[m].axes : k->axes;
	double ready = 0;
	pim_box axes, box;
	tile_of_member(k, m, tile, &axes);
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i] && (!k->f || k->f->member[m].from[i] < 0)) {
			pim_axes_demand(x, n, i, &axes, &box, NULL, NULL);
			ready = later(ready, ready_time(w, n->in[i], &box));
		}
	return ready;
}

/* One tile: waits for its inputs and for its unit, runs, completes its elements. */
static void run_tile(twin *w, const walk *k, const pim_box *tile, bool counts, unit *u)
{
	const pim_overlap_run *r = pim_overlap_at(w->overlap, k->last);
	double ready = 0;
	pim_box axes, box;
	int members = k->f ? k->f->n : 1;
	for (int m = 0; m < members; m++)
		ready = later(ready, ready_of_member(w, k, m, tile));
	w->tiles++;
	w->shared += members > 1;
	w->waits += ready > u->free;
	u->arrived = later(u->arrived, ready) + r->message;
	u->free = later(u->free, u->arrived) + r->tile;
	for (int m = 0; m < members && counts; m++) {
		const pim_node *n = k->f ? k->f->member[m].node : k->last;
		tile_of_member(k, m, tile, &axes);
		pim_axes_result(k->f ? k->f->member[m].axes : k->axes, n->type->rank, &axes, &box);
		mark(w, n, &box, u->free);
	}
}

/* The temporal loops of one slice, from loop i inwards. */
static void run_loops(
	twin *w, const walk *k, const pim_box *slice, int i, pim_box *tile, bool counts, unit *u)
{
	const pim_nest *nest = k->last->plan->nest;
	if (i == nest->n) {
		run_tile(w, k, tile, counts, u);
		return;
	}
	int a = nest->loop[i].axis;
	if (nest->loop[i].spatial) {
		run_loops(w, k, slice, i + 1, tile, counts, u);
		return;
	}
	for (int64_t lo = slice->lo[a]; lo < slice->hi[a]; lo += nest->tile[a]) {
		tile->lo[a] = lo;
		tile->hi[a] = lo + nest->tile[a] < slice->hi[a] ? lo + nest->tile[a] : slice->hi[a];
		run_loops(w, k, slice, i + 1, tile, counts, u);
	}
}

/* n, and the ops before it that share its walk. */
static double run_node(twin *w, const pim_node *n)
{
	const pim_node *first = pim_fusion_first(n);
	const pim_axes *x = pim_axes_new(n, w->arena);
	walk k = {.last = n, .axes = x};
	if (first != n)
		k.f = pim_fusion_of((pim_node *)first, NULL, w->arena);
	k.slice = PIM_NEW(w->arena, pim_box, k.f ? k.f->n : 1);
	for (int m = 0; k.f && m + 1 < k.f->n; m++) {
		const pim_node *v = k.f->member[m].node;
		w->time[v->id] = PIM_NEW(w->arena, double, v->type->elements + 1);
	}
	int64_t slices = pim_layout_slices(n->plan->layout), copies = n->plan->layout->copies;
	unit *u = PIM_NEW(w->arena, unit, n->plan->n_units);
	double finish = 0;
	int64_t elements = n->type->elements;
	w->time[n->id] = PIM_NEW(w->arena, double, elements + 1);
	for (int64_t i = 0; i < slices; i++) {
		int64_t s = n->plan->order ? n->plan->order->slice[i] : i;
		pim_box slice, tile;
		pim_slice_axes(n, x, s, &slice);
		tile = slice;
		unit *on = &u[i % n->plan->n_units];
		for (int m = 0; k.f && m + 1 < k.f->n; m++)
			pim_slice_axes(
				k.f->member[m].node, k.f->member[m].axes, pim_fusion_slice(k.f, m, s), &k.slice[m]);
		if (!pim_box_empty(&slice))
			run_loops(w, &k, &slice, 0, &tile, s < slices / copies, on);
		finish = later(finish, on->free);
	}
	return finish;
}

/* The finish of the last op; every op's must be the closed form's. */
static void compare(twin *w)
{
	w->time = PIM_NEW(w->arena, double *, w->graph->n_ids);
	PIM_EACH_NODE(n, w->graph)
	{
		if (is_leaf(n) || only_moves(n) || pim_fusion_next(n))
			continue;
		double real = run_node(w, n), closed = pim_overlap_at(w->overlap, n)->end;
		CHECK(pim_overlap_tiles(w->overlap, n) > 0);
		if (real > closed * (1 + 1e-9) || real < closed * (1 - 1e-9))
			fprintf(stderr, "%s: %f, closed form %f\n", pim_node_label(n, w->arena), real, closed);
		CHECK(real <= closed * (1 + 1e-9) && real >= closed * (1 - 1e-9));
	}
}

/* Random orders and units for what the passes decide otherwise; ops of one walk have the same. */
static void decide_turns(pim_graph *g, const pim_target *t, pim_arena *a)
{
	static const char *const passes[] = {"split-branches,interleave-layout,map",
		"split-branches,interleave-layout{choose=rows},map",
		"split-branches,interleave-layout{choose=columns},map",
		"split-branches,interleave-layout{choose=each},map"};
	pim_pipeline *p = pim_pipeline_parse(g->module->context, passes[draw(4)], a);
	pim_run_options o = {.no_verify = false};
	pim_run_report report = {0};
	CHECK(p && pim_pipeline_run(g->module, p, t, &o, &report, a));
	int64_t start = 0;
	PIM_EACH_NODE(n, g)
	{
		const pim_node *first = pim_fusion_first(n);
		if (n->op == PIM_OP_constant || !n->plan)
			continue;
		if (first == n) {
			decide_units(n, t->units, start++, a);
			if (!pim_fusion_next(n))
				decide_order(n, a);
			continue;
		}
		n->plan->n_units = first->plan->n_units;
		n->plan->unit = first->plan->unit;
		n->plan->start = first->plan->start;
		n->plan->cycles = first->plan->cycles;
	}
}

/* Decisions for a program, then both; adds to the counts. */
typedef void decisions(pim_graph *g, const pim_target *t, pim_arena *a);
static void check_program(
	pim_graph *g, const pim_target *t, decisions *decide_all, int64_t counts[3])
{
	pim_arena *a = pim_arena_new();
	decide_all(g, t, a);
	g->facts |= PIM_FACT_mapped | PIM_FACT_scheduled;
	twin w = {.graph = g, .arena = a, .overlap = pim_overlap_new(g, t, a)};
	compare(&w);
	counts[0] += w.tiles;
	counts[1] += w.waits;
	counts[2] += w.shared;
	pim_arena_free(a);
}

static const char *const written[] = {
	/* residual add, pooling, a second reader, flatten, product, softmax */
	"module { graph @main(%x: f32[1,4,10,10], %w: f32[6,4,3,3], %v: f32[6,6,3,3], %u: f32[150,7]) "
	"{\n"
	"%a = conv %x, %w {pads = [1, 1, 1, 1]} : f32[1,6,10,10]\n"
	"%b = conv %a, %v {pads = [1, 1, 1, 1]} : f32[1,6,10,10]\n"
	"%c = add %a, %b : f32[1,6,10,10]\n"
	"%d = relu %c : f32[1,6,10,10]\n"
	"%e = max_pool %d {kernel = [2, 2], strides = [2, 2]} : f32[1,6,5,5]\n"
	"%f = reshape %e {shape = [1, 150]} : f32[1,150]\n"
	"%h = matmul %f, %u : f32[1,7]\n"
	"%i = softmax %h {axis = 1} : f32[1,7]\n"
	"return %i } }",
	/* two ways joined by concat, a strided convolution behind them */
	"module { graph @main(%x: f32[1,4,9,9], %w: f32[6,4,1,1], %v: f32[5,4,3,3], %u: f32[8,11,3,3]) "
	"{\n"
	"%a = conv %x, %w : f32[1,6,9,9]\n"
	"%b = conv %x, %v {pads = [1, 1, 1, 1]} : f32[1,5,9,9]\n"
	"%c = concat %a, %b {axis = 1} : f32[1,11,9,9]\n"
	"%d = conv %c, %u {strides = [2, 2], pads = [1, 1, 1, 1]} : f32[1,8,5,5]\n"
	"%e = average_pool %d {kernel = [3, 3], pads = [1, 1, 1, 1]} : f32[1,8,5,5]\n"
	"return %e } }",
	/* attention of two heads: heads split, K transposed, softmax, heads joined, layer norm */
	"module { graph @main(%x: f32[12,8], %q: f32[8,8], %k: f32[8,8], %v: f32[8,8], %s: f32[8]) {\n"
	"%a = matmul %x, %q : f32[12,8]\n"
	"%b = matmul %x, %k : f32[12,8]\n"
	"%c = matmul %x, %v : f32[12,8]\n"
	"%d = reshape %a {shape = [12, 2, 4]} : f32[12,2,4]\n"
	"%e = transpose %d {perm = [1, 0, 2]} : f32[2,12,4]\n"
	"%f = reshape %b {shape = [12, 2, 4]} : f32[12,2,4]\n"
	"%g = transpose %f {perm = [1, 2, 0]} : f32[2,4,12]\n"
	"%h = matmul %e, %g : f32[2,12,12]\n"
	"%i = softmax %h {axis = 2} : f32[2,12,12]\n"
	"%j = reshape %c {shape = [12, 2, 4]} : f32[12,2,4]\n"
	"%l = transpose %j {perm = [1, 0, 2]} : f32[2,12,4]\n"
	"%m = matmul %i, %l : f32[2,12,4]\n"
	"%n = transpose %m {perm = [1, 0, 2]} : f32[12,2,4]\n"
	"%o = reshape %n {shape = [12, 8]} : f32[12,8]\n"
	"%p = add %x, %o : f32[12,8]\n"
	"%r = layer_norm %p, %s {axis = 1} : f32[12,8]\n"
	"return %r } }",
};

static void compare_written(decisions *decide_all, int rounds, int64_t counts[3])
{
	for (int round = 0; round < rounds; round++) {
		pim_context *c = pim_context_new();
		seed = (uint64_t)round * 104729 + 5;
		pim_module *m =
			pim_module_parse(c, "written", written[round % 3], strlen(written[round % 3]));
		CHECK(m != NULL);
		if (m)
			check_program(m->graphs[0], pim_target_find(c, "stack3d"), decide_all, counts);
		pim_context_free(c);
	}
}

static void compare_random(int64_t counts[3])
{
	for (int round = 0; round < ROUNDS; round++) {
		pim_context *c = pim_context_new();
		pim_module *m = pim_module_new(c);
		pim_graph *g = pim_graph_new(m, "main");
		seed = (uint64_t)round * 7919 + 3;
		draw_program(g, c, MOST_NODES);
		check_program(g, pim_target_find(c, "stack3d"), decide, counts);
		pim_context_free(c);
	}
}

int main(void)
{
	int64_t counts[3] = {0};
	compare_written(decide, ROUNDS, counts);
	compare_written(decide_turns, ROUNDS_OF_PASSES, counts);
	compare_random(counts);
	printf("%lld tiles, %lld of them waited, %lld of several ops\n", (long long)counts[0],
		(long long)counts[1], (long long)counts[2]);
	CHECK(counts[0] > 100000 && counts[1] > 10000 && counts[2] > 300);
	return check_failures != 0;
}
