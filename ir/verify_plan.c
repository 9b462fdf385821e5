/* SPDX-License-Identifier: Apache-2.0 */
/* verify_plan - one function for each kind of decision: SPLIT, LAID_OUT, MAPPED, SCHEDULED, PLACED.
 *
 * Numbers of units are checked when the machine is known (g->limits). Leaves are there before the
 * program runs: they have no nest, and constants need no layout. An op may overlap with the ones
 * that make its inputs, but neither starts nor ends before them; ops that run at the same time
 * never share a unit. */
#include <stdlib.h>
#include <string.h>

#include "ir/fusion.h"

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

static bool check_set(pim_graph *g, const pim_branch_set *s, int index, int64_t *branches)
{
	pim_context *c = g->module->context;
	bool ok = true;
	*branches = 1;
	if (!s->name || s->n_axes < 0 || s->n_axes > PIM_MAX_BRANCH_AXES)
		return pim_error(c, g->loc, "branch set %d has no name, or %d axes (0 to %d)", index,
			s->n_axes, PIM_MAX_BRANCH_AXES);
	for (int i = 0; i < index; i++)
		if (g->sets[i].name && !strcmp(g->sets[i].name, s->name))
			ok = pim_error(c, g->loc, "two branch sets are called @%s", s->name);
	if (s->degree < 1)
		ok = pim_error(
			c, g->loc, "branch set @%s has degree %d, expected 1 or more", s->name, (int)s->degree);
	for (int a = 0; a < s->n_axes; a++)
		if (s->axis[a].count < 1 || !pim_mul(*branches, s->axis[a].count, branches))
			return pim_error(c, g->loc, "branch set @%s: axis %s has count %lld", s->name,
				s->axis[a].name, (long long)s->axis[a].count);
	return ok;
}

/* How often the op can be cut into slices that do not need each other. */
static int64_t count_free(const pim_node *n, pim_arena *scratch)
{
	const pim_axes *x = pim_axes_new(n, scratch);
	int64_t size = 1;
	for (int a = 0; a < x->n_axes; a++)
		if ((x->axis[a].kind == PIM_AXIS_free || x->axis[a].kind == PIM_AXIS_windowed) &&
			!pim_mul(size, x->axis[a].size, &size))
			return INT64_MAX;
	return size;
}

bool pim_verify_split(pim_graph *g)
{
	pim_arena *scratch = pim_arena_new();
	int64_t *branches = PIM_NEW(scratch, int64_t, g->n_sets + 1);
	int *members = PIM_NEW(scratch, int, g->n_sets + 1);
	bool ok = true;
	for (int i = 0; i < g->n_sets; i++)
		ok = check_set(g, &g->sets[i], i, &branches[i]) && ok;
	PIM_EACH_NODE(n, g)
	{
		int set = n->plan ? n->plan->set : -1;
		if (set < -1 || set >= g->n_sets) {
			ok = pim_node_error(n, "is in branch set %d of %d", set, g->n_sets);
			continue;
		}
		if (set < 0)
			continue;
		pim_arena *one = pim_arena_new();
		int64_t most = n->type->n_parts || is_leaf(n) ? branches[set] : count_free(n, one);
		pim_arena_free(one);
		members[set]++;
		if (most < branches[set])
			ok = pim_node_error(n,
				"is in branch set @%s of %lld branches, but its free axes allow %lld",
				g->sets[set].name, (long long)branches[set], (long long)most);
	}
	for (int i = 0; i < g->n_sets; i++)
		if (!members[i])
			ok = pim_error(
				g->module->context, g->loc, "branch set @%s has no members", g->sets[i].name);
	pim_arena_free(scratch);
	return ok;
}

static int64_t largest_summed(const pim_node *n)
{
	pim_arena *scratch = pim_arena_new();
	const pim_axes *x = pim_axes_new(n, scratch);
	int64_t size = 0;
	for (int a = 0; a < x->n_axes; a++)
		if (x->axis[a].kind == PIM_AXIS_summed && x->axis[a].size > size)
			size = x->axis[a].size;
	pim_arena_free(scratch);
	return size;
}

/* Can each piece of a dimension be made alone? The axes that cover it may make more: all of a
 * coupled axis, or a hull of groups that it is not whole. */
