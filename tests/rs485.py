"""Who holds an RS-485 line, and when: a bus on a pty whose transceiver hangs on a pin of the recorded trace. Usage: rs485.py GATEWAY

The pin is driven before the first byte of a request, let go after the last and before an answer can begin; the kernel's own switching
is asked for with the right words, and a port that has none is named."""

import os
import pty
import select
import struct
import subprocess
import sys
import threading
import time
import tty

from running import Site

PIN = "GPIO18"
# A character is ten bits.
CHARACTER_MS = 10 * 1000 / 9600
CELLS = {0: 230.0, 6: 2.0, 12: 460.0, 70: 50.0, 72: 12.5}

site = Site(sys.argv[1], "rs485")
cli, until = site.cli, site.until
master, slave = pty.openpty()
tty.setraw(master), tty.setraw(slave)
port = os.ttyname(slave)
trace = site.write("pins.trace", "")
bus = f'[[field.modbus]]\nname = "hall"\nport = "{port}"\ndirection = "gpio"\ndirection_gpio = "{PIN}"\ndirection_talk = "low"\npoll_ms = 300\n'
gpio = f'[gpio]\ndriver = "trace"\ntrace_file = "{trace}"\nled_alarm = "GPIO24"\n'
site.write("gateway.toml", open(site.config).read() + bus + gpio)


def levels():
    """(time in ms, level) the pin was given, oldest first."""
    words = [line.split() for line in open(trace + ".out") if line.endswith("\n")]
    return [(int(at), int(level)) for at, line, level in words if line == PIN]


def crc(frame):
    """Modbus over Serial Line V1.02, 6.2.2."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return struct.pack("<H", value)


def answer(request):
    """What an SDM120 says."""
    address, function, start, count = struct.unpack(">BBHH", request[:6])
    words = [0] * 80
    for at, value in CELLS.items():
        words[at:at + 2] = struct.unpack(">HH", struct.pack(">f", value))
    told = [0, 4711] if function == 3 else words[start:start + count]
    body = struct.pack(f">BBB{count}H", address, function, 2 * count, *told)
    return body + crc(body)


seen, wrong = [], []


def meter():
    """Answers as soon as the line is free, and writes down what the pin was at the first byte and while it waited."""
    while True:
        request = os.read(master, 1)
        before = levels()
        while len(request) < 8 and select.select([master], [], [], 0.5)[0]:
            request += os.read(master, 8 - len(request))
        if crc(request[:6]) != request[6:]:
            wrong.append(f"no request: {request.hex()}")
            continue
        talks = [at for at, level in before if level == 0]
        if len(talks) != len(seen) + 1:
            wrong.append(f"the first byte came before the pin was driven: {before}")
        end = time.monotonic() + 0.4
        while levels()[-1][1] == 0 and time.monotonic() < end:
            pass
        after = levels()
        if after[-1][1] != 1:
            wrong.append(f"the pin was not let go for an answer: {after}")
        seen.append(after[-1][0] - talks[-1])
        os.write(master, answer(request))


threading.Thread(target=meter, daemon=True).start()
site.start()
cli("usage-point", "add", "Flat 1", "--tariff", "example-minigrid-2026")
cli("meter", "add", "--usage-point", "UP-0001", "--modbus", "hall/7", "--model", "sdm120")
until("its register", lambda: next(one["register_wh"] for one in cli("meter", "list")["meters"] if one["meters"] == "UP-0001") == 12500)
until("ten requests", lambda: len(seen) >= 10, 90)
assert not wrong, wrong
held = sorted(seen)
# The trace has whole milliseconds.
assert held[0] + 1 >= 8 * CHARACTER_MS, held
shown = next(one for one in cli("gpio", "show") if one["line"] == PIN)
assert shown["what"] == "direction of bus hall", shown
site.stop()
assert levels()[-1][1] == 1, "it ends listening"
turns = [level for _, level in levels()]
assert turns[:2] == [1, 1] and all(one != other for one, other in zip(turns[1:], turns[2:])), turns
print(f"   a pin: {len(seen)} requests, held {held[0]} to {held[-1]} ms for 8 characters of {8 * CHARACTER_MS:.1f} ms, let go before each answer")

# The kernel's own switching, on a port that has none.
said = f"{site.folder}/strace"
words = ["strace", "-f", "-qq", "-e", "trace=ioctl", "-o", said, site.gateway]
asked = ["read", "--port", port, "--model", "sdm120", "--address", "7", "--timeout-ms", "200", "--direction"]
done = subprocess.run([*words, *asked, "kernel"], capture_output=True, text=True, timeout=60)
assert done.returncode and "cannot switch RS-485 by RTS" in done.stdout + done.stderr, done
calls = [line for line in open(said) if "RS485" in line or "0x542f" in line]
assert calls, "the kernel was not asked"
done = subprocess.run([*words, *asked, "rts"], capture_output=True, text=True, timeout=60)
calls += [line for line in open(said) if "TIOCM" in line]
assert done.returncode and port in done.stdout + done.stderr and any("TIOCM" in line for line in calls), (done, calls)
print("   the kernel's switching and RTS: asked for as they should be, and a port that has neither is named")
