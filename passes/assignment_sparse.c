/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_sparse - moves and exchanges along the traffic, annealed.
 *
 * An item is drawn, and a unit near one of its partners (or any, now and then). It moves there if
 * there is room, else it changes places with an item that stands there. What gets dearer by d is
 * made with probability exp(-d / temperature); the temperature falls evenly on a log scale. The
 * best assignment is kept; the last tries are at temperature 0.
 * Cost: traffic of the one or two items per try, and the trees of their nets.
 * Source: Kirkpatrick, Gelatt, Vecchi (Science 220, 1983); the choice of moves is ours. */
#include <math.h>
#include <string.h>

#include "passes/assignment_core.h"

typedef struct anneal {
	const pim_assignment *p;
	int *unit;
	int64_t *room;			   /* [unit] */
	int *head, *next, *before; /* items of a unit, as lists */
	int *count;				   /* items on a unit */
	assignment_tree *tree;
	int64_t *links;			 /* [net]: of its tree now */
	int *seen, stamp;		 /* [net]: already counted in this try */
	int *touched, n_touched; /* nets of the try, and their new links */
	int64_t *new_links;
	int *free, n_free; /* items that may move */
	int64_t slack;
	double fine; /* per weight that a unit is overfull */
} anneal;

static void insert(anneal *s, int item, int u)
{
	s->unit[item] = u;
	s->room[u] -= s->p->weight[item];
	s->next[item] = s->head[u];
	s->before[item] = -1;
	if (s->head[u] >= 0)
		s->before[s->head[u]] = item;
	s->head[u] = item;
	s->count[u]++;
}

static void take_out(anneal *s, int item)
{
	int u = s->unit[item];
	s->room[u] += s->p->weight[item];
	if (s->before[item] >= 0)
		s->next[s->before[item]] = s->next[item];
	else
		s->head[u] = s->next[item];
	if (s->next[item] >= 0)
		s->before[s->next[item]] = s->before[item];
	s->count[u]--;
}

static void make_state(anneal *s, const pim_assignment *p, int *unit, int64_t slack, pim_arena *a)
{
	size_t n = (size_t)p->n, units = (size_t)p->units;
	*s = (anneal){.p = p, .unit = unit, .slack = slack};
	s->room = PIM_NEW(a, int64_t, units);
	s->head = PIM_NEW(a, int, units);
	s->count = PIM_NEW(a, int, units);
	s->next = PIM_NEW(a, int, n);
	s->before = PIM_NEW(a, int, n);
	s->free = PIM_NEW(a, int, n);
	memcpy(s->room, p->capacity, sizeof *s->room * units);
	memset(s->head, -1, sizeof *s->head * units);
	for (int i = 0; i < p->n; i++) {
		insert(s, i, unit[i]);
		if (p->fixed[i] < 0)
			s->free[s->n_free++] = i;
	}
	s->tree = assignment_tree_new(p, a);
	s->links = PIM_NEW(a, int64_t, p->n_nets);
	s->new_links = PIM_NEW(a, int64_t, p->n_nets);
	s->seen = PIM_NEW(a, int, p->n_nets);
	s->touched = PIM_NEW(a, int, p->n_nets);
	for (int k = 0; k < p->n_nets; k++)
		s->links[k] = assignment_tree_links(s->tree, &p->net[k], unit);
}

/* What item i costs more on v than where it is; `with` is not counted (its end moves too). */
static int64_t change_alone(const pim_assignment *p, const int *unit, int i, int v, int with)
{
	int u = unit[i];
	int64_t change = p->price[i] ? p->price[i][v] - p->price[i][u] : 0;
	for (int x = p->first[i]; x < p->first[i + 1]; x++) {
		const assignment_edge *e = &p->edge[x];
		if (e->other == with)
			continue;
		int at = unit[e->other];
		change += e->to * (assignment_distance(p, v, at) - assignment_distance(p, u, at));
		if (!p->symmetric)
			change += e->from * (assignment_distance(p, at, v) - assignment_distance(p, at, u));
	}
	return change;
}

