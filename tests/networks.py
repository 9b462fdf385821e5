#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every real network from ONNX to command code to values: networks.py BIN DATA [options]

BIN holds pimopt and pimsim. DATA holds folders of models (networks/NAME/model.onnx, graphs/NAME/...), with
test_data_set_0/input_N.pb and output_N.pb where values are known. For each model:

1. `pimopt --pipeline=default --verify-roundtrip --verify-numerics` compiles it;
2. `pimsim` runs the command code, and its results are compared with the known ones. Without known ones
   random inputs are drawn, and pimopt --eval says what should have come out; a model without weights
   is timed only;
3. each pass runs in a process of its own on the text that the pass before it wrote: printing what was
   read gives the same bytes, and the last program takes as many cycles as the one of step 1.

Tolerance: |a - b| <= 1e-4 + 1e-3 |b|; f16 5e-3 + 1e-3 |b|; integers, and the int8_* networks whose floats
hold integers, exactly. Returns 77 (skipped) when there are no networks.
"""
import argparse
import concurrent.futures
import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SKIPPED = 77
PASSES = ("canonicalize", "fold", "cse", "canonicalize", "split-branches", "interleave-layout", "map",
          "schedule", "place", "lower")

# Hundreds of millions of multiplications and more: a build with sanitizers leaves them out.
LARGE = {"vgg19", "resnet50", "inception_v1", "bvlc_alexnet", "kul_fsrcnn", "kul_bottleneck_bias",
         "ultraface_rfb_320", "super_resolution_10", "squeezenet", "kul_resnet18", "kul_alexnet",
         "kul_swiglu_4096"}


# 7e11 multiplications: compiled and timed, values are compared on the others.
TIMED_ONLY = {"kul_swiglu_4096"}

# All logits are equal, near 5e11, where floats are 32768 apart: a sum that is rounded otherwise in one of
# them, as at the edge of a slice, makes its probability 0. What softmax reads is compared instead.
BEFORE_SOFTMAX = {"bvlc_alexnet"}


class Failure(Exception):
    """What a model did wrong."""


def run(command):
    """Standard output and messages of a command that must succeed."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{' '.join(str(c) for c in command)}\nstatus {done.returncode}\n"
                      f"{done.stderr[-3000:]}{done.stdout[-500:]}")
    return done.stdout, done.stderr


