"""Backups of a running gateway and the way back. Usage: backup.py GATEWAY

A gateway sells, is backed up beside its work under a passphrase and for a key of age, sells more, and is restored. What a restore would undo is said
before; a restored gateway takes no money until a person has looked; nothing lies about unencrypted."""

import glob
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

gateway = os.path.abspath(sys.argv[1])
for program, package in [("age", "age"), ("gpg", "gpg"), ("tar", "tar")]:
    shutil.which(program) or sys.exit(f"   {program} is missing: apt-get install {package}")

folder = tempfile.mkdtemp(prefix="backup-")
path = lambda name: os.path.join(folder, name)
data, stick = path("data"), path("stick")
os.mkdir(stick)
running = None


def start():
    global running, said_at_start
    running = subprocess.Popen([gateway, "run", "--config", path("etc/gateway.toml")], stderr=subprocess.PIPE, text=True)
    for line in running.stderr:
        if "serving the page" in line:
            said_at_start = line
            # Nobody reads further: what it logs in this test fits into the pipe.
            return
    sys.exit("   the daemon did not start")


def until(true, what, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def stop(how=signal.SIGTERM):
    running.send_signal(how)
    running.wait(20)


def ask(*words, code=0):
    """A subcommand's JSON; of one that is refused everything it says."""
    done = subprocess.run([gateway, *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr if code else json.loads(done.stdout)


def office(*words, code=0):
    return ask(*words, "--data", data, code=code)


def backup(*words, code=0):
    return ask("backup", "--config", path("etc/gateway.toml"), *words, code=code)


def nothing_lies_about():
    left = [str(found) for found in pathlib.Path(folder).rglob("*in-progress*")] + glob.glob(f"{stick}/.*")
    assert not left, left
    for file in pathlib.Path(stick).iterdir():
        text = file.read_bytes()
        assert b"SQLite format 3" not in text and b"gateway.db" not in text, file
        assert file.stat().st_mode & 0o777 == 0o600, file


os.mkdir(path("etc"))
with open(path("etc/gateway.toml"), "w") as config:
    config.write(f"""
[store]
data_dir = "{data}"
[field]
listen = "127.0.0.1:0"
[web]
listen = "127.0.0.1:0"
access = "open"
[clock]
trust = "always"
[backup]
to = "{stick}"
passphrase_file = "{path("etc/passphrase")}"
keep = 2
""")
with open(path("etc/passphrase"), "w") as secret:
    secret.write("short\n")

try:
    start()
    point = office("usage-point", "add", "Plot 1", "--tariff", "msedcl-lt1b-2026-27")["usage_point"]
    node = office("node", "add", "--usage-point", point)
    office("vend", point, "100", "--key", "before")

    said = backup(code=1)
    assert "shorter than 12" in said, said
    with open(path("etc/passphrase"), "w") as secret:
        secret.write("eleven blue kettles sing\n")
    made = backup()
    assert made["records"] > 3 and made["place"].endswith(".gpg"), made
    first = path("first.gpg")
    shutil.copy(made["place"], first)
    subprocess.run(["age-keygen", "-o", path("key")], check=True, stderr=subprocess.DEVNULL)
    public = re.search(r"age1\w+", open(path("key")).read())[0]
    aged = backup("--recipient", public)
    assert aged["place"].endswith(".age"), aged
    shutil.copy(aged["place"], path("first.age"))
    time_of = lambda: set(os.listdir(stick))
    # Names are by the second: the next backup takes another one.
    names = time_of()
    begin = time.monotonic()
    while len(time_of() | names) < 4 and time.monotonic() - begin < 30:
        names |= {os.path.basename(backup()["place"])}
    assert len(os.listdir(stick)) == 2, os.listdir(stick)
    nothing_lies_about()
    said = backup("--to", "/mnt", code=1)
    assert "is the stick in?" in said, said
    print(f"   made beside the running gateway: {made['bytes']} bytes under a passphrase, {aged['bytes']} for a key; two kept, nothing unencrypted")

    page = re.search(r"http://([0-9.:]+)/", said_at_start)[1]
    get = lambda at: urllib.request.urlopen(f"http://{page}{at}", timeout=20)
    newest = max(os.listdir(stick))
    with get("/backup/latest") as answer:
        assert newest in answer.headers["Content-Disposition"], answer.headers
        assert answer.read() == open(f"{stick}/{newest}", "rb").read()
    metrics = get("/metrics").read().decode()
    age = int(re.search(r"^prepaid_gateway_backup_age_seconds (\d+)$", metrics, re.M)[1])
    assert age < 60 and "prepaid_gateway_backup_overdue 0" in metrics, metrics
    assert "/backup/latest" in get("/").read().decode()
    overdue = lambda: [alarm["details"] for alarm in office("alarm", "list")["alarms"] if alarm["kind"] == "backup-overdue"]
    note = json.load(open(f"{data}/backup.json"))
    with open(f"{data}/backup.json", "w") as file:
        json.dump({**note, "at": note["at"] - 4 * 86_400}, file)
    until(lambda: overdue() == ["the last one is 4 days old"], "an alarm")
    backup()
    until(lambda: not overdue(), "it ends with the next backup")
    print("   the newest is downloaded from the page as it is; one of four days ago raises an alarm, which the next one ends")

    wrong = path("wrong")
    open(wrong, "w").write("eleven green kettles sing\n")
    phrase = ("--passphrase-file", path("etc/passphrase"))
    said = office("restore", first, "--passphrase-file", wrong, code=1)
    assert "gpg says" in said, said
    torn = path("torn.gpg")
    open(torn, "wb").write(open(first, "rb").read()[:-700])
    office("restore", torn, *phrase, code=1)
    open(torn, "wb").write(b"nothing of ours" * 100)
    office("restore", torn, *phrase, code=1)
    office("restore", path("first.age"), *phrase, code=1)

    office("vend", point, "250", "--key", "after")
    office("supply", "off", point)
    planned = office("restore", first, *phrase, "--dry-run")
    assert planned["undone"]["vended"] == 1 and planned["recharged_micro"] == 250_000_000, planned
    assert planned["common"] == made["records"] and planned["replaced"] is None, planned
    again = office("restore", path("first.age"), "--identity", path("key"), "--dry-run")
    assert again["undone"]["vended"] == 1, again
    refused = office("restore", first, *phrase, code=1)
    assert "another gateway is using" in refused, refused
    assert office("usage-point", "show", point)["usage_point"] == point
    print("   wrong passphrase, torn and foreign files are refused; a rehearsal names the recharge that would be undone; a running gateway is left alone")

    stop(signal.SIGKILL)
    done = office("restore", first, *phrase)
    assert os.path.exists(f"{done['replaced']}/gateway.db") and os.path.exists(f"{done['config']}/gateway.toml"), done
    nothing_lies_about()
    start()
    held = office("vend", point, "250", "--key", "after", code=1)
    assert "money-held" in held, held
    # Nobody's supply changes because of it: the order of the time of the backup holds.
    shown = office("usage-point", "show", point)
    assert shown["order"] == "auto", shown
    office("cloud", "release", "--note", "the till's list was compared")
    office("vend", point, "250", "--key", "after")
    assert office("vend", point, "100", "--key", "before")["repeated"] is True
    assert office("node", "label", node["node"])["key"] == node["key"]
    office("verify")
    stop()
    start()
    office("vend", point, "10", "--key", "later")
    stop()
    print("   restored: money held until a person has looked, then taken; the nodes' keys are there; verify finds nothing")

    shutil.rmtree(data)
    bare = office("restore", path("first.age"), "--identity", path("key"))
    assert bare["undone"] is None, bare
    start()
    assert "money-held" in office("vend", point, "1", "--key", "x", code=1)
    stop()
    print("   restored on an empty card: the same")
finally:
    if running and running.poll() is None:
        running.kill()
        running.wait()
    shutil.rmtree(folder, ignore_errors=True)
