#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Synthetic programs in the text form, for timing the IR.

  gen_pim.py encoder --blocks N [--noise]      a Transformer encoder, 30 ops a block (35 with noise)
  gen_pim.py flat --ops N [--dup P] [--hub]    element-wise ops in one line, every value used

A block is 12 constants and 18 ops. An optimiser finds work only with --noise (two repeats, one op that
joins them, two dead ops) or --dup (that many percent of the ops repeat the one before); in the encoder
a product with a transpose is one op in the end. --hub lets every op use the first input.
--blocks-per-graph K puts every K blocks in a graph of their own. Equal arguments give equal bytes.
Prints the number of ops, the returns counted, on standard error.
"""
import argparse
import sys

ROWS, WIDTH, HIDDEN = 128, 768, 3072


class Random:
    """A 64-bit linear congruential generator; the high bits are used."""

    def __init__(self, seed):
        self.state = (seed * 2654435761 + 1) % 2**64

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n


class Writer:
    """Numbers values, writes and counts statements."""

    def __init__(self, out):
        self.out, self.next, self.ops = out, 0, 0

    def open_graph(self, name, inputs):
        self.next = 0
        listed = ", ".join(f"%{i}: f32[{','.join(map(str, dims))}]" for i, dims in inputs)
        self.out.write(f"  graph @{name}({listed}) {{\n")

    def close_graph(self, result):
        self.ops += 1
        self.out.write(f"    return {result}\n  }}\n")

    def op(self, op, inputs, dims, attrs=""):
        name = f"%{self.next}"
        self.next += 1
        self.line(name, op, inputs, dims, attrs)
        return name

    def line(self, name, op, inputs, dims, attrs):
        self.ops += 1
        operands = " " + ", ".join(inputs) if inputs else ""
        shape = ",".join(map(str, dims))
        braces = " {" + attrs + "}" if attrs else ""
        self.out.write(f"    {name} = {op}{operands}{braces} : f32[{shape}]\n")


class Encoder:
    def __init__(self, writer, noise):
        self.w, self.noise, self.seeds = writer, noise, 0

    def weight(self, block, name, *dims):
        self.seeds += 1
        value = f"%blk{block}.{name}"
        self.w.line(value, "constant", [], dims, f"value = {0.01 + self.seeds * 1e-8:.9g}")
        return value

    def norm(self, block, which, x):
        scale = self.weight(block, f"g{which}", WIDTH)
        bias = self.weight(block, f"b{which}", WIDTH)
        return self.w.op("layer_norm", [x, scale, bias], (ROWS, WIDTH), "axis = 1")

    def scores(self, q, k):
        transposed = self.w.op("transpose", [k], (WIDTH, ROWS), "perm = [1, 0]")
        return self.w.op("matmul", [q, transposed], (ROWS, ROWS))

    def attention(self, block, x):
        square, rows, op = (ROWS, ROWS), (ROWS, WIDTH), self.w.op
        wq, wk, wv, wo = (self.weight(block, n, WIDTH, WIDTH) for n in ("wq", "wk", "wv", "wo"))
        q, k, v = (op("matmul", [x, w], rows) for w in (wq, wk, wv))
        scores = self.scores(q, k)
        if self.noise:
            scores = op("max", [scores, self.scores(q, k)], square)
        weights = op("softmax", [op("mul", [scores, "%scale"], square)], square, "axis = 1")
        context = op("matmul", [weights, v], rows)
        if self.noise:
            op("max", [op("matmul", [v, wo], rows), x], rows)
        return op("add", [x, op("matmul", [context, wo], rows)], rows)

    def mlp(self, block, x):
        op, wide, rows = self.w.op, (ROWS, HIDDEN), (ROWS, WIDTH)
        w1, c1 = self.weight(block, "w1", WIDTH, HIDDEN), self.weight(block, "c1", HIDDEN)
        w2, c2 = self.weight(block, "w2", HIDDEN, WIDTH), self.weight(block, "c2", WIDTH)
        hidden = op("gelu", [op("add", [op("matmul", [x, w1], wide), c1], wide)], wide)
        return op("add", [x, op("add", [op("matmul", [hidden, w2], rows), c2], rows)], rows)

    def block(self, block, x):
        x = self.norm(block, 1, self.attention(block, x))
        return self.norm(block, 2, self.mlp(block, x))


def write_encoder(w, args):
    program, each = Encoder(w, args.noise), args.blocks_per_graph or args.blocks
    for first in range(0, args.blocks, each):
        name = f"block_{first}" if args.blocks_per_graph else "main"
        w.open_graph(name, [("x", (ROWS, WIDTH)), ("scale", (1,))])
        x = "%x"
        for block in range(first, min(first + each, args.blocks)):
            x = program.block(block, x)
        w.close_graph(x)


def choose(random, values, args):
    """The op and inputs of one line of a flat program; the value before is always an input."""
    if args.hub:
        return "add", [values[-1], values[0]]
    if random.below(4) == 0:
        return ("exp", "neg", "tanh")[random.below(3)], [values[-1]]
    n = len(values)
    near = random.below(10) < 7
    other = n - 1 - random.below(min(8, n)) if near else random.below(n)
    return ("add", "sub", "mul", "max")[random.below(4)], [values[-1], values[other]]


def write_flat(w, args):
    random, dims = Random(args.seed), (args.side, args.side)
    values, last = ["%x", "%y"], None
    w.open_graph("main", [("x", dims), ("y", dims)])
    for _ in range(args.ops):
        repeat = args.dup and last and random.below(100) < args.dup
        last = last if repeat else choose(random, values, args)
        values.append(w.op(*last, dims))
    w.close_graph(values[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    encoder = kinds.add_parser("encoder")
    encoder.add_argument("--blocks", type=int, default=12)
    encoder.add_argument("--noise", action="store_true")
    encoder.add_argument("--blocks-per-graph", type=int, default=0)
    encoder.set_defaults(write=write_encoder)
    flat = kinds.add_parser("flat")
    flat.add_argument("--ops", type=int, default=1000)
    flat.add_argument("--dup", type=int, default=0, help="percent of ops that repeat the one before")
    flat.add_argument("--hub", action="store_true")
    flat.add_argument("--side", type=int, default=16)
    flat.add_argument("--seed", type=int, default=1)
    flat.set_defaults(write=write_flat)
    for kind in (encoder, flat):
        kind.add_argument("-o", default="-", help="file to write (standard output)")
    args = parser.parse_args()
    out = sys.stdout if args.o == "-" else open(args.o, "w")
    w = Writer(out)
    out.write("module {\n")
    args.write(w, args)
    out.write("}\n")
    out.close()
    print(f"{w.ops} ops", file=sys.stderr)


if __name__ == "__main__":
    main()
