"""Pins against the daemon, by a recorded trace that grows: the mains, the door, impulses, contactors, a button, lamps. Usage: pins.py GATEWAY

No GPIO is needed: the driver "trace" plays levels from a file and writes beside it what is driven."""

import glob
import json
import os
import re
import signal
import sys
import urllib.request

from running import OPEN, Site

PINS = """[prepay.reconnect]
mode = "press"
[gpio]
driver = "trace"
trace_file = "{trace}"
mains = "GPIO5"
door = "GPIO6"
led_heartbeat = "GPIO22"
led_vend = "GPIO25"
led_alarm = "GPIO24"
buzzer = "GPIO26"
[[gpio.pulse]]
name = "feeder"
line = "GPIO4"
impulses_per_kwh = 1000
[[gpio.pulse]]
name = "flat-1"
line = "GPIO17"
impulses_per_kwh = 100
[[gpio.contactor]]
name = "flat-1"
line = "GPIO20"
[[gpio.contactor]]
name = "flat-2"
line = "GPIO19"
off_line = "GPIO16"
impulse_ms = 20
feedback = "GPIO21"
[[gpio.button]]
usage_point = "UP-0001"
line = "GPIO27"
"""

site = Site(sys.argv[1], "pins", "", base=OPEN)
cli, until = site.cli, site.until
trace = site.write("pins.trace", "0 GPIO4 1\n0 GPIO17 1\n0 GPIO27 1\n0 GPIO21 1\n")
site.write("gateway.toml", open(site.config).read() + PINS.format(trace=trace))
clock = 1000


def level(*samples):
    """Levels one after another; each stands still for 60 ms of the trace's own time, which is past at once."""
    global clock
    with open(trace, "a") as file:
        for line, high in samples:
            clock += 60
            file.write(f"{clock} {line} {high}\n")


def impulses(line, count):
    """The played time is that of the edges; the daemon follows as fast as it can."""
    for _ in range(count):
        level((line, 0), (line, 1))


def driven(line):
    """Levels a line was given, oldest first."""
    return [int(words[2]) for words in map(str.split, open(trace + ".out")) if words[1] == line]


def pin(what):
    return next(one["words"] for one in cli("gpio", "show") if one["what"] == what)


def alarm(words):
    return words in json.dumps(cli("alarm", "list"))


def register(meters):
    return next(one["register_wh"] for one in cli("meter", "list")["meters"] if one["meters"] == meters)


armed = f"{site.folder}/armed"
os.environ["RUNTIME_DIRECTORY"] = site.folder
open(armed, "w").close()
site.start()
until("supply enforcement is armed", lambda: any("enforcement is armed" in line for line in site.said) and os.path.exists(armed))
until("the mains is there", lambda: pin("mains") == "there")
assert pin("cabinet door") == "closed", pin("cabinet door")
assert driven("GPIO20") == [], "a contactor nobody needs is not touched"

# Impulses become registers, of a feeder and of a usage point; the first one by what its display showed.
cli("meter", "add", "--feeder", "F-01", "--pulse", "feeder", "--initial-kwh", "12.5")
cli("usage-point", "add", "Flat 1", "--tariff", "example-minigrid-2026")
cli("meter", "add", "--usage-point", "UP-0001", "--pulse", "flat-1", "--switch", "gpio:flat-1")
impulses("GPIO4", 7)
until("seven watt-hours", lambda: "7 since the start, N-00000001 at 12507 Wh" in pin("impulses feeder"))
until("they are stored", lambda: register("F-01") == 12507)

# Without credit the contactor was opened in the very step in which it became an output.
until("it is open", lambda: driven("GPIO20") == [0])
cli("vend", "UP-0001", "50", "--key", "a")
until("the lamp of a recharge", lambda: 1 in driven("GPIO25") and 1 in driven("GPIO26"))
assert driven("GPIO20") == [0], "a supply is not closed before somebody presses"
level(("GPIO27", 0), ("GPIO27", 1))
until("the button closed it", lambda: driven("GPIO20") == [0, 1])
until("and that is reported", lambda: '"closed"' in json.dumps(cli("usage-point", "show", "1")))
print("   S0: 7 impulses are 7 Wh after 12.5 kWh; contactor open without credit, closed by the button after a recharge")

