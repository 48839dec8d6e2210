#!/usr/bin/env python3
"""The package on a fresh Debian with real systemd: installed, used, hung, killed, upgraded, not downgraded, removed, purged.

    python3 tests/package.py target/debian/prepaid-gateway_VERSION_ARCH.deb [SUITE]

On bookworm all of it; on another suite (trixie) installed, used, on low ports, removed, purged.
"""
import json
import os
import pathlib
import pty
import re
import select
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tty

import machine
from machine import until

UNIT = "prepaid-gateway.service"
PORT = 8080
# The sockets systemd opens instead of the gateway, and where.
SOCKETS = {"page": 80, "mqtt": 1883}


def with_version(deb, version, to):
    """The same package as another version."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["dpkg-deb", "-R", deb, f"{scratch}/p"], check=True)
        control = pathlib.Path(scratch, "p/DEBIAN/control")
        control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
        subprocess.run(["dpkg-deb", "-b", "-Znone", f"{scratch}/p", to], check=True, stdout=subprocess.DEVNULL)


def show(host, *names):
    """Properties of the unit."""
    said = host.says(f"systemctl show {UNIT} " + " ".join(f"-p {name}" for name in names))
    return dict(line.split("=", 1) for line in said.splitlines())


def running(host, port=PORT):
    """Waits until it serves; its process."""
    until("the service is active", lambda: show(host, "ActiveState")["ActiveState"] == "active")
    until("the page is well", lambda: host.get(port, "/healthz")[0] == 200)
    return int(show(host, "MainPID")["MainPID"])


def gateway(host, words):
    """A subcommand's JSON."""
    return json.loads(host.says(f"prepaid-gateway --json {words}"))


def installed(host, deb):
    host.says(f"dpkg -i {deb}")
    running(host)
    facts = show(host, "Type", "User", "WatchdogUSec", "NRestarts")
    assert facts["Type"] == "notify" and facts["User"] == "prepaid-gateway", facts
    assert facts["WatchdogUSec"] == "1min" and facts["NRestarts"] == "0", facts
    modes = host.says("stat -c '%a %U %G %n' /etc/prepaid-gateway /etc/prepaid-gateway/gateway.toml /var/lib/prepaid-gateway")
    assert modes.splitlines() == [
        "750 root prepaid-gateway /etc/prepaid-gateway",
        "640 root prepaid-gateway /etc/prepaid-gateway/gateway.toml",
        "750 prepaid-gateway prepaid-gateway /var/lib/prepaid-gateway",
    ], modes
    secret = host.says("stat -c '%a %U %s' /etc/prepaid-gateway/first-password").split()
    assert secret[:2] == ["600", "root"] and int(secret[2]) > 16, secret
    assert host.says("systemctl --failed --no-legend") == ""
    host.says("systemctl is-active prepaid-gateway-backup.timer")
    host.says("systemctl start prepaid-gateway-backup.service")
    assert "no place for backups" in host.says("journalctl -u prepaid-gateway-backup -o cat"), "it does not say that none is configured"
    host.says("test -s /usr/share/man/man1/prepaid-gateway.1.gz && test -s /usr/share/bash-completion/completions/prepaid-gateway")
    assert "MESSAGE" in host.says(f"journalctl -u {UNIT} -o export | head -n 40")
    print("   installed: user, modes, a password of its own, unit active, page well")


