/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_write_ops - each op as ONNX operators.
 *
 * Rows that differ in name only are in the table; the others have a function. Attributes that are
 * inputs in ONNX become constants. An op whose meaning no operator has exactly is several. */
#include <math.h>
#include <string.h>

#include "frontends/onnx_write.h"

typedef bool write_function(onnx_writer *w, const pim_node *n, const char *const *in);

const char *onnx_write_out(const onnx_writer *w, const pim_node *n)
{
	return w->name[n->id];
}

Onnx__NodeProto *onnx_write_as(
	onnx_writer *w, const pim_node *n, const char *op_type, const char *const *in)
{
	return onnx_write_node(w, op_type, (int)n->n_in, in, onnx_write_out(w, n));
}

static void copy_ints(
	onnx_writer *w, const pim_node *n, Onnx__NodeProto *to, const char *from, const char *name)
{
	const int64_t *v;
	int count = pim_node_ints(n, from, &v);
	if (count > 0)
		onnx_write_ints(w, to, name, count, v);
}

/* Attributes of the same name and meaning. */
static void copy_attributes(onnx_writer *w, const pim_node *n, Onnx__NodeProto *to)
{
	const pim_op_info *op = pim_op_at((pim_op)n->op);
	for (int i = 0; i < op->n_attrs; i++) {
		const char *name = op->attrs[i].name;
		switch (op->attrs[i].kind) {
		case PIM_ATTR_int:
			onnx_write_int(w, to, name, pim_node_int(n, name));
			break;
		case PIM_ATTR_float:
			onnx_write_float(w, to, name, pim_node_float(n, name));
			break;
		case PIM_ATTR_string:
			onnx_write_string(w, to, name, pim_node_string(n, name));
			break;
		case PIM_ATTR_ints:
			copy_ints(w, n, to, name, name);
			break;
		default:
			break;
		}
	}
}

static bool write_identity(onnx_writer *w, const pim_node *n, const char *const *in)
{
	onnx_write_as(w, n, "Identity", in);
	return true;
}

static bool write_clip(onnx_writer *w, const pim_node *n, const char *const *in)
{
	double low = pim_node_float(n, "min"), high = pim_node_float(n, "max");
	pim_dtype t = n->type->dtype;
	const char *all[3] = {in[0], low == -INFINITY ? NULL : onnx_write_number(w, t, low),
		high == INFINITY ? NULL : onnx_write_number(w, t, high)};
	onnx_write_node(w, "Clip", 3, all, onnx_write_out(w, n));
	return true;
}

static bool write_cast(onnx_writer *w, const pim_node *n, const char *const *in)
{
	bool bits = n->op == PIM_OP_bit_cast;
	onnx_write_int(w, onnx_write_as(w, n, bits ? "BitCast" : "Cast", in), "to",
		onnx_write_dtype(n->type->dtype));
	return true;
}

static const char *times(onnx_writer *w, const char *a, const char *b)
{
	return onnx_write_value(w, "Mul", 2, (const char *[]){a, b});
}

static bool write_silu(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const char *s = onnx_write_value(w, "Sigmoid", 1, in);
	onnx_write_node(w, "Mul", 2, (const char *[]){in[0], s}, onnx_write_out(w, n));
	return true;
}

/* x/2 (1 + erf(x / sqrt 2)), or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)) */
static bool write_gelu(onnx_writer *w, const pim_node *n, const char *const *in)
{
	pim_dtype t = n->type->dtype;
	const char *x = in[0], *y;
	if (!strcmp(pim_node_string(n, "approximate"), "tanh")) {
		y = times(w, times(w, x, times(w, x, x)), onnx_write_number(w, t, 0.044715));
		y = onnx_write_value(w, "Add", 2, (const char *[]){x, y});
		y = times(w, y, onnx_write_number(w, t, 0.79788456080286535588));
		y = onnx_write_value(w, "Tanh", 1, &y);
	} else {
		y = times(w, x, onnx_write_number(w, t, 0.70710678118654752440));
		y = onnx_write_value(w, "Erf", 1, &y);
	}
	y = onnx_write_value(w, "Add", 2, (const char *[]){y, onnx_write_number(w, t, 1)});
	x = times(w, x, onnx_write_number(w, t, 0.5));
	onnx_write_node(w, "Mul", 2, (const char *[]){x, y}, onnx_write_out(w, n));
	return true;
}

