#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cycles as expected and as simulated, for networks, machines and pipelines.

"scheduled" is the latency that the pass schedule ends with, which knows ops and numbers of units;
"expected" is that of lower, which knows units, links and barriers too; "simulated" is pimsim's.
Where the last two differ by more than 5 %, the op that differs most is named, with what the run
spends most time on there (pimsim --compare). Weights are zeros, which take no space and no time to
draw, but equal constants become one: where memory is short it matters, and --weights=inside draws them.
"""
import argparse
import json
import sys
import tempfile
from pathlib import Path

from allspark import NETWORKS, PIPELINES, ROOT, FAMILIES, run
from measure import print_header, print_table

LIMIT = 5  # percent
COLUMNS = ["network", "machine", "pipeline", "scheduled", "expected", "simulated", "simulated - expected", "compile, s",
           "where"]


def make_network(python, name, weights, folder):
    script = ROOT / "examples" / "models" / f"{FAMILIES[name.split('_')[0].rstrip('0123456789')]}.py"
    run(python, script, f"--variant={name}", f"--weights={weights}", "--out", folder)
    return folder / f"{name}.onnx"


def find_cause(report):
    """The op that differs most, and what its part of the critical path goes into."""
    op = max(report["critical_path"], key=lambda t: abs(t["path"] - t["estimated"]))
    causes = {k: v for k, v in op.items() if k not in ("name", "estimated", "path")}
    cause = max(causes, key=causes.get) if causes else "nothing"
    return f"{op['name']}: {op['estimated']:,} expected, {op['path']:,} on the path, mostly {cause}"


def measure(args, model, machine, pipeline, program):
    out, messages = run(args.bin / "pimopt", model, f"--target={machine}", f"--pipeline={pipeline}", "--stats=json",
                        "-o", program)
    passes = json.loads(out or messages)["passes"]
    latency = {p["pass"]: p["statistics"]["latency"] for p in passes if p["pass"] in ("schedule", "lower")}
    report = json.loads(run(args.bin / "pimsim", program, "--timing-only", "--compare", "--json")[0])
    program.unlink()
    difference = report["difference_percent"]
    return [f"{latency['schedule']:,.0f}", f"{latency['lower']:,.0f}", f"{report['cycles']:,}", f"{difference:+.1f} %",
            f"{sum(p['seconds'] for p in passes):.1f}", find_cause(report) if abs(difference) > LIMIT else ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--machines", default="stack3d")
    parser.add_argument("--pipelines", default=",".join(("default",) + PIPELINES))
    parser.add_argument("--weights", default="zeros", choices=("zeros", "inside"))
    parser.add_argument("--python", default="/usr/bin/python3")
    args = parser.parse_args()
    print_header("cycles as expected and as simulated")
    rows = []
    with tempfile.TemporaryDirectory(prefix="pim-estimates-") as folder:
        for name in args.networks:
            model = make_network(args.python, name, args.weights, Path(folder))
            for machine in args.machines.split(","):
                for pipeline in args.pipelines.split(","):
                    try:
                        row = measure(args, model, machine, pipeline, Path(folder) / "x.pimc")
                    except RuntimeError as e:
                        row = [str(e)] + ["-"] * (len(COLUMNS) - 4)
                    rows.append([name, machine, pipeline] + row)
                    print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    print_table("Expected and simulated", COLUMNS, rows)


if __name__ == "__main__":
    main()
