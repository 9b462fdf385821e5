/* SPDX-License-Identifier: Apache-2.0 */
/* place_problem - reads the placement problem off a scheduled graph.
 *
 * The slice at position i of a node's order is on its slot i mod n_units, so the traffic between
 * slices of an edge adds up to a matrix between slots. Ops that share a walk are one tenant. Cost:
 * the messages of all edges, once. */
#include "passes/place.h"

#include <stdlib.h>
#include <string.h>

typedef struct slots {
	const pim_node *from, *to;
	int from_slots, to_slots;
	double *bytes;
} slots;

static void add_traffic(void *user, int64_t from, int64_t to, int64_t bytes)
{
	slots *s = user;
	int64_t from_slot = pim_slice_slot(s->from, from, s->from_slots);
	s->bytes[from_slot * s->to_slots + pim_slice_slot(s->to, to, s->to_slots)] += (double)bytes;
}

pim_flow pim_flow_new(
	int from, int to, int from_slots, int to_slots, const double *bytes, pim_arena *a)
{
	pim_flow f = {.from = from, .to = to, .even = true};
	int all = from_slots * to_slots;
	for (int i = 0; i < all; i++) {
		f.n += bytes[i] > 0;
		f.even = f.even && bytes[i] == bytes[0] && bytes[i] > 0;
	}
	f.message = PIM_NEW(a, pim_message, f.n);
	f.n = 0;
	for (int i = 0; i < all; i++) {
		if (bytes[i] <= 0)
			continue;
		pim_message m = {.from = i / to_slots, .to = i % to_slots, .bytes = bytes[i]};
		f.message[f.n++] = m;
		f.bytes += m.bytes;
		f.own += m.from == m.to ? m.bytes : 0;
	}
	return f;
}

static int compare_starts(const void *a, const void *b)
{
	const pim_tenant *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->node->id > y->node->id) - (x->node->id < y->node->id);
}

static bool overlap(const pim_placement *p, const pim_tenant *x, const pim_tenant *y)
{
	if (p->apart)
		return x->start < x->end && y->start < y->end;
	return x->start < y->end && y->start < x->end;
}

/* Tenants are in order of start: who starts after this one ends is no rival. Called twice: to
 * count, to note. */
static void walk_rivals(pim_placement *p)
{
	for (int i = 0; i < p->n; i++)
		p->tenant[i].n_rivals = 0;
	for (int i = 0; i < p->n; i++)
		for (int k = i + 1; k < p->n; k++) {
			pim_tenant *x = &p->tenant[i], *y = &p->tenant[k];
			if (y->start >= x->end && !p->apart)
				break;
			if (!overlap(p, x, y))
				continue;
			if (x->rival)
				x->rival[x->n_rivals] = k;
			if (y->rival)
				y->rival[y->n_rivals] = i;
			x->n_rivals++;
			y->n_rivals++;
		}
}

static void find_rivals(pim_placement *p, pim_arena *a)
{
	for (int i = 0; i < p->n; i++)
		p->tenant[i].rival = NULL;
	walk_rivals(p);
	for (int i = 0; i < p->n; i++)
		p->tenant[i].rival = PIM_NEW(a, int, p->tenant[i].n_rivals + 1);
	walk_rivals(p);
}

static void link_flows(pim_placement *p, pim_arena *a)
{
	for (int i = 0; i < p->n_flows; i++) {
		p->tenant[p->flow[i].from].n_flows++;
		p->tenant[p->flow[i].to].n_flows++;
	}
	for (int i = 0; i < p->n; i++) {
		p->tenant[i].flow = PIM_NEW(a, int, p->tenant[i].n_flows);
		p->tenant[i].n_flows = 0;
	}
	for (int i = 0; i < p->n_flows; i++) {
		pim_tenant *from = &p->tenant[p->flow[i].from], *to = &p->tenant[p->flow[i].to];
		from->flow[from->n_flows++] = i;
		to->flow[to->n_flows++] = i;
	}
}

static int *measure_hops(const pim_target *t, pim_arena *a)
{
	size_t units = (size_t)t->units;
	int *hops = PIM_NEW(a, int, units *units);
	for (int from = 0; from < t->units; from++)
		for (int to = 0; to < t->units; to++)
			hops[(size_t)from * units + (size_t)to] = pim_network_hops(t, from, to);
	return hops;
}

pim_placement *pim_placement_new(
	const pim_target *t, int n, pim_tenant *tenant, int n_flows, pim_flow *flow, pim_arena *a)
{
	pim_placement *p = PIM_NEW(a, pim_placement, 1);
	*p = (pim_placement){.target = t,
		.units = t->units,
		.hops = measure_hops(t, a),
		.n = n,
		.n_flows = n_flows,
		.tenant = tenant,
		.flow = flow};
	for (int i = 0; i < n; i++) {
		tenant[i].unit = PIM_NEW(a, int, tenant[i].n_units);
		for (int k = 0; k < tenant[i].n_units; k++)
			tenant[i].unit[k] = -1;
	}
	find_rivals(p, a);
	link_flows(p, a);
	return p;
}

