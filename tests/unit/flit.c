/* SPDX-License-Identifier: Apache-2.0 */
/* flit.c - the flit network: latencies by hand, crossing messages, a full link, random traffic on
 * meshes, tori and cubes, and the same traffic on a naive network, cycle by cycle. */
#include "targets/flit.h"

#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { MOST = 400, PORTS = 7, LANES = 9, DEEP = 64, MOST_UNITS = 64 };

typedef struct post {
	int from, to;
	int64_t flits, first;
	int64_t left, arrived; /* what came out */
} post;

static pim_target make_machine(int x, int y, int z, pim_topology topology, int64_t hop)
{
	pim_target t = {.name = "small", .units = x * y * z};
	t.network.topology = topology;
	t.network.size[0] = x;
	t.network.size[1] = y;
	t.network.size[2] = z;
	t.network.link_bytes_per_cycle = 1;
	t.network.hop_cycles = hop;
	return t;
}

/* The first post of a unit from i on; n: none. */
static int find_post(const post *p, int n, int unit, int i)
{
	while (i < n && p[i].from != unit)
		i++;
	return i;
}

/* ---- the network under test ---- */

/* Sends all, in order per unit, each not before its time and not before the last one has left. */
static pim_flit_totals run_network(const pim_target *t, pim_flit_shape shape, post *p, int n)
{
	pim_flit *f = pim_flit_new(t, shape);
	static int next[MOST_UNITS], number[1 << 16];
	static bool busy[MOST_UNITS];
	int64_t free[MOST_UNITS] = {0};
	int left = n;
	memset(busy, 0, sizeof busy);
	for (int u = 0; u < t->units; u++)
		next[u] = find_post(p, n, u, 0);
	for (int64_t now = 0; left && now < 10000000;) {
		for (int u = 0; u < t->units; u++) {
			if (busy[u] || next[u] == n)
				continue;
			post *m = p + next[u];
			int64_t first = m->first > free[u] ? m->first : free[u];
			pim_flit_message sent = {m->from, 1, &m->to, NULL, m->flits, first};
			number[pim_flit_post(f, &sent)] = next[u];
			busy[u] = true;
		}
		now = pim_flit_next(f);
		if (now == INT64_MAX)
			break;
		pim_flit_cycle(f, now);
		const pim_flit_event *e;
		for (int i = 0, k = pim_flit_events(f, &e); i < k; i++) {
			post *m = p + number[e[i].message];
			if (e[i].kind == PIM_FLIT_arrived) {
				m->arrived = e[i].time;
				left--;
				continue;
			}
			m->left = free[m->from] = e[i].time;
			busy[m->from] = false;
			next[m->from] = find_post(p, n, m->from, next[m->from] + 1);
		}
	}
	CHECK(left == 0); /* else: deadlock */
	pim_flit_totals totals = pim_flit_totals_of(f);
	pim_flit_free(f);
	return totals;
}

/* ---- the naive one: everything is looked at in every cycle ---- */

typedef struct piece {
	int message;
	int64_t index; /* flit of the message */
} piece;

typedef struct cell {
	piece held[DEEP];
	int n, port, lane; /* port: of the output lane that the message at the front has, -1 none */
} cell;

typedef struct flight {
	int64_t due;
	int unit, port, lane;
	piece what;
	bool credit;
} flight;

typedef struct naive {
	const pim_target *t;
	post *p;
	int lanes, depth, n_flights;
	int64_t hop;
	cell cell[MOST_UNITS][PORTS][LANES];
	bool taken[MOST_UNITS][PORTS][LANES];
	int credit[MOST_UNITS][PORTS][LANES];
	int lead[MOST_UNITS][PORTS], offer[MOST_UNITS][PORTS], grant[MOST_UNITS][PORTS];
	int64_t out[MOST];
	flight flight[1 << 16];
} naive;

