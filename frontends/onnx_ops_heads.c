/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_heads - the attention operators of com.microsoft: Attention, QAttention,
 * MultiHeadAttention and GroupQueryAttention.
 *
 * Masks become scores to add; tokens that came before are put in front of k and v. How many there
 * are for each batch must be known when the model is read, because k and v are buffers of fixed
 * size. Forms: the contrib operators of onnxruntime, version 1. */
#include <math.h>
#include <string.h>

#include "frontends/onnx_attention.h"

static pim_node *input(const onnx_call *k, int i)
{
	return i < k->n_in ? k->in[i] : NULL;
}

static pim_node *add(onnx_call *k, pim_node *a, pim_node *b)
{
	return onnx_make2(k, PIM_OP_add, a, b);
}

/* Keys that a mask of 0 and 1, [batch, keys] or [batch, queries, keys], hides. */
static pim_node *zero_one_scores(onnx_call *k, pim_node *m, pim_dtype t, double hidden)
{
	const pim_type *type = m->type;
	pim_node *seen = onnx_make2(k, PIM_OP_greater, m, onnx_scalar(k, m, 0));
	seen = onnx_where(k, seen, onnx_splat(k, t, 0, NULL, 0), onnx_splat(k, t, 0, NULL, hidden));
	if (!seen)
		return NULL;
	if (type->rank == 2)
		return onnx_reshape(k, seen, 4, (int64_t[]){type->dims[0], 1, 1, type->dims[1]});
	if (type->rank == 3)
		return onnx_reshape(
			k, seen, 4, (int64_t[]){type->dims[0], 1, type->dims[1], type->dims[2]});
	return seen;
}

/* The key mask: for each batch one valid length, or a last and a first key, or zeros and ones. */
static bool read_key_mask(onnx_call *k, pim_node *m, onnx_attention *a)
{
	double hidden = onnx_float(k, "mask_filter_value", -10000);
	pim_dtype t = a->q->type->dtype;
	int64_t batch = a->q->type->dims[0], keys = a->k->type->dims[2];
	if (!m)
		return true;
	if (m->type->rank == 1 && m->type->elements == 2 * batch) {
		pim_node *before = onnx_valid_scores(k, onnx_part(k, m, 0, batch, batch), keys, t, 1);
		pim_node *seen = onnx_make2(k, PIM_OP_less, before, onnx_scalar(k, before, 0.5));
		m = onnx_valid_scores(k, onnx_part(k, m, 0, 0, batch), keys, t, hidden);
		a->bias = onnx_where(k, seen, onnx_splat(k, t, 0, NULL, hidden), m);
	} else if (m->type->rank == 1 && m->type->elements != batch) {
		return onnx_fail(k, "the mask is %s, expected one length for each of %lld batches",
			pim_type_text(m->type, k->import->scratch), (long long)batch);
	} else {
		a->bias = m->type->rank == 1 ? onnx_valid_scores(k, m, keys, t, hidden)
									 : zero_one_scores(k, m, t, hidden);
	}
	return a->bias != NULL;
}

static bool give_attention(onnx_call *k, onnx_attention *a, pim_node *extra)
{
	if (extra)
		a->bias = a->bias ? add(k, a->bias, extra) : extra;
	a->hidden = -INFINITY;
	a->causal = onnx_int(k, "unidirectional", 0) != 0;
	a->scale = onnx_float(k, "scale", 0);
	if (a->scale == 0)
		a->scale = 1 / sqrt((double)a->q->type->dims[3]);
	a->precision = a->q->type->dtype;
	return onnx_give(k, onnx_heads_join(k, onnx_attend(k, a)));
}