def not_on_an_old_pi(deb, scratch):
    """Raspberry Pi OS calls an ARMv6 armhf too: what the package says there before anything is unpacked."""
    control = scratch / "control"
    subprocess.run(["dpkg-deb", "-e", deb, control], check=True)
    fake = scratch / "uname"
    def said(architecture, machine_name):
        fake.write_text(f"#!/bin/sh\necho {machine_name}\n")
        fake.chmod(0o755)
        words = {"DPKG_MAINTSCRIPT_ARCH": architecture, "PATH": f"{scratch}:/usr/sbin:/usr/bin:/sbin:/bin"}
        done = subprocess.run([control / "preinst", "install"], env=words, stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stderr
    code, why = said("armhf", "armv6l")
    assert code == 1 and "needs a Pi 2, Zero 2 or later" in why, (code, why)
    for machine_name in ["armv7l", "armv8l", "aarch64"]:
        assert said("armhf", machine_name) == (0, ""), machine_name
    assert said("arm64", "aarch64") == (0, "")
    print("   a Pi 1 or Zero is refused in plain words, a Pi 2 and later is not")


def sold(host):
    added = gateway(host, "usage-point add 'Flat 1' --tariff msedcl-lt1b-2026-27")
    number = added.get("usage_point", 1)
    receipt = gateway(host, f"vend {number} 100.00 --key first")
    assert receipt["repeated"] is False, receipt
    return number


def still_sold(host, number):
    again = gateway(host, f"vend {number} 100.00 --key first")
    assert again["repeated"] is True, again
    code, said = host.run("prepaid-gateway verify")
    assert code == 0, said


def sandboxed(host):
    """The unit's score, and that what it locks away is not what the gateway needs."""
    host.says(f"systemd-analyze security --no-pager --threshold=12 {UNIT}")
    named = "SUDO_USER=asha"
    host.run("prepaid-gateway usage-point add 'Flat 2' --tariff msedcl-lt1b-2026-27", env=(named,))
    host.run("prepaid-gateway supply off 2", env=(named,))
    with sqlite3.connect(f"file:{host.tree}/var/lib/prepaid-gateway/gateway.db?mode=ro", uri=True) as base:
        bodies = [str(row) for row in base.execute("SELECT * FROM journal")]
    assert any("asha via command line" in body for body in bodies), bodies
    host.says("useradd -m -G prepaid-gateway ravi")
    code, said = host.run("setpriv --reuid ravi --regid ravi --init-groups prepaid-gateway status", check=False)
    assert code == 0, said
    code, said = host.run("setpriv --reuid ravi --regid ravi --init-groups prepaid-gateway vend 1 10 --key no", check=False)
    assert code and "use sudo" in said, said
    until("an unset clock is not believed", lambda: gateway(host, "status")["clock_trusted"] is False)
    host.says("mkdir -p /run/systemd/timesync && touch /run/systemd/timesync/synchronized")
    until("timesyncd's word is believed", lambda: gateway(host, "status")["clock_trusted"] is True)
    target = "systemctl is-active prepaid-gateway-armed.target"
    until("supply enforcement is armed", lambda: host.run(target, check=False)[1].strip() == "active")
    # Not by taking the time service away: once the clock was seen to be kept, the stopwatch holds it.
    host.says(f"systemctl stop {UNIT}")
    until("and left without a gateway", lambda: host.run(target, check=False)[1].strip() == "inactive")
    host.says(f"systemctl start {UNIT}")
    until("and reached again", lambda: host.run(target, check=False)[1].strip() == "active")
    print("   sandboxed: exposure 1.2 at most, sudo is named, others only read, the clock is asked of the time service")


def crc(frame):
    """Modbus over Serial Line V1.02, 6.2.2."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def on_a_serial_line(host, master):
    """A meter is asked through the sandbox: the serial port is the end of a pty."""
    host.says("chown root:dialout /dev/ttyUSB7 && chmod 660 /dev/ttyUSB7")
    line = '\n[[field.modbus]]\nname = "line"\nport = "/dev/ttyUSB7"\n'
    host.says(f"printf '%s' '{line}' >> /etc/prepaid-gateway/gateway.toml && systemctl restart {UNIT}")
    running(host)
    host.says("prepaid-gateway meter add --usage-point 2 --modbus line/7 --model sdm120 --untested")
    heard = b""
    def asked():
        nonlocal heard
        while select.select([master], [], [], 0)[0]:
            heard += os.read(master, 256)
        return any(heard[i] == 7 and heard[i + 6 : i + 8] == crc(heard[i : i + 6]) for i in range(max(0, len(heard) - 7)))
    until("the meter is asked over the serial line", asked)
    print("   a serial line: opened through the sandbox, the meter is asked")


def hung_and_killed(host, number):
    # The shipped watchdog waits a minute; the test does not.
    host.says(f"mkdir -p /run/systemd/system/{UNIT}.d && printf '[Service]\\nWatchdogSec=6s\\n' > /run/systemd/system/{UNIT}.d/t.conf")
    host.says(f"systemctl daemon-reload && systemctl restart {UNIT}")
    process = running(host)
    host.says(f"kill -STOP {process}")
    until("the watchdog has restarted it", lambda: show(host, "NRestarts")["NRestarts"] == "1")
    process = running(host)
    host.says(f"kill -9 {process}")
    until("it is restarted after a kill", lambda: show(host, "NRestarts")["NRestarts"] == "2")
    running(host)
    still_sold(host, number)
    print("   hung: killed by the watchdog and restarted; kill -9: restarted; the payment is there, verify finds nothing")


# Connects to the page and to the broker, again and again, until a line comes; prints what became of it.
KNOCKING = r"""
import json, select, socket, sys
login = bytes([0x10, 12 + 6 + 2 + 8 + 2 + 8]) + b"\0\4MQTT\4\xc2\0\x1e\0\6knocks" + b"\0\x08somebody" + b"\0\x08password"
asked = {80: b"GET /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n", 1883: login}
ended = {}
while not select.select([sys.stdin], [], [], 0.02)[0]:
    for port, words in asked.items():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
                line.sendall(words)
                said = line.recv(64)
                how = "answered" if said.startswith((b"HTTP/1.1 200", b"\x20\x02\0\0")) else f"answered {said[:20]!r}"
        except OSError as error:
            how = type(error).__name__
        ended[f"{port} {how}"] = ended.get(f"{port} {how}", 0) + 1
print(json.dumps(ended))
"""


def on_low_ports(host, number):
    """systemd opens port 80 and 1883; restarts refuse nobody, and the gateway has no right more than before."""
    client = '\n[[field.client]]\nname = "somebody"\npassword = "password"\npublish = ["meters/#"]\n'
    host.says(f"systemctl stop {UNIT} && printf '%s' '{client}' >> /etc/prepaid-gateway/gateway.toml")
    units = " ".join(f"prepaid-gateway-{name}.socket" for name in SOCKETS)
    host.says(f"systemctl enable --now {units} && systemctl start {UNIT}")
    process = running(host, SOCKETS["page"])
    assert host.get(PORT, "/healthz")[0] == 0, "the page is at its old port too"
    owners = host.says("cat /proc/1/net/tcp6 | awk '$4 == \"0A\" { print $2 }'")
    assert all(f":{port:04X}" in owners for port in SOCKETS.values()), owners
    rights = host.says(f"grep -E '^(Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs)' /proc/{process}/status")
    assert sorted(line.split()[1] for line in rights.splitlines()) == ["0" * 16] * 4 + ["1"], rights
    knocking = subprocess.Popen([*host.inside("-n"), "python3", "-c", KNOCKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    host.says(f"systemctl restart {UNIT}")
    running(host, SOCKETS["page"])
    ended = json.loads(knocking.communicate("enough\n", timeout=120)[0])
    assert set(ended) == {"80 answered", "1883 answered"}, ended
    still_sold(host, number)
    host.says(f"systemd-analyze security --no-pager --threshold=12 {UNIT}")
    print(f"   low ports: 80 and 1883 by systemd, no capability; a restart refused none of {sum(ended.values())} that knocked")


def upgraded(host, newer, number):
    host.says("sed -i '0,/^#name = .*/s/^#name = .*/name = \"Ward 4\"/' /etc/prepaid-gateway/gateway.toml")
    before = int(show(host, "MainPID")["MainPID"])
    password = host.says("cat /etc/prepaid-gateway/first-password")
    host.says(f"dpkg --force-confdef --force-confold -i {newer}")
    assert running(host, SOCKETS["page"]) != before, "not restarted"
    # Another first password would take the place of the one the operator has chosen.
    assert host.says("cat /etc/prepaid-gateway/first-password") == password
    assert 'name = "Ward 4"' in host.says("cat /etc/prepaid-gateway/gateway.toml")
    still_sold(host, number)
    print("   upgraded: configuration kept, restarted, the payment is there")


def not_downgraded(host, older):
    code, said = host.run(f"dpkg -i {older}", check=False)
    assert code != 0 and "cannot read its database" in said, said
    running(host, SOCKETS["page"])
    print("   an older version is refused in plain words, and the newer one goes on")


def switched_off(host, start):
    """The mains goes for long: the machine is switched off by the shipped units, everything on disk; the machine when it is on again."""
    host.says("echo 0 > /etc/ups")
    host.says("sed -i 's|^\\[power\\]$|[power]\\nups = \"/etc/ups\"\\nshutdown_after_s = 86400|' /etc/prepaid-gateway/gateway.toml")
    host.says(f"systemctl restart {UNIT}")
    running(host, SOCKETS["page"])
    host.says(f"sed -i 's/^shutdown_after_s = .*/shutdown_after_s = 2/' /etc/prepaid-gateway/gateway.toml && systemctl restart {UNIT}")
    host.process.wait(timeout=machine.PATIENCE_S)
    (host.tree / "etc/ups").write_text("1\n")
    host = start()
    running(host, SOCKETS["page"])
    said = host.says("prepaid-gateway alarm list")
    assert "switched off" not in said and "no mains" not in said, said
    journal = sqlite3.connect(f"file:{host.tree}/var/lib/prepaid-gateway/gateway.db?mode=ro", uri=True)
    assert any("without mains" in str(row) for row in journal.execute("SELECT * FROM journal")), "the journal does not say why"
    print("   no mains for long: the machine was switched off by its units, and serves again when it is on")
    return host


def removed(host, newer, number):
    host.says("dpkg -r prepaid-gateway")
    host.says("test -s /etc/prepaid-gateway/gateway.toml && test -s /var/lib/prepaid-gateway/gateway.db")
    host.says(f"dpkg -i {newer}")
    running(host, SOCKETS["page"])
    still_sold(host, number)
    host.says("dpkg -P prepaid-gateway")
    assert host.says("find /etc/systemd/system -name 'prepaid-gateway*'") == ""
    left = host.run("ls -d /etc/prepaid-gateway /var/lib/prepaid-gateway /usr/bin/prepaid-gateway", check=False)[1]
    assert "No such file" in left and not re.search(r"(?m)^/", left), left
    assert host.says("systemctl --failed --no-legend") == ""
    print("   removed: money and configuration stay; purged: nothing is left")


def main():
    machine.needed("systemd-nspawn", "mmdebstrap", "nsenter", "pgrep", "dpkg-deb")
    deb = pathlib.Path(sys.argv[1]).resolve()
    suite = sys.argv[2] if len(sys.argv) > 2 else "bookworm"
    is_whole = suite == "bookworm"
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="package-", dir="/var/tmp"))
    host = None
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        debs = scratch / "debs"
        debs.mkdir()
        shutil.copy(deb, debs / "first.deb")
        with_version(deb, "99.0-1", debs / "newer.deb")
        not_on_an_old_pi(deb, scratch)
        machine.unpack(scratch / "tree", suite)
        start = lambda: machine.Machine(scratch / "tree", (debs, "/debs"), devices=[(os.ttyname(slave), "/dev/ttyUSB7")])
        host = start()
        installed(host, "/debs/first.deb")
        number = sold(host)
        if is_whole:
            sandboxed(host)
            on_a_serial_line(host, master)
            hung_and_killed(host, number)
        on_low_ports(host, number)
        if is_whole:
            upgraded(host, "/debs/newer.deb", number)
            not_downgraded(host, "/debs/first.deb")
            host = switched_off(host, start)
        removed(host, "/debs/newer.deb", number)
        host.off()
        print(f"ok: the package on {suite}")
    except BaseException:
        if host and host.process.poll() is None:
            print(host.run(f"journalctl -u {UNIT} --no-pager | tail -n 60", check=False)[1], file=sys.stderr)
        raise
    finally:
        if host:
            host.kill()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
