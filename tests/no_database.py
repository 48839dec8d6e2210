"""A gateway that has lost its database and has nothing to mend it with: what the page says to do, done; and contactors on pins meanwhile.
Usage: no_database.py GATEWAY

Database and safe copy are overwritten under a contactor that is closed. The page says why, that supplies stay, and what helps; no output is touched. A
backup is restored beside the waiting gateway, which goes on by itself with the contactor as it was and takes no money until a person has looked."""

import glob
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

from running import Site, free_port

page = free_port()
base = f'[field]\nlisten = "127.0.0.1:0"\n[web]\nlisten = "127.0.0.1:{page}"\naccess = "open"\n[clock]\ntrust = "always"\n'
site = Site(sys.argv[1], "no-database", base=base)
cli, until = site.cli, site.until
trace = site.write("pins.trace", "0 GPIO4 1\n")
stick = f"{site.folder}/stick"
os.mkdir(stick)
passphrase = site.write("passphrase", "correct horse battery\n")
site.write("gateway.toml", open(site.config).read() + f"""[backup]
to = "{stick}"
passphrase_file = "{passphrase}"
[gpio]
driver = "trace"
trace_file = "{trace}"
[[gpio.pulse]]
name = "flat-1"
line = "GPIO4"
impulses_per_kwh = 1000
[[gpio.contactor]]
name = "flat-1"
line = "GPIO20"
""")


def get(path="/"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{page}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


def driven():
    return [line.split()[1:] for line in open(trace + ".out")]


def overwrite(file, content):
    with open(file, "r+b") as damaged:
        damaged.seek(0)
        damaged.write(content * (os.path.getsize(file) // len(content)))


def lose(content):
    """Database and copy, as by a card that forgets."""
    site.kill()
    for file in glob.glob(f"{site.data}/gateway.db-*"):
        if not file.endswith(".lock"):
            os.remove(file)
    shutil.rmtree(f"{site.data}/safe")
    overwrite(f"{site.data}/gateway.db", content)
    open(trace + ".out", "w").close()
    site.process = subprocess.Popen([site.gateway, "run", "--config", site.config], stderr=open(f"{site.folder}/said", "a"))


site.start()
cli("usage-point", "add", "Flat 1", "--tariff", "example-minigrid-2026")
cli("meter", "add", "--usage-point", "UP-0001", "--pulse", "flat-1", "--switch", "gpio:flat-1")
cli("vend", "UP-0001", "50", "--key", "a")
until("the contactor closes", lambda: driven()[-1:] == [["GPIO20", "1"]])
site.run("backup", "--config", site.config)
backup = glob.glob(f"{stick}/prepaid-gateway-*.gpg")[0]

for what, content in [("random bytes", b"\xa5" * 512), ("zeros", bytes(512))]:
    lose(content)
    status, words = until("a page", lambda: (found := get())[0] == 503 and found)
    for part in ["Supplies stay as they are", "prepaid-gateway restore", "docs/backup.md"]:
        assert part in words, (part, words)
    assert get("/static/page.css")[0] == 200, "the page has no clothes"
    assert get("/healthz")[0] == 503 and get("/api/v1/status")[0] == 503
    refused = subprocess.run([site.gateway, "vend", "UP-0001", "1", "--key", "b", "--data", site.data], capture_output=True, text=True)
    assert refused.returncode, refused
    # It is tried again every three seconds.
    time.sleep(7)
    assert driven() == [], driven()
    restored = site.run("restore", backup, "--passphrase-file", passphrase, "--data", site.data)
    until("the gateway works again by itself", lambda: get("/healthz")[0] == 200)
    assert driven()[:1] == [["GPIO20", "1"]], driven()
    assert all(one == ["GPIO20", "1"] for one in driven()), driven()
    assert "money-held" in cli("vend", "UP-0001", "1", "--key", f"b {what}", refused=True)
    cli("cloud", "release", "--note", "looked at in the test")
    cli("vend", "UP-0001", "1", "--key", f"b {what}")
    assert cli("verify")["clean"]
    print(f"   {what} in the place of database and copy: the page says what helps, no output is touched; restored, the contactor as it was, money held")
    if what == "random bytes":
        site.run("backup", "--config", site.config)
site.stop()
