/* SPDX-License-Identifier: Apache-2.0 */
/* layout_front.c - the cheapest layout of every value, by dynamic programming along the graph.
 *
 * Idea: walk the nodes in order and keep, for each combination of states in which the values that
 * are still needed are seen, the least cost so far. A node in own state a, seen in state b, adds
 *     cost(a) + price * bytes(a) + sum over inputs of edge(state the input is seen in, a) +
 * relayout(a, b). A value leaves the combination after its last user. This is exact; when there are
 * more than `room` combinations, the states of live values that do worst are dropped, and
 * layout_dual.c improves the plan and proves a bound. Costs of a front are kept relative to its
 * least, in steps that doubles add exactly, so the fronts after equal blocks become equal after a
 * block or two; a step from an equal front over an equal op is not worked out again. Cost:
 * combinations * states per node of unlike blocks. Source: frontier (bucket) elimination;
 * Allspark's shortest path is the case of a chain; recognising fronts is ours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/layout_search.h"

enum { MAX_DIGITS = 63 }; /* each at least doubles the combinations */

/* How the best way to a combination went: the combination before it, and this node's states. */
typedef struct step {
	uint32_t before;
	uint8_t own, seen;
} step;

/* For each live value the states that are still considered; combinations are numbered row-major
 * over them. Equal fronts are one. */
typedef struct front {
	struct front *next; /* of equal hash */
	int n;
	int *count;
	uint8_t (*state)[PIM_MAX_STATES];
	int64_t size;
	double *cost; /* the least is 0 */
} front;

/* From one front over a node to the next. */
typedef struct transition {
	const front *to;
	step *step;	   /* by combination of `to` */
	double least;  /* cost of its best combination above that of the old front */
	int64_t looks; /* transitions looked at */
	bool pruned;
} transition;

typedef struct stage {
	const pim_node *node;
	const step *step;
} stage;

typedef struct run {
	pim_layout_search *s;
	double price;
	int64_t room;
	pim_arena *arena;
	const front *f;
	const pim_node **value; /* of the front */
	pim_map *fronts;		/* by hash: lists */
	pim_map *known;			/* transitions */
	pim_text key;
	stage *stage;
	int n_stages;
	double *cost; /* before pruning; the same for steps, and how many there is room for */
	step *step;
	int64_t most;
	double spent; /* the least of the front */
	pim_layout_plan *plan;
} run;

static bool is_value(const pim_node *n)
{
	return n && n->op != PIM_OP_constant;
}

