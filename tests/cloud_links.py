"""What a link does to a gateway, at a real broker; at the end its journal and profile are compared with PostgreSQL row by row.

Weeks of it, and a thousand seeds, are in gateway/cloud/tests/storms."""

import os
import time

from cloud_world import CODE, YEAR_S, Relay, Site, compare, kill, path, receipts, sell, wait_for, write


def vend(key):
    return {"command": "vend", "key": key, "usage_point": 1, "amount": 1_000_000, "by": "shop"}


def battery(broker, site, relay, head_end, postgres):
    """Packets lost, 3 s of latency, half-open, cut, the broker killed with and without its state, the gateway killed."""
    site.enrol(head_end, CODE)
    head_end.order(site.number, vend("order-1"))
    sell(site, 0, 5)
    head_end.tell({"misbehave": {"forgets_acks": 30, "repeats_acks": 20, "doubles_orders": 1}})

    relay.loss = 0.3
    head_end.order(site.number, vend("order-lossy"))
    # A new connection each time, so that greetings are lost too.
    for number in range(50, 60):
        relay.break_all()
        sell(site, number, 1)
        wait_for("everything over a link that loses packets", site.is_caught_up)
        if relay.lost > 20:
            break
    assert relay.lost > 20, f"{relay.lost} packets were lost"
    relay.loss = 0.0

    relay.latency = 3.0
    relay.break_all()
    sell(site, 100, 5)
    head_end.order(site.number, vend("order-2"))
    # The clerk and the shop take note of one payment.
    head_end.order(site.number, vend(f"{site.name}-100"))
    wait_for("an acknowledgement over 3 s of latency", site.is_caught_up)
    relay.latency = 0.0

    # Until the gateway notices by itself: the broker's answers to its pings do not come.
    relay.half_open = True
    sell(site, 200, 5)
    head_end.order(site.number, vend("order-half-open"))
    wait_for("a half-open connection to be given up", lambda: not site.is_connected())
    relay.half_open, relay.cut = False, True
    relay.break_all()
    sell(site, 300, 5)
    head_end.order(site.number, vend("order-3"))
    time.sleep(1)
    relay.cut = False

    for keep in (True, False):
        # With rows and an order under way, and more while the broker comes back.
        sell(site, 400 + 20 * keep, 3)
        head_end.order(site.number, vend(f"order-kept-{keep}"))
        broker.restart(keep=keep)
        sell(site, 410 + 20 * keep, 3)
        wait_for("everything after the broker", site.is_caught_up)
    site.restart()
    sell(site, 500, 5)
    broker.restart()
    head_end.tell({"misbehave": {}})
    receipts(head_end, site)
    wait_for("everything stored", site.is_caught_up)
    return compare(site, postgres, head_end)


def clocks(broker, head_end, site, postgres, slow):
    """The gateway's clock is two years behind, ahead, and right; then broker and head-end live ten years ago. `slow` starts those."""
    site.enrol(head_end, CODE)
    sell(site, 0, 3)
    now = int(time.time())
    for number, ahead_s in enumerate((-2 * YEAR_S, 0, 2 * YEAR_S)):
        wait_for("everything", site.is_caught_up)
        site.restart(ahead_s)
        sell(site, 10 * number + 10, 3)
        head_end.order(site.number, vend(f"at {number}"))
        # Good for a year from now: by a clock two years ahead it is too late, and final.
        head_end.order(site.number, vend(f"in time {number}"), not_after=now + YEAR_S)
        receipts(head_end, site)
    outcomes = [receipt.get("refusal") or receipt["outcome"] for _, receipt in sorted(receipts(head_end, site).items())]
    assert outcomes == ["done"] * 5 + ["order-too-late"], outcomes
    site.restart()
    wait_for("everything", site.is_caught_up)
    kept = head_end.dump()
    kill(head_end.process)
    kill(broker.process)
    broker, head_end = slow(kept)
    sell(site, 50, 3)
    head_end.order(site.number, vend("ten years ago"))
    receipts(head_end, site)
    wait_for("everything, with a head-end of ten years ago", site.is_caught_up)
    return compare(site, postgres, head_end)


def strict(broker, head_end, postgres):
    """A client's certificate instead of a password, and a broker that hangs up on messages of more than 7,000 bytes."""
    relay = Relay(broker.strict)
    files = f'ca = "{path("ca.pem")}"\ncert = "{path("ward5.pem")}"\nkey = "{path("ward5.key")}"\n'
    site = Site("strict", f"mqtts://localhost:{relay.port}", files)
    site.enrol(head_end, CODE)
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
    site.enrol(head_end, CODE)
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
