#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the IR costs: reading, verifying, printing, cse, canonicalize, dce, pictures, start-up.

The reference is Debian's mlir-opt on the same programs, written by the generator that
--mlir-generator (or MLIR_GENERATOR) names; without either, only pimopt is measured. The generator is
called as `gen encoder|flat ... --form generic|tosa -o FILE` and prints "N ops". Programs:
  encoder N   a Transformer encoder of N blocks; + : with two repeats and two dead ops a block
  flat        10^6 element-wise ops, each using the one before; + : a tenth repeat the one before
--only=startup,text,passes,instructions,linear,graphs,changed,pictures,plugin picks tables.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ROOT, Cost, instructions, measure, milliseconds, print_header, print_table, ratio

MLIR_PASS = {"cse": "--cse", "canonicalize": "--canonicalize", "dce": "--remove-dead-values"}
ENCODERS, FLAT = (12, 100, 1000, 10000), 1000000


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.pimopt = args.bin / "pimopt"
        self.reference = bool(args.mlir_generator and shutil.which(args.mlir_opt))

    def generate(self, generator, what, name):
        """A file and its number of ops, which the generator states; made once."""
        path = self.folder / name
        count = path.with_suffix(".ops")
        if not path.exists():
            done = subprocess.run([sys.executable, generator, *what, "-o", path], check=True, text=True,
                                  stderr=subprocess.PIPE)
            count.write_text(done.stderr.split()[0])
        return path, int(count.read_text())

    def ours(self, *what):
        """The program `what` (kind and options) in our text form."""
        return self.generate(ROOT / "bench" / "gen_pim.py", what, "_".join(what) + ".pim")

    def theirs(self, form, kind, *options):
        options = [o.replace("--blocks-per-graph", "--blocks-per-func") for o in options]
        what = [kind, "--form", form, *options]
        return self.generate(self.args.mlir_generator, what, "_".join(what) + ".mlir")

    def run_ours(self, path, *options):
        return [self.pimopt, path, *options, "-o", "/dev/null"]

    def run_theirs(self, path, *options):
        return [self.args.mlir_opt, "--allow-unregistered-dialect", path, *options, "-o", "/dev/null"]

    def cost(self, command, runs=None):
        return measure(command, runs or self.args.runs)


def programs(noise):
    """Name and generator arguments of the programs."""
    extra = {"encoder": ["--noise"], "flat": ["--dup", "10"]} if noise else {"encoder": [], "flat": []}
    for blocks in ENCODERS:
        yield f"encoder {blocks:,}" + "+" * noise, ["encoder", "--blocks", str(blocks), *extra["encoder"]]
    yield "flat 10^6" + "+" * noise, ["flat", "--ops", str(FLAT), *extra["flat"]]


def cells(ours, theirs):
    if not theirs:
        return [milliseconds(ours.cpu), f"{ours.peak:.1f}", "-", "-", "-", "-"]
    return [milliseconds(ours.cpu), f"{ours.peak:.1f}", milliseconds(theirs.cpu), f"{theirs.peak:.0f}",
            ratio(theirs.cpu, ours.cpu), ratio(theirs.peak, ours.peak)]


COMPARED = ["pimopt CPU", "MiB", "mlir-opt CPU", "MiB", "CPU ratio", "memory ratio"]


def bench_startup(b):
    empty, theirs = b.folder / "empty.pim", b.folder / "empty.mlir"
    empty.write_text("module {\n}\n")
    theirs.write_text("module {\n}\n")
    floor = b.cost(["true"], 101)
    ours = b.cost(b.run_ours(empty), 101)
    other = b.cost(b.run_theirs(theirs), 21) if shutil.which(b.args.mlir_opt) else None
    rows = [["empty module", *cells(ours, other)], ["/bin/true (what measuring costs)", *cells(floor, None)]]
    rows += [["the first without the second", *cells(Cost(ours.cpu - floor.cpu, 0, ours.peak),
                                                     other and Cost(other.cpu - floor.cpu, 0, other.peak))]]
    print_table("Start-up: an empty module", ["program", *COMPARED], rows)


