/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_einsum - Einsum as transposes, reshapes, products and sums.
 *
 * Each operand is brought to the order of all labels: repeated labels of one operand take its
 * diagonal by a gather of flattened positions, labels that stand in one operand only and not in the
 * result are summed at once. Two operands that share summed labels become a matrix product
 * [shared, a's own, summed] by [shared, summed, b's own]; else a product element by element. More
 * operands are taken from left to right. `...` stands for labels below the
 * letters. Rules: ONNX operator
 * specification, Einsum 12. */
#include <ctype.h>
#include <string.h>

#include "frontends/onnx.h"

enum { LABELS = 128 };

/* A value whose dim d carries label[d]; no label twice. */
typedef struct term {
	pim_node *n;
	int rank;
	char label[PIM_MAX_RANK + 1];
} term;

typedef struct einsum {
	onnx_call *k;
	int64_t size[LABELS]; /* of a label; 0 not seen */
	int dots;			  /* dims that ... stands for, the most of all operands */
	char result[PIM_MAX_RANK + 1];
	int rank;
} einsum;

static bool has(const char *labels, int n, char c)
{
	return n > 0 && memchr(labels, c, (size_t)n) != NULL;
}

/* Labels of ... are control characters; i counts from the last, which is -1. */
static char dots_label(const einsum *e, int i)
{
	return (char)(1 + i + e->dots);
}

/* Reads one operand's letters; `rank` < 0 for the result. The number of labels, -1 when wrong. */
static int read_labels(einsum *e, const char *s, const char *end, int rank, char *out)
{
	int n = 0, letters = 0, dots;
	for (const char *p = s; p < end; p++)
		letters += isalpha((unsigned char)*p) != 0;
	dots = rank < 0 ? e->dots : rank - letters;
	for (; s < end; s++) {
		if (*s == ' ')
			continue;
		if (*s == '.' && end - s >= 3 && s[1] == '.' && s[2] == '.') {
			for (int i = 0; i < dots && n < PIM_MAX_RANK; i++)
				out[n++] = dots_label(e, i - dots);
			s += 2;
		} else if (isalpha((unsigned char)*s) && n < PIM_MAX_RANK) {
			out[n++] = *s;
		} else {
			return -1;
		}
	}
	return rank < 0 || n == rank ? n : -1;
}

static bool note_sizes(einsum *e, const term *t)
{
	for (int d = 0; d < t->rank; d++) {
		int64_t *size = &e->size[(int)t->label[d]], is = t->n->type->dims[d];
		if (*size > 1 && is != *size && is != 1)
			return onnx_fail(
				e->k, "a label has size %lld and %lld", (long long)*size, (long long)is);
		if (*size <= 1)
			*size = is;
	}
	return true;
}

/* Of a label that stands twice only the diagonal is kept: a gather along the two dims, joined. */
static bool take_diagonal(einsum *e, term *t, int a, int b)
{
	onnx_call *k = e->k;
	int64_t perm[PIM_MAX_RANK], dims[PIM_MAX_RANK], n = t->n->type->dims[a];
	double *at = PIM_NEW(k->import->scratch, double, n + 1);
	pim_attr axis;
	int rank = 0;
	for (int d = 0; d < t->rank; d++)
		if (d != a && d != b) {
			t->label[rank] = t->label[d];
			dims[rank] = t->n->type->dims[d];
			perm[rank++] = d;
		}
	perm[rank] = a;
	perm[rank + 1] = b;
	if (t->n->type->dims[b] != n)
		return onnx_fail(
			k, "the diagonal of %s is not square", pim_type_text(t->n->type, k->import->scratch));
	for (int64_t i = 0; i < n; i++)
		at[i] = (double)(i * (n + 1));
	dims[rank] = n * n;
	t->n = onnx_reshape(k, onnx_transpose(k, t->n, perm), rank + 1, dims);
	axis = onnx_attr_int("axis", rank);
	t->n = t->n ? onnx_make(k, PIM_OP_gather, 2,
					  (pim_node *[]){t->n, onnx_numbers(k, PIM_DTYPE_i64, 1, &n, at)}, 1, &axis)
				: NULL;
	t->rank = rank + 1;
	return t->n != NULL;
}

static bool take_diagonals(einsum *e, term *t)
{
	for (int a = 0; a < t->rank; a++)
		for (int b = a + 1; b < t->rank; b++)
			if (t->label[a] == t->label[b]) {
				char twice = t->label[a];
				if (!take_diagonal(e, t, a, b))
					return false;
				t->label[t->rank - 1] = twice;
				a = -1;
				break;
			}
	return true;
}

