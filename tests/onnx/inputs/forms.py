# SPDX-License-Identifier: Apache-2.0
"""Writes a model of one operator in one of its historical forms: forms.py FORM FILE."""

import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

F32 = TensorProto.FLOAT

# form: opset, operator, shape of x, further inputs (constants), attributes, number of results
FORMS = {
    "clip6": (6, "Clip", (4,), [], {"min": -1.0, "max": 2.5}, 1),
    "clip11": (11, "Clip", (4,), [np.float32(-1), np.float32(2.5)], {}, 1),
    "clip11low": (11, "Clip", (4,), [np.float32(-1)], {}, 1),
    "pad2": (2 + 5, "Pad", (2, 3), [], {"pads": [0, 1, 0, 2], "value": 1.5}, 1),
    "pad11": (11, "Pad", (2, 3), [np.array([0, 1, 0, 2]), np.float32(1.5)], {}, 1),
    "pad18": (18, "Pad", (2, 3), [np.array([1, 2]), np.float32(1.5), np.array([-1])], {}, 1),
    "slice9": (9, "Slice", (4, 6), [], {"starts": [1, -3], "ends": [100, 6], "axes": [0, 1]}, 1),
    "slice10": (10, "Slice", (4, 6), [np.array([1, -3]), np.array([100, 6]), np.array([0, -1])], {}, 1),
    "slice_back": (13, "Slice", (4, 6), [np.array([-1]), np.array([-100]), np.array([1]), np.array([-2])], {}, 1),
    "squeeze11": (11, "Squeeze", (1, 3, 1), [], {"axes": [0]}, 1),
    "squeeze13": (13, "Squeeze", (1, 3, 1), [np.array([-3])], {}, 1),
    "squeeze_all": (13, "Squeeze", (1, 3, 1), [], {}, 1),
    "unsqueeze11": (11, "Unsqueeze", (3,), [], {"axes": [0, 2]}, 1),
    "unsqueeze13": (13, "Unsqueeze", (3,), [np.array([-1, 0])], {}, 1),
    "sum11": (11, "ReduceSum", (2, 3, 4), [], {"axes": [-1], "keepdims": 0}, 1),
    "sum13": (13, "ReduceSum", (2, 3, 4), [np.array([2])], {"keepdims": 0}, 1),
    "sum_noop": (13, "ReduceSum", (2, 3), [], {"noop_with_empty_axes": 1}, 1),
    "max18": (18, "ReduceMax", (2, 3, 4), [np.array([1, 0])], {}, 1),
    "split11": (11, "Split", (5, 2), [], {"split": [2, 3]}, 2),
    "split13": (13, "Split", (5, 2), [np.array([2, 3])], {}, 2),
    "split18": (18, "Split", (5, 2), [], {"num_outputs": 2}, 2),
    "softmax12": (12, "Softmax", (2, 3, 4), [], {"axis": 1}, 1),
    "softmax13": (13, "Softmax", (2, 3, 4), [], {"axis": 1}, 1),
    "dropout9": (9, "Dropout", (3,), [], {"ratio": 0.5}, 1),
    "dropout13": (13, "Dropout", (3,), [np.float32(0.5)], {}, 1),
    "add6": (6, "Add", (2, 3, 4), [np.ones(3, np.float32)], {"axis": 1, "broadcast": 1}, 1),
    "reshape0": (13, "Reshape", (2, 3, 4), [np.array([0, -1])], {}, 1),
    "upper": (13, "MaxPool", (1, 1, 5, 6), [], {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}, 1),
    "lower": (13, "MaxPool", (1, 1, 5, 6), [], {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"}, 1),
    "ceil": (13, "MaxPool", (1, 1, 6), [], {"kernel_shape": [3], "strides": [2], "ceil_mode": 1}, 1),
    "counted": (13, "AveragePool", (1, 1, 6), [],
                {"kernel_shape": [3], "strides": [2], "pads": [1, 1], "ceil_mode": 1, "count_include_pad": 1}, 1),
    "same_shape": (13, "ConvTranspose", (1, 1, 3), [np.ones((1, 1, 3), np.float32)],
                   {"strides": [2], "auto_pad": "SAME_UPPER"}, 1),
    "one_dim": (13, "MatMul", (3,), [np.ones((3, 2), np.float32)], {}, 1),
    "gemm": (13, "Gemm", (2, 3), [np.ones((4, 3), np.float32), np.ones(4, np.float32)], {"transB": 1, "beta": 0.5}, 1),
}


def build(form):
    opset, op, shape, rest, attributes, results = FORMS[form]
    names = [f"k{i}" for i in range(len(rest))]
    outputs = ["y"] if results == 1 else [f"y{i}" for i in range(results)]
    graph = helper.make_graph([helper.make_node(op, ["x", *names], outputs, name="op", **attributes)], "g",
                              [helper.make_tensor_value_info("x", F32, shape)],
                              [helper.make_tensor_value_info(y, F32, None) for y in outputs],
                              [numpy_helper.from_array(np.asarray(v), k) for k, v in zip(names, rest)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


if __name__ == "__main__":
    with open(sys.argv[2], "wb") as out:
        out.write(build(sys.argv[1]).SerializeToString())
