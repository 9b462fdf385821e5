#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Operators of com.microsoft, and open questions of ai.onnx, on small random values, against plain numpy.

usage: microsoft.py --runner PROGRAM [--keep FOLDER]

What a case is stands in one_node.py; the operators of attention and of quantized values in files of their own.
"""
import sys

import attention
import quantized
from one_node import (F, RANDOM, attend, case, convolve, gelu, layer_norm, main, mistake, np, onnx, rms_norm, rnd,
                      scale_of, sigmoid, tanh_gelu, u8, wide)


# ---- activations and norms ----

def elementwise():
    x, b = rnd(2, 3, 8), rnd(8)
    case("gelu", "Gelu", [x], [gelu(x)])
    case("bias_gelu", "BiasGelu", [x, b], [gelu(x + b)])
    case("fast_gelu", "FastGelu", [x], [tanh_gelu(x)])
    case("fast_gelu_bias", "FastGelu", [x, b], [tanh_gelu(x + b)])
    case("quick_gelu", "QuickGelu", [x], [x * sigmoid(1.702 * x)])
    case("quick_gelu_alpha", "QuickGelu", [x], [x * sigmoid(0.5 * x)], alpha=0.5)
    half = x + b
    case("bias_split_gelu", "BiasSplitGelu", [x, b], [half[..., :4] * gelu(half[..., 4:])])
    skip = rnd(2, 3, 8)
    case("bias_add", "BiasAdd", [x, b, skip], [x + b + skip])
    case("expand_dims", "ExpandDims", [x, np.array(-1, np.int32)], [x[..., None]], constant=(1,))
    a, c = rnd(4, 5), rnd(3, 5)
    d = ((wide(a)[:, None] - wide(c)[None]) ** 2).sum(-1)
    case("cdist", "CDist", [a, c], [np.sqrt(d)], metric="euclidean")
    case("cdist_squares", "CDist", [a, c], [d], metric="sqeuclidean")
    m = rnd(2, 3, 3) + 3 * np.eye(3, dtype=F)
    case("trilu_upper", "Trilu", [m], [np.triu(m)])
    case("trilu_lower", "Trilu", [m, np.array(-1, np.int64)], [np.tril(m, -1)], constant=(1,), upper=0)
    p = np.array([0, 1, 2, 1], np.int64)
    case("pad_value", "Pad", [a, p, np.array(0.5, F)], [np.pad(a, ((0, 2), (1, 1)), constant_values=0.5)],
         constant=(1,), mode="constant")


def norms():
    x, s, b = rnd(2, 3, 8), rnd(8), rnd(8)
    skip, bias = rnd(2, 3, 8), rnd(8)
    case("layer_norm", "LayerNormalization", [x, s, b], [layer_norm(x, s, b, 1e-4)], epsilon=1e-4, domain="")
    case("simplified_layer_norm", "SimplifiedLayerNormalization", [x, s], [rms_norm(x, s, 1e-4)], epsilon=1e-4,
         domain="", version=16)
    for name, sk in (("", skip), ("_broadcast", skip[:1]), ("_flat", skip[0])):
        t = wide(x) + sk
        case("skip_layer_norm" + name, "SkipLayerNormalization", [x, sk, s, b], [layer_norm(t, s, b, 1e-12)])
        case("skip_rms" + name, "SkipSimplifiedLayerNormalization", [x, sk, s], [rms_norm(t, s, 1e-12)])
    t = wide(x) + skip + bias
    case("skip_layer_norm_all", "SkipLayerNormalization", [x, skip, s, b, bias],
         [layer_norm(t, s, b, 1e-3), None, None, t], epsilon=1e-3)
    case("skip_layer_norm_no_beta", "SkipLayerNormalization", [x, skip, s], [layer_norm(x + skip, s, None, 1e-12)])
    case("skip_layer_norm_bias_no_beta", "SkipLayerNormalization", [x, skip, s, None, bias],
         [layer_norm(t, s, None, 1e-12)])
    case("skip_rms_all", "SkipSimplifiedLayerNormalization", [x, skip, s, bias], [rms_norm(t, s, 1e-6), None, None, t],
         epsilon=1e-6)
    g, gs, gb = rnd(2, 3, 3, 8), rnd(8), rnd(8)
    d = wide(g).reshape(2, 9, 4, 2)
    d = (d - d.mean((1, 3), keepdims=True)) / np.sqrt(d.var((1, 3), keepdims=True) + 1e-5)
    d = d.reshape(g.shape) * gs + gb
    case("group_norm", "GroupNorm", [g, gs, gb], [d], groups=4, activation=0, epsilon=1e-5)
    case("group_norm_silu", "GroupNorm", [g, gs, gb], [d * sigmoid(d)], groups=4, activation=1, epsilon=1e-5)
    flat = np.moveaxis(g, 3, 1)
    case("group_norm_channels_first", "GroupNorm", [flat, gs, gb], [np.moveaxis(d, 3, 1)], groups=4, activation=0,
         epsilon=1e-5, channels_last=0)
    sk, bias = rnd(2, 3, 3, 8), rnd(8)
    t = wide(g) + sk + bias
    d = t.reshape(2, 9, 4, 2)
    d = (d - d.mean((1, 3), keepdims=True)) / np.sqrt(d.var((1, 3), keepdims=True) + 1e-5)
    d = d.reshape(g.shape) * gs + gb
    case("skip_group_norm", "SkipGroupNorm", [g, gs, gb, sk, bias], [d * sigmoid(d), t], groups=4, activation=1,
         epsilon=1e-5)


def embeddings():
    ids = RANDOM.randint(0, 11, (2, 4)).astype(np.int32)
    kinds = RANDOM.randint(0, 2, (2, 4)).astype(np.int32)
    words, places, segments, s, b = rnd(11, 8), rnd(6, 8), rnd(2, 8), rnd(8), rnd(8)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], np.int32)
    t = wide(words)[ids] + places[:4]
    u = t + segments[kinds]
    case("embed", "EmbedLayerNormalization", [ids, kinds, words, places, segments, s, b, mask],
         [layer_norm(u, s, b, 1e-12), mask.sum(1).astype(np.int32)])
    case("embed_sum", "EmbedLayerNormalization", [ids, kinds, words, places, segments, s, b],
         [layer_norm(u, s, b, 1e-12), np.zeros(2, np.int32), u])
    case("embed_no_segment", "EmbedLayerNormalization", [ids, None, words, places, None, s, b, mask],
         [layer_norm(t, s, b, 1e-12), mask.sum(1).astype(np.int32)])
    at = np.array([[3, 2, 1, 0], [0, 0, 5, 5]], np.int32)
    t = wide(words)[ids] + places[at]
    case("embed_positions", "EmbedLayerNormalization", [ids, None, words, places, None, s, b, None, at],
         [layer_norm(t, s, b, 1e-12), np.zeros(2, np.int32)])


# ---- products ----

def products():
    a, b = rnd(2, 3, 4), rnd(2, 4, 5)
    turn = (0, 2, 1)
    for op in ("FusedMatMul", "TransposeMatMul"):
        y = 0.5 * (wide(a) @ b)
        case(op.lower(), op, [a, b], [y], alpha=0.5)
        case(op.lower() + "_a", op, [a.transpose(turn), b], [y], alpha=0.5, transA=1)
        case(op.lower() + "_b", op, [a, b.transpose(turn)], [y], alpha=0.5, transB=1)
        case(op.lower() + "_ab", op, [a.transpose(turn), b.transpose(turn)], [2 * y], transA=1, transB=1)
    y = wide(a) @ b
    first = a.transpose(1, 0, 2)
    case("fused_matmul_batch_a", "FusedMatMul", [first, b], [y], transBatchA=1)
    case("fused_matmul_batch_b", "FusedMatMul", [a, b.transpose(1, 0, 2)], [y], transBatchB=1)
    case("fused_matmul_batch_both", "FusedMatMul", [a.transpose(2, 0, 1), b.transpose(2, 0, 1)], [y], transA=1, transB=1,
         transBatchA=1, transBatchB=1)
    v, m = rnd(4), rnd(4, 3)
    case("fused_matmul_vector", "FusedMatMul", [v, m], [2 * wide(v) @ m], alpha=2.0)
    a, b, c = rnd(3, 4), rnd(4, 5), rnd(5)
    y = 0.5 * (wide(a) @ b) + 2 * wide(c)
    shaped = {"Relu": np.maximum(y, 0), "LeakyRelu": np.where(y < 0, 0.2 * y, y), "Sigmoid": sigmoid(y),
              "Tanh": np.tanh(y)}
    for name, want in shaped.items():
        more = {"activation_alpha": 0.2} if name == "LeakyRelu" else {}
        case("fused_gemm_" + name.lower(), "FusedGemm", [a, b, c], [want], alpha=0.5, beta=2.0, activation=name, **more)
    x, w, b = rnd(2, 4, 5, 6), rnd(6, 2, 3, 3), rnd(6)
    y = convolve(x, w, b, 1, 2, 2)
    shape = {"pads": [1, 1, 1, 1], "strides": [2, 2], "group": 2, "kernel_shape": [3, 3]}
    for name, params, want in (("Relu", None, np.maximum(y, 0)), ("LeakyRelu", [0.3], np.where(y < 0, 0.3 * y, y)),
                               ("Clip", [-0.5, 1.5], np.clip(y, -0.5, 1.5)), ("Sigmoid", None, sigmoid(y)),
                               ("Tanh", None, np.tanh(y)), ("HardSigmoid", [0.3, 0.4], np.clip(0.3 * y + 0.4, 0, 1))):
        more = dict(shape, activation_params=params) if params else shape
        case("fused_conv_" + name.lower(), "FusedConv", [x, w, b], [want], activation=name, **more)
    z = rnd(*y.shape)
    case("fused_conv_sum", "FusedConv", [x, w, b, z], [np.maximum(y + z, 0)], activation="Relu", **shape)
    case("fused_conv_sum_no_bias", "FusedConv", [x, w, None, z],
         [np.maximum(convolve(x, w, None, 1, 2, 2) + z, 0)], activation="Relu", **shape)
    last = np.moveaxis(y, 1, -1)
    for name, want, more in (("NhwcConv", last, {}),
                             ("NhwcFusedConv", np.maximum(last, 0), {"activation": "Relu"})):
        case(name.lower(), name, [np.moveaxis(x, 1, -1), w, b], [want], **dict(shape, **more))
    z = rnd(*last.shape)
    case("nhwcfusedconv_sum", "NhwcFusedConv", [np.moveaxis(x, 1, -1), w, b, z], [np.maximum(last + z, 0)],
         **dict(shape, activation="Relu"))


# ---- ai.onnx where the specification leaves something open ----

def open_questions():
    x = np.array([-1.5, -0.5, 3.7, 127.9, 128.3, 255.9, 300.7, -129, 70000.5], F)
    for t in (np.uint8, np.int8, np.uint16, np.int16):
        to = onnx.mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype(t)]
        case("cast_" + t.__name__, "Cast", [x], [np.trunc(x).astype(np.int64).astype(t)], to=to, domain="")
    x = rnd(1, 2, 4, 5)
    rows, columns = np.floor(np.arange(6) / 1.6).astype(int), np.ceil(np.arange(3) / 0.7).astype(int)
    case("resize_10", "Resize", [x, np.array([1, 1, 1.6, 0.7], F)], [x[:, :, rows][..., columns]], constant=(1,),
         mode="nearest", domain="", version=10)
    q, k, v = rnd(2, 4, 3, 8), rnd(2, 2, 5, 8), rnd(2, 2, 5, 6)
    y = [attend(wide(q[i:i + 1]), wide(k[i:i + 1, :, :n]), wide(v[i:i + 1, :, :n]), causal=True)
         for i, n in enumerate((4, 5))]
    case("attention_24_valid", "Attention", [q, k, v, None, None, None, np.array([4, 5], np.int64)],
         [np.concatenate(y)], is_causal=1, domain="", version=24)


# ---- mistakes ----

def mistakes():
    x, w, pair = rnd(2, 3, 8), rnd(8, 24), rnd(2, 3)
    b, scale = u8(6, 2, 8), rnd(12)
    shape = {"K": 32, "N": 6, "bits": 4, "block_size": 16}
    fixed = {"constant": (1, 2, 3, 4)}
    a = rnd(3, 32)
    for name, said, inputs, change in (
            ("bits", "expected sizes of at least 1 and 2, 4 or 8 bits", [a, b, scale], {"bits": 5}),
            ("zeros", "zero points are f32[5], expected 12 numbers", [a, b, scale, rnd(5)], {}),
            ("scales", "bytes and 12 scales", [a, b, scale[:7]], {}),
            ("groups", "g_idx is i32[4], expected 32 groups", [a, b, scale, None, np.zeros(4, np.int32)], {}),
            ("group", "g_idx[0] is 2, but there are 2 groups", [a, b, scale, None, np.full(32, 2, np.int32)], {})):
        mistake("few_" + name, said, "MatMulNBits", inputs, **fixed, **dict(shape, **change))
    code = {"K": 32, "N": 6, "block_size": 16, "quant_type": 1}
    for name, said, inputs, change in (
            ("turned", "transB is 0, expected 1", [a, u8(96), scale], {"transB": 0}),
            ("sizes", "expected both given and at least 1", [a, u8(96), scale], {"N": 0}),
            ("block", "expected a power of 2 of at least 16", [a, u8(96), scale], {"block_size": 24}),
            ("type", "quant_type is 3, expected 0 (FP4) or 1 (NF4)", [a, u8(96), scale], {"quant_type": 3}),
            ("columns", "A is f32[3,31], expected 32 columns", [a[:, 1:], u8(96), scale], {}),
            ("bytes", "and absmax f32[12], expected 96 bytes and 12 numbers", [a, u8(95), scale], {})):
        mistake("codes_" + name, said, "MatMulBnb4", inputs, constant=(1, 2), **dict(code, **change))
    table = {"bits": 4, "block_size": 16, "gather_axis": 0, "quantize_axis": 1}
    at = np.array([0], np.int64)
    for name, said, inputs, change in (
            ("bits", "expected 4 or 8 bits and a power of 2", [u8(4, 16), at, rnd(4, 2)], {"bits": 3}),
            ("rank", "and scales f32[8], expected as many dims", [u8(4, 16), at, rnd(8)], {}),
            ("scales", "dim 1 of the scales is 3, expected 2", [u8(4, 16), at, rnd(4, 3)], {}),
            ("zeros", "zero points are u8[3] for scales of f32[4,2]", [u8(4, 16), at, rnd(4, 2), u8(3)], {})):
        mistake("table_" + name, said, "GatherBlockQuantized", inputs, constant=(0, 2, 3), **dict(table, **change))
    ids, table = np.zeros((1, 2), np.int32), [u8(9, 8), u8(6, 8), None, u8(8), u8(8)]
    one, zero = scale_of(0.1), np.array(0, np.uint8)
    mistake("embed_few", "inputs are given, expected 18", "QEmbedLayerNormalization", [ids, None, *table])
    mistake("embed_scale", "input 2 has no scale and zero point of one element", "QEmbedLayerNormalization",
            [ids, None, *table, None, rnd(3), one, None, one, one, zero, zero, None, zero, zero])
    mistake("split_gelu", "does not divide into halves", "BiasSplitGelu", [rnd(1, 2, 5), rnd(5)])
    mistake("activation", "activation 'Sine' is not supported", "FusedGemm", [pair, rnd(3, 2)], activation="Sine")
    image = rnd(1, 3, 3, 8)
    mistake("group_norm", "attribute 'groups' is not given", "GroupNorm", [image, rnd(8), rnd(8)], activation=0)
    mistake("group_norm_3", "does not divide into 3 groups", "GroupNorm", [image, rnd(8), rnd(8)], activation=0, groups=3)
    mistake("qkv", "expected [batch, tokens, 3 * size]", "Attention", [pair, rnd(3, 6)], num_heads=1)
    mistake("qkv_sizes", "sizes of q, k and v do not add up to 24 columns", "Attention", [x, w], num_heads=2,
            qkv_hidden_sizes=[8, 8, 9])
    mistake("qkv_rotary", "do_rotary is not supported", "Attention", [x, w], num_heads=2, do_rotary=1)
    mistake("qkv_past", "expected [2, batch, heads, tokens, size]", "Attention", [x, w, None, None, rnd(2, 2)], num_heads=2)
    mistake("v_alone", "v is given, but k is not", "MultiHeadAttention", [x, None, x], num_heads=2)
    mistake("heads", "does not divide into 3 heads", "MultiHeadAttention", [x, x, x], num_heads=3)
    q, kv = rnd(1, 3, 32), rnd(1, 3, 16)
    ending = [None, None, np.array([2], np.int32), np.array(3, np.int32)]
    grouped = {"constant": (5, 6), "num_heads": 4, "kv_num_heads": 2}
    op = "GroupQueryAttention"
    mistake("gqa_product", "the product as a result is not supported", op, [q, kv, kv, *ending], qk_output=1, **grouped)
    mistake("gqa_sinks", "sinks are f32[3], expected one for each of 4 heads", op,
            [q, kv, kv, *ending, None, None, None, None, rnd(3)], **grouped)
    mistake("gqa_tables", "do_rotary is 1, but there are no tables", op, [q, kv, kv, *ending], do_rotary=1, **grouped)
    mistake("gqa_lengths", "lengths of 1 batches and the total are not given", op, [q, kv, kv], num_heads=4, kv_num_heads=2)
    mistake("gqa_total", "with 3 tokens and room for 0 before", op,
            [q, kv, kv, None, None, np.array([2], np.int32), np.array(9, np.int32)], **grouped)
    mistake("to_float", "one or a row of 4 floats as input 2 has", "MatMulIntegerToFloat",
            [u8(3, 5), u8(5, 4), scale_of(0.1), rnd(3)])
    mistake("qgemm", "dims, expected 2", "QGemm", [u8(2, 3, 5), one, zero, u8(5, 4), one, zero])
    main = {"domain": ""}
    mistake("integers", "expected u8 or i8", "MatMulInteger", [np.zeros((2, 2), np.int32), u8(2, 2)], **main)
    mistake("axis_scale", "a scale or zero point is f32[4] for f32[2,3] along axis 1", "QuantizeLinear",
            [pair, np.abs(rnd(4))], **main)
    mistake("zero_type", "output_dtype is uint8, but the zero point is i8[]", "QuantizeLinear",
            [pair, one, np.array(0, np.int8)], output_dtype=2, **main)
    mistake("query_mode", "qk_matmul_output_mode is 7, expected 0 to 3", "Attention", [rnd(1, 2, 3, 4)] * 3,
            qk_matmul_output_mode=7, **main)
    mistake("query_heads", "3 heads of q do not divide among 2 of k and v", "Attention",
            [rnd(1, 3, 2, 4), rnd(1, 2, 2, 4), rnd(1, 2, 2, 4)], **main)


FAMILIES = (open_questions, elementwise, norms, embeddings, products, quantized.weights_of_few_bits, quantized.quantized,
            quantized.quantized_products, quantized.quantized_layers, attention.attention, attention.many_heads,
            attention.rotations, attention.grouped_attention, quantized.weights_in_order, mistakes)


if __name__ == "__main__":
    sys.exit(main(FAMILIES, __doc__))
