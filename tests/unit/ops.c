/* SPDX-License-Identifier: Apache-2.0 */
/* ops - values of ops: small cases worked out by hand, and random ones against the definition of
 * each sum written out over all its terms, in f64. */
#include "tests/unit/twin.h"

#include <math.h>

/* The two results must agree. */
static const char *const value_cases[] = {
	"%a = constant {value = [1, -2, 127]} : i8[3]\n%y = neg %a : i8[3]\n"
	"%z = constant {value = [-1, 2, -127]} : i8[3]\nreturn %y, %z",
	"%a = constant {value = [-128]} : i8[1]\n%y = abs %a : i8[1]\n"
	"%z = constant {value = [-128]} : i8[1]\nreturn %y, %z",
	"%a = constant {value = [100, 200]} : u8[2]\n%y = add %a, %a : u8[2]\n"
	"%z = constant {value = [200, 144]} : u8[2]\nreturn %y, %z",
	"%a = constant {value = [7, -7, 7, -7]} : i32[4]\n%b = constant {value = [2, 2, -2, -2]} : "
	"i32[4]\n"
	"%y = div %a, %b : i32[4]\n%z = constant {value = [3, -3, -3, 3]} : i32[4]\nreturn %y, %z",
	"%a = constant {value = [7, -7, 7, -7]} : i32[4]\n%b = constant {value = [3, 3, -3, -3]} : "
	"i32[4]\n"
	"%y = mod %a, %b : i32[4]\n%z = constant {value = [1, 2, -2, -1]} : i32[4]\nreturn %y, %z",
	"%a = constant {value = [7.0, -7.0, 7.0]} : f32[3]\n%b = constant {value = [3.0, 3.0, -3.0]} : "
	"f32[3]\n"
	"%y = mod %a, %b : f32[3]\n%z = constant {value = [1.0, -1.0, 1.0]} : f32[3]\nreturn %y, %z",
	"%a = constant {value = [-9223372036854775808]} : i64[1]\n%b = constant {value = -1} : i64[]\n"
	"%y = div %a, %b : i64[1]\n%z = constant {value = [-9223372036854775808]} : i64[1]\nreturn %y, "
	"%z",
	"%a = constant {value = [3, -2, 2, -1, 0]} : i16[5]\n%b = constant {value = [4, 3, -1, -3, 0]} "
	": i16[5]\n"
	"%y = pow %a, %b : i16[5]\n%z = constant {value = [81, -8, 0, -1, 1]} : i16[5]\nreturn %y, %z",
	"%a = constant {value = [1.7, -1.7, 300.0, -300.0, 0.4]} : f32[5]\n%y = cast %a {to = \"i8\"} "
	": i8[5]\n"
	"%z = constant {value = [1, -1, 127, -128, 0]} : i8[5]\nreturn %y, %z",
	"%a = constant {value = [0.0, 0.5, -3.0]} : f32[3]\n%y = cast %a {to = \"bool\"} : bool[3]\n"
	"%z = constant {value = [0, 1, 1]} : bool[3]\nreturn %y, %z",
	"%a = constant {value = [300, -1]} : i32[2]\n%y = cast %a {to = \"u8\"} : u8[2]\n"
	"%z = constant {value = [44, 255]} : u8[2]\nreturn %y, %z",
	"%a = constant {value = [0.5, 1.5, 2.5, -0.5, -1.5]} : f32[5]\n%y = round %a : f32[5]\n"
	"%z = constant {value = [0.0, 2.0, 2.0, 0.0, -2.0]} : f32[5]\nreturn %y, %z",
	"%a = constant {value = [-5, 0, 9]} : i32[3]\n%y = clip %a {min = -1.5, max = 3.5} : i32[3]\n"
	"%z = constant {value = [-1, 0, 3]} : i32[3]\nreturn %y, %z",
	"%a = constant {value = [0.0, 1.0, -1.0]} : f64[3]\n%y = gelu %a : f64[3]\n"
	"%z = constant {value = [0.0, 0.8413447460685429, -0.15865525393145707]} : f64[3]\nreturn %y, "
	"%z",
	"%a = constant {value = [1.0, -1.0]} : f64[2]\n%y = gelu %a {approximate = \"tanh\"} : f64[2]\n"
	"%z = constant {value = [0.8411919906082768, -0.15880800939172324]} : f64[2]\nreturn %y, %z",
	"%a = constant {value = [-4.0, -1.5, 0.0, 1.5, 4.0]} : f32[5]\n%y = hard_swish %a : f32[5]\n"
	"%z = constant {value = [0.0, -0.375, 0.0, 1.125, 4.0]} : f32[5]\nreturn %y, %z",
	"%a = constant {value = [-100.0, 0.0, 100.0]} : f32[3]\n%y = softplus %a : f32[3]\n"
	"%z = constant {value = [0.0, 0.6931472, 100.0]} : f32[3]\nreturn %y, %z",
	"%a = constant {value = [1000.0, 1000.0]} : f32[2]\n%y = softmax %a {axis = 0} : f32[2]\n"
	"%z = constant {value = [0.5, 0.5]} : f32[2]\nreturn %y, %z",
	"%a = constant {value = [1000.0, 1000.0]} : f16[2]\n%y = log_softmax %a {axis = 0} : f16[2]\n"
	"%z = constant {value = [-0.69314718, -0.69314718]} : f16[2]\nreturn %y, %z",
	"%a = constant {value = [1, 2, 3, 4]} : i32[2,2]\n%y = matmul %a, %a {transpose_b = 1} : "
	"i32[2,2]\n"
	"%z = constant {value = [5, 11, 11, 25]} : i32[2,2]\nreturn %y, %z",
	"%a = constant {value = [1.0, 2.0, 3.0]} : f16[1,1,3]\n%w = constant {value = [1.0, -1.0]} : "
	"f16[1,1,2]\n"
	"%y = conv %a, %w {pads = [1, 0]} : f16[1,1,3]\n"
	"%z = constant {value = [-1.0, -1.0, -1.0]} : f16[1,1,3]\nreturn %y, %z",
	"%a = constant {value = [1, 2, 3]} : i32[1,1,3]\n%w = constant {value = [1, 10]} : i32[1,1,2]\n"
	"%y = conv_transpose %a, %w {strides = [2], output_padding = [1]} : i32[1,1,7]\n"
	"%z = constant {value = [1, 10, 2, 20, 3, 30, 0]} : i32[1,1,7]\nreturn %y, %z",
	"%a = constant {value = [-3, -1, -2]} : i8[1,1,3]\n"
	"%y = max_pool %a {kernel = [2], pads = [1, 0]} : i8[1,1,3]\n"
	"%z = constant {value = [-3, -1, -1]} : i8[1,1,3]\nreturn %y, %z",
	"%a = constant {value = [3.0, 1.0, 2.0]} : f32[1,1,3]\n"
	"%y = average_pool %a {kernel = [2], pads = [1, 1]} : f32[1,1,4]\n"
	"%z = constant {value = [3.0, 2.0, 1.5, 2.0]} : f32[1,1,4]\nreturn %y, %z",
	"%a = constant {value = [3.0, 1.0, 2.0]} : f32[1,1,3]\n"
	"%y = average_pool %a {kernel = [2], pads = [1, 1], counted_pads = [1, 0]} : f32[1,1,4]\n"
	"%z = constant {value = [1.5, 2.0, 1.5, 2.0]} : f32[1,1,4]\nreturn %y, %z",
	"%a = constant {value = [1, 2, 4]} : i32[3]\n%y = reduce_mean %a {axes = [0], keepdims = 0} : "
	"i32[]\n"
	"%z = constant {value = 2} : i32[]\nreturn %y, %z",
	"%a = constant {value = [1, 0, 1, 1]} : bool[2,2]\n%y = reduce_min %a {axes = [1]} : "
	"bool[2,1]\n"
	"%z = constant {value = [0, 1]} : bool[2,1]\nreturn %y, %z",
	"%a = constant {value = [100, 100]} : i8[2]\n%y = reduce_sum %a {axes = [0]} : i8[1]\n"
	"%z = constant {value = [-56]} : i8[1]\nreturn %y, %z",
	"%a = constant {value = [1, 2, 3, 4, 5, 6]} : u8[2,3]\n%i = constant {value = [-1, 0]} : "
	"i64[2]\n"
	"%y = gather %a, %i {axis = 1} : u8[2,2]\n%z = constant {value = [3, 1, 6, 4]} : "
	"u8[2,2]\nreturn %y, %z",
	"%a = constant {value = [1, 2, 3]} : i4[3]\n%y = pad %a {pads = [2, 2], mode = \"reflect\"} : "
	"i4[7]\n"
	"%z = constant {value = [3, 2, 1, 2, 3, 2, 1]} : i4[7]\nreturn %y, %z",
	"%a = constant {value = [1, 2, 3]} : i16[3]\n%y = pad %a {pads = [1, -1], value = 9.0} : "
	"i16[3]\n"
	"%z = constant {value = [9, 1, 2]} : i16[3]\nreturn %y, %z",
	"%a = constant {value = [1, 0]} : bool[2]\n%b = constant {value = [5, 6]} : i64[2]\n"
	"%c = constant {value = 7} : i64[]\n%y = where %a, %b, %c : i64[2]\n"
	"%z = constant {value = [5, 7]} : i64[2]\nreturn %y, %z",
	"%a = constant {value = [1.0, 2.0, 3.0, 6.0]} : f32[1,4,1]\n"
	"%y = lrn %a {size = 3, alpha = 3.0, beta = 1.0, bias = 1.0} : f32[1,4,1]\n"
	"%z = constant {value = [0.16666667, 0.13333333, 0.06, 0.13043478]} : f32[1,4,1]\nreturn %y, "
	"%z",
};

