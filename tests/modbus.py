"""Modbus meters and relay boards against the daemon: pymodbus servers (TCP, RTU over TCP, RTU over socat's ptys) and mbpoll.
Usage: modbus.py GATEWAY GATEWAY-SIM

A meter and a relay board on TCP go from a test to a cut, within 5 Wh. On a serial line with a bad cable between, bytes are lost and doubled,
answers come too late, from others or not at all, a second master talks, the adapter is pulled out: no wrong register is ever charged,
each fault is counted by its name, and reading goes on afterwards."""

import asyncio
import atexit
import json
import logging
import os
import select
import struct
import subprocess
import sys
import termios
import threading
import time
import tty
import urllib.request

from pymodbus.datastore import ModbusServerContext
from pymodbus.interfaces import IModbusSlaveContext
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer

from running import Site, free_port

gateway = os.path.abspath(sys.argv[1])
sim = os.path.abspath(sys.argv[2])
site = Site(gateway, "modbus")
folder, cli, until = site.folder, site.cli, site.until
processes = []
atexit.register(lambda: [process.kill() for process in processes])
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class Meter(IModbusSlaveContext):
    """An SDM120: floats at 0 (V), 6 (A), 12 (W), 70 (Hz), 72 (kWh); serial number at 0xFC00."""

    def __init__(self, serial, kwh):
        self.serial, self.wh, self.watts, self.at = serial, kwh * 1000, 0.0, time.monotonic()

    def register(self):
        now = time.monotonic()
        self.wh += self.watts * (now - self.at) / 3600
        self.at = now
        return self.wh

    def draw(self, watts):
        self.register()
        self.watts = watts

    def validate(self, fx, address, count=1):
        return (fx == 4 and address + count <= 80) or (fx == 3 and address == 0xFC00 and count == 2)

    def getValues(self, fx, address, count=1):
        if fx == 3:
            return [self.serial >> 16, self.serial & 0xFFFF]
        cells = {0: 230.0, 6: self.watts / 230, 12: self.watts, 70: 50.0, 72: int(self.register()) / 1000}
        words = [0] * 80
        for at, value in cells.items():
            words[at:at + 2] = struct.unpack(">HH", struct.pack(">f", value))
        return words[address:address + count]

    def setValues(self, fx, address, values):
        pass

    def reset(self):
        pass


class WithoutVoltage(Meter):
    """An SDM72D of the first version: power at 52, energy at 72, and nothing below."""

    def validate(self, fx, address, count=1):
        return fx == 4 and 52 <= address and address + count <= 80

    def getValues(self, fx, address, count=1):
        words = [0] * 80
        for at, value in {52: self.watts, 72: int(self.register()) / 1000}.items():
            words[at:at + 2] = struct.unpack(">HH", struct.pack(">f", value))
        return words[address:address + count]


class Board(IModbusSlaveContext):
    """Eight coils, and what hangs on them."""

    def __init__(self):
        self.coils, self.hook = [False] * 8, lambda coil, on: None

    def validate(self, fx, address, count=1):
        return fx in (1, 5) and address + count <= 8

    def getValues(self, fx, address, count=1):
        return self.coils[address:address + count]

    def setValues(self, fx, address, values):
        for at, value in enumerate(values):
            self.coils[address + at] = bool(value)
            self.hook(address + at, bool(value))

    def reset(self):
        pass


loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


def serve(make):
    async def start():
        server = make()
        if isinstance(server, ModbusSerialServer):
            await server.start()
        asyncio.ensure_future(server.serve_forever())
        return server
    return asyncio.run_coroutine_threadsafe(start(), loop).result(10)


def ptys(one, other):
    """Two ends of a cable."""
    words = ["socat", f"pty,raw,echo=0,link={one}", f"pty,raw,echo=0,link={other}"]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    processes.append(process)
    until("socat's ptys", lambda: os.path.exists(one) and os.path.exists(other))
    return process


def crc(frame):
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


