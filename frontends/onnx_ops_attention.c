/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_attention - attention blocks and rotary embeddings, as matrix products and a softmax.
 *
 * softmax(softcap(scale * q k^T) + mask) v on [batch, heads, tokens, head size]. Heads of q that
 * share one of k and v are repeated by expand; sizes are static, so a causal mask is a constant.
 * Forms: ai.onnx Attention 23 and 24, RotaryEmbedding 23, LinearAttention and
 * CausalConvWithState 27. */
#include <math.h>
#include <string.h>

#include "frontends/onnx_attention.h"

static pim_node *add(onnx_call *k, pim_node *a, pim_node *b)
{
	return onnx_make2(k, PIM_OP_add, a, b);
}

static pim_node *mul(onnx_call *k, pim_node *a, pim_node *b)
{
	return onnx_make2(k, PIM_OP_mul, a, b);
}

static pim_node *times(onnx_call *k, pim_node *a, double by)
{
	return by == 1 ? a : mul(k, a, onnx_scalar(k, a, by));
}

/* [batch, tokens, heads * size] to [batch, heads, tokens, size] */
pim_node *onnx_heads_split(onnx_call *k, pim_node *x, int64_t heads)
{
	const int64_t *d;
	if (!x || x->type->rank == 4)
		return x;
	d = x->type->dims;
	if (x->type->rank != 3 || heads < 1 || d[2] % heads) {
		onnx_fail(k, "%s does not divide into %lld heads",
			pim_type_text(x->type, k->import->scratch), (long long)heads);
		return NULL;
	}
	x = onnx_reshape(k, x, 4, (int64_t[]){d[0], d[1], heads, d[2] / heads});
	return onnx_transpose(k, x, (int64_t[]){0, 2, 1, 3});
}

/* The way back. */
pim_node *onnx_heads_join(onnx_call *k, pim_node *x)
{
	const int64_t *d;
	x = onnx_transpose(k, x, (int64_t[]){0, 2, 1, 3});
	if (!x)
		return NULL;
	d = x->type->dims;
	return onnx_reshape(k, x, 3, (int64_t[]){d[0], d[1], d[2] * d[3]});
}

/* Each head of x stands for several of q. */
static pim_node *repeat_heads(onnx_call *k, pim_node *x, int64_t heads)
{
	const int64_t *d = x ? x->type->dims : NULL;
	int64_t each;
	if (!x || d[1] == heads)
		return x;
	if (heads % d[1]) {
		onnx_fail(k, "%lld heads of q do not divide among %lld of k and v", (long long)heads,
			(long long)d[1]);
		return NULL;
	}
	each = heads / d[1];
	x = onnx_reshape(k, x, 5, (int64_t[]){d[0], d[1], 1, d[2], d[3]});
	x = onnx_expand(k, x, 5, (int64_t[]){d[0], d[1], each, d[2], d[3]});
	return onnx_reshape(k, x, 4, (int64_t[]){d[0], heads, d[2], d[3]});
}

/* Scores of later tokens, as a matrix to add. */
static pim_node *causal_bias(onnx_call *k, const onnx_attention *a, pim_dtype t)
{
	int64_t dims[2] = {a->q->type->dims[2], a->k->type->dims[2]};
	double *v = PIM_NEW(k->import->scratch, double, dims[0] * dims[1] + 1);
	for (int64_t r = 0; r < dims[0]; r++)
		for (int64_t c = 0; c < dims[1]; c++)
			v[r * dims[1] + c] = c > r + a->past ? a->hidden : 0;
	return onnx_numbers(k, t, 2, dims, v);
}

/* The softmax of scores, and of the sink, whose share is dropped. */
static pim_node *share_scores(onnx_call *k, const onnx_attention *a, pim_node *s)
{
	const int64_t *d = s ? s->type->dims : NULL;
	pim_node *sink;
	if (!a->sink || !s)
		return onnx_softmax(k, s, 3);
	sink = onnx_reshape(k, onnx_cast(k, a->sink, s->type->dtype), 4, (int64_t[]){1, d[1], 1, 1});
	sink = onnx_expand(k, sink, 4, (int64_t[]){d[0], d[1], d[2], 1});
	sink = onnx_softmax(k, onnx_concat(k, 2, (pim_node *[]){s, sink}, 3), 3);
	return onnx_part(k, sink, 3, 0, d[3]);
}

