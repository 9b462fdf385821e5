/* SPDX-License-Identifier: Apache-2.0 */
/* layout_search.c - the cheapest layout of every value, by dynamic programming along the graph.
 *
 * Idea: walk the nodes in order and keep, for each combination of states in which the values that
 * are still needed are seen, the least cost so far. A node in own state a, seen in state b, adds
 *     cost(a) + price * weights(a) + sum over inputs of edge(state the input is seen in, a) +
 * relayout(a, b). A value leaves the combination after its last user. This is exact; when there are
 * more than `room` combinations, the states of live values that do worst are dropped, and the bound
 * is what every node costs at least. Cost: combinations * states per node; edges are computed once
 * per pair of unlike ops. Source: frontier (bucket) elimination; Allspark's shortest path is the
 * case of a chain. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"

enum { MAX_DIGITS = 63 }; /* each at least doubles the combinations */

/* What an edge joins; input -1: a relayout of the value itself. */
typedef struct pair {
	const pim_states *from, *to;
	int64_t input;
} pair;

/* Costs from each seen state of a producer (row) to each own state of a reader, or for a relayout
 * from each own state to each seen one; worked out when first asked for. */
typedef struct edge_table {
	pair of;
	bool known[PIM_MAX_STATES][PIM_MAX_STATES];
	pim_edge at[PIM_MAX_STATES][PIM_MAX_STATES];
} edge_table;

struct pim_layout_search {
	pim_graph *graph;
	const pim_target *target;
	pim_arena *arena;
	int n_ids;
	const pim_states **states; /* by id */
	edge_table ***edge;		   /* by id, then input; NULL where nothing is fetched */
	edge_table **move;		   /* by id: relayout of own result */
	int *last;				   /* by id: position of the last user */
};

/* How the best way to a combination went: the combination before it, and this node's states. */
typedef struct step {
	uint32_t before;
	uint8_t own, seen;
} step;

typedef struct stage {
	const pim_node *node;
	step *step;
} stage;

/* The live values, each with the states that are still considered; combinations are numbered
 * row-major over them. */
typedef struct front {
	int n;
	const pim_node **value;
	int *count;
	uint8_t (*state)[PIM_MAX_STATES];
	int64_t size;
	double *cost;
} front;

static bool is_value(const pim_node *n)
{
	return n && n->op != PIM_OP_constant;
}

/* ---- tables ---- */

/* What the states of a node depend on: equal keys, equal states. */
static void make_key(pim_text *key, const pim_node *n, const int32_t *base, const int32_t *hint,
	const pim_states *like)
{
	pim_op_key(key, n);
	pim_text_add(key, (const char *)&like, sizeof like);
	if (base)
		pim_text_add(key, (const char *)base, PIM_MAX_RANK * sizeof *base);
	if (hint)
		pim_text_add(key, (const char *)hint, PIM_MAX_RANK * sizeof *hint);
}

static bool has_shape_of(const pim_node *a, const pim_node *b)
{
	return a->type->rank == b->type->rank && a->type->n_parts == 0 && b->type->n_parts == 0 &&
		   !memcmp(a->type->dims, b->type->dims, (size_t)a->type->rank * sizeof *a->type->dims);
}

/* States of the first input of the same shape, whose layouts the result should be able to have. */
static const pim_states *find_like(const pim_layout_search *s, const pim_node *n)
{
	for (int i = 0; i < (int)n->n_in; i++)
		if (is_value(n->in[i]) && has_shape_of(n, n->in[i]))
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
			if (is_value(n->in[i]) && !hint[n->in[i]->id][0] && has_shape_of(n, n->in[i]))
				memcpy(hint[n->in[i]->id], hint[n->id], sizeof *hint);
	return hint;
}

static void find_states(pim_layout_search *s, int32_t (*base)[PIM_MAX_RANK])
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
		make_key(&key, n, own, hint, like);
		pim_states *r = pim_map_get(known, key.s, key.n);
		if (!r) {
			r = pim_states_new(n, s->target, own, hint, like, s->arena);
			pim_map_put(known, key.s, key.n, r);
		}
		s->states[n->id] = r;
	}
	free(key.s);
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

