"""What tests/cloud.py is made of: a relay that does to a link what links do, brokers, a head-end that lands its rows in PostgreSQL, gateways.

Everything is below one folder and on loopback; what was started is ended by `end_all`."""

import glob
import json
import os
import pwd
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
import zlib

gateway, simulator = (os.path.abspath(path) for path in sys.argv[1:3])
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CODE = "0123-4567-89AB-CDEF"
TARIFF = "msedcl-lt1b-2026-27"
PATIENCE_S = 120
YEAR_S = 31_536_000
folder = None
started = []


def path(*names):
    return os.path.join(folder, *names)


def start(*words, **how):
    process = subprocess.Popen(words, **how)
    started.append(process)
    return process


def kill(process):
    process.kill()
    process.wait()


def wait_for(what, ready, patience=PATIENCE_S):
    begin = time.monotonic()
    while time.monotonic() - begin < patience:
        value = ready()
        if value:
            return value
        time.sleep(0.1)
    sys.exit(f"   waited {patience} s in vain for {what}")


def write(name, text):
    with open(path(name), "w") as file:
        file.write(text)
    return path(name)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(*words, **how):
    return subprocess.run(words, check=True, timeout=60, stdout=subprocess.PIPE, text=True, **how).stdout


def in_another_time(offset_s):
    """The environment of a process whose clock is wrong."""
    if not offset_s:
        return dict(os.environ)
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") or sys.exit("   libfaketimeMT.so.1 is missing: apt-get install faketime")
    return {**os.environ, "LD_PRELOAD": library[0], "FAKETIME": f"{offset_s:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class Relay:
    """Between gateway and broker: latency in each direction, packets lost, half-open (takes everything, delivers nothing), or cut.

    TCP sends a lost packet again: above it a loss is a pause, twice as long each time the same packet is lost, and all behind it waits."""

    FIRST_PAUSE_S = 0.2
    PACKET = 1400

    def __init__(self, to):
        self.to, self.latency, self.half_open, self.cut, self.loss = to, 0.0, False, False, 0.0
        self.lost, self.random = 0, random.Random(to)
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.cut:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.to), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.pairs.append((client, server))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one, other):
        queue, ended = [], threading.Event()

        def deliver():
            while not ended.is_set() or queue:
                if queue and queue[0][0] <= time.monotonic() and not self.half_open:
                    try:
                        other.sendall(queue.pop(0)[1])
                    except OSError:
                        break
                else:
                    time.sleep(0.005)
            for end in (one, other):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        threading.Thread(target=deliver, daemon=True).start()
        try:
            while data := one.recv(self.PACKET):
                queue.append((time.monotonic() + self.latency + self.pause(), data))
        except OSError:
            pass
        ended.set()

    def pause(self):
        pause, next_pause = 0.0, self.FIRST_PAUSE_S
        while self.random.random() < self.loss:
            self.lost += 1
            pause, next_pause = pause + next_pause, next_pause * 2
        return pause

    def break_all(self):
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs.clear()


class Postgres:
    """A cluster of its own on a Unix socket; the batteries share it."""

    def __init__(self, made=None):
        if made:
            self.socket = made
            return
        binaries = sorted(os.listdir("/usr/lib/postgresql"), key=int)[-1]
        self.bin = f"/usr/lib/postgresql/{binaries}/bin"
        self.data, self.socket = path("pg"), path("pgsocket")
        self.user = {}
        if os.getuid() == 0:
            entry = pwd.getpwnam("postgres")
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid}
        for name in (self.data, self.socket):
            os.mkdir(name)
            if self.user:
                os.chown(name, self.user["user"], self.user["group"])
        run(f"{self.bin}/initdb", "-D", self.data, "-U", "head", "--auth=trust", "-E", "UTF8", cwd="/", **self.user)
        words = [f"{self.bin}/postgres", "-D", self.data, "-k", self.socket, "-c", "listen_addresses="]
        start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self.user)
        ready = [f"{self.bin}/pg_isready", "-h", self.socket, "-U", "head"]
        wait_for("PostgreSQL", lambda: subprocess.run(ready, stdout=subprocess.DEVNULL).returncode == 0)
        self.psql("-f", os.path.join(root, "docs/cloud.sql"))

    def psql(self, *words, text=None):
        words = ["psql", "-h", self.socket, "-U", "head", "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1", *words]
        return run(*words, input=text)

    def query(self, sql):
        rows = self.psql("-c", f"COPY ({sql}) TO STDOUT WITH (FORMAT text)")
        return [line.split("\t") for line in rows.splitlines()]


