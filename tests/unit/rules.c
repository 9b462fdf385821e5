/* SPDX-License-Identifier: Apache-2.0 */
/* rules - fold and decompose rules: what they write, and that it has the same type and values. */
#include "tests/unit/check.h"

#include "tests/unit/random_nodes.h"

static void print_diag(void *user, const pim_diag *d)
{
	(void)user;
	fprintf(stderr, "%d:%d: %s\n", d->line, d->column, d->message);
}

/* Evaluates the graph on random inputs; its last two results must agree. */
static void check_same_values(pim_graph *g, double tolerance, const char *what)
{
	pim_arena *a = pim_arena_new();
	pim_tensor *in = PIM_NEW(a, pim_tensor, g->n_inputs), out[2];
	for (int i = 0; i < g->n_inputs; i++) {
		in[i] = give_tensor(g->inputs[i]->type, a);
		pim_tensor_random(&in[i], (uint64_t)i + 5);
	}
	bool good = pim_graph_eval(g, in, out, a) && out[0].type == out[1].type;
	CHECK(good);
	if (good && pim_tensor_compare(&out[1], &out[0], tolerance, tolerance).beyond) {
		fprintf(stderr, "values differ: %s\n", what);
		CHECK(false);
	}
	pim_arena_free(a);
}

/* Signature, body whose last node is %y, and the op (or input) that must stand for %y after the
 * rule. */
typedef struct fold_case {
	const char *inputs, *body, *becomes;
} fold_case;

