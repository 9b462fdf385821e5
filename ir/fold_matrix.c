/* SPDX-License-Identifier: Apache-2.0 */
/* fold_matrix - simpler forms of matrix products, convolutions and what follows them. */
#include "ir/op_rules.h"

#include <math.h>
#include <string.h>

/* Weights larger than this are not rewritten. */
enum { MOST_WEIGHTS = 1 << 24 };

/* Whether a node only swaps its last two dims. */
static bool swaps_last(const pim_node *n)
{
	const int64_t *perm = NULL;
	if (n->op != PIM_OP_transpose || n->type->rank < 2)
		return false;
	int rank = pim_node_ints(n, "perm", &perm);
	for (int d = 0; d < rank - 2; d++)
		if (perm[d] != d)
			return false;
	return perm[rank - 2] == rank - 1;
}

/* matmul(transpose(a), b) = matmul(a, b) with transpose_a turned round, where the last two dims are
 * swapped; the same for b. Exact. */
pim_node *pim_fold_matmul(pim_node *n)
{
	pim_node *in[] = {n->in[0], n->in[1]};
	bool flip[2];
	for (int i = 0; i < 2; i++) {
		flip[i] = swaps_last(in[i]);
		in[i] = flip[i] ? in[i]->in[0] : in[i];
	}
	if (!flip[0] && !flip[1])
		return n;
	pim_node *made = pim_rule_node(n, PIM_OP_matmul, 2, in);
	pim_node_set_int(made, "transpose_a", (pim_node_int(n, "transpose_a") != 0) != flip[0]);
	pim_node_set_int(made, "transpose_b", (pim_node_int(n, "transpose_b") != 0) != flip[1]);
	return pim_rule_done(made);
}

/* A convolution with the attributes of n. */
static pim_node *copy_conv(pim_node *n, const pim_node *conv, int n_in, pim_node *const *in)
{
	pim_node *made = pim_rule_node(n, PIM_OP_conv, n_in, in);
	for (int i = 0; i < conv->n_attrs; i++)
		pim_attr_set(made, &conv->attrs[i]);
	return made;
}

/* Whether a pad adds only zeros, and only around spatial dims. */
static bool is_zero_pad(const pim_node *n)
{
	const int64_t *pads = NULL;
	if (n->op != PIM_OP_pad || strcmp(pim_node_string(n, "mode"), "constant") ||
		pim_node_float(n, "value") != 0)
		return false;
	int count = pim_node_ints(n, "pads", &pads);
	for (int i = 0; i < count; i++)
		if (pads[i] < 0 || (i % (count / 2) < 2 && pads[i] != 0))
			return false;
	return true;
}

static pim_node *join_pads(pim_node *n)
{
	const int64_t *outer = NULL, *own = NULL;
	int64_t pads[2 * PIM_MAX_RANK];
	int rank = n->type->rank, spatial = rank - 2;
	bool padded = pim_node_ints(n, "pads", &own) > 0;
	pim_node_ints(n->in[0], "pads", &outer);
	for (int d = 0; d < spatial; d++) {
		pads[d] = outer[2 + d] + (padded ? own[d] : 0);
		pads[spatial + d] = outer[rank + 2 + d] + (padded ? own[spatial + d] : 0);
	}
	pim_node *in[] = {n->in[0]->in[0], n->in[1], n->n_in > 2 ? n->in[2] : NULL};
	pim_node *made = copy_conv(n, n, (int)n->n_in, in);
	pim_node_set_ints(made, "pads", 2 * spatial, pads);
	return pim_rule_done(made);
}

/* conv(pad(x, zeros)) = conv(x) with more pads; conv(x, w, 0) = conv(x, w). Exact. */
pim_node *pim_fold_conv(pim_node *n)
{
	if (is_zero_pad(n->in[0]))
		return join_pads(n);
	if (n->n_in > 2 && n->in[2] && pim_rule_is_all(n->in[2], 0))
		return pim_rule_done(copy_conv(n, n, 2, n->in));
	return n;
}

