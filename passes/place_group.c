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
 * not meet. Hops on a mesh or torus are those along x, along y and along z, and so are the prices:
 * each message is added to so many figures as these are long together. Cost: messages * those,
 * slots * units for the prices, units^3 at worst for the linear problem. */
#include <math.h>
#include <string.h>

#include "passes/assignment_core.h"
#include "passes/place_memory.h"

/* Moves of tabu search for each unit that is free; most steps of a visit; most units for the linear
 * problem as a matrix. */
enum { MOVES = 2, MOST_STEPS = 16 * 1000 * 1000, MOST_EXACT = 128, MOST_QUADRATIC = 256 };
static const double UNKNOWN = -1;
static const double TOLERANCE =
	5e-3; /* of an auction: proved; by trial a good price for its time */

/* Hops between places in a direction. */
typedef struct direction {
	size_t size;
	double *hops; /* [from * size + to] */
} direction;

struct pim_place_group {
	pim_placement *p;
	const bool *placed;
	size_t units;
	int n_members;
	const int *member;
	bool *in_group;	  /* by tenant */
	int n_directions; /* x, y and z; on buses, where hops do not add up so, all units as one */
	direction direction[3];
	int (*at)[3];  /* [unit]: its place in each direction */
	size_t width;  /* all sizes together */
	double *price; /* [slot * width], prices of places by direction, whole numbers */
	int64_t *own;  /* [slot * slots + slot], both directions; messages inside the group */
	double *even;  /* [width]: prices of an even flow */
	bool has_price, has_own;
	bool *taken;
	int n_free, *free;		/* units that it may have */
	int *column;			/* [slot]: place in `free`, then unit */
	int64_t *cost, *prices; /* of the linear problem */
	pim_tree_counter *trees;
	double *cost_of; /* [flow]: as the units are; UNKNOWN */
	int n_met, *met; /* flows of the group with tenants that are placed */
	bool *is_met;	 /* [flow] */
	double *then;	 /* of met flows: with other units */
	int64_t work, tried;
};

/* Distances as p->hops has them. */
static void add_direction(pim_place_group *g, int size, size_t step, pim_arena *a)
{
	direction *d = &g->direction[g->n_directions];
	*d = (direction){(size_t)size, PIM_NEW(a, double, size *size)};
	for (size_t from = 0; from < d->size; from++)
		for (size_t to = 0; to < d->size; to++)
			d->hops[from * d->size + to] = g->p->hops[from * step * g->units + to * step];
	for (size_t u = 0; u < g->units; u++)
		g->at[u][g->n_directions] = (int)(u / step % d->size);
	g->width += d->size;
	g->n_directions++;
}

static void find_directions(pim_place_group *g, pim_arena *a)
{
	const pim_target *t = g->p->target;
	g->at = pim_arena_alloc(a, sizeof *g->at * g->units);
	if (t->network.topology == PIM_TOPOLOGY_bus) {
		add_direction(g, g->p->units, 1, a);
		return;
	}
	size_t step = 1;
	for (int d = 0; d < 3; d++) {
		add_direction(g, t->network.size[d], step, a);
		step *= (size_t)t->network.size[d];
	}
}

