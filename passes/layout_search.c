/* SPDX-License-Identifier: Apache-2.0 */
/* layout_search.c - states of all values, what it takes to go from one to another, and what a plan
 * that chooses among them is worth.
 *
 * Idea: nodes that are the same op on the same types, bound alike, share their states, and pairs of
 * such nodes share a table of edges; so a network of equal blocks costs about as much as one
 * block. The search itself is in layout_front.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/layout_search.h"

/* What an edge joins; input -1: a relayout of the value itself. */
typedef struct pair {
	const pim_states *from, *to;
	int64_t input;
} pair;

struct edge_table {
	pair of;
	bool known[PIM_MAX_STATES][PIM_MAX_STATES];
	pim_edge at[PIM_MAX_STATES][PIM_MAX_STATES];
	double steps[PIM_MAX_STATES][PIM_MAX_STATES]; /* cycles, rounded so that doubles add exactly */
};

static bool is_value(const pim_node *n)
{
	return n && n->op != PIM_OP_constant;
}

/* ---- tables ---- */

/* What the states of a node depend on: equal keys, equal states. */
static void make_key(const pim_layout_search *s, pim_text *key, const pim_node *n,
	const int32_t *base, const int32_t *hint, const pim_states *like)
{
	pim_op_key(key, n);
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i] && !is_value(n->in[i]))
			pim_text_add(key, (const char *)&s->readers[n->in[i]->id], sizeof *s->readers);
	for (int i = 0; like && i < like->n; i++)
		if (like->state[i].seen)
			pim_text_add(key, (const char *)&like->state[i].layout, sizeof like->state[i].layout);
	if (base)
		pim_text_add(key, (const char *)base, PIM_MAX_RANK * sizeof *base);
	if (hint)
		pim_text_add(key, (const char *)hint, PIM_MAX_RANK * sizeof *hint);
}

/* States of the first input of the same shape, whose layouts the result should be able to have. */
static const pim_states *find_like(const pim_layout_search *s, const pim_node *n)
{
	for (int i = 0; i < (int)n->n_in; i++)
		if (is_value(n->in[i]) && pim_type_same_dims(n->type, n->in[i]->type))
			return s->states[n->in[i]->id];
	return NULL;
}

/* By id: how users of the same shape are bound to be cut, or their users, and so on. */
static int32_t (
	*find_hints(const pim_layout_search *s, int32_t (*base)[PIM_MAX_RANK]))[PIM_MAX_RANK]
{
	size_t bytes = sizeof *base * (size_t)(s->n_ids + 1);
	int32_t(*hint)[PIM_MAX_RANK] = pim_arena_alloc(s->arena, bytes);
	memcpy(hint, base, bytes);
	for (const pim_node *n = s->graph->last; n; n = n->prev)
		for (int i = 0; i < (int)n->n_in && hint[n->id][0]; i++)
			if (is_value(n->in[i]) && !hint[n->in[i]->id][0] &&
				pim_type_same_dims(n->type, n->in[i]->type))
				memcpy(hint[n->in[i]->id], hint[n->id], sizeof *hint);
	return hint;
}

static void find_states(pim_layout_search *s, int32_t (*base)[PIM_MAX_RANK], const int64_t *most)
{
	pim_map *known = pim_map_new(s->arena);
	pim_text key = {0};
	int32_t(*hints)[PIM_MAX_RANK] = base ? find_hints(s, base) : NULL;
	PIM_EACH_NODE(n, s->graph)
	{
		if (!is_value(n))
			continue;
		const int32_t *own = base ? base[n->id] : NULL, *hint = hints ? hints[n->id] : NULL;
		const pim_states *like = find_like(s, n);
		key.n = 0;
		int64_t slices = most ? most[n->id] : 0;
		make_key(s, &key, n, own, hint, like);
		pim_text_add(&key, (const char *)&slices, sizeof slices);
		pim_states *r = pim_map_get(known, key.s, key.n);
		if (!r) {
			r = pim_states_new(n, s->target, own, hint, slices, like, s->arena);
			pim_map_put(known, key.s, key.n, r);
		}
		s->states[n->id] = r;
	}
	free(key.s);
}

/* Rounded to a part of a cycle that doubles add exactly. */
static double to_steps(double cycles)
{
	static const double steps = 1048576.0;
	return floor(cycles * steps + 0.5) / steps;
}

