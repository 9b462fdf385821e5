/* SPDX-License-Identifier: Apache-2.0 */
/* place_group - the units of one group of tenants, while all others stay where they are.
 *
 * A group is one tenant, or several on the same units that move together. Messages to others give a
 * price for each slot on each unit; units of rivals are left out. Without messages between its own
 * slots that is a linear assignment problem, solved exactly, on large grids to a small tolerance;
 * with them it is a quadratic one, for tabu search from where the group stands; on more than
 * MOST_QUADRATIC free units they are left out of account. Both are parts of
 * the assignment engine. The engine itself does not take the whole placement: there a unit has one
 * capacity for all times, here a unit has tenants one after the other, and slots of one time must
 * not meet. Cost: messages * units for the prices, units^3 at worst for the linear problem. */
#include <math.h>
#include <string.h>

#include "passes/assignment_core.h"
#include "passes/place.h"

/* Moves of tabu search for each unit that is free; most steps of a visit; most units for the linear
 * problem as a matrix. */
enum { MOVES = 2, MOST_STEPS = 16 * 1000 * 1000, MOST_EXACT = 128, MOST_QUADRATIC = 256 };
static const double TOLERANCE =
	5e-3; /* of an auction: proved; by trial a good price for its time */

struct pim_place_group {
	pim_placement *p;
	const bool *placed;
	size_t units;
	int n_members;
	const int *member;
	bool *in_group; /* by tenant */
	double *price;	/* [slot * units + unit], whole numbers */
	int64_t *own;	/* [slot * slots + slot], both directions; messages inside the group */
	double *even;	/* [unit]: prices of an even flow */
	bool has_price, has_own;
	bool *taken;
	int n_free, *free;		/* units that it may have */
	int *column;			/* [slot]: place in `free`, then unit */
	double *split;			/* [slot]: prices by x, y, z; NULL where hops do not add up so */
	int64_t *cost, *prices; /* of the linear problem */
	pim_tree_counter *trees;
	bool *counted; /* [flow] */
	int64_t work, tried;
};

pim_place_group *pim_place_group_new(pim_placement *p, const bool *placed, pim_arena *a)
{
	size_t units = (size_t)p->units;
	pim_place_group *g = PIM_NEW(a, pim_place_group, 1);
	*g = (pim_place_group){.p = p,
		.placed = placed,
		.units = units,
		.in_group = PIM_NEW(a, bool, p->n),
		.price = PIM_NEW(a, double, units *units),
		.own = PIM_NEW(a, int64_t, units * units),
		.taken = PIM_NEW(a, bool, units),
		.free = PIM_NEW(a, int, units),
		.column = PIM_NEW(a, int, units),
		.cost = PIM_NEW(a, int64_t, units * units),
		.even = PIM_NEW(a, double, units),
		.prices = PIM_NEW(a, int64_t, 2 * units)};
	g->trees = pim_tree_counter_new(p->target, a);
	g->counted = PIM_NEW(a, bool, p->n_flows);
	const pim_target *t = p->target;
	if (t->network.topology != PIM_TOPOLOGY_bus)
		g->split = PIM_NEW(a, double,
			units *(size_t)(t->network.size[0] + t->network.size[1] + t->network.size[2]));
	return g;
}

int64_t pim_place_group_work(const pim_place_group *g)
{
	return g->work;
}

int64_t pim_place_group_tried(const pim_place_group *g)
{
	return g->tried;
}

static pim_tenant *leader(const pim_place_group *g)
{
	return &g->p->tenant[g->member[0]];
}

static int64_t hops_between(const pim_place_group *g, int from, int to)
{
	return g->p->hops[(size_t)from * g->units + (size_t)to];
}

/* price[u] += bytes * hops[u]; exact below 2^53. */
static void add_row(double *restrict price, const int *restrict hops, double bytes, size_t units)
{
	for (size_t u = 0; u < units; u++)
		price[u] += bytes * hops[u];
}

/* Every slot sends or receives the same: one row serves all. */
static void price_even(pim_place_group *g, const pim_flow *f, const pim_tenant *there)
{
	int slots = leader(g)->n_units;
	memset(g->even, 0, sizeof *g->even * g->units);
	for (int k = 0; k < there->n_units; k++)
		add_row(
			g->even, g->p->hops + (size_t)there->unit[k] * g->units, f->message[0].bytes, g->units);
	for (int i = 0; i < slots; i++)
		for (size_t u = 0; u < g->units; u++)
			g->price[(size_t)i * g->units + u] += g->even[u];
	g->work += (slots + there->n_units) * (int64_t)g->units;
}

