#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CSWin (Dong et al. 2022, table 1): half of the channels attend in vertical stripes, half in
horizontal ones; a depthwise 3 x 3 convolution of V inside each stripe (LePE) is added.

Published: the repository's table (4.3, 6.9, 15.0, 31.5 G; 23, 35, 78, 173 M), of which ours by hand
are 4.32, 6.80, 14.96, 33.13 G and 22.2, 34.4, 77.0, 172.7 M.
"""

from graph import Family


def cut_stripes(g, x, name, side, high, wide, width):
    """[1, side * side, width] to [stripes, width, high, wide]"""
    y = g.to_image(x, name, side, width)
    y = g.reshape(y, [1, width, side // high, high, side // wide, wide], name + "/stripes")
    y = g.transpose(y, name + "/stripes/Transpose", 0, 2, 4, 1, 3, 5)
    return g.reshape(y, [(side // high) * (side // wide), width, high, wide], name + "/stripes/Reshape")


def to_heads(g, x, name, stripes, heads, size, tokens):
    """[stripes, width, high, wide] to [stripes, heads, tokens, size]"""
    y = g.reshape(x, [stripes, heads, size, tokens], name + "/heads")
    return g.transpose(y, name + "/heads/Transpose", 0, 1, 3, 2)


def stripe_attention(g, qkv, name, side, high, wide, width, heads):
    n, tokens, size = (side // high) * (side // wide), high * wide, width // heads
    images = [cut_stripes(g, x, f"{name}/{part}", side, high, wide, width) for part, x in zip("qkv", qkv)]
    local = g.depthwise(images[2], name + "/get_v", width, 3)
    q, k, v, local = (to_heads(g, x, f"{name}/{part}", n, heads, size, tokens)
                      for part, x in zip(("q", "k", "v", "lepe"), [*images, local]))
    y = g.attend(q, k, v, name, size)
    y = g.node("Add", [y, local], name + "/Add")
    y = g.transpose(y, name + "/merge", 0, 2, 1, 3)
    y = g.reshape(y, [1, side // high, side // wide, high, wide, width], name + "/merge/Reshape")
    y = g.transpose(y, name + "/merge/Transpose", 0, 1, 3, 2, 4, 5)
    return g.reshape(y, [1, side * side, width], name + "/merge/Reshape_1")


def attention(g, x, name, side, stripe, width, heads):
    y = g.linear(x, name + "/qkv", width, 3 * width)
    y = g.reshape(y, [1, side * side, 3, width], name + "/qkv/Reshape")
    y = g.transpose(y, name + "/qkv/Transpose", 2, 0, 1, 3)
    if stripe == side:
        parts = [g.node("Gather", [y, g.ints(f"{name}.index{i}", i)], f"{name}/Gather_{i}", axis=0) for i in range(3)]
        y = stripe_attention(g, parts, name + "/attns.0", side, side, side, width, heads)
        return g.linear(y, name + "/proj", width, width)
    halves, half = [], width // 2
    for h, (high, wide) in enumerate(((side, stripe), (stripe, side))):
        z = g.slice(y, f"{name}/Slice_{h}", [h * half], [(h + 1) * half], [3])
        parts = [g.node("Gather", [z, g.ints(f"{name}.index{i}", i)], f"{name}/Gather_{h}{i}", axis=0) for i in range(3)]
        halves.append(stripe_attention(g, parts, f"{name}/attns.{h}", side, high, wide, half, heads // 2))
    y = g.node("Concat", halves, name + "/Concat", axis=2)
    return g.linear(y, name + "/proj", width, width)


def block(g, x, name, side, stripe, width, heads):
    y = g.layer_norm(x, name + "/norm1", width, 1e-5)
    y = attention(g, y, name + "/attn", side, stripe, width, heads)
    x = g.node("Add", [x, y], name + "/Add")
    y = g.layer_norm(x, name + "/norm2", width, 1e-5)
    y = g.mlp(y, name + "/mlp", width, 4 * width)
    return g.node("Add", [x, y], name + "/Add_1")


def build(g, c):
    """CSWin as an exporter writes it."""
    side, width = c.size // 4, c.width
    x = g.input("input", (1, 3, c.size, c.size))
    x = g.to_tokens(g.conv(x, "stem", 3, width, 7, 4, 2, gain=1.0), "stem/tokens", side, width)
    x = g.layer_norm(x, "stem/norm", width, 1e-5)
    for s, blocks in enumerate(c.blocks):
        if s:
            x = g.to_image(x, f"merge.{s}", side, width)
            x = g.conv(x, f"merge.{s}", width, 2 * width, 3, 2, 1, gain=1.0)
            side, width = side // 2, 2 * width
            x = g.to_tokens(x, f"merge.{s}/tokens", side, width)
            x = g.layer_norm(x, f"merge.{s}/norm", width, 1e-5)
        for b in range(blocks):
            x = block(g, x, f"stages.{s}.{b}", side, c.stripes[s], width, c.heads[s])
    x = g.layer_norm(x, "norm", width, 1e-5)
    x = g.node("ReduceMean", [x], "ReduceMean", axes=[1], keepdims=0)
    return g.gemm(x, "head", width, c.classes)


def variant(width, heads, blocks, published):
    return dict(size=224, width=width, heads=heads, blocks=blocks, stripes=(1, 2, 7, 7), classes=1000,
                published=published)


MODEL = Family(build, {
    "cswin_tiny": variant(64, (2, 4, 8, 16), (1, 2, 21, 1), (4.32, 22.2)),
    "cswin_small": variant(64, (2, 4, 8, 16), (2, 4, 32, 2), (6.80, 34.4)),
    "cswin_base": variant(96, (4, 8, 16, 32), (2, 4, 32, 2), (14.96, 77.0)),
    "cswin_large": variant(144, (6, 12, 24, 24), (2, 4, 32, 2), (33.13, 172.7)),
}, small=dict(size=32, width=8, heads=(2, 4, 4), blocks=(1, 2, 1), stripes=(2, 2, 2), classes=10))

if __name__ == "__main__":
    MODEL.main()
