/* SPDX-License-Identifier: Apache-2.0 */
/* flows.c - messages whole (targets/flows.h) against the same messages flit by flit, and against a
 * slow network that knows the same rules: what must be equal is, and how far random traffic of each
 * kind is off is held to what was measured. */
#include "targets/flows.h"

#include <stdlib.h>

#include "tests/unit/check.h"
#include "tests/unit/draw.h"
#include "tests/unit/slow_network.h"

enum { MOST = 256 };

typedef struct post {
	int from, n, to[SLOW_UNITS];
	int64_t flits, first;
	int64_t left, arrived; /* what came out; arrived: everywhere */
} post;

typedef struct traffic {
	pim_target t;
	pim_arena *arena;
	int n;
	post post[MOST];
	pim_tree tree[MOST];
} traffic;

static pim_target make_machine(int x, int y, pim_topology topology, int64_t hop)
{
	pim_target t = {.name = "small", .units = x * y};
	t.network.topology = topology;
	t.network.size[0] = x;
	t.network.size[1] = y;
	t.network.size[2] = 1;
	t.network.link_bytes_per_cycle = 1;
	t.network.hop_cycles = hop;
	return t;
}

static void start_traffic(traffic *x, pim_target t)
{
	*x = (traffic){.t = t, .arena = pim_arena_new()};
}

static void add_post(traffic *x, post p)
{
	x->tree[x->n] = pim_network_tree(&x->t, p.from, p.n, p.to, x->arena);
	x->post[x->n++] = p;
}

static void add_one(traffic *x, int from, int to, int64_t flits, int64_t first)
{
	add_post(x, (post){.from = from, .n = 1, .to = {to}, .flits = flits, .first = first});
}

/* ---- the same traffic on three networks ---- */

/* How far each unit is: its messages go in order, none before the last one has left. */
typedef struct units {
	int next[SLOW_UNITS];
	bool busy[SLOW_UNITS];
	int64_t free[SLOW_UNITS];
} units;

static int find_post(const traffic *x, int unit, int i)
{
	while (i < x->n && x->post[i].from != unit)
		i++;
	return i;
}

static units start_units(const traffic *x)
{
	units u = {.next = {0}};
	for (int i = 0; i < x->t.units; i++)
		u.next[i] = find_post(x, i, 0);
	return u;
}

/* The next message of a unit, NULL: none that could go now; taken: it goes. */
static post *next_post(traffic *x, units *u, int unit)
{
	if (u->busy[unit] || u->next[unit] == x->n)
		return NULL;
	post *p = x->post + u->next[unit];
	p->first = pim_max(p->first, u->free[unit]);
	p->arrived = 0;
	u->busy[unit] = true;
	return p;
}

static void take_left(traffic *x, units *u, post *p, int64_t time)
{
	p->left = u->free[p->from] = time;
	u->busy[p->from] = false;
	u->next[p->from] = find_post(x, p->from, u->next[p->from] + 1);
}

typedef struct parts {
	pim_flit *flits;
	pim_flows *flows;
} parts;

static void post_ready(traffic *x, const parts *net, units *u, int *number)
{
	for (int unit = 0; unit < x->t.units; unit++) {
		post *p = next_post(x, u, unit);
		if (!p)
			continue;
		pim_flit_message m = {p->from, p->n, p->to, x->tree + (p - x->post), p->flits, p->first};
		uint32_t at = net->flits ? pim_flit_post(net->flits, &m) : pim_flows_post(net->flows, &m);
		number[at] = (int)(p - x->post);
	}
}

static void run_parts(traffic *x, const parts *net)
{
	int number[MOST];
	units u = start_units(x);
	for (;;) {
		const pim_flit_event *e;
		int n;
		post_ready(x, net, &u, number);
		int64_t now = net->flits ? pim_flit_next(net->flits) : pim_flows_next(net->flows);
		if (now == INT64_MAX)
			return;
		if (net->flits) {
			pim_flit_cycle(net->flits, now);
			n = pim_flit_events(net->flits, &e);
		} else {
			pim_flows_step(net->flows);
			n = pim_flows_events(net->flows, &e);
		}
		for (int i = 0; i < n; i++) {
			post *p = x->post + number[e[i].message];
			if (e[i].kind == PIM_FLIT_left)
				take_left(x, &u, p, e[i].time);
			else
				p->arrived = pim_max(p->arrived, e[i].time);
		}
	}
}

