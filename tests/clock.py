"""The clock of a gateway that no time server reaches. Usage: clock.py GATEWAY [PICTURES]

faketime puts the machine's clock forty days back, and a few lines of C say that nothing keeps it. It is set on the command line and from a
telephone (a real browser), outlives the daemon and not the machine, and gives way to a time service and a battery-backed clock."""

import glob
import json
import os
import subprocess
import sys
import tempfile
import time

from browser import Browser
from running import OPEN, Site, Visitor

DAY = 86_400
pictures = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="pictures-")
os.makedirs(pictures, exist_ok=True)

site = Site(sys.argv[1], "clock", base=OPEN.replace('"always"', '"kernel"\nalarm_after_min = 0\nbattery = "BATTERY"'))
battery = f"{site.folder}/battery"
os.mkdir(battery)
site.write("gateway.toml", open(site.config).read().replace("BATTERY", battery))
kept, source, library = f"{site.folder}/kept", site.write("kept.c", """
#include <string.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <unistd.h>
int adjtimex(struct timex *state) {
    memset(state, 0, sizeof *state);
    return access(getenv("KEPT"), F_OK) == 0 ? TIME_OK : TIME_ERROR;
}
"""), f"{site.folder}/kept.so"
subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
faketime = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") or sys.exit("   libfaketimeMT.so.1 is missing: apt-get install faketime"))[0]


def start(life, days=-40):
    """A daemon in a life of the machine, whose clock is that many days from the time."""
    faked = {"FAKETIME": f"{days:+d}d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    own = {"LD_PRELOAD": f"{library}:{faketime}", "KEPT": kept, "PREPAID_GATEWAY_BOOT": life}
    site.start(env={**os.environ, **faked, **own})


def clock():
    return site.cli("clock", "show")


def is_open():
    return any(alarm["kind"] == "clock-untrusted" for alarm in site.cli("alarm", "list")["alarms"])


def told(is_trusted, source, off_s=5):
    shown = clock()
    assert (shown["is_trusted"], shown["source"]) == (is_trusted, source), shown
    if is_trusted:
        assert abs(shown["at"] - time.time()) <= off_s, (shown, time.time())
    return shown


start("first")
browser = None
try:
    told(False, "none")
    point = site.cli("usage-point", "add", "Plot 1", "--tariff", "msedcl-lt1b-2026-27")["usage_point"]
    site.cli("vend", point, "500", "--key", "before")
    site.until("an alarm", is_open)
    before = int(time.time()) - 2 * DAY
    stamp = lambda at: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    site.cli("clock", "set", stamp(before))
    shown = clock()
    assert shown["source"] == "hand" and abs(shown["at"] - before) <= 3 and shown["within_s"] <= 6, shown
    assert abs(time.time() - shown["machine"] - 40 * DAY) < 5, shown
    site.cli("vend", point, "1", "--key", "after")
    for time_of, words in [(before - 2 * DAY, "clock-before-known"), (before + 4 * DAY, "clock-far-ahead"), (before + 3_000 * DAY, "clock-too-far-ahead")]:
        said = site.cli("clock", "set", stamp(time_of), refused=True)
        assert words in said, said
    site.kill()
    start("first")
    shown = clock()
    assert shown["source"] == "hand" and shown["at"] - before < 60, shown
    site.kill()
    start("second")
    shown = told(False, "none")
    assert 0 <= shown["floor"] - before < 60, shown
    print("   nothing knows the time: an alarm; set on the command line it outlives a killed daemon, not the machine; what cannot be is refused")

    visitor = Visitor(site.page)
    assert "/clock" in visitor.get("/"), "the first page leads to it"
    browser = Browser()
    browser.size(390, 844)
    browser.go(f"http://{site.page}/clock")
    browser.until("document.querySelector('[data-difference]').textContent.includes('days')")
    difference = browser.ask("document.querySelector('[data-difference]').textContent")
    assert difference in ("1 days 23 h behind", "2 days 0 h behind"), difference
    browser.picture(f"{pictures}/clock.png", whole=True)
    browser.press("[data-clock] button", then="document.querySelector('[name=agreed]') !== null")
    words = browser.ask("document.querySelector('main').innerText")
    assert "days that become due\n2" in words.lower() and "supplies that go off" in words.lower(), words
    browser.picture(f"{pictures}/clock-confirm.png", whole=True)
    to, came = (browser.ask(f"document.querySelector('[name={name}]').value") for name in ("to", "came_ms"))
    assert "Nothing was set" in visitor.post("/clock/set", to=to, came_ms=came), "without consent"
    assert "older than ten minutes" in visitor.post("/clock/set", to=to, came_ms=int(came) - 601_000, agreed="yes")
    told(False, "none")
    quote = site.cli("clock", "set", stamp(time.time()), "--quote")
    assert (quote["days"], quote["usage_points"]) == (2, 1) and quote["charged"] > 0, quote
    credit = lambda: site.cli("usage-point", "show", point)["available_micro"]
    had = credit()
    time.sleep(2)
    browser.ask("document.querySelector('[name=agreed]').checked = true; true")
    browser.press("form[action='/clock/set'] button", then="location.pathname === '/clock'")
    told(True, "hand", off_s=3)
    site.until("the alarm ends", lambda: not is_open())
    site.until("what was quoted is collected", lambda: had - credit() == quote["charged"])
    journal = json.loads(visitor.get("/api/v1/journal?limit=50"))["records"]
    records = [record for record in journal if record["decision"] == "clock-set"]
    assert [record["by"] for record in records][-1] == "operator via page" and abs(records[-1]["to"] - time.time()) < 30, records
    assert "Clock set from" in visitor.get("/journal")
    wide = browser.ask("document.documentElement.scrollWidth") > 390
    assert not wide and not browser.errors, browser.errors
    print(f"   from a telephone: {difference}, two days and {quote['charged'] / 1e6:.2f} quoted, agreed, collected; the alarm ended; written down")

    site.stop()
    open(kept, "w").close()
    start("third", days=0)
    told(True, "service")
    said = site.cli("clock", "set", stamp(time.time()), refused=True)
    assert "clock-is-kept" in said, said
    os.remove(kept)
    held = told(True, "held")
    assert held["within_s"] <= 2, held
    site.stop()
    memory = json.load(open(f"{site.data}/clock.json"))
    now = int(time.time())
    memory["battery"] = {"at": now - 60, "ahead_s": 3_600, "first": [now - 2_000, 3_600]}
    with open(f"{site.data}/clock.json", "w") as file:
        json.dump(memory, file)
    with open(f"{battery}/since_epoch", "w") as file:
        file.write(f"{now + 3_600}\n")
    start("fourth")
    told(True, "battery")
    site.stop()
    with open(f"{battery}/since_epoch", "w") as file:
        file.write("120\n")
    start("fifth")
    told(False, "none")
    print("   a time service stands above it and is held when it is gone; a battery-backed clock is believed as it was compared, an empty one is not")
finally:
    if browser:
        browser.close()
    site.kill()
