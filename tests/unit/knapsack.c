/* SPDX-License-Identifier: Apache-2.0 */
/* knapsack.c - the multiple-choice knapsack against all choices, and its bound when it may keep few
 * partial choices. */
#include <math.h>
#include <string.h>

#include "passes/knapsack.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { CASES = 4000, MOST_CLASSES = 6, MOST_ITEMS = 5 };

typedef struct instance {
	int n;
	int64_t capacity;
	pim_item item[MOST_CLASSES][MOST_ITEMS];
	pim_item_class class[MOST_CLASSES];
} instance;

static void draw_instance(instance *k)
{
	k->n = draw_in(0, MOST_CLASSES);
	k->capacity = draw_in(0, 30 * k->n);
	bool shares = draw_in(0, 1);
	for (int c = 0; c < k->n; c++) {
		int whole = draw_in(1, 60);
		k->class[c] = (pim_item_class){draw_in(1, MOST_ITEMS), k->item[c]};
		for (int i = 0; i < k->class[c].n; i++) /* a constant held in ever smaller pieces, or any */
			k->item[c][i] = shares ? (pim_item){whole >> i, i ? whole - (whole >> i) + i : 0}
								   : (pim_item){draw_in(0, 40), draw_in(0, 100)};
	}
}

static double try_all(const instance *k, int class, int64_t weight, double cost)
{
	if (weight > k->capacity)
		return INFINITY;
	if (class == k->n)
		return cost;
	double best = INFINITY;
	for (int i = 0; i < k->class[class].n; i++)
		best = fmin(best, try_all(k, class + 1, weight + k->item[class][i].weight,
							  cost + k->item[class][i].cost));
	return best;
}

static void check_answer(const instance *k, const pim_knapsack_answer *r, double least)
{
	CHECK(r->feasible == (least < INFINITY));
	if (!r->feasible)
		return;
	int64_t weight = 0;
	double cost = 0;
	for (int c = 0; c < k->n; c++) {
		weight += k->item[c][r->chosen[c]].weight;
		cost += k->item[c][r->chosen[c]].cost;
	}
	CHECK(weight == r->weight && weight <= k->capacity);
	CHECK(fabs(cost - r->value) <= 1e-9 * (1 + cost));
	CHECK(r->bound <= least + 1e-9 * (1 + least) && least <= r->value + 1e-9 * (1 + least));
}

int main(void)
{
	draw_state = 7;
	int proved = 0, feasible = 0;
	for (int i = 0; i < CASES; i++) {
		pim_arena *a = pim_arena_new();
		instance k;
		draw_instance(&k);
		double least = try_all(&k, 0, 0, 0);
		pim_knapsack_answer full = pim_knapsack_solve(k.n, k.class, k.capacity, 1 << 20, a);
		pim_knapsack_answer narrow = pim_knapsack_solve(k.n, k.class, k.capacity, 2, a);
		check_answer(&k, &full, least);
		check_answer(&k, &narrow, least);
		CHECK(!full.feasible || fabs(full.value - least) <= 1e-9 * (1 + least));
		CHECK(!full.feasible || full.bound == full.value);
		feasible += narrow.feasible;
		proved += narrow.feasible && narrow.bound == narrow.value;
		pim_arena_free(a);
	}
	printf(
		"%d of %d instances have a solution, %d proved with room for 2\n", feasible, CASES, proved);
	CHECK(feasible > CASES / 3 && proved > 0);
	return check_failures != 0;
}
