/* SPDX-License-Identifier: Apache-2.0 */
/* place - every method against all permutations of small placements, and its invariants on larger
 * ones. */
#include "passes/place.h"

#include <math.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/draw.h"

static pim_target mesh(int x, int y, pim_topology topology)
{
	return (pim_target){
		.name = "mesh", .network = {.topology = topology, .size = {x, y, 1}}, .units = x * y};
}

/* The flow of a matrix [from slot * to slots + to slot], each message by itself. */
static pim_flow flow_of_matrix(
	int from, int to, int from_slots, int to_slots, const double *bytes, pim_arena *a)
{
	int n = 0, all = from_slots * to_slots;
	pim_traffic_tree *tree = PIM_NEW(a, pim_traffic_tree, all);
	int *leaf = PIM_NEW(a, int, all);
	for (int i = 0; i < all; i++)
		if (bytes[i] > 0) {
			leaf[n] = i % to_slots;
			tree[n] = (pim_traffic_tree){false, i / to_slots, 1, &leaf[n], bytes[i]};
			n++;
		}
	return pim_flow_new(from, to, from_slots, to_slots, n, tree, a);
}

/* Tenants one after the other (or two at a time), each reading the one before by a random sparse
 * matrix. */
static pim_placement *random_placement(
	const pim_target *t, int n, const int *slots, int density, pim_arena *a)
{
	pim_tenant *tenant = PIM_NEW(a, pim_tenant, n);
	pim_flow *flow = PIM_NEW(a, pim_flow, n);
	for (int i = 0; i < n; i++) {
		tenant[i].n_units = slots[i];
		tenant[i].start = i;
		tenant[i].end = i + 1;
	}
	for (int i = 1; i < n; i++) {
		double *bytes = PIM_NEW(a, double, slots[i - 1] * slots[i]);
		for (int k = 0; k < slots[i - 1] * slots[i]; k++)
			bytes[k] = draw(100) < density ? 1 + draw(50) : 0;
		flow[i - 1] = flow_of_matrix(i - 1, i, slots[i - 1], slots[i], bytes, a);
	}
	return pim_placement_new(t, n, tenant, n - 1, flow, a);
}

/* The same, but a slot sends what it sends to several others, or (every third time) adds up partial
 * sums. */
static pim_placement *random_trees(const pim_target *t, int n, const int *slots, pim_arena *a)
{
	pim_tenant *tenant = PIM_NEW(a, pim_tenant, n);
	pim_flow *flow = PIM_NEW(a, pim_flow, n);
	for (int i = 0; i < n; i++)
		tenant[i] = (pim_tenant){.n_units = slots[i], .start = i, .end = i + 1};
	for (int i = 1; i < n; i++) {
		bool adds = draw(3) == 0;
		int n_trees = 1 + draw(6), roots = slots[adds ? i : i - 1],
			leaves = slots[adds ? i - 1 : i];
		pim_traffic_tree *tree = PIM_NEW(a, pim_traffic_tree, n_trees);
		for (int k = 0; k < n_trees; k++) {
			int *leaf = PIM_NEW(a, int, leaves), some = 0;
			for (int l = 0; l < leaves; l++)
				if (draw(2) || (l + 1 == leaves && !some))
					leaf[some++] = l;
			tree[k] = (pim_traffic_tree){adds, draw(roots), some, leaf, 1 + draw(50)};
		}
		flow[i - 1] = pim_flow_new(i - 1, i, slots[i - 1], slots[i], n_trees, tree, a);
	}
	return pim_placement_new(t, n, tenant, n - 1, flow, a);
}

static bool is_valid(const pim_placement *p)
{
	for (int i = 0; i < p->n; i++) {
		const pim_tenant *t = &p->tenant[i];
		bool used[1024] = {false};
		for (int k = 0; k < t->n_units; k++) {
			if (t->unit[k] < 0 || t->unit[k] >= p->units || used[t->unit[k]])
				return false;
			used[t->unit[k]] = true;
		}
		for (int o = 0; o < i; o++)
			for (int k = 0; k < p->tenant[o].n_units; k++)
				if (p->tenant[o].start < t->end && t->start < p->tenant[o].end &&
					used[p->tenant[o].unit[k]])
					return false;
	}
	return true;
}

