/* SPDX-License-Identifier: Apache-2.0 */
/* place - decides which units each op runs on.
 *
 * Needs: SCHEDULED.  Gives: PLACED.
 * Idea:  least sum of bytes times links, where the same for several readers, and partial sums for
 *        one, go along trees; tenants of one time on different units.
 * Three methods, each from the answer of the one before: an order of the units that fits the
 * network, then each op on its best units in turn, then again and again (place_group.c) and slot by
 * slot (place_swap.c); at last the busiest links are relieved of what costs nothing elsewhere
 * (place_load.c). Where a unit then cannot hold what was put on it (place_memory.c), slots move off
 * it (place_repair.c), and the last methods go on from there, within what units can hold.
 * Cost:  assignment problems of at most so many slots as there are units; the search is limited in
 *        steps.
 * Source: the two stages of Allspark (arXiv 2403.15069, abstract); the search is ours. */
#include "passes/place_memory.h"

#include <string.h>

/* Leaves and links that are looked at for the second criterion. */
static const int64_t MOST_LOAD = 20 * 1000 * 1000;

typedef enum method { METHOD_structured, METHOD_greedy, METHOD_search, METHOD_COUNT } method;
static const char *const method_name[METHOD_COUNT] = {"structured", "greedy", "search"};

static method find_method(const char *name)
{
	for (int m = 0; m < METHOD_COUNT; m++)
		if (!strcmp(name, method_name[m]))
			return (method)m;
	return METHOD_COUNT;
}

static void write_units(const pim_placement *p, pim_graph *g)
{
	for (int i = 0; i < p->n; i++) {
		pim_plan *plan = p->tenant[i].node->plan;
		plan->unit = PIM_NEW(g->module->arena, int, plan->n_units);
		memcpy(plan->unit, p->tenant[i].unit, sizeof *plan->unit * (size_t)plan->n_units);
	}
	PIM_EACH_NODE(n, g)
	if (n->plan && n->plan->n_units > 0 && pim_node_ridden(n))
		n->plan->unit = pim_node_ridden(n)->plan->unit;
}

/* What n is placed with: the op that it rides on, or itself. */
static const pim_node *placed_with(const pim_node *n)
{
	const pim_node *ridden = pim_node_ridden(n);
	return ridden ? ridden : n;
}

/* Is there a flow for this edge, and does it tell all that is sent? */
static bool is_told(const pim_node *n, int input)
{
	return placed_with(n) != placed_with(n->in[input]) && pim_flow_tells(n, input);
}

/* Bytes times links of all messages, several readers of the same along a tree, and the bytes over
 * the busiest link. */
static double count_links(pim_graph *g, const pim_placement *p, double *busiest, pim_arena *a)
{
	const pim_target *t = p->target;
	double *load = PIM_NEW(a, double, pim_network_links(t)), sum = 0;
	pim_tree_counter *trees = pim_tree_counter_new(t, a);
	for (int i = 0; i < p->n_flows; i++)
		if (pim_flow_tells(p->flow[i].reader, p->flow[i].input))
			sum += pim_flow_load(trees, p, &p->flow[i], load);
	PIM_EACH_NODE(n, g)
	for (int i = 0; i < (int)n->n_in && n->plan && n->plan->n_units > 0; i++) {
		const pim_node *from = n->in[i];
		if (from && from->plan && from->plan->layout && from->plan->n_units > 0 && !is_told(n, i))
			sum += pim_traffic_links(t, n, i, load);
	}
	*busiest = 0;
	for (int i = 0; i < pim_network_links(t); i++)
		*busiest = load[i] > *busiest ? load[i] : *busiest;
	return sum;
}

/* ---- better and better ---- */

static void search_units(pim_placement *p, pim_job *j, int64_t *tried)
{
	pim_place_search(
		p, (int)pim_job_int(j, "rounds"), (uint64_t)pim_job_int(j, "seed"), tried, j->arena);
}

/* The second criterion: least on the busiest link. */
static void relieve_links(pim_placement *p, pim_job *j)
{
	pim_relief r = pim_place_load(p, MOST_LOAD, j->arena);
	pim_job_count(j, "link_before", r.before);
	pim_job_count(j, "link", r.after);
	pim_job_count(j, "link_bound", pim_placement_load_bound(p, pim_placement_cost(p), j->arena));
}

/* ---- memory ---- */

/* Gives the graph its units, which can hold whatever it is. */
static void write_placement(const pim_placement *p, pim_graph *g)
{
	pim_arena *scratch = pim_arena_new();
	write_units(p, g);
	pim_place_shared(g, p->target, NULL, scratch);
	pim_arena_free(scratch);
}

typedef struct fitting {
	pim_placement *p;
	pim_place_memory *m;
	pim_graph *g;
	pim_job *j;
	int64_t *tried;
} fitting;

