/* SPDX-License-Identifier: Apache-2.0 */
/* fusion_map.c - how ops are put in groups and which tiles the groups get: greedy tiles against all
 * tiles, greedy groups against all ways to cut a chain, and the promised cycles of a group against
 * those that the simulator counts for its command code. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"
#include "targets/sim.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { CASES = 60, MOST_OPS = 5 };

typedef struct chain {
	pim_context *context;
	pim_arena *arena;
	pim_target target;
	pim_graph *g;
	int n;
	pim_node *node[MOST_OPS];
	int64_t evaluated;
} chain;

static pim_node *weights(chain *c, int rank, const int64_t *dims)
{
	const pim_type *t = pim_type_tensor(c->context, PIM_DTYPE_f32, rank, dims);
	float *data = calloc((size_t)t->elements, sizeof *data);
	pim_node *n = pim_constant_new(c->g, t, data, NULL);
	free(data);
	return n;
}

static pim_node *draw_op(chain *c, pim_node *x)
{
	int64_t last = x->type->dims[1], out = draw_in(4, 40);
	pim_node *w;
	switch (draw_in(0, 4)) {
	case 0:
		w = weights(c, 2, (int64_t[]){last, out});
		return pim_node_make(c->g, PIM_OP_matmul, 2, (pim_node *[]){x, w}, NULL);
	case 1:
		w = weights(c, 1, &last);
		return pim_node_make(c->g, PIM_OP_add, 2, (pim_node *[]){x, w}, NULL);
	case 2:
		x = pim_node_make(c->g, PIM_OP_softmax, 1, &x, NULL);
		pim_node_set_int(x, "axis", 1);
		return x;
	case 3:
		return pim_node_make(c->g, PIM_OP_erf, 1, &x, NULL);
	default:
		return pim_node_make(c->g, PIM_OP_relu, 1, &x, NULL);
	}
}

static void decide(pim_node *n)
{
	pim_layout *l = PIM_NEW(n->graph->module->arena, pim_layout, 1);
	*l = (pim_layout){.rank = 2, .parts = {1, 1}, .sums = 1, .copies = 1};
	pim_plan *p = pim_node_plan(n);
	p->layout = l;
	p->n_units = 1;
	p->unit = PIM_NEW(n->graph->module->arena, int, 1);
}

/* A chain of ops on one unit, each with its nest alone. */
static chain draw_chain(int64_t buffer_bytes)
{
	chain c = {.context = pim_context_new(), .arena = pim_arena_new(), .n = draw_in(2, MOST_OPS)};
	c.g = pim_graph_new(pim_module_new(c.context), "main");
	c.target = *pim_target_find(c.context, "stack3d");
	c.target.buffer.bytes = buffer_bytes;
	c.g->limits = pim_target_limits(&c.target);
	int64_t dims[2] = {draw_in(8, 60), draw_in(8, 60)};
	pim_node *x = pim_input_new(c.g, "x", pim_type_tensor(c.context, PIM_DTYPE_f32, 2, dims));
	decide(x);
	for (int i = 0; i < c.n; i++) {
		x = c.node[i] = draw_op(&c, x);
		CHECK(pim_node_infer(x));
		decide(x);
		x->plan->cycles = 1;
		x->plan->nest = pim_nest_choose(&c.target, x, PIM_NEST_exhaustive, c.arena, &c.evaluated);
	}
	pim_graph_add_result(c.g, x);
	return c;
}

static void end_chain(chain *c)
{
	pim_arena_free(c->arena);
	pim_context_free(c->context);
}

/* Cycles of the ops from..to-1 as one group; INFINITY when they cannot be one. */
static double cost_of(chain *c, int from, int to, pim_nest_method method, pim_nest **nest)
{
	if (to - from == 1)
		return (double)c->node[from]->plan->nest->cycles;
	bool *stored = PIM_NEW(c->arena, bool, c->g->n_ids);
	stored[c->node[to - 1]->id] = true;
	const pim_fusion *f = pim_fusion_new(to - from, c->node + from, stored, c->arena);
	bool good = !f->why && pim_fusion_choose(&c->target, f, method, nest, c->arena, &c->evaluated);
	return good ? (double)nest[0]->cycles : INFINITY;
}