/* Bytes times links of all routes of each tree, every link once, marked one by one; and what is on
 * the busiest link. */
typedef struct worth {
	double cost, busiest;
} worth;

static worth count_worth(const pim_placement *p)
{
	worth w = {0};
	const pim_target *t = p->target;
	int links = pim_network_links(t), *route = calloc((size_t)links + 1, sizeof *route);
	double *load = calloc((size_t)links + 1, sizeof *load);
	for (int f = 0; f < p->n_flows; f++)
		for (int i = 0; i < p->flow[f].n_trees; i++) {
			const pim_traffic_tree *tree = &p->flow[f].tree[i];
			const int *from = p->tenant[p->flow[f].from].unit, *to = p->tenant[p->flow[f].to].unit;
			bool *used = calloc((size_t)links + 1, sizeof *used);
			for (int k = 0; k < tree->n; k++) {
				int u = tree->adds ? from[tree->leaf[k]] : from[tree->root];
				int v = tree->adds ? to[tree->root] : to[tree->leaf[k]];
				for (int h = pim_network_route(t, u, v, route) - 1; h >= 0; h--)
					used[route[h]] = true;
			}
			for (int l = 0; l < links; l++) {
				w.cost += used[l] ? tree->bytes : 0;
				load[l] += used[l] ? tree->bytes : 0;
				w.busiest = load[l] > w.busiest ? load[l] : w.busiest;
			}
			free(used);
		}
	free(load);
	free(route);
	return w;
}

static double count_cost(const pim_placement *p)
{
	return count_worth(p).cost;
}

/* The least cost over all ways to seat tenants i.. on distinct units each, and the least on the
 * busiest link at that cost. */
static void try_all_of(pim_placement *p, int i, int slot, unsigned used, worth *best)
{
	if (i == p->n) {
		worth w = count_worth(p);
		if (w.cost < best->cost || (w.cost == best->cost && w.busiest < best->busiest))
			*best = w;
		return;
	}
	if (slot == p->tenant[i].n_units) {
		try_all_of(p, i + 1, 0, 0, best);
		return;
	}
	for (int u = 0; u < p->units; u++) {
		if (used >> u & 1)
			continue;
		p->tenant[i].unit[slot] = u;
		try_all_of(p, i, slot + 1, used | 1u << u, best);
	}
}

static void try_all(pim_placement *p, int i, int slot, unsigned used, double *best)
{
	worth w = {*best, 0};
	try_all_of(p, i, slot, used, &w);
	*best = w.cost;
}