/* Who gets pieces of shared constants: the first readers, or the emptiest. */
typedef enum holders { HOLDERS_first, HOLDERS_emptiest } holders;

/* The same. Bytes of the unit that then needs most room, and which that is. */
static int64_t write_held(const fitting *f, holders who, int *unit)
{
	const pim_placement *p = f->p;
	pim_arena *scratch = pim_arena_new();
	int64_t *held = PIM_NEW(scratch, int64_t, p->units),
			*pieces = PIM_NEW(scratch, int64_t, p->units);
	int64_t most = -1;
	for (int u = 0; u < p->units; u++)
		held[u] = pim_place_memory_room(f->m, u, 0);
	write_units(p, f->g);
	pim_place_shared(f->g, p->target, who == HOLDERS_first ? NULL : held, scratch);
	pim_place_count_pieces(f->g, pieces);
	for (int u = 0; u < p->units; u++) {
		int64_t bytes = pim_place_memory_room(f->m, u, pieces[u]);
		if (bytes <= most)
			continue;
		most = bytes;
		*unit = u;
	}
	pim_arena_free(scratch);
	return most;
}

/* Gaps that come out larger than was thought are left free next time. False: it cannot be. */
static bool repair(const fitting *f)
{
	enum { TRIES = 6 };
	int64_t have = f->p->target->memory.bytes, limit = pim_target_usable_bytes(f->p->target);
	int unit = 0;
	for (int k = 0; k < TRIES; k++) {
		pim_place_memory_limit(f->m, limit);
		bool good = pim_place_repair(
			f->p, f->m, (uint64_t)pim_job_int(f->j, "seed"), f->tried, f->j->arena);
		int64_t room = write_held(f, HOLDERS_emptiest, &unit);
		if (room <= have || !good)
			return room <= have;
		limit = have - (room - pim_place_memory_bytes(f->m, unit));
	}
	return false;
}

/* The methods once more, from a placement that fits; as it was if gaps are in the way then. */
static void search_within(const fitting *f, method how)
{
	pim_placement *p = f->p;
	int **kept = pim_placement_units(p, f->j->arena), unit;
	pim_place_memory_limit(
		f->m, pim_max(pim_place_memory_fullest(f->m), pim_place_memory_capacity(f->m)));
	p->memory = f->m;
	if (how == METHOD_search) {
		search_units(p, f->j, f->tried);
		relieve_links(p, f->j);
	} else {
		pim_place_swap(p, MOST_LOAD, f->j->arena);
	}
	if (write_held(f, HOLDERS_emptiest, &unit) > p->target->memory.bytes)
		pim_placement_set_units(p, kept);
	pim_place_memory_moved(f->m, -1);
}

/* Where units cannot hold what slots put on them, as the lowering counts, pieces of shared
 * constants go to the emptiest of their readers, and slots move until it fits. */
static void fit_memory(const fitting *f, method how)
{
	int64_t have = f->p->target->memory.bytes;
	int unit = 0;
	int64_t before = write_held(f, HOLDERS_first, &unit);
	if (before <= have)
		return;
	int64_t bound = pim_place_memory_bound(f->m);
	if (write_held(f, HOLDERS_emptiest, &unit) > have && bound <= have && repair(f))
		search_within(f, how);
	pim_job_count(f->j, "unfit", (double)before);
	pim_job_count(f->j, "fullest_bound", (double)bound);
	pim_job_count(f->j, "fullest", (double)write_held(f, HOLDERS_emptiest, &unit));
}

bool pim_pass_place(pim_graph *g, pim_job *j)
{
	double begin = pim_seconds_now();
	method m = find_method(pim_job_string(j, "method"));
	if (m == METHOD_COUNT)
		return pim_error(g->module->context, g->loc,
			"place has no method '%s', expected structured, greedy or search",
			pim_job_string(j, "method"));
	pim_placement *p = pim_placement_of(g, j->target, j->arena);
	pim_outcome o = {.status = "feasible"};
	pim_place_structured(p);
	if (m >= METHOD_greedy)
		pim_place_greedy(p, j->arena);
	o.bound = pim_placement_bound(p, j->arena);
	if (m >= METHOD_search && pim_placement_cost(p) > o.bound)
		search_units(p, j, &o.nodes);
	if (m >= METHOD_search)
		relieve_links(p, j);
	fitting f = {p, pim_place_memory_of(g, p, j->target->memory.bytes, j->arena), g, j, &o.nodes};
	if (f.m)
		fit_memory(&f, m);
	else
		write_placement(p, g);
	o.value = pim_placement_cost(p);
	o.status = o.value <= o.bound ? "optimal" : "feasible";
	o.seconds = pim_seconds_now() - begin;
	double busiest;
	pim_job_count(j, "byte_hops", count_links(g, p, &busiest, j->arena));
	pim_job_count(j, "busiest", busiest);
	pim_job_report(j, &o);
	return true;
}