static const pim_flit_shape shape = {PIM_FLIT_LANES, PIM_FLIT_DEPTH};

static void run_flits(traffic *x)
{
	parts net = {.flits = pim_flit_new(&x->t, shape)};
	run_parts(x, &net);
	pim_flit_free(net.flits);
}

static void run_flows(traffic *x)
{
	parts net = {.flows = pim_flows_new(&x->t, shape)};
	run_parts(x, &net);
	pim_flows_free(net.flows);
}

static void post_slow(traffic *x, slow_network *w, units *u)
{
	for (int unit = 0; unit < x->t.units; unit++) {
		post *p = next_post(x, u, unit);
		if (!p)
			continue;
		slow_message *m = w->all + w->n++;
		*m = (slow_message){.tag = (int)(p - x->post),
			.from = unit,
			.n = p->n,
			.flits = p->flits,
			.first = p->first};
		memcpy(m->to, p->to, sizeof m->to);
		slow_add(w, m);
	}
}

/* Takes what is known; true: a unit can send its next message. */
static bool hear_slow(traffic *x, slow_network *w, units *u)
{
	bool any = false;
	int kept = 0;
	for (int i = 0; i < w->n; i++) {
		const slow_message *m = w->all + i;
		post *p = x->post + m->tag;
		bool open = m->left < 0;
		if (!open && u->busy[p->from] && u->next[p->from] == m->tag) {
			take_left(x, u, p, m->left);
			any = true;
		}
		for (int k = 0; k < m->n; k++) {
			open = open || m->arrival[k] < 0;
			p->arrived = pim_max(p->arrived, m->arrival[k]);
		}
		if (open)
			w->all[kept++] = *m;
	}
	w->n = kept;
	return any;
}

static void run_slow(traffic *x)
{
	static slow_message all[MOST];
	slow_network w = {.t = &x->t, .lanes = shape.lanes, .all = all};
	units u = start_units(x);
	w.depth = pim_flit_depth(&x->t, shape.depth);
	post_slow(x, &w, &u);
	for (int64_t now = 0; w.n; now++) {
		do {
			slow_look(&w, now);
			if (!hear_slow(x, &w, &u))
				break;
			post_slow(x, &w, &u);
		} while (true);
		slow_pass(&w);
	}
}

/* ---- what must be equal ---- */

/* Is the traffic, on a fresh start, on time to the cycle by both? */
static bool is_same(traffic *x, void (*run)(traffic *))
{
	static traffic other;
	other = *x;
	run(&other);
	run_flows(x);
	bool same = true;
	for (int i = 0; i < x->n; i++)
		same = same && x->post[i].left == other.post[i].left &&
			   x->post[i].arrived == other.post[i].arrived;
	return same;
}

/* Sides of least to least + sides - 1 units. (Each number in a statement of its own: compilers
 * differ in which argument they work out first.) */
static pim_target draw_machine(int least, int sides, pim_topology topology, int64_t hop)
{
	int x = least + draw(sides);
	int y = least + draw(sides);
	return make_machine(x, y, topology, hop);
}

static void test_alone(void)
{
	static traffic x;
	for (int i = 0; i < 200; i++) {
		draw_state = (uint64_t)i;
		pim_topology topology = i % 2 ? PIM_TOPOLOGY_torus : PIM_TOPOLOGY_mesh;
		int hop = 1 + draw(11);
		start_traffic(&x, draw_machine(1, 4, topology, hop));
		int from = draw(x.t.units), to = draw(x.t.units), flits = 1 + draw(500);
		add_one(&x, from, to, flits, draw(50));
		CHECK(is_same(&x, run_flits));
		int hops = pim_network_hops(&x.t, x.post->from, x.post->to[0]);
		CHECK(x.post->arrived == x.post->first + x.post->flits + hops * x.t.network.hop_cycles);
		pim_arena_free(x.arena);
	}
}

