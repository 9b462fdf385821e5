/* SPDX-License-Identifier: Apache-2.0 */
/* place_shared - puts the pieces of shared constants on the units that read them.
 *
 * Pieces that the same units read are held together: these units, in Morton order of their places
 * in the network, are cut into groups of as many as there are such pieces, so that a group of 2, 4,
 * 8 ... neighbours in order is a compact part of the network; each group holds one copy. Where
 * there are fewer pieces than units and memory is short, they begin where the units are emptiest.
 * Cost: for each constant its pieces times the units, and readers times the pieces they read.
 * Source: the sharing of weights is Allspark's (known from its abstract only), the groups are ours.
 */
#include "passes/place.h"

#include <stdlib.h>
#include <string.h>

/* A constant that is placed: which unit reads which piece of one copy. */
typedef struct holding {
	const pim_node *constant;
	const pim_target *target;
	int64_t each;	/* pieces of a copy */
	bool *reads;	/* [piece * units + unit] */
	int *order;		/* all units in Morton order */
	int *reader;	/* units that read the piece at hand */
	int *offset;	/* by piece: the first of these that gets one */
	int64_t *bytes; /* by unit; NULL: nobody looks */
} holding;

/* Bits of x, y and z in turn. */
static int64_t morton_code(const pim_target *t, int unit)
{
	int at[3] = {unit % t->network.size[0], unit / t->network.size[0] % t->network.size[1],
		unit / t->network.size[0] / t->network.size[1]};
	int64_t code = 0;
	for (int bit = 0; bit < 20; bit++)
		for (int d = 0; d < 3; d++)
			code |= (int64_t)(at[d] >> bit & 1) << (3 * bit + d);
	return code;
}

typedef struct ranked {
	int64_t code;
	int unit;
} ranked;

static int by_code(const void *a, const void *b)
{
	const ranked *x = a, *y = b;
	return (x->code > y->code) - (x->code < y->code);
}

static int *order_units(const pim_target *t, pim_arena *a)
{
	ranked *r = PIM_NEW(a, ranked, t->units);
	int *order = PIM_NEW(a, int, t->units);
	for (int u = 0; u < t->units; u++)
		r[u] = (ranked){morton_code(t, u), u};
	qsort(r, (size_t)t->units, sizeof *r, by_code);
	for (int u = 0; u < t->units; u++)
		order[u] = r[u].unit;
	return order;
}

static void find_reads(holding *h, const pim_node *n, int input, pim_arena *a)
{
	const pim_axes *x = pim_axes_new(n, a);
	int64_t slices = pim_layout_slices(n->plan->layout);
	for (int64_t s = 0; s < slices; s++) {
		pim_box axes, need, part;
		pim_slice_axes(n, x, s, &axes);
		pim_axes_demand(x, n, input, &axes, &need, NULL, NULL);
		pim_pieces p = pim_pieces_of(h->constant, &need, 0);
		for (int64_t piece; pim_pieces_next(&p, &piece, &part);)
			h->reads[piece * h->target->units + pim_slice_unit(n, s)] = true;
	}
}

static bool same_readers(const holding *h, int64_t a, int64_t b)
{
	size_t units = (size_t)h->target->units;
	return !memcmp(h->reads + (size_t)a * units, h->reads + (size_t)b * units, units);
}

/* Pieces with the readers of this one, and how many of them stand before it. */
static int64_t count_together(const holding *h, int64_t piece, int64_t *before)
{
	int64_t together = 0;
	*before = 0;
	for (int64_t k = 0; k < h->each; k++)
		if (same_readers(h, k, piece)) {
			*before += k < piece;
			together++;
		}
	return together;
}

/* The first piece with the readers of this one. */
static int64_t first_together(const holding *h, int64_t piece)
{
	int64_t first = 0;
	while (!same_readers(h, first, piece))
		first++;
	return first;
}

/* What nobody reads is on the first unit. */
static int list_readers(const holding *h, int64_t piece)
{
	int n = 0;
	for (int u = 0; u < h->target->units; u++)
		if (h->reads[piece * h->target->units + h->order[u]])
			h->reader[n++] = h->order[u];
	if (n == 0)
		h->reader[n++] = 0;
	return n;
}

static int64_t piece_bytes(const holding *h, const pim_plan *plan, int64_t piece)
{
	pim_box box = pim_layout_box(plan->layout, h->constant->type, piece, NULL);
	return pim_target_constant_bytes(
		pim_box_elements(&box) * (int64_t)pim_dtype_bytes(h->constant->type->dtype));
}

/* Where among its readers the first of `n` pieces goes, so that the fullest of those that get one
 * has least. */
static int find_offset(const holding *h, int readers, int64_t n)
{
	int best = 0;
	int64_t least = INT64_MAX;
	for (int first = 0; h->bytes && first < readers && n < readers; first++) {
		int64_t most = 0;
		for (int64_t k = 0; k < n && most < least; k++)
			most = pim_max(most, h->bytes[h->reader[(first + k) % readers]]);
		if (most >= least)
			continue;
		least = most;
		best = first;
	}
	return best;
}

/* Those that the same units read go together: found with the first of them, noted for all. */
static void place_pieces(const holding *h, pim_plan *plan)
{
	for (int64_t piece = 0; piece < h->each; piece++) {
		int64_t before, together = count_together(h, piece, &before);
		int readers = list_readers(h, piece);
		if (before == 0)
			h->offset[piece] = find_offset(h, readers, plan->layout->copies * together);
		else
			h->offset[piece] = h->offset[first_together(h, piece)];
		for (int64_t c = 0; c < plan->layout->copies; c++) {
			int unit = h->reader[(h->offset[piece] + c * together + before) % readers];
			plan->unit[c * h->each + piece] = unit;
			if (h->bytes)
				h->bytes[unit] += piece_bytes(h, plan, piece);
		}
	}
}

static void place_constant(
	pim_graph *g, pim_node *constant, const pim_target *t, int *order, int64_t *bytes, pim_arena *a)
{
	pim_plan *plan = constant->plan;
	int64_t slices = pim_layout_slices(plan->layout);
	holding h = {.constant = constant,
		.target = t,
		.each = slices / plan->layout->copies,
		.order = order,
		.bytes = bytes};
	h.offset = PIM_NEW(a, int, h.each);
	h.reads = PIM_NEW(a, bool, h.each * t->units);
	h.reader = PIM_NEW(a, int, t->units);
	PIM_EACH_NODE(n, g)
	{
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i] == constant && n->plan && n->plan->layout && n->plan->unit)
				find_reads(&h, n, i, a);
	}
	plan->n_units = (int)slices;
	plan->unit = PIM_NEW(g->module->arena, int, slices);
	place_pieces(&h, plan);
}

void pim_place_shared(pim_graph *g, const pim_target *t, int64_t *bytes, pim_arena *a)
{
	int *order = order_units(t, a);
	PIM_EACH_NODE(n, g)
	{
		if (n->op != PIM_OP_constant || !n->plan || !n->plan->layout)
			continue;
		pim_arena *scratch = pim_arena_new();
		place_constant(g, n, t, order, bytes, scratch);
		pim_arena_free(scratch);
	}
}