static bool write_mod(onnx_writer *w, const pim_node *n, const char *const *in)
{
	onnx_write_int(w, onnx_write_as(w, n, "Mod", in), "fmod", pim_dtype_is_float(n->type->dtype));
	return true;
}

static bool write_shift(onnx_writer *w, const pim_node *n, const char *const *in)
{
	if (pim_dtype_is_signed(n->type->dtype))
		return pim_node_error(n, "ONNX shifts unsigned integers only");
	onnx_write_string(w, onnx_write_as(w, n, "BitShift", in), "direction",
		n->op == PIM_OP_shift_left ? "LEFT" : "RIGHT");
	return true;
}

/* max and min of bools are or and and. */
static bool write_extreme(onnx_writer *w, const pim_node *n, const char *const *in)
{
	bool is_max = n->op == PIM_OP_max, is_bool = n->type->dtype == PIM_DTYPE_bool;
	onnx_write_as(w, n, is_bool ? (is_max ? "Or" : "And") : is_max ? "Max" : "Min", in);
	return true;
}

/* An operand with its last two dims swapped where the attribute says so. */
static const char *operand(
	onnx_writer *w, const pim_node *n, int i, const char *attribute, const char *in)
{
	int64_t perm[PIM_MAX_RANK];
	int rank = n->in[i]->type->rank;
	const char *name;
	if (!pim_node_int(n, attribute))
		return in;
	for (int d = 0; d < rank; d++)
		perm[d] = d < rank - 2 ? d : 2 * rank - 3 - d;
	name = onnx_write_name(w, "swapped");
	onnx_write_ints(w, onnx_write_node(w, "Transpose", 1, &in, name), "perm", rank, perm);
	return name;
}

static bool write_matmul(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const char *both[4] = {
		operand(w, n, 0, "transpose_a", in[0]), operand(w, n, 1, "transpose_b", in[1]), NULL, NULL};
	if (n->op == PIM_OP_matmul) {
		onnx_write_node(w, "MatMul", 2, both, onnx_write_out(w, n));
		return true;
	}
	if (pim_dtype_bytes(n->in[0]->type->dtype) > 1 || pim_dtype_bytes(n->in[1]->type->dtype) > 1)
		return pim_node_error(n, "ONNX multiplies integers of 8 bits only");
	both[2] = onnx_write_number(w, n->in[0]->type->dtype, (double)pim_node_int(n, "a_zero"));
	both[3] = onnx_write_number(w, n->in[1]->type->dtype, (double)pim_node_int(n, "b_zero"));
	onnx_write_node(w, "MatMulInteger", 4, both, onnx_write_out(w, n));
	return true;
}

static void write_window(onnx_writer *w, const pim_node *n, Onnx__NodeProto *to)
{
	static const char *const names[][2] = {{"strides", "strides"}, {"pads", "pads"},
		{"dilations", "dilations"}, {"kernel", "kernel_shape"},
		{"output_padding", "output_padding"}};
	for (int i = 0; i < 5; i++)
		if (pim_op_attr_find(pim_op_at((pim_op)n->op), names[i][0]))
			copy_ints(w, n, to, names[i][0], names[i][1]);
	if (pim_op_attr_find(pim_op_at((pim_op)n->op), "groups"))
		onnx_write_int(w, to, "group", pim_node_int(n, "groups"));
}

