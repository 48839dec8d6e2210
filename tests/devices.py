"""Shop-bought devices against the daemon: mosquitto_pub with the payloads of the makers, and a paho client that is a plug.
Usage: devices.py GATEWAY

A Tasmota plug meters a usage point and switches it; its credit runs out and it is told OFF; a vend tells it ON; what a neighbour forges
with a login of his own changes nothing. Then a first-generation Shelly takes the plug's place."""

import json
import subprocess
import sys
import time
import urllib.request

import paho.mqtt.client as mqtt

from running import Site

LOGINS = {
    "plug": (["tele/plug/#", "stat/plug/#"], ["cmnd/plug/#"]),
    "neighbour": (["tele/#", "stat/#", "shellies/#"], ["#"]),
    "shelly": (["shellies/em/#"], ["shellies/em/relay/0/command"]),
    "board": (["board/#"], ["board/switch/relay/command"]),
    "home": (["homeassistant/status"], ["homeassistant/#", "prepaid/#"]),
}
CLIENT = """[[field.client]]
name = "{0}"
password = "{0}-password"
publish = {1}
subscribe = {2}
"""
CLIENTS = "".join(CLIENT.format(name, json.dumps(publish), json.dumps(subscribe)) for name, (publish, subscribe) in LOGINS.items())
site = Site(sys.argv[1], "devices", '[home_assistant]\nenabled = "yes"\n' + CLIENTS)
cli, until = site.cli, site.until


def pub(login, topic, payload):
    words = ["mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-u", login, "-P", f"{login}-password", "-q", "1", "-t", topic, "-m", payload]
    subprocess.run(words, check=True, timeout=20)


def sensor(kwh, watts=60):
    return json.dumps({"Time": "2018-02-15T17:37:10", "ENERGY": {
        "TotalStartTime": "2018-02-01T00:00:00", "Total": kwh, "Today": 0.954, "Power": watts, "Voltage": 227, "Current": watts / 227}})


def meter():
    return next(meter for meter in cli("meter", "list")["meters"] if meter["meters"] == "UP-0001")


def register():
    return meter()["register_wh"]


def alarms():
    return json.dumps(cli("alarm", "list"))


def seen(words, kind):
    """Whether an alarm is on the command line, on the page and in the API."""
    asked = [f"http://{page}/alarms", f"http://{page}/api/v1/alarms"]
    pages = [urllib.request.urlopen(url, timeout=10).read().decode() for url in asked]
    return words in alarms() and words in pages[0] and f'"{kind}"' in pages[1]


def point():
    return cli("usage-point", "show", "1")


