"""Whether a lineman is told the right thing, over feeders that gateway-sim draws. Usage: verdicts.py GATEWAY GATEWAY_SIM [EACH]

Draws EACH (3) scenarios of every kind that has a verdict, and of honest puzzles, replays them, and prints the table of what was true against what
was said last. The seeds are not those the detector was shaped on. Half-known things are counted as wrong: a tap that is blamed on a meter, a register that
stands but is called a part."""

import collections
import json
import os
import subprocess
import sys
import tempfile

gateway, sim = sys.argv[1], sys.argv[2]
each = int(sys.argv[3]) if len(sys.argv) > 3 else 3
# What is to be said of each kind stands in its truth; nothing is to be said of the last four.
KINDS = (
    "hook_const hook_evening partial_bypass gain_tamper full_bypass_evening night_bypass stuck wrong_ratio moved elsewhere fast_meter"
    " clean heavy_appliance holiday heat_wave"
).split()

folder = tempfile.mkdtemp(prefix="verdicts-")
for number, kind in enumerate(KINDS):
    seed = 7000 + 100 * number
    command = [sim, "scenario", "--out", folder, "--kind", kind, "--seed", str(seed), "--count", str(each)]
    subprocess.run(command, check=True, timeout=600)
found = os.path.join(folder, "findings.jsonl")
replay = [gateway, "theft", "replay", folder, "--all", "--out", found]
subprocess.run(replay, check=True, timeout=900, stdout=subprocess.DEVNULL)

said = {}
with open(found) as file:
    for line in map(json.loads, file):
        # An end says nothing of what it was.
        if line["verdict"] not in ("", "over"):
            said[line["scenario"]] = line["verdict"]

table, right, honest = collections.Counter(), collections.Counter(), []
for name in sorted(os.listdir(folder)):
    path = os.path.join(folder, name, "truth.json")
    if os.path.exists(path):
        with open(path) as file:
            truth = json.load(file)
        true, verdict = truth["verdict"] or "nothing", said.get(name, "nothing")
        table[true, verdict] += 1
        right[true == verdict] += 1
        if true != verdict:
            print(f"   {name} {truth['doing']}: {verdict}")
names = sorted({name for pair in table for name in pair})
print("   true \\ said".ljust(28) + " ".join(name[:12].rjust(12) for name in names))
for true in names:
    print(("   " + true).ljust(28) + " ".join(str(table[true, verdict]).rjust(12) for verdict in names))
false = sum(count for (true, verdict), count in table.items() if true == "nothing" and verdict != "nothing")
honest = sum(count for (true, _), count in table.items() if true == "nothing")
bar = {
    "the right verdict in three of four": right[True] >= 0.75 * (right[True] + right[False]),
    "nothing said of nine honest feeders in ten": false <= honest / 10,
}
wrong = [name for name, holds in bar.items() if not holds]
for name in wrong:
    print(f"   NOT TRUE: {name}")
sys.exit(bool(wrong))
