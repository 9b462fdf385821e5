/* SPDX-License-Identifier: Apache-2.0 */
/* degrees_cover.c - the shortest temporal layers of one block, exactly.
 *
 * When t(b,p) does not grow with p, a layer needs only one degree: lowering all of a layer to the
 * smallest degree in it frees units and makes nothing slower. A layer of degree p then does
 * floor(N/p) branches in t(b,p), and what remains is to cover the branches:
 *
 *     best[0] = 0,   best[k] = min over p of best[max(0, k - floor(N/p))] + t(b,p).
 *
 * Cost: branches times degrees. Source: derived from Allspark's schedule of temporal layers (ours).
 */
#include "passes/degrees.h"

#include <math.h>

static int64_t capacity_of(const pim_block *b, int units, int p)
{
	return units / b->degree[p];
}

double pim_block_cover(const pim_block *b, int units, pim_layers *layers, pim_arena *a)
{
	pim_arena *scratch = pim_arena_new();
	double *best = PIM_NEW(scratch, double, b->branches + 1);
	int *last = PIM_NEW(scratch, int, b->branches + 1);
	for (int64_t k = 1; k <= b->branches; k++) {
		best[k] = INFINITY;
		for (int p = 0; p < b->n_degrees; p++) {
			int64_t left = k - capacity_of(b, units, p);
			double cycles = best[left > 0 ? left : 0] + b->cycles[p];
			if (cycles < best[k]) {
				best[k] = cycles;
				last[k] = p;
			}
		}
	}
	double least = best[b->branches];
	if (layers) {
		*layers = (pim_layers){.n = 0};
		layers->x = pim_arena_alloc(a, sizeof *layers->x * (size_t)(b->branches + 1));
		for (int64_t k = b->branches; k > 0;) {
			int64_t most = capacity_of(b, units, last[k]);
			layers->x[layers->n++][last[k]] = k < most ? k : most;
			k -= most;
		}
	}
	pim_arena_free(scratch);
	return least;
}

double pim_block_single(const pim_block *b, int units, int *which)
{
	double least = INFINITY;
	for (int p = 0; p < b->n_degrees; p++) {
		int64_t each = capacity_of(b, units, p);
		double cycles = (double)((b->branches + each - 1) / each) * b->cycles[p];
		if (cycles <= least * (1 + 1e-12)) {
			least = fmin(cycles, least);
			*which = p;
		}
	}
	return least;
}

double pim_layers_cycles(const pim_block *b, int units, const pim_layers *layers)
{
	int64_t branches = 0;
	double cycles = 0;
	for (int l = 0; l < layers->n; l++) {
		int64_t used = 0;
		double longest = 0;
		for (int p = 0; p < b->n_degrees; p++) {
			int64_t x = layers->x[l][p];
			if (x < 0)
				return -1;
			branches += x;
			used += x * b->degree[p];
			longest = x > 0 && b->cycles[p] > longest ? b->cycles[p] : longest;
		}
		if (used > units)
			return -1;
		cycles += longest;
	}
	return branches == b->branches ? cycles : -1;
}
