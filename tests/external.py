"""An external broker (mosquitto) between nodes and gateway. Usage: external.py GATEWAY GATEWAY_SIM

Simulated nodes (six, or NODES), a mosquitto that lets each use its own topics only, and a gateway that is one of its clients. The broker and the
gateway are killed in turn, and somebody with all rights at the broker repeats every frame. Afterwards what the nodes have in
their EEPROMs is what the gateway has on its disk."""

import glob
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

gateway, simulator = sys.argv[1], sys.argv[2]
mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
TARIFF = "msedcl-lt1b-2026-27"
NODES = int(os.environ.get("NODES", "6"))
PATIENCE_S = 60

folder = tempfile.mkdtemp(prefix="external-")
path = lambda name: os.path.join(folder, name)
data = path("data")
started = []


def start(*words, **how):
    process = subprocess.Popen(words, **how)
    started.append(process)
    return process


def kill(process):
    process.kill()
    process.wait()


def wait_for(what, ready):
    begin = time.monotonic()
    while time.monotonic() - begin < PATIENCE_S:
        value = ready()
        if value:
            return value, time.monotonic() - begin
        time.sleep(0.05)
    sys.exit(f"   waited {PATIENCE_S} s in vain for {what}")


def write(name, text):
    with open(path(name), "w") as file:
        file.write(text)
    os.chmod(path(name), 0o600)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


port = free_port()


