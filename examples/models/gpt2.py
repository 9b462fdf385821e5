#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GPT-2 small: 12 blocks, width 768, 12 heads, words and output share a matrix (Radford et al. 2019,
table 2), all positions of a prompt at once.

Published: 124.44 M weights (released checkpoint; the paper's table says 117 M). By hand, T tokens
take T x (12 x 12 x 768^2 + 50257 x 768) + 12 x 2 x T^2 x 768 multiply-accumulates: 16.12 G for 128.
"""

import numpy as np
from graph import Family


def conv1d(g, x, name, tokens, size_in, size):
    """The library's Conv1D: Gemm of the flattened tokens."""
    y = g.reshape(x, [tokens, size_in], name + "/Reshape")
    inputs = [y, g.weight(name + ".weight", (size_in, size), size_in), g.around(name + ".bias", size, 0, 0.1)]
    y = g.node("Gemm", inputs, name + "/Gemm", alpha=1.0, beta=1.0)
    return g.reshape(y, [1, tokens, size], name + "/Reshape_1")


def gelu_new(g, x, name):
    """x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))"""
    half = g.node("Mul", [x, g.scalar(name + ".half", 0.5)], name + "/Mul")
    y = g.node("Pow", [x, g.scalar(name + ".three", 3)], name + "/Pow")
    y = g.node("Mul", [y, g.scalar(name + ".cube", 0.044715)], name + "/Mul_1")
    y = g.node("Add", [x, y], name + "/Add")
    y = g.node("Mul", [y, g.scalar(name + ".root", np.sqrt(2 / np.pi))], name + "/Mul_2")
    y = g.node("Tanh", [y], name + "/Tanh")
    y = g.node("Add", [y, g.scalar(name + ".one", 1)], name + "/Add_1")
    return g.node("Mul", [half, y], name + "/Mul_3")


def attention(g, x, name, tokens, width, heads):
    size = width // heads
    y = conv1d(g, x, name + "/c_attn", tokens, width, 3 * width)
    parts = g.node("Split", [y, g.ints(name + ".split", [width] * 3)], name + "/Split", outputs=3, axis=2)
    q, k, v = (g.split_heads(p, f"{name}/{part}", 1, tokens, heads, size) for part, p in zip("qkv", parts))

    def hide_future(scores):
        seen = g.constant("seen", np.tril(np.ones((1, 1, tokens, tokens), bool)))
        low = g.scalar("lowest", np.finfo(np.float32).min)
        return g.node("Where", [seen, scores, low], name + "/Where")

    y = g.join(g.attend(q, k, v, name, size, hide_future), name, 1, tokens, width)
    return conv1d(g, y, name + "/c_proj", tokens, width, width)


def block(g, x, name, tokens, width, heads):
    y = g.layer_norm(x, name + "/ln_1", width, 1e-5)
    x = g.node("Add", [attention(g, y, name + "/attn", tokens, width, heads), x], name + "/Add")
    y = g.layer_norm(x, name + "/ln_2", width, 1e-5)
    y = conv1d(g, y, name + "/mlp/c_fc", tokens, width, 4 * width)
    y = conv1d(g, gelu_new(g, y, name + "/mlp/act"), name + "/mlp/c_proj", tokens, 4 * width, width)
    return g.node("Add", [x, y], name + "/Add_1")


def build(g, c):
    """GPT-2 as an exporter writes it, without past keys and values."""
    tokens, width = c.sequence, c.width
    words = g.around("wte.weight", (c.words, width), 0, 0.3)
    places = g.around("wpe.weight", (c.places, width), 0, 0.3)
    ids = g.input("input_ids", (1, tokens), np.int64, c.words)
    x = g.node("Gather", [words, ids], "wte/Gather", axis=0)
    y = g.node("Gather", [places, g.ints("position_ids", np.arange(tokens)[None])], "wpe/Gather", axis=0)
    x = g.node("Add", [x, y], "Add")
    for i in range(c.blocks):
        x = block(g, x, f"h.{i}", tokens, width, c.heads)
    x = g.layer_norm(x, "ln_f", width, 1e-5)
    return g.node("MatMul", [x, g.transpose(words, "lm_head/Transpose", 1, 0)], "lm_head/MatMul")


MODEL = Family(build, {
    "gpt2": dict(width=768, heads=12, blocks=12, words=50257, places=1024, published=(16.12, 124.44)),
}, small=dict(sequence=7, width=16, heads=2, blocks=2, words=50, places=16),
   options=[("sequence", 128, "tokens of the prompt")])

if __name__ == "__main__":
    MODEL.main()
