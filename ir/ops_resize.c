/* SPDX-License-Identifier: Apache-2.0 */
/* ops_resize - interpolation to other sizes.
 *
 * All modes are separable: each resized dim has a table that says for every result index which
 * input indices it mixes with which weights (taps), and one dim is done after the other. Places are
 * computed in float64, following the ONNX reference: a length that a scale gives need not be whole.
 */
#include "ir/op_rules.h"

#include <math.h>
#include <string.h>

#define MODES(X) X(nearest) X(linear) X(cubic)
#define ROUNDINGS(X) X(round_prefer_floor) X(round_prefer_ceil) X(floor) X(ceil)
#define COORDINATES(X)                                                                             \
	X(half_pixel)                                                                                  \
	X(half_pixel_symmetric)                                                                        \
	X(pytorch_half_pixel)                                                                          \
	X(align_corners)                                                                               \
	X(asymmetric)                                                                                  \
	X(tf_half_pixel_for_nn)                                                                        \
	X(tf_crop_and_resize)

typedef enum resize_mode {
#define ROW(name) MODE_##name,
	MODES(ROW)
#undef ROW
} resize_mode;

typedef enum resize_rounding {
#define ROW(name) ROUNDING_##name,
	ROUNDINGS(ROW)
#undef ROW
} resize_rounding;

typedef enum resize_coordinates {
#define ROW(name) COORDINATES_##name,
	COORDINATES(ROW)
#undef ROW
} resize_coordinates;

#define ROW(name) #name,
static const char *const mode_names[] = {MODES(ROW) NULL};
static const char *const rounding_names[] = {ROUNDINGS(ROW) NULL};
static const char *const coordinate_names[] = {COORDINATES(ROW) NULL};
#undef ROW

/* One resized dim. */
typedef struct resize_axis {
	int dim;
	int64_t in, out;
	double scale, first, last; /* first, last: the roi */
} resize_axis;

typedef struct resizing {
	int n;
	resize_axis axis[PIM_MAX_RANK];
	resize_mode mode;
	resize_rounding rounding;
	resize_coordinates coordinates;
	double a;
	bool exclude_outside, antialias;
} resizing;

/* The number of an attribute's word among `names`; -1 after a diagnostic. */
static int read_word(const pim_node *n, const char *attribute, const char *const *names)
{
	const char *word = pim_node_string(n, attribute);
	for (int i = 0; word && names[i]; i++)
		if (!strcmp(word, names[i]))
			return i;
	pim_node_error(n, "%s of resize is \"%s\", expected one of those that begin with %s", attribute,
		word ? word : "", names[0]);
	return -1;
}

/* A list of `count` floats or none (NULL); *good is false after a diagnostic. */
static const double *read_floats(const pim_node *n, const char *name, int count, bool *good)
{
	const pim_attr *a = pim_attr_find(n, name);
	int got = a && a->kind == PIM_ATTR_floats ? (int)a->n : 0;
	if (got && got != count)
		*good =
			pim_node_error(n, "%s of resize has %d entries, expected %d or none", name, got, count);
	return got ? a->fs : NULL;
}

static bool read_axes(const pim_node *n, const pim_type *t, resizing *r)
{
	const int64_t *axes = NULL;
	bool good = true;
	r->n = pim_node_ints(n, "axes", &axes);
	const int64_t *sizes = r->n <= t->rank ? pim_rule_ints(n, "sizes", r->n) : NULL;
	if (!sizes)
		return r->n <= t->rank
				   ? false
				   : pim_node_error(n, "resize has %d axes, its input %d dims", r->n, t->rank);
	const double *scales = read_floats(n, "scales", r->n, &good);
	const double *roi = read_floats(n, "roi", 2 * r->n, &good);
	for (int i = 0; good && i < r->n; i++) {
		if (axes[i] < 0 || axes[i] >= t->rank || (i && axes[i] <= axes[i - 1]))
			return pim_node_error(n,
				"entry %d of axes of resize is %lld, expected ascending dims from 0 to %d", i,
				(long long)axes[i], t->rank - 1);
		resize_axis *x = &r->axis[i];
		*x = (resize_axis){.dim = (int)axes[i], .in = t->dims[axes[i]], .out = sizes[i]};
		x->scale = scales ? scales[i] : (double)x->out / (double)(x->in ? x->in : 1);
		x->first = roi ? roi[i] : 0;
		x->last = roi ? roi[r->n + i] : 1;
		if (x->out < 0 ||
			(x->out > 0 && (x->in == 0 || !(x->scale > 0) || x->scale > 1e9 || x->scale < 1e-9)))
			return pim_node_error(n, "resize of dim %d from %lld to %lld elements with scale %g",
				x->dim, (long long)x->in, (long long)x->out, x->scale);
	}
	return good;
}