static bool write_conv(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const char *all[4] = {in[0], in[1], NULL, NULL};
	if (n->op != PIM_OP_conv_integer) {
		write_window(
			w, n, onnx_write_as(w, n, n->op == PIM_OP_conv ? "Conv" : "ConvTranspose", in));
		return true;
	}
	if (pim_dtype_bytes(n->in[0]->type->dtype) > 1 || pim_dtype_bytes(n->in[1]->type->dtype) > 1)
		return pim_node_error(n, "ONNX multiplies integers of 8 bits only");
	all[2] = onnx_write_number(w, n->in[0]->type->dtype, (double)pim_node_int(n, "x_zero"));
	all[3] = onnx_write_number(w, n->in[1]->type->dtype, (double)pim_node_int(n, "w_zero"));
	write_window(w, n, onnx_write_node(w, "ConvInteger", 4, all, onnx_write_out(w, n)));
	return true;
}

static bool write_deform_conv(onnx_writer *w, const pim_node *n, const char *const *in)
{
	Onnx__NodeProto *to = onnx_write_as(w, n, "DeformConv", in);
	write_window(w, n, to);
	onnx_write_int(w, to, "offset_group", pim_node_int(n, "offset_groups"));
	return true;
}

/* Padding counts for all or for none of a mean; else the windows that ceil_mode added are there. */
static bool write_average_pool(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const int64_t *pads, *counted;
	int n_pads = pim_node_ints(n, "pads", &pads),
		n_counted = pim_node_ints(n, "counted_pads", &counted);
	bool all =
		n_pads > 0 && n_pads == n_counted && !memcmp(pads, counted, sizeof *pads * (size_t)n_pads);
	Onnx__NodeProto *to;
	if (n_counted > 0 && !all)
		return pim_node_error(
			n, "a mean that counts some of its padding only has no ONNX operator");
	to = onnx_write_as(w, n, "AveragePool", in);
	write_window(w, n, to);
	onnx_write_int(w, to, "count_include_pad", all);
	return true;
}

static bool write_max_pool(onnx_writer *w, const pim_node *n, const char *const *in)
{
	int64_t plane = 1;
	const char *at;
	Onnx__NodeProto *to;
	if (n->op == PIM_OP_max_pool) {
		write_window(w, n, onnx_write_as(w, n, "MaxPool", in));
		return true;
	}
	for (int d = 2; d < n->in[0]->type->rank; d++)
		plane *= n->in[0]->type->dims[d];
	to = onnx_write_node(w, "MaxPool", 1, in, onnx_write_name(w, "largest"));
	at = onnx_write_name(w, "places");
	onnx_write_output(w, to, at);
	write_window(w, n, to);
	onnx_write_node(w, "Mod", 2,
		(const char *[]){at, onnx_write_number(w, PIM_DTYPE_i64, (double)plane)},
		onnx_write_out(w, n));
	return true;
}

/* Axes are an input of ReduceSum from opset 13 on, of the others from 18 on. */
static bool write_reduce(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const char *name = n->op == PIM_OP_reduce_sum	 ? "ReduceSum"
					   : n->op == PIM_OP_reduce_mean ? "ReduceMean"
					   : n->op == PIM_OP_reduce_max	 ? "ReduceMax"
					   : n->op == PIM_OP_reduce_min	 ? "ReduceMin"
													 : "ReduceProd";
	const int64_t *axes;
	int count = pim_node_ints(n, "axes", &axes);
	const char *all[2] = {in[0], NULL};
	Onnx__NodeProto *to;
	if (count == 0)
		return write_identity(w, n, in);
	if (n->op == PIM_OP_reduce_sum || w->opset >= 18)
		all[1] = onnx_write_list(w, count, axes);
	to = onnx_write_node(w, name, 2, all, onnx_write_out(w, n));
	if (!all[1])
		onnx_write_ints(w, to, "axes", count, axes);
	onnx_write_int(w, to, "keepdims", pim_node_int(n, "keepdims"));
	return true;
}

static bool write_arg(onnx_writer *w, const pim_node *n, const char *const *in)
{
	Onnx__NodeProto *to = onnx_write_as(w, n, n->op == PIM_OP_arg_max ? "ArgMax" : "ArgMin", in);
	onnx_write_int(w, to, "axis", pim_node_int(n, "axis"));
	onnx_write_int(w, to, "keepdims", pim_node_int(n, "keepdims"));
	onnx_write_int(w, to, "select_last_index", pim_node_int(n, "select_last"));
	return true;
}

