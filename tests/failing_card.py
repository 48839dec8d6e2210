"""A card whose file system turns read-only under a working gateway, as ext4 does after an error. Usage: failing_card.py GATEWAY

A file system of its own on a loop device; the kernel is told to report an error (trigger_fs_error), as it does for a card that fails. Nothing is sold
and the page says so; after a repair and a start everything confirmed is there."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

# Mounts of its own, that end with it.
if not os.environ.get("CARD_INSIDE"):
    os.geteuid() and sys.exit("   needs root: a file system is mounted")
    os.execvpe("unshare", ["unshare", "--mount", sys.executable, *sys.argv], {**os.environ, "CARD_INSIDE": "1"})

from running import Site, free_port

page = free_port()
base = f'[field]\nlisten = "127.0.0.1:0"\n[web]\nlisten = "127.0.0.1:{page}"\naccess = "open"\n[clock]\ntrust = "always"\n'
site = Site(sys.argv[1], "failing-card", base=base)
cli, until = site.cli, site.until
image = f"{site.folder}/card"


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def get(path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{page}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


run("truncate", "-s", "64M", image)
run("mke2fs", "-q", "-t", "ext4", "-e", "remount-ro", image)
loop = run("losetup", "--find", "--show", image)
try:
    os.mkdir(site.data)
    run("mount", loop, site.data)
    trigger = f"/sys/fs/ext4/{os.path.basename(loop)}/trigger_fs_error"
    os.path.exists(trigger) or sys.exit(f"   this kernel has no {trigger}")
    site.start()
    cli("usage-point", "add", "Plot 1", "--tariff", "msedcl-lt1b-2026-27")
    cli("vend", "1", "50", "--key", "before")
    open(trigger, "w").write("the card fails")
    said = cli("vend", "1", "50", "--key", "after", refused=True)
    until("it is not well", lambda: get("/healthz")[0] == 503)
    words = get("/")[1]
    assert ("read-only" in words or "reports an error" in words) and "nothing can be sold" in words, words
    assert "UP-0001" in words or "Plot 1" in words, "the page shows accounts all the same"
    # The machine is started anew without a repair: the same.
    site.kill()
    run("umount", site.data)
    run("mount", "-o", "ro", loop, site.data)
    site.process = subprocess.Popen([site.gateway, "run", "--config", site.config], stderr=open(f"{site.folder}/said", "a"))
    until("the page says read-only", lambda: "read-only" in get("/")[1] and get("/healthz")[0] == 503)
    # It is repaired, and the waiting gateway goes on.
    for _ in range(2):
        subprocess.run(["umount", "--lazy", site.data], capture_output=True)
    checked = subprocess.run(["e2fsck", "-f", "-y", loop], capture_output=True, text=True)
    assert checked.returncode in (0, 1), checked.stdout
    run("mount", loop, site.data)
    until("the gateway works again by itself", lambda: get("/healthz")[0] == 200)
    assert cli("vend", "1", "50", "--key", "before")["repeated"] is True
    assert cli("vend", "1", "50", "--key", "after")["repeated"] is False, said
    assert cli("verify")["clean"]
    site.stop()
    print("   ext4 turned read-only by an error: nothing sold, the page says so; started without repair the same; repaired, all is there and it goes on by itself")
finally:
    site.kill()
    subprocess.run(["umount", "--lazy", site.data], capture_output=True)
    subprocess.run(["losetup", "--detach", loop])
