#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""VGG-16 (Simonyan and Zisserman 2015, table 1, D). Published: torchvision (15.47 G; 138.36 M)."""

from graph import Family


def build(g, c):
    """VGG-16 as an exporter writes it."""
    channels_in, side, index = 3, c.size, 0
    x = g.input("input", (1, 3, side, side))
    for channels, repeats in c.stages:
        for _ in range(repeats):
            x = g.conv(x, f"features.{index}", channels_in, channels, 3, 1, 1)
            x = g.node("Relu", [x], f"features.{index + 1}/Relu")
            channels_in, index = channels, index + 2
        x = g.node("MaxPool", [x], f"features.{index}/MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        side, index = side // 2, index + 1
    x = g.node("Flatten", [x], "Flatten", axis=1)
    size = channels_in * side * side
    for i in (0, 3):
        x = g.node("Relu", [g.gemm(x, f"classifier.{i}", size, c.hidden)], f"classifier.{i + 1}/Relu")
        size = c.hidden
    return g.gemm(x, "classifier.6", size, c.classes)


MODEL = Family(build, {
    "vgg16": dict(size=224, stages=((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), hidden=4096, classes=1000,
                  published=(15.47, 138.36)),
}, small=dict(size=16, stages=((8, 2), (12, 3)), hidden=24, classes=10))

if __name__ == "__main__":
    MODEL.main()
