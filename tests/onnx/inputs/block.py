# SPDX-License-Identifier: Apache-2.0
"""Writes a small network with many forms of operators: block.py FILE."""

import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

F32 = TensorProto.FLOAT
value, node = helper.make_tensor_value_info, helper.make_node
seeded = np.random.default_rng(7)


def weights(*shape):
    return seeded.standard_normal(shape).astype(np.float32)


nodes = [
    node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
    node("Clip", ["c", "low", "high"], ["r"]),
    node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
    node("Transpose", ["p"], ["t"], perm=[0, 2, 3, 1]),
    node("Reshape", ["t", "rows"], ["m"]),
    node("LayerNormalization", ["m", "gain", "shift"], ["n"], axis=-1),
    node("Gemm", ["n", "g"], ["h"], transB=1, alpha=0.5),
    node("Softmax", ["h"], ["s"], axis=-1),
    node("ReduceSum", ["s", "axes"], ["total"], keepdims=0),
    node("TopK", ["total", "one"], ["best", "place"]),
    node("Pad", ["h", "around"], ["padded"], mode="edge"),
    node("Slice", ["padded", "from", "to", "along", "by"], ["cut"]),
]
given = {
    "w": weights(8, 3, 3, 3), "b": weights(8), "low": np.float32(0), "high": np.float32(6),
    "rows": np.array([4, 8]), "gain": weights(8), "shift": weights(8), "g": weights(16, 8),
    "axes": np.array([0]), "one": np.array([3]), "around": np.array([1, 0, 1, 0]),
    "from": np.array([-1]), "to": np.array([-100]), "along": np.array([0]), "by": np.array([-2]),
}
graph = helper.make_graph(
    nodes, "block", [value("x", F32, (1, 3, 8, 8))], [value("best", F32, (3,)), value("cut", F32, None)],
    [numpy_helper.from_array(np.asarray(v), k) for k, v in given.items()])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 8
with open(sys.argv[1], "wb") as f:
    f.write(model.SerializeToString())
