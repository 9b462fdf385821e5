/* SPDX-License-Identifier: Apache-2.0 */
/* decompose_recurrent - lstm, gru and rnn step by step, as products, sums and activations.
 *
 * The input's products with all gates are one product for all steps; each step adds the state's.
 * The formulas are those of ops_recurrent.c. */
#include <math.h>
#include <string.h>

#include "ir/recurrent.h"

/* More steps than this, of all directions, stay whole: each becomes some twenty nodes. */
enum { MOST_STEPS = 256 };

/* One direction while it is written: the gates of all steps before the state, [steps*batch, gates *
 * units]; the state's weights and what is added behind the reset gate. */
typedef struct unrolled {
	pim_node *n;
	const pim_layer *l;
	const pim_activation *act;
	int64_t d;
	pim_node *pre, *r, *late, *peepholes;
} unrolled;

static pim_node *cut(pim_node *n, pim_node *x, int dim, int64_t start, int64_t size)
{
	int64_t starts[PIM_MAX_RANK] = {0}, sizes[PIM_MAX_RANK];
	if (!x)
		return NULL;
	memcpy(sizes, x->type->dims, sizeof *sizes * (size_t)x->type->rank);
	starts[dim] = start;
	sizes[dim] = size;
	pim_node *made = pim_rule_node(n, PIM_OP_slice, 1, &x);
	pim_node_set_ints(made, "starts", x->type->rank, starts);
	pim_node_set_ints(made, "sizes", x->type->rank, sizes);
	return pim_rule_done(made);
}

/* Entry d of the first dim, the others as [rows, columns]; rows 0: as [columns]. */
static pim_node *direction_of(pim_node *n, int input, int64_t d, int64_t rows, int64_t columns)
{
	if (pim_rule_is_absent(n, input))
		return NULL;
	int64_t dims[] = {rows, columns};
	pim_node *x = cut(n, n->in[input], 0, d, 1);
	return pim_rule_ints_op(n, PIM_OP_reshape, x, "shape", rows ? 2 : 1, rows ? dims : dims + 1);
}

static pim_node *with(pim_node *n, pim_op op, pim_node *x, double v)
{
	return pim_rule_binary(n, op, x, pim_rule_scalar(n, n->type->dtype, v));
}

static pim_node *sum_of(pim_node *n, pim_node *a, pim_node *b)
{
	return pim_rule_binary(n, PIM_OP_add, a, b);
}

static pim_node *product_of(pim_node *n, pim_node *a, pim_node *b)
{
	return pim_rule_binary(n, PIM_OP_mul, a, b);
}

/* a times b, which stands with its columns as rows. */
static pim_node *matmul_of(pim_node *n, pim_node *a, pim_node *b)
{
	pim_node *in[] = {a, b};
	if (!a || !b)
		return NULL;
	pim_node *made = pim_rule_node(n, PIM_OP_matmul, 2, in);
	pim_node_set_int(made, "transpose_b", 1);
	return pim_rule_done(made);
}

/* An op with the attributes that an activation has. */
static pim_node *op_with(pim_node *n, pim_op op, pim_node *x, const pim_activation *f)
{
	pim_node *made = pim_rule_node(n, op, 1, &x);
	pim_node_set_float(made, "alpha", f->alpha);
	if (op == PIM_OP_hard_sigmoid)
		pim_node_set_float(made, "beta", f->beta);
	return pim_rule_done(made);
}

static pim_node *threshold(pim_node *n, pim_node *x, double limit)
{
	pim_node *in[] = {with(n, PIM_OP_greater, x, limit), x, with(n, PIM_OP_mul, x, 0)};
	return in[0] && in[2] ? pim_rule_done(pim_rule_node(n, PIM_OP_where, 3, in)) : NULL;
}

