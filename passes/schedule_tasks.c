/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_tasks - cuts a graph into tasks and these into regions that can be scheduled apart.
 *
 * Inputs and constants are there before time 0 and are no tasks. A group of ops that share a walk
 * is one op here, its first node. A node joins the chain of the node before when each is the
 * other's only neighbour on that side. A task is a bottleneck when all
 * tasks before it lead to it and all behind it come from it: then it is a region of its own, and
 * what lies between two of them is another. Found in two sweeps: after a bottleneck the prefix has
 * one end, before it the suffix has one beginning. A task on fewer units brings each of them the
 * constants of more slices: where memory is short of that, tasks with constants take all units they
 * can use. Cost: linear in nodes and edges. */
#include "passes/schedule.h"

enum { MOST_MODES = 5 };

typedef struct links {
	int n;					   /* tasks */
	int *task_of;			   /* by node id, -1 for none */
	int *in_count, *out_count; /* by id of a first node: distinct neighbours that are no leaves */
	pim_node ***from;		   /* by id of a first node: those that it reads */
} links;

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

/* The first node of the group that makes an input; NULL when that is a leaf or n's own group. */
static pim_node *find_maker(const pim_node *n, int input)
{
	pim_node *in = n->in[input];
	if (!in || is_leaf(in) || pim_fusion_first(in) == pim_fusion_first(n))
		return NULL;
	return pim_fusion_first(in);
}

/* The distinct makers of what a group reads; `from` has room for all of its inputs. */
static int list_makers(const pim_node *first, uint32_t *seen, pim_node **from)
{
	int count = 0;
	for (const pim_node *n = first; n; n = pim_fusion_next(n))
		for (int i = 0; i < (int)n->n_in; i++) {
			pim_node *maker = find_maker(n, i);
			if (!maker || seen[maker->id] == first->id + 1)
				continue;
			seen[maker->id] = first->id + 1;
			from[count++] = maker;
		}
	return count;
}

static int count_inputs(const pim_node *first)
{
	int count = 0;
	for (const pim_node *n = first; n; n = pim_fusion_next(n))
		count += (int)n->n_in;
	return count;
}

static bool is_first(const pim_node *n)
{
	return !is_leaf(n) && pim_fusion_first(n) == n;
}

static links link_nodes(pim_graph *g, pim_arena *a)
{
	links l = {.task_of = PIM_NEW(a, int, g->n_ids),
		.in_count = PIM_NEW(a, int, g->n_ids),
		.out_count = PIM_NEW(a, int, g->n_ids),
		.from = PIM_NEW(a, pim_node **, g->n_ids)};
	uint32_t *seen = PIM_NEW(a, uint32_t, g->n_ids);
	PIM_EACH_NODE(n, g)
	if (is_first(n)) {
		l.from[n->id] = PIM_NEW(a, pim_node *, count_inputs(n));
		l.in_count[n->id] = list_makers(n, seen, l.from[n->id]);
		for (int i = 0; i < l.in_count[n->id]; i++)
			l.out_count[l.from[n->id][i]->id]++;
	}
	return l;
}

/* Gives each node its task; tasks are numbered by their first node, so inputs come first. */
static void number_tasks(pim_graph *g, links *l)
{
	PIM_EACH_NODE(n, g)
	{
		l->task_of[n->id] = -1;
		if (is_leaf(n))
			continue;
		const pim_node *p = l->in_count[n->id] ? l->from[n->id][0] : NULL;
		bool joins = p && l->in_count[n->id] == 1 && l->out_count[p->id] == 1;
		if (!is_first(n))
			l->task_of[n->id] = l->task_of[pim_fusion_first(n)->id];
		else
			l->task_of[n->id] = joins ? l->task_of[p->id] : l->n++;
	}
}

static pim_task *collect_tasks(pim_graph *g, const links *l, pim_arena *a)
{
	pim_task *task = PIM_NEW(a, pim_task, l->n);
	PIM_EACH_NODE(n, g)
	if (l->task_of[n->id] >= 0)
		task[l->task_of[n->id]].n_nodes++;
	for (int i = 0; i < l->n; i++) {
		task[i].node = PIM_NEW(a, pim_node *, task[i].n_nodes);
		task[i].n_nodes = 0;
	}
	PIM_EACH_NODE(n, g)
	if (l->task_of[n->id] >= 0) {
		pim_task *t = &task[l->task_of[n->id]];
		t->node[t->n_nodes++] = n;
	}
	for (int i = 0; i < l->n; i++) {
		pim_node *n = task[i].node[0];
		task[i].before = PIM_NEW(a, int, l->in_count[n->id]);
		for (int k = 0; k < l->in_count[n->id]; k++)
			task[i].before[task[i].n_before++] = l->task_of[l->from[n->id][k]->id];
	}
	return task;
}

/* By task: is everything else before or behind it? */
static bool *find_bottlenecks(int n, const pim_task *task, pim_arena *a)
{
	bool *one_end = PIM_NEW(a, bool, n), *has_user = PIM_NEW(a, bool, n);
	int ends = 0;
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < task[i].n_before; k++) {
			ends -= !has_user[task[i].before[k]];
			has_user[task[i].before[k]] = true;
		}
		one_end[i] = ++ends == 1;
	}
	int *waits_for = PIM_NEW(a, int, n), open = 0;
	for (int i = 0; i < n; i++)
		waits_for[i] = task[i].n_before ? task[i].before[0] : -1;
	for (int i = 0; i < n; i++)
		for (int k = 1; k < task[i].n_before; k++)
			if (task[i].before[k] > waits_for[i])
				waits_for[i] = task[i].before[k];
	int *begins = PIM_NEW(a, int, n + 1);
	for (int i = 0; i < n; i++)
		begins[waits_for[i] + 1]++;
	for (int i = n - 1; i >= 0; i--) {
		open += 1 - begins[i + 1];
		one_end[i] = one_end[i] && open == 1;
	}
	return one_end;
}

