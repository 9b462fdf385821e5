# SPDX-License-Identifier: Apache-2.0
"""What the fuzzers start from, made of the tests' inputs: seeds.py BIN SOURCE DATA OUT

OUT/text, onnx, machine, program, tensors, pipeline: one folder for each fuzzer. Small real models of DATA
are taken too, where it is there.
"""
import random
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

LARGEST = 60000


def programs(source):
    """The texts of all tests, part by part."""
    for file in sorted(source.glob("tests/**/*.pim")):
        for part in file.read_text(encoding="utf-8").split("// -----\n"):
            yield part


def write_text(source, out):
    for i, part in enumerate(programs(source)):
        (out / f"{i}.pim").write_text(part, encoding="utf-8")


def write_machines(source, out):
    for file in [*source.glob("targets/*.yaml"), *source.glob("tests/**/*.yaml")]:
        (out / file.name).write_bytes(file.read_bytes())


def write_programs(binaries, source, out):
    """Command code of small programs, as text and as bytes, and the tests' own."""
    for i, part in enumerate(programs(source)):
        for form in ("commands", "binary"):
            file = out / f"{i}-{form}.pimc"
            subprocess.run([binaries / "pimopt", "-", "--target=stack3d", "--pipeline=default", f"--emit={form}", "-o", file],
                           input=part.encode(), capture_output=True, check=False)
            if file.exists() and file.stat().st_size > LARGEST:
                file.unlink()
    for file in out.glob("*.safetensors"):
        file.unlink()
    for file in source.glob("tests/**/*.pimc"):
        (out / file.name).write_bytes(file.read_bytes())


def write_models(source, data, out):
    for script in sorted(source.glob("tests/onnx/inputs/*.py")):
        text = script.read_text(encoding="utf-8")
        for name in set(text.replace('"', " ").replace("'", " ").replace("(", " ").split()):
            if name.isidentifier() and len(list(out.iterdir())) < 200 and f'"{name}"' in text:
                subprocess.run(["/usr/bin/python3", script, name, out / f"{script.stem}-{name}.onnx"],
                               capture_output=True, check=False)
    for model in [*data.glob("networks/*/model.onnx"), *sorted(data.glob("onnx-*/*/model.onnx"))[::20]]:
        if model.stat().st_size < LARGEST:
            (out / f"{model.parent.name}.onnx").write_bytes(model.read_bytes())


def npy(descr, shape, body, version=1):
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(head)) + head + body


def write_tensors(data, out):
    for descr, size in (("<f4", 4), ("<f8", 8), ("<i8", 8), ("|u1", 1), ("|b1", 1), ("<f2", 2), (">f4", 4)):
        (out / f"npy-{descr[1:]}{descr[0] == '>'}").write_bytes(b"n" + npy(descr, "(2, 3)", bytes(6 * size)))
    archive = out / "npz"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("input_0.npy", npy("<f4", "(4,)", bytes(16)))
        z.writestr("input_1.npy", npy("<i8", "()", bytes(8), version=2))
    archive.write_bytes(b"z" + archive.read_bytes())
    # dims 2 3; type float; raw data
    (out / "pb").write_bytes(b"p" + b"\x08\x02\x08\x03\x10\x01\x42\x01x\x4a\x18" + bytes(24))
    for file in sorted(data.glob("*/*/test_data_set_0/*.pb"))[::40]:
        if file.stat().st_size < 2000:
            (out / f"pb-{file.parent.parent.name}-{file.stem}").write_bytes(b"p" + file.read_bytes())


def write_decisions(out):
    source = random.Random(1)
    for i in range(64):
        (out / str(i)).write_bytes(source.randbytes(8 + 2 * i))


def main():
    binaries, source, data, out = (Path(a) for a in sys.argv[1:])
    for name in ("text", "onnx", "machine", "program", "tensors", "pipeline"):
        (out / name).mkdir(parents=True, exist_ok=True)
    write_text(source, out / "text")
    write_machines(source, out / "machine")
    write_programs(binaries, source, out / "program")
    write_models(source, data, out / "onnx")
    write_tensors(data, out / "tensors")
    write_decisions(out / "pipeline")
    for folder in sorted(out.iterdir()):
        count = len(list(folder.iterdir()))
        print(f"{count:5} seeds for {folder.name}")
        if count == 0:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
