/* SPDX-License-Identifier: Apache-2.0 */
/* layout.c - the search for layouts against every assignment of states, on small random graphs.
 *
 * The twin prices an assignment by itself: bytes that cross units are counted element by element
 * from the owners of each slice's box (crossing.h), not by the closed form of the search. */
#include <math.h>
#include <string.h>

#include "passes/layout_search.h"
#include "tests/unit/check.h"
#include "tests/unit/crossing.h"
#include "tests/unit/draw.h"

enum { CASES = 40, MAX_NODES = 8 };

static const pim_target *random_machine(pim_arena *a)
{
	pim_target *t = PIM_NEW(a, pim_target, 1);
	t->name = "small";
	t->network.topology = draw_in(0, 1) ? PIM_TOPOLOGY_mesh : PIM_TOPOLOGY_torus;
	t->network.size[0] = draw_in(1, 2);
	t->network.size[1] = draw_in(1, 2);
	t->network.size[2] = 1;
	t->units = t->network.size[0] * t->network.size[1];
	t->network.link_bytes_per_cycle = draw_in(1, 16);
	t->network.hop_cycles = 2;
	t->memory = (pim_memory){1 << 26, draw_in(4, 64), draw_in(1, 20), 0, 0};
	t->buffer = (pim_memory){4096, 128, 1, 0, 0};
	t->matrix.rows = t->matrix.columns = draw_in(1, 4);
	t->vector.lanes = draw_in(1, 4);
	t->command_cycles = 1;
	return t;
}

static pim_node *make_input(pim_graph *g, const char *name, int64_t rows, int64_t columns)
{
	return pim_input_new(g, name,
		pim_type_tensor(pim_graph_context(g), PIM_DTYPE_f32, 2, (int64_t[]){rows, columns}));
}

static pim_node *make_weights(pim_graph *g, int64_t rows, int64_t columns)
{
	float data[64] = {0};
	return pim_constant_new(g,
		pim_type_tensor(pim_graph_context(g), PIM_DTYPE_f32, 2, (int64_t[]){rows, columns}), data,
		NULL);
}

/* Square values only, so that any op fits any operand. */
static pim_graph *random_graph(pim_context *c, int size)
{
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	pim_node *value[MAX_NODES];
	int n = 0, ops = draw_in(2, 4);
	value[n++] = make_input(g, "x", size, size);
	for (int k = 0; k < ops; k++) {
		pim_node *a = value[draw_in(0, n - 1)], *b = value[draw_in(0, n - 1)], *r = NULL;
		switch (draw_in(0, 3)) {
		case 0:
			r = pim_node_new(g, "matmul", 2, (pim_node *[]){a, make_weights(g, size, size)}, NULL);
			break;
		case 1:
			r = pim_node_new(g, "add", 2, (pim_node *[]){a, b}, NULL);
			break;
		case 2:
			r = pim_node_new(g, "softmax", 1, &a, NULL);
			pim_node_set_int(r, "axis", 1);
			break;
		default:
			r = pim_node_new(g, "matmul", 2, (pim_node *[]){a, b}, NULL);
			break;
		}
		CHECK(pim_node_infer(r));
		value[n++] = r;
	}
	pim_graph_add_result(g, value[n - 1]);
	return g;
}

static int list_values(pim_graph *g, pim_node **value)
{
	int n = 0;
	PIM_EACH_NODE(v, g)
	{
		if (v->op != PIM_OP_constant)
			value[n++] = v;
	}
	return n;
}

static void lay_out(pim_node *n, const pim_layout *l)
{
	pim_plan *p = pim_node_plan(n);
	if (!p->layout)
		p->layout = PIM_NEW(n->graph->module->arena, pim_layout, 1);
	*p->layout = *l;
}

/* ---- bytes, by owners ---- */

/* Bytes that n's slices fetch of input i when that is seen in state `from`. */
static int64_t count_bytes(
	const pim_target *t, pim_node *n, int i, const pim_state *from, const pim_state *own)
{
	pim_arena *scratch = pim_arena_new();
	lay_out(n->in[i], &from->layout);
	if (n->in[i] != n)
		lay_out(n, &own->layout);
	int64_t bytes = count_crossing(n, i, t->units, scratch);
	pim_arena_free(scratch);
	return bytes;
}

static void check_bytes(pim_graph *g, const pim_target *t, const pim_layout_plan *p)
{
	PIM_EACH_NODE(n, g)
	{
		for (int i = 0; i < (int)n->n_in; i++) {
			if (n->in[i]->op == PIM_OP_constant)
				continue;
			const pim_states *from = p->states[n->in[i]->id], *to = p->states[n->id];
			for (int a = 0; a < from->n; a++)
				for (int b = 0; b < to->n; b++) {
					if (!from->state[a].seen || !to->state[b].own)
						continue;
					pim_edge e = pim_edge_cost(
						t, from->type, &from->state[a], to->state[b].need[i], to->state[b].slices);
					CHECK(e.bytes == count_bytes(t, n, i, &from->state[a], &to->state[b]));
				}
		}
	}
}

