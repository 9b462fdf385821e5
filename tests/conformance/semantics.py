#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Operators of ai.onnx in their corners, on small random values, against straight loops in numpy.

usage: semantics.py --runner PROGRAM [--keep FOLDER]

What the conformance sets hold once is varied here: random slices, pads, pools and windows, all options of recurrent
layers, reductions over nothing, ties, negative axes, indices and steps. Exit status 77 without python3-onnx.
"""
import itertools
import math
import sys

from one_node import F, RANDOM, case, main, np, rnd, sigmoid, wide

INF = math.inf


def integers(low, high, *shape, t=np.int64):
    return RANDOM.randint(low, high, shape).astype(t)


def at(name, op, inputs, outputs, version=18, **more):
    case(name, op, inputs, outputs, domain="", version=version, **more)


# ---- recurrent layers ----

ACTIVATIONS = {
    "Relu": (lambda x, a, b: np.maximum(x, 0), None, None),
    "Tanh": (lambda x, a, b: np.tanh(x), None, None),
    "Sigmoid": (lambda x, a, b: sigmoid(x), None, None),
    "Affine": (lambda x, a, b: a * x + b, 1, 0),
    "LeakyRelu": (lambda x, a, b: np.where(x >= 0, x, a * x), 0.01, None),
    "ThresholdedRelu": (lambda x, a, b: np.where(x > a, x, 0), 1, None),
    "ScaledTanh": (lambda x, a, b: a * np.tanh(b * x), 1, 1),
    "HardSigmoid": (lambda x, a, b: np.clip(a * x + b, 0, 1), 0.2, 0.5),
    "Elu": (lambda x, a, b: np.where(x >= 0, x, a * np.expm1(x)), 1, None),
    "Softsign": (lambda x, a, b: x / (1 + np.abs(x)), None, None),
    "Softplus": (lambda x, a, b: np.log1p(np.exp(x)), None, None),
}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
USUAL = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


def bind(names, alpha, beta, clip):
    """The activations as functions of what enters; parameters are used up in order."""
    alpha, beta, made = list(alpha), list(beta), []
    for name in names:
        f, a, b = ACTIVATIONS[name]
        a = alpha.pop(0) if a is not None and alpha else a
        b = beta.pop(0) if b is not None and beta else b
        made.append(lambda x, f=f, a=a, b=b: f(np.clip(x, -clip, clip), a, b))
    return made


def step(op, x, h, c, w, r, bias, peep, f, options):
    n = h.shape[0]
    wb, rb = bias[:len(w)], bias[len(w):]
    gx, gh = (lambda i: x @ w[i * n:(i + 1) * n].T + wb[i * n:(i + 1) * n]), (
        lambda i, v=h: v @ r[i * n:(i + 1) * n].T + rb[i * n:(i + 1) * n])
    if op == "RNN":
        return f[0](gx(0) + gh(0)), c
    if op == "GRU":
        z, reset = f[0](gx(0) + gh(0)), f[0](gx(1) + gh(1))
        new = f[1](gx(2) + (reset * gh(2) if options.get("linear_before_reset") else gh(2, reset * h)))
        return (1 - z) * new + z * h, c
    i = f[0](gx(0) + gh(0) + peep[:n] * c)
    forget = 1 - i if options.get("input_forget") else f[0](gx(2) + gh(2) + peep[2 * n:] * c)
    c = forget * c + i * f[1](gx(3) + gh(3))
    o = f[0](gx(1) + gh(1) + peep[n:2 * n] * c)
    return o * f[2](c), c


def run_recurrent(op, x, w, r, bias, lengths, h0, c0, peep, functions, options):
    """y[steps, directions, batch, size], last h, last c"""
    steps, batch, _ = x.shape
    ways, _, size = r.shape
    y, last_h, last_c = np.zeros((steps, ways, batch, size)), np.zeros((ways, batch, size)), np.zeros((ways, batch, size))
    for d, b in itertools.product(range(ways), range(batch)):
        h, c = wide(h0[d, b]), wide(c0[d, b])
        order = list(range(lengths[b]))
        for t in order[::-1] if d or options["direction"] == "reverse" else order:
            h, c = step(op, wide(x[t, b]), h, c, wide(w[d]), wide(r[d]), wide(bias[d]), wide(peep[d]), functions[d], options)
            y[t, d, b] = h
        last_h[d, b], last_c[d, b] = h, c
    return y, last_h, last_c


def recurrent():
    for op, k in itertools.product(GATES, range(36)):
        options = {"direction": ("forward", "reverse", "bidirectional")[k % 3]}
        ways, flip = 1 + (k % 3 == 2), k % 6 == 5
        steps, batch, width, size = RANDOM.randint(1, 5, 4)
        gates, parts = GATES[op], len(USUAL[op])
        x, w, r = rnd(steps, batch, width), rnd(ways, gates * size, width), rnd(ways, gates * size, size)
        some = RANDOM.rand(6) < 0.5
        bias, lengths = rnd(ways, 2 * gates * size), RANDOM.randint(1, steps + 1, batch).astype(np.int32)
        h0, c0, peep = rnd(ways, batch, size), rnd(ways, batch, size), rnd(ways, 3 * size)
        if RANDOM.rand() < 0.4:
            options["clip"] = float(np.float32(0.2 + RANDOM.rand()))
        if op == "GRU":
            options["linear_before_reset"] = k % 2
        if op == "LSTM":
            options["input_forget"] = int(k % 4 == 3)
        names, alpha, beta = USUAL[op] * ways, [], []
        if k % 2:
            names = [str(RANDOM.choice(list(ACTIVATIONS))) for _ in names]
            names = ["Sigmoid" if parts > 1 and i % parts == 0 else n for i, n in enumerate(names)]
            options["activations"] = names
        if k % 4 == 1:
            alpha = [0.3 for n in names if ACTIVATIONS[n][1] is not None]
            beta = [0.6 for n in names if ACTIVATIONS[n][2] is not None]
        each = [names[i * parts:(i + 1) * parts] for i in range(ways)]
        a, b, functions = list(alpha), list(beta), []
        for group in each:
            functions.append(bind(group, a, b, options.get("clip", INF)))
            a = a[sum(ACTIVATIONS[n][1] is not None for n in group):]
            b = b[sum(ACTIVATIONS[n][2] is not None for n in group):]
        more = dict(options, hidden_size=int(size), layout=int(flip))
        more.update({n: v for n, v in (("activation_alpha", alpha), ("activation_beta", beta)) if v})
        given = [bias, lengths, h0] + ([c0, peep] if op == "LSTM" else [])
        neutral = [0 * bias, np.full(batch, steps), 0 * h0] + ([0 * c0, 0 * peep] if op == "LSTM" else [])
        used = [v if s else n for v, n, s in zip(given, neutral, some)] + [0 * c0, 0 * peep]
        results = run_recurrent(op, x, w, r, *used[:5], functions, options)[:3 if op == "LSTM" else 2]
        inputs = [x, w, r] + [v if s else None for v, s in zip(given, some)]
        if flip:
            inputs = [v if v is None or i not in (0, 5, 6) else v.swapaxes(0, 1) for i, v in enumerate(inputs)]
            results = [results[0].transpose(2, 0, 1, 3)] + [v.swapaxes(0, 1) for v in results[1:]]
        at("%s_%d" % (op.lower(), k), op, inputs, list(results), version=14, constant=(1, 2), **more)


# ---- windows ----

def pool(x, kernel, strides, dilations, pads, ceil, f):
    """f(values, inside): of one window; x[n, c, ...]"""
    n = len(kernel)
    out = []
    for d in range(n):
        room = x.shape[2 + d] + pads[d] + pads[n + d] - dilations[d] * (kernel[d] - 1) - 1
        count = (-(-room // strides[d]) if ceil else room // strides[d]) + 1
        if ceil and (count - 1) * strides[d] >= x.shape[2 + d] + pads[d]:
            count -= 1
        out.append(count)
    y = np.zeros(x.shape[:2] + tuple(out))
    for place in itertools.product(*map(range, y.shape)):
        values, padded = [], 0
        for tap in itertools.product(*map(range, kernel)):
            i = [place[2 + d] * strides[d] + tap[d] * dilations[d] - pads[d] for d in range(n)]
            if all(0 <= v < s for v, s in zip(i, x.shape[2:])):
                values.append(x[place[:2] + tuple(i)])
            elif all(-pads[d] <= v < x.shape[2 + d] + pads[n + d] for d, v in enumerate(i)):
                padded += 1
        y[place] = f(np.array(values), padded)
    return y


def pools():
    for op, k in itertools.product(("MaxPool", "AveragePool", "LpPool"), range(14)):
        n = 1 + k % 3
        kernel, strides, dilations = (list(map(int, RANDOM.randint(1, high, n))) for high in (4, 4, 3))
        size = [int(RANDOM.randint(2 + dilations[d] * (kernel[d] - 1), 9)) for d in range(n)]
        pads = [int(RANDOM.randint(0, kernel[i % n])) for i in range(2 * n)]
        x, ceil, whole = rnd(1, 2, *size), k % 2, op == "AveragePool" and k % 4 > 1
        f = {"MaxPool": lambda v, p: v.max() if v.size else -INF,
             "AveragePool": lambda v, p, whole=whole: v.sum() / (v.size + (p if whole else 0)),
             "LpPool": lambda v, p: np.sqrt((wide(v) ** 2).sum())}[op]
        if op == "AveragePool" and not whole and any(p for p in pads):
            pads = [0] * 2 * n
        y = pool(x, kernel, strides, dilations, pads, ceil, f)
        if not np.isfinite(y).all():
            continue
        more = {"count_include_pad": 1} if whole else {}
        at("%s_%d" % (op.lower(), k), op, [x], [y], version=19, kernel_shape=kernel, strides=strides, pads=pads,
           dilations=dilations, ceil_mode=ceil, **more)


def transposed():
    for k in range(18):
        n, groups = 1 + k % 3, 1 + k % 2
        kernel, strides, dilations = (list(map(int, RANDOM.randint(1, high, n))) for high in (4, 4, 3))
        size = list(map(int, RANDOM.randint(2, 4, n)))
        pads = [int(RANDOM.randint(0, 2)) for _ in range(2 * n)]
        more = [int(RANDOM.randint(0, strides[d])) for d in range(n)]
        full = [(size[d] - 1) * strides[d] + dilations[d] * (kernel[d] - 1) + 1 for d in range(n)]
        shape = [full[d] - pads[d] - pads[n + d] + more[d] for d in range(n)]
        if min(shape) < 1:
            continue
        x, w = rnd(1, 2 * groups, *size), rnd(2 * groups, 2, *kernel)
        y = np.zeros([1, 2 * groups] + [max(f, s + pads[d]) for d, (f, s) in enumerate(zip(full, shape))])
        for c, m, place, tap in itertools.product(range(2 * groups), range(2), itertools.product(*map(range, size)),
                                                  itertools.product(*map(range, kernel))):
            to = tuple(place[d] * strides[d] + tap[d] * dilations[d] for d in range(n))
            y[(0, c // 2 * 2 + m) + to] += float(x[(0, c) + place]) * float(w[(c, m) + tap])
        y = y[(slice(None),) * 2 + tuple(slice(pads[d], pads[d] + shape[d]) for d in range(n))]
        options = {"strides": strides, "dilations": dilations, "group": groups}
        at("conv_transpose_%d" % k, "ConvTranspose", [x, w], [y], version=11, pads=pads, output_padding=more, **options)
        if not any(pads) and not any(more):
            at("conv_transpose_shape_%d" % k, "ConvTranspose", [x, w], [y], version=11, output_shape=shape, **options)


# ---- elements moved ----

def moved():
    for k in range(40):
        size = RANDOM.randint(1, 6, RANDOM.randint(1, 5))
        x, axes = rnd(*size), RANDOM.permutation(len(size))[:RANDOM.randint(1, len(size) + 1)]
        starts, ends = RANDOM.randint(-8, 9, len(axes)), RANDOM.randint(-8, 9, len(axes))
        steps = RANDOM.choice([1, 2, 3, -1, -2, -4], len(axes))
        y = x
        for axis, s, e, t in zip(axes, starts, ends, steps):
            n = x.shape[axis]
            s, e = s + n if s < 0 else s, e + n if e < 0 else e
            s, e = (np.clip(s, 0, n), np.clip(e, 0, n)) if t > 0 else (np.clip(s, 0, n - 1), np.clip(e, -1, n - 1))
            y = np.take(y, np.arange(s, e, t), axis)
        named = np.where(RANDOM.rand(len(axes)) < 0.5, axes, axes - len(size))
        at("slice_%d" % k, "Slice", [x, starts, ends, named, steps], [y], version=13, constant=(1, 2, 3, 4))
    for mode, k in itertools.product(("constant", "edge", "reflect", "wrap"), range(6)):
        size = RANDOM.randint(3, 6, 3)
        x, pads = rnd(*size), RANDOM.randint(-1 if k % 2 else 0, 3, 6)
        cut = x[tuple(slice(max(0, -pads[d]), size[d] - max(0, -pads[3 + d])) for d in range(3))]
        around = [(max(0, pads[d]), max(0, pads[3 + d])) for d in range(3)]
        y = np.pad(cut, around, mode=mode) if mode != "constant" else np.pad(cut, around, constant_values=2.5)
        at("pad_%s_%d" % (mode, k), "Pad", [x, pads, np.array(2.5, F) if mode == "constant" else None], [y], version=19,
           constant=(1,), mode=mode)
    for reduction, kind in itertools.product(("none", "add", "mul", "max", "min"), (F, np.int32, np.uint8)):
        x, u = integers(0, 9, 4, 3, t=kind), integers(0, 5, 4, 3, t=kind)
        i = RANDOM.permutation(4)[:, None] + np.zeros((1, 3), np.int64) if reduction == "none" else integers(-4, 4, 4, 3)
        y = x.copy()
        act = {"none": lambda a, b: b, "add": np.add, "mul": np.multiply, "max": max, "min": min}[reduction]
        for p, q in itertools.product(range(4), range(3)):
            y[i[p, q], q] = act(y[i[p, q], q], u[p, q])
        at("scatter_%s_%s" % (reduction, kind.__name__), "ScatterElements", [x, i, u], [y], axis=0, reduction=reduction)
    for k, largest, axis in itertools.product((1, 3), (0, 1), (0, -1)):
        x = integers(0, 3, 4, 4).astype(F)
        order = np.argsort(-x if largest else x, axis, kind="stable").take(np.arange(k), axis)
        at("top_%d_%d_%d" % (k, largest, axis), "TopK", [x, np.array([k])], [np.take_along_axis(x, order, axis), order],
           version=11, constant=(1,), axis=axis, largest=largest)
    for exclusive, reverse, axis in itertools.product((0, 1), (0, 1), (0, -1)):
        x = integers(-4, 5, 3, 4)
        y = np.flip(x, axis) if reverse else x
        y = np.cumsum(y, axis) - (y if exclusive else 0)
        at("cumsum_%d_%d_%d" % (exclusive, reverse, axis), "CumSum", [x, np.array(axis, np.int32)],
           [np.flip(y, axis) if reverse else y], version=14, constant=(1,), exclusive=exclusive, reverse=reverse)
    for i, (form, shapes) in enumerate((
            ("ij,jk", [(2, 3), (3, 4)]), ("...ij,...jk->...ik", [(2, 1, 2, 3), (5, 3, 4)]), ("ii->i", [(3, 3)]),
            ("ii", [(3, 3)]), ("...ii->...i", [(2, 3, 3)]), ("iij,jk->ik", [(2, 2, 3), (3, 2)]), ("i,j->ij", [(2,), (3,)]),
            ("ijk,k->ij", [(2, 3, 4), (4,)]), ("bhwc,hkc->bhwk", [(1, 2, 3, 4), (2, 5, 4)]), ("ab,bc,cd->ad", [(2, 3)] * 3),
            ("ij,ij->", [(2, 3)] * 2))):
        shapes = [(2, 3), (3, 4), (4, 2)] if form == "ab,bc,cd->ad" else shapes
        x = [rnd(*s) for s in shapes]
        at("einsum_%d" % i, "Einsum", x, [np.asarray(np.einsum(form, *map(wide, x)))], version=12, equation=form)


# ---- numbers ----

def reduced():
    empty, far = np.zeros((2, 0, 3), F), np.array([[INF, 1, 2], [-INF, -INF, -INF], [1, 2, 3]], F)
    wanted = {"ReduceSum": 0, "ReduceProd": 1, "ReduceMax": -INF, "ReduceMin": INF, "ReduceL1": 0, "ReduceL2": 0,
              "ReduceLogSum": -INF, "ReduceLogSumExp": -INF, "ReduceSumSquare": 0}
    for op, value in wanted.items():
        at("empty_" + op.lower(), op, [empty, np.array([1])], [np.full((2, 1, 3), value, F)], version=20, constant=(1,))
    for kind in (np.int8, np.int32, np.uint8):
        for op, value in (("ReduceMax", np.iinfo(kind).min), ("ReduceMin", np.iinfo(kind).max)):
            at("empty_%s_%s" % (op.lower(), kind.__name__), op, [empty.astype(kind), np.array([1])],
               [np.full((2, 1, 3), value, kind)], version=20, constant=(1,))
    with np.errstate(all="ignore"):
        at("log_sum_exp_far", "ReduceLogSumExp", [far, np.array([-1])], [np.log(np.exp(wide(far)).sum(-1))],
           constant=(1,), keepdims=0)
    x = integers(1, 9, 3, 4, t=np.int32)
    at("log_sum_int", "ReduceLogSum", [x, np.array([0])], [np.log(x.sum(0)).astype(np.int32)], constant=(1,), keepdims=0)
    for rank in (0, 8):
        x = rnd(*[2 if d % 3 else 1 for d in range(rank)])
        at("rank_%d" % rank, "ReduceSum", [x], [np.asarray(wide(x).sum(keepdims=True))], keepdims=1)
        at("add_rank_%d" % rank, "Add", [x, np.array(2, F)], [np.asarray(x + F(2))])
        at("transpose_rank_%d" % rank, "Transpose", [x], [np.asarray(x.T)])
    for a, b in (((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)), ((2, 1, 2, 3), (4, 3, 2)), ((2, 0), (0, 3)), ((0, 3), (3, 2))):
        u, v = rnd(*a), rnd(*b)
        at("matmul_%s_%s" % ("x".join(map(str, a)), "x".join(map(str, b))), "MatMul", [u, v], [np.asarray(wide(u) @ wide(v))])


def resized():
    for t in (np.uint8, np.int32):
        x = integers(0, 99, 1, 1, 3, 3, t=t)
        y = np.zeros((1, 1, 6, 3))
        for i in range(6):
            place = min(max((i + 0.5) / 2 - 0.5, 0), 2)
            low = int(place)
            y[0, 0, i] = x[0, 0, low] + (place - low) * (wide(x[0, 0, min(low + 1, 2)]) - x[0, 0, low])
        at("resize_" + t.__name__, "Resize", [x, None, np.array([1, 1, 2, 1], F)], [np.trunc(y).astype(t)], constant=(2,),
           mode="linear")
    for policy, k in itertools.product(("not_larger", "not_smaller"), range(4)):
        size, wish = RANDOM.randint(2, 7, 2), RANDOM.randint(1, 9, 2)
        scale = (min if policy == "not_larger" else max)(wish / size)
        to = np.floor(scale * size + 0.5).astype(int)
        x = rnd(1, *size)
        i, j = (np.clip(np.floor(np.arange(n) / scale), 0, s - 1).astype(int) for n, s in zip(to, size))
        if min(to) > 0:
            at("resize_%s_%d" % (policy, k), "Resize", [x, None, None, wish], [x[:, i][:, :, j]], constant=(3,), axes=[1, 2],
               mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric",
               keep_aspect_ratio_policy=policy)
    for axis, block in ((0, 2), (1, 2), (-1, 4)):
        x, q = rnd(4, 4) * F(30), integers(0, 99, 4, 4, t=np.uint8)
        shape = [4, 4]
        shape[axis] //= block
        scale, zero = np.abs(rnd(*shape)) + F(0.1), integers(0, 9, *shape, t=np.uint8)
        s, z = (np.repeat(v, block, axis) for v in (scale, zero))
        at("quantize_block_%d" % axis, "QuantizeLinear", [x, scale, zero],
           [np.clip(np.rint(x / s) + z, 0, 255).astype(np.uint8)], version=21, axis=axis, block_size=block)
        at("dequantize_block_%d" % axis, "DequantizeLinear", [q, scale, zero], [(wide(q) - z) * s], version=21, axis=axis,
           block_size=block)


if __name__ == "__main__":
    sys.exit(main((recurrent, pools, transposed, moved, reduced, resized), __doc__))
