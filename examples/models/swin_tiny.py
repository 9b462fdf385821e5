#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Swin-T: windows of 7 x 7, width 96, blocks 2, 2, 6, 2, heads 3, 6, 12, 24 (Liu et al. 2021, section 3.3).

Published: 28.3 M weights (28,288,354), 4.5 G multiply-accumulates.
"""

import numpy as np
from graph import main


def relative_index(window):
    """[w*w, w*w]: for two places of a window, the row of the bias table for their distance."""
    y, x = (a.reshape(-1) for a in np.mgrid[:window, :window])
    dy, dx = y[:, None] - y[None] + window - 1, x[:, None] - x[None] + window - 1
    return dy * (2 * window - 1) + dx


def shift_mask(side, window, shift):
    """[windows, w*w, w*w]: -100 between places that were not neighbours before the shift."""
    region = np.zeros(side, np.int64)
    region[-window:-shift], region[-shift:] = 1, 2
    region = region[:, None] * 3 + region[None]
    n = side // window
    region = region.reshape(n, window, n, window).transpose(0, 2, 1, 3).reshape(n * n, window * window)
    return np.where(region[:, :, None] == region[:, None], 0, -100).astype(np.float32)


def roll(g, x, name, side, shift):
    """Moves rows and columns up and left by `shift` (negative: back), as torch.roll does."""
    for k, axis in enumerate((1, 2)):
        cut = shift % side
        parts = [g.node("Slice", [x, g.ints(f"{name}.{k}.{p}.start", [a]), g.ints(f"{name}.{k}.{p}.end", [b]),
                                  g.ints(f"{name}.{k}.{p}.axis", [axis])], f"{name}/Slice_{2 * k + p}")
                 for p, (a, b) in enumerate(((cut, side), (0, cut)))]
        x = g.node("Concat", parts, f"{name}/Concat_{k}", axis=axis)
    return x


def attention(g, x, name, side, window, width, heads, mask):
    """Attention inside each window of x[1, side, side, width]."""
    n, tokens, size = (side // window) ** 2, window * window, width // heads
    y = g.reshape(x, [1, side // window, window, side // window, window, width], name + "/partition")
    y = g.node("Transpose", [y], name + "/partition/Transpose", perm=[0, 1, 3, 2, 4, 5])
    y = g.reshape(y, [n, tokens, width], name + "/partition/Reshape")
    y = g.linear(y, name + "/qkv", width, 3 * width)
    q, k, v = g.heads(y, name, n, tokens, heads, size)
    table = g.around(name + ".bias_table", ((2 * window - 1) ** 2, heads), 0, 0.1)
    bias = g.node("Gather", [table, g.ints(name + ".index", relative_index(window).reshape(-1))], name + "/bias", axis=0)
    bias = g.reshape(bias, [tokens, tokens, heads], name + "/bias/Reshape")
    bias = g.node("Transpose", [bias], name + "/bias/Transpose", perm=[2, 0, 1])
    bias = g.node("Unsqueeze", [bias, g.ints(name + ".first", [0])], name + "/bias/Unsqueeze")
    masks = [bias] if mask is None else [bias, g.constant(name + ".mask", mask[:, None])]
    y = g.attend(q, k, v, name, size, masks)
    y = g.join(y, name, n, tokens, width)
    y = g.linear(y, name + "/proj", width, width)
    y = g.reshape(y, [1, side // window, side // window, window, window, width], name + "/merge")
    y = g.node("Transpose", [y], name + "/merge/Transpose", perm=[0, 1, 3, 2, 4, 5])
    return g.reshape(y, [1, side, side, width], name + "/merge/Reshape")


def block(g, x, name, side, window, width, heads, shift):
    y = g.layer_norm(x, name + "/norm1", width, 1e-5)
    if shift:
        y = roll(g, y, name + "/shift", side, shift)
    mask = shift_mask(side, window, shift) if shift else None
    y = attention(g, y, name + "/attn", side, window, width, heads, mask)
    if shift:
        y = roll(g, y, name + "/unshift", side, -shift)
    x = g.node("Add", [x, y], name + "/Add")
    y = g.layer_norm(x, name + "/norm2", width, 1e-5)
    y = g.mlp(y, name + "/mlp", width, 4 * width)
    return g.node("Add", [x, y], name + "/Add_1")


def merge_patches(g, x, name, width):
    """[1, s, s, width] to [1, s/2, s/2, 2 width]: four neighbours side by side, then a matrix."""
    parts = [g.node("Slice", [x, g.ints(f"{name}.{dy}{dx}.start", [dy, dx]),
                              g.ints(f"{name}.{dy}{dx}.end", [np.iinfo(np.int64).max] * 2),
                              g.ints(f"{name}.{dy}{dx}.axes", [1, 2]), g.ints(f"{name}.{dy}{dx}.step", [2, 2])],
                    f"{name}/Slice_{dy}{dx}") for dx in (0, 1) for dy in (0, 1)]
    x = g.node("Concat", parts, name + "/Concat", axis=-1)
    x = g.layer_norm(x, name + "/norm", 4 * width, 1e-5)
    return g.linear(x, name + "/reduction", 4 * width, 2 * width, bias=False)


def build(g, small):
    """Swin-T as an exporter writes it."""
    size, window, width, classes = (32, 2, 8, 10) if small else (224, 7, 96, 1000)
    stages = ((2, 2), (2, 4)) if small else ((2, 3), (2, 6), (6, 12), (2, 24))
    x = g.input("input", (1, 3, size, size))
    x = g.conv(x, "patch_embed", 3, width, 4, stride=4)
    x = g.node("Transpose", [x], "patch_embed/Transpose", perm=[0, 2, 3, 1])
    x = g.layer_norm(x, "patch_embed/norm", width, 1e-5)
    side = size // 4
    for s, (blocks, heads) in enumerate(stages):
        if s:
            x = merge_patches(g, x, f"merge.{s}", width)
            side, width = side // 2, width * 2
        for b in range(blocks):
            shift = window // 2 if b % 2 and side > window else 0
            x = block(g, x, f"stages.{s}.{b}", side, window, width, heads, shift)
    x = g.layer_norm(x, "norm", width, 1e-5)
    x = g.node("ReduceMean", [x], "ReduceMean", axes=[1, 2], keepdims=0)
    return g.gemm(x, "head", width, classes)


if __name__ == "__main__":
    main("swin_tiny", build)
