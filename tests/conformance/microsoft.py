#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Operators of com.microsoft, and open questions of ai.onnx, on small random values, against plain numpy.

usage: microsoft.py --runner PROGRAM [--keep FOLDER]

Each case is a model of one node, what it is given, and what a direct numpy form of the operator makes of it in
64-bit floats; or a mistake, and what is said of it. Exit status 77 without python3-onnx.
"""
import argparse
import math
import os
import sys
import tempfile

try:
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper
except ImportError:
    print("python3-onnx is not there")
    sys.exit(77)

from conformance import USUAL, run

CASES = []
F = np.float32


class Case:
    """A node with named inputs; None stands for an absent one. constant: inputs that are initializers."""

    def __init__(self, name, op, inputs, outputs, constant=(), domain="com.microsoft", version=17, **attributes):
        self.name, self.op, self.inputs, self.outputs = name, op, inputs, outputs
        self.constant, self.attributes = constant, attributes
        self.domain, self.version = domain, version
        self.refused = None

    def model(self):
        names = ["" if v is None else "i%d" % i for i, v in enumerate(self.inputs)]
        results = ["" if v is None else "o%d" % i for i, v in enumerate(self.outputs)]
        node = helper.make_node(self.op, names, results, domain=self.domain, name="n", **self.attributes)

        def info(name, v):
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype)
                                                 if hasattr(helper, "np_dtype_to_tensor_dtype")
                                                 else onnx.mapping.NP_TYPE_TO_TENSOR_TYPE[v.dtype], v.shape)
        given = [(i, v) for i, v in enumerate(self.inputs) if v is not None]
        graph = helper.make_graph(
            [node], "g", [info(names[i], v) for i, v in given if i not in self.constant],
            [info(n, v) for n, v in zip(results, self.outputs) if v is not None],
            [numpy_helper.from_array(v, names[i]) for i, v in given if i in self.constant])
        imports = [helper.make_opsetid("", self.version), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)

    def fed(self):
        return [("i%d" % i, v) for i, v in enumerate(self.inputs) if v is not None and i not in self.constant]

    def wanted(self):
        return [("o%d" % i, v) for i, v in enumerate(self.outputs) if v is not None]

    def write(self, folder):
        data = os.path.join(folder, "test_data_set_0")
        os.makedirs(data, exist_ok=True)
        with open(os.path.join(folder, "model.onnx"), "wb") as f:
            f.write(self.model().SerializeToString())
        for what, values in (("input", self.fed()), ("output", self.wanted())):
            for i, (_, v) in enumerate(values):
                with open(os.path.join(data, "%s_%d.pb" % (what, i)), "wb") as f:
                    f.write(numpy_helper.from_array(v).SerializeToString())


def case(name, op, inputs, outputs, **attributes):
    inputs = [v if v is None else np.ascontiguousarray(v) if np.ndim(v) else np.asarray(v) for v in inputs]
    outputs = [v if v is None else np.asarray(v, dtype=F if v.dtype == np.float64 else v.dtype, order="C")
               for v in outputs]
    CASES.append(Case(name, op, inputs, outputs, **attributes))


RANDOM = np.random.RandomState(7)


def rnd(*shape):
    return RANDOM.standard_normal(shape).astype(F)


def u8(*shape):
    return RANDOM.randint(0, 256, shape).astype(np.uint8)


def i8(*shape):
    return RANDOM.randint(-128, 128, shape).astype(np.int8)


# ---- formulas ----

def wide(x):
    return np.asarray(x, dtype=np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-wide(x)))


def gelu(x):
    return wide(x) * 0.5 * (1 + np.vectorize(math.erf)(wide(x) / math.sqrt(2)))


def tanh_gelu(x):
    x = wide(x)
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def layer_norm(x, scale, bias=None, epsilon=1e-5, axis=-1):
    x = wide(x)
    axes = tuple(range(axis % x.ndim, x.ndim))
    mean = x.mean(axes, keepdims=True)
    y = (x - mean) / np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + epsilon) * scale
    return y if bias is None else y + bias


def rms_norm(x, scale, epsilon=1e-5):
    x = wide(x)
    return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + epsilon) * scale


def convolve(x, w, bias=None, pad=0, stride=1, group=1):
    """x[n, c, h, w]"""
    x = np.pad(wide(x), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    n, c, h, b = x.shape
    m, each, p, q = w.shape
    oh, ow = (h - p) // stride + 1, (b - q) // stride + 1
    y = np.zeros((n, m, oh, ow))
    for k in range(m):
        first = k // (m // group) * each
        for i in range(oh):
            for j in range(ow):
                part = x[:, first:first + each, i * stride:i * stride + p, j * stride:j * stride + q]
                y[:, k, i, j] = (part * w[k]).sum((1, 2, 3))
    return y if bias is None else y + wide(bias)[:, None, None]


def quantize(x, scale, zero):
    info = np.iinfo(zero.dtype)
    return np.clip(np.rint(x / wide(scale)) + wide(zero), info.min, info.max).astype(zero.dtype)


def real(q, scale, zero):
    return (wide(q) - wide(zero)) * wide(scale)


def split(x, heads):
    b, s, d = x.shape
    return wide(x).reshape(b, s, heads, d // heads).transpose(0, 2, 1, 3)


def join(x):
    b, n, s, h = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, s, n * h)


def attend(q, k, v, bias=0, scale=None, causal=False, window=-1, softcap=0):
    """All of [batch, heads, tokens, size]; the last query sees the last key."""
    k, v = (np.repeat(t, q.shape[1] // k.shape[1], axis=1) for t in (k, v))
    s = q @ k.transpose(0, 1, 3, 2) * (scale or 1 / math.sqrt(q.shape[3]))
    if softcap:
        s = softcap * np.tanh(s / softcap)
    s = s + bias
    row = np.arange(s.shape[2])[:, None] + s.shape[3] - s.shape[2]
    column = np.arange(s.shape[3])[None, :]
    if causal:
        s = np.where(column > row, -1e30, s)
    if window > 0:
        s = np.where(column <= row - window, -1e30, s)
    return softmax(s) @ v


def rotate(x, cos, sin, positions, interleaved=False):
    """x[batch, heads, tokens, size], positions[batch, tokens]"""
    half = cos.shape[1]
    c, s = (wide(t)[positions][:, None] for t in (cos, sin))
    y = wide(x).copy()
    turned = y[..., :2 * half]
    one, two = (turned[..., 0::2], turned[..., 1::2]) if interleaved else (turned[..., :half], turned[..., half:])
    first, second = one * c - two * s, two * c + one * s
    if interleaved:
        y[..., 0:2 * half:2], y[..., 1:2 * half:2] = first, second
    else:
        y[..., :half], y[..., half:2 * half] = first, second
    return y


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


def packed_weights(n, depth, block, bits):
    """Random B of MatMulNBits: (bytes, scales, zero points as bytes, B without and with zero points)."""
    blocks = (depth + block - 1) // block
    q = RANDOM.randint(0, 1 << bits, (n, blocks * block))
    zero = RANDOM.randint(0, 1 << bits, (n, blocks))
    scale = (RANDOM.rand(n, blocks) * 0.2 + 0.05).astype(F)
    each = 8 // bits

    def pack(v):
        v = np.pad(v, ((0, 0), (0, -v.shape[1] % each)))
        return sum(v[:, i::each] << (i * bits) for i in range(each)).astype(np.uint8)
    wide_scale = np.repeat(wide(scale), block, 1)
    plain = ((q - (1 << (bits - 1))) * wide_scale)[:, :depth]
    shifted = ((q - np.repeat(zero, block, 1)) * wide_scale)[:, :depth]
    return pack(q).reshape(n, blocks, -1), scale, pack(zero), plain, shifted, wide(zero).astype(F)


def weights_of_few_bits():
    for bits, depth, block in ((4, 32, 16), (4, 40, 16), (8, 32, 16), (2, 32, 16)):
        b, scale, zero, plain, shifted, zf = packed_weights(6, depth, block, bits)
        a = rnd(2, 3, depth)
        shape = {"K": depth, "N": 6, "bits": bits, "block_size": block}
        name = "matmul_%dbits_%d" % (bits, depth)
        case(name, "MatMulNBits", [a, b, scale.ravel()], [wide(a) @ plain.T], constant=(1, 2), **shape)
        case(name + "_zeros", "MatMulNBits", [a, b, scale.ravel(), zero.ravel()], [wide(a) @ shifted.T],
             constant=(1, 2, 3), **shape)
        case(name + "_2d", "MatMulNBits", [a, b, scale, zero], [wide(a) @ shifted.T], constant=(1, 2, 3), **shape)
        if bits == 4:
            case(name + "_real_zeros", "MatMulNBits", [a, b, scale, zf], [wide(a) @ shifted.T], constant=(1, 2, 3),
                 **shape)
            bias = rnd(6)
            case(name + "_bias", "MatMulNBits", [a, b, scale, None, None, bias], [wide(a) @ plain.T + bias],
                 constant=(1, 2, 5), **shape)


NF4 = np.array([-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
                0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1])
FP4_HALF = np.array([0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4])
FP4 = np.concatenate([FP4_HALF, -FP4_HALF])


def weights_in_order():
    """Groups in another order, codes of four bits, and tables of blocks."""
    for bits, depth, block in ((4, 40, 16), (2, 32, 16), (8, 32, 16)):
        b, scale, zero, _, _, _ = packed_weights(6, depth, block, bits)
        a, group = rnd(3, depth), RANDOM.randint(0, -(-depth // block), depth).astype(np.int32)
        q = unpack(b.reshape(6, -1), bits)[:, :depth] if depth % block == 0 else np.concatenate(
            [unpack(b[:, i], bits) for i in range(b.shape[1])], 1)[:, :depth]
        z = unpack(zero.reshape(6, -1), bits)[:, group]
        w = (wide(q) - z) * wide(scale).reshape(6, -1)[:, group]
        case("matmul_%dbits_groups" % bits, "MatMulNBits", [a, b, scale.ravel(), zero.ravel(), group], [wide(a) @ w.T],
             constant=(1, 2, 3, 4), K=depth, N=6, bits=bits, block_size=block)
    for kind, table in enumerate((FP4, NF4)):
        for depth, n, block in ((32, 6, 16), (18, 5, 64)):
            a, codes = rnd(2, depth), RANDOM.randint(0, 16, n * depth)
            most = np.abs(rnd(-(-n * depth // block)))
            b = (codes[0::2] << 4 | np.resize(codes[1::2], codes[0::2].shape)).astype(np.uint8)
            w = (table[codes] * np.repeat(wide(most), block)[:n * depth]).reshape(n, depth)
            case("matmul_bnb4_%d_%d" % (kind, depth), "MatMulBnb4", [a, b, most], [wide(a) @ w.T], constant=(1, 2),
                 K=depth, N=n, block_size=block, quant_type=kind)
    at = np.array([[3, 0], [1, 1]], np.int64)
    for bits, signed in ((4, False), (8, False), (8, True)):
        data = (i8 if signed else u8)(4, 32 * bits // 8)
        scale = rnd(4, 2)
        q = unpack(data, 4) if bits == 4 else data
        zero = u8(4, 2 * bits // 8) if not signed else i8(4, 2)
        z = unpack(zero, 4) if bits == 4 else zero
        for name, given, off in (("", None, 0 if signed else 1 << bits - 1), ("_zeros", zero, np.repeat(wide(z), 16, 1))):
            w = (wide(q) - off) * np.repeat(wide(scale), 16, 1)
            case("gather_blocks_%d%s%s" % (bits, "s" if signed else "", name), "GatherBlockQuantized",
                 [data, at, scale, given], [w[at]], constant=(0, 2, 3), bits=bits, block_size=16, gather_axis=0,
                 quantize_axis=1)
    ids = RANDOM.randint(0, 9, (2, 4)).astype(np.int32)
    tables = [u8(9, 8), u8(6, 8), u8(2, 8), u8(8), u8(8)]
    scales = [scale_of(v) for v in (0.02, 0.03, 0.05, 0.01, 0.04)]
    zeros = [np.array(v, np.uint8) for v in (100, 128, 7, 0, 99)]
    words, places, _, gamma, beta = (real(*t) for t in zip(tables, scales, zeros))
    skip = lambda v: [None if i == 2 else t for i, t in enumerate(v)]
    case("quantized_embed", "QEmbedLayerNormalization", [ids, None, *skip(tables), None, *skip(scales), *skip(zeros)],
         [layer_norm(words[ids] + places[:4], gamma, beta, 1e-12), np.zeros(2, np.int32)])


# ---- quantized ----

def scale_of(v):
    return np.array(v, F)


def quantized():
    sa, sb, sy = scale_of(0.02), scale_of(0.03), scale_of(0.0517)
    for make, t in ((u8, np.uint8), (i8, np.int8)):
        za, zb, zy = (np.array(v, t) for v in (5, 100, 60))
        kind = t.__name__
        a, b = make(2, 3, 4, 4), make(4, 4)
        x, y = real(a, sa, za), real(b, sb, zb)
        ending = [sy, zy]
        case("qlinear_add_" + kind, "QLinearAdd", [a, sa, za, b, sb, zb, *ending], [quantize(x + y, sy, zy)])
        case("qlinear_mul_" + kind, "QLinearMul", [a, sa, za, b, sb, zb, *ending], [quantize(x * y, sy, zy)])
        case("qlinear_add_no_zeros_" + kind, "QLinearAdd", [a, sa, None, b, sb, None, sy, None],
             [quantize(wide(a) * sa + wide(b) * sb, sy, np.zeros((), t))])
        table = {"constant": (1, 2, 3, 4)}
        s1, z1 = scale_of(1 / 256), np.array(0 if t == np.uint8 else -128, t)
        case("qlinear_sigmoid_" + kind, "QLinearSigmoid", [a, sa, za, s1, z1], [quantize(sigmoid(x), s1, z1)], **table)
        case("qlinear_leaky_relu_" + kind, "QLinearLeakyRelu", [a, sa, za, *ending],
             [quantize(np.where(x < 0, 0.1 * x, x), sy, zy)], alpha=0.1, **table)
        case("qlinear_softmax_" + kind, "QLinearSoftmax", [a, sa, za, s1, z1], [quantize(softmax(x), s1, z1)],
             axis=-1, opset=13, **table)
        case("qlinear_mean_" + kind, "QLinearGlobalAveragePool", [a, sa, za, *ending],
             [quantize(x.mean((2, 3), keepdims=True), sy, zy)])
        case("qlinear_mean_last_" + kind, "QLinearGlobalAveragePool", [a, sa, za, *ending],
             [quantize(x.mean((1, 2), keepdims=True), sy, zy)], channels_last=1)
        windows = np.stack([x[..., i:i + 3:2, j:j + 3:2] for i in (0, 1) for j in (0, 1)]).mean(0)
        shape = {"kernel_shape": [2, 2], "strides": [2, 2]}
        case("qlinear_average_" + kind, "QLinearAveragePool", [a, sa, za, *ending], [quantize(windows, sy, zy)], **shape)
        case("qlinear_average_last_" + kind, "QLinearAveragePool", [np.moveaxis(a, 1, 3), sa, za, *ending],
             [quantize(np.moveaxis(windows, 1, 3), sy, zy)], channels_last=1, **shape)
        c = make(2, 3, 2, 4)
        case("qlinear_concat_" + kind, "QLinearConcat", [sy, zy, a, sa, za, c, sb, zb],
             [quantize(np.concatenate([x, real(c, sb, zb)], 2), sy, zy)], constant=(0, 1, 3, 4, 6, 7), axis=2)
        test = RANDOM.rand(2, 3, 4, 4) < 0.5
        case("qlinear_where_" + kind, "QLinearWhere", [test, a, sa, za, b, sb, zb, *ending],
             [quantize(np.where(test, x, y), sy, zy)], constant=(2, 3, 5, 6, 7, 8))
        case("qlinear_reduce_mean_" + kind, "QLinearReduceMean", [a, sa, za, *ending],
             [quantize(x.mean(1, keepdims=True), sy, zy)], axes=[1], keepdims=1)


def quantized_products():
    a, sa, za = u8(3, 8), scale_of(0.02), np.array(100, np.uint8)
    for kind, b, zb, sb in (("tensor", i8(8, 5), np.array(-3, np.int8), scale_of(0.03)),
                            ("columns", i8(8, 5), i8(5), (RANDOM.rand(5) * 0.1 + 0.01).astype(F)),
                            ("u8", u8(8, 5), np.array(130, np.uint8), scale_of(0.03))):
        y = real(a, sa, za) @ real(b, sb, zb)
        bias = rnd(5)
        case("integer_to_float_" + kind, "MatMulIntegerToFloat", [a, b, sa, sb, za, zb], [y])
        case("integer_to_float_bias_" + kind, "MatMulIntegerToFloat", [a, b, sa, sb, za, zb, bias], [y + bias])
        case("integer_to_float_no_zeros_" + kind, "MatMulIntegerToFloat", [a, b, sa, sb],
             [(wide(a) * sa) @ (wide(b) * sb)])
        x = rnd(3, 8)
        low, high = min(x.min(), 0), max(x.max(), 0)
        sx = F((high - low) / F(255))
        zx = np.uint8(np.rint(np.clip(-low / sx, 0, 255)))
        q = np.clip(np.rint(x / sx) + zx, 0, 255)
        y = ((q - zx) * wide(sx)) @ real(b, sb, zb)
        case("dynamic_matmul_" + kind, "DynamicQuantizeMatMul", [x, b, sb, zb, bias], [y + bias])
        case("dynamic_matmul_no_bias_" + kind, "DynamicQuantizeMatMul", [x, b, sb, zb], [y])
        c = RANDOM.randint(-500, 500, 5).astype(np.int32)
        y = (real(a, sa, za) @ real(b, sb, zb)) * 0.5 + c * (0.5 * wide(sa) * sb)
        sy, zy = scale_of(0.1), np.array(120, np.uint8)
        case("qgemm_" + kind, "QGemm", [a, sa, za, b, sb, zb, c, sy, zy], [quantize(y, sy, zy)], alpha=0.5)
        case("qgemm_real_" + kind, "QGemm", [a, sa, za, b, sb, zb, c], [y], alpha=0.5)
        case("qgemm_turned_" + kind, "QGemm", [a.T, sa, za, b.T, sb, zb], [real(a, sa, za) @ real(b, sb, zb)],
             transA=1, transB=1)


def quantized_layers():
    x, sx, zx = u8(2, 4, 5, 5), scale_of(0.02), np.array(120, np.uint8)
    w, sw, zw = i8(6, 4, 3, 3), (RANDOM.rand(6) * 0.02 + 0.005).astype(F), np.zeros(6, np.int8)
    sy, zy = scale_of(0.08), np.array(110, np.uint8)
    b = RANDOM.randint(-900, 900, 6).astype(np.int32)
    y = convolve(real(x, sx, zx), wide(w) * sw[:, None, None, None], b * wide(sx) * sw, 1)
    for name, given, want, more in (("", x, y, {}), ("_last", np.moveaxis(x, 1, 3), np.moveaxis(y, 1, 3),
                                                     {"channels_last": 1})):
        case("qlinear_conv" + name, "QLinearConv", [given, sx, zx, w, sw, zw, sy, zy, b], [quantize(want, sy, zy)],
             pads=[1, 1, 1, 1], kernel_shape=[3, 3], constant=(1, 2, 3, 4, 5, 6, 7, 8), **more)
    x, w, bias = u8(2, 3, 8), i8(8, 24), rnd(24)
    zx, zw, sw = np.array(128, np.uint8), np.array(2, np.int8), scale_of(0.01)
    for name, scale, zero in (("", sw, zw), ("_columns", (RANDOM.rand(24) * 0.01 + 0.005).astype(F),
                                              np.zeros(24, np.int8))):
        p = real(x, sx, zx) @ real(w, scale, zero) + bias
        q, k, v = (split(t, 2) for t in np.split(p, 3, 2))
        rest = [x, w, bias, np.array(sx), scale, None, zx, zero]
        case("qattention" + name, "QAttention", rest, [join(attend(q, k, v))], num_heads=2, constant=(1, 4, 7))
        lengths = np.array([2, 3], np.int32)
        hide = np.where(np.arange(3)[None] < lengths[:, None], 0, -10000.0)[:, None, None]
        rest[5] = lengths
        case("qattention_mask" + name, "QAttention", rest, [join(attend(q, k, v, hide))], num_heads=2,
             constant=(1, 4, 7))
        case("qattention_causal" + name, "QAttention", rest[:5] + [None] + rest[6:], [join(attend(q, k, v, causal=True))],
             num_heads=2, unidirectional=1, constant=(1, 4, 7))


# ---- attention ----

def attention():
    x, w, b = rnd(2, 4, 8), rnd(8, 24) * F(0.5), rnd(24)
    p = wide(x) @ w + b
    q, k, v = (split(t, 2) for t in np.split(p, 3, 2))
    more = {"num_heads": 2}
    case("attention", "Attention", [x, w, b], [join(attend(q, k, v))], **more)
    case("attention_scale", "Attention", [x, w, b], [join(attend(q, k, v, scale=0.3))], scale=0.3, **more)
    case("attention_causal", "Attention", [x, w, b], [join(attend(q, k, v, causal=True))], unidirectional=1, **more)
    ends, starts = np.array([3, 2], np.int32), np.array([1, 0], np.int32)
    at = np.arange(4)[None]
    seen = at < ends[:, None]

    def hide(m, value=-10000.0):
        return np.where(m, 0, value)

    case("attention_lengths", "Attention", [x, w, b, ends], [join(attend(q, k, v, hide(seen)[:, None, None]))], **more)
    both = seen & (at >= starts[:, None])
    case("attention_ends_starts", "Attention", [x, w, b, np.concatenate([ends, starts])],
         [join(attend(q, k, v, hide(both)[:, None, None]))], **more)
    case("attention_keys", "Attention", [x, w, b, both.astype(np.int32)],
         [join(attend(q, k, v, hide(both)[:, None, None]))], **more)
    case("attention_keys_value", "Attention", [x, w, b, both.astype(np.int32)],
         [join(attend(q, k, v, hide(both, -0.5)[:, None, None]))], mask_filter_value=-0.5, **more)
    square = RANDOM.rand(2, 4, 4) < 0.6
    case("attention_square", "Attention", [x, w, b, square.astype(np.int32)],
         [join(attend(q, k, v, hide(square)[:, None]))], **more)
    none = np.zeros((2, 4), np.int32)
    case("attention_all_hidden", "Attention", [x, w, b, none], [join(attend(q, k, v))], **more)
    case("attention_length_0", "Attention", [x, w, b, np.array([0, 4], np.int32)], [join(attend(q, k, v))], **more)
    extra = rnd(2, 2, 4, 4)
    case("attention_added", "Attention", [x, w, b, None, None, extra], [join(attend(q, k, v, extra))], **more)
    case("attention_added_causal", "Attention", [x, w, b, ends, None, extra],
         [join(attend(q, k, v, extra + hide(seen)[:, None, None], causal=True))], unidirectional=1, **more)
    past = rnd(2, 2, 2, 3, 4)
    pk, pv = np.concatenate([past[0], k], 2), np.concatenate([past[1], v], 2)
    present = np.stack([pk, pv])
    case("attention_past", "Attention", [x, w, b, None, past], [join(attend(q, pk, pv)), present], **more)
    case("attention_past_causal", "Attention", [x, w, b, None, past],
         [join(attend(q, pk, pv, causal=True)), present], unidirectional=1, **more)
    keys = (RANDOM.rand(2, 7) < 0.7).astype(np.int32)
    case("attention_past_keys", "Attention", [x, w, b, keys, past],
         [join(attend(q, pk, pv, hide(keys > 0)[:, None, None], causal=True)), present], unidirectional=1, **more)
    w2, b2 = rnd(8, 22) * F(0.5), rnd(22)
    p = wide(x) @ w2 + b2
    q2, k2, v2 = (split(t, 2) for t in (p[..., :8], p[..., 8:16], p[..., 16:]))
    case("attention_sizes", "Attention", [x, w2, b2], [join(attend(q2, k2, v2))], qkv_hidden_sizes=[8, 8, 6], **more)


def many_heads():
    q, k, v, b = rnd(2, 3, 8), rnd(2, 5, 8), rnd(2, 5, 8), rnd(24)
    more = {"num_heads": 2}
    hq, hk, hv = (split(t, 2) for t in (q, k, v))
    bq, bk, bv = (split(t + wide(c), 2) for t, c in zip((q, k, v), np.split(b, 3)))
    op = "MultiHeadAttention"
    case("mha", op, [q, k, v], [join(attend(hq, hk, hv))], **more)
    case("mha_bias", op, [q, k, v, b], [join(attend(bq, bk, bv))], **more)
    lengths = np.array([4, 2], np.int32)
    seen = np.arange(5)[None] < lengths[:, None]
    hide = np.where(seen, 0, -10000.0)[:, None, None]
    case("mha_lengths", op, [q, k, v, None, lengths], [join(attend(hq, hk, hv, hide))], **more)
    case("mha_keys", op, [q, k, v, b, seen.astype(np.int32)], [join(attend(bq, bk, bv, hide))], **more)
    extra = rnd(1, 2, 3, 5)
    case("mha_added", op, [q, k, v, None, None, extra], [join(attend(hq, hk, hv, extra))], scale=0.4, **more)
    CASES[-1].outputs[0] = join(attend(hq, hk, hv, extra, scale=0.4)).astype(F)
    square = RANDOM.rand(2, 3, 5) < 0.7
    case("mha_square", op, [q, k, v, None, square.astype(np.int32)],
         [join(attend(hq, hk, hv, np.where(square, 0, -10000.0)[:, None]))], **more)
    case("mha_heads_given", op, [q, hk.astype(F), hv.astype(F)], [join(attend(hq, hk, hv))], **more)
    case("mha_heads_given_bias", op, [q, hk.astype(F), hv.astype(F), b], [join(attend(bq, hk, hv))], **more)
    wide_v = rnd(2, 5, 12)
    case("mha_other_v", op, [q, k, wide_v], [join(attend(hq, hk, split(wide_v, 2)))], **more)
    q, k, v = rnd(2, 4, 8), rnd(2, 4, 8), rnd(2, 4, 8)
    hq, hk, hv = (split(t, 2) for t in (q, k, v))
    case("mha_causal", op, [q, k, v], [join(attend(hq, hk, hv, causal=True))], unidirectional=1, **more)
    parts = [t.reshape(2, 4, 2, 4) for t in (q, k, v)]
    case("mha_packed", op, [np.stack(parts, 3)], [join(attend(hq, hk, hv))], **more)
    case("mha_packed_kv", op, [q, np.stack(parts[1:], 3)], [join(attend(hq, hk, hv))], **more)
    bq, bk, bv = (split(t + wide(c), 2) for t, c in zip((q, k, v), np.split(b, 3)))
    case("mha_packed_bias", op, [np.stack(parts, 3), None, None, b], [join(attend(bq, bk, bv))], **more)
    pk, pv = rnd(2, 2, 3, 4), rnd(2, 2, 3, 4)
    ck, cv = np.concatenate([pk, hk], 2), np.concatenate([pv, hv], 2)
    case("mha_past", op, [q, k, v, None, None, None, pk, pv], [join(attend(hq, ck, cv)), ck, cv], **more)
    case("mha_past_causal", op, [q, k, v, None, None, None, pk, pv], [join(attend(hq, ck, cv, causal=True)), ck, cv],
         unidirectional=1, **more)
    case("mha_present", op, [q, k, v, b], [join(attend(bq, bk, bv)), bk, bv], **more)


def rotations():
    angle = rnd(9, 4)
    cos, sin = np.cos(angle), np.sin(angle)
    x, h = rnd(2, 3, 16), rnd(2, 2, 3, 8)
    at = np.array([[2, 3, 4], [0, 5, 8]], np.int64)
    from_1 = np.arange(3)[None] + np.array([[1], [1]])
    op = "RotaryEmbedding"
    for name, pos, full in (("", at, at), ("_offset", np.array([1], np.int64), from_1)):
        for turn in (0, 1):
            end = name + ("_pairs" if turn else "")
            case("rotary" + end, op, [x, pos, cos, sin], [join(rotate(split(x, 2), cos, sin, full, turn))],
                 interleaved=turn)
            case("rotary_heads" + end, op, [h, pos, cos, sin], [rotate(h, cos, sin, full, turn)], interleaved=turn)
    c2, s2 = cos[:, :2], sin[:, :2]
    case("rotary_part", op, [x, at, c2, s2], [join(rotate(split(x, 2), c2, s2, at))], num_heads=2,
         rotary_embedding_dim=4)


def unpack(b, bits):
    """Elements of the last dim, low bits first."""
    parts = [b.astype(np.uint8) >> i & (1 << bits) - 1 for i in range(0, 8, bits)]
    return np.stack(parts, -1).reshape(*b.shape[:-1], -1)


def attend_with_sink(q, k, v, sink):
    """Causal; the sink of each head takes part of the softmax."""
    k, v = (np.repeat(t, q.shape[1] // k.shape[1], axis=1) for t in (k, v))
    s = q @ k.transpose(0, 1, 3, 2) / math.sqrt(q.shape[3])
    s = np.where(np.triu(np.ones(s.shape[2:]), 1) > 0, -1e30, s)
    s = np.concatenate([s, np.broadcast_to(wide(sink)[None, :, None, None], s.shape[:3] + (1,))], 3)
    return softmax(s)[..., :-1] @ v


def grouped_attention():
    op = "GroupQueryAttention"
    more = {"num_heads": 4, "kv_num_heads": 2}
    q, k, v = rnd(2, 3, 64), rnd(2, 3, 32), rnd(2, 3, 32)
    hq, hk, hv = split(q, 4), split(k, 2), split(v, 2)
    total = np.array(3, np.int32)
    last = np.array([2, 2], np.int32)
    nothing = [None, None]
    y = join(attend(hq, hk, hv, causal=True))
    case("gqa", op, [q, k, v, *nothing, last, total], [y, hk, hv], constant=(5, 6), **more)
    case("gqa_given", op, [q, k, v, *nothing, last, total], [y, hk, hv], constant=(6,), **more)
    case("gqa_packed", op, [np.concatenate([q, k, v], 2), None, None, *nothing, last, total], [y, hk, hv],
         constant=(5, 6), **more)
    case("gqa_softcap", op, [q, k, v, *nothing, last, total], [join(attend(hq, hk, hv, causal=True, softcap=0.8)), hk, hv],
         constant=(5, 6), softcap=0.8, scale=0.25, **more)
    sink = rnd(4)
    case("gqa_sink", op, [q, k, v, *nothing, last, total, None, None, None, None, sink],
         [join(attend_with_sink(hq, hk, hv, sink)), hk, hv], constant=(5, 6), **more)
    case("gqa_smooth", op, [q, k, v, *nothing, last, total], [join(attend_with_sink(hq, hk, hv, np.zeros(4))), hk, hv],
         constant=(5, 6), smooth_softmax=1, **more)
    case("gqa_window", op, [q, k, v, *nothing, last, total], [join(attend(hq, hk, hv, causal=True, window=2)), hk, hv],
         constant=(5, 6), local_window_size=2, **more)
    angle = rnd(9, 8)
    cos, sin = np.cos(angle), np.sin(angle)
    at = np.tile(np.arange(3), (2, 1))
    for turn in (0, 1):
        rq, rk = rotate(hq, cos, sin, at, turn), rotate(hk, cos, sin, at, turn)
        case("gqa_rotary_%d" % turn, op, [q, k, v, *nothing, last, total, cos, sin],
             [join(attend(rq, rk, hv, causal=True)), rk, hv], constant=(5, 6), do_rotary=1, rotary_interleaved=turn, **more)
    q, k, v = rnd(2, 1, 64), rnd(2, 1, 32), rnd(2, 1, 32)
    pk, pv = rnd(2, 2, 4, 16), rnd(2, 2, 4, 16)
    hq, hk, hv = split(q, 4), split(k, 2), split(v, 2)
    ck, cv = np.concatenate([pk, hk], 2), np.concatenate([pv, hv], 2)
    last, total = np.array([4, 4], np.int32), np.array(5, np.int32)
    case("gqa_past", op, [q, k, v, pk, pv, last, total], [join(attend(hq, ck, cv)), ck, cv], constant=(5, 6), **more)
    at = np.full((2, 1), 4)
    rq, rk = rotate(hq, cos, sin, at), rotate(hk, cos, sin, at)
    ck = np.concatenate([pk, rk], 2)
    case("gqa_past_rotary", op, [q, k, v, pk, pv, last, total, cos, sin], [join(attend(rq, ck, cv)), ck, cv],
         constant=(5, 6), do_rotary=1, **more)
    last = np.array([4, 2], np.int32)
    rows = [np.concatenate([p[i:i + 1, :, :n], t[i:i + 1]], 2) for i, n in enumerate(last)
            for p, t in ((pk, hk), (pv, hv))]
    y = np.concatenate([join(attend(hq[i:i + 1], rows[2 * i], rows[2 * i + 1])) for i in range(2)])
    room = [np.pad(t, ((0, 0), (0, 0), (0, 5 - t.shape[2]), (0, 0))) for t in rows]
    case("gqa_lengths", op, [q, k, v, pk, pv, last, total],
         [y, np.concatenate(room[0::2]), np.concatenate(room[1::2])], constant=(5, 6), **more)


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

def mistake(name, said, op, inputs, constant=(), version=23, domain="com.microsoft", **attributes):
    case("mistake_" + name, op, inputs, [np.zeros(1, F)], constant=constant, version=version, domain=domain, **attributes)
    CASES[-1].refused = said


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


FAMILIES = (open_questions, elementwise, norms, embeddings, products, weights_of_few_bits, quantized, quantized_products,
            quantized_layers, attention, many_heads, rotations, grouped_attention, weights_in_order, mistakes)


def main(families):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--keep")
    o = parser.parse_args()
    for make in families:
        make()
    with tempfile.TemporaryDirectory() as temporary:
        folder = o.keep or temporary
        for c in CASES:
            c.write(os.path.join(folder, c.name))
        results = run(o.runner, [(*USUAL, os.path.join(folder, c.name)) for c in CASES])
    failed = 0
    for c in CASES:
        how, said = results[os.path.join(folder, c.name)]
        if c.refused:
            good = how == "refused" and c.refused in said
            how, said = ("ok", "written") if good else ("not refused with '%s'" % c.refused, said)
        if how != "ok" or said != "written":
            print("%s: %s: %s" % (c.name, how, said))
        failed += how != "ok"
    print("%d of %d cases pass" % (len(CASES) - failed, len(CASES)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(FAMILIES))
