# SPDX-License-Identifier: Apache-2.0
"""Writes one small ONNX model: tiny.py KIND FILE. Each kind shows one mistake, or one feature."""

import os
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

F32, I64 = TensorProto.FLOAT, TensorProto.INT64
value, node = helper.make_tensor_value_info, helper.make_node


def model(nodes, inputs, outputs, weights=(), opset=17, **more):
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(v, k) for k, v in weights])
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], **more)
    m.ir_version = 8
    return m


def relu(shape=(2, 3), out=None):
    return model([node("Relu", ["x"], ["y"], name="act")], [value("x", F32, shape)], [value("y", F32, out or shape)])


def symbolic():
    return relu(("batch", None, 3))


def unsupported():
    nodes = [node("Bernoulli", ["x"], ["a"], name="first"), node("Cast", ["a"], ["b"], to=F32),
             node("Vectorise", ["b"], ["c"]), node("Bernoulli", ["c"], ["y"])]
    return model(nodes, [value("x", F32, (2, 3))], [value("y", I64, None)])


def old():
    nodes = [node("Gelu", ["x"], ["y"], name="g")]
    return model(nodes, [value("x", F32, (2,))], [value("y", F32, (2,))])


def declared():
    return relu((2, 3), (3, 2))


def undefined():
    nodes = [node("Add", ["x", "ghost"], ["a"], name="plus"), node("Relu", ["a"], ["y"], name="act")]
    return model(nodes, [value("x", F32, (2,))], [value("y", F32, (2,))])


def dynamic():
    nodes = [node("Reshape", ["x", "shape"], ["y"], name="fold")]
    return model(nodes, [value("x", F32, (2, 3)), value("shape", I64, (1,))], [value("y", F32, None)])


def shapes():
    nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"], axis=0),
             node("Unsqueeze", ["n", "axes"], ["n1"]), node("Concat", ["n1", "rest"], ["to"], axis=0),
             node("Reshape", ["x", "to"], ["y"], name="flat")]
    weights = [("zero", np.array(0)), ("axes", np.array([0])), ("rest", np.array([-1]))]
    return model(nodes, [value("x", F32, ("n", 3, 4))], [value("y", F32, ("n", 12))], weights)


def short():
    m = model([node("Add", ["x", "w"], ["y"], name="plus")], [value("x", F32, (4,))], [value("y", F32, (4,))],
              [("w", np.ones(4, np.float32))])
    m.graph.initializer[0].raw_data = b"\0" * 10
    return m


def external(location, length=None):
    m = model([node("Add", ["x", "w"], ["y"], name="plus")], [value("x", F32, (100,))], [value("y", F32, (100,))],
              [("w", np.ones(100, np.float32))])
    w = m.graph.initializer[0]
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    for key, v in (("location", location), ("offset", "8"), ("length", length)):
        if v is not None:
            w.external_data.add(key=key, value=v)
    return m


def beside():
    with open(sys.argv[2] + ".bin", "wb") as f:
        f.write(b"\0" * 8 + np.arange(100, dtype=np.float32).tobytes())
    return external(sys.argv[2].rsplit("/", 1)[-1] + ".bin")


def link():
    os.symlink("/etc/passwd", sys.argv[2] + ".bin")
    return external(sys.argv[2].rsplit("/", 1)[-1] + ".bin")


def missing():
    return external("nowhere.bin")


def outside():
    return external("../../../../../../etc/passwd")


def absolute():
    return external("/etc/passwd")


def beyond():
    with open(sys.argv[2] + ".bin", "wb") as f:
        f.write(b"\0" * 100)
    return external(sys.argv[2].rsplit("/", 1)[-1] + ".bin")


def function():
    m = model([node("Twice", ["x"], ["y"], name="call", domain="mine", by=2.0)], [value("x", F32, (2,))],
              [value("y", F32, (2,))])
    by = node("Constant", [], ["k"])
    by.attribute.add(name="value_float", type=1, ref_attr_name="by")
    f = helper.make_function("mine", "Twice", ["a"], ["b"], [by, node("Mul", ["a", "k"], ["b"])],
                             [helper.make_opsetid("", 17)], ["by"])
    m.functions.append(f)
    m.opset_import.append(helper.make_opsetid("mine", 1))
    return m


def recursive():
    m = model([node("Again", ["x"], ["y"], name="call", domain="mine")], [value("x", F32, (2,))],
              [value("y", F32, (2,))])
    m.functions.append(helper.make_function("mine", "Again", ["a"], ["b"], [node("Again", ["a"], ["b"], domain="mine")],
                                            [helper.make_opsetid("mine", 1)]))
    m.opset_import.append(helper.make_opsetid("mine", 1))
    return m


if __name__ == "__main__":
    with open(sys.argv[2], "wb") as out:
        out.write(globals()[sys.argv[1]]().SerializeToString())