/* Softmax and product where some rows have no finite score. */
static pim_node *attend_rows(
	onnx_call *k, onnx_attention *a, pim_node *s, pim_node *values, pim_dtype t)
{
	int64_t axis = 3;
	pim_node *top = onnx_reduce(k, PIM_OP_reduce_max, s, 1, &axis, 1);
	pim_node *empty = onnx_make2(k, PIM_OP_equal, top, onnx_scalar(k, top, -INFINITY));
	s = onnx_where(k, empty, onnx_scalar(k, s, 0), onnx_softmax(k, s, 3));
	s = a->scores[3] = onnx_cast(k, s, t);
	return onnx_matmul(k, s, values, false);
}

/* The result as [batch, heads, tokens, size]; NULL after a diagnostic. */
pim_node *onnx_attend(onnx_call *k, onnx_attention *a)
{
	double each = sqrt(a->scale);
	pim_node *keys, *values, *s, *bias = a->bias;
	pim_dtype t;
	if (!a->q || !a->k || !a->v)
		return NULL;
	t = a->q->type->dtype;
	keys = repeat_heads(k, a->k, a->q->type->dims[1]);
	values = repeat_heads(k, a->v, a->q->type->dims[1]);
	s = a->scores[0] = onnx_matmul(k, times(k, a->q, each), times(k, keys, each), true);
	if (a->softcap > 0) {
		s = onnx_make1(k, PIM_OP_tanh, times(k, s, 1 / a->softcap));
		s = times(k, s, a->softcap);
	}
	a->scores[1] = s;
	if (a->causal) {
		pim_node *c = causal_bias(k, a, bias ? bias->type->dtype : t);
		bias = bias ? add(k, bias, c) : c;
	}
	if (bias)
		s = add(k, s, onnx_cast(k, bias, t));
	a->scores[2] = s;
	s = onnx_cast(k, s, a->precision);
	if (a->hides_rows)
		return attend_rows(k, a, s, values, t);
	s = a->scores[3] = s ? onnx_cast(k, share_scores(k, a, s), t) : NULL;
	return onnx_matmul(k, s, values, false);
}

/* A mask of bools or numbers, filled up to the keys, as scores. */
static pim_node *mask_scores(onnx_call *k, pim_node *m, int64_t keys, pim_dtype t)
{
	double hidden = t == PIM_DTYPE_f16 ? -65504 : -INFINITY;
	int64_t missing = keys - m->type->dims[m->type->rank - 1];
	if (m->type->dtype == PIM_DTYPE_bool)
		m = onnx_where(k, m, onnx_splat(k, t, 0, NULL, 0), onnx_splat(k, t, 0, NULL, -INFINITY));
	if (m && missing > 0) {
		int64_t pads[2 * PIM_MAX_RANK] = {0};
		pim_attr attrs[2];
		pads[2 * m->type->rank - 1] = missing;
		attrs[0] = onnx_attr_ints("pads", 2 * m->type->rank, pads);
		attrs[1] = onnx_attr_float("value", hidden);
		m = onnx_unary(k, PIM_OP_pad, m, 2, attrs);
	}
	return m;
}

/* Keys from the valid number on are hidden, for each batch. */
pim_node *onnx_valid_scores(onnx_call *k, pim_node *valid, int64_t keys, pim_dtype t, double hidden)
{
	pim_node *at = onnx_reshape(k, onnx_iota(k, valid->type->dtype, keys), 2, (int64_t[]){1, keys});
	pim_node *seen = onnx_make2(
		k, PIM_OP_less, at, onnx_reshape(k, valid, 2, (int64_t[]){valid->type->elements, 1}));
	seen = onnx_where(k, seen, onnx_splat(k, t, 0, NULL, 0), onnx_splat(k, t, 0, NULL, hidden));
	return seen ? onnx_reshape(k, seen, 4, (int64_t[]){valid->type->elements, 1, 1, keys}) : NULL;
}

static pim_node *input(const onnx_call *k, int i)
{
	return i < k->n_in ? k->in[i] : NULL;
}

/* The last query is the last of each batch's valid keys: what is behind each one's place is
 * hidden. */
