/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_memory.c - what a unit holds of a group, and of a plan.
 *
 * Constants are there from the beginning, of every group that the unit works for. Values come and
 * go: while a group runs there are those that it or a later one reads, and its own operands and
 * result. Groups in turn are what this is about, so a unit holds the average over the shares of the
 * machine; within its share, a group's slices are on the first units, whatever it leaves idle. A
 * constant that two groups read in the same cuts is there once. Cost: groups squared. Source: ours.
 */
#include <math.h>

#include "passes/mapper.h"

/* ---- of a group ---- */

void pim_mapper_follower_extents(
	const pim_mapper_group *g, int f, const int64_t *tile, int64_t *extent)
{
	const pim_axes *x = g->follower_axes[f];
	pim_box axes = {.n = g->axes->n_axes}, result, own;
	for (int a = 0; a < axes.n; a++)
		axes.hi[a] = tile[a];
	pim_axes_result(g->axes, g->leader->type->rank, &axes, &result);
	pim_axes_cover(x, &result, &own);
	for (int a = 0; a < x->n_axes; a++)
		extent[a] = own.hi[a] - own.lo[a];
}

/* Constants that op n of the group reads, what it reads of other groups, and its result where that
 * is stored, for ranges `extent` of its axes. */
static void add_op(const pim_mapper *m, const pim_mapper_group *g, const pim_node *n,
	const pim_axes *x, const int64_t *extent, pim_mapper_held *h)
{
	int group = (int)(g - m->group);
	for (int i = 0; i < (int)n->n_in; i++) {
		if (!n->in[i] || m->group_of[n->in[i]->id] == group)
			continue;
		double bytes = (double)pim_nest_operand_bytes(n, x, i, extent);
		*(n->in[i]->op == PIM_OP_constant ? &h->constants : &h->values) += bytes;
	}
	if (m->stored[n->id])
		h->values += (double)pim_nest_operand_bytes(n, x, (int)n->n_in, extent);
}

/* What lies on the group's units beside it: its input, if that is the network's, and what only
 * moves its result. */
static double kept_bytes(const pim_mapper *m, const pim_mapper_group *g, const pim_layout *l)
{
	double bytes = 0;
	for (int k = 0; k < g->n_kept; k++) {
		pim_layout own = pim_mapper_layout_of(m, g->leader, l, g->kept[k]);
		bytes += (double)pim_type_bytes(g->kept[k]->type) / (double)pim_layout_slices(&own);
	}
	return bytes;
}

pim_mapper_held pim_mapper_held_of(
	const pim_mapper *m, const pim_mapper_group *g, const pim_layout *l, const int64_t *extent)
{
	pim_mapper_held h = {.values = kept_bytes(m, g, l)};
	add_op(m, g, g->leader, g->axes, extent, &h);
	for (int f = 0; f < g->n_followers; f++) {
		int64_t own[PIM_MAX_AXES];
		pim_mapper_follower_extents(g, f, extent, own);
		add_op(m, g, g->follower[f], g->follower_axes[f], own, &h);
	}
	return h;
}

pim_mapper_held pim_mapper_more_inputs(
	const pim_mapper_group *g, const int64_t *before, const int64_t *now, int64_t waves)
{
	const pim_node *n = g->leader;
	pim_mapper_held more = {0, 0};
	for (int i = 0; i < (int)n->n_in; i++) {
		if (!n->in[i])
			continue;
		int64_t piece = pim_nest_operand_bytes(n, g->axes, i, now),
				all = pim_type_bytes(n->in[i]->type),
				old = pim_nest_operand_bytes(n, g->axes, i, before);
		double *to = n->in[i]->op == PIM_OP_constant ? &more.constants : &more.values;
		*to += (double)(pim_min(waves * piece, all) - old);
	}
	return (pim_mapper_held){fmax(more.constants, 0), fmax(more.values, 0)};
}

/* ---- of a plan ---- */

static double values_of(const pim_mapper *m, int i)
{
	const pim_mapper_group *g = &m->group[i];
	double bytes = m->stored[g->leader->id] ? (double)pim_type_bytes(g->leader->type) : 0;
	for (int f = 0; f < g->n_followers; f++)
		if (m->stored[g->follower[f]->id])
			bytes += (double)pim_type_bytes(g->follower[f]->type);
	return bytes;
}

static bool same_constants(const pim_mapper_group *a, const pim_mapper_group *b)
{
	bool same = a->leader->n_in == b->leader->n_in;
	for (uint32_t i = 0; same && i < a->leader->n_in; i++) {
		const pim_node *x = a->leader->in[i], *y = b->leader->in[i];
		same = x == y || (x && y && x->op != PIM_OP_constant && y->op != PIM_OP_constant);
	}
	return same;
}

/* Does a group before i hold the same? */
static bool is_shared(const pim_mapper *m, const pim_mapper_plan *p, int i)
{
	for (int k = 0; k < i; k++)
		if (p->choice[k] == p->choice[i] && same_constants(&m->group[k], &m->group[i]))
			return true;
	return false;
}

static double on_a_unit(const pim_mapper *m, const pim_mapper_choice *c, int64_t bytes)
{
	return (double)bytes * c->share / m->units;
}

int64_t pim_mapper_mean_constants(const pim_mapper *m, const pim_mapper_choice *c)
{
	return (int64_t)on_a_unit(m, c, c->constants);
}

static double constants_of(
	const pim_mapper *m, const pim_mapper_plan *p, const bool *closed, int *largest)
{
	double sum = 0, most = 0;
	*largest = -1;
	for (int i = 0; i < m->n; i++) {
		if (is_shared(m, p, i))
			continue;
		double bytes = on_a_unit(m, p->choice[i], p->choice[i]->constants);
		sum += bytes;
		if (closed[i] || bytes <= most)
			continue;
		most = bytes;
		*largest = i;
	}
	return sum;
}

int64_t pim_mapper_plan_bytes(
	const pim_mapper *m, const pim_mapper_plan *p, const bool *closed, int *largest)
{
	pim_arena *a = pim_arena_new();
	int *last = PIM_NEW(a, int, m->n + 1);
	for (int i = 0; i < m->n; i++)
		for (int e = 0; e < m->group[i].n_edges; e++)
			last[m->group[i].edge[e].from] = i;
	double most = 0;
	for (int i = 0; i < m->n; i++) {
		const pim_mapper_choice *c = p->choice[i];
		double now = on_a_unit(m, c, c->bytes - c->constants);
		for (int k = 0; k < i; k++)
			now += last[k] >= i ? values_of(m, k) / m->units : 0;
		most = now > most ? now : most;
	}
	pim_arena_free(a);
	return (int64_t)(most + constants_of(m, p, closed, largest));
}
