/* SPDX-License-Identifier: Apache-2.0 */
/* ops_sample - grid_sample: elements of an image at any places, interpolated.
 *
 * Each place gives a few taps per dim, whose products weigh the elements; all channels of an image
 * use the same ones. Computed in float64. */
#include "ir/op_rules.h"

#include <math.h>
#include <string.h>

typedef enum sample_mode { SAMPLE_nearest, SAMPLE_linear, SAMPLE_cubic } sample_mode;
typedef enum sample_padding { PADDING_zeros, PADDING_border, PADDING_reflection } sample_padding;

static const char *const mode_names[] = {"nearest", "linear", "cubic"};
static const char *const padding_names[] = {"zeros", "border", "reflection"};

/* The number of an attribute's word among three; -1 after a diagnostic. */
static int read_word(const pim_node *n, const char *attribute, const char *const names[3])
{
	const char *word = pim_node_string(n, attribute);
	for (int i = 0; word && i < 3; i++)
		if (!strcmp(word, names[i]))
			return i;
	pim_node_error(n, "%s of grid_sample is \"%s\", expected %s, %s or %s", attribute,
		word ? word : "", names[0], names[1], names[2]);
	return -1;
}

const pim_type *pim_infer_grid_sample(const pim_node *n)
{
	const pim_type *x = pim_rule_float_operand(n, 0), *grid = pim_rule_float_operand(n, 1);
	int64_t dims[PIM_MAX_RANK];
	if (!x || !grid || read_word(n, "mode", mode_names) < 0 ||
		read_word(n, "padding", padding_names) < 0)
		return NULL;
	int spatial = x->rank - 2;
	bool fits = spatial >= 1 && spatial <= 3 && grid->rank == x->rank &&
				grid->dims[0] == x->dims[0] && grid->dims[grid->rank - 1] == spatial;
	for (int d = 2; fits && d < x->rank; d++)
		fits = x->dims[d] > 0;
	if (!fits) {
		pim_node_error(n,
			"grid_sample of %s at %s, expected one to three spatial dims and a grid [images, "
			"..., spatial dims]",
			pim_rule_text(n, x), pim_rule_text(n, grid));
		return NULL;
	}
	dims[0] = x->dims[0];
	dims[1] = x->dims[1];
	memcpy(dims + 2, grid->dims + 1, sizeof *dims * (size_t)spatial);
	return pim_rule_result(n, x->dtype, x->rank, dims);
}

/* Axes: one per result dim, the entries of a place, and the image's dims. */
void pim_axes_grid_sample(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type, *grid = n->in[1]->type;
	int last = grid->rank - 1;
	pim_axes_of_result(n, x);
	pim_axes_term(x, 1, last, pim_axes_axis(x, grid->dims[last], PIM_AXIS_coupled, "place"), 1);
	for (int d = 0; d < last; d++)
		pim_axes_term(x, 1, d, d ? d + 1 : 0, 1);
	for (int d = 0; d < t->rank; d++)
		pim_axes_term(
			x, 0, d, d < 2 ? d : pim_axes_axis(x, t->dims[d], PIM_AXIS_coupled, "entry"), 1);
}

/* ---- taps ---- */

enum { MOST_TAPS = 4 };

/* Along one dim; at -1: outside, worth nothing. */
typedef struct sample_taps {
	int n;
	int64_t at[MOST_TAPS];
	double weight[MOST_TAPS];
} sample_taps;

typedef struct sampling {
	sample_mode mode;
	sample_padding padding;
	bool align;
} sampling;

/* v thrown back between two mirrors as often as needed. */
static double reflect(double v, double lo, double hi)
{
	double range = hi - lo;
	if (range <= 0)
		return lo;
	double over = v < lo ? lo - v : v > hi ? v - hi : -1;
	if (over < 0)
		return v;
	double times = floor(over / range), rest = over - times * range;
	bool from_low = (v < lo) == (fmod(times, 2) == 0);
	return from_low ? lo + rest : hi - rest;
}

static double find_low(const sampling *s)
{
	return s->align ? 0 : -0.5;
}

static double find_high(const sampling *s, int64_t size)
{
	return (double)size - (s->align ? 1 : 0.5);
}

