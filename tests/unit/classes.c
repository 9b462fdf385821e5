/* SPDX-License-Identifier: Apache-2.0 */
/* classes - axes that are one thing, followed through window partitions, heads and strided windows.
 */
#include "tests/unit/check.h"

#include <string.h>

#include "ir/ir.h"

static void print_diag(void *user, const pim_diag *d)
{
	(void)user;
	fprintf(stderr, "%d:%d: %s\n", d->line, d->column, d->message);
}

static pim_graph *parse(pim_context *c, const char *text)
{
	pim_context_on_diag(c, print_diag, NULL);
	pim_module *m = pim_module_parse(c, "test", text, strlen(text));
	if (!m)
		exit(1);
	return pim_module_graph(m, 0);
}

static const pim_node *find(const pim_graph *g, const char *name)
{
	for (const pim_node *n = g->first; n; n = n->next)
		if (n->name && !strcmp(n->name, name))
			return n;
	fprintf(stderr, "no %s\n", name);
	exit(1);
}

/* Factor f of dim d of a node: its class; -1 when there is none or it has another size. */
static int class_at(const pim_classes *k, const pim_node *n, int d, int f, int64_t size)
{
	const pim_factor *factor;
	int count = pim_classes_dim(k, n, d, &factor);
	return f < count && factor[f].size == size ? factor[f].class : -1;
}

static const char window_text[] =
	"module {\n"
	"  graph @main(%x: f32[1,56,56,96], %wq: f32[96,96], %wk: f32[96,96], %wv: f32[96,96], %wo: "
	"f32[96,96]) {\n"
	"    %r = reshape %x {shape = [1, 8, 7, 8, 7, 96]} : f32[1,8,7,8,7,96]\n"
	"    %t = transpose %r {perm = [0, 1, 3, 2, 4, 5]} : f32[1,8,8,7,7,96]\n"
	"    %w = reshape %t {shape = [64, 49, 96]} : f32[64,49,96]\n"
	"    %q0 = matmul %w, %wq : f32[64,49,96]\n"
	"    %q1 = reshape %q0 {shape = [64, 49, 3, 32]} : f32[64,49,3,32]\n"
	"    %q = transpose %q1 {perm = [0, 2, 1, 3]} : f32[64,3,49,32]\n"
	"    %k0 = matmul %w, %wk : f32[64,49,96]\n"
	"    %k1 = reshape %k0 {shape = [64, 49, 3, 32]} : f32[64,49,3,32]\n"
	"    %k = transpose %k1 {perm = [0, 2, 1, 3]} : f32[64,3,49,32]\n"
	"    %v0 = matmul %w, %wv : f32[64,49,96]\n"
	"    %v1 = reshape %v0 {shape = [64, 49, 3, 32]} : f32[64,49,3,32]\n"
	"    %v = transpose %v1 {perm = [0, 2, 1, 3]} : f32[64,3,49,32]\n"
	"    %scores = matmul %q, %k {transpose_b = 1} : f32[64,3,49,49]\n"
	"    %p = softmax %scores {axis = 3} : f32[64,3,49,49]\n"
	"    %o = matmul %p, %v : f32[64,3,49,32]\n"
	"    %o1 = transpose %o {perm = [0, 2, 1, 3]} : f32[64,49,3,32]\n"
	"    %o2 = reshape %o1 {shape = [64, 49, 96]} : f32[64,49,96]\n"
	"    %y = matmul %o2, %wo : f32[64,49,96]\n"
	"    return %y\n"
	"  }\n"
	"}\n";

static void check_windows(void)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_graph *g = parse(c, window_text);
	pim_classes *k = pim_classes_new(g, a);
	const pim_node *x = find(g, "x"), *scores = find(g, "scores"), *y = find(g, "y");
	int rows = class_at(k, x, 1, 0, 8), columns = class_at(k, x, 2, 0, 8);
	CHECK(rows >= 0 && columns >= 0 && rows != columns);
	CHECK(class_at(k, x, 1, 1, 7) >= 0);
	static const char *const windowed[] = {"w", "q0", "q", "k", "v", "scores", "p", "o", "o2", "y"};
	for (size_t i = 0; i < sizeof windowed / sizeof *windowed; i++) {
		const pim_node *n = find(g, windowed[i]);
		CHECK(class_at(k, n, 0, 0, 8) == rows && class_at(k, n, 0, 1, 8) == columns);
		CHECK(pim_classes_kind(k, n, rows) == PIM_AXIS_free);
		CHECK(pim_classes_kind(k, n, columns) == PIM_AXIS_free);
	}
	int head = class_at(k, scores, 1, 0, 3);
	CHECK(head >= 0);
	static const char *const headed[] = {"q", "k", "v", "p", "o"};
	for (size_t i = 0; i < sizeof headed / sizeof *headed; i++)
		CHECK(class_at(k, find(g, headed[i]), 1, 0, 3) == head);
	CHECK(class_at(k, find(g, "q0"), 2, 0, 3) == head);
	CHECK(class_at(k, find(g, "wq"), 1, 0, 3) == head);
	CHECK(class_at(k, find(g, "wo"), 0, 0, 3) == head);
	CHECK(pim_classes_kind(k, find(g, "q0"), head) == PIM_AXIS_free);
	CHECK(pim_classes_kind(k, scores, head) == PIM_AXIS_free);
	CHECK(pim_classes_kind(k, find(g, "p"), head) == PIM_AXIS_free);
	CHECK(pim_classes_kind(k, y, head) == PIM_AXIS_summed);
	CHECK(class_at(k, y, 2, 0, 96) >= 0 && class_at(k, x, 3, 0, 96) >= 0);
	CHECK(class_at(k, y, 2, 0, 96) != class_at(k, x, 3, 0, 96));
	/* The 49 tokens of a window are rows and columns of the scores: no slices of that alone. */
	int token = class_at(k, scores, 2, 0, 7);
	CHECK(token >= 0 && token == class_at(k, scores, 3, 0, 7));
	CHECK(pim_classes_kind(k, scores, token) == PIM_AXIS_coupled);
	CHECK(pim_classes_kind(k, find(g, "q0"), token) == PIM_AXIS_free);
	const pim_factor *f;
	CHECK(pim_classes_axis(k, scores, 1, &f) == 1 && f[0].class == head && f[0].size == 3);
	pim_arena_free(a);
	pim_context_free(c);
}

