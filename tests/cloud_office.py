"""What an office at the head-end does over mosquitto: orders, settings, names, keys; and what it sees of a site."""

import json
import os
import subprocess

from cloud_world import gateway, kill, start, receipts, wait_for, write

SECOND_CODE = "1123-4567-89AB-CDEF"


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