def bench_text(b):
    rows = []
    for name, what in programs(False):
        path, ops = b.ours(*what)
        other = None
        runs = max(b.args.runs, 21) if ops < 10000 else None
        if b.reference:
            mlir, mlir_ops = b.theirs("generic", *what)
            if mlir_ops != ops:
                sys.exit(f"{name}: {ops} ops here, {mlir_ops} ops in MLIR")
            other = b.cost(b.run_theirs(mlir), runs)
        rows.append([name, f"{ops:,}", *cells(b.cost(b.run_ours(path), runs), other)])
    print_table("Parse, verify, print (MLIR: generic form, the same ops)", ["program", "ops", *COMPARED], rows)


def bench_passes(b):
    """Net: what the pass adds to the run without it. mlir-opt leaves ops alone that it does not know,
    so it gets registered ops (TOSA), of which a block takes 64 instead of 35: see the cost of one op."""
    rows = []
    for name, what in list(programs(True))[2:]:
        path, ops = b.ours(*what)
        plain = b.cost(b.run_ours(path))
        if b.reference:
            mlir, mlir_ops = b.theirs("tosa", *what)
            mlir_plain = b.cost(b.run_theirs(mlir))
        for p, option in MLIR_PASS.items():
            ours = b.cost(b.run_ours(path, f"--pass-pipeline={p}")) - plain
            row = [f"{p}, {name}", f"{ops:,}", milliseconds(ours.cpu), f"{ours.peak:.1f}", f"{ours.cpu / ops * 1e9:.0f}"]
            if b.reference:
                theirs = b.cost(b.run_theirs(mlir, option)) - mlir_plain
                row += [f"{mlir_ops:,}", milliseconds(theirs.cpu), f"{theirs.peak:.0f}",
                        f"{theirs.cpu / mlir_ops * 1e9:.0f}", ratio(theirs.cpu / mlir_ops, ours.cpu / ops)]
            else:
                row += ["-"] * 5
            rows.append(row)
    print_table("Passes, net", ["pass, program", "ops", "pimopt CPU", "MiB", "ns an op", "MLIR ops", "mlir-opt CPU",
                                "MiB", "ns an op", "ratio an op"], rows)


def bench_instructions(b):
    rows = []
    for name, what in (("encoder 1,000", ["encoder", "--blocks", "1000"]), ("flat 10^5", ["flat", "--ops", "100000"])):
        path, ops = b.ours(*what)
        ours, theirs = instructions(b.run_ours(path)) / ops, None
        if b.reference:
            theirs = instructions(b.run_theirs(b.theirs("generic", *what)[0])) / ops
        rows.append([name, f"{ops:,}", f"{ours:,.0f}", f"{theirs:,.0f}" if theirs else "-",
                     ratio(theirs, ours) if theirs else "-"])
    print_table("Instructions an op: parse, verify, print (callgrind, exact)",
                ["program", "ops", "pimopt", "mlir-opt", "ratio"], rows)


