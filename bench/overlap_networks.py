#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole networks on banks: overlapped execution against both ways to run op after op.

For each network the variants that OverlaPIM and Fast-OverlaPIM compare (their names, recalled), as the named pipelines
of pimopt. Two references, both searched with the same number of mappings per op, both with messages that overlap the op's
own work: every op on its own share of the banks, one op after the other (best-original), and every op on all banks, one
after the other (best-original-all). Latencies are the pass's estimates by exact propagation; with --simulate all but the
first are lowered too and run by pimsim (timing only), for comparison.
--small: reduced-size copies, all variants lowered, values compared with the evaluator's.
Networks are made by examples/models with drawn weights: equal constants would be one. Needs python3-onnx in the Python of --python.
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
VARIANTS = ["best-original", "best-original-all", "best-original-overlap", "best-overlap", "original-transform",
            "overlap-transform", "best-transform", "best-overlap-turns"]
PUBLISHED = "2.10x to 4.11x (OverlaPIM), 4.6x to 18.1x (Fast-OverlaPIM); which network has which is not known"

# One layer of each network in full size: inputs and weights are random, results compared with the evaluator's.
LAYERS = {
    "resnet18": ("layer 4, 3 x 3, 512 to 512", """%x: f32[1,512,7,7], %w: f32[512,512,3,3]) {
    %a = conv %x, %w {pads = [1, 1, 1, 1]} : f32[1,512,7,7]
    %r = relu %a : f32[1,512,7,7]"""),
    "vgg16": ("first, 3 x 3, 3 to 64, 224 x 224", """%x: f32[1,3,224,224], %w: f32[64,3,3,3]) {
    %a = conv %x, %w {pads = [1, 1, 1, 1]} : f32[1,64,224,224]
    %r = relu %a : f32[1,64,224,224]"""),
    "resnet50": ("layer 4, 1 x 1, 512 to 2048", """%x: f32[1,512,7,7], %w: f32[2048,512,1,1]) {
    %a = conv %x, %w : f32[1,2048,7,7]
    %r = relu %a : f32[1,2048,7,7]"""),
    "bert_base": ("scores of attention, 12 heads, 128 tokens", """%x: f32[12,128,64], %w: f32[12,64,128]) {
    %a = matmul %x, %w : f32[12,128,128]
    %r = softmax %a {axis = 2} : f32[12,128,128]"""),
}


def make(args, name, folder):
    script, *options = NETWORKS[name]
    size = ["--small"] if args.small else []
    subprocess.run([args.python, ROOT / "examples" / "models" / script, *options, *size, "--out", folder],
                   check=True, stdout=subprocess.DEVNULL)
    return next(p for p in Path(folder).glob("*.onnx") if p.stem == name)


def run(args, model, pipeline):
    """The statistics of map-network, and the seconds of the whole command up to it."""
    passes = passes_of(args, pipeline).split(",place")[0]
    begin = time.monotonic()
    done = subprocess.run([args.bin / "pimopt", model, f"--target={args.target}", f"--pass-pipeline={passes}",
                           f"--threads={args.threads}", "--stats=json", "--emit=none"],
                          capture_output=True, text=True, check=True)
    report = json.loads(done.stdout or done.stderr)
    found = next(p for p in report["passes"] if p["pass"] == "map-network")
    return {**found["statistics"], "seconds": time.monotonic() - begin, "bound": found["outcome"]["bound"]}


def passes_of(args, pipeline):
    """The passes of a named pipeline, as pimopt lists them."""
    lines = subprocess.run([args.bin / "pimopt", "--list=pipelines"], capture_output=True, text=True, check=True).stdout
    lines = lines.splitlines()
    return next(lines[i + 1].strip() for i, line in enumerate(lines) if line.split(" ")[0] == pipeline)


def lower(args, model, pipeline, folder):
    code = Path(folder) / "lowered.pimc"
    subprocess.run([args.bin / "pimopt", model, f"--target={args.target}", f"--pipeline={pipeline}",
                    f"--threads={args.threads}", "-o", code], check=True)
    return code