site.start()
page, port = site.page, site.port
try:
    # A plug that obeys and reports, as Tasmota does.
    plug = {"relay": None, "told": [], "obeys": True, "answers": False}

    def told(client, _, message):
        word = message.payload.decode()
        if message.topic == "cmnd/plug/Status" and plug["answers"]:
            client.publish("stat/plug/STATUS10", json.dumps({"StatusSNS": json.loads(sensor(6.310))}), 1)
        if message.topic == "cmnd/plug/POWER":
            plug["told"].append(word)
            if plug["obeys"]:
                plug["relay"] = word
                client.publish("stat/plug/RESULT", json.dumps({"POWER": word}), 1)
                client.publish("stat/plug/POWER", word, 1)

    client = mqtt.Client("plug") if not hasattr(mqtt, "CallbackAPIVersion") else mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, "plug")
    client.username_pw_set("plug", "plug-password")
    client.on_message = told
    client.connect("127.0.0.1", int(port))
    client.subscribe("cmnd/plug/#", 1)
    client.loop_start()

    cli("usage-point", "add", "Flat 1", "--tariff", "mepdcl-domestic")
    link = ["--mqtt", "plug", "--dialect", "tasmota", "--login", "plug"]
    silent = cli("meter", "test", *link, refused=True)
    assert "nothing was heard" in silent, silent
    pub("neighbour", "tele/plug/SENSOR", sensor(9.9))
    assert "neighbour" in cli("meter", "add", "--usage-point", "1", *link, refused=True)
    pub("plug", "tele/plug/SENSOR", sensor(6.294))
    shown = until("the test shows the plug", lambda: cli("meter", "test", *link)["values"])
    assert ["register", "6.294 kWh"] in shown, shown
    cli("meter", "add", "--usage-point", "1", *link, "--switch", "own")
    until("no credit: OFF", lambda: plug["relay"] == "OFF")
    print("   tested before it was saved; told OFF without credit")

    cli("vend", "1", "100", "--key", "a")
    until("credit: ON", lambda: plug["relay"] == "ON")
    pub("plug", "tele/plug/SENSOR", sensor(6.294))
    until("the first register", lambda: register() == 6294)
    pub("neighbour", "tele/plug/SENSOR", sensor(6.3))
    pub("plug", "tele/plug/SENSOR", "{")
    pub("plug", "tele/plug/SENSOR", sensor(6.310))
    until("the register moves", lambda: register() == 6310)
    shown = site.run("meter", "test", *link, "--data", site.data)
    assert "register   6.310 kWh" in shown and 'raw        tele/plug/SENSOR {"Time"' in shown, shown
    print("   a register is charged; a neighbour's and a malformed message are not")

    # A switch that has just moved is asked at once, the next time a minute later.
    plug["answers"] = True
    before = len(plug["told"])
    pub("neighbour", "stat/plug/POWER", "OFF")
    client.publish("stat/plug/POWER", "OFF", 1)
    until("a button pressed is undone", lambda: plug["told"][before:] == ["ON"])

    until("the plug is asked and answers", lambda: meter()["quality"]["latency_ms"] is not None)
    quality = meter()["quality"]
    assert quality["errors"]["device-wrong-credential"] >= 1 and quality["errors"]["device-message-malformed"] >= 1, quality
    words = site.run("meter", "show", meter()["node"], "--data", site.data)
    assert "device-wrong-credential" in words and "slowest lately" in words, words
    metrics = urllib.request.urlopen(f"http://{page}/metrics", timeout=10).read().decode()
    for line in ('meter_answers_total{meter="N-00000001"}', 'meter_errors_total{meter="N-00000001",kind="device-wrong-credential"}',
                 'meter_latency_seconds{meter="N-00000001"}', 'meter_heard_seconds_ago{meter="N-00000001"}'):
        assert "prepaid_gateway_" + line in metrics, (line, metrics)
    print("   latency and errors of its link, on the command line and in /metrics")

    watching = subprocess.Popen([site.gateway, "--json", "meter", "test", *link, "--watch", "--data", site.data], stdout=subprocess.PIPE, text=True)
    values = [dict(json.loads(watching.stdout.readline())["values"])]
    pub("plug", "tele/plug/SENSOR", sensor(6.311))
    end = time.monotonic() + 30
    while time.monotonic() < end and (values[-1]["register"] != "6.311 kWh" or len(values) < 2):
        values.append(dict(json.loads(watching.stdout.readline())["values"]))
    watching.terminate()
    print("   each new message is shown while somebody watches")

    plug["answers"] = False

    pub("plug", "stat/plug/RESULT", '{"EnergyTotal":{"Total":6.311,"Yesterday":5.340,"Today":0.970}}')
    pub("plug", "tele/plug/SENSOR", sensor(6.312))
    until("a counter asked for is no alarm", lambda: register() == 6312)
    assert "set from outside" not in alarms(), alarms()
    pub("plug", "stat/plug/RESULT", '{"EnergyTotal":{"Total":0.000,"Yesterday":0.000,"Today":0.000}}')
    pub("plug", "tele/plug/SENSOR", sensor(0.0))
    until("a counter set from outside", lambda: "register was set from outside" in alarms())
    assert "register went backwards" in alarms(), alarms()
    print("   a counter set from outside is an alarm")

    plug["obeys"] = False
    cli("supply", "off", "1")
    until("a switch that does not answer", lambda: seen("switch does not answer", "switch-does-not-answer"), 40)
    plug["obeys"] = True
    print("   a switch that does not answer is an alarm")

    until("ordered off", lambda: plug["relay"] == "OFF")
    time.sleep(6)  # The contact has to be open for five seconds before current means anything.
    pub("plug", "tele/plug/SENSOR", sensor(0.0, 900))
    until("welded", lambda: seen("welded", "switch-welded"))
    cli("supply", "auto", "1")
    until("automatic again", lambda: plug["relay"] == "ON")
    print("   a welded contact is an alarm")

    # A switch before its meter: open, no current, and yet voltage.
    board = ["--mqtt", "board", "--dialect", "esphome", "--login", "board"]
    cli("usage-point", "add", "Flat 2", "--tariff", "mepdcl-domestic")
    pub("board", "board/sensor/energy/state", "12.345")
    cli("meter", "add", "--usage-point", "2", *board, "--switch", "own", "--before-meter")
    pub("board", "board/switch/relay/state", "OFF")
    time.sleep(6)  # The same five seconds.
    for name, value in (("current", "0.0"), ("power", "0.0"), ("voltage", "228.4"), ("energy", "12.345")):
        pub("board", f"board/sensor/{name}/state", value)
    until("supplied from elsewhere", lambda: seen("supplied from elsewhere", "supplied-from-elsewhere"))
    print("   a supply from elsewhere is an alarm")

    # Home Assistant: what it would see, and that it can do nothing.
    home, seen_by_home = mqtt.Client("home") if not hasattr(mqtt, "CallbackAPIVersion") else mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, "home"), {}
    home.username_pw_set("home", "home-password")
    home.on_message = lambda client, _, message: seen_by_home.update({message.topic: (message.payload.decode(), message.retain)})
    home.connect("127.0.0.1", int(port))
    home.subscribe([("homeassistant/#", 1), ("prepaid/#", 1), ("pg/#", 1)])
    home.loop_start()
    topic = "homeassistant/device/prepaid_UP-0001/config"
    until("the discovery of usage point 1", lambda: topic in seen_by_home)
    config_of, retained = json.loads(seen_by_home[topic][0]), seen_by_home[topic][1]
    assert retained and config_of["cmps"]["credit"]["dev_cla"] == "monetary" and config_of["cmps"]["supply"]["p"] == "binary_sensor", config_of
    for part in config_of["cmps"].values():
        # A component without a command topic can be looked at only.
        assert not any("cmd" in key or "command" in key for key in part) and "value_json." in part["val_tpl"], part
    assert [place["topic"] for place in config_of["avty"]] == ["prepaid/status", "prepaid/UP-0001/available"], config_of
    until("the gateway is online for it", lambda: seen_by_home.get("prepaid/status", ("",))[0] == "online")
    state = lambda: json.loads(seen_by_home[config_of["stat_t"]][0])
    until("its state", lambda: config_of["stat_t"] in seen_by_home and state()["register_kwh"] and state()["supply"] == "ON", 40)
    credit = float(state()["credit"])
    cli("vend", "1", "50", "--key", "home")
    until("a vend is seen", lambda: float(state()["credit"]) > credit + 49, 40)
    for forged in ("prepaid/UP-0001/supply/set", config_of["stat_t"], "pg/1/00000001/down"):
        words = ["mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-u", "home", "-P", "home-password", "-t", forged, "-m", '{"supply":"OFF"}']
        subprocess.run(words, timeout=20, stderr=subprocess.DEVNULL)
    time.sleep(1)
    assert plug["relay"] == "ON" and state()["supply"] == "ON", (plug, state())
    cli("supply", "off", "1")
    until("an order is seen", lambda: state()["supply"] == "OFF" and state()["reason"], 60)
    cli("supply", "auto", "1")
    assert not any(name.startswith("pg/") for name in seen_by_home), seen_by_home.keys()
    print("   Home Assistant sees credit, register and supply, retained, and can command nothing")

    cli("shadow", "begin", "1")
    cli("shadow", "status")
    cli("shadow", "arm", "1")

    shelly = ["--mqtt", "shellies/em", "--dialect", "shelly-gen1", "--login", "shelly", "--channel", "0"]
    pub("shelly", "shellies/em/emeter/0/power", "2400.5")
    pub("shelly", "shellies/em/emeter/0/total", "123456.7")
    node = meter()["node"]
    available = point()["available_micro"]
    cli("meter", "replace", node, *shelly)
    pub("shelly", "shellies/em/emeter/0/total", "123456.7")
    until("the Shelly's register", lambda: register() == 123456)
    assert point()["available_micro"] == available, (point()["available_micro"], available)
    pub("neighbour", "shellies/em/emeter/0/total", "999999.0")
    pub("shelly", "shellies/em/emeter/0/total", "123460.0")
    until("its register moves", lambda: register() == 123460)
    print("   a Shelly in its place: the account stays")
    report = cli("verify")
    print("   the journal verifies")
finally:
    site.stop()
