#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 1.0: inverted residuals (Sandler et al. 2018, table 2), BatchNormalization folded.

Published: 3.50 M weights, 300.8 M multiply-accumulates (torchvision). Folding leaves a bias for
each convolution instead of a scale and a shift, so this file has 3.49 M.
"""

from graph import Family

# expansion, channels, repeats, first stride
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
SMALL = [(1, 8, 1, 1), (6, 12, 2, 2)]


def conv_relu6(g, x, name, channels_in, channels, kernel, stride=1, groups=1):
    y = g.conv(x, name, channels_in, channels, kernel, stride, kernel // 2, groups)
    return g.node("Clip", [y, g.scalar(name + ".min", 0), g.scalar(name + ".max", 6)], name + "/Clip")


def inverted_residual(g, x, name, channels_in, channels, stride, expansion):
    hidden = channels_in * expansion
    y = x
    if expansion > 1:
        y = conv_relu6(g, y, name + "/expand", channels_in, hidden, 1)
    y = conv_relu6(g, y, name + "/depthwise", hidden, hidden, 3, stride, hidden)
    y = g.conv(y, name + "/project", hidden, channels, 1, gain=1.0)
    if stride == 1 and channels_in == channels:
        y = g.node("Add", [x, y], name + "/Add")
    return y


def build(g, c):
    """MobileNetV2 as an exporter writes it."""
    x = g.input("input", (1, 3, c.size, c.size))
    x = conv_relu6(g, x, "features.0", 3, c.first, 3, 2)
    channels_in, index = c.first, 1
    for expansion, channels, repeats, stride in c.stages:
        for r in range(repeats):
            x = inverted_residual(g, x, f"features.{index}", channels_in, channels, stride if r == 0 else 1, expansion)
            channels_in, index = channels, index + 1
    x = conv_relu6(g, x, f"features.{index}", channels_in, c.last, 1)
    x = g.node("GlobalAveragePool", [x], "GlobalAveragePool")
    x = g.node("Flatten", [x], "Flatten", axis=1)
    return g.gemm(x, "classifier", c.last, c.classes)


MODEL = Family(build, {
    "mobilenet_v2": dict(size=224, first=32, last=1280, classes=1000, stages=STAGES, published=(0.3008, 3.50)),
}, small=dict(size=32, first=8, last=32, classes=10, stages=SMALL))

if __name__ == "__main__":
    MODEL.main()