static pim_node *activate(pim_node *n, const pim_layer *l, const pim_activation *f, pim_node *x)
{
	if (x && isfinite(l->clip)) {
		x = pim_rule_node(n, PIM_OP_clip, 1, &x);
		pim_node_set_float(x, "min", -l->clip);
		pim_node_set_float(x, "max", l->clip);
		x = pim_rule_done(x);
	}
	if (!x)
		return NULL;
	switch (f->kind) {
	case ACTIVATION_relu:
		return pim_rule_unary(n, PIM_OP_relu, x);
	case ACTIVATION_tanh:
		return pim_rule_unary(n, PIM_OP_tanh, x);
	case ACTIVATION_sigmoid:
		return pim_rule_unary(n, PIM_OP_sigmoid, x);
	case ACTIVATION_softplus:
		return pim_rule_unary(n, PIM_OP_softplus, x);
	case ACTIVATION_affine:
		return with(n, PIM_OP_add, with(n, PIM_OP_mul, x, f->alpha), f->beta);
	case ACTIVATION_leaky_relu:
		return op_with(n, PIM_OP_leaky_relu, x, f);
	case ACTIVATION_elu:
		return op_with(n, PIM_OP_elu, x, f);
	case ACTIVATION_hard_sigmoid:
		return op_with(n, PIM_OP_hard_sigmoid, x, f);
	case ACTIVATION_thresholded_relu:
		return threshold(n, x, f->alpha);
	case ACTIVATION_scaled_tanh:
		x = pim_rule_unary(n, PIM_OP_tanh, with(n, PIM_OP_mul, x, f->beta));
		return with(n, PIM_OP_mul, x, f->alpha);
	default: /* softsign */
		return pim_rule_binary(
			n, PIM_OP_div, x, with(n, PIM_OP_add, pim_rule_unary(n, PIM_OP_abs, x), 1));
	}
}

/* Gate k of what has all of them side by side. */
static pim_node *gate(const unrolled *u, pim_node *x, int k)
{
	return x ? cut(u->n, x, x->type->rank - 1, k * u->l->units, u->l->units) : NULL;
}

/* The gate's sum with what the cell gives through its peephole. */
static pim_node *peep(const unrolled *u, pim_node *x, int k, pim_node *cell)
{
	if (!u->peepholes)
		return x;
	return sum_of(u->n, x, product_of(u->n, gate(u, u->peepholes, k), cell));
}

static void write_lstm(const unrolled *u, pim_node *pre, pim_node **h, pim_node **c)
{
	pim_node *n = u->n, *sum = sum_of(n, pre, matmul_of(n, *h, u->r));
	pim_node *i = activate(n, u->l, &u->act[0], peep(u, gate(u, sum, 0), 0, *c));
	pim_node *f = u->l->input_forget
					  ? with(n, PIM_OP_add, pim_rule_unary(n, PIM_OP_neg, i), 1)
					  : activate(n, u->l, &u->act[0], peep(u, gate(u, sum, 2), 2, *c));
	pim_node *v = activate(n, u->l, &u->act[1], gate(u, sum, 3));
	*c = sum_of(n, product_of(n, f, *c), product_of(n, i, v));
	pim_node *o = activate(n, u->l, &u->act[0], peep(u, gate(u, sum, 1), 1, *c));
	*h = product_of(n, o, activate(n, u->l, &u->act[2], *c));
}

static void write_gru(const unrolled *u, pim_node *pre, pim_node **h)
{
	pim_node *n = u->n, *r3 = cut(n, u->r, 0, 2 * u->l->units, u->l->units), *rec;
	pim_node *sum = sum_of(n, cut(n, pre, 1, 0, 2 * u->l->units),
		matmul_of(n, *h, cut(n, u->r, 0, 0, 2 * u->l->units)));
	pim_node *z = activate(n, u->l, &u->act[0], gate(u, sum, 0));
	pim_node *reset = activate(n, u->l, &u->act[0], gate(u, sum, 1));
	if (u->l->linear_before_reset) {
		rec = matmul_of(n, *h, r3);
		rec = product_of(n, reset, u->late ? sum_of(n, rec, u->late) : rec);
	} else {
		rec = matmul_of(n, product_of(n, reset, *h), r3);
	}
	pim_node *v = activate(n, u->l, &u->act[1], sum_of(n, gate(u, pre, 2), rec));
	pim_node *rest = with(n, PIM_OP_add, pim_rule_unary(n, PIM_OP_neg, z), 1);
	*h = sum_of(n, product_of(n, rest, v), product_of(n, z, *h));
}

