/* SPDX-License-Identifier: Apache-2.0 */
/* fusion.c - groups of ops that share a walk over tiles: random legal ones in random programs are
 * lowered and simulated, and the values must be the evaluator's; what cannot be a group is refused,
 * each with its message; the text form reads back. */
#include <stdlib.h>

#include "ir/fusion.h"
#include "tests/unit/check_results.h"
#include "tests/unit/random_decisions.h"

enum { ROUNDS = 1500, MOST_NODES = 9, MOST_MEMBERS = 6 };

typedef struct ear {
	bool quiet;
	int round;
	pim_text said;
} ear;

static void hear(void *user, const pim_diag *d)
{
	ear *e = user;
	if (!e->quiet)
		fprintf(stderr, "seed %d: %s\n", e->round, d->message);
	pim_text_str(&e->said, d->message);
}

/* ---- random groups ---- */

/* The pieces in which the last member's slices cut an axis of its own. */
static int32_t count_pieces(const pim_member *last, int axis)
{
	const pim_layout *l = last->node->plan->layout;
	for (int d = 0; d < l->rank; d++)
		for (int k = 0; k < last->axes->map[last->axes->n_inputs][d].n; k++)
			if (last->axes->map[last->axes->n_inputs][d].term[k].axis == axis)
				return l->parts[d];
	for (int k = 0; k < last->axes->n_axes; k++)
		if (last->axes->axis[k].kind == PIM_AXIS_summed &&
			last->axes->axis[k].size > last->axes->axis[axis].size)
			return 1;
	return last->axes->axis[axis].kind == PIM_AXIS_summed ? l->sums : 1;
}

static void copy_layout(const pim_fusion *f, const pim_member *p, pim_arena *a)
{
	const pim_member *last = &f->member[f->n - 1];
	pim_layout *l = PIM_NEW(a, pim_layout, 1);
	*l = (pim_layout){
		.rank = p->node->type->rank, .sums = 1, .copies = last->node->plan->layout->copies};
	for (int d = 0; d < l->rank; d++) {
		const pim_index *made = &p->axes->map[p->axes->n_inputs][d];
		int w = made->n == 1 ? p->follows[made->term[0].axis] : -1;
		l->parts[d] = w < 0 ? 1 : count_pieces(last, w);
	}
	p->node->plan->layout = l;
}

/* The walk's loops that the member follows, then loops over summed axes of its own. */
static void copy_nest(const pim_fusion *f, const pim_member *p, pim_arena *a)
{
	const pim_nest *walk = f->member[f->n - 1].node->plan->nest;
	pim_nest *nest = PIM_NEW(a, pim_nest, 1);
	int64_t extent[PIM_MAX_AXES];
	pim_nest_extents(p->node, p->axes, extent);
	nest->n_axes = p->axes->n_axes;
	nest->tile = PIM_NEW(a, int64_t, nest->n_axes);
	nest->loop = PIM_NEW(a, pim_loop, 2 * PIM_MAX_AXES);
	for (int i = 0; i < walk->n; i++)
		for (int k = 0; k < nest->n_axes; k++)
			if (p->follows[k] == walk->loop[i].axis) {
				nest->loop[nest->n] = walk->loop[i];
				nest->loop[nest->n++].axis = k;
			}
	for (int k = 0; k < nest->n_axes; k++) {
		nest->tile[k] = p->follows[k] < 0 ? extent[k] : walk->tile[p->follows[k]];
		if (!p->own[k] || extent[k] < 2)
			continue;
		nest->tile[k] = 1 + draw((int)extent[k]);
		nest->loop[nest->n++] = (pim_loop){
			.axis = k, .count = (int32_t)((extent[k] + nest->tile[k] - 1) / nest->tile[k])};
	}
	p->node->plan->nest = nest;
}

/* The slices of a member at the positions of those of the last one that they go with. */
static bool copy_units(const pim_fusion *f, int m, pim_arena *a)
{
	const pim_node *last = f->member[f->n - 1].node;
	pim_plan *p = f->member[m].node->plan;
	int64_t slices = pim_layout_slices(last->plan->layout);
	int32_t *slice = PIM_NEW(a, int32_t, slices);
	bool plain = true;
	for (int64_t i = 0; i < slices; i++) {
		slice[i] = (int32_t)pim_fusion_slice(f, m, pim_slice_at(last, i));
		plain = plain && slice[i] == i;
		if (slice[i] < 0)
			return false;
	}
	p->order = plain ? NULL : pim_order_new(slices, slice, a);
	p->start = f->member[0].node->plan->start;
	p->n_units = last->plan->n_units;
	p->unit = last->plan->unit;
	return true;
}

