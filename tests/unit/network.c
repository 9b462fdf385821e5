/* SPDX-License-Identifier: Apache-2.0 */
/* Hops and routes against a breadth-first search, on all small meshes and tori; on buses, against
 * the buses that each unit is on. */
#include <math.h>
#include <string.h>

#include "targets/target.h"
#include "tests/unit/check.h"

enum { MOST = 64 };

/* The unit behind a link, by coordinates; -1 when the link leaves a mesh. */
static int follow(const pim_target *t, int unit, int direction)
{
	int at[3] = {unit % t->network.size[0], unit / t->network.size[0] % t->network.size[1],
		unit / t->network.size[0] / t->network.size[1]};
	int d = direction / 2, size = t->network.size[d];
	at[d] += direction % 2 ? -1 : 1;
	if (at[d] < 0 || at[d] >= size) {
		if (t->network.topology == PIM_TOPOLOGY_mesh)
			return -1;
		at[d] = (at[d] + size) % size;
	}
	return (at[2] * t->network.size[1] + at[1]) * t->network.size[0] + at[0];
}

static void search(const pim_target *t, int from, int distance[MOST])
{
	int queue[MOST], head = 0, tail = 0;
	for (int i = 0; i < t->units; i++)
		distance[i] = -1;
	distance[from] = 0;
	queue[tail++] = from;
	while (head < tail) {
		int unit = queue[head++];
		for (int direction = 0; direction < 6; direction++) {
			int next = follow(t, unit, direction);
			if (next >= 0 && distance[next] < 0) {
				distance[next] = distance[unit] + 1;
				queue[tail++] = next;
			}
		}
	}
}

/* The route leads from one unit to the other, link by link, and never turns back to an earlier
 * dimension. */
static void check_route(const pim_target *t, int from, int to, int hops)
{
	int link[MOST], dimension = 0, unit = from;
	CHECK(pim_network_route(t, from, to, link) == hops);
	for (int i = 0; i < hops; i++) {
		CHECK(link[i] >= 0 && link[i] < pim_network_links(t));
		CHECK(link[i] / 6 == unit);
		CHECK(link[i] % 6 / 2 >= dimension);
		dimension = link[i] % 6 / 2;
		unit = follow(t, unit, link[i] % 6);
		CHECK(unit >= 0);
	}
	CHECK(unit == to);
}

/* A tree from one unit to every other unit whose number is a multiple of step has each link of the
 * routes once, and along it each destination is reached by its route. */
static void check_tree(const pim_target *t, int from, int step)
{
	pim_arena *a = pim_arena_new();
	int to[MOST], n = 0, route[MOST], links = 0;
	bool on_route[MOST * 6] = {false}, in_tree[MOST * 6] = {false};
	for (int unit = 0; unit < t->units; unit += step)
		to[n++] = unit;
	pim_tree tree = pim_network_tree(t, from, n, to, a);
	for (int i = 0; i < tree.n; i++) {
		CHECK(!in_tree[tree.link[i]] && tree.before[i] < i);
		in_tree[tree.link[i]] = true;
	}
	for (int i = 0; i < n; i++) {
		int hops = pim_network_route(t, from, to[i], route), at = tree.last[i];
		for (int h = hops - 1; h >= 0; h--) {
			links += !on_route[route[h]];
			on_route[route[h]] = true;
			CHECK(at >= 0 && tree.link[at] == route[h]);
			at = at >= 0 ? tree.before[at] : -1;
		}
		CHECK(at == -1);
	}
	CHECK(tree.n == links);
	pim_arena_free(a);
}

static void check_network(const pim_target *t)
{
	int diameter = 0;
	for (int from = 0; from < t->units; from++) {
		int distance[MOST];
		search(t, from, distance);
		check_tree(t, from, 1);
		check_tree(t, from, 3);
		check_tree(t, from, t->units);
		for (int to = 0; to < t->units; to++) {
			CHECK(pim_network_hops(t, from, to) == distance[to]);
			check_route(t, from, to, distance[to]);
			diameter = distance[to] > diameter ? distance[to] : diameter;
		}
	}
	CHECK(pim_network_diameter(t) == diameter);
}

/* Is the unit on the bus? */
static bool is_on(const pim_target *t, int unit, int link)
{
	int first = link / 6, level = link % 6 / 2, below = 1;
	for (int d = 0; d <= level; d++)
		below *= t->network.size[d];
	return link % 2 == 0 && first % below == 0 && unit / below == first / below;
}

/* The fewest buses, each sharing a unit with the next: 2 * level + 1 of the first common one. */
static void check_buses(const pim_target *t, int from, int to, bool *used)
{
	int link[MOST], hops = pim_network_route(t, from, to, link), top = -1;
	CHECK(hops == pim_network_hops(t, from, to));
	for (int level = 2; level >= 0; level--) {
		bool common = false;
		for (int bus = 0; bus < pim_network_links(t); bus++)
			common |= bus % 6 == 2 * level && is_on(t, from, bus) && is_on(t, to, bus);
		if (common)
			top = level;
	}
	CHECK(from == to ? hops == 0 : hops == 2 * top + 1);
	for (int i = 0; i < hops; i++) {
		int level = i <= top ? i : 2 * top - i;
		CHECK(link[i] % 6 == 2 * level);
		CHECK(is_on(t, i <= top ? from : to, link[i]));
		used[link[i]] = true;
	}
}

static void check_bus_tree(const pim_target *t)
{
	bool used[6 * MOST] = {false};
	double hops = 0, pairs = 0;
	int links = 0, diameter = 0;
	for (int from = 0; from < t->units; from++)
		for (int to = 0; to < t->units; to++) {
			int h = pim_network_hops(t, from, to);
			check_buses(t, from, to, used);
			hops += h;
			pairs += from != to;
			diameter = h > diameter ? h : diameter;
		}
	for (int i = 0; i < 6 * MOST; i++)
		links += used[i];
	CHECK(pim_network_diameter(t) == diameter);
	CHECK(pairs == 0 || fabs(pim_network_mean_hops(t) - hops / pairs) < 1e-9);
	CHECK(pim_network_link_count(t) == links);
}

static void check_topology(const pim_target *t)
{
	if (t->network.topology == PIM_TOPOLOGY_bus)
		check_bus_tree(t);
	else
		check_network(t);
}

int main(void)
{
	for (int topology = PIM_TOPOLOGY_mesh; topology <= PIM_TOPOLOGY_bus; topology++)
		for (int x = 1; x <= 5; x++)
			for (int y = 1; y <= 4; y++)
				for (int z = 1; z <= 3; z++) {
					pim_target t = {.units = x * y * z};
					t.network.topology = (pim_topology)topology;
					memcpy(t.network.size, (int[]){x, y, z}, sizeof t.network.size);
					check_topology(&t);
				}
	return check_failures != 0;
}
