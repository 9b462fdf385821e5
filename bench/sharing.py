#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to hold weights once: token split or feature split, and cycles against memory.

1. The MLP of each stage of Swin-T, one copy of its weights in the machine. Token split: rows on all
   units, which fetch the weights from each other. Feature split: columns of the first product, the
   reduction of the second, which gather the tokens and add up partial sums. "receives": words, 8 C^2
   (p-1)/p for the one and 2 M C (p-1)/p for the other (M tokens, C channels, p units), so that token
   split moves less while M > 4 C. "links": words times hops of a unit, and cycles, both counted by
   pimsim on the command code (one message may have several readers). "chosen": what interleave-layout
   does of itself, with memory for values, what is fetched and a sixteenth of the weights.
2. With --network: cycles of a network against the memory of a unit, from plenty down to what is refused.
"""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ROOT, print_header, print_table

UNITS = 64
STAGES = ((3136, 96), (784, 192), (196, 384), (49, 768))

MLP = """module {{
  graph @main(%x: f32[{m},{c}]{x}) {{
{facts}    %w1 = constant {{absent = 1}} : f32[{c},{h}]{w1}
    %w2 = constant {{absent = 1}} : f32[{h},{c}]{w2}
    %a = matmul %x, %w1 : f32[{m},{h}]{a}
    %g = gelu %a : f32[{m},{h}]{a}
    %y = matmul %g, %w2 : f32[{m},{c}]{y}
    %z = {z} : f32[{m},{c}]{x}
    return %z
  }}
}}
"""


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        wrong = re.search(r"error: (.*)", done.stderr + done.stdout)
        raise RuntimeError(wrong.group(1) if wrong else f"status {done.returncode}")
    return done.stdout + done.stderr


def machine(folder, memory):
    """stack3d with so many bytes of memory in each unit."""
    text = (ROOT / "targets" / "stack3d.yaml").read_text()
    path = folder / f"stack3d_{memory}.yaml"
    path.write_text(re.sub(r"size: 64 MiB", f"size: {memory} B", text))
    return path


def simulate(args, folder, model, target, passes):
    """Cycles, words times hops of each unit on average, and what the passes reported."""
    code = folder / "code.pimc"
    report = run(args.bin / "pimopt", model, f"--target={target}", passes, "--stats", "-o", code)
    counted = run(args.bin / "pimsim", code, "--timing-only", "--json")
    figure = {k: int(re.search(rf'"{k}": (\d+)', counted).group(1)) for k in ("cycles", "byte_hops")}
    return figure["cycles"], figure["byte_hops"] / 4 / UNITS, report


def forced(m, c, tokens):
    p = min(m, UNITS)
    values = {"m": m, "c": c, "h": 4 * c, "facts": '    facts split, laid_out on "stack3d"\n', "x": f" [parts={p}x1]"}
    if tokens:
        values |= {"w1": " [parts=64x1]", "w2": " [parts=64x1]", "a": f" [parts={p}x1]", "y": f" [parts={p}x1]",
                   "z": "neg %y"}
    else:
        values |= {"w1": "", "w2": "", "a": " [parts=1x64]", "y": " [parts=1x1, sums=64]", "z": "relayout %y"}
    return MLP.format(**values)


def chosen(args, folder, m, c):
    """Layouts, shares and figures of our own choice with little memory."""
    weights, values = 4 * 8 * c * c, 4 * m * 4 * c // UNITS
    model = folder / "mlp.pim"
    model.write_text(MLP.format(m=m, c=c, h=4 * c, facts="", x="", w1="", w2="", a="", y="", z="neg %y"))
    target = machine(folder, 5 * values + weights // 2 + weights // 16)
    cycles, words, _ = simulate(args, folder, model, target,
                                "--pass-pipeline=split-branches,interleave-layout,map,schedule,place,lower")
    text = run(args.bin / "pimopt", model, f"--target={target}", "--pass-pipeline=split-branches,interleave-layout")
    layouts = [re.search(rf"%{n} = \w+ .*?\[(?:set=@\w+, )?(parts=[^\]]*)\]", text) for n in ("a", "y")]
    shares = [re.search(rf"%{n} = constant .*\[parts=(\d+)x(\d+)", text) for n in ("w1", "w2")]
    return (" then ".join(found.group(1) if found else "?" for found in layouts),
            ", ".join(str(int(s.group(1)) * int(s.group(2))) if s else "1" for s in shares), f"{words:,.0f}", f"{cycles:,}")


def print_crossover(args, folder):
    rows = []
    for stage, (m, c) in enumerate(STAGES, 1):
        figures = []
        for tokens in (True, False):
            model = folder / "forced.pim"
            model.write_text(forced(m, c, tokens))
            figures.append(simulate(args, folder, model, "stack3d", "--pass-pipeline=map,schedule,place,lower"))
        formula = [8 * c * c * (UNITS - 1) / UNITS, 2 * m * c * (UNITS - 1) / UNITS]
        rows.append([f"{stage}: M {m}, C {c}", "yes" if m > 4 * c else "no",
                     *(f"{words:,.0f} / {f[1]:,.0f} / {f[0]:,}" for f, words in zip(figures, formula)),
                     *chosen(args, folder, m, c)])
    print_table("One copy of the weights",
                ["stage", "M > 4 C", "token split: receives / links / cycles", "feature split", "chosen",
                 "share degrees", "links", "cycles"], rows)


def print_trade(args, folder):
    rows = []
    for memory in args.memory:
        cells = [f"{memory:g} MiB"]
        try:
            cycles, _, report = simulate(args, folder, args.network, machine(folder, int(memory * 2**20)),
                                         "--pipeline=default")
            layout = report[report.index("interleave-layout @"):]
            figure = {k: re.search(rf"^ +{k} +(\d+)", layout, re.M).group(1)
                      for k in ("shared", "shared_bytes", "fetched_bytes")}
            gap = re.search(r"gap ([0-9.]+ %)", layout).group(1)
            cells += [f"{cycles:,}", figure["shared"], f"{int(figure['shared_bytes']) / 2**20:.2f} MiB",
                      f"{int(figure['fetched_bytes']) / 2**20:,.0f} MiB", gap]
        except RuntimeError as wrong:
            cells += [str(wrong)[:80], "", "", "", ""]
        rows.append(cells)
    print_table(f"{args.network.stem}: cycles against the memory of a unit",
                ["memory", "cycles", "shared constants", "of them on a unit", "fetched in all", "gap of the layouts"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--network", type=Path, help="an ONNX model")
    parser.add_argument("--memory", type=float, nargs="+", default=[64, 32, 16, 12, 10, 8, 7, 6], help="MiB per unit")
    args = parser.parse_args()
    print_header("Shared weights")
    with tempfile.TemporaryDirectory() as folder:
        print_crossover(args, Path(folder))
        if args.network:
            print_trade(args, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
