/* SPDX-License-Identifier: Apache-2.0 */
/* knapsack.c - the multiple-choice knapsack, exactly.
 *
 *   (1) minimise sum over classes k of cost[k, i(k)]   such that
 *   (2) sum over k of weight[k, i(k)] <= capacity,  one item i(k) of every class.
 *
 * Idea: a price p >= 0 on weight takes (2) into the objective; every class then chooses for itself,
 * and for any p the sum of their least cost + p * weight, less p * capacity, bounds (1) from below.
 * Bisection finds the price at which the choice just fits: that is the first solution and nearly
 * the best bound. Then classes are joined one by one; of partial choices only those stay that no
 * other one beats in cost and weight, and that at the price found could still end below the best
 * solution. Cost: 60 walks over the items; then classes times the partial choices that stay, which
 * are few where the gap of the first solution is small. Source: Lagrangian relaxation (Sinha and
 * Zoltners 1979), dominance after Nemhauser and Ullmann 1969. */
#include "passes/knapsack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BISECTIONS = 60, DOUBLINGS = 200 };

/* A choice for the classes so far: what the last class took, and which choice for those before. */
typedef struct partial {
	int64_t weight;
	double cost;
	int item, before;
} partial;

typedef struct layer {
	int64_t n;
	partial *choice; /* ascending in weight, descending in cost */
} layer;

typedef struct knapsack {
	int n;
	const pim_item_class *class;
	int64_t capacity, room;
	pim_arena *arena;
	double price;
	double *rest;	   /* by class: what it and those behind cost at least, with the price */
	int64_t *lightest; /* by class: what it and those behind weigh at least */
	pim_knapsack_answer *answer;
} knapsack;

/* The best item of a class at a price; of equal ones the lightest. */
static int best_item(const pim_item_class *c, double price)
{
	int best = 0;
	for (int i = 1; i < c->n; i++) {
		double more = c->item[i].cost - c->item[best].cost +
					  price * (double)(c->item[i].weight - c->item[best].weight);
		if (more < 0 || (more == 0 && c->item[i].weight < c->item[best].weight))
			best = i;
	}
	return best;
}

static int lightest_item(const pim_item_class *c)
{
	int best = 0;
	for (int i = 1; i < c->n; i++)
		if (c->item[i].weight < c->item[best].weight ||
			(c->item[i].weight == c->item[best].weight && c->item[i].cost < c->item[best].cost))
			best = i;
	return best;
}

/* What all classes choose at a price, INFINITY for the lightest; the bound it proves. */
static double choose_all(const knapsack *k, double price, int *chosen, int64_t *weight)
{
	double cost = 0;
	*weight = 0;
	for (int c = 0; c < k->n; c++) {
		chosen[c] = isinf(price) ? lightest_item(&k->class[c]) : best_item(&k->class[c], price);
		cost += k->class[c].item[chosen[c]].cost;
		*weight += k->class[c].item[chosen[c]].weight;
	}
	return isinf(price) ? -INFINITY : cost + price * (double)(*weight - k->capacity);
}

static void offer(knapsack *k, const int *chosen, int64_t weight)
{
	double cost = 0;
	for (int c = 0; c < k->n; c++)
		cost += k->class[c].item[chosen[c]].cost;
	if (weight > k->capacity || (k->answer->feasible && cost >= k->answer->value))
		return;
	k->answer->feasible = true;
	k->answer->value = cost;
	k->answer->weight = weight;
	memcpy(k->answer->chosen, chosen, sizeof *chosen * (size_t)k->n);
}

/* The price at which the choice just fits; keeps the best solution and bound on the way. */
static void find_price(knapsack *k)
{
	int *chosen = PIM_NEW(k->arena, int, k->n + 1);
	int64_t weight;
	double low = 0, high = 1e-9;
	k->answer->bound = choose_all(k, 0, chosen, &weight);
	offer(k, chosen, weight);
	if (weight <= k->capacity)
		return;
	choose_all(k, INFINITY, chosen, &weight);
	offer(k, chosen, weight);
	for (int i = 0; i < DOUBLINGS + BISECTIONS; i++) {
		bool growing = i < DOUBLINGS;
		double price = growing ? high : (low + high) / 2;
		double bound = choose_all(k, price, chosen, &weight);
		offer(k, chosen, weight);
		if (bound > k->answer->bound) {
			k->answer->bound = bound;
			k->price = price;
		}
		if (weight > k->capacity)
			low = price;
		else
			high = price;
		if (growing && weight > k->capacity)
			high *= 4;
		else if (growing)
			i = DOUBLINGS - 1;
	}
}