/* What must fail, and a part of what is said. */
static const struct {
	const char *body, *message;
} error_cases[] = {
	{"%a = constant {value = [1, 2, 3]} : i32[3]\n%b = constant {value = [1, 0, 1]} : i32[3]\n"
	 "%y = div %a, %b : i32[3]\nreturn %y",
		"result element 1 of 3"},
	{"%a = constant {value = [1, 2]} : u8[2]\n%b = constant {value = 0} : u8[]\n"
	 "%y = mod %a, %b : u8[2]\nreturn %y",
		"divides by zero"},
	{"%a = constant {value = [2, 0]} : i32[2]\n%b = constant {value = -1} : i32[]\n"
	 "%y = pow %a, %b : i32[2]\nreturn %y",
		"result element 1 of 2"},
	{"%a = constant {value = [1, 2]} : u8[2]\n%i = constant {value = [2]} : i64[1]\n"
	 "%y = gather %a, %i {axis = 0} : u8[1]\nreturn %y",
		"index 2 of gather"},
	{"%a = constant {absent = 1} : f32[2]\n%y = neg %a : f32[2]\nreturn %y", "no data"},
	{"%a = constant {value = [1, 2]} : i32[2]\n%y = exp %a : i32[2]\nreturn %y",
		"expected a float type"},
	{"%a = constant {value = [1, 2]} : i32[2]\n%b = constant {value = [1, 2, 3]} : i32[3]\n"
	 "%y = add %a, %b : i32[3]\nreturn %y",
		"does not broadcast"},
	{"%a = constant {value = 1.0} : f32[1,2,3]\n%w = constant {value = 1.0} : f32[4,2,5]\n"
	 "%y = conv %a, %w : f32[1,4,1]\nreturn %y",
		"reaches over 5 elements of spatial dim 0, which has 3"},
	{"%a = constant {value = 1.0} : f32[2,3]\n%y = reshape %a {shape = [4]} : f32[4]\nreturn %y",
		"6 elements become 4"},
	{"%a = constant {value = 1.0} : f32[2,3]\n"
	 "%y = slice %a {starts = [0, 2], sizes = [1, 2]} : f32[1,2]\nreturn %y",
		"takes 2 elements from 2 by 1 in dim 1, which has 3"},
};

