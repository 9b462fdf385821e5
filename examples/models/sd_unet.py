#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An attention block of Stable Diffusion 1's UNet at its highest resolution (Rombach et al. 2022):
64 x 64 places of 320 channels, 8 heads, a context of 77 x 768; GroupNorm, self and cross attention,
GEGLU, a residual around all.

No figure is published for one block; by hand 4096 x 20 x 320^2 multiply-accumulates of its own matrices
(2 around, 4 and 2 of attention, 12 of GEGLU), 77 x 2 x 768 x 320 of the context's and
2 x 4096 x (4096 + 77) x 320 of attention, 19.37 G.
"""

import numpy as np
from graph import Family


def group_norm(g, x, name, channels, groups, side):
    """As exporters spell it: instance normalisation of the groups, then scale and shift."""
    ones, zeros = (g.constant(f"{name}.{k}.fixed", np.full(groups, k, np.float32)) for k in (1, 0))
    y = g.reshape(x, [1, groups, channels // groups * side * side], name + "/Reshape")
    y = g.node("InstanceNormalization", [y, ones, zeros], name + "/InstanceNormalization", epsilon=1e-6)
    y = g.reshape(y, [1, channels, side, side], name + "/Reshape_1")
    y = g.node("Mul", [y, g.around(name + ".weight", (channels, 1, 1), 1, 0.1)], name + "/Mul")
    return g.node("Add", [y, g.around(name + ".bias", (channels, 1, 1), 0, 0.1)], name + "/Add")


def attention(g, x, source, name, c, tokens, keys, size_in):
    size = c.width // c.heads
    q, k, v = (g.split_heads(g.linear(y, f"{name}/to_{part}", n, c.width, bias=False), f"{name}/{part}", 1, t, c.heads, size)
               for part, y, n, t in (("q", x, c.width, tokens), ("k", source, size_in, keys), ("v", source, size_in, keys)))
    y = g.join(g.attend(q, k, v, name, size), name, 1, tokens, c.width)
    return g.linear(y, name + "/to_out", c.width, c.width)


def geglu(g, x, name, width):
    y = g.linear(x, name + "/proj", width, 8 * width)
    y, gate = g.node("Split", [y, g.ints(name + ".split", [4 * width] * 2)], name + "/Split", outputs=2, axis=-1)
    y = g.node("Mul", [y, g.gelu(gate, name + "/gelu")], name + "/Mul")
    return g.linear(y, name + "/out", 4 * width, width)


def build(g, c):
    """An attention block of Stable Diffusion's UNet as an exporter writes it."""
    tokens = c.side * c.side
    image = g.input("hidden_states", (1, c.width, c.side, c.side))
    context = g.input("encoder_hidden_states", (1, c.words, c.context))
    x = group_norm(g, image, "norm", c.width, c.norm_groups, c.side)
    x = g.conv(x, "proj_in", c.width, c.width, 1, gain=1.0)
    x = g.reshape(g.transpose(x, "Transpose", 0, 2, 3, 1), [1, tokens, c.width], "Reshape")
    y = g.layer_norm(x, "norm1", c.width, 1e-5)
    x = g.node("Add", [attention(g, y, y, "attn1", c, tokens, tokens, c.width), x], "Add")
    y = g.layer_norm(x, "norm2", c.width, 1e-5)
    x = g.node("Add", [attention(g, y, context, "attn2", c, tokens, c.words, c.context), x], "Add_1")
    y = g.layer_norm(x, "norm3", c.width, 1e-5)
    x = g.node("Add", [geglu(g, y, "ff", c.width), x], "Add_2")
    x = g.transpose(g.reshape(x, [1, c.side, c.side, c.width], "Reshape_1"), "Transpose_1", 0, 3, 1, 2)
    x = g.conv(x, "proj_out", c.width, c.width, 1, gain=1.0)
    return g.node("Add", [x, image], "Add_3")


MODEL = Family(build, {
    "sd_unet_block": dict(side=64, width=320, heads=8, norm_groups=32, words=77, context=768, published=(19.37, 2.546)),
}, small=dict(side=4, width=16, heads=2, norm_groups=4, words=5, context=12))

if __name__ == "__main__":
    MODEL.main()
