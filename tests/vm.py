"""A Debian machine under qemu, without KVM, whose power can be cut: its drive has a cache that forgets what was not flushed.

Needs root, qemu-system-x86, qemu-utils, nbdkit, kmod, lz4, e2fsprogs and mmdebstrap. Kernel and tree are kept under target/package. The machine is told
what to do through a shell behind a port of the host's loopback."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import machine
from machine import KEPT, until
from running import free_port

KERNEL = "linux-image-cloud-amd64"
BOOT_S = 300
LZ4_MAGIC = b"\x02\x21\x4c\x18"
OPTIONS = "console=ttyS0 quiet systemd.show_status=0 mitigations=off net.ifnames=0"
NETWORK = "[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
SHELL_SOCKET = "[Socket]\nListenStream=7777\nAccept=yes\n[Install]\nWantedBy=sockets.target\n"
SHELL = "[Service]\nExecStart=/bin/bash -s\nStandardInput=socket\nStandardOutput=socket\nStandardError=socket\n"


def sh(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, text=True, **more)


def kernel():
    """(the kernel as an ELF file, its modules, its version); fetched from Debian once. Without initrd and unpacked it starts in seconds."""
    folder = KEPT / "kernel"
    if not (folder / "vmlinux").exists():
        shutil.rmtree(folder, ignore_errors=True)
        said = sh("apt-cache", "depends", KERNEL, stdout=subprocess.PIPE).stdout
        name = next(line.split()[1] for line in said.splitlines() if "Depends:" in line)
        print(f"   fetching {name} (once)", flush=True)
        folder.mkdir(parents=True)
        sh("apt-get", "download", "-qq", name, cwd=folder, stderr=subprocess.DEVNULL)
        sh("dpkg-deb", "-x", next(folder.glob("*.deb")), folder)
        packed = next((folder / "boot").glob("vmlinuz-*")).read_bytes()
        # Behind the packed kernel stands more than lz4 reads; what it has written by then is whole.
        done = subprocess.run(["lz4", "-dc"], input=packed[packed.index(LZ4_MAGIC):], capture_output=True, check=False)
        assert done.stdout[:4] == b"\x7fELF", "the kernel is not packed as expected"
        (folder / "vmlinux").write_bytes(done.stdout)
    return folder / "vmlinux", folder / "lib/modules", next((folder / "lib/modules").iterdir()).name


# The drive is a virtio one, whose driver is a module. Not NVMe, which would need none: qemu ignores its "force unit access", so that the last
# commit of a file system's log is lost with the cache, whatever was flushed.
MODULES = ["virtio/virtio_ring.ko", "virtio/virtio.ko", "virtio/virtio_pci_modern_dev.ko", "virtio/virtio_pci_legacy_dev.ko", "virtio/virtio_pci.ko", "block/virtio_blk.ko"]
FIRST = """#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  char name[16];
  for (int n = 0; n < %d; n++) {
    sprintf(name, "/m%%d", n);
    if (syscall(SYS_finit_module, open(name, O_RDONLY), "", 0)) perror(name);
  }
  mount("dev", "/dev", "devtmpfs", 0, 0);
  for (int tries = 0; mount("/dev/vda", "/root", "ext4", 0, 0) && tries < 600; tries++) usleep(100000);
  chdir("/root");
  mount(".", "/", 0, MS_MOVE, 0);
  chroot(".");
  execl("/sbin/init", "init", (char *)0);
  perror("/sbin/init");
  return 1;
}
"""


def first_files(scratch):
    """The initrd: a program that loads the drive's driver and goes on to the drive."""
    _, modules, version = kernel()
    (scratch / "first.c").write_text(FIRST % len(MODULES))
    sh("cc", "-static", "-Os", "-o", scratch / "first", scratch / "first.c")
    files = [("init", 0o100755, (scratch / "first").read_bytes()), ("dev", 0o040755, b""), ("root", 0o040755, b"")]
    drivers = modules / version / "kernel/drivers"
    files += [(f"m{n}", 0o100644, (drivers / name).read_bytes()) for n, name in enumerate(MODULES)]
    packed = b""
    for number, (name, mode, content) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        packed += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        packed += b"\0" * (-len(packed) % 4) + content
        packed += b"\0" * (-len(packed) % 4)
    image = scratch / "first.cpio"
    image.write_bytes(packed)
    return image


def disk(scratch, size_mb=1500):
    """An image of a Debian that starts by itself, with the shell behind its port."""
    first_files(scratch)
    _, modules, version = kernel()
    tree, image = scratch / "tree", scratch / "disk.img"
    machine.unpack(tree)
    shutil.copytree(modules, tree / "usr/lib/modules", symlinks=True)
    sh("depmod", "-b", tree, version)
    units = tree / "etc/systemd/system"
    for at, text in [(tree / "etc/systemd/network/eth0.network", NETWORK), (units / "lab.socket", SHELL_SOCKET), (units / "lab@.service", SHELL)]:
        at.write_text(text)
    for wanted, unit in [("sockets.target", units / "lab.socket"), ("multi-user.target", pathlib.Path("/lib/systemd/system/systemd-networkd.service"))]:
        (units / f"{wanted}.wants").mkdir(exist_ok=True)
        (units / f"{wanted}.wants" / unit.name).symlink_to("/" / unit.relative_to(tree) if unit.is_relative_to(tree) else unit)
    for masked in ["systemd-networkd-wait-online.service", "systemd-timesyncd.service", "getty@tty1.service"]:
        (units / masked).unlink(missing_ok=True)
        (units / masked).symlink_to("/dev/null")
    sh("truncate", "-s", f"{size_mb}M", image)
    sh("mke2fs", "-q", "-t", "ext4", "-d", tree, "-O", "^metadata_csum_seed", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
    shutil.rmtree(tree)
    return image


class Drive:
    """An image behind a cache that only a flush empties."""

    def __init__(self, image):
        self.socket = pathlib.Path(tempfile.mkdtemp(prefix="drive-", dir=image.parent)) / "nbd"
        words = ["nbdkit", "-f", "-U", self.socket, "--filter=cache", "file", image, "cache=writeback"]
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL)
        until("the drive", self.socket.exists)

    @property
    def url(self):
        return f"nbd:unix:{self.socket}"

    def kill(self):
        self.process.kill()
        self.process.wait()


