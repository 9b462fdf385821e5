#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ResNet-50: bottlenecks 3, 4, 6, 3, stride in the 3 x 3 convolution (torchvision's form of
He et al. 2016). Published: 25.56 M weights, 4.089 G multiply-accumulates.
"""

from graph import main


def conv_bn(g, x, name, channels_in, channels, kernel, stride, fold, gain=2.0):
    y = g.conv(x, name, channels_in, channels, kernel, stride, kernel // 2, bias=fold, gain=gain)
    return y if fold else g.batch_norm(y, name + "/bn", channels)


def bottleneck(g, x, name, channels_in, channels, stride, fold):
    y = conv_bn(g, x, name + "/conv1", channels_in, channels, 1, 1, fold)
    y = g.node("Relu", [y], name + "/Relu")
    y = conv_bn(g, y, name + "/conv2", channels, channels, 3, stride, fold)
    y = g.node("Relu", [y], name + "/Relu_1")
    y = conv_bn(g, y, name + "/conv3", channels, 4 * channels, 1, 1, fold, 0.2)
    if stride > 1 or channels_in != 4 * channels:
        x = conv_bn(g, x, name + "/downsample", channels_in, 4 * channels, 1, stride, fold, 1.0)
    return g.node("Relu", [g.node("Add", [y, x], name + "/Add")], name + "/Relu_2")


def build(g, small, folded_bn):
    """ResNet-50 as an exporter writes it."""
    size, width, stages, classes = (32, 8, (1, 2), 10) if small else (224, 64, (3, 4, 6, 3), 1000)
    x = g.input("input", (1, 3, size, size))
    x = conv_bn(g, x, "conv1", 3, width, 7, 2, folded_bn)
    x = g.node("Relu", [x], "Relu")
    x = g.node("MaxPool", [x], "MaxPool", kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    channels_in = width
    for s, blocks in enumerate(stages):
        channels = width << s
        for b in range(blocks):
            stride = 2 if s and b == 0 else 1
            x = bottleneck(g, x, f"layer{s + 1}.{b}", channels_in, channels, stride, folded_bn)
            channels_in = 4 * channels
    x = g.node("GlobalAveragePool", [x], "GlobalAveragePool")
    x = g.node("Flatten", [x], "Flatten", axis=1)
    return g.gemm(x, "fc", channels_in, classes)


if __name__ == "__main__":
    main("resnet50", build, [("folded-bn", "convolutions with bias instead of BatchNormalization")])
