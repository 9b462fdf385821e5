/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_moves.c - how what only moves between groups is cut.
 *
 * Groups have their layouts; a reshape or transpose between two of them may be cut as its producer
 * is, as one of its readers is, or otherwise (layout_states.c): what it reads and what is read of
 * it cost messages and copies (estimate.c), and of all these the sum is to be least. One after the
 * other takes the best of its layouts while the others stay, forth and back until none changes or
 * MOST_ROUNDS times, from two beginnings: all as their producers are cut, and all as their readers.
 * Cost: moves, times layouts, times rounds. Source: ours. */
#include "passes/mapper.h"

#include <string.h>

enum { MOST_ROUNDS = 6 };

/* A node that only moves, and who reads it. */
typedef struct mover {
	pim_node *node;
	int n_readers, room;
	struct reading {
		pim_node *node;
		int input;
	} * reader;
	int n_states;
	pim_layout *state;
} mover;

typedef struct settling {
	pim_mapper *m;
	pim_arena *arena;
	int n;
	mover *move;
	int *of; /* by node id: which of them; -1: none */
} settling;

static bool is_leaf(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
}

static void note_readers(settling *s, pim_node *n)
{
	for (int i = 0; i < (int)n->n_in; i++) {
		if (!n->in[i] || s->of[n->in[i]->id] < 0)
			continue;
		mover *p = &s->move[s->of[n->in[i]->id]];
		p->reader = pim_arena_grow(s->arena, p->reader, p->n_readers, &p->room, sizeof *p->reader);
		p->reader[p->n_readers++] = (struct reading){n, i};
	}
}

static settling list_moves(pim_mapper *m, pim_graph *g, pim_arena *a)
{
	settling s = {.m = m, .arena = a};
	s.of = PIM_NEW(a, int, g->n_ids);
	s.move = PIM_NEW(a, mover, g->n_ids);
	PIM_EACH_NODE(n, g)
	{
		s.of[n->id] = -1;
		if (!is_leaf(n) && m->group_of[n->id] < 0 && !n->type->n_parts) {
			s.of[n->id] = s.n;
			s.move[s.n++] = (mover){.node = n};
		}
		note_readers(&s, n);
	}
	return s;
}

/* ---- what a layout costs ---- */

static double edge_cycles(const settling *s, const pim_node *reader, int input)
{
	const pim_node *from = reader->in[input];
	if (!from || !from->plan || !from->plan->layout || from->op == PIM_OP_constant)
		return 0;
	int units = from->plan->n_units;
	bool same = units == reader->plan->n_units &&
				(units == s->m->units || (s->of[reader->id] >= 0 && pim_node_ridden(reader)));
	pim_arena *scratch = pim_arena_new();
	pim_estimate e = pim_input_estimate(
		s->m->target, reader, input, same ? PIM_CREWS_same : PIM_CREWS_apart, scratch);
	pim_arena_free(scratch);
	return (double)(e.incoming + e.compute) * (double)e.waves;
}

static double cycles_around(const settling *s, const mover *p)
{
	double sum = 0;
	for (int i = 0; i < (int)p->node->n_in; i++)
		sum += edge_cycles(s, p->node, i);
	for (int i = 0; i < p->n_readers; i++)
		sum += edge_cycles(s, p->reader[i].node, p->reader[i].input);
	return sum;
}

/* Each edge once: what moves read, and what groups read of moves. */
static double cycles_of_all(const settling *s)
{
	double sum = 0;
	for (int k = 0; k < s->n; k++) {
		const mover *p = &s->move[k];
		for (int i = 0; i < (int)p->node->n_in; i++)
			sum += edge_cycles(s, p->node, i);
		for (int i = 0; i < p->n_readers; i++)
			if (s->of[p->reader[i].node->id] < 0)
				sum += edge_cycles(s, p->reader[i].node, p->reader[i].input);
	}
	return sum;
}

/* ---- the search ---- */

static void list_states(settling *s, mover *p)
{
	const pim_states *all = pim_states_new(p->node, s->m->target, NULL,
		p->node->plan->layout->parts, p->node->plan->n_units, NULL, s->arena);
	p->state = PIM_NEW(s->arena, pim_layout, all->n);
	for (int i = 0; i < all->n; i++) {
		const pim_layout *l = &all->state[i].layout;
		if (l->sums == 1 && l->copies == 1)
			p->state[p->n_states++] = *l;
	}
}

static bool try_layout(const settling *s, const mover *p, const pim_layout *l, double *least)
{
	pim_layout before = *p->node->plan->layout;
	if (pim_layout_equal(&before, l))
		return false;
	*p->node->plan->layout = *l;
	double cycles = cycles_around(s, p);
	if (cycles < *least) {
		*least = cycles;
		return true;
	}
	*p->node->plan->layout = before;
	return false;
}

/* As its neighbours are cut now, and all others. */
static bool improve(const settling *s, const mover *p)
{
	bool changed = false;
	double least = cycles_around(s, p);
	for (int i = 0; i < (int)p->node->n_in; i++) {
		const pim_node *from = p->node->in[i];
		if (!from || is_leaf(from) || from->type->n_parts)
			continue;
		pim_layout l = pim_mapper_layout_of(s->m, from, from->plan->layout, p->node);
		changed |= try_layout(s, p, &l, &least);
	}
	for (int i = 0; i < p->n_readers; i++) {
		const pim_node *reader = p->reader[i].node;
		pim_layout l = pim_mapper_layout_of(s->m, reader, reader->plan->layout, p->node);
		changed |= try_layout(s, p, &l, &least);
	}
	for (int i = 0; i < p->n_states; i++)
		changed |= try_layout(s, p, &p->state[i], &least);
	return changed;
}

static double settle(const settling *s)
{
	bool changed = true;
	for (int round = 0; round < MOST_ROUNDS && changed; round++) {
		changed = false;
		for (int k = 0; k < s->n; k++)
			changed |= improve(s, &s->move[round % 2 ? s->n - 1 - k : k]);
	}
	return cycles_of_all(s);
}

static void cut_as_readers(const settling *s)
{
	for (int k = s->n - 1; k >= 0; k--) {
		const mover *p = &s->move[k];
		if (!p->n_readers)
			continue;
		const pim_node *reader = p->reader[0].node;
		pim_layout l = pim_mapper_layout_of(s->m, reader, reader->plan->layout, p->node);
		*p->node->plan->layout = l;
	}
}

void pim_mapper_settle_moves(pim_mapper *m, pim_graph *g)
{
	pim_arena *a = pim_arena_new();
	settling s = list_moves(m, g, a);
	pim_layout *first = PIM_NEW(a, pim_layout, s.n + 1);
	for (int k = 0; k < s.n; k++) {
		first[k] = *s.move[k].node->plan->layout;
		list_states(&s, &s.move[k]);
	}
	cut_as_readers(&s);
	double readers = settle(&s);
	for (int k = 0; k < s.n; k++) {
		pim_layout l = *s.move[k].node->plan->layout;
		*s.move[k].node->plan->layout = first[k];
		first[k] = l;
	}
	if (settle(&s) > readers)
		for (int k = 0; k < s.n; k++)
			*s.move[k].node->plan->layout = first[k];
	pim_arena_free(a);
}
