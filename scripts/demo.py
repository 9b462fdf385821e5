# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end, and one table of what came out: demo.py BIN OUT

BIN holds pimopt and pimsim, OUT holds deit_tiny.onnx and its input. Every figure is read from the
programs' JSON of this run.
"""
import json
import subprocess
import sys
from pathlib import Path

PIPELINE = (
    "canonicalize,fold,cse,canonicalize,split-branches,interleave-layout,map,analyze-overlap,"
    "schedule,place,dump-dot{{file={o}/program.svg}},dump-dot{{file={o}/schedule.svg what=schedule}},"
    "dump-dot{{file={o}/placement.svg what=placement}},dump-dot{{file={o}/overlap.svg what=overlap}},lower"
)


def run(command):
    """What a command says on its standard output and its standard error."""
    print("$", " ".join(str(c) for c in command))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stderr}demo: {command[0]} failed with status {done.returncode}")
    return done.stdout, done.stderr


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def row(stage, latency=None, bound=None, gap=None, moved=None, energy=None):
    share = "-" if gap is None else f"{gap:.1f} %"
    print(f"{stage:<28}{number(latency):>12}{number(bound):>12}{share:>9}{number(moved):>15}{number(energy, 1):>13}")


def gap_of(outcome):
    value, bound = outcome["value"], outcome["bound"]
    return 100 * (value - bound) / value if value else 0.0


def print_stages(passes, simulated):
    print(f"\n{'stage':<28}{'cycles':>12}{'bound':>12}{'gap':>9}{'bytes moved':>15}{'energy, uJ':>13}")
    layout = passes["interleave-layout"]
    row("layout, by cost", layout["outcome"]["value"], layout["outcome"]["bound"], gap_of(layout["outcome"]),
        layout["statistics"]["bytes"])
    row("  best uniform layout", moved=layout["statistics"]["uniform_bytes"])
    overlap = passes["analyze-overlap"]["statistics"]
    row("overlap: one by one", overlap["sequential"])
    row("overlap: as soon as ready", overlap["overlapped"])
    schedule = passes["schedule"]["outcome"]
    row("schedule", schedule["value"], schedule["bound"], gap_of(schedule))
    place = passes["place"]["outcome"]
    row("placement (bytes x hops)", bound=None, gap=gap_of(place), moved=place["value"])
    row("simulated", simulated["cycles"], moved=simulated["message_bytes"],
        energy=sum(simulated["energy_pj"].values()) / 1e6)


def main():
    binaries, out = Path(sys.argv[1]), Path(sys.argv[2])
    model, data = out / "deit_tiny.onnx", out / "test_data_set_0"
    program = out / "deit_tiny.pimc"
    run([binaries / "pimopt", model, "--eval", f"--data={data}", f"--save-outputs={data}"])
    _, stats = run([binaries / "pimopt", model, "--target=stack3d", "--stats=json",
                    f"--pass-pipeline={PIPELINE.format(o=out)}", "-o", program])
    stats = json.loads(stats)
    simulated, _ = run([binaries / "pimsim", program, f"--data={data}", "--json", f"--timeline={out}/timeline.json"])
    simulated = json.loads(simulated)
    passes = {p["pass"]: p for p in stats["passes"]}
    print_stages(passes, simulated)
    worst = max(r["absolute"] for r in simulated["results"])
    print(f"\nlargest difference from the evaluator: {worst:.3g}")
    print(f"estimated {number(simulated['estimated_cycles'])} cycles, simulated {number(simulated['cycles'])}"
          f" ({simulated['difference_percent']:+.1f} %): {simulated['seconds'] * 1e3:.3f} ms")
    print(f"compiled in {stats['seconds']['read'] + stats['seconds']['run'] + stats['seconds']['write']:.2f} s")
    print(f"pictures: {out}/program.svg schedule.svg placement.svg overlap.svg; {out}/timeline.json opens in Perfetto")


if __name__ == "__main__":
    main()