/* Both criteria, on all kinds of networks. */
static void compare_loads_with_all(void)
{
	static const struct {
		pim_topology topology;
		int x, y, z, n, slots[3];
	} shape[] = {{PIM_TOPOLOGY_mesh, 2, 2, 1, 3, {4, 4, 4}},
		{PIM_TOPOLOGY_mesh, 3, 2, 1, 2, {3, 4}}, {PIM_TOPOLOGY_torus, 5, 1, 1, 2, {5, 5}},
		{PIM_TOPOLOGY_mesh, 2, 2, 2, 2, {3, 2}}, {PIM_TOPOLOGY_bus, 2, 3, 1, 2, {4, 3}},
		{PIM_TOPOLOGY_torus, 3, 2, 1, 3, {2, 2, 2}}, {PIM_TOPOLOGY_mesh, 3, 3, 1, 2, {3, 2}}};
	int same_cost = 0, optimal = 0, relieved = 0, all = 0, kinds = sizeof shape / sizeof *shape;
	double gap = 0;
	for (int trial = 0; trial < 10 * kinds; trial++) {
		int k = trial % kinds;
		pim_arena *a = pim_arena_new();
		pim_target t = {.network = {.topology = shape[k].topology,
							.size = {shape[k].x, shape[k].y, shape[k].z}},
			.units = shape[k].x * shape[k].y * shape[k].z};
		pim_placement *p =
			trial % 2 ? random_placement(&t, shape[k].n, shape[k].slots, 30 + 10 * (trial % 8), a)
					  : random_trees(&t, shape[k].n, shape[k].slots, a);
		worth best = {1e300, 1e300};
		try_all_of(p, 0, 0, 0, &best);
		CHECK(pim_placement_load_bound(p, best.cost, a) <= best.busiest + 1e-6);
		pim_place_structured(p);
		CHECK(pim_placement_load_bound(p, 0, a) <= count_worth(p).busiest + 1e-6);
		pim_place_greedy(p, a);
		int64_t tried = 0;
		pim_place_search(p, 20, 1, &tried, a);
		worth before = count_worth(p);
		pim_relief relief = pim_place_load(p, 1000 * 1000, a);
		worth after = count_worth(p);
		CHECK(relief.before == before.busiest && relief.after == after.busiest);
		CHECK(is_valid(p) && after.cost <= before.cost);
		CHECK(after.cost < before.cost || after.busiest <= before.busiest);
		CHECK(after.cost > best.cost || after.busiest >= best.busiest);
		relieved += after.busiest < before.busiest;
		same_cost += after.cost == best.cost;
		optimal += after.cost == best.cost && after.busiest == best.busiest;
		gap += after.cost == best.cost && best.cost > 0 ? after.busiest / best.busiest - 1 : 0;
		all++;
		pim_arena_free(a);
	}
	printf("of %d: %d relieved, %d of least cost, %d of them with the least on the busiest link, "
		   "the others %.1f %% above on average\n",
		all, relieved, same_cost, optimal, 100 * gap / fmax(same_cost - optimal, 1));
	CHECK(same_cost * 10 >= all * 9 && optimal * 10 >= same_cost * 7);
}

static void compare_with_all_placements(void)
{
	static const struct {
		int x, y, n, slots[3];
	} shape[] = {{2, 2, 3, {4, 4, 4}}, {5, 1, 2, {5, 5}}, {7, 1, 2, {1, 7}}, {3, 2, 2, {3, 4}},
		{3, 2, 3, {2, 2, 2}}, {2, 2, 3, {2, 4, 3}}};
	int optimal = 0, all = 0;
	for (int trial = 0; trial < 60; trial++) {
		int k = trial % 6;
		pim_arena *a = pim_arena_new();
		pim_target t = mesh(shape[k].x, shape[k].y, PIM_TOPOLOGY_mesh);
		pim_placement *p = trial % 4 < 3 ? random_placement(&t, shape[k].n, shape[k].slots,
											   30 + 10 * (trial % 8), a)
										 : random_trees(&t, shape[k].n, shape[k].slots, a);
		double best = 1e300;
		try_all(p, 0, 0, 0, &best);
		double bound = pim_placement_bound(p, a);
		CHECK(bound <= best);
		pim_place_structured(p);
		double structured = pim_placement_cost(p);
		CHECK(is_valid(p) && structured == count_cost(p));
		pim_place_greedy(p, a);
		double greedy = pim_placement_cost(p);
		CHECK(is_valid(p) && greedy == count_cost(p) && greedy <= structured);
		int64_t tried = 0;
		pim_place_search(p, 20, 1, &tried, a);
		double found = pim_placement_cost(p);
		CHECK(is_valid(p) && found == count_cost(p) && found <= greedy && found >= best);
		optimal += found == best;
		all++;
		pim_arena_free(a);
	}
	printf("search finds the optimum of %d in %d\n", optimal, all);
	CHECK(optimal * 20 >= all * 19);
}

static void shuffle_units(pim_placement *p)
{
	for (int i = 0; i < p->n; i++)
		for (int k = 0; k < p->tenant[i].n_units; k++)
			p->tenant[i].unit[k] = k;
	for (int i = 0; i < p->n; i++)
		for (int k = p->tenant[i].n_units - 1; k > 0; k--) {
			int j = draw(k + 1), old = p->tenant[i].unit[k];
			p->tenant[i].unit[k] = p->tenant[i].unit[j];
			p->tenant[i].unit[j] = old;
		}
}

