/* SPDX-License-Identifier: Apache-2.0 */
/* axes - for random small nodes of every op: what an op's axes promise, held against its
 * evaluation.
 *
 * 1. A result box needs nothing but the demanded input boxes: poison elsewhere does not reach it.
 * 2. Demanded boxes hold every element that the index maps name, and no more when nothing was
 * clipped.
 * 3. Ops that move elements: the maps say exactly which element goes where, each once.
 * 4. Windowed ops on a tile, with the clipped ends as pads, make the box of the whole result.
 * 5. Every other op that computes makes, on the demanded boxes as they are, the box of the whole
 * result.
 * 6. Partial sums over a cut of a summed axis add up to the whole. */
#include "tests/unit/check.h"

#include <math.h>

#include "tests/unit/random_nodes.h"

enum { MOST_INPUTS = 8 };

static random_source source = {.state = 1};

static pim_tensor run_node(const pim_node *n, const pim_tensor *in, pim_arena *a, bool plain)
{
	pim_tensor out = give_tensor(n->type, a);
	pim_eval e = {.context = pim_context_of(n), .scratch = a, .threads = 1, .plain = plain};
	CHECK(pim_node_eval(n, in, &out, &e));
	return out;
}

static pim_box pick_box(const pim_type *t)
{
	pim_box b = {.n = t->rank};
	for (int d = 0; d < t->rank; d++) {
		b.lo[d] = pick(&source, t->dims[d]);
		b.hi[d] = pick_in(&source, b.lo[d] + 1, t->dims[d]);
	}
	return b;
}

/* Counts `at` up inside a box, last dim fastest; false after the last. */
static bool step_in_box(const pim_box *b, int64_t *at)
{
	for (int d = b->n - 1; d >= 0; d--) {
		if (++at[d] < b->hi[d])
			return true;
		at[d] = b->lo[d];
	}
	return false;
}

static int64_t place_of(const pim_type *t, const int64_t *at)
{
	int64_t place = 0;
	for (int d = 0; d < t->rank; d++)
		place = place * t->dims[d] + at[d];
	return place;
}

static bool is_inside(const pim_box *b, const int64_t *at)
{
	for (int d = 0; d < b->n; d++)
		if (at[d] < b->lo[d] || at[d] >= b->hi[d])
			return false;
	return true;
}

static bool is_same_element(const pim_tensor *a, int64_t i, const pim_tensor *b, int64_t j)
{
	size_t bytes = pim_dtype_bytes(a->type->dtype);
	return !memcmp((char *)a->data + (size_t)i * bytes, (char *)b->data + (size_t)j * bytes, bytes);
}

/* NaN, the other truth value, or another index outside the box. */
static pim_tensor poison(const pim_tensor *t, const pim_box *keep, pim_arena *a)
{
	pim_tensor p = give_tensor(t->type, a);
	int64_t at[PIM_MAX_RANK] = {0};
	pim_box all = pim_box_of(t->type);
	memcpy(p.data, t->data, (size_t)pim_type_bytes(t->type));
	do {
		int64_t i = place_of(t->type, at);
		double v = pim_element_get(t->type->dtype, t->data, i);
		double bad = pim_dtype_is_float(t->type->dtype) ? NAN
					 : t->type->dtype == PIM_DTYPE_bool ? !v
														: (v < 0 ? 1 : -1);
		if (pim_box_empty(keep) || !is_inside(keep, at))
			pim_element_set(t->type->dtype, p.data, i, bad);
	} while (step_in_box(&all, at));
	return p;
}

static void check_demand(const pim_node *n, const pim_axes *x, const pim_tensor *in,
	const pim_tensor *whole, pim_arena *a)
{
	pim_box box = pick_box(n->type), axes, need;
	pim_tensor *poisoned = PIM_NEW(a, pim_tensor, n->n_in);
	int64_t at[PIM_MAX_RANK];
	bool same = true;
	pim_axes_cover(x, &box, &axes);
	for (int i = 0; i < (int)n->n_in; i++) {
		pim_axes_demand(x, n, i, &axes, &need, NULL, NULL);
		poisoned[i] = poison(&in[i], &need, a);
	}
	/* Plain: the fast paths may multiply an element they do not need by zero. */
	pim_tensor part = run_node(n, poisoned, a, true);
	memcpy(at, box.lo, sizeof at);
	do {
		int64_t i = place_of(n->type, at);
		same = same && is_same_element(&part, i, whole, i);
	} while (step_in_box(&box, at));
	CHECK(same);
	if (!same)
		fprintf(stderr, "demand of %s\n", pim_node_op(n));
}

