#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""BERT-base encoder: 12 blocks, width 768, 12 heads, 128 tokens (Devlin et al. 2019).

Published: 110 M weights with the pooler (109.48 M counted in the released checkpoint); by hand,
128 tokens take 85 M x 128 + 12 x 2 x 128^2 x 768 + 768^2 = 11.17 G multiply-accumulates.
"""

import numpy as np
from graph import Family


def block(g, x, name, tokens, width, heads):
    size = width // heads
    parts = []
    for part in ("query", "key", "value"):
        y = g.linear(x, f"{name}/attention/{part}", width, width)
        parts.append(g.split_heads(y, f"{name}/attention/{part}", 1, tokens, heads, size))
    y = g.attend(*parts, name + "/attention", size)
    y = g.join(y, name + "/attention", 1, tokens, width)
    y = g.linear(y, name + "/attention/output", width, width)
    x = g.layer_norm(g.node("Add", [y, x], name + "/Add"), name + "/attention/norm", width, 1e-12)
    y = g.mlp(x, name + "/mlp", width, 4 * width)
    return g.layer_norm(g.node("Add", [y, x], name + "/Add_1"), name + "/norm", width, 1e-12)


def embed(g, name, ids, rows, width):
    return g.node("Gather", [g.around(name + ".weight", (rows, width), 0, 1), ids], name + "/Gather", axis=0)


def build(g, c):
    """BERT-base as an exporter writes it, for one sequence without padding."""
    tokens, width = c.sequence, c.width
    ids = g.input("input_ids", (1, tokens), np.int64, c.words)
    kinds = g.ints("token_type_ids", np.zeros((1, tokens)))
    order = g.ints("position_ids", np.arange(tokens)[None])
    x = g.node("Add", [embed(g, "word", ids, c.words, width), embed(g, "type", kinds, 2, width)], "Add")
    x = g.node("Add", [x, embed(g, "position", order, c.places, width)], "Add_1")
    x = g.layer_norm(x, "norm", width, 1e-12)
    for i in range(c.blocks):
        x = block(g, x, f"layer.{i}", tokens, width, c.heads)
    x = g.node("Gather", [x, g.ints("first", 0)], "Gather", axis=1)
    return g.node("Tanh", [g.gemm(x, "pooler", width, width)], "Tanh")


MODEL = Family(build, {
    "bert_base": dict(width=768, heads=12, blocks=12, words=30522, places=512, published=(11.17, 109.48)),
}, small=dict(sequence=8, width=16, heads=2, blocks=2, words=50, places=16),
   options=[("sequence", 128, "tokens")])

if __name__ == "__main__":
    MODEL.main()
