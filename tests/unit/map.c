/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - greedy nests against an exhaustive search of this file's own, on small random ops.
 *
 * The twin knows no formula for reuse: it walks the tiles of a nest one by one, remembers which
 * tile of each operand is in the buffer and charges a load when another is wanted. */
#include <math.h>
#include <string.h>

#include "passes/pass.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { CASES = 60, MAX_LOOPS = 8 };

typedef struct twin {
	const pim_target *target;
	const pim_node *node;
	const pim_axes *axes;
	int n_free, n_summed;
	int free_axis[MAX_LOOPS], summed_axis[MAX_LOOPS];
	int64_t tile[PIM_MAX_AXES];
	double best;
	long nests;
} twin;

static int64_t count_of(const twin *w, int axis)
{
	return (w->axes->axis[axis].size + w->tile[axis] - 1) / w->tile[axis];
}

/* Which tile of operand i is wanted at this place of all loops: the loop values that index it. */
static uint64_t tile_name(const twin *w, int i, const int64_t *at)
{
	uint64_t name = 1;
	for (int a = 0; a < w->axes->n_axes; a++) {
		bool used = false;
		for (int d = 0; d < PIM_MAX_RANK; d++)
			for (int t = 0; t < w->axes->map[i][d].n; t++)
				used = used || w->axes->map[i][d].term[t].axis == a;
		name = name * 1009 + (used ? (uint64_t)at[a] : 0);
	}
	return name;
}

/* Cycles of the tiles walked in this order of axes, outer to inner. */
static double walk(const twin *w, const int *order, int n)
{
	int inputs = (int)w->node->n_in;
	int64_t at[PIM_MAX_AXES] = {0};
	uint64_t held[4] = {0};
	double memory = 0, work = 0, once[4], first = 0;
	long tiles = 0;
	for (int i = 0; i <= inputs; i++)
		once[i] = (double)pim_target_memory_cycles(
			w->target, pim_nest_operand_bytes(w->node, w->axes, i, w->tile));
	for (int i = 0; i < inputs; i++)
		first += once[i];
	for (;;) {
		tiles++;
		for (int i = 0; i <= inputs; i++)
			if (held[i] != tile_name(w, i, at)) {
				held[i] = tile_name(w, i, at);
				memory += once[i];
			}
		work += (double)(pim_target_kernel_cycles(w->target, w->node, w->axes, w->tile) +
						 w->target->command_cycles);
		int k = n - 1;
		while (k >= 0 && ++at[order[k]] == count_of(w, order[k]))
			at[order[k--]] = 0;
		if (k < 0)
			break;
	}
	return tiles == 1 ? memory + work : fmax(memory, work) + first + once[inputs];
}

static bool fits(const twin *w)
{
	int64_t sum = 0;
	bool one = true;
	for (int a = 0; a < w->axes->n_axes; a++)
		one = one && w->tile[a] >= w->axes->axis[a].size;
	for (int i = 0; i <= (int)w->node->n_in; i++)
		sum += (pim_nest_operand_bytes(w->node, w->axes, i, w->tile) + 63) / 64 * 64;
	return (one ? 1 : 2) * sum <= w->target->buffer.bytes;
}

static void try_orders(twin *w, int *order, int done)
{
	if (done == w->n_free) {
		memcpy(order + done, w->summed_axis, (size_t)w->n_summed * sizeof *order);
		double cycles = walk(w, order, w->n_free + w->n_summed);
		w->nests++;
		w->best = fmin(w->best, cycles);
		return;
	}
	for (int k = 0; k < w->n_free; k++) {
		bool used = false;
		for (int m = 0; m < done; m++)
			used = used || order[m] == w->free_axis[k];
		if (used)
			continue;
		order[done] = w->free_axis[k];
		try_orders(w, order, done + 1);
	}
}

static void try_tiles(twin *w, int axis)
{
	if (axis == w->axes->n_axes) {
		int order[2 * MAX_LOOPS];
		if (fits(w))
			try_orders(w, order, 0);
		return;
	}
	int64_t size = w->axes->axis[axis].size, last = 0;
	bool whole = w->axes->axis[axis].kind == PIM_AXIS_coupled;
	for (int64_t count = 1; count <= (whole ? 1 : size); count++) {
		w->tile[axis] = (size + count - 1) / count;
		if (w->tile[axis] == last)
			continue;
		last = w->tile[axis];
		try_tiles(w, axis + 1);
	}
}