void pim_placement_part(pim_placement *p, pim_arena *a)
{
	p->apart = true;
	find_rivals(p, a);
}

/* Constants follow their readers. */
static bool has_units(const pim_node *n)
{
	return n && n->op != PIM_OP_constant && n->plan && n->plan->n_units > 0;
}

static pim_tenant *collect_tenants(pim_graph *g, int *n, int *number, pim_arena *a)
{
	pim_tenant *tenant = PIM_NEW(a, pim_tenant, g->n_ids);
	PIM_EACH_NODE(node, g)
	if (has_units(node) && !pim_node_ridden(node)) {
		pim_plan *plan = node->plan;
		tenant[(*n)++] = (pim_tenant){.node = node,
			.start = plan->start,
			.end = plan->start + plan->cycles,
			.n_units = plan->n_units};
	}
	qsort(tenant, (size_t)*n, sizeof *tenant, compare_starts);
	for (int i = 0; i < *n; i++)
		number[tenant[i].node->id] = i;
	PIM_EACH_NODE(node, g)
	if (has_units(node) && pim_node_ridden(node))
		number[node->id] = number[pim_node_ridden(node)->id];
	return tenant;
}

static int count_edges(pim_graph *g)
{
	int edges = 0;
	PIM_EACH_NODE(n, g)
	edges += (int)n->n_in;
	return edges;
}

/* All that a node reads of other tenants. */
static void add_flows(
	pim_node *n, const int *number, slots *s, pim_flow *flow, int *n_flows, pim_arena *a)
{
	for (int k = 0; k < (int)n->n_in; k++) {
		const pim_node *from = n->in[k];
		if (!has_units(from) || number[from->id] == number[n->id])
			continue;
		s->from = from;
		s->to = n;
		s->from_slots = from->plan->n_units;
		s->to_slots = n->plan->n_units;
		memset(s->bytes, 0, sizeof *s->bytes * (size_t)s->from_slots * (size_t)s->to_slots);
		pim_traffic_each(n, k, a, add_traffic, s);
		flow[*n_flows] =
			pim_flow_new(number[from->id], number[n->id], s->from_slots, s->to_slots, s->bytes, a);
		*n_flows += flow[*n_flows].n > 0;
	}
}

/* What a unit holds of a node: constants, what it reads and makes. */
static double held_bytes(const pim_node *n, pim_arena *a)
{
	const pim_axes *x = pim_axes_new(n, a);
	int64_t extent[PIM_MAX_AXES], slices = pim_layout_slices(n->plan->layout);
	double bytes = 0;
	pim_nest_extents(n, x, extent);
	for (int i = 0; i <= (int)n->n_in; i++)
		bytes += (double)pim_nest_operand_bytes(n, x, i, extent);
	return bytes * (double)((slices + n->plan->n_units - 1) / n->plan->n_units);
}

/* Is there a unit for every slot of all tenants, and would one unit that has them all in turn not
 * hold what they need? */
static bool must_part(pim_graph *g, const pim_placement *p, pim_arena *a)
{
	int64_t all = 0;
	double bytes = 0;
	for (int i = 0; i < p->n; i++)
		all += p->tenant[i].start < p->tenant[i].end ? p->tenant[i].n_units : 0;
	if (all > p->units)
		return false;
	PIM_EACH_NODE(n, g)
	if (has_units(n) && n->op != PIM_OP_input && n->plan->layout && !n->type->n_parts)
		bytes += held_bytes(n, a);
	return bytes > (double)p->target->memory.bytes;
}

pim_placement *pim_placement_of(pim_graph *g, const pim_target *t, pim_arena *a)
{
	int n = 0, n_flows = 0, *number = PIM_NEW(a, int, g->n_ids);
	pim_tenant *tenant = collect_tenants(g, &n, number, a);
	pim_flow *flow = PIM_NEW(a, pim_flow, count_edges(g));
	slots s = {.bytes = PIM_NEW(a, double, (size_t)t->units *(size_t)t->units)};
	for (int i = 0; i < n; i++)
		add_flows(tenant[i].node, number, &s, flow, &n_flows, a);
	PIM_EACH_NODE(node, g)
	if (has_units(node) && pim_node_ridden(node))
		add_flows(node, number, &s, flow, &n_flows, a);
	pim_placement *p = pim_placement_new(t, n, tenant, n_flows, flow, a);
	if (must_part(g, p, a))
		pim_placement_part(p, a);
	return p;
}

void pim_placement_taken(const pim_placement *p, int i, bool *taken)
{
	memset(taken, 0, sizeof *taken * (size_t)p->units);
	for (int k = 0; k < p->tenant[i].n_rivals; k++) {
		const pim_tenant *r = &p->tenant[p->tenant[i].rival[k]];
		for (int u = 0; u < r->n_units && r->unit[u] >= 0; u++)
			taken[r->unit[u]] = true;
	}
}
