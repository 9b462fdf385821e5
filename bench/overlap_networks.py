#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole networks on banks: overlapped execution against both ways to run op after op.

For each network the variants that OverlaPIM and Fast-OverlaPIM compare (their names, recalled), as the named pipelines
of pimopt. Two references, both searched with the same number of mappings per op, both with messages that overlap the op's
own work: every op on its own share of the banks, one op after the other (best-original), and every op on all banks, one
after the other (best-original-all). Latencies are the passes' estimates by exact propagation, not measurements.
Networks are made by examples/models with zero weights. Needs python3-onnx in the Python of --python.
"""
import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

from measure import ROOT, print_header, print_table

NETWORKS = {"resnet18": ["resnet.py", "--variant=resnet18"], "vgg16": ["vgg.py"],
            "resnet50": ["resnet.py", "--variant=resnet50"], "bert_base": ["bert.py"]}
VARIANTS = ["best-original", "best-original-all", "best-original-overlap", "best-overlap", "best-overlap-turns"]
PUBLISHED = "2.10x to 4.11x (OverlaPIM), 4.6x to 18.1x (Fast-OverlaPIM); which network has which is not known"


def make(args, name, folder):
    script, *options = NETWORKS[name]
    subprocess.run([args.python, ROOT / "examples" / "models" / script, *options, "--weights=zeros", "--out", folder],
                   check=True, stdout=subprocess.DEVNULL)
    return next(p for p in Path(folder).glob("*.onnx") if p.stem == name)


def run(args, model, pipeline):
    """The statistics of map-network, and the seconds of the whole command."""
    begin = time.monotonic()
    done = subprocess.run([args.bin / "pimopt", model, f"--target={args.target}", f"--pipeline={pipeline}",
                           f"--threads={args.threads}", "--stats=json", "--emit=none"],
                          capture_output=True, text=True, check=True)
    report = json.loads(done.stdout or done.stderr)
    found = next(p for p in report["passes"] if p["pass"] == "map-network")
    return {**found["statistics"], "seconds": time.monotonic() - begin, "bound": found["outcome"]["bound"]}


def clock(args):
    return {"hbm2-pim": 1e9, "stack3d": 5e8}.get(args.target, 1e9)


def compare(args, name, model):
    results = {v: run(args, model, v) for v in VARIANTS}
    own, all_units = results["best-original"]["latency"], results["best-original-all"]["latency"]
    rows = []
    for v, r in results.items():
        rows.append([v, f"{r['latency'] / clock(args) * 1e3:,.2f}", f"{own / r['latency']:.2f} x",
                     f"{all_units / r['latency']:.2f} x", f"{r['energy'] * 1e-9:,.1f}", f"{int(r['nests']):,}",
                     f"{int(r['evaluated']):,}", f"{r['seconds']:.1f}"])
    print_table(f"{name} on {args.target}, {int(results['best-original']['groups'])} groups",
                ["variant", "ms", "best-original / this", "best-original-all / this", "mJ", "nests", "runs", "s"], rows)
    return [name, *(f"{own / results[v]['latency']:.2f} x" for v in VARIANTS[2:]),
            f"{all_units / results['best-overlap-turns']['latency']:.3f} x", f"{own / all_units:.2f} x",
            f"{max(r['seconds'] for r in results.values()):.1f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--target", default="hbm2-pim")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default=",".join(NETWORKS), help="networks, by comma")
    args = parser.parse_args()
    print_header("overlap_networks.py")
    rows = []
    with tempfile.TemporaryDirectory(prefix="pim-bench-") as folder:
        for name in args.only.split(","):
            rows.append(compare(args, name, make(args, name, folder)))
    print_table("all, against best-original", ["network", *VARIANTS[2:], "turns against all banks", "all banks alone",
                                               "longest search, s"], rows)
    print(f"\nPublished spans against a reference of the first kind: {PUBLISHED}.")


if __name__ == "__main__":
    main()