static int beside(const pim_target *t, int unit, int port)
{
	const int *size = t->network.size;
	int at[3] = {unit % size[0], unit / size[0] % size[1], unit / size[0] / size[1]};
	int d = port / 2;
	at[d] = (at[d] + (port % 2 ? size[d] - 1 : 1)) % size[d];
	return (at[2] * size[1] + at[1]) * size[0] + at[0];
}

/* The next port of the route, as network.c has it: the first link from here on. */
static int port_to(const pim_target *t, int unit, int to)
{
	int link[256];
	return pim_network_route(t, unit, to, link) ? link[0] % 6 : 6;
}

/* Has the route of the message closed the ring of this dimension with this link or before? */
static bool is_past(const pim_target *t, const post *m, int unit, int port)
{
	int link[256], n = pim_network_route(t, m->from, m->to, link);
	const int *size = t->network.size;
	bool past = false;
	for (int i = 0; i < n; i++) {
		int at = link[i] / 6, d = link[i] % 6 / 2,
			stride = d == 0	  ? 1
					 : d == 1 ? size[0]
							  : size[0] * size[1];
		int place = at / stride % size[d];
		if (d == port / 2)
			past = past || place == (link[i] % 2 ? 0 : size[d] - 1);
		if (at == unit && link[i] % 6 == port)
			return past;
	}
	return false;
}

static bool may_take(const naive *v, const post *m, int unit, int port, int lane)
{
	if (v->t->network.topology == PIM_TOPOLOGY_mesh || port == 6)
		return true;
	return is_past(v->t, m, unit, port) == (lane >= v->lanes / 2);
}

static void lead_naive(naive *v, int unit, int port)
{
	int all = PORTS * v->lanes, start = v->lead[unit][port];
	for (int i = 0; i < all; i++) {
		int l = (start + i) % all;
		cell *c = &v->cell[unit][l / v->lanes][l % v->lanes];
		if (!c->n || c->port >= 0 || port_to(v->t, unit, v->p[c->held[0].message].to) != port)
			continue;
		for (int lane = 0; lane < v->lanes; lane++) {
			if (v->taken[unit][port][lane] ||
				!may_take(v, v->p + c->held[0].message, unit, port, lane))
				continue;
			v->taken[unit][port][lane] = true;
			c->port = port;
			c->lane = lane;
			v->lead[unit][port] = (l + 1) % all;
			break;
		}
	}
}

static void fly(naive *v, flight f)
{
	CHECK(v->n_flights < 1 << 16);
	v->flight[v->n_flights++] = f;
}

static void move_naive(naive *v, int unit, int port, int lane, int64_t now)
{
	cell *c = &v->cell[unit][port][lane];
	piece moved = c->held[0];
	post *m = v->p + moved.message;
	memmove(c->held, c->held + 1, sizeof c->held[0] * (size_t)--c->n);
	if (port != 6)
		fly(v, (flight){now + 1, beside(v->t, unit, port ^ 1), port, lane, moved, true});
	if (c->port == 6) {
		CHECK(moved.index == v->out[moved.message]++); /* in order, none lost */
		if (moved.index == m->flits - 1)
			m->arrived = now + 1;
	} else {
		v->credit[unit][c->port][c->lane]--;
		fly(v, (flight){now + v->hop, beside(v->t, unit, c->port), c->port, c->lane, moved, false});
	}
	if (moved.index < m->flits - 1)
		return;
	v->taken[unit][c->port][c->lane] = false;
	c->port = -1;
}

static void match_naive(naive *v, int unit, int64_t now)
{
	int offered[PORTS], to[PORTS];
	for (int p = 0; p < PORTS; p++) {
		to[p] = -1;
		for (int i = 0; i < v->lanes && to[p] < 0; i++) {
			int lane = (v->offer[unit][p] + i) % v->lanes;
			const cell *c = &v->cell[unit][p][lane];
			if (!c->n || c->port < 0 || (c->port != 6 && !v->credit[unit][c->port][c->lane]))
				continue;
			offered[p] = lane;
			to[p] = c->port;
		}
	}
	for (int o = 0; o < PORTS; o++)
		for (int i = 0; i < PORTS; i++) {
			int p = (v->grant[unit][o] + i) % PORTS;
			if (to[p] != o)
				continue;
			v->grant[unit][o] = (p + 1) % PORTS;
			v->offer[unit][p] = (offered[p] + 1) % v->lanes;
			move_naive(v, unit, p, offered[p], now);
			break;
		}
}

