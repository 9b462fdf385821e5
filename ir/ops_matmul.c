/* SPDX-License-Identifier: Apache-2.0 */
/* ops_matmul - the matrix product over the last two dims. */
#include "ir/op_rules.h"

/* Dims of one operand's matrices: rows and columns after the transpose flag. */
static void read_matrix(const pim_node *n, int i, int64_t *rows, int64_t *columns)
{
	const pim_type *t = n->in[i]->type;
	bool swap = pim_node_int(n, i ? "transpose_b" : "transpose_a") != 0;
	*rows = t->dims[t->rank - (swap ? 1 : 2)];
	*columns = t->dims[t->rank - (swap ? 2 : 1)];
}

const pim_type *pim_matmul_type(const pim_node *n, pim_dtype result)
{
	const pim_type *a = pim_rule_operand(n, 0), *b = pim_rule_operand(n, 1);
	int64_t dims[PIM_MAX_RANK + 2], m, k, kb, columns;
	if (!a || !b)
		return NULL;
	if (a->rank < 2 || b->rank < 2 || a->dtype == PIM_DTYPE_bool) {
		pim_node_error(n, "inputs of %s are %s and %s, expected numbers and at least two dims",
			pim_node_op(n), pim_rule_text(n, a), pim_rule_text(n, b));
		return NULL;
	}
	read_matrix(n, 0, &m, &k);
	read_matrix(n, 1, &kb, &columns);
	if (k != kb) {
		pim_node_error(n, "%s of %s by %s sums over %lld and %lld elements, expected the same",
			pim_node_op(n), pim_rule_text(n, a), pim_rule_text(n, b), (long long)k, (long long)kb);
		return NULL;
	}
	int rank = pim_rule_broadcast(n, 0, 2, 2, dims);
	if (rank < 0)
		return NULL;
	dims[rank] = m;
	dims[rank + 1] = columns;
	return pim_rule_result(n, result, rank + 2, dims);
}

const pim_type *pim_infer_matmul(const pim_node *n)
{
	const pim_type *a = pim_rule_operand(n, 0);
	return a && pim_rule_same_dtype(n, 1) ? pim_matmul_type(n, a->dtype) : NULL;
}

static void map_matrix(const pim_node *n, pim_axes *x, int i, int row_axis, int column_axis)
{
	const pim_type *t = n->in[i]->type;
	bool swap = pim_node_int(n, i ? "transpose_b" : "transpose_a") != 0;
	pim_axes_term(x, i, t->rank - (swap ? 1 : 2), row_axis, 1);
	pim_axes_term(x, i, t->rank - (swap ? 2 : 1), column_axis, 1);
	int shift = n->type->rank - t->rank;
	for (int d = 0; d < t->rank - 2; d++)
		if (t->dims[d] == n->type->dims[d + shift])
			pim_axes_term(x, i, d, d + shift, 1);
}

/* Axes: batch of each leading dim, m, n, k. */
void pim_axes_matmul(const pim_node *n, pim_axes *x)
{
	int rank = n->type->rank;
	int64_t m, k, kb, columns;
	read_matrix(n, 0, &m, &k);
	read_matrix(n, 1, &kb, &columns);
	for (int d = 0; d < rank - 2; d++)
		pim_axes_axis(x, n->type->dims[d], PIM_AXIS_free, "batch");
	int am = pim_axes_axis(x, m, PIM_AXIS_free, "m");
	int an = pim_axes_axis(x, columns, PIM_AXIS_free, "n");
	int ak = pim_axes_axis(x, k, PIM_AXIS_summed, "k");
	map_matrix(n, x, 0, am, ak);
	map_matrix(n, x, 1, ak, an);
	for (int d = 0; d < rank; d++)
		pim_axes_term(x, 2, d, d, 1);
}

/* The products of all batches; `one` computes one. Leading dims of a fold into its rows when b has
 * none. */
typedef void multiply(const pim_eval *e, const pim_gemm *g, const void *a, const void *b, void *c);