static pim_node *aligned_scores(onnx_call *k, pim_node *valid, const onnx_attention *a)
{
	int64_t n = a->q->type->dims[2], keys = a->k->type->dims[2];
	pim_dtype t = a->q->type->dtype, whole = valid->type->dtype;
	pim_node *row = onnx_reshape(k, onnx_iota(k, whole, n), 4, (int64_t[]){1, 1, n, 1});
	pim_node *column = onnx_reshape(k, onnx_iota(k, whole, keys), 4, (int64_t[]){1, 1, 1, keys});
	pim_node *before = onnx_reshape(k, valid, 4, (int64_t[]){valid->type->elements, 1, 1, 1});
	before = onnx_make2(k, PIM_OP_sub, before, onnx_scalar(k, valid, (double)n));
	return onnx_where(k, onnx_make2(k, PIM_OP_greater, column, add(k, row, before)),
		onnx_splat(k, t, 0, NULL, -INFINITY), onnx_splat(k, t, 0, NULL, 0));
}

static bool add_masks(onnx_call *k, onnx_attention *a)
{
	int64_t keys = a->k->type->dims[2];
	pim_dtype t = a->q->type->dtype;
	if (input(k, 3)) {
		if (k->in[3]->type->rank < 2)
			return onnx_fail(k, "the mask is %s, expected 2 to 4 dims",
				pim_type_text(k->in[3]->type, k->import->scratch));
		a->hides_rows = k->in[3]->type->dtype == PIM_DTYPE_bool;
		a->bias = mask_scores(k, k->in[3], keys, t);
		if (!a->bias)
			return false;
	}
	if (input(k, 6)) {
		pim_node *v = onnx_valid_scores(k, k->in[6], keys, t, -INFINITY);
		if (a->causal && !a->past)
			v = aligned_scores(k, k->in[6], a);
		a->causal = a->causal && a->past;
		a->hides_rows = true;
		a->bias = a->bias ? add(k, a->bias, v) : v;
		if (!a->bias)
			return false;
	}
	return true;
}

bool onnx_convert_attention(onnx_call *k)
{
	onnx_attention a = {.causal = onnx_int(k, "is_causal", 0) != 0, .hidden = -INFINITY};
	int64_t mode = onnx_int(k, "qk_matmul_output_mode", 0);
	bool flat = k->in[0]->type->rank == 3;
	pim_node *y;
	a.q = onnx_heads_split(k, k->in[0], onnx_int(k, "q_num_heads", 0));
	a.k = onnx_heads_split(k, k->in[1], onnx_int(k, "kv_num_heads", 0));
	a.v = onnx_heads_split(k, k->in[2], onnx_int(k, "kv_num_heads", 0));
	if (!a.q || !a.k || !a.v)
		return false;
	if (mode < 0 || mode > 3)
		return onnx_fail(k, "qk_matmul_output_mode is %lld, expected 0 to 3", (long long)mode);
	if (a.q->type->rank != 4 || a.k->type->rank != 4 || a.v->type->rank != 4)
		return onnx_fail(k, "Q, K and V have %d, %d and %d dims, expected 3 or 4", a.q->type->rank,
			a.k->type->rank, a.v->type->rank);
	if (input(k, 4) && input(k, 5)) {
		a.past = k->in[4]->type->rank == 4 ? k->in[4]->type->dims[2] : 0;
		a.k = onnx_concat(k, 2, (pim_node *[]){k->in[4], a.k}, 2);
		a.v = onnx_concat(k, 2, (pim_node *[]){k->in[5], a.v}, 2);
	}
	if (!a.k || !a.v || !add_masks(k, &a))
		return false;
	a.scale = onnx_float(k, "scale", 1 / sqrt((double)a.q->type->dims[3]));
	a.softcap = onnx_float(k, "softcap", 0);
	a.precision = onnx_dtype((int32_t)onnx_int(k, "softmax_precision", 0));
	if (a.precision == PIM_DTYPE_COUNT)
		a.precision = a.q->type->dtype;
	y = onnx_attend(k, &a);
	if (k->n_out > 1)
		k->out[1] = a.k;
	if (k->n_out > 2)
		k->out[2] = a.v;
	if (k->n_out > 3)
		k->out[3] = a.scores[mode];
	return onnx_give(k, flat ? onnx_heads_join(k, y) : y);
}

/* ---- rotary embedding ---- */

/* Rows of a table for each token, [batch, 1, tokens, half]; the table has them already when there
 * are no positions. */
