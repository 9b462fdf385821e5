/* SPDX-License-Identifier: Apache-2.0 */
/* branch_latency.c - what one branch of a set takes on p units, and the problem of degrees made of
 * it.
 *
 * Idea: the members of a set are taken out of the graph, what they read from outside becoming
 * inputs that lie as they are wanted, and laid out at least cost by the search for layouts, on a
 * machine of p units for each branch, whose network is p neighbours of the real one. So rows of a
 * window with keys and values from the others, token, feature and reduction splits are all tried,
 * and t(b,p) is the sum of compute, memory and exchange inside the branch. More units may stay
 * idle, so t(b,p) never grows with p. Equal sets are one block. Cost: a search for each unlike set
 * and degree; degrees go up to a few times what fills the machine. Source: t(b,p) of Allspark's
 * schedule, from our layouts (ours). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/degrees.h"
#include "passes/layout_search.h"

enum { COMBINATIONS = 20000, MOST_SLICES = 256, MOST_LAYERS = 4 };

typedef struct taking {
	pim_graph *graph;
	const pim_target *target;
	int32_t (*base)[PIM_MAX_RANK]; /* of all branches, by id */
	pim_map *known;				   /* blocks by what their sets are */
	pim_arena *arena;
	pim_degrees *problem;
} taking;

/* A set as a graph of its own. */
typedef struct excerpt {
	pim_graph graph;
	const pim_node **origin; /* by id: the node it was copied from */
	int32_t (*base)[PIM_MAX_RANK];
} excerpt;

static bool is_constant(const pim_node *n)
{
	return n->op == PIM_OP_constant;
}

static bool is_member(const pim_node *n, int set)
{
	return n->plan && n->plan->set == set;
}

/* A copy without decisions at the end of the excerpt; what is no member is there from the start. */
static pim_node *copy_node(excerpt *e, const pim_node *n, bool member, pim_arena *a)
{
	size_t inputs = member ? n->n_in : 0;
	pim_node *copy = pim_arena_alloc(a, sizeof *copy + (inputs + 1) * sizeof *copy->in);
	memcpy(copy, n, sizeof *copy);
	copy->plan = NULL;
	copy->graph = &e->graph;
	copy->n_in = (uint32_t)inputs;
	copy->id = e->graph.n_ids++;
	copy->next = NULL;
	copy->prev = e->graph.last;
	if (!member && !is_constant(n)) {
		copy->op = PIM_OP_input;
		copy->n_attrs = 0;
	}
	if (e->graph.last)
		e->graph.last->next = copy;
	else
		e->graph.first = copy;
	e->graph.last = copy;
	e->origin[copy->id] = n;
	return copy;
}

static excerpt *take_out(const taking *t, int set, pim_arena *a)
{
	excerpt *e = PIM_NEW(a, excerpt, 1);
	pim_node **copy = PIM_NEW(a, pim_node *, t->graph->n_ids + 1);
	e->graph = *t->graph;
	e->graph.first = e->graph.last = NULL;
	e->graph.n_ids = 0;
	e->graph.n_inputs = e->graph.n_results = 0;
	e->origin = PIM_NEW(a, const pim_node *, t->graph->n_ids + 1);
	PIM_EACH_NODE(n, t->graph)
	{
		if (!is_member(n, set))
			continue;
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i] && !copy[n->in[i]->id])
				copy[n->in[i]->id] = copy_node(e, n->in[i], false, a);
		copy[n->id] = copy_node(e, n, true, a);
		for (int i = 0; i < (int)n->n_in; i++)
			copy[n->id]->in[i] = n->in[i] ? copy[n->in[i]->id] : NULL;
	}
	e->base = pim_arena_alloc(a, sizeof *e->base * ((size_t)e->graph.n_ids + 1));
	for (int i = 0; i < (int)e->graph.n_ids; i++)
		if (is_member(e->origin[i], set))
			memcpy(e->base[i], t->base[e->origin[i]->id], sizeof *e->base);
	return e;
}

/* All that a set's latency depends on. */
static void make_key(pim_text *key, const excerpt *e, int64_t branches)
{
	key->n = 0;
	pim_text_add(key, (const char *)&branches, sizeof branches);
	PIM_EACH_NODE(n, &e->graph)
	{
		if (pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf)
			pim_text_add(key, (const char *)&n->type, sizeof n->type);
		else
			pim_op_key(key, n);
		for (int i = 0; i < (int)n->n_in; i++) {
			int64_t id = n->in[i] ? (int64_t)n->in[i]->id : -1;
			pim_text_add(key, (const char *)&id, sizeof id);
		}
		pim_text_add(key, (const char *)e->base[n->id], sizeof *e->base);
	}
}

/* p units for each branch: their network is a part of the real one, as square as it can be. */
static pim_target target_for(const pim_target *t, int64_t branches, int degree)
{
	pim_target r = *t;
	int left = degree, dims = 0;
	for (int d = 0; d < 3; d++)
		dims += t->network.size[d] > 1;
	for (int d = 0; d < 3; d++) {
		if (t->network.size[d] == 1)
			continue;
		int side = (int)ceil(pow(left, 1.0 / dims--) - 1e-9);
		r.network.size[d] = side < t->network.size[d] ? side : t->network.size[d];
		left = (left + r.network.size[d] - 1) / r.network.size[d];
	}
	if (degree < t->units)
		r.network.topology = PIM_TOPOLOGY_mesh;
	r.units = (int)(branches * degree);
	return r;
}

