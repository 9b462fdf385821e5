# SPDX-License-Identifier: Apache-2.0
"""Writes models that are very large, or made to do harm: bombs.py FOLDER."""

import os
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

F32 = TensorProto.FLOAT
value, node = helper.make_tensor_value_info, helper.make_node
folder = sys.argv[1]


def save(name, nodes, weights=(), result="y", shape=None, first=(1, 4096)):
    graph = helper.make_graph(nodes, "g", [value("x", F32, first)], [value(result, F32, shape)], list(weights))
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    m.ir_version = 8
    with open(os.path.join(folder, name + ".onnx"), "wb") as f:
        f.write(m.SerializeToString())
    return m


def external(name, dims, location, offset, length):
    t = TensorProto(name=name, data_type=F32, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, v in (("location", location), ("offset", offset), ("length", length)):
        e = t.external_data.add()
        e.key, e.value = key, str(v)
    return t


SIDE, COUNT = 4096, 160
EACH = 4 * SIDE * SIDE
with open(os.path.join(folder, "w.bin"), "wb") as f:
    f.truncate(COUNT * EACH)
chain = ["x"] + ["y%d" % i for i in range(COUNT)]
save("large", [node("MatMul", [chain[i], "w%d" % i], [chain[i + 1]]) for i in range(COUNT)],
     [external("w%d" % i, [SIDE, SIDE], "w.bin", i * EACH, EACH) for i in range(COUNT)], chain[-1])

small = numpy_helper.from_array(np.ones(2, np.float32), "w")
product = [node("MatMul", ["x", "w"], ["y"], name="product")]
save("past", product, [external("w", [SIDE, SIDE], "w.bin", 9223372036854775000 - 0, EACH)])
save("dims", product, [external("w", [4, 1 << 62], "w.bin", 0, 16)])
save("escape", product, [external("w", [SIDE, SIDE], "../" + os.path.basename(folder) + "/w.bin", 0, EACH)])
save("twice", product, [small, small])
save("cycle", [node("Relu", ["b"], ["a"], name="first"), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])])
save("remade", [node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])])
# A list of dims that says it is 2^40 bytes long.
with open(os.path.join(folder, "count.onnx"), "wb") as f:
    f.write(bytes([0x08, 8, 0x3a, 0x0a, 0x2a, 0x08, 0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0x01]))
body = helper.make_graph(
    [node("Identity", ["go"], ["on"]), node("Identity", ["v"], ["out"])], "body",
    [value("i", TensorProto.INT64, ()), value("go", TensorProto.BOOL, ()), value("v", F32, None)],
    [value("on", TensorProto.BOOL, ()), value("out", F32, None)])
true = numpy_helper.from_array(np.array(True), "true")
save("forever", [node("Loop", ["", "true", "x"], ["y"], name="loop", body=body)], [true], first=(1,))
