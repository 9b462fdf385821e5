#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ONNX conformance: every case of every set, counted; fails when fewer pass than expected.json says.

usage: conformance.py --runner PROGRAM [--data FOLDER] [--docs docs/onnx.md] [--record] [--list SET]

Sets are folders of --data (default: the environment variable PIM_DATA, else ../shared/data). Without them the
cases that python3-onnx generates (onnx.backend.test) are run. --record writes the numbers down as expected;
--docs writes the page; --list shows the cases of a set that did not pass.

A case counts as not applicable when what it tests is no inference on tensors, or a type that programs do not
have: training, sequences and optional values, strings, classical machine learning, random numbers, images, more
than 8 dims. The reason is taken from its operators, which the models name, never from how it went; one that
passes all the same counts as passed. onnx-reject must be refused, file by file.
"""
import argparse
import collections
import csv
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, "expected.json")
SETS = ["onnx-node", "onnx-node-old", "onnx-simple", "onnx-pytorch", "onnx-burn", "onnx-ops-ortjs", "onnx-fusion",
        "deeploy-kernels"]
REJECT = "onnx-reject"
GENERATED = "onnx.backend.test"

# Tolerances: (rtol, atol). Where values are rounded to 16 bits in between, one step of them is 1e-3.
USUAL = (1e-3, 1e-5)
SHORT = (1e-2, 1e-2)
EXACT = (0, 0)

NOT_APPLICABLE = [
    ("training", {"Adagrad", "Adam", "Momentum", "Gradient", "GraphCall"}),
    ("sequences", {"SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
                   "SequenceLength", "SequenceMap", "SplitToSequence", "ConcatFromSequence", "ZipMap"}),
    ("optional values", {"Optional", "OptionalGetElement", "OptionalHasElement"}),
    ("strings", {"StringConcat", "StringSplit", "StringNormalizer", "RegexFullMatch", "TfIdfVectorizer", "StringContains"}),
    ("images", {"ImageDecoder"}),
    ("random numbers", {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli",
                        "Multinomial"}),
]
DROPPED_TYPES = {"str": "strings", "c64": "complex numbers", "c128": "complex numbers"}


def reason_not_applicable(row, name):
    """Why a case is not applicable; None when it is. From its operators, types and name in the manifest."""
    ops = set(row.get("ops", "").split())
    for reason, which in NOT_APPLICABLE:
        if ops & which or row.get("op") in which:
            return reason
    if row.get("op", "").startswith("ai.onnx.ml") or "_ai_onnx_ml_" in name:
        return "classical machine learning"
    if "training" in name and ops & {"BatchNormalization", "Dropout"}:
        return "training"
    if re.search(r"identity_opt|identity_sequence|_opt_seq|_seq$|if_opt|loop16|nesterov|_momentum", name):
        return "training" if "momentum" in name else "optional values"
    if re.search(r"FLOAT8|FLOAT4|INT2|float8|float4|e4m3|e5m2", name):
        return "floats of 4 and 8 bits, integers of 2"
    if "FlexAttention" in ops:
        return "preview operators"
    if "test_shape_data_propagation_unsqueeze_inmemory" in name:
        return "more than 8 dims"
    for dtype in row.get("dtypes", "").split():
        if dtype in DROPPED_TYPES:
            return DROPPED_TYPES[dtype]
    return None


def tolerance(row, name, set_name):
    types = row.get("dtypes", "").split()
    if set_name == "deeploy-kernels" and name.startswith("Integer"):
        return EXACT
    return SHORT if "f16" in types or "bf16" in types or "fp16" in name else USUAL


def manifest(folder):
    path = os.path.join(folder, "manifest.csv")
    if not os.path.exists(path):
        return {}
    with open(path, newline="", encoding="utf-8") as f:
        return {r.get("test", r.get("file")): r for r in csv.DictReader(f)}


def cases_of(folder):
    """(name, path) of each folder that holds a model, at most two levels down."""
    found = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.exists(os.path.join(path, "model.onnx")):
            found.append((name, path))
        elif os.path.isdir(path):
            found += [(n, p) for n, p in ((s, os.path.join(path, s)) for s in sorted(os.listdir(path)))
                      if os.path.exists(os.path.join(p, "model.onnx"))]
    return found


def run(runner, lines):
    """path -> (how, said); a case that kills the program counts as crashed, and the rest go on."""
    results, waiting = {}, list(lines)
    while waiting:
        text = "".join("%g %g %s\n" % line for line in waiting)
        done = subprocess.run([runner], input=text, capture_output=True, text=True, check=False, errors="replace")
        for line in done.stdout.splitlines():
            how, path, said, rewritten = (line.split("\t") + ["", "", ""])[:4]
            if how in ("ok", "wrong", "refused"):
                results[path] = (how, rewritten if how == "ok" else said)
        left = [w for w in waiting if w[2] not in results]
        if len(left) == len(waiting) or (done.returncode and left):
            results[left[0][2]] = ("crashed", (done.stderr.strip().splitlines() or ["no message"])[-1])
            left = left[1:]
        waiting = left
    return results


def judge_set(runner, set_name, cases, rows):
    """name -> (verdict, reason): passed, failed, or not applicable."""
    lines = [(*tolerance(rows.get(name, {}), name, set_name), path) for name, path in cases]
    results = run(runner, lines)
    verdicts = {}
    for name, path in cases:
        how, said = results[path]
        why = reason_not_applicable(rows.get(name, {}), name)
        key = name if name not in verdicts else os.path.relpath(path, os.path.dirname(os.path.dirname(path)))
        if how == "ok":
            verdicts[key] = ("passed", said)
        elif why and how == "refused":
            verdicts[key] = ("not applicable", why)
        else:
            verdicts[key] = ("failed", "%s: %s" % (how, said))
    return verdicts


def judge_reject(runner, folder):
    files = sorted(f for f in os.listdir(folder) if f.endswith(".onnx"))
    results = run(runner, [(*USUAL, os.path.join(folder, f)) for f in files])
    verdicts = {}
    for f in files:
        how, said = results[os.path.join(folder, f)]
        good = how == "refused" and said
        verdicts[f] = ("passed", "") if good else ("failed", "%s: %s" % (how, said or "accepted"))
    return verdicts


# ---- cases made by python3-onnx ----

TYPES = {1: "f32", 8: "str", 10: "f16", 14: "c64", 15: "c128", 16: "bf16"}


def describe(model):
    """What a manifest's row would say of the model."""
    ops, types = set(), set()

    def walk(graph):
        for v in list(graph.input) + list(graph.output):
            if v.type.HasField("sequence_type"):
                ops.add("SequenceConstruct")
            elif v.type.HasField("optional_type"):
                ops.add("Optional")
            elif v.type.HasField("tensor_type"):
                types.add(TYPES.get(v.type.tensor_type.elem_type, "other"))
        for n in graph.node:
            ops.add(n.op_type)
            for a in n.attribute:
                if a.HasField("g"):
                    walk(a.g)
    walk(model.graph)
    domains = {o.domain for o in model.opset_import}
    first = model.graph.node[0].op_type if model.graph.node else ""
    return {"op": "ai.onnx.ml." + first if "ai.onnx.ml" in domains else first, "ops": " ".join(sorted(ops)),
            "dtypes": " ".join(sorted(types))}


