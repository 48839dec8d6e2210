"""Checks the facts of a load run read from standard input."""

import json
import sys

facts = json.load(sys.stdin)
print("   " + json.dumps(facts))
gateway = facts.get("gateway", facts)
wrong = [key for key in ("rejected", "lost") if gateway[key] != 0]
for key in wrong:
    print(f"   NOT TRUE: nothing {key}")
sys.exit(bool(wrong))