static int find_live(const run *r, const pim_node *n)
{
	for (int v = 0; v < r->f->n; v++)
		if (r->value[v] == n)
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

/* ---- one step ---- */

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

/* Given how a node's inputs are seen: for each state it can be seen in, or for the best one when
 * nobody will read it, the own state and the cost. */
typedef struct best_row {
	int n; /* 0: not worked out yet */
	double cost[PIM_MAX_STATES];
	uint8_t own[PIM_MAX_STATES], seen[PIM_MAX_STATES];
} best_row;

/* The states a node can be seen in; the best own state for each is to be found. */
static void start_row(const pim_states *own, best_row *row)
{
	for (int b = 0; b < own->n; b++)
		if (own->state[b].seen) {
			row->cost[row->n] = INFINITY;
			row->seen[row->n++] = (uint8_t)b;
		}
}

static void keep_best(best_row *row)
{
	int best = 0;
	for (int k = 1; k < row->n; k++)
		if (row->cost[k] < row->cost[best])
			best = k;
	row->cost[0] = row->cost[best];
	row->own[0] = row->own[best];
	row->seen[0] = row->seen[best];
	row->n = 1;
}

/* What a node costs however its inputs are seen: in each own state, and to be seen in each. */
typedef struct own_costs {
	double made[PIM_MAX_STATES],
		move[PIM_MAX_STATES][PIM_MAX_STATES]; /* by own; by own, place in a row */
} own_costs;

static own_costs *find_own_costs(const run *r, const pim_node *n, pim_arena *a)
{
	const pim_states *own = r->s->states[n->id];
	own_costs *c = PIM_NEW(a, own_costs, 1);
	for (int k = 0; k < own->n; k++) {
		if (!own->state[k].own)
			continue;
		c->made[k] = pim_layout_state_cost(r->s, r->price, &own->state[k]);
		for (int b = 0, place = 0; b < own->n; b++)
			if (own->state[b].seen)
				c->move[k][place++] = pim_layout_move_cost(r->s, r->price, n, k, b);
	}
	return c;
}

static void fill_row(
	const run *r, const pim_node *n, const own_costs *c, const int *seen, bool live, best_row *row)
{
	const pim_layout_search *s = r->s;
	const pim_states *own = s->states[n->id];
	start_row(own, row);
	for (int a = 0; a < own->n; a++) {
		if (!own->state[a].own)
			continue;
		double cost = c->made[a];
		for (int i = 0; i < (int)n->n_in; i++)
			if (s->edge[n->id][i])
				cost += pim_layout_fetch_cost(s, s->edge[n->id][i], seen[i], a);
		for (int k = 0; k < row->n; k++) {
			double all = cost + c->move[a][k];
			if (all < row->cost[k]) {
				row->cost[k] = all;
				row->own[k] = (uint8_t)a;
			}
		}
	}
	if (!live)
		keep_best(row);
}

static void find_seen(const run *r, const pim_node *n, int64_t t, int *seen)
{
	for (int i = 0; i < (int)n->n_in; i++) {
		seen[i] = 0;
		if (!is_value(n->in[i]))
			continue;
		int v = find_live(r, n->in[i]);
		seen[i] = r->f->state[v][t / stride_of(r->f, v) % r->f->count[v]];
	}
}

static bool stays_live(const run *r, const pim_node *n, int at)
{
	return r->s->last[n->id] > at;
}

/* The shape of the front after node n: live values that have later users, and n when it has
 * some. */
static front next_front(const run *r, const pim_node *n, int at, pim_arena *a)
{
	const front *f = r->f;
	const pim_states *own = r->s->states[n->id];
	front g = {.n = 0, .size = 1};
	g.count = PIM_NEW(a, int, f->n + 1);
	g.state = pim_arena_alloc(a, sizeof *g.state * (size_t)(f->n + 1));
	for (int v = 0; v < f->n; v++)
		if (stays_live(r, r->value[v], at)) {
			g.count[g.n] = f->count[v];
			memcpy(g.state[g.n], f->state[v], sizeof f->state[v]);
			g.size *= g.count[g.n++];
		}
	if (!stays_live(r, n, at))
		return g;
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

/* A walker over the front, whose next one is g; how many combinations n's inputs have. */
static int64_t start_walk(const run *r, const front *g, const pim_node *n, int at, walker *w)
{
	int64_t inputs = 1;
	w->n = 0;
	w->next = w->input = 0;
	for (int v = 0, kept = 0; v < r->f->n; v++) {
		int64_t next = stays_live(r, r->value[v], at) ? stride_of(g, kept++) : 0;
		if (r->f->count[v] == 1)
			continue;
		bool read = reads(n, r->value[v]);
		w->count[w->n] = r->f->count[v];
		w->at[w->n] = 0;
		w->next_stride[w->n] = next;
		w->input_stride[w->n++] = read ? inputs : 0;
		inputs *= read ? r->f->count[v] : 1;
	}
	return inputs;
}

/* Room for the combinations of g in front of pruning, at no cost known yet. */
static void make_room(run *r, front *g)
{
	if (g->size > r->most) {
		r->most = g->size > 2 * r->most ? g->size : 2 * r->most;
		r->cost = pim_arena_raw(r->arena, sizeof *r->cost * (size_t)r->most);
		r->step = pim_arena_raw(r->arena, sizeof *r->step * (size_t)r->most);
	}
	g->cost = r->cost;
	for (int64_t t = 0; t < g->size; t++)
		g->cost[t] = INFINITY;
	memset(r->step, 0, sizeof *r->step * (size_t)g->size);
}

/* Goes from combination t of the old front to those of the next that differ in n's state. */
static void extend(const run *r, int64_t t, const best_row *row, int64_t to, double *cost)
{
	double before = r->f->cost[t];
	for (int k = 0; k < row->n; k++, to++)
		if (before + row->cost[k] < cost[to]) {
			cost[to] = before + row->cost[k];
			r->step[to] = (step){(uint32_t)t, row->own[k], row->seen[k]};
		}
}

static front make_front(run *r, const pim_node *n, int at, pim_arena *a, int64_t *looks)
{
	front g = next_front(r, n, at, a);
	walker w;
	best_row *rows = PIM_NEW(a, best_row, start_walk(r, &g, n, at, &w));
	const own_costs *own = find_own_costs(r, n, a);
	int *seen = PIM_NEW(a, int, n->n_in + 1), states = r->s->states[n->id]->n;
	make_room(r, &g);
	for (int64_t t = 0; t < r->f->size; t++, advance(&w)) {
		best_row *row = &rows[w.input];
		if (row->n == 0) {
			find_seen(r, n, t, seen);
			fill_row(r, n, own, seen, stays_live(r, n, at), row);
			*looks += states * states;
		}
		extend(r, t, row, w.next, g.cost);
	}
	*looks += r->f->size * states;
	return g;
}

/* ---- pruning ---- */

/* The least cost of any combination with each state of live value v. */
static void find_marginals(const front *f, int v, double least[PIM_MAX_STATES])
{
	int64_t stride = stride_of(f, v);
	for (int k = 0; k < f->count[v]; k++)
		least[k] = INFINITY;
	for (int64_t t = 0; t < f->size;)
		for (int k = 0; k < f->count[v]; k++)
			for (int64_t end = t + stride; t < end; t++)
				least[k] = f->cost[t] < least[k] ? f->cost[t] : least[k];
}

/* Which states of each value are kept, in order. */
typedef struct choice {
	int *count;
	uint8_t (*state)[PIM_MAX_STATES];
	double (*least)[PIM_MAX_STATES];
} choice;

/* Of the value with most states, again and again, the state that does worst goes. */
static void choose_states(const front *f, int64_t room, choice *c)
{
	for (int64_t size = f->size; size > room;) {
		int v = 0, worst = 0;
		for (int k = 1; k < f->n; k++)
			if (c->count[k] > c->count[v])
				v = k;
		for (int k = 1; k < c->count[v]; k++)
			if (c->least[v][c->state[v][k]] >= c->least[v][c->state[v][worst]])
				worst = k;
		size = size / c->count[v] * (c->count[v] - 1);
		c->count[v]--;
		memmove(&c->state[v][worst], &c->state[v][worst + 1], (size_t)(c->count[v] - worst));
	}
}

/* Leaves the combinations of chosen states, in order. */
static void keep_chosen(front *f, const choice *c, step *steps, pim_arena *a)
{
	int *at = PIM_NEW(a, int, f->n + 1);
	int64_t *stride = PIM_NEW(a, int64_t, f->n + 1), size = 1;
	for (int v = 0; v < f->n; v++) {
		stride[v] = stride_of(f, v);
		size *= c->count[v];
	}
	for (int64_t to = 0; to < size; to++) {
		int64_t from = 0;
		for (int v = 0; v < f->n; v++)
			from += c->state[v][at[v]] * stride[v];
		f->cost[to] = f->cost[from];
		steps[to] = steps[from];
		for (int v = f->n - 1; v >= 0 && ++at[v] == c->count[v]; v--)
			at[v] = 0;
	}
	f->size = size;
	for (int v = 0; v < f->n; v++) {
		for (int k = 0; k < c->count[v]; k++)
			f->state[v][k] = f->state[v][c->state[v][k]];
		f->count[v] = c->count[v];
	}
}

/* Drops states until there is room; what a state is worth is looked at again whenever half of the
 * combinations are gone. */
static bool prune(const run *r, front *f, pim_arena *a)
{
	bool pruned = f->size > r->room;
	while (f->size > r->room) {
		choice c = {.count = PIM_NEW(a, int, f->n)};
		c.state = pim_arena_alloc(a, sizeof *c.state * (size_t)f->n);
		c.least = pim_arena_alloc(a, sizeof *c.least * (size_t)f->n);
		for (int v = 0; v < f->n; v++) {
			find_marginals(f, v, c.least[v]);
			c.count[v] = f->count[v];
			for (int k = 0; k < f->count[v]; k++)
				c.state[v][k] = (uint8_t)k;
		}
		choose_states(f, f->size / 2 > r->room ? f->size / 2 : r->room, &c);
		keep_chosen(f, &c, r->step, a);
	}
	return pruned;
}

/* ---- equal fronts ---- */

static uint64_t hash_front(const front *f)
{
	uint64_t h = (uint64_t)f->size;
	for (int v = 0; v < f->n; v++)
		for (int k = 0; k < f->count[v]; k++)
			h = (h ^ f->state[v][k]) * 0x9e3779b97f4a7c15u;
	for (int64_t t = 0; t < f->size; t++) {
		uint64_t bits;
		memcpy(&bits, &f->cost[t], sizeof bits);
		h = (h ^ bits) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	return h;
}

static bool are_equal(const front *a, const front *b)
{
	if (a->n != b->n || a->size != b->size)
		return false;
	for (int v = 0; v < a->n; v++)
		if (a->count[v] != b->count[v] ||
			memcmp(a->state[v], b->state[v], (size_t)a->count[v]) != 0)
			return false;
	return !memcmp(a->cost, b->cost, sizeof *a->cost * (size_t)a->size);
}

static front *copy_front(const front *f, pim_arena *a)
{
	front *copy = PIM_NEW(a, front, 1);
	*copy = *f;
	copy->count = PIM_NEW(a, int, f->n + 1);
	copy->state = pim_arena_alloc(a, sizeof *copy->state * (size_t)(f->n + 1));
	copy->cost = pim_arena_raw(a, sizeof *copy->cost * (size_t)f->size);
	for (int v = 0; v < f->n; v++) {
		copy->count[v] = f->count[v];
		memcpy(copy->state[v], f->state[v], sizeof *f->state);
	}
	memcpy(copy->cost, f->cost, sizeof *f->cost * (size_t)f->size);
	return copy;
}

/* The one front that equals this one. */
static const front *intern_front(run *r, const front *f)
{
	uint64_t hash = hash_front(f);
	front *first = pim_map_get(r->fronts, &hash, sizeof hash);
	for (const front *g = first; g; g = g->next)
		if (are_equal(f, g))
			return g;
	front *copy = copy_front(f, r->arena);
	copy->next = NULL;
	if (first) {
		copy->next = first->next;
		first->next = copy;
	} else {
		pim_map_put(r->fronts, &hash, sizeof hash, copy);
	}
	return copy;
}

/* ---- the walk ---- */

static void put(pim_text *key, const void *p, size_t bytes)
{
	pim_text_add(key, p, bytes);
}

/* All that a step depends on. */
static void make_key(run *r, const pim_node *n, int at)
{
	pim_text *key = &r->key;
	const pim_states *own = r->s->states[n->id];
	key->n = 0;
	put(key, &r->f, sizeof r->f);
	put(key, &own, sizeof own);
	for (int i = 0; i < (int)n->n_in; i++) {
		const edge_table *e = r->s->edge[n->id][i];
		int v = is_value(n->in[i]) ? find_live(r, n->in[i]) : -1;
		put(key, &e, sizeof e);
		put(key, &v, sizeof v);
	}
	for (int v = 0; v < r->f->n; v++) {
		bool stays = stays_live(r, r->value[v], at);
		put(key, &stays, sizeof stays);
	}
	bool live = stays_live(r, n, at);
	put(key, &live, sizeof live);
}

static transition *make_transition(run *r, const pim_node *n, int at)
{
	pim_arena *scratch = pim_arena_new();
	transition *x = PIM_NEW(r->arena, transition, 1);
	front g = make_front(r, n, at, scratch, &x->looks);
	x->pruned = prune(r, &g, scratch);
	x->least = INFINITY;
	for (int64_t t = 0; t < g.size; t++)
		x->least = g.cost[t] < x->least ? g.cost[t] : x->least;
	for (int64_t t = 0; t < g.size; t++)
		g.cost[t] -= x->least;
	x->step = pim_arena_raw(r->arena, sizeof *x->step * (size_t)g.size);
	memcpy(x->step, r->step, sizeof *x->step * (size_t)g.size);
	x->to = intern_front(r, &g);
	pim_arena_free(scratch);
	return x;
}

static void take_step(run *r, const pim_node *n, int at)
{
	make_key(r, n, at);
	transition *x = pim_map_get(r->known, r->key.s, r->key.n);
	if (!x) {
		x = make_transition(r, n, at);
		pim_map_put(r->known, r->key.s, r->key.n, x);
		r->plan->steps += x->looks;
	}
	int kept = 0;
	for (int v = 0; v < r->f->n; v++)
		if (stays_live(r, r->value[v], at))
			r->value[kept++] = r->value[v];
	if (stays_live(r, n, at))
		r->value[kept] = n;
	r->plan->optimal = r->plan->optimal && !x->pruned;
	r->stage[r->n_stages++] = (stage){n, x->step};
	r->spent += x->least;
	r->f = x->to;
}

static void trace_back(run *r)
{
	int64_t t = 0;
	for (int64_t u = 1; u < r->f->size; u++)
		if (r->f->cost[u] < r->f->cost[t])
			t = u;
	r->plan->value = r->spent + r->f->cost[t];
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
	run r = {.s = s, .price = price, .room = room, .arena = scratch};
	r.plan = pim_layout_plan_new(s);
	r.stage = PIM_NEW(scratch, stage, s->n_ids + 1);
	r.value = PIM_NEW(scratch, const pim_node *, s->n_ids + 1);
	r.fronts = pim_map_new(scratch);
	r.known = pim_map_new(scratch);
	double nothing = 0;
	r.f = intern_front(&r, &(front){.n = 0, .size = 1, .cost = &nothing});
	int at = 0;
	PIM_EACH_NODE(n, s->graph)
	{
		at++;
		if (is_value(n))
			take_step(&r, n, at);
	}
	trace_back(&r);
	r.plan->bound = r.plan->value;
	if (!r.plan->optimal)
		pim_layout_dual_improve(s, price, r.plan);
	pim_layout_plan_share(s, r.plan, price);
	pim_layout_plan_add_up(s, r.plan);
	free(r.key.s);
	pim_arena_free(scratch);
	return r.plan;
}