class Test:
    """One model in a folder of its own."""

    target = "--target=stack3d"

    def __init__(self, binaries, model, folder):
        self.pimopt, self.pimsim = binaries / "pimopt", binaries / "pimsim"
        self.name = model.parent.name
        self.folder = folder
        self.model = folder / model.name
        for file in model.parent.glob("*"):  # weights in files of their own too
            if file.is_file():
                shutil.copy(file, folder)
        data = model.parent / "test_data_set_0"
        self.data = data if data.is_dir() else None
        self.seconds = {}
        if self.name in BEFORE_SOFTMAX:
            self.drop_softmax()

    def drop_softmax(self):
        """The program that returns what the softmax at its end reads; with inputs to be drawn."""
        text, _ = run([self.pimopt, self.model, "--pipeline=simplify"])
        softmax, read = re.search(r"(%\S+) = softmax (%\S+)", text).groups()
        text, changed = re.subn(rf"return {re.escape(softmax)}( as \S+)?", f"return {read}", text)
        if changed != 1:
            raise Failure("does not end in a softmax")
        self.model = self.folder / "before_softmax.pim"
        self.model.write_text(text)
        self.data = None

    def timed(self, what, command):
        start = time.monotonic()
        out, messages = run(command)
        self.seconds[what] = time.monotonic() - start
        return out, messages

    def given(self):
        """Where inputs, and with them the sizes of open dims, come from."""
        return [f"--data={self.data}"] if self.data else []

    def compile(self):
        program = self.folder / "x.pimc"
        numerics = [] if self.name in TIMED_ONLY else ["--verify-numerics"]
        self.timed("compile", [self.pimopt, self.model, self.target, "--pipeline=default", "--threads=2",
                               "--verify-roundtrip", *numerics, *self.given(), "-o", program])
        return program

    def simulate_drawn(self, program):
        """On random inputs; what should have come out is pimopt's evaluation."""
        drawn = self.folder / "drawn"
        out, _ = self.timed("simulate", [self.pimsim, program, "--seed=1", f"--outputs-dir={drawn}", "--json"])
        # a bfloat16 has 8 bits and every partial sum is rounded to it: two units in the last place of values near 9
        short = any(": bf16[" in line for line in run([self.pimopt, self.model])[0].splitlines()[:3])
        tolerance = "rtol=2e-2,atol=0.125" if short else "rtol=1e-3,atol=1e-4"
        compared, _ = run([self.pimopt, self.model, "--eval", f"--data={drawn}", f"--tolerance={tolerance}"])
        return json.loads(out), [float(x) for x in re.findall(r"difference (\S+) absolute", compared)]

    def simulate(self, program):
        """The report of pimsim, and the largest difference: None when it is timed only."""
        if self.name in TIMED_ONLY:
            return json.loads(self.timed("simulate", [self.pimsim, program, "--timing-only", "--json"])[0]), None
        if self.data:
            exact = ["--tolerance=rtol=0,atol=0"] if self.name.startswith("int8_") else []
            out, _ = self.timed("simulate", [self.pimsim, program, *self.given(), "--json", *exact])
            report = json.loads(out)
            differences = [r["absolute"] for r in report["results"]]
        else:
            report, differences = self.simulate_drawn(program)
        if not differences:
            raise Failure("no result was compared")
        return report, max(differences)

    def check_text(self, cycles):
        """Each pass on its own, from text to text."""
        before = self.model
        given = self.given()
        for i, name in enumerate(PASSES):
            after, again = self.folder / f"{i}-{name}" / "p.pim", self.folder / f"{i}-again" / "p.pim"
            after.parent.mkdir()
            again.parent.mkdir()
            run([self.pimopt, before, self.target, f"--pass-pipeline={name}", *given, "-o", after])
            run([self.pimopt, after, "-o", again])
            if not filecmp.cmp(after, again, shallow=False):
                raise Failure(f"the text after {name} is another one when it is read and printed again")
            shutil.rmtree(again.parent)
            if name == "lower":
                break
            if i:
                shutil.rmtree(before.parent)
            before, given = after, []
        program = self.folder / "text.pimc"
        run([self.pimopt, before, self.target, "--pass-pipeline=lower", "-o", program])
        report = json.loads(run([self.pimsim, program, "--timing-only", "--json"])[0])
        if report["cycles"] != cycles:
            raise Failure(f"compiled through text it takes {report['cycles']} cycles, else {cycles}")

    def check(self):
        program = self.compile()
        report, difference = self.simulate(program)
        self.check_text(report["cycles"])
        shown = "timing only" if difference is None else f"{difference:.2e}"
        estimated, simulated = report["estimated_cycles"], report["cycles"]
        return (f"{self.seconds['compile']:9.2f} {self.seconds['simulate']:9.2f} {shown:>12} {estimated:11} "
                f"{simulated:11} {100 * (simulated - estimated) / max(estimated, 1):+7.1f} %")


def check_model(binaries, model, test=Test):
    """A line of the table, and whether all was well."""
    with tempfile.TemporaryDirectory(prefix="pim-networks-") as folder:
        try:
            return f"{model.parent.name:26}{test(binaries, model, Path(folder)).check()}", True
        except Failure as e:
            return f"{model.parent.name:26}FAILED\n{e}", False


def check_models(o, is_wanted, test=Test):
    """The table of the models in o.data that are wanted, checked on all processors; what the process returns."""
    models = [m for sub in ("networks", "graphs") for m in sorted(o.data.glob(f"{sub}/*/model.onnx"))
              if o.only in m.parent.name and is_wanted(m.parent.name)]
    if not models:
        print(f"skipped: there are no networks in {o.data} (set PIM_DATA)")
        return SKIPPED
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    print(f"{'network':26}{'compile s':>9} {'simulate s':>9} {'difference':>11} {'estimated':>11} {'simulated':>11}")
    start, failed = time.monotonic(), 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for line, good in pool.map(lambda m: check_model(o.bin.resolve(), m, test), models):
            print(line, flush=True)
            failed += not good
    print(f"{len(models)} models, {failed} failed, {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--all", action="store_true", help="large models too")
    parser.add_argument("--large", action="store_true", help="large models only")
    parser.add_argument("--only", default="", help="models whose name holds this")
    o = parser.parse_args()
    return check_models(o, lambda name: o.all or (name in LARGE) == o.large)


if __name__ == "__main__":
    sys.exit(main())
