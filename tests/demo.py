"""Runs the demo for thirty seconds and checks the facts it prints. Usage: demo.py GATEWAY"""

import json
import subprocess
import sys

gateway = sys.argv[1]
done = subprocess.run(
    [gateway, "demo", "--seconds", "30", "--json"], stdout=subprocess.PIPE, text=True, timeout=60, check=True
)
facts = json.loads(done.stdout)
print("   " + json.dumps(facts))

checks = {
    "thirty meters": facts["meters"] == 30,
    "readings arrive": facts["readings_sent"] > 300,
    "every reading sent is stored": facts["readings_accepted"] == facts["readings_sent"],
    "none is rejected": facts["readings_rejected"] == 0,
    "at least three run out": facts["disconnected_for_credit"] >= 3,
    "at least two come back": facts["reconnected_after_vend"] >= 2,
    "overshoot below one register step": 0 <= facts["max_overshoot_wh"] < 1,
    "money is posted": facts["postings"] > 30,
    "postings sum to zero": facts["postings_sum"] == 0,
    "energy metered is energy charged or pending": facts["energy_metered_wh"]
    == facts["energy_charged_or_pending_wh"]
    > 0,
    "verify finds nothing": facts["verify_findings"] == 0,
}
wrong = [name for name, holds in checks.items() if not holds]
for name in wrong:
    print(f"   NOT TRUE: {name}")
sys.exit(bool(wrong))