static double read_at(const pim_node *n, int64_t i)
{
	bool splat;
	const char *bytes = pim_rule_bytes(n, &splat);
	size_t size = pim_dtype_bytes(n->type->dtype);
	uint64_t element;
	memcpy(&element, bytes + (splat ? 0 : (size_t)i * size), size);
	return pim_element_get(n->type->dtype, &element, 0);
}

static bool is_known(const pim_node *n)
{
	bool splat;
	return pim_rule_bytes(n, &splat) && n->type->elements <= MOST_WEIGHTS;
}

/* A dense constant of type t in front of `like`; the caller writes its elements. */
static pim_node *make_dense(pim_node *like, const pim_type *t, char **bytes)
{
	pim_arena *a = like->graph->module->arena;
	pim_data *d = PIM_NEW(a, pim_data, 1);
	*bytes = pim_arena_raw(a, (size_t)pim_type_bytes(t) + 1);
	*d = (pim_data){.kind = PIM_DATA_dense, .bytes = *bytes};
	pim_node *made = pim_constant_make(like->graph, t, d, like);
	made->loc = like->loc;
	return made;
}

static double factor_of(const pim_node *n, int64_t c)
{
	return read_at(n->in[1], c) / sqrt(read_at(n->in[4], c) + pim_node_float(n, "epsilon"));
}

/* A float of a file, which may lie at any address. */
static float float_at(const char *bytes, int64_t i)
{
	float v;
	memcpy(&v, bytes + (size_t)i * sizeof v, sizeof v);
	return v;
}

/* Elements [at, at + n) of w times a factor, rounded once. */
static void scale_elements(char *out, const pim_node *w, int64_t at, int64_t n, double factor)
{
	bool splat;
	const char *from = pim_rule_bytes(w, &splat);
	float *to = (float *)out;
	if (w->type->dtype == PIM_DTYPE_f32 && !splat)
		for (int64_t i = at; i < at + n; i++)
			to[i] = (float)(float_at(from, i) * factor);
	else
		for (int64_t i = at; i < at + n; i++)
			pim_element_set(w->type->dtype, out, i, read_at(w, i) * factor);
}

/* The old weights are likely not needed again: what a file holds of them leaves memory. */
static pim_node *scale_weights(pim_node *n, const pim_node *w)
{
	int64_t channels = n->type->dims[1], each = w->type->elements / channels;
	char *out;
	pim_node *made = make_dense(n, w->type, &out);
	for (int64_t c = 0; c < channels; c++)
		scale_elements(out, w, c * each, each, factor_of(n, c));
	const pim_data *d = pim_constant_data(w);
	if (d->kind == PIM_DATA_dense)
		pim_file_drop(
			pim_context_of(n), d->bytes, (const char *)d->bytes + pim_type_bytes(w->type));
	return made;
}

static pim_node *shift_bias(pim_node *n, const pim_node *bias)
{
	const pim_type *t = n->in[2]->type;
	char *out;
	pim_node *made = make_dense(n, t, &out);
	for (int64_t c = 0; c < n->type->dims[1]; c++) {
		double v = (bias ? read_at(bias, c) : 0) - read_at(n->in[3], c);
		pim_element_set(t->dtype, out, c, v * factor_of(n, c) + read_at(n->in[2], c));
	}
	return made;
}

/* batch_norm(conv(x, w, b)) = conv(x, w f, (b - mean) f + bias) with f = scale / sqrt(variance +
 * epsilon) per channel, when all but x is known. Rounds the scaled weights once instead of the
 * result: values change by a few units in the last place of the largest product. The old conv stays
 * for other users. */
pim_node *pim_fold_batch_norm(pim_node *n)
{
	const pim_node *conv = n->in[0];
	bool known = conv->op == PIM_OP_conv && is_known(conv->in[1]) && conv->type->dims[1] > 0;
	const pim_node *bias = known && conv->n_in > 2 ? conv->in[2] : NULL;
	known = known && (!bias || is_known(bias));
	for (int i = 1; known && i < 5; i++)
		known = is_known(n->in[i]);
	if (!known)
		return n;
	pim_node *in[] = {conv->in[0], scale_weights(n, conv->in[1]), shift_bias(n, bias)};
	return pim_rule_done(copy_conv(n, conv, 3, in));
}
