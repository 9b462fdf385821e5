#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every command that pimsim gives to banks keeps every rule of DRAM: bank_trace.py BIN SOURCE

Small programs are compiled for hbm2-pim and run with --trace. The rules are read from the machine's file and held
between the commands of the trace, pair by pair, without knowing how the simulator finds its times. One row that three
wordlines raise at once counts as one activation. A command to several banks is one on the command bus, and one for each
of them. The run's time must cover the last command, and no more than one turn of the banks and a refresh behind it. A
rule that is made a little stricter must be seen to be broken. Machines with all-bank commands must use them, and what is
reported of their command bus must be what the trace has, banks that take no part or not.
"""
import collections
import csv
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = {
    "elements": """
    %0 = add %x, %y : i8[24,12]
    %1 = mul %0, %y : i8[24,12]
    %2 = transpose %1 {perm = [1, 0]} : i8[12,24]
    return %2 as "r"
""",
    "product": """
    %0 = matmul_integer %x, %y {transpose_b = 1} : i32[12,12]
    %1 = reduce_max %0 {axes = [1], keepdims = 0} : i32[12]
    return %1 as "r"
""",
    "order": """
    %0 = less %x, %y : bool[24,12]
    %1 = where %0, %x, %y : i8[24,12]
    %2 = reduce_sum %1 {axes = [0], keepdims = 1} : i8[1,12]
    %3 = sub %1, %2 : i8[24,12]
    return %3 as "r"