def bench_linear(b):
    rows = []
    for kind in (["encoder", "--noise", "--blocks"], ["flat", "--dup", "10", "--ops"]):
        for size in (10**4, 10**5, 10**6):
            path, ops = b.ours(*kind, str(size // 35 if kind[0] == "encoder" else size))
            plain = instructions(b.run_ours(path))
            row = [f"{kind[0]}+", f"{ops:,}", f"{plain / ops:,.0f}"]
            for p in MLIR_PASS:
                row.append(f"{(instructions(b.run_ours(path, f'--pass-pipeline={p}')) - plain) / ops:,.0f}")
            rows.append(row)
    print_table("Linear: instructions an op (callgrind, exact); a pass with the verification after it",
                ["program", "ops", "parse, verify, print", *(f"{p}, net" for p in MLIR_PASS)], rows)


def bench_graphs(b):
    rows = []
    for blocks in (100, 1000, 10000):
        what = ["encoder", "--noise", "--blocks-per-graph", "1", "--blocks", str(blocks)]
        path, ops = b.ours(*what)
        other = None
        if b.reference and blocks <= 1000:
            mlir, _ = b.theirs("tosa", *what)
            other = b.cost(b.run_theirs(mlir, "--remove-dead-values"), 1)
        ours = b.cost(b.run_ours(path, "--pass-pipeline=cse,canonicalize,dce"))
        rows.append([f"{blocks:,} graphs", f"{ops:,}", f"{ours.cpu / ops * 1e9:.0f}", *cells(ours, other)])
    print_table("Many graphs: cse, canonicalize and dce here, --remove-dead-values alone there",
                ["program", "ops", "ns an op", *COMPARED], rows)


def bench_changed(b):
    path, ops = b.ours("encoder", "--noise", "--blocks", "1000")
    pipeline = "--pass-pipeline=" + ",".join(["cse", "canonicalize", "dce"] + ["canonicalize"] * 17)
    plain = b.cost(b.run_ours(path, pipeline))
    rows = [["20 passes", f"{ops:,}", milliseconds(plain.cpu), "1.0 x"]]
    for option in ("--print-changed", "--print-after=all", "--verify-each=off"):
        cost = b.cost(b.run_ours(path, pipeline, option))
        rows.append([f"with {option}", f"{ops:,}", milliseconds(cost.cpu), ratio(cost.cpu, plain.cpu)])
    print_table("Printing between passes", ["run", "ops", "CPU", "of the plain run"], rows)


def bench_pictures(b):
    rows = []
    for blocks in (12, 1000):
        path, ops = b.ours("encoder", "--blocks", str(blocks))
        for form in ("dot", "svg"):
            out = b.folder / f"picture.{form}"
            cost = b.cost([b.pimopt, path, f"--emit={form}", "-o", out], 3)
            rows.append([f"encoder {blocks:,}, {form}", f"{ops:,}", milliseconds(cost.cpu), f"{cost.peak:.0f}",
                         f"{out.stat().st_size / 1024:,.0f} KiB"])
    print_table("Pictures: the default drawing, written (dot) and laid out (svg)",
                ["picture", "ops", "CPU", "MiB", "file"], rows)


def bench_plugin(b):
    source, out = ROOT / "examples" / "passes" / "count_elements.c", b.folder / "count_elements.so"
    command = ["gcc", "-O2", "-fPIC", "-shared", f"-I{ROOT / 'include'}", source, "-o", out]
    nothing = b.folder / "nothing.c"
    nothing.write_text("int nothing;\n")
    ours = b.cost(command)
    floor = b.cost(["gcc", "-O2", "-fPIC", "-shared", nothing, "-o", out])
    print_table("Compiling a pass as a plug-in", ["file", "CPU", "MiB"],
                [["examples/passes/count_elements.c", milliseconds(ours.cpu), f"{ours.peak:.0f}"],
                 ["an empty file (gcc and the linker alone)", milliseconds(floor.cpu), f"{floor.peak:.0f}"]])


TABLES = {name[6:]: f for name, f in list(globals().items()) if name.startswith("bench_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin", help="folder of pimopt")
    parser.add_argument("--mlir-generator", default=os.environ.get("MLIR_GENERATOR"), metavar="PATH")
    parser.add_argument("--mlir-opt", default="mlir-opt-19")
    parser.add_argument("-n", "--runs", type=int, default=5)
    parser.add_argument("--only", default=",".join(TABLES))
    args = parser.parse_args()
    print_header("ir.py")
    with tempfile.TemporaryDirectory(prefix="pim-bench-") as folder:
        b = Bench(args, Path(folder))
        if not b.reference:
            print("no reference: needs mlir-opt and --mlir-generator; only pimopt is measured")
        for table in args.only.split(","):
            TABLES[table](b)


if __name__ == "__main__":
    main()
