#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real networks on banks, bit by bit: bank_networks.py BIN DATA [--all]

As networks.py, for hbm2-pim: each model is compiled with --verify-numerics, every row operation of its program is run on
real bits, and the results are compared with the known ones, or with pimopt's evaluation on random inputs. Without --all
only what takes a few seconds. Large networks are left out: bits of hundreds of millions of products take hours.
Returns 77 (skipped) when there are no networks.
"""
import argparse
import sys
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
    return networks.check_models(o, lambda name: name not in LARGE and (o.all or name in SMALL), Test)


if __name__ == "__main__":
    sys.exit(main())