def generate(folder):
    """Writes the node cases of the installed onnx; returns ([(name, path)], rows)."""
    import numpy
    import onnx
    from onnx import numpy_helper
    for name, old in (("float", float), ("int", int), ("bool", bool), ("object", object)):
        if not hasattr(numpy, name):
            setattr(numpy, name, old)  # onnx 1.12 still uses names that newer numpy gave up
    from onnx.backend.test.case.node import collect_testcases
    cases, rows = [], {}
    try:
        found = collect_testcases()
    except TypeError:
        found = collect_testcases(None)

    def write(path, value, elem_type):
        if elem_type == onnx.TensorProto.BFLOAT16:
            bits = numpy.asarray(value).astype("<u2")
            t = onnx.TensorProto(data_type=elem_type, dims=bits.shape, raw_data=bits.tobytes())
            with open(path, "wb") as f:
                f.write(t.SerializeToString())
        elif isinstance(value, (numpy.ndarray, numpy.generic, int, float, bool)):
            with open(path, "wb") as f:
                f.write(numpy_helper.from_array(numpy.asarray(value)).SerializeToString())

    for case in found:
        path = os.path.join(folder, case.name)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "model.onnx"), "wb") as f:
            f.write(case.model.SerializeToString())
        for i, (given, wanted) in enumerate(case.data_sets):
            data = os.path.join(path, "test_data_set_%d" % i)
            os.makedirs(data, exist_ok=True)
            for what, values, infos in (("input", given, case.model.graph.input),
                                        ("output", wanted, case.model.graph.output)):
                for j, (v, info) in enumerate(zip(values, infos)):
                    write(os.path.join(data, "%s_%d.pb" % (what, j)), v, info.type.tensor_type.elem_type)
        cases.append((case.name, path))
        rows[case.name] = describe(case.model)
    return cases, rows


