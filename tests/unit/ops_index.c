/* SPDX-License-Identifier: Apache-2.0 */
/* ops_index - gathers, scatters, selections, scans, determinants and the places of max_pool_indices
 * against their definitions; what indices outside are told. */
#include "tests/unit/twin.h"

#include <math.h>

static double define_gather_elements(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	int64_t axis = pim_node_int(n, "axis"), x[PIM_MAX_RANK];
	memcpy(x, o, sizeof x);
	x[axis] = index_at(&in[1], o, in[0].type->dims[axis]);
	return at(&in[0], x);
}

static double define_gather_nd(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *ti = in[1].type;
	int64_t batch = pim_node_int(n, "batch_dims"), x[PIM_MAX_RANK], i[PIM_MAX_RANK];
	int last = ti->rank - 1;
	int64_t entries = ti->dims[last];
	memcpy(i, o, sizeof *i * (size_t)last);
	memcpy(x, o, sizeof *x * (size_t)batch);
	for (i[last] = 0; i[last] < entries; i[last]++)
		x[batch + i[last]] = index_at(&in[1], i, in[0].type->dims[batch + i[last]]);
	for (int64_t d = batch + entries; d < in[0].type->rank; d++)
		x[d] = o[last + d - batch - entries];
	return at(&in[0], x);
}

static double join(const char *how, double a, double b)
{
	return !strcmp(how, "add")	 ? a + b
		   : !strcmp(how, "mul") ? a * b
		   : !strcmp(how, "min") ? fmin(a, b)
		   : !strcmp(how, "max") ? fmax(a, b)
								 : b;
}

/* All updates in order, those that go to o joined. */
static double define_scatter_elements(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *u = in[2].type;
	int64_t axis = pim_node_int(n, "axis"), k[PIM_MAX_RANK], to[PIM_MAX_RANK];
	double v = at(&in[0], o);
	for (int64_t i = 0; i < u->elements; i++) {
		decode(i, u->rank, u->dims, k);
		memcpy(to, k, sizeof to);
		to[axis] = index_at(&in[1], k, n->type->dims[axis]);
		if (place_at(n->type, to) == place_at(n->type, o))
			v = join(pim_node_string(n, "reduction"), v, at(&in[2], k));
	}
	return v;
}

static double define_scatter_nd(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *u = in[2].type;
	int last = in[1].type->rank - 1;
	int64_t entries = in[1].type->dims[last], k[PIM_MAX_RANK], i[PIM_MAX_RANK], to[PIM_MAX_RANK];
	double v = at(&in[0], o);
	for (int64_t p = 0; p < u->elements; p++) {
		decode(p, u->rank, u->dims, k);
		memcpy(i, k, sizeof *i * (size_t)last);
		for (i[last] = 0; i[last] < entries; i[last]++)
			to[i[last]] = index_at(&in[1], i, n->type->dims[i[last]]);
		for (int d = last; d < u->rank; d++)
			to[entries + d - last] = k[d];
		if (place_at(n->type, to) == place_at(n->type, o))
			v = join(pim_node_string(n, "reduction"), v, at(&in[2], k));
	}
	return v;
}

/* How many elements along `axis` stand before number i in the order of top_k. */
static int64_t count_before(
	const pim_tensor *t, const int64_t *o, int64_t axis, int64_t i, bool largest, bool last)
{
	int64_t x[PIM_MAX_RANK], before = 0;
	memcpy(x, o, sizeof x);
	x[axis] = i;
	double v = at(t, x);
	for (x[axis] = 0; x[axis] < t->type->dims[axis]; x[axis]++) {
		double w = at(t, x);
		bool first = last ? x[axis] > i : x[axis] < i;
		before += (largest ? w > v : w < v) || (w == v && first);
	}
	return before;
}

static int64_t find_rank(
	const pim_tensor *t, const int64_t *o, int64_t axis, int64_t rank, bool largest, bool last)
{
	int64_t i = 0;
	while (count_before(t, o, axis, i, largest, last) != rank)
		i++;
	return i;
}

static double define_top_k(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	int64_t axis = pim_node_int(n, "axis");
	return (double)find_rank(&in[0], o, axis, o[axis], pim_node_int(n, "largest") != 0, false);
}

