#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ViT and DeiT: patches of 16, 12 blocks, width 192, 384 or 768 (Dosovitskiy et al. 2021, table 1;
Touvron et al. 2021, table 1, without the distillation token).

Published: timm's counts of *_patch16_224 (1.26, 4.61, 17.58 G; 5.72, 22.05, 86.57 M).
"""

from graph import Family


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


def build(g, c):
    """ViT-B/16 and DeiT as an exporter writes them."""
    patches, width = (c.size // c.patch) ** 2, c.width
    x = g.input("input", (1, 3, c.size, c.size))
    x = g.conv(x, "patch_embed", 3, width, c.patch, stride=c.patch)
    x = g.reshape(x, [1, width, patches], "patch_embed/Reshape")
    x = g.transpose(x, "patch_embed/Transpose", 0, 2, 1)
    x = g.node("Concat", [g.around("cls_token", (1, 1, width), 0, 0.1), x], "Concat", axis=1)
    x = g.node("Add", [x, g.around("pos_embed", (1, patches + 1, width), 0, 0.1)], "Add")
    for i in range(c.blocks):
        x = block(g, x, f"blocks.{i}", patches + 1, width, c.heads)
    x = g.layer_norm(x, "norm", width)
    x = g.node("Gather", [x, g.ints("cls_index", 0)], "Gather", axis=1)
    return g.gemm(x, "head", width, c.classes)


def variant(width, heads, published):
    return dict(size=224, patch=16, width=width, heads=heads, blocks=12, classes=1000, published=published)


MODEL = Family(build, {
    "vit_base": variant(768, 12, (17.58, 86.57)),
    "deit_tiny": variant(192, 3, (1.26, 5.72)),
    "deit_small": variant(384, 6, (4.61, 22.05)),
}, small=dict(size=32, patch=8, width=24, heads=3, blocks=2, classes=10))

if __name__ == "__main__":
    MODEL.main()
