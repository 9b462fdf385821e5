/* SPDX-License-Identifier: Apache-2.0 */
/* layout_memory.c - what the units must hold under a plan.
 *
 * Constants stay for the whole run: each unit holds the boxes that its slices read, equal ones
 * once. Values live from their node to their last user, inputs from the beginning to the end,
 * fetched boxes of inputs while a node runs. The search is made to look for plans that fit by a
 * price on the bytes of constants, and when that alone does not do, on those of values too.
 */
#include <math.h>

#include "passes/layout_search.h"

enum { COMBINATIONS = 20000, DOUBLINGS = 24, BISECTIONS = 8 };
static const double FIRST_PRICE = 1e-6; /* cycles per byte */

typedef struct memory {
	const pim_target *target;
	const pim_layout_plan *plan;
	pim_arena *arena;
	pim_map *given;	  /* boxes that a unit has */
	int64_t *weights; /* by unit */
} memory;

typedef struct given_key {
	int64_t unit, constant;
	int64_t lo[PIM_MAX_RANK], hi[PIM_MAX_RANK];
} given_key;

static void give(memory *m, const pim_node *constant, int64_t slice, const pim_box *need)
{
	if (pim_box_empty(need))
		return;
	int unit = (int)(slice % m->target->units);
	given_key key = {.unit = unit, .constant = constant->id};
	for (int d = 0; d < need->n; d++) {
		key.lo[d] = need->lo[d];
		key.hi[d] = need->hi[d];
	}
	if (pim_map_put(m->given, &key, sizeof key, m))
		return;
	m->weights[unit] += pim_box_elements(need) * (int64_t)pim_dtype_bytes(constant->type->dtype);
}

static void give_constants(memory *m, pim_node *n)
{
	bool reads = false;
	for (int i = 0; i < (int)n->n_in; i++)
		reads = reads || (n->in[i] && n->in[i]->op == PIM_OP_constant);
	if (!reads || n->type->n_parts > 0)
		return;
	const pim_state *s = &m->plan->states[n->id]->state[m->plan->own[n->id]];
	pim_plan plan = {.layout = (pim_layout *)(uintptr_t)&s->layout};
	pim_node shadow = *n;
	shadow.plan = &plan;
	const pim_axes *x = pim_axes_new(n, m->arena);
	for (int64_t k = 0; k < s->slices; k++) {
		pim_box axes, need;
		pim_slice_axes(&shadow, x, k, &axes);
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i] && n->in[i]->op == PIM_OP_constant) {
				pim_axes_demand(x, n, i, &axes, &need, NULL, NULL);
				give(m, n->in[i], k, &need);
			}
	}
}

static int64_t find_weights(memory *m, pim_graph *g)
{
	int64_t most = 0;
	PIM_EACH_NODE(n, g)
	{
		if (!(pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf))
			give_constants(m, n);
	}
	for (int u = 0; u < m->target->units; u++)
		most = m->weights[u] > most ? m->weights[u] : most;
	return most;
}

/* Bytes of the largest of some boxes. */
static int64_t largest_box(const pim_type *t, const int64_t *box, int64_t count)
{
	int64_t most = 0;
	for (int64_t k = 0; k < count; k++, box += 2 * t->rank) {
		int64_t bytes = (int64_t)pim_dtype_bytes(t->dtype);
		for (int d = 0; d < t->rank; d++)
			bytes *= box[t->rank + d] - box[d];
		most = bytes > most ? bytes : most;
	}
	return most;
}

/* Position of the last user by id; results live to the end. */
static int *find_last_users(pim_graph *g, pim_arena *a)
{
	int *last = PIM_NEW(a, int, g->n_ids + 1), at = 0;
	PIM_EACH_NODE(n, g)
	{
		at++;
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i])
				last[n->in[i]->id] = at;
	}
	for (int r = 0; r < g->n_results; r++)
		last[g->results[r]->id] = at + 1;
	return last;
}

