/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_balance - the busiest link as second criterion.
 *
 * A local search on what is kept in order: the cost (with the weighted bytes of the busiest link,
 * where links are weighed), then the bytes of the busiest link, then the sum of squares of all
 * loads, which falls when load spreads. Only items whose messages cross the busiest link are
 * moved, or exchanged with any other; the first change that is better is made. It ends when none
 * is. Cost of a try: the traffic of one or two items; where that does not make it dearer, their
 * routes and a look at all links. */
#include <string.h>

#include "passes/assignment_core.h"

typedef struct worth {
	int64_t cost, busiest;
	double squares;
} worth;

typedef struct balance {
	assignment_run *r;
	const pim_assignment *p;
	int *unit;
	int64_t *room, *load;
	int *first, *message; /* traffic of an item, both ways */
	int *seen, *seen_net, stamp;
	assignment_tree *tree;
	worth now;
	int64_t weight;
} balance;

static void list_messages(balance *b, pim_arena *a)
{
	const pim_assignment *p = b->p;
	int *fill = PIM_NEW(a, int, p->n + 1);
	b->first = PIM_NEW(a, int, p->n + 1);
	b->message = PIM_NEW(a, int, 2 * (size_t)p->n_traffic);
	for (int k = 0; k < p->n_traffic; k++) {
		fill[p->traffic[k].from + 1]++;
		fill[p->traffic[k].to + 1]++;
	}
	for (int i = 0; i < p->n; i++)
		b->first[i + 1] = fill[i + 1] += fill[i];
	for (int k = 0; k < p->n_traffic; k++) {
		b->message[fill[p->traffic[k].from]++] = k;
		b->message[fill[p->traffic[k].to]++] = k;
	}
}

static worth measure(const balance *b, int64_t cost)
{
	worth w = {cost, 0, 0};
	for (int l = 0; l < b->p->units * 6; l++) {
		w.busiest = b->load[l] > w.busiest ? b->load[l] : w.busiest;
		w.squares += (double)b->load[l] * (double)b->load[l];
	}
	return w;
}

static bool is_better(const balance *b, const worth *x, const worth *y)
{
	int64_t cx = x->cost + b->weight * x->busiest, cy = y->cost + b->weight * y->busiest;
	if (cx != cy)
		return cx < cy;
	return x->busiest != y->busiest ? x->busiest < y->busiest
									: x->squares < y->squares * (1 - 1e-9);
}

/* Adds (sign 1) or takes away (-1) the load of all messages and nets of an item, each once a stamp.
 */
static int64_t load_item(balance *b, int item, int64_t sign)
{
	const pim_assignment *p = b->p;
	int64_t tree_cost = 0;
	for (int k = b->first[item]; k < b->first[item + 1]; k++) {
		const assignment_traffic *t = &p->traffic[b->message[k]];
		if (b->seen[b->message[k]] == b->stamp)
			continue;
		b->seen[b->message[k]] = b->stamp;
		assignment_load_route(p, b->unit[t->from], b->unit[t->to], sign * t->bytes, b->load);
	}
	for (int k = p->net_first[item]; k < p->net_first[item + 1]; k++) {
		const assignment_net *net = &p->net[p->net_of[k]];
		if (b->seen_net[p->net_of[k]] == b->stamp)
			continue;
		b->seen_net[p->net_of[k]] = b->stamp;
		assignment_load_tree(b->tree, net, b->unit, sign, b->load);
		tree_cost += sign * net->bytes * assignment_tree_links(b->tree, net, b->unit);
	}
	return tree_cost;
}

/* Puts i on v and j (or none) on u; the change of the trees' cost. */
static int64_t put(balance *b, int i, int j, int u, int v)
{
	int64_t change = 0;
	b->stamp++;
	change += load_item(b, i, -1);
	change += j >= 0 ? load_item(b, j, -1) : 0;
	b->unit[i] = v;
	if (j >= 0)
		b->unit[j] = u;
	b->stamp++;
	change += load_item(b, i, 1);
	change += j >= 0 ? load_item(b, j, 1) : 0;
	return change;
}

/* Makes the change if it is better. */
static bool try_change(balance *b, int i, int j, int v)
{
	int u = b->unit[i];
	int64_t more = assignment_change(b->p, b->unit, i, j, v);
	if (!b->p->n_nets && more > b->weight * b->now.busiest)
		return false;
	more += put(b, i, j, u, v);
	worth after = measure(b, b->now.cost + more);
	b->r->steps++;
	if (!is_better(b, &after, &b->now)) {
		put(b, i, j, v, u);
		return false;
	}
	int64_t w = b->p->weight[i] - (j >= 0 ? b->p->weight[j] : 0);
	b->room[u] += w;
	b->room[v] -= w;
	b->now = after;
	return true;
}

static bool try_item(balance *b, int i)
{
	const pim_assignment *p = b->p;
	if (p->fixed[i] >= 0)
		return false;
	for (int v = 0; v < p->units && !assignment_time_is_up(b->r); v++)
		if (v != b->unit[i] && p->capacity[v] && b->room[v] >= p->weight[i] &&
			try_change(b, i, -1, v))
			return true;
	for (int j = 0; j < p->n && !assignment_time_is_up(b->r); j++) {
		int64_t more = p->weight[i] - p->weight[j];
		if (b->unit[j] != b->unit[i] && p->fixed[j] < 0 && b->room[b->unit[j]] >= more &&
			b->room[b->unit[i]] >= -more && try_change(b, i, j, b->unit[j]))
			return true;
	}
	return false;
}

/* True if what item i sends and gets crosses the busiest link: without it that link has less. */
static bool crosses_busiest(balance *b, int i)
{
	int busiest = 0;
	for (int l = 1; l < b->p->units * 6; l++)
		busiest = b->load[l] > b->load[busiest] ? l : busiest;
	int64_t before = b->load[busiest];
	b->stamp++;
	load_item(b, i, -1);
	bool crosses = b->load[busiest] < before;
	b->stamp++;
	load_item(b, i, 1);
	return crosses;
}

static void descend(balance *b)
{
	for (int i = 0, idle = 0; idle < b->p->n && !assignment_time_is_up(b->r); i = (i + 1) % b->p->n)
		idle = crosses_busiest(b, i) && try_item(b, i) ? 0 : idle + 1;
}

void assignment_balance(assignment_run *r)
{
	const pim_assignment *p = r->p;
	pim_arena *a = pim_arena_new();
	balance b = {.r = r, .p = p, .unit = r->best, .tree = assignment_tree_new(p, a)};
	if (r->options->links == PIM_ASSIGNMENT_links_weighed)
		b.weight = r->options->link_weight;
	b.room = PIM_NEW(a, int64_t, p->units);
	b.load = PIM_NEW(a, int64_t, p->units * 6);
	b.seen = PIM_NEW(a, int, p->n_traffic);
	b.seen_net = PIM_NEW(a, int, p->n_nets);
	list_messages(&b, a);
	memcpy(b.room, p->capacity, sizeof *b.room * (size_t)p->units);
	b.stamp = 1;
	for (int i = 0; i < p->n; i++) {
		b.room[b.unit[i]] -= p->weight[i];
		load_item(&b, i, 1);
	}
	b.now = measure(&b, r->cost);
	descend(&b);
	r->cost = b.now.cost;
	pim_arena_free(a);
}
