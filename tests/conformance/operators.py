# SPDX-License-Identifier: Apache-2.0
"""docs/onnx.md: the conformance table, and what becomes of every operator (from frontends/onnx_ops.def)."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROW = re.compile(r'^ONNX(?:_IN)?\((?:"([^"]*)", )?(\w+), (\d+), (\w+), (\d+), (-?\d+), (-?\d+), (\w+), (\w+)\)', re.M)
REFUSED = re.compile(r'^REFUSED\((\w+), "([^"]*)"\)', re.M)

# Converters whose result is one op of the same meaning; every other one makes several.
DIRECT = {"plain", "leaky_relu", "elu", "hard_sigmoid", "gelu", "clip_attributes", "clip_inputs", "cast", "cast_like",
          "binary", "matmul", "conv", "conv_transpose", "average_pool", "reduce", "softmax", "layer_norm", "batch_norm",
          "lrn", "identity", "dropout", "reshape", "flatten", "squeeze", "unsqueeze", "transpose", "slice", "concat",
          "expand", "gather", "arg", "running", "gather_elements", "gather_nd", "scatter", "resize", "upsample",
          "grid_sample", "roi_align", "max_roi_pool", "deform_conv", "quantize", "dequantize", "bit_shift", "bit_cast",
          "global_pool", "matmul_integer", "conv_integer", "expand_dims"}
AT_IMPORT = {"constant", "constant_of_shape", "shape", "size", "range", "non_zero", "unique", "non_max_suppression",
             "eye_like", "hann_window", "hamming_window", "blackman_window", "mel_weights"}
UNROLLED = {"if", "loop", "scan"}


def read(name):
    with open(os.path.join(ROOT, "frontends", name), encoding="utf-8") as f:
        return f.read()


def describe(converter, op):
    if converter in UNROLLED:
        return "unrolled"
    if converter in AT_IMPORT:
        return "computed when the model is read"
    return ("supported: `%s`" if converter in DIRECT else "decomposed (`%s` ...)") % op


def operator_rows():
    """domain -> operator -> (opsets, what becomes of it)"""
    newest = re.search(r"ONNX_NEWEST_OPSET (\d+)", read("onnx.h")).group(1)
    found = {}
    for domain, name, first, last, _, _, _, converter, op in ROW.findall(read("onnx_ops.def")):
        last = newest if last == "NEWEST" else last
        old = found.setdefault(domain, {}).get(name)
        first = min(int(first), int(old[0].split()[0])) if old else int(first)
        last = max(int(last), int(old[0].split()[-1])) if old else int(last)
        opsets = "%d to %d" % (first, last) if not domain else "any"
        found[domain][name] = (opsets, describe(converter, op))
    for name, reason in REFUSED.findall(read("onnx_refused.def")):
        found[""][name] = ("-", "refused: programs have no " + reason)
    return found


def table(rows):
    lines = ["| operator | opsets | what becomes of it |", "| --- | --- | --- |"]
    return lines + ["| %s | %s | %s |" % (name, *rows[name]) for name in sorted(rows)]


def write_page(path, all_verdicts, summary, why_not):
    lines = ["# ONNX", "",
             "<!-- written by tests/conformance/conformance.py --docs -->", "",
             "Models of opset 1 to 27 are read. Attributes that became inputs, changed defaults and broadcasting are those of the",
             "opset that the model states. What settles a shape must be known when the model is read: a constant, arithmetic on",
             "shapes, or an input whose value `--data` gives (a remark then says so). What is not read is refused with its place.",
             "", "## Conformance", "",
             "Floats within 1e-3 of the element + 1e-5 (1e-2 + 1e-2 where 16-bit floats are on the way), everything else exactly.",
             "`onnx.backend.test` are the cases that Debian's python3-onnx generates. onnx-reject counts refusals.",
             "tests/conformance/microsoft.py compares the operators of com.microsoft, form by form, with numpy;",
             "tests/conformance/semantics.py does so with corners of ai.onnx: windows, slices, pads, all options of",
             "recurrent layers, reductions over nothing, negative axes and indices.",
             "*Written back*: `--emit=onnx` of the program, read again, gives the expected values too.", "",
             "| set | passed | failed | not applicable | of those applicable | written back | not applicable because of |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for name, verdicts in all_verdicts.items():
        s = summary(verdicts)
        share = 100 * s["passed"] / max(1, s["passed"] + s["failed"])
        lines.append("| %s | %d | %d | %d | %.1f %% | %d | %s |" % (name, s["passed"], s["failed"], s["not applicable"],
                                                                  share, s["written back"], why_not(verdicts)))
    lines += ["", "Failures:", ""]
    for name, verdicts in all_verdicts.items():
        for case, (verdict, why) in sorted(verdicts.items()):
            if verdict == "failed":
                lines.append("- %s `%s`: %s" % (name, case, re.sub(r"/[^ ]*/(?=[^/ ]+/)", "", why).replace("|", "/")))
    lines += ["", "## Where onnxruntime gives something else", "",
              "Compared with onnxruntime 1.30 on seeded random cases; where it and the specification differ, the specification holds.",
              "",
              "- LSTM with `clip`: also what enters h, the last activation, is clipped (\"the input of activations\").",
              "- RNN, GRU, LSTM: activations without `activation_alpha` have the default of the operator of that name",
              "  (ThresholdedRelu 1, Affine and ScaledTanh 1); onnxruntime takes 0. It has no `layout` = 1.",
              "- SAME padding counts dilations, and is ceil(size / stride) large; ConvTranspose with it size * stride.",
              "- Resize with `align_corners` or `tf_crop_and_resize` and scales divides by the unrounded size, as the tests of ONNX do.",
              "- Slice to an end beyond the dim with a negative step is empty.",
              "- The score of a hidden token, where Attention gives scores out, is -inf.",
              "- DynamicQuantizeLinear of zeros has the scale 0.",
              "- Pad with negative pads: first cut, then padded with what is left, in both."]
    rows = operator_rows()
    lines += ["", "## Operators of ai.onnx", "",
              "*supported*: one op of the same meaning; *decomposed*: several ops, nothing lost. Element types: bool, 8 to 64 bit",
              "integers, 4-bit integers, 16 to 64 bit floats; not complex numbers, 8-bit floats or strings.", ""]
    lines += table(rows[""])
    for domain in sorted(d for d in rows if d):
        lines += ["", "## Operators of %s" % domain, ""] + table(rows[domain])
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