static bool write_top_k(onnx_writer *w, const pim_node *n, const char *const *in)
{
	int64_t k = pim_node_int(n, "k");
	const char *all[2] = {in[0], onnx_write_list(w, 1, &k)};
	Onnx__NodeProto *to = onnx_write_node(w, "TopK", 2, all, onnx_write_name(w, "best"));
	onnx_write_output(w, to, onnx_write_out(w, n));
	onnx_write_int(w, to, "axis", pim_node_int(n, "axis"));
	onnx_write_int(w, to, "largest", pim_node_int(n, "largest"));
	return true;
}

static bool write_running(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const char *all[2] = {
		in[0], onnx_write_number(w, PIM_DTYPE_i64, (double)pim_node_int(n, "axis"))};
	Onnx__NodeProto *to = onnx_write_node(
		w, n->op == PIM_OP_cumsum ? "CumSum" : "CumProd", 2, all, onnx_write_out(w, n));
	onnx_write_int(w, to, "exclusive", pim_node_int(n, "exclusive"));
	onnx_write_int(w, to, "reverse", pim_node_int(n, "reverse"));
	return true;
}

static bool write_reshape(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const char *all[2] = {in[0], onnx_write_list(w, n->type->rank, n->type->dims)};
	bool expands = n->op == PIM_OP_expand;
	Onnx__NodeProto *to =
		onnx_write_node(w, expands ? "Expand" : "Reshape", 2, all, onnx_write_out(w, n));
	if (!expands && n->type->elements == 0)
		onnx_write_int(w, to, "allowzero", 1);
	return true;
}

static bool write_slice(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const int64_t *starts, *sizes, *steps;
	int64_t axes[PIM_MAX_RANK], ends[PIM_MAX_RANK], by[PIM_MAX_RANK];
	int rank = pim_node_ints(n, "starts", &starts), stepped = pim_node_ints(n, "steps", &steps);
	const char *all[5];
	pim_node_ints(n, "sizes", &sizes);
	for (int d = 0; d < rank; d++) {
		by[d] = stepped > 0 ? steps[d] : 1;
		axes[d] = d;
		ends[d] = starts[d] + sizes[d] * by[d];
		if (ends[d] < 0)
			ends[d] = INT64_MIN + 1;
	}
	all[0] = in[0];
	all[1] = onnx_write_list(w, rank, starts);
	all[2] = onnx_write_list(w, rank, ends);
	all[3] = onnx_write_list(w, rank, axes);
	all[4] = onnx_write_list(w, rank, by);
	onnx_write_node(w, "Slice", 5, all, onnx_write_out(w, n));
	return true;
}

static bool write_pad(onnx_writer *w, const pim_node *n, const char *const *in)
{
	const int64_t *pads;
	int count = pim_node_ints(n, "pads", &pads);
	const char *all[3] = {in[0], onnx_write_list(w, count, pads),
		onnx_write_number(w, n->type->dtype, pim_node_float(n, "value"))};
	onnx_write_string(w, onnx_write_node(w, "Pad", 3, all, onnx_write_out(w, n)), "mode",
		pim_node_string(n, "mode"));
	return true;
}

/* A scale or zero point of one number or along one dim, as ONNX wants it; *axis is that dim. NULL
 * when it is neither. */
static const char *flat(
	onnx_writer *w, const pim_node *n, const pim_node *x, const char *name, int *axis)
{
	const pim_type *t = n->type;
	int found = -1;
	for (int d = 0; d < t->rank; d++)
		if (t->dims[d] != 1) {
			if (found >= 0)
				return NULL;
			found = d + x->type->rank - t->rank;
		}
	if (found >= 0)
		*axis = found;
	if (found < 0)
		return onnx_write_value(
			w, "Reshape", 2, (const char *[]){name, onnx_write_list(w, 0, NULL)});
	return onnx_write_value(
		w, "Reshape", 2, (const char *[]){name, onnx_write_list(w, 1, &t->elements)});
}

