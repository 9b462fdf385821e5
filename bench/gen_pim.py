#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Synthetic programs in the text form, for timing the IR.

  gen_pim.py encoder --blocks N [--noise]      a Transformer encoder, 30 ops a block (35 with noise)
  gen_pim.py flat --ops N [--dup P] [--hub]    element-wise ops in one line, every value used

A block is 12 constants and 18 ops: two of its matrix products and their transposes are exact
repeats of nothing, so an optimiser finds work only with --noise (two repeats, one op that joins them,
two dead ops) or --dup (that many percent of the ops repeat the one before). Equal arguments give
equal bytes. --hub lets every op use the first input.
"""
import argparse
import sys

ROWS, WIDTH, HIDDEN = 128, 768, 3072


class Random:
    """A 64-bit linear congruential generator; the high bits are used."""

    def __init__(self, seed):
        self.state = seed * 2 + 1

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n


class Writer:
    """Numbers values and writes statements."""

    def __init__(self, out):
        self.out, self.next = out, 0

    def op(self, op, inputs, dims, attrs=""):
        name = f"%{self.next}"
        self.next += 1
        self.line(name, op, inputs, dims, attrs)
        return name

    def line(self, name, op, inputs, dims, attrs):
        operands = " " + ", ".join(inputs) if inputs else ""
        shape = ",".join(map(str, dims))
        braces = " {" + attrs + "}" if attrs else ""
        self.out.write(f"    {name} = {op}{operands}{braces} : f32[{shape}]\n")


class Encoder:
    def __init__(self, out, noise):
        self.w, self.noise, self.seeds = Writer(out), noise, 0

    def weight(self, block, name, *dims):
        self.seeds += 1
        value = f"%blk{block}.{name}"
        self.w.line(value, "constant", [], dims, f"value = {0.01 + self.seeds * 1e-8:.9g}")
        return value

    def norm(self, block, which, x):
        scale = self.weight(block, f"g{which}", WIDTH)
        bias = self.weight(block, f"b{which}", WIDTH)
        return self.w.op("layer_norm", [x, scale, bias], (ROWS, WIDTH), "axis = 1")

    def attention(self, block, x):
        square, rows, op = (ROWS, ROWS), (ROWS, WIDTH), self.w.op
        wq, wk, wv, wo = (self.weight(block, n, WIDTH, WIDTH) for n in ("wq", "wk", "wv", "wo"))
        q, k, v = (op("matmul", [x, w], rows) for w in (wq, wk, wv))
        if self.noise:
            again = [op("matmul", [x, w], rows) for w in (wq, wk)]
            k = op("max", [k, again[1]], rows)
            op("exp", [op("neg", [again[0]], rows)], rows)
        transposed = op("transpose", [k], (WIDTH, ROWS), "perm = [1, 0]")
        scores = op("matmul", [q, transposed], square)
        scale = self.weight(block, "scale", 1)
        weights = op("softmax", [op("mul", [scores, scale], square)], square, "axis = 1")
        context = op("matmul", [weights, v], rows)
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


def write_encoder(out, args):
    program, x = Encoder(out, args.noise), "%x"
    out.write(f"module {{\n  graph @main(%x: f32[{ROWS},{WIDTH}]) {{\n")
    for block in range(args.blocks):
        x = program.block(block, x)
    out.write(f"    return {x}\n  }}\n}}\n")


def choose_other(random, n, hub):
    """Another input of op n: among the last 8 values (7 of 10) or any before."""
    if hub:
        return "%x"
    back = random.below(8) if random.below(10) < 7 else random.below(n + 2)
    index = n - 1 - min(back, n + 1)
    return f"%{index}" if index >= 0 else ("%x", "%y")[-1 - index]


def write_flat(out, args):
    random, w = Random(args.seed), Writer(out)
    dims, last = (args.side, args.side), None
    shape = f"f32[{args.side},{args.side}]"
    out.write(f"module {{\n  graph @main(%x: {shape}, %y: {shape}) {{\n")
    for n in range(args.ops):
        before = f"%{n - 1}" if n else "%y"
        other = choose_other(random, n, args.hub)
        kind = random.below(100)
        if last and random.below(100) < args.dup:
            w.op(*last, dims)
            continue
        if kind < 15:
            last = (("neg", "exp", "tanh")[kind % 3], [before])
        else:
            last = (("add", "sub", "mul", "max")[kind % 4], [before, other])
        w.op(*last, dims)
    out.write(f"    return %{args.ops - 1}\n  }}\n}}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", default="-", help="file to write (standard output)")
    kinds = parser.add_subparsers(required=True)
    encoder = kinds.add_parser("encoder")
    encoder.add_argument("--blocks", type=int, default=12)
    encoder.add_argument("--noise", action="store_true")
    encoder.set_defaults(write=write_encoder)
    flat = kinds.add_parser("flat")
    flat.add_argument("--ops", type=int, default=1000)
    flat.add_argument("--dup", type=int, default=0, help="percent of ops that repeat the one before")
    flat.add_argument("--hub", action="store_true")
    flat.add_argument("--side", type=int, default=16)
    flat.add_argument("--seed", type=int, default=1)
    flat.set_defaults(write=write_flat)
    args = parser.parse_args()
    out = sys.stdout if args.o == "-" else open(args.o, "w")
    args.write(out, args)
    out.close()


if __name__ == "__main__":
    main()
