/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_index - operators that choose elements by indices: gather, scatter, sort, running sums.
 *
 * What was an attribute in one opset and an input in the next is read from wherever it is. Rules:
 * ONNX operator specification. */
#include <string.h>

#include "frontends/onnx.h"

static pim_node *with_axis(onnx_call *k, pim_op op, int n, pim_node *const *in, int64_t axis)
{
	pim_attr attr = onnx_attr_int("axis", axis);
	return onnx_make(k, op, n, in, 1, &attr);
}

bool onnx_convert_arg(onnx_call *k)
{
	int64_t axis = onnx_int(k, "axis", 0);
	pim_attr attrs[3];
	if (!onnx_axis(k, &axis, k->in[0]->type->rank))
		return false;
	attrs[0] = onnx_attr_int("axis", axis);
	attrs[1] = onnx_attr_int("keepdims", onnx_int(k, "keepdims", 1) != 0);
	attrs[2] = onnx_attr_int("select_last", onnx_int(k, "select_last_index", 0) != 0);
	return onnx_give(k, onnx_make(k, k->row->op, 1, k->in, 3, attrs));
}

/* The number is an attribute before opset 10. Results: values, places. */
bool onnx_convert_top_k(onnx_call *k)
{
	int64_t axis = onnx_int(k, "axis", -1);
	double count = (double)onnx_int(k, "k", -1);
	pim_attr attrs[3];
	pim_node *at;
	if (!onnx_axis(k, &axis, k->in[0]->type->rank))
		return false;
	if (k->n_in > 1 && k->in[1] && !onnx_input_number(k, 1, &count))
		return false;
	if (count < 0 || count > (double)k->in[0]->type->dims[axis])
		return onnx_fail(k, "k is %g, but dim %lld of %s is smaller", count, (long long)axis,
			pim_type_text(k->in[0]->type, k->import->scratch));
	attrs[0] = onnx_attr_int("axis", axis);
	attrs[1] = onnx_attr_int("k", (int64_t)count);
	attrs[2] = onnx_attr_int("largest", onnx_int(k, "largest", 1) != 0);
	at = onnx_make(k, PIM_OP_top_k, 1, k->in, 3, attrs);
	if (k->n_out > 1)
		k->out[1] = at;
	return onnx_give(
		k, with_axis(k, PIM_OP_gather_elements, 2, (pim_node *[]){k->in[0], at}, axis));
}

/* Running sums or products; the axis is an input. */
bool onnx_convert_running(onnx_call *k)
{
	double v;
	int64_t axis;
	pim_attr attrs[3];
	if (!onnx_input_number(k, 1, &v))
		return false;
	axis = (int64_t)v;
	if (!onnx_axis(k, &axis, k->in[0]->type->rank))
		return false;
	attrs[0] = onnx_attr_int("axis", axis);
	attrs[1] = onnx_attr_int("exclusive", onnx_int(k, "exclusive", 0) != 0);
	attrs[2] = onnx_attr_int("reverse", onnx_int(k, "reverse", 0) != 0);
	return onnx_give(k, onnx_make(k, k->row->op, 1, k->in, 3, attrs));
}

bool onnx_convert_gather_elements(onnx_call *k)
{
	int64_t axis = onnx_int(k, "axis", 0);
	return onnx_axis(k, &axis, k->in[0]->type->rank) &&
		   onnx_give(k, with_axis(k, PIM_OP_gather_elements, 2, k->in, axis));
}

bool onnx_convert_gather_nd(onnx_call *k)
{
	pim_attr attr = onnx_attr_int("batch_dims", onnx_int(k, "batch_dims", 0));
	return onnx_give(k, onnx_make(k, PIM_OP_gather_nd, 2, k->in, 1, &attr));
}

bool onnx_convert_scatter(onnx_call *k)
{
	int64_t axis = onnx_int(k, "axis", 0);
	pim_attr attrs[2];
	bool along = k->row->op == PIM_OP_scatter_elements;
	if (along && !onnx_axis(k, &axis, k->in[0]->type->rank))
		return false;
	attrs[0] = onnx_attr_string("reduction", onnx_string(k, "reduction", "none"));
	attrs[1] = onnx_attr_int("axis", axis);
	return onnx_give(k, onnx_make(k, k->row->op, 3, k->in, along ? 2 : 1, attrs));
}

/* v, of one dim, along dim `axis` of `rank` dims. */
static pim_node *along(onnx_call *k, pim_node *v, int rank, int64_t axis)
{
	int64_t dims[PIM_MAX_RANK];
	for (int d = 0; d < rank; d++)
		dims[d] = d == axis ? v->type->elements : 1;
	return onnx_reshape(k, v, rank, dims);
}

