#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the scheduling programs on a folder of instances and compares with known makespans.

scheduling.py rcpsp|jobshop|stg FOLDER --bin=BUILD/bin --limit=S [--only=PREFIX] [--jobs=2] [--seed=N] [--list] [--keep]

FOLDER holds instances and answers.csv: columns file, best_makespan or optimum, and for stg
processors. projects.py writes such a folder of projects nobody knows the answers of, with a column
critical_path; --keep writes the best makespans found so far into answers.csv, so that a long run
can be what a short one is compared with. Prints per family of instances: how many are solved to proved optimality, at how many
the best known makespan is reached, mean and worst gap to it, mean gap to what can be reached (the
best known, or our proved bound where that is higher: then the known answer is wrong, and a line says
so), mean gap of the bound, times; where the critical path is given, also what makespans are above it.
Of instances without a known makespan the own one is taken for it.
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
            best = int(row.get("best_makespan") or row.get("optimum") or 0)
            arguments = [f"--processors={row['processors']}"] if kind == "stg" else []
            yield row["file"], best, int(row.get("critical_path") or 0), arguments


def run(program, folder, a, case):
    file, best, path, arguments = case
    command = [program, os.path.join(folder, file), f"--limit={a.limit}", f"--seed={a.seed}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.match(r"makespan=(\d+) bound=(\d+) status=(\w+) time=([\d.]+)", done.stdout)
    if not found:
        sys.exit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    makespan, bound = int(found[1]), int(found[2])
    if best and (makespan < best or bound > best):
        print(f"{file}: makespan {makespan}, bound {bound} against the known {best}")
    return file, best or makespan, makespan, bound, found[3] == "optimal", float(found[4]), path


def print_row(name, rows):
    n = len(rows)
    gaps = [100 * (r[2] - r[1]) / max(r[1], 1) for r in rows]
    lows = [100 * (r[1] - r[3]) / max(r[1], 1) for r in rows]
    true = [100 * (r[2] - max(r[1], r[3])) / max(r[1], 1) for r in rows]
    proved, best = sum(r[4] for r in rows), sum(r[2] <= r[1] for r in rows)
    print(f"{name:<10} {n:5} {proved:7} {100 * proved / n:8.1f} {best:8} {sum(gaps) / n:8.3f} {max(gaps):8.2f} {sum(true) / n:8.3f}"
          f" {sum(lows) / n:9.3f} {sum(r[5] for r in rows) / n:8.2f} {max(r[5] for r in rows):8.2f}", end="")
    paths = [100 * (r[2] - r[6]) / r[6] for r in rows if r[6]]
    print(f" {sum(paths) / n:10.2f}" if paths else "")


def keep_best(folder, rows):
    path = os.path.join(folder, "answers.csv")
    found = {r[0]: min(r[1], r[2]) for r in rows}
    with open(path, newline="") as f:
        reader = csv.DictReader(f)
        names, answers = list(reader.fieldnames), list(reader)
    for row in answers:
        row["best_makespan"] = found.get(row["file"], row.get("best_makespan"))
    with open(path, "w", newline="") as f:
        writer = csv.DictWriter(f, names + ["best_makespan"] * ("best_makespan" not in names))
        writer.writeheader()
        writer.writerows(answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=["rcpsp", "jobshop", "stg"])
    parser.add_argument("folder")
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--limit", type=float, default=10)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the best makespans into answers.csv")
    parser.add_argument("--list", action="store_true", help="print every instance not proved optimal")
    a = parser.parse_args()
    program = os.path.join(a.bin, "bench_" + a.kind)
    cases = list(read_cases(a.kind, a.folder, a.only))
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        rows = list(pool.map(lambda c: run(program, a.folder, a, c), cases))
    print(f"{'family':<10} {'n':>5} {'proved':>7} {'proved%':>8} {'at best':>8} {'gap%':>8} {'worst%':>8} {'to best%':>8}"
          f" {'bound gap%':>9} {'mean s':>8} {'most s':>8} {'over path%':>10}")
    families = {}
    for r in rows:
        families.setdefault(re.match(r"[a-zA-Z]+(\d+(?=_))?", r[0])[0], []).append(r)
    for name, family in families.items():
        print_row(name, family)
    if len(families) > 1:
        print_row("all", rows)
    if a.keep:
        keep_best(a.folder, rows)
    for r in rows:
        if a.list and not r[4]:
            print(f"  {r[0]}: best {r[1]} makespan {r[2]} bound {r[3]} in {r[5]:.1f} s")


if __name__ == "__main__":
    main()
