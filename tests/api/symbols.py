# SPDX-License-Identifier: Apache-2.0
"""symbols.py LIBRARY HEADER: the library exports what the header marks PIM_API, and nothing else.

pim_plugin_get is declared there for plugins, which define it.
"""
import re
import subprocess
import sys


def main():
    library, header = sys.argv[1:]
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    exported = {line.split()[2].split("@")[0] for line in listed.splitlines() if len(line.split()) == 3}
    exported = {name for name in exported if not name.startswith(("__asan", "__ubsan", "__odr", "__sanitizer", "_init", "_fini"))}
    with open(header, encoding="utf-8") as f:
        declared = set(re.findall(r"^PIM_API [^;{]*?(\w+)\(", f.read(), re.M))
    declared.discard("pim_plugin_get")
    for name in sorted(declared - exported):
        print(f"{name} is in the header, but not in the library")
    for name in sorted(exported - declared):
        print(f"{name} is in the library, but not in the header")
    print(f"{len(declared)} functions in the header")
    return 1 if exported != declared or not declared else 0


if __name__ == "__main__":
    sys.exit(main())