def start_broker():
    process = start(mosquitto, "-c", path("mosquitto.conf"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def accepts():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for("mosquitto", accepts)
    return process


def start_gateway():
    """The daemon and the address of its page."""
    process = start(gateway, "run", "--config", path("gateway.toml"), stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if found := re.search(r"http://(\S+)/ and nodes through the broker", line):
            log = open(path("gateway.log"), "a")
            threading.Thread(target=lambda: log.writelines(process.stderr), daemon=True).start()
            return process, found[1]
    sys.exit("   the daemon did not start")


def office(*words):
    words = [gateway, *words, "--json", "--data", data]
    return json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=20).stdout)


def is_well():
    try:
        with urllib.request.urlopen(f"http://{page}/healthz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def metric(name):
    with urllib.request.urlopen(f"http://{page}/metrics", timeout=5) as answer:
        found = re.findall(rf"^prepaid_gateway_{name}\S* (\d+)$", answer.read().decode(), re.M)
    return sum(map(int, found))


def relays():
    """The last word of each node's relay: node number to (closed or opened, why)."""
    with open(path("sim.log")) as file:
        found = re.findall(r"^N-0*(\d+) (closed|opened) at .*: (\w+)", file.read(), re.M)
    return {int(node): (state, why) for node, state, why in found}


def relay_is(node, state):
    return lambda: relays().get(node, ("", ""))[0] == state


def newest(column):
    """A column of each node's newest reading."""
    return {reading["node"]: reading[column] for reading in office("readings")}


def readings():
    """Every reading on the disk: its time, node and frame."""
    return [(reading["at"], reading["node"], reading["frame_counter"]) for reading in office("readings")]


def counters():
    return newest("frame_counter")


def report_from(after, frames=1):
    """Whether every node has a reading so many frames after `after`."""
    newest = counters()
    return len(newest) == NODES and all(newest[node] >= after.get(node, 0) + frames for node in newest)


class Thief:
    """Reads every frame of the nodes and says it again. He has an account that may do anything."""

    def __init__(self):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=20)
        text = lambda words: struct.pack(">H", len(words)) + words
        login = text(b"MQTT") + bytes([4, 0xC2, 0, 60]) + text(b"thief") + text(b"thief") + text(b"thief")
        self.say(0x10, login)
        self.hear(0x20)
        self.say(0x82, b"\0\1" + text(b"pg/1/+/up") + b"\0")
        self.hear(0x90)

    def say(self, first, body):
        length, size = b"", len(body)
        while True:
            size, low = divmod(size, 128)
            length += bytes([low | (0x80 if size else 0)])
            if not size:
                break
        self.stream.sendall(bytes([first]) + length + body)

    def hear(self, first):
        while True:
            got, shift, size = self.take(1)[0], 0, 0
            while True:
                byte = self.take(1)[0]
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            body = self.take(size)
            if got & 0xF0 == first & 0xF0:
                return body

    def take(self, size):
        taken = b""
        while len(taken) < size:
            more = self.stream.recv(size - len(taken))
            assert more, "mosquitto closed the thief's connection"
            taken += more
        return taken

    def repeat(self, count):
        stolen = [self.hear(0x30) for _ in range(count)]
        for body in stolen:
            self.say(0x30, body)
        self.say(0xE0, b"")
        self.stream.close()


write("gateway.toml", f"""
[store]
data_dir = "{data}"
[field.broker]
address = "127.0.0.1:{port}"
user = "gateway"
password = "gateway"
[web]
listen = "127.0.0.1:0"
access = "open"
[clock]
trust = "always"

[cycle]
gather_ms = 100
""")
write("mosquitto.conf", f"""
listener {port} 127.0.0.1
allow_anonymous false
password_file {path("passwords")}
acl_file {path("acl")}
persistence true
persistence_location {folder}/
max_inflight_messages 0
message_size_limit 1024
user {os.environ.get("USER") or "root"}
""")
write("acl", """
user gateway
topic read pg/1/+/up
topic write pg/1/+/down
topic write pg/1/00000000/up

user thief
topic readwrite pg/#

pattern write pg/1/%u/up
pattern read pg/1/%u/down
""")

try:
    # The gateway starts before its broker, and waits for it.
    daemon, page = start_gateway()
    logins, members = ["gateway:gateway", "thief:thief"], []
    for number in range(1, NODES + 1):
        point = str(office("usage-point", "add", f"A-{number}", "--tariff", TARIFF, "--id", str(number))["usage_point"])
        node = office("node", "add", "--usage-point", point, "--node", str(number))
        # The third has a day's fixed charge and two watt-hours.
        office("vend", point, "5.04" if number == 3 else "300", "--key", f"first-{number}")
        logins.append(f"{node['mqtt_user']}:{node['mqtt_password']}")
        members.append(json.dumps({"node": node["node"], "key": node["key"], "seed": number}))
    write("passwords", "".join(f"{login}\n" for login in logins))
    subprocess.run(["mosquitto_passwd", "-U", path("passwords")], check=True)
    write("members", "\n".join(members))
    os.mkdir(path("eeprom"))
    broker = start_broker()
    words = ["neighbourhood", "--broker", f"127.0.0.1:{port}", "--members", path("members")]
    words += ["--interval", "1", "--kettle-every", "5", "--eeprom", path("eeprom")]
    nodes = start(simulator, *words, stdout=open(path("sim.log"), "w"))

    _, took = wait_for("readings of every node", lambda: report_from({}))
    print(f"   {NODES} nodes report through mosquitto, {took:.1f} s after their start")
    before = counters()
    _, took = wait_for("five more readings of every node", lambda: report_from(before, 5))
    # A node that is not told what is stored waits 15 s before it reports again.
    assert took < 12, f"{took:.1f} s for five reports: nodes are not told that they are stored"
    wait_for("a healthy gateway", is_well)

    _, took = wait_for("the relay of node 3 to open", relay_is(3, "opened"))
    assert relays()[3][1] == "LeaseExhausted", relays()
    print(f"   node 3 has used its credit and is off, after {took:.1f} s")

    kill(broker)
    stored = readings()
    office("vend", "3", "200", "--key", "while-the-broker-was-dead")
    broker = start_broker()
    before = counters()
    _, took = wait_for("node 3 to be supplied again", relay_is(3, "closed"))
    print(f"   broker killed and started; recharged meanwhile, node 3 is on again after {took:.1f} s")
    wait_for("readings after that", lambda: report_from(before))
    wait_for("a healthy gateway", is_well)

    begin = time.monotonic()
    office("supply", "off", "2")
    wait_for("node 2 to open", relay_is(2, "opened"))
    middle = time.monotonic()
    office("supply", "auto", "2")
    wait_for("node 2 to close", relay_is(2, "closed"))
    off, on = middle - begin, time.monotonic() - middle
    print(f"   from the command line to the relay: off {off * 1000:.0f} ms, on {on * 1000:.0f} ms")

    before = counters()
    kill(daemon)
    stored += readings()
    daemon, page = start_gateway()
    _, took = wait_for("readings after the gateway's restart", lambda: report_from(before))
    # Without the question a node gives its session up after three reports, 45 s.
    assert took < 30, f"{took:.1f} s"
    print(f"   gateway killed and started; it asked who, and every node reports again after {took:.1f} s")

    accepted = metric("readings_accepted_total")
    thief = Thief()
    thief.repeat(60)
    before = counters()
    wait_for("readings after the thief", lambda: report_from(before))
    refused, more = metric("rejected_total"), metric("readings_accepted_total") - accepted
    print(f"   60 stolen frames said again: {refused} refused in all, {more} new readings")

    nodes.send_signal(signal.SIGINT)
    nodes.wait(20)
    # 48 slots of 16 bytes: sequence, import register u48, ...; erased is all ones.
    metered = {}
    for file in glob.glob(path("eeprom/*")):
        with open(file, "rb") as eeprom:
            cells = eeprom.read(768)
        slots = [cells[place : place + 16] for place in range(0, 768, 16)]
        saved = [int.from_bytes(slot[1:7], "big") for slot in slots if slot[1:12] != b"\xff" * 11]
        metered[int(re.search(r"(\d+)", os.path.basename(file))[1])] = max(saved)
    registers = lambda: newest("register_wh")
    wait_for(f"the registers {metered} on the gateway's disk", lambda: registers() == metered)
    print(f"   {sum(metered.values())} Wh metered at the nodes, the same on the gateway's disk")

    lost = set(stored) - set(readings())
    assert not lost, f"stored before a kill and gone: {lost}"
    office("verify")
    print("   verify finds nothing")
finally:
    for process in reversed(started):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                kill(process)
    if sys.exc_info()[0] is None:
        shutil.rmtree(folder)
    else:
        print(f"   kept for a look: {folder}")