def sql_list(values, kind):
    quoted = ",".join("'" + str(value).replace("'", "''") + "'" for value in values)
    return f"ARRAY[{quoted}]::{kind}[]"


class HeadEnd:
    def __init__(self, port, postgres, login=None, ahead_s=0):
        words = [simulator, "head-end", "--broker", f"127.0.0.1:{port}", "--land"]
        words += ["--login", login] if login else []
        self.postgres, self.said = postgres, []
        self.process = start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=in_another_time(ahead_s))
        threading.Thread(target=self.listen, daemon=True).start()
        wait_for("the head-end at the broker", lambda: any("ready" in said for said in self.said))

    def tell(self, value):
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def listen(self):
        for line in self.process.stdout:
            value = json.loads(line)
            if "land" in value:
                self.land(value)
                self.tell({"landed": True})
            self.said.append(value)

    def land(self, value):
        rows, of = value["rows"], value["gateway"]
        if value["land"] == "journal":
            lists = [sql_list([row[name] for row in rows], kind) for name, kind in (("at", "bigint"), ("body", "text"), ("hash", "text"))]
            call = f"land_journal('{of}', {rows[0]['branch']}, {rows[0]['number']}, {', '.join(lists)})"
        else:
            kinds = enumerate(("bigint", "bigint", "numeric", "boolean"))
            lists = [sql_list([row[place] for row in rows], kind) for place, kind in kinds]
            call = f"land_profile('{of}', {value['to']}, {', '.join(lists)})"
        # One statement is one transaction; psql returns after its commit. Given twice: the second time nothing may change.
        for _ in range(2):
            self.postgres.psql(text=f"SELECT {call};")

    def order(self, of, act, **times):
        before = sum("ordered" in said for said in self.said)
        self.tell({"gateway": of, "order": act, **times})
        wait_for("the order", lambda: sum("ordered" in said for said in self.said) > before)

    def restore(self, stored):
        """Another head-end's memory."""
        name = write("restore.json", json.dumps(stored))
        self.tell({"restore": name})
        wait_for("the head-end's memory", lambda: any(said.get("restored") == name and said["read"] for said in self.said))

    def dump(self):
        name = path("dump.json")
        if os.path.exists(name):
            os.remove(name)
        self.tell({"dump": name})
        wait_for("the head-end's memory", lambda: any(said.get("dumped") == name for said in self.said))
        self.said = [said for said in self.said if "dumped" not in said]
        with open(name) as file:
            return json.load(file)


