/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_few_bits - products with weights of 2, 4 or 8 bits in blocks, a scale each: MatMulNBits
 * and MatMulBnb4 of com.microsoft.
 *
 * The weights must be known; they become floats when the model is read. Forms: the operators'
 * documentation in onnxruntime. NF4 and FP4: Dettmers et al., QLoRA, 2023, appendix E, and the bits
 * of FP4 (sign, two of exponent, one of fraction, with an own meaning of 1). */
#include "frontends/onnx.h"

/* B[N, K] of MatMulNBits. */
typedef struct few_bits {
	int64_t n, depth, bits, block, blocks;
	pim_tensor b, scales, zeros, groups; /* zeros and groups: without a type when absent */
} few_bits;

static bool read_sizes(const onnx_call *k, few_bits *w)
{
	w->n = onnx_int(k, "N", 0);
	w->depth = onnx_int(k, "K", 0);
	w->bits = onnx_int(k, "bits", 4);
	w->block = onnx_int(k, "block_size", 0);
	if (w->n < 1 || w->depth < 1 || w->block < 1 || w->n > INT32_MAX || w->depth > INT32_MAX ||
		w->block > INT32_MAX || (w->bits != 2 && w->bits != 4 && w->bits != 8))
		return onnx_fail(k,
			"N = %lld, K = %lld, bits = %lld and block_size = %lld, expected sizes of at least 1 "
			"and 2, 4 or 8 bits",
			(long long)w->n, (long long)w->depth, (long long)w->bits, (long long)w->block);
	w->blocks = (w->depth + w->block - 1) / w->block;
	return true;
}

/* Bytes of one block, and of the zero points of one row. */
static int64_t block_bytes(const few_bits *w)
{
	return (w->block * w->bits + 7) / 8;
}

static int64_t zero_bytes(const few_bits *w)
{
	return (w->blocks * w->bits + 7) / 8;
}

static bool read_input(onnx_call *k, int i, pim_tensor *t)
{
	*t = (pim_tensor){NULL, NULL};
	return i >= k->n_in || !k->in[i] || onnx_input_tensor(k, i, t);
}

static bool read_zeros(onnx_call *k, few_bits *w)
{
	if (!read_input(k, 3, &w->zeros) || !w->zeros.type)
		return !w->zeros.type && (k->n_in <= 3 || !k->in[3]);
	bool real = pim_dtype_is_float(w->zeros.type->dtype);
	int64_t want = w->n * (real ? w->blocks : zero_bytes(w));
	if ((real || w->zeros.type->dtype == PIM_DTYPE_u8) && w->zeros.type->elements == want)
		return true;
	return onnx_fail(k, "zero points are %s, expected %lld %s",
		pim_type_text(w->zeros.type, k->import->scratch), (long long)want,
		real ? "numbers" : "bytes");
}

/* Which block's scale each column takes. */
static bool read_groups(onnx_call *k, few_bits *w)
{
	if (!read_input(k, 4, &w->groups) || !w->groups.type)
		return !w->groups.type && (k->n_in <= 4 || !k->in[4]);
	if (w->groups.type->elements < w->depth)
		return onnx_fail(k, "g_idx is %s, expected %lld groups",
			pim_type_text(w->groups.type, k->import->scratch), (long long)w->depth);
	for (int64_t c = 0; c < w->depth; c++) {
		double g = pim_element_get(w->groups.type->dtype, w->groups.data, c);
		if (!(g >= 0 && g < (double)w->blocks))
			return onnx_fail(k, "g_idx[%lld] is %g, but there are %lld groups", (long long)c, g,
				(long long)w->blocks);
	}
	return true;
}

static bool read_few_bits(onnx_call *k, few_bits *w)
{
	if (!read_sizes(k, w) || !onnx_input_tensor(k, 1, &w->b) ||
		!onnx_input_tensor(k, 2, &w->scales))
		return false;
	int64_t bytes = w->n * w->blocks * block_bytes(w), scales = w->n * w->blocks;
	if (w->b.type->dtype != PIM_DTYPE_u8 || w->b.type->elements != bytes ||
		w->scales.type->elements != scales)
		return onnx_fail(k, "B is %s and its scales %s, expected %lld bytes and %lld scales",
			pim_type_text(w->b.type, k->import->scratch),
			pim_type_text(w->scales.type, k->import->scratch), (long long)bytes, (long long)scales);
	return read_zeros(k, w) && read_groups(k, w);
}

static int bits_at(const void *bytes, int64_t bit, int64_t bits)
{
	return ((const uint8_t *)bytes)[bit / 8] >> bit % 8 & ((1 << bits) - 1);
}

static double zero_at(const few_bits *w, int64_t row, int64_t group)
{
	if (!w->zeros.type)
		return (double)(1 << (w->bits - 1));
	if (pim_dtype_is_float(w->zeros.type->dtype))
		return pim_element_get(w->zeros.type->dtype, w->zeros.data, row * w->blocks + group);
	const uint8_t *bytes = w->zeros.data;
	return bits_at(bytes + row * zero_bytes(w), group * w->bits, w->bits);
}

