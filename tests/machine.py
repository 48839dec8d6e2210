"""A Debian machine with real systemd in a container, for tests of the package: boot, run commands, power off.

Needs root, systemd-nspawn (package systemd-container) and mmdebstrap. The tree is made once and kept under target/package.
"""
import fcntl
import os
import pathlib
import shutil
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEPT = ROOT / "target" / "package"
INCLUDED = "systemd,systemd-sysv,dbus,udev,iproute2,adduser,ca-certificates"
PATIENCE_S = 120


def base_tree(suite="bookworm"):
    """The tar of a fresh Debian; made if it is not there."""
    tar = KEPT / f"base-{suite}.tar"
    KEPT.mkdir(parents=True, exist_ok=True)
    # Two steps may want it at once.
    with (KEPT / f"base-{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if tar.exists():
            return tar
        making = tar.with_suffix(".making.tar")
        print(f"   making a Debian {suite} tree (once, about three minutes)", flush=True)
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--include={INCLUDED}", suite, making],
            check=True,
        )
        making.rename(tar)
    return tar


def unpack(where, suite="bookworm"):
    """A machine's files below `where`, which must not exist."""
    where.mkdir(parents=True)
    subprocess.run(["tar", "-xf", base_tree(suite), "-C", where], check=True)
    (where / "etc/machine-id").write_text("")
    (where / "etc/fstab").write_text("")
    # The container has no network of its own; nothing here waits for one.
    for unit in ["apt-daily.timer", "apt-daily-upgrade.timer", "systemd-networkd-wait-online.service"]:
        (where / "etc/systemd/system" / unit).symlink_to("/dev/null")


def until(what, holds, seconds=PATIENCE_S):
    """Asks until it holds; what it waits for happens in other processes that tell nobody."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class Machine:
    """A booted tree."""

    def __init__(self, tree, *binds, devices=(), more=()):
        """`binds`: (host's path, path inside), read only. `devices`: the same, of device files. `more`: words for systemd-nspawn."""
        self.tree = pathlib.Path(tree)
        log = (self.tree.parent / f"{self.tree.name}.console").open("ab")
        command = ["systemd-nspawn", "-q", "-D", self.tree, "--register=no", "--keep-unit", "--boot"]
        command += ["--console=pipe", "--private-network"]
        command += [f"--bind-ro={source}:{target}" for source, target in binds]
        command += [f"--bind={source}:{target}" for source, target in devices]
        command += more
        environment = dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=os.environ.get("UNIFIED", "0"))
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
        self.leader = until("a leader", self._leader)
        until("systemd is up", lambda: self.run("systemctl is-system-running", check=False)[1] in ("running", "degraded"))

    def _leader(self):
        if self.process.poll() is not None:
            console = (self.tree.parent / f"{self.tree.name}.console").read_text(errors="replace")
            raise AssertionError(f"the machine did not start:\n{console[-3000:]}")
        children = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-x", "systemd"], capture_output=True, text=True, check=False
        ).stdout.split()
        own = os.readlink("/proc/self/ns/pid")
        for child in children:
            try:
                if os.readlink(f"/proc/{child}/ns/pid") != own:
                    return int(child)
            except OSError:
                pass
        return None

    def inside(self, *namespaces):
        """The words that run a command in some of the machine's namespaces."""
        return ["nsenter", "-t", str(self.leader), *namespaces]

    def run(self, command, check=True, env=()):
        """Runs a shell command in the machine: (exit code, what it printed)."""
        words = self.inside("-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w")
        words += ["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", *env]
        done = subprocess.run(
            [*words, "/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        said = done.stdout.strip()
        if check and done.returncode:
            raise AssertionError(f"{command}: exit code {done.returncode}\n{said}")
        return done.returncode, said

    def says(self, command):
        """What a command prints that must succeed."""
        return self.run(command)[1]

    def get(self, port, path):
        """A page of the machine, over its own loopback: (status, text)."""
        program = (
            "import sys, urllib.request, urllib.error\n"
            "try:\n"
            "    answer = urllib.request.urlopen(sys.argv[1], timeout=10)\n"
            "except urllib.error.HTTPError as error:\n"
            "    answer = error\n"
            "print(answer.status)\n"
            "print(answer.read().decode())\n"
        )
        done = subprocess.run(
            [*self.inside("-n"), "python3", "-c", program, f"http://127.0.0.1:{port}{path}"],
            capture_output=True, text=True, check=False,
        )
        if done.returncode:
            return 0, done.stderr
        status, _, text = done.stdout.partition("\n")
        return int(status), text

    def off(self):
        """A clean power-off."""
        self.run("systemctl poweroff", check=False)
        self.process.wait(timeout=PATIENCE_S)

    def kill(self):
        """What is left of it is ended."""
        if self.process.poll() is None:
            subprocess.run(["kill", "-9", str(self.leader)], check=False)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()


def needed(*commands):
    """Names what is missing; nothing is skipped."""
    packages = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "nsenter": "util-linux",
                "pgrep": "procps", "dpkg-deb": "dpkg"}
    missing = [packages.get(command, command) for command in commands if not shutil.which(command)]
    if os.geteuid() != 0:
        raise SystemExit("needs root: a container is booted")
    if missing:
        raise SystemExit(f"missing: apt-get install {' '.join(missing)}")