/* y holds q, k and v side by side. */
static bool attend_projected(
	onnx_call *k, pim_node *y, pim_node *mask, pim_node *before, pim_node *extra)
{
	int64_t heads = onnx_int(k, "num_heads", 0), sizes[3], at = 0;
	const int64_t *given;
	pim_node *part[3], *present[2];
	onnx_attention a = {0};
	if (!y)
		return false;
	if (y->type->rank != 3 || heads < 1)
		return onnx_fail(k, "the product is %s with %lld heads, expected [batch, tokens, 3 * size]",
			pim_type_text(y->type, k->import->scratch), (long long)heads);
	for (int i = 0; i < 3; i++)
		sizes[i] = y->type->dims[2] / 3;
	if (onnx_ints(k, "qkv_hidden_sizes", &given) == 3)
		memcpy(sizes, given, sizeof sizes);
	if (sizes[0] < 1 || sizes[1] < 1 || sizes[2] < 1 ||
		sizes[0] + sizes[1] + sizes[2] != y->type->dims[2])
		return onnx_fail(
			k, "sizes of q, k and v do not add up to %lld columns", (long long)y->type->dims[2]);
	if (onnx_int(k, "do_rotary", 0))
		return onnx_fail(k, "do_rotary is not supported");
	for (int i = 0; i < 3; at += sizes[i++])
		part[i] = onnx_heads_split(k, onnx_part(k, y, 2, at, sizes[i]), heads);
	for (int i = 0; i < 2 && before; i++) {
		pim_node *past = onnx_part(k, before, 0, i, 1);
		if (!past || past->type->rank != 5)
			return onnx_fail(k, "past is %s, expected [2, batch, heads, tokens, size]",
				pim_type_text(before->type, k->import->scratch));
		past = onnx_reshape(k, past, 4, past->type->dims + 1);
		a.past = past->type->dims[2];
		part[1 + i] = onnx_concat(k, 2, (pim_node *[]){past, part[1 + i]}, 2);
	}
	a.q = part[0];
	a.k = part[1];
	a.v = part[2];
	if (!a.q || !a.k || !a.v || !read_key_mask(k, mask, &a))
		return false;
	for (int i = 0; i < 2 && k->n_out > 1; i++) {
		const int64_t *d = part[1 + i]->type->dims;
		present[i] = onnx_reshape(k, part[1 + i], 5, (int64_t[]){1, d[0], d[1], d[2], d[3]});
	}
	if (k->n_out > 1)
		k->out[1] = onnx_concat(k, 2, present, 0);
	return give_attention(k, &a, extra);
}

/* x, w, b, mask, past [2, ...], added scores; q, k and v are x w + b. */
bool onnx_convert_ms_attention(onnx_call *k)
{
	pim_node *y = onnx_matmul(k, k->in[0], k->in[1], false);
	if (y && input(k, 2))
		y = add(k, y, k->in[2]);
	return attend_projected(k, y, input(k, 3), input(k, 4), input(k, 5));
}

/* x w b scale_x scale_w mask zero_x zero_w past: the product in integers. */
bool onnx_convert_qattention(onnx_call *k)
{
	onnx_call inner = *k;
	pim_node *out[1] = {NULL};
	pim_node *in[7] = {k->in[0], k->in[1], k->in[3], k->in[4], input(k, 6), input(k, 7), k->in[2]};
	inner.in = in;
	inner.n_in = 7;
	inner.out = out;
	inner.n_out = 1;
	return onnx_convert_matmul_integer_to_float(&inner) &&
		   attend_projected(k, out[0], input(k, 5), input(k, 8), NULL);
}

/* One of the n values that x[batch, tokens, heads, n, size] packs, as [batch, tokens, heads *
 * size]. */
static pim_node *unpack(onnx_call *k, pim_node *x, int i, int64_t n)
{
	const int64_t *d = x->type->dims;
	if (x->type->rank != 5 || d[3] != n) {
		onnx_fail(k, "%s is not [batch, tokens, heads, %lld, size]",
			pim_type_text(x->type, k->import->scratch), (long long)n);
		return NULL;
	}
	return onnx_reshape(k, onnx_part(k, x, 3, i, 1), 3, (int64_t[]){d[0], d[1], d[2] * d[4]});
}

/* q, k and v, perhaps all in q or the last two in k. */
static bool read_three(onnx_call *k, pim_node **x)
{
	bool all = !input(k, 1) && !input(k, 2), pair = input(k, 1) && !input(k, 2);
	if (!input(k, 1) && input(k, 2))
		return onnx_fail(k, "v is given, but k is not");
	for (int i = 0; i < 3; i++) {
		if (all)
			x[i] = unpack(k, k->in[0], i, 3);
		else
			x[i] = pair && i ? unpack(k, k->in[1], i - 1, 2) : input(k, i);
		if (!x[i])
			return false;
	}
	return true;
}

/* q, k, v given; then bias of all three, key mask, added scores, past key and value. */
bool onnx_convert_multi_head_attention(onnx_call *k)
{
	int64_t heads = onnx_int(k, "num_heads", 0), at = 0;
	pim_node *part[3], *given[3];
	onnx_attention a = {0};
	if (!read_three(k, given))
		return false;
	for (int i = 0; i < 3; i++) {
		pim_node *x = given[i];
		int64_t size = x->type->dims[x->type->rank - 1];
		if (input(k, 3) && x->type->rank == 3) {
			x = add(k, x, onnx_part(k, k->in[3], 0, at, size));
			at += size;
		}
		part[i] = onnx_heads_split(k, x, heads);
		if (!part[i])
			return false;
		if (i && input(k, 5 + i)) {
			a.past = k->in[5 + i]->type->rank == 4 ? k->in[5 + i]->type->dims[2] : 0;
			part[i] = onnx_concat(k, 2, (pim_node *[]){k->in[5 + i], part[i]}, 2);
		}
		if (i && i < k->n_out)
			k->out[i] = part[i];
	}
	a.q = part[0];
	a.k = part[1];
	a.v = part[2];
	if (!a.k || !a.v || !read_key_mask(k, input(k, 4), &a))
		return false;
	return give_attention(k, &a, input(k, 5));
}