static const fold_case fold_cases[] = {
	{"%x: f32[3]", "%a = neg %x : f32[3]\n%y = neg %a : f32[3]", "input"},
	{"%x: f32[3]", "%y = cast %x {to = \"f32\"} : f32[3]", "input"},
	{"%x: f32[3]", "%y = cast %x {to = \"i32\"} : i32[3]", "cast"},
	{"%x: f32[3]", "%a = relu %x : f32[3]\n%y = relu %a : f32[3]", "relu"},
	{"%x: f32[3]", "%a = clip %x {min = 0.0, max = 0.5} : f32[3]\n%y = relu %a : f32[3]", "clip"},
	{"%x: f32[3]", "%y = clip %x {min = 0.0} : f32[3]", "relu"},
	{"%x: f32[3]", "%y = clip %x : f32[3]", "input"},
	{"%x: f32[9]", "%a = clip %x {min = -0.5} : f32[9]\n%y = clip %a {max = 0.5} : f32[9]", "clip"},
	{"%x: f32[2,3]", "%c = constant {value = 0.0} : f32[3]\n%y = add %c, %x : f32[2,3]", "input"},
	{"%x: f32[3]", "%c = constant {value = 0.0} : f32[2,3]\n%y = add %x, %c : f32[2,3]", "add"},
	{"%x: f32[3]", "%c = constant {value = 0.0} : f32[]\n%y = sub %x, %c : f32[3]", "input"},
	{"%x: f32[3]", "%c = constant {value = 0.0} : f32[]\n%y = sub %c, %x : f32[3]", "sub"},
	{"%x: f32[3]", "%c = constant {value = [1.0, 1.0, 1.0]} : f32[3]\n%y = mul %x, %c : f32[3]",
		"input"},
	{"%x: f32[3]", "%c = constant {value = 0.0} : f32[]\n%y = mul %x, %c : f32[3]", "mul"},
	{"%x: i32[3]", "%c = constant {value = 0} : i32[]\n%y = mul %x, %c : i32[3]", "constant"},
	{"%x: f32[3]", "%c = constant {value = 1.0} : f32[]\n%y = div %x, %c : f32[3]", "input"},
	{"%x: f32[3]", "%c = constant {value = 1.0} : f32[]\n%y = div %c, %x : f32[3]", "div"},
	{"%x: f32[3]", "%c = constant {value = 2.0} : f32[]\n%y = pow %x, %c : f32[3]", "mul"},
	{"%x: f32[3]",
		"%a = abs %x : f32[3]\n%c = constant {value = 0.5} : f32[]\n%y = pow %a, %c : f32[3]",
		"sqrt"},
	{"%x: f32[3]", "%c = constant {value = -1.0} : f32[]\n%y = pow %x, %c : f32[3]", "reciprocal"},
	{"%x: f32[3], %z: f32[3]",
		"%c = constant {value = 1} : bool[3]\n%y = where %c, %x, %z : f32[3]", "input"},
	{"%x: f32[3], %z: f32[1]",
		"%c = constant {value = 0} : bool[3]\n%y = where %c, %x, %z : f32[3]", "expand"},
	{"%x: f32[2,3], %z: f32[2,4]",
		"%a = transpose %x {perm = [1, 0]} : f32[3,2]\n%y = matmul %a, %z : f32[3,4]", "matmul"},
	{"%x: f32[2,3], %z: f32[4,3]",
		"%a = transpose %z {perm = [1, 0]} : f32[3,4]\n%y = matmul %x, %a : f32[2,4]", "matmul"},
	{"%x: f32[2,3], %z: f32[4,3]",
		"%a = transpose %x {perm = [1, 0]} : f32[3,2]\n"
		"%y = matmul %a, %z {transpose_a = 1, transpose_b = 1} : f32[2,4]",
		"matmul"},
	{"%x: f32[1,2,4,4], %w: f32[3,2,3,3]",
		"%a = pad %x {pads = [0, 0, 1, 0, 0, 0, 0, 2]} : f32[1,2,5,6]\n"
		"%y = conv %a, %w {pads = [1, 1, 1, 1]} : f32[1,3,5,6]",
		"conv"},
	{"%x: f32[1,2,4,4], %w: f32[3,2,3,3]",
		"%c = constant {value = 0.0} : f32[3]\n%y = conv %x, %w, %c : f32[1,3,2,2]", "conv"},
	{"%x: f32[1,2,3,3]",
		"%w = constant {value = [1.0, 2.0, 3.0, -1.0]} : f32[2,2,1,1]\n"
		"%b = constant {value = [0.5, 1.0]} : f32[2]\n%s = constant {value = [2.0, 3.0]} : f32[2]\n"
		"%m = constant {value = [0.1, -0.2]} : f32[2]\n%v = constant {value = [1.5, 0.7]} : "
		"f32[2]\n"
		"%a = conv %x, %w, %b : f32[1,2,3,3]\n%y = batch_norm %a, %s, %b, %m, %v : f32[1,2,3,3]",
		"conv"},
	{"%x: f32[2,2,3]",
		"%w = constant {value = [1.0, 2.0]} : f32[2,1,1]\n%s = constant {value = 2.0} : f32[2]\n"
		"%a = conv %x, %w {groups = 2} : f32[2,2,3]\n%y = batch_norm %a, %s, %s, %s, %s : "
		"f32[2,2,3]",
		"conv"},
	{"%x: f32[6]",
		"%a = reshape %x {shape = [2, 3]} : f32[2,3]\n%y = reshape %a {shape = [3, 2]} : f32[3,2]",
		"reshape"},
	{"%x: f32[6]",
		"%a = reshape %x {shape = [2, 3]} : f32[2,3]\n%y = reshape %a {shape = [6]} : f32[6]",
		"input"},
	{"%x: f32[2,3,4]",
		"%a = transpose %x {perm = [1, 2, 0]} : f32[3,4,2]\n%y = transpose %a {perm = [1, 2, 0]} : "
		"f32[4,2,3]",
		"transpose"},
	{"%x: f32[2,3]", "%y = transpose %x {perm = [0, 1]} : f32[2,3]", "input"},
	{"%x: f32[9]",
		"%a = slice %x {starts = [8], sizes = [4], steps = [-2]} : f32[4]\n"
		"%y = slice %a {starts = [3], sizes = [2], steps = [-2]} : f32[2]",
		"slice"},
	{"%x: f32[4]", "%y = slice %x {starts = [0], sizes = [4]} : f32[4]", "input"},
	{"%x: f32[4]", "%y = slice %x {starts = [3], sizes = [4], steps = [-1]} : f32[4]", "slice"},
	{"%x: f32[2,4], %z: f32[2,3]",
		"%a = concat %x, %z {axis = 1} : f32[2,7]\n"
		"%y = slice %a {starts = [0, 4], sizes = [2, 3]} : f32[2,3]",
		"slice"},
	{"%x: f32[2,4], %z: f32[2,3]",
		"%a = concat %x, %z {axis = 1} : f32[2,7]\n"
		"%y = slice %a {starts = [0, 3], sizes = [2, 3]} : f32[2,3]",
		NULL},
	{"%x: f32[4]", "%y = concat %x {axis = 0} : f32[4]", "input"},
	{"%x: f32[4]", "%y = expand %x {shape = [4]} : f32[4]", "input"},
	{"%x: f32[4]", "%y = pad %x {pads = [0, 0]} : f32[4]", "input"},
	{"%x: f32[4,1]", "%y = reduce_sum %x {axes = [1], keepdims = 0} : f32[4]", "reshape"},
	{"%x: f32[4,1]", "%y = reduce_max %x {axes = [1]} : f32[4,1]", "input"},
	{"%x: f32[4,1]", "%y = reduce_mean %x {axes = [0]} : f32[1,1]", "reduce_mean"},
};

