"""A gateway at real brokers and a head-end, over a bad link. Usage: cloud.py GATEWAY GATEWAY_SIM

mosquitto (TLS, passwords, topic access) with MQTT 3.1.1 and 5, then nats-server (JetStream, MQTT 3.1.1). The gateway reaches the broker through a
relay that is slow, half-open, or cut; broker and gateway are killed in between. The head-end puts rows into a PostgreSQL of its own and acknowledges after
the commit. At the end the gateway's journal and profile are compared with PostgreSQL row by row. Then one by one: settings ordered and refused, the last will, an
expired certificate, a client's certificate, a broker that hangs up on large messages, a metered link, a byte budget, and a second enrolment.

Clocks that are wrong, partitions of weeks and a thousand seeds are in gateway/cloud/tests/storms."""

import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib

gateway, simulator = (os.path.abspath(path) for path in sys.argv[1:3])
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARIFF = "msedcl-lt1b-2026-27"
CODE = "0123-4567-89AB-CDEF"
SECOND_CODE = "1123-4567-89AB-CDEF"
PATIENCE_S = 120
folder = tempfile.mkdtemp(prefix="cloud-")
os.chmod(folder, 0o755)
path = lambda *names: os.path.join(folder, *names)
started = []


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


class Relay:
    """Between gateway and broker: latency in each direction, half-open (accepts, says nothing), or cut."""

    def __init__(self, to):
        self.to, self.latency, self.half_open, self.cut = to, 0.0, False, False
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
            while data := one.recv(65536):
                queue.append((time.monotonic() + self.latency, data))
        except OSError:
            pass
        ended.set()

    def break_all(self):
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs.clear()


class Postgres:
    """A cluster of its own on a Unix socket."""

    def __init__(self):
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
    def __init__(self, port, postgres, login=None):
        words = [simulator, "head-end", "--broker", f"127.0.0.1:{port}", "--land"]
        words += ["--login", login] if login else []
        self.postgres, self.said = postgres, []
        self.process = start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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

    def order(self, of, act):
        before = sum("ordered" in said for said in self.said)
        self.tell({"gateway": of, "order": act})
        wait_for("the order", lambda: sum("ordered" in said for said in self.said) > before)

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
    """An authority, a broker's certificate that is good, and one that has expired."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
        "-keyout", path("ca.key"), "-out", path("ca.pem"), "-subj", "/CN=test authority", stderr=subprocess.DEVNULL)
    write("names.cnf", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", path("server.key"), "-out", path("server.csr"), "-subj", "/CN=localhost", stderr=subprocess.DEVNULL)
    for name, days in (("good", "30"), ("expired", "0")):
        run("openssl", "x509", "-req", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-CAcreateserial", "-days", days, "-extfile", path("names.cnf"), "-out", path(f"{name}.pem"), stderr=subprocess.DEVNULL)
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", path("ward5.key"), "-out", path("ward5.csr"), "-subj", "/CN=ward5", stderr=subprocess.DEVNULL)
    run("openssl", "x509", "-req", "-in", path("ward5.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
        "-CAcreateserial", "-days", "30", "-extfile", write("client.cnf", "extendedKeyUsage=clientAuth\n"), "-out", path("ward5.pem"), stderr=subprocess.DEVNULL)
    os.chmod(path("server.key"), 0o644)


class Mosquitto:
    def __init__(self):
        self.plain, self.tls, self.strict = free_port(), free_port(), free_port()
        certificates()
        write("passwords", "")
        for user, word in (("ward4", "secret"), ("head-end", "other")):
            run("mosquitto_passwd", "-b", path("passwords"), user, word, stderr=subprocess.DEVNULL)
        write("acl", "user ward4\npattern write pgc/1/%c/up/#\npattern read pgc/1/%c/down/#\n\n"
              "user ward5\npattern write pgc/1/%c/up/#\npattern read pgc/1/%c/down/#\n\n"
              "user head-end\ntopic readwrite pgc/#\n")
        os.chmod(path("passwords"), 0o644)
        self.largest = 0
        self.start("good")

    def start(self, certificate):
        write("mosquitto.conf", f"""per_listener_settings false
