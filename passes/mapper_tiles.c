/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_tiles.c - what a tile of a group's result takes.
 *
 * Kernels of the leader and of all that follows it, and what followers bring from main memory. A
 * dimension is cut in balanced pieces and these in tiles from their beginning, so the last tiles of
 * pieces have less than others, or nothing; of a step, whose cycles are those of a full tile, they
 * take the part that their kernels are of a full tile's. A grid has few different lengths in each
 * dimension, so the kernels of few tiles are looked at. Cost: tiles. Source: ours. */
#include <string.h>

#include "passes/mapper.h"

/* Operands that the follower brings to the tile from main memory. */
static int64_t fetched_bytes(
	const pim_mapper *m, const pim_mapper_group *g, int f, const int64_t *extent)
{
	const pim_node *n = g->follower[f];
	int64_t bytes = 0;
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i] && m->group_of[n->in[i]->id] != (int)(g - m->group))
			bytes += pim_nest_operand_bytes(n, g->follower_axes[f], i, extent);
	return bytes;
}

pim_mapper_toll pim_mapper_follow_tile(
	const pim_mapper *m, const pim_mapper_group *g, const int64_t *tile)
{
	const pim_target *t = m->target;
	pim_mapper_toll r = {0};
	for (int f = 0; f < g->n_followers; f++) {
		const pim_node *n = g->follower[f];
		const pim_axes *x = g->follower_axes[f];
		int64_t extent[PIM_MAX_AXES];
		pim_mapper_follower_extents(g, f, tile, extent);
		int64_t bytes = fetched_bytes(m, g, f, extent);
		r.cycles += (double)pim_plus(pim_target_kernel_cycles(t, n, x, extent), t->command_cycles);
		r.cycles += bytes ? (double)pim_target_memory_cycles(t, bytes) : 0;
		r.pj += pim_target_kernel_pj(t, n, x, extent) + (double)bytes * t->memory.read_pj;
	}
	return r;
}

/* Kernels of the leader and what follows, for a tile of the leader's axes. */
static double tile_cycles(const pim_mapper *m, const pim_mapper_group *g, const int64_t *tile)
{
	const pim_target *t = m->target;
	return (double)pim_plus(
			   pim_target_kernel_cycles(t, g->leader, g->axes, tile), t->command_cycles) +
		   pim_mapper_follow_tile(m, g, tile).cycles;
}

/* Tiles of a grid by their lengths. */
typedef struct sizes {
	int n[PIM_MAX_RANK], axis[PIM_MAX_RANK]; /* different lengths of a dimension; -1: not cut */
	int64_t *length[PIM_MAX_RANK];
	int *number[PIM_MAX_RANK]; /* of a tile's length among them */
	int all;
} sizes;

static sizes find_sizes(const pim_mapper_group *group, const pim_mapper_choice *c, pim_arena *a)
{
	const pim_mapper_grid *g = &c->grid;
	sizes z = {.all = 1};
	for (int d = 0; d < g->rank; d++) {
		z.axis[d] = -1;
		for (int k = 0; k < group->axes->n_axes; k++)
			z.axis[d] = g->dim[k] == d ? k : z.axis[d];
		z.length[d] = PIM_NEW(a, int64_t, g->tiles[d]);
		z.number[d] = PIM_NEW(a, int, g->tiles[d]);
		for (int64_t t = 0; t < g->tiles[d]; t++) {
			int k = 0;
			while (k < z.n[d] && z.length[d][k] != g->length[d][t])
				k++;
			z.length[d][k] = g->length[d][t];
			z.n[d] += k == z.n[d];
			z.number[d][t] = k;
		}
		z.all *= z.n[d];
	}
	return z;
}

/* By numbers of lengths, the last dimension fastest: cycles of such a tile against a full one. */
static double *find_parts(const pim_mapper *m, const pim_mapper_group *g,
	const pim_mapper_choice *c, const sizes *z, pim_arena *a)
{
	double *part = PIM_NEW(a, double, z->all), full = tile_cycles(m, g, c->nest->tile);
	int64_t tile[PIM_MAX_AXES];
	for (int i = 0; i < z->all; i++) {
		bool any = true;
		memcpy(tile, c->nest->tile, sizeof *tile * (size_t)c->nest->n_axes);
		for (int d = c->grid.rank - 1, left = i; d >= 0; left /= z->n[d--]) {
			int64_t length = z->length[d][left % z->n[d]];
			any = any && length > 0;
			if (z->axis[d] >= 0)
				tile[z->axis[d]] = length;
		}
		part[i] = any ? tile_cycles(m, g, tile) / full : 0;
	}
	return part;
}

void pim_mapper_set_parts(
	const pim_mapper *m, const pim_mapper_group *g, pim_mapper_choice *c, pim_arena *scratch)
{
	const pim_mapper_grid *r = &c->grid;
	if (!c->regular)
		return;
	sizes z = find_sizes(g, c, scratch);
	if (z.all == 1)
		return;
	double *of = find_parts(m, g, c, &z, scratch), *part = PIM_NEW(m->arena, double, r->all);
	for (int64_t i = 0; i < r->all; i++) {
		int64_t left = i, at = 0, each = 1;
		for (int d = r->rank - 1; d >= 0; d--) {
			at += each * z.number[d][left % r->tiles[d]];
			each *= z.n[d];
			left /= r->tiles[d];
		}
		part[i] = of[at];
	}
	c->part = part;
}