/* Trees on all kinds of networks, and exchanges that keep their links: against routes marked link
 * by link. */
static void compare_trees_with_routes(void)
{
	static const pim_target shape[] = {
		{.network.topology = PIM_TOPOLOGY_mesh, .network.size = {5, 4, 1}},
		{.network.topology = PIM_TOPOLOGY_torus, .network.size = {5, 4, 1}},
		{.network.topology = PIM_TOPOLOGY_mesh, .network.size = {3, 2, 4}},
		{.network.topology = PIM_TOPOLOGY_torus, .network.size = {4, 3, 3}},
		{.network.topology = PIM_TOPOLOGY_bus, .network.size = {4, 2, 3}}};
	int better = 0;
	for (int trial = 0; trial < 100; trial++) {
		pim_arena *a = pim_arena_new();
		pim_target t = shape[trial % 5];
		t.units = t.network.size[0] * t.network.size[1] * t.network.size[2];
		const int slots[] = {1 + draw(t.units), 1 + draw(t.units), 1 + draw(t.units)};
		pim_placement *p = random_trees(&t, 3, slots, a);
		shuffle_units(p);
		double before = pim_placement_cost(p);
		CHECK(before == count_cost(p) && pim_placement_bound(p, a) <= before);
		CHECK(pim_place_swap(p, 100 * 1000, a) > 0);
		double after = pim_placement_cost(p);
		CHECK(is_valid(p) && after == count_cost(p) && after <= before);
		CHECK(pim_placement_bound(p, a) <= after);
		better += after < before;
		pim_place_load(p, 100 * 1000, a);
		worth relieved = count_worth(p);
		CHECK(is_valid(p) && relieved.cost <= after);
		CHECK(pim_placement_load_bound(p, relieved.cost, a) <= relieved.busiest + 1e-6);
		pim_arena_free(a);
	}
	CHECK(better > 80);
}

/* A tenant whose partner stays gets the best units there are, and none when it has them. */
static void move_one_exactly(void)
{
	int moved = 0;
	for (int trial = 0; trial < 60; trial++) {
		pim_arena *a = pim_arena_new();
		pim_target t = mesh(3, 2, PIM_TOPOLOGY_mesh);
		const int slots[] = {2 + trial % 3, 1 + trial % 4};
		pim_placement *p = random_placement(&t, 2, slots, 60, a);
		bool placed[] = {true, true};
		uint64_t random = 1;
		double best = 1e300;
		int one = 1, kept[4];
		pim_place_structured(p);
		for (int k = 0; k < slots[1]; k++)
			kept[k] = p->tenant[1].unit[k];
		double before = pim_placement_cost(p);
		try_all(p, 1, 0, 0, &best);
		for (int k = 0; k < slots[1]; k++)
			p->tenant[1].unit[k] = kept[k];
		pim_place_group *g = pim_place_group_new(p, placed, a);
		CHECK(pim_place_group_cost(g) == before);
		bool better = pim_place_group_move(g, 1, &one, &random);
		CHECK(pim_place_group_cost(g) == best);
		CHECK(is_valid(p) && pim_placement_cost(p) == best && better == (best < before));
		CHECK(!pim_place_group_move(g, 1, &one, &random));
		moved += better;
		pim_arena_free(a);
	}
	CHECK(moved > 10 && moved < 60);
}

/* A line of slices with neighbours: the flow of a convolution's rows. */
static pim_flow halo_flow(int from, int to, int slots, pim_arena *a)
{
	double *bytes = PIM_NEW(a, double, slots *slots);
	for (int i = 0; i < slots; i++)
		for (int k = -1; k <= 1; k++)
			if (i + k >= 0 && i + k < slots)
				bytes[(i + k) * slots + i] = k ? 10 : 1000;
	return flow_of_matrix(from, to, slots, slots, bytes, a);
}

