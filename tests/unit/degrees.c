/* SPDX-License-Identifier: Apache-2.0 */
/* degrees.c - degrees and temporal layers: the cover against every sequence of layers, the integer
 * program against the cover, worked examples, and shared constants in one model. */
#include <math.h>
#include <string.h>

#include "passes/degrees.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { CASES = 300, PROGRAMS = 40 };

/* Degrees that double from 1; more units are never slower. */
static pim_block draw_block(int units, int branches)
{
	pim_block b = {.branches = branches, .equals = 1, .n_shares = 1};
	double cycles = draw_in(50, 100);
	for (int p = 1; p <= units && b.n_degrees < 3; p *= 2) {
		b.degree[b.n_degrees] = p;
		b.cycles[b.n_degrees++] = cycles;
		cycles -= draw_in(0, (int)cycles / 2);
	}
	return b;
}

/* ---- every sequence of layers ---- */

static double try_layers(const pim_block *b, int units, int64_t left, double longest_before);

/* Fills one layer, degree by degree; its cycles are at most those of the layer before. */
static double fill_layer(const pim_block *b, int units, int64_t left, int p, int64_t free_units,
	double longest, double before)
{
	if (longest > before)
		return INFINITY;
	if (p == b->n_degrees)
		return longest > 0 ? longest + try_layers(b, units, left, longest) : INFINITY;
	double best = INFINITY;
	for (int64_t x = 0; x <= left && x * b->degree[p] <= free_units; x++) {
		double now = x > 0 && b->cycles[p] > longest ? b->cycles[p] : longest;
		best = fmin(best,
			fill_layer(b, units, left - x, p + 1, free_units - x * b->degree[p], now, before));
	}
	return best;
}

static double try_layers(const pim_block *b, int units, int64_t left, double longest_before)
{
	return left == 0 ? 0 : fill_layer(b, units, left, 0, units, 0, longest_before);
}

static void check_cover(void)
{
	for (int k = 0; k < CASES; k++) {
		pim_arena *a = pim_arena_new();
		int units = draw_in(1, 5);
		pim_block b = draw_block(units, draw_in(1, 6));
		pim_layers layers;
		double cover = pim_block_cover(&b, units, &layers, a);
		CHECK(fabs(cover - try_layers(&b, units, b.branches, INFINITY)) <= 1e-9 * cover);
		CHECK(fabs(pim_layers_cycles(&b, units, &layers) - cover) <= 1e-9 * cover);
		int which = -1;
		CHECK(pim_block_single(&b, units, &which) >= cover * (1 - 1e-12) && which >= 0);
		pim_arena_free(a);
	}
}

/* ---- worked examples ---- */

/* t(p) = t1 / p, and for every doubling `penalty` of that more. */
static pim_block ideal(int64_t branches, int units, double penalty)
{
	pim_block b = {.branches = branches, .equals = 1, .n_shares = 1};
	for (int p = 1; p <= units; p *= 2) {
		b.cycles[b.n_degrees] = (1 + penalty * b.n_degrees) / p;
		b.degree[b.n_degrees++] = p;
	}
	return b;
}

static void check_example(int64_t branches, int units, double penalty, double least)
{
	pim_arena *a = pim_arena_new();
	pim_block b = ideal(branches, units, penalty);
	CHECK(fabs(pim_block_cover(&b, units, NULL, a) - least) <= 5e-4);
	pim_arena_free(a);
}

/* Branches of Swin-T by stage on 64 and 256 units. */
static void check_examples(void)
{
	static const int64_t branches[4] = {192, 96, 48, 24};
	static const double on64[4] = {3.00, 1.50, 0.75, 0.375},
						on256[4] = {0.75, 0.375, 0.1875, 0.09375};
	static const double dear[4] = {0.85, 0.4625, 0.25, 0.134}; /* 10 % more for each doubling */
	for (int k = 0; k < 4; k++) {
		check_example(branches[k], 64, 0, on64[k]);
		check_example(branches[k], 256, 0, on256[k]);
		check_example(branches[k], 256, 0.1, dear[k]);
	}
}

/* ---- the integer program ---- */

static void draw_shares(pim_block *b)
{
	int whole = draw_in(8, 64);
	b->n_shares = draw_in(1, 4);
	for (int s = 0; s < b->n_shares; s++)
		b->share[s] = (pim_item){whole >> s, s ? draw_in(1, 20) + 10 * s : 0};
}

/* The least cost of shares that fit. */
static double try_shares(const pim_degrees *d, int k, int64_t left)
{
	if (left < 0)
		return INFINITY;
	if (k == d->n)
		return 0;
	double best = INFINITY;
	for (int s = 0; s < d->block[k].n_shares; s++) {
		const pim_item *i = &d->block[k].share[s];
		best = fmin(best, d->block[k].equals * i->cost +
							  try_shares(d, k + 1, left - d->block[k].equals * i->weight));
	}
	return best;
}

/* From every branch on one unit the program finds what the cover is, and proves it. */
static void check_block_program(void)
{
	pim_arena *a = pim_arena_new();
	int units = draw_in(2, 6);
	pim_block b = draw_block(units, draw_in(1, 9)), slow = b;
	slow.n_degrees = 1;
	pim_layers layers;
	int64_t nodes = 0;
	pim_block_cover(&slow, units, &layers, a);
	double cover = pim_block_cover(&b, units, NULL, a);
	double bound = pim_block_ilp(&b, units, 5, &layers, &nodes, a);
	if (bound > 0) { /* else there is no solver */
		CHECK(fabs(bound - cover) <= 1e-5 * cover);
		CHECK(fabs(pim_layers_cycles(&b, units, &layers) - cover) <= 1e-6 * cover);
	}
	pim_arena_free(a);
}

/* Whole and in parts the model gives what the covers and all shares give. */
static void check_program(int most)
{
	pim_arena *a = pim_arena_new();
	pim_block block[3];
	pim_degrees d = {
		.n = draw_in(1, 3), .units = draw_in(2, 6), .block = block, .memory = draw_in(10, 120)};
	double least = 0;
	for (int k = 0; k < d.n; k++) {
		block[k] = draw_block(d.units, draw_in(1, 9));
		block[k].equals = draw_in(1, 3);
		draw_shares(&block[k]);
		least += block[k].equals * pim_block_cover(&block[k], d.units, NULL, a);
	}
	least += try_shares(&d, 0, d.memory);
	pim_degrees_answer r = pim_degrees_solve(&d, 5, most, a);
	bool fits = least < INFINITY;
	CHECK((strcmp(r.status, "infeasible") != 0) == fits);
	if (fits) {
		CHECK(fabs(r.value - least) <= 1e-6 * least);
		CHECK(
			r.bound <= r.value && r.bound >= r.value * (1 - 1e-6) && !strcmp(r.status, "optimal"));
	}
	pim_arena_free(a);
}

int main(void)
{
	draw_state = 11;
	check_cover();
	check_examples();
	for (int k = 0; k < PROGRAMS; k++)
		check_block_program();
	for (int k = 0; k < PROGRAMS; k++)
		check_program(k % 2 ? 1000 : 0);
	return check_failures != 0;
}
