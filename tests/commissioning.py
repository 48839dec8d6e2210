"""An installer at work on a Modbus line: alone on it, and while the gateway polls it. Usage: commissioning.py GATEWAY

A pty has no speed, so the line here looks at what the port is set to: who has another speed hears nothing. Meters at a wrong
speed are found, a bad cable is named, relays are tried and end as they began; then the same through the running gateway, between its own
requests: a scan, a reading that is watched, a probe, ended by Ctrl-C, by the API, and refused where somebody is at work already."""

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import tty
import urllib.error
import urllib.request

from running import Site

gateway = os.path.abspath(sys.argv[1])
TCGETS2 = 0x802C542A


def crc(frame):
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


class Meter:
    """An SDM120 at a speed of its own."""

    def __init__(self, serial, kwh, baud=9600):
        self.serial, self.wh, self.watts, self.at, self.baud = serial, kwh * 1000, 0.0, time.monotonic(), baud

    def register(self):
        now = time.monotonic()
        self.wh += self.watts * (now - self.at) / 3600
        self.at = now
        return self.wh

    def draw(self, watts):
        self.register()
        self.watts = watts

    def reply(self, function, start, count):
        if function == 3 and (start, count) == (0xFC00, 2):
            words = [self.serial >> 16, self.serial & 0xFFFF]
        elif function == 4 and start + count <= 80:
            words = [0] * 80
            for at, value in {0: 230.0, 6: self.watts / 230, 12: self.watts, 70: 50.0, 72: int(self.register()) / 1000}.items():
                words[at:at + 2] = struct.unpack(">HH", struct.pack(">f", value))
            words = words[start:start + count]
        else:
            return bytes([function | 0x80, 2])
        return bytes([function, 2 * count]) + b"".join(struct.pack(">H", word) for word in words)


class Board:
    """Eight coils and eight holding registers, and what hangs on them."""

    def __init__(self, baud=9600):
        self.baud, self.coils, self.registers, self.hook, self.told = baud, [False] * 8, [0] * 8, lambda kind, at, value: None, []

    def reply(self, function, start, count):
        if function == 1 and start + count <= 8:
            bits = sum(1 << at for at, on in enumerate(self.coils[start:start + count]) if on)
            return bytes([1, 1, bits])
        if function == 3 and start + count <= 8:
            return bytes([3, 2 * count]) + b"".join(struct.pack(">H", word) for word in self.registers[start:start + count])
        if function in (5, 6) and start < 8:
            kind, value = ("coil", count == 0xFF00) if function == 5 else ("register", count)
            (self.coils if function == 5 else self.registers)[start] = value
            self.told.append((kind, start, value))
            self.hook(kind, start, value)
            return bytes([function]) + struct.pack(">HH", start, count)
        return bytes([function | 0x80, 1])


class Line:
    """A port, and everybody behind it who has its speed."""

    def __init__(self, **devices):
        self.devices, self.garble, self.heard = {int(at[1:]): device for at, device in devices.items()}, 0.0, []
        self.end, other = os.openpty()
        tty.setraw(other, termios.TCSANOW)
        self.path, self.kept, self.turn = os.ttyname(other), other, 0.0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            frame = os.read(self.end, 512)
            while select.select([self.end], [], [], 0.003)[0]:
                frame += os.read(self.end, 512)
            # struct termios2 ends with both speeds.
            speed = struct.unpack("=II", fcntl.ioctl(self.end, TCGETS2, bytes(44))[36:])[1]
            device = self.devices.get(frame[0])
            self.heard.append((time.monotonic(), frame))
            if device is None or device.baud != speed or crc(frame[:-2]) != frame[-2:]:
                continue
            function, start, count = frame[1], *struct.unpack(">HH", frame[2:6])
            answer = frame[:1] + device.reply(function, start, count)
            answer += crc(answer)
            self.turn += self.garble
            if self.turn >= 1:
                self.turn -= 1
                answer = answer[:3] + bytes([answer[3] ^ 0x10]) + answer[4:]
            os.write(self.end, answer)