static int64_t find_element(const sampling *s, double place, int64_t size)
{
	if (place >= 0 && place < (double)size)
		return (int64_t)place;
	if (s->padding == PADDING_zeros)
		return -1;
	if (s->padding == PADDING_reflection)
		place = reflect(place, find_low(s), find_high(s, size));
	return pim_int_from_double(place, 0, size - 1);
}

static double weigh_cubic(double x)
{
	const double a = -0.75;
	x = fabs(x);
	if (x <= 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* v: -1 to 1 over the dim. */
static sample_taps find_taps(const sampling *s, double v, int64_t size)
{
	const double far = 1e9;
	double lo = find_low(s), hi = find_high(s, size);
	double at = s->align ? (v + 1) / 2 * (double)(size - 1) : ((v + 1) * (double)size - 1) / 2;
	sample_taps t = {.n = s->mode == SAMPLE_cubic ? 4 : s->mode == SAMPLE_linear ? 2 : 1};
	if (!(fabs(at) < far))
		at = at > 0 ? far : -far;
	at = s->mode == SAMPLE_nearest ? rint(at) : at;
	if ((at < lo || at > hi) && s->padding == PADDING_border)
		at = at < 0 ? 0 : (double)(size - 1);
	if ((at < lo || at > hi) && s->padding == PADDING_reflection)
		at = reflect(at, lo, hi);
	double first = floor(at) - (s->mode == SAMPLE_cubic ? 1 : 0);
	for (int k = 0; k < t.n; k++) {
		double place = first + k, distance = fabs(place - at);
		t.at[k] = find_element(s, place, size);
		t.weight[k] = s->mode == SAMPLE_cubic	 ? weigh_cubic(distance)
					  : s->mode == SAMPLE_linear ? 1 - distance
												 : 1;
	}
	return t;
}

/* The products of the taps of all dims (dims[0] outermost): element offsets and weights; how many.
 */
static int join_taps(const sample_taps t[3], const int64_t dims[3], int64_t *at, double *weight)
{
	int n = 0;
	for (int a = 0; a < t[0].n; a++)
		for (int b = 0; b < t[1].n; b++)
			for (int c = 0; c < t[2].n; c++) {
				if (t[0].at[a] < 0 || t[1].at[b] < 0 || t[2].at[c] < 0)
					continue;
				at[n] = (t[0].at[a] * dims[1] + t[1].at[b]) * dims[2] + t[2].at[c];
				weight[n++] = t[0].weight[a] * t[1].weight[b] * t[2].weight[c];
			}
	return n;
}

bool pim_eval_grid_sample(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = in[0].type;
	const double *x = pim_stage_doubles(&in[0], e->scratch);
	const double *grid = pim_stage_doubles(&in[1], e->scratch);
	double *y = pim_arena_raw(e->scratch, sizeof *y * (size_t)n->type->elements + 1);
	sampling s = {.mode = (sample_mode)read_word(n, "mode", mode_names),
		.padding = (sample_padding)read_word(n, "padding", padding_names),
		.align = pim_node_int(n, "align_corners") != 0};
	int spatial = t->rank - 2;
	int64_t dims[3] = {1, 1, 1}, volume = 1, places = 1, channels = t->dims[1];
	sample_taps one = {.n = 1, .weight = {1}}, taps[3] = {one, one, one};
	int64_t at[MOST_TAPS * MOST_TAPS * MOST_TAPS];
	double weight[MOST_TAPS * MOST_TAPS * MOST_TAPS];
	for (int d = 0; d < spatial; d++) {
		dims[3 - spatial + d] = t->dims[2 + d];
		volume *= t->dims[2 + d];
		places *= n->type->dims[2 + d];
	}
	for (int64_t p = 0; p < t->dims[0] * places; p++, grid += spatial) {
		for (int d = 0; d < spatial; d++)
			taps[2 - d] = find_taps(&s, grid[d], dims[2 - d]);
		int count = join_taps(taps, dims, at, weight);
		const double *image = x + p / places * channels * volume;
		for (int64_t c = 0; c < channels; c++, image += volume) {
			double sum = 0;
			for (int k = 0; k < count; k++)
				sum += weight[k] * image[at[k]];
			y[(p / places * channels + c) * places + p % places] = sum;
		}
	}
	pim_stage_finish_doubles(out, y);
	return true;
}
