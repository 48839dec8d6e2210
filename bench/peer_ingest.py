#!/usr/bin/env python3
"""What one would build without the gateway: paho takes readings, sqlite3 keeps a reading row, a balance and a
ledger row, and a message switches the meter when its balance is used up.

Started by `gateway-sim bench --peers`. Prints "ready", then its progress as a JSON line twice a second, until SIGTERM.
Topics: meters/ID/reading and meters/ID/vend come in, meters/ID/switch ("on" or "off") goes out.
Needs Debian's python3-paho-mqtt (1.6 or 2).
"""
import argparse
import json
import queue
import signal
import socket
import sqlite3
import threading
import time

import paho.mqtt.client as mqtt

PLENTY_WH = 1_000_000
MICRO_PER_WH = 10_000
# A batch that does not fill is committed after this time.
BATCH_WAIT_S = 1.0

SCHEMA = """
CREATE TABLE meter (
    id TEXT PRIMARY KEY, register_wh INTEGER NOT NULL, balance_micro INTEGER NOT NULL, switched_on INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE reading (
    at_ms INTEGER NOT NULL, meter TEXT NOT NULL, sequence INTEGER NOT NULL, register_wh INTEGER NOT NULL,
    power_w INTEGER NOT NULL, voltage_dv INTEGER NOT NULL, current_ma INTEGER NOT NULL,
    PRIMARY KEY (at_ms, meter)
) WITHOUT ROWID;
CREATE TABLE ledger (
    number INTEGER PRIMARY KEY, meter TEXT NOT NULL, at_ms INTEGER NOT NULL, wh INTEGER NOT NULL,
    amount_micro INTEGER NOT NULL
);
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--messages-per-commit", type=int, required=True)
    parser.add_argument("--thin-every", type=int, required=True)
    parser.add_argument("--thin-wh", type=int, required=True)
    return parser.parse_args()


def open_database(path):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(SCHEMA)
    return database


class Ingester:
    def __init__(self, options):
        self.options = options
        self.database = open_database(options.database)
        self.client = None
        self.inbox = queue.Queue()
        self.stored = 0
        self.waiting = 0
        self.readings_waiting = 0
        self.waiting_since = 0.0
        self.switches = []

    def first_wh(self, meter):
        index = int(meter) - 1
        if index % self.options.thin_every:
            return PLENTY_WH
        return 2 + index // self.options.thin_every % self.options.thin_wh

    def begin(self):
        if not self.waiting:
            self.database.execute("BEGIN IMMEDIATE")
            self.waiting_since = time.monotonic()
        self.waiting += 1

    def commit(self):
        if not self.waiting:
            return
        self.database.execute("COMMIT")
        self.stored += self.readings_waiting
        self.readings_waiting = 0
        self.waiting = 0
        for meter, state in self.switches:
            self.client.publish(f"meters/{meter}/switch", state, qos=1)
        self.switches.clear()

    def post(self, meter, wh, amount_micro, register_wh):
        """Adds a ledger row, moves the balance, and notes a switch when its sign changes."""
        execute = self.database.execute
        at_ms = time.time_ns() // 1_000_000
        execute("INSERT INTO ledger (meter, at_ms, wh, amount_micro) VALUES (?, ?, ?, ?)", (meter, at_ms, wh, amount_micro))
        execute(
            "UPDATE meter SET register_wh = ?, balance_micro = balance_micro + ? WHERE id = ?",
            (register_wh, amount_micro, meter),
        )
        balance, on = execute("SELECT balance_micro, switched_on FROM meter WHERE id = ?", (meter,)).fetchone()
        if (balance > 0) != bool(on):
            execute("UPDATE meter SET switched_on = ? WHERE id = ?", (int(balance > 0), meter))
            self.switches.append((meter, "on" if balance > 0 else "off"))

    def account(self, meter):
        row = self.database.execute("SELECT register_wh FROM meter WHERE id = ?", (meter,)).fetchone()
        if row is None:
            first = self.first_wh(meter) * MICRO_PER_WH
            self.database.execute("INSERT INTO meter VALUES (?, 0, ?, 1)", (meter, first))
            return 0
        return row[0]

    def store(self, topic, payload):
        self.begin()
        message = json.loads(payload)
        meter = message["m"]
        register_wh = self.account(meter)
        if topic.endswith("/vend"):
            self.post(meter, message["wh"], message["wh"] * MICRO_PER_WH, register_wh)
            # A customer waits: a vend is not kept for the batch.
            self.commit()
            return
        at_ms = time.time_ns() // 1_000_000
        self.database.execute(
            "INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?, ?, ?, ?)",
            (at_ms, meter, message["s"], message["wh"], message["p"], message["v"], message["i"]),
        )
        advance = message["wh"] - register_wh
        self.post(meter, advance, -advance * MICRO_PER_WH, message["wh"])
        self.readings_waiting += 1
        if self.waiting >= self.options.messages_per_commit:
            self.commit()

    def run(self, ended):
        told = 0.0
        while not ended.is_set():
            try:
                self.store(*self.inbox.get(timeout=0.1))
            except queue.Empty:
                pass
            now = time.monotonic()
            if self.waiting and now - self.waiting_since >= BATCH_WAIT_S:
                self.commit()
            if now - told >= 0.5:
                told = now
                print(json.dumps({"stored": self.stored}), flush=True)
        self.commit()


def make_client(name):
    if hasattr(mqtt, "CallbackAPIVersion"):
        return mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, client_id=name)
    return mqtt.Client(client_id=name)


def connected(client):
    # Otherwise a switch waits 40 ms for the acknowledgement of the message before it.
    client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.subscribe([("meters/+/reading", 1), ("meters/+/vend", 1)])


def main():
    options = arguments()
    ingester = Ingester(options)
    ended, subscribed = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    client = make_client("ingester")
    client.max_inflight_messages_set(1000)
    client.on_connect = lambda *_: connected(client)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _client, _data, message: ingester.inbox.put((message.topic, message.payload))
    ingester.client = client
    client.connect("127.0.0.1", options.port)
    client.loop_start()
    if not subscribed.wait(10):
        raise SystemExit("failed to subscribe at the broker")
    print("ready", flush=True)
    ingester.run(ended)
    client.loop_stop()


if __name__ == "__main__":
    main()