def certificates():
    """An authority, a broker's certificate that is good, one that has expired, one for all times, and a client's."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "4000",
        "-keyout", path("ca.key"), "-out", path("ca.pem"), "-subj", "/CN=test authority", stderr=subprocess.DEVNULL, env=in_another_time(-5 * YEAR_S))
    write("names.cnf", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", path("server.key"), "-out", path("server.csr"), "-subj", "/CN=localhost", stderr=subprocess.DEVNULL)
    for name, days, made_s in (("good", "30", 0), ("expired", "0", 0), ("long", "4000", -5 * YEAR_S)):
        run("openssl", "x509", "-req", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-CAcreateserial", "-days", days, "-extfile", path("names.cnf"), "-out", path(f"{name}.pem"), stderr=subprocess.DEVNULL, env=in_another_time(made_s))
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", path("ward5.key"), "-out", path("ward5.csr"), "-subj", "/CN=ward5", stderr=subprocess.DEVNULL)
    run("openssl", "x509", "-req", "-in", path("ward5.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
        "-CAcreateserial", "-days", "30", "-extfile", write("client.cnf", "extendedKeyUsage=clientAuth\n"), "-out", path("ward5.pem"), stderr=subprocess.DEVNULL)
    os.chmod(path("server.key"), 0o644)


class Mosquitto:
    """With TLS, passwords and topic access. It keeps its state on disk, unless it is to forget it."""

    name = "mosquitto"

    def __init__(self, certificate="good", ahead_s=0):
        self.plain, self.tls, self.strict = free_port(), free_port(), free_port()
        certificates()
        write("passwords", "")
        for user, word in (("ward4", "secret"), ("head-end", "other")):
            run("mosquitto_passwd", "-b", path("passwords"), user, word, stderr=subprocess.DEVNULL)
        write("acl", "user ward4\npattern write pgc/1/%c/up/#\npattern read pgc/1/%c/down/#\n\n"
              "user ward5\npattern write pgc/1/%c/up/#\npattern read pgc/1/%c/down/#\n\n"
              "user head-end\ntopic readwrite pgc/#\n")
        os.chmod(path("passwords"), 0o644)
        self.largest, self.certificate, self.ahead_s = 0, certificate, ahead_s
        os.mkdir(path("mosquitto"))
        self.start()

    def start(self):
        certificate = self.certificate
        write("mosquitto.conf", f"""per_listener_settings false
message_size_limit {self.largest}
listener {self.plain} 127.0.0.1
allow_anonymous false
password_file {path("passwords")}
acl_file {path("acl")}
persistence true
persistence_location {path("mosquitto")}/
autosave_interval 1
autosave_on_changes true
user root
listener {self.tls} 127.0.0.1
certfile {path(certificate + ".pem")}
keyfile {path("server.key")}
listener {self.strict} 127.0.0.1
certfile {path(certificate + ".pem")}
keyfile {path("server.key")}
cafile {path("ca.pem")}
require_certificate true
use_identity_as_username true
""")
        self.process = start("/usr/sbin/mosquitto", "-c", path("mosquitto.conf"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=in_another_time(self.ahead_s))
        wait_for("mosquitto", lambda: all(map(accepts, (self.plain, self.tls, self.strict))))

    def retained(self, site, channel):
        """The first line of what a newcomer gets."""
        words = ["mosquitto_sub", "-p", str(self.plain), "-u", "head-end", "-P", "other", "-t", f"pgc/1/{site.number}/up/{channel}"]
        words += ["--retained-only", "-C", "1", "-W", "5", "-F", "%x"]
        said = subprocess.run(words, stdout=subprocess.PIPE, text=True).stdout.strip()
        payload = bytes.fromhex(said)
        if not payload:
            return None
        text = zlib.decompress(payload[66:]) if payload[1] else payload[66:]
        return json.loads(text.split(b"\n")[0])

    def restart(self, certificate="good", keep=True):
        kill(self.process)
        self.certificate = certificate
        if not keep:
            shutil.rmtree(path("mosquitto"))
            os.mkdir(path("mosquitto"))
        self.start()


class Nats:
    """MQTT 3.1.1 over JetStream."""

    name = "nats-server"

    def __init__(self):
        self.plain = free_port()
        self.start()

    def start(self):
        write("nats.conf", f"""server_name: test
listen: 127.0.0.1:{free_port()}
jetstream {{ store_dir: "{path("jetstream")}" }}
mqtt {{ listen: "127.0.0.1:{self.plain}" }}
""")
        self.process = start("nats-server", "-c", path("nats.conf"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("nats-server", lambda: accepts(self.plain))

    def restart(self, keep=True):
        kill(self.process)
        if not keep:
            shutil.rmtree(path("jetstream"))
        self.start()


class Site:
    def __init__(self, name, url, extra):
        self.write(name, url, extra)
        self.start()
        self.number = self.office("cloud", "status")["gateway"]

    def write(self, name, url, extra):
        self.data, self.name, self.page, self.link = path(name), name, free_port(), (url, extra)
        self.config = write(f"{name}.toml", f"""[store]