static edge_table *find_table(pim_layout_search *s, pim_map *known, pair key)
{
	edge_table *e = pim_map_get(known, &key, sizeof key);
	if (e)
		return e;
	e = PIM_NEW(s->arena, edge_table, 1);
	e->of = key;
	pim_map_put(known, &key, sizeof key, e);
	return e;
}

const pim_edge *pim_layout_edge(const pim_layout_search *s, edge_table *e, int i, int k)
{
	pim_edge *edge = &e->at[i][k];
	if (e->known[i][k])
		return edge;
	e->known[i][k] = true;
	const pim_state *from = &e->of.from->state[i], *to = &e->of.to->state[k];
	if (e->of.input < 0)
		*edge = pim_relayout_cost(s->target, e->of.from->type, from, to);
	else if (to->need[e->of.input])
		*edge = pim_edge_cost(s->target, e->of.from->type, from, to->need[e->of.input], to->slices);
	e->steps[i][k] = to_steps(edge->cycles);
	return edge;
}

static void find_tables(pim_layout_search *s)
{
	pim_map *known = pim_map_new(s->arena);
	int at = 0;
	PIM_EACH_NODE(n, s->graph)
	{
		at++;
		if (!is_value(n))
			continue;
		const pim_states *own = s->states[n->id];
		s->last[n->id] = at;
		s->move[n->id] = find_table(s, known, (pair){own, own, -1});
		s->edge[n->id] = PIM_NEW(s->arena, edge_table *, n->n_in + 1);
		for (int i = 0; i < (int)n->n_in; i++)
			if (is_value(n->in[i])) {
				s->last[n->in[i]->id] = at;
				s->edge[n->id][i] = find_table(s, known, (pair){s->states[n->in[i]->id], own, i});
			}
	}
}

pim_layout_search *pim_layout_search_new(
	pim_graph *g, const pim_target *t, int32_t (*base)[PIM_MAX_RANK], pim_arena *a)
{
	return pim_layout_search_within(g, t, base, NULL, a);
}

pim_layout_search *pim_layout_search_within(pim_graph *g, const pim_target *t,
	int32_t (*base)[PIM_MAX_RANK], const int64_t *most, pim_arena *a)
{
	pim_layout_search *s = PIM_NEW(a, pim_layout_search, 1);
	s->graph = g;
	s->target = t;
	s->arena = a;
	s->n_ids = (int)g->n_ids;
	s->states = PIM_NEW(a, pim_states *, s->n_ids + 1);
	s->edge = PIM_NEW(a, edge_table **, s->n_ids + 1);
	s->move = PIM_NEW(a, edge_table *, s->n_ids + 1);
	s->last = PIM_NEW(a, int, s->n_ids + 1);
	s->readers = PIM_NEW(a, int, s->n_ids + 1);
	PIM_EACH_NODE(n, g)
	{
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i])
				s->readers[n->in[i]->id]++;
	}
	find_states(s, base, most);
	find_tables(s);
	return s;
}

/* ---- what a plan is worth ---- */

double pim_layout_state_cost(const pim_layout_search *s, double price, const pim_state *state)
{
	int64_t values = s->prices_values ? state->home_bytes + state->staging_bytes : 0;
	double cost = state->cycles + price * (double)values;
	for (int i = 0; i < state->n_sharings; i++) {
		const pim_share *share = pim_share_choose(s, &state->sharing[i], price);
		cost += share->cycles + price * pim_share_weight(s, share);
	}
	return to_steps(state->sharing ? cost : cost + price * (double)state->weight_bytes);
}

double pim_layout_move_cost(
	const pim_layout_search *s, double price, const pim_node *n, int from, int to)
{
	const pim_edge *edge = pim_layout_edge(s, s->move[n->id], from, to);
	if (from == to || !s->prices_values)
		return s->move[n->id]->steps[from][to];
	return to_steps(edge->cycles + price * (double)s->states[n->id]->state[to].home_bytes);
}

double pim_layout_fetch_cost(const pim_layout_search *s, edge_table *e, int from, int to)
{
	pim_layout_edge(s, e, from, to);
	return e->steps[from][to];
}