static int64_t index_at(const pim_index *i, const int64_t *at)
{
	int64_t v = i->offset;
	for (int t = 0; t < i->n; t++)
		v += i->term[t].coef * at[i->term[t].axis];
	return v;
}

static void check_hull(const pim_node *n, const pim_axes *x, int input)
{
	const pim_type *t = n->in[input]->type;
	pim_box box = pick_box(n->type), axes, need, all = pim_box_of(t);
	int64_t at[PIM_MAX_AXES], lo_pad[PIM_MAX_RANK], hi_pad[PIM_MAX_RANK];
	int64_t lo[PIM_MAX_RANK], hi[PIM_MAX_RANK];
	pim_axes_cover(x, &box, &axes);
	pim_axes_demand(x, n, input, &axes, &need, lo_pad, hi_pad);
	if (x->whole[input]) {
		CHECK(pim_box_elements(&need) == t->elements);
		return;
	}
	for (int d = 0; d < t->rank; d++) {
		lo[d] = INT64_MAX;
		hi[d] = INT64_MIN;
	}
	memcpy(at, axes.lo, sizeof at);
	do
		for (int d = 0; d < t->rank; d++) {
			int64_t v = index_at(&x->map[input][d], at);
			lo[d] = v < lo[d] ? v : lo[d];
			hi[d] = v + 1 > hi[d] ? v + 1 : hi[d];
		}
	while (step_in_box(&axes, at));
	for (int d = 0; d < t->rank; d++) {
		CHECK(need.lo[d] >= 0 && need.hi[d] <= all.hi[d]);
		if (need.lo[d] < need.hi[d])
			CHECK(need.lo[d] - lo_pad[d] == lo[d] && need.hi[d] + hi_pad[d] == hi[d]);
		else
			CHECK(hi[d] <= 0 || lo[d] >= all.hi[d]);
	}
}

static void check_moves(const pim_node *n, const pim_axes *x, const pim_tensor *in,
	const pim_tensor *whole, pim_arena *a)
{
	int *written = PIM_NEW(a, int, n->type->elements + 1);
	int64_t at[PIM_MAX_AXES] = {0}, from[PIM_MAX_RANK], to[PIM_MAX_RANK];
	pim_box all = pim_box_of(n->type), axes;
	pim_axes_cover(x, &all, &axes);
	for (int i = 0; i < (int)n->n_in; i++)
		if (x->whole[i])
			return;
	do {
		for (int d = 0; d < n->type->rank; d++)
			to[d] = index_at(&x->map[n->n_in][d], at);
		for (int i = 0; i < (int)n->n_in; i++) {
			pim_box inside = pim_box_of(in[i].type);
			for (int d = 0; d < in[i].type->rank; d++)
				from[d] = index_at(&x->map[i][d], at);
			if (!is_inside(&inside, from))
				continue;
			written[place_of(n->type, to)]++;
			CHECK(
				is_same_element(&in[i], place_of(in[i].type, from), whole, place_of(n->type, to)));
		}
	} while (step_in_box(&axes, at));
	for (int64_t i = 0; i < n->type->elements; i++)
		CHECK(written[i] == 1);
}

static pim_tensor cut(const pim_tensor *t, const pim_box *b, pim_context *c, pim_arena *a)
{
	int64_t dims[PIM_MAX_RANK], at[PIM_MAX_RANK] = {0}, i = 0;
	size_t bytes = pim_dtype_bytes(t->type->dtype);
	for (int d = 0; d < b->n; d++)
		dims[d] = b->hi[d] - b->lo[d];
	pim_tensor part = give_tensor(pim_type_tensor(c, t->type->dtype, b->n, dims), a);
	memcpy(at, b->lo, sizeof(int64_t) * (size_t)b->n);
	if (pim_box_empty(b))
		return part;
	do
		memcpy((char *)part.data + (size_t)i++ * bytes,
			(char *)t->data + (size_t)place_of(t->type, at) * bytes, bytes);
	while (step_in_box(b, at));
	return part;
}

