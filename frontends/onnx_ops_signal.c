/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_signal - Fourier transforms and windows.
 *
 * A transform of n points is a product by the matrices of cos(2 pi i j / n) and sin(2 pi i j / n):
 * exact enough and what a matrix unit does best. Complex values have a last dim of 2. Rules: ONNX
 * operator specification, DFT 17 and 20, STFT 17, windows 17. */
#include <math.h>
#include <string.h>

#include "frontends/onnx.h"

static const double two_pi = 6.283185307179586476925286766559;

typedef struct transform {
	int64_t points, kept; /* results: the first `kept` */
	bool inverse;
} transform;

/* The matrix [given, kept] of one function; elements behind `points` do not count. */
static pim_node *matrix(onnx_call *k, const transform *f, pim_dtype t, int64_t given, bool sine)
{
	int64_t dims[2] = {given, f->kept};
	double *v = PIM_NEW(k->import->scratch, double, given * f->kept + 1);
	double scale = f->inverse ? 1 / (double)f->points : 1;
	for (int64_t i = 0; i < given && i < f->points; i++)
		for (int64_t j = 0; j < f->kept; j++) {
			double angle = two_pi * (double)(i * j % f->points) / (double)f->points;
			v[i * f->kept + j] = scale * (sine ? (f->inverse ? 1 : -1) * sin(angle) : cos(angle));
		}
	return onnx_numbers(k, t, 2, dims, v);
}

/* Transforms the last dim of the real and the imaginary part (NULL: 0) into out[0] and out[1]. */
static bool apply(
	onnx_call *k, const transform *f, pim_node *real, pim_node *imaginary, pim_node *out[2])
{
	pim_dtype t = real->type->dtype;
	int64_t given = real->type->dims[real->type->rank - 1];
	pim_node *c = matrix(k, f, t, given, false), *s = matrix(k, f, t, given, true);
	out[0] = onnx_matmul(k, real, c, false);
	out[1] = onnx_matmul(k, real, s, false);
	if (imaginary) {
		out[0] = onnx_make2(k, PIM_OP_sub, out[0], onnx_matmul(k, imaginary, s, false));
		out[1] = onnx_make2(k, PIM_OP_add, out[1], onnx_matmul(k, imaginary, c, false));
	}
	return out[0] && out[1];
}

/* Part `which` of a last dim of 1 or 2, without that dim. */
static pim_node *component(onnx_call *k, pim_node *x, int64_t which)
{
	int rank = x->type->rank;
	if (which >= x->type->dims[rank - 1])
		return NULL;
	return onnx_reshape(k, onnx_part(k, x, rank - 1, which, 1), rank - 1, x->type->dims);
}

/* Two parts as a last dim of 2 (or the first alone). */
static pim_node *combine(onnx_call *k, pim_node *part[2], int n)
{
	int64_t dims[PIM_MAX_RANK];
	int rank = part[0] ? part[0]->type->rank : 0;
	for (int i = 0; i < n; i++) {
		if (!part[i] || rank >= PIM_MAX_RANK)
			return NULL;
		memcpy(dims, part[i]->type->dims, sizeof *dims * (size_t)rank);
		dims[rank] = 1;
		part[i] = onnx_reshape(k, part[i], rank + 1, dims);
	}
	return onnx_concat(k, n, part, rank);
}

/* The dim `at` and the last one change places. */
static pim_node *swap_last(onnx_call *k, pim_node *x, int64_t at)
{
	int64_t perm[PIM_MAX_RANK];
	int rank = x ? x->type->rank : 0;
	if (!x || at == rank - 1)
		return x;
	for (int d = 0; d < rank; d++)
		perm[d] = d == at ? rank - 1 : d == rank - 1 ? at : d;
	return onnx_transpose(k, x, perm);
}

/* The axis is an attribute (default 1) before opset 20, then an input (default -2). */
static bool dft_axis(onnx_call *k, int64_t *axis)
{
	double v = -2;
	if (k->opset < 20)
		v = (double)onnx_int(k, "axis", 1);
	else if (k->n_in > 2 && k->in[2] && !onnx_input_number(k, 2, &v))
		return false;
	*axis = (int64_t)v;
	if (!onnx_axis(k, axis, k->in[0]->type->rank))
		return false;
	return *axis < k->in[0]->type->rank - 1 ||
		   onnx_fail(k, "the axis is that of the complex parts");
}