static pim_node *table_rows(onnx_call *k, pim_node *table, pim_node *positions, int64_t half)
{
	pim_attr axis = onnx_attr_int("axis", 0);
	const int64_t *d;
	if (positions)
		table = onnx_make(k, PIM_OP_gather, 2, (pim_node *[]){table, positions}, 1, &axis);
	if (!table || table->type->rank != 3) {
		if (table)
			onnx_fail(k, "the table is %s, expected [batch, tokens, size / 2]",
				pim_type_text(table->type, k->import->scratch));
		return NULL;
	}
	table = onnx_part(k, table, 2, 0, half);
	if (!table)
		return NULL;
	d = table->type->dims;
	return onnx_reshape(k, table, 4, (int64_t[]){d[0], 1, d[1], d[2]});
}

/* The two halves of x's last dim: its ends, or its even and odd elements. */
static pim_node *half_of(onnx_call *k, pim_node *x, int which, int64_t half, bool interleaved)
{
	int64_t starts[4] = {0}, steps[4] = {1, 1, 1, 1}, sizes[4];
	if (!interleaved)
		return onnx_part(k, x, 3, which * half, half);
	memcpy(sizes, x->type->dims, sizeof sizes);
	starts[3] = which;
	steps[3] = 2;
	sizes[3] = half;
	return onnx_slice(k, x, starts, sizes, steps);
}

static pim_node *rotate(
	onnx_call *k, pim_node *x, pim_node *cos, pim_node *sin, int64_t half, bool interleaved)
{
	const int64_t *d = x->type->dims;
	pim_node *a = half_of(k, x, 0, half, interleaved), *b = half_of(k, x, 1, half, interleaved);
	pim_node *y[2] = {onnx_make2(k, PIM_OP_sub, mul(k, a, cos), mul(k, b, sin)),
		add(k, mul(k, b, cos), mul(k, a, sin))};
	if (!y[0] || !y[1])
		return NULL;
	if (!interleaved)
		return onnx_concat(k, 2, y, 3);
	for (int i = 0; i < 2; i++)
		y[i] = onnx_reshape(k, y[i], 5, (int64_t[]){d[0], d[1], d[2], half, 1});
	return onnx_reshape(k, onnx_concat(k, 2, y, 4), 4, (int64_t[]){d[0], d[1], d[2], 2 * half});
}

pim_node *onnx_rotate(onnx_call *k, pim_node *x, const onnx_rotation *r)
{
	pim_node *rest = NULL, *y, *cos, *sin;
	int64_t size = x && x->type->rank == 4 ? x->type->dims[3] : 0;
	int64_t turned = r->size ? r->size : size;
	if (!x)
		return NULL;
	if (turned < 2 || turned % 2 || turned > size) {
		onnx_fail(k, "rotary_embedding_dim %lld of a head of %lld is not even or too large",
			(long long)turned, (long long)size);
		return NULL;
	}
	if (turned < size)
		rest = onnx_part(k, x, 3, turned, size - turned);
	x = onnx_part(k, x, 3, 0, turned);
	cos = table_rows(k, r->cos, r->positions, turned / 2);
	sin = table_rows(k, r->sin, r->positions, turned / 2);
	y = x && cos && sin ? rotate(k, x, cos, sin, turned / 2, r->interleaved) : NULL;
	if (rest)
		y = y ? onnx_concat(k, 2, (pim_node *[]){y, rest}, 3) : NULL;
	return y;
}

static bool give_rotated(onnx_call *k, int64_t heads, const onnx_rotation *r)
{
	bool flat = k->in[0]->type->rank == 3;
	pim_node *x;
	if (flat && heads < 1)
		return onnx_fail(k, "num_heads is %lld for an input of 3 dims", (long long)heads);
	x = onnx_heads_split(k, k->in[0], heads);
	if (!x)
		return false;
	if (x->type->rank != 4)
		return onnx_fail(k, "the input has %d dims, expected 3 or 4", x->type->rank);
	x = onnx_rotate(k, x, r);
	return onnx_give(k, flat ? onnx_heads_join(k, x) : x);
}

bool onnx_convert_rotary_embedding(onnx_call *k)
{
	onnx_rotation r = {.cos = k->in[1],
		.sin = k->in[2],
		.positions = input(k, 3),
		.size = onnx_int(k, "rotary_embedding_dim", 0),
		.interleaved = onnx_int(k, "interleaved", 0) != 0};
	return give_rotated(k, onnx_int(k, "num_heads", 0), &r);
}