/* Zero points as the scale has dims: absent ones of QuantizeLinear say the type of the result. */
static const char *write_zeros(onnx_writer *w, const pim_node *n, const int64_t *dims, int rank)
{
	int64_t count = 1;
	for (int d = 0; d < rank; d++)
		count *= dims[d];
	return onnx_write_tensor(w, onnx_write_name(w, "zero"), n->type->dtype, rank, dims,
		PIM_NEW(w->arena, char, (size_t)count *pim_dtype_bytes(n->type->dtype) + 1));
}

static bool has_dims_of(const pim_type *a, const pim_type *b)
{
	return a->rank == b->rank && a->rank > 0 &&
		   !memcmp(a->dims, b->dims, sizeof *a->dims * (size_t)a->rank);
}

/* A scale for each element: blocks of one. */
static bool is_blocked(const pim_node *n)
{
	const pim_node *zero = n->n_in > 2 ? n->in[2] : NULL;
	return has_dims_of(n->in[1]->type, n->in[0]->type) && n->in[0]->type->rank > 1 &&
		   (!zero || has_dims_of(zero->type, n->in[0]->type));
}

static bool write_quantize(onnx_writer *w, const pim_node *n, const char *const *in)
{
	bool quantizes = n->op == PIM_OP_quantize_linear, blocked = is_blocked(n);
	int axis = blocked ? 0 : -1;
	const pim_node *zero = n->n_in > 2 ? n->in[2] : NULL;
	const pim_type *t = n->in[1]->type;
	const char *all[3] = {in[0], in[1], zero ? in[2] : NULL};
	Onnx__NodeProto *to;
	if (!blocked) {
		all[1] = flat(w, n->in[1], n->in[0], in[1], &axis);
		all[2] = zero ? flat(w, zero, n->in[0], in[2], &axis) : NULL;
	}
	if (quantizes && !zero && blocked)
		all[2] = write_zeros(w, n, t->dims, t->rank);
	else if (quantizes && !zero)
		all[2] = write_zeros(w, n, &t->elements, t->elements > 1);
	if (!all[1] || (!all[2] && quantizes) || (zero && zero->type->elements != t->elements))
		return pim_node_error(n, "a scale and zero point of several dims have no ONNX operator");
	to = onnx_write_node(
		w, quantizes ? "QuantizeLinear" : "DequantizeLinear", 3, all, onnx_write_out(w, n));
	if (axis >= 0)
		onnx_write_int(w, to, "axis", axis);
	if (blocked)
		onnx_write_int(w, to, "block_size", 1);
	return true;
}

/* ---- which op takes which form ---- */