/* A multicast alone, to all units that are drawn. */
static void test_tree(void)
{
	static traffic x;
	for (int i = 0; i < 100; i++) {
		draw_state = 1000 + (uint64_t)i;
		start_traffic(&x, draw_machine(2, 3, PIM_TOPOLOGY_mesh, 2));
		post p = {.from = draw(x.t.units)};
		p.flits = 1 + draw(300);
		p.first = draw(9);
		for (int u = 0; u < x.t.units; u++)
			if (draw(2) || (u == x.t.units - 1 && !p.n))
				p.to[p.n++] = u;
		add_post(&x, p);
		CHECK(is_same(&x, run_flits));
		pim_arena_free(x.arena);
	}
}

/* Rows of a mesh: routes that share no link, some of which cross; and messages one after another.
 */
static void test_apart(void)
{
	static traffic x;
	start_traffic(&x, make_machine(4, 4, PIM_TOPOLOGY_mesh, 2));
	for (int i = 0; i < 4; i++) {
		add_one(&x, 4 * i, 4 * i + 3, 100 + 7 * i, i);
		add_one(&x, 4 * i + 3, 4 * i, 90 + 5 * i, 2 * i);
		add_one(&x, 4 * i + 1, (4 * i + 5) % 16, 60, 300);
	}
	add_one(&x, 0, 3, 64, 150);
	add_one(&x, 0, 2, 64, 500);
	CHECK(is_same(&x, run_flits));
	pim_arena_free(x.arena);
}

/* Two that share a link all the way: each has half of it, and their units are held up. */
static void test_shared(void)
{
	static traffic x;
	start_traffic(&x, make_machine(3, 3, PIM_TOPOLOGY_mesh, 2));
	add_one(&x, 0, 2, 4000, 0);
	add_one(&x, 1, 2, 4000, 0);
	run_flows(&x);
	CHECK(x.post[0].arrived == 8004 && x.post[1].arrived == 8002);
	CHECK(x.post[0].left > 7900 && x.post[1].left > 7900);
	pim_arena_free(x.arena);
}

/* ---- random traffic ---- */

static int64_t draw_flits(void)
{
	switch (draw(4)) {
	case 0:
		return 1 + draw(8);
	case 1:
		return 1 + draw(60);
	case 2:
		return 40 + draw(400);
	default:
		return 500 + draw(2500);
	}
}

static void add_drawn(traffic *x, int from, int to, int64_t flits)
{
	add_one(x, from, to, flits, draw(200));
}

static void add_any(traffic *x, int from, int to)
{
	add_drawn(x, from, to, draw_flits());
}

static void many_to_one(traffic *x)
{
	int to = (int)draw(x->t.units);
	for (int i = 0; i < 30; i++)
		add_any(x, draw(x->t.units), to);
}

static void one_to_many(traffic *x)
{
	int from = (int)draw(x->t.units);
	for (int i = 0; i < 30; i++)
		add_any(x, from, draw(x->t.units));
}

static void permutation(traffic *x)
{
	int to[SLOW_UNITS] = {0};
	for (int i = 0; i < x->t.units; i++) {
		int k = (int)draw(i + 1);
		to[i] = to[k];
		to[k] = i;
	}
	int64_t flits = draw_flits();
	for (int i = 0; i < x->t.units; i++)
		add_drawn(x, i, to[i], flits);
}

static void ring(traffic *x)
{
	int64_t flits = draw_flits(), step = 1 + draw(x->t.units - 1);
	for (int round = 0; round < 4; round++)
		for (int i = 0; i < x->t.units; i++)
			add_drawn(x, i, (int)((i + step) % x->t.units), flits);
}

static void all_to_all(traffic *x)
{
	int64_t flits = draw_flits();
	for (int round = 1; round < x->t.units; round++)
		for (int i = 0; i < x->t.units; i++)
			add_drawn(x, i, (i + round) % x->t.units, flits);
}

