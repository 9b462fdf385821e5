#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DeiT-Ti: 224 x 224, patches of 16, 12 blocks, width 192, 3 heads (Touvron et al. 2021, table 1).

Published: 5.7 M weights, 1.26 G multiply-accumulates (timm's count of deit_tiny_patch16_224).
"""

from graph import main


def block(g, x, name, tokens, width, heads):
    y = g.layer_norm(x, name + "/norm1", width)
    y = g.linear(y, name + "/attn/qkv", width, 3 * width)
    q, k, v = g.heads(y, name + "/attn", 1, tokens, heads, width // heads)
    y = g.attend(q, k, v, name + "/attn", width // heads)
    y = g.join(y, name + "/attn", 1, tokens, width)
    y = g.linear(y, name + "/attn/proj", width, width)
    x = g.node("Add", [x, y], name + "/Add")
    y = g.layer_norm(x, name + "/norm2", width)
    y = g.mlp(y, name + "/mlp", width, 4 * width)
    return g.node("Add", [x, y], name + "/Add_1")


def build(g, small):
    """DeiT-Tiny as an exporter writes it."""
    size, patch, width, heads, blocks, classes = (32, 8, 24, 3, 2, 10) if small else (224, 16, 192, 3, 12, 1000)
    patches = (size // patch) ** 2
    x = g.input("input", (1, 3, size, size))
    x = g.conv(x, "patch_embed", 3, width, patch, stride=patch)
    x = g.reshape(x, [1, width, patches], "patch_embed/Reshape")
    x = g.node("Transpose", [x], "patch_embed/Transpose", perm=[0, 2, 1])
    x = g.node("Concat", [g.around("cls_token", (1, 1, width), 0, 0.1), x], "Concat", axis=1)
    x = g.node("Add", [x, g.around("pos_embed", (1, patches + 1, width), 0, 0.1)], "Add")
    for i in range(blocks):
        x = block(g, x, f"blocks.{i}", patches + 1, width, heads)
    x = g.layer_norm(x, "norm", width)
    x = g.node("Gather", [x, g.ints("cls_index", 0)], "Gather", axis=1)
    return g.gemm(x, "head", width, classes)


if __name__ == "__main__":
    main("deit_tiny", build)