/* The first lengths[b] elements of each batch backwards, the rest as they are. */
bool onnx_convert_reverse_sequence(onnx_call *k)
{
	pim_node *x = k->in[0], *at, *n, *back;
	int64_t batch = onnx_int(k, "batch_axis", 1), time = onnx_int(k, "time_axis", 0);
	const pim_type *t = x->type, *lens = k->in[1]->type;
	if (t->rank < 2 || batch < 0 || batch > 1 || time < 0 || time > 1 || batch == time)
		return onnx_fail(k,
			"batch_axis is %lld and time_axis %lld for %s, expected 0 and 1, or 1 "
			"and 0",
			(long long)batch, (long long)time, pim_type_text(t, k->import->scratch));
	if (lens->rank != 1 || lens->dims[0] != t->dims[batch])
		return onnx_fail(k, "sequence_lens is %s, expected [%lld]",
			pim_type_text(lens, k->import->scratch), (long long)t->dims[batch]);
	at = along(k, onnx_iota(k, PIM_DTYPE_i64, t->dims[time]), t->rank, time);
	n = along(k, onnx_cast(k, k->in[1], PIM_DTYPE_i64), t->rank, batch);
	back = onnx_make2(k, PIM_OP_sub, onnx_make2(k, PIM_OP_sub, n, onnx_scalar(k, at, 1)), at);
	at = onnx_where(k, onnx_make2(k, PIM_OP_less, at, n), back, at);
	at = onnx_expand(k, at, t->rank, t->dims);
	return onnx_give(k, with_axis(k, PIM_OP_gather_elements, 2, (pim_node *[]){x, at}, time));
}

/* Updates [batch, ..., n, ...] are written from place write_indices[batch] of one dim on; a
 * circular cache goes on at its start. */
bool onnx_convert_tensor_scatter(onnx_call *k)
{
	const pim_type *x = k->in[0]->type, *u = k->in[1]->type;
	const char *mode = onnx_string(k, "mode", "linear");
	int64_t axis = onnx_int(k, "axis", -2);
	pim_node *at;
	if (!onnx_axis(k, &axis, x->rank))
		return false;
	if (u->rank != x->rank || axis == 0 || (strcmp(mode, "linear") && strcmp(mode, "circular")))
		return onnx_fail(k, "mode is '%s', the cache %s and the update %s", mode,
			pim_type_text(x, k->import->scratch), pim_type_text(u, k->import->scratch));
	at = along(k, onnx_iota(k, PIM_DTYPE_i64, u->dims[axis]), x->rank, axis);
	if (k->n_in > 2 && k->in[2])
		at = onnx_make2(
			k, PIM_OP_add, at, along(k, onnx_cast(k, k->in[2], PIM_DTYPE_i64), x->rank, 0));
	if (!strcmp(mode, "circular"))
		at = onnx_make2(k, PIM_OP_mod, at, onnx_scalar(k, at, (double)x->dims[axis]));
	at = onnx_expand(k, at, u->rank, u->dims);
	return onnx_give(
		k, with_axis(k, PIM_OP_scatter_elements, 3, (pim_node *[]){k->in[0], at, k->in[1]}, axis));
}

/* ---- bits ---- */

bool onnx_convert_bit_shift(onnx_call *k)
{
	const char *way = onnx_string(k, "direction", "");
	bool left = !strcmp(way, "LEFT");
	if (!left && strcmp(way, "RIGHT"))
		return onnx_fail(k, "direction is '%s', expected LEFT or RIGHT", way);
	return onnx_give(
		k, onnx_make2(k, left ? PIM_OP_shift_left : PIM_OP_shift_right, k->in[0], k->in[1]));
}

bool onnx_convert_bit_cast(onnx_call *k)
{
	int64_t to = onnx_int(k, "to", 0);
	pim_dtype t = to < 0 || to > INT32_MAX ? PIM_DTYPE_COUNT : onnx_dtype((int32_t)to);
	pim_attr attr = onnx_attr_string("to", t == PIM_DTYPE_COUNT ? "" : pim_dtype_name(t));
	if (t == PIM_DTYPE_COUNT)
		return onnx_fail(k, "element type %s is not supported", onnx_dtype_text((int32_t)to));
	if (t == k->in[0]->type->dtype)
		return onnx_give(k, k->in[0]);
	if (k->in[0]->type->dtype == PIM_DTYPE_bool && pim_dtype_bytes(t) == 1)
		return onnx_give(k, onnx_cast(k, k->in[0], t));
	return onnx_give(k, onnx_make(k, PIM_OP_bit_cast, 1, k->in, 1, &attr));
}
