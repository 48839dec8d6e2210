#!/usr/bin/env python3
"""The image: built whole without a kernel, its partitions started under real systemd, between a node and people who are cables here.

    python3 tests/image.py target/debian/prepaid-gateway_VERSION_ARCH.deb
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import machine
from image_network import Side, outcomes
from machine import until

ROOT = machine.ROOT
BOOT = "boot/firmware"
SETUP, MISTAKES = f"{BOOT}/gateway-setup.txt", f"{BOOT}/gateway-setup-errors.txt"
PASSPHRASE, PASSWORD = "rain on a tin roof #7", "monsoon 2026"

# A line of the file, and what the mistake has to say.
WRONG = [
    ("site_name = \x07", "site_name: 1 to 64 characters"),
    ("hostname = Flat_12", "hostname: 1 to 63 small letters"),
    ("timezone = Asia/Atlantis", 'there is no time zone "Asia/Atlantis"'),
    ("timezone = ../../etc/passwd", "there is no time zone"),
    ("ssh_key = ssh-ed25519 AAAAhalf", "not a whole public key"),
    ("ssh_key = -----BEGIN OPENSSH PRIVATE KEY-----", "that is a private key"),
    ("page_password = short", "page_password: 8 to 256 characters"),
    ("wifi_ssid = " + "\u0939" * 11, "wifi_ssid: 1 to 32 bytes"),
    ("wifi_passphrase = seven77", "wifi_passphrase: 8 to 63"),
    ("wifi_country = India", "wifi_country: two capital letters"),
    ("wifi_country = ZQ", "wifi_country: two capital letters"),
    ("wifi_channel = 14", "wifi_channel: 1 to 13"),
    ("wifi_security = wep", "wifi_security: wpa2, wpa2-wpa3 or wpa3"),
    ("wifi_interface = eth0", "wifi_interface: wlan0"),
    ("nodes_network = 8.8.8.8/24", "nodes_network: the gateway's private address"),
    ("nodes_network = 10.77.0.0/24", "nodes_network: the gateway's private address"),
    ("uplink = 192.168.1.300/24", "uplink: dhcp, or an address"),
    ("uplink = 10.77.0.9/24", "uplink and nodes_network share addresses"),
    ("uplink_router = 192.168.1.1", "uplink_router is for an uplink with an address"),
    ("uplink = 192.168.7.2/24\nuplink_router = 192.168.8.1", "is not in the network of"),
    ("uplink_dns = dns.example", '"dns.example" is none'),
    ("page_from = 0.0.0.0/0", "networks with spaces between them"),
    ("nodes_on_lan = maybe", "nodes_on_lan: yes or no"),
    ("wifi_ssid = meters", "wifi_passphrase is missing"),
    ("wifi_ssid = meters\nwifi_passphrase = 12345678\nwifi_country = US\nwifi_channel = 13", "US has channels 1 to 11 only"),
    ("wifi_sid = meters", 'there is no setting "wifi_sid"'),
    ("hostname", '"hostname" has no ='),
    ("hostname =", "hostname has no value"),
    ("hostname = a\nhostname = b", "line 2: hostname stands in line 1 already"),
]


def built(deb, out):
    """The image file, and where its partitions lie: (first byte, bytes)."""
    words = [ROOT / "packaging/image/build", "amd64", "--deb", deb, "--base", machine.base_tree(), "--without-kernel", "--out", out]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    image = next(out.glob("*.img"))
    subprocess.run(["sha256sum", "--check", "--quiet", f"{image.name}.sha256"], cwd=out, check=True)
    table = json.loads(subprocess.run(["sfdisk", "--json", image], capture_output=True, check=True).stdout)["partitiontable"]
    assert table["label"] == "dos" and len(table["partitions"]) == 3, table
    print(f"   built: {image.stat().st_size >> 20} MiB, {image.stat().st_blocks >> 11} MiB of it not empty")
    return image, [(part["start"] * 512, part["size"] * 512) for part in table["partitions"]]


class Card:
    """The image as a machine sees it: three partitions, one below the other. A container's kernel need not know FAT: that one is copied."""

    def __init__(self, image, parts, at):
        self.at, self.loops = at, []
        at.mkdir()
        for (start, size), below in zip(parts[1:], ["", "state"]):
            words = ["losetup", "--find", "--show", f"--offset={start}", f"--sizelimit={size}", image]
            loop = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
            self.loops.append(loop)
            subprocess.run(["mount", loop, at / below], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "boot", at / BOOT], check=True)
        subprocess.run(["mcopy", "-s", "-i", f"{image}@@{parts[0][0]}", "::*", at / BOOT], check=True)
        assert self.file(SETUP).startswith("# Settings of this gateway"), "no gateway-setup.txt"

    def file(self, name, text=None):
        """A file's text, or its new one."""
        path = self.at / name
        if text is not None:
            subprocess.run(["mount", "-o", "remount,rw", self.at / BOOT], check=True)
            path.write_text(text)
        return path.read_text() if path.exists() else None

    def out(self):
        subprocess.run(["umount", "--recursive", "--lazy", self.at], check=False)
        for loop in self.loops:
            subprocess.run(["losetup", "--detach", loop], check=False, stderr=subprocess.DEVNULL)