static bool make_group(pim_graph *g, int n, pim_node *const *node, pim_arena *a)
{
	for (int m = 1; m < n; m++)
		node[m]->plan->fused = node[0];
	pim_fusion *f = pim_fusion_of(node[0], pim_graph_stored(g, a), a);
	if (f->why || f->n != n)
		return false;
	node[n - 1]->plan->start = node[0]->plan->start;
	for (int m = 0; m < n - 1; m++)
		copy_layout(f, &f->member[m], a);
	if (!pim_verify_laid_out(g))
		return false;
	f = pim_fusion_of(node[0], pim_graph_stored(g, a), a);
	for (int m = 0; m < n - 1; m++) {
		copy_nest(f, &f->member[m], a);
		if (!copy_units(f, m, a))
			return false;
	}
	return pim_verify_fusions(g) && pim_verify_placed(g);
}

static bool try_group(pim_graph *g, int n, pim_node *const *node, pim_arena *a)
{
	pim_plan old[MOST_MEMBERS];
	for (int m = 0; m < n; m++)
		old[m] = *node[m]->plan;
	if (make_group(g, n, node, a))
		return true;
	for (int m = 0; m < n; m++)
		*node[m]->plan = old[m];
	return false;
}

static bool may_join(const pim_node *n)
{
	return !(pim_op_at((pim_op)n->op)->flags & (PIM_OPF_leaf | PIM_OPF_move));
}

/* Runs of nodes, each as long as it can be made from where it starts; how many ops were fused. */
static int draw_groups(pim_graph *g, pim_arena *a)
{
	pim_node *node[MOST_MEMBERS];
	int fused = 0, n = 0, length;
	pim_node *p = g->first;
	while (p) {
		n = 0;
		length = 2 + draw(MOST_MEMBERS - 1);
		for (pim_node *q = p; q && n < length; q = q->next)
			if (may_join(q))
				node[n++] = q;
			else if (!(pim_op_at((pim_op)q->op)->flags & PIM_OPF_leaf))
				break;
		while (n >= 2 && !try_group(g, n, node, a))
			n--;
		fused += n >= 2 ? n : 0;
		p = n >= 2 ? node[n - 1]->next : p->next;
	}
	return fused;
}

/* ---- one round ---- */

/* The text form, read back and verified, is the same text. */
static void check_text(pim_context *c, const pim_module *m, const pim_limits *limits)
{
	char *text = pim_module_print(m);
	pim_module *again = pim_module_parse(c, "again", text, strlen(text));
	CHECK(again != NULL);
	if (again) {
		char *other = pim_module_print(again);
		CHECK(!strcmp(text, other));
		free(other);
		again->graphs[0]->limits = *limits;
		CHECK(pim_verify_mapped(again->graphs[0]) && pim_verify_placed(again->graphs[0]));
	}
	free(text);
}

/* What only its own group reads has no home. */
static int count_kept(pim_graph *g, pim_arena *a)
{
	const bool *stored = pim_graph_stored(g, a);
	int kept = 0;
	PIM_EACH_NODE(n, g)
	kept += !stored[n->id];
	return kept;
}

typedef struct tally {
	int programs, ops, kept;
} tally;

static void simulate(const pim_target *t, pim_graph *g, int round, pim_arena *a)
{
	pim_tensor in = {
		g->inputs[0]->type, pim_arena_alloc(a, (size_t)pim_type_bytes(g->inputs[0]->type))};
	pim_tensor_random(&in, 3);
	pim_tensor *want = PIM_NEW(a, pim_tensor, g->n_results);
	CHECK(pim_graph_eval(g, &in, want, a));
	bool lowered = pim_target_lower(t, g, PIM_BARRIERS_none, a);
	CHECK(lowered);
	if (!lowered)
		return;
	CHECK(pim_program_verify(g->code));
	pim_sim_options o = {.values = true, .check = true, .input = &in};
	pim_sim_report *r = pim_sim_run(g->code, &o, a);
	CHECK(r != NULL);
	if (r)
		check_results(g, r, want, round);
}