/* Sums the labels that nothing else needs. */
static bool sum_labels(einsum *e, term *t, const char *needed, int n_needed)
{
	int64_t axes[PIM_MAX_RANK];
	int n = 0, rank = 0;
	for (int d = 0; d < t->rank; d++) {
		if (has(needed, n_needed, t->label[d]))
			t->label[rank++] = t->label[d];
		else
			axes[n++] = d;
	}
	t->rank = rank;
	t->n = onnx_reduce(e->k, PIM_OP_reduce_sum, t->n, n, axes, 0);
	return t->n != NULL;
}

/* t's dims in the order of labels; ones it does not have become size 1. */
static pim_node *arrange(einsum *e, const term *t, const char *labels, int n)
{
	int64_t perm[PIM_MAX_RANK], dims[PIM_MAX_RANK];
	int at = 0;
	pim_node *y;
	for (int i = 0; i < n; i++) {
		const char *p = memchr(t->label, labels[i], (size_t)t->rank);
		dims[i] = p ? t->n->type->dims[p - t->label] : 1;
		if (p)
			perm[at++] = p - t->label;
	}
	y = onnx_transpose(e->k, t->n, perm);
	return onnx_reshape(e->k, y, n, dims);
}

static int64_t product(const einsum *e, const char *labels, int n)
{
	int64_t p = 1;
	for (int i = 0; i < n; i++)
		p *= e->size[(int)labels[i]];
	return p;
}

/* t in groups of labels, each group one dim; dims that are 1 where the label is larger grow. */
static pim_node *group(einsum *e, const term *t, int n, const char *const *labels, const int *count)
{
	char order[PIM_MAX_RANK];
	int64_t full[PIM_MAX_RANK], dims[3];
	int total = 0;
	pim_node *y;
	for (int g = 0; g < n; g++) {
		for (int i = 0; i < count[g]; i++) {
			full[total] = e->size[(int)labels[g][i]];
			order[total++] = labels[g][i];
		}
		dims[g] = product(e, labels[g], count[g]);
	}
	y = arrange(e, t, order, total);
	y = onnx_expand(e->k, y, total, full);
	return onnx_reshape(e->k, y, n, dims);
}

/* Labels of a sorted by where else they are. */
typedef struct split_labels {
	char shared[PIM_MAX_RANK], own[2][PIM_MAX_RANK], summed[PIM_MAX_RANK];
	int n_shared, n_own[2], n_summed;
} split_labels;

static split_labels split(const term *a, const term *b, const char *needed, int n_needed)
{
	split_labels s = {.n_shared = 0};
	for (int d = 0; d < a->rank; d++) {
		char c = a->label[d];
		if (!has(b->label, b->rank, c))
			s.own[0][s.n_own[0]++] = c;
		else if (has(needed, n_needed, c))
			s.shared[s.n_shared++] = c;
		else
			s.summed[s.n_summed++] = c;
	}
	for (int d = 0; d < b->rank; d++)
		if (!has(a->label, a->rank, b->label[d]))
			s.own[1][s.n_own[1]++] = b->label[d];
	return s;
}

/* a and b as one term: a matrix product when labels are summed, else element by element. */
static bool multiply(einsum *e, term *a, const term *b, const char *needed, int n_needed)
{
	onnx_call *k = e->k;
	split_labels s = split(a, b, needed, n_needed);
	const char *left[3] = {s.shared, s.own[0], s.summed};
	const char *right[3] = {s.shared, s.summed, s.own[1]};
	int n_left[3] = {s.n_shared, s.n_own[0], s.n_summed};
	int n_right[3] = {s.n_shared, s.n_summed, s.n_own[1]};
	term y = {.rank = s.n_shared + s.n_own[0] + s.n_own[1]};
	int64_t dims[PIM_MAX_RANK];
	if (y.rank > PIM_MAX_RANK)
		return onnx_fail(k, "a product would have %d dims, the most is %d", y.rank, PIM_MAX_RANK);
	memcpy(y.label, s.shared, (size_t)s.n_shared);
	memcpy(y.label + s.n_shared, s.own[0], (size_t)s.n_own[0]);
	memcpy(y.label + s.n_shared + s.n_own[0], s.own[1], (size_t)s.n_own[1]);
	for (int d = 0; d < y.rank; d++)
		dims[d] = e->size[(int)y.label[d]];
	if (s.n_summed) {
		y.n = onnx_matmul(k, group(e, a, 3, left, n_left), group(e, b, 3, right, n_right), false);
		y.n = onnx_reshape(k, y.n, y.rank, dims);
	} else {
		y.n = onnx_make2(
			k, PIM_OP_mul, arrange(e, a, y.label, y.rank), arrange(e, b, y.label, y.rank));
	}
	*a = y;
	return y.n != NULL;
}