typedef struct tally {
	int n;
	double sum, worst;
} tally;

static void add(tally *t, double ratio)
{
	t->n++;
	t->sum += ratio;
	t->worst = ratio > t->worst ? ratio : t->worst;
}

/* Greedy tiles are never better than the best, and seldom much worse. */
static void test_tiles(tally *all)
{
	chain c = draw_chain(draw_in(0, 1) ? 8192 : 32768);
	pim_nest *nest[MOST_OPS];
	double best = cost_of(&c, 0, c.n, PIM_NEST_exhaustive, nest);
	double greedy = cost_of(&c, 0, c.n, PIM_NEST_greedy, nest);
	if (best < INFINITY && greedy < INFINITY) {
		CHECK(greedy >= best);
		add(all, greedy / best);
	}
	end_chain(&c);
}

/* The least sum over all ways to cut the ops from `from` on into groups. */
static double best_cut(chain *c, int from)
{
	pim_nest *nest[MOST_OPS];
	double best = from == c->n ? 0 : INFINITY;
	for (int to = from + 1; to <= c->n; to++)
		best = fmin(best, cost_of(c, from, to, PIM_NEST_greedy, nest) + best_cut(c, to));
	return best;
}

static double count_cycles(const chain *c)
{
	double sum = 0;
	for (int i = 0; i < c->n; i++)
		sum += (double)c->node[i]->plan->nest->cycles;
	return sum;
}

static void test_groups(tally *all)
{
	chain c = draw_chain(draw_in(0, 1) ? 8192 : 32768);
	double alone = count_cycles(&c), best = best_cut(&c, 0);
	int groups = 0, kept = 0;
	pim_fusion_grow(c.g, &c.target, PIM_NEST_greedy, c.arena, &c.evaluated, &groups, &kept);
	double greedy = count_cycles(&c);
	CHECK(greedy <= alone && greedy >= best);
	CHECK(pim_verify_mapped(c.g));
	add(all, greedy / best);
	end_chain(&c);
}

/* What a chain is promised to take, and what its command code takes. */
static void test_promise(tally *all)
{
	chain c = draw_chain(65536);
	int groups = 0, kept = 0;
	pim_fusion_grow(c.g, &c.target, PIM_NEST_greedy, c.arena, &c.evaluated, &groups, &kept);
	double promised = count_cycles(&c);
	CHECK(pim_target_lower(&c.target, c.g, PIM_BARRIERS_none, c.arena));
	pim_sim_options o = {0};
	pim_sim_report *r = pim_sim_run(c.g->code, &o, c.arena);
	CHECK(r != NULL);
	if (r)
		add(all, fabs(promised / (double)r->cycles - 1));
	end_chain(&c);
}

int main(void)
{
	draw_state = 4711;
	tally tiles = {0}, groups = {0}, promise = {0};
	for (int i = 0; i < CASES; i++) {
		test_tiles(&tiles);
		test_groups(&groups);
		test_promise(&promise);
	}
	printf("%d chains: greedy / best tiles mean %.4f, worst %.4f; groups mean %.4f, worst %.4f; "
		   "promised cycles off by %.1f %%, at worst %.1f %%\n",
		CASES, tiles.sum / tiles.n, tiles.worst, groups.sum / groups.n, groups.worst,
		100 * promise.sum / promise.n, 100 * promise.worst);
	CHECK(tiles.n > CASES / 3 && tiles.sum / tiles.n < 1.02);
	CHECK(groups.sum / groups.n < 1.005);
	CHECK(promise.sum / promise.n < 0.1);
	return check_failures != 0;
}
