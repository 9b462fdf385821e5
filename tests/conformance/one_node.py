# SPDX-License-Identifier: Apache-2.0
"""Cases that are a model of one node each: what it is given, and what a direct numpy form of the operator makes of
it in 64-bit floats; or a mistake, and what is said of it. Exit status 77 without python3-onnx.
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


def mistake(name, said, op, inputs, constant=(), version=23, domain="com.microsoft", **attributes):
    case("mistake_" + name, op, inputs, [np.zeros(1, F)], constant=constant, version=version, domain=domain, **attributes)
    CASES[-1].refused = said


RANDOM = np.random.RandomState(7)


def rnd(*shape):
    return RANDOM.standard_normal(shape).astype(F)


def u8(*shape):
    return RANDOM.randint(0, 256, shape).astype(np.uint8)


def i8(*shape):
    return RANDOM.randint(-128, 128, shape).astype(np.int8)


def scale_of(v):
    return np.array(v, F)


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


def unpack(b, bits):
    """Elements of the last dim, low bits first."""
    parts = [b.astype(np.uint8) >> i & (1 << bits) - 1 for i in range(0, 8, bits)]
    return np.stack(parts, -1).reshape(*b.shape[:-1], -1)


# ---- the run ----

def main(families, what):
    """Runs the cases that the families make; what: the help text."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
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
