/* SPDX-License-Identifier: Apache-2.0 */
/* axis_cuts.c - cuts along classes of axes, and the pieces of dimensions they mean.
 *
 * A dimension is a product of factors, outer first. Pieces of it are boxes along a class only as
 * long as every factor outside of it is cut in full: 64 windows of an image are 8 of the outer
 * factor times 8 of the inner one, and 16 are 8 times 2. */
#include <string.h>

#include "passes/pass.h"

static bool is_free(const pim_classes *c, const pim_node *n, int class)
{
	pim_axis_kind kind = pim_classes_kind(c, n, class);
	return kind == PIM_AXIS_free || kind == PIM_AXIS_windowed;
}

static const pim_cut *find_cut(const pim_cuts *cuts, int class)
{
	for (int k = 0; k < cuts->n; k++)
		if (cuts->cut[k].class == class)
			return &cuts->cut[k];
	return NULL;
}

/* Pieces of one dimension; sets the bits of the cuts it carries. */
static int64_t cut_dim(const pim_factor *f, int count, const pim_cuts *cuts, unsigned *used)
{
	int64_t parts = 1;
	for (int k = 0; k < count; k++) {
		if (f[k].size == 1)
			continue;
		const pim_cut *cut = find_cut(cuts, f[k].class);
		bool last = k == count - 1;
		if (!cut || cut->count > f[k].size || (!last && f[k].size % cut->count != 0))
			return parts;
		if (*used & 1u << (cut - cuts->cut))
			return parts;
		*used |= 1u << (cut - cuts->cut);
		parts *= cut->count;
		if (cut->count < f[k].size)
			return parts;
	}
	return parts;
}

bool pim_cuts_apply(
	const pim_classes *c, const pim_node *n, const pim_cuts *cuts, int32_t parts[PIM_MAX_RANK])
{
	if (n->type->n_parts > 0)
		return false;
	for (int k = 0; k < cuts->n; k++)
		if (!is_free(c, n, cuts->cut[k].class))
			return false;
	unsigned used = 0;
	for (int d = 0; d < PIM_MAX_RANK; d++)
		parts[d] = 1;
	for (int d = 0; d < n->type->rank; d++) {
		const pim_factor *f;
		int count = pim_classes_dim(c, n, d, &f);
		parts[d] = (int32_t)cut_dim(f, count, cuts, &used);
	}
	return used == (1u << cuts->n) - 1;
}

/* Cuts of one dimension in `parts` pieces; leaves `cuts` as it was when they are not along free
 * classes. */
static void add_dim(const pim_classes *c, const pim_node *n, int d, int64_t parts, pim_cuts *cuts)
{
	const pim_factor *f;
	int count = pim_classes_dim(c, n, d, &f);
	pim_cuts more = *cuts;
	for (int k = 0; k < count && parts > 1; k++) {
		if (f[k].size == 1)
			continue;
		int64_t cut = parts < f[k].size ? parts : f[k].size;
		bool fits = parts % cut == 0 && (k == count - 1 || f[k].size % cut == 0);
		if (!fits || more.n == PIM_MAX_CUTS || find_cut(&more, f[k].class) ||
			!is_free(c, n, f[k].class))
			return;
		more.cut[more.n++] = (pim_cut){f[k].class, cut};
		parts /= cut;
	}
	if (parts == 1)
		*cuts = more;
}

pim_cuts pim_cuts_of(const pim_classes *c, const pim_node *n, const pim_layout *l)
{
	pim_cuts cuts = {.n = 0};
	for (int d = 0; d < l->rank; d++)
		add_dim(c, n, d, l->parts[d], &cuts);
	int32_t parts[PIM_MAX_RANK];
	return pim_cuts_apply(c, n, &cuts, parts) ? cuts : (pim_cuts){.n = 0};
}

pim_cuts pim_cuts_for_units(const pim_cuts *cuts, int units)
{
	pim_cuts first = {.n = 0};
	int64_t pieces = 1;
	for (int k = 0; k < cuts->n && pieces < units; k++) {
		first.cut[first.n++] = cuts->cut[k];
		pieces *= cuts->cut[k].count;
	}
	return first;
}

/* The next class of the node with this axis' name that is not taken and can be cut so; false for
 * none. */
static bool find_class(const pim_classes *c, const pim_role *roles, const pim_node *n,
	const struct pim_branch_axis *axis, pim_cuts *cuts)
{
	for (int d = 0; d < n->type->rank; d++) {
		const pim_factor *f;
		int count = pim_classes_dim(c, n, d, &f);
		for (int k = 0; k < count; k++) {
			if (f[k].size < axis->count || find_cut(cuts, f[k].class) ||
				strcmp(pim_role_name(roles[f[k].class]), axis->name) != 0)
				continue;
			pim_cuts more = *cuts;
			more.cut[more.n++] = (pim_cut){f[k].class, axis->count};
			int32_t parts[PIM_MAX_RANK];
			if (pim_cuts_apply(c, n, &more, parts)) {
				*cuts = more;
				return true;
			}
		}
	}
	return false;
}

/* The cuts of a set, read off one member; false when the member does not have them. */
static bool find_set_cuts(const pim_classes *c, const pim_role *roles, const pim_node *n,
	const pim_branch_set *set, pim_cuts *cuts)
{
	cuts->n = 0;
	if (n->type->n_parts > 0 || set->n_axes > PIM_MAX_CUTS)
		return false;
	for (int k = 0; k < set->n_axes; k++)
		if (!find_class(c, roles, n, &set->axis[k], cuts))
			return false;
	return true;
}

int32_t (*pim_cuts_of_sets(pim_graph *g, const pim_classes *c, const pim_role *roles, int units,
	pim_arena *a))[PIM_MAX_RANK]
{
	int32_t(*base)[PIM_MAX_RANK] = pim_arena_alloc(a, sizeof *base * ((size_t)g->n_ids + 1));
	pim_cuts *cuts = PIM_NEW(a, pim_cuts, g->n_sets + 1);
	bool *known = PIM_NEW(a, bool, g->n_sets + 1);
	PIM_EACH_NODE(n, g)
	{
		int set = n->plan ? n->plan->set : -1;
		if (set < 0 || set >= g->n_sets || g->sets[set].n_axes == 0)
			continue;
		if (!known[set])
			known[set] = find_set_cuts(c, roles, n, &g->sets[set], &cuts[set]);
		pim_cuts first = pim_cuts_for_units(&cuts[set], units);
		if (known[set] && !pim_cuts_apply(c, n, &first, base[n->id]))
			memset(base[n->id], 0, sizeof base[n->id]);
	}
	return base;
}
