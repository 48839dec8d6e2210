"""What the gateway's machine runs on: a file of a UPS, a server of Network UPS Tools, and who is told to switch the machine off. Usage: power.py GATEWAY

A file stands for the kernel's, a socket for the server; what systemd's unit would see is looked at in the run directory."""

import json
import os
import re
import socketserver
import sys
import threading
import time
import urllib.request

from running import Site, free_port

site = Site(sys.argv[1], "power")
cli, until = site.cli, site.until
plain = open(site.config).read()
folder = f"{site.folder}/supplies"
for one in ("usb", "mains"):
    os.makedirs(f"{folder}/{one}")
off = f"{site.folder}/poweroff"
os.environ["RUNTIME_DIRECTORY"] = site.folder


def says(word, supply="mains"):
    """One write, as a kernel's file changes."""
    with open(f"{folder}/{supply}/online.new", "w") as file:
        file.write(f"{word}\n")
    os.replace(f"{folder}/{supply}/online.new", f"{folder}/{supply}/online")


def mains():
    return next(one["words"] for one in cli("gpio", "show") if one["what"] == "mains")


def alarms():
    return [alarm["kind"] for alarm in cli("alarm", "list")["alarms"]]


def get(path):
    return urllib.request.urlopen(f"http://{site.page}{path}", timeout=10).read().decode()


def metric(name):
    found = re.search(rf"^prepaid_gateway_{name} (\S+)$", get("/metrics"), re.M)
    return found and int(found[1])


def use(power):
    site.stop()
    site.write("gateway.toml", f"{plain}[power]\n{power}")
    site.start()


# What cannot be is refused.
for power, words in [
    ("shutdown_after_s = 5", "nothing says whether the mains is there"),
    ('ups = "run/ups"', "write the path of a file"),
    ('ups = "/run/ups"\n[gpio]\ndriver = "trace"\ntrace_file = "/dev/null"\nmains = "GPIO5"', "name one of them"),
]:
    site.write("none.toml", f"[power]\n{power}\n")
    said = site.run("check", "--config", f"{site.folder}/none.toml", ends=1)
    assert words in said, said

# The kernel's files: the mains is there while any of them says so.
says(0, "usb"), says(1)
use(f'ups = "{folder}/*/online"\nshutdown_after_s = 3\n')
until("the mains is there", lambda: mains() == "there")
assert metric("mains_present") == 1 and metric("machine_off_in_seconds") is None and not os.path.exists(off)
times = []
for _ in range(5):
    says(0)
    gone = until("the mains is gone", lambda: re.search(r"on disk (\d+) ms after the edge", mains()))
    times.append(int(gone[1]))
    says(1)
    until("the mains is back", lambda: mains() == "there" and "mains-lost" not in alarms())
assert max(times) <= 100, times
says(0)
until("an alarm", lambda: "mains-lost" in alarms())
assert "switched off in" in get("/"), "the page does not say when"
assert metric("mains_present") == 0 and metric("machine_off_in_seconds") <= 3
says(1)
until("the mains is back", lambda: "mains-lost" not in alarms() and metric("machine_off_in_seconds") is None)
assert not os.path.exists(off)
says(0), says(1, "usb")
time.sleep(0.3)
assert mains() == "there", "one that says it is there is enough"
says(0, "usb")
began = time.monotonic()
until("systemd is told", lambda: os.path.exists(off))
assert 2.9 <= time.monotonic() - began < 6, time.monotonic() - began
assert "switched-off" in alarms() and "3 s without mains" in open(off).read(), open(off).read()
says(1)
until("and the word is taken back", lambda: not os.path.exists(off) and alarms() == [])
print(f"   a file: on disk {sorted(times)} ms after the edge; switched off after 3 s, not if the mains comes back")

# A word too short is none; one that is missing switches nothing off.
use(f'ups = "{folder}/mains/online"\nups_debounce_ms = 800\nshutdown_after_s = 2\n')
until("the mains is there", lambda: mains() == "there")
says(0)
time.sleep(0.4)
says(1)
time.sleep(1)
assert mains() == "there" and alarms() == []
says(0)
until("the mains is gone", lambda: "mains-lost" in alarms())
os.remove(f"{folder}/mains/online")
until("nobody says", lambda: "not known" in mains())
time.sleep(2)
assert not os.path.exists(off), "switched off though nobody says that the mains is gone"
assert "Nothing says whether the mains is there" in get("/") and metric("mains_present") is None
says("full")
until("the mains is back", lambda: mains() == "there" and alarms() == [])

# A server of Network UPS Tools, which may be slow, wrong and away; a low battery does not wait.
status = ["OL CHRG"]


class Nut(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            assert line == b"GET VAR hall ups.status\n", line
            word = status[0]
            self.wfile.write(f"{word}\n".encode() if word.startswith("ERR") else f'VAR hall ups.status "{word}"\n'.encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


port = free_port()
use(f'ups = "nut:hall@127.0.0.1:{port}"\nshutdown_after_s = 3600\n')
until("nobody says", lambda: "not known" in mains())
server = Server(("127.0.0.1", port), Nut)
threading.Thread(target=server.serve_forever, daemon=True).start()
until("the mains is there", lambda: mains() == "there")
status[0] = "ERR DATA-STALE"
until("its words are shown", lambda: "DATA-STALE" in mains())
status[0] = "OB DISCHRG"
until("the mains is gone", lambda: "mains-lost" in alarms())
assert not os.path.exists(off)
status[0] = "OB DISCHRG LB"
until("systemd is told at once", lambda: os.path.exists(off))
assert "the battery is low" in open(off).read()
site.stop()
verified = site.run("verify", "--data", site.data)
print("   Network UPS Tools: away, stale, on battery, low; nobody's word switches nothing off. " + verified.strip().splitlines()[0])
