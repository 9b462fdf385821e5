/* SPDX-License-Identifier: Apache-2.0 */
/* degrees_ilp.c - degrees, temporal layers and shared constants by integer programming.
 *
 * The rows are numbered in passes/assign_degrees.c. Times are in parts of the longest t(b,p), bytes
 * in parts of the memory. A block has as many layers as its shortest cover, which is the start
 * value; more could only serve when the sum of the shortest degrees is still below that, so where
 * such are left out the bound is that of the cover, which is exact. */
#include "passes/degrees.h"
#include "passes/ilp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 24, MOST_TERMS = 4096 };

/* The columns of one block. */
typedef struct columns {
	int layers, *x, *y; /* [layer * degrees + p] */
	int *T, *z;			/* by layer; by share */
} columns;

typedef struct model {
	const pim_degrees *d;
	int first, n; /* blocks in the model */
	bool shares;  /* z and its rows are in it */
	pim_ilp *ilp;
	pim_arena *arena;
	columns *column; /* by block, from `first` on */
	double scale;	 /* cycles */
	int terms, *var;
	double *coef;
} model;

static const pim_block *block_of(const model *m, int k)
{
	return &m->d->block[m->first + k];
}

static int at(const pim_block *b, int l, int p)
{
	return l * b->n_degrees + p;
}

static void add_term(model *m, int var, double coef)
{
	m->var[m->terms] = var;
	m->coef[m->terms++] = coef;
}

static void end_row(model *m, pim_ilp_sense sense, double right)
{
	pim_ilp_row(m->ilp, m->terms, m->var, m->coef, sense, right);
	m->terms = 0;
}

static double scaled(const model *m, const pim_block *b, double cycles)
{
	return cycles * b->equals / m->scale;
}

static void add_columns(model *m, int k, int layers)
{
	const pim_block *b = block_of(m, k);
	columns *c = &m->column[k];
	c->layers = layers;
	c->x = PIM_NEW(m->arena, int, layers * b->n_degrees);
	c->y = PIM_NEW(m->arena, int, layers * b->n_degrees);
	c->T = PIM_NEW(m->arena, int, layers);
	c->z = PIM_NEW(m->arena, int, b->n_shares);
	for (int i = 0; i < layers * b->n_degrees; i++) {
		int most = m->d->units / b->degree[i % b->n_degrees];
		c->x[i] = pim_ilp_var(m->ilp, 0, most, 0, true);
		c->y[i] = pim_ilp_var(m->ilp, 0, 1, 0, true);
	}
	for (int l = 0; l < layers; l++)
		c->T[l] = pim_ilp_var(m->ilp, 0, scaled(m, b, b->cycles[0]), 1, false);
	for (int s = 0; s < b->n_shares && m->shares; s++)
		c->z[s] = pim_ilp_var(m->ilp, 0, 1, scaled(m, b, b->share[s].cost), true);
}

/* (1) */
static void add_all_done(model *m, int k)
{
	const pim_block *b = block_of(m, k);
	for (int i = 0; i < m->column[k].layers * b->n_degrees; i++)
		add_term(m, m->column[k].x[i], 1);
	end_row(m, PIM_ILP_eq, (double)b->branches);
}

/* (2) */
static void add_units(model *m, int k, int l)
{
	const pim_block *b = block_of(m, k);
	for (int p = 0; p < b->n_degrees; p++)
		add_term(m, m->column[k].x[at(b, l, p)], b->degree[p]);
	end_row(m, PIM_ILP_le, m->d->units);
}

/* (3) */
static void add_use(model *m, int k, int l, int p)
{
	const pim_block *b = block_of(m, k);
	add_term(m, m->column[k].x[at(b, l, p)], 1);
	add_term(m, m->column[k].y[at(b, l, p)], -(double)(m->d->units / b->degree[p]));
	end_row(m, PIM_ILP_le, 0);
}

/* (4) */
static void add_length(model *m, int k, int l, int p)
{
	const pim_block *b = block_of(m, k);
	add_term(m, m->column[k].T[l], 1);
	add_term(m, m->column[k].y[at(b, l, p)], -scaled(m, b, b->cycles[p]));
	end_row(m, PIM_ILP_ge, 0);
}

/* (5) */
static void add_order(model *m, int k, int l)
{
	add_term(m, m->column[k].T[l], 1);
	add_term(m, m->column[k].T[l + 1], -1);
	end_row(m, PIM_ILP_ge, 0);
}

/* (6) */
static void add_one_share(model *m, int k)
{
	for (int s = 0; s < block_of(m, k)->n_shares; s++)
		add_term(m, m->column[k].z[s], 1);
	end_row(m, PIM_ILP_eq, 1);
}

/* (7) */
static void add_memory(model *m)
{
	double memory = (double)(m->d->memory > 0 ? m->d->memory : 1);
	for (int k = 0; k < m->n; k++) {
		const pim_block *b = block_of(m, k);
		for (int s = 0; s < b->n_shares; s++)
			add_term(m, m->column[k].z[s], (double)b->share[s].weight * b->equals / memory);
	}
	end_row(m, PIM_ILP_le, (double)m->d->memory / memory);
}