/* ---- definitions ---- */

/* The attribute, or what it is when it is not given. Looked up once: definitions visit every term.
 */
static const int64_t *entries(const pim_node *n, const char *name, int64_t init)
{
	static const int64_t ones[] = {1, 1, 1}, zeros[6] = {0};
	const int64_t *v = NULL;
	return pim_node_ints(n, name, &v) ? v : init ? ones : zeros;
}

static int64_t product(int n, const int64_t *v)
{
	return n ? v[0] * product(n - 1, v + 1) : 1;
}

static double define_conv(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *w = in[1].type;
	int spatial = w->rank - 2;
	int64_t per_group = w->dims[0] / pim_node_int(n, "groups"), k[4];
	const int64_t *strides = entries(n, "strides", 1), *dilations = entries(n, "dilations", 1),
				  *pads = entries(n, "pads", 0);
	double sum = n->n_in > 2 ? at(&in[2], &o[1]) : 0;
	for (int64_t t = 0; t < product(w->rank - 1, w->dims + 1); t++) {
		decode(t, w->rank - 1, w->dims + 1, k);
		int64_t x[5] = {o[0], o[1] / per_group * w->dims[1] + k[0]};
		int64_t wi[5] = {o[1], k[0]};
		bool inside = true;
		for (int d = 0; d < spatial; d++) {
			wi[2 + d] = k[1 + d];
			x[2 + d] = o[2 + d] * strides[d] + k[1 + d] * dilations[d] - pads[d];
			inside = inside && x[2 + d] >= 0 && x[2 + d] < in[0].type->dims[2 + d];
		}
		sum += inside ? at(&in[0], x) * at(&in[1], wi) : 0;
	}
	return sum;
}

