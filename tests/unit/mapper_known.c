/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_known - what is kept for two choices at one edge is what would be found anew at every edge
 * of the same kind: two layers of attention, random machines, all pairs of choices. */
#include "passes/mapper.h"

#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/draw.h"
#include "tests/unit/small_networks.h"

#define LAYER(x, n)                                                                                \
	"    %q" n " = matmul %" x ", %w : f32[1,6,8]\n"                                               \
	"    %e" n " = add %q" n ", %" x " : f32[1,6,8]\n"                                             \
	"    %h" n " = reshape %e" n " {shape = [1, 6, 2, 4]} : f32[1,6,2,4]\n"                        \
	"    %t" n " = transpose %h" n " {perm = [0, 2, 1, 3]} : f32[1,2,6,4]\n"                       \
	"    %k" n " = transpose %h" n " {perm = [0, 2, 3, 1]} : f32[1,2,4,6]\n"                       \
	"    %s" n " = matmul %t" n ", %k" n " : f32[1,2,6,6]\n"                                       \
	"    %p" n " = softmax %s" n " {axis = 3} : f32[1,2,6,6]\n"                                    \
	"    %v" n " = matmul %p" n ", %t" n " : f32[1,2,6,4]\n"                                       \
	"    %u" n " = transpose %v" n " {perm = [0, 2, 1, 3]} : f32[1,6,2,4]\n"                       \
	"    %o" n " = reshape %u" n " {shape = [1, 6, 8]} : f32[1,6,8]\n"                             \
	"    %r" n " = add %o" n ", %" x " : f32[1,6,8]\n"

static const char text[] =
	"module {\n  graph @main(%x: f32[1,6,8]) {\n    %w = constant {absent = 1} : f32[8,8]\n"
	"    %y = matmul %x, %w : f32[1,6,8]\n" LAYER("y", "1") LAYER("r1", "2") "    return %r2\n"
																			 "  }\n}\n";

typedef struct tally {
	long edges, kinds, kept;
} tally;

/* Equal groups have the same choices, as in a search. */
static void offer(pim_mapper *m)
{
	int first[64];
	for (int i = 0; i < m->n; i++) {
		int units = m->units;
		pim_mapper_offer o = {.n_units = 1,
			.units = &units,
			.budget = 4,
			.most = INT64_MAX,
			.most_constants = INT64_MAX,
			.seed = 3};
		for (first[i] = 0; !pim_mapper_group_equal(&m->group[first[i]], &m->group[i]);)
			first[i]++;
		if (first[i] < i)
			pim_mapper_share_choices(&m->group[i], &m->group[first[i]]);
		else
			CHECK(pim_mapper_choose(m, i, &o) > 0);
	}
}

static bool same_lanes(const pim_mapper_lanes *a, const pim_mapper_lanes *b, int64_t steps)
{
	return a->n == b->n &&
		   (!a->n || (!memcmp(a->of_step, b->of_step, sizeof *a->of_step * (size_t)steps) &&
						 !memcmp(a->steps, b->steps, sizeof *a->steps * (size_t)a->n)));
}

static bool same_demand(const pim_mapper_demand *a, const pim_mapper_demand *b)
{
	bool same = !a == !b && (!a || a->n == b->n);
	for (int k = 0; a && b && same && k < a->n; k++) {
		const pim_mapper_part *p = &a->part[k], *q = &b->part[k];
		same = p->n_dims == q->n_dims && p->positions == q->positions;
		for (int d = 0; same && d < p->n_dims; d++)
			same = p->dim[d] == q->dim[d] &&
				   !memcmp(p->lo[d], q->lo[d], sizeof *p->lo[d] * (size_t)p->positions) &&
				   !memcmp(p->hi[d], q->hi[d], sizeof *p->hi[d] * (size_t)p->positions);
	}
	return same;
}

static void compare(const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_choice *p, tally *t)
{
	const pim_mapper_group *from = &m->group[e->from];
	pim_arena *a = pim_arena_new();
	bool fresh;
	int32_t *ready = PIM_NEW(a, int32_t, c->steps);
	pim_mapper_lanes lanes = {0, PIM_NEW(a, int32_t, c->steps), PIM_NEW(a, int32_t, c->steps)};
	pim_mapper_ready(m, g, e, c, from, p, ready);
	pim_mapper_find_lanes(m, g, e, c, from, p, &lanes);
	int32_t *kept = pim_mapper_known_ready(m, e, c, p, &fresh);
	if (fresh)
		memcpy(kept, ready, sizeof *ready * (size_t)c->steps);
	t->kept += !fresh;
	CHECK(!memcmp(kept, ready, sizeof *ready * (size_t)c->steps));
	pim_mapper_lanes *known = pim_mapper_known_lanes(m, e, c, p, &fresh);
	if (fresh)
		pim_mapper_find_lanes(m, g, e, c, from, p, known);
	CHECK(same_lanes(known, &lanes, c->steps));
	pim_mapper_move move = pim_mapper_known_move(m, e, c, p),
					want = pim_mapper_move_of(m, e, c, from, p);
	CHECK(move.cycles == want.cycles && move.bytes == want.bytes);
	CHECK(pim_mapper_known_move(m, e, c, p).cycles == want.cycles);
	CHECK(same_demand(pim_mapper_known_demand(m, g, e, c), pim_mapper_demand_of(g, e, from, c, a)));
	pim_arena_free(a);
}

static void check_network(pim_mapper_followers followers, tally *t)
{
	pim_context *c = pim_context_new();
	pim_module *module = pim_module_parse(c, "layers", text, sizeof text - 1);
	CHECK(module != NULL);
	if (!module)
		return;
	pim_mapper *m =
		pim_mapper_new(module->graphs[0], random_machine(module->arena), followers, module->arena);
	offer(m);
	int kinds = 0;
	for (int i = 0; i < m->n; i++)
		for (int k = 0; k < m->group[i].n_edges; k++) {
			const pim_mapper_group *g = &m->group[i];
			const pim_mapper_edge *e = &g->edge[k];
			const pim_mapper_group *from = &m->group[e->from];
			kinds = e->kind >= kinds ? e->kind + 1 : kinds;
			t->edges++;
			for (int r = 0; r < g->n_choices; r++)
				for (int p = 0; p < from->n_choices; p++)
					compare(m, g, e, &g->choice[r], &from->choice[p], t);
			if (draw_in(0, 11) == 0)
				pim_mapper_forget(m, 0);
		}
	t->kinds += kinds;
	pim_context_free(c);
}

int main(void)
{
	tally t = {0};
	draw_state = 17;
	for (int k = 0; k < 30; k++)
		check_network(k % 2 ? PIM_FOLLOWERS_share : PIM_FOLLOWERS_own, &t);
	printf("%ld edges of %ld kinds, %ld tables met again\n", t.edges, t.kinds, t.kept);
	CHECK(t.kinds < t.edges && t.kept > 500);
	return check_failures != 0;
}