/* ---- grouped queries ---- */

/* What GroupQueryAttention is given: tokens that came before, for each batch. */
typedef struct grouped {
	int64_t batch, tokens, total, room; /* room: tokens of the buffers for k and v */
	int64_t *before;
} grouped;

/* lengths (input 5) are those of all tokens less 1, total (input 6) is the largest. */
static bool read_lengths(onnx_call *k, const pim_node *q, grouped *g)
{
	int64_t *last = PIM_NEW(k->import->scratch, int64_t, q->type->dims[0] + 1);
	const pim_node *past = input(k, 3);
	g->batch = q->type->dims[0];
	g->tokens = q->type->dims[2];
	g->before = last;
	if (!input(k, 5) || !input(k, 6) || k->in[5]->type->elements != g->batch)
		return onnx_fail(
			k, "lengths of %lld batches and the total are not given", (long long)g->batch);
	if (onnx_input_ints(k, 5, (int)g->batch, last) < 0 || onnx_input_ints(k, 6, 1, &g->total) != 1)
		return false;
	g->room = past && past->type->rank == 4 ? past->type->dims[2] : 0;
	if (g->total < g->tokens || g->total > g->tokens + g->room)
		return onnx_fail(k, "the total is %lld, with %lld tokens and room for %lld before",
			(long long)g->total, (long long)g->tokens, (long long)g->room);
	g->room = g->room > g->total ? g->room : g->total;
	for (int64_t b = 0; b < g->batch; b++) {
		last[b] = last[b] < 0 || last[b] > g->room ? -1 : last[b] + 1 - g->tokens;
		last[b] = g->total == g->tokens ? 0 : last[b];
		if (last[b] < 0 || last[b] + g->tokens > g->room ||
			(last[b] && (!past || past->type->rank != 4 || last[b] > past->type->dims[2])))
			return onnx_fail(k, "batch %lld has %lld tokens before %lld, which do not fit",
				(long long)b, (long long)last[b], (long long)g->tokens);
	}
	return true;
}

/* The buffer [n, heads, room, size] of batches from b on, all with as many tokens before; 0 behind
 * the tokens. */
static pim_node *fill_buffer(
	onnx_call *k, const grouped *g, pim_node *past, pim_node *x, int64_t b, int64_t n)
{
	int64_t at = g->before[b], end = at + g->tokens;
	const int64_t *d = x->type->dims;
	pim_node *parts[3];
	int count = 0;
	past = past ? onnx_part(k, past, 0, b, n) : NULL;
	if (at)
		parts[count++] = onnx_part(k, past, 2, 0, at);
	parts[count++] = onnx_part(k, x, 0, b, n);
	if (g->room > end)
		parts[count++] =
			onnx_splat(k, x->type->dtype, 4, (int64_t[]){n, d[1], g->room - end, d[3]}, 0);
	return count > 1 ? onnx_concat(k, count, parts, 2) : parts[0];
}

static pim_node *append(onnx_call *k, const grouped *g, pim_node *past, pim_node *x)
{
	pim_node **rows = PIM_NEW(k->import->scratch, pim_node *, g->batch + 1);
	bool same = true;
	for (int64_t b = 1; b < g->batch; b++)
		same = same && g->before[b] == g->before[0];
	if (same)
		return fill_buffer(k, g, past, x, 0, g->batch);
	for (int64_t b = 0; b < g->batch; b++) {
		rows[b] = fill_buffer(k, g, past, x, b, 1);
		if (!rows[b])
			return NULL;
	}
	return onnx_concat(k, (int)g->batch, rows, 0);
}

/* Later tokens, and those before the window, are hidden. */
static pim_node *grouped_bias(onnx_call *k, const grouped *g, pim_dtype t)
{
	int64_t window = onnx_int(k, "local_window_size", -1), at = 0, elements;
	double *v;
	if (!pim_mul(g->batch * g->tokens, g->room, &elements) || elements > (INT64_C(1) << 27)) {
		onnx_fail(k, "scores of %lld by %lld tokens are too many", (long long)g->tokens,
			(long long)g->room);
		return NULL;
	}
	v = PIM_NEW(k->import->scratch, double, elements + 1);
	for (int64_t b = 0; b < g->batch; b++)
		for (int64_t i = g->before[b]; i < g->before[b] + g->tokens; i++)
			for (int64_t c = 0; c < g->room; c++)
				v[at++] = c > i || (window > 0 && c <= i - window) ? -INFINITY : 0;
	return onnx_numbers(k, t, 4, (int64_t[]){g->batch, 1, g->tokens, g->room}, v);
}

