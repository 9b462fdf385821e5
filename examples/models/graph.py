# SPDX-License-Identifier: Apache-2.0
"""What the model scripts share: building an ONNX graph node by node, with seeded weights.

A script defines build(graph, small), which returns the result's name, and calls main(). The file is
written as MODEL.onnx beside test_data_set_0/input_0.pb, the layout of ONNX test data. Weights are
drawn so that values keep their size from layer to layer; a network of random weights has the shapes
and the arithmetic of the trained one, not its answers.
"""

import argparse
import os

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save, shape_inference

OPSET = 17

# Endings of names of float tensors that are not trained.
FIXED = (".running_mean", ".running_var", ".mask")


class Graph:
    """One ONNX graph. Methods add a node and return the name of its result."""

    def __init__(self, name, seed):
        self.name = name
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.inputs = [], [], []
        self.data = []

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
        self.weights.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def weight(self, name, shape, fan_in):
        """Normal weights of standard deviation 1 / sqrt(fan_in)."""
        value = self.random.standard_normal(shape) / np.sqrt(fan_in)
        return self.constant(name, value.astype(np.float32))

    def around(self, name, shape, centre, spread):
        """Weights uniform in centre - spread .. centre + spread (scales, biases, statistics)."""
        value = self.random.uniform(centre - spread, centre + spread, shape)
        return self.constant(name, value.astype(np.float32))

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

    def conv(self, x, name, channels_in, channels, kernel, stride=1, pad=0, groups=1, bias=True,
             gain=2.0):
        """gain: variance of the result by that of the input; 2 makes up for a Relu behind it."""
        fan_in = channels_in // groups * kernel * kernel
        shape = (channels, channels_in // groups, kernel, kernel)
        inputs = [x, self.weight(name + ".weight", shape, fan_in / gain)]
        if bias:
            inputs.append(self.around(name + ".bias", channels, 0, 0.1))
        return self.node("Conv", inputs, name + "/Conv", dilations=[1, 1], group=groups,
                         kernel_shape=[kernel, kernel], pads=[pad] * 4, strides=[stride, stride])

    def batch_norm(self, x, name, channels):
        inputs = [x, self.around(name + ".weight", channels, 1, 0.1),
                  self.around(name + ".bias", channels, 0, 0.1),
                  self.around(name + ".running_mean", channels, 0, 0.1),
                  self.around(name + ".running_var", channels, 1, 0.2)]
        return self.node("BatchNormalization", inputs, name + "/BatchNormalization", epsilon=1e-5)

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
        y = self.node("Transpose", [y], name + "/Transpose", perm=[2, 0, 3, 1, 4])
        return [self.node("Gather", [y, self.constant(f"{name}.index{k}", np.array(k, np.int64))],
                          f"{name}/Gather_{k}", axis=0) for k in range(3)]

    def attend(self, q, k, v, name, size, add=()):
        """softmax(q k' / sqrt size + what is added) v"""
        k = self.node("Transpose", [k], name + "/Transpose_1", perm=[0, 1, 3, 2])
        q = self.node("Mul", [q, self.scalar(name + ".scale", size ** -0.5)], name + "/Mul")
        s = self.node("MatMul", [q, k], name + "/MatMul")
        for i, mask in enumerate(add):
            s = self.node("Add", [s, mask], f"{name}/Add_{i}")
        s = self.node("Softmax", [s], name + "/Softmax", axis=-1)
        return self.node("MatMul", [s, v], name + "/MatMul_1")

    def join(self, x, name, batch, tokens, size):
        """[batch, heads, tokens, .] to [batch, tokens, size]"""
        y = self.node("Transpose", [x], name + "/Transpose_2", perm=[0, 2, 1, 3])
        return self.reshape(y, [batch, tokens, size], name + "/Reshape_1")

    def mlp(self, x, name, size, hidden):
        y = self.linear(x, name + "/fc1", size, hidden)
        y = self.gelu(y, name + "/act")
        return self.linear(y, name + "/fc2", hidden, size)

    def model(self, result):
        y = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
        self.nodes.append(helper.make_node("Identity", [result], ["output"], name="output"))
        graph = helper.make_graph(self.nodes, self.name, self.inputs, [y], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                  producer_name="pimopt-examples")
        model.ir_version = 8
        model = shape_inference.infer_shapes(model, strict_mode=True)
        checker.check_model(model)
        return model


def count(model):
    """Multiply-accumulates of Conv, Gemm and MatMul, and trained float weights."""
    shapes = {w.name: list(w.dims) for w in model.graph.initializer}
    for v in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        shapes[v.name] = [d.dim_value for d in v.type.tensor_type.shape.dim]
    macs = 0
    for n in model.graph.node:
        if n.op_type == "Conv":
            macs += np.prod(shapes[n.output[0]]) * np.prod(shapes[n.input[1]][1:])
        elif n.op_type in ("MatMul", "Gemm"):
            macs += np.prod(shapes[n.output[0]]) * shapes[n.input[0]][-1]
    weights = sum(int(np.prod(w.dims)) for w in model.graph.initializer
                  if w.data_type == TensorProto.FLOAT and w.dims and not w.name.endswith(FIXED))
    return int(macs), weights


def main(name, build, options=()):
    """The command line of a script; options are (flag, help) of switches given to build by name."""
    p = argparse.ArgumentParser(description=build.__doc__)
    p.add_argument("--out", default=".", help="folder to write to")
    p.add_argument("--seed", type=int, default=1, help="of weights and input")
    p.add_argument("--small", action="store_true", help="the same structure, tiny")
    for flag, text in options:
        p.add_argument("--" + flag, action="store_true", help=text)
    a = p.parse_args()
    graph = Graph(name, a.seed)
    extra = {flag.replace("-", "_"): getattr(a, flag.replace("-", "_")) for flag, _ in options}
    model = graph.model(build(graph, a.small, **extra))
    data = os.path.join(a.out, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    for i, (tensor, value) in enumerate(graph.data):
        with open(os.path.join(data, f"input_{i}.pb"), "wb") as f:
            f.write(numpy_helper.from_array(value, tensor).SerializeToString())
    path = os.path.join(a.out, name + ".onnx")
    save(model, path)
    macs, weights = count(model)
    print(f"{path}: {len(graph.nodes)} nodes, {macs / 1e6:.1f} M MACs, {weights / 1e6:.3f} M weights")