/* becomes NULL: the rule leaves the node alone. */
static void check_fold(const fold_case *k)
{
	char text[2000];
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, print_diag, NULL);
	snprintf(text, sizeof text, "module {\ngraph @main(%s) {\n%s\nreturn %%y\n}\n}\n", k->inputs,
		k->body);
	pim_module *m = pim_module_parse(c, "rule", text, strlen(text));
	CHECK(m);
	if (!m) {
		fprintf(stderr, "%s\n", text);
		pim_context_free(c);
		return;
	}
	pim_graph *g = pim_module_graph(m, 0);
	pim_node *y = g->results[0], *by = pim_op_at((pim_op)y->op)->fold(y);
	CHECK(by && by->type == y->type);
	bool right = by && (k->becomes ? !strcmp(pim_node_op(by), k->becomes) : by == y);
	CHECK(right);
	if (!right)
		fprintf(stderr, "%s\nbecomes %s\n", k->body, by ? pim_node_op(by) : "nothing");
	if (by) {
		pim_graph_add_result(g, by);
		check_same_values(g, 1e-6, k->body);
	}
	pim_context_free(c);
}

/* Nodes that have no rule: empty ones, resizing of a region or over windows that grow, layers whose
 * sequences have lengths of their own. */
static bool may_stay(const pim_node *n)
{
	enum { IN_lengths = 4 };
	bool recurrent = n->op == PIM_OP_lstm || n->op == PIM_OP_gru || n->op == PIM_OP_rnn;
	bool is_empty = n->type->elements == 0 || n->in[0]->type->elements == 0;
	if (n->op == PIM_OP_resize)
		return is_empty || pim_node_int(n, "antialias") ||
			   !strcmp(pim_node_string(n, "coordinates"), "tf_crop_and_resize");
	return recurrent && (is_empty || n->type->dtype != PIM_DTYPE_f32 ||
							(n->n_in > IN_lengths && n->in[IN_lengths]->type->elements > 0));
}

/* Decomposes n and what that wrote until nothing is left to break up. */
static pim_node *break_up(pim_graph *g, pim_node *n)
{
	const pim_op_info *info = pim_op_at((pim_op)n->op);
	pim_node *by = info->decompose(n);
	CHECK(by && by->type == n->type);
	CHECK(by != n || may_stay(n));
	for (bool again = true; again;) {
		again = false;
		for (pim_node *k = g->first; k && !again; k = k->next) {
			pim_node *(*rule)(pim_node *) = pim_op_at((pim_op)k->op)->decompose;
			pim_node *to = rule && k != n ? rule(k) : k;
			if (!to || to == k)
				continue;
			pim_node_replace(k, to);
			by = by == k ? to : by;
			pim_node_remove(k);
			again = true;
		}
	}
	return by;
}

static void check_decompose(pim_op op, random_source *r)
{
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, print_diag, NULL);
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	pim_node *n = make_random_node(g, r, op);
	if (op == PIM_OP_gelu && pick(r, 2))
		pim_node_set_string(n, "approximate", "tanh");
	pim_graph_add_result(g, n);
	pim_node *by = break_up(g, n);
	pim_graph_add_result(g, by);
	check_same_values(g, 2e-5, pim_op_at(op)->name);
	pim_context_free(c);
}

int main(void)
{
	random_source r = {.state = 3};
	for (size_t i = 0; i < sizeof fold_cases / sizeof *fold_cases; i++)
		check_fold(&fold_cases[i]);
	for (int op = 0; op < PIM_OP_COUNT; op++)
		for (int i = 0; i < 30 && pim_op_at((pim_op)op)->decompose; i++)
			check_decompose((pim_op)op, &r);
	return check_failures != 0;
}