static bool read_resizing(const pim_node *n, const pim_type *t, resizing *r)
{
	int mode = read_word(n, "mode", mode_names);
	int rounding = read_word(n, "nearest", rounding_names);
	int coordinates = read_word(n, "coordinates", coordinate_names);
	if (mode < 0 || rounding < 0 || coordinates < 0 || !read_axes(n, t, r))
		return false;
	r->mode = (resize_mode)mode;
	r->rounding = (resize_rounding)rounding;
	r->coordinates = (resize_coordinates)coordinates;
	r->a = pim_node_float(n, "cubic_coeff_a");
	r->exclude_outside = pim_node_int(n, "exclude_outside") != 0;
	r->antialias = pim_node_int(n, "antialias") != 0;
	return true;
}

const pim_type *pim_infer_resize(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	int64_t dims[PIM_MAX_RANK];
	resizing r;
	if (!t || !read_resizing(n, t, &r))
		return NULL;
	if (r.mode != MODE_nearest && !pim_rule_float_operand(n, 0))
		return NULL;
	memcpy(dims, t->dims, sizeof *dims * (size_t)t->rank);
	for (int i = 0; i < r.n; i++)
		dims[r.axis[i].dim] = r.axis[i].out;
	return pim_rule_result(n, t->dtype, t->rank, dims);
}

/* Axes: one per result dim, coupled where it is resized, and one per resized dim of the input. */
void pim_axes_resize(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type;
	const int64_t *axes = NULL;
	int count = pim_node_ints(n, "axes", &axes);
	pim_axes_of_result(n, x);
	for (int d = 0, i = 0; d < t->rank; d++) {
		int axis = d;
		if (i < count && axes[i] == d) {
			x->axis[d].kind = PIM_AXIS_coupled;
			axis = pim_axes_axis(x, t->dims[d], PIM_AXIS_coupled, "entry");
			i++;
		}
		pim_axes_term(x, 0, d, axis, 1);
	}
}

/* ---- taps ---- */

/* Result index o mixes inputs at[o * width ...] with their weights; width 0 weights: outside. */
typedef struct taps {
	int64_t width, *at;
	double *weight;
	bool *outside;
} taps;

/* The place in the input of result index o. */
static double find_place(const resizing *r, const resize_axis *x, int64_t o)
{
	double at = (double)o, in = (double)x->in, length = x->scale * in;
	switch (r->coordinates) {
	case COORDINATES_half_pixel_symmetric:
		return in / 2 * (1 - (double)x->out / length) + (at + 0.5) / x->scale - 0.5;
	case COORDINATES_pytorch_half_pixel:
		return x->out > 1 ? (at + 0.5) / x->scale - 0.5 : 0;
	case COORDINATES_align_corners:
		return length == 1 || x->out == 1 ? 0 : at * (in - 1) / (length - 1);
	case COORDINATES_asymmetric:
		return at / x->scale;
	case COORDINATES_tf_half_pixel_for_nn:
		return (at + 0.5) / x->scale;
	case COORDINATES_tf_crop_and_resize:
		if (length == 1 || x->out == 1)
			return (x->last - x->first) * (in - 1) / 2 + x->first * (in - 1);
		return at * (x->last - x->first) * (in - 1) / (length - 1) + x->first * (in - 1);
	default:
		return (at + 0.5) / x->scale - 0.5;
	}
}

static double round_place(resize_rounding how, double at)
{
	double down = floor(at), part = at - down;
	switch (how) {
	case ROUNDING_round_prefer_floor:
		return part <= 0.5 ? down : down + 1;
	case ROUNDING_round_prefer_ceil:
		return part < 0.5 ? down : down + 1;
	case ROUNDING_ceil:
		return ceil(at);
	default:
		return down;
	}
}

