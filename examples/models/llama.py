#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One block of LLaMA-3-8B: width 4096, 32 heads that share 8 keys and values, SwiGLU of 14336, rotary
embedding of base 500000 (Llama team 2024, table 3). Prefill has no past; decode is one token behind
`sequence` past ones, whose keys and values are inputs.

Published: 8.03 G weights in all; 32 blocks of 218.11 M, two 128256 x 4096 matrices and a norm are
8,030,261,248. By hand, T tokens of K keys take T x (218.10 M + 2 x K x 4096) multiply-accumulates and
T x 64 of the angles: 28.05 G for 128 of 128, 0.2192 G for 1 of 129.
"""

import numpy as np
from graph import Family


def rms_norm(g, x, name, size):
    y = g.node("Pow", [x, g.scalar(name + ".two", 2)], name + "/Pow")
    y = g.node("ReduceMean", [y], name + "/ReduceMean", axes=[-1])
    y = g.node("Add", [y, g.scalar(name + ".epsilon", 1e-5)], name + "/Add")
    y = g.node("Sqrt", [y], name + "/Sqrt")
    y = g.node("Div", [g.scalar(name + ".one", 1), y], name + "/Div")
    y = g.node("Mul", [x, y], name + "/Mul")
    return g.node("Mul", [g.around(name + ".weight", size, 1, 0.1), y], name + "/Mul_1")


def angles(g, positions, name, tokens, size, base):
    """cos and sin, each [1, 1, tokens, size]: the angles of half the places, twice."""
    frequency = (base ** -(np.arange(0, size, 2) / size)).astype(np.float32)
    y = g.node("Unsqueeze", [positions, g.ints(name + ".axis", [1])], name + "/Unsqueeze")
    y = g.node("Cast", [y], name + "/Cast", to=1)
    y = g.node("MatMul", [g.constant(name + ".inv_freq.fixed", frequency[None, :, None]), y], name + "/MatMul")
    y = g.transpose(y, name + "/Transpose", 0, 2, 1)
    y = g.node("Concat", [y, y], name + "/Concat", axis=-1)
    return [g.node("Unsqueeze", [g.node(op, [y], f"{name}/{op}"), g.ints(name + ".axis", [1])], f"{name}/{op}/Unsqueeze")
            for op in ("Cos", "Sin")]


def rotate(g, x, name, size, cos, sin):
    """x cos + (-second half of x, first half of x) sin"""
    low = g.slice(x, name + "/Slice", [0], [size // 2], [3])
    high = g.slice(x, name + "/Slice_1", [size // 2], [np.iinfo(np.int64).max], [3])
    turned = g.node("Concat", [g.node("Neg", [high], name + "/Neg"), low], name + "/Concat", axis=-1)
    parts = g.node("Mul", [x, cos], name + "/Mul"), g.node("Mul", [turned, sin], name + "/Mul_1")
    return g.node("Add", parts, name + "/Add")


def repeat(g, x, name, groups, times, keys, size):
    """Every key for `times` heads that follow each other."""
    y = g.node("Unsqueeze", [x, g.ints(name + ".axis", [2])], name + "/Unsqueeze")
    y = g.node("Expand", [y, g.ints(name + ".times", [1, groups, times, keys, size])], name + "/Expand")
    return g.reshape(y, [1, groups * times, keys, size], name + "/Reshape")


def attention(g, x, c, positions, past):
    tokens, keys, size = c.tokens, c.past + c.tokens, c.width // c.heads
    q, k, v = (g.split_heads(g.linear(x, f"self_attn/{part}_proj", c.width, n * size, bias=False),
                             f"self_attn/{part}", 1, tokens, n, size)
               for part, n in (("q", c.heads), ("k", c.groups), ("v", c.groups)))
    cos, sin = angles(g, positions, "rotary", tokens, size, c.base)
    q, k = rotate(g, q, "self_attn/q/rotary", size, cos, sin), rotate(g, k, "self_attn/k/rotary", size, cos, sin)
    if past:
        k, v = (g.node("Concat", [old, new], f"self_attn/Concat_{i}", axis=2)
                for i, (old, new) in enumerate(zip(past, (k, v))))
    wide = [repeat(g, y, f"self_attn/{part}/repeat", c.groups, c.heads // c.groups, keys, size)
            for part, y in (("k", k), ("v", v))]

    def hide_future(scores):
        low = np.triu(np.full((tokens, tokens), np.finfo(np.float32).min, np.float32), 1)
        return g.node("Add", [scores, g.constant("causal.mask", low[None, None])], "self_attn/Add")

    y = g.attend(q, *wide, "self_attn", size, hide_future if tokens > 1 else None)
    y = g.join(y, "self_attn", 1, tokens, c.width)
    return g.linear(y, "self_attn/o_proj", c.width, c.width, bias=False), k, v


def swiglu(g, x, width, hidden):
    gate = g.linear(x, "mlp/gate_proj", width, hidden, bias=False)
    gate = g.node("Mul", [gate, g.node("Sigmoid", [gate], "mlp/act/Sigmoid")], "mlp/act/Mul")
    up = g.linear(x, "mlp/up_proj", width, hidden, bias=False)
    return g.linear(g.node("Mul", [gate, up], "mlp/Mul"), "mlp/down_proj", hidden, width, bias=False)


def build(g, c):
    """One block of LLaMA-3 as an exporter writes it."""
    c.tokens, c.past = (1, c.sequence) if c.decode else (c.sequence, 0)
    size = c.width // c.heads
    x = g.input("hidden_states", (1, c.tokens, c.width))
    positions = g.input("position_ids", (1, c.tokens), np.int64, 1)
    g.data[-1] = (positions, np.arange(c.past, c.past + c.tokens)[None])
    past = [g.input(f"past_key_values.0.{part}", (1, c.groups, c.past, size)) for part in ("key", "value") if c.past]
    y = rms_norm(g, x, "input_layernorm", c.width)
    y, k, v = attention(g, y, c, positions, past)
    x = g.node("Add", [x, y], "Add")
    y = swiglu(g, rms_norm(g, x, "post_attention_layernorm", c.width), c.width, c.hidden)
    return {"output": g.node("Add", [x, y], "Add_1"), "present.0.key": k, "present.0.value": v}


def variant(decode, published):
    return dict(decode=decode, width=4096, heads=32, groups=8, hidden=14336, base=500000.0, published=published)


MODEL = Family(build, {
    "llama3_8b_prefill": variant(False, (28.05, 218.11)),
    "llama3_8b_decode": variant(True, (0.2192, 218.11)),
}, small=dict(sequence=6, width=32, heads=4, groups=2, hidden=48),
   options=[("sequence", 128, "tokens of the prompt; decode: past tokens")])

if __name__ == "__main__":
    MODEL.main()