/* Cycles of the members and of what flows between them. */
static double add_up(const pim_layout_search *s, const pim_layout_plan *p, int64_t *weights)
{
	double cycles = 0;
	*weights = 0;
	PIM_EACH_NODE(n, s->graph)
	{
		if (is_constant(n) || n->op == PIM_OP_input)
			continue;
		int own = p->own[n->id];
		cycles += p->states[n->id]->state[own].cycles;
		cycles += pim_layout_edge(s, s->move[n->id], own, p->seen[n->id])->cycles;
		*weights += p->states[n->id]->state[own].weight_bytes;
		for (int i = 0; i < (int)n->n_in; i++)
			if (s->edge[n->id][i] && n->in[i]->op != PIM_OP_input)
				cycles += pim_layout_edge(s, s->edge[n->id][i], p->seen[n->in[i]->id], own)->cycles;
	}
	return cycles;
}

static double find_latency(
	const taking *t, excerpt *e, int64_t branches, int degree, int64_t *weights)
{
	pim_arena *a = pim_arena_new();
	pim_target machine = target_for(t->target, branches, degree);
	pim_layout_search *s = pim_layout_search_new(&e->graph, &machine, e->base, a);
	double cycles = add_up(s, pim_layout_search_run(s, 0, COMBINATIONS), weights);
	pim_arena_free(a);
	return cycles;
}

/* Powers of two, and for every small number of layers the most units with which they are enough. */
static bool is_degree(const taking *t, int64_t branches, int p)
{
	int64_t units = t->target->units;
	bool found = (p & (p - 1)) == 0;
	for (int64_t layers = 1; layers <= MOST_LAYERS && !found; layers++)
		found = units / ((branches + layers - 1) / layers) == p;
	return found;
}

static bool is_small(const taking *t, int64_t slices)
{
	return slices <= MOST_SLICES || slices <= t->target->units;
}

static void fill_degrees(const taking *t, excerpt *e, pim_block *b)
{
	int64_t weights = 0;
	for (int p = 1; p <= t->target->units && b->n_degrees < PIM_MAX_DEGREES; p++) {
		if (p > 1 && (!is_degree(t, b->branches, p) || !is_small(t, p * b->branches)))
			continue;
		int k = b->n_degrees++;
		int64_t bytes;
		b->degree[k] = p;
		b->cycles[k] = find_latency(t, e, b->branches, p, &bytes);
		weights = k ? weights : bytes;
		if (k && b->cycles[k] > b->cycles[k - 1])
			b->cycles[k] = b->cycles[k - 1];
	}
	for (int s = 1; s <= t->target->units && b->n_shares < PIM_MAX_DEGREES; s *= 2) {
		int64_t held = (weights + s - 1) / s;
		double fetch = s > 1 ? pim_share_cycles(t->target, s - 1, weights - held) : 0;
		b->share[b->n_shares++] = (pim_item){held, fetch};
		if (weights == 0)
			return;
	}
}

static int64_t count_branches(const pim_branch_set *s)
{
	int64_t branches = 1;
	for (int k = 0; k < s->n_axes; k++)
		branches *= s->axis[k].count;
	return branches;
}

/* The most bytes of values alive at a time, spread over the units. */
static int64_t find_values(const pim_graph *g, int units, pim_arena *a)
{
	const pim_node **last = PIM_NEW(a, const pim_node *, g->n_ids + 1);
	int64_t live = 0, most = 0;
	PIM_EACH_NODE(n, g)
	{
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i])
				last[n->in[i]->id] = n;
	}
	PIM_EACH_NODE(n, g)
	{
		if (is_constant(n))
			continue;
		live += pim_type_bytes(n->type);
		most = live > most ? live : most;
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i] && last[n->in[i]->id] == n && !is_constant(n->in[i])) {
				last[n->in[i]->id] = NULL;
				live -= pim_type_bytes(n->in[i]->type);
			}
	}
	return most / units;
}

pim_degrees *pim_degrees_of(pim_graph *g, const pim_target *target, int *block_of, pim_arena *a)
{
	pim_classes *c = pim_classes_new(g, a);
	taking t = {.graph = g, .target = target, .known = pim_map_new(a), .arena = a};
	t.base = pim_cuts_of_sets(g, c, pim_roles_new(g, c, a), INT32_MAX, a);
	t.problem = PIM_NEW(a, pim_degrees, 1);
	*t.problem =
		(pim_degrees){.units = target->units, .block = PIM_NEW(a, pim_block, g->n_sets + 1)};
	t.problem->memory = target->memory.bytes - find_values(g, target->units, a);
	pim_text key = {0};
	for (int set = 0; set < g->n_sets; set++) {
		pim_arena *scratch = pim_arena_new();
		excerpt *e = take_out(&t, set, scratch);
		int64_t branches = count_branches(&g->sets[set]);
		make_key(&key, e, branches);
		pim_block *b = pim_map_get(t.known, key.s, key.n);
		if (!b) {
			b = &t.problem->block[t.problem->n++];
			*b = (pim_block){.branches = branches};
			fill_degrees(&t, e, b);
			pim_map_put(t.known, key.s, key.n, b);
		}
		b->equals++;
		block_of[set] = (int)(b - t.problem->block);
		pim_arena_free(scratch);
	}
	pim_text_free(&key);
	return t.problem;
}
