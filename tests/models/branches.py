# SPDX-License-Identifier: Apache-2.0
"""Independent branches of attention: branches.py SOURCE BIN

Windows or stripes times heads, stage by stage, as the published configurations of Swin-T, Twins-SVT-S and
CSWin-T give them, in graphs as an exporter writes them (full size, weights that take no space): of the
default, and of grain=head. The names of values only say which block a product is in.
Exit code 77 (skipped) without Python's onnx."""

import json
import re
import subprocess
import sys
import tempfile

from arguments import BIN

# By stage: branches of its blocks, which take turns where there are two figures.
WANT = {("swin", "swin_tiny"): [[192], [96], [48], [24]],
        ("twins", "twins_svt_small"): [[128, 2], [64, 4], [32, 8], [16, 16]],
        ("cswin", "cswin_tiny"): [[112], [56], [16], [16]]}
BLOCK = re.compile(r'%"?(?:stages|blocks)\.(\d+)\.(\d+)/.*attn')


def count(branch_set):
    branches = 1
    for axis in branch_set["axes"]:
        branches *= axis["count"]
    return branches


def branches_of(graph, scores):
    """Those of the set of this product, and of its twins on parallel ways."""
    name = scores["plan"]["set"].split(".")[0]
    return sum(count(s) for s in graph["sets"] if s["name"].split(".")[0] == name)


def find_scores(graph):
    """By stage and block: the first product of two computed values."""
    constants = {n["id"] for n in graph["nodes"] if n["op"] == "constant"}
    found = {}
    for n in graph["nodes"]:
        block = BLOCK.match(n["name"] or "")
        if block and n["op"] == "matmul" and not constants & set(n["inputs"]):
            found.setdefault((int(block[1]), int(block[2])), n)
    return found


def check(path, variant, want, grain):
    passes = f"canonicalize,fold,cse,canonicalize,split-branches{{grain={grain}}}"
    done = subprocess.run([BIN / "pimopt", path, "--target=stack3d", f"--pass-pipeline={passes}", "--emit=json"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr)
        return 1
    graph = json.loads(done.stdout)["graphs"][0]
    wrong = sum(s["degree"] < 1 for s in graph["sets"])
    scores = find_scores(graph)
    for (stage, block), n in scores.items():
        found, expected = branches_of(graph, n), want[stage][block % len(want[stage])]
        if found != expected:
            print(f"FAILED {variant} grain={grain} stage {stage} block {block}: {found} branches, expected {expected}")
            wrong += 1
    if {stage for stage, _ in scores} != set(range(len(want))):
        print(f"FAILED {variant}: products in stages {sorted({s for s, _ in scores})} only")
        wrong += 1
    return wrong


def main():
    wrong = 0
    for (script, variant), want in WANT.items():
        with tempfile.TemporaryDirectory() as folder:
            model = __import__(script).MODEL.write(folder, variant, weights="zeros")
            for grain in ("cost", "head"):
                wrong += check(model.path, variant, want, grain)
    print(f"{wrong} failed")
    sys.exit(bool(wrong))


main()