/* Bytes of inputs that a unit fetches from others while n runs. */
static int64_t find_fetched(const memory *m, const pim_node *n)
{
	const pim_layout_plan *p = m->plan;
	const pim_state *own = &p->states[n->id]->state[p->own[n->id]];
	int64_t sum = 0;
	for (int i = 0; i < (int)n->n_in; i++) {
		if (!n->in[i] || n->in[i]->op == PIM_OP_constant || !own->need[i])
			continue;
		const pim_type *t = n->in[i]->type;
		const pim_state *seen = &p->states[n->in[i]->id]->state[p->seen[n->in[i]->id]];
		if (pim_edge_cost(m->target, t, seen, own->need[i], own->slices).bytes > 0)
			sum += largest_box(t, own->need[i], own->slices);
	}
	return sum;
}

/* Inputs are there from the beginning, in the state they are given in. */
static int64_t find_inputs(const memory *m, const pim_graph *g)
{
	int64_t sum = 0;
	for (int i = 0; i < g->n_inputs; i++) {
		int id = (int)g->inputs[i]->id;
		sum += m->plan->states[id]->state[m->plan->own[id]].home_bytes;
	}
	return sum;
}

static int64_t find_values(memory *m, pim_graph *g)
{
	int *last = find_last_users(g, m->arena), at = 0;
	int64_t *ends = PIM_NEW(m->arena, int64_t, g->n_ids + 3), live = find_inputs(m, g), most = 0;
	PIM_EACH_NODE(n, g)
	{
		at++;
		if (n->op != PIM_OP_constant) {
			const pim_layout_plan *p = m->plan;
			const pim_state *own = &p->states[n->id]->state[p->own[n->id]];
			const pim_state *seen = &p->states[n->id]->state[p->seen[n->id]];
			int64_t moved = own == seen ? 0 : seen->home_bytes;
			int64_t made = n->op == PIM_OP_input ? 0 : own->home_bytes;
			int64_t now = live + made + find_fetched(m, n) + moved;
			int64_t stays = own == seen ? made : seen->home_bytes;
			most = now > most ? now : most;
			if (last[n->id] > at) {
				live += stays;
				ends[last[n->id]] += stays;
			}
		}
		live -= ends[at];
	}
	return most;
}

pim_layout_memory pim_layout_memory_of(pim_graph *g, const pim_target *t, const pim_layout_plan *p)
{
	memory m = {.target = t, .plan = p, .arena = pim_arena_new()};
	m.given = pim_map_new(m.arena);
	m.weights = PIM_NEW(m.arena, int64_t, t->units);
	pim_layout_memory r = {.weights = find_weights(&m, g)};
	r.values = find_values(&m, g);
	pim_arena_free(m.arena);
	return r;
}

static bool fits(pim_layout_search *s, const pim_layout_plan *p)
{
	const pim_target *t = pim_layout_search_target(s);
	pim_layout_memory m = pim_layout_memory_of(pim_layout_search_graph(s), t, p);
	return m.weights + m.values <= t->memory.bytes;
}

/* The price is raised until the plan fits and then lowered by bisection as far as it still does. */
static pim_layout_plan *find_fitting(pim_layout_search *s, bool prices_values, int64_t *steps)
{
	s->prices_values = prices_values;
	double low = FIRST_PRICE, high = FIRST_PRICE;
	pim_layout_plan *p = NULL, *best = NULL;
	for (int k = 0; k < DOUBLINGS && !best; k++) {
		low = high;
		high *= 4;
		p = pim_layout_search_run(s, high, COMBINATIONS);
		*steps += p->steps;
		if (fits(s, p))
			best = p;
	}
	if (!best)
		return p;
	for (int k = 0; k < BISECTIONS; k++) {
		double middle = sqrt(low * high);
		p = pim_layout_search_run(s, middle, COMBINATIONS);
		*steps += p->steps;
		bool good = fits(s, p);
		if (good && p->cycles <= best->cycles)
			best = p;
		*(good ? &high : &low) = middle;
	}
	return best;
}

pim_layout_plan *pim_layout_search_fit(pim_layout_search *s)
{
	pim_layout_plan *p = pim_layout_search_run(s, 0, COMBINATIONS);
	if (fits(s, p))
		return p;
	int64_t steps = p->steps;
	pim_layout_plan *best = find_fitting(s, false, &steps);
	if (!fits(s, best))
		best = find_fitting(s, true, &steps);
	s->prices_values = false;
	best->bound = p->bound;
	best->steps = steps;
	best->optimal = false;
	return best;
}