static void land(naive *v, int64_t now)
{
	int kept = 0;
	for (int i = 0; i < v->n_flights; i++) {
		flight f = v->flight[i];
		if (f.due > now) {
			v->flight[kept++] = f;
			continue;
		}
		cell *c = &v->cell[f.unit][f.port][f.lane];
		if (f.credit)
			v->credit[f.unit][f.port][f.lane]++;
		else if (CHECK(c->n < v->depth), c->n < DEEP)
			c->held[c->n++] = f.what;
	}
	v->n_flights = kept;
}

static void run_naive(const pim_target *t, pim_flit_shape shape, post *p, int n)
{
	static naive v;
	memset(&v, 0, sizeof v);
	v = (naive){.t = t, .p = p, .lanes = shape.lanes, .depth = pim_flit_depth(t, shape.depth)};
	if (t->network.topology == PIM_TOPOLOGY_torus && v.lanes < 2)
		v.lanes = 2;
	v.hop = t->network.hop_cycles > 0 ? t->network.hop_cycles : 1;
	int next[MOST_UNITS], lane[MOST_UNITS] = {0};
	int64_t put[MOST_UNITS] = {0}, free[MOST_UNITS] = {0};
	for (int u = 0; u < t->units; u++) {
		next[u] = find_post(p, n, u, 0);
		for (int o = 0; o < PORTS; o++)
			for (int l = 0; l < v.lanes; l++) {
				v.cell[u][o][l].port = -1;
				v.credit[u][o][l] = v.depth;
			}
	}
	int left = n;
	for (int64_t now = 0; left && now < 1000000; now++) {
		for (int u = 0; u < t->units; u++) /* a lane is chosen when the message is posted */
			if (next[u] < n && put[u] == 0 && free[u] == now)
				for (int l = lane[u] = 0; l < v.lanes; l++)
					lane[u] = v.cell[u][6][l].n < v.cell[u][6][lane[u]].n ? l : lane[u];
		land(&v, now);
		for (int u = 0; u < t->units; u++) {
			if (next[u] == n)
				continue;
			post *m = p + next[u];
			int64_t first = m->first > free[u] ? m->first : free[u];
			cell *c = &v.cell[u][6][lane[u]];
			if (now < first + put[u] || c->n == v.depth)
				continue;
			c->held[c->n++] = (piece){next[u], put[u]};
			if (++put[u] < m->flits)
				continue;
			m->left = free[u] = now + 1;
			put[u] = 0;
			next[u] = find_post(p, n, u, next[u] + 1);
		}
		for (int u = 0; u < t->units; u++) {
			for (int o = 0; o < PORTS; o++)
				lead_naive(&v, u, o);
			match_naive(&v, u, now);
		}
		left = 0;
		for (int i = 0; i < n; i++)
			left += v.out[i] < p[i].flits;
	}
	CHECK(left == 0);
}

/* ---- tests ---- */

/* One message: its flits and the hops, whatever the machine. */
static void test_alone(void)
{
	for (int i = 0; i < 300; i++) {
		draw_state = (uint64_t)i;
		pim_topology topology = i % 2 ? PIM_TOPOLOGY_torus : PIM_TOPOLOGY_mesh;
		pim_target t =
			make_machine(1 + (int)draw(5), 1 + (int)draw(4), 1 + (int)draw(3), topology, draw(12));
		post p = {(int)draw(t.units), (int)draw(t.units), 1 + draw(60), draw(50), 0, 0};
		pim_flit_totals sum =
			run_network(&t, (pim_flit_shape){1 + (int)draw(6), 1 + (int)draw(8)}, &p, 1);
		int64_t hop = t.network.hop_cycles ? t.network.hop_cycles : 1,
				hops = pim_network_hops(&t, p.from, p.to);
		CHECK(p.left == p.first + p.flits);
		CHECK(p.arrived == p.first + hops * hop + p.flits);
		CHECK(sum.in == p.flits && sum.out == p.flits && sum.hops == p.flits * hops);
	}
}