static void add_rows(model *m)
{
	for (int k = 0; k < m->n; k++) {
		const pim_block *b = block_of(m, k);
		add_all_done(m, k);
		for (int l = 0; l < m->column[k].layers; l++) {
			add_units(m, k, l);
			for (int p = 0; p < b->n_degrees; p++) {
				add_use(m, k, l, p);
				add_length(m, k, l, p);
			}
			if (l + 1 < m->column[k].layers)
				add_order(m, k, l);
		}
		if (m->shares)
			add_one_share(m, k);
	}
	if (m->shares)
		add_memory(m);
}

/* ---- the start value ---- */

static double layer_cycles(const pim_block *b, const int64_t *x)
{
	double longest = 0;
	for (int p = 0; p < b->n_degrees; p++)
		longest = x[p] > 0 && b->cycles[p] > longest ? b->cycles[p] : longest;
	return longest;
}

/* Row (5) wants the longest layer first; there are few. */
static void sort_layers(const pim_block *b, pim_layers *layers)
{
	for (int i = 1; i < layers->n; i++)
		for (int k = i; k > 0 && layer_cycles(b, layers->x[k - 1]) < layer_cycles(b, layers->x[k]);
			 k--) {
			int64_t keep[PIM_MAX_DEGREES];
			memcpy(keep, layers->x[k], sizeof keep);
			memcpy(layers->x[k], layers->x[k - 1], sizeof keep);
			memcpy(layers->x[k - 1], keep, sizeof keep);
		}
}

static void put_start(model *m, const pim_layers *layers, const int *share)
{
	double *v = PIM_NEW(m->arena, double, MOST_TERMS);
	for (int k = 0; k < m->n; k++) {
		const pim_block *b = block_of(m, k);
		const columns *c = &m->column[k];
		for (int l = 0; l < layers[k].n; l++) {
			for (int p = 0; p < b->n_degrees; p++) {
				v[c->x[at(b, l, p)]] = (double)layers[k].x[l][p];
				v[c->y[at(b, l, p)]] = layers[k].x[l][p] > 0;
			}
			v[c->T[l]] = scaled(m, b, layer_cycles(b, layers[k].x[l]));
		}
		if (m->shares)
			v[c->z[share[k]]] = 1;
	}
	pim_ilp_start(m->ilp, v);
}

/* ---- the answer ---- */

static void read_layers(const model *m, int k, pim_layers *layers, pim_arena *a)
{
	const pim_block *b = block_of(m, k);
	*layers = (pim_layers){.n = m->column[k].layers};
	layers->x = pim_arena_alloc(a, sizeof *layers->x * (size_t)(layers->n + 1));
	for (int l = 0; l < layers->n; l++)
		for (int p = 0; p < b->n_degrees; p++)
			layers->x[l][p] =
				(int64_t)floor(pim_ilp_value(m->ilp, m->column[k].x[at(b, l, p)]) + 0.5);
}

static int read_share(const model *m, int k)
{
	for (int s = 0; s < block_of(m, k)->n_shares; s++)
		if (pim_ilp_value(m->ilp, m->column[k].z[s]) > 0.5)
			return s;
	return -1;
}

/* Cycles of blocks `first`.. with these layers and shares; INFINITY when something does not hold.
 */
static double check_answer(
	const pim_degrees *d, int first, int n, const pim_layers *layers, const int *share)
{
	double cycles = 0, bytes = 0;
	for (int k = 0; k < n; k++) {
		const pim_block *b = &d->block[first + k];
		double own = pim_layers_cycles(b, d->units, &layers[k]);
		if (own < 0 || (share && (share[k] < 0 || share[k] >= b->n_shares)))
			return INFINITY;
		cycles += own * b->equals;
		if (share) {
			cycles += b->share[share[k]].cost * b->equals;
			bytes += (double)b->share[share[k]].weight * b->equals;
		}
	}
	return bytes <= (double)d->memory || !share ? cycles : INFINITY;
}

static double longest_cycles(const pim_degrees *d)
{
	double most = 1;
	for (int k = 0; k < d->n; k++)
		most = fmax(most, d->block[k].cycles[0] * d->block[k].equals);
	return most;
}

/* No more layers than this can be of use: each takes at least the shortest t(b,p). */
static int most_layers(const pim_block *b, double cycles)
{
	double shortest = b->cycles[b->n_degrees - 1];
	double most = shortest > 0 ? cycles / shortest + 1e-6 : (double)b->branches;
	return most < MOST_LAYERS ? (int)most : MOST_LAYERS;
}

/* One integer program for some blocks; layers and shares hold the start value, and the answer after
 * it. Gives the bound that it proved; 0 where layers had to be left out. */
