/* SPDX-License-Identifier: Apache-2.0 */
/* reorder_tiles - orders by ready time: against every assignment on small instances, on a pair
 * worked by hand, and replayed: what the analysis promises is what the simulator counts. */
#include "passes/overlap.h"
#include "passes/pass.h"
#include "targets/sim.h"

#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/draw.h"

static double later(double a, double b)
{
	return a > b ? a : b;
}

/* ---- all assignments ---- */

enum { MOST_SLICES = 6, MOST_UNITS = 3 };

typedef struct instance {
	int slices, units;
	double ready[MOST_SLICES], length;
} instance;

/* The soonest finish when the slices in `left` still have to run, each next on any unit. */
static double best_finish(const instance *p, unsigned left, const double *clock)
{
	double best = 1e9, now[MOST_UNITS];
	if (!left)
		return 0;
	for (int s = 0; s < p->slices; s++)
		for (int u = 0; u < p->units && left >> s & 1; u++) {
			memcpy(now, clock, sizeof now);
			now[u] = later(now[u], p->ready[s]) + p->length;
			double rest = later(now[u], best_finish(p, left & ~(1u << s), now));
			best = rest < best ? rest : best;
		}
	return best;
}

static double finish_in_turns(
	int64_t n, const double *ready, double length, int units, const pim_order *o)
{
	double clock[MOST_UNITS] = {0}, finish = 0;
	for (int64_t i = 0; i < n; i++) {
		double *c = &clock[i % units];
		*c = later(*c, ready[o ? o->slice[i] : i]) + length;
		finish = later(finish, *c);
	}
	return finish;
}

static void compare_with_all_assignments(void)
{
	int changed = 0;
	for (int round = 0; round < 400; round++) {
		pim_arena *a = pim_arena_new();
		instance p = {1 + (int)draw(round < 380 ? 5 : 6), 1 + (int)draw(MOST_UNITS), {0},
			1 + (double)draw(4)};
		for (int s = 0; s < p.slices; s++)
			p.ready[s] = (double)draw(8);
		pim_order *o = pim_order_by_ready(p.slices, p.ready, p.units, a, a);
		double clock[MOST_UNITS] = {0};
		CHECK(!o || pim_order_is_permutation(o));
		double finish = finish_in_turns(p.slices, p.ready, p.length, p.units, o);
		CHECK(finish == best_finish(&p, (1u << p.slices) - 1, clock));
		changed += finish < finish_in_turns(p.slices, p.ready, p.length, p.units, NULL);
		pim_arena_free(a);
	}
	CHECK(changed > 20);
}

/* ---- a pair worked by hand: spaces of two places, 16 steps each ---- */

static void follow_the_example(void)
{
	static const int steps[2][16] = {{3, 7, 3, 7, 4, 8, 4, 8, 4, 8, 4, 8, 4, 8, 4, 8},
		{7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8}};
	double ready[32];
	pim_arena *a = pim_arena_new();
	for (int i = 0; i < 32; i++)
		ready[i] = steps[i % 2][i / 2];
	pim_order *o = pim_order_by_ready(32, ready, 2, a, a);
	CHECK(finish_in_turns(32, ready, 1, 2, NULL) == 23);
	CHECK(finish_in_turns(32, ready, 2, 2, NULL) == 39);
	CHECK(finish_in_turns(32, ready, 1, 2, o) == 19);
	CHECK(finish_in_turns(32, ready, 2, 2, o) == 35);
	pim_arena_free(a);
}

/* Of slices that are ready at once, those that can stay on their unit. */
static void stay_on_the_unit(void)
{
	static const double ready[] = {5, 1, 1, 1, 1, 9};
	pim_arena *a = pim_arena_new();
	pim_order *o = pim_order_by_ready(6, ready, 2, a, a);
	static const int32_t want[] = {2, 1, 4, 3, 0, 5};
	CHECK(o && !memcmp(o->slice, want, sizeof want));
	static const double even[] = {3, 3, 3, 3};
	CHECK(!pim_order_by_ready(4, even, 2, a, a));
	pim_arena_free(a);
}

/* ---- replay ---- */

/* Ends: by the analysis, by the lowering, as simulated. */
typedef struct replay {
	double promised, lowered, counted;
} replay;

