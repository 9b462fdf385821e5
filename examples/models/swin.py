#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Swin: shifted windows of 7 x 7 (Liu et al. 2021, section 3.3).

Published: the repository's table (4.5, 8.7, 15.4, 34.5 G; 28, 50, 88, 197 M).
"""

import numpy as np
from graph import Family


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
    cut = shift % side
    for k, axis in enumerate((1, 2)):
        parts = [g.slice(x, f"{name}/Slice_{2 * k + p}", [a], [b], [axis])
                 for p, (a, b) in enumerate(((cut, side), (0, cut)))]
        x = g.node("Concat", parts, f"{name}/Concat_{k}", axis=axis)
    return x


def add_bias(g, scores, name, n, window, heads, mask):
    """The relative position bias, gathered from its table by a constant index, and the mask."""
    tokens = window * window
    table = g.around(name + ".bias_table", ((2 * window - 1) ** 2, heads), 0, 0.5)
    index = g.ints(name + ".index", relative_index(window).reshape(-1))
    bias = g.node("Gather", [table, index], name + "/bias", axis=0)
    bias = g.reshape(bias, [tokens, tokens, heads], name + "/bias/Reshape")
    bias = g.transpose(bias, name + "/bias/Transpose", 2, 0, 1)
    bias = g.node("Unsqueeze", [bias, g.ints(name + ".first", [0])], name + "/bias/Unsqueeze")
    scores = g.node("Add", [scores, bias], name + "/Add_0")
    if mask is None:
        return scores
    scores = g.reshape(scores, [1, n, heads, tokens, tokens], name + "/mask/Reshape")
    scores = g.node("Add", [scores, mask], name + "/mask/Add")
    return g.reshape(scores, [n, heads, tokens, tokens], name + "/mask/Reshape_1")


def attention(g, x, name, side, window, width, heads, mask):
    """Attention inside each window of x[1, side, side, width]."""
    n, tokens, size = (side // window) ** 2, window * window, width // heads
    y = g.reshape(x, [1, side // window, window, side // window, window, width], name + "/partition")
    y = g.transpose(y, name + "/partition/Transpose", 0, 1, 3, 2, 4, 5)
    y = g.reshape(y, [n, tokens, width], name + "/partition/Reshape")
    y = g.linear(y, name + "/qkv", width, 3 * width)
    q, k, v = g.heads(y, name, n, tokens, heads, size)
    y = g.attend(q, k, v, name, size, lambda s: add_bias(g, s, name, n, window, heads, mask))
    y = g.join(y, name, n, tokens, width)
    y = g.linear(y, name + "/proj", width, width)
    y = g.reshape(y, [1, side // window, side // window, window, window, width], name + "/merge")
    y = g.transpose(y, name + "/merge/Transpose", 0, 1, 3, 2, 4, 5)
    return g.reshape(y, [1, side, side, width], name + "/merge/Reshape")


def block(g, x, name, side, window, width, heads, shift):
    y = g.layer_norm(x, name + "/norm1", width, 1e-5)
    mask = None
    if shift:
        y = roll(g, y, name + "/shift", side, shift)
        mask = g.constant(f"{side}.mask", shift_mask(side, window, shift)[None, :, None])
    y = attention(g, y, name + "/attn", side, window, width, heads, mask)
    if shift:
        y = roll(g, y, name + "/unshift", side, -shift)
    x = g.node("Add", [x, y], name + "/Add")
    y = g.layer_norm(x, name + "/norm2", width, 1e-5)
    y = g.mlp(y, name + "/mlp", width, 4 * width)
    return g.node("Add", [x, y], name + "/Add_1")


def merge_patches(g, x, name, width):
    """[1, s, s, width] to [1, s/2, s/2, 2 width]: four neighbours side by side, then a matrix."""
    parts = [g.slice(x, f"{name}/Slice_{dy}{dx}", [dy, dx], [np.iinfo(np.int64).max] * 2, [1, 2], [2, 2])
             for dx in (0, 1) for dy in (0, 1)]
    x = g.node("Concat", parts, name + "/Concat", axis=-1)
    x = g.layer_norm(x, name + "/norm", 4 * width, 1e-5)
    return g.linear(x, name + "/reduction", 4 * width, 2 * width, bias=False)


def build(g, c):
    """Swin as an exporter writes it."""
    width, side = c.width, c.size // 4
    x = g.input("input", (1, 3, c.size, c.size))
    x = g.conv(x, "patch_embed", 3, width, 4, stride=4)
    x = g.transpose(x, "patch_embed/Transpose", 0, 2, 3, 1)
    x = g.layer_norm(x, "patch_embed/norm", width, 1e-5)
    for s, blocks in enumerate(c.blocks):
        if s:
            x = merge_patches(g, x, f"merge.{s}", width)
            side, width = side // 2, width * 2
        for b in range(blocks):
            shift = c.window // 2 if b % 2 and side > c.window else 0
            x = block(g, x, f"stages.{s}.{b}", side, c.window, width, width // c.head, shift)
    x = g.layer_norm(x, "norm", width, 1e-5)
    x = g.node("ReduceMean", [x], "ReduceMean", axes=[1, 2], keepdims=0)
    return g.gemm(x, "head", width, c.classes)


def variant(width, blocks, published):
    return dict(size=224, window=7, width=width, head=32, blocks=(2, 2, blocks, 2), classes=1000, published=published)


MODEL = Family(build, {
    "swin_tiny": variant(96, 6, (4.5, 28.3)),
    "swin_small": variant(96, 18, (8.7, 49.6)),
    "swin_base": variant(128, 18, (15.4, 87.8)),
    "swin_large": variant(192, 18, (34.5, 196.5)),
}, small=dict(size=48, window=3, width=8, head=4, blocks=(2, 2), classes=10))

if __name__ == "__main__":
    MODEL.main()
