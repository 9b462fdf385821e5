/* SPDX-License-Identifier: Apache-2.0 */
/* layout_dual.c - layouts of a graph that is too wide for layout_front.c: a bound and a plan.
 *
 * Idea: each value is two variables, the state it is computed in and the state it is seen in. The
 * cost of a plan is a sum of costs of one variable (what the op takes) and of two (a relayout, or
 * what a reader fetches), which monotonic chains of the graph share out among each other; the sum
 * of their least costs is a bound, whatever the shares. Sequential tree-reweighted message passing
 * moves the shares until all chains like the same states, walking forth and back in program order:
 *     hat(x)  = cost(x) + all messages to the variable, share = hat / the number of chains
 *     message = least over x of share(x) - message from there(x) + cost(x, y)
 * On the way forth each variable takes the state that is best from what was chosen before it and
 * from the messages behind it; the best plan met is then improved value by value.
 * Cost: pairs of states times inputs, per walk.
 * Source: Kolmogorov, Convergent Tree-Reweighted Message Passing for Energy Minimization, IEEE
 * TPAMI 2006; its use for layouts is ours. */
#include <math.h>
#include <string.h>

#include "passes/layout_search.h"

enum { MOST_WALKS = 400, PATIENCE = 25, MOST_ROUNDS = 50 };
static const double LITTLE = 1e-5; /* of the bound: less than that in PATIENCE walks ends it */

/* What two variables cost together, and the messages along it. */
typedef struct link {
	int from, to;
	const double *cost; /* by label of `from`, then of `to` */
	double *forth, *back;
} link;

typedef struct variable {
	const pim_node *node;
	int n, label; /* label: as chosen on this walk */
	uint8_t state[PIM_MAX_STATES];
	double cost[PIM_MAX_STATES];
	int n_before, n_after;
	link **before, **after;
	double chains; /* through it */
} variable;

typedef struct dual {
	pim_layout_search *s;
	double price;
	pim_arena *arena;
	pim_map *tables;	  /* of costs, by edge table */
	int n, n_links, *own; /* own: variable of the state in which a node is computed, by id */
	variable *variable;
	link *link;
	double bound, value; /* value: of the best labels met */
	int *best;
} dual;

/* ---- variables and links ---- */

static bool is_value(const pim_node *n)
{
	return n && n->op != PIM_OP_constant;
}

static void add_variable(dual *d, const pim_node *n, bool seen)
{
	const pim_states *r = d->s->states[n->id];
	variable *v = &d->variable[d->n++];
	v->node = n;
	for (int k = 0; k < r->n; k++)
		if (seen ? r->state[k].seen : r->state[k].own) {
			v->cost[v->n] = seen ? 0 : pim_layout_state_cost(d->s, d->price, &r->state[k]);
			v->state[v->n++] = (uint8_t)k;
		}
}

/* The costs of an input, or, where `input` is -1, of the relayout of the value itself. */
static const double *find_costs(
	dual *d, edge_table *e, const variable *from, const variable *to, bool relayout)
{
	double *cost = pim_map_get(d->tables, &e, sizeof e);
	if (cost)
		return cost;
	cost = PIM_NEW(d->arena, double, from->n * to->n);
	for (int x = 0; x < from->n; x++)
		for (int y = 0; y < to->n; y++)
			cost[x * to->n + y] =
				relayout
					? pim_layout_move_cost(d->s, d->price, to->node, from->state[x], to->state[y])
					: pim_layout_fetch_cost(d->s, e, from->state[x], to->state[y]);
	pim_map_put(d->tables, &e, sizeof e, cost);
	return cost;
}

static void add_link(dual *d, edge_table *e, int from, int to, bool relayout)
{
	variable *a = &d->variable[from], *b = &d->variable[to];
	link *l = &d->link[d->n_links++];
	*l = (link){.from = from, .to = to, .cost = find_costs(d, e, a, b, relayout)};
	l->forth = PIM_NEW(d->arena, double, b->n);
	l->back = PIM_NEW(d->arena, double, a->n);
	a->n_after++;
	b->n_before++;
}

/* Lists the links of each variable, and counts the chains through it. */
static void list_links(dual *d)
{
	for (int i = 0; i < d->n; i++) {
		variable *v = &d->variable[i];
		v->before = PIM_NEW(d->arena, link *, v->n_before + 1);
		v->after = PIM_NEW(d->arena, link *, v->n_after + 1);
		v->chains = fmax(1, fmax(v->n_before, v->n_after));
		v->n_before = v->n_after = 0;
	}
	for (int i = 0; i < d->n_links; i++) {
		variable *a = &d->variable[d->link[i].from], *b = &d->variable[d->link[i].to];
		a->after[a->n_after++] = &d->link[i];
		b->before[b->n_before++] = &d->link[i];
	}
}

