# SPDX-License-Identifier: Apache-2.0
"""Operators of com.microsoft on weights of few bits and on quantized values; see microsoft.py."""
from one_node import (F, RANDOM, attend, case, convolve, i8, join, layer_norm, np, quantize, real, rnd, scale_of,
                      sigmoid, softmax, split, u8, unpack, wide)


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
