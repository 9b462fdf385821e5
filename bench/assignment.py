#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the placement engine on a folder of instances and compares with known costs.

assignment.py qap|nocmap FOLDER --bin=BUILD/bin --limit=S [--only=PREFIX] [--jobs=2] [--list]

FOLDER holds instances and answers.csv: columns file, value, family, status (qap), or
best_hop_weighted_cost, mesh_rows_x_cols, status (nocmap). Prints per family: instances, at how many
the best known cost is reached, how many are proved, mean and worst gap in percent, mean gap of the
bound, mean time. A cost below a proved optimum, or a bound above the best known cost, is named and makes
the program return 1. With --reference=PROGRAM (nocmap) the ratio to that program's cost is printed too.
"""
import argparse
import concurrent.futures
import csv
import os
import re
import subprocess
import sys
from dataclasses import dataclass


@dataclass
class Case:
    file: str
    family: str
    best: int
    proved: bool
    arguments: list
    cost: int = 0
    bound: int = 0
    optimal: bool = False
    seconds: float = 0.0
    reference: int = 0

    def gap(self):
        return 100 * (self.cost - self.best) / max(self.best, 1)


def read_cases(kind, folder, only):
    with open(os.path.join(folder, "answers.csv"), newline="") as f:
        for row in csv.DictReader(f):
            if not row["file"].startswith(only):
                continue
            proved = row["status"].startswith("optimal")
            if kind == "qap":
                yield Case(row["file"], row["family"], int(row["value"]), proved, [])
            else:
                rows, columns = row["mesh_rows_x_cols"].split("x")
                yield Case(row["file"], row["file"].split(".")[0], int(row["best_hop_weighted_cost"]), proved,
                           [f"--mesh={columns}x{rows}"])


def run_program(command):
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.match(r"cost=(-?\d+)(?: bound=(-?\d+))?.*?(?: status=(\w+))? time=([\d.]+)", done.stdout)
    if not found:
        sys.exit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return found


def run(options, case):
    path = os.path.join(options.folder, case.file)
    program = os.path.join(options.bin, f"bench_{options.kind}")
    found = run_program([program, path, f"--limit={options.limit}", f"--seed={options.seed}", *case.arguments])
    case.cost, case.bound, case.optimal = int(found[1]), int(found[2]), "status=optimal" in found[0]
    case.seconds = float(found[4])
    if options.reference:
        case.reference = int(run_program([options.reference, path, *case.arguments])[1])
    return case


def print_row(name, cases):
    n, gaps = len(cases), [c.gap() for c in cases]
    low = sum((c.best - c.bound) / max(c.best, 1) for c in cases) / n
    ratio = ""
    if all(c.reference for c in cases):
        ratio = f" {sum(c.reference / max(c.cost, 1) for c in cases) / n:9.3f}"
    print(f"{name:<14} {n:5} {sum(c.cost <= c.best for c in cases):6} {sum(c.optimal for c in cases):7}"
          f" {sum(gaps) / n:9.4f} {max(gaps):8.3f} {100 * low:9.2f} {sum(c.seconds for c in cases) / n:8.2f}{ratio}")


def find_faults(cases):
    for c in cases:
        if (c.proved and c.cost < c.best) or c.bound > c.best:
            yield f"{c.file}: cost {c.cost}, bound {c.bound} against the known {c.best}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=["qap", "nocmap"])
    parser.add_argument("folder")
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--limit", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--reference", help="another mapper's program, for nocmap")
    parser.add_argument("--list", action="store_true", help="print every instance above the best known cost")
    options = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        cases = list(pool.map(lambda c: run(options, c), read_cases(options.kind, options.folder, options.only)))
    if not cases:
        sys.exit(f"{options.folder}: no instance begins with '{options.only}'")
    extra = " reference" if options.reference else ""
    print(f"{'family':<14} {'count':>5} {'best':>6} {'proved':>7} {'mean gap':>9} {'worst':>8} {'bound gap':>9}"
          f" {'mean s':>8}{extra}")
    for family in dict.fromkeys(c.family for c in cases):
        print_row(family, [c for c in cases if c.family == family])
    print_row("all", cases)
    for c in cases:
        if options.list and c.cost > c.best:
            print(f"{c.file}: {c.cost}, best known {c.best}, {c.gap():.3f} %")
    faults = list(find_faults(cases))
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