static bool is_convolution(const pim_node *n)
{
	return n->op == PIM_OP_conv || n->op == PIM_OP_conv_transpose || n->op == PIM_OP_conv_integer;
}

/* The op of n on tiles, with other pads and groups. */
static pim_node *make_tile(const pim_node *n, int n_in, const pim_tensor *in, const int64_t *lo_pad,
	const int64_t *hi_pad, int64_t groups)
{
	pim_node *inputs[MOST_INPUTS];
	int64_t pads[2 * PIM_MAX_RANK], counted[6];
	const int64_t *own = NULL;
	int skip = n->op == PIM_OP_pad ? 0 : 2, count = in[0].type->rank - skip;
	for (int i = 0; i < n_in; i++)
		inputs[i] = pim_input_new(n->graph, NULL, in[i].type);
	pim_node *tile = pim_node_new(n->graph, pim_node_op(n), n_in, inputs, NULL);
	for (int i = 0; i < n->n_attrs; i++)
		pim_attr_set(tile, &n->attrs[i]);
	for (int d = 0; lo_pad && d < count; d++) {
		pads[d] = lo_pad[skip + d];
		pads[count + d] = hi_pad[skip + d];
	}
	if (lo_pad)
		pim_node_set_ints(tile, "pads", 2 * count, pads);
	if (lo_pad && n->op == PIM_OP_average_pool && pim_node_ints(n, "counted_pads", &own)) {
		for (int i = 0; i < 2 * count; i++)
			counted[i] = pads[i] < own[i] ? pads[i] : own[i];
		pim_node_set_ints(tile, "counted_pads", 2 * count, counted);
	}
	if (is_convolution(n))
		pim_node_set_int(tile, "groups", groups);
	CHECK(pim_node_infer(tile));
	return tile;
}

/* What a box of axes makes: the result box. */
static pim_box made_by(const pim_axes *x, const pim_type *t, const pim_box *axes)
{
	pim_box b = {.n = t->rank};
	for (int d = 0; d < t->rank; d++) {
		const pim_index *i = &x->map[x->n_inputs][d];
		int64_t last[PIM_MAX_AXES];
		for (int k = 0; k < x->n_axes; k++)
			last[k] = axes->hi[k] - 1;
		b.lo[d] = index_at(i, axes->lo);
		b.hi[d] = index_at(i, last) + 1;
	}
	return b;
}

static int64_t groups_in(const pim_axes *x, const pim_box *axes)
{
	for (int k = 0; k < x->n_axes; k++)
		if (!strcmp(x->axis[k].name, "group"))
			return axes->hi[k] - axes->lo[k];
	return 1;
}

/* Whether what is clipped off the first input becomes the tile's pads. */
static bool has_window(const pim_node *n)
{
	return n->op == PIM_OP_conv || n->op == PIM_OP_conv_integer || n->op == PIM_OP_max_pool ||
		   n->op == PIM_OP_average_pool ||
		   (n->op == PIM_OP_pad && pim_node_string(n, "mode")[0] == 'c');
}

static bool is_close(const pim_tensor *a, const pim_tensor *b)
{
	return a->type == b->type && pim_tensor_compare(a, b, 1e-5, 1e-5).beyond == 0;
}

