# SPDX-License-Identifier: Apache-2.0
"""The pages tell the truth: docs.py BIN SOURCE

Every ```console block of README.md, CONTRIBUTING.md, docs/*.md and bench/*.md is run, line by line as a
user would type it, in a folder that looks like the source; what is printed must be what the page shows.
A line `...` on the page stands for any lines, `...` within a line for any text. A block behind the comment
<!-- not run: why --> is not run. Blocks of one page share their folder, in order.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"(?:<!-- not run: (?P<why>[^\n]*?) -->\s*)?^```console\n(?P<body>.*?)^```", re.M | re.S)


def steps(body):
    """Pairs of a command and the lines that it prints."""
    found = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (found[-1][0] + "\n" + line, [])
        elif found:
            found[-1][1].append(line)
    return found


def pattern_of(lines):
    parts = []
    for line in lines:
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*?".join(re.escape(piece.rstrip() if i else piece) for i, piece in
                                         enumerate(line.rstrip().split("..."))) + r"[ \t]*\n")
    return re.compile("".join(parts) + r"\Z")


def run_page(page, folder, environment):
    """The number of commands run, and the number that printed something else."""
    count = wrong = 0
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["why"]:
            continue
        for command, expected in steps(block["body"]):
            done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=250, check=False)
            printed = done.stdout if not done.stdout or done.stdout.endswith("\n") else done.stdout + "\n"
            count += 1
            if not pattern_of(expected).match(printed):
                wrong += 1
                print(f"{page.name}: $ {command}\n--- the page says\n" + "\n".join(expected) + f"\n--- printed\n{printed}")
    return count, wrong


def main():
    binaries, source = (Path(a).resolve() for a in sys.argv[1:])
    environment = dict(os.environ, PATH=f"{binaries}:{os.environ['PATH']}", LC_ALL="C.UTF-8")
    pages = [source / "README.md", source / "CONTRIBUTING.md", *sorted(source.glob("docs/*.md")), *sorted(source.glob("bench/*.md"))]
    total = failed = 0
    for page in pages:
        if not page.exists():
            continue
        with tempfile.TemporaryDirectory(prefix="pim-docs-") as folder:
            for entry in source.iterdir():
                if entry.name not in ("build", ".git"):
                    os.symlink(entry, Path(folder) / entry.name)
            count, wrong = run_page(page, folder, environment)
        total, failed = total + count, failed + wrong
    print(f"{total} commands of the pages were run, {failed} printed something else")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
