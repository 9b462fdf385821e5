/* SPDX-License-Identifier: Apache-2.0 */
/* holdings - what place counts on the fullest unit of random programs with random decisions,
 * against what the lowering takes room for, which it says when there is too little. */
#include <string.h>

#include "passes/place_memory.h"
#include "tests/unit/random_decisions.h"

enum { ROUNDS = 400, MOST_NODES = 8 };

typedef struct refusal {
	long long bytes;
	int unit;
} refusal;

/* "graph @main does not fit stack3d: unit 3 needs 1234 bytes of main memory" */
static void read_message(void *user, const pim_diag *d)
{
	refusal *r = user;
	const char *at = strstr(d->message, "unit ");
	if (!at || sscanf(at, "unit %d needs %lld bytes", &r->unit, &r->bytes) != 2)
		fprintf(stderr, "%s\n", d->message);
}

/* Partial sums along trees are counted about. */
static bool is_plain(const pim_graph *g)
{
	for (const pim_node *n = g->first; n; n = n->next)
		if (n->plan && n->plan->layout && n->plan->layout->sums > 1)
			return false;
	return true;
}

typedef struct tally {
	int plain, exact, other, near, overlapped;
	double ratio;
} tally;

static void check_round(int round, tally *y)
{
	seed = (uint64_t)round * 6007 + 1;
	refusal r = {0};
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, read_message, &r);
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	pim_arena *a = pim_arena_new();
	pim_target t = *pim_target_find(c, "stack3d");
	t.memory.bytes = 1;
	g->limits = pim_target_limits(&t);
	draw_program(g, c, MOST_NODES);
	decide(g, &t, a);
	if (round % 4 == 3)
		let_overlap(g);
	pim_placement *p = pim_placement_of(g, &t, a);
	for (int i = 0; i < p->n; i++)
		memcpy(p->tenant[i].unit, p->tenant[i].node->plan->unit,
			sizeof *p->tenant[i].unit * (size_t)p->tenant[i].n_units);
	pim_place_memory *m = pim_place_memory_of(g, p, 0, a);
	CHECK(!pim_target_lower(&t, g, PIM_BARRIERS_none, a) && r.bytes > 0);
	int64_t most = 0, *pieces = PIM_NEW(a, int64_t, t.units);
	pim_place_count_pieces(g, pieces);
	for (int u = 0; u < t.units; u++)
		most = pim_max(most, pim_place_memory_room(m, u, pieces[u]));
	if (round % 4 == 3)
		y->overlapped++;
	else if (is_plain(g)) {
		y->plain++;
		y->exact += most == r.bytes;
	}
	y->other++;
	y->ratio += (double)most / (double)r.bytes;
	y->near += most * 10 >= r.bytes * 9 && most * 9 <= r.bytes * 10;
	pim_arena_free(a);
	pim_context_free(c);
}

int main(void)
{
	tally y = {0};
	for (int i = 0; i < ROUNDS; i++)
		check_round(i, &y);
	printf(
		"%d plain programs, the fullest unit of %d to the byte; of all %d (%d with ops at the same "
		"time) %d within a tenth, in the mean %.3f\n",
		y.plain, y.exact, y.other, y.overlapped, y.near, y.ratio / y.other);
	CHECK(y.plain > ROUNDS / 8 && y.exact * 10 >= y.plain * 9);
	CHECK(y.near * 4 >= y.other * 3 && y.ratio >= 0.95 * y.other && y.ratio <= 1.1 * y.other);
	return check_failures != 0;
}
