/* SPDX-License-Identifier: Apache-2.0 */
/* lowering.c - random programs with random legal decisions, lowered and simulated: the values must
 * be the evaluator's, whatever the layouts, tiles, orders, units and waves, also where ops run at
 * the same time. Nothing here comes from a pass, so what a decision means is tested apart from who
 * makes it. What the lowering expects, in the order of writing, is what the simulator counts, in
 * the order of time, of what was written: the same cycles; and the critical path has every cycle
 * of the run once. Where little is written ahead of the network, what is expected is near. */
#include <math.h>
#include <stdlib.h>

#include "tests/unit/check_results.h"
#include "tests/unit/random_decisions.h"

enum { ROUNDS = 1000, MOST_NODES = 9 };

static void print_message(void *user, const pim_diag *d)
{
	fprintf(stderr, "seed %d: %s\n", *(int *)user, d->message);
}

/* Nodes that add up partial sums along a tree. */
static int count_trees(const pim_target *t, pim_graph *g)
{
	int trees = 0;
	PIM_EACH_NODE(n, g)
	if (n->op == PIM_OP_relayout && n->in[0]->plan->layout->sums > 1)
		trees += pim_sums_best(t, n, (pim_crew_sizes){1, 1}) != PIM_SUMS_straight;
	return trees;
}

/* ---- one round ---- */

typedef struct tally {
	int lowered, exact;		/* programs; those that ran as expected to the cycle */
	int trees;				/* of partial sums */
	int close, close_exact; /* with the network close behind */
	double parts;			/* of the cycles of these, as they were expected, in all */
} tally;

static void count_estimate(const pim_sim_report *r, tally *t)
{
	t->exact += pim_sim_estimate_of(r).estimated == r->cycles;
}

static void check_path(const pim_sim_report *r, const pim_sim_path *path, pim_arena *a)
{
	const pim_sim_share *share = pim_sim_path_shares(path, a);
	int64_t estimated = 0, simulated = 0, by_cause = 0;
	for (int i = 0; i < r->program->n_tasks; i++) {
		estimated += share[i].estimated;
		simulated += share[i].path;
		for (int k = 0; k < PIM_SIM_CAUSE_COUNT; k++) {
			by_cause += share[i].cause[k];
			CHECK(share[i].cause[k] >= 0);
		}
	}
	CHECK(simulated == r->cycles && by_cause == r->cycles);
	CHECK(estimated == pim_sim_estimate_of(r).estimated);
}

/* What the tasks say of the run. */
static int64_t end_of(const pim_program *p)
{
	int64_t end = 0;
	for (int i = 0; i < p->n_tasks; i++)
		end = pim_max(end, p->task[i].start + p->task[i].cycles);
	return end;
}

/* The same program with the network close behind the writing: what is written after the time at
 * which it would have started starts late, and the end is near that of the run. */
static void check_close(const pim_target *t, pim_graph *g, int round, int64_t cycles, tally *sum)
{
	pim_arena *a = pim_arena_new();
	CHECK(pim_target_lower_ahead(t, g, (pim_barriers)(round % 3), 1, a));
	double part = (double)end_of(g->code) / (double)cycles;
	CHECK(part > 0.85 && part < 1.6);
	sum->close++;
	sum->parts += part;
	sum->close_exact += end_of(g->code) == cycles;
	pim_arena_free(a);
}

static void check_bus(const pim_target *t, pim_graph *g, int round, tally *sum)
{
	pim_arena *a = pim_arena_new();
	pim_target bus = *t;
	bus.network.topology = PIM_TOPOLOGY_bus;
	CHECK(pim_target_lower(&bus, g, (pim_barriers)(round % 3), a));
	pim_sim_report *r = pim_sim_run(g->code, &(pim_sim_options){0}, a);
	CHECK(r && end_of(g->code) == r->cycles);
	if (r)
		check_close(&bus, g, round, r->cycles, sum);
	pim_arena_free(a);
}

static void check_round(int round, int64_t buffer_bytes, bool verbose, tally *sum)
{
	seed = (uint64_t)round * 7919 + 1;
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, print_message, &round);
	pim_module *m = pim_module_new(c);
	pim_graph *g = pim_graph_new(m, "main");
	pim_arena *a = pim_arena_new();
	pim_target t = *pim_target_find(c, "stack3d");
	t.buffer.bytes = buffer_bytes;
	if (round % 4 == 1) { /* messages are slow and cost nothing else: they are cut tile by tile */
		t.memory.latency = 0;
		t.network.link_bytes_per_cycle = 0.01;
	}
	g->limits = pim_target_limits(&t);
	draw_program(g, c, MOST_NODES);
	decide(g, &t, a);
	if (round / 3 % 2)
		let_overlap(g);
	if (verbose)
		fprintf(stderr, "%s\n", pim_module_print(m));
	pim_tensor in = {
		g->inputs[0]->type, pim_arena_alloc(a, (size_t)pim_type_bytes(g->inputs[0]->type))};
	pim_tensor_random(&in, 3);
	pim_tensor *want = PIM_NEW(a, pim_tensor, g->n_results);
	CHECK(pim_graph_eval(g, &in, want, a));
	sum->trees += count_trees(&t, g);
	bool lowered = pim_target_lower(&t, g, (pim_barriers)(round % 3), a);
	if (lowered) {
		CHECK(pim_program_verify(g->code));
		pim_sim_path *path = pim_sim_path_new(g->code);
		pim_sim_options o = {.values = true, .check = true, .input = &in, .path_of = path};
		pim_sim_report *r = pim_sim_run(g->code, &o, a);
		CHECK(r != NULL);
		if (r) {
			check_results(g, r, want, round);
			count_estimate(r, sum);
			check_path(r, path, a);
			check_close(&t, g, round, r->cycles, sum);
		}
		pim_sim_path_free(path);
		if (round % 5 == 0)
			check_bus(&t, g, round, sum);
	}
	sum->lowered += lowered;
	pim_arena_free(a);
	pim_context_free(c);
}

int main(int argc, char **argv)
{
	tally t = {0};
	if (argc > 1) { /* one seed, shown */
		check_round(atoi(argv[1]), argc > 2 ? atoi(argv[2]) : 262144, true, &t);
		return check_failures != 0;
	}
	for (int i = 0; i < ROUNDS; i++)
		check_round(i, i % 3 ? 262144 : 4096, false, &t);
	printf("%d of %d random programs were lowered and simulated, %d as expected to the cycle; %d "
		   "trees of partial sums\n",
		t.lowered, ROUNDS, t.exact, t.trees);
	printf("%d with the network close behind, %d as expected, in the mean %.4f of the cycles\n",
		t.close, t.close_exact, t.parts / t.close);
	CHECK(t.lowered == ROUNDS && t.exact == ROUNDS && t.trees > 50);
	CHECK(fabs(t.parts / t.close - 1) < 0.03 && t.close_exact < t.close);
	return check_failures != 0;
}
