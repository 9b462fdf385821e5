/* SPDX-License-Identifier: Apache-2.0 */
/* reduction - trees of partial sums: every sum comes to its reader once, in an order in which it
 * can be added; and what is chosen runs and gives the evaluator's values (integers exactly). Which
 * shape would have been fastest is not asked. */
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"
#include "tests/unit/check_results.h"
#include "tests/unit/draw.h"

typedef struct made {
	pim_context *context;
	pim_arena *arena;
	pim_graph *g;
	pim_node *sums, *result;
	pim_tensor in, want;
} made;

static int random_units(pim_plan *plan, int most, int units, pim_arena *a)
{
	plan->n_units = most < units ? most : units;
	plan->unit = PIM_NEW(a, int, plan->n_units);
	int first = draw(units), step = draw(2) ? 1 : 7;
	for (int i = 0; i < plan->n_units; i++)
		plan->unit[i] = (first + i * step) % units;
	return plan->n_units;
}

/* A program in the text form: y = x . w with k cut in `sums`, then added up in `rows` x `columns`.
 */
static made make(const pim_target *t, pim_dtype type, int sums, int rows, int columns)
{
	made m = {.context = pim_context_new(), .arena = pim_arena_new()};
	const char *name = type == PIM_DTYPE_i32 ? "i32" : "f32";
	char *text = pim_arena_printf(m.arena,
		"module {\n graph @main(%%x: %s[8,64] [parts=1x%d]) {\n"
		"  facts split, laid_out\n  %%w = constant {value = 3} : %s[64,12]\n"
		"  %%y = matmul %%x, %%w : %s[8,12] [parts=%dx1, sums=%d]\n"
		"  %%z = relayout %%y : %s[8,12] [parts=%dx%d]\n  return %%z\n }\n}\n",
		name, sums, name, name, 1 + draw(2), sums, name, rows, columns);
	pim_module *module = pim_module_parse(m.context, "made", text, strlen(text));
	CHECK(module != NULL);
	m.g = module->graphs[0];
	m.result = m.g->results[0];
	m.sums = m.result->in[0];
	int64_t start = 0;
	random_units(pim_node_plan(m.g->inputs[0]), sums, t->units, m.arena);
	pim_node *node[] = {m.sums, m.result};
	for (int i = 0; i < 2; i++) {
		pim_plan *plan = pim_node_plan(node[i]);
		plan->start = start;
		plan->cycles = 1;
		start++;
		random_units(plan, (int)pim_layout_slices(plan->layout), t->units, m.arena);
		plan->nest = pim_nest_whole(t, node[i], m.arena);
	}
	m.in = (pim_tensor){m.g->inputs[0]->type,
		pim_arena_alloc(m.arena, (size_t)pim_type_bytes(m.g->inputs[0]->type))};
	pim_tensor_random(&m.in, 5);
	CHECK(pim_graph_eval(m.g, &m.in, &m.want, m.arena));
	return m;
}

/* Walks from each sum to the reader. */
static void check_shapes(const pim_target *t, const made *m)
{
	for (int shape = 0; shape < PIM_SUMS_COUNT; shape++)
		for (int64_t s = 0; s < pim_layout_slices(m->result->plan->layout); s++) {
			pim_reduction *r;
			int parts = pim_reductions_of(
				t, m->result, s, (pim_sums)shape, (pim_crew_sizes){1, 1}, &r, m->arena);
			int64_t elements = 0;
			for (int k = 0; k < parts; k++) {
				elements += pim_box_elements(&r[k].part);
				CHECK(r[k].n == m->sums->plan->layout->sums);
				CHECK(r[k].unit == pim_slice_unit(m->result, s));
				for (int i = 0; i < r[k].n; i++) {
					const pim_addend *one = &r[k].addend[i];
					int steps = 0;
					CHECK(one->unit == pim_slice_unit(m->sums, one->slice));
					for (int at = i; at >= 0 && steps <= r[k].n; steps++) {
						int up = r[k].addend[at].parent;
						CHECK(up < 0 || r[k].addend[up].round > r[k].addend[at].round);
						CHECK(r[k].addend[at].round < r[k].rounds);
						at = up;
					}
					CHECK(steps <= r[k].n);
					for (int other = 0; other < i; other++)
						CHECK(r[k].addend[other].slice != one->slice);
				}
			}
			pim_box whole = pim_layout_box(m->result->plan->layout, m->result->type, s, NULL);
			CHECK(elements == pim_box_elements(&whole));
		}
}

static int64_t run(const pim_target *t, const made *m, int trial)
{
	pim_arena *scratch = pim_arena_new();
	int64_t cycles = -1;
	CHECK(pim_target_lower(t, m->g, PIM_BARRIERS_none, scratch));
	CHECK(pim_program_verify(m->g->code));
	pim_sim_options o = {.values = true, .check = true, .input = &m->in};
	pim_sim_report *r = pim_sim_run(m->g->code, &o, scratch);
	CHECK(r != NULL);
	if (r) {
		check_results(m->g, r, &m->want, trial);
		if (m->result->type->dtype == PIM_DTYPE_i32)
			CHECK(
				!memcmp(r->result[0].data, m->want.data, (size_t)pim_type_bytes(m->result->type)));
		cycles = r->cycles;
	}
	pim_arena_free(scratch);
	return cycles;
}

int main(void)
{
	static const int size[][3] = {{8, 8, 1}, {4, 4, 4}, {6, 5, 1}};
	int chosen[PIM_SUMS_COUNT] = {0};
	for (int trial = 0; trial < 300; trial++) {
		pim_context *c = pim_context_new();
		pim_target t = *pim_target_find(c, "stack3d");
		t.network.topology = trial % 2 ? PIM_TOPOLOGY_torus : PIM_TOPOLOGY_mesh;
		t.units = 1;
		for (int d = 0; d < 3; d++)
			t.units *= t.network.size[d] = size[trial % 3][d];
		if (trial % 5 == 1) /* a step costs little beside the way */
			t.network.hop_cycles = 200;
		if (trial % 5 == 2) /* links are slow: what travels together is cheap */
			t.network.link_bytes_per_cycle = 0.05;
		made m = make(&t, trial % 4 ? PIM_DTYPE_f32 : PIM_DTYPE_i32, 2 + draw(trial % 3 ? 31 : 7),
			1 + draw(3), 1 + draw(3));
		check_shapes(&t, &m);
		chosen[pim_sums_best(&t, m.result, (pim_crew_sizes){1, 1})]++;
		CHECK(run(&t, &m, trial) > 0);
		pim_arena_free(m.arena);
		pim_context_free(m.context);
		pim_context_free(c);
	}
	printf("straight %d, along routes %d, in halves %d\n", chosen[PIM_SUMS_straight],
		chosen[PIM_SUMS_routes], chosen[PIM_SUMS_halves]);
	CHECK(chosen[PIM_SUMS_straight] > 20 && chosen[PIM_SUMS_routes] > 5 &&
		  chosen[PIM_SUMS_halves] > 20);
	return check_failures != 0;
}