/* ---- every assignment ---- */

typedef struct twin {
	const pim_target *target;
	const pim_layout_plan *plan;
	pim_node *value[2 * MAX_NODES];
	int n;
	int own[2 * MAX_NODES], seen[2 * MAX_NODES];
	double best, price;
	long looked;
} twin;

static int find_value(const twin *w, const pim_node *n)
{
	for (int k = 0; k < w->n; k++)
		if (w->value[k] == n)
			return k;
	return -1;
}

/* What value k adds, given its own states and those its inputs are seen in. */
static double price_of(const twin *w, int k)
{
	const pim_node *n = w->value[k];
	const pim_states *s = w->plan->states[n->id];
	const pim_state *own = &s->state[w->own[k]];
	double sum = own->cycles + w->price * (double)own->weight_bytes;
	for (int i = 0; i < (int)n->n_in; i++) {
		int from = find_value(w, n->in[i]);
		if (from < 0)
			continue;
		const pim_states *f = w->plan->states[n->in[i]->id];
		sum +=
			pim_edge_cost(w->target, f->type, &f->state[w->seen[from]], own->need[i], own->slices)
				.cycles;
	}
	return sum + pim_relayout_cost(w->target, n->type, own, &s->state[w->seen[k]]).cycles;
}

static void try_states(twin *w, int k, double cost)
{
	if (cost >= w->best)
		return;
	if (k == w->n) {
		w->best = cost;
		w->looked++;
		return;
	}
	const pim_states *s = w->plan->states[w->value[k]->id];
	for (w->own[k] = 0; w->own[k] < s->n; w->own[k]++)
		for (w->seen[k] = 0; w->seen[k] < s->n; w->seen[k]++)
			if (s->state[w->own[k]].own && s->state[w->seen[k]].seen)
				try_states(w, k + 1, cost + price_of(w, k));
}

/* ---- long chains of equal blocks ---- */

/* Each block is softmax(x w1) w2, so every value has one user. */
static pim_graph *make_chain(pim_context *c, int size, int blocks)
{
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	pim_node *v = make_input(g, "x", size, size);
	for (int k = 0; k < 3 * blocks; k++) {
		if (k % 3 == 1) {
			v = pim_node_new(g, "softmax", 1, &v, NULL);
			pim_node_set_int(v, "axis", 1);
		} else {
			v = pim_node_new(g, "matmul", 2, (pim_node *[]){v, make_weights(g, size, size)}, NULL);
		}
		CHECK(pim_node_infer(v));
	}
	pim_graph_add_result(g, v);
	return g;
}

/* The least cost of a chain, state by state along it. */
static double solve_chain(pim_graph *g, const pim_target *t, const pim_layout_plan *p)
{
	double best[PIM_MAX_STATES] = {0}, all = 0;
	const pim_node *before = NULL;
	PIM_EACH_NODE(n, g)
	{
		if (n->op == PIM_OP_constant)
			continue;
		const pim_states *s = p->states[n->id], *f = before ? p->states[before->id] : NULL;
		double next[PIM_MAX_STATES];
		all = INFINITY;
		for (int b = 0; b < s->n; b++) {
			next[b] = INFINITY;
			for (int own = 0; own < s->n && s->state[b].seen; own++)
				for (int from = 0; from < (f ? f->n : 1) && s->state[own].own; from++) {
					double cost =
						best[from] + s->state[own].cycles +
						pim_relayout_cost(t, n->type, &s->state[own], &s->state[b]).cycles;
					if (f)
						cost += pim_edge_cost(t, f->type, &f->state[from], s->state[own].need[0],
							s->state[own].slices)
									.cycles;
					next[b] = fmin(next[b], cost);
				}
			all = fmin(all, next[b]);
		}
		memcpy(best, next, sizeof best);
		before = n;
	}
	return all;
}

/* The optimum is that of the chain, the plan is worth what it is said to be, and blocks after the
 * first few take no more work. */
static void check_chains(void)
{
	for (int k = 0; k < CASES / 2; k++) {
		pim_context *c = pim_context_new();
		pim_graph *g[2];
		int64_t steps[2];
		int size = draw_in(3, 8);
		const pim_target *t = random_machine(pim_graph_new(pim_module_new(c), "m")->module->arena);
		for (int i = 0; i < 2; i++) {
			g[i] = make_chain(c, size, i ? 300 : 30);
			pim_layout_search *s = pim_layout_search_new(g[i], t, NULL, g[i]->module->arena);
			const pim_layout_plan *p = pim_layout_search_run(s, 0, 20000);
			CHECK(p->optimal && fabs(p->value - solve_chain(g[i], t, p)) <= 1e-5 * p->value);
			CHECK(fabs(p->value - p->cycles) <= 1e-5 * p->value);
			steps[i] = p->steps;
		}
		CHECK(steps[0] > 0 && steps[1] <= steps[0]);
		pim_context_free(c);
	}
}

