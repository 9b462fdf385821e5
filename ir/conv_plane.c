/* SPDX-License-Identifier: Apache-2.0 */
/* conv_plane - float32 convolutions of one input channel (depthwise ones).
 *
 * The padded plane is dealt out by stride: phase (p, q) has the elements p, p + stride, ... of each
 * dim. Then tap (a, b) of every result of a slice is a run of one phase with a constant shift, so
 * all lines together are one loop without borders; what falls between lines is computed and left.
 * Source: ours. */
#include "ir/op_rules.h"
#include "ir/wide.h"

#include <string.h>

/* Results of one pass: they stay in a first-level cache. */
enum { PASS = 2048, TAPS = 3 };

typedef struct phases {
	int64_t n[2];	/* phases along lines and columns that a tap reads */
	int64_t lines;	/* of one phase */
	int64_t pitch;	/* elements of one line */
	int64_t volume; /* of one phase, and what a tap of the last line reads beyond it */
} phases;

static int64_t last_tap(const pim_window *w, int d)
{
	return (w->kernel[d] - 1) * w->dilation[d];
}

static phases size_phases(const pim_window *w)
{
	phases f;
	for (int d = 0; d < 2; d++)
		f.n[d] =
			w->stride[1 + d] < last_tap(w, 1 + d) + 1 ? w->stride[1 + d] : last_tap(w, 1 + d) + 1;
	f.lines = w->out[1] + last_tap(w, 1) / w->stride[1];
	f.pitch = w->out[2] + last_tap(w, 2) / w->stride[2];
	f.volume = f.lines * f.pitch + last_tap(w, 2) / w->stride[2];
	return f;
}

int64_t pim_conv_plane_room(const pim_window *w)
{
	phases f = size_phases(w);
	return f.n[0] * f.n[1] * f.volume + w->out[1] * f.pitch + w->kernel_volume;
}

/* One line of a phase: every stride-th element from column `from` on, zeros outside. */
PIM_WIDE static void deal_line(
	const pim_window *w, const float *x, int64_t from, int64_t n, float *to)
{
	int64_t step = w->stride[2], first = from >= 0 ? 0 : (-from + step - 1) / step;
	int64_t last = from >= w->in[2] ? 0 : (w->in[2] - 1 - from) / step + 1;
	first = first < n ? first : n;
	last = last < n ? last : n;
	for (int64_t i = 0; i < first; i++)
		to[i] = 0;
	if (step == 1 && first < last)
		memcpy(to + first, x + from + first, sizeof *to * (size_t)(last - first));
	else
		for (int64_t i = first; i < last; i++)
			to[i] = x[from + i * step];
	for (int64_t i = first > last ? first : last; i < n; i++)
		to[i] = 0;
}

static void deal_slice(const pim_window *w, const phases *f, const float *x, float *to)
{
	for (int64_t p = 0; p < f->n[0]; p++)
		for (int64_t q = 0; q < f->n[1]; q++, to += f->volume) {
			for (int64_t i = 0; i < f->lines; i++) {
				int64_t line = i * w->stride[1] + p - w->lo[1];
				float *row = to + i * f->pitch;
				if (line >= 0 && line < w->in[1])
					deal_line(w, x + line * w->in[2], q - w->lo[2], f->pitch, row);
				else
					memset(row, 0, sizeof *row * (size_t)f->pitch);
			}
			for (int64_t i = f->lines * f->pitch; i < f->volume; i++)
				to[i] = 0;
		}
}

PIM_WIDE static void add_three(
	const float *const x[TAPS], const float k[TAPS], int64_t n, float *restrict y)
{
	const float *a = x[0], *b = x[1], *c = x[2], ka = k[0], kb = k[1], kc = k[2];
	for (int64_t i = 0; i < n; i++)
		y[i] += ka * a[i] + kb * b[i] + kc * c[i];
}

PIM_WIDE static void add_one(const float *x, float k, int64_t n, float *restrict y)
{
	for (int64_t i = 0; i < n; i++)
		y[i] += k * x[i];
}

/* Where the tap (a, b) of the first result lies. */
static int64_t find_tap(const pim_window *w, const phases *f, int64_t a, int64_t b)
{
	int64_t line = a * w->dilation[1], column = b * w->dilation[2];
	int64_t phase = line % w->stride[1] * f->n[1] + column % w->stride[2];
	return phase * f->volume + line / w->stride[1] * f->pitch + column / w->stride[2];
}

static void add_taps(
	const pim_window *w, const phases *f, const float *dealt, const float *k, float *y)
{
	int64_t total = w->out[1] * f->pitch, taps = w->kernel[1] * w->kernel[2];
	for (int64_t from = 0; from < total; from += PASS) {
		int64_t n = total - from < PASS ? total - from : PASS, t = 0;
		const float *x[TAPS];
		for (; t + TAPS <= taps; t += TAPS) {
			for (int64_t i = 0; i < TAPS; i++)
				x[i] =
					dealt + from + find_tap(w, f, (t + i) / w->kernel[2], (t + i) % w->kernel[2]);
			add_three(x, k + t, n, y + from);
		}
		for (; t < taps; t++)
			add_one(dealt + from + find_tap(w, f, t / w->kernel[2], t % w->kernel[2]), k[t], n,
				y + from);
	}
}

PIM_WIDE static void add_lines(const pim_window *w, const phases *f, const float *from, float *y)
{
	for (int64_t i = 0; i < w->out[1]; i++)
		for (int64_t j = 0; j < w->out[2]; j++)
			y[i * w->out[2] + j] += from[i * f->pitch + j];
}

/* The slice at depth `at` of the input, dealt, is added wherever a tap of depth reads it. */
static void add_slice(
	const pim_window *w, const phases *f, int64_t at, const float *dealt, float *k, float *y)
{
	float *sums = k + w->kernel_volume;
	size_t taps = (size_t)(w->kernel[1] * w->kernel[2]);
	for (int64_t a = 0; a < w->kernel[0]; a++) {
		int64_t o = at + w->lo[0] - a * w->dilation[0];
		if (o < 0 || o % w->stride[0] || o / w->stride[0] >= w->out[0])
			continue;
		memset(sums, 0, sizeof *sums * (size_t)(w->out[1] * f->pitch));
		add_taps(w, f, dealt, k + (size_t)a * taps, sums);
		add_lines(w, f, sums, y + o / w->stride[0] * w->out[1] * w->out[2]);
	}
}

void pim_conv_plane(
	const pim_window *w, int64_t channels, const float *x, const char *k, float *y, float *room)
{
	phases f = size_phases(w);
	float *kernel = room + f.n[0] * f.n[1] * f.volume;
	size_t bytes = sizeof *kernel * (size_t)w->kernel_volume;
	for (int64_t at = 0; at < w->in[0]; at++) {
		deal_slice(w, &f, x + at * w->in[1] * w->in[2], room);
		for (int64_t c = 0; c < channels; c++) {
			memcpy(kernel, k + (size_t)c * bytes, bytes);
			add_slice(w, &f, at, room, kernel, y + c * w->out_volume);
		}
	}
}
