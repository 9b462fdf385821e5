/* SPDX-License-Identifier: Apache-2.0 */
/* barrier_free.c - a branch starts when the branches it needs are done, not when all are.
 *
 * Two blocks over 4x4 windows of an image, the second one shifted by half a window, so that each of
 * its windows reads four old ones. One old window takes much longer than the others. Without
 * barriers exactly the new windows that read it wait for it; with barriers all do. */
#include <string.h>

#include "passes/pass.h"
#include "targets/sim.h"
#include "tests/unit/check.h"

static const char program[] =
	"module {\n"
	"  graph @main(%x: f32[16,16,16]) {\n"
	"    %w = constant {value = 0.01} : f32[16,16]\n"
	/* old windows; the first one goes through a long chain */
	"    %p0 = reshape %x {shape = [4, 4, 4, 4, 16]} : f32[4,4,4,4,16]\n"
	"    %p1 = transpose %p0 {perm = [0, 2, 1, 3, 4]} : f32[4,4,4,4,16]\n"
	"    %p = reshape %p1 {shape = [16, 16, 16]} : f32[16,16,16]\n"
	"    %o = matmul %p, %w : f32[16,16,16]\n"
	"    %f0 = slice %o {starts = [0, 0, 0], sizes = [1, 16, 16]} : f32[1,16,16]\n"
	"    %rest = slice %o {starts = [1, 0, 0], sizes = [15, 16, 16]} : f32[15,16,16]\n"
	"    %f1 = softmax %f0 {axis = 2} : f32[1,16,16]\n"
	"    %f2 = softmax %f1 {axis = 2} : f32[1,16,16]\n"
	"    %f3 = softmax %f2 {axis = 2} : f32[1,16,16]\n"
	"    %f4 = softmax %f3 {axis = 2} : f32[1,16,16]\n"
	"    %f5 = softmax %f4 {axis = 2} : f32[1,16,16]\n"
	"    %f6 = softmax %f5 {axis = 2} : f32[1,16,16]\n"
	"    %f7 = softmax %f6 {axis = 2} : f32[1,16,16]\n"
	"    %slow = softmax %f7 {axis = 2} : f32[1,16,16]\n"
	"    %b = concat %slow, %rest {axis = 0} : f32[16,16,16]\n"
	"    %b0 = reshape %b {shape = [4, 4, 4, 4, 16]} : f32[4,4,4,4,16]\n"
	"    %b1 = transpose %b0 {perm = [0, 2, 1, 3, 4]} : f32[4,4,4,4,16]\n"
	"    %i = reshape %b1 {shape = [16, 16, 16]} : f32[16,16,16]\n"
	/* the shift, then new windows */
	"    %r0 = slice %i {starts = [2, 0, 0], sizes = [14, 16, 16]} : f32[14,16,16]\n"
	"    %r1 = slice %i {starts = [0, 0, 0], sizes = [2, 16, 16]} : f32[2,16,16]\n"
	"    %r = concat %r0, %r1 {axis = 0} : f32[16,16,16]\n"
	"    %c0 = slice %r {starts = [0, 2, 0], sizes = [16, 14, 16]} : f32[16,14,16]\n"
	"    %c1 = slice %r {starts = [0, 0, 0], sizes = [16, 2, 16]} : f32[16,2,16]\n"
	"    %c = concat %c0, %c1 {axis = 1} : f32[16,16,16]\n"
	"    %n0 = reshape %c {shape = [4, 4, 4, 4, 16]} : f32[4,4,4,4,16]\n"
	"    %n1 = transpose %n0 {perm = [0, 2, 1, 3, 4]} : f32[4,4,4,4,16]\n"
	"    %n = reshape %n1 {shape = [16, 16, 16]} : f32[16,16,16]\n"
	"    %y = matmul %n, %w : f32[16,16,16]\n"
	"    return %y\n"
	"  }\n"
	"}\n";

enum { WINDOWS = 16, SIDE = 8 };

static void print_message(void *user, const pim_diag *d)
{
	(void)user;
	fprintf(stderr, "%s\n", d->message);
}

/* ---- where everything is ---- */

static int at(int row, int column)
{
	return row % SIDE * SIDE + column % SIDE;
}

static int old_window(int64_t s)
{
	return at((int)(s / 4) * 2, (int)(s % 4) * 2);
}

static int other_window(int64_t s)
{
	return old_window(s + 1);
}

static int new_window(int64_t s)
{
	return at((int)(s / 4) * 2 + 1, (int)(s % 4) * 2 + 1);
}

static int first_unit(int64_t s)
{
	(void)s;
	return 0;
}

static int quarter(int64_t s)
{
	return (int)s;
}

/* Rows from the third one on, the first two, and all behind each other. */
static int lower_rows(int64_t s)
{
	return at((int)(s / 8) + 1, (int)(s % 8));
}

static int right_columns(int64_t s)
{
	return at((int)(s / 7) + 1, (int)(s % 7) + 1);
}

static int left_columns(int64_t s)
{
	return at((int)s + 1, 0);
}

static int shifted(int64_t s)
{
	return at((int)(s / 8) + 1, (int)(s % 8) + 1);
}