static void make_problem(dual *d)
{
	int inputs = 0;
	PIM_EACH_NODE(n, d->s->graph) inputs += 1 + (int)n->n_in;
	d->variable = PIM_NEW(d->arena, variable, 2 * d->s->n_ids + 1);
	d->link = PIM_NEW(d->arena, link, inputs + 1);
	d->own = PIM_NEW(d->arena, int, d->s->n_ids + 1);
	PIM_EACH_NODE(n, d->s->graph)
	{
		if (!is_value(n))
			continue;
		int own = d->own[n->id] = d->n;
		add_variable(d, n, false);
		add_variable(d, n, true);
		for (int i = 0; i < (int)n->n_in; i++)
			if (d->s->edge[n->id][i])
				add_link(d, d->s->edge[n->id][i], d->own[n->in[i]->id] + 1, own, false);
		add_link(d, d->s->move[n->id], own, own + 1, true);
	}
	list_links(d);
}

/* ---- walks ---- */

/* fmin, which looks for NaN, stays a call. */
static inline double lower(double a, double b)
{
	return a < b ? a : b;
}

static void find_hat(const variable *v, double *hat)
{
	memcpy(hat, v->cost, sizeof *hat * (size_t)v->n);
	for (int i = 0; i < v->n_before; i++)
		for (int x = 0; x < v->n; x++)
			hat[x] += v->before[i]->forth[x];
	for (int i = 0; i < v->n_after; i++)
		for (int x = 0; x < v->n; x++)
			hat[x] += v->after[i]->back[x];
}

static int find_least(int n, const double *cost)
{
	int least = 0;
	for (int x = 1; x < n; x++)
		if (cost[x] < cost[least])
			least = x;
	return least;
}

/* Subtracts the least from all. */
static double normalise(int n, double *message)
{
	double least = message[find_least(n, message)];
	for (int x = 0; x < n; x++)
		message[x] -= least;
	return least;
}

/* The message along `l` to its later variable. */
static void send_forth(link *l, const variable *from, const variable *to, const double *share)
{
	for (int y = 0; y < to->n; y++)
		l->forth[y] = INFINITY;
	for (int x = 0; x < from->n; x++) {
		double base = share[x] - l->back[x];
		const double *row = &l->cost[x * to->n];
		for (int y = 0; y < to->n; y++)
			l->forth[y] = lower(l->forth[y], base + row[y]);
	}
	normalise(to->n, l->forth);
}

/* To its earlier one; gives what every plan of the chain costs from here on. */
static double send_back(link *l, const variable *from, const variable *to, const double *share)
{
	for (int x = 0; x < from->n; x++) {
		const double *row = &l->cost[x * to->n];
		double least = INFINITY;
		for (int y = 0; y < to->n; y++)
			least = lower(least, share[y] - l->forth[y] + row[y]);
		l->back[x] = least;
	}
	return normalise(from->n, l->back);
}

static void choose_label(const dual *d, variable *v)
{
	double cost[PIM_MAX_STATES];
	memcpy(cost, v->cost, sizeof *cost * (size_t)v->n);
	for (int i = 0; i < v->n_before; i++) {
		const double *row = &v->before[i]->cost[d->variable[v->before[i]->from].label * v->n];
		for (int x = 0; x < v->n; x++)
			cost[x] += row[x];
	}
	for (int i = 0; i < v->n_after; i++)
		for (int x = 0; x < v->n; x++)
			cost[x] += v->after[i]->back[x];
	v->label = find_least(v->n, cost);
}

static void walk_forth(dual *d)
{
	for (int i = 0; i < d->n; i++) {
		variable *v = &d->variable[i];
		double share[PIM_MAX_STATES];
		choose_label(d, v);
		find_hat(v, share);
		for (int x = 0; x < v->n; x++)
			share[x] /= v->chains;
		for (int k = 0; k < v->n_after; k++)
			send_forth(v->after[k], v, &d->variable[v->after[k]->to], share);
	}
}

static double walk_back(dual *d)
{
	double bound = 0;
	for (int i = d->n - 1; i >= 0; i--) {
		variable *v = &d->variable[i];
		double share[PIM_MAX_STATES];
		find_hat(v, share);
		for (int x = 0; x < v->n; x++)
			share[x] /= v->chains;
		bound += (v->chains - v->n_before) * share[find_least(v->n, share)];
		for (int k = 0; k < v->n_before; k++)
			bound += send_back(v->before[k], &d->variable[v->before[k]->from], v, share);
	}
	return bound;
}

