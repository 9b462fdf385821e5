# SPDX-License-Identifier: Apache-2.0
"""What the model scripts share: building an ONNX graph node by node, with seeded weights.

A script defines build(graph, c), which returns the names of the results, and a Family: the variants
that differ by numbers only, and the changes that make a variant small. c holds those numbers. The
file is written as VARIANT.onnx beside test_data_set_0/input_0.pb, the layout of ONNX test data.
Weights are drawn so that values keep their size from layer to layer; a network of random weights
has the shapes and the arithmetic of the trained one, not its answers.
"""

import argparse
import os
from types import SimpleNamespace

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

OPSET = 17

# Endings of names of float tensors that are not trained.
FIXED = (".running_mean", ".running_var", ".mask", ".fixed")

# Smaller tensors stay in the model file, where shape inference can read them.
LARGE = 256


class Graph:
    """One ONNX graph. Methods add a node and return the name of its result."""

    def __init__(self, name, seed):
        self.name = name
        self.random = np.random.default_rng(seed)
        self.nodes, self.inputs, self.data = [], [], []
        self.weights = {}

    def input(self, name, shape, dtype=np.float32, high=None):
        """A graph input, and a tensor for it: normal floats, or integers below `high`."""
        if high is None:
            value = self.random.standard_normal(shape).astype(dtype)
        else:
            value = self.random.integers(0, high, shape).astype(dtype)
        kind = numpy_helper.from_array(value).data_type
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        self.data.append((name, value))
        return name

    def constant(self, name, value):
        """A tensor of the file; asked for again under its name it is there once."""
        self.weights.setdefault(name, np.asarray(value, order="C"))
        return name

    def weight(self, name, shape, fan_in):
        """Normal weights of standard deviation 1 / sqrt(fan_in)."""
        value = self.random.standard_normal(shape, dtype=np.float32)
        value /= np.float32(np.sqrt(fan_in))
        return self.constant(name, value)

    def around(self, name, shape, centre, spread):
        """Weights uniform in centre - spread .. centre + spread (scales, biases, statistics)."""
        value = self.random.random(shape, dtype=np.float32)
        return self.constant(name, value * np.float32(2 * spread) + np.float32(centre - spread))

    def ints(self, name, values):
        return self.constant(name, np.array(values, dtype=np.int64))

    def scalar(self, name, value):
        return self.constant(name, np.array(value, dtype=np.float32))

    def node(self, op, inputs, name, outputs=1, **attributes):
        """The result is named NAME_output_K as PyTorch's exporter does."""
        results = [f"{name}_output_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, results, name=name, **attributes))
        return results[0] if outputs == 1 else results

    def reshape(self, x, shape, name):
        return self.node("Reshape", [x, self.ints(name + ".shape", shape)], name)

    def transpose(self, x, name, *perm):
        return self.node("Transpose", [x], name, perm=perm)

    def to_image(self, x, name, side, width):
        """[1, side * side, width] to [1, width, side, side]"""
        x = self.transpose(x, name + "/Transpose", 0, 2, 1)
        return self.reshape(x, [1, width, side, side], name + "/Reshape")

    def to_tokens(self, x, name, side, width):
        """[1, width, side, side] to [1, side * side, width]"""
        x = self.reshape(x, [1, width, side * side], name + "/Reshape")
        return self.transpose(x, name + "/Transpose", 0, 2, 1)

    def slice(self, x, name, starts, ends, axes, steps=None):
        parts = [("starts", starts), ("ends", ends), ("axes", axes)]
        parts += [("steps", steps)] if steps else []
        return self.node("Slice", [x, *(self.ints(f"{name}.{k}", v) for k, v in parts)], name)

    def conv(self, x, name, channels_in, channels, kernel, stride=1, pad=0, groups=1, bias=True,
             gain=2.0):
        """kernel and pad: one number, or rows and columns. gain: variance of the result by that of
        the input; 2 makes up for a Relu behind it."""
        kernel, pad = ([v] * 2 if isinstance(v, int) else list(v) for v in (kernel, pad))
        fan_in = channels_in // groups * kernel[0] * kernel[1]
        shape = (channels, channels_in // groups, *kernel)
        inputs = [x, self.weight(name + ".weight", shape, fan_in / gain)]
        if bias:
            inputs.append(self.around(name + ".bias", channels, 0, 0.1))
        return self.node("Conv", inputs, name + "/Conv", dilations=[1, 1], group=groups,
                         kernel_shape=kernel, pads=pad * 2, strides=[stride, stride])

    def depthwise(self, x, name, channels, kernel):
        return self.conv(x, name, channels, channels, kernel, 1, kernel // 2, channels, gain=1.0)

    def batch_norm(self, x, name, channels, epsilon=1e-5):
        inputs = [x, self.around(name + ".weight", channels, 1, 0.1),
                  self.around(name + ".bias", channels, 0, 0.1),
                  self.around(name + ".running_mean", channels, 0, 0.1),
                  self.around(name + ".running_var", channels, 1, 0.2)]
        return self.node("BatchNormalization", inputs, name + "/BatchNormalization", epsilon=epsilon)

    def linear(self, x, name, size_in, size, bias=True):
        """x times a matrix, for any number of leading dims: MatMul and Add."""
        w = self.weight(name + ".weight", (size_in, size), size_in)
        y = self.node("MatMul", [x, w], name + "/MatMul")
        if not bias:
            return y
        return self.node("Add", [self.around(name + ".bias", size, 0, 0.1), y], name + "/Add")

    def gemm(self, x, name, size_in, size):
        """x[N, in] times a matrix: Gemm with the weights as [out, in]."""
        inputs = [x, self.weight(name + ".weight", (size, size_in), size_in),
                  self.around(name + ".bias", size, 0, 0.1)]
        return self.node("Gemm", inputs, name + "/Gemm", alpha=1.0, beta=1.0, transB=1)

    def layer_norm(self, x, name, size, epsilon=1e-6):
        inputs = [x, self.around(name + ".weight", size, 1, 0.1),
                  self.around(name + ".bias", size, 0, 0.1)]
        return self.node("LayerNormalization", inputs, name + "/LayerNormalization", axis=-1,
                         epsilon=epsilon)

    def gelu(self, x, name):
        """x * (1 + erf(x / sqrt 2)) / 2, node by node."""
        y = self.node("Div", [x, self.scalar(name + ".sqrt2", np.sqrt(2))], name + "/Div")
        y = self.node("Erf", [y], name + "/Erf")
        y = self.node("Add", [y, self.scalar(name + ".one", 1)], name + "/Add")
        y = self.node("Mul", [x, y], name + "/Mul")
        return self.node("Mul", [y, self.scalar(name + ".half", 0.5)], name + "/Mul_1")

    def heads(self, x, name, batch, tokens, heads, size):
        """The three results of a fused qkv projection, each [batch, heads, tokens, size]."""
        y = self.reshape(x, [batch, tokens, 3, heads, size], name + "/Reshape")
        y = self.transpose(y, name + "/Transpose", 2, 0, 3, 1, 4)
        return [self.node("Gather", [y, self.constant(f"{name}.index{k}", np.array(k, np.int64))],
                          f"{name}/Gather_{k}", axis=0) for k in range(3)]

    def split_heads(self, x, name, batch, tokens, heads, size):
        """[batch, tokens, heads * size] to [batch, heads, tokens, size]"""
        y = self.reshape(x, [batch, tokens, heads, size], name + "/Reshape")
        return self.transpose(y, name + "/Transpose", 0, 2, 1, 3)

    def attend(self, q, k, v, name, size, mask=None):
        """softmax(mask(q k' / sqrt size)) v; mask: a function of the scores' name"""
        k = self.transpose(k, name + "/Transpose_1", 0, 1, 3, 2)
        q = self.node("Mul", [q, self.scalar(name + ".scale", size ** -0.5)], name + "/Mul")
        s = self.node("MatMul", [q, k], name + "/MatMul")
        if mask:
            s = mask(s)
        s = self.node("Softmax", [s], name + "/Softmax", axis=-1)
        return self.node("MatMul", [s, v], name + "/MatMul_1")

    def join(self, x, name, batch, tokens, size):
        """[batch, heads, tokens, .] to [batch, tokens, size]"""
        y = self.transpose(x, name + "/Transpose_2", 0, 2, 1, 3)
        return self.reshape(y, [batch, tokens, size], name + "/Reshape_1")

    def mlp(self, x, name, size, hidden):
        y = self.linear(x, name + "/fc1", size, hidden)
        y = self.gelu(y, name + "/act")
        return self.linear(y, name + "/fc2", hidden, size)

    def skeleton(self, results):
        """The model with its large tensors as inputs: what shapes and checks need."""
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results]
        renamed = [helper.make_node("Identity", [x], [name], name=name) for name, x in results.items()]
        small = [numpy_helper.from_array(v, k) for k, v in self.weights.items() if v.size < LARGE]
        large = [helper.make_tensor_value_info(k, numpy_helper.from_array(v[:0]).data_type, v.shape)
                 for k, v in self.weights.items() if v.size >= LARGE]
        graph = helper.make_graph(self.nodes + renamed, self.name, self.inputs + large, outputs, small)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                  producer_name="pimopt-examples")
        model.ir_version = 8
        model = shape_inference.infer_shapes(model, strict_mode=True)
        checker.check_model(model)
        return model

    def count(self, model):
        """Multiply-accumulates of Conv, Gemm and MatMul, and trained float weights."""
        shapes = {k: v.shape for k, v in self.weights.items()}
        for v in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
            shapes[v.name] = [d.dim_value for d in v.type.tensor_type.shape.dim]
        macs = 0
        for n in model.graph.node:
            result = int(np.prod(shapes[n.output[0]], dtype=np.int64))
            if n.op_type == "Conv":
                macs += result * int(np.prod(shapes[n.input[1]][1:]))
            elif n.op_type in ("MatMul", "Gemm"):
                macs += result * shapes[n.input[0]][-1]
        weights = sum(v.size for k, v in self.weights.items()
                      if v.dtype == np.float32 and v.ndim and not k.endswith(FIXED))
        return macs, weights

    def save(self, model, path, weights):
        """Puts the large tensors in: in the file, or behind each other in PATH.data."""
        inputs = [v for v in model.graph.input if v.name not in self.weights]
        del model.graph.input[:]
        model.graph.input.extend(inputs)
        large = [(k, v) for k, v in self.weights.items() if v.size >= LARGE]
        if weights != "inside":
            with open(path + ".data", "wb") as f:
                for name, value in large:
                    model.graph.initializer.append(write_outside(f, name, value))
                f.truncate()
        else:
            model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in large)
        with open(path, "wb") as f:
            f.write(model.SerializeToString())


