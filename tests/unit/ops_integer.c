/* SPDX-License-Identifier: Apache-2.0 */
/* ops_integer - quantised values and their products, bits, and the newer functions of one input,
 * against their definitions; integers bit for bit. */
#include "tests/unit/twin.h"

#include <math.h>

/* The element of input i that is broadcast to o. */
static double at_broadcast(const pim_node *n, const pim_tensor *in, int i, const int64_t *o)
{
	const pim_type *t = in[i].type;
	int64_t x[PIM_MAX_RANK];
	for (int d = 0; d < t->rank; d++)
		x[d] = t->dims[d] == 1 ? 0 : o[d + n->type->rank - t->rank];
	return at(&in[i], x);
}

/* Half to even, written out; x / scale in the precision of x. */
static double define_quantize(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	double x = at(&in[0], o), scale = at_broadcast(n, in, 1, o);
	double v = in[0].type->dtype == PIM_DTYPE_f64 ? x / scale : (double)((float)x / (float)scale);
	double down = floor(v), part = v - down;
	double y = part > 0.5 || (part == 0.5 && fmod(down, 2) != 0) ? down + 1 : down;
	y += n->n_in > 2 ? at_broadcast(n, in, 2, o) : 0;
	return fmax(-128, fmin(127, y));
}

static double define_dequantize(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	double zero = n->n_in > 2 ? at_broadcast(n, in, 2, o) : 0;
	return (at(&in[0], o) - zero) * at_broadcast(n, in, 1, o);
}

static double define_matmul(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	return product_at(
		n, in, o, (double)pim_node_int(n, "a_zero"), (double)pim_node_int(n, "b_zero"));
}

static double define_conv(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	const pim_type *w = in[1].type;
	int spatial = w->rank - 2;
	const int64_t *strides = NULL, *dilations = NULL, *pads = NULL;
	int64_t per_group = w->dims[0] / pim_node_int(n, "groups"), k[4], taps = 1;
	double sum = 0;
	pim_node_ints(n, "strides", &strides);
	pim_node_ints(n, "dilations", &dilations);
	pim_node_ints(n, "pads", &pads);
	for (int d = 1; d < w->rank; d++)
		taps *= w->dims[d];
	for (int64_t t = 0; t < taps; t++) {
		decode(t, w->rank - 1, w->dims + 1, k);
		int64_t x[5] = {o[0], o[1] / per_group * w->dims[1] + k[0]}, wi[5] = {o[1], k[0]};
		bool inside = true;
		for (int d = 0; d < spatial; d++) {
			wi[2 + d] = k[1 + d];
			x[2 + d] = o[2 + d] * (strides ? strides[d] : 1) +
					   k[1 + d] * (dilations ? dilations[d] : 1) - (pads ? pads[d] : 0);
			inside = inside && x[2 + d] >= 0 && x[2 + d] < in[0].type->dims[2 + d];
		}
		if (inside)
			sum += (at(&in[0], x) - (double)pim_node_int(n, "x_zero")) *
				   (at(&in[1], wi) - (double)pim_node_int(n, "w_zero"));
	}
	return sum;
}