def run(*words, wrong=False, text=False):
    command = [gateway, *([] if text else ["--json"]), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
    assert (done.returncode != 0) == wrong, (words, done.returncode, done.stdout, done.stderr)
    if text:
        return done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else {"message": done.stderr}


# --- Alone on the line.
slow, flat = Meter(3003, 4321.0, baud=2400), Meter(3004, 900.0)
board = Board()
line = Line(_3=slow, _4=flat, _9=board)
alone = ["--port", line.path, "--timeout-ms", "60"]
slow.draw(2_000)
found = run("scan", *alone, "--from", "2", "--to", "3")
assert [one["address"] for one in found["found"]] == [3] and found["found"][0]["line"] == f"{line.path} at 2400 8N1", found
assert found["found"][0]["models"][0] == "sdm120" and found["found"][0]["serial"] == "3003", found
assert any(why.startswith("9600 8E1") for why in found["skipped"]), found
everything = run("scan", *alone, "--from", "2", "--to", "9", "--all-speeds", "--parity", "none")
assert {(one["address"], one["line"][-8:]) for one in everything["found"]} == {(3, "2400 8N1"), (4, "9600 8N1"), (9, "9600 8N1")}, everything
shown = run("scan", *alone, "--from", "2", "--to", "3", text=True)
assert "2400 8N1" in shown and "unverified" in shown and "not tried: 9600 8E1" in shown, shown
print("   scan: a meter at a speed nobody knew; a speed that the port cannot do is named")

line.garble = 0.4
at_4 = [*alone, "--model", "sdm120", "--address", "4"]
flat.draw(2_300)
words = json.dumps(run("probe", *at_4, "--baud", "9600", "--seconds", "6", wrong=True))
assert re.search(r"4 answers \d+ of \d+ requests, [34]\d % CRC errors: check A/B or termination", words), words
line.garble = 1.0
words = run("probe", *at_4, "--baud", "9600", "--seconds", "2", wrong=True)["message"]
assert "no reply from 4, 100 % CRC errors: check A/B or termination" in words, words
line.garble = 0.0
words = run("probe", *at_4, "--baud", "2400", "--seconds", "2", wrong=True)["message"]
assert "no reply from 4, 100 % unanswered: check address, baud rate, power and A/B" in words, words
print("   probe: 40 % CRC errors, nothing but CRC errors, and a wrong speed, each in words")

at_9600 = [*at_4, "--baud", "9600", "--seconds", "2"]
assert "no-consent" in json.dumps(run("probe", *at_9600, "--test-relay", "coil:9/2", wrong=True)), "asked"
assert "no relay inside it" in json.dumps(run("probe", *at_9600, "--test-relay", "--yes", wrong=True))
assert board.told == []
board.hook = lambda kind, at, on: flat.draw(2_300 if on else 0) if (kind, at) == ("coil", 2) else None
board.coils[2] = True
words = json.dumps(run("probe", *at_9600, "--test-relay", "coil:9/2", "--yes"))
assert "the relay opens and closes: 10.00 A closed, 0.00 A open" in words, words
assert board.told == [("coil", 2, False), ("coil", 2, True), ("coil", 2, True)] and board.coils[2], board.told
board.coils[2], board.told = False, []
flat.draw(0)
words = json.dumps(run("probe", *at_9600, "--test-relay", "coil:9/2", "--yes"))
assert "it was open before" in words or "the relay was open before, and is again" in words, words
assert board.coils[2] is False, "a relay that was open is left open"
board.hook = lambda kind, at, on: None
flat.draw(2_300)
words = json.dumps(run("probe", *at_9600, "--test-relay", "coil:9/2", "--yes", wrong=True))
assert "10.00 A still flow: welded, or not in this circuit" in words, words
print("   a relay is tried with consent only; it ends as it began; one that does not cut is named")

# --- While the gateway polls.
for address in (1, 2):
    line.devices[address] = Meter(7000 + address, 100.0 * address)
    line.devices[address].draw(1_000)
site = Site(gateway, "commissioning", f"""[cycle]
gather_ms = 100
[[field.modbus]]
name = "hall"
port = "{line.path}"
poll_ms = 1000
longest_answer_ms = 100
""")
until = site.until


def cli(*words, wrong=False, text=False):
    return run(*words, "--data", site.data, wrong=wrong, text=text)


def meters():
    return {meter["node"]: meter for meter in cli("meter", "list")["meters"]}


def api(path, body=None, status=200):
    request = urllib.request.Request(f"http://{page}/api/v1/{path}", headers={"Content-Type": "application/json"})
    request.data = None if body is None else json.dumps(body).encode()
    try:
        answer = urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    assert answer.status == status, (path, answer.status, answer.read())
    return json.loads(answer.read())


site.start()
page = site.page
try:
    for number in (1, 2, 3):
        cli("usage-point", "add", f"Flat {number}", "--tariff", "mepdcl-domestic", "--max-power-w", "3500")
        cli("vend", str(number), "1000", "--key", f"first-{number}")
    board.told.clear()
    cli("meter", "add", "--usage-point", "1", "--modbus", "hall/1", "--model", "sdm120", "--switch", "coil:hall/9/1")
    cli("meter", "add", "--usage-point", "2", "--modbus", "hall/2", "--model", "sdm120", "--switch", "register:hall/9/7/11/22")
    nodes = sorted(meters())
    until("both are read", lambda: all(meter["register_wh"] for meter in meters().values()))
    until("coil and register are told what is wanted", lambda: board.coils[1] and board.registers[7] == 11)
    shown = cli("meter", "test", "--modbus", "hall/1", "--model", "sdm120")
    assert any(re.fullmatch(r"4366 0000( [0-9A-F]{4})+", content) for place, content in shown["raw"] if place.startswith("4/0-")), shown
    print("   meter test: values, and the registers as they came")

    read = lambda: sum(meter["line"]["answered"] for meter in meters().values())
    was, began = read(), time.monotonic()
    found = cli("scan", "--bus", "hall", "--from", "1", "--to", "9", "--search", "--all-speeds", "--parity", "none", "--timeout-ms", "40")
    assert {(one["address"], one["line"]) for one in found["found"]} >= {(3, "bus hall at 2400 8N1")}, found
    seconds = time.monotonic() - began
    assert read() - was >= 2 * (seconds - 3), (read() - was, seconds)
    quick = cli("scan", "--bus", "hall", "--from", "1", "--to", "9", "--timeout-ms", "40")
    assert [one["address"] for one in quick["found"]] == [4], quick
    assert {(one["address"], one["node"]) for one in quick["in_use"]} == {(1, nodes[0]), (2, nodes[1]), (9, None)}, quick
    gateway_first = cli("scan", "--port", line.path, "--from", "4", "--to", "4", "--timeout-ms", "60")
    assert gateway_first["found"][0]["line"] == "bus hall", gateway_first
    assert all(meter["line"]["failed"] == {} for meter in meters().values()), meters()
    print("   scan of a bus that is polled: meters in use are named, others found, at other speeds too; no poll failed")

    values = {one["quantity"]: one for one in cli("read", "--bus", "hall", "--model", "sdm120", "--address", "3", "--baud", "2400")["values"]}
    assert values["voltage"]["raw"] == "4366 0000" and values["voltage"]["words"] == "230.00 V", values
    watching = subprocess.Popen(
        [gateway, "--json", "read", "--bus", "hall", "--model", "sdm120", "--address", "4", "--watch", "--data", site.data],
        stdout=subprocess.PIPE, text=True)
    seen = [json.loads(watching.stdout.readline())["serial"] for _ in range(3)]
    watching.send_signal(signal.SIGINT)
    assert seen == ["3004"] * 3 and watching.wait(10) == 0, seen
    print("   read --watch through the gateway, until Ctrl-C")

    probed = cli("probe", "--bus", "hall", "--model", "sdm120", "--address", "4", "--seconds", "4")
    assert not probed["wrong"] and probed["unverified"], probed
    board.told.clear()
    words = json.dumps(cli("probe", "--bus", "hall", "--model", "sdm120", "--address", "1", "--seconds", "2", "--test-relay", "coil:9/1", "--yes", wrong=True))
    assert f"the gateway keeps this relay for {nodes[0]}" in words and board.told == [], (words, board.told)
    print("   probe through the gateway; a relay in use is not tried")

    scanning = subprocess.Popen(
        [gateway, "--json", "scan", "--bus", "hall", "--data", site.data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    job = until("the job is under way", lambda: api("buses")["buses"][0]["job"])
    assert "at work on hall already" in json.dumps(cli("scan", "--bus", "hall", wrong=True))
    until("it comes on", lambda: "question 1 of 3" in api(f"bus-work/{job}")["progress"])
    scanning.send_signal(signal.SIGINT)
    out, _ = scanning.communicate(timeout=10)
    assert scanning.returncode == 1 and json.loads(out)["error"] == "cancelled", (scanning.returncode, out)
    until("the bus is free", lambda: api("buses")["buses"][0]["job"] is None)

    job = api("buses/hall/work", {"task": "scan", "from": 3, "to": 5, "timeout_ms": 40})
    assert job["state"] == "running", job
    done = until("it is done", lambda: (lambda job: job if job["state"] == "done" else None)(api(f"bus-work/{job['job']}")))
    assert [one["address"] for one in done["result"]["found"]] == [4] and done["by"], done
    job = api("buses/hall/work", {"task": "probe", "model": "sdm120", "address": 4, "seconds": 3600})
    api(f"bus-work/{job['job']}/cancel", {})
    until("it is cancelled", lambda: api(f"bus-work/{job['job']}")["state"] == "cancelled")
    assert api("buses/hall/work", {"task": "scan", "from": 9, "to": 3}, 422)["error"] == "bus-work-refused"
    assert "no bus is called" in api("buses/roof/work", {"task": "scan"}, 422)["message"].lower()
    print("   Ctrl-C and the API end a job; one at a time; a wrong one is refused")

    # --- A switch that is a register.
    until("both values are known", lambda: board.registers[7] == 11)
    cli("supply", "off", "2")
    until("the register opens it", lambda: board.registers[7] == 22)
    until("and is read back", lambda: cli("usage-point", "show", "2")["reported"] == "open")
    board.registers[7] = 5
    until("a value that means neither is put right", lambda: board.registers[7] == 22)
    until("current behind an open register", lambda: "welded" in json.dumps(cli("alarm", "list")))
    cli("supply", "auto", "2")
    until("closed again", lambda: board.registers[7] == 11 and cli("usage-point", "show", "2")["reported"] == "closed")
    print("   a register switches a supply: told, read back, put right, welded is seen")

    # --- Another address, followed by serial number.
    line.devices[6] = line.devices.pop(2)
    cli("meter", "move", nodes[1], "--modbus", "hall/6", "--model", "sdm120", "--switch", "register:hall/9/7/11/22")
    until("read at its new address", lambda: (lambda m: m["link"]["address"] == 6 and m["line"]["answered"] > 3)(meters()[nodes[1]]))
    line.devices[6].draw(3_000)
    used = line.devices[6].register()
    until("its register goes on", lambda: meters()[nodes[1]]["register_wh"] >= int(used) + 1)
    assert "another meter answers" not in json.dumps(cli("alarm", "list"))
    line.devices[5] = Meter(9999, 55_000.0)
    refused = json.dumps(cli("meter", "move", nodes[1], "--modbus", "hall/5", "--model", "sdm120", "--switch", "register:hall/9/7/11/22", wrong=True))
    assert "serial-differs" in refused and meters()[nodes[1]]["link"]["address"] == 6, refused
    print("   a meter moves to another address with its serial number; another meter there is refused")
    cli("verify")
    print("   the journal verifies")
finally:
    site.stop()