data_dir = "{self.data}"
[field]
listen = "127.0.0.1:{free_port()}"
[web]
listen = "127.0.0.1:{self.page}"
access = "open"
[clock]
trust = "always"
[cycle]
gather_ms = 5000
[cloud]
url = "{url}"
{extra}
""")

    def copied(self, name):
        """A gateway that stands still: the same card, on other ports. It is not started."""
        copy = Site.__new__(Site)
        copy.write(name, *self.link)
        copy.number = self.number
        shutil.copytree(self.data, copy.data, ignore=shutil.ignore_patterns("*.sock"))
        return copy

    def start(self, ahead_s=0):
        log = open(path(f"{self.name}.log"), "a")
        self.process = start(gateway, "run", "--config", self.config, stdout=log, stderr=log, env=in_another_time(ahead_s))
        wait_for("the gateway", lambda: self.try_office("status") is not None)

    def restart(self, ahead_s=0):
        kill(self.process)
        self.start(ahead_s)

    def enrol(self, head_end, code):
        head_end.tell({"expect": code})
        self.office("cloud", "enrol", "--code", code)
        self.office("usage-point", "add", "Flat 1", "--tariff", TARIFF)
        wait_for("the first rows", self.is_caught_up)

    def words(self, *words):
        return [gateway, *words, "--json", "--data", self.data]

    def office(self, *words):
        return json.loads(run(*self.words(*words), stderr=subprocess.DEVNULL))

    def try_office(self, *words):
        try:
            return self.office(*words)
        except subprocess.CalledProcessError:
            return None

    def rows(self, sql):
        base = sqlite3.connect(f"file:{self.data}/gateway.db?mode=ro", uri=True, timeout=10)
        try:
            return base.execute(sql).fetchall()
        finally:
            base.close()

    def is_caught_up(self):
        status = self.try_office("cloud", "status")
        return status and status["accepted"] and status["backlog"] == 0

    def is_connected(self):
        return self.office("cloud", "status")["connected"]

    def fetch(self, where):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page}{where}", timeout=10) as answer:
            return answer.read().decode()


def sell(site, first, count):
    for number in range(first, first + count):
        site.office("vend", "1", "1", "--key", f"{site.name}-{number}")


def compare(site, postgres, head_end):
    ours = [[str(number), str(at), body, digest] for number, at, body, digest in
            site.rows("SELECT number, at, body, lower(hex(hash)) FROM journal ORDER BY number")]
    theirs = [[row["number"], row["at"], row["body"], row["hash"]] for row in map(lambda r: json.loads(r[0].replace("\\\\", "\\")), postgres.query(
        f"SELECT json_build_object('number', number::text, 'at', extract(epoch FROM at)::bigint::text, 'body', body, 'hash', hash)"
        f" FROM journal_row WHERE gateway = '{site.number}' ORDER BY number"))]
    assert len(ours) == len(theirs), f"{len(ours)} rows at the gateway, {len(theirs)} in PostgreSQL"
    for one, other in zip(ours, theirs):
        assert one == other, f"{one} is not {other}"
    profile = sorted(site.rows("SELECT boundary, node, register, exact FROM profile"))
    stored = sorted((int(b), int(n), int(r), int(e == "t")) for b, n, r, e in postgres.query(
        f"SELECT extract(epoch FROM boundary)::bigint, node, register_wh, exact FROM profile_row WHERE gateway = '{site.number}'"))
    assert profile == stored, "profiles differ"
    orders = head_end.dump()["sites"][site.number]["orders"].values()
    for order in orders:
        assert order["receipt"], order
    vends = [json.loads(row[2])["key"] for row in ours if '"decision":"vended"' in row[2]]
    assert len(vends) == len(set(vends)), "a payment twice"
    return len(ours), len(vends), len(orders)


def receipts(head_end, site):
    """Receipts by sequence, once every order has one."""
    orders = lambda: head_end.dump()["sites"][site.number]["orders"]
    wait_for("every receipt", lambda: all(order["receipt"] for order in orders().values()))
    return {int(sequence): order["receipt"] for sequence, order in orders().items()}


def end_all():
    for process in reversed(started):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM if "postgres" not in process.args[0] else signal.SIGINT)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                kill(process)
