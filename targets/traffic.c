/* SPDX-License-Identifier: Apache-2.0 */
/* traffic.c - the bytes that slices of a consumer read from slices of a producer.
 *
 * Both layouts are grids of boxes, so the slices that hold a needed box are a sub-grid: the cost is
 * the number of pairs that really exchange something, never slices times slices. */
#include <stdlib.h>

#include "ir/array.h"
#include "targets/target.h"

/* ---- what placed slices read, and from where ---- */

int64_t pim_nearest_copy(const pim_target *t, const pim_node *value, int64_t slice, int unit)
{
	int64_t copies = value->plan->layout->copies,
			each = pim_layout_slices(value->plan->layout) / copies;
	int64_t best = slice;
	int best_hops = -1;
	for (int64_t c = 0; c < copies; c++) {
		int64_t candidate = slice % each + c * each;
		int hops = pim_network_hops(t, pim_slice_unit(value, candidate), unit);
		if (best_hops >= 0 && hops >= best_hops)
			continue;
		best = candidate;
		best_hops = hops;
		if (hops == 0)
			break;
	}
	return best;
}

/* The copy that a unit holds a piece of itself, as far as it reads it: its group's. -1 for none. */
static int64_t find_own_copy(const pim_node *value, int unit, const pim_box *need)
{
	int64_t each = pim_layout_slices(value->plan->layout) / value->plan->layout->copies;
	for (int64_t c = 0; c < value->plan->layout->copies; c++) {
		pim_pieces p = pim_pieces_of(value, need, c);
		pim_box part;
		for (int64_t slice; pim_pieces_next(&p, &slice, &part);)
			if (pim_slice_unit(value, slice) == unit)
				return slice / each;
	}
	return -1;
}

pim_sources pim_sources_of(
	const pim_target *t, const pim_node *value, const pim_box *need, int unit)
{
	int64_t own = value->op == PIM_OP_constant ? find_own_copy(value, unit, need) : -1;
	return (pim_sources){t, pim_pieces_of(value, need, own < 0 ? 0 : own), unit,
		own >= 0 || value->plan->layout->copies == 1};
}

bool pim_sources_next(pim_sources *s, int64_t *slice, pim_box *part)
{
	if (!pim_pieces_next(&s->pieces, slice, part))
		return false;
	if (!s->fixed)
		*slice = pim_nearest_copy(s->target, s->pieces.value, *slice, s->unit);
	return true;
}

/* ---- trees ---- */

/* A part of a slice that a unit reads. */
typedef struct errand {
	int64_t slice;
	pim_box part;
	int unit;
} errand;

typedef struct errands {
	int64_t n, room;
	errand *list;
} errands;

static void add_errand(errands *e, int64_t slice, const pim_box *part, int unit)
{
	e->list = pim_array_grow(e->list, e->n, &e->room, sizeof *e->list);
	e->list[e->n++] = (errand){slice, *part, unit};
}

static int compare_parts(const errand *a, const errand *b)
{
	if (a->slice != b->slice)
		return a->slice < b->slice ? -1 : 1;
	for (int d = 0; d < a->part.n; d++) {
		if (a->part.lo[d] != b->part.lo[d])
			return a->part.lo[d] < b->part.lo[d] ? -1 : 1;
		if (a->part.hi[d] != b->part.hi[d])
			return a->part.hi[d] < b->part.hi[d] ? -1 : 1;
	}
	return 0;
}

static int compare_errands(const void *a, const void *b)
{
	const errand *x = a, *y = b;
	int parts = compare_parts(x, y);
	return parts ? parts : (x->unit > y->unit) - (x->unit < y->unit);
}

/* All that the slices of n read of its input. */
static void list_errands(const pim_target *t, const pim_node *n, int input, errands *e)
{
	pim_arena *scratch = pim_arena_new();
	const pim_node *from = n->in[input];
	const pim_axes *x = pim_axes_new(n, scratch);
	int64_t slices = pim_layout_slices(n->plan->layout);
	for (int64_t to = 0; to < slices; to++) {
		pim_box axes, need, part;
		int unit = pim_slice_unit(n, to);
		pim_slice_axes(n, x, to, &axes);
		pim_axes_demand(x, n, input, &axes, &need, NULL, NULL);
		pim_sources s = pim_sources_of(t, from, &need, unit);
		for (int64_t slice; pim_sources_next(&s, &slice, &part);)
			add_errand(e, slice, &part, unit);
	}
	pim_arena_free(scratch);
}

/* Partial sums: what one slot adds up stands together, by part. */
static int compare_addends(const void *a, const void *b)
{
	const errand *x = a, *y = b;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	errand u = *x, v = *y;
	u.slice = v.slice = 0;
	int parts = compare_parts(&u, &v);
	return parts ? parts : (x->slice > y->slice) - (x->slice < y->slice);
}

/* The same, but between slots, whether they are placed or not. */
static void list_slots(const pim_node *n, int input, errands *e)
{
	pim_arena *scratch = pim_arena_new();
	const pim_node *from = n->in[input];
	const pim_axes *x = pim_axes_new(n, scratch);
	int64_t slices = pim_layout_slices(n->plan->layout);
	for (int64_t to = 0; to < slices; to++) {
		pim_box axes, need, part;
		pim_slice_axes(n, x, to, &axes);
		pim_axes_demand(x, n, input, &axes, &need, NULL, NULL);
		pim_pieces p = pim_pieces_of(from, &need, to % from->plan->layout->copies);
		for (int64_t slice; pim_pieces_next(&p, &slice, &part);)
			add_errand(e, slice, &part, (int)pim_slice_slot(n, to, n->plan->n_units));
	}
	pim_arena_free(scratch);
}

