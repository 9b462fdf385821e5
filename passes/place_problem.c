/* SPDX-License-Identifier: Apache-2.0 */
/* place_problem - reads the placement problem off a scheduled graph.
 *
 * The slice at position i of a node's order is on its slot i mod n_units, so what slices of an edge
 * exchange are trees between slots; parts that travel along the same tree are one. Ops that share a
 * walk are one tenant. Cost: the parts that slices read, once. */
#include "passes/place.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void count_messages(pim_flow *f)
{
	for (int i = 0; i < f->n_trees; i++)
		f->n += f->tree[i].n;
}

/* All slots of both ends, as often as each other and with equal bytes. */
static bool is_even(const pim_flow *f, int from_slots, int to_slots)
{
	for (int i = 0; i < f->n_trees; i++)
		if (f->tree[i].n != (f->tree[i].adds ? from_slots : to_slots) ||
			f->tree[i].bytes != f->tree[0].bytes || f->tree[i].root != i)
			return false;
	return f->n_trees > 0 && f->n_trees == (f->tree[0].adds ? to_slots : from_slots);
}

pim_flow pim_flow_new(int from, int to, int from_slots, int to_slots, int n_trees,
	pim_traffic_tree *tree, pim_arena *a)
{
	pim_flow f = {.from = from, .to = to, .n_trees = n_trees, .tree = tree};
	count_messages(&f);
	f.message = PIM_NEW(a, pim_message, f.n);
	f.n = 0;
	for (int i = 0; i < n_trees; i++) {
		/* ours, by trial of exponents 0, 1/4, 1/2 and 3/4 on three networks */
		double pull = ceil(tree[i].bytes / sqrt(sqrt(tree[i].n)));
		for (int k = 0; k < tree[i].n; k++) {
			int root = tree[i].root, leaf = tree[i].leaf[k];
			pim_message m = {tree[i].adds ? leaf : root, tree[i].adds ? root : leaf, pull};
			f.message[f.n++] = m;
			f.bytes += m.bytes;
			f.own += m.from == m.to ? m.bytes : 0;
		}
	}
	f.even = is_even(&f, from_slots, to_slots);
	return f;
}

/* Trees of one edge, in memory that grows. */
typedef struct grove {
	int n, room;
	pim_traffic_tree *tree;
	pim_arena *arena;
} grove;

static bool same_slots(const pim_traffic_tree *a, const pim_traffic_tree *b)
{
	return a->root == b->root && a->n == b->n &&
		   !memcmp(a->leaf, b->leaf, sizeof *a->leaf * (size_t)a->n);
}

static void add_tree(void *user, const pim_traffic_tree *tree)
{
	grove *g = user;
	if (g->n > 0 && same_slots(&g->tree[g->n - 1], tree)) {
		g->tree[g->n - 1].bytes += tree->bytes;
		return;
	}
	g->tree = pim_arena_grow(g->arena, g->tree, g->n, &g->room, sizeof *g->tree);
	int *leaf = PIM_NEW(g->arena, int, tree->n);
	memcpy(leaf, tree->leaf, sizeof *leaf * (size_t)tree->n);
	g->tree[g->n] = *tree;
	g->tree[g->n++].leaf = leaf;
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
	const pim_target *t, pim_node *n, const int *number, pim_flow *flow, int *n_flows, pim_arena *a)
{
	for (int k = 0; k < (int)n->n_in; k++) {
		const pim_node *from = n->in[k];
		if (!has_units(from) || number[from->id] == number[n->id])
			continue;
		grove g = {.arena = a};
		pim_traffic_trees(t, n, k, add_tree, &g);
		flow[*n_flows] = pim_flow_new(
			number[from->id], number[n->id], from->plan->n_units, n->plan->n_units, g.n, g.tree, a);
		flow[*n_flows].reader = n;
		flow[*n_flows].input = k;
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
	for (int i = 0; i < n; i++)
		add_flows(t, tenant[i].node, number, flow, &n_flows, a);
	PIM_EACH_NODE(node, g)
	if (has_units(node) && pim_node_ridden(node))
		add_flows(t, node, number, flow, &n_flows, a);
	pim_placement *p = pim_placement_new(t, n, tenant, n_flows, flow, a);
	if (must_part(g, p, a))
		pim_placement_part(p, a);
	return p;
}

bool pim_flow_tells(const pim_node *n, int input)
{
	const pim_layout *from = n->in[input]->plan->layout;
	return from->copies == 1 && n->in[input]->op != PIM_OP_constant &&
		   !(n->op == PIM_OP_relayout && from->sums > 1);
}

void pim_placement_get_units(const pim_placement *p, int **unit)
{
	for (int i = 0; i < p->n; i++)
		memcpy(unit[i], p->tenant[i].unit, sizeof **unit * (size_t)p->tenant[i].n_units);
}

int **pim_placement_units(const pim_placement *p, pim_arena *a)
{
	int **unit = PIM_NEW(a, int *, p->n);
	for (int i = 0; i < p->n; i++)
		unit[i] = PIM_NEW(a, int, p->tenant[i].n_units);
	pim_placement_get_units(p, unit);
	return unit;
}

void pim_placement_set_units(pim_placement *p, int *const *unit)
{
	for (int i = 0; i < p->n; i++)
		memcpy(p->tenant[i].unit, unit[i], sizeof **unit * (size_t)p->tenant[i].n_units);
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

static bool same_units(const pim_tenant *a, const pim_tenant *b)
{
	return a->n_units == b->n_units &&
		   !memcmp(a->unit, b->unit, sizeof *a->unit * (size_t)a->n_units);
}

static int find_root(int *up, int i)
{
	while (up[i] != i)
		i = up[i] = up[up[i]];
	return i;
}

/* root[i]: the first tenant of i's group; groups: tenants on the same units, tied by flows between
 * equal slots. */
static void find_groups(const pim_placement *p, int *root)
{
	for (int i = 0; i < p->n; i++)
		root[i] = i;
	for (int i = 0; i < p->n_flows; i++) {
		const pim_flow *f = &p->flow[i];
		if (f->own * 2 <= f->bytes || !same_units(&p->tenant[f->from], &p->tenant[f->to]))
			continue;
		int a = find_root(root, f->from), b = find_root(root, f->to);
		root[a > b ? a : b] = a < b ? a : b;
	}
	for (int i = 0; i < p->n; i++)
		root[i] = find_root(root, i);
}

/* The members of each group, one behind the other; first[r] is where those of root r begin. */
static void sort_members(int n, const int *root, int *first, int *sorted)
{
	for (int i = 0; i <= n; i++)
		first[i] = 0;
	for (int i = 0; i < n; i++)
		first[root[i] + 1]++;
	for (int i = 0; i < n; i++)
		first[i + 1] += first[i];
	for (int i = 0; i < n; i++)
		sorted[first[root[i]]++] = i;
	for (int i = n; i > 0; i--)
		first[i] = first[i - 1];
	first[0] = 0;
}

void pim_placement_groups(const pim_placement *p, int *root, int *first, int *sorted)
{
	find_groups(p, root);
	sort_members(p->n, root, first, sorted);
}