void pim_layout_plan_add_up(const pim_layout_search *s, pim_layout_plan *p)
{
	p->cycles = 0;
	p->bytes = 0;
	PIM_EACH_NODE(n, s->graph)
	{
		if (!is_value(n))
			continue;
		int own = p->own[n->id];
		const pim_edge *move = pim_layout_edge(s, s->move[n->id], own, p->seen[n->id]);
		p->cycles += s->states[n->id]->state[own].cycles + move->cycles;
		p->bytes += move->bytes;
		for (int i = 0; i < (int)n->n_in; i++) {
			const pim_share *share = n->in[i] ? p->share[n->in[i]->id] : NULL;
			p->cycles += share ? share->cycles : 0;
			p->bytes += share ? share->moved : 0;
			if (s->edge[n->id][i]) {
				const pim_edge *e =
					pim_layout_edge(s, s->edge[n->id][i], p->seen[n->in[i]->id], own);
				p->cycles += e->cycles;
				p->bytes += e->bytes;
			}
		}
	}
}

pim_layout_plan *pim_layout_plan_new(const pim_layout_search *s)
{
	pim_layout_plan *p = PIM_NEW(s->arena, pim_layout_plan, 1);
	p->n_ids = s->n_ids;
	p->states = (const pim_states **)s->states;
	p->share = PIM_NEW(s->arena, const pim_share *, s->n_ids + 1);
	p->own = PIM_NEW(s->arena, uint8_t, s->n_ids + 1);
	p->seen = PIM_NEW(s->arena, uint8_t, s->n_ids + 1);
	p->optimal = true;
	return p;
}

/* The states of a value under a uniform layout: of that kind, or else the first there is. */
static void find_kind(const pim_states *r, pim_layout_kind kind, uint8_t *own, uint8_t *seen)
{
	int first_own = -1, first_seen = -1;
	for (int a = 0; a < r->n; a++) {
		const pim_state *s = &r->state[a];
		if (s->own && s->seen && s->kind == kind) {
			*own = *seen = (uint8_t)a;
			return;
		}
		first_own = first_own < 0 && s->own ? a : first_own;
		first_seen = first_seen < 0 && s->seen ? a : first_seen;
	}
	*own = (uint8_t)first_own;
	*seen = (uint8_t)(r->state[first_own].seen ? first_own : first_seen);
}

pim_layout_plan *pim_layout_search_uniform(pim_layout_search *s, pim_layout_kind kind)
{
	pim_layout_plan *p = pim_layout_plan_new(s);
	PIM_EACH_NODE(n, s->graph)
	{
		if (is_value(n))
			find_kind(s->states[n->id], kind, &p->own[n->id], &p->seen[n->id]);
	}
	pim_layout_plan_add_up(s, p);
	p->value = p->cycles;
	return p;
}

/* The cycles of a node in a state, its inputs brought there from where they are seen. */
static double find_cycles_at(
	const pim_layout_search *s, const pim_layout_plan *p, const pim_node *n, int own, double price)
{
	const pim_state *state = &s->states[n->id]->state[own];
	double cycles = state->cycles + price * (double)state->weight_bytes;
	for (int i = 0; i < (int)n->n_in; i++)
		if (s->edge[n->id][i])
			cycles += pim_layout_edge(s, s->edge[n->id][i], p->seen[n->in[i]->id], own)->cycles;
	return cycles;
}

/* The state a node is computed and seen in, when nothing behind it is asked. */
static void choose_state(
	const pim_layout_search *s, pim_layout_plan *p, const pim_node *n, double price)
{
	const pim_states *r = s->states[n->id];
	double least = 0;
	bool found = false;
	for (int own = 0; own < r->n; own++) {
		for (int seen = 0; seen < r->n && r->state[own].own; seen++) {
			if (!r->state[seen].seen || (seen != own && r->state[own].seen))
				continue;
			double cycles = find_cycles_at(s, p, n, own, price);
			if (seen != own)
				cycles += pim_layout_edge(s, s->move[n->id], own, seen)->cycles;
			p->steps++;
			if (found && cycles >= least)
				continue;
			found = true;
			least = cycles;
			p->own[n->id] = (uint8_t)own;
			p->seen[n->id] = (uint8_t)seen;
		}
	}
}

pim_layout_plan *pim_layout_search_each(pim_layout_search *s, double price)
{
	pim_layout_plan *p = pim_layout_plan_new(s);
	PIM_EACH_NODE(n, s->graph)
	{
		if (is_value(n))
			choose_state(s, p, n, price);
	}
	pim_layout_plan_add_up(s, p);
	p->value = p->cycles;
	p->optimal = false;
	return p;
}