/* Weight of an element at a distance, in elements (of the shrunken grid with antialias). */
static double weigh(const resizing *r, double distance)
{
	double x = fabs(distance), a = r->a;
	if (r->mode == MODE_linear)
		return x < 1 ? 1 - x : 0;
	if (x <= 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static int64_t hold(double v, int64_t size)
{
	return pim_int_from_double(v, 0, size - 1);
}

/* The taps of one result: from `first` on, relative to the element at or before the place. */
static void weigh_place(
	const resizing *r, const resize_axis *x, double at, double shrink, int64_t o, taps *t)
{
	int64_t *places = t->at + o * t->width;
	double *weights = t->weight + o * t->width, base = floor(at), sum = 0;
	double first = base - (double)(t->width / 2 - 1);
	for (int64_t k = 0; k < t->width; k++) {
		double place = first + (double)k;
		bool inside = place >= 0 && place < (double)x->in;
		weights[k] = inside || !r->exclude_outside ? weigh(r, (place - at) * shrink) : 0;
		places[k] = hold(place, x->in);
		sum += weights[k];
	}
	bool even_out = r->exclude_outside || r->antialias;
	for (int64_t k = 0; even_out && sum != 0 && k < t->width; k++)
		weights[k] /= sum;
}

static taps make_taps(const resizing *r, const resize_axis *x, pim_arena *scratch)
{
	double shrink = r->antialias && x->scale < 1 ? x->scale : 1;
	int64_t reach = r->mode == MODE_cubic ? 2 : 1;
	taps t = {.width = r->mode == MODE_nearest ? 1 : 2 * (int64_t)ceil((double)reach / shrink)};
	size_t n = (size_t)(x->out * t.width) + 1;
	t.at = pim_arena_raw(scratch, sizeof *t.at * n);
	t.weight = pim_arena_raw(scratch, sizeof *t.weight * n);
	t.outside = PIM_NEW(scratch, bool, x->out + 1);
	for (int64_t o = 0; o < x->out; o++) {
		double at = find_place(r, x, o);
		t.outside[o] = r->coordinates == COORDINATES_tf_crop_and_resize &&
					   (at < 0 || at > (double)(x->in - 1));
		if (r->mode == MODE_nearest)
			t.at[o] = hold(round_place(r->rounding, at), x->in);
		else
			weigh_place(r, x, at, shrink, o, &t);
	}
	return t;
}

/* ---- evaluation ---- */

/* One dim of a tensor seen as [outer, dim, inner]. */
typedef struct pass {
	int64_t outer, in, out, inner;
	const taps *t;
} pass;

static void move_elements(const pass *p, size_t bytes, const void *fill, const char *x, char *y)
{
	size_t row = (size_t)p->inner * bytes;
	for (int64_t i = 0; i < p->outer; i++, x += (size_t)p->in * row)
		for (int64_t o = 0; o < p->out; o++, y += row)
			if (!p->t->outside[o])
				memcpy(y, x + (size_t)p->t->at[o] * row, row);
			else
				for (int64_t k = 0; k < p->inner; k++)
					memcpy(y + (size_t)k * bytes, fill, bytes);
}

#define MIX_TYPES(X) X(f32, float) X(f64, double)

#define MIX(name, T)                                                                               \
	static void mix_row_##name(const T *x, T weight, int64_t n, T *y)                              \
	{                                                                                              \
		for (int64_t k = 0; k < n; k++)                                                            \
			y[k] += weight * x[k];                                                                 \
	}                                                                                              \
	static void mix_##name(const pass *p, T outside, const T *x, T *y)                             \
	{                                                                                              \
		const taps *t = p->t;                                                                      \
		for (int64_t i = 0; i < p->outer; i++, x += p->in * p->inner)                              \
			for (int64_t o = 0; o < p->out; o++, y += p->inner) {                                  \
				for (int64_t k = 0; k < p->inner; k++)                                             \
					y[k] = t->outside[o] ? outside : 0;                                            \
				for (int64_t k = o * t->width; !t->outside[o] && k < (o + 1) * t->width; k++)      \
					mix_row_##name(x + t->at[k] * p->inner, (T)t->weight[k], p->inner, y);         \
			}                                                                                      \
	}
MIX_TYPES(MIX)
#undef MIX

static void run_pass(const pass *p, const pim_node *n, resize_mode mode, const void *x, void *y)
{
	pim_dtype t = n->type->dtype;
	double outside = pim_node_float(n, "extrapolation_value");
	uint64_t fill = 0;
	pim_element_set(t, &fill, 0, outside);
	if (mode == MODE_nearest)
		move_elements(p, pim_dtype_bytes(t), &fill, x, y);
	else if (pim_stage_of(t) == PIM_STAGE_f32)
		mix_f32(p, (float)outside, x, y);
	else
		mix_f64(p, outside, x, y);
}

/* Sizes of the tensor around a dim when the first `done` axes have their result's size. */
static pass shape_pass(const pim_type *t, const resizing *r, int done)
{
	int64_t dims[PIM_MAX_RANK];
	const resize_axis *x = &r->axis[done];
	pass p = {.outer = 1, .in = x->in, .out = x->out, .inner = 1};
	memcpy(dims, t->dims, sizeof *dims * (size_t)t->rank);
	for (int i = 0; i < done; i++)
		dims[r->axis[i].dim] = r->axis[i].out;
	for (int d = 0; d < t->rank; d++) {
		p.outer *= d < x->dim ? dims[d] : 1;
		p.inner *= d > x->dim ? dims[d] : 1;
	}
	return p;
}

bool pim_eval_resize(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	resizing r;
	if (!read_resizing(n, in[0].type, &r))
		return false;
	bool moves = r.mode == MODE_nearest;
	size_t bytes =
		moves ? pim_dtype_bytes(n->type->dtype) : pim_stage_bytes(pim_stage_of(n->type->dtype));
	const void *x = moves ? in[0].data : pim_stage_whole(&in[0], e->scratch);
	void *y = moves ? out->data : pim_stage_room(out, e->scratch);
	if (n->type->elements == 0)
		return true;
	if (r.n == 0)
		memcpy(y, x, bytes * (size_t)n->type->elements);
	for (int i = 0; i < r.n; i++) {
		taps t = make_taps(&r, &r.axis[i], e->scratch);
		pass p = shape_pass(in[0].type, &r, i);
		size_t room = bytes * (size_t)(p.outer * p.out * p.inner);
		void *to = i == r.n - 1 ? y : pim_arena_raw(e->scratch, room);
		p.t = &t;
		run_pass(&p, n, r.mode, x, to);
		x = to;
	}
	if (!moves)
		pim_stage_finish(out, y);
	return true;
}

/* ---- as primitives ---- */

/* Many taps, as of antialias, are left whole. */
enum { MOST_TAPS = 8 };

static pim_node *gather_places(pim_node *n, pim_node *x, int dim, const int64_t *at, int64_t count)
{
	pim_node *places = pim_constant_new(
		n->graph, pim_type_tensor(pim_context_of(n), PIM_DTYPE_i64, 1, &count), at, n);
	places->loc = n->loc;
	pim_node *in[] = {x, places}, *made = pim_rule_node(n, PIM_OP_gather, 2, in);
	pim_node_set_int(made, "axis", dim);
	return pim_rule_done(made);
}

/* The k-th tap of every result of an axis, times its weight. */
static pim_node *take_tap(
	pim_node *n, pim_node *x, const resize_axis *axis, const taps *t, int64_t k, pim_arena *scratch)
{
	int64_t *at = PIM_NEW(scratch, int64_t, axis->out), dims[PIM_MAX_RANK];
	pim_dtype type = x->type->dtype;
	uint8_t *weight = pim_arena_alloc(scratch, pim_dtype_bytes(type) * (size_t)axis->out);
	for (int64_t o = 0; o < axis->out; o++) {
		at[o] = t->at[o * t->width + k];
		if (t->width > 1)
			pim_element_set(type, weight, o, t->weight[o * t->width + k]);
	}
	for (int d = 0; d < x->type->rank; d++)
		dims[d] = d == axis->dim ? axis->out : 1;
	pim_node *y = gather_places(n, x, axis->dim, at, axis->out);
	if (t->width == 1)
		return y;
	const pim_type *shape = pim_type_tensor(pim_context_of(n), type, x->type->rank, dims);
	pim_node *by = pim_constant_new(n->graph, shape, weight, n);
	by->loc = n->loc;
	return pim_rule_binary(n, PIM_OP_mul, y, by);
}

static pim_node *mix_axis(
	pim_node *n, pim_node *x, const resize_axis *axis, const taps *t, pim_arena *scratch)
{
	pim_node *sum = take_tap(n, x, axis, t, 0, scratch);
	for (int64_t k = 1; sum && k < t->width; k++)
		sum = pim_rule_binary(n, PIM_OP_add, sum, take_tap(n, x, axis, t, k, scratch));
	return sum;
}

/* Axis by axis: gathered places, times their weights, summed. What is outside (tf_crop_and_resize)
 * stays whole. */
pim_node *pim_decompose_resize(pim_node *n)
{
	resizing r;
	pim_arena *scratch = pim_arena_new();
	pim_node *x = n->in[0];
	bool whole = !read_resizing(n, x->type, &r) || n->type->elements == 0 ||
				 r.coordinates == COORDINATES_tf_crop_and_resize;
	for (int i = 0; !whole && i < r.n; i++)
		whole = make_taps(&r, &r.axis[i], scratch).width > MOST_TAPS;
	for (int i = 0; !whole && x && i < r.n; i++) {
		taps t = make_taps(&r, &r.axis[i], scratch);
		x = mix_axis(n, x, &r.axis[i], &t, scratch);
	}
	pim_arena_free(scratch);
	return whole ? n : x;
}
