#!/usr/bin/env python3
"""Updates on a Debian with real systemd: a good one, broken ones that go back by themselves, refused ones, an apt repository, power cuts.

    python3 tests/update.py target/debian/prepaid-gateway_VERSION_ARCH.deb
"""
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import machine
from machine import until
from package import UNIT, gateway, running, sold, still_sold

KEYS = "/etc/prepaid-gateway/update-keys.d"
QUICK = "--wait 8 --steady 3"
# What a broken version's program is.
ENDS = '#!/bin/sh\n[ "$1" = run ] && exit 1\nexit 0\n'
SAYS_READY_AND_SLEEPS = '#!/bin/sh\n[ "$1" = run ] || exit 0\nsystemd-notify --ready\nexec sleep 1000\n'
# Works until something was sold, then leaves a database of a later schema and ends.
CHANGES_THE_DATABASE = r"""#!/bin/sh
real=/usr/lib/prepaid-gateway/real data=/var/lib/prepaid-gateway
[ "$1" = run ] || exec $real "$@"
[ ! -e $data/spoilt ] || exit 1
$real "$@" & process=$!
until [ -e $data/sold ]; do sleep 0.1; done
kill $process; wait $process
printf '\0\0\0\143' | dd of=$data/gateway.db bs=1 seek=60 conv=notrunc
touch $data/spoilt
exit 1
"""


class Maker:
    """Who makes packages: keys, and the one package there is in many versions."""

    def __init__(self, scratch, deb):
        self.debs, self.scratch, self.tree = scratch / "debs", scratch, scratch / "package"
        self.debs.mkdir()
        subprocess.run(["dpkg-deb", "-R", deb, self.tree], check=True)
        self.program = self.tree / "usr/bin/prepaid-gateway"
        self.real = scratch / "prepaid-gateway"
        shutil.copy(self.program, self.real)
        self.control = (self.tree / "DEBIAN/control").read_text()
        for name in ("maker", "stranger"):
            subprocess.run([self.real, "update", "key", scratch / name], check=True, stdout=subprocess.DEVNULL)
        shutil.copy(scratch / "maker.pub", self.debs)

    def makes(self, version, *, program=None, architecture=None, key="maker", floor=None):
        """A package's path in the machine; `program`: a script in the gateway's place."""
        text = re.sub(r"(?m)^Version: .*$", f"Version: {version}", self.control)
        if architecture:
            text = re.sub(r"(?m)^Architecture: .*$", f"Architecture: {architecture}", text)
        (self.tree / "DEBIAN/control").write_text(text)
        beside = self.tree / "usr/lib/prepaid-gateway/real"
        if program:
            beside.parent.mkdir(exist_ok=True)
            shutil.copy(self.real, beside)
            self.program.write_text(program)
        else:
            shutil.rmtree(beside.parent, ignore_errors=True)
            shutil.copy(self.real, self.program)
        file = self.debs / f"gateway-{version}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", "-Znone", self.tree, file], check=True, stdout=subprocess.DEVNULL)
        if key:
            self.signs(file, key, floor)
        return f"/debs/{file.name}"

    def signs(self, file, key="maker", floor=None):
        more = ["--floor", floor] if floor else []
        words = [self.real, "update", "sign", file, "--key", self.scratch / key, *more]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def version(host):
    return host.says("dpkg-query -W -f '${Version} ${db:Status-Status}' prepaid-gateway")


def update(host, words, ends=0):
    """What `update` says; `ends`: 0 done, 1 refused."""
    code, said = host.run(f"prepaid-gateway --json update {words}", check=False)
    assert code == ends, (words, code, said)
    return json.loads(next(line for line in reversed(said.splitlines()) if line.startswith("{")))


def refused(host, maker, installed):
    """Each with its name; nothing has changed afterwards."""
    altered, cut_off = maker.makes("5.0-1"), maker.makes("5.1-1")
    with open(maker.debs / "gateway-5.0-1.deb", "r+b") as file:
        file.seek(1_000_000)
        file.write(b"other")
    with open(maker.debs / "gateway-5.1-1.deb", "r+b") as file:
        file.truncate(2_000_000)
    for name, package in (
        ("altered", altered),
        ("truncated", cut_off),
        ("unsigned", maker.makes("5.2-1", key=None)),
        ("unknown-signature", maker.makes("5.3-1", key="stranger")),
        ("other-architecture", maker.makes("5.4-1", architecture="s390x")),
        ("older", maker.makes("0.0.9-1")),
        ("same-version", maker.makes(installed)),
        ("file", "/debs/none.deb"),
        ("no-package", "/etc"),
    ):
        said = update(host, f"install {package}", ends=1)
        assert said["error"] == name, (name, said)
    for file in maker.debs.glob("gateway-5.*"):
        file.unlink()
    assert version(host) == f"{installed} installed", version(host)
    assert update(host, "status")["update"] is None
    print("   refused by name, nothing changed: altered, cut off, unsigned, a stranger's, another machine's, older, the same, no file")


