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
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

gateway = sys.argv[1]
PATIENCE_S = 60
SECRET = bytes(range(32))
folder = tempfile.mkdtemp(prefix="notify-")
path = lambda name: os.path.join(folder, name)
data, log_file = path("data"), path("gateway.log")
daemon = None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, ready, patience_s=PATIENCE_S):
    begin = time.monotonic()
    while time.monotonic() - begin < patience_s:
        value = ready()
        if value:
            return value
        time.sleep(0.05)
    sys.exit(f"   waited {patience_s} s in vain for {what}\n{open(log_file).read()[-3000:]}")


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


def start():
    global daemon
    seen = os.path.getsize(log_file) if os.path.exists(log_file) else 0
    daemon = subprocess.Popen([gateway, "run", "--config", path("gateway.toml")], stderr=open(log_file, "a"))
    wait_for("the daemon", lambda: re.search(r"http://(\S+)/ and nodes", open(log_file).read()[seen:]))


def office(*words, code=0):
    done = subprocess.run([gateway, *words, "--json", "--data", data], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{words}: {done.returncode} {done.stdout}{done.stderr}"
    return json.loads(done.stdout or done.stderr)


def alarm_at(number):
    """Somebody pays twice with one key."""
    point = office("usage-point", "add", f"Plot {number}", "--tariff", "msedcl-lt1b-2026-27", "--id", str(number))["usage_point"]
    office("vend", point, "100", "--key", f"k{number}")
    office("vend", point, "200", "--key", f"k{number}", code=1)
    return point


def letters_to(whom):
    return [letter for to, letter in Mail.letters if to == whom]


def text_to(whom):
    return "\n".join(letter.get_content() for letter in letters_to(whom))


def alarms_heard():
    return [notice["usage_point"] for notice in Hook.heard if notice["kind"] == "alarm"]


def channel(name):
    return next(c for c in office("notify", "status") if c["channel"] == name)


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
with open(path("gateway.toml"), "w") as config:
    config.write(f"""
[site]
name = "वार्ड 4"
utc_offset = "+00:00"
[store]
data_dir = "{data}"
[field]
listen = "127.0.0.1:0"
[web]
listen = "127.0.0.1:0"
access = "open"
[clock]
trust = "always"
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
    start()
    tested = office("notify", "test")["tested"]
    assert len(tested) == 3 and not any(test["error"] for test in tested), tested
    assert [notice["kind"] for notice in Hook.heard] == ["test"] and len(Mail.letters) == 2, (Hook.heard, Mail.letters)
    Mail.letters.clear()
    Mail.plan.append("550 who is that")
    refused = office("notify", "test", "operator@", code=1)["tested"]
    assert "550 who is that" in refused[0]["error"], refused

    first = alarm_at(1)
    wait_for("the alarm at the webhook", lambda: alarms_heard() == [first])
    notice = Hook.heard[-1]
    assert notice["record"]["decision"] == "alarm-raised" and notice["record"]["number"] == notice["number"] and notice["label"] == "Plot 1", notice
    wait_for("the alarm in a letter", lambda: first in text_to("operator@utility.example"))
    letter = letters_to("operator@utility.example")[0]
    assert "वार्ड 4" in letter["from"] and letter["subject"].startswith("[वार्ड 4] UP-0001 (Plot 1): Alarm"), letter["subject"]
    assert letter["auto-submitted"] == "auto-generated" and notice["id"] in letter["message-id"], letter["message-id"]
    print("   an alarm: signed at the webhook, in a letter over STARTTLS; both tried out by `notify test`")

    Hook.plan += [500, 503, "hang up"]
    Mail.plan += ["450 later"]
    second, third = alarm_at(2), alarm_at(3)
    wait_for("both after three failures", lambda: alarms_heard() == [first, second, third])
    of_second = next(notice["id"] for notice in Hook.heard if notice["usage_point"] == second)
    # Twice refused, once taken without an answer, and once taken.
    assert Hook.tries.count(of_second) == 4, Hook.tries
    wait_for("the letter after 450", lambda: third in text_to("operator@utility.example"))
    assert text_to("operator@utility.example").count(f"{second} (") == 1, text_to("operator@utility.example")
    print("   500, 503, an answer lost, 450: each told once by its id, in order")

    Hook.plan += ["hang"]
    begin = time.monotonic()
    fourth = alarm_at(4)
    assert time.monotonic() - begin < 5, "a receiver that hangs holds the desk up"
    wait_for("the one that hangs", lambda: len(Hook.tries) > Hook.tries.index(of_second) and not Hook.plan)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    Hook.hanging.set()
    Hook.plan += [500] * 3
    heard_before = len(Hook.heard)
    start()
    wait_for("the problem", lambda: any("webhook shop" in problem["words"] for problem in office("status")["problems"]))
    assert channel("webhook shop")["failed"] == 3 and "500" in channel("webhook shop")["trouble"], channel("webhook shop")
    wait_for("the fourth after kill -9", lambda: alarms_heard() == [first, second, third, fourth])
    wait_for("no problem any more", lambda: not office("status")["problems"])
    time_taken = [Hook.tries.count(notice["id"]) for notice in Hook.heard[:heard_before]]
    assert time_taken == [1, 1, 4, 1], time_taken
    print("   a receiver that hangs holds nobody up; after kill -9 the waiting notice comes, those before do not come again")

    wait_for("the fourth in a letter", lambda: fourth in text_to("operator@utility.example"))
    assert not letters_to("night@utility.example"), text_to("night@utility.example")
    # Two people with logins of their own are wanted for so much: root says whom it acts for, anybody else is one by name.
    clerk = "clerk" if os.getuid() == 0 else getpass.getuser()
    os.environ["SUDO_USER"] = clerk
    office("person", "add", clerk, "--role", "supplier", "--generate")
    proposal = office("correct", "credit", first, "75", "--reason", "a fault of ours")
    wait_for("the approval in quiet hours", lambda: letters_to("night@utility.example"))
    # What waited goes with it, in one letter.
    assert len(letters_to("night@utility.example")) == 1 and all(p in text_to("night@utility.example") for p in [second, fourth]), Mail.letters
    wait_for("the approval at the webhook", lambda: Hook.heard[-1]["kind"] == "approval")
    counts = channel("webhook shop")
    assert (counts["told"], counts["given_up"], counts["failed"]) == (5, 0, 0), counts
    print("   quiet hours hold letters back until something that may not wait; a correction waits for approval and says so")
finally:
    if daemon and daemon.poll() is None:
        daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
    Hook.hanging.set()
    smtp.stop()
    hook_server.shutdown()