static double find_best(const pim_target *t, const pim_node *n, pim_arena *a, long *nests)
{
	twin w = {.target = t, .node = n, .axes = pim_axes_new(n, a), .best = INFINITY};
	for (int k = 0; k < w.axes->n_axes; k++) {
		if (w.axes->axis[k].kind == PIM_AXIS_summed)
			w.summed_axis[w.n_summed++] = k;
		else if (w.axes->axis[k].kind != PIM_AXIS_coupled && w.axes->axis[k].size > 1)
			w.free_axis[w.n_free++] = k;
	}
	try_tiles(&w, 0);
	*nests += w.nests;
	return w.best;
}

static const pim_target *small_machine(pim_arena *a)
{
	pim_target *t = PIM_NEW(a, pim_target, 1);
	t->name = "small";
	t->units = 1;
	t->network.size[0] = t->network.size[1] = t->network.size[2] = 1;
	t->network.link_bytes_per_cycle = 16;
	t->memory = (pim_memory){1 << 26, draw_in(4, 64), draw_in(1, 20), 0, 0};
	t->buffer = (pim_memory){draw_in(200, 3000), 128, 1, 0, 0};
	t->matrix.rows = t->matrix.columns = draw_in(2, 8);
	t->matrix.fill_cycles = draw_in(0, 32);
	t->vector.lanes = 4;
	t->vector.start_cycles = 4;
	t->command_cycles = 1;
	return t;
}

static pim_node *random_op(pim_graph *g)
{
	if (draw_in(0, 1)) {
		int64_t m = draw_in(1, 12), n = draw_in(1, 12), k = draw_in(1, 12);
		pim_node *in[2] = {
			pim_input_new(
				g, "a", pim_type_tensor(pim_graph_context(g), PIM_DTYPE_f32, 2, (int64_t[]){m, k})),
			pim_input_new(g, "b",
				pim_type_tensor(pim_graph_context(g), PIM_DTYPE_f32, 2, (int64_t[]){k, n}))};
		return pim_node_new(g, "matmul", 2, in, NULL);
	}
	int64_t c = draw_in(1, 4), k = draw_in(1, 5), size = draw_in(3, 7), kernel = draw_in(1, 3);
	pim_node *in[2] = {
		pim_input_new(g, "a",
			pim_type_tensor(pim_graph_context(g), PIM_DTYPE_f32, 4, (int64_t[]){1, c, size, size})),
		pim_input_new(g, "b",
			pim_type_tensor(
				pim_graph_context(g), PIM_DTYPE_f32, 4, (int64_t[]){k, c, kernel, kernel}))};
	return pim_node_new(g, "conv", 2, in, NULL);
}

static void lay_out_whole(pim_node *n)
{
	pim_layout *l = PIM_NEW(n->graph->module->arena, pim_layout, 1);
	*l = (pim_layout){.rank = n->type->rank, .sums = 1, .copies = 1};
	for (int d = 0; d < PIM_MAX_RANK; d++)
		l->parts[d] = 1;
	pim_node_plan(n)->layout = l;
}

int main(void)
{
	draw_state = 12345;
	double sum = 0, worst = 1;
	int counted = 0;
	long nests = 0;
	for (int k = 0; k < CASES; k++) {
		pim_context *c = pim_context_new();
		pim_graph *g = pim_graph_new(pim_module_new(c), "main");
		pim_arena *a = g->module->arena;
		pim_node *n = random_op(g);
		CHECK(pim_node_infer(n));
		lay_out_whole(n);
		const pim_target *t = small_machine(a);
		double best = find_best(t, n, a, &nests);
		int64_t evaluated = 0;
		const pim_nest *greedy = pim_nest_choose(t, n, PIM_NEST_greedy, a, &evaluated);
		const pim_nest *all = pim_nest_choose(t, n, PIM_NEST_exhaustive, a, &evaluated);
		if (isfinite(best)) {
			CHECK(all->cycles == (int64_t)ceil(best));
			CHECK(greedy->cycles >= all->cycles);
			CHECK((double)greedy->cycles <= 1.3 * best);
			double ratio = (double)greedy->cycles / ceil(best);
			sum += ratio;
			worst = fmax(worst, ratio);
			counted++;
		}
		pim_context_free(c);
	}
	printf("%d ops, %ld nests walked: greedy / best mean %.4f, worst %.4f\n", counted, nests,
		sum / counted, worst);
	CHECK(counted > CASES / 2);
	return check_failures != 0;
}