static const struct plain {
	pim_op op;
	const char *op_type;
	int opset;
} plain[] = {{PIM_OP_neg, "Neg", 0}, {PIM_OP_abs, "Abs", 0}, {PIM_OP_sign, "Sign", 0},
	{PIM_OP_sqrt, "Sqrt", 0}, {PIM_OP_reciprocal, "Reciprocal", 0}, {PIM_OP_exp, "Exp", 0},
	{PIM_OP_log, "Log", 0}, {PIM_OP_erf, "Erf", 0}, {PIM_OP_sin, "Sin", 0}, {PIM_OP_cos, "Cos", 0},
	{PIM_OP_tanh, "Tanh", 0}, {PIM_OP_tan, "Tan", 0}, {PIM_OP_asin, "Asin", 0},
	{PIM_OP_acos, "Acos", 0}, {PIM_OP_atan, "Atan", 0}, {PIM_OP_sinh, "Sinh", 0},
	{PIM_OP_cosh, "Cosh", 0}, {PIM_OP_asinh, "Asinh", 0}, {PIM_OP_acosh, "Acosh", 0},
	{PIM_OP_atanh, "Atanh", 0}, {PIM_OP_sigmoid, "Sigmoid", 0}, {PIM_OP_softplus, "Softplus", 0},
	{PIM_OP_hard_swish, "HardSwish", 0}, {PIM_OP_relu, "Relu", 0}, {PIM_OP_floor, "Floor", 0},
	{PIM_OP_ceil, "Ceil", 0}, {PIM_OP_round, "Round", 0}, {PIM_OP_not, "Not", 0},
	{PIM_OP_bitwise_not, "BitwiseNot", 18}, {PIM_OP_leaky_relu, "LeakyRelu", 0},
	{PIM_OP_elu, "Elu", 0}, {PIM_OP_hard_sigmoid, "HardSigmoid", 0}, {PIM_OP_add, "Add", 0},
	{PIM_OP_sub, "Sub", 0}, {PIM_OP_mul, "Mul", 0}, {PIM_OP_div, "Div", 0}, {PIM_OP_pow, "Pow", 0},
	{PIM_OP_equal, "Equal", 0}, {PIM_OP_less, "Less", 0}, {PIM_OP_less_equal, "LessOrEqual", 0},
	{PIM_OP_greater, "Greater", 0}, {PIM_OP_greater_equal, "GreaterOrEqual", 0},
	{PIM_OP_and, "And", 0}, {PIM_OP_or, "Or", 0}, {PIM_OP_xor, "Xor", 0},
	{PIM_OP_bitwise_and, "BitwiseAnd", 18}, {PIM_OP_bitwise_or, "BitwiseOr", 18},
	{PIM_OP_bitwise_xor, "BitwiseXor", 18}, {PIM_OP_where, "Where", 0},
	{PIM_OP_softmax, "Softmax", 0}, {PIM_OP_log_softmax, "LogSoftmax", 0},
	{PIM_OP_layer_norm, "LayerNormalization", 0}, {PIM_OP_batch_norm, "BatchNormalization", 0},
	{PIM_OP_lrn, "LRN", 0}, {PIM_OP_transpose, "Transpose", 0}, {PIM_OP_concat, "Concat", 0},
	{PIM_OP_gather, "Gather", 0}, {PIM_OP_gather_elements, "GatherElements", 0},
	{PIM_OP_gather_nd, "GatherND", 0}, {PIM_OP_scatter_elements, "ScatterElements", 0},
	{PIM_OP_scatter_nd, "ScatterND", 0}, {PIM_OP_det, "Det", 0}};

static const struct special {
	pim_op op;
	write_function *write;
	int opset;
} special[] = {{PIM_OP_relayout, write_identity, 0}, {PIM_OP_clip, write_clip, 0},
	{PIM_OP_cast, write_cast, 0}, {PIM_OP_bit_cast, write_cast, 26}, {PIM_OP_silu, write_silu, 0},
	{PIM_OP_gelu, write_gelu, 0}, {PIM_OP_mod, write_mod, 0}, {PIM_OP_shift_left, write_shift, 0},
	{PIM_OP_shift_right, write_shift, 0}, {PIM_OP_max, write_extreme, 0},
	{PIM_OP_min, write_extreme, 0}, {PIM_OP_matmul, write_matmul, 0},
	{PIM_OP_matmul_integer, write_matmul, 0}, {PIM_OP_conv, write_conv, 0},
	{PIM_OP_conv_transpose, write_conv, 0}, {PIM_OP_conv_integer, write_conv, 0},
	{PIM_OP_deform_conv, write_deform_conv, 19}, {PIM_OP_average_pool, write_average_pool, 0},
	{PIM_OP_max_pool, write_max_pool, 0}, {PIM_OP_max_pool_indices, write_max_pool, 0},
	{PIM_OP_reduce_sum, write_reduce, 0}, {PIM_OP_reduce_mean, write_reduce, 0},
	{PIM_OP_reduce_max, write_reduce, 0}, {PIM_OP_reduce_min, write_reduce, 0},
	{PIM_OP_reduce_prod, write_reduce, 0}, {PIM_OP_arg_max, write_arg, 0},
	{PIM_OP_arg_min, write_arg, 0}, {PIM_OP_top_k, write_top_k, 0},
	{PIM_OP_cumsum, write_running, 0}, {PIM_OP_cumprod, write_running, 26},
	{PIM_OP_reshape, write_reshape, 0}, {PIM_OP_expand, write_reshape, 0},
	{PIM_OP_slice, write_slice, 0}, {PIM_OP_pad, write_pad, 0},
	{PIM_OP_quantize_linear, write_quantize, 0}, {PIM_OP_dequantize_linear, write_quantize, 0},
	{PIM_OP_resize, onnx_write_resize, 0}, {PIM_OP_grid_sample, onnx_write_grid_sample, 0},
	{PIM_OP_roi_align, onnx_write_roi, 0}, {PIM_OP_max_roi_pool, onnx_write_roi, 0},
	{PIM_OP_lstm, onnx_write_recurrent, 0}, {PIM_OP_gru, onnx_write_recurrent, 0},
	{PIM_OP_rnn, onnx_write_recurrent, 0}};

