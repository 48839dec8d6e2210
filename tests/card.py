"""How much a site's card is written and filled: at the block device, everything counted. Usage: card.py GATEWAY GATEWAY_SIM [METERS] [SECONDS]

First what it costs to store readings as they come, then what it costs to pack half a day of them by node, and what they take after that: half a day that an
earlier version wrote is found at a start and packed like any other. Beside it a peer that stores the same readings one by one.

The card is a file with ext4 on it, a loop device and a mount; what is written is what the kernel counts for that device: database, log of the database,
the file system's own journal, the daemon's log. Time is compressed five times, all of it: meters that report once a minute report every 12 s, and what waits 25 s (the
gateway for more readings) or 5 s (ext4 for its journal) waits a fifth of that. Without the right to mount (root) it says so and fails."""

import json
import math
import os
import random
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

from running import free_port

gateway, simulator = (os.path.abspath(path) for path in sys.argv[1:3])
meters, seconds = (list(map(int, sys.argv[3:5])) + [300, 60][len(sys.argv[3:5]):])[:2]
FASTER = 5
# As shipped.
GATHER_MS = 25_000
# Seconds between two reports of a meter here.
INTERVAL_S = 60 // FASTER
# A reading, all that is ever written for it; and what it takes in the end, so that a year of 300 meters is 2 GB.
MOST_BYTES = 250
MOST_AT_REST = 12.7
YEAR, TEN_YEARS_OF_HALF_HOURS = 300 * 365 * 1_440, 300 * 3_652 * 48
HALF_DAY_S = 43_200
CARD_BYTES = 1 << 30
TARIFF = "msedcl-lt1b-2026-27"
folder = tempfile.mkdtemp(prefix="card-")
started = []


def path(*names):
    return os.path.join(folder, *names)


def run(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Card:
    """A card of its own, mounted as Raspberry Pi OS does: ext4, noatime."""

    def __init__(self):
        if os.getuid() != 0:
            sys.exit("   a loop device needs root")
        with open(path("card.img"), "w") as file:
            file.truncate(CARD_BYTES)
        run("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0", path("card.img"))
        self.device = run("losetup", "--find", "--show", path("card.img"))
        self.at = path("card")
        os.mkdir(self.at)
        run("mount", "-o", "noatime,commit=1", self.device, self.at)

    def written(self):
        """Bytes since the device is there, what waits included."""
        run("sync", "--file-system", self.at)
        with open(f"/sys/block/{os.path.basename(self.device)}/stat") as file:
            return int(file.read().split()[6]) * 512

    def end(self):
        subprocess.run(["umount", self.at], check=False)
        subprocess.run(["losetup", "--detach", self.device], check=False)


class Gateway:
    def __init__(self, card):
        self.data, self.port, self.broker = os.path.join(card.at, "data"), free_port(), free_port()
        with open(path("gateway.toml"), "w") as file:
            file.write(f'[store]\ndata_dir = "{self.data}"\nkeep_free_mib = 0\n[field]\nlisten = "127.0.0.1:{self.broker}"\n'
                       f'[web]\nlisten = "127.0.0.1:{self.port}"\naccess = "open"\n[clock]\ntrust = "always"\n'
                       f"[cycle]\ngather_ms = {GATHER_MS // FASTER}\nreport_interval_s = {INTERVAL_S}\n")
        self.log = os.path.join(card.at, "log")
        self.start()

    def start(self):
        log = open(self.log, "a")
        words = [gateway, "run", "--config", path("gateway.toml")]
        self.process = subprocess.Popen(words, stdout=log, stderr=log)
        log.close()
        started.append(self.process)
        end = time.monotonic() + 30
        while True:
            try:
                self.ask({"request": "status"})
                return
            except OSError:
                assert time.monotonic() < end, "the gateway did not start"
                time.sleep(0.05)

    def ask(self, request):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(f"{self.data}/control.sock")
            line.sendall((json.dumps(request) + "\n").encode())
            said = json.loads(line.makefile().readline())
        assert said["response"] not in ("refused", "failed"), said
        return said

    def command(self, **command):
        return self.ask({"request": "command", "command": command})["answer"]

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)$", self.metrics(), re.M).group(1))

    def written(self, card):
        """Bytes so far, with what waits in the database's log brought to its place: that is written too, only later."""
        base = sqlite3.connect(os.path.join(self.data, "gateway.db"), timeout=10)
        base.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
        base.close()
        return card.written()

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
            return answer.read().decode()

    def readings(self):
        return self.metric("prepaid_gateway_readings_accepted_total")