/* Routes that share no link do not touch each other, also where they cross; where two share one,
 * the last flit of both is there after the flits of both. */
static void test_crossing(void)
{
	pim_target t = make_machine(3, 3, 1, PIM_TOPOLOGY_mesh, 2);
	pim_flit_shape shape = {4, 8};
	post cross[] = {{.from = 3, .to = 5, .flits = 40}, {.from = 1, .to = 7, .flits = 40}};
	run_network(&t, shape, cross, 2);
	CHECK(cross[0].arrived == 44 && cross[1].arrived == 44);
	post share[] = {{.from = 0, .to = 2, .flits = 40}, {.from = 1, .to = 2, .flits = 40}};
	run_network(&t, shape, share, 2);
	CHECK(share[0].arrived == 82 || share[1].arrived == 82); /* 1 -> 2 is never idle */
	CHECK(share[0].arrived >= 80 && share[1].arrived >= 76); /* they take turns */
	CHECK(share[0].left > 40 && share[1].left > 40);		 /* and hold up their units */
	post port[] = {{.from = 3, .to = 4, .flits = 40}, {.from = 5, .to = 4, .flits = 40}};
	run_network(&t, shape, port, 2);
	CHECK((port[0].arrived == 82) + (port[1].arrived == 82) == 1); /* one port into the unit */
}

/* Many messages over one link: it carries a flit in every cycle. */
static void test_full_link(void)
{
	pim_target t = make_machine(8, 2, 1, PIM_TOPOLOGY_mesh, 2);
	post p[60];
	int64_t flits = 0, last = 0;
	for (int i = 0; i < 60; i++) {
		draw_state = 77 + (uint64_t)i;
		p[i] = (post){.from = i % 4, .to = 4 + i % 3, .flits = 1 + draw(30)};
		flits += p[i].flits;
	}
	run_network(&t, (pim_flit_shape){4, 8}, p, 60);
	for (int i = 0; i < 60; i++)
		last = p[i].arrived > last ? p[i].arrived : last;
	CHECK(last >= flits + 2 && last <= flits + flits / 10 + 20);
}

static int make_traffic(const pim_target *t, post *p, int n, int64_t longest)
{
	for (int i = 0; i < n; i++)
		p[i] = (post){.from = (int)draw(t->units),
			.to = (int)draw(t->units),
			.flits = 1 + draw(longest),
			.first = draw(60)};
	return n;
}

/* Full networks with the fewest lanes and the smallest buffers come to an end, and no flit is lost.
 */
static void test_random(void)
{
	static post p[MOST];
	for (int i = 0; i < 200; i++) {
		draw_state = 1000 + (uint64_t)i;
		pim_topology topology = i % 2 ? PIM_TOPOLOGY_torus : PIM_TOPOLOGY_mesh;
		pim_target t =
			make_machine(1 + (int)draw(6), 1 + (int)draw(5), 1 + (int)draw(2), topology, 1);
		int n = make_traffic(&t, p, MOST, 40);
		int64_t flits = 0, hops = 0;
		for (int k = 0; k < n; k++) {
			flits += p[k].flits;
			hops += p[k].flits * pim_network_hops(&t, p[k].from, p[k].to);
		}
		pim_flit_totals sum =
			run_network(&t, (pim_flit_shape){1 + (int)draw(3), 1 + (int)draw(3)}, p, n);
		CHECK(sum.in == flits && sum.out == flits && sum.hops == hops);
		for (int k = 0; k < n; k++)
			CHECK(
				p[k].arrived >= p[k].first + p[k].flits + pim_network_hops(&t, p[k].from, p[k].to));
	}
}

