/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_known - operators whose result's size depends on values, and small geometry.
 *
 * Shapes are static, so NonZero, Compress, Unique and NonMaxSuppression are computed when the model
 * is read, and refused where what they read is not known then. Rules: ONNX operator specification.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontends/onnx.h"

static double number(const pim_tensor *t, int64_t i)
{
	return pim_element_get(t->type->dtype, t->data, i);
}

/* [rank, count] positions, row-major. */
bool onnx_convert_non_zero(onnx_call *k)
{
	pim_tensor t;
	int64_t count = 0, at = 0, dims[2];
	double *v;
	if (!onnx_input_tensor(k, 0, &t))
		return false;
	for (int64_t i = 0; i < t.type->elements; i++)
		count += number(&t, i) != 0;
	dims[0] = t.type->rank ? t.type->rank : 1;
	dims[1] = count;
	v = PIM_NEW(k->import->scratch, double, dims[0] * count + 1);
	for (int64_t i = 0; i < t.type->elements; i++) {
		int64_t rest = i;
		if (number(&t, i) == 0)
			continue;
		for (int d = t.type->rank - 1; d >= 0; d--) {
			v[d * count + at] = (double)(rest % t.type->dims[d]);
			rest /= t.type->dims[d];
		}
		at++;
	}
	return onnx_give(k, onnx_numbers(k, PIM_DTYPE_i64, 2, dims, v));
}

/* Slices of x where the condition holds: a gather, x need not be known. */
bool onnx_convert_compress(onnx_call *k)
{
	pim_node *x = k->in[0];
	pim_tensor t;
	int64_t axis = onnx_int(k, "axis", 0), n = 0;
	double *v;
	pim_attr attr;
	if (!onnx_input_tensor(k, 1, &t))
		return false;
	if (!onnx_attribute(k, "axis"))
		x = onnx_reshape(k, x, 1, &x->type->elements);
	if (!x || !onnx_axis(k, &axis, x->type->rank))
		return false;
	if (t.type->elements > x->type->dims[axis])
		return onnx_fail(k, "%lld conditions are given for %lld slices",
			(long long)t.type->elements, (long long)x->type->dims[axis]);
	v = PIM_NEW(k->import->scratch, double, t.type->elements + 1);
	for (int64_t i = 0; i < t.type->elements; i++)
		if (number(&t, i) != 0)
			v[n++] = (double)i;
	attr = onnx_attr_int("axis", axis);
	return onnx_give(k, onnx_make(k, PIM_OP_gather, 2,
							(pim_node *[]){x, onnx_numbers(k, PIM_DTYPE_i64, 1, &n, v)}, 1, &attr));
}

/* ---- Unique: slices along an axis (or elements), compared as rows of numbers ---- */

typedef struct row {
	const double *v;
	int64_t n, at;
} row;