def good(host, maker, number):
    package = maker.makes("1.0-1", floor="1.0-1")
    asked = update(host, f"install --dry-run {package}")
    assert asked["version"] == "1.0-1" and asked["floor"] == "1.0-1", asked
    assert version(host) == "0.1.0-1 installed"
    assert update(host, "check /debs")["version"] == "1.0-1"
    done = update(host, f"install {QUICK} {package}")
    assert done["update"]["phase"] == "works" and done["floor"] == "1.0-1", done
    assert version(host) == "1.0-1 installed"
    still_sold(host, number)
    assert update(host, f"install {maker.makes('0.9-1')}", ends=1)["error"] == "below-floor"
    assert update(host, "rollback", ends=1)["error"] == "below-floor"
    code, said = host.run("PREPAID_GATEWAY_ALLOW_DOWNGRADE=1 dpkg -i /debs/gateway-0.9-1.deb", check=False)
    assert code and "known hole" in said, said
    running(host)
    print("   a good one: installed, watched, kept; nothing older than its floor is installed any more, nor gone back to")


def broken(host, maker, number):
    for what, named, program in (
        ("ends at once", "2.0-1", ENDS),
        ("says it is ready and does nothing", "2.1-1", SAYS_READY_AND_SLEEPS),
    ):
        said = update(host, f"install {QUICK} {maker.makes(named, program=program)}", ends=1)["update"]
        assert said["phase"] == "returned" and "it works again" in said["words"], said
        assert version(host) == "1.0-1 installed", version(host)
        running(host)
        still_sold(host, number)
        alarms = [alarm["details"] for alarm in gateway(host, "alarm list")["alarms"] if alarm["kind"] == "update-returned"]
        assert alarms, "no alarm"
        print(f"   one that {what}: the version before came back by itself, says so, the payment is there", flush=True)


def of_a_later_schema(host, maker, number):
    """It has sold something and has changed the database when it is given up."""
    package = maker.makes("2.2-1", program=CHANGES_THE_DATABASE)
    words = [*host.inside("-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"), "prepaid-gateway", "update", "install", "--wait", "20", "--steady", "20", package]
    asked = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until("it is tried", lambda: update(host, "status")["update"]["phase"] == "trial")
    running(host)
    gateway(host, f"vend {number} 50.00 --key during")
    host.says("touch /var/lib/prepaid-gateway/sold")
    said = asked.communicate(timeout=120)[0]
    assert asked.returncode == 1 and "it works again" in said, said
    running(host)
    again = gateway(host, f"vend {number} 50.00 --key during")
    assert again["repeated"] is True, again
    still_sold(host, number)
    held = [alarm["kind"] for alarm in gateway(host, "alarm list")["alarms"] if alarm["kind"] == "money-held"]
    assert not held, held
    host.says("ls -d /var/lib/prepaid-gateway/quarantine-*")
    print("   one that had changed the database and sold: what it sold is in the database of the version that came back", flush=True)


def cut(host, maker, boot, number, named, before, moment):
    """The power is cut at a moment; the next boot carries the update to its end."""
    package = maker.makes(named)
    words = [*host.inside("-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"), "prepaid-gateway", "update", "install", "--wait", "30", "--steady", "5", package]
    asked = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until("the moment", lambda: moment(host))
    host.kill()
    asked.wait(30)
    host = boot()
    said = lambda: update(host, "status")["update"]
    until("the boot carries it to its end", lambda: said()["phase"] in ("works", "returned"))
    expected = {"works": named, "returned": before}[said()["phase"]]
    assert version(host) == f"{expected} installed", version(host)
    running(host)
    still_sold(host, number)
    return host, said()["phase"]