# The door.
level(("GPIO6", 1), ("GPIO6", 1))
clock += 300
until("the door is open", lambda: alarm("the cabinet is open"))
until("the lamp of an alarm", lambda: driven("GPIO24")[-1:] == [1])
level(("GPIO6", 0))
until("the door is closed", lambda: pin("cabinet door") == "closed")
assert alarm("the cabinet is open"), "it stays until a person has seen it"
number = next(a["number"] for a in cli("alarm", "list")["alarms"] if "cabinet" in json.dumps(a))
cli("alarm", "ack", str(number))
assert not alarm("the cabinet is open")

# The mains goes: everything is on disk within 100 ms of the edge, the impulses of this very moment too.
times = []
for _ in range(5):
    impulses("GPIO4", 3)
    until("they are counted", lambda: re.match(rf"{7 + 3 * (len(times) + 1)} since", pin("impulses feeder")))
    level(("GPIO5", 1))
    gone = until("the mains is gone", lambda: re.search(r"on disk (\d+) ms after the edge", pin("mains")))
    times.append(int(gone[1]))
    assert register("F-01") == 12507 + 3 * len(times)
    assert alarm("no mains")
    level(("GPIO5", 0))
    until("the mains is back", lambda: pin("mains") == "there" and not alarm("no mains"))
assert max(times) <= 100, times
print(f"   mains lost: on disk {sorted(times)} ms after the edge, 20 of them debouncing")

page = urllib.request.urlopen(f"http://{site.page}/", timeout=10).read().decode()
assert "contactor flat-1 (GPIO20)" in page and "impulses feeder" in page
pins = json.load(urllib.request.urlopen(f"http://{site.page}/api/v1/pins", timeout=10))["pins"]
assert [one["line"] for one in pins][:3] == ["GPIO5", "GPIO6", "GPIO4"], pins

# A power cut: the register goes on, and the contactor's first level is the committed one.
level(("GPIO5", 1))
until("the mains is gone", lambda: alarm("no mains"))
site.kill()
open(trace + ".out", "w").close()
site.write("pins.trace", "0 GPIO4 1\n0 GPIO17 1\n0 GPIO27 1\n0 GPIO21 1\n")
clock = 1000
site.start()
assert driven("GPIO20") == [1], driven("GPIO20")
until("the mains is back", lambda: not alarm("no mains"))
impulses("GPIO4", 2)
until("the count goes on", lambda: "2 since the start, N-00000001 at 12524 Wh" in pin("impulses feeder"))

# A latching contactor with an auxiliary contact: an impulse, then what the contact says.
cli("usage-point", "add", "Flat 2", "--tariff", "example-minigrid-2026")
cli("meter", "replace", "2", "--pulse", "flat-1", "--switch", "gpio:flat-2", "--untested")
until("an impulse to the line that closes or opens", lambda: driven("GPIO19")[1:] == [1, 0] or driven("GPIO16")[1:] == [1, 0])
level(("GPIO21", 0))
until("its contact says closed", lambda: "its contact says closed" in pin("contactor flat-2"))
site.stop()
assert not os.path.exists(armed), "stopped, and yet it says armed"
after = driven("GPIO20")
assert after[-1] == 1, "an output is left as it is"
assert driven("GPIO22")[-1] == 0, "the heartbeat ends"
verified = site.run("verify", "--data", site.data)
print("   kill -9: the count goes on, the contactor starts as committed; stopped: outputs stay. " + verified.strip().splitlines()[0])

# A bus that is down: not armed, and the log says why.
dead = '[[field.modbus]]\nname = "hall"\nport = "/dev/ttyNONE"\n'
site.write("gateway.toml", open(site.config).read() + dead)
site.start()
until("it is not armed and says why", lambda: any("not armed: the bus hall is down" in line for line in site.said))
assert not os.path.exists(armed)
site.stop()

# What cannot be is refused before anything starts.
board = "gpiochip0" if glob.glob("/dev/gpiochip0") else None
site.write("none.toml", '[gpio]\ndriver = "gpiocdev"\ndoor = "gpiochip9/3"\n')
said = site.run("check", "--config", f"{site.folder}/none.toml", ends=1)
assert "line 3: gpio.door: GPIO gpiochip9/3: there is no /dev/gpiochip9" in said, said
said = site.run("run", "--config", f"{site.folder}/none.toml", ends=1)
assert "use the pins" in said, said
print(f"   by trace; this kernel has {board or 'no gpiochip'}: a line it does not have is refused by check and run")
