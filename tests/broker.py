"""Hostile and fighting MQTT clients against the daemon. Usage: broker.py GATEWAY PEERS

PEERS is the folder of the independent clients `mqtt_badpackets.py` and `reconnect_storm.py`. They log in without a name, so this daemon has an
anonymous site account. The project's own tests of the same kind are in gateway/field/tests."""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

gateway, peers = sys.argv[1], sys.argv[2]
if not os.path.exists(os.path.join(peers, "mqtt_badpackets.py")):
    sys.exit(f"   {peers} has no mqtt_badpackets.py: name the folder of the independent clients with PEERS=...")

folder = tempfile.mkdtemp(prefix="broker-")
config = os.path.join(folder, "gateway.toml")
with open(config, "w") as file:
    file.write(f"""
[store]
data_dir = "{folder}/data"
[field]
listen = "127.0.0.1:0"
anonymous_publish = ["meters/#"]
anonymous_subscribe = ["#"]
[web]
listen = "127.0.0.1:0"
access = "open"
[clock]
trust = "always"
""")
daemon = subprocess.Popen([gateway, "run", "--config", config], stderr=subprocess.PIPE, text=True)
try:
    for line in daemon.stderr:
        found = re.search(r"http://(\S+)/ and nodes on \S+:(\d+)", line)
        if found:
            page, port = found.groups()
            break
    else:
        sys.exit("   the daemon did not start")

    def run(*words):
        done = subprocess.run(["/usr/bin/python3", *words], cwd=peers, stdout=subprocess.PIPE, text=True, timeout=600)
        return done.returncode, done.stdout

    code, said = run("mqtt_badpackets.py", "--port", port, "--wait", "0.5")
    print("   " + said.strip().splitlines()[-1])
    assert code == 0 and ", 0 protocol violations, 0 liveness failures" in said, said

    storm = os.environ.get("STORM", "20000")
    code, said = run("reconnect_storm.py", "--port", port, "--n", storm)
    print("   " + said.strip())
    result = json.loads(said)
    assert result["alive_at_end"] and result["dead_after"] is None, said

    with urllib.request.urlopen(f"http://{page}/healthz", timeout=5) as answer:
        assert answer.status == 200
    print("   the daemon is well afterwards")
finally:
    daemon.terminate()
    daemon.wait(10)
