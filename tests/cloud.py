"""A gateway at real brokers and a head-end, over a bad link. Usage: cloud.py GATEWAY GATEWAY_SIM [PART...]

mosquitto (TLS, passwords, topic access) with MQTT 3.1.1 and 5, and nats-server (JetStream, MQTT 3.1.1). The gateway reaches the broker through a
relay that loses packets, is slow, half-open, or cut; broker and gateway are killed in between, the broker with its state and without. The head-end puts rows into
PostgreSQL and acknowledges after the commit. At the end the gateway's journal and profile are compared with PostgreSQL row by row. Beside that: wrong clocks on both sides, settings ordered and
refused, the last will, an expired certificate, a client's certificate, a broker that hangs up on large messages, a metered link, a byte budget, a second enrolment,
one token by two ways, a cloned card, a disk that forgets.

Each part has a broker and a gateway of its own and mostly waits, so they run side by side; with names, only those. Partitions of weeks and a thousand seeds are in
gateway/cloud/tests/storms."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cloud_copies as copies
import cloud_links as links
import cloud_office as office
import cloud_world as world
from cloud_world import CODE, HeadEnd, Mosquitto, Nats, Postgres, Relay, Site, compare, path

LOGIN = "head-end:other"


def tls(relay, protocol="3.1.1", more=""):
    """A site at mosquitto, with TLS and a password."""
    extra = f'protocol = "{protocol}"\nuser = "ward4"\npassword = "secret"\nca = "{path("ca.pem")}"\n{more}'
    return Site(f"tls-{protocol}", f"mqtts://localhost:{relay.port}", extra)


def at_mosquitto(protocol, postgres):
    broker = Mosquitto()
    head_end, relay = HeadEnd(broker.plain, postgres, LOGIN), Relay(broker.tls)
    site = tls(relay, protocol)
    said(f"mosquitto, MQTT {protocol}, TLS", links.battery(broker, site, relay, head_end, postgres))
    return broker, site, head_end


def said(kind, counts):
    rows, vends, orders = counts
    print(f"   {kind}: {rows} journal rows, {vends} payments, {orders} orders, the same on both sides", flush=True)


def part_mosquitto(postgres):
    broker, site, head_end = at_mosquitto("3.1.1", postgres)
    links.expired(broker, site)
    compare(site, postgres, head_end)


def part_mosquitto5(postgres):
    at_mosquitto("5", postgres)


def part_nats(postgres):
    broker = Nats()
    head_end, relay = HeadEnd(broker.plain, postgres), Relay(broker.plain)
    site = Site("nats", f"mqtt://127.0.0.1:{relay.port}", "")
    said("nats-server, MQTT 3.1.1", links.battery(broker, site, relay, head_end, postgres))


def part_clocks(postgres):
    broker = Mosquitto("long")
    head_end, relay = HeadEnd(broker.plain, postgres, LOGIN), Relay(broker.tls)

    def slow(kept):
        """Broker and head-end ten years ago, with what the head-end has stored."""
        broker.ahead_s = -10 * world.YEAR_S
        broker.restart("long")
        late = HeadEnd(broker.plain, postgres, LOGIN, ahead_s=broker.ahead_s)
        late.restore(kept)
        return broker, late

    said("clocks two years behind and ahead here, ten years behind there", links.clocks(broker, head_end, tls(relay), postgres, slow))


def part_office(postgres):
    broker = Mosquitto()
    head_end, relay = HeadEnd(broker.plain, postgres, LOGIN), Relay(broker.tls)
    site = tls(relay)
    site.enrol(head_end, CODE)
    office.office_orders(broker, site, head_end)
    office.site_orders(site, head_end)
    office.undone(site, head_end)
    office.problems(broker, site)
    office.last_will(broker, site)
    compare(site, postgres, head_end)
    office.enrolled_again(site, head_end)
    compare(site, postgres, head_end)


def part_copies(postgres):
    broker = Mosquitto()
    head_end, relay = HeadEnd(broker.plain, postgres, LOGIN), Relay(broker.tls)
    site = tls(relay, "5", f'[tokens]\nkeys_file = "{copies.keys_file()}"\n')
    site.enrol(head_end, CODE)
    copies.tokens(site, head_end)
    copies.cloned(site, head_end, postgres)
    copies.forgotten(site, head_end, postgres)


def part_strict(postgres):
    broker = Mosquitto()
    links.strict(broker, HeadEnd(broker.plain, postgres, LOGIN), postgres)


def part_sparse(postgres):
    broker = Mosquitto()
    links.sparse(broker, HeadEnd(broker.plain, postgres, LOGIN), postgres)


PARTS = {name.removeprefix("part_"): part for name, part in list(globals().items()) if name.startswith("part_")}


def run_part(name, folder, socket):
    world.folder = folder
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        PARTS[name](Postgres(socket))
    finally:
        world.end_all()


def run_all(names):
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"   no such part: {' '.join(unknown)}; there are {' '.join(PARTS)}")
    world.folder = folder = tempfile.mkdtemp(prefix="cloud-")
    os.chmod(folder, 0o755)
    failed, begun, running = [], time.monotonic(), {}
    try:
        postgres = Postgres()
        for name in names or PARTS:
            os.mkdir(path(name))
            os.chmod(path(name), 0o755)
            words = [sys.executable, *sys.argv[:3], "--part", name, path(name), postgres.socket]
            running[name] = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name, process in running.items():
            print(process.stdout.read().rstrip("\n"), flush=True)
            if process.wait():
                failed.append(name)
    finally:
        for process in running.values():
            process.terminate()
            process.wait()
        world.end_all()
    if failed:
        sys.exit(f"   failed: {' '.join(failed)}; kept for a look: {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    print(f"   {len(running)} parts side by side in {time.monotonic() - begun:.0f} s")


if sys.argv[3:4] == ["--part"]:
    run_part(*sys.argv[4:7])
else:
    run_all(sys.argv[3:])
