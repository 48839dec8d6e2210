"""What the disk does to a database, and what the gateway makes of it. Usage: faults.py GATEWAY GATEWAY_SIM

A simulated node supplies a house the whole time. In turn a page is torn, the log is deleted, the file is cut off, emptied and removed, the disk is full,
read-only, and reports errors. Each time the gateway serves a page that says so, no relay moves, and what was confirmed is there or no money is taken."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

# Mounts of its own, that end with it.
if not os.environ.get("FAULTS_INSIDE"):
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    os.execvpe(own[0], [*own, sys.executable, *sys.argv], {**os.environ, "FAULTS_INSIDE": "1"})

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from running import Site, free_port

gateway, simulator = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
nodes, page = free_port(), free_port()
site = Site(
    gateway,
    "faults",
    base=f'[field]\nlisten = "127.0.0.1:{nodes}"\n[web]\nlisten = "127.0.0.1:{page}"\naccess = "open"\n[clock]\ntrust = "always"\n',
)
database, safe = f"{site.data}/gateway.db", f"{site.data}/safe/gateway.db"
os.mkdir(site.data)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "faults", site.data], check=True)
relays = open(site.write("relays", ""), "r+")


def get(path="/"):
    """Status and words of a page; 0: nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{page}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


def is_well():
    return get("/healthz")[0] == 200


def says(words):
    """Whether the page says something, and the health check says that something is wrong."""
    return lambda: words in get()[1] and get("/healthz")[0] == 503


def start():
    """Until the page is served by a whole gateway."""
    site.process = subprocess.Popen([gateway, "run", "--config", site.config], stderr=open(f"{site.folder}/said", "a"))
    site.until("the gateway works", is_well)


def fail(why):
    sys.stderr.write(open(f"{site.folder}/said").read()[-4000:])
    sys.exit(f"   {why}")


site.fail = fail
vends = iter(range(1, 1000))


def vend():
    key = f"vend-{next(vends)}"
    site.cli("vend", point, "50", "--key", key)
    return key


def is_supplied():
    """No relay has moved but by the first recharge, the desired state is as it was, and the node is heard again."""
    since = time.time()
    shown = lambda: json.loads(get("/api/v1/usage-points/" + point)[1])
    now = site.until("the node is heard again", lambda: (found := shown())["last_heard_at"] and found["last_heard_at"] >= since and found)
    assert (now["supply"]["desired"], now["supply"]["reported"], now["supply"]["reasons"]) == ("closed", "closed", []), now
    relays.seek(0)
    moved = re.findall(r"^N-\d+ (closed|opened)", relays.read(), re.M)
    assert moved == ["closed"], moved


def sells(key):
    """Whether a recharge is taken; else it is because the disk is full."""
    asked = [gateway, "vend", point, "1", "--key", key, "--data", site.data]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 or "full" in done.stdout + done.stderr, done
    return done.returncode == 0


def clean():
    found = site.cli("verify")
    assert found["clean"], found


def spoil(name, how, *, kept, stop=site.kill, waits=False):
    """Recharges, kills, spoils, starts; `kept`: everything confirmed has to be there."""
    first = vend()
    site.until("the copy is there", lambda: os.path.exists(safe))
    last = vend()
    stop()
    how()
    for old in glob.glob(f"{site.data}/quarantine-*"):
        # Three within a day are too many; that is tried below.
        os.utime(old, (0, 0))
    start()
    alarms = {alarm["kind"]: alarm for alarm in site.cli("alarm", "list")["alarms"]}
    tried = subprocess.run(
        [gateway, "--json", "vend", point, "50", "--key", last, "--data", site.data], capture_output=True, text=True, timeout=60
    )
    said = tried.stdout + tried.stderr
    if kept:
        assert tried.returncode == 0 and json.loads(tried.stdout)["repeated"], said
        words = alarms["database-mended"]["details"]
    else:
        assert "money-held" in said, said
        words = re.findall(r"mend::open. (.*Z: .*)", open(f"{site.folder}/said").read())[-1]
        assert "no money is taken" in get("/alarms")[1], get("/alarms")
        site.cli("cloud", "release", "--note", "looked at in the test")
        for key in (first, last):
            site.cli("vend", point, "50", "--key", key)
    site.cli("alarm", "ack", str(alarms["database-mended" if kept else "money-held"]["number"]))
    if waits:
        is_supplied()
    clean()
    print(f"   {name}: {words}", flush=True)