static void price_flow(pim_place_group *g, const pim_flow *f, bool from_here)
{
	const pim_tenant *other = &g->p->tenant[from_here ? f->to : f->from];
	const int *there = other->unit;
	g->has_price = true;
	if (f->even) {
		price_even(g, f, other);
		return;
	}
	for (int k = 0; k < f->n; k++) {
		const pim_message *m = &f->message[k];
		add_row(g->price + (size_t)(from_here ? m->from : m->to) * g->units,
			g->p->hops + (size_t)there[from_here ? m->to : m->from] * g->units, m->bytes, g->units);
	}
	g->work += f->n * (int64_t)g->units;
}

static void add_own(pim_place_group *g, const pim_flow *f)
{
	size_t slots = (size_t)leader(g)->n_units;
	for (int k = 0; k < f->n; k++) {
		const pim_message *m = &f->message[k];
		if (m->from == m->to)
			continue;
		g->own[(size_t)m->from * slots + (size_t)m->to] += (int64_t)m->bytes;
		g->own[(size_t)m->to * slots + (size_t)m->from] += (int64_t)m->bytes;
		g->has_own = true;
	}
	g->work += f->n;
}

/* An even flow from or to all units costs the same wherever the slots are. */
static void look_at_flows(pim_place_group *g, int one)
{
	const pim_tenant *t = &g->p->tenant[one];
	for (int k = 0; k < t->n_flows; k++) {
		const pim_flow *f = &g->p->flow[t->flow[k]];
		bool from_here = f->from == one;
		if (f->even && t->n_units == g->p->units)
			continue;
		if (!g->in_group[from_here ? f->to : f->from]) {
			if (g->placed[from_here ? f->to : f->from])
				price_flow(g, f, from_here);
		} else if (from_here) {
			add_own(g, f);
		}
	}
}

static void look_around(pim_place_group *g)
{
	size_t slots = (size_t)leader(g)->n_units;
	memset(g->price, 0, sizeof *g->price * slots * g->units);
	memset(g->own, 0, sizeof *g->own * slots * slots);
	memset(g->taken, 0, sizeof *g->taken * g->units);
	g->has_price = g->has_own = false;
	for (int i = 0; i < g->n_members; i++) {
		const pim_tenant *t = &g->p->tenant[g->member[i]];
		look_at_flows(g, g->member[i]);
		for (int k = 0; k < t->n_rivals; k++) {
			const pim_tenant *r = &g->p->tenant[t->rival[k]];
			for (int u = 0; g->placed[t->rival[k]] && u < r->n_units; u++)
				g->taken[r->unit[u]] = true;
		}
	}
	g->n_free = 0;
	for (int u = 0; u < g->p->units; u++)
		if (!g->taken[u])
			g->free[g->n_free++] = u;
}

/* The prices of the slots on the free units, and of empty slots that cost nothing. */
static void fill_prices(pim_place_group *g, int64_t *cost)
{
	size_t slots = (size_t)leader(g)->n_units, n = (size_t)g->n_free;
	memset(cost, 0, sizeof *cost * n * n);
	for (size_t i = 0; i < slots; i++)
		for (size_t k = 0; k < n; k++)
			cost[i * n + k] = (int64_t)g->price[i * g->units + (size_t)g->free[k]];
}

static void solve_exactly(pim_place_group *g)
{
	fill_prices(g, g->cost);
	pim_linear_assignment(g->n_free, g->cost, g->column, g->prices, g->prices + g->units);
	for (int i = 0; i < g->n_free; i++)
		g->column[i] = g->free[g->column[i]];
	g->work += (int64_t)g->n_free * g->n_free * g->n_free / 8;
}

/* Hops on a mesh or torus are those along x, along y and along z: so are the prices. */
static void split_prices(pim_place_group *g)
{
	const int *size = g->p->target->network.size;
	size_t step[3] = {1, (size_t)size[0], (size_t)size[0] * (size_t)size[1]};
	double *split = g->split;
	for (int i = 0; i < leader(g)->n_units; i++) {
		const double *price = g->price + (size_t)i * g->units;
		for (int d = 0; d < 3; d++)
			for (size_t k = 0; k < (size_t)size[d]; k++)
				*split++ = price[k * step[d]] - (d > 0 ? price[0] : 0);
	}
}

static void solve_by_auction(pim_place_group *g)
{
	const int *size = g->p->target->network.size;
	pim_grid_costs costs = {leader(g)->n_units, {size[0], size[1], size[2]}, g->split, g->taken};
	split_prices(g);
	g->work += pim_auction(&costs, TOLERANCE, g->column).steps;
}

static void solve_linear(pim_place_group *g)
{
	if (g->n_free > MOST_EXACT && g->split)
		solve_by_auction(g);
	else
		solve_exactly(g);
	g->tried++;
}

