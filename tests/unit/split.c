/* SPDX-License-Identifier: Apache-2.0 */
/* split.c - structural branches against their definition, and the branch sets of an attention
 * block.
 *
 * The twin finds joins by taking nodes out: the join of a fork is the first node without which no
 * result can be reached from it. */
#include <string.h>

#include "passes/pass.h"
#include "tests/unit/check.h"
#include "tests/unit/crossing.h"
#include "tests/unit/draw.h"

enum { CASES = 200, MAX_NODES = 24 };

/* ---- structural branches ---- */

typedef struct twin {
	pim_graph *graph;
	pim_node *node[MAX_NODES];
	int n;
	bool edge[MAX_NODES][MAX_NODES], result[MAX_NODES];
} twin;

static void fill_twin(twin *w, pim_graph *g)
{
	int place[MAX_NODES];
	*w = (twin){.graph = g};
	PIM_EACH_NODE(n, g)
	{
		place[n->id] = w->n;
		for (int i = 0; i < (int)n->n_in; i++)
			w->edge[place[n->in[i]->id]][w->n] = true;
		w->node[w->n++] = n;
	}
	for (int r = 0; r < g->n_results; r++)
		w->result[place[g->results[r]->id]] = true;
}

/* Can a result be reached from `from` without node `out`? */
static bool reaches_result(const twin *w, int from, int out)
{
	if (from == out)
		return false;
	if (w->result[from])
		return true;
	for (int k = from + 1; k < w->n; k++)
		if (w->edge[from][k] && reaches_result(w, k, out))
			return true;
	return false;
}

static int count_paths(const twin *w)
{
	int paths = 0;
	for (int fork = 0; fork < w->n; fork++) {
		int users = 0, join = -1;
		for (int k = 0; k < w->n; k++)
			users += w->edge[fork][k];
		for (int k = fork + 1; k < w->n && join < 0; k++)
			if (!reaches_result(w, fork, k))
				join = k;
		if (users > 1 && join >= 0 && !w->result[fork])
			paths += users;
	}
	return paths;
}

/* Every node is used or a result. */
static pim_graph *random_graph(pim_context *c)
{
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	pim_node *value[MAX_NODES];
	bool used[MAX_NODES] = {false};
	int n = 0, size = draw_in(3, 14);
	value[n++] = pim_input_new(g, "x", pim_type_tensor(c, PIM_DTYPE_f32, 1, (int64_t[]){4}));
	while (n < size) {
		int a = draw_in(n > 4 ? n - 4 : 0, n - 1), b = draw_in(n > 4 ? n - 4 : 0, n - 1);
		pim_node *in[2] = {value[a], value[b]};
		value[n] = draw_in(0, 2) ? pim_node_new(g, "add", 2, in, NULL)
								 : pim_node_new(g, "relu", 1, in, NULL);
		used[a] = true;
		used[b] = used[b] || value[n]->n_in == 2;
		CHECK(pim_node_infer(value[n++]));
	}
	for (int k = 0; k < n; k++)
		if (!used[k])
			pim_graph_add_result(g, value[k]);
	return g;
}

static int check_paths(void)
{
	int found = 0;
	for (int k = 0; k < CASES; k++) {
		pim_context *c = pim_context_new();
		pim_graph *g = random_graph(c);
		int *path = PIM_NEW(g->module->arena, int, g->n_ids + 1);
		twin w;
		fill_twin(&w, g);
		int paths = pim_branch_forks(g, path, NULL, g->module->arena);
		CHECK(paths == count_paths(&w));
		for (int i = 0; i < w.n; i++)
			CHECK(path[w.node[i]->id] >= 0 && path[w.node[i]->id] <= paths);
		found += paths;
		pim_context_free(c);
	}
	return found;
}

/* ---- sets ---- */

static const char block[] = "module {\n"
							"  graph @main(%x: f32[1,40,24]) {\n"
							"    %wq = constant {absent = 1} : f32[24,24]\n"
							"    %wk = constant {absent = 1} : f32[24,24]\n"
							"    %wv = constant {absent = 1} : f32[24,24]\n"
							"    %wo = constant {absent = 1} : f32[24,24]\n"
							"    %w1 = constant {absent = 1} : f32[24,96]\n"
							"    %w2 = constant {absent = 1} : f32[96,24]\n"
							"    %q = matmul %x, %wq : f32[1,40,24]\n"
							"    %k = matmul %x, %wk : f32[1,40,24]\n"
							"    %v = matmul %x, %wv : f32[1,40,24]\n"
							"    %q1 = reshape %q {shape = [1, 40, 3, 8]} : f32[1,40,3,8]\n"
							"    %k1 = reshape %k {shape = [1, 40, 3, 8]} : f32[1,40,3,8]\n"
							"    %v1 = reshape %v {shape = [1, 40, 3, 8]} : f32[1,40,3,8]\n"
							"    %q2 = transpose %q1 {perm = [0, 2, 1, 3]} : f32[1,3,40,8]\n"
							"    %k2 = transpose %k1 {perm = [0, 2, 3, 1]} : f32[1,3,8,40]\n"
							"    %v2 = transpose %v1 {perm = [0, 2, 1, 3]} : f32[1,3,40,8]\n"
							"    %scores = matmul %q2, %k2 : f32[1,3,40,40]\n"
							"    %attention = softmax %scores {axis = 3} : f32[1,3,40,40]\n"
							"    %context = matmul %attention, %v2 : f32[1,3,40,8]\n"
							"    %c1 = transpose %context {perm = [0, 2, 1, 3]} : f32[1,40,3,8]\n"
							"    %c2 = reshape %c1 {shape = [1, 40, 24]} : f32[1,40,24]\n"
							"    %o = matmul %c2, %wo : f32[1,40,24]\n"
							"    %y = add %x, %o : f32[1,40,24]\n"
							"    %h = matmul %y, %w1 : f32[1,40,96]\n"
							"    %h1 = gelu %h : f32[1,40,96]\n"
							"    %m = matmul %h1, %w2 : f32[1,40,24]\n"
							"    %z = add %y, %m : f32[1,40,24]\n"
							"    return %z\n"
							"  }\n"
							"}\n";