int64_t assignment_change(const pim_assignment *p, const int *unit, int i, int j, int v)
{
	int64_t change = change_alone(p, unit, i, v, j);
	if (j < 0)
		return change;
	change += change_alone(p, unit, j, unit[i], i);
	for (int x = p->first[i]; x < p->first[i + 1] && p->distance; x++)
		if (p->edge[x].other == j)
			change += assignment_edge_cost(p, &p->edge[x], v, unit[i]) -
					  assignment_edge_cost(p, &p->edge[x], unit[i], v);
	return change;
}

static void touch_nets(anneal *s, int item)
{
	for (int k = s->p->net_first[item]; k < s->p->net_first[item + 1]; k++) {
		int net = s->p->net_of[k];
		if (s->seen[net] == s->stamp)
			continue;
		s->seen[net] = s->stamp;
		s->touched[s->n_touched++] = net;
	}
}

/* Change of the trees when i goes to v and j (-1: none) to u. */
static int64_t net_change(anneal *s, int i, int j, int u, int v)
{
	int64_t change = 0;
	s->stamp++;
	s->n_touched = 0;
	touch_nets(s, i);
	if (j >= 0)
		touch_nets(s, j);
	s->unit[i] = v;
	if (j >= 0)
		s->unit[j] = u;
	for (int k = 0; k < s->n_touched; k++) {
		const assignment_net *net = &s->p->net[s->touched[k]];
		s->new_links[k] = assignment_tree_links(s->tree, net, s->unit);
		change += net->bytes * (s->new_links[k] - s->links[s->touched[k]]);
	}
	s->unit[i] = u;
	if (j >= 0)
		s->unit[j] = v;
	return change;
}

typedef struct move {
	int i, j, u, v;		  /* i from u to v; j from v to u, or -1 */
	int64_t change, over; /* of cost; of the weight that units are overfull by */
} move;

static bool fits_on(const anneal *s, int u, int64_t more)
{
	return s->room[u] - more >= -s->slack;
}

static int64_t overdraft(int64_t room)
{
	return room < 0 ? -room : 0;
}

/* How much more units are overfull after the move. */
static int64_t over_change(const anneal *s, const move *m)
{
	int64_t w = s->p->weight[m->i] - (m->j >= 0 ? s->p->weight[m->j] : 0);
	return overdraft(s->room[m->u] + w) + overdraft(s->room[m->v] - w) - overdraft(s->room[m->u]) -
		   overdraft(s->room[m->v]);
}

/* A unit to go to: beside a partner; without partners, any. */
static int draw_unit(const anneal *s, int i, uint64_t *random)
{
	const pim_assignment *p = s->p;
	int degree = p->first[i + 1] - p->first[i], nets = p->net_first[i + 1] - p->net_first[i];
	int k = assignment_draw(random, degree + nets + 1), near = -1;
	if (k < degree)
		near = s->unit[p->edge[p->first[i] + k].other];
	else if (k < degree + nets) {
		const assignment_net *net = &p->net[p->net_of[p->net_first[i] + k - degree]];
		near = s->unit[net->item[assignment_draw(random, net->n)]];
	} else if (assignment_draw(random, 8)) {
		near = s->unit[i];
	}
	if (near < 0 || p->distance)
		return near < 0 || assignment_draw(random, 2) ? assignment_draw(random, p->units) : near;
	int at[3];
	for (int d = 0; d < 3; d++) {
		int size = p->size[d];
		at[d] = p->at[d][near] + (size > 1 ? assignment_draw(random, 3) - 1 : 0);
		at[d] = at[d] < 0 ? (p->shape == PIM_ASSIGNMENT_torus ? size - 1 : 0) : at[d];
		at[d] = at[d] >= size ? (p->shape == PIM_ASSIGNMENT_torus ? 0 : size - 1) : at[d];
	}
	return (at[2] * p->size[1] + at[1]) * p->size[0] + at[0];
}

