# SPDX-License-Identifier: Apache-2.0
"""The networks of examples/models: models.py SOURCE BIN

1. Every variant in full size, with weights that take no space: multiply-accumulates by pimopt equal
   those by the shapes of the file, and both, with the parameters, the published ones within 1 %.
2. Every structure in its small form: the evaluator agrees with the formulas of the papers, passes keep
   its values, and the simulator gives the evaluator's results.
Exit code 77 (skipped) without Python's onnx."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from arguments import BIN

import formulas
import numpy as np

SCRIPTS = ("vit", "swin", "twins", "cswin", "resnet", "vgg", "mobilenet_v2", "inception_v3", "bert", "gpt2", "llama",
           "sd_unet")
# One variant of each structure.
SMALL = {"vit": ["deit_tiny"], "swin": ["swin_tiny"], "twins": ["twins_svt_small", "pcpvt_small"],
         "cswin": ["cswin_tiny"], "resnet": ["resnet18", "resnet50"], "vgg": ["vgg16"],
         "mobilenet_v2": ["mobilenet_v2"], "inception_v3": ["inception_v3"], "bert": ["bert_base"], "gpt2": ["gpt2"],
         "llama": ["llama3_8b_prefill", "llama3_8b_decode"], "sd_unet": ["sd_unet_block"]}

failures = []


def check(good, text):
    if not good:
        print("FAILED", text)
        failures.append(text)


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{' '.join(str(c) for c in command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def statistics(path):
    text = run(BIN / "pimopt", path, "--pipeline=stats", "--emit=json")
    return json.loads(text)["passes"][0]["statistics"] if text else {"macs": 0, "parameters": 0}


def near(a, b):
    return abs(a - b) <= 0.01 * b


def check_full_size(family, variant, folder):
    model = family.write(folder, variant, weights="zeros")
    macs, parameters = model.numbers.published
    found = statistics(model.path)
    check(found["macs"] == model.macs, f"{variant}: pimopt counts {found['macs']:.0f}, the file has {model.macs}")
    check(near(model.macs, macs * 1e9), f"{variant}: {model.macs} multiply-accumulates, published {macs} G")
    check(near(model.weights, parameters * 1e6), f"{variant}: {model.weights} weights, published {parameters} M")
    check(near(found["parameters"], parameters * 1e6),
          f"{variant}: pimopt counts {found['parameters']:.0f} parameters, published {parameters} M")
    Path(model.path + ".data").unlink()


def check_formula(formula, model, folder):
    """The results that --eval saved, against the formulas in double precision."""
    w = {k: v.astype(float) for k, v in model.graph.weights.items() if v.dtype == np.float32}
    inputs = {k: v if v.dtype == np.int64 else v.astype(float) for k, v in model.graph.data}
    for i, (name, want) in enumerate(formula(w, inputs, model.numbers).items()):
        got = np.load(folder / f"output_{i}.npy")
        worst = abs(got - want).max() / abs(want).max() if got.shape == want.shape else np.inf
        check(worst < 2e-5, f"{model.path}: {name} {got.shape} differs from the formula by {worst:.2g} of its largest")


def check_small(script, family, variant, folder):
    model = family.write(folder, variant, small=True)
    data = folder / "test_data_set_0"
    check(statistics(model.path)["macs"] == model.macs, f"{variant}: multiply-accumulates of the small form")
    run(BIN / "pimopt", model.path, "--eval", "--seed=1")
    run(BIN / "pimopt", model.path, "--eval", f"--data={data}", f"--save-outputs={data}")
    if hasattr(formulas, script):
        check_formula(getattr(formulas, script), model, data)
    program = folder / "small.pimc"
    run(BIN / "pimopt", model.path, "--pipeline=default", "--target=stack3d", "--verify-numerics", "-o", program)
    if program.exists():
        run(BIN / "pimsim", program, f"--data={data}")


def main():
    for script in SCRIPTS:
        family = __import__(script).MODEL
        for variant in family.variants:
            with tempfile.TemporaryDirectory() as folder:
                check_full_size(family, variant, folder)
        for variant in SMALL[script]:
            with tempfile.TemporaryDirectory() as folder:
                check_small(script, family, variant, Path(folder))
    print(f"{len(failures)} failed")
    sys.exit(bool(failures))


main()