/* Without `->` the result has the labels that stand once, sorted, behind those of `...`. */
static void imply_result(einsum *e, const term *t, int n)
{
	int count[LABELS] = {0};
	e->rank = 0;
	for (int i = 0; i < n; i++)
		for (int d = 0; d < t[i].rank; d++)
			count[(int)t[i].label[d]]++;
	for (int c = 1; c < LABELS; c++)
		if ((c < 'A' ? count[c] > 0 : count[c] == 1) && e->rank < PIM_MAX_RANK)
			e->result[e->rank++] = (char)c;
}

/* The most dims that ... stands for in any operand. */
static int count_dots(const onnx_call *k, const char *s)
{
	int most = 0;
	for (int i = 0; i < k->n_in; i++) {
		size_t n = strcspn(s, ",-");
		int letters = 0;
		for (size_t j = 0; j < n; j++)
			letters += isalpha((unsigned char)s[j]) != 0;
		if (memchr(s, '.', n) && k->in[i]->type->rank - letters > most)
			most = k->in[i]->type->rank - letters;
		s += n + (s[n] == ',');
	}
	return most;
}

static bool read_equation(einsum *e, const char *s, term *t)
{
	onnx_call *k = e->k;
	const char *equation = s;
	for (int i = 0; i < k->n_in; i++) {
		const char *end = s + strcspn(s, ",-");
		t[i].n = k->in[i];
		t[i].rank = read_labels(e, s, end, k->in[i]->type->rank, t[i].label);
		if (t[i].rank < 0)
			return onnx_fail(k, "'%s' does not fit operand %d, which is %s", equation, i,
				pim_type_text(k->in[i]->type, k->import->scratch));
		if ((i < k->n_in - 1) != (*end == ','))
			return onnx_fail(k, "'%s' does not have %d operands", equation, k->n_in);
		if (!note_sizes(e, &t[i]))
			return false;
		s = end + (*end == ',');
	}
	imply_result(e, t, k->n_in);
	if (*s == '-' && s[1] == '>')
		e->rank = read_labels(e, s + 2, s + strlen(s), -1, e->result);
	for (int d = 0; d < e->rank; d++)
		if (!e->size[(int)e->result[d]] || has(e->result + d + 1, e->rank - d - 1, e->result[d]))
			return onnx_fail(k, "'%s': a label of the result is unknown or stands twice", equation);
	return e->rank >= 0 || onnx_fail(k, "'%s' has a wrong result", equation);
}

/* Labels that the result or an operand behind i needs. */
static int needed_behind(const einsum *e, const term *t, int i, int n, char *needed)
{
	int count = 0;
	bool seen[LABELS] = {false};
	for (int d = 0; d < e->rank; d++)
		seen[(int)e->result[d]] = true;
	for (int j = i + 1; j < n; j++)
		for (int d = 0; d < t[j].rank; d++)
			seen[(int)t[j].label[d]] = true;
	for (int c = 1; c < LABELS; c++)
		if (seen[c])
			needed[count++] = (char)c;
	return count;
}

static bool contract(einsum *e, term *t, int n)
{
	char needed[LABELS];
	for (int i = 0; i < n; i++)
		if (!take_diagonals(e, &t[i]))
			return false;
	if (!sum_labels(e, &t[0], needed, needed_behind(e, t, 0, n, needed)))
		return false;
	for (int i = 1; i < n; i++) {
		int count = needed_behind(e, t, i, n, needed);
		term with = t[i];
		for (int d = 0; d < t[0].rank; d++)
			if (!has(needed, count, t[0].label[d]))
				needed[count++] = t[0].label[d];
		if (!sum_labels(e, &with, needed, count))
			return false;
		count = needed_behind(e, t, i, n, needed);
		if (!multiply(e, &t[0], &with, needed, count) || !sum_labels(e, &t[0], needed, count))
			return false;
	}
	return true;
}

bool onnx_convert_einsum(onnx_call *k)
{
	einsum e = {.k = k};
	const char *s = onnx_string(k, "equation", "");
	term *t = PIM_NEW(k->import->scratch, term, k->n_in);
	int64_t dims[PIM_MAX_RANK];
	for (int i = 0; i < k->n_in; i++)
		if (!k->in[i])
			return onnx_fail(k, "input %d is missing", i);
	e.dots = count_dots(k, s);
	if (!read_equation(&e, s, t) || !contract(&e, t, k->n_in))
		return false;
	for (int d = 0; d < e.rank; d++)
		dims[d] = e.size[(int)e.result[d]];
	return onnx_give(k, onnx_expand(k, arrange(&e, &t[0], e.result, e.rank), e.rank, dims));
}
