"""How fast a backlog drains, and whether relays wait for it. Usage: backlog.py GATEWAY GATEWAY_SIM BACKLOG [METERS] [DAYS] [SECONDS]

BACKLOG is the example of that name: it makes the database of a site that has been without a link. A gateway with it and as many live nodes as meters
is measured twice, without a head-end, and while everything goes to one through mosquitto on loopback. Once it has arrived the head-end is set back to a
backup from before and the broker is started anew, until the load ends: all of the second run is draining."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

gateway, simulator, maker = (os.path.abspath(path) for path in sys.argv[1:4])
meters, days, seconds = (list(map(int, sys.argv[4:])) + [300, 30, 60][len(sys.argv) - 4:])[:3]
CODE = "0123-4567-89AB-CDEF"
MOST_S = 120
folder = tempfile.mkdtemp(prefix="backlog-")
started = []


def start(*words, **how):
    process = subprocess.Popen(words, **how)
    started.append(process)
    return process


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, ready, patience=180, every=0.05):
    begin = time.monotonic()
    while time.monotonic() - begin < patience:
        value = ready()
        if value:
            return value
        time.sleep(every)
    sys.exit(f"   waited {patience} s in vain for {what}")


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def office(data, *words):
    """An answer of the gateway in JSON; nothing if it does not answer."""
    ended = subprocess.run([gateway, *words, "--json", "--data", data], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(ended.stdout) if ended.returncode == 0 else None


def bench(name):
    place = os.path.join(folder, name)
    shutil.copytree(os.path.join(folder, "made"), os.path.join(place, "data"))
    words = [simulator, "bench", "--nodes", str(meters), "--interval-ms", "10000", "--seconds", str(seconds)]
    words += ["--json", "--gateway", gateway, "--folder", place]
    return start(*words, stdout=subprocess.PIPE, text=True), os.path.join(place, "data")


def figures(process):
    said, _ = process.communicate(timeout=seconds + 240)
    facts = json.loads(said)["gateway"]
    assert facts["lost"] == 0, facts
    return facts["vend_to_relay"]


class HeadEnd:
    def __init__(self, port):
        words = [simulator, "head-end", "--broker", f"127.0.0.1:{port}"]
        self.process, self.said = start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True), []
        threading.Thread(target=lambda: self.said.extend(map(json.loads, self.process.stdout)), daemon=True).start()
        wait_for("the head-end", lambda: any("ready" in said for said in self.said))

    def tell(self, value):
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def dump(self):
        name = os.path.join(folder, "backup.json")
        self.tell({"dump": name})
        wait_for("the backup", lambda: any("dumped" in said for said in self.said))
        return name


class Broker:
    def __init__(self):
        self.port = free_port()
        self.config = os.path.join(folder, "mosquitto.conf")
        with open(self.config, "w") as file:
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        self.start()

    def start(self):
        self.process = start("/usr/sbin/mosquitto", "-c", self.config, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("mosquitto", lambda: accepts(self.port))

    def restart(self):
        self.process.kill()
        self.process.wait()
        self.start()


def has_arrived(data, head):
    status = office(data, "cloud", "status")
    return status and status["accepted"] and status["acknowledged"] >= head and status["profile_backlog"] < 2 * meters


def drain(process, data, head_end, broker):
    """Seconds until everything has arrived, for each time it was sent while the load ran."""
    known = lambda: (office(data, "cloud", "status") or {}).get("usage_points", 0)
    wait_for("the nodes", lambda: known() >= 2 * meters, every=1)
    head_end.tell({"expect": CODE})
    took = []
    begin = time.monotonic()
    assert office(data, "cloud", "enrol", "--code", CODE, "--url", f"mqtt://127.0.0.1:{broker.port}"), "not enrolled"
    backup = head_end.dump()
    while process.poll() is None:
        status = office(data, "cloud", "status")
        if status is None:
            break
        wait_for("the backlog", lambda: process.poll() is not None or has_arrived(data, status["head"]))
        if process.poll() is not None:
            break
        took.append(time.monotonic() - begin)
        head_end.tell({"restore": backup})
        wait_for("the backup", lambda: any("restored" in said for said in head_end.said))
        head_end.said.clear()
        begin = time.monotonic()
        broker.restart()
        # Accepted again means: the cursor is set back.
        behind = lambda: process.poll() is not None or (office(data, "cloud", "status") or {}).get("backlog", 0) > 1000
        wait_for("the gateway to hear of it", behind)
    return took


try:
    print("   " + subprocess.run([maker, os.path.join(folder, "made"), str(meters), str(days)], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
    broker = Broker()
    head_end = HeadEnd(broker.port)
    quiet = figures(bench("quiet")[0])
    process, data = bench("draining")
    took = drain(process, data, head_end, broker)
    busy = figures(process)
    assert took, "the load ended before the backlog had arrived once"
    print(f"   {days} days of {meters} meters arrived in {took[0]:.1f} s, then again in " + ", ".join(f"{s:.1f}" for s in took[1:]) + " s")
    for what, found in (("without a head-end", quiet), ("while draining", busy)):
        print(f"   from vend to relay {what}: p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms, max {found['max_ms']:.1f} ms, {found['count']} vends")
    if took[0] > MOST_S:
        sys.exit(f"   NOT TRUE: a backlog drains within {MOST_S} s")
    if busy["p99_ms"] > 2 * quiet["p99_ms"] + 100:
        sys.exit("   NOT TRUE: relays do not wait for the backlog")
finally:
    for process in reversed(started):
        if process.poll() is None:
            process.kill()
            process.wait()
    shutil.rmtree(folder, ignore_errors=True)