def simulate(args, code, *options):
    done = subprocess.run([args.bin / "pimsim", code, "--json", *options], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["cycles"]


def fill_data(args, model, code, folder):
    """Random inputs, and the evaluator's results of them."""
    data = Path(folder) / "data"
    data.mkdir(exist_ok=True)
    for old in data.iterdir():
        old.unlink()
    subprocess.run([args.bin / "pimsim", code, "--seed=1", f"--outputs-dir={data}"], check=True,
                   stdout=subprocess.DEVNULL)
    for old in data.glob("output_*"):
        old.unlink()
    subprocess.run([args.bin / "pimopt", model, "--eval", f"--data={data}", f"--save-outputs={data}"], check=True,
                   stdout=subprocess.DEVNULL)
    assert list(data.glob("output_*")), "the evaluator wrote no results"
    return data


def compare_small(args, name, model, folder):
    """Every variant of a reduced-size copy: pimsim fails where a result is not the evaluator's."""
    data = fill_data(args, model, lower(args, model, VARIANTS[0], folder), folder)
    rows = []
    for v in VARIANTS:
        estimated = run(args, model, v)["latency"]
        cycles = simulate(args, lower(args, model, v, folder), f"--data={data}")
        rows.append([name, v, f"{estimated:,.0f}", f"{cycles:,}", f"{(cycles / estimated - 1) * 100:+.1f} %", "equal"])
    return rows


def compare_layer(args, name, folder):
    """A layer in full size: pimsim fails where a result is not the evaluator's."""
    what, body = LAYERS[name]
    model = Path(folder) / "layer.pim"
    model.write_text(f"module {{\n  graph @main({body}\n    return %r\n  }}\n}}\n")
    code = lower(args, model, "best-overlap", folder)
    begin = time.monotonic()
    data = fill_data(args, model, code, folder)
    seconds = time.monotonic() - begin
    estimated = run(args, model, "best-overlap")["latency"]
    cycles = simulate(args, code, f"--data={data}")
    return [name, what, f"{estimated:,.0f}", f"{cycles:,}", f"{(cycles / estimated - 1) * 100:+.2f} %", "equal",
            f"{seconds:.0f}"]


def clock(args):
    return {"hbm2-pim": 1e9, "stack3d": 5e8}.get(args.target, 1e9)


def compare_simulated(args, model, variant, folder, estimated):
    """Milliseconds by pimsim, and against the estimate; pimopt has said why when the plan cannot be lowered."""
    try:
        cycles = simulate(args, lower(args, model, variant, folder), "--timing-only")
    except subprocess.CalledProcessError:
        return "not lowered"
    return f"{cycles / clock(args) * 1e3:,.2f} ({(cycles / estimated - 1) * 100:+.2f} %)"


def compare(args, name, model, folder):
    results = {v: run(args, model, v) for v in VARIANTS}
    own, all_units = results["best-original"]["latency"], results["best-original-all"]["latency"]
    rows = []
    for v, r in results.items():
        rows.append([v, f"{r['latency'] / clock(args) * 1e3:,.2f}", f"{own / r['latency']:.2f} x",
                     f"{all_units / r['latency']:.2f} x", f"{r['energy'] * 1e-9:,.1f}", f"{int(r['nests']):,}",
                     f"{int(r['evaluated']):,}", f"{r['seconds']:.1f}"])
        if args.simulate:
            rows[-1].append(compare_simulated(args, model, v, folder, r["latency"]))
    print_table(f"{name} on {args.target}, {int(results['best-original']['groups'])} groups",
                ["variant", "ms", "best-original / this", "best-original-all / this", "mJ", "nests", "runs", "s"] +
                (["simulated, ms"] if args.simulate else []), rows)
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
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--layers", action="store_true")
    args = parser.parse_args()
    print_header("overlap_networks.py")
    rows = []
    with tempfile.TemporaryDirectory(prefix="pim-bench-") as folder:
        for name in args.only.split(","):
            if args.layers:
                rows.append(compare_layer(args, name, folder))
                continue
            model = make(args, name, folder)
            rows += compare_small(args, name, model, folder) if args.small else [compare(args, name, model, folder)]
    if args.layers:
        print_table(f"layers in full size on {args.target}", ["network", "layer", "estimated cycles", "simulated",
                                                              "difference", "values", "pimsim, s"], rows)
        return
    if args.small:
        print_table(f"reduced-size copies on {args.target}", ["network", "variant", "estimated cycles", "simulated",
                                                              "difference", "values"], rows)
        return
    print_table("all, against best-original", ["network", *VARIANTS[2:], "turns against all banks", "all banks alone",
                                               "longest search, s"], rows)
    print(f"\nPublished spans against a reference of the first kind: {PUBLISHED}.")


if __name__ == "__main__":
    main()