static const char heads_text[] =
	"module {\n"
	"  graph @main(%x: f32[1,196,192], %w: f32[192,192], %b: f32[192]) {\n"
	"    %m = matmul %x, %w : f32[1,196,192]\n"
	"    %s = add %m, %b : f32[1,196,192]\n"
	"    %r = reshape %s {shape = [1, 196, 3, 64]} : f32[1,196,3,64]\n"
	"    %t = transpose %r {perm = [0, 2, 1, 3]} : f32[1,3,196,64]\n"
	"    %y = softmax %t {axis = 3} : f32[1,3,196,64]\n"
	"    return %y\n"
	"  }\n"
	"}\n";

static void check_heads(void)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_graph *g = parse(c, heads_text);
	pim_classes *k = pim_classes_new(g, a);
	int head = class_at(k, find(g, "y"), 1, 0, 3), inner = class_at(k, find(g, "y"), 3, 0, 64);
	CHECK(head >= 0 && inner >= 0);
	CHECK(
		class_at(k, find(g, "b"), 0, 0, 3) == head && class_at(k, find(g, "b"), 0, 1, 64) == inner);
	CHECK(class_at(k, find(g, "w"), 1, 0, 3) == head);
	CHECK(class_at(k, find(g, "w"), 0, 0, 192) == class_at(k, find(g, "x"), 2, 0, 192));
	CHECK(pim_classes_kind(k, find(g, "y"), inner) == PIM_AXIS_coupled);
	CHECK(pim_classes_kind(k, find(g, "y"), head) == PIM_AXIS_free);
	CHECK(
		pim_classes_kind(k, find(g, "m"), class_at(k, find(g, "x"), 2, 0, 192)) == PIM_AXIS_summed);
	pim_arena_free(a);
	pim_context_free(c);
}

static const char rows_text[] =
	"module {\n"
	"  graph @main(%x: f32[1,3,32,32], %w1: f32[8,3,3,3], %w2: f32[8,8,3,3], %w3: f32[8,1,3,3]) {\n"
	"    %a = conv %x, %w1 {pads = [1, 1, 1, 1], strides = [2, 2]} : f32[1,8,16,16]\n"
	"    %b = relu %a : f32[1,8,16,16]\n"
	"    %c = conv %b, %w2 {pads = [1, 1, 1, 1]} : f32[1,8,16,16]\n"
	"    %d = add %c, %b : f32[1,8,16,16]\n"
	"    %e = conv %d, %w3 {groups = 8, pads = [1, 1, 1, 1]} : f32[1,8,16,16]\n"
	"    return %e\n"
	"  }\n"
	"}\n";

static void check_rows(void)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_graph *g = parse(c, rows_text);
	pim_classes *k = pim_classes_new(g, a);
	int row = class_at(k, find(g, "e"), 2, 0, 16);
	CHECK(row >= 0 && row != class_at(k, find(g, "e"), 3, 0, 16));
	CHECK(class_at(k, find(g, "x"), 2, 0, 16) == row && class_at(k, find(g, "x"), 2, 1, 2) >= 0);
	CHECK(class_at(k, find(g, "b"), 2, 0, 16) == row);
	CHECK(pim_classes_kind(k, find(g, "a"), row) == PIM_AXIS_windowed);
	CHECK(pim_classes_kind(k, find(g, "b"), row) == PIM_AXIS_free);
	CHECK(pim_classes_kind(k, find(g, "e"), row) == PIM_AXIS_windowed);
	/* The residual makes the channels that %c reads those that it makes. */
	int channel = class_at(k, find(g, "c"), 1, 0, 8);
	CHECK(channel == class_at(k, find(g, "b"), 1, 0, 8));
	CHECK(pim_classes_kind(k, find(g, "c"), channel) == PIM_AXIS_coupled);
	CHECK(pim_classes_kind(k, find(g, "e"), channel) == PIM_AXIS_free);
	CHECK(pim_classes_kind(k, find(g, "a"), channel) == PIM_AXIS_free);
	CHECK(pim_classes_kind(k, find(g, "w1"), row) == PIM_AXIS_coupled);
	pim_arena_free(a);
	pim_context_free(c);
}

int main(void)
{
	check_windows();
	check_heads();
	check_rows();
	return check_failures != 0;
}