message_size_limit {self.largest}
listener {self.plain} 127.0.0.1
allow_anonymous false
password_file {path("passwords")}
acl_file {path("acl")}
persistence false
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
        self.process = start("/usr/sbin/mosquitto", "-c", path("mosquitto.conf"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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

    def restart(self, certificate="good"):
        kill(self.process)
        self.start(certificate)


class Nats:
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

    def restart(self):
        kill(self.process)
        self.start()


class Site:
    def __init__(self, name, url, extra):
        self.data, self.name, self.page = path(name), name, free_port()
        self.config = write(f"{name}.toml", f"""[store]
data_dir = "{self.data}"
[field]
listen = "127.0.0.1:{free_port()}"
[web]
listen = "127.0.0.1:{self.page}"
access = "open"
[clock]
trust = "always"
[cloud]
url = "{url}"
{extra}
""")
        self.start()
        self.number = self.office("cloud", "status")["gateway"]

    def start(self):
        log = open(path(f"{self.name}.log"), "a")
        self.process = start(gateway, "run", "--config", self.config, stdout=log, stderr=log)
        wait_for("the gateway", lambda: self.try_office("status") is not None)

    def restart(self):
        kill(self.process)
        self.start()

    def office(self, *words):
        words = [gateway, *words, "--json", "--data", self.data]
        return json.loads(run(*words, stderr=subprocess.DEVNULL))

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


def battery(kind, broker, site, relay, head_end, postgres):
    head_end.tell({"expect": CODE})
    site.office("cloud", "enrol", "--code", CODE)
    site.office("usage-point", "add", "Flat 1", "--tariff", TARIFF)
    wait_for("the first rows", site.is_caught_up)
    vend = lambda key: {"command": "vend", "key": key, "usage_point": 1, "amount": 1_000_000, "by": "shop"}
    head_end.order(site.number, vend("order-1"))
    sell(site, 0, 5)
    head_end.tell({"misbehave": {"forgets_acks": 30, "repeats_acks": 20, "doubles_orders": 1}})

    relay.latency = 3.0
    relay.break_all()
    sell(site, 100, 5)
    head_end.order(site.number, vend("order-2"))
    # The clerk and the shop take note of one payment.
    head_end.order(site.number, vend(f"{site.name}-100"))
    wait_for("an acknowledgement over 3 s of latency", site.is_caught_up)
    relay.latency = 0.0

    relay.half_open = True
    sell(site, 200, 5)
    time.sleep(2)
    relay.half_open, relay.cut = False, True
    relay.break_all()
    sell(site, 300, 5)
    head_end.order(site.number, vend("order-3"))
    time.sleep(1)
    relay.cut = False

    broker.restart()
    sell(site, 400, 5)
    site.restart()
    sell(site, 500, 5)
    broker.restart()
    head_end.tell({"misbehave": {}})
    answered = lambda: all(order["receipt"] for order in head_end.dump()["sites"][site.number]["orders"].values())
    wait_for("every receipt", answered)
    wait_for("everything stored", site.is_caught_up)
    rows, vends, orders = compare(site, postgres, head_end)
    print(f"   {kind}: {rows} journal rows, {vends} payments, {orders} orders, the same on both sides")


def receipts(head_end, site):
    """Receipts by sequence, once every order has one."""
    orders = lambda: head_end.dump()["sites"][site.number]["orders"]
    wait_for("every receipt", lambda: all(order["receipt"] for order in orders().values()))
    return {int(sequence): order["receipt"] for sequence, order in orders().items()}


def office_orders(broker, site, head_end):
    """A message, a name, settings that are fit and settings that are not; the gateway starts again with the fit ones."""
    before = site.office("cloud", "status")
    words = "Supply off on Sunday <10 to 12>"
    head_end.order(site.number, {"command": "message", "usage_point": 1, "text": words, "by": "asha"})
    head_end.order(site.number, {"command": "change-usage-point", "usage_point": 1, "change": "label", "label": "Flat 1B", "by": "asha"})
    head_end.order(site.number, {"command": "set-config", "values": {"site.name": "Ward 5", "prepay.low_credit": "77.00"}, "by": "asha"})
    head_end.order(site.number, {"command": "set-config", "values": {"prepay.low_credit": "much"}, "by": "asha"})
    head_end.order(site.number, {"command": "set-config", "values": {"field.listen": "0.0.0.0:1"}, "by": "asha"})
    last = [receipt for _, receipt in sorted(receipts(head_end, site).items())][-5:]
    outcomes = [(receipt["outcome"], receipt.get("refusal")) for receipt in last]
    assert outcomes == [("done", None)] * 3 + [("refused", "settings-unfit")] * 2, outcomes
    assert "low_credit" in last[3]["words"] and "field.listen" in last[4]["words"], last[3:]
    page = site.fetch("/usage-point/1")
    assert "Supply off on Sunday" in page and "Flat 1B" in page, "the message is not on the page"
    new_name = lambda: (broker.retained(site, "status") or {}).get("name") == "Ward 5"
    wait_for("the gateway under its new name", new_name)
    wait_for("the journal again", site.is_caught_up)
    status = site.office("cloud", "status")
    assert status["settings"] == {"site.name": "Ward 5", "prepay.low_credit": "77.00"}, status
    assert status["gateway"] == before["gateway"]
    site.office("cloud", "undo", "--note", "only a test")
    old_name = lambda: (broker.retained(site, "status") or {}).get("name") not in (None, "Ward 5")
    wait_for("the gateway under its old name", old_name)
    wait_for("the journal", site.is_caught_up)
    for line in ("prepaid_gateway_cloud_accepted 1", 'prepaid_gateway_cloud_backlog_rows{stream="journal"} 0',
                 "prepaid_gateway_cloud_per_usage_point_today_bytes"):
        wait_for(f"{line} in /metrics", lambda: line in site.fetch("/metrics"))
    assert 'id="cloud"' in site.fetch("/"), "the head-end is not on the page"
    print("   a message, a name, settings fit and unfit: each with its receipt; the gateway started again with them, and without")


def site_orders(site, head_end):
    """What the office orders of guards, emergency credit, meters and holidays is done as a person at the site would do it, and each has its receipt."""
    tell = lambda act: head_end.order(site.number, {**act, "by": "asha"})
    tell({"command": "guard", "ask": "limit-load", "usage_point": 1, "watts": 1500})
    tell({"command": "guard", "ask": "reset-overload", "usage_point": 1})
    tell({"command": "prepay", "ask": "activate-emergency", "usage_point": 1})
    tell({"command": "prepay", "ask": "clear-hold", "usage_point": 1, "note": "nothing there", "charge": True})
    tell({"command": "work-on-meter", "work": {"order": "add", "role": {"usage-point": 1}, "node": 7}})
    tell({"command": "correct", "ask": "make", "usage_point": 1, "what": {"act": "credit", "amount": 5_000_000}, "reason": "outage"})
    tell({"command": "set-calendar", "holidays": "8.11.2026 Diwali"})
    tell({"command": "set-calendar", "holidays": "2026-11-08 Diwali\n# for people\n*-01-26"})
    last = [receipt for _, receipt in sorted(receipts(head_end, site).items())][-8:]
    outcomes = [receipt.get("refusal") or receipt["outcome"] for receipt in last]
    expected = ["done", "overload-not-latched", "emergency-not-offered", "nothing-held", "done", "done", "settings-unfit", "done"]
    assert outcomes == expected, (outcomes, last)
    assert last[4]["answer"] == {"done": "node-added", "node": 7}, last[4]
    settings = {"prepay.friendly.holiday_list": "2026-11-08 Diwali;*-01-26"}
    in_force = lambda: site.office("cloud", "status")["settings"] == settings
    wait_for("the gateway with its holidays", in_force)
    wait_for("the journal after it", site.is_caught_up)
    # The key of the node was made here, and no receipt or row has it.
    key = site.office("node", "label", "7")["key"]
    assert len(key) == 32 and key not in json.dumps(head_end.dump()), "a key travelled"
    assert "1.5 kW" in site.fetch("/usage-point/1") or "1500 W" in site.fetch("/usage-point/1"), "the load limit is not on the page"
    print("   a load limit, a meter, a correction, holidays by order; what the site refuses is refused by name")


def undone(site, head_end):
    """Settings with which two starts in a row do not last ten seconds are undone at the third, by the gateway itself."""
    before = site.office("cloud", "status")["settings"]
    trial = lambda: open(f"{site.data}/settings.trial").read().split()
    number = trial()[0]
    head_end.order(site.number, {"command": "set-config", "values": {"site.name": "Ward 6"}, "by": "asha"})
    receipts(head_end, site)
    wait_for("the first start with them", lambda: trial()[0] != number and trial()[1] == "1")
    kill(site.process)
    site.process = start(gateway, "run", "--config", site.config, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the second start with them", lambda: trial()[1] == "2")
    kill(site.process)
    site.start()
    wait_for("the settings before", lambda: site.office("cloud", "status")["settings"] == before)
    alarms = json.dumps(site.office("alarm", "list"))
    assert "starts with these settings have failed" in alarms, alarms
    site.restart()
    assert site.office("cloud", "status")["settings"] == before, "undone for good"
    wait_for("the journal after it", site.is_caught_up)
    print("   settings that two starts did not survive are undone at the third, with an alarm")


def problems(broker, site):
    """What is wrong at the site is in the retained status while it is wrong."""
    assert broker.retained(site, "status")["problems"] == [], broker.retained(site, "status")
    kill(site.process)
    config = open(site.config).read()
    write(os.path.basename(site.config), config + '[[field.modbus]]\nname = "hall"\nport = "/dev/no-such-port"\n')
    site.start()
    wrong = lambda: any("hall" in words for words in (broker.retained(site, "status") or {}).get("problems", []))
    try:
        wait_for("the broken bus in the status", wrong)
        shown = site.fetch("/")
        assert "The bus hall is down" in shown, "the page says it too"
    finally:
        kill(site.process)
        write(os.path.basename(site.config), config)
        site.start()
    wait_for("nothing wrong again", lambda: (broker.retained(site, "status") or {}).get("problems") == [])
    wait_for("the journal after it", site.is_caught_up)
    print("   the status says what is wrong at the site, as the page does")


def last_will(broker, site):
    """Status is retained; a gateway that dies is known to be lost; a newcomer hears of both."""
    assert broker.retained(site, "status")["state"] == "online"
    assert broker.retained(site, "case")["as_of"] > 0
    kill(site.process)
    wait_for("the last will", lambda: broker.retained(site, "status")["state"] == "lost")
    site.start()
    wait_for("the gateway to say that it is there", lambda: broker.retained(site, "status")["state"] == "online")
    wait_for("everything", site.is_caught_up)
    print("   status and case are retained; a gateway that dies is lost to everybody who asks")


def enrolled_again(site, head_end):
    """The gateway's key is rolled over by a new code, the head-end's by an order."""
    keys = lambda: head_end.dump()["sites"][site.number]["key"]
    before, cloud_key = keys(), site.office("cloud", "status")["cloud_key"]
    head_end.order(site.number, {"command": "roll-key"})
    receipts(head_end, site)
    wait_for("the head-end's next key", lambda: site.office("cloud", "status")["cloud_key"] != cloud_key)
    head_end.order(site.number, {"command": "vend", "key": "with the next key", "usage_point": 1, "amount": 1_000_000, "by": "shop"})
    receipts(head_end, site)
    head_end.tell({"expect": SECOND_CODE})
    site.office("cloud", "enrol", "--code", SECOND_CODE)
    assert keys() != before, "the gateway has its old key"
    head_end.order(site.number, {"command": "vend", "key": "with both", "usage_point": 1, "amount": 1_000_000, "by": "shop"})
    receipts(head_end, site)
    wait_for("everything", site.is_caught_up)
    print("   both keys rolled over, the head-end's by an order, the gateway's by a second code")


def strict(broker, head_end, postgres):
    """A client's certificate instead of a password, and a broker that hangs up on messages of more than 7,000 bytes."""
    relay = Relay(broker.strict)
    files = f'ca = "{path("ca.pem")}"\ncert = "{path("ward5.pem")}"\nkey = "{path("ward5.key")}"\n'
    site = Site("strict", f"mqtts://localhost:{relay.port}", files)
    head_end.tell({"expect": CODE.replace("0", "2", 1)})
    site.office("cloud", "enrol", "--code", CODE.replace("0", "2", 1))
    site.office("usage-point", "add", "Flat 1", "--tariff", TARIFF)
    wait_for("the first rows with a certificate", site.is_caught_up)
    relay.cut = True
    relay.break_all()
    for number in range(150):
        site.office("vend", "1", "1", "--key", os.urandom(30).hex())
    broker.largest = 7000
    broker.restart()
    relay.cut = False
    wait_for("a backlog past a broker that takes only small messages", site.is_caught_up)
    compare(site, postgres, head_end)
    kill(site.process)
    broker.largest = 0
    broker.restart()
    print("   a client's certificate; a broker that hangs up on large messages gets smaller ones")


def sparse(broker, head_end, postgres):
    """A metered link connects, sends and sleeps; over its byte budget the journal still goes, once."""
    relay = Relay(broker.tls)
    extra = f'user = "ward4"\npassword = "secret"\nca = "{path("ca.pem")}"\nmetered = "yes"\ncontact_every_s = 60\ndaily_bytes = 8000\n'
    site = Site("sparse", f"mqtts://localhost:{relay.port}", extra)
    head_end.tell({"expect": CODE.replace("0", "3", 1)})
    site.office("cloud", "enrol", "--code", CODE.replace("0", "3", 1))
    site.office("usage-point", "add", "Flat 1", "--tariff", TARIFF)
    site.office("vend", "1", "1", "--key", "sparse")
    asleep = lambda: (broker.retained(site, "status") or {}).get("state") == "sleeping"
    wait_for("a metered link to sleep", asleep)
    wait_for("the connection to end", lambda: not site.office("cloud", "status")["connected"])
    status = site.office("cloud", "status")
    assert status["backlog"] == 0, status
    retained = broker.retained(site, "status")
    assert retained["until"] > retained["at"] and retained["budget"] == 8000, retained
    assert status["bytes_today"] > 500, status
    # Over the budget: what goes with the next contact is sent, what comes after it waits for an hour, and the link does not stay for that.
    spent = lambda: site.office("cloud", "status")["bytes_today"] > 8000
    for number in range(80):
        site.office("vend", "1", "1", "--key", os.urandom(30).hex())
    wait_for("more than the budget", spent)
    sell(site, 100, 10)
    long = lambda: (lambda said: said["state"] == "sleeping" and said["until"] - said["at"] > 1800 and said["backlog"] > 0)(broker.retained(site, "status"))
    wait_for("a long sleep with rows unsent", long, 300)
    wait_for("the connection to end", lambda: not site.office("cloud", "status")["connected"])
    kill(site.process)
    config = open(site.config).read()
    write(os.path.basename(site.config), config.replace("daily_bytes = 8000", "daily_bytes = 0"))
    site.start()
    wait_for("everything, with another budget", site.is_caught_up, 300)
    compare(site, postgres, head_end)
    kill(site.process)
    print("   a metered link sends, says until when it sleeps, and counts its bytes; over its budget it sleeps longer, and nothing is lost or doubled")


def expired(broker, site):
    """A certificate that has expired is refused by name; nothing is lost."""
    broker.restart("expired")
    sell(site, 900, 3)
    trouble = lambda: "xpired" in (site.office("cloud", "status")["trouble"] or "")
    wait_for("the expired certificate to be named", trouble)
    broker.restart()
    wait_for("a good certificate", site.is_caught_up)
    print("   an expired certificate is refused and named; with a good one everything follows")


try:
    postgres = Postgres()
    mosquitto = Mosquitto()
    for protocol in ("3.1.1", "5"):
        head_end = HeadEnd(mosquitto.plain, postgres, "head-end:other")
        relay = Relay(mosquitto.tls)
        extra = f'protocol = "{protocol}"\nuser = "ward4"\npassword = "secret"\nca = "{path("ca.pem")}"\n'
        site = Site(f"tls-{protocol}", f"mqtts://localhost:{relay.port}", extra)
        battery(f"mosquitto, MQTT {protocol}, TLS", mosquitto, site, relay, head_end, postgres)
        if protocol == "3.1.1":
            expired(mosquitto, site)
            compare(site, postgres, head_end)
            office_orders(mosquitto, site, head_end)
            site_orders(site, head_end)
            undone(site, head_end)
            problems(mosquitto, site)
            last_will(mosquitto, site)
            compare(site, postgres, head_end)
            enrolled_again(site, head_end)
            compare(site, postgres, head_end)
            strict(mosquitto, head_end, postgres)
            sparse(mosquitto, head_end, postgres)
        kill(site.process)
        kill(head_end.process)
    nats = Nats()
    head_end, relay = HeadEnd(nats.plain, postgres), Relay(nats.plain)
    site = Site("nats", f"mqtt://127.0.0.1:{relay.port}", "")
    battery("nats-server, MQTT 3.1.1", nats, site, relay, head_end, postgres)
finally:
    for process in reversed(started):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM if "postgres" not in process.args[0] else signal.SIGINT)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                kill(process)
    if sys.exc_info()[0] is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"   kept for a look: {folder}")