static bool makes_pieces(const pim_node *n, const pim_axes *x, int d)
{
	int64_t size = n->type->dims[d], parts = n->plan->layout->parts[d];
	pim_box piece = {.n = n->type->rank}, axes, made;
	for (int i = 0; i < piece.n; i++)
		piece.hi[i] = n->type->dims[i];
	for (int64_t i = 0; i < parts; i++) {
		piece.lo[d] = i * size / parts;
		piece.hi[d] = (i + 1) * size / parts;
		pim_axes_cover(x, &piece, &axes);
		pim_axes_result(x, piece.n, &axes, &made);
		if (!pim_box_empty(&piece) && (made.lo[d] < piece.lo[d] || made.hi[d] > piece.hi[d]))
			return false;
	}
	return true;
}

/* The first dimension whose cut parts elements that need each other, -1 for none. Ops that only
 * move elements fetch what each piece needs, whatever the cut. */
static int find_wrong_cut(const pim_node *n)
{
	if (is_leaf(n) || n->type->n_parts || pim_op_at((pim_op)n->op)->flags & PIM_OPF_move)
		return -1;
	pim_arena *scratch = pim_arena_new();
	const pim_axes *x = pim_axes_new(n, scratch);
	int found = -1;
	for (int d = 0; d < n->type->rank && found < 0; d++)
		if (n->plan->layout->parts[d] > 1 && !makes_pieces(n, x, d))
			found = d;
	pim_arena_free(scratch);
	return found;
}

static bool check_layout(const pim_node *n)
{
	const pim_layout *l = n->plan->layout;
	bool ok = true;
	if (l->rank != n->type->rank)
		return pim_node_error(
			n, "its layout has %d dimensions, its type %d", l->rank, n->type->rank);
	for (int d = 0; d < l->rank; d++) {
		int64_t size = n->type->dims[d];
		if (l->parts[d] < 1 || l->parts[d] > (size ? size : 1))
			ok = pim_node_error(n, "dimension %d of size %lld is cut into %d parts", d,
				(long long)size, (int)l->parts[d]);
	}
	if (l->sums < 1 || l->copies < 1)
		return pim_node_error(n, "its layout has %d partial sums and %d copies, expected 1 or more",
			(int)l->sums, (int)l->copies);
	if (l->sums > 1 && l->sums > largest_summed(n))
		ok = pim_node_error(n, "has %d partial sums, but its largest summed axis has size %lld",
			(int)l->sums, (long long)largest_summed(n));
	int wrong = ok ? find_wrong_cut(n) : -1;
	if (wrong >= 0)
		ok = pim_node_error(n,
			"dimension %d is cut into %d parts, across elements that need each other: expected 1",
			wrong, (int)l->parts[wrong]);
	return ok && (pim_layout_slices(l) < INT32_MAX ||
					 pim_node_error(n, "its layout has too many slices"));
}

static int sums_of(const pim_node *n)
{
	return n && n->plan && n->plan->layout ? (int)n->plan->layout->sums : 1;
}

bool pim_verify_laid_out(pim_graph *g)
{
	bool ok = true;
	PIM_EACH_NODE(n, g)
	{
		const pim_layout *l = n->plan ? n->plan->layout : NULL;
		if (n->op == PIM_OP_constant && !l)
			continue;
		ok = (l ? check_layout(n) : pim_node_error(n, "has no layout")) && ok;
		for (uint32_t i = 0; i < n->n_in; i++)
			if (sums_of(n->in[i]) > 1 && n->op != PIM_OP_relayout)
				ok =
					pim_node_error(n, "input %u is in %d partial sums, which only relayout adds up",
						i, sums_of(n->in[i]));
	}
	for (int i = 0; i < g->n_results; i++)
		if (sums_of(g->results[i]) > 1)
			ok = pim_node_error(
				g->results[i], "is a result in %d partial sums", sums_of(g->results[i]));
	return ok;
}

static bool check_loops(const pim_node *n, const pim_axes *x, int64_t *cover)
{
	const pim_nest *nest = n->plan->nest;
	bool temporal = false, ok = true;
	for (int i = 0; i < nest->n; i++) {
		const pim_loop *l = &nest->loop[i];
		if (l->axis < 0 || l->axis >= x->n_axes || l->count < 1)
			return pim_node_error(n, "loop %d runs %d times over axis %d of %d", i, (int)l->count,
				l->axis, x->n_axes);
		if (l->spatial && temporal)
			ok = pim_node_error(n, "loop %d is spatial, but stands inside a temporal one", i);
		temporal |= !l->spatial;
		if (!l->spatial && !pim_mul(cover[l->axis], l->count, &cover[l->axis]))
			cover[l->axis] = INT64_MAX;
	}
	return ok;
}