/* False when the item cannot go where it was drawn to. */
static bool draw_move(anneal *s, move *m, uint64_t *random)
{
	const pim_assignment *p = s->p;
	m->i = s->free[assignment_draw(random, s->n_free)];
	m->j = -1;
	m->u = s->unit[m->i];
	m->v = draw_unit(s, m->i, random);
	if (m->u == m->v || !p->capacity[m->v])
		return false;
	int64_t w = p->weight[m->i];
	bool room = fits_on(s, m->v, w);
	if (!room || (s->count[m->v] && !assignment_draw(random, 4))) {
		int k = s->count[m->v] ? assignment_draw(random, s->count[m->v]) : 0;
		for (m->j = s->head[m->v]; k > 0; k--)
			m->j = s->next[m->j];
		if (m->j < 0 || p->fixed[m->j] >= 0 || !fits_on(s, m->v, w - p->weight[m->j]) ||
			!fits_on(s, m->u, p->weight[m->j] - w))
			return false;
	}
	m->change = assignment_change(p, s->unit, m->i, m->j, m->v);
	m->over = s->slack ? over_change(s, m) : 0;
	if (p->n_nets)
		m->change += net_change(s, m->i, m->j, m->u, m->v);
	return true;
}

static void make_move(anneal *s, const move *m)
{
	take_out(s, m->i);
	if (m->j >= 0) {
		take_out(s, m->j);
		insert(s, m->j, m->u);
	}
	insert(s, m->i, m->v);
	for (int k = 0; s->p->n_nets && k < s->n_touched; k++)
		s->links[s->touched[k]] = s->new_links[k];
}

double assignment_roughness(const pim_assignment *p, const int *unit, uint64_t *random)
{
	enum { TRIES = 2000 };
	pim_arena *a = pim_arena_new();
	int *copy = PIM_NEW(a, int, p->n), n = 0;
	anneal s;
	double sum = 0;
	memcpy(copy, unit, sizeof *unit * (size_t)p->n);
	make_state(&s, p, copy, INT64_MAX / 4, a);
	for (int k = 0; k < TRIES && s.n_free; k++) {
		move m;
		if (!draw_move(&s, &m, random) || !m.change)
			continue;
		sum += fabs((double)m.change);
		n++;
	}
	pim_arena_free(a);
	return n ? sum / n : 0;
}

static int64_t total_overdraft(const anneal *s)
{
	int64_t sum = 0;
	for (int u = 0; u < s->p->units; u++)
		sum += overdraft(s->room[u]);
	return sum;
}

/* The best so far: least overfull, then cheapest. It is copied only when it is about to be left. */
typedef struct record {
	int *unit;
	int64_t cost, over;
	bool saved;
} record;

static bool is_accepted(const anneal *s, const move *m, double temperature, uint64_t *random)
{
	double more = (double)m->change + s->fine * (double)m->over;
	if (more <= 0)
		return true;
	return temperature > 0 && exp(-more / temperature) > assignment_fraction(random);
}

static void leave_best(record *best, const int *unit, size_t bytes)
{
	if (!best->saved)
		memcpy(best->unit, unit, bytes);
	best->saved = true;
}

int64_t assignment_anneal(assignment_run *r, const pim_assignment *p, int *unit,
	const assignment_heat *h, int64_t slack, uint64_t *random)
{
	enum { STRETCH = 1024 }; /* tries at one temperature */
	pim_arena *a = pim_arena_new();
	anneal s;
	int64_t cost = assignment_cost(p, unit), over;
	size_t bytes = sizeof *unit * (size_t)p->n;
	double temperature = h->hot, hotter = h->hot > 0 ? h->cold / h->hot : 1;
	double fall = pow(hotter, STRETCH / (0.9 * (double)h->tries + STRETCH));
	make_state(&s, p, unit, slack, a);
	s.fine = h->fine;
	over = total_overdraft(&s);
	record best = {PIM_NEW(a, int, p->n), cost, over, false};
	for (int64_t k = 0; k < h->tries && s.n_free; k++) {
		move m;
		r->steps++;
		if (k % STRETCH == STRETCH - 1) {
			temperature = temperature < h->cold ? 0 : temperature * fall;
			if (assignment_done(r))
				break;
		}
		if (!draw_move(&s, &m, random) || !is_accepted(&s, &m, temperature, random))
			continue;
		bool better =
			over + m.over != best.over ? over + m.over < best.over : cost + m.change < best.cost;
		if (!better && !best.saved)
			leave_best(&best, unit, bytes);
		make_move(&s, &m);
		cost += m.change;
		over += m.over;
		if (better)
			best = (record){best.unit, cost, over, false};
	}
	if (best.saved)
		memcpy(unit, best.unit, bytes);
	pim_arena_free(a);
	return best.cost;
}
