#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Twins (Chu et al. 2021): SVT takes turns between attention in windows and attention to a
sub-sampled whole; PCPVT has the second kind only. Both have a positional encoding generator, a
depthwise 3 x 3 convolution, behind the first block of each stage.

Published: the paper's table 1 (SVT 2.9, 8.6, 15.1 G, PCPVT-S 3.8 G; 24.0, 56, 99.2, 24.1 M).
"""

from graph import Family


def local_attention(g, x, name, side, window, width, heads):
    """Attention inside each window of x[1, side * side, width]."""
    rows, tokens = side // window, window * window
    y = g.reshape(x, [1, rows, window, rows, window, width], name + "/partition")
    y = g.transpose(y, name + "/partition/Transpose", 0, 1, 3, 2, 4, 5)
    y = g.reshape(y, [rows * rows, tokens, width], name + "/partition/Reshape")
    y = g.linear(y, name + "/qkv", width, 3 * width)
    q, k, v = g.heads(y, name, rows * rows, tokens, heads, width // heads)
    y = g.attend(q, k, v, name, width // heads)
    y = g.transpose(y, name + "/merge", 0, 2, 1, 3)
    y = g.reshape(y, [1, rows, rows, window, window, width], name + "/merge/Reshape")
    y = g.transpose(y, name + "/merge/Transpose", 0, 1, 3, 2, 4, 5)
    y = g.reshape(y, [1, side * side, width], name + "/merge/Reshape_1")
    return g.linear(y, name + "/proj", width, width)


def global_attention(g, x, name, side, step, width, heads):
    """All tokens attend to one key and value for each step x step of them."""
    size, left, y = width // heads, (side // step) ** 2, x
    q = g.split_heads(g.linear(x, name + "/q", width, width), name + "/q", 1, side * side, heads, size)
    if step > 1:
        y = g.conv(g.to_image(y, name + "/sr", side, width), name + "/sr", width, width, step, step, gain=1.0)
        y = g.to_tokens(y, name + "/sr/tokens", side // step, width)
        y = g.layer_norm(y, name + "/norm", width, 1e-5)
    y = g.linear(y, name + "/kv", width, 2 * width)
    y = g.reshape(y, [1, left, 2, heads, size], name + "/kv/Reshape")
    y = g.transpose(y, name + "/kv/Transpose", 2, 0, 3, 1, 4)
    k, v = (g.node("Gather", [y, g.ints(f"{name}.index{i}", i)], f"{name}/Gather_{i}", axis=0) for i in range(2))
    y = g.attend(q, k, v, name, size)
    return g.linear(g.join(y, name, 1, side * side, width), name + "/proj", width, width)


def block(g, x, name, c, stage, side, local):
    width, heads = c.widths[stage], c.heads[stage]
    y = g.layer_norm(x, name + "/norm1", width)
    if local:
        y = local_attention(g, y, name + "/attn", side, c.window, width, heads)
    else:
        y = global_attention(g, y, name + "/attn", side, c.steps[stage], width, heads)
    x = g.node("Add", [x, y], name + "/Add")
    y = g.layer_norm(x, name + "/norm2", width)
    y = g.mlp(y, name + "/mlp", width, c.ratios[stage] * width)
    return g.node("Add", [x, y], name + "/Add_1")


def encode_position(g, x, name, side, width):
    image = g.to_image(x, name, side, width)
    y = g.depthwise(image, name, width, 3)
    return g.to_tokens(g.node("Add", [y, image], name + "/Add"), name + "/tokens", side, width)


def build(g, c):
    """Twins-SVT and PCPVT as an exporter writes them."""
    side, width = c.size, 3
    x = g.input("input", (1, 3, side, side))
    for s, blocks in enumerate(c.blocks):
        patch = 2 if s else 4
        x = g.conv(x, f"patch_embeds.{s}", width, c.widths[s], patch, patch, gain=1.0)
        side, width = side // patch, c.widths[s]
        x = g.to_tokens(x, f"patch_embeds.{s}/tokens", side, width)
        x = g.layer_norm(x, f"patch_embeds.{s}/norm", width, 1e-5)
        for b in range(blocks):
            x = block(g, x, f"blocks.{s}.{b}", c, s, side, c.local and b % 2 == 0)
            if b == 0:
                x = encode_position(g, x, f"pos_block.{s}", side, width)
        if s + 1 < len(c.blocks):
            x = g.reshape(x, [1, side, side, width], f"image.{s}/Reshape")
            x = g.transpose(x, f"image.{s}/Transpose", 0, 3, 1, 2)
    x = g.layer_norm(x, "norm", width)
    x = g.node("ReduceMean", [x], "ReduceMean", axes=[1], keepdims=0)
    return g.gemm(x, "head", width, c.classes)


def svt(width, heads, blocks, published):
    return dict(size=224, local=True, window=7, widths=[width << s for s in range(4)], heads=[heads << s for s in range(4)],
                blocks=blocks, steps=(8, 4, 2, 1), ratios=(4,) * 4, classes=1000, published=published)


def pcpvt(blocks, published):
    return dict(size=224, local=False, widths=(64, 128, 320, 512), heads=(1, 2, 5, 8), blocks=blocks,
                steps=(8, 4, 2, 1), ratios=(8, 8, 4, 4), classes=1000, published=published)


MODEL = Family(build, {
    "twins_svt_small": svt(64, 2, (2, 2, 10, 4), (2.93, 24.0)),
    "twins_svt_base": svt(96, 3, (2, 2, 18, 2), (8.56, 56.0)),
    "twins_svt_large": svt(128, 4, (2, 2, 18, 2), (15.11, 99.2)),
    "pcpvt_small": pcpvt((3, 4, 6, 3), (3.8, 24.1)),
}, small=dict(size=48, window=3, widths=(8, 16), heads=(2, 4), blocks=(2, 2), steps=(4, 1), ratios=(2, 2), classes=10))

if __name__ == "__main__":
    MODEL.main()