pim_place_group *pim_place_group_new(pim_placement *p, const bool *placed, pim_arena *a)
{
	size_t units = (size_t)p->units;
	pim_place_group *g = PIM_NEW(a, pim_place_group, 1);
	*g = (pim_place_group){.p = p,
		.placed = placed,
		.units = units,
		.in_group = PIM_NEW(a, bool, p->n),
		.own = PIM_NEW(a, int64_t, units * units),
		.taken = PIM_NEW(a, bool, units),
		.free = PIM_NEW(a, int, units),
		.column = PIM_NEW(a, int, units),
		.cost = PIM_NEW(a, int64_t, units * units),
		.prices = PIM_NEW(a, int64_t, 2 * units)};
	g->trees = pim_tree_counter_new(p->target, a);
	g->is_met = PIM_NEW(a, bool, p->n_flows);
	g->met = PIM_NEW(a, int, p->n_flows);
	g->then = PIM_NEW(a, double, p->n_flows);
	g->cost_of = PIM_NEW(a, double, p->n_flows);
	for (int i = 0; i < p->n_flows; i++)
		g->cost_of[i] = UNKNOWN;
	find_directions(g, a);
	g->price = PIM_NEW(a, double, units * g->width);
	g->even = PIM_NEW(a, double, g->width);
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

/* Adds bytes * hops from a unit to the prices of all places; exact below 2^53. */
static void add_hops(const pim_place_group *g, double *restrict price, int unit, double bytes)
{
	for (int d = 0; d < g->n_directions; d++) {
		size_t size = g->direction[d].size;
		const double *restrict hops = g->direction[d].hops + (size_t)g->at[unit][d] * size;
		for (size_t k = 0; k < size; k++)
			price[k] += bytes * hops[k];
		price += size;
	}
}

static int64_t price_on(const pim_place_group *g, int slot, int unit)
{
	const double *price = g->price + (size_t)slot * g->width;
	double sum = 0;
	for (int d = 0; d < g->n_directions; d++) {
		sum += price[g->at[unit][d]];
		price += g->direction[d].size;
	}
	return (int64_t)sum;
}

/* Every slot sends or receives the same: one row serves all. */
static void price_even(pim_place_group *g, const pim_flow *f, const pim_tenant *there)
{
	int slots = leader(g)->n_units;
	memset(g->even, 0, sizeof *g->even * g->width);
	for (int k = 0; k < there->n_units; k++)
		add_hops(g, g->even, there->unit[k], f->message[0].bytes);
	for (int i = 0; i < slots; i++)
		for (size_t k = 0; k < g->width; k++)
			g->price[(size_t)i * g->width + k] += g->even[k];
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
		add_hops(g, g->price + (size_t)(from_here ? m->from : m->to) * g->width,
			there[from_here ? m->to : m->from], m->bytes);
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
	memset(g->price, 0, sizeof *g->price * slots * g->width);
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
	int slots = leader(g)->n_units;
	size_t n = (size_t)g->n_free;
	memset(cost, 0, sizeof *cost * n * n);
	for (int i = 0; i < slots; i++)
		for (size_t k = 0; k < n; k++)
			cost[(size_t)i * n + k] = price_on(g, i, g->free[k]);
}

static void solve_exactly(pim_place_group *g)
{
	fill_prices(g, g->cost);
	pim_linear_assignment(g->n_free, g->cost, g->column, g->prices, g->prices + g->units);
	for (int i = 0; i < g->n_free; i++)
		g->column[i] = g->free[g->column[i]];
	g->work += (int64_t)g->n_free * g->n_free * g->n_free / 8;
}

/* Those of y and z from 0 on, whatever prices have been added. */
static void level_prices(pim_place_group *g)
{
	const direction *d = g->direction;
	for (int i = 0; i < leader(g)->n_units; i++) {
		double *x = g->price + (size_t)i * g->width, *y = x + d[0].size, *z = y + d[1].size;
		double first_y = y[0], first_z = z[0];
		for (size_t k = 0; k < d[0].size; k++)
			x[k] += first_y + first_z;
		for (size_t k = 0; k < d[1].size; k++)
			y[k] -= first_y;
		for (size_t k = 0; k < d[2].size; k++)
			z[k] -= first_z;
	}
}

static void solve_by_auction(pim_place_group *g)
{
	const int *size = g->p->target->network.size;
	pim_grid_costs costs = {leader(g)->n_units, {size[0], size[1], size[2]}, g->price, g->taken};
	level_prices(g);
	g->work += pim_auction(&costs, TOLERANCE, g->column).steps;
}

static void solve_linear(pim_place_group *g)
{
	if (g->n_free > MOST_EXACT && g->n_directions == 3)
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

static double cost_of(pim_place_group *g, int flow)
{
	if (g->cost_of[flow] < 0)
		g->cost_of[flow] = pim_flow_cost(g->trees, g->p, &g->p->flow[flow]);
	return g->cost_of[flow];
}

double pim_place_group_cost(pim_place_group *g)
{
	double cost = 0;
	for (int i = 0; i < g->p->n_flows; i++)
		cost += cost_of(g, i);
	return cost;
}

void pim_place_group_forget(pim_place_group *g, int tenant)
{
	const pim_tenant *t = &g->p->tenant[tenant];
	for (int k = 0; k < t->n_flows; k++)
		g->cost_of[t->flow[k]] = UNKNOWN;
}

static void meet_flows(pim_place_group *g)
{
	g->n_met = 0;
	for (int i = 0; i < g->n_members; i++) {
		const pim_tenant *t = &g->p->tenant[g->member[i]];
		for (int k = 0; k < t->n_flows; k++) {
			const pim_flow *f = &g->p->flow[t->flow[k]];
			bool known = (g->placed[f->from] || g->in_group[f->from]) &&
						 (g->placed[f->to] || g->in_group[f->to]);
			if (!known || g->is_met[t->flow[k]])
				continue;
			g->is_met[t->flow[k]] = true;
			g->met[g->n_met++] = t->flow[k];
		}
	}
	for (int i = 0; i < g->n_met; i++)
		g->is_met[g->met[i]] = false;
}

/* Bytes times links of the flows that were met. */
static double count_cost(pim_place_group *g)
{
	double cost = 0;
	for (int i = 0; i < g->n_met; i++) {
		cost += cost_of(g, g->met[i]);
		g->work += g->p->flow[g->met[i]].n;
	}
	return cost;
}

/* The same with the units exchanged, into g->then. */
static double count_cost_then(pim_place_group *g)
{
	double cost = 0;
	for (int i = 0; i < g->n_met; i++) {
		const pim_flow *f = &g->p->flow[g->met[i]];
		g->then[i] = pim_flow_cost(g->trees, g->p, f);
		g->work += f->n;
		cost += g->then[i];
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

/* The units that were found, whatever they cost. */
static bool take_units(pim_place_group *g)
{
	exchange_units(g);
	for (int i = 0; i < g->n_members; i++)
		pim_place_group_forget(g, g->member[i]);
	return true;
}

/* Can all units hold what the group has on them now? It left those in g->column. */
static bool can_hold(pim_place_group *g)
{
	pim_place_memory *m = g->p->memory;
	for (int i = 0; m && i < g->n_members; i++)
		pim_place_memory_moved(m, g->member[i]);
	return !m || (pim_place_memory_fits(m, leader(g)->n_units, leader(g)->unit) &&
					 pim_place_memory_fits(m, leader(g)->n_units, g->column));
}

/* The units that were found, if they are better. */
static bool take_better(pim_place_group *g)
{
	meet_flows(g);
	double before = count_cost(g);
	exchange_units(g);
	if (count_cost_then(g) >= before || !can_hold(g)) {
		exchange_units(g);
		for (int i = 0; g->p->memory && i < g->n_members; i++)
			pim_place_memory_moved(g->p->memory, g->member[i]);
		return false;
	}
	for (int i = 0; i < g->n_members; i++)
		pim_place_group_forget(g, g->member[i]);
	for (int i = 0; i < g->n_met; i++)
		g->cost_of[g->met[i]] = g->then[i];
	return true;
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
	if (find_units(g, random))
		better = must ? take_units(g) : take_better(g);
	for (int i = 0; i < n; i++)
		g->in_group[member[i]] = false;
	return better;
}