static const pim_edge *find_edge(const pim_layout_search *s, edge_table *e, int i, int k)
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
	pim_layout_search *s = PIM_NEW(a, pim_layout_search, 1);
	s->graph = g;
	s->target = t;
	s->arena = a;
	s->n_ids = (int)g->n_ids;
	s->states = PIM_NEW(a, const pim_states *, s->n_ids + 1);
	s->edge = PIM_NEW(a, edge_table **, s->n_ids + 1);
	s->move = PIM_NEW(a, edge_table *, s->n_ids + 1);
	s->last = PIM_NEW(a, int, s->n_ids + 1);
	find_states(s, base);
	find_tables(s);
	return s;
}

pim_graph *pim_layout_search_graph(const pim_layout_search *s)
{
	return s->graph;
}

const pim_target *pim_layout_search_target(const pim_layout_search *s)
{
	return s->target;
}

/* ---- dynamic programming ---- */

typedef struct run {
	pim_layout_search *s;
	double price;
	int64_t room;
	pim_arena *arena;
	front f;
	stage *stage;
	int n_stages;
	pim_layout_plan *plan;
} run;

static double state_cost(const run *r, const pim_state *s)
{
	return s->cycles + r->price * (double)s->weight_bytes;
}

static int find_live(const front *f, const pim_node *n)
{
	for (int v = 0; v < f->n; v++)
		if (f->value[v] == n)
			return v;
	PIM_BUG("a value is read after it was dropped from the front");
}

static int64_t stride_of(const front *f, int v)
{
	int64_t stride = 1;
	for (int k = v + 1; k < f->n; k++)
		stride *= f->count[k];
	return stride;
}

/* Walks all combinations in order, with what number each has among the next front's combinations
 * (the new value in its first state) and among those of the node's inputs alone. Values with one
 * state are left out. */
typedef struct walker {
	int n;
	int count[MAX_DIGITS], at[MAX_DIGITS];
	int64_t next_stride[MAX_DIGITS], input_stride[MAX_DIGITS];
	int64_t next, input;
} walker;

static void advance(walker *w)
{
	for (int k = w->n - 1; k >= 0; k--) {
		w->next += w->next_stride[k];
		w->input += w->input_stride[k];
		if (++w->at[k] < w->count[k])
			return;
		w->at[k] = 0;
		w->next -= w->next_stride[k] * w->count[k];
		w->input -= w->input_stride[k] * w->count[k];
	}
}

/* The best own state and cost for each seen state of a node, given how its inputs are seen. */
typedef struct best_row {
	bool known;
	double cost[PIM_MAX_STATES];
	uint8_t own[PIM_MAX_STATES];
} best_row;

static void fill_row(run *r, const pim_node *n, const int *seen, best_row *row)
{
	const pim_layout_search *s = r->s;
	const pim_states *own = s->states[n->id];
	row->known = true;
	for (int b = 0; b < own->n; b++)
		row->cost[b] = INFINITY;
	for (int a = 0; a < own->n; a++) {
		if (!own->state[a].own)
			continue;
		double cost = state_cost(r, &own->state[a]);
		for (int i = 0; i < (int)n->n_in; i++)
			if (s->edge[n->id][i])
				cost += find_edge(s, s->edge[n->id][i], seen[i], a)->cycles;
		for (int b = 0; b < own->n; b++) {
			if (!own->state[b].seen)
				continue;
			double all = cost + find_edge(s, s->move[n->id], a, b)->cycles;
			if (all < row->cost[b]) {
				row->cost[b] = all;
				row->own[b] = (uint8_t)a;
			}
		}
	}
	r->plan->steps += own->n * own->n;
}

static void find_seen(const front *f, const pim_node *n, int64_t t, int *seen)
{
	for (int i = 0; i < (int)n->n_in; i++) {
		seen[i] = 0;
		if (!is_value(n->in[i]))
			continue;
		int v = find_live(f, n->in[i]);
		seen[i] = f->state[v][t / stride_of(f, v) % f->count[v]];
	}
}