def nothing_shared(card):
    """What two gateways from one image must not have in common."""
    root = card.at
    assert not list(root.glob("etc/ssh/ssh_host_*")) and not list(root.glob("state/ssh/*")), "an ssh host key is in the image"
    assert not (root / "state/etc/prepaid-gateway/first-password").exists(), "a password is in the image"
    assert not list(root.glob("state/lib/prepaid-gateway/*")), "a state is in the image"
    assert (root / "etc/machine-id").read_text() == "", "a machine's number is in the image"
    hashes = [line.split(":")[1] for line in (root / "etc/shadow").read_text().splitlines()]
    assert all(word in ("*", "!", "!*") for word in hashes), "somebody in the image has a password"
    assert (root / "etc/gateway-image/read-only").exists()


def in_a_container(card):
    """The card is here already; everything else of fstab is the image's own."""
    fstab = card.at / "etc/fstab"
    lines = [line for line in fstab.read_text().splitlines() if not line.startswith("PARTUUID") or " / " in line]
    fstab.write_text(re.sub("PARTUUID=[^ ]*", "/dev/root", "\n".join(lines)) + "\n")


def start(card):
    host = machine.Machine(card.at, more=["--resolv-conf=off", "--timezone=off", "--link-journal=no"])
    try:
        until("the service is active", lambda: host.run("systemctl is-active prepaid-gateway", check=False)[0] == 0)
        until("the page is well", lambda: host.get(8080, "/healthz")[0] == 200)
        failed = host.says("systemctl --failed --no-legend --plain")
        assert failed == "", failed
    except BaseException:
        print(host.run("journalctl -b --no-pager | tail -n 60", check=False)[1], file=sys.stderr)
        host.kill()
        raise
    return host


def read_only(host):
    """Nothing of the system can be written, what lasts lies on the state partition."""
    for name in ["/etc/fstab", "/usr/bin/x", "/var/lib/dpkg/x", "/root/x"]:
        code, said = host.run(f"touch {name}", check=False)
        assert code and "Read-only" in said, (name, said)
    for name in ["/var/lib/prepaid-gateway", "/etc/prepaid-gateway", "/var/lib/systemd", "/home"]:
        assert host.says(f"stat -c %d {name}") == host.says("stat -c %d /state"), name
    for name in ["/tmp", "/var/tmp", "/var/log"]:
        assert host.says(f"stat -f -c %T {name}") == "tmpfs", name


def mistakes(card, host):
    """Each is named, and nothing is taken."""
    before = host.says("cat /state/site/settings 2>/dev/null || true")
    for text, said in WRONG:
        card.file(SETUP, text + "\n")
        host.says("/usr/lib/gateway-image/setup")
        named = card.file(MISTAKES) or ""
        assert said in named, f"{text!r}: {named!r} does not say {said!r}"
    card.file(SETUP, "\n".join(["site_name = Good", "wifi_channel = x", "hostnam = y", "uplink = z"]))
    host.says("/usr/lib/gateway-image/setup")
    named = card.file(MISTAKES)
    assert all(f"line {number}: " in named for number in (2, 3, 4)), named
    assert host.says("cat /state/site/settings 2>/dev/null || true") == before
    print(f"   {len(WRONG)} mistakes are named each, three at once as well, and nothing was taken")


def good(card, key):
    """As a Windows editor writes it."""
    lines = [
        'site_name = Shanti "Nagar"', "hostname = meter-room", "timezone = Asia/Kathmandu", f"ssh_key = {key}", f"page_password = {PASSWORD}",
        "wifi_ssid = मीटर #1", f'wifi_passphrase = "{PASSPHRASE}"', "wifi_country = IN", "wifi_channel = 11",
        "uplink = 192.168.7.2/24", "uplink_router = 192.168.7.1", "uplink_dns = 192.168.7.1",
    ]
    card.file(SETUP, "\ufeff# mine\r\n" + "".join(f"{line}\r\n" for line in lines))