def judge_generated(runner):
    with tempfile.TemporaryDirectory() as folder:
        cases, rows = generate(folder)
        return judge_set(runner, GENERATED, cases, rows)


# ---- report ----

def summary(verdicts):
    count = collections.Counter(v for v, _ in verdicts.values())
    back = sum(v == "passed" and said == "written" for v, said in verdicts.values())
    return {"passed": count["passed"], "failed": count["failed"], "not applicable": count["not applicable"],
            "written back": back}


def why_not(verdicts):
    count = collections.Counter(why for v, why in verdicts.values() if v == "not applicable")
    return ", ".join("%s %d" % (why, n) for why, n in count.most_common())


def print_table(all_verdicts):
    print("%-18s %7s %7s %15s %13s  %s" % ("set", "passed", "failed", "not applicable", "written back",
                                           "of those applicable"))
    for name, verdicts in all_verdicts.items():
        s = summary(verdicts)
        share = 100 * s["passed"] / max(1, s["passed"] + s["failed"])
        print("%-18s %7d %7d %15d %13d  %.1f %%  %s" % (name, s["passed"], s["failed"], s["not applicable"],
                                                        s["written back"], share, why_not(verdicts)))


def read_expected():
    if not os.path.exists(EXPECTED):
        return {}
    with open(EXPECTED, encoding="utf-8") as f:
        return json.load(f)


def compare(all_verdicts, expected):
    """Messages about sets that became worse."""
    wrong = []
    for name, verdicts in all_verdicts.items():
        got, want = summary(verdicts), expected.get(name)
        if name == GENERATED and want and len(verdicts) != want["passed"] + want["failed"] + want["not applicable"]:
            continue  # another version of onnx makes other cases
        if want and got["passed"] < want["passed"]:
            wrong.append("%s: %d cases pass, %d did" % (name, got["passed"], want["passed"]))
        if want and got["written back"] < want.get("written back", 0):
            wrong.append("%s: %d are written back, %d were" % (name, got["written back"], want["written back"]))
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--data", default=os.environ.get("PIM_DATA") or "../shared/data")
    parser.add_argument("--docs")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--list", action="append", default=[])
    o = parser.parse_args()
    all_verdicts = {}
    for name in SETS:
        folder = os.path.join(o.data, name)
        if os.path.isdir(folder):
            all_verdicts[name] = judge_set(o.runner, name, cases_of(folder), manifest(folder))
    if os.path.isdir(os.path.join(o.data, REJECT)):
        all_verdicts[REJECT] = judge_reject(o.runner, os.path.join(o.data, REJECT))
    try:
        import onnx  # noqa: F401
        all_verdicts[GENERATED] = judge_generated(o.runner)
    except ImportError:
        print("python3-onnx is not there: no cases are generated")
    print_table(all_verdicts)
    for name in o.list:
        for case, (verdict, why) in sorted(all_verdicts.get(name, {}).items()):
            if verdict != "passed" or why not in ("", "written"):
                print("%s %s: %s: %s" % (name, case, verdict, why))
    if o.record:
        numbers = read_expected()
        numbers.update({name: summary(v) for name, v in all_verdicts.items()})
        with open(EXPECTED, "w", encoding="utf-8") as f:
            json.dump(numbers, f, indent=1)
            f.write("\n")
    if o.docs:
        import operators
        operators.write_page(o.docs, all_verdicts, summary, why_not)
    wrong = compare(all_verdicts, read_expected())
    for message in wrong:
        print("error:", message)
    crashed = [(n, c) for n, v in all_verdicts.items() for c, (_, why) in v.items() if why.startswith("crashed")]
    for n, c in crashed:
        print("error: %s %s: the program crashed" % (n, c))
    return 1 if wrong or crashed else 0


if __name__ == "__main__":
    sys.exit(main())
