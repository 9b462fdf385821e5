# SPDX-License-Identifier: Apache-2.0
"""Runs programs and measures them: what every bench here shares.

CPU is user and system time of the process from the kernel's accounting; peak memory is what GNU time
reports (it is put in between because a child would inherit the peak of this interpreter).
"""
import datetime
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GNU_TIME = "/usr/bin/time"


@dataclass
class Cost:
    """Medians of several runs."""
    cpu: float  # seconds, user and system
    wall: float  # seconds
    peak: float  # MiB

    def __sub__(self, other):
        return Cost(self.cpu - other.cpu, self.wall - other.wall, self.peak - other.peak)


def run_once(command, cpu=None):
    """Cost of one run; its output is thrown away. cpu: the core it is bound to."""
    pin = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
    with tempfile.NamedTemporaryFile("r") as report:
        timed = [GNU_TIME, "-q", "-f", "%e %M", "-o", report.name, *map(str, command)]
        child = subprocess.Popen(timed, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=pin)
        message = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stderr.close()
        if child.returncode:
            sys.exit(f"{' '.join(map(str, command))}\nfailed with status {child.returncode}: {message.decode()[-500:]}")
        wall, peak = report.read().split()[-2:]
    return Cost(used.ru_utime + used.ru_stime, float(wall), float(peak) / 1024)


def measure(command, runs, cpu=None):
    """Medians of `runs` runs after one that warms the page cache."""
    run_once(command, cpu)
    costs = [run_once(command, cpu) for _ in range(runs)]
    return Cost(*(statistics.median(getattr(c, f) for c in costs) for f in ("cpu", "wall", "peak")))


def instructions(command):
    """Instructions of one run, counted by callgrind: the same in every run."""
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", *map(str, command)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def print_header(title):
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    print(f"{title}: {datetime.date.today()}, {model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


def print_table(title, columns, rows):
    """A table in Markdown."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("| " + " | ".join(["---"] + ["--:"] * (len(columns) - 1)) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def milliseconds(seconds):
    return f"{seconds * 1e3:,.2f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def ratio(theirs, ours):
    return f"{theirs / ours:.1f} x" if ours > 0 else "-"