static double solve_blocks(const pim_degrees *d, int first, int n, pim_layers *layers, int *share,
	double seconds, pim_degrees_answer *r, pim_arena *a)
{
	pim_arena *scratch = pim_arena_new();
	model m = {.d = d, .first = first, .n = n, .shares = share != NULL, .arena = scratch};
	m.scale = longest_cycles(d);
	m.ilp = pim_ilp_new();
	m.var = PIM_NEW(scratch, int, MOST_TERMS);
	m.coef = PIM_NEW(scratch, double, MOST_TERMS);
	m.column = PIM_NEW(scratch, columns, n);
	double before = check_answer(d, first, n, layers, share);
	bool all = true;
	for (int k = 0; k < n; k++) {
		const pim_block *b = block_of(&m, k);
		double cover = pim_block_cover(b, d->units, NULL, scratch);
		int most = most_layers(b, cover);
		all = all && most < MOST_LAYERS;
		add_columns(&m, k, most > layers[k].n ? most : layers[k].n);
		sort_layers(b, &layers[k]);
	}
	add_rows(&m);
	put_start(&m, layers, share);
	pim_ilp_status status = pim_ilp_solve(m.ilp, seconds);
	bool solved = status == PIM_ILP_optimal || status == PIM_ILP_feasible;
	r->nodes += pim_ilp_nodes(m.ilp);
	pim_layers *found = PIM_NEW(scratch, pim_layers, n);
	int *shares = PIM_NEW(scratch, int, n);
	for (int k = 0; k < n && solved; k++) {
		read_layers(&m, k, &found[k], a);
		shares[k] = share ? read_share(&m, k) : 0;
	}
	if (solved && check_answer(d, first, n, found, share ? shares : NULL) < before * (1 - 1e-9)) {
		memcpy(layers, found, sizeof *found * (size_t)n);
		if (share)
			memcpy(share, shares, sizeof *shares * (size_t)n);
	}
	double bound = all && solved ? pim_ilp_bound(m.ilp) * m.scale : 0;
	pim_ilp_free(m.ilp);
	pim_arena_free(scratch);
	return bound;
}

double pim_block_ilp(
	const pim_block *b, int units, double seconds, pim_layers *layers, int64_t *nodes, pim_arena *a)
{
	pim_block one = *b;
	one.equals = 1;
	pim_degrees d = {.n = 1, .units = units, .block = &one};
	pim_degrees_answer r = {.nodes = 0};
	double bound = solve_blocks(&d, 0, 1, layers, NULL, seconds, &r, a);
	*nodes += r.nodes;
	return bound;
}

/* Shares by themselves: rows (6) and (7). */
static pim_knapsack_answer choose_shares(const pim_degrees *d, pim_arena *a)
{
	pim_item_class *class = PIM_NEW(a, pim_item_class, d->n + 1);
	for (int k = 0; k < d->n; k++) {
		const pim_block *b = &d->block[k];
		pim_item *item = PIM_NEW(a, pim_item, b->n_shares);
		for (int s = 0; s < b->n_shares; s++)
			item[s] = (pim_item){b->share[s].weight * b->equals, b->share[s].cost * b->equals};
		class[k] = (pim_item_class){b->n_shares, item};
	}
	return pim_knapsack_solve(d->n, class, d->memory, 20000, a);
}

static int count_columns(const pim_degrees *d)
{
	int count = 0;
	for (int k = 0; k < d->n; k++) {
		const pim_block *b = &d->block[k];
		pim_arena *scratch = pim_arena_new();
		int layers = most_layers(b, pim_block_cover(b, d->units, NULL, scratch));
		count += layers * (2 * b->n_degrees + 1) + b->n_shares;
		pim_arena_free(scratch);
	}
	return count;
}

pim_degrees_answer pim_degrees_solve(const pim_degrees *d, double seconds, int most, pim_arena *a)
{
	pim_degrees_answer r = {.status = "optimal"};
	double end = pim_seconds_now() + seconds;
	pim_knapsack_answer shares = choose_shares(d, a);
	r.layers = PIM_NEW(a, pim_layers, d->n + 1);
	r.share = shares.chosen;
	if (!shares.feasible) {
		r.status = "infeasible";
		return r;
	}
	double bound = shares.bound;
	for (int k = 0; k < d->n; k++)
		bound += d->block[k].equals * pim_block_cover(&d->block[k], d->units, &r.layers[k], a);
	int count = count_columns(d);
	if (count <= most && count < MOST_TERMS) {
		r.bound = fmax(bound, solve_blocks(d, 0, d->n, r.layers, r.share, seconds, &r, a));
	} else {
		r.bound = bound;
		for (int k = 0; k < d->n; k++)
			pim_block_ilp(&d->block[k], d->units, fmax(0, end - pim_seconds_now()) / (d->n - k),
				&r.layers[k], &r.nodes, a);
	}
	r.value = check_answer(d, 0, d->n, r.layers, r.share);
	r.bound = fmin(r.bound, r.value);
	if (r.bound < r.value * (1 - 1e-6))
		r.status = pim_seconds_now() >= end ? "limit" : "feasible";
	return r;
}
