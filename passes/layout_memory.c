/* SPDX-License-Identifier: Apache-2.0 */
/* layout_memory.c - what the units must hold under a plan.
 *
 * Constants stay for the whole run: each unit holds the boxes that its slices read, equal ones
 * once, or of a shared constant its pieces. Values live from their node to their last user, inputs
 * from the beginning to the end, fetched boxes of inputs and of shared constants while a node runs.
 * The search is made to look for plans that fit by a price on the bytes of constants, and when that
 * alone does not do, on those of values too; at a price, constants may be shared. With the layouts
 * of the plan found, the knapsack chooses anew how each constant is shared, which uses the memory
 * that is left. The bound is the best of some prices on the mean bytes of a unit:
 *
 *     min over plans (cycles + price * mean bytes of constants) - price * memory
 *
 * is at most the cycles of any plan that fits, as no unit can hold more than its memory (ours). */
#include <math.h>
#include <string.h>

#include "passes/knapsack.h"
#include "passes/layout_search.h"

enum { COMBINATIONS = 4000, DOUBLINGS = 24, BISECTIONS = 8, PARTIAL_CHOICES = 20000 };
static const double FIRST_PRICE = 1e-6; /* cycles per byte */

typedef struct memory {
	const pim_target *target;
	const pim_layout_plan *plan;
	pim_arena *arena;
	pim_map *given;	   /* boxes that a unit has */
	int64_t *weights;  /* by unit */
	pim_map *of_slots; /* boxes that a slot of the op at hand has */
	int64_t *slot;	   /* by slot: its bytes */
	int64_t all, most; /* of all slots; of any */
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
	int64_t bytes = pim_target_constant_bytes(
		pim_box_elements(need) * (int64_t)pim_dtype_bytes(constant->type->dtype));
	if (!pim_map_put(m->of_slots, &key, sizeof key, m))
		m->slot[unit] += bytes;
	if (!pim_map_put(m->given, &key, sizeof key, m))
		m->weights[unit] += bytes;
}

/* A unit has its pieces of a shared constant, whichever boxes it reads. */
static void give_pieces(memory *m, const pim_node *constant, int64_t slice)
{
	struct {
		int64_t unit, constant;
	} key = {slice % m->target->units, constant->id};
	if (!pim_map_put(m->of_slots, &key, sizeof key, m))
		m->slot[key.unit] += m->plan->share[constant->id]->bytes;
	if (!pim_map_put(m->given, &key, sizeof key, m))
		m->weights[key.unit] += m->plan->share[constant->id]->bytes;
}

static void begin_slots(memory *m)
{
	m->of_slots = pim_map_new(m->arena);
	memset(m->slot, 0, sizeof *m->slot * (size_t)m->target->units);
}

static void count_slots(memory *m)
{
	for (int u = 0; u < m->target->units; u++) {
		m->all += m->slot[u];
		m->most = pim_max(m->most, m->slot[u]);
	}
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
	begin_slots(m);
	for (int64_t k = 0; k < s->slices; k++) {
		pim_box axes, need;
		pim_slice_axes(&shadow, x, k, &axes);
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i] && n->in[i]->op == PIM_OP_constant) {
				if (m->plan->share[n->in[i]->id]) {
					give_pieces(m, n->in[i], k);
					continue;
				}
				pim_axes_demand(x, n, i, &axes, &need, NULL, NULL);
				give(m, n->in[i], k, &need);
			}
	}
	count_slots(m);
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

