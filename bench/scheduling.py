#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the scheduling programs on a folder of instances and compares with known makespans.

scheduling.py rcpsp|jobshop|stg FOLDER --bin=BUILD/bin --limit=S [--only=PREFIX] [--jobs=2] [--list]

FOLDER holds instances and answers.csv: columns file, best_makespan or optimum, and for stg
processors. Prints per family of instances: how many are solved to proved optimality, at how many
the best known makespan is reached, mean and worst gap to it, mean gap to what can be reached (the
best known, or our proved bound where that is higher: then the known answer is wrong, and a line says
so), mean gap of the bound, times.
"""
import argparse
import concurrent.futures
import csv
import os
import re
import subprocess
import sys


def read_cases(kind, folder, only):
    with open(os.path.join(folder, "answers.csv"), newline="") as f:
        for row in csv.DictReader(f):
            if not row["file"].startswith(only):
                continue
            best = int(row.get("best_makespan") or row.get("optimum"))
            arguments = [f"--processors={row['processors']}"] if kind == "stg" else []
            yield row["file"], best, arguments


def run(program, folder, limit, case):
    file, best, arguments = case
    command = [program, os.path.join(folder, file), f"--limit={limit}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.match(r"makespan=(\d+) bound=(\d+) status=(\w+) time=([\d.]+)", done.stdout)
    if not found:
        sys.exit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    makespan, bound = int(found[1]), int(found[2])
    if makespan < best or bound > best:
        print(f"{file}: makespan {makespan}, bound {bound} against the known {best}")
    return file, best, makespan, bound, found[3] == "optimal", float(found[4])


def print_row(name, rows):
    n = len(rows)
    gaps = [100 * (r[2] - r[1]) / max(r[1], 1) for r in rows]
    lows = [100 * (r[1] - r[3]) / max(r[1], 1) for r in rows]
    true = [100 * (r[2] - max(r[1], r[3])) / max(r[1], 1) for r in rows]
    proved, best = sum(r[4] for r in rows), sum(r[2] <= r[1] for r in rows)
    print(f"{name:<10} {n:5} {proved:7} {100 * proved / n:8.1f} {best:8} {sum(gaps) / n:8.3f} {max(gaps):8.2f} {sum(true) / n:8.3f}"
          f" {sum(lows) / n:9.3f} {sum(r[5] for r in rows) / n:8.2f} {max(r[5] for r in rows):8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=["rcpsp", "jobshop", "stg"])
    parser.add_argument("folder")
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--limit", type=float, default=10)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="print every instance not proved optimal")
    a = parser.parse_args()
    program = os.path.join(a.bin, "bench_" + a.kind)
    cases = list(read_cases(a.kind, a.folder, a.only))
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        rows = list(pool.map(lambda c: run(program, a.folder, a.limit, c), cases))
    print(f"{'family':<10} {'n':>5} {'proved':>7} {'proved%':>8} {'at best':>8} {'gap%':>8} {'worst%':>8} {'to best%':>8}"
          f" {'bound gap%':>9} {'mean s':>8} {'most s':>8}")
    families = {}
    for r in rows:
        families.setdefault(re.match(r"[a-zA-Z]+(\d+(?=_))?", r[0])[0], []).append(r)
    for name, family in families.items():
        print_row(name, family)
    if len(families) > 1:
        print_row("all", rows)
    for r in rows:
        if a.list and not r[4]:
            print(f"  {r[0]}: best {r[1]} makespan {r[2]} bound {r[3]} in {r[5]:.1f} s")


if __name__ == "__main__":
    main()
