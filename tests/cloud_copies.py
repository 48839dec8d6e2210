"""What would move money twice: one token by two ways, and a cloned card, at a real broker with real sockets."""

import os
import subprocess

from cloud_world import compare, kill, receipts, sell, wait_for, write

KEYS = """[[meter]]
usage_point = 1
pan = "600727000000000009"
supply_group = "123456"
tariff_index = 1
key_revision = 1
decoder_key = "f94b6ed353c3bfdb113e2d3a7ea3c41d"
"""


def refused(site, *words):
    """The reason why the site does not do it."""
    said = subprocess.run(site.words(*words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert said.returncode != 0, f"{words} was done: {said.stdout}"
    return said.stdout


def tokens(site, head_end):
    """A resident enters a token and the payment office sends the same one, in either order: one movement."""
    made = [site.office("token", "make", "1", "--kwh", "5", "--key", f"slip-{number}")["token"] for number in range(2)]
    order = lambda token: head_end.order(site.number, {"command": "enter-token", "usage_point": 1, "token": token, "by": "shop"})
    site.office("token", "enter", "1", made[0])
    order(made[0])
    order(made[1])
    last = [receipt for _, receipt in sorted(receipts(head_end, site).items())][-2:]
    outcomes = [receipt.get("refusal") or receipt["outcome"] for receipt in last]
    assert outcomes == ["used", "done"], last
    assert "used" in refused(site, "token", "enter", "1", made[1])
    entered = site.rows("SELECT count(*) FROM journal WHERE decision = 'token-entered'")
    assert entered == [(2,)], entered
    print("   a token entered at the site and sent by the head-end, in either order, is one movement")


def cloned(site, head_end, postgres):
    """A copy of the card is started elsewhere while the first goes on: it is refused, takes no money, and does the first no harm."""
    wait_for("everything", site.is_caught_up)
    kill(site.process)
    copy = site.copied("clone")
    site.start()
    sell(site, 0, 3)
    wait_for("the first gateway", site.is_caught_up)
    copy.start()
    status = lambda: copy.office("cloud", "status")
    wait_for("the copy to be refused", lambda: status()["refused"] == "copy")
    wait_for("its money to be held", lambda: status()["money_held"])
    assert "money-held" in refused(copy, "vend", "1", "1", "--key", "at the copy")
    # Both have one name at the broker. The first is heard all the same, and an order reaches it, not the copy.
    for number in range(3):
        sell(site, 10 + number, 2)
        wait_for("the first gateway beside its copy", site.is_caught_up)
    head_end.order(site.number, {"command": "vend", "key": "which", "usage_point": 1, "amount": 1_000_000, "by": "shop"})
    receipts(head_end, site)
    count = "SELECT count(*) FROM journal WHERE body LIKE '%\"key\":\"which\"%'"
    assert (site.rows(count), copy.rows(count)) == ([(1,)], [(0,)]), "the order was obeyed by the copy"
    assert status()["money_held"] and not status()["accepted"], status()
    kill(copy.process)
    wait_for("everything", site.is_caught_up)
    counts = compare(site, postgres, head_end)
    print(f"   a cloned card is refused and takes no money, the first goes on: {counts[0]} journal rows, the same on both sides")


def forgotten(site, head_end, postgres):
    """The disk forgets the newest records: what the gateway's own copy lacks comes back from the head-end, each payment once."""
    # The safe copy is brought up with each start.
    site.restart()
    wait_for("everything", site.is_caught_up)
    sell(site, 100, 4)
    wait_for("everything", site.is_caught_up)
    keys = "SELECT json_extract(body, '$.key') FROM journal WHERE json_extract(body, '$.decision') = 'vended'"
    credit = lambda: site.office("usage-point", "show", "1")["balance_micro"]
    before, worth = sorted(site.rows(keys)), credit()
    kill(site.process)
    for ending in ("-wal", "-shm"):
        os.remove(f"{site.data}/gateway.db{ending}")
    os.truncate(f"{site.data}/gateway.db", os.path.getsize(f"{site.data}/gateway.db") // 3)
    site.start()
    status = lambda: site.office("cloud", "status")
    # What the gateway has written since is none of the head-end's.
    wait_for("it to be refused", lambda: status()["refused"] == "diverged")
    assert status()["money_held"] and "money-held" in refused(site, "vend", "1", "1", "--key", "meanwhile")
    lost = len(before) - len(site.rows(keys))
    assert lost > 0, "nothing was lost"
    # A person at the utility: the last record both have, and from there on a branch of its own.
    known = head_end.dump()["sites"][site.number]
    ours = dict(site.rows("SELECT number, lower(hex(hash)) FROM journal"))
    both = max(row["number"] for row in known["journal"] if ours.get(row["number"]) == row["hash"])
    head_end.order(site.number, {"command": "reconcile", "branch": 2, "after": both, "note": "the card forgot"})
    wait_for("money to be taken again", lambda: not status()["money_held"])
    # The next hello comes with the next connection.
    site.restart()
    wait_for("the new branch", site.is_caught_up)
    for row in known["journal"]:
        if row["number"] > both and '"decision":"vended"' in row["body"]:
            head_end.order(site.number, {"command": "restore", "body": row["body"]})
    receipts(head_end, site)
    wait_for("everything", site.is_caught_up)
    assert (sorted(site.rows(keys)), credit()) == (before, worth), (lost, credit(), worth)
    verified = site.office("verify")
    assert verified["clean"], verified
    print(f"   the disk forgot {lost} payments: no money taken until the head-end's order, then each back once, the credit as before")


def keys_file():
    name = write("token-keys.toml", KEYS)
    os.chmod(name, 0o600)
    return name