/* Bytes of inputs and shared constants that a unit fetches from others while n runs. */
static int64_t find_fetched(const memory *m, const pim_node *n)
{
	const pim_layout_plan *p = m->plan;
	const pim_state *own = &p->states[n->id]->state[p->own[n->id]];
	int64_t sum = 0;
	for (int i = 0; i < (int)n->n_in; i++) {
		if (n->in[i] && p->share[n->in[i]->id])
			sum += p->share[n->in[i]->id]->staged;
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
	m.slot = PIM_NEW(m.arena, int64_t, t->units);
	pim_layout_memory r = {.weights = find_weights(&m, g)};
	r.mean = m.all / t->units;
	r.spread = r.mean + m.most;
	r.values = find_values(&m, g);
	pim_arena_free(m.arena);
	return r;
}

static int64_t find_room(pim_layout_search *s, const pim_layout_plan *p)
{
	pim_layout_memory m = pim_layout_memory_of(s->graph, s->target, p);
	if (s->spreads)
		return pim_target_usable_bytes(s->target) - m.spread - m.values;
	return s->target->memory.bytes - s->reserve - m.weights - m.values;
}

void pim_layout_search_spread(pim_layout_search *s)
{
	s->spreads = true;
}

static bool fits(pim_layout_search *s, const pim_layout_plan *p)
{
	return find_room(s, p) >= 0;
}

/* What all runs for one graph came to. */
typedef struct tally {
	int64_t steps;
	double price; /* of the plan found */
} tally;

static pim_layout_plan *run_at(pim_layout_search *s, double price, tally *y)
{
	pim_layout_plan *p = pim_layout_search_run(s, price, COMBINATIONS);
	y->steps += p->steps;
	return p;
}

/* The price is raised until the plan fits and then lowered by bisection as far as it still does. */
static pim_layout_plan *find_fitting(pim_layout_search *s, bool prices_values, tally *y)
{
	s->prices_values = prices_values;
	double low = FIRST_PRICE, high = FIRST_PRICE;
	pim_layout_plan *p = NULL, *best = NULL;
	for (int k = 0; k < DOUBLINGS && !best; k++) {
		low = high;
		high *= 4;
		p = run_at(s, high, y);
		if (fits(s, p))
			best = p;
	}
	y->price = high;
	if (!best)
		return p;
	for (int k = 0; k < BISECTIONS; k++) {
		double middle = sqrt(low * high);
		p = run_at(s, middle, y);
		bool good = fits(s, p);
		if (good && p->cycles <= best->cycles) {
			best = p;
			y->price = middle;
		}
		*(good ? &high : &low) = middle;
	}
	return best;
}

/* ---- how each constant is shared, the layouts being what they are ---- */

/* A constant that can be shared: an item for each way. */
typedef struct shareable {
	const pim_node *constant;
	const pim_sharing *sharing;
	pim_item item[PIM_MAX_SHARES];
} shareable;

static int list_shareable(const pim_layout_search *s, const pim_layout_plan *p, shareable *list)
{
	int count = 0;
	PIM_EACH_NODE(n, s->graph)
	{
		const pim_state *own = p->states[n->id] ? &p->states[n->id]->state[p->own[n->id]] : NULL;
		for (int i = 0; own && i < own->n_sharings; i++) {
			const pim_sharing *k = &own->sharing[i];
			if (k->n < 2)
				continue;
			shareable *c = &list[count++];
			*c = (shareable){.constant = n->in[k->input], .sharing = k};
			for (int w = 0; w < k->n; w++)
				c->item[w] = (pim_item){k->share[w].bytes, k->share[w].cycles};
		}
	}
	return count;
}

/* What is left for shareable constants, when all of them are fetched as if they were shared. */
static int64_t find_capacity(
	pim_layout_search *s, pim_layout_plan *p, const shareable *list, int n, pim_arena *a)
{
	for (int k = 0; k < n; k++) {
		pim_share *weightless = PIM_NEW(a, pim_share, 1);
		*weightless = list[k].sharing->share[list[k].sharing->n - 1];
		weightless->bytes = 0;
		p->share[list[k].constant->id] = weightless;
	}
	return find_room(s, p);
}

static void share_anew(pim_layout_search *s, pim_layout_plan *p)
{
	pim_arena *a = pim_arena_new();
	shareable *list = PIM_NEW(a, shareable, s->n_ids + 1);
	int n = list_shareable(s, p, list);
	const pim_share **before = PIM_NEW(a, const pim_share *, s->n_ids + 1);
	memcpy(before, p->share, sizeof *before * (size_t)s->n_ids);
	double cycles = p->cycles;
	int64_t capacity = find_capacity(s, p, list, n, a);
	pim_item_class *class = PIM_NEW(a, pim_item_class, n + 1);
	for (int k = 0; k < n; k++)
		class[k] = (pim_item_class){list[k].sharing->n, list[k].item};
	pim_knapsack_answer r = pim_knapsack_solve(n, class, capacity, PARTIAL_CHOICES, a);
	for (int k = 0; k < n && r.feasible; k++) {
		const pim_share *share = &list[k].sharing->share[r.chosen[k]];
		p->share[list[k].constant->id] = share->degree > 1 ? share : NULL;
	}
	pim_layout_plan_add_up(s, p);
	if (!r.feasible || p->cycles >= cycles || !fits(s, p)) {
		memcpy(p->share, before, sizeof *before * (size_t)s->n_ids);
		pim_layout_plan_add_up(s, p);
	}
	pim_arena_free(a);
}

/* Proved by prices around the one that was found. */
static double find_bound(pim_layout_search *s, double bound, tally *y)
{
	s->weighs = PIM_WEIGHS_mean;
	s->prices_values = false;
	for (double price = y->price / 16; price < y->price * 8; price *= 2) {
		const pim_layout_plan *p = run_at(s, price, y);
		bound = fmax(bound, p->bound - price * (double)s->target->memory.bytes);
	}
	s->weighs = PIM_WEIGHS_fullest;
	return bound;
}

pim_layout_plan *pim_layout_search_fit(pim_layout_search *s)
{
	pim_layout_plan *p = pim_layout_search_run(s, 0, COMBINATIONS);
	if (fits(s, p))
		return p;
	tally y = {.steps = p->steps};
	pim_layout_search_share(s);
	s->reserve = s->target->memory.bytes - pim_target_usable_bytes(s->target);
	pim_layout_plan *best = find_fitting(s, false, &y);
	if (!fits(s, best))
		best = find_fitting(s, true, &y);
	if (fits(s, best))
		share_anew(s, best);
	s->reserve = 0;
	best->bound = find_bound(s, p->bound, &y);
	best->steps = y.steps;
	best->optimal = false;
	return best;
}

void pim_layout_search_fit_shares(pim_layout_search *s, pim_layout_plan *p)
{
	if (fits(s, p))
		return;
	pim_layout_search_share(s);
	s->reserve = s->target->memory.bytes - pim_target_usable_bytes(s->target);
	for (double price = 1e-6; !fits(s, p) && price < 1e6; price *= 4) {
		pim_layout_plan_share(s, p, price);
		pim_layout_plan_add_up(s, p);
	}
	if (fits(s, p))
		share_anew(s, p);
	s->reserve = 0;
}