static double define_arg(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	int64_t axis = pim_node_int(n, "axis"), x[PIM_MAX_RANK] = {0};
	bool keep = pim_node_int(n, "keepdims") != 0;
	for (int d = 0; d < in[0].type->rank; d++)
		x[d] = d == axis ? 0 : o[keep || d < axis ? d : d - 1];
	return (double)find_rank(
		&in[0], x, axis, 0, n->op == PIM_OP_arg_max, pim_node_int(n, "select_last") != 0);
}

static double define_scan(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	int64_t axis = pim_node_int(n, "axis"), x[PIM_MAX_RANK];
	bool sum = n->op == PIM_OP_cumsum, back = pim_node_int(n, "reverse") != 0;
	double v = sum ? 0 : 1;
	memcpy(x, o, sizeof x);
	for (x[axis] = 0; x[axis] < n->type->dims[axis]; x[axis]++) {
		bool own = x[axis] == o[axis] && !pim_node_int(n, "exclusive");
		if (own || (back ? x[axis] > o[axis] : x[axis] < o[axis]))
			v = sum ? v + at(&in[0], x) : v * at(&in[0], x);
	}
	/* Integers wrap. */
	return n->type->dtype == PIM_DTYPE_i8 ? (double)(int8_t)(uint8_t)(int64_t)v : v;
}

/* By the first column, over the rows that are left. */
static double expand_rows(const pim_tensor *t, int64_t *x, unsigned rows, int64_t column)
{
	int rank = t->type->rank;
	int64_t size = t->type->dims[rank - 1];
	double sum = column == size ? 1 : 0, sign = 1;
	for (int64_t i = 0; i < size; i++) {
		if (!(rows >> i & 1))
			continue;
		x[rank - 2] = i;
		x[rank - 1] = column;
		double v = at(t, x);
		sum += sign * v * expand_rows(t, x, rows & ~(1u << i), column + 1);
		sign = -sign;
	}
	return sum;
}

static double define_det(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	int64_t x[PIM_MAX_RANK];
	memcpy(x, o, sizeof *x * (size_t)n->type->rank);
	return expand_rows(&in[0], x, (1u << in[0].type->dims[n->type->rank]) - 1, 0);
}

/* The largest of all window elements that lie in the plane; a window in padding has none. */
static double define_max_pool_indices(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *t = in[0].type;
	int spatial = t->rank - 2;
	const int64_t *kernel = NULL, *list[3] = {NULL};
	static const char *const names[] = {"strides", "dilations", "pads"};
	int64_t k[3], x[5] = {o[0], o[1]}, taps = 1, best = -1;
	double most = -INFINITY;
	pim_node_ints(n, "kernel", &kernel);
	for (int i = 0; i < 3; i++)
		pim_node_ints(n, names[i], &list[i]);
	for (int d = 0; d < spatial; d++)
		taps *= kernel[d];
	for (int64_t tap = 0; tap < taps; tap++) {
		int64_t place = 0;
		bool inside = true;
		decode(tap, spatial, kernel, k);
		for (int d = 0; d < spatial; d++) {
			x[2 + d] = o[2 + d] * (list[0] ? list[0][d] : 1) + k[d] * (list[1] ? list[1][d] : 1) -
					   (list[2] ? list[2][d] : 0);
			inside = inside && x[2 + d] >= 0 && x[2 + d] < t->dims[2 + d];
			place = place * t->dims[2 + d] + x[2 + d];
		}
		if (inside && at(&in[0], x) > most) {
			most = at(&in[0], x);
			best = place;
		}
	}
	return (double)best;
}