/* The front after node n: live values that have later users, and n when it has some. */
static front next_front(const run *r, const pim_node *n, int at)
{
	const front *f = &r->f;
	const pim_states *own = r->s->states[n->id];
	front g = {.n = 0, .size = 1};
	g.value = PIM_NEW(r->arena, const pim_node *, f->n + 1);
	g.count = PIM_NEW(r->arena, int, f->n + 1);
	g.state = pim_arena_alloc(r->arena, sizeof *g.state * (size_t)(f->n + 1));
	for (int v = 0; v < f->n; v++)
		if (r->s->last[f->value[v]->id] > at) {
			g.value[g.n] = f->value[v];
			g.count[g.n] = f->count[v];
			memcpy(g.state[g.n], f->state[v], sizeof f->state[v]);
			g.size *= g.count[g.n++];
		}
	if (r->s->last[n->id] <= at)
		return g;
	g.value[g.n] = n;
	for (int b = 0; b < own->n; b++)
		if (own->state[b].seen)
			g.state[g.n][g.count[g.n]++] = (uint8_t)b;
	g.size *= g.count[g.n++];
	return g;
}

static bool reads(const pim_node *n, const pim_node *value)
{
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i] == value)
			return true;
	return false;
}

/* A walker over f, whose next front is g; how many combinations n's inputs have. */
static int64_t start_walk(const front *f, const front *g, const pim_node *n, walker *w)
{
	int64_t inputs = 1;
	w->n = 0;
	w->next = w->input = 0;
	for (int v = 0, kept = 0; v < f->n; v++) {
		bool stays = kept < g->n && g->value[kept] == f->value[v];
		int64_t next = stays ? stride_of(g, kept++) : 0;
		if (f->count[v] == 1)
			continue;
		bool read = reads(n, f->value[v]);
		w->count[w->n] = f->count[v];
		w->at[w->n] = 0;
		w->next_stride[w->n] = next;
		w->input_stride[w->n++] = read ? inputs : 0;
		inputs *= read ? f->count[v] : 1;
	}
	return inputs;
}

/* Goes from combination t of the old front to those of the next that differ in n's state. */
static void extend(const run *r, const pim_node *n, int64_t t, const best_row *row, bool live,
	int64_t to, const front *g, step *steps)
{
	const pim_states *own = r->s->states[n->id];
	for (int b = 0; b < own->n; b++) {
		if (!own->state[b].seen)
			continue;
		double cost = r->f.cost[t] + row->cost[b];
		if (cost < g->cost[to]) {
			g->cost[to] = cost;
			steps[to] = (step){(uint32_t)t, row->own[b], (uint8_t)b};
		}
		to += live;
	}
}

static void take_step(run *r, const pim_node *n, int at)
{
	front *f = &r->f, g = next_front(r, n, at);
	walker w;
	best_row *rows = PIM_NEW(r->arena, best_row, start_walk(f, &g, n, &w));
	int *seen = PIM_NEW(r->arena, int, n->n_in + 1);
	bool live = g.n > 0 && g.value[g.n - 1] == n;
	g.cost = pim_arena_raw(r->arena, sizeof *g.cost * (size_t)g.size);
	step *steps = PIM_NEW(r->arena, step, g.size);
	for (int64_t t = 0; t < g.size; t++)
		g.cost[t] = INFINITY;
	for (int64_t t = 0; t < f->size; t++, advance(&w)) {
		best_row *row = &rows[w.input];
		if (!row->known) {
			find_seen(f, n, t, seen);
			fill_row(r, n, seen, row);
		}
		extend(r, n, t, row, live, w.next, &g, steps);
	}
	r->plan->steps += f->size * r->s->states[n->id]->n;
	r->stage[r->n_stages++] = (stage){n, steps};
	*f = g;
}

/* The least cost of any combination with each state of live value v. */
static void find_marginals(const front *f, int v, double *least)
{
	int64_t stride = stride_of(f, v);
	for (int k = 0; k < f->count[v]; k++)
		least[k] = INFINITY;
	for (int64_t t = 0; t < f->size; t++) {
		int k = (int)(t / stride % f->count[v]);
		least[k] = fmin(least[k], f->cost[t]);
	}
}

/* Drops state k of live value v. */
static void drop_state(run *r, int v, int k)
{
	front *f = &r->f;
	step *old = r->stage[r->n_stages - 1].step;
	int64_t stride = stride_of(f, v), block = stride * f->count[v], to = 0;
	for (int64_t t = 0; t < f->size; t++) {
		if (t % block / stride == k)
			continue;
		f->cost[to] = f->cost[t];
		old[to++] = old[t];
	}
	f->count[v]--;
	memmove(&f->state[v][k], &f->state[v][k + 1], (size_t)(f->count[v] - k));
	f->size = to;
}

