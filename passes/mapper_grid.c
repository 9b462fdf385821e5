/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_grid.c - the tiles of a choice's result, and its loops as cuts.
 *
 * A choice is regular when every slice and step is a tile of the result, cut along dimensions: then
 * tiles have numbers, dimension by dimension, whatever the order of the loops is. A loop over a
 * dimension may become a cut: pieces of pieces are balanced pieces, the largest as large as the
 * tiles of the loop. */
#include "passes/mapper.h"

pim_mapper_walk pim_mapper_walk_of(const pim_spaces *s, const int64_t *coef)
{
	pim_mapper_walk w = {.n = 0};
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < s->n; i++)
			if (s->digit[i].spatial == !pass && s->digit[i].count > 1) {
				w.count[w.n] = s->digit[i].count;
				w.coef[w.n++] = coef[i];
			}
	return w;
}

void pim_mapper_walk_next(pim_mapper_walk *w)
{
	for (int k = w->n - 1; k >= 0; k--) {
		w->at += w->coef[k];
		if (++w->value[k] < w->count[k])
			return;
		w->at -= w->coef[k] * w->count[k];
		w->value[k] = 0;
	}
}

int pim_mapper_dim_of(const pim_mapper_group *g, int axis)
{
	const pim_axes *x = g->axes;
	for (int d = 0; d < g->leader->type->rank; d++) {
		const pim_index *index = &x->map[x->n_inputs][d];
		if (index->n == 1 && index->term[0].axis == axis && index->term[0].coef == 1)
			return index->offset ? -1 : d;
	}
	return -1;
}

/* Is every slice and step a tile of the result, cut along its dimensions? */
static bool is_regular(const pim_mapper_group *g, const pim_mapper_choice *c)
{
	const pim_spaces *s = c->spaces;
	if (g->leader->type->n_parts || s->places != c->slices)
		return false;
	for (int i = 0; i < s->n; i++) {
		const pim_digit *d = &s->digit[i];
		bool cuts = pim_mapper_dim_of(g, d->axis) >= 0;
		if (d->count > 1 && (d->spatial ? !d->piece || !cuts : !cuts && s->result[d->axis]))
			return false;
	}
	return true;
}

static void measure_tiles(pim_mapper_grid *r, int d, int64_t size, pim_arena *a)
{
	r->length[d] = PIM_NEW(a, int64_t, r->tiles[d] + 1);
	for (int64_t x = 0; x < size; x++)
		r->length[d][r->at[d][x]]++;
}

/* Which tile of a dimension each index is in; tiles of pieces stand one behind the other. */
static void number_tiles(pim_mapper_grid *r, int d, int64_t size, const pim_spaces *s, int32_t *at)
{
	int64_t each = 1;
	r->tiles[d] = 1;
	for (int a = 0; a < s->n_axes; a++) {
		if (r->dim[a] != d)
			continue;
		for (int i = 0; i < s->n; i++)
			each *= s->digit[i].axis == a && !s->digit[i].spatial ? s->digit[i].count : 1;
		r->tiles[d] = each * s->pieces[a];
		for (int64_t x = 0; x < size; x++) {
			int64_t piece = ((x + 1) * s->pieces[a] - 1) / size;
			at[x] = (int32_t)(piece * each + (x - piece * size / s->pieces[a]) / s->tile[a]);
		}
	}
}

/* Where each slice and each step of one stand in the grid. */
static void find_tiles(pim_mapper_choice *c, pim_arena *a)
{
	const pim_spaces *s = c->spaces;
	int64_t coef[PIM_MAX_DIGITS] = {0}, stride = 1;
	for (int d = c->grid.rank - 1; d >= 0; d--) {
		for (int i = 0; i < s->n; i++)
			if (c->grid.dim[s->digit[i].axis] == d)
				coef[i] =
					stride * (s->digit[i].piece ? c->grid.tiles[d] / s->pieces[s->digit[i].axis]
												: s->digit[i].inner / s->tile[s->digit[i].axis]);
		stride *= c->grid.tiles[d];
	}
	int32_t *of_slice = PIM_NEW(a, int32_t, c->slices), *of_step = PIM_NEW(a, int32_t, c->steps);
	pim_mapper_walk w = pim_mapper_walk_of(s, coef);
	for (int64_t i = 0; i < c->slices * c->steps; i++, pim_mapper_walk_next(&w)) {
		if (i < c->steps)
			of_step[i] = (int32_t)w.at;
		if (i % c->steps == 0)
			of_slice[i / c->steps] = (int32_t)w.at;
	}
	c->grid.of_slice = of_slice;
	c->grid.of_step = of_step;
}

void pim_mapper_set_grid(const pim_mapper_group *g, pim_mapper_choice *c, pim_arena *a)
{
	const pim_type *t = g->leader->type;
	pim_mapper_grid *r = &c->grid;
	c->regular = is_regular(g, c);
	*r = (pim_mapper_grid){.rank = t->n_parts ? 0 : t->rank, .all = 1};
	for (int k = 0; k < PIM_MAX_AXES; k++)
		r->dim[k] = c->regular && k < c->spaces->n_axes ? pim_mapper_dim_of(g, k) : -1;
	for (int d = 0; d < r->rank; d++) {
		int32_t *at = PIM_NEW(a, int32_t, t->dims[d]);
		r->at[d] = at;
		number_tiles(r, d, t->dims[d], c->spaces, at);
		r->all *= r->tiles[d];
		measure_tiles(r, d, t->dims[d], a);
	}
	if (c->regular)
		find_tiles(c, a);
}

int pim_mapper_loops(const pim_mapper_group *g, const pim_mapper_choice *c, pim_mapper_loop *loop)
{
	int n = 0;
	for (int k = 0; k < c->nest->n; k++) {
		const pim_loop *l = &c->nest->loop[k];
		if (!l->spatial && g->axes->axis[l->axis].kind != PIM_AXIS_summed &&
			pim_mapper_dim_of(g, l->axis) >= 0)
			loop[n++] = (pim_mapper_loop){k, pim_mapper_dim_of(g, l->axis), l->count};
	}
	return n;
}

bool pim_mapper_cut_loops(const pim_mapper_group *g, const pim_mapper_choice *c,
	const pim_mapper_loop *loop, int depth, pim_layout *l)
{
	*l = c->layout;
	for (int k = 0; k < depth; k++) {
		int d = loop[k].dim;
		int64_t parts = l->parts[d] * loop[k].count;
		if (parts > g->leader->type->dims[d] ||
			pim_states_cut(g->leader, g->axes, d, parts) != parts)
			return false;
		l->parts[d] = (int32_t)parts;
	}
	return true;
}

int32_t *pim_mapper_loop_order(const pim_mapper_choice *c, const pim_mapper_loop *loop, int depth,
	const pim_layout *fine, pim_arena *a)
{
	int64_t n = pim_layout_slices(fine), waves = n / c->slices;
	int32_t *turn = PIM_NEW(a, int32_t, n);
	for (int64_t i = 0; i < n; i++) {
		int64_t at[PIM_MAX_RANK] = {0}, place = i % c->slices, wave = i / c->slices, each = waves;
		for (int d = fine->rank - 1; d >= 0; d--) {
			at[d] = place % c->layout.parts[d];
			place /= c->layout.parts[d];
		}
		for (int k = 0; k < depth; k++) {
			each /= loop[k].count;
			at[loop[k].dim] = at[loop[k].dim] * loop[k].count + wave / each % loop[k].count;
		}
		for (int d = 0; d < fine->rank; d++)
			turn[i] = (int32_t)(turn[i] * fine->parts[d] + at[d]);
	}
	return turn;
}
