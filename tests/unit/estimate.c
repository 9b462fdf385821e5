/* SPDX-License-Identifier: Apache-2.0 */
/* estimate.c - mean hops and the busiest link of exchanges, against every message on its route. */
#include <math.h>

#include "passes/pass.h"
#include "tests/unit/check.h"

enum { MAX_SIDE = 9, MAX_LINKS = 6 * MAX_SIDE * MAX_SIDE };

static pim_target make_network(pim_topology topology, int x, int y)
{
	pim_target t = {.name = "test", .units = x * y};
	t.network.topology = topology;
	t.network.size[0] = x;
	t.network.size[1] = y;
	t.network.size[2] = 1;
	return t;
}

/* All of the first `units` units send each other 1 / (units - 1); they are whole lines. */
static pim_exchange send_all(const pim_target *t, int units)
{
	double carried[MAX_LINKS] = {0};
	pim_exchange r = {.units = units};
	for (int from = 0; from < units; from++)
		for (int to = 0; to < units; to++) {
			int link[4 * MAX_SIDE], hops = pim_network_route(t, from, to, link);
			r.hops += (double)hops / (double)units / (double)(units - 1);
			for (int k = 0; k < hops; k++)
				carried[link[k]] += 1.0 / (units - 1);
		}
	for (int k = 0; k < MAX_LINKS; k++)
		r.load = fmax(r.load, carried[k]);
	return r;
}

/* In an even ring, routes half way round all go one way, so that way carries more. */
static void check_region(const pim_target *t, int partners, int units)
{
	pim_exchange found = pim_exchange_of(t, partners), want = send_all(t, units);
	bool torus = t->network.topology == PIM_TOPOLOGY_torus;
	CHECK(found.units == units);
	CHECK(fabs(found.hops - want.hops) < 1e-9);
	CHECK(found.load <= want.load + 1e-9);
	CHECK(want.load <= found.load * (torus ? 2 : 1) + 1e-9);
}

int main(void)
{
	int regions = 0;
	for (int x = 2; x <= MAX_SIDE; x++)
		for (int y = 1; y <= MAX_SIDE; y++) {
			for (int topology = PIM_TOPOLOGY_mesh; topology <= PIM_TOPOLOGY_bus; topology++) {
				pim_target t = make_network((pim_topology)topology, x, y);
				check_region(&t, x - 1, x);
				check_region(&t, x * y - 1, x * y);
				regions += 2;
			}
		}
	pim_target mesh = make_network(PIM_TOPOLOGY_mesh, 8, 8);
	CHECK(pim_exchange_of(&mesh, 0).load == 0 && pim_exchange_of(&mesh, 0).hops == 0);
	CHECK(pim_exchange_of(&mesh, 8).units == 16);
	CHECK(pim_exchange_of(&mesh, 1000).units == 64);
	printf("%d regions\n", regions);
	return check_failures != 0;
}
