#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes random projects in Patterson's format over a grid of parameters, with answers.csv for scheduling.py.

projects.py --tasks=60|120 --out=FOLDER [--each=1] [--seed=0] [--hard]

Rules of the generator: Kolisch, Sprecher, Drexl 1995. Three tasks begin, three end a project; no task has more than
three predecessors or successors; none of the arcs is implied by others; NC arcs per task, the two dummies and theirs
counted. Durations are 1 to 10. Of four resources a task needs one or more, RF * 4 on average, 1 to 10 units each. The
capacity is RS of the way from the largest demand to the peak of the schedule in which every task starts as early as
its predecessors allow. The grid is the one of PSPLIB: NC 1.5, 1.8, 2.1; RF 0.25 to 1; RS 0.2, 0.5, 0.7, 1 (up to 100
tasks) or 0.1 to 0.5 (more). --each projects per cell; --hard: only RF of 0.5 and more at the two lowest RS.

The random numbers are ours, and so are the projects: they are like those of PSPLIB, but not the same.
"""
import argparse
import csv
import os
import random

RESOURCES, ENDS, MOST_ARCS, LONGEST, MOST_UNITS = 4, 3, 3, 10, 10


class Network:
    """Tasks 0 (source) to n + 1 (sink); arcs go to higher numbers, and none is implied by others."""

    def __init__(self, n):
        self.n, self.arcs = n, 0
        self.after = [set() for _ in range(n + 2)]
        self.before = [set() for _ in range(n + 2)]
        self.below = [{i} for i in range(n + 2)]  # all that come after i, and i
        self.above = [{i} for i in range(n + 2)]

    def is_new(self, a, b):
        """Neither implied, nor does it imply an arc that is there."""
        if b in self.below[a]:
            return False
        return not any(self.after[x] & self.below[b] for x in self.above[a])

    def fits(self, a, b):
        n = self.n
        if a >= b or (b <= ENDS and a > 0) or (a > n - ENDS and b <= n):
            return False
        limited = 0 < a and b <= n
        return (not limited or (len(self.after[a]) < MOST_ARCS and len(self.before[b]) < MOST_ARCS)) and self.is_new(a, b)

    def add(self, a, b):
        self.arcs += 1
        self.after[a].add(b)
        self.before[b].add(a)
        above, below = set(self.above[a]), set(self.below[b])
        for x in above:
            self.below[x] |= below
        for x in below:
            self.above[x] |= above


def draw_network(rng, n, nc):
    """None where a task finds no partner, or the arcs do not reach NC."""
    net = Network(n)
    for i in range(1, ENDS + 1):
        net.add(0, i)
    for i in range(ENDS + 1, n + 1):
        choice = [a for a in range(1, i) if net.fits(a, i)]
        if not choice:
            return None
        net.add(rng.choice(choice), i)
    for i in range(n - ENDS, 0, -1):
        choice = [b for b in range(i + 1, n + 1) if net.fits(i, b)] if not net.after[i] else [0]
        if not choice:
            return None
        if choice != [0]:
            net.add(i, rng.choice(choice))
    for i in range(n - ENDS + 1, n + 1):
        net.add(i, n + 1)
    want, tries = round(nc * (n + 2)), 0
    while net.arcs < want and tries < 200 * n:
        tries += 1
        a, b = rng.randint(1, n), rng.randint(1, n)
        if net.fits(a, b):
            net.add(a, b)
    return net if abs(net.arcs - want) <= 0.05 * want else None


def earliest_starts(net, duration):
    start = [0] * len(duration)
    for b in range(1, len(duration)):
        start[b] = max(start[a] + duration[a] for a in net.before[b])
    return start


def draw_demands(rng, n, rf):
    need = {(i, rng.randrange(RESOURCES)) for i in range(1, n + 1)}
    rest = [(i, r) for i in range(1, n + 1) for r in range(RESOURCES) if (i, r) not in need]
    rng.shuffle(rest)
    need |= set(rest[: max(0, round(rf * n * RESOURCES) - len(need))])
    return [[rng.randint(1, MOST_UNITS) if (i, r) in need else 0 for r in range(RESOURCES)] for i in range(n + 2)]


def capacities(net, duration, demand, rs):
    start = earliest_starts(net, duration)
    result = []
    for r in range(RESOURCES):
        load = [0] * (start[-1] + 1)
        for i, at in enumerate(start):
            for t in range(at, at + duration[i]):
                load[t] += demand[i][r]
        least = max(d[r] for d in demand)
        result.append(least + round(rs * (max(load) - least)))
    return result


def draw_project(rng, n, nc, rf, rs):
    net = None
    while not net:
        net = draw_network(rng, n, nc)
    duration = [0] + [rng.randint(1, LONGEST) for _ in range(n)] + [0]
    demand = draw_demands(rng, n, rf)
    rows = [[n + 2, RESOURCES], capacities(net, duration, demand, rs)]
    for i in range(n + 2):
        rows.append([duration[i], *demand[i], len(net.after[i]), *(b + 1 for b in sorted(net.after[i]))])
    return rows, earliest_starts(net, duration)[-1]


def grid(tasks, hard):
    strengths = [0.2, 0.5, 0.7, 1.0] if tasks <= 100 else [0.1, 0.2, 0.3, 0.4, 0.5]
    cell = 0
    for nc in (1.5, 1.8, 2.1):
        for rf in (0.25, 0.5, 0.75, 1.0):
            for rs in strengths:
                cell += 1
                if not hard or (rf >= 0.5 and rs in strengths[:2]):
                    yield cell, nc, rf, rs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--out", required=True)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hard", action="store_true")
    a = parser.parse_args()
    os.makedirs(a.out, exist_ok=True)
    with open(os.path.join(a.out, "answers.csv"), "w", newline="") as f:
        answers = csv.writer(f)
        answers.writerow(["file", "critical_path", "nc", "rf", "rs"])
        for cell, nc, rf, rs in grid(a.tasks, a.hard):
            for k in range(a.each):
                rng = random.Random(f"{a.seed} {a.tasks} {cell} {k}")
                rows, path = draw_project(rng, a.tasks, nc, rf, rs)
                name = f"p{a.tasks}_{cell}_{k + 1}.rcp"
                with open(os.path.join(a.out, name), "w") as project:
                    project.writelines(" ".join(map(str, row)) + "\n" for row in rows)
                answers.writerow([name, path, nc, rf, rs])


if __name__ == "__main__":
    main()
