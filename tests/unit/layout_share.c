/* SPDX-License-Identifier: Apache-2.0 */
/* layout_share.c - constants that units hold together: the plan chosen and its bound against every
 * plan that fits, and whole programs on machines with too little memory, simulated. */
#include <math.h>
#include <string.h>

#include "passes/layout_search.h"
#include "targets/sim.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { CASES = 60, RUNS = 40, MOST_VALUES = 8 };

static pim_target *draw_machine(pim_context *c, pim_arena *a, int side, int64_t memory)
{
	pim_target *t = PIM_NEW(a, pim_target, 1);
	*t = *pim_target_find(c, "stack3d");
	t->network.size[0] = side;
	t->network.size[1] = draw_in(1, side);
	t->units = side * t->network.size[1];
	t->memory.bytes = memory;
	t->memory.bytes_per_cycle = draw_in(4, 64);
	t->network.link_bytes_per_cycle = draw_in(1, 16);
	return t;
}

static pim_node *make_product(pim_graph *g, pim_node *x, int columns)
{
	pim_context *c = pim_graph_context(g);
	int64_t dims[2] = {x->type->dims[1], columns};
	const pim_type *type = pim_type_tensor(c, PIM_DTYPE_f32, 2, dims);
	pim_tensor w = {type, pim_arena_alloc(g->module->arena, (size_t)pim_type_bytes(type))};
	pim_tensor_random(&w, (uint64_t)draw_in(1, 1000));
	pim_node *in[2] = {x, pim_constant_new(g, type, w.data, NULL)};
	pim_node *r = pim_node_new(g, "matmul", 2, in, NULL);
	CHECK(pim_node_infer(r));
	return r;
}

static pim_graph *draw_chain(pim_context *c, int products, int rows, int most)
{
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	int64_t dims[2] = {rows, draw_in(most / 2, most)};
	pim_node *v = pim_input_new(g, "x", pim_type_tensor(c, PIM_DTYPE_f32, 2, dims));
	for (int k = 0; k < products; k++)
		v = make_product(g, v, draw_in(most / 2, most));
	pim_graph_add_result(g, v);
	return g;
}

/* ---- every plan ---- */

typedef struct twin {
	pim_layout_search *search;
	pim_layout_plan *plan;
	pim_node *value[MOST_VALUES];
	int n;
	double least; /* cycles of a plan that fits */
	double lower; /* cycles so far, of what is decided */
} twin;

static bool plan_fits(const twin *w)
{
	const pim_target *t = w->search->target;
	pim_layout_memory m = pim_layout_memory_of(w->search->graph, t, w->plan);
	return m.weights + m.values <= t->memory.bytes;
}

static void try_shares(twin *w, int k, int sharing)
{
	if (k == w->n) {
		pim_layout_plan_add_up(w->search, w->plan);
		if (w->plan->cycles < w->least && plan_fits(w))
			w->least = w->plan->cycles;
		return;
	}
	const pim_node *n = w->value[k];
	const pim_state *own = &w->plan->states[n->id]->state[w->plan->own[n->id]];
	if (sharing == own->n_sharings) {
		try_shares(w, k + 1, 0);
		return;
	}
	const pim_sharing *s = &own->sharing[sharing];
	const pim_share **share = &w->plan->share[n->in[s->input]->id];
	for (int i = 0; i < s->n; i++) {
		*share = i ? &s->share[i] : NULL;
		try_shares(w, k, sharing + 1);
	}
	*share = NULL;
}

static void try_states(twin *w, int k)
{
	if (k == w->n) {
		pim_layout_plan_add_up(w->search, w->plan);
		if (w->plan->cycles < w->least) /* sharing takes more cycles, never fewer */
			try_shares(w, 0, 0);
		return;
	}
	const pim_node *n = w->value[k];
	const pim_states *s = w->plan->states[n->id];
	for (int own = 0; own < s->n; own++)
		for (int seen = 0; seen < s->n; seen++) {
			if (!s->state[own].own || !s->state[seen].seen)
				continue;
			w->plan->own[n->id] = (uint8_t)own;
			w->plan->seen[n->id] = (uint8_t)seen;
			try_states(w, k + 1);
		}
}

typedef struct tally {
	int tight, fit, shared, missed, equal;
} tally;

static void check_plan(tally *y)
{
	pim_context *c = pim_context_new();
	pim_graph *g = draw_chain(c, draw_in(1, 2), draw_in(2, 8), 32);
	pim_arena *a = g->module->arena;
	pim_target *t = draw_machine(c, a, 2, 1 << 20);
	pim_layout_search *s = pim_layout_search_new(g, t, NULL, a);
	pim_layout_memory m = pim_layout_memory_of(g, t, pim_layout_search_run(s, 0, 20000));
	t->memory.bytes = (m.weights + m.values) * draw_in(50, 100) / 100;
	s = pim_layout_search_new(g, t, NULL, a);
	pim_layout_plan *p = pim_layout_search_fit(s);
	twin w = {.search = s, .plan = pim_layout_search_run(s, 0, 20000), .least = INFINITY};
	bool enough = plan_fits(&w);
	y->tight += !enough;
	PIM_EACH_NODE(n, g)
	{
		if (n->op != PIM_OP_constant)
			w.value[w.n++] = n;
		else if (p->share[n->id])
			y->shared++;
	}
	w.plan = pim_layout_plan_new(s);
	try_states(&w, 0);
	w.plan = p;
	CHECK(p->bound <= w.least * (1 + 1e-6));
	if (plan_fits(&w)) {
		y->fit += !enough;
		CHECK(p->cycles >= w.least * (1 - 1e-6));
		y->equal += !enough && p->cycles <= w.least * (1 + 1e-6);
	} else {
		y->missed += w.least < INFINITY;
	}
	pim_context_free(c);
}

