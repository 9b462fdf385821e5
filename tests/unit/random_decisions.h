/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/random_decisions.h - random legal decisions for a program: layouts, nests, orders of
 * slices, units. Nothing here comes from a pass. */
#ifndef PIM_TESTS_UNIT_RANDOM_DECISIONS_H
#define PIM_TESTS_UNIT_RANDOM_DECISIONS_H

#include <string.h>

#include "tests/unit/random_programs.h"

static inline bool may_cut(const pim_node *n, const pim_axes *x, int d)
{
	const pim_index *index = &x->map[x->n_inputs][d];
	if (n->op == PIM_OP_input || n->op == PIM_OP_relayout)
		return true;
	for (uint32_t i = 0; i < n->n_in; i++)
		if (x->whole[i])
			return false;
	bool moves = pim_op_at(n->op)->flags & PIM_OPF_move;
	for (int t = 0; t < index->n; t++) {
		pim_axis_kind kind = x->axis[index->term[t].axis].kind;
		if (kind == PIM_AXIS_coupled || kind == PIM_AXIS_summed || (t > 0 && !moves))
			return false;
	}
	return index->n > 0;
}

static inline int64_t largest_summed(const pim_axes *x)
{
	int64_t largest = 1;
	for (int a = 0; a < x->n_axes; a++)
		if (x->axis[a].kind == PIM_AXIS_summed && x->axis[a].size > largest)
			largest = x->axis[a].size;
	return largest;
}

static inline int32_t draw_parts(int64_t size)
{
	int64_t most = size < 5 ? size : 5;
	return draw(2) || most < 1 ? 1 : 1 + draw((int)most);
}

static inline void decide_layout(pim_node *n, const pim_axes *x, bool sums, pim_arena *a)
{
	pim_layout *l = PIM_NEW(a, pim_layout, 1);
	*l = (pim_layout){.rank = n->type->rank, .sums = 1, .copies = draw(4) ? 1 : 1 + draw(3)};
	for (int d = 0; d < l->rank; d++) {
		l->parts[d] = may_cut(n, x, d) ? draw_parts(n->type->dims[d]) : 1;
		if (n->op == PIM_OP_conv && d == 1 && pim_node_int(n, "groups") > 1 &&
			x->map[x->n_inputs][1].n > 1)
			l->parts[d] = 1;
	}
	if (sums && largest_summed(x) > 1) {
		int64_t most = largest_summed(x) < 9 ? largest_summed(x) : 9;
		l->sums = draw(2) ? 2 : 2 + draw((int)most - 1);
		l->copies = 1;
	}
	pim_node_plan(n)->layout = l;
}

static inline void decide_nest(pim_node *n, const pim_axes *x, pim_arena *a)
{
	pim_nest *nest = PIM_NEW(a, pim_nest, 1);
	int64_t extent[PIM_MAX_AXES];
	pim_nest_extents(n, x, extent);
	nest->n_axes = x->n_axes;
	nest->tile = PIM_NEW(a, int64_t, x->n_axes);
	nest->loop = PIM_NEW(a, pim_loop, x->n_axes);
	for (int i = 0; i < x->n_axes; i++) {
		bool grouped = !strcmp(x->axis[i].name, "group");
		bool fixed = x->axis[i].kind == PIM_AXIS_coupled || grouped || draw(2);
		nest->tile[i] = fixed || extent[i] < 2 ? extent[i] : 1 + draw((int)extent[i]);
		int at = nest->n++;
		if (at > 0) {
			int other = draw(at + 1);
			nest->loop[at] = nest->loop[other];
			at = other;
		}
		nest->loop[at] = (pim_loop){
			.axis = i, .count = (int32_t)((extent[i] + nest->tile[i] - 1) / nest->tile[i])};
	}
	n->plan->nest = nest;
}

/* Half of the time: slices in any order. */
static inline void decide_order(pim_node *n, pim_arena *a)
{
	int64_t slices = pim_layout_slices(n->plan->layout);
	int32_t *slice = PIM_NEW(a, int32_t, slices);
	for (int i = 0; i < (int)slices; i++) {
		int other = draw(i + 1);
		slice[i] = slice[other];
		slice[other] = i;
	}
	if (draw(2))
		n->plan->order = pim_order_new(slices, slice, a);
}

static inline void decide_units(pim_node *n, int units, int64_t start, pim_arena *a)
{
	int64_t slices = pim_layout_slices(n->plan->layout);
	int most = slices < 12 ? (int)slices : 12;
	n->plan->start = start;
	n->plan->cycles = 1;
	n->plan->n_units = 1 + draw(most);
	n->plan->unit = PIM_NEW(a, int, n->plan->n_units);
	for (int i = 0, first = draw(units); i < n->plan->n_units; i++)
		n->plan->unit[i] = (first + i * 5) % units;
}

/* Units that hold a constant together; others fetch from them. */
static inline void share_constant(pim_node *n, int units, pim_arena *a)
{
	pim_layout *l = PIM_NEW(a, pim_layout, 1);
	*l = (pim_layout){.rank = n->type->rank, .sums = 1, .copies = 1 + draw(3)};
	for (int d = 0; d < l->rank; d++)
		l->parts[d] = draw_parts(n->type->dims[d]);
	pim_node_plan(n)->layout = l;
	decide_units(n, units, 0, a);
	n->plan->cycles = 0;
}

/* Partial sums are read by a relayout only. */
static inline void insert_relayouts(pim_graph *g)
{
	PIM_EACH_NODE(n, g)
	{
		if (!n->plan || !n->plan->layout || n->plan->layout->sums == 1)
			continue;
		pim_node *r = finish(pim_node_make(g, PIM_OP_relayout, 1, &n, n->next));
		pim_node_replace(n, r);
		r->in[0] = n;
	}
}

static inline void decide(pim_graph *g, const pim_target *t, pim_arena *a)
{
	PIM_EACH_NODE(n, g)
	{
		if (n->op != PIM_OP_constant)
			decide_layout(n, pim_axes_new(n, a), draw(3) == 0, a);
	}
	insert_relayouts(g);
	int64_t start = 0;
	PIM_EACH_NODE(n, g)
	{
		if (n->op == PIM_OP_constant) {
			if (draw(2))
				share_constant(n, t->units, a);
			continue;
		}
		const pim_axes *x = pim_axes_new(n, a);
		if (!n->plan || !n->plan->layout)
			decide_layout(n, x, false, a);
		decide_nest(n, x, a);
		decide_order(n, a);
		decide_units(n, t->units, start++, a);
	}
}

/* Ops begin one after the other and all run for a long time: what reads another begins before that
 * has ended. */
static inline void let_overlap(pim_graph *g)
{
	int64_t start = 0;
	PIM_EACH_NODE(n, g)
	if (n->plan && n->op != PIM_OP_input && n->op != PIM_OP_constant) {
		start += !n->plan->fused;
		n->plan->start = start;
		n->plan->cycles = 100000 - start;
	}
}

#endif