static void check_round(int round, int64_t buffer_bytes, bool verbose, tally *all)
{
	seed = (uint64_t)round * 7919 + 1;
	pim_context *c = pim_context_new();
	ear e = {.round = round, .quiet = true};
	pim_context_on_diag(c, hear, &e);
	pim_module *m = pim_module_new(c);
	pim_graph *g = pim_graph_new(m, "main");
	pim_arena *a = pim_arena_new();
	pim_target t = *pim_target_find(c, "stack3d");
	t.buffer.bytes = buffer_bytes;
	g->limits = pim_target_limits(&t);
	draw_program(g, c, MOST_NODES);
	decide(g, &t, a);
	int fused = draw_groups(g, a);
	e.quiet = false;
	if (verbose)
		fprintf(stderr, "%s\n", pim_module_print(m));
	if (fused) {
		all->programs++;
		all->ops += fused;
		all->kept += count_kept(g, a);
		check_text(c, m, &g->limits);
		if (round % 2)
			let_overlap(g);
		simulate(&t, g, round, a);
	}
	pim_text_free(&e.said);
	pim_arena_free(a);
	pim_context_free(c);
}

/* ---- refusals ---- */

static const char chain[] =
	"module {\n"
	"  graph @main(%x: f32[8,4] [parts=4x1, units=4, on=0..3]) {\n"
	"    facts split, laid_out, mapped, scheduled, placed on \"stack3d\"\n"
	"    %w = constant {absent = 1} : f32[4,6]\n"
	"    %a = matmul %x, %w : f32[8,6] [parts=4x1, nest=(@m 4, n 2:3, k 2:2 = 9), start=0, "
	"cycles=9, units=4, on=0..3]\n"
	"    %b = relu %a : f32[8,6] [parts=4x1, nest=(@d0 4, d1 2:3 = 0), fused=%a, start=0, "
	"cycles=9, units=4, on=0..3]\n"
	"    %c = add %b, %a : f32[8,6] [parts=4x1, nest=(@d0 4, d1 2:3 = 0), fused=%a, start=0, "
	"cycles=9, units=4, on=0..3]\n"
	"    %d = softmax %c {axis = 1} : f32[8,6] [parts=4x1, nest=(@#0 4 = 5), start=9, cycles=5, "
	"units=4, on=0..3]\n"
	"    %e = transpose %d {perm = [1, 0]} : f32[6,8] [parts=1x4, nest=(@d1 4 = 5), start=14, "
	"cycles=5, units=4, on=0..3]\n"
	"    return %e\n"
	"  }\n"
	"}\n";

typedef struct fixture {
	pim_context *context;
	ear *ear;
	pim_graph *g;
	pim_node *a, *b, *c, *d, *e;
} fixture;

static fixture start(ear *e)
{
	fixture f = {.context = pim_context_new(), .ear = e};
	pim_context_on_diag(f.context, hear, e);
	pim_module *m = pim_module_parse(f.context, "chain", chain, sizeof chain - 1);
	CHECK(m != NULL);
	f.g = m->graphs[0];
	f.a = f.g->first->next->next;
	f.b = f.a->next;
	f.c = f.b->next;
	f.d = f.c->next;
	f.e = f.d->next;
	f.g->limits = pim_target_limits(pim_target_find(f.context, "stack3d"));
	return f;
}

static bool verify(pim_graph *g)
{
	return pim_verify_laid_out(g) && pim_verify_mapped(g) && pim_verify_scheduled(g) &&
		   pim_verify_placed(g);
}

#define REFUSED(change, wanted)                                                                    \
	do {                                                                                           \
		ear e = {.quiet = true};                                                                   \
		fixture f = start(&e);                                                                     \
		CHECK(verify(f.g));                                                                        \
		change;                                                                                    \
		CHECK(!verify(f.g));                                                                       \
		if (!e.said.s || !strstr(e.said.s, wanted)) {                                              \
			fprintf(stderr, "wanted: %s\ngot: %s\n", wanted, e.said.s ? e.said.s : "");            \
			check_failures++;                                                                      \
		}                                                                                          \
		pim_text_free(&e.said);                                                                    \
		pim_context_free(f.context);                                                               \
	} while (0)