static double weight_at(const few_bits *w, int64_t row, int64_t column)
{
	int64_t block = column / w->block, group = block;
	const uint8_t *bytes = w->b.data;
	if (w->groups.type)
		group = (int64_t)pim_element_get(w->groups.type->dtype, w->groups.data, column);
	int q = bits_at(
		bytes + (row * w->blocks + block) * block_bytes(w), column % w->block * w->bits, w->bits);
	return ((double)q - zero_at(w, row, group)) *
		   pim_element_get(w->scales.type->dtype, w->scales.data, row * w->blocks + group);
}

/* y = A (scale * (B - zero))^T + bias, B of [N, K / block, bytes]. */
bool onnx_convert_matmul_nbits(onnx_call *k)
{
	few_bits w;
	if (!read_few_bits(k, &w))
		return false;
	double *v = PIM_NEW(k->import->scratch, double, w.n *w.depth + 1);
	for (int64_t i = 0; i < w.n * w.depth; i++)
		v[i] = weight_at(&w, i / w.depth, i % w.depth);
	pim_node *b = onnx_numbers(k, k->in[0]->type->dtype, 2, (int64_t[]){w.n, w.depth}, v);
	pim_node *y = onnx_matmul(k, k->in[0], b, true);
	if (k->n_in > 5 && k->in[5])
		y = onnx_make2(k, PIM_OP_add, y, k->in[5]);
	return onnx_give(k, y);
}

/* By quant_type, then by the four bits. */
static const double codes[2][16] = {{0, 1.0 / 192, 2.0 / 3, 1, 1.0 / 3, 0.5, 1.0 / 6, 0.25, -0.0,
										-1.0 / 192, -2.0 / 3, -1, -1.0 / 3, -0.5, -1.0 / 6, -0.25},
	{-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
		-0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
		0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
		0.7229568362236023, 1}};

static bool check_bnb4(const onnx_call *k, int64_t n, int64_t depth, int64_t block, int64_t kind)
{
	if (onnx_int(k, "transB", 1) != 1)
		return onnx_fail(k, "transB is 0, expected 1");
	if (n < 1 || depth < 1 || n > INT32_MAX || depth > INT32_MAX)
		return onnx_fail(k, "N is %lld and K %lld, expected both given and at least 1",
			(long long)n, (long long)depth);
	if (block < 16 || block > INT32_MAX || (block & (block - 1)))
		return onnx_fail(
			k, "block_size is %lld, expected a power of 2 of at least 16", (long long)block);
	return kind == 0 || kind == 1 ||
		   onnx_fail(k, "quant_type is %lld, expected 0 (FP4) or 1 (NF4)", (long long)kind);
}

/* B of N * K codes, the first of a byte in its high bits, and the largest value of each block. */
bool onnx_convert_matmul_bnb4(onnx_call *k)
{
	int64_t n = onnx_int(k, "N", 0), depth = onnx_int(k, "K", 0), kind;
	int64_t block = onnx_int(k, "block_size", 0);
	pim_tensor b, most;
	kind = onnx_int(k, "quant_type", -1);
	if (!check_bnb4(k, n, depth, block, kind))
		return false;
	const pim_type *ta = k->in[0]->type, *tb = k->in[1]->type, *tm = k->in[2]->type;
	int64_t count = n * depth, bytes = (count + 1) / 2, blocks = (count + block - 1) / block;
	if (ta->rank < 1 || ta->dims[ta->rank - 1] != depth)
		return onnx_fail(k, "A is %s, expected %lld columns", pim_type_text(ta, k->import->scratch),
			(long long)depth);
	if (tb->dtype != PIM_DTYPE_u8 || tb->elements != bytes || tm->elements != blocks)
		return onnx_fail(k, "B is %s and absmax %s, expected %lld bytes and %lld numbers",
			pim_type_text(tb, k->import->scratch), pim_type_text(tm, k->import->scratch),
			(long long)bytes, (long long)blocks);
	if (!onnx_input_tensor(k, 1, &b) || !onnx_input_tensor(k, 2, &most))
		return false;
	double *v = PIM_NEW(k->import->scratch, double, count + 1);
	for (int64_t i = 0; i < count; i++) {
		int code = ((const uint8_t *)b.data)[i / 2] >> (i % 2 ? 0 : 4) & 15;
		v[i] = codes[kind][code] * pim_element_get(most.type->dtype, most.data, i / block);
	}
	int64_t dims[2] = {n, depth};
	pim_node *w = onnx_numbers(k, k->in[0]->type->dtype, 2, dims, v);
	return onnx_give(k, onnx_matmul(k, k->in[0], w, true));
}

/* ids, segments, then words, places, segments, gamma and beta in 8 bits, mask, their scales, their
 * zero points: made floats, they are EmbedLayerNormalization. */
