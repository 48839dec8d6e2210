"""Replays the theft benchmark and holds it against the best peer. Usage: theft.py GATEWAY BENCHMARK

BENCHMARK is the folder with `dev` and the independent scorer `score.py`. The bar is the best of the peers' rows in its README, in every column
at once; a shade worse than what the detector reaches today is already a failure of the bar."""

import json
import os
import subprocess
import sys
import tempfile

gateway, benchmark = sys.argv[1], sys.argv[2]
if not os.path.exists(os.path.join(benchmark, "score.py")):
    sys.exit(f"   {benchmark} has no score.py: name the folder of the theft benchmark with THEFT=...")

folder = tempfile.mkdtemp(prefix="theft-")
findings, scores = os.path.join(folder, "findings.jsonl"), os.path.join(folder, "scores.json")
dev = os.path.join(benchmark, "dev")
subprocess.run([gateway, "theft", "replay", dev, "--out", findings], check=True, timeout=900, stdout=subprocess.DEVNULL)
score = [sys.executable, os.path.join(benchmark, "score.py"), dev, findings, "--json", scores]
print(subprocess.run(score, check=True, stdout=subprocess.PIPE, text=True).stdout)
with open(scores) as file:
    result = json.load(file)
overall = result["overall"]
bar = {
    "every theft detected": overall["detection"] >= 1.0,
    "more than 77 % within a day": overall["det24h"] > 0.77,
    "median below 7 hours": overall["median_ttd_h"] < 7.0,
    "no false alarm": result["false_alarms"] == 0,
    "right meter first in more than 85 %": overall["top1"] > 0.85,
    "among three in more than 95 %": overall["top3"] > 0.95,
}
print("   " + json.dumps(overall))
wrong = [name for name, holds in bar.items() if not holds]
for name in wrong:
    print(f"   NOT TRUE: {name}")
sys.exit(bool(wrong))