static void swap_loops(pim_nest *nest, int i, int k)
{
	pim_loop l = nest->loop[i];
	nest->loop[i] = nest->loop[k];
	nest->loop[k] = l;
}

/* A loop along axis 0, once. */
static void walk_more(pim_node *n)
{
	static pim_loop loop[] = {{0, 4, true}, {1, 2, false}, {0, 1, false}};
	n->plan->nest->loop = loop;
	n->plan->nest->n = 3;
}

static void cut_columns(pim_node *n)
{
	n->plan->layout->parts[0] = 1;
	n->plan->layout->parts[1] = 4;
	n->plan->nest->tile[0] = 8;
}

/* %c = %b x %b^T reads two tiles of %b at a time. */
static void make_product(fixture *f)
{
	pim_node *y = pim_node_make(f->g, PIM_OP_matmul, 2, (pim_node *[]){f->b, f->b}, f->c);
	pim_node_set_int(y, "transpose_b", 1);
	CHECK(pim_node_infer(y));
	*pim_node_plan(y) = *f->c->plan;
	pim_axes *x = pim_axes_new(y, f->g->module->arena);
	pim_nest *nest = PIM_NEW(f->g->module->arena, pim_nest, 1);
	nest->n_axes = x->n_axes;
	nest->tile = PIM_NEW(f->g->module->arena, int64_t, x->n_axes);
	pim_nest_extents(y, x, nest->tile);
	y->plan->nest = nest;
	f->c->plan->fused = NULL;
}

static void test_refusals(void)
{
	REFUSED(f.b->plan->fused = NULL,
		"is fused with a node that does not stand before it, or not all between them are");
	REFUSED(f.c->plan->fused = f.b, "is fused with a node that begins no group");
	REFUSED(f.d->plan->fused = f.g->first, "is fused with a node that does not stand before it");
	REFUSED(f.e->plan->fused = f.d,
		"is fused, but has no tiles: it only moves elements, makes a tuple or has no layout");
	REFUSED(f.c->in[0] = f.a, "is fused, but no other member of its group reads it");
	REFUSED(make_product(&f), "is fused, but two members of its group read different tiles of it");
	REFUSED(f.a->plan->layout->parts[0] = 8, "has 8 slices, but the last op of its group 4");
	REFUSED(cut_columns(f.b), "has no slice with the box that slice 0 of the last op of its group");
	REFUSED(f.a->plan->order = pim_order_new(4, (int32_t[]){1, 0, 2, 3}, f.g->module->arena),
		"slice 0 stands at position 1 of its order, but what reads it at 0");
	REFUSED(f.b->plan->nest->tile[1] = 4,
		"its axis d1 has tiles of 4, but what its group makes or reads with it has tiles of 3");
	REFUSED(f.d->plan->fused = f.a; f.d->plan->nest = f.c->plan->nest,
			"is cut in tiles of 3, but its group needs all 6 at a time");
	REFUSED(swap_loops(f.a->plan->nest, 1, 2),
		"its loops are not those of the last op of its group, in their order");
	REFUSED(f.b->plan->nest->loop[0].spatial = false,
		"its loops are not those of the last op of its group");
	REFUSED(walk_more(f.b), "walks along axis d0 by itself, but the last op of its group does not");
	REFUSED(f.g->limits.buffer_bytes = 400,
		" bytes of the buffer, which has 400: smaller tiles or fewer ops would do");
	REFUSED(f.b->plan->cycles = 8, "runs from 0 to 8 on 4 units, the first op of its group from 0");
	REFUSED(f.b->plan->unit[1] = 9,
		"runs tile by tile with an input on unit 1, but is placed on unit 9");
	REFUSED(f.b->plan->layout = NULL, "has no layout");
}

int main(int argc, char **argv)
{
	tally all = {0};
	if (argc > 1) { /* one seed, shown */
		check_round(atoi(argv[1]), argc > 2 ? atoi(argv[2]) : 262144, true, &all);
		return check_failures != 0;
	}
	for (int i = 0; i < ROUNDS; i++)
		check_round(i, i % 3 ? 262144 : 4096, false, &all);
	printf("%d programs with groups: %d ops in them, %d values that never leave the buffer\n",
		all.programs, all.ops, all.kept);
	CHECK(all.programs > ROUNDS / 10 && all.kept > all.programs / 2);
	test_refusals();
	return check_failures != 0;
}