/* What the input and the biases add to all gates. */
static void start_direction(unrolled *u)
{
	pim_node *n = u->n;
	int64_t all = u->l->gates * u->l->units, wait = u->l->linear_before_reset ? u->l->units : 0;
	int64_t dims[] = {u->l->steps * u->l->batch, u->l->inputs};
	pim_node *x = pim_rule_ints_op(n, PIM_OP_reshape, n->in[IN_x], "shape", 2, dims);
	u->r = direction_of(n, IN_r, u->d, all, u->l->units);
	u->peepholes = (int)n->n_in > IN_peepholes
					   ? direction_of(n, IN_peepholes, u->d, 0, 3 * u->l->units)
					   : NULL;
	u->pre = matmul_of(n, x, direction_of(n, IN_w, u->d, all, u->l->inputs));
	pim_node *bias = direction_of(n, IN_bias, u->d, 0, 2 * all);
	if (!bias)
		return;
	pim_node *second = cut(n, bias, 0, all, all);
	u->pre = sum_of(n, u->pre, cut(n, bias, 0, 0, all));
	if (!wait) {
		u->pre = sum_of(n, u->pre, second);
		return;
	}
	/* the last gate's second bias waits for the reset gate */
	u->late = cut(n, second, 0, all - wait, wait);
	pim_node *parts[] = {
		sum_of(n, cut(n, u->pre, 1, 0, all - wait), cut(n, second, 0, 0, all - wait)),
		cut(n, u->pre, 1, all - wait, wait)};
	u->pre = NULL;
	if (!parts[0] || !parts[1])
		return;
	pim_node *joined = pim_rule_node(n, PIM_OP_concat, 2, parts);
	pim_node_set_int(joined, "axis", 1);
	u->pre = pim_rule_done(joined);
}

/* The first state, zero where none is given. */
static pim_node *first_state(const unrolled *u, int input)
{
	int64_t dims[] = {u->l->batch, u->l->units};
	pim_node *n = u->n;
	if (input < (int)n->n_in && !pim_rule_is_absent(n, input))
		return direction_of(n, input, u->d, dims[0], dims[1]);
	pim_node *zero = pim_rule_scalar(n, n->type->dtype, 0);
	return pim_rule_ints_op(n, PIM_OP_expand, zero, "shape", 2, dims);
}

static pim_node *join(pim_node *n, pim_node **part, int64_t count, int axis)
{
	for (int64_t i = 0; i < count; i++)
		if (!part[i])
			return NULL;
	pim_node *made = pim_rule_node(n, PIM_OP_concat, (int)count, part);
	pim_node_set_int(made, "axis", axis);
	return pim_rule_done(made);
}

/* All rows of the result of one direction: [steps + states, 1, batch, units]. */
static pim_node *write_direction(unrolled *u, pim_arena *scratch)
{
	const pim_layer *l = u->l;
	pim_node *n = u->n, **row = PIM_NEW(scratch, pim_node *, l->steps + l->states);
	int64_t dims[] = {1, 1, l->batch, l->units};
	start_direction(u);
	pim_node *h = first_state(u, IN_hidden);
	pim_node *c = n->op == PIM_OP_lstm ? first_state(u, IN_cell) : NULL;
	for (int64_t s = 0; s < l->steps && u->pre && h; s++) {
		int64_t t = l->back[u->d] ? l->steps - 1 - s : s;
		pim_node *pre = cut(n, u->pre, 0, t * l->batch, l->batch);
		if (n->op == PIM_OP_lstm)
			write_lstm(u, pre, &h, &c);
		else if (n->op == PIM_OP_gru)
			write_gru(u, pre, &h);
		else
			h = activate(n, l, &u->act[0], sum_of(n, pre, matmul_of(n, h, u->r)));
		row[t] = pim_rule_ints_op(n, PIM_OP_reshape, h, "shape", 4, dims);
	}
	row[l->steps] = pim_rule_ints_op(n, PIM_OP_reshape, h, "shape", 4, dims);
	if (c)
		row[l->steps + 1] = pim_rule_ints_op(n, PIM_OP_reshape, c, "shape", 4, dims);
	return join(n, row, l->steps + l->states, 0);
}

/* Step by step, each direction by itself. Sequences of different lengths and long ones stay whole.
 */
static pim_node *unroll(pim_node *n)
{
	pim_layer l;
	pim_node *way[2];
	if (!pim_layer_read(n, &l))
		return NULL;
	bool lengths = (int)n->n_in > IN_lengths && !pim_rule_is_absent(n, IN_lengths);
	if (lengths || l.steps * l.directions > MOST_STEPS || n->type->elements == 0 || l.inputs == 0 ||
		n->type->dtype != PIM_DTYPE_f32)
		return n;
	pim_arena *scratch = pim_arena_new();
	for (int64_t d = 0; d < l.directions; d++) {
		unrolled u = {.n = n, .l = &l, .act = l.act[d], .d = d};
		way[d] = write_direction(&u, scratch);
	}
	pim_arena_free(scratch);
	return l.directions == 1 ? way[0] : join(n, way, 2, 1);
}

pim_node *pim_decompose_lstm(pim_node *n)
{
	return unroll(n);
}

pim_node *pim_decompose_gru(pim_node *n)
{
	return unroll(n);
}

pim_node *pim_decompose_rnn(pim_node *n)
{
	return unroll(n);
}
