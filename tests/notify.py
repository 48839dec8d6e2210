"""Notices by e-mail and webhook. Usage: notify.py GATEWAY

A daemon with a real SMTP server (aiosmtpd, with STARTTLS and a login) and a webhook receiver that fails when told to. Alarms are raised by paying twice with one
key and another amount. Every notice has to arrive, in the journal's order, signed, and by its id exactly once: while the receiver answers 500, takes
a notice and hangs up, hangs, while the mail server says 450, and over kill -9. The cycle goes on meanwhile."""

import base64
import email
import email.policy
import getpass
import hashlib
import hmac
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from running import OPEN, Site, free_port

SECRET = bytes(range(32))
site = Site(sys.argv[1], "notify", base="")
path = lambda name: os.path.join(site.folder, name)


class Hook:
    """What the receiver has heard, and what it is told to do with the next ones."""

    heard, tries, plan, hanging = [], [], [], threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            ident, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
            expected = hmac.new(SECRET, f"{ident}.{at}.".encode() + body, hashlib.sha256).digest()
            assert self.headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode(), "a wrong signature"
            assert abs(time.time() - int(at)) < 60 and self.path == "/notices?site=7"
            notice = json.loads(body)
            assert notice["id"] == ident
            Hook.tries.append(ident)
            deed = Hook.plan.pop(0) if Hook.plan else 200
            if deed == "hang":
                Hook.hanging.wait(60)
                return
            if deed == 200 or deed == "hang up":
                # The receiver's own half of exactly once: an id it knows is nothing new.
                if ident not in [known["id"] for known in Hook.heard]:
                    Hook.heard.append(notice)
            if deed != "hang up":
                self.send_response(deed)
                self.end_headers()

        def log_message(self, *_):
            pass


class Mail:
    letters, plan = [], []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if Mail.plan:
            return Mail.plan.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        assert session.ssl is not None and session.authenticated, "a letter in clear or from nobody"
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        Mail.letters.append((envelope.rcpt_tos[0], letter))
        return "250 taken"


def login(server, session, envelope, mechanism, auth):
    fits = (auth.login, auth.password) == (b"ward", b"pass word")
    return AuthResult(success=fits, handled=False)


def alarm_at(number):
    """Somebody pays twice with one key."""
    point = site.cli("usage-point", "add", f"Plot {number}", "--tariff", "msedcl-lt1b-2026-27", "--id", str(number))["usage_point"]
    site.cli("vend", point, "100", "--key", f"k{number}")
    site.cli("vend", point, "200", "--key", f"k{number}", refused=True)
    return point


def letters_to(whom):
    return [letter for to, letter in Mail.letters if to == whom]


def text_to(whom):
    return "\n".join(letter.get_content() for letter in letters_to(whom))


def alarms_heard():
    return [notice["usage_point"] for notice in Hook.heard if notice["kind"] == "alarm"]


def channel(name):
    return next(c for c in site.cli("notify", "status") if c["channel"] == name)


def metric(name, of):
    """A number of /metrics."""
    with urllib.request.urlopen(f"http://{site.page}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return next(int(line.split()[-1]) for line in lines if line.startswith(f'prepaid_gateway_{name}{{channel="{of}"}}'))


subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", path("key"), "-out", path("ca.pem")], check=True, stderr=subprocess.DEVNULL)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(path("ca.pem"), path("key"))
hook_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook.Handler)
threading.Thread(target=hook_server.serve_forever, daemon=True).start()
mail_port = free_port()
smtp = Controller(Mail(), hostname="127.0.0.1", port=mail_port, tls_context=context, require_starttls=True, auth_required=True, authenticator=login)
smtp.start()

minute = lambda offset: time.strftime("%H:%M", time.gmtime(time.time() + offset))
site.write("gateway.toml", f"""
[site]
name = "वार्ड 4"
utc_offset = "+00:00"
[store]
data_dir = "{site.data}"
{OPEN}
[prepay.correction]
alone_up_to = "50.00"
[notify]
gather_s = 1
[notify.smtp]
address = "localhost:{mail_port}"
ca = "{path("ca.pem")}"
user = "ward"
password = "pass word"
from = "gateway@ward4.example"
[[notify.mail]]
to = "operator@utility.example"
[[notify.mail]]
to = "night@utility.example"
quiet_from = "{minute(-3600)}"
quiet_until = "{minute(2 * 3600)}"
quiet_except = ["approval"]
[[notify.webhook]]
name = "shop"
url = "http://127.0.0.1:{hook_server.server_port}/notices?site=7"
secret = "whsec_{base64.b64encode(SECRET).decode()}"
kinds = ["alarm", "approval"]
""")

