#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Vision Transformers on meshes: Allspark's way, ours, and what they are measured against.

For every network and machine, each pipeline of PIPELINES (pimopt --list=pipelines says what they are)
compiles the network, and pimsim runs the code: latency, energy, bytes times hops, and the gap that the
optimising passes leave (the largest of them). "over best" is the latency of the fastest baseline
divided by that pipeline's. Then ABLATIONS: the last pipeline with one thing taken away.
--values compares the results of every program with the evaluator's, on random inputs.
Networks are made by examples/models (into a temporary folder) with a Python that has onnx.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import ROOT, print_header, print_table

BASELINES = ("layerwise", "node-per-branch", "token-split")
PIPELINES = BASELINES + ("allspark", "allspark-free")
# What is taken away, and the text that stands for another in the pipeline.
ABLATIONS = {
    "partition": ("assign-degrees", "assign-degrees{solver=one}"),
    "layout": ("interleave-layout", "interleave-layout{choose=each}"),
    "fusion": ("map", "map{fuse=0}"),
    "schedule": ("lower", "lower{barrier=set}"),
    "placement": ("place", "place{method=structured}"),
}
FAMILIES = {"vit": "vit", "deit": "vit", "swin": "swin", "twins": "twins", "pcpvt": "twins", "cswin": "cswin",
            "bert": "bert", "gpt": "gpt2", "resnet": "resnet"}
NETWORKS = ("vit_base", "deit_tiny", "deit_small", "swin_tiny", "swin_small", "swin_base", "swin_large",
            "twins_svt_small", "twins_svt_base", "twins_svt_large", "pcpvt_small", "cswin_tiny", "cswin_small",
            "cswin_base", "cswin_large", "bert_base", "gpt2", "resnet50")


def run(*command):
    """Standard output and messages, or what went wrong."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        wrong = re.search(r"error: (.*)", done.stderr + done.stdout)
        raise RuntimeError(wrong.group(1)[:100] if wrong else f"status {done.returncode}")
    return done.stdout, done.stderr


def make_network(python, name, folder):
    family = re.match("[a-z]+", name).group()
    script = ROOT / "examples" / "models" / f"{FAMILIES[family]}.py"
    run(python, script, f"--variant={name}", "--out", folder)
    return folder / f"{name}.onnx"


def compile_network(args, model, machine, passes, program):
    """Seconds, and the largest gap that a pass reported (None: none did)."""
    start = time.monotonic()
    out, messages = run(args.bin / "pimopt", model, f"--target={machine}", passes, "--stats=json", "-o", program)
    seconds = time.monotonic() - start
    report = json.loads(out or messages)
    gaps = [p["outcome"]["gap"] for p in report["passes"] if p.get("outcome") and p["pass"] != "place"]
    return seconds, max((g for g in gaps if g is not None), default=None)


def check_values(args, model, program, folder):
    """The largest difference between the program's results and the evaluator's."""
    drawn = folder / "drawn"
    run(args.bin / "pimsim", program, "--seed=1", f"--outputs-dir={drawn}", "--json")
    out, _ = run(args.bin / "pimopt", model, "--eval", f"--data={drawn}", "--tolerance=rtol=1e-3,atol=1e-3")
    return max(float(x) for x in re.findall(r"difference (\S+) absolute", out))


def measure_pipeline(args, model, machine, passes, folder):
    program = folder / "x.pimc"
    seconds, gap = compile_network(args, model, machine, passes, program)
    report = json.loads(run(args.bin / "pimsim", program, "--timing-only", "--json")[0])
    difference = check_values(args, model, program, folder) if args.values else None
    program.unlink()
    return {"cycles": report["cycles"], "seconds": report["seconds"], "estimated": report["estimated_cycles"],
            "uj": sum(report["energy_pj"].values()) / 1e6, "byte_hops": report["byte_hops"], "compile": seconds,
            "gap": gap, "difference": difference}


def passes_of(args, name):
    """The passes of a named pipeline, as one text."""
    out, _ = run(args.bin / "pimopt", "--list=pipelines")
    return re.search(rf"^{name} .*\n +(\S+)", out, re.MULTILINE).group(1)


def take_away(text, what, instead):
    """The pipeline with one pass given another form; its own options stay when there are no others."""
    changed = re.sub(rf"(^|,){what}(\{{[^}}]*\}})?(?=,|$)", rf"\g<1>{instead}", text)
    if changed == text:
        raise RuntimeError(f"{what} is not in {text}")
    return changed


def row_of(name, machine, pipeline, r, best):
    gap = "-" if r["gap"] is None else f"{100 * r['gap']:.1f} %"
    difference = "-" if r["difference"] is None else f"{r['difference']:.1e}"
    return [name, machine, pipeline, f"{r['cycles']:,}", f"{r['seconds'] * 1e3:.2f}", f"{r['uj'] / 1e3:.2f}",
            f"{r['byte_hops'] / 2**20:,.0f}", gap, f"{100 * (r['cycles'] / r['estimated'] - 1):+.1f} %",
            f"{r['compile']:.1f}", difference, f"{best / r['cycles']:.2f} x" if best else "-"]


COLUMNS = ["network", "machine", "pipeline", "cycles", "ms", "mJ", "MiB x hops", "gap", "simulated - estimated",
           "compile, s", "difference", "over best"]


def measure_all(args, name, model, machine, folder):
    """Rows of one network on one machine, and its cycles by the last pipeline."""
    rows, best, last = [], 0, None
    for pipeline in PIPELINES:
        try:
            r = measure_pipeline(args, model, machine, f"--pipeline={pipeline}", folder)
        except RuntimeError as e:
            rows.append([name, machine, pipeline, str(e)] + ["-"] * (len(COLUMNS) - 4))
            continue
        if pipeline in BASELINES:
            best = min(best or r["cycles"], r["cycles"])
        last = r["cycles"]
        rows.append(row_of(name, machine, pipeline, r, 0 if pipeline in BASELINES else best))
    return rows, last


def ablate(args, name, model, machine, cycles, folder):
    """What the last pipeline takes with one thing taken away, in parts of what it takes."""
    cells, text = [name, machine, f"{cycles:,}"], passes_of(args, PIPELINES[-1])
    for what, instead in ABLATIONS.values():
        passes = take_away(text, what, instead)
        try:
            r = measure_pipeline(args, model, machine, f"--pass-pipeline={passes}", folder)
            cells.append(f"{r['cycles'] / cycles:.2f}")
        except RuntimeError:  # it does not fit the machine
            cells.append("-")
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--machines", default="stack3d,stack3d-16")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--values", action="store_true")
    parser.add_argument("--ablations", action="store_true")
    args = parser.parse_args()
    print_header("vision Transformers on meshes")
    rows, ablations = [], []
    with tempfile.TemporaryDirectory(prefix="pim-allspark-") as folder:
        for name in args.networks:
            model = make_network(args.python, name, Path(folder))
            for machine in args.machines.split(","):
                more, cycles = measure_all(args, name, model, machine, Path(folder))
                rows += more
                for row in more:
                    print(" ".join(row), file=sys.stderr, flush=True)
                if args.ablations:
                    ablations.append(ablate(args, name, model, machine, cycles, Path(folder)))
            model.unlink()
    print_table("Latency, energy and traffic", COLUMNS, rows)
    if ablations:
        print_table("One thing taken away: cycles in parts of allspark-free", ["network", "machine", "cycles", *ABLATIONS],
                    ablations)


if __name__ == "__main__":
    main()