/* Multicasts: alone, each destination gets its last flit as if it were the only one, and each link
 * of the tree carries each flit once; together, all come to an end. */
static void test_multicast(void)
{
	pim_arena *a = pim_arena_new();
	for (int i = 0; i < 200; i++) {
		draw_state = 9000 + (uint64_t)i;
		pim_topology topology = i % 2 ? PIM_TOPOLOGY_torus : PIM_TOPOLOGY_mesh;
		pim_target t = make_machine(
			2 + (int)draw(4), 1 + (int)draw(4), 1 + (int)draw(3), topology, 1 + draw(4));
		pim_flit *f = pim_flit_new(&t, (pim_flit_shape){1 + (int)draw(4), 1 + (int)draw(8)});
		int64_t hops = 0, taken = 0, come = 0, expected = 0, senders = i < 100 ? 1 : t.units;
		pim_flit_message m[MOST_UNITS];
		for (int from = 0; from < senders; from++) {
			int *to = PIM_NEW(a, int, t.units), n = 0;
			for (int u = 0; u < t.units; u++)
				if (draw(2) || (u == t.units - 1 && n == 0))
					to[n++] = u;
			pim_tree *tree = PIM_NEW(a, pim_tree, 1);
			*tree = pim_network_tree(&t, from, n, to, a);
			m[from] = (pim_flit_message){from, n, to, tree, 1 + draw(50), draw(9)};
			CHECK(pim_flit_post(f, &m[from]) == (uint32_t)from);
			hops += tree->n * m[from].flits;
			taken += n * m[from].flits;
			expected += n;
		}
		for (int64_t now; (now = pim_flit_next(f)) != INT64_MAX && now < 100000;) {
			const pim_flit_event *e;
			pim_flit_cycle(f, now);
			for (int k = 0, n = pim_flit_events(f, &e); k < n; k++) {
				const pim_flit_message *sent = &m[e[k].message];
				int64_t way = sent->first + sent->flits;
				if (e[k].kind == PIM_FLIT_arrived)
					way += pim_network_hops(&t, sent->from, sent->to[e[k].destination]) *
						   t.network.hop_cycles;
				CHECK(senders == 1 ? e[k].time == way : e[k].time >= way);
				come += e[k].kind == PIM_FLIT_arrived;
			}
		}
		CHECK(come == expected);
		CHECK(pim_flit_totals_of(f).hops == hops && pim_flit_totals_of(f).out == taken);
		pim_flit_free(f);
	}
	pim_arena_free(a);
}

static void test_twin(void)
{
	static post p[MOST], q[MOST];
	int64_t messages = 0, held_up = 0;
	for (int i = 0; i < 250; i++) {
		draw_state = 5000 + (uint64_t)i;
		pim_topology topology = i % 2 ? PIM_TOPOLOGY_torus : PIM_TOPOLOGY_mesh;
		pim_target t =
			make_machine(1 + (int)draw(5), 1 + (int)draw(4), 1 + (int)draw(2), topology, draw(5));
		pim_flit_shape shape = {1 + (int)draw(5), 1 + (int)draw(9)};
		int n = make_traffic(&t, p, 1 + (int)draw(60), 25);
		memcpy(q, p, sizeof p);
		run_network(&t, shape, p, n);
		run_naive(&t, shape, q, n);
		for (int k = 0; k < n; k++) {
			CHECK(p[k].left == q[k].left && p[k].arrived == q[k].arrived);
			held_up += p[k].arrived >
					   p[k].left + pim_network_hops(&t, p[k].from, p[k].to) * t.network.hop_cycles;
		}
		messages += n;
	}
	CHECK(messages > 5000 && held_up > 1000);
}

int main(void)
{
	test_alone();
	test_crossing();
	test_full_link();
	test_random();
	test_multicast();
	test_twin();
	return check_failures != 0;
}