static void multiply_f32(
	const pim_eval *e, const pim_gemm *g, const void *a, const void *b, void *c)
{
	pim_gemm_f32(e, g, a, b, 0, c);
}

static void multiply_f64(
	const pim_eval *e, const pim_gemm *g, const void *a, const void *b, void *c)
{
	pim_gemm_f64(e, g, a, b, 0, c);
}

static void multiply_u64(
	const pim_eval *e, const pim_gemm *g, const void *a, const void *b, void *c)
{
	(void)e;
	pim_gemm_u64(g, a, b, c);
}

static multiply *const multiplies[PIM_STAGE_COUNT] = {
	[PIM_STAGE_f32] = multiply_f32,
	[PIM_STAGE_f64] = multiply_f64,
	[PIM_STAGE_i64] = multiply_u64,
	[PIM_STAGE_u64] = multiply_u64,
};

static pim_gemm shape_gemm(const pim_node *n)
{
	pim_gemm g = {
		.ta = pim_node_int(n, "transpose_a") != 0, .tb = pim_node_int(n, "transpose_b") != 0};
	int64_t kb;
	read_matrix(n, 0, &g.m, &g.k);
	read_matrix(n, 1, &kb, &g.n);
	g.lda = g.ta ? g.m : g.k;
	g.ldb = g.tb ? g.k : g.n;
	g.ldc = g.n;
	return g;
}

/* Strides, in matrices, of an operand along the result's leading dims. */
static void batch_strides(const pim_type *t, int batch_rank, int64_t strides[PIM_MAX_RANK])
{
	int64_t step = 1;
	for (int d = batch_rank - 1; d >= 0; d--) {
		int s = d - batch_rank + t->rank - 2;
		strides[d] = s >= 0 && t->dims[s] != 1 ? step : 0;
		step *= s >= 0 ? t->dims[s] : 1;
	}
}

void pim_matmul_run(
	const pim_node *n, pim_stage s, const void *va, const void *vb, void *vc, const pim_eval *e)
{
	size_t bytes = pim_stage_bytes(s);
	const pim_type *ta = n->in[0]->type, *tb = n->in[1]->type;
	const char *a = va, *b = vb;
	char *c = vc;
	pim_gemm g = shape_gemm(n);
	int64_t strides[2][PIM_MAX_RANK] = {{0}};
	int rank = n->type->rank - 2;
	batch_strides(ta, rank, strides[0]);
	batch_strides(tb, rank, strides[1]);
	if (n->type->elements == 0)
		return;
	int64_t dims[PIM_MAX_RANK] = {0}, matrices = n->type->elements / (g.m * g.n);
	for (int d = 0; d < rank; d++)
		dims[d] = n->type->dims[d];
	if (!g.ta && ta->elements == matrices * g.m * g.k && tb->elements == g.k * g.n) {
		g.m *= matrices;
		rank = 0;
	}
	pim_rows r;
	for (pim_rows_begin(&r, rank, dims, 2, (const int64_t(*)[PIM_MAX_RANK])strides);
		 pim_rows_next(&r);)
		for (int64_t i = 0; i < r.length; i++)
			multiplies[s](e, &g, a + (size_t)((r.offset[0] + i * r.step[0]) * g.m * g.k) * bytes,
				b + (size_t)((r.offset[1] + i * r.step[1]) * g.k * g.n) * bytes,
				c + (size_t)((r.result + i) * g.m * g.n) * bytes);
}

/* Weights of a file, at whatever address, are not copied. */
static const void *find_operand(const pim_tensor *t, pim_eval *e)
{
	bool anywhere = t->type->dtype == PIM_DTYPE_f32 && pim_gemm_takes_any_address(e);
	return anywhere ? t->data : pim_stage_whole(t, e->scratch);
}

bool pim_eval_matmul(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	void *c = pim_stage_room(out, e->scratch);
	pim_matmul_run(
		n, pim_stage_of(n->type->dtype), find_operand(&in[0], e), find_operand(&in[1], e), c, e);
	pim_stage_finish(out, c);
	return true;
}