/* Two equal results each, from constants. */
static const char *const cases[] = {
	"%a = constant {value = [1.0, 3.0, 3.0, nan]} : f32[4]\n%y = arg_max %a {axis = 0} : i64[1]\n"
	"%z = constant {value = [3]} : i64[1]\nreturn %y, %z",
	"%a = constant {value = [1, 3, 3, 0]} : u8[4]\n"
	"%y = arg_max %a {axis = 0, keepdims = 0, select_last = 1} : i64[]\n"
	"%z = constant {value = 2} : i64[]\nreturn %y, %z",
	"%a = constant {value = [2, 9, 2, 7]} : i32[4]\n"
	"%y = top_k %a {axis = 0, k = 3, largest = 0} : i64[3]\n"
	"%z = constant {value = [0, 2, 3]} : i64[3]\nreturn %y, %z",
	"%a = constant {value = [2.0, nan, 5.0, 5.0]} : f32[4]\n"
	"%y = top_k %a {axis = 0, k = 4} : i64[4]\n"
	"%z = constant {value = [1, 2, 3, 0]} : i64[4]\nreturn %y, %z",
	"%a = constant {value = [1, 2, 3]} : i32[3]\n"
	"%y = cumsum %a {axis = 0, exclusive = 1, reverse = 1} : i32[3]\n"
	"%z = constant {value = [5, 3, 0]} : i32[3]\nreturn %y, %z",
	"%a = constant {value = [100, 2, 3]} : i8[3]\n%y = cumprod %a {axis = 0} : i8[3]\n"
	"%z = constant {value = [100, -56, 88]} : i8[3]\nreturn %y, %z",
	"%a = constant {value = [0.0, 2.0, 1.0, 3.0]} : f32[2,2]\n%y = det %a : f32[]\n"
	"%z = constant {value = -2.0} : f32[]\nreturn %y, %z",
	"%a = constant {value = [1, 2, 3, 4]} : i64[2,2]\n%i = constant {value = [1, 0]} : i32[1,2]\n"
	"%y = gather_elements %a, %i {axis = 0} : i64[1,2]\n"
	"%z = constant {value = [3, 2]} : i64[1,2]\nreturn %y, %z",
	"%a = constant {value = [1, 0]} : bool[2]\n%i = constant {value = [-1]} : i64[1,1]\n"
	"%u = constant {value = [1]} : bool[1]\n%y = scatter_nd %a, %i, %u : bool[2]\n"
	"%z = constant {value = [1, 1]} : bool[2]\nreturn %y, %z",
	"%a = constant {value = [250, 1]} : u8[2]\n%i = constant {value = [0, 0]} : i64[2]\n"
	"%u = constant {value = [4, 4]} : u8[2]\n"
	"%y = scatter_elements %a, %i, %u {axis = 0, reduction = \"add\"} : u8[2]\n"
	"%z = constant {value = [2, 1]} : u8[2]\nreturn %y, %z",
};

static const char *const errors[][2] = {
	{"%a = constant {value = [1, 2]} : u8[2]\n%i = constant {value = [2]} : i64[1]\n"
	 "%y = gather_elements %a, %i {axis = 0} : u8[1]\nreturn %y",
		"index 2 of gather_elements (element 0) is outside -2 to 1"},
	{"%a = constant {value = [1, 2]} : u8[2]\n%i = constant {value = [-3]} : i64[1,1]\n"
	 "%y = gather_nd %a, %i : u8[1]\nreturn %y",
		"index -3 of gather_nd"},
	{"%a = constant {value = [1, 2]} : u8[2]\n%i = constant {value = [0]} : i64[1]\n"
	 "%u = constant {value = [1]} : u8[1]\n"
	 "%y = scatter_elements %a, %i, %u {axis = 0, reduction = \"sub\"} : u8[2]\nreturn %y",
		"expected none, add, mul, min or max"},
	{"%a = constant {value = [1, 2]} : u8[2]\n%y = top_k %a {axis = 0, k = 3} : i64[3]\nreturn %y",
		"k of top_k is 3, expected 0 to 2"},
};

int main(void)
{
	random_source r = {.state = 21};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_case(cases[i]);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		check_error(errors[i][0], errors[i][1]);
	check_floats(PIM_OP_gather_elements, define_gather_elements, 15, &r);
	check_floats(PIM_OP_gather_nd, define_gather_nd, 15, &r);
	check_floats(PIM_OP_scatter_elements, define_scatter_elements, 15, &r);
	check_floats(PIM_OP_scatter_nd, define_scatter_nd, 15, &r);
	check_floats(PIM_OP_arg_max, define_arg, 15, &r);
	check_floats(PIM_OP_arg_min, define_arg, 15, &r);
	check_floats(PIM_OP_top_k, define_top_k, 15, &r);
	check_floats(PIM_OP_cumsum, define_scan, 15, &r);
	check_floats(PIM_OP_cumprod, define_scan, 15, &r);
	check_floats(PIM_OP_det, define_det, 15, &r);
	check_floats(PIM_OP_max_pool_indices, define_max_pool_indices, 15, &r);
	return check_failures != 0;
}