static void check_tile(const pim_node *n, const pim_axes *x, const pim_tensor *in,
	const pim_tensor *whole, pim_arena *a)
{
	pim_box box = pick_box(n->type), axes, need;
	int64_t lo_pad[PIM_MAX_RANK], hi_pad[PIM_MAX_RANK];
	pim_tensor parts[MOST_INPUTS];
	pim_axes_cover(x, &box, &axes);
	box = made_by(x, n->type, &axes);
	for (int i = (int)n->n_in - 1; i >= 0; i--) {
		pim_axes_demand(x, n, i, &axes, &need, lo_pad, hi_pad);
		parts[i] = cut(&in[i], &need, pim_context_of(n), a);
	}
	pim_node *tile = make_tile(
		n, (int)n->n_in, parts, has_window(n) ? lo_pad : NULL, hi_pad, groups_in(x, &axes));
	pim_tensor got = run_node(tile, parts, a, false), want = cut(whole, &box, pim_context_of(n), a);
	CHECK(is_close(&got, &want));
	if (!is_close(&got, &want))
		fprintf(stderr, "tile of %s\n", pim_node_op(n));
}

/* The sum of the parts of a cut axis, added in f64 and rounded. */
static void check_sum(const pim_node *n, const pim_axes *x, int axis, const pim_tensor *in,
	const pim_tensor *whole, pim_arena *a)
{
	int64_t middle = pick_in(&source, 1, x->axis[axis].size - 1);
	pim_tensor sum = give_tensor(n->type, a);
	for (int part = 0; part < 2; part++) {
		pim_box all = pim_box_of(n->type), axes, need;
		int64_t lo_pad[PIM_MAX_RANK], hi_pad[PIM_MAX_RANK];
		pim_tensor parts[MOST_INPUTS];
		int n_in = (int)n->n_in > 2 && part == 1 ? 2 : (int)n->n_in;
		pim_axes_cover(x, &all, &axes);
		axes.lo[axis] = part ? middle : 0;
		axes.hi[axis] = part ? x->axis[axis].size : middle;
		for (int i = n_in - 1; i >= 0; i--) {
			pim_axes_demand(x, n, i, &axes, &need, lo_pad, hi_pad);
			parts[i] = cut(&in[i], &need, pim_context_of(n), a);
		}
		pim_node *tile =
			make_tile(n, n_in, parts, has_window(n) ? lo_pad : NULL, hi_pad, groups_in(x, &axes));
		pim_tensor got = run_node(tile, parts, a, false);
		for (int64_t i = 0; i < n->type->elements; i++)
			if (n->type->dtype == PIM_DTYPE_i32)
				((uint32_t *)sum.data)[i] += ((uint32_t *)got.data)[i];
			else
				((float *)sum.data)[i] += ((float *)got.data)[i];
	}
	CHECK(is_close(&sum, whole));
}

static void check_node(pim_context *c, pim_op op)
{
	pim_module *m = pim_module_new(c);
	pim_graph *g = pim_graph_new(m, "main");
	pim_node *n = make_random_node(g, &source, op);
	pim_arena *a = pim_arena_new();
	pim_axes *x = pim_axes_new(n, a);
	pim_tensor *in = give_random_inputs(n, &source, a);
	pim_tensor whole = run_node(n, in, a, true);
	CHECK(x->n_inputs == (int)n->n_in);
	check_demand(n, x, in, &whole, a);
	for (int i = 0; i < (int)n->n_in; i++)
		check_hull(n, x, i);
	if (pim_op_at(op)->flags & PIM_OPF_move)
		check_moves(n, x, in, &whole, a);
	if (!(pim_op_at(op)->flags & PIM_OPF_move))
		check_tile(n, x, in, &whole, a);
	for (int k = 0; k < x->n_axes; k++)
		if (x->axis[k].kind == PIM_AXIS_summed && x->axis[k].size > 1)
			check_sum(n, x, k, in, &whole, a);
	pim_arena_free(a);
}

int main(void)
{
	for (int op = 0; op < PIM_OP_COUNT; op++) {
		pim_context *c = pim_context_new();
		int rounds = pim_op_at((pim_op)op)->flags & PIM_OPF_elementwise ? 20 : 150;
		bool leaf = pim_op_at((pim_op)op)->flags & PIM_OPF_leaf || op == PIM_OP_get;
		int before = check_failures;
		for (int i = 0; i < rounds && !leaf; i++)
			check_node(c, (pim_op)op);
		if (check_failures != before)
			fprintf(stderr, "op %s\n", pim_op_at((pim_op)op)->name);
		pim_context_free(c);
	}
	return check_failures != 0;
}
