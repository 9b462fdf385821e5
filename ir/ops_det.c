/* SPDX-License-Identifier: Apache-2.0 */
/* ops_det - determinants of the matrices in the last two dims, by elimination with row pivots in
 * float64. */
#include "ir/op_rules.h"

#include <math.h>
#include <string.h>

const pim_type *pim_infer_det(const pim_node *n)
{
	const pim_type *t = pim_rule_float_operand(n, 0);
	if (t && (t->rank < 2 || t->dims[t->rank - 1] != t->dims[t->rank - 2])) {
		pim_node_error(n, "input of det is %s, expected square matrices in the last two dims",
			pim_rule_text(n, t));
		return NULL;
	}
	return t ? pim_rule_result(n, t->dtype, t->rank - 2, t->dims) : NULL;
}

void pim_axes_det(const pim_node *n, pim_axes *x)
{
	const pim_type *t = n->in[0]->type;
	pim_axes_of_result(n, x);
	for (int d = 0; d < t->rank; d++)
		pim_axes_term(x, 0, d,
			d < t->rank - 2 ? d : pim_axes_axis(x, t->dims[d], PIM_AXIS_coupled, "entry"), 1);
}

static void swap_rows(double *a, double *b, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		double v = a[i];
		a[i] = b[i];
		b[i] = v;
	}
}

/* Destroys m. */
static double eliminate(double *m, int64_t n)
{
	double product = 1;
	for (int64_t k = 0; k < n; k++) {
		int64_t best = k;
		for (int64_t i = k + 1; i < n; i++)
			best = fabs(m[i * n + k]) > fabs(m[best * n + k]) ? i : best;
		if (best != k) {
			swap_rows(m + best * n, m + k * n, n);
			product = -product;
		}
		double pivot = m[k * n + k];
		product *= pivot;
		for (int64_t i = k + 1; pivot != 0 && i < n; i++) {
			double factor = m[i * n + k] / pivot;
			for (int64_t j = k; j < n; j++)
				m[i * n + j] -= factor * m[k * n + j];
		}
	}
	return product;
}

bool pim_eval_det(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	int64_t size = in[0].type->dims[in[0].type->rank - 1], count = n->type->elements;
	const double *x = pim_stage_doubles(&in[0], e->scratch);
	double *m = PIM_NEW(e->scratch, double, size *size + 1),
		   *y = PIM_NEW(e->scratch, double, count);
	for (int64_t k = 0; k < count; k++) {
		if (size)
			memcpy(m, x + k * size * size, sizeof *m * (size_t)(size * size));
		y[k] = eliminate(m, size);
	}
	pim_stage_finish_doubles(out, y);
	return true;
}