""",
}
SIZES = {"product": "12,12"}

# Command code: messages come in while all banks of their channel work together, and while one of them works alone.
CONFLICTS = """program "main" on "{machine}" {{
  input i0 "x" : i8[4]
  input i1 "y" : i8[4]
  result r0 "r" : i8[4]
  task t0 "%0" mul start 0 cycles 0
  pattern p0 i8 [4] to [1] from [1]
  kernel k0
  graph @k0(%x0: i8[4], %x1: i8[4]) {{
    %0 = add %x0, %x1 : i8[4]
    return %0
  }}
  kernel k1
  graph @k1(%x0: i8[4], %x1: i8[4]) {{
    %0 = mul %x0, %x1 : i8[4]
    return %0
  }}
  home i0 unit 4 at 0x0 [0:4]
  home i1 unit 4 at 0x40 [0:4]
  home r0 unit 0 at 0x100 [0:4]
  unit 0 {{
    fill p0 b:0x0 t0
    fill p0 b:0x40 t0
    all_rows k1 b:0x80 <- b:0x0, b:0x40 t0 after 1
    recv p0 unit 4 m:0x100 t0
    load p0 b:0x200 <- m:0x100 t0 after 1
    load p0 b:0x240 <- m:0x100 t0 after 2
    all_rows k0 m:0x100 <- b:0x200, b:0x240 t0 after 1
  }}
  unit 1 {{
    fill p0 b:0x0 t0
    fill p0 b:0x40 t0
    all_rows k1 b:0x80 <- b:0x0, b:0x40 t0 after 1
    recv p0 unit 4 m:0x100 t0
    masked t0
  }}
  unit 2..3 {{
    fill p0 b:0x0 t0
    fill p0 b:0x40 t0
    all_rows k1 b:0x80 <- b:0x0, b:0x40 t0 after 1
    masked t0
  }}
  unit 4 {{
    rows k0 m:0x80 <- m:0x0, m:0x40 t0
    send p0 unit 0 <- m:0x80 t0 after 1
    rows k0 m:0x80 <- m:0x0, m:0x40 t0 after 1
    send p0 unit 1 <- m:0x80 t0 after 1
  }}
  unit 5..7 {{
  }}
}}
"""

# hbm2-pim, and with all-bank commands: all banks of a channel, some without work; groups of them; with less power.
MACHINES = {
    "hbm2-pim": {},
    "lockstep": {"size": [4, 2], "groups": 1, "all_bank_tFAW": 15},
    "groups": {"size": [8, 1], "groups": 4, "all_bank_tFAW": 20},
    "power": {"size": [4, 7], "groups": 1, "all_bank_tFAW": 44, "mode_switch": 150},
}

# Rules whose slack shows: the others (tRRD, tRAS, tWR, tWTR, tRTP) never decide on these machines.
STRICTER = (("tFAW", 1), ("tRP", 4), ("tRFC", 1), ("tRCD", 1), ("tCCD", 1), ("tREFI", -200), ("all_bank_tFAW", 1),
            ("mode_switch", 45))

Command = collections.namedtuple("Command", "cycle channel bank what row")


def read_rules(source):
    text = (source / "targets" / "hbm2-pim.yaml").read_text(encoding="utf-8")
    rules = {k: int(v) for k, v in re.findall(r"^\s+(\w+): (\d+) cycles", text, re.M)}
    assert len([k for k in rules if k[0] == "t" or k in ("write_latency", "second_activation")]) == 13, rules
    return rules


def write_machine(name, folder):
    """The name or file of a machine, and the rules that differ."""
    changed = MACHINES[name]
    if not changed:
        return name, {}
    path = folder / f"{name}.yaml"
    rules = {k: v for k, v in changed.items() if k not in ("size", "groups")}
    lines = "".join(f"  {k}: {v} cycles\n" for k, v in rules.items())
    path.write_text(f"base: hbm2-pim-lockstep\nname: {name}\nnetwork:\n  size: {changed['size']}\nbank:\n"
                    f"  all_bank_groups: {changed['groups']}\n{lines}", encoding="utf-8")
    return path, rules


class Bank:
    """What one bank has been given."""

    def __init__(self):
        self.opened = []  # times of ACT since the last PRE
        self.row = None
        self.closed = self.read = self.written = self.column = -10**9


class Checker:
    """Holds the rules of one channel, command by command; each command is looked at beside all that can matter to it."""

    def __init__(self, rules):
        self.rules = rules
        self.banks = collections.defaultdict(Bank)
        self.activations, self.bus, self.refresh = {1: [], 2: []}, -1, None
        self.last = {1: -10**9, 2: -10**9}  # the command before, to one bank and to several
        self.broken = collections.Counter()

    def hold(self, rule, earlier, now, cycles):
        if now - earlier < cycles:
            self.broken[rule] += 1

    def count_activation(self, c, mode):
        rule = "tFAW" if mode == 1 else "all_bank_tFAW"
        before = self.activations[mode]
        for cycle in before[-8:]:
            self.hold("tRRD", cycle, c.cycle, self.rules["tRRD"])
        if len(before) >= 4:
            self.hold(rule, before[-4], c.cycle, self.rules[rule])
        before.append(c.cycle)

    def activate(self, c, bank):
        r = self.rules
        self.hold("tRP", bank.closed, c.cycle, r["tRP"])
        if len(bank.opened) == 1:
            self.hold("second", bank.opened[0], c.cycle, r["second_activation"])
        elif bank.opened:
            self.broken["third ACT"] += 1
        bank.opened.append(c.cycle)
        bank.row = c.row

    def close(self, c, bank):
        r = self.rules
        if not bank.opened:
            self.broken["PRE of a closed bank"] += 1
        for opened in bank.opened:
            self.hold("tRAS", opened, c.cycle, r["tRAS"])
        self.hold("tRTP", bank.read, c.cycle, r["tRTP"])
        self.hold("tWR", bank.written, c.cycle, r["write_latency"] + r["tCCD"] + r["tWR"])
        bank.opened, bank.row, bank.closed = [], None, c.cycle

    def access(self, c, bank):
        r = self.rules
        if len(bank.opened) != 1 or bank.row != c.row:
            self.broken["access to a row that is not open"] += 1
        else:
            self.hold("tRCD", bank.opened[0], c.cycle, r["tRCD"])
        self.hold("tCCD", bank.column, c.cycle, r["tCCD"])
        if c.what == "RD":
            self.hold("tWTR", bank.written, c.cycle, r["write_latency"] + r["tCCD"] + r["tWTR"])
            bank.read = c.cycle
        else:
            bank.written = c.cycle
        bank.column = c.cycle

    def refreshed(self, c):
        for bank in self.banks.values():
            if bank.opened:
                self.broken["REF with an open row"] += 1
            self.hold("tRP", bank.closed, c.cycle, self.rules["tRP"])
        if self.refresh is not None and c.cycle - self.refresh > self.rules["tREFI"]:
            self.broken["tREFI"] += 1
        self.refresh = c.cycle

    def take(self, c):
        if self.refresh is not None:
            self.hold("tRFC", self.refresh, c.cycle, self.rules["tRFC"])
        if c.what == "REF":
            self.refreshed(c)
            return
        if c.what in ("ACT", "PRE"):  # one command of rows at a time; those of columns are the bank's own
            self.hold("command bus", self.bus, c.cycle, 1)
            self.bus = c.cycle
        first, _, last = c.bank.partition("-")
        mode = 2 if last else 1
        self.hold("mode_switch", self.last[3 - mode], c.cycle, self.rules["mode_switch"])
        self.last[mode] = c.cycle
        if c.what == "ACT":
            self.count_activation(c, mode)
        for number in range(int(first), int(last or first) + 1):
            bank = self.banks[number]
            {"ACT": self.activate, "PRE": self.close, "RD": self.access, "WR": self.access}[c.what](c, bank)


def check(commands, rules):
    channels = collections.defaultdict(lambda: Checker(rules))
    for c in commands:
        channels[c.channel].take(c)
    broken = collections.Counter()
    for channel in channels.values():
        broken.update(channel.broken)
        for bank in channel.banks.values():
            broken["left open"] += bool(bank.opened)
    return +broken


def run(binaries, machine, name, folder):
    size = SIZES.get(name, "24,12")
    text, program, trace = folder / "p.pim", folder / "p.pimc", folder / "p.csv"
    if name == "conflicts":
        program.write_text(CONFLICTS.format(machine=machine), encoding="utf-8")
    else:
        head = f"module {{\n  graph @main(%x: i8[{size}], %y: i8[{size}]) {{"
        text.write_text(f"{head}{PROGRAMS[name]}  }}\n}}\n", encoding="utf-8")
        subprocess.run([binaries / "pimopt", text, f"--target={machine}", "--pipeline=default", "-o", program],
                       check=True)
    out = subprocess.run([binaries / "pimsim", program, "--seed=1", f"--trace={trace}", "--json"], check=True,
                         capture_output=True, text=True).stdout
    with trace.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    commands = [Command(int(r["cycle"]), int(r["channel"]), r["bank"], r["command"], r["row"]) for r in rows]
    return json.loads(out), commands


def check_program(machine, name, binaries, rules, folder):
    """Whether all is well, and which rules made stricter are broken."""
    path, changed = write_machine(machine, folder)
    rules = {**rules, **changed}
    report, commands = run(binaries, path, name, folder)
    count = collections.Counter(c.what for c in commands)
    broken = check(commands, rules)
    name = f"{machine}, {name}"
    print(f"{name}: {dict(count)}, {report['cycles']} cycles, broken: {dict(broken) or 'none'}")
    good = not broken
    last = max(c.cycle for c in commands if c.what == "PRE") + rules["tRP"]
    slack = report["cycles"] - last
    if not 0 <= slack <= rules["tRFC"]:
        print(f"{name}: the run ends {slack} cycles behind its last command")
        good = False
    together = sum("-" in c.bank for c in commands)
    bus = sum("-" in c.bank and c.what in ("ACT", "PRE") for c in commands)
    singles = "conflicts" in name  # kernels of single banks beside: the report counts those, too
    if machine != "hbm2-pim" and (bus >= report["bus_commands"] if singles else bus != report["bus_commands"]):
        print(f"{name}: {bus} all-bank ACT and PRE, {report['bus_commands']} reported on the command bus")
        good = False
    if (together > 0) != (machine != "hbm2-pim"):
        print(f"{name}: {together} all-bank commands")
        good = False
    if machine == "hbm2-pim" and count["ACT"] <= report["activations"]:  # loads, stores and messages come to those of kernels
        print(f"{name}: {count['ACT']} ACT, {report['activations']} reported of kernels")
        good = False
    return good, {rule for rule, more in STRICTER if check(commands, {**rules, rule: rules[rule] + more})}


def main():
    binaries, source = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    rules = read_rules(source)
    with tempfile.TemporaryDirectory(prefix="pim-trace-") as folder:
        results = [check_program(machine, name, binaries, rules, Path(folder))
                   for machine in MACHINES for name in PROGRAMS]
        results.append(check_program("lockstep", "conflicts", binaries, rules, Path(folder)))
    seen = set().union(*(broken for _, broken in results))
    for rule, more in STRICTER:
        if rule not in seen:
            print(f"{rule} {rules[rule] + more} instead of {rules[rule]} is not seen to be broken")
    return 0 if all(good for good, _ in results) and len(seen) == len(STRICTER) else 1


if __name__ == "__main__":
    sys.exit(main())
