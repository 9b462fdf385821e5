/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_moves - layouts of what only moves, against all combinations of layouts: attention with
 * random mappings on random machines. */
#include "passes/mapper.h"

#include <math.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/draw.h"
#include "tests/unit/small_networks.h"

enum { MOST_MOVES = 4, MOST_LAYOUTS = 32 };

typedef struct twin {
	const pim_mapper *m;
	pim_graph *g;
	int n, n_layouts[MOST_MOVES];
	pim_node *move[MOST_MOVES];
	pim_layout layout[MOST_MOVES][MOST_LAYOUTS];
	double least;
	long combinations;
} twin;

static bool is_move(const twin *w, const pim_node *n)
{
	return !(pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf) && w->m->group_of[n->id] < 0;
}

/* All that moves read, and all that is read of them. */
static double cycles_of(const twin *w)
{
	double sum = 0;
	PIM_EACH_NODE(n, w->g)
	for (uint32_t i = 0; i < n->n_in; i++) {
		const pim_node *in = n->in[i];
		if (!in || in->op == PIM_OP_constant || n->op == PIM_OP_constant)
			continue;
		if (!is_move(w, n) && !is_move(w, in))
			continue;
		int units = in->plan->n_units;
		bool same = units == n->plan->n_units &&
					(units == w->m->units || (is_move(w, n) && pim_node_ridden(n)));
		pim_arena *a = pim_arena_new();
		pim_estimate e =
			pim_input_estimate(w->m->target, n, (int)i, same ? PIM_CREWS_same : PIM_CREWS_apart, a);
		sum += (double)(e.incoming + e.compute) * (double)e.waves;
		pim_arena_free(a);
	}
	return sum;
}

static void try_all(twin *w, int k)
{
	if (k == w->n || k == MOST_MOVES) {
		w->least = fmin(w->least, cycles_of(w));
		w->combinations++;
		return;
	}
	for (int i = 0; i < w->n_layouts[k]; i++) {
		*w->move[k]->plan->layout = w->layout[k][i];
		try_all(w, k + 1);
	}
}

static void add_layout(twin *w, int k, const pim_layout *l)
{
	for (int i = 0; i < w->n_layouts[k]; i++)
		if (pim_layout_equal(&w->layout[k][i], l))
			return;
	if (w->n_layouts[k] < MOST_LAYOUTS && l->sums == 1 && l->copies == 1)
		w->layout[k][w->n_layouts[k]++] = *l;
}

/* As what it reads and as what reads it is cut, and others. */
static void list_layouts(twin *w, int k, pim_arena *a)
{
	pim_node *n = w->move[k];
	add_layout(w, k, n->plan->layout);
	pim_layout l = pim_mapper_layout_of(w->m, n->in[0], n->in[0]->plan->layout, n);
	add_layout(w, k, &l);
	PIM_EACH_NODE(u, w->g)
	for (uint32_t i = 0; i < u->n_in; i++)
		if (u->in[i] == n) {
			l = pim_mapper_layout_of(w->m, u, u->plan->layout, n);
			add_layout(w, k, &l);
		}
	const pim_states *s =
		pim_states_new(n, w->m->target, NULL, n->plan->layout->parts, n->plan->n_units, NULL, a);
	for (int i = 0; i < s->n; i++)
		add_layout(w, k, &s->state[i].layout);
}

/* Settled, against the best of all. */
static double check_plan(long *combinations, bool *best)
{
	net n = make_net(4, PIM_FOLLOWERS_share, PIM_MAPPER_overlap);
	pim_mapper_plan *p = pim_mapper_plan_new(n.m, n.m->arena);
	for (int i = 0; i < n.m->n; i++)
		p->choice[i] = &n.m->group[i].choice[draw_in(0, n.m->group[i].n_choices - 1)];
	pim_mapper_evaluate(n.m, PIM_MAPPER_overlap, p);
	pim_mapper_write(n.m, p, n.m->graph);
	twin w = {.m = n.m, .g = n.m->graph, .least = INFINITY};
	PIM_EACH_NODE(node, w.g)
	if (is_move(&w, node) && w.n < MOST_MOVES)
		w.move[w.n++] = node;
	double found = cycles_of(&w);
	for (int k = 0; k < w.n; k++)
		list_layouts(&w, k, n.m->arena);
	try_all(&w, 0);
	*combinations += w.n ? w.combinations : 0;
	*best = w.n && found <= w.least * (1 + 1e-9);
	CHECK(found >= w.least * (1 - 1e-9));
	double ratio = w.n && w.least > 0 ? found / w.least : 0;
	pim_context_free(n.c);
	return ratio;
}

int main(void)
{
	long combinations = 0;
	int plans = 0, best = 0;
	double most = 1, sum = 0;
	draw_state = 23;
	for (int k = 0; k < 300; k++) {
		bool is_best;
		double ratio = check_plan(&combinations, &is_best);
		if (ratio == 0)
			continue;
		plans++;
		best += is_best;
		sum += ratio;
		most = fmax(most, ratio);
	}
	printf("%d plans, %ld combinations: %d the best, %.4f of it on the mean, %.3f at most\n", plans,
		combinations, best, sum / plans, most);
	CHECK(plans > 60 && best > plans * 4 / 5 && sum / plans < 1.03);
	return check_failures != 0;
}