def settle(at, number):
    """A household with credit for years; its node."""
    point = at.command(command="add-usage-point", id=None, label=f"Flat {number}", phases="single", tariff=TARIFF, max_power_w=None)["usage_point"]
    node = at.command(command="add-node", node=None, role={"usage-point": point})["node"]
    at.command(command="vend", key=f"first-{number}", usage_point=point, amount=9_000_000_000, by="test")
    key = at.ask({"request": "node-key", "node": node})["node"]["key"]
    return json.dumps({"node": f"N-{node:08}", "key": key, "kind": "premises", "seed": number})


def start_meters(at, name, members):
    with open(path(name), "w") as file:
        file.write("\n".join(members) + "\n")
    words = [simulator, "neighbourhood", "--broker", f"127.0.0.1:{at.broker}", "--members", path(name), "--interval", str(INTERVAL_S)]
    started.append(subprocess.Popen(words, stdout=subprocess.DEVNULL))


def wait_for(what, ready, patience=120):
    end = time.monotonic() + patience
    while not ready():
        assert time.monotonic() < end, f"waited {patience} s in vain for {what}"
        time.sleep(0.1)


def stop_meters():
    for process in started[1:]:
        process.terminate()
        process.wait(10)


def forecast(card, at):
    """What the kernel counts is in the metrics; a card near the end of its rating is on the page and in the status."""
    told = lambda: at.metric("prepaid_gateway_card_written_bytes_total")
    assert 0 < told() <= card.written(), (told(), card.written())
    assert 'id="card"' in at.page() and "not known yet" in at.page(), "the card is not on the page"
    at.stop()
    with open(os.path.join(at.data, "card.json")) as file:
        wear = json.load(file)
    # More than the 5 TB a plain card is taken to stand.
    wear["total"] = {"bytes": 5_000_000_000_000, "seconds": 30 * 86_400}
    with open(os.path.join(at.data, "card.json"), "w") as file:
        json.dump(wear, file)
    at.start()
    wait_for("the forecast", lambda: "prepaid_gateway_card_left_years" in at.metrics())
    assert at.metric("prepaid_gateway_card_left_years") == 0.0, at.metrics()
    assert "replace it" in json.dumps(at.ask({"request": "status"})), "the status is silent"
    assert "replace it" in at.page() and "used up" in at.page()
    print("   the card's wear is counted at the device, kept over a restart, and told before it is used up")


