#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job: ONNX networks to command code on one core, by default ResNet-50 and DeiT-Tiny.

Networks are made by examples/models (into a temporary folder), more can be named on the command line.
The references, in the same run and on the same core, are what a Python tool does before its first pass,
`onnx.load` with shape inference and the weights read, and `gzip -1` of the file (one pass over its
bytes). The last table runs the command code in pimsim, timing only and with values.
Needs python3-onnx in the Python of --python.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from measure import ROOT, measure, milliseconds, print_header, print_table, ratio

MODELS = {"resnet.py": ["--variant", "resnet50"], "vit.py": ["--variant", "deit_tiny"]}
LOAD = "import onnx, sys; onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]))"
NOTHING = "import onnx"


def make_models(python, folder):
    for script, options in MODELS.items():
        subprocess.run([python, ROOT / "examples" / "models" / script, *options, "--out", folder], check=True,
                       stdout=subprocess.DEVNULL)
    return sorted(Path(folder).glob("*.onnx"))


def compile_command(args, model, out):
    return [args.bin / "pimopt", model, f"--target={args.target}", "--pipeline=default", "-o", out]


def time_passes(args, model, out):
    """Seconds of each step: medians of several runs. The report is on standard output or error."""
    runs = []
    for _ in range(args.runs):
        done = subprocess.run(["taskset", "-c", str(args.core), *compile_command(args, model, out), "--stats=json"],
                              capture_output=True, text=True, check=True)
        report = json.loads(done.stdout or done.stderr)
        steps = {"read": report["seconds"]["read"]}
        for p in report["passes"]:
            steps[p["pass"]] = steps.get(p["pass"], 0) + p["seconds"]
        steps["verify"] = sum(p["verify_seconds"] for p in report["passes"])
        steps["write"] = report["seconds"]["write"]
        runs.append(steps)
    return {step: statistics.median(r[step] for r in runs) for step in runs[0]}


def compare(args, models, folder):
    rows, core = [], args.core
    for model in models:
        ours = measure(compile_command(args, model, folder / f"{model.stem}.pimc"), args.runs, core)
        load = measure([args.python, "-c", LOAD, model], args.runs, core)
        start = measure([args.python, "-c", NOTHING], args.runs, core)
        load = load - start
        gzip = measure(["gzip", "-1", "-c", model], args.runs, core)
        rows.append([model.stem, f"{model.stat().st_size / 2**20:.0f}", f"{ours.cpu:.2f} s", f"{ours.wall:.2f} s",
                     f"{ours.peak:.0f}", f"{load.cpu:.2f} s", f"{load.peak + start.peak:.0f}", f"{gzip.cpu:.2f} s",
                     ratio(load.cpu, ours.cpu), ratio(gzip.cpu, ours.cpu)])
    print_table("ONNX to command code, one core", ["network", "file, MiB", "CPU", "wall", "peak, MiB",
                "onnx.load + shapes, net CPU", "peak, MiB", "gzip -1 CPU", "load / ours", "gzip / ours"], rows)


def break_down(args, models, folder):
    steps = {m.stem: time_passes(args, m, folder / f"{m.stem}.pimc") for m in models}
    names = list(dict.fromkeys(name for s in steps.values() for name in s))
    rows = [[name, *(f"{s.get(name, 0) * 1e3:.1f}" for s in steps.values())] for name in names]
    rows.append(["sum", *(f"{sum(s.values()) * 1e3:.1f}" for s in steps.values())])
    print_table("The same, milliseconds by step", ["step", *steps], rows)


def simulate(args, models, folder):
    rows = []
    for model in models:
        program = folder / f"{model.stem}.pimc"
        command = [args.bin / "pimsim", program, "--seed=1"]
        done = subprocess.run([*command, "--timing-only", "--json"], capture_output=True, text=True, check=True)
        report = json.loads(done.stdout)
        timing = measure([*command, "--timing-only"], args.runs, args.core)
        values = measure(command, 1, args.core)
        rows.append([model.stem, f"{report['cycles']:,}", f"{report['commands']:,}", milliseconds(timing.cpu),
                     f"{timing.peak:.0f}", milliseconds(values.cpu), f"{values.peak:.0f}"])
    print_table("The command code in pimsim (reading it included)", ["network", "cycles", "commands", "timing only CPU",
                "MiB", "values and checks CPU", "MiB"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("more", nargs="*", type=Path, help="other networks")
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--target", default="stack3d")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("-n", "--runs", type=int, default=5)
    args = parser.parse_args()
    print_header("networks.py")
    with tempfile.TemporaryDirectory(prefix="pim-bench-") as folder:
        models = make_models(args.python, folder) + args.more
        compare(args, models, Path(folder))
        break_down(args, models, Path(folder))
        simulate(args, models, Path(folder))


if __name__ == "__main__":
    main()