enum { N_PLAIN = sizeof plain / sizeof *plain, N_SPECIAL = sizeof special / sizeof *special };

/* Blocks and integers of 16 bits came with opset 21, short floats with 19. */
static int quantizing_needs(const pim_node *n)
{
	pim_dtype integer = n->op == PIM_OP_quantize_linear ? n->type->dtype : n->in[0]->type->dtype;
	if (is_blocked(n) || integer == PIM_DTYPE_i16 || integer == PIM_DTYPE_u16)
		return 21;
	return n->in[1]->type->dtype == PIM_DTYPE_f32 ? 0 : 19;
}

static int attribute_needs(const pim_node *n)
{
	const char *reduction = n->op == PIM_OP_scatter_elements || n->op == PIM_OP_scatter_nd
								? pim_node_string(n, "reduction")
								: "";
	if (n->op == PIM_OP_average_pool) {
		const int64_t *v;
		return pim_node_ints(n, "dilations", &v) > 0 ? 19 : 0;
	}
	if (n->op == PIM_OP_quantize_linear || n->op == PIM_OP_dequantize_linear)
		return quantizing_needs(n);
	if (n->op == PIM_OP_reduce_max || n->op == PIM_OP_reduce_min)
		return n->type->dtype == PIM_DTYPE_bool ? 20 : 0;
	if (n->op == PIM_OP_grid_sample && n->type->rank != 4)
		return 20;
	if (n->op == PIM_OP_resize &&
		!strcmp(pim_node_string(n, "coordinates"), "half_pixel_symmetric"))
		return 19;
	if (n->op == PIM_OP_resize && (pim_node_int(n, "antialias") || onnx_resize_needs_policy(n)))
		return 18;
	return !strcmp(reduction, "max") || !strcmp(reduction, "min") ? 18 : 0;
}

int onnx_write_needs(const pim_node *n)
{
	int needs = attribute_needs(n);
	if (!n->type->n_parts && (n->type->dtype == PIM_DTYPE_i4 || n->type->dtype == PIM_DTYPE_u4))
		needs = 21;
	for (int i = 0; i < N_PLAIN; i++)
		if (plain[i].op == (pim_op)n->op && plain[i].opset > needs)
			needs = plain[i].opset;
	for (int i = 0; i < N_SPECIAL; i++)
		if (special[i].op == (pim_op)n->op && special[i].opset > needs)
			needs = special[i].opset;
	return needs;
}

bool onnx_write_op(onnx_writer *w, const pim_node *n)
{
	const char **in = PIM_NEW(w->arena, const char *, n->n_in + 1);
	for (uint32_t i = 0; i < n->n_in; i++)
		in[i] = n->in[i] ? w->name[n->in[i]->id] : NULL;
	for (int i = 0; i < N_PLAIN; i++)
		if (plain[i].op == (pim_op)n->op) {
			copy_attributes(w, n, onnx_write_as(w, n, plain[i].op_type, in));
			return true;
		}
	for (int i = 0; i < N_SPECIAL; i++)
		if (special[i].op == (pim_op)n->op)
			return special[i].write(w, n, in);
	return pim_node_error(n, "%s has no form in ONNX", pim_op_at((pim_op)n->op)->name);
}