class Cable:
    """Carries bytes between the gateway's port and the meters' port, and spoils the answers."""

    def __init__(self, gateway_side, meter_side):
        self.fault, self.spoilt = None, 0
        self.gateway_side, self.meters = gateway_side, self.open(meter_side)
        self.here = self.open(gateway_side)
        for work in (self.ask, self.answer):
            threading.Thread(target=work, daemon=True).start()

    @staticmethod
    def open(path):
        end = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(end, termios.TCSANOW)
        return end

    def ask(self):
        while True:
            try:
                request = os.read(self.here, 512)
            except OSError:
                request = b""
            if not request:
                time.sleep(0.05)
                try:
                    self.here = self.open(self.gateway_side)
                except OSError:
                    pass
                continue
            if self.fault == "cut":
                self.spoilt += 1
                continue
            if self.fault == "second master":
                other = bytes([request[0], 4, 0, 40, 0, 2])
                self.say(other + crc(other))
                self.spoilt += 1
                time.sleep(0.003)
            os.write(self.meters, request)

    def answer(self):
        """Whole answers: the meter's end is read until it is silent for 5 ms."""
        while True:
            try:
                frame = os.read(self.meters, 512)
            except OSError:
                return
            while True:
                ready, _, _ = select.select([self.meters], [], [], 0.005)
                if not ready:
                    break
                frame += os.read(self.meters, 512)
            self.spoil(frame)

    def spoil(self, frame):
        fault = self.fault
        if fault not in (None, "second master"):
            self.spoilt += 1
        middle = len(frame) // 2
        if fault == "byte lost":
            frame = frame[:middle] + frame[middle + 1:]
        elif fault == "byte doubled":
            frame = frame[:middle] + frame[middle - 1:]
        elif fault == "bit turned":
            frame = frame[:middle] + bytes([frame[middle] ^ 8]) + frame[middle + 1:]
        elif fault == "broken off":
            frame = frame[:middle]
        elif fault == "too late":
            threading.Timer(0.7, self.say, [frame]).start()
            return
        elif fault == "wrong slave":
            frame = bytes([frame[0] + 60]) + frame[1:-2]
            frame += crc(frame)
        elif fault == "busy":
            frame = bytes([frame[0], frame[1] | 0x80, 6])
            frame += crc(frame)
        elif fault == "forged" and len(frame) > 40:
            # The checksum of the line is right, the seal is not.
            frame = frame[:40] + bytes([frame[40] ^ 1]) + frame[41:-2]
            frame += crc(frame)
        elif fault == "cut":
            return
        self.say(frame)

    def say(self, frame):
        try:
            os.write(self.here, frame)
        except OSError:
            pass


tcp, rtu_tcp = free_port(), free_port()
flat, silent_flat, board = Meter(7001, 1234.5), Meter(7002, 10), Board()
one, two, over_tcp = Meter(8001, 500), Meter(8002, 600), Meter(9001, 700)
serve(lambda: ModbusTcpServer(
    ModbusServerContext({1: flat, 40: board}, single=False), ModbusSocketFramer, address=("127.0.0.1", tcp), ignore_missing_slaves=True))
serve(lambda: ModbusTcpServer(
    ModbusServerContext({5: over_tcp}, single=False), ModbusRtuFramer, address=("127.0.0.1", rtu_tcp), ignore_missing_slaves=True))
ports = [f"{folder}/{name}" for name in ("adapter", "near", "far", "meters")]
adapter = ptys(ports[0], ports[1])
ptys(ports[2], ports[3])
serve(lambda: ModbusSerialServer(
    ModbusServerContext({1: one, 2: two}, single=False), ModbusRtuFramer, port=ports[3], baudrate=19200, ignore_missing_slaves=True))
cable = Cable(ports[1], ports[2])
sealed = [f"{folder}/{name}" for name in ("sealed", "splice", "splice-far", "node")]
ptys(sealed[0], sealed[1])
ptys(sealed[2], sealed[3])
spliced = Cable(sealed[1], sealed[2])