/* What is left over goes where it saves most, as long as something fits. */
static void fill_up(knapsack *k)
{
	pim_knapsack_answer *r = k->answer;
	for (;;) {
		int class = -1, item = 0;
		double most = 0;
		for (int c = 0; c < k->n; c++)
			for (int i = 0; i < k->class[c].n; i++) {
				const pim_item *old = &k->class[c].item[r->chosen[c]], *new = &k->class[c].item[i];
				if (old->cost - new->cost > most &&
					r->weight - old->weight + new->weight <= k->capacity) {
					most = old->cost - new->cost;
					class = c;
					item = i;
				}
			}
		if (class < 0)
			return;
		const pim_item *old = &k->class[class].item[r->chosen[class]];
		r->weight += k->class[class].item[item].weight - old->weight;
		r->value -= most;
		r->chosen[class] = item;
	}
}

static void find_rests(knapsack *k)
{
	k->rest = PIM_NEW(k->arena, double, k->n + 1);
	k->lightest = PIM_NEW(k->arena, int64_t, k->n + 1);
	for (int c = k->n - 1; c >= 0; c--) {
		const pim_item *best = &k->class[c].item[best_item(&k->class[c], k -> price)];
		k->rest[c] = k->rest[c + 1] + best->cost + k->price * (double)best->weight;
		k->lightest[c] = k->lightest[c + 1] + k->class[c].item[lightest_item(&k->class[c])].weight;
	}
}

static double bound_of(const knapsack *k, const partial *p, int class)
{
	return p->cost + k->rest[class + 1] + k->price * (double)(p->weight - k->capacity);
}

static int by_weight(const void *a, const void *b)
{
	const partial *x = a, *y = b;
	if (x->weight != y->weight)
		return x->weight < y->weight ? -1 : 1;
	return (x->cost > y->cost) - (x->cost < y->cost);
}

/* Could this still become better than the best solution? Sums of costs are exact to some 1e-9. */
static bool is_promising(const knapsack *k, const partial *p, int class)
{
	double slack = 1e-9 * fabs(k->answer->value);
	return p->weight + k->lightest[class + 1] <= k->capacity &&
		   bound_of(k, p, class) < k->answer->value - slack;
}

static layer join_class(knapsack *k, const layer *from, int class)
{
	const pim_item_class *c = &k->class[class];
	layer to = {0, pim_arena_raw(k->arena, sizeof(partial) * (size_t)(from->n * c->n + 1))};
	for (int64_t b = 0; b < from->n; b++)
		for (int i = 0; i < c->n; i++) {
			partial p = {from->choice[b].weight + c->item[i].weight,
				from->choice[b].cost + c->item[i].cost, i, (int)b};
			if (is_promising(k, &p, class))
				to.choice[to.n++] = p;
		}
	k->answer->looks += from->n * c->n;
	qsort(to.choice, (size_t)to.n, sizeof *to.choice, by_weight);
	int64_t kept = 0;
	for (int64_t i = 0; i < to.n; i++)
		if (!kept || to.choice[i].cost < to.choice[kept - 1].cost)
			to.choice[kept++] = to.choice[i];
	to.n = kept;
	return to;
}

/* Keeps every so many-th choice, and the lightest. */
static bool thin_out(const knapsack *k, layer *l)
{
	if (l->n <= k->room)
		return false;
	for (int64_t i = 0; i < k->room; i++)
		l->choice[i] = l->choice[i * l->n / k->room];
	l->n = k->room;
	return true;
}

static void trace_back(knapsack *k, const layer *l)
{
	int *chosen = PIM_NEW(k->arena, int, k->n + 1);
	const layer *last = &l[k->n];
	if (last->n == 0)
		return;
	int at = (int)last->n - 1; /* the heaviest is the cheapest */
	int64_t weight = last->choice[at].weight;
	for (int c = k->n; c > 0; c--) {
		chosen[c - 1] = l[c].choice[at].item;
		at = l[c].choice[at].before;
	}
	offer(k, chosen, weight);
}

static void join_all(knapsack *k)
{
	layer *l = PIM_NEW(k->arena, layer, k->n + 1);
	partial nothing = {0, 0, 0, 0};
	bool thinned = false;
	l[0] = (layer){1, &nothing};
	find_rests(k);
	for (int c = 0; c < k->n; c++) {
		l[c + 1] = join_class(k, &l[c], c);
		thinned = thin_out(k, &l[c + 1]) || thinned;
	}
	trace_back(k, l);
	if (!thinned)
		k->answer->bound = k->answer->value;
}

pim_knapsack_answer pim_knapsack_solve(
	int n, const pim_item_class *class, int64_t capacity, int64_t room, pim_arena *a)
{
	pim_knapsack_answer r = {.chosen = PIM_NEW(a, int, n + 1)};
	pim_arena *scratch = pim_arena_new();
	knapsack k = {
		.n = n, .class = class, .capacity = capacity, .room = room, .arena = scratch, .answer = &r};
	find_price(&k);
	if (r.feasible) {
		fill_up(&k);
		if (r.bound < r.value)
			join_all(&k);
	}
	if (r.feasible && r.bound > r.value)
		r.bound = r.value;
	pim_arena_free(scratch);
	return r;
}