/* A relayout from partial sums that are not sent straight to where they are added up. */
static bool adds_along_trees(const pim_target *t, const pim_node *n)
{
	if (n->op != PIM_OP_relayout || n->in[0]->plan->layout->sums == 1)
		return false;
	pim_crew_sizes crews = {n->in[0]->plan->n_units, n->plan->n_units};
	return pim_sums_best(t, n, crews) != PIM_SUMS_straight;
}

static bool go_together(const errand *a, const errand *b, bool adds)
{
	errand c = *b;
	if (adds)
		c.slice = a->slice;
	return compare_parts(a, &c) == 0 && (!adds || a->unit == b->unit);
}

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* Sorts; how many are left when each stands once. */
static int drop_repeated(int *list, int n)
{
	int kept = 0;
	qsort(list, (size_t)n, sizeof *list, compare_ints);
	for (int i = 0; i < n; i++)
		if (!kept || list[kept - 1] != list[i])
			list[kept++] = list[i];
	return kept;
}

void pim_traffic_trees(
	const pim_target *t, const pim_node *n, int input, pim_traffic_tree_visit *f, void *user)
{
	errands e = {0};
	const pim_node *from = n->in[input];
	if (!from || !from->plan || !from->plan->layout || !n->plan || !n->plan->layout)
		return;
	pim_traffic_tree tree = {.adds = adds_along_trees(t, n)};
	double width = (double)pim_dtype_bytes(from->type->dtype);
	list_slots(n, input, &e);
	if (e.n)
		qsort(e.list, (size_t)e.n, sizeof *e.list, tree.adds ? compare_addends : compare_errands);
	int *leaf = pim_array_new(e.n + 1, sizeof *leaf);
	tree.leaf = leaf;
	for (int64_t i = 0, first = 0; i < e.n; i++) {
		const errand *x = &e.list[i];
		int other = (int)pim_slice_slot(from, x->slice, from->plan->n_units);
		int next = tree.adds ? other : x->unit;
		if (tree.n == 0 || leaf[tree.n - 1] != next)
			leaf[tree.n++] = next;
		if (i + 1 < e.n && go_together(&e.list[first], x + 1, tree.adds))
			continue;
		if (tree.adds) /* slices further on may have the slots of earlier ones */
			tree.n = drop_repeated(leaf, tree.n);
		tree.root = tree.adds ? x->unit : other;
		tree.bytes = (double)pim_box_elements(&x->part) * width;
		f(user, &tree);
		tree.n = 0;
		first = i + 1;
	}
	free(leaf);
	free(e.list);
}

/* Partial sums that a relayout adds up, in the shape that the lowering gives them. */
static double count_sums(const pim_target *t, const pim_node *n, double *load)
{
	pim_arena *scratch = pim_arena_new();
	pim_crew_sizes none = {1, 1};
	double sum = 0, width = (double)pim_dtype_bytes(n->type->dtype);
	pim_sums shape = pim_sums_best(t, n, none);
	int *route = PIM_NEW(scratch, int, pim_network_diameter(t) + 1);
	for (int64_t s = 0; s < pim_layout_slices(n->plan->layout); s++) {
		pim_reduction *r;
		int parts = pim_reductions_of(t, n, s, shape, none, &r, scratch);
		for (int k = 0; k < parts; k++)
			for (int i = 0; i < r[k].n; i++) {
				const pim_addend *one = &r[k].addend[i];
				int to = one->parent < 0 ? r[k].unit : r[k].addend[one->parent].unit;
				int hops = pim_network_route(t, one->unit, to, route);
				double bytes = (double)pim_box_elements(&r[k].part) * width;
				for (int h = 0; h < hops; h++)
					load[route[h]] += bytes;
				sum += bytes * hops;
			}
	}
	pim_arena_free(scratch);
	return sum;
}

double pim_traffic_links(const pim_target *t, const pim_node *n, int input, double *load)
{
	if (n->op == PIM_OP_relayout && n->in[0]->plan->layout->sums > 1)
		return count_sums(t, n, load);
	errands e = {0};
	const pim_node *from = n->in[input];
	double sum = 0, width = (double)pim_dtype_bytes(from->type->dtype);
	list_errands(t, n, input, &e);
	if (e.n)
		qsort(e.list, (size_t)e.n, sizeof *e.list, compare_errands);
	int64_t *used = pim_array_new(pim_network_links(t), sizeof *used);
	int *route = pim_array_raw(pim_network_diameter(t), sizeof *route);
	for (int64_t i = 0, first = 0; i < e.n; i++) {
		const errand *x = &e.list[i];
		first = compare_parts(x, &e.list[first]) ? i : first;
		int hops = pim_network_route(t, pim_slice_unit(from, x->slice), x->unit, route);
		double bytes = (double)pim_box_elements(&x->part) * width;
		for (int h = 0; h < hops; h++) {
			if (used[route[h]] == first + 1)
				continue;
			used[route[h]] = first + 1;
			load[route[h]] += bytes;
			sum += bytes;
		}
	}
	free(used);
	free(route);
	free(e.list);
	return sum;
}