static int compare_rows(const void *pa, const void *pb)
{
	const row *a = pa, *b = pb;
	for (int64_t i = 0; i < a->n; i++)
		if (a->v[i] != b->v[i])
			return a->v[i] < b->v[i] ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static int compare_places(const void *pa, const void *pb)
{
	const row *a = pa, *b = pb;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* Slices of t along axis, each as one row. */
static row *slices(onnx_call *k, const pim_tensor *t, int64_t axis, int64_t count)
{
	int64_t each = count ? t->type->elements / count : 0, inner = 1;
	row *r = PIM_NEW(k->import->scratch, row, count + 1);
	double *v = PIM_NEW(k->import->scratch, double, t->type->elements + 1);
	for (int64_t d = axis + 1; axis >= 0 && d < t->type->rank; d++)
		inner *= t->type->dims[d];
	for (int64_t i = 0; i < count; i++)
		r[i] = (row){v + i * each, each, i};
	for (int64_t i = 0; i < t->type->elements; i++) {
		int64_t which = i / inner % count, outer = i / inner / count;
		v[which * each + outer * inner + i % inner] = number(t, i);
	}
	return r;
}

static bool is_equal(const row *a, const row *b)
{
	return !a->n || !memcmp(a->v, b->v, sizeof *a->v * (size_t)a->n);
}

bool onnx_convert_unique(onnx_call *k)
{
	pim_tensor t;
	int64_t axis = onnx_int(k, "axis", 0), count, n = 0;
	bool flat = !onnx_attribute(k, "axis");
	row *all, *first;
	double *at, *inverse, *counts;
	pim_attr attr;
	pim_node *x = k->in[0];
	if (!onnx_input_tensor(k, 0, &t) || (!flat && !onnx_axis(k, &axis, t.type->rank)))
		return false;
	count = flat ? t.type->elements : t.type->dims[axis];
	all = slices(k, &t, flat ? -1 : axis, count);
	first = PIM_NEW(k->import->scratch, row, count + 1);
	at = PIM_NEW(k->import->scratch, double, count + 1);
	inverse = PIM_NEW(k->import->scratch, double, count + 1);
	counts = PIM_NEW(k->import->scratch, double, count + 1);
	qsort(all, (size_t)count, sizeof *all, compare_rows);
	for (int64_t i = 0; i < count; i++)
		if (i == 0 || !is_equal(&all[i], &all[i - 1]))
			first[n++] = all[i];
	if (!onnx_int(k, "sorted", 1))
		qsort(first, (size_t)n, sizeof *first, compare_places);
	for (int64_t i = 0; i < n; i++) {
		at[i] = (double)first[i].at;
		for (int64_t j = 0; j < count; j++)
			if (is_equal(&first[i], &all[j])) {
				inverse[all[j].at] = (double)i;
				counts[i]++;
			}
	}
	attr = onnx_attr_int("axis", flat ? 0 : axis);
	if (flat)
		x = onnx_reshape(k, x, 1, &count);
	k->out[0] = x ? onnx_make(k, PIM_OP_gather, 2,
						(pim_node *[]){x, onnx_numbers(k, PIM_DTYPE_i64, 1, &n, at)}, 1, &attr)
				  : NULL;
	if (k->n_out > 1)
		k->out[1] = onnx_numbers(k, PIM_DTYPE_i64, 1, &n, at);
	if (k->n_out > 2)
		k->out[2] = onnx_numbers(k, PIM_DTYPE_i64, 1, &count, inverse);
	if (k->n_out > 3)
		k->out[3] = onnx_numbers(k, PIM_DTYPE_i64, 1, &n, counts);
	return k->out[0] != NULL;
}

/* ---- NonMaxSuppression ---- */

typedef struct box {
	double low[2], high[2];
} box;

static box read_box(const pim_tensor *t, int64_t i, bool by_centre)
{
	box b;
	for (int d = 0; d < 2; d++) {
		double p = number(t, 4 * i + d), q = number(t, 4 * i + 2 + d);
		b.low[d] = by_centre ? p - q / 2 : fmin(p, q);
		b.high[d] = by_centre ? p + q / 2 : fmax(p, q);
	}
	return b;
}

/* Common area over that of both. */
static double overlap(const box *a, const box *b)
{
	double common = 1, area[2] = {1, 1};
	for (int d = 0; d < 2; d++) {
		common *= fmax(0, fmin(a->high[d], b->high[d]) - fmax(a->low[d], b->low[d]));
		area[0] *= a->high[d] - a->low[d];
		area[1] *= b->high[d] - b->low[d];
	}
	return common <= 0 ? 0 : common / (area[0] + area[1] - common);
}

typedef struct suppression {
	pim_tensor boxes, scores;
	double most, overlap_limit, score_limit;
	bool by_centre, has_limit;
	int64_t n_boxes;
	double *found; /* triples */
	int64_t n;
} suppression;

/* The best box left of a class that overlaps none of those taken, until there are enough. */
static void select_boxes(suppression *s, int64_t batch, int64_t class_, int64_t classes, bool *gone)
{
	int64_t from = s->n;
	memset(gone, 0, (size_t)s->n_boxes);
	while ((double)(s->n - from) < s->most) {
		int64_t best = -1;
		double top = 0;
		for (int64_t i = 0; i < s->n_boxes; i++) {
			double v = number(&s->scores, (batch * classes + class_) * s->n_boxes + i);
			if (!gone[i] && (!s->has_limit || v > s->score_limit) && (best < 0 || v > top)) {
				best = i;
				top = v;
			}
		}
		if (best < 0)
			return;
		s->found[3 * s->n] = (double)batch;
		s->found[3 * s->n + 1] = (double)class_;
		s->found[3 * s->n++ + 2] = (double)best;
		box taken = read_box(&s->boxes, batch * s->n_boxes + best, s->by_centre);
		gone[best] = true;
		for (int64_t i = 0; i < s->n_boxes; i++) {
			box b = read_box(&s->boxes, batch * s->n_boxes + i, s->by_centre);
			gone[i] = gone[i] || overlap(&taken, &b) > s->overlap_limit;
		}
	}
}

bool onnx_convert_non_max_suppression(onnx_call *k)
{
	suppression s = {.by_centre = onnx_int(k, "center_point_box", 0) != 0};
	double *optional[3] = {&s.most, &s.overlap_limit, &s.score_limit};
	int64_t batches, classes, dims[2];
	bool *gone;
	if (!onnx_input_tensor(k, 0, &s.boxes) || !onnx_input_tensor(k, 1, &s.scores))
		return false;
	for (int i = 0; i < 3; i++)
		if (2 + i < k->n_in && k->in[2 + i] && !onnx_input_number(k, 2 + i, optional[i]))
			return false;
	s.has_limit = k->n_in > 4 && k->in[4];
	if (s.boxes.type->rank != 3 || s.scores.type->rank != 3 || s.boxes.type->dims[2] != 4 ||
		s.boxes.type->dims[0] != s.scores.type->dims[0] ||
		s.boxes.type->dims[1] != s.scores.type->dims[2])
		return onnx_fail(k, "boxes are %s and scores %s, expected [batch, n, 4] and [batch, c, n]",
			pim_type_text(s.boxes.type, k->import->scratch),
			pim_type_text(s.scores.type, k->import->scratch));
	batches = s.boxes.type->dims[0];
	classes = s.scores.type->dims[1];
	s.n_boxes = s.boxes.type->dims[1];
	s.found = PIM_NEW(k->import->scratch, double, 3 * s.scores.type->elements + 3);
	gone = PIM_NEW(k->import->scratch, bool, s.n_boxes + 1);
	for (int64_t b = 0; b < batches; b++)
		for (int64_t c = 0; c < classes; c++)
			select_boxes(&s, b, c, classes, gone);
	dims[0] = s.n;
	dims[1] = 3;
	return onnx_give(k, onnx_numbers(k, PIM_DTYPE_i64, 2, dims, s.found));
}

/* ---- geometry ---- */

/* theta [n, 2, 3] or [n, 3, 4] by the coordinates of a grid; the last of them is the first dim. */
bool onnx_convert_affine_grid(onnx_call *k)
{
	int64_t size[PIM_MAX_RANK], points = 1, dims[2], out[PIM_MAX_RANK];
	int n = onnx_input_ints(k, 1, PIM_MAX_RANK, size), s = n - 2;
	bool corners = onnx_int(k, "align_corners", 0) != 0;
	const pim_type *t = k->in[0]->type;
	double *v;
	if (n < 0)
		return false;
	if ((n != 4 && n != 5) || t->rank != 3 || t->dims[1] != s || t->dims[2] != s + 1)
		return onnx_fail(k, "theta is %s for %d sizes", pim_type_text(t, k->import->scratch), n);
	for (int d = 0; d < s; d++)
		if (size[2 + d] < 1 || !pim_mul(points, size[2 + d], &points) || points > 1 << 26)
			return onnx_fail(k, "size[%d] is %lld", 2 + d, (long long)size[2 + d]);
	v = PIM_NEW(k->import->scratch, double, points *(s + 1) + 1);
	for (int64_t i = 0; i < points; i++) {
		int64_t rest = i;
		for (int d = s - 1; d >= 0; d--) {
			int64_t m = size[2 + d];
			double at = (double)(rest % m);
			rest /= m;
			v[i * (s + 1) + s - 1 - d] =
				corners ? (m > 1 ? 2 * at / (double)(m - 1) - 1 : 0) : (2 * at + 1) / (double)m - 1;
		}
		v[i * (s + 1) + s] = 1;
	}
	dims[0] = points;
	dims[1] = s + 1;
	out[0] = t->dims[0];
	memcpy(out + 1, size + 2, sizeof *out * (size_t)s);
	out[1 + s] = s;
	return onnx_give(
		k, onnx_reshape(k, onnx_matmul(k, onnx_numbers(k, t->dtype, 2, dims, v), k->in[0], true),
			   s + 2, out));
}
