/* SPDX-License-Identifier: Apache-2.0 */
/* ops_scan - sums and products of all elements up to each, along one dim.
 *
 * Floats are accumulated in float64 and every result rounded once, integers modulo 2^64. */
#include "ir/op_rules.h"

static const pim_type *infer_scan(const pim_node *n)
{
	const pim_type *t = pim_rule_operand(n, 0);
	if (t && t->dtype == PIM_DTYPE_bool) {
		pim_node_error(n, "input of %s is bool, expected a float or integer type", pim_node_op(n));
		return NULL;
	}
	return t && pim_rule_dim(n, "axis", t->rank) >= 0 ? t : NULL;
}

static void axes_of_scan(const pim_node *n, pim_axes *x)
{
	pim_axes_elementwise(n, x);
	x->axis[pim_node_int(n, "axis")].kind = PIM_AXIS_coupled;
}

/* n elements, `step` apart; a negative step goes from the end. */
typedef void scan(const void *x, void *y, int64_t n, int64_t step, bool exclusive);

/* stage, element, accumulator */
#define SCAN_TYPES(X, op, start)                                                                   \
	X(f32, float, double, op, start)                                                               \
	X(f64, double, double, op, start)                                                              \
	X(u64, uint64_t, uint64_t, op, start)

#define SCAN_RUN(name, T, S, op, start)                                                            \
	static void scan_##start##_##name(                                                             \
		const void *from, void *to, int64_t n, int64_t step, bool exclusive)                       \
	{                                                                                              \
		const T *x = from;                                                                         \
		T *y = to;                                                                                 \
		S s = start;                                                                               \
		for (int64_t i = 0; i < n; i++, x += step, y += step) {                                    \
			S before = s;                                                                          \
			s = s op(S) * x;                                                                       \
			*y = (T)(exclusive ? before : s);                                                      \
		}                                                                                          \
	}
SCAN_TYPES(SCAN_RUN, +, 0)
SCAN_TYPES(SCAN_RUN, *, 1)
#undef SCAN_RUN

static scan *const sums[PIM_STAGE_COUNT] = {
	[PIM_STAGE_f32] = scan_0_f32,
	[PIM_STAGE_f64] = scan_0_f64,
	[PIM_STAGE_i64] = scan_0_u64,
	[PIM_STAGE_u64] = scan_0_u64,
};

static scan *const products[PIM_STAGE_COUNT] = {
	[PIM_STAGE_f32] = scan_1_f32,
	[PIM_STAGE_f64] = scan_1_f64,
	[PIM_STAGE_i64] = scan_1_u64,
	[PIM_STAGE_u64] = scan_1_u64,
};

static bool run_scan(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const pim_type *t = n->type;
	pim_stage s = pim_stage_of(t->dtype);
	scan *run = n->op == PIM_OP_cumsum ? sums[s] : products[s];
	bool exclusive = pim_node_int(n, "exclusive") != 0, back = pim_node_int(n, "reverse") != 0;
	int64_t axis = pim_node_int(n, "axis"), size = t->dims[axis], step = 1;
	const char *x = pim_stage_whole(&in[0], e->scratch);
	char *y = pim_stage_room(out, e->scratch);
	for (int d = (int)axis + 1; d < t->rank; d++)
		step *= t->dims[d];
	for (int64_t v = 0; t->elements && v < t->elements / size; v++) {
		int64_t first = v / step * size * step + v % step + (back ? (size - 1) * step : 0);
		size_t at = (size_t)first * pim_stage_bytes(s);
		run(x + at, y + at, size, back ? -step : step, exclusive);
	}
	pim_stage_finish(out, y);
	return true;
}

const pim_type *pim_infer_cumsum(const pim_node *n)
{
	return infer_scan(n);
}

void pim_axes_cumsum(const pim_node *n, pim_axes *x)
{
	axes_of_scan(n, x);
}

bool pim_eval_cumsum(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_scan(n, in, out, e);
}

const pim_type *pim_infer_cumprod(const pim_node *n)
{
	return infer_scan(n);
}

void pim_axes_cumprod(const pim_node *n, pim_axes *x)
{
	axes_of_scan(n, x);
}

bool pim_eval_cumprod(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_scan(n, in, out, e);
}