bool onnx_convert_quantized_embed(onnx_call *k)
{
	enum { TABLE = 2, TABLES = 5, MASK = 7, SCALE = 8, ZERO = 13 };
	onnx_call inner = *k;
	pim_node *in[8] = {k->in[0], k->in[1]};
	if (k->n_in < ZERO + TABLES)
		return onnx_fail(k, "%d inputs are given, expected %d", k->n_in, ZERO + TABLES);
	in[MASK] = k->in[MASK];
	for (int i = 0; i < TABLES; i++) {
		pim_node *x[3] = {k->in[TABLE + i], k->in[SCALE + i], k->in[ZERO + i]};
		if (!x[0])
			continue;
		if (!x[1] || !x[2] || x[1]->type->elements != 1 || x[2]->type->elements != 1)
			return onnx_fail(k, "input %d has no scale and zero point of one element", TABLE + i);
		x[1] = onnx_reshape(k, x[1], 0, NULL);
		x[2] = onnx_reshape(k, x[2], 0, NULL);
		in[TABLE + i] = onnx_make(k, PIM_OP_dequantize_linear, 3, x, 0, NULL);
		if (!in[TABLE + i])
			return false;
	}
	inner.in = in;
	inner.n_in = 8;
	return onnx_convert_embed_layer_norm(&inner);
}

/* What GatherBlockQuantized reads: elements of `bits` bits, in a byte each or two. */
typedef struct block_table {
	pim_tensor data, scales, zeros;
	int64_t bits, block, axis;
	int64_t dims[PIM_MAX_RANK], groups[PIM_MAX_RANK]; /* elements, blocks */
	bool packed;									  /* two 4-bit elements in a byte */
} block_table;

static bool read_table(onnx_call *k, block_table *t)
{
	t->bits = onnx_int(k, "bits", 4);
	t->block = onnx_int(k, "block_size", 128);
	t->axis = onnx_int(k, "quantize_axis", 1);
	if (!onnx_input_tensor(k, 0, &t->data) || !onnx_input_tensor(k, 2, &t->scales) ||
		!read_input(k, 3, &t->zeros))
		return false;
	const pim_type *x = t->data.type, *s = t->scales.type;
	if ((t->bits != 4 && t->bits != 8) || t->block < 16 || (t->block & (t->block - 1)))
		return onnx_fail(k,
			"bits = %lld and block_size = %lld, expected 4 or 8 bits and a power of 2",
			(long long)t->bits, (long long)t->block);
	if (!onnx_axis(k, &t->axis, x->rank) || s->rank != x->rank)
		return onnx_fail(k, "data are %s and scales %s, expected as many dims",
			pim_type_text(x, k->import->scratch), pim_type_text(s, k->import->scratch));
	t->packed = t->bits == 4 && x->dtype == PIM_DTYPE_u8;
	for (int d = 0; d < x->rank; d++) {
		t->dims[d] = x->dims[d] * (t->packed && d == x->rank - 1 ? 2 : 1);
		t->groups[d] = d == t->axis ? (t->dims[d] + t->block - 1) / t->block : t->dims[d];
		if (s->dims[d] != t->groups[d])
			return onnx_fail(k, "dim %d of the scales is %lld, expected %lld", d,
				(long long)s->dims[d], (long long)t->groups[d]);
	}
	return !t->zeros.type ||
		   t->zeros.type->elements == (t->packed ? (s->elements + 1) / 2 : s->elements) ||
		   onnx_fail(k, "zero points are %s for scales of %s",
			   pim_type_text(t->zeros.type, k->import->scratch),
			   pim_type_text(s, k->import->scratch));
}

static double element_of(const pim_tensor *t, int64_t i, bool packed)
{
	if (packed)
		return bits_at(t->data, i * 4, 4);
	return pim_element_get(t->type->dtype, t->data, i);
}

/* The table as floats; then a gather. Without zero points an unsigned element is off by half. */
bool onnx_convert_gather_block_quantized(onnx_call *k)
{
	block_table t;
	pim_attr axis = onnx_attr_int("axis", 0);
	if (!read_table(k, &t))
		return false;
	int rank = t.data.type->rank;
	int64_t count = 1, gather = onnx_int(k, "gather_axis", 0);
	if (!onnx_axis(k, &gather, rank))
		return false;
	for (int d = 0; d < rank; d++)
		count *= t.dims[d];
	double *v = PIM_NEW(k->import->scratch, double, count + 1);
	double zero = pim_dtype_is_signed(t.data.type->dtype) ? 0 : (double)(1 << (t.bits - 1));
	for (int64_t i = 0; i < count; i++) {
		int64_t rest = i, at = 0, step = 1;
		for (int d = rank - 1; d >= 0; d--) {
			at += rest % t.dims[d] / (d == t.axis ? t.block : 1) * step;
			step *= t.groups[d];
			rest /= t.dims[d];
		}
		double z = t.zeros.type ? element_of(&t.zeros, at, t.packed) : zero;
		v[i] = (element_of(&t.data, i, t.packed) - z) * element_of(&t.scales, at, false);
	}
	axis.i = gather;
	pim_node *table = onnx_numbers(k, t.scales.type->dtype, rank, t.dims, v);
	return onnx_give(k, onnx_make(k, PIM_OP_gather, 2, (pim_node *[]){table, k->in[1]}, 1, &axis));
}
