"""Guards the gateway keeps for shop-bought devices: a paho client is a Tasmota plug, with its power and its own loss of power.
Usage: guards.py GATEWAY

Its load limit trips, latches over kill -9 and is reset; a press on the page and one of the resident connect it; after an outage it waits for its turn."""

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt

from running import CLOSED, Site, Visitor

SETTINGS = """[prepay.load_limit]
persistence_s = 2
rest_s = 3
trips = 2
window_s = 600
[prepay.reconnect]
mode = "press"
delay_s = 6
[[field.client]]
name = "plug"
password = "plug-password"
publish = ["tele/plug/#", "stat/plug/#"]
subscribe = ["cmnd/plug/#"]
"""
PASSWORD = "five words make a phrase"
site = Site(sys.argv[1], "guards", SETTINGS, base=CLOSED)
cli, until = site.cli, site.until


def point():
    return cli("usage-point", "show", "1")


def reason(words):
    return any(words in reason for reason in point()["reasons"])


class Plug:
    """Obeys, reports its relay, and its meter each half second."""

    def __init__(self):
        self.relay, self.watts, self.powered, self.total = "ON", 60, True, 6.294
        self.client, self.told = None, []
        threading.Thread(target=self.run, daemon=True).start()

    def connect(self, port):
        client = mqtt.Client("plug") if not hasattr(mqtt, "CallbackAPIVersion") else mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, "plug")
        client.username_pw_set("plug", "plug-password")
        client.on_message = self.hear
        client.connect("127.0.0.1", int(port))
        client.subscribe("cmnd/plug/#", 1)
        client.loop_start()
        self.client = client

    def hear(self, client, _, message):
        if message.topic == "cmnd/plug/POWER" and self.powered:
            self.relay = message.payload.decode()
            self.told.append((time.monotonic(), self.relay))
            client.publish("stat/plug/POWER", self.relay, 1)

    def run(self):
        while True:
            time.sleep(0.5)
            client, watts = self.client, self.watts if self.relay == "ON" else 0
            if client and self.powered:
                energy = {"TotalStartTime": "2018-02-01T00:00:00", "Total": self.total, "Power": watts, "Voltage": 230, "Current": watts / 230}
                client.publish("tele/plug/SENSOR", json.dumps({"Time": "2018-02-15T17:37:10", "ENERGY": energy}), 0)

    def disconnect(self):
        client, self.client = self.client, None
        client.disconnect()
        client.loop_stop()


def press():
    """The button on the office's page."""
    assert "Connect now" in office.get("/usage-point/UP-0001")
    office.post("/usage-point/UP-0001/switch", ask="close")


plug = Plug()
site.run("operator", "set-password", "--data", site.data, typed=f"{PASSWORD}\n{PASSWORD}\n")
site.start()
office = Visitor(site.page)
office.post("/login", name="operator", password=PASSWORD)
try:
    plug.connect(site.port)
    cli("usage-point", "add", "Flat 1", "--tariff", "mepdcl-domestic")
    link = ["--mqtt", "plug", "--dialect", "tasmota", "--login", "plug"]
    until("the plug is heard", lambda: site.heard(link))
    cli("meter", "add", "--usage-point", "1", *link, "--switch", "own")
    until("no credit: OFF", lambda: plug.relay == "OFF")
    cli("vend", "1", "100", "--key", "a")
    until("ready for reconnection", lambda: reason("waits for a press"))
    assert plug.relay == "OFF"
    press()
    until("a press on the page connects", lambda: plug.relay == "ON" and not point()["reasons"])
    print("   nothing closes by itself where a press is wanted; a press on the page closes")

    cli("switch", "limit", "1", "500")
    plug.watts = 900
    until("a trip", lambda: plug.relay == "OFF" and reason("load above the limit"))
    wait_s = point()["wait_s"]
    assert 0 < wait_s <= 3, wait_s
    words = site.run("usage-point", "show", "1", "--data", site.data)
    shown = office.get("/usage-point/UP-0001")
    assert "load above the limit" in words and "Trips of the limit" in shown, (words, shown)
    until("tried again by itself, and latched", lambda: plug.relay == "OFF" and reason("reset it"))
    assert "not-ready-for-reconnection" in cli("switch", "close", "1", refused=True)
    print("   a load above the limit trips, is tried again, and latches")

    site.kill()
    plug.disconnect()
    plug.watts = 60
    site.start()
    plug.connect(site.port)
    time.sleep(3)  # Longer than the rest: a latch that was forgotten would have closed by now.
    assert reason("reset it") and plug.relay == "OFF", (point(), plug.told)
    cli("switch", "reset", "1")
    until("after the reset it waits for a press", lambda: reason("waits for a press"))
    pin = cli("person", "add", "UP-0001", "--role", "resident", "--usage-point", "1", "--generate")["secret"]
    resident = Visitor(site.page).log_in("UP-0001", pin, "593712")
    assert 'action="/my/UP-0001/reconnect"' in resident.get("/my/UP-0001")
    resident.post("/my/UP-0001/reconnect")
    until("connected by the resident", lambda: plug.relay == "ON" and not point()["reasons"])
    assert 'action="/my/UP-0001/reconnect"' not in resident.get("/my/UP-0001")
    print("   the latch outlives kill -9; a person resets it, the resident's own press closes")

    time.sleep(11)  # What the switch does in the ten seconds after an order may still be the order before.
    plug.powered = False
    time.sleep(1)
    plug.relay, plug.powered, back = "OFF", True, time.monotonic()
    plug.client.publish("stat/plug/POWER", "OFF", 1)
    until("it waits for its turn", lambda: reason("power has just returned") and point()["wait_s"] > 0)
    until("and comes back by itself", lambda: plug.relay == "ON" and not point()["reasons"])
    waited = [at - back for at, word in plug.told if at > back and word == "ON"]
    assert waited and 5 <= waited[0] <= 30, waited
    print(f"   after an outage it came back by itself after {waited[0]:.1f} s, in its turn")

    plug.total = 3.000
    until("a register that went backwards is held", lambda: point()["prepay"]["held_since_local"])
    assert "--note" in cli("hold", "clear", "1", refused=True)
    cli("hold", "clear", "1", "--note", "the plug was reset at the workshop", "--waive")
    assert point()["prepay"]["held_since_local"] is None
    assert "nothing-held" in cli("hold", "clear", "1", "--note", "again", refused=True)
    print("   a register that went backwards is held until somebody clears it with a note")

    assert cli("verify")["clean"], cli("verify")
    print("   the journal verifies")
finally:
    site.stop()
