# SPDX-License-Identifier: Apache-2.0
"""Every message that a user can get stands in some test: messages.py SOURCE [--list]

A message is the format string of a reporting call; it is tested when the longest piece of it between
two conversions stands in a test file. Those that are not are counted; their number may only fall:
UNTESTED is lowered when it has.
"""
import re
import sys
from pathlib import Path

UNTESTED = 419

CALL = re.compile(r"\b(?:pim_error|pim_report|pim_file_error|pim_node_error|pim_node_note|pim_cursor_error|"
                  r"onnx_fail|complain|refuse|fail)\((?P<rest>[^;]*?)(?P<text>\"(?:[^\"\\\n]|\\.)*\"(?:\s*\"(?:[^\"\\\n]|\\.)*\")*)",
                  re.S)
FOLDERS = ("ir", "frontends", "targets", "passes", "driver")


def pieces(literal):
    text = "".join(re.findall(r"\"((?:[^\"\\]|\\.)*)\"", literal))
    text = text.replace('\\"', '"').replace("\\n", " ").replace("%%", "%")
    return text, re.split(r"%[-+ #0-9.*]*(?:hh|ll|[hljztL])?[a-zA-Z]", text)


def messages(source):
    for folder in FOLDERS:
        for file in sorted((source / folder).glob("**/*.c")):
            code = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), file.read_text(encoding="utf-8"), flags=re.S)
            for call in CALL.finditer(code):
                text, parts = pieces(call["text"])
                longest = max(parts, key=len).strip()
                if len(longest) >= 4:
                    yield f"{file.relative_to(source)}:{code.count(chr(10), 0, call.start('text')) + 1}", text, longest


def tests(source):
    found = []
    for file in sorted((source / "tests").glob("**/*")):
        if file.is_file() and file.suffix in (".c", ".h", ".pim", ".test", ".py", ".sh", ".yaml"):
            if file.name != Path(__file__).name:
                found.append(file.read_text(encoding="utf-8", errors="replace"))
    return "\n".join(found).replace('\\"', '"')


def main():
    source = Path(sys.argv[1])
    known = tests(source)
    all_messages = list(messages(source))
    left = [m for m in all_messages if m[2] not in known]
    if "--list" in sys.argv or len(left) > UNTESTED:
        for place, text, _ in left:
            print(f"{place}: {text}")
    print(f"{len(all_messages)} messages, {len(left)} in no test (at most {UNTESTED} may be)")
    if len(left) < UNTESTED:
        print(f"lower UNTESTED to {len(left)}")
    return 1 if len(left) > UNTESTED or not all_messages else 0


if __name__ == "__main__":
    sys.exit(main())