/* Two equal results each, from constants. */
static const char *const cases[] = {
	"%a = constant {value = [5, -1]} : i8[2]\n%y = bitwise_not %a : i8[2]\n"
	"%z = constant {value = [-6, 0]} : i8[2]\nreturn %y, %z",
	"%a = constant {value = [12, 255]} : u8[2]\n%b = constant {value = [10, 1]} : u8[2]\n"
	"%y = bitwise_xor %a, %b : u8[2]\n%z = constant {value = [6, 254]} : u8[2]\nreturn %y, %z",
	"%a = constant {value = [12, -1]} : i32[2]\n%b = constant {value = 10} : i32[]\n"
	"%y = bitwise_and %a, %b : i32[2]\n%z = constant {value = [8, 10]} : i32[2]\nreturn %y, %z",
	"%a = constant {value = [12, 1]} : u64[2]\n%b = constant {value = [3, 64]} : u64[2]\n"
	"%y = bitwise_or %a, %b : u64[2]\n%z = constant {value = [15, 65]} : u64[2]\nreturn %y, %z",
	"%a = constant {value = [200, 1, 1]} : u8[3]\n%b = constant {value = [1, 7, 9]} : u8[3]\n"
	"%y = shift_left %a, %b : u8[3]\n%z = constant {value = [144, 128, 0]} : u8[3]\nreturn %y, %z",
	"%a = constant {value = [1, 1]} : u64[2]\n%b = constant {value = [63, 64]} : u64[2]\n"
	"%y = shift_left %a, %b : u64[2]\n"
	"%z = constant {value = [9223372036854775808, 0]} : u64[2]\nreturn %y, %z",
	"%a = constant {value = [-5, 5, -5]} : i16[3]\n%b = constant {value = [1, 1, 70]} : i16[3]\n"
	"%y = shift_right %a, %b : i16[3]\n%z = constant {value = [-3, 2, -1]} : i16[3]\nreturn %y, %z",
	"%a = constant {value = [1.0, -0.0]} : f32[2]\n%y = bit_cast %a {to = \"i32\"} : i32[2]\n"
	"%z = constant {value = [1065353216, -2147483648]} : i32[2]\nreturn %y, %z",
	"%a = constant {value = [-1, 7]} : i4[2]\n%y = bit_cast %a {to = \"u4\"} : u4[2]\n"
	"%z = constant {value = [15, 7]} : u4[2]\nreturn %y, %z",
	"%a = constant {value = [0, 2]} : u8[2]\n%y = bit_cast %a {to = \"bool\"} : bool[2]\n"
	"%z = constant {value = [0, 1]} : bool[2]\nreturn %y, %z",
	"%a = constant {value = [0.5]} : f64[1]\n%b = tan %a : f64[1]\n%y = atan %b : f64[1]\n"
	"return %y, %a",
	"%a = constant {value = [0.5]} : f64[1]\n%b = sinh %a : f64[1]\n%y = asinh %b : f64[1]\n"
	"return %y, %a",
	"%a = constant {value = [0.5]} : f64[1]\n%b = cosh %a : f64[1]\n%y = acosh %b : f64[1]\n"
	"return %y, %a",
	"%a = constant {value = [0.5]} : f64[1]\n%b = tanh %a : f64[1]\n%y = atanh %b : f64[1]\n"
	"return %y, %a",
	"%a = constant {value = [0.5]} : f64[1]\n%b = sin %a : f64[1]\n%y = asin %b : f64[1]\n"
	"return %y, %a",
	"%a = constant {value = [0.5]} : f64[1]\n%b = cos %a : f64[1]\n%y = acos %b : f64[1]\n"
	"return %y, %a",
	"%a = constant {value = [0.5]} : f64[1]\n%y = tan %a : f64[1]\n"
	"%z = constant {value = [0.5463024898437905]} : f64[1]\nreturn %y, %z",
	"%a = constant {value = [0.5]} : f64[1]\n%y = sinh %a : f64[1]\n"
	"%z = constant {value = [0.5210953054937474]} : f64[1]\nreturn %y, %z",
	"%a = constant {value = [0.5]} : f64[1]\n%y = cosh %a : f64[1]\n"
	"%z = constant {value = [1.1276259652063807]} : f64[1]\nreturn %y, %z",
	"%a = constant {value = [2.5, 3.5, 1000.0, -1000.0, nan]} : f32[5]\n"
	"%s = constant {value = 1.0} : f32[]\n%o = constant {value = 128} : u8[]\n"
	"%y = quantize_linear %a, %s, %o {to = \"u8\"} : u8[5]\n"
	"%z = constant {value = [130, 132, 255, 0, 0]} : u8[5]\nreturn %y, %z",
	"%a = constant {value = [100.0, -100.0]} : f32[2]\n%s = constant {value = 1.0} : f32[]\n"
	"%y = quantize_linear %a, %s {to = \"u4\"} : u4[2]\n"
	"%z = constant {value = [15, 0]} : u4[2]\nreturn %y, %z",
	"%a = constant {value = [2147483647]} : i32[1]\n%s = constant {value = 2.0} : f32[]\n"
	"%y = dequantize_linear %a, %s : f32[1]\n"
	"%z = constant {value = [4294967296.0]} : f32[1]\nreturn %y, %z",
	"%a = constant {value = -32768} : i16[1,4]\n%b = constant {value = 65535} : u16[4,1]\n"
	"%y = matmul_integer %a, %b {a_zero = 32767} : i32[1,1]\n"
	"%z = constant {value = [524284]} : i32[1,1]\nreturn %y, %z",
};

static const char *const errors[][2] = {
	{"%a = constant {value = 1} : i32[1,1]\n%y = matmul_integer %a, %a : i32[1,1]\nreturn %y",
		"expected integers of at most 16 bits"},
	{"%a = constant {value = 1.0} : f32[2]\n%s = constant {value = 1.0} : f32[3,1]\n"
	 "%y = quantize_linear %a, %s {to = \"i8\"} : i8[2]\nreturn %y",
		"more elements than x"},
	{"%a = constant {value = 1.0} : f32[2]\n%b = constant {value = 1} : u8[]\n"
	 "%y = quantize_linear %a, %a, %b {to = \"i8\"} : i8[2]\nreturn %y",
		"zero point of quantize_linear is u8[], expected i8"},
	{"%a = constant {value = 1.0} : f32[2]\n%y = bit_cast %a {to = \"i8\"} : i8[2]\nreturn %y",
		"expected types with as many bits"},
	{"%a = constant {value = 1.0} : f32[2]\n%y = bitwise_not %a : f32[2]\nreturn %y",
		"expected an integer type"},
};

int main(void)
{
	random_source r = {.state = 41};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_case(cases[i]);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		check_error(errors[i][0], errors[i][1]);
	check_floats(PIM_OP_quantize_linear, define_quantize, 20, &r);
	check_floats(PIM_OP_dequantize_linear, define_dequantize, 20, &r);
	for (int i = 0; i < 40; i++) {
		check_twin(PIM_OP_matmul_integer, PIM_DTYPE_f32, define_matmul, 0, &r);
		check_twin(PIM_OP_conv_integer, PIM_DTYPE_f32, define_conv, 0, &r);
	}
	return check_failures != 0;
}
