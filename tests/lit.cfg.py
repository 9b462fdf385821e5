# SPDX-License-Identifier: Apache-2.0
"""Text tests: a file holds its command (RUN), its input and what must come out (FileCheck).

Features a test may ask for (REQUIRES: name): solver, pictures, data (a folder of networks with expected
outputs, given by -DPIM_DATA=DIR or the environment), python-onnx, terminal, bench; UNSUPPORTED: sanitize for tests
that measure or crash on purpose.
"""
import os
import shutil
import subprocess

import lit.formats

config.name = "pimopt"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".pim", ".test"]
config.excludes = ["inputs", "unit", "api", "install", "fuzz"]
config.test_source_root = os.path.join(config.pim_source, "tests")
config.test_exec_root = os.path.join(config.pim_build, "lit")

tools = [config.pim_bin, os.path.dirname(config.pim_filecheck), os.path.dirname(config.pim_not)]
config.environment["PATH"] = os.pathsep.join(tools + [os.environ["PATH"]])
# One thread of BLAS: tests run side by side, and sums must not depend on the machine.
config.environment["OPENBLAS_NUM_THREADS"] = "1"
leaks = os.path.join(config.pim_source, "tests", "leaks.supp")
config.environment["LSAN_OPTIONS"] = f"suppressions={leaks}:print_suppressions=0"
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

data = os.environ.get("PIM_DATA") or config.pim_data


def has_onnx(python):
    command = [python, "-c", "import onnx"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def has_terminals():
    """Whether there are pseudo-terminals to run a program in: not in every container."""
    try:
        for end in os.openpty():
            os.close(end)
    except OSError:
        return False
    return shutil.which("script") is not None


# Debian's python3-onnx belongs to Debian's python.
pythons = [p for p in ("/usr/bin/python3", config.pim_python) if os.path.exists(p)]
python = next((p for p in pythons if has_onnx(p)), None)

features = {
    "solver": config.pim_solver,
    "pictures": config.pim_pictures,
    "sanitize": config.pim_sanitize,
    "data": bool(data) and os.path.isdir(data),
    "python-onnx": python is not None,
    "terminal": has_terminals(),
    "bench": os.path.exists(os.path.join(config.pim_bin, "bench_rcpsp")),
}
config.available_features.update(name for name, there in features.items() if there)
if not features["data"]:
    lit_config.note("tests on real networks are left out: set PIM_DATA to their folder")
if not features["terminal"]:
    lit_config.note("tests in a terminal are left out: there are no pseudo-terminals, or no program `script`")

config.substitutions += [
    ("%pimopt", os.path.join(config.pim_bin, "pimopt")),
    ("%pimsim", os.path.join(config.pim_bin, "pimsim")),
    ("%python", python or config.pim_python),
    ("%cc", config.pim_cc),
    ("%include", os.path.join(config.pim_source, "include")),
    ("%source", config.pim_source),
    ("%data", data),
]