def forgets(scratch):
    """The cache does forget: one block is written and flushed, another only written, and the power is cut."""
    image = scratch / "control.img"
    sh("truncate", "-s", "4M", image)
    drive = Drive(image)
    # It would flush at its end; it is killed before. Without `-t writeback` each write is flushed.
    words = ["stdbuf", "-oL", "qemu-io", "-t", "writeback", "-f", "raw"]
    for order in ["write -P 0xaa 0 64k", "flush", "write -P 0xbb 1M 64k", "sleep 60000"]:
        words += ["-c", order]
    writer = subprocess.Popen([*words, drive.url], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    written = 0
    while written < 2:
        line = writer.stdout.readline()
        assert line, "qemu-io ended"
        written += "wrote 65536" in line
    drive.kill()
    writer.kill()
    writer.wait()
    kept = image.read_bytes()
    image.unlink()
    assert kept[:65_536] == b"\xaa" * 65_536, "what was flushed is lost"
    assert kept[1 << 20:(1 << 20) + 65_536] == b"\0" * 65_536, "what was not flushed is there: such a drive proves nothing"


class Vm:
    """A started machine. `ports`: those of the guest that are reached from here, as {guest's: host's}; the same again for a next life."""

    def __init__(self, image, *guest_ports, ports=None, more=()):
        elf, _, _ = kernel()
        self.drive = Drive(image)
        self.ports = ports or {port: free_port() for port in (7777, *guest_ports)}
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for there, here in self.ports.items())
        self.console = image.with_suffix(".console")
        words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35"]
        words += ["-accel", "tcg,thread=multi", "-cpu", "qemu64", "-m", "512", "-smp", "2", "-kernel", elf, "-append", OPTIONS, "-initrd", image.parent / "first.cpio"]
        words += ["-drive", f"file={self.drive.url},format=raw,if=none,id=d0,cache=none", "-device", "virtio-blk-pci,drive=d0"]
        words += ["-netdev", f"user,id=n0{forwards}", "-device", "virtio-net-pci,netdev=n0,romfile="]
        words += ["-object", "rng-random,filename=/dev/urandom,id=r0", "-device", "virtio-rng-pci,rng=r0"]
        words += ["-chardev", f"file,id=c0,path={self.console},append=on", "-serial", "chardev:c0", *more]
        # When the power goes it complains of the drive.
        complaints = image.with_suffix(".complaints").open("ab")
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stderr=complaints)
        try:
            until("the machine is up", self._is_up, BOOT_S)
        except BaseException:
            self.cut()
            raise

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"qemu ended: {self.console.read_text(errors='replace')[-2000:]}")
        try:
            return self.run("true", check=False, seconds=10)[0] == 0
        except (OSError, ValueError):
            return False

    def run(self, script, check=True, seconds=120):
        """Runs a script as root: (exit code, what it printed)."""
        with socket.create_connection(("127.0.0.1", self.ports[7777]), timeout=seconds) as line:
            line.sendall(f"({script}\n) 2>&1 </dev/null\necho \"ended $?\"\nexit\n".encode())
            heard = b""
            while some := line.recv(65_536):
                heard += some
        said, _, code = heard.decode(errors="replace").rpartition("ended ")
        if check and int(code):
            raise AssertionError(f"{script}: exit code {code}\n{said}")
        return int(code), said.strip()

    def says(self, script, seconds=120):
        return self.run(script, seconds=seconds)[1]

    def put(self, path, content):
        """A file of the machine."""
        with socket.create_connection(("127.0.0.1", self.ports[7777]), timeout=120) as line:
            line.sendall(f"head -c {len(content)} >{path}; sync; echo kept; exit\n".encode() + content)
            heard = b""
            while b"kept" not in heard:
                some = line.recv(65_536)
                assert some, f"{path} was not kept: {heard}"
                heard += some

    def cut(self):
        """The power: first the drive with what it holds in its cache, then the machine."""
        self.drive.kill()
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


def needed():
    commands = {"qemu-system-x86_64": "qemu-system-x86", "qemu-io": "qemu-utils", "nbdkit": "nbdkit", "depmod": "kmod", "lz4": "lz4", "cc": "gcc", "stdbuf": "coreutils",
                "mke2fs": "e2fsprogs", "mmdebstrap": "mmdebstrap"}
    missing = [package for command, package in commands.items() if not shutil.which(command)]
    if os.geteuid() != 0:
        raise SystemExit("   needs root: a machine's disk is made")
    if missing:
        raise SystemExit(f"   missing: apt-get install {' '.join(missing)}")