try:
    site.start()
    tested = site.cli("notify", "test")["tested"]
    assert len(tested) == 3 and not any(test["error"] for test in tested), tested
    assert [notice["kind"] for notice in Hook.heard] == ["test"] and len(Mail.letters) == 2, (Hook.heard, Mail.letters)
    Mail.letters.clear()
    Mail.plan.append("550 who is that")
    refused = json.loads(site.cli("notify", "test", "operator@", refused=True))["tested"]
    assert "550 who is that" in refused[0]["error"], refused

    first = alarm_at(1)
    site.until("the alarm at the webhook", lambda: alarms_heard() == [first])
    notice = Hook.heard[-1]
    assert notice["record"]["decision"] == "alarm-raised" and notice["record"]["number"] == notice["number"] and notice["label"] == "Plot 1", notice
    site.until("the alarm in a letter", lambda: first in text_to("operator@utility.example"))
    letter = letters_to("operator@utility.example")[0]
    assert "वार्ड 4" in letter["from"] and letter["subject"].startswith("[वार्ड 4] UP-0001 (Plot 1): Alarm"), letter["subject"]
    assert letter["auto-submitted"] == "auto-generated" and notice["id"] in letter["message-id"], letter["message-id"]
    print("   an alarm: signed at the webhook, in a letter over STARTTLS; both tried out by `notify test`")

    Hook.plan += [500, 503, "hang up"]
    Mail.plan += ["450 later"]
    second, third = alarm_at(2), alarm_at(3)
    site.until("both after three failures", lambda: alarms_heard() == [first, second, third])
    of_second = next(notice["id"] for notice in Hook.heard if notice["usage_point"] == second)
    # Twice refused, once taken without an answer, and once taken.
    assert Hook.tries.count(of_second) == 4, Hook.tries
    site.until("the letter after 450", lambda: third in text_to("operator@utility.example"))
    assert text_to("operator@utility.example").count(f"{second} (") == 1, text_to("operator@utility.example")
    print("   500, 503, an answer lost, 450: each told once by its id, in order")

    # In quiet hours the three alarms wait for the night's letter.
    assert (channel("mail night@utility.example")["waiting"], metric("notices_waiting", "mail night@utility.example")) == (3, 3)
    assert (metric("notices_told_total", "webhook shop"), metric("notices_failed_tries_total", "webhook shop")) == (3, 3)
    assert metric("notices_waiting", "webhook shop") == 0
    with urllib.request.urlopen(f"http://{site.page}/", timeout=10) as answer:
        assert "mail night@utility.example: 0 told, 3 waiting" in answer.read().decode()

    Hook.plan += ["hang"]
    begin = time.monotonic()
    fourth = alarm_at(4)
    assert time.monotonic() - begin < 5, "a receiver that hangs holds the desk up"
    site.until("the one that hangs", lambda: len(Hook.tries) > Hook.tries.index(of_second) and not Hook.plan)
    site.kill()
    Hook.hanging.set()
    Hook.plan += [500] * 3
    heard_before = len(Hook.heard)
    site.start()
    site.until("the problem", lambda: any("webhook shop" in problem["words"] for problem in site.cli("status")["problems"]))
    assert metric("notices_waiting", "webhook shop") == 1
    assert channel("webhook shop")["failed"] == 3 and "500" in channel("webhook shop")["trouble"], channel("webhook shop")
    site.until("the fourth after kill -9", lambda: alarms_heard() == [first, second, third, fourth])
    site.until("no problem any more", lambda: not site.cli("status")["problems"])
    time_taken = [Hook.tries.count(notice["id"]) for notice in Hook.heard[:heard_before]]
    assert time_taken == [1, 1, 4, 1], time_taken
    print("   a receiver that hangs holds nobody up; after kill -9 the waiting notice comes, those before do not come again")

    site.until("the fourth in a letter", lambda: fourth in text_to("operator@utility.example"))
    assert not letters_to("night@utility.example"), text_to("night@utility.example")
    # Two people with logins of their own are wanted for so much: root says whom it acts for, anybody else is one by name.
    clerk = "clerk" if os.getuid() == 0 else getpass.getuser()
    os.environ["SUDO_USER"] = clerk
    site.cli("person", "add", clerk, "--role", "supplier", "--generate")
    proposal = site.cli("correct", "credit", first, "75", "--reason", "a fault of ours")
    site.until("the approval in quiet hours", lambda: letters_to("night@utility.example"))
    # What waited goes with it, in one letter.
    assert len(letters_to("night@utility.example")) == 1 and all(p in text_to("night@utility.example") for p in [second, fourth]), Mail.letters
    site.until("the approval at the webhook", lambda: Hook.heard[-1]["kind"] == "approval")
    counts = channel("webhook shop")
    assert (counts["told"], counts["given_up"], counts["failed"]) == (5, 0, 0), counts
    print("   quiet hours hold letters back until something that may not wait; a correction waits for approval and says so")
finally:
    site.stop()
    Hook.hanging.set()
    smtp.stop()
    hook_server.shutdown()
