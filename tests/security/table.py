#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The table of docs/SECURITY.md: every rule has a row, and every file it names has a test of that number."""
import pathlib
import re
import sys

RULES = 47
root = pathlib.Path(__file__).resolve().parents[2]
rows = re.findall(r"^\| R(\d+) \|[^|]*\|[^|]*\|([^|]*)\|$", (root / "docs/SECURITY.md").read_text(), re.M)
bad = []
if [int(number) for number, _ in rows] != list(range(1, RULES + 1)):
    bad.append("not every rule has its row, in order")
for number, shown in rows:
    for name in re.findall(r"`([a-z0-9_/]+\.c)`", shown):
        path = root / "tests" / name
        mark = "r%02d_" % int(number)
        if not path.is_file():
            bad.append(f"R{number}: no {name}")
        elif not name.startswith("faults/") and mark not in path.read_text():
            bad.append(f"R{number}: no test {mark}... in {name}")
print("\n".join(bad) or f"{len(rows)} rules")
sys.exit(1 if bad else 0)
