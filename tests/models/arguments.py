# SPDX-License-Identifier: Apache-2.0
"""SOURCE and BIN, the arguments of the tests in this folder, which can import the scripts of examples/models.

Exits with 77 (skipped) without Python's onnx."""

import sys
from pathlib import Path

try:
    import onnx  # noqa: F401
except ImportError:
    print("skipped: Python's onnx is not there")
    sys.exit(77)

SOURCE, BIN = (Path(a) for a in sys.argv[1:3])
sys.path.insert(0, str(SOURCE / "examples" / "models"))
