/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_known.c - what two choices that meet at an edge make of each other, found once.
 *
 * Layers repeat, and beams come back to choices that they have looked at before. Edges of one kind
 * read equal ops through equal moves into equal ops, so what was found for two choices at one of
 * them holds at all of them: steps to wait for, lanes, demands, and, by layouts alone, messages.
 * Cost: a look into a table. Memory: all is forgotten between two groups when it is more than
 * a search allows (PIM_MOST_KNOWN). Source: ours. */
#include "passes/mapper.h"

#include <string.h>

struct pim_mapper_known {
	pim_arena *arena;
	pim_map *ready, *lanes, *demand, *move;
};

static void start_tables(pim_mapper_known *k)
{
	k->arena = pim_arena_new();
	k->ready = pim_map_new(k->arena);
	k->lanes = pim_map_new(k->arena);
	k->demand = pim_map_new(k->arena);
	k->move = pim_map_new(k->arena);
}

static void free_tables(void *known)
{
	pim_arena_free(((pim_mapper_known *)known)->arena);
}

/* ---- kinds of edges ---- */

static void describe(
	const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_edge *e, pim_text *t)
{
	const pim_mapper_group *from = &m->group[e->from];
	pim_op_key(t, from->leader);
	pim_op_key(t, g->leader);
	pim_op_key(t, e->reader);
	pim_text_printf(
		t, "%d %d %d %d %d", e->reader == g->leader, e->input, e->whole, e->n_way, e->shared);
	for (int k = 0; k < e->n_way; k++) {
		pim_op_key(t, e->way[k]);
		pim_text_printf(t, " %d", e->way_input[k]);
	}
	for (int d = 0; d < PIM_MAX_RANK; d++)
		pim_text_printf(t, " %u", e->by_dim[d]);
}

static void number_kinds(pim_mapper *m, pim_arena *scratch)
{
	pim_map *seen = pim_map_new(scratch);
	int kinds = 0;
	for (int i = 0; i < m->n; i++)
		for (int k = 0; k < m->group[i].n_edges; k++) {
			pim_mapper_edge *e = &m->group[i].edge[k];
			pim_text t = {.n = 0};
			describe(m, &m->group[i], e, &t);
			int *kind = pim_map_get(seen, t.s, t.n);
			if (!kind) {
				kind = PIM_NEW(scratch, int, 1);
				*kind = kinds++;
				pim_map_put(seen, t.s, t.n, kind);
			}
			e->kind = *kind;
			pim_text_free(&t);
		}
}

void pim_mapper_know(pim_mapper *m)
{
	pim_arena *scratch = pim_arena_new();
	m->known = PIM_NEW(m->arena, pim_mapper_known, 1);
	start_tables(m->known);
	pim_arena_defer(m->arena, free_tables, m->known);
	number_kinds(m, scratch);
	pim_arena_free(scratch);
}

void pim_mapper_forget(const pim_mapper *m, size_t most)
{
	if (pim_arena_bytes(m->known->arena) <= most)
		return;
	pim_arena_free(m->known->arena);
	start_tables(m->known);
}

/* ---- by choices ---- */

typedef struct meeting {
	int64_t kind;
	const void *reader, *producer;
} meeting;

int32_t *pim_mapper_known_ready(const pim_mapper *m, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_choice *p, bool *fresh)
{
	meeting key = {e->kind, c, p};
	int32_t *ready = pim_map_get(m->known->ready, &key, sizeof key);
	*fresh = !ready;
	if (*fresh) {
		ready = pim_arena_raw(m->known->arena, sizeof *ready * (size_t)c->steps);
		pim_map_put(m->known->ready, &key, sizeof key, ready);
	}
	return ready;
}

typedef struct lane_key {
	int64_t kind;
	const void *reader;
	pim_layout held;
} lane_key;

pim_mapper_lanes *pim_mapper_known_lanes(const pim_mapper *m, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_choice *p, bool *fresh)
{
	lane_key key;
	memset(&key, 0, sizeof key);
	key.kind = e->kind;
	key.reader = c;
	key.held = pim_mapper_layout_of(m, m->group[e->from].leader, &p->layout, pim_mapper_made(e));
	pim_mapper_lanes *lanes = pim_map_get(m->known->lanes, &key, sizeof key);
	*fresh = !lanes;
	if (*fresh) {
		size_t bytes = sizeof *lanes->steps * (size_t)c->steps;
		lanes = PIM_NEW(m->known->arena, pim_mapper_lanes, 1);
		lanes->of_step = pim_arena_raw(m->known->arena, bytes);
		lanes->steps = pim_arena_raw(m->known->arena, bytes);
		pim_map_put(m->known->lanes, &key, sizeof key, lanes);
	}
	return lanes;
}

const pim_mapper_demand *pim_mapper_known_demand(const pim_mapper *m, const pim_mapper_group *g,
	const pim_mapper_edge *e, const pim_mapper_choice *c)
{
	meeting key = {e->kind, c, NULL};
	const pim_mapper_demand **demand = pim_map_get(m->known->demand, &key, sizeof key);
	if (!demand) {
		demand = PIM_NEW(m->known->arena, const pim_mapper_demand *, 1);
		*demand = pim_mapper_demand_of(g, e, &m->group[e->from], c, m->known->arena);
		pim_map_put(m->known->demand, &key, sizeof key, demand);
	}
	return *demand;
}

/* ---- by layouts ---- */

enum { MOST_LAYOUTS = 32 };
typedef struct move_key {
	int64_t kind, units, from_units, turned;
	pim_layout cut, from, held[MOST_LAYOUTS]; /* held: of what moves, by either side */
} move_key;

pim_mapper_move pim_mapper_known_move(const pim_mapper *m, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_choice *p)
{
	const pim_mapper_group *from = &m->group[e->from];
	move_key key;
	int n = 0;
	if (2 * e->n_way >= MOST_LAYOUTS)
		return pim_mapper_move_of(m, e, c, from, p);
	memset(&key, 0, sizeof key);
	key.kind = e->kind;
	key.units = c->units;
	key.from_units = p->units;
	key.turned = c->turn || p->turn;
	key.cut = c->layout;
	key.from = p->layout;
	key.held[n++] = pim_mapper_layout_of(m, from->leader, &p->layout, pim_mapper_made(e));
	for (int k = 0; k < e->n_way; k++) {
		key.held[n++] = pim_mapper_layout_of(m, from->leader, &p->layout, e->way[k]);
		key.held[n++] = pim_mapper_layout_of(m, e->reader, &c->layout, e->way[k]);
	}
	size_t bytes = sizeof key - sizeof key.held + sizeof *key.held * (size_t)n;
	pim_mapper_move *move = pim_map_get(m->known->move, &key, bytes);
	if (!move) {
		move = PIM_NEW(m->known->arena, pim_mapper_move, 1);
		*move = pim_mapper_move_of(m, e, c, from, p);
		pim_map_put(m->known->move, &key, bytes, move);
	}
	return *move;
}