/* The whole signal from the first half of its transform: X[n - i] is the conjugate of X[i]. */
static bool inverse_real(
	onnx_call *k, transform *f, pim_node *real, pim_node *imaginary, pim_node *out[2])
{
	int64_t given = real->type->dims[real->type->rank - 1], n = f->points;
	int64_t dims[2] = {given, n};
	double *v[2];
	pim_node *y;
	for (int part = 0; part < 2; part++) {
		v[part] = PIM_NEW(k->import->scratch, double, given *n + 1);
		for (int64_t i = 0; i < given && i <= n / 2; i++)
			for (int64_t j = 0; j < n; j++) {
				double angle = two_pi * (double)(i * j % n) / (double)n;
				double twice = i == 0 || 2 * i == n ? 1 : 2;
				v[part][i * n + j] = twice / (double)n * (part ? -sin(angle) : cos(angle));
			}
	}
	y = onnx_matmul(k, real, onnx_numbers(k, real->type->dtype, 2, dims, v[0]), false);
	if (imaginary)
		y = onnx_make2(k, PIM_OP_add, y,
			onnx_matmul(k, imaginary, onnx_numbers(k, real->type->dtype, 2, dims, v[1]), false));
	out[0] = y;
	return y != NULL;
}

bool onnx_convert_dft(onnx_call *k)
{
	pim_node *x = k->in[0], *part[2], *out[2];
	transform f = {.inverse = onnx_int(k, "inverse", 0) != 0};
	bool one_sided = onnx_int(k, "onesided", 0) != 0, halves;
	int64_t axis, last = x->type->rank ? x->type->dims[x->type->rank - 1] : 0;
	double points;
	if (x->type->rank < 2 || last < 1 || last > 2)
		return onnx_fail(k, "the input is %s, expected a last dim of 1 or 2",
			pim_type_text(x->type, k->import->scratch));
	if (!dft_axis(k, &axis))
		return false;
	halves = one_sided && f.inverse;
	points = (double)x->type->dims[axis];
	if (halves)
		points = 2 * (points - 1);
	if (k->n_in > 1 && k->in[1] && !onnx_input_number(k, 1, &points))
		return false;
	if (points < 1 || points > 1 << 20)
		return onnx_fail(k, "a transform of %g points is not supported", points);
	f.points = (int64_t)points;
	f.kept = one_sided && !f.inverse ? f.points / 2 + 1 : f.points;
	for (int i = 0; i < 2; i++) {
		part[i] = component(k, x, i);
		part[i] = part[i] ? swap_last(k, part[i], axis) : NULL;
	}
	if (!part[0] || !(halves ? inverse_real(k, &f, part[0], part[1], out)
							 : apply(k, &f, part[0], part[1], out)))
		return false;
	out[0] = swap_last(k, out[0], axis);
	out[1] = halves ? NULL : swap_last(k, out[1], axis);
	return onnx_give(k, combine(k, out, halves ? 1 : 2));
}

/* Frames of the signal [batch, length] every `step`: [batch, frames, size]. */
static pim_node *frames(onnx_call *k, pim_node *x, int64_t step, int64_t size)
{
	int64_t n = (x->type->dims[1] - size) / step + 1, dims[2] = {n, size};
	double *at = PIM_NEW(k->import->scratch, double, n *size + 1);
	pim_attr axis = onnx_attr_int("axis", 1);
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < size; j++)
			at[i * size + j] = (double)(i * step + j);
	return onnx_make(k, PIM_OP_gather, 2,
		(pim_node *[]){x, onnx_numbers(k, PIM_DTYPE_i64, 2, dims, at)}, 1, &axis);
}

/* Signal [batch, length, 1 or 2], step, window, frame length. */
bool onnx_convert_stft(onnx_call *k)
{
	pim_node *x = k->in[0], *window = k->n_in > 2 ? k->in[2] : NULL, *part[2], *out[2];
	transform f = {0};
	double step, size = 0;
	if (!onnx_input_number(k, 1, &step) ||
		(k->n_in > 3 && k->in[3] && !onnx_input_number(k, 3, &size)))
		return false;
	if (size == 0 && window)
		size = (double)window->type->elements;
	if (x->type->rank == 2)
		x = onnx_reshape(k, x, 3, (int64_t[]){x->type->dims[0], x->type->dims[1], 1});
	if (!x || x->type->rank != 3 || step < 1 || size < 1 || size > (double)x->type->dims[1] ||
		(window && window->type->elements != (int64_t)size))
		return onnx_fail(k, "the signal is %s, the step %g and the frame %g",
			pim_type_text(k->in[0]->type, k->import->scratch), step, size);
	f.points = (int64_t)size;
	f.kept = onnx_int(k, "onesided", 1) ? f.points / 2 + 1 : f.points;
	for (int i = 0; i < 2; i++) {
		part[i] = component(k, x, i);
		part[i] = part[i] ? frames(k, part[i], (int64_t)step, f.points) : NULL;
		if (part[i] && window)
			part[i] = onnx_make2(k, PIM_OP_mul, part[i], window);
	}
	return part[0] && apply(k, &f, part[0], part[1], out) && onnx_give(k, combine(k, out, 2));
}

