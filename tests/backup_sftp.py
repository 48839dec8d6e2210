"""Backups over SFTP to a real sshd, as one keeps it for such a purpose: a user locked into a directory. Usage: backup_sftp.py GATEWAY

The far side is known, unknown or somebody else; takes the key or not; is full; the line is cut in the middle. Whatever happens, a name there is
the name of a whole backup. Needs root: sshd locks a user in by chroot, and a full disk is mounted."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from running import Site, free_port

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
if not os.path.exists(SSHD):
    sys.exit("   sshd is missing: apt-get install openssh-server")
if os.geteuid() != 0:
    sys.exit("   needs root: sshd locks a user in")

# Every directory above one a user is locked into must be root's alone; /tmp is not.
folder = pathlib.Path(tempfile.mkdtemp(prefix="backup-sftp-", dir="/run"))
os.chmod(folder, 0o755)
os.makedirs("/run/sshd", exist_ok=True)
jail, full = folder / "jail", folder / "jail/full"
full.mkdir(parents=True)
(jail / "in").mkdir()
shutil.chown(jail / "in", "nobody")
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=777", "tmpfs", full], check=True)


def key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return pathlib.Path(f"{path}.pub").read_text()


class Server:
    """An sshd of its own; `more`: further lines of its configuration."""

    def __init__(self, name, more=""):
        self.port, config = free_port(), folder / f"{name}.conf"
        self.key = key(folder / f"{name}-key")
        config.write_text(f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {folder}/{name}-key
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
ChrootDirectory {jail}
{more}""")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=(folder / f"{name}.log").open("w"))

    def is_up(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def cut_after(port, most):
    """A way to a port that is cut, both sides at once, after so many bytes towards it, and stays so. Its own port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def pipe(source, to, left):
        try:
            while left > 0 and (some := source.recv(min(left, 65_536))):
                to.sendall(some)
                left -= len(some)
        except OSError:
            pass
        for end in (source, to):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve():
        here, _ = listening.accept()
        listening.close()
        there = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=pipe, args=(there, here, 1 << 40), daemon=True).start()
        pipe(here, there, most)

    own = listening.getsockname()[1]
    threading.Thread(target=serve, daemon=True).start()
    return own


def there(directory):
    return sorted(os.listdir(jail / directory))


site = Site(sys.argv[1], "backup-sftp")
servers = []
try:
    servers += [Server("far"), Server("words", "PubkeyAuthentication no\nKbdInteractiveAuthentication no\n")]
    far, words = servers
    site.write("passphrase", "eleven blue kettles sing\n")
    # Takes long enough to be cut, and more than the full disk has: noise does not compress.
    pathlib.Path(site.folder, "noise").write_bytes(os.urandom(2_000_000))

    def backup(place, code=0):
        asked = [site.gateway, "backup", "--config", site.config, "--to", place, "--passphrase-file", f"{site.folder}/passphrase", "--json"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, (place, done.returncode, done.stdout, done.stderr)
        assert not [name for name in os.listdir(site.data) if "in-progress" in name], os.listdir(site.data)
        return done.stdout + done.stderr if code else json.loads(done.stdout)

    site.start()
    site.cli("usage-point", "add", "Plot 1", "--tariff", "msedcl-lt1b-2026-27")
    site.cli("vend", "1", "100", "--key", "before")
    for server in servers:
        site.until("sshd is up", server.is_up)
    place = f"sftp://nobody@127.0.0.1:{far.port}/in"
    ssh = pathlib.Path(site.data, ".ssh")
    ssh.mkdir(mode=0o700)

    said = backup(place, code=1)
    assert "the key of 127.0.0.1 is not known" in said and f"ssh-keyscan -p {far.port}" in said, said
    known = lambda *lines: (ssh / "known_hosts").write_text("".join(f"[127.0.0.1]:{port} {line}" for port, line in lines))
    known((far.port, words.key))
    said = backup(place, code=1)
    assert "shows another key than the one in" in said, said
    known((far.port, far.key), (words.port, words.key))
    said = backup(place, code=1)
    assert "takes no key from" in said and "ssh-keygen" in said, said
    mine = key(ssh / "id_ed25519")
    said = backup(place, code=1)
    assert "takes no key from" in said, said
    (folder / "authorized").write_text(mine)
    said = backup(f"sftp://nobody@127.0.0.1:{words.port}/in", code=1)
    assert "takes no key from" in said, said
    said = backup(f"sftp://nobody@127.0.0.1:{free_port()}/in", code=1)
    assert "Connection refused" in said, said
    said = backup(f"sftp://nobody@127.0.0.1:{far.port}/nowhere", code=1)
    assert "sftp says" in said and "Connected" not in said and "nowhere" in said, said
    said = backup("sftp://nobody@127.0.0.1", code=1)
    assert "sftp://user@host/directory" in said, said
    assert there("in") == there("full") == [], (there("in"), there("full"))
    print("   unknown or another host, no key, a key that is not taken, a password wanted, nobody there, no such directory: named, and nothing is sent")

    made = backup(place)
    assert there("in") == [os.path.basename(made["place"])], there("in")
    arrived = jail / "in" / os.path.basename(made["place"])
    assert arrived.stat().st_size == made["bytes"] and arrived.stat().st_mode & 0o777 == 0o600, arrived.stat()
    restored = ["restore", str(arrived), "--passphrase-file", f"{site.folder}/passphrase", "--dry-run"]
    assert site.cli(*restored)["records"] == made["records"]
    print(f"   {made['bytes']} bytes arrived, for their owner only, and what arrived can be restored")

    said = backup(f"sftp://nobody@127.0.0.1:{far.port}/full", code=1)
    assert "sftp says" in said, said
    assert there("full") == [], there("full")
    full_says = json.loads(said.splitlines()[0])["message"].split("sftp says: ")[1]
    cut = cut_after(far.port, 1_000_000)
    known((far.port, far.key), (cut, far.key))
    said = backup(f"sftp://nobody@127.0.0.1:{cut}/in", code=1)
    left = [name for name in there("in") if name != arrived.name]
    assert left and not [name for name in left if not name.endswith(".part")], left
    assert 0 < (jail / "in" / left[0]).stat().st_size < made["bytes"], "it was to be cut in the middle"
    again = os.path.basename(backup(place)["place"])
    assert there("in") == sorted({arrived.name, again}), there("in")
    print(f"   a full disk there ({full_says}): nothing is left; cut in the middle: half a backup has no backup's name, and the next one takes its place")
finally:
    site.kill()
    for server in servers:
        server.process.kill()
        server.process.wait()
    subprocess.run(["umount", full], check=False)
    shutil.rmtree(folder, ignore_errors=True)
