"""Every sign of tampering at a node, in a running daemon. Usage: signs.py GATEWAY GATEWAY_SIM

Simulated nodes, one for each sign; the thresholds' times are the gateway's, so that a node that did not take them would be too late. Each sign becomes an
alarm with the values that were measured, and leaves the supply on but where the site says so. Honest neighbours, and one whose motor starts, are told of
nothing. Then registers go back and an EEPROM is lost."""

import json
import os
import subprocess
import sys
import zlib

from running import OPEN, Site, free_port

gateway, simulator = sys.argv[1], sys.argv[2]
port = free_port()
MORE = """[cycle]
gather_ms = 100
report_interval_s = 2
[tamper]
latch_on = ["magnet"]
difference_s = 3
open_s = 3
reversed_s = 3
frozen_s = 3
sensor_ms = 1000
supply_missing_min = 1
"""
# What is amiss at each, what the alarm has to say, and a part of its evidence.
SIGNS = {
    4: (["earth-return"], "phase-neutral-difference", "neutral 1.1"),
    5: ([], "load-voltage-while-open", "out 22"),
    6: (["welded"], "current-while-open", "phase 3."),
    7: (["reversed"], "reversed", "-800 W"),
    8: (["cover"], "cover-open", "V"),
    9: (["magnet"], "magnet", "V"),
    10: (["frozen"], "frozen-register", " 0 W"),
    11: (["lead-cut"], "current-without-voltage", "in 0.0 V"),
    12: (["no-supply"], "", ""),
}
BACK, LOST, LAST = 13, 14, 14
site = Site(gateway, "signs", MORE, OPEN.replace('listen = "127.0.0.1:0"\n', f'listen = "127.0.0.1:{port}"\n', 1))
path = lambda name: os.path.join(site.folder, name)
name = lambda number: f"UP-{number:04}"


def alarms(kind):
    """Details of the open alarms of a kind, by usage point."""
    found = [alarm for alarm in site.cli("alarm", "list")["alarms"] if alarm["kind"] == kind and not alarm["cleared"]]
    return {alarm["subject"]["usage-point"] if isinstance(alarm["subject"], dict) else alarm["subject"]: alarm["details"] for alarm in found}


def simulate(members):
    with open(path("members"), "w") as file:
        file.writelines(json.dumps(member) + "\n" for member in members)
    words = [simulator, "neighbourhood", "--broker", f"127.0.0.1:{port}", "--members", path("members"), "--eeprom", path("eeprom")]
    return subprocess.Popen(words, stdout=open(path("sim.log"), "a"))


def end(nodes):
    # As by Ctrl-C: it keeps the EEPROMs.
    nodes.send_signal(2)
    nodes.wait(20)


nodes = None
try:
    site.start()
    os.mkdir(path("eeprom"))
    site.cli("node", "add", "--feeder", "1", "--node", "99")
    members = []
    for number in range(1, LAST + 1):
        point = site.cli("usage-point", "add", f"Plot {number}", "--tariff", "msedcl-lt1b-2026-27", "--id", str(number))["usage_point"]
        node = site.cli("node", "add", "--usage-point", point, "--node", str(number))
        site.cli("usage-point", "place", point, "--feeder", "1", "--phase", "A")
        site.cli("vend", point, "5000", "--key", f"first-{number}")
        faults = SIGNS.get(number, ([],))[0]
        members.append({"node": node["node"], "key": node["key"], "seed": number, "load_w": 800, "faults": faults, "bridged": number == 5})
        slot = b"\1" + (50_000).to_bytes(6, "big") + bytes(5)
        with open(path(f"eeprom/N-{number:08}"), "wb") as eeprom:
            eeprom.write(slot + zlib.crc32(slot).to_bytes(4, "big") + b"\xff" * 1006)
    for number in (5, 6):
        site.cli("supply", "off", name(number))
    nodes = simulate(members)

    told = {number: words for number, (_, words, _) in SIGNS.items() if words}
    there = lambda: {number for number, words in told.items() if words in alarms("tamper").get(name(number), "")}
    site.until("every sign", lambda: there() == set(told), 60)
    said = alarms("tamper")
    for number, words in told.items():
        details = said[name(number)]
        print(f"   {name(number)}: {details}")
        assert SIGNS[number][2] in details and (". Look" in details or ". Compare" in details), (number, details)
    assert set(said) <= {name(number) for number in SIGNS}, said
    show = lambda number: site.cli("usage-point", "show", name(number))
    site.until("the magnet opens the supply", lambda: any("tampering" in reason for reason in show(9)["reasons"]))
    for number in (4, 7, 8, 10, 11):
        assert show(number)["reported"] == "closed" and not show(number)["reasons"], show(number)
    print("   each with what was measured; only the one the site latches on has opened its supply")

    assert name(12) not in alarms("supply-missing"), "within the minute"
    site.until("a supply that is missing", lambda: name(12) in alarms("supply-missing"), 150)
    print(f"   {name(12)}: {alarms('supply-missing')[name(12)]}")

    end(nodes)
    with open(path(f"eeprom/N-{BACK:08}"), "r+b") as eeprom:
        # The ring of registers, with one slot that stands lower; boot count and lease stay.
        slot = b"\1" + (40_000).to_bytes(6, "big") + bytes(5)
        eeprom.write(slot + zlib.crc32(slot).to_bytes(4, "big") + b"\xff" * 752)
    os.remove(path(f"eeprom/N-{LOST:08}"))
    nodes = simulate([{**member, "faults": [], "bridged": False} for member in members])
    back = lambda: {**alarms("register-restarted"), **alarms("register-went-backwards")}
    site.until("registers that went back", lambda: {name(BACK), name(LOST)} <= set(back()), 40)
    print(f"   {name(BACK)}: {back()[name(BACK)]}; {name(LOST)}: {back()[name(LOST)]}")
    site.until("the lost EEPROM", lambda: "eeprom-lost" in alarms("tamper").get(name(LOST), ""))
    # Gone from the meter, and open until a person has said that it was looked at.
    assert any("tampering" in reason for reason in show(9)["reasons"]), show(9)
    site.cli("switch", "clear-tamper", name(9), "--note", "seal renewed")
    site.until("the supply is back", lambda: show(9)["reported"] == "closed" and not show(9)["reasons"])
    print("   the latch outlives a power cut of the node and is cleared by a person only")
    assert site.cli("verify")["clean"], site.cli("verify")
finally:
    site.stop()
    if nodes:
        nodes.terminate()
        nodes.wait(10)