/* Input position i feeds result i * stride + k * dilation - pad. */
static double define_conv_transpose(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *w = in[1].type, *x = in[0].type;
	int spatial = w->rank - 2;
	int64_t groups = pim_node_int(n, "groups"), per_group = w->dims[1], group = o[1] / per_group;
	int64_t each = x->dims[1] / groups, dims[8] = {each}, k[8];
	const int64_t *strides = entries(n, "strides", 1), *dilations = entries(n, "dilations", 1),
				  *pads = entries(n, "pads", 0);
	double sum = n->n_in > 2 ? at(&in[2], &o[1]) : 0;
	for (int d = 0; d < spatial; d++) {
		dims[1 + d] = x->dims[2 + d];
		dims[1 + spatial + d] = w->dims[2 + d];
	}
	for (int64_t t = 0; t < product(1 + 2 * spatial, dims); t++) {
		decode(t, 1 + 2 * spatial, dims, k);
		int64_t xi[5] = {o[0], group * each + k[0]},
				wi[5] = {group * each + k[0], o[1] % per_group};
		bool meets = true;
		for (int d = 0; d < spatial; d++) {
			xi[2 + d] = k[1 + d];
			wi[2 + d] = k[1 + spatial + d];
			meets =
				meets && o[2 + d] == xi[2 + d] * strides[d] + wi[2 + d] * dilations[d] - pads[d];
		}
		sum += meets ? at(&in[0], xi) * at(&in[1], wi) : 0;
	}
	return sum;
}