/* com.microsoft: x positions cos sin; one position is that of the first token. */
bool onnx_convert_ms_rotary(onnx_call *k)
{
	const pim_type *x = k->in[0]->type, *table = k->in[2]->type;
	onnx_rotation r = {.cos = k->in[2],
		.sin = k->in[3],
		.positions = k->in[1],
		.size = onnx_int(k, "rotary_embedding_dim", 0),
		.interleaved = onnx_int(k, "interleaved", 0) != 0};
	int64_t heads = onnx_int(k, "num_heads", 0), tokens;
	if (onnx_int(k, "is_packed_batching", 0) || table->rank != 2 || table->dims[1] < 1 ||
		x->rank < 3 || x->rank > 4)
		return onnx_fail(k, "the input is %s and the table %s: expected 3 or 4 and 2 dims",
			pim_type_text(x, k->import->scratch), pim_type_text(table, k->import->scratch));
	heads = heads ? heads : x->dims[2] / (2 * table->dims[1]);
	tokens = x->dims[x->rank - 2];
	r.positions = onnx_cast(k, r.positions, PIM_DTYPE_i64);
	if (r.positions && r.positions->type->rank == 1 && r.positions->type->elements == 1)
		r.positions = onnx_reshape(
			k, add(k, onnx_iota(k, PIM_DTYPE_i64, tokens), r.positions), 2, (int64_t[]){1, tokens});
	return r.positions && give_rotated(k, heads, &r);
}

/* ---- recurrent attention (opset 27) ---- */

/* One dim of 1 more, at d. */
static pim_node *unsqueeze(onnx_call *k, pim_node *x, int at)
{
	int64_t dims[PIM_MAX_RANK];
	if (!x)
		return NULL;
	for (int d = 0; d <= x->type->rank; d++)
		dims[d] = d == at ? 1 : x->type->dims[d - (d > at)];
	return onnx_reshape(k, x, x->type->rank + 1, dims);
}

static pim_node *drop_dim(onnx_call *k, pim_node *x, int at)
{
	int64_t dims[PIM_MAX_RANK];
	if (!x)
		return NULL;
	for (int d = 0; d < x->type->rank - 1; d++)
		dims[d] = x->type->dims[d + (d >= at)];
	return onnx_reshape(k, x, x->type->rank - 1, dims);
}

/* Token t of [batch, tokens, heads * size] as [batch, heads, size] in f32. */
static pim_node *token(onnx_call *k, pim_node *x, int64_t t, int64_t heads)
{
	const int64_t *d = x->type->dims;
	if (x->type->rank != 3 || heads < 1 || d[2] % heads) {
		onnx_fail(k, "%s does not divide into %lld heads",
			pim_type_text(x->type, k->import->scratch), (long long)heads);
		return NULL;
	}
	x = onnx_reshape(k, onnx_part(k, x, 1, t, 1), 3, (int64_t[]){d[0], heads, d[2] / heads});
	return onnx_cast(k, x, PIM_DTYPE_f32);
}

/* state[batch, heads, dk, dv] decays, then takes in k v^T: of v itself (linear, gated), or of what
 * the state does not yet give for k (delta rules). The result is q state / sqrt(dk). */
static pim_node *linear_step(
	onnx_call *k, int64_t t, int64_t kv_heads, bool decays, bool delta, pim_node **state)
{
	pim_node *key = token(k, k->in[1], t, kv_heads), *v = token(k, k->in[2], t, kv_heads);
	pim_node *column;
	if (!key || !v)
		return NULL;
	column = unsqueeze(k, key, 3);
	if (decays) {
		pim_node *g = token(k, k->in[4], t, kv_heads);
		*state = mul(k, *state, unsqueeze(k, onnx_unary(k, PIM_OP_exp, g, 0, NULL), 3));
	}
	if (delta) {
		pim_node *beta = token(k, k->in[5], t, k->in[5]->type->dims[2] == 1 ? 1 : kv_heads);
		pim_node *gives = onnx_matmul(k, unsqueeze(k, key, 2), *state, false);
		v = mul(k, beta, onnx_make2(k, PIM_OP_sub, v, drop_dim(k, gives, 2)));
	}
	*state = add(k, *state, mul(k, column, unsqueeze(k, v, 2)));
	return *state;
}

