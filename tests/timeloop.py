#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""timeloop.py BIN CASES: mappings counted by Timeloop v3 against --pipeline=timeloop-check.

CASES holds expected.json and the files it names; without it the test is skipped (77). Integers and
energies must be equal, rounded figures equal after rounding.
"""
import json
import os
import subprocess
import sys

# Figures that the reference prints rounded: half a unit of the last digit.
ROUNDED = {"utilization": 0.005, "throttle": 0.005, "energy_uJ": 0.005, "energy_pJ_per_mac": 5e-6}
WORDS = {"note", "arch", "problem", "mapping", "name"}


def compare(place, want, got, wrong):
    """Number of figures compared; what differs goes to wrong."""
    if isinstance(want, dict):
        total = 0
        for key, value in want.items():
            if key in WORDS:
                continue
            if key not in got:
                wrong.append(f"{place}/{key}: missing")
                continue
            total += compare(f"{place}/{key}", value, got[key], wrong)
        return total
    if isinstance(want, list):
        named = {item["name"]: item for item in got}
        total = 0
        for item in want:
            if item["name"] not in named:
                wrong.append(f"{place}/{item['name']}: missing")
                continue
            total += compare(f"{place}/{item['name']}", item, named[item["name"]], wrong)
        return total
    slack = ROUNDED.get(place.split("/")[-1], 0)
    if abs(want - got) > slack * 1.000001:
        wrong.append(f"{place}: {got}, expected {want}")
    return 1


def run_case(program, folder, case):
    files = [os.path.join(folder, case[key]) for key in ("arch", "problem", "mapping")]
    command = [program, "--pipeline=timeloop-check", f"--target={files[0]}", *files[1:]]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        return 0, [run.stderr]
    wrong = []
    return compare("", case, json.loads(run.stdout), wrong), wrong


def main():
    program, folder = os.path.join(sys.argv[1], "pimopt"), sys.argv[2]
    path = os.path.join(folder, "expected.json")
    if not os.path.exists(path):
        print(f"skipped: no {path}")
        return 77
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    bad = 0
    for name, case in cases.items():
        total, wrong = run_case(program, folder, case)
        print(f"{name}: {total} figures, {len(wrong)} differ ({case['note']})")
        for line in wrong:
            print(f"    {line}")
        bad += len(wrong)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