static const struct {
	const char *name; /* the first letters */
	int rank, parts[5];
	int (*unit)(int64_t slice);
} places[] = {
	{"x", 3, {8, 8, 1}, quarter},
	{"p0", 5, {4, 1, 4, 1, 1}, old_window},
	{"p1", 5, {4, 4, 1, 1, 1}, old_window},
	{"p", 3, {16, 1, 1}, old_window},
	{"o", 3, {16, 1, 1}, old_window},
	{"f", 3, {1, 1, 1}, first_unit},
	{"slow", 3, {1, 1, 1}, first_unit},
	{"rest", 3, {15, 1, 1}, other_window},
	{"b0", 5, {4, 4, 1, 1, 1}, old_window},
	{"b1", 5, {4, 1, 4, 1, 1}, old_window},
	{"b", 3, {16, 1, 1}, old_window},
	{"i", 3, {8, 8, 1}, quarter},
	{"r0", 3, {7, 8, 1}, lower_rows},
	{"r1", 3, {1, 8, 1}, quarter},
	{"r", 3, {8, 8, 1}, lower_rows},
	{"c0", 3, {8, 7, 1}, right_columns},
	{"c1", 3, {8, 1, 1}, left_columns},
	{"c", 3, {8, 8, 1}, shifted},
	{"n0", 5, {4, 1, 4, 1, 1}, new_window},
	{"n1", 5, {4, 4, 1, 1, 1}, new_window},
	{"n", 3, {16, 1, 1}, new_window},
	{"y", 3, {16, 1, 1}, new_window},
};

static size_t find_place(const pim_node *n)
{
	for (size_t k = 0; k < sizeof places / sizeof *places; k++)
		if (!strncmp(n->name, places[k].name, strlen(places[k].name)))
			return k;
	CHECK(!"every value has a place");
	return 0;
}

static void lay_out(pim_graph *g)
{
	PIM_EACH_NODE(n, g)
	{
		if (n->op == PIM_OP_constant)
			continue;
		size_t k = find_place(n);
		pim_layout *l = PIM_NEW(g->module->arena, pim_layout, 1);
		*l = (pim_layout){.rank = places[k].rank, .sums = 1, .copies = 1};
		for (int d = 0; d < l->rank; d++)
			l->parts[d] = places[k].parts[d];
		pim_node_plan(n)->layout = l;
	}
	g->facts |= PIM_FACT_split | PIM_FACT_laid_out;
}

static void place(pim_graph *g)
{
	PIM_EACH_NODE(n, g)
	{
		if (n->op == PIM_OP_constant)
			continue;
		n->plan->n_units = (int)pim_layout_slices(n->plan->layout);
		n->plan->unit = PIM_NEW(g->module->arena, int, n->plan->n_units);
		for (int s = 0; s < n->plan->n_units; s++)
			n->plan->unit[s] = places[find_place(n)].unit(s);
	}
}

/* ---- when it runs ---- */

/* When the slow window is done, and when each unit begins to compute new ones. */
typedef struct watching {
	const pim_program *program;
	int64_t slow_end, begin[SIDE * SIDE]; /* by unit; -1: never */
} watching;

static bool is_task(const watching *w, const pim_sim_event *e, const char *name)
{
	const char *task = w->program->task[e->task].name;
	return !strcmp(task + (*task == '%'), name);
}

static void watch(void *user, const pim_sim_event *e)
{
	watching *w = user;
	if (e->engine == PIM_ENGINE_vector && is_task(w, e, "slow") && e->end > w->slow_end)
		w->slow_end = e->end;
	if (e->engine == PIM_ENGINE_matrix && is_task(w, e, "y") && w->begin[e->unit] < 0)
		w->begin[e->unit] = e->begin;
}

/* New window (i, j) reads the old ones (i, j) to (i + 1, j + 1), round the border. */
static bool reads_first_window(int64_t window)
{
	int64_t i = window / 4, j = window % 4;
	return (i == 0 || i == 3) && (j == 0 || j == 3);
}

static watching run(pim_barriers barriers)
{
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, print_message, NULL);
	pim_module *m = pim_module_parse(c, "pair.pim", program, strlen(program));
	CHECK(m != NULL);
	pim_graph *g = m->graphs[0];
	const pim_target *t = pim_target_find(c, "stack3d");
	lay_out(g);
	pim_run_options o = {.seed = 1};
	pim_run_report report = {0};
	CHECK(pim_pipeline_run(
		m, pim_pipeline_parse(c, "map{fuse=0},schedule", m->arena), t, &o, &report, m->arena));
	place(g);
	CHECK(pim_target_lower(t, g, barriers, m->arena));
	watching w = {.program = g->code};
	memset(w.begin, -1, sizeof w.begin);
	pim_sim_options s = {.watch = watch, .user = &w};
	CHECK(pim_sim_run(g->code, &s, m->arena) != NULL);
	pim_context_free(c);
	return w;
}

int main(void)
{
	for (int barriers = PIM_BARRIERS_none; barriers <= PIM_BARRIERS_op; barriers++) {
		watching w = run((pim_barriers)barriers);
		int early = 0;
		for (int64_t window = 0; window < WINDOWS; window++) {
			int64_t begin = w.begin[new_window(window)];
			CHECK(begin >= 0);
			early += begin < w.slow_end;
			CHECK(begin >= w.slow_end ||
				  (barriers == PIM_BARRIERS_none && !reads_first_window(window)));
		}
		printf("%s: the slow window ends at %lld, %d of %d new windows begin before\n",
			barriers ? "barriers" : "no barriers", (long long)w.slow_end, early, WINDOWS);
		CHECK(early == (barriers ? 0 : WINDOWS - 4));
	}
	return check_failures != 0;
}