site.write("gateway.toml", open(site.config).read().replace("gather_ms = 5000", "gather_ms = 100") + f"""
[[field.modbus]]
name = "net"
tcp = "127.0.0.1:{tcp}"
[[field.modbus]]
name = "server"
tcp = "127.0.0.1:{rtu_tcp}"
framing = "rtu"
poll_ms = 1000
[[field.modbus]]
name = "cable"
port = "{ports[0]}"
baud = 19200
poll_ms = 300
longest_answer_ms = 400
[[field.modbus]]
name = "sealed"
port = "{sealed[0]}"
baud = 19200
""")


def meters():
    return {meter["node"]: meter for meter in cli("meter", "list")["meters"]}


def register(node):
    return meters()[node]["register_wh"] or 0


def line(node):
    return meters()[node].get("line") or {"answered": 0, "failed": {}, "implausible": 0}


def alarms():
    return json.dumps(cli("alarm", "list"))


def metrics():
    return urllib.request.urlopen(f"http://{page}/metrics", timeout=10).read().decode()


def mbpoll(*words):
    done = subprocess.run(["mbpoll", "-m", "tcp", "-0", "-1", "-p", str(tcp), *words], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def line_tool(*words, wrong=False):
    done = subprocess.run([gateway, "--json", *words], capture_output=True, text=True, timeout=120)
    assert (done.returncode != 0) == wrong, (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


# --- A line that nobody knows: found, read, checked.
strange = [f"{folder}/strange", f"{folder}/strangers"]
ptys(*strange)
sdm120, sdm72d = Meter(3003, 4321.0), WithoutVoltage(0, 99.0)
sdm120.draw(10_000)
sdm72d.draw(1_500)
serve(lambda: ModbusSerialServer(
    ModbusServerContext({3: sdm120, 5: sdm72d, 9: Board()}, single=False), ModbusRtuFramer, port=strange[1], baudrate=9600,
    ignore_missing_slaves=True))
found = line_tool("scan", "--port", strange[0], "--from", "2", "--to", "10", "--timeout-ms", "80")["found"]
by_address = {one["address"]: one for one in found}
assert sorted(by_address) == [3, 5, 9], found
assert by_address[3]["models"][0] == "sdm120" and by_address[3]["serial"] == "3003", by_address[3]
assert "sdm72d" in by_address[5]["models"] and "relay-board" in by_address[9]["models"], by_address
print("   scan: a meter, one without a voltage register, a relay board, by model and serial number")
at_3 = ["--port", strange[0], "--baud", "9600", "--address", "3", "--model", "sdm120"]
values = {one["quantity"]: one for one in line_tool("read", *at_3)["values"]}
expected = {"quantity": "voltage", "value": 230.0, "unit": "V", "raw": "4366 0000"}
assert expected.items() <= values["voltage"].items(), values["voltage"]
probed = line_tool("probe", *at_3, "--seconds", "6", "--load-w", "10000")
assert "they agree" in json.dumps(probed), probed
probed = line_tool("probe", *at_3, "--seconds", "6", "--word-order", "cdab", wrong=True)
assert "use --word-order abcd" in json.dumps(probed), probed
at_8 = [word if word != "3" else "8" for word in at_3]
assert "no reply from 8" in json.dumps(line_tool("probe", *at_8, "--seconds", "2", "--timeout-ms", "80", wrong=True))
print("   read: values with their registers; probe: energy against power, the other word order, nobody there")

site.start()
page = site.page
try:
    # --- TCP: test, add, cut, recharge.
    tariff = "mepdcl-domestic"
    for name in ("Flat 1", "Flat 2", "Flat 3", "Flat 4"):
        cli("usage-point", "add", name, "--tariff", tariff, "--max-power-w", "3500")
    assert "no bus is called hall" in cli("meter", "test", "--modbus", "hall/1", "--model", "sdm120", refused=True)
    assert "no meter model is called sdm12" in cli("meter", "test", "--modbus", "net/1", "--model", "sdm12", refused=True)
    assert "no answer" in cli("meter", "test", "--modbus", "net/9", "--model", "sdm120", refused=True)
    shown = cli("meter", "test", "--modbus", "net/1", "--model", "sdm120")["values"]
    assert ["register", "1234.500 kWh"] in shown and ["serial", "7001"] in shown, shown
    read = mbpoll("-a", "1", "-t", "3:float", "-B", "-r", "72", "127.0.0.1")
    assert "1234.5" in read, read
    board.hook = lambda coil, on: flat.draw(3000 if on and coil == 3 else 0)
    cli("meter", "add", "--usage-point", "1", "--modbus", "net/1", "--model", "sdm120", "--switch", "coil:net/40/3")
    flat_node = until("a reading over TCP", lambda: next((n for n, m in meters().items() if m["register_wh"]), None))
    assert meters()[flat_node]["link"]["serial"] == "7001", meters()
    print("   Modbus TCP: tested before it was saved, the same value as mbpoll reads; the serial number is kept")

    assert board.coils[3] is False
    owed = -cli("usage-point", "show", "1")["available_micro"]
    paid = -(-owed // 10_000) * 10_000 + 100_000
    cli("vend", "1", f"{paid / 1e6:.2f}", "--key", "a")
    until("credit: the coil is set", lambda: board.coils[3])
    until("credit used up: the coil is cleared", lambda: not board.coils[3], 90)
    used = flat.register()
    after = until("the last reading", lambda: (lambda p: p if register(flat_node) >= int(used) - 1 else None)(cli("usage-point", "show", "1")))
    beyond = used - 1234500 - (paid - owed) / ((paid - owed - after["available_micro"]) / (register(flat_node) - 1234500))
    assert 0 <= beyond < 5, (beyond, after)
    print(f"   cut {beyond:.1f} Wh beyond the credit at 3 kW")

    cli("vend", "1", "100", "--key", "b")
    until("recharged: the coil is set", lambda: board.coils[3])
    mbpoll("-a", "40", "-t", "0", "-r", "3", "127.0.0.1", "0")
    assert board.coils[3] is False
    until("a coil cleared by mbpoll is set again", lambda: board.coils[3])
    cli("supply", "off", "1")
    until("ordered off", lambda: not board.coils[3])
    flat.draw(900)
    until("welded", lambda: "welded" in alarms())
    flat.draw(0)
    cli("supply", "auto", "1")
    until("automatic again", lambda: board.coils[3])
    print("   coils are level, not edge; a welded contact is an alarm")

    # --- RTU over TCP.
    over_tcp.draw(1000)
    cli("meter", "add", "--usage-point", "4", "--modbus", "server/5", "--model", "sdm120")
    node = until("RTU over TCP", lambda: next((n for n, m in meters().items() if m["meters"] == "UP-0004"), None))
    until("its register", lambda: register(node) >= 700_000)
    print("   RTU over TCP")

    # --- RTU on a serial line, with a bad cable.
    nodes = {}
    for up, address, meter in (("2", 1, one), ("3", 2, two)):
        meter.draw(2000)
        cli("vend", up, "1000", "--key", f"line-{up}")
        cli("meter", "add", "--usage-point", up, "--modbus", f"cable/{address}", "--model", "sdm120")
        nodes[meter] = next(n for n, m in meters().items() if m["meters"] == f"UP-000{up}")
    for meter, node in nodes.items():
        until("RTU", lambda: register(node) >= int(meter.register()) - 2)
    silent = cli("meter", "test", "--modbus", "cable/9", "--model", "sdm120", refused=True)
    assert "no answer" in silent, silent

    def right():
        """Every register shown is one the meter has shown."""
        for meter, node in nodes.items():
            shown = register(node)
            assert 0 <= meter.register() - shown < 120, (node, shown, meter.register(), cable.fault)

    for fault, kinds in (
        ("byte lost", ["checksum", "short"]),
        ("byte doubled", ["checksum"]),
        ("bit turned", ["checksum"]),
        ("broken off", ["short"]),
        ("too late", ["no-reply"]),
        ("wrong slave", ["wrong-meter"]),
        ("busy", ["exception"]),
        ("second master", ["second-master"]),
        ("cut", ["no-reply"]),
    ):
        node = nodes[one]
        count = lambda: sum(line(node)["failed"].get(kind, 0) for kind in kinds)
        was, spoilt = count(), cable.spoilt
        cable.fault = fault
        until(f"{fault} is counted as {kinds}", lambda: count() > was)
        right()
        cable.fault = None
        assert cable.spoilt > spoilt
        answered = line(node)["answered"]
        until(f"it goes on after: {fault}", lambda: line(node)["answered"] > answered + 3, 40)
        right()
        print(f"   {fault}: counted, nothing charged that was not used, reading goes on")
    assert "jumped" not in alarms() and "backwards" not in alarms(), alarms()
    assert 'prepaid_gateway_modbus_requests_total{bus="cable"' in metrics()

    # --- The adapter is pulled out and put back.
    adapter.terminate()
    adapter.wait(10)
    until("the line is down", lambda: 'modbus_up{bus="cable"} 0' in metrics())
    assert 'modbus_up{bus="net"} 1' in metrics()
    adapter = ptys(ports[0], ports[1])
    until("the line is back", lambda: 'modbus_up{bus="cable"} 1' in metrics(), 40)
    for meter, node in nodes.items():
        until("read again", lambda: register(node) >= int(meter.register()) - 3, 40)
    print("   an adapter pulled out and put back: read again by itself")

    # --- Another meter answers at the address.
    one.serial = 8888
    cable.fault = "cut"
    misses = lambda: line(nodes[one])["failed"].get("no-reply", 0)
    was = misses()
    until("it is silent while somebody changes it", lambda: misses() > was)
    cable.fault = None
    until("another meter answers", lambda: "another meter answers" in alarms(), 40)
    print("   another meter at the address is noticed and not charged")

    # --- Our own node on a line of its own, with a cable that is spliced.
    cli("usage-point", "add", "Flat 5", "--tariff", tariff, "--max-power-w", "3500")
    label = cli("node", "add", "--usage-point", "5")
    name = label["node"]
    cli("meter", "move", name, "--modbus", "sealed/7")
    processes.append(subprocess.Popen(
        [sim, "node-on-bus", "--port", sealed[3], "--address", "7", "--node", name.split("-")[1], "--key", label["key"], "--watts", "3000"],
        stdout=subprocess.PIPE, text=True))
    truth = {}
    threading.Thread(target=lambda: [truth.update(json.loads(line)) for line in processes[-1].stdout], daemon=True).start()
    until("a session over the bus", lambda: truth.get("session"), 40)
    assert ["node", name] in cli("meter", "test", "--modbus", "sealed/7")["values"]
    until("its first report", lambda: meters()[name]["heard_at"])
    assert truth["closed"] is False
    point = lambda: cli("usage-point", "show", "5")
    paid = -(-max(0, -point()["available_micro"]) // 10_000) * 10_000 + 50_000
    cli("vend", "5", f"{paid / 1e6:.2f}", "--key", "sealed")
    until("a lease over the bus closes it", lambda: truth["closed"])
    until("it cuts at its lease", lambda: not truth["closed"], 60)
    until("and reports it", lambda: point()["reported"] == "open" and register(name) == truth["register_wh"])
    assert abs(point()["available_micro"]) < 10_000, point()
    quality = meters()[name]["quality"]
    assert quality["good"] > 0 and quality["latency_ms"] is not None and quality["heard_ago_s"] is not None, quality
    shown = register(name)
    forged = lambda: meters()[name]["quality"]["errors"].get("not-authentic", 0)
    was, spliced.fault = forged(), "forged"
    until("forged frames are rejected, and counted at the node", lambda: forged() > was, 90)
    spliced.fault = None
    assert register(name) == shown and truth["closed"] is False
    cli("vend", "5", "10", "--key", "again")
    until("it goes on", lambda: truth["closed"], 90)
    print("   our node on a bus: a lease and a cut; forged registers are neither reading nor switch")
    cli("verify")
    print("   the journal verifies")
finally:
    site.stop()
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(10)
