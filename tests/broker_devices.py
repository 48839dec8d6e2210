"""A shop-bought plug at an external broker (mosquitto) with an access list. Usage: broker_devices.py GATEWAY

What the plug's own login says on its topics is charged and its relay is told; what a neighbour's login tries is stopped by the broker; what it says on
topics that are no login's is not believed. The broker is killed and comes back; the gateway is killed, and the last will says so."""

import json
import os
import shutil
import socket
import subprocess
import sys

import paho.mqtt.client as mqtt

from running import Site, free_port

mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
LOGINS = ("prepaid-gateway", "plug-7", "neighbour", "home")
started = []

port = free_port()
site = Site(sys.argv[1], "broker-devices", base=f"""[field.broker]
address = "127.0.0.1:{port}"
user = "prepaid-gateway"
password = "prepaid-gateway"
[[field.broker.device]]
login = "plug-7"
publish = ["tele/plug7/#", "stat/plug7/#"]
[home_assistant]
enabled = "yes"
[web]
listen = "127.0.0.1:0"
access = "open"
[clock]
trust = "always"
""")
folder, write, cli, until = site.folder, site.write, site.cli, site.until


def start_broker():
    process = subprocess.Popen([mosquitto, "-c", f"{folder}/mosquitto.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    started.append(process)

    def accepts():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until("mosquitto", accepts)
    return process


def pub(login, topic, payload):
    words = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-u", login, "-P", login, "-q", "1", "-t", topic, "-m", payload]
    subprocess.run(words, check=True, timeout=20, stderr=subprocess.DEVNULL)


def connect(login, on_message, topics):
    client = mqtt.Client(login) if not hasattr(mqtt, "CallbackAPIVersion") else mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, login)
    client.username_pw_set(login, login)
    client.on_message = on_message
    client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def sensor(kwh):
    return json.dumps({"ENERGY": {"TotalStartTime": "2018-02-01T00:00:00", "Total": kwh, "Power": 60, "Voltage": 227, "Current": 0.26}})


def register():
    meters = cli("meter", "list")["meters"]
    return meters[0]["register_wh"] if meters else None


write("passwd", "".join(f"{login}:{login}\n" for login in LOGINS))
subprocess.run(["mosquitto_passwd", "-U", f"{folder}/passwd"], check=True)
write("acl", """user prepaid-gateway
topic read pg/1/+/up
topic write pg/1/+/down
topic readwrite pg/1/00000000/up
topic read tele/plug7/#
topic read stat/plug7/#
topic write cmnd/plug7/#
topic write homeassistant/device/#
topic write prepaid/#

user plug-7
topic write tele/plug7/#
topic write stat/plug7/#
topic read cmnd/plug7/#

user neighbour
topic write tele/neighbour/#

user home
topic read homeassistant/#
topic read prepaid/#
""")
write("mosquitto.conf", f"""listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwd
acl_file {folder}/acl
{"user root" if os.getuid() == 0 else ""}
""")
try:
    broker = start_broker()
    site.start()
    plug, seen = {"relay": None}, {}

    def told(client, _, message):
        if message.topic == "cmnd/plug7/POWER":
            plug["relay"] = message.payload.decode()
            client.publish("stat/plug7/POWER", plug["relay"], 1)

    connect("plug-7", told, ["cmnd/plug7/#"])
    connect("home", lambda client, _, message: seen.update({message.topic: message.payload.decode()}), ["homeassistant/#", "prepaid/#"])

    cli("usage-point", "add", "Flat 1", "--tariff", "mepdcl-domestic")
    link = ["--mqtt", "plug7", "--dialect", "tasmota", "--login", "plug-7"]

    def shows():
        pub("plug-7", "tele/plug7/SENSOR", sensor(6.294))
        done = subprocess.run([site.gateway, "meter", "test", *link, "--data", site.data], capture_output=True, text=True, timeout=60)
        return done.stdout

    shown = until("the test shows the plug", shows)
    assert "unauthenticated, believed because the broker keeps its topics for its login" in shown, shown
    cli("meter", "add", "--usage-point", "1", *link, "--switch", "own")
    until("no credit: OFF", lambda: plug["relay"] == "OFF")
    cli("vend", "1", "100", "--key", "a")
    until("credit: ON", lambda: plug["relay"] == "ON")
    pub("plug-7", "tele/plug7/SENSOR", sensor(6.294))
    until("the first register", lambda: register() == 6294)
    print("   a plug at an external broker is metered and switched")

    pub("neighbour", "tele/plug7/SENSOR", sensor(6.299))
    pub("neighbour", "tele/neighbour/SENSOR", sensor(6.299))
    pub("plug-7", "tele/plug7/SENSOR", sensor(6.310))
    until("the register moves", lambda: register() == 6310)
    print("   a neighbour with an account of his own changes nothing")

    broker.kill()
    broker.wait()
    broker = start_broker()

    def after():
        pub("plug-7", "tele/plug7/SENSOR", sensor(6.320))
        return register() == 6320

    until("the register after the broker came back", after, 40)
    print("   the broker dies and comes back: the next message is charged")

    until("Home Assistant sees the credit", lambda: "prepaid/UP-0001/state" in seen and "homeassistant/device/prepaid_UP-0001/config" in seen, 60)
    until("online", lambda: seen.get("prepaid/status") == "online")
    site.kill()
    until("the last will", lambda: seen.get("prepaid/status") == "offline", 40)
    print("   Home Assistant sees the gateway's state, and that it is gone")
finally:
    site.kill()
    for process in reversed(started):
        process.kill()
        process.wait()
