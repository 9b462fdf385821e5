# SPDX-License-Identifier: Apache-2.0
"""manual.py COMMAND PAGE: the options of --help are those that the manual page describes."""
import re
import subprocess
import sys

command, page = sys.argv[1:]
text = subprocess.run([command, "--help"], capture_output=True, text=True, check=True).stdout
told = set(re.findall(r"^  (--?[a-z][a-z-]*)", text, re.MULTILINE))
with open(page, encoding="utf-8") as f:
    plain = f.read().replace("\\-", "-")
headings = re.findall(r"^\.TP\n\.[BIR]+ (.*)$", plain, re.MULTILINE)
described = set()
for line in headings:
    described.update(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*[a-z]|-o)", line))
for name in sorted(told - described):
    print(f"{page} does not describe {name}")
for name in sorted(described - told):
    print(f"{command} has no {name}")
sys.exit(told != described)