static double define_pool(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *t = in[0].type;
	int spatial = t->rank - 2;
	bool largest = n->op == PIM_OP_max_pool;
	const int64_t *kernel = NULL;
	double sum = 0, most = -INFINITY;
	int64_t count = 0, k[3];
	const int64_t *strides = entries(n, "strides", 1), *dilations = entries(n, "dilations", 1),
				  *pads = entries(n, "pads", 0), *counted_pads = entries(n, "counted_pads", 0);
	pim_node_ints(n, "kernel", &kernel);
	for (int64_t p = 0; p < product(spatial, kernel); p++) {
		int64_t x[5] = {o[0], o[1]};
		bool inside = true, counted = true;
		decode(p, spatial, kernel, k);
		for (int d = 0; d < spatial; d++) {
			int64_t i = o[2 + d] * strides[d] + k[d] * dilations[d] - pads[d];
			x[2 + d] = i;
			inside = inside && i >= 0 && i < t->dims[2 + d];
			counted = counted && (largest || (i >= -counted_pads[d] &&
												 i < t->dims[2 + d] + counted_pads[spatial + d]));
		}
		sum += inside ? at(&in[0], x) : 0;
		most = inside && at(&in[0], x) > most ? at(&in[0], x) : most;
		count += counted;
	}
	return largest ? most : count ? sum / (double)count : 0;
}

static double define_matmul(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	return product_at(n, in, o, 0, 0);
}

static double define_reduce(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const int64_t *axes = NULL;
	const pim_type *t = in[0].type;
	int count = pim_node_ints(n, "axes", &axes), left = 0;
	int64_t dims[PIM_MAX_RANK], x[PIM_MAX_RANK], k[PIM_MAX_RANK];
	bool keep = pim_node_int(n, "keepdims") != 0;
	double sum = 0, all = 1, low = INFINITY, high = -INFINITY;
	for (int d = 0, r = 0; d < t->rank; d++) {
		bool reduced = r < count && axes[r] == d;
		if (reduced)
			dims[r++] = t->dims[d];
		else
			x[d] = o[left];
		left += !reduced || keep;
	}
	for (int64_t p = 0; p < product(count, dims); p++) {
		decode(p, count, dims, k);
		for (int r = 0; r < count; r++)
			x[axes[r]] = k[r];
		double v = at(&in[0], x);
		sum += v;
		all *= v;
		low = v < low ? v : low;
		high = v > high ? v : high;
	}
	return n->op == PIM_OP_reduce_sum	 ? sum
		   : n->op == PIM_OP_reduce_prod ? all
		   : n->op == PIM_OP_reduce_max	 ? high
		   : n->op == PIM_OP_reduce_min	 ? low
										 : sum / (double)product(count, dims);
}

static double define_softmax(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	int64_t axis = pim_node_int(n, "axis"), x[PIM_MAX_RANK];
	double sum = 0;
	memcpy(x, o, sizeof(int64_t) * (size_t)n->type->rank);
	for (x[axis] = 0; x[axis] < n->type->dims[axis]; x[axis]++)
		sum += exp(at(&in[0], x));
	double v = exp(at(&in[0], o)) / sum;
	return n->op == PIM_OP_softmax ? v : log(v);
}

static double define_layer_norm(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	int axis = (int)pim_node_int(n, "axis"), rest = n->type->rank - axis;
	int64_t x[PIM_MAX_RANK], count = product(rest, n->type->dims + axis);
	double sum = 0, squares = 0;
	memcpy(x, o, sizeof(int64_t) * (size_t)n->type->rank);
	for (int64_t k = 0; k < count; k++) {
		decode(k, rest, n->type->dims + axis, x + axis);
		sum += at(&in[0], x);
		squares += at(&in[0], x) * at(&in[0], x);
	}
	double mean = sum / (double)count, variance = squares / (double)count - mean * mean;
	double v = (at(&in[0], o) - mean) / sqrt(variance + pim_node_float(n, "epsilon"));
	return v * at(&in[1], o + axis) + (n->n_in > 2 ? at(&in[2], o + axis) : 0);
}