class Outline(Graph):
    """A graph whose weights are zeros that take no memory, nor space in a sparse file."""

    def weight(self, name, shape, fan_in):
        self.weights.setdefault(name, np.broadcast_to(np.float32(0), shape))
        return name

    def around(self, name, shape, centre, spread):
        return self.weight(name, shape, 1)


def write_outside(f, name, value):
    """A tensor whose elements are in f from its next multiple of 64 bytes on; zeros leave a hole."""
    f.seek(-f.tell() % 64, os.SEEK_CUR)
    t = TensorProto(name=name, dims=value.shape, data_location=TensorProto.EXTERNAL,
                    data_type=numpy_helper.from_array(value[:0]).data_type)
    place = {"location": os.path.basename(f.name), "offset": f.tell(), "length": value.nbytes}
    for key, figure in place.items():
        t.external_data.add(key=key, value=str(figure))
    if value.strides[-1]:
        f.write(value.data)
    else:
        f.seek(value.nbytes, os.SEEK_CUR)
    return t


class Family:
    """Models of one script. variants: by name, the numbers given to build, and `published`, the
    G multiply-accumulates and M weights of the source named in the script (None where it has none).
    small: what --small changes. options: (name, default, help) of further numbers; False is a switch."""

    def __init__(self, build, variants, small, options=()):
        self.build, self.variants, self.small, self.options = build, variants, small, options

    def write(self, out, variant, seed=1, small=False, weights="inside", **options):
        """Writes a model and its input; tells path, nodes, macs, weights."""
        numbers = {name: default for name, default, _ in self.options} | self.variants[variant]
        numbers |= (self.small if small else {}) | options
        graph = (Outline if weights == "zeros" else Graph)(variant, seed)
        results = self.build(graph, SimpleNamespace(**numbers))
        model = graph.skeleton(results if isinstance(results, dict) else {"output": results})
        macs, parameters = graph.count(model)
        data = os.path.join(out, "test_data_set_0")
        os.makedirs(data, exist_ok=True)
        for i, (tensor, value) in enumerate(graph.data):
            with open(os.path.join(data, f"input_{i}.pb"), "wb") as f:
                f.write(numpy_helper.from_array(value, tensor).SerializeToString())
        path = os.path.join(out, variant + ".onnx")
        graph.save(model, path, weights)
        return SimpleNamespace(path=path, nodes=len(graph.nodes), macs=macs, weights=parameters, graph=graph,
                               numbers=SimpleNamespace(**numbers))

    def main(self):
        p = argparse.ArgumentParser(description=self.build.__doc__)
        p.add_argument("--out", default=".", help="folder to write to")
        p.add_argument("--seed", type=int, default=1, help="of weights and input")
        p.add_argument("--variant", choices=self.variants, default=next(iter(self.variants)))
        p.add_argument("--small", action="store_true", help="the same structure, tiny")
        p.add_argument("--weights", choices=("inside", "external", "zeros"), default="inside",
                       help="external: in a file beside the model; zeros: the same, none drawn and no space taken")
        for name, default, text in self.options:
            kind = {"action": "store_true"} if default is False else {"type": int}
            p.add_argument("--" + name.replace("_", "-"), default=None, help=text, **kind)
        a = p.parse_args()
        given = {name: getattr(a, name) for name, _, _ in self.options}
        r = self.write(a.out, a.variant, a.seed, a.small, a.weights,
                       **{k: v for k, v in given.items() if v is not None})
        print(f"{r.path}: {r.nodes} nodes, {r.macs / 1e6:.1f} M MACs, {r.weights / 1e6:.3f} M weights")