static pim_placement *halo_chain(const pim_target *t, int n, int slots, pim_arena *a)
{
	pim_tenant *tenant = PIM_NEW(a, pim_tenant, n);
	pim_flow *flow = PIM_NEW(a, pim_flow, n);
	for (int i = 0; i < n; i++)
		tenant[i] = (pim_tenant){.n_units = slots, .start = i, .end = i + 1};
	for (int i = 1; i < n; i++)
		flow[i - 1] = halo_flow(i - 1, i, slots, a);
	return pim_placement_new(t, n, tenant, n - 1, flow, a);
}

/* Rows of 64 slices on 8 x 8 units: a snake needs one hop for each border, which is the bound. */
static void solve_a_chain_of_rows(void)
{
	pim_arena *a = pim_arena_new();
	pim_target t = mesh(8, 8, PIM_TOPOLOGY_mesh);
	pim_placement *p = halo_chain(&t, 6, 64, a);
	pim_place_structured(p);
	CHECK(is_valid(p) && pim_placement_cost(p) == 5 * 2 * 63 * 10);
	CHECK(pim_placement_bound(p, a) == pim_placement_cost(p));
	CHECK(count_worth(p).busiest == 5 * 10);
	pim_arena_free(a);
}

static void compare_with_random_order(void)
{
	double structured = 0, random = 0, searched = 0;
	for (int trial = 0; trial < 10; trial++) {
		pim_arena *a = pim_arena_new();
		pim_target t = mesh(4, 4, trial % 2 ? PIM_TOPOLOGY_mesh : PIM_TOPOLOGY_torus);
		pim_placement *p = halo_chain(&t, 4, 9 + trial % 8, a);
		shuffle_units(p);
		random += pim_placement_cost(p);
		int64_t tried = 0;
		pim_place_search(p, 20, (uint64_t)trial, &tried, a);
		searched += pim_placement_cost(p);
		CHECK(is_valid(p) && tried > 0);
		pim_place_structured(p);
		structured += pim_placement_cost(p);
		pim_arena_free(a);
	}
	printf("chains of rows: random %.0f, from there searched %.0f, structured %.0f\n", random,
		searched, structured);
	CHECK(structured < random && searched < random);
}

/* Two at a time must not share units, and the same seed gives the same answer. */
static void keep_rivals_apart(void)
{
	for (int trial = 0; trial < 40; trial++) {
		int first[64] = {0};
		for (int again = 0; again < 2; again++) {
			pim_arena *a = pim_arena_new();
			pim_target t = mesh(4, 3, PIM_TOPOLOGY_mesh);
			draw_state = 1000u + (unsigned)trial;
			int n = 8;
			pim_tenant *tenant = PIM_NEW(a, pim_tenant, n);
			pim_flow *flow = PIM_NEW(a, pim_flow, n);
			for (int i = 0; i < n; i++)
				tenant[i] = (pim_tenant){.n_units = 2 + draw(5), .start = i / 2, .end = i / 2 + 1};
			for (int i = 2; i < n; i++) {
				double bytes[64];
				for (int k = 0; k < 64; k++)
					bytes[k] = draw(2) ? draw(90) : 0;
				flow[i - 2] =
					flow_of_matrix(i - 1, i, tenant[i - 1].n_units, tenant[i].n_units, bytes, a);
			}
			pim_placement *p = pim_placement_new(&t, n, tenant, n - 2, flow, a);
			int64_t tried = 0;
			pim_place_structured(p);
			CHECK(is_valid(p));
			pim_place_greedy(p, a);
			CHECK(is_valid(p));
			pim_place_search(p, 20, 5, &tried, a);
			CHECK(is_valid(p) && pim_placement_bound(p, a) <= pim_placement_cost(p));
			for (int i = 0, k = 0; i < n; i++)
				for (int u = 0; u < tenant[i].n_units; u++, k++) {
					CHECK(!again || first[k] == tenant[i].unit[u]);
					first[k] = tenant[i].unit[u];
				}
			pim_arena_free(a);
		}
	}
}

int main(void)
{
	draw_state = 11;
	compare_with_all_placements();
	compare_loads_with_all();
	compare_trees_with_routes();
	move_one_exactly();
	solve_a_chain_of_rows();
	compare_with_random_order();
	keep_rivals_apart();
	return check_failures != 0;
}
