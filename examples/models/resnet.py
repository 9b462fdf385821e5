#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ResNet-18 and -50: the stride of a bottleneck is in its 3 x 3 convolution (torchvision's form of
He et al. 2016, table 1). Published: torchvision (1.814, 4.089 G; 11.69, 25.56 M).
"""

from graph import Family


def conv_bn(g, x, name, channels_in, channels, kernel, stride, fold, gain=2.0):
    y = g.conv(x, name, channels_in, channels, kernel, stride, kernel // 2, bias=fold, gain=gain)
    return y if fold else g.batch_norm(y, name + "/bn", channels)


def shortcut(g, x, name, channels_in, channels, stride, fold):
    if stride == 1 and channels_in == channels:
        return x
    return conv_bn(g, x, name + "/downsample", channels_in, channels, 1, stride, fold, 1.0)


def basic(g, x, name, channels_in, channels, stride, fold):
    y = conv_bn(g, x, name + "/conv1", channels_in, channels, 3, stride, fold)
    y = g.node("Relu", [y], name + "/Relu")
    y = conv_bn(g, y, name + "/conv2", channels, channels, 3, 1, fold, 0.2)
    x = shortcut(g, x, name, channels_in, channels, stride, fold)
    return g.node("Relu", [g.node("Add", [y, x], name + "/Add")], name + "/Relu_1")


def bottleneck(g, x, name, channels_in, channels, stride, fold):
    y = conv_bn(g, x, name + "/conv1", channels_in, channels, 1, 1, fold)
    y = g.node("Relu", [y], name + "/Relu")
    y = conv_bn(g, y, name + "/conv2", channels, channels, 3, stride, fold)
    y = g.node("Relu", [y], name + "/Relu_1")
    y = conv_bn(g, y, name + "/conv3", channels, 4 * channels, 1, 1, fold, 0.2)
    x = shortcut(g, x, name, channels_in, 4 * channels, stride, fold)
    return g.node("Relu", [g.node("Add", [y, x], name + "/Add")], name + "/Relu_2")


def build(g, c):
    """ResNet as an exporter writes it."""
    x = g.input("input", (1, 3, c.size, c.size))
    x = conv_bn(g, x, "conv1", 3, c.width, 7, 2, c.folded_bn)
    x = g.node("Relu", [x], "Relu")
    x = g.node("MaxPool", [x], "MaxPool", kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    channels_in = c.width
    for s, blocks in enumerate(c.blocks):
        for b in range(blocks):
            stride = 2 if s and b == 0 else 1
            x = c.block(g, x, f"layer{s + 1}.{b}", channels_in, c.width << s, stride, c.folded_bn)
            channels_in = c.expansion * (c.width << s)
    x = g.node("GlobalAveragePool", [x], "GlobalAveragePool")
    x = g.node("Flatten", [x], "Flatten", axis=1)
    return g.gemm(x, "fc", channels_in, c.classes)


def variant(block, expansion, blocks, published):
    return dict(size=224, width=64, block=block, expansion=expansion, blocks=blocks, classes=1000, published=published)


MODEL = Family(build, {
    "resnet50": variant(bottleneck, 4, (3, 4, 6, 3), (4.089, 25.56)),
    "resnet18": variant(basic, 1, (2, 2, 2, 2), (1.814, 11.69)),
}, small=dict(size=32, width=8, blocks=(1, 2), classes=10),
   options=[("folded_bn", False, "convolutions with bias instead of BatchNormalization")])

if __name__ == "__main__":
    MODEL.main()