static bool check_order(const pim_node *n)
{
	const pim_order *o = n->plan->order;
	int64_t slices = n->plan->layout ? pim_layout_slices(n->plan->layout) : 1;
	if (!o)
		return true;
	if (o->n != slices)
		return pim_node_error(
			n, "its order has %lld positions for %lld slices", (long long)o->n, (long long)slices);
	return pim_order_is_permutation(o) ||
		   pim_node_error(
			   n, "its order does not name each of its %lld slices once", (long long)slices);
}

static bool check_nest(const pim_node *n, const pim_axes *x)
{
	const pim_nest *nest = n->plan->nest;
	int64_t cover[PIM_MAX_AXES], extent[PIM_MAX_AXES];
	bool ok = true;
	if (nest->n_axes != x->n_axes)
		return pim_node_error(n, "its nest has %d axes, the op %d", nest->n_axes, x->n_axes);
	pim_nest_extents(n, x, extent);
	for (int a = 0; a < x->n_axes; a++) {
		cover[a] = nest->tile[a];
		if (nest->tile[a] < 1 && extent[a] > 0)
			ok = pim_node_error(
				n, "the tile of axis %s is %lld", x->axis[a].name, (long long)nest->tile[a]);
	}
	if (!check_loops(n, x, cover))
		return false;
	for (int a = 0; a < x->n_axes; a++)
		if (cover[a] < extent[a])
			ok = pim_node_error(n, "its loops cover %lld of axis %s, a slice has %lld",
				(long long)cover[a], x->axis[a].name, (long long)extent[a]);
	return ok && (nest->cycles >= 0 ||
					 pim_node_error(n, "its nest takes %lld cycles", (long long)nest->cycles));
}

bool pim_verify_mapped(pim_graph *g)
{
	bool ok = true;
	PIM_EACH_NODE(n, g)
	{
		if (is_leaf(n)) {
			ok = (!n->plan || check_order(n)) && ok;
			continue;
		}
		pim_arena *scratch = pim_arena_new();
		if (!n->plan || !n->plan->nest)
			ok = pim_node_error(n, "has no loop nest");
		else
			ok = check_nest(n, pim_axes_new(n, scratch)) && check_order(n) && ok;
		pim_arena_free(scratch);
	}
	return ok && pim_verify_fusions(g);
}

static bool check_times(const pim_node *n, int most)
{
	const pim_plan *p = n->plan;
	int64_t end;
	bool ok = true;
	if (!p || p->n_units < 1)
		return pim_node_error(n, "is not scheduled");
	if (p->start < 0 || p->cycles < 0 || !pim_add(p->start, p->cycles, &end))
		return pim_node_error(
			n, "starts at %lld and takes %lld cycles", (long long)p->start, (long long)p->cycles);
	if (most && p->n_units > most)
		ok = pim_node_error(n, "needs %d units, the machine has %d", p->n_units, most);
	const pim_plan *first = pim_fusion_first(n)->plan;
	if (p->start != first->start || p->cycles != first->cycles || p->n_units != first->n_units)
		ok = pim_node_error(n,
			"runs from %lld to %lld on %d units, the first op of its group from %lld to %lld on %d",
			(long long)p->start, (long long)end, p->n_units, (long long)first->start,
			(long long)(first->start + first->cycles), first->n_units);
	for (uint32_t i = 0; i < n->n_in; i++) {
		const pim_plan *q = n->in[i] && !is_leaf(n->in[i]) ? n->in[i]->plan : NULL;
		if (q && (p->start < q->start || end < q->start + q->cycles))
			ok = pim_node_error(n, "runs from %lld to %lld, its input %u from %lld to %lld",
				(long long)p->start, (long long)end, i, (long long)q->start,
				(long long)(q->start + q->cycles));
	}
	return ok;
}

/* A unit count that changes at a time; ends stand before beginnings. */
typedef struct event {
	int64_t time;
	int change;
	const pim_node *node;
} event;

static int by_time(const void *a, const void *b)
{
	const event *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->change != y->change)
		return x->change < y->change ? -1 : 1;
	return x->node->id < y->node->id ? -1 : x->node->id > y->node->id;
}