static pim_node *read_state(onnx_call *k, int64_t t, int64_t heads, pim_node *state, double scale)
{
	pim_node *q = token(k, k->in[0], t, heads), *y;
	const int64_t *d;
	state = repeat_heads(k, state, heads);
	y = onnx_matmul(k, unsqueeze(k, q, 2), state, false);
	if (!y)
		return NULL;
	d = y->type->dims;
	y = times(k, y, scale);
	y = onnx_reshape(k, y, 3, (int64_t[]){d[0], 1, d[1] * d[3]});
	return onnx_cast(k, y, k->in[0]->type->dtype);
}

bool onnx_convert_linear_attention(onnx_call *k)
{
	const char *rule = onnx_string(k, "update_rule", "gated_delta");
	bool decays = !strncmp(rule, "gated", 5), delta = strstr(rule, "delta") != NULL;
	int64_t heads = onnx_int(k, "q_num_heads", 0), kv = onnx_int(k, "kv_num_heads", 0);
	const pim_type *q = k->in[0]->type, *v = k->in[2]->type;
	pim_node *state, **y;
	double scale;
	if (q->rank != 3 || v->rank != 3 || heads < 1 || kv < 1 || q->dims[2] % heads ||
		v->dims[2] % kv)
		return onnx_fail(k, "%s and %s do not divide into %lld and %lld heads",
			pim_type_text(q, k->import->scratch), pim_type_text(v, k->import->scratch),
			(long long)heads, (long long)kv);
	if ((strcmp(rule, "linear") && !decays && !delta) || (decays && !input(k, 4)) ||
		(delta && !input(k, 5)))
		return onnx_fail(k, "update_rule '%s' is unknown or its inputs are not given", rule);
	scale = onnx_float(k, "scale", 0);
	if (scale == 0)
		scale = 1 / sqrt((double)(q->dims[2] / heads));
	state = input(k, 3) ? onnx_cast(k, k->in[3], PIM_DTYPE_f32)
						: onnx_splat(k, PIM_DTYPE_f32, 4,
							  (int64_t[]){q->dims[0], kv, q->dims[2] / heads, v->dims[2] / kv}, 0);
	y = PIM_NEW(k->import->scratch, pim_node *, q->dims[1] + 1);
	for (int64_t t = 0; t < q->dims[1]; t++) {
		if (!linear_step(k, t, kv, decays, delta, &state))
			return false;
		y[t] = read_state(k, t, heads, state, scale);
		if (!y[t])
			return false;
	}
	if (k->n_out > 1)
		k->out[1] = onnx_cast(k, state, input(k, 3) ? k->in[3]->type->dtype : q->dtype);
	return onnx_give(k, onnx_concat(k, (int)q->dims[1], y, 1));
}

/* A depthwise convolution over what came before; the last inputs are the next state. */
bool onnx_convert_causal_conv(onnx_call *k)
{
	const pim_type *x = k->in[0]->type, *w = k->in[1]->type;
	const char *act = onnx_string(k, "activation", "none");
	int64_t keep = w->rank == 3 ? w->dims[2] - 1 : -1;
	pim_node *padded, *y;
	pim_attr groups;
	if (x->rank != 3 || keep < 0 ||
		(strcmp(act, "none") && strcmp(act, "silu") && strcmp(act, "swish")))
		return onnx_fail(k,
			"the input is %s, the weights %s and the activation '%s': expected "
			"three dims, and none, silu or swish",
			pim_type_text(x, k->import->scratch), pim_type_text(w, k->import->scratch), act);
	padded = input(k, 3) ? k->in[3]
						 : onnx_splat(k, x->dtype, 3, (int64_t[]){x->dims[0], x->dims[1], keep}, 0);
	if (keep || input(k, 3))
		padded = onnx_concat(k, 2, (pim_node *[]){padded, k->in[0]}, 2);
	else
		padded = k->in[0];
	groups = onnx_attr_int("groups", x->dims[1]);
	y = padded ? onnx_make(k, PIM_OP_conv, input(k, 2) ? 3 : 2,
					 (pim_node *[]){padded, k->in[1], input(k, 2)}, 1, &groups)
			   : NULL;
	if (y && strcmp(act, "none"))
		y = onnx_make1(k, PIM_OP_silu, y);
	if (y && k->n_out > 1)
		k->out[1] = onnx_part(k, padded, 2, padded->type->dims[2] - keep, keep);
	return onnx_give(k, y);
}