def torn(pattern, which):
    def tear():
        with open(database, "r+b") as file:
            content = file.read()
            places = [found.start() for found in re.finditer(re.escape(pattern), content)]
            file.seek(places[int(len(places) * which)] // 1024 * 1024)
            file.write(b"\xa5" * 512)

    return tear


def lost_log():
    os.remove(f"{database}-wal")


def cut_off():
    for ending in ("-wal", "-shm"):
        os.remove(database + ending)
    os.truncate(database, os.path.getsize(database) // 2)


def emptied():
    os.truncate(database, 0)


def gone():
    for file in glob.glob(f"{database}*"):
        if not file.endswith(".lock"):
            os.remove(file)


street = None
try:
    start()
    point = site.cli("usage-point", "add", "Plot 1", "--tariff", "msedcl-lt1b-2026-27")["usage_point"]
    node = site.cli("node", "add", "--usage-point", point)
    site.cli("vend", point, "500", "--key", "first")
    label = site.cli("node", "label", node["node"])
    members = site.write("members", json.dumps({"node": node["node"], "key": label["key"], "seed": 3}) + "\n")
    street = subprocess.Popen(
        [simulator, "neighbourhood", "--broker", f"127.0.0.1:{nodes}", "--members", members, "--interval", "1"],
        stdout=relays,
        stderr=subprocess.STDOUT,
    )
    is_supplied()
    # The copy is brought up with each start.
    site.stop()
    start()
    spoil("a torn page of an account", torn(b'"balance":', 0.99), kept=True, stop=site.stop, waits=True)
    spoil("a torn page of the journal", torn(b'"decision":"vended"', 0.99), kept=False, stop=site.stop)
    spoil("the log deleted", lost_log, kept=False, waits=True)
    spoil("half a file", cut_off, kept=False)
    spoil("no file", gone, kept=False)
    kept = glob.glob(f"{site.data}/quarantine-*")
    assert len(kept) == 3, kept

    # A card that does it all the time.
    for old in kept:
        os.utime(old)
    site.stop()
    emptied()
    site.process = subprocess.Popen([gateway, "run", "--config", site.config], stderr=open(f"{site.folder}/said", "a"))
    site.until("the page says that it happens too often", says("3 times within a day"))
    for old in kept:
        os.utime(old, (0, 0))
    site.until("the gateway works again by itself", is_well)
    site.cli("cloud", "release", "--note", "looked at in the test")
    print("   damaged for the fourth time within a day: it stops with a page that says so; supplies stay")

    # Read-only from the start, then not.
    site.kill()
    mounted = lambda how: subprocess.run(["mount", "-o", f"remount,{how}", site.data], check=True)
    mounted("ro")
    site.process = subprocess.Popen([gateway, "run", "--config", site.config], stderr=open(f"{site.folder}/said", "a"))
    site.until("the page says read-only", says("read-only"))
    mounted("rw")
    site.until("the gateway works again by itself", is_well)
    print("   read-only at the start: a page that says so, and it goes on by itself")

    # Full while it works, and full at the start.
    filler = f"{site.data}/filler"
    fill = lambda: subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], stderr=subprocess.DEVNULL)
    fill()
    # The log has room of its own: recharges go on until that is full too, and each one confirmed stays.
    sold = 0
    while sells(f"full-{sold}"):
        sold += 1
    site.kill()
    fill()
    site.process = subprocess.Popen([gateway, "run", "--config", site.config], stderr=open(f"{site.folder}/said", "a"))
    site.until("the page says full", says("full"))
    os.remove(filler)
    site.until("the gateway works again by itself", is_well)
    for number in range(sold):
        assert site.cli("vend", point, "1", "--key", f"full-{number}")["repeated"], f"recharge {number} of {sold} is lost"
    print(f"   a full disk: named when the log has no room left, {sold} recharges later, and on a page at the start")

    # Errors of the device.
    hurt = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-P", f"{database}-wal", "-P", database]
        + ["-e", "inject=pwrite64,fdatasync,fsync:error=EIO", "-p", str(site.process.pid)]
    )
    site.until("the page tells of the errors", says("reports an error"))
    site.cli("vend", point, "1", "--key", "hurt", refused=True)
    hurt.terminate()
    hurt.wait(10)
    site.until("the gateway works again by itself", is_well)
    assert site.cli("vend", point, "1", "--key", "hurt")["repeated"] is False
    is_supplied()
    clean()
    print("   errors of the device while it works: nothing sold, a page that says so, and it goes on by itself")
finally:
    if street:
        street.kill()
    site.kill()
    subprocess.run(["umount", "--lazy", site.data])
    shutil.rmtree(site.folder, ignore_errors=True)