static assignment_dense *make_matrices(pim_place_group *g, pim_arena *a)
{
	size_t slots = (size_t)leader(g)->n_units, n = (size_t)g->n_free;
	assignment_dense *d = PIM_NEW(a, assignment_dense, 1);
	*d = (assignment_dense){.n = g->n_free, .real = (int)slots, .terms = 1};
	d->flow[0] = PIM_NEW(a, int64_t, n * n);
	d->far[0] = PIM_NEW(a, int64_t, n * n);
	d->price = PIM_NEW(a, int64_t, n * n);
	for (size_t i = 0; i < slots; i++)
		memcpy(d->flow[0] + i * n, g->own + i * slots, sizeof *g->own * slots);
	for (size_t u = 0; u < n; u++)
		for (size_t v = 0; v < n; v++)
			d->far[0][u * n + v] = hops_between(g, g->free[u], g->free[v]);
	fill_prices(g, d->price);
	return d;
}

/* Places in `free` of where the group stands, and of empty slots. */
static void find_columns(pim_place_group *g)
{
	const pim_tenant *t = leader(g);
	int empty = t->n_units;
	for (int k = 0, i; k < g->n_free; k++) {
		for (i = 0; i < t->n_units && t->unit[i] != g->free[k]; i++)
			;
		g->column[i < t->n_units ? i : empty++] = k;
	}
}

static void solve_quadratic(pim_place_group *g, uint64_t *random)
{
	pim_arena *a = pim_arena_new();
	assignment_run run = {.until = INFINITY};
	int64_t n = g->n_free, moves = MOST_STEPS / (n * n);
	assignment_dense *d = make_matrices(g, a);
	find_columns(g);
	assignment_tabu_run(
		assignment_tabu_new(d, a), &run, g->column, moves < MOVES * n ? moves : MOVES * n, random);
	for (int i = 0; i < leader(g)->n_units; i++)
		g->column[i] = g->free[g->column[i]];
	g->tried += run.steps;
	g->work += (run.steps / 4 + 16) * n * n;
	pim_arena_free(a);
}

static bool stands(const pim_place_group *g)
{
	for (int i = 0; i < leader(g)->n_units; i++)
		if (g->taken[leader(g)->unit[i]])
			return false;
	return true;
}

/* Units for the group that is looked at, in g->column; false if nothing draws it anywhere. */
static bool find_units(pim_place_group *g, uint64_t *random)
{
	if (stands(g) && !g->has_price && !g->has_own)
		return false;
	if (stands(g) && g->has_own && g->n_free > MOST_QUADRATIC)
		return false;
	if (g->has_own && g->n_free <= MOST_QUADRATIC)
		solve_quadratic(g, random);
	else
		solve_linear(g);
	return true;
}

/* Bytes times links of all flows of the group with tenants that are placed. */
static double count_cost(pim_place_group *g)
{
	double cost = 0;
	for (int i = 0; i < g->n_members; i++) {
		const pim_tenant *t = &g->p->tenant[g->member[i]];
		for (int k = 0; k < t->n_flows; k++) {
			const pim_flow *f = &g->p->flow[t->flow[k]];
			bool known = (g->placed[f->from] || g->in_group[f->from]) &&
						 (g->placed[f->to] || g->in_group[f->to]);
			if (!known || g->counted[t->flow[k]])
				continue;
			g->counted[t->flow[k]] = true;
			cost += pim_flow_cost(g->trees, g->p, f);
			g->work += f->n;
		}
	}
	for (int i = 0; i < g->n_members; i++) {
		const pim_tenant *t = &g->p->tenant[g->member[i]];
		for (int k = 0; k < t->n_flows; k++)
			g->counted[t->flow[k]] = false;
	}
	return cost;
}

/* All members of a group have the same units: those in g->column in exchange for theirs. */
static void exchange_units(pim_place_group *g)
{
	int slots = leader(g)->n_units;
	for (int i = 0; i < g->n_members; i++) {
		int *unit = g->p->tenant[g->member[i]].unit;
		for (int k = 0; k < slots; k++) {
			int old = unit[k];
			unit[k] = g->column[k];
			if (i == g->n_members - 1)
				g->column[k] = old;
		}
	}
}

bool pim_place_group_move(pim_place_group *g, int n, const int *member, uint64_t *random)
{
	bool better = false;
	g->n_members = n;
	g->member = member;
	for (int i = 0; i < n; i++)
		g->in_group[member[i]] = true;
	look_around(g);
	bool must = !stands(g);
	if (find_units(g, random)) {
		double before = must ? INFINITY : count_cost(g);
		exchange_units(g);
		better = must || count_cost(g) < before;
		if (!better)
			exchange_units(g);
	}
	for (int i = 0; i < n; i++)
		g->in_group[member[i]] = false;
	return better;
}
