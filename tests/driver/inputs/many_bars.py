#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints two sections of 2,500 ops each."""
print("module {\ngraph @main(%x: f32[64]) {")
last = "%x"
for i in range(5000):
    name = f"%blocks.{i // 2500}/relu_{i}"
    print(f"  {name} = {'relu' if i % 2 else 'neg'} {last} : f32[64]")
    last = name
print(f"  return {last}\n}}\n}}")