def taken(card, host):
    assert card.file(MISTAKES) is None, card.file(MISTAKES)
    left = card.file(SETUP)
    assert PASSPHRASE not in left and PASSWORD not in left and "wifi_passphrase was taken" in left, left
    assert 'site_name = Shanti "Nagar"' in left and "# mine" in left, left
    toml = host.says("cat /etc/prepaid-gateway/gateway.toml")
    assert '\nname = "Shanti \\"Nagar\\""\n' in toml and '\nutc_offset = "+05:45"\n' in toml, toml[:2000]
    assert host.says("uname -n") == "meter-room"
    assert host.says("date +%Z%:z") == "+0545+05:45"
    modes = host.says("stat -c '%a %U' /state/site/settings /run/gateway-image/hostapd-wlan0.conf")
    assert modes.splitlines() == ["600 root", "600 root"], modes
    assert PASSPHRASE not in host.says("journalctl -b -o cat | cat"), "the passphrase is in the journal"
    parsed(host)
    print("   taken: names, zone, keys; passphrase and password are gone from the card's file; hostapd reads its configuration")


def parsed(host):
    """hostapd gets as far as the radio, which a container has not; with a mistake it does not."""
    conf = "/run/gateway-image/hostapd-wlan0.conf"
    for security in ["wpa2", "wpa2-wpa3", "wpa3"]:
        management = {"wpa2": "WPA-PSK", "wpa2-wpa3": "WPA-PSK SAE", "wpa3": "SAE"}[security]
        host.says(f"sed 's/^wpa_key_mgmt=.*/wpa_key_mgmt={management}/' {conf} >/tmp/ap.conf")
        said = host.run("timeout 10 hostapd /tmp/ap.conf", check=False)[1]
        assert "nl80211" in said and "Line " not in said and "errors found" not in said, said
    host.says(f"sed 's/^wpa_passphrase=.*/wpa_passphrase=short/' {conf} >/tmp/ap.conf")
    said = host.run("timeout 10 hostapd /tmp/ap.conf", check=False)[1]
    assert "errors found" in said, said
    assert "ssid2=e0a4aee0a580e0a49fe0a4b0202331\n" in host.says(f"cat {conf}") + "\n"


def separated(host, scratch):
    """A node gets an address and the broker; people the page; nobody anything through the gateway."""
    node, lan = Side(host, "wlan0", "10.77.0.50/24", via="10.77.0.1"), Side(host, "eth0", "192.168.7.9/24", "203.0.113.9/24", via="192.168.7.2")
    try:
        until("an address for a node", lambda: (node.lease() or "").startswith("10.77.0."), seconds=20)
        lan.listen(9999)
        node.listen(9999)
        gateway, outside = "10.77.0.1", "192.168.7.2"
        until("the cable is up", lambda: lan.tries((outside, 8080))[0] == "open")
        # Should the kernel's setting fall, the firewall still stands.
        host.says("echo 1 >/proc/sys/net/ipv4/ip_forward")
        seen = node.tries((gateway, 1883), (gateway, 8883), (gateway, 22), (gateway, 53), (gateway, 8080), (outside, 8080), (outside, 1883),
                          ("192.168.7.9", 9999), source="10.77.0.50")
        assert seen == ["open", "refused", *["silent"] * 4, "open", "silent"], seen
        seen = node.tries((gateway, 1883), source="10.99.0.9")
        assert seen == ["silent"], seen
        seen = lan.tries((outside, 8080), (outside, 22), (outside, 1883), (outside, 9999), (gateway, 1883), ("10.77.0.50", 9999), source="192.168.7.9")
        assert seen == ["open", "open", *["silent"] * 4], seen
        assert lan.tries((outside, 8080), (outside, 22), source="203.0.113.9") == ["silent", "silent"]
        # Outwards everything goes: a head-end, a time server, a meter on the nodes' side.
        seen = outcomes(host.inside("-n"), [("192.168.7.9", 9999), ("10.77.0.50", 9999)])
        assert seen == ["open", "open"], seen
        # With the firewall away the same tries get through: they can fail.
        rules = host.says("nft list ruleset")
        host.says("nft flush ruleset")
        assert node.tries((gateway, 8080), ("192.168.7.9", 9999), source="10.77.0.50") == ["open", "open"]
        host.says("nft -f /etc/nftables.conf && echo 0 >/proc/sys/net/ipv4/ip_forward")
        assert host.says("nft list ruleset | grep -v counter") == "\n".join(line for line in rules.splitlines() if "counter" not in line)
        print("   apart: nodes reach the broker and nothing else, people the page and ssh, nothing is passed on")
        logged_in(lan, outside, scratch)
    finally:
        node.end()
        lan.end()