static bool runs(const pim_node *n)
{
	return !is_leaf(n) && n->plan && n->plan->n_units > 0 && n->plan->cycles > 0 &&
		   !pim_node_ridden(n);
}

static event *list_events(pim_graph *g, pim_arena *scratch, int *count)
{
	event *e = PIM_NEW(scratch, event, 2 * (size_t)g->n_ids + 1);
	*count = 0;
	PIM_EACH_NODE(n, g)
	if (runs(n)) {
		e[(*count)++] = (event){n->plan->start, n->plan->n_units, n};
		e[(*count)++] = (event){n->plan->start + n->plan->cycles, -n->plan->n_units, n};
	}
	if (*count)
		qsort(e, (size_t)*count, sizeof *e, by_time);
	return e;
}

static bool check_unit_counts(pim_graph *g)
{
	pim_arena *scratch = pim_arena_new();
	int count;
	int64_t used = 0;
	bool ok = true;
	event *e = list_events(g, scratch, &count);
	for (int i = 0; i < count; i++) {
		used += e[i].change;
		if (e[i].change > 0 && used > g->limits.units)
			ok = pim_node_error(e[i].node, "at cycle %lld %lld units run, the machine has %d",
				(long long)e[i].time, (long long)used, g->limits.units);
	}
	pim_arena_free(scratch);
	return ok;
}

bool pim_verify_scheduled(pim_graph *g)
{
	bool ok = true;
	PIM_EACH_NODE(n, g)
	if (!is_leaf(n))
		ok = check_times(n, g->limits.units) && ok;
	return (!ok || !g->limits.units || check_unit_counts(g)) && ok;
}

static bool check_units(const pim_node *n, int64_t limit)
{
	const pim_plan *p = n->plan;
	bool ok = true;
	if (!p || !p->unit || p->n_units < 1)
		return pim_node_error(n, "is not placed");
	for (int i = 0; i < p->n_units; i++)
		if (p->unit[i] < 0 || p->unit[i] >= limit)
			ok = pim_node_error(
				n, "is placed on unit %d, the machine has %lld", p->unit[i], (long long)limit);
	return ok;
}

static int64_t largest_unit(pim_graph *g)
{
	int64_t most = g->limits.units;
	PIM_EACH_NODE(n, g)
	for (int i = 0; !g->limits.units && n->plan && n->plan->unit && i < n->plan->n_units; i++)
		if (n->plan->unit[i] >= most)
			most = (int64_t)n->plan->unit[i] + 1;
	return most;
}

static bool check_exclusive(pim_graph *g, int64_t units)
{
	pim_arena *scratch = pim_arena_new();
	const pim_node **on = PIM_NEW(scratch, const pim_node *, units);
	int count;
	bool ok = true;
	event *e = list_events(g, scratch, &count);
	for (int k = 0; k < count; k++) {
		const pim_node *n = e[k].node, *other = NULL;
		for (int i = 0; i < n->plan->n_units; i++) {
			int unit = n->plan->unit[i];
			if (e[k].change > 0 && on[unit] && !other) {
				other = on[unit];
				ok = pim_node_error(n, "runs on unit %d at cycle %lld, as %s does", unit,
					(long long)e[k].time,
					other == n ? "another slice of it" : pim_node_label(other, scratch));
			}
			on[unit] = e[k].change > 0 ? n : on[unit] == n ? NULL : on[unit];
		}
	}
	pim_arena_free(scratch);
	return ok;
}

/* What rides on an op is where that is. */
static bool check_ridden(const pim_node *n)
{
	const pim_node *on = pim_node_ridden(n);
	for (int i = 0; on && on->plan->unit && i < n->plan->n_units; i++)
		if (n->plan->unit[i] != on->plan->unit[i])
			return pim_node_error(n,
				"runs tile by tile with an input on unit %d, but is placed on unit %d",
				on->plan->unit[i], n->plan->unit[i]);
	return true;
}

bool pim_verify_placed(pim_graph *g)
{
	int64_t units = largest_unit(g);
	bool ok = true;
	PIM_EACH_NODE(n, g)
	if (n->op != PIM_OP_constant || (n->plan && n->plan->layout))
		ok = check_units(n, units) && check_ridden(n) && ok;
	return ok && check_exclusive(g, units);
}