def repository(maker, version):
    """An apt repository with one package, signed."""
    root, name = maker.debs / "repository", f"gateway-{version}.deb"
    root.mkdir()
    maker.makes(version)
    for file in (name, f"{name}.sig"):
        (maker.debs / file).rename(root / file)
    control = subprocess.run(["dpkg-deb", "-f", root / name], check=True, capture_output=True, text=True).stdout
    digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
    packages = f"{control.strip()}\nFilename: ./{name}\nSize: {(root / name).stat().st_size}\nSHA256: {digest}\n\n"
    (root / "Packages").write_text(packages)
    digest = hashlib.sha256(packages.encode()).hexdigest()
    (root / "Release").write_text(f"Origin: test\nDate: Sat, 28 Nov 2026 08:00:00 UTC\nSHA256:\n {digest} {len(packages)} Packages\n")
    home = maker.scratch / "gpg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-gen-key", "repository", "ed25519", "sign", "never"], check=True)
    subprocess.run([*gpg, "--clearsign", "-o", root / "InRelease", root / "Release"], check=True)
    subprocess.run([*gpg, "--export", "-o", maker.debs / "repository.gpg"], check=True)


def from_apt(host, maker, number):
    repository(maker, "4.0-1")
    server = subprocess.Popen(
        [*host.inside("-n"), "python3", "-m", "http.server", "8099", "--bind", "127.0.0.1", "--directory", maker.debs / "repository"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        host.says("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
        host.says("echo 'deb [signed-by=/debs/repository.gpg] http://127.0.0.1:8099 ./' > /etc/apt/sources.list.d/gateway.list")
        until("the repository is served", lambda: host.get(8099, "/Release")[0] == 200)
        done = update(host, f"install {QUICK} apt")
        assert done["update"]["phase"] == "works" and version(host) == "4.0-1 installed", done
        (maker.debs / "repository/gateway-4.0-1.deb.sig").unlink()
        assert update(host, "check apt", ends=1)["error"] == "unsigned"
    finally:
        server.kill()
        server.wait()
    still_sold(host, number)
    print("   from an apt repository with signed-by: installed; without a letter there: refused")


def main():
    machine.needed("systemd-nspawn", "mmdebstrap", "nsenter", "pgrep", "dpkg-deb", "gpg")
    deb = pathlib.Path(sys.argv[1]).resolve()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="update-", dir="/var/tmp"))
    host = None
    try:
        maker = Maker(scratch, deb)
        first = maker.makes("0.1.0-1", key=None)
        machine.unpack(scratch / "tree")
        boot = lambda: machine.Machine(scratch / "tree", (maker.debs, "/debs"))
        host = boot()
        # Scripts in the gateway's place may run, and are given up sooner than on a slow card.
        drop = "[Service]\\nTimeoutStartSec=5s\\nNoExecPaths=\\nExecPaths=\\nNotifyAccess=all\\n"
        host.says(f"mkdir -p /etc/systemd/system/{UNIT}.d && printf '{drop}' > /etc/systemd/system/{UNIT}.d/t.conf")
        host.says(f"dpkg -i {first}")
        running(host)
        number = sold(host)
        assert update(host, f"check {first}", ends=1)["error"] == "no-keys"
        host.says(f"cp /debs/maker.pub {KEYS}/")
        refused(host, maker, "0.1.0-1")
        good(host, maker, number)
        broken(host, maker, number)
        of_a_later_schema(host, maker, number)
        host, ended = cut(host, maker, boot, number, "3.0-1", "1.0-1", lambda host: version(host) != "1.0-1 installed")
        print(f"   the power cut while dpkg worked: the next boot carried it to its end ({ended}), the payment is there", flush=True)
        before = version(host).split()[0]
        trial = lambda host: update(host, "status")["update"]["phase"] == "trial"
        host, ended = cut(host, maker, boot, number, "3.1-1", before, trial)
        print(f"   and while the new version was watched ({ended})", flush=True)
        from_apt(host, maker, number)
        done = update(host, f"rollback {QUICK}")["update"]
        assert done["phase"] == "works" and version(host) == f"{done['to']} installed" and done["to"] < "4", done
        still_sold(host, number)
        print("   back to the version before by a person's word")
        host.says("dpkg -P prepaid-gateway && test ! -e /var/lib/prepaid-gateway-update && test ! -e /etc/prepaid-gateway")
        host.off()
        print("ok: updates")
    except BaseException:
        if host and host.process.poll() is None:
            print(host.run(f"journalctl -u {UNIT} -u prepaid-gateway-update --no-pager | tail -n 60", check=False)[1], file=sys.stderr)
        raise
    finally:
        if host:
            host.kill()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