/* ---- slots where most room is ---- */

/* Bytes of weights that each slot of a product has, equal boxes once; how many slots there are. */
static int weigh_slots(const pim_layout_plan *p, pim_node *n, int units, int64_t *bytes)
{
	const pim_state *own = &p->states[n->id]->state[p->own[n->id]];
	pim_layout layout = own->layout;
	pim_plan plan = {.layout = &layout};
	pim_node shadow = *n;
	shadow.plan = &plan;
	pim_arena *a = pim_arena_new();
	const pim_axes *x = pim_axes_new(n, a);
	pim_box *box = PIM_NEW(a, pim_box, own->slices);
	for (int64_t k = 0; k < own->slices; k++) {
		pim_box axes;
		bool again = false;
		pim_slice_axes(&shadow, x, k, &axes);
		pim_axes_demand(x, n, 1, &axes, &box[k], NULL, NULL);
		for (int64_t o = k % units; o < k; o += units)
			again = again || pim_box_equal(&box[o], &box[k]);
		bytes[k % units] += again ? 0 : pim_target_constant_bytes(pim_box_elements(&box[k]) * 4);
	}
	pim_arena_free(a);
	return (int)(own->slices < units ? own->slices : units);
}

static int descending(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x < *y) - (*x > *y);
}

/* Op by op the heaviest slot goes to the emptiest unit, the next to the next: no unit has more than
 * `spread`. */
static void check_spread(int round)
{
	enum { MOST_UNITS = 16 };
	pim_context *c = pim_context_new();
	draw_state = (uint64_t)round * 97 + 11;
	pim_graph *g = draw_chain(c, draw_in(2, 6), draw_in(2, 64), 64);
	pim_arena *a = g->module->arena;
	pim_target *t = draw_machine(c, a, 4, 1 << 20);
	pim_layout_plan *p = pim_layout_search_run(pim_layout_search_new(g, t, NULL, a), 0, 20000);
	int64_t unit[MOST_UNITS] = {0}, all = 0; /* in descending order, from the last one */
	PIM_EACH_NODE(n, g)
	{
		int64_t slot[MOST_UNITS] = {0};
		if (n->op != PIM_OP_matmul)
			continue;
		int n_slots = weigh_slots(p, n, t->units, slot);
		qsort(slot, (size_t)n_slots, sizeof *slot, descending);
		for (int k = 0; k < n_slots; k++) {
			unit[t->units - 1 - k] += slot[k];
			all += slot[k];
		}
		qsort(unit, (size_t)t->units, sizeof *unit, descending);
	}
	pim_layout_memory m = pim_layout_memory_of(g, t, p);
	CHECK(unit[0] <= m.spread && m.spread * t->units >= all && m.weights * t->units >= all);
	pim_context_free(c);
}

/* ---- whole programs ---- */

static bool run_passes(pim_graph *g, const pim_target *t, pim_arena *a)
{
	pim_pipeline *p = pim_pipeline_parse(
		pim_graph_context(g), "split-branches,interleave-layout,map,schedule,place,lower", a);
	pim_run_options o = {.seed = 1};
	pim_run_report report = {0};
	return pim_pipeline_run(g->module, p, t, &o, &report, a);
}

/* Less and less memory until nothing fits; each program gives the evaluator's values, but for the
 * order of its sums. */
static int check_programs(int rounds)
{
	int shared = 0;
	for (int64_t memory = 1 << 16; memory > 512; memory -= memory / 6) {
		pim_context *c = pim_context_new();
		uint64_t before = draw_state = (uint64_t)rounds * 31 + 1;
		pim_graph *g = draw_chain(c, 4, 160, 64);
		pim_arena *a = g->module->arena;
		pim_tensor in = {
			g->inputs[0]->type, pim_arena_alloc(a, (size_t)pim_type_bytes(g->inputs[0]->type))};
		pim_tensor want, *result = &want;
		pim_tensor_random(&in, before);
		CHECK(pim_graph_eval(g, &in, result, a));
		bool good = run_passes(g, draw_machine(c, a, 4, memory), a);
		PIM_EACH_NODE(n, g)
		{
			shared += good && n->op == PIM_OP_constant && n->plan && n->plan->layout;
		}
		pim_sim_options o = {.values = true, .check = true, .input = &in};
		pim_sim_report *r = good ? pim_sim_run(g->code, &o, a) : NULL;
		CHECK(!good || (r && pim_tensor_compare(&r->result[0], result, 1e-3, 1e-2).beyond == 0));
		pim_context_free(c);
		if (!good)
			break;
	}
	return shared;
}

int main(void)
{
	draw_state = 5;
	tally y = {0};
	for (int k = 0; k < CASES; k++)
		check_plan(&y);
	printf("%d of %d machines are short of memory: %d plans fit, %d of them the best there are, %d "
		   "constants shared; %d plans missed\n",
		y.tight, CASES, y.fit, y.equal, y.shared, y.missed);
	CHECK(y.fit > 0 && y.shared > 0 && 2 * y.equal > y.fit && y.missed * 5 <= y.tight);
	for (int k = 0; k < CASES; k++)
		check_spread(k);
	int shared = 0;
	for (int k = 0; k < RUNS; k++)
		shared += check_programs(k);
	printf("%d constants shared in programs that were simulated\n", shared);
	CHECK(shared > 0);
	return check_failures != 0;
}