def logged_in(lan, outside, scratch):
    """With the key and not otherwise; on the page with the password."""
    words = ["ssh", "-q", "-i", scratch / "key", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={scratch}/known", "-o", "ConnectTimeout=20"]
    done = lan.run([*words, "-o", "BatchMode=yes", f"admin@{outside}", "sudo id -u; touch note && sudo with-writable-root touch /etc/by-ssh"])
    assert done.returncode == 0 and done.stdout.strip() == "0", done
    offered = lan.run([*words, "-o", "PubkeyAuthentication=no", "-o", "BatchMode=yes", "-v", f"admin@{outside}", "true"])
    assert offered.returncode and "Authentications that can continue: publickey\n" in offered.stderr.replace("\r", ""), offered.stderr
    assert lan.run([*words, "-o", "BatchMode=yes", f"root@{outside}", "true"]).returncode, "root logs in"
    assert lan.log_in(f"http://{outside}:8080", "operator", PASSWORD), "the password does not open the page"
    assert not lan.log_in(f"http://{outside}:8080", "operator", "another one"), "another password opens the page"


def writable_for_a_while(host):
    code, said = host.run("with-writable-root sh -c 'touch /etc/once; exit 7'", check=False)
    assert code == 7, said
    host.says("test -e /etc/once")
    # Two at once: the first to end does not close it for the other.
    host.says("with-writable-root sh -c 'echo >/tmp/in; while [ ! -e /tmp/go ]; do sleep 0.05; done; touch /etc/twice' & "
              "while [ ! -e /tmp/in ]; do sleep 0.05; done; with-writable-root true; touch /tmp/go; wait $!")
    # dpkg opens it by itself.
    read_only(host)
    host.says("dpkg --purge less && ! command -v less")
    until("the root is closed again", lambda: host.run("touch /etc/fstab", check=False)[0], seconds=20)
    read_only(host)
    print("   with-writable-root: the root is written for as long as a command or dpkg runs, and read-only again")


def grown(image, parts, scratch):
    """A larger card; what is in the partition stays where it is."""
    card = scratch / "card.img"
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, card], check=True)
    os.truncate(card, 4 << 30)
    grow = ROOT / "packaging/image/tree/usr/lib/gateway-image/grow"
    said = subprocess.run([grow, card], capture_output=True, text=True, check=True)
    table = json.loads(subprocess.run(["sfdisk", "--json", card], capture_output=True, check=True).stdout)["partitiontable"]
    state = table["partitions"][2]
    assert state["start"] * 512 == parts[2][0] and (state["start"] + state["size"]) * 512 == 4 << 30, (state, said)
    assert subprocess.run([grow, card], capture_output=True, check=True).stdout == b"", "grows twice"
    card.unlink()
    print("   grown: the state partition reaches to the end of a larger card")


def lasting(host):
    """What has to be the same after every start."""
    return host.says("cat /etc/machine-id /state/ssh/ssh_host_ed25519_key.pub /state/site/settings; sha256sum </run/gateway-image/hostapd-wlan0.conf")


def main():
    machine.needed("systemd-nspawn", "mmdebstrap", "nsenter", "pgrep", "sfdisk", "ssh", "mcopy")
    deb = pathlib.Path(sys.argv[1]).resolve()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="image-"))
    card = host = None
    try:
        image, parts = built(deb, scratch)
        grown(image, parts, scratch)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", scratch / "key"], check=True)
        card = Card(image, parts, scratch / "card")
        nothing_shared(card)
        in_a_container(card)
        host = start(card)
        read_only(host)
        first = host.says("cat /etc/prepaid-gateway/first-password")
        assert len(first) > 16 and first in host.says("cat /run/issue.d/first-password.issue"), first
        assert host.run("systemctl is-active ssh", check=False)[0], "ssh runs without a key"
        mistakes(card, host)
        host.off()
        good(card, (scratch / "key.pub").read_text().strip())
        host = start(card)
        taken(card, host)
        separated(host, scratch)
        writable_for_a_while(host)
        before = lasting(host)
        host.off()
        host = start(card)
        assert lasting(host) == before, (before, lasting(host))
        assert host.run("test -e /run/issue.d/first-password.issue", check=False)[0], "the first password is shown again"
        host.off()
        print("ok: the image")
    except BaseException:
        if host and host.process.poll() is None:
            print(host.run("systemctl --failed --no-legend; networkctl; journalctl -b --no-pager | tail -n 30", check=False)[1], file=sys.stderr)
        raise
    finally:
        if host:
            host.kill()
        if card:
            card.out()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