static void any_to_any(traffic *x)
{
	for (int i = 0; i < 100; i++) {
		int from = draw(x->t.units);
		add_any(x, from, draw(x->t.units));
	}
}

static void multicasts(traffic *x)
{
	int64_t one_in = 1 + draw(4);
	for (int i = 0; i < 40; i++) {
		post p = {.from = draw(x->t.units)};
		p.flits = draw_flits();
		p.first = draw(200);
		for (int u = 0; u < x->t.units; u++)
			if (!draw(one_in) || (u == x->t.units - 1 && !p.n))
				p.to[p.n++] = u;
		add_post(x, p);
	}
}

/* Bounds in percent: what was measured and a little more. One sender is exact. Where all units send
 * to all in step, who falls behind stays behind: there single runs are far off. */
typedef struct kind {
	const char *name;
	void (*make)(traffic *);
	double mean_last, worst_last, mean_each;
} kind;

static const kind kinds[] = {
	{"many to one", many_to_one, 0.1, 0.2, 7.5},
	{"one to many", one_to_many, 0, 0, 0},
	{"permutation", permutation, 0.5, 6, 0.3},
	{"ring", ring, 1, 7, 0.6},
	{"all to all", all_to_all, 7, 55, 3},
	{"any to any", any_to_any, 3.5, 18, 1.5},
	{"multicasts", multicasts, 2, 20, 7.5},
};

/* By how many percent the last arrival of all is later than flit by flit; each: the mean
 * difference of arrivals, in percent of the last one. */
static double compare(traffic *x, double *each)
{
	static traffic flits;
	int64_t last = 0, true_last = 0;
	flits = *x;
	run_flits(&flits);
	run_flows(x);
	*each = 0;
	for (int i = 0; i < x->n; i++) {
		int64_t a = x->post[i].arrived, b = flits.post[i].arrived;
		last = pim_max(last, a);
		true_last = pim_max(true_last, b);
		*each += (double)llabs(a - b) / x->n;
	}
	*each *= 100.0 / (double)true_last;
	return 100.0 * ((double)last / (double)true_last - 1);
}

static double size_of(double x)
{
	return x < 0 ? -x : x;
}

static void test_kind(const kind *k, pim_topology topology)
{
	enum { RUNS = 40 };
	static traffic x;
	double mean = 0, signed_mean = 0, worst = 0, mean_each = 0;
	for (int i = 0; i < RUNS; i++) {
		double each, off;
		draw_state = (uint64_t)i;
		start_traffic(&x, draw_machine(2, 3, topology, 2));
		k->make(&x);
		off = compare(&x, &each);
		mean += size_of(off) / RUNS;
		signed_mean += off / RUNS;
		mean_each += each / RUNS;
		worst = size_of(off) > worst ? size_of(off) : worst;
		pim_arena_free(x.arena);
	}
	printf("%-12s %s: last arrival off by %.2f %% (mean %+.2f, worst %.2f), each by %.2f %%\n",
		k->name, topology == PIM_TOPOLOGY_mesh ? "mesh " : "torus", mean, signed_mean, worst,
		mean_each);
	CHECK(mean <= k->mean_last && worst <= k->worst_last && mean_each <= k->mean_each);
}

/* By the same rules: to the cycle. */
static void test_slow(const kind *k)
{
	static traffic x;
	for (int i = 0; i < 12; i++) {
		draw_state = 500 + (uint64_t)i;
		pim_topology topology = i % 2 ? PIM_TOPOLOGY_torus : PIM_TOPOLOGY_mesh;
		int hop = draw(12);
		start_traffic(&x, draw_machine(1, 4, topology, hop));
		if (x.t.units > 1)
			k->make(&x);
		CHECK(is_same(&x, run_slow));
		pim_arena_free(x.arena);
	}
}

int main(void)
{
	test_alone();
	test_tree();
	test_apart();
	test_shared();
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		test_kind(kinds + i, PIM_TOPOLOGY_mesh);
		test_kind(kinds + i, PIM_TOPOLOGY_torus);
		test_slow(kinds + i);
	}
	return check_failures != 0;
}
