#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real networks on banks, bit by bit: bank_networks.py BIN DATA [--all]

As networks.py, for hbm2-pim: each model is compiled with --verify-numerics, every row operation of its program is run on
real bits, and the results are compared with the known ones, or with pimopt's evaluation on random inputs. Without --all
only what takes a few seconds. Large networks are left out: bits of hundreds of millions of products take hours.
Returns 77 (skipped) when there are no networks.
"""
import argparse
import concurrent.futures
import os
import sys
import time
from pathlib import Path

import networks

SMALL = {"autoencoder_1d", "cnn_mnist_pytorch", "gpt2_megatron_block", "int8_minimobilenet", "mnist_8", "qlstm", "tiny_bert",
         "tiny_encoder", "transformer_deepquant"}

# Sums of bf16 are rounded one by one on banks, so its results are too far off: not compared, and said so in docs/bank.md.
INEXACT = {"kul_attention_head"}
# 10^9 row operations and more, and what is not compared.
LARGE = networks.LARGE | INEXACT


class Test(networks.Test):
    """One model; what passes write is checked by networks.py."""

    target = "--target=hbm2-pim"

    def check_text(self, cycles):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--all", action="store_true", help="models of up to half a minute too")
    parser.add_argument("--only", default="", help="models whose name holds this")
    o = parser.parse_args()
    models = [m for sub in ("networks", "graphs") for m in sorted(o.data.glob(f"{sub}/*/model.onnx"))
              if o.only in m.parent.name and m.parent.name not in LARGE and (o.all or m.parent.name in SMALL)]
    if not models:
        print(f"skipped: there are no networks in {o.data} (set PIM_DATA)")
        return networks.SKIPPED
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    print(f"{'network':26}{'compile s':>9} {'simulate s':>9} {'difference':>11} {'estimated':>11} {'simulated':>11}")
    start, failed = time.monotonic(), 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for line, good in pool.map(lambda m: networks.check_model(o.bin.resolve(), m, Test), models):
            print(line, flush=True)
            failed += not good
    print(f"{len(models)} models, {failed} failed, {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