/* a0 - a1 cos(2 pi i / n) + a2 cos(4 pi i / n), n the size or one less */
static bool give_window(onnx_call *k, double a0, double a1, double a2)
{
	int64_t to = onnx_int(k, "output_datatype", 1), n;
	pim_dtype t = onnx_dtype((int32_t)to);
	double size, *v, period;
	if (!onnx_input_number(k, 0, &size))
		return false;
	if (t == PIM_DTYPE_COUNT || size < 0 || size > 1 << 24)
		return onnx_fail(k, "a window of %g elements of type %s is not supported", size,
			onnx_dtype_text((int32_t)to));
	n = (int64_t)size;
	period = onnx_int(k, "periodic", 1) ? size : size - 1;
	v = PIM_NEW(k->import->scratch, double, n + 1);
	for (int64_t i = 0; i < n; i++) {
		double angle = two_pi * (double)i / period;
		v[i] = a0 - a1 * cos(angle) + a2 * cos(2 * angle);
	}
	return onnx_give(k, onnx_numbers(k, t, 1, &n, v));
}

bool onnx_convert_hann_window(onnx_call *k)
{
	return give_window(k, 0.5, 0.5, 0);
}

bool onnx_convert_hamming_window(onnx_call *k)
{
	return give_window(k, 25.0 / 46, 21.0 / 46, 0);
}

bool onnx_convert_blackman_window(onnx_call *k)
{
	return give_window(k, 0.42, 0.5, 0.08);
}

static double to_mel(double hertz)
{
	return 2595 * log10(1 + hertz / 700);
}

/* Bins, length of the transform, sample rate, lowest and highest frequency: triangles between
 * frequencies that are evenly spaced in mel, as [transform / 2 + 1, bins]. */
bool onnx_convert_mel_weights(onnx_call *k)
{
	double v[5], *w, *edge, low, step;
	int64_t bins, dims[2], to = onnx_int(k, "output_datatype", 1);
	pim_dtype t = onnx_dtype((int32_t)to);
	for (int i = 0; i < 5; i++)
		if (!onnx_input_number(k, i, &v[i]))
			return false;
	if (v[0] < 1 || v[0] > 1 << 16 || v[1] < 1 || v[1] > 1 << 20 || v[2] <= 0 || v[3] < 0 ||
		v[4] < v[3] || t == PIM_DTYPE_COUNT)
		return onnx_fail(k, "%g bins of %g points at %g Hz from %g to %g Hz are not supported",
			v[0], v[1], v[2], v[3], v[4]);
	bins = (int64_t)v[0];
	dims[0] = (int64_t)v[1] / 2 + 1;
	dims[1] = bins;
	edge = PIM_NEW(k->import->scratch, double, bins + 2);
	w = PIM_NEW(k->import->scratch, double, dims[0] * bins + 1);
	low = to_mel(v[3]);
	step = (to_mel(v[4]) - low) / (double)(bins + 2);
	for (int64_t i = 0; i < bins + 2; i++)
		edge[i] = floor((v[1] + 1) * 700 * (pow(10, ((double)i * step + low) / 2595) - 1) / v[2]);
	for (int64_t i = 0; i < bins; i++) {
		double lower = edge[i], centre = edge[i + 1], upper = edge[i + 2];
		if (centre == lower && centre < (double)dims[0])
			w[(int64_t)centre * bins + i] = 1;
		for (int64_t f = (int64_t)lower; f <= (int64_t)centre && centre > lower && f < dims[0]; f++)
			w[f * bins + i] = ((double)f - lower) / (centre - lower);
		for (int64_t f = (int64_t)centre; f < (int64_t)upper && f < dims[0]; f++)
			w[f * bins + i] = (upper - (double)f) / (upper - centre);
	}
	return onnx_give(k, onnx_numbers(k, t, 2, dims, w));
}
