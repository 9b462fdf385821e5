/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_memory.c - what a unit holds of a plan.
 *
 * Constants are there from the beginning, of every group that the unit works for. Values come and
 * go: while a group runs there are those that it or a later one reads, and its own operands and
 * result. Groups in turn are what this is about, so a unit holds the average over the shares of the
 * machine; within its share, a group's slices are on the first units, whatever it leaves idle. A
 * constant that two groups read in the same cuts is there once. Cost: groups squared. Source: ours.
 */
#include "passes/mapper.h"

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