static double define_batch_norm(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	double deviation = sqrt(at(&in[4], &o[1]) + pim_node_float(n, "epsilon"));
	return (at(&in[0], o) - at(&in[3], &o[1])) / deviation * at(&in[1], &o[1]) + at(&in[2], &o[1]);
}

static double define_transpose(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const int64_t *perm = NULL;
	int64_t x[PIM_MAX_RANK];
	pim_node_ints(n, "perm", &perm);
	for (int d = 0; d < n->type->rank; d++)
		x[perm[d]] = o[d];
	return at(&in[0], x);
}

typedef double definition(const pim_node *n, const pim_tensor *in, const int64_t *o);

static definition *const definitions[PIM_OP_COUNT] = {
	[PIM_OP_conv] = define_conv,
	[PIM_OP_conv_transpose] = define_conv_transpose,
	[PIM_OP_max_pool] = define_pool,
	[PIM_OP_average_pool] = define_pool,
	[PIM_OP_matmul] = define_matmul,
	[PIM_OP_reduce_sum] = define_reduce,
	[PIM_OP_reduce_mean] = define_reduce,
	[PIM_OP_reduce_max] = define_reduce,
	[PIM_OP_reduce_min] = define_reduce,
	[PIM_OP_reduce_prod] = define_reduce,
	[PIM_OP_softmax] = define_softmax,
	[PIM_OP_log_softmax] = define_softmax,
	[PIM_OP_layer_norm] = define_layer_norm,
	[PIM_OP_batch_norm] = define_batch_norm,
	[PIM_OP_transpose] = define_transpose,
};

/* Integers: ops whose result is exact and not a mean. */
static bool is_exact(pim_op op)
{
	return op == PIM_OP_conv || op == PIM_OP_conv_transpose || op == PIM_OP_matmul ||
		   op == PIM_OP_reduce_sum || op == PIM_OP_reduce_max || op == PIM_OP_reduce_min ||
		   op == PIM_OP_transpose;
}

/* Large enough for several blocks of windows, and for whole lines cut in parts. */
static void check_large_conv(int64_t width, int64_t channels, random_source *r)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	int64_t x[] = {1, channels, 3, width}, w[] = {2, channels, 3, 3}, pads[] = {1, 1, 1, 1};
	pim_node *in[] = {give_input(g, PIM_DTYPE_f32, 4, x), give_input(g, PIM_DTYPE_f32, 4, w)};
	pim_node *n = pim_node_new(g, "conv", 2, in, NULL);
	pim_node_set_ints(n, "pads", 4, pads);
	CHECK(pim_node_infer(n));
	pim_tensor *values = give_random_inputs(n, r, a), out[2];
	for (int plain = 0; plain < 2; plain++) {
		pim_eval e = {.context = c, .scratch = a, .threads = 1, .plain = plain};
		out[plain] = give_tensor(n->type, a);
		CHECK(pim_node_eval(n, values, &out[plain], &e));
	}
	CHECK(pim_tensor_compare(&out[0], &out[1], 1e-4, 1e-4).beyond == 0);
	pim_arena_free(a);
	pim_context_free(c);
}

int main(void)
{
	random_source r = {.state = 11};
	for (size_t i = 0; i < sizeof value_cases / sizeof *value_cases; i++)
		check_case(value_cases[i]);
	for (size_t i = 0; i < sizeof error_cases / sizeof *error_cases; i++)
		check_error(error_cases[i].body, error_cases[i].message);
	for (int op = 0; op < PIM_OP_COUNT; op++)
		for (int i = 0; i < 12 && definitions[op]; i++) {
			check_floats((pim_op)op, definitions[op], 1, &r);
			if (is_exact((pim_op)op))
				check_twin((pim_op)op, PIM_DTYPE_i32, definitions[op], 0, &r);
		}
	check_large_conv(5000, 4, &r);
	check_large_conv(9000, 6, &r);
	return check_failures != 0;
}