static pim_node *grouped_positions(onnx_call *k, const grouped *g)
{
	double *v = PIM_NEW(k->import->scratch, double, g->batch * g->tokens + 1);
	for (int64_t i = 0; i < g->batch * g->tokens; i++)
		v[i] = (double)(g->before[i / g->tokens] + i % g->tokens);
	return onnx_numbers(k, PIM_DTYPE_i64, 2, (int64_t[]){g->batch, g->tokens}, v);
}

/* q, k and v as heads; all in one input when k and v are absent. */
static bool split_grouped(onnx_call *k, int64_t heads, int64_t kv, pim_node **x)
{
	pim_node *q = k->in[0];
	int64_t size, at = 0, n[3] = {heads, kv, kv};
	if (heads < 1 || kv < 1 || heads > INT32_MAX || kv > INT32_MAX || q->type->rank != 3 ||
		!input(k, 1) != !input(k, 2))
		return onnx_fail(k, "%s with %lld and %lld heads is not supported",
			pim_type_text(q->type, k->import->scratch), (long long)heads, (long long)kv);
	size = q->type->dims[2] / (heads + 2 * kv);
	for (int i = 0; i < 3; at += size * n[i++]) {
		x[i] = input(k, 1) ? k->in[i] : onnx_part(k, q, 2, at, size * n[i]);
		x[i] = onnx_heads_split(k, x[i], n[i]);
		if (!x[i])
			return false;
	}
	return true;
}

static bool check_grouped(const onnx_call *k)
{
	int64_t heads = onnx_int(k, "num_heads", 0);
	if (onnx_int(k, "qk_output", 0))
		return onnx_fail(k, "the product as a result is not supported");
	if (input(k, 11) && (k->in[11]->type->rank != 1 || k->in[11]->type->dims[0] != heads))
		return onnx_fail(k, "sinks are %s, expected one for each of %lld heads",
			pim_type_text(k->in[11]->type, k->import->scratch), (long long)heads);
	if (onnx_int(k, "do_rotary", 0) && (!input(k, 7) || !input(k, 8)))
		return onnx_fail(k, "do_rotary is 1, but there are no tables");
	return true;
}

/* A sink for each head: as given, or 0 for the smooth softmax. */
static pim_node *find_sink(onnx_call *k, const pim_node *q)
{
	if (input(k, 11))
		return k->in[11];
	if (onnx_int(k, "smooth_softmax", 0) != 1)
		return NULL;
	return onnx_splat(k, q->type->dtype, 1, q->type->dims + 1, 0);
}

/* q k v, past k and v, lengths, total, cos, sin, positions, added scores, sinks. */
bool onnx_convert_grouped_attention(onnx_call *k)
{
	pim_node *x[3];
	grouped g;
	onnx_attention a = {.hidden = -INFINITY};
	if (!check_grouped(k) ||
		!split_grouped(k, onnx_int(k, "num_heads", 0), onnx_int(k, "kv_num_heads", 0), x) ||
		!read_lengths(k, x[0], &g))
		return false;
	if (onnx_int(k, "do_rotary", 0)) {
		onnx_rotation r = {.cos = k->in[7],
			.sin = k->in[8],
			.positions = input(k, 9) ? k->in[9] : grouped_positions(k, &g),
			.size = k->in[7]->type->rank == 2 ? 2 * k->in[7]->type->dims[1] : 0,
			.interleaved = onnx_int(k, "rotary_interleaved", 0) != 0};
		x[0] = onnx_rotate(k, x[0], &r);
		x[1] = onnx_rotate(k, x[1], &r);
	}
	if (!x[0] || !x[1])
		return false;
	a.q = x[0];
	a.k = append(k, &g, input(k, 3), x[1]);
	a.v = append(k, &g, input(k, 4), x[2]);
	a.bias = grouped_bias(k, &g, x[0]->type->dtype);
	if (!a.k || !a.v || !a.bias)
		return false;
	if (k->n_out > 1)
		k->out[1] = a.k;
	if (k->n_out > 2)
		k->out[2] = a.v;
	a.softcap = onnx_float(k, "softcap", 0);
	a.sink = find_sink(k, x[0]);
	return give_attention(k, &a, input(k, 10));
}
