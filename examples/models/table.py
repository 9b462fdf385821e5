#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes every model, compiles it and simulates its timing: table.py BIN OUT [VARIANT...]

Prints the table of README.md. BIN holds pimopt and pimsim of a release build. A model that does not
get through has the first line of the message instead of figures. Files are removed again, so that
OUT needs the space of the largest model only."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = ("vit", "swin", "twins", "cswin", "resnet", "vgg", "mobilenet_v2", "inception_v3", "bert", "gpt2", "llama",
           "sd_unet")


def run(*command, limit=300):
    """Standard output, or the first line of an error after "error:"."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return None, f"more than {limit} s"
    if done.returncode == 0:
        return done.stdout, None
    lines = [line for line in (done.stderr + done.stdout).splitlines() if "error" in line] or [f"status {done.returncode}"]
    return None, re.sub(r".*error: ", "", lines[0])[:120]


def compile_and_simulate(binaries, path, program):
    start = time.monotonic()
    _, wrong = run(binaries / "pimopt", path, "--pipeline=default", "--target=stack3d", "-o", program)
    seconds = time.monotonic() - start
    if wrong:
        return f"{seconds:.2f}", wrong
    text, wrong = run(binaries / "pimsim", program, "--timing-only", "--json")
    return f"{seconds:.2f}", wrong or f"{json.loads(text)['cycles']:,}"


def row(binaries, out, family, variant):
    model = family.write(str(out), variant)
    path, program = Path(model.path), out / "model.pimc"
    text, wrong = run(binaries / "pimopt", path, "--pipeline=stats", "--emit=json")
    found = json.loads(text)["passes"][0]["statistics"] if text else {"macs": 0, "parameters": 0}
    macs, weights = model.numbers.published
    seconds, cycles = compile_and_simulate(binaries, path, program)
    size = path.stat().st_size / 1e6
    path.unlink()
    program.unlink(missing_ok=True)
    return (f"| {Path(sys.modules[family.build.__module__].__file__).name} | {variant} | {found['macs'] / 1e9:.3f} | {macs} | "
            f"{model.weights / 1e6:.2f} | {weights} | {size:.0f} | {model.nodes} | {seconds} | {wrong or cycles} |")


def main():
    binaries, out, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    print("| script | variant | G MACs | published | M weights | published | MB | nodes | compile, s | simulated cycles |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for script in SCRIPTS:
        family = __import__(script).MODEL
        for variant in family.variants:
            if not wanted or variant in wanted:
                print(row(binaries, out, family, variant), flush=True)


if __name__ == "__main__":
    main()