/* Lowers and runs the program as it is; values are the evaluator's. */
static replay run_program(pim_graph *g, const pim_target *t, pim_arena *a)
{
	replay r = {.promised = pim_overlap_totals(pim_overlap_new(g, t, a))->overlapped};
	pim_tensor in = {
		g->inputs[0]->type, pim_arena_alloc(a, (size_t)pim_type_bytes(g->inputs[0]->type))};
	pim_tensor_random(&in, 3);
	pim_tensor want = {0};
	CHECK(pim_graph_eval(g, &in, &want, a));
	CHECK(pim_target_lower(t, g, PIM_BARRIERS_none, a));
	pim_sim_options o = {.values = true, .check = true, .input = &in};
	pim_sim_report *report = g->code ? pim_sim_run(g->code, &o, a) : NULL;
	CHECK(report != NULL);
	if (report) {
		CHECK(pim_tensor_compare(&report->result[0], &want, 1e-4, 1e-4).beyond == 0);
		r.lowered = (double)pim_sim_estimate_of(report).estimated;
		r.counted = (double)report->cycles;
	}
	return r;
}

#define GRAPH(body)                                                                                \
	"module { graph @main(%x: f32[512,512] [parts=8x8, order=(0..56:8*8:1), units=8, on=0..7]) "   \
	"{\n"                                                                                          \
	"facts split, laid_out, mapped, scheduled, placed on \"stack3d\"\n" body "} }"
#define COLUMNS "parts=8x8, nest=(@d0 8, @d1 8 = 817), order=(0..56:8*8:1), start=0, cycles=7000, "
#define ROWS "parts=8x8, nest=(@d0 8, @d1 8 = 2608), "

/* The first op runs by columns of slices, those behind it by rows until they are reordered. */
static const char *const programs[] = {
	GRAPH("%a = relu %x : f32[512,512] [" COLUMNS "units=8, on=0..7]\n"
		  "%b = exp %a : f32[512,512] [" ROWS "start=9, cycles=20000, units=8, on=8..15]\n"
		  "return %b\n"),
	GRAPH("%a = relu %x : f32[512,512] [" COLUMNS "units=8, on=0..7]\n"
		  "%b = exp %a : f32[512,512] [" ROWS "start=9, cycles=20000, units=8, on=8..15]\n"
		  "%c = exp %b : f32[512,512] [" ROWS "start=9, cycles=30000, units=8, on=16..23]\n"
		  "return %c\n"),
	GRAPH("%a = relu %x : f32[512,512] [" COLUMNS "units=8, on=0..7]\n"
		  "%b = exp %a : f32[512,512] [" ROWS "start=9, cycles=20000, units=4, on=8..11]\n"
		  "return %b\n"),
	"module {\n"
	"  graph @main(%x: f32[512,256] [parts=64x1, order=(0..56:8*8:1), units=8, on=0..7]) {\n"
	"    facts split, laid_out, mapped, scheduled, placed on \"stack3d\"\n"
	"    %w = constant {value = 0.5} : f32[256,256]\n"
	"    %a = relu %x : f32[512,256] [parts=64x1, nest=(@d0 64 = 432), order=(0..56:8*8:1), "
	"start=0, cycles=7000, units=8, on=0..7]\n"
	"    %b = matmul %a, %w : f32[512,256] [parts=64x1, nest=(@m 64, k 8:32 = 5408), start=9, "
	"cycles=80000, units=8, on=8..15]\n"
	"    return %b\n"
	"  }\n"
	"}\n",
};

static bool reorder(pim_graph *g, const pim_target *t, pim_arena *a)
{
	pim_pipeline *p = pim_pipeline_parse(g->module->context, "reorder-tiles", a);
	pim_run_options o = {.no_verify = false};
	pim_run_report report = {0};
	return p && pim_pipeline_run(g->module, p, t, &o, &report, a);
}

static void replay_programs(void)
{
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		pim_context *c = pim_context_new();
		pim_arena *a = pim_arena_new();
		const pim_target *t = pim_target_find(c, "stack3d");
		pim_module *m = pim_module_parse(c, "program", programs[i], strlen(programs[i]));
		CHECK(m != NULL);
		if (!m)
			return;
		pim_graph *g = m->graphs[0];
		g->limits = pim_target_limits(t);
		replay before = run_program(g, t, a);
		CHECK(reorder(g, t, a));
		replay after = run_program(g, t, a);
		double off = (after.counted - after.promised) / after.counted;
		printf("program %zu: %.0f cycles (analysis %.0f) in rows, %.0f (%.0f, %+.1f %%) as ready\n",
			i, before.counted, before.promised, after.counted, after.promised, -100 * off);
		CHECK(before.lowered == before.counted && after.lowered == after.counted);
		CHECK(after.counted < before.counted && after.promised < before.promised);
		CHECK(off < 0.07 && off > -0.07);
		pim_arena_free(a);
		pim_context_free(c);
	}
}

int main(void)
{
	compare_with_all_assignments();
	follow_the_example();
	stay_on_the_unit();
	replay_programs();
	return check_failures != 0;
}