static int64_t slices_of(const pim_node *n)
{
	return n->plan && n->plan->layout ? pim_layout_slices(n->plan->layout) : 1;
}

/* A group runs as one: all of its nodes from its start to its end. */
static void write_times(pim_node *first, int units, int64_t start, int64_t cycles)
{
	for (pim_node *n = first; n; n = pim_fusion_next(n)) {
		pim_plan *p = pim_node_plan(n);
		p->n_units = (int)(slices_of(n) < units ? slices_of(n) : units);
		p->start = start;
		p->cycles = cycles;
	}
}

int64_t pim_chain_cycles(const pim_task *t, const pim_target *target, const pim_mode *m,
	pim_chain_use use, int64_t start)
{
	int64_t cycles = 0;
	pim_arena *scratch = pim_arena_new();
	for (int i = 0; i < t->n_nodes; i++) {
		if (!is_first(t->node[i]))
			continue;
		int from_units = i ? m->units : m->from_units;
		int64_t one = pim_node_estimate(target, t->node[i], m->units, from_units, scratch).cycles;
		if (use == PIM_CHAIN_write)
			write_times(t->node[i], m->units, start + cycles, one);
		cycles += one;
	}
	pim_arena_free(scratch);
	return cycles;
}

/* Bytes of constants that a slice of n reads of its own; those with a layout are where they are. */
static int64_t count_weights(const pim_node *n)
{
	int64_t sum = 0;
	pim_arena *scratch = pim_arena_new();
	const pim_axes *x = pim_axes_new(n, scratch);
	pim_box axes, need;
	if (n->plan && n->plan->layout && n->type->n_parts == 0)
		pim_slice_axes(n, x, 0, &axes);
	for (int i = 0; i < (int)n->n_in && n->type->n_parts == 0; i++) {
		const pim_node *w = n->in[i];
		if (!w || w->op != PIM_OP_constant || (w->plan && w->plan->layout))
			continue;
		pim_axes_demand(x, n, i, &axes, &need, NULL, NULL);
		sum += pim_box_elements(&need) * (int64_t)pim_dtype_bytes(w->type->dtype);
	}
	pim_arena_free(scratch);
	return sum;
}

/* Would two slices instead of one on every unit bring more constants than it can hold? */
static bool is_memory_short(pim_graph *g, const pim_target *t)
{
	int64_t bytes = 0;
	PIM_EACH_NODE(n, g)
	{
		if (!is_leaf(n))
			bytes += count_weights(n) * (int)pim_divide_up((int)slices_of(n), t->units);
	}
	return bytes > t->memory.bytes / 2;
}

static bool has_weights(const pim_task *t)
{
	int64_t bytes = 0;
	for (int i = 0; i < t->n_nodes; i++)
		bytes += count_weights(t->node[i]);
	return bytes > 0;
}

/* All units the task can use, then a half, a third, a quarter and an eighth; what is no better is
 * dropped. */
static void find_modes(pim_task *t, const pim_target *target, bool alone, pim_arena *a)
{
	static const int share[MOST_MODES] = {1, 2, 3, 4, 8};
	int64_t most = 1;
	for (int i = 0; i < t->n_nodes; i++)
		most = slices_of(t->node[i]) > most ? slices_of(t->node[i]) : most;
	most = most < target->units ? most : target->units;
	t->mode = PIM_NEW(a, pim_mode, MOST_MODES);
	for (int i = 0; i < (alone ? 1 : MOST_MODES); i++) {
		pim_mode m = {.units = (int)pim_divide_up((int)most, share[i]),
			.from_units = (int)pim_divide_up(target->units, share[i])};
		if (i && m.units >= t->mode[t->n_modes - 1].units)
			continue;
		m.cycles = pim_chain_cycles(t, target, &m, PIM_CHAIN_ask, 0);
		while (t->n_modes && t->mode[t->n_modes - 1].cycles >= m.cycles)
			t->n_modes--;
		t->mode[t->n_modes++] = m;
	}
}

/* Numbers of tasks before become numbers in the region; those outside are complete by then. */
static void make_local(pim_region *r, int first)
{
	for (int i = 0; i < r->n; i++) {
		pim_task *t = &r->task[i];
		int kept = 0;
		for (int k = 0; k < t->n_before; k++)
			if (t->before[k] >= first)
				t->before[kept++] = t->before[k] - first;
		t->n_before = kept;
	}
}

pim_regions pim_regions_of(pim_graph *g, const pim_target *target, pim_arena *a)
{
	links l = link_nodes(g, a);
	number_tasks(g, &l);
	pim_task *task = collect_tasks(g, &l, a);
	bool *cut = find_bottlenecks(l.n, task, a);
	pim_regions all = {.region = PIM_NEW(a, pim_region, l.n)};
	bool is_short = is_memory_short(g, target);
	for (int first = 0, end; first < l.n; first = end) {
		for (end = first + 1; end < l.n && !cut[first] && !cut[end]; end++)
			;
		pim_region *r = &all.region[all.n++];
		*r = (pim_region){.n = end - first, .units = target->units, .task = task + first};
		make_local(r, first);
		for (int i = first; i < end; i++)
			find_modes(&task[i], target, cut[first] || (is_short && has_weights(&task[i])), a);
	}
	return all;
}