/* Of the value with most states, again and again, the state that does worst goes. */
static void prune(run *r)
{
	while (r->f.size > r->room) {
		int v = 0, worst = 0;
		for (int k = 1; k < r->f.n; k++)
			if (r->f.count[k] > r->f.count[v])
				v = k;
		double least[PIM_MAX_STATES];
		find_marginals(&r->f, v, least);
		for (int k = 1; k < r->f.count[v]; k++)
			if (least[k] >= least[worst])
				worst = k;
		drop_state(r, v, worst);
		r->plan->optimal = false;
	}
}

/* ---- what a plan is worth ---- */

static void add_up(const pim_layout_search *s, pim_layout_plan *p)
{
	p->cycles = 0;
	p->bytes = 0;
	PIM_EACH_NODE(n, s->graph)
	{
		if (!is_value(n))
			continue;
		int own = p->own[n->id];
		const pim_edge *move = find_edge(s, s->move[n->id], own, p->seen[n->id]);
		p->cycles += s->states[n->id]->state[own].cycles + move->cycles;
		p->bytes += move->bytes;
		for (int i = 0; i < (int)n->n_in; i++)
			if (s->edge[n->id][i]) {
				const pim_edge *e = find_edge(s, s->edge[n->id][i], p->seen[n->in[i]->id], own);
				p->cycles += e->cycles;
				p->bytes += e->bytes;
			}
	}
}

static pim_layout_plan *new_plan(const pim_layout_search *s)
{
	pim_layout_plan *p = PIM_NEW(s->arena, pim_layout_plan, 1);
	p->n_ids = s->n_ids;
	p->states = s->states;
	p->own = PIM_NEW(s->arena, uint8_t, s->n_ids + 1);
	p->seen = PIM_NEW(s->arena, uint8_t, s->n_ids + 1);
	p->optimal = true;
	return p;
}

/* What every node costs at least. */
static double find_bound(const run *r)
{
	double sum = 0;
	PIM_EACH_NODE(n, r->s->graph)
	{
		const pim_states *own = is_value(n) ? r->s->states[n->id] : NULL;
		double least = INFINITY;
		for (int a = 0; own && a < own->n; a++)
			if (own->state[a].own)
				least = fmin(least, state_cost(r, &own->state[a]));
		sum += own ? least : 0;
	}
	return sum;
}

static void trace_back(run *r)
{
	int64_t t = 0;
	for (int64_t u = 1; u < r->f.size; u++)
		if (r->f.cost[u] < r->f.cost[t])
			t = u;
	r->plan->value = r->f.cost[t];
	for (int k = r->n_stages - 1; k >= 0; k--) {
		const step *s = &r->stage[k].step[t];
		r->plan->own[r->stage[k].node->id] = s->own;
		r->plan->seen[r->stage[k].node->id] = s->seen;
		t = s->before;
	}
}

pim_layout_plan *pim_layout_search_run(pim_layout_search *s, double price, int64_t room)
{
	pim_arena *scratch = pim_arena_new();
	run r = {.s = s, .price = price, .room = room, .arena = scratch, .plan = new_plan(s)};
	r.stage = PIM_NEW(scratch, stage, s->n_ids + 1);
	r.f = (front){.n = 0, .size = 1, .cost = PIM_NEW(scratch, double, 1)};
	int at = 0;
	PIM_EACH_NODE(n, s->graph)
	{
		at++;
		if (!is_value(n))
			continue;
		take_step(&r, n, at);
		prune(&r);
	}
	trace_back(&r);
	add_up(s, r.plan);
	r.plan->bound = r.plan->optimal ? r.plan->value : find_bound(&r);
	pim_arena_free(scratch);
	return r.plan;
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
	pim_layout_plan *p = new_plan(s);
	PIM_EACH_NODE(n, s->graph)
	{
		if (is_value(n))
			find_kind(s->states[n->id], kind, &p->own[n->id], &p->seen[n->id]);
	}
	add_up(s, p);
	p->value = p->cycles;
	return p;
}
