/* SPDX-License-Identifier: Apache-2.0 */
/* nest.c - what a tile of an op needs of the unit's buffer.
 *
 * A tile is one extent per axis. The box an operand has in it follows from the indices: a dimension
 * reads 1 + sum of |coef| * (extent - 1) places, at most all of it. The rule for operands that
 * are too large is here, once, for the pass that makes nests, their verifier and the lowering. */
#include "ir/ir.h"

void pim_nest_extents(const pim_node *n, const pim_axes *x, int64_t *extent)
{
	for (int a = 0; a < x->n_axes; a++)
		extent[a] = x->axis[a].size;
	if (!n->plan || !n->plan->layout)
		return;
	int64_t slices = pim_layout_slices(n->plan->layout);
	pim_box axes;
	pim_slice_axes(n, x, slices - 1, &axes); /* the last piece of a balanced cut is a largest one */
	for (int a = 0; a < x->n_axes; a++)
		extent[a] = axes.hi[a] - axes.lo[a];
}

static int64_t count_places(const pim_index *index, const int64_t *tile, int64_t size)
{
	int64_t places = 1;
	for (int t = 0; t < index->n; t++) {
		int64_t coef = index->term[t].coef, steps = tile[index->term[t].axis] - 1, more;
		if (!pim_mul(coef < 0 ? -coef : coef, steps, &more) || !pim_add(places, more, &places))
			return size;
	}
	return pim_min(places, size);
}

int64_t pim_nest_operand_bytes(const pim_node *n, const pim_axes *x, int i, const int64_t *tile)
{
	const pim_node *value = i < (int)n->n_in ? n->in[i] : n;
	if (!value || value->type->n_parts > 0)
		return 0;
	const pim_type *t = value->type;
	bool whole = i < (int)n->n_in && x->whole && x->whole[i];
	int64_t bytes = (int64_t)pim_dtype_bytes(t->dtype);
	for (int d = 0; d < t->rank; d++)
		bytes *= whole ? t->dims[d] : count_places(&x->map[i][d], tile, t->dims[d]);
	return bytes;
}

int64_t pim_nest_slot_bytes(const pim_node *n, const pim_axes *x, int i, const int64_t *tile)
{
	return (pim_nest_operand_bytes(n, x, i, tile) + PIM_SLOT_ALIGN - 1) / PIM_SLOT_ALIGN *
		   PIM_SLOT_ALIGN;
}

static bool has_one_tile(const pim_node *n, const pim_axes *x, const int64_t *tile)
{
	int64_t extent[PIM_MAX_AXES];
	pim_nest_extents(n, x, extent);
	for (int a = 0; a < x->n_axes; a++)
		if (tile[a] < extent[a])
			return false;
	return true;
}

/* The largest operand that is not left out yet, -1 when none takes anything. */
static int find_largest(int count, const int64_t *bytes, const bool *out)
{
	int best = -1;
	for (int i = 0; i < count; i++)
		if (!out[i] && bytes[i] > (best < 0 ? 0 : bytes[best]))
			best = i;
	return best;
}

int64_t pim_nest_buffer_bytes(const pim_node *n, const pim_axes *x, const int64_t *tile,
	const pim_limits *l, bool *from_memory)
{
	int count = (int)n->n_in + 1;
	pim_arena *scratch = pim_arena_new();
	int64_t *bytes = PIM_NEW(scratch, int64_t, count), sum = 0;
	bool *out = PIM_NEW(scratch, bool, count);
	int64_t buffers = has_one_tile(n, x, tile) ? 1 : 2;
	for (int i = 0; i < count; i++)
		sum += bytes[i] = buffers * pim_nest_slot_bytes(n, x, i, tile);
	for (int i; sum > l->buffer_bytes && (i = find_largest(count, bytes, out)) >= 0;) {
		out[i] = true;
		sum -= bytes[i];
	}
	for (int i = 0; from_memory && i < count; i++)
		from_memory[i] = out[i];
	pim_arena_free(scratch);
	return sum;
}