/* Cycles of one node in a state of its own, seen in another, all else as in the plan. */
static double node_cycles(const pim_target *t, const pim_layout_plan *p, const pim_node *n, int own,
	int seen, double price)
{
	const pim_states *r = p->states[n->id];
	const pim_state *state = &r->state[own];
	double cycles = state->cycles + price * (double)state->weight_bytes;
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i] && p->states[n->in[i]->id] && state->need[i])
			cycles += pim_edge_cost(t, n->in[i]->type,
				&p->states[n->in[i]->id]->state[p->seen[n->in[i]->id]], state->need[i],
				state->slices)
						  .cycles;
	if (own != seen)
		cycles += pim_relayout_cost(t, r->type, state, &r->state[seen]).cycles;
	return cycles;
}

/* Op by op: with what stands before it as it is, no node has a cheaper state. */
static void check_each(pim_layout_search *s, pim_graph *g, const pim_target *t, double price)
{
	const pim_layout_plan *p = pim_layout_search_each(s, price);
	PIM_EACH_NODE(n, g)
	{
		if (!p->states[n->id])
			continue;
		const pim_states *r = p->states[n->id];
		double chosen = node_cycles(t, p, n, p->own[n->id], p->seen[n->id], price);
		CHECK(r->state[p->own[n->id]].own && r->state[p->seen[n->id]].seen);
		for (int own = 0; own < r->n; own++)
			for (int seen = 0; seen < r->n; seen++)
				if (r->state[own].own && r->state[seen].seen)
					CHECK(node_cycles(t, p, n, own, seen, price) >= chosen * (1 - 1e-9));
	}
}

/* From a plan that goes op by op: not worse, where nothing has a price, and the optimum lies
 * between bound and value. */
static void check_dual(pim_layout_search *s, const pim_layout_plan *optimal, double price)
{
	pim_layout_plan *p = pim_layout_search_each(s, price);
	double before = price > 0 ? INFINITY : p->value, slack = 1e-6 * optimal->value;
	pim_layout_dual_improve(s, price, p);
	CHECK(p->value <= before + slack && p->value >= optimal->value - slack);
	CHECK(p->bound <= optimal->value + slack && p->bound >= 0.9 * optimal->value);
	if (p->optimal)
		CHECK(p->value <= optimal->value + slack);
	if (price > 0)
		return;
	pim_layout_plan_add_up(s, p);
	CHECK(fabs(p->cycles - p->value) <= slack);
}

int main(void)
{
	draw_state = 99;
	check_chains();
	long looked = 0;
	int proved = 0, cut = 0;
	for (int k = 0; k < CASES; k++) {
		pim_context *c = pim_context_new();
		pim_graph *g = random_graph(c, draw_in(2, 5));
		pim_arena *a = g->module->arena;
		const pim_target *t = random_machine(a);
		pim_layout_search *s = pim_layout_search_new(g, t, NULL, a);
		double price = k % 3 ? 0 : 0.5;
		const pim_layout_plan *p = pim_layout_search_run(s, price, 20000);
		CHECK(p->optimal && p->bound == p->value);
		check_bytes(g, t, p);
		twin w = {.target = t, .plan = p, .best = INFINITY, .price = price};
		w.n = list_values(g, w.value);
		try_states(&w, 0, 0);
		CHECK(fabs(w.best - p->value) <= 1e-6 * w.best);
		looked += w.looked;
		const pim_layout_plan *narrow = pim_layout_search_run(s, price, 3);
		CHECK(narrow->value >= p->value - 1e-6 * p->value);
		CHECK(narrow->bound <= p->value + 1e-6 * p->value);
		proved += narrow->optimal;
		cut += narrow->steps != p->steps;
		check_dual(s, p, price);
		for (int kind = PIM_LAYOUT_rows; kind <= PIM_LAYOUT_full; kind++) {
			const pim_layout_plan *u = pim_layout_search_uniform(s, (pim_layout_kind)kind);
			CHECK(price > 0 || u->cycles >= p->cycles - 1e-6 * p->cycles);
		}
		check_each(s, g, t, price);
		pim_context_free(c);
	}
	printf("%d graphs: optimum equal, %ld incumbents, %d narrow searches proved\n", CASES, looked,
		proved);
	CHECK(proved > CASES / 2 && cut > CASES / 2);
	return check_failures != 0;
}
