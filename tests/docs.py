# SPDX-License-Identifier: Apache-2.0
"""The pages tell the truth: docs.py BIN SOURCE

Every ```console block of README.md, CONTRIBUTING.md, docs/*.md and bench/*.md is run, line by line as a
user would type it, in a folder that looks like the source; what is printed must be what the page shows.
A line `...` on the page stands for any lines, `...` within a line for any text. A block behind the comment
<!-- not run: why --> is not run. Blocks of one page share their folder, in order.

Every file that a page names is there: links, `folder/name` (with `*` for any), `name.c` alone; and every `pim_name`
stands in the code. What a reader would make, and what is not ours, is listed below.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"(?:<!-- not run: (?P<why>[^\n]*?) -->\s*)?^```console\n(?P<body>.*?)^```", re.M | re.S)


LINK = re.compile(r"\]\((?!\w+://)([^)#\s]+)")
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?<![\w./-])[\w*-]+(?:/[\w.*-]+)*/?(?:\.(?:c|h|def))?(?![\w/-])")
NAME = re.compile(r"\bpim_[a-z0-9_]+\b")
SOURCES = (".c", ".h", ".def")
# The walks of CONTRIBUTING.md make these.
MADE = {"frontends/x.c", "passes/hoist.c", "targets/mine.yaml", "tests/pass/hoist.pim", "pim_pass_hoist", "pim_infer_x",
        "pim_eval_x", "pim_axes_x", "pim_knows_x", "pim_read_x", "pim_noun", "pim_noun_verb"}
FOREIGN = {"uthash.h", "lp_lib.h"}


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


def find_missing(page, source, files, words):
    """What the page names that is not there."""
    text = page.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    folders = {f.parts[0] for f in files if len(f.parts) > 1}
    names = {f.name for f in files}
    for piece in CODE.findall(text):
        for word in FILE.findall(piece):
            if "/" in word and word.split("/")[0] in folders:
                missing += [] if any(source.glob(word.rstrip("/"))) else [word]
            elif "/" not in word and word.endswith(SOURCES) and "*" not in word:
                missing += [] if word in names else [word]
        missing += [word for word in NAME.findall(piece) if word not in words]
    return sorted(set(missing) - MADE - FOREIGN)


def main():
    binaries, source = (Path(a).resolve() for a in sys.argv[1:])
    environment = dict(os.environ, PATH=f"{binaries}:{os.environ['PATH']}", LC_ALL="C.UTF-8")
    pages = [source / "README.md", source / "CONTRIBUTING.md", *sorted(source.glob("docs/*.md")), *sorted(source.glob("bench/*.md"))]
    total = failed = 0
    files = [f.relative_to(source) for f in source.rglob("*") if f.is_file() and not set(f.parts) & {"build", ".git"}]
    words = {word for f in files if f.suffix in SOURCES
             for word in NAME.findall((source / f).read_text(encoding="utf-8"))}
    for page in pages:
        if not page.exists():
            continue
        for name in find_missing(page, source, files, words):
            print(f"{page.name} names {name}, which is not there")
            failed += 1
        with tempfile.TemporaryDirectory(prefix="pim-docs-") as folder:
            for entry in source.iterdir():
                if entry.name not in ("build", ".git"):
                    os.symlink(entry, Path(folder) / entry.name)
            count, wrong = run_page(page, folder, environment)
        total, failed = total + count, failed + wrong
    print(f"{total} commands of the pages were run; {failed} printed something else or name what is not there")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