static void show(void *user, const pim_diag *d)
{
	(void)user;
	pim_diag_print(d, stderr, false);
}

static const pim_node *find_node(const pim_graph *g, const char *name)
{
	PIM_EACH_NODE(n, g)
	{
		if (n->name && !strcmp(n->name, name))
			return n;
	}
	return NULL;
}

static double statistic(const pim_run_report *r, const char *pass, const char *name)
{
	for (int i = 0; i < r->n; i++)
		for (int k = 0; !strcmp(r->record[i].pass->name, pass) && r->record[i].pass->fields[k].name;
			 k++)
			if (!strcmp(r->record[i].pass->fields[k].name, name))
				return r->record[i].statistic[k];
	CHECK(!"a statistic of that name");
	return 0;
}

/* No way leaves a set and comes back into it. */
static void check_convex(pim_graph *g, pim_arena *a)
{
	for (int set = 0; set < g->n_sets; set++) {
		bool *left = PIM_NEW(a, bool, g->n_ids + 1), *inside = PIM_NEW(a, bool, g->n_ids + 1);
		PIM_EACH_NODE(n, g)
		{
			bool member = n->plan && n->plan->set == set, reached = false, after = false;
			for (int i = 0; i < (int)n->n_in; i++) {
				reached = reached || inside[n->in[i]->id];
				after = after || left[n->in[i]->id];
			}
			CHECK(!(member && after));
			inside[n->id] = member;
			left[n->id] = !member && (reached || after);
		}
	}
}

/* Members of a set with axes are cut at least into its branches, or hold several in a slice. */
static void check_cuts(pim_graph *g)
{
	PIM_EACH_NODE(n, g)
	{
		if (!n->plan || n->plan->set < 0 || n->op == PIM_OP_relayout || !n->plan->layout)
			continue;
		const pim_branch_set *s = &g->sets[n->plan->set];
		int64_t branches = 1, parts = 1;
		for (int k = 0; k < s->n_axes; k++)
			branches *= s->axis[k].count;
		for (int d = 0; d < n->type->rank; d++)
			parts *= n->plan->layout->parts[d];
		CHECK(parts % branches == 0 || branches % parts == 0);
	}
}

static int64_t count_traffic(pim_graph *g, const pim_target *t, pim_arena *a)
{
	int64_t bytes = 0;
	PIM_EACH_NODE(n, g)
	{
		for (int i = 0; i < (int)n->n_in; i++)
			if (n->in[i]->op != PIM_OP_constant)
				bytes += count_crossing(n, i, t->units, a);
	}
	return bytes;
}

static void check_block(const char *pipeline, bool heads)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_context_on_diag(c, show, NULL);
	pim_module *m = pim_module_parse(c, "block", block, strlen(block));
	const pim_target *t = pim_target_find(c, "stack3d");
	pim_pipeline *p = pim_pipeline_parse(c, pipeline, a);
	pim_run_report report = {0};
	CHECK(m && t && p);
	CHECK(pim_pipeline_run(m, p, t, &(pim_run_options){0}, &report, a));
	pim_graph *g = m->graphs[0];
	const pim_node *scores = find_node(g, "scores"), *context = find_node(g, "context");
	CHECK(scores && context);
	if (heads) {
		const pim_branch_set *s = &g->sets[scores->plan->set];
		CHECK(s->n_axes == 1 && !strcmp(s->axis[0].name, "head") && s->axis[0].count == 3);
		CHECK(s->degree == 21);
		CHECK(context->plan->set == scores->plan->set);
		CHECK(find_node(g, "attention")->plan->set == scores->plan->set);
		CHECK(find_node(g, "h")->plan->set != scores->plan->set);
	}
	check_convex(g, a);
	check_cuts(g);
	CHECK((int64_t)statistic(&report, "interleave-layout", "bytes") == count_traffic(g, t, a));
	CHECK(!heads || statistic(&report, "split-branches", "sets") == g->n_sets);
	pim_arena_free(a);
	pim_context_free(c);
}

int main(void)
{
	draw_state = 7;
	printf("%d structural branches in %d random graphs\n", check_paths(), CASES);
	check_block("split-branches,interleave-layout,map", true);
	check_block("split-branches{grain=head},interleave-layout,map", true);
	check_block("split-branches{grain=row},interleave-layout", false);
	check_block("split-branches{grain=channel},interleave-layout", false);
	check_block("split-branches{grain=row most=5},interleave-layout", false);
	check_block("split-branches,interleave-layout{choose=rows}", false);
	return check_failures != 0;
}
