#!/usr/bin/env python3
"""Power cuts: the installed package under real systemd on real ext4, cut at random moments while it sells.

    python3 tests/powercut.py target/debian/prepaid-gateway_VERSION_ARCH.deb [--cuts 200] [--seed N] [--control]

The machine's disk is an ext4 image on a file system that can copy a file in an instant (XFS with reflinks). A cut is such a copy, taken
while the machine goes on: what its kernel had not written yet is missing in the copy, as after a power cut. Each copy is then booted: the
unit serves within five seconds of its start, `verify` finds nothing, and every vend confirmed before the cut is there, once.

`--control`: the same with a gateway whose fsync does nothing (libeatmydata), which must be seen to lose something.
"""
import argparse
import json
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import time

import machine
from machine import until

UNIT = "prepaid-gateway.service"
SERVES_WITHIN_S = 5.0
CUTS_A_BOOT = 20
EATEN = "/usr/lib/x86_64-linux-gnu/libeatmydata.so.1"
LIBRARY = "usr/lib/libeatmydata.so"


def sh(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


class Disk:
    """An ext4 image on XFS, and its copies."""

    def __init__(self, scratch, size_mb=1200):
        self.scratch = scratch
        self.fast = scratch / "fast"
        self.fast.mkdir()
        outer = scratch / "outer.img"
        sh("truncate", "-s", "12G", outer)
        sh("mkfs.xfs", "-q", "-m", "reflink=1", outer)
        sh("mount", "-o", "loop", outer, self.fast)
        self.image = self.fast / "disk.img"
        tree = scratch / "tree"
        machine.unpack(tree)
        sh("truncate", "-s", f"{size_mb}M", self.image)
        options = "lazy_itable_init=0,lazy_journal_init=0"
        sh("mke2fs", "-q", "-t", "ext4", "-d", tree, "-O", "^metadata_csum_seed", "-E", options, self.image)
        shutil.rmtree(tree)

    def mount(self, image):
        at = self.scratch / f"at-{image.stem}"
        at.mkdir(exist_ok=True)
        sh("mount", "-o", "loop", image, at)
        return at

    def cut(self, name):
        copy = self.fast / f"{name}.img"
        sh("cp", "--reflink=always", self.image, copy)
        return copy

    def close(self):
        mounts = pathlib.Path("/proc/mounts").read_text().splitlines()
        inside = [line.split()[1] for line in mounts if line.split()[1].startswith(str(self.scratch))]
        for at in sorted(inside, key=len, reverse=True):
            subprocess.run(["umount", "-l", at], check=False)


def vend(host, number, key):
    code, said = host.run(f"prepaid-gateway --json vend {number} 1.00 --key {key}", check=False)
    return json.loads(said) if code == 0 else None


class Sales:
    """Vends, one after the other, on a thread; `confirmed` holds the keys that were answered."""

    def __init__(self, host, first):
        self.confirmed = []
        self.next = first
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.sell, args=(host,))
        self.thread.start()

    def sell(self, host):
        while not self.stop.is_set():
            key = f"k{self.next}"
            self.next += 1
            if vend(host, 1, key):
                self.confirmed.append(key)

    def end(self):
        self.stop.set()
        self.thread.join()


def serves(host):
    until("the unit is active", lambda: host.says(f"systemctl is-active {UNIT} || true") == "active")
    said = host.says(f"systemctl show {UNIT} -p ExecMainStartTimestampMonotonic -p ActiveEnterTimestampMonotonic --value")
    started, active = sorted(int(line) for line in said.split())
    return (active - started) / 1e6


def looked_at(disk, copy, confirmed):
    """Boots a copy: seconds from start to serving, and what it has lost, in words."""
    at = disk.mount(copy)
    host = machine.Machine(at)
    found = []
    try:
        seconds = serves(host)
        if seconds >= SERVES_WITHIN_S:
            found.append(f"{seconds:.1f} s from start to serving")
        code, said = host.run("prepaid-gateway verify", check=False)
        if code:
            found.append(f"verify: {said}")
        # One question for all: each key again; a payment that was lost would be made now and say so.
        ask = "; ".join(f"prepaid-gateway --json vend 1 1.00 --key {key} || echo null" for key in confirmed[-60:])
        answers = [json.loads(line) for line in host.says(ask).splitlines() if line.startswith(("{", "null"))] if confirmed else []
        lost = [answer for answer in answers if not answer or not answer.get("repeated")]
        if lost:
            found.append(f"{len(lost)} confirmed vends are missing: {lost[:3]}")
        host.run("prepaid-gateway --json usage-point show 1", check=not found)
    finally:
        host.kill()
        sh("umount", at)
        copy.unlink()
    return seconds, [f"{copy.name}: {words}" for words in found]


def without_fsync(at):
    """What the gateway syncs stays where it was."""
    shutil.copy(EATEN, at / LIBRARY)
    unit = at / f"etc/systemd/system/{UNIT}.d"
    unit.mkdir()
    (unit / "control.conf").write_text(f"[Service]\nEnvironment=LD_PRELOAD=/{LIBRARY}\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("deb", type=pathlib.Path)
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--control", action="store_true")
    args = parser.parse_args()
    if args.control and not pathlib.Path(EATEN).exists():
        raise SystemExit("   libeatmydata is missing: apt-get install libeatmydata1")
    machine.needed("systemd-nspawn", "mmdebstrap", "nsenter", "pgrep", "mkfs.xfs", "mke2fs")
    dice = random.Random(args.seed)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="powercut-", dir="/var/tmp"))
    disk = host = sales = None
    begun = time.monotonic()
    try:
        disk = Disk(scratch)
        at = disk.mount(disk.image)
        (at / "debs").mkdir()
        shutil.copy(args.deb, at / "debs/p.deb")
        if args.control:
            without_fsync(at)
        host = machine.Machine(at)
        host.says("dpkg -i /debs/p.deb")
        serves(host)
        host.says("prepaid-gateway usage-point add 'Flat 1' --tariff msedcl-lt1b-2026-27; sync -f /var/lib")
        left, slowest, first, losses = args.cuts, 0.0, 0, []
        while left:
            sales = Sales(host, first)
            copies = []
            for _ in range(min(left, CUTS_A_BOOT)):
                threading.Event().wait(dice.uniform(0.05, 1.5))
                confirmed = list(sales.confirmed)
                copies.append((disk.cut(f"cut{args.cuts - left}"), confirmed))
                left -= 1
            sales.end()
            first = sales.next
            for copy, confirmed in copies:
                took, found = looked_at(disk, copy, confirmed)
                slowest = max(slowest, took)
                losses += found
                assert args.control or not found, found
            print(f"   {args.cuts - left} of {args.cuts} cuts, {first} vends tried", flush=True)
        if args.control:
            assert losses, "a gateway whose fsync does nothing lost nothing: this test proves nothing"
            print(f"   without fsync {len(losses)} findings in {args.cuts} power cuts, for example {losses[0]}")
            return
        print(
            f"   {args.cuts} power cuts (seed {args.seed}): verify finds nothing, every confirmed vend once, "
            f"at most {slowest:.2f} s from start to serving; {time.monotonic() - begun:.0f} s"
        )
    finally:
        if sales:
            sales.end()
        if host:
            host.kill()
        if disk:
            disk.close()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
