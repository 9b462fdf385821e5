#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inception-v3 (Szegedy et al. 2016, table 1), 299 x 299, torchvision's form without the auxiliary
classifier. Published: torchvision (5.71 G; 27.16 M with the classifier of 3.33 M, so 23.83 M).
"""

from graph import Family


class Builder:
    """Convolutions by name, with the channels of every value kept."""

    def __init__(self, g, c):
        self.g, self.c, self.channels = g, c, {}

    def conv(self, x, name, channels, kernel, stride=1, pad=0):
        y = self.g.conv(x, name + ".conv", self.channels[x], channels, kernel, stride, pad, bias=self.c.folded_bn)
        if not self.c.folded_bn:
            y = self.g.batch_norm(y, name + ".bn", channels, 1e-3)
        y = self.g.node("Relu", [y], name + "/Relu")
        self.channels[y] = channels
        return y

    def chain(self, x, name, *steps):
        """Convolutions one behind the other: (channels before division, kernel, stride, pad)."""
        for i, (channels, *rest) in enumerate(steps):
            x = self.conv(x, f"{name}_{i + 1}", channels // self.c.divide, *rest)
        return x

    def pool(self, x, name, op, stride, pad, **more):
        y = self.g.node(op, [x], name, kernel_shape=[3, 3], pads=[pad] * 4, strides=[stride] * 2, **more)
        self.channels[y] = self.channels[x]
        return y

    def mean(self, x, name):
        return self.pool(x, name + "/AveragePool", "AveragePool", 1, 1, count_include_pad=1)

    def join(self, parts, name):
        y = self.g.node("Concat", parts, name, axis=1)
        self.channels[y] = sum(self.channels[p] for p in parts)
        return y


ROW, COLUMN = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))


def mixed_a(b, x, name, pooled):
    return b.join([
        b.chain(x, name + ".branch1x1", (64, 1)),
        b.chain(x, name + ".branch5x5", (48, 1), (64, 5, 1, 2)),
        b.chain(x, name + ".branch3x3dbl", (64, 1), (96, 3, 1, 1), (96, 3, 1, 1)),
        b.chain(b.mean(x, name), name + ".branch_pool", (pooled, 1))], name + "/Concat")


def mixed_b(b, x, name):
    return b.join([
        b.chain(x, name + ".branch3x3", (384, 3, 2)),
        b.chain(x, name + ".branch3x3dbl", (64, 1), (96, 3, 1, 1), (96, 3, 2)),
        b.pool(x, name + "/MaxPool", "MaxPool", 2, 0)], name + "/Concat")


def mixed_c(b, x, name, size):
    return b.join([
        b.chain(x, name + ".branch1x1", (192, 1)),
        b.chain(x, name + ".branch7x7", (size, 1), (size, *ROW), (192, *COLUMN)),
        b.chain(x, name + ".branch7x7dbl", (size, 1), (size, *COLUMN), (size, *ROW), (size, *COLUMN), (192, *ROW)),
        b.chain(b.mean(x, name), name + ".branch_pool", (192, 1))], name + "/Concat")


def mixed_d(b, x, name):
    return b.join([
        b.chain(x, name + ".branch3x3", (192, 1), (320, 3, 2)),
        b.chain(x, name + ".branch7x7x3", (192, 1), (192, *ROW), (192, *COLUMN), (192, 3, 2)),
        b.pool(x, name + "/MaxPool", "MaxPool", 2, 0)], name + "/Concat")


def fork(b, x, name):
    """A row and a column of three beside each other."""
    return b.join([b.chain(x, name + "a", (384, (1, 3), 1, (0, 1))), b.chain(x, name + "b", (384, (3, 1), 1, (1, 0)))],
                  name + "/Concat")


def mixed_e(b, x, name):
    return b.join([
        b.chain(x, name + ".branch1x1", (320, 1)),
        fork(b, b.chain(x, name + ".branch3x3", (384, 1)), name + ".branch3x3_2"),
        fork(b, b.chain(x, name + ".branch3x3dbl", (448, 1), (384, 3, 1, 1)), name + ".branch3x3dbl_3"),
        b.chain(b.mean(x, name), name + ".branch_pool", (192, 1))], name + "/Concat")


def build(g, c):
    """Inception-v3 as an exporter writes it."""
    b = Builder(g, c)
    x = g.input("input", (1, 3, c.size, c.size))
    b.channels[x] = 3
    x = b.chain(x, "Conv2d_1", (32, 3, 2), (32, 3), (64, 3, 1, 1))
    x = b.pool(x, "maxpool1", "MaxPool", 2, 0)
    x = b.chain(x, "Conv2d_3", (80, 1), (192, 3))
    x = b.pool(x, "maxpool2", "MaxPool", 2, 0)
    for i, pooled in enumerate(c.a):
        x = mixed_a(b, x, f"Mixed_5{'bcd'[i]}", pooled)
    x = mixed_b(b, x, "Mixed_6a")
    for i, size in enumerate(c.c):
        x = mixed_c(b, x, f"Mixed_6{'bcde'[i]}", size)
    x = mixed_d(b, x, "Mixed_7a")
    for i in range(c.e):
        x = mixed_e(b, x, f"Mixed_7{'bc'[i]}")
    y = g.node("GlobalAveragePool", [x], "GlobalAveragePool")
    return g.gemm(g.node("Flatten", [y], "Flatten", axis=1), "fc", b.channels[x], c.classes)


MODEL = Family(build, {
    "inception_v3": dict(size=299, divide=1, a=(32, 64, 64), c=(128, 160, 160, 192), e=2, classes=1000,
                         published=(5.71, 23.83)),
}, small=dict(size=75, divide=16, a=(32,), c=(128,), e=1, classes=10),
   options=[("folded_bn", False, "convolutions with bias instead of BatchNormalization")])

if __name__ == "__main__":
    MODEL.main()