/* ---- plans ---- */

static double link_cost(const dual *d, const link *l)
{
	const variable *a = &d->variable[l->from], *b = &d->variable[l->to];
	return l->cost[a->label * b->n + b->label];
}

static double find_value(const dual *d)
{
	double sum = 0;
	for (int i = 0; i < d->n; i++)
		sum += d->variable[i].cost[d->variable[i].label];
	for (int i = 0; i < d->n_links; i++)
		sum += link_cost(d, &d->link[i]);
	return sum;
}

static void keep_labels(dual *d)
{
	double value = find_value(d);
	if (value >= d->value)
		return;
	d->value = value;
	for (int i = 0; i < d->n; i++)
		d->best[i] = d->variable[i].label;
}

static void read_plan(dual *d, const pim_layout_plan *p)
{
	for (int i = 0; i < d->n; i++) {
		variable *v = &d->variable[i];
		int state = i % 2 ? p->seen[v->node->id] : p->own[v->node->id];
		v->label = 0;
		for (int x = 0; x < v->n; x++)
			v->label = v->state[x] == state ? x : v->label;
	}
	keep_labels(d);
}

static void write_plan(const dual *d, pim_layout_plan *p)
{
	for (int i = 0; i < d->n; i++) {
		const variable *v = &d->variable[i];
		*(i % 2 ? &p->seen[v->node->id] : &p->own[v->node->id]) = v->state[d->best[i]];
	}
}

/* What each label of v costs with its neighbours as they are, all but the link `without`. */
static void find_costs_here(const dual *d, const variable *v, const link *without, double *cost)
{
	memcpy(cost, v->cost, sizeof *cost * (size_t)v->n);
	for (int i = 0; i < v->n_before; i++)
		for (int x = 0; x < v->n && v->before[i] != without; x++)
			cost[x] += v->before[i]->cost[d->variable[v->before[i]->from].label * v->n + x];
	for (int i = 0; i < v->n_after; i++) {
		const variable *to = &d->variable[v->after[i]->to];
		for (int x = 0; x < v->n && v->after[i] != without; x++)
			cost[x] += v->after[i]->cost[x * to->n + to->label];
	}
}

/* Gives a value the best pair of states for its neighbours; false when it has it. */
static bool improve_value(dual *d, variable *own)
{
	variable *seen = own + 1;
	const link *move = own->after[0];
	double made[PIM_MAX_STATES], shown[PIM_MAX_STATES];
	find_costs_here(d, own, move, made);
	find_costs_here(d, seen, move, shown);
	double now = made[own->label] + shown[seen->label] + link_cost(d, move), best = now;
	int labels[2] = {own->label, seen->label};
	for (int x = 0; x < own->n; x++)
		for (int y = 0; y < seen->n; y++) {
			double cost = made[x] + shown[y] + move->cost[x * seen->n + y];
			if (cost < best - 1e-9 * fabs(now)) {
				best = cost;
				own->label = x;
				seen->label = y;
			}
		}
	return own->label != labels[0] || seen->label != labels[1];
}

static void improve_labels(dual *d)
{
	for (int i = 0; i < d->n; i++)
		d->variable[i].label = d->best[i];
	for (int round = 0; round < MOST_ROUNDS; round++) {
		bool changed = false;
		for (int i = 0; i < d->n; i += 2)
			changed = improve_value(d, &d->variable[i]) || changed;
		if (!changed)
			break;
	}
	keep_labels(d);
}

void pim_layout_dual_improve(pim_layout_search *s, double price, pim_layout_plan *p)
{
	dual d = {.s = s, .price = price, .arena = pim_arena_new(), .value = INFINITY};
	d.tables = pim_map_new(d.arena);
	make_problem(&d);
	d.best = PIM_NEW(d.arena, int, d.n + 1);
	read_plan(&d, p);
	double stood = 0; /* the bound PATIENCE walks ago */
	for (int walk = 1; walk <= MOST_WALKS && d.bound < d.value * (1 - 1e-9); walk++) {
		walk_forth(&d);
		keep_labels(&d);
		d.bound = fmax(d.bound, walk_back(&d));
		if (walk % PATIENCE == 0) {
			if (d.bound < stood * (1 + LITTLE))
				break;
			stood = d.bound;
		}
		p->steps += d.n_links;
	}
	improve_labels(&d);
	write_plan(&d, p);
	p->value = d.value;
	p->bound = fmin(d.bound, d.value);
	p->optimal = d.bound >= d.value * (1 - 1e-9);
	pim_arena_free(d.arena);
}