def measure(card, at, seconds):
    """Readings, and bytes written for each at the device."""
    look = lambda: (at.written(card), at.readings(), at.metric("prepaid_gateway_commits_total"), at.metric("prepaid_gateway_records_total"))
    before = look()
    time.sleep(seconds)
    written, readings, commits, decisions = (late - early for late, early in zip(look(), before))
    print(f"   {readings:.0f} readings of {meters} meters, {readings / commits:.0f} a commit, {decisions:.0f} decisions: {written / readings:.0f} bytes a reading at the block device", flush=True)
    assert readings > meters * (seconds // INTERVAL_S - 2), "readings are missing"
    return written / readings


def household(node, begin):
    """Half a day of a meter, once a minute, as rows of an earlier version."""
    dice = random.Random(node)
    register, watts, base = dice.randrange(10**7), 60.0, dice.randrange(40, 150)
    for minute in range(HALF_DAY_S // 60):
        if dice.random() < 0.03:
            watts = base + dice.choice((0, 0, 80, 400, 900, 2_000)) * dice.random()
        power = max(0, round(watts + dice.gauss(0, 4)))
        register += (power + dice.randrange(60)) // 60
        volts = 2_300 + round(30 * math.sin(minute / 120 + node)) + dice.randrange(-6, 7)
        current = power * 10_000 // volts + dice.randrange(20)
        at = begin + 60 * minute + node % 60 + dice.randrange(2)
        yield (
            (at << 20) + node, node, register, 0, power, volts, volts - dice.randrange(3), current, current + dice.randrange(-3, 4),
            5_000 + dice.randrange(-4, 5), 1, 7_000 + node, register // 50_000 * 50_000 + 60_000, 86_400 + 60 * minute, 3, 0, (3 << 32) + minute, None, None,
        )  # fmt: skip


def size(at, *names):
    """Bytes of the pages of some tables and indexes."""
    base = sqlite3.connect(os.path.join(at.data, "gateway.db"), timeout=10)
    found = base.execute(f"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN ({','.join('?' * len(names))})", names).fetchone()[0]
    base.close()
    return found


def packed(card, at):
    """Readings of an earlier version are packed: what is written for that, and what is left, a reading."""
    at.stop()
    begin = (int(time.time()) // HALF_DAY_S - 3) * HALF_DAY_S
    base = sqlite3.connect(os.path.join(at.data, "gateway.db"))
    rows = sorted(row for node in range(1, meters + 1) for row in household(node, begin))
    base.executemany(f"INSERT INTO reading VALUES ({','.join('?' * 19)})", rows)
    # A month of half hours.
    hours = ((begin - 1_800 * half, node, node * 10**5 + 150 * half, 1, ((begin - 1_800 * half) << 20) + node) for half in range(1_440, 0, -1) for node in range(1, meters + 1))
    base.executemany("INSERT INTO profile VALUES (?, ?, ?, ?, ?)", hours)
    # As if the newest readings had been copied since: only what is older is packed.
    base.execute("UPDATE meta SET value = ? WHERE key = 'readings_copied_at'", (begin + HALF_DAY_S + 120,))
    base.commit()
    base.close()
    at.start()
    before = at.written(card)
    def count(table):
        base = sqlite3.connect(f"file:{at.data}/gateway.db?mode=ro", uri=True)
        found = base.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        base.close()
        return found

    # What was packed is removed portion by portion: one is enough to see it.
    wait_for("the readings of an earlier version to be packed", lambda: count("reading") < len(rows) and count("reading_run") > 0, 240)
    each = (at.written(card) - before) / len(rows)
    assert count("reading_block") >= meters, "there are no blocks"
    rest = size(at, "reading_block") / len(rows)
    halves = size(at, "profile", "profile_by_written") / (1_440 * meters)
    print(f"   packing {len(rows)} readings: {each:.0f} bytes a reading written, {rest:.1f} left; a year of 300 meters: {rest * YEAR / 1e9:.2f} GB")
    print(f"   half hours: {halves:.0f} bytes each; ten years of 300 meters: {halves * TEN_YEARS_OF_HALF_HOURS / 1e9:.2f} GB")
    assert rest <= MOST_AT_REST, f"more than {MOST_AT_REST} bytes a reading"
    return each


def peer(card):
    """Readings stored one by one, as one would: a row and a commit each."""
    base = sqlite3.connect(os.path.join(card.at, "peer.db"), isolation_level=None)
    base.executescript("PRAGMA journal_mode = wal; PRAGMA synchronous = full; CREATE TABLE reading (at, node, register, power, volts, current, PRIMARY KEY (node, at))")
    before, count = card.written(), 1_000
    for number in range(count):
        base.execute("INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?)", (1_800_000_000 + number // 5, number % meters, 10**6 + number, 300, 2_301, 1_300))
    base.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    each = (card.written() - before) / count
    base.close()
    return each


def main():
    card = Card()
    try:
        at = Gateway(card)
        members = [settle(at, number) for number in range(meters)]
        begin = time.monotonic()
        for group in range(INTERVAL_S):
            # Meters report when they happen to, not all at once.
            time.sleep(max(0, begin + group - time.monotonic()))
            start_meters(at, f"members-{group}", members[group::INTERVAL_S])
        wait_for("every meter", lambda: at.readings() > 3 * meters)
        plain = measure(card, at, seconds)
        stop_meters()
        packing = packed(card, at)
        other = peer(card)
        print(f"   all in: {plain + packing:.0f} bytes a reading; a row and a commit each: {other:.0f}, {other / (plain + packing):.0f} times as much", flush=True)
        assert plain + packing <= MOST_BYTES, f"more than {MOST_BYTES} bytes a reading"
        forecast(card, at)
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(10)
        card.end()


main()
